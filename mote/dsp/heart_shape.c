/* A beat beside the usual one: the mean of the other beats of the same frame, each about its own place and without its own
 * mean. Leads, skins and hearts differ more between people than a beat from its neighbours, so what carries over to a new
 * wearer is a ratio of the two. Nothing is learned and nothing is kept: the frame holds the neighbours.
 *
 * range: numbers in Q4 without their mean are below 2^21; a beat has at most 2^12 of them (the check of heart.c), so that sums of
 * products are below 2^54. Sums of beats: 2^13 of 2^15. */
#include "mote/dsp/heart_shape.h"
#include "mote/dsp/private.h"
#include "mote/dsp/scaled.h"

#define FRACTION 4 /* bits behind the point: a mean of beats is finer than a count */

/* ---- the two beats ----------------------------------------------------------------------- */

struct beats {
  const struct mote_heart *p;
  const int16_t *in;
  uint32_t frame, stride;
};

/* The frame's number where the beat at `time` begins; -1: it does not lie in the frame as a whole. */
static int32_t start_of(const struct beats *b, int32_t time) {
  const int32_t place = mote_scaled_fix(
      mote_scaled_div(mote_scaled_of((uint32_t)time, 10), mote_scaled_of(b->p->tick, 0)), 0);
  const int64_t start = (int64_t)place - b->p->shape.lead;
  return start < 0 || start + b->p->shape.length > b->frame ? -1 : (int32_t)start;
}

/* to += the beat at start. */
static void add_beat(const struct beats *b, int32_t start, int32_t *to) {
  const int16_t *const in = b->in + (size_t)start * b->stride;
  for (uint32_t i = 0; i < b->p->shape.length; i++) to[i] += in[i * b->stride];
}

static int32_t mean_of(const int32_t *x, uint32_t n) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += x[i];
  return mote_mean_of(sum, n);
}

/* The mean of count beats, with FRACTION, from their sum; without its own mean. */
static void finish_beat(int32_t *x, uint32_t n, uint32_t count) {
  for (uint32_t i = 0; i < n; i++) x[i] = mote_mean_of((int64_t)x[i] * (1 << FRACTION), count);
  const int32_t level = mean_of(x, n);
  for (uint32_t i = 0; i < n; i++) x[i] -= level;
}

/* The mean of all beats but the middle one; 0: there is no such beat. */
static int usual_beat(const struct beats *b, const int32_t *time, uint32_t n, uint32_t middle,
                      int32_t *to) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < b->p->shape.length; i++) to[i] = 0;
  for (uint32_t k = 0; k < n; k++) {
    const int32_t start = k == middle ? -1 : start_of(b, time[k]);
    if (start < 0) continue;
    add_beat(b, start, to);
    count++;
  }
  if (count) finish_beat(to, b->p->shape.length, count);
  return count > 0;
}

/* ---- what is said of them ------------------------------------------------------------------ */

/* Sum of (x - its mean) (y - its mean). */
static int64_t product_of(const int32_t *x, const int32_t *y, uint32_t n) {
  const int32_t x_mean = mean_of(x, n), y_mean = mean_of(y, n);
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += (int64_t)(x[i] - x_mean) * (y[i] - y_mean);
  return sum;
}

static uint64_t energy_of(const int32_t *x, uint32_t n) { return (uint64_t)product_of(x, x, n); }

/* Correlation, Q16; 0 where one of them is flat. */
static int32_t correlation(const int32_t *x, const int32_t *y, uint32_t n) {
  const int64_t both = product_of(x, y, n);
  const struct mote_scaled energies =
      mote_scaled_mul(mote_scaled_of(energy_of(x, n), 0), mote_scaled_of(energy_of(y, n), 0));
  const struct mote_scaled part = mote_scaled_div(
      mote_scaled_of((uint64_t)(both < 0 ? -both : both), 0), mote_scaled_sqrt(energies));
  const int32_t size = mote_scaled_fix(part, 16);
  return both < 0 ? -size : size;
}

/* The largest correlation where the beat may lie a little beside the usual one: its place is that of its squares. */
static int32_t likeness_of(const struct mote_heart_shape *s, const int32_t *beat,
                           const int32_t *usual) {
  const struct mote_heart_stretch w = s->likeness;
  int32_t best = -65536;
  for (uint32_t from = (uint32_t)w.from - s->shift; from <= (uint32_t)w.from + s->shift; from++) {
    const int32_t c = correlation(beat + from, usual + w.from, (uint32_t)w.to - w.from);
    if (c > best) best = c;
  }
  return best;
}

/* log2 of a / b, Q20. */
static int32_t ratio_of(struct mote_scaled a, struct mote_scaled b) {
  return mote_scaled_log2(a) - mote_scaled_log2(b);
}

/* A count in each number more on both sides, so that silence over silence is 1. */
static int32_t energies_of(const struct mote_heart_stretch *w, const int32_t *beat,
                           const int32_t *usual) {
  const uint32_t n = (uint32_t)w->to - w->from, least = n << 2 * FRACTION;
  return ratio_of(mote_scaled_of(energy_of(beat + w->from, n) + least, 0),
                  mote_scaled_of(energy_of(usual + w->from, n) + least, 0));
}

/* Area over height: numbers that a block of the same area and height would have. 0: flat. */
static struct mote_scaled width_of(const struct mote_heart_stretch *w, const int32_t *x) {
  uint64_t area = 0;
  uint32_t height = 0;
  for (uint32_t i = w->from; i < w->to; i++) {
    const uint32_t size = (uint32_t)(x[i] < 0 ? -x[i] : x[i]);
    area += size;
    if (size > height) height = size;
  }
  return mote_scaled_div(mote_scaled_of(area, 0), mote_scaled_of(height, 0));
}

static int32_t *put_shape(const struct mote_heart *p, const int32_t *beat, const int32_t *usual,
                          int32_t *out) {
  const struct mote_heart_shape *const s = &p->shape;
  const uint32_t values = p->values;
  const struct mote_scaled width = width_of(&s->width, beat);
  const struct mote_scaled usual_width = width_of(&s->width, usual);
  if (values & MOTE_HEART_LIKENESS) *out++ = likeness_of(s, beat, usual);
  if (values & MOTE_HEART_ENERGY) *out++ = energies_of(&s->energy, beat, usual);
  if (values & MOTE_HEART_AHEAD) *out++ = energies_of(&s->ahead, beat, usual);
  if (values & MOTE_HEART_WIDTH)
    *out++ = mote_scaled_fix(mote_scaled_mul(width, mote_scaled_of(p->tick, -20)), 10);
  if (values & MOTE_HEART_WIDENING)
    *out++ = width.m && usual_width.m ? ratio_of(width, usual_width) : 0;
  return out;
}

/* Of a beat that is the only one, or cut off by the frame's end: it is as usual, and has no width. */
static int32_t *put_usual(uint32_t values, int32_t *out) {
  if (values & MOTE_HEART_LIKENESS) *out++ = 65536;
  for (uint32_t bit = MOTE_HEART_ENERGY; bit <= MOTE_HEART_WIDENING; bit <<= 1)
    if (values & bit) *out++ = 0;
  return out;
}

/* The values of beat `middle` of h. */
static int32_t *shape_of(const struct mote_features *f, const struct mote_heart_beats *h,
                         const int16_t *in, uint32_t middle, int32_t *work, int32_t *out) {
  const struct mote_heart *const p = h->p;
  const struct beats b = {p, in, f->frame, f->stride};
  const uint32_t length = p->shape.length;
  int32_t *const beat = work, *const usual = work + length;
  if (mote_heart_is_plain(p)) return out;
  const int32_t start = h->n ? start_of(&b, h->time[middle]) : -1;
  if (start < 0 || !usual_beat(&b, h->time, h->n, middle, usual)) return put_usual(p->values, out);
  for (uint32_t i = 0; i < length; i++) beat[i] = 0;
  add_beat(&b, start, beat);
  finish_beat(beat, length, 1);
  return put_shape(p, beat, usual, out);
}

/* ---- the op ---------------------------------------------------------------------------- */

static void full_row(const struct mote_features *f, const int16_t *samples, void *state,
                     void *scratch, void *row) {
  (void)state;
  mote_heart_row(f, shape_of, samples, scratch, row);
}

const struct mote_features_op mote_features_heart_full = {
    .kind = MOTE_FEATURES_HEART,
    .scratch_bytes = mote_heart_scratch_bytes,
    .row = full_row,
    .finish = mote_features_finish_s32,
};
