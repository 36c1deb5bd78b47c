/* graph: rules of the element-wise operators. Inputs and outputs are TensorFlow Lite's; shapes broadcast as numpy's
 * up to GRAPH_MAX_RANK axes.
 *
 *   one input          x, y of one shape
 *   two inputs         a, b, y of the shape that a and b broadcast to
 *   SELECT_V2          a BOOL condition, x, y
 *   LEAKY_RELU         attribute alpha
 *   FILL               the value alone; ZEROS_LIKE x: the shape is the output's */
#include "host/graph/private.h"

#include <math.h>

#define ANY (S8 | U8 | S16 | S32 | U32 | S64 | F32 | BOOL)

static bool is_quantised(const struct graph_tensor *t) {
  return t->type == MOTE_INT8 || t->type == MOTE_INT16 || t->type == MOTE_UINT8;
}

/* One scale where the type is that of quantised numbers. */
static bool check_scales(const struct check *c) {
  for (int i = 0; i < c->n->n_in; i++)
    if (is_quantised(check_in(c, i)) && !check_one_scale(c, check_in(c, i), "input")) return false;
  const struct graph_tensor *y = check_out(c, 0);
  return !is_quantised(y) || check_one_scale(c, y, "output");
}

/* int16 is symmetric in the reference. */
static bool check_symmetric(const struct check *c) {
  for (int i = 0; i <= c->n->n_in; i++) {
    const struct graph_tensor *t = i < c->n->n_in ? check_in(c, i) : check_out(c, 0);
    if (t->type == MOTE_INT16 && t->quant.count == 1 && t->quant.zp[0] != 0)
      return err_set(c->e, "zero point %d of an int16 tensor; it must be 0", t->quant.zp[0]);
  }
  return true;
}

/* ---- one input -------------------------------------------------------------------- */
static bool check_unary(const struct check *c, uint32_t types) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  return check_type(c, x, types, "input") && check_same_type(c, x, y) &&
         check_same_shapes(c, x, y) && check_scales(c) && check_symmetric(c);
}
static bool check_f32(const struct check *c) { return check_unary(c, F32); }
static bool check_f32_s8(const struct check *c) { return check_unary(c, F32 | S8); }
static bool check_f32_s8_s16(const struct check *c) { return check_unary(c, F32 | S8 | S16); }
/* int16 without a scale is taken as it is. */
static bool check_abs(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (x->type == MOTE_INT16 && x->quant.count == 0 && y->quant.count == 0)
    return check_same_type(c, x, y) && check_same_shapes(c, x, y);
  return check_unary(c, F32 | S8 | S16);
}
static bool check_bool(const struct check *c) { return check_unary(c, BOOL); }

static bool check_logistic(const struct check *c) {
  const struct graph_tensor *y = check_out(c, 0);
  if (!check_unary(c, F32 | S8 | S16)) return false;
  if (y->type == MOTE_FLOAT32) return true;
  const bool is_tanh = c->n->op == MOTE_OP_TANH;
  const int32_t zp = !is_tanh && y->type == MOTE_INT8 ? -128 : 0;
  const float scale = y->type == MOTE_INT16 ? 1.0f / 32768 : is_tanh ? 1.0f / 128 : 1.0f / 256;
  if (y->quant.zp[0] == zp && (y->type == MOTE_INT8 || y->quant.scale[0] == scale)) return true;
  return err_set(c->e, "its output must have scale %g and zero point %d, not %g and %d",
                 (double)scale, zp, (double)y->quant.scale[0], y->quant.zp[0]);
}

static bool check_leaky_relu(const struct check *c) {
  if (!isfinite(c->n->attrs.alpha))
    return err_set(c->e, "its slope is %g; it must be a number", (double)c->n->attrs.alpha);
  return check_unary(c, F32 | S8 | S16);
}

/* source: the pairs that the reference takes; float32 to float32 is what float16 weights leave behind. */
static bool check_dequantize(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  return check_type(c, x, S8 | U8 | S16 | S32 | F32, "input") && check_type(c, y, F32, "output") &&
         (x->type == MOTE_FLOAT32 || check_one_scale(c, x, "input")) && check_same_shapes(c, x, y);
}
static bool check_quantize(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, x, F32 | S8 | U8 | S16 | S32, "input") ||
      !check_type(c, y, S8 | U8 | S16 | S32, "output") || !check_one_scale(c, y, "output") ||
      (x->type != MOTE_FLOAT32 && !check_one_scale(c, x, "input")) || !check_same_shapes(c, x, y))
    return false;
  if (!(y->quant.scale[0] > 0))
    return err_set(c->e, "its output's scale is %g; it must be positive",
                   (double)y->quant.scale[0]);
  return true;
}
static bool check_cast(const struct check *c) {
  return check_type(c, check_in(c, 0), ANY, "input") &&
         check_type(c, check_out(c, 0), ANY, "output") &&
         check_same_shapes(c, check_in(c, 0), check_out(c, 0));
}
static bool check_zeros_like(const struct check *c) {
  return check_same_shapes(c, check_in(c, 0), check_out(c, 0)) &&
         check_same_type(c, check_in(c, 0), check_out(c, 0));
}
static bool check_fill(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  if (!check_same_type(c, x, check_out(c, 0))) return false;
  if (graph_elements(x) == 1) return true;
  return err_set(c->e, "its value has shape %s instead of one element", check_shape_of(x).text);
}

/* ---- two inputs ----------------------------------------------------------------------- */
static bool check_shapes(const struct check *c) {
  const struct graph_tensor *a = check_in(c, 0), *b = check_in(c, 1), *y = check_out(c, 0);
  struct graph_tensor both = *y;
  if (check_broadcast(a, b, &both.rank, both.dims) && graph_same_shape(&both, y)) return true;
  return err_set(c->e, "%s and %s do not broadcast to the output's %s", check_shape_of(a).text,
                 check_shape_of(b).text, check_shape_of(y).text);
}

static bool check_binary(const struct check *c, uint32_t types) {
  const struct graph_tensor *a = check_in(c, 0), *b = check_in(c, 1);
  return check_type(c, a, types, "input") && check_same_type(c, a, b) &&
         check_same_type(c, a, check_out(c, 0)) && check_shapes(c) && check_fused_activation(c);
}

/* The multipliers of sums are below 1. */
static bool check_sum_scales(const struct check *c) {
  const struct graph_tensor *y = check_out(c, 0);
  if (!is_quantised(y)) return true;
  if (!check_scales(c) || !check_symmetric(c)) return false;
  struct graph_add_scaling s;
  graph_add_scaling_of(c->g, c->node, &s);
  if (s.shift[0] <= 0 && s.shift[1] <= 0 && s.out_shift <= 0) return true;
  return err_set(c->e, "output scale %g is too small beside the input scales %g and %g",
                 (double)y->quant.scale[0], (double)check_in(c, 0)->quant.scale[0],
                 (double)check_in(c, 1)->quant.scale[0]);
}
static bool check_add(const struct check *c) {
  return check_binary(c, F32 | S8 | S16 | S32) && check_sum_scales(c);
}
static bool check_mul(const struct check *c) {
  return check_binary(c, F32 | S8 | S16 | S32) && check_scales(c) && check_symmetric(c);
}
static bool check_squared_difference(const struct check *c) { return check_mul(c); }
static bool check_div(const struct check *c) {
  return check_binary(c, F32 | S8 | S32) && check_scales(c);
}
static bool check_floor(const struct check *c) { return check_binary(c, F32 | S32); }
static bool check_power(const struct check *c) { return check_binary(c, F32); }
static bool check_extreme(const struct check *c) {
  return check_binary(c, F32 | S8 | U8 | S16 | S32 | S64);
}
/* Slopes of int16 are int8. */
static bool check_prelu(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *alpha = check_in(c, 1), *y = check_out(c, 0);
  return check_type(c, x, F32 | S8 | S16, "input") && check_same_type(c, x, y) &&
         check_type(c, alpha, x->type == MOTE_FLOAT32 ? F32 : S8, "slope") && check_shapes(c) &&
         check_scales(c) && check_symmetric(c);
}

static bool check_comparison(const struct check *c) {
  const struct graph_tensor *a = check_in(c, 0), *b = check_in(c, 1);
  const bool equality = c->n->op == MOTE_OP_EQUAL || c->n->op == MOTE_OP_NOT_EQUAL;
  if (!check_type(c, a, F32 | S8 | S32 | S64 | (equality ? BOOL : 0), "input") ||
      !check_same_type(c, a, b) || !check_type(c, check_out(c, 0), BOOL, "output") ||
      !check_shapes(c))
    return false;
  if (a->type != MOTE_INT8) return true;
  if (!check_scales(c)) return false;
  /* The reference brings both to a scale of 1 with multipliers below 1. */
  if (a->quant.scale[0] < 1 && b->quant.scale[0] < 1) return true;
  return err_set(c->e, "scales %g and %g of a comparison must be below 1",
                 (double)a->quant.scale[0], (double)b->quant.scale[0]);
}

static bool check_logic(const struct check *c) { return check_binary(c, BOOL); }

static bool check_select(const struct check *c) {
  const struct graph_tensor *which = check_in(c, 0), *x = check_in(c, 1), *z = check_in(c, 2),
                            *y = check_out(c, 0);
  if (!check_type(c, which, BOOL, "condition") || !check_same_type(c, x, z) ||
      !check_same_type(c, x, y))
    return false;
  struct graph_tensor two = *y, three = *y;
  if (check_broadcast(which, x, &two.rank, two.dims) &&
      check_broadcast(&two, z, &three.rank, three.dims) && graph_same_shape(&three, y))
    return true;
  /* One element each, whatever the rank. */
  if (graph_elements(which) == 1 && graph_elements(x) == 1 && graph_elements(z) == 1 &&
      graph_elements(y) == 1)
    return true;
  return err_set(c->e, "%s, %s and %s do not broadcast to the output's %s",
                 check_shape_of(which).text, check_shape_of(x).text, check_shape_of(z).text,
                 check_shape_of(y).text);
}

/* Becomes SELECT_V2 on import. */
static bool check_select_1(const struct check *c) {
  return err_set(c->e, "a SELECT has become a SELECT_V2 in a graph");
}

static bool check_add_n(const struct check *c) {
  const struct graph_tensor *first = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, first, F32 | S8, "input") || !check_same_type(c, first, y) || !check_scales(c))
    return false;
  for (int i = 0; i < c->n->n_in; i++) {
    const struct graph_tensor *x = check_in(c, i);
    if (!check_same_type(c, x, first) || !check_same_shapes(c, x, y)) return false;
    if (x->type == MOTE_INT8 &&
        (x->quant.scale[0] != first->quant.scale[0] || x->quant.zp[0] != first->quant.zp[0]))
      return err_set(
          c->e, "input %d has scale %g and zero point %d, the first %g and %d; they must be equal",
          i, (double)x->quant.scale[0], x->quant.zp[0], (double)first->quant.scale[0],
          first->quant.zp[0]);
  }
  return true;
}

#define RULE(name, inputs, check)                                                                  \
  const struct graph_rule graph_rule_##name = {inputs, inputs, 1, 1, 0, 0, check};
RULE(ABS, 1, check_abs)
RULE(CEIL, 1, check_f32)
RULE(COS, 1, check_f32)
RULE(ELU, 1, check_f32_s8)
RULE(EXP, 1, check_f32_s8)
RULE(FLOOR, 1, check_f32)
RULE(HARD_SWISH, 1, check_f32_s8)
RULE(LEAKY_RELU, 1, check_leaky_relu)
RULE(LOG, 1, check_f32_s8)
RULE(LOGISTIC, 1, check_logistic)
RULE(NEG, 1, check_f32)
RULE(RELU, 1, check_f32_s8_s16)
RULE(RELU6, 1, check_f32_s8_s16)
RULE(RELU_N1_TO_1, 1, check_f32_s8)
RULE(RELU_0_TO_1, 1, check_f32_s8)
RULE(SIGN, 1, check_f32)
RULE(GELU, 1, check_f32_s8)
RULE(ROUND, 1, check_f32)
RULE(RSQRT, 1, check_f32_s8_s16)
RULE(SIN, 1, check_f32)
RULE(SQRT, 1, check_f32)
RULE(SQUARE, 1, check_f32)
RULE(TANH, 1, check_logistic)
RULE(LOGICAL_NOT, 1, check_bool)
RULE(CAST, 1, check_cast)
RULE(QUANTIZE, 1, check_quantize)
RULE(DEQUANTIZE, 1, check_dequantize)
RULE(ZEROS_LIKE, 1, check_zeros_like)
RULE(FILL, 1, check_fill)
RULE(ADD, 2, check_add)
RULE(SUB, 2, check_add)
RULE(MUL, 2, check_mul)
RULE(DIV, 2, check_div)
RULE(FLOOR_DIV, 2, check_floor)
RULE(FLOOR_MOD, 2, check_floor)
RULE(MAXIMUM, 2, check_extreme)
RULE(MINIMUM, 2, check_extreme)
RULE(SQUARED_DIFFERENCE, 2, check_squared_difference)
RULE(PRELU, 2, check_prelu)
RULE(POW, 2, check_power)
RULE(EQUAL, 2, check_comparison)
RULE(NOT_EQUAL, 2, check_comparison)
RULE(GREATER, 2, check_comparison)
RULE(GREATER_EQUAL, 2, check_comparison)
RULE(LESS, 2, check_comparison)
RULE(LESS_EQUAL, 2, check_comparison)
RULE(LOGICAL_AND, 2, check_logic)
RULE(LOGICAL_OR, 2, check_logic)
RULE(SELECT, 3, check_select_1)
RULE(SELECT_V2, 3, check_select)
const struct graph_rule graph_rule_ADD_N = {2, GRAPH_MAX_IN, 1, 1, 0, 0, check_add_n};
