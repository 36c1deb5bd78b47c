/* v6m: the convolution's inner loop for ARMv6-M (Cortex-M0, M0+), in assembly because most instructions see
 * only r0..r7: the sums of up to five pixels live in r8..r12, which ADD can reach, the pointer to weights in
 * lr. A quad is 4 weights, 7 instructions with their widening; a pixel's share of it is one LDM and, for each
 * of 4 products, an extraction (SXTH or ASRS), MULS and ADD: 13 instructions.
 * No unaligned access: weights are read as aligned words, activations as words of two int16. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* One run of quads; the assembly knows the offsets. */
struct v6m_run {
  int32_t sums[MOTE_CONV_BLOCK]; /*  0 */
  const int8_t *weights;         /* 20 */
  const int16_t *values;         /* 24 */
  const int8_t *end;             /* 28: of the weights */
  uint32_t skip; /* 32: bytes from the last pixel of a quad to the first of the next */
};
typedef char v6m_run_layout[sizeof(struct v6m_run) == 36 ? 1 : -1];

__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME ".macro mote_pixel sum\n"
        "  ldm r0!, {r6, r7}\n"
        "  sxth r1, r6\n"
        "  muls r1, r3, r1\n"
        "  add \\sum, \\sum, r1\n"
        "  asrs r6, r6, #16\n"
        "  muls r6, r4, r6\n"
        "  add \\sum, \\sum, r6\n"
        "  sxth r1, r7\n"
        "  muls r1, r5, r1\n"
        "  add \\sum, \\sum, r1\n"
        "  asrs r7, r7, #16\n"
        "  muls r7, r2, r7\n"
        "  add \\sum, \\sum, r7\n"
        ".endm\n"
        /* stack: 0 end, 4 skip, 8 run */
        ".macro mote_v6m name, pixels\n"
        "  mote_enter \\name\n"
        "  ldr r1, [r0, #28]\n"
        "  ldr r2, [r0, #32]\n"
        "  mov r3, r0\n"
        "  push {r1, r2, r3}\n"
        "  ldm r0!, {r1, r2, r3, r4, r5, r6, r7}\n"
        "  mov r8, r1\n"
        "  mov r9, r2\n"
        "  mov r10, r3\n"
        "  mov r11, r4\n"
        "  mov r12, r5\n"
        "  mov lr, r6\n"
        "  mov r0, r7\n"
        "1:\n"
        "  mov r1, lr\n"
        "  ldm r1!, {r2}\n"
        "  mov lr, r1\n"
        "  sxtb r3, r2\n"
        "  asrs r2, r2, #8\n"
        "  sxtb r4, r2\n"
        "  asrs r2, r2, #8\n"
        "  sxtb r5, r2\n"
        "  asrs r2, r2, #8\n"
        "  mote_pixel r8\n"
        "  .if \\pixels > 1\n"
        "    mote_pixel r9\n"
        "  .endif\n"
        "  .if \\pixels > 2\n"
        "    mote_pixel r10\n"
        "  .endif\n"
        "  .if \\pixels > 3\n"
        "    mote_pixel r11\n"
        "  .endif\n"
        "  .if \\pixels > 4\n"
        "    mote_pixel r12\n"
        "  .endif\n"
        "  ldr r1, [sp, #4]\n"
        "  adds r0, r0, r1\n"
        "  ldr r1, [sp]\n"
        "  cmp lr, r1\n"
        "  bne 1b\n"
        "  ldr r0, [sp, #8]\n"
        "  mov r1, r8\n"
        "  mov r2, r9\n"
        "  mov r3, r10\n"
        "  mov r4, r11\n"
        "  mov r5, r12\n"
        "  mov r6, lr\n"
        "  stm r0!, {r1, r2, r3, r4, r5, r6}\n"
        "  add sp, sp, #12\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m mote_v6m_run1, 1\n"
        "mote_v6m mote_v6m_run2, 2\n"
        "mote_v6m mote_v6m_run3, 3\n"
        "mote_v6m mote_v6m_run4, 4\n"
        "mote_v6m mote_v6m_run5, 5\n"
        ".text\n");

void mote_v6m_run1(struct v6m_run *r);
void mote_v6m_run2(struct v6m_run *r);
void mote_v6m_run3(struct v6m_run *r);
void mote_v6m_run4(struct v6m_run *r);
void mote_v6m_run5(struct v6m_run *r);

/* A window is `columns` runs of n values; run j begins column_at[j] behind the pixel's position. skip: bytes from the
 * last pixel of a quad to the first of the next. */
static __attribute__((noinline)) void conv(const struct mote_conv2d_s8 *p, const int16_t *values,
                                           uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                           uint32_t columns, uint32_t n, uint32_t skip) {
  static void (*const loops[MOTE_CONV_BLOCK])(struct v6m_run *) = {
      mote_v6m_run1, mote_v6m_run2, mote_v6m_run3, mote_v6m_run4, mote_v6m_run5,
  };
  void (*const loop)(struct v6m_run *) = loops[pixels - 1];
  const struct mote_output *o = &p->output;
  struct v6m_run r;
  r.skip = skip;
  r.weights = (const int8_t *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c; c++, out++) {
    const struct mote_channel ch = mote_channel_at(o, c);
    for (uint32_t i = 0; i < MOTE_CONV_BLOCK; i++) r.sums[i] = ch.bias;
    for (uint32_t j = 0; j < columns; j++) {
      r.values = values + column_at[j];
      r.end = r.weights + n;
      loop(&r);
    }
    int8_t *to = out;
    if (o->wide) {
      for (uint32_t i = 0; i < pixels; i++, to += p->out_c)
        *to = mote_output_wide(o, &ch, r.sums[i]);
    } else {
      const int32_t round = mote_channel_round(o, &ch);
      for (uint32_t i = 0; i < pixels; i++, to += p->out_c)
        *to = mote_output_packed(o, &ch, round, r.sums[i]);
    }
  }
}

void mote_isa_conv_patch__v6m(const struct mote_conv2d_s8 *p, const int16_t *values,
                              uint32_t pixels, int8_t *out) {
  static const uint32_t nowhere = 0;
  conv(p, values, pixels, out, &nowhere, 1, mote_conv_window(p), 0);
}

void mote_isa_conv_column__v6m(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out, const uint32_t *column_at,
                               uint32_t positions) {
  conv(p, values, pixels, out, column_at, p->kernel_w, mote_conv_column(p),
       8 * (positions - pixels));
}

#else
typedef int mote_isa_v6m_is_empty; /* C wants a declaration in every file */
#endif
