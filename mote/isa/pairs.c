/* pairs: pairs of pixels in C (isa.h): the meaning of the faster loops, and what they share. */
#include "mote/isa/isa.h"

static inline uint32_t pair(int32_t a, int32_t b) { return (uint32_t)a + ((uint32_t)b << 16); }

void mote_isa_widen_pair(uint32_t *to, uint32_t quad_step, uint32_t k, const int8_t *a,
                         const int8_t *b, uint32_t n, int32_t outside) {
  to += (size_t)(k / 4) * quad_step;
  if (a == NULL && b == NULL) {
    const uint32_t both = pair(outside, outside);
    for (uint32_t i = 0; i < n; i += 4, to += quad_step) to[0] = to[1] = to[2] = to[3] = both;
    return;
  }
  const int8_t none = (int8_t)outside;
  const uint32_t step_a = a != NULL, step_b = b != NULL;
  if (a == NULL) a = &none;
  if (b == NULL) b = &none;
  if (step_a & step_b) {
    for (; n >= 4; n -= 4, to += quad_step, a += 4, b += 4) {
      to[0] = pair(a[0], b[0]);
      to[1] = pair(a[1], b[1]);
      to[2] = pair(a[2], b[2]);
      to[3] = pair(a[3], b[3]);
    }
  }
  for (uint32_t i = 0; n; i = (i + 1) & 3, n--, a += step_a, b += step_b) {
    to[i] = pair(*a, *b);
    if (i == 3) to += quad_step;
  }
}

/* |A| of a product is below 2^15. */
static inline void add_both(uint32_t s, uint32_t *a, uint32_t *b) {
  const int32_t low = (int16_t)(uint16_t)s;
  *a += (uint32_t)low;
  *b += (uint32_t)((int32_t)(s + 0x8000u) >> 16);
}

/* Here each product is taken apart, whatever the run. */
void mote_isa_conv4_pairs__plain(const struct mote_conv2d_pairs_s4 *t,
                                 const struct mote_pairs_job *d) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const uint32_t m = (d->pixels + 1) / 2, window = d->columns * d->n;
  for (uint32_t c = 0; c < p->out_c; c++) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    for (uint32_t i = 0; i < m; i++) {
      const int8_t *w = weights + (size_t)(c / 2) * window;
      uint32_t a = (uint32_t)ch.bias, b = a;
      for (uint32_t j = 0; j < d->columns; j++) {
        const uint32_t *x = d->words + 4 * (size_t)i + d->column_at[j];
        for (uint32_t k = 0; k < d->n; k++, w++) {
          const int32_t v = c % 2 ? mote_isa_low4(*w) : mote_isa_high4(*w);
          add_both((uint32_t)v * x[(size_t)(k / 4) * d->quad_step + k % 4], &a, &b);
        }
      }
      d->out[(size_t)i * p->out_c + c] = mote_output_of(&p->output, &ch, (int32_t)a);
      if (i + m < d->pixels)
        d->out[(size_t)(i + m) * p->out_c + c] = mote_output_of(&p->output, &ch, (int32_t)b);
    }
  }
}
