/* Logarithm and square root in integers.
 *
 * log2 takes the leading bit as the whole part and a table of 64 pieces, joined by straight lines, as the
 * fraction. A chord of log2 over 1/64 lies at most (1/64)^2 / (8 ln 2) = 4.4e-5 below it, far under half a
 * step of Q8. */
#include "mote/dsp/dsp.h"

/* round(32768 * log2(1 + i/64)). source: the definition; test_dsp computes it again. */
static const uint16_t log2_table[65] = {
    0,     733,   1455,  2166,  2866,  3556,  4236,  4907,  5568,  6220,  6863,  7498,  8124,
    8742,  9352,  9954,  10549, 11136, 11716, 12289, 12855, 13415, 13968, 14514, 15055, 15589,
    16117, 16639, 17156, 17667, 18173, 18673, 19168, 19658, 20143, 20623, 21098, 21568, 22034,
    22495, 22952, 23404, 23852, 24296, 24736, 25172, 25604, 26031, 26455, 26876, 27292, 27705,
    28114, 28520, 28922, 29321, 29717, 30109, 30498, 30884, 31267, 31647, 32024, 32397, 32768,
};

/* The fraction of a number whose leading bit stands at bit 31, in Q8. */
static inline int32_t fraction_of(uint32_t mantissa) {
  const uint32_t i = (mantissa >> 25) & 63, rest = (mantissa >> 9) & 0xFFFF;
  /* Difference <= 733, rest < 2^16: the product is below 2^26. */
  const uint32_t fraction =
      log2_table[i] + (((log2_table[i + 1] - (uint32_t)log2_table[i]) * rest) >> 16);
  return (int32_t)((fraction + 64) >> 7);
}

int32_t mote_log2_u32_q8(uint32_t x) {
  const unsigned zeros = (unsigned)mote_zeros_of(x);
  return (31 - (int32_t)zeros) * 256 + fraction_of(x << zeros);
}

int32_t mote_log2_q8(uint64_t x) {
  const uint32_t high = (uint32_t)(x >> 32);
  if (!x) return -16384;
  if (!high) return mote_log2_u32_q8((uint32_t)x);
  const unsigned zeros = (unsigned)mote_zeros_of(high);
  return (63 - (int32_t)zeros) * 256 + fraction_of((uint32_t)(x << zeros >> 32));
}
