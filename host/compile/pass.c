/* pass: what can be settled before the device runs.
 *
 *   drop_dead       nodes that no output depends on disappear
 *   fold_constants  nodes whose inputs are all constant become their output
 *   fuse_pads       PAD in front of convolutions becomes their own padding
 *
 * (remove_channels, the fourth, is in channels.c.)
 *
 * invariant: tensor indices stay the same, so tensors of the source graph keep their names for the tap. */
#include "host/compile/private.h"

#include <string.h>

struct graph *pass_copy_graph(struct arena *a, const struct graph *g) {
  struct graph *c = ARENA_NEW(a, struct graph);
  *c = *g;
  c->arena = a;
  c->tensors = ARENA_ARRAY(a, struct graph_tensor, g->n_tensors + 1);
  c->nodes = ARENA_ARRAY(a, struct graph_node, g->n_nodes + 1);
  memcpy(c->tensors, g->tensors, (size_t)g->n_tensors * sizeof *g->tensors);
  memcpy(c->nodes, g->nodes, (size_t)g->n_nodes * sizeof *g->nodes);
  c->room_tensors = g->n_tensors + 1;
  c->room_nodes = g->n_nodes + 1;
  return c;
}

/* Drops the nodes marked in gone[] and sets the producers anew. */
static void remove_nodes(struct graph *g, const bool *gone) {
  int kept = 0;
  for (int t = 0; t < g->n_tensors; t++) g->tensors[t].producer = -1;
  for (int n = 0; n < g->n_nodes; n++) {
    if (gone[n]) continue;
    g->nodes[kept] = g->nodes[n];
    g->tensors[g->nodes[kept].out[0]].producer = kept;
    kept++;
  }
  g->n_nodes = kept;
}

struct compile_layer *pass_layer(struct pass *p, const struct graph_node *n) {
  if (p->layers == NULL || n->source_op < 0 || n->source_op >= p->n_layers) return &p->ignored;
  return &p->layers[n->source_op];
}

const struct graph *pass_drop_dead(struct pass *p, const struct graph *g) {
  bool *needed = ARENA_ARRAY(p->arena, bool, g->n_tensors + 1);
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  int n_gone = 0;
  for (int i = 0; i < g->n_outputs; i++) needed[g->outputs[i]] = true;
  for (int n = g->n_nodes - 1; n >= 0; n--) {
    const struct graph_node *node = &g->nodes[n];
    gone[n] = !needed[node->out[0]];
    n_gone += gone[n];
    for (int i = 0; i < node->n_in && !gone[n]; i++)
      if (node->in[i] >= 0) needed[node->in[i]] = true;
    if (!gone[n]) continue;
    struct compile_layer *layer = pass_layer(p, node);
    if (layer->fate != COMPILE_STEP) continue; /* another pass has already said what became of it */
    layer->fate = COMPILE_DEAD;
    layer->why = "left out: no output of the model depends on it";
  }
  if (n_gone == 0) return g;
  struct graph *c = pass_copy_graph(p->arena, g);
  remove_nodes(c, gone);
  return c;
}

/* Evaluates one node whose inputs are constants. */
static bool evaluate_node(struct pass *p, const struct graph *g, int n, const void **data,
                          struct err *e) {
  struct graph one = *g;
  struct graph_node node = g->nodes[n];
  const void **values = ARENA_ARRAY(p->arena, const void *, g->n_tensors);
  one.nodes = &node;
  one.n_nodes = 1;
  one.n_inputs = 0;
  one.n_outputs = 1;
  one.outputs = node.out;
  if (!graph_evaluate(&one, NULL, p->arena, values, e)) return false;
  *data = values[node.out[0]];
  return true;
}

bool pass_fold_constants(struct pass *p, const struct graph *g, const struct graph **out,
                         struct err *e) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  *out = g;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph *now = c != NULL ? c : g;
    const struct graph_node *node = &g->nodes[n];
    bool constant = node->n_in > 0;
    for (int i = 0; i < node->n_in; i++)
      if (node->in[i] >= 0 && now->tensors[node->in[i]].data == NULL) constant = false;
    if (!constant) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    const void *data = NULL;
    if (!evaluate_node(p, c, n, &data, e)) return false;
    c->tensors[node->out[0]].data = data;
    gone[n] = true;
    struct compile_layer *layer = pass_layer(p, node);
    layer->fate = COMPILE_CONSTANT;
    layer->data = data;
    layer->why = "computed by the compiler: all its inputs are constant";
  }
  if (c == NULL) return true;
  remove_nodes(c, gone);
  *out = c;
  return true;
}

/* Whether the value that PAD writes is what the convolution takes for padding: real zero. */
static bool pad_is_zero(const struct graph *g, const struct graph_node *pad) {
  const struct graph_quant *x = &g->tensors[pad->in[0]].quant, *y = &g->tensors[pad->out[0]].quant;
  return x->count == 1 && y->count == 1 && x->zp[0] == y->zp[0] && x->scale[0] == y->scale[0];
}

static bool can_take_pad(const struct graph_node *n) {
  return n->op == MOTE_OP_CONV_2D || n->op == MOTE_OP_DEPTHWISE_CONV_2D;
}

const struct graph *pass_fuse_pads(struct pass *p, const struct graph *g) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *pad = &g->nodes[n];
    bool fits = pad->op == MOTE_OP_PAD && pad_is_zero(g, pad);
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
      reader->attrs.pad_top += pad->attrs.pad_top;
      reader->attrs.pad_bottom += pad->attrs.pad_bottom;
      reader->attrs.pad_left += pad->attrs.pad_left;
      reader->attrs.pad_right += pad->attrs.pad_right;
    }
    gone[n] = true;
    struct compile_layer *layer = pass_layer(p, pad);
    layer->fate = COMPILE_FUSED;
    layer->fused_into = g->nodes[first_reader].source_op;
    layer->why = "its border is the zero point, which is what the convolution takes for padding";
  }
  if (c == NULL) return g;
  remove_nodes(c, gone);
  return c;
}
