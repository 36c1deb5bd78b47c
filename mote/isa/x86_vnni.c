/* x86_vnni: blocks of channels with AVX-512 and VNNI.
 *
 * VPDPBUSD multiplies 64 unsigned by 64 signed bytes and adds them by fours: the 16 lanes of a register are 16 output
 * channels, four neighbouring inputs of one pixel are broadcast to all. A tile of up to 6 pixels and 64 channels keeps
 * its sums in registers: for each quad 4 loads of weights and 6 broadcasts for 24 multiplications, so the two
 * multipliers are the limit. Requantisation takes the 16 lanes at once.
 *
 * What is left of a block of channels is loaded and stored under a mask: nothing outside is touched. Sums wrap. */
#include "mote/isa/strip.h"

#if MOTE_ISA_X86
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
/* Loops over a tile unroll fully, so that its sums are registers. */
#define UNROLL _Pragma("GCC unroll 24")
#define INLINE TARGET __attribute__((always_inline)) static inline

/* The lowest n of 16 lanes, n <= 16; the lowest n of 64 bytes, n <= 64. */
static inline __mmask16 lanes_of(uint32_t n) { return (__mmask16)((1u << n) - 1); }
static inline __mmask64 bytes_of(uint32_t n) {
  return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* ---- requantisation of 16 channels ------------------------------------------------ */
struct finish {
  __m512i even, odd;          /* multipliers, those of odd lanes in the even ones */
  __m512i round, left, right; /* packed: what is added before the shift; wide: shifts */
};

INLINE __m512i bias_of(const struct mote_output *o, uint32_t c, __mmask16 lanes) {
  return _mm512_maskz_loadu_epi32(lanes, (const int32_t *)mote_at(o, o->bias_at) + c);
}

INLINE void prepare(const struct mote_output *o, uint32_t c, __mmask16 lanes, struct finish *f) {
  const uint32_t *words = (const uint32_t *)mote_at(o, o->requant_at);
  if (o->wide) {
    int32_t multipliers[MOTE_BLOCK] = {0}, shifts[MOTE_BLOCK] = {0};
    for (uint32_t i = 0; i < MOTE_BLOCK && (lanes >> i & 1) != 0; i++) {
      multipliers[i] = (int32_t)words[2 * (size_t)(c + i)];
      shifts[i] = (int32_t)words[2 * (size_t)(c + i) + 1];
    }
    const __m512i shift = _mm512_loadu_si512(shifts), none = _mm512_setzero_si512();
    f->even = _mm512_loadu_si512(multipliers);
    f->left = _mm512_max_epi32(shift, none);
    f->right = _mm512_max_epi32(_mm512_sub_epi32(none, shift), none);
    f->round = none;
  } else {
    const __m512i w = _mm512_maskz_loadu_epi32(lanes, words + c);
    f->even = _mm512_or_si512(_mm512_srli_epi32(w, 2), _mm512_set1_epi32(1 << 30));
    f->right = _mm512_sub_epi32(_mm512_and_si512(w, _mm512_set1_epi32(3)),
                                _mm512_set1_epi32(o->shift_base));
    f->round = _mm512_sllv_epi32(_mm512_set1_epi32(2 * o->zp + 1),
                                 _mm512_sub_epi32(f->right, _mm512_set1_epi32(1)));
    f->left = _mm512_setzero_si512();
  }
  f->odd = _mm512_srli_epi64(f->even, 32);
}

/* mote_mul_high of each lane; multipliers are not negative. */
INLINE __m512i mul_high(__m512i x, const struct finish *f) {
  const __m512i half = _mm512_set1_epi64(1 << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, f->even), half);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), f->odd), half);
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_add_epi64(odd, odd));
}

INLINE __m512i scale_packed(__m512i sum, const struct finish *f) {
  const __m512i h = mul_high(sum, f);
  const __m512i t = _mm512_add_epi32(_mm512_add_epi32(h, f->round), _mm512_srai_epi32(h, 31));
  return _mm512_srav_epi32(t, f->right);
}
INLINE __m128i finish_packed(const struct mote_output *o, __m512i sum, const struct finish *f) {
  const __m128i q = _mm512_cvtsepi32_epi8(scale_packed(sum, f));
  return _mm_min_epi8(_mm_max_epi8(q, _mm_set1_epi8(o->low)), _mm_set1_epi8(o->high));
}

/* mote_output_wide: mote_divide_pot as it is defined. */
INLINE __m128i finish_wide(const struct mote_output *o, __m512i sum, const struct finish *f) {
  const __m512i h = mul_high(_mm512_sllv_epi32(sum, f->left), f), one = _mm512_set1_epi32(1);
  const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, f->right), one);
  const __m512i threshold = _mm512_add_epi32(_mm512_srli_epi32(mask, 1), _mm512_srli_epi32(h, 31));
  const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(h, mask), threshold);
  __m512i q = _mm512_srav_epi32(h, f->right);
  q = _mm512_mask_add_epi32(q, up, q, one);
  q = _mm512_max_epi32(q, _mm512_set1_epi32(o->low - o->zp));
  q = _mm512_min_epi32(q, _mm512_set1_epi32(o->high - o->zp));
  return _mm512_cvtepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(o->zp)));
}

INLINE void put(const struct mote_output *o, const struct finish *f, __m512i sum, __mmask16 lanes,
                int8_t *out, const int wide) {
  const __m128i q = wide ? finish_wide(o, sum, f) : finish_packed(o, sum, f);
  _mm_mask_storeu_epi8(out, lanes, q);
}

/* ---- convolution ------------------------------------------------------------------- */
/* n bytes as unsigned; padding otherwise. */
TARGET static void bring(void *strip, size_t at, const int8_t *from, uint32_t n, uint8_t pad) {
  uint8_t *to = (uint8_t *)strip + at;
  const __m512i flip = _mm512_set1_epi8(-128), outside = _mm512_set1_epi8((char)pad);
  uint32_t i = 0;
  if (from == NULL) {
    for (; i + 64 <= n; i += 64) _mm512_storeu_si512(to + i, outside);
    _mm512_mask_storeu_epi8(to + i, bytes_of(n - i), outside);
    return;
  }
  for (; i + 64 <= n; i += 64)
    _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flip));
  const __mmask64 rest = bytes_of(n - i);
  _mm512_mask_storeu_epi8(to + i, rest,
                          _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, from + i), flip));
}

/* A tile: some pixels `pixel` bytes apart, blocks of channels whose weights lie block_step apart. lanes: of the last
 * block, where there is one block. */
#define MOST_SUMS 24
struct tile {
  const struct mote_conv2d_s8 *p;
  const int8_t *weights; /* of the first block */
  size_t block_step, row_values;
  uint32_t first; /* channel */
  uint32_t step;  /* bytes of a quad of a block */
  __mmask16 lanes;
  __m512i sums[MOST_SUMS]; /* block after block */
};

/* The sums. Every number of pixels and blocks is code of its own, whose sums are registers. */
INLINE void tile(struct tile *t, const uint8_t *strip, const int pixels, const int blocks,
                 const int masked) {
  const struct mote_conv2d_s8 *p = t->p;
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  const size_t pixel = (size_t)p->stride_w * p->in_c, column = (size_t)p->dilation_w * p->in_c,
               row_values = t->row_values, block_step = t->block_step;
  const __mmask16 lanes = masked ? t->lanes : (__mmask16)0xFFFF;
  const size_t step = masked ? t->step : 64;
  const int8_t *w = t->weights;
  __m512i sums[MOST_SUMS];
  UNROLL for (int b = 0; b < blocks; b++) {
    const __m512i bias = bias_of(&p->output, t->first + (uint32_t)b * MOTE_BLOCK, lanes);
    UNROLL for (int i = 0; i < pixels; i++) sums[b * pixels + i] = bias;
  }
  for (uint32_t ky = 0; ky < p->kernel_h; ky++, strip += row_values) {
    const uint8_t *u = strip;
    for (uint32_t j = 0; j < runs; j++, u += column) {
      const uint8_t *at = u;
      for (uint32_t q = 0; q < run; q++, w += step, at += 4) {
        __m512i weights[4];
        UNROLL for (int b = 0; b < blocks; b++) weights[b] =
            masked ? _mm512_maskz_loadu_epi32(lanes, w)
                   : _mm512_loadu_si512(w + (size_t)b * block_step);
        UNROLL for (int i = 0; i < pixels; i++) {
          int32_t four;
          __builtin_memcpy(&four, at + (size_t)i * pixel, 4);
          const __m512i x = _mm512_set1_epi32(four);
          UNROLL for (int b = 0; b < blocks; b++) sums[b * pixels + i] =
              _mm512_dpbusd_epi32(sums[b * pixels + i], x, weights[b]);
        }
      }
    }
  }
  UNROLL for (int i = 0; i < pixels * blocks; i++) t->sums[i] = sums[i];
}

/* One pixel, one block: the weights are one stream through the cache, fetched ahead, and eight sums of every eighth quad
 * do not wait for each other. */
#define AHEAD 1536 /* bytes; measured: 1 to 2 KiB are alike */
TARGET static void stream(struct tile *t, const uint8_t *strip, uint32_t pixels) {
  const struct mote_conv2d_s8 *p = t->p;
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  const size_t column = (size_t)p->dilation_w * p->in_c;
  const int8_t *w = t->weights;
  __m512i sums[8];
  (void)pixels;
  UNROLL for (int i = 1; i < 8; i++) sums[i] = _mm512_setzero_si512();
  sums[0] = bias_of(&p->output, t->first, 0xFFFF);
  for (uint32_t ky = 0; ky < p->kernel_h; ky++, strip += t->row_values)
    for (uint32_t j = 0; j < runs; j++) {
      const uint8_t *at = strip + j * column;
      uint32_t q = run;
      for (; q >= 8; q -= 8, w += 8 * 64, at += 8 * 4) {
        UNROLL for (int i = 0; i < 8; i++) {
          int32_t four;
          __builtin_memcpy(&four, at + 4 * i, 4);
          _mm_prefetch((const char *)w + AHEAD + 64 * i, _MM_HINT_T0);
          sums[i] =
              _mm512_dpbusd_epi32(sums[i], _mm512_set1_epi32(four), _mm512_loadu_si512(w + 64 * i));
        }
      }
      for (; q; q--, w += 64, at += 4) {
        int32_t four;
        __builtin_memcpy(&four, at, 4);
        sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_set1_epi32(four), _mm512_loadu_si512(w));
      }
    }
  UNROLL for (int i = 0; i < 4; i++) sums[i] = _mm512_add_epi32(sums[i], sums[i + 4]);
  t->sums[0] =
      _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
}

/* How outputs are made: by the general way; packed; packed, of whole blocks whose range is that of int8. */
enum way { WIDE, PACKED, WHOLE };
INLINE void finish_block(const struct tile *t, const __m512i *sums, uint32_t first, uint32_t pixels,
                         int8_t *to, const enum way way) {
  const struct mote_output *o = &t->p->output;
  const uint32_t out_c = t->p->out_c;
  struct finish f;
  prepare(o, first, t->lanes, &f);
  for (uint32_t i = 0; i < pixels; i++, to += out_c) {
    if (way == WHOLE)
      _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtsepi32_epi8(scale_packed(sums[i], &f)));
    else
      put(o, &f, sums[i], t->lanes, to, way == WIDE);
  }
}

TARGET static void finish_tile(const struct tile *t, uint32_t pixels, uint32_t blocks,
                               int8_t *out) {
  const struct mote_output *o = &t->p->output;
  const enum way way = o->wide                                                             ? WIDE
                       : o->low == -128 && o->high == 127 && t->lanes == (__mmask16)0xFFFF ? WHOLE
                                                                                           : PACKED;
  const __m512i *sums = t->sums;
  for (uint32_t b = 0; b < blocks; b++, out += MOTE_BLOCK, sums += pixels) {
    const uint32_t first = t->first + b * MOTE_BLOCK;
    if (way == WHOLE)
      finish_block(t, sums, first, pixels, out, WHOLE);
    else if (way == PACKED)
      finish_block(t, sums, first, pixels, out, PACKED);
    else
      finish_block(t, sums, first, pixels, out, WIDE);
  }
}

#define TILE(n, blocks, masked)                                                                    \
  case n:                                                                                          \
    tile(t, strip, n, blocks, masked);                                                             \
    break
#define TILES_3(blocks, masked)                                                                    \
  TILE(1, blocks, masked);                                                                         \
  TILE(2, blocks, masked);                                                                         \
  TILE(3, blocks, masked)
#define TILES_6(blocks, masked)                                                                    \
  TILES_3(blocks, masked);                                                                         \
  TILE(4, blocks, masked);                                                                         \
  TILE(5, blocks, masked);                                                                         \
  TILE(6, blocks, masked)
#define TILES_12(blocks)                                                                           \
  TILES_6(blocks, 0);                                                                              \
  TILE(7, blocks, 0);                                                                              \
  TILE(8, blocks, 0);                                                                              \
  TILE(9, blocks, 0);                                                                              \
  TILE(10, blocks, 0);                                                                             \
  TILE(11, blocks, 0);                                                                             \
  TILE(12, blocks, 0)
typedef void tile_loop(struct tile *t, const uint8_t *strip, uint32_t pixels);
TARGET static void tiles_4(struct tile *t, const uint8_t *strip, uint32_t pixels) {
  switch (pixels) { TILES_6(4, 0); }
}
TARGET static void tiles_2(struct tile *t, const uint8_t *strip, uint32_t pixels) {
  switch (pixels) { TILES_12(2); }
}
TARGET static void tiles_1(struct tile *t, const uint8_t *strip, uint32_t pixels) {
  switch (pixels) { TILES_12(1); }
}
TARGET static void tiles_part(struct tile *t, const uint8_t *strip, uint32_t pixels) {
  switch (pixels) { TILES_6(1, 1); }
}

/* Blocks that are made together, of how many pixels. */
struct size {
  uint32_t blocks, pixels;
  tile_loop *loop;
};
static struct size size_of(uint32_t blocks, uint32_t pixels) {
  static const struct size sizes[] = {{4, 6, tiles_4}, {2, 12, tiles_2}, {1, 12, tiles_1}},
                           single = {1, 1, stream};
  const struct size *s = sizes;
  if (pixels == 1) return single;
  while (s->blocks > blocks) s++;
  return *s;
}

TARGET static void conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values,
                        uint32_t n, int8_t *out) {
  const size_t quads = (size_t)mote_block_quads(p), pixel = (size_t)p->stride_w * p->in_c;
  struct tile t;
  t.p = p;
  t.row_values = row_values;
  t.block_step = quads * 64;
  t.step = 64;
  t.lanes = 0xFFFF;
  for (t.first = 0; t.first < p->out_c;) {
    const uint32_t left = p->out_c - t.first;
    const uint8_t *u = (const uint8_t *)strip;
    int8_t *to = out + t.first;
    struct size s = {1, 6, tiles_part};
    t.weights = (const int8_t *)mote_at(p, p->weights_at) + t.first * 4 * quads;
    if (left >= MOTE_BLOCK) {
      s = size_of(left / MOTE_BLOCK, n);
    } else {
      t.step = 4 * left;
      t.lanes = lanes_of(left);
    }
    for (uint32_t done = 0, pixels; done < n; done += pixels) {
      pixels = mote_block_of(n - done, s.pixels);
      s.loop(&t, u, pixels);
      finish_tile(&t, pixels, s.blocks, to);
      u += pixels * pixel;
      to += (size_t)pixels * p->out_c;
    }
    t.first += s.blocks * MOTE_BLOCK;
  }
}

TARGET void mote_isa_conv_block__vnni(const void *params, const void *const *rows, void *state,
                                      void *out) {
  mote_strip_convs(params, rows, state, out, bring, conv);
}

/* ---- depthwise ---------------------------------------------------------------------- */
/* 16 channels of four rows side by side in a register: the dwords are turned, then the bytes within 128 bits. Columns and
 * rows outside are masked: nothing is read there. */
INLINE __m512i turned(__m512i x) {
  const __m512i flip = _mm512_set1_epi8(-128),
                dwords = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                bytes = _mm512_broadcast_i32x4(
                    _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  return _mm512_xor_si512(_mm512_shuffle_epi8(_mm512_permutexvar_epi32(dwords, x), bytes), flip);
}
INLINE __m128i sixteen_at(const int8_t *from, size_t at) {
  return _mm_loadu_si128((const __m128i *)(const void *)(from + at));
}

/* All four rows of 16 channels. */
INLINE void turn_whole(uint8_t *to, const struct mote_strip_columns *t) {
  const int8_t *const a = t->from[0], *const b = t->from[1], *const c = t->from[2],
                      *const d = t->from[3];
  const __m512i outside = _mm512_set1_epi8((char)(t->pad ^ 0x80));
  const __mmask16 ka = a ? 0x000F : 0, kb = b ? 0x00F0 : 0, kc = c ? 0x0F00 : 0,
                  kd = d ? 0xF000 : 0;
  const size_t step = t->step;
  size_t at = 0;
  for (uint32_t i = 0; i < t->inside; i++, to += step, at += t->distance) {
    __m512i x = outside;
    if (ka) x = _mm512_mask_broadcast_i32x4(x, ka, sixteen_at(a, at));
    if (kb) x = _mm512_mask_broadcast_i32x4(x, kb, sixteen_at(b, at));
    if (kc) x = _mm512_mask_broadcast_i32x4(x, kc, sixteen_at(c, at));
    if (kd) x = _mm512_mask_broadcast_i32x4(x, kd, sixteen_at(d, at));
    _mm512_storeu_si512(to, turned(x));
  }
}

INLINE void turn_some(uint8_t *to, const struct mote_strip_columns *t, __mmask16 lanes) {
  const __m128i outside = _mm_set1_epi8((char)(t->pad ^ 0x80));
  for (uint32_t i = 0; i < t->inside; i++, to += t->step) {
    const size_t at = i * t->distance;
    __m128i row[4];
    UNROLL for (int k = 0; k < 4; k++) row[k] =
        t->from[k] ? _mm_maskz_loadu_epi8(lanes, t->from[k] + at) : outside;
    __m512i x = _mm512_castsi128_si512(row[0]);
    x = _mm512_inserti32x4(x, row[1], 1);
    x = _mm512_inserti32x4(x, row[2], 2);
    x = _mm512_inserti32x4(x, row[3], 3);
    _mm512_mask_storeu_epi32(to, lanes, turned(x));
  }
}

TARGET static void turn(void *strip, const struct mote_strip_columns *t) {
  uint8_t *to = (uint8_t *)strip + t->at;
  const __mmask16 lanes = lanes_of(t->channels);
  const __m512i outside = _mm512_set1_epi8((char)t->pad);
  for (uint32_t i = t->left; i; i--, to += t->step) _mm512_mask_storeu_epi32(to, lanes, outside);
  if (t->channels == MOTE_BLOCK)
    turn_whole(to, t);
  else
    turn_some(to, t, lanes);
  to += t->inside * t->step;
  for (uint32_t i = t->right; i; i--, to += t->step) _mm512_mask_storeu_epi32(to, lanes, outside);
}

/* n pixels of up to 16 channels. three: three columns of one quad, whose weights stay in registers. */
INLINE void group(const struct mote_depthwise_conv2d_s8 *p, const uint8_t *u, size_t column_values,
                  uint32_t n, uint32_t c, uint32_t channels, int8_t *out, const int wide,
                  const int three) {
  const uint32_t quads = mote_block_row_quads(p);
  const size_t step = 4 * (size_t)p->in_c, pixel = p->stride_w * column_values,
               column = p->dilation_w * column_values;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at) + 4 * (size_t)c;
  const __mmask16 lanes = lanes_of(channels);
  const __m512i bias = bias_of(&p->output, c, lanes);
  struct finish f;
  prepare(&p->output, c, lanes, &f);
  __m512i w0 = bias, w1 = bias, w2 = bias;
  if (three) {
    w0 = _mm512_maskz_loadu_epi32(lanes, weights);
    w1 = _mm512_maskz_loadu_epi32(lanes, weights + step);
    w2 = _mm512_maskz_loadu_epi32(lanes, weights + 2 * step);
  }
  for (; n; n--, u += pixel, out += p->in_c) {
    __m512i sum = bias;
    if (three) {
      sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi32(lanes, u), w0);
      sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi32(lanes, u + column), w1);
      sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi32(lanes, u + 2 * column), w2);
    } else {
      const int8_t *w = weights;
      for (uint32_t j = 0; j < p->kernel_w; j++)
        for (uint32_t q = 0; q < quads; q++, w += step)
          sum = _mm512_dpbusd_epi32(
              sum, _mm512_maskz_loadu_epi32(lanes, u + j * column + 4 * (size_t)q * channels),
              _mm512_maskz_loadu_epi32(lanes, w));
    }
    put(&p->output, &f, sum, lanes, out, wide);
  }
}

TARGET static void depthwise(const struct mote_depthwise_conv2d_s8 *p, const void *strip,
                             size_t column_values, uint32_t n, uint32_t c, uint32_t channels,
                             int8_t *out) {
  const uint8_t *u = (const uint8_t *)strip;
  if (p->output.wide)
    group(p, u, column_values, n, c, channels, out, 1, 0);
  else if (p->kernel_w == 3 && p->kernel_h <= 4)
    group(p, u, column_values, n, c, channels, out, 0, 1);
  else
    group(p, u, column_values, n, c, channels, out, 0, 0);
}

/* One column wide: windows share nothing, so rows go from where they lie into registers. at: of the pixel's column in a
 * row; it is padding where it is not inside. */
INLINE __m512i tall_sum(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                        size_t at, int inside, const int8_t *w, __mmask16 lanes, __m512i sum) {
  const __m128i outside = _mm_set1_epi8((char)p->output.in_zp);
  for (uint32_t y = 0; y < p->kernel_h; y += 4, w += 4 * (size_t)p->in_c) {
    __m128i row[4];
    UNROLL for (uint32_t k = 0; k < 4; k++) {
      const int8_t *from = inside && y + k < p->kernel_h ? (const int8_t *)rows[y + k] : NULL;
      row[k] = from ? _mm_maskz_loadu_epi8(lanes, from + at) : outside;
    }
    __m512i x = _mm512_castsi128_si512(row[0]);
    x = _mm512_inserti32x4(x, row[1], 1);
    x = _mm512_inserti32x4(x, row[2], 2);
    x = _mm512_inserti32x4(x, row[3], 3);
    sum = _mm512_dpbusd_epi32(sum, turned(x), _mm512_maskz_loadu_epi32(lanes, w));
  }
  return sum;
}

TARGET static void tall(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                        int8_t *out) {
  for (uint32_t r = 0; r < p->rows_out; r++, rows += p->stride_h, out += (size_t)p->out_w * p->in_c)
    for (uint32_t c = 0; c < p->in_c; c += MOTE_BLOCK) {
      const __mmask16 lanes = p->in_c - c < MOTE_BLOCK ? lanes_of(p->in_c - c) : (__mmask16)0xFFFF;
      const int8_t *w = (const int8_t *)mote_at(p, p->weights_at) + 4 * (size_t)c;
      const __m512i bias = bias_of(&p->output, c, lanes);
      int32_t column = -(int32_t)p->pad_left;
      int8_t *to = out + c;
      struct finish f;
      prepare(&p->output, c, lanes, &f);
      for (uint32_t x = 0; x < p->out_w; x++, column += p->stride_w, to += p->in_c) {
        const int inside = column >= 0 && column < p->in_w;
        const size_t at = inside ? (size_t)(uint32_t)column * p->in_c + c : 0;
        const __m512i sum = tall_sum(p, rows, at, inside, w, lanes, bias);
        if (p->output.wide)
          put(&p->output, &f, sum, lanes, to, 1);
        else
          put(&p->output, &f, sum, lanes, to, 0);
      }
    }
}

TARGET void mote_isa_depthwise_block__vnni(const void *params, const void *const *rows, void *state,
                                           void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  if (p->kernel_w == 1)
    tall(p, rows, (int8_t *)out);
  else
    mote_strip_depthwises(params, rows, state, out, turn, depthwise);
}

#else
typedef int mote_isa_x86_vnni_is_empty;
#endif
