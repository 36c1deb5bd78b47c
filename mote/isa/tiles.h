/* tiles: what the loops over tiles share (isa.h says what a tile is). Internal to mote/isa. */
#ifndef MOTE_ISA_TILES_H
#define MOTE_ISA_TILES_H

#include "mote/isa/isa.h"

/* Three sums of 20 bits, each four times what it is, from two words (MOTE_TILES_*): the signs are kept. */
static inline __attribute__((always_inline)) void mote_tiles_apart(uint32_t first, uint32_t second,
                                                                   int32_t sums[3]) {
  const int32_t a = (int32_t)(first << 10) >> 12;
  const int32_t low = (int32_t)(first - 4 * (uint32_t)a) >> 10; /* 2^12 times b's lower 10 bits */
  const uint32_t rest = second - (uint32_t)low;
  const int32_t c = (int32_t)(rest << 10) >> 12;
  sums[0] = a;
  sums[1] = (int32_t)((uint32_t)low + rest - 4 * (uint32_t)c) >> 12;
  sums[2] = c;
}

/* One word of 16 components, `step` words apart, to that of the four outputs of a tile. */
static inline __attribute__((always_inline)) void mote_tiles_back(const uint32_t *m, uint32_t step,
                                                                  uint32_t out[4]) {
  uint32_t s[4], t[4];
  for (uint32_t h = 0; h < 4; h++, m += step) {
    const uint32_t b = m[4 * step], c = m[8 * step];
    s[h] = m[0] + b + c;
    t[h] = b - c - m[12 * step];
  }
  out[0] = s[0] + s[1] + s[2];
  out[1] = s[1] - s[2] - s[3];
  out[2] = t[0] + t[1] + t[2];
  out[3] = t[1] - t[2] - t[3];
}

/* The components of one triple become sums: output o of its lane l at sums[o * each + l * lane]; more: they are added. */
static inline __attribute__((always_inline)) void mote_tiles_sums(const uint32_t *m, uint32_t step,
                                                                  uint32_t *sums, uint32_t each,
                                                                  uint32_t lane, int more) {
  uint32_t first[4], second[4];
  mote_tiles_back(m, step, first);
  mote_tiles_back(m + 1, step, second);
  for (uint32_t o = 0; o < 4; o++, sums += each) {
    int32_t apart[3];
    mote_tiles_apart(first[o], second[o], apart);
    for (uint32_t l = 0; l < 3; l++)
      sums[l * lane] = (more ? sums[l * lane] : 0) + (uint32_t)apart[l];
  }
}

#endif
