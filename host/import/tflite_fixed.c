/* import: options of the operators of check_fixed.c that have no reader elsewhere. See tflite.h. */
#include "host/import/tflite.h"

enum { TRANSPOSE_CONV_ACTIVATION = 3 };
enum { MATMUL_ADJ_X, MATMUL_ADJ_Y };

/* The file's inputs are the output's shape, weights, x, bias. The output's tensor has the shape. */
static bool read_transpose_conv(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const int32_t padding = flat_i8_field(&r->f, &o->options, TFLITE_PADDING, 0);
  a->stride_w = flat_i32_field(&r->f, &o->options, TFLITE_STRIDE_W, 0);
  a->stride_h = flat_i32_field(&r->f, &o->options, TFLITE_STRIDE_H, 0);
  if (r->f.bad) return false;
  if (padding != 0 && padding != 1) return err_set(r->e, "unknown padding %d", padding);
  if (o->in[1] < 0 || o->in[2] < 0) return err_set(r->e, "its weights or its input are missing");
  const struct graph_tensor *w = tflite_in(r, o, 1), *y = tflite_out(r, o, 0);
  if (w->rank != 4 || y->rank != 4 || w->dims[1] < 1 || w->dims[2] < 1 || y->dims[1] < 1 ||
      y->dims[2] < 1 || a->stride_h < 1 || a->stride_w < 1)
    return err_set(r->e,
                   "weights of %d axes, an output of %d axes, strides %dx%d: both need batch, "
                   "height, width, channels of known sizes, and strides of at least 1",
                   w->rank, y->rank, a->stride_h, a->stride_w);
  const enum graph_padding p = padding == 0 ? GRAPH_PAD_SAME : GRAPH_PAD_VALID;
  graph_window_out(y->dims[1], w->dims[1], a->stride_h, 1, p, &a->pad_top, &a->pad_bottom);
  graph_window_out(y->dims[2], w->dims[2], a->stride_w, 1, p, &a->pad_left, &a->pad_right);
  a->dilation_h = a->dilation_w = 1;
  o->node.n_in = 3;
  o->node.in[0] = o->in[2];
  o->node.in[1] = o->in[1];
  o->node.in[2] = o->in[3];
  return tflite_activation(r, o, TRANSPOSE_CONV_ACTIVATION);
}

static bool read_batch_matmul(struct reader *r, struct op *o) {
  o->node.attrs.adj_x = flat_i8_field(&r->f, &o->options, MATMUL_ADJ_X, 0) != 0;
  o->node.attrs.adj_y = flat_i8_field(&r->f, &o->options, MATMUL_ADJ_Y, 0) != 0;
  return true;
}

static bool read_l2_norm(struct reader *r, struct op *o) { return tflite_activation(r, o, 0); }

const struct tflite_reader tflite_reader_TRANSPOSE_CONV = {3, 4, 1, 4, read_transpose_conv, NULL};
const struct tflite_reader tflite_reader_BATCH_MATMUL = {2, 2, 1, 2, read_batch_matmul, NULL};
const struct tflite_reader tflite_reader_L2_NORMALIZATION = {1, 1, 1, 1, read_l2_norm, NULL};
