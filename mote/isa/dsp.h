/* dsp: what the loops for Cortex-M with the DSP extension (M4, M7, M33) share. Internal to mote/isa.
 *
 * Four int8 weights are one load and two SXTB16, which give the pairs (k0, k2) and (k1, k3); activations are
 * widened with the same instruction, so SMLAD multiplies what belongs together and no layout of weights is
 * needed.
 *
 * Requantisation of a packed channel, h being the product's high half, is
 *   (h + (sum >> 31) + (2 zp + 1) 2^(s-1)) >> s
 * with the first two additions inside SMMLAR. The sign of the sum stands for that of h: they differ only
 * where h is 0, and there -1 changes nothing, for (2^(s-1) - 1) >> s = 0. Packed layers keep |sum| < 2^30,
 * so 2 * sum is exact and SMMULR(2 sum, m) = mote_mul_high(sum, m). Layers that clamp below their zero point take
 * fewer steps: enum dsp_way.
 *
 * needs: unaligned LDR, as these cores have it out of reset. LDRD and LDM are given aligned addresses. */
#ifndef MOTE_ISA_DSP_H
#define MOTE_ISA_DSP_H

#include "mote/isa/isa.h"

#if MOTE_ISA_DSP

/* ---- instructions -------------------------------------------------------------- */

static inline int32_t smlad(uint32_t a, uint32_t b, int32_t c) {
  int32_t d;
  __asm__("smlad %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
/* c + a * b / 2^32, rounded. */
static inline int32_t smmlar(int32_t a, int32_t b, int32_t c) {
  int32_t d;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
/* Bytes 0 and 2, and bytes 1 and 3, as two int16. */
static inline uint32_t even(uint32_t x) {
  uint32_t d;
  __asm__("sxtb16 %0, %1" : "=r"(d) : "r"(x));
  return d;
}
static inline uint32_t odd(uint32_t x) {
  uint32_t d;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(d) : "r"(x));
  return d;
}
/* The same, added to two int16. */
static inline uint32_t even_add(uint32_t base, uint32_t x) {
  uint32_t d;
  __asm__("sxtab16 %0, %1, %2" : "=r"(d) : "r"(base), "r"(x));
  return d;
}
static inline uint32_t odd_add(uint32_t base, uint32_t x) {
  uint32_t d;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(d) : "r"(base), "r"(x));
  return d;
}
/* x clamped to -128..127. */
static inline int8_t saturate(int32_t x) {
  int32_t d;
  __asm__("ssat %0, #8, %1" : "=r"(d) : "r"(x));
  return (int8_t)d;
}
/* Bottom halves of a and b; top halves of a and b. The half of a comes first. */
static inline uint32_t bottoms(uint32_t a, uint32_t b) {
  uint32_t d;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
static inline uint32_t tops(uint32_t a, uint32_t b) {
  uint32_t d;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(d) : "r"(b), "r"(a));
  return d;
}
static inline uint32_t load(const void *p) { return *(const uint32_t *)p; }

static inline uint32_t both(int32_t x) { return ((uint32_t)x & 0xFFFF) * 0x10001u; }

/* The first n < 4 bytes at p, and zeros. */
static inline uint32_t load_part(const int8_t *p, uint32_t n) {
  uint32_t x = (uint8_t)p[0];
  if (n > 1) x |= (uint32_t)(uint8_t)p[1] << 8;
  if (n > 2) x |= (uint32_t)(uint8_t)p[2] << 16;
  return x;
}

/* Outputs of n sums of channel c, `step` apart, whatever the layer's way of requantising. o is the first member
 * of its parameters. */
void mote_dsp_outputs(const struct mote_output *o, uint32_t c, const int32_t *sums, uint32_t n,
                      int8_t *out, uint32_t step);

/* ---- the assembly loops ---------------------------------------------------------- */

/* Constants of the channel that comes next. */
struct dsp_constants {
  const int8_t *bias;    /*  0 */
  uint32_t bias_step;    /*  4: 4, 2, or 0 where there is none */
  const uint32_t *words; /*  8: requantisation, a word or a pair a channel */
  int32_t zp, shift;     /* 12, 16: as the way of rounding says */
};

/* Ways of rounding; h is the product's high half.
 *   BOTH   packed: (h + (sum >> 31) + (2 zp + 1) 2^(s-1)) >> s; shift: s - 1 of the words' bits 0, zp: 2 zp + 1.
 *   ABOVE  packed, bounded, and what is below the zero point is clamped (zp = low = -128): with p = 13 - s and
 *          h' = (sum * 2^p * multiplier) >> 32 it is (h' + zp 2^12 + 2^11 + 2^(p-2)) >> 12, and the last shift is a
 *          part of SSAT. |sum| < 2^(18+s), so sum * 2^p fits. shift: 13 + shift_base, zp: zp 2^12 + 2^11.
 *   PAIRS  the same of pairs, where s is in 1..11, else the channel's outputs are made in C. shift: unused.
 *   IN_C   all outputs are. */
enum dsp_way { DSP_BOTH, DSP_ABOVE, DSP_PAIRS, DSP_IN_C };

/* Those of channel c: BOTH or IN_C. */
enum dsp_way mote_dsp_constants(struct dsp_constants *k, const struct mote_output *o, uint32_t c);
/* Those of channel 0 where mote_output_is_above: ABOVE or PAIRS. */
enum dsp_way mote_dsp_above_constants(struct dsp_constants *k, const struct mote_output *o);

/* What a loop over the channels of a block of pixels reads and advances. The assembly knows the offsets in
 * the comments; it keeps a pointer to its frame at [sp], and in r0 where it says so. A block's P pixels have
 * the last P of five sums: so one piece of code serves every P, entered where the first of them begins. */
struct dsp_frame {
  const int8_t *weights;      /*  0: of the next channel */
  const void *values;         /*  4: the block's first window or column */
  uint32_t run;               /*  8: bytes of weights in a run */
  uintptr_t entry;            /* 12: makes the sums of one channel */
  struct dsp_constants next;  /* 16 */
  uint32_t out;               /* 36: where sum 0 would go */
  uint32_t out_step;          /* 40: from pixel to pixel */
  uint32_t out_end;           /* 44: where `out` ends up after the last channel */
  uintptr_t rounding;         /* 48: reads the constants of a channel */
  uintptr_t tail;             /* 52: outputs of the sums that have pixels */
  uintptr_t start;            /* 56: loads the bias of a channel */
  uint32_t skip;              /* 60: bytes from the last pixel of a quad to the next's first */
  const uint32_t *column_at;  /* 64 */
  const uint32_t *column_end; /* 68 */
  uintptr_t quads;            /* 72: into the loop over a column */
  uint32_t none;              /* 76: sums without a pixel */
  uintptr_t tails;            /* outputs of all five sums */
  uint16_t tail_bytes;        /* of code for a sum */
  uint16_t way;               /* enum dsp_way */
};
typedef char dsp_frame_layout[offsetof(struct dsp_frame, none) == 76 ? 1 : -1];

/* A frame as struct mote_conv_job keeps it; the assembly finds p in front of it. */
struct dsp_job {
  const struct mote_conv2d_s8 *p;
  struct dsp_frame frame;
};
typedef char dsp_job_fits[sizeof(struct dsp_job) <= sizeof(struct mote_conv_job) ? 1 : -1];

/* Makes all channels of `pixels` pixels at `out`. values, run, entry and what the entry reads are filled in. */
void mote_dsp_block(struct dsp_job *job, uint32_t pixels, int8_t *out);

/* mote_finish s: the sum in s becomes an int8; r1 rounding and zero point, r2 multiplier, r3 shift. Uses lr.
 * mote_finish_above s: the same by the way ABOVE. mote_decode_both; mote_decode_above and then mote_round_above: r1..r3 from the word in r2 and
 * the constants' zp in r1 and shift in r3. mote_store s, n: 16 or 24 bytes of code, for sum n of five.
 * Dense layers: mote_dense_biases: those of four channels from r2 on, r1 apart, to r4..r7; r2 moves on. mote_dense_out s: the
 * sum in s of the channel whose word is at r10 becomes an int8 at r11, both move on; r8 and r9 the constants' shift and zp. Uses
 * r1..r3. */
#define MOTE_DSP_MACROS                                                                            \
  ".syntax unified\n"                                                                              \
  ".thumb\n"                                                                                       \
  ".macro mote_function name\n"                                                                    \
  "  .section .text.\\name, \"ax\", %progbits\n"                                                   \
  "  .balign 4\n"                                                                                  \
  "  .global \\name\n"                                                                             \
  "  .type \\name, %function\n"                                                                    \
  "  .thumb_func\n"                                                                                \
  "\\name:\n"                                                                                      \
  ".endm\n"                                                                                        \
  ".macro mote_label name\n"                                                                       \
  "  .global \\name\n"                                                                             \
  "  .thumb_func\n"                                                                                \
  "\\name:\n"                                                                                      \
  ".endm\n"                                                                                        \
  ".macro mote_decode_both\n"                                                                      \
  "  and lr, r2, #3\n"                                                                             \
  "  add r3, r3, lr\n"                                                                             \
  "  lsls r1, r1, r3\n"                                                                            \
  "  adds r3, r3, #1\n"                                                                            \
  "  lsrs r2, r2, #2\n"                                                                            \
  "  orr r2, r2, #0x40000000\n"                                                                    \
  ".endm\n"                                                                                        \
  ".macro mote_decode_above\n"                                                                     \
  "  and lr, r2, #3\n"                                                                             \
  "  sub r3, r3, lr\n"                                                                             \
  "  lsrs r2, r2, #2\n"                                                                            \
  "  orr r2, r2, #0x40000000\n"                                                                    \
  ".endm\n"                                                                                        \
  ".macro mote_round_above\n"                                                                      \
  "  mov lr, #1\n"                                                                                 \
  "  lsl lr, lr, r3\n"                                                                             \
  "  add r1, r1, lr, lsr #2\n"                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_finish s\n"                                                                         \
  "  add.w lr, r1, \\s, asr #31\n"                                                                 \
  "  lsl.w \\s, \\s, #1\n"                                                                         \
  "  smmlar \\s, \\s, r2, lr\n"                                                                    \
  "  asr.w \\s, \\s, r3\n"                                                                         \
  "  ssat \\s, #8, \\s\n"                                                                          \
  ".endm\n"                                                                                        \
  ".macro mote_finish_above s\n"                                                                   \
  "  lsl.w \\s, \\s, r3\n"                                                                         \
  "  smmla \\s, \\s, r2, r1\n"                                                                     \
  "  ssat \\s, #8, \\s, asr #12\n"                                                                 \
  ".endm\n"                                                                                        \
  ".macro mote_dense_biases\n"                                                                     \
  "  cmp r1, #2\n"                                                                                 \
  "  beq 10f\n"                                                                                    \
  "  ldr r4, [r2]\n"                                                                               \
  "  ldr r5, [r2, r1]\n"                                                                           \
  "  add r2, r2, r1, lsl #1\n"                                                                     \
  "  ldr r6, [r2]\n"                                                                               \
  "  ldr r7, [r2, r1]\n"                                                                           \
  "  add r2, r2, r1, lsl #1\n"                                                                     \
  "  b 11f\n"                                                                                      \
  "10:\n"                                                                                          \
  "  ldrsh r4, [r2], #2\n"                                                                         \
  "  ldrsh r5, [r2], #2\n"                                                                         \
  "  ldrsh r6, [r2], #2\n"                                                                         \
  "  ldrsh r7, [r2], #2\n"                                                                         \
  "11:\n"                                                                                          \
  ".endm\n"                                                                                        \
  ".macro mote_dense_out s\n"                                                                      \
  "  ldr r2, [r10], #4\n"                                                                          \
  "  and lr, r2, #3\n"                                                                             \
  "  add r3, r8, lr\n"                                                                             \
  "  lsl r1, r9, r3\n"                                                                             \
  "  adds r3, r3, #1\n"                                                                            \
  "  lsrs r2, r2, #2\n"                                                                            \
  "  orr r2, r2, #0x40000000\n"                                                                    \
  "  mote_finish \\s\n"                                                                            \
  "  strb \\s, [r11], #1\n"                                                                        \
  ".endm\n"

#endif
#endif
