/* dsp_s4: inner loops over weights of 4 bits for Cortex-M with the DSP extension (dsp.h, dsp_conv.c).
 *
 * A byte has the weights of two channels. SXTB16 widens bytes, so a nibble is made the high half of a byte whose other half
 * is 0: a widened weight is 16 times itself, and so is the sum. For the first channel that is one AND more for each four
 * weights than int8 takes, for the second a shift and an AND:
 *   P                 1     2     3     4     5
 *   per MAC, int8     1.5   1.0   0.92  0.81  0.8
 *   per MAC, 4 bits   1.88  1.19  1.04  0.91  0.88
 * The bias is shifted by 4 bits before the sum begins; the requantisation, which doubles a sum for SMMLAR, shifts it
 * right by 3 instead: exact, since the last four bits are 0. That needs |16 sum| < 2^31 (mote/base/window.h).
 *
 * The loop over channels is one of its own: first and second channel of a block take turns, so the entries into the body
 * are exchanged after each, and the second leaves the pointer to the weights behind the block. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* A block of pixels; the assembly knows the offsets. P pixels have the last P of five sums, as in struct dsp_frame. */
struct frame {
  const int8_t *weights;      /*  0: of the channels' block */
  const void *values;         /*  4 */
  struct dsp_constants next;  /*  8 */
  uint32_t out;               /* 28: where sum 0 would go */
  uint32_t out_step;          /* 32 */
  uint32_t out_end;           /* 36 */
  uintptr_t entry, other;     /* 40: into the body, this channel and the next; 44 */
  void (*body)(void);         /* 48 */
  uint32_t tail;              /* 52: sums without a pixel, or 5: outputs are made in C */
  uint32_t run;               /* 56: bytes of weights in a run */
  uint32_t skip;              /* 60: bytes from the last pixel of a quad to the next's first */
  const uint32_t *column_at;  /* 64 */
  const uint32_t *column_end; /* 68 */
  const struct mote_output *output; /* 72: from here on for C alone */
  uint32_t first_out, none;
};
typedef char frame_layout[offsetof(struct frame, output) == 72 ? 1 : -1];
void mote_dsp4_run(struct frame *f);

/* Outputs of a channel by the general way. sums: those of all five, 16 times too large. */
__attribute__((used)) void mote_dsp4_outputs(const struct frame *f, int32_t *sums);
void mote_dsp4_outputs(const struct frame *f, int32_t *sums) {
  int32_t *first = sums + f->none;
  for (uint32_t i = 0; i < MOTE_CONV_BLOCK; i++) sums[i] >>= 4;
  mote_dsp_outputs(f->output, f->out - f->first_out, first, MOTE_CONV_BLOCK - f->none,
                   (int8_t *)(f->out + f->none * f->out_step), f->out_step);
}

/* The body gets r0 the frame, r9 the weights, r4..r8 the biases; it comes back to mote_dsp4_sums with the sums there.
 * [sp, 4] and [sp, 8] are the body's. */
__asm__(
    MOTE_DSP_MACROS

    /* As mote_finish, of a sum that is 16 times too large. */
    ".macro mote_finish4 s\n"
    "  add lr, r1, \\s, asr #31\n"
    "  asrs \\s, \\s, #3\n"
    "  smmlar \\s, \\s, r2, lr\n"
    "  asrs \\s, \\s, r3\n"
    "  ssat \\s, #8, \\s\n"
    ".endm\n"
    "mote_function mote_dsp4_run\n"
    "  push {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
    "1:\n"
    "  ldr r9, [r0]\n"
    "  ldrd r2, r1, [r0, #8]\n"
    "  ldrsh r4, [r2]\n"
    "  cmp r1, #4\n"
    "  it eq\n"
    "  ldreq r4, [r2]\n"
    "  add r2, r2, r1\n"
    "  str r2, [r0, #8]\n"
    "  lsls r4, r4, #4\n"
    "  mov r5, r4\n"
    "  mov r6, r4\n"
    "  mov r7, r4\n"
    "  mov r8, r4\n"
    "  ldr pc, [r0, #48]\n"
    "  .global mote_dsp4_second\n"
    "  .thumb_func\n"
    "mote_dsp4_second:\n"
    "  ldr r0, [sp]\n"
    "  str r9, [r0]\n"
    "  .global mote_dsp4_first\n"
    "  .thumb_func\n"
    "mote_dsp4_first:\n"
    "  ldr r0, [sp]\n"
    "  ldrd r1, r2, [r0, #40]\n"
    "  strd r2, r1, [r0, #40]\n"
    "  ldr r1, [r0, #16]\n"
    "  ldm r1!, {r2}\n"
    "  str r1, [r0, #16]\n"
    "  ldrd r1, r10, [r0, #20]\n"
    "  and r3, r2, #3\n"
    "  add r3, r3, r10\n"
    "  lsls r1, r1, r3\n"
    "  adds r3, r3, #1\n"
    "  mov r10, #0x40000000\n"
    "  orr r2, r10, r2, lsr #2\n"
    "  ldrd r10, r11, [r0, #28]\n"
    "  ldr lr, [r0, #52]\n"
    "  tbb [pc, lr]\n"
    "2:\n"
    "  .byte (4f - 2b) / 2, (5f - 2b) / 2, (6f - 2b) / 2, (7f - 2b) / 2, (8f - 2b) / 2\n"
    "  .byte (10f - 2b) / 2\n"
    "4:\n"
    "  mote_finish4 r4\n"
    "  strb r4, [r10]\n"
    "5:\n"
    "  mote_finish4 r5\n"
    "  strb r5, [r10, r11]\n"
    "6:\n"
    "  mote_finish4 r6\n"
    "  strb r6, [r10, r11, lsl #1]\n"
    "7:\n"
    "  mote_finish4 r7\n"
    "  add lr, r11, r11, lsl #1\n"
    "  strb r7, [r10, lr]\n"
    "8:\n"
    "  mote_finish4 r8\n"
    "  strb r8, [r10, r11, lsl #2]\n"
    "9:\n"
    "  add r10, r10, #1\n"
    "  str r10, [r0, #28]\n"
    "  ldr r1, [r0, #36]\n"
    "  cmp r10, r1\n"
    "  bne 1b\n"
    "  pop {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
    "10:\n"
    "  push {r3, r4, r5, r6, r7, r8}\n"
    "  add r1, sp, #4\n"
    "  bl mote_dsp4_outputs\n"
    "  add sp, sp, #24\n"
    "  ldr r0, [sp]\n"
    "  b 9b\n"
    "  .size mote_dsp4_run, . - mote_dsp4_run\n"

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
    /* 4 the load, 4 the shift of the second channel, 12 the weights, 12 a single pixel, 20 a pair, 2 to 4 the step;
         * CODE below knows. */
    ".macro mote_quad4 pixels, second, apart\n"
    "  ldr ip, [r9], #4\n"
    "  .if \\second\n"
    "    lsl.w ip, ip, #4\n"
    "  .endif\n"
    "  and ip, ip, #0xF0F0F0F0\n"
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

    ".macro mote_patch4 pixels, turn, order, second\n"
    "  .balign 4\n"
    "  .global mote_dsp4_patch_\\order\\pixels\n"
    "  .thumb_func\n"
    "mote_dsp4_patch_\\order\\pixels:\n"
    "  .rept \\turn\n"
    "    mote_quad4 \\pixels, \\second, 0\n"
    "  .endr\n"
    "  cmp r9, r11\n"
    "  bne mote_dsp4_patch_\\order\\pixels\n"
    "  b mote_dsp4_\\order\n"
    ".endm\n"
    "mote_function mote_dsp4_patch\n"
    "  ldr r10, [r0, #4]\n"
    "  ldr r1, [r0, #56]\n"
    "  add r11, r9, r1\n"
    "  ldr pc, [r0, #40]\n"
    ".macro mote_patches order, second\n"
    "  mote_patch4 1, 2, \\order, \\second\n"
    "  mote_patch4 2, 2, \\order, \\second\n"
    "  mote_patch4 3, 2, \\order, \\second\n"
    "  mote_patch4 4, 2, \\order, \\second\n"
    "  mote_patch4 5, 4, \\order, \\second\n"
    ".endm\n"
    "mote_patches first, 0\n"
    "mote_patches second, 1\n"
    "  .size mote_dsp4_patch, . - mote_dsp4_patch\n"

    /* [sp, 4] end of the run, [sp, 8] next column */
    ".macro mote_column4 pixels, turn, order, second\n"
    "  .balign 4\n"
    "  .global mote_dsp4_column_\\order\\pixels\n"
    "  .thumb_func\n"
    "mote_dsp4_column_\\order\\pixels:\n"
    "  .rept \\turn\n"
    "    mote_quad4 \\pixels, \\second, 1\n"
    "  .endr\n"
    "  ldr r0, [sp, #4]\n"
    "  cmp r9, r0\n"
    "  bne mote_dsp4_column_\\order\\pixels\n"
    "  b 2f\n"
    ".endm\n"
    "mote_function mote_dsp4_column\n"
    "  ldr r1, [r0, #64]\n"
    "mote_dsp4_next_column:\n"
    "  ldm r1!, {r2}\n"
    "  str r1, [sp, #8]\n"
    "  ldr r10, [r0, #4]\n"
    "  add r10, r10, r2, lsl #1\n"
    "  ldrd r1, r11, [r0, #56]\n"
    "  add r1, r1, r9\n"
    "  str r1, [sp, #4]\n"
    "  ldr pc, [r0, #40]\n"
    ".macro mote_columns order, second\n"
    "  mote_column4 1, 2, \\order, \\second\n"
    "  mote_column4 2, 2, \\order, \\second\n"
    "  mote_column4 3, 2, \\order, \\second\n"
    "  mote_column4 4, 4, \\order, \\second\n"
    "  mote_column4 5, 4, \\order, \\second\n"
    "2:\n"
    "  ldr r0, [sp]\n"
    "  ldr r1, [sp, #8]\n"
    "  ldr r2, [r0, #68]\n"
    "  cmp r1, r2\n"
    "  bne mote_dsp4_next_column\n"
    "  b mote_dsp4_\\order\n"
    ".endm\n"
    "mote_columns first, 0\n"
    "mote_columns second, 1\n"
    "  .size mote_dsp4_column, . - mote_dsp4_column\n"
    ".text\n");

void mote_dsp4_patch(void);
void mote_dsp4_column(void);
#define LOOPS(X) X(1) X(2) X(3) X(4) X(5)
#define X(pixels)                                                                                  \
  void mote_dsp4_patch_first##pixels(void);                                                        \
  void mote_dsp4_patch_second##pixels(void);                                                       \
  void mote_dsp4_column_first##pixels(void);                                                       \
  void mote_dsp4_column_second##pixels(void);
LOOPS(X)
#undef X

/* Bytes of a quad's code for P pixels. */
#define CODE(pixels, second, step)                                                                 \
  (16u + (second)*4u + (pixels) % 2 * 12u + (pixels) / 2 * 20u + (step))

/* The loops of a block for its two channels. */
struct loops {
  void (*first)(void), (*second)(void);
};

/* step: bytes of code that lead to the next quad; turn: quads of a turn of the loop. */
static inline __attribute__((always_inline)) void
conv(struct frame *f, const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
     int8_t *out, const struct loops *loops, uint32_t n, uint32_t step, uint32_t turn) {
  const uint32_t skipped = (0u - n / 4) & (turn - 1);
  const uint32_t none = MOTE_CONV_BLOCK - pixels;
  f->weights = (const int8_t *)mote_at(p, p->weights_at);
  f->values = values;
  f->entry = (uintptr_t)loops->first + skipped * CODE(pixels, 0, step);
  f->other = (uintptr_t)loops->second + skipped * CODE(pixels, 1, step);
  f->run = n;
  f->output = &p->output;
  f->none = none;
  f->tail = mote_dsp_constants(&f->next, f->output, 0) ? MOTE_CONV_BLOCK : none;
  f->out_step = p->out_c;
  f->out = f->first_out = (uint32_t)out - none * f->out_step;
  f->out_end = f->out + p->out_c;
  mote_dsp4_run(f);
}

void mote_isa_conv4_patch__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out) {
#define X(pixels) {mote_dsp4_patch_first##pixels, mote_dsp4_patch_second##pixels},
  static const struct loops loops[MOTE_CONV_BLOCK] = {LOOPS(X)};
#undef X
  struct frame f;
  f.body = mote_dsp4_patch;
  conv(&f, p, values, pixels, out, &loops[pixels - 1], mote_conv_window(p), 0, pixels == 5 ? 4 : 2);
}

void mote_isa_conv4_column__dsp(const struct mote_conv2d_s8 *p, const int16_t *values,
                                uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                uint32_t positions) {
#define X(pixels) {mote_dsp4_column_first##pixels, mote_dsp4_column_second##pixels},
  static const struct loops loops[MOTE_CONV_BLOCK] = {LOOPS(X)};
#undef X
  struct frame f;
  f.body = mote_dsp4_column;
  f.skip = 8 * (positions - pixels);
  f.column_at = column_at;
  f.column_end = column_at + p->kernel_w;
  conv(&f, p, values, pixels, out, &loops[pixels - 1], mote_conv_column(p), 2, pixels >= 4 ? 4 : 2);
}

/* ---- dense ----------------------------------------------------------------------------------- */

/* Four channels at once, two blocks: 25 instructions for 16 MAC and 3 for each turn of two quads. */
struct dense_frame {
  const int8_t *weights;     /*  0: of the next two blocks */
  const int8_t *in, *end;    /*  4, 8: end of the whole quads */
  uint32_t step, minus;      /* 12: from block to block, 16: the zero point twice, negative */
  uint32_t left;             /* 20: values behind the whole quads */
  struct dsp_constants next; /* 24 */
  int8_t *out;               /* 44 */
  const int8_t *out_end;     /* 48 */
  uint32_t general;          /* 52 */
  const struct mote_output *output;
  const int8_t *first_out;
};
typedef char dense_frame_layout[offsetof(struct dense_frame, general) == 52 ? 1 : -1];
void mote_dsp4_dense(struct dense_frame *f);

/* Outputs of up to four channels by the general way; sums are 16 times too large, and without their biases. */
__attribute__((used)) void mote_dsp4_dense_general(struct dense_frame *f, int32_t *sums);
void mote_dsp4_dense_general(struct dense_frame *f, int32_t *sums) {
  for (uint32_t i = 0; i < 4 && f->out != f->out_end; i++, sums++) {
    const uint32_t c = (uint32_t)(f->out - f->first_out);
    const uint32_t bias = (uint32_t)mote_channel_bias(f->output, c);
    const int32_t sum = (int32_t)((uint32_t)(*sums >> 4) + bias);
    mote_dsp_outputs(f->output, c, &sum, 1, f->out++, 1);
  }
}

/* r4..r7 sums, r8 in, r10 weights, r11 one block on, lr the mask of nibbles, ip the zero point, r1 and r2 activations,
 * r0, r3 and r9 weights. [sp, 4]: values that are left, [sp, 8]: end of the quads. */
__asm__(".macro mote_dense4_out s\n"
        "  ldr r2, [r10], #4\n"
        "  and r3, r2, #3\n"
        "  add r3, r3, r9\n"
        "  lsl r1, r8, r3\n"
        "  adds r3, r3, #1\n"
        "  orr r2, ip, r2, lsr #2\n"
        "  mote_finish4 \\s\n"
        "  strb \\s, [r11], #1\n"
        ".endm\n"
        ".macro mote_dense4_block s, t, from:vararg\n"
        "  ldr r0, \\from\n"
        "  and r3, lr, r0\n"
        "  and r0, lr, r0, lsl #4\n"
        "  sxtb16 r9, r3\n"
        "  sxtb16 r3, r3, ror #8\n"
        "  smlad \\s, r9, r1, \\s\n"
        "  smlad \\s, r3, r2, \\s\n"
        "  sxtb16 r9, r0\n"
        "  sxtb16 r0, r0, ror #8\n"
        "  smlad \\t, r9, r1, \\t\n"
        "  smlad \\t, r0, r2, \\t\n"
        ".endm\n"
        ".macro mote_dense4_quad\n"
        "  sxtab16 r1, ip, r0\n"
        "  sxtab16 r2, ip, r0, ror #8\n"
        "  mote_dense4_block r6, r7, [r10, r11]\n"
        "  mote_dense4_block r4, r5, [r10], #4\n"
        ".endm\n"
        "mote_function mote_dsp4_dense\n"
        "  push {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  mov lr, #0xF0F0F0F0\n"
        "1:\n"
        "  ldrd r2, r1, [r0, #24]\n"
        "  cmp r1, #2\n"
        "  beq 10f\n"
        "  ldr r4, [r2]\n"
        "  ldr r5, [r2, r1]\n"
        "  add r2, r2, r1, lsl #1\n"
        "  ldr r6, [r2]\n"
        "  ldr r7, [r2, r1]\n"
        "  add r2, r2, r1, lsl #1\n"
        "  b 11f\n"
        "10:\n"
        "  ldrsh r4, [r2], #2\n"
        "  ldrsh r5, [r2], #2\n"
        "  ldrsh r6, [r2], #2\n"
        "  ldrsh r7, [r2], #2\n"
        "11:\n"
        "  lsls r4, r4, #4\n"
        "  lsls r5, r5, #4\n"
        "  lsls r6, r6, #4\n"
        "  lsls r7, r7, #4\n"
        "  str r2, [r0, #24]\n"
        "  ldr r1, [r0, #20]\n"
        "  ldrd r8, r9, [r0, #4]\n"
        "  strd r1, r9, [sp, #4]\n"
        "  ldrd r11, ip, [r0, #12]\n"
        "  ldr r10, [r0]\n"
        "  sub r9, r9, r8\n"
        "  tst r9, #4\n"
        "  beq 4f\n"
        "  b 3f\n"
        "2:\n"
        "  ldr r0, [r8], #4\n"
        "  mote_dense4_quad\n"
        "3:\n"
        "  ldr r0, [r8], #4\n"
        "0:\n"
        "  mote_dense4_quad\n"
        "4:\n"
        "  ldr r0, [sp, #8]\n"
        "  cmp r8, r0\n"
        "  bne 2b\n"
        "  ldr r1, [sp, #4]\n"
        "  cbz r1, 6f\n"
        "  movs r0, #0\n"
        "  str r0, [sp, #4]\n"
        "5:\n"
        "  subs r1, r1, #1\n"
        "  ldrb r2, [r8, r1]\n"
        "  orr r0, r2, r0, lsl #8\n"
        "  bne 5b\n"
        "  b 0b\n"
        "6:\n"
        "  ldr r0, [sp]\n"
        "  add r10, r10, r11\n"
        "  str r10, [r0]\n"
        "  ldr r1, [r0, #52]\n"
        "  cmp r1, #0\n"
        "  bne 9f\n"
        "  ldr r10, [r0, #32]\n"
        "  ldrd r8, r9, [r0, #36]\n"
        "  ldr r11, [r0, #44]\n"
        "  mov ip, #0x40000000\n"
        "  mote_dense4_out r4\n"
        "  mote_dense4_out r5\n"
        "  mote_dense4_out r6\n"
        "  mote_dense4_out r7\n"
        "  mov lr, #0xF0F0F0F0\n"
        "  ldr r0, [sp]\n"
        "  str r10, [r0, #32]\n"
        "  str r11, [r0, #44]\n"
        "8:\n"
        "  ldrd r1, r2, [r0, #44]\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  pop {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "9:\n"
        "  push {r4, r5, r6, r7}\n"
        "  mov r1, sp\n"
        "  bl mote_dsp4_dense_general\n"
        "  add sp, sp, #16\n"
        "  mov lr, #0xF0F0F0F0\n"
        "  ldr r0, [sp]\n"
        "  b 8b\n"
        "  .size mote_dsp4_dense, . - mote_dsp4_dense\n"
        ".text\n");

/* Groups of two blocks; what is left over is made with the last two once more. A group of fewer than four channels goes
 * the general way, which stops behind the last channel. */
void mote_isa_dense4__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out) {
  static const int32_t no_bias = 0;
  const uint32_t bytes = (p->in_c + 3u) & ~3u, blocks = (p->out_c + 1u) / 2;
  struct dense_frame f;
  f.output = &p->output;
  f.first_out = out;
  f.in = in;
  f.left = p->in_c & 3u;
  f.end = in + (p->in_c - f.left);
  f.minus = both(-p->output.in_zp);
  f.step = blocks > 1 ? bytes : 0;
  for (uint32_t c = 0, n; c < p->out_c; c += n) {
    n = p->out_c - c < 4 ? p->out_c - c : (p->out_c - c) & ~3u;
    if (n < 4) {
      c = blocks > 1 ? 2 * (blocks - 2) : 0;
      n = p->out_c - c;
    }
    f.general = mote_dsp_constants(&f.next, &p->output, c) || n < 4;
    if (f.general) {
      f.next.bias = (const int8_t *)&no_bias;
      f.next.bias_step = 0;
    }
    f.weights = (const int8_t *)mote_at(p, p->weights_at) + (size_t)(c / 2) * bytes;
    f.out = out + c;
    f.out_end = f.out + n;
    mote_dsp4_dense(&f);
  }
}

#else
typedef int mote_isa_dsp_s4_is_empty; /* C wants a declaration in every file */
#endif
