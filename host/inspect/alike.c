/* Recordings that are nearly the same, and labels that the neighbours contradict. */
#include "host/inspect/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- near duplicates ------------------------------------------------------------------ */
#define MAX_BUCKET 64 /* recordings with one key: each is compared with so many that follow */

double inspect_likeness(const struct inspect_print *a, const struct inspect_print *b) {
  int different = 0;
  for (int i = 0; i < INSPECT_WORDS; i++)
    different += __builtin_popcount(a->words[i] ^ b->words[i]);
  return 1 - (double)different / (32 * INSPECT_WORDS);
}

struct keyed {
  uint32_t key;
  int32_t item;
};

static int by_key(const void *a, const void *b) {
  const struct keyed *x = a, *y = b;
  if (x->key != y->key) return (x->key > y->key) - (x->key < y->key);
  return (x->item > y->item) - (x->item < y->item);
}

static int by_items(const void *a, const void *b) {
  const struct inspect_pair *x = a, *y = b;
  if (x->first != y->first) return (x->first > y->first) - (x->first < y->first);
  return (x->second > y->second) - (x->second < y->second);
}

static int by_likeness(const void *a, const void *b) {
  const struct inspect_pair *x = a, *y = b;
  if (x->likeness != y->likeness) return (x->likeness < y->likeness) - (x->likeness > y->likeness);
  return by_items(a, b);
}

struct pair_list {
  struct inspect_pair *pairs; /* malloc */
  int n, room;
  bool no_memory, full;
};

static int without_doubles(struct pair_list *l) {
  qsort(l->pairs, (size_t)l->n, sizeof *l->pairs, by_items);
  int kept = 0;
  for (int i = 0; i < l->n; i++)
    if (kept == 0 || by_items(&l->pairs[i], &l->pairs[kept - 1]) != 0)
      l->pairs[kept++] = l->pairs[i];
  return kept;
}

/* The same pair comes with many keys: doubles go out before the list grows. Beyond MAX_PAIRS the rest is left out:
 * a set with millions of near-duplicates needs no list of them all. */
#define MAX_PAIRS (1 << 22)
static void add_pair(struct pair_list *l, struct inspect_pair pair) {
  if (l->full) return;
  if (l->n == l->room) {
    if (l->n) l->n = without_doubles(l);
    if (l->n > l->room / 2 || l->room == 0) {
      const int room = l->room ? 2 * l->room : 1024;
      if (room > MAX_PAIRS) {
        l->full = true;
        return;
      }
      struct inspect_pair *more = realloc(l->pairs, (size_t)room * sizeof *more);
      l->no_memory = !more;
      if (!more) return;
      l->pairs = more;
      l->room = room;
    }
  }
  l->pairs[l->n++] = pair;
}

bool inspect_near_duplicates(struct arena *a, const struct inspect_print *prints, int n,
                             double least, int most, struct inspect_pair **pairs, int *count,
                             struct err *e) {
  /* Half words find more, and cost more: strangers share one of them once in 65536. */
  const int parts = n <= 20000 ? 2 : 1;
  struct pair_list list = {0};
  *count = 0;
  if ((size_t)n * sizeof(struct keyed) + 4096 > arena_left(a))
    return err_set(e, "%d fingerprints do not fit into memory", n);
  struct keyed *keys = ARENA_ARRAY(a, struct keyed, n + 1);
  for (int w = 0; w < INSPECT_WORDS * parts && !list.no_memory; w++) {
    int used = 0;
    for (int i = 0; i < n; i++) {
      if (prints[i].empty) continue;
      const uint32_t word = prints[i].words[w / parts];
      keys[used++] = (struct keyed){parts == 1 ? word : w & 1 ? word >> 16 : word & 0xffff, i};
    }
    qsort(keys, (size_t)used, sizeof *keys, by_key);
    for (int i = 0; i < used; i++) {
      for (int k = i + 1; k < used && k <= i + MAX_BUCKET && keys[k].key == keys[i].key; k++) {
        const double likeness = inspect_likeness(&prints[keys[i].item], &prints[keys[k].item]);
        if (likeness >= least)
          add_pair(&list, (struct inspect_pair){keys[i].item, keys[k].item, likeness});
      }
    }
  }
  int kept = list.n ? without_doubles(&list) : 0;
  if (kept) qsort(list.pairs, (size_t)kept, sizeof *list.pairs, by_likeness);
  if (kept > most) kept = most;
  *pairs = ARENA_ARRAY(a, struct inspect_pair, kept + 1);
  if (kept) memcpy(*pairs, list.pairs, (size_t)kept * sizeof **pairs);
  free(list.pairs);
  *count = kept;
  return list.no_memory ? err_set(e, "no memory left") : true;
}

/* ---- doubts ---------------------------------------------------------------------------- */
#define FOLDS      5
#define NEIGHBOURS 10
#define SURE       0.8 /* where classes lie far apart, their mean confidence is more than a doubt needs */
#define MOST_OTHERS                                                                                \
  6000 /* items that each is compared with: more change the answer little, and cost in proportion */

struct judging {
  const float *points; /* standardised, [n][INSPECT_FEATURES] */
  const int32_t *labels;
  const uint8_t *fold;
  const int32_t *others; /* [n_others]: whom all are compared with */
  int n, n_others, n_classes;
};

/* Each feature with mean 0 and spread 1, so that none decides by its unit. */
static float *standardise(struct arena *a, const float *features, int n) {
  float *points = ARENA_ARRAY(a, float, (size_t)n *INSPECT_FEATURES);
  for (int k = 0; k < INSPECT_FEATURES; k++) {
    double sum = 0, square = 0;
    for (int i = 0; i < n; i++) sum += (double)features[(size_t)i * INSPECT_FEATURES + (size_t)k];
    const double mean = sum / n;
    for (int i = 0; i < n; i++) {
      const double v = (double)features[(size_t)i * INSPECT_FEATURES + (size_t)k] - mean;
      square += v * v;
    }
    const double spread = sqrt(square / n), scale = spread > 1e-9 ? 1 / spread : 0;
    for (int i = 0; i < n; i++) {
      const size_t at = (size_t)i * INSPECT_FEATURES + (size_t)k;
      double v = ((double)features[at] - mean) * scale;
      if (!(v > -4)) v = -4; /* one wild value is not to hide the rest */
      if (v > 4) v = 4;
      points[at] = (float)v;
    }
  }
  return points;
}

static float distance(const float *a, const float *b) {
  float sum = 0;
  for (int k = 0; k < INSPECT_FEATURES; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

/* Class shares among the nearest items of other folds, nearer ones counting more; each class gets a little, so that
 * few neighbours never make certain. */
static void judge(const struct judging *j, int item, float *shares) {
  float nearest[NEIGHBOURS];
  int32_t who[NEIGHBOURS];
  int n = 0;
  const float *point = j->points + (size_t)item * INSPECT_FEATURES;
  for (int i = 0; i < j->n_others; i++) {
    const int other = j->others[i];
    if (j->fold[other] == j->fold[item]) continue;
    const float d = distance(point, j->points + (size_t)other * INSPECT_FEATURES);
    if (n == NEIGHBOURS && d >= nearest[n - 1]) continue;
    int at = n < NEIGHBOURS ? n++ : n - 1;
    for (; at > 0 && nearest[at - 1] > d; at--)
      nearest[at] = nearest[at - 1], who[at] = who[at - 1];
    nearest[at] = d;
    who[at] = other;
  }
  const float prior = 0.5f / (float)j->n_classes;
  float sum = 0;
  for (int c = 0; c < j->n_classes; c++) shares[c] = prior, sum += prior;
  const float unit = n ? nearest[n - 1] + 1e-6f : 1;
  for (int i = 0; i < n; i++) {
    const float weight = 1.5f - nearest[i] / unit;
    shares[j->labels[who[i]]] += weight;
    sum += weight;
  }
  for (int c = 0; c < j->n_classes; c++) shares[c] /= sum;
}

/* Groups stay in a fold where there are enough of them; else each item by its number. */
static void lay_folds(const int32_t *group_of, int n, uint64_t seed, uint8_t *fold) {
  int groups = 0;
  for (int i = 0; group_of && i < n; i++)
    if (group_of[i] >= groups) groups = group_of[i] + 1;
  const bool by_group = groups >= 2 * FOLDS;
  for (int i = 0; i < n; i++)
    fold[i] = (uint8_t)(rng_mix(seed + (uint64_t)(by_group ? group_of[i] : i)) % FOLDS);
}

static int by_confidence(const void *a, const void *b) {
  const struct inspect_doubt *x = a, *y = b;
  const double p = x->confidence - x->given, q = y->confidence - y->given;
  if (p != q) return (p < q) - (p > q);
  return (x->item > y->item) - (x->item < y->item);
}

static int find_doubts(const struct judging *j, const float *shares, struct arena *a,
                       struct inspect_doubt *doubts, double *accuracy) {
  const int classes = j->n_classes;
  double *usual = ARENA_ARRAY(a, double, classes);
  int *size = ARENA_ARRAY(a, int, classes);
  int n = 0, right = 0;
  for (int i = 0; i < j->n; i++) {
    usual[j->labels[i]] += (double)shares[(size_t)i * (size_t)classes + (size_t)j->labels[i]];
    size[j->labels[i]]++;
  }
  for (int c = 0; c < classes; c++) {
    usual[c] = size[c] ? usual[c] / size[c] : 1;
    if (usual[c] > SURE) usual[c] = SURE;
  }
  for (int i = 0; i < j->n; i++) {
    const float *p = shares + (size_t)i * (size_t)classes;
    const int label = j->labels[i];
    int best = 0;
    for (int c = 1; c < classes; c++)
      if (p[c] > p[best]) best = c;
    right += best == label;
    if (best == label || (double)p[best] < usual[best] || (double)p[best] < 0.5 ||
        (double)p[label] >= usual[label])
      continue;
    doubts[n++] = (struct inspect_doubt){i, label, best, (double)p[best], (double)p[label]};
  }
  *accuracy = j->n ? (double)right / j->n : 0;
  return n;
}

bool inspect_doubts(struct arena *a, const float *features, const int32_t *labels,
                    const int32_t *group_of, int n, int n_classes, uint64_t seed,
                    struct inspect_doubt **doubts, int *count, double *accuracy, struct err *e) {
  *count = 0;
  *accuracy = 0;
  *doubts = ARENA_ARRAY(a, struct inspect_doubt, n + 1);
  if (n < 2 * NEIGHBOURS || n_classes < 2) return true;
  const size_t room =
      (size_t)n * (INSPECT_FEATURES + (size_t)n_classes) * sizeof(float) + (size_t)n * 8 + 65536;
  if (room > arena_left(a)) return err_set(e, "%d samples do not fit into memory", n);
  uint8_t *fold = ARENA_ARRAY(a, uint8_t, n);
  uint32_t *order = ARENA_ARRAY(a, uint32_t, n);
  int32_t *others = ARENA_ARRAY(a, int32_t, n);
  float *shares = ARENA_ARRAY(a, float, (size_t)n *(size_t)n_classes);
  struct rng rng;
  rng_seed(&rng, seed);
  for (int i = 0; i < n; i++) order[i] = (uint32_t)i;
  rng_shuffle(&rng, order, (uint32_t)n);
  const int n_others = n < MOST_OTHERS ? n : MOST_OTHERS;
  for (int i = 0; i < n_others; i++) others[i] = (int32_t)order[i];
  lay_folds(group_of, n, seed, fold);
  const struct judging j = {.points = standardise(a, features, n),
                            .labels = labels,
                            .fold = fold,
                            .others = others,
                            .n = n,
                            .n_others = n_others,
                            .n_classes = n_classes};
#pragma omp parallel for schedule(dynamic, 64)
  for (int i = 0; i < n; i++) judge(&j, i, shares + (size_t)i * (size_t)n_classes);
  *count = find_doubts(&j, shares, a, *doubts, accuracy);
  qsort(*doubts, (size_t)*count, sizeof **doubts, by_confidence);
  return true;
}
