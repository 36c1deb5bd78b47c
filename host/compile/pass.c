/* pass: what can be settled before the device runs.
 *
 *   drop_dead       nodes that no output depends on disappear
 *   fold_constants  nodes whose inputs are all constant become their output
 *   fuse_pads       PAD in front of convolutions becomes their own padding
 *   copy_outputs    outputs that are constants are written on each run, like any output
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
    for (int i = 0; i < g->nodes[kept].n_out; i++)
      g->tensors[g->nodes[kept].out[i]].producer = kept;
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
    gone[n] = !graph_has_effect(node);
    for (int i = 0; i < node->n_out; i++) gone[n] = gone[n] && !needed[node->out[i]];
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

/* Runs one node whose inputs are constants on the host, as the device would: a plan of its own, in which the
 * first input is given and the others stay constants. */
static bool run_node(struct pass *p, const struct graph *g, int n, const void **data,
                     struct err *e) {
  const struct graph_node *node = &g->nodes[n];
  struct graph *one = pass_copy_graph(p->arena, g);
  struct compiled compiled;
  const struct compile_options options = {.schedule = COMPILE_LAYERS, .all_channels = true};
  struct mote_model model;
  const void *first = g->tensors[node->in[0]].data;
  one->tensors[node->in[0]].data = NULL;
  one->nodes[0] = *node;
  one->nodes[0].source_op = 0;
  one->n_nodes = 1;
  for (int i = 0; i < node->n_out; i++) one->tensors[node->out[i]].producer = 0;
  graph_set_inputs(one, node->in, 1);
  graph_set_outputs(one, node->out, node->n_out);
  if (!compile_graph(one, &options, p->arena, &compiled, e)) return false;
  const size_t arena_bytes =
      mote_arena_bytes((const struct mote_plan *)(const void *)compiled.plan);
  if (arena_bytes + 4096 > arena_left(p->arena))
    return err_set(e, "computing a constant needs %zu bytes of memory", arena_bytes);
  void *arena = arena_alloc(p->arena, arena_bytes, 1);
  const enum mote_status status =
      mote_open(&model, compiled.plan, compiled.plan_bytes, arena, arena_bytes);
  if (status != MOTE_OK) return err_internal(e, "its plan: %s", mote_status_text(status));
  memcpy(mote_input(&model, 0), first, graph_bytes(&g->tensors[node->in[0]]));
  mote_run(&model);
  for (int i = 0; i < node->n_out; i++) {
    const size_t bytes = graph_bytes(&g->tensors[node->out[i]]);
    void *copy = arena_alloc(p->arena, bytes > 0 ? bytes : 1, 1);
    memcpy(copy, mote_output(&model, (unsigned)i), bytes);
    data[i] = copy;
  }
  return true;
}

static bool inputs_are_constant(const struct graph *g, const struct graph_node *node) {
  if (node->n_in < 1 || node->n_out < 1 || node->body[0] != NULL) return false;
  for (int i = 0; i < node->n_in; i++)
    if (node->in[i] >= 0 && !graph_is_constant(&g->tensors[node->in[i]])) return false;
  return node->in[0] >= 0;
}

bool pass_fold_constants(struct pass *p, const struct graph *g, const struct graph **out,
                         struct err *e) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  *out = g;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    const void *data[GRAPH_MAX_OUT];
    if (!inputs_are_constant(c != NULL ? c : g, node)) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    if (!run_node(p, c, n, data, e)) {
      err_node(e, "operator %d, %s, of constants", node->source_op, mote_op_name((int)node->op));
      return false;
    }
    for (int i = 0; i < node->n_out; i++) c->tensors[node->out[i]].data = data[i];
    gone[n] = true;
    struct compile_layer *layer = pass_layer(p, node);
    layer->fate = COMPILE_CONSTANT;
    layer->data = data[0];
    layer->why = "computed by the compiler: all its inputs are constant";
  }
  if (c == NULL) return true;
  remove_nodes(c, gone);
  *out = c;
  return true;
}

const struct graph *pass_copy_outputs(struct pass *p, const struct graph *g) {
  struct graph *c = NULL;
  for (int i = 0; i < g->n_outputs; i++) {
    const struct graph_tensor *t = &g->tensors[g->outputs[i]];
    if (!graph_is_constant(t)) continue;
    if (c == NULL) {
      c = pass_copy_graph(p->arena, g);
      graph_set_outputs(c, g->outputs, g->n_outputs);
    }
    struct graph_tensor copy = *t;
    copy.data = NULL;
    struct graph_node node = {.op = MOTE_OP_RESHAPE, .n_in = 1, .n_out = 1, .source_op = -1};
    node.in[0] = g->outputs[i];
    c->outputs[i] = node.out[0] = graph_add_tensor(c, &copy);
    graph_add_node(c, &node);
  }
  return c != NULL ? c : g;
}

/* Whether the value that PAD writes is what the convolution takes for padding: real zero. */
static bool pad_is_zero(const struct graph *g, const struct graph_node *pad) {
  const struct graph_quant *x = &g->tensors[pad->in[0]].quant, *y = &g->tensors[pad->out[0]].quant;
  return x->count == 1 && y->count == 1 && x->zp[0] == y->zp[0] && x->scale[0] == y->scale[0];
}

/* A border of pixels, which a convolution of any type takes for zero: int8 by its zero point. */
static bool pad_is_border(const struct graph *g, const struct graph_node *pad) {
  const struct graph_tensor *x = &g->tensors[pad->in[0]];
  return x->rank == 4 && x->type == MOTE_INT8;
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
