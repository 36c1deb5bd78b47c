/* start: reset and traps of an emulated RISC-V chip (QEMU virt, in machine mode). Makes flash of a part of the memory,
 * copies .data, clears .bss.
 *
 * Flash and absent memory are made by the core's own protection (PMP): entries that are locked hold in machine
 * mode, too. So a write to flash, code in RAM, and a stack that ran over all end in the trap.
 *
 * A trap ends the program with exit code FAULT, after writing its registers to mote.fault.
 * source: RISC-V Privileged Architecture, 3.1 (mcause, mtval) and 3.7 (PMP). */
#include "firmware/harness/port.h"

enum { FAULT = 70 };

extern uint32_t data_load[], data_low[], data_high[], bss_low[], bss_high[], stack_low[],
    stack_high[];
extern uint8_t memory_flash_low[], memory_flash_high[], memory_ram_low[], memory_ram_high[];
int main(void);
void start_main(void) __attribute__((noreturn, used));
void start_trap(uint32_t stack) __attribute__((noreturn, used));
void start_reset(void);
void start_enter_trap(void);

/* The compiler's target is without Zicsr, which every core has. */
#define CSR(what)             ".option push\n\t.option arch, +zicsr\n\t" what "\n\t.option pop"
#define CSR_WRITE(csr, value) __asm__ volatile(CSR("csrw " csr ", %0") : : "r"(value) : "memory")
#define CSR_READ(csr, value)  __asm__ volatile(CSR("csrr %0, " csr) : "=r"(value))

/* Four entries in a word of pmpcfg: what the addresses from the entry before up to pmpaddr may be used for. */
enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_UP_TO = 1 << 3, PMP_LOCKED = 1 << 7 };
#define PMP_ENTRY(i, may) ((uint32_t)(PMP_LOCKED | PMP_UP_TO | (may)) << 8 * (i))

static void protect(void) {
  CSR_WRITE("pmpaddr0", (uintptr_t)memory_flash_low >> 2);
  CSR_WRITE("pmpaddr1", (uintptr_t)memory_flash_high >> 2);
  CSR_WRITE("pmpaddr2", (uintptr_t)memory_ram_low >> 2);
  CSR_WRITE("pmpaddr3", (uintptr_t)memory_ram_high >> 2);
  CSR_WRITE("pmpaddr4", UINTPTR_MAX >> 2);
  CSR_WRITE("pmpcfg0", PMP_ENTRY(0, 0) | PMP_ENTRY(1, PMP_R | PMP_X) | PMP_ENTRY(2, 0) |
                           PMP_ENTRY(3, PMP_R | PMP_W));
  CSR_WRITE("pmpcfg1", PMP_ENTRY(0, 0));
}

void start_main(void) {
  uint32_t *to = data_low;
  for (const uint32_t *from = data_load; to < data_high;) *to++ = *from++;
  for (to = bss_low; to < bss_high;) *(volatile uint32_t *)to++ = 0;
  protect();
  port_exit(main());
}

void start_trap(uint32_t stack) {
  const int file = port_open_write("mote.fault");
  /* As a Cortex-M's frame: the seventh word is the pc; then cause, address, stack pointer. */
  static uint32_t words[11]; /* static: clearing it must not call memset, which would be counted */
  CSR_READ("mepc", words[6]);
  CSR_READ("mcause", words[8]);
  CSR_READ("mtval", words[9]);
  words[10] = stack;
  if (file >= 0) {
    port_write(file, words, sizeof words);
    port_close(file);
  }
  port_exit(FAULT);
}

/* The stack may be what failed: its pointer is passed on, and a fresh stack is used. */
__attribute__((naked, aligned(4))) void start_enter_trap(void) {
  __asm__ volatile("mv a0, sp\n\tla sp, stack_high\n\tj start_trap");
}

/* The core starts at the lowest address of its memory. */
__attribute__((naked, used, section(".vectors"))) void start_reset(void) {
  __asm__ volatile(
      "la sp, stack_high\n\tla t0, start_enter_trap\n\t" CSR("csrw mtvec, t0") "\n\tj start_main");
}
