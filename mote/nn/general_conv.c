/* general_conv: CONV_2D in the forms that conv2d.c leaves out, and FULLY_CONNECTED as its 1x1 case: int16
 * activations; groups; a zero point of the weights; computed weights; several images. No state: windows are
 * read where they lie, and a run of neighbouring columns is one dot product. */
#include "mote/nn/window.h"

/* Where a pixel's window lies. */
struct pixel {
  const struct mote_conv2d *p;
  const void *const *rows;
  uint32_t image, r; /* output row */
  struct mote_taps taps;
  uint32_t size; /* bytes of an element */
};

/* Sum of output channel whose weights start at w and whose inputs start at channel `from`. */
static inline int64_t sum_of(const struct pixel *x, const int8_t *w, uint32_t from, mote_dot *dot) {
  const struct mote_window *v = &x->p->window;
  const uint32_t row_bytes = (uint32_t)v->in_w * v->in_c * x->size;
  const uint32_t taps = x->taps.end - x->taps.first, step = v->dilation_w * (uint32_t)v->in_c;
  const int joined = v->dilation_w == 1 && v->group_c == v->in_c;
  const uint32_t run = joined ? taps * v->group_c : v->group_c, runs = joined ? 1 : taps;
  int64_t sum = 0;
  for (uint32_t i = 0; i < v->kernel_h; i++) {
    const uint8_t *row = mote_window_row(v, x->rows, x->image, x->r, i, row_bytes);
    if (row == NULL || taps == 0) continue;
    uint32_t at = (uint32_t)x->taps.column * v->in_c + from;
    const int8_t *from_w = w + ((size_t)i * v->kernel_w + x->taps.first) * v->group_c;
    for (uint32_t j = 0; j < runs; j++, at += step, from_w += run)
      sum += dot(row + (size_t)at * x->size, from_w, run, x->p->in_zp, x->p->weights_zp);
  }
  return sum;
}

static inline void conv(const void *params, const void *const *rows, void *out, uint32_t size,
                        mote_dot *dot) {
  const struct mote_conv2d *p = (const struct mote_conv2d *)params;
  const struct mote_window *v = &p->window;
  const int8_t *weights = (const int8_t *)rows[v->in_rows];
  const void *bias = p->scaling.bias_bytes ? rows[v->in_rows + 1u] : NULL;
  const uint32_t per_channel = (uint32_t)v->kernel_w * v->kernel_h * v->group_c;
  const uint32_t per_group = v->out_c / (v->in_c / v->group_c);
  struct pixel x = {.p = p, .rows = rows, .size = size};
  uint32_t at = 0;
  for (x.image = 0; x.image < mote_window_images(v); x.image++)
    for (x.r = 0; x.r < mote_window_rows(v); x.r++)
      for (uint32_t column = 0; column < v->out_w; column++) {
        const int8_t *w = weights;
        x.taps = mote_window_taps(v, column);
        for (uint32_t o = 0, from = 0, left = per_group; o < v->out_c; o++, w += per_channel) {
          const int64_t sum = sum_of(&x, w, from, dot);
          mote_put(out, at++, mote_scaled(&p->scaling, p, bias, o, sum), size);
          if (--left == 0) {
            left = per_group;
            from += v->group_c;
          }
        }
      }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  conv(params, rows, out, 1, mote_dot_s8);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  conv(params, rows, out, 2, mote_dot_s16);
}

const struct mote_kernel mote_kernel_conv2d_general_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_conv2d_s16 = {NULL, row_s16, NULL};

static enum mote_status check(const struct mote_conv2d *p, const struct mote_bounds *b,
                              uint32_t size) {
  const struct mote_window *v = &p->window;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const enum mote_status status = mote_window_check(v, b, size);
  if (status != MOTE_OK) return status;
  if (v->group_c == 0 || v->in_c % v->group_c || v->out_c % (v->in_c / v->group_c) ||
      !mote_zps_are_good(p->in_zp, p->weights_zp, size))
    return MOTE_ERR_PARAMS;
  if (v->images == 0 && !mote_bounds_rows(b, v->rows_out, v->stride_h, v->kernel_h))
    return MOTE_ERR_BOUNDS;
  const uint64_t per_channel = (uint64_t)v->kernel_w * v->kernel_h * v->group_c;
  if (per_channel > INT32_MAX || !mote_bounds_row(b, 1, per_channel * v->out_c, 1))
    return MOTE_ERR_BOUNDS;
  if (size == 1 && p->scaling.sum_bytes != 4) return MOTE_ERR_PARAMS;
  return mote_scaling_check(&p->scaling, p, b, v->out_c, 2, size);
}

enum mote_status mote_conv2d_general_s8_check(const struct mote_conv2d *p,
                                              const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_conv2d_s16_check(const struct mote_conv2d *p, const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_conv2d_general_s8_state_bytes(const struct mote_conv2d *p) {
  (void)p;
  return 0;
}
size_t mote_conv2d_s16_state_bytes(const struct mote_conv2d *p) {
  (void)p;
  return 0;
}
