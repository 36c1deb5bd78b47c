/* random_graph: small seeded graphs for tests: chains with residual branches over every operator. The same seed
 * gives the same graph. */
#ifndef TEST_RANDOM_GRAPH_H
#define TEST_RANDOM_GRAPH_H

#include "host/graph/graph.h"

#include <string.h>

struct random_graph {
  struct graph *g;
  struct rng rng;
  int operators;
};

static int random_below(struct random_graph *r, int n) {
  return (int)rng_below(&r->rng, (uint32_t)n);
}

static int random_tensor(struct random_graph *r, int n, int h, int w, int c) {
  struct graph_tensor t = {.name = arena_printf(r->g->arena, "t%d", r->g->n_tensors),
                           .type = MOTE_INT8};
  t.rank = h > 0 ? 4 : 2;
  const int32_t image[4] = {n, h, w, c}, flat[2] = {n, c};
  memcpy(t.dims, h > 0 ? image : flat, (size_t)t.rank * sizeof(int32_t));
  t.quant =
      graph_quant_one(r->g->arena, 0.02f + 0.05f * rng_unit(&r->rng), random_below(r, 200) - 100);
  return graph_add_tensor(r->g, &t);
}

/* Weights with a scale for each channel along axis, and values that do not drown. */
static int random_weights(struct random_graph *r, int rank, const int32_t *dims, int axis) {
  struct graph_tensor t = {
      .name = arena_printf(r->g->arena, "w%d", r->g->n_tensors), .type = MOTE_INT8, .rank = rank};
  memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
  const int channels = dims[axis];
  float *scale = ARENA_ARRAY(r->g->arena, float, channels);
  int32_t *zp = ARENA_ARRAY(r->g->arena, int32_t, channels);
  for (int i = 0; i < channels; i++) scale[i] = 0.002f + 0.01f * rng_unit(&r->rng);
  t.quant.count = channels;
  t.quant.axis = axis;
  t.quant.scale = scale;
  t.quant.zp = zp;
  int8_t *data = ARENA_ARRAY(r->g->arena, int8_t, graph_elements(&t));
  for (int64_t i = 0; i < graph_elements(&t); i++) data[i] = (int8_t)(random_below(r, 255) - 127);
  t.data = data;
  return graph_add_tensor(r->g, &t);
}

static int random_bias(struct random_graph *r, int channels, int range, int x, int weights) {
  struct graph_tensor t = {.name = "bias", .type = MOTE_INT32, .rank = 1, .dims = {channels}};
  const struct graph_quant *wq = &r->g->tensors[weights].quant;
  float *scale = ARENA_ARRAY(r->g->arena, float, channels);
  int32_t *data = ARENA_ARRAY(r->g->arena, int32_t, channels),
          *zp = ARENA_ARRAY(r->g->arena, int32_t, channels);
  for (int i = 0; i < channels; i++) {
    data[i] = random_below(r, 2 * range + 1) - range;
    scale[i] = r->g->tensors[x].quant.scale[0] * wq->scale[wq->count > 1 ? i : 0];
  }
  t.quant.count = channels;
  t.quant.scale = scale;
  t.quant.zp = zp;
  t.data = data;
  return graph_add_tensor(r->g, &t);
}

static int random_node(struct random_graph *r, enum mote_op op, const int *in, int n_in, int out,
                       const struct graph_attrs *attrs) {
  struct graph_node n = {
      .op = op, .n_in = n_in, .n_out = 1, .attrs = *attrs, .source_op = r->operators++};
  memcpy(n.in, in, (size_t)n_in * sizeof *in);
  n.out[0] = out;
  graph_add_node(r->g, &n);
  return out;
}

static struct graph_attrs random_window(struct random_graph *r, const struct graph_tensor *x,
                                        int kh, int kw, int stride, int *h, int *w) {
  struct graph_attrs a = {.stride_h = stride, .stride_w = stride, .dilation_h = 1, .dilation_w = 1};
  const bool same = x->dims[1] < kh || x->dims[2] < kw || random_below(r, 3) > 0;
  const enum graph_padding p = same ? GRAPH_PAD_SAME : GRAPH_PAD_VALID;
  a.kernel_h = kh;
  a.kernel_w = kw;
  a.activation = random_below(r, 2) ? GRAPH_ACT_RELU : GRAPH_ACT_NONE;
  a.depth_multiplier = 1;
  *h = graph_window_out(x->dims[1], kh, stride, 1, p, &a.pad_top, &a.pad_bottom);
  *w = graph_window_out(x->dims[2], kw, stride, 1, p, &a.pad_left, &a.pad_right);
  return a;
}

static int random_conv(struct random_graph *r, int x, int out_c, bool one) {
  const struct graph_tensor t = r->g->tensors[x];
  const int k = one ? 1 : 1 + random_below(r, 3), kw = one ? 1 : 1 + random_below(r, 3);
  int h, w;
  struct graph_attrs a = random_window(r, &t, k, kw, one ? 1 : 1 + random_below(r, 2), &h, &w);
  const int32_t dims[4] = {out_c, k, kw, t.dims[3]};
  const int weights = random_weights(r, 4, dims, 0);
  const int in[3] = {x, weights,
                     random_below(r, 5)
                         ? random_bias(r, out_c, random_below(r, 2) ? 2000 : 70000, x, weights)
                         : -1};
  return random_node(r, MOTE_OP_CONV_2D, in, 3, random_tensor(r, 1, h, w, out_c), &a);
}

static int random_depthwise(struct random_graph *r, int x) {
  const struct graph_tensor t = r->g->tensors[x];
  const int k = 1 + random_below(r, 3), multiplier = 1 + (random_below(r, 4) == 0),
            out_c = t.dims[3] * multiplier;
  int h, w;
  struct graph_attrs a = random_window(r, &t, k, 3, 1 + random_below(r, 2), &h, &w);
  a.depth_multiplier = multiplier;
  const int32_t dims[4] = {1, k, 3, out_c};
  const int weights = random_weights(r, 4, dims, 3);
  const int in[3] = {x, weights, random_bias(r, out_c, 3000, x, weights)};
  return random_node(r, MOTE_OP_DEPTHWISE_CONV_2D, in, 3, random_tensor(r, 1, h, w, out_c), &a);
}

static int random_pool(struct random_graph *r, int x, enum mote_op op) {
  const struct graph_tensor t = r->g->tensors[x];
  int h, w;
  struct graph_attrs a = random_window(r, &t, 2, 2, 1 + random_below(r, 2), &h, &w);
  const int out = random_tensor(r, 1, h, w, t.dims[3]);
  r->g->tensors[out].quant = t.quant;
  return random_node(r, op, &x, 1, out, &a);
}

/* Depthwise and 1x1 convolutions of one shape in turn: their rings can follow each other. */
static int random_separable(struct random_graph *r, int x) {
  const struct graph_tensor t = r->g->tensors[x];
  const int h = t.dims[1], w = t.dims[2], c = t.dims[3];
  for (int i = 2 + random_below(r, 4); i > 0; i--) {
    const int k = 1 + 2 * random_below(r, 3);
    struct graph_attrs a = {
        .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .depth_multiplier = 1};
    const int32_t one[4] = {c, 1, 1, c}, window[4] = {1, k, 3, c};
    const int pointwise = random_weights(r, 4, one, 0), depthwise = random_weights(r, 4, window, 3);
    const int second[3] = {x, pointwise, random_bias(r, c, 2000, x, pointwise)};
    x = random_node(r, MOTE_OP_CONV_2D, second, 3, random_tensor(r, 1, h, w, c), &a);
    a.pad_top = a.pad_bottom = k / 2;
    a.pad_left = a.pad_right = 1;
    const int first[3] = {x, depthwise, random_bias(r, c, 3000, x, depthwise)};
    x = random_node(r, MOTE_OP_DEPTHWISE_CONV_2D, first, 3, random_tensor(r, 1, h, w, c), &a);
  }
  return x;
}

/* Rows of one pixel, or few: tall windows without padding and 1x1 convolutions in turn, and perhaps one window over all
 * rows that are left. Wide enough that rows are worth grouping. */
static int random_tall(struct random_graph *r, int x) {
  const int c = 4 * (1 + random_below(r, 3));
  x = random_conv(r, x, c, true);
  for (int i = 1 + random_below(r, 3); i >= 0; i--) {
    const struct graph_tensor t = r->g->tensors[x];
    const bool last = i == 0 && random_below(r, 3) > 0;
    const int h = t.dims[1], top = last && random_below(r, 3) == 0 ? 1 : 0;
    const int kh = last ? h + top : 1 + random_below(r, h < 5 ? h : 5), kw = last ? t.dims[2] : 1;
    struct graph_attrs a = {.stride_h = 1,
                            .stride_w = 1,
                            .dilation_h = 1,
                            .dilation_w = 1,
                            .depth_multiplier = 1,
                            .pad_top = top,
                            .activation = random_below(r, 2) ? GRAPH_ACT_RELU : GRAPH_ACT_NONE};
    const int32_t dims[4] = {1, kh, kw, c};
    const int weights = random_weights(r, 4, dims, 3);
    const int in[3] = {x, weights, random_bias(r, c, 3000, x, weights)};
    x = random_node(r, MOTE_OP_DEPTHWISE_CONV_2D, in, 3,
                    random_tensor(r, 1, h + top - kh + 1, t.dims[2] - kw + 1, c), &a);
    if (!last) x = random_conv(r, x, c, true);
  }
  return x;
}

/* x + f(x), f of one to three 3x3 and 1x1 convolutions. */
static int random_residual(struct random_graph *r, int x) {
  const struct graph_tensor t = r->g->tensors[x];
  struct graph_attrs a = {.activation = random_below(r, 2) ? GRAPH_ACT_RELU : GRAPH_ACT_NONE};
  int y = x;
  for (int i = 1 + random_below(r, 3); i > 0; i--) {
    const struct graph_tensor now = r->g->tensors[y];
    const int k = random_below(r, 2) ? 3 : 1;
    struct graph_attrs c = {
        .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .depth_multiplier = 1};
    c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = k / 2;
    const int32_t dims[4] = {t.dims[3], k, k, now.dims[3]};
    const int weights = random_weights(r, 4, dims, 0);
    const int in[3] = {y, weights, random_bias(r, t.dims[3], 2000, y, weights)};
    y = random_node(r, MOTE_OP_CONV_2D, in, 3, random_tensor(r, 1, t.dims[1], t.dims[2], t.dims[3]),
                    &c);
  }
  const bool first = random_below(r, 2) == 0;
  const int sum[2] = {first ? x : y, first ? y : x};
  return random_node(r, MOTE_OP_ADD, sum, 2, random_tensor(r, 1, t.dims[1], t.dims[2], t.dims[3]),
                     &a);
}

static int random_pad(struct random_graph *r, int x) {
  const struct graph_tensor t = r->g->tensors[x];
  struct graph_attrs a = {.pad_top = random_below(r, 3),
                          .pad_bottom = random_below(r, 2),
                          .pad_left = random_below(r, 2),
                          .pad_right = 1};
  const int out = random_tensor(r, 1, t.dims[1] + a.pad_top + a.pad_bottom,
                                t.dims[2] + a.pad_left + a.pad_right, t.dims[3]);
  r->g->tensors[out].quant = t.quant;
  return random_node(r, MOTE_OP_PAD, &x, 1, out, &a);
}

static int random_dense(struct random_graph *r, int x, int out_c) {
  const struct graph_tensor t = r->g->tensors[x];
  struct graph_attrs a = {.activation = GRAPH_ACT_NONE};
  const int32_t dims[2] = {out_c, (int32_t)graph_elements(&t)};
  const int weights = random_weights(r, 2, dims, 0);
  const int in[3] = {x, weights, random_bias(r, out_c, 2000, x, weights)};
  return random_node(r, MOTE_OP_FULLY_CONNECTED, in, 3, random_tensor(r, 1, 0, 0, out_c), &a);
}

static int random_head(struct random_graph *r, int x) {
  const struct graph_tensor t = r->g->tensors[x];
  struct graph_attrs a = {
      .stride_h = 1, .stride_w = 1, .kernel_h = t.dims[1], .kernel_w = t.dims[2], .beta = 1.0f};
  switch (random_below(r, 4)) {
  case 0: return x;
  case 1: {
    const int out = random_tensor(r, 1, 1, 1, t.dims[3]);
    r->g->tensors[out].quant = t.quant;
    x = random_node(r, MOTE_OP_AVERAGE_POOL_2D, &x, 1, out, &a);
    break;
  }
  case 2: x = random_node(r, MOTE_OP_MEAN, &x, 1, random_tensor(r, 1, 0, 0, t.dims[3]), &a); break;
  default: break;
  }
  const int flat = random_tensor(r, 1, 0, 0, (int)graph_elements(&r->g->tensors[x]));
  r->g->tensors[flat].quant = r->g->tensors[x].quant;
  x = random_node(r, MOTE_OP_RESHAPE, &x, 1, flat, &a);
  x = random_dense(r, x, 2 + random_below(r, 10));
  const int out = random_tensor(r, 1, 0, 0, r->g->tensors[x].dims[1]);
  r->g->tensors[out].quant = graph_quant_one(r->g->arena, 1.0f / 256.0f, -128);
  return random_node(r, MOTE_OP_SOFTMAX, &x, 1, out, &a);
}

static inline struct graph *random_graph(struct arena *a, uint64_t seed) {
  struct random_graph r = {.g = graph_new(a, "random")};
  rng_seed(&r.rng, seed);
  const int input = random_tensor(&r, 1, 3 + random_below(&r, 12), 1 + random_below(&r, 10),
                                  1 + random_below(&r, 9));
  int x = input, extra = -1;
  for (int i = 1 + random_below(&r, 6); i > 0; i--) {
    const int c = 1 + random_below(&r, 12);
    switch (random_below(&r, 10)) {
    case 0:
    case 1: x = random_conv(&r, x, c, false); break;
    case 2: x = random_conv(&r, x, c, true); break;
    case 3: x = random_depthwise(&r, x); break;
    case 4: x = random_residual(&r, x); break;
    case 5: x = random_pool(&r, x, MOTE_OP_MAX_POOL_2D); break;
    case 6: x = random_pool(&r, x, MOTE_OP_AVERAGE_POOL_2D); break;
    case 7: x = random_separable(&r, x); break;
    case 8: x = random_tall(&r, x); break;
    default: x = random_pad(&r, x); break;
    }
    if (random_below(&r, 12) == 0) extra = x;
  }
  const int y = random_head(&r, x);
  const int outputs[2] = {y, extra};
  graph_set_inputs(r.g, &input, 1);
  graph_set_outputs(r.g, outputs, extra >= 0 && extra != y ? 2 : 1);
  return r.g;
}

#endif
