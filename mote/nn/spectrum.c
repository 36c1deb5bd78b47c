/* spectrum: SignalWindow, SignalFftAutoScale, SignalEnergy: what stands around a Fourier transform. */
#include <string.h>

#include "mote/nn/whole.h"

static int16_t saturate_s16(int32_t x) { return (int16_t)mote_clamp(x, INT16_MIN, INT16_MAX); }

/* ---- SignalWindow --------------------------------------------------------------- */

static void signal_window_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_signal_window *p = (const struct mote_signal_window *)params;
  const int16_t *x = (const int16_t *)rows[0], *w = (const int16_t *)rows[1];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t at = 0; at < p->n; at += p->period)
    for (uint32_t i = 0; i < p->period; i++)
      y[at + i] = saturate_s16(((int32_t)x[at + i] * w[i]) >> p->shift);
}

MOTE_WHOLE_KERNEL(signal_window, mote_signal_window)

enum mote_status mote_signal_window_check(const struct mote_signal_window *p,
                                          const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->n == 0 || p->period == 0 || p->n % p->period != 0 || p->shift > 31) return MOTE_ERR_PARAMS;
  return mote_bounds_whole(b, 0, 2 * (uint64_t)p->n) &&
                 mote_bounds_whole(b, 1, 2 * (uint64_t)p->period) &&
                 2 * (uint64_t)p->n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalFftAutoScale ---------------------------------------------------------- */

static void signal_scale_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_signal_scale *p = (const struct mote_signal_scale *)params;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *y = (int16_t *)out;
  const unsigned bits = mote_signal_spare_bits(x, p->n);
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) y[i] = (int16_t)(uint16_t)((uint32_t)(int32_t)x[i] << bits);
  *(int32_t *)mote_written(rows[1]) = (int32_t)bits;
}

MOTE_WHOLE_KERNEL(signal_scale, mote_signal_scale)

enum mote_status mote_signal_scale_check(const struct mote_signal_scale *p,
                                         const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  return b->n_in == 1 && mote_bounds_whole(b, 0, 2 * (uint64_t)p->n) &&
                 mote_bounds_written(b, 1, 4) && 2 * (uint64_t)p->n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalEnergy ---------------------------------------------------------------- */

static void signal_energy_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_signal_energy *p = (const struct mote_signal_energy *)params;
  const int16_t *x = (const int16_t *)rows[0];
  uint32_t *y = (uint32_t *)out;
  (void)state;
  memset(y, 0, 4 * (size_t)p->n);
  for (uint32_t i = p->first; i < p->end; i++) {
    const int32_t re = x[2 * i], im = x[2 * i + 1];
    y[i] = (uint32_t)(re * re) + (uint32_t)(im * im);
  }
}

MOTE_WHOLE_KERNEL(signal_energy, mote_signal_energy)

enum mote_status mote_signal_energy_check(const struct mote_signal_energy *p,
                                          const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->first > p->end || p->end > p->n) return MOTE_ERR_PARAMS;
  return mote_bounds_whole(b, 0, 4 * (uint64_t)p->end) && 4 * (uint64_t)p->n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
