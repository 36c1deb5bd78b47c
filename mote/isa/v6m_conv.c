/* v6m_conv: convolutions by triples of pixels (isa.h) for ARMv6-M, in assembly because most instructions see only r0..r7.
 *
 * Up to three triples are a block: their sums live in r8..r12 and lr, which ADD reaches. A quad of weights is one word,
 * 8 instructions with their extraction, and 4 for the loop; a triple's share of it is 3 LDM for 8 words, 8 MULS and 8
 * ADD, and 2 to the next triple: 75 instructions for 36 products.
 * No unaligned access: weights are read as aligned words. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

enum { BLOCK = 3 };

/* One run of a block; the assembly knows the offsets. */
struct triples_run {
  uint32_t sums[2 * BLOCK]; /*  0: `first` and `second` of each triple */
  const int8_t *weights;    /* 24 */
  const uint32_t *words;    /* 28: of the first triple */
  uint32_t n;               /* 32: weights of a column, a multiple of 4 */
  uint32_t columns;         /* 36: counted down */
  uint32_t jump;            /* 40: bytes from a quad's end to the same quad of the next triple */
  uint32_t back;            /* 44: and from the last triple's to the next quad of the first */
  uint32_t column_jump;     /* 48: from a column's end to the next */
};
typedef char triples_run_layout[sizeof(struct triples_run) == 52 ? 1 : -1];

__asm__(".syntax unified\n"
        ".thumb\n"
        ".macro mote_triple first, second\n"
        "  ldm r0!, {r1, r6, r7}\n"
        "  muls r1, r2, r1\n"
        "  muls r6, r2, r6\n"
        "  muls r7, r3, r7\n"
        "  add \\first, \\first, r1\n"
        "  add \\second, \\second, r6\n"
        "  add \\first, \\first, r7\n"
        "  ldm r0!, {r1, r6, r7}\n"
        "  muls r1, r3, r1\n"
        "  muls r6, r4, r6\n"
        "  muls r7, r4, r7\n"
        "  add \\second, \\second, r1\n"
        "  add \\first, \\first, r6\n"
        "  add \\second, \\second, r7\n"
        "  ldm r0!, {r6, r7}\n"
        "  muls r6, r5, r6\n"
        "  muls r7, r5, r7\n"
        "  add \\first, \\first, r6\n"
        "  add \\second, \\second, r7\n"
        ".endm\n"
        /* stack: 0 weights, 4 end of the column's, 8 jump, 12 back, 16 run */
        ".macro mote_v6m_triples name, triples\n"
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
        "  sub sp, sp, #20\n"
        "  movs r7, r0\n"
        "  ldr r1, [r7, #40]\n"
        "  str r1, [sp, #8]\n"
        "  ldr r1, [r7, #44]\n"
        "  str r1, [sp, #12]\n"
        "  str r7, [sp, #16]\n"
        "  ldm r0!, {r1, r2, r3, r4, r5, r6}\n"
        "  mov r8, r1\n"
        "  mov r9, r2\n"
        "  mov r10, r3\n"
        "  mov r11, r4\n"
        "  mov r12, r5\n"
        "  mov lr, r6\n"
        "  ldr r1, [r7, #24]\n"
        "  ldr r0, [r7, #28]\n"
        "2:\n"
        "  ldr r2, [r7, #32]\n"
        "  adds r2, r2, r1\n"
        "  str r2, [sp, #4]\n"
        "1:\n"
        "  ldm r1!, {r5}\n"
        "  str r1, [sp]\n"
        "  sxtb r2, r5\n"
        "  asrs r5, r5, #8\n"
        "  sxtb r3, r5\n"
        "  asrs r5, r5, #8\n"
        "  sxtb r4, r5\n"
        "  asrs r5, r5, #8\n"
        "  mote_triple r8, r9\n"
        "  .if \\triples > 1\n"
        "    ldr r1, [sp, #8]\n"
        "    adds r0, r0, r1\n"
        "    mote_triple r10, r11\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    ldr r1, [sp, #8]\n"
        "    adds r0, r0, r1\n"
        "    mote_triple r12, lr\n"
        "  .endif\n"
        "  .if \\triples > 1\n"
        "    ldr r1, [sp, #12]\n"
        "    adds r0, r0, r1\n"
        "  .endif\n"
        "  ldr r1, [sp]\n"
        "  ldr r2, [sp, #4]\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  ldr r7, [sp, #16]\n"
        "  ldr r2, [r7, #48]\n"
        "  adds r0, r0, r2\n"
        "  ldr r2, [r7, #36]\n"
        "  subs r2, r2, #1\n"
        "  str r2, [r7, #36]\n"
        "  bne 2b\n"
        "  mov r1, r8\n"
        "  mov r2, r9\n"
        "  mov r3, r10\n"
        "  mov r4, r11\n"
        "  mov r5, r12\n"
        "  mov r6, lr\n"
        "  stm r7!, {r1, r2, r3, r4, r5, r6}\n"
        "  add sp, sp, #20\n"
        "  pop {r4, r5, r6, r7}\n"
        "  mov r8, r4\n"
        "  mov r9, r5\n"
        "  mov r10, r6\n"
        "  mov r11, r7\n"
        "  pop {r4, r5, r6, r7, pc}\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
        "mote_v6m_triples mote_v6m_triples1, 1\n"
        "mote_v6m_triples mote_v6m_triples2, 2\n"
        "mote_v6m_triples mote_v6m_triples3, 3\n"
        ".text\n");

void mote_v6m_triples1(struct triples_run *r);
void mote_v6m_triples2(struct triples_run *r);
void mote_v6m_triples3(struct triples_run *r);

/* How a window is cut: `columns` kernel columns of n weights a run, or runs of n weights within each of `pieces`
 * columns. */
struct cut {
  uint32_t n, columns, column_jump; /* of a run; words from the end of a column to the next */
  uint32_t per_piece, pieces;       /* weights of a piece, which runs do not cross */
  uint32_t run;                     /* weights of a run within a piece */
  uint32_t piece_step;              /* words */
};

/* 0: runs that begin inside a word of weights. Columns without gaps are one. */
static int cut_window(const struct mote_conv2d_triples_s8 *t, uint32_t column_step, struct cut *c) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t n = mote_conv_column(p), whole = mote_conv_window(p);
  const uint32_t columns = t->run_columns < p->kernel_w ? t->run_columns : p->kernel_w;
  const int dense = column_step == 2 * n;
  c->pieces = c->columns = 1;
  c->column_jump = c->piece_step = 0;
  if (dense && columns == p->kernel_w) {
    c->per_piece = c->run = whole;
  } else if (dense && columns && columns * n % 4 == 0) {
    c->per_piece = whole;
    c->run = columns * n;
  } else if (n % 4 == 0 && columns == p->kernel_w) {
    c->per_piece = c->run = n;
    c->columns = columns;
    c->column_jump = column_step - 2 * n;
  } else if (n % 4 == 0 && columns == 0 && t->run_values % 4 == 0) {
    c->pieces = p->kernel_w;
    c->per_piece = n;
    c->run = t->run_values;
    c->piece_step = column_step;
  } else {
    return 0;
  }
  return 1;
}

/* The sums of a block: sums[k][i] of pixel i + k * triples. */
static void sum_block(const struct cut *c, struct triples_run *r, const int8_t *weights,
                      const uint32_t *words, uint32_t triples, uint32_t bias,
                      uint32_t sums[3][BLOCK]) {
  static void (*const loops[BLOCK])(struct triples_run *) = {mote_v6m_triples1, mote_v6m_triples2,
                                                             mote_v6m_triples3};
  for (uint32_t i = 0; i < BLOCK; i++) sums[0][i] = sums[1][i] = sums[2][i] = bias;
  for (uint32_t piece = 0; piece < c->pieces; piece++, words += c->piece_step)
    for (uint32_t at = 0; at < c->per_piece; at += r->n) {
      r->n = c->per_piece - at < c->run ? c->per_piece - at : c->run;
      r->weights = weights;
      r->words = words + 2 * (size_t)at;
      r->columns = c->columns;
      for (uint32_t i = 0; i < triples; i++) {
        r->sums[2 * i] = MOTE_TRIPLE_FIRST;
        r->sums[2 * i + 1] = MOTE_TRIPLE_SECOND;
      }
      loops[triples - 1](r);
      weights += r->n * c->columns;
      for (uint32_t i = 0; i < triples; i++) {
        uint32_t three[3];
        mote_triple_sums(r->sums[2 * i], r->sums[2 * i + 1], three);
        for (uint32_t k = 0; k < 3; k++) sums[k][i] += three[k] - MOTE_TRIPLE_FIRST;
      }
    }
}

void mote_isa_conv_triples__v6m(const struct mote_conv2d_triples_s8 *t,
                                const struct mote_triples_job *d) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const int8_t *weights = (const int8_t *)mote_at(t, p->weights_at);
  const uint32_t out_c = p->out_c;
  struct cut cut;
  struct triples_run r;
  struct v6m_outputs k;
  if (!cut_window(t, d->column_step, &cut)) {
    mote_isa_conv_triples__plain(t, d);
    return;
  }
  r.jump = 4 * d->pixel_step - 32;
  r.column_jump = 4 * cut.column_jump;
  for (uint32_t c = 0; c < out_c; c++, weights += mote_conv_window(p)) {
    mote_v6m_channel(&k, &p->output, c, out_c);
    for (uint32_t done = 0, n; done < d->triples; done += n) {
      uint32_t sums[3][BLOCK];
      n = mote_block_of(d->triples - done, BLOCK);
      r.back = 0 - 4 * (n - 1) * d->pixel_step;
      sum_block(&cut, &r, weights, d->words + (size_t)done * d->pixel_step, n, (uint32_t)k.ch.bias,
                sums);
      for (uint32_t j = 0, x = done; j < 3 && x < d->pixels; j++, x += d->triples)
        mote_v6m_put(&k, sums[j], d->pixels - x < n ? d->pixels - x : n,
                     d->out + (size_t)x * out_c + c);
    }
  }
}

#else
typedef int mote_isa_v6m_conv_is_empty; /* C wants a declaration in every file */
#endif
