/* mote test: how often the model is right, in float, in int8 and on the chip.
 *
 * The float figures come from the float network, which a finished run's last checkpoint still holds. With
 * --leave-one-group-out a model is trained for each group on all other groups and tested on that one: what to
 * expect from a speaker, a machine or a place that was never seen; with --folds for each of N folds. --seeds repeats
 * that with other seeds: how much of a figure is luck. What is said beyond accuracy is of the first seed. */
#include "app/anomaly.h"
#include "app/continuous.h"
#include "app/counting.h"
#include "app/cross.h"
#include "app/evaluation.h"
#include "app/few.h"
#include "app/noise.h"
#include "app/regression_test.h"
#include "app/training.h"

#include <math.h>
#include <string.h>

struct figures {
  struct decide_figures float32, int8, chip;
  bool has_float, has_chip;
};

struct testing {
  struct command_line *c;
  struct project p;
  const char *chip, *group;
  enum store_split split;
  const char *const *classes;
  int n_classes;
  int64_t *confusion;
  const char *no_float; /* why there are no float figures */
  struct anomaly_figures anomaly;
  bool has_anomaly, scores_only;
  bool robust; /* also disturbed windows */
  bool write;  /* --continuous: into mote.yaml */
  const char *html;
  const double *range;
  struct features_block features; /* of the model that was tested; unless groups were left out */
  struct evaluation evaluation;
  struct counting counting;          /* in place of it, of projects that count */
  struct regression_test regression; /* the same of projects that estimate numbers */
  struct figures all;
  /* Models of its own making: each part of the plan with each seed. */
  bool by_group, by_fold;
  struct cross_plan plan; /* n 0: the project's model */
  struct figures *trials; /* [n_seeds][plan.n] */
  /* --continuous over these models: what they heard, each seed's for itself. */
  struct continuous_request *listening; /* NULL: windows are tested */
  struct continuous_heard *heard;       /* [n_seeds] */
  int64_t first_seed;
  int n_seeds; /* 0: not asked, so one */
};

/* What is told of a trial, of seeds and of parts. The chip's stands last: only the first seed has one. */
enum { FLOAT32, INT8, RECORDINGS, BALANCED, CHIP, SHARES };

static double share(int right, int n) { return n ? (double)right / n : (double)NAN; }

/* ---- measuring ----------------------------------------------------------------------- */
/* o->model NULL: no float figures. first: of the seeds; the others give accuracies alone. */
static bool measure(struct testing *t, struct arena *a, const struct training_outcome *o,
                    const struct dataset *d, bool first, struct figures *f, struct err *e) {
  int8_t *scores = NULL, *chip = NULL;
  float *floats = NULL;
  memset(f, 0, sizeof *f);
  if (!decide_here(a, o->graph, &o->features, d, &scores, e)) return false;
  decide_count(d, o->n_classes, scores, NULL, first ? t->confusion : NULL, &f->int8);
  if (first) evaluation_add(&t->evaluation, t->p.arena, d, t->classes, o->n_classes, scores);
  if (o->model) {
    if (!training_float_scores(o, d, a, &floats, e)) return false;
    decide_count(d, o->n_classes, NULL, floats, NULL, &f->float32);
    f->has_float = true;
  }
  if (t->chip && first) {
    if (!decide_on_chip(a, t->p.config.name, o->graph, &o->features, t->chip, d, &chip, e))
      return false;
    decide_count(d, o->n_classes, chip, NULL, NULL, &f->chip);
    f->has_chip = true;
    size_t bytes = (size_t)d->n_windows * (size_t)o->n_classes;
    if (memcmp(chip, scores, bytes) != 0)
      return err_internal(
          e, "the chip's answers differ from this machine's; `mote verify --target %s` says where",
          t->chip);
  }
  return true;
}

/* The stored model, and its float network where the samples and settings are still the ones it came from. */
static bool load_outcome(struct testing *t, struct training_outcome *o,
                         struct mote_objects *objects, struct err *e) {
  struct project_model m;
  struct store_run run;
  struct training_job job;
  bool found = false;
  if (!project_load_model(&t->p, 0, &m, e) ||
      !store_run_get(t->p.store, t->p.arena, "", m.run, &run, &found, e))
    return false;
  training_job_of(t->p.arena, &run, &job);
  job.only_known = true;
  struct err ignored = {0};
  bool quiet = t->c->quiet;
  struct progress *progress = t->c->progress;
  t->c->quiet = true;
  t->c->progress = NULL;
  bool again = training_run(t->c, &t->p, &job, o, &ignored) && o->known && o->run == m.run;
  t->c->quiet = quiet;
  t->c->progress = progress;
  if (!again) {
    memset(o, 0, sizeof *o);
    t->no_float = "samples or settings have changed since the training; `mote train` again";
  }
  if (m.learner || project_only_scores(&m)) t->no_float = "a classical learner has integers only";
  o->run = m.run;
  o->graph = m.graph;
  o->features = m.features;
  o->classes = m.classes;
  o->n_classes = m.n_classes;
  o->range = m.range;
  o->scales = m.scales;
  *objects = m.objects;
  return true;
}

/* The anomaly score, where the model has one. */
static bool test_anomaly(struct testing *t, const struct training_outcome *o,
                         const struct dataset_pick *pick, struct err *e) {
  const struct project_config *c = &t->p.config;
  struct project_model m;
  learning_find(o->graph, &m);
  t->has_anomaly = m.anomaly != NULL;
  t->scores_only = project_only_scores(&m);
  if (!m.anomaly) return true;
  if (t->scores_only && (t->robust || t->html))
    return err_set(e, "the model gives an anomaly score alone, and %s of classes",
                   t->robust ? "--robust disturbs windows" : "the page tells");
  const char *const *normal = o->classes;
  int n = o->n_classes;
  if (!t->scores_only && c->anomaly.n_normal) {
    normal = c->anomaly.normal;
    n = c->anomaly.n_normal;
  }
  return anomaly_measure(&t->p, o->graph, &o->features, m.anomaly, m.score_output, o->range, normal,
                         n, pick, t->chip, &t->anomaly, e);
}

/* Everything that follows from the answers, and the page. */
static bool finish(struct testing *t, struct err *e) {
  const struct features_block *const features = t->plan.n ? NULL : &t->features;
  return evaluation_finish(&t->evaluation, 1, t->p.arena, e) &&
         (!t->html || evaluation_page(&t->evaluation, &t->p, t->range, features, t->html, e));
}

static bool finish_regression(struct testing *t, struct err *e) {
  return regression_test_finish(&t->regression, t->p.arena, e) &&
         (!t->html || regression_test_page(&t->regression, &t->p, t->html, e));
}

static bool test_model(struct testing *t, struct err *e) {
  struct training_outcome o;
  struct dataset d;
  struct dataset_pick pick = {.splits = 1u << t->split, .group = t->group};
  struct mote_objects objects;
  if (!load_outcome(t, &o, &objects, e)) return false;
  if (objects.height)
    return counting_measure(&t->p, &o, &objects, &pick, t->chip, &t->counting, e) &&
           (!t->html || counting_page(&t->counting, &t->p, t->html, e));
  if (o.scales) {
    regression_test_begin(&t->regression, &t->p, 1);
    return regression_test_add(&t->regression, 0, t->p.arena, &t->p, &o, &pick, t->chip, e) &&
           finish_regression(t, e);
  }
  if (!test_anomaly(t, &o, &pick, e)) return false;
  if (t->scores_only) return true;
  if (!dataset_load(&t->p, &pick, o.classes, o.n_classes, o.range, &d, e)) return false;
  if (d.n_windows == 0) {
    err_file(e, t->p.db_path);
    return err_set(
        e, "no %s samples%s%s%s; `mote data` shows what there is, `mote add --split %s` adds some",
        store_split_name(t->split), t->group ? " of \"" : "", t->group ? t->group : "",
        t->group ? "\"" : "", store_split_name(t->split));
  }
  t->classes = o.classes;
  t->n_classes = o.n_classes;
  t->confusion = ARENA_ARRAY(t->p.arena, int64_t, (size_t)o.n_classes * (size_t)o.n_classes);
  t->range = o.range;
  t->features = o.features;
  return measure(t, t->p.arena, &o, &d, true, &t->all, e) &&
         (!t->robust || evaluation_disturb(&t->evaluation, t->p.arena, o.graph, &o.features, &d,
                                           t->c->progress, e)) &&
         finish(t, e);
}

/* ---- models of its own making ------------------------------------------------------------ */
static int seeds_of(const struct testing *t) { return t->n_seeds ? t->n_seeds : 1; }

/* The seed that is in mote.yaml, or its default. */
static bool seed_of_project(const struct project *p, const char *word, int64_t *seed,
                            struct err *e) {
  struct project_learner learner;
  struct train_config c;
  if (!project_learner(&p->config, word, &learner, e)) return false;
  if (learner.on && learn_is_anomaly(learner.config.kind))
    return err_set(e,
                   "%s tells anomalies, not classes; --leave-one-group-out, --folds and --seeds "
                   "are for classes",
                   learn_kind_name(learner.config.kind));
  if (p->config.reconstructs && !learner.on)
    return err_set(e, "an autoencoder tells anomalies, not classes; --leave-one-group-out, --folds "
                      "and --seeds are for classes");
  project_training(&p->config, 0, &c);
  *seed = (int64_t)(learner.on ? learner.config.seed : c.seed);
  return true;
}

/* "float  91.1 %   int8  91.3 %", and behind it what else is known. */
static void print_shares(const double share[SHARES], bool recordings, bool chip) {
  if (!isnan(share[FLOAT32])) printf("   float %5.1f %%", 100 * share[FLOAT32]);
  printf("   int8 %5.1f %%", 100 * share[INT8]);
  if (recordings) printf("   recordings %5.1f %%", 100 * share[RECORDINGS]);
  if (chip) printf("   chip %5.1f %%", 100 * share[CHIP]);
  printf("\n");
  fflush(stdout);
}

/* NAN where not known. */
static void shares_of(const struct figures *f, double out[SHARES]) {
  out[FLOAT32] = f->has_float ? share(f->float32.windows_right, f->float32.windows) : (double)NAN;
  out[INT8] = share(f->int8.windows_right, f->int8.windows);
  out[RECORDINGS] = share(f->int8.recordings_right, f->int8.recordings);
  out[BALANCED] = f->int8.balanced;
  out[CHIP] = f->has_chip ? share(f->chip.windows_right, f->chip.windows) : (double)NAN;
}

/* A model that was trained with these settings before, the project's own too, is used again. */
static bool train_part(struct testing *t, struct project *p, struct training_job *job,
                       struct training_outcome *o, struct err *e) {
  if (!t->by_group && !t->by_fold) {
    const char *purpose = job->purpose;
    job->purpose = "";
    job->only_known = true;
    if (!training_run(t->c, p, job, o, e)) return false;
    if (o->known) return true;
    job->purpose = purpose;
    job->only_known = false;
  }
  return training_run(t->c, p, job, o, e);
}

/* A label that no other part has would shift the class numbers from part to part. */
static bool same_classes(const struct testing *t, const struct cross_part *part,
                         const struct training_outcome *o, struct err *e) {
  if (o->n_classes == t->n_classes) return true;
  return err_set(
      e, "without %s there are %d classes instead of %d: some labels train in this %s alone",
      part->name, o->n_classes, t->n_classes, t->by_fold ? "fold" : "group");
}

static bool test_part(struct testing *t, int seed, int index, const struct training_job *base,
                      struct err *e) {
  const struct cross_part *part = &t->plan.parts[index];
  struct figures *f = &t->trials[seed * t->plan.n + index];
  struct project p = t->p;
  struct training_outcome o;
  struct dataset d;
  struct training_job job = *base;
  p.arena = arena_new((size_t)8 << 30);
  if (!p.arena) return err_set(e, "no memory left");
  job.purpose = part->purpose;
  job.train = part->train;
  job.validation = part->validation;
  if (!t->c->quiet) {
    fprintf(stderr, "%s (%d of %d", part->name, index + 1, t->plan.n);
    if (t->n_seeds) fprintf(stderr, ", seed %d of %d", seed + 1, t->n_seeds);
    fprintf(stderr, ")\n");
  }
  bool ok = train_part(t, &p, &job, &o, e);
  if (ok && t->listening) {
    ok = same_classes(t, part, &o, e) &&
         continuous_listen(&p, o.graph, &o.features, o.range, t->classes, t->n_classes, &part->test,
                           t->listening->hop_ms, t->p.arena, &t->heard[seed], t->c->progress, e);
    arena_free(p.arena);
    return ok;
  }
  if (ok && o.scales) {
    ok = regression_test_add(&t->regression, seed, t->p.arena, &p, &o, &part->test,
                             seed == 0 ? t->chip : NULL, e);
    arena_free(p.arena);
    return ok;
  }
  ok = ok && dataset_load(&p, &part->test, o.classes, o.n_classes, o.range, &d, e);
  ok = ok && same_classes(t, part, &o, e);
  if (ok && d.n_windows == 0) {
    err_file(e, t->p.db_path);
    ok = err_set(e, "no samples to test in %s; `mote data` shows what there is", part->name);
  }
  ok = ok && measure(t, p.arena, &o, &d, seed == 0, f, e);
  if (ok && !t->c->json) {
    double shares[SHARES];
    shares_of(f, shares);
    printf("%-16s %6d windows", part->name, f->int8.windows);
    print_shares(shares, f->int8.recordings != f->int8.windows, f->has_chip);
  }
  arena_free(p.arena);
  return ok;
}

/* One seed's mean over the parts. */
static void mean_of_seed(const struct testing *t, int seed, double mean[SHARES]) {
  for (int k = 0; k < SHARES; k++) mean[k] = 0;
  for (int i = 0; i < t->plan.n; i++) {
    double shares[SHARES];
    shares_of(&t->trials[seed * t->plan.n + i], shares);
    for (int k = 0; k < SHARES; k++) mean[k] += shares[k] / t->plan.n;
  }
}

/* One part's mean over the seeds; of the chip the first seed's. */
static void mean_of_part(const struct testing *t, int part, double mean[SHARES]) {
  double shares[SHARES];
  for (int k = 0; k < SHARES; k++) mean[k] = 0;
  for (int s = 0; s < seeds_of(t); s++) {
    shares_of(&t->trials[s * t->plan.n + part], shares);
    for (int k = 0; k < CHIP; k++) mean[k] += shares[k] / seeds_of(t);
    if (s == 0) mean[CHIP] = shares[CHIP];
  }
}

/* Figure `which` of all seeds. */
static struct cross_spread spread_over_seeds(const struct testing *t, int which) {
  double *values = ARENA_ARRAY(t->c->arena, double, seeds_of(t));
  for (int s = 0; s < seeds_of(t); s++) {
    double mean[SHARES];
    mean_of_seed(t, s, mean);
    values[s] = mean[which];
  }
  return cross_spread_of(values, seeds_of(t));
}

/* Whether a recording has several windows anywhere, so that recordings have a figure of their own. */
static bool has_recordings(const struct testing *t) {
  for (int i = 0; i < t->plan.n; i++)
    if (t->trials[i].int8.recordings != t->trials[i].int8.windows) return true;
  return false;
}

static bool test_parts(struct testing *t, const struct training_job *base, int folds,
                       struct err *e) {
  const struct dataset_pick all = {.splits = 7}, train = {.splits = 1u << STORE_TRAIN};
  const bool whole = t->by_group || t->by_fold;
  struct training_job job = *base;
  if (!seed_of_project(&t->p, job.learner, &t->first_seed, e)) return false;
  if (job.seed >= 0) t->first_seed = job.seed;
  if (t->by_group ? !cross_by_group(&t->p, &t->plan, e)
                  : t->by_fold && !cross_by_fold(&t->p, folds, &t->plan, e))
    return false;
  if (!whole) cross_by_split(&t->p, t->split, t->group, &t->plan);
  if (!dataset_classes(&t->p, whole ? &all : &train, &t->classes, &t->n_classes, e)) return false;
  t->trials = ARENA_ARRAY(t->p.arena, struct figures, (size_t)seeds_of(t) * (size_t)t->plan.n);
  t->confusion = ARENA_ARRAY(t->p.arena, int64_t, (size_t)t->n_classes * (size_t)t->n_classes);
  const bool numbers = t->p.config.regression.on, tells = !numbers && !t->listening;
  if (numbers) regression_test_begin(&t->regression, &t->p, seeds_of(t));
  if (t->listening) t->heard = ARENA_ARRAY(t->p.arena, struct continuous_heard, seeds_of(t));
  for (int s = 0; s < seeds_of(t); s++) {
    if (t->n_seeds) job.seed = t->first_seed + s;
    if (t->n_seeds && whole && !t->c->json && tells) printf("seed %lld\n", (long long)job.seed);
    for (int i = 0; i < t->plan.n; i++)
      if (!test_part(t, s, i, &job, e)) return false;
    if (whole && !t->c->json && tells) {
      double mean[SHARES];
      mean_of_seed(t, s, mean);
      printf("%-16s %6s        ", "mean", "");
      print_shares(mean, has_recordings(t), t->chip && s == 0);
    }
  }
  if (numbers) {
    t->regression.what = t->by_group ? "groups" : t->by_fold ? "folds" : NULL;
    t->regression.seeded = t->n_seeds > 0;
    t->regression.first_seed = t->first_seed;
    return finish_regression(t, e);
  }
  return t->listening ||
         (dataset_range(&t->p, whole ? &all : &train, &t->range, e) && finish(t, e));
}

/* ---- output ---------------------------------------------------------------------------- */
static void json_share(struct json *j, const char *key, bool has, double value) {
  if (has && !isnan(value))
    json_put_real(j, key, value);
  else
    json_put_null(j, key);
}

static void json_shares(struct json *j, const double shares[SHARES]) {
  json_share(j, "accuracy_float", true, shares[FLOAT32]);
  json_share(j, "accuracy_int8", true, shares[INT8]);
  json_share(j, "accuracy_chip", true, shares[CHIP]);
}

static void json_spread(struct json *j, const char *key, const struct cross_spread *s) {
  json_open_object(j, key);
  json_share(j, "mean", true, s->mean);
  json_share(j, "deviation", true, s->deviation);
  json_share(j, "least", !isnan(s->mean), s->least);
  json_share(j, "most", !isnan(s->mean), s->most);
  json_close_object(j);
}

/* Seeds, and what they come to. */
static void json_seeds(struct json *j, const struct testing *t) {
  static const char *const keys[] = {"accuracy_float", "accuracy_int8", "accuracy_recordings_int8",
                                     "balanced_accuracy_int8"};
  json_open_array(j, "seeds");
  for (int s = 0; s < t->n_seeds; s++) {
    double mean[SHARES];
    mean_of_seed(t, s, mean);
    json_open_object(j, NULL);
    json_put_int(j, "seed", t->first_seed + s);
    json_shares(j, mean);
    json_share(j, "accuracy_recordings_int8", true, mean[RECORDINGS]);
    json_share(j, "balanced_accuracy_int8", true, mean[BALANCED]);
    json_close_object(j);
  }
  json_close_array(j);
  json_open_object(j, "spread");
  for (int k = 0; k < CHIP; k++) {
    const struct cross_spread s = spread_over_seeds(t, k);
    json_spread(j, keys[k], &s);
  }
  json_close_object(j);
}

static void json_parts(struct json *j, const struct testing *t) {
  json_open_array(j, t->by_group ? "groups" : "folds");
  for (int i = 0; i < t->plan.n; i++) {
    double mean[SHARES];
    mean_of_part(t, i, mean);
    json_open_object(j, NULL);
    json_put_string(j, t->by_group ? "group" : "fold", t->plan.parts[i].name);
    json_put_int(j, "windows", t->trials[i].int8.windows);
    json_put_int(j, "recordings", t->trials[i].int8.recordings);
    json_shares(j, mean);
    json_share(j, "accuracy_recordings_int8", true, mean[RECORDINGS]);
    json_share(j, "balanced_accuracy_int8", true, mean[BALANCED]);
    json_close_object(j);
  }
  json_close_array(j);
}

static void json_confusion(struct json *j, const struct testing *t) {
  json_open_array(j, "confusion");
  for (int r = 0; r < t->n_classes; r++) {
    json_open_array(j, NULL);
    for (int k = 0; k < t->n_classes; k++)
      json_put_int(j, NULL, t->confusion[r * t->n_classes + k]);
    json_close_array(j);
  }
  json_close_array(j);
}

static void print_json(const struct testing *t) {
  struct text text;
  struct json j;
  const bool parts = t->by_group || t->by_fold;
  double shares[SHARES];
  text_init(&text, t->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  if (t->has_anomaly) anomaly_json(&t->anomaly, &j);
  if (t->counting.n_classes) {
    counting_json(&t->counting, &j);
    json_put_string(&j, "reason_no_float", t->no_float);
    json_put_string(&j, "output", t->html);
    json_close_object(&j);
    fputs(text.data, stdout);
    return;
  }
  if (t->regression.n) {
    regression_test_json(&t->regression, t->c->arena, &j);
    json_put_string(&j, "reason_no_float", t->no_float);
    json_put_string(&j, "output", t->html);
    json_close_object(&j);
    fputs(text.data, stdout);
    return;
  }
  if (t->scores_only) {
    json_put_string(&j, "chip", t->chip);
    json_close_object(&j);
    fputs(text.data, stdout);
    return;
  }
  const struct decide_figures *of = t->plan.n ? &t->trials[0].int8 : &t->all.int8;
  shares_of(&t->all, shares);
  for (int k = 0; t->plan.n && k < CHIP; k++) shares[k] = spread_over_seeds(t, k).mean;
  if (t->plan.n) {
    double first[SHARES];
    mean_of_seed(t, 0, first);
    shares[CHIP] = first[CHIP];
  }
  json_shares(&j, shares);
  if (!t->plan.n) json_put_string(&j, "reason_no_float", t->no_float);
  if (!parts) {
    json_put_int(&j, "windows", of->windows);
    json_put_int(&j, "recordings", of->recordings);
  }
  json_share(&j, "accuracy_recordings_int8", true, shares[RECORDINGS]);
  if (t->n_seeds) json_seeds(&j, t);
  json_put_string(&j, "chip", t->chip);
  json_open_array(&j, "classes");
  for (int i = 0; i < t->n_classes; i++) json_put_string(&j, NULL, t->classes[i]);
  json_close_array(&j);
  json_confusion(&j, t);
  if (parts) json_parts(&j, t);
  evaluation_json(&t->evaluation, &j);
  json_put_string(&j, "output", t->html);
  json_close_object(&j);
  fputs(text.data, stdout);
}

/* Rows are truth, columns answers; shortened names above, recall behind. */
static void print_confusion(const struct testing *t) {
  int n = t->n_classes, width = 6;
  if (n > 30) {
    printf("\n%d classes: the confusion matrix is in --json\n", n);
    return;
  }
  printf("\n%-14s", "said ->");
  for (int k = 0; k < n; k++) printf(" %*.*s", width, width, t->classes[k]);
  printf("   right\n");
  for (int r = 0; r < n; r++) {
    int64_t total = 0;
    printf("%-14.14s", t->classes[r]);
    for (int k = 0; k < n; k++) {
      int64_t count = t->confusion[r * n + k];
      total += count;
      if (count)
        printf(" %*lld", width, (long long)count);
      else
        printf(" %*s", width, ".");
    }
    if (total)
      printf("  %5.1f %%\n", 100.0 * (double)t->confusion[r * n + r] / (double)total);
    else
      printf("       -\n");
  }
}

static void print_line(const char *what, const struct decide_figures *f) {
  printf("%-6s %6.2f %%   %d of %d windows", what, 100 * share(f->windows_right, f->windows),
         f->windows_right, f->windows);
  if (f->recordings != f->windows)
    printf("   %6.2f %% of %d recordings", 100 * share(f->recordings_right, f->recordings),
           f->recordings);
  printf("\n");
}

/* "3 seeds   int8 91.2 % +- 0.4 (90.8 to 91.6)": mean, deviation, least and most. */
static void print_spread(const struct testing *t) {
  static const char *const what[] = {"float", "int8", "recordings", "balanced"};
  printf("%d seed%s", t->n_seeds, t->n_seeds == 1 ? "" : "s");
  for (int k = 0; k < CHIP; k++) {
    const struct cross_spread s = spread_over_seeds(t, k);
    if (isnan(s.mean) || (k == RECORDINGS && !has_recordings(t))) continue;
    printf("   %s %.1f %%", what[k], 100 * s.mean);
    if (t->n_seeds > 1)
      printf(" +- %.1f (%.1f to %.1f)", 100 * s.deviation, 100 * s.least, 100 * s.most);
  }
  printf("\n");
}

static void print_text(const struct testing *t) {
  if (t->counting.n_classes) {
    if (t->no_float) printf("float  unknown: %s\n", t->no_float);
    counting_print(&t->counting);
    if (t->html) printf("\n%s\n", t->html);
    return;
  }
  if (t->regression.n) {
    if (t->no_float) printf("float  unknown: %s\n", t->no_float);
    regression_test_print(&t->regression, t->c->arena);
    if (t->html) printf("\n%s\n", t->html);
    return;
  }
  if (t->scores_only) {
    anomaly_print(&t->anomaly);
    return;
  }
  if (t->plan.n) {
    if (t->n_seeds) print_spread(t);
  } else {
    if (t->all.has_float)
      print_line("float", &t->all.float32);
    else
      printf("float  unknown: %s\n", t->no_float);
    print_line("int8", &t->all.int8);
    if (t->all.has_chip) print_line("chip", &t->all.chip);
  }
  print_confusion(t);
  evaluation_print(&t->evaluation);
  if (t->html) printf("\n%s\n", t->html);
  if (t->has_anomaly) {
    printf("\n");
    anomaly_print(&t->anomaly);
  }
}

/* ---- listening without end, in place of windows ------------------------------------------- */
static void json_start_object(struct testing *t, struct text *text, struct json *j) {
  text_init(text, t->c->arena);
  json_start(j, text);
  json_open_object(j, NULL);
}

static bool test_continuous(struct testing *t, struct continuous_request *r, struct err *e) {
  struct continuous c;
  struct text text;
  struct json j;
  r->pick = (struct dataset_pick){.splits = 1u << t->split, .group = t->group};
  r->html = t->html;
  if (!continuous_run(&t->p, r, t->c->progress, &c, e)) return false;
  if (t->write && !continuous_write(&c, &t->p, e)) return false;
  if (t->html && !continuous_page(&c, &t->p, r, e)) return false;
  if (!t->c->json) {
    continuous_print(&c, r);
    if (t->write) printf("\nwritten to %s: `mote build` makes detector.h of it\n", t->p.yaml_path);
    if (t->html) printf("\n%s\n", t->html);
    return true;
  }
  json_start_object(t, &text, &j);
  continuous_json(&c, "continuous", &j);
  json_put_string(&j, "output", t->html);
  json_put_bool(&j, "written", t->write);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

/* The same by models that never heard what they listen to: one detector for all of a seed's, found on all they heard. */
static bool test_continuous_parts(struct testing *t, struct continuous_request *r,
                                  const struct training_job *job, int folds, struct err *e) {
  struct text text;
  struct json j;
  struct continuous first = {0};
  t->listening = r;
  r->html = t->html;
  if (!test_parts(t, job, folds, e)) return false;
  json_start_object(t, &text, &j);
  if (t->n_seeds) json_open_array(&j, "seeds");
  for (int s = 0; s < seeds_of(t); s++) {
    struct continuous c;
    continuous_find(&t->p, r, &t->heard[s], t->c->progress, &c);
    if (s == 0) first = c;
    if (t->n_seeds) {
      json_open_object(&j, NULL);
      json_put_int(&j, "seed", t->first_seed + s);
      continuous_json(&c, "continuous", &j);
      json_close_object(&j);
    }
    if (t->c->json) continue;
    if (t->n_seeds) printf("%sseed %lld\n", s ? "\n" : "", (long long)(t->first_seed + s));
    continuous_print(&c, r);
  }
  if (t->write && !continuous_write(&first, &t->p, e)) return false;
  if (t->html && !continuous_page(&first, &t->p, r, e)) return false;
  if (t->n_seeds) json_close_array(&j);
  continuous_json(&first, "continuous", &j);
  json_put_string(&j, "output", t->html);
  json_put_bool(&j, "written", t->write);
  json_close_object(&j);
  if (t->c->json) fputs(text.data, stdout);
  if (!t->c->json && t->write)
    printf("\nwritten to %s: `mote build` makes detector.h of it\n", t->p.yaml_path);
  if (!t->c->json && t->html) printf("\n%s\n", t->html);
  return true;
}

/* A head that learns each group's own examples, in place of the model. */
static bool test_few(struct testing *t, const struct few_request *r, struct err *e) {
  const struct dataset_pick pick = {.splits = 1u << t->split, .group = t->group};
  struct project_model m;
  struct few_figures f;
  if (!project_load_model(&t->p, 0, &m, e) || !few_measure(&t->p, &m, r, &pick, &f, e))
    return false;
  if (!t->c->json) {
    few_print(&f);
    return true;
  }
  struct text text;
  struct json j;
  text_init(&text, t->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  few_json(&f, &j);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

/* What is asked of classes is not asked of counts and numbers. */
static bool plainly(const struct testing *t, bool more, bool trains, struct err *e) {
  if (t->p.config.regression.on && ((more && !trains) || t->robust))
    return err_set(e, "--learn, --continuous and --robust are for models that tell classes; this "
                      "project estimates numbers");
  if (!t->p.config.objects.on || (!more && !t->robust)) return true;
  return err_set(e,
                 "--leave-one-group-out, --folds, --seeds, --learn, --continuous and --robust are "
                 "for models that tell classes; this project counts objects");
}

/* What the command line asks for, beside what `struct testing` holds. */
struct asked {
  const char *dir, *split, *wav;
  const char *network, *learner, *prune, *teacher; /* of the trainings */
  int64_t epochs, seed, threads, flash;
  int64_t folds, seeds;
  int64_t examples; /* --learn; 0: not asked */
  const char *head;
  bool continuous;
  struct few_request few;
  struct continuous_request listening;
};

static bool is_whole(const struct testing *t) { return t->by_group || t->by_fold; }

/* Models of its own making are trained. */
static bool trains(const struct testing *t, const struct asked *a) {
  return is_whole(t) || (a->seeds && !a->examples);
}

/* These three answer 0, or the exit code of a usage error that was told. */
static int refuse_parts(struct command_line *c, const struct testing *t, const struct asked *a) {
  enum learn_kind kind;
  const bool classical = a->learner && strcmp(a->learner, "network") != 0;
  if (t->by_group && t->by_fold)
    return command_usage(c, "--folds and --leave-one-group-out are two ways to leave samples out: "
                            "one of them");
  if (a->folds == 1 || a->folds > CROSS_MAX_FOLDS)
    return command_usage(c, "--folds takes 2 to %d", CROSS_MAX_FOLDS);
  if (a->seeds > 1000) return command_usage(c, "--seeds takes 1 to 1000");
  if (is_whole(t) && t->group)
    return command_usage(c,
                         "--leave-one-group-out and --folds test every group: leave --group out");
  if (classical && !learn_kind_from(a->learner, &kind))
    return command_usage(c, "no learner '%s'; network, %s are", a->learner, learn_kind_list());
  if (classical && (a->network || a->epochs || a->flash || a->prune || a->teacher))
    return command_usage(c, "--learner %s excludes what is asked of a network", a->learner);
  if (!trains(t, a) && (a->epochs || (a->seed >= 0 && !a->examples) || a->network || a->threads ||
                        a->learner || a->flash || a->prune || a->teacher))
    return command_usage(c, "--epochs, --seed, --network, --learner ... go with "
                            "--leave-one-group-out, --folds and --seeds");
  if (trains(t, a) && t->robust)
    return command_usage(c, "--robust disturbs one model's windows: leave --leave-one-group-out, "
                            "--folds and --seeds out");
  return 0;
}

static int refuse_learning(struct command_line *c, const struct testing *t, struct asked *a) {
  if (a->examples > 255) return command_usage(c, "--learn takes 1 to 255 examples");
  if (a->examples && t->split == STORE_TRAIN)
    return command_usage(c, "--learn: the head was taught with the training samples before; "
                            "--split test or validation");
  if (a->head && !a->examples) return command_usage(c, "--head belongs to --learn");
  if (a->head && !few_head_from(a->head, &a->few.kind))
    return command_usage(c, "no head '%s'; softmax, means and nearest are", a->head);
  if (a->examples && (is_whole(t) || a->continuous || t->robust || t->chip || t->html))
    return command_usage(c, "--learn stands with --head, --group, --split, --seeds and --seed");
  return 0;
}

static int refuse_listening(struct command_line *c, const struct testing *t,
                            const struct asked *a) {
  const struct continuous_request *const l = &a->listening;
  if (a->continuous && (t->robust || t->chip))
    return command_usage(c, "--continuous stands without --robust and --chip");
  if (a->continuous && a->seeds && !is_whole(t))
    return command_usage(c, "--continuous with --seeds needs --folds or --leave-one-group-out");
  if (!a->continuous && (!isnan(l->false_alarms_per_hour) || l->hop_ms != 0))
    return command_usage(c, "--false-alarms and --hop-ms belong to --continuous");
  if (t->write && !a->continuous) return command_usage(c, "--write belongs to --continuous");
  if (t->write && l->hop_ms > 0)
    return command_usage(c,
                         "thresholds are for answers every window.stride_ms: leave --hop-ms out");
  if (l->hop_ms < 0 || l->hop_ms > 1e9)
    return command_usage(c, "--hop-ms must be above 0 (and at most 1e9)");
  if (l->false_alarms_per_hour < 0) return command_usage(c, "--false-alarms must be at least 0");
  return 0;
}

/* A project that suppresses noise has figures of its own. */
static bool test_noise(struct testing *t, const struct asked *a, struct err *e) {
  const struct noise_test o = {t->split, t->group, t->chip, a->wav};
  if (trains(t, a) || a->examples || a->continuous || t->robust || t->html)
    return err_set(e, "a project that suppresses noise has no classes: --chip, --group, "
                      "--split and --wav are for it");
  return noise_measure(t->c, &t->p, &o, e);
}

static bool test_classes(struct testing *t, struct asked *a, struct err *e) {
  const struct training_job job = {.epochs = (int)a->epochs,
                                   .seed = a->seed,
                                   .network = a->network,
                                   .learner = a->learner,
                                   .teacher = a->teacher,
                                   .prune = a->prune,
                                   .flash_bytes = a->flash,
                                   .threads = (int)a->threads};
  const bool makes = trains(t, a);
  if (a->wav)
    return err_set(e, "--wav is for projects that suppress noise (`suppress` in mote.yaml)");
  if (a->network) project_take_network(&t->p.config, t->p.arena, a->network);
  if (!plainly(t, makes || a->examples || a->continuous, makes && !a->continuous, e)) return false;
  if (a->examples) return test_few(t, &a->few, e);
  if (a->continuous)
    return is_whole(t) ? test_continuous_parts(t, &a->listening, &job, (int)a->folds, e)
                       : test_continuous(t, &a->listening, e);
  if (!(makes ? test_parts(t, &job, (int)a->folds, e) : test_model(t, e))) return false;
  if (t->c->json) print_json(t);
  if (!t->c->json) print_text(t);
  return true;
}

int cmd_test(int argc, char **argv) {
  struct testing t = {.split = STORE_TEST};
  struct asked a = {.split = "test",
                    .seed = -1,
                    .few.kind = MOTE_ML_ONLINE_SOFTMAX,
                    .listening.false_alarms_per_hour = NAN};
  const struct option_spec options[] = {
      {'c', "chip", OPTION_TEXT, "TARGET",
       "also run every window on this emulated chip (cortex-m4)", &t.chip},
      {'g', "group", OPTION_TEXT, "GROUP", "only the samples of this group", &t.group},
      {'s', "split", OPTION_TEXT, "SPLIT", "test (default), validation or train", &a.split},
      {0, "leave-one-group-out", OPTION_FLAG, NULL,
       "train a model for each group on all others, test it on that one", &t.by_group},
      {0, "folds", OPTION_COUNT, "N",
       "the same for N folds of the samples; groups and files stay whole", &a.folds},
      {0, "seeds", OPTION_COUNT, "N", "train and test with N seeds: mean and spread", &a.seeds},
      {'e', "epochs", OPTION_COUNT, "N", "of these trainings (default: mote.yaml)", &a.epochs},
      {0, "seed", OPTION_INT, "S", "of these trainings", &a.seed},
      {'n', "network", OPTION_TEXT, "TEXT", "of these trainings", &a.network},
      {'l', "learner", OPTION_TEXT, "KIND", "of these trainings", &a.learner},
      {0, "flash", OPTION_COUNT, "BYTES", "of these trainings", &a.flash},
      {0, "prune", OPTION_TEXT, "BUDGET", "of these trainings", &a.prune},
      {0, "teacher", OPTION_TEXT, "NETWORK", "of these trainings", &a.teacher},
      {0, "threads", OPTION_COUNT, "N", "threads of these trainings", &a.threads},
      {0, "robust", OPTION_FLAG, NULL,
       "also with noise, other gains, shifts, rotations and sampling rates", &t.robust},
      {0, "continuous", OPTION_FLAG, NULL,
       "listen to whole recordings: false alarms an hour, misses, and the best thresholds",
       &a.continuous},
      {0, "false-alarms", OPTION_REAL, "N", "--continuous: an hour, at most, of each class (1)",
       &a.listening.false_alarms_per_hour},
      {0, "hop-ms", OPTION_REAL, "MS", "--continuous: from answer to answer (window.stride_ms)",
       &a.listening.hop_ms},
      {0, "write", OPTION_FLAG, NULL, "--continuous: put the thresholds in mote.yaml", &t.write},
      {0, "learn", OPTION_COUNT, "N",
       "what a head is worth that learns N examples of each class of a group on the device",
       &a.examples},
      {0, "head", OPTION_TEXT, "KIND", "--learn: softmax (default), means or nearest", &a.head},
      {0, "html", OPTION_TEXT, "FILE", "write a page about it", &t.html},
      {0, "wav", OPTION_TEXT, "DIR",
       "of a project that suppresses noise: write some mixtures, before and behind it", &a.wav},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &a.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote test [--chip TARGET] [--group G] [--split S] [--robust] [--html FILE]\n"
               "mote test [--leave-one-group-out | --folds N] [--seeds N] [--chip TARGET] [--html "
               "FILE]\n"
               "mote test [--chip TARGET] [--group G] [--split S] [--wav DIR]   (noise)\n"
               "mote test --learn N [--head KIND] [--group G] [--seeds N]\n"
               "mote test --continuous [--false-alarms N] [--hop-ms MS] [--write] [--html FILE]\n"
               "          [--leave-one-group-out | --folds N] [--seeds N]",
      .about = "Accuracy of the trained model on samples that training never saw, and what it "
               "takes for what.",
      .options = options,
      .examples = "  mote test --chip cortex-m4\n  mote test --folds 5 --seeds 3 --json",
      .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!store_split_parse(a.split, &t.split))
    return command_usage(&c, "no split '%s'; train, validation and test are", a.split);
  t.c = &c;
  t.by_fold = a.folds > 0;
  t.n_seeds = (int)a.seeds;
  if ((code = refuse_parts(&c, &t, &a)) || (code = refuse_learning(&c, &t, &a)) ||
      (code = refuse_listening(&c, &t, &a)))
    return code;
  a.few.examples = (int)a.examples;
  a.few.seeds = a.seeds ? (int)a.seeds : 1;
  a.few.seed = a.seed < 0 ? 1 : a.seed;
  if (isnan(a.listening.false_alarms_per_hour)) a.listening.false_alarms_per_hour = 1;
  bool ok = project_open(c.arena, a.dir, trains(&t, &a) ? STORE_WRITE : STORE_READ, &t.p, &c.err);
  ok = ok && (t.p.config.suppress.on ? test_noise(&t, &a, &c.err) : test_classes(&t, &a, &c.err));
  project_close(&t.p);
  return command_end(&c, ok);
}
