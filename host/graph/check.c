/* graph: the proof that later stages rely on (graph_check). See graph.h.
 *
 * This file proves tensors, edges and ports and has what rules share; the rules themselves are in
 * check_<family>.c. */
#include "host/graph/private.h"

#include <math.h>
#include <string.h>

static const struct graph_rule *const rules[MOTE_OP_COUNT] = {
#define OP(name, tflite_code, text) &graph_rule_##name,
#include "mote/base/ops.def"
#undef OP
};

struct check_shape check_shape_of(const struct graph_tensor *t) {
  struct check_shape s = {"["};
  size_t at = 1;
  for (int i = 0; i < t->rank && i < GRAPH_MAX_RANK; i++)
    at += (size_t)snprintf(s.text + at, sizeof s.text - at, i ? ",%d" : "%d", t->dims[i]);
  snprintf(s.text + at, sizeof s.text - at, "]");
  return s;
}

bool graph_writes(const struct graph_node *n, int i) {
  return (unsigned)n->op < MOTE_OP_COUNT && i < 32 && (rules[n->op]->writes >> i & 1) != 0;
}

bool graph_has_effect(const struct graph_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (graph_writes(n, i)) return true;
  for (int k = 0; k < GRAPH_BODIES; k++)
    for (int i = 0; n->body[k] != NULL && i < n->body[k]->n_nodes; i++)
      if (graph_has_effect(&n->body[k]->nodes[i])) return true;
  return false;
}

/* ---- tensors ---------------------------------------------------------------- */
/* Values that a zero point may have. */
static void type_range(enum mote_type type, int32_t *low, int32_t *high) {
  *low = type == MOTE_INT8 ? INT8_MIN : type == MOTE_INT16 ? INT16_MIN : INT32_MIN;
  *high = type == MOTE_INT8    ? INT8_MAX
          : type == MOTE_INT16 ? INT16_MAX
          : type == MOTE_UINT8 ? UINT8_MAX
                               : INT32_MAX;
  if (type == MOTE_UINT8 || type == MOTE_BOOL) *low = 0;
}

static bool check_quant(const struct graph_tensor *t, int index, struct err *e) {
  const struct graph_quant *q = &t->quant;
  if (q->count < 0) return err_set(e, "tensor %d has %d scales", index, q->count);
  if (q->count == 0) return true;
  if (!q->scale || !q->zp) return err_set(e, "tensor %d lacks its scales or zero points", index);
  if (q->count > 1) {
    if (q->axis < 0 || q->axis >= t->rank)
      return err_set(e, "tensor %d has scales for each channel of axis %d, but %d axes", index,
                     q->axis, t->rank);
    if (t->dims[q->axis] != q->count)
      return err_set(e, "tensor %d has %d scales for %d channels", index, q->count,
                     t->dims[q->axis]);
  }
  /* The scale of a bias is implied by its operator; tiny ones may have become 0 in the file. */
  const bool may_be_zero = t->type != MOTE_INT8 && t->type != MOTE_UINT8;
  for (int i = 0; i < q->count; i++) {
    const float s = q->scale[i];
    if (!isfinite(s) || s < 0 || (s <= 0 && !may_be_zero))
      return err_set(e, "scale %d of tensor %d is %g; it must be a positive number", i, index,
                     (double)s);
    int32_t low, high;
    type_range(t->type, &low, &high);
    if (q->zp[i] < low || q->zp[i] > high)
      return err_set(e, "zero point %d of tensor %d is %d, outside %s", i, index, q->zp[i],
                     mote_type_name((int)t->type));
  }
  return true;
}

static bool check_tensor(const struct graph_tensor *t, int index, struct err *e) {
  if ((int)t->type < 0 || t->type >= MOTE_TYPE_COUNT)
    return err_set(e, "tensor %d has no known type (%d)", index, (int)t->type);
  if (t->rank < 0 || t->rank > GRAPH_MAX_RANK)
    return err_set(e, "tensor %d has %d axes; at most %d are possible", index, t->rank,
                   GRAPH_MAX_RANK);
  for (int i = 0; i < t->rank; i++)
    if (t->dims[i] < 1)
      return err_set(e, "axis %d of tensor %d has size %d; sizes must be known and positive", i,
                     index, t->dims[i]);
  if (graph_elements(t) > GRAPH_MAX_ELEMENTS)
    return err_set(e, "tensor %d has more than %d elements", index, GRAPH_MAX_ELEMENTS);
  return check_quant(t, index, e);
}

/* ---- what rules share ----------------------------------------------------------- */
bool check_type(const struct check *c, const struct graph_tensor *t, uint32_t mask,
                const char *what) {
  if ((unsigned)t->type < MOTE_TYPE_COUNT && (mask >> t->type & 1) != 0) return true;
  char wanted[96] = "";
  size_t at = 0;
  for (int k = 0; k < MOTE_TYPE_COUNT; k++)
    if ((mask >> k & 1) != 0 && at < sizeof wanted)
      at += (size_t)snprintf(wanted + at, sizeof wanted - at, at > 0 ? ", %s" : "%s",
                             mote_type_name(k));
  return err_set(c->e, "its %s is %s; supported here: %s", what, mote_type_name((int)t->type),
                 wanted);
}

bool check_one_scale(const struct check *c, const struct graph_tensor *t, const char *what) {
  if (t->quant.count == 1) return true;
  return err_set(c->e, "its %s has %d scales instead of one for the whole tensor", what,
                 t->quant.count);
}

bool check_rank(const struct check *c, const struct graph_tensor *t, int rank, const char *what) {
  if (t->rank == rank) return true;
  return err_set(c->e, "its %s has shape %s; %d axes%s are needed", what, check_shape_of(t).text,
                 rank, rank == 4 ? " (batch, height, width, channels)" : "");
}

bool check_same_type(const struct check *c, const struct graph_tensor *a,
                     const struct graph_tensor *b) {
  if (a->type == b->type) return true;
  return err_set(c->e, "its tensors are %s and %s; one type is needed",
                 mote_type_name((int)a->type), mote_type_name((int)b->type));
}

bool check_same_shapes(const struct check *c, const struct graph_tensor *a,
                       const struct graph_tensor *b) {
  if (graph_same_shape(a, b)) return true;
  return err_set(c->e, "shapes %s and %s must be equal", check_shape_of(a).text,
                 check_shape_of(b).text);
}

bool check_same_scale(const struct check *c, const struct graph_tensor *x,
                      const struct graph_tensor *y) {
  if (!check_one_scale(c, x, "input") || !check_one_scale(c, y, "output")) return false;
  /* source: the reference's tolerance. */
  if (fabs((double)(x->quant.scale[0] - y->quant.scale[0])) <= 1.0e-6 &&
      x->quant.zp[0] == y->quant.zp[0])
    return true;
  return err_set(c->e, "scale and zero point of input (%g, %d) and output (%g, %d) must be equal",
                 (double)x->quant.scale[0], x->quant.zp[0], (double)y->quant.scale[0],
                 y->quant.zp[0]);
}

bool check_fused_activation(const struct check *c) {
  const enum graph_activation act = c->n->attrs.activation;
  const struct graph_tensor *y = check_out(c, 0);
  if ((int)act < 0 || act > GRAPH_ACT_RELU6)
    return err_set(c->e, "unknown fused activation %d", (int)act);
  if (y->quant.count != 1) return true; /* real numbers: every range holds a value */
  int32_t low, high;
  graph_activation_range(y, act, &low, &high);
  if (low <= high) return true;
  return err_set(c->e,
                 "its fused activation leaves no value: the output's scale %g and zero point %d "
                 "cannot hold it",
                 (double)y->quant.scale[0], y->quant.zp[0]);
}

bool check_broadcast(const struct graph_tensor *a, const struct graph_tensor *b, int *rank,
                     int32_t dims[GRAPH_MAX_RANK]) {
  *rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 1; i <= *rank; i++) {
    const int32_t x = i <= a->rank ? a->dims[a->rank - i] : 1;
    const int32_t y = i <= b->rank ? b->dims[b->rank - i] : 1;
    if (x != y && x != 1 && y != 1) return false;
    dims[*rank - i] = x > y ? x : y;
  }
  return true;
}

/* One axis of a window: out = floor((in + before + after - span) / stride) + 1, and no window lies
 * entirely in padding. */
static bool check_window_axis(const struct check *c, const char *axis, int in, int out, int kernel,
                              int stride, int dilation, int before, int after) {
  if (kernel < 1 || stride < 1 || dilation < 1)
    return err_set(c->e, "%s: kernel %d, stride %d, dilation %d must all be at least 1", axis,
                   kernel, stride, dilation);
  const int64_t span = (int64_t)(kernel - 1) * dilation + 1;
  if (before < 0 || after < 0 || before >= span || after >= span)
    return err_set(c->e, "%s: padding %d and %d does not suit a window of %lld", axis, before,
                   after, (long long)span);
  const int64_t room = (int64_t)in + before + after - span;
  const int64_t expected = room < 0 ? 0 : room / stride + 1;
  if (expected != out)
    return err_set(c->e,
                   "%s: %d with kernel %d, stride %d, dilation %d, padding %d and %d gives %lld, "
                   "but the output has %d",
                   axis, in, kernel, stride, dilation, before, after, (long long)expected, out);
  if ((expected - 1) * stride - before >= in)
    return err_set(c->e, "%s: the last window lies entirely in padding", axis);
  return true;
}

bool check_window(const struct check *c, int kernel_h, int kernel_w) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  const bool pool = c->n->op == MOTE_OP_AVERAGE_POOL_2D || c->n->op == MOTE_OP_MAX_POOL_2D ||
                    c->n->op == MOTE_OP_L2_POOL_2D;
  if (x->dims[0] != y->dims[0])
    return err_set(c->e, "batch of input %s and output %s differ", check_shape_of(x).text,
                   check_shape_of(y).text);
  return check_window_axis(c, "height", x->dims[1], y->dims[1], kernel_h, a->stride_h,
                           pool ? 1 : a->dilation_h, a->pad_top, a->pad_bottom) &&
         check_window_axis(c, "width", x->dims[2], y->dims[2], kernel_w, a->stride_w,
                           pool ? 1 : a->dilation_w, a->pad_left, a->pad_right);
}

static bool is_graph_input(const struct graph *g, int tensor) {
  for (int i = 0; i < g->n_inputs; i++)
    if (g->inputs[i] == tensor) return true;
  return false;
}

/* Indices in range, and every input a constant, a state, a model input, or made by an earlier node. */
static bool check_input(const struct check *c, int i, const struct graph_rule *rule) {
  const struct graph *g = c->g;
  const int t = c->n->in[i];
  if (t == -1 && i < 32 && (rule->optional >> i & 1) != 0) return true;
  if (t < 0 || t >= g->n_tensors)
    return err_set(c->e, "input %d is tensor %d of %d", i, t, g->n_tensors);
  const struct graph_tensor *x = &g->tensors[t];
  if (graph_writes(c->n, i) && !x->is_state)
    return err_set(c->e, "input %d (tensor %d) must keep its value between runs", i, t);
  if (x->data || x->is_state || is_graph_input(g, t)) return true;
  if (x->producer < 0 || x->producer >= c->node)
    return err_set(c->e, "input %d (tensor %d) is read before any operator has made it", i, t);
  return true;
}

static bool check_output(const struct check *c, int i) {
  const struct graph *g = c->g;
  const int t = c->n->out[i];
  if (t < 0 || t >= g->n_tensors)
    return err_set(c->e, "output %d is tensor %d of %d", i, t, g->n_tensors);
  const struct graph_tensor *y = &g->tensors[t];
  if (y->data || y->is_state || is_graph_input(g, t) || y->producer != c->node)
    return err_set(
        c->e, "output %d (tensor %d) is a constant, a state, an input of the model, or made twice",
        i, t);
  for (int j = 0; j < i; j++)
    if (c->n->out[j] == t) return err_set(c->e, "tensor %d is its output %d and %d", t, j, i);
  return true;
}

static bool check_count(const struct check *c, int n, int least, int most, const char *what) {
  if (n >= least && n <= most) return true;
  if (least == most) return err_set(c->e, "%d %s instead of %d", n, what, least);
  return err_set(c->e, "%d %s; %d to %d are possible", n, what, least, most);
}

static bool check_node(const struct check *c) {
  const struct graph_node *n = c->n;
  if ((int)n->op < 0 || n->op >= MOTE_OP_COUNT)
    return err_set(c->e, "unknown operator %d", (int)n->op);
  const struct graph_rule *rule = rules[n->op];
  if (!check_count(c, n->n_in, rule->least_in, rule->most_in, "inputs") ||
      !check_count(c, n->n_out, rule->least_out, rule->most_out, "outputs"))
    return false;
  for (int i = 0; i < n->n_in; i++)
    if (!check_input(c, i, rule)) return false;
  for (int i = 0; i < n->n_out; i++)
    if (!check_output(c, i)) return false;
  return rule->check(c);
}

static bool check_ports(const struct graph *g, bool is_body, struct err *e) {
  if (g->n_inputs < 0 || g->n_outputs < (is_body ? 0 : 1))
    return err_set(e, "the model has %d inputs and %d outputs; at least one output is needed",
                   g->n_inputs, g->n_outputs);
  for (int i = 0; i < g->n_inputs; i++) {
    const int t = g->inputs[i];
    if (t < 0 || t >= g->n_tensors)
      return err_set(e, "model input %d is tensor %d of %d", i, t, g->n_tensors);
    if (g->tensors[t].data || g->tensors[t].is_state)
      return err_set(e, "model input %d (tensor %d) is a constant or a state", i, t);
    for (int j = 0; j < i; j++)
      if (g->inputs[j] == t) return err_set(e, "tensor %d is model input %d and %d", t, j, i);
  }
  for (int i = 0; i < g->n_outputs; i++) {
    const int t = g->outputs[i];
    if (t < 0 || t >= g->n_tensors)
      return err_set(e, "model output %d is tensor %d of %d", i, t, g->n_tensors);
    const struct graph_tensor *y = &g->tensors[t];
    if (!y->data && !y->is_state && !is_graph_input(g, t) &&
        (y->producer < 0 || y->producer >= g->n_nodes))
      return err_set(e, "model output %d (tensor %d) is not made by any operator", i, t);
  }
  return true;
}

static bool check_all(const struct graph *g, bool is_body, struct err *e) {
  for (int i = 0; i < g->n_tensors; i++)
    if (!check_tensor(&g->tensors[i], i, e)) return false;
  if (!check_ports(g, is_body, e)) return false;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct check c = {g, &g->nodes[i], i, e};
    if (check_node(&c)) continue;
    err_node(e, "operator %d, %s", g->nodes[i].source_op >= 0 ? g->nodes[i].source_op : i,
             mote_op_name((int)g->nodes[i].op));
    return false;
  }
  return true;
}

bool check_graph_body(const struct graph *g, struct err *e) { return check_all(g, true, e); }

bool graph_check(const struct graph *g, struct err *e) {
  if (check_all(g, false, e)) return true;
  err_file(e, g->name);
  return false;
}
