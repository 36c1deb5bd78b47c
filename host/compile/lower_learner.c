/* lower: recipes of the LEARNER: one call, its model behind the parameters. See lower.c and private.h. */
#include "host/compile/private.h"
#include "mote/ml/ml.h"

#include <string.h>

/* The model's head; its bytes may lie anywhere. */
static struct mote_ml head_of(const struct graph *g, const struct graph_node *n) {
  struct mote_ml m;
  memcpy(&m, input(g, n, 1)->data, sizeof m);
  return m;
}

static struct mote_ml_trees trees_of(const struct graph *g, const struct graph_node *n) {
  struct mote_ml_trees t;
  memcpy(&t, input(g, n, 1)->data, sizeof t);
  return t;
}

#define TAKES(name, kind_)                                                                         \
  static bool takes_##name(const struct graph *g, const struct graph_node *n) {                    \
    return head_of(g, n).kind == MOTE_ML_##kind_;                                                  \
  }
TAKES(kmeans, KMEANS)
TAKES(gmm, GMM)
TAKES(gmm_full, GMM_FULL)
TAKES(mahalanobis, MAHALANOBIS)
TAKES(pca, PCA)
TAKES(linear, LINEAR)
TAKES(knn, KNN)
TAKES(reconstruction, RECONSTRUCTION)

#define TAKES_TREES(form_, number)                                                                 \
  static bool takes_forest_##form_(const struct graph *g, const struct graph_node *n) {            \
    return head_of(g, n).kind == MOTE_ML_FOREST && trees_of(g, n).form == number;                  \
  }                                                                                                \
  static bool takes_boost_##form_(const struct graph *g, const struct graph_node *n) {             \
    return head_of(g, n).kind == MOTE_ML_BOOST && trees_of(g, n).form == number;                   \
  }
TAKES_TREES(small_s8, MOTE_ML_SMALL_S8)
TAKES_TREES(large_s8, MOTE_ML_LARGE_S8)
TAKES_TREES(small_s16, MOTE_ML_SMALL_S16)
TAKES_TREES(large_s16, MOTE_ML_LARGE_S16)

/* Instructions of the Cortex-M4, rounded: a column of a distance 6, of a sum of weights 5, a node of a tree 8 in trees
 * of about ten levels. */
static int64_t estimate(const struct mote_ml *m) {
  const int64_t n = mote_ml_columns(m), map = 16 * n;
  switch (m->kind) {
  case MOTE_ML_KMEANS: return map + 6 * n * ((const struct mote_ml_kmeans *)m)->clusters;
  case MOTE_ML_KNN: return map + 6 * n * ((const struct mote_ml_knn *)m)->points;
  case MOTE_ML_GMM: return map + 10 * n * ((const struct mote_ml_gaussian *)m)->components;
  case MOTE_ML_PCA: return map + 5 * n * ((const struct mote_ml_pca *)m)->axes;
  case MOTE_ML_LINEAR: return map + 5 * n * ((const struct mote_ml_linear *)m)->rows;
  case MOTE_ML_RECONSTRUCTION: return 12 * n;
  case MOTE_ML_FOREST:
  case MOTE_ML_BOOST: return (int64_t)((const struct mote_ml_trees *)m)->trees * (100 + m->classes);
  default: return map + 5 * n * (n + 1) / 2 * ((const struct mote_ml_gaussian *)m)->components;
  }
}

static const struct mote_ml *aligned_model(const struct graph *g, const struct work *w,
                                           size_t *bytes) {
  const struct graph_tensor *model = &g->tensors[node_of(g, w)->in[1]];
  *bytes = graph_bytes(model);
  return memcpy(arena_alloc(g->arena, *bytes + 1, 1), model->data, *bytes);
}

static bool build(const struct graph *g, const struct work *w, bool flat, struct form *f,
                  struct err *e) {
  size_t bytes;
  (void)e;
  if (flat) return false;
  const struct mote_ml *m = aligned_model(g, w, &bytes);
  whole_form(g, w, f);
  f->params.learner_kmeans.model_bytes = (uint32_t)bytes; /* all kernels have these */
  f->state_bytes = mote_ml_scratch_bytes(m);
  f->instructions = estimate(m);
  return true;
}

static bool pack(const struct program *p, const struct work *w, union kernel_params *params,
                 struct packed *out, struct err *e) {
  const struct graph_tensor *model = &p->graph->tensors[node_of(p->graph, w)->in[1]];
  const size_t bytes = graph_bytes(model);
  (void)e;
  memcpy(packed_add(out, "model", MOTE_UINT8, bytes, &params->learner_kmeans.model_at), model->data,
         bytes);
  return true;
}

#define LEARNER(stem)                                                                              \
  {                                                                                                \
    .op = MOTE_OP_LEARNER, .kernel = MOTE_KERNEL_learner_##stem, .takes = takes_##stem,            \
    .build = build, .pack = pack, .packed = 1u << 1                                                \
  }
static const struct recipe recipes[] = {
    LEARNER(kmeans),
    LEARNER(gmm),
    LEARNER(gmm_full),
    LEARNER(mahalanobis),
    LEARNER(pca),
    LEARNER(linear),
    LEARNER(knn),
    LEARNER(reconstruction),
    LEARNER(forest_small_s8),
    LEARNER(boost_small_s8),
    LEARNER(forest_large_s8),
    LEARNER(boost_large_s8),
    LEARNER(forest_small_s16),
    LEARNER(boost_small_s16),
    LEARNER(forest_large_s16),
    LEARNER(boost_large_s16),
};
const struct lower_family lower_learner = {recipes, sizeof recipes / sizeof *recipes};
