/* mve_two: windows of two to eight vectors for mve_run (mve.h): four channels meet two pixels, so that six loads serve eight
 * VMLADAVA.
 *
 *   window, bytes     instructions of two pixels and four channels
 *   17 .. 64          14 for each vector and 28
 *   65 .. 128         14 for each and 29: one piece of code for all; the last vector goes first and sets the sums, then it is
 *                     entered where the first vector is
 *
 * Sums are in every register that can be added to; what leads from pixel to pixel is on the stack, where it is put once for all
 * groups. Sums of both pixels are narrowed into one vector and stored at once, by a scatter. Of an odd number of pixels the
 * first goes alone: 13 for each vector and 26, and it makes the sums of weights on its way, where those are wanted. A single
 * pixel takes 9 for each and 14.
 * Only the last vector of a window is predicated, so nothing is read beyond weights or windows. */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

__asm__(
    MVE_MACROS
    /* Two to four: of each vector four weights meet two pixels. Sums are r0 r2 r4 r6 and r8 r10 r12 lr, weights r1 r3 r5
     * r7, pixels r9 r11; the rest is on the stack: zero point, out, out_step, two steps, pixels left, minus_zp. The last
     * vector is predicated. One pixel alone, which comes first where weights are to be summed: r8 r10 r12 lr do so.
     * acc: "a" from the second vector on. */
    ".macro mote_mve_meet two, acc, sum, w, other\n"
    "  vmladav\\acc\\().s8 \\sum, \\w, q0\n"
    "  .if \\two\n"
    "    vmladav\\acc\\().s8 \\other, \\w, q1\n"
    "  .else\n"
    "    vaddv\\acc\\().s8 \\other, \\w\n"
    "  .endif\n"
    ".endm\n"
    ".macro mote_mve_vector two, at, acc, p, pst\n"
    "  \\pst\n"
    "  vldrb\\p\\().8 q0, [r9, #\\at]\n"
    "  .if \\two\n"
    "    vldrb\\p\\().8 q1, [r11, #\\at]\n"
    "  .else\n"
    "    vldrb\\p\\().8 q1, [r7, #\\at]\n"
    "  .endif\n"
    "  vldrb\\p\\().8 q2, [r1, #\\at]\n"
    "  vldrb\\p\\().8 q3, [r3, #\\at]\n"
    "  mote_mve_meet \\two, \\acc, r0, q2, r8\n"
    "  mote_mve_meet \\two, \\acc, r2, q3, r10\n"
    "  .ifnb \\pst\n"
    "    .if \\two\n"
    "      vpstt\n"
    "    .else\n"
    "      vpst\n"
    "    .endif\n"
    "  .endif\n"
    "  vldrb\\p\\().8 q2, [r5, #\\at]\n"
    "  .if \\two\n"
    "    vldrb\\p\\().8 q3, [r7, #\\at]\n"
    "  .endif\n"
    "  mote_mve_meet \\two, \\acc, r4, q2, r12\n"
    "  .if \\two\n"
    "    mote_mve_meet 1, \\acc, r6, q3, lr\n"
    "  .else\n"
    "    mote_mve_meet 0, \\acc, r6, q1, lr\n"
    "  .endif\n"
    ".endm\n"
    /* 7: the last five to eight of eight vectors; pointers stand as if all eight were there. The last goes first there: it
     * sets the sums. */
    ".macro mote_mve_vectors two, n\n"
    "  .if \\n == 7\n"
    "    mote_mve_vector \\two, 112, , t, vpstttt\n"
    "    ldr pc, [sp, #28 - 4 * \\two]\n"
    ".global mote_mve_vectors_\\two\n"
    ".thumb_func\n"
    "mote_mve_vectors_\\two:\n"
    "    mote_mve_vector \\two, 0, a\n"
    "    mote_mve_vector \\two, 16, a\n"
    "    mote_mve_vector \\two, 32, a\n"
    "    mote_mve_vector \\two, 48, a\n"
    "    mote_mve_vector \\two, 64, a\n"
    "    mote_mve_vector \\two, 80, a\n"
    "    mote_mve_vector \\two, 96, a\n"
    "  .else\n"
    "    mote_mve_vector \\two, 0\n"
    "    .if \\n > 1\n"
    "      mote_mve_vector \\two, 16, a\n"
    "    .endif\n"
    "    .if \\n > 2\n"
    "      mote_mve_vector \\two, 32, a\n"
    "    .endif\n"
    "    mote_mve_vector \\two, 16 * \\n, a, t, vpstttt\n"
    "  .endif\n"
    ".endm\n"
    /* From group to group. q5 multipliers, q6 shifts, q7 what sums begin with; q4 where eight outputs stand. On the stack: zero
     * point, out, out_step doubled, where pixels end, 1, step doubled, where vectors begin. */
    "mote_mve_function mote_mve_run_two\n"
    "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
    "  vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n"
    "  sub sp, #32\n"
    "  ldrd r4, r5, [r0, #88]\n"
    "  ldrd r6, r7, [r0, #132]\n"
    "  ldr r8, [r0, #140]\n"
    "  strd r7, r8, [sp, #24]\n"
    "  vldrw.32 q0, [r0]\n"
    "  vsub.i32 q0, q0, r6\n"
    "  vstrw.32 q0, [r0]\n"
    "  ldr r9, [r0, #16]\n"
    "  sub r9, r9, r6\n"
    "  add r11, r9, r5\n"
    "  strd r9, r11, [r0, #20]\n"
    "  mla r9, r4, r5, r9\n"
    "  ldrd r3, r12, [r0, #100]\n"
    "  str r12, [sp]\n"
    "  lsls r2, r3, #1\n"
    "  strd r2, r9, [sp, #8]\n"
    "  movs r2, #1\n"
    "  lsls r5, r5, #1\n"
    "  strd r2, r5, [sp, #16]\n"
    "  ldr r2, [r0, #108]\n"
    "  vctp.8 r2\n"
    "  movs r2, #0\n"
    "  vidup.u32 q4, r2, #1\n"
    "  vsli.32 q4, q4, #16\n"
    "  lsls r3, r3, #16\n"
    "  vadd.i32 q4, q4, r3\n"
    "1:\n"
    "  ldr r6, [r0, #120]\n"
    "  cbz r6, 5f\n"
    "  mote_mve_constants\n"
    "  ldr r7, [r0, #80]\n"
    "  cbnz r7, 7f\n"
    "6:\n"
    "  vldrw.32 q0, [r0]\n"
    "  ldrd r1, r3, [r0]\n"
    "  ldrd r5, r7, [r0, #8]\n"
    "  vadd.i32 q0, q0, r6\n"
    "  vstrw.32 q0, [r0]\n"
    "  ldr r2, [r0, #96]\n"
    "  ldrd r9, r11, [r0, #20]\n"
    "  str r2, [sp, #4]\n"
    "  adds r2, #4\n"
    "  str r2, [r0, #96]\n"
    "  ldr pc, [r0, #112]\n"
    ".global mote_mve_next\n"
    "mote_mve_next:\n"
    "  ldr r0, [sp, #96]\n"
    "  ldr r1, [r0, #116]\n"
    "  subs r1, r1, #1\n"
    "  str r1, [r0, #116]\n"
    "  bne 1b\n"
    "  add sp, #32\n"
    "  vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n"
    "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
    "5:\n"
    "  vldrw.32 q5, [r0, #64]\n"
    "  vldrw.32 q6, [r0, #48]\n"
    "  vldrw.32 q7, [r0, #32]\n"
    "  b 6b\n"
    "  mote_mve_constants_apart\n"
    "7:\n"
    "  ldr r11, [r0, #132]\n"
    "  ldrd r1, r3, [r0]\n"
    "  ldrd r5, r9, [r0, #8]\n"
    "  add r1, r1, r11\n"
    "  add r3, r3, r11\n"
    "  add r5, r5, r11\n"
    "  add r9, r9, r11\n"
    "  ldr r8, [r0, #84]\n"
    "  mote_mve_weight_sums r1, r3, r5, r9, r8\n"
    "  vmla.s32 q7, q0, r7\n"
    "  ldr r6, [r0, #120]\n"
    "  b 6b\n"
    /* The first pixel's outputs, and the sums of weights. */
    ".global mote_mve_first\n"
    ".thumb_func\n"
    "mote_mve_first:\n"
    "  vmov q3[2], q3[0], r0, r4\n"
    "  vmov q3[3], q3[1], r2, r6\n"
    "  vmov q2[2], q2[0], r8, r12\n"
    "  ldr r4, [sp, #96]\n"
    "  ldr r4, [r4, #128]\n"
    "  vmla.s32 q7, q2, r4\n"
    "  ldrd r0, r2, [sp]\n"
    "  vadd.i32 q3, q3, q7\n"
    "  ldrd r6, r8, [sp, #16]\n"
    "  vqrdmulh.s32 q3, q3, q5\n"
    "  vqdmlah.s32 q3, q3, r6\n"
    "  vrshl.s32 q3, q3, q6\n"
    "  ldr r4, [sp, #8]\n"
    "  vqadd.s32 q3, q3, r0\n"
    "  vqmovnb.s32 q3, q3\n"
    "  vqmovnb.s16 q3, q3\n"
    "  vstrb.32 q3, [r2]\n"
    "  add r2, r2, r4, lsr #1\n"
    "  str r2, [sp, #4]\n"
    "  mov r9, r11\n"
    "  add r11, r11, r8, lsr #1\n"
    "  bx lr\n"
    "  .size mote_mve_run_two, . - mote_mve_run_two\n"
    /* One group; of an odd number of pixels the first alone. */
    ".macro mote_mve_body n, tail\n"
    "  .balign 4\n"
    "  .global mote_mve_odd_\\tail\n"
    "  .thumb_func\n"
    "mote_mve_odd_\\tail:\n"
    "  mote_mve_vectors 0, \\n\n"
    "  vmov q2[3], q2[1], r10, lr\n"
    "  bl mote_mve_first\n"
    "  .global mote_mve_even_\\tail\n"
    "  .thumb_func\n"
    "mote_mve_even_\\tail:\n"
    "1:\n"
    "  mote_mve_vectors 1, \\n\n"
    "  vmov q2[2], q2[0], r0, r4\n"
    "  vmov q2[3], q2[1], r2, r6\n"
    "  vmov q3[2], q3[0], r8, r12\n"
    "  vmov q3[3], q3[1], r10, lr\n"
    "  ldrd r0, r2, [sp]\n"
    "  vadd.i32 q2, q2, q7\n"
    "  vadd.i32 q3, q3, q7\n"
    "  ldrd r6, r8, [sp, #16]\n"
    "  vqrdmulh.s32 q2, q2, q5\n"
    "  vqrdmulh.s32 q3, q3, q5\n"
    "  vqdmlah.s32 q2, q2, r6\n"
    "  vqdmlah.s32 q3, q3, r6\n"
    "  vrshl.s32 q2, q2, q6\n"
    "  vrshl.s32 q3, q3, q6\n"
    "  ldrd r4, r6, [sp, #8]\n"
    "  vqmovnb.s32 q2, q2\n"
    "  vqmovnt.s32 q2, q3\n"
    "  add r9, r9, r8\n"
    "  vqadd.s16 q2, q2, r0\n"
    "  vqmovnb.s16 q2, q2\n"
    "  add r11, r11, r8\n"
    "  vstrb.16 q2, [r2, q4]\n"
    "  adds r2, r2, r4\n"
    "  str r2, [sp, #4]\n"
    "  cmp r9, r6\n"
    "  bne 1b\n"
    "  b mote_mve_next\n"
    ".endm\n"
    "mote_mve_function mote_mve_bodies\n"
    "mote_mve_body 1, 2\n"
    "mote_mve_body 2, 3\n"
    "mote_mve_body 3, 4\n"
    /* The same of one pixel, where nothing is gained by two. */
    ".macro mote_mve_channel sum, weights, n\n"
    "  vldrb.8 q4, [\\weights]\n"
    "  vmladava.s8 \\sum, q4, q0\n"
    "  .if \\n > 1\n"
    "    vldrb.8 q4, [\\weights, #16]\n"
    "    vmladava.s8 \\sum, q4, q1\n"
    "  .endif\n"
    "  .if \\n > 2\n"
    "    vldrb.8 q4, [\\weights, #32]\n"
    "    vmladava.s8 \\sum, q4, q2\n"
    "  .endif\n"
    ".endm\n"
    ".macro mote_mve_one n, tail\n"
    "  .balign 4\n"
    "  .thumb_func\n"
    "mote_mve_one_\\tail:\n"
    "  vctp.8 r2\n"
    "  vldrb.8 q0, [r9]\n"
    "  .if \\n > 1\n"
    "    vldrb.8 q1, [r9, #16]\n"
    "  .endif\n"
    "  .if \\n > 2\n"
    "    vldrb.8 q2, [r9, #32]\n"
    "  .endif\n"
    "  vpstttt\n"
    "  vldrbt.8 q3, [r9, #16 * \\n]\n"
    "  vldrbt.8 q4, [r1, #16 * \\n]\n"
    "  vmladavt.s8 r0, q4, q3\n"
    "  vldrbt.8 q4, [r3, #16 * \\n]\n"
    "  vpstttt\n"
    "  vmladavt.s8 r2, q4, q3\n"
    "  vldrbt.8 q4, [r5, #16 * \\n]\n"
    "  vmladavt.s8 r4, q4, q3\n"
    "  vldrbt.8 q4, [r11, #16 * \\n]\n"
    "  vmladav.s8 r6, q4, q3\n"
    "  mote_mve_channel r0, r1, \\n\n"
    "  mote_mve_channel r2, r3, \\n\n"
    "  mote_mve_channel r4, r5, \\n\n"
    "  mote_mve_channel r6, r11, \\n\n"
    "  mote_mve_sums\n"
    "  movs r1, #1\n"
    "  mote_mve_finish r1\n"
    "  vstrb.32 q4, [r7]\n"
    "  b mote_mve_done\n"
    ".endm\n"
    "mote_mve_one 1, 2\n"
    "mote_mve_one 2, 3\n"
    "mote_mve_one 3, 4\n"
    "  .size mote_mve_bodies, . - mote_mve_bodies\n"
    "mote_mve_function mote_mve_body_8\n"
    "mote_mve_body 7, of_eight\n"
    "  .size mote_mve_body_8, . - mote_mve_body_8\n"
    ".text\n");

void mote_mve_long_body(void);
void mote_mve_body_1(void);
void mote_mve_even_2(void);
void mote_mve_even_3(void);
void mote_mve_even_4(void);
void mote_mve_even_of_eight(void);
void mote_mve_odd_2(void);
void mote_mve_odd_3(void);
void mote_mve_odd_4(void);
void mote_mve_odd_of_eight(void);
void mote_mve_one_2(void);
void mote_mve_one_3(void);
void mote_mve_one_4(void);

/* Where eight vectors begin, of two pixels and of one; instructions of a vector: 14 and 13, of four bytes. */
void mote_mve_vectors_1(void);
void mote_mve_vectors_0(void);

static void of_eight(struct mve_run *r) {
  const uint32_t less = 8 - (r->length + 15) / 16;
  r->skip = 16 * less;
  r->enter[0] = (uintptr_t)mote_mve_vectors_1 + 56 * less;
  r->enter[1] = (uintptr_t)mote_mve_vectors_0 + 52 * less;
  r->body = r->pixels % 2 ? mote_mve_odd_of_eight : mote_mve_even_of_eight;
}

void mote_mve_set_body(struct mve_run *r) {
  static void (*const bodies[3][3])(void) = {{mote_mve_one_2, mote_mve_one_3, mote_mve_one_4},
                                             {mote_mve_even_2, mote_mve_even_3, mote_mve_even_4},
                                             {mote_mve_odd_2, mote_mve_odd_3, mote_mve_odd_4}};
  const int by_two = mve_goes_by_two(r);
  r->skip = 0;
  if (r->length <= 16)
    r->body = mote_mve_body_1;
  else if (r->length <= 64 && (by_two || r->pixels == 1))
    r->body = bodies[by_two ? 1 + r->pixels % 2 : 0][(r->length - 17) / 16];
  else if (by_two)
    of_eight(r);
  else
    r->body = mote_mve_long_body;
}

#else
typedef int mote_isa_mve_two_is_empty; /* C wants a declaration in every file */
#endif
