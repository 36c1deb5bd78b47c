/* train/model: a trained network's answers, in float and as the runtime's integers. */
#include "host/train/fit.h"

#include <string.h>

static void softmax(const float *logits, int n, float *out) {
  double sum = 0, top = (double)logits[0];
  for (int c = 1; c < n; c++) top = (double)logits[c] > top ? (double)logits[c] : top;
  for (int c = 0; c < n; c++) sum += train_exp((double)logits[c] - top);
  for (int c = 0; c < n; c++) out[c] = (float)(train_exp((double)logits[c] - top) / sum);
}

/* Runs all examples in blocks; out gets the values of `at`, pixel by pixel, real or (steps) as int8. */
static void run_all(const struct train_model *m, int at, const int8_t *features, uint32_t n,
                    enum engine_mode mode, float *real, int8_t *steps) {
  struct engine *g = m->g;
  const struct value *in = &g->values[0], *v = &g->values[at];
  const size_t size = (size_t)in->h * (size_t)in->w * (size_t)in->c;
  struct arena *a = arena_new(1 << 20);
  g->params = m->folded;
  if (m->threads > 1 && n > 8) g->pool = pool_new(a, m->threads);
  size_t to = 0;
  for (uint32_t i = 0; i < n;) {
    const int count = n - i < (uint32_t)g->capacity ? (int)(n - i) : g->capacity;
    fit_run_block(g, features + (size_t)i * size, count, mode);
    i += (uint32_t)count;
    for (int p = 0; p < count * v->h * v->w; p++)
      for (int c = 0; c < v->c; c++, to++) {
        const float y = v->y[(size_t)p * (size_t)v->cs + (size_t)c];
        if (steps)
          steps[to] = (int8_t)((int32_t)y + v->zp);
        else
          real[to] = mode == ENGINE_INT8 ? y * v->scale : y;
      }
  }
  pool_free(g->pool);
  g->pool = NULL;
  arena_free(a);
}

void train_predict_float(const struct train_model *m, const int8_t *features, uint32_t n,
                         float *out) {
  const int classes = m->g->classes;
  float logits[1000];
  run_all(m, m->g->labels_at, features, n, ENGINE_EVAL, out, NULL);
  for (uint32_t i = 0; i < n; i++) {
    memcpy(logits, out + (size_t)i * (size_t)classes, (size_t)classes * sizeof *logits);
    softmax(logits, classes, out + (size_t)i * (size_t)classes);
  }
}

bool train_prune(struct arena *a, const struct train_model *m, const struct train_budget *budget,
                 struct train_start *start, struct err *e) {
  memset(start, 0, sizeof *start);
  return engine_prune(m->g, m->folded, budget, a, start, e);
}

void train_predict_head(const struct train_model *m, int head, bool int8, const int8_t *features,
                        uint32_t n, float *out) {
  const struct train_head *h = &m->g->net.heads[head];
  const struct value *v = &m->g->values[h->layer + 1];
  run_all(m, h->layer + 1, features, n, int8 ? ENGINE_INT8 : ENGINE_EVAL, out, NULL);
  if (h->kind != TRAIN_HEAD_CLASSES && h->kind != TRAIN_HEAD_CELLS) return;
  float logits[1000];
  for (size_t i = 0; i < (size_t)n * (size_t)(v->h * v->w); i++, out += v->c) {
    memcpy(logits, out, (size_t)v->c * sizeof *logits);
    softmax(logits, v->c, out);
  }
}

/* The SOFTMAX of the graph over n rows of logits, by the reference evaluation. */
static void softmax_int8(const struct engine *g, uint32_t n, int8_t *rows) {
  const size_t bytes = (size_t)n * (size_t)g->classes;
  struct arena *a = arena_new(4 * bytes + (4 << 20));
  struct graph *gr = graph_new(a, "softmax");
  const struct value *v = &g->values[g->labels_at];
  struct graph_tensor t = {
      .name = "logits", .type = MOTE_INT8, .rank = 2, .dims = {(int32_t)n, g->classes}};
  t.quant = graph_quant_one(a, v->scale, v->zp);
  struct graph_node node = {.op = MOTE_OP_SOFTMAX, .n_in = 1, .n_out = 1, .source_op = 0};
  node.attrs = (struct graph_attrs){
      .beta = 1.0f, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  node.in[0] = graph_add_tensor(gr, &t);
  t.name = "scores";
  t.quant = graph_quant_one(a, 0x1p-8f, -128);
  node.out[0] = graph_add_tensor(gr, &t);
  graph_add_node(gr, &node);
  graph_set_inputs(gr, &node.in[0], 1);
  graph_set_outputs(gr, &node.out[0], 1);
  const void *inputs[1] = {rows}, *values[2] = {NULL, NULL};
  if (graph_evaluate(gr, inputs, a, values, NULL)) memcpy(rows, values[node.out[0]], bytes);
  arena_free(a);
}

void train_predict_int8(const struct train_model *m, const int8_t *features, uint32_t n,
                        int8_t *out) {
  run_all(m, m->g->labels_at, features, n, ENGINE_INT8, NULL, out);
  for (uint32_t i = 0; i < n; i += 4096)
    softmax_int8(m->g, n - i < 4096 ? n - i : 4096, out + (size_t)i * (size_t)m->g->classes);
}

/* Share of examples whose greatest score is their label's; the first of equals counts. */
static float count_right(const float *scores, size_t classes, const struct train_set *set,
                         uint32_t *confusion) {
  uint32_t right = 0;
  if (confusion) memset(confusion, 0, classes * classes * sizeof *confusion);
  for (uint32_t i = 0; i < set->n; i++) {
    const float *p = scores + i * classes;
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
      if (p[c] > p[best]) best = c;
    right += (int32_t)best == set->labels[i];
    if (confusion) confusion[(size_t)set->labels[i] * classes + best]++;
  }
  return set->n ? (float)((double)right / set->n) : 0.0f;
}

float train_accuracy_float(const struct train_model *m, const struct train_set *set,
                           uint32_t *confusion) {
  const size_t classes = (size_t)m->g->classes, n = set->n * classes;
  struct arena *a = arena_new(n * sizeof(float) + (1 << 20));
  float *scores = ARENA_ARRAY(a, float, n);
  train_predict_float(m, set->features, set->n, scores);
  const float accuracy = count_right(scores, classes, set, confusion);
  arena_free(a);
  return accuracy;
}

float train_accuracy_int8(const struct train_model *m, const struct train_set *set,
                          uint32_t *confusion) {
  const size_t classes = (size_t)m->g->classes, n = set->n * classes;
  struct arena *a = arena_new(n * (sizeof(float) + 1) + (1 << 20));
  int8_t *quantised = ARENA_ARRAY(a, int8_t, n);
  float *scores = ARENA_ARRAY(a, float, n); /* of int8: the same order */
  train_predict_int8(m, set->features, set->n, quantised);
  for (size_t i = 0; i < n; i++) scores[i] = quantised[i];
  const float accuracy = count_right(scores, classes, set, confusion);
  arena_free(a);
  return accuracy;
}
