/* reduce: many elements to one along any axes, the place of the largest, and running sums. No accumulators: each
 * output is finished before the next begins. */
#include <string.h>

#include "mote/nn/walk.h"

/* Calls `body` for each reduced element of one output, `at` pointing to it. */
#define FOR_REDUCED(p, start, at, body)                                                            \
  do {                                                                                             \
    struct mote_walk inner_walk;                                                                   \
    mote_walk_begin(&inner_walk, &(p)->reduced, p);                                                \
    do {                                                                                           \
      const uint8_t *at = (start) + inner_walk.offset[0];                                          \
      for (uint32_t left = (p)->reduced.inner.n; left != 0;                                        \
           left--, at += (p)->reduced.inner.step[0])                                               \
        body                                                                                       \
    } while (mote_walk_next(&inner_walk));                                                         \
  } while (0)

/* Calls `body` for each output, `start` pointing to its first element. */
#define FOR_KEPT(p, in, start, body)                                                               \
  do {                                                                                             \
    struct mote_walk outer_walk;                                                                   \
    mote_walk_begin(&outer_walk, &(p)->kept, p);                                                   \
    do {                                                                                           \
      const uint8_t *start = (const uint8_t *)(in) + outer_walk.offset[0];                         \
      for (uint32_t n = (p)->kept.inner.n; n != 0; n--, start += (p)->kept.inner.step[0]) body     \
    } while (mote_walk_next(&outer_walk));                                                         \
  } while (0)

static void reduce_q_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_reduce_q *p = (const struct mote_reduce_q *)params;
  const unsigned type = p->bytes == 1 ? MOTE_INT8 : MOTE_INT16;
  uint8_t *to = (uint8_t *)out;
  (void)state;
  FOR_KEPT(p, rows[0], start, {
    uint32_t sum = 0u - (uint32_t)p->zero;
    FOR_REDUCED(p, start, at, { sum += (uint32_t)mote_load_int(at, type); });
    const int32_t q =
        mote_wrap_add(mote_requantise((int32_t)sum, p->multiplier, p->shift), p->out_zp);
    mote_store_int(to, type, mote_clamp(q, p->low, p->high));
    to += p->bytes;
  });
}

static void reduce_f32_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_reduce_f32 *p = (const struct mote_reduce_f32 *)params;
  float *to = (float *)out;
  (void)state;
  FOR_KEPT(p, rows[0], start, {
    float v = *(const float *)(const void *)start;
    if (p->reduction == MOTE_REDUCE_SUM) v = 0;
    if (p->reduction == MOTE_REDUCE_PRODUCT) v = 1;
    FOR_REDUCED(p, start, at, {
      const float x = *(const float *)(const void *)at;
      if (p->reduction == MOTE_REDUCE_SUM)
        v += x;
      else if (p->reduction == MOTE_REDUCE_PRODUCT)
        v *= x;
      else if (p->reduction == MOTE_REDUCE_MAX ? x > v : x < v)
        v = x;
    });
    *to++ = p->reduction == MOTE_REDUCE_SUM ? v / p->count : v;
  });
}

/* Whether x is beyond y in the wanted direction. */
static int beyond(const uint8_t *x, const uint8_t *y, unsigned type, unsigned reduction) {
  int order;
  if (type == MOTE_INT64) {
    int64_t a, b;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    order = (a > b) - (a < b);
  } else {
    const int32_t a = mote_load_int(x, type), b = mote_load_int(y, type);
    order = (a > b) - (a < b);
  }
  return reduction == MOTE_REDUCE_MAX ? order > 0 : order < 0;
}

/* And, or of all: bit 0 alone counts. */
static uint8_t combined(const struct mote_reduce *p, const uint8_t *start) {
  uint8_t v = p->reduction == MOTE_REDUCE_MIN;
  FOR_REDUCED(p, start, at, { v = p->reduction == MOTE_REDUCE_MIN ? v & *at : v | *at; });
  return v & 1;
}

/* Sums and products of int32 wrap. */
static uint32_t gathered(const struct mote_reduce *p, const uint8_t *start) {
  uint32_t v = p->reduction == MOTE_REDUCE_PRODUCT;
  FOR_REDUCED(p, start, at, {
    const uint32_t x = (uint32_t)mote_load_int(at, MOTE_INT32);
    v = p->reduction == MOTE_REDUCE_PRODUCT ? v * x : v + x;
  });
  return v;
}

static void reduce_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_reduce *p = (const struct mote_reduce *)params;
  const size_t size = mote_type_bytes(p->type);
  uint8_t *to = (uint8_t *)out;
  (void)state;
  FOR_KEPT(p, rows[0], start, {
    const uint8_t *best = start;
    if (p->type == MOTE_BOOL) {
      *to++ = combined(p, start);
      continue;
    }
    if (p->reduction != MOTE_REDUCE_MAX && p->reduction != MOTE_REDUCE_MIN) {
      mote_store_int(to, MOTE_INT32, (int32_t)gathered(p, start));
      to += size;
      continue;
    }
    FOR_REDUCED(p, start, at, {
      if (beyond(at, best, p->type, p->reduction)) best = at;
    });
    memcpy(to, best, size);
    to += size;
  });
}

const struct mote_kernel mote_kernel_reduce_q = {NULL, reduce_q_row, NULL};
const struct mote_kernel mote_kernel_reduce_f32 = {NULL, reduce_f32_row, NULL};
const struct mote_kernel mote_kernel_reduce_extreme = {NULL, reduce_row, NULL};

size_t mote_reduce_q_state_bytes(const struct mote_reduce_q *p) {
  (void)p;
  return 0;
}
size_t mote_reduce_f32_state_bytes(const struct mote_reduce_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_reduce_extreme_state_bytes(const struct mote_reduce *p) {
  (void)p;
  return 0;
}

/* The widest of both loops together lies in the input. */
static int loops_fit(const struct mote_loops *kept, const struct mote_loops *reduced, const void *p,
                     const struct mote_bounds *b, uint32_t size) {
  uint32_t outputs, each;
  if (!mote_loops_check(kept, p, b, 1, &outputs) || !mote_loops_check(reduced, p, b, 1, &each) ||
      !mote_bounds_row(b, 0, 1, size) || !mote_bounds_out(b, outputs, size))
    return 0;
  /* Steps are not negative in both: how far one reaches is taken from the limit of the other. */
  const struct mote_loops *both[2] = {kept, reduced};
  uint64_t far = 0;
  for (int i = 0; i < 2; i++) {
    const struct mote_axis *axes = (const struct mote_axis *)mote_at(p, both[i]->axes_at);
    for (uint32_t k = 0; k <= both[i]->axes; k++) {
      const struct mote_axis *axis = k < both[i]->axes ? &axes[k] : &both[i]->inner;
      if (axis->step[0] < 0) return 0;
      far += (uint64_t)(axis->n - 1) * (uint32_t)axis->step[0];
    }
  }
  /* Each element counts once: no hostile loop runs longer than the input. */
  return (uint64_t)outputs * each * size <= b->row_bytes[0] && far + size <= b->row_bytes[0] &&
         mote_loops_within(kept, p, 0, 0, size, b->row_bytes[0]) &&
         mote_loops_within(reduced, p, 0, 0, size, b->row_bytes[0]);
}

enum mote_status mote_reduce_q_check(const struct mote_reduce_q *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const int32_t low = p->bytes == 1 ? INT8_MIN : INT16_MIN,
                high = p->bytes == 1 ? INT8_MAX : INT16_MAX;
  if ((p->bytes != 1 && p->bytes != 2) || p->multiplier < 0 || p->shift < -31 || p->shift > 30 ||
      p->low < low || p->high > high || p->low > p->high)
    return MOTE_ERR_PARAMS;
  return loops_fit(&p->kept, &p->reduced, p, b, p->bytes) ? MOTE_OK : MOTE_ERR_BOUNDS;
}
enum mote_status mote_reduce_f32_check(const struct mote_reduce_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->reduction > MOTE_REDUCE_PRODUCT) return MOTE_ERR_PARAMS;
  return loops_fit(&p->kept, &p->reduced, p, b, 4) ? MOTE_OK : MOTE_ERR_BOUNDS;
}
enum mote_status mote_reduce_extreme_check(const struct mote_reduce *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const int picks = p->reduction == MOTE_REDUCE_MAX || p->reduction == MOTE_REDUCE_MIN;
  if (p->type > MOTE_INT64 || p->type == MOTE_FLOAT32 || p->reduction > MOTE_REDUCE_PRODUCT ||
      (!picks && p->type != MOTE_INT32))
    return MOTE_ERR_PARAMS;
  return loops_fit(&p->kept, &p->reduced, p, b, (uint32_t)mote_type_bytes(p->type))
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- the place of the largest ------------------------------------------------------- */
static int better(const struct mote_arg *p, const uint8_t *x, const uint8_t *best) {
  if (p->type == MOTE_FLOAT32) {
    const float a = *(const float *)(const void *)x, b = *(const float *)(const void *)best;
    if (a != a) return 0;
    return b != b || (p->smallest ? a < b : a > b);
  }
  const int32_t a = mote_load_int(x, p->type), b = mote_load_int(best, p->type);
  return p->smallest ? a < b : a > b;
}

static void arg_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_arg *p = (const struct mote_arg *)params;
  const size_t size = mote_type_bytes(p->type), step = p->inner * size;
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t o = 0; o < p->outer; o++)
    for (uint32_t i = 0; i < p->inner; i++) {
      const uint8_t *first = (const uint8_t *)rows[0] + (size_t)o * p->size * step + i * size;
      uint32_t best = 0;
      for (uint32_t k = 1; k < p->size; k++)
        if (better(p, first + k * step, first + best * step)) best = k;
      const int64_t wide = best;
      const int32_t narrow = (int32_t)best;
      if (p->out_type == MOTE_INT64)
        memcpy(to, &wide, 8);
      else
        memcpy(to, &narrow, 4);
      to += p->out_type == MOTE_INT64 ? 8 : 4;
    }
}

const struct mote_kernel mote_kernel_arg = {NULL, arg_row, NULL};

size_t mote_arg_state_bytes(const struct mote_arg *p) {
  (void)p;
  return 0;
}

/* outer * size * inner elements, or 0 where one is 0 or they do not fit in 31 bits. */
static uint32_t volume(uint32_t outer, uint32_t size, uint32_t inner) {
  const uint64_t a = (uint64_t)outer * size;
  if (a == 0 || a > INT32_MAX || inner == 0 || a * inner > INT32_MAX) return 0;
  return (uint32_t)(a * inner);
}

enum mote_status mote_arg_check(const struct mote_arg *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->type > MOTE_BOOL || p->smallest > 1 ||
      (p->out_type != MOTE_INT32 && p->out_type != MOTE_INT64))
    return MOTE_ERR_PARAMS;
  const uint32_t n = volume(p->outer, p->size, p->inner);
  if (n == 0 || !mote_bounds_row(b, 0, n, (uint32_t)mote_type_bytes(p->type)) ||
      !mote_bounds_out(b, n / p->size, p->out_type == MOTE_INT64 ? 8 : 4))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- running sums ---------------------------------------------------------------------- */
static void cumsum_f32_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_cumsum_f32 *p = (const struct mote_cumsum_f32 *)params;
  (void)state;
  for (uint32_t o = 0; o < p->outer; o++)
    for (uint32_t i = 0; i < p->inner; i++) {
      float total = 0;
      uint32_t whole = 0;
      for (uint32_t k = 0; k < p->size; k++) {
        const size_t at = ((size_t)o * p->size + (p->reverse ? p->size - 1 - k : k)) * p->inner + i;
        if (p->type == MOTE_FLOAT32) {
          const float x = ((const float *)rows[0])[at];
          ((float *)out)[at] = p->exclusive ? total : total + x;
          total += x;
        } else {
          const uint32_t x = ((const uint32_t *)rows[0])[at];
          ((uint32_t *)out)[at] = p->exclusive ? whole : whole + x;
          whole += x;
        }
      }
    }
}

static int32_t scaled(const struct mote_cumsum_s8 *p, int32_t x) {
  return mote_requantise((int32_t)((uint32_t)x << p->left_shift), p->multiplier, p->shift);
}

static void cumsum_s8_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_cumsum_s8 *p = (const struct mote_cumsum_s8 *)params;
  (void)state;
  for (uint32_t o = 0; o < p->outer; o++)
    for (uint32_t i = 0; i < p->inner; i++) {
      uint32_t total = (uint32_t)scaled(p, -p->zp);
      for (uint32_t k = 0; k < p->size; k++) {
        const size_t at = ((size_t)o * p->size + (p->reverse ? p->size - 1 - k : k)) * p->inner + i;
        const uint32_t before = total;
        total += (uint32_t)scaled(p, ((const int8_t *)rows[0])[at] - p->zp);
        const int32_t q = mote_requantise((int32_t)(p->exclusive ? before : total),
                                          p->out_multiplier, p->out_shift);
        ((int8_t *)out)[at] =
            (int8_t)mote_clamp((int32_t)((uint32_t)q + (uint32_t)p->out_zp), INT8_MIN, INT8_MAX);
      }
    }
}

const struct mote_kernel mote_kernel_cumsum_f32 = {NULL, cumsum_f32_row, NULL};
const struct mote_kernel mote_kernel_cumsum_s8 = {NULL, cumsum_s8_row, NULL};

size_t mote_cumsum_f32_state_bytes(const struct mote_cumsum_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_cumsum_s8_state_bytes(const struct mote_cumsum_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_cumsum_f32_check(const struct mote_cumsum_f32 *p,
                                       const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->type != MOTE_FLOAT32 && p->type != MOTE_INT32) return MOTE_ERR_PARAMS;
  const uint32_t n = volume(p->outer, p->size, p->inner);
  if (n == 0 || !mote_bounds_row(b, 0, n, 4) || !mote_bounds_out(b, n, 4)) return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
enum mote_status mote_cumsum_s8_check(const struct mote_cumsum_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 0 || p->out_multiplier < 0 || p->shift < -31 || p->shift > 30 ||
      p->out_shift < -31 || p->out_shift > 30 || p->left_shift > 20)
    return MOTE_ERR_PARAMS;
  const uint32_t n = volume(p->outer, p->size, p->inner);
  if (n == 0 || !mote_bounds_row(b, 0, n, 1) || !mote_bounds_out(b, n, 1)) return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
