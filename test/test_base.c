/* Status texts, operator names, multipliers, folding and the checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "mote/base/base.h"

static void test_names(void **s) {
  (void)s;
  assert_string_equal(mote_status_text(MOTE_OK), "ok");
  for (int i = 0; i > -20; i--) assert_non_null(mote_status_text((enum mote_status)i));
  assert_string_equal(mote_op_name(MOTE_OP_CONV_2D), "CONV_2D");
  assert_string_equal(mote_op_name(MOTE_OP_PAD), "PAD");
  assert_string_equal(mote_op_name(-1), "?");
  assert_string_equal(mote_op_name(MOTE_OP_COUNT), "?");
  assert_int_equal(mote_type_bytes(MOTE_INT8), 1);
  assert_int_equal(mote_type_bytes(MOTE_INT16), 2);
  assert_int_equal(mote_type_bytes(MOTE_FLOAT32), 4);
  assert_int_equal(mote_type_bytes(99), 0);
}

static void quantise(double real, int32_t *multiplier, int *shift) {
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  mote_quantise_multiplier(bits, multiplier, shift);
}

/* Against the library's frexp and round, which the definition is written in. */
static void test_quantise_multiplier(void **s) {
  (void)s;
  int32_t m;
  int shift;
  uint64_t r = 1;
  for (int i = 0; i < 100000; i++) {
    r = r * 6364136223846793005u + 1442695040888963407u;
    const double real = ldexp(1.0 + (double)(r >> 12) / 4503599627370496.0, (int)(r % 62) - 32);
    int e;
    int64_t q = (int64_t)round(frexp(real, &e) * 2147483648.0);
    if (q == (int64_t)1 << 31) {
      q /= 2;
      e++;
    }
    if (e < -31) q = e = 0;
    quantise(real, &m, &shift);
    assert_int_equal(m, q);
    assert_int_equal(shift, e);
  }
  quantise(0.0, &m, &shift);
  assert_int_equal(m, 0);
  assert_int_equal(shift, 0);
  quantise(1.0, &m, &shift);
  assert_int_equal(m, 1 << 30);
  assert_int_equal(shift, 1);
  quantise(1.0 - ldexp(1, -40), &m, &shift); /* rounds up to the next power of two */
  assert_int_equal(m, 1 << 30);
  assert_int_equal(shift, 1);
  quantise(ldexp(1, -33), &m, &shift);
  assert_int_equal(m, 0);
  quantise(ldexp(1, 40), &m, &shift);
  assert_int_equal(m, INT32_MAX);
  assert_int_equal(shift, 30);
}

static void test_fold_count(void **s) {
  (void)s;
  int32_t m = 1 << 30;
  int shift = -2;
  mote_fold_count(1, &m, &shift);
  assert_int_equal(m, 1 << 30);
  assert_int_equal(shift, -2);
  mote_fold_count(125, &m, &shift); /* 2^30 * 64 / 125 */
  assert_int_equal(m, 549755813);
  assert_int_equal(shift, -8);
  m = INT32_MAX;
  shift = -30; /* only one bit of shift is left */
  mote_fold_count(UINT32_MAX, &m, &shift);
  assert_int_equal(m, 0);
  assert_int_equal(shift, -31);
}

static void test_divide_pot(void **s) {
  (void)s;
  for (int e = 0; e < 32; e++) {
    for (int i = -1000; i <= 1000; i++) {
      const int64_t wide = (int64_t)i * ((int64_t)1 << (e > 12 ? e - 10 : e > 2 ? e - 2 : 0));
      const int32_t x = wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
      const int32_t expected = (int32_t)round(ldexp((double)x, -e)); /* halves away from zero */
      assert_int_equal(mote_divide_pot(x, e), expected);
    }
  }
}

static void test_crc32(void **s) {
  (void)s;
  assert_int_equal(mote_crc32(0, "123456789", 9), 0xCBF43926u);
  assert_int_equal(mote_crc32(mote_crc32(0, "1234", 4), "56789", 5), 0xCBF43926u);
  assert_int_equal(mote_crc32(0, "", 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),      cmocka_unit_test(test_quantise_multiplier),
      cmocka_unit_test(test_fold_count), cmocka_unit_test(test_divide_pot),
      cmocka_unit_test(test_crc32),
  };
  return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
