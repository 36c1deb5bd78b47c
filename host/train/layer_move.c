/* train/layer_move: layers that leave values as they are: dropout, rows as pixels, the last row, repeated pixels, and
 * another scale of the same values. */
#include "host/train/engine.h"

#include <string.h>

/* ---- dropout -------------------------------------------------------------------------- */
/* source of droppath: Larsson et al. 2017, FractalNet; there one path at least is kept, here each is drawn by itself. */
static void dropout(struct engine *g, const struct unit *u, int s, const float *x, float *y,
                    bool add) {
  const uint64_t seed = train_mix(g->dropout_seed, (uint64_t)u->out, (uint64_t)s);
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  const float rate = g->mode == ENGINE_TRAIN ? u->d.rate : 0.0f;
  if (!u->d.whole || rate == 0.0f) {
    g->lanes->dropout(n, (uint32_t)(seed >> 32), rate, x, y, add);
    return;
  }
  const bool kept = (float)(seed >> 40) >= rate * 0x1p24f;
  if (!add) memset(y, 0, n * sizeof *y);
  if (kept) g->lanes->add_scaled(n, x, 1.0f / (1.0f - rate), y);
}

/* ---- elements elsewhere ------------------------------------------------------------------ */
/* A run of channels of the input and its place in the output, of which there may be several. */
struct run {
  size_t from, to;
  int n; /* channels */
};

/* The run that pixel p of the output takes; of SEQUENCE, that pixel p of the input gives. */
static struct run run_of(const struct unit *u, const struct value *in, const struct value *out,
                         int p) {
  struct run r = {(size_t)p * (size_t)in->cs, (size_t)p * (size_t)out->cs, in->c};
  if (u->d.kind == TRAIN_SEQUENCE)
    r.to = (size_t)(p / in->w) * (size_t)out->cs + (size_t)(p % in->w) * (size_t)in->c;
  else if (u->d.kind == TRAIN_LAST)
    r.from = ((size_t)(in->h - 1) * (size_t)in->w + (size_t)p) * (size_t)in->cs;
  else if (u->d.kind == TRAIN_UPSAMPLE)
    r.from = ((size_t)(p / out->w / u->d.kernel_h) * (size_t)in->w +
              (size_t)(p % out->w / u->d.kernel_w)) *
             (size_t)in->cs;
  return r;
}

static int runs_of(const struct unit *u, const struct value *in) {
  return u->d.kind == TRAIN_SEQUENCE ? in->h * in->w : u->pixels;
}

static void copy(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  for (int s = s0; s < s1; s++)
    for (int p = 0; p < runs_of(u, in); p++) {
      const struct run r = run_of(u, in, out, p);
      memcpy(value_at(out, out->y, s) + r.to, value_at(in, in->y, s) + r.from,
             (size_t)r.n * sizeof(float));
    }
}

static void forward(struct engine *g, struct unit *u, int s0, int s1) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  if (u->d.kind != TRAIN_DROPOUT) {
    copy(g, u, s0, s1);
    return;
  }
  for (int s = s0; s < s1; s++)
    dropout(g, u, s, value_at(in, in->y, s), value_at(out, out->y, s), false);
}

static void back(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  (void)chunk;
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const size_t n_in = (size_t)in->h * (size_t)in->w * (size_t)in->cs;
  for (int s = s0; s < s1 && u->in > 0; s++) {
    float *dx = value_at(in, in->dy, s), *dy = value_at(out, out->dy, s);
    if (u->d.kind == TRAIN_DROPOUT) {
      dropout(g, u, s, dy, dx, u->add_in);
      continue;
    }
    if (g->mode == ENGINE_INT8 && u->d.kind == TRAIN_REQUANTISE)
      g->lanes->mask((size_t)u->pixels * (size_t)u->np, value_at(out, out->y, s),
                     (float)(-128 - out->zp), (float)(127 - out->zp), dy);
    if (!u->add_in) memset(dx, 0, n_in * sizeof *dx);
    for (int p = 0; p < runs_of(u, in); p++) {
      const struct run r = run_of(u, in, out, p);
      for (int c = 0; c < r.n; c++) dx[r.from + (size_t)c] += dy[r.to + (size_t)c];
    }
  }
}

static void forward_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  if (u->d.kind == TRAIN_REQUANTISE) {
    engine_table_int8(g, u, s0, s1, u->seen[chunk]);
    return;
  }
  if (u->d.kind != TRAIN_DROPOUT) {
    copy(g, u, s0, s1);
    return;
  }
  for (int s = s0; s < s1; s++)
    memcpy(value_at(out, out->y, s), value_at(in, in->y, s),
           (size_t)u->pixels * (size_t)u->np * sizeof(float));
}

const struct family family_move = {forward, forward_int8, back};
