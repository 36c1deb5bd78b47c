/* The kind "flatness": against its definition in double precision; what noise, tones and silence have; the levels beside it; its
 * share in the map to int8; limits; hostile bytes; one block on every chip. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "test/chip_blocks.h"
#include "test/hostile_blocks.h"
#include "test/snr.h"

#define PI    3.14159265358979323846
#define FRAME 512
#define BANDS 40

enum { BOTH = FEATURES_BANDS_LEVEL | FEATURES_BANDS_FLATNESS };

static struct features_config config(enum features_kind kind, uint32_t values) {
  struct features_config c;
  features_defaults(kind, 16000, 1, 320, &c, NULL);
  c.range_db = 0;
  c.values = values;
  return c;
}

static struct features_block build(struct arena *a, const struct features_config *c) {
  struct features_block block;
  struct err e = {0};
  if (!features_build(c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static void row_of(const struct features_block *b, const int16_t *x, int16_t *row) {
  int32_t scratch[FRAME];
  mote_features_row(b->parts[0].params, b->parts[0].op, x, scratch, row);
}

/* ---- the definition ------------------------------------------------------------------ */

static void powers_of(const int16_t *x, double *power) {
  double mean = 0;
  for (int t = 0; t < FRAME; t++) mean += x[t] / (double)FRAME;
  for (int k = 0; k < FRAME / 2; k++) {
    double re = 0, im = 0;
    for (int t = 0; t < FRAME; t++) {
      const double v = (x[t] - mean) * (0.5 - 0.5 * cos(2 * PI * (t + 1) / (FRAME + 1)));
      re += v * cos(2 * PI * (double)(k * t % FRAME) / FRAME);
      im -= v * sin(2 * PI * (double)(k * t % FRAME) / FRAME);
    }
    power[k] = re * re + im * im;
  }
}

/* log2 of geometric over arithmetic mean of the points from..to - 1; their range in octaves of power. */
static double flatness_of(const double *power, int from, int to, double *range) {
  double logs = 0, sum = 0, least = HUGE_VAL, most = 0;
  for (int k = from; k < to; k++) {
    logs += log2(power[k]), sum += power[k];
    least = fmin(least, power[k]), most = fmax(most, power[k]);
  }
  *range = log2(most / least);
  return logs / (to - from) - log2(sum / (to - from));
}

/* Voices and noise at several levels. Points 60 dB below their band's mean are the rounding's of the samples. */
static void test_against_double(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct features_config c = config(FEATURES_LOGMEL, BOTH);
  const struct features_block b = build(a, &c);
  const struct mote_features *const f = b.parts[0].params;
  const uint16_t *const segment = mote_at(f, f->segment_at);
  struct rng r;
  struct snr snr = {0};
  double worst = 0;
  int n = 0;
  rng_seed(&r, 3);
  for (int trial = 0; trial < 60; trial++) {
    const double level = pow(10, -trial % 10 / 5.0) * 12000, pitch = 90 + 10 * trial;
    int16_t x[FRAME], row[2 * BANDS];
    double power[FRAME / 2];
    for (int t = 0; t < FRAME; t++) {
      double v = 0.02 * rng_normal(&r);
      for (int h = 1; h < 20; h++) v += sin(2 * PI * pitch * h * t / 16000 + h * h) / h;
      v = trial & 1 ? v : rng_normal(&r) / 4;
      x[t] = (int16_t)fmin(fmax(floor(level * v + 0.5), -32768), 32767);
    }
    row_of(&b, x, row);
    powers_of(x, power);
    for (int k = 0; k < BANDS; k++) {
      double range;
      const double want = flatness_of(power, segment[k], segment[k + 2], &range);
      if (range > 20) continue;
      worst = fmax(worst, fabs(row[BANDS + k] / 256.0 - want)), n++;
      snr_add(&snr, want, row[BANDS + k] / 256.0);
    }
  }
  print_message("flatness: worst error %.3f octaves over %d values; SNR %.0f dB\n", worst, n,
                snr_db(&snr));
  assert_true(n > 2000 && worst < 0.1 && snr_db(&snr) > 40);
  arena_free(a);
}

/* Noise has what its distribution says; a tone stands out where it is; silence is flat; loudness does not count. */
static void test_what_it_says(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct features_config c = config(FEATURES_SPECTRUM, FEATURES_BANDS_FLATNESS);
  const struct features_block b = build(a, &c);
  const int bands = b.dims[1], frame = b.parts[0].params->frame;
  int16_t x[FRAME], soft[FRAME], row[BANDS], again[BANDS];
  double sum = 0;
  struct rng r;
  assert_int_equal(frame, FRAME);
  rng_seed(&r, 4);
  for (int trial = 0; trial < 400; trial++) {
    for (int t = 0; t < frame; t++) x[t] = (int16_t)(3000 * rng_normal(&r));
    row_of(&b, x, row);
    for (int k = 0; k < bands; k++) sum += row[k] / 256.0 / bands / 400;
  }
  /* Of n points the mean of all is less sure: digamma(1) - digamma(n) + ln n in place of Euler's constant; a window leaves fewer
   * that are independent. */
  print_message("flatness of noise: %.3f octaves\n", sum);
  assert_true(sum > -0.84 && sum < -0.70);
  for (int t = 0; t < frame; t++) {
    const double v = sin(2 * PI * 2000 * t / 16000) + 0.02 * rng_normal(&r);
    x[t] = (int16_t)(20000 * v), soft[t] = (int16_t)(x[t] / 8);
  }
  row_of(&b, x, row);
  row_of(&b, soft, again);
  int least = 0;
  for (int k = 0; k < bands; k++) {
    if (row[k] < row[least]) least = k;
    assert_in_range(row[k] - again[k] + 64, 0, 128);
  }
  assert_true(row[least] < -4 * 256);
  struct text name;
  text_init(&name, a);
  features_value_name(&b, &c, least, &name);
  double low, high;
  assert_int_equal(sscanf(strstr(name.data, "flatness of "), "flatness of %lf to %lf", &low, &high),
                   2);
  assert_true(low <= 2000 && high >= 2000);
  memset(x, 0, sizeof x);
  row_of(&b, x, row);
  for (int k = 0; k < bands; k++) assert_int_equal(row[k], 0);
  arena_free(a);
}

static void noise_and_tone(struct rng *r, int16_t *x, int n) {
  for (int t = 0; t < n; t++)
    x[t] = (int16_t)(900 * rng_normal(r) + (t / 1000 & 1 ? 9000 * sin(t * 0.3) : 0));
}

/* The levels are those of the plain kind, the flatness that of flatness alone, and they lie as two planes. */
static void test_two_planes(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct rng r;
  rng_seed(&r, 6);
  static const uint32_t values[3] = {BOTH, FEATURES_BANDS_LEVEL, FEATURES_BANDS_FLATNESS};
  struct features_block b[3];
  int16_t x[6000], row[3][2 * BANDS];
  for (int i = 0; i < 3; i++) {
    const struct features_config c = config(FEATURES_LOGMEL, values[i]);
    b[i] = build(a, &c);
    assert_int_equal(b[i].dims[1], BANDS);
    assert_int_equal(b[i].dims[2], i ? 1 : 2);
  }
  for (int trial = 0; trial < 20; trial++) {
    noise_and_tone(&r, x, 6000);
    for (int i = 0; i < 3; i++) row_of(&b[i], x + 100 * trial, row[i]);
    assert_memory_equal(row[0], row[1], BANDS * sizeof **row);
    assert_memory_equal(row[0] + BANDS, row[2], BANDS * sizeof **row);
  }
  arena_free(a);
}

/* Fitted, each of the two quantities fills int8: one does not take the other's spread. */
static void test_fit(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c = config(FEATURES_LOGMEL, BOTH);
  c.normalise = FEATURES_NORMALISE_NONE;
  struct features_block b = build(a, &c);
  const int16_t *windows[20];
  struct rng r;
  rng_seed(&r, 7);
  for (int i = 0; i < 20; i++) {
    int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
    noise_and_tone(&r, x, b.window_samples);
    windows[i] = x;
  }
  assert_true(features_fit(&b, a, windows, 20, &e));
  int8_t *const q = ARENA_ARRAY(a, int8_t, b.out_bytes);
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes + 4);
  double squares[2] = {0};
  for (int i = 0; i < 20; i++) {
    features_run(&b, windows[i], scratch, q);
    for (size_t k = 0; k < b.out_bytes; k++) {
      const double z = (double)b.scale * (q[k] - b.zp);
      squares[k % 2] += z * z / (10.0 * (double)b.out_bytes);
    }
  }
  for (int i = 0; i < 2; i++) assert_true(squares[i] > 0.8 && squares[i] < 1.2);
  arena_free(a);
}

static void refused(const struct features_config *c, const char *node) {
  struct err e = {0};
  assert_false(features_check(c, &e));
  assert_string_equal(e.node, node);
}

static void test_refusals(void **state) {
  (void)state;
  struct err e = {0};
  struct features_config c = config(FEATURES_LOGMEL, BOTH);
  assert_true(features_check(&c, &e));
  c.range_db = 40;
  refused(&c, "range_db");
  c.range_db = 0, c.normalise = FEATURES_NORMALISE_LEVEL;
  refused(&c, "normalise");
  c.normalise = FEATURES_NORMALISE_TILT;
  refused(&c, "normalise");
  c.normalise = FEATURES_NORMALISE_NONE, c.half_sine = true;
  refused(&c, "values");
}

/* ---- hostile bytes and chips --------------------------------------------------------- */

/* Levels and flatness of a voice's bands; flatness alone of three channels. */
static struct features_block block_of(struct arena *a, int i) {
  struct features_config c = config(FEATURES_LOGMEL, BOTH);
  if (i) {
    features_defaults(FEATURES_SPECTRUM, 200, 3, 1500, &c, NULL);
    c.values = FEATURES_BANDS_FLATNESS;
    c.normalise = FEATURES_NORMALISE_MEAN;
  }
  return build(a, &c);
}

static struct hostile_place anywhere(const struct features_block *b, int trial) {
  const struct mote_features *const f = b->parts[0].params;
  const size_t head = (size_t)((const uint8_t *)f - (const uint8_t *)b->data);
  return (struct hostile_place){head + (trial & 8 ? (size_t)f->segment_at : 0), 84};
}

static void test_hostile_bytes(void **state) {
  (void)state;
  hostile_blocks(block_of, 2, anywhere, 6000);
}

static int16_t *chip_samples(struct arena *a, const struct features_block *b) {
  const int n = b->window_samples * b->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t r = 1;
  for (int t = 0; t < n; t++) {
    r = r * 1664525u + 1013904223u;
    const int i = t / b->channels;
    x[t] = (int16_t)((int)(r >> 21) + i * (i % 97) % 20011 - 9000);
  }
  return x;
}

static void same_on_chip(const char *name) {
  static const char *const here[] = {
      "mote/dsp/flatness.c", "mote/dsp/bands.c",    "mote/dsp/fft.c", "mote/dsp/math.c",
      "mote/dsp/finish16.c", "mote/dsp/features.c", "mote/isa/fft.c", "mote/base/fixed.c"};
  chip_same(name, here, sizeof here / sizeof *here, block_of, chip_samples, 2, 0);
}
CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_double),
      cmocka_unit_test(test_what_it_says),
      cmocka_unit_test(test_two_planes),
      cmocka_unit_test(test_fit),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_hostile_bytes),
      CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
