/* rv32: what the loops for RV32IM share. */
#ifndef MOTE_ISA_RV32_H
#define MOTE_ISA_RV32_H

#include "mote/isa/isa.h"

#if MOTE_ISA_RV32

/* ---- assembly: every register but sp, gp and tp is in use ---- */
/* Saves what a function must keep in 16.. of a frame of `bytes`, and its argument in 0. */
#define MOTE_RV32_FRAME                                                                            \
  ".macro mote_frame bytes\n"                                                                      \
  "  addi sp, sp, -\\bytes\n"                                                                      \
  "  sw a0, 0(sp)\n"                                                                               \
  "  sw ra, 16(sp)\n"                                                                              \
  "  sw s0, 20(sp)\n"                                                                              \
  "  sw s1, 24(sp)\n"                                                                              \
  "  sw s2, 28(sp)\n"                                                                              \
  "  sw s3, 32(sp)\n"                                                                              \
  "  sw s4, 36(sp)\n"                                                                              \
  "  sw s5, 40(sp)\n"                                                                              \
  "  sw s6, 44(sp)\n"                                                                              \
  "  sw s7, 48(sp)\n"                                                                              \
  "  sw s8, 52(sp)\n"                                                                              \
  "  sw s9, 56(sp)\n"                                                                              \
  "  sw s10, 60(sp)\n"                                                                             \
  "  sw s11, 64(sp)\n"                                                                             \
  ".endm\n"                                                                                        \
  ".macro mote_return bytes\n"                                                                     \
  "  lw ra, 16(sp)\n"                                                                              \
  "  lw s0, 20(sp)\n"                                                                              \
  "  lw s1, 24(sp)\n"                                                                              \
  "  lw s2, 28(sp)\n"                                                                              \
  "  lw s3, 32(sp)\n"                                                                              \
  "  lw s4, 36(sp)\n"                                                                              \
  "  lw s5, 40(sp)\n"                                                                              \
  "  lw s6, 44(sp)\n"                                                                              \
  "  lw s7, 48(sp)\n"                                                                              \
  "  lw s8, 52(sp)\n"                                                                              \
  "  lw s9, 56(sp)\n"                                                                              \
  "  lw s10, 60(sp)\n"                                                                             \
  "  lw s11, 64(sp)\n"                                                                             \
  "  addi sp, sp, \\bytes\n"                                                                       \
  "  ret\n"                                                                                        \
  ".endm\n"                                                                                        \
  ".macro mote_begin name\n"                                                                       \
  "  .section .text.\\name, \"ax\", @progbits\n"                                                   \
  "  .balign 4\n"                                                                                  \
  "  .global \\name\n"                                                                             \
  "  .type \\name, @function\n"                                                                    \
  "\\name:\n"                                                                                      \
  ".endm\n"                                                                                        \
  ".macro mote_end name\n"                                                                         \
  "  .size \\name, . - \\name\n"                                                                   \
  ".text\n"                                                                                        \
  ".endm\n"

/* The products of four channels with one triple or two, 40 instructions for 24: t3..t6 go through the weights, a2 and a3
 * through the words. Sums, two words a triple: s0..s3 of the first channel, s4..s7, s8..s11, a4..a7. The frame has the job in 0
 * (of which n, columns and jump are offsets: values of a column and columns, at least 1, and bytes to the next column's words); 4,
 * 8, 12 and 68 to 79 are the macros'. */
#define MOTE_RV32_TRIPLES                                                                          \
  ".macro mote_four word, s0, s1, s2, s3\n"                                                        \
  "  mul a0, t0, \\word\n"                                                                         \
  "  add \\s0, \\s0, a0\n"                                                                         \
  "  mul a0, t1, \\word\n"                                                                         \
  "  add \\s1, \\s1, a0\n"                                                                         \
  "  mul a0, t2, \\word\n"                                                                         \
  "  add \\s2, \\s2, a0\n"                                                                         \
  "  mul a0, ra, \\word\n"                                                                         \
  "  add \\s3, \\s3, a0\n"                                                                         \
  ".endm\n"                                                                                        \
  ".macro mote_value k, two, load=lb, bytes=1\n"                                                   \
  "  \\load t0, \\bytes*\\k(t3)\n"                                                                 \
  "  \\load t1, \\bytes*\\k(t4)\n"                                                                 \
  "  \\load t2, \\bytes*\\k(t5)\n"                                                                 \
  "  \\load ra, \\bytes*\\k(t6)\n"                                                                 \
  "  lw a1, 8*\\k(a2)\n"                                                                           \
  "  mote_four a1, s0, s4, s8, a4\n"                                                               \
  "  lw a1, 8*\\k+4(a2)\n"                                                                         \
  "  mote_four a1, s1, s5, s9, a5\n"                                                               \
  "  .if \\two\n"                                                                                  \
  "    lw a1, 8*\\k(a3)\n"                                                                         \
  "    mote_four a1, s2, s6, s10, a6\n"                                                            \
  "    lw a1, 8*\\k+4(a3)\n"                                                                       \
  "    mote_four a1, s3, s7, s11, a7\n"                                                            \
  "  .endif\n"                                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_move_on values, two, bytes=1\n"                                                     \
  "  addi t3, t3, \\bytes*\\values\n"                                                              \
  "  addi t4, t4, \\bytes*\\values\n"                                                              \
  "  addi t5, t5, \\bytes*\\values\n"                                                              \
  "  addi t6, t6, \\bytes*\\values\n"                                                              \
  "  addi a2, a2, 8*\\values\n"                                                                    \
  "  .if \\two\n"                                                                                  \
  "    addi a3, a3, 8*\\values\n"                                                                  \
  "  .endif\n"                                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_sums_begin two\n"                                                                   \
  "  lui s0, 0x00100\n" /* MOTE_TRIPLE_FIRST */                                                    \
  "  lui s1, 0x40100\n" /* MOTE_TRIPLE_SECOND */                                                   \
  "  mv s4, s0\n"                                                                                  \
  "  mv s5, s1\n"                                                                                  \
  "  mv s8, s0\n"                                                                                  \
  "  mv s9, s1\n"                                                                                  \
  "  mv a4, s0\n"                                                                                  \
  "  mv a5, s1\n"                                                                                  \
  "  .if \\two\n"                                                                                  \
  "    mv s2, s0\n"                                                                                \
  "    mv s3, s1\n"                                                                                \
  "    mv s6, s0\n"                                                                                \
  "    mv s7, s1\n"                                                                                \
  "    mv s10, s0\n"                                                                               \
  "    mv s11, s1\n"                                                                               \
  "    mv a6, s0\n"                                                                                \
  "    mv a7, s1\n"                                                                                \
  "  .endif\n"                                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_columns_set n, columns\n"                                                           \
  "  lw a1, \\n(a0)\n"                                                                             \
  "  andi a2, a1, -8\n"                                                                            \
  "  sw a2, 68(sp)\n"                                                                              \
  "  andi a1, a1, 7\n"                                                                             \
  "  sw a1, 72(sp)\n"                                                                              \
  "  lw a2, \\columns(a0)\n"                                                                       \
  "  addi a2, a2, -1\n"                                                                            \
  "  or a1, a1, a2\n"                                                                              \
  "  sw a1, 76(sp)\n"                                                                              \
  ".endm\n"                                                                                        \
  ".macro mote_columns two, columns, jump\n"                                                       \
  "  sw zero, 8(sp)\n"                                                                             \
  "1:\n"                                                                                           \
  "  lw a1, 68(sp)\n"                                                                              \
  "  beqz a1, 3f\n"                                                                                \
  "  add a1, a1, t3\n"                                                                             \
  "  sw a1, 4(sp)\n"                                                                               \
  "2:\n"                                                                                           \
  "  mote_value 0, \\two\n"                                                                        \
  "  mote_value 1, \\two\n"                                                                        \
  "  mote_value 2, \\two\n"                                                                        \
  "  mote_value 3, \\two\n"                                                                        \
  "  mote_value 4, \\two\n"                                                                        \
  "  mote_value 5, \\two\n"                                                                        \
  "  mote_value 6, \\two\n"                                                                        \
  "  mote_value 7, \\two\n"                                                                        \
  "  mote_move_on 8, \\two\n"                                                                      \
  "  lw a0, 4(sp)\n"                                                                               \
  "  bne t3, a0, 2b\n"                                                                             \
  "  lw a0, 76(sp)\n"                                                                              \
  "  beqz a0, 6f\n"                                                                                \
  "3:\n" /* what is left of the column */                                                          \
  "  lw a0, 72(sp)\n"                                                                              \
  "  beqz a0, 5f\n"                                                                                \
  "  add a0, a0, t3\n"                                                                             \
  "  sw a0, 12(sp)\n"                                                                              \
  "  addi a0, a0, -3\n"                                                                            \
  "  bgeu t3, a0, 4f\n"                                                                            \
  "  mote_value 0, \\two\n"                                                                        \
  "  mote_value 1, \\two\n"                                                                        \
  "  mote_value 2, \\two\n"                                                                        \
  "  mote_value 3, \\two\n"                                                                        \
  "  mote_move_on 4, \\two\n"                                                                      \
  "  lw a0, 12(sp)\n"                                                                              \
  "  beq t3, a0, 5f\n"                                                                             \
  "4:\n"                                                                                           \
  "  mote_value 0, \\two\n"                                                                        \
  "  mote_move_on 1, \\two\n"                                                                      \
  "  lw a0, 12(sp)\n"                                                                              \
  "  bne t3, a0, 4b\n"                                                                             \
  "5:\n"                                                                                           \
  "  lw a0, 8(sp)\n"                                                                               \
  "  addi a0, a0, 1\n"                                                                             \
  "  sw a0, 8(sp)\n"                                                                               \
  "  lw a1, 0(sp)\n"                                                                               \
  "  lw t0, \\columns(a1)\n"                                                                       \
  "  beq a0, t0, 6f\n"                                                                             \
  "  lw a0, \\jump(a1)\n"                                                                          \
  "  add a2, a2, a0\n"                                                                             \
  "  add a3, a3, a0\n"                                                                             \
  "  j 1b\n"                                                                                       \
  "6:\n"                                                                                           \
  ".endm\n"

/* What makes an output of a sum. With a multiplier m, high = (sum m) / 2^31 rounded is (v + 1) >> 1 of
 *   v = floor(4 sum m / 2^32),
 * the upper half of one product where |sum| < 2^29; mote_output_packed then shifts high + round, which is one shift of
 *   v + 1 + 2 round, where high is not negative, or nothing negative is let through. */
struct rv32_channel {
  uint32_t bias;
  int32_t multiplier;
  uint32_t round;
  int32_t shift;
};

/* Returns 0 where |sum| may reach 2^29, or the shift is none to the right of 1 to 22: the general way is left. n: weights
 * of the channel; offset: what its sums are too large by. */
static inline int rv32_channel_of(const struct mote_output *o, size_t c, uint32_t n,
                                  uint32_t offset, struct rv32_channel *to) {
  const uint32_t *words = (const uint32_t *)mote_at(o, o->requant_at);
  const uint32_t bias = (uint32_t)mote_channel_bias(o, c);
  uint32_t shift;
  if (o->wide) {
    to->multiplier = (int32_t)words[2 * c];
    shift = 0 - words[2 * c + 1];
    if (to->multiplier < 0 || shift - 1 >= 22) return 0;
  } else {
    to->multiplier = (int32_t)(words[c] >> 2 | (uint32_t)1 << 30);
    shift = (words[c] & 3) - (uint32_t)(int32_t)o->shift_base;
  }
  if (bias + (1u << 28) >= 1u << 29 || n > 8192) return 0; /* 8192 * 128 * 255 < 2^28 */
  to->bias = bias - offset;
  to->round = ((uint32_t)(2 * o->zp + 1) << shift) + 1;
  to->shift = (int32_t)shift + 1;
  return 1;
}

static inline __attribute__((always_inline)) void rv32_output(const struct rv32_channel *ch,
                                                              uint32_t sum, int32_t low,
                                                              int32_t high, int clamped,
                                                              int8_t *out) {
  const int64_t product = (int64_t)(int32_t)((sum + ch->bias) << 2) * ch->multiplier;
  uint32_t v = (uint32_t)(product >> 32);
  /* A negative `high` rounds the other way: one less, which is two of v. v = -1 is 0. */
  if (!clamped) v += (uint32_t)((int32_t)(v + 1) >> 31) << 1;
  int32_t q = (int32_t)(v + ch->round) >> ch->shift;
  if (q < low) q = low;
  if (q > high) q = high;
  *(uint8_t *)out = (uint8_t)q;
}

/* The outputs of n channels from c on, whose sums are `offset` too large, by packed constants; each has up to 8192 weights. */
static inline __attribute__((always_inline)) void
rv32_put_packed(const struct mote_output *o, size_t c, const uint32_t *sums, uint32_t offset,
                uint32_t n, int8_t *out, int clamped, int bias_bytes) {
  const uint32_t *words = (const uint32_t *)mote_at(o, o->requant_at) + c;
  const uint8_t *biases = (const uint8_t *)mote_at(o, o->bias_at) + c * (uint32_t)bias_bytes;
  const int32_t low = o->low, high = o->high;
  const uint32_t zp = (uint32_t)(2 * o->zp + 1), base = 0 - (uint32_t)(int32_t)o->shift_base;
  for (const uint32_t *const end = words + n; words != end; out++, biases += bias_bytes) {
    const uint32_t word = *words++, shift = (word & 3) + base;
    const int32_t bias = bias_bytes == 0   ? 0
                         : bias_bytes == 2 ? *(const int16_t *)(const void *)biases
                                           : *(const int32_t *)(const void *)biases;
    const struct rv32_channel ch = {(uint32_t)bias - offset,
                                    (int32_t)(word >> 2 | (uint32_t)1 << 30), (zp << shift) + 1,
                                    (int32_t)shift + 1};
    if (bias_bytes == 4 && (uint32_t)bias + (1u << 28) >= 1u << 29) { /* 4 sums may be too much */
      const struct mote_channel any = {bias, ch.multiplier, 0 - (int)shift};
      *out = mote_output_of(o, &any, (int32_t)(*sums++ + ch.bias));
      continue;
    }
    rv32_output(&ch, *sums++, low, high, clamped, out);
  }
}

/* The same by any constants; weights: of a channel. */
static __attribute__((noinline, unused)) void rv32_put(const struct mote_output *o, size_t c,
                                                       uint32_t weights, const uint32_t *sums,
                                                       uint32_t offset, uint32_t n, int8_t *out) {
  const int clamped = o->low >= o->zp;
  if (!o->wide && weights <= 8192) {
    const int kind = o->bias_at == 0 ? 0 : o->bias_bytes == 2 ? 2 : 4;
#define PUT(bytes)                                                                                 \
  if (clamped)                                                                                     \
    rv32_put_packed(o, c, sums, offset, n, out, 1, bytes);                                         \
  else                                                                                             \
    rv32_put_packed(o, c, sums, offset, n, out, 0, bytes);
    if (kind == 0) {
      PUT(0)
    } else if (kind == 2) {
      PUT(2)
    } else {
      PUT(4)
    }
#undef PUT
    return;
  }
  for (const size_t end = c + n; c < end; c++, sums++, out++) {
    struct rv32_channel ch;
    if (rv32_channel_of(o, c, weights, offset, &ch)) {
      rv32_output(&ch, *sums, o->low, o->high, clamped, out);
    } else {
      const struct mote_channel any = mote_channel_at(o, c);
      *out = mote_output_of(o, &any, (int32_t)(*sums + (uint32_t)any.bias - offset));
    }
  }
}

#endif

#endif
