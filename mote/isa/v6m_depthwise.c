/* v6m_depthwise: depthwise convolutions of 3x3 and of one column on ARMv6-M, from the rows where they lie.
 *
 * 3x3: a value is loaded once for the three windows that it is in. Nine weights do not fit beside the three sums:
 * six lie in r8..r12 and lr, from where a MOV brings them as a load would, three on the stack. A column takes 38
 * instructions with its loop and makes one sum; the sums lie in the state until a channel's are requantised together.
 * Activations stay as they are: what the zero point adds is taken off the bias, a tap outside of the row counts as the
 * zero point, and one in a missing row has the weight 0. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* The assembly knows the offsets. */
struct nine {
  int32_t k[9];            /*  0: column by column */
  const int8_t *at;        /* 36 */
  uintptr_t second, third; /* 40: the other rows, from the first on */
  uint32_t step, column;   /* 48: bytes to the next window, and from column to column */
  const int8_t *end;       /* 56: where `at` ends */
  uint32_t a, b;           /* 60: windows that the columns in front began */
  uint32_t *sums;          /* 68: moves on */
  const int8_t *first;     /* 72: of the first row; not the assembly's from here on */
  uint32_t
      outside[3]; /* what a column outside of the row adds as a window's first, second, third */
};
typedef char nine_layout[sizeof(struct nine) == 88 ? 1 : -1];

/* Stack: 0 k6, 4 k7, 8 k8, 12 step, 16 end, 20 sums, 24 nine. r6, r7: the other rows. */
__asm__(
    ".syntax unified\n"
    ".thumb\n" MOTE_V6M_FRAME ".macro mote_tap sum, weight\n"
    "  mov r2, \\weight\n"
    "  muls r2, r1, r2\n"
    "  adds \\sum, \\sum, r2\n"
    ".endm\n"
    ".macro mote_tap_far sum, weight\n"
    "  ldr r2, [sp, #\\weight]\n"
    "  muls r2, r1, r2\n"
    "  adds \\sum, \\sum, r2\n"
    ".endm\n"
    ".macro mote_column a, b, c, done\n"
    "  ldrb r1, [r0]\n"
    "  sxtb r1, r1\n"
    "  mote_tap_far \\a, 0\n"
    "  mote_tap \\b, r11\n"
    "  mov \\c, r8\n"
    "  muls \\c, r1, \\c\n"
    "  ldrsb r1, [r0, r6]\n"
    "  mote_tap_far \\a, 4\n"
    "  mote_tap \\b, r12\n"
    "  mote_tap \\c, r9\n"
    "  ldrsb r1, [r0, r7]\n"
    "  mote_tap_far \\a, 8\n"
    "  mote_tap \\b, lr\n"
    "  mote_tap \\c, r10\n"
    "  ldr r2, [sp, #12]\n"
    "  adds r0, r0, r2\n"
    "  ldr r2, [sp, #20]\n"
    "  stm r2!, {\\a}\n"
    "  str r2, [sp, #20]\n"
    "  ldr r2, [sp, #16]\n"
    "  cmp r0, r2\n"
    "  beq \\done\n"
    ".endm\n"
    ".macro mote_nine name\n"
    "  mote_enter \\name\n"
    "  sub sp, sp, #28\n"
    "  str r0, [sp, #24]\n"
    "  ldm r0!, {r2, r3, r4, r5, r6, r7}\n"
    "  mov r8, r2\n"
    "  mov r9, r3\n"
    "  mov r10, r4\n"
    "  mov r11, r5\n"
    "  mov r12, r6\n"
    "  mov lr, r7\n"
    "  ldm r0!, {r2, r3, r4}\n"
    "  str r2, [sp, #0]\n"
    "  str r3, [sp, #4]\n"
    "  str r4, [sp, #8]\n"
    "  ldm r0!, {r1, r6, r7}\n"
    "  ldm r0!, {r2, r5}\n"
    "  str r2, [sp, #12]\n"
    "  ldm r0!, {r2, r3, r4}\n"
    "  str r2, [sp, #16]\n"
    "  ldr r2, [r0]\n"
    "  str r2, [sp, #20]\n"
    "  movs r0, r1\n"
    ".endm\n"
    ".macro mote_nine_end name\n"
    "  ldr r2, [sp, #24]\n"
    "  str r3, [r2, #60]\n"
    "  str r4, [r2, #64]\n"
    "  ldr r3, [sp, #20]\n"
    "  str r3, [r2, #68]\n"
    "  add sp, sp, #28\n"
    "  mote_leave \\name\n"
    ".endm\n"
    /* Windows one column apart: r3, r4, r5 in turn are the window that ends, goes on, begins. */
    "mote_nine mote_v6m_slide\n"
    "1:\n"
    "  mote_column r3, r4, r5, 2f\n"
    "  mote_column r4, r5, r3, 3f\n"
    "  mote_column r5, r3, r4, 4f\n"
    "  b 1b\n"
    "2:\n"
    "  movs r3, r4\n"
    "  movs r4, r5\n"
    "  b 4f\n"
    "3:\n"
    "  movs r4, r3\n"
    "  movs r3, r5\n"
    "4:\n"
    "mote_nine_end mote_v6m_slide\n"
    /* Windows apart: r4 the column, r5 to the next. */
    "mote_nine mote_v6m_apart\n"
    "1:\n"
    "  movs r4, r0\n"
    "  ldrb r1, [r4, #0]\n"
    "  sxtb r1, r1\n"
    "  mov r3, r8\n"
    "  muls r3, r1, r3\n"
    "  ldrsb r1, [r4, r6]\n"
    "  mote_tap r3, r9\n"
    "  ldrsb r1, [r4, r7]\n"
    "  mote_tap r3, r10\n"
    "  adds r4, r4, r5\n"
    "  ldrb r1, [r4, #0]\n"
    "  sxtb r1, r1\n"
    "  mote_tap r3, r11\n"
    "  ldrsb r1, [r4, r6]\n"
    "  mote_tap r3, r12\n"
    "  ldrsb r1, [r4, r7]\n"
    "  mote_tap r3, lr\n"
    "  adds r4, r4, r5\n"
    "  ldrb r1, [r4, #0]\n"
    "  sxtb r1, r1\n"
    "  mote_tap_far r3, 0\n"
    "  ldrsb r1, [r4, r6]\n"
    "  mote_tap_far r3, 4\n"
    "  ldrsb r1, [r4, r7]\n"
    "  mote_tap_far r3, 8\n"
    "  ldr r2, [sp, #20]\n"
    "  stm r2!, {r3}\n"
    "  str r2, [sp, #20]\n"
    "  ldr r2, [sp, #12]\n"
    "  adds r0, r0, r2\n"
    "  ldr r2, [sp, #16]\n"
    "  cmp r0, r2\n"
    "  bne 1b\n"
    "mote_nine_end mote_v6m_apart\n"
    ".text\n");

void mote_v6m_slide(struct nine *w);
void mote_v6m_apart(struct nine *w);

/* Whether any row of the windows is there; missing ones point at another. */
static int find_rows(struct nine *w, const void *const *rows) {
  const int8_t *const some = (const int8_t *)(rows[0] ? rows[0] : rows[1] ? rows[1] : rows[2]);
  if (!some) return 0;
  w->first = rows[0] ? (const int8_t *)rows[0] : some;
  w->second = (uintptr_t)(rows[1] ? rows[1] : some) - (uintptr_t)w->first;
  w->third = (uintptr_t)(rows[2] ? rows[2] : some) - (uintptr_t)w->first;
  return 1;
}

/* The channel's weights, masks[i] of row i. Returns what the zero point adds to each of its sums. */
static uint32_t set_weights(struct nine *w, const int8_t *k, const int32_t masks[3], int32_t zp) {
  const int32_t m0 = masks[0], m1 = masks[1], m2 = masks[2];
  const int32_t k0 = k[0] & m0, k1 = k[1] & m1, k2 = k[2] & m2, k3 = k[3] & m0, k4 = k[4] & m1,
                k5 = k[5] & m2, k6 = k[6] & m0, k7 = k[7] & m1, k8 = k[8] & m2;
  w->k[0] = k0, w->k[1] = k1, w->k[2] = k2;
  const int32_t a = zp * (k0 + k1 + k2); /* at most 3 * 2^14 */
  w->k[3] = k3, w->k[4] = k4, w->k[5] = k5;
  const int32_t b = zp * (k3 + k4 + k5);
  w->k[6] = k6, w->k[7] = k7, w->k[8] = k8;
  const int32_t c = zp * (k6 + k7 + k8);
  w->outside[0] = (uint32_t)a;
  w->outside[1] = (uint32_t)b;
  w->outside[2] = (uint32_t)c;
  return (uint32_t)(a + b + c);
}

/* n columns outside of the row, each the last of a window. */
static void slide_outside(struct nine *w, uint32_t n) {
  for (; n; n--) {
    *w->sums++ = w->a + w->outside[2];
    w->a = w->b + w->outside[1];
    w->b = w->outside[0];
  }
}

/* Columns of a strip one after the other, of which `left`, `inside` and `right` lie so in the row. */
struct columns {
  uint32_t left, inside, right;
  uint32_t begin; /* bytes from the row's begin to the first inside */
};
static struct columns columns_at(const struct mote_depthwise_conv2d_s8 *p, int32_t first,
                                 int32_t n) {
  struct columns c;
  int32_t left = first < 0 ? -first : 0;
  if (left > n) left = n;
  int32_t inside = p->in_w - (first + left);
  if (inside > n - left) inside = n - left;
  if (inside < 0) inside = 0;
  c.left = (uint32_t)left;
  c.inside = (uint32_t)inside;
  c.right = (uint32_t)(n - left - inside);
  c.begin = inside ? (uint32_t)(first + left) * p->in_c : 0;
  return c;
}

/* Sums of windows one column apart, behind two words that hold none. */
static void slide(struct nine *w, const struct columns *c) {
  w->a = w->b = 0;
  slide_outside(w, c->left);
  if (c->inside) {
    w->at = w->first + c->begin;
    w->end = w->at + c->inside * w->step;
    mote_v6m_slide(w);
  }
  slide_outside(w, c->right);
}

/* One window, of which some columns lie outside. */
static uint32_t border(const struct mote_depthwise_conv2d_s8 *p, const struct nine *w,
                       int32_t column) {
  const int32_t *k = w->k;
  uint32_t sum = 0;
  for (int32_t j = 0; j < 3; j++, k += 3, column++) {
    if (column < 0 || column >= p->in_w) {
      sum += w->outside[j];
      continue;
    }
    const int8_t *at = w->first + (size_t)(uint32_t)column * p->in_c;
    const int32_t v0 = at[0], v1 = *(const int8_t *)((uintptr_t)at + w->second),
                  v2 = *(const int8_t *)((uintptr_t)at + w->third);
    sum += (uint32_t)(k[0] * v0 + k[1] * v1 + k[2] * v2);
  }
  return sum;
}

/* Sums of n windows from column `first` on, a stride apart. */
static void apart(const struct mote_depthwise_conv2d_s8 *p, struct nine *w, int32_t first,
                  int32_t n) {
  const int32_t stride = p->stride_w;
  for (; n && first < 0; n--, first += stride) *w->sums++ = border(p, w, first);
  int32_t inside = 0, end = first;
  for (; inside < n && end + 3 <= p->in_w; inside++) end += stride;
  if (inside) {
    w->at = w->first + (size_t)(uint32_t)first * p->in_c;
    w->end = w->at + (size_t)(uint32_t)(end - first) * p->in_c;
    mote_v6m_apart(w);
    n -= inside;
  }
  for (; n; n--, end += stride) *w->sums++ = border(p, w, end);
}

/* Output pixels x .. x + n - 1 of one row, channel after channel. */
static void nine_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, int32_t x,
                       uint32_t n, uint32_t *sums, int8_t *out) {
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  const int32_t masks[3] = {rows[0] ? -1 : 0, rows[1] ? -1 : 0, rows[2] ? -1 : 0};
  const int32_t first = x * p->stride_w - p->pad_left, zp = p->output.in_zp;
  const int sliding = p->stride_w == 1;
  const struct columns columns = columns_at(p, first, (int32_t)n + 2);
  struct nine w;
  struct v6m_outputs k;
  const int any = find_rows(&w, rows);
  w.step = (uint32_t)p->in_c * p->stride_w;
  w.column = p->in_c;
  mote_v6m_begin(&k, &p->output, out_c);
  for (uint32_t oc = 0, m = 0; oc < out_c; oc++, weights += 9) {
    mote_v6m_channel(&k, oc);
    const uint32_t *from = sums;
    if (any) {
      k.bias -= set_weights(&w, weights, masks, zp);
      w.sums = sums;
      if (sliding) {
        slide(&w, &columns);
        from += 2;
      } else {
        apart(p, &w, first, (int32_t)n);
      }
    } else {
      for (uint32_t i = 0; i < n; i++) sums[i] = 0;
    }
    mote_v6m_put(&k, from, n, out + oc, 1, 0);
    if (++m == p->multiplier) {
      m = 0;
      w.first++;
    }
  }
}

void mote_isa_depthwise_3x3__v6m(const void *params, const void *const *rows, void *state,
                                 void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      nine_strip(p, rows, (int32_t)x, n, (uint32_t *)state, to);
      to += (size_t)n * p->in_c * p->multiplier;
    }
}

/* ---- kernels of one column ----------------------------------------------------------------- */

/* Two neighbouring channels of one window; with one channel left, twice the same. apart: 1, or 0 then. A
 * product is at most 128 * 255; a hostile plan's many may wrap. */
static inline __attribute__((always_inline)) void tall_sums(const void *const *rows,
                                                            const int8_t *w, uint32_t h, size_t at,
                                                            uint32_t apart, int32_t zp, int all,
                                                            uint32_t sums[2]) {
  uint32_t a = sums[0], b = sums[1];
  const uint32_t next = apart ? h : 0;
  for (const int8_t *const end = w + h; w != end; w++) {
    const int8_t *from = (const int8_t *)*rows++;
    if (!all && from == NULL) continue;
    from += at;
    a += (uint32_t)(w[0] * (from[0] - zp));
    b += (uint32_t)(w[next] * (from[apart] - zp));
  }
  sums[0] = a;
  sums[1] = b;
}

/* An output of channel c; packed: the layer is not wide. */
static inline __attribute__((always_inline)) struct mote_channel
tall_channel(const struct mote_output *o, const uint32_t *words, uint32_t c, int packed) {
  if (!packed) return mote_channel_at(o, c);
  const struct mote_channel ch = {mote_channel_bias(o, c),
                                  (int32_t)(words[c] >> 2 | (uint32_t)1 << 30),
                                  o->shift_base - (int)(words[c] & 3)};
  return ch;
}
static inline __attribute__((always_inline)) int8_t
tall_output(const struct mote_output *o, const struct mote_channel *ch, uint32_t sum, int packed) {
  return packed ? mote_output_packed(o, ch, mote_channel_round(o, ch), (int32_t)sum)
                : mote_output_of(o, ch, (int32_t)sum);
}

/* One window of all channels; all: no row is missing, and the layer is packed, as most are. */
static inline __attribute__((always_inline)) void
tall_window(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, size_t column,
            int all, int8_t *to) {
  const struct mote_output *const o = &p->output;
  const uint32_t h = p->kernel_h, in_c = p->in_c;
  const uint32_t *const words = (const uint32_t *)mote_at(o, o->requant_at);
  const int8_t *w = (const int8_t *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < in_c; c += 2, w += 2 * h) {
    const uint32_t two = c + 1 < in_c;
    struct mote_channel ch = tall_channel(o, words, c, all);
    uint32_t sums[2] = {(uint32_t)ch.bias, 0};
    tall_sums(rows, w, h, column + c, two, o->in_zp, all, sums);
    *to++ = tall_output(o, &ch, sums[0], all);
    if (!two) break;
    ch = tall_channel(o, words, c + 1, all);
    *to++ = tall_output(o, &ch, sums[1] + (uint32_t)ch.bias, all);
  }
}
static __attribute__((noinline)) void tall_all(const struct mote_depthwise_conv2d_s8 *p,
                                               const void *const *rows, size_t column, int8_t *to) {
  tall_window(p, rows, column, 1, to);
}
static __attribute__((noinline)) void tall_some(const struct mote_depthwise_conv2d_s8 *p,
                                                const void *const *rows, size_t column,
                                                int8_t *to) {
  tall_window(p, rows, column, 0, to);
}

void mote_isa_depthwise_tall__v6m(const void *params, const void *const *rows, void *state,
                                  void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t in_c = p->in_c, step = (uint32_t)p->stride_w * in_c;
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    uint32_t there = 0;
    while (there < p->kernel_h && rows[there]) there++;
    for (uint32_t x = 0, column = 0; x < p->out_w; x++, column += step, to += in_c)
      (there == p->kernel_h && !p->output.wide ? tall_all : tall_some)(p, rows, column, to);
  }
}

/* Any kernel: those that have a loop of their own take it. */
void mote_isa_depthwise__v6m(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  if (p->kernel_w == 3 && p->kernel_h == 3 && p->dilation_w == 1)
    mote_isa_depthwise_3x3__v6m(params, rows, state, out);
  else
    mote_isa_depthwise__plain(params, rows, state, out);
}

#else
typedef int mote_isa_v6m_depthwise_is_empty; /* C wants a declaration in every file */
#endif
