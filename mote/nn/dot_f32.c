/* dot_f32: the sums of the float32 kernels, over the loops of mote/isa. See lanes.h for the order of the additions. */
#include "mote/nn/lanes.h"
#include "mote/isa/isa.h"

void mote_lanes_add_f32(struct mote_lanes_f32 *lanes, const float *x, const float *const w[4],
                        uint32_t n) {
  const uint32_t whole = n & ~(uint32_t)3;
  if (!lanes->begun)
    for (int v = 0; v < 4; v++)
      for (int k = 0; k < 4; k++) lanes->lane[v][k] = 0;
  lanes->begun = 1;
  if (whole) mote_isa_lanes_f32(lanes->lane, x, w, whole);
  for (uint32_t i = whole; i < n; i++)
    for (int v = 0; v < 4; v++) lanes->lane[v][i - whole] += x[i] * w[v][i];
}

float mote_dot_f32(const float *x, uint32_t x_step, const float *w, uint32_t w_step, uint32_t n) {
  float lane[4] = {0, 0, 0, 0};
  for (; n >= 4; n -= 4) {
    for (unsigned i = 0; i < 4; i++, x += x_step, w += w_step) lane[i] += *x * *w;
  }
  for (unsigned i = 0; i < n; i++, x += x_step, w += w_step) lane[i] += *x * *w;
  return mote_lanes_sum(lane);
}

/* Four sums of n products, n >= 1. */
static void sums_of(float sum[4], const float *x, const float *const w[4], uint32_t n) {
  if (n % 4 == 0) {
    mote_isa_dot4_f32(sum, x, w, n);
    return;
  }
  struct mote_lanes_f32 lanes;
  lanes.begun = 0;
  mote_lanes_add_f32(&lanes, x, w, n);
  for (uint32_t v = 0; v < 4; v++) sum[v] = mote_lanes_total(&lanes, v);
}

void mote_dense_f32(const float *x, const float *w, const float *bias, uint32_t n, uint32_t vectors,
                    float low, float high, float *out) {
  for (uint32_t v = 0; v < vectors; v += 4) {
    const uint32_t some = vectors - v < 4 ? vectors - v : 4;
    const float *at[4];
    float sum[4];
    for (uint32_t i = 0; i < 4; i++) at[i] = w + (size_t)(v + (i < some ? i : 0)) * n;
    sums_of(sum, x, at, n);
    for (uint32_t i = 0; i < some; i++)
      out[v + i] = mote_real_clamp(bias ? sum[i] + bias[v + i] : sum[i], low, high);
  }
}

/* ---- what the checks share ------------------------------------------------------ */
enum mote_status mote_map_check(const struct mote_window_2d *w, const struct mote_bounds *b,
                                uint32_t bytes) {
  if (w->in_w == 0 || w->in_c == 0 || w->out_w == 0 || w->out_c == 0 || w->kernel_w == 0 ||
      w->kernel_h == 0 || w->stride_w == 0 || w->stride_h == 0 || w->dilation_w == 0 ||
      w->rows_out == 0 || w->whole > 1)
    return MOTE_ERR_PARAMS;
  /* Every column that is worked out stays below 2^30, and likewise every row of a whole map. */
  if ((uint64_t)(w->out_w - 1) * w->stride_w + (uint64_t)w->kernel_w * w->dilation_w >= (uint64_t)1
                                                                                            << 30)
    return MOTE_ERR_PARAMS;
  uint64_t in = (uint64_t)w->in_w * w->in_c, out = (uint64_t)w->rows_out * w->out_w * w->out_c;
  if (w->whole) {
    if (w->in_h == 0 || w->dilation_h == 0 || w->batches == 0 ||
        (uint64_t)(w->rows_out - 1) * w->stride_h + (uint64_t)w->kernel_h * w->dilation_h >=
            (uint64_t)1 << 30)
      return MOTE_ERR_PARAMS;
    /* A product of four 16-bit numbers fits 64 bits, and so it does here: in < 2^32. */
    in *= (uint64_t)w->in_h * w->batches;
    if (out > UINT64_MAX / w->batches) return MOTE_ERR_BOUNDS;
    out *= w->batches;
    if (!mote_bounds_row(b, 0, in, bytes)) return MOTE_ERR_BOUNDS;
  } else if (b->n_in < 1 || mote_map_pointers(w) > b->rows[0] || in > b->row_bytes[0] / bytes) {
    return MOTE_ERR_BOUNDS;
  }
  return out <= b->out_bytes / sizeof(float) ? MOTE_OK : MOTE_ERR_BOUNDS;
}
