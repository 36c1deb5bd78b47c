/* The real FFT: n real numbers as n/2 complex ones, decimation in time, then the split into n/2 bins.
 *
 * Twiddles come from a quarter of a sine. Each step of the inner loops makes the butterflies of w and of
 * -i w together, so a quarter is all that is ever needed and one load serves both.
 *
 * range: inputs below 2^(29 - log2n) grow by at most n/2 * sqrt(2) in the complex FFT, so every component stays
 * below 2^28.5, and below 2^29 in the split: nothing is ever scaled, only products are rounded.
 * errors: each product is rounded once to 1 part of the input's 2^15; with twiddles of 16 bits the spectrum of
 * a full-scale frame is 85 dB clean or better (test_dsp measures it). */
#include "mote/dsp/dsp.h"

struct pair {
  int32_t re, im;
};

/* (a + ib)(c - is), each part floor(x / 2^15 + 1/2). Exact in 32 bits: a = ah 2^15 + al with 0 <= al < 2^15, so
 * |al c + bl s| < 2^15 * 2^15 * sqrt(2) < 1.6e9, and |ah c + bh s| < 2^15 |a + ib| / 2^15 < 2^30. */
static inline struct pair turn(int32_t a, int32_t b, int32_t c, int32_t s) {
  const int32_t ah = a >> 15, al = a & 0x7FFF, bh = b >> 15, bl = b & 0x7FFF;
  struct pair r;
  r.re = ah * c + bh * s + ((al * c + bl * s + 0x4000) >> 15);
  r.im = bh * c - ah * s + ((bl * c - al * s + 0x4000) >> 15);
  return r;
}

/* The first two stages: groups of four with the twiddles 1 and -i, no products. */
static void fft_first(int32_t *x, uint32_t points) {
  for (uint32_t g = 0; g < points; g += 4, x += 8) {
    const int32_t sr = x[0] + x[2], si = x[1] + x[3], dr = x[0] - x[2], di = x[1] - x[3];
    const int32_t tr = x[4] + x[6], ti = x[5] + x[7], er = x[4] - x[6], ei = x[5] - x[7];
    x[0] = sr + tr, x[1] = si + ti;
    x[4] = sr - tr, x[5] = si - ti;
    x[2] = dr + ei, x[3] = di - er;
    x[6] = dr - ei, x[7] = di + er;
  }
}

/* One stage: halves of `half` points become groups of twice that. step: of the sine, n / (2 half). */
static void fft_stage(int32_t *x, uint32_t points, uint32_t half, const int16_t *sine,
                      uint32_t step, uint32_t quarter_turn) {
  const uint32_t quarter = half / 2;
  for (uint32_t j = 0; j < quarter; j++) {
    const int32_t c = sine[quarter_turn - j * step], s = sine[j * step];
    int32_t *p = x + 2 * j, *const end = x + 2 * points;
    for (; p < end; p += 4 * half) {
      int32_t *const q = p + 2 * half;
      struct pair t = {q[0], q[1]};
      if (j) t = turn(t.re, t.im, c, s); /* w = 1 exactly for j = 0 */
      const int32_t ar = p[0], ai = p[1];
      p[0] = ar + t.re, p[1] = ai + t.im;
      q[0] = ar - t.re, q[1] = ai - t.im;
      int32_t *const p2 = p + 2 * quarter, *const q2 = q + 2 * quarter;
      struct pair u = {q2[0], q2[1]};
      if (j) u = turn(u.re, u.im, c, s);
      const int32_t br = p2[0], bi = p2[1]; /* times -i: (re, im) -> (im, -re) */
      p2[0] = br + u.im, p2[1] = bi - u.re;
      q2[0] = br - u.im, q2[1] = bi + u.re;
    }
  }
}

/* Z(k) = E(k) + i O(k), E and O the DFTs of the even and odd samples; X(k) = E(k) + w^k O(k),
 * X(n/2 - k) = conj(E(k) - w^k O(k)). */
static void fft_split(int32_t *x, uint32_t points, const int16_t *sine) {
  const int32_t re0 = x[0], im0 = x[1];
  x[0] = re0 + im0, x[1] = re0 - im0;
  for (uint32_t k = 1; k < points / 2; k++) {
    int32_t *const p = x + 2 * k, *const q = x + 2 * (points - k);
    const int32_t er = p[0] + q[0], ei = p[1] - q[1]; /* 2 E */
    const int32_t or = p[1] + q[1], oi = q[0] - p[0]; /* 2 O, below 2^29 */
    const struct pair t = turn(or, oi, sine[points / 2 - k], sine[k]);
    p[0] = (er + t.re) >> 1, p[1] = (ei + t.im) >> 1;
    q[0] = (er - t.re) >> 1, q[1] = (t.im - ei) >> 1;
  }
  x[points + 1] = -x[points + 1]; /* k = n/4: X = conj Z */
}

void mote_fft_real(int32_t *x, unsigned log2n, const int16_t *sine) {
  MOTE_ASSERT(log2n >= 4 && log2n <= 11);
  const uint32_t n = 1u << log2n, points = n / 2;
  fft_first(x, points);
  for (uint32_t half = 4; half < points; half *= 2)
    fft_stage(x, points, half, sine, n / (2 * half), n / 4);
  fft_split(x, points, sine);
}
