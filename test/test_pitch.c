/* The kind "pitch": against the same measure in double precision over all lags, and against the truth of tones, chirps and
 * voices that are made here; silence and noise; streams; limits; hostile bytes; one block on every chip. */
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
#include "test/snr.h"

#define PI   3.14159265358979323846
#define MOST 96000

/* ---- sounds ------------------------------------------------------------------------ */

enum sound { TONE, CHIRP, VOICE, VIBRATO, SOUNDS };
static const char *const names[] = {"tone", "chirp", "voice", "vibrato"};

/* The frequency at a time of a sound, Hz. */
static double truth(enum sound sound, double hz, double t) {
  return sound == CHIRP     ? hz * pow(2, t)
         : sound == VIBRATO ? hz * (1 + 0.03 * sin(2 * PI * 5 * t))
         : sound == VOICE   ? hz * (1 + 0.2 * sin(2 * PI * 0.7 * t))
                            : hz;
}

static double noise(uint32_t *r) {
  *r = *r * 1664525u + 1013904223u;
  return (int32_t)*r / 2147483648.0;
}

/* Pulses through three resonances: a vowel. */
static double vowel(double pulse, double rate, double *past) {
  static const double formant[3] = {700, 1220, 2600}, width[3] = {90, 110, 160};
  double x = pulse;
  for (int k = 0; k < 3; k++) {
    const double r = exp(-PI * width[k] / rate), c = 2 * r * cos(2 * PI * formant[k] / rate);
    const double y = (1 - c + r * r) * x + c * past[2 * k] - r * r * past[2 * k + 1];
    past[2 * k + 1] = past[2 * k], past[2 * k] = y;
    x = y;
  }
  return x;
}

static void make(enum sound sound, double hz, double rate, double size, int16_t *x, int n) {
  double phase = 0, past[6] = {0}, most = 0;
  static double y[MOST];
  uint32_t r = 1;
  for (int i = 0; i < n; i++) {
    phase += truth(sound, hz, i / rate) / rate;
    if (sound ==
        VOICE) { /* a pulse as its first harmonics below half of the rate, so that it is where it is */
      double pulse = 0;
      for (int h = 1; h * hz * 1.2 < rate * 0.4 && h <= 40; h++) pulse += cos(2 * PI * h * phase);
      y[i] = vowel(pulse, rate, past) + 0.02 * noise(&r);
    } else {
      y[i] = sin(2 * PI * phase) + (sound == VIBRATO ? 0.5 * sin(4 * PI * phase + 1) : 0);
    }
    most = fmax(most, fabs(y[i]));
  }
  for (int i = 0; i < n; i++) x[i] = (int16_t)lrint(y[i] / most * size);
}

/* ---- the measure in double precision, at all lags ------------------------------------ */

struct answer {
  double hz, voicing;
};

static double share(const double *x, int n, int lag) {
  double sum = 0, both = 0;
  for (int t = 0; t + lag < n; t++) {
    sum += x[t] * x[t + lag];
    both += x[t] * x[t] + x[t + lag] * x[t + lag];
  }
  return both > 0 ? fmax(2 * sum / both, 0) : 0;
}

static struct answer reference(const int16_t *samples, int n, int first, int last, double rate) {
  static double x[MOST], s[MOST], top[MOST];
  double mean = 0, best = 0;
  for (int t = 0; t < n; t++) mean += samples[t] / (double)n;
  for (int t = 0; t < n; t++) x[t] = samples[t] - mean;
  for (int lag = first - 1; lag <= last + 1; lag++) s[lag] = share(x, n, lag);
  for (int lag = first; lag <= last; lag++) {
    top[lag] = 0;
    if (!(s[lag] > 0 && s[lag] > s[lag - 1] && s[lag] >= s[lag + 1])) continue;
    const double lean = s[lag + 1] - s[lag - 1];
    top[lag] = s[lag] + lean * lean / (8 * (2 * s[lag] - s[lag - 1] - s[lag + 1]));
    best = fmax(best, top[lag]);
  }
  for (int lag = first; lag <= last; lag++)
    if (top[lag] > 0 && top[lag] >= best * 29 / 32) {
      const double lean = s[lag + 1] - s[lag - 1];
      const double at = lag + lean / (2 * (2 * s[lag] - s[lag - 1] - s[lag + 1]));
      return (struct answer){rate / at, top[lag]};
    }
  return (struct answer){0, 0};
}

/* ---- blocks ------------------------------------------------------------------------- */

static struct features_block build(struct arena *a, const struct features_config *c) {
  struct features_block block;
  struct err e = {0};
  if (!features_build(c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static double *values(struct arena *a, const struct features_block *b, const int16_t *x) {
  double *const out = ARENA_ARRAY(a, double, b->out_bytes);
  const double unit = 1;
  features_values(b, &unit, x, arena_alloc(a, 1, b->scratch_bytes + 4 * b->out_bytes + 8), out);
  return out;
}

static double cents(double a, double b) { return 1200 * fabs(log2(a / b)); }

struct errors {
  double arithmetic, truth, voicing; /* the largest: cents, cents, parts of 1 */
  int frames, lost;
};

static struct errors measure(enum sound sound, double hz, double rate, double size,
                             struct snr snr[2]) {
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_PITCH, rate, 1, 1000, &c, NULL);
  const struct features_block b = build(a, &c);
  const struct mote_features *const f = b.parts[0].params;
  const struct mote_pitch *const p = mote_at(f, f->params_at);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  make(sound, hz, rate, size, x, b.window_samples);
  const double *const got = values(a, &b, x);
  struct errors worst = {0};
  for (int r = 0; r < f->rows; r++) {
    const int at = r * f->hop;
    const struct answer want = reference(x + at, f->frame, p->first, p->last, rate);
    const double middle = (at + f->frame / 2.0) / rate;
    worst.frames++;
    worst.voicing = fmax(worst.voicing, fabs(got[2 * r + 1] - want.voicing));
    if (!(got[2 * r] > 0)) {
      worst.lost++;
      continue;
    }
    worst.arithmetic = fmax(worst.arithmetic, cents(got[2 * r], want.hz));
    snr_add(&snr[0], log2(want.hz), log2(got[2 * r]));
    snr_add(&snr[1], want.voicing, got[2 * r + 1]);
    worst.truth = fmax(worst.truth, cents(got[2 * r], truth(sound, hz, middle)));
  }
  arena_free(a);
  return worst;
}

static void test_against_double(void **state) {
  (void)state;
  static const double rates[] = {8000, 16000, 44100}, sizes[] = {32767, 3000, 100};
  struct errors all[SOUNDS] = {{0}};
  struct snr snr[2] = {{0}}; /* octaves, voicing */
  for (int s = 0; s < SOUNDS; s++)
    for (size_t i = 0; i < 3; i++)
      for (size_t k = 0; k < 3; k++)
        for (double hz = s == VOICE ? 100 : 90; hz < 400; hz *= 1.31) {
          const double most = s == CHIRP ? 2 * hz : s == VOICE ? 1.2 * hz : hz;
          if (most > 480) continue;
          const struct errors e = measure((enum sound)s, hz, rates[i], sizes[k], snr);
          if (e.lost || e.truth > 45)
            fail_msg("%s of %g Hz at %g Hz, size %g: %d of %d frames lost, %.1f cents off",
                     names[s], hz, rates[i], sizes[k], e.lost, e.frames, e.truth);
          all[s].arithmetic = fmax(all[s].arithmetic, e.arithmetic);
          all[s].truth = fmax(all[s].truth, e.truth);
          all[s].voicing = fmax(all[s].voicing, e.voicing);
          all[s].frames += e.frames;
        }
  for (int s = 0; s < SOUNDS; s++) {
    print_message("%s: %d frames, at most %.3f cents and %.5f of voicing from double precision, "
                  "%.2f cents from the truth\n",
                  names[s], all[s].frames, all[s].arithmetic, all[s].voicing, all[s].truth);
    assert_true(all[s].arithmetic < 0.05 && all[s].voicing < 2e-4);
    assert_true(all[s].truth < (s == VOICE ? 8 : s == VIBRATO ? 4 : 1));
  }
  print_message("SNR of octaves %.0f dB, of voicing %.0f dB\n", snr_db(&snr[0]), snr_db(&snr[1]));
  assert_true(snr_db(&snr[0]) > 90 && snr_db(&snr[1]) > 60);
}

/* What does not repeat has no pitch, and what is quiet neither. */
static void test_without_pitch(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_PITCH, 16000, 1, 1000, &c, NULL);
  c.values = MOTE_PITCH_ALL;
  c.floor_db = 10;
  const struct features_block b = build(a, &c);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  const int rows = b.dims[0];
  uint32_t r = 5;
  for (int kind = 0; kind < 5; kind++) {
    double most = 0;
    for (int i = 0; i < b.window_samples; i++)
      x[i] = (int16_t)(kind == 0   ? 0
                       : kind == 1 ? 4000
                       : kind == 2 ? lrint(2 * sin(2 * PI * 200 * i / 16000))
                       : kind == 3 ? lrint(12000 * noise(&r))
                                   : i - 8000);
    const double *const got = values(a, &b, x);
    for (int k = 0; k < rows; k++) {
      if (kind != 4) assert_true(got[3 * k] < 1e-9 && got[3 * k] > -1e-9);
      most = fmax(most, got[3 * k + 1]);
      if (kind < 3) assert_true(fabs(got[3 * k + 2] - 10) < 0.01);
      if (kind == 3) assert_true(fabs(got[3 * k + 2] - 10 * log10(12000.0 * 12000 / 3)) < 1);
    }
    if (kind < 3) assert_true(most < 1e-9);
    if (kind == 3) assert_true(most < 0.5);
  }
  arena_free(a);
}

/* The level of a tone at every size: its mean square. */
static void test_level(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_PITCH, 8000, 1, 400, &c, NULL);
  c.values = MOTE_PITCH_LEVEL;
  const struct features_block b = build(a, &c);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  for (double size = 10; size < 32768; size *= 1.7) {
    make(TONE, 250, 8000, size, x, b.window_samples);
    const double *const got = values(a, &b, x);
    for (int r = 0; r < b.dims[0]; r++)
      assert_true(fabs(got[r] - 10 * log10(size * size / 2)) < (size < 100    ? 0.3
                                                                : size < 1000 ? 0.05
                                                                              : 0.01));
  }
  arena_free(a);
}

/* Every size of frame, ratio and lag that a configuration can give stays within its memory (sanitizers), on the loudest
 * and on rough samples; and what is refused says why. */
static void test_limits(void **state) {
  (void)state;
  static const struct {
    double rate, low, high, frame_ms;
    const char *field; /* NULL: it builds */
  } cases[] = {{16000, 75, 500, 40, NULL},        {16000, 50, 4000, 41, NULL},
               {48000, 60, 100, 40, NULL},        {48000, 5, 12000, 402, NULL},
               {50, 0.5, 4, 5000, NULL},          {16000, 499, 500, 10, NULL},
               {16000, 75, 4001, 40, "high_hz"},  {16000, 75, 0, 40, "high_hz"},
               {16000, 500, 500, 40, "low_hz"},   {16000, 0, 500, 40, "low_hz"},
               {16000, 75, 500, 20, "frame_ms"},  {48000, 2, 500, 600, "frame_ms"},
               {16000, 75, 500, 3000, "frame_ms"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena *a = arena_new(0);
    struct features_config c;
    struct features_block b;
    struct err e = {0};
    features_defaults(FEATURES_PITCH, cases[i].rate, 1, cases[i].rate < 100 ? 10000 : 1000, &c,
                      NULL);
    c.low_hz = cases[i].low, c.high_hz = cases[i].high, c.frame_ms = cases[i].frame_ms;
    const bool ok = features_build(&c, 1, a, &b, &e);
    if (ok == (cases[i].field != NULL)) fail_msg("case %zu: %s: %s", i, e.node, e.text);
    if (cases[i].field) assert_string_equal(e.node, cases[i].field);
    for (int kind = 0; kind < 4 && ok; kind++) {
      int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
      uint32_t r = 9;
      for (int t = 0; t < b.window_samples; t++) {
        const double v = noise(&r);
        x[t] = (int16_t)(kind == 0   ? (v > 0 ? 32767 : -32768)
                         : kind == 1 ? (t / 24 % 2 ? 32767 : -32768)
                         : kind == 2 ? (t % 997 ? -32768 : 32767)
                                     : lrint(v * 3));
      }
      const double *const got = values(a, &b, x);
      for (int k = 0; k < b.dims[0]; k++) {
        assert_true(got[2 * k + 1] >= 0 && got[2 * k + 1] <= 1);
        if (got[2 * k] > 0)
          assert_true(got[2 * k] > 0.8 * c.low_hz && got[2 * k] < 1.25 * c.high_hz);
      }
    }
    arena_free(a);
  }
}

/* A square wave of full scale, the loudest there is, is found and surely. */
static void test_loudest(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_PITCH, 16000, 1, 1000, &c, NULL);
  const struct features_block b = build(a, &c);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  for (int t = 0; t < b.window_samples; t++) x[t] = t / 40 % 2 ? 32767 : -32768;
  const double *const got = values(a, &b, x);
  for (int r = 0; r < b.dims[0]; r++) {
    assert_true(cents(got[2 * r], 200) < 1);
    assert_true(got[2 * r + 1] > 0.999);
  }
  arena_free(a);
}

static void test_hostile_bytes(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_PITCH, 8000, 1, 200, &c, NULL);
  c.values = MOTE_PITCH_ALL;
  const struct features_block b = build(a, &c);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  make(VOICE, 130, 8000, 30000, x, b.window_samples);
  const size_t from = (size_t)((const uint8_t *)b.parts[0].params - (const uint8_t *)b.data);
  struct rng r;
  rng_seed(&r, 3);
  int taken = 0;
  for (int i = 0; i < 20000; i++) {
    struct arena *t = arena_new(0);
    struct features_block hostile;
    struct err e = {0};
    uint8_t *const bytes = arena_alloc(t, 4, b.bytes);
    memcpy(bytes, b.data, b.bytes);
    const size_t params = from + (size_t)b.parts[0].params->params_at;
    for (uint32_t k = 0; k <= rng_u32(&r) % 2; k++)
      bytes[rng_u32(&r) % 4 ? params + rng_u32(&r) % 12 : from + rng_u32(&r) % 84] =
          (uint8_t)rng_u32(&r);
    if (features_open(bytes, b.bytes, t, &hostile, &e) &&
        hostile.window_samples * hostile.channels <= b.window_samples) {
      features_run(&hostile, x, arena_alloc(t, 1, hostile.scratch_bytes + 4),
                   arena_alloc(t, 1, hostile.out_bytes));
      taken++;
    }
    arena_free(t);
  }
  assert_true(taken > 100);
  arena_free(a);
}

/* ---- chips -------------------------------------------------------------------------- */

static void same_on_chip(const char *name) {
  static const char *const here[] = {"mote/dsp/pitch.c",    "mote/dsp/scaled.c",
                                     "mote/dsp/finish32.c", "mote/dsp/statistics.c",
                                     "mote/dsp/features.c", "mote/base/fixed.c"};
  struct arena *a = arena_new(0);
  struct features_block blocks[2];
  const int16_t *samples[2];
  for (int i = 0; i < 2; i++) {
    struct features_config c;
    features_defaults(FEATURES_PITCH, i ? 100 : 16000, i ? 3 : 1, i ? 4000 : 300, &c, NULL);
    c.values = MOTE_PITCH_ALL;
    blocks[i] = build(a, &c);
    int16_t *const x = ARENA_ARRAY(a, int16_t, blocks[i].window_samples * blocks[i].channels);
    uint32_t r = 1;
    for (int t = 0; t < blocks[i].window_samples * blocks[i].channels; t++) {
      r = r * 1664525u + 1013904223u;
      const int n = t / blocks[i].channels;
      x[t] = (int16_t)((int)(r >> 22) + n * (n % (i ? 23 : 97)) % 20011 - 9000);
    }
    samples[i] = x;
  }
  chip_blocks(a, name, here, sizeof here / sizeof *here, blocks, samples, 2, 0x36750071);
  arena_free(a);
}
CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_double),
      cmocka_unit_test(test_without_pitch),
      cmocka_unit_test(test_level),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_loudest),
      cmocka_unit_test(test_hostile_bytes),
      CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
