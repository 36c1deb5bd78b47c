/* fixed: exp and what is made of it, in 32-bit fixed point.
 *
 * Numbers are written Qm.n: m integer bits, n = 31 - m fraction bits. Additions wrap where hostile numbers could
 * overflow them; those of a model that was checked never do.
 *
 * exact: the constants and the order of the steps are the meaning of the 8-bit SOFTMAX, LOGISTIC, TANH and DIV of
 * TensorFlow Lite; each constant is the value in its comment rounded to the format beside it. */
#ifndef MOTE_BASE_FIXED_H
#define MOTE_BASE_FIXED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* e^a as Q0.31 for a <= 0 with `integer_bits` of 4 or 5, Q4.27 or Q5.26. */
int32_t mote_fixed_exp(int32_t a, int integer_bits);
/* 1 / (1 + x) for x in [0, 1), both Q0.31. */
int32_t mote_fixed_reciprocal(int32_t x);
/* 1 / (1 + e^-a) and tanh(a) as Q0.31, a in Q4.27. */
int32_t mote_fixed_logistic(int32_t a);
int32_t mote_fixed_tanh(int32_t a);

/* 1 / sqrt(x) = multiplier * 2^(shift - 31), x >= 0; 0 counts as 1. */
void mote_fixed_inverse_root(int32_t x, int32_t *multiplier, int *shift);

/* floor(sqrt(x)). */
uint32_t mote_sqrt_u32(uint32_t x);

#ifdef __cplusplus
}
#endif

#endif
