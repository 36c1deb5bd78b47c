/* import: options of the element-wise operators. See tflite.h. */
#include "host/import/tflite.h"

static bool read_activation(struct reader *r, struct op *o) { return tflite_activation(r, o, 0); }

static bool read_leaky_relu(struct reader *r, struct op *o) {
  o->node.attrs.alpha = flat_f32_field(&r->f, &o->options, 0);
  return true;
}

static bool read_gelu(struct reader *r, struct op *o) {
  o->node.attrs.approximate = flat_i8_field(&r->f, &o->options, 0, 0) != 0;
  return true;
}

/* FILL: the shape is the output's. */
static bool read_fill(struct reader *r, struct op *o) {
  (void)r;
  o->node.in[0] = o->in[1];
  o->node.n_in = 1;
  return true;
}

/* SELECT: a condition of one axis chooses whole slices; seen as [n,1,...] it broadcasts as SELECT_V2's does. */
static bool read_select(struct reader *r, struct op *o) {
  const struct graph_tensor *which = tflite_in(r, o, 0), *x = tflite_in(r, o, 1);
  o->node.op = MOTE_OP_SELECT_V2;
  if (graph_same_shape(which, x) || graph_elements(which) == 1) return true;
  if (which->rank != 1 || x->rank < 1 || which->dims[0] != x->dims[0])
    return err_set(r->e, "its condition has neither the shape of what it chooses from nor one "
                         "element for each slice");
  struct graph_tensor seen = *which;
  seen.rank = x->rank;
  for (int i = 1; i < x->rank; i++) seen.dims[i] = 1;
  tflite_see(r, o, &seen);
  return true;
}

/* A constant of one int32 in the graph. `value` lives for ever. */
static int number(struct reader *r, const int32_t *value) {
  const struct graph_tensor t = {.name = "", .type = MOTE_INT32, .data = value};
  return graph_add_tensor(r->g, &t);
}
static const int32_t minus_one = -1, zero = 0, one = 1;

/* int32: 0 - x; the larger of that and x; x moved into -1..1. Each wraps as the reference does. */
static int step_of(struct reader *r, struct op *o, enum mote_op op, int a, int b) {
  struct graph_tensor like = *tflite_out(r, o, 0);
  like.data = NULL;
  const struct graph_node step = {.op = op,
                                  .n_in = 2,
                                  .n_out = 1,
                                  .in = {a, b},
                                  .out = {graph_add_tensor(r->g, &like)},
                                  .source_op = -1};
  graph_add_node(r->g, &step);
  return step.out[0];
}
static bool read_integer(struct reader *r, struct op *o) {
  const int x = o->in[0];
  if (tflite_in(r, o, 0)->type != MOTE_INT32 || tflite_out(r, o, 0)->type != MOTE_INT32)
    return true;
  o->node.n_in = 2;
  if (o->code == MOTE_OP_NEG) {
    o->node.op = MOTE_OP_SUB;
    o->node.in[0] = number(r, &zero);
    o->node.in[1] = x;
    return true;
  }
  o->node.op = MOTE_OP_MAXIMUM;
  if (o->code == MOTE_OP_ABS) {
    o->node.in[1] = step_of(r, o, MOTE_OP_SUB, number(r, &zero), x);
  } else {
    o->node.in[0] = step_of(r, o, MOTE_OP_MINIMUM, x, number(r, &one));
    o->node.in[1] = number(r, &minus_one);
  }
  return true;
}

#define INTEGER(name)                                                                              \
  const struct tflite_reader tflite_reader_##name = {1, 1, 1, 1, read_integer, NULL};
#define UNARY(name)  const struct tflite_reader tflite_reader_##name = {1, 1, 1, 1, NULL, NULL};
#define BINARY(name) const struct tflite_reader tflite_reader_##name = {2, 2, 1, 2, NULL, NULL};
#define FUSED(name)                                                                                \
  const struct tflite_reader tflite_reader_##name = {2, 2, 1, 2, read_activation, NULL};
INTEGER(ABS)
UNARY(CEIL)
UNARY(COS)
UNARY(ELU)
UNARY(EXP)
UNARY(FLOOR)
UNARY(HARD_SWISH)
UNARY(LOG)
UNARY(LOGISTIC)
INTEGER(NEG)
UNARY(RELU)
UNARY(RELU6)
UNARY(RELU_N1_TO_1)
UNARY(RELU_0_TO_1)
INTEGER(SIGN)
UNARY(ROUND)
UNARY(RSQRT)
UNARY(SIN)
UNARY(SQRT)
UNARY(SQUARE)
UNARY(TANH)
UNARY(LOGICAL_NOT)
UNARY(CAST)
UNARY(QUANTIZE)
UNARY(DEQUANTIZE)
UNARY(ZEROS_LIKE)
FUSED(ADD)
FUSED(SUB)
FUSED(MUL)
FUSED(DIV)
BINARY(FLOOR_DIV)
BINARY(FLOOR_MOD)
BINARY(MAXIMUM)
BINARY(MINIMUM)
BINARY(SQUARED_DIFFERENCE)
BINARY(PRELU)
BINARY(POW)
BINARY(EQUAL)
BINARY(NOT_EQUAL)
BINARY(GREATER)
BINARY(GREATER_EQUAL)
BINARY(LESS)
BINARY(LESS_EQUAL)
BINARY(LOGICAL_AND)
BINARY(LOGICAL_OR)
const struct tflite_reader tflite_reader_LEAKY_RELU = {1, 1, 1, 1, read_leaky_relu, NULL};
const struct tflite_reader tflite_reader_SELECT_V2 = {3, 3, 1, 3, NULL, NULL};
const struct tflite_reader tflite_reader_GELU = {1, 1, 1, 1, read_gelu, NULL};
const struct tflite_reader tflite_reader_SELECT = {3, 3, 1, 3, read_select, NULL};
const struct tflite_reader tflite_reader_ADD_N = {2, GRAPH_MAX_IN, 1, GRAPH_MAX_IN, NULL, NULL};
const struct tflite_reader tflite_reader_FILL = {2, 2, 1, 2, read_fill, NULL};
