/* start: reset, faults and the interrupt table of an emulated Cortex-M chip (QEMU mps2-an385, mps2-an386,
 * mps2-an500, mps2-an505, mps3-an547, microbit). Copies .data, clears .bss, makes unaligned access trap where the chip's own core would, enables
 * the FPU where there is one, with subnormal numbers, NaNs as they come and rounding to nearest.
 *
 * A fault ends the program with exit code FAULT, after writing the fault's registers to mote.fault. */
#include "firmware/harness/port.h"

enum { FAULT = 70 };

extern uint32_t data_load[], data_low[], data_high[], bss_low[], bss_high[], stack_low[],
    stack_high[];
int main(void);
void start_reset(void) __attribute__((noreturn));
void start_fault(const uint32_t *frame) __attribute__((noreturn, used));

#define SCB_CCR   ((volatile uint32_t *)0xE000ED14u)
#define SCB_CPACR ((volatile uint32_t *)0xE000ED88u)
#define SCB_CFSR  ((volatile uint32_t *)0xE000ED28u)
#define SCB_BFAR  ((volatile uint32_t *)0xE000ED38u)

/* FPSCR: flush to zero, default NaN, flush to zero in half precision, rounding mode. */
#define FPSCR_FZ    (1u << 24)
#define FPSCR_DN    (1u << 25)
#define FPSCR_FZ16  (1u << 19)
#define FPSCR_ROUND (3u << 22)

void start_reset(void) {
  uint32_t *to = data_low;
  for (const uint32_t *from = data_load; to < data_high;) *to++ = *from++;
  for (to = bss_low; to < bss_high;) *(volatile uint32_t *)to++ = 0;
#if !defined(__ARM_FEATURE_UNALIGNED)
  /* ARMv6-M traps unaligned access always; the emulated core takes more, so it is told to trap too. */
  *SCB_CCR |= 1u << 3;
#endif
#if defined(__ARM_FP) && __ARM_FP
  *SCB_CPACR |= 0xFu << 20;
  __asm__ volatile("dsb\n\tisb");
  uint32_t fpscr;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
  fpscr &= ~(FPSCR_FZ | FPSCR_DN | FPSCR_FZ16 | FPSCR_ROUND);
  __asm__ volatile("vmsr fpscr, %0" : : "r"(fpscr));
#endif
  port_exit(main());
}

void start_fault(const uint32_t *frame) {
  const int file = port_open_write("mote.fault");
#if defined(__ARM_ARCH_6M__)
  const uint32_t status[3] = {0, 0, (uint32_t)(uintptr_t)frame}; /* no such registers */
#else
  const uint32_t status[3] = {*SCB_CFSR, *SCB_BFAR, (uint32_t)(uintptr_t)frame};
#endif
  if (file >= 0) {
    /* r0-r3 r12 lr pc psr; a stack that overflowed holds no frame. */
    static const uint32_t none[8];
    const int whole = frame >= stack_low && frame + 8 <= stack_high;
    port_write(file, whole ? frame : none, 8 * sizeof *frame);
    port_write(file, status, sizeof status);
    port_close(file);
  }
  port_exit(FAULT);
}

/* The stack may be what failed: the frame's address is passed on, and a fresh stack is used. */
__attribute__((naked)) static void fault(void) {
  __asm__ volatile("mov r0, sp\n\tldr r1, =stack_high\n\tmov sp, r1\n\tbl start_fault\n\t.ltorg");
}

typedef void handler(void);
__attribute__((used, section(".vectors"))) static handler *const vectors[16] = {
    (handler *)stack_high,
    start_reset,
    fault,
    fault,
    fault,
    fault,
    fault,
    0,
    0,
    0,
    0,
    fault,
    fault,
    0,
    fault,
    fault};
