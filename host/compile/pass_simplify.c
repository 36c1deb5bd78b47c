/* pass: operators that do nothing, and work that is done twice.
 *
 *   simplify  what only gives the same bytes another shape or name becomes RESHAPE, which costs nothing: transposes that
 *             move axes of size 1, transposes that undo each other, slices of everything, casts to the same
 *             type, a quantisation that undoes a dequantisation, clamps that clamp nothing
 *   share     the same operator on the same inputs is computed once
 *
 * exact: RESHAPE hands the bytes on; each rule below says why those are the operator's output. */
#include "host/compile/private.h"

#include <string.h>

static const struct graph_tensor *tensor_in(const struct graph *g, const struct graph_node *n) {
  return &g->tensors[n->in[0]];
}
static const struct graph_tensor *tensor_out(const struct graph *g, const struct graph_node *n) {
  return &g->tensors[n->out[0]];
}

static bool same_quant(const struct graph_tensor *a, const struct graph_tensor *b) {
  if (a->quant.count != b->quant.count || a->quant.count > 1) return false;
  return a->quant.count == 0 || (a->quant.zp[0] == b->quant.zp[0] &&
                                 memcmp(&a->quant.scale[0], &b->quant.scale[0], 4) == 0);
}

/* Equal numbers are equal bytes: one type, and no other scale. */
static bool same_numbers(const struct graph_tensor *a, const struct graph_tensor *b) {
  return a->type == b->type && same_quant(a, b);
}

/* ---- operators that do nothing ----------------------------------------------------- */

/* The axes that are longer than 1 stay in their order. */
static bool keeps_order(const struct graph_tensor *x, const int32_t *perm) {
  int last = -1;
  for (int i = 0; i < x->rank; i++) {
    if (x->dims[perm[i]] == 1) continue;
    if (perm[i] < last) return false;
    last = perm[i];
  }
  return true;
}

/* Every element of the input once, in order. */
static bool takes_everything(const struct graph_tensor *x, const struct graph_attrs *a) {
  for (int i = 0; i < x->rank; i++)
    if (a->option[i] != x->dims[i] || (x->dims[i] > 1 && (a->begin[i] != 0 || a->step[i] != 1)))
      return false;
  return true;
}

/* A clamp whose ends are not inside the values of an 8-bit tensor. */
static bool clamps_nothing(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = tensor_in(g, n), *y = tensor_out(g, n);
  int32_t low, high;
  if (x->type != MOTE_INT8 || x->quant.count != 1 || !same_numbers(x, y)) return false;
  graph_activation_range(y, n->op == MOTE_OP_RELU ? GRAPH_ACT_RELU : GRAPH_ACT_RELU6, &low, &high);
  return low <= INT8_MIN && high >= INT8_MAX;
}

/* Requantising by 1 shifts left by one bit on the way, which loses nothing of 16 bits. */
static bool is_short(const struct graph_tensor *x) { return mote_type_bytes((int)x->type) <= 2; }

/* A dequantisation followed by a quantisation to the same type, scale and zero point: s (q - zp) / s is within
 * (q - zp) 2^-22 of q - zp, below 2^-5 for 16 bits, so rounding gives q back. */
static bool undoes_dequantise(const struct graph *g, const struct graph_node *n, int *source) {
  const int producer = tensor_in(g, n)->producer;
  if (producer < 0 || g->nodes[producer].op != MOTE_OP_DEQUANTIZE) return false;
  const struct graph_tensor *x = tensor_in(g, &g->nodes[producer]), *y = tensor_out(g, n);
  if (!is_short(x) || x->quant.count != 1 || !same_numbers(x, y)) return false;
  if (!(x->quant.scale[0] > 1e-30f && x->quant.scale[0] < 1e30f)) return false;
  *source = g->nodes[producer].in[0];
  return true;
}

/* Whether the node's output is the bytes of tensor *source, which is set to its input before. */
static bool does_nothing(const struct graph *g, const struct graph_node *n, int *source) {
  const struct graph_tensor *x = tensor_in(g, n), *y = tensor_out(g, n);
  switch (n->op) {
  case MOTE_OP_TRANSPOSE: return same_numbers(x, y) && keeps_order(x, n->attrs.perm);
  case MOTE_OP_SLICE:
  case MOTE_OP_STRIDED_SLICE: return same_numbers(x, y) && takes_everything(x, &n->attrs);
  case MOTE_OP_CAST:
  case MOTE_OP_DEQUANTIZE: return x->type == y->type;
  case MOTE_OP_CONCATENATION: return n->n_in == 1 && same_numbers(x, y);
  case MOTE_OP_BROADCAST_TO: return graph_elements(x) == graph_elements(y);
  case MOTE_OP_RELU:
  case MOTE_OP_RELU6: return clamps_nothing(g, n);
  case MOTE_OP_QUANTIZE:
    return (is_short(x) && same_numbers(x, y)) || undoes_dequantise(g, n, source);
  default: return false;
  }
}

/* TRANSPOSE of a TRANSPOSE: one with both permutations. */
static bool join_transposes(struct graph *g, struct graph_node *n) {
  const int producer = tensor_in(g, n)->producer;
  if (n->op != MOTE_OP_TRANSPOSE || producer < 0) return false;
  const struct graph_node *first = &g->nodes[producer];
  if (first->op != MOTE_OP_TRANSPOSE || tensor_in(g, first)->is_state) return false;
  int32_t perm[GRAPH_MAX_RANK] = {0};
  for (int i = 0; i < tensor_in(g, n)->rank; i++) perm[i] = first->attrs.perm[n->attrs.perm[i]];
  memcpy(n->attrs.perm, perm, sizeof perm);
  n->in[0] = first->in[0];
  return true;
}

static void become_reshape(struct graph_node *n, int source) {
  const struct graph_attrs none = {0};
  n->op = MOTE_OP_RESHAPE;
  n->attrs = none;
  n->n_in = 1;
  n->in[0] = source;
}

static bool may_change(const struct graph *g, const struct graph_node *n) {
  return n->n_in >= 1 && n->in[0] >= 0 && n->n_out == 1 && n->body[0] == NULL &&
         !tensor_in(g, n)->is_state;
}

const struct graph *pass_simplify(struct pass *p, const struct graph *g) {
  struct graph *c = NULL;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph *now = c != NULL ? c : g;
    const struct graph_node *n = &now->nodes[i];
    int source = n->in[0];
    if (!may_change(now, n)) continue;
    if (n->op == MOTE_OP_TRANSPOSE) {
      if (c == NULL) c = pass_copy_graph(p->arena, g);
      while (join_transposes(c, &c->nodes[i])) continue;
      now = c;
      n = &c->nodes[i];
      source = n->in[0];
    }
    if (!does_nothing(now, n, &source)) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    become_reshape(&c->nodes[i], source);
  }
  return c != NULL ? c : g;
}

/* ---- work that is done twice -------------------------------------------------------- */

static bool same_attrs(const struct graph_attrs *a, const struct graph_attrs *b) {
  bool same = a->activation == b->activation;
#define ONE(name)  same = same && memcmp(&a->name, &b->name, sizeof a->name) == 0;
#define LIST(name) same = same && memcmp(a->name, b->name, sizeof a->name) == 0;
  GRAPH_ATTRS(ONE, ONE, ONE, LIST)
#undef ONE
#undef LIST
  return same;
}

static bool reads_state(const struct graph *g, const struct graph_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] >= 0 && g->tensors[n->in[i]].is_state) return true;
  return false;
}

static bool same_work(const struct graph *g, const struct graph_node *a,
                      const struct graph_node *b) {
  if (a->op != b->op || a->n_in != b->n_in || a->n_out != 1 || b->n_out != 1) return false;
  if (a->body[0] != NULL || b->body[0] != NULL || graph_has_effect(a) || reads_state(g, a))
    return false;
  for (int i = 0; i < a->n_in; i++)
    if (a->in[i] != b->in[i]) return false;
  return same_attrs(&a->attrs, &b->attrs) && same_numbers(tensor_out(g, a), tensor_out(g, b)) &&
         graph_same_shape(tensor_out(g, a), tensor_out(g, b));
}

/* The first node before `to` that does the same; -1. cost: only nodes that read the same first input. */
static int twin_of(const struct graph *g, int to) {
  const struct graph_node *n = &g->nodes[to];
  if (n->n_in < 1 || n->op == MOTE_OP_RESHAPE) return -1;
  for (int i = to - 1; i >= 0; i--)
    if (g->nodes[i].in[0] == n->in[0] && same_work(g, &g->nodes[i], n)) return i;
  return -1;
}

const struct graph *pass_share(struct pass *p, const struct graph *g) {
  struct graph *c = NULL;
  for (int i = 0; i < g->n_nodes; i++) {
    const int twin = twin_of(c != NULL ? c : g, i);
    if (twin < 0) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    become_reshape(&c->nodes[i], c->nodes[twin].out[0]);
  }
  return c != NULL ? c : g;
}
