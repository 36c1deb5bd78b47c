/* look: windows of a project for looking at, plots of windows, and the picture of all. */
#include "app/look.h"
#include "host/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- windows --------------------------------------------------------------------- */

/* Folds by group where three groups or more are known, else by recording: neighbours in time never stand on both
 * sides. Groups are taken in the order in which they first appear. */
static void lay_folds(struct arena *a, struct look_windows *w) {
  const char **groups = ARENA_ARRAY(a, const char *, w->set.n_samples + 1);
  int n = 0;
  for (int i = 0; i < w->n; i++) {
    const char *const g = w->set.samples[w->set.windows[w->kept[i]].sample].group;
    int k = 0;
    while (k < n && strcmp(groups[k], g) != 0) k++;
    if (k == n && g[0]) groups[n++] = g;
    w->folds[i] = k;
  }
  w->by_group = n >= 3;
  for (int i = 0; i < w->n; i++) {
    const uint32_t sample = w->set.windows[w->kept[i]].sample;
    if (!w->by_group) w->folds[i] = (int32_t)(rng_mix(sample + 1) % 5);
    w->folds[i] %= 5;
  }
  int seen[5] = {0}, place[5];
  for (int i = 0; i < w->n; i++) seen[w->folds[i]] = 1;
  for (int f = 0; f < 5; f++) place[f] = w->n_folds, w->n_folds += seen[f];
  for (int i = 0; i < w->n; i++) w->folds[i] = place[w->folds[i]];
}

bool look_load(const struct look *l, int most, struct look_windows *w, struct err *e) {
  struct arena *const a = l->line->arena;
  const struct dataset_pick pick = {.splits = 1u << STORE_TRAIN | 1u << STORE_VALIDATION};
  *w = (struct look_windows){.n = 0};
  if (!dataset_classes(l->project, &pick, &w->classes, &w->n_classes, e)) return false;
  if (w->n_classes < 1) {
    err_file(e, l->project->db_path);
    return err_set(e, "no samples for training; `mote add` brings some in");
  }
  if (!dataset_load(l->project, &pick, w->classes, w->n_classes, l->range, &w->set, e))
    return false;
  int labelled = 0;
  for (int i = 0; i < w->set.n_windows; i++) labelled += w->set.labels[i] >= 0;
  w->kept = ARENA_ARRAY(a, int, labelled + 1);
  w->labels = ARENA_ARRAY(a, int32_t, labelled + 1);
  w->folds = ARENA_ARRAY(a, int32_t, labelled + 1);
  for (int i = 0, at = 0; i < w->set.n_windows; i++) {
    if (w->set.labels[i] < 0) continue;
    /* Evenly: the at-th of `labelled` is kept where the count of kept ones steps. */
    const bool keep =
        labelled <= most || (int64_t)(at + 1) * most / labelled > (int64_t)at * most / labelled;
    at++;
    if (!keep) continue;
    w->kept[w->n] = i;
    w->labels[w->n++] = w->set.labels[i];
  }
  lay_folds(a, w);
  return true;
}

bool look_features(const struct look *l, const struct look_windows *w,
                   const struct features_block *block, int8_t **out, struct err *e) {
  struct dataset picked = w->set;
  picked.windows = ARENA_ARRAY(l->line->arena, struct dataset_window, w->n + 1);
  picked.n_windows = w->n;
  for (int i = 0; i < w->n; i++) picked.windows[i] = w->set.windows[w->kept[i]];
  return dataset_features(&picked, block, l->line->arena, out, e);
}

bool look_fit(const struct look_windows *w, struct arena *a, struct features_block *block,
              struct err *e) {
  const int n = w->n < 1000 ? w->n : 1000;
  const size_t numbers = (size_t)w->set.window_samples * (size_t)w->set.channels;
  int16_t *const samples = ARENA_ARRAY(a, int16_t, (size_t)n * numbers + 1);
  const int16_t **const windows = ARENA_ARRAY(a, const int16_t *, n + 1);
  for (int i = 0; i < n; i++) {
    windows[i] = samples + (size_t)i * numbers;
    dataset_window(&w->set, w->kept[(int64_t)i * w->n / n], samples + (size_t)i * numbers);
  }
  return features_fit(block, a, windows, (size_t)n, e);
}

/* ---- plot -------------------------------------------------------------------------- */

/* A card for each window: waveform of the first channel, features below. */
static void add_card(struct report *page, struct arena *a, const struct look *l,
                     const struct features_block *block, const struct dataset *d, int window,
                     const char *title, const char *note) {
  const size_t n = features_window_words(block);
  int16_t *const samples = ARENA_ARRAY(a, int16_t, n), *const first = ARENA_ARRAY(a, int16_t, n);
  int8_t *const features = arena_alloc(a, 1, block->out_bytes);
  dataset_input(d, block, window, samples);
  int8_t *const planes = arena_alloc(a, 1, block->out_bytes);
  features_run(block, samples, arena_alloc(a, 1, block->scratch_bytes + 4), features);
  features_planes(block, features, planes);
  for (int i = 0; i < d->window_samples; i++) first[i] = samples[i * d->channels];
  report_wave(page, &(struct report_wave){.title = title,
                                          .note = note,
                                          .rate_hz = l->project->config.rate_hz,
                                          .samples = first,
                                          .n_samples = d->window_samples,
                                          .frames = block->dims[0],
                                          .bins = block->dims[1] * block->dims[2],
                                          .features = planes});
}

static bool finish(const struct look *l, struct report *page, const char *otherwise,
                   struct err *e) {
  const char *const path = l->output ? l->output : otherwise;
  if (!report_write(page, path, e)) return false;
  if (l->line->json) {
    struct text t;
    struct json j;
    text_init(&t, l->line->arena);
    json_start(&j, &t);
    json_open_object(&j, NULL);
    json_put_string(&j, "output", path);
    json_close_object(&j);
    fputs(t.data, stdout);
  } else {
    printf("%s\n", path);
  }
  return true;
}

static void plot_classes(struct report *page, const struct look *l,
                         const struct features_block *block, const struct look_windows *w) {
  struct arena *const a = l->line->arena;
  enum { EACH = 4 };
  for (int c = 0; c < w->n_classes; c++) {
    int of_class = 0, at = 0;
    for (int i = 0; i < w->n; i++) of_class += w->labels[i] == c;
    if (!of_class) continue;
    report_heading(page, w->classes[c]);
    for (int i = 0; i < w->n; i++) {
      if (w->labels[i] != c) continue;
      const bool shown =
          of_class <= EACH || (int64_t)(at + 1) * EACH / of_class > (int64_t)at * EACH / of_class;
      at++;
      if (!shown) continue;
      const struct dataset_sample *const s = &w->set.samples[w->set.windows[w->kept[i]].sample];
      add_card(page, a, l, block, &w->set, w->kept[i],
               arena_printf(a, "sample %lld", (long long)s->id), s->source);
    }
  }
}

bool look_plot(const struct look *l, const struct features_block *block, const struct dataset *d,
               const char *title, struct err *e) {
  struct arena *const a = l->line->arena;
  struct text about;
  struct look_windows w;
  text_init(&about, a);
  features_describe(block, &about);
  struct report *const page = report_new(
      a, d ? title : arena_printf(a, "%s: windows and features", l->project->config.name),
      arena_printf(a, "%s: %d x %d x %d", project_features_name(a, &l->project->config),
                   block->dims[0], block->dims[1], block->dims[2]));
  if (!d && (!look_load(l, 4000, &w, e))) return false;
  if (!dataset_calibrate(d ? d : &w.set, block, e)) return false;
  if (d)
    for (int i = 0; i < d->n_windows && i < 60; i++)
      add_card(page, a, l, block, d, i, arena_printf(a, "window %d of %d", i + 1, d->n_windows),
               d->windows[i].start < 0
                   ? NULL
                   : arena_printf(a, "from %.2f s",
                                  (double)d->windows[i].start / l->project->config.rate_hz));
  else
    plot_classes(page, l, block, &w);
  report_small(page, about.data);
  return finish(l, page, "features.html", e);
}

/* ---- explore ------------------------------------------------------------------------ */

enum { NEAR = 15 }; /* windows that a label is compared with */

struct picture {
  const struct look *look;
  const struct look_windows *w;
  const struct features_block *block;
  const int8_t *features;
  float *xy;
  float *alike; /* [n]: share of the nearest windows that have the same class */
  int16_t *samples;
  int8_t *ordered; /* features of the point asked for last, bins along a row */
  char title[300], note[700];
};

static bool odd_one(const struct picture *p, int i) { return p->alike[i] < 0.2F; }

/* Of the NEAR nearest windows in the picture, the share of the same class. */
static void compare_neighbours(struct picture *p) {
  const int n = p->w->n;
#pragma omp parallel for schedule(dynamic, 64)
  for (int i = 0; i < n; i++) {
    float least[NEAR];
    int who[NEAR], found = 0, same = 0;
    for (int j = 0; j < n; j++) {
      const float dx = p->xy[2 * j] - p->xy[2 * i], dy = p->xy[2 * j + 1] - p->xy[2 * i + 1];
      const float d2 = dx * dx + dy * dy;
      if (j == i || (found == NEAR && d2 >= least[NEAR - 1])) continue;
      int at = found < NEAR ? found++ : NEAR - 1;
      for (; at > 0 && least[at - 1] > d2; at--) least[at] = least[at - 1], who[at] = who[at - 1];
      least[at] = d2, who[at] = j;
    }
    for (int k = 0; k < found; k++) same += p->w->labels[who[k]] == p->w->labels[i];
    p->alike[i] = found ? (float)same / (float)found : 1;
  }
}

static void point(void *context, int i, struct report_point *out) {
  struct picture *const p = context;
  const struct dataset *const d = &p->w->set;
  const struct dataset_window *const window = &d->windows[p->w->kept[i]];
  const struct dataset_sample *const s = &d->samples[window->sample];
  const double from =
      window->start > 0 ? (double)window->start / p->look->project->config.rate_hz : 0;
  dataset_window(d, p->w->kept[i], p->samples);
  snprintf(p->title, sizeof p->title, "%s", p->w->classes[p->w->labels[i]]);
  snprintf(p->note, sizeof p->note, "sample %lld, from %.2f s%s%s. %s%s", (long long)s->id, from,
           s->group[0] ? ", " : "", s->group, s->source,
           odd_one(p, i) ? ". Most windows near it have another label." : "");
  features_planes(p->block, p->features + (size_t)i * p->block->out_bytes, p->ordered);
  *out = (struct report_point){.x = (double)p->xy[2 * i],
                               .y = (double)p->xy[2 * i + 1],
                               .group = p->w->labels[i],
                               .marked = odd_one(p, i),
                               .title = p->title,
                               .note = p->note,
                               .channels = d->channels,
                               .n_samples = d->window_samples,
                               .samples = p->samples,
                               .frames = p->block->dims[0],
                               .bins = p->block->dims[1] * p->block->dims[2],
                               .features = p->ordered};
}

/* Recordings most of whose windows lie among another class: first what to listen to again. */
static void add_odd_ones(struct report *page, struct picture *p) {
  struct arena *const a = p->look->line->arena;
  const char *cells[4 * 24];
  const char *const head[] = {"sample", "label", "windows among others", "recording"};
  int rows = 0, odd = 0;
  for (int i = 0; i < p->w->n; i++) odd += odd_one(p, i);
  for (int s = 0; s < p->w->set.n_samples && rows < 24; s++) {
    int windows = 0, away = 0, label = 0;
    for (int i = 0; i < p->w->n; i++) {
      if (p->w->set.windows[p->w->kept[i]].sample != (uint32_t)s) continue;
      windows++, away += odd_one(p, i), label = p->w->labels[i];
    }
    if (!away || 2 * away < windows) continue;
    cells[4 * rows] = arena_printf(a, "%lld", (long long)p->w->set.samples[s].id);
    cells[4 * rows + 1] = p->w->classes[label];
    cells[4 * rows + 2] = arena_printf(a, "%d of %d", away, windows);
    cells[4 * rows + 3] = p->w->set.samples[s].source;
    rows++;
  }
  if (!odd) return;
  report_paragraph(page, arena_printf(a,
                                      "%d of %d windows (ringed) lie where fewer than a fifth of "
                                      "the nearest windows have their label. A wrong label, a "
                                      "recording of its own kind, or classes that these features "
                                      "do not tell apart.",
                                      odd, p->w->n));
  if (rows)
    report_table(page, &(struct report_table){.caption = "Recordings to look at first",
                                              .columns = 4,
                                              .rows = rows,
                                              .head = head,
                                              .cells = cells});
}

bool look_explore(const struct look *l, const struct features_block *block, struct err *e) {
  struct arena *const a = l->line->arena;
  struct look_windows w;
  struct features_shares shares;
  int8_t *features;
  if (l->map && strcmp(l->map, "umap") != 0 && strcmp(l->map, "pca") != 0)
    return err_set(e, "--map %s is not known; umap and pca are", l->map);
  const bool pca = l->map && strcmp(l->map, "pca") == 0;
  if (!look_load(l, 20000, &w, e) || !look_features(l, &w, block, &features, e)) return false;
  const struct features_table t = {.values = features,
                                   .n = w.n,
                                   .width = (int)block->out_bytes,
                                   .classes = w.n_classes,
                                   .labels = w.labels};
  struct picture p = {.look = l, .w = &w, .block = block, .features = features};
  p.xy = ARENA_ARRAY(a, float, 2 * w.n + 2);
  p.alike = ARENA_ARRAY(a, float, w.n + 1);
  p.samples = ARENA_ARRAY(a, int16_t, (size_t)w.set.window_samples * (size_t)w.set.channels + 1);
  p.ordered = arena_alloc(a, 1, block->out_bytes);
  if (!features_embed(&t, pca ? FEATURES_MAP_PCA : FEATURES_MAP_UMAP, l->seed, a, p.xy, &shares,
                      l->line->progress, e))
    return false;
  compare_neighbours(&p);
  struct report *const page = report_new(
      a, arena_printf(a, "%s: %s windows", l->project->config.name, text_thousands(w.n)),
      arena_printf(a,
                   "Each point is a window of %g ms; windows with alike features (%s) lie "
                   "together. %s",
                   l->project->config.length_ms, project_features_name(a, &l->project->config),
                   pca ? "The two principal components." : "Layout: UMAP."));
  report_cloud(page, &(struct report_cloud){.count = w.n,
                                            .groups = w.n_classes,
                                            .group_names = w.classes,
                                            .point = point,
                                            .context = &p});
  report_small(page,
               arena_printf(a,
                            "The first two principal components hold %.0f %% and %.0f %% "
                            "of the variance.%s",
                            100 * shares.first, 100 * shares.second,
                            w.n < w.set.n_windows
                                ? arena_printf(a, " %s of %s windows, taken evenly.",
                                               text_thousands(w.n), text_thousands(w.set.n_windows))
                                : ""));
  add_odd_ones(page, &p);
  return finish(l, page, "explore.html", e);
}
