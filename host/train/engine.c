/* train/engine: see engine.h. Layout of the parameters: for each linear layer weights [k][np], bias or beta
 * [np], gamma [np] where it normalises; padded entries are 0 and stay 0. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define BN_EPSILON  1e-3f
#define BN_MOMENTUM 0.9f
#define TILE_FLOATS 32768 /* of gathered windows: half of a small L2 cache */

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
    if (l->from == -1 && l->kind != TRAIN_CONV && l->kind != TRAIN_DENSE) return false;
    if (l->kind == TRAIN_ADD && l->also == -1) return false;
  }
  return true;
}

static void unit_window(struct unit *u, const struct value *in, const struct value *out) {
  int after;
  struct train_layer *d = &u->d;
  if (d->kind == TRAIN_DENSE || d->kind == TRAIN_MEAN) {
    d->kernel_h = in->h;
    d->kernel_w = in->w;
    d->stride_h = d->stride_w = 1;
    d->padding = GRAPH_PAD_VALID;
  }
  struct lanes_window *p = &u->window;
  *p = (struct lanes_window){in->h,       in->w,       out->h, out->w, d->kernel_h, d->kernel_w,
                             d->stride_h, d->stride_w, 0,      0,      in->cs};
  if (d->kind == TRAIN_ADD || d->kind == TRAIN_DROPOUT) return;
  graph_window_out(in->h, d->kernel_h, d->stride_h, 1, d->padding, &p->pad_top, &after);
  graph_window_out(in->w, d->kernel_w, d->stride_w, 1, d->padding, &p->pad_left, &after);
}

static void unit_sizes(struct engine *g, struct unit *u) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  u->np = out->cs;
  u->pixels = out->h * out->w;
  unit_window(u, in, out);
  u->linear = u->d.kind == TRAIN_CONV || u->d.kind == TRAIN_DEPTHWISE || u->d.kind == TRAIN_DENSE;
  if (!u->linear) return;
  u->batch_norm = u->d.batch_norm;
  const int taps = u->d.kernel_h * u->d.kernel_w;
  u->k = u->d.kind == TRAIN_DEPTHWISE ? taps : taps * in->c;
  u->kk = lanes_pad(u->k);
  if (u->d.kind == TRAIN_CONV && taps == 1 && u->d.stride_h == 1 && u->d.stride_w == 1) {
    u->direct = true;
    u->a_row = (size_t)in->cs;
  } else if (u->d.kind == TRAIN_DENSE && (in->cs == in->c || taps == 1)) {
    u->direct = true;
    u->a_row = (size_t)taps * (size_t)in->cs;
  }
  const int rows = TILE_FLOATS / u->kk;
  u->tile = rows < 6 ? 6 : rows > 96 ? 96 : rows / 6 * 6;
  u->w_at = g->n_params;
  u->b_at = u->w_at + (size_t)u->k * (size_t)u->np;
  u->g_at = u->b_at + (size_t)u->np;
  g->n_params = u->g_at + (u->batch_norm ? (size_t)u->np : 0);
  u->run_at = g->n_running;
  g->n_running += u->batch_norm ? 2 * (size_t)u->np : 0;
}

/* Bytes of everything that grows with the batch or the weights, before any of it is taken. */
static double engine_bytes(const struct engine *g, bool backward) {
  double floats = (double)g->n_params * (backward ? 3.0 * ENGINE_CHUNKS : 4.0);
  for (int i = 0; i < g->n_values; i++) {
    const struct value *v = &g->values[i];
    const bool has_z = i > 0 && g->units[i - 1].batch_norm;
    floats += (double)g->capacity * v->h * v->w * v->cs * (backward ? (has_z ? 3 : 2) : 1);
  }
  return floats * 4.0 + (double)g->scratch_floats * 4.0 * ENGINE_WORKERS / 8.0;
}

static void unit_memory(struct engine *g, struct unit *u, bool backward) {
  struct arena *a = g->arena;
  const size_t np = (size_t)u->np;
  u->seen = arena_alloc(a, ENGINE_CHUNKS, sizeof *u->seen);
  if (!u->linear) return;
  u->scale = ARENA_ARRAY(a, float, np);
  u->shift = ARENA_ARRAY(a, float, np);
  u->mean = ARENA_ARRAY(a, float, np);
  u->inverse = ARENA_ARRAY(a, float, np);
  if (!backward) return;
  u->back_k = ARENA_ARRAY(a, float, np);
  u->back_a = ARENA_ARRAY(a, float, np);
  u->back_b = ARENA_ARRAY(a, float, np);
  u->part_mean = ARENA_ARRAY(a, float, ENGINE_CHUNKS *np);
  u->part_m2 = ARENA_ARRAY(a, float, ENGINE_CHUNKS *np);
  if (u->batch_norm) u->z = ARENA_ARRAY(a, float, (size_t)g->capacity *(size_t)u->pixels *np);
  if (u->d.kind != TRAIN_DEPTHWISE && u->in > 0)
    u->wt = ARENA_ARRAY(a, float, (size_t)u->d.out_c *(size_t)u->kk);
}

/* A value's gradient is written by its last reader, which comes first backwards, and added to by others. */
static void find_first_writers(struct engine *g) {
  bool *written = ARENA_ARRAY(g->arena, bool, g->n_values);
  for (int i = g->n_units - 1; i >= 0; i--) {
    struct unit *u = &g->units[i];
    u->add_in = written[u->in];
    written[u->in] = true;
    if (u->d.kind != TRAIN_ADD) continue;
    u->add_also = written[u->also];
    written[u->also] = true;
  }
}

static void decays_of(struct engine *g) {
  g->decays = ARENA_ARRAY(g->arena, uint8_t, g->n_params / LANES + 1);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (u->linear) memset(g->decays + u->w_at / LANES, 1, (u->b_at - u->w_at) / LANES);
  }
}

struct engine *engine_new(struct arena *a, const struct train_network *net, int capacity,
                          bool backward, struct err *e) {
  struct engine *g = ARENA_NEW(a, struct engine);
  g->arena = a;
  g->lanes = lanes_best();
  g->net = *net;
  g->classes = net->classes;
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
    g->values[i + 1] = (struct value){
        .h = u->d.out_h, .w = u->d.out_w, .c = u->d.out_c, .cs = lanes_pad(u->d.out_c)};
    unit_sizes(g, u);
    const size_t scratch = 3 * (size_t)u->tile * (size_t)(u->kk + u->np) + 256;
    if (scratch > g->scratch_floats) g->scratch_floats = scratch;
  }
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
    if (backward && i > 0) v->dy = ARENA_ARRAY(a, float, n);
  }
  for (int i = 0; i < g->n_units; i++) unit_memory(g, &g->units[i], backward);
  if (backward) g->gradients = ARENA_ARRAY(a, float, ENGINE_CHUNKS * g->n_params);
  find_first_writers(g);
  decays_of(g);
  return g;
}

void engine_init_params(struct engine *g, float *params, float *running, uint64_t seed) {
  struct rng r;
  memset(params, 0, g->n_params * sizeof *params);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (!u->linear) continue;
    rng_seed(&r, train_mix(seed, 0x696e6974, (uint64_t)i));
    /* He et al. 2015: variance 2 / inputs for ReLU, 1 / inputs for the linear end; uniform in +-limit. */
    const float limit = sqrtf((u->d.relu ? 6.0f : 3.0f) / (float)u->k);
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

/* ---- windows ------------------------------------------------------------------------ */
static void gather_row(const struct unit *u, const struct value *in, const float *x, int pixel,
                       float *row) {
  const struct lanes_window *p = &u->window;
  const int iy = pixel / p->out_w * p->stride_h - p->pad_top;
  const int ix = pixel % p->out_w * p->stride_w - p->pad_left;
  const size_t c = (size_t)in->c, span = (size_t)p->kernel_w * c;
  const bool whole = in->cs == in->c && ix >= 0 && ix + p->kernel_w <= p->in_w;
  for (int ky = 0; ky < p->kernel_h; ky++, row += span) {
    if (iy + ky < 0 || iy + ky >= p->in_h) {
      memset(row, 0, span * sizeof *row);
      continue;
    }
    const float *line = x + ((ptrdiff_t)(iy + ky) * p->in_w + ix) * in->cs;
    if (whole) {
      memcpy(row, line, span * sizeof *row);
      continue;
    }
    for (int kx = 0; kx < p->kernel_w; kx++)
      if (ix + kx < 0 || ix + kx >= p->in_w)
        memset(row + (size_t)kx * c, 0, c * sizeof *row);
      else
        memcpy(row + (size_t)kx * c, line + (ptrdiff_t)kx * in->cs, c * sizeof *row);
  }
}

const float *engine_gather(struct engine *g, const struct unit *u, int s0, int m0, int rows,
                           float *tile, size_t *row) {
  const struct value *in = &g->values[u->in];
  if (u->direct) {
    *row = u->a_row;
    return value_at(in, in->y, s0) + (size_t)m0 * u->a_row;
  }
  *row = (size_t)u->kk;
  for (int i = 0; i < rows; i++)
    gather_row(u, in, value_at(in, in->y, s0 + (m0 + i) / u->pixels), (m0 + i) % u->pixels,
               tile + (size_t)i * (size_t)u->kk);
  return tile;
}

/* The transpose of gather_row: adds a row of gradients to the map. */
static void scatter_row(const struct unit *u, const struct value *in, float *dx, int pixel,
                        const float *row) {
  const struct lanes_window *p = &u->window;
  const int iy = pixel / p->out_w * p->stride_h - p->pad_top;
  const int ix = pixel % p->out_w * p->stride_w - p->pad_left;
  for (int ky = 0; ky < p->kernel_h; ky++) {
    if (iy + ky < 0 || iy + ky >= p->in_h) continue;
    for (int kx = 0; kx < p->kernel_w; kx++) {
      if (ix + kx < 0 || ix + kx >= p->in_w) continue;
      float *to = dx + ((ptrdiff_t)(iy + ky) * p->in_w + ix + kx) * in->cs;
      const float *from = row + ((ptrdiff_t)ky * p->kernel_w + kx) * in->c;
      for (int c = 0; c < in->c; c++) to[c] += from[c];
    }
  }
}

/* ---- forward -------------------------------------------------------------------------- */
static int chunk_start(const struct engine *g, int chunk) {
  return (int)((int64_t)g->count * chunk / g->chunks);
}

static void linear_products(struct engine *g, struct unit *u, int s0, int s1, int worker,
                            float *to) {
  const struct value *in = &g->values[u->in];
  const float *w = g->params + u->w_at;
  const size_t out_row = (size_t)u->np;
  if (u->d.kind == TRAIN_DEPTHWISE) {
    for (int s = s0; s < s1; s++)
      g->lanes->depthwise(&u->window, value_at(in, in->y, s), w, NULL,
                          to + (size_t)(s - s0) * (size_t)u->pixels * out_row);
    return;
  }
  const int rows = (s1 - s0) * u->pixels;
  for (int m0 = 0; m0 < rows; m0 += u->tile) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, g->scratch[worker], &a_row);
    g->lanes->gemm(n, u->np, u->k, a, a_row, 1, w, out_row, to + (size_t)m0 * out_row, out_row,
                   false);
  }
}

/* First half of a linear layer: the products, and what normalisation needs of them. */
static void linear_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  struct value *out = &g->values[u->out];
  const int rows = (s1 - s0) * u->pixels;
  const bool batch = u->batch_norm && g->mode == ENGINE_TRAIN;
  float *to =
      batch ? u->z + (size_t)s0 * (size_t)u->pixels * (size_t)u->np : value_at(out, out->y, s0);
  linear_products(g, u, s0, s1, worker, to);
  if (batch)
    g->lanes->moments(rows, u->np, to, u->part_mean + chunk * u->np, u->part_m2 + chunk * u->np);
  else
    g->lanes->normalise(rows, u->np, to, u->scale, u->shift, u->d.relu, to);
}

static void linear_finish(struct engine *g, struct unit *u, int s0, int s1) {
  struct value *out = &g->values[u->out];
  g->lanes->normalise((s1 - s0) * u->pixels, u->np,
                      u->z + (size_t)s0 * (size_t)u->pixels * (size_t)u->np, u->scale, u->shift,
                      u->d.relu, value_at(out, out->y, s0));
}

/* Mean and variance of the batch from those of the chunks (Chan et al. 1979), in the chunks' order. */
static void combine_moments(struct engine *g, struct unit *u) {
  for (int c = 0; c < u->np; c++) {
    double n = 0, mean = 0, m2 = 0;
    for (int i = 0; i < g->chunks; i++) {
      const double ni = (double)(chunk_start(g, i + 1) - chunk_start(g, i)) * u->pixels;
      const double d = (double)u->part_mean[i * u->np + c] - mean;
      mean += d * ni / (n + ni);
      m2 += (double)u->part_m2[i * u->np + c] + d * d * n * ni / (n + ni);
      n += ni;
    }
    const double variance = m2 / n;
    float *running = g->running + u->run_at;
    running[c] = BN_MOMENTUM * running[c] + (1.0f - BN_MOMENTUM) * (float)mean;
    running[u->np + c] = BN_MOMENTUM * running[u->np + c] + (1.0f - BN_MOMENTUM) * (float)variance;
    u->mean[c] = (float)mean;
    u->inverse[c] = (float)(1.0 / sqrt(variance + (double)BN_EPSILON));
    u->scale[c] = g->params[u->g_at + (size_t)c] * u->inverse[c];
    u->shift[c] = g->params[u->b_at + (size_t)c] - u->mean[c] * u->scale[c];
  }
}

/* Scales of layers that need no batch statistics. */
static void prepare_scales(struct engine *g) {
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    if (!u->linear || (u->batch_norm && g->mode == ENGINE_TRAIN)) continue;
    for (int c = 0; c < u->np; c++) {
      const float beta = g->params[u->b_at + (size_t)c];
      u->scale[c] = 1.0f;
      u->shift[c] = beta;
      if (!u->batch_norm) continue;
      const float *running = g->running + u->run_at;
      const double inverse = 1.0 / sqrt((double)running[u->np + c] + (double)BN_EPSILON);
      u->scale[c] = (float)((double)g->params[u->g_at + (size_t)c] * inverse);
      u->shift[c] = beta - running[c] * u->scale[c];
    }
  }
}

static void pool_forward(const struct unit *u, const float *x, float *y) {
  const struct lanes_window *p = &u->window;
  const bool max = u->d.kind == TRAIN_MAX_POOL;
  for (int i = 0; i < u->pixels; i++, y += p->np) {
    const int iy = i / p->out_w * p->stride_h - p->pad_top,
              ix = i % p->out_w * p->stride_w - p->pad_left;
    int n = 0;
    for (int c = 0; c < p->np; c++) y[c] = max ? -INFINITY : 0.0f;
    for (int ky = 0; ky < p->kernel_h; ky++)
      for (int kx = 0; kx < p->kernel_w; kx++) {
        if (iy + ky < 0 || iy + ky >= p->in_h || ix + kx < 0 || ix + kx >= p->in_w) continue;
        const float *from = x + ((ptrdiff_t)(iy + ky) * p->in_w + ix + kx) * p->np;
        n++;
        if (max)
          for (int c = 0; c < p->np; c++) y[c] = from[c] > y[c] ? from[c] : y[c];
        else
          for (int c = 0; c < p->np; c++) y[c] += from[c];
      }
    if (!max)
      for (int c = 0; c < p->np; c++) y[c] /= (float)n;
  }
}

static float dropout_factor(struct rng *r, float rate) {
  return rng_unit(r) < rate ? 0.0f : 1.0f / (1.0f - rate);
}

static void dropout(struct engine *g, const struct unit *u, int s, const float *x, float *y,
                    bool add) {
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  struct rng r;
  rng_seed(&r, train_mix(g->dropout_seed, (uint64_t)u->out, (uint64_t)s));
  for (size_t i = 0; i < n; i++) {
    const float d = x[i] * (g->mode == ENGINE_TRAIN ? dropout_factor(&r, u->d.rate) : 1.0f);
    y[i] = add ? y[i] + d : d;
  }
}

static void forward_unit(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  if (g->mode == ENGINE_INT8) {
    engine_forward_int8(g, u, s0, s1, chunk, worker);
    return;
  }
  const struct value *in = &g->values[u->in], *also = &g->values[u->also],
                     *out = &g->values[u->out];
  if (u->linear) {
    linear_begin(g, u, s0, s1, chunk, worker);
    return;
  }
  for (int s = s0; s < s1; s++) {
    const float *x = value_at(in, in->y, s);
    float *y = value_at(out, out->y, s);
    if (u->d.kind == TRAIN_ADD)
      g->lanes->add((size_t)u->pixels * (size_t)u->np, x, value_at(also, also->y, s), u->d.relu, y);
    else if (u->d.kind == TRAIN_DROPOUT)
      dropout(g, u, s, x, y, false);
    else
      pool_forward(u, x, y);
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

static void run_items(struct engine *g, int n, pool_work work, void *context) {
  if (g->pool) {
    pool_run(g->pool, n, work, context);
    return;
  }
  for (int i = 0; i < n; i++) work(context, i, 0);
}

void engine_forward(struct engine *g, int count, enum engine_mode mode) {
  const int workers = g->pool ? pool_threads(g->pool) : 1;
  for (int i = 0; i < workers; i++)
    if (!g->scratch[i]) g->scratch[i] = ARENA_ARRAY(g->arena, float, g->scratch_floats);
  g->count = count;
  g->mode = mode;
  g->chunks = count < ENGINE_CHUNKS ? count : ENGINE_CHUNKS;
  if (mode != ENGINE_INT8) prepare_scales(g);
  struct segment s = {g, -1, 0, 0};
  while (s.first < g->n_units || s.finish >= 0) {
    int last = s.first;
    while (last < g->n_units && !(g->units[last].batch_norm && mode == ENGINE_TRAIN)) last++;
    s.last = last < g->n_units ? last : g->n_units - 1;
    run_items(g, g->chunks, forward_segment, &s);
    if (last < g->n_units) combine_moments(g, &g->units[last]);
    s.finish = last < g->n_units ? last : -1;
    s.first = last + 1;
  }
}

/* ---- loss -------------------------------------------------------------------------------- */
/* Softmax and cross entropy of one sample; the gradient of the logits unless dy is NULL. */
static double sample_loss(const struct engine *g, const float *logits, float unit, int sample,
                          float *dy, int *right) {
  const int n = g->classes, label = g->labels[sample];
  const float weight = g->sample_weights ? g->sample_weights[sample] : 1.0f;
  double p[1000], sum = 0;
  int best = 0;
  for (int c = 1; c < n; c++)
    if (logits[c] > logits[best]) best = c;
  const int second = g->second_labels ? g->second_labels[sample] : label;
  const double share = g->mix ? (double)g->mix[sample] : 1.0,
               hard = 1.0 - (double)g->label_smoothing;
  const double top = (double)(logits[best] * unit);
  for (int c = 0; c < n; c++) sum += p[c] = train_exp((double)(logits[c] * unit) - top);
  const double log_sum = train_log(sum), off = (double)g->label_smoothing / n;
  double loss = 0;
  for (int c = 0; c < n; c++) {
    const double target =
        off + hard * ((c == label ? share : 0.0) + (c == second ? 1.0 - share : 0.0));
    loss -= target * ((double)(logits[c] * unit) - top - log_sum);
    if (dy) dy[c] = (float)((p[c] / sum - target) * (double)weight * (double)g->loss_scale);
  }
  *right += best == label;
  return loss * (double)weight;
}

static void loss_of_chunk(struct engine *g, int chunk, bool gradient) {
  const struct value *v = &g->values[g->n_values - 1];
  const float unit = g->mode == ENGINE_INT8 ? v->scale : 1.0f;
  g->chunk_loss[chunk] = 0;
  g->chunk_right[chunk] = 0;
  for (int s = chunk_start(g, chunk); s < chunk_start(g, chunk + 1); s++) {
    float *dy = gradient ? value_at(v, v->dy, s) : NULL;
    if (dy) memset(dy, 0, (size_t)v->cs * sizeof *dy);
    g->chunk_loss[chunk] +=
        sample_loss(g, value_at(v, v->y, s), unit, s, dy, &g->chunk_right[chunk]);
  }
}

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
static bool normalises(const struct engine *g, const struct unit *u) {
  return u->batch_norm && g->mode == ENGINE_TRAIN;
}

/* First half of a linear layer backwards: through the activation, and the sums over the rows. */
static void linear_back_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  struct value *out = &g->values[u->out];
  const int rows = (s1 - s0) * u->pixels;
  float *dy = value_at(out, out->dy, s0), *gradient = g->gradients + (size_t)chunk * g->n_params;
  const float *y = value_at(out, out->y, s0);
  const size_t n = (size_t)rows * (size_t)u->np;
  if (g->mode == ENGINE_INT8)
    g->lanes->mask(n, y, (float)(u->low - out->zp), (float)(u->high - out->zp), dy);
  else if (u->d.relu)
    g->lanes->mask(n, y, 0.0f, INFINITY, dy);
  if (!normalises(g, u)) {
    g->lanes->sums(rows, u->np, dy, gradient + u->b_at);
    return;
  }
  float *sum = u->part_mean + chunk * u->np, *sum_x = u->part_m2 + chunk * u->np;
  g->lanes->sums_x(rows, u->np, dy, u->z + (size_t)s0 * (size_t)u->pixels * (size_t)u->np, u->mean,
                   u->inverse, sum, sum_x);
  memcpy(gradient + u->b_at, sum, (size_t)u->np * sizeof *sum);
  memcpy(gradient + u->g_at, sum_x, (size_t)u->np * sizeof *sum);
}

static void combine_back(struct engine *g, struct unit *u) {
  const double n = (double)g->count * u->pixels;
  for (int c = 0; c < u->np; c++) {
    double sum = 0, sum_x = 0;
    for (int i = 0; i < g->chunks; i++) {
      sum += (double)u->part_mean[i * u->np + c];
      sum_x += (double)u->part_m2[i * u->np + c];
    }
    u->back_k[c] = u->scale[c];
    u->back_a[c] = (float)(sum / n);
    u->back_b[c] = (float)(sum_x / n * (double)u->inverse[c]);
  }
}

static void depthwise_gradients(struct engine *g, struct unit *u, int s0, int s1, float *dw,
                                const float *w) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  memset(dw, 0, (size_t)u->k * (size_t)u->np * sizeof *dw);
  for (int s = s0; s < s1; s++) {
    float *dx = u->in > 0 ? value_at(in, in->dy, s) : NULL;
    if (dx && !u->add_in)
      memset(dx, 0, (size_t)in->h * (size_t)in->w * (size_t)in->cs * sizeof *dx);
    g->lanes->depthwise_back(&u->window, value_at(in, in->y, s), w, value_at(out, out->dy, s), dx,
                             dw);
  }
}

static void product_gradients(struct engine *g, struct unit *u, int s0, int s1, int worker,
                              float *dw) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, kk = (size_t)u->kk;
  const int rows = (s1 - s0) * u->pixels;
  float *tile = g->scratch[worker], *dtile = tile + (size_t)u->tile * kk;
  const bool want_dx = u->in > 0;
  if (want_dx && !u->direct && !u->add_in)
    memset(value_at(in, in->dy, s0), 0,
           (size_t)(s1 - s0) * (size_t)in->h * (size_t)in->w * (size_t)in->cs * sizeof(float));
  for (int m0 = 0; m0 < rows; m0 += u->tile) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    const float *dy = value_at(out, out->dy, s0) + (size_t)m0 * np;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, tile, &a_row);
    g->lanes->gemm(u->k, u->np, n, a, 1, a_row, dy, np, dw, np, m0 > 0);
    if (!want_dx) continue;
    if (u->direct) {
      float *dx = value_at(in, in->dy, s0) + (size_t)m0 * u->a_row;
      g->lanes->gemm(n, u->kk, u->d.out_c, dy, np, 1, u->wt, kk, dx, u->a_row, u->add_in);
      continue;
    }
    g->lanes->gemm(n, u->kk, u->d.out_c, dy, np, 1, u->wt, kk, dtile, kk, false);
    for (int i = 0; i < n; i++)
      scatter_row(u, in, value_at(in, in->dy, s0 + (m0 + i) / u->pixels), (m0 + i) % u->pixels,
                  dtile + (size_t)i * kk);
  }
}

static void linear_back_finish(struct engine *g, struct unit *u, int s0, int s1, int chunk,
                               int worker) {
  struct value *out = &g->values[u->out];
  float *dw = g->gradients + (size_t)chunk * g->n_params + u->w_at;
  if (normalises(g, u))
    g->lanes->normalise_back((s1 - s0) * u->pixels, u->np, value_at(out, out->dy, s0),
                             u->z + (size_t)s0 * (size_t)u->pixels * (size_t)u->np, u->mean,
                             u->back_k, u->back_a, u->back_b);
  if (u->d.kind == TRAIN_DEPTHWISE)
    depthwise_gradients(g, u, s0, s1, dw, g->mode == ENGINE_INT8 ? u->wr : g->params + u->w_at);
  else
    product_gradients(g, u, s0, s1, worker, dw);
  if (g->mode == ENGINE_INT8) { /* the input was in steps of its scale */
    const float unit = g->values[u->in].scale;
    for (size_t i = 0; i < (size_t)u->k * (size_t)u->np; i++) dw[i] *= unit;
  }
}

static void pool_back(const struct unit *u, const float *x, const float *y, const float *dy,
                      float *dx) {
  const struct lanes_window *p = &u->window;
  const bool max = u->d.kind == TRAIN_MAX_POOL;
  for (int i = 0; i < u->pixels; i++, y += p->np, dy += p->np) {
    const int iy = i / p->out_w * p->stride_h - p->pad_top,
              ix = i % p->out_w * p->stride_w - p->pad_left;
    const int y0 = iy < 0 ? 0 : iy, y1 = iy + p->kernel_h > p->in_h ? p->in_h : iy + p->kernel_h;
    const int x0 = ix < 0 ? 0 : ix, x1 = ix + p->kernel_w > p->in_w ? p->in_w : ix + p->kernel_w;
    const float share = 1.0f / (float)((y1 - y0) * (x1 - x0));
    for (int c = 0; c < p->np; c++) {
      bool given = false; /* the first of equal maxima gets it all */
      for (int a = y0; a < y1; a++)
        for (int b = x0; b < x1; b++) {
          const ptrdiff_t at = ((ptrdiff_t)a * p->in_w + b) * p->np + c;
          if (!max)
            dx[at] += dy[c] * share;
          else if (!given && x[at] == y[c])
            dx[at] += dy[c], given = true;
        }
    }
  }
}

static void give(size_t n, const float *dy, float *dx, bool add) {
  if (add)
    for (size_t i = 0; i < n; i++) dx[i] += dy[i];
  else
    memcpy(dx, dy, n * sizeof *dx);
}

static void back_unit(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *in = &g->values[u->in], *also = &g->values[u->also],
                     *out = &g->values[u->out];
  const size_t n = (size_t)u->pixels * (size_t)u->np,
               n_in = (size_t)in->h * (size_t)in->w * (size_t)in->cs;
  for (int s = s0; s < s1; s++) {
    float *dy = value_at(out, out->dy, s), *dx = u->in > 0 ? value_at(in, in->dy, s) : NULL;
    const float *y = value_at(out, out->y, s);
    if (g->mode == ENGINE_INT8 && (u->d.kind == TRAIN_ADD || u->d.kind == TRAIN_MEAN))
      g->lanes->mask(n, y, (float)(u->low - out->zp), (float)(u->high - out->zp), dy);
    else if (u->d.kind == TRAIN_ADD && u->d.relu)
      g->lanes->mask(n, y, 0.0f, INFINITY, dy);
    if (u->d.kind == TRAIN_ADD) {
      if (dx) give(n, dy, dx, u->add_in);
      if (u->also > 0) give(n, dy, value_at(also, also->dy, s), u->add_also);
    } else if (dx && u->d.kind == TRAIN_DROPOUT) {
      dropout(g, u, s, dy, dx, u->add_in);
    } else if (dx) {
      if (!u->add_in) memset(dx, 0, n_in * sizeof *dx);
      pool_back(u, value_at(in, in->y, s), y, dy, dx);
    }
  }
}

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
      back_unit(g, u, s0, s1);
      continue;
    }
    linear_back_begin(g, u, s0, s1, chunk);
    if (!normalises(g, u)) linear_back_finish(g, u, s0, s1, chunk, worker);
  }
}

static void transpose_weights(void *context, int item, int worker) {
  struct engine *g = context;
  struct unit *u = &g->units[item];
  (void)worker;
  if (!u->wt) return;
  const float *w = g->mode == ENGINE_INT8 ? u->wr : g->params + u->w_at;
  for (int k = 0; k < u->k; k++)
    for (int n = 0; n < u->d.out_c; n++)
      u->wt[(size_t)n * (size_t)u->kk + (size_t)k] = w[(size_t)k * (size_t)u->np + (size_t)n];
}

double engine_backward(struct engine *g, int *right) {
  set_loss_scale(g);
  run_items(g, g->n_units, transpose_weights, g);
  struct segment s = {g, g->n_units, g->n_units - 1, 0};
  while (s.finish >= 0) {
    int last = s.first;
    while (last >= 0 && !normalises(g, &g->units[last])) last--;
    s.last = last < 0 ? 0 : last;
    run_items(g, g->chunks, back_segment, &s);
    if (last >= 0) combine_back(g, &g->units[last]);
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

/* source: Kingma and Ba 2015; decay apart from the gradient: Loshchilov and Hutter 2019. */
static void adam_piece(void *context, int item, int worker) {
  const struct adam_job *j = context;
  struct engine *g = j->g;
  (void)worker;
  const size_t first = (size_t)item * ADAM_PIECE;
  const size_t n = g->n_params - first < ADAM_PIECE ? g->n_params - first : ADAM_PIECE;
  float gradient[ADAM_PIECE] __attribute__((aligned(64)));
  g->lanes->reduce(n, g->chunks, g->gradients + first, g->n_params, gradient);
  float *m = j->m + first, *v = j->v + first, *w = g->params + first;
  for (size_t i = 0; i < n; i++) {
    const float decay = g->decays[(first + i) / LANES] ? j->how->weight_decay : 0.0f;
    m[i] = 0.9f * m[i] + 0.1f * gradient[i];
    v[i] = 0.999f * v[i] + 0.001f * (gradient[i] * gradient[i]);
    const float step =
        m[i] * j->how->correct_1 / (__builtin_sqrtf(v[i] * j->how->correct_2) + 1e-8f);
    w[i] -= j->how->rate * (step + decay * w[i]);
  }
}

void engine_adam(struct engine *g, const struct adam *how, float *m, float *v) {
  struct adam_job job = {g, how, m, v};
  run_items(g, (int)((g->n_params + ADAM_PIECE - 1) / ADAM_PIECE), adam_piece, &job);
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
