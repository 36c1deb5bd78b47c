/* dsp: the inner loops for Cortex-M with the DSP extension (M4, M7, M33).
 *
 * Four int8 weights are one load and two SXTB16, which give the pairs (k0, k2) and (k1, k3); activations are
 * widened with the same instruction, so SMLAD multiplies what belongs together and no layout of weights is
 * needed. A widened weight serves a block of pixels: one channel and P pixels take P sums, two registers of
 * weights, two pointers, an end and four of activations, which is all fourteen for P = 5.
 *
 * Requantisation of a packed channel, h being the product's high half, is
 *   (h + (sum >> 31) + (2 zp + 1) 2^(s-1)) >> s
 * with the first two additions inside SMMLAR. The sign of the sum stands for that of h: they differ only
 * where h is 0, and there -1 changes nothing, for (2^(s-1) - 1) >> s = 0. packed layers keep |sum| < 2^30,
 * so 2 * sum is exact and SMMULR(2 sum, m) = mote_mul_high(sum, m).
 *
 * needs: unaligned LDR, as these cores have it out of reset. LDRD and LDM are given aligned addresses. */
#include <string.h>

#include "mote/isa/isa.h"

#if MOTE_ISA_DSP

/* Loops over the pixels or channels of a block: their sums live in registers only when unrolled. */
#define UNROLL _Pragma("GCC unroll 8")

/* ---- instructions ------------------------------------------------------------------ */

static inline int32_t smmlar(int32_t a, int32_t b, int32_t c) {
  int32_t d;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
static inline int32_t smlad(uint32_t a, uint32_t b, int32_t c) {
  int32_t d;
  __asm__("smlad %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
static inline int32_t smlabb(uint32_t a, uint32_t b, int32_t c) {
  int32_t d;
  __asm__("smlabb %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
static inline int32_t smlatb(uint32_t a, uint32_t b, int32_t c) {
  int32_t d;
  __asm__("smlatb %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
/* Bytes 0 and 2, and bytes 1 and 3, as two int16. */
static inline uint32_t even(uint32_t x) {
  uint32_t d;
  __asm__("sxtb16 %0, %1" : "=r"(d) : "r"(x));
  return d;
}
static inline uint32_t odd(uint32_t x) {
  uint32_t d;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(d) : "r"(x));
  return d;
}
/* The same, added to two int16. */
static inline uint32_t even_add(uint32_t base, uint32_t x) {
  uint32_t d;
  __asm__("sxtab16 %0, %1, %2" : "=r"(d) : "r"(base), "r"(x));
  return d;
}
static inline uint32_t odd_add(uint32_t base, uint32_t x) {
  uint32_t d;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(d) : "r"(base), "r"(x));
  return d;
}
/* Bottom halves of a and b; top halves of a and b. The half of a comes first. */
static inline uint32_t bottoms(uint32_t a, uint32_t b) {
  uint32_t d;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
static inline uint32_t tops(uint32_t a, uint32_t b) {
  uint32_t d;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(d) : "r"(b), "r"(a));
  return d;
}
static inline int32_t saturate8(int32_t x) {
  int32_t d;
  __asm__("ssat %0, #8, %1" : "=r"(d) : "r"(x));
  return d;
}
static inline uint32_t load(const void *p) { return *(const uint32_t *)p; }

static inline uint32_t both(int32_t x) { return ((uint32_t)x & 0xFFFF) * 0x10001u; }

/* ---- outputs --------------------------------------------------------------------------- */

/* What requantises a channel's sums. */
struct finish {
  int32_t multiplier, round, shift;
};

static inline struct finish finish_of(int32_t twice_zp_1, int32_t shift_base, uint32_t word) {
  struct finish f;
  const int32_t less = (int32_t)(word & 3) - shift_base - 1;
  f.multiplier = (int32_t)(word >> 2 | (uint32_t)1 << 30);
  f.round = (int32_t)((uint32_t)twice_zp_1 << less);
  f.shift = less + 1;
  return f;
}

static inline int32_t finished(const struct finish *f, int32_t sum) {
  const int32_t nudge = (int32_t)((uint32_t)f->round + (uint32_t)(sum >> 31));
  return saturate8(smmlar((int32_t)((uint32_t)sum << 1), f->multiplier, nudge) >> f->shift);
}

static inline int clamps(const struct mote_output *o) { return o->low > -128 || o->high < 127; }

/* Sums of one channel of P neighbouring pixels become outputs. */
static inline __attribute__((always_inline)) void put(const struct mote_output *o,
                                                      const void *params, uint32_t c, int32_t *sums,
                                                      int P, int8_t *out, uint32_t step) {
  if (__builtin_expect(o->wide, 0)) {
    const struct mote_channel ch = mote_channel_at(o, params, c);
    UNROLL for (int i = 0; i < P; i++) sums[i] = mote_output_wide(o, &ch, sums[i]);
  } else {
    const struct finish f = finish_of(2 * o->zp + 1, o->shift_base,
                                      ((const uint32_t *)mote_at(params, o->requant_at))[c]);
    UNROLL for (int i = 0; i < P; i++) sums[i] = finished(&f, sums[i]);
    if (__builtin_expect(clamps(o), 0))
      UNROLL for (int i = 0; i < P; i++) sums[i] = mote_clamp(sums[i], o->low, o->high);
  }
  UNROLL for (int i = 0; i < P; i++) out[(uint32_t)i * step] = (int8_t)sums[i];
}

/* ---- widening ---------------------------------------------------------------------------- */

/* Value k of a quad lies in lane 0 2 1 3. */
static inline uint32_t lane(uint32_t k) { return (k & 1) << 1 | (k >> 1 & 1); }

void mote_isa_widen__dsp(int16_t *position, uint32_t quad_step, uint32_t k, const int8_t *src,
                         uint32_t n, int32_t zp) {
  const uint32_t minus = both(-zp);
  if (((k | n) & 3) == 0) {
    uint32_t *to = (uint32_t *)(position + (size_t)(k / 4) * quad_step);
    const int8_t *end = src + n;
    quad_step /= 2; /* of words */
    if (src == NULL) {
      for (; n; n -= 4, to += quad_step) to[0] = to[1] = 0;
    } else {
      for (; src != end; src += 4, to += quad_step) {
        const uint32_t x = load(src);
        to[0] = even_add(minus, x);
        to[1] = odd_add(minus, x);
      }
    }
    return;
  }
  for (uint32_t i = 0; i < n; i++, k++)
    position[(size_t)(k / 4) * quad_step + lane(k)] = src ? (int16_t)(src[i] - zp) : 0;
}

/* ---- dense ----------------------------------------------------------------------------------- */

/* The last one to three values of a vector, and zeros. */
static inline uint32_t load_part(const int8_t *p, uint32_t n) {
  uint32_t x = (uint8_t)p[0];
  if (n > 1) x |= (uint32_t)(uint8_t)p[1] << 8;
  if (n > 2) x |= (uint32_t)(uint8_t)p[2] << 16;
  return x;
}

/* N channels at once, so that a widened activation serves N weights. Weights padded with zeros make the
 * padding of the last quad nothing. */
static inline __attribute__((always_inline)) void dense(const struct mote_dense_job *d, uint32_t c,
                                                        int N) {
  const uint32_t step = (d->n + 3) & ~(uint32_t)3;
  const int8_t *w = d->weights + (size_t)c * step, *in = d->in;
  const int8_t *const end = in + (d->n & ~(uint32_t)3);
  const uint32_t minus = both(-d->in_zp);
  int32_t s[4];
  UNROLL for (int i = 0; i < N; i++) s[i] =
      mote_channel_bias(d->output, d->params, c + (uint32_t)i);
  for (; in != end; in += 4, w += 4) {
    const uint32_t x = load(in), e = even_add(minus, x), o = odd_add(minus, x);
    UNROLL for (int i = 0; i < N; i++) {
      const uint32_t y = load(w + (uint32_t)i * step);
      s[i] = smlad(odd(y), o, smlad(even(y), e, s[i]));
    }
  }
  if (d->n & 3) {
    const uint32_t x = load_part(in, d->n & 3), e = even_add(minus, x), o = odd_add(minus, x);
    UNROLL for (int i = 0; i < N; i++) {
      const uint32_t y = load(w + (uint32_t)i * step);
      s[i] = smlad(odd(y), o, smlad(even(y), e, s[i]));
    }
  }
  UNROLL for (int i = 0; i < N; i++)
      put(d->output, d->params, c + (uint32_t)i, &s[i], 1, d->out + c + i, 1);
}

void mote_isa_dense__dsp(const struct mote_dense_job *d) {
  uint32_t c = 0;
  for (; c + 4 <= d->channels; c += 4) dense(d, c, 4);
  for (; c < d->channels; c++) dense(d, c, 1);
}

/* ---- depthwise --------------------------------------------------------------------------------- */

/* Scratch: [column][4 channels][height / 2 words], each word two rows of one column and channel. */

/* Four channels (or the n that are left) of a row's column, widened; nothing where the row is missing. */
struct pair4 {
  uint32_t even, odd;
};
static inline struct pair4 load4(const int8_t *row, int32_t at, int32_t n, uint32_t minus) {
  struct pair4 p = {0, 0};
  if (row) {
    const uint32_t x = n >= 4 ? load(row + at) : load_part(row + at, (uint32_t)n);
    p.even = even_add(minus, x);
    p.odd = odd_add(minus, x);
  }
  return p;
}

/* Rows a and b of four channels to words `step` apart. */
static inline void transpose(uint32_t *to, uint32_t step, struct pair4 a, struct pair4 b) {
  to[0] = bottoms(a.even, b.even);
  to[step] = bottoms(a.odd, b.odd);
  to[2 * step] = tops(a.even, b.even);
  to[3 * step] = tops(a.odd, b.odd);
}

/* Transposes `columns` columns from column x on of channels c .. c + 3. Heights of 3 are stored as rows
 * (0, 2) and (1, 1), which is how SXTB16 widens their weights. */
static void transpose_columns(const struct mote_depthwise_job *d, int32_t x, int32_t columns,
                              int32_t c) {
  const uint32_t minus = both(-d->in_zp), step = (uint32_t)(d->kernel_h + 1) / 2;
  const int32_t n = d->in_c - c;
  uint32_t *to = (uint32_t *)d->scratch;
  for (; columns; columns--, x++, to += 4 * step) {
    if (x < 0 || x >= d->in_w) {
      for (uint32_t i = 0; i < 4 * step; i++) to[i] = 0;
      continue;
    }
    const int32_t at = x * d->in_c + c;
    const void *const *rows = d->rows;
    if (d->kernel_h == 3) {
      const struct pair4 b = load4((const int8_t *)rows[1], at, n, minus);
      transpose(to, 2, load4((const int8_t *)rows[0], at, n, minus),
                load4((const int8_t *)rows[2], at, n, minus));
      transpose(to + 1, 2, b, b);
    } else {
      int32_t i = 0;
      for (; i + 2 <= d->kernel_h; i += 2)
        transpose(to + i / 2, step, load4((const int8_t *)rows[i], at, n, minus),
                  load4((const int8_t *)rows[i + 1], at, n, minus));
      if (i < d->kernel_h) {
        const struct pair4 nothing = {0, 0};
        transpose(to + i / 2, step, load4((const int8_t *)rows[i], at, n, minus), nothing);
      }
    }
  }
}

/* The nine weights of a 3x3 channel: columns' rows (0, 2), and rows 1 of columns 0 and 1, and (?, row 1 of
 * column 2). */
struct weights3 {
  uint32_t a0, a1, a2, b01, b2;
};
static inline struct weights3 weights3_of(const int8_t *w) {
  const uint32_t x = load(w), y = load(w + 3), z = load(w + 5);
  struct weights3 k;
  k.a0 = even(x);
  k.a1 = even(y);
  k.a2 = odd(z);
  k.b01 = bottoms(odd(x), odd(y));
  k.b2 = even(z);
  return k;
}

#define COLUMN0(s) s = smlabb(k.b01, m, smlad(k.a0, e, s))
#define COLUMN1(s) s = smlatb(k.b01, m, smlad(k.a1, e, s))
#define COLUMN2(s) s = smlatb(k.b2, m, smlad(k.a2, e, s))

/* P outputs of one channel, whose windows are `stride` columns apart. Neighbours share columns. */
static inline __attribute__((always_inline)) void
depthwise3(const struct mote_depthwise_job *d, const uint32_t *columns, struct weights3 k,
           int32_t bias, uint32_t oc, int P, int8_t *out, uint32_t step) {
  int32_t s[6];
  UNROLL for (int i = 0; i < P; i++) s[i] = bias;
  UNROLL for (int i = 0; i < P + 2; i++) {
    const uint32_t e = columns[8 * i], m = columns[8 * i + 1];
    if (i < P) COLUMN0(s[i]);
    if (i >= 1 && i - 1 < P) COLUMN1(s[i - 1]);
    if (i >= 2) COLUMN2(s[i - 2]);
  }
  put(d->output, d->params, oc, s, P, out, step);
}

static void row3(const struct mote_depthwise_job *d, const uint32_t *columns, uint32_t oc,
                 int32_t n, int8_t *out, uint32_t step) {
  const struct weights3 k = weights3_of(d->weights + 9 * (size_t)oc);
  const int32_t bias = mote_channel_bias(d->output, d->params, oc);
  if (d->stride_w != 1) {
    for (; n; n--, columns += 8 * d->stride_w, out += step)
      depthwise3(d, columns, k, bias, oc, 1, out, step);
    return;
  }
  for (; n >= 5; n -= 5, columns += 8 * 5, out += 5 * step)
    depthwise3(d, columns, k, bias, oc, 5, out, step);
  if (n & 4) {
    depthwise3(d, columns, k, bias, oc, 4, out, step);
    columns += 8 * 4;
    out += 4 * step;
  }
  if (n & 2) {
    depthwise3(d, columns, k, bias, oc, 2, out, step);
    columns += 8 * 2;
    out += 2 * step;
  }
  if (n & 1) depthwise3(d, columns, k, bias, oc, 1, out, step);
}

/* Any kernel: weights are widened to the same words as the columns first. */
static void row_any(const struct mote_depthwise_job *d, const uint32_t *columns, uint32_t *weights,
                    uint32_t oc, int32_t n, int8_t *out, uint32_t step) {
  const int32_t half = (d->kernel_h + 1) / 2;
  const int8_t *w = d->weights + (size_t)oc * (size_t)(d->kernel_w * d->kernel_h);
  const int32_t bias = mote_channel_bias(d->output, d->params, oc);
  uint32_t *to = weights;
  for (int32_t j = 0; j < d->kernel_w; j++) {
    int32_t i = d->kernel_h;
    if (i == 3) { /* rows (0, 2) and (1, nothing), as transpose_columns lays them */
      *to++ = ((uint32_t)w[0] & 0xFFFF) | (uint32_t)w[2] << 16;
      *to++ = (uint32_t)w[1] & 0xFFFF;
      w += 3;
      continue;
    }
    for (; i >= 2; i -= 2, w += 2) *to++ = ((uint32_t)w[0] & 0xFFFF) | (uint32_t)w[1] << 16;
    if (i) *to++ = (uint32_t)*w++ & 0xFFFF;
  }
  const int32_t next = 4 * half * d->dilation_w;
  for (; n; n--, columns += 4 * half * d->stride_w, out += step) {
    const uint32_t *k = weights, *from = columns;
    int32_t s = bias;
    for (int32_t j = d->kernel_w; j; j--, from += next)
      for (int32_t i = 0; i < half; i++) s = smlad(*k++, from[i], s);
    put(d->output, d->params, oc, &s, 1, out, step);
  }
}

void mote_isa_depthwise__dsp(const struct mote_depthwise_job *d) {
  const int three = d->kernel_w == 3 && d->kernel_h == 3 && d->dilation_w == 1;
  const uint32_t half = (uint32_t)(d->kernel_h + 1) / 2,
                 out_c = (uint32_t)(d->in_c * d->multiplier);
  uint32_t *columns = (uint32_t *)d->scratch;
  for (int32_t x = 0; x < d->out_w; x += d->strip_w) {
    const int32_t n = d->out_w - x < d->strip_w ? d->out_w - x : d->strip_w;
    const int32_t wide = (n - 1) * d->stride_w + (d->kernel_w - 1) * d->dilation_w + 1;
    uint32_t *weights = columns + 4 * half * (uint32_t)wide;
    uint32_t oc = 0;
    for (int32_t c = 0; c < d->in_c; c += 4) {
      transpose_columns(d, x * d->stride_w - d->pad_left, wide, c);
      for (int32_t i = 0; i < 4 && c + i < d->in_c; i++) {
        for (int32_t m = 0; m < d->multiplier; m++, oc++) {
          int8_t *out = d->out + (size_t)x * out_c + oc;
          if (three)
            row3(d, columns + 2 * i, oc, n, out, out_c);
          else
            row_any(d, columns + half * (uint32_t)i, weights, oc, n, out, out_c);
        }
      }
    }
  }
}

#else
typedef int mote_isa_dsp_is_empty; /* C wants a declaration in every file */
#endif
