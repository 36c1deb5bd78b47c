/* v6m_dense: dense layers on ARMv6-M with the weights of two channels in the lanes of a word (fully_connected_lanes_s8).
 *
 * A word w has two inputs' weights of each channel, a byte each. With o = (w >> 8) & 0x00FF00FF those of the second input,
 *   x0 (w - 256 o) + x1 o = x0 w + (x1 - 256 x0) o   modulo 2^32
 * is what both inputs add to both lanes, so that one mask is all the unpacking: 6 instructions and a half for 4 products,
 * four words at a time. The 128 that is in every weight is taken off when a run ends, by the sum of its inputs; only then
 * must the lanes be in range. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

enum { PAIRS = MOTE_LANES_CHANNELS / 2 };

/* Some runs; the assembly knows the offsets. */
struct dense_run {
  uint32_t sums[2 * PAIRS]; /*  0: added to */
  const uint32_t *words;    /* 32: moves on */
  const int8_t *in, *end;   /* 36: an even number of inputs, at least 2 */
  uint32_t run;             /* 44: of a run */
};
typedef char dense_run_layout[sizeof(struct dense_run) == 48 ? 1 : -1];

/* r0 words, r7 in, r6 mask, r5 x0, r4 x1 - 256 x0, r8.. lanes, r12 sum of inputs, lr end of the run. Stack: 0 the job. */
__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME ".macro mote_lanes8 word, lanes\n"
        "  lsrs r3, \\word, #8\n"
        "  ands r3, r3, r6\n"
        "  muls \\word, r5, \\word\n"
        "  muls r3, r4, r3\n"
        "  adds r3, r3, \\word\n"
        "  add \\lanes, \\lanes, r3\n"
        ".endm\n"
        ".macro mote_lanes8_end lanes, at\n"
        "  mov r1, \\lanes\n"
        "  subs r1, r1, r2\n"
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
        ".macro mote_v6m_dense name, pairs\n"
        "  mote_enter \\name, r0\n"
        "  movs r6, #255\n"
        "  lsls r1, r6, #16\n"
        "  orrs r6, r6, r1\n"
        "  ldr r7, [r0, #36]\n"
        "  ldr r0, [r0, #32]\n"
        "1:\n"
        "  ldr r2, [sp]\n"
        "  ldr r4, [r2, #40]\n"
        "  ldr r3, [r2, #44]\n"
        "  adds r3, r3, r7\n"
        "  cmp r3, r4\n"
        "  bls 2f\n"
        "  movs r3, r4\n"
        "2:\n"
        "  mov lr, r3\n"
        "  movs r1, #0\n"
        "  mov r8, r1\n"
        "  mov r9, r1\n"
        "  mov r10, r1\n"
        "  mov r11, r1\n"
        "  mov r12, r1\n"
        "3:\n"
        "  movs r1, #1\n"
        "  ldrsb r4, [r7, r1]\n"
        "  ldrb r5, [r7]\n"
        "  sxtb r5, r5\n"
        "  adds r7, r7, #2\n"
        "  add r12, r12, r4\n"
        "  add r12, r12, r5\n"
        "  lsls r1, r5, #8\n"
        "  subs r4, r4, r1\n"
        "  .if \\pairs == 1\n"
        "    ldm r0!, {r1}\n"
        "    mote_lanes8 r1, r8\n"
        "  .else\n"
        "    ldm r0!, {r1, r2}\n"
        "    mote_lanes8 r1, r8\n"
        "    mote_lanes8 r2, r9\n"
        "  .endif\n"
        "  .if \\pairs == 3\n"
        "    ldm r0!, {r1}\n"
        "    mote_lanes8 r1, r10\n"
        "  .endif\n"
        "  .if \\pairs == 4\n"
        "    ldm r0!, {r1, r2}\n"
        "    mote_lanes8 r1, r10\n"
        "    mote_lanes8 r2, r11\n"
        "  .endif\n"
        "  cmp r7, lr\n"
        "  bne 3b\n"
        "  mov r1, r12\n"
        "  lsls r2, r1, #7\n"
        "  lsls r1, r1, #23\n"
        "  adds r2, r2, r1\n"
        "  ldr r5, [sp]\n"
        "  mote_lanes8_end r8, 0\n"
        "  .if \\pairs > 1\n"
        "    mote_lanes8_end r9, 8\n"
        "  .endif\n"
        "  .if \\pairs > 2\n"
        "    mote_lanes8_end r10, 16\n"
        "  .endif\n"
        "  .if \\pairs > 3\n"
        "    mote_lanes8_end r11, 24\n"
        "  .endif\n"
        "  ldr r4, [r5, #40]\n"
        "  cmp r7, r4\n"
        "  bne 1b\n"
        "  str r0, [r5, #32]\n"
        "  mote_leave \\name, r0\n"
        ".endm\n"
        "mote_v6m_dense mote_v6m_dense1, 1\n"
        "mote_v6m_dense mote_v6m_dense2, 2\n"
        "mote_v6m_dense mote_v6m_dense3, 3\n"
        "mote_v6m_dense mote_v6m_dense4, 4\n"
        ".text\n");

void mote_v6m_dense1(struct dense_run *r);
void mote_v6m_dense2(struct dense_run *r);
void mote_v6m_dense3(struct dense_run *r);
void mote_v6m_dense4(struct dense_run *r);

void mote_isa_dense_lanes8__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out) {
  static void (*const loops[PAIRS])(struct dense_run *) = {mote_v6m_dense1, mote_v6m_dense2,
                                                           mote_v6m_dense3, mote_v6m_dense4};
  const struct mote_output *o = &p->output;
  const uint32_t n = p->in_c, even = n & ~(uint32_t)1;
  const int8_t last[2] = {in[n - 1], 0};
  struct dense_run r;
  r.words = (const uint32_t *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c;) {
    const uint32_t left = p->out_c - c, pairs = left >= 2 * PAIRS ? PAIRS : (left + 1) / 2;
    r.run = *r.words++;
    if (r.run > n) r.run = even;
    for (uint32_t k = 0; k < 2 * PAIRS; k++) r.sums[k] = 0;
    r.in = in;
    r.end = in + even;
    if (even) loops[pairs - 1](&r);
    r.in = last;
    r.end = last + 2;
    r.run = 2;
    if (n != even) loops[pairs - 1](&r);
    for (uint32_t k = 0; k < 2 * pairs && c < p->out_c; k++, c++) {
      const struct mote_channel ch = mote_channel_at(o, c);
      *out++ = mote_output_of(o, &ch, (int32_t)(r.sums[k] + (uint32_t)ch.bias));
    }
  }
}

#else
typedef int mote_isa_v6m_dense_is_empty; /* C wants a declaration in every file */
#endif
