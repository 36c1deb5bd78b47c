/* Kinds spectral and flatten: against values of their Edge Impulse namesakes and against double precision
 * (test/features, written by tools/feature-vectors). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>
#include <sndfile.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "test/chip_blocks.h"
#include "test/hostile_blocks.h"
#include "test/shared.h"
#include "test/snr.h"
#include "mote/dsp/flatten.h"
#include "mote/dsp/spectral.h"

/* Numbers of a text file, whatever stands between them. */
static double *numbers_of(struct arena *a, const char *path, int *count) {
  uint8_t *text;
  size_t size;
  struct err e = {0};
  if (!file_read(a, path, (size_t)1 << 24, &text, &size, &e)) fail_msg("%s", e.text);
  double *const out = ARENA_ARRAY(a, double, size / 2 + 2);
  int n = 0;
  for (char *at = (char *)text, *end; *at; at = end) {
    out[n] = strtod(at, &end);
    if (end == at)
      end++;
    else
      n++;
  }
  *count = n;
  return out;
}

static void run_values(struct arena *a, const struct features_block *b, const double *unit,
                       const int16_t *samples, double *out) {
  features_values(b, unit, samples, arena_alloc(a, 1, b->scratch_bytes + 4 * b->out_bytes + 8),
                  out);
}

/* ---- Edge Impulse --------------------------------------------------------------- */

/* One recording: readings of hundredths of m/s^2, so a count of 1/1600 m/s^2 holds them exactly. */
static void compare_recording(const char *name, double worst[3]) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  const char *const folder = "build/shared/golden/features-edge-impulse";
  int n, wanted_n;
  const double *const x = numbers_of(a, arena_printf(a, "%s/%s.csv", folder, name), &n);
  const double *wanted =
      numbers_of(a, arena_printf(a, "%s/spectral-v2.%s.jsonl", folder, name), &wanted_n);
  const double unit[3] = {0.01 / 16, 0.01 / 16, 0.01 / 16};
  features_defaults(FEATURES_SPECTRAL, 62.5, 3, 2000, &c, NULL);
  c.compatible = true;
  c.fft_size = 16;
  c.floor_db = -60;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  assert_int_equal(block.out_bytes, 33);
  assert_int_equal(block.window_samples, 125);
  int16_t *const samples = ARENA_ARRAY(a, int16_t, n);
  for (int i = 0; i < n; i++) {
    samples[i] = (int16_t)lrint(x[i] * 1600);
    assert_true(fabs(samples[i] / 1600.0 - x[i]) < 1e-6);
  }
  assert_int_equal(wanted_n, n / 375 * 33);
  for (int w = 0; w < n / 375; w++, wanted += 33) {
    double got[33];
    run_values(a, &block, unit, samples + 375 * w, got);
    for (int i = 0; i < 33; i++) {
      double *const which = &worst[i % 11 == 0 ? 0 : i % 11 < 3 ? 1 : 2];
      *which = fmax(*which, fabs(got[i] - wanted[i]));
    }
  }
  arena_free(a);
}

static void test_edge_impulse_spectral(void **state) {
  (void)state;
  static const char *const names[] = {"idle.0",   "shake.0",  "snake.0", "snake.1",
                                      "updown.0", "updown.1", "wave.0",  "wave.1"};
  double worst[3] = {0};
  if (!shared_unpacked("golden/features-edge-impulse")) skip();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) compare_recording(names[i], worst);
  print_message("against Edge Impulse: RMS %.6f, skewness and kurtosis %.6f, powers %.6f\n",
                worst[0], worst[1], worst[2]);
  assert_true(worst[0] < 1e-4);
  assert_true(worst[1] < 0.006);
  assert_true(worst[2] < 4e-4);
}

static void test_edge_impulse_flatten(void **state) {
  (void)state;
  if (!shared_unpacked("golden/features-edge-impulse data/acquisition-formats")) skip();
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  json_t *const golden =
      json_load_file("build/shared/golden/features-edge-impulse/flatten.json", 0, NULL);
  SF_INFO info = {0};
  SNDFILE *const file =
      sf_open("build/shared/data/acquisition-formats/sample_data/hadouken.01.wav", SFM_READ, &info);
  assert_non_null(golden);
  assert_non_null(file);
  float *const x = ARENA_ARRAY(a, float, 16000 * info.channels);
  int16_t *const samples = ARENA_ARRAY(a, int16_t, 16000);
  assert_int_equal(sf_readf_float(file, x, 16000), 16000);
  sf_close(file);
  for (int i = 0; i < 16000; i++)
    samples[i] = (int16_t)fmin(fmax(rint((double)x[i * info.channels] * 32768), -32768), 32767);
  features_defaults(FEATURES_FLATTEN, 16000, 1, 1000, &c, NULL);
  assert_true(features_compatible(&c));
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  assert_int_equal(block.out_bytes, 7);
  double got[7];
  const double unit = 1;
  run_values(a, &block, &unit, samples, got);
  for (size_t i = 0; i < 7; i++) {
    const double wanted = json_number_value(json_array_get(json_object_get(golden, "features"), i));
    if (fabs(got[i] - wanted) > 1e-6 * fabs(wanted) + 2e-4)
      fail_msg("value %zu: %.9g, wanted %.9g", i, got[i], wanted);
  }
  json_decref(golden);
  arena_free(a);
}

/* ---- double precision ---------------------------------------------------------------- */

/* As tools/feature-vectors makes them. */
static int16_t *vector_samples(struct arena *a, int n) {
  int16_t *const x = ARENA_ARRAY(a, int16_t, 3 * n);
  uint32_t r = 1;
  for (int i = 0; i < 3 * n; i++) {
    const int t = i / 3, c = i % 3;
    r = r * 1664525u + 1013904223u;
    x[i] = (int16_t)((int)(r >> 24) * (c + 1) / 2 + t * t * (c + 3) / 9 % 3001 - 900 * c);
  }
  return x;
}

static int int_of(const json_t *o, const char *key) {
  return (int)json_integer_value(json_object_get(o, key));
}

static double *block_values(struct arena *a, const struct features_config *c, int n) {
  struct features_block block;
  struct err e = {0};
  const double unit[3] = {1, 1, 1};
  if (!features_build(c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  double *const got = ARENA_ARRAY(a, double, block.out_bytes);
  run_values(a, &block, unit, vector_samples(a, n), got);
  return got;
}

/* One channel's values from their definitions. */
static void flatten_reference(const int16_t *x, int n, double out[9]) {
  double sum = 0, squares = 0, m[3] = {0}, low = x[0], high = x[0];
  for (int t = 0; t < n; t++) {
    const double v = x[3 * t];
    sum += v, squares += v * v, low = fmin(low, v), high = fmax(high, v);
  }
  const double mean = sum / n;
  int crossings = 0, zeros = 0;
  for (int t = 0; t < n; t++) {
    double d = x[3 * t] - mean, power = d;
    for (int k = 0; k < 3; k++) m[k] += (power *= d) / n;
    if (!t) continue;
    crossings += (x[3 * t] > mean) != (x[3 * t - 3] > mean);
    zeros += (x[3 * t] > 0) != (x[3 * t - 3] > 0);
  }
  const double values[9] = {mean,
                            low,
                            high,
                            sqrt(squares / n),
                            sqrt(m[0]),
                            m[1] / pow(m[0], 1.5),
                            m[2] / (m[0] * m[0]) - 3,
                            crossings,
                            zeros};
  memcpy(out, values, sizeof values);
}

/* Two hundred windows of other length, level, shape and offset. */
static void test_flatten_against_double(void **state) {
  (void)state;
  struct snr snr[9] = {{0}};
  struct rng r;
  rng_seed(&r, 6);
  for (int trial = 0; trial < 200; trial++) {
    struct arena *a = arena_new(0);
    struct features_config c;
    struct features_block block;
    struct err e = {0};
    const int n = 20 + 3 * trial;
    const double unit[3] = {1, 1, 1}, level = 60.0 * (trial % 50 + 1), bend = trial % 7 / 7.0;
    features_defaults(FEATURES_FLATTEN, 50, 3, 20.0 * n, &c, NULL);
    c.values = MOTE_FLATTEN_ALL & ~MOTE_FLATTEN_MOVING;
    if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
    int16_t *const x = ARENA_ARRAY(a, int16_t, 3 * n);
    for (int i = 0; i < 3 * n; i++) {
      const double v = rng_normal(&r);
      x[i] = (int16_t)fmin(fmax(level * (v + bend * v * v) + 40 * (trial - 100), -32768), 32767);
    }
    double *const got = ARENA_ARRAY(a, double, block.out_bytes), want[9];
    run_values(a, &block, unit, x, got);
    for (int ch = 0; ch < 3; ch++) {
      flatten_reference(x + ch, n, want);
      for (int k = 0; k < 9; k++) snr_add(&snr[k], want[k], got[9 * ch + k]);
    }
    arena_free(a);
  }
  print_message("flatten: SNR of the worst of nine %.0f dB\n", snr_least(snr, 9));
  assert_true(snr_least(snr, 9) > 85);
}

/* The first version of Spectral Analysis: numbers of its authors' program (tools/feature-vectors edge-impulse), of float32 in
 * its filters. A count is 0.01. */
static void test_edge_impulse_v1(void **state) {
  (void)state;
  json_t *const all = json_load_file("test/features/spectral-v1.json", 0, NULL);
  assert_non_null(all);
  size_t i, k;
  json_t *v, *edge;
  int heights = 0;
  double worst[3] = {0}; /* RMS, frequencies and heights, densities */
  json_array_foreach(all, i, v) {
    struct arena *a = arena_new(0);
    struct features_config c;
    struct features_block block;
    struct err e = {0};
    const int n = int_of(v, "n");
    const double unit[3] = {0.01, 0.01, 0.01};
    const char *const filter = json_string_value(json_object_get(v, "filter"));
    features_defaults(FEATURES_SPECTRAL, 62.5, 3, 16.0 * n, &c, NULL);
    assert_true(features_compatible_v1(&c));
    assert_int_equal(c.fft_size, 128);
    c.fft_size = int_of(v, "fft");
    c.filter = filter[0] == 'n'   ? FEATURES_FILTER_NONE
               : filter[0] == 'l' ? FEATURES_FILTER_LOW
                                  : FEATURES_FILTER_HIGH;
    c.cutoff_hz = int_of(v, "cutoff");
    c.order = int_of(v, "order");
    c.peaks = int_of(v, "peaks");
    c.threshold = json_number_value(json_object_get(v, "threshold"));
    c.unit = unit;
    c.n_edges = 0;
    json_array_foreach(json_object_get(v, "edges"), k, edge) c.edges_hz[c.n_edges++] =
        json_number_value(edge);
    if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
    double *const got = ARENA_ARRAY(a, double, block.out_bytes);
    run_values(a, &block, unit, vector_samples(a, n), got);
    const json_t *const wanted = json_object_get(v, "values");
    const int each = 1 + 2 * c.peaks + c.n_edges - 1;
    assert_int_equal(json_array_size(wanted), block.out_bytes);
    assert_int_equal(block.out_bytes, 3 * each);
    for (int at = 0; at < 3 * each; at++) {
      const double w = json_number_value(json_array_get(wanted, (size_t)at));
      const int group = at % each == 0 ? 0 : at % each <= 2 * c.peaks ? 1 : 2;
      heights += group == 1 && w > 0;
      worst[group] = fmax(worst[group], fabs(got[at] - w) / fmax(1, fabs(w)));
    }
    arena_free(a);
  }
  print_message("Edge Impulse, first version: RMS %.1e, peaks %.1e, densities %.1e\n", worst[0],
                worst[1], worst[2]);
  assert_true(heights > 40);
  assert_true(worst[0] < 2e-5 && worst[1] < 1e-4 && worst[2] < 2e-5);
  json_decref(all);
}

static void test_spectral_against_double(void **state) {
  (void)state;
  json_t *const all = json_load_file("test/features/vectors.json", 0, NULL);
  assert_non_null(all);
  size_t i;
  json_t *v;
  json_array_foreach(json_object_get(all, "spectral"), i, v) {
    struct arena *a = arena_new(0);
    struct features_config c;
    const int n = int_of(v, "n"), shape = json_is_true(json_object_get(v, "shape"));
    const char *const filter = json_string_value(json_object_get(v, "filter"));
    features_defaults(FEATURES_SPECTRAL, 62.5, 3, 16.0 * n, &c, NULL);
    features_compatible(&c);
    c.fft_size = int_of(v, "fft");
    c.filter = filter[0] == 'n'   ? FEATURES_FILTER_NONE
               : filter[0] == 'l' ? FEATURES_FILTER_LOW
                                  : FEATURES_FILTER_HIGH;
    c.cutoff_hz = int_of(v, "cutoff");
    c.order = int_of(v, "order");
    c.decimate = int_of(v, "decimate");
    c.extra_low = json_is_true(json_object_get(v, "low"));
    if (shape) c.values |= MOTE_SPECTRAL_SHAPE;
    const double *const got = block_values(a, &c, n);
    double worst = 0, relative = 0;
    const json_t *const wanted = json_object_get(v, "values");
    for (size_t k = 0; k < json_array_size(wanted); k++) {
      const double w = json_number_value(json_array_get(wanted, k));
      worst = fmax(worst, fabs(got[k] - w) / fmax(1, fabs(w)));
      relative += (got[k] - w) * (got[k] - w) / fmax(1, w * w) / (double)json_array_size(wanted);
    }
    print_message("spectral, %s: worst %.1e, %.0f dB\n",
                  json_string_value(json_object_get(v, "name")), worst, -10 * log10(relative));
    assert_true(worst < 2e-4);
    assert_true(relative < 1e-9);
    arena_free(a);
  }
  json_decref(all);
}

static void test_wavelet_against_double(void **state) {
  (void)state;
  struct features_config theirs; /* their defaults, however long the window */
  features_defaults(FEATURES_WAVELET, 62.5, 3, 60000, &theirs, NULL);
  assert_true(theirs.levels > 1 && features_compatible(&theirs));
  assert_true(theirs.taps == 8 && theirs.levels == 1);
  json_t *const all = json_load_file("test/features/vectors.json", 0, NULL);
  assert_non_null(all);
  size_t i;
  json_t *v;
  json_array_foreach(json_object_get(all, "wavelet"), i, v) {
    struct arena *a = arena_new(0);
    struct features_config c;
    const int n = int_of(v, "n");
    features_defaults(FEATURES_WAVELET, 62.5, 3, 16.0 * n, &c, NULL);
    c.taps = int_of(v, "taps");
    c.levels = int_of(v, "levels");
    const double *const got = block_values(a, &c, n);
    double worst = 0, relative = 0;
    const json_t *const wanted = json_object_get(v, "values");
    for (size_t k = 0; k < json_array_size(wanted); k++) {
      const double w = json_number_value(json_array_get(wanted, k));
      const double off = fabs(got[k] - w) / fmax(1, fabs(w));
      /* A number at a bin's edge may fall to the other side. */
      if (off > (k % 14 == 0 ? 0.02 : 2e-3))
        fail_msg("%d taps, value %zu: %.9g, wanted %.9g", c.taps, k, got[k], w);
      if (k % 14) worst = fmax(worst, off), relative += off * off;
    }
    relative /= (double)json_array_size(wanted) * 13 / 14;
    print_message("wavelet of %d taps, %d levels: worst %.1e, %.0f dB\n", c.taps, c.levels, worst,
                  -10 * log10(relative));
    assert_true(relative < 1e-7);
    arena_free(a);
  }
  json_decref(all);
}

/* ---- hostile bytes ------------------------------------------------------------------ */

static struct features_block chip_block(struct arena *a, int i);

static void test_hostile_bytes(void **state) {
  (void)state;
  hostile_blocks(chip_block, 3, hostile_params, 6000);
}

/* ---- chips ------------------------------------------------------------------------ */

/* Everything that the kinds can do: filters, decimation, the low pass, all values, another channel order. */
static struct features_block chip_block(struct arena *a, int i) {
  struct features_config c[3];
  struct features_block block;
  struct err e = {0};
  features_defaults(FEATURES_SPECTRAL, 62.5, 3, 2000, &c[0], NULL);
  features_defaults(FEATURES_FLATTEN, 62.5, 2, 2000, &c[1], NULL);
  if (i == 0) features_compatible(&c[0]);
  if (i > 0) {
    c[0].window_ms = c[1].window_ms = 8000;
    c[0].values = MOTE_SPECTRAL_ALL;
    c[0].n_edges = 4;
    for (int k = 0; k < 4; k++) c[0].edges_hz[k] = 3 * k;
    c[1].values = MOTE_FLATTEN_ALL;
    c[1].stride = 3, c[1].select[0] = 2, c[1].select[1] = 0;
    c[1].frame_ms = 1600, c[1].hop_ms = 800, c[1].moving = 3;
  }
  if (i == 1) c[0].filter = FEATURES_FILTER_LOW, c[0].cutoff_hz = 8, c[0].order = 8;
  if (i == 2)
    c[0].filter = FEATURES_FILTER_HIGH, c[0].cutoff_hz = 1, c[0].order = 2,
    c[0].hold = FEATURES_HOLD_MEAN, c[0].decimate = 3, c[0].extra_low = true, c[0].fft_size = 32,
    c[0].linear = true;
  features_defaults(FEATURES_WAVELET, 62.5, 3, 8000, &c[2], NULL);
  if (!features_build(c, i ? i + 1 : 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static int16_t *chip_samples(struct arena *a, const struct features_block *b) {
  const int n = b->window_samples * b->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t r = 1;
  for (int i = 0; i < n; i++) {
    r = r * 1664525u + 1013904223u;
    const int t = i / b->channels, c = i % b->channels;
    x[i] = (int16_t)((int)(r >> 24) * (c + 1) / 2 + (t * t * (c + 3) / 9) % 3001 - 900 * c);
  }
  return x;
}

static void same_on_chip(const char *name) {
  static const char *const here[] = {
      "mote/dsp/spectral.c", "mote/dsp/spectral_full.c", "mote/dsp/flatten.c",
      "mote/dsp/wavelet.c",  "mote/dsp/moments.c",       "mote/dsp/scaled.c",
      "mote/dsp/sos.c",      "mote/dsp/fft32.c",         "mote/dsp/finish32.c",
      "mote/dsp/math.c",     "mote/dsp/features.c",      "mote/base/fixed.c"};
  chip_same(name, here, sizeof here / sizeof *here, chip_block, chip_samples, 3, 0xbff784ae);
}
CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edge_impulse_spectral),  cmocka_unit_test(test_edge_impulse_flatten),
      cmocka_unit_test(test_edge_impulse_v1),        cmocka_unit_test(test_spectral_against_double),
      cmocka_unit_test(test_flatten_against_double), cmocka_unit_test(test_wavelet_against_double),
      cmocka_unit_test(test_hostile_bytes),          CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
