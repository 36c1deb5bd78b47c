/* Signal to noise of values beside their reference, in dB: how much the reference moves about its mean, over what the values are
 * off, both mean squares. So an offset that all values share (the logarithm of a full-scale count) is no signal. */
#ifndef TEST_SNR_H
#define TEST_SNR_H

#include <math.h>
#include <stddef.h>

struct snr {
  double n, sum, squares, noise;
};

static inline void snr_add(struct snr *s, double want, double got) {
  s->n += 1, s->sum += want, s->squares += want * want;
  s->noise += (got - want) * (got - want);
}

static inline double snr_db(const struct snr *s) {
  const double mean = s->sum / s->n;
  const double signal = s->squares - s->n * mean * mean;
  return 10 * log10(signal / fmax(s->noise, 1e-20 * signal)); /* 200 dB: equal */
}

/* The worst of n, each of which has a unit of its own. */
static inline double snr_least(const struct snr *s, size_t n) {
  double least = INFINITY;
  for (size_t i = 0; i < n; i++) least = fmin(least, snr_db(&s[i]));
  return least;
}

#endif
