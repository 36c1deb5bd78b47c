/* The real FFT: n real numbers as n/2 complex ones, decimation in time, then the split into n/2 bins.
 *
 * Stages go by fours (radix 4), which saves a quarter of the products and half of the loads; where the number
 * of stages is odd, one of twos stands in. Input comes in bit-reversed order. All twiddles come from a quarter
 * of a sine.
 *
 * range: inputs below 2^(29 - log2n) grow by at most n/2 * sqrt(2) in the complex FFT, so every component stays
 * below 2^28.5, and below 2^29 in the split: nothing is ever scaled, only products are rounded.
 * errors: each product is rounded once to 1 part of the input's 2^15; with twiddles of 16 bits the spectrum of
 * a full-scale frame is 85 dB clean or better (test_dsp measures it). */
#include "mote/dsp/dsp.h"
#include "mote/isa/isa.h"

struct pair {
  int32_t re, im;
};

/* (a + ib)(c - is), each part floor(x / 2^15 + 1/2). Both ways are exact, so equal. In 32 bits: a = ah 2^15 + al
 * with 0 <= al < 2^15, so |al c + bl s| < 2^15 * 2^15 * sqrt(2) < 1.6e9, and |ah c + bh s| <= 2^15 |a + ib| / 2^15
 * < 2^30. */
static inline struct pair turn(int32_t a, int32_t b, int32_t c, int32_t s) {
  struct pair r;
  if (MOTE_ISA_V6M) {
    const int32_t ah = a >> 15, al = a & 0x7FFF, bh = b >> 15, bl = b & 0x7FFF;
    r.re = ah * c + bh * s + ((al * c + bl * s + 0x4000) >> 15);
    r.im = bh * c - ah * s + ((bl * c - al * s + 0x4000) >> 15);
  } else {
    r.re = (int32_t)(((int64_t)a * c + (int64_t)b * s + 0x4000) >> 15);
    r.im = (int32_t)(((int64_t)b * c - (int64_t)a * s + 0x4000) >> 15);
  }
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

/* One stage of twos: halves of 4 points become groups of 8. Its twiddles are 1, e^(-i pi/4), and -i times both. */
static void fft_two(int32_t *x, uint32_t points, int32_t eighth) {
  for (const int32_t *const end = x + 2 * points; x < end; x += 16) {
    for (uint32_t j = 0; j < 4; j++) {
      int32_t *const p = x + 2 * j, *const q = p + 8;
      struct pair t = {q[0], q[1]};
      if (j & 1) t = turn(t.re, t.im, eighth, eighth);
      if (j & 2) t = (struct pair){t.im, -t.re};
      const int32_t re = p[0], im = p[1];
      p[0] = re + t.re, p[1] = im + t.im;
      q[0] = re - t.re, q[1] = im - t.im;
    }
  }
}

/* cos and sin of 2 pi k / n from the first quarter. range: k < 3 quarter. */
static inline struct pair angle(const int16_t *sine, uint32_t quarter, uint32_t k) {
  struct pair w;
  if (k < quarter)
    w = (struct pair){sine[quarter - k], sine[k]};
  else if (k < 2 * quarter)
    w = (struct pair){-sine[k - quarter], sine[2 * quarter - k]};
  else
    w = (struct pair){-sine[3 * quarter - k], -sine[k - 2 * quarter]};
  return w;
}

/* Four numbers `step` apart become their sums, as two stages of twos would make them from a, u^2 b, u c, u^3 d. */
static inline void combine(int32_t *x, uint32_t step, struct pair b, struct pair c, struct pair d) {
  const struct pair a = {x[0], x[1]};
  const struct pair s = {a.re + b.re, a.im + b.im}, t = {a.re - b.re, a.im - b.im};
  const struct pair v = {c.re + d.re, c.im + d.im}, w = {c.re - d.re, c.im - d.im};
  x[0] = s.re + v.re, x[1] = s.im + v.im;
  x += step;
  x[0] = t.re + w.im, x[1] = t.im - w.re; /* t - i w */
  x += step;
  x[0] = s.re - v.re, x[1] = s.im - v.im;
  x += step;
  x[0] = t.re - w.im, x[1] = t.im + w.re;
}

/* One stage of fours: quarters of `each` points become groups of four times that. */
static void fft_four(int32_t *x, uint32_t points, uint32_t each, const int16_t *sine,
                     uint32_t quarter) {
  const int32_t *const end = x + 2 * points;
  const uint32_t step = 2 * each, turn_step = points / (2 * each); /* n / (4 each) */
  for (int32_t *p = x; p < end; p += 4 * step) {
    const int32_t *const b = p + step, *const c = b + step, *const d = c + step;
    combine(p, step, (struct pair){b[0], b[1]}, (struct pair){c[0], c[1]},
            (struct pair){d[0], d[1]});
  }
  for (uint32_t j = 1; j < each; j++) {
    const uint32_t k = j * turn_step;
    const struct pair u = angle(sine, quarter, k), u2 = angle(sine, quarter, 2 * k),
                      u3 = angle(sine, quarter, 3 * k);
    for (int32_t *p = x + 2 * j; p < end; p += 4 * step) {
      const int32_t *const b = p + step, *const c = b + step, *const d = c + step;
      combine(p, step, turn(b[0], b[1], u2.re, u2.im), turn(c[0], c[1], u.re, u.im),
              turn(d[0], d[1], u3.re, u3.im));
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
  uint32_t each = 4;
  if (log2n % 2 == 0) { /* points = 2^odd */
    fft_two(x, points, sine[n / 8]);
    each = 8;
  }
  for (; each < points; each *= 4) fft_four(x, points, each, sine, n / 4);
  fft_split(x, points, sine);
}
