/* mote test: how often the model is right, in float, in int8 and on the chip.
 *
 * The float figures come from the float network, which a finished run's last checkpoint still holds. With
 * --leave-one-group-out a model is trained for each group on all other groups and tested on that one: what to
 * expect from a speaker, a machine or a place that was never seen. */
#include "app/anomaly.h"
#include "app/continuous.h"
#include "app/evaluation.h"
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
  struct figures all;
  /* Leave one group out */
  const char **groups;
  struct figures *by_group;
  int n_groups;
};

static double share(int right, int n) { return n ? (double)right / n : (double)NAN; }

/* ---- measuring ----------------------------------------------------------------------- */
/* t->model NULL: no float figures. */
static bool measure(struct testing *t, struct arena *a, const struct training_outcome *o,
                    const struct dataset *d, struct figures *f, struct err *e) {
  int8_t *scores = NULL, *chip = NULL;
  float *floats = NULL;
  memset(f, 0, sizeof *f);
  if (!decide_here(a, o->graph, &o->features, d, &scores, e)) return false;
  decide_count(d, o->n_classes, scores, NULL, t->confusion, &f->int8);
  evaluation_add(&t->evaluation, t->p.arena, d, t->classes, o->n_classes, scores);
  if (o->model) {
    if (!training_float_scores(o, d, a, &floats, e)) return false;
    decide_count(d, o->n_classes, NULL, floats, NULL, &f->float32);
    f->has_float = true;
  }
  if (t->chip) {
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
static bool load_outcome(struct testing *t, struct training_outcome *o, struct err *e) {
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
  const struct features_block *const features = t->n_groups ? NULL : &t->features;
  return evaluation_finish(&t->evaluation, 1, t->p.arena, e) &&
         (!t->html || evaluation_page(&t->evaluation, &t->p, t->range, features, t->html, e));
}

static bool test_model(struct testing *t, struct err *e) {
  struct training_outcome o;
  struct dataset d;
  struct dataset_pick pick = {.splits = 1u << t->split, .group = t->group};
  if (!load_outcome(t, &o, e) || !test_anomaly(t, &o, &pick, e)) return false;
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
  return measure(t, t->p.arena, &o, &d, &t->all, e) &&
         (!t->robust || evaluation_disturb(&t->evaluation, t->p.arena, o.graph, &o.features, &d,
                                           t->c->progress, e)) &&
         finish(t, e);
}

/* ---- leave one group out --------------------------------------------------------------- */
static bool test_group(struct testing *t, int index, const struct training_job *base,
                       struct err *e) {
  struct project fold = t->p;
  struct training_outcome o;
  struct dataset d;
  struct training_job job = *base;
  const char *group = t->groups[index];
  struct project_learner learner;
  if (!project_learner(&t->p.config, NULL, &learner, e)) return false;
  if (learner.on && learn_is_anomaly(learner.config.kind))
    return err_set(e, "%s tells anomalies, not classes; --leave-one-group-out is for classes",
                   learn_kind_name(learner.config.kind));
  fold.arena = arena_new((size_t)8 << 30);
  if (!fold.arena) return err_set(e, "no memory left");
  job.purpose = arena_printf(fold.arena, "without %s", group);
  job.train =
      (struct dataset_pick){.splits = 1u << STORE_TRAIN | 1u << STORE_TEST, .without = group};
  job.validation = (struct dataset_pick){.splits = 1u << STORE_VALIDATION, .without = group};
  struct dataset_pick test = {.splits = 7, .group = group};
  if (!t->c->quiet) fprintf(stderr, "%s (%d of %d)\n", group, index + 1, t->n_groups);
  bool ok = training_run(t->c, &fold, &job, &o, e) &&
            dataset_load(&fold, &test, o.classes, o.n_classes, o.range, &d, e);
  /* A label that only this group has would shift the class numbers from fold to fold. */
  if (ok && o.n_classes != t->n_classes)
    ok = err_set(
        e,
        "without %s there are %d classes instead of %d: some labels were recorded by this group "
        "alone",
        group, o.n_classes, t->n_classes);
  ok = ok && measure(t, fold.arena, &o, &d, &t->by_group[index], e);
  if (ok && !t->c->json) {
    const struct figures *f = &t->by_group[index];
    printf("%-16s %6d windows   float %5.1f %%   int8 %5.1f %%", group, f->int8.windows,
           100 * share(f->float32.windows_right, f->float32.windows),
           100 * share(f->int8.windows_right, f->int8.windows));
    if (f->has_chip)
      printf("   chip %5.1f %%", 100 * share(f->chip.windows_right, f->chip.windows));
    printf("\n");
    fflush(stdout);
  }
  arena_free(fold.arena);
  return ok;
}

static bool test_groups(struct testing *t, const struct training_job *job, struct err *e) {
  struct dataset_pick all = {.splits = 7};
  if (!store_groups(t->p.store, t->p.arena, &t->groups, &t->n_groups, e) ||
      !dataset_classes(&t->p, &all, &t->classes, &t->n_classes, e))
    return false;
  if (t->n_groups < 2) {
    err_file(e, t->p.db_path);
    return err_set(e,
                   "%d group%s; at least two are needed: `mote add --group-from RULE` names them",
                   t->n_groups, t->n_groups == 1 ? "" : "s");
  }
  t->by_group = ARENA_ARRAY(t->p.arena, struct figures, t->n_groups);
  t->confusion = ARENA_ARRAY(t->p.arena, int64_t, (size_t)t->n_classes * (size_t)t->n_classes);
  for (int i = 0; i < t->n_groups; i++)
    if (!test_group(t, i, job, e)) return false;
  return dataset_range(&t->p, &all, &t->range, e) && finish(t, e);
}

/* ---- output ---------------------------------------------------------------------------- */
static double mean(const struct testing *t, int which) {
  double sum = 0;
  for (int i = 0; i < t->n_groups; i++) {
    const struct figures *f = &t->by_group[i];
    const struct decide_figures *x = which == 0 ? &f->float32 : which == 1 ? &f->int8 : &f->chip;
    sum += share(x->windows_right, x->windows);
  }
  return sum / t->n_groups;
}

static void json_share(struct json *j, const char *key, bool has, double value) {
  if (has)
    json_put_real(j, key, value);
  else
    json_put_null(j, key);
}

static void json_figures(struct json *j, const struct testing *t, const struct figures *f,
                         bool folds) {
  double float32 = folds ? mean(t, 0) : share(f->float32.windows_right, f->float32.windows);
  double int8 = folds ? mean(t, 1) : share(f->int8.windows_right, f->int8.windows);
  double chip = folds ? mean(t, 2) : share(f->chip.windows_right, f->chip.windows);
  json_share(j, "accuracy_float", folds || f->has_float, float32);
  json_share(j, "accuracy_int8", true, int8);
  json_share(j, "accuracy_chip", folds ? t->chip != NULL : f->has_chip, chip);
}

static void print_json(const struct testing *t) {
  struct text text;
  struct json j;
  bool folds = t->n_groups > 0;
  text_init(&text, t->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  if (t->has_anomaly) anomaly_json(&t->anomaly, &j);
  if (t->scores_only) {
    json_put_string(&j, "chip", t->chip);
    json_close_object(&j);
    fputs(text.data, stdout);
    return;
  }
  json_figures(&j, t, &t->all, folds);
  if (!folds) {
    json_put_string(&j, "reason_no_float", t->no_float);
    json_put_int(&j, "windows", t->all.int8.windows);
    json_put_int(&j, "recordings", t->all.int8.recordings);
    json_put_real(&j, "accuracy_recordings_int8",
                  share(t->all.int8.recordings_right, t->all.int8.recordings));
  }
  json_put_string(&j, "chip", t->chip);
  json_open_array(&j, "classes");
  for (int i = 0; i < t->n_classes; i++) json_put_string(&j, NULL, t->classes[i]);
  json_close_array(&j);
  json_open_array(&j, "confusion");
  for (int r = 0; r < t->n_classes; r++) {
    json_open_array(&j, NULL);
    for (int k = 0; k < t->n_classes; k++)
      json_put_int(&j, NULL, t->confusion[r * t->n_classes + k]);
    json_close_array(&j);
  }
  json_close_array(&j);
  if (folds) {
    json_open_array(&j, "groups");
    for (int i = 0; i < t->n_groups; i++) {
      json_open_object(&j, NULL);
      json_put_string(&j, "group", t->groups[i]);
      json_put_int(&j, "windows", t->by_group[i].int8.windows);
      json_figures(&j, t, &t->by_group[i], false);
      json_close_object(&j);
    }
    json_close_array(&j);
  }
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

static void print_text(const struct testing *t) {
  if (t->scores_only) {
    anomaly_print(&t->anomaly);
    return;
  }
  if (t->n_groups) {
    printf("%-16s %6s           float %5.1f %%   int8 %5.1f %%", "mean", "", 100 * mean(t, 0),
           100 * mean(t, 1));
    if (t->chip) printf("   chip %5.1f %%", 100 * mean(t, 2));
    printf("\n");
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

/* The model listening without end, in place of windows. */
static bool test_continuous(struct testing *t, struct continuous_request *r, struct err *e) {
  struct continuous c;
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
  struct text text;
  struct json j;
  text_init(&text, t->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  continuous_json(&c, &j);
  json_put_string(&j, "output", t->html);
  json_put_bool(&j, "written", t->write);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

int cmd_test(int argc, char **argv) {
  struct testing t = {.split = STORE_TEST};
  const char *dir = NULL, *split = "test", *network = NULL;
  int64_t epochs = 0, seed = -1, threads = 0;
  bool leave_out = false, continuous = false;
  struct continuous_request listening = {.false_alarms_per_hour = -1};
  const struct option_spec options[] = {
      {'c', "chip", OPTION_TEXT, "TARGET",
       "also run every window on this emulated chip (cortex-m4)", &t.chip},
      {'g', "group", OPTION_TEXT, "GROUP", "only the samples of this group", &t.group},
      {'s', "split", OPTION_TEXT, "SPLIT", "test (default), validation or train", &split},
      {0, "leave-one-group-out", OPTION_FLAG, NULL,
       "train a model for each group on all others, test it on that one", &leave_out},
      {'e', "epochs", OPTION_COUNT, "N", "of these trainings (default: mote.yaml)", &epochs},
      {0, "seed", OPTION_INT, "S", "of these trainings", &seed},
      {'n', "network", OPTION_TEXT, "TEXT", "of these trainings", &network},
      {0, "threads", OPTION_COUNT, "N", "threads of these trainings", &threads},
      {0, "robust", OPTION_FLAG, NULL,
       "also with noise, other gains, shifts, rotations and sampling rates", &t.robust},
      {0, "continuous", OPTION_FLAG, NULL,
       "listen to whole recordings: false alarms an hour, misses, and the best thresholds",
       &continuous},
      {0, "false-alarms", OPTION_REAL, "N", "--continuous: an hour, at most, of each class (1)",
       &listening.false_alarms_per_hour},
      {0, "hop-ms", OPTION_REAL, "MS", "--continuous: from answer to answer (window.stride_ms)",
       &listening.hop_ms},
      {0, "write", OPTION_FLAG, NULL, "--continuous: put the thresholds in mote.yaml", &t.write},
      {0, "html", OPTION_TEXT, "FILE", "write a page about it", &t.html},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote test [--chip TARGET] [--group G] [--split S] [--leave-one-group-out]\n"
               "          [--robust] [--html FILE]\n"
               "mote test --continuous [--false-alarms N] [--hop-ms MS] [--write] [--html FILE]",
      .about = "Accuracy of the trained model on samples that training never saw, and what it "
               "takes for what.",
      .options = options,
      .examples = "  mote test --chip cortex-m4\n  mote test --leave-one-group-out --json",
      .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!store_split_parse(split, &t.split))
    return command_usage(&c, "no split '%s'; train, validation and test are", split);
  if (leave_out && t.group)
    return command_usage(&c, "--leave-one-group-out tests every group: leave --group out");
  if (!leave_out && (epochs || seed >= 0 || network || threads))
    return command_usage(&c, "--epochs, --seed, --network and --threads go with "
                             "--leave-one-group-out");
  if (leave_out && t.robust)
    return command_usage(&c, "--robust disturbs one model's windows: leave --leave-one-group-out "
                             "out");
  if (continuous && (leave_out || t.robust || t.chip))
    return command_usage(&c, "--continuous stands without --robust, --chip and "
                             "--leave-one-group-out");
  if (!continuous && (listening.false_alarms_per_hour >= 0 || listening.hop_ms != 0))
    return command_usage(&c, "--false-alarms and --hop-ms belong to --continuous");
  if (t.write && !continuous) return command_usage(&c, "--write belongs to --continuous");
  if (t.write && listening.hop_ms > 0)
    return command_usage(&c,
                         "thresholds are for answers every window.stride_ms: leave --hop-ms out");
  if (listening.hop_ms < 0) return command_usage(&c, "--hop-ms must be above 0");
  if (listening.false_alarms_per_hour < 0) listening.false_alarms_per_hour = 1;
  t.c = &c;
  struct training_job job = {
      .epochs = (int)epochs, .seed = seed, .network = network, .threads = (int)threads};
  bool ok = project_open(c.arena, dir, leave_out ? STORE_WRITE : STORE_READ, &t.p, &c.err) &&
            (continuous  ? test_continuous(&t, &listening, &c.err)
             : leave_out ? test_groups(&t, &job, &c.err)
                         : test_model(&t, &c.err));
  if (ok && c.json && !continuous) print_json(&t);
  if (ok && !c.json && !continuous) print_text(&t);
  project_close(&t.p);
  return command_end(&c, ok);
}
