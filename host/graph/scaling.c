/* graph: how scales become multipliers. See graph.h.
 *
 * Every expression below is in the order and the type (float or double) of the reference's preparation of the
 * operator, since a last bit here changes outputs. */
#include "host/graph/private.h"

#include <float.h>
#include <math.h>
#include <string.h>

void graph_multiplier(double real, int32_t *multiplier, int *shift) {
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  mote_quantise_multiplier(bits, multiplier, shift);
}

double graph_output_scale(const struct graph *g, int node, int channel) {
  const struct graph_node *n = &g->nodes[node];
  const float in = g->tensors[n->in[0]].quant.scale[0];
  const float out = g->tensors[n->out[0]].quant.scale[0];
  const struct graph_quant *w = &g->tensors[n->in[1]].quant;
  const bool in_float = n->op == MOTE_OP_FULLY_CONNECTED || n->op == MOTE_OP_BATCH_MATMUL ||
                        n->attrs.asymmetric_weights;
  if (in_float && w->count == 1) {
    const float product = in * w->scale[0];
    return (double)product / (double)out;
  }
  return (double)in * (double)w->scale[w->count > 1 ? channel : 0] / (double)out;
}

void graph_output_multiplier(const struct graph *g, int node, int channel, int32_t *multiplier,
                             int *shift) {
  graph_multiplier(graph_output_scale(g, node, channel), multiplier, shift);
}

bool graph_sum_fits(int64_t most, double real, int64_t count) {
  int32_t multiplier;
  int shift;
  if (!isfinite(real) || real < 0 || real >= 1073741824.0) return false;
  graph_multiplier(real, &multiplier, &shift);
  if (most <= INT32_MAX && count > 1) mote_fold_count((uint32_t)count, &multiplier, &shift);
  const int left = shift > 0 ? shift : 0; /* <= 30; 256: room for the zero point */
  return most <= (int64_t)(INT32_MAX - 256) >> left;
}

/* The magnitudes of a channel's weights, added up. */
static int64_t weight_of(const int8_t *w, int64_t n, int64_t step) {
  int64_t sum = 0; /* <= 2^28 * 128 */
  for (int64_t i = 0; i < n; i++) sum += w[i * step] < 0 ? -w[i * step] : w[i * step];
  return sum;
}

/* Sum over |w| * max|x - zp| plus |bias| bounds every partial sum, in whatever order a kernel adds. Weights are looked at only
 * where 128 for each of them is too much. */
bool graph_sums_fit(const struct graph *g, int node) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *w = &g->tensors[n->in[1]];
  const struct graph_tensor *b = n->in[2] >= 0 ? &g->tensors[n->in[2]] : NULL;
  const bool deep = n->op == MOTE_OP_DEPTHWISE_CONV_2D;
  const int64_t elements = graph_elements(w), biases = b ? graph_elements(b) : 0;
  const int64_t channels = w->rank < 1 ? 0 : w->dims[deep ? w->rank - 1 : 0];
  if (channels < 1 || elements < 1 || elements % channels || biases % channels ||
      (w->quant.count > 1 && w->quant.count != channels))
    return true; /* refused for what it is */
  const int64_t each = elements / channels;
  const int32_t zp = g->tensors[n->in[0]].quant.zp[0];
  const int64_t reach = 127 - zp > zp + 128 ? 127 - zp : zp + 128;
  for (int64_t c = 0; c < channels; c++) {
    int64_t worst = 0;
    for (int64_t i = c; i < biases; i += channels) {
      const int64_t v = ((const int32_t *)b->data)[i], size = v < 0 ? -v : v;
      worst = size > worst ? size : worst;
    }
    const double real = graph_output_scale(g, node, (int)c);
    if (graph_sum_fits(each * 128 * reach + worst, real, 1)) continue;
    const int8_t *from = (const int8_t *)w->data + (deep ? c : c * each);
    if (!graph_sum_fits(weight_of(from, each, deep ? channels : 1) * reach + worst, real, 1))
      return false;
  }
  return true;
}

bool graph_sums_are_wide(const struct graph *g, const struct graph_node *n) {
  if (g->tensors[n->in[0]].type != MOTE_INT16) return false;
  const bool has_bias = n->n_in > 2 && n->in[2] >= 0;
  return has_bias ? g->tensors[n->in[2]].type != MOTE_INT32 : !n->attrs.narrow_sums;
}

uint32_t graph_wide_scale(double real) {
  int32_t multiplier;
  int shift;
  graph_multiplier(real, &multiplier, &shift);
  /* 15 bits of the multiplier; the largest ones are cut instead of rounded to 16 bits. */
  const uint32_t reduced =
      multiplier < 0x7FFF0000 ? (uint32_t)(multiplier + (1 << 15)) >> 16 : 0x7FFFu;
  return reduced << 16 | (uint32_t)(15 - shift);
}

/* SUB works them out in float where ADD takes double, and so loses the last bits of a quotient. */
void graph_add_scaling_of(const struct graph *g, int node, struct graph_add_scaling *s) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *y = &g->tensors[n->out[0]];
  const float scale[2] = {g->tensors[n->in[0]].quant.scale[0], g->tensors[n->in[1]].quant.scale[0]};
  const float out = y->quant.scale[0], twice = 2 * (scale[0] > scale[1] ? scale[0] : scale[1]);
  const bool is_float = n->op == MOTE_OP_SUB;
  s->left_shift = y->type == MOTE_INT16 ? 15 : 20;
  const float unit = (float)(1 << s->left_shift) * out; /* exact: a power of two */
  for (int i = 0; i < 2; i++)
    graph_multiplier(is_float ? (double)(scale[i] / twice) : (double)scale[i] / (double)twice,
                     &s->multiplier[i], &s->shift[i]);
  graph_multiplier(is_float ? (double)(twice / unit) : (double)twice / (double)unit,
                   &s->out_multiplier, &s->out_shift);
}

void graph_mean_scaling_of(const struct graph *g, int node, struct graph_mean_scaling *s) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  graph_multiplier((double)x->quant.scale[0] / (double)y->quant.scale[0], &s->multiplier,
                   &s->shift);
  s->count = x->dims[1] * x->dims[2];
  mote_fold_count((uint32_t)s->count, &s->multiplier, &s->shift);
}

void graph_softmax_scaling_of(const struct graph *g, int node, struct graph_softmax_scaling *s) {
  const struct graph_node *n = &g->nodes[node];
  /* Differences are Q5.26: 5 integer bits reach exp(-32), far below the last bit of the output. */
  double real =
      (double)n->attrs.beta * (double)g->tensors[n->in[0]].quant.scale[0] * (double)(1 << 26);
  if (real > 2147483647.0) real = 2147483647.0;
  graph_multiplier(real, &s->multiplier, &s->left_shift);
  s->diff_min =
      s->left_shift < 0 || s->left_shift > 62
          ? 0
          : -(int32_t)floor(31.0 * (double)(1 << 26) / (double)((int64_t)1 << s->left_shift));
}

static float scale_of(const struct graph *g, int tensor) {
  return g->tensors[tensor].quant.scale[0];
}

void graph_svdf_scales(const struct graph *g, const struct graph_node *n, double *feature,
                       double *out) {
  const float x = scale_of(g, n->in[0]), w = scale_of(g, n->in[1]), time = scale_of(g, n->in[2]),
              state = scale_of(g, n->in[4]), y = scale_of(g, n->out[0]);
  const float product = x * w, weighted = state * time;
  const float to_state = product / state, to_out = weighted / y;
  *feature = (double)to_state;
  *out = (double)to_out;
}

void graph_lstm_scales_of(const struct graph *g, const struct graph_node *n,
                          struct graph_lstm_scales *s) {
  const float gate = 0.000244140625f, activation = 0.000030517578125f; /* 2^-12, 2^-15 */
  const float x = scale_of(g, n->in[0]), hidden = scale_of(g, n->in[18]),
              cell = scale_of(g, n->in[19]);
  for (int i = 0; i < 4; i++) {
    const float input = x * scale_of(g, n->in[1 + i]),
                recurrent = hidden * scale_of(g, n->in[5 + i]);
    s->input[i] = (double)input / (double)gate;
    s->recurrent[i] = (double)recurrent / (double)gate;
  }
  s->forget_product = (double)activation * (double)cell / (double)cell;
  s->input_product = (double)activation * (double)activation / (double)cell;
  s->out_product = (double)activation * (double)activation / (double)hidden;
  const float power = logf(cell) * (1.0f / logf(2.0f));
  s->cell_power = power > -1000.0f && power < 1000.0f ? (int)roundf(power) : -1000;
  s->clip = -1;
  if (n->attrs.cell_clip > 0) {
    const double steps = (double)n->attrs.cell_clip / (double)cell;
    s->clip = steps < 32767.0 ? (int)steps : 32767;
  }
}

void graph_gru_scales_of(const struct graph *g, const struct graph_node *n,
                         struct graph_gru_scales *s) {
  for (int i = 0; i < 3; i++) {
    s->input[i] = (double)scale_of(g, n->in[0]) * (double)scale_of(g, n->in[1 + i]) * 0x1p12;
    s->recurrent[i] = (double)scale_of(g, n->in[8]) * (double)scale_of(g, n->in[4 + i]) * 0x1p12;
  }
}

/* real / scale in steps from zp, rounded in float, halves away from zero, kept within int32. */
static int32_t quantise(float real, float scale, int32_t zp) {
  const double steps = (double)roundf(real / scale) + (double)zp;
  return steps < -2147483648.0 ? INT32_MIN : steps > 2147483647.0 ? INT32_MAX : (int32_t)steps;
}

void graph_activation_range(const struct graph_tensor *out, enum graph_activation act, int32_t *low,
                            int32_t *high) {
  const float scale = out->quant.scale[0];
  const int32_t zp = out->quant.zp[0];
  *low = out->type == MOTE_INT16 ? INT16_MIN : INT8_MIN;
  *high = out->type == MOTE_INT16 ? INT16_MAX : INT8_MAX;
  if (act == GRAPH_ACT_NONE) return;
  const int32_t from = quantise(act == GRAPH_ACT_RELU_N1_TO_1 ? -1.0f : 0.0f, scale, zp);
  *low = from > *low ? from : *low;
  if (act == GRAPH_ACT_RELU) return;
  const int32_t to = quantise(act == GRAPH_ACT_RELU6 ? 6.0f : 1.0f, scale, zp);
  *high = to < *high ? to : *high;
}
