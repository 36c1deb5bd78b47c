/* isa: the narrow waist. The few inner loops that deserve instructions, one file for each instruction set;
 * the only header with instruction-set conditionals.
 *
 * Every loop exists in plain C (`__plain`) and is the meaning of the faster ones; the plain loops are always
 * built, so that a test on the chip can compare, and the linker drops what is not called.
 *
 * Weights have one layout for all of them (mote/nn/nn.h): the DSP loops widen weights and activations
 * with the same SXTB16 pairs, so the order within a pair cancels. Another layout is another kernel, which every
 * instruction set has in plain C, so any chip runs any plan. How activations lie in scratch is each instruction
 * set's own affair: nothing reads them but its own loops, and the size is the same for all. */
#ifndef MOTE_ISA_H
#define MOTE_ISA_H

#include "mote/base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MOTE_ISA_DSP 1
#else
#define MOTE_ISA_DSP 0
#endif

/* Helium, the integer part is enough: Cortex-M55, M85. Has the DSP extension too. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define MOTE_ISA_MVE 1
#else
#define MOTE_ISA_MVE 0
#endif

/* ARMv6-M (Cortex-M0, M0+): the only multiplication is 32 x 32 -> 32, most instructions see 8 registers. */
#if defined(__ARM_ARCH_6M__)
#define MOTE_ISA_V6M 1
#else
#define MOTE_ISA_V6M 0
#endif

/* A floating-point unit of single precision with 32 registers. */
#if defined(__ARM_FP) && (__ARM_FP & 4) && defined(__thumb2__)
#define MOTE_ISA_VFP 1
#else
#define MOTE_ISA_VFP 0
#endif

/* RV32IM: 28 registers, multiplication with either half of the product, no flags. */
#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul)
#define MOTE_ISA_RV32 1
#else
#define MOTE_ISA_RV32 0
#endif

/* The host's processor chooses when it runs (block.h); WebAssembly with 128-bit vectors. */
#if defined(__x86_64__) && defined(__GNUC__)
#define MOTE_ISA_X86 1
#else
#define MOTE_ISA_X86 0
#endif
#if defined(__wasm_simd128__)
#define MOTE_ISA_WASM 1
#else
#define MOTE_ISA_WASM 0
#endif

/* Where a product of 64 bits takes longer than four of 32. */
#if MOTE_ISA_V6M || defined(__AVR__)
#define MOTE_ISA_SHORT 1
#else
#define MOTE_ISA_SHORT 0
#endif

/* ---- requantisation ---------------------------------------------------------- */

/* mote_mul_high for b >= 0 from four 16 x 16 products. Everything but the last line is the schoolbook
 * product, whose lowest 16 bits cannot reach the result.
 *   |ah * bl| <= 2^31 - 2^16, plus at most 2^16 - 1: t fits. al * bh < 2^31, plus 2^16: u fits. */
static inline int32_t mote_mul_high__short(int32_t a, int32_t b) {
  const int32_t ah = a >> 16, bh = b >> 16;
  const uint32_t al = (uint32_t)a & 0xFFFF, bl = (uint32_t)b & 0xFFFF;
  const int32_t t = ah * (int32_t)bl + (int32_t)((al * bl) >> 16);
  const uint32_t u = al * (uint32_t)bh + ((uint32_t)t & 0xFFFF);
  return 2 * (ah * bh + (t >> 16)) + (int32_t)(((u >> 14) + 1) >> 1);
}

/* mote_mul_high for b >= 0 (so that nothing saturates). */
static inline int32_t mote_isa_mul_high(int32_t a, int32_t b) {
#if MOTE_ISA_SHORT
  return mote_mul_high__short(a, b);
#elif MOTE_ISA_RV32
  /* The sum of the halves' own rounding: bit 31 of the lower half is what is added to the higher. With b = 2^31 - 1 at
   * most, 2 b fits without a sign. */
  const uint32_t twice = (uint32_t)b << 1;
  const uint64_t product = (uint64_t)((int64_t)a * twice);
  return (int32_t)((uint32_t)(product >> 32) + ((uint32_t)product >> 31));
#else
  return (int32_t)(((int64_t)a * b + ((int32_t)1 << 30)) >> 31);
#endif
}

/* floor(x w / 2^16), w the lower (upper) int16 of a word. Products of 48 bits, which Armv7E-M has as one instruction, and
 * which fall into two of 32 bits elsewhere: x = xh 2^16 + xl with 0 <= xl < 2^16, and |xl w| <= 2^31 - 2^16. */
static inline __attribute__((always_inline)) int32_t mote_isa_mul_low16(int32_t x, uint32_t w) {
#if MOTE_ISA_DSP
  int32_t y;
  __asm__("smulwb %0, %1, %2" : "=r"(y) : "r"(x), "r"(w));
  return y;
#elif MOTE_ISA_SHORT
  const int32_t v = (int16_t)w;
  return (x >> 16) * v + ((int32_t)((uint32_t)x & 0xFFFF) * v >> 16);
#else
  return (int32_t)((int64_t)x * (int16_t)w >> 16);
#endif
}
static inline __attribute__((always_inline)) int32_t mote_isa_mul_high16(int32_t x, uint32_t w) {
#if MOTE_ISA_DSP
  int32_t y;
  __asm__("smulwt %0, %1, %2" : "=r"(y) : "r"(x), "r"(w));
  return y;
#else
  return mote_isa_mul_low16(x, w >> 16);
#endif
}
/* x held to int16, to int8. */
static inline int32_t mote_isa_clamp_s16(int32_t x) {
#if MOTE_ISA_DSP
  __asm__("ssat %0, #16, %0" : "+r"(x));
  return x;
#else
  return mote_clamp(x, INT16_MIN, INT16_MAX);
#endif
}
static inline int32_t mote_isa_clamp_s8(int32_t x) {
#if MOTE_ISA_DSP
  __asm__("ssat %0, #8, %0" : "+r"(x));
  return x;
#else
  return mote_clamp(x, INT8_MIN, INT8_MAX);
#endif
}

/* Half of (a + ib)(c - is), c in the lower half of a word and s in the upper one; each of four products is cut
 * downwards. range: |a + ib| < 2^30. */
struct mote_complex {
  int32_t re, im;
};
static inline __attribute__((always_inline)) struct mote_complex
mote_isa_half_turn(int32_t a, int32_t b, uint32_t w) {
  struct mote_complex r;
#if MOTE_ISA_DSP
  __asm__("smulwb %0, %1, %2" : "=r"(r.re) : "r"(a), "r"(w));
  __asm__("smlawt %0, %1, %2, %3" : "=r"(r.re) : "r"(b), "r"(w), "r"(r.re));
#else
  r.re = mote_isa_mul_low16(a, w) + mote_isa_mul_high16(b, w);
#endif
  r.im = mote_isa_mul_low16(b, w) - mote_isa_mul_high16(a, w);
  return r;
}

/* mote_divide_pot(mote_mul_high(x, multiplier), shift) for |x| < 2^30, multiplier >= 0. Its constants are
 * worked out once for many x. */
struct mote_scale {
  int32_t multiplier, half, negative; /* half of 2^shift; -1 where negatives round the other way */
  int shift;
};
static inline struct mote_scale mote_scale_of(int32_t multiplier, int shift) {
  const struct mote_scale s = {multiplier, (int32_t)(((uint32_t)1 << shift) >> 1), shift ? -1 : 0,
                               shift};
  return s;
}
/* |high half| < 2^30, half <= 2^30: no overflow. */
static inline __attribute__((always_inline)) int32_t mote_isa_scale(int32_t x,
                                                                    const struct mote_scale *s) {
#if MOTE_ISA_DSP
  int32_t h;
  __asm__("smmulr %0, %1, %2" : "=r"(h) : "r"((int32_t)((uint32_t)x << 1)), "r"(s->multiplier));
#else
  const int32_t h = mote_isa_mul_high(x, s->multiplier);
#endif
  return (h + (h >> 31 & s->negative) + s->half) >> s->shift;
}

/* mote_requantise for multipliers >= 0, the instruction set's way. */
static inline int32_t mote_isa_requantise(int32_t x, int32_t multiplier, int shift) {
  const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  return mote_divide_pot(mote_isa_mul_high((int32_t)((uint32_t)x << left), multiplier), right);
}

/* What one channel of a struct mote_output says. */
struct mote_channel {
  int32_t bias, multiplier;
  int shift;
};

/* o is the first member of its parameters, from where offsets count. */
static inline int32_t mote_channel_bias(const struct mote_output *o, size_t c) {
  if (o->bias_at == 0) return 0;
  const void MOTE_ROM *bias = mote_at(o, o->bias_at);
  return o->bias_bytes == 2 ? ((const int16_t MOTE_ROM *)bias)[c]
                            : ((const int32_t MOTE_ROM *)bias)[c];
}

static inline struct mote_channel mote_channel_at(const struct mote_output *o, size_t c) {
  const uint32_t MOTE_ROM *words = (const uint32_t MOTE_ROM *)mote_at(o, o->requant_at);
  struct mote_channel ch;
  ch.bias = mote_channel_bias(o, c);
  if (o->wide) {
    ch.multiplier = (int32_t)words[2 * c];
    ch.shift = (int)(int32_t)words[2 * c + 1];
  } else {
    ch.multiplier = (int32_t)(words[c] >> 2 | (uint32_t)1 << 30);
    ch.shift = o->shift_base - (int)(words[c] & 3);
  }
  return ch;
}

/* The output of one sum (bias included), by the general way. The clamp comes before the zero point is added:
 * a hostile multiplier may give any int32. */
static inline int8_t mote_output_wide(const struct mote_output *o, const struct mote_channel *ch,
                                      int32_t sum) {
  const int32_t q = mote_isa_requantise(sum, ch->multiplier, ch->shift);
  return (int8_t)(mote_clamp(q, o->low - o->zp, o->high - o->zp) + o->zp);
}

/* The short way, for packed layers. With s = -shift in 1..22 and h = the product's high half, rounding half
 * away from zero and adding the zero point are one shift:
 *   divide_pot(h, s) + zp = (h + (h >> 31) + (2 zp + 1) 2^(s-1)) >> s.
 * |h| <= 2^30 (packed layers' sums stay below), |(2 zp + 1) 2^(s-1)| <= 255 * 2^21 < 2^29: no overflow; a
 * hostile plan's sum may be any int32, so the additions are unsigned. */
static inline int32_t mote_channel_round(const struct mote_output *o,
                                         const struct mote_channel *ch) {
  return (2 * o->zp + 1) * ((int32_t)1 << (-ch->shift - 1));
}
static inline int8_t mote_output_packed(const struct mote_output *o, const struct mote_channel *ch,
                                        int32_t round, int32_t sum) {
  const int32_t h = mote_isa_mul_high(sum, ch->multiplier);
  const int32_t q = (int32_t)((uint32_t)h + (uint32_t)(h >> 31) + (uint32_t)round) >> -ch->shift;
  return (int8_t)mote_clamp(q, o->low, o->high);
}

static inline int8_t mote_output_of(const struct mote_output *o, const struct mote_channel *ch,
                                    int32_t sum) {
  return o->wide ? mote_output_wide(o, ch, sum)
                 : mote_output_packed(o, ch, mote_channel_round(o, ch), sum);
}

/* ---- requantisation by stairs (mote/base/window.h) ---- */
static inline const struct mote_stair *mote_stairs_of(const struct mote_output *o) {
  return (const struct mote_stair *)(const void *)mote_at(o, o->requant_at);
}
static inline int mote_has_stair(const struct mote_stair *s) {
  return (s->word & 255) != MOTE_STAIR_NONE;
}
/* |h| < 2^12, |l| <= 2^11: m fits. */
static inline int32_t mote_stair_multiplier(uint32_t word) {
  return (int32_t)(word >> 20 << 12) + ((int32_t)(word << 12) >> 20);
}
/* The output of a sum without bias, channel c of n. */
static inline int8_t mote_output_stair(const struct mote_output *o, uint32_t c, uint32_t n,
                                       int32_t sum) {
  const struct mote_stair *s = mote_stairs_of(o), *own = s + c;
  if (!mote_has_stair(own)) {
    const struct mote_stair *by = s + n + (own->word >> 8);
    const struct mote_channel ch = {own->offset, by->offset, (int)(int32_t)by->word};
    return mote_output_wide(o, &ch, (int32_t)((uint32_t)sum + (uint32_t)own->offset));
  }
  const uint32_t v = (uint32_t)((int64_t)sum * mote_stair_multiplier(own->word) >> 12);
  return (int8_t)mote_clamp((int32_t)(v + (uint32_t)own->offset) >> (own->word & 31), o->low,
                            o->high);
}
/* The same where words are multipliers; nine: of depthwise_stairs_high_s8. */
static inline int8_t mote_output_stair_high(const struct mote_output *o, uint32_t c, uint32_t n,
                                            int32_t sum, int nine) {
  const struct mote_stair *s = mote_stairs_of(o), *own = s + c;
  const uint32_t word = own->word, offset = (uint32_t)own->offset;
  if (word < MOTE_STAIR_HIGH) {
    const struct mote_stair *by = s + n + word;
    const struct mote_channel ch = {own->offset, by->offset, (int)(int32_t)by->word};
    return mote_output_wide(o, &ch, (int32_t)((uint32_t)sum + offset));
  }
  const uint32_t first = ((uint32_t)(int32_t)o->low << (word & 31)) - offset;
  uint32_t v;
  if (nine) {
    v = (uint32_t)((int64_t)(int32_t)((uint32_t)sum << MOTE_STAIR_NINE_UP) * word >> 32);
    if ((int32_t)v < (int32_t)first) return (int8_t)o->low;
  } else {
    const uint32_t up = ((uint32_t)sum + ((uint32_t)1 << 20)) << MOTE_STAIR_UP;
    v = (uint32_t)((uint64_t)up * word >> 32);
    if (v < first) return (int8_t)o->low;
  }
  const int32_t q = (int32_t)(v + offset) >> (word & 31);
  return (int8_t)(q > o->high ? o->high : q);
}

/* Whether nothing below the zero point gets through, and all else is int8's: there are fewer steps then. */
static inline int mote_output_is_above(const struct mote_output *o) {
  return o->bounded && o->zp == -128 && o->low == -128 && o->high == 127;
}

/* ---- Fourier transforms --------------------------------------------------------
 * One stage of fours over complex points, from x to end: groups of four quarters of `each` points become sums,
 *   X0 = a + v, X1 = t - i w, X2 = s - v, X3 = t + i w,  s, t = a +- u2 b,  v, w = u c +- u3 d,
 * as two stages of twos would make them. turns: (u, u2, u3) of j = 1 .. each - 1, u = e^(-2 pi i j / (4 each)), two
 * halves of a word, the cosine below; the products are those of mote_isa_half_turn, doubled.
 * range: magnitudes of a group's numbers sum to less than 2^30. each >= 2. */
void mote_isa_fft_four__plain(int32_t *x, const int32_t *end, uint32_t each, const uint32_t *turns);
void mote_isa_fft_four__dsp(int32_t *x, const int32_t *end, uint32_t each, const uint32_t *turns);
/* The split of a transform of n real numbers as n/2 complex ones, points k = 1 .. n/4 - 1 and n/2 - k together: from p
 * up and from q down until they meet, with 2E = p + conj q and 2O = -i (p - conj q),
 *   p = E + (c - is) O, q = conj(E - (c - is) O),
 * s = sine[0], sine[1] ..., c = cosine[0], cosine[-1] ... range: |p| + |q| < 2^30 sqrt(2). */
void mote_isa_fft_split__plain(int32_t *p, int32_t *q, const int16_t *sine, const int16_t *cosine);
void mote_isa_fft_split__dsp(int32_t *p, int32_t *q, const int16_t *sine, const int16_t *cosine);
#if MOTE_ISA_DSP
#define mote_isa_fft_four  mote_isa_fft_four__dsp
#define mote_isa_fft_split mote_isa_fft_split__dsp
#else
#define mote_isa_fft_four  mote_isa_fft_four__plain
#define mote_isa_fft_split mote_isa_fft_split__plain
#endif

/* ---- windows of activations, as int16 with the zero point taken away -------------
 * A strip holds positions (pixels' whole windows, or columns that windows share); each position has
 * 4 * quads values. Distances are in int16. Position i, value k lies at
 *   i * position_step + (k / 4) * quad_step + lane(k % 4).
 * plain: position_step = 4 * quads, quad_step = 4, lanes in order: a window is one run.
 * DSP, v6m: position_step = 4, quad_step = 4 * positions: the same quad of neighbouring pixels is contiguous,
 * so one pointer serves all. Lanes of DSP are 0 2 1 3, as SXTB16 makes them. */
#define MOTE_ISA_INTERLEAVED (MOTE_ISA_DSP || MOTE_ISA_V6M)

/* Widens n values of each of `count` positions: src[i] - zp; the next position's are src_step bytes on. The last quad
 * is filled with what lies behind the n values, which meets no weight: up to 3 bytes more are read. */
void mote_isa_widen__plain(int16_t *to, uint32_t quad_step, uint32_t position_step,
                           const int8_t *src, uint32_t src_step, uint32_t n, uint32_t count,
                           int32_t zp);
void mote_isa_widen__dsp(int16_t *to, uint32_t quad_step, uint32_t position_step, const int8_t *src,
                         uint32_t src_step, uint32_t n, uint32_t count, int32_t zp);

/* Copies `count` pieces of n bytes, src_step apart, to_step apart. */
void mote_isa_gather(int8_t *to, uint32_t to_step, const int8_t *src, uint32_t src_step, uint32_t n,
                     uint32_t count);

/* Of `left` pixels, how many the next block of at most `most` takes: blocks of nearly equal size, 8 pixels are 4 + 4
 * and not 5 + 3. */
static inline uint32_t mote_block_of(uint32_t left, uint32_t most) {
  const uint32_t blocks = (left + most - 1) / most;
  return (left + blocks - 1) / blocks;
}

/* Values of a shared column, and of a whole window filled up to quads. */
static inline uint32_t mote_conv_column(const struct mote_conv2d_s8 *p) {
  return (uint32_t)p->kernel_h * p->in_c;
}
static inline uint32_t mote_conv_window(const struct mote_conv2d_s8 *p) {
  return (mote_conv_column(p) * p->kernel_w + 3) & ~(uint32_t)3;
}

/* Helium: whether windows share columns, and of how many pixels those of a block fit the state. */
static inline int mote_conv_overlap(const struct mote_conv2d_s8 *p) {
  return p->dilation_w == 1 && p->stride_w < p->kernel_w;
}
static inline uint32_t mote_conv_overlap_pixels(const struct mote_conv2d_s8 *p,
                                                size_t state_bytes) {
  const uint32_t columns = (uint32_t)(state_bytes / mote_conv_column(p));
  return mote_conv_overlap(p) ? (columns - p->kernel_w) / p->stride_w + 1 : columns / p->kernel_w;
}

/* All output channels of `pixels` neighbouring pixels (at most MOTE_CONV_BLOCK) at `out`.
 *
 * _patch: `values` are the pixels' whole windows, positions without gaps.
 * _column: windows share columns of mote_conv_column values; kernel column j of the first pixel stands at
 * values + column_at[j], and `positions` is how many a quad has side by side.
 * Apart, so that a program that needs only the one is linked without the other. */
void mote_isa_conv_patch__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                uint32_t pixels, int8_t *out);
void mote_isa_conv_patch__v6m(const struct mote_conv2d_s8 *p, const int16_t *values,
                              uint32_t pixels, int8_t *out);
void mote_isa_conv_column__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                 uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                 uint32_t positions);
void mote_isa_conv_column__v6m(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out, const uint32_t *column_at,
                               uint32_t positions);
/* What the blocks of a call share is worked out once where that takes time: a call begins a job. */
struct mote_conv_job {
  const struct mote_conv2d_s8 *p;
#if MOTE_ISA_DSP
  uintptr_t frame[22]; /* mote/isa/dsp.h */
#endif
};
void mote_isa_conv_begin__dsp(struct mote_conv_job *job, const struct mote_conv2d_s8 *p);
/* The same where mote_output_is_above. */
void mote_isa_conv_begin_above__dsp(struct mote_conv_job *job, const struct mote_conv2d_s8 *p);
void mote_isa_conv_patch__dsp(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                              int8_t *out);
/* As _patch, and faster for two pixels. */
void mote_isa_conv_whole__dsp(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                              int8_t *out);
void mote_isa_conv_column__dsp(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                               int8_t *out, const uint32_t *column_at, uint32_t positions);

/* conv2d_wide_s8: all output channels of up to MOTE_WIDE_PIXELS pixels, whose windows lie in `values`, positions without gaps:
 * of mote_wide_positions(pixels), those that are no pixels hold anything. */
#define MOTE_WIDE_PIXELS 3
static inline uint32_t mote_wide_positions(uint32_t pixels) { return pixels == 3 ? 3 : 2; }
void mote_isa_conv_wide__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out);
void mote_isa_conv_wide__dsp(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                             int8_t *out);

/* ---- triples of pixels ----------------------------------------------------------------------
 * Three sums of products that have the weights in common, in two words: with activations a, b, c of three pixels (the
 * zero point taken away), a multiplication by a weight w adds to
 *   first  = 2^20 + sum(w a) + 2^21 sum(w b)                    modulo 2^32
 *   second = 2^20 + sum(w c) + 2^10 (2^20 + sum(w b))           modulo 2^32
 * one product each. While every sum is in -2^20 .. 2^20 - 1, sum(w a) is the lower 21 bits of `first`, and its upper 11
 * the lower bits of sum(w b); without them, `second` is sum(w c) and, from bit 21 on, the upper bits of sum(w b). So two
 * multiplications and additions make three products, and a run of up to 32 products is exact whatever the weights
 * are; how much longer runs may be, the compiler proves (struct mote_conv2d_triples_s8).
 *
 * Positions are kernel columns' worth of values as in conv2d.c's strip, two words a value, the value's `first` and `second`
 * factors. Value k of pixel i's column j lies at
 *   words[i * pixel_step + j * column_step + k / 4 * quad_step + k % 4 * 2]:
 * without gaps (quad_step 8), or where the values of a row are fours and the loop is faster then (MOTE_ISA_TRIPLES_APART), the
 * same four of neighbouring columns side by side. Behind the last value three more may be read, whose weights are 0. Pixel i
 * stands beside pixels i + triples and i + 2 triples of the strip. */
#if MOTE_ISA_V6M
#define MOTE_ISA_TRIPLES_APART 1
#else
#define MOTE_ISA_TRIPLES_APART 0
#endif
#define MOTE_TRIPLE_FIRST  0x00100000u
#define MOTE_TRIPLE_SECOND 0x40100000u

struct mote_triples_job {
  const uint32_t *words;
  uint32_t pixels, triples;                    /* triples = (pixels + 2) / 3 */
  uint32_t pixel_step, column_step, quad_step; /* words */
  int8_t *out;
};

/* The three sums, each 2^20 more than it is. */
static inline void mote_triple_sums(uint32_t first, uint32_t second, uint32_t sums[3]) {
  const uint32_t low = first >> 21, rest = second - (low << 10);
  sums[0] = first & 0x1FFFFF;
  sums[1] = low + (rest >> 21 << 11);
  sums[2] = rest & 0x1FFFFF;
}

/* Writes n values from a, b and c; NULL: `pad`; zp is taken from all. With quad_step > 8, n is a multiple of 4. */
void mote_isa_widen_triple(uint32_t *to, uint32_t quad_step, const int8_t *a, const int8_t *b,
                           const int8_t *c, uint32_t n, int32_t zp, int32_t pad);
/* The same of `columns` neighbouring columns, all there, whose words are column_step apart. */
void mote_isa_widen_triples(uint32_t *to, uint32_t quad_step, uint32_t column_step, const int8_t *a,
                            const int8_t *b, const int8_t *c, uint32_t n, uint32_t columns,
                            int32_t zp);
/* The same where nothing is taken away. */
void mote_isa_widen_triples_raw(uint32_t *to, uint32_t quad_step, uint32_t column_step,
                                const int8_t *a, const int8_t *b, const int8_t *c, uint32_t n,
                                uint32_t columns);
/* All output channels of the strip's pixels. */
void mote_isa_conv_triples__plain(const struct mote_conv2d_triples_s8 *p,
                                  const struct mote_triples_job *d);
void mote_isa_conv_triples__v6m(const struct mote_conv2d_triples_s8 *p,
                                const struct mote_triples_job *d);
void mote_isa_conv_triples__rv32(const struct mote_conv2d_triples_s8 *p,
                                 const struct mote_triples_job *d);
/* The same by stairs. */
void mote_isa_conv_stairs__plain(const struct mote_conv2d_triples_s8 *p,
                                 const struct mote_triples_job *d);
void mote_isa_conv_stairs__v6m(const struct mote_conv2d_triples_s8 *p,
                               const struct mote_triples_job *d);
/* And those whose words are multipliers. */
void mote_isa_conv_stairs_high__plain(const struct mote_conv2d_triples_s8 *p,
                                      const struct mote_triples_job *d);
void mote_isa_conv_stairs_high__rv32(const struct mote_conv2d_triples_s8 *p,
                                     const struct mote_triples_job *d);
/* And with weights that are words. */
void mote_isa_conv_stairs_words__plain(const struct mote_conv2d_triples_s8 *p,
                                       const struct mote_triples_job *d);
void mote_isa_conv_stairs_words__v6m(const struct mote_conv2d_triples_s8 *p,
                                     const struct mote_triples_job *d);
/* Channel c of them alone, in C. */
void mote_conv_stairs_channel(const struct mote_conv2d_triples_s8 *p,
                              const struct mote_triples_job *d, uint32_t c);
void mote_conv_stairs_words_channel(const struct mote_conv2d_triples_s8 *p,
                                    const struct mote_triples_job *d, uint32_t c);
void mote_conv_stairs_high_channel(const struct mote_conv2d_triples_s8 *p,
                                   const struct mote_triples_job *d, uint32_t c);
/* One call of a convolution, rows to outputs, in the state's bytes; where MOTE_ISA_MVE is 1. */
void mote_isa_conv_row__mve(const struct mote_conv2d_s8 *p, const void *const *rows, void *state,
                            size_t state_bytes, void *out);

/* ---- tiles: 3x3 windows by Winograd's F(2x2, 3x3) --------------------------------------------
 * Two by two outputs see four by four values d of a channel. With
 *   B' d = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),  G g = (2 g0, g0 + g1 + g2, g0 - g1 + g2, 2 g2),
 *   A' m = (m0 + m1 + m2, m1 - m2 - m3),
 * down and across, A' (sum of (G g G') * (B' d B)) A is four times their sums, exactly: 16 products for 36. All three are
 * additions, so they go through words that hold three tiles as through numbers: with a, b, c of three tiles
 *   first = a + 2^20 b,  second = c + 2^10 b   modulo 2^32,
 * and nothing in between need be in range. In the end the words are 4 (a + 2^20 b) and 4 (c + 2^10 b), of which the upper 30
 * bits say all of three sums in -2^19 .. 2^19 - 1: the compiler proves runs of channels for that. The zero point stays
 * in the activations and is in the biases; it stands for what lies outside.
 *
 * Component 4 v + h (down v, across h) of value k of triple i lies at
 *   words[i * triple_step + (4 v + h) * component_step + k / 4 * quad_step + k % 4 * 2].
 * Weights are int16: of each output channel, run after run of input channels, 16 components of the run's. */
#define MOTE_TILES_TRIPLES 3 /* of a strip, at most */
#define MOTE_TILES_SCRATCH                                                                         \
  352 /* words: components of 4 channels and 2 triples, and sums of 4 channels */
struct mote_tiles_job {
  const struct mote_conv2d_triples_s8 *p;
  uint32_t *words, *scratch;
  uint32_t pixels, triples; /* columns of outputs; triples = (pixels + 5) / 6 */
  uint32_t component_step, quad_step, triple_step; /* words */
  int8_t *out;                                     /* of the upper row */
};
/* Sets the words of the strip from column x of the output on. columns: 32 words a channel; pad: a pixel of what lies outside. */
void mote_isa_tiles_fill(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                         struct mote_tiles_job *d, uint32_t *columns, const int8_t *pad);
/* All output channels of both rows of the strip. */
void mote_isa_conv_tiles__plain(const struct mote_tiles_job *d);
void mote_isa_conv_tiles__v6m(const struct mote_tiles_job *d);
void mote_isa_conv_tiles__rv32(const struct mote_tiles_job *d);

/* ---- pairs of pixels, for weights of 4 bits --------------------------------------------------
 * A word X = a + 2^16 b holds the same value of two pixels, as int8 (the zero point stays in), so that one product with a
 * weight is both: S = sum of w X = A + 2^16 B. While |A| < 2^15, A is S as int16, and B what is left above it. Products
 * of weights so small stay there over a run that the compiler has proven (struct mote_conv2d_pairs_s4); A and B of the runs
 * and the bias, which has the zero point, make the sums.
 *
 * Pixel i stands beside pixel i + m, m = (pixels + 1) / 2; value k of pair i lies at
 *   words[4 i + (k / 4) * quad_step + k % 4]  behind where its kernel column begins. */
struct mote_pairs_job {
  const uint32_t *words;
  const uint32_t *column_at; /* [columns] where each begins */
  uint32_t columns, n;       /* a window is so many pieces of n values, n a multiple of 4 */
  uint32_t quad_step;        /* in words */
  uint32_t pixels;
  int8_t *out;
};

/* Writes n values of one pair from quad k / 4 on, k a multiple of 4; a NULL source is `outside` everywhere. The last quad is
 * filled up with anything: weights are 0 there. */
void mote_isa_widen_pair(uint32_t *to, uint32_t quad_step, uint32_t k, const int8_t *a,
                         const int8_t *b, uint32_t n, int32_t outside);

/* All output channels of the pixels. */
void mote_isa_conv4_pairs__plain(const struct mote_conv2d_pairs_s4 *p,
                                 const struct mote_pairs_job *d);
void mote_isa_conv4_pairs__v6m(const struct mote_conv2d_pairs_s4 *p,
                               const struct mote_pairs_job *d);

/* ---- one vector through a dense layer: in of any alignment -------------------- */
void mote_isa_dense__plain(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
void mote_isa_dense__rv32(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
void mote_isa_dense__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
void mote_isa_dense__mve(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
void mote_isa_dense_few__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                               int8_t *out);
void mote_isa_dense_few__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in,
                             int8_t *out); /* short rather than fast */

/* ---- weights of 4 bits (conv2d_s4, fully_connected_s4: mote/base/window.h) ---------
 * As the loops above; a byte has the weights of two channels. */
static inline int32_t mote_isa_high4(int8_t w) { return w >> 4; }
static inline int32_t mote_isa_low4(int8_t w) { return (((int32_t)w & 15) ^ 8) - 8; }
void mote_isa_conv4_patch__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                 uint32_t pixels, int8_t *out);
void mote_isa_conv4_patch__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out);
void mote_isa_conv4_column__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                  uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                  uint32_t positions);
void mote_isa_conv4_column__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                                uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                uint32_t positions);
void mote_isa_dense4__plain(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
void mote_isa_dense4__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out);
/* fully_connected_lanes_s8. */
void mote_isa_dense_lanes8__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                  int8_t *out);
void mote_isa_dense_lanes8__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out);
/* fully_connected_lanes_s4. */
void mote_isa_dense_lanes4__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                  int8_t *out);
void mote_isa_dense_lanes4__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out);

/* By pairs of channels: a word is the weight of one channel plus 2^16 times that of the next, so that one multiplication
 * by an input, as it is, makes both products. While either sum of a run is in -2^15 .. 2^15 - 1, started at
 * MOTE_PAIR_START its halves are the sums and 2^15 each. in_zp is 0, what the zero point adds is in the biases. */
#define MOTE_PAIR_START  0x80008000u
#define MOTE_PAIR_OFFSET 0x8000u
void mote_isa_dense_pairs__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                 int8_t *out);
void mote_isa_dense_pairs__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                               int8_t *out);
void mote_isa_dense_pairs__rv32(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out);
/* fully_connected_wide_s8. */
void mote_isa_dense_wide__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out);
void mote_isa_dense_wide__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in,
                              int8_t *out);

/* ---- one call of a depthwise convolution: a kernel's row() -------------------- */
void mote_isa_depthwise__plain(const void *params, const void *const *rows, void *state, void *out);
/* Three ways of the DSP extension, apart for the same reason: any kernel; 3x3 without dilation over at least
 * four channels; and kernels of one column within the row (mote_depthwise_conv2d_s8_form in mote/nn). */
void mote_isa_depthwise__dsp(const void *params, const void *const *rows, void *state, void *out);
void mote_isa_depthwise_3x3__dsp(const void *params, const void *const *rows, void *state,
                                 void *out);
void mote_isa_depthwise_3x3_above__dsp(const void *params, const void *const *rows, void *state,
                                       void *out);
void mote_isa_depthwise_tall__dsp(const void *params, const void *const *rows, void *state,
                                  void *out);
void mote_isa_depthwise__mve(const void *params, const void *const *rows, void *state, void *out);

/* The same three ways of RV32IM; the first takes the second's kernels by itself. */
void mote_isa_depthwise__v6m(const void *params, const void *const *rows, void *state, void *out);
void mote_isa_depthwise_3x3__v6m(const void *params, const void *const *rows, void *state,
                                 void *out);
void mote_isa_depthwise_tall__v6m(const void *params, const void *const *rows, void *state,
                                  void *out);
void mote_isa_depthwise__rv32(const void *params, const void *const *rows, void *state, void *out);
void mote_isa_depthwise_3x3__rv32(const void *params, const void *const *rows, void *state,
                                  void *out);
void mote_isa_depthwise_tall__rv32(const void *params, const void *const *rows, void *state,
                                   void *out);

/* n outputs of a row from window x on by stairs, in C. A channel is read before it is written: out may be where the rows
 * are. */
void mote_depthwise_stairs_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                                 uint32_t x, uint32_t n, void *state, int8_t *out);
void mote_depthwise_tables_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                                 uint32_t x, uint32_t n, void *state, int8_t *out);
void mote_depthwise_high_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                               uint32_t x, uint32_t n, void *state, int8_t *out);
void mote_isa_depthwise_tables__plain(const void *params, const void *const *rows, void *state,
                                      void *out);
void mote_isa_depthwise_tables__v6m(const void *params, const void *const *rows, void *state,
                                    void *out);
/* By stairs, 3x3 without dilation. */
void mote_isa_depthwise_stairs__plain(const void *params, const void *const *rows, void *state,
                                      void *out);
void mote_isa_depthwise_stairs__v6m(const void *params, const void *const *rows, void *state,
                                    void *out);
void mote_isa_depthwise_stairs_high__plain(const void *params, const void *const *rows, void *state,
                                           void *out);
void mote_isa_depthwise_stairs_high__rv32(const void *params, const void *const *rows, void *state,
                                          void *out);

/* Words that a column of one channel takes: four rows in two words, what is left over in one or two. */
static inline uint32_t mote_isa_column_words(uint32_t kernel_h) {
  return kernel_h / 4 * 2 + (kernel_h % 4 < 2 ? kernel_h % 4 : 2);
}

/* Channels that are transposed together. */
static inline uint32_t mote_isa_lanes(uint32_t in_c) { return in_c < 4 ? in_c : 4; }

/* Scratch: that many channels of (strip_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1 columns. */
static inline uint64_t mote_isa_depthwise_bytes(uint64_t columns, uint32_t kernel_h,
                                                uint32_t in_c) {
  return 4 * columns * mote_isa_lanes(in_c) * mote_isa_column_words(kernel_h);
}

/* ---- elementwise addition ------------------------------------------------------
 * out[i] = clamp(scale(scale(a[i] unit - zp_a, s) + scale(b[i] unit - zp_b, t), u) + zp, low, high).
 * needs: what is scaled stays below 2^30. alias: out may be a or b. */
struct mote_add_job {
  struct mote_scale s, t, u;
  int32_t unit, zp_a, zp_b, zp, low, high;
  const int8_t *a, *b;
  int8_t *out;
  uint32_t n;
};
void mote_isa_add__plain(const struct mote_add_job *d);
void mote_isa_add__mve(const struct mote_add_job *d);

/* The sum of two bytes by weights (mote_add_weighted_s8 in mote/nn), in 32 bits: with w = 2^8 h + l, 0 <= l < 2^8,
 * floor(w x / 2^8) = h x + floor(l x / 2^8); |h x| <= 2^30. */
static inline int8_t mote_add_weighted(const int32_t *weight, int32_t offset, int32_t a,
                                       int32_t b) {
  const int32_t x = (weight[0] >> 8) * a + ((weight[0] & 255) * a >> 8);
  const int32_t y = (weight[1] >> 8) * b + ((weight[1] & 255) * b >> 8);
  return (int8_t)mote_clamp((int32_t)((uint32_t)x + (uint32_t)y + (uint32_t)offset) >> 21, -128,
                            127);
}
void mote_isa_add_weighted__plain(const struct mote_add_weighted_s8 *p, const int8_t *a,
                                  const int8_t *b, int8_t *out);
void mote_isa_add_weighted__dsp(const struct mote_add_weighted_s8 *p, const int8_t *a,
                                const int8_t *b, int8_t *out);
#if MOTE_ISA_DSP
#define mote_isa_add_weighted mote_isa_add_weighted__dsp
#else
#define mote_isa_add_weighted mote_isa_add_weighted__plain
#endif

/* ---- sums over a row: sums[i] += row[i] + row[c + i] + ... for w columns of c channels -- */
void mote_isa_add_row__plain(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c);
void mote_isa_add_row__dsp(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c);
void mote_isa_add_row__mve(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c);

/* ---- dot products of vectors where they lie, at any alignment of their elements ------- */
/* Sum of (w[i] - w_zp) * (x[i] - x_zp), modulo 2^32. range: zero points -128..127. */
int32_t mote_isa_dot_s8__plain(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                               int32_t w_zp);
int32_t mote_isa_dot_s8__dsp(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                             int32_t w_zp);
int32_t mote_isa_dot_s8__mve(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                             int32_t w_zp);
/* Sum of w[i] * x[i]. |w x| <= 2^22: a run of so many fits in 32 bits. */
#define MOTE_ISA_DOT_RUN 508
int64_t mote_isa_dot_s16__plain(const int16_t *x, const int8_t *w, uint32_t n);
int64_t mote_isa_dot_s16__dsp(const int16_t *x, const int8_t *w, uint32_t n);
int64_t mote_isa_dot_s16__mve(const int16_t *x, const int8_t *w, uint32_t n);
/* Three rows of weights with the same vector, all modulo 2^32: sums[k] of w[k][i] * (x[i] - x_zp), and of w[k][i] * x[i]. */
void mote_isa_dots3_s8__plain(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                              int32_t sums[3]);
void mote_isa_dots3_s8__dsp(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                            int32_t sums[3]);
void mote_isa_dots3_s8__mve(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                            int32_t sums[3]);
void mote_isa_dots3_s16__plain(const int16_t *x, const int8_t *const w[3], uint32_t n,
                               int32_t sums[3]);
void mote_isa_dots3_s16__dsp(const int16_t *x, const int8_t *const w[3], uint32_t n,
                             int32_t sums[3]);
void mote_isa_dots3_s16__mve(const int16_t *x, const int8_t *const w[3], uint32_t n,
                             int32_t sums[3]);

#if MOTE_ISA_MVE
#define mote_isa_add     mote_isa_add__mve
#define mote_isa_add_row mote_isa_add_row__mve
#elif MOTE_ISA_X86 || MOTE_ISA_WASM
#define mote_isa_add     mote_isa_add__vector
#define mote_isa_add_row mote_isa_add_row__vector
#else
#define mote_isa_add mote_isa_add__plain
#if MOTE_ISA_DSP
#define mote_isa_add_row mote_isa_add_row__dsp
#else
#define mote_isa_add_row mote_isa_add_row__plain
#endif
#endif

/* ---- sums of float32 products, four weight vectors with one x -------------------------------
 * n: a multiple of 4, at least 4. Product i goes to lane i mod 4; each is rounded before it is added.
 * lanes: lane[v][k] goes on from what it holds. dot4: sum[v] = (l0 + l1) + (l2 + l3), lanes from 0. */
void mote_isa_lanes_f32__plain(float lane[4][4], const float *x, const float *const w[4],
                               uint32_t n);
void mote_isa_lanes_f32__vfp(float lane[4][4], const float *x, const float *const w[4], uint32_t n);
void mote_isa_dot4_f32__plain(float sum[4], const float *x, const float *const w[4], uint32_t n);
void mote_isa_dot4_f32__vfp(float sum[4], const float *x, const float *const w[4], uint32_t n);
/* Eight sums over n taps, n >= 1: sum[k] += x[i * x_step + k] * w[i * w_step + k], one i after the other. */
void mote_isa_taps_f32__plain(float sum[8], const float *x, uint32_t x_step, const float *w,
                              uint32_t w_step, uint32_t n);
void mote_isa_taps_f32__vfp(float sum[8], const float *x, uint32_t x_step, const float *w,
                            uint32_t w_step, uint32_t n);
#if MOTE_ISA_VFP
#define mote_isa_lanes_f32 mote_isa_lanes_f32__vfp
#define mote_isa_dot4_f32  mote_isa_dot4_f32__vfp
#define mote_isa_taps_f32  mote_isa_taps_f32__vfp
#else
#define mote_isa_taps_f32  mote_isa_taps_f32__plain
#define mote_isa_lanes_f32 mote_isa_lanes_f32__plain
#define mote_isa_dot4_f32  mote_isa_dot4_f32__plain
#endif

#if MOTE_ISA_DSP
#define mote_isa_widen            mote_isa_widen__dsp
#define mote_isa_conv_begin       mote_isa_conv_begin__dsp
#define mote_isa_conv_begin_above mote_isa_conv_begin_above__dsp
#define mote_job_conv_patch       mote_isa_conv_patch__dsp
#define mote_job_conv_whole       mote_isa_conv_whole__dsp
#define mote_job_conv_column      mote_isa_conv_column__dsp
#if MOTE_ISA_MVE
#define mote_isa_dot_s8              mote_isa_dot_s8__mve
#define mote_isa_dot_s16             mote_isa_dot_s16__mve
#define mote_isa_dots3_s8            mote_isa_dots3_s8__mve
#define mote_isa_dots3_s16           mote_isa_dots3_s16__mve
#define mote_isa_dense               mote_isa_dense__mve
#define mote_isa_dense_few           mote_isa_dense__mve
#define mote_isa_depthwise           mote_isa_depthwise__mve
#define mote_isa_depthwise_3x3       mote_isa_depthwise__mve
#define mote_isa_depthwise_3x3_above mote_isa_depthwise__mve
#define mote_isa_depthwise_tall      mote_isa_depthwise__mve
#else
#define mote_isa_dot_s8              mote_isa_dot_s8__dsp
#define mote_isa_dot_s16             mote_isa_dot_s16__dsp
#define mote_isa_dots3_s8            mote_isa_dots3_s8__dsp
#define mote_isa_dots3_s16           mote_isa_dots3_s16__dsp
#define mote_isa_dense               mote_isa_dense__dsp
#define mote_isa_dense_few           mote_isa_dense_few__dsp
#define mote_isa_depthwise           mote_isa_depthwise__dsp
#define mote_isa_depthwise_3x3       mote_isa_depthwise_3x3__dsp
#define mote_isa_depthwise_3x3_above mote_isa_depthwise_3x3_above__dsp
#define mote_isa_depthwise_tall      mote_isa_depthwise_tall__dsp
#endif
#define mote_isa_conv4_patch  mote_isa_conv4_patch__dsp
#define mote_isa_conv4_column mote_isa_conv4_column__dsp
#define mote_isa_dense4       mote_isa_dense4__dsp
#define mote_isa_dense_wide   mote_isa_dense_wide__dsp
#define mote_isa_conv_wide    mote_isa_conv_wide__dsp
#else
#define mote_isa_dot_s8    mote_isa_dot_s8__plain
#define mote_isa_dot_s16   mote_isa_dot_s16__plain
#define mote_isa_dots3_s8  mote_isa_dots3_s8__plain
#define mote_isa_dots3_s16 mote_isa_dots3_s16__plain
#define mote_isa_widen     mote_isa_widen__plain
#if MOTE_ISA_V6M
#define mote_isa_conv_patch  mote_isa_conv_patch__v6m
#define mote_isa_conv_column mote_isa_conv_column__v6m
#else
#define mote_isa_conv_patch  mote_isa_conv_patch__plain
#define mote_isa_conv_column mote_isa_conv_column__plain
#endif
#define mote_isa_dense_few mote_isa_dense_few__plain
#if MOTE_ISA_RV32
#define mote_isa_dense          mote_isa_dense__rv32
#define mote_isa_depthwise      mote_isa_depthwise__rv32
#define mote_isa_depthwise_3x3  mote_isa_depthwise_3x3__rv32
#define mote_isa_depthwise_tall mote_isa_depthwise_tall__rv32
#elif MOTE_ISA_V6M
#define mote_isa_dense          mote_isa_dense__plain
#define mote_isa_depthwise      mote_isa_depthwise__v6m
#define mote_isa_depthwise_3x3  mote_isa_depthwise_3x3__v6m
#define mote_isa_depthwise_tall mote_isa_depthwise_tall__v6m
#else
#define mote_isa_dense          mote_isa_dense__plain
#define mote_isa_depthwise      mote_isa_depthwise__plain
#define mote_isa_depthwise_3x3  mote_isa_depthwise__plain
#define mote_isa_depthwise_tall mote_isa_depthwise__plain
#endif
#define mote_isa_conv4_patch         mote_isa_conv4_patch__plain
#define mote_isa_conv4_column        mote_isa_conv4_column__plain
#define mote_isa_dense4              mote_isa_dense4__plain
#define mote_isa_dense_wide          mote_isa_dense_wide__plain
#define mote_isa_conv_wide           mote_isa_conv_wide__plain
#define mote_isa_conv_begin          mote_job_begin
#define mote_isa_conv_begin_above    mote_job_begin
#define mote_job_conv_whole          mote_job_conv_patch
#define mote_isa_depthwise_3x3_above mote_isa_depthwise_3x3
#endif

/* The blocks of a job where a call has nothing to share. */
static inline void mote_job_begin(struct mote_conv_job *job, const struct mote_conv2d_s8 *p) {
  job->p = p;
}
#if !MOTE_ISA_DSP
static inline void mote_job_conv_patch(struct mote_conv_job *job, const int16_t *values,
                                       uint32_t pixels, int8_t *out) {
  mote_isa_conv_patch(job->p, values, pixels, out);
}
static inline void mote_job_conv_column(struct mote_conv_job *job, const int16_t *values,
                                        uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                        uint32_t positions) {
  mote_isa_conv_column(job->p, values, pixels, out, column_at, positions);
}
#endif
static inline void mote_job_conv4_patch(struct mote_conv_job *job, const int16_t *values,
                                        uint32_t pixels, int8_t *out) {
  mote_isa_conv4_patch(job->p, values, pixels, out);
}
static inline void mote_job_conv4_column(struct mote_conv_job *job, const int16_t *values,
                                         uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                         uint32_t positions) {
  mote_isa_conv4_column(job->p, values, pixels, out, column_at, positions);
}

#if MOTE_ISA_V6M
#define mote_isa_dense_lanes4 mote_isa_dense_lanes4__v6m
#define mote_isa_dense_lanes8 mote_isa_dense_lanes8__v6m
#define mote_isa_conv4_pairs  mote_isa_conv4_pairs__v6m
#else
#define mote_isa_dense_lanes8 mote_isa_dense_lanes8__plain
#define mote_isa_dense_lanes4 mote_isa_dense_lanes4__plain
#define mote_isa_conv4_pairs  mote_isa_conv4_pairs__plain
#endif

#include "mote/isa/block.h"

#if MOTE_ISA_V6M
#define mote_isa_conv_stairs       mote_isa_conv_stairs__v6m
#define mote_isa_conv_stairs_words mote_isa_conv_stairs_words__v6m
#define mote_isa_depthwise_stairs  mote_isa_depthwise_stairs__v6m
#define mote_isa_depthwise_tables  mote_isa_depthwise_tables__v6m
#else
#define mote_isa_conv_stairs       mote_isa_conv_stairs__plain
#define mote_isa_conv_stairs_words mote_isa_conv_stairs_words__plain
#define mote_isa_depthwise_stairs  mote_isa_depthwise_stairs__plain
#define mote_isa_depthwise_tables  mote_isa_depthwise_tables__plain
#endif

#if MOTE_ISA_RV32
#define mote_isa_conv_stairs_high      mote_isa_conv_stairs_high__rv32
#define mote_isa_depthwise_stairs_high mote_isa_depthwise_stairs_high__rv32
#else
#define mote_isa_conv_stairs_high      mote_isa_conv_stairs_high__plain
#define mote_isa_depthwise_stairs_high mote_isa_depthwise_stairs_high__plain
#endif

#if MOTE_ISA_RV32
#define mote_isa_conv_triples mote_isa_conv_triples__rv32
#define mote_isa_dense_pairs  mote_isa_dense_pairs__rv32
#define mote_isa_conv_tiles   mote_isa_conv_tiles__rv32
#elif MOTE_ISA_V6M
#define mote_isa_conv_triples mote_isa_conv_triples__v6m
#define mote_isa_dense_pairs  mote_isa_dense_pairs__v6m
#define mote_isa_conv_tiles   mote_isa_conv_tiles__v6m
#else
#define mote_isa_conv_triples mote_isa_conv_triples__plain
#define mote_isa_dense_pairs  mote_isa_dense_pairs__plain
#define mote_isa_conv_tiles   mote_isa_conv_tiles__plain
#endif

#ifdef __cplusplus
}
#endif

#endif
