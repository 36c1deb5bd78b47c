/* dsp_wide: dense layers for Cortex-M with the DSP extension whose weights are widened in the plan (fully_connected_wide_s8); see
 * dsp.h.
 *
 * Weights lie in the order in which they are met: LDM brings the pairs of four channels that meet one pair of activations, and
 * nothing is left to do but SMLAD. 13 instructions for 16 MAC:
 *   LDR x; SXTAB16; SXTAB16      four activations, the zero point taken away
 *   LDM w; SMLAD x4              inputs 0 and 2 of four channels
 *   LDM w; SMLAD x4              inputs 1 and 3
 * Four sums, two pointers, an end, the zero point, two registers of activations and four of weights are all fourteen. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

struct wide_frame {
  const uint32_t *weights;   /*  0: of the next four channels */
  const int8_t *in, *end;    /*  4, 8: end of the whole quads */
  uint32_t minus;            /* 12: the zero point twice, negative */
  uint32_t left;             /* 16: values behind the whole quads */
  struct dsp_constants next; /* 20 */
  int8_t *out;               /* 40 */
  const int8_t *out_end;     /* 44: behind the whole groups */
  uint32_t general;          /* 48 */
  const struct mote_output *output;
  const int8_t *first_out;
};
typedef char wide_frame_layout[offsetof(struct wide_frame, general) == 48 ? 1 : -1];
void mote_dsp_wide(struct wide_frame *f);

/* Outputs of four channels by the general way; sums are without their biases. */
__attribute__((used)) void mote_dsp_wide_general(struct wide_frame *f, int32_t *sums);
void mote_dsp_wide_general(struct wide_frame *f, int32_t *sums) {
  for (uint32_t i = 0; i < 4; i++, sums++) {
    const uint32_t c = (uint32_t)(f->out - f->first_out);
    *sums = (int32_t)((uint32_t)*sums + (uint32_t)mote_channel_bias(f->output, c));
    mote_dsp_outputs(f->output, c, sums, 1, f->out++, 1);
  }
}

/* r4..r7 sums, r8 in, r9 its end, r10 weights, ip the zero point, r0 and r1 activations, r2, r3, r11 and lr weights. [sp, 4]: values
 * that are left; they are put together byte by byte, weights being padded with 0. */
__asm__(MOTE_DSP_MACROS ".macro mote_wide_half x\n"
                        "  ldm r10!, {r2, r3, r11, lr}\n"
                        "  smlad r4, r2, \\x, r4\n"
                        "  smlad r5, r3, \\x, r5\n"
                        "  smlad r6, r11, \\x, r6\n"
                        "  smlad r7, lr, \\x, r7\n"
                        ".endm\n"
                        ".macro mote_wide_quad\n"
                        "  sxtab16 r1, ip, r0, ror #8\n"
                        "  sxtab16 r0, ip, r0\n"
                        "  mote_wide_half r0\n"
                        "  mote_wide_half r1\n"
                        ".endm\n"
                        "mote_function mote_dsp_wide\n"
                        "  push {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, ip, lr}\n"
                        "1:\n"
                        "  ldrd r2, r1, [r0, #20]\n"
                        "  mote_dense_biases\n"
                        "  str r2, [r0, #20]\n"
                        "  ldrd r10, r8, [r0]\n"
                        "  ldrd r9, ip, [r0, #8]\n"
                        "  ldr r1, [r0, #16]\n"
                        "  str r1, [sp, #4]\n"
                        "  sub r0, r9, r8\n"
                        "  tst r0, #4\n"
                        "  beq 4f\n"
                        "  b 3f\n"
                        "2:\n"
                        "  ldr r0, [r8], #4\n"
                        "  mote_wide_quad\n"
                        "3:\n"
                        "  ldr r0, [r8], #4\n"
                        "0:\n"
                        "  mote_wide_quad\n"
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
                        "  b 0b\n"
                        "6:\n"
                        "  ldr r0, [sp]\n"
                        "  str r10, [r0]\n"
                        "  ldr r1, [r0, #48]\n"
                        "  cmp r1, #0\n"
                        "  bne 9f\n"
                        "  ldr r10, [r0, #28]\n"
                        "  ldrd r9, r8, [r0, #32]\n"
                        "  ldr r11, [r0, #40]\n"
                        "  mote_dense_out r4\n"
                        "  mote_dense_out r5\n"
                        "  mote_dense_out r6\n"
                        "  mote_dense_out r7\n"
                        "  str r10, [r0, #28]\n"
                        "  str r11, [r0, #40]\n"
                        "8:\n"
                        "  ldrd r1, r2, [r0, #40]\n"
                        "  cmp r1, r2\n"
                        "  bne 1b\n"
                        "  pop {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, ip, pc}\n"
                        "9:\n"
                        "  push {r4, r5, r6, r7}\n"
                        "  mov r1, sp\n"
                        "  bl mote_dsp_wide_general\n"
                        "  add sp, sp, #16\n"
                        "  ldr r0, [sp]\n"
                        "  b 8b\n"
                        "  .size mote_dsp_wide, . - mote_dsp_wide\n"
                        ".text\n");

/* The last n < 4 channels, from c on, whose words begin at w: one after the other. */
static void wide_rest(const struct wide_frame *f, uint32_t c, uint32_t n, int8_t *out) {
  for (uint32_t k = 0; k < n; k++) {
    const uint32_t *w = f->weights + k;
    int32_t sum = mote_channel_bias(f->output, c + k);
    const int8_t *in = f->in;
    for (; in != f->end; in += 4, w += 2 * n) {
      const uint32_t x = load(in);
      sum = smlad(even_add(f->minus, x), w[0], sum);
      sum = smlad(odd_add(f->minus, x), w[n], sum);
    }
    if (f->left) {
      const uint32_t x = load_part(in, f->left);
      sum = smlad(even_add(f->minus, x), w[0], sum);
      sum = smlad(odd_add(f->minus, x), w[n], sum);
    }
    mote_dsp_outputs(f->output, c + k, &sum, 1, out++, 1);
  }
}

void mote_isa_dense_wide__dsp(const struct mote_fully_connected_s8 *p, const int8_t *in,
                              int8_t *out) {
  static const int32_t no_bias = 0;
  const uint32_t whole = p->out_c & ~3u;
  struct wide_frame f;
  f.output = &p->output;
  f.first_out = out;
  f.in = in;
  f.left = p->in_c & 3u;
  f.end = in + (p->in_c - f.left);
  f.minus = both(-p->output.in_zp);
  f.weights = (const uint32_t *)mote_at(p, p->weights_at);
  f.general = mote_dsp_constants(&f.next, &p->output, 0) == DSP_IN_C;
  if (f.general) {
    f.next.bias = (const int8_t *)&no_bias;
    f.next.bias_step = 0;
  }
  f.out = out;
  f.out_end = out + whole;
  if (whole) mote_dsp_wide(&f);
  wide_rest(&f, whole, p->out_c - whole, out + whole);
}

#else
typedef int mote_isa_dsp_wide_is_empty; /* C wants a declaration in every file */
#endif
