/* mote add: recordings into the project.
 *
 * How it works: paths become a sorted list of files, rules give each its label, group and split, ingest reads
 * it, and batches of samples are committed together. Only what was committed is counted as added, so that a
 * kill at any moment loses nothing that was reported; running the same command again adds the rest, since
 * what is there already is found by its hash. A file that cannot be read is reported and the others go in. */
#include "app/project.h"
#include "host/ingest/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A commit waits for the disk: often enough to lose little, rarely enough to be fast. */
#define BATCH_FILES   200
#define BATCH_SECONDS 1.0
/* Failures that are told one by one; the rest is counted. */
#define MAX_FAILURES 50
/* One file's arena: its bytes, the decoded frames, the converted frames. */
#define FILE_ARENA_BYTES ((size_t)2 << 30)

struct add_options {
  const char *label, *label_from, *group, *group_from, *split, *test, *validation;
  const char *label_column, *time_column, *columns, *time_unit, *dir;
};

struct rules {
  struct ingest_rule *label, *group, *test, *validation;
  int split; /* enum store_split, or -1: by rule */
  struct ingest_options ingest;
};

/* How groups are spread: those that the project knows stay where they are. */
struct placed_group {
  const char *name;
  int64_t files;
  int split; /* -1: not yet */
};

struct adding {
  struct command_line *c;
  struct project p;
  struct rules rules;
  const char *label, *group; /* as given; NULL: by rule */
  char **files;
  int n_files;
  struct placed_group *groups;
  int n_groups;
  bool by_group;
  int64_t added, duplicates, clipped, failed; /* committed, but for failed */
  int64_t new_added, new_duplicates;          /* since the last commit */
  struct err *failures;                       /* [failed], at most MAX_FAILURES kept */
};

/* ---- rules ------------------------------------------------------------------------ */
static bool parse_unit(const char *word, double *unit_s, struct err *e) {
  static const struct {
    const char *word;
    double s;
  } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
  for (size_t i = 0; word && i < sizeof units / sizeof units[0]; i++)
    if (strcmp(word, units[i].word) == 0) return *unit_s = units[i].s, true;
  if (!word) return true;
  return err_set(e, "--time-unit \"%s\" is not known; s, ms, us and ns are", word);
}

static bool pattern_rule(struct arena *a, const char *text, const char *option,
                         struct ingest_rule **rule, struct err *e) {
  if (!text) return true;
  /* A bare pattern means the name. */
  if (!text_starts(text, "name:") && !text_starts(text, "path:"))
    text = arena_printf(a, "name:%s", text);
  if (ingest_rule_make(a, text, rule, e)) return true;
  err_node(e, "%s", option);
  return false;
}

static bool make_rules(struct adding *d, const struct add_options *o, struct err *e) {
  struct arena *a = d->c->arena;
  const struct project_config *config = &d->p.config;
  struct rules *r = &d->rules;
  const char *label = o->label_from ? o->label_from : "folder";
  if (!o->label && !ingest_rule_make(a, label, &r->label, e))
    return err_node(e, "--label-from"), false;
  if (o->group_from && !ingest_rule_make(a, o->group_from, &r->group, e))
    return err_node(e, "--group-from"), false;
  if (!pattern_rule(a, o->test, "--test", &r->test, e) ||
      !pattern_rule(a, o->validation, "--validation", &r->validation, e))
    return false;
  enum store_split split;
  r->split = o->split && store_split_parse(o->split, &split) ? (int)split : -1;
  r->ingest =
      (struct ingest_options){.type = config->kind == PROJECT_AUDIO ? INGEST_INT16 : INGEST_FLOAT32,
                              .rate_hz = config->rate_hz,
                              .channels = config->channels,
                              .time_column = o->time_column,
                              .label_column = o->label_column,
                              .columns = o->columns};
  return parse_unit(o->time_unit, &r->ingest.time_unit_s, e);
}

static void free_rules(struct rules *r) {
  ingest_rule_free(r->label);
  ingest_rule_free(r->group);
  ingest_rule_free(r->test);
  ingest_rule_free(r->validation);
}

/* ---- split -------------------------------------------------------------------------- */
static struct placed_group *find_group(struct adding *d, const char *name) {
  for (int i = 0; i < d->n_groups; i++)
    if (strcmp(d->groups[i].name, name) == 0) return &d->groups[i];
  return NULL;
}

static int by_share(const void *x, const void *y) {
  double a = ingest_share(((const struct placed_group *)x)->name);
  double b = ingest_share(((const struct placed_group *)y)->name);
  return (a > b) - (a < b);
}

/* Each new group, in the order of its hash, goes where most is missing from 80, 10 and 10 per cent; before
 * that, test and validation get one each. */
static void place_groups(struct adding *d, int64_t have[STORE_SPLIT_COUNT]) {
  static const double quota[STORE_SPLIT_COUNT] = {0.8, 0.1, 0.1};
  static const int first[STORE_SPLIT_COUNT] = {STORE_TEST, STORE_VALIDATION, STORE_TRAIN};
  int64_t total = 0;
  for (int s = 0; s < STORE_SPLIT_COUNT; s++) total += have[s];
  for (int i = 0; i < d->n_groups; i++) total += d->groups[i].split < 0 ? d->groups[i].files : 0;
  qsort(d->groups, (size_t)d->n_groups, sizeof *d->groups, by_share);
  for (int i = 0; i < d->n_groups; i++) {
    struct placed_group *g = &d->groups[i];
    if (g->split >= 0) continue;
    int best = -1;
    for (int k = 0; k < STORE_SPLIT_COUNT && best < 0; k++)
      if (have[first[k]] == 0) best = first[k];
    double most = -1e300;
    for (int s = 0; s < STORE_SPLIT_COUNT && have[STORE_TEST] && have[STORE_VALIDATION]; s++) {
      double missing = quota[s] * (double)total - (double)have[s];
      if (missing > most) most = missing, best = s;
    }
    g->split = best < 0 ? STORE_TRAIN : best;
    have[g->split] += g->files;
  }
}

/* Groups decide the split when there are at least three: a speaker is then never on both sides. */
static bool plan_split(struct adding *d, struct err *e) {
  struct arena *a = d->c->arena;
  struct store_sample *samples = NULL;
  int n = 0;
  int64_t have[STORE_SPLIT_COUNT] = {0};
  if (d->rules.split >= 0 || d->rules.test || d->rules.validation || !d->rules.group) return true;
  if (!store_list(d->p.store, a, NULL, &samples, &n, e)) return false;
  d->groups = ARENA_ARRAY(a, struct placed_group, n + d->n_files + 1);
  for (int i = 0; i < n; i++) {
    have[samples[i].split]++;
    if (samples[i].group[0] && !find_group(d, samples[i].group))
      d->groups[d->n_groups++] = (struct placed_group){samples[i].group, 0, (int)samples[i].split};
  }
  for (int i = 0; i < d->n_files; i++) {
    char *name = NULL;
    struct err ignored = {0};
    if (!ingest_rule_apply(d->rules.group, a, d->files[i], &name, &ignored)) continue;
    struct placed_group *g = find_group(d, name);
    if (!g) {
      g = &d->groups[d->n_groups++];
      *g = (struct placed_group){name, 0, -1};
    }
    g->files++;
  }
  d->by_group = d->n_groups >= 3;
  if (d->by_group) place_groups(d, have);
  return true;
}

static enum store_split split_of(struct adding *d, const char *path, const char *group) {
  const struct rules *r = &d->rules;
  if (r->split >= 0) return (enum store_split)r->split;
  if (r->test && ingest_rule_matches(r->test, path)) return STORE_TEST;
  if (r->validation && ingest_rule_matches(r->validation, path)) return STORE_VALIDATION;
  if (d->by_group && group[0]) {
    const struct placed_group *g = find_group(d, group);
    if (g && g->split >= 0) return (enum store_split)g->split;
  }
  const char *slash = strrchr(path, '/');
  const char *before = slash;
  while (before && before > path && before[-1] != '/') before--;
  /* The folder and the name: the same recording elsewhere on the disk keeps its split. */
  double share = ingest_share(before ? before : path);
  if (r->test) return r->validation || share >= 0.1 ? STORE_TRAIN : STORE_VALIDATION;
  if (r->validation) return share < 0.1 ? STORE_TEST : STORE_TRAIN;
  return share < 0.8 ? STORE_TRAIN : share < 0.9 ? STORE_VALIDATION : STORE_TEST;
}

/* ---- files ------------------------------------------------------------------------ */
static bool add_recordings(struct adding *d, struct arena *a, const char *path, const char *label,
                           const char *group, struct err *e) {
  struct ingest_recording *recordings = NULL;
  int n = 0;
  if (!ingest_read(a, path, &d->rules.ingest, &recordings, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    const struct ingest_recording *r = &recordings[i];
    int64_t duplicate = 0;
    struct store_sample s = {.label = r->label && r->label[0] ? r->label : label,
                             .group = group,
                             .source = r->part[0] ? arena_printf(a, "%s:%s", path, r->part) : path,
                             .split = split_of(d, path, group),
                             .type = r->type == INGEST_INT16 ? STORE_INT16 : STORE_FLOAT32,
                             .rate_hz = r->rate_hz,
                             .channels = r->channels,
                             .length = r->length,
                             .data = r->data};
    if (!s.label) return err_set(e, "it has no label; use --label or --label-from");
    if (!store_add(d->p.store, &s, &duplicate, e)) return false;
    if (duplicate)
      d->new_duplicates++;
    else
      d->new_added++;
    d->clipped += r->clipped > 0;
  }
  return true;
}

/* false with *fatal: the project itself cannot be written; else only this file is wrong. */
static bool add_file(struct adding *d, const char *path, bool *fatal, struct err *e) {
  struct arena *a = arena_new(FILE_ARENA_BYTES);
  if (!a) return *fatal = true, err_set(e, "no memory left");
  char *label = NULL, *group = NULL;
  const struct rules *r = &d->rules;
  /* A label column needs no label from the name. */
  bool ok = !r->label || r->ingest.label_column || ingest_rule_apply(r->label, a, path, &label, e);
  ok = ok && (!r->group || ingest_rule_apply(r->group, a, path, &group, e));
  ok = ok && add_recordings(d, a, path, d->label ? d->label : label,
                            d->group ? d->group
                            : group  ? group
                                     : "",
                            e);
  /* What names the database is not the file's fault. */
  *fatal = !ok && (e->internal || strcmp(e->file, d->p.db_path) == 0);
  arena_free(a);
  return ok;
}

static bool commit(struct adding *d, struct err *e) {
  if (!store_commit(d->p.store, e)) return false;
  d->added += d->new_added;
  d->duplicates += d->new_duplicates;
  d->new_added = d->new_duplicates = 0;
  return true;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void keep_failure(struct adding *d, const char *path, const struct err *e) {
  if (d->failed < MAX_FAILURES) {
    d->failures[d->failed] = *e;
    err_file(&d->failures[d->failed], path);
  }
  d->failed++;
}

static bool add_all(struct adding *d, struct err *e) {
  double last_s = now_s();
  int in_batch = 0;
  if (!store_begin(d->p.store, e)) return false;
  for (int i = 0; i < d->n_files; i++) {
    struct err one = {0};
    bool fatal = false;
    if (!add_file(d, d->files[i], &fatal, &one)) {
      if (fatal) return *e = one, false;
      keep_failure(d, d->files[i], &one);
    }
    bool last = i == d->n_files - 1;
    if (!last && ++in_batch < BATCH_FILES && now_s() - last_s < BATCH_SECONDS) continue;
    if (!commit(d, e)) return false;
    progress_update(d->c->progress, "add", (uint64_t)i + 1, (uint64_t)d->n_files, "%lld added",
                    (long long)d->added);
    if (!last && !store_begin(d->p.store, e)) return false;
    in_batch = 0;
    last_s = now_s();
  }
  return true;
}

static void print_json(const struct adding *d) {
  struct text text;
  struct json j;
  text_init(&text, d->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "files", d->n_files);
  json_put_int(&j, "added", d->added);
  json_put_int(&j, "duplicates", d->duplicates);
  json_put_int(&j, "clipped", d->clipped);
  json_put_int(&j, "failed", d->failed);
  json_open_array(&j, "failures");
  for (int i = 0; i < d->failed && i < MAX_FAILURES; i++) {
    json_open_object(&j, NULL);
    json_put_string(&j, "file", d->failures[i].file);
    json_put_string(&j, "node", d->failures[i].node[0] ? d->failures[i].node : NULL);
    json_put_string(&j, "message", d->failures[i].text);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static void print_text(const struct adding *d) {
  printf("%s added", text_thousands(d->added));
  if (d->duplicates) printf(", %s were there already", text_thousands(d->duplicates));
  if (d->clipped) printf(", %s clipped", text_thousands(d->clipped));
  if (d->failed) printf(", %s failed", text_thousands(d->failed));
  printf("\n");
  for (int i = 0; i < d->failed && i < MAX_FAILURES; i++) {
    const struct err *e = &d->failures[i];
    fprintf(stderr, "mote: %s: %s%s%s\n", e->file, e->node, e->node[0] ? ": " : "", e->text);
  }
  if (d->failed > MAX_FAILURES)
    fprintf(stderr, "mote: and %s more\n", text_thousands(d->failed - MAX_FAILURES));
}

static bool run(struct adding *d, const struct add_options *o, struct err *e) {
  struct arena *a = d->c->arena;
  d->label = o->label;
  d->group = o->group;
  d->failures = ARENA_ARRAY(a, struct err, MAX_FAILURES);
  if (!project_open(a, o->dir, STORE_WRITE, &d->p, e) || !make_rules(d, o, e) ||
      !ingest_expand(a, d->c->words, d->c->n_words, &d->files, &d->n_files, e) || !plan_split(d, e))
    return false;
  store_change(d->p.store,
               arena_printf(a, "add %s%s", d->c->words[0], d->c->n_words > 1 ? " ..." : ""));
  if (!add_all(d, e)) {
    fprintf(stderr, "mote: %s added before the failure below; they are kept\n",
            text_thousands(d->added));
    return false;
  }
  if (d->failed == d->n_files) {
    *e = d->failures[0];
    if (d->n_files > 1 && strlen(e->text) < sizeof e->text - 80)
      snprintf(e->text + strlen(e->text), 80, " (none of the %d files could be added)", d->n_files);
    return false;
  }
  return true;
}

int cmd_add(int argc, char **argv) {
  struct add_options o = {0};
  const struct option_spec options[] = {
      {'l', "label", OPTION_TEXT, "LABEL", "the label of all of them", &o.label},
      {0, "label-from", OPTION_TEXT, "RULE", "folder (default), folder:N, name:REGEX, path:REGEX",
       &o.label_from},
      {'g', "group", OPTION_TEXT, "GROUP", "who or what was recorded (speaker, machine)", &o.group},
      {0, "group-from", OPTION_TEXT, "RULE", "the same rules as --label-from", &o.group_from},
      {'s', "split", OPTION_TEXT, "SPLIT",
       "train, validation, test or auto (80/10/10 by group, else by name)", &o.split},
      {0, "test", OPTION_TEXT, "RULE",
       "files that match are for the test: name:REGEX or path:REGEX", &o.test},
      {0, "validation", OPTION_TEXT, "RULE", "files that match are for validation", &o.validation},
      {0, "columns", OPTION_TEXT, "LIST", "CSV: the channels' columns, by name or number",
       &o.columns},
      {0, "time-column", OPTION_TEXT, "NAME",
       "CSV: the column of times (default: found by its name)", &o.time_column},
      {0, "time-unit", OPTION_TEXT, "UNIT", "CSV: s, ms, us or ns (default: from name and steps)",
       &o.time_unit},
      {0, "label-column", OPTION_TEXT, "NAME",
       "CSV: the column of labels; recordings end where it changes", &o.label_column},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote add FILE-OR-FOLDER... [--label L | --label-from RULE] [--group-from RULE] "
               "[--split S]",
      .about = "Adds recordings: .wav .flac .ogg .aiff, or .csv .tsv with a time column. Rates and "
               "channels are\n"
               "converted to the project's. A recording that is there already is not added twice.",
      .options = options,
      .examples =
          "  mote add recordings                       labels are the folders' names\n"
          "  mote add hum.wav --label background\n"
          "  mote add digits --label-from 'name:^([0-9])_' --group-from 'name:_([a-z]+)_' \\\n"
          "           --test 'name:_[0-4]\\.wav$'",
      .least = 1,
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (o.label && o.label_from)
    return command_usage(&c, "--label and --label-from exclude each other");
  if (o.group && o.group_from)
    return command_usage(&c, "--group and --group-from exclude each other");
  enum store_split split;
  if (o.split && strcmp(o.split, "auto") != 0 && !store_split_parse(o.split, &split))
    return command_usage(&c, "no split '%s'; train, validation, test and auto are", o.split);
  struct adding d = {.c = &c};
  bool ok = run(&d, &o, &c.err), some_failed = ok && d.failed > 0;
  if (ok && c.json) print_json(&d);
  if (ok && !c.json) print_text(&d);
  free_rules(&d.rules);
  project_close(&d.p);
  code = command_end(&c, ok);
  return some_failed ? EXIT_INPUT : code;
}
