/* dot: products of vectors where they lie, for operators without a packed form of their weights. */
#include "mote/isa/isa.h"

int32_t mote_isa_dot_s8__plain(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                               int32_t w_zp) {
  uint32_t sum = 0; /* wraps: |(w - w_zp) * (x - x_zp)| is at most 255 * 255 */
  for (; n >= 4; n -= 4, x += 4, w += 4)
    sum += (uint32_t)((w[0] - w_zp) * (x[0] - x_zp)) + (uint32_t)((w[1] - w_zp) * (x[1] - x_zp)) +
           (uint32_t)((w[2] - w_zp) * (x[2] - x_zp)) + (uint32_t)((w[3] - w_zp) * (x[3] - x_zp));
  for (; n; n--) sum += (uint32_t)((*w++ - w_zp) * (*x++ - x_zp));
  return (int32_t)sum;
}

int64_t mote_isa_dot_s16__plain(const int16_t *x, const int8_t *w, uint32_t n) {
  int64_t total = 0;
  while (n) {
    uint32_t run = n < MOTE_ISA_DOT_RUN ? n : MOTE_ISA_DOT_RUN;
    int32_t sum = 0;
    n -= run;
    for (; run >= 4; run -= 4, x += 4, w += 4)
      sum +=
          w[0] * (int32_t)x[0] + w[1] * (int32_t)x[1] + w[2] * (int32_t)x[2] + w[3] * (int32_t)x[3];
    for (; run; run--) sum += *w++ * (int32_t)*x++;
    total += sum;
  }
  return total;
}

/* Products are below 2^7 * 2^8 and 2^7 * 2^15; only their sums may wrap. */
void mote_isa_dots3_s8__plain(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                              int32_t sums[3]) {
  const int8_t *a = w[0], *b = w[1], *c = w[2];
  uint32_t sum_a = 0, sum_b = 0, sum_c = 0;
  for (; n; n--) {
    const int32_t value = *x++ - x_zp;
    sum_a += (uint32_t)(*a++ * value);
    sum_b += (uint32_t)(*b++ * value);
    sum_c += (uint32_t)(*c++ * value);
  }
  sums[0] = (int32_t)sum_a, sums[1] = (int32_t)sum_b, sums[2] = (int32_t)sum_c;
}

void mote_isa_dots3_s16__plain(const int16_t *x, const int8_t *const w[3], uint32_t n,
                               int32_t sums[3]) {
  const int8_t *a = w[0], *b = w[1], *c = w[2];
  uint32_t sum_a = 0, sum_b = 0, sum_c = 0;
  for (; n; n--) {
    const int32_t value = *x++;
    sum_a += (uint32_t)(*a++ * value);
    sum_b += (uint32_t)(*b++ * value);
    sum_c += (uint32_t)(*c++ * value);
  }
  sums[0] = (int32_t)sum_a, sums[1] = (int32_t)sum_b, sums[2] = (int32_t)sum_c;
}
