/* import: CONV_3D. See tflite.h.
 *
 * A convolution over depth, height and width is one over height and width of as many channels as its kernel is deep:
 *
 *   x [n,d,h,w,c], padded in depth; for each depth k of the kernel the slices k * dilation + i * stride of x;
 *   these beside each other, [n,i,h,w,kd*c], seen as [n*i,h,w,kd*c]; CONV_2D; seen as [n,i,h,w,c]
 *
 * with weights [kd,kh,kw,c,out] brought into [out,kh,kw,kd*c], once, when the model is compiled. The same products are
 * added in another order. float32 alone, as in the reference. */
#include "host/import/tflite.h"

#include <string.h>

enum { STRIDE_D = 1, STRIDE_W, STRIDE_H, ACTIVATION, DILATION_D, DILATION_W, DILATION_H };

/* Adds a tensor like `as` in another shape, and the node that makes it of `n` tensors. Returns the tensor. */
static int make(struct reader *r, enum mote_op op, const int *in, int n, int rank,
                const int32_t *dims, const struct graph_attrs *attrs) {
  struct graph_tensor y = r->g->tensors[in[0]];
  struct graph_node node = {.op = op, .n_in = n, .n_out = 1, .attrs = *attrs, .source_op = -1};
  y.data = NULL;
  y.is_state = false;
  y.rank = rank;
  memcpy(y.dims, dims, (size_t)rank * sizeof *dims);
  memcpy(node.in, in, (size_t)n * sizeof *in);
  node.out[0] = graph_add_tensor(r->g, &y);
  graph_add_node(r->g, &node);
  return node.out[0];
}

static const struct graph_attrs plain;

static int view(struct reader *r, int x, int rank, const int32_t *dims) {
  return make(r, MOTE_OP_RESHAPE, &x, 1, rank, dims, &plain);
}

/* [kd,kh,kw,c,out] as [out,kh,kw,kd*c] */
static int turn_weights(struct reader *r, int w) {
  const int32_t *d = r->g->tensors[w].dims;
  const int32_t turned[5] = {d[4], d[1], d[2], d[0], d[3]},
                flat[4] = {d[4], d[1], d[2], d[0] * d[3]};
  const struct graph_attrs turn = {.perm = {4, 1, 2, 0, 3}};
  return view(r, make(r, MOTE_OP_TRANSPOSE, &w, 1, 5, turned, &turn), 4, flat);
}

/* The slices of x that each depth of the kernel meets, beside each other; `out_d` of them. */
static int lay_depths(struct reader *r, int x, int kd, int stride, int dilation, int before,
                      int after, int out_d) {
  int32_t dims[GRAPH_MAX_RANK], part[GRAPH_MAX_IN];
  memcpy(dims, r->g->tensors[x].dims, sizeof dims);
  if (before + after > 0) {
    const struct graph_attrs pad = {.n_axes = 5, .before = {0, before}, .after = {0, after}};
    dims[1] += before + after;
    x = make(r, MOTE_OP_PAD, &x, 1, 5, dims, &pad);
  }
  const int32_t depth = dims[1];
  dims[1] = out_d;
  for (int k = 0; k < kd; k++) {
    struct graph_attrs cut = {.begin = {0, k * dilation}, .step = {1, stride, 1, 1, 1}};
    for (int i = 0; i < 5; i++) cut.option[i] = dims[i];
    if (out_d == 1) cut.step[1] = 1; /* one element needs no step */
    part[k] = kd == 1 && stride == 1 && depth == out_d
                  ? x
                  : make(r, MOTE_OP_STRIDED_SLICE, &x, 1, 5, dims, &cut);
  }
  dims[4] *= kd;
  const struct graph_attrs join = {.axis = 4};
  return kd == 1 ? part[0] : make(r, MOTE_OP_CONCATENATION, part, kd, 5, dims, &join);
}

static bool check_shapes(struct reader *r, const struct op *o) {
  const struct graph_tensor *x = tflite_in(r, o, 0), *w = tflite_in(r, o, 1),
                            *y = tflite_out(r, o, 0);
  bool sound = x->rank == 5 && w->rank == 5 && y->rank == 5;
  for (int i = 0; i < 5 && sound; i++)
    sound = x->dims[i] >= 1 && w->dims[i] >= 1 && y->dims[i] >= 1;
  if (!sound || x->dims[4] != w->dims[3] || y->dims[4] != w->dims[4] || x->dims[0] != y->dims[0])
    return err_set(r->e, "input, weights and output do not have 5 axes of channels that agree");
  if (w->dims[0] > GRAPH_MAX_IN || graph_elements(x) > GRAPH_MAX_ELEMENTS / w->dims[0] ||
      graph_elements(w) > GRAPH_MAX_ELEMENTS || graph_elements(y) > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "a kernel %d deep over %lld elements; at most %d are possible, over %d",
                   w->dims[0], (long long)graph_elements(x), GRAPH_MAX_IN,
                   GRAPH_MAX_ELEMENTS / GRAPH_MAX_IN);
  return x->type == MOTE_FLOAT32 ||
         err_set(r->e, "input of type %s; float32 is possible", mote_type_name((int)x->type));
}

/* Strides, dilations and padding of height and width into the node; of depth into before and after. */
static bool read_windows(struct reader *r, struct op *o, int *before, int *after) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0), *w = tflite_in(r, o, 1),
                            *y = tflite_out(r, o, 0);
  const int32_t padding = flat_i8_field(&r->f, &o->options, TFLITE_PADDING, 0);
  const enum graph_padding p = padding == 0 ? GRAPH_PAD_SAME : GRAPH_PAD_VALID;
  const int stride = flat_i32_field(&r->f, &o->options, STRIDE_D, 0),
            dilation = flat_i32_field(&r->f, &o->options, DILATION_D, 1);
  a->stride_h = flat_i32_field(&r->f, &o->options, STRIDE_H, 0);
  a->stride_w = flat_i32_field(&r->f, &o->options, STRIDE_W, 0);
  a->dilation_h = flat_i32_field(&r->f, &o->options, DILATION_H, 1);
  a->dilation_w = flat_i32_field(&r->f, &o->options, DILATION_W, 1);
  const int least[] = {stride, dilation, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w};
  if (padding != 0 && padding != 1) return err_set(r->e, "unknown padding %d", padding);
  for (int i = 0; i < 6; i++)
    if (least[i] < 1 || least[i] > GRAPH_MAX_ELEMENTS)
      return err_set(r->e, "a stride or dilation of %d; it must be at least 1", least[i]);
  const int out[3] = {graph_window_out(x->dims[1], w->dims[0], stride, dilation, p, before, after),
                      graph_window_out(x->dims[2], w->dims[1], a->stride_h, a->dilation_h, p,
                                       &a->pad_top, &a->pad_bottom),
                      graph_window_out(x->dims[3], w->dims[2], a->stride_w, a->dilation_w, p,
                                       &a->pad_left, &a->pad_right)};
  if ((int64_t)x->dims[1] + *before + *after > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "%d + %d of padding around a depth of %d", *before, *after, x->dims[1]);
  a->block_h = stride; /* of depth, until the node is gone */
  a->block_w = dilation;
  return (out[0] == y->dims[1] && out[1] == y->dims[2] && out[2] == y->dims[3]) ||
         err_set(r->e, "its output is %dx%dx%d where the window makes %dx%dx%d", y->dims[1],
                 y->dims[2], y->dims[3], out[0], out[1], out[2]);
}

static bool read_conv3d(struct reader *r, struct op *o) {
  int before, after;
  if (!check_shapes(r, o) || !read_windows(r, o, &before, &after) ||
      !tflite_activation(r, o, ACTIVATION))
    return false;
  const int kd = tflite_in(r, o, 1)->dims[0];
  if (!tflite_make_room(r, kd + 8, kd + 8)) return false;
  struct graph_attrs *a = &o->node.attrs;
  const int stride = a->block_h, dilation = a->block_w;
  a->block_h = a->block_w = 0;
  int32_t dims[GRAPH_MAX_RANK], seen[4];
  memcpy(dims, tflite_out(r, o, 0)->dims, sizeof dims);
  const int wide = lay_depths(r, o->in[0], kd, stride, dilation, before, after, dims[1]);
  const struct graph_tensor *x = &r->g->tensors[wide];
  const int32_t flat[4] = {x->dims[0] * x->dims[1], x->dims[2], x->dims[3], x->dims[4]};
  const int in = view(r, wide, 4, flat);
  seen[0] = dims[0] * dims[1];
  memcpy(seen + 1, dims + 2, 3 * sizeof *seen);
  const int weights = turn_weights(r, o->in[1]);
  int from[3] = {in, weights, o->in[2]};
  const int y = make(r, MOTE_OP_CONV_2D, from, 3, 4, seen, a);
  tflite_view(r, y, o->out, o->number);
  o->no_node = true;
  return true;
}

const struct tflite_reader tflite_reader_CONV_3D = {2, 3, 1, 3, read_conv3d, NULL};
