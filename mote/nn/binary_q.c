/* binary_q: operators on two quantised values, with broadcasting; and sums of many.
 *
 * One shape for all: `step` loops call an inner run for each turn; a run reads both values, works in int32, and
 * stores. Each operator is a kernel of its own, so that a program holds the code of those that it uses. */
#include "mote/nn/walk.h"

static inline int32_t wrap_sub(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)b);
}
static inline int32_t wrap_mul(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a * (uint32_t)b);
}

/* Both values above their zero points. */
struct pair {
  int32_t a, b;
};
static inline struct pair read_pair(const struct mote_binary_q *p, const uint8_t *a,
                                    const uint8_t *b) {
  const int32_t x = p->bytes == 1 ? (int8_t)*a : *(const int16_t *)(const void *)a;
  const int32_t y = p->b_bytes == 1 ? (int8_t)*b : *(const int16_t *)(const void *)b;
  return (struct pair){x - p->zp[0], y - p->zp[1]};
}

/* Both values on their common scale. |x| <= 2^16 and left_shift <= 20 stay below 2^31 for int8; int16's zero points
 * are 0 and its left shift 15. */
static inline struct pair scale_pair(const struct mote_binary_q *p, struct pair d) {
  const int32_t a = (int32_t)((uint32_t)d.a << p->left_shift),
                b = (int32_t)((uint32_t)d.b << p->left_shift);
  return (struct pair){mote_requantise(a, p->multiplier[0], p->shift[0]),
                       mote_requantise(b, p->multiplier[1], p->shift[1])};
}

static inline int32_t finish(const struct mote_binary_q *p, int32_t x) {
  const int32_t q = mote_requantise(x, p->out_multiplier, p->out_shift);
  return mote_clamp(mote_wrap_add(q, p->out_zp), p->low, p->high);
}

static int32_t sum(const struct mote_binary_q *p, struct pair d) {
  const struct pair e = scale_pair(p, d);
  return finish(p, p->negative ? wrap_sub(e.a, e.b) : mote_wrap_add(e.a, e.b));
}

static int32_t product(const struct mote_binary_q *p, struct pair d) {
  return finish(p, wrap_mul(d.a, d.b));
}

static int32_t squared_difference(const struct mote_binary_q *p, struct pair d) {
  const struct pair e = scale_pair(p, d);
  const int32_t difference = wrap_sub(e.a, e.b);
  return finish(p, wrap_mul(difference, difference));
}

static int32_t prelu(const struct mote_binary_q *p, struct pair d) {
  if (d.a < 0) return finish(p, wrap_mul(d.a, d.b));
  const int32_t q = mote_requantise(d.a, p->multiplier[0], p->shift[0]);
  return mote_clamp(mote_wrap_add(q, p->out_zp), p->low, p->high);
}

static int leading_zeros(uint32_t x) {
  int n = 0;
  for (uint32_t bit = (uint32_t)1 << 31; bit != 0 && (x & bit) == 0; bit >>= 1) n++;
  return n;
}

/* a / b as a * (1 / b): b is normalised to [1, 2), a shifted to use all bits. range: |a|, |b| <= 255. */
static int32_t quotient(const struct mote_binary_q *p, struct pair d) {
  int32_t a = d.a, b = d.b;
  if (b == 0) return a == 0 ? mote_clamp(p->out_zp, p->low, p->high) : a < 0 ? p->low : p->high;
  if (b < 0) {
    a = -a;
    b = -b;
  }
  const int zeros = leading_zeros((uint32_t)b); /* 1..31 */
  const int32_t fraction = (int32_t)(((uint32_t)b << zeros) - ((uint32_t)1 << 31));
  const int32_t inverse = mote_fixed_reciprocal(fraction);
  const int recip_shift = 31 - zeros;
  const int headroom = leading_zeros((uint32_t)(a < 0 ? ~a : a)) - 1; /* sign bits but one */
  const int32_t whole = mote_mul_high((int32_t)((uint32_t)a << headroom), inverse);
  const int shift = p->out_shift - recip_shift - headroom;
  int32_t q = mote_mul_high(whole, p->out_multiplier);
  if (shift > 0)
    q = mote_mul_high((int32_t)((uint32_t)whole << (shift > 30 ? 30 : shift)), p->out_multiplier);
  else
    q = mote_divide_pot(q, shift < -31 ? 31 : -shift);
  return mote_clamp(mote_wrap_add(q, p->out_zp), p->low, p->high);
}

static int32_t compare(const struct mote_binary_q *p, struct pair d) {
  const struct pair e = scale_pair(p, d);
  switch (p->comparison) {
  case MOTE_EQUAL: return e.a == e.b;
  case MOTE_NOT_EQUAL: return e.a != e.b;
  case MOTE_GREATER: return e.a > e.b;
  case MOTE_GREATER_EQUAL: return e.a >= e.b;
  case MOTE_LESS: return e.a < e.b;
  default: return e.a <= e.b;
  }
}

/* All turns of one operator; `value` is inlined. */
static inline void run(const struct mote_binary_q *p, const void *const *rows, void *out,
                       unsigned out_bytes,
                       int32_t (*value)(const struct mote_binary_q *, struct pair)) {
  uint8_t *to = (uint8_t *)out;
  const uint32_t n = p->loops.inner.n;
  const int32_t step_a = p->loops.inner.step[0], step_b = p->loops.inner.step[1];
  struct mote_walk w;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const uint8_t *a = (const uint8_t *)rows[0] + w.offset[0];
    const uint8_t *b = (const uint8_t *)rows[1] + w.offset[1];
    for (uint32_t i = 0; i < n; i++, a += step_a, b += step_b, to += out_bytes) {
      const int32_t q = value(p, read_pair(p, a, b));
      if (out_bytes == 1)
        *to = (uint8_t)q;
      else
        *(int16_t *)(void *)to = (int16_t)q;
    }
  } while (mote_walk_next(&w));
}

static enum mote_status check(const struct mote_binary_q *p, const struct mote_bounds *b,
                              unsigned out_bytes) {
  uint32_t elements;
  if (b->params_bytes < sizeof *p || !mote_loops_check(&p->loops, p, b, 2, &elements))
    return MOTE_ERR_BOUNDS;
  if ((p->bytes != 1 && p->bytes != 2) || (p->b_bytes != 1 && p->b_bytes != 2) ||
      p->comparison >= MOTE_COMPARISON_COUNT || p->left_shift > 20 || p->out_multiplier < 0 ||
      p->out_shift < -31 || p->out_shift > 30 || p->low > p->high)
    return MOTE_ERR_PARAMS;
  for (int i = 0; i < 2; i++)
    if (p->multiplier[i] < 0 || p->shift[i] < -31 || p->shift[i] > 30) return MOTE_ERR_PARAMS;
  if (out_bytes == 1 && (p->low < INT8_MIN || p->high > INT8_MAX)) return MOTE_ERR_PARAMS;
  if (!mote_bounds_operand(b, 0, &p->loops, p, p->bytes) ||
      !mote_bounds_operand(b, 1, &p->loops, p, p->b_bytes) ||
      !mote_bounds_out(b, elements, out_bytes))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* A kernel whose values have the width of its inputs. */
#define KERNEL_Q(stem, value)                                                                      \
  static void stem##_row(const void *params, const void *const *rows, void *state, void *out) {    \
    const struct mote_binary_q *p = (const struct mote_binary_q *)params;                          \
    (void)state;                                                                                   \
    if (p->bytes == 1)                                                                             \
      run(p, rows, out, 1, value);                                                                 \
    else                                                                                           \
      run(p, rows, out, 2, value);                                                                 \
  }                                                                                                \
  const struct mote_kernel mote_kernel_##stem = {NULL, stem##_row, NULL};                          \
  size_t mote_##stem##_state_bytes(const struct mote_binary_q *p) {                                \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }                                                                                                \
  enum mote_status mote_##stem##_check(const struct mote_binary_q *p,                              \
                                       const struct mote_bounds *b) {                              \
    return check(p, b, p->bytes);                                                                  \
  }

KERNEL_Q(sum_q, sum)
KERNEL_Q(product_q, product)
KERNEL_Q(squared_difference_q, squared_difference)
KERNEL_Q(prelu_q, prelu)

/* One width: 8-bit quotients, and the BOOLs of comparisons. */
#define KERNEL_8(stem, value)                                                                      \
  static void stem##_row(const void *params, const void *const *rows, void *state, void *out) {    \
    (void)state;                                                                                   \
    run((const struct mote_binary_q *)params, rows, out, 1, value);                                \
  }                                                                                                \
  const struct mote_kernel mote_kernel_##stem = {NULL, stem##_row, NULL};                          \
  size_t mote_##stem##_state_bytes(const struct mote_binary_q *p) {                                \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }

KERNEL_8(quotient_s8, quotient)
KERNEL_8(compare_q, compare)

enum mote_status mote_quotient_s8_check(const struct mote_binary_q *p,
                                        const struct mote_bounds *b) {
  const enum mote_status status = check(p, b, 1);
  if (status != MOTE_OK) return status;
  if (p->bytes != 1 || p->b_bytes != 1 || !mote_is_int8(p->zp[0]) || !mote_is_int8(p->zp[1]))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
enum mote_status mote_compare_q_check(const struct mote_binary_q *p, const struct mote_bounds *b) {
  return check(p, b, 1);
}

/* ---- sums of many -------------------------------------------------------------- */
static void add_n_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_add_n_s8 *p = (const struct mote_add_n_s8 *)params;
  int8_t *to = (int8_t *)out;
  /* The reference's sum begins with its zero point once more, scaled as an input. */
  const int32_t zero =
      mote_requantise((int32_t)((uint32_t)-p->zp << p->left_shift), p->multiplier, p->shift);
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    int32_t total = zero;
    for (unsigned k = 0; k < p->inputs; k++) {
      const int32_t d = ((const int8_t *)rows[k])[i] - p->zp;
      total = mote_wrap_add(
          total, mote_requantise((int32_t)((uint32_t)d << p->left_shift), p->multiplier, p->shift));
    }
    const int32_t q = mote_requantise(total, p->out_multiplier, p->out_shift);
    to[i] = (int8_t)mote_clamp(mote_wrap_add(q, p->out_zp), p->low, p->high);
  }
}

const struct mote_kernel mote_kernel_add_n_s8 = {NULL, add_n_row, NULL};

size_t mote_add_n_s8_state_bytes(const struct mote_add_n_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_add_n_s8_check(const struct mote_add_n_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 0 || p->out_multiplier < 0 || p->shift < -31 || p->shift > 30 ||
      p->out_shift < -31 || p->out_shift > 30 || p->left_shift > 20 || p->inputs == 0 ||
      !mote_is_int8(p->low) || !mote_is_int8(p->high) || p->low > p->high)
    return MOTE_ERR_PARAMS;
  for (unsigned k = 0; k < p->inputs; k++)
    if (!mote_bounds_row(b, k, p->n, 1)) return MOTE_ERR_BOUNDS;
  return mote_bounds_out(b, p->n, 1) ? MOTE_OK : MOTE_ERR_BOUNDS;
}

static void add_n_f32_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_add_n_f32 *p = (const struct mote_add_n_f32 *)params;
  float *to = (float *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    float total = ((const float *)rows[0])[i];
    for (uint32_t k = 1; k < p->inputs; k++) total += ((const float *)rows[k])[i];
    to[i] = total;
  }
}

const struct mote_kernel mote_kernel_add_n_f32 = {NULL, add_n_f32_row, NULL};

size_t mote_add_n_f32_state_bytes(const struct mote_add_n_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_add_n_f32_check(const struct mote_add_n_f32 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->inputs == 0 || p->inputs > b->n_in) return MOTE_ERR_PARAMS;
  for (uint32_t k = 0; k < p->inputs; k++)
    if (!mote_bounds_row(b, k, p->n, 4)) return MOTE_ERR_BOUNDS;
  return mote_bounds_out(b, p->n, 4) ? MOTE_OK : MOTE_ERR_BOUNDS;
}
