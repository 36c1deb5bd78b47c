/* signal: see the header; the transforms of int32 and float, which no audio front end runs, are in signal_wide.c: what a
 * program does not call it does not carry.
 *
 * exact: the transform's rounding is that of kissfft in fixed point, the library behind the reference: products are rounded
 * to the element type one by one (halves up), a division by a radix is a product with 32767 / radix, and sums wrap. */
#include "mote/base/base.h"

/* Bits up to the highest one that is set; 0 of 0. */
static unsigned bit_length(uint64_t x) { return x ? 64u - (unsigned)__builtin_clzll(x) : 0; }

/* ---- the transform ------------------------------------------------------------------ */

int mote_fft_is_good(const struct mote_fft *p) {
  uint32_t n = 1;
  if (p->n_factors < 1 || p->n_factors > MOTE_FFT_FACTORS) return 0;
  for (unsigned f = 0; f < p->n_factors; f++) {
    if (p->factors[f] < 2 || p->factors[f] > 5) return 0;
    n *= p->factors[f]; /* below 5^12 < 2^32 */
  }
  return p->length % 2 == 0 && n == p->length / 2u;
}

/* Sums are made in 32 bits and cut to 16. */
static int16_t wrap_s16(int32_t x) { return (int16_t)x; }
static int16_t round_s16(int32_t x) { return wrap_s16((x + (1 << 14)) >> 15); }
static int16_t add_s16(int16_t a, int16_t b) { return wrap_s16((int32_t)a + b); }
static int16_t sub_s16(int16_t a, int16_t b) { return wrap_s16((int32_t)a - b); }
static int16_t negate_s16(int16_t a) { return wrap_s16(-(int32_t)a); }
static int16_t halve_s16(int16_t a) { return (int16_t)(a >> 1); }
static int16_t times_s16(int16_t a, int16_t b) { return round_s16((int32_t)a * b); }
/* The sum of even and odd is halved before it is cut: below 2^16. */
static int16_t half_sum_s16(int16_t a, int16_t b) { return wrap_s16(((int32_t)a + b) >> 1); }
static int16_t half_difference_s16(int16_t a, int16_t b) { return wrap_s16(((int32_t)a - b) >> 1); }
static int16_t divide_s16(int16_t a, unsigned radix) {
  return round_s16((int32_t)a * (int16_t)(INT16_MAX / radix));
}
/* a*b -+ c*d: twiddles stay within -32767 .. 32767, so the sum is at most 2^31 - 2^16. */
static int16_t cross_s16(int16_t a, int16_t b, int16_t c, int16_t d, int minus) {
  const uint32_t x = (uint32_t)((int32_t)a * b), y = (uint32_t)((int32_t)c * d);
  return wrap_s16((int32_t)((minus ? x - y : x + y) + (1u << 14)) >> 15);
}
static int16_t normalise_s16(int16_t a, uint32_t length) {
  (void)length;
  return a;
}

/* The stages of four are nearly all of a transform, so they are written out: the same numbers in 32 bits. A quarter is at
 * most 8192, its product with a twiddle 11,586, a sum of four 42,950: only what is stored is cut to 16 bits. */
struct pair_s16;
static void radix4_s16(struct pair_s16 *all, const struct pair_s16 *w, uint32_t stride, uint32_t m,
                       uint32_t n, int inverse);

#define VALUE   int16_t
#define NAME(x) x##_s16
#define RADIX4
#include "mote/base/fft.inc"

struct wide {
  int32_t re, im;
};
static inline struct wide quarter(struct pair_s16 a) {
  const struct wide y = {((int32_t)a.re * (INT16_MAX / 4) + (1 << 14)) >> 15,
                         ((int32_t)a.im * (INT16_MAX / 4) + (1 << 14)) >> 15};
  return y;
}
static inline struct wide turned(struct wide a, struct wide w) {
  const struct wide y = {(a.re * w.re - a.im * w.im + (1 << 14)) >> 15,
                         (a.re * w.im + a.im * w.re + (1 << 14)) >> 15};
  return y;
}
static inline struct pair_s16 stored(int32_t re, int32_t im) {
  const struct pair_s16 y = {wrap_s16(re), wrap_s16(im)};
  return y;
}

/* Four numbers; x, plus and minus: where the first, and those that a quarter turn is added to and taken from, are
 * stored. */
static inline __attribute__((always_inline)) void
four(struct pair_s16 *x, uint32_t m, struct pair_s16 *plus, struct pair_s16 *minus, struct wide a,
     struct wide b, struct wide c, struct wide d) {
  const struct wide even = {a.re + c.re, a.im + c.im}, odd = {a.re - c.re, a.im - c.im};
  const struct wide sum = {b.re + d.re, b.im + d.im}, turn = {b.re - d.re, b.im - d.im};
  x[0] = stored(even.re + sum.re, even.im + sum.im);
  x[2 * m] = stored(even.re - sum.re, even.im - sum.im);
  *plus = stored(odd.re - turn.im, odd.im + turn.re);
  *minus = stored(odd.re + turn.im, odd.im - turn.re);
}

/* A twiddle of 32767 leaves what quarter() gives, at most 2^13, as it is. */
static void radix4_s16(struct pair_s16 *all, const struct pair_s16 *w, uint32_t stride, uint32_t m,
                       uint32_t n, int inverse) {
  const uint32_t up = inverse ? m : 3 * m, down = inverse ? 3 * m : m;
  for (uint32_t k = 0; k < m; k++) {
    const struct wide w1 = {w[k * stride].re, w[k * stride].im};
    const struct wide w2 = {w[2 * k * stride].re, w[2 * k * stride].im};
    const struct wide w3 = {w[3 * k * stride].re, w[3 * k * stride].im};
    if (!k && w1.re == INT16_MAX && !w1.im)
      for (uint32_t i = 0; i < n; i += 4 * m) {
        struct pair_s16 *const x = all + i;
        four(x, m, x + up, x + down, quarter(x[0]), quarter(x[m]), quarter(x[2 * m]),
             quarter(x[3 * m]));
      }
    else
      for (uint32_t i = k; i < n; i += 4 * m) {
        struct pair_s16 *const x = all + i;
        four(x, m, x + up, x + down, quarter(x[0]), turned(quarter(x[m]), w1),
             turned(quarter(x[2 * m]), w2), turned(quarter(x[3 * m]), w3));
      }
  }
}

void mote_fft_s16(const struct mote_fft *p, const int16_t *from, int16_t *to) {
  fft_s16(p, from, to);
}

/* ---- scaling, roots ------------------------------------------------------------------ */

/* exact: -32768 has no int16 magnitude; the reference stores it as -32768, below every later one, whatever its sign. */
static int16_t largest_magnitude(const int16_t *x, uint32_t n) {
  int16_t most = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (x[i] > most)
      most = x[i];
    else if (-(int32_t)x[i] > most)
      most = (int16_t)(uint16_t) - (int32_t)x[i];
  }
  return most;
}

unsigned mote_signal_spare_bits(const int16_t *x, uint32_t n) {
  const int16_t most = largest_magnitude(x, n);
  unsigned bits = 0;
  if (most <= 0) return 0;
  while (((int32_t)most << (bits + 1)) <= INT16_MAX) bits++;
  return bits;
}

/* Bit by bit, as on paper; what is left over decides the rounding. */
static uint32_t short_root(uint32_t x) {
  uint32_t root = 0, bit = (uint32_t)1 << ((bit_length(x) - 1) & ~1u);
  for (; bit != 0; bit >>= 2) {
    const uint32_t trial = root + bit; /* at most x's highest bits: no overflow */
    root >>= 1;
    if (x >= trial) {
      x -= trial;
      root += bit;
    }
  }
  return x > root && root != UINT16_MAX ? root + 1 : root;
}

uint32_t mote_signal_root(uint64_t x) {
  if (x == 0) return 0;
  if (x >> 32 == 0) return short_root((uint32_t)x);
  uint64_t root = 0, bit = (uint64_t)1 << ((bit_length(x) - 1) & ~1u);
  for (; bit != 0; bit >>= 2) {
    const uint64_t trial = root + bit;
    root >>= 1;
    if (x >= trial) {
      x -= trial;
      root += bit;
    }
  }
  return (uint32_t)(x > root && root != UINT32_MAX ? root + 1 : root);
}

/* ---- noise, gain, logarithm ---------------------------------------------------------- */

int mote_signal_noise_is_good(const struct mote_signal_noise *p) {
  return p->smoothing_bits <= 31 && p->bits <= 63 && p->clamping <= 1;
}

uint32_t mote_signal_subtract(const struct mote_signal_noise *p, unsigned odd, uint32_t x,
                              uint32_t *noise) {
  const uint32_t scaled = x << p->smoothing_bits;
  const uint64_t sum =
      (uint64_t)scaled * p->smoothing[odd] + (uint64_t)*noise * p->one_minus_smoothing[odd];
  uint32_t estimate = (uint32_t)(sum >> p->bits);
  const uint32_t least = (uint32_t)(((uint64_t)x * p->min_signal_remaining) >> p->bits);
  const int above = estimate > scaled;
  if (!above || !p->clamping) *noise = estimate;
  if (above) estimate = scaled;
  if (above && p->clamping) *noise = scaled;
  const uint32_t left = (scaled - estimate) >> p->smoothing_bits;
  return left > least ? left : least;
}

/* The last read is at 4 * 32 - 6 + 2 = MOTE_PCAN_TABLE - 1. */
static int16_t gain_of(uint32_t x, const int16_t *table) {
  if (x <= 2) return table[x];
  const unsigned bits = bit_length(x);
  const int16_t *c = table + 4 * bits - 6;
  const uint32_t f = (bits < 11 ? x << (11 - bits) : x >> (bits - 11)) & 0x3FFu;
  uint32_t y = (uint32_t)(((int32_t)c[2] * (int32_t)f) >> 5); /* below 2^20 */
  y += (uint32_t)(int32_t)c[1] << 5;
  y *= f;
  return (int16_t)(uint16_t)((uint32_t)((int32_t)(y + (1u << 14)) >> 15) + (uint32_t)(int32_t)c[0]);
}

/* x^2 / 4 below 2, x - 1 above; 12 fractional bits in, 6 out. */
static uint32_t shrink(uint32_t x) { return x < (2u << 12) ? (x * x) >> 20 : (x >> 6) - (1u << 6); }

uint32_t mote_signal_pcan(uint32_t x, uint32_t noise, const int16_t *table, unsigned snr_shift) {
  const uint32_t gain = (uint32_t)(int32_t)gain_of(noise, table);
  return shrink((uint32_t)(((uint64_t)x * gain) >> snr_shift));
}

/* round(65536 (log2(1 + i/128) - i/128)) as the reference has it, 129 points and one to read beyond. */
static const uint16_t log_table[130] = {
    0,    224,  442,  654,  861,  1063, 1259, 1450, 1636, 1817, 1992, 2163, 2329, 2490, 2646,
    2797, 2944, 3087, 3224, 3358, 3487, 3611, 3732, 3848, 3960, 4068, 4172, 4272, 4368, 4460,
    4549, 4633, 4714, 4791, 4864, 4934, 5001, 5063, 5123, 5178, 5231, 5280, 5326, 5368, 5408,
    5444, 5477, 5507, 5533, 5557, 5578, 5595, 5610, 5622, 5631, 5637, 5640, 5641, 5638, 5633,
    5626, 5615, 5602, 5586, 5568, 5547, 5524, 5498, 5470, 5439, 5406, 5370, 5332, 5291, 5249,
    5203, 5156, 5106, 5054, 5000, 4944, 4885, 4825, 4762, 4697, 4630, 4561, 4490, 4416, 4341,
    4264, 4184, 4103, 4020, 3935, 3848, 3759, 3668, 3575, 3481, 3384, 3286, 3186, 3084, 2981,
    2875, 2768, 2659, 2549, 2437, 2323, 2207, 2090, 1971, 1851, 1729, 1605, 1480, 1353, 1224,
    1094, 963,  830,  695,  559,  421,  282,  142,  0,    0};

/* ln x * scale, log2 in 16 fractional bits on the way. x >= 2. */
static uint32_t scaled_log(uint32_t x, uint32_t scale) {
  const unsigned whole = bit_length(x) - 1;
  const uint32_t rest = x - ((uint32_t)1 << whole);
  const uint32_t f = whole < 16 ? rest << (16 - whole) : rest >> (whole - 16); /* < 2^16 */
  const uint32_t segment = f >> 9;
  const int32_t low = log_table[segment], rise = log_table[segment + 1] - low;
  /* |rise| <= 224, offset in the segment < 512 */
  const uint32_t bend = (uint32_t)(low + ((rise * (int32_t)(f & 511u)) >> 16));
  const uint32_t log2 = ((uint32_t)whole << 16) + f + bend;
  /* 45426 = round(65536 ln 2); log2 < 2^21 */
  const uint32_t ln = (uint32_t)(((uint64_t)45426 * log2 + 32768) >> 16);
  return (scale * ln + 32768) >> 16;
}

int16_t mote_signal_log(uint32_t x, uint32_t scale) {
  const uint32_t value = x > 1 ? scaled_log(x, scale) : 0;
  return (int16_t)(value < INT16_MAX ? value : INT16_MAX);
}
