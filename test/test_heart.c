/* Kind heart: beats of real and made-up hearts, the figures of their intervals against double precision, hostile bytes,
 * and the same bits on chips. */
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
#include "test/shared.h"

#define PI 3.14159265358979323846

/* Places of beats, in samples. */
static int beats_in(struct arena *a, const struct mote_beats *p, const int16_t *x, int n,
                    double *out) {
  struct mote_beats_state *const s = arena_alloc(a, mote_beats_state_bytes(p), 8);
  int found = 0, ago;
  const int late = p->slow + p->apart + p->delay / 256 + 1;
  mote_beats_begin(p, s);
  for (int t = 0; t < n + late; t++)
    if (t < n ? mote_beats_push(p, s, x[t], &ago) : mote_beats_flush(p, s, &ago))
      out[found++] = t - ago / 256.0;
  return found;
}

/* ---- records of people ----------------------------------------------------------------- */

/* Format 212: two samples of 12 bits in three bytes. Returns the first signal in counts, 12 times as large. */
static int16_t *signal_of(struct arena *a, const char *path, int *n) {
  uint8_t *b;
  size_t size;
  struct err e = {0};
  if (!file_read(a, path, (size_t)1 << 24, &b, &size, &e)) fail_msg("%s", e.text);
  *n = (int)(size / 3);
  int16_t *const x = ARENA_ARRAY(a, int16_t, *n);
  for (int i = 0; i < *n; i++) {
    const int v = b[3 * i] | (b[3 * i + 1] & 15) << 8;
    x[i] = (int16_t)(((v >= 2048 ? v - 4096 : v) - 1024) * 12);
  }
  return x;
}

/* Places of the beats that people marked: the codes of beats, whose times are sums of 10 bits. */
static int marks_of(struct arena *a, const char *path, int **marks) {
  uint8_t *b;
  size_t size;
  struct err e = {0};
  int n = 0, time = 0;
  if (!file_read(a, path, (size_t)1 << 24, &b, &size, &e)) fail_msg("%s", e.text);
  *marks = ARENA_ARRAY(a, int, size);
  for (size_t at = 0; at + 2 <= size;) {
    const int word = b[at] | b[at + 1] << 8, code = word >> 10, step = word & 1023;
    at += 2;
    if (!word) break;
    if (code == 59) {
      time +=
          (int)((uint32_t)(b[at] | b[at + 1] << 8) << 16 | (uint32_t)(b[at + 2] | b[at + 3] << 8));
      at += 4;
    } else if (code == 63) {
      at += (size_t)(step + (step & 1));
    } else if (code < 60) {
      time += step;
      if ((code >= 1 && code <= 13) || code == 25 || code == 30 || code == 34 || code == 35 ||
          code == 38 || code == 41)
        (*marks)[n++] = time;
    }
  }
  return n;
}

/* Beats within 150 ms of a mark, each of which counts once. */
static int matches(const double *found, int n, const int *marks, int n_marks, double within) {
  int both = 0;
  for (int i = 0, k = 0; i < n && k < n_marks;) {
    const double off = found[i] - marks[k];
    if (fabs(off) <= within)
      both++, i++, k++;
    else if (off < 0)
      i++;
    else
      k++;
  }
  return both;
}

static void test_records(void **state) {
  (void)state;
  static const char *const names[] = {"101", "106", "109", "114", "118", "119",
                                      "124", "203", "208", "209", "215", "223"};
  if (!shared_unpacked("data/mitbih")) skip();
  int all_marks = 0, all_found = 0, all_both = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct arena *a = arena_new(0);
    struct features_config c;
    struct mote_beats p;
    struct err e = {0};
    int n, *marks;
    const int16_t *const x =
        signal_of(a, arena_printf(a, "build/shared/data/mitbih/%s.dat", names[i]), &n);
    const int n_marks =
        marks_of(a, arena_printf(a, "build/shared/data/mitbih/%s.atr", names[i]), &marks);
    features_defaults(FEATURES_HEART, 360, 1, 10000, &c, NULL);
    if (!features_heart_beats(&c, &p, &e)) fail_msg("%s: %s", e.node, e.text);
    double *const found = ARENA_ARRAY(a, double, n / p.apart + 2);
    const int n_found = beats_in(a, &p, x, n, found);
    const int both = matches(found, n_found, marks, n_marks, 0.15 * 360);
    print_message("record %s: %d beats, sensitivity %.2f %%, positive predictivity %.2f %%\n",
                  names[i], n_marks, 100.0 * both / n_marks, 100.0 * both / n_found);
    all_marks += n_marks, all_found += n_found, all_both += both;
    arena_free(a);
  }
  const double sensitivity = 100.0 * all_both / all_marks,
               predictivity = 100.0 * all_both / all_found;
  print_message("all %d beats: sensitivity %.2f %%, positive predictivity %.2f %%\n", all_marks,
                sensitivity, predictivity);
  assert_int_equal(all_marks, 29095);
  assert_true(sensitivity > 99.8 && predictivity > 99.7);
}

/* ---- hearts that are made up ------------------------------------------------------------- */

/* Intervals in s of a heart whose rate breathes (0.25 Hz) and sways (0.1 Hz). */
static int made_intervals(double *rr, double seconds) {
  double t = 0;
  int n = 0;
  while (t < seconds + 2) {
    rr[n] = 0.85 + 0.04 * sin(2 * PI * 0.25 * t) + 0.03 * sin(2 * PI * 0.1 * t + 1);
    t += rr[n++];
  }
  return n;
}

/* A pulse wave: a rise, a slower fall with a second hump, an offset that wanders, and noise. */
static void made_pulse(int16_t *x, int n, double rate_hz, const double *rr, double noise) {
  uint32_t r = 7;
  double start = 0.3;
  for (int t = 0, i = 0; t < n; t++) {
    const double at = t / rate_hz;
    while (at >= start + rr[i]) start += rr[i++];
    const double u = at - start, v = fmax(u, 0);
    r = r * 1664525u + 1013904223u;
    x[t] = (int16_t)lrint(9000 * exp(-pow((v - 0.18) / 0.08, 2)) +
                          3500 * exp(-pow((v - 0.45) / 0.1, 2)) + 1500 * sin(2 * PI * 0.13 * at) +
                          noise * ((double)(r >> 8) / (1 << 24) - 0.5));
  }
}

static void made_ecg(int16_t *x, int n, double rate_hz, const double *rr, double noise) {
  uint32_t r = 9;
  double start = 0.1;
  for (int t = 0, i = 0; t < n; t++) {
    const double at = t / rate_hz;
    while (at >= start + rr[i]) start += rr[i++];
    const double v = at - start;
    r = r * 1664525u + 1013904223u;
    x[t] = (int16_t)lrint(
        900 * exp(-pow((v - 0.1) / 0.025, 2)) - 900 * exp(-pow((v - 0.228) / 0.009, 2)) +
        9000 * exp(-pow((v - 0.25) / 0.011, 2)) - 1800 * exp(-pow((v - 0.275) / 0.009, 2)) +
        2200 * exp(-pow((v - 0.5) / 0.05, 2)) + 1500 * sin(2 * PI * 0.2 * at) +
        noise * ((double)(r >> 8) / (1 << 24) - 0.5));
  }
}

static double power_of(const double *t, const double *y, int n, double hz) {
  double ys = 0, yc = 0, ss = 0, cc = 0, cs = 0;
  for (int i = 0; i < n; i++) {
    const double s = sin(2 * PI * hz * t[i]), c = cos(2 * PI * hz * t[i]);
    ys += y[i] * s, yc += y[i] * c, ss += s * s, cc += c * c, cs += c * s;
  }
  return (ys * ys * cc + yc * yc * ss - 2 * ys * yc * cs) / (ss * cc - cs * cs);
}

/* All figures of beats at times t (s) in double precision; in the order of the values from rate to lf_hf. */
static void figures_of(const double *t, int n, double seconds, double *out) {
  double *const rr = malloc((size_t)n * sizeof *rr), mean = (t[n - 1] - t[0]) / (n - 1) * 1000;
  double squares = 0, steps = 0, low = 0, high = 0;
  int above = 0;
  out[4] = HUGE_VAL, out[5] = 0;
  for (int i = 0; i + 1 < n; i++) {
    rr[i] = 1000 * (t[i + 1] - t[i]);
    squares += (rr[i] - mean) * (rr[i] - mean);
    out[4] = fmin(out[4], rr[i]), out[5] = fmax(out[5], rr[i]);
    if (!i) continue;
    steps += (rr[i] - rr[i - 1]) * (rr[i] - rr[i - 1]);
    above += fabs(rr[i] - rr[i - 1]) > 50;
  }
  for (int i = 0; i + 1 < n; i++) rr[i] -= mean;
  for (int k = (int)ceil(0.04 * seconds - 1e-9); k <= floor(0.4 * seconds + 1e-9); k++)
    *(k / seconds < 0.15 - 1e-12 ? &low : &high) +=
        power_of(t + 1, rr, n - 1, k / seconds) / (n - 1);
  free(rr);
  out[0] = 60000 / mean;
  out[1] = sqrt(squares / (n - 2));
  out[2] = sqrt(steps / (n - 2));
  out[3] = (double)above / (n - 2);
  out[6] = low, out[7] = high, out[8] = low / high;
}

/* The figures equal those of the same beats in double precision, and those of the true beats nearly. */
static void test_figures(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool pulse;
    double rate_hz, seconds, noise, near_ms;
  } cases[] = {{"ECG at 100 Hz, five minutes", false, 100, 300, 200, 2},
               {"ECG at 250 Hz, two minutes", false, 250, 120, 1000, 2},
               {"PPG at 25 Hz, five minutes", true, 25, 300, 200, 6},
               {"PPG at 100 Hz, five minutes, noise", true, 100, 300, 1500, 6}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct features_config c;
    struct features_block block;
    struct mote_beats p;
    const int n = (int)(cases[i].seconds * cases[i].rate_hz);
    double *const rr = ARENA_ARRAY(a, double, 1000), *const t = ARENA_ARRAY(a, double, 2000);
    int16_t *const x = ARENA_ARRAY(a, int16_t, n);
    made_intervals(rr, cases[i].seconds);
    (cases[i].pulse ? made_pulse : made_ecg)(x, n, cases[i].rate_hz, rr, cases[i].noise);
    features_defaults(FEATURES_HEART, cases[i].rate_hz, 1, 1000 * cases[i].seconds, &c, NULL);
    features_heart_signal(&c, cases[i].pulse);
    c.values |= MOTE_HEART_BEATS;
    if (!features_build(&c, 1, a, &block, &e) || !features_heart_beats(&c, &p, &e))
      fail_msg("%s: %s: %s", cases[i].name, e.node, e.text);
    assert_int_equal(block.out_bytes, 10);
    double got[10], want[10], truth[10];
    const double unit = 1;
    features_values(&block, &unit, x, arena_alloc(a, 1, block.scratch_bytes + 48), got);
    int found = beats_in(a, &p, x, n, t);
    while (t[found - 1] > n) found--; /* the filters ring on: no beat of this window */
    for (int k = 0; k < found; k++) t[k] = floor(t[k] / cases[i].rate_hz * 1024000) / 1024000;
    figures_of(t, found, cases[i].seconds, want);
    want[9] = found;
    double error = 0;
    for (int k = 0; k < 10; k++) {
      const double off = fabs(got[k] - want[k]) / fmax(fabs(want[k]), 1e-3);
      error += off * off / 10;
      if (off > 2e-3)
        fail_msg("%s, value %d: %.9g, in double %.9g", cases[i].name, k, got[k], want[k]);
    }
    assert_true(error < 2e-9);
    /* The true beats of that time, each at the same distance from its peak. */
    double at = 0;
    int true_n = 0;
    for (int k = 0; at < cases[i].seconds - (cases[i].pulse ? 0.48 : 0.35); at += rr[k++])
      t[true_n++] = at;
    figures_of(t, true_n, cases[i].seconds, truth);
    print_message(
        "%s: %.0f dB; %d beats of %d, rate %.2f (%.2f), SDNN %.1f ms (%.1f), RMSSD %.1f ms "
        "(%.1f), LF %.0f (%.0f), HF %.0f (%.0f)\n",
        cases[i].name, -10 * log10(error), found, true_n, got[0], truth[0], got[1], truth[1],
        got[2], truth[2], got[6], truth[6], got[7], truth[7]);
    assert_true(abs(found - true_n) <= 1); /* one may lie on the end */
    assert_true(fabs(got[0] - truth[0]) < 0.1);
    assert_true(fabs(got[1] - truth[1]) < cases[i].near_ms);
    assert_true(fabs(got[2] - truth[2]) < cases[i].near_ms);
    arena_free(a);
  }
}

/* An early beat with a pause behind it, in the middle of a window. */
static void test_middle_beat(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  int16_t *const x = ARENA_ARRAY(a, int16_t, 1800);
  double rr[12] = {0.8, 0.8, 0.5, 1.1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8};
  made_ecg(x, 1800, 360, rr, 100); /* the early one: 0.1 + 0.25 + 2.1 = 2.45 s */
  features_defaults(FEATURES_HEART, 360, 1, 5000, &c, NULL);
  c.values |= MOTE_HEART_INTERVAL | MOTE_HEART_OFFSET | MOTE_HEART_IRREGULAR;
  c.irregular = 20;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  double got[6];
  const double unit = 1;
  features_values(&block, &unit, x, arena_alloc(a, 1, block.scratch_bytes + 48), got);
  print_message("rate %.1f, left out %.2f, before %.3f, behind %.3f, mean %.1f ms, off %.1f ms\n",
                got[0], got[1], got[2], got[3], got[4], got[5]);
  assert_true(fabs(got[0] - 75) < 0.3);
  assert_true(fabs(got[1] - 2.0 / 5) < 1e-3 || fabs(got[1] - 2.0 / 4) < 1e-3);
  assert_true(fabs(got[2] - 0.5 / 0.8) < 0.01);
  assert_true(fabs(got[3] - 1.1 / 0.8) < 0.01);
  assert_true(fabs(got[4] - 800) < 2);
  assert_true(fabs(got[5] + 50) < 12);
  arena_free(a);
}

/* ---- shapes -------------------------------------------------------------------------------- */

/* Into channels 1 and 2 of a frame at 250 Hz: beats every 0.8 s, of which the one at 5.15 s begins below the atria: no wave ahead
 * of it, two and a half times as wide, and turned round in the second channel, which has half the height and no other noise. */
static void made_leads(int16_t *x, int n, bool early) {
  uint32_t r = 5;
  for (int t = 0; t < n; t++) {
    double v[2] = {0, 0};
    for (int k = 0; k < 12; k++) {
      const bool wide = early && k == 6;
      const double u = t / 250.0 - 0.35 - 0.8 * k, w = wide ? 2.5 : 1;
      const double wave = wide ? 0 : 900 * exp(-pow((u + 0.15) / 0.025, 2));
      const double beat =
          9000 * exp(-pow(u / (0.011 * w), 2)) - 1800 * exp(-pow((u - 0.025 * w) / (0.009 * w), 2));
      v[0] += wave + beat, v[1] += wave / 2 + (wide ? -beat : beat) / 2;
    }
    r = r * 1664525u + 1013904223u;
    const double noise = 100 * ((double)(r >> 8) / (1 << 24) - 0.5);
    x[2 * t] = (int16_t)lrint(v[0] + noise + 800 * sin(2 * PI * 0.2 * t / 250));
    x[2 * t + 1] = (int16_t)lrint(v[1]);
  }
}

static double correlation_of(const double *x, const double *y, int n) {
  double sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
  for (int i = 0; i < n; i++) sx += x[i] / n, sy += y[i] / n;
  for (int i = 0; i < n; i++)
    xx += (x[i] - sx) * (x[i] - sx), yy += (y[i] - sy) * (y[i] - sy),
        xy += (x[i] - sx) * (y[i] - sy);
  return xy / sqrt(xx * yy);
}

static double energy_in(const double *x, int from, int to) {
  double mean = 0, sum = 0;
  for (int i = from; i < to; i++) mean += x[i] / (to - from);
  for (int i = from; i < to; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum + (to - from);
}

static double width_in(const double *x, int from, int to) {
  double area = 0, height = 0;
  for (int i = from; i < to; i++) area += fabs(x[i]), height = fmax(height, fabs(x[i]));
  return area / height;
}

/* The five values in double precision, of beats at samples `at`; 250 Hz: 75 numbers of a beat lie ahead of its place, 100 behind. */
static void shape_figures(const int16_t *x, int channel, int n, const double *at, int beats,
                          int middle, double *out) {
  double usual[175] = {0}, beat[175];
  int count = 0, likeness_from = 75 - 27; /* 110 ms: 27.5 numbers, to the even half below zero */
  for (int k = 0; k < beats; k++) {
    const int start = (int)floor(at[k] + 0.5) - 75;
    double mean = 0;
    if (start < 0 || start + 175 > n) continue;
    for (int i = 0; i < 175; i++) mean += x[2 * (start + i) + channel] / 175.0;
    for (int i = 0; i < 175; i++)
      if (k == middle)
        beat[i] = x[2 * (start + i) + channel] - mean;
      else
        usual[i] += x[2 * (start + i) + channel] - mean;
    count += k != middle;
  }
  for (int i = 0; i < 175; i++) usual[i] /= count;
  out[0] = -1;
  for (int s = -8; s <= 8; s++)
    out[0] = fmax(out[0], correlation_of(beat + likeness_from + s, usual + likeness_from, 60));
  out[1] = energy_in(beat, 75 - 20, 75 + 25) / energy_in(usual, 75 - 20, 75 + 25);
  out[2] = energy_in(beat, 75 - 62, 75 - 20) / energy_in(usual, 75 - 62, 75 - 20);
  out[3] = 4 * width_in(beat, 75 - 30, 75 + 50);
  out[4] = out[3] / (4 * width_in(usual, 75 - 30, 75 + 50));
}

/* Both channels about the beats of the first: equal to double precision, and what was put in. */
static void test_shape(void **state) {
  (void)state;
  for (int early = 0; early < 2; early++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct features_config c;
    struct features_block block;
    struct mote_beats p;
    const int n = 2500;
    const double unit[2] = {1, 1};
    int16_t *const x = ARENA_ARRAY(a, int16_t, 2 * n), *const first = ARENA_ARRAY(a, int16_t, n);
    double *const at = ARENA_ARRAY(a, double, n), got[10], want[10];
    made_leads(x, n, early);
    for (int t = 0; t < n; t++) first[t] = x[2 * t];
    features_defaults(FEATURES_HEART, 250, 2, 10000, &c, NULL);
    c.values = MOTE_HEART_SHAPE, c.together = true;
    if (!features_build(&c, 1, a, &block, &e) || !features_heart_beats(&c, &p, &e))
      fail_msg("%s: %s", e.node, e.text);
    features_values(&block, unit, x, arena_alloc(a, 1, block.scratch_bytes + 80), got);
    int found = beats_in(a, &p, first, n, at), middle = 0;
    for (int k = 1; k < found; k++)
      if (fabs(at[k] - n / 2.0) < fabs(at[middle] - n / 2.0)) middle = k;
    double error = 0;
    for (int channel = 0; channel < 2; channel++)
      shape_figures(x, channel, n, at, found, middle, want + 5 * channel);
    for (int k = 0; k < 10; k++) {
      const double off = fabs(got[k] - want[k]) / fmax(fabs(want[k]), 1e-3);
      print_message("%s%.4f", k ? ", " : "", got[k]);
      if (off > 1e-3) fail_msg("value %d: %.9g, in double %.9g", k, got[k], want[k]);
      error += off * off / 10;
    }
    print_message(": %.0f dB\n", -10 * log10(error));
    assert_true(error < 1e-8);
    if (early)
      assert_true(got[0] < 0.9 && got[1] > 1.5 && got[2] < 0.3 && got[4] > 1.4 && got[5] < 0.6);
    else
      assert_true(got[0] > 0.99 && fabs(got[1] - 1) < 0.05 && fabs(got[4] - 1) < 0.05 &&
                  got[5] > 0.99);
    arena_free(a);
  }
}

/* A flat signal has no beats: as usual. */
static void test_no_shape(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  int16_t *const x = ARENA_ARRAY(a, int16_t, 1000);
  double got[5];
  const double unit = 1;
  features_defaults(FEATURES_HEART, 100, 1, 10000, &c, NULL);
  c.values = MOTE_HEART_SHAPE;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  features_values(&block, &unit, x, arena_alloc(a, 1, block.scratch_bytes + 48), got);
  assert_true(got[0] == 1 && got[1] == 1 && got[2] == 1 && got[3] == 0 && got[4] == 1);
  arena_free(a);
}

static void test_refusals(void **state) {
  (void)state;
  struct features_config c;
  struct err e = {0};
  struct text name;
  struct arena *a = arena_new(0);
  features_defaults(FEATURES_HEART, 100, 1, 10000, &c, NULL);
  assert_true(features_check(&c, &e));
  c.values |= MOTE_HEART_LF;
  assert_false(features_check(&c, &e));
  assert_string_equal(e.node, "values");
  assert_non_null(strstr(e.text, "50 s"));
  e = (struct err){0};
  features_defaults(FEATURES_HEART, 100, 1, 10000, &c, NULL);
  features_heart_signal(&c, true);
  c.values |= MOTE_HEART_WIDTH;
  assert_false(features_check(&c, &e));
  assert_non_null(strstr(e.text, "signal: ecg"));
  e = (struct err){0};
  features_defaults(FEATURES_HEART, 20, 1, 10000, &c, NULL);
  assert_false(features_check(&c, &e));
  assert_non_null(strstr(e.text, "30 to 5,000 Hz"));
  features_defaults(FEATURES_HEART, 100, 1, 10000, &c, NULL);
  c.high_hz = 60;
  assert_false(features_check(&c, &e));
  c.high_hz = 25, c.irregular = 101;
  assert_false(features_check(&c, &e));
  e = (struct err){0};
  features_defaults(FEATURES_HEART, 360, 1, 300000, &c, NULL);
  assert_true(features_check(&c, &e));
  c.frame_ms = c.hop_ms = 0; /* more samples than a frame has */
  assert_false(features_check(&c, &e));
  assert_string_equal(e.node, "frame_ms");
  struct features_block block;
  features_defaults(FEATURES_HEART, 100, 2, 10000, &c, NULL);
  assert_true(features_build(&c, 1, a, &block, &e));
  text_init(&name, a);
  features_value_name(&block, &c, 4, &name);
  assert_non_null(strstr(name.data, "channel 2: interval before"));
  arena_free(a);
}

/* ---- hostile bytes ------------------------------------------------------------------ */

/* A map to int8 from windows of more and more noise, so that no value of a shape is cut off. */
static void fit_shapes(struct arena *a, struct features_block *b) {
  const int16_t *windows[4];
  double rr[200];
  made_intervals(rr, 62);
  for (int i = 0; i < 4; i++) {
    int16_t *const x = ARENA_ARRAY(a, int16_t, b->window_samples);
    made_ecg(x, b->window_samples, 180, rr, 400 << i);
    windows[i] = x;
  }
  struct err e = {0};
  if (!features_fit(b, a, windows, 4, &e)) fail_msg("%s: %s", e.node, e.text);
}

static struct features_block chip_block(struct arena *a, int i) {
  struct features_config c;
  struct features_block block;
  struct err e = {0};
  features_defaults(FEATURES_HEART, i == 1 ? 50 : 180, 1, i == 1 ? 60000 : 5000, &c, NULL);
  c.values = i == 2 ? MOTE_HEART_SHAPE : i ? MOTE_HEART_ALL & ~MOTE_HEART_SHAPE : c.values;
  if (i == 1) features_heart_signal(&c, true), c.irregular = 20;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  if (i == 2) fit_shapes(a, &block);
  return block;
}

static int16_t *chip_samples(struct arena *a, const struct features_block *b) {
  const bool pulse = b->window_samples == 3000;
  int16_t *const x = ARENA_ARRAY(a, int16_t, b->window_samples);
  double rr[200];
  made_intervals(rr, 62);
  (pulse ? made_pulse : made_ecg)(x, b->window_samples, pulse ? 50 : 180, rr, 500);
  /* A libm that rounds otherwise gives no other samples. */
  for (int i = 0; i < b->window_samples; i++) x[i] = (int16_t)((x[i] + 8) / 16 * 16);
  return x;
}

static void test_hostile_bytes(void **state) {
  (void)state;
  hostile_blocks(chip_block, 3, hostile_params, 4000);
}

/* ---- chips ------------------------------------------------------------------------ */

static void same_on_chip(const char *name) {
  static const char *const here[] = {
      "mote/dsp/heart.c",    "mote/dsp/heart_shape.c", "mote/dsp/beats.c",    "mote/dsp/sos.c",
      "mote/dsp/moments.c",  "mote/dsp/scaled.c",      "mote/dsp/finish32.c", "mote/dsp/math.c",
      "mote/dsp/features.c", "mote/base/fixed.c"};
  chip_same(name, here, sizeof here / sizeof *here, chip_block, chip_samples, 3, 0);
}
CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_records),       cmocka_unit_test(test_figures),
      cmocka_unit_test(test_middle_beat),   cmocka_unit_test(test_shape),
      cmocka_unit_test(test_no_shape),      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_hostile_bytes), CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
