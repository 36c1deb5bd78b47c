/* whole: what operators without row structure share: each operand is one row, the whole tensor. Internal to
 * mote/nn. */
#ifndef MOTE_NN_WHOLE_H
#define MOTE_NN_WHOLE_H

#include "mote/nn/bounds.h"

/* Edge i is one row of n bytes or more, never NULL, and each edge in front of it is one row: its pointer is
 * rows[i]. */
static inline int mote_bounds_whole(const struct mote_bounds *b, unsigned i, uint64_t n) {
  if (i + 1 >= b->n_in + b->n_out) return 0;
  for (unsigned k = 0; k <= i; k++)
    if (b->rows[k] != 1) return 0;
  return (b->missing >> i & 1u) == 0 && n <= b->row_bytes[i];
}

/* The same for an edge that the kernel writes: a state or a further output. */
static inline int mote_bounds_written(const struct mote_bounds *b, unsigned i, uint64_t n) {
  return mote_bounds_whole(b, i, n) && (b->writable >> i & 1u) != 0;
}

/* Inputs of that number, outputs of that number. */
static inline int mote_bounds_edges(const struct mote_bounds *b, unsigned n_in, unsigned n_out) {
  return b->n_in == n_in && b->n_out == n_out;
}

/* What a kernel may write, a const pointer among its rows. */
static inline void *mote_written(const void *row) { return (void *)(uintptr_t)row; }

/* A kernel that is one call of <stem>_row over whole tensors. */
#define MOTE_WHOLE_KERNEL(stem, params)                                                            \
  const struct mote_kernel mote_kernel_##stem = {NULL, stem##_row, NULL};                          \
  size_t mote_##stem##_state_bytes(const struct params *p) {                                       \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }

#endif
