/* train/linear: layers with weights: convolutions, depthwise convolutions, dense layers, with batch normalisation.
 *
 * Rows of the input, or windows over it (window.c), are multiplied with the weights [k][np]. Where neither can be had in
 * place, windows are gathered into rows of a matrix, in tiles that stay in the cache. In the float pass of training a layer has two halves,
 * since the moments of a batch are known only when every chunk is through its products. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define BN_EPSILON  1e-3f
#define BN_MOMENTUM 0.9f
#define TILE_FLOATS 32768 /* of gathered windows: half of a small L2 cache */
#define SLICE       512   /* products whose sum is exact in float32, see quantised.c */

/* ---- set-up --------------------------------------------------------------------- */
void linear_sizes(struct engine *g, struct unit *u) {
  const struct value *in = &g->values[u->in];
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
  u->windowed = window_takes(u);
  u->winograd = u->windowed && winograd_takes(g, u);
  const int rows = TILE_FLOATS / u->kk;
  u->tile = rows < 6 ? 6 : rows > 96 ? 96 : rows / 6 * 6;
  u->w_at = g->n_params;
  u->b_at = u->w_at + (size_t)u->k * (size_t)u->np;
  u->g_at = u->b_at + (size_t)u->np;
  g->n_params = u->g_at + (u->batch_norm ? (size_t)u->np : 0);
  u->run_at = g->n_running;
  g->n_running += u->batch_norm ? 2 * (size_t)u->np : 0;
}

void linear_memory(struct engine *g, struct unit *u, bool backward) {
  struct arena *a = g->arena;
  const size_t np = (size_t)u->np;
  u->scale = ARENA_ARRAY(a, float, np);
  u->shift = ARENA_ARRAY(a, float, np);
  u->mean = ARENA_ARRAY(a, float, np);
  u->inverse = ARENA_ARRAY(a, float, np);
  if (u->winograd) winograd_memory(g, u, backward);
  if (!backward) return;
  u->back_a = ARENA_ARRAY(a, float, np);
  u->back_b = ARENA_ARRAY(a, float, np);
  u->part_mean = ARENA_ARRAY(a, float, ENGINE_CHUNKS *np);
  u->part_m2 = ARENA_ARRAY(a, float, ENGINE_CHUNKS *np);
  if (u->batch_norm) u->z = ARENA_ARRAY(a, float, (size_t)g->capacity *(size_t)u->pixels *np);
  if (u->d.kind == TRAIN_DEPTHWISE || u->in == 0) return;
  const size_t row =
      u->windowed ? (size_t)(u->d.kernel_h * u->d.kernel_w * g->values[u->in].cs) : (size_t)u->kk;
  u->wt = ARENA_ARRAY(a, float, (size_t)u->d.out_c *row);
}

/* ---- windows ------------------------------------------------------------------------ */
static void gather_row(const struct unit *u, const struct value *in, const float *x, int pixel,
                       float *row) {
  const struct lanes_window *p = &u->window;
  const int iy = pixel / p->out_w * p->stride_h - p->pad_top;
  const int ix = pixel % p->out_w * p->stride_w - p->pad_left;
  const size_t c = (size_t)in->c, span = (size_t)p->kernel_w * c;
  const bool whole =
      in->cs == in->c && p->dilation_w == 1 && ix >= 0 && ix + p->kernel_w <= p->in_w;
  for (int ky = 0; ky < p->kernel_h; ky++, row += span) {
    const int y = iy + ky * p->dilation_h;
    if (y < 0 || y >= p->in_h) {
      memset(row, 0, span * sizeof *row);
      continue;
    }
    const float *line = x + ((ptrdiff_t)y * p->in_w + ix) * in->cs;
    if (whole) {
      memcpy(row, line, span * sizeof *row);
      continue;
    }
    for (int kx = 0; kx < p->kernel_w; kx++) {
      const int right = kx * p->dilation_w;
      if (ix + right < 0 || ix + right >= p->in_w)
        memset(row + (size_t)kx * c, 0, c * sizeof *row);
      else
        memcpy(row + (size_t)kx * c, line + (ptrdiff_t)right * in->cs, c * sizeof *row);
    }
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
static void scatter_row(const struct lanes *lanes, const struct unit *u, const struct value *in,
                        float *dx, int pixel, const float *row) {
  const struct lanes_window *p = &u->window;
  const int iy = pixel / p->out_w * p->stride_h - p->pad_top;
  const int ix = pixel % p->out_w * p->stride_w - p->pad_left;
  for (int ky = 0; ky < p->kernel_h; ky++) {
    const int y = iy + ky * p->dilation_h;
    if (y < 0 || y >= p->in_h) continue;
    for (int kx = 0; kx < p->kernel_w; kx++) {
      const int column = ix + kx * p->dilation_w;
      if (column < 0 || column >= p->in_w) continue;
      float *to = dx + ((ptrdiff_t)y * p->in_w + column) * in->cs;
      const float *from = row + ((ptrdiff_t)ky * p->kernel_w + kx) * in->c;
      if (in->c == in->cs) /* whole vectors, and aligned */
        lanes->add_scaled((size_t)in->c, from, 1.0f, to);
      else
        for (int c = 0; c < in->c; c++) to[c] += from[c];
    }
  }
}

static void linear_products(struct engine *g, struct unit *u, int s0, int s1, int worker,
                            float *to) {
  const float *w = g->params + u->w_at;
  const size_t out_row = (size_t)u->np;
  if (u->windowed) {
    for (int s = s0; s < s1; s++, to += (size_t)u->pixels * out_row)
      if (u->winograd)
        winograd_forward(g, u, s, g->scratch[worker], to);
      else
        window_forward(g, u, s, w, g->scratch[worker], to);
    return;
  }
  const int rows = (s1 - s0) * u->pixels;
  if (u->direct) {
    const int most = linear_at_once(u);
    for (int s = s0; s < s1; s += most) {
      const int n = s1 - s < most ? s1 - s : most;
      const float *x = window_input(g, u, s, n, g->scratch[worker]);
      g->lanes->gemm(n * u->pixels, u->np, u->k, x, u->a_row, 1, w, out_row,
                     to + (size_t)(s - s0) * (size_t)u->pixels * out_row, out_row, false);
    }
    return;
  }
  for (int m0 = 0; m0 < rows; m0 += u->tile) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, g->scratch[worker], &a_row);
    g->lanes->gemm(n, u->np, u->k, a, a_row, 1, w, out_row, to + (size_t)m0 * out_row, out_row,
                   false);
  }
}

/* Of the forward pass and, where g->mode has statistics of a batch, the way back. */
struct lanes_normalised linear_normalised(const struct unit *u) {
  return (struct lanes_normalised){u->scale,
                                   u->shift,
                                   u->mean,
                                   u->inverse,
                                   u->back_a,
                                   u->back_b,
                                   u->d.activation != TRAIN_LINEAR,
                                   u->d.activation == TRAIN_RELU6 ? 6.0f : INFINITY};
}

int linear_at_once(const struct unit *u) {
  return (48 + u->pixels - 1) / u->pixels; /* eight tiles of six rows */
}

/* First half of a linear layer: the products, and what normalisation needs of them. */
void linear_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  struct value *out = &g->values[u->out];
  const int rows = (s1 - s0) * u->pixels;
  const bool batch = u->batch_norm && g->mode == ENGINE_TRAIN;
  float *to = batch ? value_at(out, u->z, s0) : value_at(out, out->y, s0);
  const struct lanes_normalised how = linear_normalised(u);
  linear_products(g, u, s0, s1, worker, to);
  if (batch)
    g->lanes->moments(rows, u->np, to, u->part_mean + chunk * u->np, u->part_m2 + chunk * u->np);
  else
    g->lanes->normalise(&how, rows, u->np, to, to);
}

void linear_finish(struct engine *g, struct unit *u, int s0, int s1) {
  struct value *out = &g->values[u->out];
  const struct lanes_normalised how = linear_normalised(u);
  if (!out->passing)
    g->lanes->normalise(&how, (s1 - s0) * u->pixels, u->np, value_at(out, u->z, s0),
                        value_at(out, out->y, s0));
}

/* Mean and variance of the batch from those of the chunks (Chan et al. 1979), in the chunks' order. */
void linear_combine(struct engine *g, struct unit *u) {
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
void linear_prepare_scales(struct engine *g) {
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

/* ---- backward ------------------------------------------------------------------------------ */
bool linear_normalises(const struct engine *g, const struct unit *u) {
  return u->batch_norm && g->mode == ENGINE_TRAIN;
}

/* First half of a linear layer backwards: through the activation, and the sums over the rows. Where it normalises, dy stays
 * as it is until the second half. */
void linear_back_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  struct value *out = &g->values[u->out];
  const int rows = (s1 - s0) * u->pixels;
  float *dy = value_at(out, out->dy, s0), *gradient = g->gradients + (size_t)chunk * g->n_params;
  const float *y = value_at(out, out->y, s0);
  const size_t n = (size_t)rows * (size_t)u->np;
  if (linear_normalises(g, u)) {
    const struct lanes_normalised how = linear_normalised(u);
    float *sum = u->part_mean + chunk * u->np, *sum_x = u->part_m2 + chunk * u->np;
    g->lanes->normalise_sums(&how, rows, u->np, dy, value_at(out, u->z, s0), sum, sum_x);
    memcpy(gradient + u->b_at, sum, (size_t)u->np * sizeof *sum);
    memcpy(gradient + u->g_at, sum_x, (size_t)u->np * sizeof *sum);
    return;
  }
  if (g->mode == ENGINE_INT8)
    g->lanes->mask(n, y, (float)(u->low - out->zp), (float)(u->high - out->zp), dy);
  else if (u->d.activation != TRAIN_LINEAR)
    g->lanes->mask(n, y, 0.0f, u->d.activation == TRAIN_RELU6 ? 6.0f : INFINITY, dy);
  g->lanes->sums(rows, u->np, dy, gradient + u->b_at);
}

void linear_back_combine(struct engine *g, struct unit *u) {
  const double n = (double)g->count * u->pixels;
  for (int c = 0; c < u->np; c++) {
    double sum = 0, sum_x = 0;
    for (int i = 0; i < g->chunks; i++) {
      sum += (double)u->part_mean[i * u->np + c];
      sum_x += (double)u->part_m2[i * u->np + c];
    }
    /* scale * (g - sum / n - (z - mean) * slope) */
    const double slope = sum_x / n * (double)u->inverse[c], scale = (double)u->scale[c];
    u->back_a[c] = (float)(-scale * slope);
    u->back_b[c] = (float)(scale * (slope * (double)u->mean[c] - sum / n));
  }
}

/* Windows gathered, and their gradients added back to the map. */
static void gathered_gradients(struct engine *g, struct unit *u, int s0, int s1, int worker,
                               float *dw) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t np = (size_t)u->np, kk = (size_t)u->kk;
  const int rows = (s1 - s0) * u->pixels;
  float *tile = g->scratch[worker], *dtile = tile + (size_t)u->tile * kk;
  if (u->in > 0 && !u->add_in)
    memset(value_at(in, in->dy, s0), 0,
           (size_t)(s1 - s0) * (size_t)in->h * (size_t)in->w * (size_t)in->cs * sizeof(float));
  for (int m0 = 0; m0 < rows; m0 += u->tile) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    const float *dy = value_at(out, out->dy, s0) + (size_t)m0 * np;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, tile, &a_row);
    g->lanes->gemm(u->k, u->np, n, a, 1, a_row, dy, np, dw, np, m0 > 0);
    if (u->in == 0) continue;
    g->lanes->gemm(n, u->kk, u->d.out_c, dy, np, 1, u->wt, kk, dtile, kk, false);
    for (int i = 0; i < n; i++)
      scatter_row(g->lanes, u, in, value_at(in, in->dy, s0 + (m0 + i) / u->pixels),
                  (m0 + i) % u->pixels, dtile + (size_t)i * kk);
  }
}

static void direct_gradients(struct engine *g, struct unit *u, int s0, int s1, int worker,
                             float *dw) {
  const struct value *in = &g->values[u->in];
  const size_t np = (size_t)u->np;
  const int most = linear_at_once(u);
  for (int s = s0; s < s1; s += most) {
    const int n = s1 - s < most ? s1 - s : most, rows = n * u->pixels;
    float *scratch = g->scratch[worker];
    const float *dy = window_gradient(g, u, s, n, scratch);
    const float *x = window_input(g, u, s, n, scratch + (size_t)most * (size_t)u->pixels * np);
    g->lanes->gemm(u->k, u->np, rows, x, 1, u->a_row, dy, np, dw, np, s > s0);
    if (u->in > 0)
      g->lanes->gemm(rows, u->kk, u->d.out_c, dy, np, 1, u->wt, (size_t)u->kk,
                     value_at(in, in->dy, s), u->a_row, u->add_in);
  }
}

void linear_back_finish(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  struct value *out = &g->values[u->out];
  float *dw = g->gradients + (size_t)chunk * g->n_params + u->w_at;
  if (u->winograd) {
    winograd_back(g, u, s0, s1, g->scratch[worker], dw);
  } else if (u->windowed) {
    for (int s = s0; s < s1; s++)
      window_back(g, u, s, g->mode == ENGINE_INT8 ? u->wr : g->params + u->w_at, g->scratch[worker],
                  dw, s > s0);
  } else if (u->direct) {
    direct_gradients(g, u, s0, s1, worker, dw);
  } else {
    const struct lanes_normalised how = linear_normalised(u);
    float *dy = value_at(out, out->dy, s0);
    if (linear_normalises(g, u))
      g->lanes->normalise_back(&how, (s1 - s0) * u->pixels, u->np, dy, value_at(out, u->z, s0), dy);
    gathered_gradients(g, u, s0, s1, worker, dw);
  }
  if (g->mode == ENGINE_INT8) { /* the input was in steps of its scale */
    const float unit = g->values[u->in].scale;
    for (size_t i = 0; i < (size_t)u->k * (size_t)u->np; i++) dw[i] *= unit;
  }
}

/* The transpose of w [k][np], to rows of `row`; 16 columns at a time, whose lines then stay in the cache. */
static void transpose(const float *w, int k, int np, int n, float *wt, size_t row) {
  for (int k0 = 0; k0 < k; k0 += 256)
    for (int n0 = 0; n0 < n; n0 += LANES)
      for (int j = n0; j < n && j < n0 + LANES; j++)
        for (int i = k0; i < k && i < k0 + 256; i++)
          wt[(size_t)j * row + (size_t)i] = w[(size_t)i * (size_t)np + (size_t)j];
}

void linear_transpose(struct engine *g, struct unit *u) {
  if (!u->wt) return;
  const float *w = g->mode == ENGINE_INT8 ? u->wr : g->params + u->w_at;
  if (!u->windowed) {
    transpose(w, u->k, u->np, u->d.out_c, u->wt, (size_t)u->kk);
    return;
  }
  const struct value *in = &g->values[u->in];
  const size_t cs = (size_t)in->cs;
  for (int t = 0; t < u->d.kernel_h * u->d.kernel_w; t++)
    transpose(w + (size_t)t * (size_t)in->c * (size_t)u->np, in->c, u->np, u->d.out_c,
              u->wt + (size_t)t * (size_t)u->d.out_c * cs, cs);
  if (u->winograd) winograd_prepare_back(g, u);
}

/* ---- integers -------------------------------------------------------------------------------- */
static struct lanes_requantise requantise_of(const struct engine *g, const struct unit *u) {
  return (struct lanes_requantise){u->bias, u->multiplier,        u->left, u->right,
                                   u->real, g->values[u->out].zp, u->low,  u->high};
}

static void products_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const struct value *out = &g->values[u->out];
  const struct lanes_requantise how = requantise_of(g, u);
  const size_t np = (size_t)u->np;
  const int rows = (s1 - s0) * u->pixels;
  float *tile = g->scratch[worker], *part = tile + (size_t)u->tile * (size_t)u->kk;
  int32_t *sum = (int32_t *)(void *)(part + (size_t)u->tile * np);
  float *y = value_at(out, out->y, s0);
  for (int m0 = 0; m0 < rows; m0 += u->tile, y += (size_t)u->tile * np) {
    const int n = rows - m0 < u->tile ? rows - m0 : u->tile;
    size_t a_row;
    const float *a = engine_gather(g, u, s0, m0, n, tile, &a_row);
    for (int k0 = 0; k0 < u->k; k0 += SLICE) {
      const int k = u->k - k0 < SLICE ? u->k - k0 : SLICE;
      /* The slice before is an exact integer: it moves to int32 before the next takes its place. */
      if (k0 == SLICE) memset(sum, 0, (size_t)n * np * sizeof *sum);
      for (size_t i = 0; k0 > 0 && i < (size_t)n * np; i++) sum[i] += (int32_t)part[i];
      g->lanes->gemm(n, u->np, k, a + k0, a_row, 1, u->wq + (size_t)k0 * np, np, part, np, false);
    }
    g->lanes->requantise(n, u->np, &how, part, u->k > SLICE ? sum : NULL, y, u->seen[chunk]);
  }
}

static void windows_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const struct value *out = &g->values[u->out];
  const struct lanes_requantise how = requantise_of(g, u);
  for (int s = s0; s < s1; s++) {
    float *y = value_at(out, out->y, s);
    const int32_t *sum = NULL;
    if (u->d.kind == TRAIN_DEPTHWISE)
      window_forward(g, u, s, u->wq, g->scratch[worker], y);
    else
      sum = window_forward_slices(g, u, s, SLICE, g->scratch[worker], y);
    g->lanes->requantise(u->pixels, u->np, &how, y, sum, y, u->seen[chunk]);
  }
}

/* Depthwise sums are never longer than a slice (network.c bounds the taps) and have no rows of a matrix to gather. A
 * convolution is sliced between rows of its window, if one is short enough. */
void linear_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker) {
  const bool depthwise = u->d.kind == TRAIN_DEPTHWISE;
  if (depthwise || (u->windowed && u->window.kernel_w * g->values[u->in].c <= SLICE))
    windows_int8(g, u, s0, s1, chunk, worker);
  else
    products_int8(g, u, s0, s1, chunk, worker);
}
