/* Passes on graphs that people can read: test/passes/NAME.graph goes in, NAME.expect must come out, and both must compute the
 * same on random inputs. The first line of a graph names the pass: "# pass: fuse_pads".
 *
 * With MOTE_WRITE_EXPECT=1 the expectations are written anew: read the difference before you commit it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/compile/private.h"

#define WHERE "test/passes"

static char *read_text(struct arena *a, const char *path) {
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  if (!file_read(a, path, 1 << 20, &bytes, &n, &e)) return NULL;
  return arena_printf(a, "%.*s", (int)n, (const char *)bytes);
}

static pass_function *pass_named(const char *text) {
  char name[64] = "";
  sscanf(text, "# pass: %63s", name);
  for (int i = 0; i < pass_list_n; i++)
    if (strcmp(pass_list[i].name, name) == 0) return pass_list[i].run;
  fail_msg("no pass is called '%s'", name);
  return NULL;
}

/* Every byte of input is random: booleans are taken as 0 or 1, floats stay finite. */
static void fill(struct rng *r, const struct graph_tensor *t, uint8_t *to) {
  const size_t n = (size_t)graph_elements(t);
  for (size_t i = 0; i < graph_bytes(t); i++) to[i] = (uint8_t)rng_below(r, 256);
  for (size_t i = 0; i < n; i++) {
    const float real = (float)((int)rng_below(r, 2001) - 1000) / 64;
    if (t->type == MOTE_FLOAT32) memcpy(to + 4 * i, &real, 4);
    if (t->type == MOTE_BOOL) to[i] &= 1;
  }
}

/* The outputs of the graph for inputs made from the seed, three runs one after the other. */
static struct text compute(struct arena *a, const struct graph *g, uint64_t seed) {
  const struct compile_options o = {.schedule = COMPILE_LAYERS, .no_passes = true};
  struct text out;
  struct compiled c;
  struct err e = {0};
  struct mote_model m;
  struct rng r;
  text_init(&out, a);
  if (!compile_graph(g, &o, a, &c, &e)) fail_msg("%s: %s: %s", e.file, e.node, e.text);
  const size_t n = mote_arena_bytes((const struct mote_plan *)(const void *)c.plan);
  assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, arena_alloc(a, n + 1, 1), n), MOTE_OK);
  rng_seed(&r, seed);
  for (int run = 0; run < 3; run++) {
    for (int i = 0; i < g->n_inputs; i++)
      fill(&r, &g->tensors[g->inputs[i]], mote_input(&m, (unsigned)i));
    mote_run(&m);
    for (int i = 0; i < g->n_outputs; i++)
      text_addn(&out, mote_output(&m, (unsigned)i), graph_bytes(&g->tensors[g->outputs[i]]));
  }
  return out;
}

static void check_case(const char *name) {
  struct arena *a = arena_new((size_t)1 << 28);
  struct err e = {0};
  const char *path = arena_printf(a, WHERE "/%s.graph", name);
  const char *expected_path = arena_printf(a, WHERE "/%s.expect", name);
  const char *text = read_text(a, path);
  assert_non_null(text);
  const struct graph *g = graph_parse(a, path, text, &e);
  if (g == NULL) fail_msg("%s: %s: %s", path, e.node, e.text);
  struct pass p = {.arena = a, .e = &e};
  struct text before, after, got;
  text_init(&before, a), text_init(&after, a), text_init(&got, a);
  graph_print(g, &before);
  const struct graph *out = pass_named(text)(&p, g);
  if (p.failed) fail_msg("%s: %s: %s", path, e.node, e.text);
  graph_print(g, &after);
  graph_print(out, &got);
  assert_string_equal(before.data, after.data); /* the argument is untouched */
  if (getenv("MOTE_WRITE_EXPECT")) assert_true(file_write(expected_path, got.data, got.size, &e));
  const char *expected = read_text(a, expected_path);
  if (expected == NULL) fail_msg("%s is missing", expected_path);
  if (strcmp(got.data, expected) != 0)
    fail_msg("%s: got\n%s\ninstead of\n%s", path, got.data, expected);
  const struct text x = compute(a, g, 7), y = compute(a, out, 7);
  assert_int_equal(x.size, y.size);
  assert_memory_equal(x.data, y.data, x.size);
  arena_free(a);
}

static void test_passes(void **state) {
  (void)state;
  DIR *dir = opendir(WHERE);
  int n = 0;
  assert_non_null(dir);
  for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
    const size_t length = strlen(d->d_name);
    char name[256];
    if (length < 7 || !text_ends(d->d_name, ".graph")) continue;
    snprintf(name, sizeof name, "%.*s", (int)(length - 6), d->d_name);
    check_case(name);
    n++;
  }
  closedir(dir);
  printf("%d graphs\n", n);
  assert_true(n > 0);
}

/* Every pass of the list has a graph. */
static void test_every_pass_has_a_graph(void **state) {
  (void)state;
  for (int i = 0; i < pass_list_n; i++) {
    bool found = false;
    DIR *dir = opendir(WHERE);
    assert_non_null(dir);
    for (const struct dirent *d = readdir(dir); d != NULL && !found; d = readdir(dir))
      found = text_starts(d->d_name, pass_list[i].name) && text_ends(d->d_name, ".graph");
    closedir(dir);
    if (!found) fail_msg("no graph in " WHERE " begins with %s", pass_list[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_passes),
      cmocka_unit_test(test_every_pass_has_a_graph),
  };
  return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
