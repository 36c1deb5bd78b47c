/* log_softmax: LOG_SOFTMAX in int8. The exponentials are those of SOFTMAX (mote/base/fixed.h); their logarithm is
 * taken in 32-bit fixed point. x = 2^n r with r around sqrt(sqrt(1/2)), found in two ways of which the better wins;
 * log r is a quotient of two short polynomials.
 *
 * exact: the constants and the order of the steps are the meaning of the 8-bit operator. */
#include "mote/nn/bounds.h"

static inline int32_t subtract(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)b);
}

static int32_t saturate(int64_t x) {
  return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}
/* x * 2^n, saturated. range: n 0..31. */
static int32_t shifted(int32_t x, int n) { return saturate((int64_t)x * ((int64_t)1 << n)); }

static int leading_zeros(int32_t x) { /* x > 0 */
  int n = 0;
  for (uint32_t u = (uint32_t)x; (u & 0x80000000u) == 0; u <<= 1) n++;
  return n;
}

/* log x as Q5.26 of x >= 1 in Q12.19. */
static int32_t log_of(int32_t x) {
  const int32_t log_2 = 1488522236, sqrt_half = 1518500250, fourth_root_half = 1805811301;
  const int32_t alpha_n = 117049297;        /* 11/240 * 2^(1/4) */
  const int32_t alpha_d = 127690142;        /* 1/20 * 2^(1/4) */
  const int32_t alpha_i = 1057819769;       /* 2 / 2^(1/4) - 2^(1/4) */
  const int32_t alpha_f = 638450708;        /* 1/4 * 2^(1/4) */
  const int32_t quarter = (int32_t)1 << 23; /* 1/4 in Q6.25 */

  const int zeros = leading_zeros(x), head = leading_zeros(mote_mul_high(x, sqrt_half)) - 1;
  const int32_t r_a = shifted(mote_mul_high(shifted(x, zeros - 1), sqrt_half), 1);
  const int32_t r_b = shifted(x, head);
  const int32_t power_a = saturate((int64_t)shifted(12 - zeros, 25) + quarter);
  const int32_t power_b = saturate((int64_t)shifted(12 - head, 25) - quarter);
  const int32_t r = r_a < r_b ? r_a : r_b, power = power_a > power_b ? power_a : power_b;

  const int64_t both = (int64_t)r + fourth_root_half;
  const int32_t p = (int32_t)((both + (both >= 0 ? 1 : -1)) / 2);
  const int32_t half_q = subtract(r, fourth_root_half), q = mote_wrap_add(half_q, half_q);
  const int32_t q2 = mote_mul_high(q, q);
  const int32_t top =
      mote_wrap_add(mote_mul_high(q, r), mote_mul_high(mote_mul_high(q, q2), alpha_n));
  const int32_t bottom = mote_wrap_add(
      mote_mul_high(p, mote_wrap_add(mote_wrap_add(alpha_i, q), mote_mul_high(alpha_d, q2))),
      mote_mul_high(alpha_f, q));
  const int32_t log_r =
      mote_mul_high(mote_divide_pot(top, 6), mote_fixed_reciprocal(bottom)); /* Q6.25 */
  return shifted(mote_wrap_add(mote_mul_high(power, log_2), log_r), 1);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_log_softmax_s8 *p = (const struct mote_log_softmax_s8 *)params;
  const int8_t *x = (const int8_t *)rows[0];
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t v = 0; v < p->rows; v++, x += p->c, to += p->c) {
    int32_t most = INT8_MIN, sum = 0; /* sum: Q12.19, at most 4095 */
    for (uint32_t i = 0; i < p->c; i++)
      if (x[i] > most) most = x[i];
    for (uint32_t i = 0; i < p->c; i++) {
      const int32_t d = x[i] - most;
      if (d < p->diff_min) continue;
      const int32_t scaled = mote_requantise(d, p->multiplier, p->left_shift);
      sum = mote_wrap_add(sum, mote_divide_pot(mote_fixed_exp(scaled, 5), 12));
    }
    const int32_t log_sum = log_of(sum);
    const int32_t reach =
        mote_requantise(mote_wrap_add(log_sum, INT32_MIN), p->reverse_multiplier, p->reverse_shift);
    const int32_t least = reach > p->diff_min - 1 ? reach : p->diff_min - 1;
    for (uint32_t i = 0; i < p->c; i++) {
      const int32_t d = x[i] - most;
      int32_t y = INT8_MIN;
      if (d > least) {
        const int32_t scaled = mote_requantise(d, p->multiplier, p->left_shift);
        /* Q5.26 to steps of 1/16; the zero point is 127. */
        y = mote_clamp(mote_divide_pot(subtract(scaled, log_sum), 22) + 127, INT8_MIN, INT8_MAX);
      }
      to[i] = (int8_t)y;
    }
  }
}

const struct mote_kernel mote_kernel_log_softmax_s8 = {NULL, row, NULL};

size_t mote_log_softmax_s8_state_bytes(const struct mote_log_softmax_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_log_softmax_s8_check(const struct mote_log_softmax_s8 *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  /* The largest value counts as 1 in the sum: it is at least 1, and at most 4095. */
  if (p->rows == 0 || p->c == 0 || p->c > 4095 || p->left_shift < 0 || p->left_shift > 31 ||
      p->reverse_shift < -31 || p->reverse_shift > 30 || p->diff_min > 0 || p->multiplier < 0 ||
      p->reverse_multiplier < 0 || p->diff_min == INT32_MIN)
    return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->rows * p->c;
  return b->n_in >= 1 && mote_bounds_present(b, 0, 1) && n <= b->row_bytes[0] && n <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
