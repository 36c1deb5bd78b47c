/* lower: recipes of float32 operators. See lower.c and private.h.
 *
 * Weights and biases are edges in the model's own layout. A window streams by rows where there is one image; its flat
 * form, and the only form of a batch, takes the whole map in one call. The estimates count what GCC makes of the
 * kernels' loops for a Cortex-M4, rounded. */
#include "host/compile/private.h"

#include <float.h>
#include <string.h>

/* Instructions of a product in four lanes, of one in a depthwise or pooling loop, of an output, and of an exp or
 * the like. source: counted in the generated code. */
enum { DOT_COST = 4, TAP_COST = 6, OUTPUT_COST = 30, FUNCTION_COST = 60 };

static bool takes_real(const struct graph *g, const struct graph_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (has_input(n, i) && input(g, n, i)->type != MOTE_FLOAT32) return false;
  return output(g, n)->type == MOTE_FLOAT32;
}

/* ---- windows ------------------------------------------------------------------- */
/* The window of a node over one row of its output, what a whole map needs filled in too. errors: a size is too large. */
static bool fill_window(const struct graph *g, const struct graph_node *n, int kernel_h,
                        int kernel_w, struct mote_window_2d *p, struct err *e) {
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  for (int i = 0; i < 4; i++) {
    const int32_t most = x->dims[i] > y->dims[i] ? x->dims[i] : y->dims[i];
    if (!fits16(most)) return lower_too_large(e, "the size of an axis", most, UINT16_MAX);
  }
  if (!window_fits(a, kernel_h, kernel_w, e)) return false;
  *p = (struct mote_window_2d){.in_w = (uint16_t)x->dims[2],
                               .in_c = (uint16_t)x->dims[3],
                               .out_w = (uint16_t)y->dims[2],
                               .out_c = (uint16_t)y->dims[3],
                               .kernel_w = (uint16_t)kernel_w,
                               .kernel_h = (uint16_t)kernel_h,
                               .stride_w = (uint16_t)a->stride_w,
                               .stride_h = (uint16_t)a->stride_h,
                               .dilation_w = (uint16_t)(a->dilation_w > 0 ? a->dilation_w : 1),
                               .pad_left = (uint16_t)a->pad_left,
                               .rows_out = 1,
                               .in_h = (uint16_t)x->dims[1],
                               .pad_top = (uint16_t)a->pad_top,
                               .dilation_h = (uint16_t)(a->dilation_h > 0 ? a->dilation_h : 1),
                               .batches = (uint16_t)x->dims[0]};
  return true;
}

static void make_whole(const struct graph *g, const struct work *work, struct mote_window_2d *p,
                       struct form *f) {
  p->whole = 1;
  p->rows_out = (uint16_t)g->tensors[work->out[0]].dims[1];
  whole_form(g, work, f);
}

/* Edges and window of a node: by rows, or whole where it is flat or a batch. false without an error: no flat form. */
static bool build_window(const struct graph *g, const struct work *work, int kernel_h, int kernel_w,
                         bool flat, struct mote_window_2d *p, struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  if (flat && (x->dims[0] != 1 || y->dims[1] == 1)) return false;
  if (!fill_window(g, n, kernel_h, kernel_w, p, e)) return false;
  make_whole(g, work, p, f);
  if (flat || x->dims[0] != 1) return true;
  p->whole = 0;
  p->rows_out = 1;
  for (int k = 1; k < work->n_in; k++) f->reach[k] = FIRST_ROW;
  f->in[0] = rows_of_tensor(x);
  f->out = rows_of_tensor(y);
  f->calls = f->out.rows;
  set_window(n, kernel_h, f);
  return true;
}

static bool build_conv(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  struct mote_conv2d_f32 *p = &f->params.conv2d_f32;
  if (!build_window(g, work, w->dims[1], w->dims[2], flat, &p->window, f, e)) return false;
  float_range(n->attrs.activation, &p->low, &p->high);
  p->group_c = (uint16_t)w->dims[3];
  p->bias = has_input(n, 2);
  const int64_t outputs = graph_elements(output(g, n));
  f->instructions = outputs * (graph_elements(w) / w->dims[0] * DOT_COST + OUTPUT_COST);
  return true;
}

static bool build_depthwise(const struct graph *g, const struct work *work, bool flat,
                            struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  struct mote_depthwise_conv2d_f32 *p = &f->params.depthwise_conv2d_f32;
  if (!build_window(g, work, w->dims[1], w->dims[2], flat, &p->window, f, e)) return false;
  float_range(n->attrs.activation, &p->low, &p->high);
  p->multiplier = (uint16_t)(p->window.out_c / p->window.in_c);
  p->bias = has_input(n, 2);
  const int64_t outputs = graph_elements(output(g, n));
  f->instructions = outputs * ((int64_t)w->dims[1] * w->dims[2] * DOT_COST + OUTPUT_COST);
  return true;
}

/* One image whose output has stride_h rows for each call streams. */
static bool build_transpose_conv(const struct graph *g, const struct work *work, bool flat,
                                 struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const int stride = n->attrs.stride_h, pad = n->attrs.pad_top;
  const bool streams = x->dims[0] == 1 && y->dims[1] % stride == 0 && y->dims[1] > stride;
  struct mote_transpose_conv_f32 *p = &f->params.transpose_conv_f32;
  if (flat && !streams) return false;
  if (!fill_window(g, n, w->dims[1], w->dims[2], &p->window, e)) return false;
  make_whole(g, work, &p->window, f);
  float_range(n->attrs.activation, &p->low, &p->high);
  p->lead = pad;
  p->bias = has_input(n, 2);
  if (streams && !flat) {
    const struct reach reach = transposed_reach(n, w->dims[1]);
    p->window.whole = 0;
    p->window.in_h = (uint16_t)reach.rows;
    p->window.rows_out = (uint16_t)stride;
    p->lead = pad - reach.first * stride;
    for (int k = 1; k < work->n_in; k++) f->reach[k] = FIRST_ROW;
    f->in[0] = rows_of_tensor(x);
    f->out = rows_of_tensor(y);
    f->rows_out = stride;
    f->calls = f->out.rows / stride;
    f->reach[0] = reach;
  }
  f->instructions = graph_elements(x) * w->dims[0] * w->dims[1] * w->dims[2] * DOT_COST +
                    graph_elements(y) * OUTPUT_COST;
  return true;
}

/* The parameters of the three pools are one structure, so one member of the union stands for all. */
static bool build_pool(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const int h = n->attrs.kernel_h, w = n->attrs.kernel_w;
  struct mote_pool_f32 *p = &f->params.average_pool_f32;
  if (!build_window(g, work, h, w, flat, &p->window, f, e)) return false;
  p->window.dilation_w = p->window.dilation_h = 1;
  float_range(n->attrs.activation, &p->low, &p->high);
  f->instructions = graph_elements(output(g, n)) * ((int64_t)h * w * TAP_COST + OUTPUT_COST);
  return true;
}

/* An average pool whose one window is the whole map of one image: rows are added as they come. */
static bool takes_whole_map(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  return takes_real(g, n) && x->dims[0] == 1 && y->dims[1] == 1 && y->dims[2] == 1 &&
         a->kernel_h - a->pad_top >= x->dims[1] && a->kernel_w - a->pad_left >= x->dims[2];
}

/* A MEAN over all rows of one image or sequence, and over nothing else but its columns. */
static bool takes_mean(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = input(g, n, 0);
  const struct graph_attrs *a = &n->attrs;
  if (!takes_real(g, n) || x->dims[0] != 1) return false;
  if (x->rank == 3) return a->n_axes == 1 && a->axes[0] == 1;
  return x->rank == 4 && (a->n_axes == 0 || (a->n_axes == 2 && a->axes[0] == 1 && a->axes[1] == 2));
}

static bool build_mean(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0);
  struct mote_mean_f32 *p = &f->params.mean_f32;
  (void)e;
  if (flat) return false;
  whole_form(g, work, f);
  f->in[0] = rows_of_tensor(x);
  f->calls = x->dims[1];
  f->rows_out = 0;
  p->w = x->rank == 4 ? (uint32_t)x->dims[2] : 1;
  p->c = (uint32_t)x->dims[x->rank - 1];
  p->count = (uint32_t)x->dims[1] * p->w;
  float_range(n->attrs.activation, &p->low, &p->high);
  f->state_bytes = mote_mean_f32_state_bytes(p);
  f->instructions = graph_elements(x) * TAP_COST + p->c * OUTPUT_COST;
  return true;
}

/* ---- products ------------------------------------------------------------------- */
/* Vectors run along the last axis in x and y alike, so rows of y are made of rows of x. */
static bool by_rows(const struct graph_tensor *x, const struct graph_tensor *y, int32_t in_c) {
  return x->rank > 0 && x->dims[x->rank - 1] == in_c && rows_of_tensor(y).rows > 1 &&
         rows_of_tensor(x).rows == rows_of_tensor(y).rows;
}

static bool build_dense(const struct graph *g, const struct work *work, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  struct mote_fully_connected_f32 *p = &f->params.fully_connected_f32;
  const bool rows = by_rows(x, y, w->dims[1]);
  (void)e;
  if (flat && !rows) return false;
  whole_form(g, work, f);
  p->in_c = (uint32_t)w->dims[1];
  p->out_c = (uint32_t)w->dims[0];
  p->vectors = (uint32_t)(graph_elements(x) / w->dims[1]);
  p->bias = has_input(n, 2);
  float_range(n->attrs.activation, &p->low, &p->high);
  if (rows && !flat) {
    for (int k = 1; k < work->n_in; k++) f->reach[k] = FIRST_ROW;
    f->in[0] = rows_of_tensor(x);
    f->out = rows_of_tensor(y);
    f->calls = f->out.rows;
    p->vectors /= (uint32_t)f->calls;
  }
  f->instructions = graph_elements(y) * ((int64_t)p->in_c * DOT_COST + OUTPUT_COST);
  return true;
}

static bool build_batch_matmul(const struct graph *g, const struct work *work, bool flat,
                               struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = input(g, n, 1), *z = output(g, n);
  struct mote_batch_matmul_f32 *p = &f->params.batch_matmul_f32;
  if (flat) return false;
  if (z->rank > 6) return lower_too_large(e, "the number of axes", z->rank, 6);
  whole_form(g, work, f);
  const int32_t *xs = x->dims + x->rank - 2, *ys = y->dims + y->rank - 2;
  p->m = (uint32_t)z->dims[z->rank - 2];
  p->n = (uint32_t)z->dims[z->rank - 1];
  p->k = (uint32_t)xs[n->attrs.adj_x ? 0 : 1];
  p->x_m = n->attrs.adj_x ? 1 : (uint32_t)xs[1];
  p->x_k = n->attrs.adj_x ? (uint32_t)xs[1] : 1;
  p->y_n = n->attrs.adj_y ? (uint32_t)ys[1] : 1;
  p->y_k = n->attrs.adj_y ? 1 : (uint32_t)ys[1];
  uint32_t x_step = p->m * p->k, y_step = p->k * p->n;
  for (int i = 0; i < 4; i++) { /* i axes in front of the matrices' */
    const int zi = z->rank - 3 - i, xi = x->rank - 3 - i, yi = y->rank - 3 - i;
    const uint32_t xd = xi >= 0 ? (uint32_t)x->dims[xi] : 1,
                   yd = yi >= 0 ? (uint32_t)y->dims[yi] : 1;
    p->batch[3 - i] = zi >= 0 ? (uint32_t)z->dims[zi] : 1;
    p->x_batch[3 - i] = xd > 1 ? x_step : 0;
    p->y_batch[3 - i] = yd > 1 ? y_step : 0;
    x_step *= xd;
    y_step *= yd;
  }
  f->instructions = graph_elements(z) * ((int64_t)p->k * DOT_COST + OUTPUT_COST);
  return true;
}

/* ---- the last axis ---------------------------------------------------------------- */
static bool build_softmax(const struct graph *g, const struct work *work, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0);
  struct mote_softmax_f32 *p = &f->params.softmax_f32;
  (void)e;
  /* A tensor of three axes or more keeps its last within a row. */
  if (!row_form(g, work, flat, f)) return false;
  p->c = (uint32_t)x->dims[x->rank - 1];
  p->vectors = (uint32_t)(f->out.row_bytes / sizeof(float) / p->c);
  p->scale = n->op == MOTE_OP_SOFTMAX ? n->attrs.beta : 1.0f;
  f->alias[0] = true;
  f->instructions = graph_elements(x) * FUNCTION_COST;
  return true;
}

/* ---- memories ---------------------------------------------------------------------- */
static bool build_svdf(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *feature = input(g, n, 1), *time = input(g, n, 2);
  struct mote_svdf_f32 *p = &f->params.svdf_f32;
  (void)e;
  if (flat) return false;
  whole_form(g, work, f);
  *p = (struct mote_svdf_f32){.batches = (uint32_t)x->dims[0],
                              .in_c = (uint32_t)x->dims[1],
                              .filters = (uint32_t)feature->dims[0],
                              .memory = (uint32_t)time->dims[1],
                              .rank = (uint32_t)n->attrs.svdf_rank,
                              .bias = has_input(n, 3),
                              .activation = (uint16_t)n->attrs.activation};
  f->instructions =
      (int64_t)p->batches * p->filters * (p->in_c * DOT_COST + p->memory * 2 * DOT_COST);
  return true;
}

/* One sequence streams by steps of time; several, or a time axis in front, run in one call. */
static bool build_lstm(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const int time = n->attrs.time_major ? 0 : 1;
  const bool streams = time == 1 && x->dims[0] == 1 && x->dims[1] > 1;
  struct mote_lstm_f32 *p = &f->params.lstm_f32;
  (void)e;
  if (flat && !streams) return false;
  whole_form(g, work, f);
  *p = (struct mote_lstm_f32){.batches = (uint32_t)x->dims[1 - time],
                              .steps = (uint32_t)x->dims[time],
                              .in_c = (uint32_t)x->dims[2],
                              .cells = (uint32_t)y->dims[2],
                              .cell_clip = n->attrs.cell_clip,
                              .time_major = n->attrs.time_major};
  if (streams && !flat) {
    for (int k = 1; k < work->n_in; k++) f->reach[k] = FIRST_ROW;
    f->in[0] = rows_of_tensor(x);
    f->out = rows_of_tensor(y);
    f->calls = f->out.rows;
    p->steps = 1;
  }
  f->instructions =
      graph_elements(y) * (4 * ((int64_t)p->in_c + p->cells) * DOT_COST + 5 * FUNCTION_COST);
  return true;
}

/* ---- float activations, int8 weights -------------------------------------------------- */
static bool is_hybrid(const struct graph *g, const struct graph_node *n) {
  const enum mote_type w = has_input(n, 1) ? input(g, n, 1)->type : MOTE_FLOAT32;
  return input(g, n, 0)->type == MOTE_FLOAT32 && output(g, n)->type == MOTE_FLOAT32 &&
         (w == MOTE_INT8 || w == MOTE_UINT8);
}

/* The scale of the weights; those of channels are packed behind the parameters. */
static struct mote_hybrid hybrid_of(const struct graph *g, const struct graph_node *n,
                                    bool asymmetric) {
  return (struct mote_hybrid){.scale = input(g, n, 1)->quant.scale[0], .asymmetric = asymmetric};
}

/* Both convolutions take the whole map: an image is quantised by its own range. A batch runs as it is. */
static bool whole_window(const struct graph *g, const struct work *work, bool flat,
                         struct mote_window_2d *p, struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  if (flat || !fill_window(g, n, w->dims[1], w->dims[2], p, e)) return false;
  make_whole(g, work, p, f);
  return true;
}

/* source: the definition quantises asymmetrically where weights have a scale for each channel, or groups. */
static bool build_conv_hybrid(const struct graph *g, const struct work *work, bool flat,
                              struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1);
  struct mote_conv2d_hybrid *p = &f->params.conv2d_hybrid;
  if (!whole_window(g, work, flat, &p->conv.window, f, e)) return false;
  float_range(n->attrs.activation, &p->conv.low, &p->conv.high);
  p->conv.group_c = (uint16_t)w->dims[3];
  p->conv.bias = has_input(n, 2);
  p->hybrid = hybrid_of(g, n, w->quant.count > 1 || w->dims[3] != x->dims[3]);
  f->state_bytes = mote_conv2d_hybrid_state_bytes(p);
  f->instructions =
      graph_elements(output(g, n)) * (graph_elements(w) / w->dims[0] * DOT_COST + OUTPUT_COST) +
      graph_elements(x) * TAP_COST;
  return true;
}

static bool build_depthwise_hybrid(const struct graph *g, const struct work *work, bool flat,
                                   struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1);
  struct mote_depthwise_conv2d_hybrid *p = &f->params.depthwise_conv2d_hybrid;
  if (!whole_window(g, work, flat, &p->conv.window, f, e)) return false;
  float_range(n->attrs.activation, &p->conv.low, &p->conv.high);
  p->conv.multiplier = (uint16_t)(p->conv.window.out_c / p->conv.window.in_c);
  p->conv.bias = has_input(n, 2);
  p->hybrid = hybrid_of(g, n, true);
  f->state_bytes = mote_depthwise_conv2d_hybrid_state_bytes(p);
  f->instructions =
      graph_elements(output(g, n)) * ((int64_t)w->dims[1] * w->dims[2] * TAP_COST + OUTPUT_COST) +
      graph_elements(x) * TAP_COST;
  return true;
}

static bool build_dense_hybrid(const struct graph *g, const struct work *work, bool flat,
                               struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  struct mote_fully_connected_hybrid *p = &f->params.fully_connected_hybrid;
  struct form real = *f;
  if (!build_dense(g, work, flat, &real, e)) return false;
  const struct mote_fully_connected_f32 dense = real.params.fully_connected_f32;
  *f = real;
  p->dense = dense;
  p->hybrid = hybrid_of(g, n, n->attrs.asymmetric_inputs);
  f->state_bytes = mote_fully_connected_hybrid_state_bytes(p);
  return true;
}

static bool build_svdf_hybrid(const struct graph *g, const struct work *work, bool flat,
                              struct form *f, struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  struct mote_svdf_hybrid *p = &f->params.svdf_hybrid;
  struct form real = *f;
  if (!build_svdf(g, work, flat, &real, e)) return false;
  const struct mote_svdf_f32 svdf = real.params.svdf_f32;
  *f = real;
  p->svdf = svdf;
  p->hybrid = hybrid_of(g, n, n->attrs.asymmetric_inputs);
  f->state_bytes = mote_svdf_hybrid_state_bytes(p);
  return true;
}

static void pack_scales(const struct program *p, const struct work *w, struct packed *out,
                        struct mote_hybrid *h) {
  const struct graph_quant *q = &input(p->graph, &p->graph->nodes[w->node], 1)->quant;
  if (q->count > 1)
    memcpy(packed_add(out, "scales", MOTE_FLOAT32, (size_t)q->count, &h->scale_at), q->scale,
           (size_t)q->count * sizeof *q->scale);
}

static bool pack_hybrid(const struct program *p, const struct work *w, union kernel_params *params,
                        struct packed *out, struct err *e) {
  (void)e;
  switch (w->kernel) {
  case MOTE_KERNEL_conv2d_hybrid: pack_scales(p, w, out, &params->conv2d_hybrid.hybrid); break;
  case MOTE_KERNEL_depthwise_conv2d_hybrid:
    pack_scales(p, w, out, &params->depthwise_conv2d_hybrid.hybrid);
    break;
  default: pack_scales(p, w, out, &params->fully_connected_hybrid.hybrid); break;
  }
  return true;
}

static bool takes_int8(const struct graph *g, const struct graph_node *n) {
  return input(g, n, 0)->type == MOTE_INT8;
}

static bool build_log_softmax_int8(const struct graph *g, const struct work *work, bool flat,
                                   struct form *f, struct err *e) {
  const struct graph_tensor *x = input(g, &g->nodes[work->node], 0);
  struct mote_log_softmax_s8 *p = &f->params.log_softmax_s8;
  struct graph_softmax_scaling s;
  int32_t reverse;
  int reverse_shift;
  (void)e;
  if (!row_form(g, work, flat, f)) return false;
  graph_softmax_scaling_of(g, work->node, &s);
  graph_multiplier((double)((int64_t)1 << (31 - s.left_shift)) / (double)s.multiplier, &reverse,
                   &reverse_shift);
  p->multiplier = s.multiplier;
  p->left_shift = (int8_t)s.left_shift;
  p->diff_min = s.diff_min;
  p->reverse_multiplier = reverse;
  p->reverse_shift = (int8_t)reverse_shift;
  p->c = (uint16_t)x->dims[x->rank - 1];
  p->rows = (uint32_t)(f->out.row_bytes / p->c);
  f->alias[0] = true;
  f->instructions = graph_elements(x) * 150;
  return true;
}

static const struct recipe recipes[] = {
#define REAL(OP, stem, how)                                                                        \
  { .op = MOTE_OP_##OP, .kernel = MOTE_KERNEL_##stem, .takes = takes_real, .build = how }
    REAL(CONV_2D, conv2d_f32, build_conv),
    REAL(DEPTHWISE_CONV_2D, depthwise_conv2d_f32, build_depthwise),
    REAL(TRANSPOSE_CONV, transpose_conv_f32, build_transpose_conv),
    REAL(FULLY_CONNECTED, fully_connected_f32, build_dense),
    REAL(BATCH_MATMUL, batch_matmul_f32, build_batch_matmul),
    {.op = MOTE_OP_AVERAGE_POOL_2D,
     .kernel = MOTE_KERNEL_mean_f32,
     .takes = takes_whole_map,
     .build = build_mean},
    {.op = MOTE_OP_MEAN, .kernel = MOTE_KERNEL_mean_f32, .takes = takes_mean, .build = build_mean},
    REAL(AVERAGE_POOL_2D, average_pool_f32, build_pool),
    REAL(MAX_POOL_2D, max_pool_f32, build_pool),
    REAL(L2_POOL_2D, l2_pool_f32, build_pool),
    REAL(SOFTMAX, softmax_f32, build_softmax),
    REAL(LOG_SOFTMAX, log_softmax_f32, build_softmax),
    {.op = MOTE_OP_LOG_SOFTMAX,
     .kernel = MOTE_KERNEL_log_softmax_s8,
     .takes = takes_int8,
     .build = build_log_softmax_int8},
    REAL(L2_NORMALIZATION, l2_normalization_f32, build_softmax),
    REAL(SVDF, svdf_f32, build_svdf),
    REAL(UNIDIRECTIONAL_SEQUENCE_LSTM, lstm_f32, build_lstm),
#undef REAL
#define HYBRID(OP, stem, how)                                                                      \
  {                                                                                                \
    .op = MOTE_OP_##OP, .kernel = MOTE_KERNEL_##stem, .takes = is_hybrid, .build = how,            \
    .pack = pack_hybrid                                                                            \
  }
    HYBRID(CONV_2D, conv2d_hybrid, build_conv_hybrid),
    HYBRID(DEPTHWISE_CONV_2D, depthwise_conv2d_hybrid, build_depthwise_hybrid),
    HYBRID(FULLY_CONNECTED, fully_connected_hybrid, build_dense_hybrid),
#undef HYBRID
    {.op = MOTE_OP_SVDF,
     .kernel = MOTE_KERNEL_svdf_hybrid,
     .takes = is_hybrid,
     .build = build_svdf_hybrid},
};
const struct lower_family lower_real = {recipes, sizeof recipes / sizeof *recipes};
