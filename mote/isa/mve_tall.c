/* mve_tall: depthwise windows of one column with Helium (mve.h), none of it padding, where rows are so few pixels that nothing
 * is turned: eight channels of a row in the lanes of int16, times their weights, which one gather brings. Products are
 * added in int32, channels of even and of odd numbers apart.
 *
 * 9 instructions a tap of eight channels, 10 where the sums of weights are not known and the zero point is taken from the
 * activations; 34 around them for constants, outputs and all. */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

/* What the assembly reads and advances: the pixel's channels, from the first. */
struct frame {
  const void *const *rows; /*  0 */
  uint32_t at;             /*  4: of the pixel in its rows */
  const int8_t *weights;   /*  8 */
  uint32_t taps;           /* 12: > 0 */
  const uint32_t *words;   /* 16: packed requantisation */
  const void *bias;        /* 20 */
  int8_t *out;             /* 24 */
  int32_t in_zp;           /* 28: 0 also where the sums of weights are in the bias */
  int32_t zp;              /* 32 */
  int32_t shift;           /* 36: shift_base + 1 */
  uint32_t bias_bytes;     /* 40: 4, 2, or 0 where there is none */
  uint32_t eights;         /* 44: > 0 */
};
typedef char frame_layout[offsetof(struct frame, eights) == 44 ? 1 : -1];

void mote_mve_tall(const struct frame *f);

/* r0 rows, r3 at, r4 weights, r12 taps, r6 words, r8 bias, r7 out, r9 in_zp, r10 zp, r11 shift; q0 q1 sums of even and odd
 * channels, q6 ~3, q7 where weights of eight channels stand. */
__asm__(".macro mote_mve_tall_tap x, zp\n"
        "  vldrb.s16 q2, [\\x]\n"
        "  vldrb.s16 q3, [r4, q7]\n"
        "  .if \\zp\n"
        "    vsub.i16 q2, q2, r9\n"
        "  .endif\n"
        "  adds r4, #1\n"
        "  vmullb.s16 q4, q2, q3\n"
        "  vmullt.s16 q5, q2, q3\n"
        "  vadd.i32 q0, q0, q4\n"
        "  vadd.i32 q1, q1, q5\n"
        ".endm\n"
        ".macro mote_mve_tall_taps zp\n"
        "  mov r2, r0\n"
        "  lsrs r1, r12, #1\n"
        "  bcc 1f\n"
        "  ldr r1, [r2], #4\n"
        "  add r1, r1, r3\n"
        "  mote_mve_tall_tap r1, \\zp\n"
        "  lsrs r1, r12, #1\n"
        "1:\n"
        "  wls lr, r1, 3f\n"
        "2:\n"
        "  ldrd r1, r5, [r2], #8\n"
        "  add r1, r1, r3\n"
        "  add r5, r5, r3\n"
        "  mote_mve_tall_tap r1, \\zp\n"
        "  mote_mve_tall_tap r5, \\zp\n"
        "  le lr, 2b\n"
        "3:\n"
        ".endm\n"
        ".macro mote_mve_tall_scale sums, word\n"
        "  vshr.u32 q4, \\word, #2\n"
        "  vorr.i32 q4, #0x40000000\n"
        "  vorn \\word, q6, \\word\n" /* -1 - the lower two bits */
        "  vqrdmulh.s32 \\sums, \\sums, q4\n"
        "  vadd.i32 \\word, \\word, r11\n"
        "  vshr.s32 q4, \\sums, #31\n"
        "  vadd.i32 \\sums, \\sums, q4\n"
        "  vrshl.s32 \\sums, \\sums, \\word\n"
        ".endm\n"
        "  .section .text.mote_mve_tall, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global mote_mve_tall\n"
        "  .type mote_mve_tall, %function\n"
        "  .thumb_func\n"
        "mote_mve_tall:\n"
        "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "  ldr r1, [r0, #44]\n"
        "  ldr r2, [r0, #40]\n"
        "  ldrd r10, r11, [r0, #32]\n"
        "  ldrd r7, r9, [r0, #24]\n"
        "  ldrd r6, r8, [r0, #16]\n"
        "  ldrd r4, r12, [r0, #8]\n"
        "  ldrd r0, r3, [r0]\n"
        "  push {r1, r2}\n"
        "  movs r2, #0\n"
        "  vidup.u16 q7, r2, #1\n"
        "  vmul.i16 q7, q7, r12\n"
        "  vmvn.i32 q6, #3\n"
        "4:\n"
        "  ldr r2, [sp, #4]\n"
        "  cbz r2, 6f\n"
        "  cmp r2, #2\n"
        "  beq 5f\n"
        "  vld20.32 {q0, q1}, [r8]\n"
        "  vld21.32 {q0, q1}, [r8]!\n"
        "  b 7f\n"
        "5:\n"
        "  vldrh.16 q0, [r8], #16\n"
        "  vmovlt.s16 q1, q0\n"
        "  vmovlb.s16 q0, q0\n"
        "  b 7f\n"
        "6:\n"
        "  vmov.i32 q0, #0\n"
        "  vmov.i32 q1, #0\n"
        "7:\n"
        "  cmp r9, #0\n"
        "  beq 8f\n"
        "  mote_mve_tall_taps 1\n"
        "  b 9f\n"
        "8:\n"
        "  mote_mve_tall_taps 0\n"
        "9:\n"
        "  vld20.32 {q2, q3}, [r6]\n"
        "  vld21.32 {q2, q3}, [r6]!\n"
        "  mote_mve_tall_scale q0, q2\n"
        "  mote_mve_tall_scale q1, q3\n"
        "  vqmovnb.s32 q0, q0\n"
        "  vqmovnt.s32 q0, q1\n"
        "  vqadd.s16 q0, q0, r10\n"
        "  vqmovnb.s16 q0, q0\n"
        "  vstrb.16 q0, [r7], #8\n"
        "  sub r4, r4, r12\n" /* weights of the first channel of eight were read: seven others */
        "  add r4, r4, r12, lsl #3\n"
        "  adds r3, #8\n"
        "  ldr r1, [sp]\n"
        "  subs r1, #1\n"
        "  str r1, [sp]\n"
        "  bne 4b\n"
        "  add sp, #8\n"
        "  vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_mve_tall, . - mote_mve_tall\n"
        ".text\n");

enum { FEW = 3 }; /* pixels; more are turned */

int mote_mve_is_tall(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows) {
  if (p->kernel_w != 1 || p->out_w > FEW || p->in_c % 8 || p->multiplier != 1 || p->output.wide ||
      p->pad_left || (uint32_t)(p->out_w - 1) * p->stride_w >= p->in_w ||
      p->kernel_h > UINT16_MAX / 8)
    return 0;
  const void *const *const end = rows + (p->rows_out - 1u) * p->stride_h + p->kernel_h;
  while (rows != end)
    if (*rows++ == NULL) return 0;
  return 1;
}

void mote_mve_tall_rows(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                        void *out) {
  const struct mote_output *o = &p->output;
  struct frame f;
  f.weights = (const int8_t *)mote_at(p, p->weights_at);
  f.taps = p->kernel_h;
  f.words = (const uint32_t *)mote_at(o, o->requant_at);
  f.zp = o->zp;
  f.shift = o->shift_base + 1;
  f.eights = p->in_c / 8u;
  f.bias = mote_at(o, o->bias_at);
  f.bias_bytes = o->bias_at ? o->bias_bytes : 0;
  f.in_zp = o->in_zp;
  if (o->folded) {
    f.bias = f.words + p->in_c;
    f.bias_bytes = 4;
    f.in_zp = 0;
  }
  f.out = (int8_t *)out;
  for (uint32_t i = p->rows_out; i; i--, rows += p->stride_h) {
    f.rows = rows;
    f.at = 0;
    for (uint32_t x = p->out_w; x; x--, f.at += (uint32_t)p->stride_w * p->in_c, f.out += p->in_c)
      mote_mve_tall(&f);
  }
}

#else
typedef int mote_isa_mve_tall_is_empty; /* C wants a declaration in every file */
#endif
