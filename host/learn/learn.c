/* learn: names, defaults, dispatch, and scores as the device computes them. See learn.h. */
#include "host/learn/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  bool (*fit)(struct learn_job *j);
} kinds[LEARN_KIND_COUNT] = {
    [LEARN_KMEANS] = {"kmeans", fit_kmeans},
    [LEARN_GMM] = {"gmm", fit_gmm},
    [LEARN_MAHALANOBIS] = {"mahalanobis", fit_mahalanobis},
    [LEARN_PCA] = {"pca", fit_pca},
    [LEARN_TREE] = {"tree", fit_forest},
    [LEARN_FOREST] = {"forest", fit_forest},
    [LEARN_BOOST] = {"boost", fit_boost},
    [LEARN_LOGISTIC] = {"logistic", fit_logistic},
    [LEARN_SVM] = {"svm", fit_svm},
    [LEARN_KNN] = {"knn", fit_knn},
};

const char *learn_kind_name(enum learn_kind kind) {
  return kind < LEARN_KIND_COUNT ? kinds[kind].name : "?";
}
bool learn_kind_from(const char *word, enum learn_kind *kind) {
  for (int k = 0; k < LEARN_KIND_COUNT; k++)
    if (strcmp(word, kinds[k].name) == 0) {
      *kind = (enum learn_kind)k;
      return true;
    }
  return false;
}
const char *learn_kind_list(void) {
  return "kmeans, gmm, mahalanobis, pca, tree, forest, boost, logistic, svm, knn";
}
bool learn_is_anomaly(enum learn_kind kind) { return kind <= LEARN_PCA; }

/* Clusters: 32 as the field's anomaly blocks have. Forest and logistic regression: scikit-learn's. Boosting: rounds and rate
 * of scikit-learn, depth 3. */
struct learn_config learn_defaults(enum learn_kind kind) {
  return (struct learn_config){.kind = kind,
                               .seed = 1,
                               .clusters = 32,
                               .components = 0,
                               .variance = 0.95,
                               .trees = 100,
                               .depth = kind == LEARN_BOOST ? 3 : 0,
                               .min_leaf = 1,
                               .max_columns = kind == LEARN_FOREST ? 0 : -1,
                               .bootstrap = kind == LEARN_FOREST,
                               .rate = 0.1,
                               .l2 = kind == LEARN_BOOST ? 1 : 0,
                               .c = 1,
                               .k = 5,
                               .points = 512};
}

bool learn_check(const struct learn_config *c, struct err *e) {
  const struct {
    const char *name;
    double value, low, high;
  } all[] = {{"clusters", c->clusters, 1, 1024},
             {"components", c->components, 0, 64},
             {"variance", c->variance, 0.01, 1},
             {"trees", c->trees, 1, 4096},
             {"depth", c->depth, 0, 64},
             {"min_leaf", c->min_leaf, 1, 1e6},
             {"max_columns", c->max_columns, -1, 65535},
             {"rate", c->rate, 1e-4, 1},
             {"l2", c->l2, 0, 1e6},
             {"c", c->c, 1e-6, 1e9},
             {"k", c->k, 1, 32},
             {"points", c->points, 1, 65535}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!(all[i].value >= all[i].low && all[i].value <= all[i].high)) {
      err_node(e, "%s", all[i].name);
      return err_set(e, "%g; %g to %g works", all[i].value, all[i].low, all[i].high);
    }
  return true;
}

static bool check_set(const struct learn_config *c, const struct learn_set *set, struct err *e) {
  if (set->features < 1 || set->features > 65535)
    return err_set(e, "vectors of %u features; 1 to 65535 work", set->features);
  if (set->n < 2) return err_set(e, "%u training windows; at least two are needed", set->n);
  if (learn_is_anomaly(c->kind)) return true;
  if (!set->labels || set->classes < 2 || set->classes > 256)
    return err_set(e, "%s tells classes apart: 2 to 256 are needed, here are %d",
                   learn_kind_name(c->kind), set->classes);
  for (uint32_t i = 0; i < set->n; i++)
    if (set->labels[i] < 0 || set->labels[i] >= set->classes)
      return err_internal(e, "vector %u has class %d of %d", i, set->labels[i], set->classes);
  return true;
}

bool learn_fit(const struct learn_config *c, const struct learn_set *set, struct arena *a,
               struct progress *p, struct learn_model *out, struct err *e) {
  struct learn_job job = {.c = c, .set = set, .a = a, .progress = p, .out = out, .e = e};
  if (!learn_check(c, e) || !check_set(c, set, e)) return false;
  return kinds[c->kind].fit(&job);
}

bool learn_open(const void *bytes, size_t n, struct arena *a, struct learn_model *out,
                struct err *e) {
  if (n > arena_left(a) / 2) return err_set(e, "no memory left");
  void *copy = memcpy(arena_alloc(a, n + 1, 1), bytes, n);
  const enum mote_status status = mote_ml_check(copy, n);
  if (status != MOTE_OK) return err_set(e, "the learner is refused: %s", mote_status_text(status));
  *out = (struct learn_model){
      .model = copy, .bytes = ((const struct mote_ml *)copy)->bytes, .about = ""};
  return true;
}

bool learn_set_threshold(struct learn_model *m, int32_t threshold, struct arena *a, struct err *e) {
  if (m->bytes > arena_left(a) / 2) return err_set(e, "no memory left");
  struct mote_ml *copy = memcpy(arena_alloc(a, m->bytes, 1), m->model, m->bytes);
  copy->threshold = threshold;
  m->model = copy;
  return true;
}

/* ---- scores -------------------------------------------------------------------------- */
void learn_run(const struct mote_ml *m, const struct learn_set *set, void *out) {
  const size_t bytes = mote_ml_out_bytes(m), scratch_bytes = mote_ml_scratch_bytes(m);
#pragma omp parallel
  {
    int32_t *scratch = malloc(scratch_bytes + 4);
    int8_t *narrow = malloc(set->features);
    if (!scratch || !narrow) abort(); /* a few kilobytes: the machine has no memory left at all */
#pragma omp for schedule(static)
    for (uint32_t i = 0; i < set->n; i++) {
      const int16_t *x = set->x + (size_t)i * set->features;
      for (uint32_t k = 0; k < set->features && !m->wide; k++) narrow[k] = (int8_t)x[k];
      mote_ml_run(m, m->wide ? (const void *)x : narrow, scratch, (uint8_t *)out + i * bytes);
    }
    free(narrow);
    free(scratch);
  }
}

double learn_accuracy(const struct mote_ml *m, const struct learn_set *set) {
  int8_t *share = malloc((size_t)set->n * m->classes + 1);
  if (!share || !set->n) {
    free(share);
    return NAN;
  }
  learn_run(m, set, share);
  uint32_t right = 0;
  for (uint32_t i = 0; i < set->n; i++) {
    const int8_t *s = share + (size_t)i * m->classes;
    int best = 0;
    for (int c = 1; c < m->classes; c++)
      if (s[c] > s[best]) best = c;
    right += best == set->labels[i];
  }
  free(share);
  return (double)right / set->n;
}

double learn_score(const struct mote_ml *m, int32_t score) { return ldexp(score, -m->fraction); }
