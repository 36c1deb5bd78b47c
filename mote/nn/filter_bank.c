/* filter_bank: SignalFilterBank, its square root, spectral subtraction, logarithm and PCAN. */
#include <string.h>

#include "mote/nn/whole.h"

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

static void filter_bank_root_row(const void *params, const void *const *rows, void *state,
                                 void *out) {
  const struct mote_filter_bank_root *p = (const struct mote_filter_bank_root *)params;
  const unsigned shift = (unsigned)*(const uint32_t *)rows[1] & 31u;
  uint32_t *y = (uint32_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const uint64_t x = load_u64(rows[0], i);
    y[i] = mote_signal_root(x) >> shift;
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
  for (uint32_t i = 0; i < p->n; i++)
    y[i] = mote_signal_subtract(&p->noise, i & 1, x[i], &noise[i]);
  memmove((void *)mote_written(rows[2]), noise, 4 * (size_t)p->n);
}

MOTE_WHOLE_KERNEL(spectral_subtraction, mote_spectral_subtraction)

enum mote_status mote_spectral_subtraction_check(const struct mote_spectral_subtraction *p,
                                                 const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_signal_noise_is_good(&p->noise)) return MOTE_ERR_PARAMS;
  const uint64_t bytes = 4 * (uint64_t)p->n;
  return b->n_in == 2 && mote_bounds_whole(b, 0, bytes) && mote_bounds_written(b, 1, bytes) &&
                 mote_bounds_written(b, 2, bytes) && bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalFilterBankLog ------------------------------------------------------------ */

static void filter_bank_log_row(const void *params, const void *const *rows, void *state,
                                void *out) {
  const struct mote_filter_bank_log *p = (const struct mote_filter_bank_log *)params;
  const uint32_t *x = (const uint32_t *)rows[0];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++)
    y[i] = mote_signal_log(x[i] << p->correction_bits, p->output_scale);
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

static void pcan_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_pcan *p = (const struct mote_pcan *)params;
  const uint32_t *x = (const uint32_t *)rows[0], *noise = (const uint32_t *)rows[1];
  const int16_t *table = (const int16_t *)rows[2];
  uint32_t *y = (uint32_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) y[i] = mote_signal_pcan(x[i], noise[i], table, p->snr_shift);
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
