/* dsp_depthwise: depthwise convolution for Cortex-M with the DSP extension.
 *
 * Four channels at a time, the columns under a strip of output pixels are transposed into scratch, so that
 * rows of one channel and column stand side by side for SMLAD:
 *   scratch: [column][4 channels][ceil(height / 2) words], a word two rows.
 * For the height of 3 the words are rows (0, 2) and (1, 1), because SXTB16 widens weights to those pairs.
 *
 * 3x3 windows have assembly loops. Five registers hold the nine weights; with stride 1, P neighbouring
 * pixels share their columns, so P outputs are P + 2 LDRD and 6 P multiplications (9 MAC in 6 instructions).
 * Any other kernel takes the loop in C. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* ---- transposition ------------------------------------------------------------------ */

/* Four channels (or the n that are left) of a row's column, widened; nothing where the row is missing. */
struct pair4 {
  uint32_t even, odd;
};
static inline struct pair4 load4(const void *row, int32_t at, int32_t n, uint32_t minus) {
  struct pair4 p = {0, 0};
  if (row) {
    const int8_t *from = (const int8_t *)row + at;
    const uint32_t x = n >= 4 ? load(from) : load_part(from, (uint32_t)n);
    p.even = even_add(minus, x);
    p.odd = odd_add(minus, x);
  }
  return p;
}

/* Rows a and b of four channels to words `step` apart. */
static inline void transpose(uint32_t *to, uint32_t step, struct pair4 a, struct pair4 b) {
  to[0] = bottoms(a.even, b.even);
  to[step] = bottoms(a.odd, b.odd);
  to[2 * step] = tops(a.even, b.even);
  to[3 * step] = tops(a.odd, b.odd);
}

/* One column of any height. */
static void transpose_any(const struct mote_depthwise_job *d, int32_t at, int32_t n, uint32_t *to) {
  const uint32_t minus = both(-d->in_zp), step = (uint32_t)(d->kernel_h + 1) / 2;
  const void *const *rows = d->rows;
  const struct pair4 nothing = {0, 0};
  if (d->kernel_h == 3) {
    const struct pair4 middle = load4(rows[1], at, n, minus);
    transpose(to, 2, load4(rows[0], at, n, minus), load4(rows[2], at, n, minus));
    transpose(to + 1, 2, middle, middle);
    return;
  }
  for (int32_t i = 0; i < d->kernel_h; i += 2, to++)
    transpose(to, step, load4(rows[i], at, n, minus),
              i + 1 < d->kernel_h ? load4(rows[i + 1], at, n, minus) : nothing);
}

/* `columns` whole columns of three rows that exist, four channels. */
static uint32_t *transpose3(const struct mote_depthwise_job *d, int32_t at, int32_t columns,
                            uint32_t *to) {
  const int8_t *a = (const int8_t *)d->rows[0] + at, *b = (const int8_t *)d->rows[1] + at,
               *c = (const int8_t *)d->rows[2] + at;
  const uint32_t minus = both(-d->in_zp);
  const int32_t in_c = d->in_c;
  for (uint32_t *end = to + 8 * columns; to != end; to += 8) {
    const uint32_t x = load(a), y = load(b), z = load(c);
    const uint32_t xe = even_add(minus, x), xo = odd_add(minus, x);
    const uint32_t ze = even_add(minus, z), zo = odd_add(minus, z);
    const uint32_t ye = even_add(minus, y), yo = odd_add(minus, y);
    to[0] = bottoms(xe, ze);
    to[1] = ye;
    to[2] = bottoms(xo, zo);
    to[3] = yo;
    to[4] = tops(xe, ze);
    to[5] = ye >> 16;
    to[6] = tops(xo, zo);
    to[7] = yo >> 16;
    a += in_c;
    b += in_c;
    c += in_c;
  }
  return to;
}

static uint32_t *clear(uint32_t *to, int32_t words) {
  for (; words > 0; words -= 4, to += 4) to[0] = to[1] = to[2] = to[3] = 0;
  return to;
}

/* Columns x .. x + columns - 1 of channels c .. c + 3; those outside the row are 0. */
static void transpose_columns(const struct mote_depthwise_job *d, int32_t x, int32_t columns,
                              int32_t c) {
  const int32_t words = 4 * ((d->kernel_h + 1) / 2), n = d->in_c - c;
  const int32_t left = x >= 0 ? 0 : -x < columns ? -x : columns;
  int32_t inside = d->in_w - (x + left);
  if (inside > columns - left) inside = columns - left;
  if (inside < 0) inside = 0;
  uint32_t *to = clear((uint32_t *)d->scratch, left * words);
  int32_t at = (x + left) * d->in_c + c;
  if (d->kernel_h == 3 && n >= 4 && d->rows[0] && d->rows[1] && d->rows[2]) {
    to = transpose3(d, at, inside, to);
  } else {
    for (int32_t i = 0; i < inside; i++, at += d->in_c, to += words) transpose_any(d, at, n, to);
  }
  clear(to, (columns - left - inside) * words);
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

        /* The bias waits in the last sum. */
        ".macro mote_depthwise name, pixels, last\n"
        "  mote_function \\name\n"
        "  push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  sub sp, sp, #4\n"
        "1:\n"
        "  mote_weights3\n"
        "  mote_bias \\last\n"
        "  ldr r1, [r0, #4]\n"
        "  ldr r2, [r0, #84]\n"
        "  add r2, r2, r1\n"
        "  str r2, [r0, #4]\n"
        "  ldrd r2, r3, [r1]\n"
        "  mote_first r4, \\last\n"
        "  ldrd r2, r3, [r1, #32]\n"
        "  mote_first r5, \\last\n"
        "  mote_second r4\n"
        "  ldrd r2, r3, [r1, #64]\n"
        "  mote_first r6, \\last\n"
        "  mote_second r5\n"
        "  mote_third r4\n"
        "  ldrd r2, r3, [r1, #96]\n"
        "  mote_first r7, \\last\n"
        "  mote_second r6\n"
        "  mote_third r5\n"
        "  ldrd r2, r3, [r1, #128]\n"
        "  .if \\pixels == 5\n"
        "    mote_first r8, r8\n"
        "  .endif\n"
        "  mote_second r7\n"
        "  mote_third r6\n"
        "  ldrd r2, r3, [r1, #160]\n"
        "  .if \\pixels == 5\n"
        "    mote_second r8\n"
        "  .endif\n"
        "  mote_third r7\n"
        "  .if \\pixels == 5\n"
        "    ldrd r2, r3, [r1, #192]\n"
        "    mote_third r8\n"
        "  .endif\n"
        "  mote_outputs \\pixels\n"
        "  ldr r1, [r0, #56]\n"
        "  cmp r10, r1\n"
        "  bne 1b\n"
        "  add sp, sp, #4\n"
        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size \\name, . - \\name\n"
        ".endm\n"
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

void mote_dsp_depthwise4(struct dsp_frame *f);
void mote_dsp_depthwise5(struct dsp_frame *f);
void mote_dsp_depthwise(struct dsp_frame *f);

/* Pixels of the next block: fives, or fours where they come out even. */
static int32_t block_of(int32_t left) {
  if (left < 4) return left;
  const int32_t fours = 5 - left % 5;
  if (fours != 5 && 4 * fours <= left) return 4;
  return left < 5 ? left : 5;
}

/* `channels` output channels from oc on over n pixels; `columns` is the first channel's, the next channel's
 * lie values_step bytes on. */
static void run3(const struct mote_depthwise_job *d, const uint32_t *columns, uint32_t oc,
                 uint32_t channels, uint32_t values_step, int32_t n, int8_t *out,
                 uint32_t out_step) {
  struct dsp_frame f;
  const uint32_t column_step = 32 * (uint32_t)d->stride_w;
  f.out_step = out_step;
  f.values_step = values_step;
  f.column_step = column_step;
  while (n) {
    const int32_t pixels = d->stride_w == 1 ? block_of(n) : n;
    mote_dsp_frame_output(&f, d->output, d->params, oc);
    f.weights = d->weights + 9 * (size_t)oc;
    f.values = columns;
    f.values_end = columns + (size_t)pixels * column_step / 4;
    f.out = out;
    f.out_end = out + channels;
    if (d->stride_w == 1 && pixels == 5)
      mote_dsp_depthwise5(&f);
    else if (d->stride_w == 1 && pixels == 4)
      mote_dsp_depthwise4(&f);
    else
      mote_dsp_depthwise(&f);
    n -= pixels;
    columns += (size_t)pixels * column_step / 4;
    out += (size_t)pixels * out_step;
  }
}

/* ---- any kernel -------------------------------------------------------------------------- */

/* Weights are widened to the same words as the columns first. */
static void run_any(const struct mote_depthwise_job *d, const uint32_t *columns, uint32_t *weights,
                    uint32_t oc, int32_t n, int8_t *out, uint32_t out_step) {
  const int32_t half = (d->kernel_h + 1) / 2;
  const int8_t *w = d->weights + (size_t)oc * (size_t)(d->kernel_w * d->kernel_h);
  const int32_t bias = mote_channel_bias(d->output, d->params, oc);
  uint32_t *to = weights;
  for (int32_t j = 0; j < d->kernel_w; j++, w += d->kernel_h) {
    if (d->kernel_h == 3) {
      *to++ = ((uint32_t)w[0] & 0xFFFF) | (uint32_t)w[2] << 16;
      *to++ = (uint32_t)w[1] & 0xFFFF;
      continue;
    }
    for (int32_t i = 0; i < d->kernel_h; i += 2)
      *to++ = ((uint32_t)w[i] & 0xFFFF) | (i + 1 < d->kernel_h ? (uint32_t)w[i + 1] << 16 : 0);
  }
  const int32_t next = 4 * half * d->dilation_w;
  for (; n; n--, columns += 4 * half * d->stride_w, out += out_step) {
    const uint32_t *k = weights, *from = columns;
    int32_t s = bias;
    for (int32_t j = d->kernel_w; j; j--, from += next)
      for (const uint32_t *v = from, *end = from + half; v != end; v++) s = smlad(*k++, *v, s);
    *out = mote_dsp_output(d->output, d->params, oc, s);
  }
}

void mote_isa_depthwise__dsp(const struct mote_depthwise_job *d) {
  const struct mote_output *o = d->output;
  const int three = d->kernel_w == 3 && d->kernel_h == 3 && d->dilation_w == 1 && !o->wide &&
                    o->low == -128 && o->high == 127;
  const uint32_t half = (uint32_t)(d->kernel_h + 1) / 2,
                 out_c = (uint32_t)(d->in_c * d->multiplier);
  const uint32_t multiplier = (uint32_t)d->multiplier;
  uint32_t *columns = (uint32_t *)d->scratch;
  for (int32_t x = 0; x < d->out_w; x += d->strip_w) {
    const int32_t n = d->out_w - x < d->strip_w ? d->out_w - x : d->strip_w;
    const int32_t wide = (n - 1) * d->stride_w + (d->kernel_w - 1) * d->dilation_w + 1;
    uint32_t *weights = columns + 4 * half * (uint32_t)wide;
    int8_t *out = d->out + (size_t)x * out_c;
    uint32_t oc = 0;
    for (int32_t c = 0; c < d->in_c; c += 4) {
      const uint32_t group = d->in_c - c < 4 ? (uint32_t)(d->in_c - c) : 4;
      transpose_columns(d, x * d->stride_w - d->pad_left, wide, c);
      if (three && multiplier == 1) {
        run3(d, columns, oc, group, 8, n, out + oc, out_c);
        oc += group;
        continue;
      }
      for (uint32_t i = 0; i < group; i++, oc += multiplier) {
        if (three)
          run3(d, columns + 2 * i, oc, multiplier, 0, n, out + oc, out_c);
        else
          for (uint32_t m = 0; m < multiplier; m++)
            run_any(d, columns + half * i, weights, oc + m, n, out + oc + m, out_c);
      }
    }
  }
}

#else
typedef int mote_isa_dsp_depthwise_is_empty; /* C wants a declaration in every file */
#endif
