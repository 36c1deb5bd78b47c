/* Blocks: proof of their bytes, and a whole window in one call. */
#include "mote/dsp/dsp.h"

/* Twice the largest int8 tensor that a microcontroller would hold; keeps every size below 2^31. */
#define MAX_VALUES (1u << 20)
#define MAX_WINDOW (1u << 24)

/* The structures are the block's own bytes, kept in projects and programs: who changes one, or the meaning of a
 * table, raises MOTE_FEATURES_VERSION with it, and then the sizes here. */
#define SIZE_OF(type, bytes) typedef char type##_size[sizeof(struct type) == (bytes) ? 1 : -1]
SIZE_OF(mote_features, 84);
SIZE_OF(mote_features_column, 6);
SIZE_OF(mote_features_wide_column, 12);

static size_t align4(size_t n) { return (n + 3) & ~(size_t)3; }

static size_t state_bytes(const struct mote_features *f, const struct mote_features_op *op) {
  return op->state_bytes ? align4(op->state_bytes(f)) : 0;
}

size_t mote_features_row_scratch_bytes(const struct mote_features *f,
                                       const struct mote_features_op *op) {
  return state_bytes(f, op) + op->scratch_bytes(f);
}

/* Rows that are the samples themselves, in their place, need none of their own. */
static int rows_are_samples(const struct mote_features *f) {
  if (f->kind != MOTE_FEATURES_RAW || f->frame != 1 || f->channels != f->stride) return 0;
  const uint8_t *const channel = mote_at(f, f->channel_at);
  for (uint32_t c = 0; c < f->channels; c++)
    if (channel[c] != c) return 0;
  return 1;
}

size_t mote_features_rows_bytes(const struct mote_features *f) {
  return f->kind == MOTE_FEATURES_IMAGE || rows_are_samples(f)
             ? 0
             : align4((size_t)f->cell_bytes * f->rows * f->columns);
}

size_t mote_features_scratch_bytes(const struct mote_features *f,
                                   const struct mote_features_op *op) {
  return mote_features_rows_bytes(f) + mote_features_row_scratch_bytes(f, op);
}

int mote_features_rows_alone(const struct mote_features *f) {
  return f->normalise == MOTE_FEATURES_NORMALISE_NONE && !f->range;
}

int mote_features_is_once(const struct mote_features *f, const struct mote_features_op *op) {
  return f->rows == 1 && !op->state_bytes && !op->begin && !op->prime && !rows_are_samples(f);
}

int mote_features_table_fits(const struct mote_features *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof *f && (at & 3) == 0 && (uint32_t)at <= f->bytes &&
         n <= f->bytes - (uint32_t)at;
}

/* Most columns that a line is laid through: up to that, every product of its sums fits 32 bits. */
#define MAX_TILT_COLUMNS 256

/* Frames lie in the window, and normalisation is one for the cells. */
static enum mote_status check_shape(const struct mote_features *f) {
  if (f->normalise >= MOTE_FEATURES_NORMALISE_COUNT || (f->cell_bytes != 2 && f->cell_bytes != 4))
    return MOTE_ERR_PARAMS;
  if (f->cell_bytes == 4 && (f->normalise != MOTE_FEATURES_NORMALISE_NONE || f->range))
    return MOTE_ERR_PARAMS;
  if (f->normalise == MOTE_FEATURES_NORMALISE_SLIDING && f->kind != MOTE_FEATURES_MFCC)
    return MOTE_ERR_PARAMS;
  if (!f->channels || f->channels > f->stride || f->stride > 256 || f->frame > INT16_MAX ||
      !f->rows || !f->columns || f->window > MAX_WINDOW || f->range < 0 || f->zp < -128 ||
      f->zp > 127)
    return MOTE_ERR_PARAMS;
  if (f->kind == MOTE_FEATURES_IMAGE ? f->frame || f->hop : !f->frame || !f->hop)
    return MOTE_ERR_PARAMS;
  if ((uint32_t)(f->rows - 1) * f->hop + f->frame > f->window ||
      (uint32_t)f->rows * f->columns > MAX_VALUES || (uint32_t)f->width * f->depth != f->columns)
    return MOTE_ERR_PARAMS;
  if (f->normalise == MOTE_FEATURES_NORMALISE_TILT && f->columns > MAX_TILT_COLUMNS)
    return MOTE_ERR_PARAMS;
  if (!mote_features_table_fits(f, f->channel_at, f->channels)) return MOTE_ERR_BOUNDS;
  const uint8_t *const channel = mote_at(f, f->channel_at);
  for (uint32_t c = 0; c < f->channels; c++)
    if (channel[c] >= f->stride) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

static enum mote_status check_columns(const struct mote_features *f) {
  const void *const columns = mote_at(f, f->column_at);
  const size_t each = f->cell_bytes == 2 ? sizeof(struct mote_features_column)
                                         : sizeof(struct mote_features_wide_column);
  const uint32_t n = f->kind == MOTE_FEATURES_IMAGE ? 1 : f->columns;
  if (!mote_features_table_fits(f, f->column_at, each * n)) return MOTE_ERR_BOUNDS;
  for (uint32_t c = 0; c < n; c++) {
    int32_t multiplier, shift;
    if (f->cell_bytes == 2) {
      const struct mote_features_column *const column = columns;
      multiplier = column[c].multiplier, shift = column[c].shift;
    } else {
      const struct mote_features_wide_column *const column = columns;
      multiplier = column[c].multiplier, shift = column[c].shift;
    }
    if (multiplier < 0 || shift < 1 || shift > (f->cell_bytes == 2 ? 30 : 62))
      return MOTE_ERR_PARAMS;
  }
  return MOTE_OK;
}

enum mote_status mote_features_check(const void *bytes, size_t n,
                                     const struct mote_features_op *op) {
  const struct mote_features *const f = bytes;
  if ((uintptr_t)bytes & 3) return MOTE_ERR_ALIGN;
  if (n < sizeof *f) return MOTE_ERR_TRUNCATED;
  if (f->magic != MOTE_FEATURES_MAGIC) return MOTE_ERR_MAGIC;
  if (f->version != MOTE_FEATURES_VERSION) return MOTE_ERR_VERSION;
  if (f->bytes > n) return MOTE_ERR_TRUNCATED;
  if (f->bytes < sizeof *f || f->bytes > INT32_MAX) return MOTE_ERR_BOUNDS;
  if (!op || f->kind != op->kind) return MOTE_ERR_PARAMS;
  enum mote_status status = check_shape(f);
  if (status == MOTE_OK) status = op->check ? op->check(f) : mote_features_check_of(f);
  return status == MOTE_OK ? check_columns(f) : status;
}

void mote_features_finish(const struct mote_features *f, const struct mote_features_op *op,
                          const void *rows, int8_t *out) {
  op->finish(f, rows, f->rows, out);
}

void mote_features_begin(const struct mote_features *f, const struct mote_features_op *op,
                         void *scratch) {
  if (op->begin) op->begin(f, scratch);
}

void mote_features_row(const struct mote_features *f, const struct mote_features_op *op,
                       const int16_t *samples, void *scratch, void *row) {
  op->row(f, samples, scratch, (uint8_t *)scratch + state_bytes(f, op), row);
}

void mote_features_run(const struct mote_features *f, const struct mote_features_op *op,
                       const int16_t *samples, void *scratch, int8_t *out) {
  if (rows_are_samples(f)) {
    mote_features_finish(f, op, samples, out);
    return;
  }
  if (op->run) {
    op->run(f, samples, (uint8_t *)scratch + state_bytes(f, op), out);
    return;
  }
  uint8_t *const frame = (uint8_t *)scratch + mote_features_rows_bytes(f);
  uint8_t *row = scratch;
  mote_features_begin(f, op, frame);
  if (op->prime) op->prime(f, samples, frame);
  for (uint32_t r = 0; r < f->rows; r++, row += (size_t)f->cell_bytes * f->columns)
    mote_features_row(f, op, samples + (size_t)r * f->hop * f->stride, frame, row);
  mote_features_finish(f, op, scratch, out);
}
