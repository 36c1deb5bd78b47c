/* pass: what can be settled before the device runs. The list of passes, what they share, and the simplest three.
 *
 *   drop_dead       nodes that no output depends on disappear
 *   fold_constants  nodes whose inputs are all constant become their output
 *   copy_outputs    outputs that are constants are written on each run, like any output
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

void pass_remove_nodes(struct graph *g, const bool *gone) {
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
  pass_remove_nodes(c, gone);
  return c;
}

/* Runs one node whose inputs are constants on the host, as the device would: a plan of its own, in which the
 * first input is given and the others stay constants. */
static bool run_node(struct pass *p, const struct graph *g, int n, const void **data) {
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
  /* Whoever made the inputs is not in this graph. */
  for (int i = 0; i < node->n_in; i++)
    if (node->in[i] >= 0) one->tensors[node->in[i]].producer = -1;
  for (int i = 0; i < node->n_out; i++) one->tensors[node->out[i]].producer = 0;
  graph_set_inputs(one, node->in, 1);
  graph_set_outputs(one, node->out, node->n_out);
  if (!compile_graph(one, &options, p->arena, &compiled, p->e)) return false;
  const size_t arena_bytes =
      mote_arena_bytes((const struct mote_plan *)(const void *)compiled.plan);
  if (arena_bytes + 4096 > arena_left(p->arena))
    return err_set(p->e, "computing a constant needs %zu bytes of memory", arena_bytes);
  void *arena = arena_alloc(p->arena, arena_bytes, 1);
  const enum mote_status status =
      mote_open(&model, compiled.plan, compiled.plan_bytes, arena, arena_bytes);
  if (status != MOTE_OK) return err_internal(p->e, "its plan: %s", mote_status_text(status));
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

const struct graph *pass_fold_constants(struct pass *p, const struct graph *g) {
  bool *gone = ARENA_ARRAY(p->arena, bool, g->n_nodes + 1);
  struct graph *c = NULL;
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    const void *data[GRAPH_MAX_OUT];
    if (!inputs_are_constant(c != NULL ? c : g, node)) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    if (!run_node(p, c, n, data)) {
      err_node(p->e, "operator %d, %s, of constants", node->source_op, mote_op_name((int)node->op));
      p->failed = true;
      return g;
    }
    for (int i = 0; i < node->n_out; i++) c->tensors[node->out[i]].data = data[i];
    gone[n] = true;
    struct compile_layer *layer = pass_layer(p, node);
    layer->fate = COMPILE_CONSTANT;
    layer->data = data[0];
    layer->why = "computed by the compiler: all its inputs are constant";
  }
  if (c == NULL) return g;
  pass_remove_nodes(c, gone);
  return c;
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

/* Constants first, since the others look at them; sharing after simplifying, which makes nodes alike; channels late, since they look at convolutions with their
 * paddings. */
const struct pass_row pass_list[] = {
    {"drop_dead", pass_drop_dead},
    {"fold_constants", pass_fold_constants},
    {"simplify", pass_simplify},
    {"share", pass_share},
    {"fuse_pads", pass_fuse_pads},
    {"fuse_activations", pass_fuse_activations},
    {"slide_windows", pass_slide_windows},
    {"drop_dead", pass_drop_dead},
    {"remove_channels", pass_remove_channels},
    {"copy_outputs", pass_copy_outputs},
};
const int pass_list_n = (int)(sizeof pass_list / sizeof *pass_list);
