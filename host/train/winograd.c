/* train/winograd: windows of 3x3 with a stride of 1 between many channels, by Winograd's F(4x4, 3x3).
 *
 * Tiles of the input and of the weights are transformed into 36 places; for each place a product over the channels; what
 * comes out is transformed back into 4x4 outputs. The gradient of the input is the same with the window turned; that of
 * the weights is a product over the tiles, summed in the 36 places through all samples of a chunk and transformed once. Some
 * tiles at a time, so that they stay in the cache between the three steps.
 *
 * The transforms cost a digit: only for floats. The quantised pass, whose integers must stay exact, never comes here;
 * the gradients that follow it do. */
#include "host/train/window.h"

#include <string.h>

#define PLACES       36
#define TILES        32        /* rows of a product: enough that its call does not count */
#define MOST_WEIGHTS (1 << 18) /* floats of transformed weights: half of a second-level cache */
#define TILED(n)     (((n) + 3) / 4) /* tiles of 4 over n */

/* One way through: [tiles_h][tiles_w] tiles of a sample, `rows` rows of them at a time; from k channels to n. */
struct way {
  int tiles_h, tiles_w, rows, k, n;
};

static struct way way_of(int out_h, int out_w, int k, int n) {
  struct way w = {TILED(out_h), TILED(out_w), 1, k, n};
  w.rows = TILES / w.tiles_w;
  w.rows = w.rows < 1 ? 1 : w.rows > w.tiles_h ? w.tiles_h : w.rows;
  return w;
}

/* From one place to the next: a line more than n tiles of c, or the places of a tile would lie in the same few sets of a
 * cache. */
static ptrdiff_t way_next(int n, int c) { return (ptrdiff_t)n * c + LANES; }

static size_t way_floats(const struct way *w) {
  const int tiles = w->rows * w->tiles_w;
  return (size_t)PLACES * (size_t)(way_next(tiles, w->k) + way_next(tiles, w->n));
}

/* A map with room for whole tiles: their last inputs lie 2 behind their outputs. */
static struct room tiled(struct room r, int out_h, int out_w) {
  r.h = 4 * TILED(out_h) + 2;
  r.w = 4 * TILED(out_w) + 2;
  return r;
}

/* ---- set-up --------------------------------------------------------------------- */
bool winograd_takes(const struct engine *g, const struct unit *u) {
  const struct lanes_window *p = &u->window;
  const struct value *in = &g->values[u->in];
  const int covered = 16 * TILED(p->out_h) * TILED(p->out_w);
  return u->d.kind == TRAIN_CONV && p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 &&
         p->stride_w == 1 && p->dilation_h == 1 && p->dilation_w == 1 && in->c == in->cs &&
         in->cs % LANES == 0 && u->d.out_c == u->np && 2 * covered <= 3 * p->out_h * p->out_w &&
         PLACES * in->cs * u->np <= MOST_WEIGHTS;
}

size_t winograd_scratch(const struct engine *g, const struct unit *u) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct way there = way_of(out->h, out->w, in->cs, u->np),
                   back = way_of(in->h, in->w, u->np, in->cs);
  const struct room around = tiled(window_input_room(u), out->h, out->w),
                    beyond = tiled(window_output_room(u), in->h, in->w);
  const size_t tiles =
      way_floats(&there) > way_floats(&back) ? way_floats(&there) : way_floats(&back);
  return window_room_floats(&around, in->h, in->w, in->cs) +
         window_room_floats(&beyond, out->h, out->w, u->np) + tiles +
         (size_t)PLACES * (size_t)in->cs * (size_t)u->np;
}

void winograd_memory(struct engine *g, struct unit *u, bool backward) {
  const size_t n = (size_t)PLACES * (size_t)g->values[u->in].cs * (size_t)u->np;
  u->places = ARENA_ARRAY(g->arena, float, n);
  if (backward && u->in > 0) u->places_back = ARENA_ARRAY(g->arena, float, n);
}

void winograd_prepare(struct engine *g, struct unit *u) {
  g->lanes->winograd_weights(g->values[u->in].cs, u->np, g->params + u->w_at, false, u->places);
}

void winograd_prepare_back(struct engine *g, struct unit *u) {
  if (u->places_back)
    g->lanes->winograd_weights(u->np, g->values[u->in].cs, u->wt, true, u->places_back);
}

/* ---- one way ------------------------------------------------------------------------ */
/* From a map with room to the outputs of windows over it. */
static void through(struct engine *g, const struct way *w, const float *x, ptrdiff_t row,
                    const float *places, int out_h, int out_w, float *scratch, float *y,
                    bool accumulate) {
  for (int ty = 0; ty < w->tiles_h; ty += w->rows) {
    const int rows = w->tiles_h - ty < w->rows ? w->tiles_h - ty : w->rows, n = rows * w->tiles_w;
    const struct lanes_tiles in = {.h = rows,
                                   .w = w->tiles_w,
                                   .c = w->k,
                                   .row = row,
                                   .next = way_next(n, w->k)},
                             out = {.h = rows,
                                    .w = w->tiles_w,
                                    .c = w->n,
                                    .row = (ptrdiff_t)out_w * w->n,
                                    .next = way_next(n, w->n),
                                    .out_h = out_h - 4 * ty,
                                    .out_w = out_w};
    const struct lanes_product p = {.more = PLACES - 1,
                                    .a_next = in.next,
                                    .b_next = (ptrdiff_t)w->k * w->n,
                                    .c_next = out.next,
                                    .lines = 1,
                                    .m = n,
                                    .n = w->n,
                                    .outer = 1,
                                    .inner = 1,
                                    .k = w->k,
                                    .a_row = w->k,
                                    .a_k = 1,
                                    .b_k = w->n,
                                    .c_row = w->n};
    float *sums = scratch + PLACES * in.next;
    g->lanes->winograd_in(&in, x + 4 * ty * row, scratch);
    g->lanes->product(&p, scratch, places, sums, false);
    g->lanes->winograd_out(&out, sums, y + 4 * ty * out.row, accumulate);
  }
}

void winograd_forward(struct engine *g, const struct unit *u, int s, float *scratch, float *y) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct way way = way_of(out->h, out->w, in->cs, u->np);
  const struct room around = tiled(window_input_room(u), out->h, out->w);
  const struct source from = window_input_of(g, u, s);
  ptrdiff_t row;
  const float *x = window_with_room(g, &around, in->h, in->w, in->cs, &from, scratch, &row);
  through(g, &way, x, row, u->places, out->h, out->w,
          scratch + window_room_floats(&around, in->h, in->w, in->cs), y, false);
}

/* ---- back ------------------------------------------------------------------------------ */
/* Adds to the gradients of the transformed weights. */
static void weights_back(struct engine *g, const struct way *w, const float *x, ptrdiff_t row,
                         const float *dy, ptrdiff_t dy_row, float *scratch, float *places,
                         bool accumulate) {
  for (int ty = 0; ty < w->tiles_h; ty += w->rows) {
    const int rows = w->tiles_h - ty < w->rows ? w->tiles_h - ty : w->rows, n = rows * w->tiles_w;
    const struct lanes_tiles
        in = {.h = rows, .w = w->tiles_w, .c = w->k, .row = row, .next = way_next(n, w->k)},
        out = {.h = rows, .w = w->tiles_w, .c = w->n, .row = dy_row, .next = way_next(n, w->n)};
    const struct lanes_product p = {.more = PLACES - 1,
                                    .a_next = in.next,
                                    .b_next = out.next,
                                    .c_next = (ptrdiff_t)w->k * w->n,
                                    .lines = 1,
                                    .m = w->k,
                                    .n = w->n,
                                    .outer = 1,
                                    .inner = 1,
                                    .k = n,
                                    .a_row = 1,
                                    .a_k = w->k,
                                    .b_k = w->n,
                                    .c_row = w->n};
    float *gradients = scratch + PLACES * in.next;
    g->lanes->winograd_in(&in, x + 4 * ty * row, scratch);
    g->lanes->winograd_back(&out, dy + 4 * ty * dy_row, gradients);
    g->lanes->product(&p, scratch, gradients, places, accumulate || ty > 0);
  }
}

void winograd_back(struct engine *g, const struct unit *u, int s0, int s1, float *scratch,
                   float *dw) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct way there = way_of(out->h, out->w, in->cs, u->np),
                   back = way_of(in->h, in->w, u->np, in->cs);
  const struct room around = tiled(window_input_room(u), out->h, out->w),
                    beyond = tiled(window_output_room(u), in->h, in->w);
  float *places = scratch, *x_room = places + (size_t)PLACES * (size_t)in->cs * (size_t)u->np,
        *dy_room = x_room + window_room_floats(&around, in->h, in->w, in->cs),
        *tiles = dy_room + window_room_floats(&beyond, out->h, out->w, u->np);
  for (int s = s0; s < s1; s++) {
    const struct source from = window_input_of(g, u, s), gradient = window_gradient_of(g, u, s);
    ptrdiff_t row, dy_row;
    const float *x = window_with_room(g, &around, in->h, in->w, in->cs, &from, x_room, &row);
    const float *dz =
        window_with_room(g, &beyond, out->h, out->w, u->np, &gradient, dy_room, &dy_row);
    weights_back(g, &there, x, row, dz + beyond.top * dy_row + (ptrdiff_t)beyond.left * u->np,
                 dy_row, tiles, places, s > s0);
    if (u->in > 0)
      through(g, &back, dz, dy_row, u->places_back, in->h, in->w, tiles, value_at(in, in->dy, s),
              u->add_in);
  }
  g->lanes->winograd_weights_back(in->cs, u->np, places, dw);
}
