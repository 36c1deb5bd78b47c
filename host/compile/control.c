/* control: the subgraphs of IF and WHILE become part of one list of nodes, with jumps between them.
 *
 *   IF                 jump to 1 unless the condition; then's nodes; results; jump to 2; 1: else's nodes; results; 2:
 *   WHILE   results are the inputs; 1: condition's nodes; jump to 2 unless it holds; body's nodes; results; jump to 1; 2:
 *
 * A result is a tensor that more than one node writes, so what comes out is no graph any more that graph_check would
 * know: it goes from here to lowering only. ASSIGN_VARIABLE writes a result (its input 0 need not be a state);
 * RESHAPE shows a body's nodes a tensor in the shape that they expect; IF without bodies is a jump: to the node
 * option[0], unless its input holds; without inputs, always. docs/design/control.md
 *
 * invariant: tensors of the source keep their indices. */
#include "host/compile/private.h"

#include <string.h>

/* What a graph's tensors are in the list. */
struct names {
  const struct graph *from;
  int *to;
  bool is_body;
};

static void flatten_nodes(struct graph *list, const struct names *names);

static int add_tensor(struct graph *list, const struct graph_tensor *like) {
  struct graph_tensor t = *like;
  t.data = NULL;
  t.is_state = false;
  return graph_add_tensor(list, &t);
}

static struct graph_node new_node(enum mote_op op) {
  return (struct graph_node){.op = op, .source_op = -1};
}

static void assign(struct graph *list, int to, int from) {
  struct graph_node n = new_node(MOTE_OP_ASSIGN_VARIABLE);
  n.n_in = 2;
  n.in[0] = to;
  n.in[1] = from;
  graph_add_node(list, &n);
}

/* Returns the node, whose target is set later. test: a tensor, or -1. The executor tests a byte of the arena. */
static int jump(struct graph *list, int test) {
  if (test >= 0 && graph_is_constant(&list->tensors[test])) {
    const int copy = add_tensor(list, &list->tensors[test]);
    assign(list, copy, test);
    test = copy;
  }
  struct graph_node n = new_node(MOTE_OP_IF);
  n.n_in = test >= 0;
  n.in[0] = test;
  return graph_add_node(list, &n);
}

static void set_target(struct graph *list, int node, int target) {
  list->nodes[node].attrs.option[0] = target;
}

/* The state that stands for a variable of the model; -1: none yet. */
static int find_variable(const struct graph *g, int variable) {
  for (int t = 0; t < g->n_tensors; t++)
    if (g->tensors[t].is_state && g->tensors[t].variable == variable) return t;
  return -1;
}

/* Gives the tensors of a body their places in the list; its inputs are views of in[]. */
static struct names enter_body(struct graph *list, const struct graph *body, const int *in) {
  struct names names = {body, ARENA_ARRAY(list->arena, int, body->n_tensors + 1), true};
  for (int t = 0; t < body->n_tensors; t++) {
    const struct graph_tensor *x = &body->tensors[t];
    const int known = x->is_state && x->variable > 0 ? find_variable(list, x->variable) : -1;
    names.to[t] = known >= 0 ? known : graph_add_tensor(list, x);
  }
  for (int i = 0; i < body->n_inputs; i++) {
    struct graph_node view = new_node(MOTE_OP_RESHAPE);
    view.n_in = view.n_out = 1;
    view.in[0] = in[i];
    view.out[0] = names.to[body->inputs[i]];
    graph_add_node(list, &view);
  }
  return names;
}

/* The tensor whose bytes these are, through views. */
static int root_of(const struct graph *g, int tensor) {
  for (;;) {
    const int producer = g->tensors[tensor].producer;
    if (producer < 0 || g->nodes[producer].op != MOTE_OP_RESHAPE) return tensor;
    tensor = g->nodes[producer].in[0];
  }
}

/* Hands over a body's outputs as the results to[], all at once: a value that another result is about to replace is
 * kept aside first. */
static void hand_over(struct graph *list, const struct names *names, const int *to) {
  const struct graph *body = names->from;
  int *value = ARENA_ARRAY(list->arena, int, body->n_outputs + 1);
  for (int i = 0; i < body->n_outputs; i++) {
    value[i] = names->to[body->outputs[i]];
    const int root = root_of(list, value[i]);
    for (int k = 0; k < body->n_outputs; k++) {
      if (k == i || root != to[k]) continue;
      const int aside = add_tensor(list, &list->tensors[value[i]]);
      assign(list, aside, value[i]);
      value[i] = aside;
      break;
    }
  }
  for (int i = 0; i < body->n_outputs; i++)
    if (root_of(list, value[i]) != to[i]) assign(list, to[i], value[i]);
}

static void flatten_if(struct graph *list, const struct graph_node *n, const int *in,
                       const int *out) {
  const int skip_then = jump(list, in[0]);
  const struct names then_names = enter_body(list, n->body[0], in + 1);
  flatten_nodes(list, &then_names);
  hand_over(list, &then_names, out);
  const int skip_else = jump(list, -1);
  set_target(list, skip_then, list->n_nodes);
  const struct names else_names = enter_body(list, n->body[1], in + 1);
  flatten_nodes(list, &else_names);
  hand_over(list, &else_names, out);
  set_target(list, skip_else, list->n_nodes);
}

static void flatten_while(struct graph *list, const struct graph_node *n, const int *in,
                          const int *out) {
  for (int i = 0; i < n->n_in; i++) assign(list, out[i], in[i]);
  const int round = list->n_nodes;
  const struct names condition = enter_body(list, n->body[0], out);
  flatten_nodes(list, &condition);
  const int leave = jump(list, condition.to[n->body[0]->outputs[0]]);
  const struct names body = enter_body(list, n->body[1], out);
  flatten_nodes(list, &body);
  hand_over(list, &body, out);
  set_target(list, jump(list, -1), round);
  set_target(list, leave, list->n_nodes);
}

static void flatten_nodes(struct graph *list, const struct names *names) {
  for (int i = 0; i < names->from->n_nodes; i++) {
    const struct graph_node *n = &names->from->nodes[i];
    struct graph_node copy = *n;
    for (int k = 0; k < n->n_in; k++) copy.in[k] = n->in[k] < 0 ? -1 : names->to[n->in[k]];
    for (int k = 0; k < n->n_out; k++) copy.out[k] = names->to[n->out[k]];
    if (names->is_body) copy.source_op = -1; /* numbers of operators are the main subgraph's */
    if (n->body[0] == NULL) {
      graph_add_node(list, &copy);
      continue;
    }
    if (n->op == MOTE_OP_IF)
      flatten_if(list, n, copy.in, copy.out);
    else
      flatten_while(list, n, copy.in, copy.out);
  }
}

bool control_is_jump(const struct graph_node *n) {
  return n->op == MOTE_OP_IF && n->body[0] == NULL;
}

const struct graph *control_flatten(const struct graph *g, struct arena *a) {
  bool any = false;
  for (int n = 0; n < g->n_nodes; n++) any = any || g->nodes[n].body[0] != NULL;
  if (!any) return g;
  struct graph *list = pass_copy_graph(a, g);
  struct names same = {g, ARENA_ARRAY(a, int, g->n_tensors + 1), false};
  for (int t = 0; t < g->n_tensors; t++) same.to[t] = t;
  list->n_nodes = 0;
  for (int t = 0; t < g->n_tensors; t++) list->tensors[t].producer = -1;
  flatten_nodes(list, &same);
  return list;
}
