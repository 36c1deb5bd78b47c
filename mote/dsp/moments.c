/* Moments of numbers in memory: see moments.h.
 *
 * Deviations from the mean are moved to 31 digits, and so are their powers; sums have 64. */
#include "mote/dsp/moments.h"

uint32_t mote_largest(const int32_t *x, uint32_t n) {
  uint32_t most = 0;
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t size = x[i] < 0 ? 0 - (uint32_t)x[i] : (uint32_t)x[i];
    if (size > most) most = size;
  }
  return most;
}

int32_t mote_level(int32_t *x, uint32_t n, int32_t bits) {
  const uint32_t most = mote_largest(x, n);
  if (!most) return 0;
  const int32_t left = bits - 32 + mote_zeros_of(most);
  for (uint32_t i = 0; i < n; i++) x[i] = mote_moved(x[i], left);
  return left;
}

/* The sums of the powers of d / 2^31, in Q31: each number is at most 2^31, n at most 2^15. */
struct sums {
  int64_t second, third, fourth;
};

static struct sums sums_of(const int32_t *x, uint32_t n, int32_t left) {
  struct sums s = {0, 0, 0};
  for (uint32_t i = 0; i < n; i++) {
    const int32_t d = (int32_t)((uint32_t)x[i] << left); /* |d| < 2^31 */
    const int32_t square = (int32_t)(((int64_t)d * d) >> 31);
    s.second += square;
    s.third += ((int64_t)square * d) >> 31;
    s.fourth += ((int64_t)square * square) >> 31;
  }
  return s;
}

void mote_moments(int32_t *x, uint32_t n, struct mote_moments *m) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += x[i];
  m->mean = mote_mean_of(sum, n);
  m->skewness = 0;
  m->kurtosis = -3 * 65536;
  m->deviation = mote_scaled_of(0, 0);
  for (uint32_t i = 0; i < n; i++) x[i] -= m->mean; /* |x| <= 2^31 - 2 */
  const uint32_t most = mote_largest(x, n);
  if (!most) return;
  const int32_t left = mote_zeros_of(most) - 1;
  const struct sums s = sums_of(x, n, left);
  const struct mote_scaled count = mote_scaled_of(n, 0),
                           second = mote_scaled_of((uint64_t)s.second, -31);
  m->deviation = mote_scaled_sqrt(mote_scaled_div(second, count));
  m->deviation.e += 31 - left;
  /* skewness = (third / n) / (second / n)^(3/2), kurtosis = (fourth / n) / (second / n)^2 - 3. */
  const struct mote_scaled third =
      mote_scaled_of(s.third < 0 ? 0 - (uint64_t)s.third : (uint64_t)s.third, -31);
  const int32_t skewness =
      mote_scaled_fix(mote_scaled_div(mote_scaled_mul(third, mote_scaled_sqrt(count)),
                                      mote_scaled_mul(second, mote_scaled_sqrt(second))),
                      16);
  m->skewness = s.third < 0 ? -skewness : skewness;
  m->kurtosis += mote_scaled_fix(
      mote_scaled_div(mote_scaled_mul(mote_scaled_of((uint64_t)s.fourth, -31), count),
                      mote_scaled_mul(second, second)),
      16);
}
