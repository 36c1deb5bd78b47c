/* The last step of a window whose rows are int16: range, normalisation, int8. */
#include "mote/dsp/private.h"
#include "mote/isa/isa.h"

/* round(sum / n), halves away from zero. */
static int32_t mean_of(int32_t sum, uint32_t n) {
  const int32_t half = (int32_t)(n / 2);
  return (sum < 0 ? sum - half : sum + half) / (int32_t)n;
}

/* The least value that counts: `range` below the window's largest. */
static int32_t lowest_of(const struct mote_features *f, const int16_t *rows) {
  if (!f->range) return INT16_MIN;
  int32_t most = INT16_MIN;
  const uint32_t n = (uint32_t)f->rows * f->columns;
  for (uint32_t i = 0; i < n; i++)
    if (rows[i] > most) most = rows[i];
  return most - f->range;
}

/* The mean of a column, values below `lowest` raised to it. range: rows <= 65535, |v| <= 2^15, lowest no less
 * than -2^16, only used where greater than v: |sum| < 2^31. */
static int32_t column_mean(const struct mote_features *f, const int16_t *rows, uint32_t column,
                           int32_t lowest) {
  int32_t sum = 0;
  const int16_t *v = rows + column;
  for (uint32_t r = 0; r < f->rows; r++, v += f->columns) sum += *v > lowest ? *v : lowest;
  const uint32_t n = f->rows;
  return mean_of(sum, n);
}

/* The mean of the columns' means; each is rounded once. */
static int32_t window_mean(const struct mote_features *f, const int16_t *rows, int32_t lowest) {
  int32_t sum = 0;
  for (uint32_t c = 0; c < f->columns; c++) sum += column_mean(f, rows, c, lowest);
  return mean_of(sum, f->columns);
}

/* The straight line level + slope * x / 2^8 through the columns' means, x = 2c - (columns - 1). */
struct line {
  int32_t level, slope;
};

/* Least squares: slope = sum(x m) / sum(x^2), sum(x^2) = n (n^2 - 1) / 3.
 * range: n <= 256, |m| <= 2^15: |sum(x m)| < 2^15 n^2 / 2 <= 2^30; sum(x^2) < 2^23, its rest * 2^8 < 2^31. */
static struct line line_of(const struct mote_features *f, const int16_t *rows, int32_t lowest) {
  const int32_t n = f->columns, squares = n * (n * n - 1) / 3;
  int32_t sum = 0, moment = 0;
  for (int32_t c = 0; c < n; c++) {
    const int32_t m = column_mean(f, rows, (uint32_t)c, lowest);
    sum += m;
    moment += m * (2 * c - (n - 1));
  }
  struct line l = {mean_of(sum, (uint32_t)n), 0};
  if (squares > 0) l.slope = moment / squares * 256 + moment % squares * 256 / squares;
  return l;
}

void mote_features_finish_s16(const struct mote_features *f, const void *values, uint32_t n,
                              int8_t *out) {
  const int16_t *const rows = values;
  const struct mote_features_column *column = mote_at(f, f->column_at);
  const int32_t lowest = lowest_of(f, rows);
  const int tilt = f->normalise == MOTE_FEATURES_NORMALISE_TILT;
  const struct line line = tilt ? line_of(f, rows, lowest) : (struct line){0, 0};
  int32_t mean = f->normalise == MOTE_FEATURES_NORMALISE_LEVEL ? window_mean(f, rows, lowest) : 0;
  for (uint32_t d = 0; d < f->depth; d++)
    for (uint32_t w = 0; w < f->width; w++, column++) {
      const uint32_t c = d * f->width + w;
      if (f->normalise == MOTE_FEATURES_NORMALISE_MEAN) mean = column_mean(f, rows, c, lowest);
      /* |slope| <= 2^8 * 2^15 * 3 / (2 n), |x| < n: the product is below 2^25. */
      if (tilt) mean = line.level + ((line.slope * (2 * (int32_t)c - (f->columns - 1)) + 128) >> 8);
      const int32_t away = mean + column->offset, multiplier = column->multiplier;
      const int32_t shift = column->shift, half = 1 << (shift - 1), zp = f->zp, step = f->columns;
      const int16_t *v = rows + c;
      int8_t *q = out + w * f->depth + d;
      for (uint32_t r = n; r; r--, v += step, q += step) {
        /* Held to 16 bits, so that the product is at most 2^30, and half at most 2^29. */
        const int32_t x = mote_isa_clamp_s16((*v > lowest ? *v : lowest) - away);
        *q = (int8_t)mote_isa_clamp_s8(zp + ((x * multiplier + half) >> shift));
      }
    }
}
