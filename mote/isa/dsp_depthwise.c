/* dsp_depthwise: depthwise convolution for Cortex-M with the DSP extension.
 *
 * Four channels at a time, the columns under a strip of output pixels are transposed into scratch, so that
 * rows of one channel and column stand side by side for SMLAD:
 *   scratch: [column][channel][words], a word two rows: of each four rows (0, 2) and (1, 3), because
 *   SXTB16 widens a column's weights to those pairs.
 *
 * 3x3 windows have an assembly loop. Five registers hold the nine weights; with stride 1, P neighbouring
 * pixels share their columns, so P outputs are P + 2 LDRD and 6 P multiplications (9 MAC in 6 instructions).
 * Kernels one column wide share nothing between pixels: they read the rows as they are, four channels at a
 * time, without scratch. Any other kernel takes the loop in C, two pixels at a time. */
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

/* `columns` (at least 1) columns of three rows, four whole channels: what transpose_any does, in 22
 * instructions a column. The eight words of a column are r4..r11, stored at once. */
static void transpose3(const struct mote_depthwise_conv2d_s8 *p, const int8_t *a, const int8_t *b,
                       const int8_t *c, int32_t columns, uint32_t *to) {
  register const int8_t *r0 __asm__("r0") = a;
  register const int8_t *r1 __asm__("r1") = b;
  register const int8_t *r2 __asm__("r2") = c;
  register int32_t r3 __asm__("r3") = p->in_c;
  register uint32_t *ip __asm__("ip") = to;
  register uint32_t lr __asm__("lr") = both(-p->output.in_zp);
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

/* Transposes the strip's columns of channels c .. c + 3: rows 0 2 1 and what no weight meets. A missing row is read
 * as another, then made zero. */
static __attribute__((noinline)) void transpose_three(const struct mote_depthwise_conv2d_s8 *p,
                                                      const void *const *rows,
                                                      const struct strip *s, int32_t c) {
  const int8_t *any = (const int8_t *)(rows[1] ? rows[1] : rows[0] ? rows[0] : rows[2]);
  const int32_t at = s->first * p->in_c + c;
  const int16_t *end = (const int16_t *)(s->to + 8 * s->inside);
  if (s->inside == 0) return;
  if (any)
    transpose3(p, (const int8_t *)(rows[0] ? rows[0] : any) + at, any + at,
               (const int8_t *)(rows[2] ? rows[2] : any) + at, s->inside, s->to);
  for (uint32_t i = 0; i < 3; i++) {
    if (rows[i]) continue;
    for (int16_t *to = (int16_t *)s->to + (i ? 3 - i : 0); to < end; to += 4) *to = 0;
  }
}

/* Weights: r9 r10 r11 = rows (0, 2) of kernel columns 0 1 2, ip = row 1 of columns 0 and 1, lr = row 1 of column
 * 2 in the top half. They lie column after column: bytes 0..3 give column 0, 3..6 column 1, and 5..8 column 2
 * (with 5 instead of 6, nothing beyond the nine is read).
 *
 * Stride 1: a column goes to the sums of the three pixels that it belongs to; fewer pixels enter where the
 * first of them begins, and the sums before it take what does not matter. Other strides: a pixel after the
 * other, from the pixel that is first on, `column_step` apart. The table: entries of 5..1 pixels, both ways. */
__asm__(MOTE_DSP_MACROS
        ".macro mote_first s\n"
        "  smlad \\s, r9, r2, \\s\n"
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
        ".macro mote_pixel s\n"
        "  ldrd r2, r3, [r1]\n"
        "  mote_first \\s\n"
        "  ldrd r2, r3, [r1, #32]\n"
        "  mote_second \\s\n"
        "  ldrd r2, r3, [r1, #64]\n"
        "  mote_third \\s\n"
        "  add r1, r1, r0\n"
        ".endm\n"
        "mote_function mote_dsp_windows3\n"
        "  ldr r1, [r0]\n"
        "  ldr r2, [r1]\n"
        "  ldr r3, [r1, #3]\n"
        "  ldr lr, [r1, #5]\n"
        "  adds r1, r1, #9\n"
        "  str r1, [r0]\n"
        "  sxtb16 r9, r2\n"
        "  sxtb16 r2, r2, ror #8\n"
        "  sxtb16 r10, r3\n"
        "  sxtb16 r3, r3, ror #8\n"
        "  pkhbt ip, r2, r3, lsl #16\n"
        "  sxtb16 r11, lr, ror #8\n"
        "  sxtb16 lr, lr\n"
        "  ldr r1, [r0, #4]\n"
        "  ldrd r2, r3, [r0, #52]\n"
        "  add r2, r2, r1\n"
        "  str r2, [r0, #4]\n"
        "  ldr r2, [r0, #48]\n"
        "  mov r0, r3\n"
        "  tbb [pc, r2]\n"
        "2:\n"
        "  .byte (3f - 2b) / 2, (4f - 2b) / 2, (5f - 2b) / 2, (6f - 2b) / 2, (7f - 2b) / 2\n"
        "  .byte (13f - 2b) / 2, (14f - 2b) / 2, (15f - 2b) / 2, (16f - 2b) / 2, (17f - 2b) / 2\n"
        "3:\n"
        "  ldrd r2, r3, [r1]\n"
        "  mote_first r4\n"
        "4:\n"
        "  ldrd r2, r3, [r1, #32]\n"
        "  mote_first r5\n"
        "  mote_second r4\n"
        "5:\n"
        "  ldrd r2, r3, [r1, #64]\n"
        "  mote_first r6\n"
        "  mote_second r5\n"
        "  mote_third r4\n"
        "6:\n"
        "  ldrd r2, r3, [r1, #96]\n"
        "  mote_first r7\n"
        "  mote_second r6\n"
        "  mote_third r5\n"
        "7:\n"
        "  ldrd r2, r3, [r1, #128]\n"
        "  mote_first r8\n"
        "  mote_second r7\n"
        "  mote_third r6\n"
        "  ldrd r2, r3, [r1, #160]\n"
        "  mote_second r8\n"
        "  mote_third r7\n"
        "  ldrd r2, r3, [r1, #192]\n"
        "  mote_third r8\n"
        "  b mote_dsp_sums\n"
        "13:\n"
        "  mote_pixel r4\n"
        "14:\n"
        "  mote_pixel r5\n"
        "15:\n"
        "  mote_pixel r6\n"
        "16:\n"
        "  mote_pixel r7\n"
        "17:\n"
        "  mote_pixel r8\n"
        "  b mote_dsp_sums\n"
        "  .size mote_dsp_windows3, . - mote_dsp_windows3\n"
        ".text\n");
void mote_dsp_windows3(void);

/* Output channels oc .. oc + channels - 1 over n pixels. */
static __attribute__((noinline)) void run3(struct dsp_frame *f, const uint32_t *columns,
                                           uint32_t oc, uint32_t channels, uint32_t n,
                                           int8_t *out) {
  const uint32_t general = mote_dsp_constants(&f->next, f->output, oc);
  const struct mote_depthwise_conv2d_s8 *p = (const void *)f->output;
  const int8_t *const weights = (const int8_t *)mote_at(p, p->weights_at) + 9 * oc, *const bias =
                                                                                        f->next
                                                                                            .bias;
  const uint32_t *const words = f->next.words;
  for (;;) {
    const uint32_t some = mote_block_of(n, MOTE_CONV_BLOCK);
    f->weights = weights;
    f->entry = MOTE_CONV_BLOCK - some;
    f->values = columns;
    if (f->skip != 32)
      f->entry += MOTE_CONV_BLOCK;
    else /* the columns of the sums before are not read */
      f->values = (const void *)((uintptr_t)columns - 32 * f->entry);
    dsp_block(f, oc, channels, some, out, general);
    n -= some;
    if (n == 0) return;
    f->next.bias = bias;
    f->next.words = words;
    columns += some * (f->skip / 4);
    out += some * f->out_step;
  }
}

/* A call; groups of four channels. */
void mote_isa_depthwise_3x3__dsp(const void *params, const void *const *rows, void *state,
                                 void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t m = p->multiplier;
  int8_t *to = (int8_t *)out;
  struct dsp_frame f;
  f.output = &p->output;
  f.body = mote_dsp_windows3;
  f.out_step = p->in_c * m;
  f.run = m == 1 ? 8 : 0;
  f.skip = 32u * p->stride_w;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (int32_t x = 0, n; x < p->out_w; x += n) {
      n = (int32_t)mote_block_of((uint32_t)(p->out_w - x), p->strip_w);
      const struct strip s = strip_at(p, x, n, 8, (uint32_t *)state);
      for (int32_t c = 0; c < p->in_c;) {
        /* What is left over is found among the last four. */
        const int32_t group = c > p->in_c - 4 ? p->in_c - 4 : c, end = group + 4;
        transpose_three(p, rows, &s, group);
        /* Four channels at once, or the outputs of one after the other. */
        while (c < end) {
          const uint32_t channels = m == 1 ? (uint32_t)(end - c) : m, oc = (uint32_t)c * m;
          run3(&f, (const uint32_t *)state + 2 * (c - group), oc, channels, (uint32_t)n, to + oc);
          c += m == 1 ? end - c : 1;
        }
      }
      to += (uint32_t)n * f.out_step;
    }
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

/* ---- kernels one column wide -------------------------------------------------------------- */

/* Adds the windows of four channels to sums: `at` is where they begin in a row, w their weights. Rows that are
 * not there are 0, whatever weights they meet. */
static __attribute__((noinline)) void tall_sums(const struct mote_depthwise_conv2d_s8 *p,
                                                const void *const *rows, int32_t at,
                                                const int8_t *w, int32_t *sums) {
  const uint32_t minus = both(-p->output.in_zp), nothing = zero_points(p);
  const int32_t h = p->kernel_h;
  int32_t a = sums[0], b = sums[1], c = sums[2], e = sums[3];
  for (int32_t left = h; left > 0; left -= 4, w += 4, rows += 4) {
    const int8_t *third = w + 2 * h, *fourth = third + h;
    uint32_t x = load_lanes(rows, 0, left, at, 4, nothing),
             y = load_lanes(rows, 2, left, at, 4, nothing);
    uint32_t xe = even_add(minus, x), ye = even_add(minus, y), xo = odd_add(minus, x),
             yo = odd_add(minus, y);
    const uint32_t k = load(w), q = load(w + h), r = load(third),
                   s = left >= 4 ? load(fourth) : last_weights(fourth, left, 4);
    a = smlad(even(k), bottoms(xe, ye), a);
    b = smlad(even(q), bottoms(xo, yo), b);
    c = smlad(even(r), tops(xe, ye), c);
    e = smlad(even(s), tops(xo, yo), e);
    if (left == 1) break;
    x = load_lanes(rows, 1, left, at, 4, nothing);
    y = load_lanes(rows, 3, left, at, 4, nothing);
    xe = even_add(minus, x), ye = even_add(minus, y);
    xo = odd_add(minus, x), yo = odd_add(minus, y);
    a = smlad(odd(k), bottoms(xe, ye), a);
    b = smlad(odd(q), bottoms(xo, yo), b);
    c = smlad(odd(r), tops(xe, ye), c);
    e = smlad(odd(s), tops(xo, yo), e);
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = e;
}

/* Outputs of n channels of one pixel by the short way; words are the first one's. */
static inline void outputs(const struct dsp_constants *k, const uint32_t *words,
                           const int32_t *sums, int32_t n, int8_t *out) {
  for (; n; n--, sums++) {
    const uint32_t word = *words++;
    const int32_t less = (int32_t)(word & 3) + k->less_shift;
    const int32_t multiplier = (int32_t)(word >> 2 | (uint32_t)1 << 30);
    const int32_t nudge = (int32_t)((uint32_t)k->zp_word << less) + (*sums >> 31);
    const int32_t doubled = (int32_t)((uint32_t)*sums << 1);
    *out++ = saturate(smmlar(doubled, multiplier, nudge) >> (less + 1));
  }
}

void mote_isa_depthwise_tall__dsp(const void *params, const void *const *rows, void *state,
                                  void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  int8_t *to = (int8_t *)out;
  struct dsp_constants k;
  const uint32_t general = mote_dsp_constants(&k, &p->output, 0);
  (void)state;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (int32_t x = 0; x < p->out_w; x++, to += p->in_c) {
      for (int32_t c = 0, end; c < p->in_c; c = end) {
        /* What is left over is found among the last four. */
        const int32_t group = c > p->in_c - 4 ? p->in_c - 4 : c;
        int32_t sums[4];
        end = group + 4;
        for (int32_t i = 0; i < 4; i++)
          sums[i] = mote_channel_bias(&p->output, (uint32_t)(group + i));
        tall_sums(p, rows, x * p->stride_w * p->in_c + group, weights + group * p->kernel_h, sums);
        if (general == 0) outputs(&k, k.words + c, sums + (c - group), end - c, to + c);
        for (; c < end && general; c++)
          mote_dsp_outputs(&p->output, (uint32_t)c, &sums[c - group], 1, to + c, 1);
      }
    }
  }
}

#else
typedef int mote_isa_dsp_depthwise_is_empty; /* C wants a declaration in every file */
#endif
