/* v6m_s4: weights of 4 bits on ARMv6-M (Cortex-M0, M0+).
 *
 * Dense layers: a word ANDed with 0x000F000F is two channels' weights for one input, 8 added to each so that no lane
 * borrows from the other: one MULS makes both products. Four channels at a time: for each input 2 instructions
 * that widen it, and for each two channels LSRS, ANDS, MULS, ADD: 42 for 16 MAC, 2.6 each. After a run (the
 * compiler has proven how long a lane stays within 16 bits, 16 inputs at least) the lanes are taken apart. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* The assembly knows the offsets. */
struct lanes {
  const uint32_t *words; /*  0: moves on */
  const int8_t *in;      /*  4: aligned to 4; moves on */
  const int8_t *end;     /*  8 */
  uint32_t run;          /* 12: bytes of the input in a run */
  uint32_t sums[4];      /* 16 */
};
void mote_v6m_lanes2(struct lanes *l); /* two pairs of channels */
void mote_v6m_lanes1(struct lanes *l); /* one */

/* r0 weights, r1 and r2 words, r3 mask, r4 four inputs, r5 one, r6 product, r7 inputs; r8 and r9 lanes, r10 end of the run,
 * r11, r12 and lr sums. [sp]: the frame, [sp, 4] the last sum. */
__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME ".macro mote_lane word, lanes, x\n"
        "  ands r6, r6, r3\n"
        "  muls r6, \\x, r6\n"
        "  add \\lanes, \\lanes, r6\n"
        ".endm\n"
        ".macro mote_lanes_input pairs, shift, x\n"
        "  .if \\shift\n"
        "    lsrs r6, r1, #\\shift\n"
        "  .else\n"
        "    mov r6, r1\n"
        "  .endif\n"
        "  mote_lane r1, r8, \\x\n"
        "  .if \\pairs == 2\n"
        "    .if \\shift\n"
        "      lsrs r6, r2, #\\shift\n"
        "    .else\n"
        "      mov r6, r2\n"
        "    .endif\n"
        "    mote_lane r2, r9, \\x\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_lanes name, pairs\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #8\n"
        "  str r0, [sp]\n"
        "  mov r6, r0\n"
        "  ldr r7, [r6, #4]\n"
        "  ldr r0, [r6]\n"
        "  ldr r1, [r6, #16]\n"
        "  mov r11, r1\n"
        "  ldr r1, [r6, #20]\n"
        "  mov r12, r1\n"
        "  ldr r1, [r6, #24]\n"
        "  mov lr, r1\n"
        "  ldr r1, [r6, #28]\n"
        "  str r1, [sp, #4]\n"
        "  movs r3, #15\n"
        "  lsls r1, r3, #16\n"
        "  orrs r3, r3, r1\n"
        "1:\n"
        "  movs r6, #0\n"
        "  mov r8, r6\n"
        "  mov r9, r6\n"
        "  ldr r5, [sp]\n"
        "  ldr r4, [r5, #12]\n"
        "  ldr r5, [r5, #8]\n"
        "  adds r4, r4, r7\n"
        "  cmp r4, r5\n"
        "  bls 2f\n"
        "  mov r4, r5\n"
        "2:\n"
        "  mov r10, r4\n"
        "3:\n"
        "  .if \\pairs == 2\n"
        "    ldm r0!, {r1, r2}\n"
        "  .else\n"
        "    ldm r0!, {r1}\n"
        "  .endif\n"
        "  ldm r7!, {r4}\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 0, r5\n"
        "  asrs r4, r4, #8\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 4, r5\n"
        "  asrs r4, r4, #8\n"
        "  sxtb r5, r4\n"
        "  mote_lanes_input \\pairs, 8, r5\n"
        "  asrs r4, r4, #8\n"
        "  mote_lanes_input \\pairs, 12, r4\n"
        "  cmp r7, r10\n"
        "  bne 3b\n"
        "  mov r6, r8\n"
        "  sxth r5, r6\n"
        "  subs r6, r6, r5\n"
        "  asrs r6, r6, #16\n"
        "  add r11, r11, r5\n"
        "  add r12, r12, r6\n"
        "  .if \\pairs == 2\n"
        "    mov r6, r9\n"
        "    sxth r5, r6\n"
        "    subs r6, r6, r5\n"
        "    asrs r6, r6, #16\n"
        "    add lr, lr, r5\n"
        "    ldr r1, [sp, #4]\n"
        "    adds r1, r1, r6\n"
        "    str r1, [sp, #4]\n"
        "  .endif\n"
        "  ldr r6, [sp]\n"
        "  ldr r5, [r6, #8]\n"
        "  cmp r7, r5\n"
        "  bne 1b\n"
        "  str r0, [r6]\n"
        "  str r7, [r6, #4]\n"
        "  mov r1, r11\n"
        "  mov r2, r12\n"
        "  mov r3, lr\n"
        "  ldr r4, [sp, #4]\n"
        "  adds r6, r6, #16\n"
        "  stm r6!, {r1, r2, r3, r4}\n"
        "  add sp, sp, #8\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_lanes mote_v6m_lanes2, 2\n"
        "mote_lanes mote_v6m_lanes1, 1\n"
        ".text\n");

enum { CHUNK = 16 }; /* inputs: what any four quads may sum up to stays within a lane */

/* Inputs that are not aligned, or no whole quad: brought into order on the stack. */
static __attribute__((noinline)) void run_copied(struct lanes *l, void (*loop)(struct lanes *),
                                                 const int8_t *in, uint32_t n) {
  uint32_t words[CHUNK / 4];
  int8_t *bytes = (int8_t *)words;
  while (n) {
    const uint32_t some = n < CHUNK ? n : CHUNK;
    l->in = bytes;
    l->end = bytes + ((some + 3) & ~(uint32_t)3);
    for (uint32_t i = 0; i < 4; i++) words[i] = 0;
    for (uint32_t i = 0; i < some; i++) bytes[i] = in[i];
    loop(l);
    in += some;
    n -= some;
  }
}

void mote_isa_dense_lanes4__v6m(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out) {
  const struct mote_output *o = &p->output;
  const uint32_t n = p->in_c, whole = ((uintptr_t)in & 3) == 0 ? n & ~(uint32_t)3 : 0;
  struct lanes l;
  uint32_t eight = 0; /* what the 8 that is added to each weight adds to each sum */
  for (uint32_t i = 0; i < n; i++) eight += (uint32_t)in[i];
  eight *= 8;
  l.words = (const uint32_t *)mote_at(p, p->weights_at);
  l.run = 4u * p->run;
  for (uint32_t c = 0; c < p->out_c;) {
    void (*const loop)(struct lanes *) = p->out_c - c > 2 ? mote_v6m_lanes2 : mote_v6m_lanes1;
    for (uint32_t k = 0; k < 4; k++) l.sums[k] = 0u - eight;
    l.in = in;
    l.end = in + whole;
    if (whole) loop(&l);
    if (whole < n) run_copied(&l, loop, in + whole, n - whole);
    for (uint32_t k = 0; k < 4 && c < p->out_c; k++, c++) {
      const struct mote_channel ch = mote_channel_at(o, c);
      const int32_t sum = (int32_t)(l.sums[k] + (uint32_t)ch.bias);
      *out++ = o->wide ? mote_output_wide(o, &ch, sum)
                       : mote_output_packed(o, &ch, mote_channel_round(o, &ch), sum);
    }
  }
}

/* ---- convolutions, by pairs of pixels (isa.h) ---------------------------------------------------- */

enum { BLOCK_PAIRS = 5 };

/* One channel of a block; the assembly knows the offsets. */
struct pairs_run {
  uint32_t sums[2][BLOCK_PAIRS]; /*  0: of the first pixels of each pair; 20: of the second */
  const int8_t *weights;         /* 40 */
  const uint32_t *values;        /* 44 */
  const uint32_t *column_at;     /* 48: moves on to */
  const uint32_t *column_end;    /* 52 */
  uint32_t n;                    /* 56: bytes of weights of a column */
  uint32_t skip;  /* 60: bytes from the last pair of a quad to the first of the next */
  uint32_t shift; /* 64: what brings the channel's nibbles up */
  uint32_t run;   /* 68: bytes of weights over which a lane stays within 16 bits */
};
typedef char pairs_run_layout[offsetof(struct pairs_run, run) == 68 ? 1 : -1];

/* A quad of weights takes 17 instructions with the loop, a pair 10 for its 8 products and 12 at the end of a run.
 * r0 values, r2..r5 weights, r1, r6 and r7 products; r8..r12 the lanes of each pair. Stack: 0 weights, 4 where the loop
 * stops, 8 skip, 12 shift, 16 end of the column, 20 end of the run, 24 frame. */
__asm__(".macro mote_pair4 lanes\n"
        "  ldm r0!, {r6, r7}\n"
        "  muls r6, r2, r6\n"
        "  muls r7, r3, r7\n"
        "  adds r1, r6, r7\n"
        "  ldm r0!, {r6, r7}\n"
        "  muls r6, r4, r6\n"
        "  muls r7, r5, r7\n"
        "  adds r6, r6, r7\n"
        "  adds r1, r1, r6\n"
        "  add \\lanes, \\lanes, r1\n"
        ".endm\n"
        ".macro mote_apart lanes, at\n"
        "  mov r3, \\lanes\n"
        "  sxth r2, r3\n"
        "  subs r3, r3, r2\n"
        "  asrs r3, r3, #16\n"
        "  ldr r4, [r7, #\\at]\n"
        "  adds r4, r4, r2\n"
        "  str r4, [r7, #\\at]\n"
        "  ldr r4, [r7, #\\at + 20]\n"
        "  adds r4, r4, r3\n"
        "  str r4, [r7, #\\at + 20]\n"
        "  mov \\lanes, r6\n"
        ".endm\n"
        ".macro mote_v6m_pairs4 name, pairs\n"
        "  mote_enter \\name\n"
        "  mov r7, r0\n"
        "  sub sp, sp, #28\n"
        "  ldr r6, [r7, #60]\n"
        "  str r6, [sp, #8]\n"
        "  ldr r6, [r7, #64]\n"
        "  str r6, [sp, #12]\n"
        "  ldr r1, [r7, #40]\n"
        "  ldr r6, [r7, #68]\n"
        "  adds r6, r6, r1\n"
        "  str r6, [sp, #20]\n"
        "  str r7, [sp, #24]\n"
        "  movs r6, #0\n"
        "  mov r8, r6\n"
        "  mov r9, r6\n"
        "  mov r10, r6\n"
        "  mov r11, r6\n"
        "  mov r12, r6\n"
        "1:\n" /* a column: r1 weights, r7 frame */
        "  ldr r2, [r7, #48]\n"
        "  ldm r2!, {r3}\n"
        "  str r2, [r7, #48]\n"
        "  lsls r3, r3, #2\n"
        "  ldr r0, [r7, #44]\n"
        "  adds r0, r0, r3\n"
        "  ldr r2, [r7, #56]\n"
        "  adds r2, r2, r1\n"
        "  str r2, [sp, #16]\n"
        "2:\n" /* what is left of a column or of a run: r2 end of the column */
        "  ldr r3, [sp, #20]\n"
        "  cmp r2, r3\n"
        "  bls 3f\n"
        "  mov r2, r3\n"
        "3:\n"
        "  str r2, [sp, #4]\n"
        "4:\n"
        "  ldm r1!, {r5}\n"
        "  str r1, [sp]\n"
        "  ldr r1, [sp, #12]\n"
        "  lsls r5, r5, r1\n"
        "  lsls r2, r5, #24\n"
        "  asrs r2, r2, #28\n"
        "  lsls r3, r5, #16\n"
        "  asrs r3, r3, #28\n"
        "  lsls r4, r5, #8\n"
        "  asrs r4, r4, #28\n"
        "  asrs r5, r5, #28\n"
        "  mote_pair4 r8\n"
        "  .if \\pairs > 1\n"
        "    mote_pair4 r9\n"
        "  .endif\n"
        "  .if \\pairs > 2\n"
        "    mote_pair4 r10\n"
        "  .endif\n"
        "  .if \\pairs > 3\n"
        "    mote_pair4 r11\n"
        "  .endif\n"
        "  .if \\pairs > 4\n"
        "    mote_pair4 r12\n"
        "  .endif\n"
        "  ldr r1, [sp, #8]\n"
        "  adds r0, r0, r1\n"
        "  ldr r1, [sp]\n"
        "  ldr r2, [sp, #4]\n"
        "  cmp r1, r2\n"
        "  bne 4b\n"
        "  ldr r7, [sp, #24]\n"
        "  ldr r2, [sp, #16]\n"
        "  cmp r1, r2\n"
        "  bne 5f\n" /* it is the run that ends */
        "  ldr r3, [r7, #48]\n"
        "  ldr r4, [r7, #52]\n"
        "  cmp r3, r4\n"
        "  beq 5f\n" /* it is the window */
        "  ldr r3, [sp, #20]\n"
        "  cmp r1, r3\n"
        "  beq 5f\n" /* branches back reach 256 bytes only by B */
        "  b 1b\n"
        "5:\n"
        "  movs r6, #0\n"
        "  mote_apart r8, 0\n"
        "  .if \\pairs > 1\n"
        "    mote_apart r9, 4\n"
        "  .endif\n"
        "  .if \\pairs > 2\n"
        "    mote_apart r10, 8\n"
        "  .endif\n"
        "  .if \\pairs > 3\n"
        "    mote_apart r11, 12\n"
        "  .endif\n"
        "  .if \\pairs > 4\n"
        "    mote_apart r12, 16\n"
        "  .endif\n"
        "  ldr r3, [r7, #68]\n"
        "  adds r3, r3, r1\n"
        "  str r3, [sp, #20]\n"
        "  ldr r2, [sp, #16]\n"
        "  cmp r1, r2\n"
        "  beq 6f\n"
        "  b 2b\n"
        "6:\n"
        "  ldr r3, [r7, #48]\n"
        "  ldr r4, [r7, #52]\n"
        "  cmp r3, r4\n"
        "  beq 7f\n"
        "  b 1b\n"
        "7:\n"
        "  add sp, sp, #28\n"
        "  mote_leave \\name\n"
        ".endm\n"
        "mote_v6m_pairs4 mote_v6m_pairs4_1, 1\n"
        "mote_v6m_pairs4 mote_v6m_pairs4_2, 2\n"
        "mote_v6m_pairs4 mote_v6m_pairs4_3, 3\n"
        "mote_v6m_pairs4 mote_v6m_pairs4_4, 4\n"
        "mote_v6m_pairs4 mote_v6m_pairs4_5, 5\n"
        ".text\n");

void mote_v6m_pairs4_1(struct pairs_run *r);
void mote_v6m_pairs4_2(struct pairs_run *r);
void mote_v6m_pairs4_3(struct pairs_run *r);
void mote_v6m_pairs4_4(struct pairs_run *r);
void mote_v6m_pairs4_5(struct pairs_run *r);

void mote_isa_conv4_pairs__v6m(const struct mote_conv2d_pairs_s4 *t,
                               const struct mote_pairs_job *d) {
  const struct mote_conv2d_s8 *p = &t->conv;
  static void (*const loops[BLOCK_PAIRS])(struct pairs_run *) = {
      mote_v6m_pairs4_1, mote_v6m_pairs4_2, mote_v6m_pairs4_3, mote_v6m_pairs4_4,
      mote_v6m_pairs4_5};
  const uint32_t m = (d->pixels + 1) / 2, out_c = p->out_c;
  const int8_t *const weights = (const int8_t *)mote_at(p, p->weights_at);
  struct v6m_outputs k;
  struct pairs_run r;
  r.column_end = d->column_at + d->columns;
  r.n = d->n;
  r.run = 4u * t->run;
  mote_v6m_begin(&k, &p->output, out_c);
  for (uint32_t c = 0; c < out_c; c++) {
    int8_t *out = d->out + c, *second = out + (size_t)m * out_c;
    mote_v6m_channel(&k, c);
    r.weights = weights + (size_t)(c / 2) * d->n * d->columns;
    r.shift = c % 2 * 4;
    for (uint32_t done = 0, b; done < m; done += b) {
      b = mote_block_of(m - done, BLOCK_PAIRS);
      for (uint32_t j = 0; j < b; j++) r.sums[0][j] = r.sums[1][j] = 0;
      r.values = d->words + 4 * (size_t)done;
      r.column_at = d->column_at;
      r.skip = 4 * d->quad_step - 16 * b;
      loops[b - 1](&r);
      const uint32_t rest =
          d->pixels - m - done; /* of the second pixels: one fewer where they are odd */
      mote_v6m_put(&k, r.sums[0], b, out, 1, 0);
      if (rest) mote_v6m_put(&k, r.sums[1], rest < b ? rest : b, second, 1, 0);
      out += (size_t)b * out_c;
      second += (size_t)b * out_c;
    }
  }
}

#else
typedef int mote_isa_v6m_s4_is_empty; /* C wants a declaration in every file */
#endif
