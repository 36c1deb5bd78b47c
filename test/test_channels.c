/* channels: ranges hold what graphs compute; channels that need not be computed go, and no bit of any output
 * or layer changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/compile/private.h"
#include "test/made_layers.h"
#include "test/random_graph.h"

static struct arena *new_arena(void) { return arena_new((size_t)1 << 30); }

/* ---- graphs by hand ------------------------------------------------------------------- */

enum { ZP = -20 };

static int tensor(struct graph *g, const char *name, int h, int w, int c) {
  struct graph_tensor t = {.name = name, .type = MOTE_INT8, .rank = 4, .dims = {1, h, w, c}};
  t.quant = graph_quant_one(g->arena, 0.5f, ZP);
  return graph_add_tensor(g, &t);
}

static int8_t *weights(struct graph *g, const char *name, int a, int b, int c, int d, int *index) {
  struct graph_tensor t = {.name = name, .type = MOTE_INT8, .rank = 4, .dims = {a, b, c, d}};
  int8_t *data = ARENA_ARRAY(g->arena, int8_t, graph_elements(&t));
  for (int64_t i = 0; i < graph_elements(&t); i++) data[i] = (int8_t)(1 + i * 7 % 90);
  t.data = data;
  t.quant = graph_quant_one(g->arena, 0.004f, 0);
  *index = graph_add_tensor(g, &t);
  return data;
}

static int32_t *biases(struct graph *g, int channels, int *index) {
  struct graph_tensor t = {.name = "b", .type = MOTE_INT32, .rank = 1, .dims = {channels}};
  int32_t *data = ARENA_ARRAY(g->arena, int32_t, channels);
  t.data = data;
  *index = graph_add_tensor(g, &t);
  return data;
}

static struct graph_node *node(struct graph *g, enum mote_op op, int x, int w, int b, int y) {
  struct graph_node n = {.op = op, .n_in = 3, .n_out = 1, .in = {x, w, b}, .out = {y}};
  n.attrs = (struct graph_attrs){
      .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .depth_multiplier = 1};
  n.source_op = g->n_nodes;
  const int index = graph_add_node(g, &n);
  return &g->nodes[index];
}

/* x [1,4,4,2] -> 1x1 convolution to 8 channels, RELU -> 3x3 depthwise, padded or not -> 1x1 to 2 channels.
 * Of the 8: 1 is the zero point, 2 another constant, 5 clamped to the zero point for any input, 7 read by nothing. */
static struct graph *chain(struct arena *a, bool padded) {
  struct graph *g = graph_new(a, "chain");
  const int side = padded ? 4 : 2, x = tensor(g, "x", 4, 4, 2), c = tensor(g, "c", 4, 4, 8);
  const int d = tensor(g, "d", side, side, 8), y = tensor(g, "y", side, side, 2);
  int w[3], b[2];
  int8_t *first = weights(g, "w0", 8, 1, 1, 2, &w[0]);
  weights(g, "w1", 1, 3, 3, 8, &w[1]);
  int8_t *last = weights(g, "w2", 2, 1, 1, 8, &w[2]);
  int32_t *bias = biases(g, 8, &b[0]);
  biases(g, 2, &b[1])[1] = 1000;
  first[2] = first[3] = first[4] = first[5] = 0;
  bias[1] = -3000;
  bias[2] = 5000; /* 5000 * 0.004: 20 above the zero point */
  bias[5] =
      -2000000; /* far below what 2 weights of up to 90 and inputs of up to 147 can bring back */
  last[7] = last[15] = 0;
  node(g, MOTE_OP_CONV_2D, x, w[0], b[0], c)->attrs.activation = GRAPH_ACT_RELU;
  struct graph_node *depthwise = node(g, MOTE_OP_DEPTHWISE_CONV_2D, c, w[1], -1, d);
  if (padded)
    depthwise->attrs.pad_top = depthwise->attrs.pad_left = depthwise->attrs.pad_bottom =
        depthwise->attrs.pad_right = 1;
  node(g, MOTE_OP_CONV_2D, d, w[2], b[1], y);
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &y, 1);
  struct err e = {0};
  if (!graph_check(g, &e)) fail_msg("%s: %s", e.node, e.text);
  return g;
}

/* Tensors in use and nodes; constants by their shape. */
static const char *summary(const struct graph *g) {
  struct text t;
  text_init(&t, g->arena);
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    text_printf(&t, "%s", mote_op_name((int)node->op));
    for (int i = 0; i <= node->n_in; i++) {
      const int index = i < node->n_in ? node->in[i] : node->out[0];
      text_add(&t, i < node->n_in ? " " : " -> ");
      if (index < 0) text_add(&t, "-");
      for (int k = 0; index >= 0 && k < g->tensors[index].rank; k++)
        text_printf(&t, k > 0 ? "x%d" : "%d", g->tensors[index].dims[k]);
    }
    text_add(&t, "\n");
  }
  return t.data;
}

static void test_ranges_of_the_chain(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = chain(a, true);
  struct channels k;
  assert_true(channels_ranges(g, a, &k));
  const struct range *x = &k.range[k.first[0]], *c = &k.range[k.first[1]],
                     *d = &k.range[k.first[2]];
  assert_int_equal(x[0].low, -128);
  assert_int_equal(x[0].high, 127);
  assert_int_equal(c[1].low, ZP);
  assert_int_equal(c[1].high, ZP);
  assert_int_equal(c[2].low, 0);
  assert_int_equal(c[2].high, 0);
  assert_int_equal(c[5].high, ZP);
  assert_true(c[0].low == ZP && c[0].high > ZP); /* RELU */
  assert_int_equal(d[1].low, ZP);
  assert_int_equal(d[1].high, ZP);
  assert_true(d[2].low < d[2].high); /* the border sees less of the constant */
  g = chain(a, false);
  assert_true(channels_ranges(g, a, &k));
  d = &k.range[k.first[2]];
  assert_int_equal(d[2].low, d[2].high);
  arena_free(a);
}

/* Without padding 4 of 8 stay. Behind padding the constant that is not the zero point must stay, too; a multiple of
 * 4 that holds these 5 is 8, so nothing goes. */
static void test_chain_is_cut(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct compile_layer layers[3] = {{.fused_into = -1}, {.fused_into = -1}, {.fused_into = -1}};
  struct pass p = {.arena = a, .layers = layers, .n_layers = 3};
  struct graph *g = chain(a, false);
  const char *before = summary(g);
  assert_string_equal(before, "CONV_2D 1x4x4x2 8x1x1x2 8 -> 1x4x4x8\n"
                              "DEPTHWISE_CONV_2D 1x4x4x8 1x3x3x8 - -> 1x2x2x8\n"
                              "CONV_2D 1x2x2x8 2x1x1x8 2 -> 1x2x2x2\n");
  const struct graph *after = pass_remove_channels(&p, g);
  assert_string_equal(summary(after), "CONV_2D 1x4x4x2 4x1x1x2 4 -> 1x4x4x4\n"
                                      "DEPTHWISE_CONV_2D 1x4x4x4 1x3x3x4 - -> 1x2x2x4\n"
                                      "CONV_2D 1x2x2x4 2x1x1x4 2 -> 1x2x2x2\n");
  assert_string_equal(summary(g), before); /* the argument is untouched */
  assert_int_equal(layers[0].kept, 4);
  assert_int_equal(layers[0].unread, 1);
  const int16_t fill[8] = {COMPILE_KEPT,  ZP, 0, COMPILE_KEPT, COMPILE_KEPT, ZP, COMPILE_KEPT,
                           COMPILE_UNREAD};
  assert_memory_equal(layers[0].fill, fill, sizeof fill);
  assert_non_null(strstr(layers[0].why, "makes 4 of 8 channels"));
  assert_null(layers[2].fill);
  struct err e = {0};
  if (!graph_check(after, &e)) fail_msg("%s: %s", e.node, e.text);
  g = chain(a, true);
  assert_ptr_equal(pass_remove_channels(&p, g), g);
  arena_free(a);
}

/* What one output would keep alone keeps two: a dense layer with one scale is rounded by another rule. */
static void test_dense_layers_keep_two(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = graph_new(a, "dense");
  struct graph_tensor t = {.name = "x", .type = MOTE_INT8, .rank = 2, .dims = {1, 3}};
  t.quant = graph_quant_one(a, 0.5f, 0);
  const int x = graph_add_tensor(g, &t);
  t.dims[1] = 5;
  const int h = graph_add_tensor(g, &t);
  t.dims[1] = 1;
  const int y = graph_add_tensor(g, &t);
  int8_t *first = ARENA_ARRAY(a, int8_t, 15), *second = ARENA_ARRAY(a, int8_t, 5);
  float *scale = ARENA_ARRAY(a, float, 5);
  for (int i = 0; i < 5; i++) scale[i] = 0.0037f * (float)(i + 1);
  first[9] = 70, first[10] = -30, first[11] = 9, second[3] = 100, second[1] = 50;
  struct graph_tensor w = {.type = MOTE_INT8, .rank = 2, .dims = {5, 3}, .data = first};
  w.quant =
      (struct graph_quant){.count = 5, .axis = 0, .scale = scale, .zp = ARENA_ARRAY(a, int32_t, 5)};
  const int w0 = graph_add_tensor(g, &w);
  w.dims[0] = 1, w.dims[1] = 5, w.data = second, w.quant = graph_quant_one(a, 0.01f, 0);
  const int w1 = graph_add_tensor(g, &w);
  node(g, MOTE_OP_FULLY_CONNECTED, x, w0, -1, h);
  node(g, MOTE_OP_FULLY_CONNECTED, h, w1, -1, y);
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &y, 1);
  struct err e = {0};
  if (!graph_check(g, &e)) fail_msg("%s: %s", e.node, e.text);
  struct pass p = {.arena = a};
  const struct graph *after = pass_remove_channels(&p, g);
  assert_string_equal(summary(after), "FULLY_CONNECTED 1x3 2x3 - -> 1x2\n"
                                      "FULLY_CONNECTED 1x2 1x2 - -> 1x1\n");
  assert_int_equal(after->tensors[after->nodes[0].in[1]].quant.count, 2);
  for (int i = 0; i < 200; i++) {
    const int8_t in[3] = {(int8_t)(i * 37), (int8_t)(i * 91 + 5), (int8_t)(i * 53 + 100)};
    const void *inputs[1] = {in}, *one[16] = {0}, *other[16] = {0};
    assert_true(graph_evaluate(g, inputs, a, one, &e));
    assert_true(graph_evaluate(after, inputs, a, other, &e));
    assert_int_equal(*(const int8_t *)one[y], *(const int8_t *)other[y]);
  }
  arena_free(a);
}

static void test_layers_are_put_together_again(void **state) {
  (void)state;
  const int16_t fill[4] = {-7, COMPILE_KEPT, 100, COMPILE_KEPT};
  struct compile_layer l = {.bytes = 12, .channels = 4, .kept = 2, .fill = fill};
  const int8_t made[6] = {1, -2, 3, -4, 5, -6};
  const int8_t want[12] = {-7, 1, 100, -2, -7, 3, 100, -4, -7, 5, 100, -6};
  int8_t got[12];
  assert_int_equal(compile_layer_made(&l), 6);
  assert_true(compile_layer_expand(&l, made, 6, got));
  assert_memory_equal(got, want, 12);
  l.unread = 1;
  assert_false(compile_layer_expand(&l, made, 6, got));
  l.unread = 0;
  l.fill = NULL;
  assert_int_equal(compile_layer_made(&l), 12);
  assert_true(compile_layer_expand(&l, want, 12, got));
  assert_memory_equal(got, want, 12);
}

/* ---- random graphs ----------------------------------------------------------------------- */

/* Writes over an output channel of a layer: no weights, or a bias that a fused activation clamps away. */
static void plant_output(const struct weighted *w, int o, int kind, struct rng *r) {
  const int taps = w->kernel_h * w->kernel_w;
  int8_t *weights = (int8_t *)(uintptr_t)w->weights;
  int32_t *bias = (int32_t *)(uintptr_t)w->bias;
  for (int tap = 0; tap < taps && kind != 2; tap++)
    for (int i = 0; i < w->depth; i++) weights[o * w->per_out + tap * w->per_tap + i] = 0;
  if (bias == NULL) return;
  if (kind == 0) bias[o] = -(int32_t)rng_below(r, 4000);
  if (kind == 1) bias[o] = (int32_t)rng_below(r, 30000) - 10000;
  if (kind == 2) bias[o] = -3000000 - (int32_t)rng_below(r, 100000);
}

/* An input channel that no output reads. */
static void plant_input(const struct weighted *w, int channels, int c) {
  const int taps = w->kernel_h * w->kernel_w;
  int8_t *weights = (int8_t *)(uintptr_t)w->weights;
  for (int o = 0; o < w->out_c && w->multiplier == 0; o++)
    for (int tap = 0; tap < taps; tap++)
      for (int i = c; i < w->depth; i += channels)
        weights[o * w->per_out + tap * w->per_tap + i] = 0;
}

/* A random graph of which about every third channel is nothing to compute. */
static struct graph *planted(struct arena *a, uint64_t seed) {
  struct graph *g = random_graph(a, seed);
  struct rng r;
  rng_seed(&r, seed * 77 + 1);
  for (int n = 0; n < g->n_nodes; n++) {
    struct weighted w;
    if (!weighted_of(g, &g->nodes[n], &w)) continue;
    for (int o = 0; o < w.out_c; o++)
      if (rng_below(&r, 3) == 0) plant_output(&w, o, (int)rng_below(&r, 3), &r);
    const int channels = channels_of(&g->tensors[g->nodes[n].in[0]]);
    for (int c = 0; c < channels; c++)
      if (rng_below(&r, 6) == 0) plant_input(&w, channels, c);
  }
  struct err e = {0};
  if (!graph_check(g, &e)) fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.node, e.text);
  return g;
}

static int8_t *random_input(struct arena *a, const struct graph *g, struct rng *r, int kind) {
  const size_t n = graph_bytes(&g->tensors[g->inputs[0]]);
  int8_t *x = ARENA_ARRAY(a, int8_t, n);
  for (size_t i = 0; i < n; i++)
    x[i] = kind == 0 ? (int8_t)rng_u32(r) : (int8_t)(rng_below(r, 2) ? INT8_MIN : INT8_MAX);
  return x;
}

/* No value that is ever computed leaves its channel's range. */
static void test_ranges_hold(void **state) {
  (void)state;
  int64_t constants = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    struct arena *a = new_arena();
    struct graph *g = seed % 2 ? planted(a, seed) : random_graph(a, seed);
    struct err e = {0};
    struct channels k;
    struct rng r;
    rng_seed(&r, seed);
    assert_true(channels_ranges(g, a, &k));
    for (int i = 0; i < k.n; i++) constants += k.range[i].low == k.range[i].high;
    for (int round = 0; round < 4; round++) {
      const void *inputs[1] = {random_input(a, g, &r, round % 2)};
      const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
      assert_true(graph_evaluate(g, inputs, a, values, &e));
      for (int t = 0; t < g->n_tensors; t++) {
        if (g->tensors[t].data != NULL || values[t] == NULL) continue;
        const int channels = channels_of(&g->tensors[t]);
        for (int64_t i = 0; i < graph_elements(&g->tensors[t]); i++) {
          const struct range range = k.range[k.first[t] + i % channels];
          const int8_t v = ((const int8_t *)values[t])[i];
          if (v < range.low || v > range.high)
            fail_msg("seed %llu tensor %d element %lld: %d is not in %d..%d",
                     (unsigned long long)seed, t, (long long)i, v, range.low, range.high);
        }
      }
    }
    arena_free(a);
  }
  assert_true(constants > 500);
}

static void check_plan(const struct graph *g, const struct compile_options *o, uint64_t seed,
                       int removed[MOTE_OP_COUNT]) {
  struct arena *a = new_arena();
  struct err e = {0};
  struct compiled c;
  struct mote_model m;
  struct rng r;
  rng_seed(&r, seed);
  if (!compile_graph(g, o, a, &c, &e))
    fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.node, e.text);
  bool pads = false; /* a fused PAD may pad a window more than a graph of a model does */
  for (int n = 0; n < g->n_nodes; n++) pads = pads || g->nodes[n].op == MOTE_OP_PAD;
  if (!pads && !graph_check(c.graph, &e))
    fail_msg("seed %llu, after: %s: %s", (unsigned long long)seed, e.node, e.text);
  const size_t need = mote_arena_bytes((const void *)c.plan);
  assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, ARENA_ARRAY(a, uint8_t, need), need),
                   MOTE_OK);
  struct made_layers layers = made_layers_new(&c, a);
  m.hook = made_layers_hook;
  m.hook_context = &layers;
  for (int round = 0; round < 2; round++) {
    const void *inputs[1] = {random_input(a, g, &r, round)};
    const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
    assert_true(graph_evaluate(g, inputs, a, values, &e));
    memcpy(mote_input(&m, 0), inputs[0], graph_bytes(&g->tensors[g->inputs[0]]));
    mote_run(&m);
    for (int i = 0; i < g->n_outputs; i++)
      assert_memory_equal(mote_output(&m, (unsigned)i), values[g->outputs[i]],
                          graph_bytes(&g->tensors[g->outputs[i]]));
    for (int n = 0; n < g->n_nodes; n++) {
      const int op = g->nodes[n].source_op;
      if (layers.made[op] == NULL) continue;
      if (!made_layers_equal(&layers, op, values[g->nodes[n].out[0]], a))
        fail_msg("seed %llu schedule %d: operator %d differs", (unsigned long long)seed,
                 o->schedule, op);
    }
  }
  for (int i = 0; i < c.n_layers; i++)
    removed[c.layers[i].op] += c.layers[i].channels - c.layers[i].kept;
  arena_free(a);
}

/* Every kind of plan of planted graphs computes every layer of the source, and channels of every operator that can
 * lose some were indeed lost. */
static void test_plans_equal_evaluation(void **state) {
  (void)state;
  static const struct compile_options kinds[] = {{.schedule = COMPILE_LAYERS},
                                                 {.schedule = COMPILE_AUTO},
                                                 {.schedule = COMPILE_STREAM},
                                                 {.schedule = COMPILE_AUTO, .fast = true}};
  int removed[MOTE_OP_COUNT + 1] = {0};
  for (uint64_t seed = 1; seed <= 400; seed++) {
    struct arena *a = new_arena();
    const struct graph *g = planted(a, seed);
    check_plan(g, &kinds[seed % 4], seed, removed);
    if (seed % 8 == 0)
      for (int k = 0; k < 4; k++) check_plan(g, &kinds[k], seed, removed);
    arena_free(a);
  }
  static const enum mote_op cut[] = {MOTE_OP_CONV_2D,     MOTE_OP_DEPTHWISE_CONV_2D,
                                     MOTE_OP_ADD,         MOTE_OP_AVERAGE_POOL_2D,
                                     MOTE_OP_MAX_POOL_2D, MOTE_OP_MEAN};
  for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
    if (removed[cut[i]] < 5)
      fail_msg("%s lost %d channels", mote_op_name((int)cut[i]), removed[cut[i]]);
}

/* The same model with all channels: the same bits, more work. */
static void test_all_channels_may_stay(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct err e = {0};
  struct compiled cut, all;
  const struct graph *g = chain(a, false);
  assert_true(compile_graph(g, &(struct compile_options){0}, a, &cut, &e));
  assert_true(compile_graph(g, &(struct compile_options){.all_channels = true}, a, &all, &e));
  assert_true(cut.macs < all.macs);
  assert_int_equal(all.macs, all.source_macs);
  assert_int_equal(cut.source_macs, all.source_macs);
  assert_true(cut.flash_weight_bytes < all.flash_weight_bytes);
  int64_t sum = 0;
  for (int i = 0; i < cut.n_layers; i++) sum += cut.layers[i].macs;
  assert_int_equal(sum, cut.macs);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ranges_of_the_chain),
      cmocka_unit_test(test_chain_is_cut),
      cmocka_unit_test(test_dense_layers_keep_two),
      cmocka_unit_test(test_layers_are_put_together_again),
      cmocka_unit_test(test_ranges_hold),
      cmocka_unit_test(test_plans_equal_evaluation),
      cmocka_unit_test(test_all_channels_may_stay),
  };
  return cmocka_run_group_tests_name("channels", tests, NULL, NULL);
}
