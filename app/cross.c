/* cross: see the header. */
#include "app/cross.h"
#include "app/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_SPLITS = 7, BUT_VALIDATION = 1 << STORE_TRAIN | 1 << STORE_TEST };

bool cross_by_group(struct project *p, struct cross_plan *plan, struct err *e) {
  const char **groups = NULL;
  int n = 0;
  if (!store_groups(p->store, p->arena, &groups, &n, e)) return false;
  if (n < 2) {
    err_file(e, p->db_path);
    return err_set(e,
                   "%d group%s; at least two are needed: `mote add --group-from RULE` names them",
                   n, n == 1 ? "" : "s");
  }
  plan->n = n;
  plan->parts = ARENA_ARRAY(p->arena, struct cross_part, n);
  for (int i = 0; i < n; i++)
    plan->parts[i] =
        (struct cross_part){.name = groups[i],
                            .purpose = arena_printf(p->arena, "without %s", groups[i]),
                            .train = {.splits = BUT_VALIDATION, .without = groups[i]},
                            .validation = {.splits = 1u << STORE_VALIDATION, .without = groups[i]},
                            .test = {.splits = ALL_SPLITS, .group = groups[i]}};
  return true;
}

void cross_by_split(struct project *p, enum store_split split, const char *group,
                    struct cross_plan *plan) {
  plan->n = 1;
  plan->parts = ARENA_NEW(p->arena, struct cross_part);
  plan->parts[0] = (struct cross_part){.name = store_split_name(split),
                                       .purpose = "seeds",
                                       .train = {.splits = 1u << STORE_TRAIN},
                                       .validation = {.splits = 1u << STORE_VALIDATION},
                                       .test = {.splits = 1u << split, .group = group}};
}

/* ---- folds ----------------------------------------------------------------------------- */
/* What stays together: the samples of a group, or of a file. */
struct unit {
  int32_t number;
  int samples;
  uint8_t order[32]; /* chance that no file name, order of adding or id decides */
  const int32_t *counts;
};

/* Largest first, since they are the hardest to place; then by chance. */
static int compare_units(const void *a, const void *b) {
  const struct unit *x = a, *y = b;
  if (x->samples != y->samples) return x->samples > y->samples ? -1 : 1;
  return memcmp(x->order, y->order, sizeof x->order);
}

struct dealing {
  struct project *p;
  struct store_sample *samples; /* that are of a class */
  int n, n_units, n_classes;
  int32_t *unit_of, *class_of;
  const char **classes;
  struct unit *units;
};

static bool read_units(struct dealing *d, unsigned splits, struct err *e) {
  struct arena *a = d->p->arena;
  struct store_sample *list = NULL;
  int listed = 0;
  if (!store_list(d->p->store, a, NULL, &list, &listed, e)) return false;
  const char **keys = ARENA_ARRAY(a, const char *, listed + 1),
             **labels = ARENA_ARRAY(a, const char *, listed + 1);
  for (int i = 0; i < listed; i++) {
    const struct store_sample *s = &list[i];
    const bool out = s->disabled || !(splits & 1u << s->split);
    const char *label = out ? NULL : dataset_class_of_label(&d->p->config, s->label);
    if (!label) continue;
    keys[d->n] = s->group[0] ? s->group : arena_printf(a, "\x01%s", data_file_of(a, s->source));
    labels[d->n] = label;
    list[d->n++] = *s;
  }
  d->samples = list;
  d->unit_of = ARENA_ARRAY(a, int32_t, d->n + 1);
  d->class_of = ARENA_ARRAY(a, int32_t, d->n + 1);
  const char **words = NULL;
  d->n_units = data_number_texts(a, keys, d->n, &words, d->unit_of);
  d->n_classes = data_number_texts(a, labels, d->n, &d->classes, d->class_of);
  return true;
}

/* Counts each unit's classes. A unit's chance comes from the numbers of its samples, taken in the order of their hashes'
 * sum: neither where the files lie nor when they were added matters. */
static void count_units(struct dealing *d) {
  struct arena *a = d->p->arena;
  d->units = ARENA_ARRAY(a, struct unit, d->n_units + 1);
  int32_t *counts = ARENA_ARRAY(a, int32_t, (size_t)d->n_units * (size_t)d->n_classes + 1);
  for (int u = 0; u < d->n_units; u++)
    d->units[u] = (struct unit){.number = u, .counts = counts + (size_t)u * (size_t)d->n_classes};
  for (int i = 0; i < d->n; i++) {
    struct unit *u = &d->units[d->unit_of[i]];
    struct sha256 h;
    uint8_t digest[32];
    u->samples++;
    counts[(size_t)d->unit_of[i] * (size_t)d->n_classes + (size_t)d->class_of[i]]++;
    sha256_init(&h);
    sha256_add(&h, d->samples[i].sha256, 64);
    sha256_end(&h, digest);
    for (int k = 0; k < 32; k++) u->order[k] ^= digest[k];
  }
  qsort(d->units, (size_t)d->n_units, sizeof *d->units, compare_units);
}

/* Each unit goes where its classes are rarest so far, each class counted in shares of its whole; among equals to the
 * fold with the fewest samples, then to the first. */
static void deal(const struct dealing *d, int folds, int32_t *fold_of_unit) {
  struct arena *a = d->p->arena;
  const size_t classes = (size_t)d->n_classes;
  int64_t *held = ARENA_ARRAY(a, int64_t, (size_t)folds * classes + 1),
          *size = ARENA_ARRAY(a, int64_t, folds), *total = ARENA_ARRAY(a, int64_t, classes + 1);
  for (int i = 0; i < d->n; i++) total[d->class_of[i]]++;
  for (int i = 0; i < d->n_units; i++) {
    const struct unit *u = &d->units[i];
    int best = 0;
    double least = INFINITY;
    for (int f = 0; f < folds; f++) {
      double cost = 0;
      for (size_t c = 0; c < classes; c++)
        cost += (double)u->counts[c] * (double)(2 * held[(size_t)f * classes + c] + u->counts[c]) /
                ((double)total[c] * (double)total[c]);
      if (cost < least - 1e-15 || (cost < least + 1e-15 && size[f] < size[best])) {
        least = cost;
        best = f;
      }
    }
    fold_of_unit[u->number] = best;
    size[best] += u->samples;
    for (size_t c = 0; c < classes; c++) held[(size_t)best * classes + c] += u->counts[c];
  }
}

/* A class that trains in one fold alone would not be known to the model that this fold tests. */
static bool all_classes_meet(const struct dealing *d, const int32_t *fold, struct err *e) {
  int32_t *first = ARENA_ARRAY(d->p->arena, int32_t, d->n_classes + 1);
  bool *met = ARENA_ARRAY(d->p->arena, bool, d->n_classes + 1);
  for (int c = 0; c < d->n_classes; c++) first[c] = -1;
  for (int i = 0; i < d->n; i++) {
    const int c = d->class_of[i];
    if (!(BUT_VALIDATION & 1 << d->samples[i].split)) continue;
    if (first[c] >= 0 && first[c] != fold[i]) met[c] = true;
    if (first[c] < 0) first[c] = fold[i];
  }
  for (int c = 0; c < d->n_classes; c++)
    if (!met[c])
      return err_set(
          e,
          "all recordings of \"%s\" that can train (the validation split does not) lie "
          "in %s, whose model would not know it; record it in more groups or files, take "
          "some out of validation (mote data split), or name it in data.ignore",
          d->classes[c], first[c] < 0 ? "no fold" : "one fold");
  return true;
}

bool cross_by_fold(struct project *p, int folds, struct cross_plan *plan, struct err *e) {
  struct dealing d = {.p = p};
  struct arena *a = p->arena;
  if (!read_units(&d, ALL_SPLITS, e)) return false;
  err_file(e, p->db_path);
  if (d.n_units < folds)
    return err_set(e, "%d groups and files cannot make %d folds; --folds %d or fewer works",
                   d.n_units, folds, d.n_units);
  count_units(&d);
  int32_t *of_unit = ARENA_ARRAY(a, int32_t, d.n_units + 1);
  deal(&d, folds, of_unit);
  int64_t *ids = ARENA_ARRAY(a, int64_t, d.n + 1);
  int32_t *fold = ARENA_ARRAY(a, int32_t, d.n + 1);
  for (int i = 0; i < d.n; i++) {
    ids[i] = d.samples[i].id; /* listed in their order */
    fold[i] = of_unit[d.unit_of[i]];
  }
  if (!all_classes_meet(&d, fold, e)) return false;
  struct dataset_folds *all = ARENA_NEW(a, struct dataset_folds);
  *all = (struct dataset_folds){ids, fold, d.n};
  plan->n = folds;
  plan->parts = ARENA_ARRAY(a, struct cross_part, folds);
  for (int f = 0; f < folds; f++)
    plan->parts[f] = (struct cross_part){
        .name = arena_printf(a, "fold %d", f + 1),
        .purpose = arena_printf(a, "fold %d of %d", f + 1, folds),
        .train = {.splits = BUT_VALIDATION, .folds = all, .fold = f, .outside = true},
        .validation = {.splits = 1u << STORE_VALIDATION, .folds = all, .fold = f, .outside = true},
        .test = {.splits = ALL_SPLITS, .folds = all, .fold = f}};
  return true;
}

/* ---- turns ------------------------------------------------------------------------------ */
/* Whether every class has a sample outside of the part. */
static bool all_known_without(const struct dealing *d, const int32_t *fold, int part) {
  for (int c = 0; c < d->n_classes; c++) {
    bool known = false;
    for (int i = 0; i < d->n && !known; i++) known = d->class_of[i] == c && fold[i] != part;
    if (!known) return false;
  }
  return true;
}

bool cross_rotate(struct project *p, int most, struct dataset_folds *folds, int *n, struct err *e) {
  struct dealing train = {.p = p}, validation = {.p = p};
  struct arena *a = p->arena;
  *n = 1;
  if (!read_units(&train, 1u << STORE_TRAIN, e) ||
      !read_units(&validation, 1u << STORE_VALIDATION, e))
    return false;
  const int all = train.n + validation.n;
  int64_t *ids = ARENA_ARRAY(a, int64_t, all + 1);
  int32_t *fold = ARENA_ARRAY(a, int32_t, all + 1), *dealt = ARENA_ARRAY(a, int32_t, train.n + 1),
          *of_unit = ARENA_ARRAY(a, int32_t, train.n_units + 1);
  double parts = validation.n ? nearbyint((double)train.n / validation.n) : 0;
  parts = fmin(fmin(fmax(parts, 2), train.n_units), CROSS_MAX_FOLDS);
  if (parts >= 2) {
    count_units(&train);
    deal(&train, (int)parts, of_unit);
  }
  for (int i = 0; i < train.n; i++) dealt[i] = 1 + of_unit[train.unit_of[i]];
  for (int i = 0, t = 0, v = 0; i < all; i++) { /* both are listed by rising ids */
    const bool trains =
        v == validation.n || (t < train.n && train.samples[t].id < validation.samples[v].id);
    ids[i] = trains ? train.samples[t].id : validation.samples[v].id;
    fold[i] = trains ? dealt[t++] : (v++, 0);
  }
  *folds = (struct dataset_folds){ids, fold, all};
  while (parts >= 2 && *n < most && *n <= (int)parts && all_known_without(&train, dealt, *n)) ++*n;
  return true;
}

struct cross_spread cross_spread_of(const double *values, int n) {
  struct cross_spread s = {.deviation = (double)NAN, .least = INFINITY, .most = -INFINITY};
  double squares = 0;
  for (int i = 0; i < n; i++) {
    s.mean += values[i] / n;
    s.least = fmin(s.least, values[i]);
    s.most = fmax(s.most, values[i]);
  }
  for (int i = 0; i < n; i++) squares += (values[i] - s.mean) * (values[i] - s.mean);
  if (n > 1) s.deviation = sqrt(squares / (n - 1));
  return s;
}
