/* train/layer_lstm: long short-term memory over the rows of a map.
 *
 * A step: [i f g o] = [x_t h_t-1] W + b, through sigmoid, sigmoid, tanh, sigmoid; c_t = f c_t-1 + i g;
 * h_t = o tanh(c_t). W is [c + units][4 np]: a gate's columns stand together, padded to np. The products of all x_t are
 * one matrix product; those of h_t-1 follow step by step, for all samples of a chunk.
 *
 * In integer mode h_t is what the runtime's own kernel makes of the quantised weights. Gates and cells for the gradient
 * are then worked out in float from that h_t-1 and the weights as quantised: straight through the rounding.
 * source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. */
#include "host/train/engine.h"
#include "mote/nn/nn.h"

#include <math.h>
#include <string.h>

#define GATES 4
enum { INPUT, FORGET, CELL, OUTPUT }; /* TensorFlow Lite's order */
#define CELL_SCALE 0x1p-11f           /* int16 reaches 16 to either side */

struct lstm {
  int units, c, steps;
  float *gates;    /* [capacity][steps][4 np]; backwards their gradients */
  float *cells;    /* [capacity][steps][np] */
  float *curved;   /* tanh of cells */
  float *dh, *dc;  /* [capacity][np] from the step behind */
  float *turned_x; /* W transposed, rows of x: [4 np][padded c] */
  float *turned_h; /* those of h: [4 np][np] */
  /* Integer mode: weights of each gate as the kernel takes them. */
  float *w; /* W as quantised, in real units of a step of x and h */
  int8_t *weights[GATES], *recurrent[GATES];
  int32_t *bias[GATES];
  float weight_scale[GATES], recurrent_scale[GATES], bias_scale[GATES];
  float hidden_scale, cell_scale;
  int32_t zero;
  struct mote_lstm params;
};

static double floats(const struct engine *g, const struct unit *u) {
  return (double)g->capacity * u->pixels * u->np * (GATES + 2);
}

static void memory(struct engine *g, struct unit *u, bool backward) {
  struct arena *a = g->arena;
  struct lstm *l = u->lstm = ARENA_NEW(a, struct lstm);
  const size_t np = (size_t)u->np, rows = (size_t)g->capacity * (size_t)u->pixels;
  l->units = u->d.channels;
  l->c = g->values[u->in].c;
  l->steps = u->pixels;
  l->gates = ARENA_ARRAY(a, float, rows *GATES *np);
  l->cells = ARENA_ARRAY(a, float, rows *np);
  l->curved = ARENA_ARRAY(a, float, rows *np);
  l->w = ARENA_ARRAY(a, float, (size_t)u->k *GATES *np);
  if (!backward) return;
  l->dh = ARENA_ARRAY(a, float, (size_t)g->capacity *np);
  l->dc = ARENA_ARRAY(a, float, (size_t)g->capacity *np);
  l->turned_x = ARENA_ARRAY(a, float, GATES *np *(size_t)lanes_pad(l->c));
  l->turned_h = ARENA_ARRAY(a, float, GATES *np *np);
}

/* The forget gate begins open. source: Jozefowicz et al. 2015. */
static void init(const struct unit *u, float *params) {
  for (int c = 0; c < u->d.channels; c++) params[u->b_at + (size_t)(FORGET * u->np + c)] = 1.0f;
}

/* ---- forward -------------------------------------------------------------------------- */
/* Gates, cell and h of one sample at step t; gates hold the sums. h NULL: it is known already. */
static void step_forward(const struct engine *g, const struct unit *u, int s, int t, float *h) {
  const struct lstm *l = u->lstm;
  const size_t np = (size_t)u->np, at = (size_t)s * (size_t)l->steps + (size_t)t;
  float *z = l->gates + at * GATES * np, *cell = l->cells + at * np, *curved = l->curved + at * np;
  const float *bias = g->params + u->b_at;
  for (size_t i = 0; i < GATES * np; i++) z[i] += bias[i];
  g->lanes->sigmoid(2 * np, z, z);
  recurrent_tanh(g->lanes, np, z + CELL * np, z + CELL * np);
  g->lanes->sigmoid(np, z + OUTPUT * np, z + OUTPUT * np);
  for (size_t i = 0; i < np; i++) {
    const float before = t > 0 ? cell[i - np] : 0.0f;
    cell[i] = z[FORGET * np + i] * before + z[INPUT * np + i] * z[CELL * np + i];
  }
  recurrent_tanh(g->lanes, np, cell, curved);
  for (size_t i = 0; h && i < np; i++) h[i] = z[OUTPUT * np + i] * curved[i];
}

/* h of all steps in y, unless `known`: then y has them. w: [c + units][4 np]. */
static void forward_steps(struct engine *g, struct unit *u, int s0, int s1, const float *w,
                          bool known) {
  const struct lstm *l = u->lstm;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, row = GATES * np;
  float *z = l->gates + (size_t)s0 * (size_t)l->steps * row;
  g->lanes->gemm((s1 - s0) * l->steps, (int)row, l->c, value_at(in, in->y, s0), (size_t)in->cs, 1,
                 w, row, z, row, false);
  for (int t = 0; t < l->steps; t++) {
    /* One row of h for each sample; those of a sample's steps lie between them. */
    if (t > 0)
      g->lanes->gemm(s1 - s0, (int)row, l->units, value_at(out, out->y, s0) + (size_t)(t - 1) * np,
                     (size_t)l->steps * np, 1, w + (size_t)l->c * row, row, z + (size_t)t * row,
                     (size_t)l->steps * row, true);
    for (int s = s0; s < s1; s++)
      step_forward(g, u, s, t, known ? NULL : value_at(out, out->y, s) + (size_t)t * np);
  }
}

static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  forward_steps(g, u, s0, s1, g->params + u->w_at, false);
}

/* ---- backward ------------------------------------------------------------------------- */
static void transpose(struct engine *g, struct unit *u) {
  struct lstm *l = u->lstm;
  const float *w = g->mode == ENGINE_INT8 ? l->w : g->params + u->w_at;
  const float unit_x = g->mode == ENGINE_INT8 ? g->values[u->in].scale : 1.0f,
              unit_h = g->mode == ENGINE_INT8 ? l->hidden_scale : 1.0f;
  const size_t np = (size_t)u->np, row = GATES * np, padded = (size_t)lanes_pad(l->c);
  for (size_t n = 0; n < row; n++) { /* gradients are of real values, not of steps */
    for (int k = 0; k < l->c; k++)
      l->turned_x[n * padded + (size_t)k] = w[(size_t)k * row + n] / unit_x;
    for (int k = 0; k < l->units; k++)
      l->turned_h[n * np + (size_t)k] = w[(size_t)(l->c + k) * row + n] / unit_h;
  }
}

/* The gates' gradients in their place, and what the step before gets through the cell. */
static void step_back(const struct unit *u, int s, int t, const float *dy) {
  struct lstm *l = u->lstm;
  const size_t np = (size_t)u->np, at = (size_t)s * (size_t)l->steps + (size_t)t;
  float *z = l->gates + at * GATES * np, *dh = l->dh + (size_t)s * np, *dc = l->dc + (size_t)s * np;
  const float *cell = l->cells + at * np, *curved = l->curved + at * np;
  for (size_t k = 0; k < np; k++) {
    const float i = z[INPUT * np + k], f = z[FORGET * np + k], c = z[CELL * np + k],
                o = z[OUTPUT * np + k];
    const float before = t > 0 ? cell[k - np] : 0.0f, d = dh[k] + dy[k];
    const float e = dc[k] + d * o * (1.0f - curved[k] * curved[k]);
    z[INPUT * np + k] = e * c * i * (1.0f - i);
    z[FORGET * np + k] = e * before * f * (1.0f - f);
    z[CELL * np + k] = e * i * (1.0f - c * c);
    z[OUTPUT * np + k] = d * curved[k] * o * (1.0f - o);
    dc[k] = e * f;
  }
}

/* Products of x and of the h before with the gates' gradients: those of W, in W's order. */
static void weight_gradients(struct engine *g, struct unit *u, int s0, int s1, float *dw) {
  const struct lstm *l = u->lstm;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, row = GATES * np;
  const float *z = l->gates + (size_t)s0 * (size_t)l->steps * row;
  float *dr = dw + (size_t)l->c * row;
  g->lanes->gemm(l->c, (int)row, (s1 - s0) * l->steps, value_at(in, in->y, s0), 1, (size_t)in->cs,
                 z, row, dw, row, false);
  memset(dr, 0, (size_t)l->units * row * sizeof *dr);
  for (int s = s0; s < s1 && l->steps > 1; s++)
    g->lanes->gemm(l->units, (int)row, l->steps - 1, value_at(out, out->y, s), 1, np,
                   l->gates + ((size_t)s * (size_t)l->steps + 1) * row, row, dr, row, true);
  if (g->mode != ENGINE_INT8) return; /* x and h were in steps */
  for (size_t i = 0; i < (size_t)u->k * row; i++)
    dw[i] *= i < (size_t)l->c * row ? in->scale : l->hidden_scale;
}

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  struct lstm *l = u->lstm;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, row = GATES * np, n = (size_t)(s1 - s0);
  float *gradient = g->gradients + (size_t)chunk * g->n_params;
  float *z = l->gates + (size_t)s0 * (size_t)l->steps * row, *dh = l->dh + (size_t)s0 * np;
  memset(dh, 0, n * np * sizeof *dh);
  memset(l->dc + (size_t)s0 * np, 0, n * np * sizeof *dh);
  for (int t = l->steps - 1; t >= 0; t--) {
    for (int s = s0; s < s1; s++) step_back(u, s, t, value_at(out, out->dy, s) + (size_t)t * np);
    if (t == 0) break;
    g->lanes->gemm((int)n, (int)np, (int)row, z + (size_t)t * row, (size_t)l->steps * row, 1,
                   l->turned_h, np, dh, np, false);
  }
  weight_gradients(g, u, s0, s1, gradient + u->w_at);
  g->lanes->sums((int)n * l->steps, (int)row, z, gradient + u->b_at);
  if (u->in == 0) return;
  g->lanes->gemm((int)n * l->steps, in->cs, (int)row, z, row, 1, l->turned_x, (size_t)in->cs,
                 value_at(in, in->dy, s0), (size_t)in->cs, u->add_in);
}

/* ---- integers ------------------------------------------------------------------------- */
static void quant_init(struct engine *g, struct unit *u) {
  struct lstm *l = u->lstm;
  for (int i = 0; i < GATES; i++) {
    l->weights[i] = ARENA_ARRAY(g->arena, int8_t, l->units * l->c);
    l->recurrent[i] = ARENA_ARRAY(g->arena, int8_t, l->units * l->units);
    l->bias[i] = ARENA_ARRAY(g->arena, int32_t, l->units);
    l->weight_scale[i] = l->recurrent_scale[i] = l->bias_scale[i] =
        1.0f; /* until engine_quantise */
  }
  l->hidden_scale = 0x1p-7f;
  l->cell_scale = CELL_SCALE;
}

static void quantise(struct engine *g, struct unit *u) {
  struct lstm *l = u->lstm;
  const struct value *in = &g->values[u->in];
  for (int i = 0; i < GATES; i++) {
    l->weight_scale[i] = recurrent_weights(g, u, i, 0, l->c, in->scale, l->w, l->weights[i]);
    l->recurrent_scale[i] =
        recurrent_weights(g, u, i, l->c, u->k, l->hidden_scale, l->w, l->recurrent[i]);
    l->bias_scale[i] = in->scale * l->weight_scale[i];
    for (int c = 0; c < l->units; c++) {
      const double b =
          rint((double)g->params[u->b_at + (size_t)(i * u->np + c)] / (double)l->bias_scale[i]);
      l->bias[i][c] = (int32_t)(b > 0x1p27 ? 0x1p27 : b < -0x1p27 ? -0x1p27 : b);
    }
  }
  struct graph_lstm_scales s;
  graph_lstm_scales_of(g->graph, &g->graph->nodes[u->node], &s);
  struct mote_lstm *p = &l->params;
  for (int i = 0; i < GATES; i++)
    p->gate[i] =
        (struct mote_lstm_gate){recurrent_pair(s.input[i]), recurrent_pair(s.recurrent[i])};
  p->forget = recurrent_pair(s.forget_product);
  p->input = recurrent_pair(s.input_product);
  p->out = recurrent_pair(s.out_product);
  p->cell_tanh = (struct mote_scale_pair){3 << (12 + s.cell_power), 0}; /* cell_power is -11 */
  p->batch = 1;
  p->steps = (uint16_t)l->steps;
  p->in_c = (uint16_t)l->c;
  p->units = (uint16_t)l->units;
  p->in_zp = (int16_t)in->zp;
  p->clip = -1;
}

static void kernel(const struct unit *u, const int8_t *x, int8_t *hidden, int16_t *cell,
                   int8_t *out) {
  const struct lstm *l = u->lstm;
  const void *rows[3 + 3 * GATES];
  int n = 0;
  rows[n++] = x;
  for (int i = 0; i < GATES; i++) rows[n++] = l->weights[i];
  for (int i = 0; i < GATES; i++) rows[n++] = l->recurrent[i];
  for (int i = 0; i < GATES; i++) rows[n++] = l->bias[i];
  rows[n++] = hidden;
  rows[n++] = cell;
  memset(hidden, 0, (size_t)l->units); /* a window begins without a past; its zero point is 0 */
  memset(cell, 0, (size_t)l->units * sizeof *cell);
  mote_kernel_lstm_s8.row(&l->params, rows, NULL, out);
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct lstm *l = u->lstm;
  const struct value *out = &g->values[u->out];
  const size_t steps = (size_t)l->steps;
  struct arena *a = arena_new(steps * (size_t)(l->c + l->units) + (size_t)l->units * 3 + (1 << 20));
  int8_t *x = ARENA_ARRAY(a, int8_t, steps * (size_t)l->c), *h = ARENA_ARRAY(a, int8_t, l->units),
         *y = ARENA_ARRAY(a, int8_t, steps * (size_t)l->units);
  int16_t *cell = ARENA_ARRAY(a, int16_t, l->units);
  (void)chunk;
  for (int s = s0; s < s1; s++) {
    recurrent_steps(g, u, s, x);
    kernel(u, x, h, cell, y);
    for (int t = 0; t < l->steps; t++)
      for (int c = 0; c < l->units; c++)
        value_at(out, out->y, s)[t * out->cs + c] = y[t * l->units + c];
  }
  arena_free(a);
  if (g->gradients) forward_steps(g, u, s0, s1, l->w, true);
}

/* ---- the graph -------------------------------------------------------------------------- */
static int graph(const struct engine *g, struct graph *gr, struct unit *u, int index, int input) {
  struct lstm *l = u->lstm;
  const int sequence[3] = {1, l->steps, l->c};
  const char *name = arena_printf(gr->arena, "layer%d", index + 1);
#define NAMED(what) arena_printf(gr->arena, "%s/%s", name, what)
  struct graph_node n = {.op = MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM, .n_in = 24};
  for (int i = 0; i < n.n_in; i++) n.in[i] = -1;
  n.in[0] = recurrent_reshape(gr, input, NAMED("rows"), 3, sequence);
  for (int i = 0; i < GATES; i++) {
    n.in[1 + i] = recurrent_constant(gr, NAMED("weights"), MOTE_INT8, l->units, l->c,
                                     &l->weight_scale[i], &l->zero, l->weights[i]);
    n.in[5 + i] = recurrent_constant(gr, NAMED("recurrent"), MOTE_INT8, l->units, l->units,
                                     &l->recurrent_scale[i], &l->zero, l->recurrent[i]);
    n.in[12 + i] = recurrent_constant(gr, NAMED("bias"), MOTE_INT32, l->units, 0, &l->bias_scale[i],
                                      &l->zero, l->bias[i]);
  }
  n.in[18] = recurrent_state(gr, NAMED("hidden"), MOTE_INT8, l->units, &l->hidden_scale, &l->zero);
  n.in[19] = recurrent_state(gr, NAMED("cell"), MOTE_INT16, l->units, &l->cell_scale, &l->zero);
#undef NAMED
  n.attrs.activation = GRAPH_ACT_TANH;
  return recurrent_add(g, gr, u, &n, name);
}

const struct family family_lstm = {forward, forward_int8, back};
/* An int32 bias for each gate; an int8 and an int16 zero to begin with. */
const struct recurrent recurrent_lstm = {GATES, GATES,     19,         floats,   memory,
                                         init,  transpose, quant_init, quantise, graph};
