/* real: functions of real numbers in float32, for machines without a mathematical library.
 *
 * Only + - * / on float and integer work on the bits, so a result is the same on a machine with a floating-point
 * unit, on one whose compiler calls subroutines, and on the host. needs: IEEE 754 binary32 rounded to nearest,
 * subnormals kept, no contraction to fused multiply-add (-ffp-contract=off).
 *
 * Errors are in ulp (units in the last place of the true value) and are the worst that was found over every 7th
 * float against a double-precision library; test_real holds them over every 997th.
 * NaN in gives NaN out; which NaN is the machine's choice. */
#ifndef MOTE_BASE_REAL_H
#define MOTE_BASE_REAL_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bits of a float, and the float of bits. */
static inline uint32_t mote_real_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}
static inline float mote_real_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

/* |x|, and the larger and the smaller of two. A NaN in x gives y: the order of the arguments matters. */
static inline float mote_real_abs(float x) { return mote_real_of(mote_real_bits(x) & 0x7FFFFFFF); }
static inline float mote_real_max(float x, float y) { return x > y ? x : y; }
static inline float mote_real_min(float x, float y) { return x < y ? x : y; }

/* x moved into low..high; NaN stays. */
static inline float mote_real_clamp(float x, float low, float high) {
  return x < low ? low : x > high ? high : x;
}

/* e^x. error 1.01; infinite above 88.7228, 0 below -103.97, subnormal results rounded once. */
float mote_real_exp(float x);
/* e^x - 1 without loss near 0. error 1.68. */
float mote_real_expm1(float x);
/* Natural logarithm. error 0.93; -infinity of 0, NaN below. */
float mote_real_log(float x);
/* Hyperbolic tangent. error 1.33. */
float mote_real_tanh(float x);
/* 1 / (1 + e^-x). error 2.33. */
float mote_real_logistic(float x);
/* Sine and cosine of x radians, exact reduction over the whole range. error 1.57. NaN of infinity. */
float mote_real_sin(float x);
float mote_real_cos(float x);
/* Square root, correctly rounded (0.5 ulp); NaN below 0, -0 of -0. */
float mote_real_sqrt(float x);
/* 1 / sqrt(x) as two roundings. error 1.50. */
float mote_real_rsqrt(float x);
/* Largest whole number <= x, smallest >= x, nearest with halves to even. exact; the sign of 0 is kept. */
float mote_real_floor(float x);
float mote_real_ceil(float x);
float mote_real_round(float x);
/* 1 - erf(x), the complement of the error function. error 8, below 1e-37 more. */
float mote_real_erfc(float x);
/* x^y as C defines it. error 8 + 2 |y log x|. */
float mote_real_pow(float x, float y);
/* x - y * trunc(x / y), exactly; the sign of x. NaN where y is 0 or x infinite. cost: one step for each power of
 * two between x and y. */
float mote_real_fmod(float x, float y);

#ifdef __cplusplus
}
#endif

#endif
