/* pool: AVERAGE_POOL_2D and MAX_POOL_2D over windows whose rows all exist. Channels run innermost, so that
 * memory is read in order. Padding is not counted. */
#include "mote/nn/bounds.h"

/* The part of a window that lies inside a row. */
struct span {
  uint32_t first, n;
};

static struct span span_at(const struct mote_pool_s8 *p, uint32_t x) {
  const int32_t left = (int32_t)x * p->stride_w - p->pad_left, right = left + p->kernel_w;
  struct span s;
  s.first = left < 0 ? 0 : (uint32_t)left;
  const uint32_t end = right < 0 ? 0 : right > p->in_w ? p->in_w : (uint32_t)right;
  s.n = end > s.first ? end - s.first : 0;
  return s;
}

/* Halves away from zero. An empty window, which no honest plan has, gives 0. |sum| <= 2^7 * count. */
static int32_t rounded_mean(int32_t sum, int32_t count) {
  if (count == 0) return 0;
  return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

static int32_t average_at(const struct mote_pool_s8 *p, const void *const *rows, struct span s,
                          uint32_t c) {
  int32_t sum = 0, count = 0;
  for (uint32_t i = 0; i < p->kernel_h; i++) {
    if (rows[i] == NULL) continue;
    const int8_t *from = (const int8_t *)rows[i] + s.first * p->c + c;
    for (uint32_t j = 0; j < s.n; j++, from += p->c) sum += *from;
    count += (int32_t)s.n;
  }
  return rounded_mean(sum, count);
}

static int32_t largest_at(const struct mote_pool_s8 *p, const void *const *rows, struct span s,
                          uint32_t c) {
  int32_t largest = INT8_MIN;
  for (uint32_t i = 0; i < p->kernel_h; i++) {
    if (rows[i] == NULL) continue;
    const int8_t *from = (const int8_t *)rows[i] + s.first * p->c + c;
    for (uint32_t j = 0; j < s.n; j++, from += p->c)
      if (*from > largest) largest = *from;
  }
  return largest;
}

static inline void pool(const struct mote_pool_s8 *p, const void *const *rows, int8_t *out,
                        int32_t (*at)(const struct mote_pool_s8 *, const void *const *, struct span,
                                      uint32_t)) {
  for (uint32_t r = 0; r < p->rows_out; r++, rows += p->stride_h) {
    for (uint32_t x = 0; x < p->out_w; x++) {
      const struct span s = span_at(p, x);
      for (uint32_t c = 0; c < p->c; c++)
        *out++ = (int8_t)mote_clamp(at(p, rows, s, c), p->low, p->high);
    }
  }
}

static void average_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool((const struct mote_pool_s8 *)params, rows, (int8_t *)out, average_at);
}

static void max_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool((const struct mote_pool_s8 *)params, rows, (int8_t *)out, largest_at);
}

const struct mote_kernel mote_kernel_average_pool_s8 = {NULL, average_row, NULL};
const struct mote_kernel mote_kernel_max_pool_s8 = {NULL, max_row, NULL};

size_t mote_average_pool_s8_state_bytes(const struct mote_pool_s8 *p) {
  (void)p;
  return 0;
}
size_t mote_max_pool_s8_state_bytes(const struct mote_pool_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_max_pool_s8_check(const struct mote_pool_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->c == 0 || !mote_is_int8(p->low) || !mote_is_int8(p->high) || p->low > p->high)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, 1, p->pad_left))
    return MOTE_ERR_PARAMS;
  /* A sum of kernel_w * kernel_h int8 is an int32. */
  if ((uint64_t)p->kernel_w * p->kernel_h > (uint32_t)1 << 23) return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h) ||
      (uint64_t)p->in_w * p->c > b->row_bytes[0] ||
      (uint64_t)p->rows_out * p->out_w * p->c > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
enum mote_status mote_average_pool_s8_check(const struct mote_pool_s8 *p,
                                            const struct mote_bounds *b) {
  return mote_max_pool_s8_check(p, b);
}
