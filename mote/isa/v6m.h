/* v6m: what the loops for ARMv6-M share. Internal to mote/isa.
 *
 * The only product is 32 x 32 -> 32, so requantising a sum x of |x| <= 2^20 takes the multiplier in digits of 11, 10 and
 * 10 bits: no partial sum leaves 32 bits, and what is cut off below cannot reach the result.
 *   V = floor(x m / 2^20) = x m2 + floor((x m1 + floor(x m0 / 2^10)) / 2^10),  |V| < 2^31
 *   h = floor((x m + 2^30) / 2^31) = floor(V / 2^11) + bit 10 of V: what ASRS #11 leaves in the carry
 *   q = (h + (x >> 31) + round) >> shift, the sign of x for that of h as in dsp.h
 * Larger sums go the general way. */
#ifndef MOTE_ISA_V6M_H
#define MOTE_ISA_V6M_H

#include "mote/isa/isa.h"

#if MOTE_ISA_V6M

/* The outputs of one channel; the assembly knows the offsets. */
struct v6m_outputs {
  int32_t m0, m1, m2, round; /*  0 */
  int32_t low, high;         /* 16: fused activation */
  uint32_t shift;            /* 24 */
  uint32_t step;             /* 28: bytes from an output to the next */
  const uint32_t *end;       /* 32: of a group of sums */
  uint32_t bias;             /* 36: of every sum */
  uint32_t limit;            /* 40: 2^20 */
  uint32_t group;            /* 44: bytes of a group's sums */
  uint32_t jump;             /* 48: bytes from behind a group's outputs to the next group's */
  uint32_t groups;           /* 52: counted down */
  const struct mote_output *o;
  struct mote_channel ch;
};
typedef char v6m_outputs_layout[sizeof(struct v6m_outputs) == 72 ? 1 : -1];

/* What all channels have in common. */
static inline void mote_v6m_begin(struct v6m_outputs *k, const struct mote_output *o,
                                  uint32_t step) {
  k->o = o;
  k->step = step;
  k->low = o->low;
  k->high = o->high;
  k->limit = (uint32_t)1 << 20;
}
/* For channel c; its bias can be changed then. */
static inline __attribute__((always_inline)) void mote_v6m_channel(struct v6m_outputs *k,
                                                                   uint32_t c) {
  const struct mote_output *const o = k->o;
  k->ch = mote_channel_at(o, c);
  k->bias = (uint32_t)k->ch.bias;
  if (o->wide) return;
  k->m0 = k->ch.multiplier & 0x3FF;
  k->m1 = k->ch.multiplier >> 10 & 0x3FF;
  k->m2 = k->ch.multiplier >> 20;
  k->round = mote_channel_round(o, &k->ch);
  k->shift = (uint32_t)-k->ch.shift;
}
/* Assembly: mote_enter and mote_leave: a function of its own section that uses every register; `kept`, a low one, stays on the
 * stack in between. */
#define MOTE_V6M_FRAME                                                                             \
  ".macro mote_enter name, kept\n"                                                                 \
  "  .section .text.\\name, \"ax\", %progbits\n"                                                   \
  "  .balign 4\n"                                                                                  \
  "  .global \\name\n"                                                                             \
  "  .type \\name, %function\n"                                                                    \
  "  .thumb_func\n"                                                                                \
  "\\name:\n"                                                                                      \
  "  push {r4, r5, r6, r7, lr}\n"                                                                  \
  "  mov r4, r8\n"                                                                                 \
  "  mov r5, r9\n"                                                                                 \
  "  mov r6, r10\n"                                                                                \
  "  mov r7, r11\n"                                                                                \
  "  .ifb \\kept\n"                                                                                \
  "    push {r4, r5, r6, r7}\n"                                                                    \
  "  .else\n"                                                                                      \
  "    push {\\kept, r4, r5, r6, r7}\n"                                                            \
  "  .endif\n"                                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_leave name, kept\n"                                                                 \
  "  .ifb \\kept\n"                                                                                \
  "    pop {r4, r5, r6, r7}\n"                                                                     \
  "  .else\n"                                                                                      \
  "    pop {\\kept, r4, r5, r6, r7}\n"                                                             \
  "  .endif\n"                                                                                     \
  "  mov r8, r4\n"                                                                                 \
  "  mov r9, r5\n"                                                                                 \
  "  mov r10, r6\n"                                                                                \
  "  mov r11, r7\n"                                                                                \
  "  pop {r4, r5, r6, r7, pc}\n"                                                                   \
  "  .size \\name, . - \\name\n"                                                                   \
  ".endm\n"
/* Assembly: mote_triple: four weights in r2 to r5 times three pixels in two words, from r0 on; added to first and second. Uses r1, r6, r7. */
#define MOTE_V6M_TRIPLE                                                                            \
  ".macro mote_triple first, second\n"                                                             \
  "  ldm r0!, {r1, r6, r7}\n"                                                                      \
  "  muls r1, r2, r1\n"                                                                            \
  "  muls r6, r2, r6\n"                                                                            \
  "  muls r7, r3, r7\n"                                                                            \
  "  add \\first, \\first, r1\n"                                                                   \
  "  add \\second, \\second, r6\n"                                                                 \
  "  add \\first, \\first, r7\n"                                                                   \
  "  ldm r0!, {r1, r6, r7}\n"                                                                      \
  "  muls r1, r3, r1\n"                                                                            \
  "  muls r6, r4, r6\n"                                                                            \
  "  muls r7, r4, r7\n"                                                                            \
  "  add \\second, \\second, r1\n"                                                                 \
  "  add \\first, \\first, r6\n"                                                                   \
  "  add \\second, \\second, r7\n"                                                                 \
  "  ldm r0!, {r6, r7}\n"                                                                          \
  "  muls r6, r5, r6\n"                                                                            \
  "  muls r7, r5, r7\n"                                                                            \
  "  add \\first, \\first, r6\n"                                                                   \
  "  add \\second, \\second, r7\n"                                                                 \
  ".endm\n"

/* Assembly: mote_stair s: the sum in s becomes its output there; r1 the stair's word, r2 l, r3 h, r4 offset. 10 instructions, 2 more
 * where what is shifted leaves a byte: 127, or 128, the byte of -128. Uses r5. */
#define MOTE_V6M_STAIR                                                                             \
  ".macro mote_stair s\n"                                                                          \
  "  movs r5, \\s\n"                                                                               \
  "  muls r5, r2, r5\n"                                                                            \
  "  asrs r5, r5, #12\n"                                                                           \
  "  muls \\s, r3, \\s\n"                                                                          \
  "  adds \\s, \\s, r5\n"                                                                          \
  "  adds \\s, \\s, r4\n"                                                                          \
  "  asrs \\s, \\s, r1\n"                                                                          \
  "  sxtb r5, \\s\n"                                                                               \
  "  cmp r5, \\s\n"                                                                                \
  "  beq 98f\n"                                                                                    \
  "  lsrs \\s, \\s, #31\n"                                                                         \
  "  adds \\s, \\s, #127\n"                                                                        \
  "98:\n"                                                                                          \
  ".endm\n"

/* Makes `groups` of n outputs each, neither 0, of sums that lie one after the other; each group's outputs are a stride
 * of `far` bytes from the one's before. */
void mote_v6m_put(struct v6m_outputs *k, const uint32_t *sums, uint32_t n, int8_t *out,
                  uint32_t groups, uint32_t far);

#endif
#endif
