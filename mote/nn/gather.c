/* gather: slices of a table by indices that are known at run time alone, and the update of a slice, or the sum of
 * slices, at such a place. Any index is safe. */
#include <string.h>

#include "mote/nn/walk.h"

/* Where a tuple points, or -1. */
static int64_t place(const struct mote_gather *p, const void *indices, uint32_t tuple) {
  int64_t at = 0;
  for (uint32_t d = 0; d < p->depth; d++) {
    const int64_t index = mote_load_index(indices, p->index_type, tuple * p->depth + d);
    if (index < 0 || index >= p->size[d]) return -1;
    at += index * p->step[d];
  }
  return at;
}

static void gather_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_gather *p = (const struct mote_gather *)params;
  const uint8_t *table = (const uint8_t *)rows[p->table];
  const void *indices = rows[!p->table];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t batch = 0; batch < p->batches; batch++)
    for (uint32_t outer = 0; outer < p->outers; outer++)
      for (uint32_t i = 0; i < p->count; i++, to += p->slice_bytes) {
        const int64_t at = place(p, indices, batch * p->count + i);
        if (at < 0)
          memset(to, 0, p->slice_bytes);
        else
          memmove(to, table + (size_t)batch * p->batch_step + (size_t)outer * p->outer_step + at,
                  p->slice_bytes);
      }
}

const struct mote_kernel mote_kernel_gather = {NULL, gather_row, NULL};

size_t mote_gather_state_bytes(const struct mote_gather *p) {
  (void)p;
  return 0;
}

/* a * b, or a number above any bound. */
static uint64_t product(uint64_t a, uint64_t b) {
  return a > UINT32_MAX || b > UINT32_MAX ? UINT64_MAX : a * b;
}

enum mote_status mote_gather_check(const struct mote_gather *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->batches == 0 || p->outers == 0 || p->count == 0 || p->slice_bytes == 0 || p->depth == 0 ||
      p->depth > MOTE_GATHER_DEPTH || p->table > 1 || !mote_is_index_type(p->index_type))
    return MOTE_ERR_PARAMS;
  const uint64_t tuples = product(p->batches, p->count);
  const uint32_t index_bytes = p->index_type == MOTE_INT32 ? 4 : 8;
  const uint64_t out_bytes = product(product(tuples, p->outers), p->slice_bytes);
  uint64_t last = (uint64_t)(p->batches - 1) * p->batch_step; /* < 2^64 - 2^33 */
  if (last > UINT32_MAX || (uint64_t)(p->outers - 1) * p->outer_step > UINT32_MAX)
    return MOTE_ERR_BOUNDS;
  last += (uint64_t)(p->outers - 1) * p->outer_step;
  for (uint32_t d = 0; d < p->depth; d++) {
    if (p->size[d] == 0) return MOTE_ERR_PARAMS;
    const uint64_t way = (uint64_t)(p->size[d] - 1) * p->step[d];
    if (way > UINT32_MAX) return MOTE_ERR_BOUNDS;
    last += way;
  }
  if (!mote_bounds_row(b, 0, 1, 1) || !mote_bounds_row(b, 1, 1, 1) ||
      last + p->slice_bytes > b->row_bytes[p->table] || out_bytes > b->out_bytes ||
      b->row_bytes[!p->table] % 4 != 0 ||
      product(tuples, (uint64_t)p->depth * index_bytes) > b->row_bytes[!p->table])
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static void update_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_update_slice *p = (const struct mote_update_slice *)params;
  const struct mote_axis *inner = &p->loops.inner;
  uint8_t *to = (uint8_t *)out;
  struct mote_walk w;
  (void)state;
  if (out != rows[0]) memmove(out, rows[0], p->n_bytes);
  for (uint32_t d = 0; d < p->depth; d++) {
    const int64_t index = mote_load_index(rows[2], p->index_type, d);
    to += (index < 0 ? 0 : index > p->most[d] ? p->most[d] : (uint32_t)index) * (size_t)p->step[d];
  }
  mote_walk_begin(&w, &p->loops, p);
  do
    for (uint32_t i = 0; i < inner->n; i++)
      memmove(to + w.offset[1] + (int64_t)i * inner->step[1],
              (const uint8_t *)rows[1] + w.offset[0] + (int64_t)i * inner->step[0], p->bytes);
  while (mote_walk_next(&w));
}

const struct mote_kernel mote_kernel_update_slice = {NULL, update_row, NULL};

size_t mote_update_slice_state_bytes(const struct mote_update_slice *p) {
  (void)p;
  return 0;
}

enum mote_status mote_update_slice_check(const struct mote_update_slice *p,
                                         const struct mote_bounds *b) {
  uint32_t elements;
  uint64_t last = 0;
  if (b->params_bytes < sizeof *p || !mote_loops_check(&p->loops, p, b, 2, &elements))
    return MOTE_ERR_BOUNDS;
  if (p->depth > MOTE_GATHER_DEPTH || !mote_is_index_type(p->index_type) || p->bytes == 0)
    return MOTE_ERR_PARAMS;
  for (uint32_t d = 0; d < p->depth; d++) {
    const uint64_t way = (uint64_t)p->most[d] * p->step[d];
    if (way > INT32_MAX) return MOTE_ERR_BOUNDS;
    last += way; /* <= 6 * 2^31 */
  }
  /* The place moves the whole slice: both ends must lie within. */
  if (p->n_bytes > b->out_bytes || !mote_bounds_row(b, 0, p->n_bytes, 1) ||
      !mote_bounds_row(b, 1, 1, 1) || !mote_bounds_row(b, 2, 1, 1) || b->row_bytes[2] % 4 != 0 ||
      (uint64_t)p->depth * (p->index_type == MOTE_INT32 ? 4u : 8u) > b->row_bytes[2])
    return MOTE_ERR_BOUNDS;
  if (last > b->out_bytes || (uint64_t)elements * p->bytes > b->out_bytes ||
      !mote_loops_within(&p->loops, p, 0, 0, p->bytes, b->row_bytes[1]) ||
      !mote_loops_within(&p->loops, p, 1, 0, p->bytes, b->out_bytes - (size_t)last))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- sums at places -------------------------------------------------------------- */
static void add_slice(uint8_t *to, const uint8_t *from, uint32_t n, unsigned type) {
  const size_t bytes = mote_type_bytes((int)type);
  for (; n != 0; n--, to += bytes, from += bytes) {
    uint64_t wide, more;
    switch (type) {
    case MOTE_FLOAT32: *(float *)(void *)to += *(const float *)(const void *)from; break;
    case MOTE_BOOL: *to = (uint8_t)((*to | *from) != 0); break;
    case MOTE_INT32: *(uint32_t *)(void *)to += *(const uint32_t *)(const void *)from; break;
    case MOTE_INT64:
      memcpy(&wide, to, sizeof wide);
      memcpy(&more, from, sizeof more);
      wide += more;
      memcpy(to, &wide, sizeof wide);
      break;
    default: *to = (uint8_t)(*to + *from); break; /* INT8, UINT8 */
    }
  }
}

static void scatter_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_scatter *p = (const struct mote_scatter *)params;
  const size_t slice_bytes = p->slice * mote_type_bytes(p->type);
  const int32_t *index = (const int32_t *)rows[0];
  const uint8_t *from = (const uint8_t *)rows[1];
  (void)state;
  memset(out, 0, p->n_bytes);
  for (uint32_t i = 0; i < p->count; i++, index += p->depth, from += slice_bytes) {
    size_t at = 0;
    uint32_t d = 0;
    for (; d < p->depth && index[d] >= 0 && (uint32_t)index[d] < p->size[d]; d++)
      at += (size_t)index[d] * p->step[d];
    if (d == p->depth) add_slice((uint8_t *)out + at, from, p->slice, p->type);
  }
}

const struct mote_kernel mote_kernel_scatter = {NULL, scatter_row, NULL};

size_t mote_scatter_state_bytes(const struct mote_scatter *p) {
  (void)p;
  return 0;
}

enum mote_status mote_scatter_check(const struct mote_scatter *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->count == 0 || p->slice == 0 || p->depth > MOTE_GATHER_DEPTH || p->type > MOTE_INT64 ||
      p->type == MOTE_INT16)
    return MOTE_ERR_PARAMS;
  const uint32_t bytes = (uint32_t)mote_type_bytes(p->type), align = bytes > 4 ? 4 : bytes;
  const uint64_t slice_bytes = (uint64_t)p->slice * bytes; /* < 2^35 */
  uint64_t last = slice_bytes;
  for (uint32_t d = 0; d < p->depth; d++) {
    if (p->size[d] == 0 || p->step[d] % align != 0) return MOTE_ERR_PARAMS;
    const uint64_t way = (uint64_t)(p->size[d] - 1) * p->step[d];
    if (way > UINT32_MAX) return MOTE_ERR_BOUNDS;
    last += way;
  }
  if (p->n_bytes > b->out_bytes || last > p->n_bytes || b->out_bytes % align != 0 ||
      !mote_bounds_row(b, 0, 1, 4) || !mote_bounds_row(b, 1, 1, align) ||
      product(p->count, (uint64_t)p->depth * 4) > b->row_bytes[0] ||
      product(p->count, slice_bytes) > b->row_bytes[1])
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
