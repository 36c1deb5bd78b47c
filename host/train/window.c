/* train/window: convolutions over windows that are never gathered.
 *
 * A sample with its padding lies in a worker's scratch, where every window is a run of distances that lanes_product
 * describes: rows of the output are its lines, pixels its rows. Three products go over it. Forward, the sum runs through
 * the window. For the gradient of the weights, rows run through the window and the sum through the pixels. For the gradient
 * of the input, each pixel of it sums the outputs that it went into: with strides these are other taps for each remainder of
 * its place, so each remainder has a product of its own, over every stride-th pixel, and no product is with a zero.
 *
 * needs: float32, or integers that it holds exactly; the order of a sum is that of the taps. */
#include "host/train/window.h"

#include <string.h>

/* ---- a map with room around ---------------------------------------------------------- */
struct room window_input_room(const struct unit *u) {
  const struct lanes_window *p = &u->window;
  return (struct room){p->pad_top, p->pad_left,
                       (p->out_h - 1) * p->stride_h + (p->kernel_h - 1) * p->dilation_h + 1,
                       (p->out_w - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1};
}

/* Outputs beyond the map that the gradient of the input reaches for, along one axis. */
static void reach(int in, int out, int kernel, int stride, int dilation, int pad, int *before,
                  int *whole) {
  const int first = (kernel - 1) * dilation - pad, last = (in - 1 + pad) / stride;
  *before = first > 0 ? (first + stride - 1) / stride : 0;
  *whole = *before + (last > out - 1 ? last + 1 : out);
}

struct room window_output_room(const struct unit *u) {
  const struct lanes_window *p = &u->window;
  struct room r;
  reach(p->in_h, p->out_h, p->kernel_h, p->stride_h, p->dilation_h, p->pad_top, &r.top, &r.h);
  reach(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left, &r.left, &r.w);
  return r;
}

/* At least the map's own. */
size_t window_room_floats(const struct room *r, int h, int w, int c) {
  const size_t most_h = (size_t)(r->h > h ? r->h : h), most_w = (size_t)(r->w > w ? r->w : w);
  return (most_h * most_w * (size_t)c + LANES - 1) / LANES * LANES;
}

struct source window_input_of(const struct engine *g, const struct unit *u, int s) {
  const struct value *in = &g->values[u->in];
  if (g->mode != ENGINE_TRAIN || !in->passing) return (struct source){.x = value_at(in, in->y, s)};
  const struct unit *maker = &g->units[u->in - 1];
  return (struct source){.z = value_at(in, maker->z, s), .how = linear_normalised(maker)};
}

struct source window_gradient_of(const struct engine *g, const struct unit *u, int s) {
  const struct value *out = &g->values[u->out];
  if (!linear_normalises(g, u)) return (struct source){.x = value_at(out, out->dy, s)};
  return (struct source){.x = value_at(out, out->dy, s),
                         .z = value_at(out, u->z, s),
                         .back = true,
                         .how = linear_normalised(u)};
}

static void make_pixels(const struct engine *g, const struct source *from, ptrdiff_t at, int pixels,
                        int c, float *to) {
  if (!from->z)
    memcpy(to, from->x + at, (size_t)pixels * (size_t)c * sizeof *to);
  else if (from->back)
    g->lanes->normalise_back(&from->how, pixels, c, from->x + at, from->z + at, to);
  else
    g->lanes->normalise(&from->how, pixels, c, from->z + at, to);
}

/* The map [h][w][c] in its room; where it lies if that will do. *row: from one row to the next. */
const float *window_with_room(const struct engine *g, const struct room *r, int h, int w, int c,
                              const struct source *from, float *scratch, ptrdiff_t *row) {
  *row = (ptrdiff_t)w * c;
  if (r->top == 0 && r->left == 0 && r->h <= h && r->w <= w) {
    if (!from->z) return from->x;
    make_pixels(g, from, 0, r->h * w, c, scratch);
    return scratch;
  }
  *row = (ptrdiff_t)r->w * c;
  const int within = r->w - r->left < w ? r->w - r->left : w, behind = r->w - r->left - within;
  float *to = scratch;
  for (int y = 0; y < r->h; y++, to += *row) {
    const int at = y - r->top;
    if (at < 0 || at >= h) {
      memset(to, 0, (size_t)*row * sizeof *to);
      continue;
    }
    memset(to, 0, (size_t)r->left * (size_t)c * sizeof *to);
    make_pixels(g, from, (ptrdiff_t)at * w * c, within, c, to + (ptrdiff_t)r->left * c);
    memset(to + (ptrdiff_t)(r->left + within) * c, 0, (size_t)behind * (size_t)c * sizeof *to);
  }
  return scratch;
}

const float *window_input(const struct engine *g, const struct unit *u, int s, int n,
                          float *scratch) {
  const struct value *in = &g->values[u->in];
  const struct source from = window_input_of(g, u, s);
  if (!from.z) return from.x;
  make_pixels(g, &from, 0, n * in->h * in->w, in->cs, scratch);
  return scratch;
}

const float *window_gradient(const struct engine *g, const struct unit *u, int s, int n,
                             float *scratch) {
  const struct source from = window_gradient_of(g, u, s);
  if (!from.z) return from.x;
  make_pixels(g, &from, 0, n * u->pixels, u->np, scratch);
  return scratch;
}

/* Where maps are one pixel wide, pixels follow each other in lines: they become rows. */
static void turn_narrow(struct lanes_product *p) {
  if (p->m != 1) return;
  p->m = p->lines;
  p->a_row = p->a_line;
  p->c_row = p->c_line;
  p->lines = 1;
}

/* ---- set-up --------------------------------------------------------------------------- */
bool window_takes(const struct unit *u) {
  const struct lanes_window *p = &u->window;
  if (u->d.kind == TRAIN_DEPTHWISE) return true;
  /* A window as large as the map would mostly meet zeros on its way back: gathering costs less. */
  return u->d.kind == TRAIN_CONV && !u->direct &&
         (int64_t)p->in_h * p->in_w <=
             2 * (int64_t)p->out_h * p->out_w * p->stride_h * p->stride_w + 64;
}

size_t window_scratch(const struct engine *g, const struct unit *u) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct room around = window_input_room(u), beyond = window_output_room(u);
  const size_t pixels = (size_t)u->pixels * (size_t)u->np;
  if (!u->windowed)
    return (size_t)linear_at_once(u) * ((size_t)in->h * (size_t)in->w * (size_t)in->cs + pixels);
  return window_room_floats(&around, in->h, in->w, in->cs) +
         window_room_floats(&beyond, out->h, out->w, u->np) + 2 * pixels;
}

/* ---- forward -------------------------------------------------------------------------- */
static struct lanes_product forward_product(const struct unit *u, const struct value *in,
                                            ptrdiff_t row) {
  const struct lanes_window *w = &u->window;
  const bool together = in->cs == in->c && w->dilation_w == 1; /* a row of the window */
  const ptrdiff_t np = u->np, cs = in->cs;
  struct lanes_product p = {.lines = w->out_h,
                            .m = w->out_w,
                            .n = u->np,
                            .outer = w->kernel_h,
                            .inner = together ? 1 : w->kernel_w,
                            .k = together ? w->kernel_w * in->c : in->c,
                            .a_line = w->stride_h * row,
                            .a_row = w->stride_w * cs,
                            .a_outer = w->dilation_h * row,
                            .a_inner = w->dilation_w * cs,
                            .a_k = 1,
                            .b_outer = (ptrdiff_t)w->kernel_w * in->c * np,
                            .b_inner = in->c * np,
                            .b_k = np,
                            .c_line = (ptrdiff_t)w->out_w * np,
                            .c_row = np};
  if (u->d.kind == TRAIN_DEPTHWISE) {
    p.inner = w->kernel_w;
    p.b_outer = w->kernel_w * np;
    p.b_inner = np;
  }
  turn_narrow(&p);
  return p;
}

void window_forward(struct engine *g, const struct unit *u, int s, const float *w, float *scratch,
                    float *y) {
  const struct value *in = &g->values[u->in];
  const struct room room = window_input_room(u);
  ptrdiff_t row;
  const struct source from = window_input_of(g, u, s);
  const float *x = window_with_room(g, &room, in->h, in->w, in->cs, &from, scratch, &row);
  const struct lanes_product p = forward_product(u, in, row);
  if (u->d.kind == TRAIN_DEPTHWISE)
    g->lanes->depthwise(&p, x, w, y, false);
  else
    g->lanes->product(&p, x, w, y, false);
}

int32_t *window_forward_slices(struct engine *g, const struct unit *u, int s, int most,
                               float *scratch, float *y) {
  const struct value *in = &g->values[u->in];
  const struct room room = window_input_room(u);
  const size_t n = (size_t)u->pixels * (size_t)u->np;
  ptrdiff_t row;
  const struct source from = window_input_of(g, u, s);
  const float *x = window_with_room(g, &room, in->h, in->w, in->cs, &from, scratch, &row);
  struct lanes_product p = forward_product(u, in, row);
  const int line = u->window.kernel_w * in->c, rows = most / line;
  int32_t *sum = (int32_t *)(void *)(scratch + window_room_floats(&room, in->h, in->w, in->cs));
  for (int k = 0; k < u->window.kernel_h; k += rows) {
    for (size_t i = 0; k > 0 && i < n; i++) sum[i] = (k > rows ? sum[i] : 0) + (int32_t)y[i];
    p.outer = u->window.kernel_h - k < rows ? u->window.kernel_h - k : rows;
    g->lanes->product(&p, x + k * p.a_outer, u->wq + k * p.b_outer, y, false);
  }
  return u->window.kernel_h > rows ? sum : NULL;
}

/* ---- gradient of the weights ------------------------------------------------------------ */
static void weights_back(struct engine *g, const struct unit *u, const float *x, ptrdiff_t row,
                         const float *dy, ptrdiff_t dy_row, float *dw, bool accumulate) {
  const struct value *in = &g->values[u->in];
  const struct lanes_window *w = &u->window;
  const bool together = in->cs == in->c && w->dilation_w == 1;
  const ptrdiff_t np = u->np, cs = in->cs;
  struct lanes_product p = {.lines = together ? 1 : w->kernel_w,
                            .m = together ? w->kernel_w * in->c : in->c,
                            .n = u->np,
                            .outer = 1,
                            .inner = w->out_h,
                            .k = w->out_w,
                            .a_line = w->dilation_w * cs,
                            .a_row = 1,
                            .a_inner = w->stride_h * row,
                            .a_k = w->stride_w * cs,
                            .b_inner = dy_row,
                            .b_k = np,
                            .c_line = in->c * np,
                            .c_row = np};
  if (w->out_w == 1) {
    p.k = p.inner;
    p.a_k = p.a_inner;
    p.b_k = p.b_inner;
    p.inner = 1;
  }
  for (int ky = 0; ky < w->kernel_h; ky++)
    g->lanes->product(&p, x + ky * w->dilation_h * row, dy,
                      dw + (ptrdiff_t)ky * w->kernel_w * in->c * np, accumulate);
}

/* ---- gradient of the input ---------------------------------------------------------------- */
/* Pixels of one remainder along one axis: the first and how many, and the taps that reach them. */
struct remainder {
  int first, count, tap, taps, tap_step, from, from_step; /* from: of the output with room */
};

static struct remainder remainder_of(int rest, int in, int kernel, int stride, int dilation,
                                     int pad, int before) {
  struct remainder r = {.first = ((rest - pad) % stride + stride) % stride, .tap = -1};
  r.count = r.first < in ? (in - r.first + stride - 1) / stride : 0;
  for (int k = 0; k < kernel; k++)
    if ((r.first + pad - k * dilation) % stride == 0) {
      if (r.taps++ == 0)
        r.tap = k;
      else if (r.taps == 2)
        r.tap_step = k - r.tap;
    }
  if (r.taps == 0) return r;
  r.from = (r.first + pad - r.tap * dilation) / stride + before;
  r.from_step = r.tap_step * dilation / stride;
  return r;
}

static void clear_pixels(const struct value *in, const struct remainder *y,
                         const struct remainder *x, int stride_h, int stride_w, float *dx) {
  for (int i = 0; i < y->count; i++)
    for (int j = 0; j < x->count; j++)
      memset(dx + ((ptrdiff_t)(y->first + i * stride_h) * in->w + x->first + j * stride_w) * in->cs,
             0, (size_t)in->cs * sizeof *dx);
}

static void input_back(struct engine *g, const struct unit *u, const struct room *room,
                       const float *dy, ptrdiff_t row, const float *w, float *dx) {
  const struct value *in = &g->values[u->in];
  const struct lanes_window *win = &u->window;
  const bool depthwise = u->d.kind == TRAIN_DEPTHWISE;
  const ptrdiff_t np = u->np, cs = in->cs, tap = depthwise ? np : u->d.out_c * cs;
  for (int ry = 0; ry < win->stride_h; ry++)
    for (int rx = 0; rx < win->stride_w; rx++) {
      const struct remainder y = remainder_of(ry, win->in_h, win->kernel_h, win->stride_h,
                                              win->dilation_h, win->pad_top, room->top),
                             x = remainder_of(rx, win->in_w, win->kernel_w, win->stride_w,
                                              win->dilation_w, win->pad_left, room->left);
      if (y.taps == 0 || x.taps == 0) {
        if (!u->add_in) clear_pixels(in, &y, &x, win->stride_h, win->stride_w, dx);
        continue;
      }
      struct lanes_product p = {.lines = y.count,
                                .m = x.count,
                                .n = in->cs,
                                .outer = y.taps,
                                .inner = x.taps,
                                .k = u->d.out_c,
                                .a_line = row,
                                .a_row = np,
                                .a_outer = -y.from_step * row,
                                .a_inner = -x.from_step * np,
                                .a_k = 1,
                                .b_outer = (ptrdiff_t)y.tap_step * win->kernel_w * tap,
                                .b_inner = x.tap_step * tap,
                                .b_k = cs,
                                .c_line = (ptrdiff_t)win->stride_h * in->w * cs,
                                .c_row = win->stride_w * cs};
      turn_narrow(&p);
      const float *a = dy + y.from * row + x.from * np,
                  *b = w + ((ptrdiff_t)y.tap * win->kernel_w + x.tap) * tap;
      float *c = dx + ((ptrdiff_t)y.first * in->w + x.first) * cs;
      if (depthwise)
        g->lanes->depthwise(&p, a, b, c, u->add_in);
      else
        g->lanes->product(&p, a, b, c, u->add_in);
    }
}

void window_back(struct engine *g, const struct unit *u, int s, const float *w, float *scratch,
                 float *dw, bool accumulate) {
  const struct value *in = &g->values[u->in], *out = &g->values[u->out];
  const struct room around = window_input_room(u), whole = {0, 0, out->h, out->w},
                    beyond = u->in > 0 ? window_output_room(u) : whole;
  const struct source from = window_input_of(g, u, s), gradient = window_gradient_of(g, u, s);
  ptrdiff_t row, dy_row;
  const float *x = window_with_room(g, &around, in->h, in->w, in->cs, &from, scratch, &row);
  const float *dz =
      window_with_room(g, &beyond, out->h, out->w, u->np, &gradient,
                       scratch + window_room_floats(&around, in->h, in->w, in->cs), &dy_row);
  const float *dy = dz + beyond.top * dy_row + (ptrdiff_t)beyond.left * u->np;
  if (u->d.kind == TRAIN_DEPTHWISE) {
    struct lanes_product p = forward_product(u, in, row);
    if (u->window.out_w == 1) p.c_row = dy_row;
    p.c_line = dy_row;
    g->lanes->depthwise_sums(&p, x, dy, dw, accumulate);
  } else {
    weights_back(g, u, x, row, dy, dy_row, dw, accumulate);
  }
  if (u->in > 0)
    input_back(g, u, &beyond, dz, dy_row, u->d.kind == TRAIN_DEPTHWISE ? w : u->wt,
               value_at(in, in->dy, s));
}
