/* The inverse transform against the definition, and sound that goes in and comes out: with all gains 1 as it was, with others
 * as a double-precision model of the same formulas makes it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "mote/dsp/dsp.h"

#define PI 3.14159265358979323846

static void config_of(double rate_hz, double hop_ms, int bands, struct features_config *c) {
  features_defaults(FEATURES_LOGMEL, rate_hz, 1, 1000, c, NULL);
  c->frame_ms = 2 * hop_ms, c->hop_ms = hop_ms, c->bands = bands;
  c->normalise = FEATURES_NORMALISE_NONE;
  c->range_db = 0;
  c->half_sine = true;
  c->fft_size = 16;
  while (c->fft_size < c->frame_ms * rate_hz / 1000) c->fft_size *= 2;
}

static void build(struct arena *a, const struct features_config *c, struct features_block *whole,
                  struct features_block *frame) {
  struct err e = {0};
  if (!features_build(c, 1, a, whole, &e) || !features_suppress(whole, a, frame, &e))
    fail_msg("%s", e.text);
}

/* An inverse transform of the spectrum of x, which comes back in double. */
static double inverse_snr(const struct mote_features *f, const double *time, double size) {
  const unsigned log2n = f->fft_log2;
  const int n = 1 << log2n;
  static int32_t x[4096];
  double signal = 0, noise = 0;
  for (int k = 0; k <= n / 2; k++) {
    double re = 0, im = 0;
    for (int t = 0; t < n; t++)
      re += time[t] * cos(2 * PI * k * t / n), im -= time[t] * sin(2 * PI * k * t / n);
    if (k == n / 2)
      x[1] = (int32_t)lrint(size * re);
    else
      x[2 * k] = (int32_t)lrint(size * re);
    if (k > 0 && k < n / 2) x[2 * k + 1] = (int32_t)lrint(size * im);
  }
  const int shift = mote_fft_real_inverse(x, log2n, mote_at(f, f->sine_at));
  for (int t = 0; t < n; t++) {
    const double exact = time[t] * size, got = ldexp(x[t], shift) / (n / 2);
    assert_true(x[t] > -(1 << 29) && x[t] < 1 << 29);
    signal += exact * exact, noise += (got - exact) * (got - exact);
  }
  return 10 * log10(signal / (noise + 1e-9));
}

static void test_inverse(void **state) {
  (void)state;
  struct arena *a = arena_new(64 << 20);
  struct features_config c;
  struct features_block whole, frame;
  struct rng r;
  static double x[4096];
  rng_seed(&r, 5);
  for (int size = 16; size <= 2048; size *= 2) {
    config_of(16000, size / 32.0, 2 + size / 64, &c);
    build(a, &c, &whole, &frame);
    const struct mote_features *f = frame.parts[0].params;
    for (int t = 0; t < size; t++) x[t] = (double)rng_normal(&r);
    const double loud = inverse_snr(f, x, ldexp(1, 29) / size), quiet = inverse_snr(f, x, 1e4);
    for (int t = 0; t < size; t++) x[t] = cos(2 * PI * 2.3 * t / size);
    const double tone = inverse_snr(f, x, ldexp(1, 30) / size);
    for (int t = 0; t < size; t++) x[t] = t == 3;
    const double impulse = inverse_snr(f, x, ldexp(1, 30));
    print_message(
        "inverse of %4d points: noise %.1f dB, quiet noise %.1f, tone %.1f, impulse %.1f\n", size,
        loud, quiet, tone, impulse);
    assert_true(loud > 80 && quiet > 75 && tone > 80 && impulse > 75);
  }
  arena_free(a);
}

/* Runs n hops; gain of band b in frame i: mask(i, b). */
static void run(const struct mote_features *f, const int16_t *in, int hops, unsigned least,
                int (*mask)(int frame, int band), int16_t *out, int8_t *rows) {
  uint8_t *memory = malloc(mote_suppress_bytes(f));
  int8_t *q = malloc(f->bands);
  mote_suppress_begin(f, memory);
  for (int i = 0; i < hops; i++) {
    mote_suppress_take(f, memory, in + i * f->hop, rows ? rows + i * f->bands : q);
    for (int b = 0; b < f->bands; b++) q[b] = (int8_t)(mask(i, b) - 128);
    mote_suppress_give(f, memory, q, least, out + i * f->hop);
  }
  free(q);
  free(memory);
}

static int all_open(int frame, int band) { return (void)frame, (void)band, 255; }
static int all_shut(int frame, int band) { return (void)frame, (void)band, 0; }
static int half_open(int frame, int band) { return (void)frame, (void)band, 128 - 1; }
static int wild(int frame, int band) { return (frame * 37 + band * 91) % 256; }

/* Signal to noise of what came out against what a hop before went in, times gain. */
static double snr(const int16_t *in, const int16_t *out, int n, int hop, double gain) {
  double signal = 0, noise = 0;
  for (int t = hop; t < n; t++) {
    const double want = gain * in[t - hop], got = out[t];
    signal += want * want, noise += (got - want) * (got - want);
  }
  return 10 * log10(signal / (noise + 1e-9));
}

enum { HOPS = 60, MOST = 1024 };

static void test_comes_back(void **state) {
  (void)state;
  struct arena *a = arena_new(64 << 20);
  static int16_t in[HOPS * MOST], out[HOPS * MOST];
  const double rates[] = {8000, 16000, 16000, 44100}, hops[] = {16, 16, 10, 10};
  struct rng r;
  rng_seed(&r, 6);
  for (int i = 0; i < 4; i++) {
    struct features_config c;
    struct features_block whole, frame;
    config_of(rates[i], hops[i], 20, &c);
    build(a, &c, &whole, &frame);
    const struct mote_features *f = frame.parts[0].params;
    const int n = HOPS * f->hop;
    for (int loud = 0; loud < 3; loud++) {
      const double amplitude = loud == 0 ? 300 : loud == 1 ? 9000 : 32767;
      for (int t = 0; t < n; t++) /* a low voice with an offset, and noise */
        in[t] = (int16_t)fmax(
            -32768,
            fmin(32767, 0.05 * amplitude + amplitude * (0.6 * sin(2 * PI * 95.3 * t / rates[i]) +
                                                        0.2 * (double)rng_normal(&r))));
      run(f, in, HOPS, 0, all_open, out, NULL);
      const double open = snr(in, out, n, f->hop, 1);
      run(f, in, HOPS, 0, half_open, out, NULL);
      const double half = snr(in, out, n, f->hop, 127.0 / 256);
      print_message("%5.0f Hz, hop %3d, %5.0f: back %.1f dB, halved %.1f dB\n", rates[i], f->hop,
                    amplitude, open, half);
      assert_true(open > (loud ? 70 : 50) && half > (loud ? 65 : 45));
      run(f, in, HOPS, 0, all_shut, out, NULL);
      for (int t = 0; t < n; t++) assert_in_range(out[t] + 1, 0, 2);
      run(f, in, HOPS, 256, all_shut, out, NULL);
      assert_true(snr(in, out, n, f->hop, 1) >= open - 1e-9); /* the least gain is 1 */
    }
  }
  arena_free(a);
}

/* The same in double. */
static void model(const struct mote_features *f, const int16_t *in, int hops, double *out) {
  const int n = 1 << f->fft_log2, hop = f->hop;
  const int16_t *w = mote_at(f, f->window_at);
  const uint16_t *segment = mote_at(f, f->segment_at);
  const uint8_t *weight = mote_at(f, f->weight_at);
  double *frame = calloc((size_t)n, sizeof *frame), *gain = calloc((size_t)n, sizeof *gain);
  memset(out, 0, sizeof *out * (size_t)((hops + 1) * hop));
  for (int i = 0; i < hops; i++) {
    double g[256], mean = 0;
    for (int b = 0; b < f->bands; b++) {
      const int q = wild(i, b);
      g[b] = q == 255 ? 1 : (q + q / 128) / 256.0;
    }
    for (int k = 0; k <= n / 2; k++) gain[k] = k < segment[0] ? g[0] : g[f->bands - 1];
    for (int s = 0; s <= f->bands; s++)
      for (int k = segment[s]; k < segment[s + 1]; k++) {
        const double share = weight[k - segment[0]] / 256.0;
        gain[k] = share * g[s < f->bands ? s : s - 1] + (1 - share) * g[s ? s - 1 : 0];
      }
    for (int t = 0; t < 2 * hop; t++) {
      const int at = (i - 1) * hop + t;
      frame[t] = at < 0 ? 0 : in[at];
      mean += frame[t] / (2 * hop);
    }
    mean = trunc(mean);
    for (int t = 0; t < 2 * hop; t++) frame[t] = (frame[t] - mean) * w[t] / 32768;
    double *const to = out + i * hop;
    for (int k = 0; k <= n / 2; k++) {
      double re = 0, im = 0;
      for (int t = 0; t < 2 * hop; t++)
        re += frame[t] * cos(2 * PI * (k * t % n) / n),
            im -= frame[t] * sin(2 * PI * (k * t % n) / n);
      const double share = (k == 0 || k == n / 2 ? 1 : 2) * gain[k] / n;
      for (int t = 0; t < 2 * hop; t++)
        to[t] += share * (re * cos(2 * PI * (k * t % n) / n) - im * sin(2 * PI * (k * t % n) / n)) *
                 w[t] / 32768;
    }
    for (int t = 0; t < 2 * hop; t++) to[t] += mean * g[0] * w[t] / 32768 * w[t] / 32768;
  }
  free(frame);
  free(gain);
}

static void test_against_double(void **state) {
  (void)state;
  struct arena *a = arena_new(64 << 20);
  static int16_t in[HOPS * 160], out[HOPS * 160];
  static double exact[(HOPS + 1) * 160];
  struct features_config c;
  struct features_block whole, frame;
  struct rng r;
  rng_seed(&r, 7);
  config_of(16000, 10, 24, &c); /* 320 samples in 512 points */
  build(a, &c, &whole, &frame);
  const struct mote_features *f = frame.parts[0].params;
  for (int t = 0; t < 12 * f->hop; t++)
    in[t] = (int16_t)(500 + 4000 * (sin(0.07 * t) + (double)rng_normal(&r) / 3));
  run(f, in, 12, 0, wild, out, NULL);
  model(f, in, 12, exact);
  double signal = 0, noise = 0;
  for (int t = 0; t < 12 * f->hop; t++)
    signal += exact[t] * exact[t], noise += (out[t] - exact[t]) * (out[t] - exact[t]);
  const double quality = 10 * log10(signal / noise);
  print_message("gains from frame to frame and band to band: %.1f dB of a model in double\n",
                quality);
  assert_true(quality > 50); /* a gain is rounded to 1 / 256 between two bands */
  arena_free(a);
}

/* Rows are the window's, bit for bit, once two hops have come; and silence, the largest steps and all masks do no harm. */
static void test_rows_and_limits(void **state) {
  (void)state;
  struct arena *a = arena_new(64 << 20);
  static int16_t in[16000], out[16000];
  struct features_config c;
  struct features_block whole, frame;
  struct rng r;
  rng_seed(&r, 8);
  config_of(16000, 16, 32, &c);
  build(a, &c, &whole, &frame);
  const struct mote_features *f = frame.parts[0].params;
  const int hops = 16000 / f->hop;
  int8_t *rows = malloc((size_t)hops * f->bands), *window = malloc(whole.out_bytes);
  void *scratch = malloc(whole.scratch_bytes);
  for (int shape = 0; shape < 4; shape++) {
    for (int t = 0; t < 16000; t++)
      in[t] = shape == 0   ? 0
              : shape == 1 ? (t / 37 % 2 ? 32767 : -32768)
              : shape == 2 ? -32768
                           : (int16_t)(rng_u32(&r) >> 16);
    run(f, in, hops, 13, wild, out, rows);
    features_run(&whole, in, scratch, window);
    assert_memory_equal(rows + f->bands, window, (size_t)whole.dims[0] * f->bands);
    if (shape == 0)
      for (int t = 0; t < hops * f->hop; t++) assert_int_equal(out[t], 0);
  }
  free(scratch);
  free(window);
  free(rows);
  arena_free(a);
}

static void test_refusals(void **state) {
  (void)state;
  struct arena *a = arena_new(64 << 20);
  struct features_config c;
  struct features_block whole, frame;
  struct err e = {0};
  config_of(16000, 16, 32, &c);
  c.hop_ms = 10;
  assert_false(features_build(&c, 1, a, &whole, &e));
  assert_non_null(strstr(e.text, "two hops"));
  config_of(16000, 16, 32, &c);
  c.range_db = 40;
  assert_false(features_build(&c, 1, a, &whole, &e));
  features_defaults(FEATURES_LOGMEL, 16000, 1, 1000, &c, NULL);
  assert_true(features_build(&c, 1, a, &whole, &e));
  assert_false(features_suppress(&whole, a, &frame, &e));
  config_of(16000, 16, 32, &c);
  build(a, &c, &whole, &frame);
  assert_int_not_equal(mote_suppress_check(whole.parts[0].params), MOTE_OK); /* many rows */
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inverse),        cmocka_unit_test(test_comes_back),
      cmocka_unit_test(test_against_double), cmocka_unit_test(test_rows_and_limits),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
