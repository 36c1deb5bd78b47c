/* private: mean, deviation, skewness and kurtosis of int32 numbers. */
#ifndef MOTE_DSP_MOMENTS_H
#define MOTE_DSP_MOMENTS_H

#include "mote/dsp/scaled.h"

struct mote_moments {
  struct mote_scaled deviation; /* of the population, in units of the numbers */
  int32_t mean;                 /* rounded */
  int32_t skewness,
      kurtosis; /* Q16, kurtosis above the normal distribution's 3; 0 and -3 where all are equal */
};

/* Takes the mean off x[n] in place and says what is left. range: |x| < 2^30, n 1..2^15.
 * errors: those of the mean's rounding; 31 digits of every deviation count. */
void mote_moments(int32_t *x, uint32_t n, struct mote_moments *m);

/* The largest |x|; at most 2^31. */
uint32_t mote_largest(const int32_t *x, uint32_t n);
/* Moves x so that its largest is in [2^(bits-1), 2^bits), each rounded; returns by how many digits to the left. */
int32_t mote_level(int32_t *x, uint32_t n, int32_t bits);
static inline int32_t mote_moved(int32_t x, int32_t left) {
  return left >= 0 ? (int32_t)((uint32_t)x << left) : ((x >> (-left - 1)) + 1) >> 1;
}

#endif
