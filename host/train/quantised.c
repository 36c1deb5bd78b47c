/* train/quantised: the integer forward pass, and the graph.
 *
 * A value holds q - zp as float32, an integer of at most 8 bits and a sign. A product of K <= 512 such steps
 * with int8 weights is at most 512 * 255 * 127 < 2^24, so float32 adds it exactly in any order: the float
 * loops of training compute the device's integer sums. Longer sums are cut into slices of 512 and added in
 * int32. From there on it is the runtime's own arithmetic: mote_requantise with the multipliers of host/graph.
 *
 * Gradients go straight through the rounding (Bengio et al. 2013) and stop where an output was clamped
 * (Jacob et al. 2018). */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define SLICE 512
#define BIAS_MOST                                                                                  \
  134217728.0 /* 2^27: with 32768 products of 255 * 127 the sum stays within int32 */

/* ---- scales --------------------------------------------------------------------- */
static void value_scale(struct value *v, const float *range) {
  const double low = range[0] < 0.0f ? (double)range[0] : 0.0,
               high = range[1] > 0.0f ? (double)range[1] : 0.0;
  const double span = high - low > 1e-5 ? high - low : 1e-5;
  v->scale = (float)(span / 255.0);
  const double zp = rint(-128.0 - low / (double)v->scale);
  v->zp = (int32_t)(zp < -128.0 ? -128.0 : zp > 127.0 ? 127.0 : zp);
}

/* Symmetric weights of one channel: the largest becomes 127. A channel of tiny weights and a large bias gets
 * a coarser scale, so that the bias fits. */
static double channel_scale(const struct engine *g, const struct unit *u, int c) {
  const float *w = g->params + u->w_at;
  double most = 0;
  for (int k = 0; k < u->k; k++) {
    const double x = fabs((double)w[(size_t)k * (size_t)u->np + (size_t)c]);
    most = x > most ? x : most;
  }
  const double bias = fabs((double)g->params[u->b_at + (size_t)c]);
  const double in = (double)g->values[u->in].scale, least = bias / (in * BIAS_MOST);
  most /= 127.0;
  if (most < least) most = least;
  const double floor_of_multiplier = (double)g->values[u->out].scale / in * 0x1p-30;
  return most > floor_of_multiplier ? most : floor_of_multiplier;
}

static void unit_weights(struct engine *g, struct unit *u) {
  double layer = 0;
  for (int c = 0; c < u->d.out_c; c++) {
    const double s = channel_scale(g, u, c);
    u->w_scale[c] = (float)s;
    layer = s > layer ? s : layer;
  }
  for (int c = 0; c < u->d.out_c; c++) {
    if (u->d.kind == TRAIN_DENSE) u->w_scale[c] = (float)layer; /* one scale for the layer */
    const float scale = u->w_scale[c];
    for (int k = 0; k < u->k; k++) {
      const size_t at = (size_t)k * (size_t)u->np + (size_t)c;
      const float q = rintf(g->params[u->w_at + at] / scale);
      u->wq[at] = q < -127.0f ? -127.0f : q > 127.0f ? 127.0f : q;
      u->wr[at] = u->wq[at] * scale;
    }
    u->bias_scale[c] = g->values[u->in].scale * scale;
    const double b = rint((double)g->params[u->b_at + (size_t)c] / (double)u->bias_scale[c]);
    u->bias[c] = (int32_t)(b > 2.0 * BIAS_MOST    ? 2.0 * BIAS_MOST
                           : b < -2.0 * BIAS_MOST ? -2.0 * BIAS_MOST
                                                  : b);
    int shift;
    graph_output_multiplier(g->graph, u->node, c, &u->multiplier[c], &shift);
    u->left[c] = shift > 0 ? shift : 0;
    u->right[c] = shift > 0 ? 0 : -shift;
    u->real[c] = u->bias_scale[c];
  }
}

void engine_quantise(struct engine *g) {
  for (int i = 1; i < g->n_values; i++) {
    struct value *v = &g->values[i];
    if (v->range_of == i)
      value_scale(v, g->ranges + 2 * i);
    else
      v->scale = g->values[v->range_of].scale, v->zp = g->values[v->range_of].zp;
  }
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    if (u->linear) unit_weights(g, u);
    if (u->d.kind == TRAIN_ADD) graph_add_scaling_of(g->graph, u->node, &u->add);
    if (u->d.kind == TRAIN_MEAN) graph_mean_scaling_of(g->graph, u->node, &u->mean_scaling);
    u->low = -128;
    u->high = 127;
    if (u->d.kind == TRAIN_DROPOUT) continue;
    const struct graph_node *n = &g->graph->nodes[u->node];
    graph_activation_range(&g->graph->tensors[n->out[0]], n->attrs.activation, &u->low, &u->high);
  }
}

/* ---- forward ---------------------------------------------------------------------- */
static inline float step_of(const struct unit *u, int32_t zp, int32_t q) {
  return (float)(mote_clamp(q + zp, u->low, u->high) - zp);
}

static struct lanes_requantise requantise_of(const struct engine *g, const struct unit *u) {
  return (struct lanes_requantise){u->bias, u->multiplier,        u->left, u->right,
                                   u->real, g->values[u->out].zp, u->low,  u->high};
}

static void linear_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const struct value *out = &g->values[u->out];
  const struct lanes_requantise how = requantise_of(g, u);
  const size_t np = (size_t)u->np;
  const int rows = (s1 - s0) * u->pixels;
  float *tile = g->scratch[worker], *part = tile + (size_t)u->tile * (size_t)u->kk;
  int32_t *sum = (int32_t *)(void *)(part + (size_t)u->tile * np);
  float *y = value_at(out, out->y, s0);
  for (int m0 = 0; m0 < rows; m0 += u->tile, y += (size_t)u->tile * np) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, tile, &a_row);
    for (int k0 = 0; k0 < u->k; k0 += SLICE) {
      const int k = u->k - k0 < SLICE ? u->k - k0 : SLICE;
      /* The slice before is an exact integer: it moves to int32 before the next takes its place. */
      if (k0 == SLICE) memset(sum, 0, (size_t)n * np * sizeof *sum);
      for (size_t i = 0; k0 > 0 && i < (size_t)n * np; i++) sum[i] += (int32_t)part[i];
      g->lanes->gemm(n, u->np, k, a + k0, a_row, 1, u->wq + (size_t)k0 * np, np, part, np, false);
    }
    g->lanes->requantise(n, u->np, &how, part, u->k > SLICE ? sum : NULL, y, u->seen[chunk]);
  }
}

static void depthwise_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct lanes_requantise how = requantise_of(g, u);
  for (int s = s0; s < s1; s++) {
    float *y = value_at(out, out->y, s);
    g->lanes->depthwise(&u->window, value_at(in, in->y, s), u->wq, NULL, y);
    g->lanes->requantise(u->pixels, u->np, &how, y, NULL, y, u->seen[chunk]);
  }
}

static void add_int8(const struct engine *g, struct unit *u, const float *a, const float *b,
                     float *y, float seen[2]) {
  const struct value *va = &g->values[u->in], *vb = &g->values[u->also], *out = &g->values[u->out];
  const struct graph_add_scaling *k = &u->add;
  for (int p = 0; p < u->pixels; p++, a += u->np, b += u->np, y += u->np)
    for (int c = 0; c < u->d.out_c; c++) {
      const float real = a[c] * va->scale + b[c] * vb->scale;
      seen[0] = real < seen[0] ? real : seen[0];
      seen[1] = real > seen[1] ? real : seen[1];
      /* |q - zp| <= 255: times 2^20 fits. */
      const int32_t x0 =
          mote_requantise((int32_t)a[c] * (1 << k->left_shift), k->multiplier[0], k->shift[0]);
      const int32_t x1 =
          mote_requantise((int32_t)b[c] * (1 << k->left_shift), k->multiplier[1], k->shift[1]);
      y[c] = step_of(u, out->zp, mote_requantise(x0 + x1, k->out_multiplier, k->out_shift));
    }
}

/* Windows over values of one scale: zero points cancel in a maximum; an average divides the sum of q itself,
 * halves away from zero, as the reference does. */
static void pool_int8(const struct engine *g, struct unit *u, const float *x, float *y) {
  const struct lanes_window *p = &u->window;
  const int32_t zp = g->values[u->out].zp;
  for (int i = 0; i < u->pixels; i++, y += p->np) {
    const int iy = i / p->out_w * p->stride_h - p->pad_top,
              ix = i % p->out_w * p->stride_w - p->pad_left;
    const int y0 = iy < 0 ? 0 : iy, y1 = iy + p->kernel_h > p->in_h ? p->in_h : iy + p->kernel_h;
    const int x0 = ix < 0 ? 0 : ix, x1 = ix + p->kernel_w > p->in_w ? p->in_w : ix + p->kernel_w;
    const int32_t n = (y1 - y0) * (x1 - x0);
    for (int c = 0; c < u->d.out_c; c++) {
      int32_t sum = 0, most = -128;
      for (int a = y0; a < y1; a++)
        for (int b = x0; b < x1; b++) {
          const int32_t q = (int32_t)x[((ptrdiff_t)a * p->in_w + b) * p->np + c] + zp;
          sum += q;
          most = q > most ? q : most;
        }
      const int32_t average = sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
      y[c] =
          (float)(mote_clamp(u->d.kind == TRAIN_MAX_POOL ? most : average, u->low, u->high) - zp);
    }
  }
}

static void mean_int8(const struct engine *g, struct unit *u, const float *x, float *y,
                      float seen[2]) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct graph_mean_scaling *k = &u->mean_scaling;
  for (int c = 0; c < u->d.out_c; c++) {
    int32_t sum = 0;
    for (int i = 0; i < in->h * in->w; i++)
      sum += (int32_t)x[(size_t)i * (size_t)in->cs + (size_t)c];
    const float real = (float)sum * in->scale / (float)(in->h * in->w);
    seen[0] = real < seen[0] ? real : seen[0];
    seen[1] = real > seen[1] ? real : seen[1];
    y[c] = step_of(u, out->zp, mote_requantise(sum, k->multiplier, k->shift));
  }
}

void engine_forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const struct value *in = &g->values[u->in], *also = &g->values[u->also],
                     *out = &g->values[u->out];
  u->seen[chunk][0] = u->seen[chunk][1] = 0.0f;
  if (u->d.kind == TRAIN_DEPTHWISE)
    depthwise_int8(g, u, s0, s1, chunk);
  else if (u->linear)
    linear_int8(g, u, s0, s1, chunk, worker);
  if (u->linear) return;
  for (int s = s0; s < s1; s++) {
    const float *x = value_at(in, in->y, s);
    float *y = value_at(out, out->y, s);
    if (u->d.kind == TRAIN_ADD)
      add_int8(g, u, x, value_at(also, also->y, s), y, u->seen[chunk]);
    else if (u->d.kind == TRAIN_MEAN)
      mean_int8(g, u, x, y, u->seen[chunk]);
    else if (u->d.kind == TRAIN_DROPOUT)
      memcpy(y, x, (size_t)u->pixels * (size_t)u->np * sizeof *y);
    else
      pool_int8(g, u, x, y);
  }
}

/* ---- ranges -------------------------------------------------------------------------- */
static void move_range(const struct engine *g, const struct unit *u, float low, float high,
                       float share) {
  float *range = g->ranges + 2 * u->out;
  if (u->d.relu) low = 0.0f;
  range[0] += share * (low - range[0]);
  range[1] += share * (high - range[1]);
}

void engine_observe(struct engine *g, float share) {
  for (int i = 0; i < g->n_units; i++) {
    const struct value *v = &g->values[i + 1];
    if (v->range_of != i + 1) continue;
    const size_t n = (size_t)g->count * (size_t)v->h * (size_t)v->w * (size_t)v->cs;
    float low = 0, high = 0;
    for (size_t j = 0; j < n; j++) {
      low = v->y[j] < low ? v->y[j] : low;
      high = v->y[j] > high ? v->y[j] : high;
    }
    move_range(g, &g->units[i], low, high, share);
  }
}

void engine_observe_int8(struct engine *g, float share) {
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (g->values[u->out].range_of != u->out) continue;
    float low = 0, high = 0;
    for (int c = 0; c < g->chunks; c++) {
      low = u->seen[c][0] < low ? u->seen[c][0] : low;
      high = u->seen[c][1] > high ? u->seen[c][1] : high;
    }
    move_range(g, u, low, high, share);
  }
}

/* ---- the graph ------------------------------------------------------------------------- */
static void set_dims(struct graph_tensor *t, int rank, int a, int b, int c, int d) {
  const int dims[4] = {a, b, c, d};
  t->rank = rank;
  for (int i = 0; i < rank; i++) t->dims[i] = dims[i];
}

static int add_value(struct graph *gr, const struct value *v, const char *name, bool flat) {
  struct graph_tensor t = {.name = name, .type = MOTE_INT8};
  if (flat)
    set_dims(&t, 2, 1, v->c, 0, 0);
  else
    set_dims(&t, 4, 1, v->h, v->w, v->c);
  t.quant = (struct graph_quant){1, 0, &v->scale, &v->zp};
  return graph_add_tensor(gr, &t);
}

static void add_weights(const struct engine *g, struct graph *gr, const struct unit *u, int index,
                        struct graph_node *n) {
  const int c = g->values[u->in].c, out = u->d.out_c;
  struct graph_tensor w = {.name = arena_printf(gr->arena, "layer%d/weights", index + 1),
                           .type = MOTE_INT8};
  if (u->d.kind == TRAIN_CONV)
    set_dims(&w, 4, out, u->d.kernel_h, u->d.kernel_w, c);
  else if (u->d.kind == TRAIN_DEPTHWISE)
    set_dims(&w, 4, 1, u->d.kernel_h, u->d.kernel_w, out);
  else
    set_dims(&w, 2, out, u->k, 0, 0);
  w.quant = (struct graph_quant){out, u->d.kind == TRAIN_DEPTHWISE ? 3 : 0, u->w_scale, u->zeros};
  struct graph_tensor b = {.name = arena_printf(gr->arena, "layer%d/bias", index + 1),
                           .type = MOTE_INT32};
  set_dims(&b, 1, out, 0, 0, 0);
  b.quant = (struct graph_quant){out, 0, u->bias_scale, u->zeros};
  if (u->d.kind == TRAIN_DENSE) w.quant.count = b.quant.count = 1;
  w.data = u->wq; /* replaced when the graph is exported */
  b.data = u->bias;
  n->n_in = 3;
  n->in[1] = graph_add_tensor(gr, &w);
  n->in[2] = graph_add_tensor(gr, &b);
}

static enum mote_op operator_of(enum train_kind kind) {
  static const enum mote_op operators[] = {
      [TRAIN_CONV] = MOTE_OP_CONV_2D,
      [TRAIN_DEPTHWISE] = MOTE_OP_DEPTHWISE_CONV_2D,
      [TRAIN_DENSE] = MOTE_OP_FULLY_CONNECTED,
      [TRAIN_ADD] = MOTE_OP_ADD,
      [TRAIN_AVERAGE_POOL] = MOTE_OP_AVERAGE_POOL_2D,
      [TRAIN_MAX_POOL] = MOTE_OP_MAX_POOL_2D,
      [TRAIN_MEAN] = MOTE_OP_MEAN,
  };
  return operators[kind];
}

static struct graph_attrs attrs_of(const struct engine *g, const struct unit *u) {
  const struct value *in = &g->values[u->in];
  struct graph_attrs t = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  t.activation = u->d.relu ? GRAPH_ACT_RELU : GRAPH_ACT_NONE;
  t.depth_multiplier = u->d.kind == TRAIN_DEPTHWISE;
  const bool window = u->d.kind == TRAIN_CONV || u->d.kind == TRAIN_DEPTHWISE ||
                      u->d.kind == TRAIN_AVERAGE_POOL || u->d.kind == TRAIN_MAX_POOL;
  if (!window) return t;
  t.stride_h = u->d.stride_h;
  t.stride_w = u->d.stride_w;
  t.kernel_h = u->d.kernel_h;
  t.kernel_w = u->d.kernel_w;
  graph_window_out(in->h, u->d.kernel_h, u->d.stride_h, 1, u->d.padding, &t.pad_top, &t.pad_bottom);
  graph_window_out(in->w, u->d.kernel_w, u->d.stride_w, 1, u->d.padding, &t.pad_left, &t.pad_right);
  return t;
}

/* The nodes of all layers; tensors point to this engine's scales and integers. Dropout vanishes. */
static struct graph *build(struct engine *g, struct arena *a) {
  struct graph *gr = graph_new(a, "trained");
  int *tensors = ARENA_ARRAY(a, int, g->n_values);
  bool *flat = ARENA_ARRAY(a, bool, g->n_values);
  tensors[0] = add_value(gr, &g->values[0], "input", false);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    flat[u->out] = u->d.kind == TRAIN_DENSE || u->d.kind == TRAIN_MEAN ||
                   ((u->d.kind == TRAIN_DROPOUT || u->d.kind == TRAIN_ADD) && flat[u->in]);
    tensors[u->out] = tensors[u->in];
    if (u->d.kind == TRAIN_DROPOUT) continue;
    struct graph_node n = {
        .op = operator_of(u->d.kind), .n_in = 1, .n_out = 1, .source_op = u->node};
    n.in[0] = tensors[u->in];
    if (u->d.kind == TRAIN_ADD) n.n_in = 2, n.in[1] = tensors[u->also];
    if (u->linear) add_weights(g, gr, u, i, &n);
    n.attrs = attrs_of(g, u);
    tensors[u->out] = n.out[0] =
        add_value(gr, &g->values[u->out], arena_printf(a, "layer%d", i + 1), flat[u->out]);
    n.source_op = gr->n_nodes;
    u->node = graph_add_node(gr, &n);
  }
  struct graph_tensor scores = {
      .name = "scores", .type = MOTE_INT8, .quant = graph_quant_one(a, 0x1p-8f, -128)};
  set_dims(&scores, 2, 1, g->classes, 0, 0);
  struct graph_node softmax = {
      .op = MOTE_OP_SOFTMAX, .n_in = 1, .n_out = 1, .source_op = gr->n_nodes};
  softmax.in[0] = tensors[g->n_values - 1];
  softmax.out[0] = graph_add_tensor(gr, &scores);
  softmax.attrs = (struct graph_attrs){
      .beta = 1.0f, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  graph_add_node(gr, &softmax);
  graph_set_inputs(gr, &tensors[0], 1);
  graph_set_outputs(gr, &softmax.out[0], 1);
  return gr;
}

void engine_quant_init(struct engine *g) {
  struct arena *a = g->arena;
  for (int i = 0; i < g->n_values; i++) g->values[i].range_of = i;
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    const size_t np = (size_t)u->np;
    if (u->d.kind == TRAIN_AVERAGE_POOL || u->d.kind == TRAIN_MAX_POOL ||
        u->d.kind == TRAIN_DROPOUT)
      g->values[u->out].range_of = g->values[u->in].range_of;
    if (!u->linear) continue;
    u->wq = ARENA_ARRAY(a, float, (size_t)u->k *np);
    u->wr = ARENA_ARRAY(a, float, (size_t)u->k *np);
    u->bias = ARENA_ARRAY(a, int32_t, np);
    u->multiplier = ARENA_ARRAY(a, int32_t, np);
    u->left = ARENA_ARRAY(a, int32_t, np);
    u->right = ARENA_ARRAY(a, int32_t, np);
    u->real = ARENA_ARRAY(a, float, np);
    u->w_scale = ARENA_ARRAY(a, float, np);
    u->bias_scale = ARENA_ARRAY(a, float, np);
    u->zeros = ARENA_ARRAY(a, int32_t, np);
  }
  g->graph = build(g, a);
}

static void *copy_of(struct arena *a, const void *from, size_t count, size_t size) {
  void *to = arena_alloc(a, count, size);
  memcpy(to, from, count * size);
  return to;
}

/* [k][np] floats to int8 in the graph's order: channels first, but for depthwise. */
static int8_t *weights_of(const struct unit *u, struct arena *a) {
  const int out = u->d.out_c;
  int8_t *to = ARENA_ARRAY(a, int8_t, (size_t)u->k * (size_t)out);
  for (int k = 0; k < u->k; k++)
    for (int c = 0; c < out; c++) {
      const size_t at = u->d.kind == TRAIN_DEPTHWISE ? (size_t)k * (size_t)out + (size_t)c
                                                     : (size_t)c * (size_t)u->k + (size_t)k;
      to[at] = (int8_t)u->wq[(size_t)k * (size_t)u->np + (size_t)c];
    }
  return to;
}

struct graph *engine_export(const struct engine *g, struct arena *a) {
  struct engine copy = *g;
  copy.units = copy_of(a, g->units, (size_t)g->n_units, sizeof *g->units);
  struct graph *gr = build(&copy, a);
  for (int i = 0; i < gr->n_tensors; i++) {
    struct graph_tensor *t = &gr->tensors[i];
    t->quant.scale = copy_of(a, t->quant.scale, (size_t)t->quant.count, sizeof(float));
    t->quant.zp = copy_of(a, t->quant.zp, (size_t)t->quant.count, sizeof(int32_t));
  }
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &copy.units[i];
    if (!u->linear) continue;
    const struct graph_node *n = &gr->nodes[u->node];
    gr->tensors[n->in[1]].data = weights_of(u, a);
    gr->tensors[n->in[2]].data = copy_of(a, u->bias, (size_t)u->d.out_c, sizeof(int32_t));
  }
  return gr;
}
