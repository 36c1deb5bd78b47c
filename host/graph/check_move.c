/* graph: rules of the operators that move, pick, resize or reduce. Attributes, one number for each axis of the input
 * where they are lists:
 *
 *   SLICE, STRIDED_SLICE   begin, step, option: element i along an axis is begin + i step, i < option
 *   TRANSPOSE              perm            REVERSE_V2, reductions   axes (n_axes of them, rising)
 *   CONCATENATION, PACK, SPLIT, SPLIT_V, UNPACK, GATHER, ARG_MAX, ARG_MIN, CUMSUM   axis
 *   PAD                    n_axes 0: int8 [n,h,w,c] by pad_*, the core's form; else before, after
 *   PADV2                  before, after; the value is input 1      MIRROR_PAD   before, after, symmetric
 *   DEPTH_TO_SPACE, SPACE_TO_DEPTH   block_h == block_w
 *   BATCH_TO_SPACE_ND, SPACE_TO_BATCH_ND   n_axes 1 or 2 axes behind the batch, block_h, block_w, before, after
 *   MEAN                   n_axes 0: [n,h,w,c] over h and w, the core's form; else axes
 *   RESIZE_*               align_corners, half_pixel_centers; the size is the output's
 *   GATHER                 batch_dims      CUMSUM   exclusive, reverse                                             */
#include "host/graph/private.h"

#include <string.h>

static bool is_quantised(const struct graph_tensor *t) {
  return t->type == MOTE_INT8 || t->type == MOTE_INT16;
}

static bool differ(const struct check *c, const char *what) {
  return err_set(c->e, "%s of %s does not have shape %s", what, check_shape_of(check_in(c, 0)).text,
                 check_shape_of(check_out(c, 0)).text);
}

/* The output has these sizes. */
static bool check_dims(const struct check *c, const char *what, int rank, const int64_t *dims) {
  const struct graph_tensor *y = check_out(c, 0);
  bool same = y->rank == rank;
  for (int i = 0; i < rank && same; i++) same = y->dims[i] == dims[i];
  return same || differ(c, what);
}

/* Elements stay what they are: one type, and no other scale. */
static bool check_kept(const struct check *c) {
  for (int i = 0; i < c->n->n_out; i++)
    if (!check_same_type(c, check_in(c, 0), check_out(c, i))) return false;
  return true;
}

static bool check_axis(const struct check *c, int rank) {
  if (c->n->attrs.axis >= 0 && c->n->attrs.axis < rank) return true;
  return err_set(c->e, "axis %d of a tensor of %d axes; 0 to %d are possible", c->n->attrs.axis,
                 rank, rank - 1);
}

/* ---- pieces ------------------------------------------------------------------------ */
static bool check_slice(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  int64_t elements = 1;
  if (!check_kept(c)) return false;
  for (int i = 0; i < x->rank; i++) {
    const int64_t last = a->begin[i] + (int64_t)(a->option[i] - 1) * a->step[i];
    if (a->option[i] < 1 || a->begin[i] < 0 || a->begin[i] >= x->dims[i] || last < 0 ||
        last >= x->dims[i] || (a->option[i] > 1 ? a->step[i] == 0 : a->step[i] != 1))
      return err_set(c->e, "axis %d of size %d cannot give %d elements from %d in steps of %d", i,
                     x->dims[i], a->option[i], a->begin[i], a->step[i]);
    elements *= a->option[i]; /* <= those of x */
  }
  return elements == graph_elements(y) || differ(c, "the slice");
}

static bool check_transpose(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  int64_t dims[GRAPH_MAX_RANK];
  bool seen[GRAPH_MAX_RANK] = {false};
  if (!check_kept(c)) return false;
  for (int i = 0; i < x->rank; i++) {
    const int32_t from = c->n->attrs.perm[i];
    if (from < 0 || from >= x->rank || seen[from])
      return err_set(c->e, "its permutation names axis %d of %d, or one twice", from, x->rank);
    seen[from] = true;
    dims[i] = x->dims[from];
  }
  return check_dims(c, "the transpose", x->rank, dims);
}

static bool check_axes(const struct check *c) {
  const struct graph_attrs *a = &c->n->attrs;
  if (a->n_axes < 0 || a->n_axes > GRAPH_MAX_RANK)
    return err_set(c->e, "%d axes; at most %d are possible", a->n_axes, GRAPH_MAX_RANK);
  for (int i = 0; i < a->n_axes; i++)
    if (a->axes[i] < 0 || a->axes[i] >= check_in(c, 0)->rank ||
        (i > 0 && a->axes[i] <= a->axes[i - 1]))
      return err_set(c->e, "axis %d of a tensor of %d axes, or one not behind the axis before it",
                     a->axes[i], check_in(c, 0)->rank);
  return true;
}

static bool check_reverse(const struct check *c) {
  return check_kept(c) && check_axes(c) && check_same_shapes(c, check_in(c, 0), check_out(c, 0));
}

/* Outputs beside each other along the axis are the input. */
static bool check_split(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  int64_t size = 0;
  if (!check_kept(c) || !check_axis(c, x->rank)) return false;
  for (int k = 0; k < c->n->n_out; k++) {
    struct graph_tensor want = *x;
    if (check_out(c, k)->rank != x->rank)
      return err_set(c->e, "output %d has shape %s; a piece of %s is needed", k,
                     check_shape_of(check_out(c, k)).text, check_shape_of(x).text);
    want.dims[c->n->attrs.axis] = check_out(c, k)->dims[c->n->attrs.axis];
    size += want.dims[c->n->attrs.axis];
    if (!check_same_shapes(c, &want, check_out(c, k))) return false;
  }
  return size == x->dims[c->n->attrs.axis] ||
         err_set(c->e, "the outputs hold %lld of %d along axis %d", (long long)size,
                 x->dims[c->n->attrs.axis], c->n->attrs.axis);
}

/* A tensor without its axis is a slice of the whole. */
static bool check_slices(const struct check *c, const struct graph_tensor *whole,
                         const struct graph_tensor *slice) {
  struct graph_tensor want = *whole;
  const int axis = c->n->attrs.axis;
  want.rank--;
  for (int i = axis; i < want.rank; i++) want.dims[i] = whole->dims[i + 1];
  return check_same_shapes(c, &want, slice);
}
static bool check_unpack(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  if (!check_kept(c) || !check_axis(c, x->rank)) return false;
  if (x->dims[c->n->attrs.axis] != c->n->n_out)
    return err_set(c->e, "%d outputs for %d slices", c->n->n_out, x->dims[c->n->attrs.axis]);
  for (int k = 0; k < c->n->n_out; k++)
    if (!check_slices(c, x, check_out(c, k))) return false;
  return true;
}
static bool check_pack(const struct check *c) {
  const struct graph_tensor *y = check_out(c, 0);
  if (!check_axis(c, y->rank)) return false;
  if (y->dims[c->n->attrs.axis] != c->n->n_in)
    return err_set(c->e, "%d inputs for %d slices", c->n->n_in, y->dims[c->n->attrs.axis]);
  for (int k = 0; k < c->n->n_in; k++)
    if (!check_same_type(c, check_in(c, k), y) || !check_slices(c, y, check_in(c, k))) return false;
  return true;
}

static bool check_concatenation(const struct check *c) {
  const struct graph_tensor *y = check_out(c, 0);
  int64_t size = 0;
  if (!check_axis(c, y->rank)) return false;
  if (c->n->attrs.activation != GRAPH_ACT_NONE)
    return err_set(c->e, "it has fused activation %d; a concatenation without one is supported",
                   (int)c->n->attrs.activation);
  for (int k = 0; k < c->n->n_in; k++) {
    const struct graph_tensor *x = check_in(c, k);
    struct graph_tensor want = *y;
    if (!check_same_type(c, x, y)) return false;
    if (x->rank != y->rank)
      return err_set(c->e, "input %d has shape %s; a piece of %s is needed", k,
                     check_shape_of(x).text, check_shape_of(y).text);
    want.dims[c->n->attrs.axis] = x->dims[c->n->attrs.axis];
    size += x->dims[c->n->attrs.axis];
    if (!check_same_shapes(c, &want, x)) return false;
  }
  return size == y->dims[c->n->attrs.axis] ||
         err_set(c->e, "the inputs hold %lld of %d along axis %d", (long long)size,
                 y->dims[c->n->attrs.axis], c->n->attrs.axis);
}

/* ---- borders and blocks ------------------------------------------------------------- */
static bool check_core_pad(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  if (!check_type(c, x, S8, "input") || !check_rank(c, x, 4, "input") || !check_same_scale(c, x, y))
    return false;
  if (a->pad_top < 0 || a->pad_bottom < 0 || a->pad_left < 0 || a->pad_right < 0)
    return err_set(c->e, "negative padding %d,%d,%d,%d", a->pad_top, a->pad_left, a->pad_bottom,
                   a->pad_right);
  const int64_t dims[4] = {x->dims[0], (int64_t)x->dims[1] + a->pad_top + a->pad_bottom,
                           (int64_t)x->dims[2] + a->pad_left + a->pad_right, x->dims[3]};
  return check_dims(c, "the padded form", 4, dims);
}

static bool check_pad(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  int64_t dims[GRAPH_MAX_RANK];
  if (!check_kept(c)) return false;
  if (c->n->op == MOTE_OP_PAD && a->n_axes == 0) return check_core_pad(c);
  if (is_quantised(x) && !check_same_scale(c, x, y)) return false;
  for (int i = 0; i < x->rank; i++) {
    const int32_t most = x->dims[i] - (a->symmetric ? 0 : 1);
    if (a->before[i] < 0 || a->after[i] < 0)
      return err_set(c->e, "padding %d and %d of axis %d; both must be at least 0", a->before[i],
                     a->after[i], i);
    if (c->n->op == MOTE_OP_MIRROR_PAD && (a->before[i] > most || a->after[i] > most))
      return err_set(c->e, "axis %d of size %d cannot reflect %d and %d", i, x->dims[i],
                     a->before[i], a->after[i]);
    dims[i] = (int64_t)x->dims[i] + a->before[i] + a->after[i];
  }
  if (c->n->op == MOTE_OP_PADV2) {
    const struct graph_tensor *v = check_in(c, 1);
    if (!check_same_type(c, v, x)) return false;
    if (!graph_is_constant(v) || graph_elements(v) != 1)
      return err_set(c->e, "the value that it pads with is not one constant");
  }
  return check_dims(c, "the padded form", x->rank, dims);
}

static bool check_depth_space(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const int64_t block = c->n->attrs.block_h;
  const struct graph_tensor *wide = c->n->op == MOTE_OP_DEPTH_TO_SPACE ? y : x,
                            *deep = c->n->op == MOTE_OP_DEPTH_TO_SPACE ? x : y;
  if (!check_kept(c) || !check_rank(c, x, 4, "input") || !check_rank(c, y, 4, "output"))
    return false;
  if (block >= 1 && block == c->n->attrs.block_w && wide->dims[0] == deep->dims[0] &&
      wide->dims[1] == deep->dims[1] * block && wide->dims[2] == deep->dims[2] * block &&
      deep->dims[3] == wide->dims[3] * block * block)
    return true;
  return err_set(c->e, "%s in blocks of %d does not have shape %s", check_shape_of(x).text,
                 c->n->attrs.block_h, check_shape_of(y).text);
}

/* Both with the padded or uncropped size of the spatial axes in between. */
static bool check_batch_space(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  const bool to_batch = c->n->op == MOTE_OP_SPACE_TO_BATCH_ND;
  const struct graph_tensor *space = to_batch ? x : y, *batch = to_batch ? y : x;
  const int64_t block[2] = {a->block_h, a->block_w};
  if (!check_kept(c)) return false;
  if (is_quantised(x) && !check_same_scale(c, x, y)) return false;
  bool same = x->rank == y->rank && (a->n_axes == 1 || a->n_axes == 2) && x->rank > a->n_axes &&
              x->rank <= 4 && block[0] >= 1 && block[1] >= 1 && (a->n_axes == 2 || block[1] == 1) &&
              block[0] * block[1] <= GRAPH_MAX_ELEMENTS;
  if (same) same = batch->dims[0] == space->dims[0] * block[0] * block[1];
  for (int i = 1; i < x->rank && same; i++) {
    const int64_t size = (int64_t)space->dims[i] + a->before[i] + a->after[i];
    same = i > a->n_axes ? x->dims[i] == y->dims[i]
                         : a->before[i] >= 0 && a->after[i] >= 0 &&
                               size == (int64_t)batch->dims[i] * block[i - 1];
  }
  return same || differ(c, "the blocked form");
}

static bool check_broadcast_to(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  struct graph_tensor both = *y;
  if (!check_kept(c)) return false;
  return (check_broadcast(x, y, &both.rank, both.dims) && graph_same_shape(&both, y)) ||
         differ(c, "the repetition");
}

#define MOST_LOOPS 8 /* of the kernel that copies */
static bool check_tile(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  int axes = 0;
  if (!check_kept(c)) return false;
  if (x->rank != y->rank) return differ(c, "the repetition");
  for (int i = 0; i < x->rank; i++) {
    if (y->dims[i] % x->dims[i] != 0) return differ(c, "the repetition");
    axes += (x->dims[i] > 1) + (y->dims[i] > x->dims[i]);
  }
  return axes <= MOST_LOOPS ||
         err_set(c->e, "%d axes and repetitions; at most %d are supported", axes, MOST_LOOPS);
}

static bool check_view(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_kept(c)) return false;
  return graph_elements(x) == graph_elements(y) || differ(c, "the same elements");
}
/* SHAPE becomes a constant and BROADCAST_ARGS a MAXIMUM on import. */
static bool check_none(const struct check *c) {
  return err_set(c->e, "operators on shapes have become constants or others in a graph");
}

/* ---- by index --------------------------------------------------------------------------- */
static bool check_gather(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *i = check_in(c, 1);
  const struct graph_attrs *a = &c->n->attrs;
  int64_t dims[2 * GRAPH_MAX_RANK];
  int rank = 0;
  if (!check_kept(c) || !check_type(c, i, S32 | S64, "list of indices") || !check_axis(c, x->rank))
    return false;
  if (a->batch_dims < 0 || a->batch_dims > a->axis || a->batch_dims > i->rank)
    return err_set(c->e, "%d batch axes before axis %d", a->batch_dims, a->axis);
  for (int k = 0; k < a->batch_dims; k++)
    if (x->dims[k] != i->dims[k]) return err_set(c->e, "batch axes of the inputs differ");
  for (int k = 0; k < a->axis; k++) dims[rank++] = x->dims[k];
  for (int k = a->batch_dims; k < i->rank; k++) dims[rank++] = i->dims[k];
  for (int k = a->axis + 1; k < x->rank; k++) dims[rank++] = x->dims[k];
  return check_dims(c, "the gathered form", rank, dims);
}

static bool check_gather_nd(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *i = check_in(c, 1);
  int64_t dims[2 * GRAPH_MAX_RANK];
  int rank = 0;
  if (!check_kept(c) || !check_type(c, i, S32 | S64, "list of indices")) return false;
  if (i->rank < 1 || i->dims[i->rank - 1] > x->rank)
    return err_set(c->e, "indices of shape %s for %d axes", check_shape_of(i).text, x->rank);
  for (int k = 0; k + 1 < i->rank; k++) dims[rank++] = i->dims[k];
  for (int k = i->dims[i->rank - 1]; k < x->rank; k++) dims[rank++] = x->dims[k];
  return check_dims(c, "the gathered form", rank, dims);
}

static bool check_scatter_nd(const struct check *c) {
  const struct graph_tensor *i = check_in(c, 0), *x = check_in(c, 1), *y = check_out(c, 0);
  if (!check_type(c, i, S32, "list of indices") ||
      !check_type(c, x, F32 | S8 | U8 | S32 | S64 | BOOL, "list of slices") ||
      !check_same_type(c, x, y))
    return false;
  bool same = i->rank >= 1 && i->dims[i->rank - 1] <= y->rank;
  const int depth = same ? i->dims[i->rank - 1] : 0, lead = i->rank - 1;
  same = same && x->rank == lead + y->rank - depth;
  for (int k = 0; k < lead && same; k++) same = x->dims[k] == i->dims[k];
  for (int k = depth; k < y->rank && same; k++) same = x->dims[lead + k - depth] == y->dims[k];
  return same ||
         err_set(c->e, "slices of shape %s at indices of shape %s do not suit an output of %s",
                 check_shape_of(x).text, check_shape_of(i).text, check_shape_of(y).text);
}

static bool check_embedding_lookup(const struct check *c) {
  const struct graph_tensor *i = check_in(c, 0), *x = check_in(c, 1), *y = check_out(c, 0);
  int64_t dims[2 * GRAPH_MAX_RANK];
  int rank = 0;
  if (!check_type(c, i, S32, "list of indices") || !check_rank(c, i, 1, "list of indices"))
    return false;
  if (x->type != y->type)
    return err_set(c->e, "a table of %s for an output of %s is not supported; one type is",
                   mote_type_name((int)x->type), mote_type_name((int)y->type));
  if (x->rank < 2) return err_set(c->e, "a table of shape %s", check_shape_of(x).text);
  dims[rank++] = i->dims[0];
  for (int k = 1; k < x->rank; k++) dims[rank++] = x->dims[k];
  return check_dims(c, "the gathered form", rank, dims);
}

static bool check_one_hot(const struct check *c) {
  const struct graph_tensor *i = check_in(c, 0), *y = check_out(c, 0);
  const int axis = c->n->attrs.axis;
  if (!check_type(c, i, S32 | S64, "list of indices") || !check_axis(c, y->rank)) return false;
  for (int k = 1; k < 3; k++) {
    if (!check_same_type(c, check_in(c, k), y)) return false;
    if (graph_elements(check_in(c, k)) != 1)
      return err_set(c->e, "its value has shape %s instead of one element",
                     check_shape_of(check_in(c, k)).text);
  }
  bool same = y->rank == i->rank + 1;
  for (int k = 0; k < i->rank && same; k++) same = y->dims[k < axis ? k : k + 1] == i->dims[k];
  return same || differ(c, "the form with one more axis");
}

static bool check_update_slice(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *u = check_in(c, 1), *i = check_in(c, 2);
  if (!check_kept(c) || !check_same_type(c, x, u) || !check_type(c, i, S32 | S64, "place") ||
      !check_same_shapes(c, x, check_out(c, 0)))
    return false;
  bool fits = u->rank == x->rank && graph_elements(i) == x->rank;
  for (int k = 0; k < x->rank && fits; k++) fits = u->dims[k] <= x->dims[k];
  return fits || err_set(c->e, "%s at %s does not fit in %s", check_shape_of(u).text,
                         check_shape_of(i).text, check_shape_of(x).text);
}

/* ---- images and reductions ---------------------------------------------------------------- */
static bool check_resize(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const uint32_t types = c->n->op == MOTE_OP_RESIZE_BILINEAR ? F32 | S8 : F32 | S8 | U8 | S16 | S32;
  if (!check_type(c, x, types, "input") || !check_kept(c) || !check_rank(c, x, 4, "input") ||
      !check_rank(c, y, 4, "output"))
    return false;
  if (c->n->op == MOTE_OP_RESIZE_BILINEAR && c->n->attrs.align_corners &&
      c->n->attrs.half_pixel_centers)
    return err_set(c->e, "aligned corners and half pixel centers exclude each other");
  for (int i = 0; i < 4; i++)
    if (x->dims[i] > 32767 || y->dims[i] > 32767)
      return err_set(c->e, "sizes of %s and %s; at most 32767 are supported",
                     check_shape_of(x).text, check_shape_of(y).text);
  return (x->dims[0] == y->dims[0] && x->dims[3] == y->dims[3]) || differ(c, "the resized image");
}

/* Sizes of the output, with or without the reduced axes. */
static bool check_reduced(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const struct graph_attrs *a = &c->n->attrs;
  int64_t kept = 1;
  if (!check_axes(c)) return false;
  bool over[GRAPH_MAX_RANK] = {false};
  for (int i = 0; i < a->n_axes; i++) over[a->axes[i]] = true;
  int at = 0;
  bool same = true;
  for (int i = 0; i < x->rank; i++) {
    if (!over[i]) kept *= x->dims[i];
    if (over[i] && !a->keep_dims) continue;
    same = same && at < y->rank && y->dims[at] == (over[i] ? 1 : x->dims[i]);
    at++;
  }
  /* Some converters leave sizes of 1 out. */
  return (same && at == y->rank) || kept == graph_elements(y) || differ(c, "the reduced form");
}

static bool check_core_mean(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_rank(c, x, 4, "input")) return false;
  if (y->rank < 1 || y->dims[y->rank - 1] != x->dims[3] ||
      graph_elements(y) != (int64_t)x->dims[0] * x->dims[3])
    return err_set(c->e, "a mean of %s over height and width does not have shape %s",
                   check_shape_of(x).text, check_shape_of(y).text);
  return true;
}

static bool check_sum_or_mean(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const bool core = c->n->op == MOTE_OP_MEAN && c->n->attrs.n_axes == 0;
  const uint32_t plain = c->n->op == MOTE_OP_SUM ? F32 | S32 : F32;
  if (!check_type(c, x, plain | S8 | S16, "input") || !check_kept(c)) return false;
  if (is_quantised(x) && (!check_one_scale(c, x, "input") || !check_one_scale(c, y, "output")))
    return false;
  if (core ? !check_core_mean(c) : !check_reduced(c)) return false;
  if (!is_quantised(x)) return true;
  const int64_t count = graph_elements(x) / graph_elements(y);
  const int64_t most = x->type == MOTE_INT8 ? 255 : 65535;
  const double real = (double)x->quant.scale[0] / (double)y->quant.scale[0];
  if (graph_sum_fits(count * most, real, c->n->op == MOTE_OP_MEAN ? count : 1)) return true;
  return err_set(c->e,
                 "its sum can reach %lld, which times the scale %g does not fit in 32 bits; the "
                 "reference would wrap. Quantise the model again with representative data",
                 (long long)(count * most), real);
}

static bool check_reduce_extreme(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  return check_type(c, x, F32 | S8 | S16 | S32 | S64, "input") && check_kept(c) &&
         (!is_quantised(x) || check_same_scale(c, x, y)) && check_reduced(c);
}
static bool check_reduce_logic(const struct check *c) {
  return check_type(c, check_in(c, 0), BOOL, "input") && check_kept(c) && check_reduced(c);
}

static bool check_product(const struct check *c) {
  return check_type(c, check_in(c, 0), F32 | S32, "input") && check_kept(c) && check_reduced(c);
}

static bool check_top(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0), *at = check_out(c, 1);
  if (!check_type(c, x, F32 | S8 | U8 | S16 | S32, "input") || !check_same_type(c, x, y) ||
      !check_type(c, at, S32, "list of places") || !check_same_shapes(c, y, at))
    return false;
  if (is_quantised(x) && !check_same_scale(c, x, y)) return false;
  bool same = x->rank >= 1 && x->rank == y->rank;
  for (int i = 0; i + 1 < x->rank && same; i++) same = x->dims[i] == y->dims[i];
  return (same && y->dims[x->rank - 1] <= x->dims[x->rank - 1]) || differ(c, "the largest");
}

static bool check_arg(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_type(c, x, F32 | S8 | U8 | S16 | S32, "input") ||
      !check_type(c, y, S32 | S64, "output") || !check_axis(c, x->rank))
    return false;
  return graph_elements(y) * x->dims[c->n->attrs.axis] == graph_elements(x) ||
         differ(c, "the list of places");
}

static bool check_cumsum(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  return check_type(c, x, F32 | S8 | S32, "input") && check_kept(c) && check_axis(c, x->rank) &&
         (!is_quantised(x) ||
          (check_one_scale(c, x, "input") && check_one_scale(c, y, "output"))) &&
         check_same_shapes(c, x, y);
}

#define RULE(name, inputs, check)                                                                  \
  const struct graph_rule graph_rule_##name = {inputs, inputs, 1, 1, 0, 0, check};
RULE(SLICE, 1, check_slice)
RULE(STRIDED_SLICE, 1, check_slice)
RULE(TRANSPOSE, 1, check_transpose)
RULE(REVERSE_V2, 1, check_reverse)
RULE(PAD, 1, check_pad)
RULE(PADV2, 2, check_pad)
RULE(MIRROR_PAD, 1, check_pad)
RULE(DEPTH_TO_SPACE, 1, check_depth_space)
RULE(SPACE_TO_DEPTH, 1, check_depth_space)
RULE(BATCH_TO_SPACE_ND, 1, check_batch_space)
RULE(SPACE_TO_BATCH_ND, 1, check_batch_space)
RULE(BROADCAST_TO, 1, check_broadcast_to)
RULE(BROADCAST_ARGS, 2, check_none)
RULE(SHAPE, 1, check_none)
RULE(EXPAND_DIMS, 1, check_view)
RULE(SQUEEZE, 1, check_view)
RULE(GATHER, 2, check_gather)
RULE(GATHER_ND, 2, check_gather_nd)
RULE(EMBEDDING_LOOKUP, 2, check_embedding_lookup)
RULE(DYNAMIC_UPDATE_SLICE, 3, check_update_slice)
RULE(RESIZE_BILINEAR, 1, check_resize)
RULE(RESIZE_NEAREST_NEIGHBOR, 1, check_resize)
RULE(ARG_MAX, 1, check_arg)
RULE(ARG_MIN, 1, check_arg)
RULE(MEAN, 1, check_sum_or_mean)
RULE(SUM, 1, check_sum_or_mean)
RULE(REDUCE_MAX, 1, check_reduce_extreme)
RULE(REDUCE_MIN, 1, check_reduce_extreme)
RULE(REDUCE_ALL, 1, check_reduce_logic)
RULE(CUMSUM, 1, check_cumsum)
RULE(REDUCE_ANY, 1, check_reduce_logic)
RULE(REDUCE_PROD, 1, check_product)
RULE(TILE, 1, check_tile)
RULE(ONE_HOT, 3, check_one_hot)
RULE(RANGE, 1, check_none)
RULE(RANK, 1, check_none)
RULE(SCATTER_ND, 2, check_scatter_nd)
RULE(STABLEHLO_COMPOSITE, 1, check_none)
RULE(CONV_3D, 1, check_none)
const struct graph_rule graph_rule_TOPK_V2 = {1, 1, 2, 2, 0, 0, check_top};
const struct graph_rule graph_rule_CONCATENATION = {1, GRAPH_MAX_IN,       1, 1, 0,
                                                    0, check_concatenation};
const struct graph_rule graph_rule_PACK = {1, GRAPH_MAX_IN, 1, 1, 0, 0, check_pack};
const struct graph_rule graph_rule_UNPACK = {1, 1, 1, GRAPH_MAX_OUT, 0, 0, check_unpack};
const struct graph_rule graph_rule_SPLIT = {1, 1, 1, GRAPH_MAX_OUT, 0, 0, check_split};
const struct graph_rule graph_rule_SPLIT_V = {1, 1, 1, GRAPH_MAX_OUT, 0, 0, check_split};
