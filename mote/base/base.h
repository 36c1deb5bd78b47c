/* base: what every room on the device floor shares.
 *
 * Status codes, the fixed-point arithmetic that gives an int8 model its bits, bytes at an offset,
 * functions of real numbers (real.h), and the list of operators (ops.def). Nothing here allocates, prints or keeps state.
 *
 * One arithmetic: the compiler, the trainer, the reference evaluation and every kernel call the functions
 * below, so a bit cannot differ between training and device. An instruction set may have a faster form
 * (mote/isa), proven equal by test. */
#ifndef MOTE_BASE_H
#define MOTE_BASE_H

#include "mote/base/fixed.h"
#include "mote/base/real.h"
#include "mote/base/signal.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Programmer errors trap in test builds and cost nothing on a device. It never needs libc. */
#if defined(MOTE_CHECKED) && MOTE_CHECKED
#define MOTE_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define MOTE_ASSERT(condition) ((void)0)
#endif

/* X(name, value, text): only open, parse and init return these; kernels cannot fail. */
#define MOTE_STATUS_LIST(X)                                                                        \
  X(OK, 0, "ok")                                                                                   \
  X(ERR_TRUNCATED, -1, "the bytes end before the structure does")                                  \
  X(ERR_MAGIC, -2, "not a .mote file")                                                             \
  X(ERR_VERSION, -3, "made for another version of the format")                                     \
  X(ERR_CHECKSUM, -5, "the checksum does not match the bytes")                                     \
  X(ERR_BOUNDS, -6, "an offset or size points outside its block")                                  \
  X(ERR_OPERATOR, -7, "an operator that this build does not contain")                              \
  X(ERR_PARAMS, -8, "operator parameters out of range")                                            \
  X(ERR_ARENA, -9, "the arena is too small or not aligned")                                        \
  X(ERR_ALIGN, -10, "the bytes are not aligned to 8")

enum mote_status {
#define X(name, value, text) MOTE_##name = value,
  MOTE_STATUS_LIST(X)
#undef X
};

/* The English text of a status; never NULL. */
const char *mote_status_text(enum mote_status status);

/* Operators: MOTE_OP_<NAME>, in the order of ops.def. */
enum mote_op {
#define OP(name, tflite_code, text) MOTE_OP_##name,
#include "mote/base/ops.def"
#undef OP
  MOTE_OP_COUNT
};

/* The field's name of an operator ("CONV_2D"); "?" when out of range. */
const char *mote_op_name(int op);

/* Types of tensor elements. bytes: 1 1 2 4 4 1 8 4 8. A BOOL is 0 or 1. */
enum mote_type {
  MOTE_INT8,
  MOTE_UINT8,
  MOTE_INT16,
  MOTE_INT32,
  MOTE_FLOAT32,
  MOTE_BOOL,
  MOTE_INT64,
  MOTE_UINT32,
  MOTE_UINT64,
  MOTE_TYPE_COUNT
};
size_t mote_type_bytes(int type);
/* "int8"; "?" when out of range. */
const char *mote_type_name(int type);

/* ---- requantisation --------------------------------------------------------
 * An int32 sum of products becomes an int8 output by multiplying with a real number s in (0, 1) or so,
 * written as s = multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0, shift in [-31, 30].
 * source: TensorFlow Lite's 8-bit quantisation specification with double rounding, as its reference
 * kernels compute it. */

/* round(a * b / 2^31), halves towards +infinity; saturates the one overflow (a = b = INT32_MIN).
 * exact: the reference's nudge and truncating division equal floor((a*b + 2^30) / 2^31). */
static inline int32_t mote_mul_high(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  /* |a*b| <= 2^62, plus 2^30: fits int64. */
  return (int32_t)(((int64_t)a * b + ((int32_t)1 << 30)) >> 31);
}

/* round(x / 2^exponent), halves away from zero. range: exponent in [0, 31]. */
static inline int32_t mote_divide_pot(int32_t x, int exponent) {
  const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1);
  const int32_t remainder = x & mask;
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/* x * 2^(shift-31) * multiplier, rounded twice. The left shift wraps as the reference's does on the
 * machines that it runs on. range: shift in [-31, 30]. */
static inline int32_t mote_requantise(int32_t x, int32_t multiplier, int shift) {
  const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  return mote_divide_pot(mote_mul_high((int32_t)((uint32_t)x << left), multiplier), right);
}

/* The multiplier and shift of a real number. Hosted rooms and tests only need it, but it stands here
 * because it decides bits. real: >= 0 and finite, given as the IEEE bits of a double so that no floating
 * point is needed here. source: the reference's QuantizeMultiplier: mantissa rounded to 31 bits, halves up,
 * flushed to zero below 2^-31 (shift < -31), saturated above shift 30. */
void mote_quantise_multiplier(uint64_t double_bits, int32_t *multiplier, int *shift);

/* Folds a division by count into a multiplier, as the reference's MEAN does: multiplier * 2^k / count,
 * truncated, and shift - k, k = min(floor(log2 count), 32, 31 + shift). needs: count >= 1,
 * multiplier >= 0, shift in [-31, 30]; leaves them in that range. */
void mote_fold_count(uint32_t count, int32_t *multiplier, int *shift);

static inline int32_t mote_clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* ---- bytes -----------------------------------------------------------------
 * MOTE_ROM stands at a pointer to a plan or its constants: nothing where loads reach the flash, the compiler's word
 * for it where they do not (-DMOTE_ROM=__flash, AVR). There the executor copies a call's parameters, at most
 * MOTE_PARAMS_MOST bytes without their constants, to memory, and in front of them where they came from. */
#ifdef MOTE_ROM
#define MOTE_ROM_APART   1
#define MOTE_PARAMS_MOST 64
#ifdef __cplusplus /* the word is C's alone; to C++ a plan is an address that it hands on */
#undef MOTE_ROM
#define MOTE_ROM
#endif
#else
#define MOTE_ROM
#define MOTE_ROM_APART 0
#endif

/* Constants of a plan are found relative to the structure that names them: position independent, so the
 * same bytes work from flash, from a mapped file and as a C object. needs: offset set by the compiler; base is the
 * beginning of the parameters. */
static inline const void MOTE_ROM *mote_at(const void *base, int32_t offset) {
#if MOTE_ROM_APART
  return ((const uint8_t MOTE_ROM *const *)base)[-1] + offset;
#else
  return (const uint8_t *)base + offset;
#endif
}

/* ---- output of an accumulating operator ------------------------------------
 * The int32 sum of channel c becomes int8:
 *   q = clamp(zp + mote_requantise(bias[c] + sum, multiplier[c], shift[c]), low, high).
 * The sum is that of w * (x - in_zp): kernels take the zero point from the activations as they widen them,
 * so biases are the model's own and small, and padding counts as nothing.
 *
 * Flash is counted, so a channel has one word: bit 31..2 = multiplier bits 29..0 (bit 30 of a multiplier is
 * always 1, bit 31 always 0), bit 1..0 = shift_base - shift[c]. A layer is packed only where the short way
 * of requantising is exact, see mote_pack_requant (mote/nn); else `wide` is 1 and each channel takes two int32:
 * multiplier (>= 0), shift (-31..30).
 * Biases: `bias_bytes` 2 (int16) where all of the layer's fit, else 4 (int32).
 * folded (not where wide): behind the words stand int32[channels], bias - in_zp * sum of the channel's weights. It says
 * nothing new and spares the work of adding weights up; a kernel may leave it alone. */
struct mote_output {
  int32_t requant_at; /* uint32[channels], or int32[channels][2] when wide */
  int32_t bias_at;    /* int16 or int32 [channels]; 0: no bias */
  int8_t zp;          /* output zero point */
  int8_t low, high;   /* fused activation, low <= high */
  int8_t in_zp;       /* input zero point */
  int8_t shift_base;  /* largest shift of the layer; 0 when wide */
  uint8_t wide : 1;
  uint8_t
      bounded : 1; /* a fact (mote_is_bounded in mote/nn): there are fewer steps of rounding then */
  uint8_t bias_bytes;
  uint8_t
      folded; /* 1: the sums of weights are known, for kernels that take activations as they are */
};

#include "mote/base/window.h"
#include "mote/base/block.h"

/* CRC-32 (IEEE 802.3, reflected, polynomial 0xEDB88320), continued from crc; start with 0. */
uint32_t mote_crc32(uint32_t crc, const void *bytes, size_t n);

/* n bytes of 0 to 255 as -128 to 127: a picture as an int8 input takes it. alias: to may be from. */
void mote_bytes_signed(const uint8_t *from, size_t n, int8_t *to);

#ifdef __cplusplus
}
#endif

#endif
