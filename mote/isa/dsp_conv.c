/* dsp_conv: the convolution's inner loops for Cortex-M with the DSP extension, in assembly because they need
 * every register there is: P sums (the last of r4..r8), weights (r9) and activations (r10) by pointer, an end
 * or a step (r11), two registers of widened weights (ip, lr) and four of activations (r0..r3, one LDM for two
 * pixels).
 *
 * One quad (4 weights of a channel) for P pixels is LDR, 2 SXTB16, (P + 1) / 2 loads and 2 P SMLAD:
 *   P         1     2     3     4     5
 *   per MAC   1.5   1.0   0.92  0.81  0.8
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
        "  .balign 4\n"
        "  .thumb_func\n"
        "mote_dsp_patch\\pixels:\n"
        "  .rept \\turn\n"
        "    mote_quad \\pixels, 0\n"
        "  .endr\n"
        "  cmp r9, r11\n"
        "  bne mote_dsp_patch\\pixels\n"
        "  b mote_dsp_sums\n"
        ".endm\n"
        "mote_function mote_dsp_patch\n"
        "  ldr r10, [r0, #4]\n"
        "  ldr r1, [r0, #52]\n"
        "  add r11, r9, r1\n"
        "  ldr pc, [r0, #48]\n"
        "mote_patch 1, 2\n"
        "mote_patch 2, 1\n"
        "mote_patch 3, 1\n"
        "mote_patch 4, 2\n"
        "mote_patch 5, 4\n"
        "  .size mote_dsp_patch, . - mote_dsp_patch\n"

        /* [sp, 4] end of the run, [sp, 8] next column */
        ".macro mote_column pixels, turn\n"
        "  .balign 4\n"
        "  .thumb_func\n"
        "mote_dsp_column\\pixels:\n"
        "  .rept \\turn\n"
        "    mote_quad \\pixels, 1\n"
        "  .endr\n"
        "  ldr r0, [sp, #4]\n"
        "  cmp r9, r0\n"
        "  bne mote_dsp_column\\pixels\n"
        "  b 2f\n"
        ".endm\n"
        "mote_function mote_dsp_column\n"
        "  ldr r1, [r0, #60]\n"
        "1:\n"
        "  ldm r1!, {r2}\n"
        "  str r1, [sp, #8]\n"
        "  ldr r10, [r0, #4]\n"
        "  add r10, r10, r2, lsl #1\n"
        "  ldrd r1, r11, [r0, #52]\n"
        "  add r1, r1, r9\n"
        "  str r1, [sp, #4]\n"
        "  ldr pc, [r0, #48]\n"
        "mote_column 1, 2\n"
        "mote_column 2, 2\n"
        "mote_column 3, 2\n"
        "mote_column 4, 4\n"
        "mote_column 5, 4\n"
        "2:\n"
        "  ldr r0, [sp]\n"
        "  ldr r1, [sp, #8]\n"
        "  ldr r2, [r0, #64]\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  b mote_dsp_sums\n"
        "  .size mote_dsp_column, . - mote_dsp_column\n"
        ".text\n");

void mote_dsp_patch(void);
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

/* A block's loop, and how many quads of its pixels a turn of it takes. */
struct loop {
  void (*code)(void);
  uint32_t turn;
};

/* Fills what the shapes share and goes. step: bytes of code that lead to the next quad. */
static inline __attribute__((always_inline)) void
conv(struct dsp_frame *f, const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
     int8_t *out, const struct loop *loop, uint32_t n, uint32_t step) {
  f->entry = (uintptr_t)loop->code + ((0u - n / 4) & (loop->turn - 1)) * CODE(pixels, step);
  f->weights = (const int8_t *)mote_at(p, p->weights_at);
  f->values = values;
  f->run = n;
  f->out_step = p->out_c;
  f->output = &p->output;
  const uint32_t general = mote_dsp_constants(&f->next, f->output, 0);
  dsp_block(f, 0, p->out_c, pixels, out, general);
}

void mote_isa_conv_patch__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                              uint32_t pixels, int8_t *out) {
  static const struct loop loops[MOTE_CONV_BLOCK] = {
      {mote_dsp_patch1, 2}, {mote_dsp_patch2, 1}, {mote_dsp_patch3, 1},
      {mote_dsp_patch4, 2}, {mote_dsp_patch5, 4},
  };
  struct dsp_frame f;
  f.body = mote_dsp_patch;
  conv(&f, p, values, pixels, out, &loops[pixels - 1], mote_conv_window(p), 0);
}

void mote_isa_conv_column__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out, const uint32_t *column_at,
                               uint32_t positions) {
  static const struct loop loops[MOTE_CONV_BLOCK] = {
      {mote_dsp_column1, 2}, {mote_dsp_column2, 2}, {mote_dsp_column3, 2},
      {mote_dsp_column4, 4}, {mote_dsp_column5, 4},
  };
  struct dsp_frame f;
  f.body = mote_dsp_column;
  f.skip = 8 * (positions - pixels);
  f.column_at = column_at;
  f.column_end = column_at + p->kernel_w;
  conv(&f, p, values, pixels, out, &loops[pixels - 1], mote_conv_column(p), 2);
}

#else
typedef int mote_isa_dsp_conv_is_empty; /* C wants a declaration in every file */
#endif
