/* learners: accuracy, size and time of classical learners on a table, fold by fold; bench/learners.py compares them with
 * scikit-learn's on the same folds.
 *
 *   learners TABLE KIND wide|narrow [TREES] [DEPTH]
 *
 * TABLE: a line for each vector, whole numbers apart by spaces: fold, class, columns. Prints
 * `accuracy SHARE seconds FIT bytes MEAN`: of all vectors, each by the model that was fitted to the other folds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/learn/learn.h"

struct table {
  int32_t *fold, *label;
  int16_t *x;
  uint32_t n, features;
  int classes, folds;
};

static int columns_of(const char *line) {
  int n = 0;
  for (const char *p = line; *p; p++) n += *p == ' ';
  return n - 1;
}

static void read_table(struct arena *a, const char *path, struct table *t) {
  uint8_t *text;
  size_t size;
  struct err e = {0};
  if (!file_read(a, path, (size_t)1 << 30, &text, &size, &e)) {
    fprintf(stderr, "%s\n", e.text);
    exit(1);
  }
  char *p = (char *)text;
  t->features = (uint32_t)columns_of(strndup(p, strcspn(p, "\n")));
  uint32_t lines = 0;
  for (char *q = p; *q; q++) lines += *q == '\n';
  t->fold = ARENA_ARRAY(a, int32_t, lines);
  t->label = ARENA_ARRAY(a, int32_t, lines);
  t->x = ARENA_ARRAY(a, int16_t, (size_t)lines * t->features);
  for (; t->n < lines; t->n++) {
    t->fold[t->n] = (int32_t)strtol(p, &p, 10);
    t->label[t->n] = (int32_t)strtol(p, &p, 10);
    if (t->label[t->n] >= t->classes) t->classes = t->label[t->n] + 1;
    if (t->fold[t->n] >= t->folds) t->folds = t->fold[t->n] + 1;
    for (uint32_t k = 0; k < t->features; k++)
      t->x[(size_t)t->n * t->features + k] = (int16_t)strtol(p, &p, 10);
  }
}

static struct learn_set take(struct arena *a, const struct table *t, int fold, bool inside,
                             bool wide) {
  int16_t *x = ARENA_ARRAY(a, int16_t, (size_t)t->n * t->features);
  int32_t *label = ARENA_ARRAY(a, int32_t, t->n);
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->n; i++) {
    if ((t->fold[i] == fold) != inside) continue;
    memcpy(x + (size_t)n * t->features, t->x + (size_t)i * t->features, t->features * sizeof *x);
    label[n++] = t->label[i];
  }
  return (struct learn_set){n, t->features, x, label, t->classes, wide};
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  struct arena *a = arena_new((size_t)4 << 30);
  struct table t = {0};
  enum learn_kind kind;
  if (argc < 4 || !learn_kind_from(argv[2], &kind)) {
    fprintf(stderr, "usage: learners TABLE KIND wide|narrow [TREES] [DEPTH]\n");
    return 2;
  }
  struct learn_config c = learn_defaults(kind);
  if (argc > 4) c.trees = atoi(argv[4]);
  if (argc > 5) c.depth = atoi(argv[5]);
  c.points = 65535;
  read_table(a, argv[1], &t);
  double right = 0, seconds = 0, bytes = 0;
  for (int f = 0; f < t.folds; f++) {
    struct arena *fold = arena_new((size_t)4 << 30);
    const struct learn_set in = take(fold, &t, f, false, argv[3][0] == 'w'),
                           out = take(fold, &t, f, true, argv[3][0] == 'w');
    struct learn_model m;
    struct err e = {0};
    const double start = now();
    if (!learn_fit(&c, &in, fold, NULL, &m, &e)) {
      fprintf(stderr, "%s: %s\n", e.node, e.text);
      return 1;
    }
    seconds += now() - start;
    right += learn_accuracy(m.model, &out) * out.n;
    bytes += (double)m.bytes / t.folds;
    arena_free(fold);
  }
  printf("accuracy %.4f seconds %.4f bytes %.0f\n", right / t.n, seconds / t.folds, bytes);
  arena_free(a);
  return 0;
}
