/* What stands in front of any kind: see front.h.
 *
 * The state: a counter of steps, then of each channel that is made the low passes of its sources, their numbers of the step
 * before, and its sections. A filter begins as if the first step had been there always, so there is no jump at the start. */
#include "mote/dsp/front.h"

#include "mote/dsp/private.h"
#include "mote/dsp/scaled.h"

#include <string.h>

#define GRAVITY 14 /* digits of the low pass below a count; it overshoots by less than a sixth */

struct axes {
  int32_t past[3][4]; /* of the low passes */
  int32_t before[3];
};

static size_t channel_bytes(const struct mote_front *f) {
  return sizeof(struct axes) + sizeof(int32_t[4]) * f->sections;
}

size_t mote_front_state_bytes(const struct mote_front *f) {
  return sizeof(uint32_t) + f->channels * channel_bytes(f);
}

void mote_front_begin(const struct mote_front *f, void *state) {
  memset(state, 0, mote_front_state_bytes(f));
}

/* ---- derived channels -------------------------------------------------------------------- */

/* atan2(y, x) in turns, Q16, both below 2^31: a polynomial in the square of the smaller over the larger, 0.003 units off.
 * source: least squares at the zeros of a Chebyshev polynomial; test_front compares. */
static int32_t angle_of(int64_t y, int64_t x) {
  static const int32_t c[7] = {683562284, -227736621, 135324679, -90202605,
                               54001543,  -22629600,  4551376};
  const uint64_t high = (uint64_t)(y < 0 ? -y : y), wide = (uint64_t)(x < 0 ? -x : x);
  const int steep = high > wide;
  const struct mote_scaled quotient = mote_scaled_div(mote_scaled_of(steep ? wide : high, 0),
                                                      mote_scaled_of(steep ? high : wide, 0));
  const int32_t r = mote_scaled_fix(quotient, 30); /* at most 2^30 */
  const int32_t square = (int32_t)(((int64_t)r * r) >> 30);
  int32_t sum = c[6];
  for (int i = 5; i >= 0; i--) sum = c[i] + (int32_t)(((int64_t)sum * square) >> 30);
  int32_t turn = (int32_t)(((int64_t)sum * r) >> 30); /* Q32: at most an eighth */
  if (steep) turn = (1 << 30) - turn;
  turn = (turn + (1 << 15)) >> 16;
  if (x < 0) turn = 32768 - turn;
  return y < 0 ? -turn : turn;
}

/* Root of the sum of squares of n numbers with `digits` below a count. range: below 2^31 each. */
static int32_t length_of(const int32_t *v, uint32_t n, int32_t digits) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += (uint64_t)((int64_t)v[i] * v[i]);
  return mote_scaled_fix(mote_scaled_sqrt(mote_scaled_of(sum, -2 * digits)), 0);
}

/* What the sources are after their low pass, Q14; first: the first step. */
static void low_passed(const struct mote_front *f, struct axes *a, const int32_t *x, uint32_t n,
                       int first, int32_t *out) {
  for (uint32_t i = 0; i < n; i++) {
    const int32_t v = x[i] * (1 << GRAVITY);
    if (first) mote_section_rest(&f->gravity, a->past[i], v);
    out[i] = mote_section_step(&f->gravity, a->past[i], v);
  }
}

/* range: |x| <= 2^15, gravity held to 2^30 in Q14; so differences are below 2^31, and what comes out below 2^17. */
static int32_t derived(const struct mote_front *f, const struct mote_front_channel *c,
                       struct axes *a, const int16_t *step, int first) {
  int32_t x[3], v[3];
  const uint32_t n = c->n;
  for (uint32_t i = 0; i < n; i++) x[i] = step[c->source[i]];
  switch (c->kind) {
  case MOTE_FRONT_CHANNEL: return x[0];
  case MOTE_FRONT_MAGNITUDE: return length_of(x, n, 1);
  case MOTE_FRONT_JERK:
    for (uint32_t i = 0; i < n; i++) {
      v[i] = first ? 0 : x[i] - a->before[i];
      a->before[i] = x[i];
    }
    return length_of(v, n, 0);
  default: break;
  }
  low_passed(f, a, x, n, first, v);
  if (c->kind == MOTE_FRONT_GRAVITY) return (v[0] + (1 << (GRAVITY - 1))) >> GRAVITY;
  if (c->kind == MOTE_FRONT_ROLL) return angle_of(v[1], v[2]);
  if (c->kind == MOTE_FRONT_PITCH) {
    const int32_t yz[2] = {v[1] >> 4, v[2] >> 4};
    return angle_of(-(int64_t)(v[0] >> 4), length_of(yz, 2, 0));
  }
  for (uint32_t i = 0; i < n; i++) v[i] = x[i] * (1 << (GRAVITY - 1)) - v[i] / 2;
  if (c->kind == MOTE_FRONT_DYNAMIC) return (v[0] + (1 << (GRAVITY - 1))) >> GRAVITY;
  return length_of(v, n, GRAVITY);
}

/* ---- steps ------------------------------------------------------------------------------- */

int mote_front_push(const struct mote_front *f, void *state, const int16_t *step, int16_t *out) {
  const struct mote_front_channel *const channel = mote_at(f, f->channel_at);
  const struct mote_section *const section = mote_at(f, f->section_at);
  uint32_t *const count = state; /* 0: the first step; then 1 + steps since one came out */
  uint8_t *at = (uint8_t *)(count + 1);
  const int first = !*count, comes = *count <= 1;
  for (uint32_t c = 0; c < f->channels; c++, at += channel_bytes(f)) {
    struct axes *const a = (struct axes *)(void *)at;
    int32_t(*const past)[4] = (int32_t(*)[4])(void *)(at + sizeof *a);
    int32_t v = mote_clamp_s16(derived(f, &channel[c], a, step, first)) * (1 << f->fraction);
    for (uint32_t k = 0; k < f->sections; k++) {
      if (first) mote_section_rest(&section[k], past[k], v);
      v = mote_section_step(&section[k], past[k], v);
    }
    if (comes) { /* |v| <= 2^30, the multiplier below 2^31 */
      const int64_t y = ((int64_t)v * f->multiplier + ((int64_t)1 << (f->shift - 1))) >> f->shift;
      out[c] = (int16_t)(y > INT16_MAX ? INT16_MAX : y < INT16_MIN ? INT16_MIN : y);
    }
  }
  *count = *count ? *count : 1;
  *count = *count == f->ratio ? 1 : *count + 1;
  return comes;
}

/* range: at most 2^15 steps where a line is taken off: sums of products are below 2^15 2^16 2^15. */
static void detrend(const struct mote_front *f, int16_t *x) {
  const int32_t n = (int32_t)f->steps;
  int64_t sum = 0, moment = 0;
  for (int32_t t = 0; t < n; t++) {
    sum += x[(uint32_t)t * f->channels];
    moment += (int64_t)x[(uint32_t)t * f->channels] * (2 * t - (n - 1));
  }
  const int32_t mean = mote_mean_of(sum, f->steps);
  const int32_t digits = n < 1024 ? 14 : 24; /* the longer, the flatter: below 2^30 */
  int64_t slope = 0; /* of half a step: the sum of (2 t - n + 1)^2 is n (n^2 - 1) / 3 */
  if (f->detrend == MOTE_FRONT_LINE && n > 1) {
    const uint64_t size = (uint64_t)(moment < 0 ? -moment : moment);
    const struct mote_scaled by =
        mote_scaled_of((uint64_t)n * (uint64_t)(n - 1) * (uint64_t)(n + 1), 0);
    slope = mote_scaled_fix(
        mote_scaled_div(mote_scaled_mul(mote_scaled_of(size, 0), mote_scaled_of(3, 0)), by),
        digits);
    if (moment < 0) slope = -slope;
  }
  for (int32_t t = 0; t < n; t++) {
    int16_t *const at = &x[(uint32_t)t * f->channels];
    const int32_t line = (int32_t)((slope * (2 * t - (n - 1)) + (1 << (digits - 1))) >> digits);
    *at = mote_clamp_s16(*at - mean - line);
  }
}

void mote_front_run(const struct mote_front *f, const int16_t *samples, void *state, int16_t *out) {
  int16_t step[MOTE_FRONT_MOST], *at = out;
  uint32_t came = 0;
  mote_front_begin(f, state);
  for (uint32_t t = 0; t < f->window && came < f->first + f->steps; t++)
    if (mote_front_push(f, state, samples + (size_t)t * f->stride, step)) {
      if (came >= f->first) {
        memcpy(at, step, sizeof *out * f->channels);
        at += f->channels;
      }
      came++;
    }
  for (uint32_t c = 0; c < f->channels && f->detrend; c++) detrend(f, out + c);
}

/* ---- proof ------------------------------------------------------------------------------- */

static int lies_behind(const struct mote_front *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof *f && (at & 3) == 0 && (uint32_t)at <= f->bytes &&
         n <= f->bytes - (uint32_t)at;
}

static int channels_fit(const struct mote_front *f) {
  const struct mote_front_channel *const channel = mote_at(f, f->channel_at);
  for (uint32_t c = 0; c < f->channels; c++) {
    const struct mote_front_channel *const one = &channel[c];
    if (one->kind >= MOTE_FRONT_KIND_COUNT || one->n < 1 || one->n > 3) return 0;
    if (one->kind >= MOTE_FRONT_ROLL && one->n != 3) return 0;
    for (uint32_t i = 0; i < one->n; i++)
      if (one->source[i] >= f->stride) return 0;
  }
  return 1;
}

enum mote_status mote_front_check(const void *bytes, size_t n) {
  const struct mote_front *const f = bytes;
  if ((uintptr_t)bytes & 3) return MOTE_ERR_ALIGN;
  if (n < sizeof *f) return MOTE_ERR_TRUNCATED;
  if (f->magic != MOTE_FRONT_MAGIC) return MOTE_ERR_MAGIC;
  if (f->version != MOTE_FRONT_VERSION) return MOTE_ERR_VERSION;
  if (f->bytes > n) return MOTE_ERR_TRUNCATED;
  if (f->bytes < sizeof *f || f->bytes > 1 << 20 || f->bytes % 4) return MOTE_ERR_BOUNDS;
  if (!f->channels || f->channels > MOTE_FRONT_MOST || !f->stride || f->stride > 256 ||
      !f->window || f->window > 1 << 24 || !f->ratio || f->detrend > MOTE_FRONT_LINE ||
      f->sections > 12 || f->fraction > 14 || f->multiplier < 0 || f->shift < 1 || f->shift > 45)
    return MOTE_ERR_PARAMS;
  const uint32_t left = (f->window + f->ratio - 1u) / f->ratio;
  if (!f->steps || f->steps > left || f->first > left - f->steps ||
      (f->detrend == MOTE_FRONT_LINE && f->steps > INT16_MAX))
    return MOTE_ERR_PARAMS;
  if (!lies_behind(f, f->channel_at, sizeof(struct mote_front_channel) * f->channels) ||
      !lies_behind(f, f->section_at, sizeof(struct mote_section) * f->sections))
    return MOTE_ERR_BOUNDS;
  const uint16_t some = f->sections / 2; /* a filter has 8 at most */
  const struct mote_filter halves[2] = {{some, 1, 0}, {(uint16_t)(f->sections - some), 1, 0}};
  const struct mote_filter one = {1, 1, 0};
  if (!channels_fit(f) || !mote_filters_fit(halves, 2, mote_at(f, f->section_at), f->sections) ||
      !mote_filters_fit(&one, 1, &f->gravity, 1))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
