/* train/sampling: see the header. */
#include "host/train/sampling.h"

bool sampling_repeats(const struct sampling *s) { return s->balance || s->hard > 0.0f; }

static void sort_by_class(struct sampling *s, const int32_t *labels) {
  for (uint32_t i = 0; i < s->n; i++) s->first[labels ? labels[i] + 1 : 1]++;
  for (int c = 0; c < s->classes; c++) s->first[c + 1] += s->first[c];
  for (uint32_t i = 0; i < s->n; i++) s->by_class[s->first[labels ? labels[i] : 0]++] = i;
  /* Each class has moved its own beginning to the next one's. */
  for (int c = s->classes; c > 0; c--) s->first[c] = s->first[c - 1];
  s->first[0] = 0;
}

struct sampling sampling_new(struct arena *a, uint32_t n, const int32_t *labels, int classes,
                             bool balance, float hard) {
  struct sampling s = {.n = n, .balance = balance, .hard = hard};
  s.order = ARENA_ARRAY(a, uint32_t, n);
  if (!sampling_repeats(&s)) return s;
  s.classes = labels && classes > 0 ? classes : 1;
  s.by_class = ARENA_ARRAY(a, uint32_t, n);
  s.turns = ARENA_ARRAY(a, uint32_t, n);
  s.first = ARENA_ARRAY(a, uint32_t, s.classes + 1);
  s.sums = ARENA_ARRAY(a, double, n);
  if (hard > 0.0f) s.hardness = ARENA_ARRAY(a, float, n);
  sort_by_class(&s, s.classes > 1 ? labels : NULL);
  return s;
}

/* As many examples of all equally often as chance and `draws` allow. */
static void draw_evenly(struct sampling *s, struct rng *r, const uint32_t *examples, uint32_t count,
                        uint32_t *out, uint32_t draws) {
  for (uint32_t done = 0; done < draws; done += count) {
    const uint32_t take = draws - done < count ? draws - done : count;
    for (uint32_t i = 0; i < count; i++) s->turns[i] = examples[i];
    rng_shuffle(r, s->turns, count);
    for (uint32_t i = 0; i < take; i++) out[done + i] = s->turns[i];
  }
}

/* Each draw by itself, as often as the hardness says. */
static void draw_hard(struct sampling *s, struct rng *r, const uint32_t *examples, uint32_t count,
                      uint32_t *out, uint32_t draws) {
  double sum = 0;
  for (uint32_t i = 0; i < count; i++) s->sums[i] = sum += (double)s->hardness[examples[i]] + 1e-9;
  for (uint32_t k = 0; k < draws; k++) {
    const double at = (double)rng_unit(r) * sum;
    uint32_t low = 0, high = count - 1;
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (s->sums[middle] > at)
        high = middle;
      else
        low = middle + 1;
    }
    out[k] = examples[low];
  }
}

void sampling_draw(struct sampling *s, uint64_t seed, bool with_hardness) {
  struct rng r;
  rng_seed(&r, seed);
  if (!sampling_repeats(s)) {
    for (uint32_t i = 0; i < s->n; i++) s->order[i] = i;
    rng_shuffle(&r, s->order, s->n);
    return;
  }
  uint32_t at = 0;
  for (int c = 0; c < s->classes; c++) {
    const uint32_t *const examples = s->by_class + s->first[c];
    const uint32_t count = s->first[c + 1] - s->first[c];
    const uint32_t end = s->balance
                             ? (uint32_t)((uint64_t)s->n * (uint64_t)(c + 1) / (uint64_t)s->classes)
                             : s->first[c + 1];
    const uint32_t hard = with_hardness ? (uint32_t)((double)(end - at) * (double)s->hard) : 0;
    if (hard) draw_hard(s, &r, examples, count, s->order + at, hard);
    draw_evenly(s, &r, examples, count, s->order + at + hard, end - at - hard);
    at = end;
  }
  rng_shuffle(&r, s->order, s->n);
}
