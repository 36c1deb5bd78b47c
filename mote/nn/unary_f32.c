/* unary_f32: functions of one float. Those that need a power series are kernels of their own, so that a program
 * holds the code of those that it uses. */
#include "mote/nn/walk.h"

static float simple(const struct mote_simple_f32 *p, float x) {
  switch (p->function) {
  case MOTE_SIMPLE_ABS: return mote_real_abs(x);
  case MOTE_SIMPLE_NEG: return -x;
  case MOTE_SIMPLE_SQUARE: return x * x;
  case MOTE_SIMPLE_CEIL: return mote_real_ceil(x);
  case MOTE_SIMPLE_FLOOR: return mote_real_floor(x);
  case MOTE_SIMPLE_ROUND: return mote_real_round(x);
  case MOTE_SIMPLE_LEAKY: return x > 0 ? x : x * p->low;
  case MOTE_SIMPLE_HARD_SWISH: return x * mote_real_clamp(x + 3, 0, 6) / 6;
  case MOTE_SIMPLE_SIGN: return (float)((x > 0) - (x < 0));
  default: return mote_real_clamp(x, p->low, p->high);
  }
}

static void simple_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_simple_f32 *p = (const struct mote_simple_f32 *)params;
  const float *in = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) to[i] = simple(p, in[i]);
}

const struct mote_kernel mote_kernel_simple_f32 = {NULL, simple_row, NULL};

size_t mote_simple_f32_state_bytes(const struct mote_simple_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_simple_f32_check(const struct mote_simple_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->function >= MOTE_SIMPLE_COUNT) return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, 4) || !mote_bounds_out(b, p->n, 4)) return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static enum mote_status check(const struct mote_math_f32 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_row(b, 0, p->n, 4) ||
      !mote_bounds_out(b, p->n, 4))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static float elu(float x) { return x < 0 ? mote_real_expm1(x) : x; }

static float gelu(float x) { return 0.5f * x * mote_real_erfc(x * -0x1.6a09e6p-1f); }

/* x (1 + tanh u) / 2 is x logistic(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
static float gelu_tanh(float x) {
  return x * mote_real_logistic(1.5957691f * (x + 0.044715f * x * x * x));
}

#define KERNEL_MATH(stem, function)                                                                \
  static void stem##_row(const void *params, const void *const *rows, void *state, void *out) {    \
    const uint32_t n = ((const struct mote_math_f32 *)params)->n;                                  \
    const float *in = (const float *)rows[0];                                                      \
    float *to = (float *)out;                                                                      \
    (void)state;                                                                                   \
    for (uint32_t i = 0; i < n; i++) to[i] = function(in[i]);                                      \
  }                                                                                                \
  const struct mote_kernel mote_kernel_##stem = {NULL, stem##_row, NULL};                          \
  size_t mote_##stem##_state_bytes(const struct mote_math_f32 *p) {                                \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }                                                                                                \
  enum mote_status mote_##stem##_check(const struct mote_math_f32 *p,                              \
                                       const struct mote_bounds *b) {                              \
    return check(p, b);                                                                            \
  }

KERNEL_MATH(exp_f32, mote_real_exp)
KERNEL_MATH(log_f32, mote_real_log)
KERNEL_MATH(sin_f32, mote_real_sin)
KERNEL_MATH(cos_f32, mote_real_cos)
KERNEL_MATH(tanh_f32, mote_real_tanh)
KERNEL_MATH(logistic_f32, mote_real_logistic)
KERNEL_MATH(elu_f32, elu)
KERNEL_MATH(gelu_f32, gelu)
KERNEL_MATH(gelu_tanh_f32, gelu_tanh)
KERNEL_MATH(sqrt_f32, mote_real_sqrt)
KERNEL_MATH(rsqrt_f32, mote_real_rsqrt)
