/* Streaming: a model that is given only new rows against the model it was made from, over a window that slides: the
 * same bits, call after call, from the first on. Random graphs of int8 and float, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/compile/compile.h"
#include "host/import/import.h"
#include "host/train/train.h"
#include "mote/run/run.h"
#include "test/shared.h"

/* ---- making graphs ------------------------------------------------------------- */

struct maker {
  struct graph *g;
  struct rng rng;
  enum mote_type type;
};

static int below(struct maker *m, int n) { return (int)rng_below(&m->rng, (uint32_t)n); }

static struct graph_tensor like(struct maker *m) {
  struct graph_tensor t = {.name = arena_printf(m->g->arena, "t%d", m->g->n_tensors),
                           .type = m->type};
  if (m->type == MOTE_INT8)
    t.quant = graph_quant_one(m->g->arena, 0.02f + 0.05f * rng_unit(&m->rng), below(m, 200) - 100);
  return t;
}

static int image(struct maker *m, int h, int w, int c) {
  struct graph_tensor t = like(m);
  t.rank = 4;
  t.dims[0] = 1, t.dims[1] = h, t.dims[2] = w, t.dims[3] = c;
  return graph_add_tensor(m->g, &t);
}
static int vector(struct maker *m, int n) {
  struct graph_tensor t = like(m);
  t.rank = 2;
  t.dims[0] = 1, t.dims[1] = n;
  return graph_add_tensor(m->g, &t);
}

static int weights(struct maker *m, int rank, int a, int b, int c, int d) {
  struct graph_tensor t = {.name = "weights", .type = m->type, .rank = rank, .dims = {a, b, c, d}};
  const size_t n = (size_t)graph_elements(&t);
  if (m->type == MOTE_FLOAT32) {
    float *data = ARENA_ARRAY(m->g->arena, float, n);
    for (size_t i = 0; i < n; i++) data[i] = rng_unit(&m->rng) - 0.5f;
    t.data = data;
  } else {
    int8_t *data = ARENA_ARRAY(m->g->arena, int8_t, n);
    for (size_t i = 0; i < n; i++) data[i] = (int8_t)(below(m, 255) - 127);
    t.data = data;
    t.quant = graph_quant_one(m->g->arena, 0.006f, 0);
  }
  return graph_add_tensor(m->g, &t);
}

static int bias(struct maker *m, int n, int x, int w) {
  const bool real = m->type == MOTE_FLOAT32;
  struct graph_tensor t = {
      .name = "bias", .type = real ? MOTE_FLOAT32 : MOTE_INT32, .rank = 1, .dims = {n}};
  float *f = ARENA_ARRAY(m->g->arena, float, n);
  int32_t *q = ARENA_ARRAY(m->g->arena, int32_t, n);
  for (int i = 0; i < n; i++) {
    f[i] = rng_unit(&m->rng) - 0.5f;
    q[i] = below(m, 4000) - 2000;
  }
  t.data = real ? (const void *)f : q;
  if (!real)
    t.quant = graph_quant_one(m->g->arena,
                              m->g->tensors[x].quant.scale[0] * m->g->tensors[w].quant.scale[0], 0);
  return graph_add_tensor(m->g, &t);
}

static int node(struct maker *m, enum mote_op op, const int *in, int n_in, int out,
                const struct graph_attrs *attrs) {
  struct graph_node n = {
      .op = op, .n_in = n_in, .n_out = 1, .attrs = *attrs, .source_op = m->g->n_nodes};
  memcpy(n.in, in, (size_t)n_in * sizeof *in);
  n.out[0] = out;
  graph_add_node(m->g, &n);
  return out;
}

static const int32_t *dims(const struct maker *m, int t) { return m->g->tensors[t].dims; }

/* No padding along time; along width now and then. `fixed_k`: 0 for a random window. */
static struct graph_attrs window(struct maker *m, int x, int *k, int *kw, bool pool, int *h,
                                 int *w) {
  const int high = dims(m, x)[1], wide = dims(m, x)[2];
  struct graph_attrs a = {.dilation_h = 1, .dilation_w = 1, .depth_multiplier = 1};
  *k = 1 + below(m, high < 4 ? high : 4);
  *kw = 1 + below(m, 3);
  if (!pool && (*k - 1) * 2 < high && below(m, 3) == 0) a.dilation_h = 2;
  a.stride_h = 1 + (below(m, 3) == 0);
  a.stride_w = 1 + (below(m, 4) == 0);
  a.kernel_h = *k;
  a.kernel_w = *kw;
  a.activation = below(m, 2) ? GRAPH_ACT_RELU : GRAPH_ACT_NONE;
  *h = graph_window_out(high, *k, a.stride_h, a.dilation_h, GRAPH_PAD_VALID, &a.pad_top,
                        &a.pad_bottom);
  *w = graph_window_out(wide, *kw, a.stride_w, 1, GRAPH_PAD_SAME, &a.pad_left, &a.pad_right);
  return a;
}

static int conv(struct maker *m, int x) {
  const int c = 1 + below(m, 9);
  int k, kw, h, w;
  const struct graph_attrs a = window(m, x, &k, &kw, false, &h, &w);
  const int weight = weights(m, 4, c, k, kw, dims(m, x)[3]);
  const int in[3] = {x, weight, bias(m, c, x, weight)};
  return node(m, MOTE_OP_CONV_2D, in, 3, image(m, h, w, c), &a);
}

static int depthwise(struct maker *m, int x) {
  const int c = dims(m, x)[3];
  int k, kw, h, w;
  const struct graph_attrs a = window(m, x, &k, &kw, false, &h, &w);
  const int weight = weights(m, 4, 1, k, kw, c);
  const int in[3] = {x, weight, bias(m, c, x, weight)};
  return node(m, MOTE_OP_DEPTHWISE_CONV_2D, in, 3, image(m, h, w, c), &a);
}

static int pool(struct maker *m, int x) {
  int k, kw, h, w;
  const struct graph_attrs a = window(m, x, &k, &kw, true, &h, &w);
  const int out = image(m, h, w, dims(m, x)[3]);
  m->g->tensors[out].quant = m->g->tensors[x].quant;
  return node(m, below(m, 2) ? MOTE_OP_MAX_POOL_2D : MOTE_OP_AVERAGE_POOL_2D, &x, 1, out, &a);
}

/* Rows begin .. begin + n - 1. */
static int crop(struct maker *m, int x, int begin, int n) {
  struct graph_attrs a = {.begin = {0, begin}};
  const int32_t *d = dims(m, x);
  for (int i = 0; i < 4; i++) a.option[i] = i == 1 ? n : d[i], a.step[i] = 1;
  const int out = image(m, n, d[2], d[3]);
  m->g->tensors[out].quant = m->g->tensors[x].quant;
  return node(m, MOTE_OP_SLICE, &x, 1, out, &a);
}

/* x, cut to the rows of f(x), plus f(x): a branch that is late waits. */
static int residual(struct maker *m, int x) {
  const int c = dims(m, x)[3], h = dims(m, x)[1], w = dims(m, x)[2];
  const int k = h < 3 ? h : 3;
  const struct graph_attrs a = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  const struct graph_attrs none = {.activation = GRAPH_ACT_NONE};
  const int weight = weights(m, 4, c, k, 1, c);
  const int in[3] = {x, weight, bias(m, c, x, weight)};
  const int y = node(m, MOTE_OP_CONV_2D, in, 3, image(m, h - k + 1, w, c), &a);
  const int sum[2] = {crop(m, x, below(m, k), h - k + 1), y};
  return node(m, MOTE_OP_ADD, sum, 2, image(m, h - k + 1, w, c), &none);
}

static int unary(struct maker *m, int x) {
  const struct graph_attrs none = {.alpha = 0.1f};
  const int out = image(m, dims(m, x)[1], dims(m, x)[2], dims(m, x)[3]);
  m->g->tensors[out].quant = m->g->tensors[x].quant;
  return node(m, below(m, 2) ? MOTE_OP_RELU : MOTE_OP_LEAKY_RELU, &x, 1, out, &none);
}

static int dense(struct maker *m, int x) {
  const struct graph_attrs none = {.activation = GRAPH_ACT_NONE};
  if (below(m, 2)) { /* flat first, as converters write it: a row becomes many */
    const int flat = vector(m, (int)graph_elements(&m->g->tensors[x]));
    m->g->tensors[flat].quant = m->g->tensors[x].quant;
    x = node(m, MOTE_OP_RESHAPE, &x, 1, flat, &none);
  }
  const int c = 2 + below(m, 6),
            weight = weights(m, 2, c, (int)graph_elements(&m->g->tensors[x]), 1, 1);
  const int in[3] = {x, weight, bias(m, c, x, weight)};
  return node(m, MOTE_OP_FULLY_CONNECTED, in, 3, vector(m, c), &none);
}

static int head(struct maker *m, int x) {
  const int32_t *d = dims(m, x);
  const struct graph_attrs all = {
      .stride_h = 1, .stride_w = 1, .kernel_h = d[1], .kernel_w = d[2], .beta = 1.0f};
  switch (below(m, 5)) {
  case 0: return x;
  case 1: {
    const int out = image(m, 1, 1, d[3]);
    m->g->tensors[out].quant = m->g->tensors[x].quant;
    x = node(m, MOTE_OP_AVERAGE_POOL_2D, &x, 1, out, &all);
    break;
  }
  case 2: x = node(m, MOTE_OP_MEAN, &x, 1, vector(m, d[3]), &all); break;
  case 3: x = crop(m, x, d[1] - 1, 1); break;
  default: break;
  }
  return dense(m, x);
}

static struct graph *random_model(struct arena *a, uint64_t seed, enum mote_type type) {
  struct maker m = {.g = graph_new(a, "random"), .type = type};
  rng_seed(&m.rng, seed);
  const int input = image(&m, 8 + below(&m, 24), 1 + below(&m, 5), 1 + below(&m, 5));
  int x = input, extra = -1;
  for (int i = 1 + below(&m, 5); i > 0; i--) {
    switch (below(&m, 6)) {
    case 0:
    case 1: x = conv(&m, x); break;
    case 2: x = depthwise(&m, x); break;
    case 3: x = pool(&m, x); break;
    case 4: x = residual(&m, x); break;
    default: x = unary(&m, x); break;
    }
    if (below(&m, 10) == 0) extra = x;
  }
  const int y = head(&m, x);
  const int outputs[2] = {y, extra};
  graph_set_inputs(m.g, &input, 1);
  graph_set_outputs(m.g, outputs, extra >= 0 && extra != y ? 2 : 1);
  return m.g;
}

/* ---- running them ---------------------------------------------------------------- */

static const struct compile_options schedules[] = {{.schedule = COMPILE_AUTO},
                                                   {.schedule = COMPILE_LAYERS, .no_passes = true},
                                                   {.schedule = COMPILE_STREAM}};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

struct machine {
  struct compiled compiled;
  struct mote_model model;
  void *memory;
};

static void start(struct machine *m, const struct graph *g, struct arena *a, int schedule) {
  struct err e = {0};
  if (!compile_graph(g, &schedules[schedule], a, &m->compiled, &e))
    fail_msg("%s: %s", e.node, e.text);
  const size_t need = mote_arena_bytes((const void *)m->compiled.plan);
  m->memory = malloc(need);
  memset(m->memory, 0xA5, need);
  assert_int_equal(mote_open(&m->model, m->compiled.plan, m->compiled.plan_bytes, m->memory, need),
                   MOTE_OK);
}

static void fill(const struct graph_tensor *t, uint8_t *to, size_t bytes, struct rng *rng) {
  for (size_t i = 0; i < bytes; i += mote_type_bytes((int)t->type)) {
    const float real = rng != NULL ? 2 * rng_unit(rng) - 1 : 0;
    const int8_t q = (int8_t)(rng != NULL      ? (int)rng_below(rng, 256) - 128
                              : t->quant.count ? t->quant.zp[0]
                                               : 0);
    if (t->type == MOTE_FLOAT32)
      memcpy(to + i, &real, sizeof real);
    else
      memcpy(to + i, &q, 1);
  }
}

/* Calls enough to fill the window and then some, beginning with silence. */
static void compare(const struct graph *g, const struct graph *streamed, struct arena *a,
                    int schedule) {
  const struct graph_tensor *window = &g->tensors[g->inputs[0]],
                            *fresh = &streamed->tensors[streamed->inputs[0]];
  const size_t all = graph_bytes(window), some = graph_bytes(fresh);
  const int calls = (int)(all / some) + 4;
  struct machine whole, less;
  struct rng rng;
  rng_seed(&rng, 5);
  start(&whole, g, a, 1);
  start(&less, streamed, a, schedule);
  uint8_t *slides = calloc(1, all);
  fill(window, slides, all, NULL);
  for (int call = 0; call < calls; call++) {
    memmove(slides, slides + some, all - some);
    fill(fresh, slides + (all - some), some, &rng);
    memcpy(mote_input(&whole.model, 0), slides, all);
    memcpy(mote_input(&less.model, 0), slides + (all - some), some);
    mote_run(&whole.model);
    mote_run(&less.model);
    for (int i = 0; i < g->n_outputs; i++)
      if (memcmp(mote_output(&whole.model, (unsigned)i), mote_output(&less.model, (unsigned)i),
                 graph_bytes(&g->tensors[g->outputs[i]])) != 0) {
        struct text t;
        text_init(&t, a);
        graph_print(g, &t);
        fail_msg("output %d of call %d, schedule %d:\n%s", i, call, schedule, t.data);
      }
  }
  free(slides);
  free(whole.memory);
  free(less.memory);
}

static int stream_random(enum mote_type type, uint64_t seed) {
  struct arena *a = arena_new(0);
  struct graph *g = random_model(a, seed, type);
  struct compile_stream what;
  struct err e = {0};
  int done = 0;
  if (!graph_check(g, &e)) fail_msg("seed %d: %s: %s", (int)seed, e.node, e.text);
  const struct graph *streamed = compile_stream(g, 0, a, &what, &e);
  if (streamed != NULL) {
    for (int s = 0; s < SCHEDULES; s++) compare(g, streamed, a, s);
    done = 1;
    /* Twice the rows are possible wherever the fewest are, until the window is full. */
    if (2 * what.rows < what.window_rows) {
      streamed = compile_stream(g, 2 * what.rows, a, &what, &e);
      if (streamed != NULL)
        compare(g, streamed, a, 0);
      else
        assert_non_null(strstr(e.text, "nothing would be saved"));
    }
  } else if (strstr(e.text, "nothing would be saved") == NULL &&
             strstr(e.text, "leave none to keep") == NULL)
    fail_msg("seed %d: %s: %s", (int)seed, e.node, e.text);
  arena_free(a);
  return done;
}

static void test_random_int8(void **state) {
  int done = 0;
  (void)state;
  for (uint64_t seed = 0; seed < 150; seed++) done += stream_random(MOTE_INT8, seed);
  assert_true(done > 100);
}
static void test_random_float(void **state) {
  int done = 0;
  (void)state;
  for (uint64_t seed = 0; seed < 100; seed++) done += stream_random(MOTE_FLOAT32, 1000 + seed);
  assert_true(done > 66);
}

/* ---- models that people would write --------------------------------------------------- */

/* Words of a second from 49 rows of 10 features, as a graph file says it; "same" pads like a SAME convolution. */
static struct graph *keyword(struct arena *a, const char *file) {
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  char *text;
  if (!file_read(a, arena_printf(a, "test/stream/%s.graph", file), 1 << 20, &bytes, &n, &e))
    fail_msg("%s: %s", e.file, e.text);
  text = arena_alloc(a, n + 1, 1);
  memcpy(text, bytes, n);
  text[n] = 0;
  struct graph *g = graph_parse(a, file, text, &e);
  if (g == NULL) fail_msg("%s: %s", e.node, e.text);
  return g;
}

static void test_keyword_costs_less(void **state) {
  struct arena *a = arena_new(0);
  const struct graph *g = keyword(a, "keyword"), *less;
  struct compile_stream what;
  struct compiled whole, streamed;
  struct err e = {0};
  (void)state;
  less = compile_stream(g, 0, a, &what, &e);
  if (less == NULL) fail_msg("%s: %s", e.node, e.text);
  assert_int_equal(what.rows, 2); /* its first convolution has stride 2 */
  assert_int_equal(what.window_rows, 49);
  assert_int_equal(what.end_op, 4); /* MEAN */
  for (int s = 0; s < SCHEDULES; s++) compare(g, less, a, s);
  const struct compile_options options = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  assert_true(compile_graph(g, &options, a, &whole, &e));
  assert_true(compile_graph(less, &options, a, &streamed, &e));
  assert_true(streamed.macs * 12 < whole.macs);
  assert_true(streamed.instructions * 8 < whole.instructions);
  arena_free(a);
}

static void expect_refusal(const struct graph *g, int rows, struct arena *a, const char *node_text,
                           const char *text) {
  struct compile_stream what;
  struct err e = {0};
  assert_null(compile_stream(g, rows, a, &what, &e));
  if (strcmp(e.node, node_text) != 0 || strstr(e.text, text) == NULL)
    fail_msg("%s: %s", e.node, e.text);
  assert_false(e.internal);
}

static void test_refusals(void **state) {
  struct arena *a = arena_new(0);
  struct graph *g = keyword(a, "keyword");
  (void)state;
  expect_refusal(g, 1, a, "operator 0, CONV_2D", "must be a multiple of 2");
  struct err e = {0};
  const struct graph *hybrid = import_file(a, "test/golden/CONV_2D/hybrid_pointwise.tflite", &e);
  assert_non_null(hybrid); /* its values are quantised by the range of all rows */
  expect_refusal(hybrid, 1, a, "operator 0, CONV_2D", "nothing would be saved");
  expect_refusal(g, 50, a, "", "has a window of 49 rows");
  expect_refusal(keyword(a, "same"), 1, a, "operator 1, DEPTHWISE_CONV_2D",
                 "1 rows in front and 1 behind (SAME)");
  expect_refusal(keyword(a, "dense"), 1, a, "operator 0, FULLY_CONNECTED",
                 "nothing would be saved");
  expect_refusal(keyword(a, "causal_mean"), 1, a, "operator 2, PAD",
                 "zeros in front of the first row");
  arena_free(a);
}

/* Padding in front does no harm where only later rows count. */
static void test_causal(void **state) {
  struct arena *a = arena_new(0);
  const struct graph *g = keyword(a, "causal_last"), *less;
  struct compile_stream what;
  struct err e = {0};
  (void)state;
  less = compile_stream(g, 1, a, &what, &e);
  if (less == NULL) fail_msg("%s: %s", e.node, e.text);
  for (int s = 0; s < SCHEDULES; s++) compare(g, less, a, s);
  arena_free(a);
}

/* Models of other people that can be streamed, and by how much. */
static void test_models_of_other_people(void **state) {
  static const struct {
    const char *path;
    int rows;
    double least; /* multiply-accumulates of a whole window for one of a call */
  } models[] = {
      {"reference/mlperf_tiny/str_ww_ref_model.tflite", 1, 17},
      {"producers/tum-ei-eda+mlonmcu-models/cnn_s_quantized/cnn_s_quantized.tflite", 20, 1.1},
      {"producers/tum-ei-eda+mlonmcu-models/cifar10/cifar10.tflite", 4, 2},
      {"producers/sipeed+TinyMaix/tools/tflite/mnist_valid_q.tflite", 8, 1.2},
  };
  (void)state;
  if (!shared_unpacked("models/reference models/producers")) skip();
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    struct arena *a = arena_new(0);
    struct compile_stream what;
    struct err e = {0};
    const struct graph *g =
        import_file(a, arena_printf(a, "build/shared/models/%s", models[i].path), &e);
    const struct graph *less = g != NULL ? compile_stream(g, 0, a, &what, &e) : NULL;
    if (less == NULL) fail_msg("%s: %s: %s", models[i].path, e.node, e.text);
    int64_t macs = 0, fewer = 0;
    for (int n = 0; n < g->n_nodes; n++) macs += graph_macs(g, n);
    for (int n = 0; n < less->n_nodes; n++) fewer += graph_macs(less, n);
    print_message("%s: %d of %d rows, %lld MAC of %lld\n", models[i].path, what.rows,
                  what.window_rows, (long long)fewer, (long long)macs);
    assert_int_equal(what.rows, models[i].rows);
    assert_true((double)macs > models[i].least * (double)fewer);
    compare(g, less, a, 0);
    arena_free(a);
  }
}

/* ---- time along the width, as converters write Conv1D --------------------------------- */

static struct graph *sequence(struct arena *a, enum mote_type type) {
  struct maker m = {.g = graph_new(a, "sequence"), .type = type};
  const struct graph_attrs none = {.activation = GRAPH_ACT_NONE};
  const struct graph_attrs stride = {
      .stride_h = 1, .stride_w = 2, .dilation_h = 1, .dilation_w = 3, .activation = GRAPH_ACT_RELU};
  const struct graph_attrs two = {.stride_h = 1, .stride_w = 1, .kernel_h = 1, .kernel_w = 2};
  rng_seed(&m.rng, 11);
  const int input = image(&m, 40, 6, 1), wide = image(&m, 1, 40, 6);
  m.g->tensors[input].rank = 3;
  m.g->tensors[wide].quant = m.g->tensors[input].quant;
  int x = node(&m, MOTE_OP_RESHAPE, &input, 1, wide, &none);
  const int weight = weights(&m, 4, 8, 1, 5, 6), in[3] = {x, weight, bias(&m, 8, x, weight)};
  x = node(&m, MOTE_OP_CONV_2D, in, 3, image(&m, 1, 14, 8), &stride);
  const int pooled = image(&m, 1, 13, 8);
  m.g->tensors[pooled].quant = m.g->tensors[x].quant;
  x = node(&m, MOTE_OP_MAX_POOL_2D, &x, 1, pooled, &two);
  x = dense(&m, x);
  graph_set_inputs(m.g, &input, 1);
  graph_set_outputs(m.g, &x, 1);
  return m.g;
}

static void test_sequences(void **state) {
  static const enum mote_type types[] = {MOTE_INT8, MOTE_FLOAT32};
  (void)state;
  for (int i = 0; i < 2; i++)
    for (int rows = 2; rows <= 6; rows += 2) {
      struct arena *a = arena_new(0);
      const struct graph *g = sequence(a, types[i]);
      struct compile_stream what;
      struct err e = {0};
      const struct graph *less = graph_check(g, &e) ? compile_stream(g, rows, a, &what, &e) : NULL;
      if (less == NULL) fail_msg("%s: %s", e.node, e.text);
      for (int s = 0; s < SCHEDULES; s++) compare(g, less, a, s);
      arena_free(a);
    }
}

/* ---- memories that are carried on --------------------------------------------------------- */
static void draw_noise(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  struct rng r;
  (void)context;
  rng_seed(&r, seed + index);
  for (int i = 0; i < 12 * 6; i++) features[i] = (int8_t)(rng_below(&r, 256) - 128);
}
static void draw_targets(void *context, uint32_t index, uint64_t seed, float *targets) {
  (void)context, (void)seed;
  for (int i = 0; i < 12 * 5; i++) targets[i] = (float)((index + (uint32_t)i) % 2);
}

/* A trained network of 12 rows whose memories begin each window with nothing. */
static struct graph *with_memory(struct arena *a, const char *first, const char *second) {
  const char *text[4] = {"sequence", first, second ? second : "head mask 5", "head mask 5"};
  const struct train_examples x = {.n = 32, .example = draw_noise, .targets = draw_targets};
  struct train_config c = train_config_default(TRAIN_INPUT_AUDIO, 32);
  struct train_network net;
  struct train_result r;
  const struct train_hooks hooks = {.resume = NULL};
  struct err e = {0};
  c.epochs = c.qat_epochs = 1;
  c.batch = 8;
  c.threads = 1;
  c.mixup = c.label_smoothing = 0;
  c.class_weights = false;
  if (!train_network_parse(text, second ? 4 : 3, 12, 6, 1, 0, &net, &e) ||
      !train_fit(a, &net, &x, NULL, &c, &hooks, &r, &e))
    fail_msg("%s: %s", e.node, e.text);
  return r.graph;
}

/* Row k of the window's output is what call k answers: a call sees one row, and all that came. */
static void test_memory_is_carried(void **state) {
  (void)state;
  static const char *const memories[][2] = {
      {"lstm 8", NULL}, {"lstm 8", "lstm 7"}, {"gru 8", NULL}, {"gru 8", "lstm 7"}};
  for (size_t m = 0; m < sizeof memories / sizeof *memories; m++)
    for (int schedule = 0; schedule < SCHEDULES; schedule++) {
      struct arena *a = arena_new(0);
      struct graph *g = with_memory(a, memories[m][0], memories[m][1]);
      struct graph_tensor last = g->tensors[g->outputs[0]];
      struct graph_node slice = {.op = MOTE_OP_SLICE, .n_in = 1, .n_out = 1, .source_op = 99};
      struct compile_stream what;
      struct machine whole, less;
      struct err e = {0};
      struct rng rng;
      int8_t window[12 * 6], rows[12 * 5];
      start(&whole, g, a, schedule);
      rng_seed(&rng, 3);
      for (size_t i = 0; i < sizeof window; i++) window[i] = (int8_t)(rng_below(&rng, 256) - 128);
      memcpy(mote_input(&whole.model, 0), window, sizeof window);
      mote_run(&whole.model);
      memcpy(rows, mote_output(&whole.model, 0), sizeof rows);
      last.dims[1] = 1;
      last.producer = -1;
      slice.in[0] = g->outputs[0];
      slice.out[0] = graph_add_tensor(g, &last);
      for (int k = 0; k < 4; k++) {
        slice.attrs.begin[k] = k == 1 ? 11 : 0;
        slice.attrs.option[k] = last.dims[k];
        slice.attrs.step[k] = 1;
      }
      graph_add_node(g, &slice);
      graph_set_outputs(g, slice.out, 1);
      const struct graph *streamed = compile_stream(g, 1, a, &what, &e);
      if (!streamed) fail_msg("%s: %s", e.node, e.text);
      assert_int_equal(what.carried, memories[m][1] ? 2 : 1);
      start(&less, streamed, a, schedule);
      for (int k = 0; k < 12; k++) {
        memcpy(mote_input(&less.model, 0), window + k * 6, 6);
        mote_run(&less.model);
        assert_memory_equal(mote_output(&less.model, 0), rows + k * 5, 5);
      }
      /* The same rows again are another answer: nothing began anew. */
      int different = 0;
      for (int k = 0; k < 12; k++) {
        memcpy(mote_input(&less.model, 0), window + k * 6, 6);
        mote_run(&less.model);
        different += memcmp(mote_output(&less.model, 0), rows + k * 5, 5) != 0;
      }
      assert_true(different > 0);
      free(whole.memory);
      free(less.memory);
      arena_free(a);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_int8),        cmocka_unit_test(test_random_float),
      cmocka_unit_test(test_keyword_costs_less), cmocka_unit_test(test_causal),
      cmocka_unit_test(test_refusals),           cmocka_unit_test(test_sequences),
      cmocka_unit_test(test_memory_is_carried),  cmocka_unit_test(test_models_of_other_people),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
