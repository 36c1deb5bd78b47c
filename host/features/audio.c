/* The kinds mfe and spectrogram, and mfcc with values equal to its namesake at Edge Impulse: frames without a window,
 * pre-emphasis, closed bands. source of the conventions: their published processing blocks.
 *
 * A frame's length and step are rounded up, and what is longer than the FFT is not seen. Values:
 *   mfe, spectrogram   (10 log10(P / fft) - noise_floor_db) / (12 - noise_floor_db), P of samples in -1 .. 1 (mfe: at
 *                      most 255 / 256 and in steps of 1 / 256) or in counts (spectrogram), at least 0
 *   mfcc               natural logarithms, the first that of the frame's whole power */
#include "host/features/private.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

bool features_is_emphasised(const struct features_config *c) {
  return c->kind == FEATURES_MFE || c->kind == FEATURES_SPECTROGRAM ||
         (c->kind == FEATURES_MFCC &&
          (c->compatible || c->normalise == FEATURES_NORMALISE_SLIDING));
}

/* Rounded up, unless that little is no more than what a decimal fraction loses. */
int features_samples_up(double ms, double rate_hz) {
  const double n = ms * rate_hz / 1000, whole = floor(n);
  if (!(n >= 0) || n >= (1 << 24)) return -1;
  return (int)(n - whole < 0.001 ? whole : whole + 1);
}

int features_rows(const struct features_config *c) {
  if (c->kind == FEATURES_IMAGE) return c->height;
  const int window = features_samples_of(c->window_ms, c->rate_hz);
  const int frame = features_is_emphasised(c) ? features_samples_up(c->frame_ms, c->rate_hz)
                                              : features_frame_samples(c);
  return (window - frame) / features_hop_samples(c) + 1;
}

bool features_defaults_audio(struct features_config *c) {
  c->frame_ms = 20;
  c->hop_ms = c->kind == FEATURES_MFCC ? 20 : 10;
  c->fft_size = c->kind == FEATURES_SPECTROGRAM ? 128 : 256;
  c->bands = c->kind == FEATURES_SPECTROGRAM ? 0 : c->kind == FEATURES_MFCC ? 32 : 40;
  c->low_hz = c->high_hz = 0;
  c->range_db = 0;
  c->noise_floor_db = -52;
  c->pre_emphasis = c->kind == FEATURES_SPECTROGRAM ? 0 : 0.98;
  c->normalise = FEATURES_NORMALISE_NONE;
  if (c->kind == FEATURES_MFCC) {
    c->coefficients = 13;
    c->normalise = FEATURES_NORMALISE_SLIDING;
    c->sliding = 101;
  }
  return true;
}

/* before / gain as near to the coefficient as 15 bits come. */
void features_emphasis_params(const struct features_config *c, struct mote_features_emphasis *out) {
  double best = 2;
  for (int gain = 32767; gain >= 16384; gain--) {
    const double before = floor(c->pre_emphasis * gain + 0.5);
    const double off = fabs(before / gain - c->pre_emphasis);
    if (off >= best - 1e-12) continue;
    best = off;
    out->gain = gain;
    out->before = (int32_t)before;
  }
  out->unit = (int32_t)floor(512 * log2(out->gain) + 0.5);
  out->sliding = c->normalise == FEATURES_NORMALISE_SLIDING ? c->sliding : 0;
}

/* ---- bands ------------------------------------------------------------------------ */

/* The bin at or below edge i of the triangles. The last edge stands a little lower. */
int features_closed_edge(const struct features_config *c, int i) {
  const double low = 1127 * log(1 + c->low_hz / 700),
               high = 1127 * log(1 + features_high_hz(c) / 700);
  const double mel = low + (high - low) * i / (c->bands + 1);
  const double hz = 700 * (exp(mel / 1127) - 1) - (i > c->bands ? 0.001 : 0);
  const int bin = (int)floor((c->fft_size + 1) * hz / c->rate_hz), last = c->fft_size / 2;
  return bin < 0 ? 0 : bin > last ? last : bin;
}

bool features_check_audio(const struct features_config *c, struct err *e) {
  if (!(c->pre_emphasis >= 0 && c->pre_emphasis < 1))
    return features_refuse(e, "pre_emphasis", "%g; 0 to below 1 works", c->pre_emphasis);
  if (!(c->noise_floor_db >= -100 && c->noise_floor_db <= 0))
    return features_refuse(e, "noise_floor_db", "%g dB; -100 to 0 works", c->noise_floor_db);
  if (features_hop_samples(c) > features_frame_samples(c))
    return features_refuse(e, "hop_ms", "%g ms is more than a frame of %g ms; at most that works",
                           c->hop_ms, c->frame_ms);
  for (int i = 0; c->bands && i < c->bands; i++)
    if (features_closed_edge(c, i) == features_closed_edge(c, i + 2))
      return features_refuse(
          e, "bands", "band %d has no point of the spectrum; %d bands or a larger fft_size work", i,
          c->fft_size / 8 > 2 ? c->fft_size / 8 : 2);
  if (c->bands && features_closed_edge(c, c->bands) >= c->fft_size / 2)
    return features_refuse(e, "bands", "the last band has no point of the spectrum; fewer work");
  return true;
}

/* ---- the map to real numbers and to int8 ------------------------------------------- */

/* What a step of Q8 of log2 is in the values' unit. */
static double octave_of(double noise_floor_db) {
  return 10 * log10(2) / (12 - noise_floor_db) / 256;
}

/* log2 of the power of which the value is 0. */
static double zero_of(const struct features_config *c) {
  return c->noise_floor_db / (10 * log10(2)) + log2(c->fft_size) +
         (c->kind == FEATURES_MFE ? 30 : 0);
}

void features_audio_columns(const struct features_config *c, struct mote_features *f, bool alone) {
  struct mote_features_column *const column =
      (struct mote_features_column *)((uint8_t *)f + f->column_at);
  const bool sliding = c->normalise == FEATURES_NORMALISE_SLIDING;
  double step;
  if (c->kind == FEATURES_MFCC) {
    /* zero power counts as 1e-10 */
    f->floor = (int16_t)floor(256 * (log2(1e-10) + log2(c->fft_size)) + 0.5);
    f->scale = sliding ? 1.0f / 32 : 0.25f;
    f->zp = 0;
    step = sliding ? 1.0 / 1024 : log(2) / 256;
  } else {
    f->floor = (int16_t)floor(256 * zero_of(c) + 0.5);
    f->scale = c->kind == FEATURES_MFE ? 1.0f / 256 : 0.01f;
    f->zp = -128;
    step = octave_of(c->noise_floor_db);
  }
  if (!alone) f->scale = 1.0f / 32, f->zp = 0;
  for (int i = 0; i < f->columns; i++)
    features_column_set(&column[i], c->kind == FEATURES_MFCC ? 0 : f->floor,
                        step / (double)f->scale);
}

/* Mean and deviation over the rows about each row, in place; values of one column, `stride` apart. */
static void slide(double *v, int rows, int stride, int sliding) {
  const int half = sliding / 2, period = 2 * rows;
  for (int pass = 0; pass < 2; pass++) {
    double *const out = malloc((size_t)rows * sizeof *out);
    if (!out) abort(); /* a few kilobytes: the machine has no memory left at all */
    for (int r = 0; r < rows; r++) {
      double sum = 0, squares = 0;
      for (int i = r - half; i <= r + half; i++) {
        const int m = ((i % period) + period) % period, at = m < rows ? m : period - 1 - m;
        sum += v[at * stride];
        squares += v[at * stride] * v[at * stride];
      }
      const double mean = sum / sliding, deviation = sqrt(fmax(squares / sliding - mean * mean, 0));
      out[r] = pass == 0 ? v[r * stride] - mean : v[r * stride] / (deviation + 1e-10);
    }
    for (int r = 0; r < rows; r++) v[r * stride] = out[r];
    free(out);
  }
}

void features_slide(const struct mote_features *f, double *rows) {
  if (f->normalise != MOTE_FEATURES_NORMALISE_SLIDING) return;
  const struct mote_features_emphasis *const p = mote_at(f, f->params_at);
  for (int c = 0; c < f->columns; c++) slide(rows + c, f->rows, f->columns, p->sliding);
}

double features_lift(const struct mote_features *f, int column) {
  const int l = f->flags >> 8, k = f->coefficients ? column % f->coefficients : 0;
  return l ? 1 + l / 2.0 * sin(PI * k / l) : 1;
}

void features_audio_values(const struct mote_features *f, double *rows) {
  const size_t n = (size_t)f->rows * f->columns;
  if (f->kind == MOTE_FEATURES_MFCC) {
    const double logarithm = log(2) / 256;
    for (size_t i = 0; i < n; i++) rows[i] *= logarithm * features_lift(f, (int)(i % f->columns));
    features_slide(f, rows);
    return;
  }
  /* The floor says which noise_floor_db it was, to a step of Q8. */
  const double fullscale = f->kind == MOTE_FEATURES_MFE ? 30 : 0;
  const double noise_floor_db =
      floor(10 * log10(2) * (f->floor / 256.0 - f->fft_log2 - fullscale) * 16 + 0.5) / 16;
  for (size_t i = 0; i < n; i++) {
    const double v = (rows[i] - f->floor) * octave_of(noise_floor_db);
    rows[i] = f->kind == MOTE_FEATURES_MFE ? fmin(nearbyint(v * 256), 255) / 256 : v;
  }
}
