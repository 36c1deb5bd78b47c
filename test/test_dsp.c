/* mote/dsp against double precision, at the ends of its ranges, and the same bits on emulated chips. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "mote/dsp/dsp.h"
#include "test/snr.h"

#define PI 3.14159265358979323846

/* The straight definition of a DFT bin. */
static void dft(const double *x, int n, int k, double *re, double *im) {
  *re = *im = 0;
  for (int t = 0; t < n; t++) {
    const double a = 2 * PI * (double)((int64_t)k * t % n) / n;
    *re += x[t] * cos(a), *im -= x[t] * sin(a);
  }
}

static int16_t q15(double x) {
  const double v = floor(32768 * x + 0.5);
  return (int16_t)(v > 32767 ? 32767 : v);
}

/* The table of mote_fft_real as its door describes it. */
static void table_fill(int16_t *table, unsigned log2n) {
  const int n = 1 << log2n;
  const int16_t *const end = table + mote_fft_table_values(log2n);
  for (int k = 0; k <= n / 4; k++) *table++ = q15(sin(2 * PI * k / n));
  table++;
  for (int m = log2n % 2 ? 4 : 8; m < n / 2; m *= 4)
    for (int j = 1; j < m; j++)
      for (int i = 1; i <= 3; i++, table += 2)
        table[0] = q15(cos(2 * PI * i * j / (4.0 * m))),
        table[1] = q15(sin(2 * PI * i * j / (4.0 * m)));
  assert_ptr_equal(table, end);
}

static unsigned reversed(unsigned t, unsigned bits) {
  unsigned r = 0;
  for (unsigned i = 0; i < bits; i++) r |= ((t >> i) & 1) << (bits - 1 - i);
  return r;
}

/* Signal to noise of the FFT of x against the definition, in dB. */
static double fft_snr(const int32_t *in, unsigned log2n) {
  const int n = 1 << log2n;
  static int32_t x[4096];
  static double exact[4096];
  static int16_t table[8192] __attribute__((aligned(4)));
  table_fill(table, log2n);
  for (int t = 0; t < n; t++) {
    x[2 * reversed((unsigned)t / 2, log2n - 1) + (unsigned)(t & 1)] = in[t];
    exact[t] = in[t];
  }
  mote_fft_real(x, log2n, table);
  double signal = 0, noise = 0;
  for (int k = 0; k <= n / 2; k++) {
    double re, im;
    dft(exact, n, k, &re, &im);
    const double gr = k == n / 2 ? x[1] : x[2 * k], gi = k == 0 || k == n / 2 ? 0 : x[2 * k + 1];
    signal += re * re + im * im;
    noise += (gr - re) * (gr - re) + (gi - im) * (gi - im);
  }
  return 10 * log10(signal / (noise + 1e-9));
}

static void test_fft_against_definition(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 1);
  static int32_t x[4096];
  for (unsigned log2n = 4; log2n <= 12; log2n++) {
    const int n = 1 << log2n, top = 1 << (29 - log2n);
    for (int t = 0; t < n; t++) x[t] = (int32_t)rng_below(&r, (uint32_t)(2 * top - 1)) - (top - 1);
    const double noise = fft_snr(x, log2n);
    for (int t = 0; t < n; t++) x[t] = (int32_t)((top - 1) * sin(2 * PI * 2.3 * t / n));
    const double tone = fft_snr(x, log2n);
    print_message("FFT %4d: SNR of noise %.1f dB, of a tone %.1f dB\n", n, noise, tone);
    assert_true(noise > 85 && tone > 85);
  }
}

/* The largest inputs that are allowed: constant, alternating, impulses, square waves. Under ubsan this proves
 * that nothing overflows. */
static void test_fft_at_its_limits(void **state) {
  (void)state;
  static int32_t x[4096];
  for (unsigned log2n = 4; log2n <= 12; log2n++) {
    const int n = 1 << log2n, top = (1 << (29 - log2n)) - 1;
    for (int shape = 0; shape < 6; shape++) {
      for (int t = 0; t < n; t++) {
        const int sign = shape == 0   ? 1
                         : shape == 1 ? (t & 1 ? -1 : 1)
                         : shape == 2 ? (t & 2 ? -1 : 1)
                         : shape == 3 ? (t < n / 2 ? -1 : 1)
                         : shape == 4 ? (sin(2 * PI * (n / 8 + 1) * t / n) < 0 ? -1 : 1)
                                      : (t == 3);
        x[t] = sign * top;
      }
      assert_true(fft_snr(x, log2n) > 80);
    }
  }
}

static void test_log2_and_sqrt(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 2);
  double worst = 0;
  for (int i = 0; i < 200000; i++) {
    const uint64_t x =
        ((((uint64_t)rng_u32(&r) << 32) | rng_u32(&r)) >> rng_below(&r, 64)) + (i < 2000 ? 0 : 1);
    if (x == 0) continue;
    const double error = fabs(mote_log2_q8(x) - 256 * log2((double)x));
    if (error > worst) worst = error;
    const uint32_t s = (uint32_t)x, root = mote_sqrt_u32(s);
    assert_true((uint64_t)root * root <= s && ((uint64_t)root + 1) * (root + 1) > s);
  }
  for (uint64_t x = 1; x < 5000; x++)
    worst = fmax(worst, fabs(mote_log2_q8(x) - 256 * log2((double)x)));
  print_message("log2: worst error %.3f of 1/256\n", worst);
  assert_true(worst <= 0.52);
  assert_int_equal(mote_log2_q8(0), -16384);
  assert_int_equal(mote_log2_q8(UINT64_MAX), 64 * 256);
  assert_int_equal(mote_sqrt_u32(UINT32_MAX), 65535);
  assert_int_equal(mote_sqrt_u32(0), 0);
}

/* log2 of the band powers in double, from the definition: Hann, DFT, the mel formula, triangles. */
static void reference_bands(const struct features_config *c, const int16_t *x, int frame,
                            double *out) {
  static double windowed[2048];
  double mean = 0;
  memset(windowed, 0, sizeof windowed);
  for (int t = 0; t < frame; t++) mean += x[t] / (double)frame;
  for (int t = 0; t < frame; t++)
    windowed[t] = (x[t] - mean) * (0.5 - 0.5 * cos(2 * PI * (t + 1) / (frame + 1)));
  const double low = 2595 * log10(1 + c->low_hz / 700), high = 2595 * log10(1 + c->high_hz / 700);
  double power[1024];
  for (int k = 0; k < c->fft_size / 2; k++) {
    double re, im;
    dft(windowed, c->fft_size, k, &re, &im);
    power[k] = re * re + im * im;
  }
  for (int b = 0; b < c->bands; b++) {
    double e[3], sum = 0;
    for (int i = 0; i < 3; i++)
      e[i] = 700 * (pow(10, (low + (high - low) * (b + i) / (c->bands + 1)) / 2595) - 1) *
             c->fft_size / c->rate_hz;
    for (int k = 1; k < c->fft_size / 2; k++) {
      const double w = fmin((k - e[0]) / (e[1] - e[0]), (e[2] - k) / (e[2] - e[1]));
      if (w > 0) sum += w * power[k];
    }
    out[b] = log2(sum + 1e-9);
  }
}

/* Voices, tones and noise at several levels: every band that is within 60 dB of the frame's loudest. The worst is
 * a lone line at the very edge of a narrow band, where a weight of 8 bits has few digits. */
static void test_bands_against_double(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct rng r;
  rng_seed(&r, 3);
  for (int rate = 8000; rate <= 16000; rate *= 2) {
    struct features_config c;
    features_defaults(FEATURES_LOGMEL, rate, 1, 1000, &c, NULL);
    c.floor_db = -60;
    struct features_block block;
    assert_true(features_build(&c, 1, a, &block, &e));
    const int frame = block.parts[0].params->frame;
    int32_t scratch[2048];
    int16_t x[2048], row[64];
    double want[64], worst = 0, squares = 0;
    struct snr snr = {0};
    int n = 0;
    for (int trial = 0; trial < 40; trial++) {
      const double level = pow(10, -trial % 10 / 3.0) * 12000, pitch = 90 + 10 * trial;
      for (int t = 0; t < frame; t++) {
        double v = 0.02 * rng_normal(&r);
        for (int h = 1; h < 20; h++) v += sin(2 * PI * pitch * h * t / rate + h * h) / h;
        v = trial & 1 ? v : rng_normal(&r) / 4;
        x[t] = (int16_t)fmin(fmax(floor(level * v + 0.5), -32768), 32767);
      }
      mote_features_row(block.parts[0].params, block.parts[0].op, x, scratch, row);
      reference_bands(&c, x, frame, want);
      double top = want[0];
      for (int b = 0; b < c.bands; b++) top = fmax(top, want[b]);
      for (int b = 0; b < c.bands; b++) {
        if (want[b] < top - 20) continue; /* octaves of power */
        const double error = fabs(row[b] / 256.0 - want[b]) * 3.0103;
        worst = fmax(worst, error), squares += error * error, n++;
        snr_add(&snr, want[b], row[b] / 256.0);
      }
    }
    print_message("bands at %d Hz: worst error %.3f dB, RMS %.4f dB over %d values; SNR %.0f dB\n",
                  rate, worst, sqrt(squares / n), n, snr_db(&snr));
    assert_true(n > 1000 && worst < 1 && sqrt(squares / n) < 0.04 && snr_db(&snr) > 52);
  }
  arena_free(a);
}

static void test_statistics_against_double(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  features_defaults(FEATURES_STATISTICS, 100, 3, 2000, &c, NULL);
  c.fft_size = c.bands = 0;
  assert_true(features_build(&c, 1, a, &block, &e));
  assert_int_equal(block.parts[0].params->columns, 24);
  struct rng r;
  rng_seed(&r, 4);
  static int16_t x[600];
  struct snr snr[8] = {{0}};
  for (int trial = 0; trial < 200; trial++) {
    for (int i = 0; i < 600; i++) {
      const double v = trial == 0   ? 0
                       : trial == 1 ? (i / 3 & 1 ? 32767 : -32768)
                       : trial == 2 ? -32768
                       : trial == 3 ? 32767
                                    : (double)rng_normal(&r) * trial * 50 + 1000.0 * (i % 3);
      x[i] = (int16_t)fmin(fmax(v, -32768), 32767);
    }
    int16_t row[24];
    mote_features_row(block.parts[0].params, block.parts[0].op, x, NULL, row);
    for (int ch = 0; ch < 3; ch++) {
      double sum = 0, squares = 0, low = x[ch], high = x[ch], steps = 0;
      for (int t = 0; t < 200; t++) {
        const double v = x[3 * t + ch];
        sum += v, squares += v * v, low = fmin(low, v), high = fmax(high, v);
        if (t) steps += fabs(v - x[3 * (t - 1) + ch]);
      }
      const double mean = sum / 200, deviation = sqrt(fmax(squares / 200 - mean * mean, 0));
      const int16_t *const got = row + 8 * ch;
      assert_true(fabs(got[0] - mean) < 1);
      assert_true(fabs(got[1] - fmin(deviation, 32767)) < 1.01);
      assert_true(fabs(got[2] - fmin(sqrt(squares / 200), 32767)) < 1.6 + 0.001 * got[2]);
      assert_true(got[3] == low && got[4] == high && got[5] == (int)((high - low) / 2));
      assert_true(got[6] >= 0 && got[6] < 200);
      assert_true(fabs(got[7] - fmin(steps / 200, 32767)) < 1);
      const double want[7] = {mean, deviation,        sqrt(squares / 200), low,
                              high, (high - low) / 2, steps / 200};
      for (int k = 0; k < 7 && trial > 3; k++) snr_add(&snr[k], want[k], got[k < 6 ? k : 7]);
    }
  }
  print_message("statistics: SNR of the worst of seven %.0f dB\n", snr_least(snr, 7));
  assert_true(snr_least(snr, 7) > 60);
  /* A known number of crossings: nearly 5 periods of a sine. */
  for (int t = 0; t < 200; t++)
    for (int ch = 0; ch < 3; ch++)
      x[3 * t + ch] = (int16_t)(5000 + 900 * sin(2 * PI * (5.0 * t / 200 + 0.51)));
  int16_t row[24];
  mote_features_row(block.parts[0].params, block.parts[0].op, x, NULL, row);
  assert_int_equal(row[6], 9); /* half periods that end within [0.51, 5.485] */
  arena_free(a);
}

/* Silence, full scale, constant: defined values, and under the sanitizers nothing overflows. */
static void test_extreme_samples(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  for (int kind = 0; kind < FEATURES_KIND_COUNT; kind++) {
    struct features_config c;
    struct features_block block;
    const double window_ms = kind == FEATURES_HEART ? 2000 : 1000; /* less holds no beats */
    features_defaults((enum features_kind)kind, kind < 2 ? 16000 : 200, kind < 2 ? 1 : 3, window_ms,
                      &c, NULL);
    if (!features_build(&c, 1, a, &block, &e))
      fail_msg("%s: %s: %s", features_kind_name(c.kind), e.node, e.text);
    const int n = block.window_samples * block.channels;
    int16_t *x = ARENA_ARRAY(a, int16_t, n);
    int8_t *out = ARENA_ARRAY(a, int8_t, block.out_bytes),
           *silent = ARENA_ARRAY(a, int8_t, block.out_bytes);
    void *scratch = arena_alloc(a, 1, block.scratch_bytes + 4);
    features_run(&block, x, scratch, silent);
    for (int shape = 0; shape < 6; shape++) {
      for (int i = 0; i < n; i++)
        x[i] = (int16_t)(shape == 0   ? 32767
                         : shape == 1 ? -32768
                         : shape == 2 ? (i & 1 ? 32767 : -32768)
                         : shape == 3 ? (i / 50 & 1 ? 32767 : -32768)
                         : shape == 4 ? (i == n / 2 ? -32768 : 0)
                                      : (i * 7919 & 65535) - 32768);
      features_run(&block, x, scratch, out);
      /* Spectra do not see a constant. */
      if (shape < 2 && kind <= FEATURES_SPECTRUM) assert_memory_equal(out, silent, block.out_bytes);
      /* There are no beats in noise. */
      if (shape == 5 && kind != FEATURES_RAW && kind != FEATURES_HEART)
        assert_memory_not_equal(out, silent, block.out_bytes);
    }
  }
  arena_free(a);
}

/* A tone 30 dB softer gives the same features where loudness is taken off. */
static void test_loudness_is_taken_off(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c;
  struct features_block block;
  features_defaults(FEATURES_LOGMEL, 16000, 1, 1000, &c, NULL);
  c.range_db = 40; /* so that the floor of 16-bit rounding in the soft one does not show */
  assert_true(features_build(&c, 1, a, &block, &e));
  static int16_t loud[16000], soft[16000];
  struct rng r;
  rng_seed(&r, 5);
  for (int t = 0; t < 16000; t++) {
    const double v = sin(t * 0.05) * (t > 4000 && t < 9000) +
                     sin(t * 0.7) * (t > 7000 && t < 12000) + 0.2 * rng_normal(&r);
    loud[t] = (int16_t)fmin(fmax(9000 * v, -32768), 32767);
    soft[t] = (int16_t)floor(9000 / 31.6 * v);
  }
  int8_t *one = ARENA_ARRAY(a, int8_t, block.out_bytes),
         *two = ARENA_ARRAY(a, int8_t, block.out_bytes);
  void *scratch = arena_alloc(a, 1, block.scratch_bytes);
  features_run(&block, loud, scratch, one);
  features_run(&block, soft, scratch, two);
  int most = 0, spread = 0;
  for (size_t i = 0; i < block.out_bytes; i++) {
    const int d = one[i] > two[i] ? one[i] - two[i] : two[i] - one[i];
    most = d > most ? d : most;
    spread = one[i] - one[0] > spread ? one[i] - one[0] : spread;
  }
  print_message("30 dB softer: features differ by at most %d steps (of a spread of %d)\n", most,
                spread);
  assert_true(most <= 3 && spread > 20);
  arena_free(a);
}

/* Calibration against double: mean and deviation of what comes out, whatever offset and spread went in. */
static void test_calibration(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 7);
  enum { N = 3000, CHANNELS = 3 };
  static int16_t x[N * CHANNELS], y[N * CHANNELS];
  static const int32_t offset[CHANNELS] = {20000, -31000, 7}, spread[CHANNELS] = {9000, 40, 12};
  struct mote_calibrate_sum sums[CHANNELS];
  struct mote_features_column map[CHANNELS];
  for (int i = 0; i < N * CHANNELS; i++)
    x[i] = (int16_t)(offset[i % CHANNELS] - spread[i % CHANNELS] +
                     (int32_t)rng_below(&r, (uint32_t)(2 * spread[i % CHANNELS] + 1)));
  mote_calibrate_begin(sums, CHANNELS);
  mote_calibrate_add(sums, CHANNELS, x, 1000);
  mote_calibrate_add(sums, CHANNELS, x + 1000 * CHANNELS, N - 1000);
  for (int deviation = 0; deviation < 2; deviation++) {
    mote_calibrate_end(sums, CHANNELS, deviation, map);
    mote_calibrate_apply(map, CHANNELS, x, N, y);
    for (int c = 0; c < CHANNELS; c++) {
      double before = 0, sum = 0, squares = 0, in = 0;
      for (int t = 0; t < N; t++) before += x[t * CHANNELS + c], sum += y[t * CHANNELS + c];
      for (int t = 0; t < N; t++) {
        const double d = y[t * CHANNELS + c] - sum / N, b = x[t * CHANNELS + c] - before / N;
        squares += d * d, in += b * b;
      }
      if (deviation) {
        assert_true(fabs(sum / N) < 4096 / sqrt(in / N) / 2 + 1); /* the mean is whole counts */
        assert_true(fabs(sqrt(squares / N) - 4096) < 4096 * 0.01);
      } else {
        assert_true(fabs(sum / N) <= 0.5 && fabs(squares - in) < 1e-6 * in + 1e-3);
      }
    }
  }
}

/* Columns of features against double; a column that moves by less than a step is not blown up. */
static void test_calibration_of_values(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 8);
  enum { N = 2000, COLUMNS = 4 };
  static int8_t x[N * COLUMNS], y[N * COLUMNS];
  static const int32_t middle[COLUMNS] = {60, -80, 0, 17}, spread[COLUMNS] = {50, 6, 127, 0};
  struct mote_calibrate_sum sums[COLUMNS];
  struct mote_features_column map[COLUMNS];
  for (int i = 0; i < N * COLUMNS; i++)
    x[i] = (int8_t)(middle[i % COLUMNS] - spread[i % COLUMNS] +
                    (int32_t)rng_below(&r, (uint32_t)(2 * spread[i % COLUMNS] + 1)));
  x[3] = 18;
  mote_calibrate_begin(sums, COLUMNS);
  mote_calibrate_add_values(sums, COLUMNS, x, 700);
  mote_calibrate_add_values(sums, COLUMNS, x + 700 * COLUMNS, N - 700);
  for (int deviation = 0; deviation < 2; deviation++) {
    mote_calibrate_end_values(sums, COLUMNS, deviation, map);
    memcpy(y, x, sizeof y);
    mote_calibrate_apply_values(map, COLUMNS, y, N);
    for (int c = 0; c < COLUMNS; c++) {
      double sum = 0, squares = 0, most = 0;
      for (int t = 0; t < N; t++) sum += x[t * COLUMNS + c];
      for (int t = 0; t < N; t++) squares += pow(x[t * COLUMNS + c] - sum / N, 2);
      const double unit = fmax(sqrt(squares / N), 1) / MOTE_CALIBRATE_STEPS;
      for (int t = 0; t < N; t++) {
        const double away = x[t * COLUMNS + c] - sum / N;
        const double wanted = fmin(fmax(deviation ? away / unit : away, -128), 127);
        most = fmax(most, fabs(y[t * COLUMNS + c] - wanted));
      }
      assert_true(most < 0.8);
    }
  }
}

/* A channel that never moves, no frame at all, the largest and smallest counts. */
static void test_calibration_at_its_limits(void **state) {
  (void)state;
  struct mote_calibrate_sum sums[2];
  struct mote_features_column map[2];
  static const int16_t ends[4] = {INT16_MAX, 5, INT16_MIN, 5}, one[2] = {INT16_MIN, 6};
  int16_t out[4];
  mote_calibrate_begin(sums, 2);
  mote_calibrate_end(sums, 2, 1, map);
  mote_calibrate_apply(map, 2, one, 1, out);
  assert_int_equal(out[0], INT16_MIN);
  assert_int_equal(out[1], 6 * 4096);
  mote_calibrate_add(sums, 2, ends, 2);
  mote_calibrate_end(sums, 2, 1, map);
  mote_calibrate_apply(map, 2, ends, 2, out);
  assert_in_range(out[0], 4090, 4100);
  assert_in_range(-out[2], 4090, 4100);
  assert_int_equal(out[1], 0);
  mote_calibrate_apply(map, 2, one, 1, out);
  assert_int_equal(out[1], 4096);
  assert_true(mote_calibrate_log(0) == 0 && mote_calibrate_log(-7) == -mote_calibrate_log(7));
  assert_true(fabs((double)mote_calibrate_log(1e6f) - log(1e6 + 1)) < 1e-5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fft_against_definition),
      cmocka_unit_test(test_fft_at_its_limits),
      cmocka_unit_test(test_log2_and_sqrt),
      cmocka_unit_test(test_bands_against_double),
      cmocka_unit_test(test_statistics_against_double),
      cmocka_unit_test(test_extreme_samples),
      cmocka_unit_test(test_loudness_is_taken_off),
      cmocka_unit_test(test_calibration),
      cmocka_unit_test(test_calibration_of_values),
      cmocka_unit_test(test_calibration_at_its_limits),
  };
  return cmocka_run_group_tests_name("dsp", tests, NULL, NULL);
}
