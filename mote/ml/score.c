/* score: numbers that several kinds need: the map, distances, roots, logarithms, shares. */
#include "mote/ml/private.h"

void mote_ml_to_z(const struct mote_ml MOTE_ROM *m, const void *x, int16_t *z) {
  const struct mote_ml_map MOTE_ROM *map = mote_ml_map_of(m);
  const uint16_t MOTE_ROM *column = (const uint16_t MOTE_ROM *)mote_ml_at(m, map->columns_at);
  const int16_t MOTE_ROM *offset = (const int16_t MOTE_ROM *)mote_ml_at(m, map->offset_at);
  const int16_t MOTE_ROM *multiplier = (const int16_t MOTE_ROM *)mote_ml_at(m, map->multiplier_at);
  const uint8_t MOTE_ROM *shift = (const uint8_t MOTE_ROM *)mote_ml_at(m, map->shift_at);
  const int32_t limit = map->limit;
  for (unsigned j = 0; j < map->n; j++) {
    const int32_t v = mote_ml_value(m, x, map->columns_at ? column[j] : j);
    if (!map->offset_at) {
      z[j] = (int16_t)v;
      continue;
    }
    /* 16 bits times 15: below 2^30, and half at most 2^29. */
    const int32_t away = mote_clamp(v - offset[j], INT16_MIN, INT16_MAX);
    const int32_t q = (away * multiplier[j] + ((int32_t)1 << (shift[j] - 1))) >> shift[j];
    z[j] = (int16_t)mote_clamp(q, -limit, limit);
  }
}

/* |z - centre| <= 2 limit, and n (2 limit)^2 < 2^32: the sum fits. Looked at every eight columns, so that the look costs
 * little. */
uint32_t mote_ml_apart(const int16_t *z, const int8_t MOTE_ROM *point, unsigned n, unsigned up,
                       uint32_t most) {
  const int32_t step = (int32_t)1 << up;
  uint32_t sum = 0;
  while (n) {
    unsigned piece = n < 8 ? n : 8;
    n -= piece;
    do {
      const int32_t d = *z++ - *point++ * step;
      sum += (uint32_t)(d * d);
    } while (--piece);
    if (sum >= most) break;
  }
  return sum;
}

/* The binary logarithm bit by bit: squaring doubles it. y is 1 to 2 in steps of 2^-31. */
int32_t mote_ml_log(uint32_t x) {
  int32_t log2 = 31 - 24;
  uint32_t y = x;
  for (; y < (uint32_t)1 << 31; y <<= 1) log2--;
  for (unsigned i = 0; i < 13; i++) {
    const uint64_t square = (uint64_t)y * y; /* 2^62 .. 2^64 */
    const unsigned bit = (unsigned)(square >> 63);
    log2 = log2 * 2 + (int32_t)bit;
    y = (uint32_t)(square >> (31 + bit));
  }
  /* ln 2 * 2^15 = 22713; |log2| <= 24 * 2^13: the product fits 2^33, so in 64 bits. */
  return (int32_t)(((int64_t)log2 * 22713) >> 16);
}

int32_t mote_ml_exp(uint32_t magnitude, unsigned fraction) {
  if (magnitude >> fraction >= 32) return 0;
  const uint32_t a = fraction <= 26 ? magnitude << (26 - fraction) : magnitude >> (fraction - 26);
  return mote_fixed_exp(-(int32_t)a, 5); /* a < 2^31 */
}

void mote_ml_answer(int8_t *out, unsigned n, unsigned best) {
  for (unsigned c = 0; c < n; c++)
    if (c != best && out[c] >= out[best]) out[c] = (int8_t)(out[best] - 1);
}

/* Exponentials in 23 bits: 256 of them sum below 2^31. The largest share is at least 1/256, so above -128. */
void mote_ml_softmax(int32_t *sums, unsigned n, unsigned fraction, int8_t *out) {
  uint32_t total = 0;
  unsigned best = 0;
  for (unsigned c = 1; c < n; c++)
    if (sums[c] > sums[best]) best = c;
  const uint32_t most = (uint32_t)sums[best];
  for (unsigned c = 0; c < n; c++) {
    sums[c] = mote_ml_exp(most - (uint32_t)sums[c], fraction) >> 8;
    total += (uint32_t)sums[c];
  }
  for (unsigned c = 0; c < n; c++) {
    const uint32_t share = (((uint32_t)sums[c] << 8) + total / 2) / total;
    out[c] = (int8_t)(share > 255 ? 127 : (int32_t)share - 128);
  }
  mote_ml_answer(out, n, best);
}
