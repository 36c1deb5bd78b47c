/* A stream: rows made as samples arrive, the last window of them kept instead of its samples.
 *
 * Memory, one piece: what is counted, the scratch and state of a row, the rows in the order of time, and the time steps
 * of one frame, rounded up to whole hops. Where a hop holds a frame, no samples are kept at all. */
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

/* Time steps that are kept: a frame in whole hops; 0 where a hop holds it. */
static uint32_t kept_steps(const struct mote_features *f) {
  return f->frame <= f->hop ? 0 : (f->frame + f->hop - 1u) / f->hop * f->hop;
}

static void *scratch_of(void *memory) { return (struct stream *)memory + 1; }

static uint8_t *rows_of(const struct mote_features *f, const struct mote_features_op *op,
                        void *memory) {
  return (uint8_t *)scratch_of(memory) + mote_features_row_scratch_bytes(f, op);
}

static int16_t *steps_of(const struct mote_features *f, const struct mote_features_op *op,
                         void *memory) {
  return (int16_t *)(void *)(rows_of(f, op, memory) + align4(f->rows * row_bytes(f)));
}

size_t mote_features_stream_bytes(const struct mote_features *f,
                                  const struct mote_features_op *op) {
  return sizeof(struct stream) + mote_features_row_scratch_bytes(f, op) +
         align4(f->rows * row_bytes(f)) + align4(2 * (size_t)kept_steps(f) * f->stride);
}

void mote_features_stream_begin(const struct mote_features *f, const struct mote_features_op *op,
                                void *memory) {
  struct stream *const s = memory;
  s->rows = s->filled = 0;
  memset(rows_of(f, op, memory), 0, f->rows * row_bytes(f));
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
  const size_t bytes = row_bytes(f);
  uint8_t *const rows = rows_of(f, op, memory);
  if (s->rows == f->rows)
    memmove(rows, rows + bytes, (f->rows - 1u) * bytes);
  else
    s->rows++;
  mote_features_row(f, op, samples, scratch_of(memory), rows + (s->rows - 1) * bytes);
  return s->rows == f->rows;
}

void mote_features_stream_finish(const struct mote_features *f, const struct mote_features_op *op,
                                 void *memory, int8_t *out) {
  mote_features_finish(f, op, rows_of(f, op, memory), out);
}
