/* mote data set, remove, enable, disable: samples that were picked are changed together, as one change of the history. */
#include "app/data.h"

#include <inttypes.h>
#include <string.h>

struct change_options {
  struct data_pick pick;
  const char *set_label, *set_split, *set_group;
  struct option_list meta, unset;
  int split; /* -1: keeps */
};

static const char *samples_word(int64_t n) { return n == 1 ? "sample" : "samples"; }

/* Does one to each picked sample in one transaction; what: the history's text. */
static bool change_all(struct command_line *c, struct project *p, struct change_options *o,
                       const char *what,
                       bool (*one)(struct command_line *c, struct project *p,
                                   const struct change_options *o, int64_t id),
                       int *count) {
  struct store_sample *samples = NULL;
  if (!data_pick_samples(c, p, &o->pick, true, &samples, count)) return false;
  store_change(p->store, arena_printf(c->arena, "%s %d %s", what, *count, samples_word(*count)));
  if (!store_begin(p->store, &c->err)) return false;
  for (int i = 0; i < *count; i++) {
    if (!one(c, p, o, samples[i].id)) {
      store_rollback(p->store);
      return false;
    }
    if ((i & 1023) == 1023)
      progress_update(c->progress, what, (uint64_t)i, (uint64_t)*count, "%d", i);
  }
  return store_commit(p->store, &c->err);
}

/* ---- set ----------------------------------------------------------------------------------- */
static bool set_one(struct command_line *c, struct project *p, const struct change_options *o,
                    int64_t id) {
  if ((o->set_label || o->split >= 0 || o->set_group) &&
      !store_relabel(p->store, id, o->set_label, o->split, o->set_group, &c->err))
    return false;
  for (int i = 0; i < o->meta.count; i++) {
    const char *equals = strchr(o->meta.items[i], '=');
    char key[72];
    snprintf(key, sizeof key, "%.*s", (int)(equals - o->meta.items[i]), o->meta.items[i]);
    if (!store_set_meta(p->store, id, key, equals + 1, &c->err)) return false;
  }
  for (int i = 0; i < o->unset.count; i++)
    if (!store_set_meta(p->store, id, o->unset.items[i], NULL, &c->err)) return false;
  return true;
}

int data_set(int argc, char **argv) {
  struct change_options o = {.split = -1};
  const struct option_spec options[] = {
      {0, "set-label", OPTION_TEXT, "LABEL", "give them this label", &o.set_label},
      {0, "set-split", OPTION_TEXT, "SPLIT", "put them into train, validation or test",
       &o.set_split},
      {0, "set-group", OPTION_TEXT, "GROUP", "who or what was recorded", &o.set_group},
      {'m', "meta", OPTION_LIST, "KEY=VALUE", "write this metadata (repeatable)", &o.meta},
      {0, "unset", OPTION_LIST, "KEY", "take metadata away (repeatable)", &o.unset},
      {0, "all", OPTION_FLAG, NULL, "every sample of the project", &o.pick.all},
      DATA_PICK_OPTIONS(o.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data set ID... [--set-label L] [--set-split S] [--meta KEY=VALUE]",
      .about = "Changes samples: by number, by stretches of numbers (10-20), or all that a filter "
               "finds.",
      .options = options,
      .examples = "  mote data set 17 18 --set-label yes\n"
                  "  mote data set --where device=nano-2 --meta session=3 --set-group anna",
      .most = -1};
  struct command_line c;
  struct project p = {0};
  enum store_split split;
  int code, n = 0;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!o.set_label && !o.set_split && !o.set_group && !o.meta.count && !o.unset.count)
    return command_usage(&c,
                         "what to set? --set-label, --set-split, --set-group, --meta or --unset");
  if (o.set_split && !store_split_parse(o.set_split, &split))
    return command_usage(&c, "no split '%s'; train, validation and test are", o.set_split);
  if (o.set_split) o.split = (int)split;
  for (int i = 0; i < o.meta.count; i++) {
    const char *equals = strchr(o.meta.items[i], '=');
    if (!equals || equals == o.meta.items[i] || equals - o.meta.items[i] > 63)
      return command_usage(&c, "--meta '%s': it wants KEY=VALUE", o.meta.items[i]);
  }
  if (!data_pick_parse(&c, &o.pick, &code)) return code;
  bool ok = project_open(c.arena, o.pick.dir, STORE_WRITE, &p, &c.err) &&
            change_all(&c, &p, &o, "set", set_one, &n);
  if (ok) data_print_done(&c, "changed", n, "%d %s changed", n, samples_word(n));
  project_close(&p);
  return command_end(&c, ok);
}

/* ---- remove, enable, disable ------------------------------------------------------------------ */
static bool remove_one(struct command_line *c, struct project *p, const struct change_options *o,
                       int64_t id) {
  (void)o;
  return store_remove(p->store, id, &c->err);
}
static bool enable_one(struct command_line *c, struct project *p, const struct change_options *o,
                       int64_t id) {
  (void)o;
  return store_enable(p->store, id, true, &c->err);
}
static bool disable_one(struct command_line *c, struct project *p, const struct change_options *o,
                        int64_t id) {
  (void)o;
  return store_enable(p->store, id, false, &c->err);
}

static int change_word(int argc, char **argv, const struct command_spec *words, const char *verb,
                       const char *done,
                       bool (*one)(struct command_line *c, struct project *p,
                                   const struct change_options *o, int64_t id)) {
  struct change_options o = {.split = -1};
  const struct option_spec options[] = {
      {0, "all", OPTION_FLAG, NULL, "every sample of the project", &o.pick.all},
      DATA_PICK_OPTIONS(o.pick),
      {0}};
  struct command_spec spec = *words;
  spec.options = options;
  spec.most = -1;
  struct command_line c;
  struct project p = {0};
  int code, n = 0;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!data_pick_parse(&c, &o.pick, &code)) return code;
  bool ok = project_open(c.arena, o.pick.dir, STORE_WRITE, &p, &c.err) &&
            change_all(&c, &p, &o, verb, one, &n);
  if (ok) data_print_done(&c, done, n, "%d %s %s", n, samples_word(n), done);
  project_close(&p);
  return command_end(&c, ok);
}

int data_remove(int argc, char **argv) {
  return change_word(
      argc, argv,
      &(struct command_spec){
          .usage = "mote data remove ID... | --where KEY=VALUE",
          .about =
              "Takes samples out. `mote data undo` brings them back, and `mote data forget` lets "
              "go of\ntheir numbers for good."},
      "remove", "removed", remove_one);
}

int data_enable(int argc, char **argv) {
  return change_word(argc, argv,
                     &(struct command_spec){.usage = "mote data enable ID... | --where KEY=VALUE",
                                            .about = "Uses samples again that were disabled."},
                     "enable", "enabled", enable_one);
}

int data_disable(int argc, char **argv) {
  return change_word(
      argc, argv,
      &(struct command_spec){.usage = "mote data disable ID... | --where KEY=VALUE",
                             .about = "Keeps samples, but leaves them out of training and tests."},
      "disable", "disabled", disable_one);
}
