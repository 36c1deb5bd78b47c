/* pool_f32: AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D in float32, and the mean over a map whose rows arrive one at
 * a time. Each channel's sum runs in the order of the window, so that the pool over a whole map and the mean give the
 * same bits. Padding is not counted; a window that lies in padding alone gives 0 (the reference refuses it). */
#include "mote/nn/lanes.h"

#define LOWEST -0x1.fffffep+127f

/* What is made of a window's values. */
enum what { AVERAGE, LARGEST, L2 };

/* The window of one pixel. */
struct window {
  const struct mote_pool_f32 *p;
  const void *const *rows;
  uint32_t batch, r;
  struct mote_columns columns;
};

static float value_of(const struct window *at, uint32_t c, enum what what) {
  const struct mote_window_2d *w = &at->p->window;
  const uint32_t wide = at->columns.to - at->columns.from;
  const uint32_t column = (uint32_t)(at->columns.column + (int32_t)at->columns.from);
  float sum = what == LARGEST ? LOWEST : 0.0f;
  uint32_t count = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const float *x = (const float *)mote_map_row(w, at->rows, sizeof *x, at->batch, at->r, ky);
    if (x == NULL || wide == 0) continue;
    x += (size_t)column * w->in_c + c;
    for (uint32_t n = wide; n; n--, x += w->in_c) {
      if (what == LARGEST)
        sum = mote_real_max(sum, *x);
      else
        sum += what == L2 ? *x * *x : *x;
    }
    count += wide;
  }
  if (count == 0) return 0.0f;
  if (what == LARGEST) return sum;
  sum /= (float)count;
  return what == L2 ? mote_real_sqrt(sum) : sum;
}

static void pool(const void *params, const void *const *rows, void *out, enum what what) {
  const struct mote_pool_f32 *p = (const struct mote_pool_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const uint32_t batches = mote_map_batches(w);
  struct window at;
  float *to = (float *)out;
  at.p = p;
  at.rows = rows;
  for (at.batch = 0; at.batch < batches; at.batch++) {
    for (at.r = 0; at.r < w->rows_out; at.r++) {
      for (uint32_t x = 0; x < w->out_w; x++) {
        at.columns = mote_map_columns(w, x);
        for (uint32_t c = 0; c < w->in_c; c++)
          *to++ = mote_real_clamp(value_of(&at, c, what), p->low, p->high);
      }
    }
  }
}

static void average_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, AVERAGE);
}
static void max_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, LARGEST);
}
static void l2_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  pool(params, rows, out, L2);
}

const struct mote_kernel mote_kernel_average_pool_f32 = {NULL, average_row, NULL};
const struct mote_kernel mote_kernel_max_pool_f32 = {NULL, max_row, NULL};
const struct mote_kernel mote_kernel_l2_pool_f32 = {NULL, l2_row, NULL};

size_t mote_average_pool_f32_state_bytes(const struct mote_pool_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_max_pool_f32_state_bytes(const struct mote_pool_f32 *p) {
  (void)p;
  return 0;
}
size_t mote_l2_pool_f32_state_bytes(const struct mote_pool_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_average_pool_f32_check(const struct mote_pool_f32 *p,
                                             const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->window;
  if (w->out_c != w->in_c || w->dilation_w != 1) return MOTE_ERR_PARAMS;
  return mote_map_check(w, b, sizeof(float));
}
enum mote_status mote_max_pool_f32_check(const struct mote_pool_f32 *p,
                                         const struct mote_bounds *b) {
  return mote_average_pool_f32_check(p, b);
}
enum mote_status mote_l2_pool_f32_check(const struct mote_pool_f32 *p,
                                        const struct mote_bounds *b) {
  return mote_average_pool_f32_check(p, b);
}

/* ---- the mean over a map --------------------------------------------------------- */
static void mean_begin(const void *params, void *state) {
  const struct mote_mean_f32 *p = (const struct mote_mean_f32 *)params;
  float *sum = (float *)state;
  for (uint32_t c = 0; c < p->c; c++) sum[c] = 0.0f;
}

static void mean_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_mean_f32 *p = (const struct mote_mean_f32 *)params;
  const float *x = (const float *)rows[0];
  float *sum = (float *)state;
  (void)out;
  for (uint32_t i = 0; i < p->w; i++, x += p->c)
    for (uint32_t c = 0; c < p->c; c++) sum[c] += x[c];
}

static void mean_end(const void *params, void *state, void *out) {
  const struct mote_mean_f32 *p = (const struct mote_mean_f32 *)params;
  const float *sum = (const float *)state, count = (float)p->count;
  float *to = (float *)out;
  for (uint32_t c = 0; c < p->c; c++) to[c] = mote_real_clamp(sum[c] / count, p->low, p->high);
}

const struct mote_kernel mote_kernel_mean_f32 = {mean_begin, mean_row, mean_end};

size_t mote_mean_f32_state_bytes(const struct mote_mean_f32 *p) {
  return (size_t)p->c * sizeof(float);
}

enum mote_status mote_mean_f32_check(const struct mote_mean_f32 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->w == 0 || p->c == 0 || p->count == 0) return MOTE_ERR_PARAMS;
  return mote_edge_has(b, 0, (uint64_t)p->w * p->c, sizeof(float)) &&
                 p->c <= b->state_bytes / sizeof(float) && p->c <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
