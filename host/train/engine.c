/* train/engine: see engine.h. Layout of the parameters: for each linear layer weights [k][np], bias or beta
 * [np], gamma [np] where it normalises; padded entries are 0 and stay 0. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define BN_EPSILON 1e-3f /* as in linear.c */

/* ---- numbers ------------------------------------------------------------------ */
double train_exp(double x) {
  if (x < -700.0) return 0.0;
  if (x > 700.0) x = 700.0;
  /* x = n ln 2 + r, |r| <= ln2 / 2; exp(r) by its series to r^13 / 13!: error below 1e-17. */
  const double n = floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - n * 0.693145751953125) - n * 1.4286068203094173e-06;
  double sum = 1.0;
  for (int i = 13; i >= 1; i--) sum = 1.0 + sum * r / (double)i;
  return ldexp(sum, (int)n);
}

double train_log(double x) {
  int n;
  double m = frexp(x, &n);
  if (m < 0.70710678118654757) m *= 2.0, n--;
  const double s = (m - 1.0) / (m + 1.0), q = s * s; /* log m = 2 atanh s, |s| <= 0.172 */
  double sum = 0.0;
  for (int i = 21; i >= 1; i -= 2) sum = sum * q + 1.0 / (double)i;
  return 2.0 * s * sum + (double)n * 0.69314718055994531;
}

double train_cos_half_turn(double t) {
  const double x = (t - 0.5) * 3.1415926535897931; /* cos(pi t) = -sin(x), |x| <= pi/2 */
  double sum = 1.0;
  for (int i = 21; i >= 3; i -= 2) sum = 1.0 - sum * x * x / (double)(i * (i - 1));
  return -x * sum;
}

uint64_t train_mix(uint64_t a, uint64_t b, uint64_t c) {
  return rng_mix(a + 0x9E3779B97F4A7C15u * b + 0xD1B54A32D192ED03u * (c + 1));
}

/* ---- set-up --------------------------------------------------------------------- */
/* The input stays unpadded where only gathered windows read it. */
static bool input_gathered(const struct train_network *net) {
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    if (train_layer_reads(l, -1) && l->kind != TRAIN_CONV && l->kind != TRAIN_DENSE) return false;
  }
  return true;
}

/* Layers whose output is made of windows: those with weights and pools, a mean being a pool of the whole. */
static bool has_window(enum train_kind kind) {
  return kind == TRAIN_CONV || kind == TRAIN_DEPTHWISE || kind == TRAIN_DENSE ||
         kind == TRAIN_AVERAGE_POOL || kind == TRAIN_MAX_POOL || kind == TRAIN_MEAN;
}

static void unit_window(struct unit *u, const struct value *in, const struct value *out) {
  int after;
  struct train_layer *d = &u->d;
  if (!has_window(d->kind)) return;
  if (d->kind == TRAIN_DENSE || d->kind == TRAIN_MEAN) {
    d->kernel_h = in->h;
    d->kernel_w = in->w;
    d->stride_h = d->stride_w = d->dilation_h = d->dilation_w = 1;
    d->padding = TRAIN_PAD_VALID;
  }
  struct lanes_window *p = &u->window;
  *p = (struct lanes_window){in->h,         in->w,         out->h,      out->w, d->kernel_h,
                             d->kernel_w,   d->stride_h,   d->stride_w, 0,      0,
                             d->dilation_h, d->dilation_w, in->cs};
  train_window_out(d, true, in->h, &p->pad_top, &after);
  train_window_out(d, false, in->w, &p->pad_left, &after);
}

const struct family *family_of(enum train_kind kind) {
  switch (kind) {
  case TRAIN_CONV:
  case TRAIN_DEPTHWISE:
  case TRAIN_DENSE: return NULL;
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
  case TRAIN_MEAN: return &family_pool;
  case TRAIN_ADD:
  case TRAIN_MULTIPLY:
  case TRAIN_CONCAT: return &family_merge;
  case TRAIN_DROPOUT:
  case TRAIN_SEQUENCE:
  case TRAIN_LAST:
  case TRAIN_UPSAMPLE:
  case TRAIN_REQUANTISE: return &family_move;
  case TRAIN_ACTIVATION: return &family_activation;
  case TRAIN_LSTM: return &family_lstm;
  case TRAIN_GRU: return &family_gru;
  }
  return NULL;
}

static void unit_sizes(struct engine *g, struct unit *u) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  u->np = out->cs;
  u->pixels = out->h * out->w;
  unit_window(u, in, out);
  u->linear = family_of(u->d.kind) == NULL;
  if (u->linear) linear_sizes(g, u);
  if (recurrent_of(u->d.kind)) recurrent_sizes(g, u);
}

/* Bytes of everything that grows with the batch or the weights, before any of it is taken. */
static double engine_bytes(const struct engine *g, bool backward) {
  double floats = (double)g->n_params * (backward ? 3.0 * g->most_chunks : 4.0);
  for (int i = 0; i < g->n_values; i++) {
    const struct value *v = &g->values[i];
    const bool has_z = i > 0 && g->units[i - 1].batch_norm;
    floats += (double)g->capacity * v->h * v->w * v->cs * (backward ? (has_z ? 3 : 2) : 1);
  }
  for (int i = 0; i < g->n_units; i++) {
    const struct recurrent *r = recurrent_of(g->units[i].d.kind);
    if (r) floats += r->floats(g, &g->units[i]);
  }
  return floats * 4.0 + (double)g->scratch_floats * 4.0 * ENGINE_WORKERS / 8.0;
}

/* A value's gradient is written by its last reader, which comes first backwards, and added to by others. */
static void find_first_writers(struct engine *g) {
  bool *written = ARENA_ARRAY(g->arena, bool, g->n_values);
  for (int i = g->n_units - 1; i >= 0; i--) {
    struct unit *u = &g->units[i];
    for (int k = 0; k < unit_inputs(u); k++) {
      *unit_adds(u, k) = written[unit_input(u, k)];
      written[unit_input(u, k)] = true;
    }
  }
}

/* Values that batch normalisation makes and only windows and rows of windows read. */
static void find_passing(struct engine *g) {
  for (int i = 0; i < g->n_units; i++) g->values[i + 1].passing = g->units[i].batch_norm;
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    const bool takes = u->linear && (u->windowed || u->direct);
    for (int k = 0; k < unit_inputs(u) && !takes; k++) g->values[unit_input(u, k)].passing = false;
  }
  for (int i = 0; i < g->net.n_heads; i++) g->values[g->net.heads[i].layer + 1].passing = false;
}

/* Batches that are little work are cut into fewer chunks, each of at least 2^21 multiplications: each brings sums of
 * its own for all weights. Four at least, so that threads have something. */
static int chunks_for(const struct engine *g) {
  double products = 0;
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (u->linear || recurrent_of(u->d.kind)) products += (double)u->k * u->np * u->pixels;
  }
  const double chunks = products * g->capacity / 2097152.0;
  return chunks < 4.0 ? 4 : chunks > ENGINE_CHUNKS ? ENGINE_CHUNKS : (int)chunks;
}

/* Gradients of values. What an addition hands back unchanged is not copied where only it read the input: the input's gradient
 * lies in the sum's place, which nobody needs by then. */
static void gradient_memory(struct engine *g) {
  int *readers = ARENA_ARRAY(g->arena, int, g->n_values);
  for (int i = 0; i < g->n_units; i++)
    for (int k = 0; k < unit_inputs(&g->units[i]); k++) readers[unit_input(&g->units[i], k)]++;
  for (int i = 0; i < g->net.n_heads; i++) readers[g->net.heads[i].layer + 1]++;
  for (int i = g->n_units; i > 0; i--) {
    struct value *v = &g->values[i];
    const struct unit *u = &g->units[i - 1];
    const size_t n = (size_t)g->capacity * (size_t)v->h * (size_t)v->w * (size_t)v->cs;
    if (!v->dy) v->dy = ARENA_ARRAY(g->arena, float, n);
    struct value *in = &g->values[u->in];
    if (u->d.kind == TRAIN_ADD && u->in > 0 && readers[u->in] == 1 && in->h == v->h &&
        in->w == v->w)
      in->dy = v->dy;
  }
}

static void decays_of(struct engine *g) {
  g->decays = ARENA_ARRAY(g->arena, uint8_t, g->n_params / LANES + 1);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (u->linear || recurrent_of(u->d.kind))
      memset(g->decays + u->w_at / LANES, 1, (u->b_at - u->w_at) / LANES);
  }
}

struct engine *engine_new(struct arena *a, const struct train_network *net, int capacity,
                          bool backward, struct err *e) {
  struct engine *g = ARENA_NEW(a, struct engine);
  g->arena = a;
  g->lanes = lanes_best();
  g->net = *net;
  g->classes = net->classes;
  g->labels_at = -1;
  for (int i = 0; i < net->n_heads; i++)
    if (net->heads[i].kind == TRAIN_HEAD_CLASSES && !net->heads[i].own)
      g->labels_at = net->heads[i].layer + 1;
  g->n_targets = train_network_targets(net);
  g->temperature = 4.0f;
  g->n_units = net->n_layers;
  g->n_values = net->n_layers + 1;
  g->capacity = capacity;
  g->units = ARENA_ARRAY(a, struct unit, g->n_units);
  g->values = ARENA_ARRAY(a, struct value, g->n_values);
  g->values[0] = (struct value){.h = net->in_h, .w = net->in_w, .c = net->in_c};
  g->values[0].cs = input_gathered(net) ? net->in_c : lanes_pad(net->in_c);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    u->d = net->layers[i];
    u->in = u->d.from + 1;
    u->also = u->d.also + 1;
    u->out = i + 1;
    u->bits = 8;
    g->values[i + 1] = (struct value){
        .h = u->d.out_h, .w = u->d.out_w, .c = u->d.out_c, .cs = lanes_pad(u->d.out_c)};
    unit_sizes(g, u);
    size_t scratch = 3 * (size_t)u->tile * (size_t)(u->kk + u->np) + 256;
    const size_t windowed = u->linear ? window_scratch(g, u) + 256 : 0;
    const size_t tiled = u->winograd ? winograd_scratch(g, u) + 256 : 0;
    if (windowed > scratch) scratch = windowed;
    if (tiled > scratch) scratch = tiled;
    if (scratch > g->scratch_floats) g->scratch_floats = scratch;
  }
  g->most_chunks = chunks_for(g);
  const double need = engine_bytes(g, backward);
  if (need > (double)arena_left(a) * 0.9) {
    err_set(e,
            "training this network with batches of %d needs about %.0f MB, %.0f MB are allowed; a "
            "smaller "
            "batch or network would fit",
            capacity, need / 1e6, (double)arena_left(a) / 1e6);
    return NULL;
  }
  for (int i = 0; i < g->n_values; i++) {
    struct value *v = &g->values[i];
    const size_t n = (size_t)capacity * (size_t)v->h * (size_t)v->w * (size_t)v->cs;
    v->y = ARENA_ARRAY(a, float, n + LANES);
  }
  if (backward) gradient_memory(g);
  for (int i = 0; i < g->n_units; i++) {
    g->units[i].seen = arena_alloc(a, ENGINE_CHUNKS, sizeof *g->units[i].seen);
    if (g->units[i].linear) linear_memory(g, &g->units[i], backward);
    const struct recurrent *r = recurrent_of(g->units[i].d.kind);
    if (r) r->memory(g, &g->units[i], backward);
  }
  if (backward) g->gradients = ARENA_ARRAY(a, float, (size_t)g->most_chunks * g->n_params);
  find_first_writers(g);
  find_passing(g);
  decays_of(g);
  return g;
}

void engine_init_params(struct engine *g, float *params, float *running, uint64_t seed) {
  struct rng r;
  memset(params, 0, g->n_params * sizeof *params);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    rng_seed(&r, train_mix(seed, 0x696e6974, (uint64_t)i));
    if (recurrent_of(u->d.kind)) {
      recurrent_init(u, &r, params);
      recurrent_of(u->d.kind)->init(u, params);
    }
    if (!u->linear) continue;
    /* He et al. 2015: variance 2 / inputs for ReLU, 1 / inputs for the linear end; uniform in +-limit. */
    const float limit = sqrtf((u->d.activation != TRAIN_LINEAR ? 6.0f : 3.0f) / (float)u->k);
    for (int k = 0; k < u->k; k++)
      for (int c = 0; c < u->d.out_c; c++)
        params[u->w_at + (size_t)k * (size_t)u->np + (size_t)c] =
            (2.0f * rng_unit(&r) - 1.0f) * limit;
    if (!u->batch_norm) continue;
    for (int c = 0; c < u->np; c++) {
      params[u->g_at + (size_t)c] = c < u->d.out_c ? 1.0f : 0.0f;
      running[u->run_at + (size_t)u->np + (size_t)c] = 1.0f;
    }
  }
}

/* ---- forward -------------------------------------------------------------------------- */
static void forward_unit(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const struct family *f = family_of(u->d.kind);
  if (g->mode == ENGINE_INT8) {
    u->seen[chunk][0] = u->seen[chunk][1] = 0.0f;
    if (f)
      f->forward_int8(g, u, s0, s1, chunk);
    else
      linear_int8(g, u, s0, s1, chunk, worker);
  } else if (f) {
    f->forward(g, u, s0, s1);
  } else {
    linear_begin(g, u, s0, s1, chunk, worker);
  }
}

/* A run of layers that chunks go through without meeting. */
struct segment {
  struct engine *g;
  int finish;      /* a layer whose statistics are now known; -1: none */
  int first, last; /* then these; backwards, first > last */
};

static void forward_segment(void *context, int chunk, int worker) {
  const struct segment *s = context;
  struct engine *g = s->g;
  const int s0 = chunk_start(g, chunk), s1 = chunk_start(g, chunk + 1);
  if (s->finish >= 0) linear_finish(g, &g->units[s->finish], s0, s1);
  for (int i = s->first; i <= s->last; i++) forward_unit(g, &g->units[i], s0, s1, chunk, worker);
}

/* Chunks in turn forwards and backwards: the last that were touched are still in the cache. */
static void run_chunks(struct engine *g, pool_work work, void *context) {
  g->turned = !g->turned;
  pool_run(g->pool, g->chunks, g->turned, work, context);
}

static void prepare_weights(void *context, int item, int worker) {
  struct engine *g = context;
  (void)worker;
  if (g->units[item].winograd) winograd_prepare(g, &g->units[item]);
}

void engine_forward(struct engine *g, int count, enum engine_mode mode) {
  const int workers = g->pool ? pool_threads(g->pool) : 1;
  for (int i = 0; i < workers; i++)
    if (!g->scratch[i]) g->scratch[i] = ARENA_ARRAY(g->arena, float, g->scratch_floats);
  g->count = count;
  g->mode = mode;
  g->chunks = count < g->most_chunks ? count : g->most_chunks;
  if (mode != ENGINE_INT8) {
    linear_prepare_scales(g);
    pool_run(g->pool, g->n_units, false, prepare_weights, g);
  }
  struct segment s = {g, -1, 0, 0};
  while (s.first < g->n_units || s.finish >= 0) {
    int last = s.first;
    while (last < g->n_units && !(g->units[last].batch_norm && mode == ENGINE_TRAIN)) last++;
    s.last = last < g->n_units ? last : g->n_units - 1;
    run_chunks(g, forward_segment, &s);
    if (last < g->n_units) linear_combine(g, &g->units[last]);
    s.finish = last < g->n_units ? last : -1;
    s.first = last + 1;
  }
}

/* ---- loss -------------------------------------------------------------------------------- */
static double loss_together(struct engine *g, int *right) {
  double loss = 0;
  *right = 0;
  for (int i = 0; i < g->chunks; i++) {
    loss += g->chunk_loss[i];
    *right += g->chunk_right[i];
  }
  return loss * (double)g->loss_scale;
}

static void set_loss_scale(struct engine *g) {
  double sum = 0;
  for (int i = 0; i < g->count; i++) sum += g->sample_weights ? (double)g->sample_weights[i] : 1.0;
  g->loss_scale = (float)(1.0 / sum);
}

double engine_loss(struct engine *g, int *right) {
  set_loss_scale(g);
  for (int i = 0; i < g->chunks; i++) loss_of_chunk(g, i, false);
  return loss_together(g, right);
}

/* ---- backward ------------------------------------------------------------------------------ */
static void back_segment(void *context, int chunk, int worker) {
  const struct segment *s = context;
  struct engine *g = s->g;
  const int s0 = chunk_start(g, chunk), s1 = chunk_start(g, chunk + 1);
  if (s->finish == g->n_units)
    loss_of_chunk(g, chunk, true);
  else
    linear_back_finish(g, &g->units[s->finish], s0, s1, chunk, worker);
  for (int i = s->first; i >= s->last; i--) {
    struct unit *u = &g->units[i];
    if (!u->linear) {
      family_of(u->d.kind)->back(g, u, s0, s1, chunk);
      continue;
    }
    linear_back_begin(g, u, s0, s1, chunk);
    if (!linear_normalises(g, u)) linear_back_finish(g, u, s0, s1, chunk, worker);
  }
}

static void transpose_weights(void *context, int item, int worker) {
  struct engine *g = context;
  (void)worker;
  const struct recurrent *r = recurrent_of(g->units[item].d.kind);
  if (r)
    r->transpose(g, &g->units[item]);
  else
    linear_transpose(g, &g->units[item]);
}

double engine_backward(struct engine *g, int *right) {
  set_loss_scale(g);
  pool_run(g->pool, g->n_units, false, transpose_weights, g);
  struct segment s = {g, g->n_units, g->n_units - 1, 0};
  while (s.finish >= 0) {
    int last = s.first;
    while (last >= 0 && !linear_normalises(g, &g->units[last])) last--;
    s.last = last < 0 ? 0 : last;
    run_chunks(g, back_segment, &s);
    if (last >= 0) linear_back_combine(g, &g->units[last]);
    s.finish = last;
    s.first = last - 1;
  }
  return loss_together(g, right);
}

/* ---- Adam ------------------------------------------------------------------------------------ */
#define ADAM_PIECE 1024

struct adam_job {
  struct engine *g;
  const struct adam *how;
  float *m, *v;
};

static void adam_piece(void *context, int item, int worker) {
  const struct adam_job *j = context;
  struct engine *g = j->g;
  (void)worker;
  const size_t first = (size_t)item * ADAM_PIECE;
  const size_t n = g->n_params - first < ADAM_PIECE ? g->n_params - first : ADAM_PIECE;
  float gradient[ADAM_PIECE] __attribute__((aligned(64)));
  g->lanes->reduce(n, g->chunks, g->gradients + first, g->n_params, gradient);
  for (size_t i = 0; i < n;) { /* runs that decay, or do not */
    const bool decays = g->decays[(first + i) / LANES];
    size_t end = i + LANES;
    while (end < n && (g->decays[(first + end) / LANES] != 0) == decays) end += LANES;
    const struct lanes_adam how = {j->how->rate, decays ? j->how->weight_decay : 0.0f,
                                   j->how->correct_1, j->how->correct_2};
    const size_t at = first + i;
    g->lanes->adam(end - i, &how, gradient + i, j->m + at, j->v + at, g->params + at);
    i = end;
  }
}

void engine_adam(struct engine *g, const struct adam *how, float *m, float *v) {
  struct adam_job job = {g, how, m, v};
  pool_run(g->pool, (int)((g->n_params + ADAM_PIECE - 1) / ADAM_PIECE), false, adam_piece, &job);
}

/* ---- folding ----------------------------------------------------------------------------------- */
void engine_fold(struct engine *g, float *params, const float *running) {
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    if (!u->linear || !u->d.batch_norm) continue;
    for (int c = 0; c < u->np; c++) {
      const double variance = (double)running[u->run_at + (size_t)u->np + (size_t)c];
      const double k = (double)params[u->g_at + (size_t)c] / sqrt(variance + (double)BN_EPSILON);
      for (int t = 0; t < u->k; t++) {
        float *w = &params[u->w_at + (size_t)t * (size_t)u->np + (size_t)c];
        *w = (float)((double)*w * k);
      }
      float *b = &params[u->b_at + (size_t)c];
      *b = (float)((double)*b - (double)running[u->run_at + (size_t)c] * k);
      params[u->g_at + (size_t)c] = 0.0f; /* out of use from now on */
    }
  }
}

void engine_set_folded(struct engine *g) {
  for (int i = 0; i < g->n_units; i++) g->units[i].batch_norm = false;
  g->folded = true;
}
