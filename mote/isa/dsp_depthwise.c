/* dsp_depthwise: depthwise convolution for Cortex-M with the DSP extension.
 *
 * Four channels at a time, the columns under a strip of output pixels are transposed into scratch, so that
 * rows of one channel and column stand side by side for SMLAD:
 *   scratch: [column][channel][words], a word two rows: of each four rows (0, 2) and (1, 3), because
 *   SXTB16 widens a column's weights to those pairs.
 *
 * 3x3 windows have assembly loops. Five registers hold the nine weights; with stride 1, P neighbouring
 * pixels share their columns, so P outputs are P + 2 LDRD and 6 P multiplications (9 MAC in 6 instructions).
 * Kernels one column wide share nothing between pixels: they read the rows as they are, four channels at a
 * time, without scratch. Any other kernel takes the loop in C, two pixels at a time. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* ---- transposition ------------------------------------------------------------------ */

/* Words from column to column. */
static inline int32_t column_step(const struct mote_depthwise_job *d) {
  return (int32_t)(mote_isa_lanes((uint32_t)d->in_c) *
                   mote_isa_column_words((uint32_t)d->kernel_h));
}

/* Four channels, or the n that are left, of row i; a row that is missing, or not before `end`, is the zero point,
 * which widens to 0. */
static inline uint32_t load_lanes(const void *const *rows, int32_t i, int32_t end, int32_t at,
                                  int32_t n, uint32_t nothing) {
  if (i >= end || rows[i] == NULL) return nothing;
  const int8_t *from = (const int8_t *)rows[i] + at;
  return n >= 4 ? load(from) : load_part(from, (uint32_t)n);
}
static inline uint32_t zero_points(const struct mote_depthwise_job *d) {
  return ((uint32_t)d->in_zp & 0xFF) * 0x01010101u;
}

/* One column of any height: of each four rows (0, 2) and (1, 3). */
static __attribute__((noinline)) void transpose_any(const struct mote_depthwise_job *d, int32_t at,
                                                    int32_t n, uint32_t *to) {
  const uint32_t minus = both(-d->in_zp), nothing = zero_points(d);
  const uint32_t step = mote_isa_column_words((uint32_t)d->kernel_h);
  const uint32_t lanes = mote_isa_lanes((uint32_t)d->in_c);
  int32_t i = 0;
  for (uint32_t *end = to + step; to != end; to++, i += i & 1 ? 3 : 1) {
    const uint32_t x = load_lanes(d->rows, i, d->kernel_h, at, n, nothing),
                   y = load_lanes(d->rows, i + 2, d->kernel_h, at, n, nothing);
    const uint32_t xe = even_add(minus, x), ye = even_add(minus, y);
    to[0] = bottoms(xe, ye);
    if (lanes == 1) continue;
    const uint32_t xo = odd_add(minus, x), yo = odd_add(minus, y);
    to[step] = bottoms(xo, yo);
    if (lanes > 2) to[2 * step] = tops(xe, ye);
    if (lanes > 3) to[3 * step] = tops(xo, yo);
  }
}

/* `columns` (at least 1) columns of three rows, four whole channels: what transpose_any does, in 22
 * instructions a column. The eight words of a column are r4..r11, stored at once. */
static uint32_t *transpose3(const struct mote_depthwise_job *d, const int8_t *const *rows,
                            int32_t at, int32_t columns, uint32_t *to) {
  register const int8_t *r0 __asm__("r0") = rows[0] + at;
  register const int8_t *r1 __asm__("r1") = rows[1] + at;
  register const int8_t *r2 __asm__("r2") = rows[2] + at;
  register int32_t r3 __asm__("r3") = d->in_c;
  register uint32_t *ip __asm__("ip") = to;
  register uint32_t lr __asm__("lr") = both(-d->in_zp);
  register uint32_t *end __asm__("r4") = to + 8 * columns;
  __asm__ volatile("push {r4}\n"
                   "1:\n\t"
                   "ldr r10, [r0]\n\t"
                   "add r0, r0, r3\n\t"
                   "ldr r11, [r2]\n\t"
                   "add r2, r2, r3\n\t"
                   "ldr r7, [r1]\n\t"
                   "add r1, r1, r3\n\t"
                   "sxtab16 r8, lr, r10\n\t"
                   "sxtab16 r10, lr, r10, ror #8\n\t"
                   "sxtab16 r9, lr, r11\n\t"
                   "sxtab16 r11, lr, r11, ror #8\n\t"
                   "pkhbt r4, r8, r9, lsl #16\n\t"
                   "pkhtb r8, r9, r8, asr #16\n\t"
                   "pkhbt r6, r10, r11, lsl #16\n\t"
                   "pkhtb r10, r11, r10, asr #16\n\t"
                   "sxtab16 r5, lr, r7\n\t"
                   "sxtab16 r7, lr, r7, ror #8\n\t"
                   "lsr r9, r5, #16\n\t"
                   "lsr r11, r7, #16\n\t"
                   "stm ip!, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                   "ldr r4, [sp]\n\t"
                   "cmp ip, r4\n\t"
                   "bne 1b\n\t"
                   "pop {r4}\n\t"
                   : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(ip), "+r"(end)
                   : "r"(r3), "r"(lr)
                   : "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory");
  return ip;
}

static uint32_t *clear(uint32_t *to, int32_t words) {
  for (; words > 0; words--) *to++ = 0;
  return to;
}

/* A strip of columns: those left and right of the row are 0 for every group of channels, and are cleared
 * once. */
struct strip {
  int32_t first, inside; /* column of the row, and how many of the strip lie in it */
  uint32_t *to;          /* where these go */
  const int8_t
      *rows[3]; /* of kernels of three rows; a missing one is read as another, and masked */
  uint32_t outer, middle;
};

/* Whether three rows can be transposed at once. */
static int three_rows(const struct mote_depthwise_job *d) {
  return d->kernel_h == 3 && d->in_c >= 4 && (d->rows[0] || d->rows[1] || d->rows[2]);
}

static void strip_rows(const struct mote_depthwise_job *d, struct strip *s) {
  const int8_t *a = (const int8_t *)d->rows[0], *b = (const int8_t *)d->rows[1],
               *c = (const int8_t *)d->rows[2],
               *any = b   ? b
                      : a ? a
                          : c;
  s->rows[0] = a ? a : any;
  s->rows[1] = any;
  s->rows[2] = c ? c : any;
  s->outer = (a ? 0xFFFFu : 0) | (c ? 0xFFFF0000u : 0);
  s->middle = b ? 0xFFFFFFFFu : 0;
}

static __attribute__((noinline)) void strip_place(const struct mote_depthwise_job *d, int32_t x,
                                                  int32_t columns, struct strip *s) {
  const int32_t words = column_step(d);
  const int32_t left = x >= 0 ? 0 : -x < columns ? -x : columns;
  s->first = x + left;
  s->inside = d->in_w - s->first;
  if (s->inside > columns - left) s->inside = columns - left;
  if (s->inside < 0) s->inside = 0;
  s->to = clear((uint32_t *)d->scratch, left * words);
  clear(s->to + s->inside * words, (columns - left - s->inside) * words);
}

/* Transposes the strip's columns of channels c .. c + 3. */
static void transpose_columns(const struct mote_depthwise_job *d, const struct strip *s,
                              int32_t c) {
  const int32_t n = d->in_c - c;
  int32_t at = s->first * d->in_c + c;
  uint32_t *to = s->to;
  if (s->inside == 0) return;
  if (n < 4 || (s->outer | s->middle) == 0) { /* no three rows */
    const int32_t words = column_step(d);
    for (int32_t i = 0; i < s->inside; i++, at += d->in_c, to += words) transpose_any(d, at, n, to);
    return;
  }
  const uint32_t *end = transpose3(d, s->rows, at, s->inside, to);
  if ((s->outer & s->middle) == 0xFFFFFFFFu) return;
  for (; to != end; to += 2) {
    to[0] &= s->outer;
    to[1] &= s->middle;
  }
}

/* ---- 3x3 ------------------------------------------------------------------------------- */

/* mote_weights3: r9 r10 r11 = rows (0, 2) of kernel columns 0 1 2, ip = row 1 of columns 0 and 1, lr = row 1
 * of column 2 in the top half. Weights lie column after column: bytes 0..3 give column 0, 3..6 column 1,
 * and 5..8 column 2 (with 5 instead of 6, nothing beyond the nine is read).
 * mote_column i: column i of the block goes to the sums of the pixels that it belongs to. */
__asm__(MOTE_DSP_MACROS
        ".macro mote_weights3\n"
        "  ldr r1, [r0]\n"
        "  ldr r2, [r1]\n"
        "  ldr r3, [r1, #3]\n"
        "  ldr lr, [r1, #5]\n"
        "  add r1, r1, #9\n"
        "  str r1, [r0]\n"
        "  sxtb16 r9, r2\n"
        "  sxtb16 r2, r2, ror #8\n"
        "  sxtb16 r10, r3\n"
        "  sxtb16 r3, r3, ror #8\n"
        "  pkhbt ip, r2, r3, lsl #16\n"
        "  sxtb16 r11, lr, ror #8\n"
        "  sxtb16 lr, lr\n"
        ".endm\n"
        ".macro mote_first s, bias\n"
        "  smlad \\s, r9, r2, \\bias\n"
        "  smlabb \\s, ip, r3, \\s\n"
        ".endm\n"
        ".macro mote_second s\n"
        "  smlad \\s, r10, r2, \\s\n"
        "  smlatb \\s, ip, r3, \\s\n"
        ".endm\n"
        ".macro mote_third s\n"
        "  smlad \\s, r11, r2, \\s\n"
        "  smlatb \\s, lr, r3, \\s\n"
        ".endm\n"

        /* P pixels of stride 1. The bias waits in the last sum. */
        ".macro mote_depthwise name, pixels, last\n"
        "  mote_function \\name\n"
        "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "1:\n"
        "  mote_weights3\n"
        "  mote_bias \\last\n"
        "  ldr r1, [r0, #4]\n"
        "  ldr r2, [r0, #84]\n"
        "  add r2, r2, r1\n"
        "  str r2, [r0, #4]\n"
        "  ldrd r2, r3, [r1]\n"
        "    mote_first r4, \\last\n"
        "  ldrd r2, r3, [r1, #32]\n"
        "  .if \\pixels > 1\n"
        "    mote_first r5, \\last\n"
        "  .endif\n"
        "    mote_second r4\n"
        "  ldrd r2, r3, [r1, #64]\n"
        "  .if \\pixels > 2\n"
        "    mote_first r6, \\last\n"
        "  .endif\n"
        "  .if \\pixels > 1\n"
        "    mote_second r5\n"
        "  .endif\n"
        "    mote_third r4\n"
        "  .if \\pixels >= 2\n"
        "  ldrd r2, r3, [r1, #96]\n"
        "  .if \\pixels > 3\n"
        "    mote_first r7, \\last\n"
        "  .endif\n"
        "  .if \\pixels > 2\n"
        "    mote_second r6\n"
        "  .endif\n"
        "    mote_third r5\n"
        "  .endif\n"
        "  .if \\pixels >= 3\n"
        "  ldrd r2, r3, [r1, #128]\n"
        "  .if \\pixels > 4\n"
        "    mote_first r8, \\last\n"
        "  .endif\n"
        "  .if \\pixels > 3\n"
        "    mote_second r7\n"
        "  .endif\n"
        "    mote_third r6\n"
        "  .endif\n"
        "  .if \\pixels >= 4\n"
        "  ldrd r2, r3, [r1, #160]\n"
        "  .if \\pixels > 4\n"
        "    mote_second r8\n"
        "  .endif\n"
        "    mote_third r7\n"
        "  .endif\n"
        "  .if \\pixels >= 5\n"
        "  ldrd r2, r3, [r1, #192]\n"
        "    mote_third r8\n"
        "  .endif\n"
        "  ldr r1, [r0, #60]\n"
        "  cbz r1, 2f\n"
        "  add r1, r0, #64\n"
        "  stm r1, {r4, r5, r6, r7, r8}\n"
        "  bl mote_dsp_general\n"
        "  ldr r0, [sp]\n"
        "  ldr r10, [r0, #48]\n"
        "  b 3f\n"
        "2:\n"
        "  mote_outputs \\pixels\n"
        "3:\n"
        "  ldr r1, [r0, #56]\n"
        "  cmp r10, r1\n"
        "  bne 1b\n"
        "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
        "mote_depthwise mote_dsp_depthwise1, 1, r4\n"
        "mote_depthwise mote_dsp_depthwise3, 3, r6\n"
        "mote_depthwise mote_dsp_depthwise4, 4, r7\n"
        "mote_depthwise mote_dsp_depthwise5, 5, r8\n"

        /* Any number of pixels, any stride; stack: 0 bias, 4 the channel's first column.
         * r4 rounding, r5 multiplier, r6 shift, r7 column, r8 out */
        "mote_function mote_dsp_depthwise\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  sub sp, sp, #12\n"
        "1:\n"
        "  mote_decode\n"
        "  mov r4, r1\n"
        "  mov r5, r2\n"
        "  mov r6, ip\n"
        "  mote_bias r3\n"
        "  str r3, [sp]\n"
        "  mote_weights3\n"
        "  ldr r7, [r0, #4]\n"
        "  ldr r8, [r0, #48]\n"
        "2:\n"
        "  ldr r1, [sp]\n"
        "  ldrd r2, r3, [r7]\n"
        "  mote_first r1, r1\n"
        "  ldrd r2, r3, [r7, #32]\n"
        "  mote_second r1\n"
        "  ldrd r2, r3, [r7, #64]\n"
        "  mote_third r1\n"
        "  add r2, r4, r1, asr #31\n"
        "  lsl r1, r1, #1\n"
        "  smmlar r1, r1, r5, r2\n"
        "  asr r1, r1, r6\n"
        "  ssat r1, #8, r1\n"
        "  strb r1, [r8]\n"
        "  ldr r1, [r0, #52]\n"
        "  ldrd r2, r3, [r0, #88]\n"
        "  add r8, r8, r1\n"
        "  add r7, r7, r2\n"
        "  cmp r7, r3\n"
        "  bne 2b\n"
        "  ldr r1, [r0, #84]\n"
        "  ldr r7, [r0, #4]\n"
        "  add r7, r7, r1\n"
        "  add r3, r3, r1\n"
        "  str r7, [r0, #4]\n"
        "  str r3, [r0, #92]\n"
        "  ldr r8, [r0, #48]\n"
        "  ldr r1, [r0, #56]\n"
        "  add r8, r8, #1\n"
        "  str r8, [r0, #48]\n"
        "  cmp r8, r1\n"
        "  bne 1b\n"
        "  add sp, sp, #12\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_dsp_depthwise, . - mote_dsp_depthwise\n"
        ".text\n");

void mote_dsp_depthwise1(struct dsp_frame *f);
void mote_dsp_depthwise3(struct dsp_frame *f);
void mote_dsp_depthwise4(struct dsp_frame *f);
void mote_dsp_depthwise5(struct dsp_frame *f);
void mote_dsp_depthwise(struct dsp_frame *f);

/* Blocks of nearly equal size; two pixels are rare and go one by one. A stride goes in one block where the
 * assembly makes the outputs, else pixel by pixel. */
static uint32_t block_of(const struct mote_depthwise_job *d, const struct dsp_frame *f,
                         uint32_t left) {
  if (d->stride_w != 1) return f->general ? 1 : left;
  if (left <= 2) return 1;
  const uint32_t blocks = (left + 4) / 5;
  return blocks == 1 ? left : (left + blocks - 1) / blocks; /* 3..5 */
}

/* The next `channels` output channels over n pixels: columns of the first channel at `columns`, of the others
 * f->values_step bytes on. The frame goes on with the channels behind them. */
static void run3(const struct mote_depthwise_job *d, struct dsp_frame *f, const uint32_t *columns,
                 uint32_t channels, uint32_t n, int8_t *out) {
  static void (*const loops[5])(struct dsp_frame *) = {
      mote_dsp_depthwise1, NULL, mote_dsp_depthwise3, mote_dsp_depthwise4, mote_dsp_depthwise5,
  };
  const int8_t *const weights = f->weights;
  const void *const bias = f->bias;
  const uint32_t *const words = f->words;
  for (uint32_t done = 0;;) {
    f->pixels = block_of(d, f, n - done);
    const uint32_t *next = columns + f->pixels * (f->column_step / 4);
    f->values = columns;
    f->values_end = next;
    f->out = out + done * f->out_step;
    f->first_out = f->row_out + done * f->out_step;
    f->out_end = f->out + channels;
    if (d->stride_w != 1 && !f->general)
      mote_dsp_depthwise(f);
    else
      loops[f->pixels - 1](f);
    done += f->pixels;
    if (done == n) break;
    columns = next;
    f->weights = weights;
    f->bias = bias;
    f->words = words;
  }
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
static __attribute__((noinline)) void windows_any(const struct mote_depthwise_job *d,
                                                  const uint32_t *columns, int32_t second,
                                                  const int8_t *w, int32_t *sums) {
  const int32_t next = column_step(d) * d->dilation_w, h = d->kernel_h;
  int32_t a = sums[0], b = sums[1];
  for (int32_t j = d->kernel_w; j; j--, columns += next) {
    const uint32_t *v = columns, *u = columns + second;
    int32_t left = h;
    for (; left >= 4; left -= 4, w += 4, v += 2, u += 2) {
      const uint32_t x = load(w), e = even(x), o = odd(x);
      a = smlad(e, v[0], a);
      b = smlad(e, u[0], b);
      a = smlad(o, v[1], a);
      b = smlad(o, u[1], b);
    }
    if (left == 0) continue;
    const uint32_t x = last_weights(w, left, d->kernel_w * h), e = even(x);
    w += left;
    a = smlad(e, v[0], a);
    b = smlad(e, u[0], b);
    if (left == 1) continue;
    const uint32_t o = odd(x);
    a = smlad(o, v[1], a);
    b = smlad(o, u[1], b);
  }
  sums[0] = a;
  sums[1] = b;
}

static void run_any(const struct mote_depthwise_job *d, const uint32_t *columns, uint32_t oc,
                    int32_t n, int8_t *out, uint32_t out_step) {
  const int32_t step = column_step(d) * d->stride_w;
  const int8_t *w = d->weights + (size_t)oc * (size_t)(d->kernel_w * d->kernel_h);
  const int32_t bias = mote_channel_bias(d->output, d->params, oc);
  int32_t sums[8];
  while (n) {
    const int32_t some = n < 8 ? n : 8;
    for (int32_t i = 0; i < some; i += 2, columns += 2 * step) {
      sums[i] = sums[i + 1] = bias;
      windows_any(d, columns, i + 1 < some ? step : 0, w, sums + i);
    }
    mote_dsp_outputs(d->output, d->params, oc, sums, (uint32_t)some, out, out_step);
    out += (uint32_t)some * out_step;
    n -= some;
  }
}

static __attribute__((noinline)) void strip3(const struct mote_depthwise_job *d,
                                             const struct strip *s, uint32_t n, int8_t *out) {
  const uint32_t *columns = (const uint32_t *)d->scratch;
  const uint32_t multiplier = (uint32_t)d->multiplier;
  struct dsp_frame f;
  mote_dsp_frame_output(&f, d->output, d->params, 0);
  f.weights = d->weights;
  f.out_step = (uint32_t)d->in_c * multiplier;
  f.row_out = out;
  f.values_step = multiplier == 1 ? 8 : 0;
  f.column_step = 32 * (uint32_t)d->stride_w;
  for (int32_t c = 0; c < d->in_c; c += 4) {
    const uint32_t group = d->in_c - c < 4 ? (uint32_t)(d->in_c - c) : 4;
    transpose_columns(d, s, c);
    if (multiplier == 1) {
      run3(d, &f, columns, group, n, out);
      out += group;
    } else {
      for (uint32_t i = 0; i < group; i++, out += multiplier)
        run3(d, &f, columns + 2 * i, multiplier, n, out);
    }
  }
}

/* Channels from c on. */
static __attribute__((noinline)) void strip_any(const struct mote_depthwise_job *d,
                                                const struct strip *s, int32_t c, int32_t n,
                                                int8_t *out) {
  const uint32_t words = mote_isa_column_words((uint32_t)d->kernel_h);
  const uint32_t *columns = (const uint32_t *)d->scratch;
  const uint32_t out_c = (uint32_t)(d->in_c * d->multiplier);
  uint32_t oc = (uint32_t)(c * d->multiplier);
  for (; c < d->in_c; c += 4) {
    transpose_columns(d, s, c);
    for (uint32_t i = 0; i < 4 && c + (int32_t)i < d->in_c; i++)
      for (int32_t m = 0; m < d->multiplier; m++, oc++)
        run_any(d, columns + words * i, oc, n, out + oc, out_c);
  }
}

/* ---- kernels one column wide -------------------------------------------------------------- */

/* Whether each window is one column within the row, read once: nothing is worth keeping in scratch. From two
 * rows on, weights of the first three channels of a group can be loaded beyond their own. */
static int is_tall(const struct mote_depthwise_job *d) {
  return d->kernel_w == 1 && d->multiplier == 1 && d->kernel_h >= 2 && d->pad_left == 0 &&
         (d->out_w - 1) * d->stride_w < d->in_w;
}

/* Adds the windows of four channels to sums: `at` is where they begin in a row, w their weights. Rows that are
 * not there are 0, whatever weights they meet. */
static __attribute__((noinline)) void tall_sums(const struct mote_depthwise_job *d, int32_t at,
                                                const int8_t *w, int32_t *sums) {
  const uint32_t minus = both(-d->in_zp), nothing = zero_points(d);
  const int32_t h = d->kernel_h;
  const void *const *rows = d->rows;
  int32_t a = sums[0], b = sums[1], c = sums[2], e = sums[3];
  for (int32_t left = h; left > 0; left -= 4, w += 4, rows += 4) {
    const int8_t *third = w + 2 * h, *fourth = third + h;
    uint32_t x = load_lanes(rows, 0, left, at, 4, nothing),
             y = load_lanes(rows, 2, left, at, 4, nothing);
    uint32_t xe = even_add(minus, x), ye = even_add(minus, y), xo = odd_add(minus, x),
             yo = odd_add(minus, y);
    const uint32_t p = load(w), q = load(w + h), r = load(third),
                   s = left >= 4 ? load(fourth) : last_weights(fourth, left, 4);
    a = smlad(even(p), bottoms(xe, ye), a);
    b = smlad(even(q), bottoms(xo, yo), b);
    c = smlad(even(r), tops(xe, ye), c);
    e = smlad(even(s), tops(xo, yo), e);
    if (left == 1) break;
    x = load_lanes(rows, 1, left, at, 4, nothing);
    y = load_lanes(rows, 3, left, at, 4, nothing);
    xe = even_add(minus, x), ye = even_add(minus, y);
    xo = odd_add(minus, x), yo = odd_add(minus, y);
    a = smlad(odd(p), bottoms(xe, ye), a);
    b = smlad(odd(q), bottoms(xo, yo), b);
    c = smlad(odd(r), tops(xe, ye), c);
    e = smlad(odd(s), tops(xo, yo), e);
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = e;
}

/* All whole groups of four channels. */
static __attribute__((noinline)) void tall(const struct mote_depthwise_job *d) {
  int32_t sums[4];
  for (int32_t x = 0; x < d->out_w; x++) {
    int8_t *out = d->out + x * d->in_c;
    const int8_t *w = d->weights;
    for (int32_t c = 0; c + 4 <= d->in_c; c += 4, w += 4 * d->kernel_h) {
      for (int32_t i = 0; i < 4; i++)
        sums[i] = mote_channel_bias(d->output, d->params, (uint32_t)(c + i));
      tall_sums(d, x * d->stride_w * d->in_c + c, w, sums);
      mote_dsp_channels(d->output, d->params, (uint32_t)c, sums, 4, out + c);
    }
  }
}

void mote_isa_depthwise__dsp(const struct mote_depthwise_job *d) {
  const int three = d->kernel_w == 3 && d->kernel_h == 3 && d->dilation_w == 1 && d->in_c >= 4;
  int32_t c = 0;
  if (is_tall(d)) {
    tall(d);
    c = d->in_c & ~3;
    if (c == d->in_c) return;
  }
  struct strip s;
  s.outer = s.middle = 0;
  if (three_rows(d)) strip_rows(d, &s);
  for (int32_t x = 0; x < d->out_w; x += d->strip_w) {
    const int32_t n = d->out_w - x < d->strip_w ? d->out_w - x : d->strip_w;
    const int32_t wide = (n - 1) * d->stride_w + (d->kernel_w - 1) * d->dilation_w + 1;
    strip_place(d, x * d->stride_w - d->pad_left, wide, &s);
    int8_t *out = d->out + x * d->in_c * d->multiplier;
    if (three)
      strip3(d, &s, (uint32_t)n, out);
    else
      strip_any(d, &s, c, n, out);
  }
}

#else
typedef int mote_isa_dsp_depthwise_is_empty; /* C wants a declaration in every file */
#endif
