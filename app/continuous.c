/* continuous: see the header. */
#include "app/continuous.h"
#include "app/decide.h"
#include "host/report/report.h"

#include <math.h>
#include <string.h>

static const int averages[] = {1, 2, 3, 4, 6, 8};
enum { AVERAGES = sizeof averages / sizeof *averages };

/* ---- streams --------------------------------------------------------------------------- */

/* A recording between the silence that it needs to pass through the window: a microphone's is zero, another sensor
 * stays where it was. Returns the time steps in front. */
static int64_t pad(struct arena *a, const struct dataset *d, struct dataset_sample *s) {
  const int64_t window = d->window_samples, n = s->length, channels = d->channels;
  if (n >= 2 * window) return 0;
  int16_t *const out = ARENA_ARRAY(a, int16_t, (n + 2 * window) * channels);
  for (int64_t t = 0; t < n + 2 * window; t++) {
    const int64_t from = t < window ? 0 : t - window < n ? t - window : n - 1;
    const bool beyond = t < window || t - window >= n;
    for (int64_t c = 0; c < channels; c++)
      out[t * channels + c] =
          beyond && d->config->kind == PROJECT_AUDIO ? 0 : s->data[from * channels + c];
  }
  s->data = out;
  s->length = n + 2 * window;
  return window;
}

static int class_at(const struct continuous_heard *h, const char *label) {
  for (int c = 0; c < h->n_classes; c++)
    if (strcmp(h->classes[c], label) == 0) return c;
  return -1;
}

/* What is to be found in a sample. length: of the recording without padding, in time steps. */
static bool spans_of(struct project *p, struct arena *keep, const struct continuous_heard *h,
                     const struct dataset_sample *s, int64_t length, struct evaluate_stream *out,
                     struct err *e) {
  struct store_sample stored;
  const double rate = p->config.rate_hz;
  if (!store_describe(p->store, p->arena, s->id, &stored, e)) return false;
  struct evaluate_span *const spans = ARENA_ARRAY(keep, struct evaluate_span, stored.n_spans + 1);
  out->spans = spans;
  for (int i = 0; i < stored.n_spans; i++) {
    const int c = class_at(h, stored.spans[i].label);
    if (c >= 0)
      spans[out->n_spans++] =
          (struct evaluate_span){(double)stored.spans[i].first / stored.rate_hz,
                                 (double)(stored.spans[i].last + 1) / stored.rate_hz, c};
  }
  if (!stored.n_spans && s->label >= 0 && !s->background)
    spans[out->n_spans++] = (struct evaluate_span){0, (double)length / rate, s->label};
  return true;
}

/* Recordings become one data set of sliding windows, and what is to be found in each. */
static bool lay_streams(struct project *p, struct arena *keep, const struct continuous_heard *h,
                        struct dataset *d, int64_t hop, struct evaluate_stream *streams,
                        struct err *e) {
  struct arena *const a = p->arena;
  int64_t total = 0, at = 0;
  const double rate = p->config.rate_hz;
  for (int i = 0; i < d->n_samples; i++) {
    struct dataset_sample *const s = &d->samples[i];
    const int64_t length = s->length, before = pad(a, d, s);
    streams[i] = (struct evaluate_stream){.rows = (int)((s->length - d->window_samples) / hop + 1),
                                          .first_s = (double)(d->window_samples - before) / rate,
                                          .hop_s = (double)hop / rate};
    total += streams[i].rows;
    if (!spans_of(p, keep, h, s, length, &streams[i], e)) return false;
  }
  if (total > 20000000)
    return err_set(e, "%lld windows are too many; a larger --hop-ms gives fewer", (long long)total);
  d->windows = ARENA_ARRAY(a, struct dataset_window, total + 1);
  d->labels = ARENA_ARRAY(a, int32_t, total + 1);
  for (int i = 0; i < d->n_samples; i++)
    for (int r = 0; r < streams[i].rows; r++)
      d->windows[at++] = (struct dataset_window){(uint32_t)i, r * hop, 0};
  d->n_windows = (int)total;
  return true;
}

/* ---- figures ----------------------------------------------------------------------------- */

/* P(at most k events) where `mean` are expected. */
static double poisson_below(int64_t k, double mean) {
  double term = exp(-mean), sum = 0;
  for (int64_t i = 0; i <= k; i++) {
    sum += term;
    term *= mean / (double)(i + 1);
  }
  return sum;
}

/* The mean at which `k` or fewer have the chance p. */
static double poisson_mean(int64_t k, double p) {
  double low = 0, high = 2 * (double)k + 20;
  for (int step = 0; step < 100; step++) {
    const double middle = (low + high) / 2;
    if (poisson_below(k, middle) > p)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}

/* source: Garwood 1936. Above 500 counts the normal approximation is as good. */
static void interval_of(struct continuous_class *c) {
  const int64_t k = c->alarms.false_alarms;
  const double hours = c->alarms.hours, half = 1.96 * sqrt((double)k);
  if (!(hours > 0)) return;
  c->per_hour_low = (k == 0 ? 0 : k > 500 ? (double)k - half : poisson_mean(k - 1, 0.975)) / hours;
  c->per_hour_high = (k > 500 ? (double)k + half : poisson_mean(k, 0.025)) / hours;
}

/* Room for n more streams, in keep. */
static struct evaluate_stream *more_streams(struct continuous_heard *h, struct arena *keep, int n) {
  if (h->n + n > h->room) {
    struct evaluate_stream *wider = ARENA_ARRAY(keep, struct evaluate_stream, 2 * (h->n + n));
    if (h->n) memcpy(wider, h->streams, (size_t)h->n * sizeof *wider);
    h->streams = wider;
    h->room = 2 * (h->n + n);
  }
  return h->streams + h->n;
}

bool continuous_listen(struct project *p, const struct graph *g, const struct features_block *block,
                       const double *range, const char *const *classes, int n_classes,
                       const struct dataset_pick *pick, double hop_ms, struct arena *keep,
                       struct continuous_heard *heard, struct progress *progress, struct err *e) {
  struct dataset d;
  struct dataset_pick all = *pick;
  int8_t *scores = NULL;
  all.others = true;
  heard->classes = classes;
  heard->n_classes = n_classes;
  if (!dataset_load(p, &all, classes, n_classes, range, &d, e)) return false;
  if (d.n_samples == 0) return err_set(e, "no such samples; `mote data` shows what there is");
  int64_t hop = llround((hop_ms > 0 ? hop_ms : p->config.stride_ms) * p->config.rate_hz / 1000);
  if (hop < 1) hop = 1;
  struct evaluate_stream *const streams = more_streams(heard, keep, d.n_samples);
  if (!lay_streams(p, keep, heard, &d, hop, streams, e)) return false;
  progress_update(progress, "listening", 0, 1, "%s windows", text_thousands(d.n_windows));
  if (!decide_here(p->arena, g, block, &d, &scores, e)) return false;
  progress_update(progress, "listening", 1, 1, "%s windows", text_thousands(d.n_windows));
  const size_t cells = (size_t)d.n_windows * (size_t)n_classes;
  float *const values = ARENA_ARRAY(keep, float, cells + 1);
  for (size_t i = 0; i < cells; i++) values[i] = (float)(scores[i] + 128) / 256;
  const float *next = values;
  for (int i = 0; i < d.n_samples; i++) {
    streams[i].scores = next;
    next += (size_t)streams[i].rows * (size_t)n_classes;
  }
  heard->n += d.n_samples;
  return true;
}

void continuous_find(struct project *p, const struct continuous_request *r,
                     const struct continuous_heard *h, struct progress *progress,
                     struct continuous *out) {
  struct arena *const a = p->arena;
  const double window_s = p->config.length_ms / 1000;
  *out = (struct continuous){.streams = h->n, .hop_s = h->n ? h->streams[0].hop_s : 0};
  out->classes = ARENA_ARRAY(a, struct continuous_class, h->n_classes);
  for (int c = 0; c < h->n_classes; c++) {
    if (project_is_other(&p->config, h->classes[c])) continue;
    struct continuous_class *const x = &out->classes[out->n_classes++];
    x->name = h->classes[c];
    x->curve = ARENA_ARRAY(a, struct evaluate_alarms, 257);
    x->kept = evaluate_tune(h->streams, h->n, h->n_classes, c, averages, AVERAGES, window_s,
                            window_s, r->false_alarms_per_hour, &x->best, x->curve);
    x->alarms = evaluate_detect(h->streams, h->n, h->n_classes, c, &x->best, window_s);
    interval_of(x);
    out->hours = x->alarms.hours;
    progress_update(progress, "thresholds", (uint64_t)c + 1, (uint64_t)h->n_classes, "%s", x->name);
  }
}

bool continuous_run(struct project *p, const struct continuous_request *r,
                    struct progress *progress, struct continuous *out, struct err *e) {
  struct project_model m;
  struct continuous_heard heard = {0};
  if (!project_load_model(p, 0, &m, e)) return false;
  if (project_only_scores(&m))
    return err_set(e, "the model tells anomalies, not classes; --continuous is for classes");
  if (!continuous_listen(p, m.graph, &m.features, m.range, m.classes, m.n_classes, &r->pick,
                         r->hop_ms, p->arena, &heard, progress, e))
    return false;
  continuous_find(p, r, &heard, progress, out);
  return true;
}

/* ---- output ----------------------------------------------------------------------------------- */

static double per_hour(const struct evaluate_alarms *x) {
  return x->hours > 0 ? (double)x->false_alarms / x->hours : (double)NAN;
}

void continuous_print(const struct continuous *c, const struct continuous_request *r) {
  printf("%d recordings, %.2f hours, an answer every %g ms; at most %g false alarms an hour\n\n",
         c->streams, c->hours, 1000 * c->hop_s, r->false_alarms_per_hour);
  printf("%-18s %7s %9s %14s %22s\n", "class", "average", "threshold", "missed",
         "false alarms an hour");
  for (int i = 0; i < c->n_classes; i++) {
    const struct continuous_class *const x = &c->classes[i];
    printf("%-18.18s %7d %9.2f %5lld of %5lld %8.2f (%.2f to %.2f)%s\n", x->name, x->best.average,
           x->best.threshold, (long long)x->alarms.missed, (long long)x->alarms.spans,
           per_hour(&x->alarms), x->per_hour_low, x->per_hour_high,
           x->kept ? "" : "  above the limit");
  }
  printf("\nA class is detected where the mean of its last scores (average) reaches the threshold; "
         "then it is silent for\n%g s. In brackets: 95 %% of such recordings.\n",
         c->n_classes ? c->classes[0].best.suppress_s : 0);
}

void continuous_json(const struct continuous *c, const char *key, struct json *j) {
  json_open_object(j, key);
  json_put_int(j, "recordings", c->streams);
  json_put_real(j, "hours", c->hours);
  json_put_real(j, "hop_s", c->hop_s);
  json_open_array(j, "classes");
  for (int i = 0; i < c->n_classes; i++) {
    const struct continuous_class *const x = &c->classes[i];
    json_open_object(j, NULL);
    json_put_string(j, "class", x->name);
    json_put_int(j, "average", x->best.average);
    json_put_real(j, "threshold", x->best.threshold);
    json_put_real(j, "suppress_s", x->best.suppress_s);
    json_put_bool(j, "within_limit", x->kept);
    json_put_int(j, "events", x->alarms.spans);
    json_put_int(j, "missed", x->alarms.missed);
    json_put_int(j, "false_alarms", x->alarms.false_alarms);
    json_put_real(j, "false_alarms_per_hour", per_hour(&x->alarms));
    json_put_real(j, "false_alarms_per_hour_low", x->per_hour_low);
    json_put_real(j, "false_alarms_per_hour_high", x->per_hour_high);
    json_close_object(j);
  }
  json_close_array(j);
  json_close_object(j);
}

/* Misses against false alarms of one class as its threshold falls. */
static void page_curve(struct report *page, struct arena *a, const struct continuous_class *c) {
  enum { GRID = 60 };
  double x[GRID], y[GRID], most = 0;
  for (int k = 64; k <= 256; k++) most = fmax(most, per_hour(&c->curve[k]));
  if (!(most > 0) || !c->alarms.spans) return;
  for (int g = 0; g < GRID; g++) {
    x[g] = most * g / (GRID - 1);
    y[g] = 1;
    for (int k = 0; k <= 256; k++)
      if (per_hour(&c->curve[k]) <= x[g])
        y[g] = fmin(y[g], (double)c->curve[k].missed / (double)c->curve[k].spans);
  }
  const struct report_line line = {"missed", y};
  report_lines(page, &(struct report_lines){.caption = arena_printf(a, "%s", c->name),
                                            .x_label = "false alarms an hour",
                                            .y_label = "share missed",
                                            .x = x,
                                            .points = GRID,
                                            .count = 1,
                                            .lines = &line,
                                            .mark_x = per_hour(&c->alarms),
                                            .mark_label = "chosen",
                                            .from_zero = true});
}

bool continuous_page(const struct continuous *c, struct project *p,
                     const struct continuous_request *r, struct err *e) {
  struct arena *const a = p->arena;
  const char *const head[] = {"class", "average", "threshold", "missed", "false alarms an hour",
                              "95 %"};
  const bool numeric[] = {false, true, true, true, true, true};
  const char **const cells = ARENA_ARRAY(a, const char *, 6 * c->n_classes + 1);
  for (int i = 0; i < c->n_classes; i++) {
    const struct continuous_class *const x = &c->classes[i];
    cells[6 * i] = x->name;
    cells[6 * i + 1] = arena_printf(a, "%d", x->best.average);
    cells[6 * i + 2] = arena_printf(a, "%.3f", x->best.threshold);
    cells[6 * i + 3] =
        arena_printf(a, "%lld of %lld", (long long)x->alarms.missed, (long long)x->alarms.spans);
    cells[6 * i + 4] = arena_printf(a, "%.2f", per_hour(&x->alarms));
    cells[6 * i + 5] = arena_printf(a, "%.2f to %.2f", x->per_hour_low, x->per_hour_high);
  }
  struct report *const page = report_new(
      a, arena_printf(a, "%s, listening without end", p->config.name),
      arena_printf(a,
                   "%d recordings, %.2f hours, an answer every %g ms; at most %g false alarms an "
                   "hour wanted.",
                   c->streams, c->hours, 1000 * c->hop_s, r->false_alarms_per_hour));
  report_heading(page, "The chosen detectors");
  report_table(page, &(struct report_table){NULL, 6, c->n_classes, head, cells, numeric});
  report_heading(page, "Misses against false alarms");
  for (int i = 0; i < c->n_classes; i++) page_curve(page, a, &c->classes[i]);
  return report_write(page, r->html, e);
}

/* ---- detectors ----------------------------------------------------------------------------------- */

bool continuous_write(const struct continuous *c, struct project *p, struct err *e) {
  struct text t;
  text_init(&t, p->arena);
  text_add(&t, "detect:\n");
  for (int i = 0; i < c->n_classes; i++) {
    const struct continuous_class *const x = &c->classes[i];
    text_add(&t, "  - class: '");
    for (const char *s = x->name; *s; s++) text_addn(&t, *s == '\'' ? "''" : s, *s == '\'' ? 2 : 1);
    text_printf(&t, "'\n    average: %d\n    threshold: %.8g\n    suppress_ms: %.6g\n",
                x->best.average, x->best.threshold, 1000 * x->best.suppress_s);
  }
  return project_replace_section(p, "detect", t.data, e);
}

static const struct project_detect *rule_of(const struct project_config *c, const char *label) {
  for (int i = 0; i < c->n_detect; i++)
    if (strcmp(c->detect[i].label, label) == 0) return &c->detect[i];
  return NULL;
}

bool continuous_emit(const struct project_config *c, const char *const *classes, int n,
                     struct text *out, struct err *e) {
  int rows = 1, used = 0;
  for (int i = 0; i < n; i++) {
    const struct project_detect *const rule = rule_of(c, classes[i]);
    used += rule != NULL;
    if (rule && rule->average > rows) rows = rule->average;
  }
  if (used != c->n_detect)
    return err_set(e, "detect in mote.yaml names a class that the model does not have; "
                      "`mote test --continuous --write` makes the section anew");
  text_printf(
      out,
      "/* When a class counts as detected in a stream of answers, one every %g ms: the section "
      "`detect`\n"
      " * of mote.yaml, written by Mote. After every answer of the model:\n *\n"
      " *   static uint16_t state[(DETECTOR_BYTES + 1) / 2];     once: "
      "mote_detector_begin(&detector, "
      "state);\n"
      " *   int32_t found = mote_detector_next(&detector, state, scores);     a class, or -1\n */\n"
      "#ifndef DETECTOR_H\n#define DETECTOR_H\n\n#include \"mote/ml/ml.h\"\n\n"
      "#define DETECTOR_CLASSES %d\n"
      "#define DETECTOR_BYTES   MOTE_DETECTOR_BYTES(%d, %d)\n\n"
      "static const char *const detector_names[DETECTOR_CLASSES] = {",
      c->stride_ms, n, n, rows);
  for (int i = 0; i < n; i++) {
    text_add(out, i ? ", " : "");
    text_add_literal(out, classes[i]);
  }
  text_add(out, "};\n/* average, threshold in 256ths, answers of silence */\n"
                "static const struct mote_detector_rule detector_rules[DETECTOR_CLASSES] = {\n");
  for (int i = 0; i < n; i++) {
    const struct project_detect *const rule = rule_of(c, classes[i]);
    const int threshold = rule ? (int)nearbyint(256 * rule->threshold) : 256;
    const double silence = rule ? fmax(ceil(rule->suppress_ms / c->stride_ms - 1e-9) - 1, 0) : 0;
    /* No mean of int8 scores comes to 256: such a class is never detected. */
    text_printf(out, "    {%d, %d, %d},\n", threshold < 256 ? rule->average : 0, threshold & 255,
                (int)silence);
  }
  text_printf(out,
              "};\nstatic const struct mote_detector detector = {detector_rules, DETECTOR_CLASSES, "
              "%d};\n\n#endif\n",
              rows);
  return true;
}
