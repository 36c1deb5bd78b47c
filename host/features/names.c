/* Names of single values, and planes one by one: for tables and pictures. */
#include "host/features/private.h"

/* The frequencies that a band reaches over. */
static void name_band(const struct features_config *c, int band, struct text *out) {
  const double step = c->rate_hz / c->fft_size;
  text_printf(out, "%.4g to %.4g Hz", features_band_edge(c, band) * step,
              features_band_edge(c, band + 2) * step);
}

/* Word k of those in the set, whose bits from the lowest on have these names. */
static const char *word_of(uint32_t set, const char *const *names, int k) {
  for (int bit = 0; names[bit]; bit++)
    if (set >> bit & 1 && k-- == 0) return names[bit];
  return "";
}

static void name_flatten(const struct mote_flatten *p, int k, struct text *out) {
  static const char *const names[] = {"average",        "minimum",        "maximum",  "RMS",
                                      "deviation",      "skewness",       "kurtosis", "crossings",
                                      "zero crossings", "moving average", NULL};
  text_add(out, word_of(p->values, names, k));
}

static void name_wavelet(const struct mote_wavelet *p, int k, struct text *out) {
  static const char *const names[MOTE_WAVELET_VALUES] = {
      "entropy", "zero crossings", "mean crossings", "5 %",      "25 %", "75 %",     "95 %",
      "median",  "mean",           "deviation",      "variance", "RMS",  "skewness", "kurtosis"};
  const int set = k / MOTE_WAVELET_VALUES;
  if (set)
    text_printf(out, "details %d: ", p->levels - set + 1);
  else
    text_add(out, "rest: ");
  text_add(out, names[k % MOTE_WAVELET_VALUES]);
}

/* Values of one bit of a channel's set, k of them from 0 on; hz: from a bin to the next. */
static void name_spectral_value(const struct mote_spectral *p, const struct features_config *c,
                                uint32_t bit, int k, double hz, struct text *out) {
  switch (bit) {
  case MOTE_SPECTRAL_RMS: text_add(out, "RMS"); break;
  case MOTE_SPECTRAL_SKEWNESS: text_add(out, "skewness"); break;
  case MOTE_SPECTRAL_KURTOSIS: text_add(out, "kurtosis"); break;
  case MOTE_SPECTRAL_SHAPE:
    text_add(out, k ? "kurtosis of the powers" : "skewness of the powers");
    break;
  case MOTE_SPECTRAL_POWERS: text_printf(out, "%.4g Hz", (p->first + k) * hz); break;
  case MOTE_SPECTRAL_CENTROID: text_add(out, "centroid"); break;
  case MOTE_SPECTRAL_ROLLOFF: text_add(out, "roll-off"); break;
  case MOTE_SPECTRAL_FLATNESS: text_add(out, "flatness"); break;
  case MOTE_SPECTRAL_PEAKS:
  case MOTE_SPECTRAL_HEIGHTS:
    text_printf(out, "%s of peak %d", k & 1 ? "height" : "place", k / 2 + 1);
    break;
  default: text_printf(out, "%.4g to %.4g Hz", c->edges_hz[k], c->edges_hz[k + 1]);
  }
}

/* Value k of a channel: of the main pass, or of the low one. */
static void name_spectral(const struct mote_spectral *p, const struct features_config *c, int k,
                          bool low, struct text *out) {
  const double hz = c->rate_hz / c->decimate / c->fft_size / (low ? 10 : 1);
  struct mote_spectral one = *p;
  if (low) text_add(out, "low: ");
  for (uint32_t bit = 1; bit <= MOTE_SPECTRAL_DENSITIES; bit *= 2) {
    if (!((p->values | (low ? MOTE_SPECTRAL_SHAPE : 0)) & bit)) continue;
    one.values = (uint16_t)bit;
    const int n = (int)mote_spectral_values(&one, 0);
    if (k < n) {
      name_spectral_value(p, c, bit, k, hz, out);
      return;
    }
    k -= n;
  }
}

/* The values of a channel follow each other; those of a low pass stand behind the main ones of all channels. */
static int channel_of(const struct mote_features *f, int column, int *k, bool *low) {
  int each = f->columns / f->channels;
  *low = false;
  if (f->kind == MOTE_FEATURES_SPECTRAL) {
    const struct mote_spectral *const p = mote_at(f, f->params_at);
    const int plain = (int)mote_spectral_values(p, 0);
    *low = column >= plain * f->channels;
    if (*low) column -= plain * f->channels;
    each = *low ? each - plain : plain;
  }
  *k = column % each;
  return column / each;
}

/* `column` of the part's rows: channel after channel. */
static void name_column(const struct mote_features *f, const struct mote_front *front,
                        const struct features_config *c, int column, struct text *out) {
  static const char *const statistics[MOTE_FEATURES_STATS] = {
      "mean", "deviation", "RMS", "minimum", "maximum", "half span", "crossings", "mean step"};
  int k;
  bool low;
  const int channel = channel_of(f, column, &k, &low);
  if (front) {
    features_front_name(front, channel, out);
    text_add(out, ": ");
  } else if (f->channels > 1 || f->stride > 1)
    text_printf(out, "channel %d: ", (c->stride ? c->select[channel] : channel) + 1);
  switch (f->kind) {
  case MOTE_FEATURES_BANDS:
    if (f->coefficients)
      text_printf(out, "coefficient %d", k);
    else
      name_band(c, k, out);
    break;
  case MOTE_FEATURES_FLATNESS:
    if (features_is_flatness(c, k)) text_add(out, "flatness of ");
    name_band(c, k % f->bands, out);
    break;
  case MOTE_FEATURES_STATISTICS:
    if (k < MOTE_FEATURES_STATS)
      text_add(out, statistics[k]);
    else if (f->coefficients)
      text_printf(out, "coefficient %d", k - MOTE_FEATURES_STATS);
    else
      name_band(c, k - MOTE_FEATURES_STATS, out);
    break;
  case MOTE_FEATURES_RAW: text_add(out, f->frame > 1 ? "mean of samples" : "sample"); break;
  case MOTE_FEATURES_MICRO:
    text_printf(out, "%.4g to %.4g Hz", features_micro_edge(c, k), features_micro_edge(c, k + 2));
    break;
  case MOTE_FEATURES_PITCH: text_add(out, features_pitch_name(mote_at(f, f->params_at), k)); break;
  case MOTE_FEATURES_HEART: text_add(out, features_heart_name(mote_at(f, f->params_at), k)); break;
  case MOTE_FEATURES_SPECTRAL: name_spectral(mote_at(f, f->params_at), c, k, low, out); break;
  case MOTE_FEATURES_FLATTEN: name_flatten(mote_at(f, f->params_at), k, out); break;
  case MOTE_FEATURES_WAVELET: name_wavelet(mote_at(f, f->params_at), k, out); break;
  case MOTE_FEATURES_MFCC: text_printf(out, "coefficient %d", k); break;
  case MOTE_FEATURES_SPECTROGRAM: text_printf(out, "%.4g Hz", k * c->rate_hz / c->fft_size); break;
  case MOTE_FEATURES_MFE:
    text_printf(out, "%.4g to %.4g Hz", features_closed_edge(c, k) * c->rate_hz / c->fft_size,
                features_closed_edge(c, k + 2) * c->rate_hz / c->fft_size);
    break;
  default: text_printf(out, "%s %d", features_kind_name(c->kind), k);
  }
}

void features_value_name(const struct features_block *block, const struct features_config *c,
                         int index, struct text *out) {
  int part = 0;
  for (;; part++) {
    const struct mote_features *const f = block->parts[part].params;
    const int values = f->rows * f->columns;
    if (index < values || part + 1 == block->n_parts) break;
    index -= values;
  }
  const struct mote_features *const f = block->parts[part].params;
  if (f->kind == MOTE_FEATURES_IMAGE) {
    text_printf(out, "pixel %d, %d", index % f->columns / f->depth + 1, index / f->columns + 1);
    if (f->depth > 1) text_printf(out, ", plane %d", index % f->depth + 1);
    return;
  }
  const int at = index % f->columns; /* [width][depth] */
  if (f->rows > 1) text_printf(out, "frame %d, ", index / f->columns + 1);
  name_column(f, block->parts[part].front, &c[part], at % f->depth * f->width + at / f->depth, out);
}

void features_planes(const struct features_block *block, const int8_t *features, int8_t *out) {
  const int width = block->dims[1], depth = block->dims[2];
  for (int y = 0; y < block->dims[0]; y++, out += width * depth)
    for (int i = 0; i < width * depth; i++) out[i % depth * width + i / depth] = *features++;
}
