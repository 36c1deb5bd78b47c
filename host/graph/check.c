/* graph: the proof that later stages rely on (graph_check). See graph.h.
 *
 * Each operator has a function that states its rule on shapes, types and scales. Sums are bounded exactly from
 * the weights, so that kernels need not look for overflow. */
#include "host/graph/graph.h"

#include <math.h>
#include <string.h>

struct check {
  const struct graph *g;
  const struct graph_node *n;
  int node;
  struct err *e;
};

static const struct graph_tensor *input(const struct check *c, int i) {
  return &c->g->tensors[c->n->in[i]];
}
static const struct graph_tensor *output(const struct check *c) {
  return &c->g->tensors[c->n->out[0]];
}

/* "[1,49,10,1]" for messages. */
struct shape_text {
  char text[96];
};
static struct shape_text shape_of(const struct graph_tensor *t) {
  struct shape_text s = {"["};
  size_t at = 1;
  for (int i = 0; i < t->rank && i < GRAPH_MAX_RANK; i++)
    at += (size_t)snprintf(s.text + at, sizeof s.text - at, i ? ",%d" : "%d", t->dims[i]);
  snprintf(s.text + at, sizeof s.text - at, "]");
  return s;
}

/* ---- tensors ---------------------------------------------------------------- */
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
  const bool may_be_zero = t->type == MOTE_INT32;
  for (int i = 0; i < q->count; i++) {
    const float s = q->scale[i];
    if (!isfinite(s) || s < 0 || (s <= 0 && !may_be_zero))
      return err_set(e, "scale %d of tensor %d is %g; it must be a positive number", i, index,
                     (double)s);
    if (t->type == MOTE_INT8 && (q->zp[i] < INT8_MIN || q->zp[i] > INT8_MAX))
      return err_set(e, "zero point %d of tensor %d is %d, outside int8", i, index, q->zp[i]);
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

/* ---- common rules ------------------------------------------------------------ */
/* int8 with one scale and zero point. */
static bool check_activations(const struct check *c, const struct graph_tensor *t,
                              const char *what) {
  if (t->type != MOTE_INT8)
    return err_set(
        c->e,
        "its %s is not int8; quantise the model to int8 throughout (full-integer quantisation)",
        what);
  if (t->quant.count != 1)
    return err_set(c->e, "its %s has %d scales instead of one for the whole tensor", what,
                   t->quant.count);
  return true;
}

static bool check_rank4(const struct check *c, const struct graph_tensor *t, const char *what) {
  if (t->rank == 4) return true;
  return err_set(c->e, "its %s has shape %s; four axes (batch, height, width, channels) are needed",
                 what, shape_of(t).text);
}

static bool check_activation_function(const struct check *c) {
  const enum graph_activation act = c->n->attrs.activation;
  if ((int)act < 0 || act > GRAPH_ACT_RELU6)
    return err_set(c->e, "unknown fused activation %d", (int)act);
  int32_t low, high;
  graph_activation_range(output(c), act, &low, &high);
  if (low <= high) return true;
  return err_set(c->e,
                 "its fused activation leaves no value: the output's scale %g and zero point %d "
                 "cannot hold it",
                 (double)output(c)->quant.scale[0], output(c)->quant.zp[0]);
}

/* The largest magnitude that enters a requantisation with this shift must stay in int32 after the left
 * shift, with room for the zero point that is added afterwards. */
static bool check_sum(const struct check *c, int channel, int64_t most, double real) {
  int32_t multiplier;
  int shift;
  if (!isfinite(real) || real < 0)
    return err_set(c->e, "scale of channel %d is not a number", channel);
  graph_multiplier(real, &multiplier, &shift);
  const int left = shift > 0 ? shift : 0;
  if (real < 1073741824.0 && left <= 30 && most <= (int64_t)(INT32_MAX - 256) >> left) return true;
  return err_set(c->e,
                 "the sum of channel %d can reach %lld, which times its scale %g does not fit in "
                 "32 bits; the reference "
                 "would wrap. Quantise the model again with representative data",
                 channel, (long long)most, real);
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

static bool check_window(const struct check *c, int kernel_h, int kernel_w) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  const struct graph_attrs *a = &c->n->attrs;
  const bool pool = c->n->op == MOTE_OP_AVERAGE_POOL_2D || c->n->op == MOTE_OP_MAX_POOL_2D;
  if (x->dims[0] != y->dims[0])
    return err_set(c->e, "batch of input %s and output %s differ", shape_of(x).text,
                   shape_of(y).text);
  return check_window_axis(c, "height", x->dims[1], y->dims[1], kernel_h, a->stride_h,
                           pool ? 1 : a->dilation_h, a->pad_top, a->pad_bottom) &&
         check_window_axis(c, "width", x->dims[2], y->dims[2], kernel_w, a->stride_w,
                           pool ? 1 : a->dilation_w, a->pad_left, a->pad_right);
}

/* Weights: constant int8, symmetric, one scale or one for each output channel along `axis`; bias: constant
 * int32, one for each output channel, or left out. */
static bool check_weights(const struct check *c, int rank, int axis, int channels) {
  const struct graph_tensor *w = input(c, 1);
  if (!w->data) return err_set(c->e, "its weights are not constant");
  if (w->type != MOTE_INT8) return err_set(c->e, "its weights are not int8");
  if (w->rank != rank)
    return err_set(c->e, "its weights have shape %s; %d axes are needed", shape_of(w).text, rank);
  if (w->quant.count < 1) return err_set(c->e, "its weights have no scale");
  if (w->quant.count > 1 && w->quant.axis != axis)
    return err_set(c->e, "the scales of its weights run along axis %d instead of %d", w->quant.axis,
                   axis);
  for (int i = 0; i < w->quant.count; i++)
    if (w->quant.zp[i] != 0)
      return err_set(c->e, "zero point of its weights is %d; int8 weights must be symmetric (0)",
                     w->quant.zp[i]);
  if (c->n->in[2] < 0) return true;
  const struct graph_tensor *b = input(c, 2);
  if (!b->data) return err_set(c->e, "its bias is not constant");
  if (b->type != MOTE_INT32) return err_set(c->e, "its bias is not int32");
  if (graph_elements(b) != channels)
    return err_set(c->e, "its bias has shape %s for %d channels", shape_of(b).text, channels);
  return true;
}

/* Sum over |w| * max|x - zp| plus |bias| bounds every partial sum, in whatever order a kernel adds. */
static bool check_weight_sums(const struct check *c, int channels, int64_t per_channel,
                              int64_t step, int64_t next) {
  const int8_t *w = input(c, 1)->data;
  const int32_t *bias = c->n->in[2] >= 0 ? input(c, 2)->data : NULL;
  const int32_t zp = input(c, 0)->quant.zp[0];
  const int64_t reach = 127 - zp > zp + 128 ? 127 - zp : zp + 128;
  for (int channel = 0; channel < channels; channel++) {
    int64_t sum = 0; /* <= 2^28 * 128 */
    for (int64_t i = 0; i < per_channel; i++) {
      const int32_t v = w[channel * next + i * step];
      sum += v < 0 ? -v : v;
    }
    int64_t most = sum * reach;
    if (bias) most += bias[channel] < 0 ? -(int64_t)bias[channel] : bias[channel];
    if (!check_sum(c, channel, most, graph_output_scale(c->g, c->node, channel))) return false;
  }
  return true;
}

/* ---- operators --------------------------------------------------------------- */
static bool check_conv(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c), *w = input(c, 1);
  if (!check_rank4(c, x, "input") || !check_rank4(c, y, "output") ||
      !check_weights(c, 4, 0, y->dims[3]))
    return false;
  if (w->dims[0] != y->dims[3])
    return err_set(c->e, "weights %s do not make the %d channels of the output", shape_of(w).text,
                   y->dims[3]);
  if (w->dims[3] != x->dims[3])
    return err_set(c->e, "weights %s expect %d input channels, the input has %d%s",
                   shape_of(w).text, w->dims[3], x->dims[3],
                   x->dims[3] % w->dims[3] == 0 ? "; grouped convolution is not supported" : "");
  const int64_t per_channel = (int64_t)w->dims[1] * w->dims[2] * w->dims[3];
  return check_window(c, w->dims[1], w->dims[2]) &&
         check_weight_sums(c, w->dims[0], per_channel, 1, per_channel);
}

static bool check_depthwise(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c), *w = input(c, 1);
  if (!check_rank4(c, x, "input") || !check_rank4(c, y, "output") ||
      !check_weights(c, 4, 3, y->dims[3]))
    return false;
  if (w->dims[0] != 1 || w->dims[3] != y->dims[3])
    return err_set(c->e, "weights %s do not suit an output of %d channels", shape_of(w).text,
                   y->dims[3]);
  if (c->n->attrs.depth_multiplier < 1 ||
      (int64_t)x->dims[3] * c->n->attrs.depth_multiplier != (int64_t)y->dims[3])
    return err_set(c->e, "%d input channels times depth multiplier %d are not %d output channels",
                   x->dims[3], c->n->attrs.depth_multiplier, y->dims[3]);
  return check_window(c, w->dims[1], w->dims[2]) &&
         check_weight_sums(c, w->dims[3], (int64_t)w->dims[1] * w->dims[2], w->dims[3], 1);
}

static bool check_fully_connected(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c), *w = input(c, 1);
  const int channels = y->rank ? y->dims[y->rank - 1] : 0;
  if (!check_weights(c, 2, 0, channels)) return false;
  if (w->dims[0] != channels)
    return err_set(c->e, "weights %s do not suit an output of shape %s", shape_of(w).text,
                   shape_of(y).text);
  if (graph_elements(x) % w->dims[1] ||
      graph_elements(x) / w->dims[1] * channels != graph_elements(y))
    return err_set(c->e, "input %s, weights %s and output %s do not agree", shape_of(x).text,
                   shape_of(w).text, shape_of(y).text);
  return check_weight_sums(c, channels, w->dims[1], 1, w->dims[1]);
}

static bool check_add(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *z = input(c, 1), *y = output(c);
  if (!check_activations(c, z, "second input")) return false;
  if (!graph_same_shape(x, z) || !graph_same_shape(x, y))
    return err_set(c->e, "shapes %s, %s and output %s differ; broadcasting is not supported",
                   shape_of(x).text, shape_of(z).text, shape_of(y).text);
  struct graph_add_scaling s;
  graph_add_scaling_of(c->g, c->node, &s);
  if (s.shift[0] <= 0 && s.shift[1] <= 0 && s.out_shift <= 0) return true;
  return err_set(c->e, "output scale %g is too small beside the input scales %g and %g",
                 (double)y->quant.scale[0], (double)x->quant.scale[0], (double)z->quant.scale[0]);
}

static bool check_same_quant(const struct check *c) {
  const struct graph_quant *x = &input(c, 0)->quant, *y = &output(c)->quant;
  /* source: the reference's tolerance. */
  if (fabs((double)(x->scale[0] - y->scale[0])) <= 1.0e-6 && x->zp[0] == y->zp[0]) return true;
  return err_set(c->e, "scale and zero point of input (%g, %d) and output (%g, %d) must be equal",
                 (double)x->scale[0], x->zp[0], (double)y->scale[0], y->zp[0]);
}

static bool check_pool(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  if (!check_rank4(c, x, "input") || !check_rank4(c, y, "output") || !check_same_quant(c))
    return false;
  if (x->dims[3] != y->dims[3])
    return err_set(c->e, "channels of input %s and output %s differ", shape_of(x).text,
                   shape_of(y).text);
  /* A window holds at most this many elements, so 128 times that fits in int32. */
  if ((int64_t)c->n->attrs.kernel_h * c->n->attrs.kernel_w > 1 << 23)
    return err_set(c->e, "a window of %dx%d is too large", c->n->attrs.kernel_h,
                   c->n->attrs.kernel_w);
  return check_window(c, c->n->attrs.kernel_h, c->n->attrs.kernel_w);
}

static bool check_mean(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  if (!check_rank4(c, x, "input")) return false;
  if (y->rank < 1 || y->dims[y->rank - 1] != x->dims[3] ||
      graph_elements(y) != (int64_t)x->dims[0] * x->dims[3])
    return err_set(c->e, "a mean of %s over height and width does not have shape %s",
                   shape_of(x).text, shape_of(y).text);
  const int64_t count = (int64_t)x->dims[1] * x->dims[2];
  return check_sum(c, 0, count * 255, (double)x->quant.scale[0] / (double)y->quant.scale[0]);
}

static bool check_softmax(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  if (!graph_same_shape(x, y) || x->rank < 1)
    return err_set(c->e, "input %s and output %s must have one shape", shape_of(x).text,
                   shape_of(y).text);
  if (y->quant.scale[0] != 1.0f / 256 || y->quant.zp[0] != -128)
    return err_set(c->e, "its output must have scale 1/256 and zero point -128, not %g and %d",
                   (double)y->quant.scale[0], y->quant.zp[0]);
  /* Each exp is at most 2^19; 4095 of them fit in int32. */
  if (x->dims[x->rank - 1] > 4095)
    return err_set(c->e, "%d classes; at most 4095 are possible", x->dims[x->rank - 1]);
  const double real = (double)c->n->attrs.beta * (double)x->quant.scale[0] * (double)(1 << 26);
  if (isfinite(real) && real > 1.0) return true;
  return err_set(c->e, "beta %g with input scale %g is out of range", (double)c->n->attrs.beta,
                 (double)x->quant.scale[0]);
}

static bool check_reshape(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  if (graph_elements(x) == graph_elements(y)) return true;
  return err_set(c->e, "%s and %s do not have the same number of elements", shape_of(x).text,
                 shape_of(y).text);
}

static bool check_pad(const struct check *c) {
  const struct graph_tensor *x = input(c, 0), *y = output(c);
  const struct graph_attrs *a = &c->n->attrs;
  if (!check_rank4(c, x, "input") || !check_rank4(c, y, "output") || !check_same_quant(c))
    return false;
  if (a->pad_top < 0 || a->pad_bottom < 0 || a->pad_left < 0 || a->pad_right < 0)
    return err_set(c->e, "negative padding %d,%d,%d,%d", a->pad_top, a->pad_left, a->pad_bottom,
                   a->pad_right);
  if (x->dims[0] == y->dims[0] && x->dims[3] == y->dims[3] &&
      (int64_t)x->dims[1] + a->pad_top + a->pad_bottom == (int64_t)y->dims[1] &&
      (int64_t)x->dims[2] + a->pad_left + a->pad_right == (int64_t)y->dims[2])
    return true;
  return err_set(c->e, "%s padded by %d,%d,%d,%d (top, left, bottom, right) does not have shape %s",
                 shape_of(x).text, a->pad_top, a->pad_left, a->pad_bottom, a->pad_right,
                 shape_of(y).text);
}

/* inputs: how many an operator has; fused: whether it has an activation function. */
static const struct rule {
  int inputs;
  bool fused;
  bool (*check)(const struct check *c);
} rules[MOTE_OP_COUNT] = {
    [MOTE_OP_CONV_2D] = {3, true, check_conv},
    [MOTE_OP_DEPTHWISE_CONV_2D] = {3, true, check_depthwise},
    [MOTE_OP_FULLY_CONNECTED] = {3, true, check_fully_connected},
    [MOTE_OP_ADD] = {2, true, check_add},
    [MOTE_OP_AVERAGE_POOL_2D] = {1, true, check_pool},
    [MOTE_OP_MAX_POOL_2D] = {1, true, check_pool},
    [MOTE_OP_MEAN] = {1, false, check_mean},
    [MOTE_OP_SOFTMAX] = {1, false, check_softmax},
    [MOTE_OP_RESHAPE] = {1, false, check_reshape},
    [MOTE_OP_PAD] = {1, false, check_pad},
};

static bool is_graph_input(const struct graph *g, int tensor) {
  for (int i = 0; i < g->n_inputs; i++)
    if (g->inputs[i] == tensor) return true;
  return false;
}

/* Indices in range, and every input a constant, a model input, or made by an earlier node. */
static bool check_edges(const struct check *c) {
  const struct graph *g = c->g;
  const struct graph_node *n = c->n;
  for (int i = 0; i < n->n_in; i++) {
    const int t = n->in[i];
    const bool optional = i == 2;
    if (t == -1 && optional) continue;
    if (t < 0 || t >= g->n_tensors)
      return err_set(c->e, "input %d is tensor %d of %d", i, t, g->n_tensors);
    const struct graph_tensor *x = &g->tensors[t];
    if (x->data && i == 0) return err_set(c->e, "its input (tensor %d) is a constant", t);
    if (x->data || is_graph_input(g, t)) continue;
    if (x->producer < 0 || x->producer >= c->node)
      return err_set(c->e, "input %d (tensor %d) is read before any operator has made it", i, t);
  }
  const int t = n->out[0];
  if (n->n_out != 1 || t < 0 || t >= g->n_tensors)
    return err_set(c->e, "its output is tensor %d of %d", t, g->n_tensors);
  if (g->tensors[t].data || is_graph_input(g, t) || g->tensors[t].producer != c->node)
    return err_set(c->e,
                   "its output (tensor %d) is a constant, an input of the model, or made twice", t);
  return true;
}

static bool check_node(const struct check *c) {
  const struct graph_node *n = c->n;
  if ((int)n->op < 0 || n->op >= MOTE_OP_COUNT)
    return err_set(c->e, "unknown operator %d", (int)n->op);
  const struct rule *rule = &rules[n->op];
  if (n->n_in != rule->inputs)
    return err_set(c->e, "%d inputs instead of %d", n->n_in, rule->inputs);
  if (!check_edges(c)) return false;
  if (n->op == MOTE_OP_RESHAPE) {
    if (input(c, 0)->type != MOTE_INT8 || output(c)->type != MOTE_INT8)
      return err_set(c->e, "its tensors are not int8");
    return rule->check(c);
  }
  if (!check_activations(c, input(c, 0), "input") || !check_activations(c, output(c), "output"))
    return false;
  if (rule->fused && !check_activation_function(c)) return false;
  return rule->check(c);
}

static bool check_ports(const struct graph *g, struct err *e) {
  if (g->n_inputs < 1 || g->n_outputs < 1)
    return err_set(e, "the model has %d inputs and %d outputs; it needs both", g->n_inputs,
                   g->n_outputs);
  for (int i = 0; i < g->n_inputs; i++) {
    const int t = g->inputs[i];
    if (t < 0 || t >= g->n_tensors)
      return err_set(e, "model input %d is tensor %d of %d", i, t, g->n_tensors);
    if (g->tensors[t].data) return err_set(e, "model input %d (tensor %d) is a constant", i, t);
    for (int j = 0; j < i; j++)
      if (g->inputs[j] == t) return err_set(e, "tensor %d is model input %d and %d", t, j, i);
  }
  for (int i = 0; i < g->n_outputs; i++) {
    const int t = g->outputs[i];
    if (t < 0 || t >= g->n_tensors)
      return err_set(e, "model output %d is tensor %d of %d", i, t, g->n_tensors);
    if (g->tensors[t].producer < 0 || g->tensors[t].producer >= g->n_nodes)
      return err_set(e, "model output %d (tensor %d) is not made by any operator", i, t);
  }
  return true;
}

static bool check_all(const struct graph *g, struct err *e) {
  for (int i = 0; i < g->n_tensors; i++)
    if (!check_tensor(&g->tensors[i], i, e)) return false;
  if (!check_ports(g, e)) return false;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct check c = {g, &g->nodes[i], i, e};
    if (check_node(&c)) continue;
    err_node(e, "operator %d, %s", g->nodes[i].source_op >= 0 ? g->nodes[i].source_op : i,
             mote_op_name((int)g->nodes[i].op));
    return false;
  }
  return true;
}

bool graph_check(const struct graph *g, struct err *e) {
  if (check_all(g, e)) return true;
  err_file(e, g->name);
  return false;
}
