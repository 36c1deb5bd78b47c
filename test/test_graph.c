/* graph: each operator against results worked out by hand or by an independent formula, the proofs of
 * graph_check, printing, and the saved form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "host/graph/graph.h"

struct fixture {
  struct arena *a;
  struct graph *g;
  struct err e;
};

static int setup(void **state) {
  static struct fixture f;
  f = (struct fixture){.a = arena_new((size_t)64 << 20)};
  f.g = graph_new(f.a, "test");
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((struct fixture *)*state)->a);
  return 0;
}

/* A tensor of up to four axes; a size of 0 ends the list. */
static int tensor(struct fixture *f, enum mote_type type, const int32_t dims[4], float scale,
                  int32_t zp, const void *data) {
  struct graph_tensor t = {.name = "t", .type = type, .data = data};
  while (t.rank < 4 && dims[t.rank]) {
    t.dims[t.rank] = dims[t.rank];
    t.rank++;
  }
  if (scale > 0) t.quant = graph_quant_one(f->a, scale, zp);
  return graph_add_tensor(f->g, &t);
}
#define DIMS(...) ((const int32_t[4]){__VA_ARGS__})

/* One node from tensor 0 to `out`, which becomes the whole model. */
static void node(struct fixture *f, enum mote_op op, int n_in, int second, int third, int out,
                 const struct graph_attrs *attrs) {
  struct graph_node n = {
      .op = op, .n_in = n_in, .n_out = 1, .in = {0, second, third}, .out = {out}, .source_op = 7};
  if (attrs) n.attrs = *attrs;
  graph_add_node(f->g, &n);
  const int in = 0;
  graph_set_inputs(f->g, &in, 1);
  graph_set_outputs(f->g, &out, 1);
}

static const int8_t *evaluate(struct fixture *f, const int8_t *input) {
  const void *inputs[] = {input};
  const void **values = ARENA_ARRAY(f->a, const void *, f->g->n_tensors);
  if (!graph_check(f->g, &f->e)) fail_msg("%s: %s", f->e.node, f->e.text);
  if (!graph_evaluate(f->g, inputs, f->a, values, &f->e)) fail_msg("%s", f->e.text);
  return values[f->g->outputs[0]];
}

static void expect(struct fixture *f, const int8_t *input, const int8_t *expected, size_t n) {
  assert_memory_equal(evaluate(f, input), expected, n);
}

static const struct graph_attrs window_1x1 = {
    .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};

/* ---- operators ---------------------------------------------------------------- */
/* 3x3 input, 2x2 kernel, SAME: one row and column of padding below and right, which adds nothing. */
static void conv_pads_with_the_zero_point(void **state) {
  struct fixture *f = *state;
  static const int8_t x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  static const int8_t w[4] = {1, 1, 1, 1};
  static const int32_t bias[1] = {4};
  tensor(f, MOTE_INT8, DIMS(1, 3, 3, 1), 1.0f, 1, NULL);
  const int weights = tensor(f, MOTE_INT8, DIMS(1, 2, 2, 1), 0.5f, 0, w);
  const int b = tensor(f, MOTE_INT32, DIMS(1), 0.5f, 0, bias);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 3, 3, 1), 1.0f, -10, NULL);
  struct graph_attrs a = window_1x1;
  assert_int_equal(graph_window_out(3, 2, 1, 1, GRAPH_PAD_SAME, &a.pad_top, &a.pad_bottom), 3);
  graph_window_out(3, 2, 1, 1, GRAPH_PAD_SAME, &a.pad_left, &a.pad_right);
  node(f, MOTE_OP_CONV_2D, 3, weights, b, y, &a);
  /* x - 1 is 0..8; sums 8 12 7, 20 24 13, 13 15 8, plus 4, halved away from zero, minus 10. */
  static const int8_t expected[9] = {-4, -2, -4, 2, 4, -1, -1, 0, -4};
  expect(f, x, expected, 9);
  assert_int_equal(graph_macs(f->g, 0), 36);
  assert_int_equal(graph_weight_bytes(f->g, 0), 8);
}

/* Two output channels with scales of their own, dilation 2, stride 2, ReLU6. */
static void conv_scales_each_channel(void **state) {
  struct fixture *f = *state;
  static const int8_t x[10] = {10, 1, 20, 1, 30, 1, 40, 1, 50, 1};
  static const int8_t w[8] = {1, 0, 1, 0, -1, 0, 1, 0}; /* [out][1][2][2] */
  static const float scales[2] = {0.5f, 0.25f};
  static const int32_t zps[2] = {0, 0};
  tensor(f, MOTE_INT8, DIMS(1, 1, 5, 2), 1.0f, 0, NULL);
  const int weights = tensor(f, MOTE_INT8, DIMS(2, 1, 2, 2), 0, 0, w);
  f->g->tensors[weights].quant = (struct graph_quant){2, 0, scales, zps};
  const int y = tensor(f, MOTE_INT8, DIMS(1, 1, 2, 2), 0.125f, -28, NULL);
  struct graph_attrs a = window_1x1;
  a.stride_w = a.dilation_w = 2;
  a.activation = GRAPH_ACT_RELU6;
  node(f, MOTE_OP_CONV_2D, 3, weights, -1, y, &a);
  /* Sums 40, 20 | 80, 20 (channel 0: 10+30, 30+50; channel 1: 30-10, 50-30); real 20, 5 | 40, 5; ReLU6
   * ends at 6 / 0.125 - 28 = 20; 5 / 0.125 - 28 = 12. */
  static const int8_t expected[4] = {20, 12, 20, 12};
  expect(f, x, expected, 4);
}

static void depthwise_multiplies_channels(void **state) {
  struct fixture *f = *state;
  static const int8_t x[4] = {1, 2, 3, 4};             /* [1,1,2,2] */
  static const int8_t w[8] = {1, 2, 3, 4, 5, 6, 7, 8}; /* [1,1,2,4]: channel c = 2 * input + m */
  tensor(f, MOTE_INT8, DIMS(1, 1, 2, 2), 1.0f, 0, NULL);
  const int weights = tensor(f, MOTE_INT8, DIMS(1, 1, 2, 4), 1.0f, 0, w);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 1, 1, 4), 1.0f, 0, NULL);
  struct graph_attrs a = window_1x1;
  a.depth_multiplier = 2;
  node(f, MOTE_OP_DEPTHWISE_CONV_2D, 3, weights, -1, y, &a);
  static const int8_t expected[4] = {1 * 1 + 3 * 5, 1 * 2 + 3 * 6, 2 * 3 + 4 * 7, 2 * 4 + 4 * 8};
  expect(f, x, expected, 4);
  assert_int_equal(graph_macs(f->g, 0), 8);
}

static void fully_connected_takes_vectors(void **state) {
  struct fixture *f = *state;
  static const int8_t x[6] = {1, 2, 3, -1, -2, -3};
  static const int8_t w[6] = {1, 1, 1, 1, 0, -1};
  static const int32_t bias[2] = {10, -100};
  tensor(f, MOTE_INT8, DIMS(1, 2, 3), 1.0f, 0, NULL);
  const int weights = tensor(f, MOTE_INT8, DIMS(2, 3), 1.0f, 0, w);
  const int b = tensor(f, MOTE_INT32, DIMS(2), 1.0f, 0, bias);
  const int y = tensor(f, MOTE_INT8, DIMS(2, 2), 1.0f, 0, NULL);
  struct graph_attrs a = {.activation = GRAPH_ACT_RELU};
  node(f, MOTE_OP_FULLY_CONNECTED, 3, weights, b, y, &a);
  static const int8_t expected[4] = {16, 0, 4, 0};
  expect(f, x, expected, 4);
}

/* The reference multiplies input and weight scale in float for one-scale FULLY_CONNECTED, in double for
 * CONV_2D: with these scales the two differ in the multiplier. */
static void fully_connected_rounds_its_scale_to_float(void **state) {
  struct fixture *f = *state;
  static const int8_t w[1] = {1};
  tensor(f, MOTE_INT8, DIMS(1, 1, 1, 1), 0.1f, 0, NULL);
  const int dense = tensor(f, MOTE_INT8, DIMS(1, 1), 0.3f, 0, w);
  const int kernel = tensor(f, MOTE_INT8, DIMS(1, 1, 1, 1), 0.3f, 0, w);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 1, 1, 1), 0.7f, 0, NULL);
  node(f, MOTE_OP_FULLY_CONNECTED, 3, dense, -1, y, NULL);
  node(f, MOTE_OP_CONV_2D, 3, kernel, -1, y, &window_1x1);
  volatile float product = 0.1f * 0.3f;
  assert_true(graph_output_scale(f->g, 0, 0) == (double)product / (double)0.7f);
  assert_true(graph_output_scale(f->g, 1, 0) == (double)0.1f * (double)0.3f / (double)0.7f);
  assert_true(graph_output_scale(f->g, 0, 0) != graph_output_scale(f->g, 1, 0));
}

/* Against real arithmetic: the fixed-point sum is within one step of the rounded real one, for all values. */
static void add_follows_the_real_sum(void **state) {
  struct fixture *f = *state;
  static int8_t x[65536], z[65536];
  for (int i = 0; i < 65536; i++) {
    x[i] = (int8_t)(i & 255);
    z[i] = (int8_t)(i >> 8);
  }
  tensor(f, MOTE_INT8, DIMS(1, 65536), 0.02f, 3, NULL);
  const int second = tensor(f, MOTE_INT8, DIMS(1, 65536), 0.05f, -7, z);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 65536), 0.04f, 11, NULL);
  node(f, MOTE_OP_ADD, 2, second, 0, y, NULL);
  const int8_t *out = evaluate(f, x);
  for (int i = 0; i < 65536; i++) {
    const double real = (x[i] - 3) * 0.02 + (z[i] + 7) * 0.05;
    double q = real / 0.04 + 11;
    q = q < -128 ? -128 : q > 127 ? 127 : q;
    if (fabs((double)out[i] - q) > 0.51)
      fail_msg("%d + %d gives %d instead of %g", x[i], z[i], out[i], q);
  }
}

/* Halves go away from zero; padding is not counted. */
static void average_pool_rounds_away_from_zero(void **state) {
  struct fixture *f = *state;
  static const int8_t x[6] = {1, 2, -1, -2, 5, 5}; /* [1,1,6,1], windows of 2, SAME with stride 2 */
  tensor(f, MOTE_INT8, DIMS(1, 1, 6, 1), 0.5f, 4, NULL);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 1, 3, 1), 0.5f, 4, NULL);
  struct graph_attrs a = {.kernel_h = 1, .kernel_w = 2, .stride_h = 1, .stride_w = 2};
  node(f, MOTE_OP_AVERAGE_POOL_2D, 1, 0, 0, y, &a);
  static const int8_t expected[3] = {2, -2, 5};
  expect(f, x, expected, 3);
}

static void pools_do_not_count_padding(void **state) {
  struct fixture *f = *state;
  static const int8_t x[3] = {-10, -20, -30};
  tensor(f, MOTE_INT8, DIMS(1, 1, 3, 1), 0.5f, 4, NULL);
  const int average = tensor(f, MOTE_INT8, DIMS(1, 1, 3, 1), 0.5f, 4, NULL);
  const int most = tensor(f, MOTE_INT8, DIMS(1, 1, 3, 1), 0.5f, 4, NULL);
  struct graph_attrs a = {
      .kernel_h = 1, .kernel_w = 3, .stride_h = 1, .stride_w = 1, .pad_left = 1, .pad_right = 1};
  node(f, MOTE_OP_AVERAGE_POOL_2D, 1, 0, 0, average, &a);
  node(f, MOTE_OP_MAX_POOL_2D, 1, 0, 0, most, &a);
  const int both[2] = {average, most};
  graph_set_outputs(f->g, both, 2);
  const void *inputs[] = {x};
  const void *values[3];
  assert_true(graph_check(f->g, &f->e));
  assert_true(graph_evaluate(f->g, inputs, f->a, values, &f->e));
  static const int8_t averages[3] = {-15, -20, -25}, maxima[3] = {-10, -10, -20};
  assert_memory_equal(values[average], averages, 3);
  assert_memory_equal(values[most], maxima, 3);
}

static void mean_requantises(void **state) {
  struct fixture *f = *state;
  static const int8_t x[12] = {10, -10, 20, -20, 30, -30,
                               40, -40, 50, -50, 60, -60}; /* [1,2,3,2] */
  tensor(f, MOTE_INT8, DIMS(1, 2, 3, 2), 0.5f, 5, NULL);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 2), 0.25f, -5, NULL);
  node(f, MOTE_OP_MEAN, 1, 0, 0, y, NULL);
  /* Means 35 and -35; real 15 and -20; in steps of 0.25 from -5: 55 and -85. */
  static const int8_t expected[2] = {55, -85};
  expect(f, x, expected, 2);
}

/* Against exp in double: each output within one step, and the largest is where the largest input is. */
static void softmax_follows_exp(void **state) {
  struct fixture *f = *state;
  static int8_t x[20];
  for (int i = 0; i < 20; i++) x[i] = (int8_t)(i * i % 97 - 40);
  const float scale = 0.11f;
  tensor(f, MOTE_INT8, DIMS(2, 10), scale, 9, NULL);
  const int y = tensor(f, MOTE_INT8, DIMS(2, 10), 1.0f / 256, -128, NULL);
  struct graph_attrs a = {.beta = 1.0f};
  node(f, MOTE_OP_SOFTMAX, 1, 0, 0, y, &a);
  const int8_t *out = evaluate(f, x);
  for (int row = 0; row < 2; row++) {
    double sum = 0;
    for (int i = 0; i < 10; i++) sum += exp((double)scale * x[row * 10 + i]);
    for (int i = 0; i < 10; i++) {
      double q = exp((double)scale * x[row * 10 + i]) / sum * 256 - 128;
      q = q > 127 ? 127 : q;
      assert_true(fabs(q - out[row * 10 + i]) <= 0.6);
    }
  }
}

static void softmax_of_one_winner(void **state) {
  struct fixture *f = *state;
  static const int8_t x[3] = {127, -128, -128};
  tensor(f, MOTE_INT8, DIMS(1, 3), 1.0f, 0, NULL);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 3), 1.0f / 256, -128, NULL);
  struct graph_attrs a = {.beta = 1.0f};
  node(f, MOTE_OP_SOFTMAX, 1, 0, 0, y, &a);
  static const int8_t expected[3] = {127, -128, -128};
  expect(f, x, expected, 3);
}

static void reshape_and_pad_move_bytes(void **state) {
  struct fixture *f = *state;
  static const int8_t x[4] = {1, 2, 3, 4};
  tensor(f, MOTE_INT8, DIMS(4), 1.0f, 9, NULL);
  const int square = tensor(f, MOTE_INT8, DIMS(1, 2, 2, 1), 1.0f, 9, NULL);
  const int y = tensor(f, MOTE_INT8, DIMS(1, 3, 4, 1), 1.0f, 9, NULL);
  node(f, MOTE_OP_RESHAPE, 1, 0, 0, square, NULL);
  const struct graph_node pad = {.op = MOTE_OP_PAD,
                                 .n_in = 1,
                                 .n_out = 1,
                                 .in = {square},
                                 .out = {y},
                                 .attrs = {.pad_top = 1, .pad_left = 2},
                                 .source_op = 1};
  graph_add_node(f->g, &pad);
  graph_set_outputs(f->g, &y, 1);
  static const int8_t expected[12] = {9, 9, 9, 9, 9, 9, 1, 2, 9, 9, 3, 4};
  expect(f, x, expected, 12);
}

/* ---- rules ---------------------------------------------------------------------- */
static void windows_are_those_of_tensorflow(void **state) {
  (void)state;
  static const struct {
    int in, kernel, stride, dilation;
    enum graph_padding p;
    int out, before, after;
  } cases[] = {{49, 10, 2, 1, GRAPH_PAD_SAME, 25, 4, 5}, {10, 4, 2, 1, GRAPH_PAD_SAME, 5, 1, 1},
               {96, 3, 2, 1, GRAPH_PAD_SAME, 48, 0, 1},  {32, 1, 2, 1, GRAPH_PAD_SAME, 16, 0, 0},
               {7, 3, 2, 2, GRAPH_PAD_SAME, 4, 2, 2},    {7, 3, 2, 1, GRAPH_PAD_VALID, 3, 0, 0},
               {7, 3, 1, 3, GRAPH_PAD_VALID, 1, 0, 0},   {4, 5, 1, 1, GRAPH_PAD_VALID, 0, 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int before, after;
    assert_int_equal(graph_window_out(cases[i].in, cases[i].kernel, cases[i].stride,
                                      cases[i].dilation, cases[i].p, &before, &after),
                     cases[i].out);
    assert_int_equal(before, cases[i].before);
    assert_int_equal(after, cases[i].after);
  }
}

static void activation_ranges(void **state) {
  struct fixture *f = *state;
  const int t = tensor(f, MOTE_INT8, DIMS(1), 0.05f, -20, NULL);
  static const int32_t expected[4][2] = {{-128, 127}, {-20, 127}, {-40, 0}, {-20, 100}};
  for (int act = 0; act < 4; act++) {
    int32_t low, high;
    graph_activation_range(&f->g->tensors[t], (enum graph_activation)act, &low, &high);
    assert_int_equal(low, expected[act][0]);
    assert_int_equal(high, expected[act][1]);
  }
}

/* A dense layer in the fixture; tests then break one thing of it. Tensors: 0 x, 1 weights, 2 bias, 3 y. */
static void dense(struct fixture *f) {
  static const int8_t w[6] = {1, 1, 1, 1, 0, -1};
  static const int32_t bias[2] = {10, -100};
  tensor(f, MOTE_INT8, DIMS(1, 3), 1.0f, 0, NULL);
  tensor(f, MOTE_INT8, DIMS(2, 3), 1.0f, 0, w);
  tensor(f, MOTE_INT32, DIMS(2), 1.0f, 0, bias);
  tensor(f, MOTE_INT8, DIMS(1, 2), 1.0f, 0, NULL);
  node(f, MOTE_OP_FULLY_CONNECTED, 3, 1, 2, 3, NULL);
}

static void refuse(struct fixture *f, const char *part) {
  f->e = (struct err){0};
  assert_false(graph_check(f->g, &f->e));
  if (!strstr(f->e.text, part)) fail_msg("\"%s\" does not say \"%s\"", f->e.text, part);
  assert_string_equal(f->e.file, "test");
}

static void check_refuses_what_breaks_a_rule(void **state) {
  struct fixture *f = *state;
  dense(f);
  assert_true(graph_check(f->g, &f->e));
  struct graph_tensor *t = f->g->tensors;
  const struct graph_tensor good[4] = {t[0], t[1], t[2], t[3]};
#define BREAK(change, text)                                                                        \
  do {                                                                                             \
    change;                                                                                        \
    refuse(f, text);                                                                               \
    memcpy(t, good, sizeof good);                                                                  \
  } while (0)
  BREAK(t[0].type = MOTE_FLOAT32, "its tensors are float32 and int8");
  BREAK(t[0].dims[1] = 4, "do not agree");
  BREAK(t[0].dims[1] = 0, "must be known and positive");
  BREAK(t[1].data = NULL, "before any operator");
  BREAK(t[1].rank = 1, "axes");
  static const float scales[2] = {1, 1};
  static const int32_t zps[2] = {0, 3};
  BREAK(t[1].quant = ((struct graph_quant){2, 0, scales, zps}), "symmetric");
  BREAK(t[1].quant.count = 0, "no scale");
  BREAK(t[2].dims[0] = 3, "bias");
  BREAK(t[2].type = MOTE_INT8, "int32");
  BREAK(t[3].dims[1] = 5, "for 5 channels");
  BREAK(t[3].quant.count = 0, "scales instead of one");
  BREAK(t[3].quant = graph_quant_one(f->a, NAN, 0), "positive number");
  BREAK(t[3].quant = graph_quant_one(f->a, 1.0f, 300), "outside int8");
  BREAK(t[3].producer = -1, "made");
  BREAK(t[1].quant.count = 2; t[1].quant.axis = 1, "scales for 3 channels");
  BREAK(t[0].rank = 9, "axes");
#undef BREAK
  assert_true(graph_check(f->g, &f->e) && graph_is_core(f->g, 0));
  t[1].quant = graph_quant_one(f->a, 1.0f, 3); /* one zero point is possible, outside the core */
  assert_true(graph_check(f->g, &f->e) && !graph_is_core(f->g, 0));
  t[1] = good[1];
  f->g->nodes[0].in[1] = 99;
  refuse(f, "tensor 99 of 4");
  assert_string_equal(f->e.node, "operator 7, FULLY_CONNECTED");
  f->g->nodes[0].in[1] = 1;
  f->g->nodes[0].n_in = 2;
  refuse(f, "2 inputs instead of 3");
  f->g->nodes[0].n_in = 3;
  f->g->nodes[0].attrs.activation = (enum graph_activation)9;
  refuse(f, "activation");
}

/* The scale 1 is multiplier 2^30 with a left shift of 1, so sums must stay below 2^30; the weights of
 * channel 0 reach 3 * 128. */
/* Layers whose sums could wrap are taken, but not as part of the core, whose kernels need not look for it. */
static void the_core_proves_that_sums_fit(void **state) {
  struct fixture *f = *state;
  dense(f);
  int32_t bias[2] = {((INT32_MAX - 256) >> 1) - 3 * 128, 0};
  f->g->tensors[2].data = bias;
  assert_true(graph_check(f->g, &f->e));
  assert_true(graph_is_core(f->g, 0));
  bias[0]++;
  assert_true(graph_check(f->g, &f->e));
  assert_false(graph_is_core(f->g, 0));
  bias[0] = 0;
  bias[1] = INT32_MIN;
  assert_true(graph_check(f->g, &f->e));
  assert_false(graph_is_core(f->g, 0));
}

/* What is printed is read back as the same graph; damage is an error that names the line. */
static void text_comes_back(void **state) {
  struct fixture *f = *state;
  static const char text[] =
      "inputs t0\noutputs t3\n# a comment\n"
      "t0 \"x\" int8 [1,3] scale=0.5 zp=-1\n"
      "t1 \"w\" int8 [2,3] scale=0.100000001,0.200000003 axis=0 values=1,2,3,-4,5,6\n"
      "t2 \"b\" int32 [2] values=7,-8\n"
      "t3 \"y\" int8 [1,2] scale=1 zp=0\n"
      "n0 FULLY_CONNECTED(t0, t1, t2) -> t3 keep_dims activation=RELU source=7\n";
  const struct graph *g = graph_parse(f->a, "text", text, &f->e);
  if (g == NULL) fail_msg("%s: %s", f->e.node, f->e.text);
  struct text first, second;
  text_init(&first, f->a);
  graph_print(g, &first);
  g = graph_parse(f->a, "text", first.data, &f->e);
  assert_non_null(g);
  text_init(&second, f->a);
  graph_print(g, &second);
  assert_string_equal(first.data, second.data);
  assert_int_equal(((const int8_t *)g->tensors[1].data)[3], -4);
  assert_int_equal(g->nodes[0].attrs.activation, GRAPH_ACT_RELU);
  for (size_t cut = 1; cut < sizeof text - 2; cut++) {
    struct err e = {0};
    const char *part = arena_printf(f->a, "%.*s", (int)cut, text);
    if (graph_parse(f->a, "text", part, &e) == NULL) assert_true(e.text[0] != 0);
  }
  struct err e = {0};
  assert_null(graph_parse(f->a, "text", "inputs t0\nx\n", &e));
  assert_string_equal(e.node, "line 2");
}

static void printing_is_stable(void **state) {
  struct fixture *f = *state;
  dense(f);
  f->g->nodes[0].attrs.activation = GRAPH_ACT_RELU;
  struct text t;
  text_init(&t, f->a);
  graph_print(f->g, &t);
  assert_string_equal(t.data, "inputs t0\noutputs t3\n"
                              "t0 \"t\" int8 [1,3] scale=1 zp=0\n"
                              "t1 \"t\" int8 [2,3] scale=1 zp=0 values=1,1,1,1,0,-1\n"
                              "t2 \"t\" int32 [2] scale=1 zp=0 values=10,-100\n"
                              "t3 \"t\" int8 [1,2] scale=1 zp=0\n"
                              "n0 FULLY_CONNECTED(t0, t1, t2) -> t3 activation=RELU source=7\n");
}

/* ---- saved form ------------------------------------------------------------------ */
static const char *printed(struct fixture *f, const struct graph *g) {
  struct text t;
  text_init(&t, f->a);
  graph_print(g, &t);
  return t.data;
}

static void saved_graphs_come_back(void **state) {
  struct fixture *f = *state;
  dense(f);
  uint8_t *bytes, *again;
  size_t n, m;
  graph_save(f->g, f->a, &bytes, &n);
  const struct graph *g = graph_load(f->a, "test", bytes, n, &f->e);
  if (!g) fail_msg("%s", f->e.text);
  assert_string_equal(printed(f, g), printed(f, f->g));
  graph_save(g, f->a, &again, &m);
  assert_int_equal(n, m);
  assert_memory_equal(bytes, again, n);
}

static void damaged_saves_are_refused(void **state) {
  struct fixture *f = *state;
  dense(f);
  uint8_t *bytes;
  size_t n;
  graph_save(f->g, f->a, &bytes, &n);
  for (size_t i = 0; i < n; i++) {
    f->e = (struct err){0};
    assert_null(graph_load(f->a, "test", bytes, i, &f->e));
    assert_true(f->e.text[0] != '\0');
  }
  for (size_t i = 0; i < n; i++) {
    bytes[i] ^= 0x40;
    f->e = (struct err){0};
    assert_null(graph_load(f->a, "test", bytes, n, &f->e));
    assert_true(f->e.text[0] != '\0');
    bytes[i] ^= 0x40;
  }
  assert_non_null(graph_load(f->a, "test", bytes, n, &f->e));
}

static void evaluation_says_when_memory_ends(void **state) {
  struct fixture *f = *state;
  dense(f);
  static const int8_t x[3];
  const void *inputs[] = {x};
  const void *values[4];
  struct arena *small = arena_new(1024);
  assert_false(graph_evaluate(f->g, inputs, small, values, &f->e));
  assert_non_null(strstr(f->e.text, "bytes"));
  arena_free(small);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(conv_pads_with_the_zero_point),
      TEST(conv_scales_each_channel),
      TEST(depthwise_multiplies_channels),
      TEST(fully_connected_takes_vectors),
      TEST(fully_connected_rounds_its_scale_to_float),
      TEST(add_follows_the_real_sum),
      TEST(average_pool_rounds_away_from_zero),
      TEST(pools_do_not_count_padding),
      TEST(mean_requantises),
      TEST(softmax_follows_exp),
      TEST(softmax_of_one_winner),
      TEST(reshape_and_pad_move_bytes),
      TEST(windows_are_those_of_tensorflow),
      TEST(activation_ranges),
      TEST(check_refuses_what_breaks_a_rule),
      TEST(the_core_proves_that_sums_fit),
      TEST(printing_is_stable),
      TEST(text_comes_back),
      TEST(saved_graphs_come_back),
      TEST(damaged_saves_are_refused),
      TEST(evaluation_says_when_memory_ends),
  };
#undef TEST
  return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
