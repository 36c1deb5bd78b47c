/* mote data: what is in the project, as a table, a list or a drawing; and taking samples out. */
#include "app/project.h"
#include "host/report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct data_options {
  bool list, runs, check;
  const char *label, *group, *split, *dir, *out;
  int64_t plot, remove, edit;
  const char *set_label, *set_split, *set_group;
  enum store_split only, to; /* what split and set_split name */
};

/* ---- table ------------------------------------------------------------------------------ */
static void print_table(const struct store_count *rows, int n) {
  int64_t total[STORE_SPLIT_COUNT] = {0};
  double seconds = 0;
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
    }
    seconds += length;
    printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 " %10.1f %10.2f\n", label, count[0],
           count[1], count[2], length / 60, length / (double)all);
  }
  printf("%-20s %9" PRId64 " %11" PRId64 " %9" PRId64 " %10.1f\n", "together", total[0], total[1],
         total[2], seconds / 60);
}

static void advise(const struct store_count *rows, int n) {
  int64_t total[STORE_SPLIT_COUNT] = {0};
  for (int i = 0; i < n; i++) total[rows[i].split] += rows[i].samples;
  if (n == 0)
    printf("\nnothing yet: `mote add FOLDER` adds recordings\n");
  else if (total[STORE_TEST] == 0)
    printf("\nno test samples: `mote add --split test` adds some that training never sees\n");
  else if (total[STORE_VALIDATION] == 0)
    printf("\nno validation samples: training cannot tell when it is good enough\n");
  for (int i = 0; i < n && total[STORE_TEST];) {
    const char *label = rows[i].label;
    int64_t count[STORE_SPLIT_COUNT] = {0};
    for (; i < n && strcmp(rows[i].label, label) == 0; i++) count[rows[i].split] = rows[i].samples;
    const char *missing = !count[STORE_TRAIN] ? "training" : !count[STORE_TEST] ? "test" : NULL;
    if (missing)
      printf(
          "\n\"%s\" has no %s samples: `mote add --split`, or `mote data --edit ID --set-split`\n",
          label, missing);
  }
}

static void json_counts(struct json *j, const struct store_count *rows, int n) {
  json_open_array(j, "labels");
  for (int i = 0; i < n;) {
    const char *label = rows[i].label;
    int64_t count[STORE_SPLIT_COUNT] = {0};
    double seconds = 0;
    for (; i < n && strcmp(rows[i].label, label) == 0; i++) {
      count[rows[i].split] = rows[i].samples;
      seconds += rows[i].seconds;
    }
    json_open_object(j, NULL);
    json_put_string(j, "label", label);
    for (int s = 0; s < STORE_SPLIT_COUNT; s++)
      json_put_int(j, store_split_name((enum store_split)s), count[s]);
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

/* ---- list ------------------------------------------------------------------------------- */
static bool list(struct command_line *c, struct project *p, const struct store_filter *filter) {
  struct store_sample *samples = NULL;
  int n = 0;
  if (!store_list(p->store, c->arena, filter, &samples, &n, &c->err)) return false;
  struct text text;
  struct json j;
  text_init(&text, c->arena);
  json_start(&j, &text);
  if (c->json) {
    json_open_object(&j, NULL);
    json_open_array(&j, "samples");
  } else {
    printf("%7s  %-16s %-10s %-12s %8s  %s\n", "id", "label", "split", "group", "seconds",
           "source");
  }
  for (int i = 0; i < n; i++) {
    const struct store_sample *s = &samples[i];
    double seconds = (double)s->length / s->rate_hz;
    if (!c->json) {
      printf("%7" PRId64 "  %-16s %-10s %-12s %8.2f  %s\n", s->id, s->label,
             store_split_name(s->split), s->group, seconds, s->source);
      continue;
    }
    json_open_object(&j, NULL);
    json_put_int(&j, "id", s->id);
    json_put_string(&j, "label", s->label);
    json_put_string(&j, "split", store_split_name(s->split));
    json_put_string(&j, "group", s->group);
    json_put_string(&j, "source", s->source);
    json_put_real(&j, "rate_hz", s->rate_hz);
    json_put_int(&j, "channels", s->channels);
    json_put_int(&j, "length", s->length);
    json_put_real(&j, "seconds", seconds);
    json_put_string(&j, "sha256", s->sha256);
    json_close_object(&j);
  }
  if (!c->json) return true;
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

/* ---- runs ------------------------------------------------------------------------------- */
static bool runs(struct command_line *c, struct project *p) {
  struct store_run *all = NULL;
  int n = 0;
  if (!store_run_list(p->store, c->arena, &all, &n, &c->err)) return false;
  struct text text;
  struct json j;
  text_init(&text, c->arena);
  json_start(&j, &text);
  if (c->json) {
    json_open_object(&j, NULL);
    json_open_array(&j, "runs");
  } else {
    printf("%5s  %-9s %7s %12s  %s\n", "run", "status", "epochs", "model bytes", "purpose");
  }
  for (int i = 0; i < n; i++) {
    const struct store_run *r = &all[i];
    const char *status = r->status == STORE_DONE ? "done" : "unfinished";
    if (!c->json) {
      printf("%5" PRId64 "  %-10s %6d %12zu  %s\n", r->id, status, r->epochs_done, r->model_bytes,
             r->purpose[0] ? r->purpose : "the project's model");
      continue;
    }
    json_open_object(&j, NULL);
    json_put_int(&j, "run", r->id);
    json_put_string(&j, "status", status);
    json_put_string(&j, "purpose", r->purpose);
    json_put_int(&j, "epochs", r->epochs_done);
    json_put_int(&j, "model_bytes", (int64_t)r->model_bytes);
    json_put_int(&j, "started_s", r->started_s);
    json_close_object(&j);
  }
  if (!c->json) return true;
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

static bool check(struct command_line *c, struct project *p) {
  struct store_sample *all = NULL, one;
  int n = 0;
  if (!store_check(p->store, &c->err) || !store_list(p->store, c->arena, NULL, &all, &n, &c->err))
    return false;
  for (int i = 0; i < n; i++) {
    struct arena *a = arena_new(STORE_MAX_BLOB_BYTES + ((size_t)4 << 20));
    if (!a) return err_set(&c->err, "no memory left");
    bool ok = store_get(p->store, a, all[i].id, &one, &c->err);
    arena_free(a);
    if (!ok) return false;
  }
  if (c->json)
    printf("{\n  \"whole\": true,\n  \"samples\": %d\n}\n", n);
  else
    printf("the project's file is whole: %d samples read\n", n);
  return true;
}

/* ---- drawing ------------------------------------------------------------------------------ */
/* The numbers as float, int16 as shares of full scale. */
static const float *values_of(struct arena *a, const struct store_sample *s) {
  const int64_t n = s->length * s->channels;
  if (s->type == STORE_FLOAT32) return s->data;
  float *values = ARENA_ARRAY(a, float, n);
  for (int64_t i = 0; i < n; i++) values[i] = (float)((const int16_t *)s->data)[i] / 32768.0f;
  return values;
}

static bool plot(struct command_line *c, struct project *p, int64_t id, const char *path) {
  struct store_sample s;
  struct text svg;
  if (!store_get(p->store, c->arena, id, &s, &c->err)) return false;
  text_init(&svg, c->arena);
  report_plot(
      &(struct report_plot){
          .title = arena_printf(
              c->arena, "%s \xc2\xb7 sample %" PRId64 " \xc2\xb7 %.2f s at %g Hz \xc2\xb7 %s",
              s.label, s.id, (double)s.length / s.rate_hz, s.rate_hz, s.source),
          .channels = s.channels,
          .length = s.length,
          .values = values_of(c->arena, &s)},
      &svg);
  if (!path) return fputs(svg.data, stdout) >= 0;
  return file_write(path, svg.data, svg.size, &c->err);
}

/* ---- command ---------------------------------------------------------------------------- */
static bool change(struct command_line *c, struct project *p, const struct data_options *o) {
  if (o->remove) {
    if (!store_remove(p->store, o->remove, &c->err)) return false;
    if (c->json)
      printf("{\n  \"removed\": %" PRId64 "\n}\n", o->remove);
    else
      printf("sample %" PRId64 " is out\n", o->remove);
    return true;
  }
  const int split = o->set_split ? (int)o->to : -1;
  if (!store_relabel(p->store, o->edit, o->set_label, split, o->set_group, &c->err)) return false;
  struct store_sample s;
  if (!store_get(p->store, c->arena, o->edit, &s, &c->err)) return false;
  if (c->json)
    printf("{\n  \"changed\": %" PRId64 "\n}\n", o->edit);
  else
    printf("sample %" PRId64 ": %s, %s, group \"%s\"\n", s.id, s.label, store_split_name(s.split),
           s.group);
  return true;
}

static bool run(struct command_line *c, struct project *p, const struct data_options *o) {
  bool writes = o->remove || o->edit;
  const struct store_filter filter = {
      .label = o->label, .group = o->group, .split = o->split ? (int)o->only : -1};
  if (!project_open(c->arena, o->dir, writes ? STORE_WRITE : STORE_READ, p, &c->err)) return false;
  if (writes) return change(c, p, o);
  if (o->plot) return plot(c, p, o->plot, o->out);
  if (o->check) return check(c, p);
  if (o->runs) return runs(c, p);
  return o->list || o->label || o->group || o->split ? list(c, p, &filter) : table(c, p);
}

int cmd_data(int argc, char **argv) {
  struct data_options o = {0};
  const struct option_spec options[] = {
      {'l', "list", OPTION_FLAG, NULL, "every sample on a line", &o.list},
      {0, "label", OPTION_TEXT, "LABEL", "list only this label", &o.label},
      {0, "group", OPTION_TEXT, "GROUP", "list only this group", &o.group},
      {0, "split", OPTION_TEXT, "SPLIT", "list only this split", &o.split},
      {0, "runs", OPTION_FLAG, NULL, "the training runs", &o.runs},
      {0, "check", OPTION_FLAG, NULL, "prove that the project's file is whole", &o.check},
      {'p', "plot", OPTION_COUNT, "ID", "draw a sample as SVG", &o.plot},
      {'o', "output", OPTION_TEXT, "FILE", "where to (default: standard output)", &o.out},
      {0, "remove", OPTION_COUNT, "ID", "take a sample out", &o.remove},
      {0, "edit", OPTION_COUNT, "ID", "change a sample, with:", &o.edit},
      {0, "set-label", OPTION_TEXT, "LABEL", "its label", &o.set_label},
      {0, "set-split", OPTION_TEXT, "SPLIT", "its split", &o.set_split},
      {0, "set-group", OPTION_TEXT, "GROUP", "its group", &o.set_group},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote data [--list] [--label L] [--split S] [--plot ID -o FILE] [--remove ID] "
               "[--edit ID --set-label L]",
      .about = "What is in the project: samples for each label and split, and how long they are.",
      .options = options,
      .examples =
          "  mote data\n  mote data --split test --label yes\n  mote data --plot 17 -o yes.svg",
      .most = 0};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (o.split && !store_split_parse(o.split, &o.only))
    return command_usage(&c, "no split '%s'; train, validation and test are", o.split);
  if (o.set_split && !store_split_parse(o.set_split, &o.to))
    return command_usage(&c, "no split '%s'; train, validation and test are", o.set_split);
  if ((o.edit != 0) != (o.set_label || o.set_split || o.set_group))
    return command_usage(&c, "--edit ID goes with --set-label, --set-split or --set-group");
  bool ok = run(&c, &p, &o);
  project_close(&p);
  return command_end(&c, ok);
}
