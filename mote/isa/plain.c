/* plain: the inner loops in C, for every machine. They are the meaning of the faster ones.
 *
 * Sums wrap (unsigned additions): whatever weights and biases a hostile plan holds, nothing here is
 * undefined. One product is at most 128 * 255, so an honest layer of fewer than 65,000 weights a channel
 * stays within int32. */
#include "mote/isa/isa.h"

/* Makes `n` outputs of one channel, `step` bytes apart. */
static inline void put(const struct mote_output *o, const struct mote_channel *ch,
                       const int32_t *sums, uint32_t n, int8_t *out, uint32_t step) {
  if (o->wide) {
    for (; n; n--, out += step) *out = mote_output_wide(o, ch, *sums++);
  } else {
    const int32_t round = mote_channel_round(o, ch);
    for (; n; n--, out += step) *out = mote_output_packed(o, ch, round, *sums++);
  }
}

void mote_isa_widen__plain(int16_t *to, uint32_t quad_step, uint32_t position_step,
                           const int8_t *src, uint32_t src_step, uint32_t n, uint32_t count,
                           int32_t zp) {
  for (; count; count--, to += position_step, src += src_step) {
    int16_t *quad = to;
    for (uint32_t k = 0; k < n; k += 4, quad += quad_step)
      for (uint32_t i = 0; i < 4; i++) quad[i] = (int16_t)(src[k + i] - zp);
  }
}

void mote_isa_gather(int8_t *to, uint32_t to_step, const int8_t *src, uint32_t src_step, uint32_t n,
                     uint32_t count) {
  if (n == 3) { /* as colours come */
    for (; count; count--, to += to_step, src += src_step) {
      const int8_t a = src[0], b = src[1], c = src[2];
      to[0] = a;
      to[1] = b;
      to[2] = c;
    }
    return;
  }
  to_step -= n;
  src_step -= n;
  for (; count; count--, to += to_step, src += src_step) {
    const int8_t *const end = src + n;
    do *to++ = *src++;
    while (src != end);
  }
}

/* The sum of n products, n a multiple of 4; vectorised where the machine has vectors. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("O3")))
#endif
static uint32_t
dot(const int8_t MOTE_ROM *w, const int16_t *a, uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += (uint32_t)(w[i] * a[i]);
  return sum;
}

/* A window is `columns` runs of n values; run j begins column_at[j] behind the pixel's position. */
static inline void conv(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                        int8_t *out, const uint32_t *column_at, uint32_t columns, uint32_t n) {
  const int8_t MOTE_ROM *weights = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c; c++, weights += (size_t)columns * n) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    int32_t sums[MOTE_CONV_BLOCK];
    for (uint32_t i = 0; i < pixels; i++) {
      uint32_t sum = (uint32_t)ch.bias;
      for (uint32_t j = 0; j < columns; j++)
        sum += dot(weights + j * n, values + i * n + column_at[j], n);
      sums[i] = (int32_t)sum;
    }
    put(&p->output, &ch, sums, pixels, out + c, p->out_c);
  }
}

void mote_isa_conv_patch__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                uint32_t pixels, int8_t *out) {
  const uint32_t nowhere = 0;
  conv(p, values, pixels, out, &nowhere, 1, mote_conv_window(p));
}

void mote_isa_conv_column__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                 uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                 uint32_t positions) {
  (void)positions; /* a position's values are one run */
  conv(p, values, pixels, out, column_at, p->kernel_w, mote_conv_column(p));
}

void mote_isa_dense__plain(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out) {
  const uint32_t n = p->in_c;
  const int8_t MOTE_ROM *w = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c; c++, w += (n + 3) & ~(uint32_t)3) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    uint32_t sum = (uint32_t)ch.bias;
    for (uint32_t i = 0; i < n; i++) sum += (uint32_t)(w[i] * (in[i] - p->output.in_zp));
    const int32_t total = (int32_t)sum;
    put(&p->output, &ch, &total, 1, out + c, 1);
  }
}

/* ---- weights of 4 bits: one pass over a block of weights serves its two channels ------------------ */

/* Outputs of channels c and, where there is one, c + 1. sums: those of the first channel, then those of the second,
 * without their biases. */
static void put_two(const struct mote_output *o, uint32_t c, uint32_t channels, uint32_t *sums,
                    uint32_t n, int8_t *out) {
  for (uint32_t k = c; k < channels && k < c + 2; k++, sums += MOTE_CONV_BLOCK) {
    const struct mote_channel ch = mote_channel_at(o, k);
    int32_t totals[MOTE_CONV_BLOCK];
    for (uint32_t i = 0; i < n; i++) totals[i] = (int32_t)(sums[i] + (uint32_t)ch.bias);
    put(o, &ch, totals, n, out + k, channels);
  }
}

/* As conv; position i, quad q of a run lies at i * position_step + q * quad_step. */
static inline void conv4(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                         int8_t *out, const uint32_t *column_at, uint32_t columns, uint32_t n,
                         uint32_t position_step, uint32_t quad_step) {
  const int8_t MOTE_ROM *weights = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c; c += 2, weights += (size_t)columns * n) {
    uint32_t sums[2 * MOTE_CONV_BLOCK] = {0};
    for (uint32_t i = 0; i < pixels; i++) {
      const int8_t MOTE_ROM *w = weights;
      uint32_t high = 0, low = 0;
      for (uint32_t j = 0; j < columns; j++) {
        const int16_t *x = values + i * position_step + column_at[j];
        for (uint32_t q = n / 4; q; q--, w += 4, x += quad_step)
          for (uint32_t k = 0; k < 4; k++) {
            high += (uint32_t)(mote_isa_high4(w[k]) * x[k]);
            low += (uint32_t)(mote_isa_low4(w[k]) * x[k]);
          }
      }
      sums[i] = high;
      sums[MOTE_CONV_BLOCK + i] = low;
    }
    put_two(&p->output, c, p->out_c, sums, pixels, out);
  }
}

void mote_isa_conv4_patch__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                 uint32_t pixels, int8_t *out) {
  const uint32_t nowhere = 0, window = mote_conv_window(p);
  conv4(p, values, pixels, out, &nowhere, 1, window, MOTE_ISA_INTERLEAVED ? 4 : window,
        MOTE_ISA_INTERLEAVED ? 4 * pixels : 4);
}

void mote_isa_conv4_column__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                                  uint32_t pixels, int8_t *out, const uint32_t *column_at,
                                  uint32_t positions) {
  const uint32_t column = mote_conv_column(p);
  conv4(p, values, pixels, out, column_at, p->kernel_w, column, MOTE_ISA_INTERLEAVED ? 4 : column,
        MOTE_ISA_INTERLEAVED ? 4 * positions : 4);
}

void mote_isa_dense4__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                            int8_t *out) {
  const uint32_t n = p->in_c;
  const int8_t MOTE_ROM *w = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c; c += 2, w += (n + 3) & ~(uint32_t)3) {
    uint32_t sums[2 * MOTE_CONV_BLOCK] = {0};
    for (uint32_t i = 0; i < n; i++) {
      const int32_t x = in[i] - p->output.in_zp;
      sums[0] += (uint32_t)(mote_isa_high4(w[i]) * x);
      sums[MOTE_CONV_BLOCK] += (uint32_t)(mote_isa_low4(w[i]) * x);
    }
    put_two(&p->output, c, p->out_c, sums, 1, out);
  }
}

/* The two lanes of a pair of channels that has a word each `step` words. 15 * 128 * in_c < 2^31: in_c < 2^16. */
static void lanes4(const uint32_t MOTE_ROM *words, uint32_t step, const int8_t *in, uint32_t n,
                   uint32_t *sums) {
  uint32_t low = 0, high = 0;
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t w = words[(size_t)(i / 4) * step] >> 4 * (i % 4);
    low += (uint32_t)((int32_t)(w & 15) * in[i]);
    high += (uint32_t)((int32_t)(w >> 16 & 15) * in[i]);
  }
  sums[0] = low;
  sums[MOTE_CONV_BLOCK] = high;
}

void mote_isa_dense_lanes4__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                  int8_t *out) {
  const uint32_t n = p->in_c, quads = (n + 3) / 4;
  const uint32_t MOTE_ROM *words = (const uint32_t MOTE_ROM *)mote_at(p, p->weights_at);
  uint32_t eight = 0; /* what the 8 that is added to each weight adds to each sum */
  for (uint32_t i = 0; i < n; i++) eight += (uint32_t)(8 * in[i]);
  for (uint32_t c = 0; c < p->out_c; c += 4) {
    const uint32_t pairs = p->out_c - c > 2 ? 2 : 1;
    for (uint32_t k = 0; k < pairs; k++) {
      uint32_t sums[2 * MOTE_CONV_BLOCK];
      lanes4(words + k, pairs, in, n, sums);
      sums[0] -= eight;
      sums[MOTE_CONV_BLOCK] -= eight;
      put_two(&p->output, c + 2 * k, p->out_c, sums, 1, out);
    }
    words += (size_t)quads * pairs;
  }
}

/* |(w - 128) x| <= 2^14: in_c < 2^16 of them stay within 32 bits. */
void mote_isa_dense_lanes8__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                  int8_t *out) {
  const uint8_t *bytes = (const uint8_t *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c;) {
    const uint32_t left = p->out_c - c, n = left < MOTE_LANES_CHANNELS ? left : MOTE_LANES_CHANNELS;
    const uint32_t step = (n + 1) / 2 * 4;
    bytes += 4;
    for (uint32_t k = 0; k < n; k++, c++) {
      const struct mote_channel ch = mote_channel_at(&p->output, c);
      const uint8_t *w = bytes + 2 * k;
      uint32_t sum = (uint32_t)ch.bias;
      for (uint32_t i = 0; i < p->in_c; i++)
        sum += (uint32_t)((w[i / 2 * step + i % 2] - 128) * in[i]);
      const int32_t total = (int32_t)sum;
      put(&p->output, &ch, &total, 1, out + c, 1);
    }
    bytes += (size_t)step * ((p->in_c + 1u) / 2);
  }
}

/* |w (x - zp)| < 2^15: in_c < 2^16 of them stay within 32 bits. */
void mote_isa_dense_wide__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                int8_t *out) {
  const int16_t MOTE_ROM *w = (const int16_t MOTE_ROM *)mote_at(p, p->weights_at);
  for (uint32_t c = 0; c < p->out_c;) {
    const uint32_t left = p->out_c - c, n = left < MOTE_WIDE_CHANNELS ? left : MOTE_WIDE_CHANNELS;
    for (uint32_t k = 0; k < n; k++, c++) {
      const struct mote_channel ch = mote_channel_at(&p->output, c);
      uint32_t sum = (uint32_t)ch.bias;
      for (uint32_t i = 0; i < p->in_c; i++)
        sum += (uint32_t)((int32_t)w[mote_wide_at(n, k, i)] * (in[i] - p->output.in_zp));
      const int32_t total = (int32_t)sum;
      put(&p->output, &ch, &total, 1, out + c, 1);
    }
    w += (size_t)n * ((p->in_c + 3u) & ~3u);
  }
}

/* The columns under a strip: int16 of one channel, column after column, of each kernel_h rows, so that a
 * window is one run where the dilation is 1. What lies outside is 0 for every channel and cleared once. */
struct strip {
  const struct mote_depthwise_conv2d_s8 *p;
  const void *const *rows;
  int16_t *scratch;
  int32_t first, inside; /* column of the row, and how many of the strip lie in it */
  int16_t *to;           /* where these go */
};

/* The columns under n pixels from x on. */
static void strip_place(struct strip *s, int32_t x, int32_t n) {
  const struct mote_depthwise_conv2d_s8 *p = s->p;
  const int32_t columns = (n - 1) * p->stride_w + ((int32_t)p->kernel_w - 1) * p->dilation_w + 1;
  const int32_t kernel_h = p->kernel_h, from = x * p->stride_w - p->pad_left;
  const int32_t left = from >= 0 ? 0 : -from < columns ? -from : columns;
  s->first = from + left;
  s->inside = p->in_w - s->first;
  if (s->inside > columns - left) s->inside = columns - left;
  if (s->inside < 0) s->inside = 0;
  s->to = s->scratch + left * kernel_h;
  for (int32_t i = 0; i < columns * kernel_h; i++) s->scratch[i] = 0;
}

static void gather(const struct strip *s, int32_t c) {
  const int32_t in_c = s->p->in_c, kernel_h = s->p->kernel_h, zp = s->p->output.in_zp,
                inside = s->inside;
  if (inside == 0) return;
  for (int32_t i = 0; i < kernel_h; i++) {
    if (s->rows[i] == NULL) continue;
    const int8_t *from = (const int8_t *)s->rows[i] + s->first * in_c + c;
    int16_t *to = s->to + i;
    for (int32_t left = inside; left; left--, from += in_c, to += kernel_h)
      *to = (int16_t)(*from - zp);
  }
}

static uint32_t window(const int8_t MOTE_ROM *w, const int16_t *a, int32_t columns, int32_t height,
                       int32_t step) {
  uint32_t sum = 0;
  for (; columns; columns--, w += height, a += step)
    for (int32_t i = 0; i < height; i++) sum += (uint32_t)(w[i] * a[i]);
  return sum;
}

/* n sums of 3x3 windows. */
static void windows3(const int8_t MOTE_ROM *k, const int16_t *a, int32_t step, int32_t bias,
                     int32_t n, int32_t *sums) {
  const int32_t k0 = k[0], k1 = k[1], k2 = k[2], k3 = k[3], k4 = k[4], k5 = k[5], k6 = k[6],
                k7 = k[7], k8 = k[8];
  for (; n; n--, a += step) {
    const int32_t sum = k0 * a[0] + k1 * a[1] + k2 * a[2] + k3 * a[3] + k4 * a[4] + k5 * a[5] +
                        k6 * a[6] + k7 * a[7] + k8 * a[8]; /* at most 9 * 128 * 255 */
    *sums++ = (int32_t)((uint32_t)bias + (uint32_t)sum);
  }
}

/* n outputs of one channel over the gathered columns, a few at a time. */
static void depthwise_channel(const struct mote_depthwise_conv2d_s8 *p, const int16_t *a,
                              uint32_t oc, int32_t n, int8_t *out) {
  const struct mote_channel ch = mote_channel_at(&p->output, oc);
  const int8_t MOTE_ROM *w = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at) +
                             (size_t)oc * ((uint32_t)p->kernel_w * p->kernel_h);
  const int nine = p->kernel_w == 3 && p->kernel_h == 3 && p->dilation_w == 1;
  const int32_t height = p->kernel_h, step = p->stride_w * height;
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier;
  int32_t sums[16];
  while (n) {
    const int32_t some = n < 16 ? n : 16;
    if (nine) {
      windows3(w, a, step, ch.bias, some, sums);
    } else {
      for (int32_t i = 0; i < some; i++)
        sums[i] = (int32_t)((uint32_t)ch.bias +
                            window(w, a + i * step, p->kernel_w, height, p->dilation_w * height));
    }
    put(&p->output, &ch, sums, (uint32_t)some, out, out_c);
    a += some * step;
    out += (size_t)some * out_c;
    n -= some;
  }
}

void mote_isa_depthwise__plain(const void *params, const void *const *rows, void *state,
                               void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  struct strip s;
  s.p = p;
  s.scratch = (int16_t *)state;
  s.rows = rows;
  for (uint32_t r = 0; r < p->rows_out; r++, s.rows += p->stride_h) {
    for (int32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      strip_place(&s, x, n);
      uint32_t oc = 0;
      for (int32_t c = 0; c < p->in_c; c++) {
        gather(&s, c);
        for (int32_t m = 0; m < p->multiplier; m++, oc++)
          depthwise_channel(p, s.scratch, oc, n, to + oc);
      }
      to += (size_t)n * oc;
    }
  }
}

void mote_isa_add__plain(const struct mote_add_job *d) {
  const struct mote_scale s = d->s, t = d->t, u = d->u;
  const int32_t unit = d->unit, zp_a = d->zp_a, zp_b = d->zp_b, zp = d->zp, low = d->low,
                high = d->high;
  const int8_t *a = d->a, *b = d->b;
  int8_t *out = d->out;
  for (uint32_t n = d->n; n; n--) {
    const int32_t sum =
        mote_isa_scale(*a++ * unit - zp_a, &s) + mote_isa_scale(*b++ * unit - zp_b, &t);
    *out++ = (int8_t)mote_clamp(mote_isa_scale(sum, &u) + zp, low, high);
  }
}

void mote_isa_add_weighted__plain(const struct mote_add_weighted_s8 *p, const int8_t *a,
                                  const int8_t *b, int8_t *out) {
  const int32_t weight[2] = {p->weight[0], p->weight[1]}, offset = p->offset;
  for (uint32_t n = p->n; n; n--) *out++ = mote_add_weighted(weight, offset, *a++, *b++);
}

void mote_isa_add_row__plain(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  for (uint32_t i = 0; i < c; i++) {
    const int8_t *from = row + i;
    int32_t sum = 0; /* w < 2^16 values of at most 2^7: below 2^23 */
    for (uint32_t x = 0; x < w; x++, from += c) sum += *from;
    sums[i] += (uint32_t)sum;
  }
}
