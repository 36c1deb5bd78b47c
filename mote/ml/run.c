/* run: whatever the kind: sizes, dispatch, and why a vector is anomalous. A program that has one kind names its function
 * instead of mote_ml_run. */
#include "mote/ml/private.h"

size_t mote_ml_in_bytes(const struct mote_ml MOTE_ROM *m) {
  return (size_t)m->features * (m->wide ? 2 : 1);
}
size_t mote_ml_out_bytes(const struct mote_ml MOTE_ROM *m) { return m->classes ? m->classes : 4; }

static int has_map(const struct mote_ml MOTE_ROM *m) {
  return m->kind != MOTE_ML_FOREST && m->kind != MOTE_ML_BOOST && m->kind != MOTE_ML_RECONSTRUCTION;
}

size_t mote_ml_scratch_bytes(const struct mote_ml MOTE_ROM *m) {
  const size_t z = has_map(m) ? (mote_ml_map_of(m)->n + 1u) / 2 * 4u : 0;
  switch (m->kind) {
  case MOTE_ML_GMM: return z + 4u * ((const struct mote_ml_gaussian MOTE_ROM *)m)->components;
  case MOTE_ML_GMM_FULL:
    return 2 * z + 4u * ((const struct mote_ml_gaussian MOTE_ROM *)m)->components;
  case MOTE_ML_PCA: return z + (((const struct mote_ml_pca MOTE_ROM *)m)->axes + 1u) / 2 * 4u;
  case MOTE_ML_KNN: return z + 8u * ((const struct mote_ml_knn MOTE_ROM *)m)->k;
  case MOTE_ML_LINEAR:
  case MOTE_ML_FOREST:
  case MOTE_ML_BOOST: return z + 4u * m->classes;
  default: return z;
  }
}

#define X(form) mote_ml_forest_##form##_run,
static void (*const forests[])(const struct mote_ml MOTE_ROM *, const void *, void *,
                               void *) = {MOTE_ML_FORMS(X)};
#undef X
#define X(form) mote_ml_boost_##form##_run,
static void (*const boosts[])(const struct mote_ml MOTE_ROM *, const void *, void *,
                              void *) = {MOTE_ML_FORMS(X)};
#undef X

void mote_ml_forest_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  forests[((const struct mote_ml_trees MOTE_ROM *)m)->form](m, x, scratch, out);
}
void mote_ml_boost_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  boosts[((const struct mote_ml_trees MOTE_ROM *)m)->form](m, x, scratch, out);
}

void mote_ml_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  switch (m->kind) {
#define X(name, stem, text)                                                                        \
  case MOTE_ML_##name: mote_ml_##stem##_run(m, x, scratch, out); break;
    MOTE_ML_KINDS(X)
#undef X
  default: MOTE_ASSERT(0);
  }
}

/* ---- why --------------------------------------------------------------------------- */

unsigned mote_ml_columns(const struct mote_ml MOTE_ROM *m) {
  return has_map(m)                          ? mote_ml_map_of(m)->n
         : m->kind == MOTE_ML_RECONSTRUCTION ? m->features / 2u
                                             : 0;
}
unsigned mote_ml_column(const struct mote_ml MOTE_ROM *m, unsigned j) {
  if (!has_map(m)) return j;
  const struct mote_ml_map MOTE_ROM *map = mote_ml_map_of(m);
  return map->columns_at ? ((const uint16_t MOTE_ROM *)mote_ml_at(m, map->columns_at))[j] : j;
}

static void kmeans_why(const struct mote_ml MOTE_ROM *m, const int16_t *z, int32_t *why) {
  const struct mote_ml_kmeans MOTE_ROM *p = (const struct mote_ml_kmeans MOTE_ROM *)m;
  unsigned cluster = 0;
  (void)mote_ml_kmeans_score(m, z, &cluster);
  const int8_t MOTE_ROM *point =
      (const int8_t MOTE_ROM *)mote_ml_at(m, p->point_at) + (size_t)cluster * p->map.n;
  for (unsigned j = 0; j < p->map.n; j++) {
    const int32_t d = z[j] - (int32_t)point[j] * ((int32_t)1 << p->up); /* squared below 2^30 */
    why[j] = (d * d) >> (2 * m->fraction - 8);
  }
}

void mote_ml_why(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, int32_t *why) {
  int16_t *z = (int16_t *)scratch;
  if (m->kind == MOTE_ML_RECONSTRUCTION) {
    mote_ml_reconstruction_why(m, (const int8_t *)x, why);
    return;
  }
  mote_ml_to_z(m, x, z);
  switch (m->kind) {
  case MOTE_ML_KMEANS: kmeans_why(m, z, why); break;
  case MOTE_ML_PCA:
    mote_ml_pca_why(m, z, (int16_t *)(void *)mote_ml_behind_z(m, scratch), why);
    break;
  case MOTE_ML_GMM:
  case MOTE_ML_GMM_FULL:
  case MOTE_ML_MAHALANOBIS: mote_ml_gaussian_why(m, z, why); break;
  default: MOTE_ASSERT(0);
  }
}
