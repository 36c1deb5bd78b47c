/* sigmoid: LOGISTIC and TANH of int16 values, by a table with interpolation. No state. */
#include "mote/nn/tables16.h"
#include "mote/nn/window.h"

/* x in units of 1 / 12288. |x| <= 2^15 and the multiplier is below 2^16: the product and the rounding wrap
 * only where the reference's do. */
static inline int32_t scaled(const struct mote_sigmoid_s16 *p, int32_t x) {
  const uint32_t half = p->shift > 0 ? (uint32_t)1 << (p->shift - 1) : 0;
  return (int32_t)((uint32_t)x * (uint32_t)p->multiplier + half) >> p->shift;
}

static void logistic_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_sigmoid_s16 *p = (const struct mote_sigmoid_s16 *)params;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) y[i] = mote_sigmoid_s16_of(scaled(p, x[i]));
}

static void tanh_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_sigmoid_s16 *p = (const struct mote_sigmoid_s16 *)params;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *y = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) y[i] = mote_tanh_s16_of(scaled(p, x[i]));
}

const struct mote_kernel mote_kernel_logistic_s16 = {NULL, logistic_row, NULL};
const struct mote_kernel mote_kernel_tanh_s16 = {NULL, tanh_row, NULL};

enum mote_status mote_logistic_s16_check(const struct mote_sigmoid_s16 *p,
                                         const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 1 || p->multiplier > 65535 || p->shift < 0 || p->shift > 31)
    return MOTE_ERR_PARAMS;
  return mote_one_row_check(b, p->n, p->n, 2, 2);
}
enum mote_status mote_tanh_s16_check(const struct mote_sigmoid_s16 *p,
                                     const struct mote_bounds *b) {
  return mote_logistic_s16_check(p, b);
}
size_t mote_logistic_s16_state_bytes(const struct mote_sigmoid_s16 *p) {
  (void)p;
  return 0;
}
size_t mote_tanh_s16_state_bytes(const struct mote_sigmoid_s16 *p) {
  (void)p;
  return 0;
}
