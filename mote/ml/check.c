/* check: proof that a model's bytes are safe to run. Every number is hostile; sizes are worked out in 64 bits. */
#include "mote/ml/private.h"

/* A program keeps these bytes: who changes one raises MOTE_ML_VERSION, and then the sizes here. */
#define SIZE_OF(type, bytes) typedef char type##_size[sizeof(struct type) == (bytes) ? 1 : -1]
SIZE_OF(mote_ml, 20);
SIZE_OF(mote_ml_map, 20);
SIZE_OF(mote_ml_kmeans, 52);
SIZE_OF(mote_ml_gaussian, 64);
SIZE_OF(mote_ml_pca, 48);
SIZE_OF(mote_ml_linear, 52);
SIZE_OF(mote_ml_trees, 56);
SIZE_OF(mote_ml_knn, 52);
SIZE_OF(mote_ml_tree, 8);
SIZE_OF(mote_ml_reconstruction, 32);

#define MOST_CLASSES 256

/* A table of n bytes lies behind the head and before the end, aligned to 4. */
static int fits(const struct mote_ml MOTE_ROM *m, int32_t at, uint64_t n) {
  return at >= (int32_t)sizeof *m && (at & 3) == 0 && (uint32_t)at <= m->bytes &&
         n <= m->bytes - (uint32_t)at;
}

static enum mote_status check_map(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_map MOTE_ROM *map = mote_ml_map_of(m);
  const uint64_t n = map->n;
  if (n == 0 || (!map->columns_at && n > m->features)) return MOTE_ERR_PARAMS;
  if (map->columns_at) {
    if (!fits(m, map->columns_at, n * 2)) return MOTE_ERR_BOUNDS;
    const uint16_t MOTE_ROM *column = (const uint16_t MOTE_ROM *)mote_ml_at(m, map->columns_at);
    for (unsigned j = 0; j < n; j++)
      if (column[j] >= m->features) return MOTE_ERR_BOUNDS;
  }
  if (!map->offset_at) return map->multiplier_at || map->shift_at ? MOTE_ERR_PARAMS : MOTE_OK;
  if (map->limit < 1 || map->limit > 16383) return MOTE_ERR_PARAMS;
  if (!fits(m, map->offset_at, n * 2) || !fits(m, map->multiplier_at, n * 2) ||
      !fits(m, map->shift_at, n))
    return MOTE_ERR_BOUNDS;
  const int16_t MOTE_ROM *multiplier = (const int16_t MOTE_ROM *)mote_ml_at(m, map->multiplier_at);
  const uint8_t MOTE_ROM *shift = (const uint8_t MOTE_ROM *)mote_ml_at(m, map->shift_at);
  for (unsigned j = 0; j < n; j++)
    if (multiplier[j] < 0 || shift[j] < 1 || shift[j] > 30) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

/* A map whose squared distances fit uint32. */
static enum mote_status check_distances(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_map MOTE_ROM *map = mote_ml_map_of(m);
  const enum mote_status status = check_map(m);
  if (status != MOTE_OK) return status;
  const uint64_t twice = 2 * (uint64_t)(map->limit > 0 ? map->limit : 0);
  return map->offset_at && map->n * twice * twice <= UINT32_MAX ? MOTE_OK : MOTE_ERR_PARAMS;
}

static enum mote_status check_points(const struct mote_ml MOTE_ROM *m, int32_t at, uint64_t points,
                                     unsigned up) {
  const struct mote_ml_map MOTE_ROM *map = mote_ml_map_of(m);
  if (points == 0 || up > 7) return MOTE_ERR_PARAMS;
  if (!fits(m, at, points * map->n)) return MOTE_ERR_BOUNDS;
  const int8_t MOTE_ROM *p = (const int8_t MOTE_ROM *)mote_ml_at(m, at);
  for (uint64_t i = 0; i < points * map->n; i++, p++) {
    const int32_t centre = (int32_t)*p * ((int32_t)1 << up);
    if (centre > map->limit || centre < -map->limit) return MOTE_ERR_PARAMS;
  }
  return MOTE_OK;
}

static enum mote_status check_kmeans(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_kmeans MOTE_ROM *p = (const struct mote_ml_kmeans MOTE_ROM *)m;
  const enum mote_status status = check_distances(m);
  if (status != MOTE_OK) return status;
  if (!fits(m, p->error_at, (uint64_t)p->clusters * 2)) return MOTE_ERR_BOUNDS;
  return check_points(m, p->point_at, p->clusters, p->up);
}

static enum mote_status check_knn(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_knn MOTE_ROM *p = (const struct mote_ml_knn MOTE_ROM *)m;
  const enum mote_status status = check_distances(m);
  if (status != MOTE_OK) return status;
  if (p->k < 1 || p->k > 32 || p->k > p->points) return MOTE_ERR_PARAMS;
  if (!fits(m, p->label_at, p->points)) return MOTE_ERR_BOUNDS;
  const uint8_t MOTE_ROM *label = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->label_at);
  for (unsigned i = 0; i < p->points; i++)
    if (label[i] >= m->classes) return MOTE_ERR_PARAMS;
  return check_points(m, p->point_at, p->points, p->up);
}

/* The largest sum of a row of weights over vectors within +-most. */
static int row_fits(const int16_t MOTE_ROM *w, size_t n, int64_t bias, int64_t most) {
  int64_t sum = bias < 0 ? -bias : bias; /* n < 2^16, |w| <= 2^15, most <= 2^15: below 2^47 */
  for (size_t j = 0; j < n; j++) sum += (w[j] < 0 ? -(int64_t)w[j] : w[j]) * most;
  return sum <= INT32_MAX;
}

static enum mote_status check_linear(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_linear MOTE_ROM *p = (const struct mote_ml_linear MOTE_ROM *)m;
  const enum mote_status status = check_map(m);
  const size_t n = p->map.n;
  if (status != MOTE_OK) return status;
  if (p->sum_fraction > 30 || (p->rows != m->classes && !(p->rows == 1 && m->classes == 2)))
    return MOTE_ERR_PARAMS;
  if (!fits(m, p->weight_at, (uint64_t)p->rows * n * 2) ||
      !fits(m, p->bias_at, (uint64_t)p->rows * 4))
    return MOTE_ERR_BOUNDS;
  const int64_t most = p->map.offset_at ? p->map.limit : m->wide ? 32768 : 128;
  const int16_t MOTE_ROM *w = (const int16_t MOTE_ROM *)mote_ml_at(m, p->weight_at);
  const int32_t MOTE_ROM *bias = (const int32_t MOTE_ROM *)mote_ml_at(m, p->bias_at);
  for (unsigned r = 0; r < p->rows; r++, w += n)
    if (!row_fits(w, n, bias[r], most)) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

static enum mote_status check_pca(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_pca MOTE_ROM *p = (const struct mote_ml_pca MOTE_ROM *)m;
  const enum mote_status status = check_distances(m);
  const size_t n = p->map.n;
  if (status != MOTE_OK) return status;
  if (p->axes < 1 || p->axes > n || p->shift > 30) return MOTE_ERR_PARAMS;
  if (!fits(m, p->axis_at, (uint64_t)p->axes * n * 2)) return MOTE_ERR_BOUNDS;
  const int16_t MOTE_ROM *w = (const int16_t MOTE_ROM *)mote_ml_at(m, p->axis_at);
  for (unsigned i = 0; i < p->axes; i++, w += n)
    if (!row_fits(w, n, 0, p->map.limit)) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

/* Factors of one component: each at least 0 where they stand alone, rows whose sums fit where they are a triangle. */
static int factors_fit(const struct mote_ml_gaussian MOTE_ROM *p, const int16_t MOTE_ROM *w,
                       const uint8_t MOTE_ROM *shift, int full) {
  const size_t n = p->map.n;
  if (shift[0] > 30) return 0;
  for (size_t i = 0; i < n; i++) {
    if (!full && w[i] < 0) return 0;
    if (full && (shift[i] > 30 || !row_fits(w, i + 1, 0, 2 * (int64_t)p->map.limit))) return 0;
    if (full) w += i + 1;
  }
  return 1;
}

static enum mote_status check_gaussian(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_gaussian MOTE_ROM *p = (const struct mote_ml_gaussian MOTE_ROM *)m;
  const enum mote_status status = check_distances(m);
  const int full = m->kind != MOTE_ML_GMM;
  const uint64_t n = p->map.n, count = p->components;
  const uint64_t factors = full ? n * (n + 1) / 2 : n, shifts = full ? n : 1;
  if (status != MOTE_OK) return status;
  if (count < 1 || count > (m->kind == MOTE_ML_MAHALANOBIS ? 1 : 64) || p->most < 1 ||
      n * (uint64_t)p->most * (uint64_t)p->most > UINT32_MAX || p->z_fraction < 6 ||
      p->z_fraction > 14 || m->fraction != (m->kind == MOTE_ML_MAHALANOBIS ? p->z_fraction : 12))
    return MOTE_ERR_PARAMS;
  if (!fits(m, p->mean_at, count * n * 2) || !fits(m, p->factor_at, count * factors * 2) ||
      !fits(m, p->shift_at, count * shifts) || !fits(m, p->constant_at, count * 4))
    return MOTE_ERR_BOUNDS;
  const int16_t MOTE_ROM *mean = (const int16_t MOTE_ROM *)mote_ml_at(m, p->mean_at);
  const int16_t MOTE_ROM *factor = (const int16_t MOTE_ROM *)mote_ml_at(m, p->factor_at);
  const uint8_t MOTE_ROM *shift = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->shift_at);
  const int32_t MOTE_ROM *constant = (const int32_t MOTE_ROM *)mote_ml_at(m, p->constant_at);
  for (uint64_t j = 0; j < count * n; j++)
    if (mean[j] > p->map.limit || mean[j] < -p->map.limit) return MOTE_ERR_PARAMS;
  for (uint64_t k = 0; k < count; k++) {
    if (!factors_fit(p, factor + k * factors, shift + k * shifts, full) ||
        constant[k] > (int32_t)1 << 24 || constant[k] < -((int32_t)1 << 24))
      return MOTE_ERR_PARAMS;
  }
  return MOTE_OK;
}

static enum mote_status check_reconstruction(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_reconstruction MOTE_ROM *p =
      (const struct mote_ml_reconstruction MOTE_ROM *)m;
  const int64_t most =
      128 * ((int64_t)p->input + p->answer) + (p->offset < 0 ? -(int64_t)p->offset : p->offset);
  if (m->wide || m->features < 2 || m->features % 2 || p->input > 32767 || p->answer > 32767 ||
      p->inverse < 1 || p->inverse > 32768 || p->shift > 30 || p->mean_shift < 1 ||
      p->mean_shift > 62)
    return MOTE_ERR_PARAMS;
  return most >> p->shift < 32768 && most <= INT32_MAX ? MOTE_OK : MOTE_ERR_PARAMS;
}

/* ---- trees ------------------------------------------------------------------------ */

static const uint8_t node_size[MOTE_ML_FORM_COUNT] = {4, 6, 6, 8};

struct node {
  uint32_t feature, child[2];
};
static struct node node_at(const uint8_t MOTE_ROM *p, unsigned form) {
  const unsigned wide = form >= MOTE_ML_SMALL_S16, large = form & 1u;
  const uint8_t MOTE_ROM *child = p + (wide ? 4 : 2);
  struct node n = {wide ? (uint32_t)p[2] | (uint32_t)p[3] << 8 : p[0], {0, 0}};
  for (unsigned i = 0; i < 2; i++)
    n.child[i] = large ? (uint32_t)child[2 * i] | (uint32_t)child[2 * i + 1] << 8 : child[i];
  return n;
}

/* Every child stands behind its parent and within the tree, or is a leaf that there is. */
static enum mote_status check_tree(const struct mote_ml_trees MOTE_ROM *p,
                                   const uint8_t MOTE_ROM *root, uint32_t count, uint32_t leaf) {
  const uint32_t bit = p->form & 1u ? 0x8000u : 0x80u;
  for (uint32_t i = 0; i < count; i++) {
    const struct node n = node_at(root + (size_t)i * node_size[p->form], p->form);
    if (n.feature >= p->head.features) return MOTE_ERR_BOUNDS;
    for (unsigned c = 0; c < 2; c++) {
      const uint32_t to = n.child[c] & (bit - 1);
      if (n.child[c] & bit ? to >= p->leaves - leaf : to <= i || to >= count)
        return MOTE_ERR_BOUNDS;
    }
  }
  return MOTE_OK;
}

static enum mote_status check_walks(const struct mote_ml_trees MOTE_ROM *p) {
  const struct mote_ml MOTE_ROM *m = &p->head;
  const struct mote_ml_tree MOTE_ROM *tree =
      (const struct mote_ml_tree MOTE_ROM *)mote_ml_at(m, p->tree_at);
  const uint8_t MOTE_ROM *nodes = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->node_at);
  const uint32_t size = node_size[p->form];
  for (unsigned t = 0; t < p->trees; t++) {
    const uint32_t end = t + 1u < p->trees ? tree[t + 1].node : p->node_bytes;
    if (tree[t].node >= end || end > p->node_bytes || tree[t].node % size || end % size ||
        tree[t].leaf >= p->leaves)
      return MOTE_ERR_BOUNDS;
    const enum mote_status status =
        check_tree(p, nodes + tree[t].node, (end - tree[t].node) / size, tree[t].leaf);
    if (status != MOTE_OK) return status;
  }
  return MOTE_OK;
}

static enum mote_status check_trees(const struct mote_ml MOTE_ROM *m) {
  const struct mote_ml_trees MOTE_ROM *p = (const struct mote_ml_trees MOTE_ROM *)m;
  const int boost = m->kind == MOTE_ML_BOOST;
  if (p->trees == 0 || p->form >= MOTE_ML_FORM_COUNT || p->leaves == 0 || p->node_bytes == 0 ||
      (m->wide && p->form < MOTE_ML_SMALL_S16) || p->sum_fraction > 30)
    return MOTE_ERR_PARAMS;
  if (p->rows != m->classes && !(boost && p->rows == 1 && m->classes == 2)) return MOTE_ERR_PARAMS;
  const uint64_t values = (uint64_t)p->leaves * (boost ? 1u : m->classes);
  if (!fits(m, p->tree_at, (uint64_t)p->trees * sizeof(struct mote_ml_tree)) ||
      !fits(m, p->node_at, p->node_bytes) || !fits(m, p->leaf_at, values * 2) ||
      (boost && !fits(m, p->base_at, (uint64_t)p->rows * 4)))
    return MOTE_ERR_BOUNDS;
  if (boost) { /* 2^30 and 32767 leaves of 2^15: below 2^31 */
    const int32_t MOTE_ROM *base = (const int32_t MOTE_ROM *)mote_ml_at(m, p->base_at);
    if (p->trees / p->rows > 32767) return MOTE_ERR_PARAMS;
    for (unsigned r = 0; r < p->rows; r++)
      if (base[r] > (int32_t)1 << 29 || base[r] < -((int32_t)1 << 29)) return MOTE_ERR_PARAMS;
  } else { /* sum + divisor / 2 in uint32; no share is above 256 by more than the rounding */
    const int16_t MOTE_ROM *leaf = (const int16_t MOTE_ROM *)mote_ml_at(m, p->leaf_at);
    if (p->divisor == 0 || p->divisor > (uint32_t)1 << 30) return MOTE_ERR_PARAMS;
    for (uint64_t i = 0; i < values; i++)
      if (leaf[i] < 0) return MOTE_ERR_PARAMS;
  }
  return check_walks(p);
}

enum mote_status mote_ml_check(const void MOTE_ROM *bytes, size_t n) {
  static const uint16_t sizes[MOTE_ML_KIND_COUNT] = {
      sizeof(struct mote_ml_kmeans),   sizeof(struct mote_ml_gaussian),
      sizeof(struct mote_ml_gaussian), sizeof(struct mote_ml_gaussian),
      sizeof(struct mote_ml_pca),      sizeof(struct mote_ml_linear),
      sizeof(struct mote_ml_trees),    sizeof(struct mote_ml_trees),
      sizeof(struct mote_ml_knn),      sizeof(struct mote_ml_reconstruction)};
  const struct mote_ml MOTE_ROM *m = (const struct mote_ml MOTE_ROM *)bytes;
  if ((uintptr_t)bytes & 3) return MOTE_ERR_ALIGN;
  if (n < sizeof *m) return MOTE_ERR_TRUNCATED;
  if (m->magic != MOTE_ML_MAGIC) return MOTE_ERR_MAGIC;
  if (m->version != MOTE_ML_VERSION) return MOTE_ERR_VERSION;
  if (m->bytes > n) return MOTE_ERR_TRUNCATED;
  if (m->kind >= MOTE_ML_KIND_COUNT || m->wide > 1 || m->features == 0) return MOTE_ERR_PARAMS;
  if (m->bytes < sizes[m->kind] || m->bytes > INT32_MAX) return MOTE_ERR_BOUNDS;
  const int anomaly = m->kind <= MOTE_ML_PCA || m->kind == MOTE_ML_RECONSTRUCTION;
  if (anomaly ? m->classes != 0 || m->fraction < 4 || m->fraction > 14
              : m->classes < 2 || m->classes > MOST_CLASSES)
    return MOTE_ERR_PARAMS;
  switch (m->kind) {
  case MOTE_ML_KMEANS: return check_kmeans(m);
  case MOTE_ML_PCA: return check_pca(m);
  case MOTE_ML_LINEAR: return check_linear(m);
  case MOTE_ML_FOREST:
  case MOTE_ML_BOOST: return check_trees(m);
  case MOTE_ML_KNN: return check_knn(m);
  case MOTE_ML_RECONSTRUCTION: return check_reconstruction(m);
  default: return check_gaussian(m);
  }
}
