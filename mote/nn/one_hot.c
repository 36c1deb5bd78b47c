/* one_hot: one value at an index, another elsewhere. Any index is safe. */
#include <string.h>

#include "mote/nn/walk.h"

static void one_hot_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_one_hot *p = (const struct mote_one_hot *)params;
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t o = 0; o < p->outer; o++)
    for (uint32_t d = 0; d < p->depth; d++)
      for (uint32_t i = 0; i < p->inner; i++, to += p->bytes)
        memmove(to, rows[mote_load_index(rows[0], p->index_type, o * p->inner + i) == d ? 1 : 2],
                p->bytes);
}

const struct mote_kernel mote_kernel_one_hot = {NULL, one_hot_row, NULL};

size_t mote_one_hot_state_bytes(const struct mote_one_hot *p) {
  (void)p;
  return 0;
}

enum mote_status mote_one_hot_check(const struct mote_one_hot *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->outer == 0 || p->depth == 0 || p->inner == 0 || !mote_is_index_type(p->index_type) ||
      (p->bytes != 1 && p->bytes != 2 && p->bytes != 4 && p->bytes != 8))
    return MOTE_ERR_PARAMS;
  const uint64_t indices = (uint64_t)p->outer * p->inner;
  const uint64_t index_bytes = p->index_type == MOTE_INT32 ? 4 : 8;
  if (indices > INT32_MAX) return MOTE_ERR_BOUNDS;
  if (!mote_bounds_row(b, 0, 1, 4) || !mote_bounds_row(b, 1, p->bytes, 1) ||
      !mote_bounds_row(b, 2, p->bytes, 1) || indices * index_bytes > b->row_bytes[0] ||
      indices * p->depth > b->out_bytes / p->bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
