/* rv32_nine: depthwise 3x3 windows by stairs on RV32IM, all channels of a row in one piece of assembly, from the rows where
 * they lie. With stride 1 a value is loaded once for the three windows that it is in:
 *
 *     3 x (LB, ADD, 3 MUL, 3 ADD), less one ADD     23
 *     SLLI, MULHSU, BLT, ADD, SRA, BLE, SB, ADD, BEQ    9, and 7 where the output is the lowest
 *
 * and with stride 2 for one or two. Nine weights, three pointers and their steps, three sums, a value, a product and what makes
 * outputs are all 28 registers. A row that is missing is one byte, the zero point, read again and again: its step is 0. A column
 * outside of the row, at most one on either side, is the zero point times three weights.
 *
 * |sum| <= 9 * 2^7 * 2^7 < 2^18, so 2^13 sum is an int32, and the upper half of its product with the stair's word is what the shift
 * by the same word is of. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

/* The assembly knows the offsets. */
struct row {
  const int8_t *at[3]; /*  0: the first column inside the row */
  uint32_t step[3];    /* 12: bytes to the next column */
  uint32_t back[3];    /* 24: from behind the last column to the next channel's first, backwards */
  int8_t *out, *end;   /* 36: behind the last window that ends inside */
  uint32_t out_step, out_back;     /* 44 */
  const int8_t *weights;           /* 52: move on */
  const struct mote_stair *stairs; /* 56: move on */
  uint32_t channels;               /* 60: counted down, at least 1 */
  int32_t low, high, zp;           /* 64 */
  uint32_t left, right;            /* 76: whether a column lies outside */
};
typedef char row_layout[sizeof(struct row) == 84 ? 1 : -1];

/* s0..s8 weights, column by column; a0..a2 pointers, a3..a5 steps; a6 out, a7 its step, ra the end; t0..t2 sums, t3 a value,
 * t4 a product; t5 the stair's word, t6 its offset, s9 where the second step begins, s10 low, s11 high. In a frame: 0 the row. */
__asm__(
    MOTE_RV32_FRAME
    /* A value for the windows whose last, middle, first column it is in; begins: a sum from nothing. */
    ".macro mote_nine_row at, step, w6, w3, w0, last, middle, first, begins\n"
    "  lb t3, 0(\\at)\n"
    "  add \\at, \\at, \\step\n"
    "  .ifnc \\last, no\n"
    "    mul t4, \\w6, t3\n"
    "    add \\last, \\last, t4\n"
    "  .endif\n"
    "  .ifnc \\middle, no\n"
    "    mul t4, \\w3, t3\n"
    "    add \\middle, \\middle, t4\n"
    "  .endif\n"
    "  .ifnc \\first, no\n"
    "    .if \\begins\n"
    "      mul \\first, \\w0, t3\n"
    "    .else\n"
    "      mul t4, \\w0, t3\n"
    "      add \\first, \\first, t4\n"
    "    .endif\n"
    "  .endif\n"
    ".endm\n"
    ".macro mote_nine_column last, middle, first\n"
    "  mote_nine_row a0, a3, s6, s3, s0, \\last, \\middle, \\first, 1\n"
    "  mote_nine_row a1, a4, s7, s4, s1, \\last, \\middle, \\first, 0\n"
    "  mote_nine_row a2, a5, s8, s5, s2, \\last, \\middle, \\first, 0\n"
    ".endm\n"
    ".macro mote_nine_out sum\n"
    "  slli \\sum, \\sum, 13\n" /* MOTE_STAIR_NINE_UP */
    "  mulhsu \\sum, \\sum, t5\n"
    "  blt \\sum, s9, .Lmote_nine_low\\@\n"
    "  add \\sum, \\sum, t6\n"
    "  sra \\sum, \\sum, t5\n"
    "  ble \\sum, s11, .Lmote_nine_put\\@\n"
    "  mv \\sum, s11\n"
    ".Lmote_nine_put\\@:\n"
    "  sb \\sum, 0(a6)\n"
    ".Lmote_nine_out\\@:\n"
    "  add a6, a6, a7\n"
    ".subsection 1\n"
    ".Lmote_nine_low\\@:\n"
    "  sb s10, 0(a6)\n"
    "  j .Lmote_nine_out\\@\n"
    ".subsection 0\n"
    ".endm\n"
    /* What a column outside adds; t3 the row. */
    ".macro mote_nine_outside to, w0, w1, w2\n"
    "  add t4, \\w0, \\w1\n"
    "  add t4, t4, \\w2\n"
    "  lw \\to, 72(t3)\n"
    "  mul \\to, \\to, t4\n"
    ".endm\n"
    ".macro mote_rv32_nine name, stride\n"
    "  mote_begin \\name\n"
    "  mote_frame 80\n"
    "  mv t3, a0\n"
    "  lw a1, 4(t3)\n"
    "  lw a2, 8(t3)\n"
    "  lw a3, 12(t3)\n"
    "  lw a4, 16(t3)\n"
    "  lw a5, 20(t3)\n"
    "  lw a6, 36(t3)\n"
    "  lw ra, 40(t3)\n"
    "  lw a7, 44(t3)\n"
    "  lw s10, 64(t3)\n"
    "  lw s11, 68(t3)\n"
    "  lw a0, 0(t3)\n"
    "1:\n"
    "  lw t4, 52(t3)\n"
    "  lb s0, 0(t4)\n"
    "  lb s1, 1(t4)\n"
    "  lb s2, 2(t4)\n"
    "  lb s3, 3(t4)\n"
    "  lb s4, 4(t4)\n"
    "  lb s5, 5(t4)\n"
    "  lb s6, 6(t4)\n"
    "  lb s7, 7(t4)\n"
    "  lb s8, 8(t4)\n"
    "  addi t4, t4, 9\n"
    "  sw t4, 52(t3)\n"
    "  lw t4, 56(t3)\n"
    "  lw t6, 0(t4)\n"
    "  lw t5, 4(t4)\n"
    "  addi t4, t4, 8\n"
    "  sw t4, 56(t3)\n"
    "  sll s9, s10, t5\n"
    "  sub s9, s9, t6\n"
    "  lw t4, 76(t3)\n"
    "  bnez t4, 2f\n"
    "  mote_nine_column no, no, t0\n"
    "  j 3f\n"
    "2:\n"
    "  mote_nine_outside t0, s0, s1, s2\n"
    "3:\n"
    "  .if \\stride == 1\n"
    "    mote_nine_column no, t0, t1\n"
    "    beq a6, ra, 6f\n"
    "  4:\n"
    "    mote_nine_column t0, t1, t2\n"
    "    mote_nine_out t0\n"
    "    beq a6, ra, 5f\n"
    "    mote_nine_column t1, t2, t0\n"
    "    mote_nine_out t1\n"
    "    mv t1, t2\n"
    "    beq a6, ra, 5f\n"
    "    mote_nine_column t2, t0, t1\n"
    "    mote_nine_out t2\n"
    "    bne a6, ra, 4b\n"
    "    j 6f\n"
    "  5:\n"
    "    mv t0, t1\n"
    "  .else\n"
    "    beq a6, ra, 6f\n"
    "  4:\n"
    "    mote_nine_column no, t0, no\n"
    "    mote_nine_column t0, no, t1\n"
    "    mote_nine_out t0\n"
    "    mv t0, t1\n"
    "    bne a6, ra, 4b\n"
    "  .endif\n"
    "6:\n"
    "  lw t3, 0(sp)\n"
    "  lw t4, 80(t3)\n"
    "  beqz t4, 9f\n"
    "  .if \\stride == 2\n"
    "    mote_nine_column no, t0, no\n"
    "    lw t3, 0(sp)\n"
    "  .endif\n"
    "  mote_nine_outside t1, s6, s7, s8\n"
    "  add t0, t0, t1\n"
    "  mote_nine_out t0\n"
    "9:\n"
    "  lw t4, 24(t3)\n"
    "  sub a0, a0, t4\n"
    "  lw t4, 28(t3)\n"
    "  sub a1, a1, t4\n"
    "  lw t4, 32(t3)\n"
    "  sub a2, a2, t4\n"
    "  lw t4, 48(t3)\n"
    "  sub a6, a6, t4\n"
    "  addi ra, ra, 1\n"
    "  lw t4, 60(t3)\n"
    "  addi t4, t4, -1\n"
    "  sw t4, 60(t3)\n"
    "  bnez t4, 1b\n"
    "  mote_return 80\n"
    "  mote_end \\name\n"
    ".endm\n"
    "mote_rv32_nine mote_rv32_nine1, 1\n"
    "mote_rv32_nine mote_rv32_nine2, 2\n");
void mote_rv32_nine1(struct row *s);
void mote_rv32_nine2(struct row *s);

/* A row; returns 0 where it is not one of these. */
static int make(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, int8_t *out) {
  const int32_t left = p->pad_left, n = p->out_w;
  const int32_t taken = (n - 1) * p->stride_w + 3 - left; /* columns from the first inside on */
  const int32_t right = taken > p->in_w ? taken - p->in_w : 0, inside = taken - right;
  const int8_t zp = p->output.in_zp;
  struct row s;
  if (p->multiplier != 1 || p->stride_w > 2 || left > 1 || right > 1 || inside < 1) return 0;
  for (uint32_t i = 0; i < 3; i++) {
    s.at[i] = rows[i] ? (const int8_t *)rows[i] : &zp;
    s.step[i] = rows[i] ? p->in_c : 0;
    s.back[i] = rows[i] ? (uint32_t)inside * p->in_c - 1 : 0;
  }
  s.out = out;
  s.out_step = p->in_c;
  s.end = out + (size_t)(uint32_t)(n - right) * p->in_c;
  s.out_back = (uint32_t)n * p->in_c - 1;
  s.weights = (const int8_t *)mote_at(p, p->weights_at);
  s.stairs = mote_stairs_of(&p->output);
  s.channels = p->in_c;
  s.low = p->output.low;
  s.high = p->output.high;
  s.zp = zp;
  s.left = (uint32_t)left;
  s.right = (uint32_t)right;
  (p->stride_w == 1 ? mote_rv32_nine1 : mote_rv32_nine2)(&s);
  return 1;
}

void mote_isa_depthwise_stairs_high__rv32(const void *params, const void *const *rows, void *state,
                                          void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
    if (make(p, rows, to)) {
      to += (size_t)p->out_w * out_c;
      continue;
    }
    for (uint32_t x = 0, n; x < p->out_w; x += n, to += (size_t)n * out_c) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      mote_depthwise_high_strip(p, rows, x, n, state, to);
    }
  }
}

#else
typedef int mote_isa_rv32_nine_is_empty; /* C wants a declaration in every file */
#endif
