/* graph: rules of the windowed and matrix operators in every form but the int8 core's (check_int8.c).
 *
 * Operands, T one of
 *   int8    weights int8, bias int32, sums int32
 *   int16   weights int8, bias int64 (sums int64) or int32 (sums int32)
 *   float32 all float32
 *
 *   CONV_2D            x T [n,h,w,c]  weights [out_c,kh,kw,c / groups]  bias [out_c] or -1
 *   DEPTHWISE_CONV_2D  x T [n,h,w,c]  weights [1,kh,kw,out_c]           bias [out_c] or -1; int16: int64
 *   FULLY_CONNECTED    x T [...]      weights [out_c,c]                 bias [out_c] or -1
 *   TRANSPOSE_CONV     x T [n,h,w,c]  weights [out_c,kh,kw,c]           bias [out_c] or -1; int16: int16, int64
 *                      pad_top, pad_left: of the window that goes from the output to x
 *   BATCH_MATMUL       x T [...,a,b]  y T [...,b,c], up to 3 axes in front that repeat; adj_x, adj_y
 *   AVERAGE_POOL_2D, MAX_POOL_2D      x T
 *   SOFTMAX            x T over the last axis; int8 also to int16
 *   L2_NORMALIZATION   x int8 or float32 over the last axis
 *
 * Weights and bias may be computed. Weights of a FULLY_CONNECTED may have a zero point; those of convolutions
 * where asymmetric_weights says so (models that were uint8), for the reference takes no notice of others.
 * narrow_sums: int32 sums of int16 where no bias tells. half_up: averages round halves up (uint8).
 *
 * Integer sums wrap as the reference's do, so they need no proof. */
#include "host/graph/private.h"

#include <math.h>

static bool is_real(const struct graph_tensor *t) { return t->type == MOTE_FLOAT32; }

/* x and output of one type, with one scale each where they are quantised. */
static bool check_ends(const struct check *c, uint32_t types) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, x, types, "input") || !check_same_type(c, x, y)) return false;
  return is_real(x) || (check_one_scale(c, x, "input") && check_one_scale(c, y, "output"));
}

static bool check_weights(const struct check *c, int rank, int axis) {
  const struct graph_tensor *x = check_in(c, 0), *w = check_in(c, 1);
  if (is_real(x) && w->type != MOTE_FLOAT32)
    return check_rank(c, w, rank, "weights") && check_hybrid_weights(c, axis);
  if (!check_type(c, w, is_real(x) ? F32 : S8, "weights") || !check_rank(c, w, rank, "weights"))
    return false;
  if (is_real(x)) return true;
  if (w->quant.count < 1) return err_set(c->e, "its weights have no scale");
  if (w->quant.count > 1 && w->quant.axis != axis)
    return err_set(c->e, "the scales of its weights run along axis %d instead of %d", w->quant.axis,
                   axis);
  const bool may_have_zp = w->quant.count == 1 &&
                           (c->n->op == MOTE_OP_FULLY_CONNECTED || c->n->attrs.asymmetric_weights);
  for (int i = 0; i < w->quant.count && !may_have_zp; i++)
    if (w->quant.zp[i] != 0)
      return err_set(c->e, "zero point of its weights is %d; int8 weights must be symmetric (0)",
                     w->quant.zp[i]);
  return true;
}

static bool check_bias(const struct check *c, int channels) {
  if (!check_has(c, 2)) return true;
  const struct graph_tensor *x = check_in(c, 0), *b = check_in(c, 2);
  uint32_t types = is_real(x) ? F32 : S32;
  if (x->type == MOTE_INT16)
    types = c->n->op == MOTE_OP_DEPTHWISE_CONV_2D ? S64
            : c->n->op == MOTE_OP_TRANSPOSE_CONV  ? S16 | S64
                                                  : S32 | S64;
  if (!check_type(c, b, types, "bias")) return false;
  if (graph_elements(b) == channels) return true;
  return err_set(c->e, "its bias has shape %s for %d channels", check_shape_of(b).text, channels);
}

/* A scale that requantisation takes. */
static bool check_real_scale(const struct check *c, double real, int channel, bool wide) {
  if (isfinite(real) && real >= 0 && real < (wide ? 16384.0 : 1073741824.0)) return true;
  return err_set(c->e, "scale of channel %d is %g; below %g it can be computed with", channel, real,
                 wide ? 16384.0 : 1073741824.0);
}

static bool check_output_scales(const struct check *c, int channels) {
  if (is_real(check_in(c, 0))) return true;
  const bool wide = graph_sums_are_wide(c->g, c->n);
  const int n = check_in(c, 1)->quant.count > 1 ? channels : 1;
  for (int i = 0; i < n; i++)
    if (!check_real_scale(c, graph_output_scale(c->g, c->node, i), i, wide)) return false;
  return true;
}

/* Shapes of weights that make the output's channels. */
static bool check_channels(const struct check *c, int made) {
  const struct graph_tensor *y = check_out(c, 0), *w = check_in(c, 1);
  const int channels = y->rank > 0 ? y->dims[y->rank - 1] : 1;
  if (made != channels)
    return err_set(c->e, "weights %s do not make the output %s", check_shape_of(w).text,
                   check_shape_of(y).text);
  return check_bias(c, channels) && check_output_scales(c, channels);
}

bool check_general_conv(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") || !check_weights(c, 4, 0))
    return false;
  const int groups = w->dims[3] > 0 ? x->dims[3] / w->dims[3] : 0;
  if (groups < 1 || x->dims[3] % w->dims[3] != 0 || y->dims[3] % groups != 0)
    return err_set(c->e,
                   "weights %s expect %d input channels or groups of them; the input has %d, the "
                   "output %d",
                   check_shape_of(w).text, w->dims[3], x->dims[3], y->dims[3]);
  return check_channels(c, w->dims[0]) && check_window(c, w->dims[1], w->dims[2]);
}

bool check_general_depthwise(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") || !check_weights(c, 4, 3))
    return false;
  const int multiplier = c->n->attrs.depth_multiplier;
  if (w->dims[0] != 1)
    return err_set(c->e, "weights %s; the first axis must be 1", check_shape_of(w).text);
  if (multiplier < 1 || (int64_t)x->dims[3] * multiplier != (int64_t)y->dims[3])
    return err_set(c->e, "%d input channels times depth multiplier %d are not %d output channels",
                   x->dims[3], multiplier, y->dims[3]);
  return check_channels(c, w->dims[3]) && check_window(c, w->dims[1], w->dims[2]);
}

bool check_general_dense(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32) || !check_fused_activation(c) || !check_weights(c, 2, 0))
    return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  if (!check_channels(c, w->dims[0])) return false;
  if (graph_elements(x) % w->dims[1] == 0 &&
      graph_elements(x) / w->dims[1] * w->dims[0] == graph_elements(y))
    return true;
  return err_set(c->e, "input %s, weights %s and output %s do not agree", check_shape_of(x).text,
                 check_shape_of(w).text, check_shape_of(y).text);
}

static bool check_transpose_conv(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *w = check_in(c, 1);
  const struct graph_attrs *a = &c->n->attrs;
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") || !check_weights(c, 4, 0))
    return false;
  if (w->dims[3] != x->dims[3] || x->dims[0] != y->dims[0])
    return err_set(c->e, "input %s, weights %s and output %s do not agree", check_shape_of(x).text,
                   check_shape_of(w).text, check_shape_of(y).text);
  if (a->stride_h < 1 || a->stride_w < 1 || a->pad_top < 0 || a->pad_left < 0 ||
      a->pad_top >= w->dims[1] || a->pad_left >= w->dims[2])
    return err_set(c->e, "strides %dx%d and padding %d,%d do not suit a kernel of %dx%d",
                   a->stride_h, a->stride_w, a->pad_top, a->pad_left, w->dims[1], w->dims[2]);
  return check_channels(c, w->dims[0]);
}

/* x [...,a,b] times y [...,b,c], the last two axes swapped where adj says so. */
static bool check_batch_matmul(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_in(c, 1), *z = check_out(c, 0);
  const struct graph_attrs *attrs = &c->n->attrs;
  if (!check_same_type(c, x, y)) return false;
  if (!is_real(x)) {
    if (!check_one_scale(c, y, "second input")) return false;
    if (x->type == MOTE_INT16 && (x->quant.zp[0] || y->quant.zp[0] || z->quant.zp[0]))
      return err_set(c->e, "zero points %d, %d and %d of int16 tensors; they must be 0",
                     x->quant.zp[0], y->quant.zp[0], z->quant.zp[0]);
    const float product = x->quant.scale[0] * y->quant.scale[0];
    if (!check_real_scale(c, (double)product / (double)z->quant.scale[0], 0, x->type == MOTE_INT16))
      return false;
  }
  if (x->rank < 2 || y->rank < 2 || x->rank > 5 || y->rank > 5)
    return err_set(c->e, "inputs %s and %s; 2 to 5 axes are possible", check_shape_of(x).text,
                   check_shape_of(y).text);
  struct graph_tensor front[2] = {*x, *y}, wanted = *z;
  front[0].rank -= 2;
  front[1].rank -= 2;
  const int32_t *xs = x->dims + front[0].rank, *ys = y->dims + front[1].rank;
  const bool suits = xs[attrs->adj_x ? 0 : 1] == ys[attrs->adj_y ? 1 : 0] &&
                     check_broadcast(&front[0], &front[1], &wanted.rank, wanted.dims);
  if (suits) {
    wanted.dims[wanted.rank++] = xs[attrs->adj_x ? 1 : 0];
    wanted.dims[wanted.rank++] = ys[attrs->adj_y ? 0 : 1];
    if (graph_same_shape(&wanted, z)) return true;
  }
  return err_set(c->e, "%s%s times %s%s does not make %s", check_shape_of(x).text,
                 attrs->adj_x ? " transposed" : "", check_shape_of(y).text,
                 attrs->adj_y ? " transposed" : "", check_shape_of(z).text);
}

bool check_general_pool(const struct check *c) {
  if (!check_ends(c, S8 | S16 | F32) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output") ||
      (!is_real(x) && !check_same_scale(c, x, y)))
    return false;
  if (x->dims[3] != y->dims[3])
    return err_set(c->e, "channels of input %s and output %s differ", check_shape_of(x).text,
                   check_shape_of(y).text);
  /* The sum over a window is an int32. */
  const int64_t area = (int64_t)c->n->attrs.kernel_h * c->n->attrs.kernel_w;
  if (area > (x->type == MOTE_INT16 ? 1 << 15 : 1 << 23))
    return err_set(c->e, "a window of %dx%d is too large", c->n->attrs.kernel_h,
                   c->n->attrs.kernel_w);
  return check_window(c, c->n->attrs.kernel_h, c->n->attrs.kernel_w);
}

/* The output's scale may differ from `scale` by a thousandth. source: the reference's tolerance. */
static bool check_softmax_output(const struct check *c, float scale, int32_t zp) {
  const struct graph_quant *q = &check_out(c, 0)->quant;
  if (fabs((double)q->scale[0] - (double)scale) <= 0.001 * (double)scale && q->zp[0] == zp)
    return true;
  return err_set(c->e, "its output must have scale %g and zero point %d, not %g and %d",
                 (double)scale, zp, (double)q->scale[0], q->zp[0]);
}

bool check_general_softmax(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, x, S8 | S16 | F32, "input") || !check_same_shapes(c, x, y)) return false;
  if (x->rank < 1) return err_set(c->e, "a single number has no axis");
  if (!check_type(c, y, is_real(x) ? F32 : x->type == MOTE_INT16 ? S16 : S8 | S16, "output"))
    return false;
  if (is_real(x)) return true;
  if (!check_one_scale(c, x, "input") || !check_one_scale(c, y, "output")) return false;
  const double beta = (double)c->n->attrs.beta * (double)x->quant.scale[0];
  const int32_t classes = x->dims[x->rank - 1];
  if (x->type == MOTE_INT8) {
    if (classes > 4095) return err_set(c->e, "%d classes; at most 4095 are possible", classes);
    if (!isfinite(beta) || beta * (double)(1 << 26) <= 1.0)
      return err_set(c->e, "beta times the input's scale is %g, out of range", beta);
    return check_softmax_output(c, 1.0f / 65536, -32768);
  }
  if (classes > 65535) return err_set(c->e, "%d classes; at most 65535 are possible", classes);
  if (x->quant.zp[0] != 0)
    return err_set(c->e, "zero point %d of its int16 input; it must be 0", x->quant.zp[0]);
  return check_real_scale(c, beta / (10.0 / 65535.0), 0, false) &&
         check_softmax_output(c, 1.0f / 32768, 0);
}

static bool check_l2_norm(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_ends(c, S8 | F32) || !check_same_shapes(c, x, y)) return false;
  if (c->n->attrs.activation != GRAPH_ACT_NONE)
    return err_set(
        c->e, "it has fused activation %d, which the reference does not support; none is possible",
        (int)c->n->attrs.activation);
  if (x->rank < 1) return err_set(c->e, "a single number has no axis");
  if (x->type == MOTE_INT8 && x->dims[x->rank - 1] > 33025)
    return err_set(c->e, "vectors of %d values; the squares of at most 33025 fit in 32 bits",
                   x->dims[x->rank - 1]);
  return true;
}

const struct graph_rule graph_rule_TRANSPOSE_CONV = {3, 3, 1, 1, 1u << 2, 0, check_transpose_conv};
const struct graph_rule graph_rule_BATCH_MATMUL = {2, 2, 1, 1, 0, 0, check_batch_matmul};
const struct graph_rule graph_rule_L2_NORMALIZATION = {1, 1, 1, 1, 0, 0, check_l2_norm};
