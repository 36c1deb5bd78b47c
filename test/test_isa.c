/* The instruction sets against plain C: the cases of nn_cases.h run on emulated chips and give the CRCs that
 * the host gives. Needs cross compilers and QEMU; skips where they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mote/isa/isa.h"
#include "test/nn_cases.h"

#define BUILD                                                                                      \
  " -std=c11 -I. -O2 -fno-strict-aliasing -ffunction-sections -Wl,--gc-sections -nostartfiles "    \
  "test/chip/nn.c mote/base/*.c mote/isa/*.c mote/nn/*.c mote/ml/*.c "
#define RUN " -nographic -monitor none -serial none -semihosting-config enable=on,target=native "

/* How to build the cases for chips, and what emulates them. */
struct tools {
  const char *compiler, *flags, *emulator;
};
static const struct tools arm = {
    "arm-none-eabi-gcc", "-T test/chip/chip.ld --specs=nosys.specs -mthumb", "qemu-system-arm"};
static const struct tools riscv = {
    "riscv64-unknown-elf-gcc",
    "--specs=picolibc.specs -T firmware/boards/virt/link.ld -Wl,--defsym=stack_bytes=16384 "
    "firmware/boards/riscv/start.c firmware/harness/port_semihosting.c",
    "qemu-system-riscv32"};

static int have(const char *program) {
  char command[128];
  snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
  return system(command) == 0;
}

/* Runs a command that prints a line for each case, and compares line by line. */
static void compare_lines(const char *command, const char *machine) {
  char line[64];
  FILE *chip = popen(command, "r");
  assert_non_null(chip);
  static struct case_memory memory;
  struct nn_case t;
  unsigned compared = 0;
  for (uint32_t n = 0; n < CASE_ALL; n++) {
    if (!case_make(&t, &memory, case_number(n))) continue;
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
  assert_true(compared > CASE_COUNT / 2);
}

/* Builds the cases for a core, runs them on a machine. */
static void compare(const struct tools *tools, const char *flags, const char *machine) {
  if (!have(tools->compiler) || !have(tools->emulator)) {
    print_message("skipped: needs %s and %s\n", tools->compiler, tools->emulator);
    skip();
  }
  char elf[64], command[1024];
  snprintf(elf, sizeof elf, "/tmp/mote_test_isa_XXXXXX");
  const int file = mkstemp(elf);
  assert_true(file >= 0);
  snprintf(command, sizeof command, "%s" BUILD "%s %s -o %s 2>&1", tools->compiler, tools->flags,
           flags, elf);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "timeout 120 %s" RUN "-M %s -kernel %s 2>&1", tools->emulator,
           machine, elf);
  compare_lines(command, machine);
  remove(elf);
}

static void test_cortex_m4(void **s) {
  (void)s;
  compare(&arm, "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", "mps2-an386");
}

static void test_cortex_m55(void **s) {
  (void)s;
  compare(&arm, "-mcpu=cortex-m55 -mfloat-abi=hard -fno-tree-vectorize", "mps3-an547");
}

/* On a core that can trap unaligned access, with the trap set, and on an ARMv6-M. */
static void test_cortex_m0plus(void **s) {
  (void)s;
  compare(&arm, "-mcpu=cortex-m0plus -mfloat-abi=soft", "mps2-an385");
  compare(&arm, "-mcpu=cortex-m0plus -mfloat-abi=soft", "microbit");
}

static void test_rv32imc(void **s) {
  (void)s;
  compare(&riscv, "-march=rv32imc -mabi=ilp32 -mstrict-align",
          "virt -bios none -cpu "
          "rv32,a=off,f=off,d=off,s=off,u=off,h=off,zba=off,zbb=off,zbc=off,zbs=off");
}

/* Node's engine; the flags are those of firmware/boards/chips.mk. */
static void test_wasm32(void **s) {
  (void)s;
  if (!have("clang") || !have("wasm-ld") || !have("node")) {
    print_message("skipped: needs clang, wasm-ld and node\n");
    skip();
  }
  char module[64], command[1024];
  snprintf(module, sizeof module, "/tmp/mote_test_isa_XXXXXX");
  const int file = mkstemp(module);
  assert_true(file >= 0);
  snprintf(
      command, sizeof command,
      "clang --target=wasm32 -msimd128 -mbulk-memory -O3 -idirafter firmware/wasm -std=c11 -I. "
      "-ffp-contract=off -fno-strict-aliasing -nostdlib -Wl,--no-entry -Wl,--gc-sections "
      "test/chip/nn_wasm.c firmware/wasm/memory.c mote/base/*.c mote/isa/*.c mote/nn/*.c "
      "mote/ml/*.c -o %s "
      "2>&1",
      module);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "timeout 120 node firmware/wasm/run.mjs %s 2>&1", module);
  compare_lines(command, "node");
  remove(module);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cortex_m4),  cmocka_unit_test(test_cortex_m0plus),
      cmocka_unit_test(test_cortex_m55), cmocka_unit_test(test_rv32imc),
      cmocka_unit_test(test_wasm32),
  };
  return cmocka_run_group_tests_name("isa", tests, NULL, NULL);
}
