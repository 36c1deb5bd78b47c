/* The instruction sets against plain C: the cases of nn_cases.h run on emulated chips and give the CRCs that
 * the host gives. Needs arm-none-eabi-gcc and qemu-system-arm; skips where they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mote/isa/isa.h"
#include "test/nn_cases.h"

#define OBJECTS "test/chip/nn.c mote/base/*.c mote/isa/*.c mote/nn/*.c"
#define BUILD                                                                                      \
  "arm-none-eabi-gcc -std=c11 -I. -O2 -fno-strict-aliasing -ffunction-sections -Wl,--gc-sections " \
  "-nostartfiles -T test/chip/chip.ld " OBJECTS " --specs=nosys.specs -mthumb "
#define RUN                                                                                        \
  "timeout 120 qemu-system-arm -nographic -monitor none -serial none "                             \
  "-semihosting-config enable=on,target=native "

static int have(const char *program) {
  char command[128];
  snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
  return system(command) == 0;
}

/* Builds the cases for a core, runs them on a machine, compares line by line. */
static void compare(const char *flags, const char *machine) {
  if (!have("arm-none-eabi-gcc") || !have("qemu-system-arm")) {
    print_message("skipped: needs arm-none-eabi-gcc and qemu-system-arm\n");
    skip();
  }
  char elf[64], command[1024], line[64];
  snprintf(elf, sizeof elf, "/tmp/mote_test_isa_XXXXXX");
  const int file = mkstemp(elf);
  assert_true(file >= 0);
  snprintf(command, sizeof command, BUILD "%s -o %s 2>&1", flags, elf);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, RUN "-M %s -kernel %s 2>&1", machine, elf);
  FILE *chip = popen(command, "r");
  assert_non_null(chip);
  static struct case_memory memory;
  struct nn_case t;
  unsigned compared = 0;
  for (uint32_t n = 0; n < CASE_COUNT; n++) {
    if (!case_make(&t, &memory, n)) continue;
    assert_int_equal(case_check(&t), MOTE_OK);
    case_run(&t);
    assert_true(case_guards(&t));
    char expected[16];
    snprintf(expected, sizeof expected, "%08x\n",
             (unsigned)mote_crc32(n, t.out, t.bounds.out_bytes));
    if (!fgets(line, sizeof line, chip)) fail_msg("%s ended before case %u", machine, (unsigned)n);
    if (strcmp(line, expected))
      fail_msg("%s, case %u (%s): %.8s, not %.8s", machine, (unsigned)n, mote_op_name((int)t.op),
               line, expected);
    compared++;
  }
  assert_int_equal(pclose(chip), 0);
  remove(elf);
  assert_true(compared > CASE_COUNT / 2);
}

static void test_cortex_m4(void **s) {
  (void)s;
  compare("-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", "mps2-an386");
}

static void test_cortex_m55(void **s) {
  (void)s;
  compare("-mcpu=cortex-m55 -mfloat-abi=hard -fno-tree-vectorize", "mps3-an547");
}

/* On a core that can trap unaligned access, with the trap set, and on an ARMv6-M. */
static void test_cortex_m0plus(void **s) {
  (void)s;
  compare("-mcpu=cortex-m0plus -mfloat-abi=soft", "mps2-an385");
  compare("-mcpu=cortex-m0plus -mfloat-abi=soft", "microbit");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cortex_m4),
      cmocka_unit_test(test_cortex_m0plus),
      cmocka_unit_test(test_cortex_m55),
  };
  return cmocka_run_group_tests_name("isa", tests, NULL, NULL);
}
