/* evaluation: see the header. */
#include "app/evaluation.h"
#include "app/report_table.h"
#include "host/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORST = 24, POINTS = 200, STEPS = 10 };

static int best_of(const struct evaluation *v, int i) {
  const float *const row = v->set.scores + (size_t)i * (size_t)v->set.classes;
  int best = 0;
  for (int c = 1; c < v->set.classes; c++)
    if (row[c] > row[best]) best = c;
  return best;
}

static double sureness(const struct evaluation *v, int i) {
  return (double)v->set.scores[(size_t)i * (size_t)v->set.classes + (size_t)best_of(v, i)];
}

/* ---- gathering -------------------------------------------------------------------------- */

static void grow(struct evaluation *v, struct arena *a, int more) {
  if (v->set.n + more <= v->room) return;
  const int room = 2 * (v->set.n + more);
  const size_t classes = (size_t)v->set.classes, n = (size_t)v->set.n;
  int32_t *const truth = ARENA_ARRAY(a, int32_t, room), *const clusters =
                                                            ARENA_ARRAY(a, int32_t, room);
  float *const scores = ARENA_ARRAY(a, float, (size_t)room *classes);
  struct evaluation_window *const windows = ARENA_ARRAY(a, struct evaluation_window, room);
  if (n) {
    memcpy(truth, v->set.truth, n * sizeof *truth);
    memcpy(clusters, v->set.clusters, n * sizeof *clusters);
    memcpy(scores, v->set.scores, n * classes * sizeof *scores);
    memcpy(windows, v->windows, n * sizeof *windows);
  }
  v->set.truth = truth, v->set.clusters = clusters, v->set.scores = scores;
  v->windows = windows;
  v->room = room;
}

void evaluation_add(struct evaluation *v, struct arena *a, const struct dataset *d,
                    const char *const *classes, int n_classes, const int8_t *scores) {
  int cluster = v->set.n ? v->set.clusters[v->set.n - 1] + 1 : 0;
  uint32_t sample = UINT32_MAX;
  const char *group = "", *source = "";
  v->set.classes = n_classes;
  v->classes = classes;
  grow(v, a, d->n_windows);
  int32_t *const truth = (int32_t *)(uintptr_t)v->set.truth;
  int32_t *const clusters = (int32_t *)(uintptr_t)v->set.clusters;
  float *const to = (float *)(uintptr_t)v->set.scores;
  for (int i = 0; i < d->n_windows; i++) {
    if (d->labels[i] < 0) continue;
    const struct dataset_sample *const s = &d->samples[d->windows[i].sample];
    const int at = v->set.n++;
    if (sample != d->windows[i].sample) {
      if (sample != UINT32_MAX) cluster++;
      sample = d->windows[i].sample;
      group = arena_strdup(a, s->group), source = arena_strdup(a, s->source);
    }
    truth[at] = d->labels[i];
    clusters[at] = cluster;
    v->windows[at] = (struct evaluation_window){s->id, d->windows[i].start, group, source};
    for (int c = 0; c < n_classes; c++)
      to[(size_t)at * (size_t)n_classes + (size_t)c] =
          (float)(scores[(size_t)i * (size_t)n_classes + (size_t)c] + 128) / 256;
  }
}

/* Wrong windows, surest first; one of each recording. */
static void find_worst(struct evaluation *v, struct arena *a) {
  v->worst = ARENA_ARRAY(a, int, WORST);
  for (int i = 0; i < v->set.n; i++) {
    if (best_of(v, i) == v->set.truth[i]) continue;
    int same = -1;
    for (int k = 0; k < v->n_worst; k++)
      if (v->windows[v->worst[k]].sample == v->windows[i].sample) same = k;
    if (same >= 0 && sureness(v, v->worst[same]) >= sureness(v, i)) continue;
    if (same >= 0) {
      memmove(v->worst + same, v->worst + same + 1,
              (size_t)(--v->n_worst - same) * sizeof *v->worst);
    }
    int at = v->n_worst < WORST ? v->n_worst++ : WORST;
    for (; at > 0 && sureness(v, v->worst[at - 1]) < sureness(v, i); at--)
      if (at < WORST) v->worst[at] = v->worst[at - 1];
    if (at < WORST) v->worst[at] = i;
  }
}

static int by_accuracy(const void *x, const void *y) {
  const struct evaluation_slice *const a = x, *const b = y;
  return a->accuracy != b->accuracy ? (a->accuracy > b->accuracy) - (a->accuracy < b->accuracy)
                                    : strcmp(a->name, b->name);
}

/* Groups, least accurate first. */
static void find_slices(struct evaluation *v, struct arena *a) {
  v->slices = ARENA_ARRAY(a, struct evaluation_slice, v->set.n + 1);
  int last = -1;
  for (int i = 0; i < v->set.n; i++) {
    const char *const name = v->windows[i].group;
    if (!name[0]) continue;
    int k = last >= 0 && strcmp(v->slices[last].name, name) == 0 ? last : 0;
    while (k < v->n_slices && strcmp(v->slices[k].name, name) != 0) k++;
    if (k == v->n_slices) v->slices[v->n_slices++] = (struct evaluation_slice){.name = name};
    last = k;
    v->slices[k].windows++;
    v->slices[k].accuracy += best_of(v, i) == v->set.truth[i];
  }
  for (int k = 0; k < v->n_slices; k++) v->slices[k].accuracy /= v->slices[k].windows;
  qsort(v->slices, (size_t)v->n_slices, sizeof *v->slices, by_accuracy);
}

bool evaluation_finish(struct evaluation *v, uint64_t seed, struct arena *a, struct err *e) {
  find_worst(v, a);
  find_slices(v, a);
  return evaluate_measure(&v->set, seed, a, &v->figures, e);
}

/* ---- text and object ---------------------------------------------------------------------- */

static void print_interval(const char *name, const struct evaluate_interval *x) {
  printf("%-22s %6.2f %%   %.1f to %.1f %%\n", name, 100 * x->value, 100 * x->low, 100 * x->high);
}

static void print_share(double x) {
  if (isfinite(x))
    printf(" %8.1f%%", 100 * x);
  else
    printf(" %9s", "-");
}

void evaluation_print(const struct evaluation *v) {
  const struct evaluate_figures *const f = &v->figures;
  printf("\n%-22s %8s   %s\n", "int8, windows", "", "95 % of such sets, drawn by recordings");
  print_interval("accuracy", &f->accuracy);
  print_interval("balanced accuracy", &f->balanced_accuracy);
  print_interval("macro F1", &f->macro_f1);
  printf("calibration error      %6.2f %%   %.2f %% with temperature %.2f\n\n",
         100 * f->calibration_error, 100 * f->calibration_error_tempered, f->temperature);
  printf("%-18s %7s %9s %9s %9s %9s %9s\n", "class", "windows", "precision", "recall", "F1",
         "ROC area", "PR area");
  for (int c = 0; c < v->set.classes && c < 60; c++) {
    const struct evaluate_class *const x = &f->per_class[c];
    printf("%-18.18s %7lld", v->classes[c], (long long)x->count);
    print_share(x->precision), print_share(x->recall), print_share(x->f1);
    print_share(x->roc_auc), print_share(x->average_precision);
    printf("\n");
  }
  if (v->n_slices > 1) printf("\n%-18s %7s %9s\n", "group", "windows", "accuracy");
  for (int k = 0; v->n_slices > 1 && k < v->n_slices && k < 12; k++)
    printf("%-18.18s %7d %8.1f%%\n", v->slices[k].name, v->slices[k].windows,
           100 * v->slices[k].accuracy);
  if (v->n_slices > 12) printf("... and %d better ones\n", v->n_slices - 12);
  if (v->n_trials) printf("\n%-14s %-22s %9s\n", "disturbed by", "", "accuracy");
  for (int k = 0; k < v->n_trials; k++)
    printf("%-14s %-22s %8.1f%%\n", v->trials[k].name, v->trials[k].amount,
           100 * v->trials[k].accuracy);
}

static void json_lists(const struct evaluation *v, struct json *j) {
  json_open_array(j, "slices");
  for (int k = 0; k < v->n_slices; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "group", v->slices[k].name);
    json_put_int(j, "windows", v->slices[k].windows);
    json_put_real(j, "accuracy", v->slices[k].accuracy);
    json_close_object(j);
  }
  json_close_array(j);
  json_open_array(j, "robustness");
  for (int k = 0; k < v->n_trials; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "disturbance", v->trials[k].name);
    json_put_string(j, "amount", v->trials[k].amount);
    json_put_real(j, "accuracy", v->trials[k].accuracy);
    json_close_object(j);
  }
  json_close_array(j);
  json_open_array(j, "worst");
  for (int k = 0; k < v->n_worst; k++) {
    const int i = v->worst[k];
    json_open_object(j, NULL);
    json_put_int(j, "sample", v->windows[i].sample);
    json_put_int(j, "start", v->windows[i].start);
    json_put_string(j, "source", v->windows[i].source);
    json_put_string(j, "class", v->classes[v->set.truth[i]]);
    json_put_string(j, "answer", v->classes[best_of(v, i)]);
    json_put_real(j, "score", sureness(v, i));
    json_close_object(j);
  }
  json_close_array(j);
}

void evaluation_json_interval(struct json *j, const char *key, const struct evaluate_interval *x) {
  const double values[] = {x->value, x->low, x->high};
  static const char *const keys[] = {"value", "low", "high"};
  json_open_object(j, key);
  for (int k = 0; k < 3; k++)
    if (isfinite(values[k]))
      json_put_real(j, keys[k], values[k]);
    else
      json_put_null(j, keys[k]);
  json_close_object(j);
}

void evaluation_json(const struct evaluation *v, struct json *j) {
  const struct evaluate_figures *const f = &v->figures;
  json_open_object(j, "intervals");
  evaluation_json_interval(j, "accuracy", &f->accuracy);
  evaluation_json_interval(j, "balanced_accuracy", &f->balanced_accuracy);
  evaluation_json_interval(j, "macro_f1", &f->macro_f1);
  json_close_object(j);
  json_open_object(j, "calibration");
  json_put_real(j, "log_loss", f->log_loss);
  json_put_real(j, "expected_error", f->calibration_error);
  json_put_real(j, "temperature", f->temperature);
  json_put_real(j, "expected_error_tempered", f->calibration_error_tempered);
  json_close_object(j);
  json_open_array(j, "per_class");
  for (int c = 0; c < v->set.classes; c++) {
    const struct evaluate_class *const x = &f->per_class[c];
    json_open_object(j, NULL);
    json_put_string(j, "class", v->classes[c]);
    json_put_int(j, "windows", x->count);
    json_put_real(j, "precision", x->precision);
    json_put_real(j, "recall", x->recall);
    json_put_real(j, "f1", x->f1);
    json_put_real(j, "roc_auc", x->roc_auc);
    json_put_real(j, "average_precision", x->average_precision);
    json_close_object(j);
  }
  json_close_array(j);
  json_lists(v, j);
}

/* ---- page ----------------------------------------------------------------------------------- */

static const char *percent(struct arena *a, double x) {
  return isfinite(x) ? report_percent(a, x) : NULL;
}

static const char *span(struct arena *a, const struct evaluate_interval *x) {
  return arena_printf(a, "%.1f to %.1f %% of such sets", 100 * x->low, 100 * x->high);
}

static void page_tiles(const struct evaluation *v, struct report *page, struct arena *a) {
  const struct evaluate_figures *const f = &v->figures;
  const struct report_tile tiles[] = {
      {percent(a, f->accuracy.value), "accuracy", span(a, &f->accuracy), -1},
      {percent(a, f->balanced_accuracy.value), "balanced accuracy", span(a, &f->balanced_accuracy),
       -1},
      {percent(a, f->macro_f1.value), "macro F1", span(a, &f->macro_f1), -1},
      {percent(a, f->calibration_error), "calibration error",
       arena_printf(a, "%.1f %% with temperature %.2f", 100 * f->calibration_error_tempered,
                    f->temperature),
       -1}};
  report_tiles(page, tiles, 4);
}

static void page_classes(const struct evaluation *v, struct report *page, struct arena *a) {
  const char *const head[] = {"class", "windows",  "precision", "recall",
                              "F1",    "ROC area", "PR area"};
  const bool numeric[] = {false, true, true, true, true, true, true};
  const int n = v->set.classes;
  const char **const cells = ARENA_ARRAY(a, const char *, 7 * n);
  for (int c = 0; c < n; c++) {
    const struct evaluate_class *const x = &v->figures.per_class[c];
    const char **const row = cells + 7 * c;
    row[0] = v->classes[c];
    row[1] = arena_printf(a, "%lld", (long long)x->count);
    row[2] = percent(a, x->precision), row[3] = percent(a, x->recall), row[4] = percent(a, x->f1);
    row[5] = percent(a, x->roc_auc), row[6] = percent(a, x->average_precision);
  }
  report_table(page, &(struct report_table){NULL, 7, n, head, cells, numeric});
}

/* A curve, at the same places for every class, so that lines share one axis. */
static void page_curves(const struct evaluation *v, struct report *page, struct arena *a,
                        bool roc) {
  enum { GRID = 101, LINES = 6 };
  double grid[GRID], x[POINTS], y[POINTS];
  struct report_line lines[LINES];
  int order[LINES], n = 0;
  /* The classes that are hardest to tell. */
  for (int c = 0; c < v->set.classes; c++) {
    const struct evaluate_class *const k = v->figures.per_class;
    if (!isfinite(k[c].roc_auc)) continue;
    int at = n < LINES ? n++ : LINES;
    for (; at > 0 && k[order[at - 1]].average_precision > k[c].average_precision; at--)
      if (at < LINES) order[at] = order[at - 1];
    if (at < LINES) order[at] = c;
  }
  for (int g = 0; g < GRID; g++) grid[g] = g / (double)(GRID - 1);
  for (int l = 0; l < n; l++) {
    const int points = evaluate_curve(&v->set, order[l], roc, POINTS, a, x, y);
    double *const line = ARENA_ARRAY(a, double, GRID);
    for (int g = 0, k = 0; g < GRID; g++) {
      while (k + 1 < points && x[k + 1] <= grid[g]) k++;
      const double next = k + 1 < points ? x[k + 1] : x[k];
      line[g] = next > x[k] ? y[k] + (y[k + 1] - y[k]) * (grid[g] - x[k]) / (next - x[k]) : y[k];
    }
    lines[l] = (struct report_line){v->classes[order[l]], line};
  }
  if (!n) return;
  report_lines(page, &(struct report_lines){.caption = roc ? "ROC: found against false alarms"
                                                           : "Precision against recall",
                                            .x_label = roc ? "false positive rate" : "recall",
                                            .y_label = roc ? "true positive rate" : "precision",
                                            .x = grid,
                                            .points = GRID,
                                            .count = n,
                                            .lines = lines,
                                            .mark_x = (double)NAN,
                                            .from_zero = true});
}

static void page_reliability(const struct evaluation *v, struct report *page) {
  struct evaluate_step steps[STEPS];
  double x[STEPS], right[STEPS], ideal[STEPS];
  evaluate_reliability(&v->set, STEPS, steps);
  for (int k = 0; k < STEPS; k++) {
    x[k] = (k + 0.5) / STEPS;
    ideal[k] = x[k];
    right[k] = steps[k].count ? steps[k].right : (double)NAN;
  }
  const struct report_line lines[] = {{"share right", right}, {"as sure as right", ideal}};
  report_lines(page, &(struct report_lines){.caption = "Is it as sure as it is right?",
                                            .x_label = "score of the answer",
                                            .y_label = "share right",
                                            .x = x,
                                            .points = STEPS,
                                            .count = 2,
                                            .lines = lines,
                                            .mark_x = (double)NAN,
                                            .from_zero = true});
}

static void page_tables(const struct evaluation *v, struct report *page, struct arena *a) {
  if (v->n_slices > 1) {
    const char *const head[] = {"group", "windows", "accuracy"};
    const bool numeric[] = {false, true, true};
    const char **const cells = ARENA_ARRAY(a, const char *, 3 * v->n_slices);
    for (int k = 0; k < v->n_slices; k++) {
      cells[3 * k] = v->slices[k].name;
      cells[3 * k + 1] = arena_printf(a, "%d", v->slices[k].windows);
      cells[3 * k + 2] = percent(a, v->slices[k].accuracy);
    }
    report_heading(page, "Groups");
    report_table(
        page, &(struct report_table){"Least accurate first", 3, v->n_slices, head, cells, numeric});
  }
  if (v->n_trials) {
    const char *const head[] = {"disturbed by", "", "accuracy"};
    const bool numeric[] = {false, false, true};
    const char **const cells = ARENA_ARRAY(a, const char *, 3 * v->n_trials);
    for (int k = 0; k < v->n_trials; k++) {
      cells[3 * k] = v->trials[k].name;
      cells[3 * k + 1] = v->trials[k].amount;
      cells[3 * k + 2] = percent(a, v->trials[k].accuracy);
    }
    report_heading(page, "What the field does");
    report_table(page, &(struct report_table){NULL, 3, v->n_trials, head, cells, numeric});
  }
}

/* A card for each, drawn from the stored sample. */
static bool page_worst(const struct evaluation *v, struct project *p, const double *range,
                       const struct features_block *block, struct report *page, struct err *e) {
  struct arena *const a = p->arena;
  if (!v->n_worst) return true;
  report_heading(page, "Wrong, and sure of it");
  for (int k = 0; k < v->n_worst; k++) {
    const struct evaluation_window *const w = &v->windows[v->worst[k]];
    const struct dataset_pick pick = {.splits = 7, .id = w->sample};
    struct dataset d;
    if (!dataset_load(p, &pick, v->classes, v->set.classes, range, &d, e)) return false;
    int at = 0;
    while (at + 1 < d.n_windows && d.windows[at].start != w->start) at++;
    if (!d.n_windows) continue;
    const size_t n =
        block ? features_window_words(block) : (size_t)d.window_samples * (size_t)d.channels;
    int16_t *const samples = ARENA_ARRAY(a, int16_t, n), *const first = ARENA_ARRAY(a, int16_t, n);
    int8_t *features = NULL;
    dataset_window(&d, at, samples);
    for (int i = 0; i < d.window_samples; i++) first[i] = samples[i * d.channels];
    if (block) {
      if (!dataset_calibrate(&d, block, e)) return false;
      dataset_put_map(&d, block, at, samples);
      features = arena_alloc(a, 1, block->out_bytes);
      features_run(block, samples, arena_alloc(a, 1, block->scratch_bytes + 4), features);
    }
    report_wave(page, &(struct report_wave){
                          .title = arena_printf(
                              a, "%s, answered %s, %.0f %%", v->classes[v->set.truth[v->worst[k]]],
                              v->classes[best_of(v, v->worst[k])], 100 * sureness(v, v->worst[k])),
                          .note = arena_printf(a, "sample %lld%s%s. %s", (long long)w->sample,
                                               w->group[0] ? ", " : "", w->group, w->source),
                          .rate_hz = p->config.rate_hz,
                          .samples = first,
                          .n_samples = d.window_samples,
                          .frames = block ? block->dims[0] : 0,
                          .bins = block ? block->dims[1] * block->dims[2] : 0,
                          .features = features});
  }
  return true;
}

bool evaluation_page(const struct evaluation *v, struct project *p, const double *range,
                     const struct features_block *features, const char *path, struct err *e) {
  struct arena *const a = p->arena;
  int recordings = 0;
  for (int i = 0; i < v->set.n; i++)
    if (v->set.clusters[i] >= recordings) recordings = v->set.clusters[i] + 1;
  struct report *const page =
      report_new(a, arena_printf(a, "%s: how often is it right?", p->config.name),
                 arena_printf(a,
                              "%s windows of %s recordings that training never saw, answered by "
                              "the int8 model. Intervals are drawn by recordings.",
                              text_thousands(v->set.n), text_thousands(recordings)));
  page_tiles(v, page, a);
  report_heading(page, "Classes");
  if (v->set.classes <= 64)
    report_confusion(page, &(struct report_confusion){"What is taken for what", v->set.classes,
                                                      v->classes, v->figures.confusion});
  page_classes(v, page, a);
  report_heading(page, "Thresholds and trust");
  page_curves(v, page, a, true);
  page_curves(v, page, a, false);
  page_reliability(v, page);
  page_tables(v, page, a);
  return page_worst(v, p, range, features, page, e) && report_write(page, path, e);
}
