/* rescale: values of one type and scale as those of another: QUANTIZE, DEQUANTIZE, CAST, and the int16 forms of
 * RELU and ABS. */
#include <string.h>

#include "mote/nn/walk.h"

static int is_scaled_type(unsigned type) {
  return type == MOTE_INT8 || type == MOTE_UINT8 || type == MOTE_INT16 || type == MOTE_INT32;
}
static uint32_t size_of(unsigned type) { return (uint32_t)mote_type_bytes((int)type); }

/* low..high lie in what an integer type holds. */
static int is_range_of(unsigned type, int32_t low, int32_t high) {
  if (low > high) return 0;
  switch (type) {
  case MOTE_INT8: return low >= INT8_MIN && high <= INT8_MAX;
  case MOTE_UINT8: return low >= 0 && high <= (int32_t)UINT8_MAX;
  case MOTE_INT16: return low >= INT16_MIN && high <= INT16_MAX;
  default: return 1;
  }
}

/* ---- integers -------------------------------------------------------------- */
static void rescale_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_rescale *p = (const struct mote_rescale *)params;
  const uint32_t in_size = size_of(p->in_type), out_size = size_of(p->out_type);
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++, in += in_size, to += out_size) {
    uint32_t x = (uint32_t)mote_load_int(in, p->in_type) - (uint32_t)p->in_zp;
    if (p->absolute && (int32_t)x < 0) x = 0u - x;
    const int32_t q = (int32_t)((uint32_t)mote_requantise((int32_t)x, p->multiplier, p->shift) +
                                (uint32_t)p->out_zp);
    mote_store_int(to, p->out_type, mote_clamp(q, p->low, p->high));
  }
}

const struct mote_kernel mote_kernel_rescale = {NULL, rescale_row, NULL};

size_t mote_rescale_state_bytes(const struct mote_rescale *p) {
  (void)p;
  return 0;
}

enum mote_status mote_rescale_check(const struct mote_rescale *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!is_scaled_type(p->in_type) || !is_scaled_type(p->out_type) || p->absolute > 1 ||
      p->multiplier < 0 || p->shift < -31 || p->shift > 30 ||
      !is_range_of(p->out_type, p->low, p->high))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, size_of(p->in_type)) ||
      !mote_bounds_out(b, p->n, size_of(p->out_type)))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- reciprocal roots ----------------------------------------------------------- */
static void rsqrt_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_rsqrt_s16 *p = (const struct mote_rsqrt_s16 *)params;
  const int16_t *in = (const int16_t *)rows[0];
  int16_t *to = (int16_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++) {
    int32_t inverse, q = INT16_MAX;
    int shift;
    if (in[i] > 0) {
      mote_fixed_inverse_root(in[i], &inverse, &shift); /* shift >= -11 */
      q = mote_requantise(mote_requantise(1, inverse, shift + 20), p->multiplier, p->shift - 20);
    }
    to[i] = (int16_t)mote_clamp(q, INT16_MIN, INT16_MAX);
  }
}

const struct mote_kernel mote_kernel_rsqrt_s16 = {NULL, rsqrt_row, NULL};

size_t mote_rsqrt_s16_state_bytes(const struct mote_rsqrt_s16 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_rsqrt_s16_check(const struct mote_rsqrt_s16 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->multiplier < 0 || p->shift < -11 || p->shift > 30) return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, 2) || !mote_bounds_out(b, p->n, 2)) return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- float to integer and back ------------------------------------------------ */
/* The nearest integer, halves away from zero, saturated; 0 for a NaN. */
static int32_t nearest(float x) {
  if (!(x > -2147483648.0f)) return x <= -2147483648.0f ? INT32_MIN : 0;
  if (x >= 2147483648.0f) return INT32_MAX;
  const int32_t whole = (int32_t)x;    /* towards zero */
  const float rest = x - (float)whole; /* exact: |x| < 2^24, or x is whole */
  return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

static void quantise_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_quantise_f32 *p = (const struct mote_quantise_f32 *)params;
  const uint32_t size = size_of(p->out_type);
  const float *in = (const float *)rows[0];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++, to += size) {
    int64_t q = (int64_t)nearest(in[i] / p->scale) + p->zp;
    if (q < p->low) q = p->low;
    if (q > p->high) q = p->high;
    mote_store_int(to, p->out_type, (int32_t)q);
  }
}

const struct mote_kernel mote_kernel_quantise_f32 = {NULL, quantise_row, NULL};

size_t mote_quantise_f32_state_bytes(const struct mote_quantise_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_quantise_f32_check(const struct mote_quantise_f32 *p,
                                         const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!is_scaled_type(p->out_type) || !is_range_of(p->out_type, p->low, p->high) || !(p->scale > 0))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, 4) || !mote_bounds_out(b, p->n, size_of(p->out_type)))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static void dequantise_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_dequantise_f32 *p = (const struct mote_dequantise_f32 *)params;
  const uint32_t size = size_of(p->in_type);
  const uint8_t *in = (const uint8_t *)rows[0];
  float *to = (float *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++, in += size)
    to[i] = p->scale * (float)(int32_t)((uint32_t)mote_load_int(in, p->in_type) - (uint32_t)p->zp);
}

const struct mote_kernel mote_kernel_dequantise_f32 = {NULL, dequantise_row, NULL};

size_t mote_dequantise_f32_state_bytes(const struct mote_dequantise_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_dequantise_f32_check(const struct mote_dequantise_f32 *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!is_scaled_type(p->in_type)) return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, size_of(p->in_type)) || !mote_bounds_out(b, p->n, 4))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- casts ------------------------------------------------------------------- */
static int32_t low_of(unsigned type) {
  return type == MOTE_INT8 ? INT8_MIN : type == MOTE_INT16 ? INT16_MIN : INT32_MIN;
}
static int32_t high_of(unsigned type) {
  return type == MOTE_INT8 ? INT8_MAX : type == MOTE_INT16 ? INT16_MAX : INT32_MAX;
}

/* A float towards zero, within the type's range. */
static int64_t truncate(float x, unsigned type) {
  if (x != x) return 0;
  if (type == MOTE_INT64) {
    if (x < -9223372036854775808.0f) return INT64_MIN;
    return x >= 9223372036854775808.0f ? INT64_MAX : (int64_t)x;
  }
  if (type == MOTE_UINT8 || type == MOTE_UINT32) {
    const float most = type == MOTE_UINT8 ? 255.0f : 4294967296.0f;
    if (x <= 0) return 0;
    return x < most ? (int64_t)x : type == MOTE_UINT8 ? UINT8_MAX : (int64_t)UINT32_MAX;
  }
  if (x <= (float)low_of(type)) return low_of(type);
  return x >= (float)high_of(type) ? high_of(type) : (int64_t)x;
}

static int64_t load_wide(const uint8_t *at, unsigned type) {
  int64_t wide;
  if (type == MOTE_UINT32) return *(const uint32_t *)(const void *)at;
  if (type != MOTE_INT64) return mote_load_int(at, type);
  memcpy(&wide, at, sizeof wide);
  return wide;
}
static void store_wide(uint8_t *at, unsigned type, int64_t v) {
  if (type == MOTE_INT64)
    memcpy(at, &v, sizeof v);
  else if (type == MOTE_BOOL)
    *at = v != 0;
  else
    mote_store_int(at, type == MOTE_UINT32 ? MOTE_INT32 : type, (int32_t)(uint32_t)(uint64_t)v);
}

static void cast_one(const uint8_t *in, unsigned in_type, uint8_t *to, unsigned out_type) {
  if (in_type == MOTE_FLOAT32) {
    const float x = *(const float *)(const void *)in;
    if (out_type == MOTE_FLOAT32)
      *(float *)(void *)to = x;
    else
      store_wide(to, out_type, out_type == MOTE_BOOL ? x != 0 : truncate(x, out_type));
  } else {
    const int64_t x = load_wide(in, in_type);
    if (out_type == MOTE_FLOAT32)
      *(float *)(void *)to = (float)x;
    else
      store_wide(to, out_type, x);
  }
}

static void cast_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_cast *p = (const struct mote_cast *)params;
  const uint32_t in_size = size_of(p->in_type), out_size = size_of(p->out_type);
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t i = 0; i < p->n; i++, in += in_size, to += out_size)
    cast_one(in, p->in_type, to, p->out_type);
}

const struct mote_kernel mote_kernel_cast = {NULL, cast_row, NULL};

size_t mote_cast_state_bytes(const struct mote_cast *p) {
  (void)p;
  return 0;
}

enum mote_status mote_cast_check(const struct mote_cast *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_type > MOTE_UINT32 || p->out_type > MOTE_UINT32) return MOTE_ERR_PARAMS;
  if (!mote_bounds_row(b, 0, p->n, size_of(p->in_type)) ||
      !mote_bounds_out(b, p->n, size_of(p->out_type)))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
