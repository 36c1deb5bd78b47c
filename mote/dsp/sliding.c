/* The last step with mean and deviation over the rows about each row.
 *
 * Beyond the window's ends its rows come again, the last first, so a sum over `sliding` rows exists for every row and moves
 * by one row that enters and one that leaves. The deviation is that of the values with their own means taken off; those
 * of the entering and the leaving row are found by sums that walk ahead and behind, so nothing is stored. */
#include "mote/dsp/private.h"

/* The row that stands for i: 0 .. n-1, n-1 .. 0, and so on, both ways. Few steps, where a division would be long. */
static inline uint32_t mirrored(int32_t i, int32_t n) {
  while ((uint32_t)i >= (uint32_t)n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
  return (uint32_t)i;
}

/* The sum of a column's values over the rows about `at`, which may lie anywhere. */
struct walk {
  const int16_t *column;
  uint32_t stride;
  int32_t rows, half, at, sum;
};

static int32_t value_at(const struct walk *w, int32_t i) {
  return w->column[mirrored(i, w->rows) * w->stride];
}

/* sliding times the value of the row at `at`, minus the sum about it: sliding times the value without its mean.
 * range: |value| <= 2^15, sliding <= 1001: below 2^26. */
static int32_t centred(const struct walk *w) {
  return (2 * w->half + 1) * value_at(w, w->at) - w->sum;
}

static void walk_start(struct walk *w, int32_t at) {
  w->at = at;
  w->sum = 0;
  for (int32_t i = at - w->half; i <= at + w->half; i++) w->sum += value_at(w, i);
}

static void walk_on(struct walk *w) {
  w->sum -= value_at(w, w->at - w->half);
  w->at++;
  w->sum += value_at(w, w->at + w->half);
}

/* value / deviation in Q10, where `value` is n times the true one, sum and squares those of n such values.
 * deviation^2 = (squares / n - (sum / n)^2) / n^2, so the quotient is value n / sqrt(n squares - sum^2).
 * range: |value| < 2^26, n <= 1001: squares < 2^62, so n squares is made from a smaller unit, 2^-10 of squares. */
static int32_t standardised(int32_t value, int32_t n, int64_t sum, uint64_t squares) {
  const uint64_t mean = (uint64_t)(sum < 0 ? -sum : sum) / (uint32_t)n; /* < 2^26 */
  const uint64_t all = squares / (uint32_t)n;                           /* < 2^52 */
  uint64_t variance = all > mean * mean ? all - mean * mean : 0;
  int32_t shift = 0; /* of the root */
  while (variance >> 32) variance >>= 2, shift++;
  while (variance && variance < (uint32_t)1 << 30 && shift > -8) variance <<= 2, shift--;
  const int32_t root = (int32_t)mote_sqrt_u32((uint32_t)variance); /* < 2^16 */
  if (!root) return 0;
  /* |value| <= deviation * sqrt(n): |value| 2^-shift < 2^16 * 32 = 2^21; times 2^10 is below 2^31. */
  const int32_t scaled = shift >= 0 ? value >> shift : (int32_t)((uint32_t)value << -shift);
  return mote_clamp(scaled, -(1 << 20), 1 << 20) * 1024 / root;
}

void mote_features_finish_sliding(const struct mote_features *f, const void *values, int8_t *out) {
  const struct mote_features_emphasis *const e = mote_at(f, f->params_at);
  const struct mote_features_column *column = mote_at(f, f->column_at);
  const int32_t half = e->sliding / 2;
  for (uint32_t d = 0; d < f->depth; d++)
    for (uint32_t w = 0; w < f->width; w++, column++) {
      struct walk here = {
          (const int16_t *)values + d * f->width + w, f->columns, f->rows, half, 0, 0};
      struct walk ahead = here, behind = here;
      int64_t sum = 0;
      uint64_t squares = 0;
      int8_t *q = out + w * f->depth + d;
      walk_start(&here, 0);
      walk_start(&behind, -half);
      for (ahead = behind;; walk_on(&ahead)) {
        const int32_t v = centred(&ahead);
        sum += v, squares += (uint64_t)((int64_t)v * v);
        if (ahead.at == half) break;
      }
      for (int32_t r = 0;; r++, q += f->columns) {
        const int32_t z = mote_clamp_s16(standardised(centred(&here), e->sliding, sum, squares));
        const int32_t n = mote_clamp_s16(z - column->offset);
        *q = (int8_t)mote_clamp(
            f->zp + ((n * column->multiplier + (1 << (column->shift - 1))) >> column->shift), -128,
            127);
        if (r + 1 == f->rows) break;
        const int32_t old = centred(&behind);
        walk_on(&behind), walk_on(&here), walk_on(&ahead);
        const int32_t now = centred(&ahead);
        sum += now - old;
        squares += (uint64_t)((int64_t)now * now) - (uint64_t)((int64_t)old * old);
      }
    }
}
