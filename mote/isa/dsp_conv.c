/* dsp_conv: the convolution's inner loops for Cortex-M with the DSP extension, in assembly because they need
 * every register there is: P sums (the last of r4..r8), weights (r9) and activations (r10) by pointer, an end
 * or a step (r11), two registers of widened weights (ip, lr) and four of activations (r0..r3, one LDM for two
 * pixels).
 *
 * One quad (4 weights of a channel) for P pixels is LDR, 2 SXTB16, (P + 1) / 2 loads and 2 P SMLAD:
 *   P         1     2     3     4     5
 *   per MAC   1.5   1.0   0.92  0.81  0.8
 * Two pixels and two channels at a time are 0.91: mote_dsp_pairs, for programs of whole windows.
 * Two shapes: `patch`, where the quads of a block follow each other, and `column`, where windows share columns
 * and a step leads from quad to quad. Loops of many pixels are unrolled to four quads or two; a run
 * that is no multiple enters in the middle. Bias and outputs are mote_dsp_run's. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

__asm__(MOTE_DSP_MACROS

        ".macro mote_one s\n"
        "  ldrd r0, r1, [r10], #8\n"
        "  smlad \\s, ip, r0, \\s\n"
        "  smlad \\s, lr, r1, \\s\n"
        ".endm\n"
        ".macro mote_two s, t\n"
        "  ldm r10!, {r0, r1, r2, r3}\n"
        "  smlad \\s, ip, r0, \\s\n"
        "  smlad \\t, ip, r2, \\t\n"
        "  smlad \\s, lr, r1, \\s\n"
        "  smlad \\t, lr, r3, \\t\n"
        ".endm\n"
        /* 4 + 8 bytes, 12 a single pixel, 20 a pair, 2 to 4 the step; CODE below knows. */
        ".macro mote_quad pixels, apart\n"
        "  ldr ip, [r9], #4\n"
        "  sxtb16 lr, ip, ror #8\n"
        "  sxtb16 ip, ip\n"
        "  .if \\pixels == 5\n"
        "    mote_one r4\n"
        "  .endif\n"
        "  .if \\pixels == 3\n"
        "    mote_one r6\n"
        "  .endif\n"
        "  .if \\pixels >= 4\n"
        "    mote_two r5, r6\n"
        "  .endif\n"
        "  .if \\pixels == 1\n"
        "    mote_one r8\n"
        "  .else\n"
        "    mote_two r7, r8\n"
        "  .endif\n"
        "  .if \\apart\n"
        "    add r10, r10, r11\n"
        "  .endif\n"
        ".endm\n"

        ".macro mote_patch pixels, turn\n"
        "mote_label mote_dsp_patch\\pixels\n"
        "  .rept \\turn\n"
        "    mote_quad \\pixels, 0\n"
        "  .endr\n"
        "  cmp r9, r11\n"
        "  bne mote_dsp_patch\\pixels\n"
        "  ldr r0, [sp]\n"
        "  ldr pc, [r0, #48]\n"
        ".endm\n"
        "mote_function mote_dsp_patch\n"
        "mote_patch 1, 1\n"
        "mote_patch 2, 1\n"
        "mote_patch 3, 1\n"
        "mote_patch 4, 1\n"
        "mote_patch 5, 4\n"
        "  .size mote_dsp_patch, . - mote_dsp_patch\n"

        /* [sp, 4] end of the run, [sp, 8] next column */
        ".macro mote_column pixels, turn\n"
        "  .balign 4\n"
        "mote_label mote_dsp_column\\pixels\n"
        "  .rept \\turn\n"
        "    mote_quad \\pixels, 1\n"
        "  .endr\n"
        "  ldr r0, [sp, #4]\n"
        "  cmp r9, r0\n"
        "  bne mote_dsp_column\\pixels\n"
        "  .if \\pixels != 5\n"
        "    b 2f\n"
        "  .endif\n"
        ".endm\n"
        "mote_function mote_dsp_column\n"
        "  ldr r1, [r0, #64]\n"
        "1:\n"
        "  str r11, [sp, #4]\n"
        "  ldm r1!, {r2}\n"
        "  str r1, [sp, #8]\n"
        "  add r10, r10, r2, lsl #1\n"
        "  ldr r11, [r0, #60]\n"
        "  ldr pc, [r0, #72]\n"
        "mote_column 1, 2\n"
        "mote_column 2, 2\n"
        "mote_column 3, 2\n"
        "mote_column 4, 4\n"
        "mote_column 5, 4\n"
        "2:\n"
        "  ldr r0, [sp]\n"
        "  ldr r1, [sp, #8]\n"
        "  ldr r2, [r0, #68]\n"
        "  ldrd r10, r11, [r0, #4]\n"
        "  add r11, r11, r9\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  ldr pc, [r0, #48]\n"
        "  .size mote_dsp_column, . - mote_dsp_column\n"
        ".text\n");

/* Two pixels and two channels at once: sums r4, r5 of the first channel, whose weights r9 points to, and r6, r7 of the
 * second (r11); r10 values. A load of the first channel's weights is for two quads: 29 instructions for 32 MAC.
 * Windows are a multiple of 8.
 * What it reads and advances are its parameters, in the order of mote_dsp_pairs: the first four are pushed in front of
 * those on the stack, so that word i lies at [sp, 36 + 4 i], and two LDM load most of it. */
__asm__(".macro mote_pair s, t, word\n"
        "  sxtb16 lr, \\word, ror #8\n"
        "  sxtb16 \\word, \\word\n"
        "  smlad \\s, \\word, r0, \\s\n"
        "  smlad \\t, \\word, r2, \\t\n"
        "  smlad \\s, lr, r1, \\s\n"
        "  smlad \\t, lr, r3, \\t\n"
        ".endm\n"
        ".macro mote_pair_word word\n"
        "  and r3, \\word, #3\n"
        "  orr \\word, lr, \\word, lsr #2\n"
        ".endm\n"
        ".macro mote_pair_above s, t, word\n"
        "  mote_pair_word \\word\n"
        "  lsr r1, r11, r3\n"
        "  add r1, r1, r10\n"
        "  sub r3, ip, r3\n"
        "  lsl \\s, \\s, r3\n"
        "  lsl \\t, \\t, r3\n"
        "  smmla \\s, \\s, \\word, r1\n"
        "  smmla \\t, \\t, \\word, r1\n"
        "  ssat \\s, #8, \\s, asr #12\n"
        "  ssat \\t, #8, \\t, asr #12\n"
        "  strb \\t, [r9, r0]\n"
        "  strb \\s, [r9], #1\n"
        ".endm\n"
        ".macro mote_pair_both s, t, word\n"
        "  mote_pair_word \\word\n"
        "  lsl r1, r11, r3\n"
        "  add r3, r3, ip\n"
        "  add r10, r1, \\s, asr #31\n"
        "  add r1, r1, \\t, asr #31\n"
        "  lsl \\s, \\s, #1\n"
        "  lsl \\t, \\t, #1\n"
        "  smmlar \\s, \\s, \\word, r10\n"
        "  smmlar \\t, \\t, \\word, r1\n"
        "  asr \\s, \\s, r3\n"
        "  asr \\t, \\t, r3\n"
        "  ssat \\s, #8, \\s\n"
        "  ssat \\t, #8, \\t\n"
        "  strb \\t, [r9, r0]\n"
        "  strb \\s, [r9], #1\n"
        ".endm\n"
        "mote_function mote_dsp_pairs\n"
        "  push {r0, r1, r2, r3}\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "1:\n"
        "  add r3, sp, #40\n"
        "  ldm r3, {r1, r2, r9, r10, r11, ip}\n"
        "  add r11, r11, r9\n"
        "  bx r1\n"
        "mote_label mote_dsp_pairs_bias0\n"
        "  movs r4, #0\n"
        "  movs r6, #0\n"
        "  b 2f\n"
        "mote_label mote_dsp_pairs_bias4\n"
        "  ldrd r4, r6, [r2], #8\n"
        "  b 2f\n"
        "mote_label mote_dsp_pairs_bias2\n"
        "  ldrsh r6, [r2, #2]\n"
        "  ldrsh r4, [r2], #4\n"
        "2:\n"
        "  str r2, [sp, #44]\n"
        "  mov r5, r4\n"
        "  mov r7, r6\n"
        "  bx ip\n"
        "  .balign 4\n"
        "  .thumb_func\n"
        "mote_dsp_pairs_loop:\n"
        "  .rept 8\n"
        "    ldm r10!, {r0, r1, r2, r3}\n"
        "    ldr ip, [r11], #4\n"
        "    mote_pair r6, r7, ip\n"
        "    ldrd ip, r8, [r9], #8\n"
        "    mote_pair r4, r5, ip\n"
        "    ldm r10!, {r0, r1, r2, r3}\n"
        "    mote_pair r4, r5, r8\n"
        "    ldr ip, [r11], #4\n"
        "    mote_pair r6, r7, ip\n"
        "  .endr\n"
        "  ldr lr, [sp, #92]\n"
        "  cmp r10, lr\n"
        "  bne mote_dsp_pairs_loop\n"
        "  ldr r1, [sp, #36]\n"
        "  ldrd r2, r8, [r1], #8\n"
        "  str r1, [sp, #36]\n"
        "  str r11, [sp, #48]\n"
        "  add r0, sp, #64\n"
        "  mov lr, #0x40000000\n"
        "  ldm r0, {r0, r9, r10, r11, ip, pc}\n"
        "mote_label mote_dsp_pairs_out_above\n"
        "  mote_pair_above r4, r5, r2\n"
        "  mote_pair_above r6, r7, r8\n"
        "4:\n"
        "  str r9, [sp, #68]\n"
        "  ldr r1, [sp, #88]\n"
        "  cmp r9, r1\n"
        "  bne 1b\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  add sp, sp, #16\n"
        "  bx lr\n"
        "mote_label mote_dsp_pairs_out_both\n"
        "  mote_pair_both r4, r5, r2\n"
        "  mote_pair_both r6, r7, r8\n"
        "  b 4b\n"
        "  .size mote_dsp_pairs, . - mote_dsp_pairs\n"
        ".text\n");

/* words, bias, weights: of the next two channels. run: bytes of weights of a channel. entry: into the loop over quads. out:
 * of the first pixel. zp, shift: as the way of rounding says; nudge: where a word's bits are 0, what it adds. start loads
 * the biases, finish makes outputs of the four sums. */
void mote_dsp_pairs(const uint32_t *words, uintptr_t start, const int8_t *bias,
                    const int8_t *weights, const int16_t *values, uint32_t run, uintptr_t entry,
                    uint32_t out_step, int8_t *out, int32_t zp, uint32_t nudge, int32_t shift,
                    uintptr_t finish, const int8_t *out_end, const int16_t *values_end);
void mote_dsp_pairs_bias0(void);
void mote_dsp_pairs_bias2(void);
void mote_dsp_pairs_bias4(void);
void mote_dsp_pairs_out_above(void);
void mote_dsp_pairs_out_both(void);
void mote_dsp_pairs_loop(void);
void mote_dsp_patch1(void);
void mote_dsp_patch2(void);
void mote_dsp_patch3(void);
void mote_dsp_patch4(void);
void mote_dsp_patch5(void);
void mote_dsp_column(void);
void mote_dsp_column1(void);
void mote_dsp_column2(void);
void mote_dsp_column3(void);
void mote_dsp_column4(void);
void mote_dsp_column5(void);

/* Bytes of a quad's code for P pixels. */
#define CODE(pixels, step) (12 + (pixels) % 2 * 12 + (pixels) / 2 * 20 + (step))

/* A block's loop, how many quads of its pixels a turn of it takes, less one, and how long the code of one is. */
struct loop {
  void (*code)(void);
  uint16_t turn, bytes;
};

/* Fills what the shapes share and goes. step: bytes of code that lead to the next quad. */
static inline __attribute__((always_inline)) void conv(struct mote_conv_job *opaque,
                                                       const int16_t *values, uint32_t pixels,
                                                       int8_t *out, const struct loop *loop,
                                                       uint32_t n, uint32_t step) {
  struct dsp_job *job = (struct dsp_job *)opaque;
  struct dsp_frame *f = &job->frame;
  f->quads = (uintptr_t)loop->code + ((0u - n / 4) & loop->turn) * loop->bytes;
  f->entry = step ? (uintptr_t)mote_dsp_column : f->quads;
  f->values = values;
  f->run = n;
  mote_dsp_block(job, pixels, out);
}

void mote_isa_conv_patch__dsp(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                              int8_t *out) {
  static const struct loop loops[MOTE_CONV_BLOCK] = {
      {mote_dsp_patch1, 0, CODE(1, 0)}, {mote_dsp_patch2, 0, CODE(2, 0)},
      {mote_dsp_patch3, 0, CODE(3, 0)}, {mote_dsp_patch4, 0, CODE(4, 0)},
      {mote_dsp_patch5, 3, CODE(5, 0)},
  };
  conv(job, values, pixels, out, &loops[pixels - 1], mote_conv_window(job->p), 0);
}

/* Bytes of the code of two quads in mote_dsp_pairs, and how many times it stands there, less one. */
enum { PAIR_CODE = 116, PAIR_TURN = 7 };

/* Apart, so that the frames of the two ways do not add up. 0: the layer's outputs are made otherwise. */
static __attribute__((noinline)) uint32_t pairs(const struct dsp_job *job, const int16_t *values,
                                                int8_t *out) {
  static void (*const starts[])(void) = {mote_dsp_pairs_bias0, mote_dsp_pairs_bias2,
                                         mote_dsp_pairs_bias4};
  const struct mote_conv2d_s8 *p = job->p;
  const struct dsp_constants *k = &job->frame.next;
  const uint32_t run = mote_conv_window(p), is_above = job->frame.way == DSP_ABOVE;
  if (job->frame.way > DSP_ABOVE) return 0;
  mote_dsp_pairs(
      (const uint32_t *)mote_at(&p->output, p->output.requant_at),
      (uintptr_t)starts[k->bias_step / 2], (const int8_t *)mote_at(&p->output, p->output.bias_at),
      (const int8_t *)mote_at(p, p->weights_at), values, run,
      (uintptr_t)mote_dsp_pairs_loop + ((0u - run / 8) & PAIR_TURN) * PAIR_CODE, p->out_c, out,
      k->zp, is_above ? (uint32_t)1 << k->shift >> 2 : (uint32_t)k->zp << k->shift,
      is_above ? k->shift : k->shift + 1,
      (uintptr_t)(is_above ? mote_dsp_pairs_out_above : mote_dsp_pairs_out_both), out + p->out_c,
      values + 2 * (size_t)run);
  return 1;
}

void mote_isa_conv_whole__dsp(struct mote_conv_job *opaque, const int16_t *values, uint32_t pixels,
                              int8_t *out) {
  const struct dsp_job *job = (const struct dsp_job *)opaque;
  if (pixels == 2 && job->p->out_c % 2 == 0 && mote_conv_window(job->p) % 8 == 0 &&
      pairs(job, values, out))
    return;
  mote_isa_conv_patch__dsp(opaque, values, pixels, out);
}

void mote_isa_conv_column__dsp(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                               int8_t *out, const uint32_t *column_at, uint32_t positions) {
  static const struct loop loops[MOTE_CONV_BLOCK] = {
      {mote_dsp_column1, 1, CODE(1, 2)}, {mote_dsp_column2, 1, CODE(2, 2)},
      {mote_dsp_column3, 1, CODE(3, 2)}, {mote_dsp_column4, 3, CODE(4, 2)},
      {mote_dsp_column5, 3, CODE(5, 2)},
  };
  struct dsp_frame *f = &((struct dsp_job *)job)->frame;
  f->skip = 8 * (positions - pixels);
  f->column_at = column_at;
  f->column_end = column_at + job->p->kernel_w;
  conv(job, values, pixels, out, &loops[pixels - 1], mote_conv_column(job->p), 2);
}

#else
typedef int mote_isa_dsp_conv_is_empty; /* C wants a declaration in every file */
#endif
