/* start: reset of an emulated AVR. Sets up the zero register and the stack, copies .data, clears .bss.
 * source: avr-gcc's ABI: r1 is zero and the stack pointer set whenever C code runs. */
#include "firmware/harness/port.h"

int main(void);
void start_reset(void) __attribute__((naked, used, section(".vectors")));
void start_main(void) __attribute__((noreturn, used));

/* SREG 0x3F, SPL 0x3D, SPH 0x3E as the I/O instructions number them. A stack pointer points at the next free byte. */
void start_reset(void) {
  __asm__ volatile("clr r1\n\t"
                   "out 0x3f, r1\n\t"
                   "ldi r28, lo8(stack_high - 1)\n\t"
                   "ldi r29, hi8(stack_high - 1)\n\t"
                   "out 0x3e, r29\n\t"
                   "out 0x3d, r28\n\t"
                   "ldi r26, lo8(data_low)\n\t"
                   "ldi r27, hi8(data_low)\n\t"
                   "ldi r30, lo8(data_load)\n\t"
                   "ldi r31, hi8(data_load)\n\t"
                   "ldi r17, hi8(data_high)\n\t"
                   "rjmp 2f\n"
                   "1:\n\t"
                   "lpm r0, Z+\n\t"
                   "st X+, r0\n"
                   "2:\n\t"
                   "cpi r26, lo8(data_high)\n\t"
                   "cpc r27, r17\n\t"
                   "brne 1b\n\t"
                   "ldi r26, lo8(bss_low)\n\t"
                   "ldi r27, hi8(bss_low)\n\t"
                   "ldi r17, hi8(bss_high)\n\t"
                   "rjmp 4f\n"
                   "3:\n\t"
                   "st X+, r1\n"
                   "4:\n\t"
                   "cpi r26, lo8(bss_high)\n\t"
                   "cpc r27, r17\n\t"
                   "brne 3b\n\t"
                   "jmp start_main");
}

void start_main(void) { port_exit(main()); }
