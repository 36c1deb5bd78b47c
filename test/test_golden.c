/* golden: every operator of the reference, in every type that it takes, against the reference's own outputs
 * (test/golden/README.md), in every kind of plan; and the spine: what each row of ops.def must have.
 *
 *   build/host/test/test_golden [OPERATOR...]     only these folders
 *
 * One test for each folder of test/golden. A case fails where the model is refused, or where an output differs:
 * integers in any bit, float32 by more than 1e-5 of the output's largest magnitude. A model with an operator
 * that has no row in ops.def is skipped, visibly, if the importer refuses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "host/compile/compile.h"
#include "host/import/flatbuffer.h"
#include "host/import/import.h"
#include "host/import/tflite.h"
#include "test/golden.h"

#define DECODE    "TFLM_DECODE" /* has no row: the importer makes constants of it */
#define TOLERANCE 1e-5          /* of the largest magnitude of a float32 output */

static const struct {
  const char *name;
  int code;
  const struct tflite_reader *reader;
} ROWS[] = {
#define OP(name, tflite_code, text) {#name, tflite_code, &tflite_reader_##name},
#include "mote/base/ops.def"
#undef OP
};
enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

/* ---- one case ----------------------------------------------------------------- */
/* Whether every operator of the model has a row. Fields of the schema: Model.operator_codes 1; OperatorCode: old
 * code 0, custom name 1, code 3. */
static bool all_rows_exist(const struct golden *c) {
  struct err e = {0};
  struct flat f = {.p = c->model, .n = c->n_model, .e = &e};
  const struct flat_table root = flat_root(&f);
  const struct flat_vector codes = flat_vector_field(&f, &root, 1, 4);
  for (size_t i = 0; i < codes.count; i++) {
    const struct flat_table t = flat_table_at(&f, &codes, i);
    const int32_t old = flat_i8_field(&f, &t, 0, 0), new = flat_i32_field(&f, &t, 3, 0);
    const struct flat_vector custom = flat_vector_field(&f, &t, 1, 1);
    const int32_t code = new > old ? new : old;
    bool known =
        custom.count == strlen(DECODE) && memcmp(DECODE, c->model + custom.at, custom.count) == 0;
    for (int k = 0; k < N_ROWS && !known; k++) {
      const char *name = ROWS[k].reader->custom;
      known = custom.count == 0 ? ROWS[k].code == code && name == NULL
                                : name != NULL && strlen(name) == custom.count &&
                                      memcmp(name, c->model + custom.at, custom.count) == 0;
    }
    if (!known) return false;
  }
  return !f.bad;
}

/* The largest difference, in units of the largest magnitude; bits where either is not finite. */
static bool floats_agree(const uint8_t *want, const uint8_t *made, size_t n, double *worst) {
  double most = 0, apart = 0;
  for (size_t i = 0; i + 4 <= n; i += 4) {
    float w, m;
    memcpy(&w, want + i, 4);
    memcpy(&m, made + i, 4);
    if (!isfinite(w) || !isfinite(m)) {
      if (!(isnan(w) && isnan(m)) && memcmp(want + i, made + i, 4) != 0) return false;
      continue;
    }
    most = fmax(most, fabs((double)w));
    apart = fmax(apart, fabs((double)w - (double)m));
  }
  *worst = apart == 0 ? 0 : apart / most;
  return apart <= TOLERANCE * most;
}

static bool output_agrees(const struct golden *c, const char *plan, size_t k, int o,
                          const struct graph_tensor *t, const uint8_t *want, const uint8_t *made) {
  const size_t n = graph_bytes(t), size = mote_type_bytes((int)t->type);
  double worst = NAN;
  if (t->type == MOTE_FLOAT32 ? floats_agree(want, made, n, &worst) : !memcmp(want, made, n))
    return true;
  size_t at = 0, wrong = 0;
  for (size_t i = n; i >= size; i -= size)
    if (memcmp(want + i - size, made + i - size, size) != 0) at = i / size - 1, wrong++;
  print_error("%s/%s, %s, invocation %zu, output %d: %zu of %zu %s differ, the first is number %zu",
              c->op, c->name, plan, k, o, wrong, n / size, mote_type_name((int)t->type), at);
  if (t->type == MOTE_FLOAT32) {
    print_error(" (worst %g of the largest)\n", worst);
    return false;
  }
  int64_t values[2] = {0, 0}; /* little-endian, as everything here */
  memcpy(&values[0], want + at * size, size);
  memcpy(&values[1], made + at * size, size);
  const int unused = 64 - 8 * (int)size;
  for (int i = 0; i < 2; i++) values[i] = (int64_t)((uint64_t)values[i] << unused) >> unused;
  print_error(": %lld instead of %lld\n", (long long)values[1], (long long)values[0]);
  return false;
}

/* All invocations of a plan, its variables living from one to the next. */
static bool plan_agrees(const struct golden *c, const struct compiled *p, const char *plan) {
  const struct graph *g = p->source;
  const size_t n_in = golden_bytes(g, g->inputs, g->n_inputs),
               n_out = golden_bytes(g, g->outputs, g->n_outputs);
  struct mote_model m;
  uint8_t *arena = ARENA_ARRAY(c->arena, uint8_t, p->arena_bytes + 1);
  memset(arena, 0xA5, p->arena_bytes); /* what was there before is nobody's to read */
  if (n_out == 0 || c->n_out % n_out != 0 || c->n_in != c->n_out / n_out * n_in) {
    print_error("%s/%s: the importer's inputs take %zu bytes and its outputs %zu\n", c->op, c->name,
                n_in, n_out);
    return false;
  }
  const enum mote_status s = mote_open(&m, p->plan, p->plan_bytes, arena, p->arena_bytes);
  if (s != MOTE_OK) {
    print_error("%s/%s, %s: the plan does not open (%d)\n", c->op, c->name, plan, (int)s);
    return false;
  }
  const uint8_t *in = c->in, *want = c->out;
  for (size_t k = 0; k < c->n_out / n_out; k++) {
    for (int i = 0; i < g->n_inputs; i++) {
      const size_t n = graph_bytes(&g->tensors[g->inputs[i]]);
      memcpy(mote_input(&m, (unsigned)i), in, n);
      in += n;
    }
    mote_run(&m);
    for (int i = 0; i < g->n_outputs; i++) {
      const struct graph_tensor *t = &g->tensors[g->outputs[i]];
      if (!output_agrees(c, plan, k, i, t, want, mote_output(&m, (unsigned)i))) return false;
      want += graph_bytes(t);
    }
  }
  return true;
}

enum verdict { AGREES, DIFFERS, NO_ROW };

static enum verdict run_case(struct golden *c) {
  static const struct {
    const char *name;
    struct compile_options options;
  } PLANS[] = {{"default plan", {.schedule = COMPILE_AUTO}},
               {"layer by layer", {.schedule = COMPILE_LAYERS}},
               {"streamed", {.schedule = COMPILE_STREAM}}};
  struct err e = {0};
  if (!golden_read(c, &e)) {
    print_error("%s\n", e.text);
    return DIFFERS;
  }
  struct graph *g = import_tflite(c->arena, c->name, c->model, c->n_model, &e);
  if (g == NULL) {
    if (!all_rows_exist(c)) return NO_ROW;
    print_error("%s/%s is refused: %s: %s\n", c->op, c->name, e.node, e.text);
    return DIFFERS;
  }
  for (size_t k = 0; k < sizeof PLANS / sizeof *PLANS; k++) {
    struct compiled p;
    e = (struct err){0};
    if (!compile_graph(g, &PLANS[k].options, c->arena, &p, &e)) {
      print_error("%s/%s, %s: not compiled: %s: %s\n", c->op, c->name, PLANS[k].name, e.node,
                  e.text);
      return DIFFERS;
    }
    if (!plan_agrees(c, &p, PLANS[k].name)) return DIFFERS;
  }
  return AGREES;
}

/* ---- one folder ----------------------------------------------------------------- */
static void test_operator(void **state) {
  const char *op = *state;
  struct err e = {0};
  struct arena *names_arena = arena_new((size_t)1 << 24);
  char **names = NULL;
  int count = 0, run = 0, bad = 0, without = 0;
  assert_true(golden_list(names_arena, op, &names, &count, &e));
  for (int i = 0; i < count; i++) {
    struct golden c = {.op = op, .name = names[i], .arena = arena_new((size_t)1 << 28)};
    const enum verdict v = run_case(&c);
    run++;
    bad += v == DIFFERS;
    without += v == NO_ROW;
    arena_free(c.arena);
  }
  arena_free(names_arena);
  if (run == 0 || bad > 0) fail_msg("%s: %d of %d cases fail", op, bad, run);
  if (without > 0) {
    print_message("# %s: %d of %d cases use an operator without a row in ops.def\n", op, without,
                  run);
    skip();
  }
}

/* ---- the spine ------------------------------------------------------------------- */
/* A row has an importer and a rule, or nothing links. It has vectors, and a line in the list for users. */
static void test_every_row_has_vectors_and_a_line(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)1 << 24);
  struct err e = {0};
  uint8_t *list;
  size_t n;
  int bad = 0;
  assert_true(file_read(a, "docs/operators.md", GOLDEN_MOST, &list, &n, &e));
  for (int k = 0; k < N_ROWS; k++) {
    const char *name = ROWS[k].reader->custom ? ROWS[k].reader->custom : ROWS[k].name;
    const bool vectors = file_is_dir(arena_printf(a, GOLDEN "/%s", name));
    const bool line = strstr((const char *)list, arena_printf(a, "\n| `%s` |", name)) != NULL;
    if (!vectors) print_error("%s has no vectors in " GOLDEN "\n", name);
    if (!line) print_error("%s has no line in docs/operators.md: run tools/operators\n", name);
    bad += !vectors + !line;
  }
  arena_free(a);
  assert_int_equal(bad, 0);
}

static bool wanted(const char *name, int argc, char **argv) {
  if (argc < 2) return true;
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0) return true;
  return false;
}

int main(int argc, char **argv) {
  struct arena *a = arena_new((size_t)1 << 24);
  struct err e = {0};
  char **names = NULL;
  int count = 0, n = 0;
  if (!golden_list(a, NULL, &names, &count, &e)) {
    print_error("%s\n", e.text);
    return 1;
  }
  struct CMUnitTest *tests = ARENA_ARRAY(a, struct CMUnitTest, count + 1);
  if (argc < 2)
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_row_has_vectors_and_a_line);
  for (int i = 0; i < count; i++) {
    if (!wanted(names[i], argc, argv)) continue;
    tests[n++] = (struct CMUnitTest){
        .name = names[i], .test_func = test_operator, .initial_state = names[i]};
  }
  const int failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
  arena_free(a);
  return failed != 0;
}
