/* filter_bank: SignalFilterBank, its square root, spectral subtraction, logarithm and PCAN. */
#include <string.h>

#include "mote/nn/whole.h"

/* Bits up to the highest one that is set; 0 of 0. */
static unsigned bit_length(uint64_t x) {
  unsigned n = 0;
  for (; x != 0; x >>= 1) n++;
  return n;
}

/* A tensor's row is aligned to 4. */
static uint64_t load_u64(const void *at, uint32_t i) {
  uint64_t x;
  memcpy(&x, (const uint8_t *)at + 8 * (size_t)i, 8);
  return x;
}

/* ---- SignalFilterBank ------------------------------------------------------------- */

/* Weights may be negative: sums are modulo 2^64. */
static uint64_t weigh(const int16_t *w, const uint32_t *x, int16_t n) {
  uint64_t sum = 0;
  for (int16_t j = 0; j < n; j++) sum += (uint64_t)(int64_t)w[j] * x[j];
  return sum;
}

static void filter_bank_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_filter_bank *p = (const struct mote_filter_bank *)params;
  const int16_t *frequency = (const int16_t *)mote_at(p, p->frequency_at);
  const int16_t *weight = (const int16_t *)mote_at(p, p->weight_at);
  const int16_t *width = (const int16_t *)mote_at(p, p->width_at);
  const int16_t *weights = (const int16_t *)mote_at(p, p->weights_at);
  const int16_t *unweights = (const int16_t *)mote_at(p, p->unweights_at);
  const uint32_t *x = (const uint32_t *)rows[0];
  (void)state;
  for (uint32_t c = 0; c < p->channels; c++) {
    const uint64_t y = weigh(unweights + weight[c], x + frequency[c], width[c]) +
                       weigh(weights + weight[c + 1], x + frequency[c + 1], width[c + 1]);
    memcpy((uint8_t *)out + 8 * (size_t)c, &y, 8);
  }
}

MOTE_WHOLE_KERNEL(filter_bank, mote_filter_bank)

enum mote_status mote_filter_bank_check(const struct mote_filter_bank *p,
                                        const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const uint64_t bands = 2 * ((uint64_t)p->channels + 1), weights = 2 * (uint64_t)p->n_weights;
  if (!mote_bounds_constant(b, p->frequency_at, bands) ||
      !mote_bounds_constant(b, p->weight_at, bands) ||
      !mote_bounds_constant(b, p->width_at, bands) ||
      !mote_bounds_constant(b, p->weights_at, weights) ||
      !mote_bounds_constant(b, p->unweights_at, weights) ||
      !mote_bounds_whole(b, 0, 4 * (uint64_t)p->in_n) || 8 * (uint64_t)p->channels > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  const int16_t *frequency = (const int16_t *)mote_at(p, p->frequency_at);
  const int16_t *weight = (const int16_t *)mote_at(p, p->weight_at);
  const int16_t *width = (const int16_t *)mote_at(p, p->width_at);
  for (uint32_t c = 0; c <= p->channels; c++)
    if (frequency[c] < 0 || weight[c] < 0 || width[c] < 0 ||
        (int32_t)frequency[c] + width[c] > (int32_t)p->in_n ||
        (int32_t)weight[c] + width[c] > (int32_t)p->n_weights)
      return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

/* ---- SignalFilterBankSquareRoot --------------------------------------------------- */

/* round(sqrt(x)), at most `most`: bit by bit, as on paper; what is left over decides the rounding. */
static uint32_t square_root(uint64_t x, uint32_t most) {
  uint64_t root = 0, bit = 1;
  if (x == 0) return 0;
  bit <<= (bit_length(x) - 1) & ~1u;
  for (; bit != 0; bit >>= 2) {
    const uint64_t trial = root + bit;
    root >>= 1;
    if (x >= trial) {
      x -= trial;
      root += bit;
    }
  }
  return (uint32_t)(x > root && root != most ? root + 1 : root);
}

static void filter_bank_root_row(const void *params, const void *const *rows, void *state,
                                 void *out) {
  const struct mote_filter_bank_root *p = (const struct mote_filter_bank_root *)params;
  const unsigned shift = (unsigned)*(const uint32_t *)rows[1] & 31u;
  uint32_t *y = (uint32_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const uint64_t x = load_u64(rows[0], i);
    y[i] = square_root(x, x >> 32 == 0 ? UINT16_MAX : UINT32_MAX) >> shift;
  }
}

MOTE_WHOLE_KERNEL(filter_bank_root, mote_filter_bank_root)

enum mote_status mote_filter_bank_root_check(const struct mote_filter_bank_root *p,
                                             const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  return mote_bounds_whole(b, 0, 8 * (uint64_t)p->n) && mote_bounds_whole(b, 1, 4) &&
                 4 * (uint64_t)p->n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalFilterBankSpectralSubtraction ------------------------------------------- */

static void spectral_subtraction_row(const void *params, const void *const *rows, void *state,
                                     void *out) {
  const struct mote_spectral_subtraction *p = (const struct mote_spectral_subtraction *)params;
  const uint32_t *x = (const uint32_t *)rows[0];
  uint32_t *noise = (uint32_t *)mote_written(rows[1]), *y = (uint32_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const uint32_t scaled = x[i] << p->smoothing_bits;
    const uint64_t sum =
        (uint64_t)scaled * p->smoothing[i & 1] + (uint64_t)noise[i] * p->one_minus_smoothing[i & 1];
    uint32_t estimate = (uint32_t)(sum >> p->bits);
    const uint32_t least = (uint32_t)(((uint64_t)x[i] * p->min_signal_remaining) >> p->bits);
    const int above = estimate > scaled;
    if (!above || !p->clamping) noise[i] = estimate;
    if (above) estimate = scaled;
    if (above && p->clamping) noise[i] = scaled;
    const uint32_t left = (scaled - estimate) >> p->smoothing_bits;
    y[i] = left > least ? left : least;
  }
  memmove((void *)mote_written(rows[2]), noise, 4 * (size_t)p->n);
}

MOTE_WHOLE_KERNEL(spectral_subtraction, mote_spectral_subtraction)

enum mote_status mote_spectral_subtraction_check(const struct mote_spectral_subtraction *p,
                                                 const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->smoothing_bits > 31 || p->bits > 63 || p->clamping > 1) return MOTE_ERR_PARAMS;
  const uint64_t bytes = 4 * (uint64_t)p->n;
  return b->n_in == 2 && mote_bounds_whole(b, 0, bytes) && mote_bounds_written(b, 1, bytes) &&
                 mote_bounds_written(b, 2, bytes) && bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalFilterBankLog ------------------------------------------------------------ */

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

static void filter_bank_log_row(const void *params, const void *const *rows, void *state,
                                void *out) {
  const struct mote_filter_bank_log *p = (const struct mote_filter_bank_log *)params;
  const uint32_t *x = (const uint32_t *)rows[0];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const uint32_t scaled = x[i] << p->correction_bits;
    const uint32_t value = scaled > 1 ? scaled_log(scaled, p->output_scale) : 0;
    y[i] = (int16_t)(value < INT16_MAX ? value : INT16_MAX);
  }
}

MOTE_WHOLE_KERNEL(filter_bank_log, mote_filter_bank_log)

enum mote_status mote_filter_bank_log_check(const struct mote_filter_bank_log *p,
                                            const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->correction_bits > 31) return MOTE_ERR_PARAMS;
  return mote_bounds_whole(b, 0, 4 * (uint64_t)p->n) && 2 * (uint64_t)p->n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalPCAN ---------------------------------------------------------------------- */

/* A quadratic in each octave: table[0..2] are the gains of 0, 1 and 2, and three coefficients every four places for
 * numbers of 2, 3 ... 32 bits, so that the last read is at 4 * 32 - 6 + 2 = MOTE_PCAN_TABLE - 1. */
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

static void pcan_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_pcan *p = (const struct mote_pcan *)params;
  const uint32_t *x = (const uint32_t *)rows[0], *noise = (const uint32_t *)rows[1];
  const int16_t *table = (const int16_t *)rows[2];
  uint32_t *y = (uint32_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const uint32_t gain = (uint32_t)(int32_t)gain_of(noise[i], table);
    y[i] = shrink((uint32_t)(((uint64_t)x[i] * gain) >> p->snr_shift));
  }
}

MOTE_WHOLE_KERNEL(pcan, mote_pcan)

enum mote_status mote_pcan_check(const struct mote_pcan *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->snr_shift > 63) return MOTE_ERR_PARAMS;
  const uint64_t bytes = 4 * (uint64_t)p->n;
  return mote_bounds_whole(b, 0, bytes) && mote_bounds_whole(b, 1, bytes) &&
                 mote_bounds_whole(b, 2, 2 * MOTE_PCAN_TABLE) && bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
