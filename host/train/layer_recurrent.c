/* train/layer_recurrent: what layers with a memory share (layer_lstm.c, layer_gru.c).
 *
 * W is [c + units][gates np]: a gate's columns stand together, padded to np; rows of x first, then rows of h. In the graph
 * each gate has int8 weights of its own scale, and a state is set to zero by the first nodes of an inference. */
#include "host/train/engine.h"
#include "mote/nn/nn.h"

#include <math.h>
#include <string.h>

const struct recurrent *recurrent_of(enum train_kind kind) {
  return kind == TRAIN_LSTM ? &recurrent_lstm : kind == TRAIN_GRU ? &recurrent_gru : NULL;
}

void recurrent_sizes(struct engine *g, struct unit *u) {
  const struct recurrent *r = recurrent_of(u->d.kind);
  u->k = g->values[u->in].c + u->d.channels;
  u->kk = lanes_pad(u->k);
  u->tile = 1;
  u->w_at = g->n_params;
  u->b_at = u->w_at + (size_t)(u->k * r->gates) * (size_t)u->np;
  g->n_params = u->b_at + (size_t)r->biases * (size_t)u->np;
}

/* Within sqrt(3 / inputs): variance 1 / inputs. */
void recurrent_init(const struct unit *u, struct rng *r, float *params) {
  const int gates = recurrent_of(u->d.kind)->gates;
  const float limit = sqrtf(3.0f / (float)u->k);
  const size_t row = (size_t)(gates * u->np);
  for (int k = 0; k < u->k; k++)
    for (int gate = 0; gate < gates; gate++)
      for (int c = 0; c < u->d.channels; c++)
        params[u->w_at + (size_t)k * row + (size_t)(gate * u->np + c)] =
            (2.0f * rng_unit(r) - 1.0f) * limit;
}

/* tanh x = 2 sigmoid(2x) - 1. */
void recurrent_tanh(const struct lanes *lanes, size_t n, const float *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = 2.0f * x[i];
  lanes->sigmoid(n, y, y);
  for (size_t i = 0; i < n; i++) y[i] = 2.0f * y[i] - 1.0f;
}

/* ---- integers ------------------------------------------------------------------------- */
float recurrent_weights(const struct engine *g, const struct unit *u, int gate, int from, int to,
                        float step, float *made, int8_t *q) {
  const size_t row = (size_t)recurrent_of(u->d.kind)->gates * (size_t)u->np;
  const float *w = g->params + u->w_at;
  float most = 1e-6f;
  for (int k = from; k < to; k++)
    for (int c = 0; c < u->d.channels; c++)
      most = fmaxf(most, fabsf(w[(size_t)k * row + (size_t)(gate * u->np + c)]));
  const float scale = most / 127.0f;
  for (int k = from; k < to; k++)
    for (int c = 0; c < u->d.channels; c++) {
      const size_t at = (size_t)k * row + (size_t)(gate * u->np + c);
      const float x = rintf(w[at] / scale);
      const float kept = x < -127.0f ? -127.0f : x > 127.0f ? 127.0f : x;
      q[(size_t)c * (size_t)(to - from) + (size_t)(k - from)] = (int8_t)kept;
      made[at] = kept * scale * step;
    }
  return scale;
}

struct mote_scale_pair recurrent_pair(double real) {
  struct mote_scale_pair p;
  int shift;
  graph_multiplier(real, &p.multiplier, &shift);
  p.shift = shift;
  return p;
}

void recurrent_steps(const struct engine *g, const struct unit *u, int s, int8_t *x) {
  const struct value *in = &g->values[u->in];
  for (int t = 0; t < u->pixels; t++)
    for (int c = 0; c < in->c; c++)
      x[t * in->c + c] = (int8_t)((int32_t)value_at(in, in->y, s)[t * in->cs + c] + in->zp);
}

/* ---- the graph -------------------------------------------------------------------------- */
int recurrent_constant(struct graph *gr, const char *name, enum mote_type type, int rows,
                       int columns, const float *scale, const int32_t *zero, const void *data) {
  struct graph_tensor t = {
      .name = name, .type = type, .rank = columns ? 2 : 1, .dims = {rows, columns}};
  t.quant = (struct graph_quant){1, 0, scale, zero};
  t.data = data;
  return graph_add_tensor(gr, &t);
}

int recurrent_state(struct graph *gr, const char *name, enum mote_type type, int units,
                    const float *scale, const int32_t *zero) {
  struct graph_tensor t = {.name = name, .type = type, .rank = 2, .dims = {1, units}};
  t.quant = (struct graph_quant){1, 0, scale, zero};
  t.is_state = true;
  const int made = graph_add_tensor(gr, &t);
  t.is_state = false;
  t.name = arena_printf(gr->arena, "%s/zero", name);
  t.data = arena_alloc(gr->arena, (size_t)units, sizeof(int16_t));
  struct graph_node n = {.op = MOTE_OP_ASSIGN_VARIABLE, .n_in = 2, .source_op = gr->n_nodes};
  n.attrs = (struct graph_attrs){.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  n.in[0] = made;
  n.in[1] = graph_add_tensor(gr, &t);
  graph_add_node(gr, &n);
  return made;
}

int recurrent_reshape(struct graph *gr, int tensor, const char *name, int rank, const int *dims) {
  struct graph_tensor t = gr->tensors[tensor];
  t.name = name;
  t.rank = rank;
  for (int i = 0; i < rank; i++) t.dims[i] = dims[i];
  struct graph_node n = {.op = MOTE_OP_RESHAPE, .n_in = 1, .n_out = 1, .source_op = gr->n_nodes};
  n.attrs = (struct graph_attrs){.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  n.in[0] = tensor;
  n.out[0] = graph_add_tensor(gr, &t);
  graph_add_node(gr, &n);
  return n.out[0];
}

int recurrent_add(const struct engine *g, struct graph *gr, struct unit *u, struct graph_node *n,
                  const char *name) {
  const struct value *out = &g->values[u->out];
  const int map[4] = {1, u->pixels, 1, out->c};
  struct graph_tensor t = {
      .name = name, .type = MOTE_INT8, .rank = 3, .dims = {1, u->pixels, out->c}};
  t.quant = (struct graph_quant){1, 0, &out->scale, &out->zp};
  n->out[0] = graph_add_tensor(gr, &t);
  n->n_out = 1;
  n->attrs.stride_h = n->attrs.stride_w = n->attrs.dilation_h = n->attrs.dilation_w = 1;
  n->source_op = gr->n_nodes;
  u->node = graph_add_node(gr, n);
  return recurrent_reshape(gr, n->out[0], arena_printf(gr->arena, "%s/map", name), 4, map);
}

void recurrent_export(struct graph *gr, const struct unit *u, struct arena *a) {
  const struct graph_node *n = &gr->nodes[u->node];
  for (int i = 1; i < n->n_in; i++) {
    struct graph_tensor *t = n->in[i] < 0 ? NULL : &gr->tensors[n->in[i]];
    if (!t || !graph_is_constant(t)) continue;
    const size_t bytes = graph_bytes(t);
    void *copy = arena_alloc(a, bytes, 1);
    memcpy(copy, t->data, bytes);
    t->data = copy;
  }
}
