/* import: models of the unsigned 8-bit quantisation that came before the int8 one.
 *
 * A number q with zero point z stands for the same real number as the int8 q - 128 with z - 128, and the
 * arithmetic of the operators only sees q - z. So tensors that such an operator reads or makes become int8 here, and
 * QUANTIZE, which is a table of 256 bytes, stands at the model's inputs and outputs. What differs stays in
 * attributes: convolutions whose weights have a zero point (asymmetric_weights), and averages, which round
 * halves up where they are unsigned (half_up).
 *
 * Which tensors: those of operators that have no unsigned kernel, and from there on all that an operator between
 * them reads and makes; QUANTIZE and DEQUANTIZE end it, for they take either type. */
#include "host/import/tflite.h"

#include <string.h>

static bool is_unsigned(const struct graph_tensor *t) {
  return t->type == MOTE_UINT8 && t->quant.count > 0;
}

/* Operators without an unsigned kernel. */
static bool needs_signed(enum mote_op op) {
  switch (op) {
  case MOTE_OP_CONV_2D:
  case MOTE_OP_DEPTHWISE_CONV_2D:
  case MOTE_OP_FULLY_CONNECTED:
  case MOTE_OP_TRANSPOSE_CONV:
  case MOTE_OP_ADD:
  case MOTE_OP_SUB:
  case MOTE_OP_MUL:
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D:
  case MOTE_OP_MEAN:
  case MOTE_OP_SOFTMAX:
  case MOTE_OP_PAD: return true;
  default: return false;
  }
}

/* Bodies of IF and WHILE keep the types of their own ports. */
static bool ends_it(const struct graph_node *n) {
  return n->op == MOTE_OP_QUANTIZE || n->op == MOTE_OP_DEQUANTIZE || n->body[0] != NULL;
}

/* Operand i of a node, inputs first; -1 where it is none, or not an unsigned tensor. */
static int unsigned_operand(const struct graph *g, const struct graph_node *n, int i) {
  const int t = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
  return t >= 0 && t < g->n_tensors && is_unsigned(&g->tensors[t]) ? t : -1;
}

/* The first of the tensors that are joined with t; ways to it are halved as they are gone. */
static int first_of(int *joined, int t) {
  while (joined[t] != t) t = joined[t] = joined[joined[t]];
  return t;
}

/* The tensors that become signed: operands of one node go together, and with them all that such nodes join, where
 * one of them computes with unsigned activations. (Unsigned weights beside float32 ones are another matter.)
 * NULL: no memory. */
static bool *find_signed(struct reader *r, bool *any) {
  const struct graph *g = r->g;
  const size_t n_tensors = (size_t)g->n_tensors;
  bool *marked = tflite_take(r, n_tensors, sizeof *marked);
  bool *seed = tflite_take(r, n_tensors, sizeof *seed);
  int *joined = tflite_take(r, n_tensors, sizeof *joined);
  *any = false;
  if (!marked || !seed || !joined) return NULL;
  for (int t = 0; t < g->n_tensors; t++) joined[t] = t;
  for (int k = 0; k < g->n_nodes; k++) {
    const struct graph_node *n = &g->nodes[k];
    int one = -1;
    for (int i = 0; i < n->n_in + n->n_out && !ends_it(n); i++) {
      const int t = unsigned_operand(g, n, i);
      if (t < 0) continue;
      if (one >= 0) joined[first_of(joined, t)] = first_of(joined, one);
      one = t;
    }
    if (needs_signed(n->op) && n->n_in > 0 && unsigned_operand(g, n, 0) >= 0) seed[n->in[0]] = true;
  }
  for (int t = 0; t < g->n_tensors; t++)
    if (seed[t]) marked[first_of(joined, t)] = *any = true;
  for (int t = 0; t < g->n_tensors; t++) marked[t] = marked[first_of(joined, t)];
  return marked;
}

static bool make_signed(struct reader *r, struct graph_tensor *t) {
  const int count = t->quant.count;
  int32_t *zp = tflite_take(r, (size_t)count, sizeof *zp);
  if (!zp) return false;
  for (int i = 0; i < count; i++) zp[i] = (int32_t)((int64_t)t->quant.zp[i] - 128);
  if (t->data != NULL || t->is_state) { /* a state without data begins with zeros */
    const size_t bytes = graph_bytes(t);
    uint8_t *data = tflite_take(r, bytes, 1);
    if (!data) return false;
    for (size_t i = 0; i < bytes; i++)
      data[i] = (t->data != NULL ? ((const uint8_t *)t->data)[i] : 0) ^ 0x80;
    t->data = data;
  }
  t->quant.zp = zp;
  t->type = MOTE_INT8;
  return true;
}

/* A QUANTIZE between an unsigned port of the model and what it stands for. */
static struct graph_node quantise(int from, int to) {
  return (struct graph_node){
      .op = MOTE_OP_QUANTIZE, .n_in = 1, .n_out = 1, .in = {from}, .out = {to}, .source_op = -1};
}

/* Unsigned copies of the ports that become signed, and nodes in front of and behind all others. */
static bool convert_ports(struct reader *r, const bool *marked) {
  struct graph *g = r->g;
  int fronts = 0;
  const int tensors = g->n_tensors, most = g->n_nodes + g->n_inputs + g->n_outputs;
  struct graph_tensor *room =
      tflite_take(r, (size_t)(tensors + g->n_inputs + g->n_outputs), sizeof *room);
  struct graph_node *nodes = tflite_take(r, (size_t)most, sizeof *nodes);
  if (!room || !nodes) return false;
  memcpy(room, g->tensors, (size_t)tensors * sizeof *room);
  g->tensors = room;
  g->room_tensors = tensors + g->n_inputs + g->n_outputs;
  for (int i = 0; i < g->n_inputs; i++) {
    const int t = g->inputs[i];
    if (t < 0 || t >= tensors || !marked[t]) continue;
    g->inputs[i] = graph_add_tensor(g, &g->tensors[t]);
    nodes[fronts++] = quantise(g->inputs[i], t);
  }
  if (g->n_nodes > 0) memcpy(nodes + fronts, g->nodes, (size_t)g->n_nodes * sizeof *nodes);
  g->nodes = nodes;
  g->n_nodes += fronts;
  g->room_nodes = most;
  for (int i = 0; i < g->n_outputs; i++) {
    const int t = g->outputs[i];
    if (t < 0 || t >= tensors || !marked[t]) continue;
    g->outputs[i] = graph_add_tensor(g, &g->tensors[t]);
    g->nodes[g->n_nodes++] = quantise(t, g->outputs[i]);
  }
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_out; i++) {
      const int t = g->nodes[n].out[i];
      if (t >= 0 && t < g->n_tensors) g->tensors[t].producer = n;
    }
  return true;
}

bool tflite_sign(struct reader *r) {
  struct graph *g = r->g;
  bool any;
  const int tensors = g->n_tensors;
  const bool *marked = find_signed(r, &any);
  if (!marked) return false;
  if (!any) return true;
  for (int n = 0; n < g->n_nodes; n++) {
    struct graph_node *node = &g->nodes[n];
    const bool windows = node->op == MOTE_OP_CONV_2D || node->op == MOTE_OP_DEPTHWISE_CONV_2D ||
                         node->op == MOTE_OP_TRANSPOSE_CONV;
    if (windows && node->n_in > 1 && node->in[1] >= 0)
      node->attrs.asymmetric_weights = marked[node->in[1]];
    if (node->op == MOTE_OP_AVERAGE_POOL_2D) node->attrs.half_up = marked[node->in[0]];
    if (node->op == MOTE_OP_CAST && node->in[0] >= 0 && marked[node->in[0]]) {
      err_node(r->e, "operator %d, CAST", node->source_op);
      return err_set(r->e, "it takes the numbers of an unsigned tensor as they are, which other "
                           "operators compute with as signed ones; that is not supported");
    }
  }
  if (!convert_ports(r, marked)) return false;
  for (int t = 0; t < tensors; t++)
    if (marked[t] && !make_signed(r, &g->tensors[t])) return false;
  return true;
}
