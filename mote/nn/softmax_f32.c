/* softmax_f32: SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION in float32 over the last axis. Sums run in four lanes over
 * the vector. The exponentials of a softmax are kept in the output, so an element is exponentiated once. */
#include "mote/nn/lanes.h"

static float largest_of(const float *x, uint32_t c) {
  float largest = x[0];
  for (uint32_t i = 1; i < c; i++) largest = mote_real_max(x[i], largest);
  return largest;
}

static void softmax_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_softmax_f32 *p = (const struct mote_softmax_f32 *)params;
  const float *x = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t v = 0; v < p->vectors; v++, x += p->c, to += p->c) {
    const float largest = largest_of(x, p->c);
    float lane[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < p->c; i++) {
      const float e = mote_real_exp((x[i] - largest) * p->scale);
      to[i] = e;
      lane[i & 3] += e;
    }
    const float sum = mote_lanes_sum(lane);
    for (uint32_t i = 0; i < p->c; i++) to[i] /= sum;
  }
}

static void log_softmax_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_softmax_f32 *p = (const struct mote_softmax_f32 *)params;
  const float *x = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t v = 0; v < p->vectors; v++, x += p->c, to += p->c) {
    const float largest = largest_of(x, p->c);
    float lane[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < p->c; i++) lane[i & 3] += mote_real_exp(x[i] - largest);
    const float log_sum = mote_real_log(mote_lanes_sum(lane));
    for (uint32_t i = 0; i < p->c; i++) to[i] = x[i] - largest - log_sum;
  }
}

static void l2_normalization_row(const void *params, const void *const *rows, void *state,
                                 void *out) {
  const struct mote_softmax_f32 *p = (const struct mote_softmax_f32 *)params;
  const float *x = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t v = 0; v < p->vectors; v++, x += p->c, to += p->c) {
    /* source: the reference divides by at least 1e-6. */
    const float norm = mote_real_max(mote_real_sqrt(mote_dot_f32(x, 1, x, 1, p->c)), 1e-6f);
    for (uint32_t i = 0; i < p->c; i++) to[i] = x[i] / norm;
  }
}

const struct mote_kernel mote_kernel_softmax_f32 = {NULL, softmax_row, NULL};
const struct mote_kernel mote_kernel_log_softmax_f32 = {NULL, log_softmax_row, NULL};
const struct mote_kernel mote_kernel_l2_normalization_f32 = {NULL, l2_normalization_row, NULL};

size_t mote_softmax_f32_state_bytes(const struct mote_softmax_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_log_softmax_f32_state_bytes(const struct mote_softmax_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_l2_normalization_f32_state_bytes(const struct mote_softmax_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_softmax_f32_check(const struct mote_softmax_f32 *p,
                                        const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->c == 0 || p->vectors == 0) return MOTE_ERR_PARAMS;
  const uint64_t n = (uint64_t)p->vectors * p->c;
  return mote_bounds_row(b, 0, n, sizeof(float)) && n <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
enum mote_status mote_log_softmax_f32_check(const struct mote_softmax_f32 *p,
                                            const struct mote_bounds *b) {
  return mote_softmax_f32_check(p, b);
}
enum mote_status mote_l2_normalization_f32_check(const struct mote_softmax_f32 *p,
                                                 const struct mote_bounds *b) {
  return mote_softmax_f32_check(p, b);
}
