/* general_pool: AVERAGE_POOL_2D and MAX_POOL_2D of int16 values, and of int8 values in the forms that pool.c leaves
 * out: several images, averages that round halves up. Padding is not counted. No state. */
#include "mote/nn/window.h"

struct pixel {
  const struct mote_pool *p;
  const void *const *rows;
  uint32_t image, r;
  struct mote_taps taps;
};

static inline int32_t value_at(const void *row, uint32_t at, uint32_t size) {
  return size == 1 ? ((const int8_t *)row)[at] : ((const int16_t *)row)[at];
}

/* Rounded: halves away from zero, or up. |sum| <= 2^15 * count, count <= 2^16. */
static inline int32_t mean_of(int32_t sum, int32_t count, int half_up) {
  if (count == 0) return 0;
  if (sum > 0) return (int32_t)(((uint32_t)sum + (uint32_t)count / 2) / (uint32_t)count);
  const uint32_t size = 0u - (uint32_t)sum;
  const uint32_t more = half_up ? ((uint32_t)count - 1) / 2 : (uint32_t)count / 2;
  return -(int32_t)((size + more) / (uint32_t)count);
}

static inline int32_t average_at(const struct pixel *x, uint32_t c, uint32_t size) {
  const struct mote_window *v = &x->p->window;
  const uint32_t row_bytes = (uint32_t)v->in_w * v->in_c * size;
  const uint32_t n = x->taps.end - x->taps.first;
  int32_t sum = 0, count = 0;
  for (uint32_t i = 0; i < v->kernel_h; i++) {
    const uint8_t *row = mote_window_row(v, x->rows, x->image, x->r, i, row_bytes);
    if (row == NULL) continue;
    uint32_t at = (uint32_t)x->taps.column * v->in_c + c;
    for (uint32_t j = 0; j < n; j++, at += v->in_c) sum += value_at(row, at, size);
    count += (int32_t)n;
  }
  return mean_of(sum, count, x->p->half_up);
}

static inline int32_t largest_at(const struct pixel *x, uint32_t c, uint32_t size) {
  const struct mote_window *v = &x->p->window;
  const uint32_t row_bytes = (uint32_t)v->in_w * v->in_c * size;
  const uint32_t n = x->taps.end - x->taps.first;
  int32_t largest = size == 1 ? INT8_MIN : INT16_MIN;
  for (uint32_t i = 0; i < v->kernel_h; i++) {
    const uint8_t *row = mote_window_row(v, x->rows, x->image, x->r, i, row_bytes);
    if (row == NULL) continue;
    uint32_t at = (uint32_t)x->taps.column * v->in_c + c;
    for (uint32_t j = 0; j < n; j++, at += v->in_c) {
      const int32_t value = value_at(row, at, size);
      if (value > largest) largest = value;
    }
  }
  return largest;
}

static inline void pool(const void *params, const void *const *rows, void *out, uint32_t size,
                        int32_t (*at_pixel)(const struct pixel *, uint32_t, uint32_t)) {
  const struct mote_pool *p = (const struct mote_pool *)params;
  const struct mote_window *v = &p->window;
  struct pixel x = {.p = p, .rows = rows};
  uint32_t at = 0;
  for (x.image = 0; x.image < mote_window_images(v); x.image++)
    for (x.r = 0; x.r < mote_window_rows(v); x.r++)
      for (uint32_t column = 0; column < v->out_w; column++) {
        x.taps = mote_window_taps(v, column);
        for (uint32_t c = 0; c < v->out_c; c++)
          mote_put(out, at++, mote_clamp(at_pixel(&x, c, size), p->low, p->high), size);
      }
}

static void average_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, 1, average_at);
}
static void average_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, 2, average_at);
}
static void max_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, 1, largest_at);
}
static void max_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, 2, largest_at);
}

const struct mote_kernel mote_kernel_average_pool_general_s8 = {NULL, average_s8, NULL};
const struct mote_kernel mote_kernel_average_pool_s16 = {NULL, average_s16, NULL};
const struct mote_kernel mote_kernel_max_pool_general_s8 = {NULL, max_s8, NULL};
const struct mote_kernel mote_kernel_max_pool_s16 = {NULL, max_s16, NULL};

static enum mote_status check(const struct mote_pool *p, const struct mote_bounds *b,
                              uint32_t size) {
  const struct mote_window *v = &p->window;
  const int32_t most = size == 1 ? INT8_MAX : INT16_MAX;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const enum mote_status status = mote_window_check(v, b, size);
  if (status != MOTE_OK) return status;
  if (v->in_c != v->out_c || v->dilation_w != 1 || v->dilation_h != 1 || p->low > p->high ||
      p->low < -most - 1 || p->high > most || p->half_up > 1)
    return MOTE_ERR_PARAMS;
  /* A sum of the window is an int32. */
  if ((uint64_t)v->kernel_w * v->kernel_h > 1u << (size == 1 ? 23 : 15)) return MOTE_ERR_PARAMS;
  if (v->images == 0 && !mote_bounds_rows(b, v->rows_out, v->stride_h, v->kernel_h))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

#define FUNCTIONS(stem, size)                                                                      \
  enum mote_status mote_##stem##_check(const struct mote_pool *p, const struct mote_bounds *b) {   \
    return check(p, b, size);                                                                      \
  }                                                                                                \
  size_t mote_##stem##_state_bytes(const struct mote_pool *p) {                                    \
    (void)p;                                                                                       \
    return 0;                                                                                      \
  }
FUNCTIONS(average_pool_general_s8, 1)
FUNCTIONS(average_pool_s16, 2)
FUNCTIONS(max_pool_general_s8, 1)
FUNCTIONS(max_pool_s16, 2)
