/* mote data: what is in the project, and the words that change it: finds the word, and without one prints the table of
 * labels and splits. The options of `mote data` itself are from before there were words. */
#include "app/data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name, *group, *summary;
  int (*run)(int argc, char **argv);
} WORDS[] = {
#define DATA_WORD(name, function, group, summary) {name, group, summary, function},
#include "app/data.def"
#undef DATA_WORD
};
#define N_WORDS (sizeof WORDS / sizeof *WORDS)

struct data_options {
  bool list, runs, check;
  struct data_pick pick;
  const char *out;
  int64_t plot, remove, edit;
  const char *set_label, *set_split, *set_group;
  enum store_split to; /* what set_split names */
};

/* ---- table ------------------------------------------------------------------------------ */
static void print_table(const struct store_count *rows, int n) {
  int64_t total[STORE_SPLIT_COUNT] = {0};
  double seconds = 0;
  int64_t disabled = 0;
  printf("%-20s %9s %11s %9s %10s %10s\n", "label", "train", "validation", "test", "minutes",
         "mean s");
  for (int i = 0; i < n;) {
    const char *label = rows[i].label;
    int64_t count[STORE_SPLIT_COUNT] = {0}, all = 0;
    double length = 0;
    for (; i < n && strcmp(rows[i].label, label) == 0; i++) {
      count[rows[i].split] = rows[i].samples;
      total[rows[i].split] += rows[i].samples;
      all += rows[i].samples;
      length += rows[i].seconds;
      disabled += rows[i].disabled;
    }
    seconds += length;
    printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 " %10.1f %10.2f\n", label, count[0],
           count[1], count[2], length / 60, length / (double)all);
  }
  printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 " %10.1f\n", "together", total[0], total[1],
         total[2], seconds / 60);
  if (disabled)
    printf("\n%" PRId64 " of these are disabled: neither trained nor tested with\n", disabled);
}

static void advise(const struct store_count *rows, int n) {
  int64_t total[STORE_SPLIT_COUNT] = {0};
  for (int i = 0; i < n; i++) total[rows[i].split] += rows[i].samples;
  if (n == 0)
    printf("\nnothing yet: `mote add FOLDER` adds recordings\n");
  else if (total[STORE_TEST] == 0)
    printf("\nno test samples: `mote data split` sets some apart that training never sees\n");
  else if (total[STORE_VALIDATION] == 0)
    printf("\nno validation samples: training cannot tell when it is good enough\n");
  for (int i = 0; i < n && total[STORE_TEST];) {
    const char *label = rows[i].label;
    int64_t count[STORE_SPLIT_COUNT] = {0};
    for (; i < n && strcmp(rows[i].label, label) == 0; i++) count[rows[i].split] = rows[i].samples;
    const char *missing = !count[STORE_TRAIN] ? "training" : !count[STORE_TEST] ? "test" : NULL;
    if (missing)
      printf("\n\"%s\" has no %s samples: `mote data split` divides anew, or `mote data set ID "
             "--set-split`\n",
             label, missing);
  }
}

static void json_counts(struct json *j, const struct store_count *rows, int n) {
  json_open_array(j, "labels");
  for (int i = 0; i < n;) {
    const char *label = rows[i].label;
    int64_t count[STORE_SPLIT_COUNT] = {0};
    double seconds = 0;
    int64_t disabled = 0;
    for (; i < n && strcmp(rows[i].label, label) == 0; i++) {
      count[rows[i].split] = rows[i].samples;
      seconds += rows[i].seconds;
      disabled += rows[i].disabled;
    }
    json_open_object(j, NULL);
    json_put_string(j, "label", label);
    for (int s = 0; s < STORE_SPLIT_COUNT; s++)
      json_put_int(j, store_split_name((enum store_split)s), count[s]);
    json_put_int(j, "disabled", disabled);
    json_put_real(j, "seconds", seconds);
    json_close_object(j);
  }
  json_close_array(j);
}

static bool table(struct command_line *c, struct project *p) {
  struct store_count *rows = NULL;
  const char **groups = NULL;
  int n = 0, n_groups = 0;
  if (!store_counts(p->store, c->arena, &rows, &n, &c->err) ||
      !store_groups(p->store, c->arena, &groups, &n_groups, &c->err))
    return false;
  if (!c->json) {
    print_table(rows, n);
    if (n_groups) printf("\n%d groups:", n_groups);
    for (int i = 0; i < n_groups && i < 20; i++) printf(" %s", groups[i]);
    if (n_groups) printf("%s\n", n_groups > 20 ? " ..." : "");
    advise(rows, n);
    return true;
  }
  struct text text;
  struct json j;
  text_init(&text, c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_string(&j, "name", p->config.name);
  json_counts(&j, rows, n);
  json_open_array(&j, "groups");
  for (int i = 0; i < n_groups; i++) json_put_string(&j, NULL, groups[i]);
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

/* ---- command ---------------------------------------------------------------------------- */
bool data_check_file(struct command_line *c, struct project *p, int64_t *samples) {
  struct store_sample *all = NULL, one;
  int n = 0;
  if (!store_check(p->store, &c->err) || !store_list(p->store, c->arena, NULL, &all, &n, &c->err))
    return false;
  for (int i = 0; i < n; i++) {
    struct arena *a = data_arena(&c->err);
    const bool ok = a && store_get(p->store, a, all[i].id, &one, &c->err);
    arena_free(a);
    if (!ok) return false;
  }
  *samples = n;
  return true;
}

static bool check(struct command_line *c, struct project *p) {
  int64_t n = 0;
  if (!data_check_file(c, p, &n)) return false;
  if (c->json)
    printf("{\n  \"whole\": true,\n  \"samples\": %" PRId64 "\n}\n", n);
  else
    printf("the project's file is whole: %" PRId64 " samples read\n", n);
  return true;
}

static bool change(struct command_line *c, struct project *p, const struct data_options *o) {
  if (o->remove) {
    if (!store_remove(p->store, o->remove, &c->err)) return false;
    data_print_done(c, "removed", o->remove, "sample %" PRId64 " is out", o->remove);
    return true;
  }
  const int split = o->set_split ? (int)o->to : -1;
  if (!store_relabel(p->store, o->edit, o->set_label, split, o->set_group, &c->err)) return false;
  struct store_sample s;
  if (!store_describe(p->store, c->arena, o->edit, &s, &c->err)) return false;
  data_print_done(c, "changed", o->edit, "sample %" PRId64 ": %s, %s, group \"%s\"", s.id, s.label,
                  store_split_name(s.split), s.group);
  return true;
}

static bool run(struct command_line *c, struct project *p, struct data_options *o) {
  const struct data_pick *k = &o->pick;
  bool writes = o->remove || o->edit;
  if (!project_open(c->arena, k->dir, writes ? STORE_WRITE : STORE_READ, p, &c->err)) return false;
  if (writes) return change(c, p, o);
  if (o->plot) return data_plot(c, p, o->plot, o->out);
  if (o->check) return check(c, p);
  if (o->runs) return data_runs(c, p);
  const bool listing = o->list || k->label || k->group || k->split || k->where.count;
  return listing ? data_list_samples(c, p, &o->pick) : table(c, p);
}

/* The head of --help: the words in their groups. */
static const char *about(void) {
  static char text[3072];
  const char *group = "";
  int n =
      snprintf(text, sizeof text,
               "What is in the project: samples for each label and split, and how long they are.\n"
               "A word does more; `mote data WORD --help` tells its options:\n");
  for (size_t i = 0; i < N_WORDS && n < (int)sizeof text; i++) {
    if (strcmp(group, WORDS[i].group) != 0)
      n += snprintf(text + n, sizeof text - (size_t)n, "\n%s\n", group = WORDS[i].group);
    if (n < (int)sizeof text)
      n += snprintf(text + n, sizeof text - (size_t)n, "  %-10s %s\n", WORDS[i].name,
                    WORDS[i].summary);
  }
  if (n < (int)sizeof text)
    snprintf(text + n, sizeof text - (size_t)n, "\nEvery change can be taken back: mote data undo");
  return text;
}

static int without_word(int argc, char **argv) {
  struct data_options o = {0};
  const struct option_spec options[] = {
      {'l', "list", OPTION_FLAG, NULL, "every sample on a line (as `mote data list`)", &o.list},
      {0, "label", OPTION_TEXT, "LABEL", "list only this label", &o.pick.label},
      {0, "group", OPTION_TEXT, "GROUP", "list only this group", &o.pick.group},
      {0, "split", OPTION_TEXT, "SPLIT", "list only this split", &o.pick.split},
      {'w', "where", OPTION_LIST, "KEY=VALUE", "list only where this is so", &o.pick.where},
      {0, "runs", OPTION_FLAG, NULL, "the training runs", &o.runs},
      {0, "check", OPTION_FLAG, NULL, "prove that the project's file is whole", &o.check},
      {'p', "plot", OPTION_COUNT, "ID", "draw a sample as SVG", &o.plot},
      {'o', "output", OPTION_TEXT, "FILE", "where to (default: standard output)", &o.out},
      {0, "remove", OPTION_COUNT, "ID", "take a sample out", &o.remove},
      {0, "edit", OPTION_COUNT, "ID", "change a sample, with:", &o.edit},
      {0, "set-label", OPTION_TEXT, "LABEL", "its label", &o.set_label},
      {0, "set-split", OPTION_TEXT, "SPLIT", "its split", &o.set_split},
      {0, "set-group", OPTION_TEXT, "GROUP", "its group", &o.set_group},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.pick.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote data [WORD ...] [options]",
      .about = about(),
      .options = options,
      .examples = "  mote data\n  mote data list --split test --where group=anna\n"
                  "  mote data check\n  mote data split --by group --test 0.2 --validation 0.1\n"
                  "  mote data crop 17 --from 0.5 --to 1.5 && mote data undo",
      .most = 0};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!data_pick_parse(&c, &o.pick, &code)) return code;
  if (o.set_split && !store_split_parse(o.set_split, &o.to))
    return command_usage(&c, "no split '%s'; train, validation and test are", o.set_split);
  if ((o.edit != 0) != (o.set_label || o.set_split || o.set_group))
    return command_usage(&c, "--edit ID goes with --set-label, --set-split or --set-group");
  bool ok = run(&c, &p, &o);
  project_close(&p);
  return command_end(&c, ok);
}

static int no_word(const char *word, int argc, char **argv) {
  static const struct option_spec none[] = {{0}};
  static const struct command_spec spec = {
      .usage = "mote data [WORD ...] [options]", .about = "", .options = none, .most = -1};
  struct command_line c = {.spec = &spec, .arena = arena_new(0)};
  c.json = command_wants_json(argc, argv);
  return c.arena ? command_usage(&c, "no word '%s'; `mote data --help` lists them", word)
                 : EXIT_INTERNAL;
}

int cmd_data(int argc, char **argv) {
  /* The word may stand behind --json and --quiet, which have no values. */
  int at = 1;
  while (at < argc &&
         (!strcmp(argv[at], "--json") || !strcmp(argv[at], "--quiet") || !strcmp(argv[at], "-q")))
    at++;
  if (at >= argc || argv[at][0] == '-') return without_word(argc, argv);
  for (size_t i = 0; i < N_WORDS; i++) {
    if (strcmp(argv[at], WORDS[i].name) != 0) continue;
    /* The word takes the place of the command's name; what stood in front of it moves behind. */
    char *word = argv[at];
    memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
    argv[1] = word;
    return WORDS[i].run(argc - 1, argv + 1);
  }
  return no_word(argv[at], argc, argv);
}
