/* lower: recipes of the element-wise operators. By rows wherever the output has rows: an operand that is broadcast over
 * them is one row that each call reads again. See lower.c and private.h. */
#include "host/compile/private.h"

#include <float.h>
#include <math.h>
#include <string.h>

static double scale_of(const struct graph_tensor *t) { return (double)t->quant.scale[0]; }

static void range_of_type(enum mote_type type, int32_t *low, int32_t *high) {
  *low = type == MOTE_INT8 ? INT8_MIN : type == MOTE_INT16 ? INT16_MIN : INT32_MIN;
  *high = type == MOTE_INT8 ? INT8_MAX : type == MOTE_INT16 ? INT16_MAX : INT32_MAX;
  if (type == MOTE_UINT8) *low = 0, *high = UINT8_MAX;
}

static void multiplier_of(double real, int32_t *multiplier, int8_t *shift) {
  int s;
  graph_multiplier(real, multiplier, &s);
  *shift = (int8_t)s;
}

/* ---- loops ----------------------------------------------------------------------- */
int loops_join(struct mote_axis *axes, int n) {
  int kept = 0;
  for (int i = 0; i < n; i++) {
    if (axes[i].n == 1) continue;
    struct mote_axis *last = &axes[kept > 0 ? kept - 1 : 0];
    bool joins = kept > 0;
    for (int k = 0; k < 3 && joins; k++)
      joins = last->step[k] == (int64_t)axes[i].step[k] * axes[i].n;
    if (joins) {
      const uint32_t more = last->n;
      *last = axes[i];
      last->n *= more;
    } else {
      axes[kept++] = axes[i];
    }
  }
  if (kept > 0) return kept;
  axes[0].n = 1;
  return 1;
}

void loops_pack(struct packed *out, const struct mote_axis *axes, int n, struct mote_loops *l) {
  l->inner = axes[n - 1];
  l->axes = (uint32_t)n - 1;
  l->axes_at = 0;
  if (n == 1) return;
  void *table = packed_add(out, "loops", MOTE_INT32, 4 * (size_t)(n - 1), &l->axes_at);
  memcpy(table, axes, (size_t)(n - 1) * sizeof *axes);
}

/* Operands of a broadcasting operator. */
struct spread {
  const struct graph_tensor *out;
  int row_axis; /* of the output, left to the calls; -1: none */
};

static struct spread spread_of(const struct graph *g, const struct work *w, bool by_row) {
  const struct graph_tensor *y = out_of(g, w);
  return (struct spread){y, by_row ? 1 : -1};
}

/* Size of an operand along an axis of the output. */
static int32_t operand_dim(const struct spread *s, const struct graph_tensor *t, int axis) {
  const int own = axis - (s->out->rank - t->rank);
  return own < 0 ? 1 : t->dims[own];
}

static int spread_axes(const struct graph *g, const struct work *w, const struct spread *s,
                       struct mote_axis axes[GRAPH_MAX_RANK + 1]) {
  int64_t step[3] = {0};
  int n = 0;
  for (int k = 0; k < w->n_in; k++) step[k] = size_of(in_of(g, w, k));
  memset(axes, 0, (GRAPH_MAX_RANK + 1) * sizeof *axes);
  axes[0].n = 1;
  for (int i = s->out->rank - 1; i >= 0; i--) {
    if (i == s->row_axis) continue; /* what lies before it is 1 */
    for (int k = 0; k < w->n_in; k++) {
      const int32_t dim = operand_dim(s, in_of(g, w, k), i);
      axes[n].step[k] = dim == 1 ? 0 : (int32_t)step[k];
      step[k] *= dim;
    }
    axes[n++].n = (uint32_t)s->out->dims[i];
  }
  for (int i = 0; i < n / 2; i++) {
    const struct mote_axis swap = axes[i];
    axes[i] = axes[n - 1 - i];
    axes[n - 1 - i] = swap;
  }
  return loops_join(axes, n > 0 ? n : 1);
}

/* Rows, edges and aliases; loops.axes tells pack_loops which form it is. */
static bool spread_form(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        int64_t each) {
  const struct graph_tensor *y = out_of(g, w);
  const bool has_rows = rows_of_tensor(y).rows > 1, by_row = has_rows && !flat;
  const struct spread s = spread_of(g, w, by_row);
  if (flat && !has_rows) return false;
  f->out = by_row ? rows_of_tensor(y) : one_row(y);
  for (int k = 0; k < w->n_in; k++) {
    const struct graph_tensor *x = in_of(g, w, k);
    const bool each_row = by_row && operand_dim(&s, x, 1) > 1;
    f->in[k].rows = each_row ? f->out.rows : 1;
    f->in[k].row_bytes = graph_bytes(x) / (size_t)f->in[k].rows;
    f->reach[k] = EACH_ROW;
    if (!each_row) f->reach[k].advance = 0;
    f->alias[k] =
        each_row == by_row && graph_elements(x) == graph_elements(y) && size_of(x) == size_of(y);
    for (int j = 0; j < w->n_in; j++)
      if (j != k && w->in[j] == w->in[k]) f->alias[k] = false;
  }
  f->calls = f->out.rows;
  f->rows_out = 1;
  f->instructions = graph_elements(y) * each;
  ((struct mote_loops *)(void *)&f->params)->axes = by_row;
  return true;
}

static bool pack_loops(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  struct mote_loops *l = (struct mote_loops *)(void *)params;
  const struct spread s = spread_of(p->graph, w, l->axes != 0);
  struct mote_axis axes[GRAPH_MAX_RANK + 1];
  const int n = spread_axes(p->graph, w, &s, axes);
  (void)e;
  loops_pack(out, axes, n, l);
  return true;
}

/* ---- two inputs, quantised ----------------------------------------------------------- */
static void set_binary_q(const struct graph *g, const struct work *w, struct mote_binary_q *p) {
  const struct graph_tensor *a = in_of(g, w, 0), *b = in_of(g, w, 1), *y = out_of(g, w);
  int32_t low, high;
  p->bytes = (uint8_t)size_of(a);
  p->b_bytes = (uint8_t)size_of(b);
  p->zp[0] = (int16_t)a->quant.zp[0];
  p->zp[1] = (int16_t)b->quant.zp[0];
  if (y->type == MOTE_BOOL) {
    p->high = 1;
    return;
  }
  graph_activation_range(y, node_of(g, w)->attrs.activation, &low, &high);
  p->out_zp = (int16_t)y->quant.zp[0];
  p->low = (int16_t)low;
  p->high = (int16_t)high;
}

static bool build_sum(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  struct mote_binary_q *p = &f->params.sum_q;
  struct graph_add_scaling s;
  (void)e;
  if (!spread_form(g, w, flat, f, 45)) return false;
  set_binary_q(g, w, p);
  graph_add_scaling_of(g, w->node, &s);
  for (int i = 0; i < 2; i++) {
    p->multiplier[i] = s.multiplier[i];
    p->shift[i] = (int8_t)s.shift[i];
  }
  p->out_multiplier = s.out_multiplier;
  p->out_shift = (int8_t)s.out_shift;
  p->left_shift = (uint8_t)s.left_shift;
  p->negative = node_of(g, w)->op == MOTE_OP_SUB;
  return true;
}

static bool build_product(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  struct mote_binary_q *p = &f->params.product_q;
  (void)e;
  if (!spread_form(g, w, flat, f, 22)) return false;
  set_binary_q(g, w, p);
  multiplier_of(scale_of(in_of(g, w, 0)) * scale_of(in_of(g, w, 1)) / scale_of(out_of(g, w)),
                &p->out_multiplier, &p->out_shift);
  return true;
}

static bool build_squared_difference(const struct graph *g, const struct work *w, bool flat,
                                     struct form *f, struct err *e) {
  struct mote_binary_q *p = &f->params.squared_difference_q;
  const float *a = in_of(g, w, 0)->quant.scale, *b = in_of(g, w, 1)->quant.scale;
  const double twice = 2.0 * (double)(a[0] > b[0] ? a[0] : b[0]);
  (void)e;
  if (!spread_form(g, w, flat, f, 50)) return false;
  set_binary_q(g, w, p);
  p->left_shift = p->bytes == 1 ? 7 : 0;
  for (int i = 0; i < 2; i++)
    multiplier_of(scale_of(in_of(g, w, i)) / twice, &p->multiplier[i], &p->shift[i]);
  multiplier_of(twice * twice /
                    (double)((float)(1 << 2 * p->left_shift) * out_of(g, w)->quant.scale[0]),
                &p->out_multiplier, &p->out_shift);
  return true;
}

static bool build_quotient(const struct graph *g, const struct work *w, bool flat, struct form *f,
                           struct err *e) {
  struct mote_binary_q *p = &f->params.quotient_s8;
  (void)e;
  if (!spread_form(g, w, flat, f, 150)) return false;
  set_binary_q(g, w, p);
  multiplier_of((double)(in_of(g, w, 0)->quant.scale[0] /
                         (in_of(g, w, 1)->quant.scale[0] * out_of(g, w)->quant.scale[0])),
                &p->out_multiplier, &p->out_shift);
  return true;
}

static bool build_prelu(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e) {
  struct mote_binary_q *p = &f->params.prelu_q;
  const double in = scale_of(in_of(g, w, 0)), out = scale_of(out_of(g, w));
  (void)e;
  if (!spread_form(g, w, flat, f, 25)) return false;
  set_binary_q(g, w, p);
  multiplier_of(in / out, &p->multiplier[0], &p->shift[0]);
  multiplier_of(in * scale_of(in_of(g, w, 1)) / out, &p->out_multiplier, &p->out_shift);
  return true;
}

static enum mote_comparison comparison_of(enum mote_op op) {
  switch (op) {
  case MOTE_OP_EQUAL: return MOTE_EQUAL;
  case MOTE_OP_NOT_EQUAL: return MOTE_NOT_EQUAL;
  case MOTE_OP_GREATER: return MOTE_GREATER;
  case MOTE_OP_GREATER_EQUAL: return MOTE_GREATER_EQUAL;
  case MOTE_OP_LESS: return MOTE_LESS;
  default: return MOTE_LESS_EQUAL;
  }
}

static bool build_compare_q(const struct graph *g, const struct work *w, bool flat, struct form *f,
                            struct err *e) {
  struct mote_binary_q *p = &f->params.compare_q;
  (void)e;
  if (!spread_form(g, w, flat, f, 35)) return false;
  set_binary_q(g, w, p);
  p->left_shift = 8;
  p->comparison = (uint8_t)comparison_of(node_of(g, w)->op);
  for (int i = 0; i < 2; i++)
    multiplier_of(scale_of(in_of(g, w, i)), &p->multiplier[i], &p->shift[i]);
  return true;
}

/* ---- two inputs, plain --------------------------------------------------------------- */
static enum mote_arithmetic arithmetic_of(enum mote_op op) {
  switch (op) {
  case MOTE_OP_ADD: return MOTE_ARITHMETIC_ADD;
  case MOTE_OP_SUB: return MOTE_ARITHMETIC_SUB;
  case MOTE_OP_MUL: return MOTE_ARITHMETIC_MUL;
  case MOTE_OP_DIV: return MOTE_ARITHMETIC_DIV;
  case MOTE_OP_SQUARED_DIFFERENCE: return MOTE_ARITHMETIC_SQUARED_DIFFERENCE;
  case MOTE_OP_MAXIMUM: return MOTE_ARITHMETIC_MAXIMUM;
  case MOTE_OP_MINIMUM: return MOTE_ARITHMETIC_MINIMUM;
  case MOTE_OP_PRELU: return MOTE_ARITHMETIC_PRELU;
  case MOTE_OP_FLOOR_DIV: return MOTE_ARITHMETIC_FLOOR_DIV;
  case MOTE_OP_POW: return MOTE_ARITHMETIC_POWER;
  default: return MOTE_ARITHMETIC_FLOOR_MOD;
  }
}

static bool build_binary_f32(const struct graph *g, const struct work *w, bool flat, struct form *f,
                             struct err *e) {
  const struct graph_node *n = node_of(g, w);
  struct mote_binary_f32 *p = &f->params.binary_f32;
  (void)e;
  if (!spread_form(g, w, flat, f, 16)) return false;
  p->arithmetic = arithmetic_of(n->op);
  float_range(n->attrs.activation, &p->low, &p->high);
  return true;
}

/* The reference's int32 ADD has no activation. */
static bool build_binary_s32(const struct graph *g, const struct work *w, bool flat, struct form *f,
                             struct err *e) {
  const struct graph_node *n = node_of(g, w);
  struct mote_binary_s32 *p = &f->params.binary_s32;
  const enum graph_activation act = n->op == MOTE_OP_ADD ? GRAPH_ACT_NONE : n->attrs.activation;
  (void)e;
  if (!spread_form(g, w, flat, f, 14)) return false;
  p->arithmetic = arithmetic_of(n->op);
  p->low = act == GRAPH_ACT_RELU_N1_TO_1 ? -1 : act == GRAPH_ACT_NONE ? INT32_MIN : 0;
  p->high = act == GRAPH_ACT_RELU_N1_TO_1 ? 1 : act == GRAPH_ACT_RELU6 ? 6 : INT32_MAX;
  return true;
}

static bool build_plain(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_node *n = node_of(g, w);
  struct mote_binary *p = &f->params.comparison;
  (void)e;
  if (!spread_form(g, w, flat, f, 22)) return false;
  p->type = (uint16_t)in_of(g, w, 0)->type;
  p->function = (uint16_t)comparison_of(n->op);
  if (n->op == MOTE_OP_MAXIMUM || n->op == MOTE_OP_MINIMUM)
    p->function = (uint16_t)arithmetic_of(n->op);
  if (n->op == MOTE_OP_LOGICAL_AND || n->op == MOTE_OP_LOGICAL_OR)
    p->function = n->op == MOTE_OP_LOGICAL_OR;
  return true;
}

static bool build_select(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  (void)e;
  if (!spread_form(g, w, flat, f, 18)) return false;
  f->params.select.bytes = (uint32_t)size_of(out_of(g, w));
  return true;
}

/* ---- one input, or several of one shape ------------------------------------------------- */
/* Rows of equal elements; n: elements of a row. */
static bool run_form(const struct graph *g, const struct work *w, bool flat, struct form *f,
                     int64_t each, uint32_t *n) {
  const struct graph_tensor *y = out_of(g, w);
  if (!row_form(g, w, flat, f)) return false;
  *n = (uint32_t)(f->out.row_bytes / (size_t)size_of(y));
  for (int k = 0; k < w->n_in; k++) {
    f->alias[k] = size_of(in_of(g, w, k)) == size_of(y);
    for (int j = 0; j < w->n_in; j++)
      if (j != k && w->in[j] == w->in[k]) f->alias[k] = false;
  }
  f->instructions = graph_elements(y) * each;
  return true;
}

static bool build_lut(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  (void)e;
  return run_form(g, w, flat, f, 4, &f->params.lut_8.n);
}
static bool pack_lut(const struct program *p, const struct work *w, union kernel_params *params,
                     struct packed *out, struct err *e) {
  (void)e;
  graph_table(p->graph, w->node,
              packed_add(out, "table", MOTE_UINT8, 256, &params->lut_8.table_at));
  return true;
}

static bool build_not(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  (void)e;
  return run_form(g, w, flat, f, 5, &f->params.logical_not.n);
}
static bool build_math(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  (void)e;
  return run_form(g, w, flat, f, 80, &f->params.exp_f32.n);
}

static bool build_simple(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  struct mote_simple_f32 *p = &f->params.simple_f32;
  const struct graph_node *n = node_of(g, w);
  (void)e;
  if (!run_form(g, w, flat, f, 12, &p->n)) return false;
  p->high = INFINITY;
  p->function = MOTE_SIMPLE_CLAMP;
  switch (n->op) {
  case MOTE_OP_ABS: p->function = MOTE_SIMPLE_ABS; break;
  case MOTE_OP_NEG: p->function = MOTE_SIMPLE_NEG; break;
  case MOTE_OP_SQUARE: p->function = MOTE_SIMPLE_SQUARE; break;
  case MOTE_OP_CEIL: p->function = MOTE_SIMPLE_CEIL; break;
  case MOTE_OP_FLOOR: p->function = MOTE_SIMPLE_FLOOR; break;
  case MOTE_OP_ROUND: p->function = MOTE_SIMPLE_ROUND; break;
  case MOTE_OP_HARD_SWISH: p->function = MOTE_SIMPLE_HARD_SWISH; break;
  case MOTE_OP_LEAKY_RELU:
    p->function = MOTE_SIMPLE_LEAKY;
    p->low = n->attrs.alpha;
    break;
  case MOTE_OP_SIGN: p->function = MOTE_SIMPLE_SIGN; break;
  case MOTE_OP_RELU6: p->high = 6; break;
  case MOTE_OP_RELU_0_TO_1: p->high = 1; break;
  case MOTE_OP_RELU_N1_TO_1:
    p->low = -1;
    p->high = 1;
    break;
  default: break; /* RELU */
  }
  return true;
}

/* Integers to integers: QUANTIZE, and RELU, RELU6, ABS of int16. */
static bool build_rescale(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  struct mote_rescale *p = &f->params.rescale;
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  const enum mote_op op = node_of(g, w)->op;
  (void)e;
  if (!run_form(g, w, flat, f, 22, &p->n)) return false;
  p->in_type = (uint8_t)x->type;
  p->out_type = (uint8_t)y->type;
  p->in_zp = x->quant.zp != NULL ? x->quant.zp[0] : 0;
  p->out_zp = y->quant.zp != NULL ? y->quant.zp[0] : 0;
  p->absolute = op == MOTE_OP_ABS;
  range_of_type(y->type, &p->low, &p->high);
  const bool plain = x->quant.count == 0;
  double real = plain ? 1 : scale_of(x) / scale_of(y);
  if (op != MOTE_OP_QUANTIZE && !plain) real = (double)(x->quant.scale[0] / y->quant.scale[0]);
  if (op == MOTE_OP_RELU6) real = 1; /* as the reference does it: without another scale */
  if (op == MOTE_OP_ABS && !plain && x->quant.scale[0] == y->quant.scale[0]) real = 1;
  multiplier_of(real, &p->multiplier, &p->shift);
  if (op == MOTE_OP_RELU) p->low = p->out_zp;
  if (op == MOTE_OP_RELU6) {
    graph_activation_range(x, GRAPH_ACT_RELU6, &p->low, &p->high);
    p->out_zp = p->in_zp;
  }
  return true;
}

static bool build_rsqrt_s16(const struct graph *g, const struct work *w, bool flat, struct form *f,
                            struct err *e) {
  struct mote_rsqrt_s16 *p = &f->params.rsqrt_s16;
  const float in = in_of(g, w, 0)->quant.scale[0], out = out_of(g, w)->quant.scale[0];
  int shift;
  if (!run_form(g, w, flat, f, 200, &p->n)) return false;
  graph_multiplier(1.0 / (double)(sqrtf(in) * out), &p->multiplier, &shift);
  p->shift = shift;
  if (shift >= -11) return true;
  return err_set(e, "scales %g and %g are too far apart", (double)in, (double)out);
}

static bool build_quantise(const struct graph *g, const struct work *w, bool flat, struct form *f,
                           struct err *e) {
  struct mote_quantise_f32 *p = &f->params.quantise_f32;
  const struct graph_tensor *y = out_of(g, w);
  (void)e;
  if (!run_form(g, w, flat, f, 40, &p->n)) return false;
  p->scale = y->quant.scale[0];
  p->zp = y->quant.zp[0];
  p->out_type = (uint32_t)y->type;
  range_of_type(y->type, &p->low, &p->high);
  return true;
}
static bool build_dequantise(const struct graph *g, const struct work *w, bool flat, struct form *f,
                             struct err *e) {
  struct mote_dequantise_f32 *p = &f->params.dequantise_f32;
  const struct graph_tensor *x = in_of(g, w, 0);
  (void)e;
  if (!run_form(g, w, flat, f, 12, &p->n)) return false;
  p->scale = x->quant.scale[0];
  p->zp = x->quant.zp[0];
  p->in_type = (uint32_t)x->type;
  return true;
}
static bool build_cast(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  struct mote_cast *p = &f->params.cast;
  (void)e;
  if (!run_form(g, w, flat, f, 25, &p->n)) return false;
  p->in_type = (uint16_t)in_of(g, w, 0)->type;
  p->out_type = (uint16_t)out_of(g, w)->type;
  return true;
}

static bool build_add_n(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e) {
  struct mote_add_n_s8 *p = &f->params.add_n_s8;
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  const double twice = 2 * scale_of(x);
  (void)e;
  if (!run_form(g, w, flat, f, 15 + 18 * (int64_t)w->n_in, &p->n)) return false;
  p->inputs = (uint8_t)w->n_in;
  p->left_shift = 20;
  p->zp = (int16_t)x->quant.zp[0];
  p->out_zp = (int16_t)y->quant.zp[0];
  p->low = INT8_MIN;
  p->high = INT8_MAX;
  multiplier_of(scale_of(x) / twice, &p->multiplier, &p->shift);
  multiplier_of(twice / ((double)(1 << 20) * scale_of(y)), &p->out_multiplier, &p->out_shift);
  return true;
}
static bool build_add_n_f32(const struct graph *g, const struct work *w, bool flat, struct form *f,
                            struct err *e) {
  struct mote_add_n_f32 *p = &f->params.add_n_f32;
  (void)e;
  p->inputs = (uint32_t)w->n_in;
  return run_form(g, w, flat, f, 6 + 5 * (int64_t)w->n_in, &p->n);
}

/* ---- int16 functions of the fixed-point family -------------------------------------------- */
static bool is_power_of_two(float scale, int *log2) {
  *log2 = (int)lroundf(log2f(scale));
  return fabsf(log2f(scale) - (float)*log2) < 1e-3f; /* source: the reference's tolerance */
}

static bool build_sigmoid(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  struct mote_sigmoid_s16 *p = &f->params.logistic_s16;
  const float scale = in_of(g, w, 0)->quant.scale[0];
  const int most = node_of(g, w)->op == MOTE_OP_TANH ? 1 : 0;
  int log2;
  if (!run_form(g, w, flat, f, 25, &p->n)) return false;
  if (is_power_of_two(scale, &log2) && 12 + log2 >= 0 && 12 + log2 <= most) {
    p->multiplier = 3 << (12 + log2);
    return true;
  }
  double multiplier = (double)scale * 4096.0 * 3.0;
  int shift = 0;
  while (multiplier <= 32767.0 / 2.0 && shift <= 30) {
    shift++;
    multiplier *= 2;
  }
  if (!(multiplier >= 1 && multiplier < 65536))
    return err_set(e, "its input's scale is %g; the table takes 4e-10 to 5.3", (double)scale);
  p->multiplier = (int32_t)multiplier;
  p->shift = shift;
  return true;
}

static bool build_leaky_s16(const struct graph *g, const struct work *w, bool flat, struct form *f,
                            struct err *e) {
  struct mote_leaky_relu_s16 *p = &f->params.leaky_relu_s16;
  const float in = in_of(g, w, 0)->quant.scale[0], out = out_of(g, w)->quant.scale[0];
  const float alpha = node_of(g, w)->attrs.alpha;
  (void)e;
  if (!run_form(g, w, flat, f, 25, &p->n)) return false;
  int up, down;
  graph_multiplier((double)(in / out), &p->up_multiplier, &up);
  graph_multiplier(fabs((double)(in * alpha / out)), &p->down_multiplier, &down);
  if (alpha < 0) p->down_multiplier = -p->down_multiplier;
  p->up_shift = up;
  p->down_shift = down;
  return true;
}

/* ---- the list -------------------------------------------------------------------------------- */
static enum mote_type type_in(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type;
}
static bool reads_f32(const struct graph *g, const struct graph_node *n) {
  return type_in(g, n) == MOTE_FLOAT32;
}
static bool keeps_type(const struct graph *g, const struct graph_node *n) {
  return type_in(g, n) == g->tensors[n->out[0]].type;
}
static bool is_f32(const struct graph *g, const struct graph_node *n) {
  return reads_f32(g, n) && keeps_type(g, n);
}
static bool is_approximate(const struct graph *g, const struct graph_node *n) {
  return is_f32(g, n) && n->attrs.approximate;
}
static bool is_f32_view(const struct graph *g, const struct graph_node *n) {
  return is_f32(g, n) && takes_view(g, n);
}
static bool is_s32(const struct graph *g, const struct graph_node *n) {
  return type_in(g, n) == MOTE_INT32 && keeps_type(g, n);
}
static bool is_s16(const struct graph *g, const struct graph_node *n) {
  return type_in(g, n) == MOTE_INT16;
}
static bool is_s8(const struct graph *g, const struct graph_node *n) {
  return type_in(g, n) == MOTE_INT8;
}
static bool is_s8_s16(const struct graph *g, const struct graph_node *n) {
  return (is_s8(g, n) || is_s16(g, n)) && keeps_type(g, n);
}
static bool is_8_to_8(const struct graph *g, const struct graph_node *n) {
  return mote_type_bytes((int)type_in(g, n)) == 1 &&
         mote_type_bytes((int)g->tensors[n->out[0]].type) == 1;
}

#define SIMPLE(name)                                                                               \
  { .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_simple_f32, .takes = is_f32, .build = build_simple }
#define MATH(name, stem)                                                                           \
  { .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_##stem, .takes = is_f32, .build = build_math }
#define TABLE(name, predicate)                                                                     \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_lut_8, .takes = predicate, .build = build_lut,     \
    .pack = pack_lut                                                                               \
  }
#define RESCALE(name, predicate)                                                                   \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_rescale, .takes = predicate,                       \
    .build = build_rescale                                                                         \
  }
#define SPREAD(name, stem, predicate, builder)                                                     \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_##stem, .takes = predicate, .build = builder,      \
    .pack = pack_loops                                                                             \
  }
#define COMPARISON(name)                                                                           \
  SPREAD(name, compare_q, is_s8, build_compare_q), SPREAD(name, comparison, NULL, build_plain)

static const struct recipe recipes[] = {
    TABLE(ABS, is_s8),
    TABLE(ELU, is_s8),
    TABLE(EXP, is_s8),
    TABLE(GELU, is_s8),
    TABLE(HARD_SWISH, is_s8),
    TABLE(LEAKY_RELU, is_s8),
    TABLE(LOG, is_s8),
    TABLE(LOGISTIC, is_s8),
    TABLE(RELU, is_s8),
    TABLE(RELU6, is_s8),
    TABLE(RELU_N1_TO_1, is_s8),
    TABLE(RELU_0_TO_1, is_s8),
    TABLE(RSQRT, is_s8),
    TABLE(TANH, is_s8),
    TABLE(QUANTIZE, is_8_to_8),
    SIMPLE(ABS),
    SIMPLE(CEIL),
    SIMPLE(FLOOR),
    SIMPLE(HARD_SWISH),
    SIMPLE(LEAKY_RELU),
    SIMPLE(NEG),
    SIMPLE(RELU),
    SIMPLE(RELU6),
    SIMPLE(RELU_N1_TO_1),
    SIMPLE(RELU_0_TO_1),
    SIMPLE(ROUND),
    SIMPLE(SIGN),
    SIMPLE(SQUARE),
    MATH(COS, cos_f32),
    MATH(ELU, elu_f32),
    MATH(EXP, exp_f32),
    {.op = MOTE_OP_GELU,
     .kernel = MOTE_KERNEL_gelu_tanh_f32,
     .takes = is_approximate,
     .build = build_math},
    MATH(GELU, gelu_f32),
    MATH(LOG, log_f32),
    MATH(LOGISTIC, logistic_f32),
    MATH(RSQRT, rsqrt_f32),
    MATH(SIN, sin_f32),
    MATH(SQRT, sqrt_f32),
    MATH(TANH, tanh_f32),
    RESCALE(ABS, is_s16),
    RESCALE(RELU, is_s16),
    RESCALE(RELU6, is_s16),
    {.op = MOTE_OP_LOGISTIC,
     .kernel = MOTE_KERNEL_logistic_s16,
     .takes = is_s16,
     .build = build_sigmoid},
    {.op = MOTE_OP_TANH, .kernel = MOTE_KERNEL_tanh_s16, .takes = is_s16, .build = build_sigmoid},
    {.op = MOTE_OP_LEAKY_RELU,
     .kernel = MOTE_KERNEL_leaky_relu_s16,
     .takes = is_s16,
     .build = build_leaky_s16},
    {.op = MOTE_OP_RSQRT,
     .kernel = MOTE_KERNEL_rsqrt_s16,
     .takes = is_s16,
     .build = build_rsqrt_s16},
    {.op = MOTE_OP_QUANTIZE,
     .kernel = MOTE_KERNEL_quantise_f32,
     .takes = reads_f32,
     .build = build_quantise},
    RESCALE(QUANTIZE, NULL),
    {.op = MOTE_OP_DEQUANTIZE, .takes = is_f32_view, .view = true},
    {.op = MOTE_OP_DEQUANTIZE,
     .kernel = MOTE_KERNEL_copy,
     .takes = is_f32,
     .build = build_view_copy},
    {.op = MOTE_OP_DEQUANTIZE, .kernel = MOTE_KERNEL_dequantise_f32, .build = build_dequantise},
    {.op = MOTE_OP_CAST, .kernel = MOTE_KERNEL_cast, .build = build_cast},
    {.op = MOTE_OP_LOGICAL_NOT, .kernel = MOTE_KERNEL_logical_not, .build = build_not},
    SPREAD(ADD, sum_q, is_s8_s16, build_sum),
    SPREAD(SUB, sum_q, is_s8_s16, build_sum),
    SPREAD(MUL, product_q, is_s8_s16, build_product),
    SPREAD(DIV, quotient_s8, is_s8, build_quotient),
    SPREAD(SQUARED_DIFFERENCE, squared_difference_q, is_s8_s16, build_squared_difference),
    SPREAD(PRELU, prelu_q, is_s8_s16, build_prelu),
    SPREAD(ADD, binary_f32, is_f32, build_binary_f32),
    SPREAD(SUB, binary_f32, is_f32, build_binary_f32),
    SPREAD(MUL, binary_f32, is_f32, build_binary_f32),
    SPREAD(DIV, binary_f32, is_f32, build_binary_f32),
    SPREAD(SQUARED_DIFFERENCE, binary_f32, is_f32, build_binary_f32),
    SPREAD(MAXIMUM, binary_f32, is_f32, build_binary_f32),
    SPREAD(MINIMUM, binary_f32, is_f32, build_binary_f32),
    SPREAD(PRELU, binary_f32, is_f32, build_binary_f32),
    SPREAD(FLOOR_DIV, divide_f32, is_f32, build_binary_f32),
    SPREAD(FLOOR_MOD, divide_f32, is_f32, build_binary_f32),
    SPREAD(POW, power_f32, is_f32, build_binary_f32),
    SPREAD(ADD, binary_s32, is_s32, build_binary_s32),
    SPREAD(SUB, binary_s32, is_s32, build_binary_s32),
    SPREAD(MUL, binary_s32, is_s32, build_binary_s32),
    SPREAD(DIV, binary_s32, is_s32, build_binary_s32),
    SPREAD(SQUARED_DIFFERENCE, binary_s32, is_s32, build_binary_s32),
    SPREAD(MAXIMUM, binary_s32, is_s32, build_binary_s32),
    SPREAD(MINIMUM, binary_s32, is_s32, build_binary_s32),
    SPREAD(FLOOR_DIV, binary_s32, is_s32, build_binary_s32),
    SPREAD(FLOOR_MOD, binary_s32, is_s32, build_binary_s32),
    SPREAD(MAXIMUM, extreme, NULL, build_plain),
    SPREAD(MINIMUM, extreme, NULL, build_plain),
    COMPARISON(EQUAL),
    COMPARISON(NOT_EQUAL),
    COMPARISON(GREATER),
    COMPARISON(GREATER_EQUAL),
    COMPARISON(LESS),
    COMPARISON(LESS_EQUAL),
    SPREAD(LOGICAL_AND, logic, NULL, build_plain),
    SPREAD(LOGICAL_OR, logic, NULL, build_plain),
    SPREAD(SELECT_V2, select, NULL, build_select),
    {.op = MOTE_OP_ADD_N, .kernel = MOTE_KERNEL_add_n_s8, .takes = is_s8, .build = build_add_n},
    {.op = MOTE_OP_ADD_N,
     .kernel = MOTE_KERNEL_add_n_f32,
     .takes = is_f32,
     .build = build_add_n_f32},
};
const struct lower_family lower_elementwise = {recipes, sizeof recipes / sizeof *recipes};
