/* stairs: finds for a channel's requantisation a shorter one with the same outputs (struct mote_stair in
 * mote/base/window.h).
 *
 * Requantisation never falls as its sum grows, so it is a stair of at most 255 steps. A sum s becomes
 *   floor((floor(s m / 2^12) + offset) / 2^shift):
 * its step j begins at the same sum t exactly if offset >= j 2^shift - v(t) and offset < j 2^shift - v(t - 1), with
 * v(s) = floor(s m / 2^12). So a multiplier does if the intervals of all steps have an offset in common, and then it is
 * exact for every sum of the range. Where the multiplier is a word whose lowest bits are the shift, that only says which
 * multipliers there are. */
#include "mote/nn/bounds.h"

enum { TRIES = 9, WORD_TRIES = 33 }; /* multipliers of each length */
#define REACH ((int64_t)1 << 29)     /* of a bias */

struct search {
  enum mote_stair_kind kind;
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

static int64_t scaled(const struct search *s, int32_t sum, uint32_t m) {
  switch (s->kind) { /* below 2^53 */
  case MOTE_STAIR_SUM: return ((int64_t)sum + ((int64_t)1 << 20)) * m >> (32 - MOTE_STAIR_UP);
  case MOTE_STAIR_NINE: return (int64_t)sum * m >> (32 - MOTE_STAIR_NINE_UP);
  default: return (int64_t)sum * m >> 12;
  }
}

/* Narrows low .. high to offsets with which nothing overflows; returns 0 where none is left. */
static int narrow_word(const struct search *s, uint32_t m, int shift, int64_t *low, int64_t *high) {
  const int64_t most = INT32_MAX - scaled(s, s->most, m);
  const int64_t floor = (int64_t)s->o->low * ((int64_t)1 << shift); /* an int32 */
  /* What lies below `first` = floor - offset is not shifted. */
  const int64_t from = floor - (s->kind == MOTE_STAIR_SUM ? (int64_t)UINT32_MAX : INT32_MAX);
  int64_t to = floor - (s->kind == MOTE_STAIR_SUM ? 0 : (int64_t)INT32_MIN);
  if (most < to) to = most;
  if (*low < from) *low = from;
  if (*high > to) *high = to;
  return *low <= *high;
}

/* The same of digits, where what is shifted in the end must be an int32 for every sum, and so must the offset. */
static int narrow_digits(const struct search *s, uint32_t m, int64_t *low, int64_t *high) {
  if (*low < INT32_MIN) *low = *high < 0 ? *high : 0; /* no step, or only one side bounds it */
  if (*high > INT32_MAX) *high = *low;
  const int64_t middle = *low + (*high - *low) / 2;
  const int64_t a = scaled(s, s->least, m) + middle, b = scaled(s, s->most, m) + middle;
  return middle >= INT32_MIN && middle <= INT32_MAX && a >= INT32_MIN && b <= INT32_MAX;
}

/* The offsets that serve all steps with this multiplier; returns 0 where there is none. */
static int offset_of(const struct search *s, const int32_t *begins, int32_t first, int32_t last,
                     uint32_t m, int shift, int32_t *offset) {
  int64_t low = INT64_MIN / 4, high = INT64_MAX / 4;
  for (int32_t j = first; j <= last; j++) {
    const int32_t t = begins[j - first];
    const int64_t at = (int64_t)j * ((int64_t)1 << shift); /* below 2^39 */
    if (t <= s->most && at - scaled(s, t, m) > low) low = at - scaled(s, t, m);
    if (t > s->least && at - 1 - scaled(s, t - 1, m) < high) high = at - 1 - scaled(s, t - 1, m);
  }
  if (low > high) return 0;
  if (s->kind == MOTE_STAIR_DIGITS ? !narrow_digits(s, m, &low, &high)
                                   : !narrow_word(s, m, shift, &low, &high))
    return 0;
  *offset = (int32_t)(uint32_t)(uint64_t)(low + (high - low) / 2);
  return 1;
}

/* m = scale 2^(12 + finest) = multiplier 2^(shift - 19 + finest) < 2^bits, from the finest on. */
static int find_digits(const struct search *s, const int32_t *begins, int32_t first, int32_t last,
                       struct mote_stair *to) {
  for (int32_t bits = MOTE_STAIR_BITS; bits <= 24; bits += 24 - MOTE_STAIR_BITS)
    for (int32_t k = 0; k < 4 * TRIES; k++) {
      const int right = 31 - bits + k / TRIES, finest = 19 - s->shift - right, near = k % TRIES;
      const int32_t m =
          (((s->multiplier >> (right - 1)) + 1) >> 1) + (near & 1 ? -(near + 1) / 2 : near / 2);
      if (finest < 1 || finest > 31 || m >= ((int32_t)1 << bits) - 2048) continue;
      if (!offset_of(s, begins, first, last, (uint32_t)m, finest, &to->offset)) continue;
      to->word = (uint32_t)((m + 2048) >> 12) << 20 | ((uint32_t)m & 0xFFF) << 8 | (uint32_t)finest;
      return 1;
    }
  return 0;
}

/* word = multiplier 2^(1 - right) but for its lowest five bits, which are the shift: right bits less than the finest there is
 * room for. `first` must be an int32, so the shift is at most 24. */
static int find_word(const struct search *s, const int32_t *begins, int32_t first, int32_t last,
                     struct mote_stair *to) {
  const int up = s->kind == MOTE_STAIR_SUM ? MOTE_STAIR_UP : MOTE_STAIR_NINE_UP;
  const int finest = up - s->shift, least = finest > 24 ? finest - 24 : 0;
  for (int right = least; right < least + 4; right++)
    for (int32_t near = 0; near < WORD_TRIES; near++) {
      const int64_t fives = ((int64_t)s->multiplier << 1 >> right) / 32;
      const int64_t word =
          32 * (fives + (near & 1 ? -(near + 1) / 2 : near / 2)) + (finest - right);
      if (finest < right || word < (int64_t)MOTE_STAIR_HIGH || word > UINT32_MAX) continue;
      if (!offset_of(s, begins, first, last, (uint32_t)word, finest - right, &to->offset)) continue;
      to->word = (uint32_t)word;
      return 1;
    }
  return 0;
}

int mote_find_stair(const struct mote_output *o, enum mote_stair_kind kind, int32_t multiplier,
                    int shift, int64_t bias, int64_t least, int64_t most, struct mote_stair *to) {
  const int64_t reach = (int64_t)1 << (kind == MOTE_STAIR_NINE ? 18 : 20);
  int32_t begins[255];
  if (multiplier < (int32_t)1 << 30 || shift > 0 || shift < -22) return 0;
  if (least < -reach || most >= reach || least > most || bias < -REACH || bias > REACH) return 0;
  const struct search s = {kind, multiplier,     (int32_t)bias, shift,
                           o,    (int32_t)least, (int32_t)most};
  const int32_t first = o->low + 1, last = o->high; /* steps; low <= high */
  for (int32_t j = first; j <= last; j++) begins[j - first] = begin_of(&s, j);
  return (kind == MOTE_STAIR_DIGITS ? find_digits : find_word)(&s, begins, first, last, to);
}

int mote_stairs_check(const struct mote_output *o, const void *params, const struct mote_bounds *b,
                      uint32_t n, uint32_t none, int high) {
  if (o->low > o->high || n == 0 || none > n ||
      !mote_bounds_constant(b, o->requant_at, ((uint64_t)n + none) * 8))
    return 0;
  const struct mote_stair MOTE_ROM *stairs =
      (const struct mote_stair MOTE_ROM *)mote_at(params, o->requant_at);
  for (uint32_t c = 0; c < n; c++) {
    const uint32_t word = stairs[c].word, shift = word & 255;
    if (high) {
      if (word < MOTE_STAIR_HIGH && word >= none) return 0;
      continue;
    }
    if (shift > 31 && (shift != MOTE_STAIR_NONE || word >> 8 >= none)) return 0;
  }
  for (uint32_t c = n; c < n + none; c++) {
    const int32_t shift = (int32_t)stairs[c].word;
    if (stairs[c].offset < 0 || shift < -31 || shift > 30) return 0;
  }
  return 1;
}
