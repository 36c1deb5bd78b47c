/* graph: building, sizes and printing. See graph.h.
 *
 * Arrays grow by doubling in the arena; old ones are left behind, as an arena does. */
#include "host/graph/graph.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "constants of a graph are little-endian and read in place");

struct graph *graph_new(struct arena *a, const char *name) {
  struct graph *g = ARENA_NEW(a, struct graph);
  g->arena = a;
  g->name = arena_strdup(a, name ? name : "");
  return g;
}

/* A larger copy of an array of count items. */
static void *grow(struct arena *a, const void *items, int count, int *room, size_t size) {
  const int wanted = *room ? 2 * *room : 16;
  void *more = arena_alloc(a, (size_t)wanted, size);
  if (count) memcpy(more, items, (size_t)count * size);
  *room = wanted;
  return more;
}

int graph_add_tensor(struct graph *g, const struct graph_tensor *t) {
  if (g->n_tensors == g->room_tensors)
    g->tensors = grow(g->arena, g->tensors, g->n_tensors, &g->room_tensors, sizeof *g->tensors);
  g->tensors[g->n_tensors] = *t;
  g->tensors[g->n_tensors].producer = -1;
  return g->n_tensors++;
}

int graph_add_node(struct graph *g, const struct graph_node *n) {
  if (g->n_nodes == g->room_nodes)
    g->nodes = grow(g->arena, g->nodes, g->n_nodes, &g->room_nodes, sizeof *g->nodes);
  g->nodes[g->n_nodes] = *n;
  for (int i = 0; i < n->n_out && i < GRAPH_MAX_OUT; i++)
    if (n->out[i] >= 0 && n->out[i] < g->n_tensors) g->tensors[n->out[i]].producer = g->n_nodes;
  return g->n_nodes++;
}

static int *copy_list(struct arena *a, const int *list, int n) {
  int *copy = ARENA_ARRAY(a, int, n > 0 ? n : 1);
  if (n > 0) memcpy(copy, list, (size_t)n * sizeof *list);
  return copy;
}

void graph_set_inputs(struct graph *g, const int *tensors, int n) {
  g->inputs = copy_list(g->arena, tensors, n);
  g->n_inputs = n;
}

void graph_set_outputs(struct graph *g, const int *tensors, int n) {
  g->outputs = copy_list(g->arena, tensors, n);
  g->n_outputs = n;
}

struct graph_quant graph_quant_one(struct arena *a, float scale, int32_t zp) {
  float *scales = ARENA_NEW(a, float);
  int32_t *zps = ARENA_NEW(a, int32_t);
  *scales = scale;
  *zps = zp;
  return (struct graph_quant){.count = 1, .axis = 0, .scale = scales, .zp = zps};
}

/* ---- sizes ----------------------------------------------------------------- */
int64_t graph_elements(const struct graph_tensor *t) {
  const int64_t most = INT64_MAX / 16;
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++) {
    if (t->dims[i] <= 0) return 0;
    if (n > most / t->dims[i]) return most;
    n *= t->dims[i];
  }
  return n;
}

size_t graph_bytes(const struct graph_tensor *t) {
  return (size_t)graph_elements(t) * mote_type_bytes((int)t->type);
}

bool graph_same_shape(const struct graph_tensor *a, const struct graph_tensor *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

static int64_t elements_of(const struct graph *g, int tensor) {
  return graph_elements(&g->tensors[tensor]);
}

/* Products of one output element with weights that end in so many channels. */
static int64_t window_macs(const struct graph *g, const struct graph_node *n, int64_t channels) {
  return channels > 0 ? elements_of(g, n->out[0]) * (elements_of(g, n->in[1]) / channels) : 0;
}

/* The first `matrices` weights of an LSTM or a GRU count once a step of each sequence. */
static int64_t recurrent_macs(const struct graph *g, const struct graph_node *n, int matrices) {
  const struct graph_tensor *y = &g->tensors[n->out[0]];
  int64_t weights = 0;
  for (int i = 1; i <= matrices && i < n->n_in; i++)
    if (n->in[i] >= 0) weights += elements_of(g, n->in[i]);
  return y->rank > 0 && y->dims[y->rank - 1] > 0
             ? graph_elements(y) / y->dims[y->rank - 1] * weights
             : 0;
}

int64_t graph_macs(const struct graph *g, int node) {
  const struct graph_node *n = &g->nodes[node];
  if (n->n_in < 2 || n->in[0] < 0 || n->in[1] < 0 || n->n_out < 1) return 0;
  const struct graph_tensor *x = &g->tensors[n->in[0]], *w = &g->tensors[n->in[1]];
  switch (n->op) {
  case MOTE_OP_CONV_2D:
  case MOTE_OP_FULLY_CONNECTED: return window_macs(g, n, w->dims[0]);
  case MOTE_OP_DEPTHWISE_CONV_2D: return window_macs(g, n, w->dims[3]);
  case MOTE_OP_TRANSPOSE_CONV:
    return w->dims[3] > 0 ? graph_elements(x) * (graph_elements(w) / w->dims[3]) : 0;
  case MOTE_OP_BATCH_MATMUL:
    return x->rank >= 2 ? elements_of(g, n->out[0]) * x->dims[x->rank - (n->attrs.adj_x ? 2 : 1)]
                        : 0;
  case MOTE_OP_SVDF:
    return n->n_in > 2 && n->in[2] >= 0
               ? x->dims[0] * (graph_elements(w) + elements_of(g, n->in[2]))
               : 0;
  case MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM: return recurrent_macs(g, n, 8);
  case MOTE_OP_GRU: return recurrent_macs(g, n, 6);
  default: return 0;
  }
}

int64_t graph_weight_bytes(const struct graph *g, int node) {
  const struct graph_node *n = &g->nodes[node];
  int64_t bytes = 0;
  for (int i = 1; i < n->n_in; i++)
    if (n->in[i] >= 0 && graph_is_constant(&g->tensors[n->in[i]]))
      bytes += (int64_t)graph_bytes(&g->tensors[n->in[i]]);
  return bytes;
}

int graph_window_out(int in, int kernel, int stride, int dilation, enum graph_padding p,
                     int *before, int *after) {
  const int64_t span = (int64_t)(kernel - 1) * dilation + 1;
  const int64_t out = p == GRAPH_PAD_SAME ? ((int64_t)in + stride - 1) / stride
                      : span <= in        ? ((int64_t)in - span) / stride + 1
                                          : 0;
  int64_t total = p == GRAPH_PAD_SAME ? (out - 1) * stride + span - in : 0;
  if (total < 0) total = 0;
  /* A padding beyond int is beyond every check that follows; it only must not wrap. */
  if (total > INT32_MAX) total = INT32_MAX;
  *before = (int)(total / 2);
  *after = (int)(total - total / 2);
  return (int)out;
}

static int steps_to(int64_t distance, int dilation, int most) {
  if (distance <= 0) return 0;
  const int64_t k = (distance + dilation - 1) / dilation;
  return k < most ? (int)k : most;
}

struct graph_span graph_window_span(int in, int o, int kernel, int stride, int dilation,
                                    int before) {
  const int64_t outside = before - (int64_t)o * stride;
  return (struct graph_span){steps_to(outside, dilation, kernel),
                             steps_to(outside + in, dilation, kernel)};
}

int graph_window_spans(int in, int out, int kernel, int stride, int dilation, int before,
                       struct graph_span *spans) {
  int count = 0;
  for (int o = 0; o < out; o++) {
    const struct graph_span s = graph_window_span(in, o, kernel, stride, dilation, before);
    if (count == 0 || s.first != spans[count - 1].first || s.end != spans[count - 1].end)
      spans[count++] = s;
  }
  return count;
}
