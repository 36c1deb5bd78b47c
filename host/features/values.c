/* Rows as real numbers in the samples' unit. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

/* Real numbers of a power that is kept as its log2 in Q20: log10 in unit^2. */
static double log_power(const struct mote_spectral *p, int32_t v, double unit) {
  return v <= p->floor ? -10 : v / 1048576.0 * log10(2) + 2 * log10(unit);
}

static double power(const struct mote_spectral *p, int32_t v, double unit) {
  return p->linear ? ldexp(v, p->fft_log2) * unit * unit : log_power(p, v, unit);
}

static size_t spectral_channel(const struct mote_spectral *p, uint32_t values, double unit,
                               const int32_t *v, double *out) {
  size_t n = 0;
  if (values & MOTE_SPECTRAL_RMS) out[n] = v[n] / 4096.0 * unit, n++;
  for (uint32_t bit = MOTE_SPECTRAL_SKEWNESS; bit <= MOTE_SPECTRAL_KURTOSIS; bit *= 2)
    if (values & bit) out[n] = v[n] / 65536.0, n++;
  if (values & MOTE_SPECTRAL_SHAPE)
    for (int i = 0; i < 2; i++, n++) out[n] = v[n] / 65536.0;
  if (values & MOTE_SPECTRAL_POWERS)
    for (int i = 0; i < p->bins; i++, n++) out[n] = power(p, v[n], unit);
  if (values & MOTE_SPECTRAL_BANDS)
    for (int i = 0; i < p->bands; i++, n++) out[n] = power(p, v[n], unit);
  for (uint32_t bit = MOTE_SPECTRAL_CENTROID; bit <= MOTE_SPECTRAL_FLATNESS; bit *= 2)
    if (values & bit) out[n] = v[n] / (bit == MOTE_SPECTRAL_FLATNESS ? 1048576.0 : 65536.0), n++;
  if (values & MOTE_SPECTRAL_PEAKS)
    for (int i = 0; i < p->peaks; i++, n += 2) {
      out[n] = v[n] / 65536.0;
      out[n + 1] = power(p, v[n + 1], unit);
    }
  const struct mote_spectral_units *const units = mote_at(p, mote_spectral_units_at(p));
  if (values & MOTE_SPECTRAL_HEIGHTS)
    for (int i = 0; i < p->peaks; i++, n += 2) {
      out[n] = v[n] / 65536.0 * (double)units->bin_hz;
      out[n + 1] = v[n + 1] / 4096.0 * unit;
    }
  if (values & MOTE_SPECTRAL_DENSITIES)
    for (int i = 0; i < p->bands; i++, n++)
      out[n] = ldexp(v[n], p->fft_log2 - 2) * unit * unit * (double)units->density;
  return n;
}

static void spectral_values(const struct mote_features *f, const double *unit, const int32_t *v,
                            double *out) {
  const struct mote_spectral *const p = mote_at(f, f->params_at);
  const uint8_t *const channel = mote_at(f, f->channel_at);
  size_t n = 0;
  for (int c = 0; c < f->channels; c++)
    n += spectral_channel(p, p->values, unit[channel[c]], v + n, out + n);
  for (int c = 0; c < f->channels && p->low; c++)
    n += spectral_channel(p, p->values | MOTE_SPECTRAL_SHAPE, unit[channel[c]], v + n, out + n);
}

static void flatten_values(const struct mote_features *f, const double *unit, const int32_t *v,
                           double *out) {
  const struct mote_flatten *const p = mote_at(f, f->params_at);
  const uint8_t *const channel = mote_at(f, f->channel_at);
  for (int c = 0; c < f->channels; c++)
    for (uint32_t bit = 1; bit <= MOTE_FLATTEN_MOVING; bit *= 2) {
      if (!(p->values & bit)) continue;
      *out++ = bit == MOTE_FLATTEN_SKEWNESS || bit == MOTE_FLATTEN_KURTOSIS ? *v / 65536.0
               : bit == MOTE_FLATTEN_CROSSINGS || bit == MOTE_FLATTEN_ZEROS
                   ? *v
                   : *v / 4096.0 * unit[channel[c]];
      v++;
    }
}

static void wavelet_values(const struct mote_features *f, const double *unit, const int32_t *v,
                           double *out) {
  const uint8_t *const channel = mote_at(f, f->channel_at);
  const int each = f->columns / f->channels;
  for (int i = 0; i < f->columns; i++) {
    const int which = i % each % MOTE_WAVELET_VALUES;
    const double scale = unit[channel[i / each]];
    out[i] = which == 0                 ? v[i] / 1048576.0 * log(2)
             : which < 3 || which >= 12 ? v[i] / 65536.0
             : which == 10              ? v[i] * scale * scale
                                        : v[i] / 1024.0 * scale;
  }
}

/* Statistics in counts are the samples' unit too, but for the crossings; the span is halved. */
static double plain_value(const struct mote_features *f, const double *unit, int column, double v) {
  const uint8_t *const channel = mote_at(f, f->channel_at);
  const int each = f->kind == MOTE_FEATURES_IMAGE ? f->columns : f->columns / f->channels;
  const double scale = unit[channel[column / each]];
  if (f->kind == MOTE_FEATURES_RAW) return v * scale;
  if (f->kind == MOTE_FEATURES_IMAGE) {
    const struct mote_image *const p = mote_at(f, f->params_at);
    return p->format == MOTE_IMAGE_NUMBERS ? v * unit[0] : v / (128.0 * 255);
  }
  if (f->kind == MOTE_FEATURES_MICRO) return v / 64; /* natural logarithm */
  /* Logarithms of power and flatness in dB, as cosines of them are. */
  if (f->kind == MOTE_FEATURES_BANDS || f->kind == MOTE_FEATURES_FLATNESS)
    return v * 10 * log10(2) / (f->coefficients ? 64 : 256) * features_lift(f, column);
  if (f->kind != MOTE_FEATURES_STATISTICS || column % each >= MOTE_FEATURES_STATS) return v;
  return column % each == 6 ? v : column % each == 5 ? 2 * v * scale : v * scale;
}

void features_values(const struct features_block *block, const double *sensor,
                     const int16_t *samples, void *scratch, double *out) {
  for (int i = 0; i < block->n_parts; i++) {
    const struct mote_features *const f = block->parts[i].params;
    const struct mote_features_op *const op = block->parts[i].op;
    int32_t *const row = (int32_t *)scratch + (block->scratch_bytes + 3) / 4;
    double *const first = out;
    double units[MOTE_FRONT_MOST];
    void *rest = scratch;
    const int16_t *const seen = features_part_samples(&block->parts[i], samples, &rest);
    const double *unit = sensor;
    if (block->parts[i].front) {
      features_front_units(block->parts[i].front, sensor, units);
      unit = units;
    }
    mote_features_begin(f, op, rest);
    if (op->prime) op->prime(f, seen, rest);
    for (int r = 0; r < f->rows; r++, out += f->columns) {
      mote_features_row(f, op, seen + (size_t)r * f->hop * f->stride, rest, row);
      if (f->kind == MOTE_FEATURES_SPECTRAL)
        spectral_values(f, unit, row, out);
      else if (f->kind == MOTE_FEATURES_FLATTEN)
        flatten_values(f, unit, row, out);
      else if (f->kind == MOTE_FEATURES_HEART)
        for (int c = 0, n = 0; c < f->channels; c++)
          n += (int)features_heart_values(mote_at(f, f->params_at), row + n, out + n);
      else if (f->kind == MOTE_FEATURES_PITCH)
        for (int c = 0, n = 0; c < f->channels; c++)
          n += (int)features_pitch_values(f, unit[((const uint8_t *)mote_at(f, f->channel_at))[c]],
                                          row + n, out + n);
      else if (f->kind == MOTE_FEATURES_WAVELET)
        wavelet_values(f, unit, row, out);
      else
        for (int c = 0; c < f->columns; c++)
          out[c] = plain_value(
              f, unit, c, f->cell_bytes == 2 ? ((const int16_t *)(const void *)row)[c] : row[c]);
    }
    if (f->kind == MOTE_FEATURES_MFE || f->kind == MOTE_FEATURES_MFCC ||
        f->kind == MOTE_FEATURES_SPECTROGRAM)
      features_audio_values(f, first);
  }
}
