/* triples: three pixels in two words, and two channels in one, in C. isa.h says how; this is the meaning of the faster
 * loops. */
#include "mote/isa/isa.h"

static inline void put(uint32_t *to, int32_t a, int32_t b, int32_t c) {
  to[0] = (uint32_t)a + ((uint32_t)b << 21);
  to[1] = (uint32_t)c + ((uint32_t)b << 10);
}

void mote_isa_widen_triple(uint32_t *to, uint32_t quad_step, const int8_t *a, const int8_t *b,
                           const int8_t *c, uint32_t n, int32_t zp, int32_t pad) {
  const int32_t outside = pad - zp;
  for (uint32_t i = 0; i < n; i++, to += i % 4 ? 2 : quad_step - 6)
    put(to, a ? a[i] - zp : outside, b ? b[i] - zp : outside, c ? c[i] - zp : outside);
}

/* The zero point is taken from the words: that of a lane counts as often as the lane. */
static inline __attribute__((always_inline)) void put_raw(uint32_t *to, const int8_t *a,
                                                          const int8_t *b, const int8_t *c,
                                                          uint32_t first, uint32_t second) {
  const uint32_t middle = (uint32_t)(int32_t)*b;
  to[0] = (uint32_t)(int32_t)*a + (middle << 21) - first;
  to[1] = (uint32_t)(int32_t)*c + (middle << 10) - second;
}

static inline __attribute__((always_inline)) void
widen(uint32_t *to, uint32_t quad_step, uint32_t column_step, const int8_t *a, const int8_t *b,
      const int8_t *c, uint32_t n, uint32_t columns, uint32_t first, uint32_t second) {
  if (n == 1) { /* spectrograms */
    for (; columns; columns--, to += column_step) put_raw(to, a++, b++, c++, first, second);
    return;
  }
  if (n == 3) { /* colours */
    for (; columns; columns--, to += column_step, a += 3, b += 3, c += 3) {
      put_raw(to, a, b, c, first, second);
      put_raw(to + 2, a + 1, b + 1, c + 1, first, second);
      put_raw(to + 4, a + 2, b + 2, c + 2, first, second);
    }
    return;
  }
  for (; columns; columns--, to += column_step) {
    uint32_t *at = to, left = n;
    for (; left >= 4; left -= 4, at += quad_step, a += 4, b += 4, c += 4) {
      put_raw(at, a, b, c, first, second);
      put_raw(at + 2, a + 1, b + 1, c + 1, first, second);
      put_raw(at + 4, a + 2, b + 2, c + 2, first, second);
      put_raw(at + 6, a + 3, b + 3, c + 3, first, second);
    }
    for (; left; left--, at += 2) put_raw(at, a++, b++, c++, first, second);
  }
}

void mote_isa_widen_triples(uint32_t *to, uint32_t quad_step, uint32_t column_step, const int8_t *a,
                            const int8_t *b, const int8_t *c, uint32_t n, uint32_t columns,
                            int32_t zp) {
  widen(to, quad_step, column_step, a, b, c, n, columns, (uint32_t)zp * (1 + ((uint32_t)1 << 21)),
        (uint32_t)zp * (1 + ((uint32_t)1 << 10)));
}
void mote_isa_widen_triples_raw(uint32_t *to, uint32_t quad_step, uint32_t column_step,
                                const int8_t *a, const int8_t *b, const int8_t *c, uint32_t n,
                                uint32_t columns) {
  if (!MOTE_ISA_TRIPLES_APART && column_step == 2 * n) { /* columns behind one another are one */
    n *= columns;
    columns = 1;
  }
  widen(to, quad_step, column_step, a, b, c, n, columns, 0, 0);
}

static inline __attribute__((always_inline)) uint32_t weight(const void *w, uint32_t i, int words) {
  return words ? ((const uint32_t *)w)[i] : (uint32_t)((const int8_t *)w)[i];
}

/* Adds one run of `columns` pieces of n values, from value `at` of a column on, to the sums. Weights from number k of w on are
 * bytes or words. */
static inline __attribute__((always_inline)) void
add_run(const void *w, uint32_t k, int as_words, const struct mote_triples_job *d,
        const uint32_t *words, uint32_t columns, uint32_t at, uint32_t n, uint32_t sums[3]) {
  uint32_t first = MOTE_TRIPLE_FIRST, second = MOTE_TRIPLE_SECOND, run[3];
  words += at / 4 * d->quad_step + at % 4 * 2;
  for (; columns; columns--, words += d->column_step, k += n) {
    const uint32_t *from = words;
    for (uint32_t i = 0; i < n; from += (at + ++i) % 4 ? 2 : d->quad_step - 6) {
      first += weight(w, k + i, as_words) * from[0];
      second += weight(w, k + i, as_words) * from[1];
    }
  }
  mote_triple_sums(first, second, run);
  for (int i = 0; i < 3; i++) sums[i] += run[i] - MOTE_TRIPLE_FIRST;
}

/* The sums of one channel and triple, run by run. */
static void add_runs(const struct mote_conv2d_triples_s8 *p, const int8_t *w,
                     const struct mote_triples_job *d, const uint32_t *words, uint32_t sums[3]) {
  const uint32_t n = mote_conv_column(&p->conv), kernel_w = p->conv.kernel_w;
  if (p->run_columns) {
    for (uint32_t j = 0, some; j < kernel_w;
         j += some, words += some * d->column_step, w += some * n) {
      some = kernel_w - j < p->run_columns ? kernel_w - j : p->run_columns;
      add_run(w, 0, 0, d, words, some, 0, n, sums);
    }
    return;
  }
  for (uint32_t j = 0; j < kernel_w; j++, words += d->column_step)
    for (uint32_t k = 0, some; k < n; k += some, w += some) {
      some = n - k < p->run_values ? n - k : p->run_values;
      add_run(w, 0, 0, d, words, 1, k, some, sums);
    }
}

void mote_isa_conv_triples__plain(const struct mote_conv2d_triples_s8 *p,
                                  const struct mote_triples_job *d) {
  const struct mote_output *o = &p->conv.output;
  const int8_t *w = (const int8_t *)mote_at(p, p->conv.weights_at);
  for (uint32_t c = 0; c < p->conv.out_c; c++, w += mote_conv_window(&p->conv)) {
    const struct mote_channel ch = mote_channel_at(o, c);
    for (uint32_t i = 0; i < d->triples; i++) {
      uint32_t sums[3] = {(uint32_t)ch.bias, (uint32_t)ch.bias, (uint32_t)ch.bias};
      add_runs(p, w, d, d->words + i * d->pixel_step, sums);
      for (uint32_t k = 0, x = i; k < 3 && x < d->pixels; k++, x += d->triples)
        d->out[(size_t)x * p->conv.out_c + c] = mote_output_of(o, &ch, (int32_t)sums[k]);
    }
  }
}

static inline __attribute__((always_inline)) void stairs(const struct mote_conv2d_triples_s8 *p,
                                                         const struct mote_triples_job *d,
                                                         uint32_t c, int words, int high) {
  const uint32_t out_c = p->conv.out_c, from = c * mote_conv_window(&p->conv);
  const void *const w = mote_at(p, p->conv.weights_at);
  for (uint32_t i = 0; i < d->triples; i++) {
    uint32_t sums[3] = {0, 0, 0};
    add_run(w, from, words, d, d->words + i * d->pixel_step, p->conv.kernel_w, 0,
            mote_conv_column(&p->conv), sums);
    for (uint32_t k = 0, x = i; k < 3 && x < d->pixels; k++, x += d->triples)
      d->out[(size_t)x * out_c + c] =
          high ? mote_output_stair_high(&p->conv.output, c, out_c, (int32_t)sums[k], 0)
               : mote_output_stair(&p->conv.output, c, out_c, (int32_t)sums[k]);
  }
}
void mote_conv_stairs_channel(const struct mote_conv2d_triples_s8 *p,
                              const struct mote_triples_job *d, uint32_t c) {
  stairs(p, d, c, 0, 0);
}
void mote_conv_stairs_words_channel(const struct mote_conv2d_triples_s8 *p,
                                    const struct mote_triples_job *d, uint32_t c) {
  stairs(p, d, c, 1, 0);
}
void mote_conv_stairs_high_channel(const struct mote_conv2d_triples_s8 *p,
                                   const struct mote_triples_job *d, uint32_t c) {
  stairs(p, d, c, 0, 1);
}

void mote_isa_conv_stairs__plain(const struct mote_conv2d_triples_s8 *p,
                                 const struct mote_triples_job *d) {
  for (uint32_t c = 0; c < p->conv.out_c; c++) mote_conv_stairs_channel(p, d, c);
}
void mote_isa_conv_stairs_words__plain(const struct mote_conv2d_triples_s8 *p,
                                       const struct mote_triples_job *d) {
  for (uint32_t c = 0; c < p->conv.out_c; c++) mote_conv_stairs_words_channel(p, d, c);
}
void mote_isa_conv_stairs_high__plain(const struct mote_conv2d_triples_s8 *p,
                                      const struct mote_triples_job *d) {
  for (uint32_t c = 0; c < p->conv.out_c; c++) mote_conv_stairs_high_channel(p, d, c);
}

/* Adds a run of n inputs to the sums of one pair of channels; its words lie `step` apart. */
static void add_pairs(const uint32_t *w, uint32_t step, const int8_t *in, uint32_t n,
                      uint32_t sums[2]) {
  uint32_t both = MOTE_PAIR_START;
  for (; n; n--, w += step) {
    const uint32_t x = (uint32_t)*in++;
    both += *w * x;
  }
  sums[0] += (both & 0xFFFF) - MOTE_PAIR_OFFSET;
  sums[1] += (both >> 16) - MOTE_PAIR_OFFSET;
}

void mote_isa_dense_pairs__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                                 int8_t *out) {
  const uint32_t *w = (const uint32_t *)mote_at(p, p->weights_at);
  const uint32_t in_c = p->in_c;
  for (uint32_t c = 0, n; c < p->out_c; c += n) {
    n = p->out_c - c < MOTE_PAIR_GROUP ? p->out_c - c : MOTE_PAIR_GROUP;
    const uint32_t most = *w ? *w : 1, words = (n + 1) / 2;
    w++;
    for (uint32_t k = 0; k < n; k += 2, w++) {
      uint32_t sums[2] = {0, 0};
      for (uint32_t i = 0, some; i < in_c; i += some) {
        some = in_c - i < most ? in_c - i : most;
        add_pairs(w + (size_t)i * words, words, in + i, some, sums);
      }
      for (uint32_t l = 0; l < 2 && k + l < n; l++) {
        const struct mote_channel ch = mote_channel_at(&p->output, c + k + l);
        out[c + k + l] = mote_output_of(&p->output, &ch, (int32_t)(sums[l] + (uint32_t)ch.bias));
      }
    }
    w += (size_t)(in_c - 1) * words;
  }
}
