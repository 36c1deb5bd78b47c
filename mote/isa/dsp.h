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
 * so 2 * sum is exact and SMMULR(2 sum, m) = mote_mul_high(sum, m).
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

/* Outputs of n sums of channel c, `step` apart, whatever the layer's way of requantising. */
void mote_dsp_outputs(const struct mote_output *o, const void *params, uint32_t c,
                      const int32_t *sums, uint32_t n, int8_t *out, uint32_t step);

/* Outputs of the sums of n neighbouring channels of one pixel, from channel c on. */
void mote_dsp_channels(const struct mote_output *o, const void *params, uint32_t c,
                       const int32_t *sums, uint32_t n, int8_t *out);

/* ---- the assembly loops ---------------------------------------------------------- */

/* What a loop over the channels of a block of pixels reads and advances. The assembly knows the offsets in
 * the comments; it keeps a pointer to its frame in r0. */
struct dsp_frame {
  const int8_t *weights; /*  0 */
  const void *values;    /*  4: the first pixel's window, or its first column */
  uint32_t small, large; /*  8, 12: bytes of a run of quads beyond, and in, groups of 4 (2 apart) */
  uint32_t skip;         /* 16: bytes from the last pixel of a quad to the first of the next */
  const uint32_t *column_at;    /* 20 */
  const uint32_t *column_end;   /* 24 */
  const void *bias;             /* 28 */
  uint32_t bias_step;           /* 32: 4, 2, or 0 where there is none */
  const uint32_t *words;        /* 36: packed requantisation */
  int32_t zp_word, less_shift;  /* 40: 2 zp + 1, 44: -shift_base - 1 */
  int8_t *out;                  /* 48 */
  uint32_t out_step;            /* 52: from pixel to pixel */
  const int8_t *out_end;        /* 56: where `out` ends up after the last channel */
  uint32_t general;             /* 60: outputs are made in C */
  int32_t sums[MOTE_ISA_BLOCK]; /* 64 */
  uint32_t values_step;         /* 84: from channel to channel */
  uint32_t column_step;         /* 88: from pixel to pixel */
  const void *values_end;       /* 92 */
  const struct mote_output *output;
  const void *params;
  const int8_t *first_out; /* channel 0 of the block's first pixel */
  int8_t *row_out;         /* channel 0 of the strip's first pixel */
  uint32_t pixels;
};
typedef char dsp_frame_layout[offsetof(struct dsp_frame, sums) == 64 &&
                                      offsetof(struct dsp_frame, values_end) == 92
                                  ? 1
                                  : -1];

/* Fills what concerns outputs, from channel c on. */
void mote_dsp_frame_output(struct dsp_frame *f, const struct mote_output *o, const void *params,
                           uint32_t c);

/* Makes the outputs of one channel from the frame's sums; called by the assembly. */
void mote_dsp_general(struct dsp_frame *f);

/* mote_bias to: the next channel's bias. Uses r1, r2.
 * mote_decode: ip = shift, r1 = rounding and zero point, r2 = multiplier. Uses r3.
 * mote_finish s: the sum in s becomes an int8. Uses lr.
 * mote_outputs n: finishes and stores the sums of n pixels in r4.., advances `out`, leaves it in r10. */
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
  ".macro mote_bias to\n"                                                                          \
  "  ldrd r2, r1, [r0, #28]\n"                                                                     \
  "  ldrsh \\to, [r2]\n"                                                                           \
  "  cmp r1, #4\n"                                                                                 \
  "  it eq\n"                                                                                      \
  "  ldreq \\to, [r2]\n"                                                                           \
  "  add r2, r2, r1\n"                                                                             \
  "  str r2, [r0, #28]\n"                                                                          \
  ".endm\n"                                                                                        \
  ".macro mote_decode\n"                                                                           \
  "  ldr r1, [r0, #36]\n"                                                                          \
  "  ldr r2, [r1], #4\n"                                                                           \
  "  str r1, [r0, #36]\n"                                                                          \
  "  ldrd r1, r3, [r0, #40]\n"                                                                     \
  "  and ip, r2, #3\n"                                                                             \
  "  add ip, ip, r3\n"                                                                             \
  "  lsl r1, r1, ip\n"                                                                             \
  "  add ip, ip, #1\n"                                                                             \
  "  mov r3, #0x40000000\n"                                                                        \
  "  orr r2, r3, r2, lsr #2\n"                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_finish s\n"                                                                         \
  "  add lr, r1, \\s, asr #31\n"                                                                   \
  "  lsl \\s, \\s, #1\n"                                                                           \
  "  smmlar \\s, \\s, r2, lr\n"                                                                    \
  "  asr \\s, \\s, ip\n"                                                                           \
  "  ssat \\s, #8, \\s\n"                                                                          \
  ".endm\n"                                                                                        \
  ".macro mote_outputs pixels\n"                                                                   \
  "  mote_decode\n"                                                                                \
  "  ldrd r10, r11, [r0, #48]\n"                                                                   \
  "  mote_finish r4\n"                                                                             \
  "  strb r4, [r10]\n"                                                                             \
  "  .if \\pixels > 1\n"                                                                           \
  "    mote_finish r5\n"                                                                           \
  "    strb r5, [r10, r11]\n"                                                                      \
  "  .endif\n"                                                                                     \
  "  .if \\pixels > 2\n"                                                                           \
  "    mote_finish r6\n"                                                                           \
  "    strb r6, [r10, r11, lsl #1]\n"                                                              \
  "  .endif\n"                                                                                     \
  "  .if \\pixels > 3\n"                                                                           \
  "    mote_finish r7\n"                                                                           \
  "    add r3, r11, r11, lsl #1\n"                                                                 \
  "    strb r7, [r10, r3]\n"                                                                       \
  "  .endif\n"                                                                                     \
  "  .if \\pixels > 4\n"                                                                           \
  "    mote_finish r8\n"                                                                           \
  "    strb r8, [r10, r11, lsl #2]\n"                                                              \
  "  .endif\n"                                                                                     \
  "  add r10, r10, #1\n"                                                                           \
  "  str r10, [r0, #48]\n"                                                                         \
  ".endm\n"

#endif
#endif
