/* A small model with every operator, built in memory: the seed of tests that must not depend on files. */
#ifndef TEST_FUZZ_MODELS_H
#define TEST_FUZZ_MODELS_H

#include "host/graph/graph.h"

struct model_builder {
  struct graph *g;
  struct rng r;
  int last; /* the tensor made last */
};

static int model_tensor(struct model_builder *b, int n, int h, int w, int c, float scale,
                        int32_t zp) {
  const struct graph_tensor t = {.name = "activation",
                                 .type = MOTE_INT8,
                                 .rank = 4,
                                 .dims = {n, h, w, c},
                                 .quant = graph_quant_one(b->g->arena, scale, zp)};
  return graph_add_tensor(b->g, &t);
}

/* Seeded weights with a scale for each channel of `axis`, or one for all where axis is -1. */
static int model_weights(struct model_builder *b, int rank, const int32_t dims[4], int axis) {
  struct graph_tensor t = {.name = "weights", .type = MOTE_INT8, .rank = rank};
  for (int i = 0; i < rank; i++) t.dims[i] = dims[i];
  const size_t n = (size_t)graph_elements(&t);
  int8_t *data = ARENA_ARRAY(b->g->arena, int8_t, n);
  for (size_t i = 0; i < n; i++) data[i] = (int8_t)((int)rng_below(&b->r, 255) - 127);
  t.data = data;
  t.quant.count = axis < 0 ? 1 : dims[axis];
  t.quant.axis = axis < 0 ? 0 : axis;
  float *scale = ARENA_ARRAY(b->g->arena, float, t.quant.count);
  for (int i = 0; i < t.quant.count; i++) scale[i] = 0.002f + 0.008f * rng_unit(&b->r);
  t.quant.scale = scale;
  t.quant.zp = ARENA_ARRAY(b->g->arena, int32_t, t.quant.count);
  return graph_add_tensor(b->g, &t);
}

static int model_bias(struct model_builder *b, int n) {
  struct graph_tensor t = {.name = "bias", .type = MOTE_INT32, .rank = 1, .dims = {n}};
  int32_t *data = ARENA_ARRAY(b->g->arena, int32_t, n);
  for (int i = 0; i < n; i++) data[i] = (int32_t)rng_below(&b->r, 2001) - 1000;
  t.data = data;
  t.quant = graph_quant_one(b->g->arena, 0.001f, 0);
  return graph_add_tensor(b->g, &t);
}

static void model_node(struct model_builder *b, enum mote_op op, int n_in, int second, int third,
                       int out, struct graph_attrs attrs) {
  const struct graph_node n = {.op = op,
                               .n_in = n_in,
                               .n_out = 1,
                               .in = {b->last, second, third},
                               .out = {out},
                               .attrs = attrs,
                               .source_op = b->g->n_nodes};
  graph_add_node(b->g, &n);
  b->last = out;
}

/* [1,9,8,2] -> pad -> convolution (stride 2, ReLU) -> depthwise (SAME, ReLU6) -> sum with the convolution ->
 * maximum and average pool -> mean -> reshape -> dense -> softmax over 3. */
__attribute__((unused)) static struct graph *model_with_all_operators(struct arena *a) {
  struct model_builder b = {.g = graph_new(a, "all operators")};
  rng_seed(&b.r, 2718);
  const int input = b.last = model_tensor(&b, 1, 9, 8, 2, 0.05f, -3);
  model_node(&b, MOTE_OP_PAD, 1, 0, 0, model_tensor(&b, 1, 11, 10, 2, 0.05f, -3),
             (struct graph_attrs){.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1});
  struct graph_attrs conv = {
      .activation = GRAPH_ACT_RELU, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  const int kernel = model_weights(&b, 4, (const int32_t[4]){6, 3, 3, 2}, 0),
            kernel_bias = model_bias(&b, 6);
  const int first = model_tensor(&b, 1, 9, 8, 6, 0.06f, -128);
  model_node(&b, MOTE_OP_CONV_2D, 3, kernel, kernel_bias, first, conv);
  struct graph_attrs depthwise = {.activation = GRAPH_ACT_RELU6,
                                  .stride_h = 1,
                                  .stride_w = 1,
                                  .dilation_h = 1,
                                  .dilation_w = 1,
                                  .pad_top = 1,
                                  .pad_bottom = 1,
                                  .pad_left = 1,
                                  .pad_right = 1,
                                  .depth_multiplier = 1};
  const int apart = model_weights(&b, 4, (const int32_t[4]){1, 3, 3, 6}, 3),
            apart_bias = model_bias(&b, 6);
  model_node(&b, MOTE_OP_DEPTHWISE_CONV_2D, 3, apart, apart_bias,
             model_tensor(&b, 1, 9, 8, 6, 0.03f, -128), depthwise);
  model_node(&b, MOTE_OP_ADD, 2, first, 0, model_tensor(&b, 1, 9, 8, 6, 0.07f, -120),
             (struct graph_attrs){0});
  const struct graph_attrs pool = {
      .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2, .dilation_h = 1, .dilation_w = 1};
  struct graph_attrs same = pool;
  same.pad_bottom = 1;
  model_node(&b, MOTE_OP_MAX_POOL_2D, 1, 0, 0, model_tensor(&b, 1, 5, 4, 6, 0.07f, -120), same);
  model_node(&b, MOTE_OP_AVERAGE_POOL_2D, 1, 0, 0, model_tensor(&b, 1, 2, 2, 6, 0.07f, -120), pool);
  model_node(&b, MOTE_OP_MEAN, 1, 0, 0, model_tensor(&b, 1, 1, 1, 6, 0.05f, -128),
             (struct graph_attrs){.keep_dims = true});
  const struct graph_tensor flat = {.name = "flat",
                                    .type = MOTE_INT8,
                                    .rank = 2,
                                    .dims = {1, 6},
                                    .quant = graph_quant_one(a, 0.05f, -128)};
  model_node(&b, MOTE_OP_RESHAPE, 1, 0, 0, graph_add_tensor(b.g, &flat), (struct graph_attrs){0});
  const int dense = model_weights(&b, 2, (const int32_t[4]){3, 6}, -1),
            dense_bias = model_bias(&b, 3);
  struct graph_tensor classes = {.name = "classes",
                                 .type = MOTE_INT8,
                                 .rank = 2,
                                 .dims = {1, 3},
                                 .quant = graph_quant_one(a, 0.04f, 0)};
  model_node(&b, MOTE_OP_FULLY_CONNECTED, 3, dense, dense_bias, graph_add_tensor(b.g, &classes),
             (struct graph_attrs){0});
  classes.quant = graph_quant_one(a, 1.0f / 256, -128);
  model_node(&b, MOTE_OP_SOFTMAX, 1, 0, 0, graph_add_tensor(b.g, &classes),
             (struct graph_attrs){.beta = 1.0f});
  graph_set_inputs(b.g, &input, 1);
  graph_set_outputs(b.g, &b.last, 1);
  return b.g;
}

#endif
