/* The kinds "spectral" and "flatten": their words, limits and parameters. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

#define UNITS (MOTE_SPECTRAL_HEIGHTS | MOTE_SPECTRAL_DENSITIES)

#define PI 3.14159265358979323846

static const struct features_word spectral_words[] = {{"rms", MOTE_SPECTRAL_RMS},
                                                      {"skewness", MOTE_SPECTRAL_SKEWNESS},
                                                      {"kurtosis", MOTE_SPECTRAL_KURTOSIS},
                                                      {"shape", MOTE_SPECTRAL_SHAPE},
                                                      {"powers", MOTE_SPECTRAL_POWERS},
                                                      {"bands", MOTE_SPECTRAL_BANDS},
                                                      {"centroid", MOTE_SPECTRAL_CENTROID},
                                                      {"rolloff", MOTE_SPECTRAL_ROLLOFF},
                                                      {"flatness", MOTE_SPECTRAL_FLATNESS},
                                                      {"peaks", MOTE_SPECTRAL_PEAKS},
                                                      {"heights", MOTE_SPECTRAL_HEIGHTS},
                                                      {"densities", MOTE_SPECTRAL_DENSITIES},
                                                      {0}};
static const struct features_word flatten_words[] = {{"average", MOTE_FLATTEN_AVERAGE},
                                                     {"minimum", MOTE_FLATTEN_MINIMUM},
                                                     {"maximum", MOTE_FLATTEN_MAXIMUM},
                                                     {"rms", MOTE_FLATTEN_RMS},
                                                     {"deviation", MOTE_FLATTEN_DEVIATION},
                                                     {"skewness", MOTE_FLATTEN_SKEWNESS},
                                                     {"kurtosis", MOTE_FLATTEN_KURTOSIS},
                                                     {"crossings", MOTE_FLATTEN_CROSSINGS},
                                                     {"zero_crossings", MOTE_FLATTEN_ZEROS},
                                                     {"moving_average", MOTE_FLATTEN_MOVING},
                                                     {0}};

static const struct features_word bands_words[] = {
    {"level", FEATURES_BANDS_LEVEL}, {"flatness", FEATURES_BANDS_FLATNESS}, {0}};

static const struct features_word *words_of(enum features_kind kind) {
  return kind == FEATURES_SPECTRAL  ? spectral_words
         : kind == FEATURES_FLATTEN ? flatten_words
         : kind == FEATURES_HEART   ? features_heart_words
         : kind == FEATURES_PITCH   ? features_pitch_words
         : kind == FEATURES_LOGMEL || kind == FEATURES_SPECTRUM ? bands_words
                                    : NULL;
}

bool features_value_from(enum features_kind kind, const char *word, uint32_t *bit,
                         const char **known) {
  const struct features_word *w = words_of(kind);
  *known =
      kind == FEATURES_SPECTRAL
          ? "rms, skewness, kurtosis, shape, powers, bands, centroid, rolloff, flatness, peaks, "
            "heights and densities"
      : kind == FEATURES_FLATTEN
          ? "average, minimum, maximum, rms, deviation, skewness, kurtosis, crossings, "
            "zero_crossings and moving_average"
      : kind == FEATURES_HEART
          ? "rate, sdnn, rmssd, pnn50, shortest, longest, lf, hf, lf_hf, beats, irregular, before, "
            "behind, interval, offset, likeness, energy, ahead, width and widening"
      : kind == FEATURES_PITCH ? "pitch, voicing and level"
      : kind == FEATURES_LOGMEL || kind == FEATURES_SPECTRUM ? "level and flatness"
                               : "";
  for (; w && w->word; w++)
    if (strcmp(w->word, word) == 0) {
      *bit = w->bit;
      return true;
    }
  return false;
}

bool features_compatible(struct features_config *c) {
  if (c->kind == FEATURES_MFE || c->kind == FEATURES_MFCC || c->kind == FEATURES_SPECTROGRAM) {
    c->compatible = true;
    return features_defaults_audio(c);
  }
  if (c->kind == FEATURES_IMAGE) return c->compatible = true;
  if (!features_has_params(c) || c->kind == FEATURES_HEART || c->kind == FEATURES_MICRO ||
      c->kind == FEATURES_PITCH)
    return false;
  c->compatible = true;
  if (c->kind == FEATURES_WAVELET) c->taps = 8, c->levels = 1;
  if (c->kind != FEATURES_SPECTRAL) return true;
  c->fft_size = 16;
  c->floor_db = -60; /* powers of 0 alone are below: a count is 16 steps of the sensor or less */
  return true;
}

bool features_compatible_v1(struct features_config *c) {
  static const double edges[] = {0.1, 0.5, 1, 2, 5};
  if (c->kind != FEATURES_SPECTRAL || !features_compatible(c)) return false;
  c->values = MOTE_SPECTRAL_RMS | MOTE_SPECTRAL_HEIGHTS | MOTE_SPECTRAL_DENSITIES;
  c->hold = FEATURES_HOLD_FIRST;
  c->fft_size = 128;
  c->peaks = 3;
  c->threshold = 0.1;
  c->n_edges = sizeof edges / sizeof *edges;
  memcpy(c->edges_hz, edges, sizeof edges);
  return true;
}

bool features_has_params(const struct features_config *c) {
  return c->kind == FEATURES_SPECTRAL || c->kind == FEATURES_FLATTEN ||
         c->kind == FEATURES_WAVELET || c->kind == FEATURES_HEART || c->kind == FEATURES_MICRO ||
         c->kind == FEATURES_PITCH;
}

/* ---- spectral ---------------------------------------------------------------------- */

static double rate_of(const struct features_config *c) { return c->rate_hz / c->decimate; }

/* Their first version looks for maxima below the last bin but one, whatever the filter. */
static bool is_v1(const struct features_config *c) {
  return c->compatible && c->hold == FEATURES_HOLD_FIRST;
}

/* The bins that a filter leaves: first, and behind the last. A bin counts where half of it is inside. */
static void bins_of(const struct features_config *c, int *first, int *end) {
  const double at = fmin(c->cutoff_hz, rate_of(c) / 2) * c->fft_size / rate_of(c);
  *first = 1;
  *end = is_v1(c) ? c->fft_size / 2 - 1 : c->fft_size / 2 + 1;
  if (is_v1(c)) return;
  if (c->filter == FEATURES_FILTER_LOW) *end = (int)(at + 0.5) + 1;
  if (c->filter == FEATURES_FILTER_HIGH) *first = (int)(at - 0.5) + 1;
  if (*first < 1) *first = 1;
}

/* Decimation as steps of 3 and of 10. */
static int steps_of(int ratio, int steps[3]) {
  int n = 0;
  for (; ratio % 10 == 0; ratio /= 10) steps[n++] = 10;
  if (ratio % 3 == 0) {
    memmove(steps + 1, steps, (size_t)n * sizeof *steps);
    steps[0] = 3;
    n++, ratio /= 3;
  }
  return ratio == 1 ? n : -1;
}

struct chain {
  struct mote_filter filters[5];
  struct features_section sections[40];
  int n_filters, n_sections;
};

static void add_decimation(struct chain *h, int ratio) {
  const int n = features_chebyshev(8, 0.05, 0.4 / ratio, false, h->sections + h->n_sections);
  h->filters[h->n_filters++] =
      (struct mote_filter){(uint16_t)n, (uint8_t)ratio, MOTE_FILTER_RESTING};
  h->n_sections += n;
}

static struct chain chain_of(const struct features_config *c) {
  struct chain h = {.n_filters = 0};
  int steps[3];
  const int n = steps_of(c->decimate, steps);
  for (int i = 0; i < n; i++) add_decimation(&h, steps[i]);
  if (c->filter != FEATURES_FILTER_NONE && c->order) {
    const int k =
        features_butterworth(c->order, c->cutoff_hz / rate_of(c), c->filter == FEATURES_FILTER_HIGH,
                             h.sections + h.n_sections);
    h.filters[h.n_filters++] =
        (struct mote_filter){(uint16_t)k, 1, c->compatible ? 0 : MOTE_FILTER_RESTING};
    h.n_sections += k;
  }
  if (c->extra_low) add_decimation(&h, 10);
  return h;
}

static int edge_bin(const struct features_config *c, int i) {
  const int bin = (int)ceil(c->edges_hz[i] * c->fft_size / rate_of(c) - 1e-9);
  return bin < 0 ? 0 : bin > c->fft_size / 2 + 1 ? c->fft_size / 2 + 1 : bin;
}

/* A density is 2 |X|^2 over rate and samples; a device's power |X|^2 / fft. Their first version spreads the bins so that the last
 * but one lies at half of the rate, and divides densities by 10. */
static void fill_units(const struct features_config *c, struct mote_spectral_units *u) {
  const int fft = c->fft_size, left = features_frame_samples(c) / c->decimate;
  const double seen = left < fft ? left : fft;
  u->bin_hz = (float)(is_v1(c) ? rate_of(c) / 2 / (fft / 2 - 1) : rate_of(c) / fft);
  u->density = (float)(2 * fft / (seen * rate_of(c)) / (is_v1(c) ? 10 : 1));
  uint32_t *const least = (uint32_t *)(void *)(u + 1);
  for (int i = 0; i < c->channels; i++) {
    const double unit = c->unit ? c->unit[c->stride ? c->select[i] : i] : 1;
    least[i] = (uint32_t)fmin(ceil(4096 * c->threshold / unit - 1e-6), INT32_MAX);
  }
}

static struct mote_spectral spectral_head(const struct features_config *c) {
  int first, end;
  bins_of(c, &first, &end);
  struct mote_spectral p = {.values = (uint16_t)c->values,
                            .hop = (uint16_t)(c->overlap ? c->fft_size / 2 : c->fft_size),
                            .first = (uint16_t)first,
                            .bins = (uint16_t)(end - first),
                            .bands = (uint16_t)(c->n_edges ? c->n_edges - 1 : 0),
                            .peaks = (uint16_t)c->peaks,
                            .hold = (uint8_t)c->hold,
                            .linear = c->linear,
                            .fill = c->compatible,
                            .low = c->extra_low};
  while ((1 << p.fft_log2) < c->fft_size) p.fft_log2++;
  p.floor = (int32_t)floor(1048576 * c->floor_db / (10 * log10(2)) + 0.5);
  return p;
}

size_t features_spectral_params(const struct features_config *c, uint8_t *out) {
  const struct chain h = chain_of(c);
  struct mote_spectral *const p = (struct mote_spectral *)(void *)out;
  *p = spectral_head(c);
  const double growth = features_filter_growth(h.sections, h.n_sections);
  p->fraction = 14; /* 2^15 counts grow to 2^30 at most */
  while (p->fraction > 4 && ldexp(growth, 15 + p->fraction) > 1073741824.0) p->fraction--;
  p->filters = (uint8_t)(h.n_filters - c->extra_low);
  p->sections = (uint32_t)h.n_sections;
  size_t at = sizeof *p;
  p->filter_at = (int32_t)at;
  memcpy(out + at, h.filters, (size_t)h.n_filters * sizeof *h.filters);
  at += (size_t)h.n_filters * sizeof *h.filters;
  p->section_at = (int32_t)at;
  for (int i = 0; i < h.n_sections; i++, at += sizeof(struct mote_section))
    *(struct mote_section *)(void *)(out + at) = features_section_fixed(&h.sections[i]);
  p->sine_at = (int32_t)at;
  for (int k = 0; k <= c->fft_size / 4; k++, at += 4)
    *(int32_t *)(void *)(out + at) =
        (int32_t)floor(1073741824.0 * sin(2 * PI * k / c->fft_size) + 0.5);
  p->band_at = (int32_t)at;
  for (int i = 0; i < (c->n_edges ? c->n_edges : 1); i++, at += 2)
    *(uint16_t *)(void *)(out + at) = (uint16_t)(c->n_edges ? edge_bin(c, i) : 0);
  if (at % 4) *(uint16_t *)(void *)(out + at) = 0, at += 2;
  if (!(c->values & UNITS)) return at;
  fill_units(c, (struct mote_spectral_units *)(void *)(out + at));
  return at + sizeof(struct mote_spectral_units) + sizeof(uint32_t) * (size_t)c->channels;
}

static bool check_edges(const struct features_config *c, struct err *e) {
  if (!(c->values & (MOTE_SPECTRAL_BANDS | MOTE_SPECTRAL_DENSITIES))) return true;
  if (c->n_edges < 2 || c->n_edges > FEATURES_MAX_EDGES)
    return features_refuse(e, "edges_hz", "bands lie between edges; 2 to %d edges work",
                           FEATURES_MAX_EDGES);
  for (int i = 0; i + 1 < c->n_edges; i++) /* their first version: 0 where no point lies */
    if (is_v1(c) ? !(c->edges_hz[i] >= 0) || !(c->edges_hz[i + 1] > c->edges_hz[i])
                 : !(c->edges_hz[i] >= 0) || !(c->edges_hz[i + 1] <= rate_of(c) / 2) ||
                       edge_bin(c, i + 1) <= edge_bin(c, i))
      return features_refuse(e, "edges_hz",
                             "no point of the spectrum lies from %g to %g Hz; it has one every %g "
                             "Hz up to %g",
                             c->edges_hz[i], c->edges_hz[i + 1], rate_of(c) / c->fft_size,
                             rate_of(c) / 2);
  return true;
}

static bool check_filter(const struct features_config *c, struct err *e) {
  int steps[3];
  if (c->decimate < 1 || c->decimate > 1000 || steps_of(c->decimate, steps) < 0)
    return features_refuse(e, "decimate", "%d; 1, 3, 10, 30, 100 and 1000 work", c->decimate);
  if (c->filter == FEATURES_FILTER_NONE) return true;
  if (c->order != 0 && c->order != 2 && c->order != 4 && c->order != 6 && c->order != 8)
    return features_refuse(
        e, "order", "%d; 2, 4, 6 and 8 work, and 0 for no filter, only fewer bins", c->order);
  if (!(c->cutoff_hz > 0) || !(c->cutoff_hz < rate_of(c) / 2))
    return features_refuse(e, "cutoff_hz",
                           "%g Hz; above 0 and below half of the rate (%g Hz) works", c->cutoff_hz,
                           rate_of(c) / 2);
  if (c->order && c->cutoff_hz < rate_of(c) / 2000)
    return features_refuse(
        e, "cutoff_hz",
        "%g Hz is too low for the digits of a filter at %g Hz; %g Hz and more, or a "
        "larger decimate, work",
        c->cutoff_hz, rate_of(c), rate_of(c) / 2000);
  return true;
}

bool features_check_spectral(const struct features_config *c, struct err *e) {
  int first, end;
  const int fft = c->fft_size;
  if (fft < 16 || fft > 4096 || (fft & (fft - 1)))
    return features_refuse(e, "fft_size", "%d; a power of two from 16 to 4096 works", fft);
  if (!c->values || c->values > MOTE_SPECTRAL_ALL)
    return features_refuse(e, "values", "at least one is needed");
  if (!check_filter(c, e) || !check_edges(c, e)) return false;
  bins_of(c, &first, &end);
  if (end <= first)
    return features_refuse(e, "cutoff_hz",
                           "no point of the spectrum is left; it has one every %g Hz",
                           rate_of(c) / fft);
  if (!(c->threshold >= 0) || !(c->threshold < 1e9))
    return features_refuse(e, "threshold", "%g; 0 and more work", c->threshold);
  if ((c->values & (MOTE_SPECTRAL_PEAKS | MOTE_SPECTRAL_HEIGHTS)) &&
      (c->peaks < 1 || c->peaks > 16))
    return features_refuse(e, "peaks", "%d; 1 to 16 work", c->peaks);
  if (c->floor_db < -200 || c->floor_db > 90)
    return features_refuse(e, "floor_db", "%g dB; -200 to 90 works", c->floor_db);
  const int left = features_frame_samples(c) / c->decimate;
  if (left < 4)
    return features_refuse(e, "decimate", "%d leave %d samples of a window; at least 4 are needed",
                           c->decimate, left);
  if (c->extra_low && left / 10 < fft / 2)
    return features_refuse(e, "extra_low",
                           "a tenth of %d samples is less than half of %d points; a longer window "
                           "or a smaller fft_size works",
                           left, fft);
  return true;
}

/* ---- flatten ------------------------------------------------------------------------ */

size_t features_flatten_params(const struct features_config *c, uint8_t *out) {
  *(struct mote_flatten *)(void *)out =
      (struct mote_flatten){.values = (uint16_t)c->values, .moving = (uint16_t)c->moving};
  return sizeof(struct mote_flatten);
}

bool features_check_flatten(const struct features_config *c, struct err *e) {
  if (!c->values || c->values > MOTE_FLATTEN_ALL)
    return features_refuse(e, "values", "at least one is needed");
  if (c->moving < 1 || c->moving > 256)
    return features_refuse(e, "moving", "%d rows; 1 to 256 work", c->moving);
  return true;
}

/* ---- both --------------------------------------------------------------------------- */

int features_columns(const struct features_config *c) {
  if (c->kind == FEATURES_IMAGE) return features_image_columns(c);
  if (c->kind == FEATURES_WAVELET) return c->channels * MOTE_WAVELET_VALUES * (c->levels + 1);
  if (c->kind == FEATURES_MICRO) return c->channels * c->bands;
  if (c->kind == FEATURES_HEART) {
    const struct mote_heart p = {.values = (uint32_t)c->values};
    return c->channels * (int)mote_heart_values(&p);
  }
  if (c->kind == FEATURES_PITCH) {
    const struct mote_pitch p = {.values = (uint16_t)c->values};
    return c->channels * (int)mote_pitch_values(&p);
  }
  if (c->kind == FEATURES_FLATTEN) {
    const struct mote_flatten p = {.values = (uint16_t)c->values};
    return c->channels * (int)mote_flatten_values(&p);
  }
  if (c->kind == FEATURES_SPECTRAL) {
    const struct mote_spectral p = spectral_head(c);
    return c->channels *
           (int)(mote_spectral_values(&p, 0) + (c->extra_low ? mote_spectral_values(&p, 1) : 0));
  }
  return c->channels * features_columns_each(c);
}
