/* nn: neural operators as row machines, int8, NHWC, each written once over mote/isa.
 *
 * A row machine makes output rows from pointers to the input rows that it needs (docs/spec/row-machine.md):
 *
 *   begin(params, state)                 before the first row; NULL for most
 *   row(params, rows, state, out)        one call: `rows_out` output rows, or one accumulation step
 *   end(params, state, out)              after the last; NULL for most
 *
 * rows[k] is input row `first + call*advance + k*dilation_h`, or NULL where that lies in vertical padding.
 * An operator with two inputs gets the rows of the first, then the rows of the second. A row is W x C
 * elements. Output rows of one call are contiguous at `out`. `state` is the step's piece of the arena:
 * accumulators and scratch, `<op>_state_bytes` long, aligned to 8.
 *
 * Params are plain data, the same bytes on every machine, aligned to 4; an int32 named *_at is the distance
 * in bytes from the start of the params structure to a constant (see mote_at). Constants are aligned to 4.
 * They were proven by the compiler or by <op>_check on opening: kernels return nothing.
 *
 * exact: every kernel gives the bits of TensorFlow Lite's reference kernel of the same name. */
#ifndef MOTE_NN_H
#define MOTE_NN_H

#include "mote/base/base.h"

/* The code of an operator. In a table indexed by enum mote_op (mote/run), or one of an emitted program's
 * own that holds only what the program uses. */
struct mote_kernel {
  void (*begin)(const void *params, void *state);
  void (*row)(const void *params, const void *const *rows, void *state, void *out);
  void (*end)(const void *params, void *state, void *out);
};

/* What a step declares around a kernel, for <op>_check: the bytes that the executor guarantees. */
struct mote_bounds {
  size_t params_bytes;      /* readable from params on, constants included */
  size_t state_bytes;       /* readable and writable at state */
  size_t row_bytes[2];      /* of each input row */
  size_t out_bytes;         /* writable at out in one call */
  unsigned rows[2];         /* pointers to rows of each input */
};

/* ---- output of an accumulating operator ------------------------------------
 * The int32 sum of channel c becomes int8:
 *   q = clamp(out_zp + mote_requantise(bias[c] + sum, multiplier[c], shift[c]), low, high).
 * Packed in 4 bytes a channel, since flash is counted: bit 31..2 = multiplier bits 29..0 (bit 30 of a
 * multiplier is always 1), bit 1..0 = shift_base - shift. Where the shifts of a layer spread more than
 * that, or a multiplier is 0, `wide` is 1 and each channel takes two words: multiplier, shift.
 * Biases: `bias_bytes` 2 (int16) where all fit, else 4. The bias is the model's own: the input's zero point
 * is taken from the activations as they are widened, so biases stay small. */
struct mote_output {
  int32_t requant_at;       /* uint32[channels], or int32[channels][2] when wide */
  int32_t bias_at;          /* int16 or int32 [channels]; 0: no bias */
  int16_t zp;               /* output zero point */
  int16_t low, high;        /* fused activation */
  int8_t shift_base;        /* largest shift of the layer */
  uint8_t wide;
  uint8_t bias_bytes;
  uint8_t reserved[3];
};

/* CONV_2D. Weights are packed for the instruction set (mote/isa/isa.h: MOTE_PACK_*), int8,
 * order within a channel: kernel column, kernel row, input channel, padded to 4 with zeros. */
struct mote_conv2d_s8 {
  struct mote_output output;
  int32_t weights_at;
  uint16_t in_w, in_c, out_w, out_c;
  uint16_t kernel_w, kernel_h, stride_w, stride_h, dilation_w;
  uint16_t pad_left;        /* columns of zp left of the row */
  uint16_t rows_out;        /* output rows made by one call */
  uint16_t strip_w;         /* output columns widened at a time: decides the scratch */
  int16_t in_zp;
  uint16_t reserved;
};

/* DEPTHWISE_CONV_2D, any depth multiplier: out_c = in_c * multiplier. */
struct mote_depthwise_conv2d_s8 {
  struct mote_output output;
  int32_t weights_at;       /* packed for the instruction set */
  uint16_t in_w, in_c, out_w, multiplier;
  uint16_t kernel_w, kernel_h, stride_w, stride_h, dilation_w;
  uint16_t pad_left, rows_out;
  int16_t in_zp;
};

/* FULLY_CONNECTED: rows_out vectors of in_c become rows_out vectors of out_c. The whole tensor may come as
 * one row (rows[0]) holding `vectors` vectors. */
struct mote_fully_connected_s8 {
  struct mote_output output;
  int32_t weights_at;       /* packed like a 1x1 convolution */
  uint16_t in_c, out_c, vectors;
  int16_t in_zp;
};

/* ADD: rows[0] and rows[1], n elements each. source: the reference's left shift of 20, three multipliers. */
struct mote_add_s8 {
  int32_t multiplier[2], out_multiplier;
  int8_t shift[2], out_shift;
  uint8_t left_shift;
  int16_t zp[2], out_zp, low, high;
  uint16_t reserved;
  uint32_t n;
};

/* AVERAGE_POOL_2D and MAX_POOL_2D over rows that all exist (kernel_h pointers). Padding is not counted. */
struct mote_pool_s8 {
  uint16_t in_w, c, out_w, kernel_w, kernel_h, stride_w, stride_h, pad_left, rows_out;
  int16_t low, high;
  uint16_t reserved;
};

/* MEAN over height and width, and AVERAGE_POOL_2D over a whole map: accumulates one input row a call into
 * int32[c]; end() writes c values. `divide` != 0: rounded division by the count, as the pool does it;
 * 0: requantised as the reference's MEAN does it. */
struct mote_mean_s8 {
  int32_t multiplier;
  int32_t bias;             /* out_zp and in_zp folded as the reference orders it; see mean.c */
  int8_t shift;
  uint8_t divide;
  uint16_t w, c;
  uint16_t count;
  int16_t in_zp, out_zp, low, high;
};

/* SOFTMAX over the last axis, int8 to int8 (scale 1/256, zero point -128). rows[0]: `rows` x `c`. */
struct mote_softmax_s8 {
  int32_t multiplier;       /* of beta * input scale * 2^26 */
  int32_t diff_min;
  int8_t left_shift;
  uint8_t reserved;
  uint16_t rows, c;
  uint16_t reserved2;
};

/* RESHAPE that the planner could not turn into a view: copies `bytes`. */
struct mote_copy {
  uint32_t bytes;
};

/* PAD: one call makes one row: rows[0] with borders, or NULL for a row of border. */
struct mote_pad_s8 {
  uint32_t before_bytes, row_bytes, after_bytes;
  int16_t value;
  uint16_t reserved;
};

/* X(operator, params structure, function stem): mote_<stem>_row, mote_<stem>_check ... */
#define MOTE_NN_KERNELS(X)                                                                         \
  X(CONV_2D, mote_conv2d_s8, conv2d_s8)                                                            \
  X(DEPTHWISE_CONV_2D, mote_depthwise_conv2d_s8, depthwise_conv2d_s8)                              \
  X(FULLY_CONNECTED, mote_fully_connected_s8, fully_connected_s8)                                  \
  X(ADD, mote_add_s8, add_s8)                                                                      \
  X(AVERAGE_POOL_2D, mote_pool_s8, average_pool_s8)                                                \
  X(MAX_POOL_2D, mote_pool_s8, max_pool_s8)                                                        \
  X(MEAN, mote_mean_s8, mean_s8)                                                                   \
  X(SOFTMAX, mote_softmax_s8, softmax_s8)                                                          \
  X(RESHAPE, mote_copy, copy)                                                                      \
  X(PAD, mote_pad_s8, pad_s8)

/* mote_kernel_<stem>: the code. mote_<stem>_check: MOTE_OK, or why these params would leave their bounds;
 * every number in params is hostile there. mote_<stem>_state_bytes: need of the state, for a plan. */
#define X(op, params, stem)                                                                        \
  extern const struct mote_kernel mote_kernel_##stem;                                              \
  enum mote_status mote_##stem##_check(const struct params *p, const struct mote_bounds *b);       \
  size_t mote_##stem##_state_bytes(const struct params *p);
MOTE_NN_KERNELS(X)
#undef X

#endif
