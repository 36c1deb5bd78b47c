/* The real FFT: n real numbers as n/2 complex ones, decimation in time, then the split into n/2 bins.
 *
 * Stages go by fours (radix 4), which saves a quarter of the products and half of the loads; where the number
 * of stages is odd, one of twos stands in. Input comes in bit-reversed order. The stages' twiddles lie in the order of
 * their use behind the quarter of a sine that the split reads; mote/isa has the inner loop.
 *
 * range: the sum of the magnitudes of all inputs stays below 2^29 (inputs below 2^(29 - log2n) do). Every
 * number that a stage makes is a sum of inputs with weights of magnitude 1, so it stays below 2^29 sqrt(2), and
 * below 2^30 sqrt(2) in the split, where pairs are added: nothing is ever scaled, only products are rounded.
 * errors: each of a product's two parts is cut to an even number; with
 * twiddles of 16 bits the spectrum of a full-scale frame is 85 dB clean or better (test_dsp measures it). */
#include "mote/dsp/dsp.h"
#include "mote/isa/isa.h"

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
  const uint32_t w = (uint32_t)eighth | (uint32_t)eighth << 16;
  for (const int32_t *const end = x + 2 * points; x < end; x += 16) {
    const struct mote_complex t = mote_isa_half_turn(x[10], x[11], w);
    const struct mote_complex u = mote_isa_half_turn(x[15], -x[14], w); /* -i times it */
    const int32_t re0 = x[0], im0 = x[1], re2 = x[4], im2 = x[5], c = x[12], d = x[13];
    x[0] = re0 + x[8], x[1] = im0 + x[9];
    x[8] = re0 - x[8], x[9] = im0 - x[9];
    x[4] = re2 + d, x[5] = im2 - c;
    x[12] = re2 - d, x[13] = im2 + c;
    const int32_t re1 = x[2], im1 = x[3], re3 = x[6], im3 = x[7];
    x[2] = re1 + 2 * t.re, x[3] = im1 + 2 * t.im;
    x[10] = re1 - 2 * t.re, x[11] = im1 - 2 * t.im;
    x[6] = re3 + 2 * u.re, x[7] = im3 + 2 * u.im;
    x[14] = re3 - 2 * u.re, x[15] = im3 - 2 * u.im;
  }
}

/* Z(k) = E(k) + i O(k), E and O the DFTs of the even and odd samples; X(k) = E(k) + w^k O(k),
 * X(n/2 - k) = conj(E(k) - w^k O(k)). */
static void fft_split(int32_t *x, uint32_t points, const int16_t *sine) {
  const int32_t re0 = x[0], im0 = x[1];
  mote_isa_fft_split(x + 2, x + 2 * points - 2, sine + 1, sine + points / 2 - 1);
  x[0] = re0 + im0, x[1] = re0 - im0;
  x[points + 1] = -x[points + 1]; /* k = n/4: X = conj Z */
}

uint32_t mote_fft_table_values(unsigned log2n) {
  const uint32_t n = 1u << log2n;
  uint32_t turns = 0;
  for (uint32_t each = log2n % 2 ? 4 : 8; each < n / 2; each *= 4) turns += 3 * (each - 1);
  return n / 4 + 2 + 2 * turns;
}

/* The complex transform of n / 2 points, whose places are bit-reversed on entry. */
static void fft_complex(int32_t *x, unsigned log2n, const int16_t *table) {
  const uint32_t n = 1u << log2n, points = n / 2;
  const uint32_t *turns = (const uint32_t *)(const void *)(table + n / 4 + 2);
  fft_first(x, points);
  uint32_t each = 4;
  if (log2n % 2 == 0) { /* points = 2^odd */
    fft_two(x, points, table[n / 8]);
    each = 8;
  }
  for (; each < points; turns += 3 * (each - 1), each *= 4)
    mote_isa_fft_four(x, x + 2 * points, each, turns);
}

void mote_fft_real(int32_t *x, unsigned log2n, const int16_t *table) {
  MOTE_ASSERT(log2n >= 4 && log2n <= 12);
  fft_complex(x, log2n, table);
  fft_split(x, 1u << (log2n - 1), table);
}

/* Pairs change places with those at their bit-reversed place. */
static void fft_reverse(int32_t *x, uint32_t points) {
  uint32_t place = 0;
  for (uint32_t t = 0; t < points; t++) {
    if (t < place) {
      const int32_t re = x[2 * t], im = x[2 * t + 1];
      x[2 * t] = x[2 * place], x[2 * t + 1] = x[2 * place + 1];
      x[2 * place] = re, x[2 * place + 1] = im;
    }
    uint32_t bit = points / 2; /* adds one at the top, carries downwards */
    for (; place & bit; bit >>= 1) place ^= bit;
    place |= bit;
  }
}

/* How far all numbers go down so that their magnitudes sum to less than 2^27. Each is counted in steps of 2^12, rounded up:
 * n <= 4096 of at most 2^19 + 1. */
static int32_t fft_headroom(const int32_t *x, uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += ((uint32_t)(x[i] ^ (x[i] >> 31)) >> 12) + 1;
  const int32_t shift = 32 - mote_zeros_of(sum) + 12 - 27;
  return shift > 0 ? shift : 0;
}

/* With A = conj X the split's own formula makes conj Z of it: conj Z(k) = (A(k) + conj A(n/2 - k)) / 2 - i w^k (A(k) - conj
 * A(n/2 - k)) / 2. The forward transform of conj Z is then n/2 times conj z.
 * range: |Z(k)| <= |A(k)| + |A(n/2 - k)|, so magnitudes of all parts of Z sum to less than 2 sqrt(2) 2^27 < 2^29. */
int32_t mote_fft_real_inverse(int32_t *x, unsigned log2n, const int16_t *table) {
  MOTE_ASSERT(log2n >= 4 && log2n <= 12);
  const uint32_t n = 1u << log2n, points = n / 2;
  const int32_t shift = fft_headroom(x, n);
  for (uint32_t i = 0; i < n; i += 2) {
    x[i] >>= shift;
    x[i + 1] = -(x[i + 1] >> shift);
  }
  const int32_t first = x[0], last = -x[1];
  x[0] = (first + last) >> 1, x[1] = (last - first) >> 1;
  mote_isa_fft_split(x + 2, x + 2 * points - 2, table + 1, table + points / 2 - 1);
  x[points + 1] = -x[points + 1];
  fft_reverse(x, points);
  fft_complex(x, log2n, table);
  for (uint32_t i = 1; i < n; i += 2) x[i] = -x[i];
  return shift;
}
