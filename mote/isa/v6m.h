/* v6m: what the loops for ARMv6-M share. Internal to mote/isa.
 *
 * The only product is 32 x 32 -> 32, so requantising a sum x of |x| <= 2^20 takes the multiplier in digits of 11, 10 and
 * 10 bits: no partial sum leaves 32 bits, and what is cut off below cannot reach the result.
 *   V = floor(x m / 2^20) = x m2 + floor((x m1 + floor(x m0 / 2^10)) / 2^10),  |V| < 2^31
 *   h = floor((x m + 2^30) / 2^31) = floor(V / 2^11) + bit 10 of V: what ASRS #11 leaves in the carry
 *   q = (h + (x >> 31) + round) >> shift, the sign of x for that of h as in dsp.h
 * Larger sums go the general way. */
#ifndef MOTE_ISA_V6M_H
#define MOTE_ISA_V6M_H

#include "mote/isa/isa.h"

#if MOTE_ISA_V6M

/* The outputs of one channel; the assembly knows the offsets. */
struct v6m_outputs {
  int32_t m0, m1, m2, round; /*  0 */
  int32_t low, high;         /* 16: fused activation */
  uint32_t shift;            /* 24 */
  uint32_t step;             /* 28: bytes from an output to the next */
  const uint32_t *end;       /* 32: of the sums */
  uint32_t limit;            /* 36: 2^20 */
  const struct mote_output *o;
  struct mote_channel ch;
};
typedef char v6m_outputs_layout[sizeof(struct v6m_outputs) == 56 ? 1 : -1];

/* For channel c. */
void mote_v6m_channel(struct v6m_outputs *k, const struct mote_output *o, uint32_t c,
                      uint32_t step);
/* Makes n outputs, n >= 1, of sums that hold the bias. */
void mote_v6m_put(struct v6m_outputs *k, const uint32_t *sums, uint32_t n, int8_t *out);

#endif
#endif
