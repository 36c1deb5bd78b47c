/* elementwise: operators that make each output element from the elements at the same place of their inputs.
 *
 * Arithmetic on one value (tables, float functions, rescaling, casts), on two with broadcasting (sums, products,
 * comparisons, logic), and the choice between two. All of them work on any run of elements, so a row of an image
 * is a run like a whole tensor, and where nothing is broadcast the output may lie where an input lies.
 *
 * Broadcasting is loops (struct mote_loops): the innermost ones are in the params, the outer ones in a table.
 *
 * exact: integers give the bits of TensorFlow Lite's reference kernels; floats those that the formulas give in
 * single precision, with mote/base/real.h for what has no machine instruction. */
#ifndef MOTE_NN_ELEMENTWISE_H
#define MOTE_NN_ELEMENTWISE_H

#include "mote/base/base.h"

/* ---- loops ----------------------------------------------------------------- */
/* n times, each input `step[k]` bytes further. step 0: the same element again, broadcast. */
struct mote_axis {
  uint32_t n;      /* >= 1 */
  int32_t step[3]; /* bytes */
};
/* The innermost loop and where the outer ones are: struct mote_axis[axes], the outermost first. What is made lies
 * contiguous in the order of the loops, unless an operator says otherwise. */
#define MOTE_MAX_AXES 8
struct mote_loops {
  struct mote_axis inner;
  int32_t axes_at;
  uint32_t axes; /* <= MOTE_MAX_AXES */
};

/* ---- one input ------------------------------------------------------------- */
/* Any function of 8-bit values to 8-bit values: out[i] = table[in[i] as uint8]. alias: out may be rows[0]. */
struct mote_lut_8 {
  uint32_t n;
  int32_t table_at; /* 256 bytes */
};

/* Float functions that need no more than additions and products. x is the input:
 *   ABS |x|   NEG -x   SQUARE x x   CEIL, FLOOR   ROUND to the nearest, halves to even
 *   CLAMP max(low, min(high, x)), a NaN stays   LEAKY x > 0 ? x : x alpha, alpha is `low`
 *   HARD_SWISH x min(6, max(0, x + 3)) / 6   SIGN 1, 0 or -1; a NaN gives 0
 * alias: out may be rows[0]. */
enum mote_simple {
  MOTE_SIMPLE_ABS,
  MOTE_SIMPLE_NEG,
  MOTE_SIMPLE_SQUARE,
  MOTE_SIMPLE_CEIL,
  MOTE_SIMPLE_FLOOR,
  MOTE_SIMPLE_ROUND,
  MOTE_SIMPLE_CLAMP,
  MOTE_SIMPLE_LEAKY,
  MOTE_SIMPLE_HARD_SWISH,
  MOTE_SIMPLE_SIGN,
  MOTE_SIMPLE_COUNT
};
struct mote_simple_f32 {
  uint32_t n;
  float low, high;
  uint32_t function; /* enum mote_simple */
};

/* exp_f32, log_f32, sin_f32 ...: out[i] = f(in[i]). alias: out may be rows[0]. */
struct mote_math_f32 {
  uint32_t n;
};

/* Integers to another scale and width:
 *   q = clamp(out_zp + mote_requantise(x - in_zp, multiplier, shift), low, high),
 * with |x - in_zp| where `absolute` is 1. alias: out may be rows[0] where the types have one size. */
struct mote_rescale {
  uint32_t n;
  int32_t multiplier, in_zp, out_zp, low, high;
  int8_t shift;              /* -31..30 */
  uint8_t in_type, out_type; /* enum mote_type: INT8 UINT8 INT16 INT32 */
  uint8_t absolute;
};

/* RSQRT of int16: out = r(r(1, 2^20 / sqrt x), multiplier, shift - 20) saturated; 32767 for 0, and below it, where the
 * reference is not defined. multiplier, shift: of 1 / (sqrt(in scale) out scale). alias: out may be rows[0]. */
struct mote_rsqrt_s16 {
  uint32_t n;
  int32_t multiplier;
  int32_t shift; /* -11..30 */
};

/* q = clamp(zp + round(x / scale), low, high), halves away from zero; a NaN gives zp. */
struct mote_quantise_f32 {
  uint32_t n;
  float scale; /* > 0 */
  int32_t zp, low, high;
  uint32_t out_type; /* INT8 UINT8 INT16 INT32 */
};

/* x = scale * (q - zp). exact: a product of 24 and at most 17 bits, rounded once. */
struct mote_dequantise_f32 {
  uint32_t n;
  float scale;
  int32_t zp;
  uint32_t in_type; /* INT8 UINT8 INT16 INT32 */
};

/* C's conversions; a float beyond the range of an integer gives the nearest one, a NaN 0; BOOL is x != 0. */
struct mote_cast {
  uint32_t n;
  uint16_t in_type, out_type;
};

/* ---- two inputs, quantised -------------------------------------------------- */
/* a = rows[0], b = rows[1], of int8 (bytes 1) or int16 (bytes 2); b_bytes is 1 for PRELU's int8 slopes.
 * With d[i] = x[i] - zp[i], e[i] = mote_requantise(d[i] * 2^left_shift, multiplier[i], shift[i]), and
 * Q(x) = clamp(out_zp + mote_requantise(x, out_multiplier, out_shift), low, high):
 *   sum_q                 Q(e[0] + e[1]), or Q(e[0] - e[1]) where `negative` is 1
 *   product_q             Q(d[0] d[1])
 *   squared_difference_q  Q((e[0] - e[1])^2)
 *   quotient_s8           Q(d[0] / d[1]) through a reciprocal of 31 bits; x / 0 is low or high by the sign of x
 *   prelu_q               d[0] >= 0: clamp(out_zp + mote_requantise(d[0], multiplier[0], shift[0]), low, high),
 *                         else Q(d[0] d[1])
 *   compare_q             e[0] ? e[1] by `comparison`, a BOOL
 * Sums wrap as two's complement where hostile numbers overflow them.
 * alias: out may be rows[k] where its steps are those of the output; compare_q: bytes 1. */
enum mote_comparison {
  MOTE_EQUAL,
  MOTE_NOT_EQUAL,
  MOTE_GREATER,
  MOTE_GREATER_EQUAL,
  MOTE_LESS,
  MOTE_LESS_EQUAL,
  MOTE_COMPARISON_COUNT
};
struct mote_binary_q {
  struct mote_loops loops;
  int32_t multiplier[2], out_multiplier;
  int16_t zp[2], out_zp, low, high;
  int8_t shift[2], out_shift; /* -31..30 */
  uint8_t left_shift;         /* 0..20 */
  uint8_t bytes, b_bytes;
  uint8_t negative, comparison;
  uint16_t reserved;
};

/* The sum of k inputs of one scale and zero point: Q(e(-zp) + sum of e(x - zp)) as above (exact: the reference begins
 * with one input that would be 0); float: the sum
 * from the first to the last. */
struct mote_add_n_s8 {
  uint32_t n;
  int32_t multiplier, out_multiplier;
  int16_t zp, out_zp, low, high;
  int8_t shift, out_shift;
  uint8_t left_shift;
  uint8_t inputs;
};
struct mote_add_n_f32 {
  uint32_t n;
  uint32_t inputs;
};

/* ---- two inputs, plain ------------------------------------------------------- */
/* clamp(a op b, low, high). Integers wrap; x / 0 is 0, and a smallest integer / -1 wraps.
 * FLOOR_DIV: floor(a / b), divided in double. FLOOR_MOD: the remainder with the sign of b.
 * POWER: a^b.
 * MAXIMUM and MINIMUM: a > b ? a : b and a < b ? a : b. PRELU: a >= 0 ? a : a b. No clamp for these six.
 * alias: out may be rows[k] where its steps are those of the output. */
enum mote_arithmetic {
  MOTE_ARITHMETIC_ADD,
  MOTE_ARITHMETIC_SUB,
  MOTE_ARITHMETIC_MUL,
  MOTE_ARITHMETIC_DIV,
  MOTE_ARITHMETIC_SQUARED_DIFFERENCE,
  MOTE_ARITHMETIC_MAXIMUM,
  MOTE_ARITHMETIC_MINIMUM,
  MOTE_ARITHMETIC_PRELU,     /* float alone */
  MOTE_ARITHMETIC_FLOOR_DIV, /* float: divide_f32 */
  MOTE_ARITHMETIC_FLOOR_MOD,
  MOTE_ARITHMETIC_POWER, /* power_f32 */
  MOTE_ARITHMETIC_COUNT
};
struct mote_binary_f32 {
  struct mote_loops loops;
  float low, high; /* -inf, inf: no activation */
  uint32_t arithmetic;
};
struct mote_binary_s32 {
  struct mote_loops loops;
  int32_t low, high;
  uint32_t arithmetic;
};

/* Comparisons (a BOOL each), logic, and extremes of the types that the above leave out. Floats compare as IEEE's.
 *   comparison   BOOL INT8 UINT8 INT16 INT32 FLOAT32 INT64
 *   extreme      INT8 UINT8 INT16 INT64: function MOTE_ARITHMETIC_MAXIMUM or MINIMUM
 *   logic        BOOL: function 0 and, 1 or, bit by bit: a BOOL is 0 or 1
 * alias: out may be rows[k] where its steps are those of the output and the sizes are one. */
struct mote_binary {
  struct mote_loops loops;
  uint16_t type, function;
};

/* out = rows[0] ? rows[1] : rows[2], elements of 1, 2, 4 or 8 bytes, rows[0] a BOOL. */
struct mote_select {
  struct mote_loops loops;
  uint32_t bytes;
};

/* LOGICAL_NOT: out = !in. alias: out may be rows[0]. */
struct mote_not {
  uint32_t n;
};

#endif
