/* The feature kind "micro" against the model that the reference makes of the same front end: frame after frame the same
 * bits, its memory of the noise included. Skips where the shared models are absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/compile/compile.h"
#include "host/features/features.h"
#include "host/import/import.h"
#include "host/kit/kit.h"
#include "mote/run/run.h"
#include "test/chip_blocks.h"
#include "test/shared.h"

#define RATE   16000
#define FRAMES 98

static struct features_block build(struct arena *a, const struct features_config *c) {
  struct features_block block;
  struct err e = {0};
  if (!features_build(c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static struct features_config config(double window_ms) {
  struct features_config c;
  features_defaults(FEATURES_MICRO, RATE, 1, window_ms, &c, NULL);
  return c;
}

/* Noise that swells and fades, a tone in it, then silence, and numbers at both ends. */
static int16_t *sound(struct arena *a, int n) {
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t seed = 7, phase = 0;
  for (int t = 0; t < n; t++) {
    seed = seed * 1664525u + 1013904223u;
    phase += 3000u + (uint32_t)t;
    const int32_t noise = (int16_t)(seed >> 16), tone = (phase >> 9 & 64) ? 900 : -900;
    const int part = t / (n / 8);
    x[t] = (int16_t)(part == 5   ? 0
                     : part == 6 ? (t & 64 ? 32767 : -32768)
                                 : (noise >> (part + 2)) + tone);
  }
  return x;
}

/* ---- the reference's own model --------------------------------------------------- */

static struct graph *preprocessor(struct arena *a) {
  const char *const path = "build/shared/models/reference/tflm/audio_preprocessor_int8.tflite";
  struct err e = {0};
  if (!shared_unpacked("models/reference")) return NULL;
  struct graph *const g = import_file(a, path, &e);
  if (!g) fail_msg("%s", e.text);
  return g;
}

/* What the model makes of a logarithm. */
static int8_t as_int8(int32_t v) {
  const int32_t q = (v * 256 + 333) / 666 - 128;
  return (int8_t)(q > 127 ? 127 : q);
}

static void test_equals_the_model(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct graph *const g = preprocessor(a);
  if (!g) skip();
  const struct compile_options options = {.pointer_bytes = (int)sizeof(void *)};
  const struct features_config c = config(30);
  const struct features_block b = build(a, &c);
  const struct mote_features *const f = b.parts[0].params;
  struct err e = {0};
  struct compiled plan;
  struct mote_model model;
  if (!compile_graph(g, &options, a, &plan, &e)) fail_msg("%s", e.text);
  void *const memory = ARENA_ARRAY(a, uint8_t, plan.arena_bytes + 1);
  assert_int_equal(mote_open(&model, plan.plan, plan.plan_bytes, memory, plan.arena_bytes),
                   MOTE_OK);
  int16_t *const x = sound(a, RATE * 2);
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes);
  int32_t row[40];
  int seen[256] = {0}, different = 0;
  mote_features_begin(f, b.parts[0].op, scratch);
  for (int k = 0; k < FRAMES; k++) {
    memcpy(mote_input(&model, 0), x + 320 * k, 480 * sizeof *x);
    mote_run(&model);
    const int8_t *const want = mote_output(&model, 0);
    mote_features_row(f, b.parts[0].op, x + 320 * k, scratch, row);
    for (int i = 0; i < 40; i++) {
      if (as_int8(row[i]) != want[i])
        fail_msg("frame %d, band %d: %d (%d), the model has %d", k, i, as_int8(row[i]), row[i],
                 want[i]);
      different += !seen[want[i] + 128]++;
    }
  }
  print_message("%d frames, %d different values, all equal\n", FRAMES, different);
  assert_true(different > 60);
  arena_free(a);
}

/* ---- what is asked of it, and what is refused ------------------------------------- */

static int32_t *rows_of(struct arena *a, const struct features_config *c, const int16_t *x) {
  const struct features_block b = build(a, c);
  const struct mote_features *const f = b.parts[0].params;
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes);
  int32_t *const rows = ARENA_ARRAY(a, int32_t, (size_t)f->rows * f->columns);
  mote_features_begin(f, b.parts[0].op, scratch);
  for (int k = 0; k < f->rows; k++)
    mote_features_row(f, b.parts[0].op, x + k * f->hop, scratch, rows + k * f->columns);
  return rows;
}

/* A steady hum goes as time passes, and only where the noise is taken off; loudness counts less with PCAN. */
static void test_noise_and_gain(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c = config(2000);
  int16_t *const x = sound(a, RATE * 2), *const loud = ARENA_ARRAY(a, int16_t, RATE * 2);
  uint32_t seed = 1;
  for (int t = 0; t < RATE * 2; t++) {
    seed = seed * 1664525u + 1013904223u;
    x[t] = (int16_t)((int16_t)(seed >> 16) >> 6);
    loud[t] = (int16_t)(x[t] * 8);
  }
  int64_t early[3] = {0}, late[3] = {0}, gap[3] = {0};
  for (int way = 0; way < 3; way++) {
    c.noise_reduction = way > 0;
    c.pcan = way > 1;
    const int32_t *const rows = rows_of(a, &c, x), *const louder = rows_of(a, &c, loud);
    const int n = 40 * FRAMES;
    for (int i = 0; i < 40 * 5; i++) early[way] += rows[i], late[way] += rows[n - 40 * 5 + i];
    for (int i = 0; i < n; i++) gap[way] += louder[i] - rows[i];
  }
  print_message("first and last tenth of a second: %lld, %lld; less noise %lld, %lld\n",
                (long long)early[0], (long long)late[0], (long long)early[1], (long long)late[1]);
  assert_true(late[0] > early[0] * 9 / 10);
  assert_true(late[1] < early[1] * 3 / 4);
  assert_true(gap[2] < gap[1] / 2);
  arena_free(a);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    size_t at;
    bool real;
    double value;
    const char *node;
  } wrong[] = {
#define REAL(name, v) {offsetof(struct features_config, name), true, v, #name}
#define WHOLE(name, v)                                                                             \
  { offsetof(struct features_config, name), false, v, #name }
      REAL(frame_ms, 40), WHOLE(fft_size, 500), WHOLE(fft_size, 32), WHOLE(fft_size, 4096),
      WHOLE(bands, 0),    WHOLE(bands, 129),    REAL(low_hz, -1),    REAL(low_hz, 7600)};
  struct arena *a = arena_new(0);
  struct err e;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct features_config c = config(1000);
    if (wrong[i].real)
      *(double *)(void *)((char *)&c + wrong[i].at) = wrong[i].value;
    else
      *(int *)(void *)((char *)&c + wrong[i].at) = (int)wrong[i].value;
    e = (struct err){0};
    assert_false(features_check(&c, &e));
    assert_string_equal(e.node, wrong[i].node);
  }
  struct features_config c = config(1000);
  c.noise_reduction = false;
  e = (struct err){0};
  assert_false(features_check(&c, &e));
  assert_string_equal(e.node, "pcan");
  arena_free(a);
}

/* Every byte of the parameters changed: refused, or harmless (the sanitizers watch). */
static void test_hostile_bytes(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct features_config c = config(100);
  const struct features_block b = build(a, &c);
  const struct mote_features *const f = b.parts[0].params;
  const int16_t *const x = sound(a, RATE);
  uint8_t *const bytes = arena_alloc(a, 1, f->bytes);
  int8_t *const out = arena_alloc(a, 1, b.out_bytes);
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes);
  const size_t from = (size_t)f->params_at, head = from + sizeof(struct mote_micro);
  int refused = 0;
  for (size_t at = from; at < f->bytes; at += at < head ? 1 : 37)
    for (int flip = 1; flip < 256; flip *= 2) {
      memcpy(bytes, f, f->bytes);
      bytes[at] ^= (uint8_t)flip;
      struct mote_features *const g = (void *)bytes;
      if (mote_features_check(g, f->bytes, b.parts[0].op) != MOTE_OK ||
          mote_features_scratch_bytes(g, b.parts[0].op) > b.scratch_bytes)
        refused++;
      else
        mote_features_run(g, b.parts[0].op, x, scratch, out);
    }
  assert_true(refused > 100);
  arena_free(a);
}

/* ---- on chips ---------------------------------------------------------------------- */

static void same_on_chip(const char *name) {
  static const char *const sources[] = {"mote/dsp/micro.c",    "mote/dsp/finish32.c",
                                        "mote/dsp/features.c", "mote/dsp/math.c",
                                        "mote/base/signal.c",  "mote/base/fixed.c"};
  struct arena *a = arena_new(0);
  const struct features_config c = config(1000);
  const struct features_block b = build(a, &c);
  const int16_t *const x = sound(a, RATE);
  chip_blocks(a, name, sources, sizeof sources / sizeof *sources, &b, &x, 1, 0);
  arena_free(a);
}

CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_the_model), cmocka_unit_test(test_noise_and_gain),
      cmocka_unit_test(test_refusals), cmocka_unit_test(test_hostile_bytes), CHIP_TEST_LIST};
  return cmocka_run_group_tests_name("micro", tests, NULL, NULL);
}
