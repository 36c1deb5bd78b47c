/* report: the page about a trained project: how it learned, where it errs, what it hears, what memory it needs and
 * where its instructions go.
 *
 * The learning curve, the answers and the memory map are made here, from the project. What only the emulated chip
 * can tell comes from the objects that `mote test --json` and `mote bench --json` printed; without them those parts
 * are left out. */
#include "app/bundle.h"
#include "app/decide.h"
#include "app/report_table.h"
#include "host/compile/compile.h"
#include "host/report/report.h"

#include <math.h>
#include <string.h>

struct job {
  struct arena *arena;
  struct project *project;
  struct project_model model;
  struct report *page;
  struct report_facts facts;
  const struct object *bench; /* the first board, or NULL */
  struct project_windows windows;
  int8_t *scores; /* [windows][classes] */
  int *answers;   /* class of each window */
};

/* ---- reading the two objects -------------------------------------------------- */
static bool load_object(struct job *job, const char *path, const struct object **out,
                        struct err *e) {
  *out = NULL;
  if (!path) return true;
  uint8_t *bytes;
  size_t size;
  if (!file_read(job->arena, path, 16u << 20, &bytes, &size, e)) return false;
  const bool is_json = object_read(job->arena, (const char *)bytes, size, out, e);
  if (is_json && (*out)->kind == OBJECT_OBJECT && !object_at(*out, "error")) return true;
  err_file(e, path);
  if (!is_json) return false;
  return err_set(
      e, "it holds no results (%s); give what `mote test --json` or `mote bench --json` printed",
      object_at(*out, "message") ? object_text(*out, "message") : "no object");
}

/* ---- what the network answers -------------------------------------------------- */
/* Runs features and network over the test windows, with the bits of the device. */
static bool answer_all(struct job *job, struct err *e) {
  struct project_model *m = &job->model;
  if (m->objects.height)
    return err_set(e,
                   "the page tells of classes, and this project counts objects; `mote test --html "
                   "FILE` writes its page");
  if (m->scales)
    return err_set(e, "the page tells of classes, and this project estimates numbers; `mote test "
                      "--html FILE` writes its page");
  if (project_only_scores(m))
    return err_set(e,
                   "the page tells of classes, and run %lld gives an anomaly score alone; "
                   "`mote test` tells what it is worth",
                   (long long)m->run);
  if (!project_split_windows(job->project, m, STORE_TEST, NULL, 0, &job->windows, e)) return false;
  const struct bundle_request request = {.graph = m->graph, .features = &m->features};
  uint8_t *scores;
  if (job->windows.count &&
      !bundle_run_host(job->arena, &request, job->windows.samples, job->windows.count, &scores, e))
    return false;
  if (job->windows.count) {
    job->scores =
        ARENA_ARRAY(job->arena, int8_t, (size_t)job->windows.count * (size_t)m->n_classes);
    decide_take(m->graph, 0, scores, job->windows.count, job->scores);
  }
  job->answers = ARENA_ARRAY(job->arena, int, job->windows.count + 1);
  for (int i = 0; i < job->windows.count; i++)
    job->answers[i] = decide_best(job->scores + (size_t)i * (size_t)m->n_classes, m->n_classes);
  return true;
}

/* ---- sections ------------------------------------------------------------------- */
static double share_right(const struct job *job) {
  int right = 0;
  for (int i = 0; i < job->windows.count; i++) right += job->answers[i] == job->windows.labels[i];
  return job->windows.count ? right / (double)job->windows.count : (double)NAN;
}

static void add_key_figures(struct job *job) {
  struct arena *a = job->arena;
  const struct object *b = job->bench;
  struct report_tile tiles[8];
  int n = 0;
  double chip = object_number(job->facts.test, "accuracy_chip");
  tiles[n++] =
      (struct report_tile){report_percent(a, isfinite(chip) ? chip : share_right(job)),
                           isfinite(chip) ? "accuracy on the chip" : "accuracy in int8",
                           arena_printf(a, "%d windows never trained on", job->windows.count), -1};
  if (b) {
    double ram = report_ram_bytes(b), flash = report_flash_bytes(b);
    double milliseconds = object_number(b, "milliseconds"), energy = object_number(b, "energy_uj");
    double days_low = object_number(b, "ranges.battery_days.low"),
           days_high = object_number(b, "ranges.battery_days.high");
    double ram_share = ram / object_number(b, "board.ram_bytes"),
           flash_share = flash / object_number(b, "board.flash_bytes");
    const char *board = object_text(b, "board.title");
    tiles[n++] = (struct report_tile){
        arena_printf(a, "%.1f KB", ram / 1000), "RAM, samples included",
        isfinite(ram_share) ? arena_printf(a, "%.0f %% of the %s", 100 * ram_share, board) : NULL,
        isfinite(ram_share) ? ram_share : -1};
    tiles[n++] = (struct report_tile){
        arena_printf(a, "%.1f KB", flash / 1000), "flash, code and weights",
        isfinite(flash_share) ? arena_printf(a, "%.0f %% of the %s", 100 * flash_share, board)
                              : NULL,
        isfinite(flash_share) ? flash_share : -1};
    tiles[n++] =
        (struct report_tile){arena_printf(a, "%.1f KB", object_number(b, "ram_arena_bytes") / 1000),
                             "arena of the network", "inputs, activations, rings, scratch", -1};
    tiles[n++] = (struct report_tile){
        arena_printf(a, "%.2f M", object_number(b, "instructions") / 1e6), "instructions",
        arena_printf(a, "counted on the emulated %s", object_text(b, "target")), -1};
    if (isfinite(milliseconds))
      tiles[n++] = (struct report_tile){arena_printf(a, "%.1f ms", milliseconds),
                                        "for one inference", "estimated", -1};
    if (isfinite(energy))
      tiles[n++] = (struct report_tile){energy < 1000 ? arena_printf(a, "%.0f \xC2\xB5J", energy)
                                                      : arena_printf(a, "%.2f mJ", energy / 1000),
                                        "energy of an inference", "estimated", -1};
    if (isfinite(days_low))
      tiles[n++] =
          (struct report_tile){arena_printf(a, "%.0f\xE2\x80\x93%.0f days", days_low, days_high),
                               "on 150 mAh", "one inference a second, the chip alone", -1};
  }
  report_tiles(job->page, tiles, n);
}

static void add_accuracy(struct job *job) {
  if (!job->facts.test) return;
  const char *head[] = {"", "accuracy"};
  const char *cells[] = {
      "float32, as trained",
      report_percent(job->arena, object_number(job->facts.test, "accuracy_float")),
      "int8, on this machine",
      report_percent(job->arena, object_number(job->facts.test, "accuracy_int8")),
      "int8, on the emulated chip",
      report_percent(job->arena, object_number(job->facts.test, "accuracy_chip"))};
  const bool numeric[] = {false, true};
  report_table(job->page, &(struct report_table){.caption = "What quantisation cost",
                                                 .columns = 2,
                                                 .rows = 3,
                                                 .head = head,
                                                 .cells = cells,
                                                 .numeric = numeric});
}

static void add_curve(struct job *job) {
  const struct project_model *m = &job->model;
  int n = m->n_history;
  if (n < 1) return;
  double *x = ARENA_ARRAY(job->arena, double, n), *y[4];
  for (int k = 0; k < 4; k++) y[k] = ARENA_ARRAY(job->arena, double, n);
  double quantised = NAN;
  for (int i = 0; i < n; i++) {
    const struct train_epoch *epoch = &m->history[i];
    x[i] = epoch->epoch;
    y[0][i] = (double)epoch->loss, y[1][i] = (double)epoch->validation_loss;
    y[2][i] = 100 * (double)epoch->accuracy, y[3][i] = 100 * (double)epoch->validation_accuracy;
    if (epoch->quantised && isnan(quantised)) quantised = epoch->epoch;
  }
  report_heading(job->page, "Training");
  report_paragraph(
      job->page, "Each epoch hears every recording once, changed anew as mote.yaml says (shifted, "
                 "louder or quieter, with noise or masks); so the training line is the harder "
                 "exercise and may lie below validation, which hears recordings as they are.");
  if (!isnan(quantised))
    report_paragraph(job->page, "From the dashed line on, the network computes in int8 with the "
                                "device's own rounding.");
  struct report_line losses[] = {{"training", y[0]}, {"validation", y[1]}};
  struct report_line shares[] = {{"training", y[2]}, {"validation", y[3]}};
  struct report_lines chart = {.caption = "Loss",
                               .x_label = "epoch",
                               .x = x,
                               .points = n,
                               .count = 2,
                               .lines = losses,
                               .mark_x = quantised,
                               .mark_label = "int8",
                               .from_zero = true};
  report_lines(job->page, &chart);
  chart.caption = "Share of right answers, in per cent";
  chart.lines = shares;
  chart.from_zero = false;
  report_lines(job->page, &chart);
}

static void add_confusion(struct job *job) {
  int classes = job->model.n_classes;
  if (job->windows.count == 0 || classes > 64) return;
  int64_t *counts = ARENA_ARRAY(job->arena, int64_t, classes * classes);
  for (int i = 0; i < job->windows.count; i++) {
    int truth = job->windows.labels[i];
    if (truth >= 0 && truth < classes) counts[truth * classes + job->answers[i]]++;
  }
  report_heading(job->page, "Where it errs");
  report_confusion(job->page,
                   &(struct report_confusion){.caption = "Rows are the truth, columns the answers",
                                              .classes = classes,
                                              .names = job->model.classes,
                                              .counts = counts});
}

static void add_wave(struct job *job, int i, void *scratch, int8_t *features) {
  const struct project_model *m = &job->model;
  size_t samples = features_window_words(&m->features);
  const int16_t *window = job->windows.samples + (size_t)i * samples;
  int8_t *const planes = arena_alloc(job->arena, m->features.out_bytes, 1);
  features_run(&m->features, window, scratch, features);
  features_planes(&m->features, features, planes);
  int truth = job->windows.labels[i], answer = job->answers[i];
  double score = (job->scores[i * m->n_classes + answer] + 128) / 256.0;
  const char *note = truth == answer
                         ? arena_printf(job->arena, "heard rightly, %.0f %%", 100 * score)
                         : arena_printf(job->arena, "taken for \xE2\x80\x9C%s\xE2\x80\x9D, %.0f %%",
                                        m->classes[answer], 100 * score);
  int16_t *one = ARENA_ARRAY(job->arena, int16_t, m->features.window_samples);
  for (int t = 0; t < m->features.window_samples; t++) one[t] = window[t * m->features.channels];
  report_wave(job->page, &(struct report_wave){.title = truth >= 0 ? m->classes[truth] : "?",
                                               .note = note,
                                               .rate_hz = job->project->config.rate_hz,
                                               .samples = one,
                                               .n_samples = m->features.window_samples,
                                               .frames = m->features.dims[0],
                                               .bins = m->features.dims[1] * m->features.dims[2],
                                               .features = planes});
}

/* One recording of each class that was heard rightly, then up to six different mistakes. */
static void add_waves(struct job *job) {
  const struct project_model *m = &job->model;
  if (job->windows.count == 0) return;
  void *scratch = arena_alloc(job->arena, m->features.scratch_bytes + 4, 1);
  int8_t *features = arena_alloc(job->arena, m->features.out_bytes, 1);
  report_heading(job->page, "What it hears");
  report_paragraph(
      job->page,
      "Test recordings, and below each the features that the network sees: time runs to the "
      "right, low bands lie at the bottom, light is strong. They are computed in fixed point, "
      "with the same bits on every chip.");
  int shown = 0;
  for (int c = 0; c < m->n_classes && shown < 8; c++)
    for (int i = 0; i < job->windows.count; i++)
      if (job->windows.labels[i] == c && job->answers[i] == c) {
        add_wave(job, i, scratch, features);
        shown++;
        break;
      }
  /* Different mistakes first: no pair of truth and answer twice. */
  bool *seen = ARENA_ARRAY(job->arena, bool, m->n_classes * m->n_classes);
  for (int i = 0, wrong = 0; i < job->windows.count && wrong < 6; i++) {
    int truth = job->windows.labels[i], answer = job->answers[i];
    if (truth < 0 || truth == answer || seen[truth * m->n_classes + answer]) continue;
    seen[truth * m->n_classes + answer] = true;
    add_wave(job, i, scratch, features);
    wrong++;
  }
}

/* "depthwise conv 2d" */
static const char *plain_name(struct job *job, const char *op) {
  char *s = arena_strdup(job->arena, op);
  for (char *p = s; *p; p++) *p = *p == '_' ? ' ' : *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
  return s;
}

static const char *segment_name(struct job *job, const struct compiled *plan, int segment) {
  int first = -1, last = -1;
  for (int i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].segment == segment) {
      if (first < 0) first = i;
      last = i;
    }
  if (first < 0) return "";
  const char *name = plain_name(job, mote_op_name(plan->steps[first].op));
  return first == last ? name : arena_printf(job->arena, "%d layers, by rows", last - first + 1);
}

static enum report_memory_kind memory_kind(enum compile_piece_kind kind) {
  switch (kind) {
  case COMPILE_INPUT: return REPORT_INPUT;
  case COMPILE_OUTPUT: return REPORT_OUTPUT;
  case COMPILE_RING: return REPORT_RING;
  case COMPILE_STATE: return REPORT_STATE;
  case COMPILE_SCRATCH: return REPORT_SCRATCH;
  default: return REPORT_ACTIVATION;
  }
}

static bool add_memory(struct job *job, struct err *e) {
  /* The plan of a Cortex-M4. */
  struct compile_options options = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  struct compiled plan;
  if (!compile_graph(job->model.graph, &options, job->arena, &plan, e)) return false;
  struct report_block *blocks = ARENA_ARRAY(job->arena, struct report_block, plan.n_pieces + 1);
  for (int i = 0; i < plan.n_pieces; i++) {
    const struct compile_piece *p = &plan.pieces[i];
    blocks[i] = (struct report_block){p->name,          (int64_t)p->offset, (int64_t)p->bytes,
                                      p->first_segment, p->last_segment,    memory_kind(p->kind)};
  }
  const char **names = ARENA_ARRAY(job->arena, const char *, plan.n_segments + 1);
  for (int i = 0; i < plan.n_segments; i++) names[i] = segment_name(job, &plan, i);
  report_heading(job->page, "Memory");
  report_paragraph(
      job->page,
      "The network's arena while it runs, on a chip with 32-bit pointers. Layers that stream "
      "keep a few rows each in a ring, and so never hold a whole activation. "
      "Where blocks overlap, the later is written over rows of which the earlier has no more "
      "need.");
  report_memory(
      job->page,
      &(struct report_memory){
          .caption = arena_printf(job->arena, "Arena of %s bytes, from the first layer to the last",
                                  text_thousands((int64_t)plan.arena_bytes)),
          .arena_bytes = (int64_t)plan.arena_bytes,
          .steps = plan.n_segments,
          .step_names = names,
          .count = plan.n_pieces,
          .blocks = blocks});
  return true;
}

static int colour_of(const char *op) {
  if (strstr(op, "DEPTHWISE")) return 2;
  if (strstr(op, "CONV")) return 1;
  if (strstr(op, "FULLY")) return 3;
  return 4;
}

/* Without the batch: "25x5x64". */
static const char *shape_text(struct job *job, const struct object *shape) {
  struct text t;
  text_init(&t, job->arena);
  const struct object *o = shape ? shape->first : NULL;
  for (int i = 0; o; o = o->next, i++)
    if (i) text_printf(&t, "%s%.0f", i > 1 ? "\xC3\x97" : "", o->number);
  return t.data ? t.data : "";
}

static void add_instructions(struct job *job) {
  const struct object *layers = object_at(job->bench, "layers");
  if (!layers || layers->count == 0) return;
  struct report_bar *bars = ARENA_ARRAY(job->arena, struct report_bar, layers->count + 1);
  int count = 0;
  double features = object_number(job->bench, "features.instructions");
  if (isfinite(features) && features > 0)
    bars[count++] =
        (struct report_bar){"features",
                            arena_printf(job->arena, "%d\xC3\x97%d", job->model.features.dims[0],
                                         job->model.features.dims[1]),
                            features, 0};
  for (const struct object *layer = layers->first; layer; layer = layer->next) {
    double value = object_number(layer, "instructions");
    if (!isfinite(value)) continue;
    const char *op = object_text(layer, "operator");
    bars[count++] =
        (struct report_bar){plain_name(job, op), shape_text(job, object_at(layer, "output_shape")),
                            value, colour_of(op)};
  }
  const char *groups[] = {"features", "convolution", "depthwise", "dense", "other"};
  report_heading(job->page, "Instructions");
  report_bars(job->page,
              &(struct report_bars){.caption = "Executed for one inference, layer by layer",
                                    .unit = "",
                                    .count = count,
                                    .bars = bars,
                                    .groups = 5,
                                    .group_names = groups});
}

static bool write_page(struct job *job, const char *path, struct err *e) {
  const struct project_config *c = &job->project->config;
  const char *lead = arena_printf(
      job->arena, "%d classes, tested on %d windows that training never saw%s%s.",
      job->model.n_classes, job->windows.count, job->bench ? ", measured on an emulated " : "",
      job->bench ? object_text(job->bench, "target") : "");
  char *title = arena_strdup(job->arena, c->name);
  for (char *p = title; *p; p++)
    if (*p == '_') *p = ' ';
  if (*title >= 'a' && *title <= 'z') *title = (char)(*title - 32);
  job->page = report_new(job->arena, title, lead);
  add_key_figures(job);
  add_accuracy(job);
  report_table_page(&job->facts, job->page);
  add_curve(job);
  add_confusion(job);
  add_waves(job);
  if (!add_memory(job, e)) return false;
  if (job->bench) add_instructions(job);
  return report_write(job->page, path, e);
}

static bool report(struct command_line *line, const char *dir, const char *test,
                   const struct option_list *bench, const char *out) {
  struct project project;
  struct job job = {.arena = line->arena, .project = &project};
  struct err *e = &line->err;
  job.facts.arena = line->arena;
  if (!load_object(&job, test, &job.facts.test, e)) return false;
  for (int i = 0; i < bench->count; i++)
    if (!load_object(&job, bench->items[i], &job.facts.bench[job.facts.n++], e)) return false;
  job.bench = job.facts.n ? job.facts.bench[0] : NULL;
  if (!project_open(line->arena, dir, STORE_READ, &project, e)) return false;
  bool ok = project_load_model(&project, 0, &job.model, e) && answer_all(&job, e) &&
            write_page(&job, out, e);
  project_close(&project);
  if (!ok) return false;
  struct text t;
  text_init(&t, line->arena);
  if (line->json) {
    struct json j;
    json_start(&j, &t);
    json_open_object(&j, NULL);
    json_put_string(&j, "output", out);
    json_close_object(&j);
  } else {
    report_table_text(&job.facts, &t);
  }
  if (t.size) fputs(t.data, stdout);
  return true;
}

int cmd_report(int argc, char **argv) {
  const char *dir = NULL, *test = NULL, *out = "report.html";
  struct option_list bench = {0};
  const struct option_spec options[] = {
      {0, "test", OPTION_TEXT, "FILE", "what `mote test --json` printed", &test},
      {0, "bench", OPTION_LIST, "FILE", "what `mote bench --json` printed; once for each board",
       &bench},
      {'o', "output", OPTION_TEXT, "FILE", "the page to write (report.html)", &out},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote report [--test FILE] [--bench FILE]... [-o FILE]",
      .about =
          "Writes one self-contained page about the trained project: learning curve, confusion,\n"
          "recordings with their features, memory over time, instructions for each layer;\n"
          "and prints one table with what was measured.",
      .options = options,
      .examples = "  mote test --chip cortex-m4 --json >test.json; mote bench --json >bench.json\n"
                  "  mote report --test test.json --bench bench.json",
      .least = 0,
      .most = 0};
  struct command_line line;
  int code;
  if (!command_begin(&line, &spec, argc, argv, &code)) return code;
  if (bench.count > REPORT_MOST_BOARDS)
    return command_usage(&line, "--bench was given %d times; at most %d boards fit side by side",
                         bench.count, REPORT_MOST_BOARDS);
  return command_end(&line, report(&line, dir, test, &bench, out));
}
