/* rv32_stairs: convolutions by triples of pixels whose outputs are stairs (isa.h), on RV32IM. All channels of a block of one
 * or two triples are made in one piece of assembly: products as in rv32_conv.c, then outputs from the registers in which the
 * sums are.
 *
 * With t = s + 2^20 of 21 bits for a sum s, floor(s m / 2^12) is the upper half of 2^11 t times 2^9 m, less 2^8 m: a triple's
 * sums are taken apart at the top of a word, 9 instructions for three, and an output is MULHU, ADD, SRA, the clamp and the
 * store. A multiplier of 24 bits takes a second addition. A third that the strip does not have is stored where the second of its triple follows.
 *
 * Channels go in fours. Where the last four are fewer, they begin further left, and some are made twice; a layer of fewer than
 * four takes its channels one by one, each four times. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

enum { CHANNELS = 4, TRIPLES = 2 };

/* A block; the assembly knows the offsets. */
struct block {
  const int8_t *weights;           /*  0: moves on */
  uint32_t window;                 /*  4: bytes from a channel's weights to the next's */
  const uint32_t *words[TRIPLES];  /*  8 */
  uint32_t n, columns, jump;       /* 16: as struct rv32_run's */
  const struct mote_stair *stairs; /* 28: move on */
  uint32_t groups;                 /* 32: of four channels, counted down, at least 1 */
  int32_t low, high;               /* 36 */
  int8_t *to[3 * TRIPLES];         /* 44: channel 0's */
  uint32_t c;                      /* 68: moves on */
};
typedef char block_layout[sizeof(struct block) == 72 ? 1 : -1];

/* An output of what stands in `value`: t0 the multiplier, t1 the offset, a0 the shift, t2 and ra the bounds. */
__asm__(MOTE_RV32_FRAME MOTE_RV32_TRIPLES
        ".macro mote_stair_out value, to, k, long\n"
        "  .if \\long\n"
        "    mulhu ra, \\value, t0\n"
        "    add \\value, \\value, ra\n"
        "    lw ra, 0(sp)\n"
        "    lw ra, 40(ra)\n"
        "  .else\n"
        "    mulhu \\value, \\value, t0\n"
        "  .endif\n"
        "  add \\value, \\value, t1\n"
        "  sra \\value, \\value, a0\n"
        "  bge \\value, t2, 7f\n"
        "  mv \\value, t2\n"
        "7:\n"
        "  ble \\value, ra, 8f\n"
        "  mv \\value, ra\n"
        "8:\n"
        "  sb \\value, \\k(\\to)\n"
        ".endm\n"
        /* The three of channel k, whose sums are destroyed; the third before the second. */
        ".macro mote_stair_three first, second, k, to0, to1, to2, long\n"
        "  slli a1, \\first, 11\n"
        "  mote_stair_out a1, \\to0, \\k, \\long\n"
        "  srli \\first, \\first, 21\n"
        "  slli a1, \\first, 10\n"
        "  sub \\second, \\second, a1\n"
        "  srli a1, \\second, 21\n"
        "  slli a1, a1, 11\n"
        "  add \\first, \\first, a1\n"
        "  slli \\first, \\first, 11\n"
        "  slli \\second, \\second, 11\n"
        "  mote_stair_out \\second, \\to2, \\k, \\long\n"
        "  mote_stair_out \\first, \\to1, \\k, \\long\n"
        ".endm\n"
        ".macro mote_stair_channel k, two, f0, s0, f1, s1\n"
        "  lw t1, 4(sp)\n"
        "  lw a0, 8*\\k+4(t1)\n"
        "  lw t1, 8*\\k(t1)\n"
        "  srli t0, a0, 20\n"
        "  slli t0, t0, 21\n"
        "  slli a1, a0, 12\n"
        "  srai a1, a1, 20\n"
        "  slli a1, a1, 9\n"
        "  add t0, t0, a1\n" /* 2^9 m */
        "  srli a1, t0, 1\n"
        "  sub t1, t1, a1\n"
        "  bltz a0, 10f\n"
        "  mote_stair_three \\f0, \\s0, \\k, a2, a3, t3, 0\n"
        "  .if \\two\n"
        "    mote_stair_three \\f1, \\s1, \\k, t4, t5, t6, 0\n"
        "  .endif\n"
        "11:\n"
        ".subsection 1\n"
        "10:\n" /* 2^32 more in the multiplier, 2^31 in half of it */
        "  lui a1, 0x80000\n"
        "  add t1, t1, a1\n"
        "  mote_stair_three \\f0, \\s0, \\k, a2, a3, t3, 1\n"
        "  .if \\two\n"
        "    mote_stair_three \\f1, \\s1, \\k, t4, t5, t6, 1\n"
        "  .endif\n"
        "  j 11b\n"
        ".subsection 0\n"
        ".endm\n"
        ".macro mote_to reg, at\n"
        "  lw \\reg, \\at(a1)\n"
        "  add \\reg, \\reg, t0\n"
        ".endm\n"
        ".macro mote_rv32_stairs name, two\n"
        "  mote_begin \\name\n"
        "  mote_frame 80\n"
        "  mote_columns_set 16, 20\n"
        "9:\n"
        "  lw a1, 0(sp)\n"
        "  lw t3, 0(a1)\n"
        "  lw t0, 4(a1)\n"
        "  add t4, t3, t0\n"
        "  add t5, t4, t0\n"
        "  add t6, t5, t0\n"
        "  add t0, t6, t0\n"
        "  sw t0, 0(a1)\n"
        "  lw a2, 8(a1)\n"
        "  lw a3, 12(a1)\n"
        "  mote_sums_begin \\two\n"
        "  mote_columns \\two, 20, 24\n"
        "  lw a1, 0(sp)\n"
        "  lw t0, 28(a1)\n"
        "  sw t0, 4(sp)\n"
        "  addi t0, t0, 32\n"
        "  sw t0, 28(a1)\n"
        "  lw t2, 36(a1)\n"
        "  lw ra, 40(a1)\n"
        "  lw t0, 68(a1)\n"
        "  mote_to a2, 44\n"
        "  mote_to a3, 48\n"
        "  mote_to t3, 52\n"
        "  .if \\two\n"
        "    mote_to t4, 56\n"
        "    mote_to t5, 60\n"
        "    mote_to t6, 64\n"
        "  .endif\n"
        "  addi t0, t0, 4\n"
        "  sw t0, 68(a1)\n"
        "  mote_stair_channel 0, \\two, s0, s1, s2, s3\n"
        "  mote_stair_channel 1, \\two, s4, s5, s6, s7\n"
        "  mote_stair_channel 2, \\two, s8, s9, s10, s11\n"
        "  mote_stair_channel 3, \\two, a4, a5, a6, a7\n"
        "  lw a1, 0(sp)\n"
        "  lw a0, 32(a1)\n"
        "  addi a0, a0, -1\n"
        "  sw a0, 32(a1)\n"
        "  bnez a0, 9b\n"
        "  mote_return 80\n"
        "  mote_end \\name\n"
        ".endm\n"
        "mote_rv32_stairs mote_rv32_stairs1, 0\n"
        "mote_rv32_stairs mote_rv32_stairs2, 1\n");

/* One triple, and two. */
void mote_rv32_stairs1(struct block *b);
void mote_rv32_stairs2(struct block *b);

/* From channel c on, of which the block has the pixels; groups: of four. */
static void make(const struct mote_conv2d_triples_s8 *p, struct block *b, uint32_t c,
                 uint32_t groups, uint32_t triples) {
  b->weights = (const int8_t *)mote_at(p, p->conv.weights_at) + (size_t)c * b->window;
  b->stairs = mote_stairs_of(&p->conv.output) + c;
  b->groups = groups;
  b->c = c;
  (triples > 1 ? mote_rv32_stairs2 : mote_rv32_stairs1)(b);
}

/* Four channels, or one as four, made elsewhere: where outputs of a triple have no place of their own. */
static void make_apart(const struct mote_conv2d_triples_s8 *p, struct block *b, uint32_t c,
                       uint32_t n, uint32_t triples, int8_t *const *to) {
  int8_t made[3 * TRIPLES][CHANNELS];
  struct mote_stair stairs[CHANNELS];
  for (uint32_t k = 0; k < CHANNELS; k++)
    stairs[k] = mote_stairs_of(&p->conv.output)[c + (k < n ? k : 0)];
  for (uint32_t k = 0; k < 3 * triples; k++) b->to[k] = made[k];
  b->weights = (const int8_t *)mote_at(p, p->conv.weights_at) + (size_t)c * b->window;
  b->stairs = stairs;
  b->groups = 1;
  b->c = 0;
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
  const uint32_t out_c = p->conv.out_c, m = d->triples;
  const uint32_t triples = m - i < TRIPLES ? m - i : TRIPLES;
  b->words[0] = d->words + (size_t)i * d->pixel_step;
  b->words[1] = b->words[0] + d->pixel_step;
  if (out_c < CHANNELS || d->pixels == 1) {
    make_few(p, d, i, triples, b);
    return;
  }
  const size_t lane = (size_t)m * out_c;
  int8_t **to = b->to, *first = d->out + (size_t)i * out_c;
  for (uint32_t third = i + 2 * m; third < i + 2 * m + triples; third++, first += out_c) {
    *to++ = first;
    *to++ = first + lane;
    *to++ = first + lane + (third < d->pixels ? lane : 0);
  }
  make(p, b, 0, out_c / CHANNELS, triples);
  if (out_c % CHANNELS) make(p, b, out_c - CHANNELS, 1, triples);
}

void mote_isa_conv_stairs__rv32(const struct mote_conv2d_triples_s8 *p,
                                const struct mote_triples_job *d) {
  struct block b;
  b.n = mote_conv_column(&p->conv);
  b.columns = p->conv.kernel_w;
  b.jump = 4 * d->column_step - 8 * b.n;
  if (b.jump == 0) { /* columns behind one another are one */
    b.n *= b.columns;
    b.columns = 1;
  }
  b.window = mote_conv_window(&p->conv);
  b.low = p->conv.output.low;
  b.high = p->conv.output.high;
  for (uint32_t i = 0; i < d->triples; i += TRIPLES) make_block(p, d, i, &b);
  const struct mote_stair *stairs = mote_stairs_of(&p->conv.output);
  for (uint32_t c = 0, none = p->run_values; none && c < p->conv.out_c; c++)
    if (!mote_has_stair(&stairs[c])) {
      mote_conv_stairs_channel(p, d, c);
      none--;
    }
}

#else
typedef int mote_isa_rv32_stairs_is_empty; /* C wants a declaration in every file */
#endif
