/* v6m_output: outputs of sums on ARMv6-M; see v6m.h. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

int32_t mote_v6m_far(const struct v6m_outputs *k, int32_t sum);
void mote_v6m_near(struct v6m_outputs *k, const uint32_t *sums, int8_t *out);

/* r0 sums, r1 out, r2 the sum, r5 shift, r6 step, r7 k, r12 low, lr high. 32 instructions an output. */
__asm__(".syntax unified\n"
        ".thumb\n"
        "  .section .text.mote_v6m_near, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global mote_v6m_near\n"
        "  .type mote_v6m_near, %function\n"
        "  .thumb_func\n"
        "mote_v6m_near:\n"
        "  push {r3, r4, r5, r6, r7, lr}\n"
        "  movs r7, r0\n"
        "  movs r0, r1\n"
        "  movs r1, r2\n"
        "  ldr r3, [r7, #16]\n"
        "  mov r12, r3\n"
        "  ldr r3, [r7, #20]\n"
        "  mov lr, r3\n"
        "  ldr r5, [r7, #24]\n"
        "  ldr r6, [r7, #28]\n"
        "1:\n"
        "  ldm r0!, {r2}\n"
        "  ldr r3, [r7, #36]\n"
        "  adds r2, r2, r3\n"
        "  ldr r3, [r7, #40]\n"
        "  adds r3, r3, r2\n"
        "  lsrs r3, r3, #21\n"
        "  bne 5f\n"
        "  ldr r3, [r7, #0]\n"
        "  muls r3, r2, r3\n"
        "  asrs r3, r3, #10\n"
        "  ldr r4, [r7, #4]\n"
        "  muls r4, r2, r4\n"
        "  adds r3, r3, r4\n"
        "  asrs r3, r3, #10\n"
        "  ldr r4, [r7, #8]\n"
        "  muls r4, r2, r4\n"
        "  adds r3, r3, r4\n"
        "  asrs r2, r2, #31\n"
        "  asrs r3, r3, #11\n"
        "  adcs r3, r3, r2\n"
        "  ldr r4, [r7, #12]\n"
        "  adds r3, r3, r4\n"
        "  asrs r3, r3, r5\n"
        "  cmp r3, r12\n"
        "  blt 3f\n"
        "  cmp r3, lr\n"
        "  bgt 4f\n"
        "2:\n"
        "  strb r3, [r1]\n"
        "  adds r1, r1, r6\n"
        "  ldr r4, [r7, #32]\n"
        "  cmp r0, r4\n"
        "  bne 1b\n"
        "  ldr r2, [r7, #52]\n"
        "  subs r2, r2, #1\n"
        "  beq 6f\n"
        "  str r2, [r7, #52]\n"
        "  ldr r2, [r7, #44]\n"
        "  adds r4, r4, r2\n"
        "  str r4, [r7, #32]\n"
        "  ldr r2, [r7, #48]\n"
        "  adds r1, r1, r2\n"
        "  b 1b\n"
        "6:\n"
        "  pop {r3, r4, r5, r6, r7, pc}\n"
        "3:\n"
        "  mov r3, r12\n"
        "  b 2b\n"
        "4:\n"
        "  mov r3, lr\n"
        "  b 2b\n"
        "5:\n"
        "  mov r3, r12\n"
        "  mov r4, lr\n"
        "  push {r0, r1, r3, r4}\n"
        "  movs r0, r7\n"
        "  movs r1, r2\n"
        "  bl mote_v6m_far\n"
        "  movs r3, r0\n"
        "  pop {r0, r1, r2, r4}\n"
        "  mov r12, r2\n"
        "  mov lr, r4\n"
        "  b 2b\n"
        "  .size mote_v6m_near, . - mote_v6m_near\n"
        ".text\n");

int32_t mote_v6m_far(const struct v6m_outputs *k, int32_t sum) {
  return mote_output_packed(k->o, &k->ch, k->round, sum);
}

static void put_wide(const struct v6m_outputs *k, const uint32_t *sums, uint32_t n, int8_t *out) {
  for (; n; n--, out += k->step)
    *out = mote_output_wide(k->o, &k->ch, (int32_t)(*sums++ + k->bias));
}

void mote_v6m_put(struct v6m_outputs *k, const uint32_t *sums, uint32_t n, int8_t *out,
                  uint32_t groups, uint32_t far) {
  if (k->o->wide) {
    for (; groups; groups--, sums += n, out += far) put_wide(k, sums, n, out);
    return;
  }
  k->end = sums + n;
  k->group = 4 * n;
  k->jump = far - n * k->step;
  k->groups = groups;
  mote_v6m_near(k, sums, out);
}

#else
typedef int mote_isa_v6m_output_is_empty; /* C wants a declaration in every file */
#endif
