/* nn: operators as row machines, NHWC, each written once; where inner loops deserve instructions, over mote/isa.
 * This file holds the int8 core and what every kernel has; a family of operators has a header of its own:
 *
 *   fixed16.h      int16 activations, and the general forms of the int8 core
 *   sequence.h     integer SVDF, LSTM and GRU
 *   elementwise.h  outputs made of the elements at the same place
 *   move.h         copies, picks, blends, reductions
 *   signal.h       audio front ends, detection
 *   real.h         float32, also beside int8 weights
 *
 * A row machine makes output rows from pointers to the input rows that it needs (docs/spec/row-machine.md):
 *
 *   begin(params, state)                 before the first row; NULL for most
 *   row(params, rows, state, out)        one call: `rows_out` output rows, or one accumulation step
 *   end(params, state, out)              after the last; NULL for most
 *
 * rows[k] is input row `first + call*advance + k*dilation_h`, or NULL where that lies in vertical padding.
 * An operator with several inputs gets the rows of the first, then those of the second ..., and behind them one
 * pointer for each output after the first, which is whole there and may be written (const is cast away). A
 * constant input lies in flash, a variable of the model in the arena; both reach the kernel as rows like any
 * other, and a variable may be written where the bounds say so. A row is W x C elements. Output rows of one
 * call are contiguous at `out`. `state` is the step's piece of the arena: accumulators and scratch,
 * `<op>_state_bytes` long, aligned to 8. What a variable holds is data that other steps may write: a kernel
 * bounds every index that it keeps there. In a hostile plan operands may overlap anyhow: what is copied from one to
 * another is moved.
 *
 * Params are plain data, the same bytes on every machine, aligned to 4; an int32 named *_at is the distance
 * in bytes from the start of the params structure to a constant (see mote_at). Constants are aligned to 4.
 * They were proven by the compiler or by <op>_check on opening: kernels return nothing.
 *
 * exact: integer kernels give the bits of TensorFlow Lite's reference kernels, float ones the same bits on every
 * machine (real.h). */
#ifndef MOTE_NN_H
#define MOTE_NN_H

#include "mote/base/base.h"
#include "mote/nn/fixed16.h"
#include "mote/nn/sequence.h"
#include "mote/nn/elementwise.h"
#include "mote/nn/move.h"
#include "mote/nn/signal.h"
#include "mote/nn/real.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The code of an operator. In a table indexed by enum mote_kernel_number (mote/run), or one of an emitted
 * program's own that holds only what the program uses. */
struct mote_kernel {
  void (*begin)(const void *params, void *state);
  void (*row)(const void *params, const void *const *rows, void *state, void *out);
  void (*end)(const void *params, void *state, void *out);
};

/* What a step declares around a kernel, for <op>_check: the bytes that the executor guarantees. An edge is an
 * input, 0 .. n_in - 1, or a further output, n_in .. n_in + n_out - 2, one whole row each. */
#define MOTE_MAX_EDGES 16
struct mote_bounds {
  size_t params_bytes; /* readable from params on, constants included */
  size_t state_bytes;  /* readable and writable at state */
  size_t out_bytes;    /* writable at out in one call */
  unsigned n_in, n_out;
  size_t row_bytes[MOTE_MAX_EDGES]; /* of each row of an edge */
  uint16_t rows[MOTE_MAX_EDGES];    /* pointers to rows of an edge */
  uint16_t missing;  /* bit i: some call may pass NULL rows of edge i (vertical padding) */
  uint16_t writable; /* bit i: edge i may be written: a variable, or a further output */
};

/* Packs the requantisation of a layer's n channels into uint32[n] and returns 1, or returns 0 where it must
 * be wide: a multiplier without bit 30, shifts that spread over more than 4 values or leave -22..-1, or
 * sums that may reach 2^30: max |bias| + k * 128 * 255, k = weights of a channel. bias NULL: none. */
int mote_pack_requant(const int32_t *multiplier, const int32_t *shift, const int32_t *bias,
                      size_t n, uint32_t k, uint32_t *words, int8_t *shift_base);

/* Whether every channel's |sum|, bias included, is proven to stay below 2^30 and, with a shift in -11..-1, below
 * 2^(18 - shift); packed layers must have such shifts only. Largest sums as above. */
int mote_is_bounded(const int32_t *shift, const int32_t *bias, size_t n, uint32_t k, int wide);

/* conv2d_wide_s8: what finishes the sums of a channel that lie in least .. most, bias included. Returns by how many bits its
 * weights and bias are shifted to the left, or -1 where that kernel cannot have the bits of the operator. o: zp, low, high;
 * bounded chooses the short way, for which nothing below the zero point may come out. */
int mote_pack_wide(const struct mote_output *o, int32_t multiplier, int shift, int64_t least,
                   int64_t most, struct mote_wide_finish *to);

/* The stairs of mote/base/window.h: in two digits, and as a word of conv2d_stairs_high_s8 and depthwise_stairs_high_s8. */
enum mote_stair_kind { MOTE_STAIR_DIGITS, MOTE_STAIR_SUM, MOTE_STAIR_NINE };
/* Finds one that gives the outputs of a multiplier, shift and bias for every sum of products in least .. most; of o, its zp,
 * low and high count. Returns 0 where there is none. */
int mote_find_stair(const struct mote_output *o, enum mote_stair_kind kind, int32_t multiplier,
                    int shift, int64_t bias, int64_t least, int64_t most, struct mote_stair *to);

/* ADD: rows[0] and rows[1], n elements each. With d[i] = (x[i] - zp[i]) * 2^left_shift:
 *   q = clamp(out_zp + R(R(d[0], 0) + R(d[1], 1), out), low, high),
 * R(x, i) = mote_requantise(x, multiplier[i], shift[i]), shifts -31..0. source: the reference's left_shift is
 * 20; multipliers are those of scale[i] / (2 max scale) and 2 max scale / (2^20 out scale).
 * alias: out may be rows[0] or rows[1]. */
struct mote_add_s8 {
  int32_t multiplier[2], out_multiplier;
  int8_t shift[2], out_shift;
  uint8_t left_shift; /* 0..20 */
  int16_t zp[2], out_zp, low, high;
  uint16_t reserved;
  uint32_t n;
};

/* AVERAGE_POOL_2D and MAX_POOL_2D over rows that all exist: rows as CONV_2D's. Padding is not counted. */
struct mote_pool_s8 {
  uint16_t in_w, c, out_w, kernel_w, kernel_h, stride_w, stride_h, pad_left, rows_out;
  int16_t low, high;
  uint16_t reserved;
};

/* MEAN over height and width, and AVERAGE_POOL_2D over a whole map: accumulates one input row of w x c a
 * call in int32[c]; end() writes c values. With n = count, the elements summed for each channel:
 *   divide 1: q = clamp(sum / n rounded, halves away from zero)              as AVERAGE_POOL_2D does it
 *   divide 0: q = clamp(out_zp + mote_requantise(sum - in_zp * n, multiplier, shift))   as MEAN does it,
 * multiplier and shift being those of in scale / out scale after mote_fold_count(n). */
struct mote_mean_s8 {
  int32_t multiplier;
  uint32_t count; /* w * rows of the map */
  uint16_t w, c;
  int16_t in_zp, out_zp, low, high;
  int8_t shift;
  uint8_t divide;
  uint16_t reserved;
};

/* DEPTHWISE_CONV_2D with one window of w columns, not more than the row has, and as many rows as calls; multiplier and
 * dilation in width 1: each call adds the products of one input row, rows[0], with that row of the weights,
 * rows[1]: int8[w][c], as the model has them. State: uint16[c], then int8[c]: sums modulo 2^24, exact for windows of at
 * most MOTE_SUMS_MOST weights. end() writes c values. */
#define MOTE_SUMS_MOST 256
struct mote_depthwise_sums_s8 {
  struct mote_output output;
  uint16_t w, c;
};

/* SOFTMAX over the last axis, int8 to int8 (scale 1/256, zero point -128). rows[0]: `rows` x `c`, c <= 4095
 * (the sum of exponentials has 12 integer bits).
 * source: the reference's: multiplier, left_shift of min(beta * input scale * 2^26, 2^31 - 1), diff_min =
 * -floor(31 * 2^26 / 2^left_shift); exp by a 4th order expansion around -1/8 and seven constants, 1/x by
 * three Newton steps. alias: out may be rows[0]. */
struct mote_softmax_s8 {
  int32_t multiplier;
  int32_t diff_min;  /* <= 0 */
  int8_t left_shift; /* 0..31 */
  uint8_t reserved;
  uint16_t rows, c;
  uint16_t reserved2;
};

/* softmax_s16_of_s8: the same to int16 (scale 1/65536, zero point -32768). Not in place. */

/* LOG_SOFTMAX over the last axis, int8 to int8 (scale 1/16, zero point 127). rows[0]: `rows` x `c`, c <= 4095.
 * multiplier, left_shift, diff_min as SOFTMAX's; reverse: 2^(31 - left_shift) / multiplier. */
struct mote_log_softmax_s8 {
  int32_t multiplier, reverse_multiplier;
  int32_t diff_min;
  int8_t left_shift, reverse_shift;
  uint16_t c;
  uint32_t rows;
};

/* RESHAPE that the planner could not turn into a view: copies `bytes`. alias: out may be rows[0]. */
struct mote_copy {
  uint32_t bytes;
};

/* PAD: one call makes one row: rows[0] with borders, or NULL for a row of border. */
struct mote_pad_s8 {
  uint32_t before_bytes, row_bytes, after_bytes;
  int16_t value;
  uint16_t reserved;
};

/* LEARNER: a model of mote/ml (mote_ml_check), one vector in, or an autoencoder's input and answer; shares of classes or a
 * score out. */
struct mote_learner {
  int32_t model_at;
  uint32_t model_bytes;
};

/* The number of a kernel: MOTE_KERNEL_<stem>. */
enum mote_kernel_number {
#define KERNEL(stem, params) MOTE_KERNEL_##stem,
#include "mote/nn/kernels.def"
#undef KERNEL
  MOTE_KERNEL_COUNT
};

/* Kernels of which a program may need only a part: mote_kernel_<stem>__<form> serves exactly the params of which
 * mote_<stem>_form gives its number, mote_kernel_<stem> all of them. An emitted program whose steps have one
 * form names that, so that a linker drops the others. __patch takes the params of __whole too. */
#define MOTE_NN_FORMS(X)                                                                           \
  X(conv2d_s8, mote_conv2d_s8, 0, patch)                                                           \
  X(conv2d_s8, mote_conv2d_s8, 1, column)                                                          \
  X(conv2d_s8, mote_conv2d_s8, 2, whole)                                                           \
  X(conv2d_s8, mote_conv2d_s8, 3, patch_above)                                                     \
  X(conv2d_s8, mote_conv2d_s8, 4, column_above)                                                    \
  X(conv2d_s8, mote_conv2d_s8, 5, whole_above)                                                     \
  X(depthwise_conv2d_s8, mote_depthwise_conv2d_s8, 0, any)                                         \
  X(depthwise_conv2d_s8, mote_depthwise_conv2d_s8, 1, 3x3)                                         \
  X(depthwise_conv2d_s8, mote_depthwise_conv2d_s8, 2, tall)                                        \
  X(depthwise_conv2d_s8, mote_depthwise_conv2d_s8, 3, 3x3_above)                                   \
  X(conv2d_s4, mote_conv2d_s8, 0, patch)                                                           \
  X(conv2d_s4, mote_conv2d_s8, 1, column)                                                          \
  X(fully_connected_s8, mote_fully_connected_s8, 1, few)                                           \
  X(mean_s8, mote_mean_s8, 0, scaled)                                                              \
  X(mean_s8, mote_mean_s8, 1, divided)
#define X(stem, params, number, form) extern const struct mote_kernel mote_kernel_##stem##__##form;
MOTE_NN_FORMS(X)
#undef X
unsigned mote_conv2d_s8_form(const struct mote_conv2d_s8 *p);
unsigned mote_conv2d_s4_form(const struct mote_conv2d_s8 *p);
unsigned mote_depthwise_conv2d_s8_form(const struct mote_depthwise_conv2d_s8 *p);
unsigned mote_fully_connected_s8_form(const struct mote_fully_connected_s8 *p);
unsigned mote_mean_s8_form(const struct mote_mean_s8 *p);

/* What a plan may count on where outputs are written over inputs; helium: on a Cortex-M55.
 * in_row: out may be rows[0]. reads_first: a call has read all its rows before it writes, wherever out is. */
int mote_depthwise_conv2d_s8_in_row(const struct mote_depthwise_conv2d_s8 *p, int helium);
int mote_conv2d_s8_reads_first(const struct mote_conv2d_s8 *p, int helium);

/* mote_kernel_<stem>: the code. mote_<stem>_check: MOTE_OK, or why these params would leave their bounds;
 * every number in params is hostile there, and OK proves that begin, row and end read and write only what
 * struct mote_bounds grants, whatever the constants and activations are. mote_<stem>_state_bytes: need of
 * the state, the same on every machine. Only windows (convolutions, pools), PAD and pieces (move) take NULL rows. */
#define KERNEL(stem, params)                                                                       \
  extern const struct mote_kernel mote_kernel_##stem;                                              \
  enum mote_status mote_##stem##_check(const struct params *p, const struct mote_bounds *b);       \
  size_t mote_##stem##_state_bytes(const struct params *p);
#include "mote/nn/kernels.def"
#undef KERNEL

#ifdef __cplusplus
}
#endif

#endif
