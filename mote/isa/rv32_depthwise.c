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

/* A column of three values and what it adds to the three windows that it is in: it is the last of a, the middle of b,
 * the first of c. */
#define COLUMN(a, b, c)                                                                            \
  do {                                                                                             \
    int32_t v = at[0];                                                                             \
    a += (uint32_t)(k6 * v);                                                                       \
    b += (uint32_t)(k3 * v);                                                                       \
    c = bias + (uint32_t)(k0 * v);                                                                 \
    v = AT(at, second);                                                                            \
    a += (uint32_t)(k7 * v);                                                                       \
    b += (uint32_t)(k4 * v);                                                                       \
    c += (uint32_t)(k1 * v);                                                                       \
    v = AT(at, third);                                                                             \
    a += (uint32_t)(k8 * v);                                                                       \
    b += (uint32_t)(k5 * v);                                                                       \
    c += (uint32_t)(k2 * v);                                                                       \
    at += step;                                                                                    \
    *sums++ = a;                                                                                   \
  } while (0)

/* Where the three rows are, and the weights with those of missing rows 0. */
struct nine {
  const int8_t *at;
  uintptr_t second, third; /* the other rows, from the first on */
  int32_t k[9];            /* column by column */
  uint32_t
      outside[3]; /* what a column outside of the row adds as the window's first, second, third */
};

/* Sums of windows one column apart: of `left` columns outside, `inside` within the row, and `right` outside again,
 * each a window's last; the first two are those of windows that begin further left. */
static void slide(const struct nine *n, uint32_t bias, uint32_t step, uint32_t left,
                  uint32_t inside, uint32_t right, uint32_t *sums) {
  const int32_t k0 = n->k[0], k1 = n->k[1], k2 = n->k[2], k3 = n->k[3], k4 = n->k[4], k5 = n->k[5],
                k6 = n->k[6], k7 = n->k[7], k8 = n->k[8];
  const int8_t *at = n->at;
  const uintptr_t second = n->second, third = n->third;
  uint32_t a = 0, b = 0, c = 0;
  for (; left; left--) {
    *sums++ = a + n->outside[2];
    a = b + n->outside[1];
    b = bias + n->outside[0];
  }
  for (; inside >= 3; inside -= 3) {
    COLUMN(a, b, c);
    COLUMN(b, c, a);
    COLUMN(c, a, b);
  }
  for (; inside; inside--) {
    COLUMN(a, b, c);
    a = b;
    b = c;
  }
  for (; right; right--) {
    *sums++ = a + n->outside[2];
    a = b + n->outside[1];
    b = bias + n->outside[0];
  }
}

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

/* A row of the strip's sums: n windows from window x on. Returns the first. */
static const uint32_t *nine_sums(const struct mote_depthwise_conv2d_s8 *p, const struct nine *w,
                                 uint32_t bias, int32_t x, int32_t n, uint32_t *sums) {
  const int32_t in_w = p->in_w, in_c = p->in_c, first = x * p->stride_w - p->pad_left;
  if (p->stride_w == 1) {
    /* Columns first .. first + n + 1, of which left, inside and right lie so. */
    int32_t left = first < 0 ? -first : 0, inside = in_w - (first + left);
    if (left > n + 2) left = n + 2;
    if (inside > n + 2 - left) inside = n + 2 - left;
    if (inside < 0) inside = 0;
    struct nine from = *w;
    from.at += (size_t)(uint32_t)(first + left) * (uint32_t)in_c;
    slide(&from, bias, (uint32_t)in_c, (uint32_t)left, (uint32_t)inside,
          (uint32_t)(n + 2 - left - inside), sums);
    return sums + 2;
  }
  int32_t column = first, i = 0;
  for (; i < n && column < 0; i++, column += p->stride_w)
    sums[i] = border(w, bias, (uint32_t)in_c, column, in_w);
  const int32_t begin = i;
  struct nine from = *w;
  from.at += (size_t)(uint32_t)column * (uint32_t)in_c;
  for (; i < n && column + 3 <= in_w; i++) column += p->stride_w;
  apart(&from, bias, (uint32_t)in_c * p->stride_w, (uint32_t)in_c, (uint32_t)(i - begin),
        sums + begin);
  for (; i < n; i++, column += p->stride_w) sums[i] = border(w, bias, (uint32_t)in_c, column, in_w);
  return sums;
}

static void nine_row(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                     uint32_t *sums, int8_t *out) {
  const int8_t *const weights = (const int8_t *)mote_at(p, p->weights_at);
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  struct nine w;
  const int any = nine_rows(&w, rows);
  for (int32_t x = 0, n; x < p->out_w; x += n) {
    n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
    for (uint32_t oc = 0, m = 0; oc < out_c; oc++) {
      const uint32_t bias = (uint32_t)mote_channel_bias(&p->output, oc), *from = sums;
      if (any) {
        const uint32_t left =
            nine_weights(&w, weights + 9 * (size_t)oc, rows, p->output.in_zp, bias);
        from = nine_sums(p, &w, left, x, n, sums);
      } else {
        for (int32_t i = 0; i < n; i++) sums[i] = bias;
      }
      put(&p->output, oc, 9, from, (uint32_t)n, out + oc, out_c);
      if (++m == p->multiplier) {
        m = 0;
        w.at++;
      }
    }
    w.at -= p->in_c;
    out += (size_t)n * out_c;
  }
}

void mote_isa_depthwise_3x3__rv32(const void *params, const void *const *rows, void *state,
                                  void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    nine_row(p, rows, (uint32_t *)state, to);
    to += (size_t)p->out_w * p->in_c * p->multiplier;
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
  for (uint32_t k = 0; k < n; k++, out++) {
    struct rv32_channel ch;
    if (rv32_channel_of(&p->output, c + k, h, 0, &ch)) {
      rv32_output(&ch, sums[k], p->output.low, p->output.high, 0, out);
    } else {
      const struct mote_channel any = mote_channel_at(&p->output, c + k);
      *out = mote_output_of(&p->output, &any, (int32_t)(sums[k] + (uint32_t)any.bias));
    }
  }
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
