/* few: see the header. */
#include "app/few.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS        20     /* how often a device goes through its examples */
#define FACTORY_MOST  400000 /* examples that the factory shows; seconds */
#define MOST_EXAMPLES 255

static const char *const words[] = {"means", "nearest", "softmax"};

bool few_head_from(const char *word, unsigned *kind) {
  for (unsigned k = 0; k < MOTE_ML_ONLINE_KIND_COUNT; k++)
    if (strcmp(word, words[k]) == 0) {
      *kind = k;
      return true;
    }
  return false;
}

/* Steps of gradient descent are stable below 2 / |x|^2, and features have about unit deviation: 2^-rate is at most 1 / n. */
static unsigned rate_for(size_t n) {
  unsigned rate = 0;
  while (rate < 12 && (size_t)1 << rate < n) rate++;
  return rate;
}

static struct mote_ml_online *make(struct arena *a, unsigned kind, size_t n, int room,
                                   size_t *bytes, struct err *e) {
  *bytes = mote_ml_online_bytes(kind, (unsigned)n, (unsigned)room);
  if (!*bytes) {
    err_set(
        e,
        "a head that learns on the device reads up to 256 values and holds up to 255 classes or "
        "examples, and here are %zu and %d; fewer features (or features.channels) work",
        n, room);
    return NULL;
  }
  void *mem = arena_alloc(a, *bytes, 8);
  if (mote_ml_online_init(mem, *bytes, kind, (unsigned)n, (unsigned)room, 32, rate_for(n)) !=
      MOTE_OK) {
    err_internal(e, "an online head of %zu bytes", *bytes);
    return NULL;
  }
  return mem;
}

static void shuffle(int *order, int n, struct rng *r) {
  for (int i = n - 1; i > 0; i--) {
    const int k = (int)rng_below(r, (uint32_t)(i + 1)), kept = order[i];
    order[i] = order[k];
    order[k] = kept;
  }
}

/* Shows examples round after round, every round in another order; heads without gradients need one. */
static void teach(struct mote_ml_online *s, const int8_t *features, size_t each,
                  const int32_t *labels, int *order, int n, int rounds, struct rng *r) {
  if (s->kind != MOTE_ML_ONLINE_SOFTMAX) rounds = 1;
  for (int round = 0; round < rounds; round++) {
    shuffle(order, n, r);
    for (int i = 0; i < n; i++)
      (void)mote_ml_online_learn(s, features + (size_t)order[i] * each, (unsigned)labels[order[i]]);
  }
}

bool few_factory(struct project *p, const struct project_model *m, unsigned kind, int room,
                 unsigned but_splits, struct few_head *out, struct err *e) {
  const struct dataset_pick pick = {.splits =
                                        (1u << STORE_TRAIN | 1u << STORE_VALIDATION) & ~but_splits};
  struct dataset d;
  struct rng r;
  int8_t *features;
  out->state = make(p->arena, kind, m->features.out_bytes, room, &out->bytes, e);
  if (!out->state) return false;
  if (kind == MOTE_ML_ONLINE_NEAREST) return true; /* it holds the device's own examples alone */
  if (!dataset_load(p, &pick, m->classes, m->n_classes, m->range, &d, e) ||
      !dataset_features(&d, &m->features, p->arena, &features, e))
    return false;
  int *order = ARENA_ARRAY(p->arena, int, d.n_windows + 1);
  for (int i = 0; i < d.n_windows; i++) order[i] = i;
  rng_seed(&r, 1);
  const int rounds = d.n_windows ? FACTORY_MOST / d.n_windows : 1;
  teach(out->state, features, m->features.out_bytes, d.labels, order, d.n_windows,
        rounds < 1            ? 1
        : rounds > 2 * ROUNDS ? 2 * ROUNDS
                              : rounds,
        &r);
  mote_ml_online_seal(out->state);
  return true;
}

static double right(struct mote_ml_online *s, const int8_t *features, size_t each,
                    const int32_t *labels, const int *order, int n) {
  int count = 0;
  if (!s->used) return (double)NAN;
  for (int i = 0; i < n; i++)
    count += mote_ml_online_predict(s, features + (size_t)order[i] * each).label ==
             (unsigned)labels[order[i]];
  return n ? (double)count / n : (double)NAN;
}

static bool overlap(const struct dataset *d, int a, int b) {
  const struct dataset_window *x = &d->windows[a], *y = &d->windows[b];
  return x->sample == y->sample &&
         (x->start < 0 || y->start < 0 || llabs(x->start - y->start) < d->window_samples);
}

/* Of order[from .. n) those stay that share no moment with a window of order[0 .. from), which have been taught. Windows lie
 * in the order of samples and time: those that overlap one are its neighbours. Returns the new n. */
static int leave_out(const struct dataset *d, struct arena *a, int *order, int from, int n) {
  bool *seen = ARENA_ARRAY(a, bool, d->n_windows + 1);
  int kept = from;
  for (int i = 0; i < from; i++) {
    for (int k = order[i]; k >= 0 && overlap(d, k, order[i]); k--) seen[k] = true;
    for (int k = order[i]; k < d->n_windows && overlap(d, k, order[i]); k++) seen[k] = true;
  }
  for (int i = from; i < n; i++)
    if (!seen[order[i]]) order[kept++] = order[i];
  return kept;
}

/* One place and one draw: the first `taught` of order are taught, the others may be tested. A class that has no more than
 * `examples` windows gives none: it can be tested all the same. */
static int draw(const struct dataset *d, const int *own, int n, int examples, int classes,
                struct rng *r, int *order) {
  int taught = 0, rest = n;
  int *mixed = order + n; /* its second half is room */
  memcpy(mixed, own, (size_t)n * sizeof *mixed);
  shuffle(mixed, n, r);
  int counts[256] = {0}, drawn[256] = {0};
  for (int i = 0; i < n; i++) counts[d->labels[mixed[i]] % 256]++;
  for (int i = 0; i < n; i++) {
    const int c = d->labels[mixed[i]] % 256;
    if (c < classes && counts[c] > examples && drawn[c] < examples) {
      drawn[c]++;
      order[taught++] = mixed[i];
    } else {
      order[--rest] = mixed[i];
    }
  }
  return taught;
}

static const char *place_of(const struct dataset *d, int window) {
  const char *group = d->samples[d->windows[window].sample].group;
  return group && *group ? group : "(no group)";
}

struct places {
  struct arena *a;
  const struct dataset *d;
  const int8_t *features;
  size_t each;
  int classes;
  const struct few_head *factory;
};

/* Adds one seed's figures of a place. */
static bool measure_place(const struct places *x, const struct few_request *q, int seed,
                          const int *own, int n, struct few_group *g, struct err *e) {
  struct rng r;
  int *order = ARENA_ARRAY(x->a, int, 2 * n + 1);
  rng_seed(&r, (uint64_t)(q->seed + seed));
  const int taught = draw(x->d, own, n, q->examples, x->classes, &r, order);
  if (!taught || taught == n)
    return err_set(
        e,
        "the group \"%s\" has no class with more than %d windows to learn from and others "
        "to test; fewer examples (--learn) work",
        g->name, q->examples);
  n = leave_out(x->d, x->a, order, taught, n);
  if (taught == n)
    return err_set(e,
                   "the group \"%s\" has no window to test that shares no moment with the %d that "
                   "were taught; fewer examples (--learn), or more recordings of it, work",
                   g->name, taught);
  struct mote_ml_online *s = arena_alloc(x->a, x->factory->bytes, 8);
  memcpy(s, x->factory->state, x->factory->bytes);
  g->before += right(s, x->features, x->each, x->d->labels, order + taught, n - taught);
  teach(s, x->features, x->each, x->d->labels, order, taught, ROUNDS, &r);
  g->after += right(s, x->features, x->each, x->d->labels, order + taught, n - taught);
  if (seed == 0) {
    g->taught = taught;
    g->tested = n - taught;
  }
  return true;
}

/* Every place of the test, every seed. */
static bool measure_all(const struct places *x, const struct few_request *q, struct few_figures *f,
                        struct err *e) {
  const struct dataset *d = x->d;
  int *own = ARENA_ARRAY(x->a, int, d->n_windows + 1);
  double *by_seed = ARENA_ARRAY(x->a, double, q->seeds + 1);
  f->groups = ARENA_ARRAY(x->a, struct few_group, d->n_windows + 1);
  for (int i = 0; i < d->n_windows; i++) {
    int known = 0, n = 0;
    while (known < f->n_groups && strcmp(f->groups[known].name, place_of(d, i)) != 0) known++;
    if (known < f->n_groups) continue;
    struct few_group *g = &f->groups[f->n_groups++];
    *g = (struct few_group){.name = place_of(d, i)};
    for (int k = i; k < d->n_windows; k++)
      if (strcmp(place_of(d, k), g->name) == 0) own[n++] = k;
    for (int seed = 0; seed < q->seeds; seed++) {
      const double so_far = g->after;
      if (!measure_place(x, q, seed, own, n, g, e)) return false;
      by_seed[seed] += g->after - so_far;
    }
    g->before /= q->seeds;
    g->after /= q->seeds;
    f->before += g->before;
    f->after += g->after;
  }
  f->before /= f->n_groups;
  f->after /= f->n_groups;
  for (int seed = 0; seed < q->seeds; seed++) {
    const double away = by_seed[seed] / f->n_groups - f->after;
    f->deviation += away * away;
  }
  f->deviation = q->seeds > 1 ? sqrt(f->deviation / (q->seeds - 1)) : 0;
  return true;
}

bool few_measure(struct project *p, const struct project_model *m, const struct few_request *r,
                 const struct dataset_pick *test, struct few_figures *f, struct err *e) {
  struct dataset d;
  struct few_head factory;
  int8_t *features;
  const int64_t most = (int64_t)r->examples * m->n_classes;
  const int room = r->kind != MOTE_ML_ONLINE_NEAREST ? m->n_classes
                   : most > MOST_EXAMPLES            ? MOST_EXAMPLES
                                                     : (int)most;
  memset(f, 0, sizeof *f);
  if (project_only_scores(m))
    return err_set(e, "the model tells anomalies: there are no classes to learn");
  if (!few_factory(p, m, r->kind, room, test->splits, &factory, e) ||
      !dataset_load(p, test, m->classes, m->n_classes, m->range, &d, e) ||
      !dataset_features(&d, &m->features, p->arena, &features, e))
    return false;
  if (!d.n_windows) {
    err_file(e, p->db_path);
    return err_set(e, "no test samples to learn from; `mote data` shows what there is");
  }
  const struct places x = {.a = p->arena,
                           .d = &d,
                           .features = features,
                           .each = m->features.out_bytes,
                           .classes = m->n_classes,
                           .factory = &factory};
  f->head = words[r->kind];
  f->examples = r->examples;
  f->seeds = r->seeds;
  f->head_bytes = factory.bytes;
  f->example_bytes =
      r->kind == MOTE_ML_ONLINE_SOFTMAX ? (size_t)most * (m->features.out_bytes + 1) : 0;
  return measure_all(&x, r, f, e);
}

/* ---- output ------------------------------------------------------------------------------ */
void few_emit(const struct project_model *m, const struct few_head *head, struct text *out) {
  const struct mote_ml_online *s = head->state;
  const uint8_t *bytes = (const uint8_t *)s;
  text_printf(
      out,
      "/* A head that goes on learning on the device, as it leaves the factory, written by Mote. "
      "It reads the features\n"
      " * of a window, int8[%u], in place of the model:\n *\n"
      " *   static uint32_t head[ONLINE_BYTES / 4];     keep it where the device keeps its "
      "settings\n"
      " *   memcpy(head, online_factory, ONLINE_BYTES);\n"
      " *   mote_ml_online_learn((struct mote_ml_online *)head, features, label);     an "
      "example%s\n"
      " *   mote_ml_online_predict((const struct mote_ml_online *)head, features).label\n *\n"
      " * Before saving mote_ml_online_seal, after restoring mote_ml_online_check. */\n"
      "#ifndef ONLINE_H\n#define ONLINE_H\n\n#include \"mote/ml/ml.h\"\n\n"
      "#define ONLINE_CLASSES %d\n#define ONLINE_BYTES   %zuu\n\n"
      "static const uint32_t online_factory[ONLINE_BYTES / 4] = {",
      s->n, s->kind == MOTE_ML_ONLINE_SOFTMAX ? "; show the examples some 20 times, by turns" : "",
      m->n_classes, head->bytes);
  for (size_t i = 0; i + 3 < head->bytes; i += 4)
    text_printf(out, "%s0x%02X%02X%02X%02X",
                i == 0   ? "\n    "
                : i % 32 ? ", "
                         : ",\n    ",
                bytes[i + 3], bytes[i + 2], bytes[i + 1], bytes[i]);
  text_add(out, "};\n\n#endif\n");
}

void few_print(const struct few_figures *f) {
  printf("learns from %d example%s of each class by %s: %zu bytes of RAM", f->examples,
         f->examples == 1 ? "" : "s", f->head, f->head_bytes);
  if (f->example_bytes) printf(", and %zu while it learns", f->example_bytes);
  printf("\n%-16s %8s %8s %9s %9s\n", "group", "taught", "tested", "before", "after");
  for (int k = 0; k < f->n_groups; k++) {
    const struct few_group *g = &f->groups[k];
    printf("%-16s %8d %8d", g->name, g->taught, g->tested);
    if (isnan(g->before))
      printf("         -");
    else
      printf("  %6.1f %%", 100 * g->before);
    printf("  %6.1f %%\n", 100 * g->after);
  }
  printf("%-16s %17s", "mean", "");
  if (isnan(f->before))
    printf("         -");
  else
    printf("  %6.1f %%", 100 * f->before);
  printf("  %6.1f %%", 100 * f->after);
  if (f->seeds > 1) printf(" +- %.1f over %d seeds", 100 * f->deviation, f->seeds);
  printf("\n");
}

static void put_share(struct json *j, const char *key, double x) {
  if (isnan(x))
    json_put_null(j, key);
  else
    json_put_real(j, key, x);
}

void few_json(const struct few_figures *f, struct json *j) {
  json_put_string(j, "head", f->head);
  json_put_int(j, "examples", f->examples);
  json_put_int(j, "seeds", f->seeds);
  json_put_int(j, "head_bytes", (int64_t)f->head_bytes);
  json_put_int(j, "example_bytes", (int64_t)f->example_bytes);
  put_share(j, "accuracy_before", f->before);
  put_share(j, "accuracy_after", f->after);
  put_share(j, "deviation", f->deviation);
  json_open_array(j, "groups");
  for (int k = 0; k < f->n_groups; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "group", f->groups[k].name);
    json_put_int(j, "taught", f->groups[k].taught);
    json_put_int(j, "tested", f->groups[k].tested);
    put_share(j, "accuracy_before", f->groups[k].before);
    put_share(j, "accuracy_after", f->groups[k].after);
    json_close_object(j);
  }
  json_close_array(j);
}
