/* Names of single values, for tables and pictures. */
#include "host/features/private.h"

/* The frequencies that a band reaches over. */
static void name_band(const struct features_config *c, int band, struct text *out) {
  const double step = c->rate_hz / c->fft_size;
  text_printf(out, "%.4g to %.4g Hz", features_band_edge(c, band) * step,
              features_band_edge(c, band + 2) * step);
}

/* `column` of the part's rows: channel after channel. */
static void name_column(const struct mote_features *f, const struct mote_front *front,
                        const struct features_config *c, int column, struct text *out) {
  static const char *const statistics[MOTE_FEATURES_STATS] = {
      "mean", "deviation", "RMS", "minimum", "maximum", "half span", "crossings", "mean step"};
  const int each = f->columns / f->channels, k = column % each;
  if (front) {
    features_front_name(front, column / each, out);
    text_add(out, ": ");
  } else if (f->channels > 1 || f->stride > 1)
    text_printf(out, "channel %d: ", (c->stride ? c->select[column / each] : column / each) + 1);
  switch (f->kind) {
  case MOTE_FEATURES_BANDS:
    if (f->coefficients)
      text_printf(out, "coefficient %d", k);
    else
      name_band(c, k, out);
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
