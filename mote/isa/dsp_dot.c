/* dsp_dot: dot products with SMLAD (dsp.h). Vectors have any alignment, so a word is loaded by an instruction of
 * its own, which the compiler cannot join with its neighbour to an LDRD. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* The word at *p, which moves on by it. */
static inline uint32_t take_word(const void **p) {
  uint32_t d;
  __asm__("ldr %0, [%1], #4" : "=r"(d), "+r"(*p) : : "memory");
  return d;
}

/* Four products. Both factors are widened and moved by their zero points in one instruction each. */
static inline int32_t quad(const void **x, const void **w, uint32_t x_base, uint32_t w_base,
                           int32_t sum) {
  const uint32_t a = take_word(x), b = take_word(w);
  sum = smlad(even_add(x_base, a), even_add(w_base, b), sum);
  return smlad(odd_add(x_base, a), odd_add(w_base, b), sum);
}

int32_t mote_isa_dot_s8__dsp(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                             int32_t w_zp) {
  const uint32_t x_base = both(-x_zp), w_base = both(-w_zp);
  const void *from = x, *by = w;
  int32_t sum = 0;
  uint32_t pairs = n / 8;
  if (n & 4) sum = quad(&from, &by, x_base, w_base, sum);
  if (pairs) do {
      sum = quad(&from, &by, x_base, w_base, sum);
      sum = quad(&from, &by, x_base, w_base, sum);
    } while (--pairs);
  x = (const int8_t *)from, w = (const int8_t *)by;
  uint32_t rest = 0;
  for (n &= 3; n; n--) rest += (uint32_t)((*w++ - w_zp) * (*x++ - x_zp));
  return (int32_t)((uint32_t)sum + rest);
}

int64_t mote_isa_dot_s16__dsp(const int16_t *x, const int8_t *w, uint32_t n) {
  const void *from = x, *by = w;
  int64_t total = 0;
  for (uint32_t quads = n / 4; quads;) {
    uint32_t run = quads < MOTE_ISA_DOT_RUN / 4 ? quads : MOTE_ISA_DOT_RUN / 4;
    int32_t sum = 0;
    quads -= run;
    do {
      const uint32_t a = take_word(&from), b = take_word(&from), c = take_word(&by);
      sum = smlad(bottoms(a, b), even(c), sum);
      sum = smlad(tops(a, b), odd(c), sum);
    } while (--run);
    total += sum;
  }
  x = (const int16_t *)from, w = (const int8_t *)by;
  int32_t rest = 0;
  for (n &= 3; n; n--) rest += *w++ * (int32_t)*x++;
  return total + rest;
}

/* What three rows have in common: four values of x, the even and the odd. */
static inline int32_t quad_of(uint32_t even_x, uint32_t odd_x, const void **w, int32_t sum) {
  const uint32_t d = take_word(w);
  sum = smlad(even_x, even(d), sum);
  return smlad(odd_x, odd(d), sum);
}

void mote_isa_dots3_s8__dsp(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                            int32_t sums[3]) {
  const uint32_t base = both(-x_zp);
  const void *from = x, *a = w[0], *b = w[1], *c = w[2];
  int32_t sum_a = 0, sum_b = 0, sum_c = 0;
  for (uint32_t quads = n / 4; quads; quads--) {
    const uint32_t d = take_word(&from), even_x = even_add(base, d), odd_x = odd_add(base, d);
    sum_a = quad_of(even_x, odd_x, &a, sum_a);
    sum_b = quad_of(even_x, odd_x, &b, sum_b);
    sum_c = quad_of(even_x, odd_x, &c, sum_c);
  }
  const int8_t *rest = from;
  const int8_t *const by[3] = {a, b, c};
  mote_isa_dots3_s8__plain(rest, by, n & 3, x_zp, sums);
  sums[0] = (int32_t)((uint32_t)sums[0] + (uint32_t)sum_a);
  sums[1] = (int32_t)((uint32_t)sums[1] + (uint32_t)sum_b);
  sums[2] = (int32_t)((uint32_t)sums[2] + (uint32_t)sum_c);
}

void mote_isa_dots3_s16__dsp(const int16_t *x, const int8_t *const w[3], uint32_t n,
                             int32_t sums[3]) {
  const void *from = x, *a = w[0], *b = w[1], *c = w[2];
  int32_t sum_a = 0, sum_b = 0, sum_c = 0;
  for (uint32_t quads = n / 4; quads; quads--) {
    const uint32_t low = take_word(&from), high = take_word(&from), even_x = bottoms(low, high),
                   odd_x = tops(low, high);
    sum_a = quad_of(even_x, odd_x, &a, sum_a);
    sum_b = quad_of(even_x, odd_x, &b, sum_b);
    sum_c = quad_of(even_x, odd_x, &c, sum_c);
  }
  const int16_t *rest = from;
  const int8_t *const by[3] = {a, b, c};
  mote_isa_dots3_s16__plain(rest, by, n & 3, sums);
  sums[0] = (int32_t)((uint32_t)sums[0] + (uint32_t)sum_a);
  sums[1] = (int32_t)((uint32_t)sums[1] + (uint32_t)sum_b);
  sums[2] = (int32_t)((uint32_t)sums[2] + (uint32_t)sum_c);
}

#endif
