/* Heart beats, one sample at a time: see beats.h.
 *
 * range: samples have 4 digits below a count. What the filter gives is held to 2^20, so squares are at most 2^40, their
 * sums below 2^52, and the products that the averages are compared by below 2^62. */
#include "mote/dsp/beats.h"
#include "mote/dsp/scaled.h"

#include <string.h>

#define FRACTION 4
#define MOST     (1 << 20)
#define LONGEST  4095 /* numbers of a rise that count */

size_t mote_beats_state_bytes(const struct mote_beats *p) {
  return (sizeof(struct mote_beats_state) + sizeof(int32_t) * p->slow + 7) & ~(size_t)7;
}

void mote_beats_begin(const struct mote_beats *p, struct mote_beats_state *s) {
  memset(s, 0, mote_beats_state_bytes(p));
}

static uint64_t square_of(const struct mote_beats *p, int32_t y) {
  return p->upward && y < 0 ? 0 : (uint64_t)((int64_t)y * y);
}

/* The middle of the squares of a rise, from its first number on as 1, Q8. */
static int32_t middle_of(const struct mote_beats_state *s) {
  return mote_scaled_fix(mote_scaled_div(mote_scaled_of(s->moment, 0), mote_scaled_of(s->mass, 0)),
                         8);
}

/* The beat that waits, told from the number at the averages' centre. */
static int tell(const struct mote_beats *p, struct mote_beats_state *s, int32_t *ago) {
  *ago = (int32_t)((s->since + p->slow / 2) << 8) + s->offset + p->delay;
  s->pending = 0;
  return 1;
}

/* A rise has ended in front of this number. 1: the beat that waited is told. */
static int end_rise(const struct mote_beats *p, struct mote_beats_state *s, int32_t *ago) {
  const int32_t offset = (int32_t)((s->above + 1) << 8) - middle_of(s);
  const int near =
      s->pending && (int32_t)(s->since << 8) + s->offset - offset < (int32_t)(p->apart << 8);
  const int told = s->pending && !near ? tell(p, s, ago) : 0;
  if (!near || s->largest > s->pending) s->pending = s->largest, s->since = 0, s->offset = offset;
  return told;
}

/* The number at the averages' centre: the next of a rise, or behind one. 1: a beat is told.
 * range: at most 2^12 squares of 2^40 times their place, 2^12: below 2^64. */
static int follow(const struct mote_beats *p, struct mote_beats_state *s, int32_t y, int above,
                  int32_t *ago) {
  int told = 0;
  if (s->since < LONGEST) s->since++;
  if (above) {
    const uint64_t square = square_of(p, y);
    if (s->above < LONGEST) s->above++, s->mass += square, s->moment += square * s->above;
    if (square > s->largest) s->largest = square;
    return 0;
  }
  if (s->above >= p->fast && s->mass)
    told = end_rise(p, s, ago);
  else if (s->pending && (int32_t)(s->since << 8) + s->offset > (int32_t)(p->apart << 8))
    told = tell(p, s, ago);
  s->above = 0;
  s->largest = s->mass = s->moment = 0;
  return told;
}

static int32_t *ring_of(struct mote_beats_state *s) { return (int32_t *)(void *)(s + 1); }

/* A number of the filter. */
static int averages_step(const struct mote_beats *p, struct mote_beats_state *s, int32_t y,
                         int32_t *ago) {
  const uint32_t slow = p->slow, half = p->fast / 2, centre = s->at + slow - slow / 2;
  const uint64_t square = square_of(p, y);
  int32_t *const ring = ring_of(s);
  s->slow += square - square_of(p, ring[s->at]);
  ring[s->at] = y;
  const uint32_t in = centre + half, out = centre - half - 1;
  s->fast += square_of(p, ring[in >= slow ? in - slow : in]) -
             square_of(p, ring[out >= slow ? out - slow : out]);
  s->at = s->at + 1 == slow ? 0 : s->at + 1;
  if (s->pushed < INT32_MAX) s->pushed++;
  int32_t memory = 31 - mote_zeros_of(s->pushed);
  if (memory > p->memory) memory = p->memory;
  s->level += (uint64_t)(((int64_t)(square << 8) - (int64_t)s->level) >> memory);
  const uint64_t least = (s->level * p->threshold) >> 16;
  return follow(p, s, ring[centre >= slow ? centre - slow : centre],
                s->fast * slow > s->slow * p->fast + least * p->fast * slow, ago);
}

int mote_beats_push(const struct mote_beats *p, struct mote_beats_state *s, int32_t x,
                    int32_t *ago) {
  x *= 1 << FRACTION;
  for (uint32_t k = 0; k < MOTE_BEATS_SECTIONS; k++) {
    if (!s->pushed) mote_section_rest(&p->section[k], s->past[k], x);
    x = mote_section_step(&p->section[k], s->past[k], x);
  }
  return averages_step(p, s, mote_clamp(x, -MOST, MOST), ago);
}

int mote_beats_flush(const struct mote_beats *p, struct mote_beats_state *s, int32_t *ago) {
  return mote_beats_push(p, s, s->past[0][0] >> FRACTION, ago);
}

int mote_beats_fit(const struct mote_beats *p) {
  const struct mote_filter all = {MOTE_BEATS_SECTIONS, 1, 0};
  return p->fast >= 3 && p->fast <= 511 && p->fast & 1 && p->slow & 1 && p->slow >= 3 * p->fast &&
         p->slow <= 4095 && p->apart >= p->fast && p->threshold <= 256 && p->memory >= 4 &&
         p->memory <= 20 && p->upward <= 1 && p->delay >= 0 && p->delay <= 1 << 20 &&
         mote_filters_fit(&all, 1, p->section, MOTE_BEATS_SECTIONS);
}
