/* x86_rows: additions over rows of int8 with AVX-512 and AVX2: ADD's three scalings, and the sums of a mean.
 *
 * Sixteen (eight) elements at a time; what is left is plain C's. */
#include "mote/isa/isa.h"

#if MOTE_ISA_X86
#include <immintrin.h>

#define INLINE __attribute__((always_inline)) static inline

/* ---- AVX-512 ------------------------------------------------------------------------ */
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

struct scale_512 {
  __m512i multiplier, half, negative;
  __m128i shift;
};
WIDE INLINE struct scale_512 wide_scale(const struct mote_scale *s) {
  const struct scale_512 w = {_mm512_set1_epi32(s->multiplier), _mm512_set1_epi32(s->half),
                              _mm512_set1_epi32(s->negative), _mm_cvtsi32_si128(s->shift)};
  return w;
}
/* mote_isa_scale of each lane. */
WIDE INLINE __m512i scaled_512(__m512i x, const struct scale_512 *s) {
  const __m512i round = _mm512_set1_epi64(1 << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, s->multiplier), round);
  const __m512i odd =
      _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), s->multiplier), round);
  const __m512i h =
      _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_add_epi64(odd, odd));
  const __m512i down = _mm512_and_si512(_mm512_srai_epi32(h, 31), s->negative);
  return _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(h, down), s->half), s->shift);
}

/* A scale of one half, which that of the two inputs with the larger steps has: (x * 2^30 + 2^30) >> 31. */
static int is_half(const struct mote_scale *s) { return s->multiplier == 1 << 30 && s->shift == 0; }
WIDE INLINE __m512i sixteen_at(const int8_t *from, __m128i unit, __m512i zp) {
  const __m512i x = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
  return _mm512_sub_epi32(_mm512_sll_epi32(x, unit), zp);
}

/* half: the scale of a is. */
WIDE INLINE uint32_t add_512(const struct mote_add_job *d, const int half) {
  const struct scale_512 s = wide_scale(&d->s), t = wide_scale(&d->t), u = wide_scale(&d->u);
  const __m128i unit = _mm_cvtsi32_si128(__builtin_ctz((uint32_t)d->unit)); /* a power of 2 */
  const __m512i zp_a = _mm512_set1_epi32(d->zp_a), zp_b = _mm512_set1_epi32(d->zp_b),
                zp = _mm512_set1_epi32(d->zp), low = _mm512_set1_epi32(d->low),
                high = _mm512_set1_epi32(d->high), one = _mm512_set1_epi32(1);
  uint32_t i = 0;
  for (; i + 16 <= d->n; i += 16) {
    __m512i a = sixteen_at(d->a + i, unit, zp_a);
    a = half ? _mm512_srai_epi32(_mm512_add_epi32(a, one), 1) : scaled_512(a, &s);
    const __m512i b = scaled_512(sixteen_at(d->b + i, unit, zp_b), &t);
    __m512i q = _mm512_add_epi32(scaled_512(_mm512_add_epi32(a, b), &u), zp);
    q = _mm512_min_epi32(_mm512_max_epi32(q, low), high);
    _mm_storeu_si128((__m128i *)(void *)(d->out + i), _mm512_cvtepi32_epi8(q));
  }
  return i;
}

WIDE uint32_t mote_isa_add_some__avx512(const struct mote_add_job *d) {
  if (is_half(&d->s)) return add_512(d, 1);
  if (!is_half(&d->t)) return add_512(d, 0);
  struct mote_add_job other = *d;
  other.a = d->b;
  other.b = d->a;
  other.s = d->t;
  other.t = d->s;
  other.zp_a = d->zp_b;
  other.zp_b = d->zp_a;
  return add_512(&other, 1);
}

WIDE uint32_t mote_isa_add_row_some__avx512(uint32_t *sums, const int8_t *row, uint32_t w,
                                            uint32_t c) {
  uint32_t i = 0;
  for (; i < c; i += 16) {
    const uint32_t left = c - i;
    const uint32_t whole = left < 16 ? (1u << left) - 1 : 0xFFFF;
    const __mmask16 lanes = (__mmask16)whole;
    const int8_t *from = row + i;
    __m512i sum = _mm512_maskz_loadu_epi32(lanes, sums + i);
    for (uint32_t x = 0; x < w; x++, from += c)
      sum = _mm512_add_epi32(sum, _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, from)));
    _mm512_mask_storeu_epi32(sums + i, lanes, sum);
  }
  return c;
}

/* ---- AVX2 ----------------------------------------------------------------------------- */
#define HALF __attribute__((target("avx2")))

struct scale_256 {
  __m256i multiplier, half, negative;
  __m128i shift;
};
HALF INLINE struct scale_256 half_scale(const struct mote_scale *s) {
  const struct scale_256 w = {_mm256_set1_epi32(s->multiplier), _mm256_set1_epi32(s->half),
                              _mm256_set1_epi32(s->negative), _mm_cvtsi32_si128(s->shift)};
  return w;
}
HALF INLINE __m256i scaled_256(__m256i x, const struct scale_256 *s) {
  const __m256i round = _mm256_set1_epi64x(1 << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, s->multiplier), round);
  const __m256i odd =
      _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), s->multiplier), round);
  const __m256i h =
      _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_add_epi64(odd, odd), 0xAA);
  const __m256i down = _mm256_and_si256(_mm256_srai_epi32(h, 31), s->negative);
  return _mm256_sra_epi32(_mm256_add_epi32(_mm256_add_epi32(h, down), s->half), s->shift);
}
HALF INLINE __m256i eight_of(const int8_t *from) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

HALF uint32_t mote_isa_add_some__avx2(const struct mote_add_job *d) {
  const struct scale_256 s = half_scale(&d->s), t = half_scale(&d->t), u = half_scale(&d->u);
  const __m256i unit = _mm256_set1_epi32(d->unit), zp_a = _mm256_set1_epi32(d->zp_a),
                zp_b = _mm256_set1_epi32(d->zp_b), zp = _mm256_set1_epi32(d->zp),
                low = _mm256_set1_epi32(d->low), high = _mm256_set1_epi32(d->high);
  uint32_t i = 0;
  for (; i + 8 <= d->n; i += 8) {
    const __m256i a =
        scaled_256(_mm256_sub_epi32(_mm256_mullo_epi32(eight_of(d->a + i), unit), zp_a), &s);
    const __m256i b =
        scaled_256(_mm256_sub_epi32(_mm256_mullo_epi32(eight_of(d->b + i), unit), zp_b), &t);
    __m256i q = _mm256_add_epi32(scaled_256(_mm256_add_epi32(a, b), &u), zp);
    q = _mm256_min_epi32(_mm256_max_epi32(q, low), high);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64((__m128i *)(void *)(d->out + i), _mm_packs_epi16(words, words));
  }
  return i;
}

HALF uint32_t mote_isa_add_row_some__avx2(uint32_t *sums, const int8_t *row, uint32_t w,
                                          uint32_t c) {
  uint32_t i = 0;
  for (; i + 8 <= c; i += 8) {
    const int8_t *from = row + i;
    __m256i sum = _mm256_loadu_si256((const __m256i *)(const void *)(sums + i));
    for (uint32_t x = 0; x < w; x++, from += c) sum = _mm256_add_epi32(sum, eight_of(from));
    _mm256_storeu_si256((__m256i *)(void *)(sums + i), sum);
  }
  return i;
}

#else
typedef int mote_isa_x86_rows_is_empty;
#endif
