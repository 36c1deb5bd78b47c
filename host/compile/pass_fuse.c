/* pass: operators that become part of their neighbours.
 *
 *   fuse_pads         PAD in front of convolutions becomes their own padding
 *   fuse_activations  a RELU behind an operator that clamps its output becomes that clamp */
#include "host/compile/private.h"

#include <string.h>

/* Whether the value that PAD writes is what the convolution takes for padding: real zero. */
static bool pad_is_zero(const struct graph *g, const struct graph_node *pad) {
  const struct graph_tensor *x = &g->tensors[pad->in[0]], *y = &g->tensors[pad->out[0]];
  if (x->type == MOTE_FLOAT32) return true;
  return x->quant.count == 1 && y->quant.count == 1 && x->quant.zp[0] == y->quant.zp[0] &&
         x->quant.scale[0] == y->quant.scale[0];
}

/* Rows and columns that a PAD adds: the core's form has them apart, the form of any rank in its lists. */
struct border {
  int top, bottom, left, right;
};
static struct border border_of(const struct graph_node *pad) {
  const struct graph_attrs *a = &pad->attrs;
  if (a->n_axes == 0) return (struct border){a->pad_top, a->pad_bottom, a->pad_left, a->pad_right};
  return (struct border){a->before[1], a->after[1], a->before[2], a->after[2]};
}

/* A border of pixels alone, which convolutions of these types take for zero: int8 by its zero point. */
static bool pad_is_border(const struct graph *g, const struct graph_node *pad) {
  const struct graph_tensor *x = &g->tensors[pad->in[0]];
  const struct graph_attrs *a = &pad->attrs;
  return x->rank == 4 && (x->type == MOTE_INT8 || x->type == MOTE_FLOAT32) &&
         (a->before[0] | a->after[0] | a->before[3] | a->after[3]) == 0;
}

static bool can_take_pad(const struct graph_node *n) {
  return n->op == MOTE_OP_CONV_2D || n->op == MOTE_OP_DEPTHWISE_CONV_2D;
}

const struct graph *pass_fuse_pads(struct pass *p, const struct graph *g) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *pad = &g->nodes[n];
    bool fits = pad->op == MOTE_OP_PAD && pad_is_border(g, pad) && pad_is_zero(g, pad);
    int first_reader = -1;
    for (int i = 0; i < g->n_outputs; i++) fits = fits && g->outputs[i] != pad->out[0];
    for (int r = 0; r < g->n_nodes && fits; r++) {
      const struct graph_node *reader = &g->nodes[r];
      for (int i = 0; i < reader->n_in; i++) {
        if (reader->in[i] != pad->out[0]) continue;
        fits = fits && i == 0 && can_take_pad(reader);
        if (first_reader < 0) first_reader = r;
      }
    }
    if (!fits || first_reader < 0) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    for (int r = n + 1; r < c->n_nodes; r++) {
      struct graph_node *reader = &c->nodes[r];
      if (reader->in[0] != pad->out[0]) continue;
      /* A pad whose own input was the output of a fused pad has been moved in c already. */
      reader->in[0] = c->nodes[n].in[0];
      const struct border border = border_of(pad);
      reader->attrs.pad_top += border.top;
      reader->attrs.pad_bottom += border.bottom;
      reader->attrs.pad_left += border.left;
      reader->attrs.pad_right += border.right;
    }
    gone[n] = true;
    struct compile_layer *layer = pass_layer(p, pad);
    layer->fate = COMPILE_FUSED;
    layer->fused_into = g->nodes[first_reader].source_op;
    layer->why = "its border is the zero point, which is what the convolution takes for padding";
  }
  if (c == NULL) return g;
  pass_remove_nodes(c, gone);
  return c;
}

/* ---- activations ----------------------------------------------------------------- */

/* The fused form of an activation that has an operator of its own. */
static enum graph_activation fused_form(enum mote_op op) {
  switch (op) {
  case MOTE_OP_RELU: return GRAPH_ACT_RELU;
  case MOTE_OP_RELU6: return GRAPH_ACT_RELU6;
  default: return GRAPH_ACT_NONE;
  }
}

static bool can_clamp(const struct graph_node *n) {
  switch (n->op) {
  case MOTE_OP_CONV_2D:
  case MOTE_OP_DEPTHWISE_CONV_2D:
  case MOTE_OP_FULLY_CONNECTED:
  case MOTE_OP_ADD:
  case MOTE_OP_SUB:
  case MOTE_OP_MUL: return n->attrs.activation == GRAPH_ACT_NONE;
  default: return false;
  }
}

/* With equal scales the operator clamps its input at the same ends as the fused form clamps the sum: real numbers, or int8,
 * whose clamp is the last step of both. */
static bool same_clamp(const struct graph_tensor *x, const struct graph_tensor *y) {
  if (x->type != y->type) return false;
  if (x->type == MOTE_FLOAT32) return true;
  return x->type == MOTE_INT8 && x->quant.count == 1 && y->quant.count == 1 &&
         x->quant.zp[0] == y->quant.zp[0] &&
         memcmp(&x->quant.scale[0], &y->quant.scale[0], sizeof(float)) == 0;
}

/* Whether `reader` is all that reads the tensor. */
static bool is_only_reader(const struct graph *g, int tensor, int reader) {
  for (int i = 0; i < g->n_outputs; i++)
    if (g->outputs[i] == tensor) return false;
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_in; i++)
      if (g->nodes[n].in[i] == tensor && n != reader) return false;
  return true;
}

const struct graph *pass_fuse_activations(struct pass *p, const struct graph *g) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    const enum graph_activation act = fused_form(node->op);
    const int producer = act != GRAPH_ACT_NONE ? g->tensors[node->in[0]].producer : -1;
    if (producer < 0 || gone[producer] ||
        !can_clamp(c != NULL ? &c->nodes[producer] : &g->nodes[producer]) ||
        !same_clamp(&g->tensors[node->in[0]], &g->tensors[node->out[0]]) ||
        !is_only_reader(g, node->in[0], n))
      continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    struct compile_layer *layer = pass_layer(p, &g->nodes[producer]);
    layer->fate = COMPILE_FUSED;
    layer->fused_into = node->source_op;
    layer->why =
        "its activation follows at once and is part of it: the clamp is the last step of both";
    /* The output is the activation's: the operator goes by its name from here on. */
    c->nodes[producer].attrs.activation = act;
    c->nodes[producer].out[0] = node->out[0];
    c->nodes[producer].source_op = node->source_op;
    gone[n] = true;
  }
  if (c == NULL) return g;
  pass_remove_nodes(c, gone);
  return c;
}
