/* window: what the general windowed operators share (fixed16.h): where a window's rows lie, which of its columns
 * are inside, how a sum becomes an output, and the checks of it. Internal to mote/nn.
 *
 * Products of sizes are worked out in 32 bits where a check has bounded them by an operand's bytes. */
#ifndef MOTE_NN_WINDOW_H
#define MOTE_NN_WINDOW_H

#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

/* ---- rows ----------------------------------------------------------------------- */
static inline uint32_t mote_window_images(const struct mote_window *w) {
  return w->images ? w->images : 1u;
}
static inline uint32_t mote_window_rows(const struct mote_window *w) {
  return w->images ? w->out_h : w->rows_out;
}

/* Row i of the window of output row r; NULL in padding. */
static inline const uint8_t *mote_window_row(const struct mote_window *w, const void *const *rows,
                                             uint32_t image, uint32_t r, uint32_t i,
                                             uint32_t row_bytes) {
  const int32_t top = (int32_t)(r * w->stride_h); /* rows < 2^16, stride < 2^16, checked together */
  if (w->images == 0) return (const uint8_t *)rows[(uint32_t)top + i];
  const int32_t y = top + (int32_t)(i * w->dilation_h) - w->pad_top;
  if (y < 0 || y >= w->in_h) return NULL;
  return (const uint8_t *)rows[0] + ((size_t)image * w->in_h + (uint32_t)y) * row_bytes;
}

/* The kernel columns first .. end - 1 of output column x that lie inside the row; `column`: that of `first`. */
struct mote_taps {
  uint32_t first, end;
  int32_t column;
};
static inline struct mote_taps mote_window_taps(const struct mote_window *w, uint32_t x) {
  const int32_t left = (int32_t)(x * w->stride_w) - w->pad_left;
  const int32_t d = w->dilation_w;
  struct mote_taps t;
  t.first = left < 0 ? (uint32_t)((d - 1 - left) / d) : 0;
  t.column = left + (int32_t)t.first * d;
  const int32_t room = (int32_t)w->in_w - left;
  t.end = room <= 0 ? 0 : (uint32_t)((room + d - 1) / d);
  if (t.end > w->kernel_w) t.end = w->kernel_w;
  if (t.first > t.end) t.first = t.end;
  return t;
}

/* ---- sums ------------------------------------------------------------------------- */
/* An int64 at 4-byte alignment. */
static inline int64_t mote_load_64(const void *at) {
  const uint32_t *half = (const uint32_t *)at;
  return (int64_t)((uint64_t)half[1] << 32 | half[0]);
}

static inline int64_t mote_bias_at(const struct mote_scaling *s, const void *bias, uint32_t c) {
  switch (s->bias_bytes) {
  case 2: return ((const int16_t *)bias)[c];
  case 4: return ((const int32_t *)bias)[c];
  case 8: return mote_load_64((const uint8_t *)bias + 8 * (size_t)c);
  default: return 0;
  }
}

/* Output of channel c from its sum without bias. Additions wrap as the reference's do. */
static inline int32_t mote_scaled(const struct mote_scaling *s, const void *params,
                                  const void *bias, uint32_t c, int64_t sum) {
  const uint32_t k = s->per_channel ? c : 0;
  const uint64_t total = (uint64_t)sum + (uint64_t)mote_bias_at(s, bias, c);
  uint32_t q;
  if (s->sum_bytes == 8) {
    const uint32_t word = ((const uint32_t *)mote_at(params, s->scale_at))[k];
    const uint32_t shift = word & 63;
    const uint64_t scaled = total * (word >> 16) + ((uint64_t)1 << (shift - 1));
    q = (uint32_t)((int64_t)scaled >> shift);
  } else {
    const int32_t *pair = (const int32_t *)mote_at(params, s->scale_at) + 2 * (size_t)k;
    q = (uint32_t)mote_requantise((int32_t)(uint32_t)total, pair[0], (int)pair[1]);
  }
  return mote_clamp((int32_t)(q + (uint32_t)s->zp), s->low, s->high);
}

/* Sum of (w - w_zp) * (x - x_zp) over n elements: int8 modulo 2^32, int16 in 64 bits. */
static inline int64_t mote_dot_s8(const void *x, const int8_t *w, uint32_t n, int32_t x_zp,
                                  int32_t w_zp) {
  return mote_isa_dot_s8((const int8_t *)x, w, n, x_zp, w_zp);
}
static inline int64_t mote_dot_s16(const void *values, const int8_t *w, uint32_t n, int32_t x_zp,
                                   int32_t w_zp) {
  const int16_t *x = (const int16_t *)values;
  if ((x_zp | w_zp) == 0) return mote_isa_dot_s16(x, w, n);
  int64_t sum = 0; /* a product is below 2^8 * 2^16 */
  for (; n; n--) sum += (*w++ - w_zp) * (*x++ - x_zp);
  return sum;
}

/* Stores output `at` of elements of 1 or 2 bytes. */
static inline void mote_put(void *out, uint32_t at, int32_t q, uint32_t size) {
  if (size == 1)
    ((int8_t *)out)[at] = (int8_t)q;
  else
    ((int16_t *)out)[at] = (int16_t)q;
}

typedef int64_t mote_dot(const void *values, const int8_t *w, uint32_t n, int32_t x_zp,
                         int32_t w_zp);

/* ---- checks (window.c) -------------------------------------------------------------- */
/* The window's numbers, its input and its output agree with the bounds; size: bytes of an element. */
enum mote_status mote_window_check(const struct mote_window *w, const struct mote_bounds *b,
                                   uint32_t size);
/* The scales of n channels and the bias, edge `edges` where there is one, lie in their bounds, and outputs are
 * elements of `size` bytes. */
enum mote_status mote_scaling_check(const struct mote_scaling *s, const void *params,
                                    const struct mote_bounds *b, uint32_t n, unsigned edges,
                                    uint32_t size);
/* Zero points of inputs (elements of `size` bytes) and of int8 weights. */
static inline int mote_zps_are_good(int32_t in_zp, int32_t weights_zp, uint32_t size) {
  return mote_is_int8(weights_zp) && (size == 2 || mote_is_int8(in_zp));
}
/* A multiplier and shift that mote_requantise takes. */
static inline int mote_pair_is_good(const struct mote_scale_pair *s) {
  return s->multiplier >= 0 && s->shift >= -31 && s->shift <= 30;
}
/* Edge 0 gives one row of n_in elements of `size` bytes; n_out elements of `out_size` bytes may be written. */
enum mote_status mote_one_row_check(const struct mote_bounds *b, uint64_t n_in, uint64_t n_out,
                                    uint32_t size, uint32_t out_size);

#endif
