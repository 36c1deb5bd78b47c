/* regression_test: see the header. */
#include "app/regression_test.h"
#include "app/decide.h"
#include "app/evaluation.h"
#include "app/regression.h"
#include "host/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORST = 5, GROUPS = 12, DOTS = 4000 };

/* ---- measuring -------------------------------------------------------------------------------- */
void regression_test_begin(struct regression_test *t, struct project *p, int n_seeds) {
  const struct project_regression *g = &p->config.regression;
  *t = (struct regression_test){.names = g->of, .n = g->n_of, .unit = g->unit, .n_seeds = n_seeds};
  t->seeds = ARENA_ARRAY(p->arena, struct regression_seed, n_seeds);
}

static void make_room(struct regression_seed *s, struct arena *a, int more) {
  if (s->n + more <= s->room) return;
  const int room = 2 * (s->n + more);
  struct regression_answer *all = ARENA_ARRAY(a, struct regression_answer, room);
  if (s->n) memcpy(all, s->answers, (size_t)s->n * sizeof *all);
  s->answers = all;
  s->room = room;
}

static const float *kept(struct arena *a, const float *x, int n) {
  float *own = ARENA_ARRAY(a, float, n);
  memcpy(own, x, (size_t)n * sizeof *own);
  return own;
}

/* keep: outlives the part's own arena. */
static void keep_answers(struct regression_seed *s, int n, struct arena *keep,
                         const struct dataset *d, const float *said, const float *as_float) {
  make_room(s, keep, d->n_windows);
  for (int i = 0; i < d->n_windows; i++) {
    const struct dataset_window *w = &d->windows[i];
    const struct dataset_sample *x = &d->samples[w->sample];
    const size_t at = (size_t)i * (size_t)n;
    s->answers[s->n++] = (struct regression_answer){
        .sample = x->id,
        .start_s = w->start < 0 ? 0 : (double)w->start / d->config->rate_hz,
        .group = arena_strdup(keep, x->group),
        .source = arena_strdup(keep, x->source),
        .truth = kept(keep, x->numbers, n),
        .said = kept(keep, said + at, n),
        .as_float = as_float ? kept(keep, as_float + at, n) : NULL};
  }
}

/* The chip's answers must be this machine's, to the bit. */
static bool same_on_chip(struct project *p, const struct training_outcome *o, const char *chip,
                         const struct dataset *d, struct err *e) {
  int8_t *here = NULL, *there = NULL;
  if (!decide_here(p->arena, o->graph, &o->features, d, &here, e) ||
      !decide_on_chip(p->arena, p->config.name, o->graph, &o->features, chip, d, &there, e))
    return false;
  return memcmp(here, there, (size_t)d->n_windows * (size_t)o->n_classes) == 0 ||
         err_internal(e,
                      "the chip's answers differ from this machine's; `mote verify --target %s` "
                      "says where",
                      chip);
}

bool regression_test_add(struct regression_test *t, int seed, struct arena *keep, struct project *p,
                         const struct training_outcome *o, const struct dataset_pick *pick,
                         const char *chip, struct err *e) {
  struct dataset d;
  float *said = NULL, *as_float = NULL;
  if (!dataset_load(p, pick, o->classes, o->n_classes, o->range, &d, e)) return false;
  if (d.n_windows == 0) {
    int split = 0;
    while (pick->splits != 1u << split && split < STORE_SPLIT_COUNT) split++;
    err_file(e, p->db_path);
    return err_set(e,
                   "no %s%ssamples%s%s to test; `mote data` shows what there is, `mote data split` "
                   "sets some apart",
                   split < STORE_SPLIT_COUNT ? store_split_name((enum store_split)split) : "",
                   split < STORE_SPLIT_COUNT ? " " : "", pick->group ? " of " : "",
                   pick->group ? pick->group : "");
  }
  if (!regression_here(o->graph, &o->features, o->scales, o->n_classes, &d, p->arena, &said, e))
    return false;
  if (o->model && !regression_float(o->model, &o->features, o->scales, o->n_classes, &d, p->arena,
                                    &as_float, e))
    return false;
  if (chip && !same_on_chip(p, o, chip, &d, e)) return false;
  t->chip = chip;
  keep_answers(&t->seeds[seed], t->n, keep, &d, said, as_float);
  return true;
}

/* Recordings stand or fall together. */
static int32_t *clusters_of(const struct regression_seed *s, struct arena *a) {
  int32_t *of = ARENA_ARRAY(a, int32_t, s->n);
  int count = 0;
  for (int i = 0; i < s->n; i++) /* windows of a sample follow each other */
    of[i] = i && s->answers[i].sample == s->answers[i - 1].sample ? count - 1 : count++;
  return of;
}

static bool figures_of(const struct regression_seed *s, int number, bool as_float,
                       const int32_t *clusters, struct arena *a, struct evaluate_numbers *out,
                       struct err *e) {
  double *truth = ARENA_ARRAY(a, double, s->n), *said = ARENA_ARRAY(a, double, s->n);
  for (int i = 0; i < s->n; i++) {
    const struct regression_answer *x = &s->answers[i];
    truth[i] = (double)x->truth[number];
    said[i] = (double)(as_float ? x->as_float : x->said)[number];
  }
  const struct evaluate_pairs pairs = {s->n, truth, said, clusters};
  return evaluate_numbers(&pairs, 1, a, out, e);
}

bool regression_test_finish(struct regression_test *t, struct arena *a, struct err *e) {
  for (int i = 0; i < t->n_seeds; i++) {
    struct regression_seed *s = &t->seeds[i];
    const int32_t *clusters = clusters_of(s, a);
    s->figures = ARENA_ARRAY(a, struct evaluate_numbers, t->n);
    if (s->answers[0].as_float) s->floats = ARENA_ARRAY(a, struct evaluate_numbers, t->n);
    for (int k = 0; k < t->n; k++)
      if (!figures_of(s, k, false, clusters, a, &s->figures[k], e) ||
          (s->floats && !figures_of(s, k, true, clusters, a, &s->floats[k], e)))
        return false;
  }
  return true;
}

/* ---- groups and the worst ------------------------------------------------------------------------ */
struct group {
  const char *name;
  int windows;
  double *error; /* [n]: mean of |said - truth| */
  double order;  /* by which they are sorted: over the mean error of each number, summed */
};

static int by_order(const void *x, const void *y) {
  const struct group *a = x, *b = y;
  return a->order != b->order ? (a->order < b->order) - (a->order > b->order)
                              : strcmp(a->name, b->name);
}

/* The groups, those with the largest errors first. */
static struct group *groups_of(const struct regression_test *t, struct arena *a, int *count) {
  const struct regression_seed *s = &t->seeds[0];
  struct group *g = ARENA_ARRAY(a, struct group, s->n + 1);
  int n = 0;
  for (int i = 0, last = -1; i < s->n; i++) {
    const struct regression_answer *x = &s->answers[i];
    const char *name = x->group[0] ? x->group : "no group";
    int k = last >= 0 && strcmp(g[last].name, name) == 0 ? last : 0;
    while (k < n && strcmp(g[k].name, name) != 0) k++;
    if (k == n) g[n++] = (struct group){.name = name, .error = ARENA_ARRAY(a, double, t->n)};
    g[last = k].windows++;
    for (int q = 0; q < t->n; q++) g[k].error[q] += fabs((double)x->said[q] - (double)x->truth[q]);
  }
  for (int k = 0; k < n; k++)
    for (int q = 0; q < t->n; q++) {
      g[k].error[q] /= g[k].windows;
      g[k].order += g[k].error[q] / (s->figures[q].mean_error.value + 1e-30);
    }
  qsort(g, (size_t)n, sizeof *g, by_order);
  *count = n;
  return g;
}

struct wrong {
  int answer, number;
  double off; /* against the mean error of that number */
};

static int by_off(const void *x, const void *y) {
  const struct wrong *a = x, *b = y;
  return a->off != b->off ? (a->off < b->off) - (a->off > b->off) : a->answer - b->answer;
}

/* The estimates that are farthest off; returns them all, sorted. */
static struct wrong *worst_of(const struct regression_test *t, struct arena *a, int *count) {
  const struct regression_seed *s = &t->seeds[0];
  struct wrong *w = ARENA_ARRAY(a, struct wrong, (size_t)s->n * (size_t)t->n + 1);
  *count = 0;
  for (int i = 0; i < s->n; i++)
    for (int q = 0; q < t->n; q++) {
      const struct regression_answer *x = &s->answers[i];
      w[(*count)++] = (struct wrong){i, q,
                                     fabs((double)x->said[q] - (double)x->truth[q]) /
                                         (s->figures[q].mean_error.value + 1e-30)};
    }
  qsort(w, (size_t)*count, sizeof *w, by_off);
  return w;
}

/* ---- text ---------------------------------------------------------------------------------------- */
static void print_figures(const char *kind, const struct evaluate_numbers *x) {
  printf("  %-6s off by %.4g (%.4g to %.4g) in the mean, RMS %.4g, bias %+.3g, R2 ", kind,
         x->mean_error.value, x->mean_error.low, x->mean_error.high, x->rms_error.value,
         x->bias.value);
  if (isfinite(x->r2.value))
    printf("%.3f (%.3f to %.3f)\n", x->r2.value, x->r2.low, x->r2.high);
  else
    printf("-\n");
}

/* "ppm" for one number without another name, "flow, l/min". */
static const char *titled(const struct regression_test *t, struct arena *a, int number) {
  return t->unit[0] ? arena_printf(a, "%s, %s", t->names[number], t->unit) : t->names[number];
}

static struct cross_spread spread_of(const struct regression_test *t, struct arena *a, int number,
                                     bool r2) {
  double *values = ARENA_ARRAY(a, double, t->n_seeds);
  for (int s = 0; s < t->n_seeds; s++) {
    const struct evaluate_numbers *x = &t->seeds[s].figures[number];
    values[s] = r2 ? x->r2.value : x->mean_error.value;
  }
  return cross_spread_of(values, t->n_seeds);
}

static void print_groups(const struct regression_test *t, struct arena *a) {
  int n = 0;
  const struct group *g = groups_of(t, a, &n);
  if (n < 2) return;
  printf("\n%-18s %7s  off by, in the mean\n", "group", "windows");
  for (int k = 0; k < n && k < GROUPS; k++) {
    printf("%-18.18s %7d ", g[k].name, g[k].windows);
    for (int q = 0; q < t->n && q < 6; q++) printf(" %10.4g", g[k].error[q]);
    printf("\n");
  }
  if (n > GROUPS) printf("... and %d better ones\n", n - GROUPS);
}

void regression_test_print(const struct regression_test *t, struct arena *a) {
  const struct regression_seed *s = &t->seeds[0];
  printf("%s estimates%s%s\n", text_thousands(s->n),
         t->what ? ", each by a model without its " : "",
         !t->what                         ? ""
         : strcmp(t->what, "groups") == 0 ? "group"
                                          : "fold");
  for (int k = 0; k < t->n; k++) {
    printf("%s\n", titled(t, a, k));
    if (s->floats) print_figures("float", &s->floats[k]);
    print_figures("int8", &s->figures[k]);
    if (!t->seeded) continue;
    const struct cross_spread off = spread_of(t, a, k, false), r2 = spread_of(t, a, k, true);
    printf("  %d seeds off by %.4g (%.4g to %.4g)", t->n_seeds, off.mean, off.least, off.most);
    if (isfinite(r2.mean)) printf(", R2 %.3f (%.3f to %.3f)", r2.mean, r2.least, r2.most);
    printf("\n");
  }
  if (t->chip) printf("chip   the same %s answers, to the bit\n", text_thousands(s->n));
  printf("intervals hold 95 of 100 such sets, drawn by recordings\n");
  print_groups(t, a);
  int n = 0;
  const struct wrong *w = worst_of(t, a, &n);
  printf("\nfarthest off\n");
  for (int k = 0; k < n && k < WORST; k++) {
    const struct regression_answer *x = &s->answers[w[k].answer];
    printf("  sample %-6lld %6.2f s  %s %.4g, said %.4g   %s\n", (long long)x->sample, x->start_s,
           t->names[w[k].number], (double)x->truth[w[k].number], (double)x->said[w[k].number],
           x->source);
  }
}

/* ---- JSON ------------------------------------------------------------------------------------------ */
static void json_figures(struct json *j, const char *key, const struct evaluate_numbers *x) {
  if (!x) {
    json_put_null(j, key);
    return;
  }
  json_open_object(j, key);
  evaluation_json_interval(j, "mean_error", &x->mean_error);
  evaluation_json_interval(j, "rms_error", &x->rms_error);
  evaluation_json_interval(j, "bias", &x->bias);
  evaluation_json_interval(j, "r2", &x->r2);
  json_close_object(j);
}

static void json_spread(struct json *j, const char *key, struct cross_spread s) {
  const bool known = isfinite(s.mean);
  json_open_object(j, key);
  json_put_real(j, "mean", s.mean);
  json_put_real(j, "deviation", s.deviation);
  json_put_real(j, "least", known ? s.least : (double)NAN);
  json_put_real(j, "most", known ? s.most : (double)NAN);
  json_close_object(j);
}

/* Each seed's figures, in the order of the numbers. */
static void json_seeds(const struct regression_test *t, struct json *j) {
  json_open_array(j, "seeds");
  for (int i = 0; i < t->n_seeds; i++) {
    json_open_object(j, NULL);
    json_put_int(j, "seed", t->first_seed + i);
    json_open_array(j, "mean_error");
    for (int k = 0; k < t->n; k++) json_put_real(j, NULL, t->seeds[i].figures[k].mean_error.value);
    json_close_array(j);
    json_open_array(j, "r2");
    for (int k = 0; k < t->n; k++) json_put_real(j, NULL, t->seeds[i].figures[k].r2.value);
    json_close_array(j);
    json_close_object(j);
  }
  json_close_array(j);
}

static void json_groups(const struct regression_test *t, struct arena *a, struct json *j) {
  int n = 0;
  const struct group *g = groups_of(t, a, &n);
  json_open_array(j, "groups");
  for (int k = 0; k < n; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "group", g[k].name);
    json_put_int(j, "windows", g[k].windows);
    json_open_array(j, "mean_error");
    for (int q = 0; q < t->n; q++) json_put_real(j, NULL, g[k].error[q]);
    json_close_array(j);
    json_close_object(j);
  }
  json_close_array(j);
}

void regression_test_json(const struct regression_test *t, struct arena *a, struct json *j) {
  const struct regression_seed *s = &t->seeds[0];
  json_put_int(j, "windows", s->n);
  json_put_string(j, "chip", t->chip);
  json_open_array(j, "numbers");
  for (int k = 0; k < t->n; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "name", t->names[k]);
    json_put_string(j, "unit", t->unit[0] ? t->unit : NULL);
    json_figures(j, "float", s->floats ? &s->floats[k] : NULL);
    json_figures(j, "int8", &s->figures[k]);
    if (t->seeded) {
      json_spread(j, "mean_error_spread", spread_of(t, a, k, false));
      json_spread(j, "r2_spread", spread_of(t, a, k, true));
    }
    json_close_object(j);
  }
  json_close_array(j);
  if (t->seeded) json_seeds(t, j);
  json_groups(t, a, j);
  int n = 0;
  const struct wrong *w = worst_of(t, a, &n);
  json_open_array(j, "worst");
  for (int k = 0; k < n && k < WORST; k++) {
    const struct regression_answer *x = &s->answers[w[k].answer];
    json_open_object(j, NULL);
    json_put_int(j, "sample", x->sample);
    json_put_real(j, "start_s", x->start_s);
    json_put_string(j, "number", t->names[w[k].number]);
    json_put_real(j, "truth", (double)x->truth[w[k].number]);
    json_put_real(j, "said", (double)x->said[w[k].number]);
    json_put_string(j, "source", x->source);
    json_close_object(j);
  }
  json_close_array(j);
}

/* ---- page ------------------------------------------------------------------------------------------ */
static void add_tiles(const struct regression_test *t, struct arena *a, struct report *page,
                      int number) {
  const struct evaluate_numbers *x = &t->seeds[0].figures[number];
  const struct {
    const char *label;
    const struct evaluate_interval *of;
  } all[] = {{"off by, in the mean", &x->mean_error},
             {"root mean square error", &x->rms_error},
             {"bias", &x->bias},
             {"R2, of the spread explained", &x->r2}};
  struct report_tile tiles[4];
  for (int k = 0; k < 4; k++)
    tiles[k] = (struct report_tile){
        isfinite(all[k].of->value)
            ? arena_printf(a, "%.4g%s%s", all[k].of->value, k < 3 && t->unit[0] ? " " : "",
                           k < 3 ? t->unit : "")
            : NULL,
        all[k].label,
        isfinite(all[k].of->low)
            ? arena_printf(a, "%.4g to %.4g of such sets", all[k].of->low, all[k].of->high)
            : NULL,
        -1};
  report_tiles(page, tiles, 4);
}

/* Estimates over truth; the first five groups have a colour each, the others share one. */
static void add_scatter(const struct regression_test *t, struct arena *a, struct report *page,
                        int number) {
  const struct regression_seed *s = &t->seeds[0];
  enum { COLOURS = 6 };
  int n_groups = 0, n = s->n < DOTS ? s->n : DOTS;
  const struct group *g = groups_of(t, a, &n_groups);
  const char *names[COLOURS];
  struct report_dot *dots = ARENA_ARRAY(a, struct report_dot, n + 2);
  for (int k = 0; k < n_groups && k < COLOURS; k++)
    names[k] = k == COLOURS - 1 && n_groups > COLOURS ? "others" : g[k].name;
  for (int i = 0; i < n; i++) {
    const struct regression_answer *x = &s->answers[(int64_t)i * s->n / n];
    const char *name = x->group[0] ? x->group : "no group";
    int group = 0;
    while (group < COLOURS - 1 && group < n_groups - 1 && strcmp(g[group].name, name) != 0) group++;
    dots[i] = (struct report_dot){
        .x = (double)x->truth[number],
        .y = (double)x->said[number],
        .group = group,
        .note = arena_printf(a, "sample %lld, %s: %.4g, said %.4g", (long long)x->sample, x->source,
                             (double)x->truth[number], (double)x->said[number])};
  }
  report_scatter(page, &(struct report_scatter){.caption = "Each window: what it was, and what the "
                                                           "int8 model says",
                                                .x_label = titled(t, a, number),
                                                .y_label = "estimate",
                                                .count = n,
                                                .groups = n_groups < COLOURS ? n_groups : COLOURS,
                                                .group_names = names,
                                                .dots = dots,
                                                .limit_x = NAN});
}

static void add_groups(const struct regression_test *t, struct arena *a, struct report *page) {
  int n = 0;
  const struct group *g = groups_of(t, a, &n);
  if (n < 2) return;
  const int columns = 2 + t->n;
  const char **head = ARENA_ARRAY(a, const char *, columns),
             **cells = ARENA_ARRAY(a, const char *, (size_t)columns *(size_t)n);
  bool *numeric = ARENA_ARRAY(a, bool, columns);
  head[0] = "group", head[1] = "windows", numeric[1] = true;
  for (int q = 0; q < t->n; q++) head[2 + q] = t->names[q], numeric[2 + q] = true;
  for (int k = 0; k < n; k++) {
    const char **row = cells + (size_t)k * (size_t)columns;
    row[0] = g[k].name, row[1] = arena_printf(a, "%d", g[k].windows);
    for (int q = 0; q < t->n; q++) row[2 + q] = arena_printf(a, "%.4g", g[k].error[q]);
  }
  report_heading(page, "Groups");
  report_table(page,
               &(struct report_table){"off by, in the mean", columns, n, head, cells, numeric});
}

bool regression_test_page(const struct regression_test *t, struct project *p, const char *path,
                          struct err *e) {
  struct arena *a = p->arena;
  struct report *page =
      report_new(a, arena_printf(a, "%s: how far is it off?", p->config.name),
                 arena_printf(a,
                              "%s windows that training never saw, estimated by the int8 model. "
                              "Intervals are drawn by recordings.",
                              text_thousands(t->seeds[0].n)));
  for (int k = 0; k < t->n; k++) {
    if (t->n > 1) report_heading(page, t->names[k]);
    add_tiles(t, a, page, k);
    add_scatter(t, a, page, k);
  }
  add_groups(t, a, page);
  return report_write(page, path, e);
}
