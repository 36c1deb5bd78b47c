/* Numbers with an exponent of their own: see scaled.h. */
#include "mote/dsp/scaled.h"

struct mote_scaled mote_scaled_of(uint64_t x, int32_t e) {
  uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
  if (!high) {
    if (!low) return (struct mote_scaled){0, 0};
    high = low, low = 0;
  } else {
    e += 32;
  }
  const unsigned zeros = (unsigned)mote_zeros_of(high);
  if (zeros) high = (high << zeros) | (low >> (32 - zeros));
  return (struct mote_scaled){high, e - (int32_t)zeros};
}

struct mote_scaled mote_scaled_mul(struct mote_scaled a, struct mote_scaled b) {
  return mote_scaled_of((uint64_t)a.m * b.m, a.e + b.e);
}

struct mote_scaled mote_scaled_add(struct mote_scaled a, struct mote_scaled b) {
  if (!a.m || !b.m) return a.m ? a : b;
  const int32_t apart = a.e - b.e;
  if (apart < 0) return mote_scaled_add(b, a);
  const uint64_t small = apart > 62 ? 0 : ((uint64_t)b.m << 30) >> apart;
  return mote_scaled_of(((uint64_t)a.m << 30) + small, a.e - 30);
}

/* One digit at a time: 32 steps of a few instructions, where a core may have no division. */
struct mote_scaled mote_scaled_div(struct mote_scaled a, struct mote_scaled b) {
  if (!a.m || !b.m) return (struct mote_scaled){0, 0};
  uint32_t rest = a.m, q = 0;
  int32_t e = a.e - b.e - 32;
  if (rest >= b.m) rest -= b.m, q = 1, e++; /* a.m < 2 b.m, so that the first digit is 1 at most */
  do { /* ends when the leading digit, which is among the first two, has come to bit 31 */
    const uint32_t carry = rest >> 31;
    rest <<= 1;
    q <<= 1;
    if (carry || rest >= b.m) rest -= b.m, q |= 1;
  } while (!(q >> 31));
  return (struct mote_scaled){q, e};
}

/* 16 digits as an integer's root r, the other 16 from rest / (2 r), which is exact to the last but one. */
struct mote_scaled mote_scaled_sqrt(struct mote_scaled a) {
  if (!a.m) return a;
  if (a.e & 1) a.m >>= 1, a.e++;
  const uint32_t r = mote_sqrt_u32(a.m), rest = a.m - r * r; /* rest <= 2 r */
  const struct mote_scaled more = mote_scaled_div(mote_scaled_of(rest, 15), mote_scaled_of(r, 0));
  const uint32_t low = (uint32_t)mote_scaled_fix(more, 0); /* <= 2^16 */
  return mote_scaled_of(((uint64_t)r << 16) + low, a.e / 2 - 16);
}

int32_t mote_scaled_fix(struct mote_scaled a, int32_t bits) {
  const int32_t right = -(a.e + bits);
  if (!a.m || right > 32) return 0;
  if (right == 32) return 1; /* at least a half */
  if (right < 1) return INT32_MAX;
  const uint32_t x = (a.m >> right) + ((a.m >> (right - 1)) & 1);
  return x > INT32_MAX ? INT32_MAX : (int32_t)x;
}

/* A polynomial in f = m / 2^31 - 1, 0 <= f < 1, by Horner's rule in Q29: 3.2e-7 of log2(1 + f), a third of a unit.
 * source: interpolation at the zeros of a Chebyshev polynomial; test_spectral compares with the C library.
 * range: every partial sum is below 1.5 for f in [0, 1]. */
int32_t mote_scaled_log2(struct mote_scaled a) {
  static const int32_t c[8] = {172,        774517955, -386754617, 253671251,
                               -173471547, 102231405, -41257846,  7934265};
  if (!a.m) return -(1 << 30);
  const int32_t f = (int32_t)((a.m << 1) >> 2); /* Q30 */
  int32_t sum = c[7];
  for (int i = 6; i >= 0; i--) sum = c[i] + (int32_t)(((int64_t)sum * f) >> 30);
  return (31 + a.e) * (1 << 20) + ((sum + 256) >> 9);
}

int32_t mote_mean_of(int64_t sum, uint32_t n) {
  const struct mote_scaled size = mote_scaled_of(sum < 0 ? 0 - (uint64_t)sum : (uint64_t)sum, 0);
  const int32_t mean = mote_scaled_fix(mote_scaled_div(size, mote_scaled_of(n, 0)), 0);
  return sum < 0 ? -mean : mean;
}
