/* stream: a model over a window that slides becomes one that is given only the rows that are new, and keeps what it
 * needs of the old ones in variables.
 *
 * A tensor *flows* where its row y, whatever y, comes from rows of the input in the same way: then the rows that it has in
 * common with the call before need not be computed again, and in the new graph it holds the newest `fresh` of its
 * `whole` rows. Operators that look at a window of rows get the newest rows that they need, of which the older lie in a
 * variable. What looks at all rows ends the flow: it gets the whole window, likewise kept, and what follows is as
 * it was.
 *
 * invariant: in the new graph a tensor that flows holds rows whole - fresh .. whole - 1 of what the source graph makes of
 * the last rows of the input, and every other tensor what the source graph makes.
 *
 * Rows in front that see padding (`edge` of them) are other than in the middle of a stream. They may exist where nobody looks
 * at them: a causal network of which the last row counts. Padding behind the last row is refused.
 *
 * A long short-term memory whose states are given a constant before each inference sees a window from its beginning. As its rows
 * flow it sees each row once: the states begin with that constant and are then carried on, so that its past is all that came,
 * not a window. Its outputs are those of a window that began with the first call (`carried`).
 *
 * What is kept begins as if zero points had come for ever: each call brings the same rows to a tensor then, and the
 * source graph, run on the host, tells which. So the first output counts, too. */
#include "host/compile/private.h"

#include <string.h>

struct flow {
  bool is;
  int axis; /* all in front of it are 1 */
  int whole, fresh;
  int edge;   /* rows in front that see padding; */
  int padder; /* the node that pads */
};

/* The newest rows of a tensor, kept. */
struct kept {
  int tensor, rows;
  int state,
      window; /* the variable, of rows - fresh; the tensor that holds them and the new ones */
};

struct stream {
  const struct graph *g;
  struct graph *out;
  struct arena *arena;
  struct err *e;
  struct flow *flow; /* [n_tensors] of g */
  bool *fixed;       /* [n_tensors] depends on no input */
  bool *carried;     /* [n_tensors] a state that is no longer set before each inference */
  struct kept *kept;
  int n_kept, room_kept, next_op, rows;
  int needed; /* where strides do not divide the rows: the multiple of them that they divide; else 0 */
  int streamed, end, window_rows, memories;
};

/* What a node becomes. */
enum fate { FLOWS, ENDS, REFUSED };

static int rounded_up(int64_t a, int64_t b) { return (int)((a + b - 1) / b); }

static const struct graph_tensor *tensor(const struct stream *s, int t) {
  return &s->g->tensors[t];
}

static void name_node(const struct stream *s, int node) {
  const struct graph_node *n = &s->g->nodes[node];
  err_node(s->e, "operator %d, %s", n->source_op, mote_op_name((int)n->op));
}

static bool refuse_padding(const struct stream *s, int node, const char *what) {
  err_set(
      s->e,
      "pads in time: %s, so a row of its output is another one when the window has slid on, and "
      "nothing of it can be kept. With VALID padding along time it could be streamed",
      what);
  name_node(s, node);
  return false;
}

/* ---- the new graph ------------------------------------------------------------------ */

static int add_like(struct stream *s, int like, int axis, int rows, const char *what) {
  struct graph_tensor t = s->g->tensors[like];
  t.name = arena_printf(s->arena, "%s of %s", what, t.name != NULL ? t.name : "a tensor");
  t.data = NULL;
  t.dims[axis] = rows;
  return graph_add_tensor(s->out, &t);
}

/* Rows from `begin` on, all of the other axes. */
static int add_slice(struct stream *s, int x, int axis, int begin, int rows, int like) {
  struct graph_node n = {.op = MOTE_OP_SLICE, .n_in = 1, .n_out = 1, .source_op = -1};
  const struct graph_tensor *t = &s->out->tensors[x];
  for (int i = 0; i < t->rank; i++) {
    n.attrs.option[i] = t->dims[i];
    n.attrs.step[i] = 1;
  }
  n.attrs.begin[axis] = begin;
  n.attrs.option[axis] = rows;
  n.in[0] = x;
  n.out[0] = add_like(s, like, axis, rows, "rows");
  graph_add_node(s->out, &n);
  return n.out[0];
}

/* window = what is kept, and the new rows; what is kept = the window's last rows. The pass for sliding windows makes one push
 * of it (pass_windows.c). */
static struct kept *add_kept(struct stream *s, int t, int rows) {
  const struct flow *f = &s->flow[t];
  struct kept *k = &s->kept[s->n_kept++];
  *k = (struct kept){.tensor = t, .rows = rows};
  const int old = rows - f->fresh;
  k->state = add_like(s, t, f->axis, old, "past");
  s->out->tensors[k->state].is_state = true;
  s->out->tensors[k->state].variable = s->n_kept;
  struct graph_node read = {.op = MOTE_OP_READ_VARIABLE, .n_in = 1, .n_out = 1, .source_op = -1};
  read.in[0] = k->state;
  read.out[0] = add_like(s, t, f->axis, old, "past");
  graph_add_node(s->out, &read);
  struct graph_node join = {
      .op = MOTE_OP_CONCATENATION, .n_in = 2, .n_out = 1, .source_op = s->next_op++};
  join.attrs.axis = f->axis;
  join.in[0] = read.out[0];
  join.in[1] = t;
  join.out[0] = k->window = add_like(s, t, f->axis, rows, "window");
  graph_add_node(s->out, &join);
  struct graph_node assign = {.op = MOTE_OP_ASSIGN_VARIABLE, .n_in = 2, .source_op = -1};
  assign.in[0] = k->state;
  assign.in[1] = add_slice(s, k->window, f->axis, f->fresh, old, t);
  graph_add_node(s->out, &assign);
  return k;
}

/* A tensor of the new graph with the newest rows of one that flows. */
static int newest(struct stream *s, int t, int rows) {
  const struct flow *f = &s->flow[t];
  if (rows == f->fresh) return t;
  if (rows < f->fresh) return add_slice(s, t, f->axis, f->fresh - rows, rows, t);
  for (int i = 0; i < s->n_kept; i++)
    if (s->kept[i].tensor == t && s->kept[i].rows == rows) return s->kept[i].window;
  if (s->n_kept == s->room_kept) {
    struct kept *more = ARENA_ARRAY(s->arena, struct kept, 2 * s->room_kept + 8);
    if (s->n_kept > 0) memcpy(more, s->kept, (size_t)s->n_kept * sizeof *more);
    s->kept = more;
    s->room_kept = 2 * s->room_kept + 8;
  }
  return add_kept(s, t, rows)->window;
}

/* All rows of it. false: some see padding. */
static bool whole(struct stream *s, int *t) {
  const struct flow *f = &s->flow[*t];
  if (!f->is) return true;
  if (f->edge > 0)
    return refuse_padding(s, f->padder, "zeros in front of the first row reach what looks at it");
  *t = newest(s, *t, f->whole);
  return true;
}

/* ---- flow --------------------------------------------------------------------------- */

/* Tensor t flows from here on; where all its rows are new it is what it was. */
static enum fate flow_on(struct stream *s, int t, struct flow f) {
  if (f.edge + f.fresh > f.whole) {
    refuse_padding(s, f.padder, "zeros in front of the first row reach the newest ones");
    return REFUSED;
  }
  if (f.fresh == f.whole) return FLOWS;
  f.is = true;
  s->flow[t] = f;
  s->out->tensors[t].dims[f.axis] = f.fresh;
  return FLOWS;
}

/* The rows of a call are too few to give whole ones here. */
static enum fate indivisible(struct stream *s, int node, int have, int unit) {
  const int64_t needed = (int64_t)s->rows * (unit / greatest_common_divisor(have, unit));
  if (needed >= s->window_rows) return ENDS;
  s->needed = (int)needed;
  err_set(s->e,
          "makes a row of its output from every %d of its input, and %d come with each call: "
          "the rows of a call must be a multiple of %d",
          unit, have, s->needed);
  name_node(s, node);
  return REFUSED;
}

/* The first axis that is longer than 1; -1: there is none. */
static int time_axis(const struct graph_tensor *t) {
  for (int i = 0; i < t->rank; i++)
    if (t->dims[i] > 1) return i;
  return -1;
}

/* The same bytes, or as many a row, as the rows of y. */
static enum fate flow_view(struct stream *s, int node, struct flow f, int y) {
  const int axis = time_axis(tensor(s, y));
  if (axis < 0) return ENDS;
  const int rows = tensor(s, y)->dims[axis], before = f.whole;
  const int64_t fresh = (int64_t)rows * f.fresh;
  if (fresh % before != 0)
    return indivisible(s, node, f.fresh, before / greatest_common_divisor(rows, before));
  f.axis = axis;
  f.whole = rows;
  f.fresh = (int)(fresh / before);
  f.edge = rounded_up((int64_t)f.edge * rows, before);
  return flow_on(s, y, f);
}

static bool all_before_are_one(const struct graph_tensor *t, int axis) {
  for (int i = 0; i < axis; i++)
    if (t->dims[i] != 1) return false;
  return true;
}

/* ---- operators that look at one row ----------------------------------------------------- */

static void add_node(struct stream *s, const struct graph_node *n) { graph_add_node(s->out, n); }

/* Inputs that flow do so alike, from the right; the others are the same at any time. */
static bool aligned(const struct stream *s, const struct graph_node *n, struct flow *f,
                    int *right) {
  *f = (struct flow){0};
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] < 0 || !s->flow[n->in[i]].is) continue;
    const struct flow *x = &s->flow[n->in[i]];
    const int from_right = tensor(s, n->in[i])->rank - x->axis;
    if (f->is && (x->whole != f->whole || x->fresh != f->fresh || from_right != *right))
      return false;
    if (!f->is || x->edge > f->edge) *f = *x;
    *right = from_right;
  }
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] < 0 || s->flow[n->in[i]].is) continue;
    const struct graph_tensor *t = tensor(s, n->in[i]);
    if (!s->fixed[n->in[i]])
      return false; /* what is computed from all rows changes with each call */
    if (*right <= t->rank && t->dims[t->rank - *right] != 1) return false;
  }
  return f->is;
}

static enum fate pass_elementwise(struct stream *s, int node, struct graph_node *n) {
  struct flow f;
  int right = 0;
  (void)node;
  if (!aligned(s, n, &f, &right)) return ENDS;
  f.axis = tensor(s, n->out[0])->rank - right;
  if (f.axis < 0 || tensor(s, n->out[0])->dims[f.axis] != f.whole ||
      !all_before_are_one(tensor(s, n->out[0]), f.axis))
    return ENDS;
  const enum fate fate = flow_on(s, n->out[0], f);
  if (fate == FLOWS) add_node(s, n);
  return fate;
}

/* Vectors along the last axis. */
static enum fate pass_vectors(struct stream *s, int node, struct graph_node *n) {
  const struct flow *f = &s->flow[n->in[0]];
  return f->is && f->axis < tensor(s, n->in[0])->rank - 1 ? pass_elementwise(s, node, n) : ENDS;
}

static enum fate pass_view(struct stream *s, int node, struct graph_node *n) {
  const enum fate fate = flow_view(s, node, s->flow[n->in[0]], n->out[0]);
  if (fate == FLOWS) add_node(s, n);
  return fate;
}

/* Weights of fewer bits than the values: these are quantised by the range of the whole tensor. */
static bool is_hybrid(const struct stream *s, const struct graph_node *n) {
  return tensor(s, n->in[0])->type == MOTE_FLOAT32 && tensor(s, n->in[1])->type != MOTE_FLOAT32;
}

/* A dense layer of each row, or of parts of it. */
static enum fate pass_dense(struct stream *s, int node, struct graph_node *n) {
  const struct flow f = s->flow[n->in[0]];
  const struct graph_tensor *x = tensor(s, n->in[0]), *w = tensor(s, n->in[1]);
  if (!f.is || is_hybrid(s, n) || !s->fixed[n->in[1]] ||
      (n->n_in > 2 && n->in[2] >= 0 && !s->fixed[n->in[2]]) || f.axis >= x->rank - 1 ||
      w->rank != 2 || w->dims[1] != x->dims[x->rank - 1])
    return ENDS;
  return pass_view(s, node, n);
}

/* Along another axis than time. */
static enum fate pass_concatenation(struct stream *s, int node, struct graph_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (!s->flow[n->in[i]].is || s->flow[n->in[i]].axis == n->attrs.axis) return ENDS;
  return pass_elementwise(s, node, n);
}

static enum fate pass_split(struct stream *s, int node, struct graph_node *n) {
  const struct flow f = s->flow[n->in[0]];
  (void)node;
  if (!f.is || n->attrs.axis <= f.axis) return ENDS;
  for (int i = 0; i < n->n_out; i++)
    if (flow_on(s, n->out[i], f) != FLOWS) return REFUSED;
  add_node(s, n);
  return FLOWS;
}

static enum fate pass_reduction(struct stream *s, int node, struct graph_node *n) {
  struct flow f = s->flow[n->in[0]];
  const struct graph_tensor *y = tensor(s, n->out[0]);
  if (n->attrs.n_axes == 0) return ENDS;
  for (int i = 0; i < n->attrs.n_axes; i++)
    if (n->attrs.axes[i] == f.axis) return ENDS;
  (void)node;
  /* Axes in front of time are 1, kept or not. */
  for (int i = 0, found = 0; i < y->rank && !found; i++)
    if (y->dims[i] == f.whole) found = 1, f.axis = i;
  if (f.axis >= y->rank || y->dims[f.axis] != f.whole || !all_before_are_one(y, f.axis))
    return ENDS;
  const enum fate fate = flow_on(s, n->out[0], f);
  if (fate == FLOWS) add_node(s, n);
  return fate;
}

static enum fate pass_transpose(struct stream *s, int node, struct graph_node *n) {
  struct flow f = s->flow[n->in[0]];
  const struct graph_tensor *y = tensor(s, n->out[0]);
  int axis = 0;
  (void)node;
  while (n->attrs.perm[axis] != f.axis) axis++;
  if (!all_before_are_one(y, axis)) return ENDS; /* its rows are no longer rows */
  f.axis = axis;
  const enum fate fate = flow_on(s, n->out[0], f);
  if (fate == FLOWS) add_node(s, n);
  return fate;
}

/* ---- operators that look at several ------------------------------------------------------ */

static enum fate pass_pad(struct stream *s, int node, struct graph_node *n) {
  struct flow f = s->flow[n->in[0]];
  struct graph_attrs *a = &n->attrs;
  const bool core = n->op == MOTE_OP_PAD && a->n_axes == 0;
  if (!f.is || (core && f.axis != 1 && f.axis != 2)) return ENDS;
  int32_t core_before[3] = {0}, core_after[3] = {0}, *before = a->before, *after = a->after;
  if (core) {
    core_before[1] = a->pad_top, core_before[2] = a->pad_left;
    core_after[1] = a->pad_bottom, core_after[2] = a->pad_right;
    before = core_before, after = core_after;
  }
  for (int i = 0; i < f.axis; i++)
    if (before[i] + after[i] != 0) return ENDS;
  if (after[f.axis] > 0 || (n->op == MOTE_OP_MIRROR_PAD && before[f.axis] > 0)) {
    refuse_padding(
        s, node,
        arena_printf(s->arena, "%d rows in front and %d behind", before[f.axis], after[f.axis]));
    return REFUSED;
  }
  f.whole += before[f.axis];
  f.edge += before[f.axis];
  if (before[f.axis] > 0) f.padder = node;
  before[f.axis] = 0;
  if (core) a->pad_top = core_before[1], a->pad_left = core_before[2];
  const enum fate fate = flow_on(s, n->out[0], f);
  if (fate == FLOWS) add_node(s, n);
  return fate;
}

/* A window of `span` rows that moves by `stride`, along the axis of time. */
static enum fate pass_window(struct stream *s, int node, struct graph_node *n) {
  struct flow f = s->flow[n->in[0]];
  const struct graph_tensor *y = tensor(s, n->out[0]);
  struct graph_attrs *a = &n->attrs;
  const bool pool = n->n_in == 1;
  if (!f.is || (f.axis != 1 && f.axis != 2) || !all_before_are_one(y, f.axis)) return ENDS;
  if (!pool && is_hybrid(s, n)) return ENDS;
  for (int i = 1; i < n->n_in; i++)
    if (n->in[i] >= 0 && !s->fixed[n->in[i]]) return ENDS;
  const bool high = f.axis == 1;
  const int64_t kernel = !pool  ? tensor(s, n->in[1])->dims[f.axis]
                         : high ? a->kernel_h
                                : a->kernel_w;
  const int64_t span = (kernel - 1) * (pool ? 1 : high ? a->dilation_h : a->dilation_w) + 1;
  const int stride = high ? a->stride_h : a->stride_w;
  int *front = high ? &a->pad_top : &a->pad_left, *behind = high ? &a->pad_bottom : &a->pad_right;
  const int out = y->dims[f.axis];
  /* Rows behind the last window, which no output sees yet; below 0 it sees padding. */
  const int64_t late = (int64_t)f.whole + *front - ((int64_t)(out - 1) * stride + span);
  if (late < 0) {
    refuse_padding(
        s, node,
        arena_printf(s->arena, "%d rows in front and %d behind (SAME)", *front, (int)-late));
    return REFUSED;
  }
  if (*front > 0) f.padder = node;
  f.edge = rounded_up((int64_t)f.edge + *front, stride);
  if (out > 1 && f.fresh > (int64_t)out * stride) return ENDS;
  if (out > 1 && f.fresh % stride != 0) return indivisible(s, node, f.fresh, stride);
  const int fresh = out > 1 ? f.fresh / stride : 1;
  *front = *behind = 0;
  f.whole = out;
  f.fresh = fresh;
  const enum fate fate = flow_on(s, n->out[0], f);
  if (fate != FLOWS) return fate;
  n->in[0] = newest(s, n->in[0], (int)((int64_t)(fresh - 1) * stride + span + late));
  add_node(s, n);
  return FLOWS;
}

static enum fate pass_slice(struct stream *s, int node, struct graph_node *n) {
  struct flow f = s->flow[n->in[0]];
  struct graph_attrs *a = &n->attrs;
  const int begin = a->begin[f.axis], out = a->option[f.axis], step = out > 1 ? a->step[f.axis] : 1;
  if (!f.is || step < 1) return ENDS;
  const int late = f.whole - 1 - (begin + (out - 1) * step);
  if (out > 1 && f.fresh % step != 0) return indivisible(s, node, f.fresh, step);
  const int edge = f.edge > begin ? rounded_up(f.edge - begin, step) : 0;
  const int fresh = out == 1 ? 1 : f.fresh / step;
  const int came = fresh < out ? fresh : out; /* or all of them */
  const int rows = (came - 1) * step + 1 + late;
  f.whole = out;
  f.fresh = came;
  f.edge = edge;
  if (came == out && edge > 0) {
    refuse_padding(s, f.padder, "zeros in front of the first row reach the rows that are taken");
    return REFUSED;
  }
  const enum fate fate = came == out ? FLOWS : flow_view(s, node, f, n->out[0]);
  if (fate != FLOWS) return fate;
  a->begin[s->flow[n->in[0]].axis] = 0;
  a->option[s->flow[n->in[0]].axis] = came;
  n->in[0] = newest(s, n->in[0], rows);
  add_node(s, n);
  return FLOWS;
}

/* The only node that gives a state a value, a constant, before each inference; -1: there is another, or none. */
static int reset_of(const struct graph *g, int state) {
  int reset = -1;
  for (int n = 0; n < g->n_nodes; n++) {
    if (g->nodes[n].op != MOTE_OP_ASSIGN_VARIABLE || g->nodes[n].in[0] != state) continue;
    if (reset >= 0 || !graph_is_constant(&g->tensors[g->nodes[n].in[1]])) return -1;
    reset = n;
  }
  return reset;
}

static bool has_memory(const struct graph_node *n) {
  return n->op == MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM || n->op == MOTE_OP_GRU;
}

/* The memory that a state belongs to, the only node that reads it; -1: another reads it, too. */
static int memory_of(const struct graph *g, int state) {
  int memory = -1;
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_in; i++) {
      if (g->nodes[n].in[i] != state || g->nodes[n].op == MOTE_OP_ASSIGN_VARIABLE) continue;
      if (memory >= 0 || !has_memory(&g->nodes[n]) || !graph_writes(&g->nodes[n], i)) return -1;
      memory = n;
    }
  return memory;
}

/* One sequence, whose rows are its steps of time. */
static bool steps_flow(const struct stream *s, const struct graph_node *n) {
  return s->flow[n->in[0]].is && s->flow[n->in[0]].axis == 1 && !n->attrs.time_major &&
         tensor(s, n->in[0])->dims[0] == 1;
}

/* Whether a node only gives a memory's state its first value, and the rows of that memory flow: the state has the value from the
 * start, and the node goes. */
static bool begins_memory(struct stream *s, int node) {
  const struct graph_node *n = &s->g->nodes[node];
  if (n->op != MOTE_OP_ASSIGN_VARIABLE || reset_of(s->g, n->in[0]) != node) return false;
  const int memory = memory_of(s->g, n->in[0]);
  if (memory < node || !steps_flow(s, &s->g->nodes[memory])) return false;
  s->out->tensors[n->in[0]].data = tensor(s, n->in[1])->data;
  s->carried[n->in[0]] = true;
  return true;
}

static enum fate pass_memory(struct stream *s, int node, struct graph_node *n) {
  (void)node;
  if (!steps_flow(s, n)) return ENDS;
  for (int i = 0; i < n->n_in; i++)
    if (graph_writes(n, i) && !s->carried[n->in[i]]) return ENDS;
  const enum fate fate = flow_on(s, n->out[0], s->flow[n->in[0]]);
  if (fate != FLOWS) return fate;
  s->memories++;
  add_node(s, n);
  return FLOWS;
}

/* ---- all operators ------------------------------------------------------------------------ */

typedef enum fate pass_operator(struct stream *s, int node, struct graph_node *n);

static pass_operator *pass_of(enum mote_op op) {
  switch (op) {
  case MOTE_OP_CONV_2D:
  case MOTE_OP_DEPTHWISE_CONV_2D:
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D:
  case MOTE_OP_L2_POOL_2D: return pass_window;
  case MOTE_OP_SLICE:
  case MOTE_OP_STRIDED_SLICE: return pass_slice;
  case MOTE_OP_PAD:
  case MOTE_OP_PADV2:
  case MOTE_OP_MIRROR_PAD: return pass_pad;
  case MOTE_OP_FULLY_CONNECTED: return pass_dense;
  case MOTE_OP_RESHAPE:
  case MOTE_OP_EXPAND_DIMS:
  case MOTE_OP_SQUEEZE: return pass_view;
  case MOTE_OP_SOFTMAX:
  case MOTE_OP_LOG_SOFTMAX:
  case MOTE_OP_L2_NORMALIZATION: return pass_vectors;
  case MOTE_OP_CONCATENATION: return pass_concatenation;
  case MOTE_OP_SPLIT:
  case MOTE_OP_SPLIT_V: return pass_split;
  case MOTE_OP_MEAN:
  case MOTE_OP_SUM:
  case MOTE_OP_REDUCE_MAX:
  case MOTE_OP_REDUCE_MIN:
  case MOTE_OP_REDUCE_ALL: return pass_reduction;
  case MOTE_OP_TRANSPOSE: return pass_transpose;
  case MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM:
  case MOTE_OP_GRU: return pass_memory;
  case MOTE_OP_ADD:
  case MOTE_OP_SELECT_V2:
  case MOTE_OP_RELU_N1_TO_1:
  case MOTE_OP_RELU_0_TO_1:
  case MOTE_OP_SIGN:
  case MOTE_OP_GELU:
  case MOTE_OP_POW:
  case MOTE_OP_CAST:
  case MOTE_OP_QUANTIZE:
  case MOTE_OP_DEQUANTIZE: return pass_elementwise;
  default:
    /* ops.def keeps the elementwise ones together. */
    return op >= MOTE_OP_ADD_N && op <= MOTE_OP_LOGICAL_NOT ? pass_elementwise : NULL;
  }
}

/* Operators that are no work wherever they stand. */
static bool is_view(enum mote_op op) {
  return op == MOTE_OP_RESHAPE || op == MOTE_OP_EXPAND_DIMS || op == MOTE_OP_SQUEEZE;
}

static bool end_flow(struct stream *s, int node, struct graph_node *n) {
  if (s->end < 0) s->end = node;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] >= 0 && !whole(s, &n->in[i])) return false;
  add_node(s, n);
  return true;
}

static bool pass_node(struct stream *s, int node) {
  struct graph_node n = s->g->nodes[node];
  bool flows = false, fixed = true;
  if (begins_memory(s, node)) return true;
  for (int i = 0; i < n.n_in; i++) {
    flows = flows || (n.in[i] >= 0 && s->flow[n.in[i]].is);
    fixed = fixed && (n.in[i] < 0 || s->fixed[n.in[i]]);
  }
  for (int i = 0; i < n.n_out; i++) s->fixed[n.out[i]] = fixed;
  if (!flows) {
    add_node(s, &n);
    return true;
  }
  pass_operator *pass = pass_of(n.op);
  const struct graph_node as_it_was = n;
  switch (pass != NULL ? pass(s, node, &n) : ENDS) {
  case FLOWS: s->streamed += !is_view(n.op); return true;
  case ENDS: n = as_it_was; return end_flow(s, node, &n);
  case REFUSED: break;
  }
  return false;
}

/* ---- how it begins -------------------------------------------------------------------------- */

void compile_stream_silence(const struct graph_tensor *t, void *bytes) {
  const int64_t zp = t->quant.count == 1 ? t->quant.zp[0] : 0;
  const size_t n = graph_bytes(t);
  uint8_t *at = bytes;
  if (t->type == MOTE_FLOAT32) { /* +0 */
    memset(bytes, 0, n);
    return;
  }
  const size_t each = mote_type_bytes((int)t->type);
  for (size_t i = 0; i < n; i++) at[i] = (uint8_t)((uint64_t)zp >> (8 * (i % each)));
}

/* The source graph up to tensors that are kept, over a window of zero points. */
static bool run_silence(struct stream *s, const int *tensors, int n, const uint8_t **values) {
  struct graph *g = pass_copy_graph(s->arena, s->g);
  const struct compile_options options = {.schedule = COMPILE_LAYERS, .all_channels = true};
  struct compiled compiled;
  struct mote_model model;
  graph_set_outputs(g, tensors, n);
  if (!compile_graph(g, &options, s->arena, &compiled, s->e)) return false;
  const size_t bytes = mote_arena_bytes((const struct mote_plan *)(const void *)compiled.plan);
  if (bytes + 4096 > arena_left(s->arena))
    return err_set(s->e, "computing the first rows needs %zu bytes of memory", bytes);
  void *memory = arena_alloc(s->arena, bytes, 1);
  const enum mote_status status =
      mote_open(&model, compiled.plan, compiled.plan_bytes, memory, bytes);
  if (status != MOTE_OK) return err_internal(s->e, "the plan: %s", mote_status_text(status));
  compile_stream_silence(&g->tensors[g->inputs[0]], mote_input(&model, 0));
  mote_run(&model);
  for (int i = 0; i < n; i++) {
    const size_t size = graph_bytes(&g->tensors[tensors[i]]);
    uint8_t *copy = arena_alloc(s->arena, size, 1);
    memcpy(copy, mote_output(&model, (unsigned)i), size);
    values[i] = copy;
  }
  return true;
}

/* What is kept begins as the newest rows of a silent window, over and over: each call would bring the same. */
static bool fill_states(struct stream *s) {
  int *tensors = ARENA_ARRAY(s->arena, int, s->n_kept + 1), n = 0;
  const uint8_t **values = ARENA_ARRAY(s->arena, const uint8_t *, s->n_kept + 1);
  const int input = s->g->inputs[0];
  for (int i = 0; i < s->n_kept; i++) {
    bool known = s->kept[i].tensor == input;
    for (int k = 0; k < n && !known; k++) known = tensors[k] == s->kept[i].tensor;
    if (!known) tensors[n++] = s->kept[i].tensor;
  }
  if (n > 0 && !run_silence(s, tensors, n, values)) return false;
  for (int i = 0; i < s->n_kept; i++) {
    struct graph_tensor *state = &s->out->tensors[s->kept[i].state];
    const int t = s->kept[i].tensor;
    const size_t whole_bytes = graph_bytes(tensor(s, t)), all = graph_bytes(state),
                 call = whole_bytes / (size_t)s->flow[t].whole * (size_t)s->flow[t].fresh;
    uint8_t *data = ARENA_ARRAY(s->arena, uint8_t, all);
    if (t == input) {
      compile_stream_silence(state, data);
    } else {
      int k = 0;
      while (tensors[k] != t) k++;
      /* From the end: the last byte of a call is the last that is kept. */
      for (size_t b = 0; b < all; b++) data[all - 1 - b] = values[k][whole_bytes - 1 - b % call];
    }
    state->data = data;
  }
  return true;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool can_begin(const struct graph *g, struct err *e) {
  if (g->n_inputs != 1)
    return err_set(e, "has %d inputs; a model of one can be streamed", g->n_inputs);
  for (int i = 0; i < g->n_tensors; i++)
    if (g->tensors[i].is_state && (reset_of(g, i) < 0 || memory_of(g, i) < 0))
      return err_set(
          e,
          "keeps state \"%s\" from one inference to the next, so it is a streaming model as it is",
          g->tensors[i].name != NULL ? g->tensors[i].name : "");
  for (int n = 0; n < g->n_nodes; n++)
    if (g->nodes[n].body[0] != NULL)
      return err_set(e, "has subgraphs (operator %d, %s), which cannot be streamed",
                     g->nodes[n].source_op, mote_op_name((int)g->nodes[n].op));
  return true;
}

/* One try. */
static bool transform(struct stream *s) {
  const struct graph *g = s->g;
  const int input = g->inputs[0], axis = time_axis(tensor(s, input));
  s->out = pass_copy_graph(s->arena, g);
  graph_set_inputs(s->out, g->inputs, 1);
  graph_set_outputs(s->out, g->outputs, g->n_outputs);
  s->out->n_nodes = 0;
  s->flow = ARENA_ARRAY(s->arena, struct flow, g->n_tensors + 1);
  s->fixed = ARENA_ARRAY(s->arena, bool, g->n_tensors + 1);
  s->carried = ARENA_ARRAY(s->arena, bool, g->n_tensors + 1);
  s->n_kept = s->streamed = s->needed = s->next_op = s->memories = 0;
  s->end = -1;
  for (int t = 0; t < g->n_tensors; t++) {
    s->fixed[t] = graph_is_constant(&g->tensors[t]);
    s->out->tensors[t].producer = -1;
  }
  for (int n = 0; n < g->n_nodes; n++)
    if (g->nodes[n].source_op >= s->next_op) s->next_op = g->nodes[n].source_op + 1;
  const struct flow f = {.axis = axis, .whole = tensor(s, input)->dims[axis], .fresh = s->rows};
  flow_on(s, input, f);
  for (int n = 0; n < g->n_nodes; n++)
    if (!pass_node(s, n)) return false;
  for (int i = 0; i < g->n_outputs; i++)
    if (!whole(s, &s->out->outputs[i])) return false;
  return true;
}

/* Whether any multiply-accumulate is saved; in a model without them any work. */
static bool saves(const struct stream *s) {
  int64_t before = 0, after = 0;
  for (int n = 0; n < s->g->n_nodes; n++) before += graph_macs(s->g, n);
  for (int n = 0; n < s->out->n_nodes; n++) after += graph_macs(s->out, n);
  return before > 0 ? after < before : s->streamed > 0;
}

static bool stream_graph(struct stream *s, int rows, struct compile_stream *what) {
  const int axis = time_axis(tensor(s, s->g->inputs[0]));
  if (axis < 0) return err_set(s->e, "its input is one element: there are no rows");
  s->window_rows = what->window_rows = tensor(s, s->g->inputs[0])->dims[axis];
  s->rows = rows > 0 ? rows : 1;
  for (;;) {
    struct err kept = *s->e;
    if (s->rows >= what->window_rows)
      return err_set(s->e, "has a window of %d rows; %s%d at a time leave none to keep",
                     what->window_rows, rows > 0 ? "" : "its strides ask for ", s->rows);
    if (transform(s)) break;
    if (rows > 0 || s->needed == 0) return false;
    s->rows = s->needed;
    *s->e = kept;
  }
  if (!saves(s)) {
    err_set(s->e, "looks at all rows at once, and no operator in front of it can be streamed: "
                  "nothing would be saved");
    if (s->end >= 0) name_node(s, s->end);
    return false;
  }
  if (!fill_states(s)) return false;
  what->rows = s->rows;
  what->streamed = s->streamed;
  what->carried = s->memories;
  what->end_op = s->end >= 0 ? s->g->nodes[s->end].source_op : -1;
  for (int i = 0; i < s->n_kept; i++)
    what->window_bytes += graph_bytes(&s->out->tensors[s->kept[i].window]);
  return true;
}

const struct graph *compile_stream(const struct graph *g, int rows, struct arena *a,
                                   struct compile_stream *what, struct err *e) {
  struct err ignored = {0};
  if (e == NULL) e = &ignored;
  struct stream s = {.g = g, .arena = a, .e = e};
  *what = (struct compile_stream){0};
  if (can_begin(g, e) && stream_graph(&s, rows, what)) {
    if (graph_check(s.out, e)) return s.out;
    e->internal = true;
  }
  err_file(e, g->name);
  return NULL;
}
