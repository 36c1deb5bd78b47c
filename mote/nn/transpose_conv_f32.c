/* transpose_conv_f32: TRANSPOSE_CONV in float32. Each output pixel gathers the input pixels that reach it: those
 * whose kernel row y + lead - i * stride_h and column likewise lie in the kernel. A run is one input pixel's
 * channels, which lie contiguous in the input and in the weights. Nothing is accumulated in memory. */
#include "mote/nn/lanes.h"

/* Input positions that reach an output position along one axis: kernel position `kernel` for input position `first`,
 * then stride less for each input position more; n of them. */
struct reach {
  uint32_t first, kernel, n;
};

static struct reach reach_of(int32_t at, uint32_t kernel, uint32_t stride, uint32_t in) {
  struct reach r = {0, 0, 0};
  const uint32_t y = (uint32_t)at;
  if (at < 0) return r;
  /* i is least where y - i * stride < kernel; then while i * stride <= y and i < in. */
  r.first = y < kernel ? 0 : (y - kernel) / stride + 1;
  if (r.first >= in || (uint64_t)r.first * stride > y) return r;
  const uint32_t last = y / stride < in - 1 ? y / stride : in - 1;
  r.kernel = y - r.first * stride;
  r.n = last - r.first + 1;
  return r;
}

/* One output row: the input rows that reach it. */
struct row_of {
  const struct mote_transpose_conv_f32 *p;
  const void *const *rows;
  uint32_t batch;
  struct reach y;
};

static const float *input_row(const struct row_of *at, uint32_t i) {
  const struct mote_window_2d *w = &at->p->window;
  if (!w->whole) return (const float *)at->rows[i];
  return (const float *)at->rows[0] +
         ((size_t)at->batch * w->in_h + i) * ((size_t)w->in_w * w->in_c);
}

/* Four output channels' sums of one pixel; weights: where each channel's begin. */
static void sums_of(const struct row_of *at, struct reach x, const float *const weights[4],
                    struct mote_lanes_f32 *lanes) {
  const struct mote_window_2d *w = &at->p->window;
  for (uint32_t i = 0; i < at->y.n; i++) {
    const float *row = input_row(at, at->y.first + i);
    if (row == NULL) continue;
    for (uint32_t j = 0; j < x.n; j++) {
      const uint32_t ky = at->y.kernel - i * w->stride_h, kx = x.kernel - j * w->stride_w;
      const size_t tap = ((size_t)ky * w->kernel_w + kx) * w->in_c;
      const float *const k[4] = {weights[0] + tap, weights[1] + tap, weights[2] + tap,
                                 weights[3] + tap};
      mote_lanes_add_f32(lanes, row + (size_t)(x.first + j) * w->in_c, k, w->in_c);
    }
  }
}

static void pixel(const struct row_of *at, struct reach x, float *out) {
  const struct mote_transpose_conv_f32 *p = at->p;
  const struct mote_window_2d *w = &p->window;
  const uint32_t pointers = w->whole ? 1 : w->in_h, out_c = w->out_c;
  const float *weights = (const float *)at->rows[pointers];
  const float *bias = p->bias ? (const float *)at->rows[pointers + 1] : NULL;
  const size_t block = (size_t)w->kernel_h * w->kernel_w * w->in_c;
  for (uint32_t o = 0; o < out_c; o += 4) {
    const uint32_t some = out_c - o < 4 ? out_c - o : 4;
    struct mote_lanes_f32 lanes;
    const float *of[4];
    lanes.begun = 0;
    for (uint32_t v = 0; v < 4; v++) of[v] = weights + (o + (v < some ? v : 0)) * block;
    sums_of(at, x, of, &lanes);
    for (uint32_t v = 0; v < some; v++) {
      const float sum = mote_lanes_total(&lanes, v);
      out[o + v] = mote_real_clamp(bias ? sum + bias[o + v] : sum, p->low, p->high);
    }
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_transpose_conv_f32 *p = (const struct mote_transpose_conv_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const uint32_t batches = mote_map_batches(w);
  struct row_of at;
  float *to = (float *)out;
  (void)state;
  at.p = p;
  at.rows = rows;
  for (at.batch = 0; at.batch < batches; at.batch++) {
    for (int32_t r = 0; r < (int32_t)w->rows_out; r++) {
      at.y = reach_of(r + p->lead, w->kernel_h, w->stride_h, w->in_h);
      for (int32_t x = 0; x < (int32_t)w->out_w; x++, to += w->out_c)
        pixel(&at, reach_of(x + w->pad_left, w->kernel_w, w->stride_w, w->in_w), to);
    }
  }
}

const struct mote_kernel mote_kernel_transpose_conv_f32 = {NULL, row, NULL};

size_t mote_transpose_conv_f32_state_bytes(const struct mote_transpose_conv_f32 *p) {
  (void)p;
  return 0;
}

/* By rows: in_h pointers that may be NULL, rows_out rows of output. */
static enum mote_status shape_check(const struct mote_window_2d *w, const struct mote_bounds *b) {
  if (w->whole) return mote_map_check(w, b, sizeof(float));
  if (w->in_h == 0 || w->in_w == 0 || w->in_c == 0 || w->rows_out == 0 || w->out_w == 0 ||
      w->out_c == 0 || w->kernel_w == 0 || w->kernel_h == 0 || w->stride_w == 0 || w->stride_h == 0)
    return MOTE_ERR_PARAMS;
  return b->n_in >= 1 && b->rows[0] == w->in_h &&
                 (uint64_t)w->in_w * w->in_c <= b->row_bytes[0] / sizeof(float) &&
                 (uint64_t)w->rows_out * w->out_w * w->out_c <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

enum mote_status mote_transpose_conv_f32_check(const struct mote_transpose_conv_f32 *p,
                                               const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->window;
  const enum mote_status status = shape_check(w, b);
  if (status != MOTE_OK) return status;
  if (w->dilation_w != 1 || w->dilation_h != 1 || p->bias > 1 || p->lead < -((int32_t)1 << 24) ||
      p->lead > (int32_t)1 << 24)
    return MOTE_ERR_PARAMS;
  const uint64_t block = (uint64_t)w->kernel_h * w->kernel_w * w->in_c;
  return mote_bounds_row(b, 1, block * w->out_c, sizeof(float)) &&
                 (!p->bias || mote_bounds_row(b, 2, w->out_c, sizeof(float)))
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
