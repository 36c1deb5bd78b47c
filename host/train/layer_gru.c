/* train/layer_gru: gated recurrent units over the rows of a map, the reset gate behind the recurrent product.
 *
 * A step: z, r = sigmoid(x_t W + h_t-1 U + b) of their columns; q = h_t-1 U + b' and n = tanh(x_t W + b + r q) of the new
 * gate's; h_t = z h_t-1 + (1 - z) n. W and U are the rows of one [c + units][3 np] (layer_recurrent.c), biases [4 np]: b of the
 * gates, then b'. The products of all x_t are one matrix product; those of h_t-1 follow step by step, for all samples of a
 * chunk: two gates' are added to x's, the new gate's stand alone.
 *
 * In integer mode h_t is what the runtime's own kernel makes of the quantised weights, called step by step, so that the states
 * between are known with all of their 16 bits. Gates for the gradient are then worked out in float from those states and
 * the weights as quantised: straight through the rounding.
 * source: Cho et al. 2014; the reset gate's place as in PyTorch and as Keras' reset_after. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define GATES 3
enum { UPDATE, RESET, NEW, AGAIN, BIASES }; /* AGAIN: q */

struct gru {
  int units, c, steps;
  float *gates;    /* [capacity][steps][3 np]; backwards the gradients of their sums */
  float *again;    /* [capacity][steps][np]: q; backwards its gradient */
  float *dh;       /* [capacity][np] from the step behind */
  float *turned_x; /* W transposed: [3 np][padded c] */
  float *turned_h; /* U transposed: [3 np][np] */
  /* Integer mode: weights of each gate as the kernel takes them. */
  float *w;      /* W as quantised, in real units of a step of x, and U */
  float *hidden; /* [capacity][steps][np] the states */
  int8_t *weights[GATES], *recurrent[GATES];
  int16_t *bias; /* [4][units] */
  float weight_scale[GATES], recurrent_scale[GATES], bias_scale, hidden_scale;
  int32_t zero;
  struct mote_gru params;
};

static double floats(const struct engine *g, const struct unit *u) {
  return (double)g->capacity * u->pixels * u->np * (GATES + 2);
}

static void memory(struct engine *g, struct unit *u, bool backward) {
  struct arena *a = g->arena;
  struct gru *l = u->gru = ARENA_NEW(a, struct gru);
  const size_t np = (size_t)u->np, rows = (size_t)g->capacity * (size_t)u->pixels;
  l->units = u->d.channels;
  l->c = g->values[u->in].c;
  l->steps = u->pixels;
  l->gates = ARENA_ARRAY(a, float, rows *GATES *np);
  l->again = ARENA_ARRAY(a, float, rows *np);
  l->hidden = ARENA_ARRAY(a, float, rows *np);
  l->w = ARENA_ARRAY(a, float, (size_t)u->k *GATES *np);
  if (!backward) return;
  l->dh = ARENA_ARRAY(a, float, (size_t)g->capacity *np);
  l->turned_x = ARENA_ARRAY(a, float, GATES *np *(size_t)lanes_pad(l->c));
  l->turned_h = ARENA_ARRAY(a, float, GATES *np *np);
}

/* What was there is kept at first, as with the forget gate of an LSTM. source: Jozefowicz et al. 2015. */
static void init(const struct unit *u, float *params) {
  for (int c = 0; c < u->d.channels; c++) params[u->b_at + (size_t)(UPDATE * u->np + c)] = 1.0f;
}

/* ---- forward -------------------------------------------------------------------------- */
/* The states of a sample: the layer's output, or in integer mode what the kernel kept. */
static float *states_of(const struct engine *g, const struct unit *u, int s) {
  const struct value *out = &g->values[u->out];
  const size_t each = (size_t)u->pixels * (size_t)u->np;
  return g->mode == ENGINE_INT8 ? u->gru->hidden + (size_t)s * each : value_at(out, out->y, s);
}

/* Gates of one sample at step t from their sums, and unless `known` its state. */
static void step_forward(const struct engine *g, const struct unit *u, int s, int t, bool known) {
  const struct gru *l = u->gru;
  const size_t np = (size_t)u->np, at = (size_t)s * (size_t)l->steps + (size_t)t;
  float *z = l->gates + at * GATES * np, *r = z + RESET * np, *n = z + NEW * np,
        *again = l->again + at * np, *h = states_of(g, u, s) + (size_t)t * np;
  const float *bias = g->params + u->b_at;
  for (size_t i = 0; i < GATES * np; i++) z[i] += bias[i];
  g->lanes->sigmoid(2 * np, z, z);
  for (size_t i = 0; i < np; i++) {
    again[i] = (t > 0 ? again[i] : 0.0f) + bias[AGAIN * np + i];
    n[i] += r[i] * again[i];
  }
  recurrent_tanh(g->lanes, np, n, n);
  for (size_t i = 0; !known && i < np; i++)
    h[i] = n[i] + z[i] * ((t > 0 ? h[i - np] : 0.0f) - n[i]);
}

static void forward_steps(struct engine *g, struct unit *u, int s0, int s1, const float *w,
                          bool known) {
  const struct gru *l = u->gru;
  const struct value *in = &g->values[u->in];
  const size_t np = (size_t)u->np, row = GATES * np, each = (size_t)l->steps * np;
  const float *back = w + (size_t)l->c * row;
  float *z = l->gates + (size_t)s0 * GATES * each, *again = l->again + (size_t)s0 * each;
  g->lanes->gemm((s1 - s0) * l->steps, (int)row, l->c, value_at(in, in->y, s0), (size_t)in->cs, 1,
                 w, row, z, row, false);
  for (int t = 0; t < l->steps; t++) {
    /* One row of h for each sample; those of a sample's steps lie between them. */
    if (t > 0) {
      const float *h = states_of(g, u, s0) + (size_t)(t - 1) * np;
      g->lanes->gemm(s1 - s0, (int)(2 * np), l->units, h, each, 1, back, row, z + (size_t)t * row,
                     GATES * each, true);
      g->lanes->gemm(s1 - s0, (int)np, l->units, h, each, 1, back + NEW * np, row,
                     again + (size_t)t * np, each, false);
    }
    for (int s = s0; s < s1; s++) step_forward(g, u, s, t, known);
  }
}

static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  forward_steps(g, u, s0, s1, g->params + u->w_at, false);
}

/* ---- backward ------------------------------------------------------------------------- */
/* Gradients are of real values, not of steps: so are these weights. */
static void transpose(struct engine *g, struct unit *u) {
  struct gru *l = u->gru;
  const bool steps = g->mode == ENGINE_INT8;
  const float *w = steps ? l->w : g->params + u->w_at;
  const float unit_x = steps ? g->values[u->in].scale : 1.0f;
  const size_t np = (size_t)u->np, row = GATES * np, padded = (size_t)lanes_pad(l->c);
  for (size_t n = 0; n < row; n++) {
    for (int k = 0; k < l->c; k++)
      l->turned_x[n * padded + (size_t)k] = w[(size_t)k * row + n] / unit_x;
    for (int k = 0; k < l->units; k++)
      l->turned_h[n * np + (size_t)k] = w[(size_t)(l->c + k) * row + n];
  }
}

/* The gradients of the gates' sums in their place, and what the step before gets past them. */
static void step_back(const struct engine *g, const struct unit *u, int s, int t, const float *dy) {
  struct gru *l = u->gru;
  const size_t np = (size_t)u->np, at = (size_t)s * (size_t)l->steps + (size_t)t;
  float *gate = l->gates + at * GATES * np, *again = l->again + at * np,
        *dh = l->dh + (size_t)s * np;
  const float *h = states_of(g, u, s) + (size_t)t * np;
  for (size_t k = 0; k < np; k++) {
    const float z = gate[k], r = gate[RESET * np + k], n = gate[NEW * np + k], q = again[k];
    const float before = t > 0 ? h[k - np] : 0.0f, d = dh[k] + dy[k];
    const float e = d * (1.0f - z) * (1.0f - n * n);
    gate[k] = d * (before - n) * z * (1.0f - z);
    gate[RESET * np + k] = e * q * r * (1.0f - r);
    gate[NEW * np + k] = e;
    again[k] = e * r;
    dh[k] = d * z;
  }
}

/* Products of x and of the h before with the sums' gradients: those of W, in W's order. */
static void weight_gradients(struct engine *g, struct unit *u, int s0, int s1, float *dw) {
  const struct gru *l = u->gru;
  const struct value *in = &g->values[u->in];
  const size_t np = (size_t)u->np, row = GATES * np, each = (size_t)l->steps * np;
  float *back = dw + (size_t)l->c * row;
  g->lanes->gemm(l->c, (int)row, (s1 - s0) * l->steps, value_at(in, in->y, s0), 1, (size_t)in->cs,
                 l->gates + (size_t)s0 * GATES * each, row, dw, row, false);
  memset(back, 0, (size_t)l->units * row * sizeof *back);
  for (int s = s0; s < s1 && l->steps > 1; s++) {
    const float *h = states_of(g, u, s), *gates = l->gates + (size_t)s * GATES * each + row,
                *again = l->again + (size_t)s * each + np;
    g->lanes->gemm(l->units, (int)(2 * np), l->steps - 1, h, 1, np, gates, row, back, row, true);
    g->lanes->gemm(l->units, (int)np, l->steps - 1, h, 1, np, again, np, back + NEW * np, row,
                   true);
  }
  if (g->mode != ENGINE_INT8) return; /* x was in steps */
  for (size_t i = 0; i < (size_t)l->c * row; i++) dw[i] *= in->scale;
}

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  struct gru *l = u->gru;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, row = GATES * np, each = (size_t)l->steps * np;
  const int n = s1 - s0;
  float *gradient = g->gradients + (size_t)chunk * g->n_params, *dh = l->dh + (size_t)s0 * np;
  float *gates = l->gates + (size_t)s0 * GATES * each, *again = l->again + (size_t)s0 * each;
  memset(dh, 0, (size_t)n * np * sizeof *dh);
  for (int t = l->steps - 1; t >= 0; t--) {
    for (int s = s0; s < s1; s++) step_back(g, u, s, t, value_at(out, out->dy, s) + (size_t)t * np);
    if (t == 0) break;
    g->lanes->gemm(n, (int)np, (int)(2 * np), gates + (size_t)t * row, GATES * each, 1, l->turned_h,
                   np, dh, np, true);
    g->lanes->gemm(n, (int)np, (int)np, again + (size_t)t * np, each, 1,
                   l->turned_h + NEW * np * np, np, dh, np, true);
  }
  weight_gradients(g, u, s0, s1, gradient + u->w_at);
  g->lanes->sums(n * l->steps, (int)row, gates, gradient + u->b_at);
  g->lanes->sums(n * l->steps, (int)np, again, gradient + u->b_at + AGAIN * np);
  if (u->in == 0) return;
  g->lanes->gemm(n * l->steps, in->cs, (int)row, gates, row, 1, l->turned_x, (size_t)in->cs,
                 value_at(in, in->dy, s0), (size_t)in->cs, u->add_in);
}

/* ---- integers ------------------------------------------------------------------------- */
static void quant_init(struct engine *g, struct unit *u) {
  struct gru *l = u->gru;
  for (int i = 0; i < GATES; i++) {
    l->weights[i] = ARENA_ARRAY(g->arena, int8_t, l->units * l->c);
    l->recurrent[i] = ARENA_ARRAY(g->arena, int8_t, l->units * l->units);
    l->weight_scale[i] = l->recurrent_scale[i] = 1.0f; /* until engine_quantise */
  }
  l->bias = ARENA_ARRAY(g->arena, int16_t, BIASES * l->units);
  l->bias_scale = 0x1p-12f;
  l->hidden_scale = 0x1p-15f;
}

static void quantise(struct engine *g, struct unit *u) {
  struct gru *l = u->gru;
  const struct value *in = &g->values[u->in];
  for (int i = 0; i < GATES; i++) {
    l->weight_scale[i] = recurrent_weights(g, u, i, 0, l->c, in->scale, l->w, l->weights[i]);
    l->recurrent_scale[i] = recurrent_weights(g, u, i, l->c, u->k, 1.0f, l->w, l->recurrent[i]);
  }
  for (int i = 0; i < BIASES; i++)
    for (int c = 0; c < l->units; c++) {
      const float b = rintf(g->params[u->b_at + (size_t)(i * u->np + c)] / l->bias_scale);
      l->bias[i * l->units + c] = (int16_t)(b > 32767.0f    ? 32767.0f
                                            : b < -32768.0f ? -32768.0f
                                                            : b);
    }
  struct graph_gru_scales s;
  graph_gru_scales_of(g->graph, &g->graph->nodes[u->node], &s);
  for (int i = 0; i < GATES; i++) {
    l->params.input[i] = recurrent_pair(s.input[i]);
    l->params.recurrent[i] = recurrent_pair(s.recurrent[i]);
  }
  l->params.batch = l->params.steps = 1;
  l->params.in_c = (uint16_t)l->c;
  l->params.units = (uint16_t)l->units;
  l->params.in_zp = (int16_t)in->zp;
}

/* What the kernel reads and writes for one sample. */
struct kernel {
  int8_t *x, *out;
  int16_t *hidden, *scratch;
};

/* All steps of a sample: its outputs, and its states as real numbers. */
static void run_sample(const struct engine *g, const struct unit *u, int s, struct kernel *k) {
  const struct gru *l = u->gru;
  const struct value *out = &g->values[u->out];
  const void *rows[3 + 2 * GATES];
  for (int i = 0; i < GATES; i++) {
    rows[1 + i] = l->weights[i];
    rows[1 + GATES + i] = l->recurrent[i];
  }
  rows[1 + 2 * GATES] = l->bias;
  rows[2 + 2 * GATES] = k->hidden;
  recurrent_steps(g, u, s, k->x);
  memset(k->hidden, 0, (size_t)l->units * sizeof *k->hidden); /* a window begins without a past */
  for (int t = 0; t < l->steps; t++) {
    float *y = value_at(out, out->y, s) + (size_t)t * (size_t)out->cs,
          *h = l->hidden + ((size_t)s * (size_t)l->steps + (size_t)t) * (size_t)u->np;
    rows[0] = k->x + (size_t)t * (size_t)l->c;
    mote_kernel_gru_s8.row(&l->params, rows, k->scratch, k->out);
    for (int c = 0; c < l->units; c++) {
      y[c] = k->out[c];
      h[c] = (float)k->hidden[c] * l->hidden_scale;
    }
  }
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct gru *l = u->gru;
  const size_t units = (size_t)l->units, inputs = (size_t)l->steps * (size_t)l->c;
  struct arena *a = arena_new(inputs + units * 5 + (1 << 20));
  struct kernel k = {ARENA_ARRAY(a, int8_t, inputs), ARENA_ARRAY(a, int8_t, units),
                     ARENA_ARRAY(a, int16_t, units), ARENA_ARRAY(a, int16_t, units)};
  (void)chunk;
  for (int s = s0; s < s1; s++) run_sample(g, u, s, &k);
  arena_free(a);
  if (g->gradients) forward_steps(g, u, s0, s1, l->w, true);
}

/* ---- the graph -------------------------------------------------------------------------- */
static int graph(const struct engine *g, struct graph *gr, struct unit *u, int index, int input) {
  struct gru *l = u->gru;
  const int sequence[3] = {1, l->steps, l->c};
  const char *name = arena_printf(gr->arena, "layer%d", index + 1);
#define NAMED(what) arena_printf(gr->arena, "%s/%s", name, what)
  struct graph_node n = {.op = MOTE_OP_GRU, .n_in = 3 + 2 * GATES};
  n.in[0] = recurrent_reshape(gr, input, NAMED("rows"), 3, sequence);
  for (int i = 0; i < GATES; i++) {
    n.in[1 + i] = recurrent_constant(gr, NAMED("weights"), MOTE_INT8, l->units, l->c,
                                     &l->weight_scale[i], &l->zero, l->weights[i]);
    n.in[1 + GATES + i] = recurrent_constant(gr, NAMED("recurrent"), MOTE_INT8, l->units, l->units,
                                             &l->recurrent_scale[i], &l->zero, l->recurrent[i]);
  }
  n.in[1 + 2 * GATES] = recurrent_constant(gr, NAMED("bias"), MOTE_INT16, BIASES, l->units,
                                           &l->bias_scale, &l->zero, l->bias);
  n.in[2 + 2 * GATES] =
      recurrent_state(gr, NAMED("hidden"), MOTE_INT16, l->units, &l->hidden_scale, &l->zero);
#undef NAMED
  return recurrent_add(g, gr, u, &n, name);
}

const struct family family_gru = {forward, forward_int8, back};
/* Four int16 biases and an int16 zero to begin with. */
const struct recurrent recurrent_gru = {GATES, BIASES,    10,         floats,   memory,
                                        init,  transpose, quant_init, quantise, graph};
