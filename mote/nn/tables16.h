/* tables16: look-ups with interpolation of int16 activations. Internal to mote/nn. */
#ifndef MOTE_NN_TABLES16_H
#define MOTE_NN_TABLES16_H

#include <stdint.h>

extern const int16_t mote_exp_table[513], mote_reciprocal_table[513];
extern const uint16_t mote_sigmoid_table[256];

/* The table's value at x, on a line between the entries around it. range: any int16; the slope of both tables
 * is below 2^15. */
static inline int32_t mote_interpolate(const int16_t *table, int32_t x) {
  const int32_t at = 256 + (x >> 7);
  const int32_t slope = (int16_t)(table[at + 1] - table[at]);
  return table[at] + ((slope * (x & 127) + 64) >> 7);
}

/* sigmoid(x / 12288) in Q0.15, rounded. */
static inline int16_t mote_sigmoid_s16_of(int32_t x) {
  const uint32_t size = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
  const uint32_t at = size >> 9;
  uint32_t y = (uint32_t)0x7FFF << 10; /* Q0.25, of |x| */
  if (at < 255) {
    const uint32_t from = mote_sigmoid_table[at];
    y = (from << 9) + (size & 511) * (mote_sigmoid_table[at + 1] - from);
  }
  y = x >= 0 ? y + (1u << 9) : ((uint32_t)1 << 25) - y + (1u << 9) - 1;
  return (int16_t)(y >> 10);
}

/* tanh(x / 12288) in Q0.15, rounded: 2 sigmoid(2x) - 1. */
static inline int16_t mote_tanh_s16_of(int32_t x) {
  const uint32_t size = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
  const uint32_t at = size >> 8;
  int32_t y = (int32_t)0xFFFF << 8; /* Q0.24 of sigmoid(2 |x|) */
  if (at < 255) {
    const uint32_t from = mote_sigmoid_table[at];
    y = (int32_t)((from << 8) + (size & 255) * (mote_sigmoid_table[at + 1] - from));
  }
  const int32_t half = (int32_t)1 << 23, round = 1 << 7;
  y = x >= 0 ? y - half + round : half - y + round - 1;
  return (int16_t)(y >> 8);
}

#endif
