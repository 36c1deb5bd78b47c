/* softmax16: SOFTMAX of int16 values, by tables of exp and of 1 / (1 + x) with interpolation. Exponentials wait in
 * the output until their sum is known. No state. */
#include "mote/nn/tables16.h"
#include "mote/nn/window.h"

/* exp of a difference <= 0 from the row's largest, Q0.15. */
static inline int32_t exp_of(const struct mote_softmax_s16 *p, int32_t difference) {
  const uint32_t scaled = (uint32_t)mote_requantise(difference, p->multiplier, (int)p->shift);
  return mote_interpolate(mote_exp_table, mote_clamp((int32_t)(scaled + 32767u), -32768, 32767));
}

static void softmax(const struct mote_softmax_s16 *p, const int16_t *in, int16_t *out) {
  int32_t largest = INT16_MIN;
  for (uint32_t c = 0; c < p->c; c++)
    if (in[c] > largest) largest = in[c];

  uint32_t sum = 0; /* Q16.15: at most 65535 * 32767; the largest alone gives nearly 2^15 */
  for (uint32_t c = 0; c < p->c; c++) {
    const int32_t e = exp_of(p, in[c] - largest);
    out[c] = (int16_t)e;
    sum += (uint32_t)e;
  }

  int zeros = 1;
  while (zeros < 17 && !(sum << zeros >> 31)) zeros++;
  /* sum = (1 + x) 2^(31 - zeros), x in [0, 1) as 16 bits, recentred for the table. */
  const int32_t shifted = (int32_t)(((sum << (zeros - 1)) + (1u << 13)) >> 14);
  const int32_t x = mote_clamp(shifted - ((int32_t)3 << 15), -32768, 32767);
  const int32_t reciprocal = mote_interpolate(mote_reciprocal_table, x);
  const int shift = 31 - zeros; /* 14..30 */
  for (uint32_t c = 0; c < p->c; c++) {
    /* Two numbers below 2^15, and half a unit of at most 2^29. */
    const int32_t y = (out[c] * reciprocal + ((int32_t)1 << (shift - 1))) >> shift;
    out[c] = (int16_t)mote_clamp(y, 0, 32767);
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_softmax_s16 *p = (const struct mote_softmax_s16 *)params;
  const int16_t *in = (const int16_t *)rows[0];
  int16_t *to = (int16_t *)out;
  (void)state;
  for (uint32_t r = 0; r < p->rows; r++, in += p->c, to += p->c) softmax(p, in, to);
}

const struct mote_kernel mote_kernel_softmax_s16 = {NULL, row, NULL};

size_t mote_softmax_s16_state_bytes(const struct mote_softmax_s16 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_softmax_s16_check(const struct mote_softmax_s16 *p,
                                        const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 0 || p->shift < -31 || p->shift > 30 || p->rows == 0 || p->c == 0 ||
      p->c > 65535)
    return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->rows * p->c;
  return mote_one_row_check(b, n, n, 2, 2);
}
