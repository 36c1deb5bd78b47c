/* rv32_tiles: 3x3 convolutions by Winograd's F(2x2, 3x3) over triples of tiles (isa.h), on RV32IM.
 *
 * The products of four channels and two triples are those of rv32_conv.c, with weights of 16 bits, for each of 16 components in
 * turn: 40 instructions for 24, which are 54 of the model's. A component's sums go to memory; from there C takes them back,
 * apart, and makes outputs. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

enum { CHANNELS = 4, TRIPLES = 2, COMPONENTS = 32 /* words */, BLOCK = 12 * TRIPLES };

/* The components of one run of four channels; the assembly knows the offsets. */
struct tiles_run {
  const int16_t *weights[CHANNELS]; /*  0: move on */
  const uint32_t *words[TRIPLES];   /* 16 */
  uint32_t eights, fours;           /* 24: bytes of a component's weights, in turns of 8 and of 4 */
  uint32_t jump;                    /* 32: from the end of a component's words to the next's */
  uint32_t *to, *end;               /* 36: [CHANNELS][TRIPLES][16][2], and behind the first 16 */
};
typedef char tiles_run_layout[sizeof(struct tiles_run) == 44 ? 1 : -1];

/* Frame: 0 the run, 4 end of the eights, 8 end of the component's weights, 68 where its sums go, 72 behind the last. */
__asm__(MOTE_RV32_FRAME MOTE_RV32_TRIPLES ".macro mote_tiles_four k, two\n"
                                          "  mote_value \\k, \\two, lh, 2\n"
                                          "  mote_value (\\k+1), \\two, lh, 2\n"
                                          "  mote_value (\\k+2), \\two, lh, 2\n"
                                          "  mote_value (\\k+3), \\two, lh, 2\n"
                                          ".endm\n"
                                          ".macro mote_rv32_tiles name, two\n"
                                          "  mote_begin \\name\n"
                                          "  mote_frame 80\n"
                                          "  lw t3, 0(a0)\n"
                                          "  lw t4, 4(a0)\n"
                                          "  lw t5, 8(a0)\n"
                                          "  lw t6, 12(a0)\n"
                                          "  lw a2, 16(a0)\n"
                                          "  lw a3, 20(a0)\n"
                                          "  lw a1, 36(a0)\n"
                                          "  sw a1, 68(sp)\n"
                                          "1:\n"
                                          "  lw a1, 0(sp)\n"
                                          "  lw a0, 24(a1)\n"
                                          "  add a0, a0, t3\n"
                                          "  sw a0, 4(sp)\n"
                                          "  lw a1, 28(a1)\n"
                                          "  add a1, a1, a0\n"
                                          "  sw a1, 8(sp)\n"
                                          "  li s0, 0\n"
                                          "  li s1, 0\n"
                                          "  li s4, 0\n"
                                          "  li s5, 0\n"
                                          "  li s8, 0\n"
                                          "  li s9, 0\n"
                                          "  li a4, 0\n"
                                          "  li a5, 0\n"
                                          "  .if \\two\n"
                                          "    li s2, 0\n"
                                          "    li s3, 0\n"
                                          "    li s6, 0\n"
                                          "    li s7, 0\n"
                                          "    li s10, 0\n"
                                          "    li s11, 0\n"
                                          "    li a6, 0\n"
                                          "    li a7, 0\n"
                                          "  .endif\n"
                                          "  beq t3, a0, 3f\n"
                                          "2:\n"
                                          "  mote_tiles_four 0, \\two\n"
                                          "  mote_tiles_four 4, \\two\n"
                                          "  mote_move_on 8, \\two, 2\n"
                                          "  lw a0, 4(sp)\n"
                                          "  bne t3, a0, 2b\n"
                                          "3:\n"
                                          "  lw a1, 8(sp)\n"
                                          "  beq t3, a1, 5f\n"
                                          "  mote_tiles_four 0, \\two\n"
                                          "  mote_move_on 4, \\two, 2\n"
                                          "5:\n"
                                          "  lw a1, 68(sp)\n"
                                          "  sw s0, 0(a1)\n"
                                          "  sw s1, 4(a1)\n"
                                          "  sw s4, 256(a1)\n"
                                          "  sw s5, 260(a1)\n"
                                          "  sw s8, 512(a1)\n"
                                          "  sw s9, 516(a1)\n"
                                          "  sw a4, 768(a1)\n"
                                          "  sw a5, 772(a1)\n"
                                          "  .if \\two\n"
                                          "    sw s2, 128(a1)\n"
                                          "    sw s3, 132(a1)\n"
                                          "    sw s6, 384(a1)\n"
                                          "    sw s7, 388(a1)\n"
                                          "    sw s10, 640(a1)\n"
                                          "    sw s11, 644(a1)\n"
                                          "    sw a6, 896(a1)\n"
                                          "    sw a7, 900(a1)\n"
                                          "  .endif\n"
                                          "  addi a1, a1, 8\n"
                                          "  sw a1, 68(sp)\n"
                                          "  lw t0, 0(sp)\n"
                                          "  lw a0, 32(t0)\n"
                                          "  add a2, a2, a0\n"
                                          "  add a3, a3, a0\n"
                                          "  lw t1, 40(t0)\n"
                                          "  bne a1, t1, 1b\n"
                                          "  sw t3, 0(t0)\n"
                                          "  sw t4, 4(t0)\n"
                                          "  sw t5, 8(t0)\n"
                                          "  sw t6, 12(t0)\n"
                                          "  mote_return 80\n"
                                          "  mote_end \\name\n"
                                          ".endm\n"
                                          "mote_rv32_tiles mote_rv32_tiles1, 0\n"
                                          "mote_rv32_tiles mote_rv32_tiles2, 1\n");

/* One triple, and two. */
void mote_rv32_tiles1(struct tiles_run *r);
void mote_rv32_tiles2(struct tiles_run *r);

/* The components of one triple become sums: output o of lane l at sums[4 * l + o]. Of a word 40 instructions, and for each three
 * sums 12 to take them apart as mote_tiles_apart says. add: they are added to. a0 components, a1 sums. */
__asm__(".macro mote_tiles_row at, s, t\n"
        "  lw \\s, \\at(a0)\n"
        "  lw \\t, \\at+8(a0)\n"
        "  lw a2, \\at+16(a0)\n"
        "  lw a3, \\at+24(a0)\n"
        "  add \\s, \\s, \\t\n"
        "  add \\s, \\s, a2\n"
        "  sub \\t, \\t, a2\n"
        "  sub \\t, \\t, a3\n"
        ".endm\n"
        ".macro mote_tiles_word at, y0, y1, y2, y3\n"
        "  mote_tiles_row \\at, \\y0, \\y1\n"
        "  mote_tiles_row (\\at+32), \\y2, \\y3\n"
        "  add \\y0, \\y0, \\y2\n"
        "  add \\y1, \\y1, \\y3\n"
        "  mote_tiles_row (\\at+64), a4, a5\n"
        "  add \\y0, \\y0, a4\n"
        "  add \\y1, \\y1, a5\n"
        "  sub \\y2, \\y2, a4\n"
        "  sub \\y3, \\y3, a5\n"
        "  mote_tiles_row (\\at+96), a4, a5\n"
        "  sub \\y2, \\y2, a4\n"
        "  sub \\y3, \\y3, a5\n"
        ".endm\n"
        ".macro mote_tiles_put at, x, add\n"
        "  .if \\add\n"
        "    lw a4, \\at(a1)\n"
        "    add \\x, \\x, a4\n"
        "  .endif\n"
        "  sw \\x, \\at(a1)\n"
        ".endm\n"
        ".macro mote_tiles_three o, first, second, add\n"
        "  slli a2, \\first, 10\n"
        "  srai a2, a2, 12\n"
        "  slli a3, a2, 2\n"
        "  sub \\first, \\first, a3\n"
        "  srai \\first, \\first, 10\n"
        "  sub \\second, \\second, \\first\n"
        "  slli a3, \\second, 10\n"
        "  srai a3, a3, 12\n"
        "  slli a4, a3, 2\n"
        "  sub \\second, \\second, a4\n"
        "  add \\first, \\first, \\second\n"
        "  srai \\first, \\first, 12\n"
        "  mote_tiles_put 4*\\o, a2, \\add\n"
        "  mote_tiles_put 4*\\o+16, \\first, \\add\n"
        "  mote_tiles_put 4*\\o+32, a3, \\add\n"
        ".endm\n"
        ".macro mote_rv32_tiles_sums name, add\n"
        "  mote_begin \\name\n"
        "  mote_tiles_word 0, t0, t1, t2, t3\n"
        "  mote_tiles_word 4, t4, t5, t6, a6\n"
        "  mote_tiles_three 0, t0, t4, \\add\n"
        "  mote_tiles_three 1, t1, t5, \\add\n"
        "  mote_tiles_three 2, t2, t6, \\add\n"
        "  mote_tiles_three 3, t3, a6, \\add\n"
        "  ret\n"
        "  mote_end \\name\n"
        ".endm\n"
        "mote_rv32_tiles_sums mote_rv32_tiles_set, 0\n"
        "mote_rv32_tiles_sums mote_rv32_tiles_add, 1\n");
void mote_rv32_tiles_set(const uint32_t components[COMPONENTS], uint32_t sums[12]);
void mote_rv32_tiles_add(const uint32_t components[COMPONENTS], uint32_t sums[12]);

/* Four channels from c on, of which n are, and up to two triples of the strip. */
struct block {
  const struct mote_tiles_job *d;
  uint32_t c, n, i, triples;
};

/* Runs all runs of a block; sums[k][4 * (3 * t + l) + o]: of channel k, lane l of triple t, output o. */
static void sum(const struct block *b, uint32_t (*sums)[BLOCK]) {
  const struct mote_tiles_job *d = b->d;
  const struct mote_conv2d_s8 *p = &d->p->conv;
  const uint32_t n = p->in_c, most = d->p->run_values;
  const int16_t *weights = (const int16_t *)mote_at(d->p, p->weights_at) + (size_t)b->c * 16 * n;
  struct tiles_run r;
  for (uint32_t k = 0; k < CHANNELS; k++) { /* missing channels are the last once more */
    r.weights[k] = weights;
    if (k + 1 < b->n) weights += 16 * n;
  }
  r.to = d->scratch;
  r.end = d->scratch + COMPONENTS;
  for (uint32_t at = 0, some; at < n; at += some) {
    some = n - at < most ? n - at : most;
    r.words[0] = d->words + (size_t)b->i * d->triple_step + 2 * at;
    r.words[1] = r.words[0] + d->triple_step;
    r.eights = 2 * (some & ~(uint32_t)7);
    r.fours = 2 * (some & 4);
    r.jump = 8 * (n - some);
    (b->triples > 1 ? mote_rv32_tiles2 : mote_rv32_tiles1)(&r);
    const uint32_t *from = d->scratch;
    for (uint32_t k = 0; k < b->n; k++, from += TRIPLES * COMPONENTS)
      for (uint32_t t = 0; t < b->triples; t++)
        (at ? mote_rv32_tiles_add : mote_rv32_tiles_set)(from + t * COMPONENTS, sums[k] + 12 * t);
  }
}

/* The outputs of a channel of a block. */
static inline __attribute__((always_inline)) void put(const struct block *b, uint32_t k,
                                                      const uint32_t *sums,
                                                      const struct rv32_channel *ch,
                                                      const struct mote_channel *any, int clamped) {
  const struct mote_tiles_job *d = b->d;
  const struct mote_conv2d_s8 *p = &d->p->conv;
  const struct mote_output *o = &p->output;
  const int32_t low = o->low, high = o->high;
  const size_t row = (size_t)p->out_w * p->out_c;
  const uint32_t out_c = p->out_c, pixels = d->pixels;
  for (uint32_t t = 0; t < b->triples; t++)
    for (uint32_t l = 0, x = 2 * (b->i + t); l < 3; l++, x += 2 * d->triples, sums += 4) {
      int8_t *const to = d->out + (size_t)x * out_c + b->c + k;
      if (any) {
        for (uint32_t s = 0; s < 4; s++)
          if (x + s % 2 < pixels)
            to[s / 2 * row + s % 2 * out_c] =
                mote_output_of(o, any, (int32_t)(sums[s] + (uint32_t)any->bias));
        continue;
      }
      if (x >= pixels) continue;
      rv32_output(ch, sums[0], low, high, clamped, to);
      rv32_output(ch, sums[2], low, high, clamped, to + row);
      if (x + 1 >= pixels) continue;
      rv32_output(ch, sums[1], low, high, clamped, to + out_c);
      rv32_output(ch, sums[3], low, high, clamped, to + row + out_c);
    }
}

static __attribute__((noinline)) void put_block(const struct block *b,
                                                const uint32_t (*sums)[BLOCK]) {
  const struct mote_conv2d_s8 *p = &b->d->p->conv;
  const struct mote_output *o = &p->output;
  for (uint32_t k = 0; k < b->n; k++) {
    struct rv32_channel ch;
    if (!rv32_channel_of(o, b->c + k, 9 * (uint32_t)p->in_c, 0, &ch)) {
      const struct mote_channel any = mote_channel_at(o, b->c + k);
      put(b, k, sums[k], NULL, &any, 0);
    } else if (o->low >= o->zp) {
      put(b, k, sums[k], &ch, NULL, 1);
    } else {
      put(b, k, sums[k], &ch, NULL, 0);
    }
  }
}

void mote_isa_conv_tiles__rv32(const struct mote_tiles_job *d) {
  const uint32_t out_c = d->p->conv.out_c;
  uint32_t(*const sums)[BLOCK] =
      (uint32_t(*)[BLOCK])(void *)(d->scratch + CHANNELS * TRIPLES * COMPONENTS);
  struct block b;
  b.d = d;
  for (b.i = 0; b.i < d->triples; b.i += TRIPLES) {
    b.triples = d->triples - b.i < TRIPLES ? d->triples - b.i : TRIPLES;
    for (b.c = 0; b.c < out_c; b.c += CHANNELS) {
      b.n = out_c - b.c < CHANNELS ? out_c - b.c : CHANNELS;
      sum(&b, sums);
      put_block(&b, (const uint32_t(*)[BLOCK])sums);
    }
  }
}

#else
typedef int mote_isa_rv32_tiles_is_empty; /* C wants a declaration in every file */
#endif
