/* dsp: widening, dense layers and outputs for Cortex-M with the DSP extension; see dsp.h. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* ---- outputs ------------------------------------------------------------------------------ */

void mote_dsp_outputs(const struct mote_output *o, uint32_t c, const int32_t *sums, uint32_t n,
                      int8_t *out, uint32_t step) {
  const struct mote_channel ch = mote_channel_at(o, c);
  for (; n; n--, out += step) *out = mote_output_wide(o, &ch, *sums++);
}

static const int32_t no_bias = 0;

enum dsp_way mote_dsp_constants(struct dsp_constants *k, const struct mote_output *o, uint32_t c) {
  k->bias = (const int8_t *)&no_bias;
  k->bias_step = 0;
  if (o->bias_at) {
    k->bias_step = o->bias_bytes;
    k->bias = (const int8_t *)mote_at(o, o->bias_at) + c * k->bias_step;
  }
  k->words = (const uint32_t *)mote_at(o, o->requant_at) + (o->wide ? 2 * c : c);
  k->shift = -o->shift_base - 1;
  k->zp = 2 * o->zp + 1;
  return o->wide || o->low > -128 || o->high < 127 ? DSP_IN_C : DSP_BOTH;
}

/* A bias that is not there is not read. */
enum dsp_way mote_dsp_above_constants(struct dsp_constants *k, const struct mote_output *o) {
  k->bias = (const int8_t *)mote_at(o, o->bias_at);
  k->bias_step = o->bias_at ? o->bias_bytes : 0;
  k->words = (const uint32_t *)mote_at(o, o->requant_at);
  k->shift = 13 + o->shift_base;
  k->zp = -128 * 4096 + 2048;
  return o->wide ? DSP_PAIRS : DSP_ABOVE;
}

/* ---- the loop over channels ------------------------------------------------------------------ */

/* mote_dsp_run loads the bias into r4..r8 and goes to the entry with r0 the frame, r9 the weights of the
 * channel, which the entry moves on, r10 the values and r11 the end of the run's weights. The entry ends with r0 the
 * frame again and `ldr pc, [r0, #48]`, the sums in r4..r8; nothing else need be kept. [sp, 4] and [sp, 8] are its own. */
__asm__(MOTE_DSP_MACROS "mote_function mote_dsp_run\n"
                        "  push {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                        "  ldr r9, [r0]\n"
                        "1:\n"
                        "  ldr pc, [r0, #56]\n"
                        "mote_label mote_dsp_bias0\n"
                        "  movs r4, #0\n"
                        "  b 3f\n"
                        "mote_label mote_dsp_bias4\n"
                        "  ldr r1, [r0, #16]\n"
                        "  ldm r1!, {r4}\n"
                        "  b 2f\n"
                        "mote_label mote_dsp_bias2\n"
                        "  ldr r1, [r0, #16]\n"
                        "  ldrsh r4, [r1], #2\n"
                        "2:\n"
                        "  str r1, [r0, #16]\n"
                        "3:\n"
                        "  mov r5, r4\n"
                        "  mov r6, r4\n"
                        "  mov r7, r4\n"
                        "  mov r8, r4\n"
                        "  ldrd r10, r11, [r0, #4]\n"
                        "  add r11, r11, r9\n"
                        "  ldr pc, [r0, #12]\n"

                        "mote_label mote_dsp_next\n"
                        "9:\n"
                        "  adds r10, r10, #1\n"
                        "  str r10, [r0, #36]\n"
                        "  ldr r1, [r0, #44]\n"
                        "  cmp r10, r1\n"
                        "  bne 1b\n"
                        "  pop {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                        /* mote_dsp_in_c(frame, the five sums) */
                        "mote_label mote_dsp_all_in_c\n"
                        "  push {r3, r4, r5, r6, r7, r8}\n"
                        "  add r1, sp, #4\n"
                        "  bl mote_dsp_in_c\n"
                        "  add sp, sp, #24\n"
                        "  ldr r0, [sp]\n"
                        "  ldr r10, [r0, #36]\n"
                        "  b 9b\n"
                        "  .size mote_dsp_run, . - mote_dsp_run\n"

                        "mote_function mote_dsp_both\n"
                        "  ldr r3, [r0, #24]\n"
                        "  ldm r3!, {r2}\n"
                        "  str r3, [r0, #24]\n"
                        "  ldrd r1, r3, [r0, #28]\n"
                        "  mote_decode_both\n"
                        "  ldrd r10, r11, [r0, #36]\n"
                        "  ldr pc, [r0, #52]\n"
                        "mote_label mote_dsp_outputs_both\n"
                        "  mote_finish r4\n"
                        "  strb.w r4, [r10]\n"
                        "  mote_finish r5\n"
                        "  strb.w r5, [r10, r11]\n"
                        "  mote_finish r6\n"
                        "  strb.w r6, [r10, r11, lsl #1]\n"
                        "  mote_finish r7\n"
                        "  add.w lr, r11, r11, lsl #1\n"
                        "  strb.w r7, [r10, lr]\n"
                        "  mote_finish r8\n"
                        "  strb r8, [r10, r11, lsl #2]\n"
                        "  b mote_dsp_next\n"
                        "  .size mote_dsp_both, . - mote_dsp_both\n"

                        "mote_function mote_dsp_pairs_above\n"
                        "  ldr r1, [r0, #24]\n"
                        "  ldrd r2, r3, [r1], #8\n"
                        "  str r1, [r0, #24]\n"
                        "  adds r3, r3, #13\n"
                        "  sub lr, r3, #2\n"
                        "  cmp lr, #10\n"
                        "  bhi mote_dsp_all_in_c\n"
                        "  ldr r1, [r0, #28]\n"
                        "  b 5f\n"
                        "mote_label mote_dsp_above\n"
                        "  ldr r3, [r0, #24]\n"
                        "  ldm r3!, {r2}\n"
                        "  str r3, [r0, #24]\n"
                        "  ldrd r1, r3, [r0, #28]\n"
                        "  mote_decode_above\n"
                        "5:\n"
                        "  mote_round_above\n"
                        "  ldrd r10, r11, [r0, #36]\n"
                        "  ldr pc, [r0, #52]\n"
                        "mote_label mote_dsp_outputs_above\n"
                        "  mote_finish_above r4\n"
                        "  strb.w r4, [r10]\n"
                        "  mote_finish_above r5\n"
                        "  strb.w r5, [r10, r11]\n"
                        "  mote_finish_above r6\n"
                        "  strb.w r6, [r10, r11, lsl #1]\n"
                        "  mote_finish_above r7\n"
                        "  add.w lr, r11, r11, lsl #1\n"
                        "  strb.w r7, [r10, lr]\n"
                        "  mote_finish_above r8\n"
                        "  strb r8, [r10, r11, lsl #2]\n"
                        "  b mote_dsp_next\n"

                        "  .size mote_dsp_pairs_above, . - mote_dsp_pairs_above\n"
                        ".text\n");

void mote_dsp_run(struct dsp_frame *f);
void mote_dsp_bias0(void);
void mote_dsp_bias2(void);
void mote_dsp_bias4(void);
void mote_dsp_both(void);
void mote_dsp_above(void);
void mote_dsp_pairs_above(void);
void mote_dsp_all_in_c(void);
void mote_dsp_outputs_both(void);
void mote_dsp_outputs_above(void);

/* What the ways of rounding share. */
static __attribute__((noinline)) void begin(struct dsp_job *job, const struct mote_conv2d_s8 *p) {
  static void (*const starts[])(void) = {mote_dsp_bias0, mote_dsp_bias2, mote_dsp_bias4};
  struct dsp_frame *f = &job->frame;
  job->p = p;
  f->weights = (const int8_t *)mote_at(p, p->weights_at);
  f->out_step = p->out_c;
  f->start = (uintptr_t)starts[f->next.bias_step / 2];
}

void mote_isa_conv_begin_above__dsp(struct mote_conv_job *job, const struct mote_conv2d_s8 *p) {
  struct dsp_frame *f = &((struct dsp_job *)job)->frame;
  f->way = (uint16_t)mote_dsp_above_constants(&f->next, &p->output);
  f->rounding = f->way == DSP_ABOVE ? (uintptr_t)mote_dsp_above : (uintptr_t)mote_dsp_pairs_above;
  f->tails = (uintptr_t)mote_dsp_outputs_above;
  f->tail_bytes = 16;
  begin((struct dsp_job *)job, p);
}

void mote_isa_conv_begin__dsp(struct mote_conv_job *job, const struct mote_conv2d_s8 *p) {
  struct dsp_frame *f = &((struct dsp_job *)job)->frame;
  if (mote_output_is_above(&p->output)) {
    mote_isa_conv_begin_above__dsp(job, p);
    return;
  }
  f->way = (uint16_t)mote_dsp_constants(&f->next, &p->output, 0);
  f->rounding = f->way == DSP_BOTH ? (uintptr_t)mote_dsp_both : (uintptr_t)mote_dsp_all_in_c;
  f->tails = (uintptr_t)mote_dsp_outputs_both;
  f->tail_bytes = 24;
  begin((struct dsp_job *)job, p);
}

void mote_dsp_block(struct dsp_job *job, uint32_t pixels, int8_t *out) {
  struct dsp_frame *f = &job->frame;
  const struct mote_output *o = &job->p->output;
  const uint32_t none = MOTE_CONV_BLOCK - pixels;
  f->next.bias = (const int8_t *)mote_at(o, o->bias_at);
  f->next.words = (const uint32_t *)mote_at(o, o->requant_at);
  f->none = none;
  f->tail = f->tails + f->tail_bytes * none + (none & 4); /* four bytes more before the last */
  f->out = (uint32_t)out - none * f->out_step;
  f->out_end = f->out + job->p->out_c;
  mote_dsp_run(f);
}

/* Outputs of the channel whose sums are made. */
__attribute__((used)) void mote_dsp_in_c(const struct dsp_frame *f, const int32_t *sums);
void mote_dsp_in_c(const struct dsp_frame *f, const int32_t *sums) {
  const struct mote_conv2d_s8 *p = ((const struct mote_conv2d_s8 *const *)f)[-1];
  mote_dsp_outputs(&p->output, p->out_c - (f->out_end - f->out), sums + f->none,
                   MOTE_CONV_BLOCK - f->none, (int8_t *)(f->out + f->none * f->out_step),
                   f->out_step);
}

/* ---- widening ---------------------------------------------------------------------------- */

/* mote_isa_widen__dsp: 6 instructions for four values. r0 position, r1 and r2 the steps in bytes, r3 src, r4 to the
 * next position's, r5 bytes of a position, r6 positions left, r7 the zero point twice, negative. */
__asm__("mote_function mote_isa_widen__dsp\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  ldrd r4, r5, [sp, #36]\n"
        "  ldrd r6, r7, [sp, #44]\n"
        "  lsls r1, r1, #1\n"
        "  lsls r2, r2, #1\n"
        "  adds r5, r5, #3\n"
        "  bic r5, r5, #3\n"
        "  subs r4, r4, r5\n"
        "  negs r7, r7\n"
        "  pkhbt r7, r7, r7, lsl #16\n"
        "1:\n"
        "  mov r8, r0\n"
        "  add r9, r3, r5\n"
        "  tst r5, #4\n"
        "  bne 3f\n"
        "2:\n"
        "  ldr lr, [r3], #4\n"
        "  sxtab16 r10, r7, lr\n"
        "  sxtab16 r11, r7, lr, ror #8\n"
        "  strd r10, r11, [r8]\n"
        "  add r8, r8, r1\n"
        "3:\n"
        "  ldr lr, [r3], #4\n"
        "  sxtab16 r10, r7, lr\n"
        "  sxtab16 r11, r7, lr, ror #8\n"
        "  strd r10, r11, [r8]\n"
        "  add r8, r8, r1\n"
        "  cmp r3, r9\n"
        "  bne 2b\n"
        "  add r3, r3, r4\n"
        "  add r0, r0, r2\n"
        "  subs r6, r6, #1\n"
        "  bne 1b\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_isa_widen__dsp, . - mote_isa_widen__dsp\n"
        ".text\n");

/* ---- addition ------------------------------------------------------------------------------ */

/* Four elements in 24 instructions: two bytes of a word become the high bytes of halves, which SMLAW multiplies. r4, r5
 * weights, r6 offset, r7 elements left, r8 the mask; r0..r3 parameters, a, b, out. */
__asm__(".macro mote_add_one half, x, y\n"
        "  smlaw\\half ip, r4, \\x, r6\n"
        "  smlaw\\half ip, r5, \\y, ip\n"
        "  ssat ip, #8, ip, asr #21\n"
        "  strb ip, [r3], #1\n"
        ".endm\n"
        "mote_function mote_isa_add_weighted__dsp\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  ldm r0, {r4, r5, r6, r7}\n"
        "  mov r8, #0xff00ff00\n"
        "  subs r7, r7, #4\n"
        "  blo 2f\n"
        "1:\n"
        "  ldr r9, [r1], #4\n"
        "  ldr r10, [r2], #4\n"
        "  and r11, r8, r9\n"
        "  and r9, r8, r9, lsl #8\n"
        "  and lr, r8, r10\n"
        "  and r10, r8, r10, lsl #8\n"
        "  mote_add_one b, r9, r10\n"
        "  mote_add_one b, r11, lr\n"
        "  mote_add_one t, r9, r10\n"
        "  mote_add_one t, r11, lr\n"
        "  subs r7, r7, #4\n"
        "  bhs 1b\n"
        "2:\n"
        "  adds r7, r7, #4\n"
        "  beq 4f\n"
        "3:\n"
        "  ldrb r9, [r1], #1\n"
        "  ldrb r10, [r2], #1\n"
        "  lsls r9, r9, #8\n"
        "  lsl r10, r10, #8\n"
        "  mote_add_one b, r9, r10\n"
        "  subs r7, r7, #1\n"
        "  bne 3b\n"
        "4:\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_isa_add_weighted__dsp, . - mote_isa_add_weighted__dsp\n"
        ".text\n");

/* ---- sums over a row ------------------------------------------------------------------------- */

/* Four channels at a time: 10 instructions for four values. The last c % 4 of each column are added one by one.
 * void mote_isa_add_row__dsp(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) */
__asm__("mote_function mote_isa_add_row__dsp\n"
        "  push {r4, r5, r6, r7, r8, lr}\n"
        "1:\n"
        "  mov r12, r0\n"
        "  movs r4, r3\n"
        "2:\n"
        "  subs r4, #4\n"
        "  blo 3f\n"
        "  ldr lr, [r1], #4\n"
        "  ldmia r12, {r5, r6, r7, r8}\n"
        "  sxtab r5, r5, lr\n"
        "  sxtab r6, r6, lr, ror #8\n"
        "  sxtab r7, r7, lr, ror #16\n"
        "  sxtab r8, r8, lr, ror #24\n"
        "  stmia r12!, {r5, r6, r7, r8}\n"
        "  b 2b\n"
        "3:\n"
        "  adds r4, #4\n"
        "4:\n"
        "  subs r4, #1\n"
        "  blo 5f\n"
        "  ldrsb r5, [r1], #1\n"
        "  ldr r6, [r12]\n"
        "  add r6, r5\n"
        "  str r6, [r12], #4\n"
        "  b 4b\n"
        "5:\n"
        "  subs r2, #1\n"
        "  bne 1b\n"
        "  pop {r4, r5, r6, r7, r8, pc}\n"
        "  .size mote_isa_add_row__dsp, . - mote_isa_add_row__dsp\n"
        ".text\n");

/* ---- dense ----------------------------------------------------------------------------------- */

/* Four channels at once, so that a widened activation serves four weights: 24 instructions for 16 MAC. The
 * vector is read as it lies; what is left of it is put together byte by byte, weights being padded with 0. */
struct dense_frame {
  const int8_t *weights;     /*  0: of the next four channels */
  const int8_t *in, *end;    /*  4, 8: end of the whole quads */
  uint32_t step, minus;      /* 12: from channel to channel, 16: the zero point twice, negative */
  uint32_t left;             /* 20: values behind the whole quads */
  struct dsp_constants next; /* 24 */
  int8_t *out;               /* 44 */
  const int8_t *out_end;     /* 48 */
  uint32_t general;          /* 52 */
  const struct mote_output *output;
  const int8_t *first_out;
};
typedef char dense_frame_layout[offsetof(struct dense_frame, general) == 52 ? 1 : -1];
void mote_dsp_dense(struct dense_frame *f);

/* Outputs of up to four channels by the general way; sums are without their biases. */
__attribute__((used)) void mote_dsp_dense_general(struct dense_frame *f, int32_t *sums);
void mote_dsp_dense_general(struct dense_frame *f, int32_t *sums) {
  for (uint32_t i = 0; i < 4 && f->out != f->out_end; i++, sums++) {
    const uint32_t c = (uint32_t)(f->out - f->first_out);
    *sums = (int32_t)((uint32_t)*sums + (uint32_t)mote_channel_bias(f->output, c));
    mote_dsp_outputs(f->output, c, sums, 1, f->out++, 1);
  }
}

/* r4..r7 sums, r8 in, r9 its end, r10 weights, r11 and lr one and three channels on, ip the zero point, r1 and
 * r2 activations, r0 and r3 weights. [sp, 4]: values that are left. */
__asm__(".macro mote_dense_quad\n"
        "  sxtab16 r1, ip, r0\n"
        "  sxtab16 r2, ip, r0, ror #8\n"
        "  mote_dense_channel r5, [r10, r11]\n"
        "  mote_dense_channel r6, [r10, r11, lsl #1]\n"
        "  mote_dense_channel r7, [r10, lr]\n"
        "  mote_dense_channel r4, [r10], #4\n"
        ".endm\n"
        ".macro mote_dense_channel s, from:vararg\n"
        "  ldr r0, \\from\n"
        "  sxtb16 r3, r0\n"
        "  sxtb16 r0, r0, ror #8\n"
        "  smlad \\s, r3, r1, \\s\n"
        "  smlad \\s, r0, r2, \\s\n"
        ".endm\n"
        "mote_function mote_dsp_dense\n"
        "  push {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, ip, lr}\n"
        "1:\n"
        "  ldrd r2, r1, [r0, #24]\n"
        "  mote_dense_biases\n"
        "  str r2, [r0, #24]\n"
        "  ldr r1, [r0, #20]\n"
        "  str r1, [sp, #4]\n"
        "  ldrd r8, r9, [r0, #4]\n"
        "  ldrd r11, ip, [r0, #12]\n"
        "  ldr r10, [r0]\n"
        "  add lr, r11, r11, lsl #1\n"
        "  sub r0, r9, r8\n"
        "  tst r0, #4\n"
        "  beq 4f\n"
        "  b 3f\n"
        "2:\n"
        "  ldr r0, [r8], #4\n"
        "  mote_dense_quad\n"
        "3:\n"
        "  ldr r0, [r8], #4\n"
        "0:\n"
        "  mote_dense_quad\n"
        "4:\n"
        "  cmp r8, r9\n"
        "  bne 2b\n"
        "  ldr r1, [sp, #4]\n"
        "  cmp r1, #0\n"
        "  beq 6f\n"
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
        "  add r10, r10, lr\n"
        "  str r10, [r0]\n"
        "  ldr r1, [r0, #52]\n"
        "  cmp r1, #0\n"
        "  bne 9f\n"
        "  ldr r10, [r0, #32]\n"
        "  ldrd r9, r8, [r0, #36]\n"
        "  ldr r11, [r0, #44]\n"
        "  mote_dense_out r4\n"
        "  mote_dense_out r5\n"
        "  mote_dense_out r6\n"
        "  mote_dense_out r7\n"
        "  str r10, [r0, #32]\n"
        "  str r11, [r0, #44]\n"
        "8:\n"
        "  ldrd r1, r2, [r0, #44]\n"
        "  cmp r1, r2\n"
        "  bne 1b\n"
        "  pop {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, ip, pc}\n"
        "9:\n"
        "  push {r4, r5, r6, r7}\n"
        "  mov r1, sp\n"
        "  bl mote_dsp_dense_general\n"
        "  add sp, sp, #16\n"
        "  ldr r0, [sp]\n"
        "  b 8b\n"
        "  .size mote_dsp_dense, . - mote_dsp_dense\n"
        ".text\n");

/* Groups of four; what is left over is made with the last four once more. Fewer channels than four go one by
 * one, each in the place of all four. */
void mote_isa_dense__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out) {
  const uint32_t step = (p->in_c + 3u) & ~3u, whole = p->out_c & ~3u;
  struct dense_frame f;
  f.output = &p->output;
  f.first_out = out;
  f.in = in;
  f.left = p->in_c & 3u;
  f.end = in + (p->in_c - f.left);
  f.minus = both(-p->output.in_zp);
  f.step = whole ? step : 0;
  for (uint32_t c = 0, n; c < p->out_c; c += n) {
    n = whole ? whole : 1;
    if (whole && c) {
      c = p->out_c - 4u;
      n = 4;
    }
    f.general = mote_dsp_constants(&f.next, &p->output, c) == DSP_IN_C || whole == 0;
    if (f.general) {
      f.next.bias = (const int8_t *)&no_bias;
      f.next.bias_step = 0;
    }
    f.weights = (const int8_t *)mote_at(p, p->weights_at) + (size_t)c * step;
    f.out = out + c;
    f.out_end = f.out + n;
    mote_dsp_dense(&f);
  }
}

/* A layer of few weights: not worth the code of the loop above, one channel after the other. */
void mote_isa_dense_few__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in,
                             int8_t *out) {
  const int8_t *w = (const int8_t *)mote_at(p, p->weights_at);
  const int32_t zp = p->output.in_zp; /* the compiler cannot know that outputs leave it alone */
  const int8_t *const end = in + p->in_c;
  for (uint32_t c = 0; c < p->out_c; c++, out++) {
    int32_t sum = mote_channel_bias(&p->output, c);
    const int8_t *from = in;
    do sum = (int32_t)((uint32_t)sum + (uint32_t)(*w++ * (*from++ - zp)));
    while (from != end);
    w += (0u - p->in_c) & 3u;
    mote_dsp_outputs(&p->output, c, &sum, 1, out, 1);
  }
}

#else
typedef int mote_isa_dsp_is_empty; /* C wants a declaration in every file */
#endif
