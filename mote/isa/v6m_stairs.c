/* v6m_stairs: convolutions by triples of pixels whose outputs are stairs (isa.h), for ARMv6-M. All channels of a block of up to
 * three triples are made in one piece of assembly; its products are as in v6m_conv.c.
 *
 * A triple's two sums are taken apart with signs, 12 instructions for three:
 *   first = a + 2^21 b,  second = c + 2^10 b  modulo 2^32:  a is the lower 21 bits of first, which leaves 2^21 b0, b0 the lower
 *   11 bits of b with their sign; without 2^10 b0 second is c + 2^21 b1, b = b0 + 2^11 b1.
 * An output is 12, and 2 to store it:  v = h s + (l s >> 12) + offset, shifted; what leaves a byte has a bit of its sign that
 * differs. Thirds that the strip does not have are stored where the second output of their triple follows. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

enum { BLOCK = 3 };

/* A block; the assembly has a copy on its stack and knows the offsets. */
struct block {
  const int8_t *weights;  /*  0: moves on */
  const int8_t *end;      /*  4: of a column's weights */
  uint32_t jump;          /*  8: bytes from a quad's end to the same quad of the next triple */
  uint32_t back;          /* 12: and from the last triple's to the next quad of the first */
  uint32_t column_jump;   /* 16: from a column's end to the next */
  uint32_t n;             /* 20: bytes of a column's weights, a multiple of a quad's */
  uint32_t columns, left; /* 24: of a window; those left */
  const uint32_t *words;  /* 32: of the first triple */
  int8_t *out;            /* 36: moves on */
  const struct mote_stair *stairs; /* 40: move on */
  uint32_t channels;               /* 44: counted down */
  uint32_t step, lane;   /* 48: bytes from a triple's outputs to the next, from first to second */
  uint32_t third[BLOCK]; /* 56: from first to third */
};
typedef char block_layout[sizeof(struct block) == 68 ? 1 : -1];

__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME MOTE_V6M_TRIPLE MOTE_V6M_STAIR
        /* The outputs of a triple, the first at r0. */
        ".macro mote_outputs first, second, third\n"
        "  mov r5, \\first\n"
        "  lsls r6, r5, #11\n"
        "  asrs r6, r6, #11\n"
        "  subs r5, r5, r6\n"
        "  asrs r7, r5, #11\n"
        "  mote_stair r6\n"
        "  strb r6, [r0]\n"
        "  mov r5, \\second\n"
        "  subs r5, r5, r7\n"
        "  lsls r6, r5, #11\n"
        "  asrs r6, r6, #11\n"
        "  subs r5, r5, r6\n"
        "  adds r7, r7, r5\n"
        "  asrs r7, r7, #10\n"
        "  mote_stair r6\n"
        "  ldr r5, [sp, #\\third]\n"
        "  strb r6, [r0, r5]\n"
        "  mote_stair r7\n"
        "  ldr r5, [sp, #52]\n"
        "  strb r7, [r0, r5]\n"
        ".endm\n"
        /* Four weights times the triples of a block. */
        ".macro mote_quad triples, jump, words\n"
        "  .if \\words\n"
        "    ldm r1!, {r2, r3, r4, r5}\n"
        "    str r1, [sp]\n"
        "  .else\n"
        "    ldm r1!, {r5}\n"
        "    str r1, [sp]\n"
        "    sxtb r2, r5\n"
        "    asrs r5, r5, #8\n"
        "    sxtb r3, r5\n"
        "    asrs r5, r5, #8\n"
        "    sxtb r4, r5\n"
        "    asrs r5, r5, #8\n"
        "  .endif\n"
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
        ".endm\n"
        ".macro mote_v6m_stairs name, triples, jump, words\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #68\n"
        "  mov r1, sp\n"
        "  ldm r0!, {r2, r3, r4, r5, r6, r7}\n"
        "  stm r1!, {r2, r3, r4, r5, r6, r7}\n"
        "  ldm r0!, {r2, r3, r4, r5, r6, r7}\n"
        "  stm r1!, {r2, r3, r4, r5, r6, r7}\n"
        "  ldm r0!, {r2, r3, r4, r5, r6}\n"
        "  stm r1!, {r2, r3, r4, r5, r6}\n"
        "1:\n" /* a channel */
        "  movs r1, #0\n"
        "  mov r8, r1\n"
        "  mov r9, r1\n"
        "  .if \\triples > 1\n"
        "    mov r10, r1\n"
        "    mov r11, r1\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    mov r12, r1\n"
        "    mov lr, r1\n"
        "  .endif\n"
        "  ldr r1, [sp, #24]\n"
        "  str r1, [sp, #28]\n"
        "  ldr r0, [sp, #32]\n"
        "  ldr r1, [sp]\n"
        "2:\n" /* a column */
        "  ldr r2, [sp, #20]\n"
        "  adds r3, r2, r1\n"
        "  str r3, [sp, #4]\n"
        "  .if \\words\n" /* two quads a turn */
        "    lsls r2, r2, #27\n"
        "    beq 3f\n"
        "    b 8f\n"
        "  .endif\n"
        "3:\n" /* four weights */
        "  .if \\words\n"
        "    mote_quad \\triples, \\jump, 1\n"
        "  8:\n"
        "  .endif\n"
        "  mote_quad \\triples, \\jump, \\words\n"
        "  ldr r2, [sp, #4]\n"
        "  cmp r1, r2\n"
        "  .if \\words && \\jump\n"
        "    beq 7f\n"
        "    b 3b\n"
        "  7:\n"
        "  .else\n"
        "    bne 3b\n"
        "  .endif\n"
        "  ldr r2, [sp, #28]\n"
        "  subs r2, r2, #1\n"
        "  beq 4f\n"
        "  str r2, [sp, #28]\n"
        "  ldr r2, [sp, #16]\n"
        "  adds r0, r0, r2\n"
        "  b 2b\n"
        "4:\n"
        "  ldr r0, [sp, #40]\n"
        "  ldm r0!, {r4, r5}\n"
        "  str r0, [sp, #40]\n"
        "  lsls r2, r5, #12\n"
        "  asrs r2, r2, #20\n"
        "  lsrs r3, r5, #20\n"
        "  movs r1, r5\n"
        "  ldr r0, [sp, #36]\n"
        "  mote_outputs r8, r9, 56\n"
        "  .if \\triples > 1\n"
        "    ldr r5, [sp, #48]\n"
        "    adds r0, r0, r5\n"
        "    mote_outputs r10, r11, 60\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    ldr r5, [sp, #48]\n"
        "    adds r0, r0, r5\n"
        "    mote_outputs r12, lr, 64\n"
        "  .endif\n"
        "  ldr r0, [sp, #36]\n"
        "  adds r0, r0, #1\n"
        "  str r0, [sp, #36]\n"
        "  ldr r0, [sp, #44]\n"
        "  subs r0, r0, #1\n"
        "  beq 5f\n"
        "  str r0, [sp, #44]\n"
        "  b 1b\n"
        "5:\n"
        "  add sp, sp, #68\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m_stairs mote_v6m_stairs1, 1, 0, 0\n"
        "mote_v6m_stairs mote_v6m_stairs2, 2, 0, 0\n"
        "mote_v6m_stairs mote_v6m_stairs3, 3, 0, 0\n"
        "mote_v6m_stairs mote_v6m_stairs2_far, 2, 1, 0\n"
        "mote_v6m_stairs mote_v6m_stairs3_far, 3, 1, 0\n"
        "mote_v6m_stairs mote_v6m_words1, 1, 0, 1\n"
        "mote_v6m_stairs mote_v6m_words2, 2, 0, 1\n"
        "mote_v6m_stairs mote_v6m_words3, 3, 0, 1\n"
        "mote_v6m_stairs mote_v6m_words2_far, 2, 1, 1\n"
        "mote_v6m_stairs mote_v6m_words3_far, 3, 1, 1\n"
        ".text\n");

void mote_v6m_stairs1(const struct block *b);
void mote_v6m_stairs2(const struct block *b);
void mote_v6m_stairs3(const struct block *b);
/* Where the same quads of neighbouring triples do not stand side by side. */
void mote_v6m_stairs2_far(const struct block *b);
void mote_v6m_stairs3_far(const struct block *b);
/* The same with weights that are words. */
void mote_v6m_words1(const struct block *b);
void mote_v6m_words2(const struct block *b);
void mote_v6m_words3(const struct block *b);
void mote_v6m_words2_far(const struct block *b);
void mote_v6m_words3_far(const struct block *b);

/* How long a window's pieces without gaps are; 0: pieces end inside a word of weights. */
static uint32_t piece_of(const struct mote_conv2d_s8 *p, const struct mote_triples_job *d) {
  const uint32_t n = mote_conv_column(p);
  if (d->quad_step == 8 && (d->column_step == 2 * n || p->kernel_w == 1))
    return mote_conv_window(p);
  return n % 4 == 0 ? n : 0;
}

typedef void one_channel(const struct mote_conv2d_triples_s8 *t, const struct mote_triples_job *d,
                         uint32_t c);
/* What the assembly takes for granted: bytes between -128 and 127, and a stair for each channel. */
static __attribute__((noinline)) void correct(const struct mote_conv2d_triples_s8 *t,
                                              const struct mote_triples_job *d, one_channel *one) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const struct mote_stair *stairs = mote_stairs_of(&p->output);
  const int32_t low = p->output.low, high = p->output.high;
  if (low > -128 || high < 127)
    for (uint32_t i = 0; i < d->pixels * p->out_c; i++)
      d->out[i] = (int8_t)mote_clamp(d->out[i], low, high);
  for (uint32_t c = 0, none = t->run_values; none && c < p->out_c; c++)
    if (!mote_has_stair(&stairs[c])) {
      one(t, d, c);
      none--;
    }
}

/* loops: of blocks of one to three triples; bytes: of a weight. Returns 0 where it is left to C. */
static int make(const struct mote_conv2d_triples_s8 *t, const struct mote_triples_job *d,
                void (*const *loops)(const struct block *), uint32_t bytes, one_channel *one) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t out_c = p->out_c, piece = piece_of(p, d);
  /* With one pixel the other two are stored where the next channel's follows; the last has none. */
  const uint32_t channels = d->pixels > 1 ? out_c : out_c - 1;
  struct block b;
  if (!piece) return 0;
  b.weights = (const int8_t *)mote_at(t, p->weights_at);
  b.jump = 4 * d->pixel_step - 32;
  b.n = piece * bytes;
  b.columns = piece == mote_conv_window(p) ? 1 : p->kernel_w;
  b.column_jump = 4 * d->column_step - piece * d->quad_step;
  b.words = d->words;
  b.out = d->out;
  b.stairs = mote_stairs_of(&p->output);
  b.channels = channels;
  b.step = out_c;
  b.lane = d->pixels > 1 ? d->triples * out_c : 1;
  for (uint32_t done = 0, n; channels && done < d->triples; done += n) {
    n = d->triples - done;
    n = n > 4 ? BLOCK : n > BLOCK ? 2 : n;
    b.back = 4 * d->quad_step - 4 * (n - 1) * d->pixel_step - 32;
    for (uint32_t i = 0; i < n; i++)
      b.third[i] = done + i + 2 * d->triples < d->pixels ? 2 * b.lane : b.lane;
    loops[n - 1](&b);
    b.words += (size_t)n * d->pixel_step;
    b.out += (size_t)n * out_c;
  }
  if (channels < out_c) one(t, d, channels);
  correct(t, d, one);
  return 1;
}

void mote_isa_conv_stairs__v6m(const struct mote_conv2d_triples_s8 *t,
                               const struct mote_triples_job *d) {
  static void (*const loops[2][BLOCK])(const struct block *) = {
      {mote_v6m_stairs1, mote_v6m_stairs2, mote_v6m_stairs3},
      {mote_v6m_stairs1, mote_v6m_stairs2_far, mote_v6m_stairs3_far}};
  if (!make(t, d, loops[d->pixel_step != 8], 1, mote_conv_stairs_channel))
    mote_isa_conv_stairs__plain(t, d);
}
void mote_isa_conv_stairs_words__v6m(const struct mote_conv2d_triples_s8 *t,
                                     const struct mote_triples_job *d) {
  static void (*const loops[2][BLOCK])(const struct block *) = {
      {mote_v6m_words1, mote_v6m_words2, mote_v6m_words3},
      {mote_v6m_words1, mote_v6m_words2_far, mote_v6m_words3_far}};
  if (!make(t, d, loops[d->pixel_step != 8], 4, mote_conv_stairs_words_channel))
    mote_isa_conv_stairs_words__plain(t, d);
}

#else
typedef int mote_isa_v6m_stairs_is_empty; /* C wants a declaration in every file */
#endif
