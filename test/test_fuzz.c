/* Hostile streams: every reader of bytes takes or refuses all prefixes and 10,000 mutations of a valid stream.
 * Run under the asan and ubsan profiles it proves that nothing is read or computed outside its bounds.
 *
 *   test_fuzz                 the tests
 *   test_fuzz READER FILE     reads one file again, as left behind by a crash
 *   MOTE_FUZZ_CASES=200000 MOTE_FUZZ_SEED=2 test_fuzz      a longer search, over other cases
 *   MOTE_FUZZ_OPERATOR=GATHER test_fuzz                    of the models in test/golden, this operator's alone
 *
 * A new reader is a row in `readers`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/compile/compile.h"
#include "host/import/import.h"
#include "host/ingest/ingest.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/models.h"
#include "test/shared.h"
#include "test/fuzz/tflite_writer.h"

#define MEMORY ((size_t)48 << 20) /* of one case; running out would end the process */

/* ---- graphs ------------------------------------------------------------------------ */
/* How many steps an evaluation takes, roughly. */
static int64_t work_of(const struct graph *g) {
  int64_t work = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const int64_t out = graph_elements(&g->tensors[n->out[0]]);
    const bool pool = n->op == MOTE_OP_AVERAGE_POOL_2D || n->op == MOTE_OP_MAX_POOL_2D;
    work += graph_macs(g, i) + out + graph_elements(&g->tensors[n->in[0]]);
    if (pool) work += out * n->attrs.kernel_h * n->attrs.kernel_w;
  }
  return work;
}

/* What was taken must hold its promise: check, print, save, and evaluate where that is quick. */
static bool use_graph(const struct graph *g, struct arena *a, struct err *e) {
  struct text t;
  text_init(&t, a);
  graph_print(g, &t);
  if (!graph_check(g, e)) return false;
  if (!graph_can_evaluate(g) || work_of(g) > 400000) return true;
  const void **inputs = ARENA_ARRAY(a, const void *, g->n_inputs);
  const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
  for (int i = 0; i < g->n_inputs; i++) {
    const size_t bytes = graph_bytes(&g->tensors[g->inputs[i]]);
    if (bytes > (size_t)1 << 20) return true;
    inputs[i] = arena_alloc(a, bytes, 1);
  }
  return graph_evaluate(g, inputs, a, values, e);
}

static bool read_tflite(const uint8_t *bytes, size_t n, struct err *e) {
  struct arena *a = arena_new(MEMORY);
  const struct graph *g = import_tflite(a, "fuzz", bytes, n, e);
  const bool taken = g && use_graph(g, a, e);
  arena_free(a);
  return taken;
}

static void seed_tflite(struct arena *a, uint8_t **bytes, size_t *n) {
  const size_t room = 1 << 16;
  *bytes = ARENA_ARRAY(a, uint8_t, room);
  *n = tflite_write(tflite_from_graph(a, model_with_all_operators(a)), *bytes, room);
}

static bool read_graph(const uint8_t *bytes, size_t n, struct err *e) {
  struct arena *a = arena_new(MEMORY);
  const struct graph *g = graph_load(a, "fuzz", bytes, n, e);
  const bool taken = g && use_graph(g, a, e);
  arena_free(a);
  return taken;
}

/* With length and checksum made right, so that mutations reach what lies behind them. */
static bool read_graph_repaired(const uint8_t *bytes, size_t n, struct err *e) {
  if (n < 16) return read_graph(bytes, n, e);
  uint8_t *copy = malloc(n);
  const uint32_t size = (uint32_t)n, crc = mote_crc32(0, bytes + 16, n - 16);
  memcpy(copy, bytes, n);
  memcpy(copy + 8, &size, 4);
  memcpy(copy + 12, &crc, 4);
  const bool taken = read_graph(copy, n, e);
  free(copy);
  return taken;
}

static void seed_graph(struct arena *a, uint8_t **bytes, size_t *n) {
  graph_save(model_with_all_operators(a), a, bytes, n);
}

/* ---- plans ------------------------------------------------------------------------- */
/* Opens and, where it is quick, runs a plan at an aligned address that ends where its block ends. */
static bool read_plan(const uint8_t *bytes, size_t n, bool repair, struct err *e) {
  uint8_t *block = NULL;
  if (posix_memalign((void **)&block, 64, n ? n : 1) != 0) abort();
  memcpy(block, bytes, n);
  struct mote_plan *plan = (struct mote_plan *)(void *)block;
  if (repair && n >= sizeof *plan) {
    plan->bytes = (uint32_t)n;
    plan->crc32 = 0;
    plan->crc32 = mote_crc32(0, block, n);
  }
  enum mote_status status = mote_check(block, n);
  if (status == MOTE_OK) {
    const size_t arena_bytes = mote_arena_bytes(plan);
    uint8_t *arena = NULL;
    struct mote_model model;
    if (arena_bytes < MEMORY &&
        posix_memalign((void **)&arena, 64, arena_bytes ? arena_bytes : 1) == 0) {
      memset(arena, 0, arena_bytes);
      status = mote_open(&model, block, n, arena, arena_bytes);
      unsigned long calls = 0;
      const struct mote_step *steps = mote_at(plan, (int32_t)plan->steps);
      for (unsigned i = 0; status == MOTE_OK && i < plan->n_steps; i++) calls += steps[i].calls;
      if (status == MOTE_OK && calls < 2000) mote_run(&model);
      free(arena);
    }
  }
  if (status != MOTE_OK) err_set(e, "%s", mote_status_text(status));
  free(block);
  return status == MOTE_OK;
}

static bool read_mote(const uint8_t *bytes, size_t n, struct err *e) {
  return read_plan(bytes, n, false, e);
}
static bool read_mote_repaired(const uint8_t *bytes, size_t n, struct err *e) {
  return read_plan(bytes, n, true, e);
}

static void seed_plan(struct arena *a, enum compile_schedule schedule, uint8_t **bytes, size_t *n) {
  const struct compile_options options = {.schedule = schedule};
  struct compiled *c = ARENA_NEW(a, struct compiled);
  struct err e = {0};
  if (!compile_graph(model_with_all_operators(a), &options, a, c, &e))
    fail_msg("%s: %s", e.node, e.text);
  *bytes = ARENA_ARRAY(a, uint8_t, c->plan_bytes);
  memcpy(*bytes, c->plan, c->plan_bytes);
  *n = c->plan_bytes;
}

static void seed_mote(struct arena *a, uint8_t **bytes, size_t *n) {
  seed_plan(a, COMPILE_AUTO, bytes, n);
}
static void seed_layers(struct arena *a, uint8_t **bytes, size_t *n) {
  seed_plan(a, COMPILE_LAYERS, bytes, n);
}
static void seed_stream(struct arena *a, uint8_t **bytes, size_t *n) {
  seed_plan(a, COMPILE_STREAM, bytes, n);
}

/* ---- recordings ---------------------------------------------------------------------- */
static char *folder; /* of the file that libsndfile and the table reader need */

static bool read_recording(const char *name, const uint8_t *bytes, size_t n, struct err *e) {
  struct arena *a = arena_new((size_t)512 << 20);
  const char *path = arena_printf(a, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb"); /* file_write would wait for the disk each time */
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  fclose(file);
  const struct ingest_options options = {0};
  struct ingest_recording *recordings;
  int count = 0;
  const bool taken = ingest_read(a, path, &options, &recordings, &count, e);
  arena_free(a);
  return taken;
}

static bool read_wav(const uint8_t *bytes, size_t n, struct err *e) {
  return read_recording("fuzz.wav", bytes, n, e);
}
static bool read_csv(const uint8_t *bytes, size_t n, struct err *e) {
  return read_recording("fuzz.csv", bytes, n, e);
}

/* 16-bit mono at 8 kHz, a tenth of a second. source: the RIFF WAVE format. */
static void seed_wav(struct arena *a, uint8_t **bytes, size_t *n) {
  static const uint8_t header[44] = {'R', 'I', 'F',  'F',  100, 6,   0,    0,    'W', 'A', 'V',
                                     'E', 'f', 'm',  't',  ' ', 16,  0,    0,    0,   1,   0,
                                     1,   0,   0x40, 0x1F, 0,   0,   0x80, 0x3E, 0,   0,   2,
                                     0,   16,  0,    'd',  'a', 't', 'a',  64,   6,   0,   0};
  *n = sizeof header + 1600;
  *bytes = ARENA_ARRAY(a, uint8_t, *n);
  memcpy(*bytes, header, sizeof header);
  for (size_t i = sizeof header; i < *n; i++) (*bytes)[i] = (uint8_t)(i * 37 % 61);
}

static void seed_csv(struct arena *a, uint8_t **bytes, size_t *n) {
  struct text t;
  text_init(&t, a);
  text_add(&t, "time,x,y\n");
  for (int i = 0; i < 40; i++) text_printf(&t, "%d,%.3f,%d\n", i * 10, 0.01 * i * i, 100 - i);
  *bytes = (uint8_t *)t.data;
  *n = t.size;
}

/* ---- a model of each operator ------------------------------------------------------------- */
/* Numbers of all tensors, or INT64_MAX / 2 where there are too many to try. */
static int64_t numbers_of(const struct graph *g) {
  int64_t sum = 0;
  for (int i = 0; i < g->n_tensors && sum < INT64_MAX / 4; i++)
    sum += graph_elements(&g->tensors[i]);
  for (int i = 0; i < g->n_nodes; i++)
    sum += graph_macs(g, i) < INT64_MAX / 4 ? graph_macs(g, i) / 16 : INT64_MAX / 4;
  return sum;
}

/* All the way: import, compile, open, run. */
static bool read_and_run(const uint8_t *bytes, size_t n, struct err *e) {
  struct arena *a = arena_new((size_t)1 << 30);
  struct graph *g = import_tflite(a, "fuzz", bytes, n, e);
  bool taken = g != NULL;
  if (taken && numbers_of(g) < 40000) {
    static const struct compile_options options = {.schedule = COMPILE_STREAM};
    struct compiled c;
    taken = compile_graph(g, &options, a, &c, e);
    if (taken && !read_plan(c.plan, c.plan_bytes, false, e)) {
      err_internal(e, "a plan of the compiler is not opened");
      taken = false;
    }
  }
  arena_free(a);
  return taken;
}

static void seed_golden(struct arena *a, uint8_t **bytes, size_t *n) {
  struct err e = {0};
  if (!file_read(a, "test/golden/CONV_2D/int8.tflite", 1 << 20, bytes, n, &e))
    fail_msg("%s", e.text);
}

/* ---- the table -------------------------------------------------------------------------- */
static const struct fuzz_reader readers[] = {
    {"tflite", read_tflite, seed_tflite},
    {"graph", read_graph, seed_graph},
    {"graph-repaired", read_graph_repaired, seed_graph},
    {"mote", read_mote, seed_mote},
    {"mote-layers", read_mote_repaired, seed_layers},
    {"mote-stream", read_mote_repaired, seed_stream},
    {"golden", read_and_run, seed_golden},
    {"wav", read_wav, seed_wav},
    {"csv", read_csv, seed_csv},
};
#define READERS (sizeof readers / sizeof *readers)

static unsigned number_from(const char *name, unsigned otherwise) {
  const char *text = getenv(name);
  return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void hostile_streams_are_taken_or_refused(void **state) {
  const struct fuzz_reader *r = *state;
  struct arena *a = arena_new(0);
  struct fuzz_tally seed = {0}, prefixes = {0}, mutations = {0};
  uint8_t *bytes;
  size_t n;
  const unsigned cases = number_from("MOTE_FUZZ_CASES", 10000);
  fuzz_watch();
  r->seed(a, &bytes, &n);
  assert_true(fuzz_case(r, bytes, n, &seed));
  assert_int_equal(seed.taken, 1); /* the stream is valid, or nothing below means anything */
  assert_true(fuzz_prefixes(r, bytes, n, 20000, &prefixes));
  assert_true(fuzz_mutations(r, bytes, n, cases, number_from("MOTE_FUZZ_SEED", 1), &mutations));
  print_message("%s, %zu bytes: of %zu prefixes %lu, of %u mutations %lu were taken\n", r->name, n,
                n, prefixes.taken, cases, mutations.taken);
  assert_true(mutations.refused > 0);
  arena_free(a);
}

/* The bytes of real models, where they are at hand. */
static void real_models_are_taken_or_refused(void **state) {
  (void)state;
  static const char *const models[] = {"tflm/hello_world_int8.tflite",
                                       "mlperf_tiny/kws_ref_model.tflite",
                                       "mlperf_tiny/pretrainedResnet_quant.tflite"};
  if (!shared_unpacked("models/reference")) skip();
  struct arena *a = arena_new(0);
  struct err e = {0};
  fuzz_watch();
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    struct fuzz_tally tally = {0};
    uint8_t *bytes;
    size_t n;
    const char *path = arena_printf(a, "build/shared/models/reference/%s", models[i]);
    assert_true(file_read(a, path, (size_t)1 << 24, &bytes, &n, &e));
    assert_true(fuzz_prefixes(&readers[0], bytes, n, 4000, &tally));
    assert_true(fuzz_mutations(&readers[0], bytes, n, i == 0 ? 10000 : 1000, 7, &tally));
    print_message("%s: %lu taken, %lu refused\n", models[i], tally.taken, tally.refused);
  }
  arena_free(a);
}

/* The plan of a model of the folder; NULL where it has none. */
static const struct compiled *plan_of(struct arena *a, const uint8_t *bytes, size_t n) {
  static const struct compile_options options = {.schedule = COMPILE_AUTO};
  struct compiled *c = ARENA_NEW(a, struct compiled);
  struct err e = {0};
  struct graph *g = import_tflite(a, "fuzz", bytes, n, &e);
  return g && compile_graph(g, &options, a, c, &e) ? c : NULL;
}

/* One model of test/golden, and its plan, whose numbers no compiler has proven. */
static void one_golden_model(const char *path, unsigned cases, struct fuzz_tally *tally) {
  static const struct fuzz_reader model = {"golden", read_and_run, NULL},
                                  plan = {"mote-layers", read_mote_repaired, NULL};
  struct arena *a = arena_new((size_t)1 << 28);
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  const unsigned seed = number_from("MOTE_FUZZ_SEED", 1);
  assert_true(file_read(a, path, (size_t)1 << 20, &bytes, &n, &e));
  const struct compiled *c = plan_of(a, bytes, n);
  if (!fuzz_mutations(&model, bytes, n, cases, seed, tally) ||
      (c && !fuzz_mutations(&plan, c->plan, c->plan_bytes, cases, seed, tally)))
    fail_msg("%s", path);
  arena_free(a);
}

/* Every operator in every form that test/golden has. */
static void every_operator_is_safe(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct fuzz_tally tally = {0};
  char **folders, **names;
  int n_folders, n_names, models = 0;
  const unsigned cases = number_from("MOTE_FUZZ_CASES", 10000) / 400;
  const char *only = getenv("MOTE_FUZZ_OPERATOR");
  fuzz_watch();
  assert_true(dir_list(a, "test/golden", &folders, &n_folders, &e));
  for (int i = 0; i < n_folders; i++) {
    const char *path = arena_printf(a, "test/golden/%s", folders[i]);
    if (!file_is_dir(path) || (only && strcmp(only, folders[i]) != 0)) continue;
    assert_true(dir_list(a, path, &names, &n_names, &e));
    for (int k = 0; k < n_names; k++) {
      if (!text_ends(names[k], ".tflite")) continue;
      one_golden_model(arena_printf(a, "%s/%s", path, names[k]), cases, &tally);
      models++;
    }
  }
  print_message("%d models: %lu taken, %lu refused\n", models, tally.taken, tally.refused);
  assert_true(models > 0);
  arena_free(a);
}

int main(int argc, char **argv) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  if (access("/dev/shm", W_OK) == 0)
    setenv("TMPDIR", "/dev/shm", 0); /* tens of thousands of files */
  if (!dir_temporary(a, &folder, &e)) return 3;
  fuzz_prepare();
  if (argc == 3) return fuzz_replay(readers, READERS, argv[1], argv[2]);
  struct CMUnitTest tests[READERS + 2];
  for (size_t i = 0; i < READERS; i++)
    tests[i] = (struct CMUnitTest){
        arena_printf(a, "%s: hostile streams are taken or refused", readers[i].name),
        hostile_streams_are_taken_or_refused, NULL, NULL, (void *)(uintptr_t)&readers[i]};
  tests[READERS] = (struct CMUnitTest)cmocka_unit_test(real_models_are_taken_or_refused);
  tests[READERS + 1] = (struct CMUnitTest)cmocka_unit_test(every_operator_is_safe);
  const int failed = cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
  dir_remove(folder);
  arena_free(a);
  return failed;
}
