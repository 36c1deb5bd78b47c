/* trees: forests and boosted trees, and their bytes.
 *
 * Equal leaves are kept once: over all trees where that is smaller (the leaves of trees grown until they are pure are as
 * many as there are classes), else within each tree. */
#include "host/learn/trees.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a table of leaves ------------------------------------------------------------------- */
struct table {
  int16_t *rows; /* [count][width] */
  int count, width, room;
  int32_t *slot; /* hash, -1: free; room_slots a power of 2 */
  int room_slots;
};

static uint32_t hash_of(const int16_t *v, int n) {
  uint32_t h = 2166136261u;
  for (int i = 0; i < n; i++) h = (h ^ (uint16_t)v[i]) * 16777619u;
  return h ^ h >> 15;
}

/* needs: fewer rows than half of the slots. */
static int table_find(struct table *t, const int16_t *v) {
  uint32_t at = hash_of(v, t->width) & (uint32_t)(t->room_slots - 1);
  for (; t->slot[at] >= 0; at = (at + 1) & (uint32_t)(t->room_slots - 1))
    if (!memcmp(t->rows + (size_t)t->slot[at] * (size_t)t->width, v, (size_t)t->width * 2))
      return t->slot[at];
  memcpy(t->rows + (size_t)t->count * (size_t)t->width, v, (size_t)t->width * 2);
  return t->slot[at] = t->count++;
}

static struct table table_new(struct arena *a, int most, int width) {
  struct table t = {.width = width, .room = most, .room_slots = 16};
  while (t.room_slots < 2 * most + 2) t.room_slots *= 2;
  t.rows = ARENA_ARRAY(a, int16_t, (size_t)(most + 1) * (size_t)width);
  t.slot = ARENA_ARRAY(a, int32_t, t.room_slots);
  memset(t.slot, 0xFF, (size_t)t.room_slots * sizeof *t.slot);
  return t;
}

/* ---- packing --------------------------------------------------------------------------------- */
struct packing {
  const struct grown *trees;
  int count, width;
  int16_t **leaf;   /* [count]: the tree's leaves in fixed point */
  int **id;         /* [count]: of each leaf in its table */
  int *base, *kept; /* [count]: first row of the tree's leaves, and how many it has of its own */
  int16_t *rows;
  int n_rows;
};

static void number_shared(struct packing *k, struct arena *a, int total) {
  struct table t = table_new(a, total, k->width);
  for (int i = 0; i < k->count; i++)
    for (int l = 0; l < k->trees[i].n_leaves; l++)
      k->id[i][l] = table_find(&t, k->leaf[i] + (size_t)l * (size_t)k->width);
  k->rows = t.rows;
  k->n_rows = t.count;
}

static void number_apart(struct packing *k, struct arena *a, int total) {
  k->rows = ARENA_ARRAY(a, int16_t, (size_t)(total + 1) * (size_t)k->width);
  k->n_rows = 0;
  for (int i = 0; i < k->count; i++) {
    struct table t = table_new(a, k->trees[i].n_leaves, k->width);
    for (int l = 0; l < k->trees[i].n_leaves; l++)
      k->id[i][l] = table_find(&t, k->leaf[i] + (size_t)l * (size_t)k->width);
    memcpy(k->rows + (size_t)k->n_rows * (size_t)k->width, t.rows,
           (size_t)t.count * (size_t)k->width * 2);
    k->base[i] = k->n_rows;
    k->n_rows += t.count;
  }
}

/* The largest node and leaf number of any tree. */
static void largest(const struct packing *k, int *nodes, int *ids) {
  *nodes = *ids = 0;
  for (int i = 0; i < k->count; i++) {
    if (k->trees[i].n_nodes > *nodes) *nodes = k->trees[i].n_nodes;
    for (int l = 0; l < k->trees[i].n_leaves; l++)
      if (k->id[i][l] > *ids) *ids = k->id[i][l];
  }
}

static int form_of(const struct packing *k, const struct learn_set *set) {
  int nodes, ids;
  largest(k, &nodes, &ids);
  const bool small = nodes <= 128 && ids < 128, narrow = !set->wide && set->features <= 256;
  if (nodes > 32768 || ids >= 32768) return -1;
  return narrow ? (small ? MOTE_ML_SMALL_S8 : MOTE_ML_LARGE_S8)
                : (small ? MOTE_ML_SMALL_S16 : MOTE_ML_LARGE_S16);
}

static size_t node_size(int form) {
  return form == MOTE_ML_SMALL_S8 ? 4 : form == MOTE_ML_LARGE_S16 ? 8 : 6;
}

static size_t bytes_of(const struct packing *k, int form) {
  size_t nodes = 0;
  for (int i = 0; i < k->count; i++)
    nodes += (size_t)(k->trees[i].n_nodes ? k->trees[i].n_nodes : 1);
  return nodes * node_size(form) + (size_t)k->n_rows * (size_t)k->width * 2;
}

static size_t put_node(uint8_t *to, int form, const struct grown_node *n, const int *id) {
  const uint32_t bit = form & 1 ? 0x8000u : 0x80u;
  uint32_t child[2];
  size_t at = 0;
  for (int c = 0; c < 2; c++) {
    const int32_t v = c ? n->no : n->yes;
    child[c] = v >= 0 ? (uint32_t)v : bit | (uint32_t)id[~v];
  }
  if (form < MOTE_ML_SMALL_S16) {
    to[at++] = (uint8_t)n->feature;
    to[at++] = (uint8_t)(int8_t)n->threshold;
  } else {
    to[at++] = (uint8_t)n->threshold;
    to[at++] = (uint8_t)((uint32_t)n->threshold >> 8);
    to[at++] = (uint8_t)n->feature;
    to[at++] = (uint8_t)(n->feature >> 8);
  }
  for (int c = 0; c < 2; c++) {
    to[at++] = (uint8_t)child[c];
    if (form & 1) to[at++] = (uint8_t)(child[c] >> 8);
  }
  return at;
}

static void quantise_leaves(struct packing *k, struct arena *a, double scale) {
  for (int i = 0; i < k->count; i++) {
    const size_t n = (size_t)k->trees[i].n_leaves * (size_t)k->width;
    k->leaf[i] = ARENA_ARRAY(a, int16_t, n + 1);
    k->id[i] = ARENA_ARRAY(a, int, k->trees[i].n_leaves + 1);
    for (size_t v = 0; v < n; v++)
      k->leaf[i][v] = (int16_t)floor(k->trees[i].leaves[v] * scale + 0.5);
  }
}

/* As many fraction bits as keep leaves in 16 bits and bases below 2^29. */
static int sum_fraction(const struct grown *trees, int count, int rows, const double *base) {
  double leaf = 1e-9, start = 1e-9;
  int fraction = 28;
  for (int i = 0; i < count; i++)
    for (int l = 0; l < trees[i].n_leaves; l++) leaf = fmax(leaf, fabs(trees[i].leaves[l]));
  for (int r = 0; r < rows; r++) start = fmax(start, fabs(base[r]));
  while (fraction > 0 && (ldexp(leaf, fraction) > 32766 || ldexp(start, fraction) > 536870000.0))
    fraction--;
  return fraction;
}

static bool write_model(struct learn_job *j, const struct packing *k, int form, bool boost,
                        int rows, const double *base, int fraction, const char *about) {
  struct blob b = {.a = j->a};
  struct mote_ml_tree *place = ARENA_ARRAY(j->a, struct mote_ml_tree, k->count);
  uint8_t *nodes = ARENA_ARRAY(j->a, uint8_t, bytes_of(k, form) + 1);
  size_t at = 0;
  for (int i = 0; i < k->count; i++) {
    const struct grown *t = &k->trees[i];
    const struct grown_node only = {0, 0, ~0, ~0}; /* a tree that is one leaf */
    place[i] = (struct mote_ml_tree){(uint32_t)at, (uint32_t)k->base[i]};
    for (int n = 0; n < t->n_nodes; n++) at += put_node(nodes + at, form, &t->nodes[n], k->id[i]);
    if (!t->n_nodes) at += put_node(nodes + at, form, &only, k->id[i]);
  }
  blob_add(&b, NULL, sizeof(struct mote_ml_trees));
  struct mote_ml_trees m = {.trees = (uint16_t)k->count,
                            .form = (uint8_t)form,
                            .sum_fraction = (uint8_t)fraction,
                            .rows = (uint16_t)rows,
                            .divisor = (uint32_t)(((int64_t)k->count * 32767 + 128) / 256),
                            .node_bytes = (uint32_t)at,
                            .leaves = (uint32_t)k->n_rows};
  m.tree_at = blob_add(&b, place, (size_t)k->count * sizeof *place);
  m.node_at = blob_add(&b, nodes, at);
  m.leaf_at = blob_add(&b, k->rows, (size_t)k->n_rows * (size_t)k->width * 2);
  if (boost) {
    int32_t *start = ARENA_ARRAY(j->a, int32_t, rows);
    for (int r = 0; r < rows; r++) start[r] = (int32_t)floor(ldexp(base[r], fraction) + 0.5);
    m.base_at = blob_add(&b, start, (size_t)rows * 4);
  }
  memcpy(b.bytes, &m, sizeof m);
  return blob_finish(j, &b, boost ? MOTE_ML_BOOST : MOTE_ML_FOREST, 0, about);
}

bool trees_pack(struct learn_job *j, const struct grown *trees, int count, bool boost, int rows,
                const double *base, const char *about) {
  const int fraction = boost ? sum_fraction(trees, count, rows, base) : 0;
  struct packing k = {.trees = trees, .count = count, .width = boost ? 1 : j->set->classes};
  int total = 0;
  for (int i = 0; i < count; i++) total += trees[i].n_leaves;
  k.leaf = ARENA_ARRAY(j->a, int16_t *, count);
  k.id = ARENA_ARRAY(j->a, int *, count);
  k.base = ARENA_ARRAY(j->a, int, count);
  quantise_leaves(&k, j->a, boost ? ldexp(1, fraction) : 32767);
  number_shared(&k, j->a, total);
  const int shared = form_of(&k, j->set);
  const size_t shared_bytes = shared < 0 ? SIZE_MAX : bytes_of(&k, shared);
  number_apart(&k, j->a, total);
  int form = form_of(&k, j->set);
  if (form < 0 && shared < 0)
    return err_set(j->e, "a tree of more than 32768 nodes; a depth or min_leaf makes it smaller");
  if (form < 0 || shared_bytes <= bytes_of(&k, form)) {
    memset(k.base, 0, (size_t)count * sizeof *k.base);
    number_shared(&k, j->a, total);
    form = shared;
  }
  return write_model(j, &k, form, boost, rows, base, fraction, about);
}

/* ---- forests ------------------------------------------------------------------------------------ */
/* As many draws as there are vectors, with repeats. */
static uint16_t *draw_weights(uint32_t n, struct rng *r) {
  uint16_t *w = calloc(n, sizeof *w);
  for (uint32_t i = 0; i < n && w; i++) {
    uint16_t *at = &w[rng_below(r, n)];
    if (*at < UINT16_MAX) ++*at;
  }
  return w;
}

static bool grow_one(struct learn_job *j, const struct ranked *r, int index, struct grown *out) {
  struct grow g = {.r = r, .c = j->c, .labels = j->set->labels, .classes = j->set->classes};
  rng_seed(&g.rng, rng_mix(j->c->seed * 0x9E3779B97F4A7C15u + (uint64_t)index));
  const int features = (int)r->features;
  g.columns = j->c->max_columns == 0 && j->c->kind == LEARN_FOREST    ? (int)sqrt(features)
              : j->c->max_columns > 0 && j->c->max_columns < features ? j->c->max_columns
                                                                      : 0;
  if (j->c->kind == LEARN_FOREST && g.columns < 1 && j->c->max_columns == 0) g.columns = 1;
  uint16_t *weight = j->c->bootstrap ? draw_weights(r->n, &g.rng) : NULL;
  g.weight = weight;
  const bool ok = (weight || !j->c->bootstrap) && grow_tree(&g, out, NULL);
  free(weight);
  return ok;
}

bool fit_forest(struct learn_job *j) {
  const int count = j->c->kind == LEARN_TREE ? 1 : j->c->trees;
  struct ranked r;
  int failed = 0, done = 0, nodes = 0;
  if (!ranked_make(j->set, j->a, &r, j->e)) return false;
  struct grown *trees = ARENA_ARRAY(j->a, struct grown, count);
#pragma omp parallel for schedule(dynamic)
  for (int t = 0; t < count; t++) {
    const bool ok = grow_one(j, &r, t, &trees[t]);
#pragma omp critical(learn_forest)
    {
      failed += !ok;
      done++;
      progress_update(j->progress, "trees", (uint64_t)done, (uint64_t)count, "%s", "");
    }
  }
  for (int t = 0; t < count; t++) nodes += trees[t].n_nodes;
  const bool ok =
      failed ? err_set(j->e, "no memory left")
             : trees_pack(j, trees, count, false, j->set->classes, NULL,
                          count == 1 ? arena_printf(j->a, "a tree of %d nodes", nodes)
                                     : arena_printf(j->a, "%d trees of %d nodes", count, nodes));
  for (int t = 0; t < count; t++) grown_free(&trees[t]);
  return ok;
}

/* ---- boosting --------------------------------------------------------------------------------------- */
struct boosting {
  struct learn_job *j;
  const struct ranked *r;
  int rows;
  double *sum, *gradient, *hessian; /* [rows][n] */
  double *base;
  struct grown *trees;
  int32_t *leaf; /* [rows][n] */
};

/* The logarithms of the classes' shares; one sum: that of the odds. */
static void begin_sums(struct boosting *b) {
  const struct learn_set *set = b->j->set;
  double *count = ARENA_ARRAY(b->j->a, double, set->classes);
  for (uint32_t i = 0; i < set->n; i++) count[set->labels[i]]++;
  for (int r = 0; r < b->rows; r++) {
    b->base[r] =
        b->rows == 1 ? log((count[1] + 0.5) / (count[0] + 0.5)) : log((count[r] + 0.5) / set->n);
    for (uint32_t i = 0; i < set->n; i++) b->sum[(size_t)r * set->n + i] = b->base[r];
  }
}

static void derive(struct boosting *b) {
  const struct learn_set *set = b->j->set;
  const size_t n = set->n;
#pragma omp parallel for schedule(static) if (n * (size_t)b->rows > 50000)
  for (size_t i = 0; i < n; i++) {
    double most = b->rows == 1 ? 0 : -INFINITY, total;
    for (int r = 0; r < b->rows; r++) most = fmax(most, b->sum[(size_t)r * n + i]);
    total = b->rows == 1 ? exp(-most) : 0;
    for (int r = 0; r < b->rows; r++) total += exp(b->sum[(size_t)r * n + i] - most);
    for (int r = 0; r < b->rows; r++) {
      const size_t at = (size_t)r * n + i;
      const double p = exp(b->sum[at] - most) / total;
      b->gradient[at] = p - (set->labels[i] == (b->rows == 1 ? 1 : r));
      b->hessian[at] = fmax(p * (1 - p), 1e-16);
    }
  }
}

static bool boost_round(struct boosting *b, int round) {
  const size_t n = b->j->set->n;
  int failed = 0;
#pragma omp parallel for schedule(dynamic) if (n > 5000)
  for (int r = 0; r < b->rows; r++) {
    struct grown *t = &b->trees[round * b->rows + r];
    int32_t *leaf = b->leaf + (size_t)r * n;
    struct grow g = {.r = b->r,
                     .c = b->j->c,
                     .gradient = b->gradient + (size_t)r * n,
                     .hessian = b->hessian + (size_t)r * n};
    rng_seed(&g.rng, rng_mix(b->j->c->seed + (uint64_t)(round * b->rows + r)));
    g.columns = b->j->c->max_columns > 0 && b->j->c->max_columns < (int)b->r->features
                    ? b->j->c->max_columns
                    : 0;
    if (!grow_tree(&g, t, leaf)) {
#pragma omp atomic write
      failed = 1;
      continue;
    }
    for (size_t i = 0; i < n; i++) b->sum[(size_t)r * n + i] += t->leaves[leaf[i]];
  }
  return !failed;
}

bool fit_boost(struct learn_job *j) {
  struct ranked r;
  const int rows = j->set->classes == 2 ? 1 : j->set->classes, count = j->c->trees * rows;
  if (count > 65535)
    return err_set(j->e, "%d rounds of %d classes; at most 65535 trees", j->c->trees, rows);
  if (!ranked_make(j->set, j->a, &r, j->e)) return false;
  const size_t all = (size_t)rows * j->set->n;
  if (all * 32 > arena_left(j->a) / 2) return err_set(j->e, "no memory left");
  struct boosting b = {.j = j, .r = &r, .rows = rows};
  b.sum = ARENA_ARRAY(j->a, double, all);
  b.gradient = ARENA_ARRAY(j->a, double, all);
  b.hessian = ARENA_ARRAY(j->a, double, all);
  b.leaf = ARENA_ARRAY(j->a, int32_t, all);
  b.base = ARENA_ARRAY(j->a, double, rows);
  b.trees = ARENA_ARRAY(j->a, struct grown, count);
  begin_sums(&b);
  bool ok = true;
  for (int round = 0; round < j->c->trees && ok; round++) {
    derive(&b);
    ok = boost_round(&b, round);
    progress_update(j->progress, "boost", (uint64_t)round + 1, (uint64_t)j->c->trees, "%s", "");
  }
  int nodes = 0;
  for (int t = 0; t < count; t++) nodes += b.trees[t].n_nodes;
  ok = ok ? trees_pack(j, b.trees, count, true, rows, b.base,
                       arena_printf(j->a, "%d boosted trees of %d nodes", count, nodes))
          : err_set(j->e, "no memory left");
  for (int t = 0; t < count; t++) grown_free(&b.trees[t]);
  return ok;
}
