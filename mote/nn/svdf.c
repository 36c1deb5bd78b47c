/* svdf: SVDF with int8 activations and an int8 or int16 state. One pass over a filter shifts its memory, adds the
 * newest and weighs it: no scratch. */
#include "mote/nn/window.h"

static inline int32_t element(const void *from, uint32_t at, uint32_t size) {
  return size == 1 ? ((const int8_t *)from)[at] : ((const int16_t *)from)[at];
}

/* The newest value of a filter. */
static inline int32_t feature_of(const struct mote_svdf *p, const int8_t *x, const int8_t *w,
                                 uint32_t size) {
  const int32_t most = size == 1 ? INT8_MAX : INT16_MAX;
  const int32_t sum = (int32_t)mote_dot_s8(x, w, p->in_c, p->in_zp, 0);
  const int32_t q = mote_requantise(sum, p->feature.multiplier, (int)p->feature.shift);
  return mote_clamp(q, -most - 1, most) + p->state_zp;
}

/* Shifts a filter's memory, which begins at `at`, and returns its weighted sum, modulo 2^32. */
static inline uint32_t remember(const struct mote_svdf *p, const void *time, uint32_t time_at,
                                void *state, uint32_t at, int32_t newest, uint32_t size) {
  const uint32_t last = p->memory - 1u;
  uint32_t sum = 0;
  for (uint32_t j = 0; j <= last; j++) {
    if (j < last)
      mote_put(state, at + j, element(state, at + j + 1, size), size);
    else
      mote_put(state, at + j, newest, size); /* wraps to the type, as the reference's does */
    sum += (uint32_t)element(time, time_at + j, size) *
           (uint32_t)(element(state, at + j, size) - p->state_zp);
  }
  return sum;
}

static inline void svdf(const void *params, const void *const *rows, void *out, uint32_t size) {
  const struct mote_svdf *p = (const struct mote_svdf *)params;
  const int8_t *x = (const int8_t *)rows[0];
  const int32_t *bias = p->has_bias ? (const int32_t *)rows[3] : NULL;
  void *state = (void *)(uintptr_t)rows[p->has_bias ? 4 : 3];
  int8_t *to = (int8_t *)out;
  uint32_t at = 0;
  for (uint32_t b = 0; b < p->batch; b++, x += p->in_c) {
    const int8_t *w = (const int8_t *)rows[1];
    for (uint32_t f = 0; f < p->filters;) {
      uint32_t sum = bias ? (uint32_t)bias[f / p->rank] : 0;
      for (uint32_t r = 0; r < p->rank; r++, f++, w += p->in_c, at += p->memory)
        sum += remember(p, rows[2], f * p->memory, state, at, feature_of(p, x, w, size), size);
      const int32_t q =
          mote_requantise((int32_t)sum, p->out.multiplier, (int)p->out.shift); /* plus 8 bits */
      *to++ = (int8_t)mote_clamp(mote_wrap_add(q, p->out_zp), -128, 127);
    }
  }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  svdf(params, rows, out, 1);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  svdf(params, rows, out, 2);
}

const struct mote_kernel mote_kernel_svdf_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_svdf_s16 = {NULL, row_s16, NULL};

static enum mote_status check(const struct mote_svdf *p, const struct mote_bounds *b,
                              uint32_t size) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->batch == 0 || p->in_c == 0 || p->filters == 0 || p->rank == 0 || p->memory == 0 ||
      p->filters % p->rank || p->has_bias > 1 || !mote_is_int8(p->in_zp) ||
      !mote_is_int8(p->out_zp) || !mote_pair_is_good(&p->feature) || !mote_pair_is_good(&p->out))
    return MOTE_ERR_PARAMS;
  const uint64_t states = (uint64_t)p->batch * p->filters * p->memory;
  const unsigned state = p->has_bias ? 4 : 3;
  const uint64_t units = p->filters / p->rank;
  if (states > INT32_MAX || !mote_bounds_row(b, 0, (uint64_t)p->batch * p->in_c, 1) ||
      !mote_bounds_row(b, 1, (uint64_t)p->filters * p->in_c, 1) ||
      !mote_bounds_row(b, 2, (uint64_t)p->filters * p->memory, size) ||
      (p->has_bias && !mote_bounds_row(b, 3, units, 4)) ||
      !mote_bounds_row(b, state, states, size) || !(b->writable >> state & 1) ||
      p->batch * units > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

enum mote_status mote_svdf_s8_check(const struct mote_svdf *p, const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_svdf_s16_check(const struct mote_svdf *p, const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_svdf_s8_state_bytes(const struct mote_svdf *p) {
  (void)p;
  return 0;
}
size_t mote_svdf_s16_state_bytes(const struct mote_svdf *p) {
  (void)p;
  return 0;
}
