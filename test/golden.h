/* golden: the cases of test/golden (its README.md tells their form). */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "host/graph/graph.h"
#include "host/kit/kit.h"

#include <string.h>

#define GOLDEN      "test/golden"
#define GOLDEN_MOST ((size_t)1 << 24) /* bytes of one file */

/* One case: the folder and the name, then what golden_read found. A model from elsewhere has a label only. */
struct golden {
  const char *op, *name, *label;
  struct arena *arena;
  uint8_t *model, *in, *out;
  size_t n_model, n_in, n_out;
};

static inline bool golden_read(struct golden *c, struct err *e) {
  const struct {
    const char *end;
    uint8_t **bytes;
    size_t *n;
  } parts[] = {
      {"tflite", &c->model, &c->n_model}, {"in", &c->in, &c->n_in}, {"out", &c->out, &c->n_out}};
  c->label = arena_printf(c->arena, "%s/%s", c->op, c->name);
  for (int i = 0; i < 3; i++) {
    const char *path = arena_printf(c->arena, GOLDEN "/%s/%s.%s", c->op, c->name, parts[i].end);
    if (!file_read(c->arena, path, GOLDEN_MOST, parts[i].bytes, parts[i].n, e))
      return err_set(e, "%s cannot be read", path);
  }
  return true;
}

/* Bytes of one inference's inputs or outputs. */
static inline size_t golden_bytes(const struct graph *g, const int *tensors, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; i++) sum += graph_bytes(&g->tensors[tensors[i]]);
  return sum;
}

/* Names of the operators, or, with op, of its cases, sorted. false: the folder cannot be read. */
static inline bool golden_list(struct arena *a, const char *op, char ***names, int *count,
                               struct err *e) {
  char **all;
  int n, kept = 0;
  const char *path = op ? arena_printf(a, GOLDEN "/%s", op) : GOLDEN;
  if (!dir_list(a, path, &all, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    const size_t length = strlen(all[i]);
    if (op ? !text_ends(all[i], ".tflite") : !file_is_dir(arena_printf(a, "%s/%s", path, all[i])))
      continue;
    if (op) all[i][length - strlen(".tflite")] = 0;
    all[kept++] = all[i];
  }
  *names = all;
  *count = kept;
  return true;
}

#endif
