/* calibrate: see the header. Sums are exact, so the order of the frames does not matter. */
#include "mote/dsp/calibrate.h"
#include "mote/dsp/private.h"
#include "mote/dsp/scaled.h"

#define MOST_FRAMES (1u << 30)
/* A value of int8 is so many counts, so that its mean is known more finely than a step. */
#define VALUE_LOG2 7

void mote_calibrate_begin(struct mote_calibrate_sum *sums, uint32_t channels) {
  for (uint32_t c = 0; c < channels; c++) sums[c] = (struct mote_calibrate_sum){0, 0, 0};
}

static void add(struct mote_calibrate_sum *s, int32_t v) {
  s->sum += v;
  s->squares += (uint32_t)(v * v); /* <= 2^30 */
  s->n++;
}

void mote_calibrate_add(struct mote_calibrate_sum *sums, uint32_t channels, const int16_t *frames,
                        uint32_t n) {
  for (uint32_t t = 0; t < n && channels && sums->n < MOST_FRAMES; t++)
    for (uint32_t c = 0; c < channels; c++) add(&sums[c], *frames++);
}

void mote_calibrate_add_values(struct mote_calibrate_sum *sums, uint32_t columns,
                               const int8_t *values, uint32_t n) {
  for (uint32_t t = 0; t < n && columns && sums->n < MOST_FRAMES; t++)
    for (uint32_t c = 0; c < columns; c++) add(&sums[c], *values++ * (1 << VALUE_LOG2));
}

/* The deviation in steps of 1/16 of a count, 16 to 2^19: squares about the rounded mean, less what rounding left. */
static uint32_t deviation_of(const struct mote_calibrate_sum *s, int32_t mean) {
  if (!s->n) return 16;
  const int64_t rest = s->sum - (int64_t)mean * s->n; /* |rest| <= n / 2 */
  const uint64_t about =
      s->squares - (uint64_t)(2 * (int64_t)mean * s->sum) + (uint64_t)((int64_t)mean * mean) * s->n;
  const uint64_t taken = (uint64_t)(rest * rest) / s->n;
  const struct mote_scaled variance = mote_scaled_div(
      mote_scaled_of(about > taken ? about - taken : 0, 0), mote_scaled_of(s->n, 0));
  const int32_t deviation = mote_scaled_fix(mote_scaled_sqrt(variance), 4);
  return deviation < 16 ? 16 : (uint32_t)deviation;
}

/* gain = 2^12 / deviation as multiplier / 2^shift with a multiplier from 2^13 to 2^14: 2^16 / deviation lies between 2^-3
 * and 2^12, so shift is 1 to 17, and what is divided at most 2^33. */
static void set_gain(struct mote_features_column *c, uint32_t deviation) {
  uint64_t one = (uint64_t)MOTE_CALIBRATE_DEVIATION * 16 * 2;
  int16_t shift = 1;
  for (; one / deviation < 1u << 13 && shift < 17; shift++) one *= 2;
  const uint64_t multiplier = one / deviation;
  c->multiplier = (int16_t)(multiplier > INT16_MAX ? INT16_MAX : multiplier);
  c->shift = shift;
}

/* least: the smallest deviation, in steps of 1/16 of a count. */
static void end(const struct mote_calibrate_sum *sums, uint32_t n, int deviation, uint32_t least,
                struct mote_features_column *map) {
  for (uint32_t c = 0; c < n; c++, sums++, map++) {
    const int32_t mean = sums->n ? mote_mean_of(sums->sum, sums->n) : 0;
    *map = (struct mote_features_column){(int16_t)mean, 1 << 13, 13};
    if (!deviation) continue;
    const uint32_t own = deviation_of(sums, mean);
    set_gain(map, own < least ? least : own);
  }
}

void mote_calibrate_end(const struct mote_calibrate_sum *sums, uint32_t channels, int deviation,
                        struct mote_features_column *map) {
  end(sums, channels, deviation, 16, map);
}

void mote_calibrate_end_values(const struct mote_calibrate_sum *sums, uint32_t columns,
                               int deviation, struct mote_features_column *map) {
  end(sums, columns, deviation, 16u << VALUE_LOG2, map);
}

static int16_t map_one(const struct mote_features_column *c, int32_t v) {
  const int32_t half = (int32_t)1 << (c->shift - 1);
  const int32_t away = mote_clamp_s16(v - c->offset);
  return mote_clamp_s16((away * c->multiplier + half) >> c->shift); /* below 2^30 */
}

void mote_calibrate_apply(const struct mote_features_column *map, uint32_t channels,
                          const int16_t *in, uint32_t n, int16_t *out) {
  for (uint32_t t = 0; t < n; t++)
    for (uint32_t c = 0; c < channels; c++, in++, out++) *out = map_one(&map[c], *in);
}

/* A deviation is MOTE_CALIBRATE_DEVIATION counts here, 2^7 times MOTE_CALIBRATE_STEPS. */
void mote_calibrate_apply_values(const struct mote_features_column *map, uint32_t columns,
                                 int8_t *values, uint32_t n) {
  for (uint32_t t = 0; t < n; t++)
    for (uint32_t c = 0; c < columns; c++, values++) {
      const int32_t wide = map_one(&map[c], *values * (1 << VALUE_LOG2));
      const int32_t step = (wide + (1 << (VALUE_LOG2 - 1))) >> VALUE_LOG2;
      *values = (int8_t)mote_clamp(step, INT8_MIN, INT8_MAX);
    }
}

float mote_calibrate_log(float v) {
  const float size = mote_real_log(1.0f + mote_real_abs(v));
  return v < 0 ? -size : size;
}
