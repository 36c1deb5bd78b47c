/* import: options of the operators that move, pick, resize or reduce. Shapes, axes and paddings that a model keeps in
 * constant tensors become attributes. See tflite.h. */
#include "host/import/tflite.h"

#include <math.h>
#include <string.h>

/* An axis in field `field` of the options. */
static bool read_axis_field(struct reader *r, struct op *o, int field, int rank) {
  return tflite_axis(r, flat_i32_field(&r->f, &o->options, field, 0), rank, &o->node.attrs.axis);
}

/* As many numbers as input 0 has axes, into an attribute. */
static bool read_list(struct reader *r, struct op *o, int i, const char *what,
                      int32_t list[GRAPH_MAX_RANK]) {
  int64_t values[TFLITE_MOST_PARAMETERS];
  int count;
  const int rank = tflite_in(r, o, 0)->rank;
  if (!tflite_parameters(r, o->in[i], what, values, &count)) return false;
  if (count != rank) return err_set(r->e, "its %s has %d numbers for %d axes", what, count, rank);
  for (int k = 0; k < count; k++) {
    if (values[k] < INT32_MIN || values[k] > INT32_MAX)
      return err_set(r->e, "%lld in its %s; numbers of 32 bits are possible", (long long)values[k],
                     what);
    list[k] = (int32_t)values[k];
  }
  return true;
}

/* One number in a tensor. */
static bool read_number(struct reader *r, struct op *o, int i, const char *what, int64_t *value) {
  int64_t values[TFLITE_MOST_PARAMETERS];
  int count;
  if (!tflite_parameters(r, o->in[i], what, values, &count)) return false;
  if (count != 1) return err_set(r->e, "its %s has %d numbers instead of one", what, count);
  *value = values[0];
  return true;
}

/* ---- copies ------------------------------------------------------------------- */
static bool read_concatenation(struct reader *r, struct op *o) {
  return read_axis_field(r, o, 0, tflite_out(r, o, 0)->rank) && tflite_activation(r, o, 1);
}
static bool read_pack(struct reader *r, struct op *o) {
  return read_axis_field(r, o, 1, tflite_out(r, o, 0)->rank);
}
static bool read_unpack(struct reader *r, struct op *o) {
  return read_axis_field(r, o, 1, tflite_in(r, o, 0)->rank);
}

/* The axis comes first, then the tensor. */
static bool read_split(struct reader *r, struct op *o) {
  int64_t axis;
  if (!read_number(r, o, 0, "axis", &axis) ||
      !tflite_axis(r, axis, tflite_in(r, o, 1)->rank, &o->node.attrs.axis))
    return false;
  o->node.in[0] = o->in[1];
  o->node.n_in = 1;
  return true;
}
/* Sizes are the outputs'. */
static bool read_split_v(struct reader *r, struct op *o) {
  int64_t axis;
  return read_number(r, o, 2, "axis", &axis) &&
         tflite_axis(r, axis, tflite_in(r, o, 0)->rank, &o->node.attrs.axis);
}

static bool read_slice(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  if (!read_list(r, o, 1, "begin", a->begin) || !read_list(r, o, 2, "size", a->option))
    return false;
  for (int i = 0; i < x->rank; i++) {
    a->step[i] = 1;
    if (a->option[i] == -1) a->option[i] = x->dims[i] - a->begin[i];
  }
  return true;
}

/* Where a slice begins and ends along one axis, as indices that may be one outside at either end. */
static int64_t slice_index(int64_t at, bool open, bool end, int64_t step, int64_t size) {
  if (open && step > 0) return end ? size : 0;
  if (open) return end ? -1 : size - 1;
  if (at < 0) at += size;
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  return at < low ? low : at > high ? high : at;
}

/* Bits of the masks: an axis whose begin or end is open, and one that falls away. */
enum { SLICE_BEGIN_MASK, SLICE_END_MASK, SLICE_ELLIPSIS_MASK, SLICE_NEW_MASK, SLICE_SHRINK_MASK };
static bool read_strided_slice(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  int32_t mask[5];
  int64_t begin[TFLITE_MOST_PARAMETERS], end[TFLITE_MOST_PARAMETERS], step[TFLITE_MOST_PARAMETERS];
  int n[3];
  for (int i = 0; i < 5; i++) mask[i] = flat_i32_field(&r->f, &o->options, i, 0);
  if (mask[SLICE_ELLIPSIS_MASK] || mask[SLICE_NEW_MASK])
    return err_set(
        r->e, "an ellipsis or a new axis in a slice is not supported; name each axis, and reshape");
  if (flat_i8_field(&r->f, &o->options, 5, 0))
    return err_set(
        r->e,
        "an end that counts from the begin (offset) is not supported; convert it to a plain end");
  if (!tflite_parameters(r, o->in[1], "begin", begin, &n[0]) ||
      !tflite_parameters(r, o->in[2], "end", end, &n[1]) ||
      !tflite_parameters(r, o->in[3], "strides", step, &n[2]))
    return false;
  if (n[0] != n[1] || n[0] != n[2] || n[0] > x->rank)
    return err_set(r->e, "begin, end and strides have %d, %d and %d numbers for %d axes", n[0],
                   n[1], n[2], x->rank);
  for (int i = 0; i < x->rank; i++) {
    const int64_t size = x->dims[i];
    if (i >= n[0]) { /* the rest is taken whole */
      a->step[i] = 1;
      a->option[i] = x->dims[i];
      continue;
    }
    if (step[i] == 0 || step[i] < INT32_MIN || step[i] > INT32_MAX)
      return err_set(r->e, "a stride of %lld; any of 32 bits but 0 is possible",
                     (long long)step[i]);
    const bool shrinks = mask[SLICE_SHRINK_MASK] >> i & 1;
    const int64_t from =
        slice_index(begin[i], mask[SLICE_BEGIN_MASK] >> i & 1, false, step[i], size);
    const int64_t to = slice_index(end[i], mask[SLICE_END_MASK] >> i & 1, true, step[i], size);
    const int64_t way = step[i] > 0 ? to - from : from - to,
                  each = step[i] > 0 ? step[i] : -step[i];
    a->begin[i] = (int32_t)from;
    a->option[i] = shrinks ? 1 : (int32_t)((way + each - 1) / each);
    a->step[i] = a->option[i] == 1 ? 1 : (int32_t)step[i]; /* one element needs no step */
  }
  return true;
}

static bool read_transpose(struct reader *r, struct op *o) {
  return read_list(r, o, 1, "permutation", o->node.attrs.perm);
}

/* A list of axes, rising, each once. */
static bool read_axes(struct reader *r, struct op *o, int i) {
  struct graph_attrs *a = &o->node.attrs;
  int64_t values[TFLITE_MOST_PARAMETERS];
  int count, axis;
  bool over[GRAPH_MAX_RANK] = {false};
  const int rank = tflite_in(r, o, 0)->rank;
  if (!tflite_parameters(r, o->in[i], "list of axes", values, &count)) return false;
  for (int k = 0; k < count; k++) {
    if (!tflite_axis(r, values[k], rank, &axis)) return false;
    over[axis] = true;
  }
  for (int k = 0; k < rank; k++)
    if (over[k]) a->axes[a->n_axes++] = k;
  return true;
}
static bool read_reverse(struct reader *r, struct op *o) { return read_axes(r, o, 1); }

/* Paddings in pairs, one for each axis from `first` on. */
static bool read_pads(struct reader *r, struct op *o, int i, int first, int n) {
  struct graph_attrs *a = &o->node.attrs;
  int64_t values[TFLITE_MOST_PARAMETERS];
  int count;
  if (!tflite_parameters(r, o->in[i], "list of paddings", values, &count)) return false;
  if (n == 0 && count > 0)
    return err_set(r->e, "the file does not say the shape of what it reads; convert the model with "
                         "fixed shapes");
  if (count != 2 * n || first + n > GRAPH_MAX_RANK)
    return err_set(r->e, "%d paddings for %d axes; two for each of at most %d are possible", count,
                   n, GRAPH_MAX_RANK);
  for (int k = 0; k < count; k++)
    if (values[k] < 0 || values[k] > GRAPH_MAX_ELEMENTS)
      return err_set(r->e, "padding by %lld; 0 to %d is possible", (long long)values[k],
                     GRAPH_MAX_ELEMENTS);
  for (int k = 0; k < n; k++) {
    a->before[first + k] = (int32_t)values[2 * k];
    a->after[first + k] = (int32_t)values[2 * k + 1];
  }
  return true;
}

/* PAD of int8 rows and columns is the core's form, which convolutions can take over; any other pads each axis. */
static bool read_pad(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  if (!read_pads(r, o, 1, 0, x->rank)) return false;
  o->node.n_in = 1;
  const bool core = x->type == MOTE_INT8 && x->rank == 4 && x->dims[0] == 1 &&
                    (a->before[0] | a->after[0] | a->before[3] | a->after[3]) == 0;
  if (!core) {
    a->n_axes = x->rank;
    return true;
  }
  a->pad_top = a->before[1];
  a->pad_bottom = a->after[1];
  a->pad_left = a->before[2];
  a->pad_right = a->after[2];
  memset(a->before, 0, sizeof a->before);
  memset(a->after, 0, sizeof a->after);
  return true;
}
/* The value to pad with is the third input. */
static bool read_padv2(struct reader *r, struct op *o) {
  if (!read_pads(r, o, 1, 0, tflite_in(r, o, 0)->rank)) return false;
  o->node.attrs.n_axes = tflite_in(r, o, 0)->rank;
  o->node.in[1] = o->in[2];
  o->node.n_in = 2;
  return true;
}
static bool read_mirror_pad(struct reader *r, struct op *o) {
  const int32_t mode = flat_i8_field(&r->f, &o->options, 0, 0);
  if (mode < 0 || mode > 1)
    return err_set(r->e, "unknown mode %d; 0 (reflect) and 1 (symmetric) are known", mode);
  o->node.attrs.symmetric = mode == 1;
  o->node.attrs.n_axes = tflite_in(r, o, 0)->rank;
  return read_pads(r, o, 1, 0, tflite_in(r, o, 0)->rank);
}

static bool read_block(struct reader *r, struct op *o) {
  o->node.attrs.block_h = o->node.attrs.block_w = flat_i32_field(&r->f, &o->options, 0, 0);
  return true;
}

/* Sizes that were open when the model was written stand as 1 in the file, and do not suit each other; the input's, the
 * blocks and the paddings tell those of the output. */
static void shape_blocks(struct reader *r, const struct op *o) {
  const struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  const bool joins = o->code == MOTE_OP_BATCH_TO_SPACE_ND;
  struct graph_tensor want = *tflite_out(r, o, 0);
  const int64_t block[2] = {a->block_h, a->block_w};
  want.rank = x->rank;
  if (want.data) return;
  for (int i = 0; i < x->rank; i++) {
    const bool is_block = i >= 1 && i <= a->n_axes;
    int64_t size = x->dims[i], by = is_block ? block[i - 1] : 1;
    if (i == 0 && (block[0] * block[1] > GRAPH_MAX_ELEMENTS || size < 1)) return;
    if (i == 0) by = block[0] * block[1];
    const int64_t pad = is_block ? (int64_t)a->before[i] + a->after[i] : 0;
    if (!joins) size += pad;
    if ((i == 0) != joins) {
      size *= by;
    } else {
      if (size % by != 0) return;
      size /= by;
    }
    if (joins) size -= pad;
    if (size < 1 || size > GRAPH_MAX_ELEMENTS) return;
    want.dims[i] = (int32_t)size;
  }
  if (graph_elements(&want) <= GRAPH_MAX_ELEMENTS) tflite_set_shape(r, o->out, &want);
}

/* Blocks of one or two axes behind the batch: axes of [n,w,c] are seen as [n,1,w,c]. */
static bool read_batch_space(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  int64_t block[TFLITE_MOST_PARAMETERS];
  int count;
  const int rank = tflite_in(r, o, 0)->rank;
  if (!tflite_parameters(r, o->in[1], "block shape", block, &count)) return false;
  if (count < 1 || count > 2 || count + 1 > rank)
    return err_set(r->e, "a block of %d axes; one or two behind the batch are supported", count);
  for (int i = 0; i < count; i++)
    if (block[i] < 1 || block[i] > GRAPH_MAX_ELEMENTS)
      return err_set(r->e, "a block of %lld; 1 to %d is possible", (long long)block[i],
                     GRAPH_MAX_ELEMENTS);
  a->n_axes = count;
  a->block_h = (int)block[0];
  a->block_w = count == 2 ? (int)block[1] : 1;
  if (!read_pads(r, o, 2, 1, count)) return false;
  shape_blocks(r, o);
  return true;
}

/* The node becomes a view of a constant like y. */
static void be_constant(struct reader *r, struct op *o, const void *data) {
  struct graph_tensor constant = *tflite_out(r, o, 0);
  constant.data = data;
  constant.producer = -1;
  o->node.op = MOTE_OP_RESHAPE;
  o->node.in[0] = graph_add_tensor(r->g, &constant);
  o->node.n_in = 1;
}

/* The shape of a tensor is known here: a constant of its sizes, which the compiler folds away. */
static bool read_shape(struct reader *r, struct op *o) {
  const struct graph_tensor *x = tflite_in(r, o, 0), *y = tflite_out(r, o, 0);
  const bool wide = y->type == MOTE_INT64;
  if (y->rank != 1 || y->dims[0] != x->rank || (!wide && y->type != MOTE_INT32))
    return err_set(r->e, "its output does not hold the %d sizes of its input", x->rank);
  uint8_t *data = tflite_take(r, (size_t)x->rank + 1, 8);
  if (!data) return false;
  for (int i = 0; i < x->rank; i++) {
    const int64_t size = x->dims[i];
    memcpy(data + (wide ? 8 : 4) * i, &size, wide ? 8 : 4); /* little-endian */
  }
  be_constant(r, o, data);
  return true;
}

static bool read_rank(struct reader *r, struct op *o) {
  const struct graph_tensor *y = tflite_out(r, o, 0);
  int32_t *data = tflite_take(r, 1, 8);
  if (!data) return false;
  if (y->type != MOTE_INT32 || graph_elements(y) != 1)
    return err_set(r->e, "its output is not one int32");
  *data = tflite_in(r, o, 0)->rank;
  be_constant(r, o, data);
  return true;
}

/* Start, limit and step of a range of floats. */
static bool range_of_floats(struct reader *r, const struct op *o, float part[3]) {
  for (int i = 0; i < 3; i++) {
    if (!tflite_use_tensor(r, o->in[i])) return false;
    const struct graph_tensor *x = tflite_in(r, o, i);
    if (x->type != MOTE_FLOAT32 || !x->data || graph_elements(x) != 1)
      return err_set(r->e, "its input %d is not one constant", i);
    memcpy(&part[i], x->data, sizeof part[i]);
  }
  return true;
}

/* RANGE: its numbers are known here. Each float is the one before it and the step, rounded, as the reference adds. */
static bool read_range(struct reader *r, struct op *o) {
  static const char *const names[] = {"start", "limit", "step"};
  struct graph_tensor *y = tflite_out(r, o, 0);
  int64_t whole[3] = {0};
  float part[3] = {0};
  const bool real = y->type == MOTE_FLOAT32, wide = y->type == MOTE_INT64;
  if (!real && !wide && y->type != MOTE_INT32)
    return err_set(r->e, "a range of %s is not supported", mote_type_name((int)y->type));
  if (real && !range_of_floats(r, o, part)) return false;
  for (int i = 0; i < 3 && !real; i++) {
    if (!read_number(r, o, i, names[i], &whole[i])) return false;
    if (whole[i] < INT32_MIN || whole[i] > INT32_MAX)
      return err_set(r->e, "its %s is %lld", names[i], (long long)whole[i]);
    part[i] = (float)whole[i];
  }
  const int64_t way = whole[1] - whole[0], step = whole[2];
  double count = ceil(fabs((double)((part[1] - part[0]) / part[2])));
  if (!real && step != 0)
    count = (double)(step > 0 ? (way + step - 1) / step : (way + step + 1) / step);
  if (part[2] == 0 || !(count >= 1) || !(count <= GRAPH_MAX_ELEMENTS) ||
      (part[2] > 0) != (part[1] > part[0]))
    return err_set(r->e, "no numbers lie between %g and %g in steps of %g", (double)part[0],
                   (double)part[1], (double)part[2]);
  const size_t n = (size_t)count, size = wide ? 8 : 4;
  uint8_t *data = tflite_take(r, n, size);
  if (!data) return false;
  float value = part[0];
  for (size_t i = 0; i < n; i++, value += part[2]) {
    const int64_t number = whole[0] + (int64_t)i * step;
    if (real)
      memcpy(data + 4 * i, &value, 4);
    else
      memcpy(data + size * i, &number, size); /* little-endian */
  }
  y->rank = 1;
  y->dims[0] = (int32_t)n;
  be_constant(r, o, data);
  return true;
}

static bool read_one_hot(struct reader *r, struct op *o) {
  int64_t depth;
  const int rank = tflite_out(r, o, 0)->rank;
  const int32_t axis = flat_i32_field(&r->f, &o->options, 0, 0);
  if (!read_number(r, o, 1, "depth", &depth) || !tflite_axis(r, axis, rank, &o->node.attrs.axis))
    return false;
  if (tflite_out(r, o, 0)->dims[o->node.attrs.axis] != depth)
    return err_set(r->e, "a depth of %lld does not give %d values along axis %d", (long long)depth,
                   tflite_out(r, o, 0)->dims[o->node.attrs.axis], o->node.attrs.axis);
  o->node.in[1] = o->in[2];
  o->node.in[2] = o->in[3];
  o->node.n_in = 3;
  return true;
}

/* A new tensor like y with n elements along its one axis. */
static int vector_like(struct reader *r, const struct graph_tensor *y, int32_t n) {
  struct graph_tensor t = *y;
  t.rank = 1;
  t.dims[0] = n;
  t.data = NULL;
  t.producer = -1;
  return graph_add_tensor(r->g, &t);
}

/* Of two shapes the larger sizes (a size that is not 1 wins); where one has more, its first sizes come in front. */
static bool read_broadcast_args(struct reader *r, struct op *o) {
  const struct graph_tensor *a = tflite_in(r, o, 0), *b = tflite_in(r, o, 1);
  if (a->rank != 1 || b->rank != 1)
    return err_set(r->e, "its shapes have %d and %d axes instead of one", a->rank, b->rank);
  const int longer = a->dims[0] < b->dims[0];
  const int32_t n = longer ? a->dims[0] : b->dims[0], more = (longer ? b : a)->dims[0] - n;
  o->node.op = MOTE_OP_MAXIMUM;
  if (more == 0) return true;
  const struct graph_tensor y = *tflite_out(r, o, 0);
  int part[2];
  for (int k = 0; k < 2; k++) {
    struct graph_node slice = {.op = MOTE_OP_SLICE, .n_in = 1, .n_out = 1, .source_op = -1};
    slice.in[0] = o->in[longer];
    slice.out[0] = part[k] = vector_like(r, &y, k == 0 ? more : n);
    slice.attrs.begin[0] = k == 0 ? 0 : more;
    slice.attrs.step[0] = 1;
    slice.attrs.option[0] = k == 0 ? more : n;
    graph_add_node(r->g, &slice);
  }
  struct graph_node larger = {.op = MOTE_OP_MAXIMUM, .n_in = 2, .n_out = 1, .source_op = -1};
  larger.in[0] = part[1];
  larger.in[1] = o->in[!longer];
  larger.out[0] = vector_like(r, &y, n);
  graph_add_node(r->g, &larger);
  o->node.op = MOTE_OP_CONCATENATION;
  o->node.in[0] = part[0];
  o->node.in[1] = larger.out[0];
  return true;
}

/* A table of int8 for real outputs: its rows, then what they stand for. */
static bool read_embedding_lookup(struct reader *r, struct op *o) {
  const struct graph_tensor *table = tflite_in(r, o, 1), *y = tflite_out(r, o, 0);
  if (table->type != MOTE_INT8 || y->type != MOTE_FLOAT32) return true;
  struct graph_tensor rows = *y;
  rows.type = MOTE_INT8;
  rows.quant = table->quant;
  rows.producer = -1;
  struct graph_node lookup = o->node;
  lookup.source_op = -1;
  lookup.out[0] = graph_add_tensor(r->g, &rows);
  graph_add_node(r->g, &lookup);
  o->node.op = MOTE_OP_DEQUANTIZE;
  o->node.n_in = 1;
  o->node.in[0] = lookup.out[0];
  return true;
}

/* ---- by index, resizing, reductions --------------------------------------------- */
static bool read_gather(struct reader *r, struct op *o) {
  const int64_t batch = flat_i32_field(&r->f, &o->options, 1, 0);
  const int rank = tflite_in(r, o, 1)->rank;
  o->node.attrs.batch_dims = (int)(batch < 0 ? batch + rank : batch);
  return read_axis_field(r, o, 0, tflite_in(r, o, 0)->rank);
}

static bool read_resize(struct reader *r, struct op *o) {
  const int first = o->code == MOTE_OP_RESIZE_BILINEAR ? 2 : 0;
  o->node.attrs.align_corners = flat_i8_field(&r->f, &o->options, first, 0) != 0;
  o->node.attrs.half_pixel_centers = flat_i8_field(&r->f, &o->options, first + 1, 0) != 0;
  return true;
}

static bool read_arg(struct reader *r, struct op *o) {
  int64_t axis;
  return read_number(r, o, 1, "axis", &axis) &&
         tflite_axis(r, axis, tflite_in(r, o, 0)->rank, &o->node.attrs.axis);
}

static bool read_reduce(struct reader *r, struct op *o) {
  o->node.attrs.keep_dims = flat_i8_field(&r->f, &o->options, 0, 0) != 0;
  o->node.n_in = 1;
  return read_axes(r, o, 1);
}

/* A mean over height and width is the core's, which has no list of axes; one axis will do where the other has size 1,
 * and an input of three axes is seen as one of width 1. */
static bool read_mean(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  bool over[GRAPH_MAX_RANK] = {false};
  if (!read_reduce(r, o)) return false;
  for (int i = 0; i < a->n_axes; i++) over[a->axes[i]] = true;
  const bool real = x->type == MOTE_INT8 || x->type == MOTE_FLOAT32;
  const bool rank3 = x->rank == 3 && !over[0] && over[1] && !over[2];
  const bool rank4 = x->rank == 4 && !over[0] && !over[3] && (over[1] || x->dims[1] == 1) &&
                     (over[2] || x->dims[2] == 1);
  if (!real || x->dims[0] != 1 || a->n_axes == 0 || (!rank3 && !rank4)) return true;
  a->n_axes = 0;
  memset(a->axes, 0, sizeof a->axes);
  if (rank4) return true;

  struct graph_tensor seen = *x;
  seen.rank = 4;
  seen.dims[3] = x->dims[2];
  seen.dims[2] = 1;
  tflite_see(r, o, &seen);
  return true;
}

/* The number of values is the output's. */
static bool read_top(struct reader *r, struct op *o) {
  int64_t k;
  if (o->node.n_out != 2) return err_set(r->e, "it has %d outputs instead of two", o->node.n_out);
  if (!read_number(r, o, 1, "number of values", &k)) return false;
  for (int i = 0; i < 2; i++) {
    const struct graph_tensor *y = tflite_out(r, o, i);
    if (y->rank < 1 || y->dims[y->rank - 1] != k)
      return err_set(r->e, "its output %d does not hold %lld values", i, (long long)k);
  }
  return true;
}

static bool read_cumsum(struct reader *r, struct op *o) {
  o->node.attrs.exclusive = flat_i8_field(&r->f, &o->options, 0, 0) != 0;
  o->node.attrs.reverse = flat_i8_field(&r->f, &o->options, 1, 0) != 0;
  return read_arg(r, o);
}

const struct tflite_reader tflite_reader_CONCATENATION = {
    1, GRAPH_MAX_IN, 1, GRAPH_MAX_IN, read_concatenation, NULL};
const struct tflite_reader tflite_reader_PACK = {1, GRAPH_MAX_IN, 1, GRAPH_MAX_IN, read_pack, NULL};
const struct tflite_reader tflite_reader_UNPACK = {1, 1, GRAPH_MAX_OUT, 1, read_unpack, NULL};
const struct tflite_reader tflite_reader_SPLIT = {2, 2, GRAPH_MAX_OUT, 2, read_split, NULL};
const struct tflite_reader tflite_reader_SPLIT_V = {3, 3, GRAPH_MAX_OUT, 1, read_split_v, NULL};
const struct tflite_reader tflite_reader_SLICE = {3, 3, 1, 1, read_slice, NULL};
const struct tflite_reader tflite_reader_STRIDED_SLICE = {4, 4, 1, 1, read_strided_slice, NULL};
const struct tflite_reader tflite_reader_TRANSPOSE = {2, 2, 1, 1, read_transpose, NULL};
const struct tflite_reader tflite_reader_REVERSE_V2 = {2, 2, 1, 1, read_reverse, NULL};
const struct tflite_reader tflite_reader_PAD = {2, 2, 1, 1, read_pad, NULL};
const struct tflite_reader tflite_reader_PADV2 = {3, 3, 1, 3, read_padv2, NULL};
const struct tflite_reader tflite_reader_MIRROR_PAD = {2, 2, 1, 1, read_mirror_pad, NULL};
const struct tflite_reader tflite_reader_DEPTH_TO_SPACE = {1, 1, 1, 1, read_block, NULL};
const struct tflite_reader tflite_reader_SPACE_TO_DEPTH = {1, 1, 1, 1, read_block, NULL};
const struct tflite_reader tflite_reader_BATCH_TO_SPACE_ND = {3, 3, 1, 1, read_batch_space, NULL};
const struct tflite_reader tflite_reader_SPACE_TO_BATCH_ND = {3, 3, 1, 1, read_batch_space, NULL};
const struct tflite_reader tflite_reader_BROADCAST_TO = {2, 2, 1, 1, NULL, NULL};
const struct tflite_reader tflite_reader_BROADCAST_ARGS = {2, 2, 1, 2, read_broadcast_args, NULL};
const struct tflite_reader tflite_reader_SHAPE = {1, 1, 1, 1, read_shape, NULL};
const struct tflite_reader tflite_reader_EXPAND_DIMS = {2, 2, 1, 1, NULL, NULL};
const struct tflite_reader tflite_reader_SQUEEZE = {1, 1, 1, 1, NULL, NULL};
const struct tflite_reader tflite_reader_GATHER = {2, 2, 1, 2, read_gather, NULL};
const struct tflite_reader tflite_reader_GATHER_ND = {2, 2, 1, 2, NULL, NULL};
const struct tflite_reader tflite_reader_EMBEDDING_LOOKUP = {2,   2, 1, 2, read_embedding_lookup,
                                                             NULL};
const struct tflite_reader tflite_reader_DYNAMIC_UPDATE_SLICE = {3, 3, 1, 3, NULL, NULL};
const struct tflite_reader tflite_reader_RESIZE_BILINEAR = {2, 2, 1, 1, read_resize, NULL};
const struct tflite_reader tflite_reader_RESIZE_NEAREST_NEIGHBOR = {2, 2, 1, 1, read_resize, NULL};
const struct tflite_reader tflite_reader_ARG_MAX = {2, 2, 1, 1, read_arg, NULL};
const struct tflite_reader tflite_reader_ARG_MIN = {2, 2, 1, 1, read_arg, NULL};
const struct tflite_reader tflite_reader_MEAN = {2, 2, 1, 1, read_mean, NULL};
const struct tflite_reader tflite_reader_SUM = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_REDUCE_MAX = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_REDUCE_MIN = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_REDUCE_ALL = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_ONE_HOT = {4, 4, 1, 4, read_one_hot, NULL};
const struct tflite_reader tflite_reader_RANGE = {3, 3, 1, 0, read_range, NULL};
const struct tflite_reader tflite_reader_RANK = {1, 1, 1, 1, read_rank, NULL};
const struct tflite_reader tflite_reader_REDUCE_ANY = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_REDUCE_PROD = {2, 2, 1, 1, read_reduce, NULL};
const struct tflite_reader tflite_reader_TILE = {2, 2, 1, 1, NULL, NULL};
const struct tflite_reader tflite_reader_TOPK_V2 = {2, 2, 2, 1, read_top, NULL};
const struct tflite_reader tflite_reader_SCATTER_ND = {3, 3, 1, 2, NULL, NULL};
const struct tflite_reader tflite_reader_CUMSUM = {2, 2, 1, 1, read_cumsum, NULL};
