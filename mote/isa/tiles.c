/* tiles: 3x3 windows by Winograd's F(2x2, 3x3) over triples, in C: how activations are brought into that form, for all
 * instruction sets without lanes, and the meaning of the faster loops. isa.h says what is computed. */
#include "mote/isa/tiles.h"

/* Three lanes of a row, and of the value k that they point to the two words. */
struct lanes {
  const int8_t *a, *b, *c;
};
#define MIDDLE(l, k) ((uint32_t)(int32_t)(l).b[k])
#define FIRST(l, k)  ((uint32_t)(int32_t)(l).a[k] + (MIDDLE(l, k) << 20))
#define SECOND(l, k) ((uint32_t)(int32_t)(l).c[k] + (MIDDLE(l, k) << 10))

/* Value k of a column of four rows, brought into vertical components: two words each. Without loops, which not every
 * compiler unrolls. */
static inline __attribute__((always_inline)) void
down(uint32_t *to, struct lanes r0, struct lanes r1, struct lanes r2, struct lanes r3, uint32_t k) {
  const uint32_t a0 = FIRST(r0, k), a1 = SECOND(r0, k), b0 = FIRST(r1, k), b1 = SECOND(r1, k),
                 c0 = FIRST(r2, k), c1 = SECOND(r2, k), d0 = FIRST(r3, k), d1 = SECOND(r3, k);
  to[0] = a0 - c0;
  to[1] = a1 - c1;
  to[2] = b0 + c0;
  to[3] = b1 + c1;
  to[4] = c0 - b0;
  to[5] = c1 - b1;
  to[6] = b0 - d0;
  to[7] = b1 - d1;
}

/* n values of a column, n a multiple of 4. */
static void column(uint32_t *to, const struct lanes at[4], uint32_t n) {
  struct lanes r0 = at[0], r1 = at[1], r2 = at[2], r3 = at[3];
  for (; n; n -= 4, to += 32) {
    down(to, r0, r1, r2, r3, 0);
    down(to + 8, r0, r1, r2, r3, 1);
    down(to + 16, r0, r1, r2, r3, 2);
    down(to + 24, r0, r1, r2, r3, 3);
    r0.a += 4, r0.b += 4, r0.c += 4;
    r1.a += 4, r1.b += 4, r1.c += 4;
    r2.a += 4, r2.b += 4, r2.c += 4;
    r3.a += 4, r3.b += 4, r3.c += 4;
  }
}

/* One vertical component of four columns becomes four of the 16. */
struct components {
  uint32_t *a, *b, *c, *d;
};
struct vertical {
  const uint32_t *a, *b, *c, *d;
};
static inline __attribute__((always_inline)) void across_one(struct components to,
                                                             struct vertical e, uint32_t k) {
  const uint32_t a0 = e.a[8 * k], a1 = e.a[8 * k + 1], b0 = e.b[8 * k], b1 = e.b[8 * k + 1],
                 c0 = e.c[8 * k], c1 = e.c[8 * k + 1], d0 = e.d[8 * k], d1 = e.d[8 * k + 1];
  to.a[2 * k] = a0 - c0;
  to.a[2 * k + 1] = a1 - c1;
  to.b[2 * k] = b0 + c0;
  to.b[2 * k + 1] = b1 + c1;
  to.c[2 * k] = c0 - b0;
  to.c[2 * k + 1] = c1 - b1;
  to.d[2 * k] = b0 - d0;
  to.d[2 * k + 1] = b1 - d1;
}

/* Four columns of vertical components become the 16 components of n values, n a multiple of 4. */
static void across(uint32_t *words, const uint32_t *left, const uint32_t *right, uint32_t n,
                   uint32_t step, uint32_t quad_step) {
  for (uint32_t v = 0; v < 4; v++, words += 4 * step) {
    struct components to = {words, words + step, words + 2 * step, words + 3 * step};
    struct vertical e = {left + 2 * v, left + 8 * n + 2 * v, right + 2 * v, right + 8 * n + 2 * v};
    for (uint32_t k = n; k; k -= 4) {
      across_one(to, e, 0);
      across_one(to, e, 1);
      across_one(to, e, 2);
      across_one(to, e, 3);
      to.a += quad_step, to.b += quad_step, to.c += quad_step, to.d += quad_step;
      e.a += 32, e.b += 32, e.c += 32, e.d += 32;
    }
  }
}

/* Left of the row a column is above 2^31. */
static const int8_t *pixel(const struct mote_conv2d_s8 *p, const void *row, uint32_t column,
                           const int8_t *pad) {
  return row && column < p->in_w ? (const int8_t *)row + (size_t)column * p->in_c : pad;
}

void mote_isa_tiles_fill(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                         struct mote_tiles_job *d, uint32_t *columns, const int8_t *pad) {
  const uint32_t n = p->in_c, apart = 2 * d->triples, column_words = 8 * n;
  for (uint32_t j = 0; j < apart + 2; j++) {
    const uint32_t from = x - p->pad_left + j;
    struct lanes at[4];
    for (uint32_t r = 0; r < 4; r++) {
      at[r].a = pixel(p, rows[r], from, pad);
      at[r].b = pixel(p, rows[r], from + apart, pad);
      at[r].c = pixel(p, rows[r], from + 2 * apart, pad);
    }
    column(columns + j % 4 * column_words, at, n);
    if (j < 3 || j % 2 == 0) continue;
    across(d->words + (j - 3) / 2 * d->triple_step, columns + (j - 3) % 4 * column_words,
           columns + (j - 1) % 4 * column_words, n, d->component_step, d->quad_step);
  }
}

/* Components of one run of one channel and triple. */
static const int16_t *products(const struct mote_tiles_job *d, const int16_t *w,
                               const uint32_t *words, uint32_t n, uint32_t m[32]) {
  for (uint32_t i = 0; i < 16; i++, words += d->component_step) {
    const uint32_t *from = words;
    uint32_t first = 0, second = 0;
    for (uint32_t k = 0; k < n; from += ++k % 4 ? 2 : d->quad_step - 6, w++) {
      first += (uint32_t)*w * from[0];
      second += (uint32_t)*w * from[1];
    }
    m[2 * i] = first;
    m[2 * i + 1] = second;
  }
  return w;
}

void mote_isa_conv_tiles__plain(const struct mote_tiles_job *d) {
  const struct mote_conv2d_s8 *p = &d->p->conv;
  const int16_t *weights = (const int16_t *)mote_at(d->p, p->weights_at);
  const uint32_t n = p->in_c, most = d->p->run_values, m = d->triples;
  for (uint32_t c = 0; c < p->out_c; c++, weights += 16 * n) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    for (uint32_t i = 0; i < m; i++) {
      const int16_t *w = weights;
      uint32_t sums[12], components[32];
      for (uint32_t k = 0, some; k < n; k += some) {
        some = n - k < most ? n - k : most;
        w = products(d, w, d->words + i * d->triple_step + k / 4 * d->quad_step, some, components);
        mote_tiles_sums(components, 2, sums, 3, 1, k > 0);
      }
      for (uint32_t o = 0; o < 4; o++)
        for (uint32_t l = 0; l < 3; l++) {
          const uint32_t x = 2 * (i + l * m) + o % 2;
          if (x < d->pixels)
            d->out[((size_t)(o / 2) * p->out_w + x) * p->out_c + c] =
                mote_output_of(&p->output, &ch, (int32_t)(sums[3 * o + l] + (uint32_t)ch.bias));
        }
    }
  }
}
