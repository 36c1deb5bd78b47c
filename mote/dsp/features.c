/* Blocks: proof of their bytes, the window's last step, and a whole window in one call. */
#include "mote/dsp/dsp.h"

/* Twice the largest int8 tensor that a microcontroller would hold; keeps every size below 2^31. */
#define MAX_VALUES (1u << 20)
#define MAX_WINDOW (1u << 24)

/* The structures are the block's own bytes, kept in projects and programs: who changes one, or the meaning of a
 * table, raises MOTE_FEATURES_VERSION with it, and then the sizes here. */
#define SIZE_OF(type, bytes) typedef char type##_size[sizeof(struct type) == (bytes) ? 1 : -1]
SIZE_OF(mote_features, 72);
SIZE_OF(mote_features_column, 6);

static size_t align4(size_t n) { return (n + 3) & ~(size_t)3; }

size_t mote_features_row_scratch_bytes(const struct mote_features *f) {
  if (!f->fft_log2) return 0;
  return ((size_t)4 << f->fft_log2) + (f->coefficients ? align4(2 * (size_t)f->bands) : 0);
}

/* Rows that are the samples themselves need no place of their own. */
static int rows_are_samples(const struct mote_features *f) {
  return f->kind == MOTE_FEATURES_RAW && f->frame == 1;
}

size_t mote_features_scratch_bytes(const struct mote_features *f) {
  const size_t rows = rows_are_samples(f) ? 0 : align4(2 * (size_t)f->rows * f->columns);
  return rows + mote_features_row_scratch_bytes(f);
}

/* A table of n bytes at offset `at` lies behind the structure and before the end, aligned to 4. */
static int table_fits(const struct mote_features *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof *f && (at & 3) == 0 && (uint32_t)at <= f->bytes &&
         n <= f->bytes - (uint32_t)at;
}

/* A twiddle longer than 1 could overflow the FFT: 2^30 is 1, and rounding adds less than 46343. */
static int sine_fits(const int16_t *sine, uint32_t quarter) {
  for (uint32_t k = 0; k <= quarter; k++) {
    const int32_t s = sine[k], c = sine[quarter - k];
    if (s < 0 || s * s + c * c > ((int32_t)1 << 30) + 46343) return 0; /* s, c <= 32767: below 2^31 */
  }
  return 1;
}

/* Segments grow, hold 256 bins at most, and leave out bin 0 and bin fft/2, which are packed together. */
static enum mote_status check_segments(const struct mote_features *f) {
  const uint16_t *const segment = mote_at(f, f->segment_at);
  if (segment[0] < 1) return MOTE_ERR_PARAMS;
  for (uint32_t i = 0; i <= f->bands; i++)
    if (segment[i + 1] < segment[i] || segment[i + 1] - segment[i] > 256) return MOTE_ERR_PARAMS;
  const uint32_t end = segment[f->bands + 1];
  if (end > 1u << (f->fft_log2 - 1)) return MOTE_ERR_PARAMS;
  return table_fits(f, f->weight_at, end - segment[0]) ? MOTE_OK : MOTE_ERR_BOUNDS;
}

static enum mote_status check_cosines(const struct mote_features *f) {
  if (!table_fits(f, f->cosine_at, 2 * (size_t)f->coefficients * f->bands)) return MOTE_ERR_BOUNDS;
  const int16_t *cosine = mote_at(f, f->cosine_at);
  for (uint32_t k = 0; k < f->coefficients; k++) {
    int32_t sum = 0; /* bands <= 1024: below 2^26 */
    for (uint32_t b = 0; b < f->bands; b++, cosine++) sum += *cosine < 0 ? -*cosine : *cosine;
    if (sum > 131071) return MOTE_ERR_PARAMS; /* times 2^14: the sum of a transform fits 32 bits */
  }
  return MOTE_OK;
}

static enum mote_status check_bands(const struct mote_features *f) {
  if (f->fft_log2 < 4 || f->fft_log2 > 11) return MOTE_ERR_PARAMS;
  const uint32_t fft = 1u << f->fft_log2;
  if (f->frame > fft || f->bands < 1 || f->bands > fft / 2 || f->coefficients > f->bands ||
      f->floor < -16384 || f->floor > 16383)
    return MOTE_ERR_PARAMS;
  if (!table_fits(f, f->window_at, (size_t)f->frame * 2) ||
      !table_fits(f, f->sine_at, ((size_t)fft / 4 + 1) * 2) ||
      !table_fits(f, f->segment_at, ((size_t)f->bands + 2) * 2))
    return MOTE_ERR_BOUNDS;
  if (!sine_fits(mote_at(f, f->sine_at), fft / 4)) return MOTE_ERR_PARAMS;
  const enum mote_status status = check_segments(f);
  return status == MOTE_OK && f->coefficients ? check_cosines(f) : status;
}

/* Most columns that a line is laid through: up to that, every product of its sums fits 32 bits. */
#define MAX_TILT_COLUMNS 256

/* Frames lie in the window, and the columns are what the kind makes. */
static enum mote_status check_shape(const struct mote_features *f) {
  if (f->kind >= MOTE_FEATURES_KIND_COUNT || f->normalise >= MOTE_FEATURES_NORMALISE_COUNT)
    return MOTE_ERR_PARAMS;
  if (!f->channels || !f->frame || f->frame > INT16_MAX || !f->hop || !f->rows || !f->columns ||
      f->window > MAX_WINDOW || f->range < 0 || f->zp < -128 || f->zp > 127)
    return MOTE_ERR_PARAMS;
  if ((uint32_t)(f->rows - 1) * f->hop + f->frame > f->window ||
      (uint32_t)f->rows * f->columns > MAX_VALUES || (uint32_t)f->width * f->depth != f->columns)
    return MOTE_ERR_PARAMS;
  const uint32_t spectrum = !f->fft_log2 ? 0 : f->coefficients ? f->coefficients : f->bands;
  const uint32_t each = f->kind == MOTE_FEATURES_RAW          ? 1
                        : f->kind == MOTE_FEATURES_STATISTICS ? MOTE_FEATURES_STATS + spectrum
                                                              : spectrum;
  if (f->columns != f->channels * each) return MOTE_ERR_PARAMS;
  if (f->normalise == MOTE_FEATURES_NORMALISE_TILT && f->columns > MAX_TILT_COLUMNS)
    return MOTE_ERR_PARAMS;
  if (f->kind == MOTE_FEATURES_RAW && (f->fft_log2 || f->hop != f->frame)) return MOTE_ERR_PARAMS;
  return f->kind == MOTE_FEATURES_BANDS && !f->fft_log2 ? MOTE_ERR_PARAMS : MOTE_OK;
}

enum mote_status mote_features_check(const void *bytes, size_t n) {
  const struct mote_features *const f = bytes;
  if ((uintptr_t)bytes & 3) return MOTE_ERR_ALIGN;
  if (n < sizeof *f) return MOTE_ERR_TRUNCATED;
  if (f->magic != MOTE_FEATURES_MAGIC) return MOTE_ERR_MAGIC;
  if (f->version != MOTE_FEATURES_VERSION) return MOTE_ERR_VERSION;
  if (f->bytes > n) return MOTE_ERR_TRUNCATED;
  if (f->bytes < sizeof *f || f->bytes > INT32_MAX) return MOTE_ERR_BOUNDS;
  enum mote_status status = check_shape(f);
  if (status == MOTE_OK && f->fft_log2) status = check_bands(f);
  if (status != MOTE_OK) return status;
  if (!table_fits(f, f->column_at, sizeof(struct mote_features_column) * (size_t)f->columns))
    return MOTE_ERR_BOUNDS;
  const struct mote_features_column *const column = mote_at(f, f->column_at);
  for (uint32_t c = 0; c < f->columns; c++)
    if (column[c].multiplier < 0 || column[c].shift < 1 || column[c].shift > 30)
      return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

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

void mote_features_finish(const struct mote_features *f, const int16_t *rows, int8_t *out) {
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
      const int32_t away = mean + column->offset, half = 1 << (column->shift - 1);
      const int16_t *v = rows + c;
      int8_t *q = out + w * f->depth + d;
      for (uint32_t r = 0; r < f->rows; r++, v += f->columns, q += f->columns) {
        /* Held to 16 bits, so that the product is at most 2^30, and half at most 2^29. */
        const int32_t n = mote_clamp((*v > lowest ? *v : lowest) - away, INT16_MIN, INT16_MAX);
        *q = (int8_t)mote_clamp(f->zp + ((n * column->multiplier + half) >> column->shift), -128,
                                127);
      }
    }
}

void mote_features_run(const struct mote_features *f, const int16_t *samples, void *scratch,
                       int8_t *out) {
  if (rows_are_samples(f)) {
    mote_features_finish(f, samples, out);
    return;
  }
  int16_t *const rows = scratch;
  void *const frame = (uint8_t *)scratch + align4(2 * (size_t)f->rows * f->columns);
  for (uint32_t r = 0; r < f->rows; r++)
    mote_features_row(f, samples + (size_t)r * f->hop * f->channels, frame, rows + r * f->columns);
  mote_features_finish(f, rows, out);
}
