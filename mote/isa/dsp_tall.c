/* dsp_tall: depthwise convolution by kernels one column wide, for Cortex-M with the DSP extension.
 *
 * Windows share no columns, so nothing is worth keeping in scratch: the rows are read as they lie, four channels of
 * four rows at once, turned in registers and multiplied by SMLAD. One assembly loop goes over all channels of a pixel;
 * it also makes their outputs where the layer is packed and clamps nothing or below its zero point (enum dsp_way). */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* What the loop over groups of four channels reads and advances; the assembly knows the offsets in the comments. */
struct frame_tall {
  const int8_t *weights;     /*  0: of the next channel */
  const void *const *rows;   /*  4 */
  uint32_t at;               /*  8: where the next channel is in a row */
  uint32_t end;              /* 12: where `at` ends up after the last one */
  uint32_t h;                /* 16: rows of a window */
  uint32_t minus;            /* 20: twice the zero point, negative */
  uint32_t quads;            /* 24: rows read four at a time: none where one is missing */
  uintptr_t start;           /* 28: loads the biases of a group */
  uintptr_t finish;          /* 32: makes outputs of its sums, or leaves them below */
  struct dsp_constants next; /* 36 */
  int8_t *out;               /* 56: its first output */
  uint32_t nudge;            /* 60: where a word's bits are 0, what the way of rounding adds */
  int32_t sums[4];           /* 64 */
};
typedef char frame_tall_layout[offsetof(struct frame_tall, sums) == 64 ? 1 : -1];
void mote_dsp_tall(struct frame_tall *f);

/* Of each two rows, bytes of two channels are packed first and widened then: a word is two rows of one channel.
 * In the loops: r0 weights, r1 rows of a window, r2 minus, r4..r7 the sums of four channels; [sp] next of the rows,
 * [sp, 4] where the group is in them, [sp, 8] end of the rows read four at a time, and [sp, 12] of all, as weights of
 * the first channel; [sp, 16] the frame. What is left of a window is taken row by row, and so are rows with gaps. */
__asm__(
    MOTE_DSP_MACROS
    /* Two times two rows of one channel: r3 its weights. */
    ".macro mote_tall sum, evens, odds, turned:vararg\n"
    "  sxtb16 r8, r3\n"
    "  sxtab16 lr, r2, \\evens\\turned\n"
    "  smlad \\sum, r8, lr, \\sum\n"
    "  sxtb16 r3, r3, ror #8\n"
    "  sxtab16 lr, r2, \\odds\\turned\n"
    "  smlad \\sum, r3, lr, \\sum\n"
    ".endm\n"
    /* The next output by the way ABOVE: r10 where, lr 2^30, r8 zp; r9 shift and r11 2^(p-2) of a
         * word whose bits are 0. */
    ".macro mote_tall_above sum, word\n"
    "  and ip, \\word, #3\n"
    "  orr \\word, lr, \\word, lsr #2\n"
    "  lsr r0, r11, ip\n"
    "  add r0, r0, r8\n"
    "  sub ip, r9, ip\n"
    "  lsl \\sum, \\sum, ip\n"
    "  smmla \\sum, \\sum, \\word, r0\n"
    "  ssat \\sum, #8, \\sum, asr #12\n"
    "  strb \\sum, [r10], #1\n"
    ".endm\n"
    /* By the way BOTH: r9 s and r11 (2 zp + 1) 2^(s-1) of a word whose bits are 0. */
    ".macro mote_tall_both sum, word\n"
    "  and ip, \\word, #3\n"
    "  orr \\word, lr, \\word, lsr #2\n"
    "  lsl r0, r11, ip\n"
    "  add r0, r0, \\sum, asr #31\n"
    "  add ip, ip, r9\n"
    "  lsl \\sum, \\sum, #1\n"
    "  smmlar \\sum, \\sum, \\word, r0\n"
    "  asr \\sum, \\sum, ip\n"
    "  ssat \\sum, #8, \\sum\n"
    "  strb \\sum, [r10], #1\n"
    ".endm\n"
    ".macro mote_tall_finish way\n"
    "  ldrd r2, r3, [r1]\n"
    "  mote_tall_\\way r4, r2\n"
    "  mote_tall_\\way r5, r3\n"
    "  ldrd r2, r3, [r1, #8]\n"
    "  mote_tall_\\way r6, r2\n"
    "  mote_tall_\\way r7, r3\n"
    ".endm\n"
    "mote_function mote_dsp_tall\n"
    "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
    "  sub sp, sp, #16\n"
    "1:\n"
    "  ldr pc, [r0, #28]\n"
    "mote_label mote_dsp_tall_bias0\n"
    "  movs r4, #0\n"
    "  movs r5, #0\n"
    "  movs r6, #0\n"
    "  movs r7, #0\n"
    "  b 3f\n"
    "mote_label mote_dsp_tall_bias4\n"
    "  ldr r1, [r0, #36]\n"
    "  ldm r1!, {r4, r5, r6, r7}\n"
    "  b 2f\n"
    "mote_label mote_dsp_tall_bias2\n"
    "  ldr r1, [r0, #36]\n"
    "  ldrsh r5, [r1, #2]\n"
    "  ldrsh r6, [r1, #4]\n"
    "  ldrsh r7, [r1, #6]\n"
    "  ldrsh r4, [r1], #8\n"
    "2:\n"
    "  str r1, [r0, #36]\n"
    "3:\n"
    "  ldrd r10, r11, [r0, #4]\n"
    "  strd r10, r11, [sp]\n"
    "  ldrd r1, r2, [r0, #16]\n"
    "  ldr r3, [r0, #24]\n"
    "  ldr r0, [r0]\n"
    "  add lr, r0, r1\n"
    "  add r8, r0, r3\n"
    "  strd r8, lr, [sp, #8]\n"
    "  add r12, r1, r1, lsl #1\n"
    "  cmp r3, #0\n"
    "  beq 6f\n"
    "4:\n"
    "  ldrd r3, r8, [sp]\n"
    "  ldm r3!, {r10, r11, r12, lr}\n"
    "  str r3, [sp]\n"
    "  ldr r10, [r10, r8]\n"
    "  ldr r11, [r11, r8]\n"
    "  ldr r12, [r12, r8]\n"
    "  ldr lr, [lr, r8]\n"
    "  pkhbt r9, r10, r12, lsl #16\n"
    "  pkhtb r10, r12, r10, asr #16\n"
    "  pkhbt r12, r11, lr, lsl #16\n"
    "  pkhtb r11, lr, r11, asr #16\n"
    "  ldr r3, [r0, r1]\n"
    "  mote_tall r5, r9, r12, , ror #8\n"
    "  ldr r3, [r0, r1, lsl #1]\n"
    "  mote_tall r6, r10, r11\n"
    "  add r3, r0, r1\n"
    "  ldr r3, [r3, r1, lsl #1]\n"
    "  mote_tall r7, r10, r11, , ror #8\n"
    "  ldr r3, [r0], #4\n"
    "  mote_tall r4, r9, r12\n"
    "  ldr r3, [sp, #8]\n"
    "  cmp r0, r3\n"
    "  bne 4b\n"
    "  ldrd r10, r11, [sp]\n"
    "  ldr lr, [sp, #12]\n"
    "  add r12, r1, r1, lsl #1\n"
    "6:\n"
    "  cmp r0, lr\n"
    "  beq 9f\n"
    "7:\n"
    "  ldr r3, [r10], #4\n"
    "  cbz r3, 8f\n"
    "  ldr r3, [r3, r11]\n"
    "  sxtab16 r8, r2, r3\n"
    "  sxtab16 r9, r2, r3, ror #8\n"
    "  ldrsb r3, [r0, r1]\n"
    "  smlabb r5, r3, r9, r5\n"
    "  ldrsb r3, [r0, r1, lsl #1]\n"
    "  smlabt r6, r3, r8, r6\n"
    "  ldrsb r3, [r0, r12]\n"
    "  smlabt r7, r3, r9, r7\n"
    "  ldrsb r3, [r0], #1\n"
    "  smlabb r4, r3, r8, r4\n"
    "  cmp r0, lr\n"
    "  bne 7b\n"
    "9:\n"
    "  ldr r3, [sp, #16]\n"
    "  add r0, r0, r12\n"
    "  str r0, [r3]\n"
    "  adds r11, r11, #4\n"
    "  str r11, [r3, #8]\n"
    "  ldr r1, [r3, #44]\n"
    "  ldr r9, [r3, #52]\n"
    "  ldrd r10, r11, [r3, #56]\n"
    "  mov lr, #0x40000000\n"
    "  ldr pc, [r3, #32]\n"
    "8:\n"
    "  adds r0, r0, #1\n"
    "  b 6b\n"

    "mote_label mote_dsp_tall_above\n"
    "  ldr r8, [r3, #48]\n"
    "  mote_tall_finish above\n"
    "5:\n"
    "  adds r1, r1, #16\n"
    "  ldr r0, [sp, #16]\n"
    "  str r1, [r0, #44]\n"
    "  str r10, [r0, #56]\n"
    "  ldrd r2, r3, [r0, #8]\n"
    "  cmp r2, r3\n"
    "  bne 1b\n"
    "  b 10f\n"
    "mote_label mote_dsp_tall_both\n"
    "  mote_tall_finish both\n"
    "  b 5b\n"
    "mote_label mote_dsp_tall_leave\n"
    "  adds r3, r3, #64\n"
    "  stm r3, {r4, r5, r6, r7}\n"
    "10:\n"
    "  add sp, sp, #16\n"
    "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
    "  .size mote_dsp_tall, . - mote_dsp_tall\n"
    ".text\n");
void mote_dsp_tall_bias0(void);
void mote_dsp_tall_bias2(void);
void mote_dsp_tall_bias4(void);
void mote_dsp_tall_above(void);
void mote_dsp_tall_both(void);
void mote_dsp_tall_leave(void);

/* Begins with channel 0; 0: outputs are made in C. */
static int begin_tall(struct frame_tall *f, const struct mote_depthwise_conv2d_s8 *p) {
  static void (*const starts[])(void) = {mote_dsp_tall_bias0, mote_dsp_tall_bias2,
                                         mote_dsp_tall_bias4};
  enum dsp_way way;
  if (mote_output_is_above(&p->output) && !p->output.wide) {
    way = mote_dsp_above_constants(&f->next, &p->output);
    f->nudge = (uint32_t)1 << f->next.shift >> 2;
    f->finish = (uintptr_t)mote_dsp_tall_above;
  } else {
    way = mote_dsp_constants(&f->next, &p->output, 0);
    f->finish = (uintptr_t)mote_dsp_tall_leave;
    if (way == DSP_BOTH) {
      f->nudge = (uint32_t)f->next.zp << f->next.shift++;
      f->finish = (uintptr_t)mote_dsp_tall_both;
    }
  }
  f->start = (uintptr_t)starts[f->next.bias_step / 2];
  f->h = p->kernel_h;
  f->minus = both(-p->output.in_zp);
  return way != DSP_IN_C;
}

static uint32_t quads_of(const void *const *rows, uint32_t h) {
  for (uint32_t i = 0; i < h; i++)
    if (rows[i] == NULL) return 0;
  return h & ~(uint32_t)3;
}

void mote_isa_depthwise_tall__dsp(const void *params, const void *const *rows, void *state,
                                  void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  struct frame_tall f;
  const int short_way = begin_tall(&f, p);
  const struct dsp_constants k = f.next;
  (void)state;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    f.rows = rows;
    f.quads = quads_of(rows, p->kernel_h);
    for (int32_t x = 0; x < p->out_w; x++, to += p->in_c) {
      const int32_t first = x * p->stride_w * p->in_c;
      for (int32_t c = 0, end; c < p->in_c; c = end) {
        /* What is left over is found among the last four. */
        const int32_t group = c > p->in_c - 4 ? p->in_c - 4 : c;
        end = short_way && c == 0 ? p->in_c & ~3 : group + 4;
        f.weights = (const int8_t *)mote_at(p, p->weights_at) + group * p->kernel_h;
        f.at = (uint32_t)(first + group);
        f.end = (uint32_t)(first + end);
        f.next.bias = k.bias + group * (int32_t)k.bias_step;
        f.next.words = k.words + group;
        f.out = to + group;
        mote_dsp_tall(&f);
        for (int32_t i = 0; i < 4 && !short_way; i++)
          mote_dsp_outputs(&p->output, (uint32_t)(group + i), &f.sums[i], 1, to + group + i, 1);
      }
    }
  }
}

#else
typedef int mote_isa_dsp_tall_is_empty; /* C wants a declaration in every file */
#endif
