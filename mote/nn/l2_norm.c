/* l2_norm: L2_NORMALIZATION, int8 to int8: each vector times 1 / sqrt of its squares' sum, found by Newton's steps
 * in fixed point. No state. Qm.n: m integer bits, n = 31 - m fraction bits. */
#include "mote/nn/window.h"

static inline int32_t multiply(int32_t a, int32_t b) { return mote_mul_high(a, b); }

/* x * 2^n, saturated. */
static int32_t raised(int32_t x, int n) {
  const int32_t limit = (int32_t)(((uint32_t)1 << (31 - n)) - 1);
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return (int32_t)((uint32_t)x << n);
}

/* 1 / sqrt(sum) = multiplier * 2^(shift - 31). 0 counts as 1.
 * The sum is brought to [2^27, 2^29) by powers of 4 and read as Q3.28 of itself halved; from y = 1, five steps
 * y (3/2 - x/2 y^2); then 1 / sqrt 2 makes up for the halving.
 * source: the reference's GetInvSqrtQuantizedMultiplierExp. */
static void inverse_root(int32_t sum, int32_t *multiplier, int *shift) {
  int right = 11;
  *multiplier = INT32_MAX;
  *shift = 0;
  if (sum <= 1) return;
  for (; sum >= (int32_t)1 << 29; sum /= 4) right++;
  for (; sum < (int32_t)1 << 27; sum *= 4) right--;
  const int32_t x = sum >> 1, half = mote_divide_pot(x, 1), three_halves = (int32_t)3 << 27;
  int32_t y = (int32_t)1 << 28;
  for (int i = 0; i < 5; i++) {
    const int32_t cube = raised(multiply(multiply(y, y), y), 6); /* Q9.22 to Q3.28 */
    const int32_t from = multiply(three_halves, y), less = multiply(half, cube);
    y = raised((int32_t)((uint32_t)from - (uint32_t)less), 3); /* Q6.25 to Q3.28 */
  }
  y = multiply(y, 1518500250); /* sqrt(1/2), Q0.31 */
  if (right < 0) {
    y = (int32_t)((uint32_t)y << -right);
    right = 0;
  }
  *multiplier = y;
  *shift = -right;
}

static void normalise(const struct mote_l2_norm_s8 *p, const int8_t *in, int8_t *out) {
  int32_t sum = 0; /* c <= 33025 squares of at most 255^2 */
  for (uint32_t c = 0; c < p->c; c++) {
    const int32_t x = in[c] - p->in_zp;
    sum += x * x;
  }
  int32_t multiplier;
  int shift;
  inverse_root(sum, &multiplier, &shift);
  for (uint32_t c = 0; c < p->c; c++)
    out[c] =
        (int8_t)mote_clamp(mote_requantise(in[c] - p->in_zp, multiplier, shift + 7), -128, 127);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_l2_norm_s8 *p = (const struct mote_l2_norm_s8 *)params;
  const int8_t *in = (const int8_t *)rows[0];
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t r = 0; r < p->rows; r++, in += p->c, to += p->c) normalise(p, in, to);
}

const struct mote_kernel mote_kernel_l2_norm_s8 = {NULL, row, NULL};

size_t mote_l2_norm_s8_state_bytes(const struct mote_l2_norm_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_l2_norm_s8_check(const struct mote_l2_norm_s8 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_is_int8(p->in_zp) || p->rows == 0 || p->c == 0 || p->c > 33025) return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->rows * p->c;
  return mote_one_row_check(b, n, n, 1, 1);
}
