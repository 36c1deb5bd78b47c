/* graph: rules of the int8 core. See graph.h.
 *
 * Sums are bounded exactly from the weights, so that kernels need not look for overflow; a layer whose sums could wrap is not of
 * the core (graph_is_core) and wraps as the reference's. */
#include "host/graph/private.h"

#include <math.h>

/* int8 with one scale and zero point. */
static bool check_activations(const struct check *c, const struct graph_tensor *t,
                              const char *what) {
  return check_type(c, t, S8, what) && check_one_scale(c, t, what);
}

static bool check_ends(const struct check *c) {
  return check_activations(c, check_in(c, 0), "input") &&
         check_activations(c, check_out(c, 0), "output");
}

/* One bias for each channel and each set of taps that lies inside. needs: the window is proven. */
static bool is_border_bias(const struct check *c, const struct graph_tensor *b, int channels) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  const struct graph_attrs *a = &c->n->attrs;
  if (c->n->op != MOTE_OP_CONV_2D || b->rank != 3 || b->dims[2] != channels) return false;
  const struct {
    int in, out, kernel, stride, dilation, before;
  } axes[2] = {{x->dims[1], y->dims[1], w->dims[1], a->stride_h, a->dilation_h, a->pad_top},
               {x->dims[2], y->dims[2], w->dims[2], a->stride_w, a->dilation_w, a->pad_left}};
  for (int i = 0; i < 2; i++) {
    struct graph_span *spans = ARENA_ARRAY(c->g->arena, struct graph_span, 2 * axes[i].kernel + 2);
    if (graph_window_spans(axes[i].in, axes[i].out, axes[i].kernel, axes[i].stride,
                           axes[i].dilation, axes[i].before, spans) != b->dims[i])
      return false;
  }
  return true;
}

/* Weights: constant int8, symmetric, one scale or one for each output channel along `axis`; bias: constant
 * int32, one for each output channel, or left out. */
static bool check_weights(const struct check *c, int rank, int axis, int channels) {
  const struct graph_tensor *w = check_in(c, 1);
  if (!w->data) return err_set(c->e, "its weights are not constant");
  if (w->type != MOTE_INT8) return err_set(c->e, "its weights are not int8");
  if (w->rank != rank)
    return err_set(c->e, "its weights have shape %s; %d axes are needed", check_shape_of(w).text,
                   rank);
  if (w->quant.count < 1) return err_set(c->e, "its weights have no scale");
  if (w->quant.count > 1 && w->quant.axis != axis)
    return err_set(c->e, "the scales of its weights run along axis %d instead of %d", w->quant.axis,
                   axis);
  for (int i = 0; i < w->quant.count; i++)
    if (w->quant.zp[i] != 0)
      return err_set(c->e, "zero point of its weights is %d; int8 weights must be symmetric (0)",
                     w->quant.zp[i]);
  if (c->n->in[2] < 0) return true;
  const struct graph_tensor *b = check_in(c, 2);
  if (!b->data) return err_set(c->e, "its bias is not constant");
  if (b->type != MOTE_INT32) return err_set(c->e, "its bias is not int32");
  if (graph_elements(b) != channels && !is_border_bias(c, b, channels))
    return err_set(c->e, "its bias has shape %s for %d channels", check_shape_of(b).text, channels);
  return true;
}

/* ---- operators --------------------------------------------------------------- */
static bool check_conv(const struct check *c) {
  if (!graph_is_core(c->g, c->node)) return check_general_conv(c);
  if (!check_ends(c) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") ||
      !check_weights(c, 4, 0, y->dims[3]))
    return false;
  if (w->dims[0] != y->dims[3])
    return err_set(c->e, "weights %s do not make the %d channels of the output",
                   check_shape_of(w).text, y->dims[3]);
  if (w->dims[3] != x->dims[3])
    return err_set(c->e, "weights %s expect %d input channels, the input has %d",
                   check_shape_of(w).text, w->dims[3], x->dims[3]);
  return check_window(c, w->dims[1], w->dims[2]);
}

static bool check_depthwise(const struct check *c) {
  if (!graph_is_core(c->g, c->node)) return check_general_depthwise(c);
  if (!check_ends(c) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") ||
      !check_weights(c, 4, 3, y->dims[3]))
    return false;
  if (w->dims[0] != 1 || w->dims[3] != y->dims[3])
    return err_set(c->e, "weights %s do not suit an output of %d channels", check_shape_of(w).text,
                   y->dims[3]);
  if (c->n->attrs.depth_multiplier < 1 ||
      (int64_t)x->dims[3] * c->n->attrs.depth_multiplier != (int64_t)y->dims[3])
    return err_set(c->e, "%d input channels times depth multiplier %d are not %d output channels",
                   x->dims[3], c->n->attrs.depth_multiplier, y->dims[3]);
  return check_window(c, w->dims[1], w->dims[2]);
}

static bool check_fully_connected(const struct check *c) {
  if (!graph_is_core(c->g, c->node)) return check_general_dense(c);
  if (!check_ends(c) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  const int channels = y->rank ? y->dims[y->rank - 1] : 0;
  if (!check_weights(c, 2, 0, channels)) return false;
  if (w->dims[0] != channels)
    return err_set(c->e, "weights %s do not suit an output of shape %s", check_shape_of(w).text,
                   check_shape_of(y).text);
  if (graph_elements(x) % w->dims[1] ||
      graph_elements(x) / w->dims[1] * channels != graph_elements(y))
    return err_set(c->e, "input %s, weights %s and output %s do not agree", check_shape_of(x).text,
                   check_shape_of(w).text, check_shape_of(y).text);
  return true;
}

static bool check_pool(const struct check *c) {
  if (!graph_is_core(c->g, c->node)) return check_general_pool(c);
  if (!check_ends(c) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") || !check_same_scale(c, x, y))
    return false;
  if (x->dims[3] != y->dims[3])
    return err_set(c->e, "channels of input %s and output %s differ", check_shape_of(x).text,
                   check_shape_of(y).text);
  /* A window holds at most this many elements, so 128 times that fits in int32. */
  if ((int64_t)c->n->attrs.kernel_h * c->n->attrs.kernel_w > 1 << 23)
    return err_set(c->e, "a window of %dx%d is too large", c->n->attrs.kernel_h,
                   c->n->attrs.kernel_w);
  return check_window(c, c->n->attrs.kernel_h, c->n->attrs.kernel_w);
}

static bool check_softmax(const struct check *c) {
  if (!graph_is_core(c->g, c->node)) return check_general_softmax(c);
  if (!check_ends(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!graph_same_shape(x, y) || x->rank < 1)
    return err_set(c->e, "input %s and output %s must have one shape", check_shape_of(x).text,
                   check_shape_of(y).text);
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
  if (!check_same_type(c, check_in(c, 0), check_out(c, 0))) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (graph_elements(x) == graph_elements(y)) return true;
  return err_set(c->e, "%s and %s do not have the same number of elements", check_shape_of(x).text,
                 check_shape_of(y).text);
}

const struct graph_rule graph_rule_CONV_2D = {3, 3, 1, 1, 1u << 2, 0, check_conv};
const struct graph_rule graph_rule_DEPTHWISE_CONV_2D = {3, 3, 1, 1, 1u << 2, 0, check_depthwise};
const struct graph_rule graph_rule_FULLY_CONNECTED = {
    3, 3, 1, 1, 1u << 2, 0, check_fully_connected};
const struct graph_rule graph_rule_AVERAGE_POOL_2D = {1, 1, 1, 1, 0, 0, check_pool};
const struct graph_rule graph_rule_MAX_POOL_2D = {1, 1, 1, 1, 0, 0, check_pool};
const struct graph_rule graph_rule_SOFTMAX = {1, 1, 1, 1, 0, 0, check_softmax};
const struct graph_rule graph_rule_RESHAPE = {1, 1, 1, 1, 0, 0, check_reshape};
