/* decide: see the header. */
#include "app/decide.h"
#include "app/bundle.h"
#include "host/compile/compile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t decide_bytes(const struct graph *g) {
  size_t sum = 0;
  for (int i = 0; i < g->n_outputs; i++) sum += graph_bytes(&g->tensors[g->outputs[i]]);
  return sum;
}

static bool outputs_here(struct arena *a, const struct graph *g, const struct features_block *block,
                         const struct dataset *d, uint8_t **outputs, struct err *e) {
  struct compile_options options = {0};
  struct compiled compiled;
  struct mote_model model;
  int8_t *features = NULL;
  if (!compile_graph(g, &options, a, &compiled, e)) return false;
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)compiled.plan;
  size_t arena_bytes = mote_arena_bytes(plan);
  void *memory = arena_alloc(a, arena_bytes, 1);
  enum mote_status status =
      mote_open(&model, compiled.plan, compiled.plan_bytes, memory, arena_bytes);
  if (status != MOTE_OK)
    return err_internal(e, "the compiled plan was refused: %s", mote_status_text(status));
  if (!dataset_features(d, block, a, &features, e)) return false;
  uint8_t *to = *outputs = arena_alloc(a, (size_t)d->n_windows * decide_bytes(g) + 1, 1);
  for (int i = 0; i < d->n_windows; i++) {
    memcpy(mote_input(&model, 0), features + (size_t)i * block->out_bytes, block->out_bytes);
    mote_run(&model);
    for (int k = 0; k < g->n_outputs; k++) {
      const size_t n = graph_bytes(&g->tensors[g->outputs[k]]);
      memcpy(to, mote_output(&model, (unsigned)k), n);
      to += n;
    }
  }
  return true;
}

static bool outputs_on_chip(struct arena *a, const char *title, const struct graph *g,
                            const struct features_block *block, const char *target,
                            const struct dataset *d, uint8_t **outputs, struct err *e) {
  const struct emulate_target *t;
  struct bundle b;
  struct emulate_result result;
  size_t numbers = features_window_words(block);
  if (!emulate_find_target(a, target, &t, e)) return false;
  if (d->n_windows < 1) return err_set(e, "no windows to run on the chip");
  int16_t *windows = ARENA_ARRAY(a, int16_t, (size_t)d->n_windows * numbers);
  if (!dataset_calibrate(d, block, e)) return false;
  for (int i = 0; i < d->n_windows; i++) dataset_input(d, block, i, windows + (size_t)i * numbers);
  struct bundle_request request = {.title = title, .graph = g, .features = block, .target = t};
  if (!bundle_run_once(a, &request, windows, d->n_windows, false, &b, &result, e)) return false;
  if (result.count != d->n_windows || result.output_bytes != decide_bytes(g))
    return err_internal(e, "the chip answered %d times %zu bytes instead of %d times %zu",
                        result.count, result.output_bytes, d->n_windows, decide_bytes(g));
  *outputs = result.outputs;
  return true;
}

bool decide_outputs(struct arena *a, const char *title, const struct graph *g,
                    const struct features_block *block, const char *target, const struct dataset *d,
                    uint8_t **outputs, struct err *e) {
  return target ? outputs_on_chip(a, title, g, block, target, d, outputs, e)
                : outputs_here(a, g, block, d, outputs, e);
}

void decide_take(const struct graph *g, int output, const uint8_t *outputs, int windows, void *to) {
  const size_t each = decide_bytes(g), n = graph_bytes(&g->tensors[g->outputs[output]]);
  for (int k = 0; k < output; k++) outputs += graph_bytes(&g->tensors[g->outputs[k]]);
  for (int i = 0; i < windows; i++)
    memcpy((uint8_t *)to + (size_t)i * n, outputs + (size_t)i * each, n);
}

static bool first_output(struct arena *a, const struct graph *g, const struct dataset *d,
                         const uint8_t *outputs, int8_t **scores) {
  const size_t classes = graph_bytes(&g->tensors[g->outputs[0]]);
  *scores = arena_alloc(a, (size_t)d->n_windows * classes + 1, 1);
  decide_take(g, 0, outputs, d->n_windows, *scores);
  return true;
}

bool decide_here(struct arena *a, const struct graph *g, const struct features_block *block,
                 const struct dataset *d, int8_t **scores, struct err *e) {
  uint8_t *outputs;
  return outputs_here(a, g, block, d, &outputs, e) && first_output(a, g, d, outputs, scores);
}

bool decide_on_chip(struct arena *a, const char *title, const struct graph *g,
                    const struct features_block *block, const char *target, const struct dataset *d,
                    int8_t **scores, struct err *e) {
  uint8_t *outputs;
  return outputs_on_chip(a, title, g, block, target, d, &outputs, e) &&
         first_output(a, g, d, outputs, scores);
}

int decide_best(const int8_t *scores, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (scores[i] > scores[best]) best = i;
  return best;
}

static int decide_best_float(const float *scores, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (scores[i] > scores[best]) best = i;
  return best;
}

/* The mean of hits / of over the classes that are there. */
static double mean_recall(const int *hits, const int *of, int n_classes) {
  double sum = 0;
  int present = 0;
  for (int c = 0; c < n_classes; c++)
    if (of[c]) sum += (double)hits[c] / of[c], present++;
  return present ? sum / present : (double)NAN;
}

void decide_count(const struct dataset *d, int n_classes, const int8_t *scores, const float *floats,
                  int64_t *confusion, struct decide_figures *f) {
  double *sum = calloc((size_t)n_classes, sizeof *sum);
  int *hits = calloc((size_t)n_classes, sizeof *hits), *of = calloc((size_t)n_classes, sizeof *of);
  memset(f, 0, sizeof *f);
  if (!sum || !hits || !of) abort(); /* a few bytes */
  for (int i = 0; i < d->n_windows; i++) {
    const int8_t *s = scores ? scores + (size_t)i * (size_t)n_classes : NULL;
    const float *x = floats ? floats + (size_t)i * (size_t)n_classes : NULL;
    int truth = d->labels[i],
        answer = x ? decide_best_float(x, n_classes) : decide_best(s, n_classes);
    f->windows++;
    f->windows_right += answer == truth;
    hits[truth] += answer == truth;
    of[truth]++;
    if (confusion) confusion[truth * n_classes + answer]++;
    for (int c = 0; c < n_classes; c++) sum[c] += x ? (double)x[c] : s[c] + 128.0;
    /* The last window of its recording? */
    if (i + 1 < d->n_windows && d->windows[i + 1].sample == d->windows[i].sample) continue;
    int best = 0;
    for (int c = 1; c < n_classes; c++)
      if (sum[c] > sum[best]) best = c;
    f->recordings++;
    f->recordings_right += best == truth;
    memset(sum, 0, (size_t)n_classes * sizeof *sum);
  }
  f->balanced = mean_recall(hits, of, n_classes);
  free(sum), free(hits), free(of);
}
