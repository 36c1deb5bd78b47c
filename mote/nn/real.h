/* real: parameters of the float32 kernels, and of those with float activations and int8 weights. Included by nn.h.
 *
 * Rows are given for every input that is present, in the order of the node: those of the activation, then one
 * each for weights and bias, in the model's own layout.
 *
 * exact: the same bits on every machine. A sum over neighbouring memory runs in four lanes, element i of a run in
 * lane i mod 4, and ends as (l0 + l1) + (l2 + l3); a sum for each channel apart runs in the order of the window.
 * Products and sums are rounded one by one. Against other software the order of additions differs, no more.
 *
 * low, high: the range of a fused activation; without one -FLT_MAX and FLT_MAX, as the reference has it. */
#ifndef MOTE_NN_REAL_H
#define MOTE_NN_REAL_H

#include <stdint.h>

/* A window that slides over height and width. Two forms:
 *   whole 0: rows as CONV_2D's of int8: (rows_out - 1) * stride_h + kernel_h pointers to rows of in_w * in_c, NULL in
 *            vertical padding, dilated by the edge; one image. needs: rows_out 1 where rows are dilated.
 *   whole 1: rows[0] is the whole input, `batches` images of in_h rows; rows_out is the height of the output.
 * in_h, pad_top, dilation_h, batches count only where whole is 1. */
struct mote_window_2d {
  uint16_t in_w, in_c, out_w, out_c;
  uint16_t kernel_w, kernel_h, stride_w, stride_h;
  uint16_t dilation_w, pad_left, rows_out, whole;
  uint16_t in_h, pad_top, dilation_h, batches;
};

/* CONV_2D. weights [out_c][kernel_h][kernel_w][group_c], bias [out_c] where bias is 1. Output channel o reads the
 * group_c input channels from o / (out_c * group_c / in_c) * group_c on.
 * needs: group_c divides in_c, in_c / group_c divides out_c. */
struct mote_conv2d_f32 {
  struct mote_window_2d window;
  float low, high;
  uint16_t group_c, bias;
};

/* DEPTHWISE_CONV_2D. weights [kernel_h][kernel_w][out_c], bias [out_c] where bias is 1. Output channel
 * c * multiplier + m reads channel c. needs: out_c = in_c * multiplier. */
struct mote_depthwise_conv2d_f32 {
  struct mote_window_2d window;
  float low, high;
  uint16_t multiplier, bias;
};

/* TRANSPOSE_CONV. weights [out_c][kernel_h][kernel_w][in_c], bias [out_c] where bias is 1.
 *   out[y][x] = sum of in[i][j] w[y + lead - i * stride_h][x + pad_left - j * stride_w]
 * whole 1: rows[0] is the input, `batches` of in_h * in_w * in_c, and lead the padding above. whole 0: in_h pointers to
 * rows, i counts them and y the rows_out rows of the call: lead is the padding above less stride_h times the row that
 * the first pointer means at call 0; with rows_out = stride_h rows advance by one a call. needs: dilations 1. */
struct mote_transpose_conv_f32 {
  struct mote_window_2d window;
  float low, high;
  int32_t lead;
  uint16_t bias, reserved;
};

/* FULLY_CONNECTED: rows[0] holds `vectors` vectors of in_c; weights [out_c][in_c], bias [out_c] where bias is 1. */
struct mote_fully_connected_f32 {
  uint32_t in_c, out_c, vectors, bias;
  float low, high;
};

/* BATCH_MATMUL of whole tensors: for every batch, out[m][n] = sum over k of x[m][k] * y[k][n], where
 * x[m][k] lies at x + m * x_m + k * x_k and y[k][n] at y + n * y_n + k * y_k: transposed operands are strides.
 * batch: sizes, slowest first; x_batch, y_batch: elements from one to the next, 0 where repeated. */
struct mote_batch_matmul_f32 {
  uint32_t m, n, k;
  uint32_t x_m, x_k, y_n, y_k;
  uint32_t batch[4], x_batch[4], y_batch[4];
};

/* AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D; out_c is in_c, dilations 1. Padding is not counted.
 * An average is the sum divided by the count; L2 is the root of the average of squares. */
struct mote_pool_f32 {
  struct mote_window_2d window;
  float low, high;
};

/* MEAN over height and width, and AVERAGE_POOL_2D over a whole map: accumulates one input row of w x c a call in
 * float[c]; end() writes clamp(sum / count). */
struct mote_mean_f32 {
  uint32_t w, c, count;
  float low, high;
};

/* SOFTMAX (scale: beta), LOG_SOFTMAX and L2_NORMALIZATION (scale not used) over the last axis:
 * rows[0] holds `vectors` vectors of c. alias: out may be rows[0]. */
struct mote_softmax_f32 {
  uint32_t vectors, c;
  float scale;
};

/* Activations that the recurrent kernels apply: codes of the TensorFlow Lite schema. */
enum mote_activation_f32 {
  MOTE_ACTIVATION_NONE,
  MOTE_ACTIVATION_RELU,
  MOTE_ACTIVATION_RELU_N1_TO_1,
  MOTE_ACTIVATION_RELU6,
  MOTE_ACTIVATION_TANH,
  MOTE_ACTIVATION_SIGN_BIT
};

/* SVDF: rows: x [batches][in_c], feature weights [filters][in_c], time weights [filters][memory], bias [units] where
 * bias is 1, state [batches][filters][memory] (written). units = filters / rank. The state of each filter moves on by
 * one, takes the new feature, and is weighted; `rank` filters make one unit. */
struct mote_svdf_f32 {
  uint32_t batches, in_c, filters, memory, rank;
  uint16_t bias, activation;
};

/* UNIDIRECTIONAL_SEQUENCE_LSTM: rows: x, weights of the input [cells][in_c] for the input, forget, cell and output
 * gate, recurrent weights [cells][cells] for the same, biases [cells] for the same, hidden state and cell state
 * [batches][cells] (both written). `steps` steps of time a call.
 *   c = f c + i g, moved into +-cell_clip where that is > 0;  h = o tanh(c), which is the output
 * x holds [batches][steps][in_c], or where time_major is 1 [steps][batches][in_c]; out the same with cells. */
struct mote_lstm_f32 {
  uint32_t batches, steps, in_c, cells;
  float cell_clip;
  uint32_t time_major;
};

/* ---- float activations, int8 weights ---------------------------------------------------------------------
 * Each image (each vector, where there are vectors) is quantised to int8 as it arrives, multiplied in integers, and
 * scaled back. With the largest magnitude m:
 *   symmetric   scale m / 127, zero point 0
 *   asymmetric  scale (max - min) / 255 over a range that holds 0, the zero point the nearest whole number
 * source: dynamic-range quantisation as TensorFlow Lite's portable kernels define it; rounding halves away from zero.
 * Operands as those of float32, with int8 weights. needs: at most 65535 products for an output. */
struct mote_hybrid {
  int32_t scale_at; /* float[out_c], the weights' scales; 0: one, `scale` */
  float scale;
  uint32_t asymmetric;
};

/* CONV_2D and DEPTHWISE_CONV_2D over whole maps: window.whole is 1. State: one image as int8.
 *   out = sum * scale[c] * input scale + bias[c], or with one scale sum * (input scale * scale) + bias[c] */
struct mote_conv2d_hybrid {
  struct mote_conv2d_f32 conv;
  struct mote_hybrid hybrid;
};
struct mote_depthwise_conv2d_hybrid {
  struct mote_depthwise_conv2d_f32 conv;
  struct mote_hybrid hybrid;
};

/* FULLY_CONNECTED: out = bias[c] + sum * (input scale * scale[c]). State: one vector as int8. */
struct mote_fully_connected_hybrid {
  struct mote_fully_connected_f32 dense;
  struct mote_hybrid hybrid;
};

/* SVDF: feature weights int8 with one scale; the time weights and the state are float32. State: one vector as int8. */
struct mote_svdf_hybrid {
  struct mote_svdf_f32 svdf;
  struct mote_hybrid hybrid;
};

#endif
