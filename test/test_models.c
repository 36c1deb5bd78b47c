/* models: whole models of many producers against the reference's outputs: the default plan of each.
 *
 *   build/host/test/test_models [WORD...]     only models whose path has one of the words
 *
 * Needs the shared material (golden/INDEX.md there); skips where it is absent. The goldens' pattern is no truth value
 * and no index: what the reference made of it where a model asks for those depends on memory outside its tables, and is
 * passed over, told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "test/golden_run.h"
#include "test/shared.h"

#define MOST_MODEL ((size_t)64 << 20)

/* Where a kind of models lies, and where its outputs do, below the unpacked folder. */
struct source {
  const char *models, *golden;
};
static const struct source sources[] = {{"models/reference", "golden/reference"},
                                        {"models/producers", "golden/producers"},
                                        {"conformance/tflm", "golden/conformance-tflm"}};

static const char *const *words;
static int n_words;

static bool wanted(const char *path) {
  for (int i = 0; i < n_words; i++)
    if (strstr(path, words[i])) return true;
  return n_words == 0;
}

/* The pattern of golden/INDEX.md for one input: p(i) = ((i*37 + 11) mod 256) - 128. */
static void fill_pattern(const struct graph_tensor *t, uint8_t *to) {
  const int64_t n = graph_elements(t);
  for (int64_t i = 0; i < n; i++) {
    const int32_t p = (int32_t)((i * 37 + 11) % 256) - 128;
    const float real = (float)p / 128.0f;
    const int64_t wide = p;
    const int16_t half = (int16_t)(p * 256);
    const uint8_t byte = (uint8_t)(t->type == MOTE_INT8 ? p : p + 128);
    const size_t size = mote_type_bytes((int)t->type);
    const void *from = t->type == MOTE_FLOAT32 ? (const void *)&real
                       : t->type == MOTE_INT16 ? (const void *)&half
                       : size == 1             ? (const void *)&byte
                                               : (const void *)&wide;
    memcpy(to + (size_t)i * size, from, size);
  }
}

/* Whether the model takes truth values, or looks up what it is told by numbers that it does not hold itself. */
static bool needs_other_inputs(const struct graph *g) {
  for (int i = 0; i < g->n_inputs; i++)
    if (g->tensors[g->inputs[i]].type == MOTE_BOOL) return true;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const int index = n->op == MOTE_OP_GATHER             ? n->in[1]
                      : n->op == MOTE_OP_EMBEDDING_LOOKUP ? n->in[0]
                                                          : -1;
    if (index >= 0 && !graph_is_constant(&g->tensors[index])) return true;
  }
  return false;
}

/* The inputs of a model: the pattern for each. false: there is nothing to compare. */
static bool make_inputs(struct golden *c) {
  struct err e = {0};
  const struct graph *g = import_tflite(c->arena, c->label, c->model, c->n_model, &e);
  if (!g) return true; /* golden_run will tell */
  if (needs_other_inputs(g)) return false;
  c->n_in = golden_bytes(g, g->inputs, g->n_inputs);
  c->in = ARENA_ARRAY(c->arena, uint8_t, c->n_in + 1);
  uint8_t *to = c->in;
  for (int i = 0; i < g->n_inputs; i++) {
    const struct graph_tensor *t = &g->tensors[g->inputs[i]];
    fill_pattern(t, to);
    to += graph_bytes(t);
  }
  return true;
}

struct tally {
  int agree, differ, left_out;
};

static void run_model(const char *model, const char *golden, struct tally *tally) {
  struct err e = {0};
  struct golden c = {.label = model, .arena = arena_new((size_t)1 << 31)};
  if (!file_read(c.arena, model, MOST_MODEL, &c.model, &c.n_model, &e) ||
      !file_read(c.arena, golden, MOST_MODEL, &c.out, &c.n_out, &e))
    fail_msg("%s: %s", e.file, e.text);
  if (!make_inputs(&c)) {
    print_message("# %s: the pattern is no input for it\n", model);
    tally->left_out++;
  } else if (golden_run(&c, 1)) {
    tally->agree++;
  } else {
    tally->differ++;
  }
  arena_free(c.arena);
}

/* Every NAME.out.bin below golden, beside which models has NAME.tflite. */
static void walk(struct arena *a, const char *models, const char *golden, struct tally *tally) {
  char **names;
  int count = 0;
  struct err e = {0};
  assert_true(dir_list(a, golden, &names, &count, &e));
  for (int i = 0; i < count; i++) {
    const char *there = arena_printf(a, "%s/%s", golden, names[i]);
    if (file_is_dir(there)) {
      if (strcmp(names[i], "layers") != 0)
        walk(a, arena_printf(a, "%s/%s", models, names[i]), there, tally);
      continue;
    }
    if (!text_ends(names[i], ".out.bin")) continue;
    const int stem = (int)(strlen(names[i]) - strlen(".out.bin"));
    const char *model = arena_printf(a, "%s/%.*s.tflite", models, stem, names[i]);
    if (file_exists(model) && wanted(model)) run_model(model, there, tally);
  }
}

static void test_models_of_other_people(void **state) {
  const struct source *s = *state;
  struct arena *a = arena_new((size_t)1 << 24);
  struct tally t = {0};
  if (!shared_unpacked(arena_printf(a, "%s %s", s->models, s->golden))) {
    arena_free(a);
    skip();
  }
  walk(a, arena_printf(a, "build/shared/%s", s->models),
       arena_printf(a, "build/shared/%s", s->golden), &t);
  arena_free(a);
  print_message("%s: %d agree, %d differ or are refused, %d are not compared\n", s->models, t.agree,
                t.differ, t.left_out);
  if (t.differ > 0) fail_msg("%d models differ or are refused", t.differ);
  if (t.agree == 0 && n_words == 0) fail_msg("no models");
}

int main(int argc, char **argv) {
  enum { N = sizeof sources / sizeof *sources };
  struct CMUnitTest tests[N];
  words = (const char *const *)(argv + 1);
  n_words = argc - 1;
  for (int i = 0; i < N; i++)
    tests[i] = (struct CMUnitTest){.name = sources[i].models,
                                   .test_func = test_models_of_other_people,
                                   .initial_state = (void *)(uintptr_t)&sources[i]};
  return _cmocka_run_group_tests("models", tests, N, NULL, NULL) != 0;
}
