/* rv32_stairs: convolutions by triples of pixels whose outputs are stairs (isa.h), on RV32IM. All channels of a block of one
 * or two triples are made in one piece of assembly: products as in rv32_conv.c, then outputs from the registers in which the
 * sums are.
 *
 * A sum's 21 bits are taken apart at the top of a word, 9 instructions for three, 8 where a register is free for a mask. An output
 * is then the upper half of one product with the stair's word; where that lies below the first sum of the second step, the output is
 * the lowest and done, else ADD, SRA by the same word, the upper clamp and the store. A third that the strip does not have is
 * stored where the second of its triple follows.
 *
 * The first value of a window makes the sums and the loop over eights is entered behind it, so nothing is set before. Where a
 * column is no multiple of eight, the loop is entered further down with pointers that stand as much further back.
 *
 * Channels go in fours. Where the last four are fewer, they begin further left, and some are made twice; a layer of fewer than
 * four takes its channels one by one, each four times. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

enum { CHANNELS = 4, TRIPLES = 2 };

/* A block; the assembly knows the offsets. */
struct block {
  const int8_t *weights;          /*  0: moves on */
  uint32_t window;                /*  4: bytes from a channel's weights to the next's */
  const uint32_t *words[TRIPLES]; /*  8 */
  uint32_t n, more,
      jump; /* 16: values of a column, at least 1; columns but one; bytes to the next's words */
  const struct mote_stair *stairs, *to; /* 28: move on; behind the last */
  int32_t low, high;                    /* 36 */
  int8_t *out;                          /* 44: where the first pixel goes; moves on */
  uint32_t second, third;               /* 48: bytes from there to the triple's others */
  uint32_t next, last;                  /* 56: and to the second triple's first and third */
};
typedef char block_layout[sizeof(struct block) == 64 ? 1 : -1];

/* Frame: 0 the block, 4 behind the column's words, 8 columns done, 12 where the loop is entered behind the first value, 68 by how
 * many values too far, 72 the block's `more`, 76 the stairs.
 *
 * An output of what stands in `value`: t0 the word, t1 the offset, t2 the first sum of the second step, a0 and ra the bounds. */
__asm__(
    MOTE_RV32_FRAME MOTE_RV32_TRIPLES
    ".macro mote_stair_out value, to, k\n"
    "  mulhu \\value, \\value, t0\n"
    "  bltu \\value, t2, .Lmote_low\\@\n"
    "  add \\value, \\value, t1\n"
    "  sra \\value, \\value, t0\n"
    "  ble \\value, ra, .Lmote_put\\@\n"
    "  mv \\value, ra\n"
    ".Lmote_put\\@:\n"
    "  sb \\value, \\k(\\to)\n"
    ".Lmote_out\\@:\n"
    ".subsection 1\n"
    ".Lmote_low\\@:\n"
    "  sb a0, \\k(\\to)\n"
    "  j .Lmote_out\\@\n"
    ".subsection 0\n"
    ".endm\n"
    /* The three of channel k, whose sums are destroyed; the third before the second. mask: 11 bits at the top, or no. */
    ".macro mote_stair_three first, second, k, to0, to1, to2, mask\n"
    "  slli a1, \\first, 11\n"
    "  mote_stair_out a1, \\to0, \\k\n"
    "  srli \\first, \\first, 21\n"
    "  slli \\first, \\first, 10\n"
    "  sub \\second, \\second, \\first\n"
    "  .ifc \\mask, no\n"
    "    srli a1, \\second, 21\n"
    "    slli a1, a1, 21\n"
    "  .else\n"
    "    and a1, \\second, \\mask\n"
    "  .endif\n"
    "  add \\first, \\first, a1\n"
    "  slli \\first, \\first, 1\n"
    "  slli \\second, \\second, 11\n"
    "  mote_stair_out \\second, \\to2, \\k\n"
    "  mote_stair_out \\first, \\to1, \\k\n"
    ".endm\n"
    ".macro mote_stair_channel k, two, stairs, mask, f0, s0, f1, s1\n"
    "  lw t0, 8*\\k+4(\\stairs)\n"
    "  lw t1, 8*\\k(\\stairs)\n"
    "  sll t2, a0, t0\n"
    "  sub t2, t2, t1\n"
    "  mote_stair_three \\f0, \\s0, \\k, a2, a3, t3, \\mask\n"
    "  .if \\two\n"
    "    mote_stair_three \\f1, \\s1, \\k, t4, t5, t6, \\mask\n"
    "  .endif\n"
    ".endm\n"
    /* The sums of the first value: s0..s3 from `from`, which is s3 at last. */
    ".macro mote_begin_four word, from, s0, s1, s2, s3\n"
    "  mul \\s0, t0, \\word\n"
    "  add \\s0, \\s0, \\from\n"
    "  mul \\s1, t1, \\word\n"
    "  add \\s1, \\s1, \\from\n"
    "  mul \\s2, t2, \\word\n"
    "  add \\s2, \\s2, \\from\n"
    "  mul a0, ra, \\word\n"
    "  add \\s3, \\from, a0\n"
    ".endm\n"
    ".macro mote_begin_value two, first, second\n"
    "  lb t0, 0(t3)\n"
    "  lb t1, 0(t4)\n"
    "  lb t2, 0(t5)\n"
    "  lb ra, 0(t6)\n"
    "  lui \\first, 0x00100\n"  /* MOTE_TRIPLE_FIRST */
    "  lui \\second, 0x40100\n" /* MOTE_TRIPLE_SECOND */
    "  lw a1, 0(a2)\n"
    "  mote_begin_four a1, \\first, s0, s4, s8, a4\n"
    "  lw a1, 4(a2)\n"
    "  mote_begin_four a1, \\second, s1, s5, s9, a5\n"
    "  .if \\two\n"
    "    lw a1, 0(a3)\n"
    "    mote_begin_four a1, \\first, s2, s6, s10, a6\n"
    "    lw a1, 4(a3)\n"
    "    mote_begin_four a1, \\second, s3, s7, s11, a7\n"
    "  .endif\n"
    ".endm\n"
    /* Pointers a0 values back, then on at the address in a1. */
    ".macro mote_enter two\n"
    "  sub t3, t3, a0\n"
    "  sub t4, t4, a0\n"
    "  sub t5, t5, a0\n"
    "  sub t6, t6, a0\n"
    "  slli a0, a0, 3\n"
    "  sub a2, a2, a0\n"
    "  .if \\two\n"
    "    sub a3, a3, a0\n"
    "  .endif\n"
    "  jr a1\n"
    ".endm\n"
    /* The address in a1 of where the loop does values a0.. of eight. */
    ".macro mote_entry\n"
    "  lla a1, 40f\n"
    "  slli t0, a0, 2\n"
    "  add t0, t0, a1\n"
    "  lw t0, 0(t0)\n"
    "  add a1, a1, t0\n"
    ".endm\n"
    ".macro mote_rv32_stairs name, two\n"
    "  mote_begin \\name\n"
    "  mote_frame 80\n"
    "  mv a3, a0\n"
    "  lw a2, 16(a3)\n"
    "  neg a0, a2\n"
    "  andi a0, a0, 7\n" /* of the eight that the first value is one of, so many are none */
    "  sw a0, 68(sp)\n"
    "  addi a0, a0, 1\n"
    "  mote_entry\n"
    "  sw a1, 12(sp)\n"
    "  lw a1, 8(a3)\n"
    "  slli a2, a2, 3\n"
    "  add a2, a2, a1\n"
    "  sw a2, 4(sp)\n"
    "  sw zero, 8(sp)\n"
    "  lw a2, 20(a3)\n"
    "  sw a2, 72(sp)\n"
    "  lw a2, 28(a3)\n"
    "  sw a2, 76(sp)\n"
    "  mv a1, a3\n"
    "1:\n"
    "  lw t3, 0(a1)\n"
    "  lw t0, 4(a1)\n"
    "  add t4, t3, t0\n"
    "  add t5, t4, t0\n"
    "  add t6, t5, t0\n"
    "  add t0, t6, t0\n"
    "  sw t0, 0(a1)\n"
    "  lw a2, 8(a1)\n"
    "  .if \\two\n"
    "    lw a3, 12(a1)\n"
    "    mote_begin_value \\two, a6, a7\n"
    "  .else\n"
    "    mote_begin_value \\two, a4, a5\n"
    "  .endif\n"
    "  lw a0, 68(sp)\n"
    "  beqz a0, 11f\n"
    "  lw a1, 12(sp)\n"
    "  mote_enter \\two\n"
    "10:\n"
    "  mote_value 0, \\two\n"
    "11:\n"
    "  mote_value 1, \\two\n"
    "12:\n"
    "  mote_value 2, \\two\n"
    "13:\n"
    "  mote_value 3, \\two\n"
    "14:\n"
    "  mote_value 4, \\two\n"
    "15:\n"
    "  mote_value 5, \\two\n"
    "16:\n"
    "  mote_value 6, \\two\n"
    "17:\n"
    "  mote_value 7, \\two\n"
    "18:\n"
    "  mote_move_on 8, \\two\n"
    "  lw a0, 4(sp)\n"
    "  bne a2, a0, 10b\n"
    "  lw a0, 72(sp)\n"
    "  bnez a0, 30f\n"
    "19:\n"
    "  lw a1, 0(sp)\n"
    "  lw a0, 36(a1)\n"
    "  lw ra, 40(a1)\n"
    "  lw a2, 44(a1)\n"
    "  lw t0, 48(a1)\n"
    "  lw t1, 52(a1)\n"
    "  add a3, a2, t0\n"
    "  add t3, a2, t1\n"
    "  .if \\two\n"
    "    lw t0, 56(a1)\n"
    "    lw t1, 60(a1)\n"
    "    add t4, a2, t0\n"
    "    add t5, a3, t0\n"
    "    add t6, a2, t1\n"
    "  .endif\n"
    "  addi t0, a2, 4\n"
    "  sw t0, 44(a1)\n"
    "  lw t1, 76(sp)\n"
    "  mote_stair_channel 0, \\two, t1, no, s0, s1, s2, s3\n"
    "  lw s0, 76(sp)\n"
    "  lui s1, 0xFFE00\n"
    "  mote_stair_channel 1, \\two, s0, s1, s4, s5, s6, s7\n"
    "  mote_stair_channel 2, \\two, s0, s1, s8, s9, s10, s11\n"
    "  mote_stair_channel 3, \\two, s0, s1, a4, a5, a6, a7\n"
    "  addi s0, s0, 32\n"
    "  sw s0, 76(sp)\n"
    "  lw a1, 0(sp)\n"
    "  lw a0, 32(a1)\n"
    "  bne s0, a0, 1b\n"
    "  mote_return 80\n"
    "30:\n" /* a0 columns but one */
    "  lw t0, 8(sp)\n"
    "  lw t1, 0(sp)\n"
    "  beq t0, a0, 31f\n"
    "  addi t0, t0, 1\n"
    "  sw t0, 8(sp)\n"
    "  lw a0, 24(t1)\n"
    "  add a2, a2, a0\n"
    "  .if \\two\n"
    "    add a3, a3, a0\n"
    "  .endif\n"
    "  lw a0, 16(t1)\n"
    "  slli a1, a0, 3\n"
    "  add a1, a1, a2\n"
    "  sw a1, 4(sp)\n"
    "  neg a0, a0\n"
    "  andi a0, a0, 7\n"
    "  mote_entry\n"
    "  mote_enter \\two\n"
    "31:\n"
    "  sw zero, 8(sp)\n"
    "  lw a0, 8(t1)\n"
    "  lw a2, 16(t1)\n"
    "  slli a2, a2, 3\n"
    "  add a0, a0, a2\n"
    "  sw a0, 4(sp)\n"
    "  j 19b\n"
    "  .balign 4\n"
    "40:\n"
    "  .word 10b-40b, 11b-40b, 12b-40b, 13b-40b, 14b-40b, 15b-40b, 16b-40b, 17b-40b, 18b-40b\n"
    "  mote_end \\name\n"
    ".endm\n"
    "mote_rv32_stairs mote_rv32_stairs1, 0\n"
    "mote_rv32_stairs mote_rv32_stairs2, 1\n");

/* One triple, and two. */
void mote_rv32_stairs1(struct block *b);
void mote_rv32_stairs2(struct block *b);

/* From channel c on, of which the block has the pixels; groups: of four. */
static void make(const struct mote_conv2d_triples_s8 *p, struct block *b, uint32_t c,
                 uint32_t groups, uint32_t triples, int8_t *out) {
  b->weights = (const int8_t *)mote_at(p, p->conv.weights_at) + (size_t)c * b->window;
  b->stairs = mote_stairs_of(&p->conv.output) + c;
  b->to = b->stairs + CHANNELS * groups;
  b->out = out + c;
  (triples > 1 ? mote_rv32_stairs2 : mote_rv32_stairs1)(b);
}

/* Four channels, or one as four, made elsewhere: where outputs of a triple have no place of their own. */
static void make_apart(const struct mote_conv2d_triples_s8 *p, struct block *b, uint32_t c,
                       uint32_t n, uint32_t triples, int8_t *const *to) {
  int8_t made[3 * TRIPLES][CHANNELS];
  struct mote_stair stairs[CHANNELS];
  for (uint32_t k = 0; k < CHANNELS; k++)
    stairs[k] = mote_stairs_of(&p->conv.output)[c + (k < n ? k : 0)];
  b->out = made[0];
  b->second = CHANNELS;
  b->third = 2 * CHANNELS;
  b->next = 3 * CHANNELS;
  b->last = 5 * CHANNELS;
  b->weights = (const int8_t *)mote_at(p, p->conv.weights_at) + (size_t)c * b->window;
  b->stairs = stairs;
  b->to = stairs + CHANNELS;
  const uint32_t window = b->window;
  if (n == 1) b->window = 0;
  (triples > 1 ? mote_rv32_stairs2 : mote_rv32_stairs1)(b);
  b->window = window;
  for (uint32_t k = 0; k < 3 * triples; k++)
    for (uint32_t l = 0; l < n && to[k]; l++) to[k][c + l] = made[k][l];
}

/* All channels of a block that has no second outputs, or whose channels are fewer than four. */
static __attribute__((noinline)) void make_few(const struct mote_conv2d_triples_s8 *p,
                                               const struct mote_triples_job *d, uint32_t i,
                                               uint32_t triples, struct block *b) {
  const uint32_t out_c = p->conv.out_c;
  int8_t *to[3 * TRIPLES];
  for (uint32_t t = 0; t < triples; t++)
    for (uint32_t l = 0, x = i + t; l < 3; l++, x += d->triples)
      to[3 * t + l] = x < d->pixels ? d->out + (size_t)x * out_c : NULL;
  uint32_t c = 0;
  for (; c + CHANNELS <= out_c; c += CHANNELS) make_apart(p, b, c, CHANNELS, triples, to);
  for (; c < out_c; c++) make_apart(p, b, c, 1, triples, to);
}

/* All channels of the block whose first triple is i. */
static void make_block(const struct mote_conv2d_triples_s8 *p, const struct mote_triples_job *d,
                       uint32_t i, struct block *b) {
  const uint32_t out_c = p->conv.out_c, m = d->triples, third = i + 2 * m;
  const uint32_t triples = m - i < TRIPLES ? m - i : TRIPLES;
  b->words[0] = d->words + (size_t)i * d->pixel_step;
  b->words[1] = b->words[0] + d->pixel_step;
  if (out_c < CHANNELS || d->pixels == 1) {
    make_few(p, d, i, triples, b);
    return;
  }
  int8_t *const out = d->out + (size_t)i * out_c;
  b->next = out_c;
  b->second = m * out_c;
  b->third = b->second << (third < d->pixels);
  b->last = out_c + (b->second << (third + 1 < d->pixels));
  make(p, b, 0, out_c / CHANNELS, triples, out);
  if (out_c % CHANNELS) make(p, b, out_c - CHANNELS, 1, triples, out);
}

void mote_isa_conv_stairs_high__rv32(const struct mote_conv2d_triples_s8 *p,
                                     const struct mote_triples_job *d) {
  struct block b;
  b.n = mote_conv_column(&p->conv);
  b.more = p->conv.kernel_w - 1u;
  b.jump = 4 * d->column_step - 8 * b.n;
  if (b.jump == 0) { /* columns behind one another are one */
    b.n *= p->conv.kernel_w;
    b.more = 0;
  }
  b.window = mote_conv_window(&p->conv);
  b.low = p->conv.output.low;
  b.high = p->conv.output.high;
  for (uint32_t i = 0; i < d->triples; i += TRIPLES) make_block(p, d, i, &b);
  const struct mote_stair *stairs = mote_stairs_of(&p->conv.output);
  for (uint32_t c = 0, none = p->run_values; none && c < p->conv.out_c; c++)
    if (stairs[c].word < MOTE_STAIR_HIGH) {
      mote_conv_stairs_high_channel(p, d, c);
      none--;
    }
}

#else
typedef int mote_isa_rv32_stairs_is_empty; /* C wants a declaration in every file */
#endif
