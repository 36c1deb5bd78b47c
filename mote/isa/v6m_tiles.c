/* v6m_tiles: 3x3 convolutions by Winograd's F(2x2, 3x3) over triples of tiles (isa.h), for ARMv6-M.
 *
 * A strip of up to three triples is a block: its six words of a component are summed in r8..r12 and lr as in v6m_conv.c. A quad
 * of weights is two words, 6 instructions, and 4 for the loop: 67 for 36 products, which are 81 of the model's. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* The components of one run of a channel; the assembly knows the offsets. */
struct tiles_run {
  const int16_t *weights; /*  0: moves on */
  const uint32_t *words;  /*  4: of the first triple */
  uint32_t bytes;         /*  8: of a component's weights, a multiple of 8 */
  uint32_t jump;          /* 12: from the end of a component's words to the next's */
  uint32_t *to;           /* 16: [16][2 * MOTE_TILES_TRIPLES], of which it sets 2 * triples */
};
typedef char tiles_run_layout[sizeof(struct tiles_run) == 20 ? 1 : -1];

/* stack: 0 weights, 4 end of the component's, 8 bytes, 12 jump, 16 to, 20 components left, 24 run */
__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME MOTE_V6M_TRIPLE ".macro mote_v6m_tiles name, triples\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #28\n"
        "  ldm r0!, {r1, r2, r3, r4, r5}\n"
        "  subs r0, r0, #20\n"
        "  movs r6, #16\n"
        "  movs r7, r0\n"
        "  add r0, sp, #8\n"
        "  stm r0!, {r3, r4, r5, r6, r7}\n"
        "  movs r0, r2\n"
        "1:\n"
        "  ldr r2, [sp, #8]\n"
        "  adds r2, r2, r1\n"
        "  str r2, [sp, #4]\n"
        "  movs r2, #0\n"
        "  mov r8, r2\n"
        "  mov r9, r2\n"
        "  .if \\triples > 1\n"
        "    mov r10, r2\n"
        "    mov r11, r2\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    mov r12, r2\n"
        "    mov lr, r2\n"
        "  .endif\n"
        "2:\n"
        "  ldm r1!, {r3, r5}\n"
        "  str r1, [sp]\n"
        "  sxth r2, r3\n"
        "  asrs r3, r3, #16\n"
        "  sxth r4, r5\n"
        "  asrs r5, r5, #16\n"
        "  mote_triple r8, r9\n"
        "  .if \\triples > 1\n"
        "    mote_triple r10, r11\n"
        "  .endif\n"
        "  .if \\triples > 2\n"
        "    mote_triple r12, lr\n"
        "  .endif\n"
        "  ldr r1, [sp]\n"
        "  ldr r2, [sp, #4]\n"
        "  cmp r1, r2\n"
        "  bne 2b\n"
        "  ldr r2, [sp, #16]\n"
        "  mov r3, r8\n"
        "  mov r4, r9\n"
        "  .if \\triples == 1\n"
        "    stm r2!, {r3, r4}\n"
        "  .else\n"
        "    mov r5, r10\n"
        "    mov r6, r11\n"
        "    stm r2!, {r3, r4, r5, r6}\n"
        "    .if \\triples == 3\n"
        "      mov r3, r12\n"
        "      mov r4, lr\n"
        "      stm r2!, {r3, r4}\n"
        "    .endif\n"
        "  .endif\n"
        "  .if \\triples < 3\n"
        "    adds r2, r2, #24 - 8 * \\triples\n"
        "  .endif\n"
        "  str r2, [sp, #16]\n"
        "  ldr r2, [sp, #12]\n"
        "  adds r0, r0, r2\n"
        "  ldr r2, [sp, #20]\n"
        "  subs r2, r2, #1\n"
        "  str r2, [sp, #20]\n"
        "  bne 1b\n"
        "  ldr r2, [sp, #24]\n"
        "  str r1, [r2]\n"
        "  add sp, sp, #28\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m_tiles mote_v6m_tiles1, 1\n"
        "mote_v6m_tiles mote_v6m_tiles2, 2\n"
        "mote_v6m_tiles mote_v6m_tiles3, 3\n"
        ".text\n");

void mote_v6m_tiles1(struct tiles_run *r);
void mote_v6m_tiles2(struct tiles_run *r);
void mote_v6m_tiles3(struct tiles_run *r);

/* The components of `triples` triples become sums: output o of lane l of triple i at sums[(3 * o + l) * triples + i]. Of a word
 * 55 instructions, and for each three sums 12 to take them apart as mote_tiles_apart says. add: they are added to. */
__asm__(".syntax unified\n"
        ".thumb\n"
        /* r0: word of component 0; four of a row across at a time, s in \\s and t in r2 */
        ".macro mote_tiles_row s, t\n"
        "  ldr \\s, [r0, #0]\n"
        "  ldr \\t, [r0, #24]\n"
        "  ldr r3, [r0, #48]\n"
        "  ldr r4, [r0, #72]\n"
        "  adds \\s, \\s, \\t\n"
        "  adds \\s, \\s, r3\n"
        "  subs \\t, \\t, r3\n"
        "  subs \\t, \\t, r4\n"
        "  adds r0, r0, #96\n"
        ".endm\n"
        ".macro mote_tiles_word to\n"
        "  mote_tiles_row r5, r6\n"
        "  mote_tiles_row r1, r2\n"
        "  adds r5, r5, r1\n"
        "  adds r6, r6, r2\n"
        "  movs r7, r1\n"
        "  mov r8, r2\n"
        "  mote_tiles_row r1, r2\n"
        "  adds r5, r5, r1\n"
        "  adds r6, r6, r2\n"
        "  subs r7, r7, r1\n"
        "  mov r9, r2\n"
        "  mote_tiles_row r1, r2\n"
        "  subs r7, r7, r1\n"
        "  mov r1, r8\n"
        "  mov r3, r9\n"
        "  subs r1, r1, r3\n"
        "  subs r1, r1, r2\n"
        "  str r5, [sp, #\\to]\n"
        "  str r6, [sp, #\\to + 4]\n"
        "  str r7, [sp, #\\to + 8]\n"
        "  str r1, [sp, #\\to + 12]\n"
        ".endm\n"
        /* r0 where the first of three goes, r6 and r7 one and two lanes further. */
        ".macro mote_tiles_three at, add\n"
        "  ldr r1, [sp, #\\at]\n"
        "  ldr r2, [sp, #\\at + 16]\n"
        "  lsls r3, r1, #10\n"
        "  asrs r3, r3, #12\n"
        "  lsls r4, r3, #2\n"
        "  subs r1, r1, r4\n"
        "  asrs r1, r1, #10\n"
        "  subs r2, r2, r1\n"
        "  lsls r4, r2, #10\n"
        "  asrs r4, r4, #12\n"
        "  lsls r5, r4, #2\n"
        "  subs r2, r2, r5\n"
        "  adds r1, r1, r2\n"
        "  asrs r1, r1, #12\n"
        "  .if \\add\n"
        "    ldr r5, [r0]\n"
        "    adds r3, r3, r5\n"
        "    ldr r5, [r0, r6]\n"
        "    adds r1, r1, r5\n"
        "    ldr r5, [r0, r7]\n"
        "    adds r4, r4, r5\n"
        "  .endif\n"
        "  str r3, [r0]\n"
        "  str r1, [r0, r6]\n"
        "  str r4, [r0, r7]\n"
        "  .if \\at < 12\n"
        "    adds r0, r0, r6\n"
        "    adds r0, r0, r7\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_v6m_tiles_sums name, add\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #48\n"
        "  str r2, [sp, #44]\n"
        "  lsls r2, r2, #2\n"
        "  str r0, [sp, #32]\n"
        "  str r1, [sp, #36]\n"
        "  str r2, [sp, #40]\n"
        "1:\n"
        "  mote_tiles_word 0\n"
        "  ldr r0, [sp, #32]\n"
        "  adds r0, r0, #4\n"
        "  mote_tiles_word 16\n"
        "  ldr r0, [sp, #36]\n"
        "  ldr r6, [sp, #40]\n"
        "  lsls r7, r6, #1\n"
        "  mote_tiles_three 0, \\add\n"
        "  mote_tiles_three 4, \\add\n"
        "  mote_tiles_three 8, \\add\n"
        "  mote_tiles_three 12, \\add\n"
        "  ldr r0, [sp, #36]\n"
        "  adds r0, r0, #4\n"
        "  str r0, [sp, #36]\n"
        "  ldr r0, [sp, #32]\n"
        "  adds r0, r0, #8\n"
        "  str r0, [sp, #32]\n"
        "  ldr r1, [sp, #44]\n"
        "  subs r1, r1, #1\n"
        "  str r1, [sp, #44]\n"
        "  beq 2f\n"
        "  b 1b\n"
        "2:\n"
        "  add sp, sp, #48\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m_tiles_sums mote_v6m_tiles_set, 0\n"
        "mote_v6m_tiles_sums mote_v6m_tiles_add, 1\n"
        ".text\n");
void mote_v6m_tiles_set(const uint32_t *components, uint32_t *sums, uint32_t triples);
void mote_v6m_tiles_add(const uint32_t *components, uint32_t *sums, uint32_t triples);

/* The outputs of a channel. Where the last tile is half outside, its right outputs are left out. */
static void put(const struct mote_tiles_job *d, struct v6m_outputs *k, const uint32_t *sums,
                int8_t *out) {
  const uint32_t out_c = d->p->conv.out_c, each = 3 * d->triples, right = d->pixels / 2;
  const size_t row = (size_t)d->p->conv.out_w * out_c;
  for (uint32_t o = 0; o < 4; o += 2, sums += 2 * each, out += row) {
    mote_v6m_put(k, sums, d->pixels - right, out, 1, 0);
    if (right) mote_v6m_put(k, sums + each, right, out + out_c, 1, 0);
  }
}

void mote_isa_conv_tiles__v6m(const struct mote_tiles_job *d) {
  static void (*const loops[MOTE_TILES_TRIPLES])(struct tiles_run *) = {
      mote_v6m_tiles1, mote_v6m_tiles2, mote_v6m_tiles3};
  const struct mote_conv2d_s8 *p = &d->p->conv;
  const uint32_t n = p->in_c, most = d->p->run_values, m = d->triples;
  uint32_t *const components = d->scratch, *const sums = components + 32 * MOTE_TILES_TRIPLES;
  struct tiles_run r;
  struct v6m_outputs k;
  r.weights = (const int16_t *)mote_at(d->p, p->weights_at);
  mote_v6m_begin(&k, &p->output, 2 * (uint32_t)p->out_c);
  for (uint32_t c = 0; c < p->out_c; c++) {
    for (uint32_t at = 0, some; at < n; at += some) {
      some = n - at < most ? n - at : most;
      r.words = d->words + at / 4 * d->quad_step;
      r.bytes = 2 * some;
      r.jump = 4 * (d->component_step - some / 4 * d->quad_step);
      r.to = components;
      loops[m - 1](&r);
      (at ? mote_v6m_tiles_add : mote_v6m_tiles_set)(components, sums, m);
    }
    mote_v6m_channel(&k, c);
    put(d, &k, sums, d->out + c);
  }
}

#else
typedef int mote_isa_v6m_tiles_is_empty; /* C wants a declaration in every file */
#endif
