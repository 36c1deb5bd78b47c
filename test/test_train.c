/* Tests of host/train: gradients against finite differences, integers against the reference evaluation, the
 * same bits whatever the threads, learning, resuming, hostile texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/train/engine.h"
#include "test/train_case.h"

static void gradient_of_each_layer(void **state) {
  (void)state;
  struct train_network net;
  net = NETWORK(7, 6, 2, 3, "conv 5 3x3 s2 linear nobn", "mean"), check_gradients(&net);
  net = NETWORK(7, 6, 2, 3, "conv 5 3x3 s2 linear", "mean"), check_gradients(&net);
  net = NETWORK(7, 6, 2, 3, "conv 5 3x2 valid", "conv 20 1x1", "mean"), check_gradients(&net);
  net = NETWORK(7, 6, 3, 3, "dwconv 3x3 s2x1 linear nobn", "dwconv 2x2 linear"),
  check_gradients(&net);
  net = NETWORK(8, 7, 2, 3, "conv 16 1x1", "conv 16 3x3", "mean"), check_gradients(&net);
  net = NETWORK(7, 6, 17, 3, "dwconv 3x3", "conv 16 1x1", "mean"), check_gradients(&net);
  net = NETWORK(1, 1, 9, 4, "dense 7", "dense 5 linear", "dense 18 nobn"), check_gradients(&net);
  net = NETWORK(6, 6, 2, 3, "conv 4 3x3 linear", "avgpool 2x3", "avgpool 3x2 s1"),
  check_gradients(&net);
  net = NETWORK(6, 6, 2, 3, "conv 4 3x3 linear", "maxpool 2x2", "maxpool 2x2 s1 valid"),
  check_gradients(&net);
  net = NETWORK(6, 6, 2, 3, "conv 4 3x3", "branch", "conv 4 3x3 linear", "join", "dropout 0.3",
                "mean");
  check_gradients(&net);
  net = NETWORK(6, 6, 2, 3, "conv 4 3x3", "mean", "a: droppath 0.4", "conv 3 3x3 from input",
                "mean", "b: droppath 0.4", "concat a b");
  check_gradients(&net);
  net = NETWORK(6, 6, 2, 3, "conv 4 3x3", "branch", "dsconv 6 3x3 s2", "join project", "branch",
                "branch", "conv 6 3x3", "join linear", "join");
  check_gradients(&net);
}

/* An example's map is there, larger by what is missing of the others, or it is not; told apart by nothing but chance. */
static void paths_are_dropped_whole(void **state) {
  (void)state;
  enum { EXAMPLES = 32, ROUNDS = 40 };
  struct arena *a = arena_new(0);
  struct err e = {0};
  const struct train_network net = NETWORK(4, 3, 2, 2, "droppath 0.25");
  struct engine *g = engine_new(a, &net, EXAMPLES, true, &e);
  assert_non_null(g);
  g->params = ARENA_ARRAY(a, float, g->n_params);
  g->running = ARENA_ARRAY(a, float, g->n_running + LANES);
  engine_init_params(g, g->params, g->running, 7);
  const struct value *in = &g->values[0], *out = &g->values[1];
  int kept = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int s = 0; s < EXAMPLES; s++)
      for (int i = 0; i < 12 * in->cs; i++)
        value_at(in, in->y, s)[i] = i % in->cs < 2 ? (float)(1 + s + i) : 0.0f;
    g->dropout_seed = train_mix(3, 0, (uint64_t)round);
    engine_forward(g, EXAMPLES, ENGINE_TRAIN);
    for (int s = 0; s < EXAMPLES; s++) {
      const float *x = value_at(in, in->y, s), *y = value_at(out, out->y, s);
      const bool here = y[0] != 0.0f;
      kept += here;
      for (int i = 0; i < 12 * in->cs; i++)
        assert_float_equal(y[i], here ? x[i] / 0.75f : 0.0f, 1e-4f);
    }
  }
  /* 1,280 draws of 0.75 deviate by 15. */
  assert_in_range(kept, 960 - 75, 960 + 75);
  engine_forward(g, EXAMPLES, ENGINE_EVAL);
  for (int s = 0; s < EXAMPLES; s++)
    assert_memory_equal(value_at(in, in->y, s), value_at(out, out->y, s), sizeof(float));
  arena_free(a);
}

/* ---- data ------------------------------------------------------------------------------- */
/* All gradients of a batch, with Winograd's windows or without. */
static const float *gradients_with(struct arena *a, const struct train_network *net, bool winograd,
                                   size_t *n) {
  struct err e = {0};
  struct engine *g = engine_new(a, net, BATCH, true, &e);
  assert_non_null(g);
  g->params = ARENA_ARRAY(a, float, g->n_params);
  g->running = ARENA_ARRAY(a, float, g->n_running + LANES);
  engine_init_params(g, g->params, g->running, 7);
  int taken = 0;
  for (int i = 0; i < g->n_units; i++) {
    taken += g->units[i].winograd;
    g->units[i].winograd = g->units[i].winograd && winograd;
  }
  assert_int_equal(taken, 3);
  struct rng r;
  rng_seed(&r, 8);
  int32_t labels[BATCH];
  const struct value *in = &g->values[0];
  for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)rng_below(&r, (uint32_t)net->classes);
  for (int i = 0; i < BATCH * in->h * in->w * in->cs; i++)
    in->y[i] = i % in->cs < in->c ? 2.0f * rng_unit(&r) - 1.0f : 0.0f;
  g->labels = labels;
  int right;
  engine_forward(g, BATCH, ENGINE_TRAIN);
  engine_backward(g, &right);
  float *gradient = ARENA_ARRAY(a, float, g->n_params);
  g->lanes->reduce(g->n_params, g->chunks, g->gradients, g->n_params, gradient);
  *n = g->n_params;
  return gradient;
}

/* Same and valid padding, a residual whose gradient is added to, tiles that reach beyond the map. */
static void winograd_is_the_same_convolution(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net =
      NETWORK(12, 10, 2, 3, "conv 16 1x1", "branch", "conv 32 3x3", "conv 16 3x3 linear", "join",
              "conv 32 3x3 valid", "mean");
  size_t n;
  const float *x = gradients_with(a, &net, true, &n), *y = gradients_with(a, &net, false, &n);
  double most = 0, worst = 0;
  for (size_t i = 0; i < n; i++) {
    most = fmax(most, fabs((double)y[i]));
    worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
  }
  assert_true(worst > 0 && worst < 2e-5 * most);
  arena_free(a);
}

/* Two spirals of a turn and a half, and XOR, as vectors of 2. */
static struct toy *spirals(struct arena *a, uint32_t n, uint64_t seed) {
  struct toy *t = toy_new(a, n, 2, 0);
  struct rng r;
  rng_seed(&r, seed);
  for (uint32_t i = 0; i < n; i++) {
    const float turn = 0.15f + 0.85f * rng_unit(&r),
                angle = turn * 9.42f + (i & 1 ? 3.1416f : 0.0f);
    t->labels[i] = (int32_t)(i & 1);
    t->features[2 * i] = (int8_t)lrintf(120.0f * turn * cosf(angle));
    t->features[2 * i + 1] = (int8_t)lrintf(120.0f * turn * sinf(angle));
  }
  return t;
}
static struct toy *xor_points(struct arena *a, uint32_t n, uint64_t seed) {
  struct toy *t = toy_new(a, n, 2, 0);
  struct rng r;
  rng_seed(&r, seed);
  for (uint32_t i = 0; i < n; i++) {
    const int p = (int)rng_below(&r, 2), q = (int)rng_below(&r, 2);
    t->labels[i] = p ^ q;
    t->features[2 * i] = (int8_t)((p ? 60 : -60) + (int)rng_below(&r, 61) - 30);
    t->features[2 * i + 1] = (int8_t)((q ? 60 : -60) + (int)rng_below(&r, 61) - 30);
  }
  return t;
}

/* ---- learning -------------------------------------------------------------------------------- */
static void learns_xor_spirals_and_bars(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_config c = quick_config(30, 3);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 16");
  struct train_result r = train(a, &net, xor_points(a, 400, 1), xor_points(a, 400, 2), &c, NULL);
  assert_true(r.float_accuracy > 0.99f && r.int8_accuracy > 0.99f);
  net = NETWORK(1, 1, 2, 2, "dense 32", "dense 32");
  c = quick_config(80, 5);
  r = train(a, &net, spirals(a, 800, 1), spirals(a, 400, 2), &c, NULL);
  if (!(r.float_accuracy > 0.97f && r.int8_accuracy > 0.95f))
    fail_msg("spirals: %g in float, %g in int8", (double)r.float_accuracy, (double)r.int8_accuracy);
  net = NETWORK(12, 12, 1, 4, "conv 12 3x3", "dsconv 16 3x3 s2", "mean");
  c = quick_config(12, 2);
  r = train(a, &net, bars(a, 800, 12, 12, 4, 1), bars(a, 400, 12, 12, 4, 2), &c, NULL);
  if (!(r.float_accuracy > 0.95f && r.int8_accuracy > 0.95f))
    fail_msg("bars: %g in float, %g in int8", (double)r.float_accuracy, (double)r.int8_accuracy);
  arena_free(a);
}

/* ---- integers --------------------------------------------------------------------------------- */
/* Every layer of the integer pass against graph_evaluate, and the class scores. */
static void check_integers(struct arena *a, const struct train_result *r, const struct toy *t,
                           uint32_t n) {
  struct train_model_view {
    struct engine *g;
  }; /* the first member of struct train_model */
  struct engine *g = ((const struct train_model_view *)(const void *)r->model)->g;
  struct err e = {0};
  if (!graph_check(r->graph, &e)) fail_msg("%s: %s", e.node, e.text);
  int8_t *scores = ARENA_ARRAY(a, int8_t, n * (uint32_t)g->classes);
  train_predict_int8(r->model, t->features, n, scores);
  int compared = 0;
  for (uint32_t i = 0; i < n; i++) {
    struct arena *b = arena_new(64 << 20);
    const void **values = ARENA_ARRAY(b, const void *, r->graph->n_tensors),
               *in = t->features + i * t->size;
    int8_t one[1000];
    train_predict_int8(r->model, in, 1, one); /* leaves the layers of this example in the engine */
    assert_true(graph_evaluate(r->graph, &in, b, values, &e));
    assert_memory_equal(values[r->graph->outputs[0]], one, (size_t)g->classes);
    assert_memory_equal(scores + i * (uint32_t)g->classes, one, (size_t)g->classes);
    for (int k = 0; k < g->n_units; k++) {
      const struct unit *u = &g->units[k];
      const struct value *v = &g->values[u->out];
      if (u->d.kind == TRAIN_DROPOUT) continue;
      const int8_t *q = values[r->graph->nodes[u->node].out[0]];
      for (int p = 0; p < u->pixels; p++)
        for (int c = 0; c < v->c; c++, compared++)
          if ((int)v->y[p * v->cs + c] + v->zp != q[p * v->c + c])
            fail_msg("example %u, layer %d, pixel %d, channel %d: %d here, %d by the reference", i,
                     k + 1, p, c, (int)v->y[p * v->cs + c] + v->zp, q[p * v->c + c]);
    }
    arena_free(b);
  }
  assert_true(compared > 0);
}

static void integers_are_the_references(void **state) {
  (void)state;
  struct train_network nets[] = {
      NETWORK(13, 11, 1, 4, "conv 20 3x4 s2", "dsconv 17 3x3", "branch", "conv 17 3x3 linear",
              "join", "avgpool 2x2", "dropout 0.2", "mean"),
      NETWORK(13, 11, 1, 4, "maxpool 2x2", "conv 8 5x3 valid linear nobn", "branch",
              "dsconv 12 2x2 s2 linear", "join project linear", "maxpool 2x1", "dense 9"),
      NETWORK(13, 11, 1, 4, "dwconv 3x3", "avgpool 3x3 s2", "conv 70 3x3 nobn", "conv 6 3x3",
              "dense 40 linear"),
      /* Rows of a window that hold more than the 512 products whose sum is exact: 3 * 176, 520. */
      NETWORK(13, 11, 1, 4, "conv 176 3x3 s2", "dwconv 3x3", "dwconv 3x3 s2", "conv 5 3x3", "mean"),
      NETWORK(13, 11, 1, 4, "conv 520 3x3 s4", "dwconv1d 3", "dwconv 1x2", "conv 5 1x1", "mean"),
  };
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
    for (int trained = 0; trained < 2; trained++) {
      struct arena *a = arena_new(0);
      struct train_config c = quick_config(trained ? 3 : 1, trained ? 3 : 0);
      c.seed = 7 + i;
      if (!trained) c.learning_rate = 1e-7f;
      struct toy *t = bars(a, trained ? 320 : 48, 13, 11, 4, 3);
      const struct train_result r = train(a, &nets[i], t, t, &c, NULL);
      check_integers(a, &r, t, 12);
      arena_free(a);
    }
}

/* Sums of more than 512 products, and a range that is far from the trained one. */
static void long_sums_stay_exact(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct toy *t = toy_new(a, 40, 40 * 40, 0);
  struct rng rng;
  rng_seed(&rng, 9);
  for (uint32_t i = 0; i < t->n; i++) {
    t->labels[i] = (int32_t)(i % 2);
    for (size_t j = 0; j < t->size; j++)
      t->features[i * t->size + j] = (int8_t)(rng_below(&rng, 8) ? -128 : 127);
  }
  struct train_network net = NETWORK(40, 40, 1, 2, "dense 33");
  struct train_config c = quick_config(2, 1);
  const struct train_result r = train(a, &net, t, t, &c, NULL);
  check_integers(a, &r, t, 10);
  arena_free(a);
}

/* ---- the same bits --------------------------------------------------------------------------------- */
static void graph_bytes_of(struct arena *a, const struct graph *g, uint8_t digest[32]) {
  uint8_t *bytes;
  size_t n;
  struct sha256 s;
  graph_save(g, a, &bytes, &n);
  sha256_init(&s);
  sha256_add(&s, bytes, n);
  sha256_end(&s, digest);
}

static void digest_with(int threads, const char *vector, bool hard, uint8_t digest[32]) {
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(12, 12, 1, 4, "conv 12 3x3", "branch", "dsconv 12 3x3", "join",
                                     "maxpool 2x2", "dropout 0.2", "mean");
  struct train_config c = quick_config(3, 2);
  c.threads = threads;
  c.mixup = 0.2f;
  c.time_masks = c.band_masks = 1;
  c.time_mask_max = c.band_mask_max = 3;
  c.balance = hard;
  c.hard = hard ? 0.5f : 0.0f;
  if (vector) setenv("MOTE_VECTOR", vector, 1);
  const struct train_result r =
      train(a, &net, bars(a, 300, 12, 12, 4, 1), bars(a, 100, 12, 12, 4, 2), &c, NULL);
  unsetenv("MOTE_VECTOR");
  graph_bytes_of(a, r.graph, digest);
  arena_free(a);
}

/* On each level of instructions; levels differ, since only two of them fuse multiplication and addition. */
static void same_bits_for_any_threads(void **state) {
  (void)state;
  static const char *const vectors[] = {"plain", "avx2", "avx512"};
  uint8_t first[32], other[32];
  for (int i = 0; i < 3; i++) {
    for (int hard = 0; hard < 2; hard++) {
      digest_with(1, vectors[i], hard, first);
      digest_with(2, vectors[i], hard, other);
      assert_memory_equal(first, other, 32);
      digest_with(5, vectors[i], hard, other);
      assert_memory_equal(first, other, 32);
    }
  }
}

/* ---- checkpoints -------------------------------------------------------------------------------------- */
struct saved {
  uint8_t *bytes[32];
  size_t size[32];
  int n, stop_after;
};
static bool keep(void *context, const void *bytes, size_t size, const struct train_epoch *epoch,
                 struct err *e) {
  struct saved *s = context;
  assert_int_equal(epoch->epoch, s->n + 1);
  s->bytes[s->n] = malloc(size);
  memcpy(s->bytes[s->n], bytes, size);
  s->size[s->n++] = size;
  return s->n != s->stop_after || err_set(e, "stopped");
}

/* With state: of hard examples too, which a training that goes on must find anew. */
static int resume_hard;
static void resuming_is_as_if_never_stopped(void **state) {
  const bool hard = *state != NULL;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(12, 12, 1, 4, "conv 12 3x3", "mean", "dropout 0.1");
  struct train_config c = quick_config(4, 3);
  c.average = 1.5f;
  c.mixup = 0.2f;
  c.balance = hard;
  c.hard = hard ? 0.5f : 0.0f;
  struct toy *t = bars(a, 200, 12, 12, 4, 1), *v = bars(a, 60, 12, 12, 4, 2);
  struct saved all = {0};
  struct train_hooks hooks = {.checkpoint = keep, .context = &all};
  uint8_t whole[32], resumed[32];
  graph_bytes_of(a, train(a, &net, t, v, &c, &hooks).graph, whole);
  assert_int_equal(all.n, 7);
  for (int i = 0; i < all.n; i++) {
    const struct train_hooks from = {.resume = all.bytes[i], .resume_bytes = all.size[i]};
    const struct train_result r = train(a, &net, t, v, &c, &from);
    graph_bytes_of(a, r.graph, resumed);
    assert_memory_equal(whole, resumed, 32);
    assert_int_equal(r.n_history, 7);
  }
  /* Bytes of something else, cut short or changed are refused. */
  const struct train_examples x = examples_of(t);
  struct train_result r;
  struct err e = {0};
  for (size_t cut = 0; cut < all.size[2]; cut += 997) {
    const struct train_hooks bad = {.resume = all.bytes[2], .resume_bytes = cut};
    assert_false(train_fit(a, &net, &x, NULL, &c, &bad, &r, &e));
  }
  all.bytes[2][all.size[2] / 2] ^= 1;
  struct train_hooks bad = {.resume = all.bytes[2], .resume_bytes = all.size[2]};
  assert_false(train_fit(a, &net, &x, NULL, &c, &bad, &r, &e));
  assert_non_null(strstr(e.text, "checksum"));
  bad.resume = all.bytes[3], bad.resume_bytes = all.size[3];
  c.seed++;
  assert_false(train_fit(a, &net, &x, NULL, &c, &bad, &r, &e));
  assert_non_null(strstr(e.text, "another"));
  c.seed--;
  /* Other instructions round sums otherwise. */
  const char *const name = train_vector_name(), *const asked = getenv("MOTE_VECTOR");
  char *const before = asked ? arena_strdup(a, asked) : NULL;
  setenv("MOTE_VECTOR", "plain", 1);
  if (strcmp(train_vector_name(), name) != 0) {
    assert_false(train_fit(a, &net, &x, NULL, &c, &bad, &r, &e));
    assert_non_null(strstr(e.text, "instructions"));
    /* What is over is as good as before. */
    const struct train_hooks done = {.resume = all.bytes[6], .resume_bytes = all.size[6]};
    graph_bytes_of(a, train(a, &net, t, v, &c, &done).graph, resumed);
    assert_memory_equal(whole, resumed, 32);
  }
  if (before)
    setenv("MOTE_VECTOR", before, 1);
  else
    unsetenv("MOTE_VECTOR");
  for (int i = 0; i < all.n; i++) free(all.bytes[i]);
  arena_free(a);
}

/* ---- the course of a training ---------------------------------------------------------------------------- */
static void class_weights_help_the_rare(void **state) {
  (void)state;
  float rare[2];
  for (int on = 0; on < 2; on++) {
    struct arena *a = arena_new(0);
    /* One feature, overlapping classes, 1 in 20: without weights the rare class is hardly ever answered. */
    struct toy *t = toy_new(a, 1000, 1, 0);
    struct rng rng;
    rng_seed(&rng, 4);
    for (uint32_t i = 0; i < t->n; i++) {
      t->labels[i] = i % 20 == 0;
      const float x = 30.0f * rng_normal(&rng) + (t->labels[i] ? 25.0f : -25.0f);
      t->features[i] = (int8_t)(x > 127 ? 127 : x < -128 ? -128 : x);
    }
    struct train_network net = NETWORK(1, 1, 1, 2, "dense 8");
    struct train_config c = quick_config(15, 0);
    c.class_weights = on;
    const struct train_result r = train(a, &net, t, NULL, &c, NULL);
    const struct train_set s = set_of(t);
    uint32_t confusion[4];
    train_accuracy_float(r.model, &s, confusion);
    rare[on] = (float)confusion[3] / (float)(confusion[2] + confusion[3]);
    arena_free(a);
  }
  if (!(rare[1] > 0.6f && rare[0] < 0.5f))
    fail_msg("rare class found: %g without, %g with weights", (double)rare[0], (double)rare[1]);
}

/* How often each example was drawn for training. */
struct counted {
  const struct toy *toy;
  uint32_t draws[400];
};
static void count_draw(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  struct counted *x = context;
  x->draws[index] += seed != 0;
  memcpy(features, x->toy->features + index * x->toy->size, x->toy->size);
}
/* 400 points on a line, of which a tenth are of class 1; the last ten of class 0 lie among those. */
static void count_draws(struct train_config c, struct counted *x) {
  struct arena *a = arena_new(0);
  struct toy *t = toy_new(a, 400, 1, 0);
  struct rng rng;
  rng_seed(&rng, 4);
  for (uint32_t i = 0; i < t->n; i++) {
    t->labels[i] = i < 40;
    t->features[i] = (int8_t)((i < 40 || i >= 390 ? 60 : -60) + (int)rng_below(&rng, 21) - 10);
  }
  *x = (struct counted){.toy = t};
  const struct train_examples examples = {
      .n = t->n, .labels = t->labels, .example = count_draw, .context = x};
  struct train_network net = NETWORK(1, 1, 1, 2, "dense 8");
  struct train_result r;
  struct err e = {0};
  c.threads = 1;
  if (!train_fit(a, &net, &examples, NULL, &c, NULL, &r, &e)) fail_msg("%s", e.text);
  arena_free(a);
}
static uint32_t most_of(const struct counted *x, uint32_t from, uint32_t to, uint32_t *least) {
  uint32_t most = *least = x->draws[from];
  for (uint32_t i = from; i < to; i++) {
    most = x->draws[i] > most ? x->draws[i] : most;
    *least = x->draws[i] < *least ? x->draws[i] : *least;
  }
  return most;
}

/* Eight batches of 32 look at the ranges besides, and begin an epoch. */
static void draws_are_balanced(void **state) {
  (void)state;
  struct train_config c = quick_config(6, 0);
  struct counted x;
  uint32_t least;
  c.balance = true;
  count_draws(c, &x);
  uint32_t rare = 0, all = 0;
  for (int i = 0; i < 400; i++) all += x.draws[i], rare += i < 40 ? x.draws[i] : 0;
  assert_in_range(2 * rare, all - 256, all + 256);
  assert_in_range(rare, 6 * 200, 6 * 200 + 256);
  /* Those of a class equally often: the rare ones 5 times an epoch, the others 5 times in 9. */
  assert_true(most_of(&x, 0, 40, &least) <= 35 && least >= 30);
}

/* Ten examples look like the other class. They are 10 of 360, and of half the draws of their class nearly all. */
static void hard_examples_are_drawn_more(void **state) {
  (void)state;
  struct train_config c = quick_config(12, 0);
  struct counted plain, hard;
  uint32_t least, least_hard;
  c.balance = true;
  count_draws(c, &plain);
  c.hard = 0.5f;
  count_draws(c, &hard);
  const uint32_t most = most_of(&plain, 390, 400, &least);
  most_of(&hard, 390, 400, &least_hard);
  assert_true(least_hard > 5 * most);
  /* Every example is looked at before each epoch but the first, and the other half of the draws goes round as before: 200 in the
   * first epoch, then 100. */
  uint32_t rest = 0;
  for (int i = 40; i < 390; i++) rest += hard.draws[i] - 11;
  assert_in_range(rest, 1200, 2300);
}

static void stops_early_and_keeps_the_best(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 8");
  struct train_config c = quick_config(200, 0);
  c.patience = 4;
  struct toy *t = xor_points(a, 200, 1), *v = xor_points(a, 100, 2);
  const struct train_result r = train(a, &net, t, v, &c, NULL);
  assert_true(r.n_history < 200);
  assert_int_equal(r.n_history, r.best_epoch + 4);
  const struct train_set s = set_of(v);
  assert_true(train_accuracy_float(r.model, &s, NULL) >=
              r.history[r.best_epoch - 1].validation_accuracy);
  arena_free(a);
}

/* With labels of which a third is wrong the latest weights jump about; their mean stands still and is what is judged. */
static void averaged_weights_are_steadier(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 16");
  struct train_config c = quick_config(24, 2);
  struct toy *t = xor_points(a, 300, 1), *v = xor_points(a, 200, 2);
  double moved[2] = {0};
  for (uint32_t i = 0; i < 300; i += 3) t->labels[i] ^= 1;
  c.learning_rate = 0.1f;
  for (int k = 0; k < 2; k++) {
    c.average = k ? 4.0f : 0.0f;
    const struct train_result r = train(a, &net, t, v, &c, NULL);
    for (int i = 8; i < 20; i++)
      moved[k] +=
          fabs((double)r.history[i].validation_loss - (double)r.history[i - 1].validation_loss);
  }
  assert_true(moved[1] < 0.5 * moved[0]);
  arena_free(a);
}

/* A mean over less than a step is the latest weights, not a mean over all. */
static void a_short_average_is_the_latest(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 16");
  struct train_config c = quick_config(12, 0);
  struct toy *t = xor_points(a, 300, 1), *v = xor_points(a, 200, 2);
  const struct train_result plain = train(a, &net, t, v, &c, NULL);
  c.average = 1e-3f;
  const struct train_result r = train(a, &net, t, v, &c, NULL);
  for (int i = 0; i < 12; i++)
    assert_true(fabs((double)r.history[i].validation_loss -
                     (double)plain.history[i].validation_loss) < 1e-4);
  arena_free(a);
}

/* An example that counts its draws, and what is set behind the first epoch. */
struct cancelled {
  struct toy *toy;
  uint32_t draws;
  bool cancel;
};
static void draw_of_cancelled(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  struct cancelled *x = context;
  (void)seed;
  x->draws++;
  memcpy(features, x->toy->features + index * x->toy->size, x->toy->size);
}
static bool cancel_now(void *context, const void *bytes, size_t size,
                       const struct train_epoch *epoch, struct err *e) {
  struct cancelled *x = context;
  (void)bytes, (void)size, (void)epoch, (void)e;
  x->draws = 0;
  return x->cancel = true;
}
static void the_look_for_hard_examples_is_cancelled(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 8");
  struct train_config c = quick_config(5, 0);
  struct cancelled x = {.toy = xor_points(a, 300, 1)};
  struct train_examples examples = examples_of(x.toy);
  const struct train_hooks hooks = {.cancel = &x.cancel, .checkpoint = cancel_now, .context = &x};
  struct train_result r;
  struct err e = {0};
  examples.example = draw_of_cancelled;
  examples.context = &x;
  c.balance = true;
  c.hard = 0.5f;
  c.threads = 1;
  assert_false(train_fit(a, &net, &examples, NULL, &c, &hooks, &r, &e));
  assert_non_null(strstr(e.text, "cancelled in epoch 2"));
  assert_int_equal(x.draws, 0);
  arena_free(a);
}

static void cancel_and_wrong_input_are_errors(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct train_network net = NETWORK(1, 1, 2, 2, "dense 8");
  struct train_config c = quick_config(5, 0);
  struct toy *t = xor_points(a, 50, 1);
  struct train_examples x = examples_of(t);
  struct train_result r;
  struct err e = {0};
  const volatile bool cancel = true;
  const struct train_hooks hooks = {.cancel = &cancel};
  assert_false(train_fit(a, &net, &x, NULL, &c, &hooks, &r, &e));
  assert_non_null(strstr(e.text, "cancelled"));
  t->labels[7] = 2;
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "example 7"));
  memset(t->labels, 0, t->n * sizeof *t->labels);
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "class 1"));
  c.batch = 0;
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  c = quick_config(5, 0);
  c.learning_rate = NAN;
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  struct arena *small = arena_new(1 << 20);
  struct train_network large = NETWORK(200, 200, 1, 2, "conv 64 3x3", "mean");
  assert_null(engine_new(small, &large, 32, true, &e));
  assert_non_null(strstr(e.text, "MB"));
  arena_free(small);
  arena_free(a);
}

/* ---- texts ------------------------------------------------------------------------------------------------ */
static void texts_come_back(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net = NETWORK(
      30, 20, 3, 5, "conv 8 3x5 s2x1 valid  # comment", "", "branch", "dsconv 8 3x3 linear", "join",
      "branch", "dwconv 2x2 s2", "conv 24 1x1 nobn", "join project linear", "avgpool 2x2",
      "maxpool 2x2 s1 valid", "dropout 0.25", "droppath 0.5", "mean", "dense 12");
  struct text t, again;
  text_init(&t, a);
  text_init(&again, a);
  train_network_text(&net, &t);
  const char *lines[64];
  int n = 0;
  char *save = NULL;
  for (char *l = strtok_r(arena_strdup(a, t.data), "\n", &save); l; l = strtok_r(NULL, "\n", &save))
    lines[n++] = l;
  const struct train_network back = network_of(lines, n, 30, 20, 3, 5);
  train_network_text(&back, &again);
  assert_string_equal(t.data, again.data);
  assert_int_equal(net.n_layers, back.n_layers);
  for (int i = 0; i < net.n_layers; i++) {
    struct train_layer x = net.layers[i], y = back.layers[i];
    x.line = y.line = 0;
    assert_memory_equal(&x, &y, sizeof x);
  }
  arena_free(a);
}

static void wrong_texts_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *line, *says;
  } wrong[] = {
      {"convolution 3", "is no layer"},
      {"conv 64", "window"},
      {"conv 3x3", "channels"},
      {"conv 64 3x3 s0", "s0"},
      {"conv 0 3x3", "0"},
      {"conv 99999 3x3", "99999"},
      {"conv 8 3x3 s2 s2", "s2"},
      {"conv 8 40x3 valid", "does not fit"},
      {"conv 8 30x30", "taps"},
      {"dwconv 8 3x3", "channels"},
      {"dense", "channels"},
      {"dense 8 3x3", "window"},
      {"dropout", "rate"},
      {"dropout 0.95", "0.9"},
      {"dropout 0.x", "0.x"},
      {"droppath", "rate"},
      {"droppath 1.0", "0.9"},
      {"join", "branch"},
      {"branch", "without a join"},
      {"mean 2x2", "window"},
      {"conv 8 3x3 project", "project"},
      {"conv 8 3x3 -1", "-1"},
      {"conv 4096 1x1 3", "3"},
      {"conv 8 3x", "3x"},
      {"\x01\xff", "is no layer"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct train_network net;
    struct err e = {0};
    if (train_network_parse(&wrong[i].line, 1, 20, 10, 1, 3, &net, &e))
      fail_msg("accepted: %s", wrong[i].line);
    if (!strstr(e.text, wrong[i].says))
      fail_msg("%s: \"%s\" does not say \"%s\"", wrong[i].line, e.text, wrong[i].says);
    assert_true(e.node[0] != 0);
  }
  struct train_network net;
  struct err e = {0};
  const char *differ[] = {"branch", "conv 8 3x3", "join"}, *after[] = {"mean", "conv 8 3x3"};
  assert_false(train_network_parse(differ, 3, 20, 10, 1, 3, &net, &e));
  assert_non_null(strstr(e.text, "join project"));
  assert_false(train_network_parse(after, 2, 20, 10, 1, 3, &net, &e));
  const char *large[] = {"dense 8"};
  assert_false(train_network_parse(large, 1, 300, 300, 1, 3, &net, &e));
  const char *many[200];
  for (int i = 0; i < 200; i++) many[i] = "dense 8";
  assert_false(train_network_parse(many, 200, 20, 10, 1, 3, &net, &e));
}

/* Random words: refused or accepted, never worse; what is accepted comes back as itself. */
static void random_texts_do_no_harm(void **state) {
  (void)state;
  static const char *const words[] = {"conv",  "dwconv",  "dsconv", "dense",   "avgpool", "maxpool",
                                      "mean",  "dropout", "branch", "join",    "project", "linear",
                                      "valid", "nobn",    "3x3",    "2x1",     "s2",      "8",
                                      "64",    "0.3",     "s1x2",   "",        "x",       "s",
                                      "1e9",   "#",       "-",      "droppath"};
  struct rng r;
  rng_seed(&r, 11);
  int accepted = 0;
  for (int i = 0; i < 20000; i++) {
    char lines[4][80];
    const char *pointers[4];
    for (int l = 0; l < 4; l++) {
      lines[l][0] = 0;
      const uint32_t n = 1 + rng_below(&r, 4);
      for (uint32_t k = 0; k < n; k++) {
        strcat(lines[l], words[k ? rng_below(&r, 27) : rng_below(&r, 10)]);
        strcat(lines[l], " ");
      }
      pointers[l] = lines[l];
    }
    struct train_network net;
    struct err e = {0};
    accepted += train_network_parse(pointers, 1 + (int)rng_below(&r, 4), 20, 10, 2, 3, &net, &e);
  }
  assert_true(accepted > 100);
}

static void defaults_fit_their_budget(void **state) {
  (void)state;
  static const int shapes[][4] = {{TRAIN_INPUT_AUDIO, 49, 10, 1}, {TRAIN_INPUT_AUDIO, 61, 40, 1},
                                  {TRAIN_INPUT_MOTION, 50, 3, 1}, {TRAIN_INPUT_MOTION, 200, 9, 1},
                                  {TRAIN_INPUT_IMAGE, 96, 96, 3}, {TRAIN_INPUT_IMAGE, 28, 28, 1},
                                  {TRAIN_INPUT_VECTOR, 1, 1, 33}, {TRAIN_INPUT_AUDIO, 1, 40, 1},
                                  {TRAIN_INPUT_MOTION, 3, 3, 1},  {TRAIN_INPUT_IMAGE, 5, 200, 1}};
  static const struct train_budget budgets[] = {
      {0, 0, 0}, {192000, 512000, 4000000}, {32000, 256000, 1500000}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (size_t b = 0; b < 3; b++) {
      struct arena *a = arena_new(0);
      struct train_network net;
      struct text why;
      struct err e = {0};
      text_init(&why, a);
      const int *p = shapes[s];
      if (!train_network_default((enum train_input)p[0], p[1], p[2], p[3], 10, 3000, &budgets[b],
                                 &net, &why, &e)) {
        assert_true(b > 0 && strstr(e.text, "limit"));
      } else {
        const struct train_cost cost = train_network_cost(&net);
        assert_true(why.size > 20);
        if (budgets[b].ram_bytes) assert_true(cost.activation_bytes <= budgets[b].ram_bytes);
        if (budgets[b].flash_bytes) assert_true(cost.weight_bytes <= budgets[b].flash_bytes);
        if (budgets[b].macs) assert_true(cost.macs <= budgets[b].macs);
      }
      arena_free(a);
    }
}

/* ---- augmentation -------------------------------------------------------------------------------------------- */
static void audio_is_changed_as_said(void **state) {
  (void)state;
  enum { N = 4000 };
  static int16_t in[N], out[N], again[N], back[2000];
  for (int i = 0; i < N; i++) in[i] = (int16_t)(8000.0 * sin(i * 0.3));
  for (int i = 0; i < 2000; i++) back[i] = (int16_t)(i % 7 * 1000 - 3000);
  const int16_t *pieces[] = {back};
  const uint32_t lengths[] = {2000};
  const struct train_background pool = {1, pieces, lengths};
  struct train_augment how = train_augment_default(TRAIN_INPUT_AUDIO);
  train_augment_audio(&how, &pool, 8000, in, N, 0, out, N);
  assert_memory_equal(in, out, sizeof in);
  train_augment_audio(&how, &pool, 8000, in, 1000, 0, out, N);
  assert_memory_equal(in, out + 1500, 1000 * sizeof *in);
  assert_int_equal(out[0], 0);
  train_augment_audio(&how, &pool, 8000, in, N, 77, out, N);
  train_augment_audio(&how, &pool, 8000, in, N, 77, again, N);
  assert_memory_equal(out, again, sizeof out);
  train_augment_audio(&how, &pool, 8000, in, N, 78, again, N);
  assert_memory_not_equal(out, again, sizeof out);
  train_augment_audio(&how, NULL, 8000, in, 0, 5, out, N);
  /* Gain alone: the power moves by at most gain_db. Speed alone: the tone's period does. */
  how = (struct train_augment){.gain_db = 6.0f};
  double least = 1e9, most = 0;
  for (uint64_t seed = 1; seed < 200; seed++) {
    train_augment_audio(&how, NULL, 8000, in, N, seed, out, N);
    double p = 0;
    for (int i = 0; i < N; i++) p += (double)out[i] * out[i] / ((double)N * 32e6);
    least = fmin(least, p), most = fmax(most, p);
  }
  assert_true(least > 0.245 && least < 0.3 && most < 4.05 && most > 3.5);
  how = (struct train_augment){.speed = 0.2f};
  int fewest = N, most_crossings = 0;
  for (uint64_t seed = 1; seed < 200; seed++) {
    train_augment_audio(&how, NULL, 8000, in, N, seed, out, N);
    int crossings = 0;
    for (int i = 1001; i < 3000; i++) crossings += (out[i] > 0) != (out[i - 1] > 0);
    fewest = crossings < fewest ? crossings : fewest;
    most_crossings = crossings > most_crossings ? crossings : most_crossings;
  }
  assert_in_range(fewest, 151, 160); /* 2000 * 0.3 / pi = 191, times 0.8 .. 1.2 */
  assert_in_range(most_crossings, 222, 231);
  /* Background at a known ratio. */
  how = (struct train_augment){
      .background_chance = 1, .background_snr_db_min = 10, .background_snr_db_max = 10};
  train_augment_audio(&how, &pool, 8000, in, N, 3, out, N);
  double signal = 0, noise = 0;
  for (int i = 0; i < N; i++) {
    signal += (double)in[i] * in[i];
    noise += (double)(out[i] - in[i]) * (out[i] - in[i]);
  }
  assert_true(fabs(signal / noise - 10.0) < 0.05);
}

static void masks_cover_runs(void **state) {
  (void)state;
  int8_t x[20 * 10];
  int touched = 0;
  for (uint64_t seed = 0; seed < 300; seed++) {
    memset(x, 1, sizeof x);
    train_augment_mask(x, 20, 10, 1, 1, 6, 1, 3, 0, seed);
    int rows = 0, columns = 0;
    for (int y = 0; y < 20; y++) {
      int zeros = 0;
      for (int c = 0; c < 10; c++) zeros += x[y * 10 + c] == 0;
      rows += zeros == 10;
    }
    for (int c = 0; c < 10; c++) {
      int zeros = 0;
      for (int y = 0; y < 20; y++) zeros += x[y * 10 + c] == 0;
      columns += zeros == 20;
    }
    assert_true(rows <= 6 && columns <= 3);
    touched += rows + columns;
  }
  assert_true(touched > 300);
}

static void tones_tilt(void **state) {
  (void)state;
  /* A low and a high tone: their ratio moves by up to tone_db for the tilt and as much for the peak. */
  enum { N = 8000 };
  static int16_t in[2][N], out[N];
  for (int i = 0; i < N; i++) {
    in[0][i] = (int16_t)(1000.0 * sin(i * 0.05));
    in[1][i] = (int16_t)(1000.0 * sin(i * 2.9));
  }
  const struct train_augment how = {.tone_db = 12.0f};
  double least = 1e9, most = -1e9;
  for (uint64_t seed = 1; seed < 100; seed++) {
    double power[2] = {0};
    for (int k = 0; k < 2; k++) {
      train_augment_audio(&how, NULL, 8000, in[k], N, seed, out, N);
      for (int i = 500; i < N; i++) power[k] += (double)out[i] * out[i];
    }
    const double db = 10.0 * log10(power[1] / power[0]);
    least = fmin(least, db), most = fmax(most, db);
  }
  assert_true(least < -8.0 && least > -24.5 && most > 8.0 && most < 24.5);
}

/* Bands: no amount changes nothing; a slope in time stays one; a floor lifts what is quiet; same seed, same. */
static void bands_are_warped_apart(void **state) {
  (void)state;
  enum { H = 20, W = 10 };
  int16_t in[H * W], out[H * W], again[H * W];
  for (int i = 0; i < H * W; i++) in[i] = (int16_t)(i / W * 400 + 3 * (i % W) - 2000);
  const struct train_bands shape = {.time = H, .bands = W, .per_db = 85.0f};
  const struct train_augment none = {0};
  train_augment_bands(&none, &shape, in, 5, out);
  assert_memory_equal(in, out, sizeof in);
  const struct train_augment warp = {.time_stretch = 0.3f, .band_warp = 0.1f};
  int moved = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    train_augment_bands(&warp, &shape, in, seed, out);
    train_augment_bands(&warp, &shape, in, seed, again);
    assert_memory_equal(out, again, sizeof out);
    moved += memcmp(in, out, sizeof in) != 0;
    for (int i = 0; i < H * W; i++) assert_in_range(out[i] + 2000, 0, 400 * H);
    for (int y = H / 2; y + 4 < H * 3 / 4; y++) assert_true(out[(y + 1) * W] > out[y * W]);
  }
  assert_true(moved > 45);
  const struct train_augment floor = {.floor_chance = 1, .floor_db_min = 20, .floor_db_max = 20};
  train_augment_bands(&floor, &shape, in, 3, out);
  for (int i = 0; i < W; i++) assert_true(out[i] > in[i]);
  for (int i = 0; i < H * W; i++) in[i] = i % 2 ? 32767 : -32768; /* the ends stay in the range */
  const struct train_augment all = {
      .time_stretch = 1, .band_warp = 0.5f, .slope_db = 40, .floor_chance = 1, .floor_db_max = 10};
  for (uint64_t seed = 0; seed < 20; seed++) train_augment_bands(&all, &shape, in, seed, out);
}

/* Levels do what they do without flatness; flatness moves with them, and is noise's where a floor covers its band. */
static void flatness_is_warped_along(void **state) {
  (void)state;
  enum { H = 20, W = 10 };
  int16_t levels[H * W], in[2 * H * W], out[2 * H * W], plain[H * W];
  for (int i = 0; i < H * W; i++) {
    levels[i] = (int16_t)(i / W * 400 + 3 * (i % W) - 2000);
    in[i / W * 2 * W + i % W] = levels[i];
    in[i / W * 2 * W + W + i % W] = (int16_t)(-1000 + i / W * 40);
  }
  const struct train_bands two = {.time = H, .bands = W, .flatness = true, .per_db = 85.0f};
  const struct train_bands one = {.time = H, .bands = W, .per_db = 85.0f};
  const struct train_augment none = {0}, stretch = {.time_stretch = 0.3f},
                             all = {.time_stretch = 0.3f,
                                    .band_warp = 0.1f,
                                    .slope_db = 6,
                                    .floor_chance = 1,
                                    .floor_db_min = 10,
                                    .floor_db_max = 30};
  train_augment_bands(&none, &two, in, 5, out);
  assert_memory_equal(in, out, sizeof in);
  int covered = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    train_augment_bands(&all, &two, in, seed, out);
    train_augment_bands(&all, &one, levels, seed, plain);
    for (int y = 0; y < H; y++) assert_memory_equal(out + 2 * W * y, plain + W * y, 2 * W);
    for (int i = 0; i < H * W; i++) covered += out[i / W * 2 * W + W + i % W] == -213;
    train_augment_bands(&stretch, &two, in, seed, out);
    for (int y = H / 4; y < H * 3 / 4; y++) /* both are straight lines over time */
      assert_in_range(out[2 * W * y] + 2000 - 10 * (out[2 * W * y + W] + 1000) + 10, 0, 20);
  }
  assert_true(covered > H * W);
}

/* A sensor's channels keep their proportion under gain; noise comes at the level asked for; ends are held. */
static void sensors_are_scaled_and_noisy(void **state) {
  (void)state;
  enum { N = 3000 };
  int16_t x[N], same[N];
  const struct train_augment gain = {.gain_db = 6},
                             noise = {.noise_chance = 1, .noise_snr_db_min = 40};
  int moved = 0;
  for (uint64_t seed = 1; seed < 30; seed++) {
    for (int i = 0; i < N; i++) same[i] = x[i] = (int16_t)(i % 3 == 0 ? 4000 : -8000);
    train_augment_sensor(&gain, x, N, seed);
    assert_in_range(x[0], 2000, 8000); /* 6 dB to either side */
    assert_in_range(-x[1] - 2 * x[0] + 2, 0, 4);
    moved += x[0] != same[0];
    train_augment_sensor(&noise, same, N, seed);
    double power = 0;
    for (int i = 0; i < N; i++) {
      const double away = same[i] - (i % 3 == 0 ? 4000 : -8000);
      power += away * away / N;
    }
    const double snr_db = 10 * log10((16e6 + 2 * 64e6) / 3 / power);
    assert_true(snr_db > 39 && snr_db < 41);
  }
  assert_true(moved > 25);
  for (int i = 0; i < N; i++) x[i] = i % 2 ? 32767 : -32768;
  train_augment_sensor(&noise, x, N, 7);
  for (int i = 0; i < N; i++) assert_true(i % 2 ? x[i] > 30000 : x[i] < -30000);
}

/* ---- own functions ------------------------------------------------------------------------------------------- */
static void functions_are_close_to_the_librarys(void **state) {
  (void)state;
  for (double x = -50; x < 50; x += 0.0371) assert_true(fabs(train_exp(x) / exp(x) - 1) < 1e-14);
  for (double x = 1e-9; x < 1e9; x *= 1.0313)
    assert_true(fabs(train_log(x) - log(x)) < 1e-14 * (1 + fabs(log(x))));
  for (double t = 0; t <= 1; t += 0.001)
    assert_true(fabs(train_cos_half_turn(t) - cos(3.141592653589793 * t)) < 1e-14);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bands_are_warped_apart),
      cmocka_unit_test(flatness_is_warped_along),
      cmocka_unit_test(sensors_are_scaled_and_noisy),
      cmocka_unit_test(functions_are_close_to_the_librarys),
      cmocka_unit_test(gradient_of_each_layer),
      cmocka_unit_test(learns_xor_spirals_and_bars),
      cmocka_unit_test(integers_are_the_references),
      cmocka_unit_test(long_sums_stay_exact),
      cmocka_unit_test(winograd_is_the_same_convolution),
      cmocka_unit_test(same_bits_for_any_threads),
      cmocka_unit_test(resuming_is_as_if_never_stopped),
      cmocka_unit_test_prestate(resuming_is_as_if_never_stopped, &resume_hard),
      cmocka_unit_test(class_weights_help_the_rare),
      cmocka_unit_test(draws_are_balanced),
      cmocka_unit_test(hard_examples_are_drawn_more),
      cmocka_unit_test(stops_early_and_keeps_the_best),
      cmocka_unit_test(averaged_weights_are_steadier),
      cmocka_unit_test(a_short_average_is_the_latest),
      cmocka_unit_test(cancel_and_wrong_input_are_errors),
      cmocka_unit_test(the_look_for_hard_examples_is_cancelled),
      cmocka_unit_test(paths_are_dropped_whole),
      cmocka_unit_test(texts_come_back),
      cmocka_unit_test(wrong_texts_are_explained),
      cmocka_unit_test(random_texts_do_no_harm),
      cmocka_unit_test(defaults_fit_their_budget),
      cmocka_unit_test(audio_is_changed_as_said),
      cmocka_unit_test(masks_cover_runs),
      cmocka_unit_test(tones_tilt),
  };
  return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
