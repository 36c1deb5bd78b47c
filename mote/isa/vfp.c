/* vfp: sums of float32 products (isa.h) for cores with a single-precision floating-point unit (Cortex-M4F, M7, M33, M55), in
 * assembly for the sake of VLDM, which loads four numbers, and of registers: s0..s15 lanes, s16..s19 x, three
 * vectors of weights in the rest, the fourth in the place of the first.
 *
 * 23 instructions for 16 products. VMLA rounds the product before it adds, so it gives the bits of the two instructions;
 * those would take 39 and, at 1 cycle each instead of 3, a fifth less time. Instructions are what is budgeted. */
#include "mote/isa/isa.h"

#if MOTE_ISA_VFP

/* r1 x, r3 quads, r4..r7 weights. */
__asm__(".syntax unified\n"
        ".thumb\n"
        ".macro mote_vfp_vector l0, l1, l2, l3, w, w0, w1, w2, w3\n"
        "  vldmia \\w!, {\\w0, \\w1, \\w2, \\w3}\n"
        "  vmla.f32 \\l0, s16, \\w0\n"
        "  vmla.f32 \\l1, s17, \\w1\n"
        "  vmla.f32 \\l2, s18, \\w2\n"
        "  vmla.f32 \\l3, s19, \\w3\n"
        ".endm\n"
        ".macro mote_vfp_begin name\n"
        "  .section .text.\\name, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global \\name\n"
        "  .type \\name, %function\n"
        "  .thumb_func\n"
        "\\name:\n"
        "  push {r4, r5, r6, r7}\n"
        "  vpush {s16-s31}\n"
        "  ldrd r4, r5, [r2]\n"
        "  ldrd r6, r7, [r2, #8]\n"
        "  lsrs r3, r3, #2\n"
        ".endm\n"
        ".macro mote_vfp_loop\n"
        "1:\n"
        "  vldmia r1!, {s16-s19}\n"
        "  mote_vfp_vector s0, s1, s2, s3, r4, s20, s21, s22, s23\n"
        "  mote_vfp_vector s4, s5, s6, s7, r5, s24, s25, s26, s27\n"
        "  mote_vfp_vector s8, s9, s10, s11, r6, s28, s29, s30, s31\n"
        "  mote_vfp_vector s12, s13, s14, s15, r7, s20, s21, s22, s23\n"
        "  subs r3, r3, #1\n"
        "  bne 1b\n"
        ".endm\n"
        ".macro mote_vfp_end name\n"
        "  vpop {s16-s31}\n"
        "  pop {r4, r5, r6, r7}\n"
        "  bx lr\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
        ".macro mote_vfp_sum l0, l1, l2, l3, at\n"
        "  vadd.f32 \\l0, \\l0, \\l1\n"
        "  vadd.f32 \\l2, \\l2, \\l3\n"
        "  vadd.f32 \\l0, \\l0, \\l2\n"
        "  vstr \\l0, [r0, #\\at]\n"
        ".endm\n"
        "mote_vfp_begin mote_isa_lanes_f32__vfp\n"
        "  vldmia r0, {s0-s15}\n"
        "  mote_vfp_loop\n"
        "  vstmia r0, {s0-s15}\n"
        "mote_vfp_end mote_isa_lanes_f32__vfp\n"
        "mote_vfp_begin mote_isa_dot4_f32__vfp\n"
        "  movs r2, #0\n"
        "  .irp d, 0, 1, 2, 3, 4, 5, 6, 7\n"
        "    vmov d\\d, r2, r2\n"
        "  .endr\n"
        "  mote_vfp_loop\n"
        "  mote_vfp_sum s0, s1, s2, s3, 0\n"
        "  mote_vfp_sum s4, s5, s6, s7, 4\n"
        "  mote_vfp_sum s8, s9, s10, s11, 8\n"
        "  mote_vfp_sum s12, s13, s14, s15, 12\n"
        "mote_vfp_end mote_isa_dot4_f32__vfp\n"
        ".text\n");

#else
typedef int mote_isa_vfp_is_empty; /* C wants a declaration in every file */
#endif
