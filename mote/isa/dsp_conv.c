/* dsp_conv: the convolution's inner loop for Cortex-M with the DSP extension, in assembly because it needs
 * every register there is: P sums (r4..r8), weights (r9) and activations (r10) by pointer, an end or a step
 * (r11), two registers of widened weights (ip, lr) and four of activations (r0..r3, one LDM for two pixels).
 *
 * One quad (4 weights of a channel) for P pixels is LDR, 2 SXTB16, (P + 1) / 2 loads and 2 P SMLAD:
 *   P         1     2     3     4     5
 *   per MAC   1.5   1.0   0.92  0.81  0.8
 * Two shapes: `dense`, where the quads of a block follow each other (patches), and `apart`, where windows
 * share columns and a step leads from quad to quad.
 *
 * A channel's requantisation is explained in dsp.h. Layers that are wide or clamp beyond int8 leave their
 * sums to C. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

__asm__(MOTE_DSP_MACROS

        ".macro mote_weights\n"
        "  ldr ip, [r9], #4\n"
        "  sxtb16 lr, ip, ror #8\n"
        "  sxtb16 ip, ip\n"
        ".endm\n"
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
        ".macro mote_quad pixels\n"
        "  mote_weights\n"
        "  .if \\pixels == 1\n"
        "    mote_one r4\n"
        "  .else\n"
        "    mote_two r4, r5\n"
        "  .endif\n"
        "  .if \\pixels == 3\n"
        "    mote_one r6\n"
        "  .endif\n"
        "  .if \\pixels >= 4\n"
        "    mote_two r6, r7\n"
        "  .endif\n"
        "  .if \\pixels == 5\n"
        "    mote_one r8\n"
        "  .endif\n"
        ".endm\n"

        /* stack: 0 frame, 4 end of a run, 8 next column */
        ".macro mote_conv name, pixels, apart\n"
        "  mote_function \\name\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  sub sp, sp, #12\n"
        "  str r0, [sp]\n"
        "  ldr r9, [r0]\n"
        "1:\n" /* next channel */
        "  mote_bias r4\n"
        "  .if \\pixels > 1\n"
        "    mov r5, r4\n"
        "  .endif\n"
        "  .if \\pixels > 2\n"
        "    mov r6, r4\n"
        "  .endif\n"
        "  .if \\pixels > 3\n"
        "    mov r7, r4\n"
        "  .endif\n"
        "  .if \\pixels > 4\n"
        "    mov r8, r4\n"
        "  .endif\n"

        "  .if \\apart\n"
        "    ldr r1, [r0, #20]\n"
        "2:\n" /* next kernel column */
        "    ldr r2, [r1], #4\n"
        "    str r1, [sp, #8]\n"
        "    ldrd r10, r1, [r0, #4]\n"
        "    add r10, r10, r2, lsl #1\n"
        "    ldrd r2, r11, [r0, #12]\n"
        "    add r3, r9, r1\n"
        "    add r3, r3, r2\n"
        "    str r3, [sp, #4]\n"
        "    cbz r1, 3f\n"
        "    mote_quad \\pixels\n"
        "    add r10, r10, r11\n"
        "3:\n"
        "    ldr r0, [sp, #4]\n"
        "    cmp r9, r0\n"
        "    beq 5f\n"
        "4:\n"
        "    mote_quad \\pixels\n"
        "    add r10, r10, r11\n"
        "    mote_quad \\pixels\n"
        "    add r10, r10, r11\n"
        "    ldr r0, [sp, #4]\n"
        "    cmp r9, r0\n"
        "    bne 4b\n"
        "5:\n"
        "    ldr r0, [sp]\n"
        "    ldr r1, [sp, #8]\n"
        "    ldr r2, [r0, #24]\n"
        "    cmp r1, r2\n"
        "    bne 2b\n"

        "  .else\n"
        "    ldrd r10, r1, [r0, #4]\n"
        "    cbz r1, 3f\n"
        "    add r11, r9, r1\n"
        "2:\n"
        "    mote_quad \\pixels\n"
        "    cmp r9, r11\n"
        "    bne 2b\n"
        "    ldr r0, [sp]\n"
        "3:\n"
        "    ldr r1, [r0, #12]\n"
        "    cmp r1, #0\n"
        "    beq 5f\n"
        "    add r11, r9, r1\n"
        "4:\n"
        "    mote_quad \\pixels\n"
        "    mote_quad \\pixels\n"
        "  .if \\pixels > 3\n"
        "    mote_quad \\pixels\n"
        "    mote_quad \\pixels\n"
        "  .endif\n"
        "    cmp r9, r11\n"
        "    bne 4b\n"
        "    ldr r0, [sp]\n"
        "5:\n"
        "  .endif\n"

        "  ldr r1, [r0, #60]\n"
        "  cbz r1, 6f\n"
        "  add r1, r0, #64\n"
        "  stm r1, {r4, r5, r6, r7, r8}\n"
        "  bl mote_dsp_general\n"
        "  ldr r0, [sp]\n"
        "  ldr r10, [r0, #48]\n"
        "  b 7f\n"
        "6:\n"
        "  mote_outputs \\pixels\n"
        "7:\n"
        "  ldr r1, [r0, #56]\n"
        "  cmp r10, r1\n"
        "  bne 1b\n"
        "  add sp, sp, #12\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"

        "mote_conv mote_dsp_dense1, 1, 0\n"
        "mote_conv mote_dsp_dense2, 2, 0\n"
        "mote_conv mote_dsp_dense3, 3, 0\n"
        "mote_conv mote_dsp_dense4, 4, 0\n"
        "mote_conv mote_dsp_dense5, 5, 0\n"
        "mote_conv mote_dsp_apart1, 1, 1\n"
        "mote_conv mote_dsp_apart2, 2, 1\n"
        "mote_conv mote_dsp_apart3, 3, 1\n"
        "mote_conv mote_dsp_apart4, 4, 1\n"
        "mote_conv mote_dsp_apart5, 5, 1\n"
        ".text\n");

void mote_dsp_dense1(struct dsp_frame *f);
void mote_dsp_dense2(struct dsp_frame *f);
void mote_dsp_dense3(struct dsp_frame *f);
void mote_dsp_dense4(struct dsp_frame *f);
void mote_dsp_dense5(struct dsp_frame *f);
void mote_dsp_apart1(struct dsp_frame *f);
void mote_dsp_apart2(struct dsp_frame *f);
void mote_dsp_apart3(struct dsp_frame *f);
void mote_dsp_apart4(struct dsp_frame *f);
void mote_dsp_apart5(struct dsp_frame *f);

void mote_isa_conv__dsp(const struct mote_conv_job *b) {
  static void (*const loops[2][MOTE_ISA_BLOCK])(struct dsp_frame *) = {
      {mote_dsp_dense1, mote_dsp_dense2, mote_dsp_dense3, mote_dsp_dense4, mote_dsp_dense5},
      {mote_dsp_apart1, mote_dsp_apart2, mote_dsp_apart3, mote_dsp_apart4, mote_dsp_apart5},
  };
  struct dsp_frame f;
  f.skip = 2 * b->quad_step - 8 * b->pixels;
  const uint32_t apart = f.skip != 0 || b->columns != 1;
  f.weights = b->weights;
  f.values = b->values;
  f.small = 4 * (b->quads & (apart ? 1 : 3));
  f.large = 4 * b->quads - f.small;
  f.column_at = b->column_at;
  f.column_end = b->column_at + b->columns;
  f.out = b->out;
  f.out_step = b->out_step;
  f.out_end = b->out + b->channels;
  f.first_out = b->out;
  f.pixels = b->pixels;
  mote_dsp_frame_output(&f, b->output, b->params, 0);
  loops[apart][b->pixels - 1](&f);
}

#else
typedef int mote_isa_dsp_conv_is_empty; /* C wants a declaration in every file */
#endif
