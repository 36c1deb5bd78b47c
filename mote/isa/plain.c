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
    for (uint32_t i = 0; i < n; i++) out[i * step] = mote_output_wide(o, ch, sums[i]);
  } else {
    const int32_t round = mote_channel_round(o, ch);
    for (uint32_t i = 0; i < n; i++) out[i * step] = mote_output_packed(o, ch, round, sums[i]);
  }
}

void mote_isa_widen__plain(int16_t *position, uint32_t quad_step, uint32_t k, const int8_t *src,
                           uint32_t n, int32_t zp) {
  int16_t *to = position + (size_t)(k / 4) * quad_step;
  for (; n >= 4; n -= 4, to += quad_step) {
    for (uint32_t i = 0; i < 4; i++) to[i] = src ? (int16_t)(*src++ - zp) : 0;
  }
  if (n == 0) return;
  for (uint32_t i = 0; i < 4; i++) to[i] = src && i < n ? (int16_t)(*src++ - zp) : 0;
}

/* The sum of n products, n a multiple of 4; vectorised where the machine has vectors. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("O3")))
#endif
static uint32_t
dot(const int8_t *w, const int16_t *a, uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += (uint32_t)(w[i] * a[i]);
  return sum;
}

void mote_isa_conv__plain(const struct mote_conv_job *b) {
  for (uint32_t c = 0; c < b->channels; c++) {
    const struct mote_channel ch = mote_channel_at(b->output, b->params, c);
    int32_t sums[MOTE_ISA_BLOCK];
    for (uint32_t p = 0; p < b->pixels; p++) {
      const int8_t *w = b->weights + (size_t)c * b->weights_step;
      uint32_t sum = (uint32_t)ch.bias;
      for (uint32_t j = 0; j < b->columns; j++, w += 4 * b->quads)
        sum += dot(w, b->values + p * b->position_step + b->column_at[j], 4 * b->quads);
      sums[p] = (int32_t)sum;
    }
    put(b->output, &ch, sums, b->pixels, b->out + c, b->out_step);
  }
}

void mote_isa_dense__plain(const struct mote_dense_job *d) {
  const uint32_t step = (d->n + 3) & ~(uint32_t)3;
  for (uint32_t c = 0; c < d->channels; c++) {
    const struct mote_channel ch = mote_channel_at(d->output, d->params, c);
    const int8_t *w = d->weights + (size_t)c * step;
    uint32_t sum = (uint32_t)ch.bias;
    for (uint32_t i = 0; i < d->n; i++) sum += (uint32_t)(w[i] * (d->in[i] - d->in_zp));
    const int32_t total = (int32_t)sum;
    put(d->output, &ch, &total, 1, d->out + c, 1);
  }
}

/* The columns under a strip of one channel, each kernel_h values: a window is one run where the dilation
 * is 1. */
static void gather(const struct mote_depthwise_job *d, int32_t x, int32_t columns, int32_t c) {
  int16_t *to = d->scratch;
  for (; columns; columns--, x++) {
    const int inside = x >= 0 && x < d->in_w;
    const int32_t at = x * d->in_c + c;
    for (int32_t i = 0; i < d->kernel_h; i++) {
      const int8_t *row = (const int8_t *)d->rows[i];
      *to++ = inside && row ? (int16_t)(row[at] - d->in_zp) : 0;
    }
  }
}

static uint32_t window(const int8_t *w, const int16_t *a, int32_t columns, int32_t height,
                       int32_t step) {
  uint32_t sum = 0;
  for (; columns; columns--, w += height, a += step)
    for (int32_t i = 0; i < height; i++) sum += (uint32_t)(w[i] * a[i]);
  return sum;
}

/* n outputs of one channel over the gathered columns. */
static void depthwise_channel(const struct mote_depthwise_job *d, uint32_t oc, int32_t n,
                              int8_t *out, uint32_t out_step) {
  const struct mote_channel ch = mote_channel_at(d->output, d->params, oc);
  const int8_t *w = d->weights + (size_t)oc * (size_t)(d->kernel_w * d->kernel_h);
  const int16_t *a = d->scratch;
  const int32_t round = d->output->wide ? 0 : mote_channel_round(d->output, &ch);
  const int nine = d->kernel_w == 3 && d->kernel_h == 3 && d->dilation_w == 1;
  for (; n; n--, a += d->stride_w * d->kernel_h, out += out_step) {
    const uint32_t sum =
        nine ? (uint32_t)(w[0] * a[0] + w[1] * a[1] + w[2] * a[2] + w[3] * a[3] + w[4] * a[4] +
                          w[5] * a[5] + w[6] * a[6] + w[7] * a[7] + w[8] * a[8])
             : window(w, a, d->kernel_w, d->kernel_h, d->dilation_w * d->kernel_h);
    const int32_t total = (int32_t)((uint32_t)ch.bias + sum);
    *out = d->output->wide ? mote_output_wide(d->output, &ch, total)
                           : mote_output_packed(d->output, &ch, round, total);
  }
}

void mote_isa_depthwise__plain(const struct mote_depthwise_job *d) {
  const uint32_t out_c = (uint32_t)(d->in_c * d->multiplier);
  for (int32_t x = 0; x < d->out_w; x += d->strip_w) {
    const int32_t n = d->out_w - x < d->strip_w ? d->out_w - x : d->strip_w;
    const int32_t wide = (n - 1) * d->stride_w + (d->kernel_w - 1) * d->dilation_w + 1;
    int8_t *out = d->out + (size_t)x * out_c;
    uint32_t oc = 0;
    for (int32_t c = 0; c < d->in_c; c++) {
      gather(d, x * d->stride_w - d->pad_left, wide, c);
      for (int32_t m = 0; m < d->multiplier; m++, oc++)
        depthwise_channel(d, oc, n, out + oc, out_c);
    }
  }
}

void mote_isa_add_row__plain(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  for (uint32_t i = 0; i < c; i++) {
    const int8_t *from = row + i;
    int32_t sum = 0; /* w < 2^16 values of at most 2^7: below 2^23 */
    for (uint32_t x = 0; x < w; x++, from += c) sum += *from;
    sums[i] += (uint32_t)sum;
  }
}
