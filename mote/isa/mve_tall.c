/* mve_tall: depthwise windows of one column with Helium (mve.h), none of it padding, where rows are so few pixels that nothing
 * is turned. Channels are lanes; one gather brings their weights.
 *
 *   sixteen channels   where sums of weights are known: products of int8, which are widened and added in int32, every fourth
 *                      channel's together: 15 instructions a tap, and some 75 for constants and outputs
 *   eight channels     int16, from which the zero point is taken where it must: 9 or 10 a tap, and 40
 *
 * Two products of int8 would fit int16, but for -128 twice by -128: 4 instructions a tap that nothing proves. */
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
  uint32_t groups;         /* 44: of sixteen or eight channels, > 0 */
  uint32_t quarter[4];     /* 48: where every fourth word stands */
  uint8_t place[16];       /* 64: where weights of sixteen channels stand */
};
typedef char frame_layout[offsetof(struct frame, place) == 64 ? 1 : -1];

void mote_mve_tall(const struct frame *f);
void mote_mve_tall_sixteen(const struct frame *f);

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
        ".macro mote_mve_tall_word sums, word, tmp\n"
        "  vshr.u32 \\tmp, \\word, #2\n"
        "  vorr.i32 \\tmp, #0x40000000\n"
        "  vorn \\word, q6, \\word\n" /* -1 - the lower two bits */
        "  vqrdmulh.s32 \\sums, \\sums, \\tmp\n"
        "  vadd.i32 \\word, \\word, r11\n"
        "  vqdmlah.s32 \\sums, \\sums, r2\n"
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
        "  movs r2, #1\n"
        "  vld20.32 {q2, q3}, [r6]\n"
        "  vld21.32 {q2, q3}, [r6]!\n"
        "  mote_mve_tall_word q0, q2, q4\n"
        "  mote_mve_tall_word q1, q3, q4\n"
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

/* q0 .. q3: sums of channels 0 4 8 12, 1 5 9 13, and so on; r9 the frame. */
__asm__(".macro mote_mve_tall_both x\n"
        "  vldrb.8 q4, [\\x]\n"
        "  vldrb.u8 q5, [r4, q7]\n"
        "  adds r4, #1\n"
        "  vmullb.s8 q6, q4, q5\n"
        "  vmullt.s8 q4, q4, q5\n"
        "  vmovlb.s16 q5, q6\n"
        "  vmovlt.s16 q6, q6\n"
        "  vadd.i32 q0, q0, q5\n"
        "  vmovlb.s16 q5, q4\n"
        "  vadd.i32 q2, q2, q6\n"
        "  vmovlt.s16 q4, q4\n"
        "  vadd.i32 q1, q1, q5\n"
        "  vadd.i32 q3, q3, q4\n"
        ".endm\n"
        ".macro mote_mve_tall_quarter sums\n"
        "  vldrw.u32 q4, [r6, q7]\n"
        "  adds r6, #4\n"
        "  mote_mve_tall_word \\sums, q4, q5\n"
        ".endm\n"
        "  .section .text.mote_mve_tall_sixteen, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global mote_mve_tall_sixteen\n"
        "  .type mote_mve_tall_sixteen, %function\n"
        "  .thumb_func\n"
        "mote_mve_tall_sixteen:\n"
        "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "  mov r9, r0\n"
        "  ldr r1, [r0, #44]\n"
        "  ldrd r10, r11, [r0, #32]\n"
        "  ldr r7, [r0, #24]\n"
        "  ldrd r6, r8, [r0, #16]\n"
        "  ldrd r4, r12, [r0, #8]\n"
        "  ldr r2, [r0, #40]\n"
        "  ldrd r0, r3, [r0]\n"
        "  push {r1, r2}\n"
        "4:\n"
        "  ldr r2, [sp, #4]\n"
        "  cbz r2, 6f\n"
        "  cmp r2, #2\n"
        "  beq 5f\n"
        "  vld40.32 {q0, q1, q2, q3}, [r8]\n"
        "  vld41.32 {q0, q1, q2, q3}, [r8]\n"
        "  vld42.32 {q0, q1, q2, q3}, [r8]\n"
        "  vld43.32 {q0, q1, q2, q3}, [r8]!\n"
        "  b 7f\n"
        "5:\n"
        "  vld20.16 {q4, q5}, [r8]\n"
        "  vld21.16 {q4, q5}, [r8]!\n"
        "  vmovlb.s16 q0, q4\n"
        "  vmovlt.s16 q2, q4\n"
        "  vmovlb.s16 q1, q5\n"
        "  vmovlt.s16 q3, q5\n"
        "  b 7f\n"
        "6:\n"
        "  vmov.i32 q0, #0\n"
        "  vmov.i32 q1, #0\n"
        "  vmov.i32 q2, #0\n"
        "  vmov.i32 q3, #0\n"
        "7:\n"
        "  vldrw.32 q7, [r9, #64]\n"
        "  mov r2, r0\n"
        "  lsrs r1, r12, #1\n"
        "  bcc 1f\n"
        "  ldr r5, [r2], #4\n"
        "  add r5, r5, r3\n"
        "  mote_mve_tall_both r5\n"
        "1:\n"
        "  wls lr, r1, 3f\n"
        "2:\n"
        "  ldrd r1, r5, [r2], #8\n"
        "  add r1, r1, r3\n"
        "  add r5, r5, r3\n"
        "  mote_mve_tall_both r1\n"
        "  mote_mve_tall_both r5\n"
        "  le lr, 2b\n"
        "3:\n"
        "  vldrw.32 q7, [r9, #48]\n"
        "  movs r2, #1\n"
        "  vmvn.i32 q6, #3\n"
        "  mote_mve_tall_quarter q0\n"
        "  mote_mve_tall_quarter q1\n"
        "  mote_mve_tall_quarter q2\n"
        "  mote_mve_tall_quarter q3\n"
        "  adds r6, #48\n"
        "  vqmovnb.s32 q0, q0\n"
        "  vqmovnb.s32 q1, q1\n"
        "  vqmovnt.s32 q0, q2\n"
        "  vqmovnt.s32 q1, q3\n"
        "  vqadd.s16 q0, q0, r10\n"
        "  vqadd.s16 q1, q1, r10\n"
        "  vqmovnb.s16 q0, q0\n"
        "  vqmovnt.s16 q0, q1\n"
        "  vstrb.8 q0, [r7], #16\n"
        "  sub r4, r4, r12\n"
        "  add r4, r4, r12, lsl #4\n"
        "  adds r3, #16\n"
        "  ldr r1, [sp]\n"
        "  subs r1, #1\n"
        "  str r1, [sp]\n"
        "  bne 4b\n"
        "  add sp, #8\n"
        "  vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_mve_tall_sixteen, . - mote_mve_tall_sixteen\n"
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

/* Groups from channel c on, of all pixels. */
static void channels(struct frame *f, const struct mote_depthwise_conv2d_s8 *p,
                     const void *const *rows, uint32_t c, void (*loop)(const struct frame *),
                     int8_t *out) {
  const struct mote_output *o = &p->output;
  f->weights = (const int8_t *)mote_at(p, p->weights_at) + (size_t)c * f->taps;
  f->words = (const uint32_t *)mote_at(o, o->requant_at) + c;
  f->bias = (const uint8_t *)mote_at(o, o->bias_at) + c * f->bias_bytes;
  if (o->folded) f->bias = f->words + p->in_c;
  f->rows = rows;
  f->out = out + c;
  for (uint32_t i = p->rows_out; i; i--, f->rows += p->stride_h) {
    f->at = c;
    for (uint32_t x = p->out_w; x; x--, f->at += (uint32_t)p->stride_w * p->in_c) {
      loop(f);
      f->out += p->in_c;
    }
  }
}

void mote_mve_tall_rows(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                        void *out) {
  const struct mote_output *o = &p->output;
  const int is_known = o->folded || o->in_zp == 0;
  /* Places have 8 bits. */
  const uint32_t sixteens = is_known && p->kernel_h <= 255 / 15 ? p->in_c / 16u : 0;
  struct frame f;
  f.taps = p->kernel_h;
  f.zp = o->zp;
  f.shift = o->shift_base + 1;
  f.bias_bytes = o->folded ? 4 : o->bias_at ? o->bias_bytes : 0;
  f.in_zp = is_known ? 0 : o->in_zp;
  f.groups = sixteens;
  if (sixteens) {
    vstrwq_u32(f.quarter, vshlq_n_u32(vidupq_n_u32(0, 1), 4));
    vstrbq_u8(f.place, vmulq_n_u8(vidupq_n_u8(0, 1), (uint8_t)p->kernel_h));
    channels(&f, p, rows, 0, mote_mve_tall_sixteen, (int8_t *)out);
  }
  f.groups = p->in_c / 8u - 2 * sixteens;
  if (f.groups) channels(&f, p, rows, 16 * sixteens, mote_mve_tall, (int8_t *)out);
}

#else
typedef int mote_isa_mve_tall_is_empty; /* C wants a declaration in every file */
#endif
