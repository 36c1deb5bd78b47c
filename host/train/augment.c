/* train/augment: recordings and features changed a little for each draw, all from one seed.
 *
 * Speed changes tempo and pitch together, as a shorter or longer vocal tract does. Where the features are
 * bands, warp.c does that better, each apart. source of the idea: Ko et al. 2015, audio augmentation. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

struct train_augment train_augment_default(enum train_input input) {
  struct train_augment a = {0};
  if (input == TRAIN_INPUT_IMAGE) {
    a.shift = 0.08f, a.rotate_deg = 10.0f, a.zoom = 0.1f;
    a.brightness = 0.08f, a.contrast = 0.2f, a.cutout = 0.25f;
  }
  if (input != TRAIN_INPUT_AUDIO) return a;
  a.shift_ms = 100.0f;
  a.gain_db = 6.0f;
  a.speed = 0.05f;
  a.background_chance = 0.7f;
  a.background_snr_db_min = 5.0f;
  a.background_snr_db_max = 30.0f;
  a.noise_chance = 0.3f;
  a.noise_snr_db_min = 15.0f;
  a.time_stretch = 0.25f;
  a.band_warp = 0.07f;
  a.slope_db = 6.0f;
  a.floor_chance = 0.5f;
  a.floor_db_min = 20.0f;
  a.floor_db_max = 60.0f;
  return a;
}

static float between(struct rng *r, float low, float high) {
  return low + (high - low) * rng_unit(r);
}

/* 10^(db / 20). */
static float factor_of_db(float db) { return (float)train_exp((double)db * 0.11512925464970229); }

/* Catmull-Rom through four samples, t of the way from the second to the third. */
static inline float between_four(const float p[4], float t) {
  const float a = p[1], b = 0.5f * (p[2] - p[0]);
  const float c = p[0] - 2.5f * p[1] + 2.0f * p[2] - 0.5f * p[3];
  const float d = 0.5f * (p[3] - p[0]) + 1.5f * (p[1] - p[2]);
  return a + t * (b + t * (c + t * d));
}

/* The recording at a place in steps of 2^-32; silence outside. */
static float sample_at(const int16_t *in, uint32_t n, int64_t place) {
  const int64_t i = (place >> 32) - 1;
  float p[4];
  if (i >= 0 && i + 3 < (int64_t)n) {
    for (int k = 0; k < 4; k++) p[k] = (float)in[i + k];
  } else {
    if (i < -4 || i > (int64_t)n) return 0.0f;
    for (int k = 0; k < 4; k++) p[k] = i + k < 0 || i + k >= (int64_t)n ? 0.0f : (float)in[i + k];
  }
  return between_four(p, (float)(uint32_t)place * 0x1p-32f);
}

/* y[i] = b0 x[i] + b1 x[i-1] + b2 x[i-2] - a1 y[i-1] - a2 y[i-2], in place. */
struct biquad {
  double b0, b1, b2, a1, a2;
};
static void run_biquad(const struct biquad *f, float *x, uint32_t n) {
  double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
  for (uint32_t i = 0; i < n; i++) {
    const double now = (double)x[i];
    const double y = f->b0 * now + f->b1 * x1 + f->b2 * x2 - f->a1 * y1 - f->a2 * y2;
    x2 = x1, x1 = now, y2 = y1, y1 = y;
    x[i] = (float)y;
  }
}

/* One zero: gain 1 - k at 0 Hz and 1 + k at half the rate, `db` apart. */
static struct biquad tilt_of(float db) {
  const double ratio = (double)factor_of_db(db), k = (ratio - 1.0) / (ratio + 1.0);
  return (struct biquad){.b0 = 1.0, .b1 = -k};
}

/* A peak of `db` at place * half the rate, an octave and a half wide. source: Bristow-Johnson's filters. */
static struct biquad peak_of(float place, float db) {
  const double c = train_cos_half_turn((double)place), s = sqrt(1.0 - c * c), q = 0.9;
  const double a = (double)factor_of_db(0.5f * db), up = s / (2.0 * q) * a,
               down = s / (2.0 * q) / a;
  const double a0 = 1.0 + down;
  return (struct biquad){(1.0 + up) / a0, -2.0 * c / a0, (1.0 - up) / a0, -2.0 * c / a0,
                         (1.0 - down) / a0};
}

/* Mean square of n samples of x, at least one step of an int16. */
static double power_of(const float *x, uint32_t n) {
  double sums[4] = {0}; /* lanes that do not wait for each other */
  for (uint32_t i = 0; i < n; i++) sums[i & 3] += (double)x[i] * (double)x[i];
  const double power = n ? ((sums[0] + sums[1]) + (sums[2] + sums[3])) / n : 0.0;
  return power > 1.0 ? power : 1.0;
}

static void mix_background(const struct train_augment *how, const struct train_background *pool,
                           struct rng *r, float *x, uint32_t n, double signal) {
  const uint32_t pick = rng_below(r, (uint32_t)pool->n);
  const float snr = between(r, how->background_snr_db_min, how->background_snr_db_max);
  const uint32_t length = pool->lengths[pick];
  if (length == 0) return;
  const uint32_t start = rng_below(r, length);
  const int16_t *from = pool->samples[pick];
  double power = 0;
  for (uint32_t i = 0; i < n; i++) {
    const double s = from[(start + (uint64_t)i) % length];
    power += s * s;
  }
  power = power / n > 1.0 ? power / n : 1.0;
  const float k = (float)sqrt(signal / power) * factor_of_db(-snr);
  for (uint32_t i = 0; i < n; i++) x[i] += k * (float)from[(start + (uint64_t)i) % length];
}

static void add_noise(const struct train_augment *how, struct rng *r, float *x, uint32_t n,
                      double signal) {
  const float snr = between(r, how->noise_snr_db_min, 40.0f);
  /* A uniform of width 1 has variance 1/12. */
  const float k = (float)sqrt(12.0 * signal) * factor_of_db(-snr);
  for (uint32_t i = 0; i < n; i++) x[i] += k * (rng_unit(r) - 0.5f);
}

static int16_t saturate(float x) {
  return x >= 32767.0f ? 32767 : x <= -32768.0f ? -32768 : (int16_t)lrintf(x);
}

/* A block of samples on the stack of the caller's thread, or from the heap of an arena where it is long. */
#define STACK_SAMPLES 65536

static void augment(const struct train_augment *how, const struct train_background *background,
                    int rate_hz, const int16_t *in, uint32_t n_in, uint64_t seed, float *x,
                    uint32_t n) {
  struct rng r;
  rng_seed(&r, seed);
  const float speed = seed ? 1.0f + between(&r, -how->speed, how->speed) : 1.0f;
  const float shift =
      seed ? between(&r, -how->shift_ms, how->shift_ms) * (float)rate_hz / 1000.0f : 0.0f;
  const float gain = seed ? factor_of_db(between(&r, -how->gain_db, how->gain_db)) : 1.0f;
  const double middle = seed ? (double)n_in / 2.0 + (double)shift : floor((double)n_in / 2.0);
  const double from = seed ? (double)n / 2.0 : floor((double)n / 2.0);
  /* Places fit 64 bits: at most 2^31 samples, 2^32 steps each. */
  int64_t at = (int64_t)floor((middle - from * (double)speed) * 0x1p32);
  const int64_t step = (int64_t)((double)speed * 0x1p32);
  for (uint32_t i = 0; i < n; i++, at += step) x[i] = gain * sample_at(in, n_in, at);
  if (!seed) return;
  if (how->tone_db > 0.0f) {
    const struct biquad tilt = tilt_of(between(&r, -how->tone_db, how->tone_db));
    /* From 1/32 of half the rate up, evenly over octaves. */
    const float place = (float)train_exp(-3.4657359 * (double)rng_unit(&r)) * 0.95f;
    const struct biquad peak = peak_of(place, between(&r, -how->tone_db, how->tone_db));
    run_biquad(&tilt, x, n);
    run_biquad(&peak, x, n);
  }
  const double signal = power_of(x, n);
  const bool with_background = rng_unit(&r) < how->background_chance;
  if (with_background && background && background->n > 0)
    mix_background(how, background, &r, x, n, signal);
  if (rng_unit(&r) < how->noise_chance) add_noise(how, &r, x, n, signal);
}

void train_augment_audio(const struct train_augment *how, const struct train_background *background,
                         int rate_hz, const int16_t *in, uint32_t n_in, uint64_t seed, int16_t *out,
                         uint32_t n) {
  float block[STACK_SAMPLES];
  struct arena *a = n > STACK_SAMPLES ? arena_new((size_t)n * sizeof(float) + (1 << 20)) : NULL;
  float *x = a ? ARENA_ARRAY(a, float, n) : block;
  augment(how, background, rate_hz, in, n_in, seed, x, n);
  for (uint32_t i = 0; i < n; i++) out[i] = saturate(x[i]);
  arena_free(a);
}

void train_augment_sensor(const struct train_augment *how, int16_t *x, size_t n, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed);
  const float gain = factor_of_db(between(&r, -how->gain_db, how->gain_db));
  const bool noisy = rng_unit(&r) < how->noise_chance;
  const float snr_db = between(&r, how->noise_snr_db_min, 40.0f);
  double power = 0;
  for (size_t i = 0; i < n; i++) power += (double)x[i] * (double)x[i];
  const float noise = noisy && n ? (float)sqrt(power / (double)n) * factor_of_db(-snr_db) : 0.0f;
  for (size_t i = 0; i < n; i++)
    x[i] = saturate(gain * ((float)x[i] + (noisy ? noise * rng_normal(&r) : 0.0f)));
}

/* One run of at most `most` of `size`; fewer than half of all are ever masked. */
static void draw_run(struct rng *r, int size, int most, int *first, int *length) {
  if (most > size / 2) most = size / 2;
  *length = (int)rng_below(r, (uint32_t)most + 1);
  *first = (int)rng_below(r, (uint32_t)(size - *length) + 1);
}

void train_augment_mask(int8_t *features, int h, int w, int c, int time_masks, int time_mask_max,
                        int band_masks, int band_mask_max, int8_t fill, uint64_t seed) {
  struct rng r;
  int first, length;
  rng_seed(&r, seed);
  const size_t row = (size_t)w * (size_t)c;
  for (int i = 0; i < time_masks; i++) {
    draw_run(&r, h, time_mask_max, &first, &length);
    memset(features + (size_t)first * row, fill, (size_t)length * row);
  }
  for (int i = 0; i < band_masks; i++) {
    draw_run(&r, w, band_mask_max, &first, &length);
    for (int y = 0; y < h; y++)
      memset(features + (size_t)y * row + (size_t)first * (size_t)c, fill,
             (size_t)length * (size_t)c);
  }
}
