/* train/quantised: the integer forward pass, and the graph.
 *
 * A value holds q - zp as float32, an integer of at most 8 bits and a sign. A product of K <= 512 such steps
 * with int8 weights is at most 512 * 255 * 127 < 2^24, so float32 adds it exactly in any order: the float
 * loops of training compute the device's integer sums. Longer sums are cut into slices of 512 and added in
 * int32. From there on it is the runtime's own arithmetic: mote_requantise with the multipliers of host/graph.
 *
 * Gradients go straight through the rounding (Bengio et al. 2013) and stop where an output was clamped
 * (Jacob et al. 2018). */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define BIAS_MOST                                                                                  \
  134217728.0 /* 2^27: with 32768 products of 255 * 127 the sum stays within int32 */

/* ---- scales --------------------------------------------------------------------- */
static void value_scale(struct value *v) {
  const double low = (double)v->low, high = (double)v->high; /* low <= 0 <= high */
  const double span = high - low > 1e-5 ? high - low : 1e-5;
  v->scale = (float)(span / 255.0);
  const double zp = rint(-128.0 - low / (double)v->scale);
  v->zp = (int32_t)(zp < -128.0 ? -128.0 : zp > 127.0 ? 127.0 : zp);
}

void engine_cover(struct engine *g, int value, float low, float high) {
  struct value *v = &g->values[value];
  if (v->fixed || v->moved || v->range_of != value) return;
  v->low = low < 0.0f ? low : 0.0f;
  v->high = high > 0.0f ? high : 0.0f;
  value_scale(v);
  v->fixed = true;
}

/* What rounding weights w[0..k) of row length np to steps of `scale` up to 7 leaves, squared. */
static double rounding_error(const float *w, int k, size_t np, double scale) {
  double error = 0;
  for (int i = 0; i < k; i++) {
    const double x = (double)w[(size_t)i * np] / scale;
    const double q = rint(x < -7.0 ? -7.0 : x > 7.0 ? 7.0 : x);
    error += (x - q) * (x - q);
  }
  return error * scale * scale;
}

/* With 4 bits it is worth cutting the largest weights: the scale of least squared error among ten. */
static double four_bit_scale(const float *w, int k, size_t np, double most) {
  double best = most / 7.0, least = rounding_error(w, k, np, best > 0 ? best : 1.0);
  for (int i = 1; i < 10 && most > 0; i++) {
    const double scale = most / 7.0 * (1.0 - 0.05 * i), error = rounding_error(w, k, np, scale);
    if (error < least) least = error, best = scale;
  }
  return best;
}

/* Symmetric weights of one channel: the largest becomes 127. A channel of tiny weights and a large bias gets
 * a coarser scale, so that the bias fits. */
static double channel_scale(const struct engine *g, const struct unit *u, int c) {
  const float *w = g->params + u->w_at + c;
  double most = 0;
  for (int k = 0; k < u->k; k++) {
    const double x = fabs((double)w[(size_t)k * (size_t)u->np]);
    most = x > most ? x : most;
  }
  const double bias = fabs((double)g->params[u->b_at + (size_t)c]);
  const double in = (double)g->values[u->in].scale;
  const double least = bias / (in * (u->bits == 4 ? BIAS_MOST / 2 : BIAS_MOST));
  most = u->bits == 4 ? four_bit_scale(w, u->k, (size_t)u->np, most) : most / 127.0;
  if (most < least) most = least;
  const double floor_of_multiplier = (double)g->values[u->out].scale / in * 0x1p-30;
  return most > floor_of_multiplier ? most : floor_of_multiplier;
}

static void unit_weights(struct engine *g, struct unit *u) {
  const float limit = u->bits == 4 ? 7.0f : 127.0f;
  double layer = 0;
  for (int c = 0; c < u->d.out_c; c++) {
    const double s = channel_scale(g, u, c);
    u->w_scale[c] = (float)s;
    layer = s > layer ? s : layer;
  }
  for (int c = 0; c < u->d.out_c; c++) {
    if (u->d.kind == TRAIN_DENSE) u->w_scale[c] = (float)layer; /* one scale for the layer */
    const float scale = u->w_scale[c];
    for (int k = 0; k < u->k; k++) {
      const size_t at = (size_t)k * (size_t)u->np + (size_t)c;
      const float q = rintf(g->params[u->w_at + at] / scale);
      u->wq[at] = q < -limit ? -limit : q > limit ? limit : q;
      u->wr[at] = u->wq[at] * scale;
    }
    u->bias_scale[c] = g->values[u->in].scale * scale;
    const double b = rint((double)g->params[u->b_at + (size_t)c] / (double)u->bias_scale[c]);
    /* Kernels of 4 bits want |bias| and all products below 2^27 together. */
    const double bound = u->bits == 4 ? BIAS_MOST / 2 : 2.0 * BIAS_MOST;
    u->bias[c] = (int32_t)(b > bound ? bound : b < -bound ? -bound : b);
    int shift;
    graph_output_multiplier(g->graph, u->node, c, &u->multiplier[c], &shift);
    u->left[c] = shift > 0 ? shift : 0;
    u->right[c] = shift > 0 ? 0 : -shift;
    u->real[c] = u->bias_scale[c];
  }
}

/* The range of a group is that of all values that its members make. */
static void group_scales(struct engine *g) {
  for (int i = 0; i < g->n_values; i++) g->values[i].low = g->values[i].high = 0.0f;
  for (int i = 1; i < g->n_values; i++) {
    struct value *group = &g->values[g->values[i].range_of];
    if (g->values[i].moved) continue;
    group->low = g->ranges[2 * i] < group->low ? g->ranges[2 * i] : group->low;
    group->high = g->ranges[2 * i + 1] > group->high ? g->ranges[2 * i + 1] : group->high;
  }
  for (int i = 1; i < g->n_values; i++) {
    struct value *v = &g->values[i];
    if (v->range_of != i)
      v->scale = g->values[v->range_of].scale, v->zp = g->values[v->range_of].zp;
    else if (!v->fixed)
      value_scale(v);
  }
}

/* What the device reads from a table: steps of the output for each step of the input. */
static void unit_table(struct engine *g, struct unit *u) {
  uint8_t table[256];
  graph_table(g->graph, u->node, table);
  for (int q = -128; q < 128; q++)
    u->table[q + 128] = (float)((int32_t)(int8_t)table[(uint8_t)(int8_t)q] - g->values[u->out].zp);
}

void engine_quantise(struct engine *g) {
  group_scales(g);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    const struct value *in = &g->values[u->in], *also = &g->values[u->also];
    if (u->linear) unit_weights(g, u);
    if (recurrent_of(u->d.kind)) {
      recurrent_of(u->d.kind)->quantise(g, u);
      continue;
    }
    if (u->d.kind == TRAIN_ADD) graph_add_scaling_of(g->graph, u->node, &u->add);
    if (u->d.kind == TRAIN_MEAN) graph_mean_scaling_of(g->graph, u->node, &u->mean_scaling);
    if (u->d.kind == TRAIN_ACTIVATION || u->d.kind == TRAIN_REQUANTISE) unit_table(g, u);
    if (u->d.kind == TRAIN_MULTIPLY)
      graph_multiplier((double)in->scale * (double)also->scale / (double)g->values[u->out].scale,
                       &u->product_multiplier, &u->product_shift);
    u->low = -128;
    u->high = 127;
    if (u->d.kind == TRAIN_DROPOUT) continue;
    const struct graph_node *n = &g->graph->nodes[u->node];
    graph_activation_range(&g->graph->tensors[n->out[0]], n->attrs.activation, &u->low, &u->high);
  }
}

/* ---- ranges -------------------------------------------------------------------------- */
static void move_range(const struct engine *g, const struct unit *u, float low, float high,
                       float share) {
  float *range = g->ranges + 2 * u->out;
  if (u->d.activation == TRAIN_RELU || u->d.activation == TRAIN_RELU6) low = 0.0f;
  if (u->d.activation == TRAIN_RELU6 && high > 6.0f) high = 6.0f;
  range[0] += share * (low - range[0]);
  range[1] += share * (high - range[1]);
}

void engine_observe(struct engine *g, float share) {
  for (int i = 0; i < g->n_units; i++) {
    const struct value *v = &g->values[i + 1];
    if (v->moved || v->fixed) continue;
    const size_t n = (size_t)g->count * (size_t)v->h * (size_t)v->w * (size_t)v->cs;
    float low = 0, high = 0;
    for (size_t j = 0; j < n; j++) {
      low = v->y[j] < low ? v->y[j] : low;
      high = v->y[j] > high ? v->y[j] : high;
    }
    move_range(g, &g->units[i], low, high, share);
  }
}

void engine_observe_int8(struct engine *g, float share) {
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (g->values[u->out].moved || g->values[u->out].fixed) continue;
    float low = 0, high = 0;
    for (int c = 0; c < g->chunks; c++) {
      low = u->seen[c][0] < low ? u->seen[c][0] : low;
      high = u->seen[c][1] > high ? u->seen[c][1] : high;
    }
    move_range(g, u, low, high, share);
  }
}
