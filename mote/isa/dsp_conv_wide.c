/* dsp_conv_wide: convolutions for Cortex-M with the DSP extension whose weights are widened in the plan (conv2d_wide_s8); see
 * dsp.h.
 *
 * Two channels of three pixels at a time. Everything that two channels need is one stream, so one pointer brings biases, weights
 * and what makes outputs of sums. A quad is
 *   LDM w x4                     four weights of both channels
 *   LDRD x; SMLAD x4             a pixel, three times
 * 16 instructions (26 cycles) for 24 MAC. Six sums, four registers of weights, two of activations and two pointers are all
 * fourteen; the end of the window is compared with memory. What is left of a row are blocks of two pixels (11 for 16 MAC), or one
 * that is computed as two: pixels that are none go where a later store puts the right value.
 *
 * Weights are scaled so that a sum need not be: SMMLA, SSAT and STRB are an output where nothing lies below the zero point. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* Sums r4..r6 of the first channel and r7..r9 of the second; r0..r3 weights, r10 and r11 activations, ip the stream, lr values.
 * The parameters lie at [sp, 36] in their order. */
__asm__(MOTE_DSP_MACROS ".macro mote_wide_pixel a, b\n"
                        "  ldrd r10, r11, [lr], #8\n"
                        "  smlad \\a, r0, r10, \\a\n"
                        "  smlad \\b, r2, r10, \\b\n"
                        "  smlad \\a, r1, r11, \\a\n"
                        "  smlad \\b, r3, r11, \\b\n"
                        ".endm\n"
                        ".macro mote_wide_above s, m, round, at:vararg\n"
                        "  smmla \\s, \\s, \\m, \\round\n"
                        "  ssat \\s, #8, \\s, asr #12\n"
                        "  strb \\s, \\at\n"
                        ".endm\n"
                        ".macro mote_wide_both s, at:vararg\n"
                        "  add r3, r1, \\s, asr #31\n"
                        "  smmlar \\s, \\s, r0, r3\n"
                        "  asr.w \\s, \\s, r2\n"
                        "  ssat \\s, #8, \\s\n"
                        "  strb \\s, \\at\n"
                        ".endm\n"
                        "mote_function mote_dsp_conv_wide\n"
                        "  push {r0, r1, r2, r3}\n"
                        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                        "  ldr ip, [sp, #68]\n"
                        "1:\n"
                        "  ldr lr, [sp, #36]\n"
                        "  ldrd r4, r7, [ip], #8\n"
                        "  mov r5, r4\n"
                        "  mov r6, r4\n"
                        "  mov r8, r7\n"
                        "  mov r9, r7\n"
                        "  ldr pc, [sp, #44]\n"
                        "  .balign 4\n"
                        "mote_label mote_dsp_conv_wide3\n"
                        "  .rept 8\n"
                        "    ldm ip!, {r0, r1, r2, r3}\n"
                        "    mote_wide_pixel r4, r7\n"
                        "    mote_wide_pixel r5, r8\n"
                        "    mote_wide_pixel r6, r9\n"
                        "  .endr\n"
                        "  ldr r0, [sp, #40]\n"
                        "  cmp lr, r0\n"
                        "  bne mote_dsp_conv_wide3\n"
                        "  ldr pc, [sp, #48]\n"
                        "  .balign 4\n"
                        "mote_label mote_dsp_conv_wide2\n"
                        "  .rept 4\n"
                        "    ldm ip!, {r0, r1, r2, r3}\n"
                        "    mote_wide_pixel r4, r7\n"
                        "    mote_wide_pixel r5, r8\n"
                        "  .endr\n"
                        "  ldr r0, [sp, #40]\n"
                        "  cmp lr, r0\n"
                        "  bne mote_dsp_conv_wide2\n"
                        "  ldr pc, [sp, #48]\n"
                        "mote_label mote_dsp_conv_wide_above\n"
                        "  ldm ip!, {r0, r1, r2, r3}\n"
                        "  ldrd r10, r11, [sp, #52]\n"
                        "  ldr lr, [sp, #60]\n"
                        "  mote_wide_above r6, r0, r1, [r10, lr]\n"
                        "  mote_wide_above r5, r0, r1, [r10, r11]\n"
                        "  mote_wide_above r4, r0, r1, [r10], #1\n"
                        "  mote_wide_above r9, r2, r3, [r10, lr]\n"
                        "  mote_wide_above r8, r2, r3, [r10, r11]\n"
                        "  mote_wide_above r7, r2, r3, [r10], #1\n"
                        "2:\n"
                        "  ldr r0, [sp, #64]\n"
                        "  str r10, [sp, #52]\n"
                        "  cmp r10, r0\n"
                        "  bne 1b\n"
                        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                        "  add sp, sp, #16\n"
                        "  bx lr\n"
                        "mote_label mote_dsp_conv_wide_both\n"
                        "  ldrd r10, r11, [sp, #52]\n"
                        "  ldr lr, [sp, #60]\n"
                        "  ldm ip!, {r0, r1, r2}\n"
                        "  mote_wide_both r6, [r10, lr]\n"
                        "  mote_wide_both r5, [r10, r11]\n"
                        "  mote_wide_both r4, [r10], #1\n"
                        "  ldm ip!, {r0, r1, r2}\n"
                        "  mote_wide_both r9, [r10, lr]\n"
                        "  mote_wide_both r8, [r10, r11]\n"
                        "  mote_wide_both r7, [r10], #1\n"
                        "  b 2b\n"
                        "  .size mote_dsp_conv_wide, . - mote_dsp_conv_wide\n"
                        ".text\n");

/* All channels from the words on, two at a time, until out reaches its end. entry: into the loop over quads; steps: from the
 * first pixel's output to the second's and the third's. */
void mote_dsp_conv_wide(const int16_t *values, const int16_t *values_end, uintptr_t entry,
                        uintptr_t finish, int8_t *out, uint32_t second, uint32_t third,
                        const int8_t *out_end, const uint32_t *words);
void mote_dsp_conv_wide2(void);
void mote_dsp_conv_wide3(void);
void mote_dsp_conv_wide_above(void);
void mote_dsp_conv_wide_both(void);

/* Quads of a turn of the loops, less one, and bytes of the code of one. */
enum { TURN3 = 7, BYTES3 = 64, TURN2 = 3, BYTES2 = 44 };

void mote_isa_conv_wide__dsp(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                             int8_t *out) {
  const uint32_t quads = mote_wide_quads(p), out_c = p->out_c, whole = out_c & ~1u;
  const uint32_t *words = (const uint32_t *)mote_at(p, p->weights_at);
  const int16_t *const end = values + 4 * mote_wide_positions(pixels) * quads;
  const uint32_t second = pixels == 1 ? 0 : out_c, third = pixels == 3 ? 2 * out_c : second;
  const uintptr_t entry = pixels == 3
                              ? (uintptr_t)mote_dsp_conv_wide3 + ((0u - quads) & TURN3) * BYTES3
                              : (uintptr_t)mote_dsp_conv_wide2 + ((0u - quads) & TURN2) * BYTES2;
  const uintptr_t finish =
      (uintptr_t)(p->output.bounded ? mote_dsp_conv_wide_above : mote_dsp_conv_wide_both);
  mote_dsp_conv_wide(values, end, entry, finish, out, second, third, out + whole, words);
  if (whole == out_c) return;
  words += whole / 2 * mote_wide_words(p);
  mote_dsp_conv_wide(values, end, entry, finish, out + whole - 1, second, third, out + out_c,
                     words);
}

#else
typedef int mote_isa_dsp_conv_wide_is_empty; /* C wants a declaration in every file */
#endif
