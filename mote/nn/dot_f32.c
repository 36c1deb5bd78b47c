/* dot_f32: the inner loops of the float32 kernels. See lanes.h for the order of the additions.
 *
 * Four weight vectors at a time share the loads of x, and their sixteen lanes fit the registers of a small
 * floating-point unit (32 singles: 16 lanes, 4 of x, the rest for weights). */
#include "mote/nn/lanes.h"

void mote_lanes_add_f32(struct mote_lanes_f32 *lanes, const float *x, const float *const w[4],
                        uint32_t n) {
  const float *a = w[0], *b = w[1], *c = w[2], *d = w[3];
  float(*l)[4] = lanes->lane;
  if (n >= 4) {
    float a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    float c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    if (lanes->begun) {
      a0 = l[0][0], a1 = l[0][1], a2 = l[0][2], a3 = l[0][3];
      b0 = l[1][0], b1 = l[1][1], b2 = l[1][2], b3 = l[1][3];
      c0 = l[2][0], c1 = l[2][1], c2 = l[2][2], c3 = l[2][3];
      d0 = l[3][0], d1 = l[3][1], d2 = l[3][2], d3 = l[3][3];
    }
    const float *const end = x + (n & ~(uint32_t)3);
    for (; x != end; x += 4, a += 4, b += 4, c += 4, d += 4) {
      const float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
      a0 += x0 * a[0], a1 += x1 * a[1], a2 += x2 * a[2], a3 += x3 * a[3];
      b0 += x0 * b[0], b1 += x1 * b[1], b2 += x2 * b[2], b3 += x3 * b[3];
      c0 += x0 * c[0], c1 += x1 * c[1], c2 += x2 * c[2], c3 += x3 * c[3];
      d0 += x0 * d[0], d1 += x1 * d[1], d2 += x2 * d[2], d3 += x3 * d[3];
    }
    l[0][0] = a0, l[0][1] = a1, l[0][2] = a2, l[0][3] = a3;
    l[1][0] = b0, l[1][1] = b1, l[1][2] = b2, l[1][3] = b3;
    l[2][0] = c0, l[2][1] = c1, l[2][2] = c2, l[2][3] = c3;
    l[3][0] = d0, l[3][1] = d1, l[3][2] = d2, l[3][3] = d3;
  } else if (!lanes->begun) {
    for (int v = 0; v < 4; v++) l[v][0] = l[v][1] = l[v][2] = l[v][3] = 0;
  }
  lanes->begun = 1;
  n &= 3;
  for (uint32_t i = 0; i < n; i++) {
    lanes->lane[0][i] += x[i] * a[i];
    lanes->lane[1][i] += x[i] * b[i];
    lanes->lane[2][i] += x[i] * c[i];
    lanes->lane[3][i] += x[i] * d[i];
  }
}

float mote_dot_f32(const float *x, uint32_t x_step, const float *w, uint32_t w_step, uint32_t n) {
  float lane[4] = {0, 0, 0, 0};
  for (; n >= 4; n -= 4) {
    for (unsigned i = 0; i < 4; i++, x += x_step, w += w_step) lane[i] += *x * *w;
  }
  for (unsigned i = 0; i < n; i++, x += x_step, w += w_step) lane[i] += *x * *w;
  return mote_lanes_sum(lane);
}

void mote_dense_f32(const float *x, const float *w, const float *bias, uint32_t n, uint32_t vectors,
                    float low, float high, float *out) {
  for (uint32_t v = 0; v < vectors; v += 4) {
    const uint32_t some = vectors - v < 4 ? vectors - v : 4;
    struct mote_lanes_f32 lanes;
    lanes.begun = 0;
    const float *at[4];
    for (uint32_t i = 0; i < 4; i++) at[i] = w + (size_t)(v + (i < some ? i : 0)) * n;
    mote_lanes_add_f32(&lanes, x, at, n);
    for (uint32_t i = 0; i < some; i++) {
      const float sum = mote_lanes_total(&lanes, i);
      out[v + i] = mote_real_clamp(bias ? sum + bias[v + i] : sum, low, high);
    }
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
  if ((uint64_t)(w->out_w - 1) * w->stride_w + (uint64_t)w->kernel_w * w->dilation_w >= 1u << 30)
    return MOTE_ERR_PARAMS;
  uint64_t in = (uint64_t)w->in_w * w->in_c, out = (uint64_t)w->rows_out * w->out_w * w->out_c;
  if (w->whole) {
    if (w->in_h == 0 || w->dilation_h == 0 || w->batches == 0 ||
        (uint64_t)(w->rows_out - 1) * w->stride_h + (uint64_t)w->kernel_h * w->dilation_h >=
            1u << 30)
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
