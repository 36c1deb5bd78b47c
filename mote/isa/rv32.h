/* rv32: what the loops for RV32IM share. */
#ifndef MOTE_ISA_RV32_H
#define MOTE_ISA_RV32_H

#include "mote/isa/isa.h"

#if MOTE_ISA_RV32

/* What makes an output of a sum. With a multiplier m, high = (sum m) / 2^31 rounded is (v + 1) >> 1 of
 *   v = floor(4 sum m / 2^32),
 * the upper half of one product where |sum| < 2^29; mote_output_packed then shifts high + round, which is one shift of
 *   v + 1 + 2 round, where high is not negative, or nothing negative is let through. */
struct rv32_channel {
  uint32_t bias;
  int32_t multiplier;
  uint32_t round;
  int32_t shift;
};

/* Returns 0 where |sum| may reach 2^29, or the shift is none to the right of 1 to 22: the general way is left. n: weights
 * of the channel; offset: what its sums are too large by. */
static inline int rv32_channel_of(const struct mote_output *o, size_t c, uint32_t n,
                                  uint32_t offset, struct rv32_channel *to) {
  const uint32_t *words = (const uint32_t *)mote_at(o, o->requant_at);
  const uint32_t bias = (uint32_t)mote_channel_bias(o, c);
  uint32_t shift;
  if (o->wide) {
    to->multiplier = (int32_t)words[2 * c];
    shift = 0 - words[2 * c + 1];
    if (to->multiplier < 0 || shift - 1 >= 22) return 0;
  } else {
    to->multiplier = (int32_t)(words[c] >> 2 | (uint32_t)1 << 30);
    shift = (words[c] & 3) - (uint32_t)(int32_t)o->shift_base;
  }
  if (bias + (1u << 28) >= 1u << 29 || n > 8192) return 0; /* 8192 * 128 * 255 < 2^28 */
  to->bias = bias - offset;
  to->round = ((uint32_t)(2 * o->zp + 1) << shift) + 1;
  to->shift = (int32_t)shift + 1;
  return 1;
}

static inline __attribute__((always_inline)) void rv32_output(const struct rv32_channel *ch,
                                                              uint32_t sum, int32_t low,
                                                              int32_t high, int clamped,
                                                              int8_t *out) {
  const int64_t product = (int64_t)(int32_t)((sum + ch->bias) << 2) * ch->multiplier;
  uint32_t v = (uint32_t)(product >> 32);
  /* A negative `high` rounds the other way: one less, which is two of v. v = -1 is 0. */
  if (!clamped) v += (uint32_t)((int32_t)(v + 1) >> 31) << 1;
  int32_t q = (int32_t)(v + ch->round) >> ch->shift;
  if (q < low) q = low;
  if (q > high) q = high;
  *(uint8_t *)out = (uint8_t)q;
}

/* A stair's constants. With m < 2^MOTE_STAIR_BITS, floor(s m / 2^12) is the upper half of 2^11 s times 2^9 m, one
 * instruction; else `high` and `low` are m's halves. */
struct rv32_stair {
  uint32_t multiplier; /* 2^9 m; 0: by halves */
  uint32_t offset, shift;
  int32_t high, low;
};
static inline struct rv32_stair rv32_stair_of(const struct mote_stair *stair) {
  struct rv32_stair s;
  const uint32_t m = (uint32_t)mote_stair_multiplier(stair->word);
  s.multiplier = m >> MOTE_STAIR_BITS ? 0 : m << (32 - MOTE_STAIR_BITS);
  s.offset = (uint32_t)stair->offset;
  s.shift = stair->word & 31;
  s.high = (int32_t)(stair->word >> 20);
  s.low = (int32_t)(stair->word << 12) >> 20;
  return s;
}
static inline __attribute__((always_inline)) void
rv32_put_scaled(const struct rv32_stair *s, uint32_t v, int32_t low, int32_t high, int8_t *out) {
  int32_t q = (int32_t)(v + s->offset) >> s->shift;
  if (q < low) q = low;
  if (q > high) q = high;
  *(uint8_t *)out = (uint8_t)q;
}
/* |sum| <= 2^20; a hostile plan's may wrap. */
static inline __attribute__((always_inline)) void
rv32_put_stair(const struct rv32_stair *s, int32_t sum, int32_t low, int32_t high, int8_t *out) {
  const uint32_t u = (uint32_t)sum;
  const uint32_t v =
      s->multiplier
          ? (uint32_t)((int64_t)((uint64_t)((int64_t)(int32_t)(u << 11)) * s->multiplier) >> 32)
          : u * (uint32_t)s->high + (uint32_t)((int32_t)(u * (uint32_t)s->low) >> 12);
  rv32_put_scaled(s, v, low, high, out);
}

#endif

#endif
