/* The kind "wavelet": a frame's discrete wavelet transform, and what the coefficients of each level are like.
 *
 * range: counts have 10 digits below the point, so numbers begin below 2^26. A level multiplies a steady level by the root
 * of 2, so eight make 2^29 of a square wave of full scale, the largest that there is for long; the rare pattern that
 * would go beyond is cut there.
 *
 * The scratch: int32[frame], then approximation and details of a level, each (frame + taps) / 2. */
#include "mote/dsp/moments.h"
#include "mote/dsp/private.h"

#define MOST (1 << 29)
#define BINS 100

static const struct mote_wavelet *wavelet_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

/* x[i], mirrored at the ends as often as need be. */
static int32_t mirrored(const int32_t *x, int32_t n, int32_t i) {
  while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
  return x[i];
}

static int32_t cut(int64_t sum) {
  sum = (sum + (1 << 29)) >> 30;
  return (int32_t)(sum > MOST ? MOST : sum < -MOST ? -MOST : sum);
}

/* One level: m coefficients each. range: 12 products below 2^29 * 2^30. */
static uint32_t transform(const struct mote_wavelet *p, const int32_t *x, uint32_t n, int32_t *low,
                          int32_t *high) {
  const int32_t taps = p->taps;
  const uint32_t m = (n + p->taps - 1) / 2;
  for (uint32_t i = 0; i < m; i++) {
    int64_t a = 0, d = 0;
    for (int32_t j = 0; j < taps; j++) {
      const int64_t v = mirrored(x, (int32_t)n, 2 * (int32_t)i + 1 - j);
      const int32_t mirror = p->low[taps - 1 - j];
      a += v * p->low[j];
      d += v * (j & 1 ? mirror : -mirror);
    }
    low[i] = cut(a), high[i] = cut(d);
  }
  return m;
}

/* Shell's sort: steps of 3 k + 1. */
static void sort(int32_t *x, uint32_t n) {
  uint32_t step = 1;
  while (step < n / 3) step = 3 * step + 1;
  for (; step; step /= 3)
    for (uint32_t i = step; i < n; i++) {
      const int32_t v = x[i];
      uint32_t at = i;
      for (; at >= step && x[at - step] > v; at -= step) x[at] = x[at - step];
      x[at] = v;
    }
}

static int32_t crossings(const int32_t *x, uint32_t n, int32_t level) {
  uint32_t count = 0;
  for (uint32_t i = 1; i < n; i++) count += (x[i] > level) != (x[i - 1] > level);
  return mote_scaled_fix(mote_scaled_div(mote_scaled_of(count, 0), mote_scaled_of(n, 0)), 16);
}

/* log2 n - sum(c log2 c) / n over the bins' counts c, from sorted numbers: bin b begins where
 * (x - least) 100 >= b span. range: x - least < 2^31, so products are below 2^38. */
static int32_t entropy(const int32_t *x, uint32_t n) {
  const int64_t least = x[0], span = (int64_t)x[n - 1] - least;
  int64_t sum = 0;
  uint32_t i = 0;
  for (int32_t b = 1; b <= BINS && span; b++) {
    const uint32_t from = i;
    while (i < n && (b == BINS || (x[i] - least) * BINS < b * span)) i++;
    if (i > from) sum += (int64_t)(i - from) * mote_scaled_log2(mote_scaled_of(i - from, 0));
  }
  return span ? mote_scaled_log2(mote_scaled_of(n, 0)) - mote_mean_of(sum, n) : 0;
}

static void put_level(int32_t *x, uint32_t n, int32_t *out) {
  static const uint8_t percent[5] = {5, 25, 75, 95, 50};
  struct mote_moments m;
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += x[i];
  out[1] = crossings(x, n, 0);
  out[2] = crossings(x, n, mote_mean_of(sum, n));
  sort(x, n);
  out[0] = entropy(x, n);
  for (uint32_t k = 0; k < 5; k++) out[3 + k] = x[((n - 1) * percent[k] + 50) / 100];
  mote_moments(x, n, &m);
  const struct mote_scaled square = mote_scaled_mul(m.deviation, m.deviation),
                           mean = mote_scaled_of((uint32_t)(m.mean < 0 ? -m.mean : m.mean), 0),
                           variance = mote_scaled_div(mote_scaled_mul(square, mote_scaled_of(n, 0)),
                                                      mote_scaled_of(n > 1 ? n - 1 : 1, 0));
  out[8] = m.mean;
  out[9] = mote_scaled_fix(m.deviation, 0);
  out[10] = mote_scaled_fix(variance, -2 * MOTE_WAVELET_FRACTION);
  out[11] =
      mote_scaled_fix(mote_scaled_sqrt(mote_scaled_add(square, mote_scaled_mul(mean, mean))), 0);
  out[12] = m.skewness;
  out[13] = m.kurtosis;
}

/* ---- the op ------------------------------------------------------------------------ */

static size_t wavelet_scratch_bytes(const struct mote_features *f) {
  const uint32_t half = ((uint32_t)f->frame + wavelet_of(f)->taps) / 2;
  return sizeof(int32_t) * (f->frame + 2 * half + wavelet_of(f)->taps);
}

static void wavelet_row(const struct mote_features *f, const int16_t *samples, void *state,
                        void *scratch, void *row) {
  const struct mote_wavelet *const p = wavelet_of(f);
  int32_t *const x = scratch, *const low = x + f->frame + p->taps;
  int32_t *const high = low + ((uint32_t)f->frame + p->taps) / 2;
  int32_t *out = row;
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++) {
    const int16_t *const in = mote_features_channel(f, samples, c);
    int64_t sum = 0;
    uint32_t n = f->frame;
    for (uint32_t t = 0; t < n; t++) {
      x[t] = (int32_t)in[t * f->stride] * (1 << MOTE_WAVELET_FRACTION);
      sum += x[t];
    }
    const int32_t mean = mote_mean_of(sum, n);
    for (uint32_t t = 0; t < n; t++) x[t] -= mean;
    for (uint32_t level = 1; level <= p->levels; level++) {
      n = transform(p, x, n, low, high);
      put_level(high, n, out + MOTE_WAVELET_VALUES * (p->levels - level + 1u));
      for (uint32_t t = 0; t < n; t++) x[t] = low[t];
    }
    put_level(x, n, out);
    out += MOTE_WAVELET_VALUES * (p->levels + 1u);
  }
}

enum mote_status mote_features_check_wavelet(const struct mote_features *f) {
  const struct mote_wavelet *const p = wavelet_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p)) return MOTE_ERR_BOUNDS;
  if (f->cell_bytes != 4 || f->fft_log2 || p->taps < 2 || p->taps > 12 || p->taps & 1 ||
      f->frame < p->taps || !p->levels || p->levels > MOTE_WAVELET_LEVELS ||
      f->columns != f->channels * MOTE_WAVELET_VALUES * (p->levels + 1u))
    return MOTE_ERR_PARAMS;
  for (uint32_t k = 0; k < 12; k++)
    if (p->low[k] < -(1 << 30) || p->low[k] > 1 << 30) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

const struct mote_features_op mote_features_wavelet = {
    .kind = MOTE_FEATURES_WAVELET,
    .scratch_bytes = wavelet_scratch_bytes,
    .row = wavelet_row,
    .finish = mote_features_finish_s32,
};
