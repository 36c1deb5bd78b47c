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

enum dsp_way mote_dsp_fastest(struct dsp_constants *k, const struct mote_output *o, uint32_t c) {
  const enum dsp_way way = mote_dsp_constants(k, o, c);
  if (o->zp != -128 || o->low > -128 || o->high < 127 || !o->bounded) return way;
  k->shift = 13 + o->shift_base;
  k->zp = o->zp * 4096 + 2048;
  return o->wide ? DSP_PAIRS : DSP_ABOVE;
}

/* ---- the loop over channels ------------------------------------------------------------------ */

/* mote_dsp_run loads the bias into r4..r8 and goes to the entry with r0 the frame, r9 the weights of the
 * channel, which the entry moves on, r10 the values and r11 the end of the run's weights. The entry ends with r0 the
 * frame again and `ldr pc, [r0, #48]`, the sums in r4..r8; nothing else need be kept. [sp, 4] and [sp, 8] are its own. */
__asm__(
    MOTE_DSP_MACROS
    "mote_function mote_dsp_run\n"
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

    "mote_label mote_dsp_both\n"
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
    "9:\n"
    "  adds r10, r10, #1\n"
    "  str r10, [r0, #36]\n"
    "  ldr r1, [r0, #44]\n"
    "  cmp r10, r1\n"
    "  bne 1b\n"
    "  pop {r0, r1, r2, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"

    "mote_label mote_dsp_pairs_above\n"
    "  ldr r1, [r0, #24]\n"
    "  ldrd r2, r3, [r1], #8\n"
    "  str r1, [r0, #24]\n"
    "  adds r3, r3, #13\n"
    "  sub lr, r3, #2\n"
    "  cmp lr, #10\n"
    "  bhi 10f\n"
    "  ldr r1, [r0, #28]\n"
    "  mov lr, #1\n"
    "  lsl lr, lr, r3\n"
    "  add r1, r1, lr, lsr #2\n"
    "  b 5f\n"
    "mote_label mote_dsp_above\n"
    "  ldr r3, [r0, #24]\n"
    "  ldm r3!, {r2}\n"
    "  str r3, [r0, #24]\n"
    "  ldrd r1, r3, [r0, #28]\n"
    "  mote_decode_above\n"
    "5:\n"
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
    "  b 9b\n"

    /* mote_dsp_outputs(output, out - first_out, sums that have pixels, how many, first pixel, step) */
    "mote_label mote_dsp_in_c\n"
    "10:\n"
    "  ldrd r10, r11, [r0, #36]\n"
    "  push {r3, r4, r5, r6, r7, r8}\n"
    "  ldr r5, [r0, #84]\n"
    "  mla r4, r5, r11, r10\n"
    "  mov r6, r11\n"
    "  ldr r1, [r0, #80]\n"
    "  sub r1, r10, r1\n"
    "  add r2, sp, #4\n"
    "  add r2, r2, r5, lsl #2\n"
    "  rsb r3, r5, #5\n"
    "  ldr r0, [r0, #76]\n"
    "  push {r4, r6}\n"
    "  bl mote_dsp_outputs\n"
    "  add sp, sp, #32\n"
    "  ldr r0, [sp]\n"
    "  b 9b\n"
    "  .size mote_dsp_run, . - mote_dsp_run\n"
    ".text\n");

void mote_dsp_run(struct dsp_frame *f);
void mote_dsp_bias0(void);
void mote_dsp_bias2(void);
void mote_dsp_bias4(void);
void mote_dsp_both(void);
void mote_dsp_above(void);
void mote_dsp_pairs_above(void);
void mote_dsp_in_c(void);
void mote_dsp_outputs_both(void);
void mote_dsp_outputs_above(void);

void mote_dsp_block(struct dsp_frame *f, uint32_t n, uint32_t pixels, int8_t *out) {
  static void (*const starts[])(void) = {mote_dsp_bias0, mote_dsp_bias2, mote_dsp_bias4};
  static void (*const roundings[])(void) = {mote_dsp_both, mote_dsp_above, mote_dsp_pairs_above,
                                            mote_dsp_in_c};
  const enum dsp_way way = mote_dsp_fastest(&f->next, f->output, 0);
  const uint32_t none = MOTE_CONV_BLOCK - pixels;
  f->start = (uintptr_t)starts[f->next.bias_step / 2];
  f->rounding = (uintptr_t)roundings[way];
  f->none = none;
  /* 24 or 16 bytes of code a sum; before the last there are four more. */
  f->tail = (way == DSP_BOTH ? (uintptr_t)mote_dsp_outputs_both + 24 * none
                             : (uintptr_t)mote_dsp_outputs_above + 16 * none) +
            (none & 4);
  f->out = (uint32_t)out - none * f->out_step;
  f->out_end = f->out + n;
  f->first_out = f->out;
  mote_dsp_run(f);
}

/* ---- widening ---------------------------------------------------------------------------- */

void mote_isa_widen__dsp(int16_t *position, uint32_t quad_step, uint32_t k, const int8_t *src,
                         uint32_t n, int32_t zp) {
  const uint32_t minus = both(-zp);
  uint32_t *to = (uint32_t *)(position + (size_t)(k / 4) * quad_step);
  quad_step /= 2; /* of words */
  if (src == NULL) {
    for (uint32_t i = 0; i < n; i += 4, to += quad_step) to[0] = to[1] = 0;
    return;
  }
  for (const int8_t *end = src + (n & ~3u); src != end; src += 4, to += quad_step) {
    const uint32_t x = load(src);
    to[0] = even_add(minus, x);
    to[1] = odd_add(minus, x);
  }
  n &= 3;
  if (n == 0) return;
  const uint32_t x = load_part(src, n);
  to[0] = even_add(n >= 3 ? minus : minus & 0xFFFF, x);
  to[1] = odd_add(n >= 2 ? minus & 0xFFFF : 0, x);
}

/* ---- dense ----------------------------------------------------------------------------------- */

/* Four channels at once, so that a widened activation serves four weights: 25 instructions for 16 MAC. The
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
__asm__(".macro mote_dense_bias s\n"
        "  ldrsh \\s, [r2]\n"
        "  it eq\n"
        "  ldreq \\s, [r2]\n"
        "  add r2, r2, r1\n"
        ".endm\n"
        ".macro mote_dense_out s\n"
        "  ldr r2, [r10], #4\n"
        "  mov r3, r8\n"
        "  mov r1, r9\n"
        "  mote_decode_both\n"
        "  mote_finish \\s\n"
        "  strb \\s, [r11], #1\n"
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
        "  cmp r1, #4\n"
        "  mote_dense_bias r4\n"
        "  mote_dense_bias r5\n"
        "  mote_dense_bias r6\n"
        "  mote_dense_bias r7\n"
        "  str r2, [r0, #24]\n"
        "  ldr r1, [r0, #20]\n"
        "  str r1, [sp, #4]\n"
        "  ldrd r8, r9, [r0, #4]\n"
        "  ldrd r11, ip, [r0, #12]\n"
        "  ldr r10, [r0]\n"
        "  add lr, r11, r11, lsl #1\n"
        "  b 4f\n"
        "2:\n"
        "  ldr r0, [r8], #4\n"
        "3:\n"
        "  sxtab16 r1, ip, r0\n"
        "  sxtab16 r2, ip, r0, ror #8\n"
        "  mote_dense_channel r5, [r10, r11]\n"
        "  mote_dense_channel r6, [r10, r11, lsl #1]\n"
        "  mote_dense_channel r7, [r10, lr]\n"
        "  mote_dense_channel r4, [r10], #4\n"
        "4:\n"
        "  cmp r8, r9\n"
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
        "  b 3b\n"
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
