/* batch_matmul: BATCH_MATMUL of int8 or int16 values: either side as it lies, transposed or broadcast, by strides. No
 * state: nothing is transposed into a buffer. */
#include "mote/nn/window.h"

/* Sum over the depth; modulo 2^64. A product is below 2^17 of 2^17. */
static inline int64_t sum_of(const struct mote_batch_matmul *p, const void *x, uint32_t x_at,
                             const void *y, uint32_t y_at, uint32_t size) {
  uint64_t sum = 0;
  for (uint32_t k = 0; k < p->depth; k++, x_at += p->x_deep, y_at += p->y_deep) {
    if (size == 1)
      sum += (uint64_t)(int64_t)((((const int8_t *)x)[x_at] - p->x_zp) *
                                 (int32_t)(((const int8_t *)y)[y_at] - p->y_zp));
    else
      sum += (uint64_t)((int64_t)((int32_t)((const int16_t *)x)[x_at] - p->x_zp) *
                        ((int32_t)((const int16_t *)y)[y_at] - p->y_zp));
  }
  return (int64_t)sum;
}

static inline void multiply(const void *params, const void *const *rows, void *out, uint32_t size) {
  const struct mote_batch_matmul *p = (const struct mote_batch_matmul *)params;
  uint32_t at = 0, b[3];
  for (b[0] = 0; b[0] < p->batch[0]; b[0]++)
    for (b[1] = 0; b[1] < p->batch[1]; b[1]++)
      for (b[2] = 0; b[2] < p->batch[2]; b[2]++) {
        uint32_t x_at = 0, y_first = 0;
        for (int i = 0; i < 3; i++) {
          x_at += b[i] * p->x_batch[i];
          y_first += b[i] * p->y_batch[i];
        }
        for (uint32_t r = 0; r < p->rows; r++, x_at += p->x_row) {
          uint32_t y_at = y_first;
          for (uint32_t c = 0; c < p->columns; c++, y_at += p->y_column) {
            const int64_t sum = sum_of(p, rows[0], x_at, rows[1], y_at, size);
            mote_put(out, at++, mote_scaled(&p->scaling, p, NULL, 0, sum), size);
          }
        }
      }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  multiply(params, rows, out, 1);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  multiply(params, rows, out, 2);
}

const struct mote_kernel mote_kernel_batch_matmul_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_batch_matmul_s16 = {NULL, row_s16, NULL};

/* Elements from the first to the last that an operand's strides reach, 0 where they leave 31 bits. */
static uint64_t reach_of(const struct mote_batch_matmul *p, const uint32_t batch[3], uint32_t n,
                         uint32_t step, uint32_t deep) {
  uint64_t last = (uint64_t)(n - 1) * step;
  last += (uint64_t)(p->depth - 1u) * deep;
  for (int i = 0; i < 3; i++) last += (uint64_t)(p->batch[i] - 1u) * batch[i];
  return last >= INT32_MAX ? 0 : last + 1; /* five terms below 2^48 */
}

static enum mote_status check(const struct mote_batch_matmul *p, const struct mote_bounds *b,
                              uint32_t size) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->rows == 0 || p->columns == 0 || p->depth == 0 || p->batch[0] == 0 || p->batch[1] == 0 ||
      p->batch[2] == 0 || p->scaling.bias_bytes || p->scaling.per_channel ||
      p->scaling.sum_bytes != (size == 1 ? 4 : 8) || !mote_zps_are_good(p->x_zp, 0, size) ||
      !mote_zps_are_good(p->y_zp, 0, size))
    return MOTE_ERR_PARAMS;
  const uint64_t x = reach_of(p, p->x_batch, p->rows, p->x_row, p->x_deep);
  const uint64_t y = reach_of(p, p->y_batch, p->columns, p->y_column, p->y_deep);
  /* rows * columns < 2^32; three batches of 16 bits could pass 2^64 with them. */
  const uint64_t images = (uint64_t)p->batch[0] * p->batch[1] * p->batch[2];
  const uint64_t each = (uint64_t)p->rows * p->columns;
  if (x == 0 || y == 0 || images > INT32_MAX || images * each > INT32_MAX) return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, x, size) || !mote_bounds_row(b, 1, y, size) || b->out_bytes % size ||
      images * each > b->out_bytes / size)
    return MOTE_ERR_BOUNDS;
  return mote_scaling_check(&p->scaling, p, b, 1, 2, size);
}

enum mote_status mote_batch_matmul_s8_check(const struct mote_batch_matmul *p,
                                            const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_batch_matmul_s16_check(const struct mote_batch_matmul *p,
                                             const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_batch_matmul_s8_state_bytes(const struct mote_batch_matmul *p) {
  (void)p;
  return 0;
}
size_t mote_batch_matmul_s16_state_bytes(const struct mote_batch_matmul *p) {
  (void)p;
  return 0;
}
