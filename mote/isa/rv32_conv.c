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

/* On return the pointers stand where the next run begins: behind the last column's jump. */
__asm__(MOTE_RV32_FRAME MOTE_RV32_TRIPLES ".macro mote_rv32_run name, two\n"
                                          "  mote_begin \\name\n"
                                          "  mote_frame 80\n"
                                          "  mote_columns_set 88, 92\n"
                                          "  lw t3, 64(a0)\n"
                                          "  lw t4, 68(a0)\n"
                                          "  lw t5, 72(a0)\n"
                                          "  lw t6, 76(a0)\n"
                                          "  lw a2, 80(a0)\n"
                                          "  lw a3, 84(a0)\n"
                                          "  mote_sums_begin \\two\n"
                                          "  mote_columns \\two, 92, 96\n"
                                          "  lw a1, 0(sp)\n"
                                          "  lw a0, 96(a1)\n"
                                          "  add a2, a2, a0\n"
                                          "  add a3, a3, a0\n"
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
                                          "  mote_return 80\n"
                                          "  mote_end \\name\n"
                                          ".endm\n"
                                          "mote_rv32_run mote_rv32_run1, 0\n"
                                          "mote_rv32_run mote_rv32_run2, 1\n");

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

#else
typedef int mote_isa_rv32_conv_is_empty; /* C wants a declaration in every file */
#endif
