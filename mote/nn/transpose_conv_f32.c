/* transpose_conv_f32: TRANSPOSE_CONV in float32. Each output pixel gathers the input pixels that reach it: those
 * whose kernel row y + pad_top - i * stride_h and column likewise lie in the kernel. A run is one input pixel's
 * channels, which lie contiguous in the input and in the weights. Nothing is accumulated in memory. */
#include "mote/nn/lanes.h"

/* Input positions that reach an output position along one axis: kernel position `kernel` for input position `first`,
 * then stride less for each input position more; n of them. */
struct reach {
  uint32_t first, kernel, n;
};

static struct reach reach_of(uint32_t at, uint32_t pad, uint32_t kernel, uint32_t stride,
                             uint32_t in) {
  struct reach r = {0, 0, 0};
  const uint32_t y = at + pad;
  /* i is least where y - i * stride < kernel; then while i * stride <= y and i < in. */
  r.first = y < kernel ? 0 : (y - kernel) / stride + 1;
  if (r.first >= in || (uint64_t)r.first * stride > y) return r;
  const uint32_t last = y / stride < in - 1 ? y / stride : in - 1;
  r.kernel = y - r.first * stride;
  r.n = last - r.first + 1;
  return r;
}

static void pixel(const struct mote_transpose_conv_f32 *p, const void *const *rows,
                  const float *image, struct reach y, struct reach x, float *out) {
  const struct mote_window_2d *w = &p->window;
  const float *weights = (const float *)rows[1];
  const float *bias = p->bias ? (const float *)rows[2] : NULL;
  const size_t block = (size_t)w->kernel_h * w->kernel_w * w->in_c;
  for (uint32_t o = 0; o < w->out_c; o += 4) {
    const uint32_t some = (uint32_t)w->out_c - o < 4 ? (uint32_t)w->out_c - o : 4;
    struct mote_lanes_f32 lanes;
    lanes.begun = 0;
    for (uint32_t i = 0; i < y.n; i++) {
      for (uint32_t j = 0; j < x.n; j++) {
        const size_t at = ((size_t)(y.kernel - i * w->stride_h) * w->kernel_w + x.kernel -
                           (size_t)j * w->stride_w) *
                          w->in_c;
        const float *k[4];
        for (uint32_t v = 0; v < 4; v++) k[v] = weights + (o + (v < some ? v : 0)) * block + at;
        mote_lanes_add_f32(
            &lanes, image + ((size_t)(y.first + i) * w->in_w + x.first + j) * w->in_c, k, w->in_c);
      }
    }
    for (uint32_t v = 0; v < some; v++) {
      const float sum = mote_lanes_total(&lanes, v);
      out[o + v] = mote_real_clamp(bias ? sum + bias[o + v] : sum, p->low, p->high);
    }
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_transpose_conv_f32 *p = (const struct mote_transpose_conv_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const float *image = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t b = 0; b < w->batches; b++, image += (size_t)w->in_h * w->in_w * w->in_c) {
    for (uint32_t r = 0; r < w->rows_out; r++) {
      const struct reach y = reach_of(r, w->pad_top, w->kernel_h, w->stride_h, w->in_h);
      for (uint32_t x = 0; x < w->out_w; x++, to += w->out_c)
        pixel(p, rows, image, y, reach_of(x, w->pad_left, w->kernel_w, w->stride_w, w->in_w), to);
    }
  }
}

const struct mote_kernel mote_kernel_transpose_conv_f32 = {NULL, row, NULL};

size_t mote_transpose_conv_f32_state_bytes(const struct mote_transpose_conv_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_transpose_conv_f32_check(const struct mote_transpose_conv_f32 *p,
                                               const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->window;
  const enum mote_status status = mote_map_check(w, b, sizeof(float));
  if (status != MOTE_OK) return status;
  if (!w->whole || w->dilation_w != 1 || w->dilation_h != 1 || p->bias > 1) return MOTE_ERR_PARAMS;
  const uint64_t block = (uint64_t)w->kernel_h * w->kernel_w * w->in_c;
  return mote_edge_has(b, 1, block * w->out_c, sizeof(float)) &&
                 (!p->bias || mote_edge_has(b, 2, w->out_c, sizeof(float)))
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
