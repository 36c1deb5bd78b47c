/* offsets: where each piece of the arena lies.
 *
 * Pieces that live at the same time must not overlap, except as their bounds allow (an output that follows an
 * input as it dies). Any best arrangement can be had by placing its pieces from the lowest offset up, each as
 * low as it goes, so a search over orders finds it: first some greedy orders, then, unless the lower bound is
 * met, depth-first search with that bound and a budget of tries. */
#include "host/compile/private.h"

#include <stdlib.h>
#include <string.h>

enum { SEARCH_ITEMS = 14, SEARCH_BUDGET = 300000, CHANCES = 1000, EFFORT = 20000000 };

struct search {
  struct item *items;
  int n;
  const struct bounds *bounds;
  int64_t *offset, *best; /* [n] */
  bool *placed;
  struct gap *gaps; /* [n] scratch of lowest() */
  size_t best_bytes, least;
  int top; /* of the last order that was placed: the item whose end is highest */
  int budget;
  int64_t effort; /* neighbours that chance may still look at */
};

/* ---- who binds whom -------------------------------------------------------------- */

static void *more_room(struct arena *a, size_t n, size_t size) {
  return arena_alloc(a, 2 * n, size);
}

static void add_bound(struct bounds *b, int *next, const struct item *items, int i, int j) {
  b->list[next[i]++] = (struct apart){j, true, false, (int64_t)items[i].bytes};
}

/* Visits every pair of items that live in a common segment, once: next NULL counts them in b->at[i + 1], else lists
 * them from next[i] on. by_first: items by their first segment; alive: scratch of n. */
static void visit_pairs(struct bounds *b, const struct item *items, int n, const int *by_first,
                        int *alive, int *next) {
  int n_alive = 0;
  for (int k = 0; k < n; k++) {
    const int i = by_first[k];
    int kept = 0;
    for (int m = 0; m < n_alive; m++) {
      const int j = alive[m];
      if (items[j].last < items[i].first) continue;
      alive[kept++] = j;
      if (next != NULL) {
        add_bound(b, next, items, i, j);
        add_bound(b, next, items, j, i);
      } else {
        b->at[i + 1]++;
        b->at[j + 1]++;
      }
    }
    alive[kept++] = i;
    n_alive = kept;
  }
}

static int by_other(const void *x, const void *y) {
  const struct apart *a = x, *b = y;
  return (a->other > b->other) - (a->other < b->other);
}

void bounds_of(struct bounds *b, const struct item *items, int n, int n_segments, struct arena *a) {
  if (b->items_room < n + 1) {
    b->at = more_room(a, (size_t)n + 1, sizeof *b->at);
    b->items_room = 2 * (n + 1);
  }
  memset(b->at, 0, ((size_t)n + 1) * sizeof *b->at);
  int *from = ARENA_ARRAY(a, int, n_segments + 2), *by_first = ARENA_ARRAY(a, int, n + 1),
      *next = ARENA_ARRAY(a, int, n + 1), *alive = ARENA_ARRAY(a, int, n + 1);
  for (int i = 0; i < n; i++) from[items[i].first + 1]++;
  for (int k = 0; k < n_segments; k++) from[k + 1] += from[k];
  for (int i = 0; i < n; i++) by_first[from[items[i].first]++] = i;
  visit_pairs(b, items, n, by_first, alive, NULL);
  int64_t pairs = 0;
  for (int i = 1; i <= n; i++) pairs += b->at[i];
  if (pairs >= b->list_room) { /* room for one even where no two meet: qsort and bsearch take no NULL */
    b->list = more_room(a, (size_t)pairs + 1, sizeof *b->list);
    b->list_room = 2 * (pairs + 1);
  }
  for (int i = 0; i < n; i++) b->at[i + 1] += b->at[i];
  memcpy(next, b->at, (size_t)n * sizeof *next);
  visit_pairs(b, items, n, by_first, alive, next);
  for (int i = 0; i < n; i++)
    qsort(b->list + b->at[i], (size_t)(b->at[i + 1] - b->at[i]), sizeof *b->list, by_other);
}

struct apart *bounds_between(const struct bounds *b, int item, int other) {
  const struct apart key = {.other = other};
  return bsearch(&key, b->list + b->at[item], (size_t)(b->at[item + 1] - b->at[item]),
                 sizeof *b->list, by_other);
}

/* ---- one item ---------------------------------------------------------------------- */

static int64_t round8(int64_t v) { return (v + 7) & ~(int64_t)7; }

/* An item may not lie at low < offset < high because of another, but where that is at `equal` (-1: nowhere). */
struct gap {
  int64_t low, high, equal;
};

static int by_low(const void *x, const void *y) {
  const struct gap *a = x, *b = y;
  return (a->low > b->low) - (a->low < b->low);
}

/* What the placed neighbours of item i forbid, by rising low end. */
static int gaps_of(struct search *s, int i) {
  int n = 0;
  for (int k = s->bounds->at[i]; k < s->bounds->at[i + 1]; k++) {
    const struct apart *below = &s->bounds->list[k];
    const int j = below->other;
    if (!s->placed[j] || !below->bound) continue;
    const struct apart *above = bounds_between(s->bounds, j, i);
    s->gaps[n++] = (struct gap){s->offset[j] - below->distance, s->offset[j] + above->distance,
                                below->equal || above->equal ? s->offset[j] : -1};
  }
  s->effort -= s->bounds->at[i + 1] - s->bounds->at[i];
  qsort(s->gaps, (size_t)n, sizeof *s->gaps, by_low);
  return n;
}

static bool is_free(const struct gap *gaps, int n, int64_t at) {
  for (int k = 0; k < n && gaps[k].low < at; k++)
    if (at < gaps[k].high && at != gaps[k].equal) return false;
  return true;
}

/* The lowest offset for item i, a multiple of 8: above all gaps that begin below it, or where a neighbour lies that
 * allows it there. */
static int64_t lowest(struct search *s, int i) {
  const int n = gaps_of(s, i);
  int64_t at = 0;
  for (int k = 0; k < n && s->gaps[k].low < at; k++) {
    if (s->gaps[k].high > at) at = round8(s->gaps[k].high);
  }
  for (int k = 0; k < n; k++) {
    const int64_t equal = s->gaps[k].equal;
    if (equal >= 0 && equal < at && is_free(s->gaps, n, equal)) at = equal;
  }
  return at;
}

static void keep_if_best(struct search *s, size_t bytes) {
  if (bytes >= s->best_bytes) return;
  s->best_bytes = bytes;
  memcpy(s->best, s->offset, (size_t)s->n * sizeof *s->best);
}

/* Places all items, and returns the bytes that they take. */
static size_t place_in_order(struct search *s, const int *order) {
  size_t bytes = 0;
  memset(s->placed, 0, (size_t)s->n * sizeof *s->placed);
  for (int k = 0; k < s->n; k++) {
    const int i = order[k];
    s->offset[i] = lowest(s, i);
    s->placed[i] = true;
    const size_t end = (size_t)s->offset[i] + s->items[i].bytes;
    if (end > bytes) {
      bytes = end;
      s->top = i;
    }
  }
  keep_if_best(s, bytes);
  return bytes;
}

static void search_orders(struct search *s, int depth, size_t bytes) {
  if (bytes >= s->best_bytes || s->budget-- <= 0 || s->best_bytes <= s->least) return;
  if (depth == s->n) {
    keep_if_best(s, bytes);
    return;
  }
  for (int i = 0; i < s->n; i++) {
    if (s->placed[i]) continue;
    s->offset[i] = lowest(s, i);
    s->placed[i] = true;
    const size_t end = (size_t)s->offset[i] + s->items[i].bytes;
    search_orders(s, depth + 1, end > bytes ? end : bytes);
    s->placed[i] = false;
  }
}

/* Greedy keys: larger first, equal ones in their order. */
struct keyed {
  int64_t key;
  int item;
};

static int64_t key_of(const struct item *item, int rule) {
  const int64_t bytes = (int64_t)item->bytes, lives = item->last - item->first + 1;
  switch (rule) {
  case 0: return bytes;
  case 1: return bytes * lives;
  case 2: return lives * ((int64_t)1 << 32) + bytes;
  case 3: return -(int64_t)item->first * ((int64_t)1 << 32) + bytes;
  default: return (int64_t)item->last * ((int64_t)1 << 32) + bytes;
  }
}

static int by_key(const void *x, const void *y) {
  const struct keyed *a = x, *b = y;
  if (a->key != b->key) return a->key > b->key ? -1 : 1;
  return a->item - b->item;
}

/* Moves item order[from] to place `to`, the others up or down. */
static void move(int *order, int from, int to) {
  const int item = order[from];
  for (; from > to; from--) order[from] = order[from - 1];
  for (; from < to; from++) order[from] = order[from + 1];
  order[to] = item;
}

/* Orders by chance: cheap, and good for graphs too large to search through. Half of the moves bring the item at
 * the top to an earlier place, where the room below it is still free. */
static void search_by_chance(struct search *s, int *order, struct arena *a) {
  struct rng rng;
  int *before = ARENA_ARRAY(a, int, s->n);
  size_t now = place_in_order(s, order);
  rng_seed(&rng, 1);
  s->effort = EFFORT;
  for (int round = 0; round < CHANCES && s->effort > 0 && s->best_bytes > s->least; round++) {
    const int top = s->top;
    int from = (int)rng_below(&rng, (uint32_t)s->n), to = (int)rng_below(&rng, (uint32_t)s->n);
    if (rng_below(&rng, 2) == 0) {
      for (from = 0; order[from] != top;) from++;
      to = (int)rng_below(&rng, (uint32_t)from + 1);
    }
    memcpy(before, order, (size_t)s->n * sizeof *order);
    move(order, from, to);
    const size_t bytes = place_in_order(s, order);
    if (bytes <= now || rng_below(&rng, 16) == 0) {
      now = bytes;
    } else {
      memcpy(order, before, (size_t)s->n * sizeof *order);
      s->top = top;
    }
  }
}

size_t offsets_place(struct item *items, int n, const struct bounds *bounds, size_t least,
                     struct arena *a) {
  struct search s = {.items = items,
                     .n = n,
                     .bounds = bounds,
                     .offset = ARENA_ARRAY(a, int64_t, n + 1),
                     .best = ARENA_ARRAY(a, int64_t, n + 1),
                     .placed = ARENA_ARRAY(a, bool, n + 1),
                     .gaps = ARENA_ARRAY(a, struct gap, n + 1),
                     .best_bytes = SIZE_MAX,
                     .least = least,
                     .budget = SEARCH_BUDGET};
  int *order = ARENA_ARRAY(a, int, n + 1);
  struct keyed *keyed = ARENA_ARRAY(a, struct keyed, n + 1);
  if (n == 0) return 0;
  for (int rule = 0; rule < 5; rule++) {
    for (int i = 0; i < n; i++) keyed[i] = (struct keyed){key_of(&items[i], rule), i};
    qsort(keyed, (size_t)n, sizeof *keyed, by_key);
    for (int i = 0; i < n; i++) order[i] = keyed[i].item;
    place_in_order(&s, order);
  }
  search_by_chance(&s, order, a);
  memset(s.placed, 0, (size_t)n * sizeof *s.placed);
  if (n <= SEARCH_ITEMS) search_orders(&s, 0, 0);
  for (int i = 0; i < n; i++) items[i].offset = s.best[i];
  return s.best_bytes;
}
