/* add: ADD, as the reference orders it: both inputs brought to a common scale with left_shift bits more,
 * added, and rescaled. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

/* |x - zp| <= 255 and left_shift <= 20, so each term stays below 2^28 and their sum below 2^29. */
static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_add_s8 *p = (const struct mote_add_s8 *)params;
  struct mote_add_job d;
  (void)state;
  d.s = mote_scale_of(p->multiplier[0], -p->shift[0]);
  d.t = mote_scale_of(p->multiplier[1], -p->shift[1]);
  d.u = mote_scale_of(p->out_multiplier, -p->out_shift);
  d.unit = (int32_t)1 << p->left_shift;
  d.zp_a = p->zp[0] * d.unit;
  d.zp_b = p->zp[1] * d.unit;
  d.zp = p->out_zp;
  d.low = p->low;
  d.high = p->high;
  d.a = (const int8_t *)rows[0];
  d.b = (const int8_t *)rows[1];
  d.out = (int8_t *)out;
  d.n = p->n;
  mote_isa_add(&d);
}

const struct mote_kernel mote_kernel_add_s8 = {NULL, row, NULL};

size_t mote_add_s8_state_bytes(const struct mote_add_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_add_s8_check(const struct mote_add_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  for (unsigned i = 0; i < 2; i++) {
    if (p->multiplier[i] < 0 || p->shift[i] > 0 || p->shift[i] < -31 || !mote_is_int8(p->zp[i]))
      return MOTE_ERR_PARAMS;
    if (!mote_bounds_present(b, i, 1) || p->n > b->row_bytes[i]) return MOTE_ERR_BOUNDS;
  }
  if (p->out_multiplier < 0 || p->out_shift > 0 || p->out_shift < -31 || p->left_shift > 20 ||
      !mote_is_int8(p->out_zp) || !mote_is_int8(p->low) || !mote_is_int8(p->high) ||
      p->low > p->high)
    return MOTE_ERR_PARAMS;
  return p->n <= b->out_bytes ? MOTE_OK : MOTE_ERR_BOUNDS;
}

/* ---- in fewer steps ---- */

static void row_weighted(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  mote_isa_add_weighted((const struct mote_add_weighted_s8 *)params, (const int8_t *)rows[0],
                        (const int8_t *)rows[1], (int8_t *)out);
}

const struct mote_kernel mote_kernel_add_weighted_s8 = {NULL, row_weighted, NULL};

size_t mote_add_weighted_s8_state_bytes(const struct mote_add_weighted_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_add_weighted_s8_check(const struct mote_add_weighted_s8 *p,
                                            const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  for (unsigned i = 0; i < 2; i++)
    if (!mote_bounds_present(b, i, 1) || p->n > b->row_bytes[i]) return MOTE_ERR_BOUNDS;
  return p->n <= b->out_bytes ? MOTE_OK : MOTE_ERR_BOUNDS;
}
