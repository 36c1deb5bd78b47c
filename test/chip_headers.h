/* Every header of mote/, and what is included like one, that a program on a chip may reach, so that tests which lay out a project need no list that goes
 * out of date. */
#ifndef TEST_CHIP_HEADERS_H
#define TEST_CHIP_HEADERS_H

#include "host/kit/kit.h"

/* Appends to files[n ..]; returns the new count, or -1: no home, or more than `room` files. */
static int chip_headers(struct arena *a, const char **files, int n, int room) {
  static const char *const rooms[] = {"mote/base", "mote/isa", "mote/nn", "mote/run", "mote/dsp"};
  char *home, **names;
  int n_names;
  if (!mote_home(a, &home, NULL)) return -1;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    if (!dir_list(a, arena_printf(a, "%s/%s", home, rooms[i]), &names, &n_names, NULL)) return -1;
    for (int k = 0; k < n_names; k++) {
      if (!text_ends(names[k], ".h") && !text_ends(names[k], ".def") &&
          !text_ends(names[k], ".inc"))
        continue;
      if (n == room) return -1;
      files[n++] = arena_printf(a, "%s/%s", rooms[i], names[k]);
    }
  }
  return n;
}

/* A cmocka test for each machine, all of which call same(NAME). */
#define CHIP_TESTS(same)                                                                           \
  static void test_same_bits_without_optimisation(void **state) { (void)state, same("host"); }     \
  static void test_same_bits_on_cortex_m4(void **state) { (void)state, same("cortex-m4"); }        \
  static void test_same_bits_on_cortex_m0plus(void **state) {                                      \
    (void)state, same("cortex-m0plus");                                                            \
  }                                                                                                \
  static void test_same_bits_on_cortex_m55(void **state) { (void)state, same("cortex-m55"); }      \
  static void test_same_bits_on_rv32(void **state) { (void)state, same("rv32imc"); }               \
  static void test_same_bits_in_a_browser(void **state) { (void)state, same("wasm32"); }
#define CHIP_TEST_LIST                                                                             \
  cmocka_unit_test(test_same_bits_without_optimisation),                                           \
      cmocka_unit_test(test_same_bits_on_cortex_m4),                                               \
      cmocka_unit_test(test_same_bits_on_cortex_m0plus),                                           \
      cmocka_unit_test(test_same_bits_on_cortex_m55), cmocka_unit_test(test_same_bits_on_rv32),    \
      cmocka_unit_test(test_same_bits_in_a_browser)

#endif
