/* depthwise_sums: DEPTHWISE_CONV_2D of one window, accumulated row by row: a tall kernel needs no ring of rows.
 *
 * A sum stays within 24 bits, |sum| <= 128 * 255 * 256 taps, so the state holds its low half as uint16 and its high byte
 * apart: three bytes a channel. The weights of a row are a constant input, which the executor points to as it does to
 * the row that they meet. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static void begin(const void *params, void *state) {
  const struct mote_depthwise_sums_s8 *p = (const struct mote_depthwise_sums_s8 *)params;
  uint8_t *sums = (uint8_t *)state;
  for (uint32_t i = 3 * (uint32_t)p->c; i; i--) *sums++ = 0;
}

/* The sums of a hostile plan's many calls wrap. */
static inline int32_t sum_at(const uint16_t *low, const int8_t *high) {
  return (int32_t)((uint32_t)(int32_t)*high << 16 | *low);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_sums_s8 *p = (const struct mote_depthwise_sums_s8 *)params;
  const int8_t *x = (const int8_t *)rows[0], *w = (const int8_t *)rows[1];
  const int32_t zp = p->output.in_zp;
  (void)out;
  for (uint32_t column = p->w; column; column--) {
    uint16_t *low = (uint16_t *)state, *const last = low + p->c;
    int8_t *high = (int8_t *)last;
    do {
      const int32_t sum = sum_at(low, high) + *w++ * (*x++ - zp);
      *low++ = (uint16_t)sum;
      *high++ = (int8_t)(sum >> 16);
    } while (low != last);
  }
}

static void end(const void *params, void *state, void *out) {
  const struct mote_depthwise_sums_s8 *p = (const struct mote_depthwise_sums_s8 *)params;
  const uint16_t *low = (const uint16_t *)state;
  const int8_t *high = (const int8_t *)(low + p->c);
  int8_t *to = (int8_t *)out;
  for (uint32_t c = 0; c < p->c; c++) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    *to++ = mote_output_wide(&p->output, &ch, mote_wrap_add(sum_at(low++, high++), ch.bias));
  }
}

const struct mote_kernel mote_kernel_depthwise_sums_s8 = {begin, row, end};

size_t mote_depthwise_sums_s8_state_bytes(const struct mote_depthwise_sums_s8 *p) {
  return 3 * (size_t)p->c;
}

enum mote_status mote_depthwise_sums_s8_check(const struct mote_depthwise_sums_s8 *p,
                                              const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const uint64_t n = (uint64_t)p->w * p->c;
  /* Beside 24 bits a product fits. */
  if (n == 0) return MOTE_ERR_PARAMS;
  if (b->n_in != 2 || !mote_bounds_row(b, 0, n, 1) || !mote_bounds_row(b, 1, n, 1) ||
      p->c > b->out_bytes || mote_depthwise_sums_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return mote_output_check(&p->output, p, b, p->c, 1);
}
