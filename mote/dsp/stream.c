/* A stream: rows made as samples arrive, the last window of them kept instead of its samples.
 *
 * Memory, one piece: what is counted, the scratch and state of a row, the rows in the order of time, and the time steps
 * of one frame, rounded up to whole hops. Where a hop holds a frame, no samples are kept at all. Rows whose int8 values need
 * nothing of each other are kept as these, a half or a quarter of the bytes, and stand behind room for the one that is made. */
#include "mote/dsp/private.h"

#include <string.h>

struct stream {
  uint32_t rows;   /* that are there */
  uint32_t filled; /* time steps of the frame */
};

static size_t align4(size_t n) { return (n + 3) & ~(size_t)3; }

static size_t row_bytes(const struct mote_features *f) {
  return (size_t)f->cell_bytes * f->columns;
}

/* One row alone takes no less as int8, as there is room for it before as well. */
static int keeps_int8(const struct mote_features *f) {
  return f->rows > 1 && mote_features_rows_alone(f);
}

static size_t kept_row_bytes(const struct mote_features *f) {
  return keeps_int8(f) ? f->columns : row_bytes(f);
}

size_t mote_features_stream_rows_bytes(const struct mote_features *f) {
  return align4(keeps_int8(f) ? row_bytes(f) : 0) + align4(f->rows * kept_row_bytes(f));
}

/* Time steps that are kept: a frame in whole hops; 0 where a hop holds it. */
static uint32_t kept_steps(const struct mote_features *f) {
  return f->frame <= f->hop ? 0 : (f->frame + f->hop - 1u) / f->hop * f->hop;
}

static void *scratch_of(void *memory) { return (struct stream *)memory + 1; }

/* Where a row is made that is kept as int8. */
static uint8_t *fresh_of(const struct mote_features *f, const struct mote_features_op *op,
                         void *memory) {
  return (uint8_t *)scratch_of(memory) + mote_features_row_scratch_bytes(f, op);
}

static uint8_t *rows_of(const struct mote_features *f, const struct mote_features_op *op,
                        void *memory) {
  return fresh_of(f, op, memory) + align4(keeps_int8(f) ? row_bytes(f) : 0);
}

static int16_t *steps_of(const struct mote_features *f, const struct mote_features_op *op,
                         void *memory) {
  return (int16_t *)(void *)(fresh_of(f, op, memory) + mote_features_stream_rows_bytes(f));
}

size_t mote_features_stream_bytes(const struct mote_features *f,
                                  const struct mote_features_op *op) {
  return sizeof(struct stream) + mote_features_row_scratch_bytes(f, op) +
         mote_features_stream_rows_bytes(f) + align4(2 * (size_t)kept_steps(f) * f->stride);
}

void mote_features_stream_begin(const struct mote_features *f, const struct mote_features_op *op,
                                void *memory) {
  struct stream *const s = memory;
  s->rows = s->filled = 0;
  uint8_t *const rows = rows_of(f, op, memory);
  const size_t bytes = kept_row_bytes(f);
  memset(fresh_of(f, op, memory), 0, mote_features_stream_rows_bytes(f));
  for (uint32_t r = 0; keeps_int8(f) && r < f->rows; r++)
    op->finish(f, fresh_of(f, op, memory), 1, (int8_t *)rows + r * bytes);
  mote_features_begin(f, op, scratch_of(memory));
}

int mote_features_stream_push(const struct mote_features *f, const struct mote_features_op *op,
                              void *memory, const int16_t *samples) {
  struct stream *const s = memory;
  const uint32_t kept = kept_steps(f);
  if (kept) {
    int16_t *const steps = steps_of(f, op, memory);
    if (s->filled == kept) {
      s->filled -= f->hop;
      memmove(steps, steps + (size_t)f->hop * f->stride, 2 * (size_t)s->filled * f->stride);
    }
    memcpy(steps + (size_t)s->filled * f->stride, samples, 2 * (size_t)f->hop * f->stride);
    s->filled += f->hop;
    if (s->filled < kept) return 0;
    samples = steps;
  }
  const size_t bytes = kept_row_bytes(f);
  uint8_t *const rows = rows_of(f, op, memory);
  if (s->rows == f->rows)
    memmove(rows, rows + bytes, (f->rows - 1u) * bytes);
  else
    s->rows++;
  uint8_t *const last = rows + (s->rows - 1) * bytes, *const made = keeps_int8(f)
                                                                        ? fresh_of(f, op, memory)
                                                                        : last;
  mote_features_row(f, op, samples, scratch_of(memory), made);
  if (keeps_int8(f)) op->finish(f, made, 1, (int8_t *)last);
  return s->rows == f->rows;
}

void mote_features_stream_finish(const struct mote_features *f, const struct mote_features_op *op,
                                 void *memory, int8_t *out) {
  const uint8_t *const rows = rows_of(f, op, memory);
  if (keeps_int8(f))
    memcpy(out, rows, f->rows * kept_row_bytes(f));
  else
    mote_features_finish(f, op, rows, out);
}
