/* graph: the slow, obvious evaluation (graph_evaluate). See graph.h.
 *
 * Loops over output elements, nothing packed, nothing skipped. It shares with the kernels only the
 * rounding of mote/base and the scaling rules of scaling.c. Nodes of the core make no sum
 * that leaves int32. source: the semantics of TensorFlow Lite Micro's reference kernels, double rounding. */
#include "host/graph/private.h"

#include <string.h>

struct eval {
  const struct graph *g;
  const struct graph_node *n;
  int node;
  const struct graph_tensor *x, *y; /* first input and output */
  const int8_t *in;
  int8_t *out;
};

/* ---- convolutions and dense layers -------------------------------------------- */
/* One output element: bias, requantisation, zero point, activation. */
struct finish {
  int32_t zp, low, high;
  const int32_t *bias;
};
static struct finish finish_of(const struct eval *v) {
  struct finish f = {.zp = v->y->quant.zp[0], .bias = NULL};
  graph_activation_range(v->y, v->n->attrs.activation, &f.low, &f.high);
  if (v->n->in[2] >= 0) f.bias = v->g->tensors[v->n->in[2]].data;
  return f;
}
static int8_t finish(const struct eval *v, const struct finish *f, int channel, int32_t sum) {
  int32_t multiplier;
  int shift;
  graph_output_multiplier(v->g, v->node, channel, &multiplier, &shift);
  if (f->bias) sum += f->bias[channel];
  return (int8_t)mote_clamp(mote_requantise(sum, multiplier, shift) + f->zp, f->low, f->high);
}

/* Index of [n,h,w,c] in a tensor of four axes. */
static int64_t at(const struct graph_tensor *t, int n, int h, int w, int c) {
  return (((int64_t)n * t->dims[1] + h) * t->dims[2] + w) * t->dims[3] + c;
}

/* The window's sum at output (n, oy, ox): over channels [c0, c0 + depth) of the input, with the weights from
 * `weights` on, where [ky][kx][i] lies at (ky * kw + kx) * step + i. */
static int32_t window_sum(const struct eval *v, int n, int oy, int ox, int c0, int depth,
                          const int8_t *weights, int64_t step) {
  const struct graph_attrs *a = &v->n->attrs;
  const struct graph_tensor *w = &v->g->tensors[v->n->in[1]];
  const int32_t zp = v->x->quant.zp[0];
  int32_t sum = 0;
  for (int ky = 0; ky < w->dims[1]; ky++)
    for (int kx = 0; kx < w->dims[2]; kx++) {
      const int iy = oy * a->stride_h - a->pad_top + ky * a->dilation_h;
      const int ix = ox * a->stride_w - a->pad_left + kx * a->dilation_w;
      if (iy < 0 || iy >= v->x->dims[1] || ix < 0 || ix >= v->x->dims[2]) continue;
      const int8_t *x = v->in + at(v->x, n, iy, ix, c0);
      const int8_t *k = weights + ((int64_t)ky * w->dims[2] + kx) * step;
      for (int i = 0; i < depth; i++) sum += k[i] * (x[i] - zp);
    }
  return sum;
}

/* Which set of taps lies inside at an output along one axis (graph_window_spans). */
static int border_class(int in, int o, int kernel, int stride, int dilation, int before) {
  int class = 0;
  for (int i = 1; i <= o; i++) {
    const struct graph_span a = graph_window_span(in, i - 1, kernel, stride, dilation, before),
                            b = graph_window_span(in, i, kernel, stride, dilation, before);
    class += a.first != b.first || a.end != b.end;
  }
  return class;
}

/* The biases of an output pixel where there are some for each set of taps inside. */
static const int32_t *border_bias(const struct eval *v, const struct graph_tensor *b, int oy,
                                  int ox) {
  const struct graph_tensor *w = &v->g->tensors[v->n->in[1]];
  const struct graph_attrs *a = &v->n->attrs;
  const int row =
                border_class(v->x->dims[1], oy, w->dims[1], a->stride_h, a->dilation_h, a->pad_top),
            column = border_class(v->x->dims[2], ox, w->dims[2], a->stride_w, a->dilation_w,
                                  a->pad_left);
  return (const int32_t *)b->data + ((int64_t)row * b->dims[1] + column) * b->dims[2];
}

static void eval_conv(const struct eval *v) {
  const struct graph_tensor *w = &v->g->tensors[v->n->in[1]];
  const int8_t *weights = w->data;
  const bool depthwise = v->n->op == MOTE_OP_DEPTHWISE_CONV_2D;
  const int64_t per_channel = (int64_t)w->dims[1] * w->dims[2] * w->dims[3];
  const struct graph_tensor *bias = v->n->in[2] >= 0 ? &v->g->tensors[v->n->in[2]] : NULL;
  const bool borders = bias != NULL && graph_elements(bias) != v->y->dims[3];
  struct finish f = finish_of(v);
  for (int n = 0; n < v->y->dims[0]; n++)
    for (int oy = 0; oy < v->y->dims[1]; oy++)
      for (int ox = 0; ox < v->y->dims[2]; ox++)
        for (int c = 0; c < v->y->dims[3]; c++) {
          if (borders) f.bias = border_bias(v, bias, oy, ox);
          const int32_t sum = depthwise ? window_sum(v, n, oy, ox, c / v->n->attrs.depth_multiplier,
                                                     1, weights + c, w->dims[3])
                                        : window_sum(v, n, oy, ox, 0, w->dims[3],
                                                     weights + c * per_channel, w->dims[3]);
          v->out[at(v->y, n, oy, ox, c)] = finish(v, &f, c, sum);
        }
}

static void eval_fully_connected(const struct eval *v) {
  const struct graph_tensor *w = &v->g->tensors[v->n->in[1]];
  const int8_t *weights = w->data;
  const int32_t zp = v->x->quant.zp[0];
  const int channels = w->dims[0], depth = w->dims[1];
  const struct finish f = finish_of(v);
  const int64_t vectors = graph_elements(v->x) / depth;
  for (int64_t n = 0; n < vectors; n++)
    for (int c = 0; c < channels; c++) {
      int32_t sum = 0;
      for (int i = 0; i < depth; i++)
        sum += weights[(int64_t)c * depth + i] * (v->in[n * depth + i] - zp);
      v->out[n * channels + c] = finish(v, &f, c, sum);
    }
}

/* ---- elementwise and reductions ------------------------------------------------ */
static void eval_add(const struct eval *v, const int8_t *second) {
  struct graph_add_scaling s;
  int32_t low, high;
  graph_add_scaling_of(v->g, v->node, &s);
  graph_activation_range(v->y, v->n->attrs.activation, &low, &high);
  const int32_t zp[2] = {v->x->quant.zp[0], v->g->tensors[v->n->in[1]].quant.zp[0]};
  const int64_t count = graph_elements(v->y);
  for (int64_t i = 0; i < count; i++) {
    /* |x - zp| <= 255, times 2^20 < 2^28; scaled by at most 1/2 each. */
    const int32_t a =
        mote_requantise((v->in[i] - zp[0]) * (1 << s.left_shift), s.multiplier[0], s.shift[0]);
    const int32_t b =
        mote_requantise((second[i] - zp[1]) * (1 << s.left_shift), s.multiplier[1], s.shift[1]);
    const int32_t sum = mote_requantise(a + b, s.out_multiplier, s.out_shift) + v->y->quant.zp[0];
    v->out[i] = (int8_t)mote_clamp(sum, low, high);
  }
}

static void eval_pool(const struct eval *v) {
  const struct graph_attrs *a = &v->n->attrs;
  const bool average = v->n->op == MOTE_OP_AVERAGE_POOL_2D;
  int32_t low, high;
  graph_activation_range(v->y, a->activation, &low, &high);
  for (int n = 0; n < v->y->dims[0]; n++)
    for (int oy = 0; oy < v->y->dims[1]; oy++)
      for (int ox = 0; ox < v->y->dims[2]; ox++)
        for (int c = 0; c < v->y->dims[3]; c++) {
          int32_t sum = 0, count = 0, most = INT8_MIN;
          for (int ky = 0; ky < a->kernel_h; ky++)
            for (int kx = 0; kx < a->kernel_w; kx++) {
              const int iy = oy * a->stride_h - a->pad_top + ky,
                        ix = ox * a->stride_w - a->pad_left + kx;
              if (iy < 0 || iy >= v->x->dims[1] || ix < 0 || ix >= v->x->dims[2]) continue;
              const int32_t x = v->in[at(v->x, n, iy, ix, c)];
              sum += x;
              count++;
              if (x > most) most = x;
            }
          /* Padding is not counted; graph_check: every window holds an element. Halves go away from zero. */
          const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
          v->out[at(v->y, n, oy, ox, c)] = (int8_t)mote_clamp(average ? mean : most, low, high);
        }
}

static void eval_mean(const struct eval *v) {
  struct graph_mean_scaling s;
  graph_mean_scaling_of(v->g, v->node, &s);
  const int channels = v->x->dims[3];
  for (int n = 0; n < v->x->dims[0]; n++)
    for (int c = 0; c < channels; c++) {
      int32_t sum = 0;
      for (int y = 0; y < v->x->dims[1]; y++)
        for (int x = 0; x < v->x->dims[2]; x++) sum += v->in[at(v->x, n, y, x, c)];
      sum -= v->x->quant.zp[0] * s.count;
      const int32_t q = mote_requantise(sum, s.multiplier, s.shift) + v->y->quant.zp[0];
      v->out[(int64_t)n * channels + c] = (int8_t)mote_clamp(q, INT8_MIN, INT8_MAX);
    }
}

/* ---- softmax ------------------------------------------------------------------
 * Fixed point Qi.f: i integer bits, f = 31 - i. source: the published algorithm of gemmlowp's fixed-point
 * functions: exp as a polynomial on (-1/4, 0] times a product of exp(-2^k) for the other bits, the
 * reciprocal by three Newton steps. */

/* x * 2^exponent, exponent > 0, saturating. */
static int32_t shift_left(int32_t x, int exponent) {
  const int64_t wide = (int64_t)x * ((int64_t)1 << exponent);
  return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* exp(a) for a in (-1/4, 0], Q0.31: a polynomial of degree 4 around -1/8. */
static int32_t exp_near_zero(int32_t a) {
  const int32_t exp_minus_eighth = 1895147668, third = 715827883;
  const int32_t x = a + (1 << 28); /* a + 1/8 */
  const int32_t x2 = mote_mul_high(x, x), x3 = mote_mul_high(x2, x), x4 = mote_mul_high(x2, x2);
  const int32_t tail = mote_mul_high(mote_divide_pot(x4, 2) + x3, third) + x2;
  return exp_minus_eighth + mote_mul_high(exp_minus_eighth, x + mote_divide_pot(tail, 1));
}

/* exp(a) for a <= 0 in Q5.26, as Q0.31. */
static int32_t exp_negative(int32_t a) {
  /* exp(-1/4), exp(-1/2), exp(-1) ... exp(-16) in Q0.31. */
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                    39332535,   720401,     242};
  const int32_t quarter = 1 << 24;
  const int32_t fraction = (a & (quarter - 1)) - quarter; /* [-1/4, 0) */
  const int32_t rest = fraction - a;                      /* a multiple of 1/4, >= 0 */
  int32_t result = exp_near_zero(shift_left(fraction, 5));
  for (int bit = 0; bit < 7; bit++)
    if (rest & (quarter << bit)) result = mote_mul_high(result, factors[bit]);
  return a == 0 ? INT32_MAX : result;
}

/* 1 / (1 + a) for a in [0, 1), Q0.31. */
static int32_t reciprocal_of_one_plus(int32_t a) {
  const int32_t c48_over_17 = 1515870810, minus_32_over_17 = -1010580540; /* Q2.29 */
  const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);       /* (1 + a) / 2 */
  int32_t x = c48_over_17 + mote_mul_high(half, minus_32_over_17);
  for (int i = 0; i < 3; i++) {
    const int32_t error = (1 << 29) - mote_mul_high(half, x);
    x += shift_left(mote_mul_high(x, error), 2);
  }
  return shift_left(x, 1);
}

static void softmax_row(const int8_t *in, int8_t *out, int count,
                        const struct graph_softmax_scaling *s) {
  int32_t most = INT8_MIN;
  for (int i = 0; i < count; i++) most = in[i] > most ? in[i] : most;
  int32_t sum = 0; /* Q12.19: count <= 4095 */
  for (int i = 0; i < count; i++)
    if (in[i] - most >= s->diff_min)
      sum += mote_divide_pot(
          exp_negative(mote_requantise(in[i] - most, s->multiplier, s->left_shift)), 12);
  const int headroom = __builtin_clz((unsigned)sum); /* the maximum itself adds 2^19, so sum > 0 */
  const int32_t scale =
      reciprocal_of_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
  const int exponent = 12 - headroom + 31 - 8;
  for (int i = 0; i < count; i++) {
    int32_t q = 0;
    /* Beyond 31 bits every output is below half a step. */
    if (in[i] - most >= s->diff_min && exponent <= 31) {
      const int32_t e = exp_negative(mote_requantise(in[i] - most, s->multiplier, s->left_shift));
      q = mote_divide_pot(mote_mul_high(scale, e), exponent);
    }
    out[i] = (int8_t)mote_clamp(q - 128, INT8_MIN, INT8_MAX);
  }
}

static void eval_softmax(const struct eval *v) {
  struct graph_softmax_scaling s;
  graph_softmax_scaling_of(v->g, v->node, &s);
  const int count = v->x->dims[v->x->rank - 1];
  const int64_t all = graph_elements(v->x);
  for (int64_t i = 0; i < all; i += count) softmax_row(v->in + i, v->out + i, count, &s);
}

/* ---- moving ------------------------------------------------------------------- */
static void eval_pad(const struct eval *v) {
  const size_t row = (size_t)v->x->dims[2] * (size_t)v->x->dims[3];
  memset(v->out, v->y->quant.zp[0], graph_bytes(v->y));
  for (int n = 0; n < v->x->dims[0]; n++)
    for (int h = 0; h < v->x->dims[1]; h++)
      memcpy(v->out + at(v->y, n, h + v->n->attrs.pad_top, v->n->attrs.pad_left, 0),
             v->in + at(v->x, n, h, 0, 0), row);
}

static void eval_node(const struct eval *v, const void *second) {
  switch (v->n->op) {
  case MOTE_OP_CONV_2D:
  case MOTE_OP_DEPTHWISE_CONV_2D: eval_conv(v); break;
  case MOTE_OP_FULLY_CONNECTED: eval_fully_connected(v); break;
  case MOTE_OP_ADD: eval_add(v, second); break;
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D: eval_pool(v); break;
  case MOTE_OP_MEAN: eval_mean(v); break;
  case MOTE_OP_SOFTMAX: eval_softmax(v); break;
  case MOTE_OP_RESHAPE: memcpy(v->out, v->in, graph_bytes(v->x)); break;
  case MOTE_OP_PAD: eval_pad(v); break;
  default: break; /* graph_can_evaluate */
  }
}

static bool is_int8(const struct graph *g, int tensor) {
  return g->tensors[tensor].type == MOTE_INT8 && g->tensors[tensor].quant.count == 1;
}

/* Constant, symmetric int8 weights of so many inputs a channel along `axis`, and a constant int32 bias or none. */
static bool has_core_weights(const struct graph *g, const struct graph_node *n, int axis,
                             int channels) {
  const struct graph_tensor *w = &g->tensors[n->in[1]];
  if (n->attrs.asymmetric_weights) return false;
  if (!graph_is_constant(w) || w->type != MOTE_INT8 || w->quant.count < 1) return false;
  for (int i = 0; i < w->quant.count; i++)
    if (w->quant.zp[i] != 0) return false;
  if (axis >= 0 && w->dims[axis] != channels) return false;
  if (n->in[2] < 0) return true;
  const struct graph_tensor *b = &g->tensors[n->in[2]];
  return graph_is_constant(b) && b->type == MOTE_INT32;
}

bool graph_is_core(const struct graph *g, int node) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_attrs *a = &n->attrs;
  if (n->n_in < 1 || n->n_out != 1 || n->in[0] < 0) return false;
  const struct graph_tensor *x = &g->tensors[n->in[0]];
  if (!is_int8(g, n->in[0]) || !is_int8(g, n->out[0]) || x->is_state) return false;
  const bool one_image = x->rank != 4 || x->dims[0] == 1;
  switch (n->op) {
  case MOTE_OP_CONV_2D:
    return one_image && has_core_weights(g, n, 3, x->dims[3]) && graph_sums_fit(g, node);
  case MOTE_OP_DEPTHWISE_CONV_2D:
    return one_image && has_core_weights(g, n, -1, 0) && graph_sums_fit(g, node);
  case MOTE_OP_FULLY_CONNECTED: return has_core_weights(g, n, -1, 0) && graph_sums_fit(g, node);
  case MOTE_OP_ADD: return is_int8(g, n->in[1]) && graph_same_shape(x, &g->tensors[n->in[1]]);
  case MOTE_OP_MEAN: return x->rank == 4 && a->n_axes == 0;
  case MOTE_OP_PAD: {
    int32_t any = 0;
    for (int i = 0; i < GRAPH_MAX_RANK; i++) any |= a->before[i] | a->after[i];
    return x->rank == 4 && any == 0;
  }
  case MOTE_OP_AVERAGE_POOL_2D: return one_image && !a->half_up;
  case MOTE_OP_MAX_POOL_2D: return one_image;
  case MOTE_OP_SOFTMAX:
  case MOTE_OP_RESHAPE: return true;
  default: return false;
  }
}

bool graph_can_evaluate(const struct graph *g) {
  for (int i = 0; i < g->n_nodes; i++)
    if (!graph_is_core(g, i)) return false;
  return true;
}

bool graph_evaluate(const struct graph *g, const void *const *inputs, struct arena *a,
                    const void **values, struct err *e) {
  for (int t = 0; t < g->n_tensors; t++) {
    const struct graph_tensor *x = &g->tensors[t];
    values[t] = x->data;
    if (!x->is_state || x->data) continue;
    if (graph_bytes(x) + 4096 > arena_left(a)) {
      err_file(e, g->name);
      return err_set(e, "evaluating needs %zu bytes for tensor %d, %zu are left", graph_bytes(x), t,
                     arena_left(a));
    }
    values[t] = arena_alloc(a, graph_bytes(x), 1); /* a variable that begins at zero */
  }
  for (int i = 0; i < g->n_inputs; i++) values[g->inputs[i]] = inputs[i];
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const struct graph_tensor *y = &g->tensors[n->out[0]];
    const size_t bytes = graph_bytes(y);
    if (bytes + 4096 > arena_left(a)) {
      err_file(e, g->name);
      return err_set(e, "evaluating needs %zu bytes for tensor %d, %zu are left", bytes, n->out[0],
                     arena_left(a));
    }
    int8_t *out = arena_alloc(a, bytes, 1);
    const struct eval v = {g, n, i, &g->tensors[n->in[0]], y, values[n->in[0]], out};
    eval_node(&v, n->n_in > 1 && n->in[1] >= 0 ? values[n->in[1]] : NULL);
    values[n->out[0]] = out;
  }
  return true;
}
