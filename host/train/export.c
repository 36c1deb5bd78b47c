/* train/export: the graph that a device runs: its scales and integers are the engine's while training, copies when it
 * is given away. */
#include "host/train/engine.h"

#include <string.h>

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

static enum mote_op operator_of(const struct train_layer *d) {
  switch (d->kind) {
  case TRAIN_CONV: return MOTE_OP_CONV_2D;
  case TRAIN_DEPTHWISE: return MOTE_OP_DEPTHWISE_CONV_2D;
  case TRAIN_DENSE: return MOTE_OP_FULLY_CONNECTED;
  case TRAIN_ADD: return MOTE_OP_ADD;
  case TRAIN_AVERAGE_POOL: return MOTE_OP_AVERAGE_POOL_2D;
  case TRAIN_MAX_POOL: return MOTE_OP_MAX_POOL_2D;
  case TRAIN_MEAN: return MOTE_OP_MEAN;
  case TRAIN_MULTIPLY: return MOTE_OP_MUL;
  case TRAIN_CONCAT: return MOTE_OP_CONCATENATION;
  case TRAIN_ACTIVATION:
    return d->activation == TRAIN_SIGMOID ? MOTE_OP_LOGISTIC
           : d->activation == TRAIN_TANH  ? MOTE_OP_TANH
                                          : MOTE_OP_HARD_SWISH;
  case TRAIN_LAST: return MOTE_OP_SLICE;
  case TRAIN_UPSAMPLE: return MOTE_OP_RESIZE_NEAREST_NEIGHBOR;
  case TRAIN_REQUANTISE: return MOTE_OP_QUANTIZE;
  case TRAIN_LSTM: return MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM;
  case TRAIN_GRU: return MOTE_OP_GRU;
  case TRAIN_SEQUENCE:
  case TRAIN_DROPOUT: break;
  }
  return MOTE_OP_RESHAPE;
}

static void window_attrs(const struct train_layer *d, const struct value *in,
                         struct graph_attrs *t) {
  t->stride_h = d->stride_h;
  t->stride_w = d->stride_w;
  t->kernel_h = d->kernel_h;
  t->kernel_w = d->kernel_w;
  t->dilation_h = d->dilation_h;
  t->dilation_w = d->dilation_w;
  train_window_out(d, true, in->h, &t->pad_top, &t->pad_bottom);
  train_window_out(d, false, in->w, &t->pad_left, &t->pad_right);
}

static struct graph_attrs attrs_of(const struct engine *g, const struct unit *u) {
  const struct value *in = &g->values[u->in];
  struct graph_attrs t = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  switch (u->d.kind) {
  case TRAIN_CONV:
  case TRAIN_DEPTHWISE:
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
    window_attrs(&u->d, in, &t);
    t.depth_multiplier = u->d.kind == TRAIN_DEPTHWISE;
    break;
  case TRAIN_CONCAT: t.axis = u->d.flat ? 1 : 3; break;
  case TRAIN_UPSAMPLE: t.half_pixel_centers = true; break;
  case TRAIN_LAST:
    t.begin[1] = in->h - 1;
    for (int i = 0; i < 4; i++) t.step[i] = 1;
    t.option[0] = t.option[1] = 1;
    t.option[2] = in->w;
    t.option[3] = in->c;
    break;
  default: break;
  }
  if (u->d.activation == TRAIN_RELU) t.activation = GRAPH_ACT_RELU;
  if (u->d.activation == TRAIN_RELU6) t.activation = GRAPH_ACT_RELU6;
  return t;
}

/* The output of a head: of classes behind a softmax. */
static int add_head(struct engine *g, struct graph *gr, const struct train_head *h, int tensor,
                    const char *name) {
  if (h->kind != TRAIN_HEAD_CLASSES && h->kind != TRAIN_HEAD_CELLS) return tensor;
  const struct value *v = &g->values[h->layer + 1];
  struct graph_tensor scores = {
      .name = name, .type = MOTE_INT8, .quant = graph_quant_one(gr->arena, 0x1p-8f, -128)};
  if (g->net.layers[h->layer].flat)
    set_dims(&scores, 2, 1, v->c, 0, 0);
  else
    set_dims(&scores, 4, 1, v->h, v->w, v->c);
  struct graph_node softmax = {
      .op = MOTE_OP_SOFTMAX, .n_in = 1, .n_out = 1, .source_op = gr->n_nodes};
  softmax.in[0] = tensor;
  softmax.out[0] = graph_add_tensor(gr, &scores);
  softmax.attrs = (struct graph_attrs){
      .beta = 1.0f, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  graph_add_node(gr, &softmax);
  return softmax.out[0];
}

/* The nodes of all layers; tensors point to this engine's scales and integers. Dropout vanishes. */
static struct graph *build(struct engine *g, struct arena *a) {
  struct graph *gr = graph_new(a, "trained");
  int *tensors = ARENA_ARRAY(a, int, g->n_values);
  int outputs[TRAIN_MAX_HEADS];
  tensors[0] = add_value(gr, &g->values[0], "input", false);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    tensors[u->out] = tensors[u->in];
    if (u->d.kind == TRAIN_DROPOUT) continue;
    if (recurrent_of(u->d.kind)) {
      tensors[u->out] = recurrent_of(u->d.kind)->graph(g, gr, u, i, tensors[u->in]);
      continue;
    }
    struct graph_node n = {.op = operator_of(&u->d), .n_in = unit_inputs(u), .n_out = 1};
    for (int k = 0; k < n.n_in; k++) n.in[k] = tensors[unit_input(u, k)];
    if (u->linear) add_weights(g, gr, u, i, &n);
    n.attrs = attrs_of(g, u);
    tensors[u->out] = n.out[0] =
        add_value(gr, &g->values[u->out], arena_printf(a, "layer%d", i + 1), u->d.flat);
    n.source_op = gr->n_nodes;
    u->node = graph_add_node(gr, &n);
  }
  for (int i = 0; i < g->net.n_heads; i++)
    outputs[i] = add_head(g, gr, &g->net.heads[i], tensors[g->net.heads[i].layer + 1],
                          i == 0 ? "scores" : arena_printf(a, "scores%d", i + 1));
  graph_set_inputs(gr, &tensors[0], 1);
  graph_set_outputs(gr, outputs, g->net.n_heads);
  return gr;
}

/* ---- scales that values share ---------------------------------------------------------- */
static bool moves(enum train_kind kind) {
  return kind == TRAIN_AVERAGE_POOL || kind == TRAIN_MAX_POOL || kind == TRAIN_DROPOUT ||
         kind == TRAIN_SEQUENCE || kind == TRAIN_LAST || kind == TRAIN_UPSAMPLE ||
         kind == TRAIN_CONCAT;
}

static int group_of(const struct engine *g, int value) {
  while (g->values[value].range_of != value) value = g->values[value].range_of;
  return value;
}

static void find_groups(struct engine *g) {
  for (int i = 0; i < g->n_values; i++) g->values[i].range_of = i;
  g->values[0].fixed = true;
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    struct value *out = &g->values[u->out];
    out->moved = moves(u->d.kind);
    for (int k = 0; out->moved && k < unit_inputs(u); k++) {
      const int x = group_of(g, unit_input(u, k)), y = group_of(g, u->out);
      g->values[x > y ? x : y].range_of = x < y ? x : y;
    }
    if (recurrent_of(u->d.kind)) { /* |h| < 1 */
      out->fixed = true;
      out->scale = 0x1p-7f;
      out->zp = 0;
    }
    if (u->d.kind != TRAIN_ACTIVATION || u->d.activation == TRAIN_HARD_SWISH) continue;
    out->fixed = true; /* source: the 8-bit quantisation specification of TensorFlow Lite */
    out->scale = u->d.activation == TRAIN_SIGMOID ? 0x1p-8f : 0x1p-7f;
    out->zp = u->d.activation == TRAIN_SIGMOID ? -128 : 0;
  }
  for (int i = 0; i < g->n_values; i++) g->values[i].range_of = group_of(g, i);
}

void engine_quant_init(struct engine *g) {
  struct arena *a = g->arena;
  find_groups(g);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    const size_t np = (size_t)u->np;
    if (recurrent_of(u->d.kind)) recurrent_of(u->d.kind)->quant_init(g, u);
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
    if (recurrent_of(u->d.kind)) recurrent_export(gr, u, a);
    if (!u->linear) continue;
    const struct graph_node *n = &gr->nodes[u->node];
    gr->tensors[n->in[1]].data = weights_of(u, a);
    gr->tensors[n->in[2]].data = copy_of(a, u->bias, (size_t)u->d.out_c, sizeof(int32_t));
  }
  return gr;
}
