/* rv32_dense: dense layers on RV32IM.
 *
 * Eight channels at a time: an input is a load and the zero point, a weight a byte load (which extends its sign), a
 * multiplication and an addition: (2 + 8 * 3) / 8 instructions a product, and pointers for each eight inputs. In assembly,
 * because 8 sums, 8 pointers and what is left need all but one of the registers.
 *
 * By pairs (isa.h): a word has the weights of two channels, so a multiplication makes two products of one load. Runs are
 * proven by the compiler, and long where weights are small. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

enum { CHANNELS = MOTE_PAIR_GROUP, WORDS = CHANNELS / 2 };

/* Eight channels; the assembly knows the offsets. */
struct eight {
  uint32_t sums[CHANNELS];         /*  0: receive */
  const int8_t *weights[CHANNELS]; /* 32 */
};

/* s0..s7 the sums; s8..s11, t3..t6 the weights; a1 the inputs, a6 and a2 where their eights and they end. */
__asm__(".macro mote_input i\n"
        "  lb a4, \\i(a1)\n"
        "  sub a4, a4, a3\n"
        "  lb a5, \\i(s8)\n"
        "  mul a5, a5, a4\n"
        "  add s0, s0, a5\n"
        "  lb a5, \\i(s9)\n"
        "  mul a5, a5, a4\n"
        "  add s1, s1, a5\n"
        "  lb a5, \\i(s10)\n"
        "  mul a5, a5, a4\n"
        "  add s2, s2, a5\n"
        "  lb a5, \\i(s11)\n"
        "  mul a5, a5, a4\n"
        "  add s3, s3, a5\n"
        "  lb a5, \\i(t3)\n"
        "  mul a5, a5, a4\n"
        "  add s4, s4, a5\n"
        "  lb a5, \\i(t4)\n"
        "  mul a5, a5, a4\n"
        "  add s5, s5, a5\n"
        "  lb a5, \\i(t5)\n"
        "  mul a5, a5, a4\n"
        "  add s6, s6, a5\n"
        "  lb a5, \\i(t6)\n"
        "  mul a5, a5, a4\n"
        "  add s7, s7, a5\n"
        ".endm\n"
        ".macro mote_inputs n\n"
        "  addi a1, a1, \\n\n"
        "  addi s8, s8, \\n\n"
        "  addi s9, s9, \\n\n"
        "  addi s10, s10, \\n\n"
        "  addi s11, s11, \\n\n"
        "  addi t3, t3, \\n\n"
        "  addi t4, t4, \\n\n"
        "  addi t5, t5, \\n\n"
        "  addi t6, t6, \\n\n"
        ".endm\n"
        "  .section .text.mote_rv32_eight, \"ax\", @progbits\n"
        "  .balign 4\n"
        "  .global mote_rv32_eight\n"
        "  .type mote_rv32_eight, @function\n"
        "mote_rv32_eight:\n"
        "  addi sp, sp, -48\n"
        "  sw s0, 0(sp)\n"
        "  sw s1, 4(sp)\n"
        "  sw s2, 8(sp)\n"
        "  sw s3, 12(sp)\n"
        "  sw s4, 16(sp)\n"
        "  sw s5, 20(sp)\n"
        "  sw s6, 24(sp)\n"
        "  sw s7, 28(sp)\n"
        "  sw s8, 32(sp)\n"
        "  sw s9, 36(sp)\n"
        "  sw s10, 40(sp)\n"
        "  sw s11, 44(sp)\n"
        "  lw s8, 32(a0)\n"
        "  lw s9, 36(a0)\n"
        "  lw s10, 40(a0)\n"
        "  lw s11, 44(a0)\n"
        "  lw t3, 48(a0)\n"
        "  lw t4, 52(a0)\n"
        "  lw t5, 56(a0)\n"
        "  lw t6, 60(a0)\n"
        "  li s0, 0\n"
        "  li s1, 0\n"
        "  li s2, 0\n"
        "  li s3, 0\n"
        "  li s4, 0\n"
        "  li s5, 0\n"
        "  li s6, 0\n"
        "  li s7, 0\n"
        "  andi a6, a2, -8\n"
        "  add a6, a6, a1\n"
        "  add a2, a2, a1\n"
        "  beq a1, a6, 2f\n"
        "1:\n"
        "  mote_input 0\n"
        "  mote_input 1\n"
        "  mote_input 2\n"
        "  mote_input 3\n"
        "  mote_input 4\n"
        "  mote_input 5\n"
        "  mote_input 6\n"
        "  mote_input 7\n"
        "  mote_inputs 8\n"
        "  bne a1, a6, 1b\n"
        "2:\n"
        "  beq a1, a2, 4f\n"
        "3:\n"
        "  mote_input 0\n"
        "  mote_inputs 1\n"
        "  bne a1, a2, 3b\n"
        "4:\n"
        "  sw s0, 0(a0)\n"
        "  sw s1, 4(a0)\n"
        "  sw s2, 8(a0)\n"
        "  sw s3, 12(a0)\n"
        "  sw s4, 16(a0)\n"
        "  sw s5, 20(a0)\n"
        "  sw s6, 24(a0)\n"
        "  sw s7, 28(a0)\n"
        "  lw s0, 0(sp)\n"
        "  lw s1, 4(sp)\n"
        "  lw s2, 8(sp)\n"
        "  lw s3, 12(sp)\n"
        "  lw s4, 16(sp)\n"
        "  lw s5, 20(sp)\n"
        "  lw s6, 24(sp)\n"
        "  lw s7, 28(sp)\n"
        "  lw s8, 32(sp)\n"
        "  lw s9, 36(sp)\n"
        "  lw s10, 40(sp)\n"
        "  lw s11, 44(sp)\n"
        "  addi sp, sp, 48\n"
        "  ret\n"
        "  .size mote_rv32_eight, . - mote_rv32_eight\n"
        ".text\n");

/* Sums of the products of n inputs. */
void mote_rv32_eight(struct eight *e, const int8_t *in, uint32_t n, int32_t zp);

void mote_isa_dense__rv32(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out) {
  const uint32_t row = (p->in_c + 3u) & ~3u;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  struct eight e;
  for (uint32_t c = 0, n; c < p->out_c; c += n) {
    n = p->out_c - c < CHANNELS ? p->out_c - c : CHANNELS;
    for (uint32_t k = 0; k < CHANNELS; k++) { /* missing channels are the last once more */
      e.weights[k] = weights;
      if (k + 1 < n) weights += row;
    }
    weights += row;
    mote_rv32_eight(&e, in, p->in_c, p->output.in_zp);
    rv32_put(&p->output, c, p->in_c, e.sums, 0, n, out + c);
  }
}

/* ---- pairs of channels ---------------------------------------------------------------------- */

/* s0..s7 the sums, s8..s11 those of a run; a0 the words, a1 the inputs; a6, t2 and a2 where a run's fours, the run and all
 * inputs end; a7 the run's length, which is at least 1. */
__asm__(".macro mote_four_words i\n"
        "  lb a4, \\i(a1)\n"
        "  lw a5, 16*\\i+0(a0)\n"
        "  mul a5, a5, a4\n"
        "  add s8, s8, a5\n"
        "  lw a5, 16*\\i+4(a0)\n"
        "  mul a5, a5, a4\n"
        "  add s9, s9, a5\n"
        "  lw a5, 16*\\i+8(a0)\n"
        "  mul a5, a5, a4\n"
        "  add s10, s10, a5\n"
        "  lw a5, 16*\\i+12(a0)\n"
        "  mul a5, a5, a4\n"
        "  add s11, s11, a5\n"
        ".endm\n"
        "  .section .text.mote_rv32_pairs, \"ax\", @progbits\n"
        "  .balign 4\n"
        "  .global mote_rv32_pairs\n"
        "  .type mote_rv32_pairs, @function\n"
        "mote_rv32_pairs:\n"
        "  addi sp, sp, -64\n"
        "  sw a3, 48(sp)\n"
        "  sw s0, 0(sp)\n"
        "  sw s1, 4(sp)\n"
        "  sw s2, 8(sp)\n"
        "  sw s3, 12(sp)\n"
        "  sw s4, 16(sp)\n"
        "  sw s5, 20(sp)\n"
        "  sw s6, 24(sp)\n"
        "  sw s7, 28(sp)\n"
        "  sw s8, 32(sp)\n"
        "  sw s9, 36(sp)\n"
        "  sw s10, 40(sp)\n"
        "  sw s11, 44(sp)\n"
        "  add a2, a2, a1\n"
        "  li s0, 0\n"
        "  li s1, 0\n"
        "  li s2, 0\n"
        "  li s3, 0\n"
        "  li s4, 0\n"
        "  li s5, 0\n"
        "  li s6, 0\n"
        "  li s7, 0\n"
        "  lui t0, 0x80008\n"
        "  lui t1, 0x10\n"
        "  addi t1, t1, -1\n"
        "  lw a7, -4(a0)\n"
        "1:\n"
        "  sub t2, a2, a1\n"
        "  bleu t2, a7, 2f\n"
        "  mv t2, a7\n"
        "2:\n"
        "  mv s8, t0\n"
        "  mv s9, t0\n"
        "  mv s10, t0\n"
        "  mv s11, t0\n"
        "  andi a6, t2, -4\n"
        "  add a6, a6, a1\n"
        "  add t2, t2, a1\n"
        "  beq a1, a6, 4f\n"
        "3:\n"
        "  mote_four_words 0\n"
        "  mote_four_words 1\n"
        "  mote_four_words 2\n"
        "  mote_four_words 3\n"
        "  addi a0, a0, 64\n"
        "  addi a1, a1, 4\n"
        "  bne a1, a6, 3b\n"
        "4:\n"
        "  beq a1, t2, 6f\n"
        "5:\n"
        "  mote_four_words 0\n"
        "  addi a0, a0, 16\n"
        "  addi a1, a1, 1\n"
        "  bne a1, t2, 5b\n"
        "6:\n"
        "  and a4, s8, t1\n"
        "  srli a5, s8, 16\n"
        "  add s0, s0, a4\n"
        "  add s1, s1, a5\n"
        "  and a4, s9, t1\n"
        "  srli a5, s9, 16\n"
        "  add s2, s2, a4\n"
        "  add s3, s3, a5\n"
        "  and a4, s10, t1\n"
        "  srli a5, s10, 16\n"
        "  add s4, s4, a4\n"
        "  add s5, s5, a5\n"
        "  and a4, s11, t1\n"
        "  srli a5, s11, 16\n"
        "  add s6, s6, a4\n"
        "  add s7, s7, a5\n"
        "  bne a1, a2, 1b\n"
        "  lw a3, 48(sp)\n"
        "  sw s0, 0(a3)\n"
        "  sw s1, 4(a3)\n"
        "  sw s2, 8(a3)\n"
        "  sw s3, 12(a3)\n"
        "  sw s4, 16(a3)\n"
        "  sw s5, 20(a3)\n"
        "  sw s6, 24(a3)\n"
        "  sw s7, 28(a3)\n"
        "  lw s0, 0(sp)\n"
        "  lw s1, 4(sp)\n"
        "  lw s2, 8(sp)\n"
        "  lw s3, 12(sp)\n"
        "  lw s4, 16(sp)\n"
        "  lw s5, 20(sp)\n"
        "  lw s6, 24(sp)\n"
        "  lw s7, 28(sp)\n"
        "  lw s8, 32(sp)\n"
        "  lw s9, 36(sp)\n"
        "  lw s10, 40(sp)\n"
        "  lw s11, 44(sp)\n"
        "  addi sp, sp, 64\n"
        "  ret\n"
        "  .size mote_rv32_pairs, . - mote_rv32_pairs\n"
        ".text\n");

/* Sums of n inputs with eight channels, whose words stand behind their run; each is MOTE_PAIR_OFFSET too large for every run. */
void mote_rv32_pairs(const uint32_t *words, const int8_t *in, uint32_t n, uint32_t *sums);

/* The same of fewer words. */
static void few_pairs(const uint32_t *w, const int8_t *in, uint32_t n, uint32_t run, uint32_t words,
                      uint32_t *sums) {
  for (uint32_t k = 0; k < words; k++, w++) {
    const uint32_t *from = w;
    uint32_t low = 0, high = 0;
    for (uint32_t i = 0; i < n;) {
      uint32_t both = MOTE_PAIR_START;
      for (uint32_t left = run; left && i < n; left--, i++, from += words) {
        const uint32_t x = (uint32_t)in[i];
        both += *from * x;
      }
      low += both & 0xFFFF;
      high += both >> 16;
    }
    sums[2 * k] = low;
    sums[2 * k + 1] = high;
  }
}

void mote_isa_dense_pairs__rv32(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out) {
  const uint32_t *w = (const uint32_t *)mote_at(p, p->weights_at);
  const uint32_t in_c = p->in_c;
  for (uint32_t c = 0, n; c < p->out_c; c += n) {
    uint32_t sums[CHANNELS];
    n = p->out_c - c < CHANNELS ? p->out_c - c : CHANNELS;
    const uint32_t run = *w++, words = (n + 1) / 2;
    if (words == WORDS && run)
      mote_rv32_pairs(w, in, in_c, sums);
    else
      few_pairs(w, in, in_c, run ? run : 1, words, sums);
    w += (size_t)in_c * words;
    const uint32_t runs = run < in_c ? (in_c + (run ? run - 1 : 0)) / (run ? run : 1) : 1;
    rv32_put(&p->output, c, in_c, sums, runs * MOTE_PAIR_OFFSET, n, out + c);
  }
}

#else
typedef int mote_isa_rv32_dense_is_empty; /* C wants a declaration in every file */
#endif
