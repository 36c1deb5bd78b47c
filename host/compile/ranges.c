/* ranges: which values each channel of each tensor can take, for any input of the model.
 *
 * A channel is an index of a tensor's last axis. Its range is one interval for all its pixels. Inputs take
 * every int8; an operator's range follows from those of its inputs:
 *
 *   sums     low  = bias + sum of min(w * (x_low - zp), w * (x_high - zp)),   high likewise with max
 *   outputs  [R(low), R(high)], R = requantise, add the zero point, clamp: it never falls as its sum grows
 *            (multipliers are >= 0, every rounding is monotone, and nothing of the core wraps)
 *
 * Behind padding a window lacks taps at the border, so a sum is taken for each set of taps that some window
 * has (a border class), and the range is the hull of them all. The bounds ignore that inputs depend on each
 * other, so ranges may be wider than the truth, never narrower: low = high proves a constant. */
#include "host/compile/private.h"

#include <string.h>

static const struct range EVERY = {INT8_MIN, INT8_MAX};

int channels_of(const struct graph_tensor *t) { return t->rank > 0 ? t->dims[t->rank - 1] : 1; }

int greatest_common_divisor(int a, int b) {
  while (b != 0) {
    const int rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* ---- layers with weights ---------------------------------------------------------- */

bool weighted_of(const struct graph *g, const struct graph_node *n, struct weighted *w) {
  if (n->op != MOTE_OP_CONV_2D && n->op != MOTE_OP_DEPTHWISE_CONV_2D &&
      n->op != MOTE_OP_FULLY_CONNECTED)
    return false;
  const struct graph_tensor *t = &g->tensors[n->in[1]];
  const bool depthwise = n->op == MOTE_OP_DEPTHWISE_CONV_2D;
  memset(w, 0, sizeof *w);
  w->weights = t->data;
  if (n->n_in > 2 && n->in[2] >= 0) w->bias = g->tensors[n->in[2]].data;
  w->zp = g->tensors[n->in[0]].quant.zp[0];
  w->out_c = depthwise ? t->dims[3] : t->dims[0];
  w->kernel_h = t->rank == 4 ? t->dims[1] : 1;
  w->kernel_w = t->rank == 4 ? t->dims[2] : 1;
  w->depth = depthwise ? 1 : t->dims[t->rank - 1];
  w->multiplier = depthwise ? n->attrs.depth_multiplier : 0;
  w->per_tap = depthwise ? w->out_c : w->depth;
  w->per_out = depthwise ? 1 : (int64_t)w->kernel_h * w->kernel_w * w->depth;
  return true;
}

/* ---- border classes ----------------------------------------------------------------- */

void window_of(const struct graph *g, const struct graph_node *n, const struct weighted *w,
               struct arena *a, struct window *out) {
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  const struct graph_attrs *at = &n->attrs;
  memset(out, 0, sizeof *out);
  if (n->op == MOTE_OP_FULLY_CONNECTED) {
    out->rows = out->columns = ARENA_NEW(a, struct graph_span);
    *out->rows = (struct graph_span){0, 1};
    out->n_rows = out->n_columns = 1;
  } else {
    out->rows = ARENA_ARRAY(a, struct graph_span, 2 * w->kernel_h + 2);
    out->columns = ARENA_ARRAY(a, struct graph_span, 2 * w->kernel_w + 2);
    out->n_rows = graph_window_spans(x->dims[1], y->dims[1], w->kernel_h, at->stride_h,
                                     at->dilation_h, at->pad_top, out->rows);
    out->n_columns = graph_window_spans(x->dims[2], y->dims[2], w->kernel_w, at->stride_w,
                                        at->dilation_w, at->pad_left, out->columns);
  }
  out->every_row = (struct graph_span){out->rows[0].first, out->rows[out->n_rows - 1].end};
  out->every_column =
      (struct graph_span){out->columns[0].first, out->columns[out->n_columns - 1].end};
}

/* ---- sums ------------------------------------------------------------------------------ */

struct sum {
  int64_t low, high; /* within int32 by graph_is_core, and so is every sum over some of the taps */
};

static struct sum sum_add(struct sum a, struct sum b, int sign) {
  return (struct sum){a.low + sign * b.low, a.high + sign * b.high};
}

/* What output channel o takes from one tap. x: ranges of the inputs 0 .. depth-1 that it reads. */
static struct sum tap_sum(const struct weighted *w, const struct range *x, int o, int tap) {
  const int8_t *weights = w->weights + o * w->per_out + tap * w->per_tap;
  struct sum s = {0, 0};
  for (int i = 0; i < w->depth; i++) {
    const int32_t a = weights[i] * (x[i].low - w->zp), b = weights[i] * (x[i].high - w->zp);
    s.low += a < b ? a : b;
    s.high += a < b ? b : a;
  }
  return s;
}

/* table[ky][kx], (kernel_h + 1) x (kernel_w + 1): the sum over all taps above and left of (ky, kx). */
static void fill_table(const struct weighted *w, const struct range *x, int o, struct sum *table) {
  const int columns = w->kernel_w + 1;
  for (int ky = 0; ky < w->kernel_h; ky++)
    for (int kx = 0; kx < w->kernel_w; kx++) {
      struct sum s = tap_sum(w, x, o, ky * w->kernel_w + kx);
      s = sum_add(s, table[ky * columns + kx + 1], 1);
      s = sum_add(s, table[(ky + 1) * columns + kx], 1);
      table[(ky + 1) * columns + kx + 1] = sum_add(s, table[ky * columns + kx], -1);
    }
}

static struct sum class_sum(const struct weighted *w, const struct sum *table,
                            struct graph_span rows, struct graph_span columns) {
  const int n = w->kernel_w + 1;
  struct sum s = table[rows.end * n + columns.end];
  s = sum_add(s, table[rows.first * n + columns.end], -1);
  s = sum_add(s, table[rows.end * n + columns.first], -1);
  return sum_add(s, table[rows.first * n + columns.first], 1);
}

struct finish finish_of(const struct graph *g, int node, int channel) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *out = &g->tensors[n->out[0]];
  struct finish f = {.zp = out->quant.zp[0]};
  graph_activation_range(out, n->attrs.activation, &f.low, &f.high);
  graph_output_multiplier(g, node, channel, &f.multiplier, &f.shift);
  return f;
}

int16_t finish_sum(const struct finish *f, int64_t sum) {
  const int32_t q = mote_requantise((int32_t)sum, f->multiplier, f->shift) + f->zp;
  return (int16_t)mote_clamp(q, f->low, f->high);
}

static void widen(struct range *r, int16_t low, int16_t high) {
  if (low < r->low) r->low = low;
  if (high > r->high) r->high = high;
}

/* The hull over the border classes of output channel o. */
static struct range channel_range(const struct weighted *w, const struct window *window,
                                  const struct sum *table, const struct finish *f, int32_t bias) {
  struct range r = {INT8_MAX, INT8_MIN};
  for (int i = 0; i < window->n_rows; i++)
    for (int k = 0; k < window->n_columns; k++) {
      const struct sum s = class_sum(w, table, window->rows[i], window->columns[k]);
      widen(&r, finish_sum(f, s.low + bias), finish_sum(f, s.high + bias));
    }
  return r;
}

void ranges_view(const struct range *from, int channels, int view, struct range *to) {
  const int g = greatest_common_divisor(channels, view);
  for (int r = 0; r < g; r++) {
    to[r] = from[r];
    for (int c = r + g; c < channels; c += g) widen(&to[r], from[c].low, from[c].high);
  }
  for (int i = g; i < view; i++) to[i] = to[i % g];
}

static void weighted_ranges(const struct graph *g, int node, const struct weighted *w,
                            const struct range *x, struct arena *a, struct range *y) {
  const struct graph_node *n = &g->nodes[node];
  const size_t cells = (size_t)(w->kernel_h + 1) * (size_t)(w->kernel_w + 1);
  struct sum *table = ARENA_ARRAY(a, struct sum, cells);
  struct window window;
  window_of(g, n, w, a, &window);
  for (int o = 0; o < w->out_c; o++) {
    const struct finish f = finish_of(g, node, o);
    fill_table(w, w->multiplier > 0 ? x + o / w->multiplier : x, o, table);
    y[o] = channel_range(w, &window, table, &f, w->bias != NULL ? w->bias[o] : 0);
  }
}

/* ---- other operators --------------------------------------------------------------------- */

static void add_ranges(const struct graph *g, int node, const struct range *x,
                       const struct range *z, struct range *y) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *out = &g->tensors[n->out[0]];
  const int32_t zp[2] = {g->tensors[n->in[0]].quant.zp[0], g->tensors[n->in[1]].quant.zp[0]};
  struct graph_add_scaling s;
  int32_t low, high;
  graph_add_scaling_of(g, node, &s);
  graph_activation_range(out, n->attrs.activation, &low, &high);
  for (int c = 0; c < channels_of(out); c++)
    for (int end = 0; end < 2; end++) {
      const int32_t p = (end ? x[c].high : x[c].low) - zp[0],
                    q = (end ? z[c].high : z[c].low) - zp[1];
      const int32_t sum = mote_requantise(p * (1 << s.left_shift), s.multiplier[0], s.shift[0]) +
                          mote_requantise(q * (1 << s.left_shift), s.multiplier[1], s.shift[1]);
      const int32_t v = mote_requantise(sum, s.out_multiplier, s.out_shift) + out->quant.zp[0];
      *(end ? &y[c].high : &y[c].low) = (int16_t)mote_clamp(v, low, high);
    }
}

/* A mean or a maximum of values in a range lies in it; the mean of equal values is that value. */
static void pool_ranges(const struct graph *g, const struct graph_node *n, const struct range *x,
                        struct range *y) {
  const struct graph_tensor *out = &g->tensors[n->out[0]];
  int32_t low, high;
  graph_activation_range(out, n->attrs.activation, &low, &high);
  for (int c = 0; c < channels_of(out); c++)
    y[c] = (struct range){(int16_t)mote_clamp(x[c].low, low, high),
                          (int16_t)mote_clamp(x[c].high, low, high)};
}

static void mean_ranges(const struct graph *g, int node, const struct range *x, struct range *y) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *out = &g->tensors[n->out[0]];
  struct graph_mean_scaling s;
  graph_mean_scaling_of(g, node, &s);
  const struct finish f = {s.multiplier, out->quant.zp[0], INT8_MIN, INT8_MAX, s.shift};
  const int32_t zp = g->tensors[n->in[0]].quant.zp[0];
  for (int c = 0; c < channels_of(out); c++)
    y[c] = (struct range){finish_sum(&f, (int64_t)(x[c].low - zp) * s.count),
                          finish_sum(&f, (int64_t)(x[c].high - zp) * s.count)};
}

static void pad_ranges(const struct graph *g, const struct graph_node *n, const struct range *x,
                       struct range *y) {
  const struct graph_tensor *out = &g->tensors[n->out[0]];
  const int16_t zp = (int16_t)out->quant.zp[0];
  for (int c = 0; c < channels_of(out); c++) {
    y[c] = x[c];
    widen(&y[c], zp, zp);
  }
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct range *ranges_in(struct channels *k, struct arena *a, int tensor) {
  if (!graph_is_constant(&k->g->tensors[tensor])) return &k->range[k->first[tensor]];
  const int n = channels_of(&k->g->tensors[tensor]); /* a constant operand: not looked into */
  struct range *every = ARENA_ARRAY(a, struct range, n);
  for (int c = 0; c < n; c++) every[c] = EVERY;
  return every;
}

static void node_ranges(struct channels *k, struct arena *a, int node) {
  const struct graph *g = k->g;
  const struct graph_node *n = &g->nodes[node];
  if (!graph_is_core(g, node)) return; /* every value */
  const struct range *x = ranges_in(k, a, n->in[0]);
  const int in_c = channels_of(&g->tensors[n->in[0]]);
  struct range *y = &k->range[k->first[n->out[0]]];
  struct weighted w;
  switch (n->op) {
  case MOTE_OP_FULLY_CONNECTED: {
    struct range *view = ARENA_ARRAY(a, struct range, g->tensors[n->in[1]].dims[1]);
    ranges_view(x, in_c, g->tensors[n->in[1]].dims[1], view);
    weighted_of(g, n, &w);
    weighted_ranges(g, node, &w, view, a, y);
    break;
  }
  case MOTE_OP_CONV_2D:
  case MOTE_OP_DEPTHWISE_CONV_2D:
    weighted_of(g, n, &w);
    weighted_ranges(g, node, &w, x, a, y);
    break;
  case MOTE_OP_ADD: add_ranges(g, node, x, ranges_in(k, a, n->in[1]), y); break;
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D: pool_ranges(g, n, x, y); break;
  case MOTE_OP_MEAN: mean_ranges(g, node, x, y); break;
  case MOTE_OP_RESHAPE: ranges_view(x, in_c, channels_of(&g->tensors[n->out[0]]), y); break;
  case MOTE_OP_PAD: pad_ranges(g, n, x, y); break;
  default: break; /* SOFTMAX, and whatever is not known: every value */
  }
}

bool channels_ranges(const struct graph *g, struct arena *a, struct channels *out) {
  int64_t n = 0;
  memset(out, 0, sizeof *out);
  out->g = g;
  out->first = ARENA_ARRAY(a, int, g->n_tensors + 1);
  for (int t = 0; t < g->n_tensors; t++) {
    out->first[t] = (int)n;
    if (!graph_is_constant(&g->tensors[t])) n += channels_of(&g->tensors[t]);
    if (n > CHANNELS_MOST) return false;
  }
  out->first[g->n_tensors] = out->n = (int)n;
  out->range = ARENA_ARRAY(a, struct range, n + 1);
  for (int i = 0; i < n; i++) out->range[i] = EVERY;
  for (int i = 0; i < g->n_nodes; i++) node_ranges(out, a, i);
  return true;
}
