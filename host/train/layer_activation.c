/* train/layer_activation: sigmoid, hyperbolic tangent and hard swish as layers. On the device they are tables of 256
 * values, made by host/graph; here the same table gives steps. Padded channels stay 0. */
#include "host/train/engine.h"

/* The value and its derivative at x. */
static inline float hard_swish(float x) {
  return x <= -3.0f ? 0.0f : x >= 3.0f ? x : x * (x + 3.0f) * (1.0f / 6.0f);
}
static inline float hard_swish_slope(float x) {
  return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : x * (1.0f / 3.0f) + 0.5f;
}

static void clear_padding(const struct unit *u, float *y) {
  for (int p = 0; p < u->pixels; p++)
    for (int c = u->d.out_c; c < u->np; c++) y[p * u->np + c] = 0.0f;
}

/* tanh x = 2 sigmoid(2x) - 1. */
static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  for (int s = s0; s < s1; s++) {
    const float *x = value_at(in, in->y, s);
    float *y = value_at(out, out->y, s);
    if (u->d.activation == TRAIN_HARD_SWISH) {
      for (size_t i = 0; i < n; i++) y[i] = hard_swish(x[i]);
    } else if (u->d.activation == TRAIN_SIGMOID) {
      g->lanes->sigmoid(n, x, y);
      clear_padding(u, y);
    } else {
      for (size_t i = 0; i < n; i++) y[i] = 2.0f * x[i];
      g->lanes->sigmoid(n, y, y);
      for (size_t i = 0; i < n; i++) y[i] = 2.0f * y[i] - 1.0f;
    }
  }
}

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  (void)chunk;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  const bool whole = g->mode == ENGINE_INT8;
  const float unit_x = whole ? in->scale : 1.0f, unit_y = whole ? out->scale : 1.0f;
  for (int s = s0; s < s1 && u->in > 0; s++) {
    const float *x = value_at(in, in->y, s), *y = value_at(out, out->y, s);
    float *dx = value_at(in, in->dy, s), *dy = value_at(out, out->dy, s);
    for (size_t i = 0; i < n; i++) {
      const float v = y[i] * unit_y;
      const float slope = u->d.activation == TRAIN_HARD_SWISH ? hard_swish_slope(x[i] * unit_x)
                          : u->d.activation == TRAIN_SIGMOID  ? v * (1.0f - v)
                                                              : 1.0f - v * v;
      const float d = dy[i] * slope;
      dx[i] = u->add_in ? dx[i] + d : d;
    }
  }
}

void engine_table_int8(struct engine *g, struct unit *u, int s0, int s1, float seen[2]) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++) {
    const float *x = value_at(in, in->y, s);
    float *y = value_at(out, out->y, s);
    for (int p = 0; p < u->pixels; p++)
      for (int c = 0; c < u->d.out_c; c++) {
        const float step = x[p * in->cs + c];
        const float real = step * in->scale;
        see(seen, u->d.activation == TRAIN_HARD_SWISH ? hard_swish(real) : real);
        y[p * u->np + c] = u->table[(int)step + in->zp + 128];
      }
  }
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  engine_table_int8(g, u, s0, s1, u->seen[chunk]);
}

const struct family family_activation = {forward, forward_int8, back};
