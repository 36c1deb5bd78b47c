/* Element-wise kernels against their formulas in plain numbers, with broadcasting over random shapes, in place, and
 * with hostile params. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "mote/base/fixed.h"
#include "test/kernel_case.h"

/* Doubling high product and rounding shift as the definition has them. */
static int32_t reference_requantise(int32_t x, int32_t multiplier, int shift) {
  const int32_t shifted = (int32_t)((uint32_t)x << (shift > 0 ? shift : 0));
  const int64_t product = (int64_t)shifted * multiplier;
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  int64_t high = (product + nudge) / ((int64_t)1 << 31);
  if (shift < 0) {
    const int64_t half = (int64_t)1 << (-shift - 1), size = high < 0 ? -high : high;
    high = high < 0 ? -((size + half) >> -shift) : (size + half) >> -shift;
  }
  return (int32_t)high;
}
static int32_t clamp(int64_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : (int32_t)x;
}

/* ---- broadcasting --------------------------------------------------------------- */
/* Up to three operands of rank 1..5 whose sizes are the output's or 1. */
struct spread {
  int rank, dims[6], n; /* of the output */
  int has[3][6];        /* operand k has axis i; else it is 1 there */
  int count[3];         /* elements of operand k */
};

static struct spread spread_make(struct kernel_case *c, int operands) {
  struct spread s = {.rank = kc_range(c, 1, 5), .n = 1};
  for (int k = 0; k < 3; k++) s.count[k] = 1;
  for (int i = 0; i < s.rank; i++) {
    s.dims[i] = kc_range(c, 1, 4);
    s.n *= s.dims[i];
    for (int k = 0; k < operands; k++) {
      s.has[k][i] = kc_range(c, 0, 2) > 0;
      if (s.has[k][i]) s.count[k] *= s.dims[i];
    }
  }
  return s;
}
static int spread_at(const struct spread *s, int k, int e) {
  int at = 0, size = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    const int index = e % s->dims[i];
    e /= s->dims[i];
    if (!s->has[k][i]) continue;
    at += index * size;
    size *= s->dims[i];
  }
  return at;
}
/* The loops, with their table behind the params, which begin with them. */
static void spread_loops(struct kernel_case *c, const struct spread *s, const int size[3],
                         int operands) {
  struct mote_axis axes[6] = {{0}};
  for (int k = 0; k < operands; k++) {
    int step = size[k];
    for (int i = s->rank - 1; i >= 0; i--) {
      axes[i].n = (uint32_t)s->dims[i];
      axes[i].step[k] = s->has[k][i] ? step : 0;
      if (s->has[k][i]) step *= s->dims[i];
    }
  }
  const uint32_t outer = (uint32_t)s->rank - 1;
  const int32_t at = kc_params(c, axes, outer * sizeof *axes);
  struct mote_loops *l = (struct mote_loops *)(void *)c->params;
  l->inner = axes[outer];
  l->axes = outer;
  l->axes_at = at;
}

static int32_t element(const void *row, int bytes, int i) {
  return bytes == 1 ? ((const int8_t *)row)[i] : ((const int16_t *)row)[i];
}

static int32_t reference_q(enum mote_kernel_number kernel, const struct mote_binary_q *p, int32_t a,
                           int32_t b) {
  const int32_t d[2] = {a - p->zp[0], b - p->zp[1]};
  int32_t e[2];
  for (int i = 0; i < 2; i++)
    e[i] = reference_requantise(d[i] * (1 << p->left_shift), p->multiplier[i], p->shift[i]);
  int32_t x = d[0] * d[1];
  if (kernel == MOTE_KERNEL_sum_q) x = p->negative ? e[0] - e[1] : e[0] + e[1];
  if (kernel == MOTE_KERNEL_squared_difference_q) x = (e[0] - e[1]) * (e[0] - e[1]);
  if (kernel == MOTE_KERNEL_compare_q) {
    const int truth[] = {e[0] == e[1], e[0] != e[1], e[0] > e[1],
                         e[0] >= e[1], e[0] < e[1],  e[0] <= e[1]};
    return truth[p->comparison];
  }
  int64_t q = reference_requantise(x, p->out_multiplier, p->out_shift);
  if (kernel == MOTE_KERNEL_prelu_q && d[0] >= 0)
    q = reference_requantise(d[0], p->multiplier[0], p->shift[0]);
  return clamp(q + p->out_zp, p->low, p->high);
}

static void test_binary_q(void **state) {
  static const enum mote_kernel_number kernels[] = {MOTE_KERNEL_sum_q, MOTE_KERNEL_product_q,
                                                    MOTE_KERNEL_squared_difference_q,
                                                    MOTE_KERNEL_prelu_q, MOTE_KERNEL_compare_q};
  (void)state;
  for (uint32_t n = 0; n < 1000; n++) {
    struct kernel_case c;
    struct mote_binary_q p = {0};
    kc_begin(&c, kernels[n % 5], n);
    const bool wide = kc_range(&c, 0, 1) && c.kernel != MOTE_KERNEL_compare_q;
    p.bytes = wide ? 2 : 1;
    p.b_bytes = wide && c.kernel != MOTE_KERNEL_prelu_q ? 2 : 1;
    p.left_shift = (uint8_t)(wide ? c.kernel == MOTE_KERNEL_sum_q ? 15 : 0 : kc_range(&c, 0, 7));
    for (int i = 0; i < 2; i++) {
      p.multiplier[i] = (1 << 30) + kc_range(&c, 0, 1 << 22);
      p.shift[i] = (int8_t)-kc_range(&c, 0, 4);
      p.zp[i] = (int16_t)(wide ? 0 : kc_range(&c, -128, 127));
    }
    p.out_multiplier = (1 << 30) + kc_range(&c, 0, 1 << 22);
    p.out_shift = (int8_t)-kc_range(&c, 2, 14);
    p.out_zp = (int16_t)(wide ? 0 : kc_range(&c, -128, 127));
    p.low = wide ? -30000 : -120;
    p.high = wide ? 32767 : 127;
    p.negative = (uint8_t)kc_range(&c, 0, 1);
    p.comparison = (uint8_t)kc_range(&c, 0, 5);
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 2);
    spread_loops(&c, &s, (const int[3]){p.bytes, p.b_bytes}, 2);
    kc_in(&c, (size_t)(s.count[0] * p.bytes));
    kc_in(&c, (size_t)(s.count[1] * p.b_bytes));
    const int out_bytes = c.kernel == MOTE_KERNEL_compare_q ? 1 : p.bytes;
    kc_out(&c, (size_t)(s.n * out_bytes));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    assert_true(kc_guarded(&c));
    for (int i = 0; i < s.n; i++) {
      const int32_t a = element(c.in[0], p.bytes, spread_at(&s, 0, i));
      const int32_t b = element(c.in[1], p.b_bytes, spread_at(&s, 1, i));
      assert_int_equal(element(c.out, out_bytes, i), reference_q(c.kernel, &p, a, b));
    }
    assert_true(kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

/* The reciprocal of 31 bits is far finer than a step of the output. */
static void test_quotient(void **state) {
  (void)state;
  struct kernel_case c;
  kc_begin(&c, MOTE_KERNEL_quotient_s8, 1);
  struct mote_binary_q p = {.bytes = 1, .b_bytes = 1, .low = -128, .high = 127};
  p.out_multiplier = 1 << 30;
  p.out_shift = 5; /* 16 */
  p.zp[0] = 3;
  p.zp[1] = -7;
  p.out_zp = 5;
  kc_params(&c, &p, sizeof p);
  const struct spread s = {
      .rank = 2, .dims = {256, 256}, .n = 65536, .has = {{1, 0}, {0, 1}}, .count = {256, 256, 1}};
  spread_loops(&c, &s, (const int[3]){1, 1}, 2);
  int8_t *a = kc_in(&c, 256), *b = kc_in(&c, 256);
  for (int i = 0; i < 256; i++) a[i] = b[i] = (int8_t)(i - 128);
  const int8_t *out = (int8_t *)kc_out(&c, 65536);
  assert_int_equal(kc_check(&c), MOTE_OK);
  kc_run(&c);
  for (int i = 0; i < 65536; i++) {
    const int x = a[i / 256] - 3, y = b[i % 256] + 7;
    if (y == 0) {
      assert_int_equal(out[i], x == 0 ? 5 : x < 0 ? -128 : 127);
      continue;
    }
    const double real = 16.0 * x / y + 5, in = real < -128 ? -128 : real > 127 ? 127 : real;
    assert_true(fabs(out[i] - in) < 0.51);
  }
  assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
  kc_end(&c);
}

static float reference_f32(uint32_t op, float a, float b) {
  switch (op) {
  case MOTE_ARITHMETIC_ADD: return a + b;
  case MOTE_ARITHMETIC_SUB: return a - b;
  case MOTE_ARITHMETIC_MUL: return a * b;
  case MOTE_ARITHMETIC_DIV: return a / b;
  case MOTE_ARITHMETIC_SQUARED_DIFFERENCE: return (a - b) * (a - b);
  case MOTE_ARITHMETIC_MAXIMUM: return fmaxf(a, b);
  case MOTE_ARITHMETIC_MINIMUM: return fminf(a, b);
  case MOTE_ARITHMETIC_PRELU: return a < 0 ? a * b : a;
  case MOTE_ARITHMETIC_FLOOR_DIV: return (float)floor((double)a / (double)b);
  default: {
    const float r = fmodf(a, b);
    return r != 0 && (b < 0) != (r < 0) ? r + b : r;
  }
  }
}

static void test_binary_f32(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 500; n++) {
    struct kernel_case c;
    struct mote_binary_f32 p = {.low = -INFINITY, .high = INFINITY};
    p.arithmetic = n % MOTE_ARITHMETIC_POWER;
    kc_begin(&c,
             p.arithmetic < MOTE_ARITHMETIC_FLOOR_DIV ? MOTE_KERNEL_binary_f32
                                                      : MOTE_KERNEL_divide_f32,
             n);
    const bool clamped = n % 3 == 0 && p.arithmetic <= MOTE_ARITHMETIC_DIV;
    if (clamped) p.low = 0, p.high = 6;
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 2);
    spread_loops(&c, &s, (const int[3]){4, 4}, 2);
    for (int k = 0; k < 2; k++) {
      float *x = kc_in(&c, (size_t)s.count[k] * 4);
      for (int i = 0; i < s.count[k]; i++) x[i] = (float)(kc_range(&c, -4000, 4000) | 1) / 64;
    }
    const float *out = (float *)(void *)kc_out(&c, (size_t)s.n * 4);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < s.n; i++) {
      float want = reference_f32(p.arithmetic, ((float *)(void *)c.in[0])[spread_at(&s, 0, i)],
                                 ((float *)(void *)c.in[1])[spread_at(&s, 1, i)]);
      if (clamped) want = want < 0 ? 0 : want > 6 ? 6 : want;
      assert_memory_equal(&out[i], &want, 4);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

static void test_power(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 100; n++) {
    struct kernel_case c;
    const struct mote_binary_f32 p = {.arithmetic = MOTE_ARITHMETIC_POWER};
    kc_begin(&c, MOTE_KERNEL_power_f32, n);
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 2);
    spread_loops(&c, &s, (const int[3]){4, 4}, 2);
    for (int k = 0; k < 2; k++) {
      float *x = kc_in(&c, (size_t)s.count[k] * 4);
      for (int i = 0; i < s.count[k]; i++) x[i] = (float)kc_range(&c, k == 0 ? 1 : -99, 99) / 16;
    }
    const float *out = (float *)(void *)kc_out(&c, (size_t)s.n * 4);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < s.n; i++) {
      const double want = pow((double)((float *)(void *)c.in[0])[spread_at(&s, 0, i)],
                              (double)((float *)(void *)c.in[1])[spread_at(&s, 1, i)]);
      assert_true(fabs((double)out[i] - want) <= 3e-6 * want);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

static int32_t reference_s32(uint32_t op, int32_t a, int32_t b) {
  switch (op) {
  case MOTE_ARITHMETIC_ADD: return (int32_t)((uint32_t)a + (uint32_t)b);
  case MOTE_ARITHMETIC_SUB: return (int32_t)((uint32_t)a - (uint32_t)b);
  case MOTE_ARITHMETIC_MUL: return (int32_t)((uint32_t)a * (uint32_t)b);
  case MOTE_ARITHMETIC_DIV: return b == 0 ? 0 : (int32_t)((int64_t)a / b);
  case MOTE_ARITHMETIC_SQUARED_DIFFERENCE:
    return (int32_t)(((uint32_t)a - (uint32_t)b) * ((uint32_t)a - (uint32_t)b));
  case MOTE_ARITHMETIC_MAXIMUM: return a > b ? a : b;
  default: return a < b ? a : b;
  }
}

static void test_binary_s32(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 300; n++) {
    struct kernel_case c;
    struct mote_binary_s32 p = {.low = INT32_MIN, .high = INT32_MAX};
    p.arithmetic = n % MOTE_ARITHMETIC_PRELU;
    kc_begin(&c, MOTE_KERNEL_binary_s32, n);
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 2);
    spread_loops(&c, &s, (const int[3]){4, 4}, 2);
    int32_t *a = kc_in(&c, (size_t)s.count[0] * 4), *b = kc_in(&c, (size_t)s.count[1] * 4);
    if (n % 5 == 0) b[0] = 0;
    if (n % 7 == 0) a[0] = INT32_MIN, b[0] = -1;
    const int32_t *out = (int32_t *)(void *)kc_out(&c, (size_t)s.n * 4);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < s.n; i++)
      assert_int_equal(out[i],
                       reference_s32(p.arithmetic, a[spread_at(&s, 0, i)], b[spread_at(&s, 1, i)]));
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

/* ---- comparisons, extremes, logic, choice ------------------------------------------ */
static double number(const uint8_t *row, int type, int i) {
  float f;
  int32_t w;
  int64_t l;
  switch (type) {
  case MOTE_INT8: return ((const int8_t *)row)[i];
  case MOTE_INT16: return (int16_t)(row[2 * i] | row[2 * i + 1] << 8);
  case MOTE_INT32: return memcpy(&w, row + 4 * i, 4), w;
  case MOTE_FLOAT32: return memcpy(&f, row + 4 * i, 4), (double)f;
  case MOTE_INT64: return memcpy(&l, row + 8 * i, 8), (double)l;
  default: return row[i];
  }
}

static void fill_numbers(struct kernel_case *c, uint8_t *row, int type, int n) {
  for (int i = 0; i < n; i++) {
    const int32_t v =
        kc_range(c, type == MOTE_BOOL || type == MOTE_UINT8 ? 0 : -3, type == MOTE_BOOL ? 1 : 3);
    const float f = i % 5 == 4 ? NAN : (float)v;
    const int64_t l = v;
    const int16_t h = (int16_t)v;
    if (type == MOTE_INT64)
      memcpy(row + 8 * i, &l, 8);
    else if (type == MOTE_FLOAT32)
      memcpy(row + 4 * i, &f, 4);
    else if (type == MOTE_INT32)
      memcpy(row + 4 * i, &v, 4);
    else if (type == MOTE_INT16)
      memcpy(row + 2 * i, &h, 2);
    else
      row[i] = (uint8_t)v;
  }
}

static void test_plain(void **state) {
  static const int types[] = {MOTE_BOOL,  MOTE_INT8,    MOTE_UINT8, MOTE_INT16,
                              MOTE_INT32, MOTE_FLOAT32, MOTE_INT64};
  (void)state;
  for (uint32_t n = 0; n < 900; n++) {
    struct kernel_case c;
    struct mote_binary p = {.type = (uint16_t)types[n / 3 % 7]};
    kc_begin(&c,
             n % 3 == 0   ? MOTE_KERNEL_comparison
             : n % 3 == 1 ? MOTE_KERNEL_extreme
                          : MOTE_KERNEL_logic,
             n);
    if (n % 3 == 1 && p.type == MOTE_FLOAT32) p.type = MOTE_INT8;
    if (n % 3 == 2) p.type = MOTE_BOOL;
    p.function =
        (uint16_t)(n % 3 == 0   ? kc_range(&c, 0, 5)
                   : n % 3 == 1 ? kc_range(&c, MOTE_ARITHMETIC_MAXIMUM, MOTE_ARITHMETIC_MINIMUM)
                                : kc_range(&c, 0, 1));
    const int size = (int)mote_type_bytes(p.type), out_type = n % 3 == 1 ? p.type : MOTE_BOOL;
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 2);
    spread_loops(&c, &s, (const int[3]){size, size}, 2);
    for (int k = 0; k < 2; k++)
      fill_numbers(&c, kc_in(&c, (size_t)(s.count[k] * size)), p.type, s.count[k]);
    kc_out(&c, (size_t)s.n * mote_type_bytes(out_type));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < s.n; i++) {
      const double a = number(c.in[0], p.type, spread_at(&s, 0, i)),
                   b = number(c.in[1], p.type, spread_at(&s, 1, i));
      const int truth[] = {a == b, a != b, a > b, a >= b, a < b, a <= b};
      const double want = n % 3 == 0   ? truth[p.function]
                          : n % 3 == 2 ? (p.function ? a != 0 || b != 0 : a != 0 && b != 0)
                          : p.function == MOTE_ARITHMETIC_MAXIMUM ? fmax(a, b)
                                                                  : fmin(a, b);
      assert_true(number(c.out, out_type, i) == want);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

static void test_select(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 300; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_select, n);
    const int size = 1 << n % 4;
    struct mote_select p = {.bytes = (uint32_t)size};
    kc_params(&c, &p, sizeof p);
    const struct spread s = spread_make(&c, 3);
    spread_loops(&c, &s, (const int[3]){1, size, size}, 3);
    fill_numbers(&c, kc_in(&c, (size_t)s.count[0]), MOTE_BOOL, s.count[0]);
    kc_in(&c, (size_t)(s.count[1] * size));
    kc_in(&c, (size_t)(s.count[2] * size));
    kc_out(&c, (size_t)(s.n * size));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < s.n; i++) {
      const int k = c.in[0][spread_at(&s, 0, i)] ? 1 : 2;
      assert_memory_equal(c.out + i * size, c.in[k] + spread_at(&s, k, i) * size, (size_t)size);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

/* ---- one input ---------------------------------------------------------------------- */
static void test_lut(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 40; n++) {
    struct kernel_case c;
    struct mote_lut_8 p = {.n = n};
    uint8_t table[256];
    kc_begin(&c, MOTE_KERNEL_lut_8, n);
    for (int i = 0; i < 256; i++) table[i] = (uint8_t)kc_next(&c);
    kc_params(&c, &p, sizeof p);
    const int32_t at = kc_params(&c, table, 256);
    ((struct mote_lut_8 *)(void *)c.params)->table_at = at;
    kc_in(&c, n);
    kc_out(&c, n);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(c.out[i], table[c.in[0][i]]);
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    /* In place. */
    uint8_t before[40];
    memcpy(before, c.in[0], n);
    kc_kernel(c.kernel)->row(c.params, c.rows, NULL, c.in[0]);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(c.in[0][i], table[before[i]]);
    kc_end(&c);
  }
}

static void test_rescale(void **state) {
  static const uint8_t types[] = {MOTE_INT8, MOTE_UINT8, MOTE_INT16, MOTE_INT32};
  static const int32_t low[] = {-128, 0, -32768, INT32_MIN}, high[] = {127, 255, 32767, INT32_MAX};
  (void)state;
  for (uint32_t n = 0; n < 320; n++) {
    struct kernel_case c;
    const int from = n % 4, to = n / 4 % 4, count = 20;
    kc_begin(&c, MOTE_KERNEL_rescale, n);
    struct mote_rescale p = {.n = 20, .in_type = types[from], .out_type = types[to]};
    p.multiplier = (1 << 30) + kc_range(&c, 0, 1 << 22);
    p.shift = (int8_t)kc_range(&c, -9, 1);
    p.in_zp = from < 2 ? kc_range(&c, low[from], high[from]) : 0;
    p.out_zp = to < 2 ? kc_range(&c, low[to], high[to]) : 0;
    p.low = low[to];
    p.high = high[to];
    p.absolute = (uint8_t)kc_range(&c, 0, 1);
    kc_params(&c, &p, sizeof p);
    uint8_t *in = kc_in(&c, (size_t)count * mote_type_bytes(p.in_type));
    if (p.in_type == MOTE_INT32)
      for (int i = 0; i < count; i++) ((int32_t *)(void *)in)[i] = kc_range(&c, -1000000, 1000000);
    kc_out(&c, (size_t)count * mote_type_bytes(p.out_type));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < count; i++) {
      int32_t x = (int32_t)number(in, p.in_type, i) - p.in_zp;
      if (p.absolute && x < 0) x = -x;
      const int64_t q = (int64_t)reference_requantise(x, p.multiplier, p.shift) + p.out_zp;
      assert_int_equal((int32_t)number(c.out, p.out_type, i), clamp(q, p.low, p.high));
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

static void test_quantise(void **state) {
  static const float x[] = {0,     0.5f,   -0.5f,  1.5f, 2.5f,      -2.5f,    0.49999997f,
                            1e30f, -1e30f, 126.5f, NAN,  -INFINITY, INFINITY, 8388609.0f};
  const int count = sizeof x / sizeof *x;
  (void)state;
  struct kernel_case c;
  kc_begin(&c, MOTE_KERNEL_quantise_f32, 1);
  const struct mote_quantise_f32 p = {.n = (uint32_t)count,
                                      .scale = 0.5f,
                                      .zp = -3,
                                      .low = -128,
                                      .high = 127,
                                      .out_type = MOTE_INT8};
  kc_params(&c, &p, sizeof p);
  memcpy(kc_in(&c, sizeof x), x, sizeof x);
  kc_out(&c, (size_t)count);
  assert_int_equal(kc_check(&c), MOTE_OK);
  kc_run(&c);
  for (int i = 0; i < count; i++) {
    const double real = isnan(x[i]) ? -3 : round((double)x[i] / 0.5) - 3;
    assert_int_equal((int8_t)c.out[i], (int)(real < -128 ? -128 : real > 127 ? 127 : real));
  }
  assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
  kc_end(&c);

  kc_begin(&c, MOTE_KERNEL_dequantise_f32, 2);
  const struct mote_dequantise_f32 d = {.n = 100, .scale = 0.0123f, .zp = 7, .in_type = MOTE_INT16};
  kc_params(&c, &d, sizeof d);
  kc_in(&c, 200);
  kc_out(&c, 400);
  assert_int_equal(kc_check(&c), MOTE_OK);
  kc_run(&c);
  for (int i = 0; i < 100; i++) {
    const float want = (float)((double)0.0123f * (number(c.in[0], MOTE_INT16, i) - 7));
    assert_memory_equal(c.out + 4 * i, &want, 4);
  }
  assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
  kc_end(&c);
}

/* Every pair of types; integers that fit both sides keep their value, the rest wraps or saturates as stated. */
static void test_cast(void **state) {
  (void)state;
  for (int from = 0; from <= MOTE_UINT32; from++)
    for (int to = 0; to <= MOTE_UINT32; to++) {
      struct kernel_case c;
      kc_begin(&c, MOTE_KERNEL_cast, (uint32_t)(from * 16 + to));
      const struct mote_cast p = {12, (uint16_t)from, (uint16_t)to};
      kc_params(&c, &p, sizeof p);
      uint8_t *in = kc_in(&c, 12 * mote_type_bytes(from));
      if (from == MOTE_UINT32)
        for (int i = 0; i < 12; i++) memcpy(in + 4 * i, &(uint32_t){(uint32_t)i % 4}, 4);
      else
        fill_numbers(&c, in, from, 12);
      kc_out(&c, 12 * mote_type_bytes(to));
      assert_int_equal(kc_check(&c), MOTE_OK);
      kc_run(&c);
      for (int i = 0; i < 12; i++) {
        double x = from == MOTE_UINT32 ? number(in, MOTE_INT32, i) : number(in, from, i);
        double want = to == MOTE_BOOL ? x != 0 : x;
        if (isnan(x) && to != MOTE_FLOAT32 && to != MOTE_BOOL) want = 0;
        if (to == MOTE_UINT8 && x < 0) want = from == MOTE_FLOAT32 ? 0 : 256 + x;
        if (to == MOTE_UINT32 && x < 0) want = from == MOTE_FLOAT32 ? 0 : x;
        const double got = number(c.out, to == MOTE_UINT32 ? MOTE_INT32 : to, i);
        assert_true(got == want || (isnan(got) && isnan(want)));
      }
      assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
      kc_end(&c);
    }
}

static void test_simple_f32(void **state) {
  static const float x[] = {0,     -0.0f, 0.5f,  -0.5f, 1.5f, 2.5f,
                            -2.5f, 3.7f,  -3.7f, 8e8f,  NAN,  5.99f};
  (void)state;
  for (uint32_t f = 0; f < MOTE_SIMPLE_COUNT; f++) {
    struct kernel_case c;
    const struct mote_simple_f32 p = {12, f == MOTE_SIMPLE_LEAKY ? 0.1f : 0, 6, f};
    kc_begin(&c, MOTE_KERNEL_simple_f32, f);
    kc_params(&c, &p, sizeof p);
    memcpy(kc_in(&c, sizeof x), x, sizeof x);
    const float *out = (float *)(void *)kc_out(&c, sizeof x);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < 12; i++) {
      const float v = x[i];
      const float want[] = {fabsf(v),
                            -v,
                            v * v,
                            ceilf(v),
                            floorf(v),
                            rintf(v),
                            v < 0   ? 0
                            : v > 6 ? 6
                                    : v,
                            v > 0 ? v : v * 0.1f,
                            v *
                                (v + 3 < 0   ? 0
                                 : v + 3 > 6 ? 6
                                             : v + 3) /
                                6,
                            (float)((v > 0) - (v < 0))};
      assert_true(out[i] == want[f] || (isnan(out[i]) && isnan(want[f])));
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_math_f32(void **state) {
  static const enum mote_kernel_number kernels[] = {
      MOTE_KERNEL_exp_f32,  MOTE_KERNEL_log_f32,      MOTE_KERNEL_sin_f32,
      MOTE_KERNEL_cos_f32,  MOTE_KERNEL_tanh_f32,     MOTE_KERNEL_logistic_f32,
      MOTE_KERNEL_elu_f32,  MOTE_KERNEL_sqrt_f32,     MOTE_KERNEL_rsqrt_f32,
      MOTE_KERNEL_gelu_f32, MOTE_KERNEL_gelu_tanh_f32};
  (void)state;
  for (uint32_t k = 0; k < 11; k++) {
    struct kernel_case c;
    const struct mote_math_f32 p = {64};
    kc_begin(&c, kernels[k], k);
    kc_params(&c, &p, sizeof p);
    float *x = kc_in(&c, 256);
    for (int i = 0; i < 64; i++)
      x[i] = (float)kc_range(&c, k == 1 || k == 7 || k == 8 ? 1 : -4000, 4000) / 512;
    const float *out = (float *)(void *)kc_out(&c, 256);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < 64; i++) {
      const double v = (double)x[i];
      const double want[] = {exp(v),
                             log(v),
                             sin(v),
                             cos(v),
                             tanh(v),
                             1 / (1 + exp(-v)),
                             v < 0 ? expm1(v) : v,
                             sqrt(v),
                             1 / sqrt(v),
                             v / 2 * erfc(-v * sqrt(0.5)),
                             v / 2 * (1 + tanh(0.79788456080286536 * (v + 0.044715 * v * v * v)))};
      assert_true(fabs((double)out[i] - want[k]) <= 1e-6 * (1 + fabs(want[k])));
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

static void test_add_n(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 60; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_add_n_s8, n);
    struct mote_add_n_s8 p = {.n = 30, .low = -128, .high = 127, .left_shift = 20};
    p.multiplier = 1 << 30;
    p.out_multiplier = (1 << 30) + kc_range(&c, 0, 1 << 24);
    p.out_shift = -19;
    p.zp = (int16_t)kc_range(&c, -128, 127);
    p.out_zp = (int16_t)kc_range(&c, -128, 127);
    p.inputs = (uint8_t)kc_range(&c, 2, 6);
    kc_params(&c, &p, sizeof p);
    for (int k = 0; k < p.inputs; k++) kc_in(&c, 30);
    kc_out(&c, 30);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < 30; i++) {
      int32_t sum = reference_requantise(-p.zp * (1 << 20), p.multiplier, 0);
      for (int k = 0; k < p.inputs; k++)
        sum += reference_requantise(((int8_t)c.in[k][i] - p.zp) * (1 << 20), p.multiplier, 0);
      const int64_t q = reference_requantise(sum, p.out_multiplier, p.out_shift) + p.out_zp;
      assert_int_equal((int8_t)c.out[i], clamp(q, -128, 127));
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 40) >= 0);
    kc_end(&c);
  }
}

/* Fixed point against real numbers: the expansion of exp leaves an error below 1e-6. */
static void test_fixed(void **state) {
  (void)state;
  for (int i = -2000; i <= 2000; i++) {
    const int32_t a = (int32_t)((int64_t)i * ((int64_t)1 << 31) / 2001);
    const double real = (double)a / (1 << 27);
    assert_true(fabs(mote_fixed_logistic(a) / 2147483648.0 - 1 / (1 + exp(-real))) < 1e-7);
    assert_true(fabs(mote_fixed_tanh(a) / 2147483648.0 - tanh(real)) < 1e-6);
    if (a < 0) assert_true(fabs(mote_fixed_exp(a, 4) / 2147483648.0 - exp(real)) < 1e-6);
    if (a > 0) {
      const double x = (double)a / 2147483648.0;
      assert_true(fabs(mote_fixed_reciprocal(a) / 2147483648.0 - 1 / (1 + x)) < 1e-8);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binary_q),   cmocka_unit_test(test_quotient),
      cmocka_unit_test(test_binary_f32), cmocka_unit_test(test_binary_s32),
      cmocka_unit_test(test_plain),      cmocka_unit_test(test_select),
      cmocka_unit_test(test_lut),        cmocka_unit_test(test_rescale),
      cmocka_unit_test(test_quantise),   cmocka_unit_test(test_cast),
      cmocka_unit_test(test_power),      cmocka_unit_test(test_simple_f32),
      cmocka_unit_test(test_math_f32),   cmocka_unit_test(test_add_n),
      cmocka_unit_test(test_fixed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
