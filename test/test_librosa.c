/* Log-mel bands and MFCC beside librosa's in double precision (test/features/librosa.json, written by tools/feature-vectors
 * librosa). What may differ is Mote's fixed point alone: shares of a bin in 1/256 (0.02 dB of a band, more of one that is a few
 * bins wide), the FFT's int16 twiddles, logarithms in steps of 0.012 dB (cosine transforms of
 * them in steps of 0.047), and the mean that is taken off each frame. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "host/features/features.h"
#include "host/kit/kit.h"
#include "test/snr.h"

static int int_of(const json_t *o, const char *key) {
  return (int)json_integer_value(json_object_get(o, key));
}

/* As tools/feature-vectors makes them. */
static int16_t *sound(struct arena *a, int n) {
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t r = 1;
  for (int t = 0; t < n; t++) {
    r = r * 1664525u + 1013904223u;
    x[t] = (int16_t)((t * t / 64 & 8191) - 4096 + (int)(r >> 20) - 2048);
  }
  return x;
}

static void compare(const json_t *v) {
  struct arena *a = arena_new(0);
  struct features_config c;
  struct features_block block;
  struct err e = {0};
  const int n = int_of(v, "n"), coefficients = int_of(v, "coefficients"),
            bands = int_of(v, "bands");
  const double rate = int_of(v, "rate"), unit = 1;
  features_defaults(coefficients ? FEATURES_MFCC : FEATURES_LOGMEL, rate, 1, 1000 * n / rate, &c,
                    NULL);
  c.frame_ms = 1000 * int_of(v, "frame") / rate;
  c.hop_ms = 1000 * int_of(v, "hop") / rate;
  c.fft_size = int_of(v, "fft");
  c.bands = bands;
  c.low_hz = int_of(v, "low");
  c.high_hz = int_of(v, "high");
  c.coefficients = coefficients;
  c.normalise = FEATURES_NORMALISE_NONE;
  c.range_db = 0;
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  double *const got = ARENA_ARRAY(a, double, block.out_bytes);
  features_values(&block, &unit, sound(a, n),
                  arena_alloc(a, 1, block.scratch_bytes + 4 * block.out_bytes + 8), got);
  const json_t *const wanted = json_object_get(v, "values");
  assert_int_equal(json_array_size(wanted), block.out_bytes);
  double worst = 0, sum = 0;
  struct snr snr = {0};
  for (size_t i = 0; i < block.out_bytes; i++) {
    const double want = json_number_value(json_array_get(wanted, i)), off = fabs(got[i] - want);
    snr_add(&snr, want, got[i]);
    worst = fmax(worst, off);
    sum += off * off;
  }
  const double rms = sqrt(sum / (double)block.out_bytes);
  print_message(
      "%s, %g Hz, FFT %d, %d bands: %zu values, at most %.3f dB off, RMS %.4f; SNR %.0f dB\n",
      features_kind_name(c.kind), rate, c.fft_size, bands, block.out_bytes, worst, rms,
      snr_db(&snr));
  assert_true(snr_db(&snr) > 50);
  assert_true(rms < (coefficients ? 0.05 : 0.03));
  assert_true(worst < 0.25);
  arena_free(a);
}

static void test_librosa(void **state) {
  (void)state;
  json_t *const all = json_load_file("test/features/librosa.json", 0, NULL);
  size_t i;
  json_t *v;
  assert_non_null(all);
  json_array_foreach(all, i, v) compare(v);
  json_decref(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_librosa)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
