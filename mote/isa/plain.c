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
  (void)quad_step; /* always 4: values lie in order */
  int16_t *to = position + k;
  if (src == NULL) {
    for (uint32_t i = 0; i < n; i++) to[i] = 0;
  } else {
    for (uint32_t i = 0; i < n; i++) to[i] = (int16_t)(src[i] - zp);
  }
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

void mote_isa_depthwise__plain(const struct mote_depthwise_job *d) {
  const int32_t out_c = d->in_c * d->multiplier;
  for (int32_t c = 0, oc = 0; c < d->in_c; c++) {
    for (int32_t m = 0; m < d->multiplier; m++, oc++) {
      const struct mote_channel ch = mote_channel_at(d->output, d->params, (size_t)oc);
      const int8_t *w = d->weights + (size_t)oc * (size_t)(d->kernel_w * d->kernel_h);
      int32_t left = -d->pad_left;
      for (int32_t x = 0; x < d->out_w; x++, left += d->stride_w) {
        uint32_t sum = (uint32_t)ch.bias;
        for (int32_t j = 0; j < d->kernel_w; j++) {
          const int32_t column = left + j * d->dilation_w;
          if (column < 0 || column >= d->in_w) continue;
          const int32_t at = column * d->in_c + c;
          for (int32_t i = 0; i < d->kernel_h; i++) {
            const int8_t *row = (const int8_t *)d->rows[i];
            if (row) sum += (uint32_t)(w[j * d->kernel_h + i] * (row[at] - d->in_zp));
          }
        }
        const int32_t total = (int32_t)sum;
        put(d->output, &ch, &total, 1, d->out + (size_t)x * (size_t)out_c + oc, 1);
      }
    }
  }
}
