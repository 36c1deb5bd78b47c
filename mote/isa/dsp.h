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
  const int8_t *bias;          /*  0 */
  uint32_t bias_step;          /*  4: 4, 2, or 0 where there is none */
  const uint32_t *words;       /*  8: packed requantisation */
  int32_t zp_word, less_shift; /* 12: 2 zp + 1, 16: -shift_base - 1 */
};

/* Those of channel c. Returns whether outputs must be made in C: layers that are wide or clamp inside int8. */
uint32_t mote_dsp_constants(struct dsp_constants *k, const struct mote_output *o, uint32_t c);

/* What a loop over the channels of a block of pixels reads and advances. The assembly knows the offsets in
 * the comments; it keeps a pointer to its frame at [sp], and in r0 where it says so. A block's P pixels have
 * the last P of five sums: so one piece of code serves every P, entered where the first of them begins. */
struct dsp_frame {
  const int8_t *weights;     /*  0: of the next channel */
  const void *values;        /*  4: the block's first window or column */
  struct dsp_constants next; /*  8 */
  uint32_t out;              /* 28: where sum 0 would go */
  uint32_t out_step;         /* 32: from pixel to pixel */
  uint32_t out_end;          /* 36: where `out` ends up after the last channel */
  void (*body)(void);        /* 40: makes the sums of one channel */
  uint32_t tail;             /* 44: sums without a pixel, or 5: outputs are made in C */
  uintptr_t entry;           /* 48: into the body */
  /* 52: bytes of weights in a run; bytes from a channel's values to the next's */
  uint32_t run;
  /* 56: bytes from the last pixel of a quad to the next's first; from pixel to pixel */
  uint32_t skip;
  const uint32_t *column_at;        /* 60 */
  const uint32_t *column_end;       /* 64 */
  const struct mote_output *output; /* 68: first member of the parameters */
  uint32_t first_out;               /* 72: `out` of channel 0 */
  uint32_t none;                    /* 76: sums without a pixel */
};
typedef char dsp_frame_layout[offsetof(struct dsp_frame, none) == 76 ? 1 : -1];

/* Makes channels c .. c + channels - 1 of `pixels` pixels: `out` is the first pixel's channel c. general: as
 * mote_dsp_constants said. All else is filled already, `next` with the constants of channel c. */
void mote_dsp_run(struct dsp_frame *f);
static inline void dsp_block(struct dsp_frame *f, uint32_t c, uint32_t channels, uint32_t pixels,
                             int8_t *out, uint32_t general) {
  const uint32_t none = MOTE_CONV_BLOCK - pixels;
  f->none = none;
  f->tail = general ? MOTE_CONV_BLOCK : none;
  f->out = (uint32_t)out - none * f->out_step;
  f->out_end = f->out + channels;
  f->first_out = f->out - c;
  mote_dsp_run(f);
}

/* mote_finish s: the sum in s becomes an int8; r1 rounding and zero point, r2 multiplier, r3 shift. Uses lr. */
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
  ".macro mote_finish s\n"                                                                         \
  "  add lr, r1, \\s, asr #31\n"                                                                   \
  "  lsls \\s, \\s, #1\n"                                                                          \
  "  smmlar \\s, \\s, r2, lr\n"                                                                    \
  "  asrs \\s, \\s, r3\n"                                                                          \
  "  ssat \\s, #8, \\s\n"                                                                          \
  ".endm\n"

#endif
#endif
