/* The kind "spectral": filters, moments and the spectrum of each channel of a window.
 *
 *   counts -> filters -> minus the mean -> RMS, skewness, kurtosis
 *                                       -> frames -> |FFT|^2, largest or mean -> powers, bands, what they look like
 *
 * Numbers are int32 with `fraction` digits below a count; before the spectrum all are moved by as many digits as the
 * largest allows, once for the window, so powers of its frames compare. Nothing is lost to the size of a signal: a
 * sensor at rest, a few counts of noise beside gravity, has as many digits as a blow.
 *
 * The scratch of a row: int32[frame], int32[fft], and a 64-bit power for each bin 0 .. fft / 2. */
#include "mote/dsp/spectral.h"
#include "mote/dsp/moments.h"
#include "mote/dsp/private.h"

/* Halves of 64 bits, since scratch is aligned to 4. */
struct power {
  uint32_t low, high;
};

struct work {
  const struct mote_spectral *p;
  const int32_t *sine;
  const uint16_t *band;
  int32_t *x, *fft;
  struct power *power; /* times 2^exponent: counts^2 */
  int32_t exponent;
};

static const struct mote_spectral *spectral_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

uint32_t mote_spectral_values(const struct mote_spectral *p, int low) {
  const uint32_t v = p->values | (low ? MOTE_SPECTRAL_SHAPE : 0);
  uint32_t n = 0;
  for (uint32_t bit = 1; bit <= MOTE_SPECTRAL_PEAKS; bit *= 2)
    if (v & bit)
      n += bit == MOTE_SPECTRAL_SHAPE    ? 2
           : bit == MOTE_SPECTRAL_POWERS ? p->bins
           : bit == MOTE_SPECTRAL_BANDS  ? p->bands
           : bit == MOTE_SPECTRAL_PEAKS  ? 2u * p->peaks
                                         : 1;
  return n;
}

/* ---- powers --------------------------------------------------------------------- */

static uint64_t power_at(const struct work *w, uint32_t k) {
  return ((uint64_t)w->power[k].high << 32) | w->power[k].low;
}

static struct mote_scaled scaled_power(const struct work *w, uint64_t sum) {
  return mote_scaled_of(sum, w->exponent);
}

/* The frame that begins at x, of n numbers, at the places that the transform reads. */
static void place_frame(const struct work *w, const int32_t *x, uint32_t n) {
  const uint32_t points = 1u << (w->p->fft_log2 - 1);
  for (uint32_t t = 0, at = 0; t < points; t++) {
    w->fft[2 * at] = 2 * t < n ? x[2 * t] : 0;
    w->fft[2 * at + 1] = 2 * t + 1 < n ? x[2 * t + 1] : 0;
    uint32_t bit = points / 2; /* at is t with its digits reversed: count from the leading digit */
    while (at & bit) at ^= bit, bit /= 2;
    at |= bit;
  }
}

/* range: |re|, |im| < 2^30, so a power is below 2^61, and the sum of 2^mean_log2 moved by that below 2^61. */
static void keep_power(struct power *kept, int32_t re, int32_t im, int mean, int32_t mean_log2) {
  uint64_t p = (uint64_t)((int64_t)re * re) + (uint64_t)((int64_t)im * im);
  const uint64_t old = ((uint64_t)kept->high << 32) | kept->low;
  if (mean)
    p = old + (p >> mean_log2);
  else if (p <= old)
    return;
  kept->high = (uint32_t)(p >> 32), kept->low = (uint32_t)p;
}

/* x[n] becomes powers. cost: a transform every hop. */
static void powers_of(struct work *w, uint32_t n) {
  const struct mote_spectral *const p = w->p;
  const uint32_t fft = 1u << p->fft_log2, half = fft / 2;
  const int32_t left = mote_level(w->x, n, 29 - p->fft_log2);
  uint32_t frames = p->fill ? (n + p->hop - 1) / p->hop : n < fft ? 1 : (n - fft) / p->hop + 1;
  int32_t mean_log2 = 0;
  for (uint32_t k = 0; k <= half; k++) w->power[k].low = w->power[k].high = 0;
  while (p->mean && (1u << mean_log2) < frames) mean_log2++;
  for (uint32_t i = 0; i < frames; i++) {
    const uint32_t start = i * p->hop;
    place_frame(w, w->x + start, n - start);
    mote_fft_real32(w->fft, p->fft_log2, w->sine);
    for (uint32_t k = 0; k <= half; k++) {
      const int32_t re = k < half ? w->fft[2 * k] : w->fft[1];
      const int32_t im = k && k < half ? w->fft[2 * k + 1] : 0;
      keep_power(&w->power[k], re, im, p->mean, mean_log2);
    }
  }
  w->exponent = -2 * (left + p->fraction) - p->fft_log2;
  if (!p->mean) return;
  /* The sum has 2^-mean_log2 of each: the mean is that times 2^mean_log2 / frames. */
  const struct mote_scaled count = mote_scaled_of(frames, -mean_log2);
  for (uint32_t k = 0; k <= half; k++) {
    const struct mote_scaled mean = mote_scaled_div(mote_scaled_of(power_at(w, k), 0), count);
    const int32_t up = mean.e + 31; /* the least digit stays: 32 digits are kept of at most 62 */
    const uint64_t v = !mean.m      ? 0
                       : mean.e < 0 ? (up < 0 ? 0 : mean.m >> -mean.e)
                                    : (uint64_t)mean.m << mean.e;
    w->power[k].high = (uint32_t)(v >> 32), w->power[k].low = (uint32_t)v;
  }
}

/* ---- what the powers look like ---------------------------------------------------- */

static int32_t level_of(const struct work *w, struct mote_scaled power) {
  if (w->p->linear) return mote_scaled_fix(power, -(int32_t)w->p->fft_log2);
  const int32_t v = mote_scaled_log2(power);
  return v > w->p->floor ? v : w->p->floor;
}

/* The powers of bins from .. from + n - 1 as numbers below 2^30, in the transform's memory. */
static int32_t *level_powers(const struct work *w, uint32_t from, uint32_t n) {
  uint64_t most = 0;
  for (uint32_t k = 0; k < n; k++) most |= power_at(w, from + k);
  unsigned down = 0;
  while ((most >> down) >> 30) down++;
  for (uint32_t k = 0; k < n; k++) w->fft[k] = (int32_t)(power_at(w, from + k) >> down);
  return w->fft;
}

static int32_t *put_shape(const struct work *w, int32_t *out) {
  struct mote_moments m;
  const uint32_t n = (1u << (w->p->fft_log2 - 1)) + 1;
  mote_moments(level_powers(w, 0, n), n, &m);
  *out++ = m.skewness;
  *out++ = m.kurtosis;
  return out;
}

static int32_t *put_bands(const struct work *w, int32_t *out) {
  for (uint32_t b = 0; b < w->p->bands; b++) {
    uint64_t sum = 0; /* at most 2049 powers below 2^61 / 2^12 */
    const uint32_t from = w->band[b], end = w->band[b + 1];
    for (uint32_t k = from; k < end; k++) sum += power_at(w, k) >> 12;
    struct mote_scaled mean = mote_scaled_div(scaled_power(w, sum), mote_scaled_of(end - from, 0));
    mean.e += 12;
    *out++ = level_of(w, mean);
  }
  return out;
}

/* Centroid, roll-off and flatness of the bins in use. range: powers below 2^30, at most 2049 bins of at most 2048. */
static int32_t *put_place(const struct work *w, int32_t *out) {
  const uint32_t values = w->p->values, n = w->p->bins, first = w->p->first;
  const int32_t *const power = level_powers(w, first, n);
  uint64_t sum = 0, moment = 0, part = 0;
  int64_t logs = 0;
  for (uint32_t k = 0; k < n; k++) {
    sum += (uint32_t)power[k];
    moment += (uint64_t)(uint32_t)power[k] * (first + k);
    logs += mote_scaled_log2(mote_scaled_of((uint32_t)power[k] | 1u, 0));
  }
  const struct mote_scaled all = mote_scaled_of(sum, 0);
  if (values & MOTE_SPECTRAL_CENTROID)
    *out++ = mote_scaled_fix(mote_scaled_div(mote_scaled_of(moment, 0), all), 16);
  if (values & MOTE_SPECTRAL_ROLLOFF) {
    const uint64_t most = sum * 55705 / 65536; /* 85 % */
    uint32_t k = 0;
    while (k + 1 < n && part + (uint32_t)power[k] < most) part += (uint32_t)power[k++];
    *out++ = (int32_t)((first + k) << 16);
  }
  if (values & MOTE_SPECTRAL_FLATNESS)
    *out++ =
        sum ? mote_mean_of(logs, n) - mote_scaled_log2(mote_scaled_div(all, mote_scaled_of(n, 0)))
            : 0;
  return out;
}

/* The largest maxima, largest first; a bin is taken once. Where there are fewer: bin 0 and the floor. */
static int32_t *put_peaks(const struct work *w, int32_t *out) {
  const uint32_t half = 1u << (w->p->fft_log2 - 1), end = w->p->first + w->p->bins;
  uint64_t below = UINT64_MAX;
  uint32_t behind = 0;
  for (uint32_t i = 0; i < w->p->peaks; i++) {
    uint64_t best = 0;
    uint32_t at = 0;
    for (uint32_t k = w->p->first ? w->p->first : 1; k < end && k < half; k++) {
      const uint64_t v = power_at(w, k);
      if (v <= power_at(w, k - 1) || v < power_at(w, k + 1)) continue;
      if ((v < below || (v == below && k > behind)) && v > best) best = v, at = k;
    }
    *out++ = (int32_t)(at << 16);
    *out++ = level_of(w, scaled_power(w, best));
    below = best, behind = at;
  }
  return out;
}

static int32_t *put_values(struct work *w, uint32_t n, uint32_t values, int32_t *out) {
  struct mote_moments m;
  mote_moments(w->x, n, &m);
  if (values & MOTE_SPECTRAL_RMS) *out++ = mote_scaled_fix(m.deviation, 12 - w->p->fraction);
  if (values & MOTE_SPECTRAL_SKEWNESS) *out++ = m.skewness;
  if (values & MOTE_SPECTRAL_KURTOSIS) *out++ = m.kurtosis;
  if (!(values & ~(MOTE_SPECTRAL_RMS | MOTE_SPECTRAL_SKEWNESS | MOTE_SPECTRAL_KURTOSIS)))
    return out;
  powers_of(w, n);
  if (values & MOTE_SPECTRAL_SHAPE) out = put_shape(w, out);
  if (values & MOTE_SPECTRAL_POWERS)
    for (uint32_t k = 0; k < w->p->bins; k++)
      *out++ = level_of(w, scaled_power(w, power_at(w, w->p->first + k)));
  if (values & MOTE_SPECTRAL_BANDS) out = put_bands(w, out);
  if (values & (MOTE_SPECTRAL_CENTROID | MOTE_SPECTRAL_ROLLOFF | MOTE_SPECTRAL_FLATNESS))
    out = put_place(w, out);
  if (values & MOTE_SPECTRAL_PEAKS) out = put_peaks(w, out);
  return out;
}

/* ---- the op ------------------------------------------------------------------------ */

static size_t spectral_scratch_bytes(const struct mote_features *f) {
  const uint32_t fft = 1u << spectral_of(f)->fft_log2;
  return sizeof(int32_t) * (f->frame + fft) + sizeof(struct power) * (fft / 2 + 1);
}

/* Where filters and mean have been, the low pass begins: x holds what is left of the mean's removal, moved by
 * the spectrum's digits; so the channel is read again. */
static uint32_t filtered(const struct mote_features *f, const struct work *w, const int16_t *in,
                         uint32_t filters) {
  const struct mote_spectral *const p = w->p;
  const struct mote_filter *filter = mote_at(p, p->filter_at);
  const struct mote_section *section = mote_at(p, p->section_at);
  uint32_t n = f->frame;
  for (uint32_t t = 0; t < n; t++) w->x[t] = (int32_t)in[t * f->stride] * (1 << p->fraction);
  for (uint32_t i = 0; i < filters; section += filter->sections, filter++, i++)
    n = mote_filter_run(filter, section, w->x, n);
  return n;
}

static void spectral_row(const struct mote_features *f, const int16_t *samples, void *state,
                         void *scratch, void *row) {
  const struct mote_spectral *const p = spectral_of(f);
  const uint32_t fft = 1u << p->fft_log2;
  int32_t *const x = scratch, *out = row;
  struct work w = {p, mote_at(p, p->sine_at), mote_at(p, p->band_at),
                   x, x + f->frame,           (struct power *)(void *)(x + f->frame + fft),
                   0};
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++) {
    const uint32_t n = filtered(f, &w, mote_features_channel(f, samples, c), p->filters);
    out = put_values(&w, n, p->values, out);
  }
  for (uint32_t c = 0; c < f->channels && p->low; c++) {
    const uint32_t n = filtered(f, &w, mote_features_channel(f, samples, c), p->filters + 1u);
    out = put_values(&w, n, p->values | MOTE_SPECTRAL_SHAPE, out);
  }
}

static int lies_behind(const struct mote_features *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof(struct mote_spectral) && at < (1 << 24) &&
         mote_features_table_fits(f, f->params_at + at, n);
}

static int bands_fit(const struct mote_spectral *p) {
  const uint16_t *const band = mote_at(p, p->band_at);
  const uint32_t half = 1u << (p->fft_log2 - 1);
  for (uint32_t b = 0; b < p->bands; b++)
    if (band[b + 1] <= band[b] || band[b + 1] > half + 1) return 0;
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
  const struct mote_spectral *const p = spectral_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p) || f->params_at >= (1 << 24))
    return MOTE_ERR_BOUNDS;
  if (p->fft_log2 < 4 || p->fft_log2 > 12 || f->cell_bytes != 4 || f->fft_log2 || !p->values ||
      p->values > MOTE_SPECTRAL_ALL || p->mean > 1 || p->linear > 1 || p->fill > 1 || p->low > 1)
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
  const int32_t *const sine = mote_at(p, p->sine_at);
  if (!sine_fits(sine, fft / 4) || !bands_fit(p) ||
      !mote_filters_fit(mote_at(p, p->filter_at), filters, mote_at(p, p->section_at), p->sections))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

const struct mote_features_op mote_features_spectral = {
    .kind = MOTE_FEATURES_SPECTRAL,
    .scratch_bytes = spectral_scratch_bytes,
    .row = spectral_row,
    .finish = mote_features_finish_s32,
};
