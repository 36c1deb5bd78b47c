/* train/layer_merge: layers of several inputs: sum and product, whose second input may be 1 high or wide or a vector and
 * is then repeated, and channels behind each other. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

static size_t elements(const struct value *v) {
  return (size_t)v->h * (size_t)v->w * (size_t)v->cs;
}

static bool same_shape(const struct value *a, const struct value *b) {
  return a->h == b->h && a->w == b->w;
}

/* Where the second input has what belongs to pixel p of the first. */
static size_t repeated(const struct value *a, const struct value *b, int p) {
  const int y = b->h == 1 ? 0 : p / a->w, x = b->w == 1 ? 0 : p % a->w;
  return ((size_t)y * (size_t)b->w + (size_t)x) * (size_t)b->cs;
}

/* ---- forward -------------------------------------------------------------------------- */
static void add_forward(const struct engine *g, const struct unit *u, const struct value *a,
                        const struct value *b, const float *x, const float *z, float *y) {
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  const bool relu = u->d.activation != TRAIN_LINEAR;
  if (same_shape(a, b))
    g->lanes->add(n, x, z, relu, y);
  else
    for (int p = 0; p < u->pixels; p++)
      g->lanes->add((size_t)u->np, x + (size_t)p * (size_t)u->np, z + repeated(a, b, p), relu,
                    y + (size_t)p * (size_t)u->np);
}

static void multiply_forward(const struct unit *u, const struct value *a, const struct value *b,
                             const float *x, const float *z, float *y) {
  const bool relu = u->d.activation != TRAIN_LINEAR;
  for (int p = 0; p < u->pixels; p++, x += u->np, y += u->np) {
    const float *k = z + repeated(a, b, p);
    for (int c = 0; c < u->np; c++) {
      const float product = x[c] * k[c];
      y[c] = relu && product < 0.0f ? 0.0f : product;
    }
  }
}

/* Input k's channels into their place, or from there. */
static void copy_channels(const float *from, int from_row, float *to, int to_row, int pixels,
                          int c) {
  for (int p = 0; p < pixels; p++)
    memcpy(to + (size_t)p * (size_t)to_row, from + (size_t)p * (size_t)from_row,
           (size_t)c * sizeof *to);
}

static void concat_forward(struct engine *g, struct unit *u, int s) {
  const struct value *out = &g->values[u->out];
  float *y = value_at(out, out->y, s);
  for (int k = 0; k < unit_inputs(u); k++) {
    const struct value *in = &g->values[unit_input(u, k)];
    copy_channels(value_at(in, in->y, s), in->cs, y, out->cs, u->pixels, in->c);
    y += in->c;
  }
}

static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *a = &g->values[u->in], *b = &g->values[u->also], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++) {
    if (u->d.kind == TRAIN_CONCAT) {
      concat_forward(g, u, s);
      continue;
    }
    const float *x = value_at(a, a->y, s), *z = value_at(b, b->y, s);
    float *y = value_at(out, out->y, s);
    if (u->d.kind == TRAIN_ADD)
      add_forward(g, u, a, b, x, z, y);
    else
      multiply_forward(u, a, b, x, z, y);
    if (u->d.activation == TRAIN_RELU6) g->lanes->limit((size_t)u->pixels * (size_t)u->np, 6.0f, y);
  }
}

/* ---- backward ------------------------------------------------------------------------- */
static void give(const struct lanes *lanes, size_t n, const float *dy, float *dx, bool add) {
  if (add)
    lanes->add_scaled(n, dy, 1.0f, dx);
  else if (dx != dy)
    memcpy(dx, dy, n * sizeof *dx);
}

static void add_back(struct engine *g, struct unit *u, int s) {
  const struct value *a = &g->values[u->in], *b = &g->values[u->also], *out = &g->values[u->out];
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  const float *dy = value_at(out, out->dy, s);
  if (u->in > 0) give(g->lanes, n, dy, value_at(a, a->dy, s), u->add_in);
  if (u->also == 0) return;
  float *dz = value_at(b, b->dy, s);
  if (same_shape(a, b)) {
    give(g->lanes, n, dy, dz, u->add_also);
    return;
  }
  if (!u->add_also) memset(dz, 0, elements(b) * sizeof *dz);
  for (int p = 0; p < u->pixels; p++)
    g->lanes->add_scaled((size_t)u->np, dy + (size_t)p * (size_t)u->np, 1.0f,
                         dz + repeated(a, b, p));
}

static void multiply_back(struct engine *g, struct unit *u, int s) {
  const struct value *a = &g->values[u->in], *b = &g->values[u->also], *out = &g->values[u->out];
  /* Integer values are steps: gradients are of real ones. */
  const float unit_a = g->mode == ENGINE_INT8 ? a->scale : 1.0f,
              unit_b = g->mode == ENGINE_INT8 ? b->scale : 1.0f;
  const float *dy = value_at(out, out->dy, s), *x = value_at(a, a->y, s), *z = value_at(b, b->y, s);
  float *dx = u->in > 0 ? value_at(a, a->dy, s) : NULL,
        *dz = u->also > 0 ? value_at(b, b->dy, s) : NULL;
  if (dx && !u->add_in) memset(dx, 0, elements(a) * sizeof *dx);
  if (dz && !u->add_also) memset(dz, 0, elements(b) * sizeof *dz);
  for (int p = 0; p < u->pixels; p++) {
    const size_t i = (size_t)p * (size_t)u->np, j = repeated(a, b, p);
    for (int c = 0; dx && c < u->np; c++)
      dx[i + (size_t)c] += dy[i + (size_t)c] * (z[j + (size_t)c] * unit_b);
    for (int c = 0; dz && c < u->np; c++)
      dz[j + (size_t)c] += dy[i + (size_t)c] * (x[i + (size_t)c] * unit_a);
  }
}

static void concat_back(struct engine *g, struct unit *u, int s) {
  const struct value *out = &g->values[u->out];
  const float *dy = value_at(out, out->dy, s);
  for (int k = 0; k < unit_inputs(u); k++) {
    const int input = unit_input(u, k);
    const struct value *in = &g->values[input];
    float *dx = input > 0 ? value_at(in, in->dy, s) : NULL;
    if (dx && !*unit_adds(u, k)) {
      memset(dx, 0, elements(in) * sizeof *dx);
      copy_channels(dy, out->cs, dx, in->cs, u->pixels, in->c);
    } else if (dx) {
      for (int p = 0; p < u->pixels; p++)
        for (int c = 0; c < in->c; c++) dx[p * in->cs + c] += dy[p * out->cs + c];
    }
    dy += in->c;
  }
}

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  (void)chunk;
  const struct value *out = &g->values[u->out];
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  for (int s = s0; s < s1; s++) {
    float *dy = value_at(out, out->dy, s);
    const float *y = value_at(out, out->y, s);
    if (u->d.kind == TRAIN_CONCAT) {
      concat_back(g, u, s);
      continue;
    }
    if (g->mode == ENGINE_INT8)
      g->lanes->mask(n, y, (float)(u->low - out->zp), (float)(u->high - out->zp), dy);
    else if (u->d.activation != TRAIN_LINEAR)
      g->lanes->mask(n, y, 0.0f, u->d.activation == TRAIN_RELU6 ? 6.0f : INFINITY, dy);
    if (u->d.kind == TRAIN_ADD)
      add_back(g, u, s);
    else
      multiply_back(g, u, s);
  }
}

/* ---- integers ------------------------------------------------------------------------- */
static void add_int8(const struct engine *g, struct unit *u, const float *x, const float *b,
                     float *y, float seen[2]) {
  const struct value *va = &g->values[u->in], *vb = &g->values[u->also], *out = &g->values[u->out];
  const struct graph_add_scaling *k = &u->add;
  for (int p = 0; p < u->pixels; p++, x += u->np, y += u->np) {
    const float *z = b + repeated(va, vb, p);
    for (int c = 0; c < u->d.out_c; c++) {
      see(seen, x[c] * va->scale + z[c] * vb->scale);
      /* |q - zp| <= 255: times 2^20 fits. */
      const int32_t x0 =
          mote_requantise((int32_t)x[c] * (1 << k->left_shift), k->multiplier[0], k->shift[0]);
      const int32_t x1 =
          mote_requantise((int32_t)z[c] * (1 << k->left_shift), k->multiplier[1], k->shift[1]);
      y[c] = step_of(u, out->zp, mote_requantise(x0 + x1, k->out_multiplier, k->out_shift));
    }
  }
}

static void multiply_int8(const struct engine *g, struct unit *u, const float *x, const float *b,
                          float *y, float seen[2]) {
  const struct value *va = &g->values[u->in], *vb = &g->values[u->also], *out = &g->values[u->out];
  const float unit = va->scale * vb->scale;
  for (int p = 0; p < u->pixels; p++, x += u->np, y += u->np) {
    const float *z = b + repeated(va, vb, p);
    for (int c = 0; c < u->d.out_c; c++) {
      const int32_t product = (int32_t)x[c] * (int32_t)z[c]; /* |.| <= 255 * 255 */
      see(seen, (float)product * unit);
      y[c] = step_of(u, out->zp, mote_requantise(product, u->product_multiplier, u->product_shift));
    }
  }
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct value *a = &g->values[u->in], *b = &g->values[u->also], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++) {
    if (u->d.kind == TRAIN_CONCAT)
      concat_forward(g, u, s); /* one scale for all */
    else if (u->d.kind == TRAIN_ADD)
      add_int8(g, u, value_at(a, a->y, s), value_at(b, b->y, s), value_at(out, out->y, s),
               u->seen[chunk]);
    else
      multiply_int8(g, u, value_at(a, a->y, s), value_at(b, b->y, s), value_at(out, out->y, s),
                    u->seen[chunk]);
  }
}

const struct family family_merge = {forward, forward_int8, back};
