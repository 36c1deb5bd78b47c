/* offsets: where each piece of the arena lies.
 *
 * Pieces that live at the same time must not overlap, except as apart[] allows (an output that follows an
 * input as it dies). Any best arrangement can be had by placing its pieces from the lowest offset up, each as
 * low as it goes, so a search over orders finds it: first some greedy orders, then, unless the lower bound is
 * met, depth-first search with that bound and a budget of tries. */
#include "host/compile/private.h"

#include <stdlib.h>
#include <string.h>

enum { SEARCH_ITEMS = 14, SEARCH_BUDGET = 300000, CHANCES = 1000 };

struct search {
  struct item *items;
  int n;
  const struct apart *apart;
  int64_t *offset, *best; /* [n] */
  bool *placed;
  size_t best_bytes, least;
  int top; /* of the last order that was placed: the item whose end is highest */
  int budget;
};

static int64_t round8(int64_t v) { return (v + 7) & ~(int64_t)7; }

/* Whether item i at offset `at` is right with the placed item j. */
static bool may_lie(const struct search *s, int i, int64_t at, int j) {
  const struct apart *below = &s->apart[i * s->n + j], *above = &s->apart[j * s->n + i];
  if (!below->bound) return true;
  if ((below->equal || above->equal) && at == s->offset[j]) return true;
  return s->offset[j] - at >= below->distance || at - s->offset[j] >= above->distance;
}

static bool may_lie_with_all(const struct search *s, int i, int64_t at) {
  for (int j = 0; j < s->n; j++)
    if (s->placed[j] && !may_lie(s, i, at, j)) return false;
  return true;
}

/* The lowest offset for item i. Candidates: zero, and what each placed item allows at its closest. */
static int64_t lowest(const struct search *s, int i) {
  int64_t best = INT64_MAX;
  if (may_lie_with_all(s, i, 0)) return 0;
  for (int j = 0; j < s->n; j++) {
    if (!s->placed[j] || !s->apart[i * s->n + j].bound) continue;
    const int64_t candidates[3] = {s->offset[j],
                                   round8(s->offset[j] + s->apart[j * s->n + i].distance),
                                   (s->offset[j] - s->apart[i * s->n + j].distance) & ~(int64_t)7};
    for (int c = 0; c < 3; c++)
      if (candidates[c] >= 0 && candidates[c] < best && may_lie_with_all(s, i, candidates[c]))
        best = candidates[c];
  }
  return best;
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

/* Greedy keys: larger first. */
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
  for (int round = 0; round < CHANCES && s->best_bytes > s->least; round++) {
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

size_t offsets_place(struct item *items, int n, const struct apart *apart, size_t least,
                     struct arena *a) {
  struct search s = {.items = items,
                     .n = n,
                     .apart = apart,
                     .offset = ARENA_ARRAY(a, int64_t, n + 1),
                     .best = ARENA_ARRAY(a, int64_t, n + 1),
                     .placed = ARENA_ARRAY(a, bool, n + 1),
                     .best_bytes = SIZE_MAX,
                     .least = least,
                     .budget = SEARCH_BUDGET};
  int *order = ARENA_ARRAY(a, int, n + 1);
  if (n == 0) return 0;
  for (int rule = 0; rule < 5; rule++) {
    for (int i = 0; i < n; i++) {
      int k = i;
      for (; k > 0 && key_of(&items[order[k - 1]], rule) < key_of(&items[i], rule); k--)
        order[k] = order[k - 1];
      order[k] = i;
    }
    place_in_order(&s, order);
  }
  search_by_chance(&s, order, a);
  memset(s.placed, 0, (size_t)n * sizeof *s.placed);
  if (n <= SEARCH_ITEMS) search_orders(&s, 0, 0);
  for (int i = 0; i < n; i++) items[i].offset = s.best[i];
  return s.best_bytes;
}
