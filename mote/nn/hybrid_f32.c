/* hybrid_f32: float32 activations with int8 weights. The input is quantised in the state, products are summed in
 * integers (exactly), and only the scaling back is done in float32. See real.h. */
#include "mote/nn/lanes.h"

#include <string.h>

#define MOST_PRODUCTS 65535u /* times 128 * 255 stays below 2^31 */

/* How an input was quantised: x = scale * (q - zp). */
struct quantised {
  float scale;
  int32_t zp;
};

/* The whole number nearest to x, halves away from zero, within low..high; NaN gives 0. */
static int8_t nearest(float x, int32_t low, int32_t high) {
  if (x != x) return 0;
  if (x <= (float)low) return (int8_t)low;
  if (x >= (float)high) return (int8_t)high;
  const int32_t whole = (int32_t)x;
  const float rest = x - (float)whole; /* exact */
  return (int8_t)(whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0));
}

static struct quantised quantise_symmetric(const float *x, size_t n, int8_t *to) {
  struct quantised q = {1.0f, 0};
  float most = 0.0f;
  for (size_t i = 0; i < n; i++) most = mote_real_max(mote_real_abs(x[i]), most);
  if (most == 0.0f) {
    memset(to, 0, n);
    return q;
  }
  const float inverse = 127.0f / most;
  q.scale = most / 127.0f;
  for (size_t i = 0; i < n; i++) to[i] = nearest(x[i] * inverse, -127, 127);
  return q;
}

/* source: the zero point is found in double, from the end of the range that has the smaller error. */
static int32_t zero_point(double low, double high, double scale) {
  const double from_low = -128.0 - low / scale, from_high = 127.0 - high / scale;
  const double zp = 128.0 - low / scale < 127.0 + high / scale ? from_low : from_high;
  if (zp <= -128.0) return -128;
  if (zp >= 127.0) return 127;
  const int32_t whole = (int32_t)zp;
  const double rest = zp - (double)whole;
  return whole + (rest >= 0.5 ? 1 : rest <= -0.5 ? -1 : 0);
}

static struct quantised quantise_asymmetric(const float *x, size_t n, int8_t *to) {
  struct quantised q = {1.0f, 0};
  float low = 0.0f, high = 0.0f;
  for (size_t i = 0; i < n; i++) {
    low = mote_real_min(x[i], low);
    high = mote_real_max(x[i], high);
  }
  /* A range that is no number, or too small for a scale that is one, counts as none. */
  const double scale = ((double)high - (double)low) / 255.0;
  if (!((float)scale > 0.0f) || !(1.0f / (float)scale < 0x1.fffffep+127f)) {
    memset(to, 0, n);
    return q;
  }
  q.zp = zero_point((double)low, (double)high, scale);
  q.scale = (float)scale;
  const float inverse = 1.0f / q.scale, zp = (float)q.zp;
  for (size_t i = 0; i < n; i++) to[i] = nearest(zp + x[i] * inverse, -128, 127);
  return q;
}

static struct quantised quantise(const struct mote_hybrid *h, const float *x, size_t n,
                                 int8_t *to) {
  return h->asymmetric ? quantise_asymmetric(x, n, to) : quantise_symmetric(x, n, to);
}

static int32_t dot(const int8_t *q, const int8_t *w, uint32_t n, int32_t zp) {
  int32_t sum = 0;
  for (; n >= 4; n -= 4, q += 4, w += 4)
    sum += w[0] * (q[0] - zp) + w[1] * (q[1] - zp) + w[2] * (q[2] - zp) + w[3] * (q[3] - zp);
  for (; n; n--) sum += *w++ * (*q++ - zp);
  return sum;
}

/* The scale of channel c; h: at `at` bytes of the parameters. */
static float scale_of(const struct mote_hybrid *h, const void *params, uint32_t c) {
  return h->scale_at ? ((const float *)mote_at(params, h->scale_at))[c] : h->scale;
}

/* A sum as a real number: the order of the products is the definition's. */
static float real_of(const struct mote_hybrid *h, const void *params, struct quantised q,
                     uint32_t c, int32_t sum) {
  if (h->scale_at) return (float)sum * scale_of(h, params, c) * q.scale;
  return (float)sum * (q.scale * h->scale);
}

static int scales_hold(const struct mote_hybrid *h, const struct mote_bounds *b, uint64_t n) {
  if (h->scale_at == 0) return 1;
  return h->scale_at > 0 && h->scale_at % 4 == 0 && n * sizeof(float) <= b->params_bytes &&
         (uint64_t)h->scale_at <= b->params_bytes - n * sizeof(float);
}

/* ---- convolutions --------------------------------------------------------------- */
/* The sum of output channel o at one pixel; image: the quantised image, as the rows of mote_map_row. */
static int32_t conv_sum(const struct mote_conv2d_f32 *p, const void *const *image,
                        const int8_t *weights, uint32_t r, const struct mote_columns *at,
                        uint32_t first_c, int32_t zp) {
  const struct mote_window_2d *w = &p->window;
  /* As in conv2d_f32.c, a run is what lies contiguous in input and weights. */
  const int joined = w->dilation_w == 1 && p->group_c == w->in_c;
  const uint32_t run = joined ? (at->to - at->from) * p->group_c : p->group_c;
  int32_t sum = 0;
  for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
    const int8_t *row = (const int8_t *)mote_map_row(w, image, 1, 0, r, ky);
    if (row == NULL) continue;
    for (uint32_t kx = at->from; kx < at->to; kx++) {
      const uint32_t column = (uint32_t)(at->column + (int32_t)(kx * w->dilation_w));
      sum += dot(row + (size_t)column * w->in_c + first_c,
                 weights + (size_t)(ky * w->kernel_w + kx) * p->group_c, run, zp);
      if (joined) break;
    }
  }
  return sum;
}

static void conv_image(const struct mote_conv2d_hybrid *h, const void *const *rows,
                       const int8_t *copy, struct quantised q, float *out) {
  const struct mote_conv2d_f32 *p = &h->conv;
  const struct mote_window_2d *w = &p->window;
  const int8_t *weights = (const int8_t *)rows[1];
  const float *bias = p->bias ? (const float *)rows[2] : NULL;
  const void *const image[1] = {copy};
  const size_t block = (size_t)w->kernel_h * w->kernel_w * p->group_c;
  const uint32_t filters = w->out_c / (w->in_c / p->group_c);
  for (uint32_t r = 0; r < w->rows_out; r++) {
    for (uint32_t x = 0; x < w->out_w; x++, out += w->out_c) {
      const struct mote_columns at = mote_map_columns(w, x);
      for (uint32_t o = 0; o < w->out_c; o++) {
        const int32_t sum =
            conv_sum(p, image, weights + o * block, r, &at, o / filters * p->group_c, q.zp);
        const float y = real_of(&h->hybrid, h, q, o, sum);
        out[o] = mote_real_clamp(bias ? y + bias[o] : y, p->low, p->high);
      }
    }
  }
}

static void conv_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_hybrid *h = (const struct mote_conv2d_hybrid *)params;
  const struct mote_window_2d *w = &h->conv.window;
  const size_t in = (size_t)w->in_h * w->in_w * w->in_c;
  const size_t made = (size_t)w->rows_out * w->out_w * w->out_c;
  for (uint32_t b = 0; b < w->batches; b++) {
    const struct quantised q =
        quantise(&h->hybrid, (const float *)rows[0] + b * in, in, (int8_t *)state);
    conv_image(h, rows, (const int8_t *)state, q, (float *)out + b * made);
  }
}

static void depthwise_image(const struct mote_depthwise_conv2d_hybrid *h, const void *const *rows,
                            const int8_t *copy, struct quantised q, float *out) {
  const struct mote_depthwise_conv2d_f32 *p = &h->conv;
  const struct mote_window_2d *w = &p->window;
  const int8_t *weights = (const int8_t *)rows[1];
  const float *bias = p->bias ? (const float *)rows[2] : NULL;
  const void *const image[1] = {copy};
  for (uint32_t r = 0; r < w->rows_out; r++) {
    for (uint32_t x = 0; x < w->out_w; x++, out += w->out_c) {
      const struct mote_columns at = mote_map_columns(w, x);
      for (uint32_t o = 0; o < w->out_c; o++) {
        int32_t sum = 0;
        for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
          const int8_t *row = (const int8_t *)mote_map_row(w, image, 1, 0, r, ky);
          if (row == NULL) continue;
          for (uint32_t kx = at.from; kx < at.to; kx++) {
            const uint32_t column = (uint32_t)(at.column + (int32_t)(kx * w->dilation_w));
            sum += weights[(size_t)(ky * w->kernel_w + kx) * w->out_c + o] *
                   (row[(size_t)column * w->in_c + o / p->multiplier] - q.zp);
          }
        }
        const float y = real_of(&h->hybrid, h, q, o, sum);
        out[o] = mote_real_clamp(bias ? y + bias[o] : y, p->low, p->high);
      }
    }
  }
}

static void depthwise_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_hybrid *h =
      (const struct mote_depthwise_conv2d_hybrid *)params;
  const struct mote_window_2d *w = &h->conv.window;
  const size_t in = (size_t)w->in_h * w->in_w * w->in_c;
  const size_t made = (size_t)w->rows_out * w->out_w * w->out_c;
  for (uint32_t b = 0; b < w->batches; b++) {
    const struct quantised q =
        quantise(&h->hybrid, (const float *)rows[0] + b * in, in, (int8_t *)state);
    depthwise_image(h, rows, (const int8_t *)state, q, (float *)out + b * made);
  }
}

const struct mote_kernel mote_kernel_conv2d_hybrid = {NULL, conv_row, NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_hybrid = {NULL, depthwise_row, NULL};

static size_t image_bytes(const struct mote_window_2d *w) {
  return (size_t)w->in_h * w->in_w * w->in_c;
}
size_t mote_conv2d_hybrid_state_bytes(const struct mote_conv2d_hybrid *p) {
  return image_bytes(&p->conv.window);
}
size_t mote_depthwise_conv2d_hybrid_state_bytes(const struct mote_depthwise_conv2d_hybrid *p) {
  return image_bytes(&p->conv.window);
}

/* What both convolutions need: whole maps, room for an image, weights and bias. products: of an output. */
static enum mote_status conv_check(const struct mote_window_2d *w, const struct mote_hybrid *h,
                                   const struct mote_bounds *b, uint64_t weights, uint64_t products,
                                   uint32_t bias) {
  const enum mote_status status = mote_map_check(w, b, sizeof(float));
  if (status != MOTE_OK) return status;
  if (!w->whole || bias > 1 || products > MOST_PRODUCTS || h->asymmetric > 1)
    return MOTE_ERR_PARAMS;
  return mote_bounds_row(b, 1, weights, 1) &&
                 (!bias || mote_bounds_row(b, 2, w->out_c, sizeof(float))) &&
                 scales_hold(h, b, w->out_c) &&
                 (uint64_t)w->in_h * w->in_w * w->in_c <= b->state_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

enum mote_status mote_conv2d_hybrid_check(const struct mote_conv2d_hybrid *p,
                                          const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->conv.window;
  const uint64_t block = (uint64_t)w->kernel_h * w->kernel_w * p->conv.group_c;
  if (p->conv.group_c == 0 || w->in_c == 0 || w->in_c % p->conv.group_c ||
      w->out_c % (w->in_c / p->conv.group_c))
    return MOTE_ERR_PARAMS;
  return conv_check(w, &p->hybrid, b, block * w->out_c, block, p->conv.bias);
}

enum mote_status mote_depthwise_conv2d_hybrid_check(const struct mote_depthwise_conv2d_hybrid *p,
                                                    const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const struct mote_window_2d *w = &p->conv.window;
  const uint64_t taps = (uint64_t)w->kernel_h * w->kernel_w;
  if (p->conv.multiplier == 0 || (uint32_t)w->in_c * p->conv.multiplier != w->out_c)
    return MOTE_ERR_PARAMS;
  return conv_check(w, &p->hybrid, b, taps * w->out_c, taps, p->conv.bias);
}

/* ---- vectors ---------------------------------------------------------------------- */
static void dense_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_fully_connected_hybrid *h = (const struct mote_fully_connected_hybrid *)params;
  const struct mote_fully_connected_f32 *p = &h->dense;
  const float *x = (const float *)rows[0], *bias = p->bias ? (const float *)rows[2] : NULL;
  int8_t *copy = (int8_t *)state;
  float *to = (float *)out;
  for (uint32_t v = 0; v < p->vectors; v++, x += p->in_c) {
    const struct quantised q = quantise(&h->hybrid, x, p->in_c, copy);
    const int8_t *w = (const int8_t *)rows[1];
    for (uint32_t o = 0; o < p->out_c; o++, w += p->in_c) {
      const float y =
          (float)dot(copy, w, p->in_c, q.zp) * (q.scale * scale_of(&h->hybrid, params, o));
      *to++ = mote_real_clamp(bias ? bias[o] + y : y, p->low, p->high);
    }
  }
}

const struct mote_kernel mote_kernel_fully_connected_hybrid = {NULL, dense_row, NULL};

size_t mote_fully_connected_hybrid_state_bytes(const struct mote_fully_connected_hybrid *p) {
  return p->dense.in_c;
}

enum mote_status mote_fully_connected_hybrid_check(const struct mote_fully_connected_hybrid *h,
                                                   const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *h) return MOTE_ERR_BOUNDS;
  const struct mote_fully_connected_f32 *p = &h->dense;
  if (p->in_c == 0 || p->in_c > MOST_PRODUCTS || p->out_c == 0 || p->vectors == 0 || p->bias > 1 ||
      h->hybrid.asymmetric > 1)
    return MOTE_ERR_PARAMS;
  return mote_bounds_row(b, 0, (uint64_t)p->vectors * p->in_c, sizeof(float)) &&
                 mote_bounds_row(b, 1, (uint64_t)p->out_c * p->in_c, 1) &&
                 (!p->bias || mote_bounds_row(b, 2, p->out_c, sizeof(float))) &&
                 scales_hold(&h->hybrid, b, p->out_c) && p->in_c <= b->state_bytes &&
                 (uint64_t)p->vectors * p->out_c <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

static void svdf_row(const void *params, const void *const *rows, void *scratch, void *out) {
  const struct mote_svdf_hybrid *h = (const struct mote_svdf_hybrid *)params;
  const struct mote_svdf_f32 *p = &h->svdf;
  const float *x = (const float *)rows[0], *bias = p->bias ? (const float *)rows[3] : NULL;
  float *state = (float *)(uintptr_t)rows[3 + p->bias], *to = (float *)out;
  int8_t *copy = (int8_t *)scratch;
  for (uint32_t b = 0; b < p->batches; b++, x += p->in_c, to += p->filters / p->rank) {
    const struct quantised q = quantise(&h->hybrid, x, p->in_c, copy);
    const int8_t *w = (const int8_t *)rows[1];
    const float scale = q.scale * h->hybrid.scale;
    float *of = state;
    for (uint32_t f = 0; f < p->filters; f++, w += p->in_c, of += p->memory) {
      memmove(of, of + 1, (size_t)(p->memory - 1) * sizeof *of);
      of[p->memory - 1] = (float)dot(copy, w, p->in_c, q.zp) * scale;
    }
    mote_svdf_units_f32(p, state, (const float *)rows[2], bias, to);
    state = of;
  }
}

const struct mote_kernel mote_kernel_svdf_hybrid = {NULL, svdf_row, NULL};

size_t mote_svdf_hybrid_state_bytes(const struct mote_svdf_hybrid *p) { return p->svdf.in_c; }

enum mote_status mote_svdf_hybrid_check(const struct mote_svdf_hybrid *h,
                                        const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *h) return MOTE_ERR_BOUNDS;
  if (h->svdf.in_c > MOST_PRODUCTS || h->hybrid.asymmetric > 1 || h->hybrid.scale_at != 0)
    return MOTE_ERR_PARAMS;
  if (h->svdf.in_c > b->state_bytes) return MOTE_ERR_BOUNDS;
  return mote_svdf_real_check(&h->svdf, b, 1);
}
