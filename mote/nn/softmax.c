/* softmax: SOFTMAX, int8 to int8, in fixed point.
 *
 * Numbers are written Qm.n: m integer bits, n = 31 - m fraction bits. A difference x - max <= 0 is scaled to
 * Q5.26; exponentials are Q0.31; their sum is Q12.19; its reciprocal is worked out in Q2.29.
 * Additions are unsigned where hostile params could overflow them; honest ones never do.
 *
 * exact: the constants are part of the meaning of the operator: each is the value in its comment rounded
 * to the format beside it. */
#include "mote/isa/isa.h"
#include "mote/nn/window.h"

/* The exponential of value v against the row's largest, or -1 where it is too far below to count. */
static __attribute__((noinline)) int32_t exp_of(const struct mote_softmax_s8 *p, int32_t v,
                                                int32_t largest) {
  const int32_t difference = v - largest; /* -255..0 */
  if (difference < p->diff_min) return -1;
  const int32_t scaled = (int32_t)((uint32_t)difference << p->left_shift);
  return mote_fixed_exp(mote_isa_mul_high(scaled, p->multiplier), 5);
}

/* bits: 8 or 16, of an output. */
static inline void softmax(const struct mote_softmax_s8 *p, const int8_t *in, void *out, int bits) {
  const int32_t low = -((int32_t)1 << (bits - 1));
  int32_t largest = INT8_MIN;
  for (uint32_t c = 0; c < p->c; c++)
    if (in[c] > largest) largest = in[c];

  uint32_t sum = 0; /* Q12.19; each term is at most 2^19, c <= 4095: below 2^31 */
  for (uint32_t c = 0; c < p->c; c++) {
    const int32_t e = exp_of(p, in[c], largest);
    if (e >= 0) sum += (uint32_t)mote_divide_pot(e, 12);
  }

  /* The largest itself gives 2^19, so 1..12 bits are clear above the sum's first. */
  int zeros = 0;
  while (zeros < 31 && !(sum << zeros >> 31)) zeros++;
  const int32_t scale = mote_fixed_reciprocal((int32_t)((sum << zeros) - ((uint32_t)1 << 31)));
  /* The result is Q0.31 / 2^(12 - zeros); `bits` bits of it are the output. Beyond 31 it would be 0 or 1
   * at most: the reference gives no result there. */
  const int exponent = 12 - zeros + 31 - bits;
  for (uint32_t c = 0; c < p->c; c++) {
    const int32_t e = exp_of(p, in[c], largest);
    const int32_t q =
        e < 0 ? 0 : mote_divide_pot(mote_mul_high(scale, e), exponent > 31 ? 31 : exponent);
    mote_put(out, c, mote_clamp(q + low, low, -1 - low), (uint32_t)bits / 8);
  }
}

static inline void each_row(const void *params, const void *const *rows, void *out, int bits) {
  const struct mote_softmax_s8 *p = (const struct mote_softmax_s8 *)params;
  const int8_t *in = (const int8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  const uint32_t bytes = p->c * ((uint32_t)bits / 8);
  for (uint32_t r = 0; r < p->rows; r++, in += p->c, to += bytes) softmax(p, in, to, bits);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  each_row(params, rows, out, 8);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  each_row(params, rows, out, 16);
}

const struct mote_kernel mote_kernel_softmax_s8 = {NULL, row, NULL};
const struct mote_kernel mote_kernel_softmax_s16_of_s8 = {NULL, row_s16, NULL};

size_t mote_softmax_s8_state_bytes(const struct mote_softmax_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_softmax_s8_check(const struct mote_softmax_s8 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 0 || p->diff_min > 0 || p->left_shift < 0 || p->left_shift > 31 ||
      p->rows == 0 || p->c == 0 || p->c > 4095)
    return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->rows * p->c;
  if (!mote_bounds_present(b, 0, 1) || n > b->row_bytes[0] || n > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

size_t mote_softmax_s16_of_s8_state_bytes(const struct mote_softmax_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_softmax_s16_of_s8_check(const struct mote_softmax_s8 *p,
                                              const struct mote_bounds *b) {
  const enum mote_status status = mote_softmax_s8_check(p, b);
  if (status != MOTE_OK) return status;
  const uint64_t n = (uint64_t)p->rows * p->c;
  return b->out_bytes % 2 == 0 && n <= b->out_bytes / 2 ? MOTE_OK : MOTE_ERR_BOUNDS;
}
