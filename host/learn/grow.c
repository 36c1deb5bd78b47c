/* grow: one tree: the best split of each node by the Gini impurity, or by the gain of second order of a boosted loss.
 *
 * A node's vectors are sorted by the rank of a column, by counting where there are many and by shell sort where there are
 * few, and one pass over them sees every split. The threshold lies in the middle of two values, as whole numbers.
 * source: Breiman and others 1984; Chen and Guestrin 2016, equation 7. */
#include "host/learn/trees.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 512

/* ---- ranks ------------------------------------------------------------------------------ */
static int compare_values(const void *a, const void *b) {
  return *(const int16_t *)a - *(const int16_t *)b;
}

/* The column's values, each once, rising; returns how many. */
static uint32_t sort_values(const struct learn_set *set, size_t f, int16_t *values) {
  uint32_t count = 0;
  for (size_t i = 0; i < set->n; i++) values[i] = set->x[i * set->features + f];
  qsort(values, set->n, sizeof *values, compare_values);
  for (size_t i = 0; i < set->n; i++)
    if (i == 0 || values[i] != values[count - 1]) values[count++] = values[i];
  return count;
}

static uint32_t rank_of(const int16_t *values, uint32_t count, int16_t v) {
  uint32_t low = 0, high = count;
  while (high - low > 1) {
    const uint32_t mid = low + (high - low) / 2;
    if (values[mid] <= v)
      low = mid;
    else
      high = mid;
  }
  return low;
}

bool ranked_make(const struct learn_set *set, struct arena *a, struct ranked *r, struct err *e) {
  const size_t n = set->n;
  *r = (struct ranked){.n = set->n, .features = set->features};
  if (n * set->features * 4 > arena_left(a) / 2)
    return err_set(e, "%u vectors of %u features do not fit into memory", set->n, set->features);
  r->rank = ARENA_ARRAY(a, uint16_t, n * set->features);
  r->value = ARENA_ARRAY(a, int16_t *, set->features);
  r->values = ARENA_ARRAY(a, uint32_t, set->features);
  int16_t *values = ARENA_ARRAY(a, int16_t, n);
  for (size_t f = 0; f < set->features; f++) {
    const uint32_t count = sort_values(set, f, values);
    r->value[f] = memcpy(ARENA_ARRAY(a, int16_t, count), values, count * sizeof *values);
    r->values[f] = count;
    for (size_t i = 0; i < n; i++)
      r->rank[f * n + i] = (uint16_t)rank_of(values, count, set->x[i * set->features + f]);
  }
  return true;
}

void grown_free(struct grown *g) {
  free(g->nodes);
  free(g->leaves);
  memset(g, 0, sizeof *g);
}

/* ---- one tree ------------------------------------------------------------------------------- */
struct growing {
  struct grow *g;
  struct grown *out;
  int32_t *leaf;
  uint32_t *item;     /* the vectors; a node has a run of them */
  uint32_t *sorted;   /* of the node, by the column that is tried */
  uint32_t *count;    /* [largest number of values + 1] */
  uint32_t *columns;  /* a permutation */
  double *left, *all; /* [values of a sum] */
  bool failed;
};

struct split {
  double gain;
  int feature, threshold;
};

static double weight_of(const struct grow *g, uint32_t i) { return g->weight ? g->weight[i] : 1; }

static void sort_items(const struct growing *t, uint32_t first, uint32_t n, uint32_t feature) {
  const uint16_t *rank = t->g->r->rank + (size_t)feature * t->g->r->n;
  const uint32_t values = t->g->r->values[feature];
  if (n * 4 < values) {
    memcpy(t->sorted, t->item + first, n * sizeof *t->sorted);
    uint32_t gap = 1;
    while (gap < n / 3) gap = gap * 3 + 1;
    for (; gap; gap /= 3)
      for (uint32_t i = gap; i < n; i++) {
        const uint32_t x = t->sorted[i];
        uint32_t k = i;
        for (; k >= gap && rank[t->sorted[k - gap]] > rank[x]; k -= gap)
          t->sorted[k] = t->sorted[k - gap];
        t->sorted[k] = x;
      }
    return;
  }
  memset(t->count, 0, (values + 1) * sizeof *t->count);
  for (uint32_t i = 0; i < n; i++) t->count[rank[t->item[first + i]] + 1]++;
  for (uint32_t v = 0; v < values; v++) t->count[v + 1] += t->count[v];
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t x = t->item[first + i];
    t->sorted[t->count[rank[x]]++] = x;
  }
}

static int middle(const struct ranked *r, uint32_t feature, uint32_t low, uint32_t high) {
  const int a = r->value[feature][low], b = r->value[feature][high], sum = a + b;
  return sum >= 0 ? sum / 2 : -((1 - sum) / 2);
}

/* Sum of squares over size, of either side, for the Gini impurity. */
static void best_by_classes(const struct growing *t, uint32_t n, uint32_t feature, double total,
                            struct split *best) {
  const struct grow *g = t->g;
  const uint16_t *rank = g->r->rank + (size_t)feature * g->r->n;
  double left = 0, squares = 0, rest = 0;
  memset(t->left, 0, (size_t)g->classes * sizeof *t->left);
  for (int c = 0; c < g->classes; c++) rest += t->all[c] * t->all[c];
  for (uint32_t i = 0; i + 1 < n; i++) {
    const uint32_t x = t->sorted[i], next = t->sorted[i + 1];
    const double w = weight_of(g, x), before = t->left[g->labels[x]],
                 behind = t->all[g->labels[x]] - before;
    squares += w * (2 * before + w);
    rest -= w * (2 * behind - w);
    t->left[g->labels[x]] = before + w;
    left += w;
    if (rank[x] == rank[next] || (int)i + 1 < g->c->min_leaf || (int)(n - i - 1) < g->c->min_leaf)
      continue;
    const double gain = squares / left + rest / (total - left);
    if (gain > best->gain * (1 + 1e-12))
      *best = (struct split){gain, (int)feature, middle(g->r, feature, rank[x], rank[next])};
  }
}

static void best_by_gradient(const struct growing *t, uint32_t n, uint32_t feature,
                             struct split *best) {
  const struct grow *g = t->g;
  const uint16_t *rank = g->r->rank + (size_t)feature * g->r->n;
  const double l2 = g->c->l2;
  double gl = 0, hl = 0;
  for (uint32_t i = 0; i + 1 < n; i++) {
    const uint32_t x = t->sorted[i], next = t->sorted[i + 1];
    gl += g->gradient[x];
    hl += g->hessian[x];
    if (rank[x] == rank[next] || (int)i + 1 < g->c->min_leaf || (int)(n - i - 1) < g->c->min_leaf)
      continue;
    const double gr = t->all[0] - gl, hr = t->all[1] - hl;
    const double gain = gl * gl / (hl + l2 + 1e-12) + gr * gr / (hr + l2 + 1e-12);
    if (gain > best->gain * (1 + 1e-12))
      *best = (struct split){gain, (int)feature, middle(g->r, feature, rank[x], rank[next])};
  }
}

/* The best split over columns in random order: as many as are to be tried that have more than one value here. */
static struct split find_split(const struct growing *t, uint32_t first, uint32_t n, double total,
                               double least) {
  struct grow *g = t->g;
  struct split best = {least, -1, 0};
  const uint32_t features = g->r->features;
  const int wanted = g->columns ? g->columns : (int)features;
  int tried = 0;
  for (uint32_t k = 0; k < features && tried < wanted; k++) {
    if (g->columns) {
      const uint32_t other = k + rng_below(&g->rng, features - k), c = t->columns[k];
      t->columns[k] = t->columns[other];
      t->columns[other] = c;
    }
    const uint32_t f = t->columns[k];
    sort_items(t, first, n, f);
    const uint16_t *rank = g->r->rank + (size_t)f * g->r->n;
    if (rank[t->sorted[0]] == rank[t->sorted[n - 1]]) continue;
    tried++;
    if (g->classes)
      best_by_classes(t, n, f, total, &best);
    else
      best_by_gradient(t, n, f, &best);
  }
  return best;
}

static void *more(void *memory, int used, int *room, size_t each, bool *failed) {
  if (used < *room) return memory;
  const int grown = 2 * *room + 16;
  void *p = realloc(memory, (size_t)grown * each);
  if (!p) {
    *failed = true;
    return memory;
  }
  *room = grown;
  return p;
}

static int32_t add_leaf(struct growing *t, uint32_t first, uint32_t n, double total) {
  struct grown *o = t->out;
  o->leaves = more(o->leaves, o->n_leaves, &o->room_leaves, (size_t)o->values * sizeof *o->leaves,
                   &t->failed);
  if (t->failed) return ~0;
  double *v = o->leaves + (size_t)o->n_leaves * (size_t)o->values;
  if (t->g->classes)
    for (int c = 0; c < t->g->classes; c++) v[c] = t->all[c] / total;
  else
    v[0] = -t->all[0] / (t->all[1] + t->g->c->l2 + 1e-12) * t->g->c->rate;
  for (uint32_t i = 0; i < n && t->leaf; i++) t->leaf[t->item[first + i]] = o->n_leaves;
  return ~(int32_t)o->n_leaves++;
}

/* Sums of a node's vectors; returns the weight. */
static double sum_items(const struct growing *t, uint32_t first, uint32_t n, bool *pure,
                        double *score) {
  const struct grow *g = t->g;
  double total = 0;
  memset(t->all, 0, (size_t)(g->classes ? g->classes : 2) * sizeof *t->all);
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t x = t->item[first + i];
    total += weight_of(g, x);
    if (g->classes)
      t->all[g->labels[x]] += weight_of(g, x);
    else {
      t->all[0] += g->gradient[x];
      t->all[1] += g->hessian[x];
    }
  }
  *pure = n < 2;
  *score = 0;
  for (int c = 0; c < g->classes; c++) {
    *pure = *pure || t->all[c] >= total;
    *score += t->all[c] * t->all[c] / total;
  }
  if (!g->classes) *score = t->all[0] * t->all[0] / (t->all[1] + g->c->l2 + 1e-12);
  return total;
}

/* Returns the child number of what stands for items first .. first + n - 1. Depth is bounded: every split leaves fewer. */
static int32_t grow_node(struct growing *t, uint32_t first, uint32_t n, int depth) {
  struct grow *g = t->g;
  bool pure;
  double score;
  const double total = sum_items(t, first, n, &pure, &score);
  const int most = g->c->depth ? g->c->depth : DEPTH_MOST;
  if (t->failed || pure || depth >= most) return add_leaf(t, first, n, total);
  /* Classes: any split, as a useless one may make way for a good one; a loss: one that gains. */
  const struct split s = find_split(t, first, n, total, g->classes ? 0 : score * (1 + 1e-9) + 1e-9);
  if (s.feature < 0) return add_leaf(t, first, n, total);
  struct grown *o = t->out;
  o->nodes = more(o->nodes, o->n_nodes, &o->room_nodes, sizeof *o->nodes, &t->failed);
  if (t->failed) return ~0;
  const int32_t node = o->n_nodes++;
  const uint16_t *rank = g->r->rank + (size_t)s.feature * g->r->n;
  uint32_t low = first, high = first + n;
  while (low < high) {
    const uint32_t x = t->item[low];
    if (g->r->value[s.feature][rank[x]] <= s.threshold)
      low++;
    else {
      t->item[low] = t->item[--high];
      t->item[high] = x;
    }
  }
  const int32_t yes = grow_node(t, first, low - first, depth + 1),
                no = grow_node(t, low, first + n - low, depth + 1);
  o->nodes[node] = (struct grown_node){s.feature, s.threshold, yes, no};
  return node;
}

bool grow_tree(struct grow *g, struct grown *out, int32_t *leaf) {
  const struct ranked *r = g->r;
  struct growing t = {.g = g, .out = out, .leaf = leaf};
  uint32_t values = 0, n = 0;
  const size_t sums = (size_t)(g->classes ? g->classes : 2);
  for (uint32_t f = 0; f < r->features; f++)
    if (r->values[f] > values) values = r->values[f];
  *out = (struct grown){.values = g->classes ? g->classes : 1};
  t.item = malloc(r->n * sizeof *t.item);
  t.sorted = malloc(r->n * sizeof *t.sorted);
  t.count = malloc((values + 2) * sizeof *t.count);
  t.columns = malloc(r->features * sizeof *t.columns);
  t.left = malloc(sums * sizeof *t.left);
  t.all = malloc(sums * sizeof *t.all);
  t.failed = !t.item || !t.sorted || !t.count || !t.columns || !t.left || !t.all;
  if (!t.failed) {
    for (uint32_t f = 0; f < r->features; f++) t.columns[f] = f;
    for (uint32_t i = 0; i < r->n; i++)
      if (!g->weight || g->weight[i]) t.item[n++] = i;
    (void)grow_node(&t, 0, n, 0);
  }
  free(t.item), free(t.sorted), free(t.count), free(t.columns), free(t.left), free(t.all);
  if (t.failed) grown_free(out);
  return !t.failed;
}
