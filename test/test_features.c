/* host/features: words, defaults, refusals, blocks as bytes and as C, the map to int8, hostile bytes, and one
 * block on every chip. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/emulate/emulate.h"
#include "host/features/features.h"
#include "test/chip_headers.h"
#include "host/kit/kit.h"

/* A setting of each kind that a template would use. */
static const struct setting {
  enum features_kind kind;
  double rate_hz, window_ms;
  int channels;
} settings[] = {
    {FEATURES_LOGMEL, 16000, 1000, 1},  {FEATURES_MFCC, 8000, 1000, 1},
    {FEATURES_SPECTRUM, 200, 2000, 3},  {FEATURES_STATISTICS, 100, 2000, 3},
    {FEATURES_RAW, 50, 2000, 6},        {FEATURES_LOGMEL, 44100, 500, 2},
    {FEATURES_STATISTICS, 0.1, 3e5, 4}, {FEATURES_SPECTRUM, 20000, 100, 1},
    {FEATURES_SPECTRAL, 62.5, 2000, 3}, {FEATURES_FLATTEN, 10, 3000, 4},
    {FEATURES_WAVELET, 50, 2000, 2},    {FEATURES_MICRO, 16000, 1000, 1},
    {FEATURES_PITCH, 16000, 1000, 1},   {FEATURES_PITCH, 50, 8000, 3},
};
#define SETTINGS ((int)(sizeof settings / sizeof *settings))

static struct features_block build(struct arena *a, int i) {
  struct features_config c;
  struct features_block block;
  struct err e = {0};
  features_defaults(settings[i].kind, settings[i].rate_hz, settings[i].channels,
                    settings[i].window_ms, &c, NULL);
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("setting %d: %s: %s", i, e.node, e.text);
  return block;
}

/* Chirps, steps and noise: something in every band. */
static int16_t *samples_of(struct arena *a, const struct features_block *block, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed);
  const int n = block->window_samples * block->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  for (int i = 0; i < n; i++) {
    const uint32_t t = (uint32_t)(i / block->channels), noise = rng_u32(&r) >> 20;
    const uint32_t chirp = (t * t / 64) & 8191, step = t / 37 % 5 * 900;
    x[i] = (int16_t)((int32_t)(chirp + step + noise) - 6000 + 200 * (i % block->channels));
  }
  return x;
}

static void test_words(void **state) {
  (void)state;
  for (int k = 0; k < FEATURES_KIND_COUNT; k++) {
    enum features_kind back;
    assert_true(features_kind_from(features_kind_name((enum features_kind)k), &back));
    assert_int_equal(back, k);
    assert_true(strlen(features_kind_text((enum features_kind)k)) > 10);
  }
  for (int k = 0; k < FEATURES_NORMALISE_COUNT; k++) {
    enum features_normalise back;
    assert_true(
        features_normalise_from(features_normalise_name((enum features_normalise)k), &back));
    assert_int_equal(back, k);
  }
  enum features_kind kind;
  assert_false(features_kind_from("mel", &kind));
  assert_false(features_kind_from(NULL, &kind));
}

/* Defaults are accepted wherever a window makes sense, and give their reason. */
static void test_defaults_build(void **state) {
  (void)state;
  static const double rates[] = {0.02, 1,    20,    52,    100,   360,   1000,
                                 4000, 8000, 11025, 16000, 22050, 44100, 48000};
  static const double seconds[] = {0.1, 0.5, 1, 2, 10, 600};
  int built = 0;
  for (int kind = 0; kind < FEATURES_KIND_COUNT; kind++)
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
      for (size_t s = 0; s < sizeof seconds / sizeof *seconds; s++) {
        const double samples = rates[i] * seconds[s];
        if (samples < (kind <= FEATURES_MFCC       ? 0.05 * rates[i]
                       : kind == FEATURES_SPECTRUM ? 16
                       : kind == FEATURES_SPECTRAL ? 4
                       : kind == FEATURES_WAVELET  ? 2
                       : kind == FEATURES_PITCH    ? 64
                                                   : 1))
          continue;
        if ((kind <= FEATURES_MFCC || kind == FEATURES_MFE || kind == FEATURES_SPECTROGRAM ||
             kind == FEATURES_MICRO) &&
            rates[i] < 4000)
          continue; /* no speech there */
        if (kind == FEATURES_HEART && (rates[i] < 30 || rates[i] > 5000 || seconds[s] < 2))
          continue; /* no beats there */
        if (samples > (kind == FEATURES_RAW ? 65535 : kind == FEATURES_IMAGE ? 255 : 500000))
          continue;
        struct arena *a = arena_new(0);
        struct features_config c;
        struct features_block block;
        struct err e = {0};
        struct text why;
        text_init(&why, a);
        features_defaults((enum features_kind)kind, rates[i], 1, 1000 * seconds[s], &c, &why);
        if (!features_build(&c, 1, a, &block, &e))
          fail_msg("%s at %g Hz, %g s: %s: %s", features_kind_name(c.kind), rates[i], seconds[s],
                   e.node, e.text);
        assert_true(why.size > 40);
        assert_int_equal(block.out_bytes, block.dims[0] * block.dims[1] * block.dims[2]);
        built++;
        arena_free(a);
      }
  assert_true(built > 150);
}

/* Each wrong number is refused by its name. */
static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *field;
    size_t at;
    int is_double;
    double value;
  } wrong[] = {
#define REAL(name, v) {#name, offsetof(struct features_config, name), 1, v}
#define WHOLE(name, v)                                                                             \
  { #name, offsetof(struct features_config, name), 0, v }
      REAL(rate_hz, 0),      REAL(rate_hz, -1),
      REAL(rate_hz, 1e7),    WHOLE(channels, 0),
      WHOLE(channels, 300),  REAL(window_ms, 0),
      REAL(window_ms, 1e12), REAL(frame_ms, -1),
      REAL(frame_ms, 0.01),  REAL(frame_ms, 2000),
      REAL(hop_ms, -2),      REAL(hop_ms, 0.01),
      WHOLE(fft_size, 500),  WHOLE(fft_size, 256),
      WHOLE(fft_size, 8192), WHOLE(fft_size, 0),
      WHOLE(bands, 0),       WHOLE(bands, 100000),
      WHOLE(bands, 200),     REAL(low_hz, -1),
      REAL(low_hz, 9000),    REAL(range_db, -1),
      REAL(range_db, 500),   REAL(floor_db, 100),
      WHOLE(normalise, 7),   WHOLE(kind, FEATURES_KIND_COUNT),
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct arena *a = arena_new(0);
    struct features_config c;
    struct features_block block;
    struct err e = {0};
    features_defaults(FEATURES_LOGMEL, 16000, 1, 1000, &c, NULL);
    assert_true(features_check(&c, &e));
    if (wrong[i].is_double)
      *(double *)(void *)((char *)&c + wrong[i].at) = wrong[i].value;
    else
      *(int *)(void *)((char *)&c + wrong[i].at) = (int)wrong[i].value;
    if (features_build(&c, 1, a, &block, &e))
      fail_msg("%s = %g was taken", wrong[i].field, wrong[i].value);
    if (strcmp(e.node, wrong[i].field) != 0)
      fail_msg("%s blamed for %s: %s", e.node, wrong[i].field, e.text);
    assert_true(strlen(e.text) > 10 && !e.internal);
    arena_free(a);
  }
  struct features_config c;
  struct err e = {0};
  features_defaults(FEATURES_MFCC, 16000, 1, 1000, &c, NULL);
  c.range_db = 40;
  assert_false(features_check(&c, &e));
  c.range_db = 0, c.high_hz = NAN;
  assert_false(features_check(&c, &e));
}

/* Rows one at a time, then the last step, are the whole window. */
static void test_rows_make_the_window(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  for (int i = 0; i < SETTINGS; i++) {
    const struct features_block block = build(a, i);
    const struct mote_features *const f = block.parts[0].params;
    const struct mote_features_op *const op = block.parts[0].op;
    const int16_t *const x = samples_of(a, &block, 7);
    int8_t *whole = ARENA_ARRAY(a, int8_t, block.out_bytes),
           *pieces = ARENA_ARRAY(a, int8_t, block.out_bytes);
    uint8_t *rows = arena_alloc(a, block.out_bytes, f->cell_bytes);
    features_run(&block, x, arena_alloc(a, 1, block.scratch_bytes + 4), whole);
    /* A frame alone in its own memory: a read beyond it is an error under asan. */
    const size_t frame = (size_t)f->frame * f->channels;
    int16_t *alone = malloc(frame * sizeof *alone);
    void *scratch = malloc(mote_features_row_scratch_bytes(f, op) + 1);
    mote_features_begin(f, op, scratch);
    for (size_t r = 0; r < f->rows; r++) {
      memcpy(alone, x + r * f->hop * f->channels, frame * sizeof *alone);
      mote_features_row(f, op, alone, scratch, rows + r * f->columns * f->cell_bytes);
    }
    mote_features_finish(f, op, rows, pieces);
    assert_memory_equal(whole, pieces, block.out_bytes);
    free(alone);
    free(scratch);
  }
  arena_free(a);
}

/* After fitting, values fill int8 and are about standardised; the block stays valid; the same twice. */
static void test_fit(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  for (int i = 0; i < SETTINGS; i++) {
    struct features_block block = build(a, i), again = build(a, i);
    struct err e = {0};
    const int16_t *windows[20];
    for (uint64_t w = 0; w < 20; w++) windows[w] = samples_of(a, &block, w);
    assert_false(features_fit(&block, a, windows, 0, &e));
    assert_true(features_fit(&block, a, windows, 20, &e));
    assert_true(features_alike(&block, &again)); /* but for the map */
    assert_true(features_fit(&again, a, windows, 20, &e));
    assert_int_equal(block.bytes, again.bytes);
    assert_memory_equal(block.data, again.data, block.bytes);
    for (int k = 0; k < SETTINGS; k++) {
      const struct features_block other = build(a, k);
      assert_int_equal(features_alike(&block, &other), k == i);
    }
    assert_int_equal(mote_features_check(block.parts[0].params, block.bytes - 8, block.parts[0].op),
                     MOTE_OK);
    int8_t *q = ARENA_ARRAY(a, int8_t, block.out_bytes);
    void *scratch = arena_alloc(a, 1, block.scratch_bytes + 4);
    double sum = 0, squares = 0, n = 0, clipped = 0;
    for (int w = 0; w < 20; w++) {
      features_run(&block, windows[w], scratch, q);
      for (size_t k = 0; k < block.out_bytes; k++) {
        const double z = (double)block.scale * (q[k] - block.zp);
        sum += z, squares += z * z, n++;
        clipped += q[k] == 127 || q[k] == -128;
      }
    }
    assert_true(fabs(sum / n) < 0.1);
    assert_true(squares / n < 1.2); /* constant columns have no spread */
    assert_true(clipped / n < 0.02);
  }
  arena_free(a);
}

static void test_place(void **state) {
  (void)state;
  int16_t out[20], in[40] = {0};
  for (int i = 0; i < 6; i++) in[i] = (int16_t)(i + 1);
  features_place(in, 3, 2, 10, out); /* 3 pairs in 10: 3 before, 4 behind */
  for (int i = 0; i < 20; i++) assert_int_equal(out[i], i >= 6 && i < 12 ? i - 5 : 0);
  features_place(in, 0, 1, 20, out);
  for (int i = 0; i < 20; i++) assert_int_equal(out[i], 0);
  for (int at = 0; at < 40; at++) { /* an impulse lands in the middle, unless the recording ends */
    memset(in, 0, sizeof in);
    in[at] = 1000;
    features_place(in, 40, 1, 20, out);
    int found = -1;
    for (int i = 0; i < 20; i++) found = out[i] == 1000 ? i : found;
    if (at < 10)
      assert_int_equal(found, at);
    else if (at > 30)
      assert_int_equal(found, at - 20);
    else
      assert_in_range(found, 8, 12);
  }
  features_place(in, 20, 1, 20, out); /* exactly the window */
  assert_memory_equal(in, out, sizeof out);
}

/* The emitted C, compiled as C99 with warnings as errors, has the block's bytes. */
static void test_emitted_c_has_the_bytes(void **state) {
  (void)state;
  if (!process_exists("cc")) skip();
  struct arena *a = arena_new(0);
  struct err e = {0};
  char *dir, *home;
  assert_true(dir_temporary(a, &dir, &e));
  assert_true(mote_home(a, &home, &e));
  struct text source;
  text_init(&source, a);
  text_add(&source, "#include <stdio.h>\n");
  for (int i = 0; i < SETTINGS; i++) {
    const struct features_block block = build(a, i);
    features_emit_c(&block, arena_printf(a, "block%d", i), &source);
  }
  text_add(&source, "int main(void) {\n");
  for (int i = 0; i < SETTINGS; i++)
    text_printf(&source, "fwrite(&block%d, sizeof block%d, 1, stdout);\n", i, i);
  text_add(&source, "return BLOCK0_WINDOW == 16000 ? 0 : 1; }\n");
  const char *const file = arena_printf(a, "%s/block.c", dir);
  const char *const program = arena_printf(a, "%s/block", dir);
  assert_true(file_write(file, source.data, source.size, &e));
  const char *const compile[] = {
      "sh",
      "-c",
      "cc -std=c99 -pedantic -Wall -Wextra -Werror -Wconversion -Wmissing-prototypes -I \"$1\" "
      "-o \"$2\" \"$3\" \"$1\"/mote/dsp/*.c \"$1\"/mote/isa/fft.c \"$1\"/mote/base/*.c",
      "sh",
      home,
      program,
      file,
      NULL};
  struct process_result r;
  assert_true(process_run(a, NULL, compile, 60, &r, &e));
  if (r.exit_code != 0) fail_msg("%s", r.err);
  const char *const run[] = {program, NULL};
  assert_true(process_run(a, NULL, run, 10, &r, &e));
  assert_int_equal(r.exit_code, 0);
  size_t at = 0;
  for (int i = 0; i < SETTINGS; i++) {
    const struct features_block block = build(a, i);
    assert_true(at + block.parts[0].params->bytes <= r.out_size);
    assert_memory_equal(r.out + at, block.parts[0].params, block.parts[0].params->bytes);
    at += block.parts[0].params->bytes;
  }
  assert_int_equal(at, r.out_size);
  dir_remove(dir);
  arena_free(a);
}

/* Runs a block that the check let through, in memory of exactly the sizes that it names. */
static void run_exactly(const struct features_block *block) {
  if (block->window_samples > 1 << 18 || block->out_bytes > 1 << 18) return; /* legal, only slow */
  const size_t n = (size_t)block->window_samples * (size_t)block->channels;
  const size_t words = features_window_words(block);
  if (words > 1 << 20) return;
  int16_t *x = malloc(words * sizeof *x);
  void *scratch = malloc(block->scratch_bytes + 1);
  int8_t *out = malloc(block->out_bytes);
  for (size_t i = 0; i < n; i++) x[i] = (int16_t)(i * 40503u >> (i & 3));
  features_neutral_map(block, x + n);
  features_run(block, x, scratch, out);
  free(x);
  free(scratch);
  free(out);
}

/* Two parts over one window, one of them reading a single channel: each part's values, one behind the other. */
static void test_parts_follow_each_other(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c[2];
  struct features_block both, opened, alone;
  features_defaults(FEATURES_SPECTRUM, 100, 3, 2000, &c[0], NULL);
  features_defaults(FEATURES_STATISTICS, 100, 1, 2000, &c[1], NULL);
  c[1].stride = 3;
  c[1].select[0] = 2;
  assert_true(features_build(c, 2, a, &both, &e));
  assert_int_equal(both.n_parts, 2);
  assert_int_equal(both.channels, 3);
  assert_int_equal(both.dims[0] * both.dims[1], 1);
  assert_int_equal(both.dims[2], both.out_bytes);
  const int16_t *const x = samples_of(a, &both, 5);
  const int16_t *windows[] = {x};
  assert_true(features_fit(&both, a, windows, 1, &e));
  assert_true(features_open(both.data, both.bytes, a, &opened, &e));
  int8_t *const q = arena_alloc(a, 1, both.out_bytes);
  features_run(&opened, x, arena_alloc(a, 1, both.scratch_bytes + 4), q);
  /* The second part alone, over a copy of its channel. */
  int16_t *const third = ARENA_ARRAY(a, int16_t, both.window_samples);
  for (int t = 0; t < both.window_samples; t++) third[t] = x[3 * t + 2];
  c[1].stride = 0;
  assert_true(features_build(&c[1], 1, a, &alone, &e));
  const struct features_part one = alone.parts[0], two = both.parts[1];
  const size_t bytes = 2 * (size_t)one.params->columns;
  int16_t *const row = arena_alloc(a, 1, bytes), *const other = arena_alloc(a, 1, bytes);
  void *const scratch = arena_alloc(a, 1, alone.scratch_bytes + 4);
  mote_features_row(one.params, one.op, third, scratch, row);
  mote_features_row(two.params, two.op, x, scratch, other);
  assert_memory_equal(row, other, bytes);
  mote_features_finish(two.params, two.op, other, (int8_t *)row);
  assert_memory_equal(row, q + both.out_bytes - two.params->columns, two.params->columns);
  c[1].stride = 3;
  c[1].window_ms = 1000;
  assert_false(features_build(c, 2, a, &both, &e));
  c[1].select[0] = 3;
  assert_false(features_build(c, 2, a, &both, &e));
  arena_free(a);
}

/* Every prefix is refused; a mutated block is refused or runs within its memory. */
static void test_hostile_bytes(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 11);
  int taken = 0, refused = 0;
  for (int i = 0; i < 5; i++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct features_block opened;
    const struct features_block block = build(a, i);
    for (size_t n = 0; n < block.bytes; n++) {
      struct arena *small = arena_new(0);
      assert_false(features_open(block.data, n, small, &opened, &e));
      arena_free(small);
    }
    assert_true(features_open(block.data, block.bytes, a, &opened, &e));
    assert_memory_equal(opened.data, block.data, block.bytes);
    uint8_t *const bytes = malloc(block.bytes);
    for (int trial = 0; trial < 2000; trial++) {
      struct arena *small = arena_new(0);
      memcpy(bytes, block.data, block.bytes);
      const uint32_t hits = 1 + rng_below(&r, 4);
      for (uint32_t h = 0; h < hits; h++) {
        /* The head is small and matters most: half of the hits. */
        const uint32_t room =
            rng_u32(&r) & 1 ? (uint32_t)sizeof(struct mote_features) : (uint32_t)block.bytes;
        bytes[rng_below(&r, room)] =
            (uint8_t)(rng_u32(&r) & 3 ? rng_u32(&r) : (rng_u32(&r) & 1 ? 0xFF : 0));
      }
      if (features_open(bytes, block.bytes, small, &opened, &e)) {
        taken++;
        if (trial % 8 == 0 || opened.window_samples < 2000) run_exactly(&opened);
      } else {
        refused++;
        assert_true(e.text[0]);
      }
      arena_free(small);
    }
    free(bytes);
    arena_free(a);
  }
  print_message("of 10000 mutated blocks %d were refused, %d ran within their memory\n", refused,
                taken);
  assert_true(refused > 1000 && taken > 100);
}

/* ---- chips ------------------------------------------------------------------ */

/* The emulator's harness runs all settings: the first as the features, the rest as "the network". */
static bool chip_project(struct arena *a, const char *dir, const struct emulate_target *target,
                         struct err *e) {
  const char *sources[64] = {"mote/dsp/bands.c",      "mote/dsp/fft.c", "mote/dsp/math.c",
                             "mote/dsp/statistics.c", "mote/dsp/raw.c", "mote/dsp/finish16.c",
                             "mote/dsp/features.c",   "mote/isa/fft.c", "mote/base/fixed.c"};
  const int n_sources = chip_headers(a, sources, 9, 64);
  assert_true(n_sources > 9);
  /* As `mote build` does: chips.mk gives the inner loops flags of their own. Without: not optimised. */
  const char *const hot = target->hot_flags[0] ? target->hot_flags : "-O0";
  struct emulate_flags flags[9];
  for (int i = 0; i < 9; i++) flags[i] = (struct emulate_flags){sources[i], hot};
  if (!emulate_project(a, dir, "features", "model", target, sources, n_sources, flags, 9, 0, e))
    return false;
  struct text blocks, program;
  text_init(&blocks, a);
  text_init(&program, a);
  text_add(&program, "#include \"firmware/harness/program.h\"\n#include \"mote/dsp/dsp.h\"\n"
                     "static struct mote_model m;\nstatic struct mote_plan p;\n"
                     "int program_open(void) { m.plan = &p; return 0; }\n"
                     "struct mote_model *program_model(void) { return &m; }\n"
                     "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n");
  size_t scratch = 0;
  for (int i = 0; i < 5; i++) {
    const struct features_block block = build(a, i);
    features_emit_c(&block, arena_printf(a, "block%d", i), &blocks);
    scratch = block.scratch_bytes > scratch ? block.scratch_bytes : scratch;
    text_printf(&program,
                "void block%d_run(const int16_t *samples, void *scratch, int8_t *out);\n"
                "static int16_t in%d[%d];\nstatic int8_t out%d[%zu];\n",
                i, i, block.window_samples * block.channels, i, block.out_bytes);
  }
  text_printf(&program, "static int32_t scratch[%zu];\n", scratch / 4);
  text_add(&program, "void *program_input(unsigned i, uint32_t *n) {\n  switch (i) {\n");
  for (int i = 0; i < 5; i++)
    text_printf(&program, "  case %d: *n = sizeof in%d; return in%d;\n", i, i, i);
  text_add(&program, "  }\n  return 0;\n}\n"
                     "const void *program_output(unsigned i, uint32_t *n) {\n  switch (i) {\n");
  for (int i = 0; i < 5; i++)
    text_printf(&program, "  case %d: *n = sizeof out%d; return out%d;\n", i, i, i);
  text_add(&program, "  }\n  return 0;\n}\n");
  for (int i = 0; i < 5; i++)
    text_printf(&program, "%s  block%d_run(in%d, scratch, out%d);%s\n",
                i == 0   ? "void program_features(void) {\n"
                : i == 1 ? "void program_network(void) {\n"
                         : "",
                i, i, i, i == 0 || i == 4 ? "\n}" : "");
  return file_write(arena_printf(a, "%s/model.c", dir), blocks.data, blocks.size, e) &&
         file_write(arena_printf(a, "%s/program.c", dir), program.data, program.size, e);
}

static void same_on_chip(const char *name) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  const struct emulate_target *target;
  if (!emulate_find_target(a, name, &target, &e)) fail_msg("%s", e.text);
  if (!emulate_can_build(target) || !emulate_can_run(target)) {
    print_message("%s: compiler or emulator absent\n", name);
    arena_free(a);
    skip();
  }
  /* Two inferences, seeded, each the samples of all settings. */
  struct text in, want;
  text_init(&in, a);
  text_init(&want, a);
  for (uint64_t seed = 1; seed <= 2; seed++)
    for (int i = 0; i < 5; i++) {
      const struct features_block block = build(a, i);
      const int16_t *const x = samples_of(a, &block, seed);
      int8_t *const out = ARENA_ARRAY(a, int8_t, block.out_bytes);
      features_run(&block, x, arena_alloc(a, 1, block.scratch_bytes + 4), out);
      text_addn(&in, (const char *)x, 2 * (size_t)block.window_samples * (size_t)block.channels);
      text_addn(&want, (const char *)out, block.out_bytes);
    }
  /* The same number on every machine and in every profile, or the meaning of a feature has changed. */
  assert_int_equal(mote_crc32(0, want.data, want.size), 0x4eb46628);
  char *dir;
  struct emulate_program program;
  struct emulate_result r;
  assert_true(dir_temporary(a, &dir, &e));
  const struct emulate_options o = {.inputs = in.data,
                                    .input_bytes = in.size / 2,
                                    .count = 2,
                                    .count_instructions = true,
                                    .timeout_s = 120};
  const bool ok = chip_project(a, dir, target, &e) && emulate_build(a, dir, target, &program, &e) &&
                  emulate_run(a, &program, &o, &r, &e);
  dir_remove(dir);
  if (!ok) fail_msg("%s: %s", name, e.text);
  assert_int_equal(2 * r.output_bytes, want.size);
  assert_memory_equal(r.outputs, want.data, want.size);
  if (!r.counted) {
    print_message("%s without optimisation: the same bits\n", name);
    arena_free(a);
    return;
  }
  const struct features_block block = build(a, 0);
  print_message(
      "%s: CRC %08x; 1 s at 16 kHz: %lld instructions, %lld a frame, %zu bytes of scratch, %lld of "
      "stack, %lld of code, %lld of five blocks\n",
      name, mote_crc32(0, want.data, want.size), (long long)r.features.instructions,
      (long long)r.features.instructions / block.parts[0].params->rows, block.scratch_bytes,
      (long long)r.stack_bytes, (long long)program.size.flash_code,
      (long long)program.size.flash_plan);
  for (int i = 0; i < r.n_functions && i < 8; i++)
    print_message("  %-24s %lld\n", r.functions[i].name,
                  (long long)r.functions[i].count.instructions);
  const int64_t most = !strcmp(name, "cortex-m0plus") ? 4150000
                       : !strcmp(name, "cortex-m55")  ? 2000000
                       : !strcmp(name, "rv32imc")     ? 2700000
                                                      : 1800000;
  assert_true(r.features.instructions < most);
  arena_free(a);
}

CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_defaults_build),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_rows_make_the_window),
      cmocka_unit_test(test_fit),
      cmocka_unit_test(test_place),
      cmocka_unit_test(test_emitted_c_has_the_bytes),
      cmocka_unit_test(test_parts_follow_each_other),
      cmocka_unit_test(test_hostile_bytes),
      CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
