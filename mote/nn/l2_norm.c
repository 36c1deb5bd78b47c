/* l2_norm: L2_NORMALIZATION, int8 to int8: each vector times 1 / sqrt of its squares' sum, in fixed
 * point. No state. */
#include "mote/nn/window.h"

static void normalise(const struct mote_l2_norm_s8 *p, const int8_t *in, int8_t *out) {
  int32_t sum = 0; /* c <= 33025 squares of at most 255^2 */
  for (uint32_t c = 0; c < p->c; c++) {
    const int32_t x = in[c] - p->in_zp;
    sum += x * x;
  }
  int32_t multiplier;
  int shift;
  mote_fixed_inverse_root(sum, &multiplier, &shift);
  for (uint32_t c = 0; c < p->c; c++)
    out[c] =
        (int8_t)mote_clamp(mote_requantise(in[c] - p->in_zp, multiplier, shift + 7), -128, 127);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_l2_norm_s8 *p = (const struct mote_l2_norm_s8 *)params;
  const int8_t *in = (const int8_t *)rows[0];
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t r = 0; r < p->rows; r++, in += p->c, to += p->c) normalise(p, in, to);
}

const struct mote_kernel mote_kernel_l2_norm_s8 = {NULL, row, NULL};

size_t mote_l2_norm_s8_state_bytes(const struct mote_l2_norm_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_l2_norm_s8_check(const struct mote_l2_norm_s8 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_is_int8(p->in_zp) || p->rows == 0 || p->c == 0 || p->c > 33025) return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->rows * p->c;
  return mote_one_row_check(b, n, n, 1, 1);
}
