/* depthwise_conv2d_f32: DEPTHWISE_CONV_2D in float32. Channels lie innermost in input, weights and output, so
 * eight of them go over a window side by side; each channel's sum runs in the order of the window. */
#include "mote/isa/isa.h"
#include "mote/nn/lanes.h"

#define BLOCK 8 /* channels whose sums lie in registers */

/* What the channels of one pixel share. */
struct window {
  const struct mote_depthwise_conv2d_f32 *p;
  const void *const *rows;
  const float *weights;
  uint32_t batch, r;
  struct mote_columns columns;
  size_t first; /* element of a row under the first column inside */
};

/* The rows of a window: x at the first column inside, weights below it; NULL x: no row of the input there. */
struct taps {
  const float *x, *w;
};
static struct taps taps_of(const struct window *at, uint32_t ky, uint32_t c) {
  const struct mote_window_2d *w = &at->p->window;
  const float *x = (const float *)mote_map_row(w, at->rows, sizeof *x, at->batch, at->r, ky);
  struct taps t = {NULL, NULL};
  if (x == NULL) return t;
  t.x = x + at->first + (at->p->multiplier == 1 ? c : c / at->p->multiplier);
  t.w = at->weights + (size_t)(ky * w->kernel_w + at->columns.from) * w->out_c + c;
  return t;
}

/* Eight output channels from c on, each with an input channel of its own. */
static void sums_apart(const struct window *at, uint32_t c, float sum[BLOCK]) {
  const struct mote_window_2d *w = &at->p->window;
  const uint32_t in_step = (uint32_t)w->dilation_w * w->in_c, w_step = w->out_c;
  const uint32_t n = at->columns.to - at->columns.from;
  for (uint32_t k = 0; k < BLOCK; k++) sum[k] = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const struct taps t = taps_of(at, ky, c);
    if (t.x && n) mote_isa_taps_f32(sum, t.x, in_step, t.w, w_step, n);
  }
}

/* Eight output channels from c on that read one input channel. */
static void sums_shared(const struct window *at, uint32_t c, float sum[BLOCK]) {
  const struct mote_window_2d *w = &at->p->window;
  const uint32_t in_step = (uint32_t)w->dilation_w * w->in_c, w_step = w->out_c;
  float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    struct taps t = taps_of(at, ky, c);
    if (t.x == NULL) continue;
    for (uint32_t n = at->columns.to - at->columns.from; n; n--, t.x += in_step, t.w += w_step) {
      const float x = *t.x;
      s0 += x * t.w[0], s1 += x * t.w[1], s2 += x * t.w[2], s3 += x * t.w[3];
      s4 += x * t.w[4], s5 += x * t.w[5], s6 += x * t.w[6], s7 += x * t.w[7];
    }
  }
  sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
  sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
}

static float sum_of(const struct window *at, uint32_t c) {
  const struct mote_window_2d *w = &at->p->window;
  const uint32_t in_step = (uint32_t)w->dilation_w * w->in_c;
  float sum = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    struct taps t = taps_of(at, ky, c);
    if (t.x == NULL) continue;
    for (uint32_t n = at->columns.to - at->columns.from; n; n--, t.x += in_step, t.w += w->out_c)
      sum += *t.x * *t.w;
  }
  return sum;
}

static void pixel(const struct window *at, const float *bias, float *out) {
  const struct mote_depthwise_conv2d_f32 *p = at->p;
  const uint32_t out_c = p->window.out_c, multiplier = p->multiplier;
  for (uint32_t c = 0, some; c < out_c; c += some) {
    /* With a multiplier, a block stays with one input channel. */
    const uint32_t left = multiplier == 1 ? out_c - c : multiplier - c % multiplier;
    float sum[BLOCK];
    some = left < BLOCK ? 1 : BLOCK;
    if (some == 1)
      sum[0] = sum_of(at, c);
    else if (multiplier == 1)
      sums_apart(at, c, sum);
    else
      sums_shared(at, c, sum);
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
        at.first =
            (size_t)(at.columns.column + (int32_t)(at.columns.from * w->dilation_w)) * w->in_c;
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
  return mote_bounds_row(b, 1, (uint64_t)w->kernel_h * w->kernel_w * w->out_c, sizeof(float)) &&
                 (!p->bias || mote_bounds_row(b, 2, w->out_c, sizeof(float))) &&
                 b->rows[0] == mote_map_pointers(w)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
