/* add: ADD, as the reference orders it: both inputs brought to a common scale with left_shift bits more,
 * added, and rescaled. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

/* |x - zp| <= 255, left_shift <= 22: below 2^30. */
static inline int32_t rescale(int32_t x, const struct mote_add_s8 *p, int i) {
  const int32_t shifted = (x - p->zp[i]) * ((int32_t)1 << p->left_shift);
  return mote_divide_pot(mote_isa_mul_high(shifted, p->multiplier[i]), -p->shift[i]);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_add_s8 *p = (const struct mote_add_s8 *)params;
  const int8_t *a = (const int8_t *)rows[0], *b = (const int8_t *)rows[1];
  int8_t *to = (int8_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const int32_t sum = rescale(a[i], p, 0) + rescale(b[i], p, 1); /* below 2^31 */
    const int32_t q = mote_divide_pot(mote_isa_mul_high(sum, p->out_multiplier), -p->out_shift);
    to[i] = (int8_t)(mote_clamp(q, p->low - p->out_zp, p->high - p->out_zp) + p->out_zp);
  }
}

const struct mote_kernel mote_kernel_add_s8 = {NULL, row, NULL};

size_t mote_add_s8_state_bytes(const struct mote_add_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_add_s8_check(const struct mote_add_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  for (int i = 0; i < 2; i++) {
    if (p->multiplier[i] < 0 || p->shift[i] > 0 || p->shift[i] < -31 || !mote_is_int8(p->zp[i]))
      return MOTE_ERR_PARAMS;
    if (b->rows[i] < 1 || b->missing[i] || p->n > b->row_bytes[i]) return MOTE_ERR_BOUNDS;
  }
  if (p->out_multiplier < 0 || p->out_shift > 0 || p->out_shift < -31 || p->left_shift > 22 ||
      !mote_is_int8(p->out_zp) || !mote_is_int8(p->low) || !mote_is_int8(p->high) ||
      p->low > p->high)
    return MOTE_ERR_PARAMS;
  return p->n <= b->out_bytes ? MOTE_OK : MOTE_ERR_BOUNDS;
}
