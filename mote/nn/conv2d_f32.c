/* conv2d_f32: CONV_2D in float32, grouped too. For each pixel, four output channels at a time go over the rows of the
 * window; a run is what lies contiguous in the input and in the weights: all columns of a window's row, or one column
 * where columns are dilated or channels grouped. Columns outside the input are left out of the run. A window of one pixel
 * is a dense layer. */
#include "mote/nn/lanes.h"

/* Four channels of one pixel: their weights, and the piece of the input that they read. */
struct channels {
  const float *weights[4];
  uint32_t first_c; /* input channel that the group begins with */
};

static void add_window(const struct mote_conv2d_f32 *p, const void *const *rows, uint32_t batch,
                       uint32_t r, const struct mote_columns *c, const struct channels *to,
                       struct mote_lanes_f32 *lanes) {
  const struct mote_window_2d *w = &p->window;
  const int joined = w->dilation_w == 1 && p->group_c == w->in_c;
  const uint32_t run = joined ? (c->to - c->from) * p->group_c : p->group_c;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const float *row = (const float *)mote_map_row(w, rows, sizeof *row, batch, r, ky);
    if (row == NULL) continue;
    for (uint32_t kx = c->from; kx < c->to; kx++) {
      const uint32_t column = (uint32_t)(c->column + (int32_t)(kx * w->dilation_w));
      const size_t at = (size_t)(ky * w->kernel_w + kx) * p->group_c;
      const float *const weights[4] = {to->weights[0] + at, to->weights[1] + at,
                                       to->weights[2] + at, to->weights[3] + at};
      mote_lanes_add_f32(lanes, row + (size_t)column * w->in_c + to->first_c, weights, run);
      if (joined) break;
    }
  }
}

static void pixel(const struct mote_conv2d_f32 *p, const void *const *rows, uint32_t batch,
                  uint32_t r, uint32_t x, float *out) {
  const struct mote_window_2d *w = &p->window;
  const uint32_t pointers = mote_map_pointers(w);
  const float *weights = (const float *)rows[pointers];
  const float *bias = p->bias ? (const float *)rows[pointers + 1] : NULL;
  const size_t block = (size_t)w->kernel_h * w->kernel_w * p->group_c;
  const uint32_t groups = w->in_c / p->group_c, filters = w->out_c / groups;
  const struct mote_columns columns = mote_map_columns(w, x);
  if (w->kernel_h * w->kernel_w == 1 && groups == 1 && columns.from < columns.to) {
    const float *row = (const float *)mote_map_row(w, rows, sizeof *row, batch, r, 0);
    if (row) {
      mote_dense_f32(row + (size_t)columns.column * w->in_c, weights, bias, w->in_c, w->out_c,
                     p->low, p->high, out);
      return;
    }
  }
  for (uint32_t g = 0, o = 0; g < groups; g++) {
    for (const uint32_t end = o + filters; o < end;) {
      const uint32_t some = end - o < 4 ? end - o : 4;
      struct mote_lanes_f32 lanes;
      lanes.begun = 0;
      struct channels to;
      to.first_c = g * p->group_c;
      for (uint32_t i = 0; i < 4; i++) to.weights[i] = weights + (o + (i < some ? i : 0)) * block;
      add_window(p, rows, batch, r, &columns, &to, &lanes);
      for (uint32_t i = 0; i < some; i++, o++) {
        const float sum = mote_lanes_total(&lanes, i);
        out[o] = mote_real_clamp(bias ? sum + bias[o] : sum, p->low, p->high);
      }
    }
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_f32 *p = (const struct mote_conv2d_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const uint32_t batches = mote_map_batches(w);
  float *to = (float *)out;
  (void)state;
  for (uint32_t b = 0; b < batches; b++)
    for (uint32_t r = 0; r < w->rows_out; r++)
      for (uint32_t x = 0; x < w->out_w; x++, to += w->out_c) pixel(p, rows, b, r, x, to);
}

const struct mote_kernel mote_kernel_conv2d_f32 = {NULL, row, NULL};

size_t mote_conv2d_f32_state_bytes(const struct mote_conv2d_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_conv2d_f32_check(const struct mote_conv2d_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->window;
  const enum mote_status status = mote_map_check(w, b, sizeof(float));
  if (status != MOTE_OK) return status;
  if (p->group_c == 0 || w->in_c % p->group_c || w->out_c % (w->in_c / p->group_c) || p->bias > 1)
    return MOTE_ERR_PARAMS;
  const uint64_t block = (uint64_t)w->kernel_h * w->kernel_w * p->group_c;
  return mote_bounds_row(b, 1, block * w->out_c, sizeof(float)) &&
                 (!p->bias || mote_bounds_row(b, 2, w->out_c, sizeof(float))) &&
                 b->rows[0] == mote_map_pointers(w)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
