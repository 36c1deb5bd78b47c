/* v6m_nine: depthwise convolutions of 3x3 by stairs (isa.h) on ARMv6-M, from the rows where they lie.
 *
 * What a channel needs stands in one table, in the order in which the loop meets it, so that LDM brings three weights at a
 * time and a product may destroy its own: 27 instructions a column, that is a window. Sums live in r8..r10 and turn with the
 * columns; an output is made as soon as its sum is whole, 15, and 3 for the loop.
 * Activations stay as they are: a tap outside of the row counts as the zero point, which is in the stairs. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* As struct mote_nine_table, for a row of one channel, with a word more. The assembly knows the offsets. */
struct table {
  int32_t weights[9];   /* of missing rows 0 */
  int32_t l, h, offset; /* 36 */
  uint32_t word;        /* 48 */
  uint32_t more;        /* 52: what missing rows add to every sum */
  uint32_t outside[3];  /* 56 */
};

/* Windows of one channel; the assembly knows the offsets. */
struct nine {
  const struct table *table; /*  0 */
  const int8_t *end;         /*  4: where the columns inside the row end */
  const int8_t *at;          /*  8: the first of them, in the first row */
  uintptr_t second, third;   /* 12: the other rows, from there on */
  uint32_t step;             /* 20: bytes from column to column */
  int8_t *out;               /* 24 */
  uint32_t out_step;         /* 28 */
  uint32_t left;             /* 32: columns outside in front, at most 2 */
  uint32_t right;            /* 36: and behind */
  uint32_t next;             /* 40: bytes from a window's last column to the next window's first */
};
typedef char nine_layout[sizeof(struct nine) == 44 ? 1 : -1];
typedef char table_layout[sizeof(struct table) == 68 ? 1 : -1];

/* Stack: 0 table, 4 end, 8 columns without an output, or r; r0 column, r6, r7 the other rows, r11 step, r12 out, lr its step.
 * Outputs: 15 instructions, 2 more where what is shifted leaves a byte. */
__asm__(".syntax unified\n"
        ".thumb\n" MOTE_V6M_FRAME ".macro mote_nine_row a, b, c, op\n"
        "  ldm r5!, {r2, r3, r4}\n"
        "  muls r2, r1, r2\n"
        "  muls r3, r1, r3\n"
        "  muls r4, r1, r4\n"
        "  add \\a, \\a, r2\n"
        "  add \\b, \\b, r3\n"
        "  .if \\op\n"
        "    add \\c, \\c, r4\n"
        "  .else\n"
        "    mov \\c, r4\n"
        "  .endif\n"
        ".endm\n"
        ".macro mote_nine_column a, b, c\n"
        "  ldr r5, [sp, #0]\n"
        "  ldrb r1, [r0]\n"
        "  sxtb r1, r1\n"
        "  mote_nine_row \\a, \\b, \\c, 0\n"
        "  ldrsb r1, [r0, r6]\n"
        "  mote_nine_row \\a, \\b, \\c, 1\n"
        "  ldrsb r1, [r0, r7]\n"
        "  mote_nine_row \\a, \\b, \\c, 1\n"
        "  add r0, r0, r11\n"
        ".endm\n"
        ".macro mote_nine_out a\n"
        "  ldm r5!, {r1, r2, r3, r4}\n"
        "  ldr r5, [r5]\n"
        "  add r5, r5, \\a\n"
        "  muls r1, r5, r1\n"
        "  asrs r1, r1, #12\n"
        "  muls r5, r2, r5\n"
        "  adds r5, r5, r1\n"
        "  adds r5, r5, r3\n"
        "  asrs r5, r5, r4\n"
        "  sxtb r1, r5\n"
        "  cmp r1, r5\n"
        "  beq 98f\n"
        "  lsrs r5, r5, #31\n" /* 127, or 128: the byte of -128 */
        "  adds r5, r5, #127\n"
        "98:\n"
        "  mov r1, r12\n"
        "  strb r5, [r1]\n"
        "  add r12, r12, lr\n"
        ".endm\n"
        ".macro mote_nine_begin name\n"
        "  mote_enter \\name\n"
        "  sub sp, sp, #12\n"
        "  ldm r0!, {r1, r2, r3, r6, r7}\n"
        "  str r1, [sp, #0]\n"
        "  str r2, [sp, #4]\n"
        "  str r0, [sp, #8]\n" /* from step on */
        "  ldm r0!, {r2, r4, r5}\n"
        "  mov r11, r2\n"
        "  mov r12, r4\n"
        "  mov lr, r5\n"
        ".endm\n"
        ".macro mote_nine_end name\n"
        "  add sp, sp, #12\n"
        "  mote_leave \\name\n"
        ".endm\n"
        ".macro mote_nine_turn a, b, c, done\n"
        "  mote_nine_column \\a, \\b, \\c\n"
        "  mote_nine_out \\a\n"
        "  ldr r1, [sp, #4]\n"
        "  cmp r0, r1\n"
        "  beq \\done\n"
        ".endm\n"
        /* Windows one column apart. r8, r9: windows that the columns in front began. */
        "mote_nine_begin mote_v6m_nine_slide\n"
        "  ldr r4, [r0]\n" /* left */
        "  ldr r5, [r1, #56]\n"
        "  movs r0, r3\n"
        "  mov r9, r5\n"
        "  cmp r4, #1\n"
        "  beq 8f\n"
        "  blo 7f\n"
        "  ldr r2, [r1, #60]\n"
        "  adds r5, r5, r2\n"
        "  mov r8, r5\n"
        "  b 1f\n"
        "7:\n"
        "  mote_nine_column r8, r9, r10\n"
        "  mov r9, r10\n"
        "8:\n"
        "  mote_nine_column r8, r9, r10\n"
        "  mov r8, r9\n"
        "  mov r9, r10\n"
        "  ldr r1, [sp, #4]\n"
        "  cmp r0, r1\n"
        "  bne 1f\n"
        "  b 4f\n"
        "1:\n"
        "  mote_nine_turn r8, r9, r10, 2f\n"
        "  mote_nine_turn r9, r10, r8, 3f\n"
        "  mote_nine_turn r10, r8, r9, 4f\n"
        "  b 1b\n"
        "2:\n"
        "  mov r8, r9\n"
        "  mov r9, r10\n"
        "  b 4f\n"
        "3:\n"
        "  mov r9, r8\n"
        "  mov r8, r10\n"
        "4:\n" /* columns outside */
        "  ldr r6, [sp, #8]\n"
        "  ldr r6, [r6, #16]\n"
        "5:\n"
        "  subs r6, r6, #1\n"
        "  blo 6f\n"
        "  ldr r5, [sp, #0]\n"
        "  ldr r1, [r5, #64]\n"
        "  ldr r2, [r5, #60]\n"
        "  add r8, r8, r1\n"
        "  add r9, r9, r2\n"
        "  adds r5, r5, #36\n"
        "  mote_nine_out r8\n"
        "  mov r8, r9\n"
        "  b 5b\n"
        "6:\n"
        "mote_nine_end mote_v6m_nine_slide\n"
        /* Windows apart: r9 to the next column, r10 to the next window. */
        ".macro mote_nine_apart_column op, next\n"
        "  ldm r5!, {r2, r3, r4}\n"
        "  ldrb r1, [r0]\n"
        "  sxtb r1, r1\n"
        "  muls r2, r1, r2\n"
        "  ldrsb r1, [r0, r6]\n"
        "  muls r3, r1, r3\n"
        "  ldrsb r1, [r0, r7]\n"
        "  muls r4, r1, r4\n"
        "  adds r2, r2, r3\n"
        "  adds r2, r2, r4\n"
        "  .if \\op\n"
        "    add r8, r8, r2\n"
        "  .else\n"
        "    mov r8, r2\n"
        "  .endif\n"
        "  add r0, r0, \\next\n"
        ".endm\n"
        "mote_nine_begin mote_v6m_nine_apart\n"
        "  ldr r4, [r0, #8]\n"
        "  mov r10, r4\n"
        "  movs r0, r3\n"
        "1:\n"
        "  ldr r5, [sp, #0]\n"
        "  mote_nine_apart_column 0, r11\n"
        "  mote_nine_apart_column 1, r11\n"
        "  mote_nine_apart_column 1, r10\n"
        "  mote_nine_out r8\n"
        "  ldr r1, [sp, #4]\n"
        "  cmp r0, r1\n"
        "  bne 1b\n"
        "mote_nine_end mote_v6m_nine_apart\n"
        ".text\n");

/* left + inside + right columns make two outputs fewer than they are. */
void mote_v6m_nine_slide(const struct nine *w);
void mote_v6m_nine_apart(const struct nine *w);

/* Where the rows of a window are: of those that are missing another, with masks of 0 for their weights. */
struct taps {
  const int8_t *first;
  uintptr_t second, third;
  int32_t masks[3];
  int whole;
};
static int find_taps(struct taps *t, const void *const *rows) {
  const int8_t *const some = (const int8_t *)(rows[0] ? rows[0] : rows[1] ? rows[1] : rows[2]);
  if (!some) return 0;
  t->first = rows[0] ? (const int8_t *)rows[0] : some;
  t->second = (uintptr_t)(rows[1] ? rows[1] : some) - (uintptr_t)t->first;
  t->third = (uintptr_t)(rows[2] ? rows[2] : some) - (uintptr_t)t->first;
  for (int i = 0; i < 3; i++) t->masks[i] = rows[i] ? -1 : 0;
  t->whole = rows[0] && rows[1] && rows[2];
  return 1;
}

/* Fills a table. What taps in missing rows add is the same for all sums. */
static inline __attribute__((always_inline)) void set_table(struct table *t, const int8_t *w,
                                                            const struct mote_stair *stair,
                                                            int32_t zp, int slide,
                                                            const int32_t *masks) {
  int32_t k[9], more = 0;
  for (int i = 0; i < 9; i++) {
    k[i] = w[i];
    if (masks) {
      more += k[i] & ~masks[i % 3];
      k[i] &= masks[i % 3];
    }
    t->weights[mote_nine_at(slide, (uint32_t)i)] = k[i];
    if (i % 3 == 2) t->outside[i / 3] = (uint32_t)((k[i - 2] + k[i - 1] + k[i]) * zp);
  }
  t->more = (uint32_t)(more * zp); /* at most 9 * 2^14 */
  t->word = stair->word;
  t->h = (int32_t)(stair->word >> 20);
  t->l = (int32_t)(stair->word << 12) >> 20;
  t->offset = stair->offset;
}

/* The strip's columns in the row. */
struct span {
  int32_t left, inside, right;
  uint32_t begin; /* bytes from the row's begin to the first inside */
};
static struct span span_of(const struct mote_depthwise_conv2d_s8 *p, int32_t first, int32_t n) {
  struct span c;
  c.left = first < 0 ? -first : 0;
  c.inside = p->in_w - (first + c.left);
  if (c.inside > n - c.left) c.inside = n - c.left;
  c.right = n - c.left - c.inside;
  c.begin = (uint32_t)(first + c.left) * p->in_c;
  return c;
}

/* All channels of windows one column apart. */
static inline __attribute__((always_inline)) void slide(const struct mote_depthwise_conv2d_s8 *p,
                                                        struct nine *w, const int32_t *masks) {
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  const struct mote_stair *stairs = mote_stairs_of(&p->output);
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const int32_t zp = p->output.in_zp;
  struct table t;
  w->table = &t;
  for (uint32_t c = 0, m = p->multiplier; c < out_c; c++, w->out++) {
    set_table(&t, weights + 9 * (size_t)c, stairs + c, zp, 1, masks);
    mote_v6m_nine_slide(w);
    if (--m) continue;
    m = p->multiplier;
    w->at++;
    w->end++;
  }
}

/* Windows of a row two or more columns apart. */
struct apart {
  int32_t first;                /* column of the first window's first tap */
  uint32_t left, inside, right; /* windows of which a column lies outside, none, outside */
};

/* One window, of which some columns lie outside; the first is `column`, of the channel at `row`. */
static __attribute__((noinline)) void border(const struct mote_depthwise_conv2d_s8 *p,
                                             const struct nine *w, const int8_t *row,
                                             int32_t column, int8_t *out) {
  const struct table *const t = w->table;
  const int32_t *k = t->weights;
  uint32_t sum = t->more;
  for (int32_t j = 0; j < 3; j++, k += 3, column++) {
    if (column < 0 || column >= p->in_w) {
      sum += t->outside[j];
      continue;
    }
    const int8_t *at = row + (size_t)(uint32_t)column * p->in_c;
    const int32_t v0 = at[0], v1 = *(const int8_t *)((uintptr_t)at + w->second),
                  v2 = *(const int8_t *)((uintptr_t)at + w->third);
    sum += (uint32_t)(k[0] * v0 + k[1] * v1 + k[2] * v2);
  }
  const uint32_t v = (uint32_t)((int32_t)(sum * (uint32_t)t->l) >> 12) + sum * (uint32_t)t->h;
  *out = (int8_t)mote_clamp((int32_t)(v + (uint32_t)t->offset) >> (t->word & 31), -128, 127);
}

static inline __attribute__((always_inline)) void apart(const struct mote_depthwise_conv2d_s8 *p,
                                                        struct nine *w, const int8_t *row,
                                                        const struct apart *a,
                                                        const int32_t *masks) {
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  const int32_t step = p->stride_w;
  int8_t *out = w->out;
  const struct mote_stair *stairs = mote_stairs_of(&p->output);
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const int32_t zp = p->output.in_zp;
  struct table t;
  w->table = &t;
  for (uint32_t c = 0, m = p->multiplier; c < out_c; c++, out++) {
    int32_t column = a->first;
    int8_t *to = out;
    set_table(&t, weights + 9 * (size_t)c, stairs + c, zp, 0, masks);
    for (uint32_t i = a->left; i; i--, column += step, to += w->out_step)
      border(p, w, row, column, to);
    w->out = to;
    if (a->inside) mote_v6m_nine_apart(w);
    column += (int32_t)a->inside * step;
    to += a->inside * w->out_step;
    for (uint32_t i = a->right; i; i--, column += step, to += w->out_step)
      border(p, w, row, column, to);
    if (--m) continue;
    m = p->multiplier;
    w->at++;
    w->end++;
    row++;
  }
}

static struct apart apart_of(const struct mote_depthwise_conv2d_s8 *p, int32_t first, uint32_t n) {
  struct apart a = {first, 0, 0, 0};
  int32_t column = first;
  for (; a.left < n && column < 0; column += p->stride_w) a.left++;
  for (; a.left + a.inside < n && column + 3 <= p->in_w; column += p->stride_w) a.inside++;
  a.right = n - a.left - a.inside;
  return a;
}

/* n windows of a row from window x on; returns 0 where that is left to C. */
static inline __attribute__((always_inline)) int windows(const struct mote_depthwise_conv2d_s8 *p,
                                                         const void *const *rows, uint32_t x,
                                                         uint32_t n, int8_t *out) {
  const int32_t first = (int32_t)(x * p->stride_w) - p->pad_left;
  struct taps taps;
  struct nine w;
  if (!find_taps(&taps, rows)) return 0;
  const int32_t *const masks = taps.masks;
  w.second = taps.second;
  w.third = taps.third;
  w.step = p->in_c;
  w.out = out;
  w.out_step = (uint32_t)p->in_c * p->multiplier;
  if (p->stride_w == 1) {
    const struct span c = span_of(p, first, (int32_t)n + 2);
    if (c.left > 2 || c.right > 2 || c.left + c.inside < 2 || c.inside < 1) return 0;
    w.at = taps.first + c.begin;
    w.end = w.at + (uint32_t)c.inside * p->in_c;
    w.left = (uint32_t)c.left;
    w.right = (uint32_t)c.right;
    if (taps.whole)
      slide(p, &w, NULL);
    else
      slide(p, &w, masks);
    return 1;
  }
  const struct apart a = apart_of(p, first, n);
  const uint32_t step = (uint32_t)p->in_c * p->stride_w;
  w.at = taps.first + (ptrdiff_t)(first + (int32_t)(a.left * p->stride_w)) * p->in_c;
  w.end = w.at + a.inside * step;
  w.next = step - 2u * p->in_c;
  if (taps.whole)
    apart(p, &w, taps.first, &a, NULL);
  else
    apart(p, &w, taps.first, &a, masks);
  return 1;
}

void mote_isa_depthwise_stairs__v6m(const void *params, const void *const *rows, void *state,
                                    void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  const int32_t low = p->output.low, high = p->output.high;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      if (!windows(p, rows, x, n, to)) mote_depthwise_stairs_strip(p, rows, x, n, state, to);
      if (low > -128 || high < 127)
        for (uint32_t i = 0; i < n * out_c; i++) to[i] = (int8_t)mote_clamp(to[i], low, high);
      to += (size_t)n * out_c;
    }
}

#else
typedef int mote_isa_v6m_nine_is_empty; /* C wants a declaration in every file */
#endif
