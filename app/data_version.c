/* mote data history, undo, redo, snapshot, versions, diff, restore, forget: what samples were, and going back. */
#include "app/data.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Most differences that are printed one by one; JSON has all. */
#define SHOWN 40

static const char *when(struct arena *a, int64_t s) {
  const time_t t = (time_t)s;
  struct tm parts;
  char text[32] = "?";
  if (localtime_r(&t, &parts)) strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return arena_strdup(a, text);
}

/* A word with no options of its own but --project: opens, does, closes. */
static int simple_word(int argc, char **argv, struct command_spec spec, enum store_mode mode,
                       bool (*act)(struct command_line *c, struct project *p)) {
  const char *dir = NULL;
  const struct option_spec options[] = {
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir}, {0}};
  struct command_line c;
  struct project p = {0};
  int code;
  spec.options = options;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  bool ok = project_open(c.arena, dir, mode, &p, &c.err) && act(&c, &p);
  project_close(&p);
  return command_end(&c, ok);
}

/* ---- history --------------------------------------------------------------------------------- */
static bool history(struct command_line *c, struct project *p, int64_t most) {
  struct store_change *changes = NULL;
  struct data_json out;
  int n = 0;
  if (!store_history(p->store, c->arena, (int)most, &changes, &n, &c->err)) return false;
  data_json_open(&out, c->arena);
  json_open_array(&out.j, "changes");
  if (!c->json && n) printf("%7s  %-16s %8s  %s\n", "change", "when", "samples", "what");
  for (int i = 0; i < n; i++) {
    const struct store_change *h = &changes[i];
    if (!c->json)
      printf("%7" PRId64 "  %-16s %8" PRId64 "  %s%s\n", h->id, when(c->arena, h->made_s),
             h->samples, h->what, h->undone ? "  (taken back)" : "");
    json_open_object(&out.j, NULL);
    json_put_int(&out.j, "change", h->id);
    json_put_int(&out.j, "made_s", h->made_s);
    json_put_int(&out.j, "samples", h->samples);
    json_put_string(&out.j, "what", h->what);
    json_put_int(&out.j, "undoes", h->undoes);
    json_put_bool(&out.j, "undone", h->undone);
    json_close_object(&out.j);
  }
  json_close_array(&out.j);
  if (c->json)
    data_json_close(&out);
  else if (n == 0)
    printf("nothing was changed yet\n");
  return true;
}

int data_history(int argc, char **argv) {
  int64_t most = 20;
  bool all = false;
  const char *dir = NULL;
  const struct option_spec options[] = {
      {'n', "most", OPTION_COUNT, "N", "at most so many (default: 20)", &most},
      {0, "all", OPTION_FLAG, NULL, "all of it", &all},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {.usage = "mote data history [--most N | --all]",
                                    .about = "What was changed, newest first.",
                                    .options = options,
                                    .most = 0};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  bool ok = project_open(c.arena, dir, STORE_READ, &p, &c.err) && history(&c, &p, all ? 0 : most);
  project_close(&p);
  return command_end(&c, ok);
}

static bool print_taken_back(struct command_line *c, const struct store_change *done,
                             const char *word) {
  if (!c->json) {
    printf("%s: %s (%" PRId64 " sample%s)\n", word, done->what, done->samples,
           done->samples == 1 ? "" : "s");
    return true;
  }
  struct data_json out;
  data_json_open(&out, c->arena);
  json_put_int(&out.j, "change", done->id);
  json_put_string(&out.j, "what", done->what);
  json_put_int(&out.j, "samples", done->samples);
  data_json_close(&out);
  return true;
}

static bool undo(struct command_line *c, struct project *p) {
  struct store_change done;
  return store_undo(p->store, c->arena, &done, &c->err) && print_taken_back(c, &done, "taken back");
}

static bool redo(struct command_line *c, struct project *p) {
  struct store_change done;
  return store_redo(p->store, c->arena, &done, &c->err) && print_taken_back(c, &done, "done again");
}

int data_undo(int argc, char **argv) {
  return simple_word(argc, argv,
                     (struct command_spec){.usage = "mote data undo",
                                           .about = "Takes the latest change back; again, the one "
                                                    "before it, and so on. `mote data redo` is the "
                                                    "other way."},
                     STORE_WRITE, undo);
}

int data_redo(int argc, char **argv) {
  return simple_word(argc, argv,
                     (struct command_spec){.usage = "mote data redo",
                                           .about = "Does again what the latest undo took back, "
                                                    "where nothing was changed since."},
                     STORE_WRITE, redo);
}

/* ---- versions -------------------------------------------------------------------------------- */
static bool snapshot(struct command_line *c, struct project *p) {
  if (!store_snapshot(p->store, c->words[0], &c->err)) return false;
  int64_t n = 0;
  if (!store_size(p->store, NULL, &n, &c->err)) return false;
  if (!c->json) {
    printf("version %s: %" PRId64 " samples\n", c->words[0], n);
    return true;
  }
  struct data_json out;
  data_json_open(&out, c->arena);
  json_put_string(&out.j, "version", c->words[0]);
  json_put_int(&out.j, "samples", n);
  data_json_close(&out);
  return true;
}

int data_snapshot(int argc, char **argv) {
  return simple_word(
      argc, argv,
      (struct command_spec){.usage = "mote data snapshot NAME",
                            .about = "Gives the samples as they are now a name. It costs nothing: "
                                     "numbers are shared with the samples.",
                            .least = 1,
                            .most = 1},
      STORE_WRITE, snapshot);
}

static bool versions(struct command_line *c, struct project *p) {
  struct store_version *all = NULL;
  struct data_json out;
  int n = 0;
  if (!store_versions(p->store, c->arena, &all, &n, &c->err)) return false;
  data_json_open(&out, c->arena);
  json_open_array(&out.j, "versions");
  for (int i = 0; i < n; i++) {
    if (!c->json)
      printf("%-24s %-16s %8" PRId64 " samples, behind change %" PRId64 "\n", all[i].name,
             when(c->arena, all[i].made_s), all[i].samples, all[i].change);
    json_open_object(&out.j, NULL);
    json_put_string(&out.j, "version", all[i].name);
    json_put_int(&out.j, "made_s", all[i].made_s);
    json_put_int(&out.j, "samples", all[i].samples);
    json_put_int(&out.j, "change", all[i].change);
    json_close_object(&out.j);
  }
  json_close_array(&out.j);
  if (c->json)
    data_json_close(&out);
  else if (n == 0)
    printf("no versions yet: `mote data snapshot NAME` makes one\n");
  return true;
}

int data_versions(int argc, char **argv) {
  const char *dir = NULL, *drop = NULL;
  const struct option_spec options[] = {
      {0, "drop", OPTION_TEXT, "NAME", "forget this name; no sample changes", &drop},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {.usage = "mote data versions [--drop NAME]",
                                    .about = "The versions there are.",
                                    .options = options,
                                    .most = 0};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  bool ok = project_open(c.arena, dir, drop ? STORE_WRITE : STORE_READ, &p, &c.err) &&
            (!drop || store_drop_version(p.store, drop, &c.err)) && versions(&c, &p);
  project_close(&p);
  return command_end(&c, ok);
}

static void print_difference(const struct store_difference *d) {
  static const char signs[] = {'+', '-', '~'};
  printf("%c %7" PRId64 "  ", signs[d->kind], d->id);
  if (d->kind == STORE_CHANGED && strcmp(d->label, d->label_after) != 0)
    printf("%s -> %s", d->label, d->label_after);
  else
    printf("%s", d->kind == STORE_ADDED ? d->label_after : d->label);
  if (d->kind == STORE_CHANGED) printf("  (%s)", d->fields);
  printf("  %s\n", d->source);
}

static bool diff(struct command_line *c, struct project *p) {
  static const char *const kinds[] = {"added", "removed", "changed"};
  struct store_difference *d = NULL;
  int n = 0, count[3] = {0};
  const char *to = c->n_words > 1 ? c->words[1] : NULL;
  if (!store_diff(p->store, c->arena, c->words[0], to, &d, &n, &c->err)) return false;
  for (int i = 0; i < n; i++) count[d[i].kind]++;
  if (!c->json) {
    for (int i = 0; i < n && i < SHOWN; i++) print_difference(&d[i]);
    if (n > SHOWN) printf("  and %s more; --json has all\n", text_thousands(n - SHOWN));
    printf("from %s to %s: %s added, %s removed, %s changed\n", c->words[0], to ? to : "now",
           text_thousands(count[0]), text_thousands(count[1]), text_thousands(count[2]));
    return true;
  }
  struct data_json out;
  data_json_open(&out, c->arena);
  for (int k = 0; k < 3; k++) json_put_int(&out.j, kinds[k], count[k]);
  json_open_array(&out.j, "differences");
  for (int i = 0; i < n; i++) {
    json_open_object(&out.j, NULL);
    json_put_int(&out.j, "id", d[i].id);
    json_put_string(&out.j, "kind", kinds[d[i].kind]);
    json_put_string(&out.j, "label", d[i].label[0] ? d[i].label : NULL);
    json_put_string(&out.j, "label_after", d[i].label_after[0] ? d[i].label_after : NULL);
    json_put_string(&out.j, "source", d[i].source);
    json_put_string(&out.j, "fields", d[i].fields);
    json_close_object(&out.j);
  }
  json_close_array(&out.j);
  data_json_close(&out);
  return true;
}

int data_diff(int argc, char **argv) {
  return simple_word(
      argc, argv,
      (struct command_spec){.usage = "mote data diff VERSION [VERSION]",
                            .about = "What differs between two versions; with one, between it and "
                                     "now. + added, - removed, "
                                     "~ changed.",
                            .examples =
                                "  mote data diff before-cleaning\n  mote data diff v1 v2 --json",
                            .least = 1,
                            .most = 2},
      STORE_READ, diff);
}

static bool restore(struct command_line *c, struct project *p) {
  int64_t touched = 0;
  if (!store_restore(p->store, c->words[0], &touched, &c->err)) return false;
  data_print_done(c, "changed", touched,
                  "the samples are those of %s again: %" PRId64
                  " changed (`mote data undo` goes back)",
                  c->words[0], touched);
  return true;
}

int data_restore(int argc, char **argv) {
  return simple_word(
      argc, argv,
      (struct command_spec){.usage = "mote data restore VERSION",
                            .about =
                                "Makes the samples what they were at this version. It is a change "
                                "like any other: undo takes it back.",
                            .least = 1,
                            .most = 1},
      STORE_WRITE, restore);
}

static bool forget(struct command_line *c, struct project *p) {
  int64_t changes = 0, bytes = 0;
  if (!store_forget(p->store, &changes, &bytes, &c->err)) return false;
  if (!c->json) {
    printf("%s changes forgotten; the file is %s bytes smaller\n", text_thousands(changes),
           text_thousands(bytes));
    return true;
  }
  struct data_json out;
  data_json_open(&out, c->arena);
  json_put_int(&out.j, "changes", changes);
  json_put_int(&out.j, "bytes", bytes);
  data_json_close(&out);
  return true;
}

int data_forget(int argc, char **argv) {
  return simple_word(
      argc, argv,
      (struct command_spec){
          .usage = "mote data forget",
          .about =
              "Drops the history in front of the oldest version (all of it where there is none), "
              "and with "
              "it\nthe numbers of samples that were removed or cut. They cannot be brought back."},
      STORE_WRITE, forget);
}
