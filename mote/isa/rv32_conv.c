/* rv32_conv: convolutions by triples of pixels on RV32IM (isa.h says what a triple is).
 *
 * The inner loop is for four channels and two triples, six pixels: a value is 4 loads of a weight (byte loads extend
 * the sign, so nothing is unpacked), 4 loads of a word, 16 multiplications and 16 additions, 40 instructions for 24
 * products. In assembly, because it takes every register that there is: 16 sums, 4 weights, 4 pointers to weights
 * and 2 to words, a word and a product; the rest lies on the stack.
 * No access but of bytes and aligned words. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

enum { CHANNELS = 4, TRIPLES = 2, BLOCK = 3 * TRIPLES };

/* One run; the assembly knows the offsets. */
struct rv32_run {
  uint32_t sums[CHANNELS][TRIPLES][2]; /*  0: of channel, triple */
  const int8_t *weights[CHANNELS];     /* 64: moved on */
  const uint32_t *words[TRIPLES];      /* 80: moved on */
  uint32_t n;                          /* 88: values of a column, at least 1 */
  uint32_t columns;                    /* 92: at least 1 */
  uint32_t jump;                       /* 96: bytes from the end of a column to the next */
};
typedef char rv32_run_layout[sizeof(struct rv32_run) == 100 ? 1 : -1];

/* Stack: 0 the run, 4 where the quads of a column end (its first channel's weights), 8 columns left, 12 where the
 * column ends, 16.. registers. */
__asm__(".macro mote_four word, s0, s1, s2, s3\n"
        "  mul a0, t0, \\word\n"
        "  add \\s0, \\s0, a0\n"
        "  mul a0, t1, \\word\n"
        "  add \\s1, \\s1, a0\n"
        "  mul a0, t2, \\word\n"
        "  add \\s2, \\s2, a0\n"
        "  mul a0, ra, \\word\n"
        "  add \\s3, \\s3, a0\n"
        ".endm\n"
        ".macro mote_value k, two\n"
        "  lb t0, \\k(t3)\n"
        "  lb t1, \\k(t4)\n"
        "  lb t2, \\k(t5)\n"
        "  lb ra, \\k(t6)\n"
        "  lw a1, 8*\\k(a2)\n"
        "  mote_four a1, s0, s4, s8, a4\n"
        "  lw a1, 8*\\k+4(a2)\n"
        "  mote_four a1, s1, s5, s9, a5\n"
        "  .if \\two\n"
        "    lw a1, 8*\\k(a3)\n"
        "    mote_four a1, s2, s6, s10, a6\n"
        "    lw a1, 8*\\k+4(a3)\n"
        "    mote_four a1, s3, s7, s11, a7\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_move_on values, two\n"
        "  addi t3, t3, \\values\n"
        "  addi t4, t4, \\values\n"
        "  addi t5, t5, \\values\n"
        "  addi t6, t6, \\values\n"
        "  addi a2, a2, 8*\\values\n"
        "  .if \\two\n"
        "    addi a3, a3, 8*\\values\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_rv32_run name, two\n"
        "  .section .text.\\name, \"ax\", @progbits\n"
        "  .balign 4\n"
        "  .global \\name\n"
        "  .type \\name, @function\n"
        "\\name:\n"
        "  addi sp, sp, -80\n"
        "  sw a0, 0(sp)\n"
        "  sw ra, 16(sp)\n"
        "  sw s0, 20(sp)\n"
        "  sw s1, 24(sp)\n"
        "  sw s2, 28(sp)\n"
        "  sw s3, 32(sp)\n"
        "  sw s4, 36(sp)\n"
        "  sw s5, 40(sp)\n"
        "  sw s6, 44(sp)\n"
        "  sw s7, 48(sp)\n"
        "  sw s8, 52(sp)\n"
        "  sw s9, 56(sp)\n"
        "  sw s10, 60(sp)\n"
        "  sw s11, 64(sp)\n"
        "  lw t3, 64(a0)\n"
        "  lw t4, 68(a0)\n"
        "  lw t5, 72(a0)\n"
        "  lw t6, 76(a0)\n"
        "  lw a2, 80(a0)\n"
        "  lw a3, 84(a0)\n"
        "  lw a1, 92(a0)\n"
        "  sw a1, 8(sp)\n"
        "  lui s0, 0x00100\n" /* MOTE_TRIPLE_FIRST */
        "  lui s1, 0x40100\n" /* MOTE_TRIPLE_SECOND */
        "  mv s4, s0\n"
        "  mv s5, s1\n"
        "  mv s8, s0\n"
        "  mv s9, s1\n"
        "  mv a4, s0\n"
        "  mv a5, s1\n"
        "  .if \\two\n"
        "    mv s2, s0\n"
        "    mv s3, s1\n"
        "    mv s6, s0\n"
        "    mv s7, s1\n"
        "    mv s10, s0\n"
        "    mv s11, s1\n"
        "    mv a6, s0\n"
        "    mv a7, s1\n"
        "  .endif\n"
        "1:\n" /* a column: its quads, then what is left */
        "  lw a1, 0(sp)\n"
        "  lw a1, 88(a1)\n"
        "  add a0, t3, a1\n"
        "  sw a0, 12(sp)\n"
        "  andi a1, a1, -4\n"
        "  beqz a1, 3f\n"
        "  add a1, a1, t3\n"
        "  sw a1, 4(sp)\n"
        "2:\n"
        "  mote_value 0, \\two\n"
        "  mote_value 1, \\two\n"
        "  mote_value 2, \\two\n"
        "  mote_value 3, \\two\n"
        "  mote_move_on 4, \\two\n"
        "  lw a0, 4(sp)\n"
        "  bne t3, a0, 2b\n"
        "3:\n"
        "  lw a0, 12(sp)\n"
        "  beq t3, a0, 5f\n"
        "4:\n"
        "  mote_value 0, \\two\n"
        "  mote_move_on 1, \\two\n"
        "  lw a0, 12(sp)\n"
        "  bne t3, a0, 4b\n"
        "5:\n"
        "  lw a1, 0(sp)\n"
        "  lw a0, 96(a1)\n"
        "  add a2, a2, a0\n"
        "  add a3, a3, a0\n"
        "  lw a0, 8(sp)\n"
        "  addi a0, a0, -1\n"
        "  sw a0, 8(sp)\n"
        "  bnez a0, 1b\n"
        "  sw s0, 0(a1)\n"
        "  sw s1, 4(a1)\n"
        "  .if \\two\n"
        "    sw s2, 8(a1)\n"
        "    sw s3, 12(a1)\n"
        "  .endif\n"
        "  sw s4, 16(a1)\n"
        "  sw s5, 20(a1)\n"
        "  .if \\two\n"
        "    sw s6, 24(a1)\n"
        "    sw s7, 28(a1)\n"
        "  .endif\n"
        "  sw s8, 32(a1)\n"
        "  sw s9, 36(a1)\n"
        "  .if \\two\n"
        "    sw s10, 40(a1)\n"
        "    sw s11, 44(a1)\n"
        "  .endif\n"
        "  sw a4, 48(a1)\n"
        "  sw a5, 52(a1)\n"
        "  .if \\two\n"
        "    sw a6, 56(a1)\n"
        "    sw a7, 60(a1)\n"
        "  .endif\n"
        "  sw t3, 64(a1)\n"
        "  sw t4, 68(a1)\n"
        "  sw t5, 72(a1)\n"
        "  sw t6, 76(a1)\n"
        "  sw a2, 80(a1)\n"
        "  sw a3, 84(a1)\n"
        "  lw ra, 16(sp)\n"
        "  lw s0, 20(sp)\n"
        "  lw s1, 24(sp)\n"
        "  lw s2, 28(sp)\n"
        "  lw s3, 32(sp)\n"
        "  lw s4, 36(sp)\n"
        "  lw s5, 40(sp)\n"
        "  lw s6, 44(sp)\n"
        "  lw s7, 48(sp)\n"
        "  lw s8, 52(sp)\n"
        "  lw s9, 56(sp)\n"
        "  lw s10, 60(sp)\n"
        "  lw s11, 64(sp)\n"
        "  addi sp, sp, 80\n"
        "  ret\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
        "mote_rv32_run mote_rv32_run1, 0\n"
        "mote_rv32_run mote_rv32_run2, 1\n"
        ".text\n");

/* One triple, and two. */
void mote_rv32_run1(struct rv32_run *r);
void mote_rv32_run2(struct rv32_run *r);

/* Four channels, and up to two triples of the strip at a time. */
struct block {
  const struct mote_conv2d_triples_s8 *p;
  const struct mote_triples_job *d;
  const int8_t *weights; /* of the first channel */
  uint32_t c, n;         /* it, and how many there are */
  uint32_t i, triples;   /* the first triple, and how many there are */
  struct rv32_channel channels[CHANNELS];
  struct rv32_run run;
};

/* The next run, of `columns` pieces of n values. */
static void do_run(struct block *b, uint32_t columns, uint32_t n) {
  b->run.columns = columns;
  b->run.n = n;
  (b->triples > 1 ? mote_rv32_run2 : mote_rv32_run1)(&b->run);
}

/* The outputs of a block; totals NULL: from the only run. */
static inline __attribute__((always_inline)) void
put_as(const struct block *b, const uint32_t (*totals)[BLOCK], int clamped) {
  const struct mote_output *const o = &b->p->conv.output;
  const int32_t low = o->low, high = o->high;
  const uint32_t m = b->d->triples, pixels = b->d->pixels, out_c = b->p->conv.out_c;
  const uint32_t first = b->i, end = first + b->triples, n = b->n;
  const size_t lane = (size_t)m * out_c;
  int8_t *out = b->d->out + (size_t)first * out_c + b->c;
  for (uint32_t k = 0; k < n; k++, out++) {
    const struct rv32_channel ch = b->channels[k];
    const uint32_t *words = b->run.sums[k][0], *total = totals ? totals[k] : NULL;
    int8_t *to = out;
    for (uint32_t i = first; i < end; i++, words += 2, to += out_c) {
      uint32_t sums[3];
      if (totals) {
        for (uint32_t l = 0; l < 3; l++) sums[l] = *total++;
      } else {
        mote_triple_sums(words[0], words[1], sums);
      }
      int8_t *next = to;
      rv32_output(&ch, sums[0], low, high, clamped, next);
      if (i + m >= pixels) continue;
      next += lane;
      rv32_output(&ch, sums[1], low, high, clamped, next);
      if (i + 2 * m >= pixels) continue;
      next += lane;
      rv32_output(&ch, sums[2], low, high, clamped, next);
    }
  }
}
static __attribute__((noinline)) void put(const struct block *b) { put_as(b, NULL, 0); }
static __attribute__((noinline)) void put_clamped(const struct block *b) { put_as(b, NULL, 1); }

/* The same by the general way. */
static void put_any(const struct block *b, const uint32_t (*totals)[BLOCK]) {
  const struct mote_conv2d_triples_s8 *p = b->p;
  for (uint32_t k = 0; k < b->n; k++) {
    const struct mote_channel ch = mote_channel_at(&p->conv.output, b->c + k);
    for (uint32_t t = 0; t < 3 * b->triples; t++) {
      const uint32_t x = b->i + t / 3 + t % 3 * b->d->triples;
      if (x < b->d->pixels)
        b->d->out[(size_t)x * p->conv.out_c + b->c + k] =
            mote_output_of(&p->conv.output, &ch, (int32_t)(totals[k][t] + (uint32_t)ch.bias));
    }
  }
}

/* Adds the sums of a run to the totals. */
static void add_run(const struct block *b, uint32_t (*totals)[BLOCK]) {
  for (uint32_t k = 0; k < CHANNELS; k++) {
    const uint32_t *words = b->run.sums[k][0];
    uint32_t *total = totals[k];
    for (uint32_t t = b->triples; t; t--, words += 2, total += 3) {
      uint32_t sums[3];
      mote_triple_sums(words[0], words[1], sums);
      for (uint32_t l = 0; l < 3; l++) total[l] += sums[l] - MOTE_TRIPLE_FIRST;
    }
  }
}

/* A block of several runs, or by the general way. */
static __attribute__((noinline)) void do_runs(struct block *b, int fast) {
  const struct mote_conv2d_triples_s8 *p = b->p;
  const uint32_t n = mote_conv_column(&p->conv), kernel_w = p->conv.kernel_w, gap = b->run.jump;
  const uint32_t some = p->run_columns ? n : p->run_values;
  uint32_t totals[CHANNELS][BLOCK];
  for (uint32_t k = 0; k < CHANNELS; k++)
    for (uint32_t t = 0; t < BLOCK; t++) totals[k][t] = 0;
  for (uint32_t j = 0, at = 0; j < kernel_w;) {
    uint32_t columns = 1, values = n - at < some ? n - at : some;
    if (p->run_columns) columns = kernel_w - j < p->run_columns ? kernel_w - j : p->run_columns;
    b->run.jump = at + values < n ? 0 : gap;
    do_run(b, columns, values);
    add_run(b, totals);
    at += values;
    if (at == n) {
      at = 0;
      j += columns;
    }
  }
  if (fast)
    put_as(b, (const uint32_t(*)[BLOCK])totals, 0);
  else
    put_any(b, (const uint32_t(*)[BLOCK])totals);
}

/* offset: of the sums. Returns 0 where it must be the general way. */
static int set_channels(struct block *b, uint32_t offset) {
  const struct mote_output *o = &b->p->conv.output;
  for (uint32_t k = 0; k < b->n; k++)
    if (!rv32_channel_of(o, b->c + k, mote_conv_window(&b->p->conv), offset, &b->channels[k]))
      return 0;
  return 1;
}

/* Where a block's first run begins. */
static void set_run(struct block *b) {
  const uint32_t window = mote_conv_window(&b->p->conv);
  const int8_t *weights = b->weights;
  for (uint32_t k = 0; k < CHANNELS; k++) { /* missing channels are the last once more */
    b->run.weights[k] = weights;
    if (k + 1 < b->n) weights += window;
  }
  b->run.words[0] = b->d->words + (size_t)b->i * b->d->pixel_step;
  b->run.words[1] = b->run.words[0] + b->d->pixel_step;
  b->run.jump = 4 * b->d->column_step - 8 * mote_conv_column(&b->p->conv);
}

void mote_isa_conv_triples__rv32(const struct mote_conv2d_triples_s8 *p,
                                 const struct mote_triples_job *d) {
  const int whole = p->run_columns >= p->conv.kernel_w;
  const int clamped = p->conv.output.low >= p->conv.output.zp;
  struct block b;
  b.p = p;
  b.d = d;
  b.weights = (const int8_t *)mote_at(p, p->conv.weights_at);
  for (b.c = 0; b.c < p->conv.out_c; b.c += CHANNELS) {
    b.n = p->conv.out_c - b.c < CHANNELS ? p->conv.out_c - b.c : CHANNELS;
    const int fast = set_channels(&b, whole ? MOTE_TRIPLE_FIRST : 0);
    for (b.i = 0; b.i < d->triples; b.i += TRIPLES) {
      b.triples = d->triples - b.i < TRIPLES ? d->triples - b.i : TRIPLES;
      set_run(&b);
      if (whole && fast) {
        do_run(&b, p->conv.kernel_w, mote_conv_column(&p->conv));
        (clamped ? put_clamped : put)(&b);
      } else {
        do_runs(&b, fast);
      }
    }
    b.weights += (size_t)b.n * mote_conv_window(&p->conv);
  }
}

/* ---- the same by stairs ---------------------------------------------------------------------- */

/* The outputs of a block, from the words of its only run. With t = s + 2^20 of 21 bits for the sum s, floor(s m / 2^12) is
 * the upper half of 2^11 t times 2^9 m, less 2^8 m: what shifts t to the top need not be undone. */
static __attribute__((noinline)) void put_stairs(const struct block *b) {
  const struct mote_output *const o = &b->p->conv.output;
  const struct mote_stair *const stairs = mote_stairs_of(o) + b->c;
  const int32_t low = o->low, high = o->high;
  const uint32_t m = b->d->triples, pixels = b->d->pixels, out_c = b->p->conv.out_c;
  const uint32_t first = b->i, end = first + b->triples, n = b->n;
  const size_t lane = (size_t)m * out_c;
  int8_t *out = b->d->out + (size_t)first * out_c + b->c;
  for (uint32_t k = 0; k < n; k++, out++) {
    struct rv32_stair s = rv32_stair_of(&stairs[k]);
    const uint32_t *words = b->run.sums[k][0];
    int8_t *to = out;
    if (!s.multiplier) {
      for (uint32_t i = first; i < end; i++, words += 2, to += out_c) {
        uint32_t sums[3];
        mote_triple_sums(words[0], words[1], sums);
        for (uint32_t l = 0; l < 3 && i + l * m < pixels; l++)
          rv32_put_stair(&s, (int32_t)(sums[l] - MOTE_TRIPLE_FIRST), low, high, to + l * lane);
      }
      continue;
    }
    s.offset -= s.multiplier >> 1;
    for (uint32_t i = first; i < end; i++, words += 2, to += out_c) {
      const uint32_t lower = words[0] >> 21, rest = words[1] - (lower << 10);
      const uint32_t top[3] = {words[0] << 11, (lower << 11) + (rest >> 21 << 22), rest << 11};
      int8_t *next = to;
      for (uint32_t l = 0;;) {
        rv32_put_scaled(&s, (uint32_t)((uint64_t)top[l] * s.multiplier >> 32), low, high, next);
        if (++l == 3 || i + l * m >= pixels) break;
        next += lane;
      }
    }
  }
}

void mote_isa_conv_stairs__rv32(const struct mote_conv2d_triples_s8 *p,
                                const struct mote_triples_job *d) {
  struct block b;
  b.p = p;
  b.d = d;
  b.weights = (const int8_t *)mote_at(p, p->conv.weights_at);
  for (b.c = 0; b.c < p->conv.out_c; b.c += CHANNELS) {
    b.n = p->conv.out_c - b.c < CHANNELS ? p->conv.out_c - b.c : CHANNELS;
    for (b.i = 0; b.i < d->triples; b.i += TRIPLES) {
      b.triples = d->triples - b.i < TRIPLES ? d->triples - b.i : TRIPLES;
      set_run(&b);
      do_run(&b, p->conv.kernel_w, mote_conv_column(&p->conv));
      put_stairs(&b);
    }
    b.weights += (size_t)b.n * mote_conv_window(&p->conv);
  }
  const struct mote_stair *stairs = mote_stairs_of(&p->conv.output);
  for (uint32_t c = 0, none = p->run_values; none && c < p->conv.out_c; c++)
    if (!mote_has_stair(&stairs[c])) {
      mote_conv_stairs_channel(p, d, c);
      none--;
    }
}

#else
typedef int mote_isa_rv32_conv_is_empty; /* C wants a declaration in every file */
#endif
