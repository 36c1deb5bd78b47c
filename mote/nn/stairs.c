/* stairs: finds for a channel's requantisation a shorter one with the same outputs (struct mote_stair in
 * mote/base/window.h).
 *
 * Requantisation never falls as its sum grows, so it is a stair of at most 255 steps. A sum s becomes
 *   floor((floor(s m / 2^12) + offset) / 2^shift):
 * its step j begins at the same sum t exactly if offset >= j 2^shift - v(t) and offset < j 2^shift - v(t - 1), with
 * v(s) = floor(s m / 2^12). So a multiplier does if the intervals of all steps have an offset in common, and then it is
 * exact for every sum of the range. */
#include "mote/nn/bounds.h"

enum { TRIES = 9 };              /* multipliers of each length */
#define REACH ((int64_t)1 << 29) /* of a bias */

struct search {
  int32_t multiplier, bias;
  int shift;
  const struct mote_output *o;
  int32_t least, most; /* sums without bias */
};

static int32_t output_of(const struct search *s, int32_t sum) {
  const int32_t q = mote_requantise(sum + s->bias, s->multiplier, s->shift);
  return mote_clamp(q, s->o->low - s->o->zp, s->o->high - s->o->zp) + s->o->zp;
}

/* The least sum of the range that gives step j or one above; most + 1: none does. */
static int32_t begin_of(const struct search *s, int32_t j) {
  /* Rounding half up, the step begins where the sum is (j - zp - 1/2) 2^(31 - shift) / multiplier; |2 (j - zp) - 1| < 2^9,
   * so the dividend stays below 2^61. */
  const int64_t at =
      (int64_t)(2 * (j - s->o->zp) - 1) * ((int64_t)1 << (30 - s->shift)) / s->multiplier - s->bias;
  int32_t t = at < s->least ? s->least : at > s->most ? s->most + 1 : (int32_t)at;
  while (t > s->least && output_of(s, t - 1) >= j) t--;
  while (t <= s->most && output_of(s, t) < j) t++;
  return t;
}

static int64_t scaled(int32_t sum, int32_t m) { return ((int64_t)sum * m) >> 12; }

/* The offsets that serve all steps with this multiplier; returns 0 where there is none. */
static int offset_of(const struct search *s, const int32_t *begins, int32_t first, int32_t last,
                     int32_t m, int shift, int32_t *offset) {
  int64_t low = INT64_MIN / 4, high = INT64_MAX / 4;
  for (int32_t j = first; j <= last; j++) {
    const int32_t t = begins[j - first];
    const int64_t at = (int64_t)j * ((int64_t)1 << shift); /* below 2^39 */
    if (t <= s->most && at - scaled(t, m) > low) low = at - scaled(t, m);
    if (t > s->least && at - 1 - scaled(t - 1, m) < high) high = at - 1 - scaled(t - 1, m);
  }
  if (low > high) return 0;
  if (low < INT32_MIN) low = high < 0 ? high : 0; /* no step at all, or only one side bounds it */
  if (high > INT32_MAX) high = low;
  const int64_t middle = low + (high - low) / 2;
  /* What is shifted in the end must be an int32, and so must the offset. */
  const int64_t a = scaled(s->least, m) + middle, b = scaled(s->most, m) + middle;
  if (middle < INT32_MIN || middle > INT32_MAX || a < INT32_MIN || b > INT32_MAX) return 0;
  *offset = (int32_t)middle;
  return 1;
}

int mote_find_stair(const struct mote_output *o, int32_t multiplier, int shift, int64_t bias,
                    int64_t least, int64_t most, struct mote_stair *to) {
  const int64_t reach = (int64_t)1 << 20;
  int32_t begins[255];
  if (multiplier < (int32_t)1 << 30 || shift > 0 || shift < -22) return 0;
  if (least < -reach || most >= reach || least > most || bias < -REACH || bias > REACH) return 0;
  const struct search s = {multiplier, (int32_t)bias, shift, o, (int32_t)least, (int32_t)most};
  const int32_t first = o->low + 1, last = o->high; /* steps; low <= high */
  for (int32_t j = first; j <= last; j++) begins[j - first] = begin_of(&s, j);
  for (int32_t bits = MOTE_STAIR_BITS; bits <= 24; bits += 24 - MOTE_STAIR_BITS)
    for (int32_t k = 0; k < 4 * TRIES; k++) {
      /* m = scale 2^(12 + finest) = multiplier 2^(shift - 19 + finest) < 2^bits, from the finest on. */
      const int right = 31 - bits + k / TRIES, finest = 19 - shift - right, near = k % TRIES;
      const int32_t m =
          (((multiplier >> (right - 1)) + 1) >> 1) + (near & 1 ? -(near + 1) / 2 : near / 2);
      int32_t offset;
      if (finest < 1 || finest > 31 || m >= ((int32_t)1 << bits) - 2048) continue;
      if (!offset_of(&s, begins, first, last, m, finest, &offset)) continue;
      to->offset = offset;
      to->word = (uint32_t)((m + 2048) >> 12) << 20 | ((uint32_t)m & 0xFFF) << 8 | (uint32_t)finest;
      return 1;
    }
  return 0;
}

int mote_stairs_check(const struct mote_output *o, const void *params, const struct mote_bounds *b,
                      uint32_t n, uint32_t none) {
  if (o->low > o->high || n == 0 || none > n ||
      !mote_bounds_constant(b, o->requant_at, ((uint64_t)n + none) * 8))
    return 0;
  const struct mote_stair MOTE_ROM *stairs =
      (const struct mote_stair MOTE_ROM *)mote_at(params, o->requant_at);
  for (uint32_t c = 0; c < n; c++) {
    const uint32_t shift = stairs[c].word & 255;
    if (shift > 31 && (shift != MOTE_STAIR_NONE || stairs[c].word >> 8 >= none)) return 0;
  }
  for (uint32_t c = n; c < n + none; c++) {
    const int32_t shift = (int32_t)stairs[c].word;
    if (stairs[c].offset < 0 || shift < -31 || shift > 30) return 0;
  }
  return 1;
}
