/* Division into splits: whole groups, each class as near to the wanted shares as they allow.
 *
 * The cost of a division is the sum over classes and splits of (have - want)^2 / class size: squares, so that one bad
 * class weighs more than many small ones, over the size, so that small classes count as much as large ones.
 * Groups go in by falling size, each where it costs least; then single groups move, and pairs change places,
 * while that lowers the cost. With as many groups as items this is a stratified division. */
#include "host/inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

#define MOVE_PASSES 20
#define MAX_SWAPS   2000 /* groups: every pair is tried, so no more than 2 million a pass */

struct cell {
  int32_t class, count;
};

struct dividing {
  const struct inspect_division *d;
  const struct cell **cells; /* [n_groups]: its classes */
  int *n_cells, *size;
  double *want, *have; /* [n_classes][INSPECT_SPLITS] */
  double *scale;       /* 1 / class size */
  int64_t in_split[INSPECT_SPLITS];
  int groups_in[INSPECT_SPLITS];
  uint8_t *split;
};

struct order {
  int32_t group, size;
  uint64_t draw;
};

static int by_size(const void *a, const void *b) {
  const struct order *x = a, *y = b;
  if (x->size != y->size) return (x->size < y->size) - (x->size > y->size);
  return (x->draw > y->draw) - (x->draw < y->draw);
}

struct pair {
  int32_t group, class;
};

static int by_group(const void *a, const void *b) {
  const struct pair *x = a, *y = b;
  if (x->group != y->group) return (x->group > y->group) - (x->group < y->group);
  return (x->class > y->class) - (x->class < y->class);
}

/* The classes of each group with their counts. */
static void count_cells(struct arena *a, struct dividing *v) {
  const struct inspect_division *d = v->d;
  struct pair *pairs = ARENA_ARRAY(a, struct pair, d->n_items + 1);
  struct cell *cells = ARENA_ARRAY(a, struct cell, d->n_items + 1);
  int n = 0;
  for (int i = 0; i < d->n_items; i++) pairs[i] = (struct pair){d->group_of[i], d->class_of[i]};
  qsort(pairs, (size_t)d->n_items, sizeof *pairs, by_group);
  for (int i = 0; i < d->n_items; i++) {
    const int g = pairs[i].group;
    const bool same = i > 0 && pairs[i - 1].group == g && pairs[i - 1].class == pairs[i].class;
    if (!v->n_cells[g]) v->cells[g] = &cells[n];
    if (!same) {
      cells[n++] = (struct cell){pairs[i].class, 0};
      v->n_cells[g]++;
    }
    cells[n - 1].count++;
    v->size[g]++;
  }
}

/* What the cost changes by when a group comes into (sign 1) or leaves (sign -1) a split. */
static double change_of(const struct dividing *v, int g, int s, int sign) {
  double change = 0;
  for (int k = 0; k < v->n_cells[g]; k++) {
    const struct cell *c = &v->cells[g][k];
    const size_t at = (size_t)c->class * INSPECT_SPLITS + (size_t)s;
    const double off = v->have[at] - v->want[at], by = sign * (double)c->count;
    change += ((off + by) * (off + by) - off * off) * v->scale[c->class];
  }
  return change;
}

static void place(struct dividing *v, int g, int s, int sign) {
  for (int k = 0; k < v->n_cells[g]; k++) {
    const struct cell *c = &v->cells[g][k];
    v->have[(size_t)c->class * INSPECT_SPLITS + (size_t)s] += sign * (double)c->count;
  }
  v->groups_in[s] += sign;
  v->in_split[s] += sign * (int64_t)v->size[g];
  if (sign > 0) v->split[g] = (uint8_t)s;
}

/* How far a split still is from what it should hold: breaks ties where a group's classes are all served alike. */
static double lack(const struct dividing *v, int s) {
  return v->d->share[s] * v->d->n_items - (double)v->in_split[s];
}

static int cheapest(const struct dividing *v, int g) {
  int best = -1;
  double least = 0;
  for (int s = 0; s < INSPECT_SPLITS; s++) {
    if (!(v->d->share[s] > 0)) continue;
    const double cost = change_of(v, g, s, 1);
    const bool better =
        best < 0 || cost < least - 1e-12 || (cost < least + 1e-12 && lack(v, s) > lack(v, best));
    if (better) best = s, least = cost;
  }
  return best;
}

static bool try_moves(struct dividing *v, const struct order *order) {
  bool moved = false;
  for (int i = 0; i < v->d->n_groups; i++) {
    const int g = order[i].group, from = v->split[g];
    if (v->groups_in[from] < 2) continue;
    place(v, g, from, -1);
    int to = cheapest(v, g);
    if (to != from && change_of(v, g, to, 1) >= change_of(v, g, from, 1) - 1e-9) to = from;
    place(v, g, to, 1);
    moved |= to != from;
  }
  return moved;
}

static bool try_swaps(struct dividing *v, const struct order *order) {
  bool moved = false;
  for (int i = 0; i < v->d->n_groups; i++) {
    for (int k = i + 1; k < v->d->n_groups; k++) {
      const int g = order[i].group, h = order[k].group;
      const int s = v->split[g], t = v->split[h];
      if (s == t) continue;
      double change = change_of(v, g, s, -1) + change_of(v, h, t, -1);
      place(v, g, s, -1);
      place(v, h, t, -1);
      change += change_of(v, g, t, 1) + change_of(v, h, s, 1);
      const bool better = change < -1e-9;
      place(v, g, better ? t : s, 1);
      place(v, h, better ? s : t, 1);
      moved |= better;
    }
  }
  return moved;
}

/* Every wanted split gets a group: the smallest of a split that has several. */
static void fill_empty(struct dividing *v, const struct order *order) {
  for (int s = 0; s < INSPECT_SPLITS; s++) {
    if (!(v->d->share[s] > 0) || v->groups_in[s]) continue;
    for (int i = v->d->n_groups - 1; i >= 0; i--) {
      const int g = order[i].group, from = v->split[g];
      if (v->groups_in[from] < 2) continue;
      place(v, g, from, -1);
      place(v, g, s, 1);
      break;
    }
  }
}

bool inspect_divide(struct arena *a, const struct inspect_division *d, uint8_t *split,
                    struct err *e) {
  int wanted = 0;
  for (int s = 0; s < INSPECT_SPLITS; s++) wanted += d->share[s] > 0;
  if (d->n_groups < wanted)
    return err_set(
        e,
        "%d group%s cannot fill %d splits, since none may lie in two; a key with more values, or "
        "fewer splits (--validation 0), would do",
        d->n_groups, d->n_groups == 1 ? "" : "s", wanted);
  const size_t cells = (size_t)d->n_classes * INSPECT_SPLITS;
  if (((size_t)d->n_items + (size_t)d->n_groups) * 64 + cells * 16 + 4096 > arena_left(a))
    return err_set(e, "%d samples are too many for the memory that is left", d->n_items);
  struct dividing v = {.d = d, .split = split};
  v.cells = ARENA_ARRAY(a, const struct cell *, d->n_groups);
  v.n_cells = ARENA_ARRAY(a, int, d->n_groups);
  v.size = ARENA_ARRAY(a, int, d->n_groups);
  v.want = ARENA_ARRAY(a, double, cells);
  v.have = ARENA_ARRAY(a, double, cells);
  v.scale = ARENA_ARRAY(a, double, d->n_classes);
  count_cells(a, &v);
  for (int i = 0; i < d->n_items; i++) v.scale[d->class_of[i]] += 1;
  for (size_t k = 0; k < cells; k++)
    v.want[k] = d->share[k % INSPECT_SPLITS] * v.scale[k / INSPECT_SPLITS];
  for (int k = 0; k < d->n_classes; k++) v.scale[k] = v.scale[k] > 0 ? 1 / v.scale[k] : 0;
  struct order *order = ARENA_ARRAY(a, struct order, d->n_groups);
  for (int g = 0; g < d->n_groups; g++)
    order[g] = (struct order){g, v.size[g],
                              rng_mix(d->seed * 0x9e3779b97f4a7c15u + (uint64_t)(unsigned)g)};
  qsort(order, (size_t)d->n_groups, sizeof *order, by_size);
  for (int i = 0; i < d->n_groups; i++) place(&v, order[i].group, cheapest(&v, order[i].group), 1);
  fill_empty(&v, order);
  bool better = true;
  for (int pass = 0; pass < MOVE_PASSES && better; pass++) {
    better = try_moves(&v, order);
    if (!better && d->n_groups <= MAX_SWAPS) better = try_swaps(&v, order);
  }
  return true;
}
