/* fft: one stage of a Fourier transform, plain and with the DSP instructions.
 *
 * The loop goes over a quarter's points and its twiddles together, so each twiddle is one load. A product gives half of
 * what it stands for and is doubled where it is added: a shift that the second operand of an addition has for nothing. */
#include "mote/isa/dsp.h"
#include "mote/isa/isa.h"

static inline int32_t twice(int32_t x) { return (int32_t)((uint32_t)x << 1); }

/* The first points of four quarters, without products. */
static void first_four(int32_t *p, uint32_t step) {
  int32_t *const b = p + step, *const c = b + step, *const d = c + step;
  const int32_t sr = p[0] + b[0], si = p[1] + b[1], tr = p[0] - b[0], ti = p[1] - b[1];
  const int32_t vr = c[0] + d[0], vi = c[1] + d[1], wr = c[0] - d[0], wi = c[1] - d[1];
  p[0] = sr + vr, p[1] = si + vi;
  b[0] = tr + wi, b[1] = ti - wr; /* t - i w */
  c[0] = sr - vr, c[1] = si - vi;
  d[0] = tr - wi, d[1] = ti + wr;
}

void mote_isa_fft_four__plain(int32_t *x, const int32_t *end, uint32_t each,
                              const uint32_t *turns) {
  const uint32_t step = 2 * each;
  for (; x != end; x += 3 * step) {
    const uint32_t *turn = turns;
    const int32_t *const last = x + step;
    first_four(x, step);
    for (x += 2; x != last; x += 2, turn += 3) {
      int32_t *const q = x + step, *const r = q + step, *const l = r + step;
      const struct mote_complex c = mote_isa_half_turn(r[0], r[1], turn[0]);
      const struct mote_complex d = mote_isa_half_turn(l[0], l[1], turn[2]);
      const int32_t vr = c.re + d.re, vi = c.im + d.im, wr = c.re - d.re, wi = c.im - d.im;
      const struct mote_complex b = mote_isa_half_turn(q[0], q[1], turn[1]);
      const int32_t sr = x[0] + twice(b.re), si = x[1] + twice(b.im);
      const int32_t tr = x[0] - twice(b.re), ti = x[1] - twice(b.im);
      x[0] = sr + twice(vr), x[1] = si + twice(vi);
      r[0] = sr - twice(vr), r[1] = si - twice(vi);
      q[0] = tr + twice(wi), q[1] = ti - twice(wr);
      l[0] = tr - twice(wi), l[1] = ti + twice(wr);
    }
  }
}

void mote_isa_fft_split__plain(int32_t *p, int32_t *q, const int16_t *sine, const int16_t *cosine) {
  for (; p < q; p += 2, q -= 2) {
    const int32_t er = p[0] + q[0], ei = p[1] - q[1]; /* 2 E */
    const int32_t or = p[1] + q[1], oi = q[0] - p[0]; /* 2 O, of which half a product is O */
    const uint32_t c = (uint32_t)*cosine--, s = (uint32_t)*sine++;
    const int32_t tr = mote_isa_mul_low16(or, c) + mote_isa_mul_low16(oi, s);
    const int32_t ti = mote_isa_mul_low16(oi, c) - mote_isa_mul_low16(or, s);
    p[0] = (er >> 1) + tr, p[1] = (ei >> 1) + ti;
    q[0] = (er >> 1) - tr, q[1] = ti - (ei >> 1);
  }
}

#if MOTE_ISA_DSP

/* 23 instructions for two bins. r4, r5 p; r6, r7 q; then the products of O. */
__asm__(MOTE_DSP_MACROS "mote_function mote_isa_fft_split__dsp\n"
                        "  cmp r0, r1\n"
                        "  it hs\n"
                        "  bxhs lr\n"
                        "  push {r4, r5, r6, r7, r8, r9, r10, lr}\n"
                        "1:\n"
                        "  ldrd r4, r5, [r0]\n"
                        "  ldrd r6, r7, [r1]\n"
                        "  ldrsh r8, [r3], #-2\n" /* c */
                        "  ldrsh r9, [r2], #2\n"  /* s */
                        "  add r10, r5, r7\n"     /* re of 2 O */
                        "  sub r5, r5, r7\n"      /* im of 2 E */
                        "  sub r7, r6, r4\n"      /* im of 2 O */
                        "  add r4, r4, r6\n"      /* re of 2 E */
                        "  smulwb r6, r10, r8\n"
                        "  smlawb r6, r7, r9, r6\n"
                        "  smulwb r10, r10, r9\n"
                        "  smulwb r7, r7, r8\n"
                        "  sub r7, r7, r10\n"
                        "  add r8, r6, r4, asr #1\n"
                        "  rsb r4, r6, r4, asr #1\n"
                        "  add r9, r7, r5, asr #1\n"
                        "  sub r5, r7, r5, asr #1\n"
                        "  strd r8, r9, [r0], #8\n"
                        "  strd r4, r5, [r1], #-8\n"
                        "  cmp r0, r1\n"
                        "  blo 1b\n"
                        "  pop {r4, r5, r6, r7, r8, r9, r10, pc}\n"
                        "  .size mote_isa_fft_split__dsp, . - mote_isa_fft_split__dsp\n"
                        ".text\n");

/* 43 instructions for four numbers. r0 .. r3 the points a, b, c, d, r4 the twiddles; of the others r5, r6 hold c and
 * then w, r7, r8 d and then s, r9, r10 and lr the twiddles and then b and t, r11, r12 v. On the stack: where the first
 * quarter ends, bytes of a quarter, the twiddles, the end. */
__asm__("mote_function mote_isa_fft_four__dsp\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  lsls r2, r2, #3\n"
        "  push {r0, r1, r2, r3}\n" /* sp: last of the quarter, end, bytes, twiddles */
        "  mov r5, r2\n"
        "1:\n"
        "  add r1, r0, r5\n"
        "  add r2, r1, r5\n"
        "  add r3, r2, r5\n"
        "  str r1, [sp]\n"
        "  ldr r4, [sp, #12]\n"
        "  ldrd r5, r6, [r0]\n"
        "  ldrd r7, r8, [r1]\n"
        "  ldrd r9, r10, [r2]\n"
        "  ldrd r11, r12, [r3]\n"
        "  add r5, r5, r7\n" /* s */
        "  add r6, r6, r8\n"
        "  sub r7, r5, r7, lsl #1\n" /* t */
        "  sub r8, r6, r8, lsl #1\n"
        "  add r9, r9, r11\n" /* v */
        "  add r10, r10, r12\n"
        "  sub r11, r9, r11, lsl #1\n" /* w */
        "  sub r12, r10, r12, lsl #1\n"
        "  add r5, r5, r9\n"
        "  add r6, r6, r10\n"
        "  sub r9, r5, r9, lsl #1\n"
        "  sub r10, r6, r10, lsl #1\n"
        "  strd r5, r6, [r0], #8\n"
        "  strd r9, r10, [r2], #8\n"
        "  add r7, r7, r12\n"
        "  sub r8, r8, r11\n"
        "  sub r12, r7, r12, lsl #1\n"
        "  add r11, r8, r11, lsl #1\n"
        "  strd r7, r8, [r1], #8\n"
        "  strd r12, r11, [r3], #8\n"
        "2:\n"
        "  ldm r4!, {r9, r10, lr}\n" /* u, u2, u3 */
        "  ldrd r5, r6, [r2]\n"
        "  ldrd r7, r8, [r3]\n"
        "  smulwb r11, r5, r9\n"
        "  smulwt r5, r5, r9\n"
        "  smlawt r11, r6, r9, r11\n" /* re of u c */
        "  smulwb r6, r6, r9\n"
        "  sub r6, r6, r5\n" /* im */
        "  smulwb r12, r7, lr\n"
        "  smulwt r7, r7, lr\n"
        "  smlawt r12, r8, lr, r12\n" /* re of u3 d */
        "  smulwb r8, r8, lr\n"
        "  sub r8, r8, r7\n"
        "  sub r5, r11, r12\n"  /* w */
        "  add r11, r11, r12\n" /* v */
        "  add r12, r6, r8\n"
        "  sub r6, r6, r8\n"
        "  ldrd r7, r8, [r1]\n"
        "  smulwt r9, r7, r10\n"
        "  smulwb r7, r7, r10\n"
        "  smlawt r7, r8, r10, r7\n"
        "  smulwb r8, r8, r10\n"
        "  sub r8, r8, r9\n"
        "  ldrd r9, r10, [r0]\n"
        "  add lr, r9, r7, lsl #1\n" /* s */
        "  sub r9, r9, r7, lsl #1\n" /* t */
        "  add r7, r10, r8, lsl #1\n"
        "  sub r10, r10, r8, lsl #1\n"
        "  sub r8, r7, r12, lsl #1\n"
        "  add r12, r7, r12, lsl #1\n"
        "  sub r7, lr, r11, lsl #1\n"
        "  add r11, lr, r11, lsl #1\n"
        "  strd r7, r8, [r2], #8\n"
        "  strd r11, r12, [r0], #8\n"
        "  add r7, r9, r6, lsl #1\n"
        "  sub r8, r10, r5, lsl #1\n"
        "  sub r9, r9, r6, lsl #1\n"
        "  add r10, r10, r5, lsl #1\n"
        "  strd r7, r8, [r1], #8\n"
        "  strd r9, r10, [r3], #8\n"
        "  ldr lr, [sp]\n"
        "  cmp r0, lr\n"
        "  bne 2b\n"
        "  mov r0, r3\n" /* the end of the fourth quarter is the next group */
        "  ldrd r1, r5, [sp, #4]\n"
        "  cmp r0, r1\n"
        "  bne 1b\n"
        "  add sp, sp, #16\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_isa_fft_four__dsp, . - mote_isa_fft_four__dsp\n"
        ".text\n");

#endif
