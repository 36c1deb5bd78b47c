/* golden: every operator of the reference, in every type that it takes, against the reference's own outputs
 * (test/golden/README.md), in every kind of plan; and the spine: what each row of ops.def must have.
 *
 *   build/host/test/test_golden [OPERATOR...]     only these folders
 *
 * One test for each folder of test/golden. A case fails where the model is refused, or where an output differs:
 * integers in any bit, float32 by more than 1e-5 of the output's largest magnitude. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "host/import/tflite.h"
#include "test/golden_run.h"

static const struct {
  const char *name;
  const struct tflite_reader *reader;
} ROWS[] = {
#define OP(name, tflite_code, text) {#name, &tflite_reader_##name},
#include "mote/base/ops.def"
#undef OP
};

/* ---- one folder ----------------------------------------------------------------- */
static void test_operator(void **state) {
  const char *op = *state;
  struct err e = {0};
  struct arena *names_arena = arena_new((size_t)1 << 24);
  char **names = NULL;
  int count = 0, bad = 0;
  assert_true(golden_list(names_arena, op, &names, &count, &e));
  for (int i = 0; i < count; i++) {
    struct golden c = {.op = op, .name = names[i], .arena = arena_new((size_t)1 << 28)};
    const bool read = golden_read(&c, &e);
    if (!read) print_error("%s\n", e.text);
    bad += !(read && golden_run(&c, GOLDEN_PLANS));
    arena_free(c.arena);
  }
  arena_free(names_arena);
  if (count == 0 || bad > 0) fail_msg("%s: %d of %d cases fail", op, bad, count);
}

/* ---- the spine ------------------------------------------------------------------- */
/* A row has an importer and a rule, or nothing links. It has vectors, budget lines (which test/test_witness.c holds
 * its instructions against), and a line in the list for users. */
static void test_every_row_has_vectors_budget_and_a_line(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)1 << 24);
  struct err e = {0};
  uint8_t *list, *budget;
  size_t n;
  int bad = 0;
  assert_true(file_read(a, "docs/operators.md", GOLDEN_MOST, &list, &n, &e));
  assert_true(file_read(a, "test/operators.tsv", GOLDEN_MOST, &budget, &n, &e));
  for (size_t k = 0; k < sizeof ROWS / sizeof *ROWS; k++) {
    const char *name = ROWS[k].reader->custom ? ROWS[k].reader->custom : ROWS[k].name;
    /* No other software has it: its oracle is test/test_ml.c. */
    if (!strcmp(name, "MoteLearner")) continue;
    const bool vectors = file_is_dir(arena_printf(a, GOLDEN "/%s", name));
    const bool line = strstr((const char *)list, arena_printf(a, "\n| `%s` |", name)) != NULL;
    const bool cost = strstr((const char *)budget, arena_printf(a, "\n%s/", name)) != NULL;
    if (!vectors) print_error("%s has no vectors in " GOLDEN "\n", name);
    if (!line) print_error("%s has no line in docs/operators.md: run tools/operators\n", name);
    if (!cost)
      print_error("%s has no line in test/operators.tsv: MOTE_WRITE_BUDGET=1 test_witness\n", name);
    bad += !vectors + !line + !cost;
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
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_row_has_vectors_budget_and_a_line);
  for (int i = 0; i < count; i++) {
    if (!wanted(names[i], argc, argv)) continue;
    tests[n++] = (struct CMUnitTest){
        .name = names[i], .test_func = test_operator, .initial_state = names[i]};
  }
  const int failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
  arena_free(a);
  return failed != 0;
}
