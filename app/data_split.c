/* mote data split: all samples divided anew into train, validation and test, by a key whose values (a speaker, a session,
 * a device) never lie in two splits. */
#include "app/data.h"
#include "host/inspect/inspect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct splitting {
  struct command_line *c;
  struct project p;
  const char *by;
  bool by_is_chosen_here, dry;
  double test, validation;
  int64_t seed;
  struct store_sample *samples;
  int n, n_groups, n_classes, without_key, changed;
  const char **key; /* [n]: the group of each */
  int32_t *group_of, *class_of;
  const char **groups, **classes;
  uint8_t *split; /* [n_groups] */
  int64_t *table; /* [n_classes][3] */
  struct text warnings;
};

/* Without --by: by group where there are enough of them, else by file. */
static const char *choose_key(const struct splitting *s) {
  int grouped = 0, different = 0;
  const char *seen[3];
  for (int i = 0; i < s->n; i++) {
    const char *group = s->samples[i].group;
    if (!group[0]) continue;
    grouped++;
    bool known = false;
    for (int k = 0; k < different && !known; k++) known = strcmp(seen[k], group) == 0;
    if (!known && different < 3) seen[different++] = group;
  }
  return grouped == s->n && different >= 3 ? "group" : "file";
}

/* A sample without the key counts by its file, under a name that no value can have. */
static bool read_keys(struct splitting *s) {
  struct arena *a = s->c->arena;
  struct store_value *values = NULL;
  int n = 0, at = 0;
  if (!s->by) {
    s->by = choose_key(s);
    s->by_is_chosen_here = true;
  }
  const bool file = strcmp(s->by, "file") == 0, each = strcmp(s->by, "sample") == 0;
  const char *key = strcmp(s->by, "speaker") == 0 && !each ? "group" : s->by;
  if (!file && !each) {
    if (!store_values(s->p.store, a, key, &values, &n, &s->c->err)) return false;
    /* A speaker may also be a key of metadata. */
    int with = 0;
    for (int i = 0; i < n; i++) with += values[i].value[0] != 0;
    if (with == 0 && key != s->by && !store_values(s->p.store, a, s->by, &values, &n, &s->c->err))
      return false;
  }
  int found = 0;
  for (int i = 0; i < s->n; i++) {
    const struct store_sample *one = &s->samples[i];
    while (at < n && values[at].id < one->id) at++;
    const bool has = at < n && values[at].id == one->id && values[at].value[0];
    found += has;
    if (each)
      s->key[i] = arena_printf(a, "%" PRId64, one->id);
    else if (has)
      s->key[i] = values[at].value;
    else
      s->key[i] = arena_printf(a, "\x01%s", data_file_of(a, one->source));
  }
  s->without_key = file || each ? 0 : s->n - found;
  if (file || each || found) return true;
  return err_set(
      &s->c->err,
      "no sample has \"%s\"; file, group and sample are keys that all have, and `mote data list "
      "--keys` shows the metadata",
      s->by);
}

static const char *name_of(const char *key) { return key[0] == 1 ? key + 1 : key; }

/* ---- what cannot be as wished ----------------------------------------------------------------- */
static void warn(struct splitting *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void warn(struct splitting *s, const char *format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  text_printf(&s->warnings, "%s\n", line);
}

static void find_warnings(struct splitting *s, const double share[STORE_SPLIT_COUNT]) {
  struct arena *a = s->c->arena;
  int64_t *size = ARENA_ARRAY(a, int64_t, s->n_groups);
  int32_t *last = ARENA_ARRAY(a, int32_t, s->n_classes),
          *held = ARENA_ARRAY(a, int32_t, s->n_classes);
  int wanted = 0;
  for (int k = 0; k < STORE_SPLIT_COUNT; k++) wanted += share[k] > 0;
  for (int k = 0; k < s->n_classes; k++) last[k] = -1;
  for (int i = 0; i < s->n; i++) {
    size[s->group_of[i]]++;
    const int k = s->class_of[i];
    if (last[k] != s->group_of[i] && held[k] < 2) {
      held[k] += last[k] < 0 || held[k] == 1;
      last[k] = s->group_of[i];
    }
  }
  for (int g = 0; g < s->n_groups; g++) {
    const double part = (double)size[g] / s->n;
    if (part > share[STORE_TRAIN] && s->n_groups > wanted)
      warn(s, "%s %s holds %.0f %% of the samples: no division comes near the shares", s->by,
           name_of(s->groups[g]), 100 * part);
  }
  for (int k = 0; k < s->n_classes; k++) {
    for (int t = 0; t < STORE_SPLIT_COUNT; t++) {
      if (!(share[t] > 0) || s->table[k * STORE_SPLIT_COUNT + t]) continue;
      if (held[k] == 1)
        warn(s, "\"%s\" has no %s samples: all of it lies in one %s (%s)", s->classes[k],
             store_split_name((enum store_split)t), s->by, name_of(s->groups[last[k]]));
      else
        warn(s, "\"%s\" has no %s samples: its %ss are too few to fill every split", s->classes[k],
             store_split_name((enum store_split)t), s->by);
    }
  }
}

static bool plan(struct splitting *s) {
  struct arena *a = s->c->arena;
  const char **labels = ARENA_ARRAY(a, const char *, s->n + 1);
  s->key = ARENA_ARRAY(a, const char *, s->n + 1);
  s->group_of = ARENA_ARRAY(a, int32_t, s->n + 1);
  s->class_of = ARENA_ARRAY(a, int32_t, s->n + 1);
  if (!read_keys(s)) return false;
  const struct project_regression *const numbers = &s->p.config.regression;
  for (int i = 0; i < s->n; i++) labels[i] = numbers->on ? numbers->of[0] : s->samples[i].label;
  s->n_groups = data_number_texts(a, s->key, s->n, &s->groups, s->group_of);
  s->n_classes = data_number_texts(a, labels, s->n, &s->classes, s->class_of);
  s->split = ARENA_ARRAY(a, uint8_t, s->n_groups + 1);
  s->table = ARENA_ARRAY(a, int64_t, s->n_classes * STORE_SPLIT_COUNT + 1);
  const struct inspect_division d = {.n_items = s->n,
                                     .n_groups = s->n_groups,
                                     .n_classes = s->n_classes,
                                     .group_of = s->group_of,
                                     .class_of = s->class_of,
                                     .share = {[STORE_TRAIN] = 1 - s->test - s->validation,
                                               [STORE_VALIDATION] = s->validation,
                                               [STORE_TEST] = s->test},
                                     .seed = (uint64_t)s->seed};
  if (!inspect_divide(a, &d, s->split, &s->c->err))
    return err_node(&s->c->err, "by %s", s->by), false;
  for (int i = 0; i < s->n; i++) {
    s->table[s->class_of[i] * STORE_SPLIT_COUNT + s->split[s->group_of[i]]]++;
    s->changed += (int)s->samples[i].split != s->split[s->group_of[i]];
  }
  find_warnings(s, d.share);
  return true;
}

static bool write_splits(struct splitting *s) {
  struct store *st = s->p.store;
  store_change(st, arena_printf(s->c->arena, "split by %s", s->by));
  if (!store_begin(st, &s->c->err)) return false;
  for (int i = 0; i < s->n; i++) {
    const int split = s->split[s->group_of[i]];
    if ((int)s->samples[i].split == split) continue;
    if (!store_relabel(st, s->samples[i].id, NULL, split, NULL, &s->c->err)) {
      store_rollback(st);
      return false;
    }
  }
  return store_commit(st, &s->c->err);
}

/* ---- telling ------------------------------------------------------------------------------------ */
static void print_text(const struct splitting *s) {
  int64_t total[STORE_SPLIT_COUNT] = {0};
  int groups[STORE_SPLIT_COUNT] = {0};
  printf("%-20s %9s %11s %9s\n", "label", "train", "validation", "test");
  for (int k = 0; k < s->n_classes; k++) {
    const int64_t *t = &s->table[k * STORE_SPLIT_COUNT];
    printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 "\n", s->classes[k], t[0], t[1], t[2]);
    for (int i = 0; i < STORE_SPLIT_COUNT; i++) total[i] += t[i];
  }
  for (int g = 0; g < s->n_groups; g++) groups[s->split[g]]++;
  printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 "\n", "together", total[0], total[1],
         total[2]);
  printf("%-20s %8.1f%% %10.1f%% %8.1f%%\n", "share", 100.0 * (double)total[0] / s->n,
         100.0 * (double)total[1] / s->n, 100.0 * (double)total[2] / s->n);
  printf("%-20s %9d %11d %9d\n", arena_printf(s->c->arena, "%ss", s->by), groups[0], groups[1],
         groups[2]);
  printf("\nby %s%s: %d of them, each in one split only; %s%d of %d samples %s\n", s->by,
         s->by_is_chosen_here ? " (--by chooses another key)" : "", s->n_groups,
         s->dry ? "nothing written, " : "", s->changed, s->n, s->dry ? "would change" : "changed");
  if (s->without_key)
    printf("%d samples have no \"%s\" and count by their file\n", s->without_key, s->by);
  if (s->warnings.size) fprintf(stderr, "%s", s->warnings.data);
}

static void print_json(const struct splitting *s) {
  struct data_json out;
  data_json_open(&out, s->c->arena);
  json_put_string(&out.j, "by", s->by);
  json_put_int(&out.j, "groups", s->n_groups);
  json_put_int(&out.j, "without_key", s->without_key);
  json_put_int(&out.j, "changed", s->dry ? 0 : s->changed);
  json_put_int(&out.j, "would_change", s->changed);
  json_open_array(&out.j, "labels");
  for (int k = 0; k < s->n_classes; k++) {
    json_open_object(&out.j, NULL);
    json_put_string(&out.j, "label", s->classes[k]);
    for (int t = 0; t < STORE_SPLIT_COUNT; t++)
      json_put_int(&out.j, store_split_name((enum store_split)t),
                   s->table[k * STORE_SPLIT_COUNT + t]);
    json_close_object(&out.j);
  }
  json_close_array(&out.j);
  json_open_array(&out.j, "warnings");
  char *copy = arena_strdup(s->c->arena, s->warnings.data), *rest = NULL;
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    json_put_string(&out.j, NULL, line);
  json_close_array(&out.j);
  data_json_close(&out);
}

static bool run(struct splitting *s, struct data_pick *pick) {
  const enum store_mode mode = s->dry ? STORE_READ : STORE_WRITE;
  text_init(&s->warnings, s->c->arena);
  if (!project_open(s->c->arena, pick->dir, mode, &s->p, &s->c->err) ||
      !store_list(s->p.store, s->c->arena, NULL, &s->samples, &s->n, &s->c->err))
    return false;
  if (s->n == 0)
    return err_set(&s->c->err, "there are no samples yet; `mote add FOLDER` adds some");
  return plan(s) && (s->dry || !s->changed || write_splits(s));
}

int data_split(int argc, char **argv) {
  struct splitting s = {.test = 0.2, .validation = 0.1, .seed = 1};
  struct data_pick pick = {0};
  const struct option_spec options[] = {
      {0, "by", OPTION_TEXT, "KEY",
       "never in two splits: file, group, sample, or a key of metadata", &s.by},
      {0, "test", OPTION_REAL, "SHARE", "for the test (default: 0.2)", &s.test},
      {0, "validation", OPTION_REAL, "SHARE", "for validation (default: 0.1)", &s.validation},
      {0, "seed", OPTION_INT, "N", "another seed, another division (default: 1)", &s.seed},
      {0, "dry-run", OPTION_FLAG, NULL, "show it, and change nothing", &s.dry},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &pick.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote data split [--by KEY] [--test 0.2] [--validation 0.1] [--seed N] [--dry-run]",
      .about = "Divides all samples anew, each class as near to the shares as whole groups allow. "
               "Samples with\n"
               "the same value of KEY (a speaker, a session, a device) stay together, so that the "
               "test hears\n"
               "nobody who was trained with. The same samples and seed give the same division.",
      .options = options,
      .examples = "  mote data split --by group\n"
                  "  mote data split --by session --test 0.3 --validation 0 --dry-run",
      .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!(s.test >= 0) || !(s.validation >= 0) || !(s.test + s.validation < 1))
    return command_usage(&c, "--test %g and --validation %g: shares from 0, below 1 together",
                         s.test, s.validation);
  s.c = &c;
  bool ok = run(&s, &pick);
  if (ok && c.json) print_json(&s);
  if (ok && !c.json) print_text(&s);
  project_close(&s.p);
  return command_end(&c, ok);
}
