/* lower: recipes of the int8 core. See lower.c and private.h. */
#include "host/compile/private.h"

#include <math.h>
#include <string.h>

void lower_set_output(const struct graph *g, const struct graph_node *n, struct mote_output *o) {
  int32_t low, high;
  graph_activation_range(output(g, n), n->attrs.activation, &low, &high);
  o->zp = (int8_t)output(g, n)->quant.zp[0];
  o->low = (int8_t)low;
  o->high = (int8_t)high;
}

bool lower_whole_conv(const struct graph *g, const struct work *work, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  const bool pointwise = w->dims[1] == 1 && w->dims[2] == 1 && a->stride_h == 1 &&
                         a->stride_w == 1 &&
                         a->pad_top + a->pad_bottom + a->pad_left + a->pad_right == 0;
  int64_t in_w = x->dims[2], out_w = y->dims[2];
  if (flat) {
    in_w = out_w = (int64_t)x->dims[1] * x->dims[2];
    if (!pointwise || !fits16(in_w) || x->dims[1] == 1) return false;
  }
  if (!fits16(in_w) || !fits16(out_w)) /* padding may make more */
    return lower_too_large(e, "the width", in_w > out_w ? in_w : out_w, UINT16_MAX);
  if (!window_fits(a, w->dims[1], w->dims[2], e)) return false;
  if (!fits16(x->dims[3]) || !fits16(y->dims[3]))
    return lower_too_large(e, "the number of channels",
                           x->dims[3] > y->dims[3] ? x->dims[3] : y->dims[3], UINT16_MAX);
  lower_set_output(g, n, &p->output);
  p->in_w = (uint16_t)in_w;
  p->in_c = (uint16_t)x->dims[3];
  p->out_w = (uint16_t)out_w;
  p->out_c = (uint16_t)y->dims[3];
  p->kernel_h = (uint16_t)w->dims[1];
  p->kernel_w = (uint16_t)w->dims[2];
  p->stride_w = (uint16_t)a->stride_w;
  p->stride_h = (uint16_t)a->stride_h;
  p->dilation_w = (uint16_t)(a->dilation_w > 0 ? a->dilation_w : 1);
  p->pad_left = (uint16_t)a->pad_left;
  p->rows_out = 1;
  p->output.in_zp = (int8_t)x->quant.zp[0];
  f->in[0] = flat ? one_row(x) : rows_of_tensor(x);
  f->out = flat ? one_row(y) : rows_of_tensor(y);
  f->calls = f->out.rows;
  f->rows_out = 1;
  f->alias[0] = pointwise && p->out_c <= p->in_c;
  strips_of_conv(work, f);
  if (flat)
    f->reach[0] = EACH_ROW;
  else
    set_window(n, w->dims[1], f);
  return true;
}

/* ---- a bias for each set of taps inside ---- */
int lower_runs(const struct graph *g, const struct graph_node *n, struct arena *a,
               struct lower_run **runs) {
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const struct graph_attrs *at = &n->attrs;
  struct graph_span last = {-1, -1};
  int count = 0;
  *runs = ARENA_ARRAY(a, struct lower_run, 2 * w->dims[2] + 2);
  for (int o = 0; o < y->dims[2]; o++) {
    const struct graph_span s =
        graph_window_span(x->dims[2], o, w->dims[2], at->stride_w, at->dilation_w, at->pad_left);
    if (s.first != last.first || s.end != last.end) {
      const int64_t left = (int64_t)o * at->stride_w - at->pad_left;
      (*runs)[count++] = (struct lower_run){o, 0, left > 0 ? (int)left : 0};
    }
    (*runs)[count - 1].n++;
    last = s;
  }
  return count;
}

struct mote_conv2d_s8 lower_run_conv(const struct mote_conv2d_s8 *whole,
                                     const struct lower_run *run) {
  struct mote_conv2d_s8 conv = *whole;
  const int64_t left = (int64_t)run->out * whole->stride_w - whole->pad_left;
  conv.out_w = (uint16_t)run->n;
  conv.in_w = (uint16_t)(whole->in_w - run->skip);
  conv.pad_left = (uint16_t)(left < 0 ? -left : 0);
  return conv;
}

/* Whether no sum of a run leaves what triples of pixels hold (mote/isa/isa.h): `columns` whole kernel columns, or where
 * that is 0, `values` of one. */
static bool run_fits(const struct graph_tensor *w, int32_t zp, int64_t columns, int64_t values) {
  const int8_t *weights = w->data;
  const int64_t column = (int64_t)w->dims[1] * w->dims[3],
                n = columns > 0 ? columns * column : values;
  const int64_t low = INT8_MIN - zp, high = INT8_MAX - zp; /* of the activations */
  for (int64_t o = 0; o < w->dims[0]; o++)
    for (int64_t j = 0, most = 0, least = 0, done = 0; j < w->dims[2]; j++) {
      if (columns == 0) done = 0;
      for (int64_t k = 0; k < column; k++, done++) {
        const int64_t y = k / w->dims[3], c = k % w->dims[3];
        const int64_t v = weights[((o * w->dims[1] + y) * w->dims[2] + j) * w->dims[3] + c];
        if (done % n == 0) most = least = 0;
        most += v > 0 ? v * high : v * low;
        least += v > 0 ? v * low : v * high;
        if (most >= 1 << 20 || least < -(1 << 20)) return false;
      }
    }
  return true;
}

/* The longest runs: as many columns as may be, or half, a quarter ... of one in whole words of weights; 32
 * products always fit. */
static bool build_triples(const struct graph *g, const struct work *work, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *w = input(g, n, 1);
  const int32_t zp = input(g, n, 0)->quant.zp[0];
  struct mote_conv2d_triples_s8 *p = &f->params.conv2d_triples_s8;
  if (!lower_whole_conv(g, work, flat, f, e)) return false;
  int64_t columns = w->dims[2], values = (int64_t)w->dims[1] * w->dims[3];
  while (columns > 0 && !run_fits(w, zp, columns, 0)) columns--;
  while (columns == 0 && (!fits16(values) || !run_fits(w, zp, 0, values)))
    values = (values / 2 + 3) & ~(int64_t)3;
  p->run_columns = (uint16_t)columns;
  p->run_values = (uint16_t)(columns > 0 ? 0 : values);
  return true;
}

static bool build_borders(const struct graph *g, const struct work *work, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *bias = input(g, n, 2);
  struct mote_conv2d_borders_s8 *p = &f->params.conv2d_borders_s8;
  struct form *whole = ARENA_NEW(g->arena, struct form);
  struct lower_run *runs;
  if (flat || !lower_whole_conv(g, work, false, whole, e)) return false;
  const struct mote_conv2d_s8 conv = whole->params.conv2d_s8;
  const size_t params_bytes = f->params_bytes;
  *f = *whole;
  f->params_bytes = params_bytes;
  f->state_bytes = 0;
  f->alias[0] = f->reads_first = false;
  memset(&f->params, 0, sizeof f->params);
  p->n_rows = (uint16_t)bias->dims[0];
  p->n_columns = (uint16_t)bias->dims[1];
  p->kernel_h = conv.kernel_h;
  p->in_c = conv.in_c;
  const int n_runs = lower_runs(g, n, g->arena, &runs);
  for (int i = 0; i < n_runs; i++) {
    const struct mote_conv2d_s8 part = lower_run_conv(&conv, &runs[i]);
    const size_t bytes = strips_state_bytes(work, &part);
    if (bytes > f->state_bytes) f->state_bytes = bytes;
  }
  f->instructions += (int64_t)f->calls * (n_runs - 1) * 200; /* set-up of a run, as a call's */
  return true;
}

/* Of a depthwise call on the Cortex-M55: windows of three rows (mote/isa/mve_three.c), those of one column in short rows
 * (mve_tall.c), and any other, where eight channels are turned, and four are multiplied (mve_depthwise.c). */
static int64_t helium_depthwise(const struct mote_depthwise_conv2d_s8 *p) {
  const int64_t columns = (int64_t)p->out_w * p->stride_w + p->kernel_w;
  const int64_t vectors = ((int64_t)p->kernel_w * p->kernel_h + 15) / 16;
  const int64_t strips = (p->out_w + p->strip_w - 1) / p->strip_w;
  const int64_t eights = (p->in_c + 7) / 8, fours = ((int64_t)p->in_c * p->multiplier + 3) / 4;
  if (mote_depthwise_conv2d_s8_form(p) == 2 && p->out_w <= 3 && p->in_c % 8 == 0)
    return 100 + p->out_w * (50 + eights * (45 + 9 * (int64_t)p->kernel_h));
  if (p->multiplier == 1 && p->kernel_h == 3 && p->kernel_w <= 4 && p->in_c >= 4)
    return strips * (170 + eights * 30 + fours * 55) + eights * 11 * columns +
           fours * 22 * p->out_w;
  return eights * (50 + p->kernel_h * (15 + 4 * columns)) +
         fours * (60 + p->out_w * (vectors == 1 ? 23 : 60 * vectors));
}

/* Of a depthwise call, for each channel: 3x3 windows, those of one column, any other. A core's own are fitted to 22 shapes; a
 * 3x3 output of the Cortex-M4 takes 16.5, or 18.5 where it is rounded both ways, a column that is turned 19 for four
 * channels, and windows of one column are read four rows at a time there. */
struct depthwise_cost {
  int64_t nine, nine_out,
      nine_apart; /* a strip; an output where windows share columns, and where not */
  int64_t tall_out, tall_row;
  int64_t any, any_column,
      any_tap; /* a call; of each output a column of its window, and a tap, in quarters */
};
static const struct depthwise_cost v6m_depthwise = {320, 74, 94, 112, 13, 250, 30, 44};
static const struct depthwise_cost rv32_depthwise = {235, 40, 60, 72, 8, 200, 14, 26};
/* By stairs (mote/isa/v6m_nine.c, v6m_tables.c, rv32_nine.c). */
static const struct depthwise_cost v6m_stairs = {150, 49, 64, 112, 13, 250, 30, 44};
static const struct depthwise_cost v6m_tables = {75, 42, 55, 112, 13, 250, 30, 44};
static const struct depthwise_cost rv32_stairs = {70, 33, 36, 72, 8, 200, 14, 26};

static int64_t plain_depthwise(const struct mote_depthwise_conv2d_s8 *p, int64_t channels,
                               const struct depthwise_cost *k) {
  const int64_t strips = (p->out_w + p->strip_w - 1) / p->strip_w;
  const int64_t nine_out = p->stride_w == 1 ? k->nine_out : k->nine_apart;
  switch (mote_depthwise_conv2d_s8_form(p)) {
  case 1:
  case 3: return 100 + channels * (strips * k->nine + p->out_w * nine_out);
  case 2: return 100 + p->out_w * channels * (k->tall_out + p->kernel_h * k->tall_row);
  default:
    return 100 + channels * (k->any + p->out_w * p->kernel_w *
                                          (k->any_column + p->kernel_h * k->any_tap / 4));
  }
}

static int64_t lanes_depthwise(const struct mote_depthwise_conv2d_s8 *p, int64_t channels) {
  const bool above = p->output.zp == -128 && p->output.low == -128 && p->output.high == 127;
  int64_t cost = 0;
  channels = (channels + 3) / 4 * 4;
  switch (mote_depthwise_conv2d_s8_form(p)) {
  case 1:
  case 3:
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, p->strip_w);
      const int64_t columns = (int64_t)(n - 1) * p->stride_w + 3;
      cost += 350 + channels * (64 + n * (above ? 33 : 37) / 2 + columns * 19 / 4);
    }
    return cost;
  case 2:
    return p->out_w * (160 + channels * (20 + p->kernel_h / 4 * 11 + p->kernel_h % 4 * 9 / 2));
  default: return 100 + channels * (250 + p->out_w * p->kernel_w * (40 + 2 * (int64_t)p->kernel_h));
  }
}

static int64_t depthwise_cost(const struct work *w, const struct mote_depthwise_conv2d_s8 *p) {
  const int64_t channels = (int64_t)p->in_c * p->multiplier;
  const bool stairs = w->kernel == MOTE_KERNEL_depthwise_stairs_s8 ||
                      w->kernel == MOTE_KERNEL_depthwise_stairs_high_s8;
  if (w->kernel == MOTE_KERNEL_depthwise_stairs_tables_s8)
    return plain_depthwise(p, channels, &v6m_tables);
  switch (w->options->core) {
  case COMPILE_CORE_MVE: return helium_depthwise(p) + 100;
  case COMPILE_CORE_V6M: return plain_depthwise(p, channels, stairs ? &v6m_stairs : &v6m_depthwise);
  case COMPILE_CORE_RV32:
    return plain_depthwise(p, channels, stairs ? &rv32_stairs : &rv32_depthwise);
  default: return lanes_depthwise(p, channels);
  }
}

/* An image one pixel wide as a single row, whose pixels are its rows: Helium turns channels once for all windows, where row
 * by row each window is one pixel, and a call. Weights lie in the same order. Windows must be one vector each: longer ones,
 * and those of dilated kernels, are quicker row by row. */
enum { VECTOR = 16 };
static bool lower_column(const struct graph *g, const struct work *work, struct form *f) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  struct mote_depthwise_conv2d_s8 *p = &f->params.depthwise_conv2d_s8;
  if (work->options->core != COMPILE_CORE_MVE || x->dims[0] != 1 || x->dims[2] != 1 ||
      y->dims[2] != 1 || w->dims[2] != 1 || y->dims[1] == 1 || w->dims[1] > VECTOR ||
      a->dilation_h > 1 || !fits16(x->dims[1]) || !fits16(y->dims[3]))
    return false;
  lower_set_output(g, n, &p->output);
  p->in_w = (uint16_t)x->dims[1];
  p->in_c = (uint16_t)x->dims[3];
  p->out_w = p->strip_w = (uint16_t)y->dims[1];
  p->multiplier = (uint16_t)(y->dims[3] / x->dims[3]);
  p->kernel_h = p->stride_h = p->rows_out = 1;
  p->kernel_w = (uint16_t)w->dims[1];
  p->stride_w = (uint16_t)a->stride_h;
  p->dilation_w = 1;
  p->pad_left = (uint16_t)a->pad_top;
  p->output.in_zp = (int8_t)x->quant.zp[0];
  whole_form(g, work, f);
  f->instructions = depthwise_cost(work, p);
  f->alias[0] = y->dims[1] <= x->dims[1] && mote_depthwise_conv2d_s8_in_row(p, 1);
  f->state_bytes = mote_depthwise_conv2d_s8_state_bytes(p);
  return true;
}

bool lower_depthwise(const struct graph *g, const struct work *work, bool flat, struct form *f,
                     struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  struct mote_depthwise_conv2d_s8 *p = &f->params.depthwise_conv2d_s8;
  if (flat) return lower_column(g, work, f);
  if (!fits16(y->dims[2])) return lower_too_large(e, "the width", y->dims[2], UINT16_MAX);
  if (!fits16(x->dims[2]) || !fits16(y->dims[3]))
    return lower_too_large(e, "width or channels",
                           x->dims[2] > y->dims[3] ? x->dims[2] : y->dims[3], UINT16_MAX);
  if (!window_fits(a, w->dims[1], w->dims[2], e)) return false;
  lower_set_output(g, n, &p->output);
  p->in_w = (uint16_t)x->dims[2];
  p->in_c = (uint16_t)x->dims[3];
  p->out_w = (uint16_t)y->dims[2];
  p->multiplier = (uint16_t)(y->dims[3] / x->dims[3]);
  p->kernel_h = (uint16_t)w->dims[1];
  p->kernel_w = (uint16_t)w->dims[2];
  p->stride_w = (uint16_t)a->stride_w;
  p->stride_h = (uint16_t)a->stride_h;
  p->dilation_w = (uint16_t)(a->dilation_w > 0 ? a->dilation_w : 1);
  p->pad_left = (uint16_t)a->pad_left;
  p->rows_out = 1;
  const bool tables = work->kernel == MOTE_KERNEL_depthwise_stairs_tables_s8; /* of whole rows */
  p->strip_w = (uint16_t)(tables || y->dims[2] <= 24 ? y->dims[2] : 16);
  p->output.in_zp = (int8_t)x->quant.zp[0];
  f->in[0] = rows_of_tensor(x);
  f->out = rows_of_tensor(y);
  f->calls = f->out.rows;
  f->rows_out = 1;
  f->instructions = f->calls * depthwise_cost(work, p);
  f->alias[0] = mote_depthwise_conv2d_s8_in_row(p, work->options->core == COMPILE_CORE_MVE);
  f->state_bytes = tables ? mote_depthwise_stairs_tables_s8_state_bytes(p)
                          : mote_depthwise_conv2d_s8_state_bytes(p);
  set_window(n, w->dims[1], f);
  return true;
}

/* Of a window that is the only one in height: the first tap inside, and how many are. */
static int taps_inside(const struct graph *g, const struct graph_node *n, int *first) {
  const int dilation = n->attrs.dilation_h > 0 ? n->attrs.dilation_h : 1;
  const struct graph_span s = graph_window_span(input(g, n, 0)->dims[1], 0, input(g, n, 1)->dims[1],
                                                1, dilation, n->attrs.pad_top);
  *first = s.first;
  return s.end - s.first;
}

/* One window, accumulated: three bytes of sums a channel instead of a ring of all its rows. */
static bool build_sums(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1);
  const int step = n->attrs.dilation_h > 0 ? n->attrs.dilation_h : 1;
  struct mote_depthwise_sums_s8 *p = &f->params.depthwise_sums_s8;
  int first;
  if (flat) return false;
  if (!window_fits(&n->attrs, w->dims[1], w->dims[2], e)) return false;
  lower_set_output(g, n, &p->output);
  p->output.in_zp = (int8_t)x->quant.zp[0];
  p->w = (uint16_t)w->dims[2];
  p->c = (uint16_t)w->dims[3];
  f->in[0] = rows_of_tensor(x);
  f->in[1] = rows_of_tensor(w);
  f->out = one_row(output(g, n));
  f->calls = taps_inside(g, n, &first);
  f->rows_out = 0;
  f->reach[0] = (struct reach){first * step - n->attrs.pad_top, 1, step, 1};
  f->reach[1] = (struct reach){first, 1, 1, 1};
  /* source: counted on the Cortex-M4. */
  const int64_t product = work->options->core == COMPILE_CORE_V6M    ? 26
                          : work->options->core == COMPILE_CORE_RV32 ? 18
                                                                     : 15;
  f->instructions = (int64_t)f->calls * (p->c * product * p->w + 100) + 70 * (int64_t)p->c;
  f->state_bytes = mote_depthwise_sums_s8_state_bytes(p);
  return true;
}

bool lower_dense(const struct graph *g, const struct work *work, bool flat, struct form *f,
                 struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  struct mote_fully_connected_s8 *p = &f->params.fully_connected_s8;
  const int64_t vectors = graph_elements(x) / w->dims[1];
  if (flat) return false;
  if (!fits16(w->dims[0]) || !fits16(w->dims[1]) || !fits16(vectors))
    return err_set(e, "%lld vectors of %d to %d; the kernel takes at most %d of each",
                   (long long)vectors, w->dims[1], w->dims[0], UINT16_MAX);
  lower_set_output(g, n, &p->output);
  p->in_c = (uint16_t)w->dims[1];
  p->out_c = (uint16_t)w->dims[0];
  p->vectors = (uint16_t)vectors;
  p->output.in_zp = (int8_t)x->quant.zp[0];
  f->in[0] = one_row(x);
  f->out = one_row(y);
  f->calls = f->rows_out = 1;
  f->reach[0] = EACH_ROW;
  f->instructions = vectors * w->dims[0] * ((int64_t)w->dims[1] * 3 / 2 + 40) + 200;
  f->state_bytes = mote_fully_connected_s8_state_bytes(p);
  return true;
}

static struct mote_add_s8 add_of(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *y = output(g, n);
  struct mote_add_s8 p = {0};
  struct graph_add_scaling s;
  int32_t low, high;
  graph_add_scaling_of(g, (int)(n - g->nodes), &s);
  graph_activation_range(y, n->attrs.activation, &low, &high);
  for (int i = 0; i < 2; i++) {
    p.multiplier[i] = s.multiplier[i];
    p.shift[i] = (int8_t)s.shift[i];
    p.zp[i] = (int16_t)input(g, n, i)->quant.zp[0];
  }
  p.out_multiplier = s.out_multiplier;
  p.out_shift = (int8_t)s.out_shift;
  p.left_shift = (uint8_t)s.left_shift;
  p.out_zp = (int16_t)y->quant.zp[0];
  p.low = (int16_t)low;
  p.high = (int16_t)high;
  return p;
}

static bool build_add(const struct graph *g, const struct work *work, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  (void)e;
  const struct graph_tensor *y = output(g, n);
  struct mote_add_s8 *p = &f->params.add_s8;
  const struct rows_of rows = flat ? one_row(y) : rows_of_tensor(y);
  if (flat && rows_of_tensor(y).rows == 1) return false;
  *p = add_of(g, n);
  p->n = (uint32_t)rows.row_bytes;
  for (int i = 0; i < 2; i++) {
    f->in[i] = rows;
    f->reach[i] = EACH_ROW;
    f->alias[i] = n->in[0] != n->in[1];
  }
  f->out = rows;
  f->calls = rows.rows;
  f->rows_out = 1;
  f->instructions = graph_elements(y) * (work->options->core == COMPILE_CORE_MVE ? 5 : 46);
  f->state_bytes = mote_add_s8_state_bytes(p);
  return true;
}

/* ADD by weights: whether some offset gives the bits for all pairs of bytes. Every element counts |weight| < 2^31. */
static bool weigh(const struct mote_add_s8 *p, struct mote_add_weighted_s8 *w) {
  static _Thread_local int8_t sums[256][256];
  const double out = ldexp(p->out_multiplier, p->out_shift - 31);
  double offset = p->out_zp + 0.5, reach = 0;
  int32_t terms[2][256];
  if (p->low != -128 || p->high != 127) return false;
  for (int i = 0; i < 2; i++) {
    const double scale = ldexp(p->multiplier[i], p->shift[i] - 31 + p->left_shift) * out;
    if (scale >= 3.9) return false;
    w->weight[i] = (int32_t)lround(ldexp(scale, 29));
    offset -= scale * p->zp[i];
    reach += 128 * scale;
    for (int x = -128; x < 128; x++)
      terms[i][x + 128] =
          mote_requantise((x - p->zp[i]) * (1 << p->left_shift), p->multiplier[i], p->shift[i]);
  }
  if (offset < -250 || offset > 250)
    return false; /* 2^31 / 2^22 is 512, and the terms take up to 243 each */
  for (int a = 0; a < 256; a++)
    for (int b = 0; b < 256; b++) {
      const int32_t q = mote_requantise(terms[0][a] + terms[1][b], p->out_multiplier, p->out_shift);
      sums[a][b] = (int8_t)mote_clamp(q + p->out_zp, -128, 127);
    }
  /* The last bits of the three are free; they decide the few sums that lie next to a step of the output. */
  const struct mote_add_weighted_s8 middle = {
      {w->weight[0], w->weight[1]}, (int32_t)floor(ldexp(offset, 21)), 0};
  for (int k = 0; k < 5 * 5 * 17; k++) {
    bool same = true;
    w->weight[0] = middle.weight[0] + k / 85 % 5 - 2;
    w->weight[1] = middle.weight[1] + k / 17 % 5 - 2;
    w->offset = middle.offset + k % 17 - 8;
    for (int i = 0; same && i < 65536; i++)
      same = mote_add_weighted(w->weight, w->offset, (i >> 8) - 128, (i & 255) - 128) ==
             sums[i >> 8][i & 255];
    if (same) return true;
  }
  return false;
}

static bool build_weighted(const struct graph *g, const struct work *work, bool flat,
                           struct form *f, struct err *e) {
  if (!build_add(g, work, flat, f, e)) return false;
  const struct mote_add_s8 add = f->params.add_s8;
  struct mote_add_weighted_s8 *p = &f->params.add_weighted_s8;
  memset(&f->params, 0, sizeof f->params);
  if (!weigh(&add, p)) return err_internal(e, "an addition that could be weighed cannot any more");
  p->n = add.n;
  f->instructions = graph_elements(output(g, &g->nodes[work->node])) * 6;
  return true;
}

static bool build_pool(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  const bool average = n->op == MOTE_OP_AVERAGE_POOL_2D;
  struct mote_pool_s8 *p = average ? &f->params.average_pool_s8 : &f->params.max_pool_s8;
  int32_t low, high;
  if (flat) return false;
  if (!fits16(x->dims[2]) || !fits16(x->dims[3]))
    return lower_too_large(e, "width or channels",
                           x->dims[2] > x->dims[3] ? x->dims[2] : x->dims[3], UINT16_MAX);
  if (!window_fits(a, a->kernel_h, a->kernel_w, e)) return false;
  graph_activation_range(y, a->activation, &low, &high);
  p->in_w = (uint16_t)x->dims[2];
  p->c = (uint16_t)x->dims[3];
  p->out_w = (uint16_t)y->dims[2];
  p->kernel_w = (uint16_t)a->kernel_w;
  p->kernel_h = (uint16_t)a->kernel_h;
  p->stride_w = (uint16_t)a->stride_w;
  p->stride_h = (uint16_t)a->stride_h;
  p->pad_left = (uint16_t)a->pad_left;
  p->rows_out = 1;
  p->low = (int16_t)low;
  p->high = (int16_t)high;
  f->in[0] = rows_of_tensor(x);
  f->out = rows_of_tensor(y);
  f->calls = f->out.rows;
  f->rows_out = 1;
  f->instructions = graph_elements(y) * (8 + 4 * (int64_t)a->kernel_h * a->kernel_w);
  f->state_bytes = average ? mote_average_pool_s8_state_bytes(p) : mote_max_pool_s8_state_bytes(p);
  set_window(n, a->kernel_h, f);
  return true;
}

/* An average pool whose one window is the whole map. */
static bool is_whole_map(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  return n->op == MOTE_OP_AVERAGE_POOL_2D && y->dims[1] == 1 && y->dims[2] == 1 &&
         a->kernel_h - a->pad_top >= x->dims[1] && a->kernel_w - a->pad_left >= x->dims[2];
}

/* MEAN over the map, and the average pool that is one: rows are added as they come. */
static bool build_mean(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  struct mote_mean_s8 *p = &f->params.mean_s8;
  int32_t low, high;
  if (flat) return false;
  if (x->dims[0] != 1)
    return err_set(e, "%d images; name the axes, and a mean of more than one is possible",
                   x->dims[0]);
  if (!sizes_fit(x, e)) return false;
  graph_activation_range(y, n->attrs.activation, &low, &high);
  p->divide = n->op == MOTE_OP_AVERAGE_POOL_2D;
  if (!p->divide) {
    struct graph_mean_scaling s;
    graph_mean_scaling_of(g, (int)(n - g->nodes), &s);
    p->multiplier = s.multiplier;
    p->shift = (int8_t)s.shift;
  }
  p->count = (uint32_t)(x->dims[1] * x->dims[2]);
  p->w = (uint16_t)x->dims[2];
  p->c = (uint16_t)x->dims[3];
  p->in_zp = (int16_t)x->quant.zp[0];
  p->out_zp = (int16_t)y->quant.zp[0];
  p->low = (int16_t)low;
  p->high = (int16_t)high;
  f->in[0] = rows_of_tensor(x);
  f->out = one_row(y);
  f->calls = x->dims[1];
  f->rows_out = 0;
  f->reach[0] = EACH_ROW;
  f->instructions = graph_elements(x) * (work->options->core == COMPILE_CORE_MVE ? 4 : 9) +
                    graph_elements(y) * 45;
  f->state_bytes = mote_mean_s8_state_bytes(p);
  return true;
}

static bool build_softmax(const struct graph *g, const struct work *work, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  struct mote_softmax_s8 *p = &f->params.softmax_s8;
  struct graph_softmax_scaling s;
  const struct rows_of rows = flat ? one_row(x) : rows_of_tensor(x);
  const int32_t c = graph_last_dim(x);
  if (flat && rows_of_tensor(x).rows == 1) return false;
  if (c > 4095) return lower_too_large(e, "the number of classes", c, 4095);
  if (!fits16((int64_t)rows.row_bytes / c))
    return flat ? false : lower_too_large(e, "rows", (int64_t)rows.row_bytes / c, UINT16_MAX);
  graph_softmax_scaling_of(g, (int)(n - g->nodes), &s);
  p->multiplier = s.multiplier;
  p->left_shift = (int8_t)s.left_shift;
  p->diff_min = s.diff_min;
  p->rows = (uint16_t)(rows.row_bytes / (size_t)c);
  p->c = (uint16_t)c;
  f->in[0] = f->out = rows;
  f->calls = rows.rows;
  f->rows_out = 1;
  f->reach[0] = EACH_ROW;
  f->alias[0] = true;
  f->instructions = graph_elements(y) * 150 + 600;
  f->state_bytes = mote_softmax_s8_state_bytes(p);
  return true;
}

static bool build_pad(const struct graph *g, const struct work *work, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *y = output(g, n);
  struct mote_pad_s8 *p = &f->params.pad_s8;
  if (flat) return false;
  if (x->dims[0] != 1)
    return err_set(e, "%d images; pad each axis, and more than one is possible", x->dims[0]);
  p->before_bytes = (uint32_t)(n->attrs.pad_left * x->dims[3]);
  p->row_bytes = (uint32_t)(x->dims[2] * x->dims[3]);
  p->after_bytes = (uint32_t)(n->attrs.pad_right * x->dims[3]);
  p->value = (int16_t)y->quant.zp[0];
  f->in[0] = rows_of_tensor(x);
  f->out = rows_of_tensor(y);
  f->calls = f->out.rows;
  f->rows_out = 1;
  if (n->attrs.pad_top > INT16_MAX)
    return lower_too_large(e, "the padding above", n->attrs.pad_top, INT16_MAX);
  f->reach[0] = (struct reach){-n->attrs.pad_top, 1, 1, 1};
  f->instructions = graph_elements(y);
  f->state_bytes = mote_pad_s8_state_bytes(p);
  return true;
}

static bool is_int8(const struct graph_tensor *t) {
  return t->type == MOTE_INT8 && t->quant.count == 1;
}

static bool takes_int8(const struct graph *g, const struct graph_node *n) {
  return is_int8(input(g, n, 0)) && is_int8(output(g, n));
}

/* One image, constant symmetric weights, no groups, and sums that fit int32. */
bool lower_takes_core(const struct graph *g, const struct graph_node *n) {
  return graph_is_core(g, (int)(n - g->nodes));
}

/* One bias for each channel and set of taps inside: what a pass has made of constant inputs behind padding. */
static bool takes_borders(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && n->in[2] >= 0 &&
         graph_elements(input(g, n, 2)) != output(g, n)->dims[3];
}

/* Two channels in the lanes of a word: folding the zero point into a bias must keep it in 32 bits, and loops pay from
 * a thousand products on: below, the loop for few is as fast and a sixth of the code. */
/* What fills a pair of channels up may be a twentieth of the weights. */
static bool pairs_are_full(const struct graph_tensor *w) {
  return 20 * ((w->dims[0] + 1) / 2 * 2) <= 21 * w->dims[0];
}

/* A pair costs as much as two channels: for few of them the plain loop is faster. */
static bool takes_pairs(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && pairs_are_full(input(g, n, 1));
}

static bool takes_lanes8(const struct graph *g, const struct graph_node *n) {
  if (!takes_pairs(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1);
  const int32_t *bias = has_input(n, 2) ? input(g, n, 2)->data : NULL;
  if (w->dims[0] <= 4) return false; /* 4 of 2304: 78 thousand instructions, 74 without */
  if (graph_elements(w) < 1024 || w->dims[1] > UINT16_MAX || !params_lanes8_fit(w)) return false;
  for (int c = 0; bias != NULL && c < w->dims[0]; c++)
    if (bias[c] < -(1 << 29) || bias[c] > 1 << 29) return false;
  return true;
}

/* Weights of 16 bits: from about a thousand products on the loop is worth its code; what fills a vector up to fours may be a
 * twentieth of it. */
static bool takes_wide(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1);
  const int64_t in_c = w->dims[1], padded = (in_c + 3) / 4 * 4;
  return w->dims[0] >= MOTE_WIDE_CHANNELS && graph_elements(w) >= 1024 && 20 * padded <= 21 * in_c;
}

/* All output channels see the one channel of the input, as a CONV_2D's do. */
static bool takes_one_channel(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && input(g, n, 0)->dims[3] == 1;
}

static bool takes_sum(const struct graph *g, const struct graph_node *n) {
  return takes_int8(g, n) && is_int8(input(g, n, 1)) &&
         graph_same_shape(input(g, n, 0), input(g, n, 1));
}

/* A window of five rows or more: sums need less than a ring of its rows. */
static bool takes_tall_window(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  int first;
  return lower_takes_core(g, n) && y->dims[1] == 1 && y->dims[2] == 1 && x->dims[3] == y->dims[3] &&
         n->attrs.pad_left == 0 && n->attrs.dilation_w <= 1 && w->dims[2] <= x->dims[2] &&
         (int64_t)w->dims[1] * w->dims[2] <= MOTE_SUMS_MOST && fits16(y->dims[3]) &&
         taps_inside(g, n, &first) >= 5;
}

static bool takes_weighted(const struct graph *g, const struct graph_node *n) {
  struct mote_add_weighted_s8 w;
  if (!takes_sum(g, n) || input(g, n, 0)->quant.count != 1) return false;
  const struct mote_add_s8 p = add_of(g, n);
  return weigh(&p, &w);
}

static bool takes_whole_map(const struct graph *g, const struct graph_node *n) {
  return graph_is_core(g, (int)(n - g->nodes)) && is_whole_map(g, n);
}

/* The bytes stay where they are; a constant has no place in the arena that could be seen in another shape. */
bool takes_view(const struct graph *g, const struct graph_node *n) {
  return !graph_is_constant(input(g, n, 0));
}

bool build_view_copy(const struct graph *g, const struct work *work, bool flat, struct form *f,
                     struct err *e) {
  const size_t bytes = graph_bytes(&g->tensors[work->out[0]]);
  (void)e;
  if (flat) return false;
  whole_form(g, work, f);
  f->params.copy.bytes = (uint32_t)bytes;
  f->instructions = (int64_t)bytes;
  return true;
}

#define WEIGHTS (1u << 1 | 1u << 2)
#define SHORT   (1u << COMPILE_CORE_RV32 | 1u << COMPILE_CORE_V6M) /* products of 32 bits, no lanes */
/* The loop over a window at once is much faster there. */
#define BUT_MVE (((1u << COMPILE_CORES) - 1) & ~(1u << COMPILE_CORE_MVE))
/* Those that add one element after the other. */
#define NARROW_CORES                                                                               \
  (1u << COMPILE_CORE_DSP | 1u << COMPILE_CORE_V6M | 1u << COMPILE_CORE_RV32 |                     \
   1u << COMPILE_CORE_AVR)
static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_borders_s8,
     .takes = takes_borders,
     .build = build_borders,
     .pack = params_pack_borders,
     .packed = WEIGHTS},
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_triples_s8,
     .takes = lower_takes_core,
     .cores = SHORT,
     .build = build_triples,
     .pack = params_pack_int8,
     .packed = WEIGHTS},
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_s8,
     .takes = lower_takes_core,
     .build = lower_whole_conv,
     .pack = params_pack_int8,
     .packed = WEIGHTS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_depthwise_sums_s8,
     .takes = takes_tall_window,
     .cores = BUT_MVE,
     .build = build_sums,
     .pack = params_pack_int8,
     .packed = 1u << 2},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_s8,
     .takes = takes_one_channel,
     .build = lower_whole_conv,
     .pack = params_pack_int8,
     .packed = WEIGHTS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_depthwise_conv2d_s8,
     .takes = lower_takes_core,
     .build = lower_depthwise,
     .pack = params_pack_int8,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_pairs_s8,
     .takes = takes_pairs,
     .cores = 1u << COMPILE_CORE_V6M,
     .fast = true,
     .widened = 1,
     .build = lower_dense,
     .pack = params_pack_pairs,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED, /* the plain loop works out eight channels for one */
     .kernel = MOTE_KERNEL_fully_connected_pairs_s8,
     .takes = lower_takes_core,
     .cores = 1u << COMPILE_CORE_RV32,
     .fast = true,
     .widened = 1,
     .build = lower_dense,
     .pack = params_pack_pairs,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_wide_s8,
     .takes = takes_wide,
     .cores = 1u << COMPILE_CORE_DSP,
     .fast = true,
     .widened = 1,
     .build = lower_dense,
     .pack = params_pack_wide,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_lanes_s8,
     .takes = takes_lanes8,
     .cores = 1u << COMPILE_CORE_V6M,
     .build = lower_dense,
     .pack = params_pack_lanes,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_s8,
     .takes = lower_takes_core,
     .build = lower_dense,
     .pack = params_pack_int8,
     .packed = WEIGHTS},
    {.op = MOTE_OP_ADD,
     .kernel = MOTE_KERNEL_add_weighted_s8,
     .takes = takes_weighted,
     .build = build_weighted,
     .cores = NARROW_CORES},
    {.op = MOTE_OP_ADD, .kernel = MOTE_KERNEL_add_s8, .takes = takes_sum, .build = build_add},
    {.op = MOTE_OP_AVERAGE_POOL_2D,
     .kernel = MOTE_KERNEL_mean_s8,
     .takes = takes_whole_map,
     .build = build_mean},
    {.op = MOTE_OP_AVERAGE_POOL_2D,
     .kernel = MOTE_KERNEL_average_pool_s8,
     .takes = lower_takes_core,
     .build = build_pool},
    {.op = MOTE_OP_MAX_POOL_2D,
     .kernel = MOTE_KERNEL_max_pool_s8,
     .takes = lower_takes_core,
     .build = build_pool},
    {.op = MOTE_OP_MEAN,
     .kernel = MOTE_KERNEL_mean_s8,
     .takes = lower_takes_core,
     .build = build_mean},
    {.op = MOTE_OP_SOFTMAX,
     .kernel = MOTE_KERNEL_softmax_s8,
     .takes = takes_int8,
     .build = build_softmax},
    {.op = MOTE_OP_PAD,
     .kernel = MOTE_KERNEL_pad_s8,
     .takes = lower_takes_core,
     .build = build_pad},
    {.op = MOTE_OP_RESHAPE, .takes = takes_view, .view = true},
    {.op = MOTE_OP_RESHAPE, .kernel = MOTE_KERNEL_copy, .build = build_view_copy},
};
const struct lower_family lower_int8 = {recipes, sizeof recipes / sizeof *recipes};
