/* v6m_dense_pairs: dense layers on ARMv6-M with the weights of two channels in a word, 16 bits each (fully_connected_pairs_s8):
 * one product is two. An input meets four words: LDM, four MULS that destroy them, four ADD, and 3 for the input and the
 * loop: 12 instructions for 8 products. A run ends before a lane leaves 16 bits. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

enum { PAIRS = MOTE_PAIR_GROUP / 2 };

/* All runs of a group; the assembly knows the offsets. */
struct pairs_run {
  uint32_t sums[2 * PAIRS]; /*  0: added to */
  const uint32_t *words;    /* 32: moves on */
  const int8_t *in, *end;   /* 36: at least one input */
  uint32_t run;             /* 44: of a run */
};
typedef char pairs_run_layout[sizeof(struct pairs_run) == 48 ? 1 : -1];

/* r0 words, r7 where a run's inputs end, r6 minus how many are left, r8.. lanes. Stack: 0 the job. */
__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME ".macro mote_pair_end lanes, at\n"
        "  mov r1, \\lanes\n"
        "  sxth r3, r1\n"
        "  subs r1, r1, r3\n"
        "  asrs r1, r1, #16\n"
        "  ldr r4, [r5, #\\at]\n"
        "  adds r4, r4, r3\n"
        "  str r4, [r5, #\\at]\n"
        "  ldr r4, [r5, #\\at + 4]\n"
        "  adds r4, r4, r1\n"
        "  str r4, [r5, #\\at + 4]\n"
        ".endm\n"
        ".macro mote_v6m_pairs name, pairs\n"
        "  mote_enter \\name, r0\n"
        "  ldr r7, [r0, #36]\n"
        "  ldr r0, [r0, #32]\n"
        "1:\n" /* a run from r7 on */
        "  ldr r2, [sp]\n"
        "  ldr r4, [r2, #40]\n"
        "  ldr r3, [r2, #44]\n"
        "  subs r6, r4, r7\n"
        "  cmp r6, r3\n"
        "  bls 2f\n"
        "  movs r6, r3\n"
        "2:\n"
        "  adds r7, r7, r6\n"
        "  rsbs r6, r6, #0\n"
        "  movs r1, #0\n"
        "  mov r8, r1\n"
        "  mov r9, r1\n"
        "  mov r10, r1\n"
        "  mov r11, r1\n"
        "3:\n"
        "  ldrsb r5, [r7, r6]\n"
        "  .if \\pairs == 1\n"
        "    ldm r0!, {r1}\n"
        "  .elseif \\pairs == 2\n"
        "    ldm r0!, {r1, r2}\n"
        "  .elseif \\pairs == 3\n"
        "    ldm r0!, {r1, r2, r3}\n"
        "  .else\n"
        "    ldm r0!, {r1, r2, r3, r4}\n"
        "  .endif\n"
        "  muls r1, r5, r1\n"
        "  add r8, r8, r1\n"
        "  .if \\pairs > 1\n"
        "    muls r2, r5, r2\n"
        "    add r9, r9, r2\n"
        "  .endif\n"
        "  .if \\pairs > 2\n"
        "    muls r3, r5, r3\n"
        "    add r10, r10, r3\n"
        "  .endif\n"
        "  .if \\pairs > 3\n"
        "    muls r4, r5, r4\n"
        "    add r11, r11, r4\n"
        "  .endif\n"
        "  adds r6, r6, #1\n"
        "  bne 3b\n"
        "  ldr r5, [sp]\n"
        "  mote_pair_end r8, 0\n"
        "  .if \\pairs > 1\n"
        "    mote_pair_end r9, 8\n"
        "  .endif\n"
        "  .if \\pairs > 2\n"
        "    mote_pair_end r10, 16\n"
        "  .endif\n"
        "  .if \\pairs > 3\n"
        "    mote_pair_end r11, 24\n"
        "  .endif\n"
        "  ldr r4, [r5, #40]\n"
        "  cmp r7, r4\n"
        "  bne 1b\n"
        "  str r0, [r5, #32]\n"
        "  mote_leave \\name, r0\n"
        ".endm\n"
        "mote_v6m_pairs mote_v6m_pairs1, 1\n"
        "mote_v6m_pairs mote_v6m_pairs2, 2\n"
        "mote_v6m_pairs mote_v6m_pairs3, 3\n"
        "mote_v6m_pairs mote_v6m_pairs4, 4\n"
        ".text\n");

void mote_v6m_pairs1(struct pairs_run *r);
void mote_v6m_pairs2(struct pairs_run *r);
void mote_v6m_pairs3(struct pairs_run *r);
void mote_v6m_pairs4(struct pairs_run *r);

void mote_isa_dense_pairs__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                               int8_t *out) {
  static void (*const loops[PAIRS])(struct pairs_run *) = {mote_v6m_pairs1, mote_v6m_pairs2,
                                                           mote_v6m_pairs3, mote_v6m_pairs4};
  const struct mote_output *o = &p->output;
  struct pairs_run r;
  r.words = (const uint32_t *)mote_at(p, p->weights_at);
  r.in = in;
  r.end = in + p->in_c;
  for (uint32_t c = 0; c < p->out_c;) {
    const uint32_t left = p->out_c - c, n = left < MOTE_PAIR_GROUP ? left : MOTE_PAIR_GROUP;
    r.run = *r.words ? *r.words : 1;
    r.words++;
    for (uint32_t k = 0; k < 2 * PAIRS; k++) r.sums[k] = 0;
    loops[(n - 1) / 2](&r);
    for (uint32_t k = 0; k < n; k++, c++) {
      const struct mote_channel ch = mote_channel_at(o, c);
      *out++ = mote_output_of(o, &ch, (int32_t)(r.sums[k] + (uint32_t)ch.bias));
    }
  }
}

#else
typedef int mote_isa_v6m_dense_pairs_is_empty; /* C wants a declaration in every file */
#endif
