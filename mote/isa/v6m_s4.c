/* v6m_s4: weights of 4 bits on ARMv6-M (Cortex-M0, M0+).
 *
 * Dense layers: a word ANDed with 0x000F000F is two channels' weights for one input, 8 added to each so that no lane
 * borrows from the other: one MULS makes both products. Four channels at a time: for each input 2 instructions
 * that widen it, and for each two channels LSRS, ANDS, MULS, ADD: 42 for 16 MAC, 2.6 each. After a run (the
 * compiler has proven how long a lane stays within 16 bits, 16 inputs at least) the lanes are taken apart. */
#include "mote/isa/isa.h"

#if MOTE_ISA_V6M

/* The assembly knows the offsets. */
struct lanes {
  const uint32_t *words; /*  0: moves on */
  const int8_t *in;      /*  4: aligned to 4; moves on */
  const int8_t *end;     /*  8 */
  uint32_t run;          /* 12: bytes of the input in a run */
  uint32_t sums[4];      /* 16 */
};
void mote_v6m_lanes2(struct lanes *l); /* two pairs of channels */
void mote_v6m_lanes1(struct lanes *l); /* one */

/* r0 weights, r1 and r2 words, r3 mask, r4 four inputs, r5 one, r6 product, r7 inputs; r8 and r9 lanes, r10 end of the run,
 * r11, r12 and lr sums. [sp]: the frame, [sp, 4] the last sum. */
__asm__(".syntax unified\n"
        ".thumb\n"
        ".macro mote_lane word, lanes, x\n"
        "  ands r6, r6, r3\n"
        "  muls r6, \\x, r6\n"
        "  add \\lanes, \\lanes, r6\n"
        ".endm\n"
        ".macro mote_lanes_input pairs, shift, x\n"
        "  .if \\shift\n"
        "    lsrs r6, r1, #\\shift\n"
        "  .else\n"
        "    mov r6, r1\n"
        "  .endif\n"
        "  mote_lane r1, r8, \\x\n"
        "  .if \\pairs == 2\n"
        "    .if \\shift\n"
        "      lsrs r6, r2, #\\shift\n"
        "    .else\n"
        "      mov r6, r2\n"
        "    .endif\n"
        "    mote_lane r2, r9, \\x\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_lanes name, pairs\n"
        "  .section .text.\\name, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global \\name\n"
        "  .type \\name, %function\n"
        "  .thumb_func\n"
        "\\name:\n"
        "  push {r4, r5, r6, r7, lr}\n"
        "  mov r4, r8\n"
        "  mov r5, r9\n"
        "  mov r6, r10\n"
        "  mov r7, r11\n"
        "  push {r4, r5, r6, r7}\n"
        "  sub sp, sp, #8\n"
        "  str r0, [sp]\n"
        "  mov r6, r0\n"
        "  ldr r7, [r6, #4]\n"
        "  ldr r0, [r6]\n"
        "  ldr r1, [r6, #16]\n"
        "  mov r11, r1\n"
        "  ldr r1, [r6, #20]\n"
        "  mov r12, r1\n"
        "  ldr r1, [r6, #24]\n"
        "  mov lr, r1\n"
        "  ldr r1, [r6, #28]\n"
        "  str r1, [sp, #4]\n"
        "  movs r3, #15\n"
        "  lsls r1, r3, #16\n"
        "  orrs r3, r3, r1\n"
        "1:\n"
        "  movs r6, #0\n"
        "  mov r8, r6\n"
        "  mov r9, r6\n"
        "  ldr r5, [sp]\n"
        "  ldr r4, [r5, #12]\n"
        "  ldr r5, [r5, #8]\n"
        "  adds r4, r4, r7\n"
        "  cmp r4, r5\n"
        "  bls 2f\n"
        "  mov r4, r5\n"
        "2:\n"
        "  mov r10, r4\n"
        "3:\n"
        "  .if \\pairs == 2\n"
        "    ldm r0!, {r1, r2}\n"
        "  .else\n"
        "    ldm r0!, {r1}\n"
        "  .endif\n"
        "  ldm r7!, {r4}\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 0, r5\n"
        "  asrs r4, r4, #8\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 4, r5\n"
        "  asrs r4, r4, #8\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 8, r5\n"
        "  asrs r4, r4, #8\n"
        "  mote_lanes_input \\pairs, 12, r4\n"
        "  cmp r7, r10\n"
        "  bne 3b\n"
        "  mov r6, r8\n"
        "  sxth r5, r6\n"
        "  subs r6, r6, r5\n"
        "  asrs r6, r6, #16\n"
        "  add r11, r11, r5\n"
        "  add r12, r12, r6\n"
        "  .if \\pairs == 2\n"
        "    mov r6, r9\n"
        "    sxth r5, r6\n"
        "    subs r6, r6, r5\n"
        "    asrs r6, r6, #16\n"
        "    add lr, lr, r5\n"
        "    ldr r1, [sp, #4]\n"
        "    adds r1, r1, r6\n"
        "    str r1, [sp, #4]\n"
        "  .endif\n"
        "  ldr r6, [sp]\n"
        "  ldr r5, [r6, #8]\n"
        "  cmp r7, r5\n"
        "  bne 1b\n"
        "  str r0, [r6]\n"
        "  str r7, [r6, #4]\n"
        "  mov r1, r11\n"
        "  mov r2, r12\n"
        "  mov r3, lr\n"
        "  ldr r4, [sp, #4]\n"
        "  adds r6, r6, #16\n"
        "  stm r6!, {r1, r2, r3, r4}\n"
        "  add sp, sp, #8\n"
        "  pop {r4, r5, r6, r7}\n"
        "  mov r8, r4\n"
        "  mov r9, r5\n"
        "  mov r10, r6\n"
        "  mov r11, r7\n"
        "  pop {r4, r5, r6, r7, pc}\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
        "mote_lanes mote_v6m_lanes2, 2\n"
        "mote_lanes mote_v6m_lanes1, 1\n"
        ".text\n");

enum { CHUNK = 16 }; /* inputs: what any four quads may sum up to stays within a lane */

/* Inputs that are not aligned, or no whole quad: brought into order on the stack. */
static __attribute__((noinline)) void run_copied(struct lanes *l, void (*loop)(struct lanes *),
                                                 const int8_t *in, uint32_t n) {
  uint32_t words[CHUNK / 4];
  int8_t *bytes = (int8_t *)words;
  while (n) {
    const uint32_t some = n < CHUNK ? n : CHUNK;
    l->in = bytes;
    l->end = bytes + ((some + 3) & ~(uint32_t)3);
    for (uint32_t i = 0; i < 4; i++) words[i] = 0;
    for (uint32_t i = 0; i < some; i++) bytes[i] = in[i];
    loop(l);
    in += some;
    n -= some;
  }
}

void mote_isa_dense_lanes4__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out) {
  const struct mote_output *o = &p->output;
  const uint32_t n = p->in_c, whole = ((uintptr_t)in & 3) == 0 ? n & ~(uint32_t)3 : 0;
  struct lanes l;
  uint32_t eight = 0; /* what the 8 that is added to each weight adds to each sum */
  for (uint32_t i = 0; i < n; i++) eight += (uint32_t)in[i];
  eight *= 8;
  l.words = (const uint32_t *)mote_at(p, p->weights_at);
  l.run = 4u * p->run;
  for (uint32_t c = 0; c < p->out_c;) {
    void (*const loop)(struct lanes *) = p->out_c - c > 2 ? mote_v6m_lanes2 : mote_v6m_lanes1;
    for (uint32_t k = 0; k < 4; k++) l.sums[k] = 0u - eight;
    l.in = in;
    l.end = in + whole;
    if (whole) loop(&l);
    if (whole < n) run_copied(&l, loop, in + whole, n - whole);
    for (uint32_t k = 0; k < 4 && c < p->out_c; k++, c++) {
      const struct mote_channel ch = mote_channel_at(o, c);
      const int32_t sum = (int32_t)(l.sums[k] + (uint32_t)ch.bias);
      *out++ = o->wide ? mote_output_wide(o, &ch, sum)
                       : mote_output_packed(o, &ch, mote_channel_round(o, &ch), sum);
    }
  }
}

#else
typedef int mote_isa_v6m_s4_is_empty; /* C wants a declaration in every file */
#endif
