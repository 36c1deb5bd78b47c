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

INLINE __m128i finish_packed(const struct mote_output *o, __m512i sum, const struct finish *f) {
  const __m512i h = mul_high(sum, f);
  const __m512i t = _mm512_add_epi32(_mm512_add_epi32(h, f->round), _mm512_srai_epi32(h, 31));
  const __m128i q = _mm512_cvtsepi32_epi8(_mm512_srav_epi32(t, f->right));
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
  for (uint32_t i = 0; i < n; i += 64) {
    const __mmask64 some = bytes_of(n - i);
    const __m512i u =
        from ? _mm512_xor_si512(_mm512_maskz_loadu_epi8(some, from + i), flip) : outside;
    _mm512_mask_storeu_epi8(to + i, some, u);
  }
}

/* A tile: `pixels` pixels `pixel` bytes apart, `blocks` blocks of channels whose weights lie block_step apart. lanes: of
 * the last block, where there is one block. */
struct tile {
  const struct mote_conv2d_s8 *p;
  const int8_t *weights; /* of the first block */
  size_t block_step, row_values;
  uint32_t first; /* channel */
  uint32_t step;  /* bytes of a quad of a block */
  __mmask16 lanes;
};

INLINE void tile(const struct tile *t, const uint8_t *strip, int8_t *out, const int pixels,
                 const int blocks, const int masked) {
  const struct mote_conv2d_s8 *p = t->p;
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  const size_t pixel = (size_t)p->stride_w * p->in_c, column = (size_t)p->dilation_w * p->in_c;
  const __mmask16 lanes = masked ? t->lanes : (__mmask16)0xFFFF;
  const size_t step = masked ? t->step : 64;
  const int8_t *w = t->weights;
  __m512i sums[6][4];
  for (int b = 0; b < blocks; b++) {
    sums[0][b] = bias_of(&p->output, t->first + (uint32_t)b * MOTE_BLOCK, lanes);
    for (int i = 1; i < pixels; i++) sums[i][b] = sums[0][b];
  }
  for (uint32_t ky = 0; ky < p->kernel_h; ky++, strip += t->row_values) {
    const uint8_t *u = strip;
    for (uint32_t j = 0; j < runs; j++, u += column) {
      const uint8_t *at = u;
      for (uint32_t q = 0; q < run; q++, w += step, at += 4) {
        __m512i weights[4];
        for (int b = 0; b < blocks; b++)
          weights[b] = masked ? _mm512_maskz_loadu_epi32(lanes, w)
                              : _mm512_loadu_si512(w + (size_t)b * t->block_step);
        for (int i = 0; i < pixels; i++) {
          int32_t four;
          __builtin_memcpy(&four, at + (size_t)i * pixel, 4);
          const __m512i x = _mm512_set1_epi32(four);
          for (int b = 0; b < blocks; b++)
            sums[i][b] = _mm512_dpbusd_epi32(sums[i][b], x, weights[b]);
        }
      }
    }
  }
  for (int b = 0; b < blocks; b++) {
    struct finish f;
    prepare(&p->output, t->first + (uint32_t)b * MOTE_BLOCK, lanes, &f);
    int8_t *to = out + (size_t)b * MOTE_BLOCK;
    if (p->output.wide)
      for (int i = 0; i < pixels; i++, to += p->out_c)
        put(&p->output, &f, sums[i][b], lanes, to, 1);
    else
      for (int i = 0; i < pixels; i++, to += p->out_c)
        put(&p->output, &f, sums[i][b], lanes, to, 0);
  }
}

/* The same code for each number of pixels, sums in registers. */
#define TILES(name, blocks, masked)                                                                \
  TARGET static void name(const struct tile *t, const uint8_t *strip, int8_t *out, uint32_t n) {   \
    switch (n) {                                                                                   \
    case 1: tile(t, strip, out, 1, blocks, masked); break;                                         \
    case 2: tile(t, strip, out, 2, blocks, masked); break;                                         \
    case 3: tile(t, strip, out, 3, blocks, masked); break;                                         \
    case 4: tile(t, strip, out, 4, blocks, masked); break;                                         \
    case 5: tile(t, strip, out, 5, blocks, masked); break;                                         \
    default: tile(t, strip, out, 6, blocks, masked); break;                                        \
    }                                                                                              \
  }
TILES(tiles_4, 4, 0)
TILES(tiles_2, 2, 0)
TILES(tiles_1, 1, 0)
TILES(tiles_part, 1, 1)

TARGET static void conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values,
                        uint32_t n, int8_t *out) {
  const size_t quads = (size_t)mote_block_quads(p), pixel = (size_t)p->stride_w * p->in_c;
  struct tile t = {p, NULL, quads * 64, row_values, 0, 64, 0xFFFF};
  while (t.first < p->out_c) {
    const uint32_t left = p->out_c - t.first, blocks = left / MOTE_BLOCK;
    const uint32_t some = blocks >= 4 ? 4 : blocks >= 2 ? 2 : 1;
    const uint8_t *u = (const uint8_t *)strip;
    int8_t *to = out + t.first;
    t.weights = (const int8_t *)mote_at(p, p->weights_at) + t.first * 4 * quads;
    if (blocks == 0) {
      t.step = 4 * left;
      t.lanes = lanes_of(left);
    }
    for (uint32_t done = 0, pixels; done < n; done += pixels) {
      pixels = mote_block_of(n - done, 6);
      (blocks == 0 ? tiles_part
       : some == 4 ? tiles_4
       : some == 2 ? tiles_2
                   : tiles_1)(&t, u, to, pixels);
      u += pixels * pixel;
      to += (size_t)pixels * p->out_c;
    }
    t.first += some * MOTE_BLOCK;
  }
}

TARGET void mote_isa_conv_block__vnni(const void *params, const void *const *rows, void *state,
                                      void *out) {
  mote_strip_convs(params, rows, state, out, bring, conv);
}

/* ---- depthwise ---------------------------------------------------------------------- */
/* 16 channels of four rows: the dwords are turned, then the bytes within 128 bits. */
TARGET static void turn(void *strip, const struct mote_strip_columns *t) {
  uint8_t *to = (uint8_t *)strip + t->at;
  const __m512i flip = _mm512_set1_epi8(-128),
                dwords = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                bytes = _mm512_broadcast_i32x4(
                    _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __mmask16 lanes = lanes_of(t->channels);
  const __m128i outside = _mm_set1_epi8((char)(t->pad ^ 0x80));
  __mmask16 there[4]; /* of a row outside nothing is read */
  const int8_t *from[4];
  for (int k = 0; k < 4; k++) {
    there[k] = t->from[k] ? lanes : 0;
    from[k] = t->from[k] ? t->from[k] : (const int8_t *)strip;
  }
  for (uint32_t i = 0; i < t->columns; i++, to += t->step) {
    const size_t at = i * t->distance;
    __m512i x = _mm512_castsi128_si512(_mm_mask_loadu_epi8(outside, there[0], from[0] + at));
    x = _mm512_inserti32x4(x, _mm_mask_loadu_epi8(outside, there[1], from[1] + at), 1);
    x = _mm512_inserti32x4(x, _mm_mask_loadu_epi8(outside, there[2], from[2] + at), 2);
    x = _mm512_inserti32x4(x, _mm_mask_loadu_epi8(outside, there[3], from[3] + at), 3);
    x = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(dwords, x), bytes);
    _mm512_mask_storeu_epi32(to, lanes, _mm512_xor_si512(x, flip));
  }
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

TARGET void mote_isa_depthwise_block__vnni(const void *params, const void *const *rows, void *state,
                                           void *out) {
  mote_strip_depthwises(params, rows, state, out, turn, depthwise);
}

#else
typedef int mote_isa_x86_vnni_is_empty;
#endif
