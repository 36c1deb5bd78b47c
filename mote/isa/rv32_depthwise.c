/* rv32_depthwise: depthwise convolutions on RV32IM, from the rows where they lie: byte loads extend the sign, so there is
 * nothing to widen or to transpose, and the strip of the other chips is not made. The state holds one channel's sums.
 *
 * Activations stay as they are. What the zero point adds to a sum, zp * (sum of weights), is taken off the bias; a tap
 * outside of the row counts as the zero point, one in a missing row has the weight 0.
 *
 * Sums wrap, as everywhere: a hostile plan's may be any. */
#include "mote/isa/rv32.h"

#if MOTE_ISA_RV32

/* n outputs from their sums, which are biased. */
static inline __attribute__((always_inline)) void put_as(const struct rv32_channel *channel,
                                                         const struct mote_output *o,
                                                         const uint32_t *sums, uint32_t n,
                                                         int8_t *out, uint32_t step, int clamped) {
  struct rv32_channel ch = *channel;
  const int32_t low = o->low, high = o->high;
  ch.bias = 0;
  for (const uint32_t *const end = sums + n; sums != end; out += step)
    rv32_output(&ch, *sums++, low, high, clamped, out);
}

/* n outputs of channel c, of `weights` weights each. */
static __attribute__((noinline)) void put(const struct mote_output *o, size_t c, uint32_t weights,
                                          const uint32_t *sums, uint32_t n, int8_t *out,
                                          uint32_t step) {
  struct rv32_channel ch;
  if (rv32_channel_of(o, c, weights, 0, &ch)) {
    if (o->low >= o->zp)
      put_as(&ch, o, sums, n, out, step, 1);
    else
      put_as(&ch, o, sums, n, out, step, 0);
  } else {
    const struct mote_channel any = mote_channel_at(o, c);
    for (; n; n--, out += step) *out = mote_output_of(o, &any, (int32_t)*sums++);
  }
}

/* ---- 3x3 ------------------------------------------------------------------------------ */

/* The value at a distance of addresses: rows lie in different places. */
#define AT(p, distance) (*(const int8_t *)((uintptr_t)(p) + (distance)))

/* Where the three rows are, and the weights with those of missing rows 0. */
struct nine {
  const int8_t *at;
  uintptr_t second, third; /* the other rows, from the first on */
  int32_t k[9];            /* column by column */
  uint32_t
      outside[3]; /* what a column outside of the row adds as the window's first, second, third */
};

/* Windows one column apart: what the assembly is given, which knows the offsets. */
struct slide {
  const int8_t *at;             /*  0: the first column within the row, in the first row */
  uintptr_t second, third;      /*  4: the other rows, from there on */
  uint32_t step;                /* 12: bytes from column to column */
  uint32_t *sums;               /* 16 */
  uint32_t bias;                /* 20 */
  const int8_t *weights;        /* 24 */
  int32_t zp;                   /* 28 */
  uint32_t left, inside, right; /* 32: columns outside of the row, within it, outside again */
};
typedef char slide_layout[sizeof(struct slide) == 44 ? 1 : -1];

/* A column is three loads, nine multiplications and additions: it is the last of the window whose sum is in t0, the middle
 * of that in t1, the first of that in t2, and the three change places from column to column. The sums of the first two
 * columns are those of windows that begin further left. s0..s8 the weights, s9..s11 what columns outside add. */
__asm__(".macro mote_column a, b, c, at\n"
        "  lb t3, 0(a0)\n"
        "  mul t4, s6, t3\n"
        "  add \\a, \\a, t4\n"
        "  mul t4, s3, t3\n"
        "  add \\b, \\b, t4\n"
        "  mul \\c, s0, t3\n"
        "  add \\c, \\c, a5\n"
        "  add t5, a0, a1\n"
        "  lb t3, 0(t5)\n"
        "  mul t4, s7, t3\n"
        "  add \\a, \\a, t4\n"
        "  mul t4, s4, t3\n"
        "  add \\b, \\b, t4\n"
        "  mul t4, s1, t3\n"
        "  add \\c, \\c, t4\n"
        "  add t5, a0, a2\n"
        "  lb t3, 0(t5)\n"
        "  mul t4, s8, t3\n"
        "  add \\a, \\a, t4\n"
        "  mul t4, s5, t3\n"
        "  add \\b, \\b, t4\n"
        "  mul t4, s2, t3\n"
        "  add \\c, \\c, t4\n"
        "  add a0, a0, a3\n"
        "  sw \\a, \\at(a4)\n"
        ".endm\n"
        ".macro mote_outside count\n"
        "  lw a6, \\count(a7)\n"
        "  beqz a6, 2f\n"
        "1:\n"
        "  add t3, t0, s11\n"
        "  sw t3, 0(a4)\n"
        "  addi a4, a4, 4\n"
        "  add t0, t1, s10\n"
        "  add t1, a5, s9\n"
        "  addi a6, a6, -1\n"
        "  bnez a6, 1b\n"
        "2:\n"
        ".endm\n"
        "  .section .text.mote_rv32_slide, \"ax\", @progbits\n"
        "  .balign 4\n"
        "  .global mote_rv32_slide\n"
        "  .type mote_rv32_slide, @function\n"
        "mote_rv32_slide:\n"
        "  addi sp, sp, -48\n"
        "  sw s0, 0(sp)\n"
        "  sw s1, 4(sp)\n"
        "  sw s2, 8(sp)\n"
        "  sw s3, 12(sp)\n"
        "  sw s4, 16(sp)\n"
        "  sw s5, 20(sp)\n"
        "  sw s6, 24(sp)\n"
        "  sw s7, 28(sp)\n"
        "  sw s8, 32(sp)\n"
        "  sw s9, 36(sp)\n"
        "  sw s10, 40(sp)\n"
        "  sw s11, 44(sp)\n"
        "  mv a7, a0\n"
        "  lw t6, 24(a7)\n"
        "  lb s0, 0(t6)\n"
        "  lb s1, 1(t6)\n"
        "  lb s2, 2(t6)\n"
        "  lb s3, 3(t6)\n"
        "  lb s4, 4(t6)\n"
        "  lb s5, 5(t6)\n"
        "  lb s6, 6(t6)\n"
        "  lb s7, 7(t6)\n"
        "  lb s8, 8(t6)\n"
        "  lw a0, 0(a7)\n"
        "  lw a1, 4(a7)\n"
        "  lw a2, 8(a7)\n"
        "  lw a3, 12(a7)\n"
        "  lw a4, 16(a7)\n"
        "  lw a5, 20(a7)\n"
        "  lw t6, 28(a7)\n"
        "  add t3, s0, s1\n"
        "  add t3, t3, s2\n"
        "  mul s9, t3, t6\n"
        "  add t3, s3, s4\n"
        "  add t3, t3, s5\n"
        "  mul s10, t3, t6\n"
        "  add t3, s6, s7\n"
        "  add t3, t3, s8\n"
        "  mul s11, t3, t6\n"
        "  add t3, s9, s10\n"
        "  add t3, t3, s11\n"
        "  sub a5, a5, t3\n"
        "  li t0, 0\n"
        "  li t1, 0\n"
        "  li t6, 3\n"
        "  mote_outside 32\n"
        "  lw a6, 36(a7)\n"
        "  bltu a6, t6, 4f\n"
        "3:\n"
        "  mote_column t0, t1, t2, 0\n"
        "  mote_column t1, t2, t0, 4\n"
        "  mote_column t2, t0, t1, 8\n"
        "  addi a4, a4, 12\n"
        "  addi a6, a6, -3\n"
        "  bgeu a6, t6, 3b\n"
        "4:\n"
        "  beqz a6, 6f\n"
        "5:\n"
        "  mote_column t0, t1, t2, 0\n"
        "  mv t0, t1\n"
        "  mv t1, t2\n"
        "  addi a4, a4, 4\n"
        "  addi a6, a6, -1\n"
        "  bnez a6, 5b\n"
        "6:\n"
        "  mote_outside 40\n"
        "  lw s0, 0(sp)\n"
        "  lw s1, 4(sp)\n"
        "  lw s2, 8(sp)\n"
        "  lw s3, 12(sp)\n"
        "  lw s4, 16(sp)\n"
        "  lw s5, 20(sp)\n"
        "  lw s6, 24(sp)\n"
        "  lw s7, 28(sp)\n"
        "  lw s8, 32(sp)\n"
        "  lw s9, 36(sp)\n"
        "  lw s10, 40(sp)\n"
        "  lw s11, 44(sp)\n"
        "  addi sp, sp, 48\n"
        "  ret\n"
        "  .size mote_rv32_slide, . - mote_rv32_slide\n"
        ".text\n");

/* left + inside + right sums; all but the first two are windows'. */
void mote_rv32_slide(const struct slide *s);

/* Sums of n windows `step` bytes apart, all inside the row, whose columns lie `column` apart. */
static void apart(const struct nine *w, uint32_t bias, uint32_t step, uint32_t column, uint32_t n,
                  uint32_t *sums) {
  const int32_t k0 = w->k[0], k1 = w->k[1], k2 = w->k[2], k3 = w->k[3], k4 = w->k[4], k5 = w->k[5],
                k6 = w->k[6], k7 = w->k[7], k8 = w->k[8];
  const int8_t *at = w->at;
  const uintptr_t second = w->second, third = w->third;
  for (const uint32_t *const end = sums + n; sums != end; at += step) {
    const int8_t *from = at;
    uint32_t sum = bias + (uint32_t)(k0 * from[0] + k1 * AT(from, second) + k2 * AT(from, third));
    from += column;
    sum += (uint32_t)(k3 * from[0] + k4 * AT(from, second) + k5 * AT(from, third));
    from += column;
    sum += (uint32_t)(k6 * from[0] + k7 * AT(from, second) + k8 * AT(from, third));
    *sums++ = sum;
  }
}

/* One window at column x, of which some columns lie outside. */
static uint32_t border(const struct nine *w, uint32_t bias, uint32_t in_c, int32_t x,
                       int32_t in_w) {
  uint32_t sum = bias;
  for (int32_t j = 0; j < 3; j++) {
    const int32_t *k = w->k + 3 * j;
    if (x + j < 0 || x + j >= in_w) {
      sum += w->outside[j];
    } else {
      const int8_t *from = w->at + (size_t)(uint32_t)(x + j) * in_c;
      sum += (uint32_t)(k[0] * from[0] + k[1] * AT(from, w->second) + k[2] * AT(from, w->third));
    }
  }
  return sum;
}

/* The rows of the windows; returns 0 where all are missing. */
static int nine_rows(struct nine *w, const void *const *rows) {
  const int8_t *const some = (const int8_t *)(rows[0] ? rows[0] : rows[1] ? rows[1] : rows[2]);
  w->at = some;
  w->second = w->third = 0;
  if (!some) return 0;
  const int8_t *const r0 = rows[0] ? (const int8_t *)rows[0] : some,
                      *const r1 = rows[1] ? (const int8_t *)rows[1] : some,
                      *const r2 = rows[2] ? (const int8_t *)rows[2] : some;
  w->at = r0;
  w->second = (uintptr_t)r1 - (uintptr_t)r0;
  w->third = (uintptr_t)r2 - (uintptr_t)r0;
  return 1;
}

/* The channel's weights; returns its bias without what the zero point adds. */
static uint32_t nine_weights(struct nine *w, const int8_t *k, const void *const *rows, int32_t zp,
                             uint32_t bias) {
  const int32_t k0 = rows[0] ? -1 : 0, k1 = rows[1] ? -1 : 0, k2 = rows[2] ? -1 : 0;
  for (int j = 0; j < 3; j++) {
    const int32_t a = k[3 * j] & k0, b = k[3 * j + 1] & k1, c = k[3 * j + 2] & k2;
    w->k[3 * j] = a;
    w->k[3 * j + 1] = b;
    w->k[3 * j + 2] = c;
    w->outside[j] = (uint32_t)(zp * (a + b + c));
    bias -= w->outside[j];
  }
  return bias;
}

/* n windows of a row from window x on, more than one column apart. */
static void nine_apart(const struct mote_depthwise_conv2d_s8 *p, const struct nine *w,
                       uint32_t bias, int32_t x, int32_t n, uint32_t *sums) {
  const int32_t in_w = p->in_w, in_c = p->in_c;
  int32_t column = x * p->stride_w - p->pad_left, i = 0;
  for (; i < n && column < 0; i++, column += p->stride_w)
    sums[i] = border(w, bias, (uint32_t)in_c, column, in_w);
  const int32_t begin = i;
  struct nine from = *w;
  from.at += (size_t)(uint32_t)column * (uint32_t)in_c;
  for (; i < n && column + 3 <= in_w; i++) column += p->stride_w;
  apart(&from, bias, (uint32_t)in_c * p->stride_w, (uint32_t)in_c, (uint32_t)(i - begin),
        sums + begin);
  for (; i < n; i++, column += p->stride_w) sums[i] = border(w, bias, (uint32_t)in_c, column, in_w);
}

/* What n windows from window x on see, one column apart: columns first .. first + n + 1. */
static void set_slide(const struct mote_depthwise_conv2d_s8 *p, const struct nine *w, int32_t x,
                      int32_t n, struct slide *s) {
  const int32_t first = x - p->pad_left;
  int32_t left = first < 0 ? -first : 0, inside = p->in_w - (first + left);
  if (left > n + 2) left = n + 2;
  if (inside > n + 2 - left) inside = n + 2 - left;
  if (inside < 0) inside = 0;
  s->at = w->at + (size_t)(uint32_t)(first + left) * p->in_c;
  s->second = w->second;
  s->third = w->third;
  s->step = p->in_c;
  s->zp = p->output.in_zp;
  s->left = (uint32_t)left;
  s->inside = (uint32_t)inside;
  s->right = (uint32_t)(n + 2 - left - inside);
}

/* The weights of a channel; those of missing rows are 0 in a copy. */
static const int8_t *present(const void *const *rows, const int8_t *k, int8_t copy[9]) {
  if (rows[0] && rows[1] && rows[2]) return k;
  for (uint32_t i = 0; i < 9; i++) copy[i] = rows[i % 3] ? k[i] : 0;
  return copy;
}

/* All channels of n windows from window x on. */
static void nine_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, int32_t x,
                       int32_t n, uint32_t *sums, int8_t *out) {
  const int8_t *k = (const int8_t *)mote_at(p, p->weights_at);
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  struct slide s;
  struct nine w;
  int8_t copy[9];
  const int any = nine_rows(&w, rows);
  set_slide(p, &w, x, any ? n : 0, &s);
  if (!any) { /* every tap is missing */
    s.left = s.inside = 0;
    s.right = (uint32_t)n + 2;
  }
  s.sums = sums;
  for (uint32_t oc = 0, m = 0; oc < out_c; oc++, k += 9) {
    const uint32_t bias = (uint32_t)mote_channel_bias(&p->output, oc), *from = sums + 2;
    if (p->stride_w == 1 || !any) {
      s.weights = present(rows, k, copy);
      s.bias = bias;
      mote_rv32_slide(&s);
    } else {
      const uint32_t rest = nine_weights(&w, k, rows, p->output.in_zp, bias);
      from = sums;
      nine_apart(p, &w, rest, x, n, sums);
    }
    put(&p->output, oc, 9, from, (uint32_t)n, out + oc, out_c);
    if (++m == p->multiplier) {
      m = 0;
      if (any) w.at++, s.at++;
    }
  }
}

void mote_isa_depthwise_3x3__rv32(const void *params, const void *const *rows, void *state,
                                  void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (int32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      nine_strip(p, rows, x, n, (uint32_t *)state, to);
      to += (size_t)n * p->in_c * p->multiplier;
    }
}

/* ---- kernels of one column --------------------------------------------------------------- */

enum { CHANNELS = 4 };

/* Outputs of n <= 4 channels from c on, at one pixel; column: bytes in front of it in its row. */
static void tall(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, size_t column,
                 uint32_t c, uint32_t n, int8_t *out) {
  const uint32_t h = p->kernel_h;
  const int8_t *w0 = (const int8_t *)mote_at(p, p->weights_at) + (size_t)c * h;
  /* Channels that are not there are the last once more. */
  const uint32_t l1 = n > 1 ? 1 : 0, l2 = n > 2 ? 2 : n - 1, l3 = n > 3 ? 3 : n - 1;
  const int8_t *w1 = w0 + l1 * h, *w2 = w0 + l2 * h, *w3 = w0 + l3 * h;
  const int32_t zp = p->output.in_zp;
  uint32_t sums[CHANNELS], s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (const int8_t *const end = w0 + h; w0 != end; w0++, w1++, w2++, w3++) {
    if (!*rows++) continue;
    const int8_t *from = (const int8_t *)rows[-1] + column + c;
    s0 += (uint32_t)(*w0 * (from[0] - zp));
    s1 += (uint32_t)(*w1 * (from[l1] - zp));
    s2 += (uint32_t)(*w2 * (from[l2] - zp));
    s3 += (uint32_t)(*w3 * (from[l3] - zp));
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
  rv32_put(&p->output, c, h, sums, 0, n, out);
}

void mote_isa_depthwise_tall__rv32(const void *params, const void *const *rows, void *state,
                                   void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0; x < p->out_w; x++)
      for (uint32_t c = 0, n; c < p->in_c; c += n, to += n) {
        n = p->in_c - c < CHANNELS ? p->in_c - c : CHANNELS;
        tall(p, rows, (size_t)x * p->stride_w * p->in_c, c, n, to);
      }
}

/* ---- any kernel --------------------------------------------------------------------------------- */

/* Four windows at once, `step` bytes apart, all their columns inside the row; the first begins at `column` bytes. */
static void four(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, const int8_t *w,
                 size_t column, size_t step, uint32_t bias, uint32_t *sums) {
  const size_t next = (size_t)p->dilation_w * p->in_c;
  uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, weights = 0;
  for (uint32_t j = p->kernel_w; j; j--, column += next)
    for (uint32_t i = 0; i < p->kernel_h; i++, w++) {
      if (!rows[i]) continue;
      const int8_t *from = (const int8_t *)rows[i] + column;
      const int32_t k = *w;
      weights += (uint32_t)k;
      s0 += (uint32_t)(k * *from);
      from += step;
      s1 += (uint32_t)(k * *from);
      from += step;
      s2 += (uint32_t)(k * *from);
      from += step;
      s3 += (uint32_t)(k * *from);
    }
  bias -= (uint32_t)(int32_t)p->output.in_zp * weights;
  sums[0] = bias + s0;
  sums[1] = bias + s1;
  sums[2] = bias + s2;
  sums[3] = bias + s3;
}

/* One window whose first column is `column`, wherever its taps lie; c is the channel. */
static uint32_t any_window(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                           const int8_t *w, int32_t column, uint32_t c, uint32_t sum) {
  const int32_t zp = p->output.in_zp;
  for (uint32_t j = p->kernel_w; j; j--, column += p->dilation_w, w += p->kernel_h) {
    if (column < 0 || column >= p->in_w) continue;
    const size_t at = (size_t)(uint32_t)column * p->in_c + c;
    for (uint32_t i = 0; i < p->kernel_h; i++)
      if (rows[i]) sum += (uint32_t)(w[i] * (((const int8_t *)rows[i])[at] - zp));
  }
  return sum;
}

/* n windows from window x on. */
static void any_sums(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                     const int8_t *w, uint32_t c, int32_t x, int32_t n, uint32_t bias,
                     uint32_t *sums) {
  const int32_t step = p->stride_w, reach = ((int32_t)p->kernel_w - 1) * p->dilation_w;
  int32_t column = x * step - p->pad_left;
  while (n) {
    if (n >= 4 && column >= 0 && column + 3 * step + reach < p->in_w) {
      four(p, rows, w, (size_t)(uint32_t)column * p->in_c + c, (size_t)step * p->in_c, bias, sums);
      sums += 4;
      n -= 4;
      column += 4 * step;
    } else {
      *sums++ = any_window(p, rows, w, column, c, bias);
      n--;
      column += step;
    }
  }
}

void mote_isa_depthwise__rv32(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t area = (uint32_t)p->kernel_w * p->kernel_h,
                 out_c = (uint32_t)p->in_c * p->multiplier;
  if (p->kernel_w == 3 && p->kernel_h == 3 && p->dilation_w == 1) {
    mote_isa_depthwise_3x3__rv32(params, rows, state, out);
    return;
  }
  uint32_t *sums = (uint32_t *)state;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (int32_t x = 0, n; x < p->out_w; x += n, to += (size_t)n * out_c) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      const int8_t *w = (const int8_t *)mote_at(p, p->weights_at);
      for (uint32_t oc = 0, c = 0, m = 0; oc < out_c; oc++, w += area) {
        any_sums(p, rows, w, c, x, n, (uint32_t)mote_channel_bias(&p->output, oc), sums);
        put(&p->output, oc, area, sums, (uint32_t)n, to + oc, out_c);
        if (++m == p->multiplier) {
          m = 0;
          c++;
        }
      }
    }
}

#else
typedef int mote_isa_rv32_depthwise_is_empty; /* C wants a declaration in every file */
#endif
