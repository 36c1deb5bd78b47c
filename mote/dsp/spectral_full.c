/* The kind "spectral" with all that it can do: filters, means, and what the powers look like. See spectral.c. */
#include "mote/dsp/spectral_row.h"

static uint32_t filtered(struct mote_spectral_work *w, uint32_t n, uint32_t filters) {
  const struct mote_filter *filter = mote_at(w->p, w->p->filter_at);
  const struct mote_section *section = mote_at(w->p, w->p->section_at);
  for (uint32_t i = 0; i < filters; section += filter->sections, filter++, i++)
    n = mote_filter_run(filter, section, w->x, n);
  return n;
}

/* The mean is the sum times 2^down / frames; 32 digits are kept of at most 62. */
static void mean_powers(struct mote_spectral_work *w, uint32_t frames, int32_t down) {
  const struct mote_scaled count = mote_scaled_of(frames, -down);
  for (uint32_t k = 0; k <= 1u << (w->p->fft_log2 - 1); k++) {
    const struct mote_scaled mean = mote_scaled_div(mote_scaled_of(mote_power_at(w, k), 0), count);
    const uint64_t v = mean.e < -31 ? 0
                       : mean.e < 0 ? mean.m >> -mean.e
                                    : (uint64_t)mean.m << mean.e;
    w->power[k].high = (uint32_t)(v >> 32), w->power[k].low = (uint32_t)v;
  }
}

/* The powers of bins from .. from + n - 1 as numbers below 2^30, in the transform's memory. */
static int32_t *level_powers(const struct mote_spectral_work *w, uint32_t from, uint32_t n) {
  uint64_t most = 0;
  for (uint32_t k = 0; k < n; k++) most |= mote_power_at(w, from + k);
  unsigned down = 0;
  while ((most >> down) >> 30) down++;
  for (uint32_t k = 0; k < n; k++) w->fft[k] = (int32_t)(mote_power_at(w, from + k) >> down);
  return w->fft;
}

static int32_t *put_shape(const struct mote_spectral_work *w, int32_t *out) {
  struct mote_moments m;
  const uint32_t n = (1u << (w->p->fft_log2 - 1)) + 1;
  mote_moments(level_powers(w, 0, n), n, &m);
  *out++ = m.skewness;
  *out++ = m.kurtosis;
  return out;
}

static int32_t *put_bands(const struct mote_spectral_work *w, int32_t *out) {
  for (uint32_t b = 0; b < w->p->bands; b++) {
    uint64_t sum = 0; /* at most 2049 powers below 2^61 / 2^12 */
    const uint32_t from = w->band[b], end = w->band[b + 1];
    for (uint32_t k = from; k < end; k++) sum += mote_power_at(w, k) >> 12;
    *out++ = mote_spectral_level(
        w, mote_scaled_div(mote_scaled_of(sum, 12), mote_scaled_of(end - from, 0)));
  }
  return out;
}

/* Centroid, roll-off and flatness of the bins in use. range: powers below 2^30, at most 2049 bins of at most 2048. */
static int32_t *put_place(const struct mote_spectral_work *w, int32_t *out) {
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

/* The next smaller maximum below `last`, a bin taken once; of equal ones the lower bin first. 0: there is none. */
struct maximum {
  uint64_t power;
  uint32_t bin;
};
static struct maximum next_maximum(const struct mote_spectral_work *w, struct maximum last) {
  const uint32_t half = 1u << (w->p->fft_log2 - 1), end = w->p->first + w->p->bins;
  struct maximum best = {0, 0};
  for (uint32_t k = w->p->first ? w->p->first : 1; k < end && k < half; k++) {
    const uint64_t v = mote_power_at(w, k);
    if (v <= mote_power_at(w, k - 1) || v < mote_power_at(w, k + 1)) continue;
    if ((v < last.power || (v == last.power && k > last.bin)) && v > best.power)
      best.power = v, best.bin = k;
  }
  return best;
}

/* Where there are fewer: bin 0 and the floor. */
static int32_t *put_peaks(const struct mote_spectral_work *w, int32_t *out) {
  struct maximum m = {UINT64_MAX, 0};
  for (uint32_t i = 0; i < w->p->peaks; i++) {
    m = next_maximum(w, m);
    *out++ = (int32_t)(m.bin << 16);
    *out++ = mote_spectral_level(w, mote_scaled_of(m.power, 0));
  }
  return out;
}

/* A line's amplitude is 2 |X| / fft, the power |X|^2 / fft. Where there are fewer: 0 and 0. */
static int32_t *put_heights(const struct mote_spectral_work *w, int32_t *out) {
  const uint32_t *const least =
      mote_at(w->p, mote_spectral_units_at(w->p) + (int32_t)sizeof(struct mote_spectral_units));
  struct maximum m = {UINT64_MAX, 0};
  for (uint32_t i = 0; i < w->p->peaks; i++) {
    m = next_maximum(w, m);
    const int32_t height = mote_scaled_fix(
        mote_scaled_sqrt(mote_scaled_of(m.power, w->exponent + 2 - w->p->fft_log2)), 12);
    const int counts = (uint32_t)height >= least[w->channel];
    *out++ = counts ? (int32_t)(m.bin << 16) : 0;
    *out++ = counts ? height : 0;
  }
  return out;
}

static int32_t *put_densities(const struct mote_spectral_work *w, int32_t *out) {
  const uint32_t half = 1u << (w->p->fft_log2 - 1);
  for (uint32_t b = 0; b < w->p->bands; b++) {
    uint64_t sum = 0; /* at most 2048 powers below 2^61 / 2^12 */
    const uint32_t from = w->band[b], end = w->band[b + 1];
    for (uint32_t k = from ? from : 1; k < end; k++)
      sum += mote_power_at(w, k) >> (k < half ? 12 : 13);
    struct mote_scaled mean =
        mote_scaled_div(mote_scaled_of(sum, 12), mote_scaled_of(end - from, 0));
    mean.e += w->exponent;
    *out++ = mote_scaled_fix(mean, 2 - (int32_t)w->p->fft_log2);
  }
  return out;
}

static int32_t *put_more(const struct mote_spectral_work *w, int32_t *out) {
  const uint32_t values = w->p->values;
  if (values & MOTE_SPECTRAL_BANDS) out = put_bands(w, out);
  if (values & (MOTE_SPECTRAL_CENTROID | MOTE_SPECTRAL_ROLLOFF | MOTE_SPECTRAL_FLATNESS))
    out = put_place(w, out);
  if (values & MOTE_SPECTRAL_PEAKS) out = put_peaks(w, out);
  if (values & MOTE_SPECTRAL_HEIGHTS) out = put_heights(w, out);
  return values & MOTE_SPECTRAL_DENSITIES ? put_densities(w, out) : out;
}

static void full_row(const struct mote_features *f, const int16_t *samples, void *state,
                     void *scratch, void *row) {
  static const struct mote_spectral_more more = {filtered, mean_powers, put_shape, put_more};
  (void)state;
  spectral_row_of(f, &more, samples, scratch, row);
}

const struct mote_features_op mote_features_spectral_full = {
    .kind = MOTE_FEATURES_SPECTRAL,
    .scratch_bytes = mote_spectral_scratch_bytes,
    .row = full_row,
    .finish = mote_features_finish_s32,
};
