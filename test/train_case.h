/* What the trainer's tests share: networks from text, gradients against finite differences, toy data. */
#ifndef TEST_TRAIN_CASE_H
#define TEST_TRAIN_CASE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/train/engine.h"

static inline struct train_network network_of(const char *const *lines, int n, int h, int w, int c,
                                              int classes) {
  struct train_network net;
  struct err e = {0};
  if (!train_network_parse(lines, n, h, w, c, classes, &net, &e))
    fail_msg("%s: %s", e.node, e.text);
  return net;
}
#define NETWORK(h, w, c, classes, ...)                                                             \
  network_of((const char *const[]){__VA_ARGS__},                                                   \
             (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), h, w, c, classes)

/* ---- gradients ------------------------------------------------------------------------ */
#define BATCH 6

/* Targets that fit every head: classes within range, numbers of either sign, masks from 0 to 1. */
static inline void draw_targets(const struct train_network *net, struct rng *r, float *targets) {
  for (int s = 0; s < BATCH; s++)
    for (int i = 0; i < net->n_heads; i++) {
      const struct train_head *h = &net->heads[i];
      for (int k = 0; k < h->n_targets; k++, targets++)
        *targets = h->kind == TRAIN_HEAD_MASK ? rng_unit(r)
                   : h->kind == TRAIN_HEAD_NUMBERS
                       ? 4.0f * rng_unit(r) - 2.0f
                       : (float)rng_below(r, (uint32_t)h->outputs + 1) - 1.0f;
    }
}

/* How the loss is asked for. */
struct asking {
  float focal, distil;
};

/* Every parameter's gradient against a central difference of the loss. The loss is computed in float32, so
 * a difference of 2 * 2e-3 carries an error of about 1e-4 of the largest gradient; kinks of ReLU and ties
 * of maxima may spoil single ones, but not 1 in 50. */
static inline void check_gradients_of(const struct train_network *net, struct asking how) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct engine *g = engine_new(a, net, BATCH, true, &e);
  assert_non_null(g);
  g->params = ARENA_ARRAY(a, float, g->n_params);
  g->running = ARENA_ARRAY(a, float, g->n_running + LANES);
  engine_init_params(g, g->params, g->running, 3);
  struct rng r;
  rng_seed(&r, 5);
  int32_t labels[BATCH], second[BATCH];
  float weights[BATCH], mix[BATCH];
  for (int i = 0; i < BATCH; i++) {
    labels[i] = (int32_t)rng_below(&r, (uint32_t)net->classes);
    second[i] = (int32_t)rng_below(&r, (uint32_t)net->classes);
    weights[i] = 0.5f + rng_unit(&r);
    mix[i] = rng_unit(&r);
  }
  g->labels = labels;
  g->second_labels = second;
  g->sample_weights = weights;
  g->mix = mix;
  g->label_smoothing = 0.1f;
  g->focal = how.focal;
  g->distil = how.distil;
  g->temperature = 2.5f;
  float *opinions = ARENA_ARRAY(a, float, BATCH * net->classes),
        *targets = ARENA_ARRAY(a, float, BATCH * g->n_targets + 1);
  for (int i = 0; i < BATCH * net->classes; i++) opinions[i] = 3.0f * rng_unit(&r);
  if (how.distil > 0.0f) g->teacher = opinions;
  draw_targets(net, &r, targets);
  g->targets = targets;
  const struct value *in = &g->values[0];
  for (int i = 0; i < BATCH * in->h * in->w * in->cs; i++)
    in->y[i] = i % in->cs < in->c ? 2.0f * rng_unit(&r) - 1.0f : 0.0f;
  for (size_t i = 0; i < g->n_params; i++)
    if (g->params[i] != 0.0f) g->params[i] += 0.2f * (rng_unit(&r) - 0.5f);
  int right;
  engine_forward(g, BATCH, ENGINE_TRAIN);
  engine_backward(g, &right);
  float *gradient = ARENA_ARRAY(a, float, g->n_params);
  g->lanes->reduce(g->n_params, g->chunks, g->gradients, g->n_params, gradient);
  double most = 0;
  for (size_t i = 0; i < g->n_params; i++) most = fmax(most, fabs((double)gradient[i]));
  assert_true(most > 1e-3);
  int tested = 0, wrong = 0;
  for (size_t i = 0; i < g->n_params; i++) {
    const float kept = g->params[i], d = 2e-3f;
    if (kept == 0.0f) continue;
    double loss[2];
    for (int k = 0; k < 2; k++) {
      g->params[i] = k ? kept - d : kept + d;
      engine_forward(g, BATCH, ENGINE_TRAIN);
      loss[k] = engine_loss(g, &right);
    }
    g->params[i] = kept;
    tested++;
    wrong +=
        fabs((loss[0] - loss[1]) / (2.0 * (double)d) - (double)gradient[i]) > 0.01 * most + 1e-4;
  }
  assert_true(tested > 10);
  if (wrong * 50 > tested)
    fail_msg("%d of %d gradients differ from finite differences", wrong, tested);
  arena_free(a);
}

static inline void check_gradients(const struct train_network *net) {
  check_gradients_of(net, (struct asking){0});
}

/* ---- data ------------------------------------------------------------------------------- */
struct toy {
  uint32_t n;
  size_t size;
  int8_t *features;
  int32_t *labels;
  int noise;
  const struct train_network *asked; /* whose heads' targets are drawn; NULL: labels are enough */
};

/* Targets by the index alone: classes 0 and 1, small numbers. */
static inline void toy_targets(void *context, uint32_t index, uint64_t seed, float *targets) {
  const struct train_network *net = ((const struct toy *)context)->asked;
  struct rng r;
  (void)seed;
  rng_seed(&r, index);
  for (int i = 0; i < net->n_heads; i++)
    for (int k = 0; k < net->heads[i].n_targets; k++)
      *targets++ = net->heads[i].kind == TRAIN_HEAD_MASK      ? rng_unit(&r)
                   : net->heads[i].kind == TRAIN_HEAD_NUMBERS ? rng_unit(&r) - 0.5f
                                                              : (float)rng_below(&r, 2);
}

static inline void toy_example(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  const struct toy *t = context;
  memcpy(features, t->features + (size_t)index * t->size, t->size);
  if (!seed || !t->noise) return;
  struct rng r;
  rng_seed(&r, seed);
  for (size_t i = 0; i < t->size; i++) {
    const int x = features[i] + (int)rng_below(&r, (uint32_t)(2 * t->noise + 1)) - t->noise;
    features[i] = (int8_t)(x < -128 ? -128 : x > 127 ? 127 : x);
  }
}

static inline struct toy *toy_new(struct arena *a, uint32_t n, size_t size, int noise) {
  struct toy *t = ARENA_NEW(a, struct toy);
  *t = (struct toy){.n = n,
                    .size = size,
                    .features = ARENA_ARRAY(a, int8_t, n * size),
                    .labels = ARENA_ARRAY(a, int32_t, n),
                    .noise = noise};
  return t;
}
static inline struct train_examples examples_of(struct toy *t) {
  return (struct train_examples){.n = t->n,
                                 .labels = t->labels,
                                 .example = toy_example,
                                 .context = t,
                                 .targets = t->asked ? toy_targets : NULL};
}
static inline struct train_set set_of(const struct toy *t) {
  return (struct train_set){.n = t->n, .features = t->features, .labels = t->labels};
}

/* Patterns [h, w, 1]: each class a bar of its own direction at a random place, in noise. */
static inline struct toy *bars(struct arena *a, uint32_t n, int h, int w, int classes,
                               uint64_t seed) {
  struct toy *t = toy_new(a, n, (size_t)(h * w), 4);
  struct rng r;
  rng_seed(&r, seed);
  for (uint32_t i = 0; i < n; i++) {
    int8_t *x = t->features + i * t->size;
    t->labels[i] = (int32_t)(i % (uint32_t)classes);
    for (size_t j = 0; j < t->size; j++) x[j] = (int8_t)(rng_below(&r, 61) - 30);
    const int y0 = 1 + (int)rng_below(&r, (uint32_t)h - 2),
              x0 = 1 + (int)rng_below(&r, (uint32_t)w - 2);
    static const int dy[4] = {0, 1, 1, 1}, dx[4] = {1, 0, 1, -1};
    for (int k = -3; k <= 3; k++) {
      const int y = y0 + k * dy[t->labels[i]], c = x0 + k * dx[t->labels[i]];
      if (y >= 0 && y < h && c >= 0 && c < w) x[y * w + c] = (int8_t)(80 + rng_below(&r, 40));
    }
  }
  return t;
}

static inline struct train_config quick_config(int epochs, int qat) {
  struct train_config c = train_config_default(TRAIN_INPUT_VECTOR, 1000);
  c.epochs = epochs;
  c.qat_epochs = qat;
  c.threads = 1;
  c.learning_rate = 5e-3f;
  c.qat_learning_rate = 5e-4f;
  return c;
}

static inline struct train_result train(struct arena *a, const struct train_network *net,
                                        struct toy *t, const struct toy *v,
                                        const struct train_config *c,
                                        const struct train_hooks *hooks) {
  const struct train_examples x = examples_of(t);
  const struct train_set s = v ? set_of(v) : (struct train_set){0};
  struct train_result result;
  struct err e = {0};
  if (!train_fit(a, net, &x, v ? &s : NULL, c, hooks, &result, &e))
    fail_msg("%s: %s", e.node, e.text);
  return result;
}

#endif
