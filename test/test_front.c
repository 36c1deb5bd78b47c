/* What stands in front of any kind: derived channels and filters against their formulas in double precision, streams against
 * windows, hostile bytes, and the same bits on chips. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "test/chip_blocks.h"
#include "test/hostile_blocks.h"

#define PI   3.14159265358979323846
#define RATE 100.0

/* A raw part behind a front, which hands on what comes out. */
static struct features_block block_of(struct arena *a, const struct features_front *front,
                                      enum features_kind kind) {
  struct features_config c;
  struct features_block block;
  struct err e = {0};
  double rate_hz, window_ms;
  int channels;
  if (!features_front_out(front, &rate_hz, &channels, &window_ms, &e))
    fail_msg("%s: %s", e.node, e.text);
  features_defaults(kind, rate_hz, channels, window_ms, &c, NULL);
  c.front = *front;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

/* What comes out, [steps][channels]. */
static const int16_t *run_front(struct arena *a, const struct features_block *b, const int16_t *x) {
  const struct mote_front *const f = b->parts[0].front;
  int16_t *const out = ARENA_ARRAY(a, int16_t, f->steps * f->channels);
  mote_front_run(f, x, arena_alloc(a, mote_front_state_bytes(f), 4), out);
  return out;
}

/* An arm that turns slowly and shakes: three axes, 4,000 counts of gravity. */
static int16_t *motion(struct arena *a, int n) {
  int16_t *const x = ARENA_ARRAY(a, int16_t, 3 * n);
  uint32_t r = 3;
  for (int t = 0; t < n; t++)
    for (int k = 0; k < 3; k++) {
      r = r * 1664525u + 1013904223u;
      const double turn = 0.4 * sin(2 * PI * 0.02 * t / RATE) + 0.3;
      const double rest[3] = {sin(turn) * 0.8, sin(turn) * 0.6, cos(turn)};
      x[3 * t + k] = (int16_t)lrint(4000 * rest[k] + 1500 * sin(2 * PI * (3 + k) * t / RATE + k) +
                                    (double)(r >> 24));
    }
  return x;
}

/* A Butterworth low pass of second order in double, at rest on the first number; the bilinear transform by hand. */
static void low_pass(double *x, int n, double edge) {
  const double k = tan(PI * edge), d = 1 + sqrt(2) * k + k * k;
  const double b = k * k / d, a1 = 2 * (k * k - 1) / d, a2 = (1 - sqrt(2) * k + k * k) / d;
  double x1 = x[0], x2 = x[0], y1 = x[0], y2 = x[0];
  for (int t = 0; t < n; t++) {
    const double y = b * (x[t] + 2 * x1 + x2) - a1 * y1 - a2 * y2;
    x2 = x1, x1 = x[t], y2 = y1, y1 = y;
    x[t] = y;
  }
}

static void test_derived(void **state) {
  (void)state;
  enum { N = 1500, CHANNELS = 14 };
  static const char *const names[CHANNELS] = {
      "x",         "y",         "z",         "gravity x", "gravity y",         "gravity z",
      "dynamic x", "dynamic y", "dynamic z", "magnitude", "dynamic magnitude", "jerk",
      "roll",      "pitch"};
  struct arena *a = arena_new(0);
  struct features_front f;
  features_front_defaults(RATE, 3, N * 1000 / RATE, &f);
  for (int k = 0; k < FEATURES_DERIVE_COUNT; k++) f.derive[f.n_derive++] = (uint8_t)k;
  const struct features_block block = block_of(a, &f, FEATURES_RAW);
  const int16_t *const x = motion(a, N), *const got = run_front(a, &block, x);
  double *const g[3] = {ARENA_ARRAY(a, double, N), ARENA_ARRAY(a, double, N),
                        ARENA_ARRAY(a, double, N)};
  double signal[CHANNELS] = {0}, noise[CHANNELS] = {0}, worst[CHANNELS] = {0};
  for (int k = 0; k < 3; k++) {
    for (int t = 0; t < N; t++) g[k][t] = x[3 * t + k];
    low_pass(g[k], N, 0.3 / RATE);
  }
  assert_int_equal(block.parts[0].front->channels, CHANNELS);
  for (int t = 0; t < N; t++) {
    double want[CHANNELS], d[3], j[3], v[3];
    for (int k = 0; k < 3; k++) {
      v[k] = x[3 * t + k], d[k] = v[k] - g[k][t], j[k] = t ? v[k] - x[3 * t - 3 + k] : 0;
      want[k] = v[k], want[3 + k] = g[k][t], want[6 + k] = d[k] / 2;
    }
    want[9] = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) / 2;
    want[10] = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) / 2;
    want[11] = sqrt(j[0] * j[0] + j[1] * j[1] + j[2] * j[2]);
    want[12] = atan2(g[1][t], g[2][t]) * 32768 / PI;
    want[13] = atan2(-g[0][t], hypot(g[1][t], g[2][t])) * 32768 / PI;
    for (int c = 0; c < CHANNELS; c++) {
      const double off = got[t * CHANNELS + c] - want[c];
      signal[c] += want[c] * want[c], noise[c] += off * off, worst[c] = fmax(worst[c], fabs(off));
    }
  }
  for (int c = 0; c < CHANNELS; c++) {
    print_message("%s: %.0f dB, furthest off %.2f counts\n", names[c],
                  noise[c] > 0 ? 10 * log10(signal[c] / noise[c]) : 200, worst[c]);
    assert_true(worst[c] < 0.53);
  }
  /* Angles all around, and units of what comes out. */
  double values[CHANNELS * 4];
  const double unit[3] = {0.01, 0.01, 0.01};
  struct text name;
  text_init(&name, a);
  features_front_defaults(RATE, 3, 1000 / RATE, &f);
  f.derive[0] = FEATURES_DERIVE_TILT, f.derive[1] = FEATURES_DERIVE_MAGNITUDE, f.n_derive = 2;
  const struct features_block one = block_of(a, &f, FEATURES_RAW);
  for (int turn = 0; turn < 3600; turn++) {
    const double angle = turn * PI / 1800;
    const int16_t step[3] = {0, (int16_t)lrint(20000 * sin(angle)),
                             (int16_t)lrint(20000 * cos(angle))};
    features_values(&one, unit, step, arena_alloc(a, one.scratch_bytes + 4 * one.out_bytes + 16, 4),
                    values);
    double off = values[0] - turn * 0.1;
    if (off < -180) off += 360;
    if (fabs(off) > 0.01) fail_msg("%g degrees: %g", turn * 0.1, values[0]);
    assert_true(fabs(values[2] - 200) < 0.02);
  }
  struct features_config c;
  features_defaults(FEATURES_RAW, RATE, 3, 1000 / RATE, &c, NULL);
  features_value_name(&one, &c, 2, &name);
  assert_string_equal(name.data, "magnitude: sample");
  arena_free(a);
}

/* ---- filters ------------------------------------------------------------------------------ */

static double cheb(int n, double x) {
  return fabs(x) <= 1 ? cos(n * acos(x)) : cosh(n * acosh(fabs(x)));
}

/* The gain of one side, as its definition says behind the bilinear transform. */
static double side_gain(int order, double ripple_db, double hz, double edge_hz, bool high) {
  double w = tan(PI * hz / RATE) / tan(PI * edge_hz / RATE);
  if (high) w = 1 / w;
  if (ripple_db == 0) return 1 / sqrt(1 + pow(w, 2 * order));
  const double e2 = pow(10, ripple_db / 10) - 1, t = cheb(order, w);
  return 1 / sqrt(1 + e2 * t * t);
}

/* Gain and noise of a tone: the last half of the window as a sine, a cosine and the rest. */
static void test_filters(void **state) {
  (void)state;
  static const struct {
    enum features_filter filter;
    double low, high;
    int order, decimate;
    double ripple_db;
  } cases[] = {{FEATURES_FILTER_LOW, 10, 0, 4, 1, 0},    {FEATURES_FILTER_LOW, 5, 0, 8, 1, 0.5},
               {FEATURES_FILTER_HIGH, 2, 0, 2, 1, 0},    {FEATURES_FILTER_HIGH, 20, 0, 6, 1, 1},
               {FEATURES_FILTER_BAND, 1, 8, 4, 1, 0},    {FEATURES_FILTER_BAND, 5, 15, 8, 1, 0.1},
               {FEATURES_FILTER_NOTCH, 20, 25, 2, 1, 0}, {FEATURES_FILTER_NONE, 0, 0, 4, 4, 0},
               {FEATURES_FILTER_BAND, 0.5, 4, 4, 5, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double worst = 0, quiet = 200;
    for (double hz = 0.9; hz < 45; hz *= 1.35) {
      enum { N = 6000 };
      struct arena *a = arena_new(0);
      struct features_front f;
      features_front_defaults(RATE, 1, N * 1000 / RATE, &f);
      f.filter = cases[i].filter, f.order = cases[i].order, f.ripple_db = cases[i].ripple_db;
      f.cutoff_hz[0] = cases[i].low, f.cutoff_hz[1] = cases[i].high;
      f.decimate = cases[i].decimate;
      const struct features_block block = block_of(a, &f, FEATURES_RAW);
      int16_t *const x = ARENA_ARRAY(a, int16_t, N);
      for (int t = 0; t < N; t++) x[t] = (int16_t)lrint(20000 * sin(2 * PI * hz * t / RATE));
      const int16_t *const y = run_front(a, &block, x);
      const int steps = (int)block.parts[0].front->steps, d = cases[i].decimate;
      assert_int_equal(steps, N / d);
      double ss = 0, cc = 0, cs = 0, ys = 0, yc = 0, rest = 0;
      for (int t = steps / 2; t < steps; t++) {
        const double s = sin(2 * PI * hz * t * d / RATE), c = cos(2 * PI * hz * t * d / RATE);
        ss += s * s, cc += c * c, cs += s * c, ys += y[t] * s, yc += y[t] * c;
      }
      const double det = ss * cc - cs * cs, p = (ys * cc - yc * cs) / det,
                   q = (yc * ss - ys * cs) / det;
      for (int t = steps / 2; t < steps; t++) {
        const double s = sin(2 * PI * hz * t * d / RATE), c = cos(2 * PI * hz * t * d / RATE);
        rest += pow(y[t] - p * s - q * c, 2);
      }
      double want = 1;
      if (cases[i].filter == FEATURES_FILTER_NOTCH) {
        const double w = 2 * PI * hz / RATE, w0 = 2 * PI * sqrt(20.0 * 25) / RATE;
        const double alpha = tan(PI * 5 / RATE), up = 2 * (cos(w) - cos(w0));
        want = fabs(up) / hypot(up, 2 * alpha * sin(w));
      } else if (cases[i].filter != FEATURES_FILTER_NONE) {
        if (cases[i].filter != FEATURES_FILTER_LOW)
          want *= side_gain(f.order, f.ripple_db, hz, cases[i].low, true);
        if (cases[i].filter != FEATURES_FILTER_HIGH)
          want *= side_gain(f.order, f.ripple_db, hz,
                            cases[i].filter == FEATURES_FILTER_LOW ? cases[i].low : cases[i].high,
                            false);
      }
      if (d > 1) want *= side_gain(8, 0.05, hz, 0.4 * RATE / d, false);
      const double gain = hypot(p, q) / 20000;
      if (d == 1 || hz < RATE / d / 2) {
        worst = fmax(worst, fabs(gain - want));
        quiet = fmin(quiet, 10 * log10(20000.0 * 20000 / 2 * (steps / 2) / fmax(rest, 1)));
      }
      arena_free(a);
    }
    print_message("filter %d of order %d, %g to %g Hz, ripple %g dB, every %d.: gain off by %.1e, "
                  "noise %.0f dB below a tone of 20,000\n",
                  (int)cases[i].filter, cases[i].order, cases[i].low, cases[i].high,
                  cases[i].ripple_db, cases[i].decimate, worst, quiet);
    assert_true(worst < 3e-5);
    assert_true(quiet > 88);
  }
}

static void test_trend_scale_and_middle(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_front f;
  int16_t *const x = ARENA_ARRAY(a, int16_t, 2000);
  for (int t = 0; t < 2000; t++) x[t] = (int16_t)lrint(7000 - 6.3 * t + 500 * sin(t * 0.3));
  features_front_defaults(RATE, 1, 20000, &f);
  f.detrend = MOTE_FRONT_LINE;
  struct features_block block = block_of(a, &f, FEATURES_RAW);
  const int16_t *y = run_front(a, &block, x);
  double mean = 0, moment = 0, squares = 0;
  for (int t = 0; t < 2000; t++) mean += x[t] / 2000.0;
  for (int t = 0; t < 2000; t++)
    moment += (x[t] - mean) * (t - 999.5), squares += (t - 999.5) * (t - 999.5);
  for (int t = 0; t < 2000; t++)
    if (fabs(y[t] - (x[t] - mean - moment / squares * (t - 999.5))) > 1.01)
      fail_msg("step %d: %d", t, y[t]);
  f.detrend = MOTE_FRONT_MEAN;
  f.middle_ms = 5000;
  f.scale = 0.25;
  block = block_of(a, &f, FEATURES_RAW);
  assert_int_equal(block.window_samples, 2000);
  assert_int_equal(block.out_bytes, 500);
  y = run_front(a, &block, x);
  mean = 0;
  for (int t = 750; t < 1250; t++) mean += floor(x[t] * 0.25 + 0.5) / 500;
  for (int t = 0; t < 500; t++)
    assert_true(fabs(y[t] - (floor(x[750 + t] * 0.25 + 0.5) - mean)) < 0.51);
  f.scale = 100; /* what does not fit is held */
  f.detrend = MOTE_FRONT_KEEP;
  block = block_of(a, &f, FEATURES_RAW);
  y = run_front(a, &block, x);
  for (int t = 0; t < 500; t++)
    assert_int_equal(y[t], (int)fmin(fmax(100.0 * x[750 + t], -32768), 32767));
  arena_free(a);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refused(const struct features_front *f, const char *node, const char *text) {
  struct err e = {0};
  double rate_hz, window_ms;
  int channels;
  assert_false(features_front_out(f, &rate_hz, &channels, &window_ms, &e));
  assert_string_equal(e.node, node);
  if (!strstr(e.text, text)) fail_msg("%s", e.text);
}

static void test_refusals(void **state) {
  (void)state;
  struct features_front f, g;
  features_front_defaults(RATE, 6, 1000, &f);
  g = f, g.derive[0] = FEATURES_DERIVE_JERK, g.n_derive = 1;
  refused(&g, "derive", "three axes");
  g.derive[0] = FEATURES_DERIVE_TILT;
  refused(&g, "derive", "tilt needs three");
  g = f, g.filter = FEATURES_FILTER_LOW, g.cutoff_hz[0] = 60;
  refused(&g, "cutoff_hz", "below 50 Hz");
  g.cutoff_hz[0] = 5, g.order = 3;
  refused(&g, "order", "2, 4, 6 and 8");
  g.order = 4, g.filter = FEATURES_FILTER_BAND, g.cutoff_hz[1] = 4;
  refused(&g, "cutoff_hz", "above the first");
  g.cutoff_hz[1] = 9, g.ripple_db = 9;
  refused(&g, "ripple_db", "0.01 to 6");
  g = f, g.decimate = 21;
  refused(&g, "decimate", "1 to 20");
  g = f, g.scale = 0;
  refused(&g, "scale", "above 0");
  g = f, g.middle_ms = 1200;
  refused(&g, "middle_ms", "window");
  g = f, g.gravity_hz = 0.001;
  refused(&g, "gravity_hz", "0.05");
}

/* A filter in front of sound names no gravity, so the slowest default must do at every rate. */
static void test_sound(void **state) {
  (void)state;
  struct features_front f;
  struct err e = {0};
  double rate_hz, window_ms;
  int channels;
  features_front_defaults(16000, 1, 1000, &f);
  f.filter = FEATURES_FILTER_HIGH, f.cutoff_hz[0] = 100;
  if (!features_front_out(&f, &rate_hz, &channels, &window_ms, &e))
    fail_msg("%s: %s", e.node, e.text);
  assert_true(fabs(f.gravity_hz - 8) < 1e-9);
  features_front_defaults(RATE, 3, 1000, &f);
  assert_true(fabs(f.gravity_hz - 0.3) < 1e-9);
}

/* ---- blocks, streams, chips --------------------------------------------------------------------- */

/* Everything at once, before kinds with few and with many rows. */
static struct features_block chip_block(struct arena *a, int i) {
  struct features_front f;
  struct features_config c[2];
  struct features_block block;
  struct err e = {0};
  double rate_hz, window_ms;
  int channels;
  features_front_defaults(RATE, 3, 4000, &f);
  for (int k = 0; k < FEATURES_DERIVE_COUNT; k++) f.derive[f.n_derive++] = (uint8_t)k;
  f.filter = FEATURES_FILTER_BAND, f.cutoff_hz[0] = 0.5, f.cutoff_hz[1] = 10;
  f.decimate = 4;
  if (i == 1) f.detrend = MOTE_FRONT_LINE, f.middle_ms = 2000, f.scale = 3.5;
  if (!features_front_out(&f, &rate_hz, &channels, &window_ms, &e)) fail_msg("%s", e.text);
  features_defaults(FEATURES_FLATTEN, rate_hz, channels, window_ms, &c[0], NULL);
  c[0].front = f;
  if (i == 0) c[0].frame_ms = 800, c[0].hop_ms = 400;
  features_defaults(FEATURES_STATISTICS, RATE, 3, 4000, &c[1], NULL); /* without a front */
  if (i == 0) c[1].frame_ms = 800, c[1].hop_ms = 400, c[1].fft_size = 128;
  if (!features_build(c, 2, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static int16_t *chip_samples(struct arena *a, const struct features_block *b) {
  const int n = b->window_samples * b->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t r = 1;
  for (int i = 0; i < n; i++) {
    r = r * 1664525u + 1013904223u;
    const int t = i / 3, c = i % 3;
    x[i] = (int16_t)((int)(r >> 24) * (c + 1) * 4 + (t * t * (c + 3) / 9) % 9001 - 4900 * c);
  }
  return x;
}

/* A stream through the front gives the rows of the window. */
static void test_stream(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct features_block block = chip_block(a, 0);
  const struct features_part *const p = &block.parts[0];
  const int16_t *const x = chip_samples(a, &block);
  int8_t *const want = ARENA_ARRAY(a, int8_t, block.out_bytes), *const got = ARENA_ARRAY(
                                                                    a, int8_t, block.out_bytes);
  features_run(&block, x, arena_alloc(a, block.scratch_bytes + 4, 4), want);
  void *const front = arena_alloc(a, mote_front_state_bytes(p->front), 4),
              *const memory = arena_alloc(a, mote_features_stream_bytes(p->params, p->op), 4);
  int16_t *const hop = ARENA_ARRAY(a, int16_t, p->params->hop * p->params->stride);
  int came = 0, ready = 0;
  mote_front_begin(p->front, front);
  mote_features_stream_begin(p->params, p->op, memory);
  for (int t = 0; t < block.window_samples; t++) {
    came += mote_front_push(p->front, front, x + 3 * t, hop + came * p->params->stride);
    if (came < p->params->hop) continue;
    ready = mote_features_stream_push(p->params, p->op, memory, hop);
    came = 0;
  }
  assert_true(ready);
  mote_features_stream_finish(p->params, p->op, memory, got);
  assert_memory_equal(got, want, (size_t)p->params->rows * p->params->columns);
  struct text source;
  text_init(&source, a);
  features_emit_c(&block, "try", &source);
  assert_non_null(strstr(source.data, "mote_front_push(&try_front.head"));
  assert_non_null(strstr(source.data, "#define TRY_HOP          40"));
  text_init(&source, a);
  const struct features_block whole = chip_block(a, 1); /* waits for the window */
  features_emit_c(&whole, "try", &source);
  assert_null(strstr(source.data, "try_push"));
  arena_free(a);
}

static struct hostile_place hostile_front(const struct features_block *b, int trial) {
  const struct mote_front *const f = b->parts[0].front;
  const size_t at = (size_t)((const uint8_t *)f - (const uint8_t *)b->data);
  return (struct hostile_place){at, trial & 4 ? 80 : f->bytes};
}
static void test_hostile_bytes(void **state) {
  (void)state;
  hostile_blocks(chip_block, 2, hostile_front, 6000);
}

static void same_on_chip(const char *name) {
  static const char *const here[] = {
      "mote/dsp/front.c",   "mote/dsp/flatten.c", "mote/dsp/statistics.c", "mote/dsp/sos.c",
      "mote/dsp/moments.c", "mote/dsp/scaled.c",  "mote/dsp/finish32.c",   "mote/dsp/finish16.c",
      "mote/dsp/bands.c",   "mote/dsp/fft.c",     "mote/dsp/math.c",       "mote/dsp/features.c",
      "mote/dsp/stream.c",  "mote/isa/fft.c",     "mote/isa/plain.c",      "mote/base/fixed.c",
      "mote/isa/dsp.c"};
  chip_same(name, here, sizeof here / sizeof *here, chip_block, chip_samples, 2, 0);
}
CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_derived),
      cmocka_unit_test(test_filters),
      cmocka_unit_test(test_trend_scale_and_middle),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_sound),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_hostile_bytes),
      CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
