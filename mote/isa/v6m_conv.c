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
  uint32_t sums[3 * BLOCK]; /*  0: of first, second, third pixels; 2^20 more is added to each */
  const int8_t *weights;    /* 36: moves on */
  const uint32_t *words;    /* 40: of the first triple */
  uint32_t n;               /* 44: weights of a column, a multiple of 4 */
  uint32_t columns;         /* 48: counted down */
  uint32_t jump;            /* 52: bytes from a quad's end to the same quad of the next triple */
  uint32_t back;            /* 56: and from the last triple's to the next quad of the first */
  uint32_t column_jump;     /* 60: from a column's end to the next */
};
typedef char triples_run_layout[sizeof(struct triples_run) == 64 ? 1 : -1];

__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME MOTE_V6M_TRIPLE
        /* The three sums of a triple, added at r7; `to` is where the first is. */
        ".macro mote_three first, second, to, step\n"
        "  mov r1, \\first\n"
        "  lsrs r2, r1, #21\n"
        "  lsls r1, r1, #11\n"
        "  lsrs r1, r1, #11\n"
        "  mov r3, \\second\n"
        "  lsls r4, r2, #10\n"
        "  subs r3, r3, r4\n"
        "  lsrs r4, r3, #21\n"
        "  lsls r4, r4, #11\n"
        "  adds r2, r2, r4\n"
        "  lsls r3, r3, #11\n"
        "  lsrs r3, r3, #11\n"
        "  ldr r4, [r7, #\\to]\n"
        "  adds r4, r4, r1\n"
        "  str r4, [r7, #\\to]\n"
        "  ldr r4, [r7, #\\to + \\step]\n"
        "  adds r4, r4, r2\n"
        "  str r4, [r7, #\\to + \\step]\n"
        "  ldr r4, [r7, #\\to + 2 * \\step]\n"
        "  adds r4, r4, r3\n"
        "  str r4, [r7, #\\to + 2 * \\step]\n"
        ".endm\n"
        /* stack: 0 weights, 4 end of the column's, 8 jump, 12 back, 16 run */
        ".macro mote_v6m_triples name, triples, jump\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #20\n"
        "  movs r7, r0\n"
        "  ldr r1, [r7, #52]\n"
        "  str r1, [sp, #8]\n"
        "  ldr r1, [r7, #56]\n"
        "  str r1, [sp, #12]\n"
        "  str r7, [sp, #16]\n"
        "  movs r1, #1\n"
        "  lsls r1, r1, #20\n" /* MOTE_TRIPLE_FIRST */
        "  lsls r2, r1, #10\n"
        "  adds r2, r2, r1\n" /* MOTE_TRIPLE_SECOND */
        "  mov r8, r1\n"
        "  mov r9, r2\n"
        "  mov r10, r1\n"
        "  mov r11, r2\n"
        "  mov r12, r1\n"
        "  mov lr, r2\n"
        "  ldr r1, [r7, #36]\n"
        "  ldr r0, [r7, #40]\n"
        "2:\n"
        "  ldr r2, [r7, #44]\n"
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
        "    .if \\jump\n"
        "      ldr r1, [sp, #8]\n"
        "      adds r0, r0, r1\n"
        "    .endif\n"
        "    mote_triple r10, r11\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    .if \\jump\n"
        "      ldr r1, [sp, #8]\n"
        "      adds r0, r0, r1\n"
        "    .endif\n"
        "    mote_triple r12, lr\n"
        "  .endif\n"
        "  ldr r1, [sp, #12]\n"
        "  adds r0, r0, r1\n"
        "  ldr r1, [sp]\n"
        "  ldr r2, [sp, #4]\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  ldr r7, [sp, #16]\n"
        "  ldr r2, [r7, #60]\n"
        "  adds r0, r0, r2\n"
        "  ldr r2, [r7, #48]\n"
        "  subs r2, r2, #1\n"
        "  str r2, [r7, #48]\n"
        "  bne 2b\n"
        "  str r1, [r7, #36]\n"
        "  mote_three r8, r9, 0, 4 * \\triples\n"
        "  .if \\triples > 1\n"
        "    mote_three r10, r11, 4, 4 * \\triples\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    mote_three r12, lr, 8, 4 * \\triples\n"
        "  .endif\n"
        "  add sp, sp, #20\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m_triples mote_v6m_triples1, 1, 0\n"
        "mote_v6m_triples mote_v6m_triples2, 2, 0\n"
        "mote_v6m_triples mote_v6m_triples3, 3, 0\n"
        "mote_v6m_triples mote_v6m_triples2_far, 2, 1\n"
        "mote_v6m_triples mote_v6m_triples3_far, 3, 1\n"
        ".text\n");

void mote_v6m_triples1(struct triples_run *r);
void mote_v6m_triples2(struct triples_run *r);
void mote_v6m_triples3(struct triples_run *r);
/* Where the same quads of neighbouring triples do not stand side by side. */
void mote_v6m_triples2_far(struct triples_run *r);
void mote_v6m_triples3_far(struct triples_run *r);

/* How a window is cut: pieces of `columns` kernel columns of n weights each, at most `all` of them, and each in runs of `run`
 * weights; where a run is whole columns, it is the piece. */
struct cut {
  uint32_t columns, all, n, run;
  uint32_t column_step, quad_step; /* words */
};

/* 0: runs that begin inside a word of weights. Columns without gaps are one. */
static int cut_window(const struct mote_conv2d_triples_s8 *t, const struct mote_triples_job *d,
                      struct cut *c) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t n = mote_conv_column(p);
  c->column_step = d->column_step;
  c->quad_step = d->quad_step;
  c->columns = c->all = 1;
  if (d->quad_step == 8 && (d->column_step == 2 * n || p->kernel_w == 1)) {
    c->n = mote_conv_window(p);
    c->run = t->run_columns >= p->kernel_w ? c->n : t->run_columns * n;
    if (c->run && c->run % 4 == 0) return 1;
  }
  if (n % 4 != 0) return 0;
  c->all = p->kernel_w;
  c->n = n;
  c->run = t->run_columns ? n : t->run_values;
  if (t->run_columns) c->columns = t->run_columns < p->kernel_w ? t->run_columns : p->kernel_w;
  return c->run % 4 == 0;
}

/* Whether a window is one run; sets what all its blocks share then. */
static int is_one_run(const struct cut *c, struct triples_run *r) {
  r->n = c->n;
  r->columns = c->all;
  r->column_jump = 4 * c->column_step - c->n * c->quad_step;
  return c->n <= c->run && c->all <= c->columns;
}

/* Adds a block's sums, run by run: r->sums[k * triples + i] of pixel i + k * the strip's triples. Returns how many it took. */
static uint32_t sum_runs(const struct cut *c, struct triples_run *r, const uint32_t *words,
                         void (*loop)(struct triples_run *)) {
  uint32_t runs = 0;
  for (uint32_t j = 0; j < c->all; j += c->columns, words += c->columns * c->column_step)
    for (uint32_t at = 0; at < c->n; at += r->n, runs++) {
      r->n = c->n - at < c->run ? c->n - at : c->run;
      r->words = words + at / 4 * c->quad_step;
      r->columns = c->all - j < c->columns ? c->all - j : c->columns;
      r->column_jump = 4 * c->column_step - r->n * c->quad_step;
      loop(r);
    }
  return runs;
}

/* Outputs of the triples first .. first + n - 1. Only thirds are missing, but of a single pixel. */
static void put_block(const struct mote_triples_job *d, struct v6m_outputs *k, const uint32_t *sums,
                      uint32_t first, uint32_t n, int8_t *out) {
  const uint32_t m = d->triples, far = m * k->step, third = first + 2 * m;
  if (third + n <= d->pixels) {
    mote_v6m_put(k, sums, n, out, 3, far);
    return;
  }
  mote_v6m_put(k, sums, n, out, d->pixels > 1 ? 2 : 1, far);
  if (third < d->pixels) mote_v6m_put(k, sums + 2 * n, d->pixels - third, out + 2 * far, 1, 0);
}

void mote_isa_conv_triples__v6m(const struct mote_conv2d_triples_s8 *t,
                                const struct mote_triples_job *d) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const int8_t *weights = (const int8_t *)mote_at(t, p->weights_at);
  const uint32_t out_c = p->out_c, window = mote_conv_window(p);
  struct cut cut;
  struct triples_run r;
  struct v6m_outputs k;
  static void (*const all[2][BLOCK])(struct triples_run *) = {
      {mote_v6m_triples1, mote_v6m_triples2, mote_v6m_triples3},
      {mote_v6m_triples1, mote_v6m_triples2_far, mote_v6m_triples3_far}};
  void (*const *const loops)(struct triples_run *) = all[d->pixel_step != 8];
  if (!cut_window(t, d, &cut)) {
    mote_isa_conv_triples__plain(t, d);
    return;
  }
  r.jump = 4 * d->pixel_step - 32;
  const int one = is_one_run(&cut, &r);
  mote_v6m_begin(&k, &p->output, out_c);
  for (uint32_t c = 0; c < out_c; c++, weights += window) {
    const uint32_t *words = d->words;
    int8_t *out = d->out + c;
    mote_v6m_channel(&k, c);
    for (uint32_t done = 0, n; done < d->triples; done += n) {
      n = d->triples - done;
      n = n > 4 ? BLOCK : n > BLOCK ? 2 : n;
      r.back = 4 * d->quad_step - 4 * (n - 1) * d->pixel_step - 32;
      for (uint32_t *at = r.sums, *const end = at + 3 * n; at != end;) *at++ = 0;
      r.weights = weights;
      uint32_t runs = 1;
      if (one) {
        r.columns = cut.all;
        r.words = words;
        loops[n - 1](&r);
      } else {
        runs = sum_runs(&cut, &r, words, loops[n - 1]);
      }
      k.bias = (uint32_t)k.ch.bias - runs * MOTE_TRIPLE_FIRST;
      put_block(d, &k, r.sums, done, n, out);
      words += (size_t)n * d->pixel_step;
      out += (size_t)n * out_c;
    }
  }
}

#else
typedef int mote_isa_v6m_conv_is_empty; /* C wants a declaration in every file */
#endif
