/* Tests of the trainer's layers and heads: every gradient against finite differences, every layer's integers against
 * the runtime's kernels, what text says and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/compile/compile.h"
#include "test/train_case.h"

#define CHECK(h, w, c, ...)                                                                        \
  do {                                                                                             \
    const struct train_network checked = NETWORK(h, w, c, 3, __VA_ARGS__);                         \
    check_gradients(&checked);                                                                     \
  } while (0)

/* Every kind of layer between them. */
#define EVERYTHING                                                                                 \
  NETWORK(12, 12, 1, 4, "a: conv 8 3x3 hswish", "b: conv 8 3x3 d2 causal relu6", "c: maxpool 2x2", \
          "d: dsconv 8 3x3 s2 from b", "e: add c d relu", "f: se 2", "g: concat f c",              \
          "upsample 2x2 from e", "h: avgpool 2x2", "concat g h", "dropout 0.1", "sequence",        \
          "lstm 12", "gru 10", "last", "mean", "i: dense 8 tanh", "j: dense 8 sigmoid", "mul i j")

/* ---- gradients ------------------------------------------------------------------------ */
static void windows_have_gradients(void **state) {
  (void)state;
  CHECK(11, 9, 2, "conv 5 3x3 d2 linear", "mean");
  CHECK(11, 9, 2, "conv 5 3x2 d3x2 s2x1 valid linear nobn", "mean");
  CHECK(11, 9, 2, "conv 5 3x3 causal linear", "conv 4 3x1 d2x1 causal s2 linear", "mean");
  CHECK(11, 9, 3, "dwconv 3x3 d2 linear", "dwconv 3x3 d2x3 causal linear nobn", "mean");
  CHECK(12, 1, 3, "conv1d 6 3 linear", "dsconv1d 5 3 d2 causal", "avgpool1d 2", "mean");
}

static void activations_have_gradients(void **state) {
  (void)state;
  CHECK(6, 6, 2, "conv 5 3x3 relu6", "mean");
  CHECK(6, 6, 2, "conv 5 3x3 hswish", "mean", "dense 6 tanh");
  CHECK(6, 6, 2, "conv 17 3x3 sigmoid nobn", "act tanh", "mean", "dense 5 hswish nobn");
  CHECK(6, 6, 2, "act hswish", "conv 4 3x3 linear", "act sigmoid", "mean");
}

static void merges_have_gradients(void **state) {
  (void)state;
  CHECK(6, 6, 2, "a: conv 5 3x3 linear", "b: conv 5 1x1 from input linear", "add a b relu6",
        "mean");
  CHECK(6, 6, 2, "a: conv 5 3x3 linear", "b: avgpool 1x6", "s: add a b", "c: avgpool 6x1 from a",
        "add s c", "mean");
  CHECK(6, 6, 2, "a: conv 5 3x3 linear", "b: conv 5 1x1 linear from a", "mul a b relu", "mean");
  CHECK(6, 6, 2, "conv 9 3x3 linear", "se 2", "mean");
  CHECK(6, 6, 2, "a: conv 17 3x3 linear", "b: conv 5 1x1 linear from a", "concat a b input a",
        "mean");
  CHECK(6, 6, 2, "a: mean", "b: dense 5 linear", "concat a b", "dense 6 linear");
}

static void moves_have_gradients(void **state) {
  (void)state;
  CHECK(6, 5, 2, "conv 5 3x3 linear", "sequence", "conv1d 6 3 linear", "last");
  CHECK(6, 5, 2, "sequence", "conv1d 6 3 linear", "mean");
  CHECK(7, 1, 3, "lstm 5", "last");
  CHECK(5, 3, 2, "sequence", "conv1d 4 3 linear", "lstm 18", "lstm 3", "mean");
  CHECK(7, 1, 3, "gru 5", "last");
  CHECK(5, 3, 2, "sequence", "conv1d 4 3 linear", "a: gru 18", "b: gru 3", "concat a b", "mean");
  CHECK(1, 1, 4, "gru 5", "mean");
  CHECK(6, 5, 2, "a: conv 5 3x3 linear s2", "upsample 2x3", "conv 3 3x3 linear", "mean");
}

static void heads_have_gradients(void **state) {
  (void)state;
  CHECK(6, 6, 2, "conv 5 3x3", "head cells 4 object 3.0");
  CHECK(6, 6, 2, "conv 5 3x3", "mean", "head numbers 3 huber 0.7", "head classes weight 0.4",
        "head classes 5");
  CHECK(6, 6, 2, "conv 5 3x3", "head mask 2", "conv 3 3x3", "head input weight 2.0");
  CHECK(1, 1, 9, "dense 5", "head input huber 0.5", "head mask 4");
  const struct train_network net = NETWORK(6, 6, 2, 5, "conv 5 3x3", "mean");
  check_gradients_of(&net, (struct asking){.focal = 2.0f});
  check_gradients_of(&net, (struct asking){.distil = 0.6f});
  check_gradients_of(&net, (struct asking){.focal = 0.5f, .distil = 0.3f});
}

/* ---- PyTorch ------------------------------------------------------------------------------ */
/* The numbers of tools/train_vectors. */
static float number(uint32_t *state) {
  *state = (*state * 1103515245u + 12345u) & 0x7FFFFFFFu;
  return (float)((int)((*state >> 12) % 1024u) - 512) / 512.0f;
}

/* Calls `each` with the place of every parameter in the file's order: weights, biases or beta, gamma of a layer. part: 0
 * weights, 1 biases, 2 gamma. */
static void each_parameter(const struct engine *g, void *context,
                           void (*each)(void *context, const struct unit *u, int part, size_t at)) {
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    const struct recurrent *r = recurrent_of(u->d.kind);
    if (!u->linear && !r) continue;
    const size_t row = (size_t)((r ? r->gates : 1) * u->np);
    for (int part = 0; part < (u->batch_norm ? 3 : 2); part++)
      for (int k = 0; k < (part ? 1 : u->k); k++)
        for (int gate = 0; gate < (!r ? 1 : part ? r->biases : r->gates); gate++)
          for (int c = 0; c < u->d.out_c; c++)
            each(context, u, part,
                 (part == 0   ? u->w_at + (size_t)k * row
                  : part == 1 ? u->b_at
                              : u->g_at) +
                     (size_t)(gate * u->np + c));
  }
}

struct begin {
  struct engine *g;
  uint32_t state;
  float scale;
};
static void begin_with(void *context, const struct unit *u, int part, size_t at) {
  struct begin *b = context;
  const bool half = recurrent_of(u->d.kind) ||
                    (u->d.kind == TRAIN_CONV && u->d.activation == TRAIN_LINEAR &&
                     !u->d.batch_norm && u->d.kernel_h == 3) ||
                    (u->d.kind == TRAIN_DENSE && u->k == 16);
  const float x = number(&b->state);
  b->g->params[at] = part == 0   ? x * (half ? 0.5f : 1.0f)
                     : part == 1 ? x * 0.25f
                                 : 1.0f + x * 0.25f;
}

struct comparison {
  const float *gradient;
  const char *text, *name;
  double most, worst;
  int n;
};
static void largest(void *context, const struct unit *u, int part, size_t at) {
  struct comparison *c = context;
  (void)u;
  (void)part;
  c->most = fmax(c->most, fabs((double)c->gradient[at]));
}
static void compare_one(void *context, const struct unit *u, int part, size_t at) {
  struct comparison *c = context;
  char *end;
  (void)u;
  (void)part;
  const double there = strtod(c->text, &end);
  if (end == c->text) fail_msg("%s: the file has %d gradients only", c->name, c->n);
  c->text = end;
  c->worst = fmax(c->worst, fabs(there - (double)c->gradient[at]));
  c->n++;
}

static const char *next_line(const char *text, const char *begins) {
  const size_t n = strlen(begins);
  while (*text && strncmp(text, begins, n) != 0) {
    text = strchr(text, '\n');
    if (!text) fail_msg("the file has no line \"%s\"", begins);
    text++;
  }
  return text + n;
}

/* Six steps against those of PyTorch: losses to 2e-5, gradients to 1e-4 of the largest. */
static void follows_pytorch(const char *name, int stream, float focal,
                            const struct train_network *net, const char *text) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct engine *g = engine_new(a, net, BATCH, true, &e);
  assert_non_null(g);
  g->params = ARENA_ARRAY(a, float, g->n_params);
  g->running = ARENA_ARRAY(a, float, g->n_running + LANES);
  float *m = ARENA_ARRAY(a, float, g->n_params), *v = ARENA_ARRAY(a, float, g->n_params),
        *gradient = ARENA_ARRAY(a, float, g->n_params);
  struct begin b = {g, (uint32_t)stream * 7919u + 17u, 1.0f};
  each_parameter(g, &b, begin_with);
  uint32_t state = (uint32_t)(100 + stream) * 7919u + 17u;
  const struct value *in = &g->values[0];
  for (int p = 0; p < BATCH * in->h * in->w; p++)
    for (int c = 0; c < in->c; c++) in->y[p * in->cs + c] = number(&state);
  float drawn[BATCH * 14], targets[BATCH * 14];
  int32_t labels[BATCH];
  for (int i = 0; i < BATCH * 14; i++) {
    drawn[i] = number(&state);
    targets[i] = i % 14 < 12 ? (drawn[i] + 1.0f) / 2.0f : drawn[i]; /* a mask of 12, two numbers */
  }
  for (int i = 0; i < BATCH; i++) labels[i] = i % 3;
  g->labels = labels;
  g->targets = g->n_targets == 14 ? targets : NULL;
  g->focal = focal;
  double power_1 = 1, power_2 = 1;
  text = next_line(next_line(text, arena_printf(a, "network %s", name)), "\n");
  for (int step = 0; step < 6; step++) {
    int right;
    engine_forward(g, BATCH, ENGINE_TRAIN);
    const double loss = engine_backward(g, &right);
    text = next_line(text, "loss");
    const double there = strtod(text, NULL);
    if (fabs(loss - there) > 2e-5 * fabs(there) + 1e-6)
      fail_msg("%s, step %d: loss %.8g, PyTorch has %.8g", name, step, loss, there);
    g->lanes->reduce(g->n_params, g->chunks, g->gradients, g->n_params, gradient);
    if (step == 0 || step == 5) {
      text = next_line(text, arena_printf(a, "step %d", step));
      struct comparison c = {.gradient = gradient, .text = text, .name = name};
      each_parameter(g, &c, largest);
      each_parameter(g, &c, compare_one);
      if (!(c.worst <= 1e-4 * c.most))
        fail_msg("%s, step %d: a gradient differs by %g; the largest is %g", name, step, c.worst,
                 c.most);
      assert_int_equal(*c.text, '\n');
    }
    power_1 *= 0.9;
    power_2 *= 0.999;
    const struct adam how = {3e-3f, 0.01f, (float)(1 / (1 - power_1)), (float)(1 / (1 - power_2))};
    engine_adam(g, &how, m, v);
  }
  arena_free(a);
}

static void steps_are_pytorchs(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  uint8_t *bytes = NULL;
  size_t n = 0;
  if (!file_read(a, "test/train_vectors.txt", 1 << 20, &bytes, &n, &e)) fail_msg("%s", e.text);
  const char *text = arena_printf(a, "%.*s", (int)n, (const char *)bytes);
  struct train_network net =
      NETWORK(9, 7, 2, 3, "conv 6 3x3 s2", "dwconv 3x3 relu6", "conv 5 1x1 hswish",
              "conv 4 3x2 d2x1 causal nobn tanh", "mean");
  follows_pytorch("windows", 0, 0, &net, text);
  net = NETWORK(4, 4, 2, 3, "conv 6 3x3", "y: se 2", "avgpool 1x4", "b: conv 6 1x1 linear",
                "z: add y b relu", "concat z input", "conv 4 1x1", "maxpool 2x2");
  follows_pytorch("merges", 1, 0, &net, text);
  net = NETWORK(6, 3, 2, 3, "sequence", "conv1d 4 3", "lstm 5", "last");
  follows_pytorch("recurrent", 2, 0, &net, text);
  net = NETWORK(6, 3, 2, 3, "sequence", "conv1d 4 3", "gru 5", "gru 17", "last");
  follows_pytorch("gated", 4, 0, &net, text);
  net = NETWORK(4, 4, 2, 3, "y: conv 5 3x3 s2", "upsample 2x2", "head input",
                "head mask 3 weight 2 from y", "mean from y", "head numbers 2 huber 0.5",
                "head classes");
  follows_pytorch("heads", 3, 2.0f, &net, text);
  arena_free(a);
}

/* ---- integers --------------------------------------------------------------------------- */
/* The trained graph with every node's output as an output of the model, for the runtime. */
struct runtime {
  const struct graph *g;
  struct mote_model m;
  int outputs[4 * TRAIN_MAX_LAYERS], n;
  int at[4 * TRAIN_MAX_LAYERS]; /* which of them a node makes */
};

static void open_runtime(struct arena *a, const struct graph *g, struct runtime *r) {
  struct graph all = *g;
  r->g = g;
  for (int i = 0; i < g->n_nodes; i++) {
    r->at[i] = r->n;
    if (g->nodes[i].n_out > 0) r->outputs[r->n++] = g->nodes[i].out[0];
  }
  graph_set_outputs(&all, r->outputs, r->n);
  struct compiled p;
  struct err e = {0};
  const struct compile_options options = {.all_channels = true, .schedule = COMPILE_LAYERS};
  if (!compile_graph(&all, &options, a, &p, &e)) fail_msg("%s: %s", e.node, e.text);
  const size_t room = mote_arena_bytes((const struct mote_plan *)(const void *)p.plan);
  assert_int_equal(mote_open(&r->m, p.plan, p.plan_bytes, arena_alloc(a, room, 64), room), MOTE_OK);
}

static struct engine *engine_of(const struct train_model *m) {
  struct view {
    struct engine *g;
  }; /* the first member of struct train_model */
  return ((const struct view *)(const void *)m)->g;
}

static void compare_layers(const struct train_result *r, const int8_t *features, size_t size,
                           uint32_t n) {
  struct engine *g = engine_of(r->model);
  const int last = train_head_outputs(&g->net, 0);
  int compared = 0;
  struct arena *a = arena_new((size_t)256 << 20);
  struct runtime runtime = {0};
  open_runtime(a, r->graph, &runtime);
  float *out = ARENA_ARRAY(a, float, last);
  for (uint32_t i = 0; i < n; i++) {
    train_predict_head(r->model, 0, true, features + i * size, 1, out);
    memcpy(mote_input(&runtime.m, 0), features + i * size, size);
    mote_run(&runtime.m);
    for (int k = 0; k < g->n_units; k++) {
      const struct unit *u = &g->units[k];
      const struct value *v = &g->values[u->out];
      if (u->d.kind == TRAIN_DROPOUT) continue;
      const int8_t *made = mote_output(&runtime.m, (unsigned)runtime.at[u->node]);
      for (int p = 0; p < u->pixels; p++)
        for (int c = 0; c < v->c; c++, compared++) {
          const int here = (int)v->y[p * v->cs + c] + v->zp, there = made[p * v->c + c];
          if (here != there)
            fail_msg(
                "example %u, layer %d (kind %d), pixel %d, channel %d: %d here, %d by the runtime",
                i, k + 1, (int)u->d.kind, p, c, here, there);
        }
    }
  }
  arena_free(a);
  assert_true(compared > 0);
}

static void check_runtime(const struct train_network *net, struct train_config c) {
  struct arena *a = arena_new(0);
  struct toy *t = toy_new(a, 96, (size_t)(net->in_h * net->in_w * net->in_c), 4);
  struct rng r;
  rng_seed(&r, 3);
  t->asked = train_network_targets(net) > 0 ? net : NULL;
  for (uint32_t i = 0; i < t->n; i++) {
    t->labels[i] = (int32_t)(i % (uint32_t)net->classes);
    for (size_t j = 0; j < t->size; j++)
      t->features[i * t->size + j] =
          (int8_t)((int)rng_below(&r, 121) - 60 + (j % 3 == (size_t)t->labels[i] ? 50 : 0));
  }
  const struct train_result result = train(a, net, t, NULL, &c, NULL);
  compare_layers(&result, t->features, t->size, 4);
  arena_free(a);
}

#define RUN(h, w, c, ...)                                                                          \
  do {                                                                                             \
    const struct train_network run = NETWORK(h, w, c, 3, __VA_ARGS__);                             \
    struct train_config config = quick_config(2, 1);                                               \
    config.class_weights = false;                                                                  \
    check_runtime(&run, config);                                                                   \
  } while (0)

static void integers_are_the_runtimes(void **state) {
  (void)state;
  RUN(13, 11, 2, "conv 9 3x3 d2", "conv 8 3x2 d1x3 causal relu6", "dwconv 3x3 d2 causal", "mean");
  RUN(24, 1, 3, "conv1d 12 5 causal hswish", "dsconv1d 12 3 d2 causal", "conv1d 8 3 sigmoid",
      "last");
  RUN(9, 8, 3, "a: conv 12 3x3", "b: conv 12 1x1 linear", "s: add a b relu6", "c: avgpool 1x8",
      "t: add c a", "d: avgpool 9x1 from a", "u: add d t hswish", "add u s", "mean",
      "dense 8 tanh");
  RUN(9, 8, 3, "a: conv 12 3x3 hswish", "s: se 3", "b: conv 5 3x3 tanh from a", "concat s b input",
      "conv 12 1x1", "mul a relu", "mean");
  RUN(8, 8, 2, "e: conv 6 3x3 s2", "conv 7 3x3 s2", "f: upsample 2x2", "g: conv 7 1x1",
      "concat e g f", "se 2", "sequence", "conv1d 6 3", "last");
  RUN(8, 6, 2, "a: maxpool 2x2", "b: conv 4 3x3 from input s2", "concat a b", "c: act sigmoid",
      "concat a c b", "mean");
  RUN(12, 6, 1, "sequence", "conv1d 8 3", "a: lstm 9", "b: lstm 5", "concat a b", "last");
  RUN(12, 6, 1, "sequence", "conv1d 8 3", "a: gru 9", "b: gru 21", "concat a b", "last");
  RUN(9, 4, 1, "sequence", "gru 6", "mean");
  RUN(8, 8, 1, "conv 8 3x3 s2", "head cells 3", "mean", "head numbers 2", "head classes",
      "head classes 2");
  RUN(8, 4, 1, "e: conv 8 3x3 s2", "upsample 2x2", "head input", "conv 4 3x3", "head mask 3");
  RUN(6, 6, 3, "conv 192 1x1", "dwconv 3x3", "conv 180 1x1 relu6", "dwconv 3x3 d2 causal",
      "conv 16 3x3", "mean");
}

/* Cosine of the angle between a unit's gradients, weights and biases, in two passes. */
static double same_direction(const struct unit *u, const float *x, const float *y) {
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = u->w_at; i < u->b_at + (size_t)u->np; i++) {
    xy += (double)x[i] * (double)y[i];
    xx += (double)x[i] * (double)x[i];
    yy += (double)y[i] * (double)y[i];
  }
  return xy / sqrt(xx * yy + 1e-30);
}

/* One batch in one mode: real values of each layer, and the gradients. */
static float *pass_of(struct arena *a, struct engine *g, const int8_t *features, int n,
                      enum engine_mode mode, float **layers) {
  const struct value *in = &g->values[0];
  int right;
  for (int p = 0; p < n * in->h * in->w; p++)
    for (int c = 0; c < in->c; c++)
      in->y[p * in->cs + c] =
          (float)(features[p * in->c + c] - in->zp) * (mode == ENGINE_INT8 ? 1.0f : in->scale);
  engine_forward(g, n, mode);
  for (int i = 1; i < g->n_values; i++) {
    const struct value *v = &g->values[i];
    const size_t count = (size_t)(n * v->h * v->w * v->cs);
    layers[i] = ARENA_ARRAY(a, float, count);
    for (size_t k = 0; k < count; k++)
      layers[i][k] = v->y[k] * (mode == ENGINE_INT8 ? v->scale : 1.0f);
  }
  engine_backward(g, &right);
  float *gradient = ARENA_ARRAY(a, float, g->n_params);
  g->lanes->reduce(g->n_params, g->chunks, g->gradients, g->n_params, gradient);
  return gradient;
}

/* A trained network's integers stay near its floats, layer by layer, and learn in the same direction. With 8 bits the noise
 * of a layer is a few per cent of its values; what a defect leaves is as large as the values. */
static void check_nearness(struct train_network net) {
  struct arena *a = arena_new(0);
  struct toy *t = bars(a, 256, net.in_h, net.in_w, 4, 3);
  const struct train_config c = quick_config(4, 0);
  const struct train_result r = train(a, &net, t, NULL, &c, NULL);
  struct engine *g = engine_of(r.model);
  int32_t labels[32];
  for (int i = 0; i < 32; i++)
    labels[i] = (t->labels[i] + i / 16) % 4; /* half of them wrong: gradients */
  g->labels = labels;
  float *real[TRAIN_MAX_LAYERS + 1], *steps[TRAIN_MAX_LAYERS + 1];
  const float *x = pass_of(a, g, t->features, 32, ENGINE_EVAL, real);
  const float *y = pass_of(a, g, t->features, 32, ENGINE_INT8, steps);
  for (int i = 1; i < g->n_values; i++) {
    const struct value *v = &g->values[i];
    const struct unit *u = &g->units[i - 1];
    double signal = 0, noise = 0;
    if (u->d.kind == TRAIN_DROPOUT) continue;
    for (size_t k = 0; k < (size_t)(32 * v->h * v->w * v->cs); k++) {
      const double d = (double)real[i][k] - (double)steps[i][k];
      signal += (double)real[i][k] * (double)real[i][k];
      noise += d * d;
    }
    const double db = 10 * log10(signal / (noise + 1e-30));
    if (db < 25) fail_msg("layer %d (kind %d): %.1f dB", i, (int)u->d.kind, db);
    const double cosine = u->linear || recurrent_of(u->d.kind) ? same_direction(u, x, y) : 1.0;
    if (cosine < 0.97)
      fail_msg("layer %d (kind %d): gradients %.3f alike", i, (int)u->d.kind, cosine);
  }
  arena_free(a);
}

static void integers_are_near_the_floats(void **state) {
  (void)state;
  check_nearness(NETWORK(12, 12, 1, 4, "conv 16 3x3", "dsconv 32 3x3 s2", "branch",
                         "conv 32 3x3 linear", "join", "se 4", "dropout 0.2", "mean"));
  check_nearness(NETWORK(12, 12, 1, 4, "sequence", "conv1d 12 3", "gru 16", "last"));
  check_nearness(NETWORK(12, 12, 1, 4, "conv 48 3x3 s2", "dsconv 192 3x3", "dsconv 192 3x3 s2",
                         "conv 16 3x3", "mean"));
  check_nearness(NETWORK(12, 12, 1, 4, "a: conv 16 3x3 hswish", "b: conv 16 3x3 relu6",
                         "concat a b", "conv 520 1x1 s2", "dwconv1d 3", "sequence", "dense 24"));
}

/* A plan as users get it gives the same scores. */
static void default_plans_agree(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net = EVERYTHING;
  struct train_config c = quick_config(1, 1);
  struct toy *t = bars(a, 64, 12, 12, 4, 3);
  const struct train_result r = train(a, &net, t, NULL, &c, NULL);
  int8_t scores[64 * 4];
  train_predict_int8(r.model, t->features, t->n, scores);
  for (int core = 0; core < COMPILE_CORES; core++) {
    const struct compile_options options = {.core = (enum compile_core)core, .pointer_bytes = 4};
    struct compiled p;
    struct mote_model m;
    struct err e = {0};
    if (core == COMPILE_CORE_AVR) continue; /* no constant operands there */
    if (!compile_graph(r.graph, &options, a, &p, &e)) fail_msg("%s: %s", e.node, e.text);
    const size_t room = mote_arena_bytes((const struct mote_plan *)(const void *)p.plan);
    assert_int_equal(mote_open(&m, p.plan, p.plan_bytes, arena_alloc(a, room, 64), room), MOTE_OK);
    for (uint32_t i = 0; i < t->n; i++) {
      memcpy(mote_input(&m, 0), t->features + i * t->size, t->size);
      mote_run(&m);
      assert_memory_equal(mote_output(&m, 0), scores + 4 * i, 4);
    }
  }
  arena_free(a);
}

/* ---- the same bits --------------------------------------------------------------------------- */
static void digest_of(struct arena *a, const struct graph *g, uint8_t digest[32]) {
  uint8_t *bytes;
  size_t n;
  struct sha256 s;
  graph_save(g, a, &bytes, &n);
  sha256_init(&s);
  sha256_add(&s, bytes, n);
  sha256_end(&s, digest);
}

struct saved {
  struct arena *a;
  const void *bytes[8];
  size_t size[8];
  int n;
};
static bool keep(void *context, const void *bytes, size_t size, const struct train_epoch *epoch,
                 struct err *e) {
  struct saved *s = context;
  void *copy = arena_alloc(s->a, size, 1);
  (void)epoch;
  (void)e;
  memcpy(copy, bytes, size);
  s->bytes[s->n] = copy;
  s->size[s->n++] = size;
  return true;
}

static void same_bits_whatever_happens(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net = EVERYTHING;
  struct train_config c = quick_config(2, 2);
  c.mixup = 0.2f;
  c.focal = 1.0f;
  struct toy *t = bars(a, 80, 12, 12, 4, 3);
  struct saved saved = {.a = a};
  const struct train_hooks hooks = {.checkpoint = keep, .context = &saved};
  uint8_t first[32], other[32];
  static const char *const vectors[] = {"plain", "avx2", "avx512"};
  for (int i = 0; i < 3;
       i++) { /* on each level of instructions, the bits are those of one thread */
    setenv("MOTE_VECTOR", vectors[i], 1);
    c.threads = 1;
    digest_of(a, train(a, &net, t, t, &c, NULL).graph, first);
    for (c.threads = 2; c.threads <= 5; c.threads += 3) {
      digest_of(a, train(a, &net, t, t, &c, NULL).graph, other);
      assert_memory_equal(first, other, 32);
    }
    unsetenv("MOTE_VECTOR");
  }
  digest_of(a, train(a, &net, t, t, &c, &hooks).graph, first);
  for (int i = 0; i < saved.n; i++) {
    const struct train_hooks from = {.resume = saved.bytes[i], .resume_bytes = saved.size[i]};
    digest_of(a, train(a, &net, t, t, &c, &from).graph, other);
    assert_memory_equal(first, other, 32);
  }
  arena_free(a);
}

/* A student beside a teacher: the same again gives the same bits, and the teacher counts. */
static void students_follow_teachers(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network large =
                                 NETWORK(12, 12, 1, 4, "conv 16 3x3 s2", "conv 24 3x3 s2", "mean"),
                             small = NETWORK(12, 12, 1, 4, "conv 6 3x3 s2", "mean");
  struct train_config c = quick_config(6, 1);
  struct toy *t = bars(a, 240, 12, 12, 4, 3);
  const struct train_result teacher = train(a, &large, t, t, &c, NULL);
  uint8_t digests[3][32];
  for (int i = 0; i < 3; i++) {
    const struct train_hooks hooks = {.teacher = teacher.model};
    c.distil = i < 2 ? 0.7f : 0.0f;
    c.threads = 1 + i;
    const struct train_result r = train(a, &small, t, t, &c, &hooks);
    digest_of(a, r.graph, digests[i]);
    assert_true(r.int8_accuracy > 0.3f);
  }
  assert_memory_equal(digests[0], digests[1], 32);
  assert_memory_not_equal(digests[0], digests[2], 32);
  struct train_result r;
  struct err e = {0};
  const struct train_examples x = examples_of(t);
  c.distil = 0.5f;
  assert_false(train_fit(a, &small, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "teacher"));
  const struct train_hooks hooks = {.teacher = teacher.model};
  const struct train_network wide = NETWORK(6, 24, 1, 4, "mean");
  assert_false(train_fit(a, &wide, &x, NULL, &c, &hooks, &r, &e));
  assert_non_null(strstr(e.text, "same input"));
  arena_free(a);
}

/* Heads learn what they are asked: the place of the bar's brightest pixels, and the input again. */
static void place_of_weight(void *context, uint32_t index, uint64_t seed, float *targets) {
  const struct toy *t = context;
  const int8_t *x = t->features + (size_t)index * t->size;
  double sum = 0, down = 0, across = 0;
  (void)seed;
  for (int i = 0; i < 144; i++) {
    const double w = x[i] > 60 ? 1 : 0;
    sum += w;
    down += w * (i / 12);
    across += w * (i % 12);
  }
  targets[0] = (float)(down / sum / 12 - 0.5);
  targets[1] = (float)(across / sum / 12 - 0.5);
}

static void heads_learn(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net = NETWORK(12, 12, 1, 4, "conv 12 3x3 s2", "conv 16 3x3",
                                           "dense 24", "head numbers 2 weight 4.0", "head classes");
  struct train_config c = quick_config(30, 4);
  struct toy *t = bars(a, 400, 12, 12, 4, 3);
  t->noise = 0;
  struct train_examples x = examples_of(t);
  x.targets = place_of_weight;
  struct train_result r;
  struct err e = {0};
  if (!train_fit(a, &net, &x, NULL, &c, NULL, &r, &e)) fail_msg("%s", e.text);
  assert_true(r.int8_accuracy > 0.95f);
  float *out = ARENA_ARRAY(a, float, 2 * t->n), wanted[2];
  assert_int_equal(train_head_outputs(&net, 0), 2);
  for (int whole = 0; whole < 2; whole++) {
    train_predict_head(r.model, 0, whole, t->features, t->n, out);
    double error = 0, spread = 0;
    for (uint32_t i = 0; i < t->n; i++)
      for (int k = 0; k < 2; k++) {
        place_of_weight(t, i, 0, wanted);
        error += pow((double)out[2 * i + (uint32_t)k] - (double)wanted[k], 2);
        spread += pow((double)wanted[k], 2);
      }
    if (!(error < 0.1 * spread))
      fail_msg("%s: %g of the variance is left", whole ? "int8" : "float", error / spread);
  }
  /* Without targets, labels or with the wrong settings: refused. */
  x.targets = NULL;
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "targets"));
  const struct train_network again = NETWORK(12, 12, 1, 4, "conv 4 3x3", "head input");
  assert_false(train_fit(a, &again, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "class_weights"));
  c.class_weights = false;
  c.hard = 0.5f;
  assert_false(train_fit(a, &again, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "hard"));
  c.hard = 0;
  x.labels = NULL;
  c.epochs = 3;
  assert_true(train_fit(a, &again, &x, NULL, &c, NULL, &r, &e));
  assert_true(r.history[r.n_history - 1].loss < r.history[0].loss);
  arena_free(a);
}

/* One example in a hundred lies far out. */
static void rare_number(void *context, uint32_t index, uint64_t seed, float *targets) {
  (void)context, (void)seed;
  targets[0] = index % 100 == 7 ? 12.0f : (float)(index % 10) / 10.0f - 0.5f;
}

/* What a head of numbers can say in int8 reaches from the least to the largest target, rare ones too. */
static void rare_numbers_can_be_said(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net = NETWORK(12, 12, 1, 4, "conv 4 3x3 s2", "head numbers 1");
  struct train_config c = quick_config(2, 1);
  c.class_weights = false;
  struct toy *t = bars(a, 400, 12, 12, 4, 3);
  struct train_examples x = examples_of(t);
  x.targets = rare_number;
  x.labels = NULL;
  struct train_result r;
  struct err e = {0};
  if (!train_fit(a, &net, &x, NULL, &c, NULL, &r, &e)) fail_msg("%s", e.text);
  const struct graph_quant *q = &r.graph->tensors[r.graph->outputs[0]].quant;
  assert_true(q->scale[0] * (float)(127 - q->zp[0]) > 12.0f - q->scale[0]);
  assert_true(q->scale[0] * (float)(-128 - q->zp[0]) < -0.5f + q->scale[0]);
  arena_free(a);
}

static void comes_back(const struct train_network *net);

/* ---- smaller ----------------------------------------------------------------------------------- */
static int64_t four_bit_bytes(const struct graph *g, int *layers) {
  int64_t bytes = 0;
  *layers = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    if (n->op != MOTE_OP_CONV_2D && n->op != MOTE_OP_FULLY_CONNECTED &&
        n->op != MOTE_OP_DEPTHWISE_CONV_2D)
      continue;
    const struct graph_tensor *w = &g->tensors[n->in[1]];
    bool four = n->op != MOTE_OP_DEPTHWISE_CONV_2D;
    for (int64_t k = 0; k < graph_elements(w); k++)
      four &= ((const int8_t *)w->data)[k] >= -8 && ((const int8_t *)w->data)[k] <= 7;
    bytes += (int64_t)graph_bytes(w) / (four ? 2 : 1) + 4 * graph_elements(&g->tensors[n->in[2]]);
    *layers += four;
  }
  return bytes;
}

static void weights_take_four_bits_in_a_budget(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net =
      NETWORK(12, 12, 1, 4, "conv 12 3x3", "conv 20 3x3 s2", "dsconv 24 3x3", "mean");
  struct train_config c = quick_config(12, 4);
  struct toy *t = bars(a, 320, 12, 12, 4, 1), *v = bars(a, 200, 12, 12, 4, 2);
  const struct train_cost cost = train_network_cost(&net);
  struct train_result r = train(a, &net, t, v, &c, NULL);
  assert_int_equal(r.weight_bytes, cost.weight_bytes);
  assert_int_equal(r.four_bit_layers, 0);
  const float whole = r.int8_accuracy;
  int layers;
  for (int i = 0; i < 2; i++) {
    c.flash_bytes = i ? 2250 : 2600;
    struct saved saved = {.a = a};
    const struct train_hooks hooks = {.checkpoint = keep, .context = &saved};
    c.epochs = 4;
    c.qat_epochs = 3;
    r = train(a, &net, t, v, &c, &hooks);
    assert_true(r.weight_bytes <= c.flash_bytes && r.four_bit_layers > 0);
    assert_true(four_bit_bytes(r.graph, &layers) <= c.flash_bytes);
    assert_true(layers >= r.four_bit_layers);
    compare_layers(&r, v->features, v->size, 3);
    uint8_t first[32], other[32];
    digest_of(a, r.graph, first);
    const struct train_hooks from = {.resume = saved.bytes[5], .resume_bytes = saved.size[5]};
    digest_of(a, train(a, &net, t, v, &c, &from).graph, other);
    assert_memory_equal(first, other, 32);
  }
  c.epochs = 12;
  r = train(a, &net, t, v, &c, NULL);
  if (!(r.int8_accuracy > whole - 0.05f))
    fail_msg("%g with 8 bits, %g with %d layers of 4", (double)whole, (double)r.int8_accuracy,
             r.four_bit_layers);
  struct err e = {0};
  const struct train_examples x = examples_of(t);
  c.flash_bytes = 1000;
  c.epochs = 1;
  assert_false(train_fit(a, &net, &x, NULL, &c, NULL, &r, &e));
  assert_non_null(strstr(e.text, "4 bits"));
  arena_free(a);
}

static void channels_are_pruned_to_a_budget(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct train_network net =
      NETWORK(12, 12, 1, 4, "a: conv 16 3x3 hswish", "b: dsconv 16 3x3", "add a b relu", "se 2",
              "c: maxpool 2x2", "d: conv 12 3x3", "concat c d", "conv 24 1x1", "sequence",
              "conv1d 16 3", "mean", "dense 16");
  struct train_config c = quick_config(16, 0);
  struct toy *t = bars(a, 320, 12, 12, 4, 1), *v = bars(a, 200, 12, 12, 4, 2);
  const struct train_result whole = train(a, &net, t, v, &c, NULL);
  const struct train_cost cost = train_network_cost(&net);
  const struct train_budget budgets[] = {{.macs = cost.macs / 2},
                                         {.flash_bytes = cost.weight_bytes / 2},
                                         {.ram_bytes = cost.activation_bytes * 2 / 3}};
  for (int i = 0; i < 3; i++) {
    struct train_start start;
    struct err e = {0};
    if (!train_prune(a, whole.model, &budgets[i], &start, &e)) fail_msg("%s", e.text);
    const struct train_cost left = train_network_cost(&start.net);
    assert_true(start.removed > 0);
    assert_true(budgets[i].macs == 0 || left.macs <= budgets[i].macs);
    assert_true(budgets[i].flash_bytes == 0 || left.weight_bytes <= budgets[i].flash_bytes);
    assert_true(budgets[i].ram_bytes == 0 || left.activation_bytes <= budgets[i].ram_bytes);
    comes_back(&start.net);
    c.epochs = 14;
    c.qat_epochs = 2;
    c.learning_rate = 2e-3f;
    const struct train_hooks hooks = {.start = &start};
    const struct train_result r = train(a, &start.net, t, v, &c, &hooks);
    compare_layers(&r, v->features, v->size, 2);
    if (!(r.int8_accuracy > whole.float_accuracy - 0.1f))
      fail_msg("%g before, %g after", (double)whole.float_accuracy, (double)r.int8_accuracy);
  }
  struct train_start start;
  struct err e = {0};
  assert_false(train_prune(a, whole.model, &(struct train_budget){.macs = 10}, &start, &e));
  assert_non_null(strstr(e.text, "eighth"));
  /* What takes nothing away begins with the accuracy that was there. */
  assert_true(train_prune(a, whole.model, &(struct train_budget){0}, &start, &e));
  assert_int_equal(start.removed, 0);
  c.epochs = 1;
  c.learning_rate = 1e-7f;
  const struct train_hooks hooks = {.start = &start};
  const struct train_result same = train(a, &start.net, t, v, &c, &hooks);
  if (fabsf(same.float_accuracy - whole.float_accuracy) > 0.03f)
    fail_msg("%g became %g", (double)whole.float_accuracy, (double)same.float_accuracy);
  arena_free(a);
}

/* ---- texts --------------------------------------------------------------------------------- */
static void comes_back(const struct train_network *net) {
  struct arena *a = arena_new(0);
  struct text t, again;
  text_init(&t, a);
  text_init(&again, a);
  train_network_text(net, &t);
  const char *lines[128];
  int n = 0;
  char *save = NULL;
  for (char *l = strtok_r(arena_strdup(a, t.data), "\n", &save); l; l = strtok_r(NULL, "\n", &save))
    lines[n++] = l;
  const struct train_network back =
      network_of(lines, n, net->in_h, net->in_w, net->in_c, net->classes);
  train_network_text(&back, &again);
  assert_string_equal(t.data, again.data);
  assert_int_equal(net->n_layers, back.n_layers);
  assert_int_equal(net->n_heads, back.n_heads);
  for (int i = 0; i < net->n_layers; i++) {
    struct train_layer x = net->layers[i], y = back.layers[i];
    x.line = y.line = 0;
    memset(x.name, 0, sizeof x.name); /* what had no name may have been given one */
    memset(y.name, 0, sizeof y.name);
    if (memcmp(&x, &y, sizeof x) != 0) fail_msg("layer %d of\n%s", i + 1, t.data);
  }
  for (int i = 0; i < net->n_heads; i++) {
    struct train_head x = net->heads[i], y = back.heads[i];
    x.line = y.line = 0;
    assert_memory_equal(&x, &y, sizeof x);
  }
  arena_free(a);
}

static void texts_come_back(void **state) {
  (void)state;
  const struct train_network nets[] = {
      NETWORK(13, 11, 2, 3, "conv 9 3x3 d2", "conv 8 3x2 d1x3 causal relu6", "conv1d 3 5 s2 hswish",
              "mean"),
      NETWORK(13, 11, 2, 3, "stem: conv 9 3x3", "s: se 3", "b: conv 9 1x1 from stem linear",
              "add s b relu", "branch", "conv 9 3x3", "j: join", "concat stem input b j", "mean",
              "dense 4 tanh"),
      NETWORK(13, 11, 2, 3, "a: conv 9 3x3", "head mask 4", "upsample 2x3",
              "head cells 5 object 7.5 from a", "mean", "head numbers 2 huber 0.1 weight 0.25",
              "dense 4", "head classes 7", "head classes"),
      NETWORK(12, 10, 1, 3, "conv 8 3x3", "head input", "branch", "dsconv 8 3x3 s2", "head mask 2",
              "join project relu6", "sequence", "last", "head classes"),
  };
  for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) comes_back(&nets[i]);
}

static void wrong_texts_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *lines[4], *says;
  } wrong[] = {
      {{"a: conv 8 3x3", "a: conv 8 3x3"}, "another line"},
      {{"conv 8 3x3 from b"}, "no line above is called"},
      {{"conv 8 3x3 from"}, "from what"},
      {{"1a: conv 8 3x3"}, "is no name"},
      {{"input: conv 8 3x3"}, "is no name"},
      {{"a: branch"}, "makes nothing"},
      {{"a:"}, "makes nothing"},
      {{"conv 8 3x3", "add a"}, "no line above"},
      {{"a: conv 8 3x3", "conv 9 3x3", "add a"}, "channels must agree"},
      {{"a: conv 8 3x3", "conv 9 3x3 s2", "concat a"}, "concatenates"},
      {{"a: conv 8 3x3", "b: conv 8 3x3 from input", "mean"}, "nothing reads a"},
      {{"se 2", "head cells"}, "how many"},
      {{"mean", "se 2"}, "se needs a map"},
      {{"maxpool 2x2 causal"}, "causal"},
      {{"dense 8 d2"}, "dilation"},
      {{"dense 8 causal"}, "padding"},
      {{"act relu"}, "flag of the layer"},
      {{"act"}, "activation"},
      {{"gru 8"}, "before gru"},
      {{"lstm 8"}, "before lstm"},
      {{"sequence", "gru 513"}, "at most 512"},
      {{"sequence", "gru"}, "needs a number"},
      {{"mean", "last"}, "no map"},
      {{"upsample 65x1"}, "outside"},
      {{"conv 8 3x3 d300"}, "dilation"},
      {{"head"}, "a head of what"},
      {{"head numbers 2 weight"}, "cannot read"},
      {{"head numbers 2 weight x"}, "no number"},
      {{"head numbers 2 weight 0"}, "weight"},
      {{"head cells 1"}, "2 to 1000"},
      {{"h: head classes"}, "no name"},
      {{"conv 8 3x3", "upsample 2x2", "head input"}, "cannot be the input"},
      {{"conv 8 3x3 relu tanh"}, "tanh"},
      {{"mean linear"}, "activation"},
      {{"add input input input"}, "take two"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct train_network net;
    struct err e = {0};
    int n = 0;
    while (n < 4 && wrong[i].lines[n]) n++;
    if (train_network_parse(wrong[i].lines, n, 20, 10, 1, 3, &net, &e))
      fail_msg("accepted: %s", wrong[i].lines[n - 1]);
    if (!strstr(e.text, wrong[i].says))
      fail_msg("%s: \"%s\" does not say \"%s\"", wrong[i].lines[n - 1], e.text, wrong[i].says);
    assert_true(e.node[0] != 0);
  }
}

/* ---- presets ------------------------------------------------------------------------------- */
static void presets_fit_every_input(void **state) {
  (void)state;
  static const int inputs[][4] = {{49, 10, 1, 12}, {61, 40, 1, 2}, {32, 32, 3, 10},
                                  {96, 96, 3, 2},  {50, 3, 1, 5},  {1, 1, 640, 2},
                                  {8, 9, 2, 3},    {128, 6, 1, 4}, {5, 4, 1, 2}};
  const char *says;
  int n = 0;
  for (int i = 0; train_preset_name(i, &says); i++, n++)
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++)
      for (int half = 0; half < 2; half++) {
        struct arena *a = arena_new(0);
        struct train_network net;
        struct err e = {0};
        const char *name = arena_printf(a, half ? "%s 0.5" : "%s", train_preset_name(i, NULL));
        assert_true(train_is_preset(name));
        if (strncmp(name, "auto", 4) == 0 && inputs[k][0] == 96) { /* 27648 outputs */
          assert_false(train_network_preset(a, name, 96, 96, 3, 2, &net, &e));
          arena_free(a);
          continue;
        }
        if (!train_network_preset(a, name, inputs[k][0], inputs[k][1], inputs[k][2], inputs[k][3],
                                  &net, &e))
          fail_msg("%s on %dx%dx%d: %s: %s", name, inputs[k][0], inputs[k][1], inputs[k][2], e.node,
                   e.text);
        comes_back(&net);
        assert_true(strlen(says) > 10);
        arena_free(a);
      }
  assert_int_equal(n, 10);
  static const char *const again[] = {"dense 8", " head input weight 0.5"},
                           *const line[] = {"autoencoder"}, *const wide[] = {"conv-autoencoder 2"};
  assert_true(train_asks_input(again, 2) && train_asks_input(line, 1) && train_asks_input(wide, 1));
  static const char *const classes[] = {"head: conv 8 3x3", "conv 8 3x3 from input",
                                        "head numbers 2", "headinput"},
                           *const other[] = {"ds-cnn 0.5"};
  assert_false(train_asks_input(classes, 4) || train_asks_input(other, 1));
  assert_false(train_asks_input(line, 0));
  assert_false(train_is_preset("ds-cnn 1 2"));
  assert_false(train_is_preset("ds-cnnx"));
  struct arena *a = arena_new(0);
  struct train_network net;
  struct err e = {0};
  assert_false(train_network_preset(a, "resnet8 100", 32, 32, 3, 10, &net, &e));
  assert_non_null(strstr(e.text, "width"));
  arena_free(a);
}

/* Costs that their sources state, or that follow from their tables. */
static void presets_are_the_published(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int h, w, c, classes;
    int64_t macs, parameters;
  } known[] = {
      {"ds-cnn", 49, 10, 1, 12, 2656768, 22604},   /* MLPerf Tiny's keyword spotting */
      {"resnet8", 32, 32, 3, 10, 12501632, 77706}, /* image classification, folded */
      {"mobilenet 0.25", 96, 96, 3, 2, 7489664, 210850},
      {"autoencoder", 1, 1, 640, 2, 264192, 265864}, /* anomaly detection, folded */
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    struct arena *a = arena_new(0);
    struct train_network net;
    struct err e = {0};
    if (!train_network_preset(a, known[i].name, known[i].h, known[i].w, known[i].c,
                              known[i].classes, &net, &e))
      fail_msg("%s: %s", known[i].name, e.text);
    const struct train_cost cost = train_network_cost(&net);
    if (cost.macs != known[i].macs || cost.parameters != known[i].parameters)
      fail_msg("%s: %lld MAC and %lld parameters", known[i].name, (long long)cost.macs,
               (long long)cost.parameters);
    arena_free(a);
  }
}

static void presets_run_as_trained(void **state) {
  (void)state;
  static const char *const small[] = {"tc-resnet 0.25",        "bc-resnet 0.5", "temporal 0.25",
                                      "conv-autoencoder 0.25", "fomo 0.3",      "mask 0.1"};
  for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
    struct arena *a = arena_new(0);
    struct train_network net;
    struct err e = {0};
    struct train_config c = quick_config(1, 1);
    c.class_weights = false;
    if (!train_network_preset(a, small[i], 16, 12, 1, 3, &net, &e))
      fail_msg("%s: %s", small[i], e.text);
    check_runtime(&net, c);
    arena_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_are_pytorchs),
      cmocka_unit_test(windows_have_gradients),
      cmocka_unit_test(activations_have_gradients),
      cmocka_unit_test(merges_have_gradients),
      cmocka_unit_test(moves_have_gradients),
      cmocka_unit_test(heads_have_gradients),
      cmocka_unit_test(integers_are_the_runtimes),
      cmocka_unit_test(integers_are_near_the_floats),
      cmocka_unit_test(default_plans_agree),
      cmocka_unit_test(same_bits_whatever_happens),
      cmocka_unit_test(students_follow_teachers),
      cmocka_unit_test(heads_learn),
      cmocka_unit_test(rare_numbers_can_be_said),
      cmocka_unit_test(weights_take_four_bits_in_a_budget),
      cmocka_unit_test(channels_are_pruned_to_a_budget),
      cmocka_unit_test(texts_come_back),
      cmocka_unit_test(wrong_texts_are_explained),
      cmocka_unit_test(presets_fit_every_input),
      cmocka_unit_test(presets_are_the_published),
      cmocka_unit_test(presets_run_as_trained),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
