/* pass: sliding windows. A streaming network keeps its last rows in a variable, and with each new row makes the window
 * that a convolution sees. Converters write that in two ways:
 *
 *   a) window = CONCATENATION(READ(v), x); ASSIGN(v, the window without its first rows)
 *   b) window = CONCATENATION(READ(v) without its first rows, x); ASSIGN(v, window)
 *
 * Both become a CIRCULAR_BUFFER, which pushes x into the window where it lies, and a READ of it: one window in the arena
 * instead of the variable and the window, and one copy of rows instead of three.
 *
 * exact: in a) the variable is the window without its first rows, which fall out with the next push, so what they are at
 * first does not matter; in b) the variable is the window itself. */
#include "host/compile/private.h"

#include <string.h>

/* One such place, by nodes; the state and the new rows. */
struct sliding {
  int read, slice, join, assign;
  int state, x;
  bool keeps_part; /* a): the variable is smaller than the window */
};

/* The only node that reads a tensor, which is no output of the model; -1: there are others, or none. */
static int only_reader(const struct graph *g, int tensor) {
  int reader = -1;
  for (int i = 0; i < g->n_outputs; i++)
    if (g->outputs[i] == tensor) return -1;
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_in; i++)
      if (g->nodes[n].in[i] == tensor) {
        if (reader >= 0) return -1;
        reader = n;
      }
  return reader;
}

/* The last bytes of a tensor: the end of its first axis that is longer than 1, the others whole. */
static bool is_tail(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = &g->tensors[n->in[0]];
  const struct graph_attrs *a = &n->attrs;
  bool first = true;
  if (n->op != MOTE_OP_SLICE && n->op != MOTE_OP_STRIDED_SLICE) return false;
  for (int i = 0; i < x->rank; i++) {
    if (x->dims[i] == 1) continue;
    if (a->option[i] > 1 && a->step[i] != 1) return false;
    if (first ? a->begin[i] != x->dims[i] - a->option[i]
              : a->begin[i] != 0 || a->option[i] != x->dims[i])
      return false;
    first = false;
  }
  return !first;
}

/* One tensor's bytes behind the other's. */
static bool is_join(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *y = &g->tensors[n->out[0]];
  if (n->op != MOTE_OP_CONCATENATION || n->n_in != 2 || n->in[0] == n->in[1]) return false;
  for (int i = 0; i < n->attrs.axis; i++)
    if (y->dims[i] != 1) return false;
  return n->attrs.activation == GRAPH_ACT_NONE && g->tensors[n->in[0]].type == y->type &&
         g->tensors[n->in[1]].type == y->type;
}

/* The assignment of a variable that one READ and one ASSIGN use, and nobody else; -1: it is another's, too. */
static int assignment_of(const struct graph *g, int state, int read) {
  int assign = -1;
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_in; i++) {
      if (g->nodes[n].in[i] != state || n == read) continue;
      if (assign >= 0 || g->nodes[n].op != MOTE_OP_ASSIGN_VARIABLE || n < read) return -1;
      assign = n;
    }
  return assign;
}

/* a): r is what was read. */
static bool is_part(const struct graph *g, int r, struct sliding *s) {
  s->join = only_reader(g, r);
  if (s->join < 0 || !is_join(g, &g->nodes[s->join]) || g->nodes[s->join].in[0] != r) return false;
  const int value = g->nodes[s->assign].in[1];
  s->slice = g->tensors[value].producer;
  s->keeps_part = true;
  return s->slice > s->join && g->nodes[s->slice].in[0] == g->nodes[s->join].out[0] &&
         is_tail(g, &g->nodes[s->slice]) && only_reader(g, value) == s->assign;
}

/* b) */
static bool is_whole(const struct graph *g, int r, struct sliding *s) {
  s->slice = only_reader(g, r);
  if (s->slice < 0 || !is_tail(g, &g->nodes[s->slice])) return false;
  const int rest = g->nodes[s->slice].out[0];
  s->join = only_reader(g, rest);
  s->keeps_part = false;
  return s->join >= 0 && is_join(g, &g->nodes[s->join]) && g->nodes[s->join].in[0] == rest &&
         g->nodes[s->assign].in[1] == g->nodes[s->join].out[0];
}

static bool find(const struct graph *g, int node, struct sliding *s) {
  const struct graph_node *read = &g->nodes[node];
  if (read->op != MOTE_OP_READ_VARIABLE) return false;
  s->read = node;
  s->state = read->in[0];
  s->assign = assignment_of(g, s->state, node);
  if (s->assign < 0) return false;
  if (!is_part(g, read->out[0], s) && !is_whole(g, read->out[0], s)) return false;
  s->x = g->nodes[s->join].in[1];
  const size_t window = graph_bytes(&g->tensors[g->nodes[s->join].out[0]]);
  const size_t kept = graph_bytes(&g->tensors[s->state]);
  const size_t pushed = graph_bytes(&g->tensors[s->x]);
  return s->keeps_part ? kept + pushed == window : kept == window;
}

/* The variable becomes the window; in a) its first value stands at the end, behind bytes that do not matter: as if it
 * went on in front, so that rows which are alike stay alike. */
static void widen_state(struct pass *p, struct graph *g, const struct sliding *s) {
  struct graph_tensor *state = &g->tensors[s->state];
  const struct graph_tensor *window = &g->tensors[g->nodes[s->join].out[0]];
  const size_t all = graph_bytes(window), kept = graph_bytes(state);
  if (state->data != NULL && all > kept) {
    uint8_t *data = ARENA_ARRAY(p->arena, uint8_t, all);
    for (size_t i = 0; i < all - kept; i++) data[i] = ((const uint8_t *)state->data)[i % kept];
    memcpy(data + (all - kept), state->data, kept);
    state->data = data;
  }
  state->rank = window->rank;
  memcpy(state->dims, window->dims, sizeof state->dims);
}

static void tell(struct pass *p, const struct graph *g, int node, const struct sliding *s) {
  struct compile_layer *layer = pass_layer(p, &g->nodes[node]);
  layer->fate = COMPILE_FUSED;
  layer->fused_into = g->nodes[s->join].source_op;
  layer->why = "part of a sliding window that the new rows are pushed into, where it lies";
}

/* In place of the join: push, then read. The others are gone. */
static struct graph *replace(struct pass *p, const struct graph *g, const struct sliding *s) {
  struct graph *c = pass_copy_graph(p->arena, g);
  widen_state(p, c, s);
  c->n_nodes = 0;
  for (int t = 0; t < c->n_tensors; t++) c->tensors[t].producer = -1;
  for (int n = 0; n < g->n_nodes; n++) {
    if (n == s->join) {
      struct graph_node push = {.op = MOTE_OP_CIRCULAR_BUFFER, .n_in = 2};
      push.in[0] = s->x;
      push.in[1] = s->state;
      push.source_op = g->nodes[n].source_op;
      graph_add_node(c, &push);
      struct graph_node read = {
          .op = MOTE_OP_READ_VARIABLE, .n_in = 1, .n_out = 1, .source_op = -1};
      read.in[0] = s->state;
      read.out[0] = g->nodes[n].out[0];
      graph_add_node(c, &read);
    } else if (n == s->read || n == s->slice || n == s->assign) {
      tell(p, g, n, s);
    } else {
      graph_add_node(c, &g->nodes[n]);
    }
  }
  return c;
}

const struct graph *pass_slide_windows(struct pass *p, const struct graph *g) {
  struct sliding s;
  for (int n = 0; n < g->n_nodes; n++)
    if (g->nodes[n].body[0] != NULL) return g; /* a body may use the variable, too */
  for (int n = 0; n < g->n_nodes; n++)
    if (find(g, n, &s)) {
      g = replace(p, g, &s);
      n = -1; /* numbers have moved */
    }
  return g;
}
