/* Kinds mfe, mfcc and spectrogram: values equal to their Edge Impulse namesakes', streams equal to windows, the same bits
 * on emulated chips. */
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

/* Of all outputs, on every machine and in every profile. */
#define CHIP_CRC 0x88e5e6fd

static bool shared(const char *what) {
  char line[200];
  snprintf(line, sizeof line,
           "\"${MOTE_SHARED:-../shared}/unpack\" build/shared %s >/dev/null 2>&1", what);
  if (system(line) == 0) return true;
  print_message("skipped: no %s\n", what);
  return false;
}

/* ---- Edge Impulse --------------------------------------------------------------- */

/* The first second of the first channel, float32 times 32768. */
static bool read_recording(int16_t *x, int n) {
  SF_INFO info = {0};
  SNDFILE *const f =
      sf_open("build/shared/data/acquisition-formats/sample_data/hadouken.01.wav", SFM_READ, &info);
  if (!f) return false;
  for (int i = 0; i < n; i++) {
    float frame[8] = {0};
    if (info.channels > 8 || sf_readf_float(f, frame, 1) != 1) {
      sf_close(f);
      return false;
    }
    x[i] = (int16_t)fmin(fmax(nearbyint((double)frame[0] * 32768), -32768), 32767);
  }
  sf_close(f);
  return true;
}

static struct features_block build(struct arena *a, const struct features_config *c) {
  struct features_block block;
  struct err e = {0};
  if (!features_build(c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static struct features_config compatible(enum features_kind kind) {
  struct features_config c;
  features_defaults(kind, 16000, 1, 1000, &c, NULL);
  assert_true(features_compatible(&c));
  return c;
}

/* The block's values, and its int8 as real numbers, against the file's. */
static void compare(const char *name, enum features_kind kind) {
  struct arena *a = arena_new(0);
  static int16_t x[16000];
  const struct features_config c = compatible(kind);
  const struct features_block b = build(a, &c);
  const double one = 1;
  json_error_t error;
  json_t *const file = json_load_file(
      arena_printf(a, "build/shared/golden/features-edge-impulse/%s.json", name), 0, &error);
  assert_non_null(file);
  assert_true(read_recording(x, 16000));
  const json_t *const want = json_object_get(file, "features");
  assert_int_equal(json_array_size(want), b.out_bytes);
  double *const got = ARENA_ARRAY(a, double, b.out_bytes);
  int8_t *const q = ARENA_ARRAY(a, int8_t, b.out_bytes);
  void *const scratch = arena_alloc(a, b.scratch_bytes + 4 * b.out_bytes + 8, 8);
  features_values(&b, &one, x, scratch, got);
  features_run(&b, x, scratch, q);
  double worst = 0, coarse = 0;
  for (size_t i = 0; i < b.out_bytes; i++) {
    const double value = json_number_value(json_array_get(want, i));
    worst = fmax(worst, fabs(got[i] - value));
    const double low = (double)b.scale * (-128 - b.zp), high = (double)b.scale * (127 - b.zp);
    coarse = fmax(coarse, fabs((double)b.scale * (q[i] - b.zp) - fmin(fmax(value, low), high)));
  }
  print_message("%s: %zu values, furthest from the reference %.5f; as int8 %.5f in steps of %.5f\n",
                name, b.out_bytes, worst, coarse, (double)b.scale);
  assert_true(worst < 0.006);
  assert_true(coarse < (double)b.scale * 0.51 + 0.006);
  json_decref(file);
  arena_free(a);
}

static void test_values_of_edge_impulse(void **state) {
  (void)state;
  if (!shared("golden/features-edge-impulse data/acquisition-formats")) skip();
  compare("mfe", FEATURES_MFE);
  compare("mfcc", FEATURES_MFCC);
  compare("spectrogram", FEATURES_SPECTROGRAM);
}

/* ---- chips ---------------------------------------------------------------------- */

/* Gliding tones, steps and noise, with pauses. */
static int16_t *samples_of(struct arena *a, const struct features_block *b, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed);
  const int n = b->window_samples * b->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  for (int i = 0; i < n; i++) {
    const uint32_t t = (uint32_t)i, noise = rng_u32(&r) >> 20, loud = t / 1500 % 4;
    const int32_t glide = (int32_t)((t * t / 64) & 8191) - 4096, step = (int32_t)(t / 37 % 5) * 900;
    x[i] = (int16_t)((glide + step + (int32_t)noise - 3848) * (int32_t)loud);
  }
  return x;
}

static int chip_configs(struct features_config *c) {
  c[0] = compatible(FEATURES_MFE);
  c[1] = compatible(FEATURES_MFCC);
  c[2] = compatible(FEATURES_SPECTROGRAM);
  c[3] = compatible(FEATURES_MFCC);
  c[3].normalise = FEATURES_NORMALISE_MEAN;
  c[3].fft_size = 1024;
  c[3].window_ms = 200;
  c[3].pre_emphasis = 0;
  return 4;
}

static void same_on_chip(const char *name) {
  static const char *const dsp[] = {
      "mote/dsp/bands.c",   "mote/dsp/emphasis.c",    "mote/dsp/features.c", "mote/dsp/fft.c",
      "mote/dsp/mfcc.c",    "mote/dsp/finish16.c",    "mote/dsp/math.c",     "mote/dsp/mfe.c",
      "mote/dsp/sliding.c", "mote/dsp/spectrogram.c", "mote/isa/fft.c"};
  struct arena *a = arena_new(0);
  struct features_config c[8];
  struct features_block blocks[8];
  const int16_t *samples[8];
  const int n = chip_configs(c);
  for (int i = 0; i < n; i++) {
    blocks[i] = build(a, &c[i]);
    samples[i] = samples_of(a, &blocks[i], (uint64_t)i + 1);
  }
  chip_blocks(a, name, dsp, sizeof dsp / sizeof *dsp, blocks, samples, n, CHIP_CRC);
  arena_free(a);
}

static void test_same_bits_without_optimisation(void **state) {
  (void)state;
  same_on_chip("host");
}
static void test_same_bits_on_cortex_m4(void **state) {
  (void)state;
  same_on_chip("cortex-m4");
}
static void test_same_bits_on_cortex_m0plus(void **state) {
  (void)state;
  same_on_chip("cortex-m0plus");
}
static void test_same_bits_on_cortex_m55(void **state) {
  (void)state;
  same_on_chip("cortex-m55");
}
static void test_same_bits_on_rv32(void **state) {
  (void)state;
  same_on_chip("rv32imc");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_of_edge_impulse),
      cmocka_unit_test(test_same_bits_without_optimisation),
      cmocka_unit_test(test_same_bits_on_cortex_m4),
      cmocka_unit_test(test_same_bits_on_cortex_m0plus),
      cmocka_unit_test(test_same_bits_on_cortex_m55),
      cmocka_unit_test(test_same_bits_on_rv32),
  };
  return cmocka_run_group_tests_name("audio", tests, NULL, NULL);
}
