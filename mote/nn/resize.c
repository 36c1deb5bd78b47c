/* resize: pixels of an image of another size, the nearest or blended from four. Images are NHWC and whole. */
#include <string.h>

#include "mote/nn/walk.h"

static void nearest_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_resize_nearest *p = (const struct mote_resize_nearest *)params;
  const uint16_t *from_row = (const uint16_t *)mote_at(p, p->rows_at);
  const uint16_t *from_column = (const uint16_t *)mote_at(p, p->columns_at);
  const size_t row_bytes = (size_t)p->in_w * p->pixel_bytes;
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (unsigned n = 0; n < p->batches; n++, in += row_bytes * p->in_h)
    for (unsigned y = 0; y < p->out_h; y++)
      for (unsigned x = 0; x < p->out_w; x++, to += p->pixel_bytes)
        memmove(to, in + from_row[y] * row_bytes + (size_t)from_column[x] * p->pixel_bytes,
                p->pixel_bytes);
}

const struct mote_kernel mote_kernel_resize_nearest = {NULL, nearest_row, NULL};

size_t mote_resize_nearest_state_bytes(const struct mote_resize_nearest *p) {
  (void)p;
  return 0;
}

/* batches * h * w pixels of some bytes lie in a limit. */
static int image_fits(uint32_t batches, uint32_t h, uint32_t w, uint64_t pixel_bytes,
                      size_t limit) {
  const uint64_t pixels = (uint64_t)h * w * batches; /* < 2^48 */
  return pixels != 0 && pixel_bytes != 0 && pixel_bytes <= limit && pixels <= limit / pixel_bytes;
}

enum mote_status mote_resize_nearest_check(const struct mote_resize_nearest *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_constant(b, p->rows_at, 2 * (uint64_t)p->out_h) ||
      !mote_bounds_constant(b, p->columns_at, 2 * (uint64_t)p->out_w) ||
      !mote_bounds_row(b, 0, 1, 1))
    return MOTE_ERR_BOUNDS;
  const uint16_t *from_row = (const uint16_t *)mote_at(p, p->rows_at);
  const uint16_t *from_column = (const uint16_t *)mote_at(p, p->columns_at);
  for (unsigned y = 0; y < p->out_h; y++)
    if (from_row[y] >= p->in_h) return MOTE_ERR_BOUNDS;
  for (unsigned x = 0; x < p->out_w; x++)
    if (from_column[x] >= p->in_w) return MOTE_ERR_BOUNDS;
  if (!image_fits(p->batches, p->in_h, p->in_w, p->pixel_bytes, b->row_bytes[0]) ||
      !image_fits(p->batches, p->out_h, p->out_w, p->pixel_bytes, b->out_bytes))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- bilinear, int8 -------------------------------------------------------------- */
/* Two neighbours along an axis and the weight of the second, in 1/1024. */
struct between {
  int32_t low, high, weight;
};
static struct between between_s8(int32_t i, int32_t scale, int half, int32_t size) {
  const int32_t at = i * scale + (half ? scale / 2 - 512 : 0); /* scale_fits: below 2^28 */
  struct between b;
  b.low = at / 1024 > 0 ? at / 1024 : 0;
  b.high = (at + 1023) / 1024;
  if (b.high > size - 1) b.high = size - 1;
  if (b.low > size - 1) b.low = size - 1;
  if (b.high < 0) b.high = 0;
  b.weight = at - 1024 * b.low;
  return b;
}

static void bilinear_s8_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_resize_bilinear_s8 *p = (const struct mote_resize_bilinear_s8 *)params;
  const size_t row_n = (size_t)p->in_w * p->c;
  const int8_t *in = (const int8_t *)rows[0];
  int8_t *to = (int8_t *)out;
  (void)state;
  for (unsigned n = 0; n < p->batches; n++, in += row_n * p->in_h)
    for (int32_t y = 0; y < p->out_h; y++) {
      const struct between v = between_s8(y, p->scale_h, p->half_pixel != 0, p->in_h);
      const int8_t *above = in + (size_t)v.low * row_n, *below = in + (size_t)v.high * row_n;
      for (int32_t x = 0; x < p->out_w; x++) {
        const struct between h = between_s8(x, p->scale_w, p->half_pixel != 0, p->in_w);
        const size_t left = (size_t)h.low * p->c, right = (size_t)h.high * p->c;
        /* A weight is below 2^27 (scale_fits), so the sum of four products below 2^63. */
        const int64_t a = (int64_t)(1024 - v.weight) * (1024 - h.weight),
                      b = (int64_t)v.weight * (1024 - h.weight),
                      c = (int64_t)(1024 - v.weight) * h.weight, d = (int64_t)v.weight * h.weight;
        for (unsigned k = 0; k < p->c; k++) {
          const int64_t sum = above[left + k] * a + below[left + k] * b + above[right + k] * c +
                              below[right + k] * d;
          const int64_t half = sum > 0 ? (int32_t)1 << 19 : -(1 << 19);
          *to++ = (int8_t)((sum + half) / ((int32_t)1 << 20));
        }
      }
    }
}

const struct mote_kernel mote_kernel_resize_bilinear_s8 = {NULL, bilinear_s8_row, NULL};

size_t mote_resize_bilinear_s8_state_bytes(const struct mote_resize_bilinear_s8 *p) {
  (void)p;
  return 0;
}

/* Positions end about where the input does, so that weights stay below 2^27 and the sum of four products below 2^63. A
 * scale's rounding moves the last position by out / 2 at most. */
static int scale_fits(int32_t scale, uint32_t in, uint32_t out) {
  if (scale < 0 || scale > (int32_t)1 << 26 || out == 0) return 0;
  return (int64_t)scale * (out - 1) <= (int64_t)in * 1024 + out + scale;
}

enum mote_status mote_resize_bilinear_s8_check(const struct mote_resize_bilinear_s8 *p,
                                               const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_row(b, 0, 1, 1)) return MOTE_ERR_BOUNDS;
  if (!scale_fits(p->scale_h, p->in_h, p->out_h) || !scale_fits(p->scale_w, p->in_w, p->out_w))
    return MOTE_ERR_PARAMS;
  if (!image_fits(p->batches, p->in_h, p->in_w, p->c, b->row_bytes[0]) ||
      !image_fits(p->batches, p->out_h, p->out_w, p->c, b->out_bytes))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- bilinear, float --------------------------------------------------------------- */
struct between_f32 {
  int32_t low, high;
  float weight;
};
static int32_t into(float x, int32_t most) {
  return x > 0 ? x < (float)most ? (int32_t)x : most : 0;
}
static struct between_f32 between_real(int32_t i, float scale, int half, int32_t size) {
  const float at = half ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
  struct between_f32 b;
  b.low = into(mote_real_floor(at), size - 1);
  b.high = into(mote_real_ceil(at), size - 1);
  b.weight = at - (float)b.low;
  return b;
}

static void bilinear_f32_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_resize_bilinear_f32 *p = (const struct mote_resize_bilinear_f32 *)params;
  const size_t row_n = (size_t)p->in_w * p->c;
  const float *in = (const float *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (unsigned n = 0; n < p->batches; n++, in += row_n * p->in_h)
    for (int32_t y = 0; y < p->out_h; y++) {
      const struct between_f32 v = between_real(y, p->scale_h, p->half_pixel != 0, p->in_h);
      const float *above = in + (size_t)v.low * row_n, *below = in + (size_t)v.high * row_n;
      for (int32_t x = 0; x < p->out_w; x++) {
        const struct between_f32 h = between_real(x, p->scale_w, p->half_pixel != 0, p->in_w);
        const size_t left = (size_t)h.low * p->c, right = (size_t)h.high * p->c;
        for (unsigned k = 0; k < p->c; k++)
          *to++ = above[left + k] * (1 - v.weight) * (1 - h.weight) +
                  below[left + k] * v.weight * (1 - h.weight) +
                  above[right + k] * (1 - v.weight) * h.weight +
                  below[right + k] * v.weight * h.weight;
      }
    }
}

const struct mote_kernel mote_kernel_resize_bilinear_f32 = {NULL, bilinear_f32_row, NULL};

size_t mote_resize_bilinear_f32_state_bytes(const struct mote_resize_bilinear_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_resize_bilinear_f32_check(const struct mote_resize_bilinear_f32 *p,
                                                const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_row(b, 0, 1, 4) || !mote_bounds_out(b, 1, 4))
    return MOTE_ERR_BOUNDS;
  if (!image_fits(p->batches, p->in_h, p->in_w, 4 * (uint64_t)p->c, b->row_bytes[0]) ||
      !image_fits(p->batches, p->out_h, p->out_w, 4 * (uint64_t)p->c, b->out_bytes))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
