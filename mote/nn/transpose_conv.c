/* transpose_conv: TRANSPOSE_CONV, int8 and int16, gathered: an output row is made from the input rows that reach it,
 * so that no accumulators of the whole output are kept and rows stream. No state. */
#include "mote/nn/window.h"

/* One output pixel: column x of output row r. */
struct pixel {
  const struct mote_transpose_conv *p;
  const void *const *rows;
  uint32_t image, r, x;
  uint32_t size;
};

/* Input row k: one of the pointers, or of the image. */
static inline const uint8_t *input_row(const struct pixel *x, uint32_t k, uint32_t row_bytes) {
  const struct mote_window *v = &x->p->window;
  if (v->images == 0) return (const uint8_t *)x->rows[k];
  return (const uint8_t *)x->rows[0] + ((size_t)x->image * v->in_h + k) * row_bytes;
}

/* Input row k meets kernel row r + lead - k * stride_h, input column u kernel column x + pad_left - u * stride_w. */
static inline int64_t sum_of(const struct pixel *x, const int8_t *w, mote_dot *dot) {
  const struct mote_window *v = &x->p->window;
  const uint32_t row_bytes = (uint32_t)v->in_w * v->in_c * x->size;
  const uint32_t n_rows = v->images ? v->in_h : v->in_rows;
  const uint32_t right = x->x + v->pad_left; /* below 2^17 */
  int64_t sum = 0;
  int32_t i = (int32_t)x->r + x->p->lead;
  for (uint32_t k = 0; k < n_rows && i >= 0; k++, i -= v->stride_h) {
    if (i >= v->kernel_h) continue;
    const uint8_t *row = input_row(x, k, row_bytes);
    if (row == NULL) continue;
    uint32_t u = right < v->kernel_w ? 0 : (right - v->kernel_w) / v->stride_w + 1;
    for (; u < v->in_w && u * v->stride_w <= right; u++) {
      const uint32_t j = right - u * v->stride_w;
      sum += dot(row + (size_t)u * v->in_c * x->size,
                 w + ((size_t)(uint32_t)i * v->kernel_w + j) * v->in_c, v->in_c, x->p->in_zp, 0);
    }
  }
  return sum;
}

static inline void transpose_conv(const void *params, const void *const *rows, void *out,
                                  uint32_t size, mote_dot *dot) {
  const struct mote_transpose_conv *p = (const struct mote_transpose_conv *)params;
  const struct mote_window *v = &p->window;
  const int8_t *weights = (const int8_t *)rows[v->in_rows];
  const void *bias = p->scaling.bias_bytes ? rows[v->in_rows + 1u] : NULL;
  const uint32_t per_channel = (uint32_t)v->kernel_w * v->kernel_h * v->in_c;
  struct pixel x = {.p = p, .rows = rows, .size = size};
  uint32_t at = 0;
  for (x.image = 0; x.image < mote_window_images(v); x.image++)
    for (x.r = 0; x.r < mote_window_rows(v); x.r++)
      for (x.x = 0; x.x < v->out_w; x.x++) {
        const int8_t *w = weights;
        for (uint32_t o = 0; o < v->out_c; o++, w += per_channel)
          mote_put(out, at++, mote_scaled(&p->scaling, p, bias, o, sum_of(&x, w, dot)), size);
      }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  transpose_conv(params, rows, out, 1, mote_dot_s8);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  transpose_conv(params, rows, out, 2, mote_dot_s16);
}

const struct mote_kernel mote_kernel_transpose_conv_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_transpose_conv_s16 = {NULL, row_s16, NULL};

static enum mote_status check(const struct mote_transpose_conv *p, const struct mote_bounds *b,
                              uint32_t size) {
  const struct mote_window *v = &p->window;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const enum mote_status status = mote_window_check(v, b, size);
  if (status != MOTE_OK) return status;
  if (v->dilation_h != 1 || v->dilation_w != 1 || !mote_zps_are_good(p->in_zp, 0, size) ||
      p->lead < -((int32_t)1 << 24) || p->lead > 1 << 24)
    return MOTE_ERR_PARAMS;
  const uint64_t per_channel = (uint64_t)v->kernel_w * v->kernel_h * v->in_c;
  if (per_channel > INT32_MAX || !mote_bounds_row(b, 1, per_channel * v->out_c, 1))
    return MOTE_ERR_BOUNDS;
  if (size == 1 && p->scaling.sum_bytes != 4) return MOTE_ERR_PARAMS;
  return mote_scaling_check(&p->scaling, p, b, v->out_c, 2, size);
}

enum mote_status mote_transpose_conv_s8_check(const struct mote_transpose_conv *p,
                                              const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_transpose_conv_s16_check(const struct mote_transpose_conv *p,
                                               const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_transpose_conv_s8_state_bytes(const struct mote_transpose_conv *p) {
  (void)p;
  return 0;
}
size_t mote_transpose_conv_s16_state_bytes(const struct mote_transpose_conv *p) {
  (void)p;
  return 0;
}
