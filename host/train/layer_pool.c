/* train/layer_pool: average and maximum over windows, and the mean over a whole map. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

/* ---- forward -------------------------------------------------------------------------- */
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

static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++) pool_forward(u, value_at(in, in->y, s), value_at(out, out->y, s));
}

/* ---- backward ------------------------------------------------------------------------- */
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

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  (void)chunk;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t n_in = (size_t)in->h * (size_t)in->w * (size_t)in->cs;
  for (int s = s0; s < s1; s++) {
    float *dy = value_at(out, out->dy, s);
    const float *y = value_at(out, out->y, s);
    if (g->mode == ENGINE_INT8 && u->d.kind == TRAIN_MEAN)
      g->lanes->mask((size_t)u->np, y, (float)(u->low - out->zp), (float)(u->high - out->zp), dy);
    if (u->in == 0) continue;
    float *dx = value_at(in, in->dy, s);
    if (!u->add_in) memset(dx, 0, n_in * sizeof *dx);
    pool_back(u, value_at(in, in->y, s), y, dy, dx);
  }
}

/* ---- integers ------------------------------------------------------------------------- */
/* Windows over values of one scale: zero points cancel in a maximum; an average divides the sum of q itself,
 * halves away from zero, as the reference does. */
static void pool_int8(const struct engine *g, struct unit *u, const float *x, float *y) {
  const struct lanes_window *p = &u->window;
  const int32_t zp = g->values[u->out].zp;
  for (int i = 0; i < u->pixels; i++, y += p->np) {
    const int iy = i / p->out_w * p->stride_h - p->pad_top,
              ix = i % p->out_w * p->stride_w - p->pad_left;
    const int y0 = iy < 0 ? 0 : iy, y1 = iy + p->kernel_h > p->in_h ? p->in_h : iy + p->kernel_h;
    const int x0 = ix < 0 ? 0 : ix, x1 = ix + p->kernel_w > p->in_w ? p->in_w : ix + p->kernel_w;
    const int32_t n = (y1 - y0) * (x1 - x0);
    for (int c = 0; c < u->d.out_c; c++) {
      int32_t sum = 0, most = -128;
      for (int a = y0; a < y1; a++)
        for (int b = x0; b < x1; b++) {
          const int32_t q = (int32_t)x[((ptrdiff_t)a * p->in_w + b) * p->np + c] + zp;
          sum += q;
          most = q > most ? q : most;
        }
      const int32_t average = sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
      y[c] =
          (float)(mote_clamp(u->d.kind == TRAIN_MAX_POOL ? most : average, u->low, u->high) - zp);
    }
  }
}

static void mean_int8(const struct engine *g, struct unit *u, const float *x, float *y,
                      float seen[2]) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct graph_mean_scaling *k = &u->mean_scaling;
  for (int c = 0; c < u->d.out_c; c++) {
    int32_t sum = 0;
    for (int i = 0; i < in->h * in->w; i++)
      sum += (int32_t)x[(size_t)i * (size_t)in->cs + (size_t)c];
    const float real = (float)sum * in->scale / (float)(in->h * in->w);
    see(seen, real);
    y[c] = step_of(u, out->zp, mote_requantise(sum, k->multiplier, k->shift));
  }
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++) {
    const float *x = value_at(in, in->y, s);
    float *y = value_at(out, out->y, s);
    if (u->d.kind == TRAIN_MEAN)
      mean_int8(g, u, x, y, u->seen[chunk]);
    else
      pool_int8(g, u, x, y);
  }
}

const struct family family_pool = {forward, forward_int8, back};
