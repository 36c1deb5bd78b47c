/* bounds: what the checks of nn share. A check reads hostile numbers, so sizes are worked out in 64 bits:
 * products of three 16-bit numbers stay below 2^48. Internal to mote/nn. */
#ifndef MOTE_NN_BOUNDS_H
#define MOTE_NN_BOUNDS_H

#include "mote/nn/nn.h"

/* Sums that hostile numbers may overflow: modulo 2^32. */
static inline int32_t mote_wrap_add(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}
static inline uint32_t mote_up4(uint32_t n) { return (n + 3) & ~(uint32_t)3; }
static inline int mote_is_int8(int32_t x) { return x >= -128 && x <= 127; }

/* Edge i has n rows or more, none of them ever NULL. */
static inline int mote_bounds_present(const struct mote_bounds *b, unsigned i, unsigned n) {
  return i < MOTE_MAX_EDGES && b->rows[i] >= n && (b->missing >> i & 1u) == 0;
}

/* Input i is one row a call, never NULL, of n or more elements of `size` bytes. Its pointer is rows[i] where that holds
 * for every input in front of it. */
static inline int mote_bounds_row(const struct mote_bounds *b, unsigned i, uint64_t n,
                                  uint32_t size) {
  return i < b->n_in && b->rows[i] == 1 && (b->missing >> i & 1u) == 0 &&
         b->row_bytes[i] % size == 0 && n <= b->row_bytes[i] / size;
}

/* A constant of n bytes at an offset lies within the params' bytes, aligned to 4. */
static inline int mote_bounds_constant(const struct mote_bounds *b, int32_t at, uint64_t n) {
  return at >= 0 && at % 4 == 0 && n <= b->params_bytes && (uint64_t)at <= b->params_bytes - n;
}

/* The output's numbers and constants are good for n channels of k weights (output.c). */
enum mote_status mote_output_check(const struct mote_output *o, const void *params,
                                   const struct mote_bounds *b, uint32_t n, uint64_t k);

/* mote_conv2d_s8_check without its output. */
enum mote_status mote_conv2d_window_check(const struct mote_conv2d_s8 *p,
                                          const struct mote_bounds *b);
/* Whether an output by stairs is good for n channels, `none` of which have no stair. high: their words are multipliers. */
int mote_stairs_check(const struct mote_output *o, const void *params, const struct mote_bounds *b,
                      uint32_t n, uint32_t none, int high);

/* Windows along a row: every column index that a kernel works out stays below 2^24. */
static inline int mote_bounds_window(uint32_t in_w, uint32_t out_w, uint32_t kernel_w,
                                     uint32_t stride_w, uint32_t dilation_w, uint32_t pad_left) {
  if (in_w == 0 || out_w == 0 || kernel_w == 0 || stride_w == 0 || dilation_w == 0) return 0;
  return (uint64_t)(out_w - 1) * stride_w + (uint64_t)(kernel_w - 1) * dilation_w + pad_left <
         (uint32_t)1 << 24;
}

/* Pointers that rows_out output rows of kernel_h rows take. */
static inline int mote_bounds_rows(const struct mote_bounds *b, uint32_t rows_out,
                                   uint32_t stride_h, uint32_t kernel_h) {
  return rows_out > 0 && stride_h > 0 && kernel_h > 0 &&
         (uint64_t)(rows_out - 1) * stride_h + kernel_h <= b->rows[0];
}

#endif
