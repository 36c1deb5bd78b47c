/* lower: recipes of the integer operators beyond the int8 core (mote/nn/fixed16.h). See lower.c and private.h.
 *
 * Weights and biases are edges: constant ones lie in the plan as the model has them, computed ones in the arena.
 * One image streams row by row; several are one call over whole tensors. */
#include "host/compile/private.h"

/* ---- what the windowed operators share ------------------------------------------ */
/* The edges behind the first: whole tensors, read in every call. */
static void set_operands(const struct graph *g, const struct work *w, struct form *f) {
  for (int k = 1; k < w->n_in; k++) {
    f->in[k] = one_row(&g->tensors[w->in[k]]);
    f->reach[k] = FIRST_ROW;
  }
}

/* Everything but the offset of the scales. Convolutions of int16 take no notice of zero points. */
static void set_scaling(const struct graph *g, const struct graph_node *n, struct mote_scaling *s) {
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const bool takes_zps = x->type == MOTE_INT8 || n->op == MOTE_OP_FULLY_CONNECTED;
  graph_activation_range(y, n->attrs.activation, &s->low, &s->high);
  s->zp = takes_zps ? y->quant.zp[0] : 0;
  s->sum_bytes = graph_sums_are_wide(g, n) ? 8 : 4;
  s->per_channel = input(g, n, 1)->quant.count > 1;
  s->bias_bytes = (uint8_t)(has_input(n, 2) ? size_of(input(g, n, 2)) : 0);
}

static int16_t input_zp(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = input(g, n, 0);
  const bool takes_zps = x->type == MOTE_INT8 || n->op == MOTE_OP_FULLY_CONNECTED;
  return (int16_t)(takes_zps ? x->quant.zp[0] : 0);
}

static int16_t weights_zp(const struct graph *g, const struct graph_node *n) {
  const struct graph_quant *q = &input(g, n, 1)->quant;
  return (int16_t)(q->count == 1 ? q->zp[0] : 0);
}

/* The window over x that makes y, and the rows of both: one image streams, more are whole. */
static bool set_geometry(const struct graph *g, const struct graph_node *n, int kernel_h,
                         int kernel_w, struct mote_window *v, struct form *f, struct err *e) {
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  const bool streams = x->dims[0] == 1;
  if (!sizes_fit(x, e) || !sizes_fit(y, e) || !window_fits(a, kernel_h, kernel_w, e)) return false;
  v->in_w = (uint16_t)x->dims[2];
  v->in_c = (uint16_t)x->dims[3];
  v->out_w = (uint16_t)y->dims[2];
  v->out_c = (uint16_t)y->dims[3];
  v->kernel_h = (uint16_t)kernel_h;
  v->kernel_w = (uint16_t)kernel_w;
  v->stride_h = (uint16_t)a->stride_h;
  v->stride_w = (uint16_t)a->stride_w;
  v->dilation_h = (uint16_t)(a->dilation_h > 0 ? a->dilation_h : 1);
  v->dilation_w = (uint16_t)(a->dilation_w > 0 ? a->dilation_w : 1);
  v->pad_left = (uint16_t)a->pad_left;
  v->pad_top = (uint16_t)a->pad_top;
  v->in_h = (uint16_t)x->dims[1];
  v->out_h = (uint16_t)y->dims[1];
  v->images = (uint16_t)(streams ? 0 : x->dims[0]);
  v->in_rows = (uint16_t)(streams ? kernel_h : 1);
  v->rows_out = 1;
  f->in[0] = streams ? rows_of_tensor(x) : one_row(x);
  f->out = streams ? rows_of_tensor(y) : one_row(y);
  f->calls = f->out.rows;
  f->rows_out = 1;
  f->reach[0] = EACH_ROW;
  if (streams) set_window(n, kernel_h, f);
  return true;
}

/* Four instructions a product and 40 an output: an estimate. */
static int64_t cost_of(int64_t outputs, int64_t products_each) {
  return outputs * (40 + 4 * products_each);
}

/* The scales of each output channel, or of all, behind any of the weighted operators' parameters. */
static bool pack_scales(const struct program *p, const struct work *w, union kernel_params *params,
                        struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  struct mote_scaling *s = &params->conv2d_s16.scaling; /* the first member of all of them */
  const int count = s->per_channel ? input(g, n, 1)->quant.count : 1;
  (void)e;
  if (s->sum_bytes == 8) {
    uint32_t *words = packed_add(out, "scales", MOTE_UINT32, (size_t)count, &s->scale_at);
    for (int c = 0; c < count; c++) words[c] = graph_wide_scale(graph_output_scale(g, w->node, c));
  } else {
    int32_t *pairs = packed_add(out, "scales", MOTE_INT32, 2 * (size_t)count, &s->scale_at);
    for (int c = 0; c < count; c++) {
      int shift;
      graph_output_multiplier(g, w->node, c, &pairs[2 * c], &shift);
      pairs[2 * c + 1] = shift;
    }
  }
  return true;
}

/* ---- recipes ------------------------------------------------------------------------ */
static bool build_conv(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  struct mote_conv2d *p = &f->params.conv2d_s16;
  if (flat) return false;
  if (!set_geometry(g, n, w->dims[1], w->dims[2], &p->window, f, e)) return false;
  set_operands(g, work, f);
  set_scaling(g, n, &p->scaling);
  p->window.group_c = (uint16_t)w->dims[3];
  p->in_zp = input_zp(g, n);
  p->weights_zp = weights_zp(g, n);
  f->instructions =
      cost_of(graph_elements(output(g, n)), (int64_t)w->dims[1] * w->dims[2] * w->dims[3]);
  return true;
}

static bool build_depthwise(const struct graph *g, const struct work *work, bool flat,
                            struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  struct mote_depthwise_conv2d *p = &f->params.depthwise_conv2d_s16;
  if (flat) return false;
  if (!set_geometry(g, n, w->dims[1], w->dims[2], &p->window, f, e)) return false;
  set_operands(g, work, f);
  set_scaling(g, n, &p->scaling);
  p->in_zp = input_zp(g, n);
  p->weights_zp = weights_zp(g, n);
  f->instructions = cost_of(graph_elements(output(g, n)), 2 * (int64_t)w->dims[1] * w->dims[2]);
  return true;
}

/* A dense layer is a 1x1 convolution whose columns are the vectors. */
static bool build_dense(const struct graph *g, const struct work *work, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  struct mote_conv2d *p = &f->params.conv2d_s16;
  struct mote_window *v = &p->window;
  const int64_t vectors = graph_elements(x) / w->dims[1];
  if (flat) return false;
  if (!fits16(w->dims[0]) || !fits16(w->dims[1]) || !fits16(vectors))
    return err_set(e, "%lld vectors of %d to %d; the kernel takes at most %d of each",
                   (long long)vectors, w->dims[1], w->dims[0], UINT16_MAX);
  whole_form(g, work, f);
  set_scaling(g, n, &p->scaling);
  v->in_w = v->out_w = (uint16_t)vectors;
  v->in_c = v->group_c = (uint16_t)w->dims[1];
  v->out_c = (uint16_t)w->dims[0];
  v->kernel_h = v->kernel_w = v->stride_h = v->stride_w = v->dilation_h = v->dilation_w = 1;
  v->in_h = v->out_h = v->in_rows = v->rows_out = 1;
  p->in_zp = input_zp(g, n);
  p->weights_zp = weights_zp(g, n);
  f->instructions = cost_of(graph_elements(y), w->dims[1]);
  return true;
}

/* Streams where the output has stride_h rows for each call. */
static bool build_transpose_conv(const struct graph *g, const struct work *work, bool flat,
                                 struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const int stride = n->attrs.stride_h, pad = n->attrs.pad_top;
  struct mote_transpose_conv *p = &f->params.transpose_conv_s16;
  struct mote_window *v = &p->window;
  if (flat) return false;
  if (!set_geometry(g, n, w->dims[1], w->dims[2], v, f, e)) return false;
  const bool streams = x->dims[0] == 1 && y->dims[1] % stride == 0;
  const struct reach reach = transposed_reach(n, w->dims[1]);
  v->images = (uint16_t)(streams ? 0 : x->dims[0]);
  v->in_rows = (uint16_t)(streams ? reach.rows : 1);
  v->rows_out = (uint16_t)(streams ? stride : 1);
  p->lead = streams ? pad - reach.first * stride : pad;
  p->in_zp = input_zp(g, n);
  f->in[0] = streams ? rows_of_tensor(x) : one_row(x);
  f->out = streams ? rows_of_tensor(y) : one_row(y);
  f->rows_out = v->rows_out;
  f->calls = f->out.rows / f->rows_out;
  f->reach[0] = streams ? reach : EACH_ROW;
  set_operands(g, work, f);
  set_scaling(g, n, &p->scaling);
  const int64_t products = graph_elements(x) * w->dims[0] * w->dims[1] * w->dims[2];
  f->instructions = cost_of(graph_elements(y), 8) + 4 * products;
  return true;
}

/* Elements from one batch to the next along the last three axes in front of the matrix; 0 where repeated. */
static void batch_steps(const struct graph_tensor *t, uint32_t step[3]) {
  uint32_t size = (uint32_t)(t->dims[t->rank - 1] * t->dims[t->rank - 2]);
  for (int i = 0; i < 3; i++) {
    const int axis = t->rank - 3 - i;
    const uint32_t dim = axis >= 0 ? (uint32_t)t->dims[axis] : 1;
    step[2 - i] = dim > 1 ? size : 0;
    size *= dim; /* at most GRAPH_MAX_ELEMENTS */
  }
}

static bool build_batch_matmul(const struct graph *g, const struct work *work, bool flat,
                               struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = input(g, n, 1), *z = output(g, n);
  const bool adj_x = n->attrs.adj_x, adj_y = n->attrs.adj_y;
  struct mote_batch_matmul *p = &f->params.batch_matmul_s16;
  if (flat) return false;
  if (!sizes_fit(x, e) || !sizes_fit(y, e)) return false;
  const int32_t *xs = x->dims + x->rank - 2, *ys = y->dims + y->rank - 2;
  whole_form(g, work, f);
  set_scaling(g, n, &p->scaling);
  batch_steps(x, p->x_batch);
  batch_steps(y, p->y_batch);
  for (int i = 0; i < 3; i++)
    p->batch[i] = (uint16_t)(z->rank >= 5 - i ? z->dims[z->rank - 5 + i] : 1);
  p->rows = (uint16_t)xs[adj_x ? 1 : 0];
  p->depth = (uint16_t)xs[adj_x ? 0 : 1];
  p->columns = (uint16_t)ys[adj_y ? 0 : 1];
  p->x_row = adj_x ? 1 : p->depth;
  p->x_deep = adj_x ? p->rows : 1;
  p->y_column = adj_y ? p->depth : 1;
  p->y_deep = adj_y ? 1 : p->columns;
  p->x_zp = (int16_t)x->quant.zp[0];
  p->y_zp = (int16_t)y->quant.zp[0];
  f->instructions = cost_of(graph_elements(z), 2 * (int64_t)p->depth);
  return true;
}

static bool build_pool(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  struct mote_pool *p = &f->params.max_pool_s16;
  (void)work;
  if (flat) return false;
  if (!set_geometry(g, n, n->attrs.kernel_h, n->attrs.kernel_w, &p->window, f, e)) return false;
  graph_activation_range(output(g, n), n->attrs.activation, &p->low, &p->high);
  p->half_up = n->attrs.half_up;
  f->instructions =
      cost_of(graph_elements(output(g, n)), (int64_t)n->attrs.kernel_h * n->attrs.kernel_w);
  return true;
}

static bool build_softmax_s16(const struct graph *g, const struct work *work, bool flat,
                              struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0);
  struct mote_softmax_s16 *p = &f->params.softmax_s16;
  int shift;
  (void)e;
  if (!row_form(g, work, flat, f)) return false;
  /* Differences of -65535 to 0 stand for -10 to 0. */
  graph_multiplier((double)x->quant.scale[0] * (double)n->attrs.beta / (10.0 / 65535.0),
                   &p->multiplier, &shift);
  p->shift = shift;
  p->c = (uint32_t)x->dims[x->rank - 1];
  p->rows = (uint32_t)(f->in[0].row_bytes / 2) / p->c;
  f->alias[0] = true;
  f->instructions = graph_elements(x) * 60;
  return true;
}

static bool build_softmax_s16_of_s8(const struct graph *g, const struct work *work, bool flat,
                                    struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0);
  struct mote_softmax_s8 *p = &f->params.softmax_s16_of_s8;
  struct graph_softmax_scaling s;
  const int32_t c = x->dims[x->rank - 1];
  if (!row_form(g, work, flat, f)) return false;
  const int64_t rows = (int64_t)f->in[0].row_bytes / c;
  if (!fits16(rows)) return flat ? false : lower_too_large(e, "rows", rows, UINT16_MAX);
  graph_softmax_scaling_of(g, work->node, &s);
  p->multiplier = s.multiplier;
  p->left_shift = (int8_t)s.left_shift;
  p->diff_min = s.diff_min;
  p->rows = (uint16_t)rows;
  p->c = (uint16_t)c;
  f->instructions = graph_elements(x) * 150;
  return true;
}

static bool build_l2_norm(const struct graph *g, const struct work *work, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_tensor *x = &g->tensors[work->in[0]];
  struct mote_l2_norm_s8 *p = &f->params.l2_norm_s8;
  (void)e;
  if (!row_form(g, work, flat, f)) return false;
  p->c = (uint32_t)x->dims[x->rank - 1];
  p->rows = (uint32_t)f->in[0].row_bytes / p->c;
  p->in_zp = x->quant.zp[0];
  f->alias[0] = true;
  f->instructions = graph_elements(x) * 40;
  return true;
}

/* ---- which nodes they take ---- */
static bool takes_int16(const struct graph *g, const struct graph_node *n) {
  return input(g, n, 0)->type == MOTE_INT16 && output(g, n)->type == MOTE_INT16;
}
/* int8, and not in the form of the core. */
static bool takes_general(const struct graph *g, const struct graph_node *n) {
  return input(g, n, 0)->type == MOTE_INT8 && output(g, n)->type == MOTE_INT8 &&
         !graph_is_core(g, (int)(n - g->nodes));
}
static bool takes_int8(const struct graph *g, const struct graph_node *n) {
  return input(g, n, 0)->type == MOTE_INT8 && output(g, n)->type == MOTE_INT8;
}
static bool takes_widening(const struct graph *g, const struct graph_node *n) {
  return input(g, n, 0)->type == MOTE_INT8 && output(g, n)->type == MOTE_INT16;
}

#define RECIPE(name, stem, predicate, builder, packer)                                             \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_##stem, .takes = predicate, .build = builder,      \
    .pack = packer                                                                                 \
  }
static const struct recipe recipes[] = {
    RECIPE(CONV_2D, conv2d_s16, takes_int16, build_conv, pack_scales),
    RECIPE(CONV_2D, conv2d_general_s8, takes_general, build_conv, pack_scales),
    RECIPE(DEPTHWISE_CONV_2D, depthwise_conv2d_s16, takes_int16, build_depthwise, pack_scales),
    RECIPE(DEPTHWISE_CONV_2D, depthwise_general_s8, takes_general, build_depthwise, pack_scales),
    RECIPE(FULLY_CONNECTED, conv2d_s16, takes_int16, build_dense, pack_scales),
    RECIPE(FULLY_CONNECTED, conv2d_general_s8, takes_general, build_dense, pack_scales),
    RECIPE(TRANSPOSE_CONV, transpose_conv_s16, takes_int16, build_transpose_conv, pack_scales),
    RECIPE(TRANSPOSE_CONV, transpose_conv_s8, takes_int8, build_transpose_conv, pack_scales),
    RECIPE(BATCH_MATMUL, batch_matmul_s16, takes_int16, build_batch_matmul, pack_scales),
    RECIPE(BATCH_MATMUL, batch_matmul_s8, takes_int8, build_batch_matmul, pack_scales),
    RECIPE(AVERAGE_POOL_2D, average_pool_s16, takes_int16, build_pool, NULL),
    RECIPE(AVERAGE_POOL_2D, average_pool_general_s8, takes_general, build_pool, NULL),
    RECIPE(MAX_POOL_2D, max_pool_s16, takes_int16, build_pool, NULL),
    RECIPE(MAX_POOL_2D, max_pool_general_s8, takes_general, build_pool, NULL),
    RECIPE(SOFTMAX, softmax_s16, takes_int16, build_softmax_s16, NULL),
    RECIPE(SOFTMAX, softmax_s16_of_s8, takes_widening, build_softmax_s16_of_s8, NULL),
    RECIPE(L2_NORMALIZATION, l2_norm_s8, takes_int8, build_l2_norm, NULL),
};
const struct lower_family lower_fixed = {recipes, sizeof recipes / sizeof *recipes};
