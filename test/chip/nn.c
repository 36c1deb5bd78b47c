/* nn on a chip: runs the cases of test/nn_cases.h and prints one CRC for each through semihosting.
 * No C library start-up. Cortex-M: a vector table, the stack at the end of 16 KiB of RAM, and main. RISC-V: linked
 * with firmware/boards/riscv/start.c. */
#include "test/nn_cases.h"

int main(void);

#if defined(__riscv)
static int semihost(int operation, const void *argument) {
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(".balign 16\n\t.option push\n\t.option norvc\n\t"
                   "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t.option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
  return a0;
}
#else
extern char chip_stack_top[], chip_bss_start[], chip_bss_end[];

static int semihost(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void leave(uint32_t code) {
  const uint32_t block[2] = {0x20026, code}; /* ADP_Stopped_ApplicationExit */
  for (;;) semihost(0x20, block);            /* SYS_EXIT_EXTENDED */
}

static void reset(void) {
  for (char *p = chip_bss_start; p != chip_bss_end; p++) *p = 0;
#if !defined(__ARM_ARCH_6M__)
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: the FPU, where there is one */
#else
  *(volatile uint32_t *)0xE000ED14 |= 1u << 3; /* CCR.UNALIGN_TRP, on a core that has it */
#endif
  leave((uint32_t)main());
}
static void fault(void) { leave(99); }

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))chip_stack_top, reset, fault, fault, fault, fault, fault,
};
#endif

static void print_hex(uint32_t x) {
  char text[10];
  for (int i = 0; i < 8; i++) text[i] = "0123456789abcdef"[x >> (28 - 4 * i) & 15];
  text[8] = '\n';
  text[9] = 0;
  semihost(4, text); /* SYS_WRITE0 */
}

int main(void) {
  static struct case_memory memory;
  struct nn_case t;
  for (uint32_t n = 0; n < CASE_ALL; n++) {
    if (!case_make(&t, &memory, case_number(n))) continue;
    if (case_check(&t) != MOTE_OK) return 2;
    case_run(&t);
    if (!case_guards(&t)) return 1;
    print_hex(mote_crc32(n, case_result(&t), t.bounds.out_bytes));
  }
  return 0;
}
