/* depthwise_conv2d_f32: DEPTHWISE_CONV_2D in float32. Channels lie innermost in input, weights and output, so four
 * of them go over a window side by side; each channel's sum runs in the order of the window. */
#include "mote/nn/lanes.h"

/* What the channels of one pixel share. */
struct window {
  const struct mote_depthwise_conv2d_f32 *p;
  const void *const *rows;
  const float *weights;
  uint32_t batch, r;
  struct mote_columns columns;
};

/* The sums of `some` (1..4) output channels from c on; x_step: 1, or 0 where they read one input channel. */
static void sums_at(const struct window *at, uint32_t c, uint32_t some, uint32_t x_step,
                    float sum[4]) {
  const struct mote_window_2d *w = &at->p->window;
  const uint32_t in_step = (uint32_t)w->dilation_w * w->in_c, x1 = some > 1 ? x_step : 0,
                 x2 = some > 2 ? 2 * x_step : 0, x3 = some > 3 ? 3 * x_step : 0;
  const uint32_t w1 = some > 1 ? 1 : 0, w2 = some > 2 ? 2 : 0, w3 = some > 3 ? 3 : 0;
  float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const float *x = (const float *)mote_map_row(w, at->rows, sizeof *x, at->batch, at->r, ky);
    if (x == NULL || at->columns.from == at->columns.to) continue;
    const uint32_t column =
        (uint32_t)(at->columns.column + (int32_t)(at->columns.from * w->dilation_w));
    const float *k = at->weights + (size_t)(ky * w->kernel_w + at->columns.from) * w->out_c + c;
    x += (size_t)column * w->in_c + c / at->p->multiplier;
    for (uint32_t n = at->columns.to - at->columns.from; n; n--, x += in_step, k += w->out_c) {
      s0 += x[0] * k[0];
      s1 += x[x1] * k[w1];
      s2 += x[x2] * k[w2];
      s3 += x[x3] * k[w3];
    }
  }
  sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

static void pixel(const struct window *at, const float *bias, float *out) {
  const struct mote_depthwise_conv2d_f32 *p = at->p;
  const uint32_t out_c = p->window.out_c, multiplier = p->multiplier;
  for (uint32_t c = 0, some; c < out_c; c += some) {
    /* With a multiplier, a block stays with one input channel. */
    const uint32_t left = multiplier == 1 ? out_c - c : multiplier - c % multiplier;
    float sum[4];
    some = left < 4 ? left : 4;
    sums_at(at, c, some, multiplier == 1, sum);
    for (uint32_t i = 0; i < some; i++)
      out[c + i] = mote_real_clamp(bias ? sum[i] + bias[c + i] : sum[i], p->low, p->high);
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_f32 *p = (const struct mote_depthwise_conv2d_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const uint32_t batches = mote_map_batches(w), pointers = mote_map_pointers(w);
  const float *bias = p->bias ? (const float *)rows[pointers + 1] : NULL;
  struct window at;
  float *to = (float *)out;
  (void)state;
  at.p = p;
  at.rows = rows;
  at.weights = (const float *)rows[pointers];
  for (at.batch = 0; at.batch < batches; at.batch++) {
    for (at.r = 0; at.r < w->rows_out; at.r++) {
      for (uint32_t x = 0; x < w->out_w; x++, to += w->out_c) {
        at.columns = mote_map_columns(w, x);
        pixel(&at, bias, to);
      }
    }
  }
}

const struct mote_kernel mote_kernel_depthwise_conv2d_f32 = {NULL, row, NULL};

size_t mote_depthwise_conv2d_f32_state_bytes(const struct mote_depthwise_conv2d_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_depthwise_conv2d_f32_check(const struct mote_depthwise_conv2d_f32 *p,
                                                 const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->window;
  const enum mote_status status = mote_map_check(w, b, sizeof(float));
  if (status != MOTE_OK) return status;
  if (p->multiplier == 0 || (uint32_t)w->in_c * p->multiplier != w->out_c || p->bias > 1)
    return MOTE_ERR_PARAMS;
  return mote_edge_has(b, 1, (uint64_t)w->kernel_h * w->kernel_w * w->out_c, sizeof(float)) &&
                 (!p->bias || mote_edge_has(b, 2, w->out_c, sizeof(float))) &&
                 b->rows[0] == mote_map_pointers(w)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
