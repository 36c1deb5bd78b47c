/* batch: runs a set of files and sums up. See batch.h.
 *
 * Files are shared out to threads; each thread has an open model of its own. Every figure is computed from the entries
 * afterwards, in their order, so threads change nothing. */
#include "app/batch.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "app/bundle.h"
#include "mote/run/run.h"

#define MOST_THREADS 64

/* ---- numbers of any type ------------------------------------------------------------- */

static double real_at(const struct graph_tensor *t, const void *values, size_t i) {
  double q = 0;
  switch (t->type) {
  case MOTE_INT8: q = ((const int8_t *)values)[i]; break;
  case MOTE_INT16: q = ((const int16_t *)values)[i]; break;
  case MOTE_INT32: q = ((const int32_t *)values)[i]; break;
  case MOTE_FLOAT32: return (double)((const float *)values)[i];
  default: q = ((const uint8_t *)values)[i]; break;
  }
  return t->quant.count == 1 ? (q - t->quant.zp[0]) * (double)t->quant.scale[0] : q;
}

/* Element i of an input takes a real number. range: 8 or 16 bits with one scale, or float32. */
static void put_real(const struct graph_tensor *t, void *values, size_t i, float x) {
  if (t->type == MOTE_FLOAT32) {
    ((float *)values)[i] = x;
    return;
  }
  const double low = t->type == MOTE_INT8 ? INT8_MIN : t->type == MOTE_INT16 ? INT16_MIN : 0;
  const double high = t->type == MOTE_INT8    ? INT8_MAX
                      : t->type == MOTE_INT16 ? INT16_MAX
                                              : UINT8_MAX;
  /* The quotient in float, as the suite's own code has it. */
  const double q = (double)roundf(x / t->quant.scale[0]) + t->quant.zp[0];
  const double clamped = q < low ? low : q > high ? high : q;
  if (t->type == MOTE_INT16)
    ((int16_t *)values)[i] = (int16_t)clamped;
  else
    ((uint8_t *)values)[i] = (uint8_t)(int)clamped; /* the low eight bits, either sign */
}

/* ---- one file ------------------------------------------------------------------------ */

struct worker {
  struct mote_model model;
  const struct graph_tensor *in, *out;
  void *input; /* the model's own room, or one of this worker where the model takes rows */
  const struct batch *batch;
};

static int largest(const struct graph_tensor *out, const void *values, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (real_at(out, values, (size_t)i) > real_at(out, values, (size_t)best)) best = i;
  return best;
}

static bool classify(struct worker *w, struct batch_entry *entry, const uint8_t *bytes,
                     struct err *e) {
  const size_t n = (size_t)graph_elements(w->in);
  void *input = w->input;
  if (w->batch->format == BATCH_RAW ||
      (w->batch->format == BATCH_UINT8 && w->in->type == MOTE_UINT8))
    memcpy(input, bytes, entry->bytes);
  else if (w->batch->format == BATCH_UINT8)
    for (size_t i = 0; i < n; i++) ((int8_t *)input)[i] = (int8_t)(bytes[i] - 128);
  else
    for (size_t i = 0; i < n; i++) {
      const float x = ((const float *)(const void *)bytes)[i];
      if (!isfinite(x)) return err_set(e, "value %zu is not finite", i);
      put_real(w->in, input, i, x);
    }
  bundle_infer(&w->model, input);
  entry->answer = largest(w->out, mote_output(&w->model, 0), w->batch->classes);
  return true;
}

static bool score(struct worker *w, struct batch_entry *entry, const uint8_t *bytes,
                  struct err *e) {
  const size_t n = (size_t)graph_elements(w->in);
  double sum = 0;
  entry->answer = -1;
  for (int k = 0; k < entry->windows; k++) {
    const size_t from = (size_t)k * entry->stride / sizeof(float);
    const float *x = (const float *)(const void *)bytes + from;
    void *input = w->input;
    for (size_t i = 0; i < n; i++) {
      if (!isfinite(x[i])) return err_set(e, "value %zu is not finite", from + i);
      put_real(w->in, input, i, x[i]);
    }
    bundle_infer(&w->model, input);
    const void *output = mote_output(&w->model, 0);
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
      const double difference = real_at(w->out, output, i) - (double)x[i];
      squares += difference * difference;
    }
    if (!isfinite(squares)) return err_set(e, "the error of window %d is not finite", k);
    sum += squares / (double)n;
  }
  entry->score = sum / entry->windows;
  return true;
}

/* In an arena of its own, since threads cannot share one. */
static bool run_entry(struct worker *w, struct batch_entry *entry, struct err *e) {
  struct arena *a = arena_new(entry->bytes + ((size_t)1 << 20));
  uint8_t *bytes;
  size_t size;
  bool ok = file_read(a, entry->path, entry->bytes, &bytes, &size, e);
  if (ok && size != entry->bytes)
    ok = err_set(e, "the file had %zu bytes and now has %zu", entry->bytes, size);
  mote_reset(&w->model); /* a file stands for itself */
  ok = ok && (w->batch->format == BATCH_WINDOWS ? score(w, entry, bytes, e)
                                                : classify(w, entry, bytes, e));
  if (!ok) err_file(e, entry->path);
  arena_free(a);
  return ok;
}

/* ---- all of them --------------------------------------------------------------------- */

struct work {
  struct worker workers[MOST_THREADS];
  struct err errors[MOST_THREADS];
  int failed[MOST_THREADS]; /* first entry that failed, n: none */
  int threads;
};

static bool open_workers(struct arena *a, const struct compiled *c, const struct batch *b,
                         struct work *work, struct err *e) {
  const struct graph *g = c->source;
  const int most = omp_get_max_threads();
  work->threads = most < 1 ? 1 : most > MOST_THREADS ? MOST_THREADS : most;
  const size_t need = mote_arena_bytes((const struct mote_plan *)(const void *)c->plan);
  for (int i = 0; i < work->threads; i++) {
    struct worker *w = &work->workers[i];
    *w = (struct worker){
        .in = &g->tensors[g->inputs[0]], .out = &g->tensors[g->outputs[0]], .batch = b};
    const enum mote_status status =
        mote_open(&w->model, c->plan, c->plan_bytes, ARENA_ARRAY(a, uint8_t, need + 1), need);
    if (status != MOTE_OK)
      return err_internal(e, "the plan is refused: %s", mote_status_text(status));
    w->input = mote_input(&w->model, 0);
    if (w->input == NULL) w->input = ARENA_ARRAY(a, uint8_t, graph_bytes(w->in) + 1);
    work->failed[i] = b->n;
  }
  return true;
}

static void sum_up(struct arena *a, struct batch *b) {
  b->auc = NAN;
  if (b->format == BATCH_WINDOWS) {
    b->auc = batch_auc(a, b->entries, b->n);
    return;
  }
  b->confusion = ARENA_ARRAY(a, int, (size_t)b->classes *(size_t)b->classes);
  b->correct = 0;
  for (int i = 0; i < b->n; i++) {
    const struct batch_entry *entry = &b->entries[i];
    b->confusion[(size_t)entry->label * (size_t)b->classes + (size_t)entry->answer]++;
    b->correct += entry->answer == entry->label;
  }
}

bool batch_run(struct arena *a, const struct compiled *c, struct batch *b, struct progress *p,
               struct err *e) {
  struct work *work = ARENA_NEW(a, struct work);
  int done = 0, right = 0;
  bool stop = false;
  if (!open_workers(a, c, b, work, e)) return false;
  const bool windows = b->format == BATCH_WINDOWS;
#pragma omp parallel for schedule(dynamic, 1) num_threads(work->threads)
  for (int i = 0; i < b->n; i++) {
    const int me = omp_get_thread_num();
    bool stopped;
#pragma omp atomic read
    stopped = stop;
    /* Entries are given out in order, so that the first that fails is always seen. */
    if (stopped) continue;
    if (!run_entry(&work->workers[me], &b->entries[i], &work->errors[me])) {
      work->failed[me] = i;
#pragma omp atomic write
      stop = true;
      continue;
    }
#pragma omp critical
    {
      done++;
      right += b->entries[i].answer == b->entries[i].label;
      if (windows)
        progress_update(p, "batch", (uint64_t)done, (uint64_t)b->n, "%d files", done);
      else
        progress_update(p, "batch", (uint64_t)done, (uint64_t)b->n, "%d of %d right", right, done);
    }
  }
  int first = 0;
  for (int i = 1; i < work->threads; i++)
    if (work->failed[i] < work->failed[first]) first = i;
  if (work->failed[first] < b->n) {
    if (e) *e = work->errors[first];
    return false;
  }
  sum_up(a, b);
  return true;
}

/* ---- figures ------------------------------------------------------------------------- */

static int by_score(const void *x, const void *y) {
  const struct batch_entry *a = *(const struct batch_entry *const *)x,
                           *b = *(const struct batch_entry *const *)y;
  return (a->score > b->score) - (a->score < b->score);
}

double batch_auc(struct arena *a, const struct batch_entry *entries, int n) {
  const struct batch_entry **sorted = ARENA_ARRAY(a, const struct batch_entry *, n + 1);
  double ones = 0, above = 0, zeros_below = 0;
  for (int i = 0; i < n; i++) sorted[i] = &entries[i];
  qsort(sorted, (size_t)n, sizeof *sorted, by_score);
  for (int i = 0; i < n;) {
    double tied_ones = 0, tied_zeros = 0;
    const double score = sorted[i]->score;
    for (; i < n && sorted[i]->score == score; i++)
      *(sorted[i]->label ? &tied_ones : &tied_zeros) += 1;
    above += tied_ones * (zeros_below + tied_zeros / 2);
    zeros_below += tied_zeros;
    ones += tied_ones;
  }
  return ones > 0 && zeros_below > 0 ? above / (ones * zeros_below) : (double)NAN;
}

/* Of one class: files of it, answers that name it, and those that do so rightly. */
struct tally {
  int files, named, right;
};
static struct tally tally(const struct batch *b, int class) {
  struct tally t = {0};
  for (int k = 0; k < b->classes; k++) {
    t.files += b->confusion[(size_t) class * (size_t)b->classes + (size_t)k];
    t.named += b->confusion[(size_t)k * (size_t)b->classes + (size_t) class];
  }
  t.right = b->confusion[(size_t) class * (size_t)b->classes + (size_t) class];
  return t;
}
static double ratio(int part, int whole) { return whole ? (double)part / whole : (double)NAN; }

static double mean_score(const struct batch *b, int label, int *files) {
  double sum = 0;
  *files = 0;
  for (int i = 0; i < b->n; i++)
    if (b->entries[i].label == label) {
      sum += b->entries[i].score;
      *files += 1;
    }
  return *files ? sum / *files : (double)NAN;
}

/* ---- for people ---------------------------------------------------------------------- */

static void put_percent(struct text *t, double fraction) {
  if (isnan(fraction))
    text_printf(t, " %9s", "-");
  else
    text_printf(t, " %8.1f%%", 100 * fraction);
}

/* Rows are truth. Wide matrices are left to --json. */
static void print_confusion(const struct batch *b, struct text *t) {
  if (b->classes > 24) {
    text_printf(t, "\nconfusion: %d x %d, see --json\n", b->classes, b->classes);
    return;
  }
  text_add(t, "\nconfusion (rows are truth)\n      ");
  for (int k = 0; k < b->classes; k++) text_printf(t, " %5d", k);
  text_add(t, "\n");
  for (int i = 0; i < b->classes; i++) {
    text_printf(t, "  %4d", i);
    for (int k = 0; k < b->classes; k++) {
      const int n = b->confusion[(size_t)i * (size_t)b->classes + (size_t)k];
      if (n)
        text_printf(t, " %5d", n);
      else
        text_add(t, "     .");
    }
    text_add(t, "\n");
  }
}

static void print_classes(const struct batch *b, struct text *t) {
  text_printf(t, "accuracy  %.4f: %s of %s files\n", ratio(b->correct, b->n),
              text_thousands(b->correct), text_thousands(b->n));
  text_add(t, "\n  class    files    right    recall precision\n");
  for (int k = 0; k < b->classes; k++) {
    const struct tally c = tally(b, k);
    if (!c.files && !c.named) continue;
    text_printf(t, "  %5d %8d %8d", k, c.files, c.right);
    put_percent(t, ratio(c.right, c.files));
    put_percent(t, ratio(c.right, c.named));
    text_add(t, "\n");
  }
  print_confusion(b, t);
}

static void print_scores(const struct batch *b, struct text *t) {
  static const char *const kinds[] = {"normal", "anomaly"};
  if (isnan(b->auc))
    text_add(t, "AUC       not known: it takes normal and anomalous files\n");
  else
    text_printf(t, "AUC       %.4f\n", b->auc);
  text_add(t, "\n  label      files   mean score\n");
  for (int k = 0; k < 2; k++) {
    int files;
    const double mean = mean_score(b, k, &files);
    text_printf(t, "  %-8s %7d", kinds[k], files);
    if (files) text_printf(t, " %12.4f", mean);
    text_add(t, "\n");
  }
}

void batch_print(const struct batch *b, struct text *t) {
  text_printf(t, "%s files in %s, %s inferences\n", text_thousands(b->n), b->folder,
              text_thousands(b->windows));
  text_printf(t, "format    %s: %s\n", batch_format_name((int)b->format), b->assumed);
  if (!b->labels) text_add(t, "labels    by file name: anomaly_* 1, normal_* 0\n");
  if (b->format == BATCH_WINDOWS)
    text_printf(t, "windows   of %zu values, every %zu\n", b->entries[0].width / sizeof(float),
                b->entries[0].stride / sizeof(float));
  text_add(t, "\n");
  if (b->format == BATCH_WINDOWS)
    print_scores(b, t);
  else
    print_classes(b, t);
}

/* ---- for scripts --------------------------------------------------------------------- */

static void json_classes(const struct batch *b, struct json *j) {
  json_open_array(j, "per_class");
  for (int k = 0; k < b->classes; k++) {
    const struct tally c = tally(b, k);
    json_open_object(j, NULL);
    json_put_int(j, "class", k);
    json_put_int(j, "files", c.files);
    json_put_int(j, "correct", c.right);
    json_put_real(j, "recall", ratio(c.right, c.files));
    json_put_real(j, "precision", ratio(c.right, c.named));
    json_close_object(j);
  }
  json_close_array(j);
  json_open_array(j, "confusion");
  for (int i = 0; i < b->classes; i++) {
    json_open_array(j, NULL);
    for (int k = 0; k < b->classes; k++)
      json_put_int(j, NULL, b->confusion[(size_t)i * (size_t)b->classes + (size_t)k]);
    json_close_array(j);
  }
  json_close_array(j);
  json_open_array(j, "wrong");
  for (int i = 0; i < b->n; i++) {
    const struct batch_entry *entry = &b->entries[i];
    if (entry->answer == entry->label) continue;
    json_open_object(j, NULL);
    json_put_string(j, "file", entry->name);
    json_put_int(j, "label", entry->label);
    json_put_int(j, "class", entry->answer);
    json_close_object(j);
  }
  json_close_array(j);
}

static void json_scores(const struct batch *b, struct json *j) {
  int files;
  json_put_real(j, "mean_score_normal", mean_score(b, 0, &files));
  json_put_real(j, "mean_score_anomaly", mean_score(b, 1, &files));
  json_open_array(j, "scores");
  for (int i = 0; i < b->n; i++) {
    json_open_object(j, NULL);
    json_put_string(j, "file", b->entries[i].name);
    json_put_int(j, "label", b->entries[i].label);
    json_put_int(j, "windows", b->entries[i].windows);
    json_put_real(j, "score", b->entries[i].score);
    json_close_object(j);
  }
  json_close_array(j);
}

void batch_json(const struct batch *b, struct json *j) {
  const bool windows = b->format == BATCH_WINDOWS;
  json_put_string(j, "folder", b->folder);
  json_put_string(j, "format", batch_format_name((int)b->format));
  json_put_string(j, "assumed", b->assumed);
  json_put_int(j, "files", b->n);
  json_put_int(j, "inferences", b->windows);
  json_put_int(j, "classes", b->classes);
  json_put_real(j, "accuracy", windows ? (double)NAN : ratio(b->correct, b->n));
  if (windows)
    json_put_null(j, "correct");
  else
    json_put_int(j, "correct", b->correct);
  json_put_real(j, "auc", b->auc);
  if (windows)
    json_scores(b, j);
  else
    json_classes(b, j);
}
