/* leaky_relu: LEAKY_RELU of int16 values. (int8 ones are a table.) No state. */
#include "mote/nn/window.h"

/* x * multiplier 2^(shift - 31) for either sign of the multiplier. */
static inline int32_t scaled(int32_t x, int32_t multiplier, int32_t shift) {
  if (multiplier >= 0) return mote_requantise(x, multiplier, (int)shift);
  return (int32_t)(0u - (uint32_t)mote_requantise(x, -multiplier, (int)shift));
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_leaky_relu_s16 *p = (const struct mote_leaky_relu_s16 *)params;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    const int32_t value = x[i] - p->in_zp;
    const int32_t q = value >= 0 ? scaled(value, p->up_multiplier, p->up_shift)
                                 : scaled(value, p->down_multiplier, p->down_shift);
    y[i] = (int16_t)mote_clamp(mote_wrap_add(q, p->out_zp), INT16_MIN, INT16_MAX);
  }
}

const struct mote_kernel mote_kernel_leaky_relu_s16 = {NULL, row, NULL};

size_t mote_leaky_relu_s16_state_bytes(const struct mote_leaky_relu_s16 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_leaky_relu_s16_check(const struct mote_leaky_relu_s16 *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_zp < INT16_MIN || p->in_zp > INT16_MAX || p->up_multiplier < 0 ||
      p->down_multiplier == INT32_MIN || p->up_shift < -31 || p->up_shift > 30 ||
      p->down_shift < -31 || p->down_shift > 30)
    return MOTE_ERR_PARAMS;
  return mote_one_row_check(b, p->n, p->n, 2, 2);
}
