/* lower: recipes of the operators that move, pick, resize or reduce. See lower.c and private.h.
 *
 * Most are one kernel, `move`: rectangular pieces of the inputs that go to rectangular places of the output. A node's
 * pieces are worked out twice: to learn whether they can go row by row (the form), and to pack them. Row by row they
 * lack the axis of the rows, which the calls go through instead. */
#include "host/compile/private.h"

#include <math.h>
#include <string.h>

static bool has_rows(const struct graph_tensor *t) { return rows_of_tensor(t).rows > 1; }

/* Bytes from one element to the next along each axis. */
struct steps {
  int64_t of[GRAPH_MAX_RANK];
};
static struct steps steps_of(const struct graph_tensor *t) {
  struct steps s;
  int64_t step = size_of(t);
  for (int i = t->rank - 1; i >= 0; i--) {
    s.of[i] = step;
    step *= t->dims[i];
  }
  return s;
}

/* ---- pieces ------------------------------------------------------------------------ */
#define MOST_AXES (MOTE_MAX_AXES + 1)
struct view {
  struct mote_axis axes[MOST_AXES]; /* step[0]: source, step[1]: output */
  int n;
  int64_t from, to;
  int row;
};
struct pieces {
  const struct graph *g;
  const struct work *w;
  struct arena *a; /* NULL: only counts */
  bool by_row;
  struct view *view;
  int n, room;
  bool fills;
  uint8_t value[8];
};

static void add_axis(struct view *v, int64_t n, int64_t from_step, int64_t to_step) {
  v->axes[v->n++] = (struct mote_axis){(uint32_t)n, {(int32_t)from_step, (int32_t)to_step, 0}};
}
/* The axis that calls go through, where they do. */
static void add_row_axis(const struct pieces *p, struct view *v, int64_t n, int64_t from_step,
                         int64_t to_step) {
  if (!p->by_row) add_axis(v, n, from_step, to_step);
}
static void add_view(struct pieces *p, const struct view *v) {
  for (int i = 0; i < v->n; i++)
    if (v->axes[i].n == 0) return;
  if (p->n == p->room) {
    struct view *more = ARENA_ARRAY(p->a, struct view, 2 * p->room + 4);
    if (p->n > 0) memcpy(more, p->view, (size_t)p->n * sizeof *more);
    p->view = more;
    p->room = 2 * p->room + 4;
  }
  p->view[p->n++] = *v;
}

/* Source begin + i * step along each axis, `size` elements; the output's axes are those of the source. */
static void slice_view(struct pieces *p, const struct graph_tensor *x, const int32_t *begin,
                       const int32_t *step, const int32_t *size) {
  const struct steps xs = steps_of(x);
  int64_t ys = size_of(x), to_step[GRAPH_MAX_RANK];
  struct view v = {.n = 0};
  for (int i = x->rank - 1; i >= 0; i--) {
    to_step[i] = ys;
    ys *= size[i];
  }
  for (int i = 0; i < x->rank; i++) {
    const bool is_row = i == 1 && p->by_row;
    if (!is_row) v.from += begin[i] * xs.of[i];
    if (!is_row) add_axis(&v, size[i], step[i] * xs.of[i], to_step[i]);
  }
  add_view(p, &v);
}

static void view_slice(struct pieces *p) {
  const struct graph_attrs *a = &node_of(p->g, p->w)->attrs;
  slice_view(p, in_of(p->g, p->w, 0), a->begin, a->step, a->option);
}

static void view_split(struct pieces *p) {
  const struct graph_node *n = node_of(p->g, p->w);
  const struct graph_tensor *x = in_of(p->g, p->w, 0);
  int32_t begin[GRAPH_MAX_RANK] = {0}, step[GRAPH_MAX_RANK], size[GRAPH_MAX_RANK];
  const int axis = n->attrs.axis;
  for (int i = 0; i < x->rank; i++) {
    step[i] = 1;
    size[i] = x->dims[i];
  }
  if (n->op == MOTE_OP_UNPACK) {
    begin[axis] = p->w->part;
    size[axis] = 1;
  } else {
    for (int k = 0; k < p->w->part; k++) begin[axis] += p->g->tensors[n->out[k]].dims[axis];
    size[axis] = out_of(p->g, p->w)->dims[axis];
  }
  slice_view(p, x, begin, step, size);
}

static void view_transpose(struct pieces *p) {
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps xs = steps_of(x), ys = steps_of(y);
  struct view v = {.n = 0};
  for (int i = 0; i < y->rank; i++)
    if (i != 1 || !p->by_row)
      add_axis(&v, y->dims[i], xs.of[node_of(p->g, p->w)->attrs.perm[i]], ys.of[i]);
  add_view(p, &v);
}

static void view_reverse(struct pieces *p) {
  const struct graph_attrs *a = &node_of(p->g, p->w)->attrs;
  const struct graph_tensor *x = in_of(p->g, p->w, 0);
  int32_t begin[GRAPH_MAX_RANK] = {0}, step[GRAPH_MAX_RANK];
  for (int i = 0; i < x->rank; i++) step[i] = 1;
  for (int k = 0; k < a->n_axes; k++) {
    step[a->axes[k]] = -1;
    begin[a->axes[k]] = x->dims[a->axes[k]] - 1;
  }
  slice_view(p, x, begin, step, x->dims);
}

/* BROADCAST_TO and FILL: the source stands still along axes that it lacks. */
static void view_broadcast(struct pieces *p) {
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps xs = steps_of(x), ys = steps_of(y);
  struct view v = {.n = 0};
  for (int i = 0; i < y->rank; i++) {
    const int own = i - (y->rank - x->rank);
    const bool moves = own >= 0 && x->dims[own] > 1;
    if (i != 1 || !p->by_row) add_axis(&v, y->dims[i], moves ? xs.of[own] : 0, ys.of[i]);
  }
  add_view(p, &v);
}

/* TILE: the copies of an axis lie around its elements. */
static void view_tile(struct pieces *p) {
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps xs = steps_of(x), ys = steps_of(y);
  struct view v = {.n = 0};
  for (int i = 0; i < y->rank; i++) {
    if (y->dims[i] > x->dims[i]) add_axis(&v, y->dims[i] / x->dims[i], 0, ys.of[i] * x->dims[i]);
    if (x->dims[i] > 1) add_axis(&v, x->dims[i], xs.of[i], ys.of[i]);
  }
  if (v.n == 0) add_axis(&v, 1, 0, 0);
  add_view(p, &v);
}

static void view_concatenation(struct pieces *p) {
  const struct graph_node *n = node_of(p->g, p->w);
  const struct graph_tensor *y = out_of(p->g, p->w);
  const struct steps ys = steps_of(y);
  const bool packs = n->op == MOTE_OP_PACK;
  int64_t to = 0;
  for (int k = 0; k < n->n_in; k++) {
    const struct graph_tensor *x = &p->g->tensors[n->in[k]];
    const struct steps xs = steps_of(x);
    struct view v = {.to = to, .row = k};
    for (int i = 0; i < x->rank; i++)
      if (i != 1 || !p->by_row)
        add_axis(&v, x->dims[i], xs.of[i], ys.of[packs && i >= n->attrs.axis ? i + 1 : i]);
    add_view(p, &v);
    to += (packs ? 1 : x->dims[n->attrs.axis]) * ys.of[n->attrs.axis];
  }
}

/* The inside, at its place behind what is in front. */
static void inside(struct pieces *p) {
  const struct graph_attrs *a = &node_of(p->g, p->w)->attrs;
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps xs = steps_of(x), ys = steps_of(y);
  struct view v = {.n = 0};
  for (int i = 0; i < x->rank; i++) {
    if (i == 1 && p->by_row) continue;
    v.to += a->before[i] * ys.of[i];
    add_axis(&v, x->dims[i], xs.of[i], ys.of[i]);
  }
  add_view(p, &v);
}

/* What a border holds: the given value, or the zero of the type. */
static void set_background(struct pieces *p) {
  const struct graph_node *n = node_of(p->g, p->w);
  const struct graph_tensor *y = out_of(p->g, p->w);
  const int32_t zp = y->quant.count > 0 && n->op != MOTE_OP_ZEROS_LIKE ? y->quant.zp[0] : 0;
  p->fills = true;
  if (n->op == MOTE_OP_PADV2)
    memcpy(p->value, in_of(p->g, p->w, 1)->data, (size_t)size_of(y));
  else if (y->type == MOTE_INT8 || y->type == MOTE_UINT8 || y->type == MOTE_INT16)
    memcpy(p->value, &zp, (size_t)size_of(y)); /* little-endian */
}

static void view_pad(struct pieces *p) {
  set_background(p);
  inside(p);
}
static void view_zeros(struct pieces *p) { set_background(p); }

/* Axis by axis: first the inside, then what lies before and behind along one axis from what the output holds by then. */
static void view_mirror_pad(struct pieces *p) {
  const struct graph_attrs *a = &node_of(p->g, p->w)->attrs;
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps ys = steps_of(y);
  const int edge = a->symmetric ? 0 : 1;
  inside(p);
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    for (int behind = 0; behind < 2; behind++) {
      struct view v = {.row = MOTE_MOVE_OUTPUT};
      for (int i = 0; i < x->rank; i++) {
        if (i == 1 && p->by_row) continue;
        if (i == axis) { /* outwards from the edge, reading inwards */
          const int32_t n = behind ? a->after[i] : a->before[i];
          const int32_t first = a->before[i] + (behind ? x->dims[i] : -1);
          const int32_t from = behind ? first - 1 - edge : first + 1 + edge;
          const int64_t out = behind ? ys.of[i] : -ys.of[i];
          v.from += from * ys.of[i];
          v.to += first * ys.of[i];
          add_axis(&v, n, -out, out);
          continue;
        }
        const bool done = i > axis; /* padded already */
        const int64_t at = done ? 0 : a->before[i] * ys.of[i];
        v.from += at;
        v.to += at;
        add_axis(&v, done ? y->dims[i] : x->dims[i], ys.of[i], ys.of[i]);
      }
      add_view(p, &v);
    }
  }
}

/* Blocks of b x b pixels of `wide` are the channels of a pixel of `deep`. */
static void view_depth_space(struct pieces *p) {
  const bool to_depth = node_of(p->g, p->w)->op == MOTE_OP_SPACE_TO_DEPTH;
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct graph_tensor *wide = to_depth ? x : y, *deep = to_depth ? y : x;
  const struct steps ws = steps_of(wide), ds = steps_of(deep);
  const int64_t b = node_of(p->g, p->w)->attrs.block_h, c = wide->dims[3], size = size_of(x);
  const int64_t n[6] = {deep->dims[0], deep->dims[1], b, deep->dims[2], b, c};
  const int64_t in_wide[6] = {ws.of[0], ws.of[1] * b, ws.of[1], ws.of[2] * b, ws.of[2], size};
  const int64_t in_deep[6] = {ds.of[0], ds.of[1], b * c * size, ds.of[2], c * size, size};
  /* By rows a call reads b rows of the wide side, or makes them. */
  for (int r = 0; r < (p->by_row && to_depth ? (int)b : 1); r++) {
    struct view v = {.row = r};
    for (int i = 0; i < 6; i++) {
      if (p->by_row && (i == 1 || (i == 2 && to_depth))) continue;
      add_axis(&v, n[i], (to_depth ? in_wide : in_deep)[i], (to_depth ? in_deep : in_wide)[i]);
    }
    if (p->by_row && to_depth) v.to = r * in_deep[2];
    add_view(p, &v);
  }
}

/* Whole factors: every pixel becomes a block. */
static void view_repeat(struct pieces *p) {
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct steps xs = steps_of(x), ys = steps_of(y);
  const int64_t h = y->dims[1] / x->dims[1], w = y->dims[2] / x->dims[2];
  struct view v = {.n = 0};
  add_axis(&v, x->dims[0], xs.of[0], ys.of[0]);
  add_row_axis(p, &v, x->dims[1], xs.of[1], ys.of[1] * h);
  add_axis(&v, h, 0, ys.of[1]);
  add_axis(&v, x->dims[2], xs.of[2], ys.of[2] * w);
  add_axis(&v, w, 0, ys.of[2]);
  add_axis(&v, x->dims[3], xs.of[3], ys.of[3]);
  add_view(p, &v);
}

/* Element i of a batch's axis is element i * block + place - before of the space's; those that exist. */
struct overlap_range {
  int64_t first, n;
};
static struct overlap_range range_of(int64_t batch, int64_t space, int64_t block, int64_t place,
                                     int64_t before) {
  int64_t first = before > place ? (before - place + block - 1) / block : 0;
  int64_t end = (space - 1 + before - place) >= 0 ? (space - 1 + before - place) / block + 1 : 0;
  if (end > batch) end = batch;
  return (struct overlap_range){first, end > first ? end - first : 0};
}

static void view_batch_space(struct pieces *p) {
  const struct graph_attrs *a = &node_of(p->g, p->w)->attrs;
  const bool to_batch = node_of(p->g, p->w)->op == MOTE_OP_SPACE_TO_BATCH_ND;
  const struct graph_tensor *x = in_of(p->g, p->w, 0), *y = out_of(p->g, p->w);
  const struct graph_tensor *space = to_batch ? x : y, *batch = to_batch ? y : x;
  const struct steps ss = steps_of(space), bs = steps_of(batch);
  const int64_t block[2] = {a->block_h, a->block_w};
  if (to_batch) set_background(p);
  for (int64_t place = 0; place < block[0] * block[1]; place++) {
    const int64_t at[2] = {place / block[1], place % block[1]};
    int64_t in_space = 0, in_batch = place * space->dims[0] * bs.of[0];
    struct view v = {.n = 0};
    add_axis(&v, space->dims[0], ss.of[0], bs.of[0]);
    for (int i = 1; i < space->rank; i++) {
      if (i > a->n_axes) {
        add_axis(&v, space->dims[i], ss.of[i], bs.of[i]);
        continue;
      }
      const int64_t b = block[i - 1], in_block = at[i - 1];
      const struct overlap_range r =
          range_of(batch->dims[i], space->dims[i], b, in_block, a->before[i]);
      in_space += (r.first * b + in_block - a->before[i]) * ss.of[i];
      in_batch += r.first * bs.of[i];
      add_axis(&v, r.n, ss.of[i] * b, bs.of[i]);
    }
    for (int i = 0; i < v.n && !to_batch; i++) {
      const int32_t swap = v.axes[i].step[0];
      v.axes[i].step[0] = v.axes[i].step[1];
      v.axes[i].step[1] = swap;
    }
    v.from = to_batch ? in_space : in_batch;
    v.to = to_batch ? in_batch : in_space;
    add_view(p, &v);
  }
}

static void make_pieces(struct pieces *p) {
  switch (node_of(p->g, p->w)->op) {
  case MOTE_OP_SLICE:
  case MOTE_OP_STRIDED_SLICE: view_slice(p); break;
  case MOTE_OP_SPLIT:
  case MOTE_OP_SPLIT_V:
  case MOTE_OP_UNPACK: view_split(p); break;
  case MOTE_OP_TRANSPOSE: view_transpose(p); break;
  case MOTE_OP_REVERSE_V2: view_reverse(p); break;
  case MOTE_OP_BROADCAST_TO:
  case MOTE_OP_FILL: view_broadcast(p); break;
  case MOTE_OP_TILE: view_tile(p); break;
  case MOTE_OP_CONCATENATION:
  case MOTE_OP_PACK: view_concatenation(p); break;
  case MOTE_OP_PAD:
  case MOTE_OP_PADV2: view_pad(p); break;
  case MOTE_OP_MIRROR_PAD: view_mirror_pad(p); break;
  case MOTE_OP_DEPTH_TO_SPACE:
  case MOTE_OP_SPACE_TO_DEPTH: view_depth_space(p); break;
  case MOTE_OP_BATCH_TO_SPACE_ND:
  case MOTE_OP_SPACE_TO_BATCH_ND: view_batch_space(p); break;
  case MOTE_OP_RESIZE_NEAREST_NEIGHBOR: view_repeat(p); break;
  default: view_zeros(p); break;
  }
}

/* ---- forms of a move ------------------------------------------------------------------ */
/* How calls go through the rows of input 0 where they can: false where a piece mixes rows. rows_out: made by a call. */
static bool row_reach(const struct graph *g, const struct work *w, struct reach *reach,
                      int *rows_out) {
  const struct graph_node *n = node_of(g, w);
  const struct graph_attrs *a = &n->attrs;
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  *reach = EACH_ROW;
  *rows_out = 1;
  if (!has_rows(y) || !has_rows(x)) return false;
  switch (n->op) {
  case MOTE_OP_SLICE:
  case MOTE_OP_STRIDED_SLICE:
    *reach = (struct reach){a->begin[1], 1, a->step[1], 1};
    return y->rank == x->rank && y->dims[1] == a->option[1] && a->step[1] > 0 &&
           a->step[1] <= UINT16_MAX && a->begin[1] <= INT16_MAX;
  case MOTE_OP_SPLIT:
  case MOTE_OP_SPLIT_V: return a->axis > 1;
  case MOTE_OP_UNPACK: return a->axis > 1 && y->rank >= 3;
  case MOTE_OP_TRANSPOSE: return a->perm[0] == 0 && a->perm[1] == 1;
  case MOTE_OP_REVERSE_V2: return a->n_axes == 0 || a->axes[0] > 1;
  case MOTE_OP_CONCATENATION:
  case MOTE_OP_PACK:
    for (int k = 0; k < n->n_in; k++)
      if (rows_of_tensor(&g->tensors[n->in[k]]).rows != rows_of_tensor(y).rows) return false;
    return a->axis > 1;
  case MOTE_OP_PAD:
  case MOTE_OP_PADV2:
    *reach = (struct reach){-a->before[1], 1, 1, 1};
    return a->before[0] == 0 && a->after[0] == 0 && a->before[1] <= INT16_MAX;
  case MOTE_OP_MIRROR_PAD: return (a->before[0] | a->after[0] | a->before[1] | a->after[1]) == 0;
  case MOTE_OP_DEPTH_TO_SPACE: *rows_out = a->block_h; return fits16(a->block_h);
  case MOTE_OP_SPACE_TO_DEPTH:
    *reach = (struct reach){0, a->block_h, a->block_h, 1};
    return fits16(a->block_h);
  case MOTE_OP_RESIZE_NEAREST_NEIGHBOR: *rows_out = y->dims[1] / x->dims[1]; return true;
  default: return false;
  }
}

/* Inputs that are read, in the order of rows[]: PADV2's value is packed. */
static bool build_move(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_tensor *y = out_of(g, w);
  struct mote_move *p = &f->params.move;
  struct reach reach;
  int rows_out;
  const bool can = row_reach(g, w, &reach, &rows_out);
  (void)e;
  if (flat && !can) return false;
  p->bytes = (uint16_t)size_of(y);
  f->instructions = graph_elements(y) * 3;
  if (flat || !can) {
    whole_form(g, w, f);
    return true;
  }
  p->pieces = 1; /* by rows: tells pack_move */
  for (int k = 0; k < w->n_in; k++) {
    f->in[k] = rows_of_tensor(in_of(g, w, k));
    f->reach[k] = reach;
  }
  f->out = rows_of_tensor(y);
  f->rows_out = rows_out;
  f->calls = f->out.rows / rows_out;
  return true;
}

static bool pack_move(const struct program *program, const struct work *w,
                      union kernel_params *params, struct packed *out, struct err *e) {
  struct mote_move *p = &params->move;
  struct pieces all = {.g = program->graph, .w = w, .a = program->arena, .by_row = p->pieces != 0};
  const struct graph_tensor *y = out_of(program->graph, w);
  int32_t loops_at = 0;
  size_t outer = 0;
  make_pieces(&all);
  if (all.n > UINT16_MAX) return lower_too_large(e, "the number of its pieces", all.n, UINT16_MAX);
  const int rows = all.by_row ? w->row.rows_out : 1;
  if (all.fills)
    p->fill = (uint32_t)(graph_elements(y) / (all.by_row ? rows_of_tensor(y).rows / rows : 1));
  memcpy(p->value, all.value, sizeof p->value);
  p->pieces = (uint16_t)all.n;
  for (int i = 0; i < all.n; i++) {
    all.view[i].n = loops_join(all.view[i].axes, all.view[i].n);
    outer += (size_t)all.view[i].n - 1;
  }
  if (outer > 0) {
    uint8_t *table = packed_add(out, "loops", MOTE_INT32, 4 * outer, &loops_at);
    for (int i = 0; i < all.n; i++) {
      const size_t bytes = (size_t)(all.view[i].n - 1) * sizeof(struct mote_axis);
      memcpy(table, all.view[i].axes, bytes);
      table += bytes;
    }
  }
  if (all.n == 0) return true;
  struct mote_piece *piece =
      packed_add(out, "pieces", MOTE_INT32, (size_t)all.n * sizeof *piece / 4, &p->pieces_at);
  for (int i = 0; i < all.n; i++, piece++) {
    const struct view *v = &all.view[i];
    memset(piece, 0, sizeof *piece);
    piece->loops.inner = v->axes[v->n - 1];
    piece->loops.axes = (uint32_t)v->n - 1;
    piece->loops.axes_at = v->n > 1 ? loops_at : 0;
    loops_at += (int32_t)((size_t)(v->n - 1) * sizeof(struct mote_axis));
    piece->from = (uint32_t)v->from;
    piece->to = (uint32_t)v->to;
    piece->row = (uint16_t)v->row;
  }
  return true;
}

/* ---- by index ----------------------------------------------------------------------------- */
static uint32_t product(const int32_t *dims, int from, int end) {
  uint32_t n = 1; /* at most the elements of a tensor */
  for (int i = from; i < end; i++) n *= (uint32_t)dims[i];
  return n;
}

/* Each row of the output takes its own indices, and all the whole table. */
static void gather_rows(const struct graph_tensor *y, struct mote_gather *p, struct form *f) {
  const uint32_t rows = (uint32_t)rows_of_tensor(y).rows;
  if (rows < 2 || p->batches != 1 || p->outers != 1 || p->count % rows != 0) return;
  p->count /= rows;
  f->out = rows_of_tensor(y);
  f->calls = (int)rows;
  f->reach[p->table].advance = 0;
  f->in[!p->table].rows = (int)rows;
  f->in[!p->table].row_bytes /= rows;
}

static bool build_gather(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  const struct graph_node *n = node_of(g, w);
  const bool embeds = n->op == MOTE_OP_EMBEDDING_LOOKUP, nd = n->op == MOTE_OP_GATHER_ND;
  const struct graph_tensor *x = in_of(g, w, embeds), *i = in_of(g, w, !embeds);
  struct mote_gather *p = &f->params.gather;
  const int axis = embeds || nd ? 0 : n->attrs.axis, batch = embeds || nd ? 0 : n->attrs.batch_dims;
  const int depth = nd ? i->dims[i->rank - 1] : 1;
  const struct steps xs = steps_of(x);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  p->table = embeds;
  p->index_type = (uint16_t)i->type;
  p->depth = (uint8_t)depth;
  p->batches = product(x->dims, 0, batch);
  p->outers = product(x->dims, batch, axis);
  p->count = product(i->dims, batch, nd ? i->rank - 1 : i->rank);
  p->slice_bytes = product(x->dims, axis + depth, x->rank) * (uint32_t)size_of(x);
  for (int d = 0; d < depth; d++) {
    p->size[d] = (uint32_t)x->dims[axis + d];
    p->step[d] = (uint32_t)xs.of[axis + d];
  }
  p->outer_step = product(x->dims, axis, x->rank) * (uint32_t)size_of(x);
  p->batch_step = p->outer_step * p->outers;
  f->instructions = (int64_t)p->batches * p->outers * p->count * (30 + p->slice_bytes / 2);
  gather_rows(out_of(g, w), p, f);
  return true;
}

static bool build_one_hot(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_tensor *y = out_of(g, w);
  const int axis = node_of(g, w)->attrs.axis;
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->params.one_hot = (struct mote_one_hot){.outer = product(y->dims, 0, axis),
                                            .depth = (uint32_t)y->dims[axis],
                                            .inner = product(y->dims, axis + 1, y->rank),
                                            .index_type = (uint16_t)in_of(g, w, 0)->type,
                                            .bytes = (uint16_t)size_of(y)};
  f->instructions = graph_elements(y) * 20;
  return true;
}

static bool build_update(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0), *u = in_of(g, w, 1);
  struct mote_update_slice *p = &f->params.update_slice;
  const struct steps xs = steps_of(x);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->alias[0] = w->in[0] != w->in[1] && w->in[0] != w->in[2];
  p->n_bytes = (uint32_t)graph_bytes(x);
  p->bytes = (uint16_t)size_of(x);
  p->depth = (uint8_t)x->rank;
  p->index_type = (uint8_t)in_of(g, w, 2)->type;
  for (int i = 0; i < x->rank; i++) {
    p->most[i] = (uint32_t)(x->dims[i] - u->dims[i]);
    p->step[i] = (uint32_t)xs.of[i];
  }
  f->instructions = graph_elements(x) + graph_elements(u) * 20;
  return true;
}
static bool pack_update(const struct program *p, const struct work *w, union kernel_params *params,
                        struct packed *out, struct err *e) {
  const struct graph_tensor *x = in_of(p->graph, w, 0), *u = in_of(p->graph, w, 1);
  const struct steps xs = steps_of(x), us = steps_of(u);
  struct mote_axis axes[GRAPH_MAX_RANK + 1] = {{1, {0}}};
  (void)e;
  for (int i = 0; i < u->rank; i++)
    axes[i] = (struct mote_axis){(uint32_t)u->dims[i], {(int32_t)us.of[i], (int32_t)xs.of[i], 0}};
  loops_pack(out, axes, loops_join(axes, u->rank > 0 ? u->rank : 1), &params->update_slice.loops);
  return true;
}

static bool build_scatter(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_tensor *i = in_of(g, w, 0), *y = out_of(g, w);
  struct mote_scatter *p = &f->params.scatter;
  const int depth = i->dims[i->rank - 1];
  const struct steps ys = steps_of(y);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  p->n_bytes = (uint32_t)graph_bytes(y);
  p->type = (uint16_t)y->type;
  p->depth = (uint16_t)depth;
  p->count = product(i->dims, 0, i->rank - 1);
  p->slice = product(y->dims, depth, y->rank);
  for (int d = 0; d < depth; d++) {
    p->size[d] = (uint32_t)y->dims[d];
    p->step[d] = (uint32_t)ys.of[d];
  }
  f->instructions = graph_elements(y) + (int64_t)p->count * (30 + 6 * (int64_t)p->slice);
  return true;
}

/* ---- images --------------------------------------------------------------------------------- */
/* The pixel of the input that is nearest to pixel i. source: the reference's arithmetic, in float. */
static int32_t nearest(const struct graph_attrs *a, int32_t i, int32_t in, int32_t out) {
  const float scale =
      a->align_corners && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
  const float at = ((float)i + (a->half_pixel_centers ? 0.5f : 0.0f)) * scale;
  int32_t y = (int32_t)(a->align_corners ? roundf(at) : floorf(at));
  if (y > in - 1) y = in - 1;
  return y < 0 ? 0 : y;
}

/* Every pixel becomes a block of whole pixels. */
static bool takes_repeat(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  for (int axis = 1; axis < 3; axis++) {
    const int32_t in = x->dims[axis], out = y->dims[axis];
    if (out % in != 0) return false;
    for (int32_t i = 0; i < out; i++)
      if (nearest(&n->attrs, i, in, out) != i / (out / in)) return false;
  }
  return true;
}

static bool build_nearest(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->params.resize_nearest =
      (struct mote_resize_nearest){.pixel_bytes = (uint32_t)(x->dims[3] * size_of(x)),
                                   .batches = (uint16_t)x->dims[0],
                                   .in_h = (uint16_t)x->dims[1],
                                   .in_w = (uint16_t)x->dims[2],
                                   .out_h = (uint16_t)y->dims[1],
                                   .out_w = (uint16_t)y->dims[2]};
  f->instructions = graph_elements(y) * 3;
  return true;
}
static bool pack_nearest(const struct program *program, const struct work *w,
                         union kernel_params *params, struct packed *out, struct err *e) {
  const struct graph *g = program->graph;
  const struct graph_attrs *a = &node_of(g, w)->attrs;
  struct mote_resize_nearest *p = &params->resize_nearest;
  (void)e;
  uint16_t *table = packed_add(out, "rows", MOTE_INT16, p->out_h, &p->rows_at);
  for (int32_t i = 0; i < p->out_h; i++) table[i] = (uint16_t)nearest(a, i, p->in_h, p->out_h);
  table = packed_add(out, "columns", MOTE_INT16, p->out_w, &p->columns_at);
  for (int32_t i = 0; i < p->out_w; i++) table[i] = (uint16_t)nearest(a, i, p->in_w, p->out_w);
  return true;
}

static bool build_bilinear(const struct graph *g, const struct work *w, bool flat, struct form *f,
                           struct err *e) {
  const struct graph_attrs *a = &node_of(g, w)->attrs;
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  const bool real = x->type == MOTE_FLOAT32;
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->instructions = graph_elements(y) * 60;
  int32_t in[2], out[2], scale[2];
  float factor[2];
  for (int i = 0; i < 2; i++) {
    const int less = a->align_corners && y->dims[1 + i] > 1 ? 1 : 0;
    in[i] = x->dims[1 + i] - less;
    out[i] = y->dims[1 + i] - less;
    scale[i] = (1024 * in[i] + out[i] / 2) / out[i]; /* < 2^25 + 2^15 */
    factor[i] = (float)in[i] / (float)out[i];
  }
  struct mote_resize_bilinear_s8 p = {.scale_h = scale[0],
                                      .scale_w = scale[1],
                                      .batches = (uint16_t)x->dims[0],
                                      .in_h = (uint16_t)x->dims[1],
                                      .in_w = (uint16_t)x->dims[2],
                                      .out_h = (uint16_t)y->dims[1],
                                      .out_w = (uint16_t)y->dims[2],
                                      .c = (uint16_t)x->dims[3],
                                      .half_pixel = a->half_pixel_centers};
  f->params.resize_bilinear_s8 = p;
  if (!real) return true;
  f->params.resize_bilinear_f32 = (struct mote_resize_bilinear_f32){
      factor[0], factor[1], p.batches, p.in_h, p.in_w, p.out_h, p.out_w, p.c, p.half_pixel};
  return true;
}

/* ---- reductions ------------------------------------------------------------------------------- */
/* A mean without a list is one over height and width. */
static bool is_reduced(const struct graph_node *n, int axis) {
  const struct graph_attrs *a = &n->attrs;
  if (n->op == MOTE_OP_MEAN && a->n_axes == 0) return axis == 1 || axis == 2;
  for (int i = 0; i < a->n_axes; i++)
    if (a->axes[i] == axis) return true;
  return false;
}

static bool build_reduce(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  const enum mote_op op = node_of(g, w)->op;
  const int64_t count = graph_elements(x) / graph_elements(y);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->instructions = graph_elements(x) * 8 + graph_elements(y) * 60;
  const bool smallest = op == MOTE_OP_REDUCE_MIN || op == MOTE_OP_REDUCE_ALL;
  const enum mote_reduction reduction = smallest ? MOTE_REDUCE_MIN : MOTE_REDUCE_MAX;
  const bool sums = op == MOTE_OP_SUM || op == MOTE_OP_MEAN;
  if (x->type == MOTE_FLOAT32) {
    f->params.reduce_f32.count = op == MOTE_OP_MEAN ? (float)count : 1;
    f->params.reduce_f32.reduction = sums                        ? MOTE_REDUCE_SUM
                                     : op == MOTE_OP_REDUCE_PROD ? MOTE_REDUCE_PRODUCT
                                                                 : reduction;
    return true;
  }
  if (!sums || x->type == MOTE_INT32) {
    f->params.reduce_extreme.type = (uint16_t)x->type;
    f->params.reduce_extreme.reduction =
        (uint16_t)(sums                        ? MOTE_REDUCE_SUM
                   : op == MOTE_OP_REDUCE_PROD ? MOTE_REDUCE_PRODUCT
                                               : reduction);
    return true;
  }
  struct mote_reduce_q *p = &f->params.reduce_q;
  int shift;
  graph_multiplier((double)x->quant.scale[0] / (double)y->quant.scale[0], &p->multiplier, &shift);
  if (op == MOTE_OP_MEAN) mote_fold_count((uint32_t)count, &p->multiplier, &shift);
  p->shift = (int8_t)shift;
  p->zero = (int32_t)(x->quant.zp[0] * count); /* graph_sum_fits bounds it */
  p->out_zp = (int16_t)y->quant.zp[0];
  p->bytes = (uint8_t)size_of(x);
  p->low = p->bytes == 1 ? INT8_MIN : INT16_MIN;
  p->high = p->bytes == 1 ? INT8_MAX : INT16_MAX;
  return true;
}
static bool pack_reduce(const struct program *program, const struct work *w,
                        union kernel_params *params, struct packed *out, struct err *e) {
  const struct graph_tensor *x = in_of(program->graph, w, 0);
  const struct graph_node *n_of = node_of(program->graph, w);
  const struct steps xs = steps_of(x);
  struct mote_loops *loops = (struct mote_loops *)(void *)params; /* kept, reduced */
  (void)e;
  for (int reduced = 0; reduced < 2; reduced++) {
    struct mote_axis axes[GRAPH_MAX_RANK + 1] = {{1, {0}}};
    int n = 0;
    for (int i = 0; i < x->rank; i++)
      if (is_reduced(n_of, i) == (reduced != 0))
        axes[n++] = (struct mote_axis){(uint32_t)x->dims[i], {(int32_t)xs.of[i], 0, 0}};
    n = loops_join(axes, n > 0 ? n : 1);
    loops[reduced].inner = axes[n - 1];
    loops[reduced].axes = (uint32_t)n - 1;
    loops[reduced].axes_at = 0;
    if (n == 1) continue;
    void *table = packed_add(out, reduced ? "reduced" : "kept", MOTE_INT32, 4 * (size_t)(n - 1),
                             &loops[reduced].axes_at);
    memcpy(table, axes, (size_t)(n - 1) * sizeof *axes);
  }
  return true;
}

static bool build_arg(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_node *n = node_of(g, w);
  const struct graph_tensor *x = in_of(g, w, 0);
  const int axis = n->attrs.axis;
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->params.arg = (struct mote_arg){.outer = product(x->dims, 0, axis),
                                    .size = (uint32_t)x->dims[axis],
                                    .inner = product(x->dims, axis + 1, x->rank),
                                    .type = (uint8_t)x->type,
                                    .out_type = (uint8_t)out_of(g, w)->type,
                                    .smallest = n->op == MOTE_OP_ARG_MIN};
  f->instructions = graph_elements(x) * 15;
  return true;
}

static bool build_top(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->params.top = (struct mote_top){.outer = product(x->dims, 0, x->rank - 1),
                                    .size = (uint32_t)x->dims[x->rank - 1],
                                    .k = (uint32_t)y->dims[y->rank - 1],
                                    .type = (uint32_t)x->type};
  /* Of n values in any order about k ln(n / k) enter the list, each moving half of it. */
  f->instructions = graph_elements(x) * 15 + graph_elements(y) * 4 * f->params.top.k;
  return true;
}

static bool build_cumsum(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  const struct graph_attrs *a = &node_of(g, w)->attrs;
  const struct graph_tensor *x = in_of(g, w, 0), *y = out_of(g, w);
  const uint32_t outer = product(x->dims, 0, a->axis), size = (uint32_t)x->dims[a->axis],
                 inner = product(x->dims, a->axis + 1, x->rank);
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->instructions = graph_elements(x) * 30;
  if (x->type != MOTE_INT8) {
    f->params.cumsum_f32 =
        (struct mote_cumsum_f32){outer, size, inner, a->exclusive, a->reverse, (uint16_t)x->type};
    return true;
  }
  struct mote_cumsum_s8 p = {.outer = outer,
                             .size = size,
                             .inner = inner,
                             .zp = (int16_t)x->quant.zp[0],
                             .out_zp = (int16_t)y->quant.zp[0],
                             .left_shift = 20,
                             .exclusive = a->exclusive,
                             .reverse = a->reverse};
  const double in = (double)x->quant.scale[0], twice = 2 * in;
  int shift, out_shift;
  graph_multiplier(in / twice, &p.multiplier, &shift);
  graph_multiplier(twice / ((double)(1 << 20) * (double)y->quant.scale[0]), &p.out_multiplier,
                   &out_shift);
  p.shift = (int8_t)shift;
  p.out_shift = (int8_t)out_shift;
  f->params.cumsum_s8 = p;
  return true;
}

/* ---- the list ------------------------------------------------------------------------------------ */
static bool takes_f32(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_FLOAT32;
}
static bool takes_q(const struct graph *g, const struct graph_node *n) {
  const enum mote_type type = g->tensors[n->in[0]].type;
  return type == MOTE_INT8 || type == MOTE_INT16;
}
/* PAD and MEAN in the forms of the core have kernels of their own. */
static bool takes_axes(const struct graph *g, const struct graph_node *n) {
  (void)g;
  return n->attrs.n_axes > 0;
}
static bool takes_mean_q(const struct graph *g, const struct graph_node *n) {
  return takes_q(g, n) && takes_axes(g, n);
}

#define MOVE(name)                                                                                 \
  { .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_move, .build = build_move, .pack = pack_move }
#define MOVE_EACH(name)                                                                            \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_move, .build = build_move, .pack = pack_move,      \
    .each_output = true                                                                            \
  }
#define REDUCE(name, stem, predicate)                                                              \
  {                                                                                                \
    .op = MOTE_OP_##name, .kernel = MOTE_KERNEL_##stem, .takes = predicate, .build = build_reduce, \
    .pack = pack_reduce                                                                            \
  }

static const struct recipe recipes[] = {
    {.op = MOTE_OP_EXPAND_DIMS, .takes = takes_view, .view = true},
    {.op = MOTE_OP_SQUEEZE, .takes = takes_view, .view = true},
    {.op = MOTE_OP_EXPAND_DIMS, .kernel = MOTE_KERNEL_copy, .build = build_view_copy},
    {.op = MOTE_OP_SQUEEZE, .kernel = MOTE_KERNEL_copy, .build = build_view_copy},
    MOVE(SLICE),
    MOVE(STRIDED_SLICE),
    MOVE(TRANSPOSE),
    MOVE(REVERSE_V2),
    MOVE(CONCATENATION),
    MOVE(PACK),
    MOVE(MIRROR_PAD),
    MOVE(DEPTH_TO_SPACE),
    MOVE(SPACE_TO_DEPTH),
    MOVE(BATCH_TO_SPACE_ND),
    MOVE(SPACE_TO_BATCH_ND),
    MOVE(BROADCAST_TO),
    MOVE(TILE),
    MOVE(FILL),
    MOVE(ZEROS_LIKE),
    MOVE_EACH(SPLIT),
    MOVE_EACH(SPLIT_V),
    MOVE_EACH(UNPACK),
    {.op = MOTE_OP_PAD,
     .kernel = MOTE_KERNEL_move,
     .takes = takes_axes,
     .build = build_move,
     .pack = pack_move},
    {.op = MOTE_OP_PADV2,
     .kernel = MOTE_KERNEL_move,
     .build = build_move,
     .pack = pack_move,
     .packed = 1u << 1},
    {.op = MOTE_OP_RESIZE_NEAREST_NEIGHBOR,
     .kernel = MOTE_KERNEL_move,
     .takes = takes_repeat,
     .build = build_move,
     .pack = pack_move},
    {.op = MOTE_OP_RESIZE_NEAREST_NEIGHBOR,
     .kernel = MOTE_KERNEL_resize_nearest,
     .build = build_nearest,
     .pack = pack_nearest},
    {.op = MOTE_OP_RESIZE_BILINEAR,
     .kernel = MOTE_KERNEL_resize_bilinear_f32,
     .takes = takes_f32,
     .build = build_bilinear},
    {.op = MOTE_OP_RESIZE_BILINEAR,
     .kernel = MOTE_KERNEL_resize_bilinear_s8,
     .build = build_bilinear},
    {.op = MOTE_OP_GATHER, .kernel = MOTE_KERNEL_gather, .build = build_gather},
    {.op = MOTE_OP_GATHER_ND, .kernel = MOTE_KERNEL_gather, .build = build_gather},
    {.op = MOTE_OP_EMBEDDING_LOOKUP, .kernel = MOTE_KERNEL_gather, .build = build_gather},
    {.op = MOTE_OP_ONE_HOT, .kernel = MOTE_KERNEL_one_hot, .build = build_one_hot},
    {.op = MOTE_OP_DYNAMIC_UPDATE_SLICE,
     .kernel = MOTE_KERNEL_update_slice,
     .build = build_update,
     .pack = pack_update},
    REDUCE(MEAN, reduce_f32, takes_f32),
    REDUCE(MEAN, reduce_q, takes_mean_q),
    REDUCE(SUM, reduce_f32, takes_f32),
    REDUCE(SUM, reduce_q, takes_q),
    REDUCE(SUM, reduce_extreme, NULL),
    REDUCE(REDUCE_MAX, reduce_f32, takes_f32),
    REDUCE(REDUCE_MAX, reduce_extreme, NULL),
    REDUCE(REDUCE_MIN, reduce_f32, takes_f32),
    REDUCE(REDUCE_MIN, reduce_extreme, NULL),
    REDUCE(REDUCE_ALL, reduce_extreme, NULL),
    REDUCE(REDUCE_ANY, reduce_extreme, NULL),
    REDUCE(REDUCE_PROD, reduce_f32, takes_f32),
    REDUCE(REDUCE_PROD, reduce_extreme, NULL),
    {.op = MOTE_OP_TOPK_V2, .kernel = MOTE_KERNEL_top, .build = build_top},
    {.op = MOTE_OP_SCATTER_ND, .kernel = MOTE_KERNEL_scatter, .build = build_scatter},
    {.op = MOTE_OP_ARG_MAX, .kernel = MOTE_KERNEL_arg, .build = build_arg},
    {.op = MOTE_OP_ARG_MIN, .kernel = MOTE_KERNEL_arg, .build = build_arg},
    {.op = MOTE_OP_CUMSUM,
     .kernel = MOTE_KERNEL_cumsum_s8,
     .takes = takes_q,
     .build = build_cumsum},
    {.op = MOTE_OP_CUMSUM, .kernel = MOTE_KERNEL_cumsum_f32, .build = build_cumsum},
};
const struct lower_family lower_move = {recipes, sizeof recipes / sizeof *recipes};
