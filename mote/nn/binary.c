/* binary: operators on two plain values (no scales), with broadcasting; and the choice between two. */
#include <string.h>

#include "mote/nn/walk.h"

/* ---- float ------------------------------------------------------------------- */
static float of_f32(const struct mote_binary_f32 *p, float a, float b) {
  switch (p->arithmetic) {
  case MOTE_ARITHMETIC_ADD: return mote_real_clamp(a + b, p->low, p->high);
  case MOTE_ARITHMETIC_SUB: return mote_real_clamp(a - b, p->low, p->high);
  case MOTE_ARITHMETIC_MUL: return mote_real_clamp(a * b, p->low, p->high);
  case MOTE_ARITHMETIC_DIV: return mote_real_clamp(a / b, p->low, p->high);
  case MOTE_ARITHMETIC_SQUARED_DIFFERENCE: return (a - b) * (a - b);
  case MOTE_ARITHMETIC_MAXIMUM: return a > b ? a : b;
  case MOTE_ARITHMETIC_MINIMUM: return a < b ? a : b;
  default: return a >= 0 ? a : a * b;
  }
}

/* floor(a / b) with the quotient of a double: that of two floats may round up to a whole number. */
static float floor_div(float a, float b) {
  const double quotient = (double)a / (double)b;
  const double limit = 9007199254740992.0; /* 2^53: from there on every double is whole */
  if (!(quotient > -limit && quotient < limit) || quotient == 0) return (float)quotient;
  const int64_t whole = (int64_t)quotient; /* towards zero */
  return (float)(whole - (quotient < (double)whole));
}

static float floor_mod(float a, float b) {
  const float rest = mote_real_fmod(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}

static inline void run_f32(const struct mote_binary_f32 *p, const void *const *rows, void *out,
                           float (*value)(const struct mote_binary_f32 *, float, float)) {
  float *to = (float *)out;
  const uint32_t n = p->loops.inner.n;
  const int32_t step_a = p->loops.inner.step[0] / 4, step_b = p->loops.inner.step[1] / 4;
  struct mote_walk w;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const float *a = (const float *)rows[0] + w.offset[0] / 4;
    const float *b = (const float *)rows[1] + w.offset[1] / 4;
    for (uint32_t i = 0; i < n; i++, a += step_a, b += step_b) *to++ = value(p, *a, *b);
  } while (mote_walk_next(&w));
}

static float of_division(const struct mote_binary_f32 *p, float a, float b) {
  return p->arithmetic == MOTE_ARITHMETIC_FLOOR_DIV ? floor_div(a, b) : floor_mod(a, b);
}

static void f32_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  run_f32((const struct mote_binary_f32 *)params, rows, out, of_f32);
}
static void divide_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  run_f32((const struct mote_binary_f32 *)params, rows, out, of_division);
}

const struct mote_kernel mote_kernel_binary_f32 = {NULL, f32_row, NULL};
const struct mote_kernel mote_kernel_divide_f32 = {NULL, divide_row, NULL};

size_t mote_binary_f32_state_bytes(const struct mote_binary_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_divide_f32_state_bytes(const struct mote_binary_f32 *p) {
  (void)p;
  return 0;
}

/* Two operands of one size and an output of another, in loops. */
static enum mote_status check_loops(const struct mote_loops *l, const void *p,
                                    const struct mote_bounds *b, uint32_t size, uint32_t out_size) {
  uint32_t elements;
  if (!mote_loops_check(l, p, b, 2, &elements) || !mote_bounds_operand(b, 0, l, p, size) ||
      !mote_bounds_operand(b, 1, l, p, size) || !mote_bounds_out(b, elements, out_size))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

enum mote_status mote_binary_f32_check(const struct mote_binary_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->arithmetic > MOTE_ARITHMETIC_PRELU) return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, 4, 4);
}
enum mote_status mote_divide_f32_check(const struct mote_binary_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->arithmetic != MOTE_ARITHMETIC_FLOOR_DIV && p->arithmetic != MOTE_ARITHMETIC_FLOOR_MOD)
    return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, 4, 4);
}

/* ---- powers --------------------------------------------------------------------- */
static void power_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_binary_f32 *p = (const struct mote_binary_f32 *)params;
  float *to = (float *)out;
  const int32_t step_a = p->loops.inner.step[0] / 4, step_b = p->loops.inner.step[1] / 4;
  struct mote_walk w;
  (void)state;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const float *a = (const float *)rows[0] + w.offset[0] / 4;
    const float *b = (const float *)rows[1] + w.offset[1] / 4;
    for (uint32_t n = p->loops.inner.n; n != 0; n--, a += step_a, b += step_b)
      *to++ = mote_real_pow(*a, *b);
  } while (mote_walk_next(&w));
}

const struct mote_kernel mote_kernel_power_f32 = {NULL, power_row, NULL};

size_t mote_power_f32_state_bytes(const struct mote_binary_f32 *p) {
  (void)p;
  return 0;
}
enum mote_status mote_power_f32_check(const struct mote_binary_f32 *p,
                                      const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->arithmetic != MOTE_ARITHMETIC_POWER) return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, 4, 4);
}

/* ---- int32 --------------------------------------------------------------------- */
/* Rounded down; the remainder has the divisor's sign. By 0 (the reference fails) 0; by -1 without the overflow. */
static __attribute__((noinline)) int32_t floored(uint32_t arithmetic, int32_t a, int32_t b) {
  const int div = arithmetic == MOTE_ARITHMETIC_FLOOR_DIV;
  if (b == 0 || b == -1) return b != 0 && div ? (int32_t)(0u - (uint32_t)a) : 0;
  const int32_t rest = a % b;
  const int down = rest != 0 && (rest < 0) != (b < 0);
  return div ? a / b - down : down ? rest + b : rest;
}

static int32_t of_s32(const struct mote_binary_s32 *p, int32_t a, int32_t b) {
  const uint32_t x = (uint32_t)a, y = (uint32_t)b;
  int32_t q;
  switch (p->arithmetic) {
  case MOTE_ARITHMETIC_ADD: q = (int32_t)(x + y); break;
  case MOTE_ARITHMETIC_SUB: q = (int32_t)(x - y); break;
  case MOTE_ARITHMETIC_MUL: q = (int32_t)(x * y); break;
  case MOTE_ARITHMETIC_DIV: q = b == 0 ? 0 : b == -1 ? (int32_t)(0u - x) : a / b; break;
  case MOTE_ARITHMETIC_SQUARED_DIFFERENCE: return (int32_t)((x - y) * (x - y));
  case MOTE_ARITHMETIC_MAXIMUM: return a > b ? a : b;
  case MOTE_ARITHMETIC_MINIMUM: return a < b ? a : b;
  default: return floored(p->arithmetic, a, b);
  }
  return mote_clamp(q, p->low, p->high);
}

static void s32_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_binary_s32 *p = (const struct mote_binary_s32 *)params;
  int32_t *to = (int32_t *)out;
  const uint32_t n = p->loops.inner.n;
  const int32_t step_a = p->loops.inner.step[0] / 4, step_b = p->loops.inner.step[1] / 4;
  struct mote_walk w;
  (void)state;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const int32_t *a = (const int32_t *)rows[0] + w.offset[0] / 4;
    const int32_t *b = (const int32_t *)rows[1] + w.offset[1] / 4;
    for (uint32_t i = 0; i < n; i++, a += step_a, b += step_b) *to++ = of_s32(p, *a, *b);
  } while (mote_walk_next(&w));
}

const struct mote_kernel mote_kernel_binary_s32 = {NULL, s32_row, NULL};

size_t mote_binary_s32_state_bytes(const struct mote_binary_s32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_binary_s32_check(const struct mote_binary_s32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->arithmetic == MOTE_ARITHMETIC_PRELU || p->arithmetic > MOTE_ARITHMETIC_FLOOR_MOD)
    return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, 4, 4);
}

/* ---- comparisons, extremes, logic ---------------------------------------------- */
/* -1, 0, 1: a less, equal, greater; 2: no order (a NaN). */
static int order(unsigned type, const uint8_t *a, const uint8_t *b) {
  if (type == MOTE_FLOAT32) {
    const float x = *(const float *)(const void *)a, y = *(const float *)(const void *)b;
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (type == MOTE_INT64) {
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
  }
  const int32_t x = mote_load_int(a, type), y = mote_load_int(b, type);
  return (x > y) - (x < y);
}

static uint8_t holds(unsigned comparison, int order_of) {
  switch (comparison) {
  case MOTE_EQUAL: return order_of == 0;
  case MOTE_NOT_EQUAL: return order_of != 0;
  case MOTE_GREATER: return order_of == 1;
  case MOTE_GREATER_EQUAL: return order_of == 1 || order_of == 0;
  case MOTE_LESS: return order_of == -1;
  default: return order_of <= 0;
  }
}

static void of_comparison(const struct mote_binary *p, const uint8_t *a, const uint8_t *b,
                          uint8_t *to) {
  *to = holds(p->function, order(p->type, a, b));
}
static void of_extreme(const struct mote_binary *p, const uint8_t *a, const uint8_t *b,
                       uint8_t *to) {
  const int wanted = p->function == MOTE_ARITHMETIC_MAXIMUM ? 1 : -1;
  memmove(to, order(p->type, a, b) == wanted ? a : b, mote_type_bytes(p->type));
}
static void of_logic(const struct mote_binary *p, const uint8_t *a, const uint8_t *b, uint8_t *to) {
  *to = p->function ? *a | *b : *a & *b;
}

static inline void
run(const struct mote_binary *p, const void *const *rows, void *out, uint32_t out_size,
    void (*value)(const struct mote_binary *, const uint8_t *, const uint8_t *, uint8_t *)) {
  uint8_t *to = (uint8_t *)out;
  struct mote_walk w;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const uint8_t *a = (const uint8_t *)rows[0] + w.offset[0];
    const uint8_t *b = (const uint8_t *)rows[1] + w.offset[1];
    for (uint32_t i = 0; i < p->loops.inner.n; i++, to += out_size) {
      value(p, a, b, to);
      a += p->loops.inner.step[0];
      b += p->loops.inner.step[1];
    }
  } while (mote_walk_next(&w));
}

#define KERNEL_PLAIN(stem, value, out_size)                                                        \
  static void stem##_row(const void *params, const void *const *rows, void *state, void *out) {    \
    const struct mote_binary *p = (const struct mote_binary *)params;                              \
    (void)state;                                                                                   \
    run(p, rows, out, out_size, value);                                                            \
  }                                                                                                \
  const struct mote_kernel mote_kernel_##stem = {NULL, stem##_row, NULL};                          \
  size_t mote_##stem##_state_bytes(const struct mote_binary *p) {                                  \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }

KERNEL_PLAIN(comparison, of_comparison, 1)
KERNEL_PLAIN(extreme, of_extreme, (uint32_t)mote_type_bytes(p->type))
KERNEL_PLAIN(logic, of_logic, 1)

enum mote_status mote_comparison_check(const struct mote_binary *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->type > MOTE_INT64 || p->function >= MOTE_COMPARISON_COUNT) return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, (uint32_t)mote_type_bytes(p->type), 1);
}
enum mote_status mote_extreme_check(const struct mote_binary *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->type > MOTE_INT64 || p->type == MOTE_FLOAT32 ||
      (p->function != MOTE_ARITHMETIC_MAXIMUM && p->function != MOTE_ARITHMETIC_MINIMUM))
    return MOTE_ERR_PARAMS;
  const uint32_t size = (uint32_t)mote_type_bytes(p->type);
  return check_loops(&p->loops, p, b, size, size);
}
enum mote_status mote_logic_check(const struct mote_binary *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->function > 1) return MOTE_ERR_PARAMS;
  return check_loops(&p->loops, p, b, 1, 1);
}

/* ---- choice ---------------------------------------------------------------------- */
static void select_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_select *p = (const struct mote_select *)params;
  const struct mote_axis *inner = &p->loops.inner;
  uint8_t *to = (uint8_t *)out;
  struct mote_walk w;
  (void)state;
  mote_walk_begin(&w, &p->loops, p);
  do {
    const uint8_t *which = (const uint8_t *)rows[0] + w.offset[0];
    const uint8_t *x = (const uint8_t *)rows[1] + w.offset[1];
    const uint8_t *y = (const uint8_t *)rows[2] + w.offset[2];
    for (uint32_t i = 0; i < inner->n; i++, to += p->bytes) {
      memmove(to, *which ? x : y, p->bytes);
      which += inner->step[0];
      x += inner->step[1];
      y += inner->step[2];
    }
  } while (mote_walk_next(&w));
}

const struct mote_kernel mote_kernel_select = {NULL, select_row, NULL};

size_t mote_select_state_bytes(const struct mote_select *p) {
  (void)p;
  return 0;
}

enum mote_status mote_select_check(const struct mote_select *p, const struct mote_bounds *b) {
  uint32_t elements;
  if (b->params_bytes < sizeof *p || !mote_loops_check(&p->loops, p, b, 3, &elements))
    return MOTE_ERR_BOUNDS;
  if (p->bytes != 1 && p->bytes != 2 && p->bytes != 4 && p->bytes != 8) return MOTE_ERR_PARAMS;
  if (!mote_bounds_operand(b, 0, &p->loops, p, 1) ||
      !mote_bounds_operand(b, 1, &p->loops, p, p->bytes) ||
      !mote_bounds_operand(b, 2, &p->loops, p, p->bytes) || !mote_bounds_out(b, elements, p->bytes))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
