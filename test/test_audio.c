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
#include "test/shared.h"
#include "test/snr.h"

/* Of all outputs, on every machine and in every profile. */
#define CHIP_CRC 0x88e5e6fd

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
  struct snr snr = {0};
  for (size_t i = 0; i < b.out_bytes; i++) {
    const double value = json_number_value(json_array_get(want, i));
    worst = fmax(worst, fabs(got[i] - value));
    snr_add(&snr, value, got[i]);
    const double low = (double)b.scale * (-128 - b.zp), high = (double)b.scale * (127 - b.zp);
    coarse = fmax(coarse, fabs((double)b.scale * (q[i] - b.zp) - fmin(fmax(value, low), high)));
  }
  print_message("%s: %zu values, furthest from the reference %.5f; as int8 %.5f in steps of %.5f; "
                "SNR %.0f dB\n",
                name, b.out_bytes, worst, coarse, (double)b.scale, snr_db(&snr));
  assert_true(snr_db(&snr) > 40);
  assert_true(worst < 0.006);
  assert_true(coarse < (double)b.scale * 0.51 + 0.006);
  json_decref(file);
  arena_free(a);
}

static void test_values_of_edge_impulse(void **state) {
  (void)state;
  if (!shared_unpacked("golden/features-edge-impulse data/acquisition-formats")) skip();
  compare("mfe", FEATURES_MFE);
  compare("mfcc", FEATURES_MFCC);
  compare("spectrogram", FEATURES_SPECTROGRAM);
}

/* ---- streams --------------------------------------------------------------------- */

/* Everything that a kind may be: rows of a stream, after the window's last hop and a few windows later, are those of the
 * window that ends there. */
static void stream_is_window(const struct features_config *c) {
  struct arena *a = arena_new(0);
  const struct features_block b = build(a, c);
  const struct mote_features *const f = b.parts[0].params;
  const struct mote_features_op *const op = b.parts[0].op;
  struct rng r;
  rng_seed(&r, 9);
  const int late = (f->frame + f->hop - 1) / f->hop * f->hop - f->frame; /* steps of the last hop */
  const int hops = f->rows + 7 + (f->frame + f->hop - 1) / f->hop;
  int16_t *const x = ARENA_ARRAY(a, int16_t, ((size_t)(hops * f->hop) + f->window) * f->stride);
  for (size_t i = 0; i < (size_t)(hops * f->hop) * f->stride; i++)
    x[i] = (int16_t)((int32_t)(rng_u32(&r) >> 19) - 4096 + (int32_t)(i * i / 99 % 7000));
  void *const memory = malloc(mote_features_stream_bytes(f, op));
  int8_t *const got = arena_alloc(a, 1, b.out_bytes), *const want = arena_alloc(a, 1, b.out_bytes);
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes + 4);
  int full = 0;
  mote_features_stream_begin(f, op, memory);
  for (int h = 0; h < hops; h++) {
    if (!mote_features_stream_push(f, op, memory, x + (size_t)(h * f->hop) * f->stride)) continue;
    /* The window whose last frame ends `late` steps before the hop's end. */
    const int end = (h + 1) * f->hop - late, start = end - (f->rows - 1) * f->hop - f->frame;
    mote_features_stream_finish(f, op, memory, got);
    features_run(&b, x + (size_t)start * f->stride, scratch, want);
    const size_t from = op->prime ? f->columns : 0; /* the first row knows what came before */
    if (memcmp(got + from, want + from, b.out_bytes - from) != 0)
      fail_msg("%s: the stream differs after hop %d", features_kind_name(c->kind), h);
    full++;
  }
  assert_int_equal(full, 9);
  print_message("%s: a stream takes %zu bytes, a window %zu and its samples %u\n",
                features_kind_name(c->kind), mote_features_stream_bytes(f, op), b.scratch_bytes,
                2 * f->window * f->stride);
  free(memory);
  arena_free(a);
}

static void test_streams_are_windows(void **state) {
  (void)state;
  static const struct {
    enum features_kind kind;
    double rate_hz, window_ms;
    int channels;
  } of[] = {{FEATURES_LOGMEL, 16000, 1000, 1},    {FEATURES_MFCC, 8000, 1000, 1},
            {FEATURES_SPECTRUM, 200, 2000, 3},    {FEATURES_STATISTICS, 100, 2000, 3},
            {FEATURES_RAW, 50, 2000, 6},          {FEATURES_MFE, 16000, 1000, 1},
            {FEATURES_SPECTROGRAM, 16000, 400, 1}};
  struct features_config c;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    features_defaults(of[i].kind, of[i].rate_hz, of[i].channels, of[i].window_ms, &c, NULL);
    stream_is_window(&c);
  }
  features_defaults(FEATURES_LOGMEL, 16000, 1, 500, &c, NULL);
  c.hop_ms = 13; /* a frame is no whole number of hops */
  stream_is_window(&c);
  c.normalise = FEATURES_NORMALISE_NONE, c.range_db = 0; /* rows that are alone */
  stream_is_window(&c);
  c.values = FEATURES_BANDS_LEVEL | FEATURES_BANDS_FLATNESS; /* two planes */
  stream_is_window(&c);
  c.normalise = FEATURES_NORMALISE_MEAN;
  stream_is_window(&c);
  features_defaults(FEATURES_FLATTEN, 100, 3, 2000, &c, NULL); /* of four bytes */
  c.frame_ms = 400, c.hop_ms = 200;
  stream_is_window(&c);
}

/* Rows that need nothing of each other are kept as int8; those that are not there yet count as 0 all the same. */
static void test_rows_alone(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  features_defaults(FEATURES_LOGMEL, 16000, 1, 500, &c, NULL);
  const struct mote_features *f = build(a, &c).parts[0].params;
  assert_false(mote_features_rows_alone(f));
  assert_true(mote_features_stream_rows_bytes(f) == mote_features_rows_bytes(f));
  c.normalise = FEATURES_NORMALISE_NONE, c.range_db = 0;
  const struct features_block b = build(a, &c);
  const struct mote_features_op *const op = b.parts[0].op;
  f = b.parts[0].params;
  assert_true(mote_features_rows_alone(f));
  assert_int_equal(mote_features_stream_rows_bytes(f), 2 * f->columns + f->rows * f->columns);
  int16_t *const zeros = ARENA_ARRAY(a, int16_t, f->rows * f->columns);
  int8_t *const got = arena_alloc(a, 1, b.out_bytes), *const want = arena_alloc(a, 1, b.out_bytes);
  void *const memory = arena_alloc(a, mote_features_stream_bytes(f, op), 4);
  memset(zeros, 0, 2 * b.out_bytes);
  mote_features_finish(f, op, zeros, want);
  mote_features_stream_begin(f, op, memory);
  mote_features_stream_finish(f, op, memory, got);
  assert_memory_equal(got, want, b.out_bytes);
  arena_free(a);
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
      "mote/dsp/sliding.c", "mote/dsp/spectrogram.c", "mote/isa/fft.c",      "mote/base/fixed.c"};
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

/* A second of samples, hop by hop, through the emitted functions. */
static void stream_on_cortex_m4(bool alone) {
  const struct emulate_target *target;
  struct emulate_program program;
  struct emulate_result r;
  struct arena *a = arena_new(0);
  struct features_config c;
  struct err e = {0};
  char *dir;
  assert_true(emulate_find_target(a, "cortex-m4", &target, &e));
  if (!emulate_can_build(target) || !emulate_can_run(target)) skip();
  features_defaults(FEATURES_LOGMEL, 16000, 1, 1000, &c, NULL);
  if (alone) c.normalise = FEATURES_NORMALISE_NONE, c.range_db = 0;
  const struct features_block b = build(a, &c);
  const int hops = (int)(b.parts[0].params->rows + 1);
  int16_t *const x = ARENA_ARRAY(a, int16_t, hops * b.parts[0].params->hop);
  memcpy(x, samples_of(a, &b, 3), 2 * (size_t)b.window_samples);
  int8_t *const want = arena_alloc(a, 1, b.out_bytes);
  features_run(&b, x, arena_alloc(a, 1, b.scratch_bytes + 4), want);
  const char *sources[64] = {"mote/dsp/bands.c",    "mote/dsp/features.c", "mote/dsp/fft.c",
                             "mote/dsp/finish16.c", "mote/dsp/math.c",     "mote/dsp/stream.c",
                             "mote/isa/fft.c"};
  const int n = chip_headers(a, sources, 7, 64);
  struct text model, text;
  text_init(&model, a);
  text_init(&text, a);
  features_emit_c(&b, "ears", &model);
  text_printf(
      &model,
      "static int16_t in[%d];\nstatic int8_t out[%zu];\n"
      "static uint32_t memory[EARS_STREAM_BYTES / 4];\n"
      "#include \"firmware/harness/program.h\"\n"
      "static struct mote_model m;\nstatic struct mote_plan p;\n"
      "int program_open(void) { m.plan = &p; return 0; }\n"
      "struct mote_model *program_model(void) { return &m; }\n"
      "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n"
      "void program_network(void) {}\n"
      "void program_features(void) {\n  ears_begin(memory);\n"
      "  for (int h = 0; h < %d; h++)\n"
      "    if (ears_push(memory, in + h * EARS_HOP)) { ears_finish(memory, out); return; }\n"
      "}\n"
      "void *program_input(unsigned i, uint32_t *n) { *n = sizeof in; return i ? 0 : in; }\n"
      "const void *program_output(unsigned i, uint32_t *n) {\n"
      "  *n = sizeof out;\n  return i ? 0 : out;\n}\n",
      hops * b.parts[0].params->hop, b.out_bytes, hops);
  text_add(&text, "int nothing_else;\n");
  const struct emulate_options o = {.inputs = x,
                                    .input_bytes = 2 * (size_t)(hops * b.parts[0].params->hop),
                                    .count = 1,
                                    .count_instructions = true,
                                    .timeout_s = 120};
  assert_true(dir_temporary(a, &dir, &e));
  const bool ok = emulate_project(a, dir, "stream", "model", target, sources, n, NULL, 0, 0, &e) &&
                  file_write(arena_printf(a, "%s/model.c", dir), model.data, model.size, &e) &&
                  file_write(arena_printf(a, "%s/program.c", dir), text.data, text.size, &e) &&
                  emulate_build(a, dir, target, &program, &e) &&
                  emulate_run(a, &program, &o, &r, &e);
  dir_remove(dir);
  if (!ok) fail_msg("%s", e.text);
  assert_int_equal(r.output_bytes, b.out_bytes);
  assert_memory_equal(r.outputs, want, b.out_bytes);
  arena_free(a);
}

static void test_stream_on_cortex_m4(void **state) {
  (void)state;
  stream_on_cortex_m4(false);
  stream_on_cortex_m4(true);
}

CHIP_TESTS(same_on_chip)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_of_edge_impulse),
      cmocka_unit_test(test_streams_are_windows),
      cmocka_unit_test(test_rows_alone),
      cmocka_unit_test(test_stream_on_cortex_m4),
      CHIP_TEST_LIST,
  };
  return cmocka_run_group_tests_name("audio", tests, NULL, NULL);
}
