/* learner: models of mote/ml as kernels: rows[0] is the vector of features, out the shares of the classes or the score.
 * Each has a kernel of its own, so that a program holds the code of the kinds that it uses. */
#include "mote/ml/ml.h"
#include "mote/nn/whole.h"

static inline const struct mote_ml MOTE_ROM *model_of(const struct mote_learner *p) {
  return (const struct mote_ml MOTE_ROM *)mote_at(p, p->model_at);
}

/* kind, form: of the models that the kernel takes; form -1: any. */
static enum mote_status proven(const struct mote_learner *p, const struct mote_bounds *b,
                               unsigned kind, int form) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_bounds_constant(b, p->model_at, p->model_bytes)) return MOTE_ERR_BOUNDS;
  const struct mote_ml MOTE_ROM *m = model_of(p);
  const enum mote_status status = mote_ml_check(m, p->model_bytes);
  if (status != MOTE_OK) return status;
  if (m->kind != kind || (form >= 0 && ((const struct mote_ml_trees MOTE_ROM *)m)->form != form))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

static enum mote_status check(const struct mote_learner *p, const struct mote_bounds *b,
                              unsigned kind, int form) {
  const enum mote_status status = proven(p, b, kind, form);
  if (status != MOTE_OK) return status;
  const struct mote_ml MOTE_ROM *m = model_of(p);
  if (!mote_bounds_edges(b, 1, 1) || !mote_bounds_row(b, 0, m->features, m->wide ? 2 : 1) ||
      mote_ml_out_bytes(m) > b->out_bytes || mote_ml_scratch_bytes(m) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* stem: as kernels.def has it, "learner_" and the function's. */
#define KERNEL_LEARNER(stem, code, kind, form)                                                     \
  static void code##_row(const void *params, const void *const *rows, void *state, void *out) {    \
    mote_ml_##code##_run(model_of((const struct mote_learner *)params), rows[0], state, out);      \
  }                                                                                                \
  const struct mote_kernel mote_kernel_##stem = {0, code##_row, 0};                                \
  size_t mote_##stem##_state_bytes(const struct mote_learner *p) {                                 \
    return mote_ml_scratch_bytes(model_of(p));                                                     \
  }                                                                                                \
  enum mote_status mote_##stem##_check(const struct mote_learner *p,                               \
                                       const struct mote_bounds *b) {                              \
    return check(p, b, kind, form);                                                                \
  }

/* An autoencoder's error has two vectors: rows[0] is what it read, rows[1] what it answered. */
static void reconstruction_row(const void *params, const void *const *rows, void *state,
                               void *out) {
  (void)state;
  *(int32_t *)out = mote_ml_reconstruction_score(model_of((const struct mote_learner *)params),
                                                 (const int8_t *)rows[0], (const int8_t *)rows[1]);
}
const struct mote_kernel mote_kernel_learner_reconstruction = {0, reconstruction_row, 0};
size_t mote_learner_reconstruction_state_bytes(const struct mote_learner *p) {
  (void)p;
  return 0;
}
enum mote_status mote_learner_reconstruction_check(const struct mote_learner *p,
                                                   const struct mote_bounds *b) {
  const enum mote_status status = proven(p, b, MOTE_ML_RECONSTRUCTION, -1);
  if (status != MOTE_OK) return status;
  const uint32_t n = model_of(p)->features / 2u;
  return mote_bounds_edges(b, 2, 1) && mote_bounds_whole(b, 1, n) && n <= b->row_bytes[0] &&
                 !(b->missing & 1u) && b->out_bytes >= sizeof(int32_t)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

KERNEL_LEARNER(learner_kmeans, kmeans, MOTE_ML_KMEANS, -1)
KERNEL_LEARNER(learner_gmm, gmm, MOTE_ML_GMM, -1)
KERNEL_LEARNER(learner_gmm_full, gmm_full, MOTE_ML_GMM_FULL, -1)
KERNEL_LEARNER(learner_mahalanobis, mahalanobis, MOTE_ML_MAHALANOBIS, -1)
KERNEL_LEARNER(learner_pca, pca, MOTE_ML_PCA, -1)
KERNEL_LEARNER(learner_linear, linear, MOTE_ML_LINEAR, -1)
KERNEL_LEARNER(learner_knn, knn, MOTE_ML_KNN, -1)
KERNEL_LEARNER(learner_forest_small_s8, forest_small_s8, MOTE_ML_FOREST, MOTE_ML_SMALL_S8)
KERNEL_LEARNER(learner_boost_small_s8, boost_small_s8, MOTE_ML_BOOST, MOTE_ML_SMALL_S8)
KERNEL_LEARNER(learner_forest_large_s8, forest_large_s8, MOTE_ML_FOREST, MOTE_ML_LARGE_S8)
KERNEL_LEARNER(learner_boost_large_s8, boost_large_s8, MOTE_ML_BOOST, MOTE_ML_LARGE_S8)
KERNEL_LEARNER(learner_forest_small_s16, forest_small_s16, MOTE_ML_FOREST, MOTE_ML_SMALL_S16)
KERNEL_LEARNER(learner_boost_small_s16, boost_small_s16, MOTE_ML_BOOST, MOTE_ML_SMALL_S16)
KERNEL_LEARNER(learner_forest_large_s16, forest_large_s16, MOTE_ML_FOREST, MOTE_ML_LARGE_S16)
KERNEL_LEARNER(learner_boost_large_s16, boost_large_s16, MOTE_ML_BOOST, MOTE_ML_LARGE_S16)
