/* mote data list, show: looking at samples; and the training runs. */
#include "app/counting.h"
#include "app/data.h"
#include "host/report/report.h"

#include <inttypes.h>
#include <stdlib.h>

bool data_list_samples(struct command_line *c, struct project *p, struct data_pick *pick) {
  struct store_sample *samples = NULL;
  int n = 0;
  if (!data_pick_samples(c, p, pick, false, &samples, &n)) return false;
  if (c->json) {
    struct data_json out;
    data_json_open(&out, c->arena);
    json_open_array(&out.j, "samples");
    for (int i = 0; i < n; i++) data_json_sample(&out.j, &samples[i]);
    json_close_array(&out.j);
    data_json_close(&out);
    return true;
  }
  printf("%7s  %-16s %-10s %-12s %8s  %s\n", "id", "label", "split", "group", "seconds", "source");
  for (int i = 0; i < n; i++) {
    const struct store_sample *s = &samples[i];
    char extent[40];
    if (s->type == STORE_UINT8)
      snprintf(extent, sizeof extent, "%dx%d", s->width, s->height);
    else
      snprintf(extent, sizeof extent, "%.2f", data_seconds(s));
    printf("%7" PRId64 "  %-16s %-10s %-12s %8s  %s%s\n", s->id, s->label,
           store_split_name(s->split), s->group, extent, s->source,
           s->disabled ? "  (disabled)" : "");
  }
  return true;
}

int data_list(int argc, char **argv) {
  struct data_pick pick = {0};
  bool keys = false;
  const struct option_spec options[] = {
      DATA_PICK_OPTIONS(pick),
      {0, "disabled", OPTION_FLAG, NULL, "only samples that are disabled", &pick.disabled},
      {'n', "most", OPTION_COUNT, "N", "at most so many", &pick.most},
      {0, "after", OPTION_COUNT, "ID", "only behind this one: the next page", &pick.filter.after},
      {0, "keys", OPTION_FLAG, NULL, "instead, the keys of metadata that there are", &keys},
      {0}};
  const struct command_spec spec = {
      .usage = "mote data list [ID | ID-ID]... [--label L] [--where KEY=VALUE]...",
      .about =
          "Samples, one a line. Fields that --where knows besides metadata: id label group source "
          "split\ntype rate_hz channels length height width seconds enabled sha256.",
      .options = options,
      .examples = "  mote data list --where device=nano-2 --where 'seconds<1'\n"
                  "  mote data list --json --most 100 --after 4200",
      .most = -1};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  const int64_t after = pick.filter.after;
  if (!data_pick_parse(&c, &pick, &code)) return code;
  pick.filter.after = after;
  bool ok = project_open(c.arena, pick.dir, STORE_READ, &p, &c.err);
  if (ok && !keys) {
    ok = data_list_samples(&c, &p, &pick);
  } else if (ok) {
    struct store_key *all = NULL;
    struct data_json out;
    int n = 0;
    ok = store_keys(p.store, c.arena, &all, &n, &c.err);
    data_json_open(&out, c.arena);
    json_open_array(&out.j, "keys");
    for (int i = 0; i < n; i++) {
      if (!c.json)
        printf("%-24s %8" PRId64 " samples %8" PRId64 " values\n", all[i].key, all[i].samples,
               all[i].values);
      json_open_object(&out.j, NULL);
      json_put_string(&out.j, "key", all[i].key);
      json_put_int(&out.j, "samples", all[i].samples);
      json_put_int(&out.j, "values", all[i].values);
      json_close_object(&out.j);
    }
    json_close_array(&out.j);
    if (ok && c.json) data_json_close(&out);
    if (ok && !c.json && n == 0)
      printf("no metadata yet: `mote data set ID --meta KEY=VALUE` writes some\n");
  }
  project_close(&p);
  return command_end(&c, ok);
}

/* ---- one sample ------------------------------------------------------------------------- */
static void print_sample(struct arena *a, const struct store_sample *s) {
  static const char *const types[STORE_TYPE_COUNT] = {"int16", "float32", "uint8"};
  printf("sample %" PRId64 ": %s%s\n", s->id, s->label, s->disabled ? " (disabled)" : "");
  printf("  split     %s\n  group     %s\n  source    %s\n", store_split_name(s->split), s->group,
         s->source);
  if (s->type == STORE_UINT8)
    printf("  numbers   %s, %d x %d pixels, %d channels\n", types[s->type], s->width, s->height,
           s->channels);
  else
    printf("  numbers   %s, %" PRId64 " frames of %d channels at %g Hz: %s\n", types[s->type],
           s->length, s->channels, s->rate_hz, data_extent(a, s));
  printf("  sha256    %s\n", s->sha256);
  for (int i = 0; i < s->n_meta; i++)
    printf("%s%s = %s\n", i ? "            " : "  metadata  ", s->meta[i].key, s->meta[i].value);
  for (int i = 0; i < s->n_spans; i++)
    printf("%s%.3f s to %.3f s (frames %" PRId64 " to %" PRId64 ")  %s\n",
           i ? "            " : "  spans     ", (double)s->spans[i].first / s->rate_hz,
           (double)(s->spans[i].last + 1) / s->rate_hz, s->spans[i].first, s->spans[i].last,
           s->spans[i].label);
  for (int i = 0; i < s->n_boxes; i++)
    printf("%s%d,%d of %d x %d  %s\n", i ? "            " : "  boxes     ", s->boxes[i].x,
           s->boxes[i].y, s->boxes[i].width, s->boxes[i].height, s->boxes[i].label);
}

static bool show(struct command_line *c, struct project *p, int64_t id) {
  struct store_sample s;
  struct data_json out;
  if (!store_describe(p->store, c->arena, id, &s, &c->err)) return false;
  if (!c->json) {
    print_sample(c->arena, &s);
    return true;
  }
  data_json_open(&out, c->arena);
  json_open_array(&out.j, "samples");
  data_json_sample(&out.j, &s);
  json_close_array(&out.j);
  data_json_close(&out);
  return true;
}

int data_show(int argc, char **argv) {
  const char *dir = NULL, *path = NULL;
  bool plot = false;
  const struct option_spec options[] = {
      {'p', "plot", OPTION_FLAG, NULL, "draw it as SVG", &plot},
      {'o', "output", OPTION_TEXT, "FILE", "where to (default: standard output)", &path},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {.usage = "mote data show ID [--plot [-o FILE]]",
                                    .about = "Everything about one sample.",
                                    .options = options,
                                    .least = 1,
                                    .most = 1};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  char *end;
  const int64_t id = strtoll(c.words[0], &end, 10);
  if (*end || id < 1) return command_usage(&c, "'%s' is no number of a sample", c.words[0]);
  bool ok = project_open(c.arena, dir, STORE_READ, &p, &c.err) &&
            (plot ? data_plot(&c, &p, id, path) : show(&c, &p, id));
  project_close(&p);
  return command_end(&c, ok);
}

bool data_plot(struct command_line *c, struct project *p, int64_t id, const char *path) {
  struct store_sample s;
  struct text svg;
  if (!store_get(p->store, c->arena, id, &s, &c->err)) return false;
  text_init(&svg, c->arena);
  if (s.type == STORE_UINT8) {
    struct report_picture picture;
    if (s.width > 2048 || s.height > 2048 || (s.channels != 1 && s.channels != 3))
      return err_set(&c->err,
                     "sample %" PRId64
                     " has %d x %d pixels of %d channels; up to 2,048 each of 1 or "
                     "3 can be drawn, `mote data export` writes it as PNG",
                     id, s.width, s.height, s.channels);
    counting_boxes(c->arena, &s, &picture);
    picture.title = arena_printf(c->arena, "%s \xc2\xb7 sample %" PRId64 " \xc2\xb7 %s", s.label,
                                 s.id, s.source);
    report_picture_svg(&picture, &svg);
    if (!path) return fputs(svg.data, stdout) >= 0;
    return file_write(path, svg.data, svg.size, &c->err);
  }
  report_plot(&(struct report_plot){.title = arena_printf(c->arena,
                                                          "%s \xc2\xb7 sample %" PRId64
                                                          " \xc2\xb7 %.2f s at %g Hz \xc2\xb7 %s",
                                                          s.label, s.id, data_seconds(&s),
                                                          s.rate_hz, s.source),
                                    .channels = s.channels,
                                    .length = s.length,
                                    .values = data_values(c->arena, &s)},
              &svg);
  if (!path) return fputs(svg.data, stdout) >= 0;
  return file_write(path, svg.data, svg.size, &c->err);
}

/* ---- runs ------------------------------------------------------------------------------- */
bool data_runs(struct command_line *c, struct project *p) {
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
