/* mean: MEAN over height and width, and AVERAGE_POOL_2D over a whole map, accumulated row by row. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static void begin(const void *params, void *state) {
  const struct mote_mean_s8 *p = (const struct mote_mean_s8 *)params;
  int32_t *sums = (int32_t *)state;
  for (uint32_t c = 0; c < p->c; c++) sums[c] = 0;
}

/* The sums of a hostile plan's many calls may wrap. */
static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_mean_s8 *p = (const struct mote_mean_s8 *)params;
  (void)out;
  mote_isa_add_row((uint32_t *)state, (const int8_t *)rows[0], p->w, p->c);
}

static int32_t rounded_mean(int32_t sum, uint32_t count) {
  const uint32_t size =
      sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum; /* plus count / 2: below 2^32 */
  const int32_t mean = (int32_t)((size + count / 2) / count);
  return sum < 0 ? -mean : mean;
}

static void end_divided(const void *params, void *state, void *out) {
  const struct mote_mean_s8 *p = (const struct mote_mean_s8 *)params;
  const int32_t *sums = (const int32_t *)state;
  int8_t *to = (int8_t *)out;
  for (uint32_t c = p->c; c; c--)
    *to++ = (int8_t)mote_clamp(rounded_mean(*sums++, p->count), p->low, p->high);
}

static void end_scaled(const void *params, void *state, void *out) {
  const struct mote_mean_s8 *p = (const struct mote_mean_s8 *)params;
  const int32_t *sums = (const int32_t *)state;
  int8_t *to = (int8_t *)out;
  for (uint32_t c = p->c; c; c--) {
    const int32_t sum = (int32_t)((uint32_t)*sums++ - (uint32_t)p->in_zp * p->count);
    const int32_t q = mote_isa_requantise(sum, p->multiplier, p->shift);
    *to++ = (int8_t)(mote_clamp(q, p->low - p->out_zp, p->high - p->out_zp) + p->out_zp);
  }
}

static void end(const void *params, void *state, void *out) {
  (((const struct mote_mean_s8 *)params)->divide ? end_divided : end_scaled)(params, state, out);
}

unsigned mote_mean_s8_form(const struct mote_mean_s8 *p) { return p->divide; }

const struct mote_kernel mote_kernel_mean_s8 = {begin, row, end};
const struct mote_kernel mote_kernel_mean_s8__scaled = {begin, row, end_scaled};
const struct mote_kernel mote_kernel_mean_s8__divided = {begin, row, end_divided};

size_t mote_mean_s8_state_bytes(const struct mote_mean_s8 *p) { return 4 * (size_t)p->c; }

enum mote_status mote_mean_s8_check(const struct mote_mean_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->w == 0 || p->c == 0 || p->count == 0 || p->count > INT32_MAX) return MOTE_ERR_PARAMS;
  if (p->multiplier < 0 || p->shift < -31 || p->shift > 30 || p->divide > 1) return MOTE_ERR_PARAMS;
  if (!mote_is_int8(p->in_zp) || !mote_is_int8(p->out_zp) || !mote_is_int8(p->low) ||
      !mote_is_int8(p->high) || p->low > p->high)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_present(b, 0, 1) || (uint64_t)p->w * p->c > b->row_bytes[0] ||
      p->c > b->out_bytes || mote_mean_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
