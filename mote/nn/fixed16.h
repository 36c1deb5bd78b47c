/* fixed16: integer operators beyond the int8 ones of nn.h: int16 activations with int8 weights, and the general
 * forms of the int8 operators (groups, a zero point of the weights, weights that are computed, several images).
 *
 * Weights and biases are operands in the model's own layout; only scales and tables follow the params. Sums
 * are worked out modulo 2^64, or modulo 2^32 where the reference's accumulators are int32, so that no input
 * can be undefined and an overflow gives the bits that it gives there.
 *
 * Operands of the windowed operators, in this order: edge 0 the input's rows (or the whole input, see
 * mote_window), edge 1 the weights, edge 2 the bias where bias_bytes is not 0. */
#ifndef MOTE_NN_FIXED16_H
#define MOTE_NN_FIXED16_H

#include "mote/base/base.h"

/* How sums become outputs: q = clamp(zp + scale(bias[c] + sum), low, high).
 *
 * sum_bytes 4: int32 sums. scale_at: int32[n][2], multiplier (>= 0) and shift (-31..30);
 *   scale(x) = mote_requantise(x, multiplier, shift).
 * sum_bytes 8: int64 sums. scale_at: uint32[n], m << 16 | s with m < 2^15 and s in 1..46;
 *   scale(x) = the low 32 bits of (x m + 2^(s - 1)) >> s.
 * source: the reference keeps 15 bits of the multiplier where sums are int64. */
struct mote_scaling {
  int32_t scale_at;
  int32_t zp, low, high;
  uint8_t sum_bytes;   /* 4 or 8 */
  uint8_t bias_bytes;  /* 0: no bias; 4 with int32 sums; 2, 4 or 8 with int64 sums */
  uint8_t per_channel; /* 1: n scales, one for each output channel; 0: one for all */
  uint8_t reserved;
};

/* A window over images of in_h x in_w x in_c.
 *
 * images 0: the executor hands over rows. Edge 0 gives in_rows pointers, of which output row r of a call takes
 *   kernel_h from r * stride_h on, as CONV_2D of nn.h; NULL is padding. in_h, out_h, pad_top do not count.
 * images >= 1: rows[0] is the whole input, `images` images, and a call makes all of the output; in_rows is 1
 *   and rows_out is 1 (the whole output is one row). */
struct mote_window {
  uint16_t in_w, in_c, out_w, out_c;
  uint16_t kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h;
  uint16_t pad_left, pad_top;
  uint16_t in_rows, rows_out;
  uint16_t in_h, out_h, images;
  uint16_t group_c; /* CONV_2D: input channels that an output channel sees; else reserved */
};

/* CONV_2D, and FULLY_CONNECTED as a 1x1 convolution over in_w = out_w vectors.
 * weights: int8 [out_c][kernel_h][kernel_w][group_c]; the first out_c / (in_c / group_c) output channels see
 * the first group_c input channels, and so on.
 *   sum = sum (w - weights_zp) * (x - in_zp) over the window inside the image. */
struct mote_conv2d {
  struct mote_scaling scaling;
  struct mote_window window;
  int16_t in_zp, weights_zp;
};

/* DEPTHWISE_CONV_2D: weights int8 [kernel_h][kernel_w][out_c]; output channel c sees input channel
 * c / (out_c / in_c). */
struct mote_depthwise_conv2d {
  struct mote_scaling scaling;
  struct mote_window window;
  int16_t in_zp, weights_zp;
};

/* TRANSPOSE_CONV: weights int8 [out_c][kernel_h][kernel_w][in_c]; dilations 1.
 *   sum[y][x][o] = sum w[o][i][j][c] * (in[v][u][c] - in_zp) over v * stride_h + i = y + lead,
 *                                                              u * stride_w + j = x + pad_left.
 * images 0: in_rows pointers for rows_out output rows; v counts them, y the rows of the call, so that lead is
 * the padding above less stride_h times the first pointer's row at call 0. Other images: lead is the padding. */
struct mote_transpose_conv {
  struct mote_scaling scaling;
  struct mote_window window;
  int16_t in_zp, reserved;
  int32_t lead;
};

/* AVERAGE_POOL_2D, MAX_POOL_2D. half_up 1: averages round halves up, as unsigned ones do; else away from 0.
 * An average over an empty window, which no honest plan has, is 0. */
struct mote_pool {
  struct mote_window window;
  int32_t low, high;
  uint8_t half_up;
  uint8_t reserved[3];
};

/* BATCH_MATMUL: out[b][i][j] = clamp(zp + scale(sum (x[b][i][k] - x_zp) (y[b][k][j] - y_zp))), k < depth, with
 * elements found by strides: x at b . x_batch + i x_row + k x_deep, y at b . y_batch + j y_column + k y_deep;
 * the batch is three axes. Edge 0: x, edge 1: y, whole. No bias. */
struct mote_batch_matmul {
  struct mote_scaling scaling;
  uint32_t x_batch[3], y_batch[3]; /* elements; 0 where broadcast */
  uint32_t x_row, x_deep, y_column, y_deep;
  uint16_t batch[3];
  uint16_t rows, columns, depth;
  int16_t x_zp, y_zp;
};

/* SOFTMAX, int16 to int16 (zero points 0, output scale 2^-15): rows x c.
 * source: the reference's tables of exp over [-10, 0] and 1 / (1 + x) over [0, 1] with interpolation. */
struct mote_softmax_s16 {
  int32_t multiplier, shift; /* of beta * input scale * 65535 / 10 */
  uint32_t rows;
  uint32_t c; /* 1..65535 */
};

/* LOGISTIC and TANH, int16 to int16 with interpolation: x' = (x * multiplier + half) >> shift in units of
 * 1 / 12288. range: multiplier 1..65534, shift 0..31. alias: out may be rows[0]. */
struct mote_sigmoid_s16 {
  int32_t multiplier;
  int32_t shift;
  uint32_t n;
};

/* LEAKY_RELU: x - in_zp scaled by `up` where >= 0, by `down` below; down_multiplier may be negative.
 * alias: out may be rows[0]. */
struct mote_leaky_relu_s16 {
  int32_t in_zp, out_zp;
  int32_t up_multiplier, up_shift, down_multiplier, down_shift;
  uint32_t n;
};

/* L2_NORMALIZATION over the last axis, int8 (output scale 1/128, zero point 0): rows x c. alias: out may be
 * rows[0]. */
struct mote_l2_norm_s8 {
  uint32_t rows, c; /* c <= 33025: squares sum below 2^31 */
  int32_t in_zp;
};

#endif
