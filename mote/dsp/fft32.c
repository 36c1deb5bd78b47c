/* The real FFT with twiddles of 32 bits, for spectra in which a quiet line beside a loud one counts.
 *
 * Plain stages of twos: the transforms are short, and the program is small. Each product is rounded once to 1 part
 * of the input's 2^29, so a spectrum is more than 150 dB clean (test_spectral measures it).
 *
 * range: inputs below 2^(29 - log2n) grow as in fft.c and stay below 2^30. */
#include "mote/dsp/spectral.h"

struct pair {
  int32_t re, im;
};

/* (a + ib)(c - is). */
static inline struct pair turn(int32_t a, int32_t b, int32_t c, int32_t s) {
  struct pair r;
  r.re = (int32_t)(((int64_t)a * c + (int64_t)b * s + (1 << 29)) >> 30);
  r.im = (int32_t)(((int64_t)b * c - (int64_t)a * s + (1 << 29)) >> 30);
  return r;
}

static inline void butterfly(int32_t *p, int32_t *q, struct pair t) {
  const int32_t re = p[0], im = p[1];
  p[0] = re + t.re, p[1] = im + t.im;
  q[0] = re - t.re, q[1] = im - t.im;
}

/* Z(k) = E(k) + i O(k), E and O the spectra of even and odd places; X(k) = E(k) + w^k O(k). */
static void split(int32_t *x, uint32_t points, const int32_t *sine) {
  const int32_t re0 = x[0], im0 = x[1];
  x[0] = re0 + im0, x[1] = re0 - im0;
  for (uint32_t k = 1; k < points / 2; k++) {
    int32_t *const p = x + 2 * k, *const q = x + 2 * (points - k);
    const int32_t er = p[0] + q[0], ei = p[1] - q[1];
    const int32_t or = p[1] + q[1], oi = q[0] - p[0];
    const struct pair t = turn(or, oi, sine[points / 2 - k], sine[k]);
    p[0] = (er + t.re) >> 1, p[1] = (ei + t.im) >> 1;
    q[0] = (er - t.re) >> 1, q[1] = (t.im - ei) >> 1;
  }
  x[points + 1] = -x[points + 1];
}

void mote_fft_real32(int32_t *x, unsigned log2n, const int32_t *sine) {
  const uint32_t points = 1u << (log2n - 1), quarter = points / 2;
  for (uint32_t half = 1, step = points; half < points; half *= 2, step /= 2)
    for (uint32_t j = 0; j < half; j++) {
      const uint32_t k = j * step; /* the angle is 2 pi k / n, below pi */
      const int32_t c = k <= quarter ? sine[quarter - k] : -sine[k - quarter];
      const int32_t s = k <= quarter ? sine[k] : sine[points - k];
      for (uint32_t at = j; at < points; at += 2 * half) {
        int32_t *const p = x + 2 * at, *const q = p + 2 * half;
        butterfly(p, q, k ? turn(q[0], q[1], c, s) : (struct pair){q[0], q[1]});
      }
    }
  split(x, points, sine);
}
