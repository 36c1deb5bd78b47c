/* What follows from a configuration before any table is made: samples, frames, columns, and which bin of the
 * spectrum belongs to which band. */
#include "host/features/private.h"

#include <math.h>

unsigned features_log2(int n) { return 31 - (unsigned)__builtin_clz((unsigned)n); }

int features_samples_of(double ms, double rate_hz) {
  const double n = floor(ms * rate_hz / 1000 + 0.5);
  return n >= 0 && n < (1 << 24) ? (int)n : -1;
}

int features_frame_samples(const struct features_config *c) {
  if (features_is_emphasised(c)) return features_samples_up(c->frame_ms, c->rate_hz);
  if (c->kind == FEATURES_RAW) return features_hop_samples(c);
  return features_samples_of(c->frame_ms == 0 ? c->window_ms : c->frame_ms, c->rate_hz);
}

int features_hop_samples(const struct features_config *c) {
  if (c->hop_ms > 0)
    return features_is_emphasised(c) ? features_samples_up(c->hop_ms, c->rate_hz)
                                     : features_samples_of(c->hop_ms, c->rate_hz);
  return c->kind == FEATURES_RAW ? 1 : features_frame_samples(c);
}

double features_high_hz(const struct features_config *c) {
  return c->high_hz == 0 ? c->rate_hz / 2 : c->high_hz;
}

bool features_has_spectrum(const struct features_config *c) {
  if (features_has_params(c) || c->kind == FEATURES_IMAGE) return false;
  return c->kind == FEATURES_STATISTICS ? c->fft_size != 0 : c->kind != FEATURES_RAW;
}

int features_columns_each(const struct features_config *c) {
  switch (c->kind) {
  case FEATURES_MFCC: return c->coefficients;
  case FEATURES_STATISTICS: return MOTE_FEATURES_STATS + (c->fft_size ? c->bands : 0);
  case FEATURES_RAW: return 1;
  case FEATURES_SPECTROGRAM: return c->fft_size / 2 + 1;
  default: return features_has_flatness(c) && features_has_level(c) ? 2 * c->bands : c->bands;
  }
}

bool features_has_flatness(const struct features_config *c) {
  return (c->kind == FEATURES_LOGMEL || c->kind == FEATURES_SPECTRUM) &&
         (c->values & FEATURES_BANDS_FLATNESS);
}

bool features_has_level(const struct features_config *c) {
  return !c->values || (c->values & FEATURES_BANDS_LEVEL);
}

bool features_is_flatness(const struct features_config *c, int k) {
  return features_has_flatness(c) && (!features_has_level(c) || k >= c->bands);
}

/* ---- bands ----------------------------------------------------------------- */

/* source: O'Shaughnessy's formula, as HTK uses it. */
static double mel_of(double hz) { return 2595 * log10(1 + hz / 700); }
static double hz_of(double mel) { return 700 * (pow(10, mel / 2595) - 1); }

/* Edge i of bands + 2, in bins. Bands are triangles from edge i over i + 1 to i + 2. */
double features_band_edge(const struct features_config *c, int i) {
  const double high = features_high_hz(c), part = (double)i / (c->bands + 1);
  double hz = c->low_hz + (high - c->low_hz) * part;
  if (c->kind == FEATURES_LOGMEL || c->kind == FEATURES_MFCC)
    hz = hz_of(mel_of(c->low_hz) + (mel_of(high) - mel_of(c->low_hz)) * part);
  return hz * c->fft_size / c->rate_hz;
}

/* Bins 0 and fft/2 are real and left out. */
int features_segment_start(const struct features_config *c, int i) {
  if (features_is_emphasised(c)) return features_closed_edge(c, i);
  const int bin = (int)ceil(features_band_edge(c, i) - 1e-9), last = c->fft_size / 2;
  return bin < 1 ? 1 : bin > last ? last : bin;
}

uint8_t features_bin_weight(const struct features_config *c, int i, int k) {
  const bool closed = features_is_emphasised(c);
  const double from = closed ? features_closed_edge(c, i) : features_band_edge(c, i);
  const double to = closed ? features_closed_edge(c, i + 1) : features_band_edge(c, i + 1);
  const double w = floor(256 * (k - from) / (to - from) + 0.5);
  return (uint8_t)(w < 0 ? 0 : w > 255 ? 255 : w);
}

bool features_check_bands(const struct features_config *c, struct err *e) {
  for (int b = 0; b < c->bands && !features_is_emphasised(c); b++) {
    int sum = 0;
    for (int k = features_segment_start(c, b); k < features_segment_start(c, b + 1); k++)
      sum += features_bin_weight(c, b, k);
    for (int k = features_segment_start(c, b + 1); k < features_segment_start(c, b + 2); k++)
      sum += 256 - features_bin_weight(c, b + 1, k);
    if (sum == 0) {
      err_node(e, "bands");
      return err_set(e,
                     "band %d (%.0f to %.0f Hz) holds no point of the spectrum, which has one "
                     "every %g Hz; fewer "
                     "bands, a higher low_hz or a larger fft_size than %d works",
                     b, features_band_edge(c, b) * c->rate_hz / c->fft_size,
                     features_band_edge(c, b + 2) * c->rate_hz / c->fft_size,
                     c->rate_hz / c->fft_size, c->fft_size);
    }
  }
  for (int i = 0; c->bands && i <= c->bands; i++)
    if (features_segment_start(c, i + 1) - features_segment_start(c, i) > 256) {
      err_node(e, "bands");
      return err_set(e, "%d bands over an FFT of %d are wider than 256 points; more bands work",
                     c->bands, c->fft_size);
    }
  return true;
}
