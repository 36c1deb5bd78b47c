/* dense_f32: FULLY_CONNECTED and BATCH_MATMUL in float32. */
#include "mote/nn/lanes.h"

static void dense_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_fully_connected_f32 *p = (const struct mote_fully_connected_f32 *)params;
  const float *x = (const float *)rows[0], *w = (const float *)rows[1];
  const float *bias = p->bias ? (const float *)rows[2] : NULL;
  float *to = (float *)out;
  (void)state;
  for (uint32_t v = 0; v < p->vectors; v++, x += p->in_c, to += p->out_c)
    mote_dense_f32(x, w, bias, p->in_c, p->out_c, p->low, p->high, to);
}

const struct mote_kernel mote_kernel_fully_connected_f32 = {NULL, dense_row, NULL};

size_t mote_fully_connected_f32_state_bytes(const struct mote_fully_connected_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_fully_connected_f32_check(const struct mote_fully_connected_f32 *p,
                                                const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->vectors == 0 || p->bias > 1) return MOTE_ERR_PARAMS;
  return mote_bounds_row(b, 0, (uint64_t)p->vectors * p->in_c, sizeof(float)) &&
                 mote_bounds_row(b, 1, (uint64_t)p->out_c * p->in_c, sizeof(float)) &&
                 (!p->bias || mote_bounds_row(b, 2, p->out_c, sizeof(float))) &&
                 (uint64_t)p->vectors * p->out_c <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- BATCH_MATMUL ------------------------------------------------------------ */
/* One matrix. Where both operands are contiguous along k, y's columns are weight vectors. */
static void product(const struct mote_batch_matmul_f32 *p, const float *x, const float *y,
                    float *out) {
  for (uint32_t m = 0; m < p->m; m++, x += p->x_m, out += p->n) {
    for (uint32_t n = 0; n < p->n; n++)
      out[n] = mote_dot_f32(x, p->x_k, y + (size_t)n * p->y_n, p->y_k, p->k);
  }
}

static void product_dense(const struct mote_batch_matmul_f32 *p, const float *x, const float *y,
                          float *out) {
  for (uint32_t m = 0; m < p->m; m++, x += p->x_m, out += p->n) {
    for (uint32_t n = 0; n < p->n; n += 4) {
      const uint32_t some = p->n - n < 4 ? p->n - n : 4;
      struct mote_lanes_f32 lanes;
      lanes.begun = 0;
      const float *at[4];
      for (uint32_t i = 0; i < 4; i++) at[i] = y + (size_t)(n + (i < some ? i : 0)) * p->y_n;
      mote_lanes_add_f32(&lanes, x, at, p->k);
      for (uint32_t i = 0; i < some; i++) out[n + i] = mote_lanes_total(&lanes, i);
    }
  }
}

static void matmul_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_batch_matmul_f32 *p = (const struct mote_batch_matmul_f32 *)params;
  const float *x = (const float *)rows[0], *y = (const float *)rows[1];
  const uint32_t *n = p->batch, *xb = p->x_batch, *yb = p->y_batch;
  float *to = (float *)out;
  (void)state;
  for (uint32_t i = 0; i < n[0]; i++)
    for (uint32_t j = 0; j < n[1]; j++)
      for (uint32_t k = 0; k < n[2]; k++)
        for (uint32_t l = 0; l < n[3]; l++, to += (size_t)p->m * p->n) {
          const size_t x_at =
              (size_t)i * xb[0] + (size_t)j * xb[1] + (size_t)k * xb[2] + (size_t)l * xb[3];
          const size_t y_at =
              (size_t)i * yb[0] + (size_t)j * yb[1] + (size_t)k * yb[2] + (size_t)l * yb[3];
          if (p->x_k == 1 && p->y_k == 1)
            product_dense(p, x + x_at, y + y_at, to);
          else
            product(p, x + x_at, y + y_at, to);
        }
}

const struct mote_kernel mote_kernel_batch_matmul_f32 = {NULL, matmul_row, NULL};

size_t mote_batch_matmul_f32_state_bytes(const struct mote_batch_matmul_f32 *p) {
  (void)p;
  return 0;
}

/* Index of the last element that an operand is read at, plus 1; saturates at 2^63 or so. */
static uint64_t span_of(const struct mote_batch_matmul_f32 *p, const uint32_t *step, uint32_t rows,
                        uint32_t row_step, uint32_t k_step) {
  uint64_t last = (uint64_t)(rows - 1) * row_step, more = (uint64_t)(p->k - 1) * k_step;
  for (int i = 0; i <= 4; i++) {
    /* Each term is below 2^64 - 2^33; a sum of two halves is looked at before it could wrap. */
    if (last >> 62 || more >> 62) return UINT64_MAX;
    last += more;
    more = i < 4 ? (uint64_t)(p->batch[i] - 1) * step[i] : 0;
  }
  return last + 1;
}

enum mote_status mote_batch_matmul_f32_check(const struct mote_batch_matmul_f32 *p,
                                             const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->m == 0 || p->n == 0 || p->k == 0) return MOTE_ERR_PARAMS;
  const uint64_t room = b->out_bytes / sizeof(float);
  uint64_t out = (uint64_t)p->m * p->n; /* < 2^64 */
  for (int i = 0; i < 4; i++) {
    if (p->batch[i] == 0) return MOTE_ERR_PARAMS;
    if (out > room / p->batch[i]) return MOTE_ERR_BOUNDS;
    out *= p->batch[i];
  }
  return mote_bounds_row(b, 0, span_of(p, p->x_batch, p->m, p->x_m, p->x_k), sizeof(float)) &&
                 mote_bounds_row(b, 1, span_of(p, p->y_batch, p->n, p->y_n, p->y_k), sizeof(float))
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
