/* The kind "spectral": moments and the spectrum of each channel of a window.
 *
 *   counts -> filters -> minus the mean -> RMS, skewness, kurtosis
 *                                       -> frames -> |FFT|^2, largest or mean -> powers, bands, what they look like
 *
 * Numbers are int32 with `fraction` digits below a count; before the spectrum all are moved by as many digits as the
 * largest allows, once for the window, so powers of its frames compare. Nothing is lost to the size of a signal: a
 * sensor at rest, a few counts of noise beside gravity, has as many digits as a blow.
 *
 * There are two ops, so that a program holds what it uses: the plain one knows moments and the largest powers; filters
 * and all else are the full one's (spectral_full.c). Their values are the same.
 *
 * The scratch of a row: int32[frame], int32[fft], and a 64-bit power for each bin 0 .. fft / 2. */
#include "mote/dsp/spectral_row.h"

int32_t mote_spectral_level(const struct mote_spectral_work *w, struct mote_scaled power) {
  power.e += w->exponent;
  if (w->p->linear) return mote_scaled_fix(power, -(int32_t)w->p->fft_log2);
  const int32_t v = mote_scaled_log2(power);
  return v > w->p->floor ? v : w->p->floor;
}

/* ---- the op ------------------------------------------------------------------------ */

size_t mote_spectral_scratch_bytes(const struct mote_features *f) {
  const struct mote_spectral *const p = mote_at(f, f->params_at);
  const uint32_t fft = 1u << p->fft_log2;
  return sizeof(int32_t) * (f->frame + fft) + sizeof(struct mote_power) * (fft / 2 + 1);
}

static void spectral_row(const struct mote_features *f, const int16_t *samples, void *state,
                         void *scratch, void *row) {
  (void)state;
  spectral_row_of(f, NULL, samples, scratch, row);
}

const struct mote_features_op mote_features_spectral = {
    .kind = MOTE_FEATURES_SPECTRAL,
    .scratch_bytes = mote_spectral_scratch_bytes,
    .row = spectral_row,
    .finish = mote_features_finish_s32,
};
