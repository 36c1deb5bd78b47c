/* general_depthwise: DEPTHWISE_CONV_2D in the forms that depthwise_conv2d.c leaves out: int16 activations, a zero
 * point of the weights, computed weights, several images. No state: a channel's window is read where it lies,
 * weights in the model's own layout, the channel innermost. */
#include "mote/nn/window.h"

struct pixel {
  const struct mote_depthwise_conv2d *p;
  const void *const *rows;
  uint32_t image, r;
  struct mote_taps taps;
};

/* Sum over the window of input channel `c` with the weights of output channel o. A product is below 2^24. */
static inline int64_t sum_of(const struct pixel *x, const int8_t *weights, uint32_t o, uint32_t c,
                             uint32_t size) {
  const struct mote_window *v = &x->p->window;
  const uint32_t row_bytes = (uint32_t)v->in_w * v->in_c * size;
  const uint32_t step = v->dilation_w * (uint32_t)v->in_c;
  const int32_t in_zp = x->p->in_zp, weights_zp = x->p->weights_zp;
  int64_t sum = 0;
  for (uint32_t i = 0; i < v->kernel_h; i++) {
    const uint8_t *row = mote_window_row(v, x->rows, x->image, x->r, i, row_bytes);
    if (row == NULL) continue;
    uint32_t at = (uint32_t)x->taps.column * v->in_c + c;
    const int8_t *w = weights + ((size_t)i * v->kernel_w + x->taps.first) * v->out_c + o;
    for (uint32_t j = x->taps.first; j < x->taps.end; j++, at += step, w += v->out_c) {
      const int32_t value =
          size == 1 ? ((const int8_t *)row)[at] : ((const int16_t *)(const void *)row)[at];
      sum += (*w - weights_zp) * (value - in_zp);
    }
  }
  return sum;
}

static inline void depthwise(const void *params, const void *const *rows, void *out,
                             uint32_t size) {
  const struct mote_depthwise_conv2d *p = (const struct mote_depthwise_conv2d *)params;
  const struct mote_window *v = &p->window;
  const int8_t *weights = (const int8_t *)rows[v->in_rows];
  const void *bias = p->scaling.bias_bytes ? rows[v->in_rows + 1u] : NULL;
  const uint32_t multiplier = v->out_c / v->in_c;
  struct pixel x = {.p = p, .rows = rows};
  uint32_t at = 0;
  for (x.image = 0; x.image < mote_window_images(v); x.image++)
    for (x.r = 0; x.r < mote_window_rows(v); x.r++)
      for (uint32_t column = 0; column < v->out_w; column++) {
        x.taps = mote_window_taps(v, column);
        for (uint32_t c = 0, o = 0; c < v->in_c; c++)
          for (uint32_t m = 0; m < multiplier; m++, o++) {
            const int64_t sum = sum_of(&x, weights, o, c, size);
            mote_put(out, at++, mote_scaled(&p->scaling, p, bias, o, sum), size);
          }
      }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  depthwise(params, rows, out, 1);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  depthwise(params, rows, out, 2);
}

const struct mote_kernel mote_kernel_depthwise_general_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_s16 = {NULL, row_s16, NULL};

static enum mote_status check(const struct mote_depthwise_conv2d *p, const struct mote_bounds *b,
                              uint32_t size) {
  const struct mote_window *v = &p->window;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const enum mote_status status = mote_window_check(v, b, size);
  if (status != MOTE_OK) return status;
  if (v->out_c % v->in_c || !mote_zps_are_good(p->in_zp, p->weights_zp, size))
    return MOTE_ERR_PARAMS;
  if (v->images == 0 && !mote_bounds_rows(b, v->rows_out, v->stride_h, v->kernel_h))
    return MOTE_ERR_BOUNDS;
  if (!mote_bounds_row(b, 1, (uint64_t)v->kernel_w * v->kernel_h * v->out_c, 1))
    return MOTE_ERR_BOUNDS;
  if (size == 1 && p->scaling.sum_bytes != 4) return MOTE_ERR_PARAMS;
  return mote_scaling_check(&p->scaling, p, b, v->out_c, 2, size);
}

enum mote_status mote_depthwise_general_s8_check(const struct mote_depthwise_conv2d *p,
                                                 const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_depthwise_conv2d_s16_check(const struct mote_depthwise_conv2d *p,
                                                 const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_depthwise_general_s8_state_bytes(const struct mote_depthwise_conv2d *p) {
  (void)p;
  return 0;
}
size_t mote_depthwise_conv2d_s16_state_bytes(const struct mote_depthwise_conv2d *p) {
  (void)p;
  return 0;
}
