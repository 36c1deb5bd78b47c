/* pool_f32: AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D in float32, and the mean over a map whose rows arrive one at
 * a time. Each channel's sum runs in the order of the window, so that the pool over a whole map and the mean give the
 * same bits. Padding is not counted; a window that lies in padding alone gives 0 (the reference refuses it). */
#include "mote/nn/lanes.h"

#define LOWEST -0x1.fffffep+127f

/* What is made of a window's values. */
enum what { AVERAGE, LARGEST, L2 };

/* Brings one pixel's channels into the sums (or the largest). */
static void take(const float *x, uint32_t c, enum what what, float *to) {
  switch (what) {
  case AVERAGE:
    for (; c; c--, to++) *to += *x++;
    break;
  case LARGEST:
    for (; c; c--, to++, x++)
      if (*x > *to) *to = *x;
    break;
  default:
    for (; c; c--, to++, x++) *to += *x * *x;
    break;
  }
}

static void finish(const struct mote_pool_f32 *p, uint32_t count, enum what what, float *to) {
  const float n = (float)count;
  for (uint32_t c = p->window.in_c; c; c--, to++) {
    float y = *to;
    if (what != LARGEST) y /= n;
    if (what == L2) y = mote_real_sqrt(y);
    *to = mote_real_clamp(count ? y : 0.0f, p->low, p->high);
  }
}

/* One pixel; the output holds the sums meanwhile. */
static void pixel(const struct mote_pool_f32 *p, const void *const *rows, uint32_t batch,
                  uint32_t r, struct mote_columns columns, enum what what, float *to) {
  const struct mote_window_2d *w = &p->window;
  uint32_t count = 0;
  for (uint32_t c = 0; c < w->in_c; c++) to[c] = what == LARGEST ? LOWEST : 0.0f;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const float *x = (const float *)mote_map_row(w, rows, sizeof *x, batch, r, ky);
    if (x == NULL || columns.from == columns.to) continue;
    x += (size_t)(columns.column + (int32_t)columns.from) * w->in_c;
    for (uint32_t n = columns.to - columns.from; n; n--, x += w->in_c, count++)
      take(x, w->in_c, what, to);
  }
  finish(p, count, what, to);
}

static void pool(const void *params, const void *const *rows, void *out, enum what what) {
  const struct mote_pool_f32 *p = (const struct mote_pool_f32 *)params;
  const struct mote_window_2d *w = &p->window;
  const uint32_t batches = mote_map_batches(w);
  float *to = (float *)out;
  for (uint32_t b = 0; b < batches; b++)
    for (uint32_t r = 0; r < w->rows_out; r++)
      for (uint32_t x = 0; x < w->out_w; x++, to += w->out_c)
        pixel(p, rows, b, r, mote_map_columns(w, x), what, to);
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
  return mote_bounds_row(b, 0, (uint64_t)p->w * p->c, sizeof(float)) &&
                 p->c <= b->state_bytes / sizeof(float) && p->c <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
