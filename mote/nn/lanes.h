/* lanes: sums of float32 products in the one order that gives the same bits everywhere, and the geometry that the
 * windowed kernels share. Internal to mote/nn.
 *
 * A sum has four lanes. Element i of a run goes to lane i mod 4; several runs may follow one another. In the end the
 * sum is (l0 + l1) + (l2 + l3). */
#ifndef MOTE_NN_LANES_H
#define MOTE_NN_LANES_H

#include "mote/nn/bounds.h"

/* Sums of four weight vectors with the same x, their lanes: lane i of vector v is lane[v][i]. */
struct mote_lanes_f32 {
  int begun; /* 0: lane is not set yet and counts as zeros */
  float lane[4][4];
};

static inline float mote_lanes_sum(const float lane[4]) {
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

/* (l0 + l1) + (l2 + l3) of vector v. */
static inline float mote_lanes_total(const struct mote_lanes_f32 *lanes, uint32_t v) {
  return lanes->begun ? mote_lanes_sum(lanes->lane[v]) : 0.0f;
}

/* Adds the products of a run of n elements. alias: vectors of w may be the same. */
void mote_lanes_add_f32(struct mote_lanes_f32 *lanes, const float *x, const float *const w[4],
                        uint32_t n);
/* The sum of n products at distances x_step and w_step, as one run. */
float mote_dot_f32(const float *x, uint32_t x_step, const float *w, uint32_t w_step, uint32_t n);

/* out[v] = clamp(bias[v] + sum over i of x[i] * w[v * n + i]). bias NULL: none. */
void mote_dense_f32(const float *x, const float *w, const float *bias, uint32_t n, uint32_t vectors,
                    float low, float high, float *out);

/* ---- windows ----------------------------------------------------------------- */
/* The input row under row ky of the window of output row r, elements of `bytes`; NULL in padding. */
static inline const void *mote_map_row(const struct mote_window_2d *w, const void *const *rows,
                                       uint32_t bytes, uint32_t batch, uint32_t r, uint32_t ky) {
  if (!w->whole) return rows[r * w->stride_h + ky];
  const int32_t y =
      (int32_t)(r * w->stride_h) - w->pad_top + (int32_t)((uint32_t)ky * w->dilation_h);
  if (y < 0 || y >= w->in_h) return NULL;
  return (const uint8_t *)rows[0] +
         ((size_t)batch * w->in_h + (uint32_t)y) * ((size_t)w->in_w * w->in_c) * bytes;
}
static inline uint32_t mote_map_batches(const struct mote_window_2d *w) {
  return w->whole ? w->batches : 1;
}
/* Pointers that the input takes; the next input's follow. */
static inline uint32_t mote_map_pointers(const struct mote_window_2d *w) {
  return w->whole ? 1 : (uint32_t)(w->rows_out - 1) * w->stride_h + w->kernel_h;
}

/* The columns of the kernel that lie inside the row at output column x: from .. to - 1; column: input column of
 * kernel column 0, maybe negative. */
struct mote_columns {
  int32_t column;
  uint32_t from, to;
};
static inline struct mote_columns mote_map_columns(const struct mote_window_2d *w, uint32_t x) {
  struct mote_columns c;
  const int32_t step = w->dilation_w, wide = w->kernel_w;
  c.column = (int32_t)(x * w->stride_w) - w->pad_left;
  const int32_t from = c.column < 0 ? (-c.column + step - 1) / step : 0;
  const int32_t room = (int32_t)w->in_w - c.column; /* columns from kernel column 0 to the end */
  const int32_t to = room <= 0 ? 0 : (room + step - 1) / step;
  c.from = (uint32_t)(from < wide ? from : wide);
  c.to = (uint32_t)(to < wide ? to : wide);
  if (c.to < c.from) c.to = c.from;
  return c;
}

/* SVDF's second half for one batch whose new features stand at the end of each filter's memory. */
void mote_svdf_units_f32(const struct mote_svdf_f32 *p, const float *state, const float *time,
                         const float *bias, float *out);

/* The proof of SVDF's parameters, with feature weights of feature_bytes each. */
enum mote_status mote_svdf_real_check(const struct mote_svdf_f32 *p, const struct mote_bounds *b,
                                      uint32_t feature_bytes);

/* Proves the geometry, the rows of input 0 (elements of `bytes`) and the bytes of out (float32). */
enum mote_status mote_map_check(const struct mote_window_2d *w, const struct mote_bounds *b,
                                uint32_t bytes);

#endif
