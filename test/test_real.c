/* test_real: the functions of real numbers against a double-precision library, over dense sweeps of all floats. */
#include "mote/base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every STRIDE-th bit pattern is tried; a prime, so that all last places occur. 1 tries all. */
#ifndef STRIDE
#define STRIDE 997
#endif

/* Error of y in units of the last place of `truth`; 0 where both are NaN, or both round to the same. */
static double error_ulp(float y, double truth) {
  if (isnan(truth)) return isnan(y) ? 0 : 1e9;
  if (isnan(y)) return 1e9;
  if (y == (float)truth)
    return fabs(truth) > (double)__FLT_MAX__
               ? 0
               : fabs((double)y - truth) /
                     ldexp(1, (int)fmax(ilogb(truth == 0 ? 1 : truth), -126) - 23);
  if (isinf(y)) return fabs(truth) < (double)__FLT_MAX__ * (1 + 0x1p-24) ? 1e9 : 0;
  const int exponent = truth == 0 ? -126 : ilogb(truth);
  return fabs((double)y - truth) / ldexp(1, (exponent < -126 ? -126 : exponent) - 23);
}

static void sweep(const char *name, float (*f)(float), double (*truth)(double), double most) {
  double worst = 0;
  float where = 0;
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
    const float x = mote_real_of((uint32_t)bits), y = f(x);
    const double e = error_ulp(y, truth((double)x));
    if (e > worst) {
      worst = e;
      where = x;
    }
  }
  if (STRIDE != 997) printf("%s: %.4f ulp at %a\n", name, worst, (double)where);
  if (worst > most) fail_msg("%s: %.4f ulp at %a, at most %.3f", name, worst, (double)where, most);
}

static double logistic(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double rsqrt(double x) { return 1 / sqrt(x); }

static void test_accuracy(void **state) {
  (void)state;
  sweep("exp", mote_real_exp, exp, 1.1);
  sweep("expm1", mote_real_expm1, expm1, 1.8);
  sweep("log", mote_real_log, log, 1.0);
  sweep("tanh", mote_real_tanh, tanh, 1.4);
  sweep("logistic", mote_real_logistic, logistic, 2.4);
  sweep("sin", mote_real_sin, sin, 1.6);
  sweep("cos", mote_real_cos, cos, 1.6);
  sweep("rsqrt", mote_real_rsqrt, rsqrt, 1.5);
}

/* Same bits, apart from which NaN. */
static void same(const char *name, float y, float truth, float x) {
  if (isnan(truth) ? !isnan(y) : mote_real_bits(y) != mote_real_bits(truth))
    fail_msg("%s(%a) is %a instead of %a", name, (double)x, (double)y, (double)truth);
}

static void test_exact(void **state) {
  (void)state;
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
    const float x = mote_real_of((uint32_t)bits);
    same("sqrt", mote_real_sqrt(x), sqrtf(x), x);
    same("floor", mote_real_floor(x), floorf(x), x);
    same("ceil", mote_real_ceil(x), ceilf(x), x);
    same("round", mote_real_round(x), nearbyintf(x), x);
  }
  for (float x = -3.0f; x <= 3.0f; x += 0.25f) same("round", mote_real_round(x), nearbyintf(x), x);
}

static void test_fmod(void **state) {
  (void)state;
  uint32_t a = 1, b = 7;
  for (int i = 0; i < 1000000; i++) {
    a = a * 1664525 + 1013904223;
    b = b * 22695477 + 1;
    /* Half of the pairs are near in size. */
    const float x = mote_real_of(a),
                y = mote_real_of(i & 1 ? b : (a + (b >> 5)) ^ (b & 0x80000000));
    const float got = mote_real_fmod(x, y), want = fmodf(x, y);
    if (isnan(want) ? !isnan(got) : mote_real_bits(got) != mote_real_bits(want))
      fail_msg("fmod(%a, %a) is %a instead of %a", (double)x, (double)y, (double)got, (double)want);
  }
  const float edge[] = {0.0f,        -0.0f,     1.0f,        -1.0f,    0x1p-149f,
                        0x1.8p-127f, 0x1p-126f, __FLT_MAX__, INFINITY, NAN};
  for (size_t i = 0; i < 10; i++)
    for (size_t j = 0; j < 10; j++)
      same("fmod", mote_real_fmod(edge[i], edge[j]), fmodf(edge[i], edge[j]), edge[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accuracy),
      cmocka_unit_test(test_exact),
      cmocka_unit_test(test_fmod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
