/* walk: runs the loops of struct mote_loops, and proves that they stay within their operands. Internal to mote/nn.
 *
 *   struct mote_walk w;
 *   mote_walk_begin(&w, &p->loops, p);
 *   do
 *     run(a + w.offset[0], b + w.offset[1], p->loops.inner.n ...);
 *   while (mote_walk_next(&w));                                                                           */
#ifndef MOTE_NN_WALK_H
#define MOTE_NN_WALK_H

#include <string.h>

#include "mote/nn/bounds.h"

struct mote_walk {
  const struct mote_axis *axes;
  uint32_t n_axes;
  int32_t offset[3]; /* of each operand, bytes */
  uint32_t index[MOTE_MAX_AXES];
};

static inline void mote_walk_begin(struct mote_walk *w, const struct mote_loops *l,
                                   const void *params) {
  w->axes = (const struct mote_axis *)mote_at(params, l->axes_at);
  w->n_axes = l->axes;
  w->offset[0] = w->offset[1] = w->offset[2] = 0;
  for (uint32_t i = 0; i < l->axes; i++) w->index[i] = 0;
}
/* To the next turn of the innermost loop; 0 after the last. */
int mote_walk_next(struct mote_walk *w);

/* The table of loops is there, all its numbers are below 2^28, and only the first `operands` of them move.
 * *elements: how many the loops make, at most 2^28. */
int mote_loops_check(const struct mote_loops *l, const void *params, const struct mote_bounds *b,
                     unsigned operands, uint32_t *elements);
/* needs: mote_loops_check. Operand k, starting at `base` bytes, stays within `limit` bytes with elements of `size`
 * bytes, each aligned to its size (to 4 where it has 8). */
int mote_loops_within(const struct mote_loops *l, const void *params, unsigned k, int64_t base,
                      uint32_t size, size_t limit);

/* One call may write n elements of `size` bytes. */
static inline int mote_bounds_out(const struct mote_bounds *b, uint32_t n, uint32_t size) {
  return b->out_bytes % size == 0 && (uint64_t)n * size <= b->out_bytes;
}
/* Operand k of loops is one row, which the loops do not leave. */
static inline int mote_bounds_operand(const struct mote_bounds *b, unsigned k,
                                      const struct mote_loops *l, const void *params,
                                      uint32_t size) {
  return mote_bounds_row(b, k, 1, size) &&
         mote_loops_within(l, params, k, 0, size, b->row_bytes[k]);
}

/* An element of an integer type, widened. 8 bytes may lie at a multiple of 4. */
static inline int32_t mote_load_int(const void *at, unsigned type) {
  switch (type) {
  case MOTE_INT8: return *(const int8_t *)at;
  case MOTE_INT16: return *(const int16_t *)at;
  case MOTE_INT32: return *(const int32_t *)at;
  default: return *(const uint8_t *)at; /* UINT8, BOOL */
  }
}
static inline void mote_store_int(void *at, unsigned type, int32_t v) {
  switch (type) {
  case MOTE_INT16: *(int16_t *)at = (int16_t)v; break;
  case MOTE_INT32: *(int32_t *)at = v; break;
  default: *(uint8_t *)at = (uint8_t)v; break;
  }
}

/* Element i of a list of indices, int32 or int64. */
static inline int64_t mote_load_index(const void *indices, unsigned type, uint32_t i) {
  int64_t wide;
  if (type == MOTE_INT32) return ((const int32_t *)indices)[i];
  memcpy(&wide, (const uint8_t *)indices + (size_t)i * 8, sizeof wide);
  return wide;
}
static inline int mote_is_index_type(unsigned type) {
  return type == MOTE_INT32 || type == MOTE_INT64;
}

#endif
