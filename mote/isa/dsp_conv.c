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
 * A channel's requantisation is explained in dsp.c. Layers that are wide or clamp beyond int8 leave their
 * sums to C. */
#include "mote/isa/isa.h"

#if MOTE_ISA_DSP

/* What the loop reads and advances; the offsets stand again in the assembly below. */
struct conv_frame {
  const int8_t *weights; /*  0 */
  const int16_t *values; /*  4 */
  uint32_t small,
      large;     /*  8, 12: bytes of a run of quads beyond, and in, whole groups of 4 (2 apart) */
  uint32_t skip; /* 16: bytes from the last pixel of a quad to the first of the next */
  const uint32_t *column_at;    /* 20 */
  const uint32_t *column_end;   /* 24 */
  const void *bias;             /* 28 */
  uint32_t bias_step;           /* 32: 4, 2, or 0 where there is none */
  const uint32_t *words;        /* 36 */
  int32_t zp_word, less_shift;  /* 40: 2 zp + 1, 44: -shift_base - 1 */
  int8_t *out;                  /* 48 */
  uint32_t out_step;            /* 52 */
  int8_t *out_end;              /* 56 */
  uint32_t general;             /* 60: requantise in C */
  int32_t sums[MOTE_ISA_BLOCK]; /* 64 */
  const struct mote_conv_job *job;
};
typedef char conv_frame_layout[offsetof(struct conv_frame, sums) == 64 ? 1 : -1];

/* The general way to outputs, called by the loop with the sums in the frame. */
void mote_dsp_conv_general(struct conv_frame *f);
void mote_dsp_conv_general(struct conv_frame *f) {
  const struct mote_conv_job *b = f->job;
  const struct mote_channel ch = mote_channel_at(b->output, b->params, (size_t)(f->out - b->out));
  for (uint32_t i = 0; i < b->pixels; i++)
    f->out[i * f->out_step] = mote_output_wide(b->output, &ch, f->sums[i]);
  f->out++;
}

__asm__(".syntax unified\n"
        ".thumb\n"

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

        /* ip shift, r1 rounding and zero point, r2 multiplier */
        ".macro mote_finish s\n"
        "  add lr, r1, \\s, asr #31\n"
        "  lsl \\s, \\s, #1\n"
        "  smmlar \\s, \\s, r2, lr\n"
        "  asr \\s, \\s, ip\n"
        "  ssat \\s, #8, \\s\n"
        ".endm\n"

        /* stack: 0 frame, 4 end of a run, 8 next column */
        ".macro mote_conv name, pixels, apart\n"
        "  .section .text.\\name, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global \\name\n"
        "  .type \\name, %function\n"
        "  .thumb_func\n"
        "\\name:\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  sub sp, sp, #12\n"
        "  str r0, [sp]\n"
        "  ldr r9, [r0]\n"
        "1:\n" /* next channel */
        "  ldrd r2, r1, [r0, #28]\n"
        "  ldrsh r4, [r2]\n"
        "  cmp r1, #4\n"
        "  it eq\n"
        "  ldreq r4, [r2]\n"
        "  add r2, r2, r1\n"
        "  str r2, [r0, #28]\n"
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
        "    mote_quad \\pixels\n"
        "    mote_quad \\pixels\n"
        "    cmp r9, r11\n"
        "    bne 4b\n"
        "    ldr r0, [sp]\n"
        "5:\n"
        "  .endif\n"

        "  ldr r1, [r0, #60]\n"
        "  cbz r1, 6f\n"
        "  add r1, r0, #64\n"
        "  stm r1, {r4, r5, r6, r7, r8}\n"
        "  bl mote_dsp_conv_general\n"
        "  ldr r0, [sp]\n"
        "  ldr r10, [r0, #48]\n"
        "  b 7f\n"
        "6:\n"
        "  ldr r1, [r0, #36]\n"
        "  ldr r2, [r1], #4\n"
        "  str r1, [r0, #36]\n"
        "  ldrd r1, r3, [r0, #40]\n"
        "  and ip, r2, #3\n"
        "  add ip, ip, r3\n"
        "  lsl r1, r1, ip\n"
        "  add ip, ip, #1\n"
        "  mov r3, #0x40000000\n"
        "  orr r2, r3, r2, lsr #2\n"
        "  ldrd r10, r11, [r0, #48]\n"
        "  mote_finish r4\n"
        "  strb r4, [r10]\n"
        "  .if \\pixels > 1\n"
        "    mote_finish r5\n"
        "    strb r5, [r10, r11]\n"
        "  .endif\n"
        "  .if \\pixels > 2\n"
        "    mote_finish r6\n"
        "    strb r6, [r10, r11, lsl #1]\n"
        "  .endif\n"
        "  .if \\pixels > 3\n"
        "    mote_finish r7\n"
        "    add r3, r11, r11, lsl #1\n"
        "    strb r7, [r10, r3]\n"
        "  .endif\n"
        "  .if \\pixels > 4\n"
        "    mote_finish r8\n"
        "    strb r8, [r10, r11, lsl #2]\n"
        "  .endif\n"
        "  add r10, r10, #1\n"
        "  str r10, [r0, #48]\n"
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

void mote_dsp_dense1(struct conv_frame *f);
void mote_dsp_dense2(struct conv_frame *f);
void mote_dsp_dense3(struct conv_frame *f);
void mote_dsp_dense4(struct conv_frame *f);
void mote_dsp_dense5(struct conv_frame *f);
void mote_dsp_apart1(struct conv_frame *f);
void mote_dsp_apart2(struct conv_frame *f);
void mote_dsp_apart3(struct conv_frame *f);
void mote_dsp_apart4(struct conv_frame *f);
void mote_dsp_apart5(struct conv_frame *f);

void mote_isa_conv__dsp(const struct mote_conv_job *b) {
  static void (*const loops[2][MOTE_ISA_BLOCK])(struct conv_frame *) = {
      {mote_dsp_dense1, mote_dsp_dense2, mote_dsp_dense3, mote_dsp_dense4, mote_dsp_dense5},
      {mote_dsp_apart1, mote_dsp_apart2, mote_dsp_apart3, mote_dsp_apart4, mote_dsp_apart5},
  };
  static const int32_t nothing = 0;
  const struct mote_output *o = b->output;
  struct conv_frame f;
  f.skip = 2 * b->quad_step - 8 * b->pixels;
  const uint32_t apart = f.skip != 0 || b->columns != 1;
  f.weights = b->weights;
  f.values = b->values;
  f.small = 4 * (b->quads & (apart ? 1 : 3));
  f.large = 4 * b->quads - f.small;
  f.column_at = b->column_at;
  f.column_end = b->column_at + b->columns;
  f.bias = o->bias_at ? mote_at(b->params, o->bias_at) : &nothing;
  f.bias_step = o->bias_at ? o->bias_bytes : 0;
  f.words = (const uint32_t *)mote_at(b->params, o->requant_at);
  f.zp_word = 2 * o->zp + 1;
  f.less_shift = -o->shift_base - 1;
  f.out = b->out;
  f.out_step = b->out_step;
  f.out_end = b->out + b->channels;
  f.general = o->wide || o->low > -128 || o->high < 127;
  f.job = b;
  loops[apart][b->pixels - 1](&f);
}

#else
typedef int mote_isa_dsp_conv_is_empty; /* C wants a declaration in every file */
#endif
