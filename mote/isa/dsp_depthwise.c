/* dsp_depthwise: depthwise convolution for Cortex-M with the DSP extension.
 *
 * Four channels at a time, the columns under a strip of output pixels are transposed into scratch, so that
 * rows of one channel and column stand side by side for SMLAD:
 *   scratch: [column][channel][words], a word two rows: of each four rows (0, 2) and (1, 3), because
 *   SXTB16 widens a column's weights to those pairs.
 *
 * 3x3 windows have an assembly loop over the pixels of a strip. Five registers hold the nine weights, and a channel's
 * constants stay in registers too: an output is 3 LDRD, 6 multiplications (9 MAC) and 6 to 8 more.
 * Any other kernel takes the loop in C, two pixels at a time; those one column wide are in dsp_tall.c. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* ---- transposition ------------------------------------------------------------------ */

/* Words from column to column. */
static inline int32_t column_step(const struct mote_depthwise_conv2d_s8 *p) {
  return (int32_t)(mote_isa_lanes(p->in_c) * mote_isa_column_words(p->kernel_h));
}

/* Four channels, or the n that are left, of row i; a row that is missing, or not before `end`, is the zero point,
 * which widens to 0. */
static inline uint32_t load_lanes(const void *const *rows, int32_t i, int32_t end, int32_t at,
                                  int32_t n, uint32_t nothing) {
  if (i >= end || rows[i] == NULL) return nothing;
  const int8_t *from = (const int8_t *)rows[i] + at;
  return n >= 4 ? load(from) : load_part(from, (uint32_t)n);
}
static inline uint32_t zero_points(const struct mote_depthwise_conv2d_s8 *p) {
  return ((uint32_t)p->output.in_zp & 0xFF) * 0x01010101u;
}

/* One column of any height: of each four rows (0, 2) and (1, 3). */
static __attribute__((noinline)) void transpose_any(const struct mote_depthwise_conv2d_s8 *p,
                                                    const void *const *rows, int32_t at, int32_t n,
                                                    uint32_t *to) {
  const uint32_t minus = both(-p->output.in_zp), nothing = zero_points(p);
  const uint32_t step = mote_isa_column_words(p->kernel_h);
  const uint32_t lanes = mote_isa_lanes(p->in_c);
  int32_t i = 0;
  for (uint32_t *end = to + step; to != end; to++, i += i & 1 ? 3 : 1) {
    const uint32_t x = load_lanes(rows, i, p->kernel_h, at, n, nothing),
                   y = load_lanes(rows, i + 2, p->kernel_h, at, n, nothing);
    const uint32_t xe = even_add(minus, x), ye = even_add(minus, y);
    to[0] = bottoms(xe, ye);
    if (lanes == 1) continue;
    const uint32_t xo = odd_add(minus, x), yo = odd_add(minus, y);
    to[step] = bottoms(xo, yo);
    if (lanes > 2) to[2 * step] = tops(xe, ye);
    if (lanes > 3) to[3 * step] = tops(xo, yo);
  }
}

/* Columns of three rows, four whole channels from `at` on, to to .. end - 1, at least one: what transpose_any does, in 19 instructions a column.
 * The eight words of a column are r4..r11, stored at once. Two columns a turn; an odd one is done as the second. A row
 * that is missing is read as another. */
__asm__(MOTE_DSP_MACROS ".macro mote_transpose from:vararg\n"
                        "  ldr r10, [r0\\from]\n"
                        "  ldr r11, [r2\\from]\n"
                        "  ldr r7, [r1\\from]\n"
                        "  sxtab16 r8, lr, r10\n"
                        "  sxtab16 r10, lr, r10, ror #8\n"
                        "  sxtab16 r9, lr, r11\n"
                        "  sxtab16 r11, lr, r11, ror #8\n"
                        "  pkhbt r4, r8, r9, lsl #16\n"
                        "  pkhtb r8, r9, r8, asr #16\n"
                        "  pkhbt r6, r10, r11, lsl #16\n"
                        "  pkhtb r10, r11, r10, asr #16\n"
                        "  sxtab16 r5, lr, r7\n"
                        "  sxtab16 r7, lr, r7, ror #8\n"
                        "  lsrs r9, r5, #16\n"
                        "  lsrs r11, r7, #16\n"
                        "  stm ip!, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
                        ".endm\n"
                        "mote_function mote_dsp_transpose3\n"
                        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                        "  mov r4, r0\n"
                        "  mov r5, r1\n"
                        "  mov lr, r2\n"
                        "  ldrd r0, r1, [r4]\n"
                        "  ldr r2, [r4, #8]\n"
                        "  cbnz r1, 3f\n"
                        "  mov r1, r0\n"
                        "  cbnz r1, 3f\n"
                        "  mov r1, r2\n"
                        "  cmp r1, #0\n"
                        "  beq 5f\n"
                        "3:\n"
                        "  cbnz r0, 4f\n"
                        "  mov r0, r1\n"
                        "4:\n"
                        "  cmp r2, #0\n"
                        "  it eq\n"
                        "  moveq r2, r1\n"
                        "  add r0, r0, r5\n"
                        "  add r1, r1, r5\n"
                        "  add r2, r2, r5\n"
                        "  ldrd ip, r4, [sp, #36]\n"
                        "  subs r4, r4, ip\n"
                        "  lsls r4, r4, #26\n"
                        "  bpl 1f\n"
                        "  subs r0, r0, r3\n"
                        "  subs r1, r1, r3\n"
                        "  subs r2, r2, r3\n"
                        "  b 2f\n"
                        "1:\n"
                        "  mote_transpose\n"
                        "2:\n"
                        "  mote_transpose , r3\n"
                        "  add r0, r0, r3, lsl #1\n"
                        "  add r1, r1, r3, lsl #1\n"
                        "  add r2, r2, r3, lsl #1\n"
                        "  ldr r4, [sp, #40]\n"
                        "  cmp ip, r4\n"
                        "  bne 1b\n"
                        "5:\n"
                        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                        "  .size mote_dsp_transpose3, . - mote_dsp_transpose3\n"
                        ".text\n");
void mote_dsp_transpose3(const void *const *rows, int32_t at, uint32_t minus, uint32_t in_c,
                         uint32_t *to, const uint32_t *end);

static uint32_t *clear(uint32_t *to, int32_t words) {
  for (; words > 0; words--) *to++ = 0;
  return to;
}

/* A strip of columns: those left and right of the row are 0 for every group of channels, and are cleared
 * once. */
struct strip {
  int32_t first, inside; /* column of the row, and how many of the strip lie in it */
  uint32_t *to;          /* where these go */
};

/* The columns under n output pixels from x on, of so many words each. */
static __attribute__((noinline)) struct strip strip_at(const struct mote_depthwise_conv2d_s8 *p,
                                                       int32_t x, int32_t n, int32_t words,
                                                       uint32_t *scratch) {
  const int32_t columns = (n - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
  int32_t left = p->pad_left - x * p->stride_w;
  struct strip s;
  s.first = 0;
  if (left < 0) {
    s.first = -left;
    left = 0;
  }
  if (left > columns) left = columns;
  s.inside = p->in_w - s.first;
  if (s.inside > columns - left) s.inside = columns - left;
  if (s.inside < 0) s.inside = 0;
  s.to = clear(scratch, left * words);
  clear(s.to + s.inside * words, (columns - left - s.inside) * words);
  return s;
}

/* ---- 3x3 ------------------------------------------------------------------------------- */

/* What the loop over channels reads and advances; the assembly knows the offsets in the comments. */
struct frame3 {
  const int8_t *weights;     /*  0: of the next channel */
  const uint32_t *values;    /*  4: its first column */
  uint32_t values_step;      /*  8: bytes to those of the channel after it */
  uint32_t missing;          /* 12: bit i: row i, whose weights count as 0 */
  struct dsp_constants next; /* 16 */
  int8_t *out;               /* 36: its first output */
  const int8_t *out_end;     /* 40: where `out` ends up after the last channel */
  uint32_t steps;            /* 44: bytes from pixel to pixel: of the columns << 16 | of outputs */
  uintptr_t rounding;        /* 48: reads the constants of a channel */
  uintptr_t entry;           /* 52: into the loop over pixels */
  uintptr_t start;           /* 56: loads the bias of a channel */
  uint32_t span;             /* 60: bytes of outputs of a strip */
  const struct mote_output *output; /* 64: first member of the parameters */
  const int8_t *after_first;        /* 68: `out` behind channel 0 */
};
typedef char frame3_layout[offsetof(struct frame3, after_first) == 68 ? 1 : -1];
void mote_dsp_depthwise3(struct frame3 *f);

/* For one channel after the other, the windows of a strip. In the loop: r0 column, r1 output, ip both steps, r4 r5 r6
 * weights of rows (0, 2) of kernel columns 0 1 2, r7 those of row 1 in columns 0 and 1, r8 in column 2 (top half),
 * turns left (byte 1) and the shift (byte 0), r9 multiplier, r10 rounding, r11 bias; r2, r3 values, lr the sum.
 *
 * Weights lie column after column: bytes 0..3 give column 0, 3..6 column 1, and 5..8 column 2 (with 5 instead of 6,
 * nothing beyond the nine is read). */
__asm__(
    ".macro mote_window\n"
    "  ldrd r2, r3, [r0]\n"
    "  smlad lr, r4, r2, r11\n"
    "  smlabb lr, r7, r3, lr\n"
    "  ldrd r2, r3, [r0, #32]\n"
    "  smlad lr, r5, r2, lr\n"
    "  smlatb lr, r7, r3, lr\n"
    "  ldrd r2, r3, [r0, #64]\n"
    "  smlad lr, r6, r2, lr\n"
    "  smlatb lr, r8, r3, lr\n"
    "  add r0, r0, ip, lsr #16\n"
    ".endm\n"
    ".macro mote_window_both\n"
    "  mote_window\n"
    "  add r2, r10, lr, asr #31\n"
    "  lsl lr, lr, #1\n"
    "  smmlar lr, lr, r9, r2\n"
    "  asr lr, lr, r8\n"
    "  ssat lr, #8, lr\n"
    "  strb lr, [r1]\n"
    "  uxtah r1, r1, ip\n"
    ".endm\n"
    ".macro mote_window_above\n"
    "  mote_window\n"
    "  lsl lr, lr, r8\n"
    "  smmla lr, lr, r9, r10\n"
    "  ssat lr, #8, lr, asr #12\n"
    "  strb lr, [r1]\n"
    "  uxtah r1, r1, ip\n"
    ".endm\n"
    "mote_function mote_dsp_depthwise3\n"
    "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
    "1:\n"
    "  ldr pc, [r0, #56]\n"
    "mote_label mote_dsp_bias0_3\n"
    "  mov r11, #0\n"
    "  b 3f\n"
    "mote_label mote_dsp_bias4_3\n"
    "  ldr r1, [r0, #16]\n"
    "  ldr r11, [r1], #4\n"
    "  b 2f\n"
    "mote_label mote_dsp_bias2_3\n"
    "  ldr r1, [r0, #16]\n"
    "  ldrsh r11, [r1], #2\n"
    "2:\n"
    "  str r1, [r0, #16]\n"
    "3:\n"
    "  ldr pc, [r0, #48]\n"

    "mote_label mote_dsp_pairs_above_3\n"
    "  ldr r1, [r0, #24]\n"
    "  ldrd r2, r3, [r1], #8\n"
    "  str r1, [r0, #24]\n"
    "  adds r3, r3, #13\n"
    "  sub r1, r3, #2\n"
    "  cmp r1, #10\n"
    "  bhi mote_dsp_in_c_3\n"
    "  ldrd r1, r10, [r0, #28]\n"
    "  add r3, r3, r10\n"
    "  b 9f\n"
    "mote_label mote_dsp_in_c_3\n"
    "  adr lr, mote_dsp_window_in_c + 1\n"
    "  movs r3, #0\n"
    "  b 5f\n"
    "mote_label mote_dsp_above_3\n"
    "  ldr r3, [r0, #24]\n"
    "  ldm r3!, {r2}\n"
    "  str r3, [r0, #24]\n"
    "  ldrd r1, r3, [r0, #28]\n"
    "  mote_decode_above\n"
    "9:\n"
    "  mote_round_above\n"
    "  mov r10, r1\n"
    "mote_label mote_dsp_weights3\n"
    "4:\n"
    "  mov r9, r2\n"
    "  ldr lr, [r0, #52]\n"
    "5:\n"
    "  ldr r1, [r0]\n"
    "  ldr r2, [r1]\n"
    "  ldr r5, [r1, #3]\n"
    "  ldr r6, [r1, #5]\n"
    "  adds r1, r1, #9\n"
    "  str r1, [r0]\n"
    "  sxtb16 r4, r2\n"
    "  sxtb16 r2, r2, ror #8\n"
    "  sxtb16 r7, r5, ror #8\n"
    "  sxtb16 r5, r5\n"
    "  pkhbt r7, r2, r7, lsl #16\n"
    "  sxtb16 r8, r6\n"
    "  sxtb16 r6, r6, ror #8\n"
    "  bfi r8, r3, #0, #16\n"
    "  ldr r1, [r0, #12]\n"
    "  cbnz r1, 10f\n"
    "6:\n"
    "  ldrd r2, r3, [r0, #4]\n"
    "  add r3, r3, r2\n"
    "  str r3, [r0, #4]\n"
    "  ldr r1, [r0, #36]\n"
    "  adds r3, r1, #1\n"
    "  str r3, [r0, #36]\n"
    "  ldr ip, [r0, #44]\n"
    "  mov r0, r2\n"
    "  bx lr\n"
    /* What rows 0, 1, 2 would multiply is of another row, but no number. */
    "10:\n"
    "  lsls r2, r1, #31\n"
    "  beq 11f\n"
    "  bfc r4, #0, #16\n"
    "  bfc r5, #0, #16\n"
    "  bfc r6, #0, #16\n"
    "11:\n"
    "  lsls r2, r1, #30\n"
    "  bpl 12f\n"
    "  movs r7, #0\n"
    "  uxth r8, r8\n"
    "12:\n"
    "  lsls r2, r1, #29\n"
    "  bpl 6b\n"
    "  uxth r4, r4\n"
    "  uxth r5, r5\n"
    "  uxth r6, r6\n"
    "  b 6b\n"

    "mote_label mote_dsp_next3\n"
    "7:\n"
    "  ldr r0, [sp]\n"
    "  ldrd r1, r2, [r0, #36]\n"
    "  cmp r1, r2\n"
    "  bne 1b\n"
    "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
    "mote_label mote_dsp_windows_above\n"
    "  mote_window_above\n"
    "mote_label mote_dsp_windows_above_odd\n"
    "  mote_window_above\n"
    "  sub r8, r8, #0x100\n"
    "  tst r8, #0xff00\n"
    "  bne mote_dsp_windows_above\n"
    "  b 7b\n"

    /* [sp] end of the outputs, [sp, 4] frame; sums one by one to mote_dsp_outputs(output, channel, sum, 1, out, 0) */
    "  .balign 4\n"
    "  .thumb_func\n"
    "mote_dsp_window_in_c:\n"
    "  ldr r3, [sp]\n"
    "  ldr r2, [r3, #60]\n"
    "  add r2, r2, r1\n"
    "  push {r2, r3}\n"
    "8:\n"
    "  mote_window\n"
    "  push {r0, r1, ip, lr}\n"
    "  ldr r3, [sp, #20]\n"
    "  ldr r0, [r3, #64]\n"
    "  ldr r2, [r3, #68]\n"
    "  ldr r1, [r3, #36]\n"
    "  subs r1, r1, r2\n"
    "  add r2, sp, #12\n"
    "  ldr r3, [sp, #4]\n"
    "  push {r3, r4}\n"
    "  movs r3, #1\n"
    "  bl mote_dsp_outputs\n"
    "  add sp, sp, #8\n"
    "  pop {r0, r1, ip, lr}\n"
    "  uxtah r1, r1, ip\n"
    "  ldr r2, [sp]\n"
    "  cmp r1, r2\n"
    "  bne 8b\n"
    "  add sp, sp, #8\n"
    "  b 7b\n"
    "  .size mote_dsp_depthwise3, . - mote_dsp_depthwise3\n"

    "mote_function mote_dsp_both_3\n"
    "  ldr r3, [r0, #24]\n"
    "  ldm r3!, {r2}\n"
    "  str r3, [r0, #24]\n"
    "  ldrd r1, r3, [r0, #28]\n"
    "  mote_decode_both\n"
    "  mov r10, r1\n"
    "  b mote_dsp_weights3\n"
    "mote_label mote_dsp_windows_both\n"
    "  mote_window_both\n"
    "mote_label mote_dsp_windows_both_odd\n"
    "  mote_window_both\n"
    "  sub r8, r8, #0x100\n"
    "  tst r8, #0xff00\n"
    "  bne mote_dsp_windows_both\n"
    "  b mote_dsp_next3\n"
    "  .size mote_dsp_both_3, . - mote_dsp_both_3\n"
    ".text\n");
void mote_dsp_bias0_3(void);
void mote_dsp_bias2_3(void);
void mote_dsp_bias4_3(void);
void mote_dsp_both_3(void);
void mote_dsp_above_3(void);
void mote_dsp_pairs_above_3(void);
void mote_dsp_in_c_3(void);
void mote_dsp_windows_both(void);
void mote_dsp_windows_both_odd(void);
void mote_dsp_windows_above(void);
void mote_dsp_windows_above_odd(void);

/* Turns of two pixels are counted in a byte. */
#define MOST_PIXELS 510

/* The constants of channel 0, and how a strip of n pixels is gone through. */
static __attribute__((noinline)) void begin3(struct frame3 *f, uint32_t n) {
  static void (*const starts[])(void) = {mote_dsp_bias0_3, mote_dsp_bias2_3, mote_dsp_bias4_3};
  const struct mote_depthwise_conv2d_s8 *p = (const void *)f->output;
  const uint32_t out_step = (uint32_t)p->in_c * p->multiplier;
  f->weights = (const int8_t *)mote_at(p, p->weights_at);
  f->steps = (32u * p->stride_w) << 16 | out_step;
  f->span = n * out_step;
  f->start = (uintptr_t)starts[f->next.bias_step / 2];
  f->next.shift += (int32_t)((n + 1) / 2 << 8); /* turns of two pixels */
}

typedef void begin_way(struct frame3 *f, uint32_t n);
static void begin_above(struct frame3 *f, uint32_t n) {
  f->rounding = (uintptr_t)mote_dsp_above_3;
  f->entry = n & 1 ? (uintptr_t)mote_dsp_windows_above_odd : (uintptr_t)mote_dsp_windows_above;
  if (mote_dsp_above_constants(&f->next, f->output) == DSP_PAIRS) {
    f->rounding = (uintptr_t)mote_dsp_pairs_above_3;
    f->next.shift = 0;
  }
  begin3(f, n);
}
static void begin_any(struct frame3 *f, uint32_t n) {
  if (mote_output_is_above(f->output)) {
    begin_above(f, n);
    return;
  }
  f->rounding = mote_dsp_constants(&f->next, f->output, 0) == DSP_BOTH ? (uintptr_t)mote_dsp_both_3
                                                                       : (uintptr_t)mote_dsp_in_c_3;
  f->entry = n & 1 ? (uintptr_t)mote_dsp_windows_both_odd : (uintptr_t)mote_dsp_windows_both;
  begin3(f, n);
}

/* A call; groups of four channels. */
static inline __attribute__((always_inline)) void row3(const void *params, const void *const *rows,
                                                       void *state, void *out, begin_way *begin) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t m = p->multiplier;
  const int32_t most = p->strip_w < MOST_PIXELS ? p->strip_w : MOST_PIXELS;
  int8_t *to = (int8_t *)out;
  struct frame3 f;
  f.output = &p->output;
  f.values_step = m == 1 ? 8 : 0;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    f.missing =
        (rows[0] == NULL) | (uint32_t)(rows[1] == NULL) << 1 | (uint32_t)(rows[2] == NULL) << 2;
    for (int32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < most ? p->out_w - x : most;
      const struct strip s = strip_at(p, x, n, 8, (uint32_t *)state);
      begin(&f, (uint32_t)n);
      f.out = to;
      f.after_first = to + 1;
      for (int32_t c = 0; c < p->in_c; c += 4) {
        /* What is left over is found among the last four. Four channels at once, or the outputs of one after the
         * other. */
        const int32_t group = c > p->in_c - 4 ? p->in_c - 4 : c;
        if (s.inside)
          mote_dsp_transpose3(rows, s.first * p->in_c + group, both(-p->output.in_zp), p->in_c,
                              s.to, s.to + 8 * s.inside);
        for (int32_t k = c - group; k < 4; k += m == 1 ? 4 : 1) {
          f.values = (const uint32_t *)state + 2 * k;
          f.out_end = f.out + (m == 1 ? 4u - (uint32_t)k : m);
          mote_dsp_depthwise3(&f);
        }
      }
      to += (uint32_t)n * ((uint32_t)p->in_c * m);
    }
  }
}

void mote_isa_depthwise_3x3__dsp(const void *params, const void *const *rows, void *state,
                                 void *out) {
  row3(params, rows, state, out, begin_any);
}
void mote_isa_depthwise_3x3_above__dsp(const void *params, const void *const *rows, void *state,
                                       void *out) {
  row3(params, rows, state, out, begin_above);
}

/* ---- any kernel -------------------------------------------------------------------------- */

/* The last `left` < 4 weights of a column, and what does not matter above them. A load would read beyond the
 * weights of the last channel; so it ends with them, and begins, where the kernel has four weights, within
 * them. */
static inline uint32_t last_weights(const int8_t *w, int32_t left, int32_t kernel) {
  return kernel >= 4 ? load(w + left - 4) >> (8 * (4 - left)) : load_part(w, (uint32_t)left);
}

/* Adds one window to sums[0], and the window `second` words on to sums[1]. Four rows at a time: SXTB16 gives
 * their weights as the words lie. */
static __attribute__((noinline)) void windows_any(const struct mote_depthwise_conv2d_s8 *p,
                                                  const uint32_t *columns, int32_t second,
                                                  const int8_t *w, int32_t *sums) {
  const int32_t next = column_step(p) * p->dilation_w, h = p->kernel_h;
  int32_t a = sums[0], b = sums[1];
  for (int32_t j = p->kernel_w; j; j--, columns += next) {
    const uint32_t *v = columns, *u = columns + second;
    const int8_t *const whole = w + (h & ~3), *const end = w + h;
    uint32_t k, q, x0, x1;
    /* Eleven instructions for four rows; from C, compiled for size, they are seventeen. */
    __asm__("b 2f\n"
            "1:\n\t"
            "ldr %[q], [%[w]], #4\n\t"
            "sxtb16 %[k], %[q]\n\t"
            "sxtb16 %[q], %[q], ror #8\n\t"
            "ldrd %[x0], %[x1], [%[v]], #8\n\t"
            "smlad %[a], %[k], %[x0], %[a]\n\t"
            "smlad %[a], %[q], %[x1], %[a]\n\t"
            "ldrd %[x0], %[x1], [%[u]], #8\n\t"
            "smlad %[b], %[k], %[x0], %[b]\n\t"
            "smlad %[b], %[q], %[x1], %[b]\n"
            "2:\n\t"
            "cmp %[w], %[whole]\n\t"
            "bne 1b"
            : [w] "+r"(w), [v] "+r"(v), [u] "+r"(u), [a] "+r"(a), [b] "+r"(b), [k] "=&r"(k),
              [q] "=&r"(q), [x0] "=&r"(x0), [x1] "=&r"(x1)
            : [whole] "r"(whole)
            : "cc", "memory");
    if (w == end) continue;
    const uint32_t x = last_weights(w, h & 3, p->kernel_w * h), e = even(x);
    w = end;
    a = smlad(e, v[0], a);
    b = smlad(e, u[0], b);
    if ((h & 3) == 1) continue;
    const uint32_t o = odd(x);
    a = smlad(o, v[1], a);
    b = smlad(o, u[1], b);
  }
  sums[0] = a;
  sums[1] = b;
}

static void run_any(const struct mote_depthwise_conv2d_s8 *p, const uint32_t *columns, uint32_t oc,
                    int32_t n, int8_t *out, uint32_t out_step) {
  const int32_t step = column_step(p) * p->stride_w;
  const int8_t *w =
      (const int8_t *)mote_at(p, p->weights_at) + (size_t)oc * (size_t)(p->kernel_w * p->kernel_h);
  const int32_t bias = mote_channel_bias(&p->output, oc);
  int32_t sums[8];
  while (n) {
    const int32_t some = n < 8 ? n : 8;
    for (int32_t i = 0; i < some; i += 2, columns += 2 * step) {
      sums[i] = sums[i + 1] = bias;
      windows_any(p, columns, i + 1 < some ? step : 0, w, sums + i);
    }
    mote_dsp_outputs(&p->output, oc, sums, (uint32_t)some, out, out_step);
    out += (uint32_t)some * out_step;
    n -= some;
  }
}

void mote_isa_depthwise__dsp(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t *columns = (const uint32_t *)state;
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (int32_t x = 0, n; x < p->out_w; x += n, to += (uint32_t)n * out_c) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      const struct strip s = strip_at(p, x, n, column_step(p), (uint32_t *)state);
      uint32_t oc = 0;
      for (int32_t c = 0; c < p->in_c; c++) {
        if (c % 4 == 0)
          for (int32_t i = 0; i < s.inside; i++)
            transpose_any(p, rows, (s.first + i) * p->in_c + c, p->in_c - c,
                          s.to + i * column_step(p));
        for (uint32_t i = 0; i < p->multiplier; i++, oc++)
          run_any(p, columns + mote_isa_column_words(p->kernel_h) * (c & 3), oc, n, to + oc, out_c);
      }
    }
  }
}

#else
typedef int mote_isa_dsp_depthwise_is_empty; /* C wants a declaration in every file */
#endif
