/* port_semihosting: files and exit through semihosting, stack painting, on Cortex-M and RISC-V.
 * source: Arm's "Semihosting for AArch32 and AArch64", operations in r0, argument block in r1; the RISC-V
 * Semihosting Specification: the same in a0 and a1, by a breakpoint between two shifts that do nothing. */
#include "firmware/harness/port.h"

enum {
  SYS_OPEN = 0x01,
  SYS_CLOSE = 0x02,
  SYS_WRITE = 0x05,
  SYS_READ = 0x06,
  SYS_EXIT_EXTENDED = 0x20
};
enum { MODE_READ = 1, MODE_WRITE = 5 }; /* "rb", "wb" */
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

/* A store here is what the plugin sees. */
extern volatile uint8_t port_marks[PORT_MARKS];
volatile uint8_t port_marks[PORT_MARKS];
void port_mark(unsigned bucket) { port_marks[bucket] = 1; }

#if defined(__riscv)
#define READ_SP "mv %0, sp"
static uint32_t call(uint32_t operation, const void *block) {
  register uint32_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = block;
  /* The three must be of four bytes each, and on one page. */
  __asm__ volatile(".balign 16\n\t.option push\n\t.option norvc\n\t"
                   "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t.option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
  return a0;
}
#else
#define READ_SP "mov %0, sp"
static uint32_t call(uint32_t operation, const void *block) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}
#endif

static int open_file(const char *name, uint32_t mode) {
  uint32_t n = 0;
  while (name[n]) n++;
  const uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, n};
  return (int)call(SYS_OPEN, block);
}
int port_open_read(const char *name) { return open_file(name, MODE_READ); }
int port_open_write(const char *name) { return open_file(name, MODE_WRITE); }

/* Both return the number of bytes that were *not* moved. */
int port_read(int handle, void *bytes, uint32_t n) {
  const uint32_t block[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)bytes, n};
  return n && call(SYS_READ, block) ? -1 : 0;
}
int port_write(int handle, const void *bytes, uint32_t n) {
  const uint32_t block[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)bytes, n};
  return n && call(SYS_WRITE, block) ? -1 : 0;
}
void port_close(int handle) {
  const uint32_t block[1] = {(uint32_t)handle};
  call(SYS_CLOSE, block);
}
void port_exit(int code) {
  const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};
  for (;;) call(SYS_EXIT_EXTENDED, block);
}

/* The stack lies lowest in memory (link.ld), so running over it faults instead of overwriting data. */
extern uint32_t stack_low[];
#define PAINT 0xC0DEFACEu

/* The arena lies between guards of so many bytes. */
extern uint8_t guard_low[], guard_high[];
enum { GUARD_BYTES = 16, GUARD = 0xA5 };

static void paint_guards(void) {
  for (int i = 0; i < GUARD_BYTES; i++)
    *(volatile uint8_t *)(guard_low + i) = *(volatile uint8_t *)(guard_high + i) = GUARD;
}

static int guards_stand(void) {
  int stand = 1;
  for (int i = 0; i < GUARD_BYTES; i++)
    stand = stand && guard_low[i] == GUARD && guard_high[i] == GUARD;
  return stand;
}

__attribute__((noinline)) uint32_t port_stack_used(void (*work)(void)) {
  uint32_t *top, *p;
  paint_guards();
  __asm__ volatile(READ_SP : "=r"(top));
  /* Volatile: the compiler must neither drop the stores nor call memset, whose frame would lie here. */
  for (p = stack_low; p < top; p++) *(volatile uint32_t *)p = PAINT;
  work();
  if (!guards_stand()) port_exit(PORT_ARENA);
  if (*(volatile uint32_t *)stack_low != PAINT) port_exit(PORT_STACK);
  for (p = stack_low; p < top && *(volatile uint32_t *)p == PAINT; p++) {}
  return (uint32_t)((uintptr_t)top - (uintptr_t)p);
}
