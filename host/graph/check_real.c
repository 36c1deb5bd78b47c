/* graph: rules of float32 operators that no other family has, and of weights beside float32 activations.
 *
 *   L2_POOL_2D    x float32 [n,h,w,c]; kernel_h, kernel_w
 *   LOG_SOFTMAX   x float32 over the last axis, or int8 with an output of scale 1/16, zero point 127; beta 1
 *
 * Hybrid: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and SVDF (its feature weights) take float32 activations with
 * constant int8 weights, zero point 0, one scale or (not SVDF) one for each output channel, and a float32 bias. A
 * sum of products then stays in int32. */
#include "host/graph/private.h"

#include <math.h>

static bool check_real_ends(const struct check *c) {
  return check_type(c, check_in(c, 0), F32, "input") &&
         check_type(c, check_out(c, 0), F32, "output");
}

static bool check_l2_pool(const struct check *c) {
  if (!check_real_ends(c) || !check_fused_activation(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output")) return false;
  if (x->dims[3] != y->dims[3])
    return err_set(c->e, "channels of input %s and output %s differ", check_shape_of(x).text,
                   check_shape_of(y).text);
  return check_window(c, c->n->attrs.kernel_h, c->n->attrs.kernel_w);
}

static bool check_log_softmax(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, x, F32 | S8, "input") || !check_same_type(c, x, y) ||
      !check_same_shapes(c, x, y))
    return false;
  if (x->rank < 1) return err_set(c->e, "a single number has no axis");
  if (x->type == MOTE_FLOAT32) return true;
  if (!check_one_scale(c, x, "input") || !check_one_scale(c, y, "output")) return false;
  if (y->quant.scale[0] != 1.0f / 16 || y->quant.zp[0] != 127)
    return err_set(c->e, "its output must have scale 1/16 and zero point 127, not %g and %d",
                   (double)y->quant.scale[0], y->quant.zp[0]);
  if (x->dims[x->rank - 1] > 4095)
    return err_set(c->e, "%d classes; at most 4095 are possible", x->dims[x->rank - 1]);
  /* In units of 2^-26, a step of the input is 2 or more, and a multiplier takes what fits 31 bits. */
  const double real = (double)c->n->attrs.beta * (double)x->quant.scale[0] * (double)(1 << 26);
  if (isfinite(real) && real >= 2.0) return true;
  return err_set(c->e, "its input's scale %g is out of range", (double)x->quant.scale[0]);
}

/* source: 65535 products of an int8 weight and a difference of two int8 stay below 2^31. */
#define MOST_PRODUCTS 65535
bool check_hybrid_weights(const struct check *c, int axis) {
  const struct graph_tensor *w = check_in(c, 1);
  const struct graph_quant *q = &w->quant;
  const int channels = w->rank > axis ? w->dims[axis] : 0;
  if (!check_type(c, w, S8, "weights")) return false;
  if (!graph_is_constant(w))
    return err_set(c->e, "its int8 weights beside float32 activations are not constant");
  if (q->count != 1 && (q->count != channels || q->axis != axis))
    return err_set(c->e, "its weights %s have %d scales along axis %d; 1, or %d along axis %d",
                   check_shape_of(w).text, q->count, q->axis, channels, axis);
  for (int i = 0; i < q->count; i++)
    if (q->zp[i] != 0 || !isfinite(q->scale[i]) || q->scale[i] <= 0)
      return err_set(c->e, "scale %g and zero point %d of its weights; a zero point of 0 is needed",
                     (double)q->scale[i], q->zp[i]);
  if (channels > 0 && graph_elements(w) / channels <= MOST_PRODUCTS) return true;
  return err_set(c->e, "its weights %s make sums of more than %d products", check_shape_of(w).text,
                 MOST_PRODUCTS);
}

const struct graph_rule graph_rule_L2_POOL_2D = {1, 1, 1, 1, 0, 0, check_l2_pool};
const struct graph_rule graph_rule_LOG_SOFTMAX = {1, 1, 1, 1, 0, 0, check_log_softmax};
