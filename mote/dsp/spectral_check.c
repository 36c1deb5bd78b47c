/* The kind "spectral": how many values it gives, and the proof of its parameters. */
#include "mote/dsp/private.h"

uint32_t mote_spectral_values(const struct mote_spectral *p, int low) {
  const uint32_t v = p->values | (low ? MOTE_SPECTRAL_SHAPE : 0);
  uint32_t n = 0;
  for (uint32_t bit = 1; bit <= MOTE_SPECTRAL_DENSITIES; bit *= 2)
    if (v & bit)
      n += bit == MOTE_SPECTRAL_SHAPE                                     ? 2
           : bit == MOTE_SPECTRAL_POWERS                                  ? p->bins
           : bit == MOTE_SPECTRAL_BANDS || bit == MOTE_SPECTRAL_DENSITIES ? p->bands
           : bit == MOTE_SPECTRAL_PEAKS || bit == MOTE_SPECTRAL_HEIGHTS   ? 2u * p->peaks
                                                                          : 1;
  return n;
}

/* The plain op gives the values alone that it knows, the same as the full one. */
int mote_spectral_is_plain(const struct mote_spectral *p) {
  return !(p->values & ~(MOTE_SPECTRAL_RMS | MOTE_SPECTRAL_SKEWNESS | MOTE_SPECTRAL_KURTOSIS |
                         MOTE_SPECTRAL_POWERS)) &&
         !p->hold && !p->low && !p->filters;
}

static int lies_behind(const struct mote_features *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof(struct mote_spectral) && at < (1 << 24) &&
         mote_features_table_fits(f, f->params_at + at, n);
}

static int bands_fit(const struct mote_spectral *p) {
  const uint16_t *const band = mote_at(p, p->band_at);
  const uint32_t half = 1u << (p->fft_log2 - 1);
  for (uint32_t b = 0; b < p->bands; b++)
    if (band[b + 1] < band[b] || band[b + 1] > half + 1) return 0;
  return 1;
}

/* Sine and cosine of an angle are no longer than 1, or a transform could grow beyond its bound. */
static int sine_fits(const int32_t *sine, uint32_t quarter) {
  for (uint32_t k = 0; k <= quarter; k++) {
    const int64_t s = sine[k], c = sine[quarter - k];
    if (s < 0 || s > 1 << 30 || c < 0 || c > 1 << 30 ||
        s * s + c * c > ((int64_t)1 << 60) + ((int64_t)1 << 32))
      return 0;
  }
  return 1;
}

enum mote_status mote_features_check_spectral(const struct mote_features *f) {
  const struct mote_spectral *const p = mote_at(f, f->params_at);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p) || f->params_at >= (1 << 24))
    return MOTE_ERR_BOUNDS;
  if (p->fft_log2 < 4 || p->fft_log2 > 12 || f->cell_bytes != 4 || f->fft_log2 || !p->values ||
      p->values > MOTE_SPECTRAL_ALL || p->hold > MOTE_SPECTRAL_FIRST || p->linear > 1 ||
      p->fill > 1 || p->low > 1)
    return MOTE_ERR_PARAMS;
  const uint32_t fft = 1u << p->fft_log2;
  if (!p->hop || p->hop > fft || !p->bins || (uint32_t)p->first + p->bins > fft / 2 + 1 ||
      p->bands > 64 || p->peaks > 16 || p->fraction < 4 || p->fraction > 14 || p->filters > 4 ||
      p->sections > 40)
    return MOTE_ERR_PARAMS;
  if (f->columns !=
      f->channels * (mote_spectral_values(p, 0) + (p->low ? mote_spectral_values(p, 1) : 0)))
    return MOTE_ERR_PARAMS;
  const uint32_t filters = (uint32_t)p->filters + p->low;
  if (!lies_behind(f, p->filter_at, filters * sizeof(struct mote_filter)) ||
      !lies_behind(f, p->section_at, p->sections * sizeof(struct mote_section)) ||
      !lies_behind(f, p->sine_at, sizeof(int32_t) * (fft / 4 + 1)) ||
      !lies_behind(f, p->band_at, sizeof(uint16_t) * (p->bands + 1u)))
    return MOTE_ERR_BOUNDS;
  if (p->values & (MOTE_SPECTRAL_HEIGHTS | MOTE_SPECTRAL_DENSITIES) &&
      !lies_behind(f, mote_spectral_units_at(p),
                   sizeof(struct mote_spectral_units) + sizeof(uint32_t) * f->channels))
    return MOTE_ERR_BOUNDS;
  const int32_t *const sine = mote_at(p, p->sine_at);
  if (!sine_fits(sine, fft / 4) || !bands_fit(p) ||
      !mote_filters_fit(mote_at(p, p->filter_at), filters, mote_at(p, p->section_at), p->sections))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
