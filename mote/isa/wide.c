/* wide: conv2d_wide_s8 in plain C, the meaning of dsp_conv_wide.c. Products have 16 bits on either side and sums wrap. */
#include "mote/isa/isa.h"

/* `quads` quads of one pixel, of channel a; channel b's weights are four int16 on. */
static uint32_t dot(const int16_t *w, const int16_t *x, uint32_t quads, uint32_t quad_step) {
  uint32_t sum = 0;
  for (; quads; quads--, w += 8, x += quad_step)
    sum += (uint32_t)((int32_t)w[0] * x[0]) + (uint32_t)((int32_t)w[1] * x[2]) +
           (uint32_t)((int32_t)w[2] * x[1]) + (uint32_t)((int32_t)w[3] * x[3]);
  return sum;
}

/* A hostile plan's shift may be anything. */
static int8_t finish(int32_t sum, const int32_t *f, int is_bounded) {
  const int64_t h = (int64_t)sum * f[0];
  if (is_bounded) {
    const uint32_t q = (uint32_t)(h >> 32) + (uint32_t)f[1];
    return (int8_t)mote_clamp((int32_t)q >> 12, -128, 127);
  }
  const uint32_t rounded = (uint32_t)(((uint64_t)h + ((uint64_t)1 << 31)) >> 32);
  const uint32_t q = rounded + (uint32_t)(sum >> 31) + (uint32_t)f[1];
  return (int8_t)mote_clamp((int32_t)q >> (f[2] & 31), -128, 127);
}

void mote_isa_conv_wide__plain(const struct mote_conv2d_s8 *p, const int16_t *values,
                               uint32_t pixels, int8_t *out) {
  const int32_t *words = (const int32_t *)mote_at(p, p->weights_at);
  const uint32_t quads = mote_wide_quads(p), each = p->output.bounded ? 2 : 3;
  const uint32_t position_step = MOTE_ISA_INTERLEAVED ? 4 : 4 * quads,
                 quad_step = MOTE_ISA_INTERLEAVED ? 4 * mote_wide_positions(pixels) : 4;
  for (uint32_t c = 0; c < p->out_c; c += 2, words += mote_wide_words(p)) {
    const uint32_t first = c + 2 > p->out_c ? c - 1 : c;
    const int16_t *w = (const int16_t *)(const void *)(words + 2);
    const int32_t *f = words + 2 + 4 * (size_t)quads;
    for (uint32_t i = 0; i < pixels; i++)
      for (uint32_t k = 0; k < 2; k++) {
        const uint32_t sum =
            (uint32_t)words[k] + dot(w + 4 * k, values + i * position_step, quads, quad_step);
        out[(size_t)i * p->out_c + first + k] =
            finish((int32_t)sum, f + k * each, p->output.bounded);
      }
  }
}
