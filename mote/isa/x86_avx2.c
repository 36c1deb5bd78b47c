/* x86_avx2: blocks of channels with AVX2.
 *
 * There is no product of bytes that cannot overflow (VPMADDUBSW saturates), so both sides are widened to int16:
 * activations when they are brought into the state, weights when they are loaded. VPMADDWD adds products by twos, so a
 * register has 4 channels of two sums each, which meet in the end. A tile is 4 pixels by 8 channels: for each quad 2
 * widening loads and 4 broadcasts for 8 multiplications and 8 additions.
 *
 * What is left of 4 channels reads into the next quad, or the slack behind the weights; those sums go nowhere. */
#include "mote/isa/strip.h"

#if MOTE_ISA_X86
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
/* Loops over a tile unroll fully, so that its sums are registers. */
#define UNROLL _Pragma("GCC unroll 8")
#define INLINE TARGET __attribute__((always_inline)) static inline

/* ---- requantisation of 8 channels --------------------------------------------------- */
struct finish {
  __m256i bias, even, odd;    /* multipliers, those of odd lanes in the even ones */
  __m256i round, left, right; /* packed: what is added before the shift; wide: shifts */
  uint32_t n;                 /* channels that there are, at most 8 */
};

INLINE void prepare(const struct mote_output *o, uint32_t c, uint32_t n, struct finish *f) {
  int32_t bias[8] = {0}, multipliers[8] = {0}, left[8] = {0}, right[8], round[8] = {0};
  f->n = n;
  for (uint32_t i = 0; i < 8; i++) {
    right[i] = 1;
    if (i >= n) continue;
    const struct mote_channel ch = mote_channel_at(o, c + i);
    bias[i] = ch.bias;
    multipliers[i] = ch.multiplier;
    left[i] = ch.shift > 0 ? ch.shift : 0;
    right[i] = ch.shift > 0 ? 0 : -ch.shift;
    if (!o->wide) round[i] = mote_channel_round(o, &ch);
  }
  f->bias = _mm256_loadu_si256((const __m256i *)bias);
  f->even = _mm256_loadu_si256((const __m256i *)multipliers);
  f->odd = _mm256_srli_epi64(f->even, 32);
  f->round = _mm256_loadu_si256((const __m256i *)round);
  f->left = _mm256_loadu_si256((const __m256i *)left);
  f->right = _mm256_loadu_si256((const __m256i *)right);
}

/* mote_mul_high of each lane; multipliers are not negative. */
INLINE __m256i mul_high(__m256i x, const struct finish *f) {
  const __m256i half = _mm256_set1_epi64x(1 << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, f->even), half);
  const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), f->odd), half);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_add_epi64(odd, odd), 0xAA);
}

INLINE __m256i scale_packed(__m256i sum, const struct finish *f) {
  const __m256i h = mul_high(sum, f);
  return _mm256_srav_epi32(
      _mm256_add_epi32(_mm256_add_epi32(h, f->round), _mm256_srai_epi32(h, 31)), f->right);
}

/* mote_output_wide: mote_divide_pot as it is defined. */
INLINE __m256i scale_wide(const struct mote_output *o, __m256i sum, const struct finish *f) {
  const __m256i h = mul_high(_mm256_sllv_epi32(sum, f->left), f), one = _mm256_set1_epi32(1);
  const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, f->right), one);
  const __m256i threshold = _mm256_add_epi32(_mm256_srli_epi32(mask, 1), _mm256_srli_epi32(h, 31));
  const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(h, mask), threshold); /* -1: one more */
  __m256i q = _mm256_sub_epi32(_mm256_srav_epi32(h, f->right), up);
  q = _mm256_max_epi32(q, _mm256_set1_epi32(o->low - o->zp));
  q = _mm256_min_epi32(q, _mm256_set1_epi32(o->high - o->zp));
  return _mm256_add_epi32(q, _mm256_set1_epi32(o->zp));
}

/* The outputs of 8 channels, of which a and b hold 4 each as pairs of sums. */
INLINE void put(const struct mote_output *o, const struct finish *f, __m256i a, __m256i b,
                int8_t *out) {
  __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8);
  sum = _mm256_add_epi32(sum, f->bias);
  const __m256i q = o->wide ? scale_wide(o, sum, f) : scale_packed(sum, f);
  __m128i bytes = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
  bytes = _mm_packs_epi16(bytes, bytes);
  bytes = _mm_min_epi8(_mm_max_epi8(bytes, _mm_set1_epi8(o->low)), _mm_set1_epi8(o->high));
  uint64_t eight = (uint64_t)_mm_cvtsi128_si64(bytes);
  if (f->n == 8)
    __builtin_memcpy(out, &eight, 8);
  else
    for (uint32_t i = 0; i < f->n; i++, eight >>= 8) out[i] = (int8_t)(uint8_t)eight;
}

/* ---- convolution -------------------------------------------------------------------- */
TARGET static void bring(void *strip, size_t at, const int8_t *from, uint32_t n, uint8_t pad) {
  int16_t *to = (int16_t *)strip + at;
  const __m128i flip = _mm_set1_epi8(-128);
  uint32_t i = 0;
  if (from == NULL) {
    for (; i < n; i++) to[i] = pad;
    return;
  }
  for (; i + 16 <= n; i += 16) {
    const __m128i u =
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(from + i)), flip);
    _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_cvtepu8_epi16(u));
  }
  for (; i < n; i++) to[i] = (int16_t)(from[i] + 128);
}

/* 16 weights as int16: 4 channels of 4. */
INLINE __m256i widened(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}
/* Four neighbouring values, for every channel. */
INLINE __m256i four_of(const int16_t *at) {
  int64_t four;
  __builtin_memcpy(&four, at, 8);
  return _mm256_set1_epi64x(four);
}

/* `pixels` pixels of up to 8 channels from `first` on. w: their first quad; quads lie `step` apart. second: there are
 * more than 4. */
INLINE void tile(const struct mote_conv2d_s8 *p, const struct finish *f, const int8_t *weights,
                 size_t step, const int16_t *strip, size_t row_values, int8_t *out,
                 const int pixels) {
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  const size_t pixel = (size_t)p->stride_w * p->in_c, column = (size_t)p->dilation_w * p->in_c;
  const size_t second = f->n > 4 ? 16 : 0; /* nothing is read where there are no more than 4 */
  __m256i a[4], b[4];
  UNROLL for (int i = 0; i < pixels; i++) a[i] = b[i] = _mm256_setzero_si256();
  for (uint32_t ky = 0; ky < p->kernel_h; ky++, strip += row_values)
    for (uint32_t j = 0; j < runs; j++) {
      const int16_t *at = strip + j * column;
      for (uint32_t q = 0; q < run; q++, weights += step, at += 4) {
        const __m256i wa = widened(weights), wb = widened(weights + second);
        UNROLL for (int i = 0; i < pixels; i++) {
          const __m256i x = four_of(at + (size_t)i * pixel);
          a[i] = _mm256_add_epi32(a[i], _mm256_madd_epi16(x, wa));
          b[i] = _mm256_add_epi32(b[i], _mm256_madd_epi16(x, wb));
        }
      }
    }
  UNROLL for (int i = 0; i < pixels; i++)
      put(&p->output, f, a[i], b[i], out + (size_t)i * p->out_c);
}

TARGET static void tiles(const struct mote_conv2d_s8 *p, const struct finish *f, const int8_t *w,
                         size_t step, const int16_t *u, size_t row_values, int8_t *out,
                         uint32_t n) {
  switch (n) {
  case 1: tile(p, f, w, step, u, row_values, out, 1); break;
  case 2: tile(p, f, w, step, u, row_values, out, 2); break;
  case 3: tile(p, f, w, step, u, row_values, out, 3); break;
  default: tile(p, f, w, step, u, row_values, out, 4); break;
  }
}

TARGET static void conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values,
                        uint32_t n, int8_t *out) {
  const size_t quads = (size_t)mote_block_quads(p), pixel = (size_t)p->stride_w * p->in_c;
  for (uint32_t c = 0; c < p->out_c; c += 8) {
    const uint32_t first = c - c % MOTE_BLOCK, of_block = p->out_c - first, left = p->out_c - c;
    const int8_t *w =
        (const int8_t *)mote_at(p, p->weights_at) + first * 4 * quads + 4 * (size_t)(c - first);
    const size_t step = 4 * (size_t)(of_block < MOTE_BLOCK ? of_block : MOTE_BLOCK);
    const int16_t *u = (const int16_t *)strip;
    int8_t *to = out + c;
    struct finish f;
    prepare(&p->output, c, left < 8 ? left : 8, &f);
    for (uint32_t done = 0, pixels; done < n; done += pixels) {
      pixels = mote_block_of(n - done, 4);
      tiles(p, &f, w, step, u, row_values, to, pixels);
      u += pixels * pixel;
      to += (size_t)pixels * p->out_c;
    }
  }
}

TARGET void mote_isa_conv_block__avx2(const void *params, const void *const *rows, void *state,
                                      void *out) {
  mote_strip_convs(params, rows, state, out, bring, conv);
}

/* ---- depthwise ------------------------------------------------------------------------ */
/* 8 bytes of a row, of which only n are there. */
INLINE __m128i eight_of(const int8_t *from, uint32_t n) {
  uint64_t eight = 0;
  if (n >= 8) return _mm_loadl_epi64((const __m128i *)(const void *)from);
  for (uint32_t i = 0; i < n; i++) eight |= (uint64_t)(uint8_t)from[i] << 8 * i;
  return _mm_cvtsi64_si128((long long)eight);
}

/* 8 channels of four rows: bytes of two rows side by side, then pairs. The strip has room for 16 channels. */
TARGET static void turn(void *strip, const struct mote_strip_columns *t) {
  const __m128i flip = _mm_set1_epi8(-128), outside = _mm_set1_epi8((char)(t->pad ^ 0x80));
  const uint32_t columns = t->left + t->inside + t->right;
  for (uint32_t i = 0; i < columns; i++) {
    int16_t *to = (int16_t *)strip + t->at + i * t->step;
    const int inside = i >= t->left && i - t->left < t->inside;
    const size_t at = inside ? (i - t->left) * t->distance : 0;
    for (uint32_t c = 0; c < t->channels; c += 8, to += 32) {
      const uint32_t n = t->channels - c;
      __m128i row[4];
      UNROLL for (int k = 0; k < 4; k++) row[k] =
          inside && t->from[k] ? eight_of(t->from[k] + at + c, n) : outside;
      const __m128i a = _mm_unpacklo_epi8(row[0], row[1]), b = _mm_unpacklo_epi8(row[2], row[3]);
      const __m256i low = _mm256_cvtepu8_epi16(_mm_xor_si128(_mm_unpacklo_epi16(a, b), flip)),
                    high = _mm256_cvtepu8_epi16(_mm_xor_si128(_mm_unpackhi_epi16(a, b), flip));
      if (n >= 8) {
        _mm256_storeu_si256((__m256i *)(void *)to, low);
        _mm256_storeu_si256((__m256i *)(void *)(to + 16), high);
      } else {
        int16_t values[32];
        _mm256_storeu_si256((__m256i *)(void *)values, low);
        _mm256_storeu_si256((__m256i *)(void *)(values + 16), high);
        __builtin_memcpy(to, values, 8 * (size_t)n);
      }
    }
  }
}

/* 4 channels of 4 values each, of which only n are there. */
INLINE __m256i values_of(const int16_t *at, uint32_t n) {
  if (n >= 4) return _mm256_loadu_si256((const __m256i *)(const void *)at);
  int16_t some[16] = {0};
  __builtin_memcpy(some, at, 8 * (size_t)n);
  return _mm256_loadu_si256((const __m256i *)(const void *)some);
}

/* n pixels of up to 8 channels from c on, whose quads lie `quad` values apart. */
INLINE void group(const struct mote_depthwise_conv2d_s8 *p, const int16_t *u, size_t column_values,
                  size_t quad, uint32_t n, uint32_t c, const uint32_t channels, int8_t *out) {
  const uint32_t quads = mote_block_row_quads(p);
  const size_t step = 4 * (size_t)p->in_c, pixel = p->stride_w * column_values,
               column = p->dilation_w * column_values;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at) + 4 * (size_t)c;
  struct finish f;
  prepare(&p->output, c, channels, &f);
  for (; n; n--, u += pixel, out += p->in_c) {
    __m256i a = _mm256_setzero_si256(), b = a;
    const int8_t *w = weights;
    for (uint32_t j = 0; j < p->kernel_w; j++)
      for (uint32_t q = 0; q < quads; q++, w += step) {
        const int16_t *at = u + j * column + q * quad;
        a = _mm256_add_epi32(a, _mm256_madd_epi16(values_of(at, channels), widened(w)));
        if (channels > 4)
          b = _mm256_add_epi32(
              b, _mm256_madd_epi16(values_of(at + 16, channels - 4), widened(w + 16)));
      }
    put(&p->output, &f, a, b, out);
  }
}

TARGET static void depthwise(const struct mote_depthwise_conv2d_s8 *p, const void *strip,
                             size_t column_values, uint32_t n, uint32_t c, uint32_t channels,
                             int8_t *out) {
  const int16_t *u = (const int16_t *)strip;
  const size_t quad = 4 * (size_t)channels;
  for (; channels >= 8; channels -= 8, c += 8, u += 32, out += 8)
    group(p, u, column_values, quad, n, c, 8, out);
  if (channels) group(p, u, column_values, quad, n, c, channels, out);
}

TARGET void mote_isa_depthwise_block__avx2(const void *params, const void *const *rows, void *state,
                                           void *out) {
  mote_strip_depthwises(params, rows, state, out, turn, depthwise);
}

#else
typedef int mote_isa_x86_avx2_is_empty;
#endif
