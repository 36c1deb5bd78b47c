/* import: options of the int8 core's operators. See tflite.h. */
#include "host/import/tflite.h"

#include <string.h>

/* Field numbers of the schema's option tables. */
enum { CONV_ACTIVATION = 3, CONV_DILATION_W, CONV_DILATION_H };
enum { DEPTHWISE_ACTIVATION = 4, DEPTHWISE_DILATION_W, DEPTHWISE_DILATION_H };
enum { CONV_BIAS_TYPE = 6, DENSE_BIAS_TYPE = 4, BIAS_INT32 = 2 };
enum { POOL_KERNEL_W = 3, POOL_KERNEL_H, POOL_ACTIVATION };
enum { DENSE_ACTIVATION, DENSE_WEIGHTS_FORMAT, DENSE_KEEP_DIMS, DENSE_ASYMMETRIC };

/* The option that says how int16 operators without a bias add. */
static void read_bias_type(struct reader *r, struct op *o, int field) {
  const bool has_bias = o->n_in > 2 && o->in[2] >= 0;
  o->node.attrs.narrow_sums = !has_bias && tflite_in(r, o, 0)->type == MOTE_INT16 &&
                              flat_i8_field(&r->f, &o->options, field, 0) == BIAS_INT32;
}

/* Behind blocks of a batch whose sizes the file does not know (tflite_move.c), it does not know those of the convolution
 * either. */
static void shape_batches(struct reader *r, const struct op *o) {
  const struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0), *w = tflite_in(r, o, 1);
  struct graph_tensor y = *tflite_out(r, o, 0);
  const int32_t padding = flat_i8_field(&r->f, &o->options, TFLITE_PADDING, 0);
  const enum graph_padding p = padding == 0 ? GRAPH_PAD_SAME : GRAPH_PAD_VALID;
  int before, after;
  if (y.rank != 4 || y.dims[0] != 1 || x->dims[0] <= 1) return;
  y.dims[0] = x->dims[0];
  y.dims[1] =
      graph_window_out(x->dims[1], w->dims[1], a->stride_h, a->dilation_h, p, &before, &after);
  y.dims[2] =
      graph_window_out(x->dims[2], w->dims[2], a->stride_w, a->dilation_w, p, &before, &after);
  tflite_set_shape(r, o->out, &y);
}

static bool read_conv(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const bool depthwise = o->code == MOTE_OP_DEPTHWISE_CONV_2D;
  const struct graph_tensor *x = tflite_in(r, o, 0), *w = tflite_in(r, o, 1);
  if (w->rank != 4) return err_set(r->e, "its weights have %d axes instead of 4", w->rank);
  tflite_hybrid_weights(r, o);
  a->dilation_w =
      flat_i32_field(&r->f, &o->options, depthwise ? DEPTHWISE_DILATION_W : CONV_DILATION_W, 1);
  a->dilation_h =
      flat_i32_field(&r->f, &o->options, depthwise ? DEPTHWISE_DILATION_H : CONV_DILATION_H, 1);
  if (!tflite_window(r, o, w->dims[1], w->dims[2])) return false;
  shape_batches(r, o);
  /* Some converters leave the option at 0; the shapes decide. */
  if (depthwise) a->depth_multiplier = x->dims[3] > 0 ? w->dims[3] / x->dims[3] : 0;
  if (!depthwise) read_bias_type(r, o, CONV_BIAS_TYPE);
  return tflite_activation(r, o, depthwise ? DEPTHWISE_ACTIVATION : CONV_ACTIVATION);
}

bool tflite_read_pool(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  a->dilation_h = a->dilation_w = 1;
  a->kernel_w = flat_i32_field(&r->f, &o->options, POOL_KERNEL_W, 0);
  a->kernel_h = flat_i32_field(&r->f, &o->options, POOL_KERNEL_H, 0);
  return tflite_window(r, o, a->kernel_h, a->kernel_w) && tflite_activation(r, o, POOL_ACTIVATION);
}

static bool read_fully_connected(struct reader *r, struct op *o) {
  const int32_t format = flat_i8_field(&r->f, &o->options, DENSE_WEIGHTS_FORMAT, 0);
  if (format != 0) return err_set(r->e, "shuffled weights (format %d) are not supported", format);
  o->node.attrs.keep_dims = flat_i8_field(&r->f, &o->options, DENSE_KEEP_DIMS, 0) != 0;
  o->node.attrs.asymmetric_inputs = flat_i8_field(&r->f, &o->options, DENSE_ASYMMETRIC, 0) != 0;
  tflite_hybrid_weights(r, o);
  read_bias_type(r, o, DENSE_BIAS_TYPE);
  return tflite_activation(r, o, DENSE_ACTIVATION);
}

static bool read_softmax(struct reader *r, struct op *o) {
  o->node.attrs.beta = flat_f32_field(&r->f, &o->options, 0);
  return true;
}

/* The output tensor has the shape. Where the converter left it open, the wanted shape decides, in which one
 * size may be -1: whatever is left. */
static bool read_reshape(struct reader *r, struct op *o) {
  struct graph_tensor *x = tflite_in(r, o, 0), *y = tflite_out(r, o, 0);
  int64_t shape[TFLITE_MOST_PARAMETERS];
  int count = 0;
  o->node.n_in = 1;
  /* A file may say 1 for axes that are open: more than one of them, and the shape is computed here. */
  if (graph_elements(y) > 0 && graph_elements(y) == graph_elements(x)) return true;
  if (o->n_in > 1 && o->in[1] >= 0) {
    if (!tflite_parameters(r, o->in[1], "shape", shape, &count)) return false;
  } else {
    const struct flat_vector v = flat_vector_field(&r->f, &o->options, 0, 4);
    if (v.count > GRAPH_MAX_RANK) return err_set(r->e, "a shape of %zu axes", v.count);
    count = (int)v.count;
    for (int i = 0; i < count; i++) shape[i] = (int32_t)flat_u32(&r->f, v.at + 4 * (size_t)i);
  }
  if (count == 0) return true; /* graph_check says that the size is unknown */
  if (count > GRAPH_MAX_RANK) return err_set(r->e, "a shape of %d axes", count);
  int64_t rest = graph_elements(x);
  int open = -1;
  for (int i = 0; i < count; i++) {
    if (shape[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    if (shape[i] < 1 || shape[i] > GRAPH_MAX_ELEMENTS || rest % shape[i])
      return err_set(r->e, "size %lld of its shape does not divide what is left of %lld elements",
                     (long long)shape[i], (long long)graph_elements(x));
    rest /= shape[i];
  }
  if (rest > GRAPH_MAX_ELEMENTS || (open < 0 && rest != 1))
    return err_set(r->e, "its shape does not hold the %lld elements of its input",
                   (long long)graph_elements(x));
  struct graph_tensor made = *y;
  made.rank = count;
  for (int i = 0; i < count; i++) made.dims[i] = (int32_t)(i == open ? rest : shape[i]);
  tflite_set_shape(r, o->out, &made);
  return true;
}

const struct tflite_reader tflite_reader_CONV_2D = {2, 3, 1, 3, read_conv, NULL};
const struct tflite_reader tflite_reader_DEPTHWISE_CONV_2D = {2, 3, 1, 3, read_conv, NULL};
const struct tflite_reader tflite_reader_FULLY_CONNECTED = {2, 3, 1, 3, read_fully_connected, NULL};
const struct tflite_reader tflite_reader_AVERAGE_POOL_2D = {1, 1, 1, 1, tflite_read_pool, NULL};
const struct tflite_reader tflite_reader_MAX_POOL_2D = {1, 1, 1, 1, tflite_read_pool, NULL};
const struct tflite_reader tflite_reader_SOFTMAX = {1, 1, 1, 1, read_softmax, NULL};
const struct tflite_reader tflite_reader_RESHAPE = {1, 2, 1, 1, read_reshape, NULL};
