/* import: TensorFlow Lite models, int8. See import.h.
 *
 * Two passes: the first looks at every operator and refuses the model with the whole list of what is not
 * supported, so that a user learns it at once; the second translates. Tensors are read when an operator or the model's
 * ports first use them: parameters of operators (shapes, axes, paddings) become attributes, and their
 * tensors stay in the graph as empty placeholders, so that numbers agree with the source.
 *
 * source: the published TensorFlow Lite schema, version 3 (field numbers below). */
#include "host/import/import.h"

#include "host/import/flatbuffer.h"

#include <string.h>

/* Field numbers of the schema's tables. */
enum { MODEL_VERSION, MODEL_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS };
enum { CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_NEW };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS_TYPE, OPERATOR_OPTIONS };
enum {
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TENSOR_BUFFER,
  TENSOR_NAME,
  TENSOR_QUANT,
  TENSOR_VARIABLE,
  TENSOR_SPARSITY
};
enum { QUANT_MIN, QUANT_MAX, QUANT_SCALE, QUANT_ZP, QUANT_DETAILS_TYPE, QUANT_DETAILS, QUANT_AXIS };
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum {
  CONV_PADDING,
  CONV_STRIDE_W,
  CONV_STRIDE_H,
  CONV_ACTIVATION,
  CONV_DILATION_W,
  CONV_DILATION_H
};
enum { DEPTHWISE_MULTIPLIER = 3, DEPTHWISE_ACTIVATION, DEPTHWISE_DILATION_W, DEPTHWISE_DILATION_H };
enum { POOL_KERNEL_W = 3, POOL_KERNEL_H, POOL_ACTIVATION };
enum { DENSE_ACTIVATION, DENSE_WEIGHTS_FORMAT, DENSE_KEEP_DIMS };

#define CODE_PLACEHOLDER 127 /* old field of models whose code needs the new one */
#define CODE_IS_CUSTOM   32
#define MOST_TENSORS     65535 /* a plan numbers tensors and operators in 16 bits */
#define MOST_CHANNELS    65536

static const char *const type_names[] = {"FLOAT32", "FLOAT16",    "INT32",  "UINT8",     "INT64",
                                         "STRING",  "BOOL",       "INT16",  "COMPLEX64", "INT8",
                                         "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE",  "VARIANT",
                                         "UINT32",  "UINT16",     "INT4"};
enum {
  TYPE_FLOAT32 = 0,
  TYPE_INT32 = 2,
  TYPE_UINT8 = 3,
  TYPE_INT64 = 4,
  TYPE_INT16 = 7,
  TYPE_INT8 = 9
};

static const char how_to_quantise[] =
    "convert it with full-integer quantisation: a representative data set, TFLITE_BUILTINS_INT8, "
    "inference_input_type and inference_output_type int8";

/* The reader of one model. bytes_of: the arena's copy of a buffer once it is used. */
struct reader {
  struct flat f;
  struct arena *a;
  struct err *e;
  struct graph *g;
  struct flat_vector codes, buffers, tensors, operators;
  bool *have;            /* tensor was read */
  bool *needed;          /* operator: the outputs depend on it */
  const void **bytes_of; /* [buffers] */
};

/* One operator while it is translated. */
struct op {
  int number;
  enum mote_op code;
  struct flat_table options;
  int in[GRAPH_MAX_IN];
  int n_in, out;
  struct graph_node node;
};

static const char *type_name(int32_t type) {
  return type >= 0 && (size_t)type < sizeof type_names / sizeof *type_names ? type_names[type]
                                                                            : "an unknown type";
}

static const char *operator_name(int32_t code) {
  switch (code) {
#define NAME(number, name)                                                                         \
  case number:                                                                                     \
    return #name;
#include "host/import/tflite_names.def"
#undef NAME
  default: return "an unknown operator";
  }
}

/* The operator with this code in the schema; -1 where mote has none. */
static int operator_of(int32_t code);

/* Memory for hostile sizes: NULL with an error instead of an exhausted arena. */
static void *take(struct reader *r, size_t count, size_t size) {
  const size_t left = arena_left(r->a);
  if (left < 16384 || count > (left - 16384) / size) {
    err_set(r->e, "reading it needs more than the %zu bytes of memory left", left);
    return NULL;
  }
  return arena_alloc(r->a, count ? count : 1, size);
}

/* ---- tensors ------------------------------------------------------------------ */
/* Names are only shown: unprintable bytes become '?', long ones are cut. */
static char *read_name(struct reader *r, const struct flat_table *t) {
  const struct flat_vector v = flat_vector_field(&r->f, t, TENSOR_NAME, 1);
  const size_t n = v.count < 120 ? v.count : 120;
  char *name = take(r, n + 1, 1);
  for (size_t i = 0; name && i < n; i++) {
    const uint8_t c = r->f.p[v.at + i];
    name[i] = c >= ' ' && c < 127 && c != '"' ? (char)c : '?';
  }
  return name;
}

/* The bytes of buffer `index` in the file; count 0 where it has none. Large models keep data behind the flatbuffer:
 * then offset and size count from the start of the file. */
static bool buffer_span(struct reader *r, uint32_t index, size_t *at, size_t *count) {
  *at = *count = 0;
  if (index >= r->buffers.count) return err_set(r->e, "buffer %u of %zu", index, r->buffers.count);
  const struct flat_table b = flat_table_at(&r->f, &r->buffers, index);
  const uint64_t offset = flat_u64_field(&r->f, &b, BUFFER_OFFSET),
                 size = flat_u64_field(&r->f, &b, BUFFER_SIZE);
  const struct flat_vector v = flat_vector_field(&r->f, &b, BUFFER_DATA, 1);
  if (r->f.bad) return false;
  if (offset > 1) {
    if (offset > r->f.n || size > r->f.n - offset)
      return err_set(
          r->e,
          "the file is damaged: buffer %u lies at byte %llu, %llu long, outside its %zu bytes",
          index, (unsigned long long)offset, (unsigned long long)size, r->f.n);
    *at = (size_t)offset;
    *count = (size_t)size;
    return true;
  }
  *at = v.at;
  *count = v.count;
  return true;
}

/* Reads scales and zero points: one, or one for each channel. */
static bool read_quant(struct reader *r, const struct flat_table *tensor, struct graph_quant *q) {
  const struct flat_table t = flat_table_field(&r->f, tensor, TENSOR_QUANT);
  const struct flat_vector scale = flat_vector_field(&r->f, &t, QUANT_SCALE, 4);
  const struct flat_vector zp = flat_vector_field(&r->f, &t, QUANT_ZP, 8);
  *q = (struct graph_quant){0};
  if (r->f.bad) return false;
  if (scale.count == 0) return true;
  if (scale.count > MOST_CHANNELS) return err_set(r->e, "%zu scales", scale.count);
  if (zp.count > 1 && zp.count != scale.count)
    return err_set(r->e, "%zu scales, but %zu zero points", scale.count, zp.count);
  float *scales = take(r, scale.count, sizeof *scales);
  int32_t *zps = take(r, scale.count, sizeof *zps);
  if (!scales || !zps) return false;
  for (size_t i = 0; i < scale.count; i++) {
    scales[i] = flat_f32(&r->f, scale.at + 4 * i);
    const int64_t z = zp.count ? (int64_t)flat_u64(&r->f, zp.at + (zp.count > 1 ? 8 * i : 0)) : 0;
    if (z < INT32_MIN || z > INT32_MAX) return err_set(r->e, "zero point %lld", (long long)z);
    zps[i] = (int32_t)z;
  }
  *q =
      (struct graph_quant){(int)scale.count, flat_i32_field(&r->f, &t, QUANT_AXIS, 0), scales, zps};
  return !r->f.bad;
}

static bool read_shape(struct reader *r, const struct flat_table *t, struct graph_tensor *x) {
  const struct flat_vector v = flat_vector_field(&r->f, t, TENSOR_SHAPE, 4);
  if (r->f.bad) return false;
  if (v.count > GRAPH_MAX_RANK)
    return err_set(r->e, "%zu axes; at most %d are possible", v.count, GRAPH_MAX_RANK);
  x->rank = (int)v.count;
  for (size_t i = 0; i < v.count; i++) x->dims[i] = (int32_t)flat_u32(&r->f, v.at + 4 * i);
  return true;
}

/* The constant bytes of a tensor, copied once for each buffer. */
static bool read_constant(struct reader *r, const struct flat_table *t, struct graph_tensor *x) {
  const uint32_t index = (uint32_t)flat_i32_field(&r->f, t, TENSOR_BUFFER, 0);
  size_t at, count;
  if (r->f.bad || !buffer_span(r, index, &at, &count)) return false;
  if (count == 0) return true;
  const int64_t elements = graph_elements(x);
  if (elements < 1 || elements > GRAPH_MAX_ELEMENTS || graph_bytes(x) != count)
    return err_set(r->e, "a constant with %zu bytes where its shape needs %lld elements of %zu",
                   count, (long long)elements, mote_type_bytes((int)x->type));
  if (!r->bytes_of[index]) {
    void *copy = take(r, count, 1);
    if (!copy) return false;
    memcpy(copy, r->f.p + at, count);
    r->bytes_of[index] = copy;
  }
  x->data = r->bytes_of[index];
  return true;
}

static bool read_type(struct reader *r, const struct flat_table *t, struct graph_tensor *x) {
  const int32_t type = flat_i8_field(&r->f, t, TENSOR_TYPE, TYPE_FLOAT32);
  if (r->f.bad) return false;
  switch (type) {
  case TYPE_INT8: x->type = MOTE_INT8; return true;
  case TYPE_INT32: x->type = MOTE_INT32; return true;
  default:
    return err_set(r->e, "type %s is not supported, only int8 with int32 biases; %s",
                   type_name(type), how_to_quantise);
  }
}

/* Reads tensor `index` into the graph, the first time that it is used. */
static bool use_tensor(struct reader *r, int index) {
  if (index < 0 || (size_t)index >= r->tensors.count)
    return err_set(r->e, "tensor %d of %zu", index, r->tensors.count);
  if (r->have[index]) return true;
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  struct graph_tensor *x = &r->g->tensors[index];
  struct graph_tensor fresh = {.producer = x->producer};
  struct err inner = {0};
  struct err *outer = r->e;
  r->e = r->f.e = &inner;
  fresh.name = read_name(r, &t);
  bool ok = fresh.name && read_type(r, &t, &fresh) && read_shape(r, &t, &fresh) &&
            read_quant(r, &t, &fresh.quant) && read_constant(r, &t, &fresh);
  if (ok && flat_i8_field(&r->f, &t, TENSOR_VARIABLE, 0))
    ok = err_set(r->e, "it keeps its value between runs (a variable), which is not supported");
  if (ok && flat_table_field(&r->f, &t, TENSOR_SPARSITY).at)
    ok = err_set(r->e, "sparse weights are not supported; convert the model with dense weights");
  if (r->f.bad) ok = false;
  r->e = r->f.e = outer;
  if (!ok)
    return err_set(r->e, "tensor %d \"%s\": %s", index, fresh.name ? fresh.name : "", inner.text);
  /* Some converters copy the axis of the weights to the bias, which has only one. */
  if (fresh.rank == 1) fresh.quant.axis = 0;
  *x = fresh;
  r->have[index] = true;
  return true;
}

/* ---- parameters that models keep in tensors ------------------------------------ */
#define MOST_PARAMETERS 16
/* The numbers of a constant int32 or int64 tensor: shapes, axes, paddings. */
static bool read_parameters(struct reader *r, int index, const char *what,
                            int64_t values[MOST_PARAMETERS], int *count) {
  if (index < 0 || (size_t)index >= r->tensors.count)
    return err_set(r->e, "its %s is tensor %d of %zu", what, index, r->tensors.count);
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  const int32_t type = flat_i8_field(&r->f, &t, TENSOR_TYPE, TYPE_FLOAT32);
  const uint32_t buffer = (uint32_t)flat_i32_field(&r->f, &t, TENSOR_BUFFER, 0);
  size_t at, bytes;
  if (r->f.bad || !buffer_span(r, buffer, &at, &bytes)) return false;
  if (type != TYPE_INT32 && type != TYPE_INT64)
    return err_set(r->e, "its %s is %s instead of int32", what, type_name(type));
  if (bytes == 0)
    return err_set(r->e, "its %s is computed while the model runs; only constants are supported",
                   what);
  const size_t size = type == TYPE_INT32 ? 4 : 8;
  if (bytes % size || bytes / size > MOST_PARAMETERS)
    return err_set(r->e, "its %s has %zu bytes", what, bytes);
  *count = (int)(bytes / size);
  for (int i = 0; i < *count; i++) {
    const size_t from = at + size * (size_t)i;
    values[i] = size == 4 ? (int32_t)flat_u32(&r->f, from) : (int64_t)flat_u64(&r->f, from);
  }
  return true;
}

/* ---- operators ------------------------------------------------------------------ */
static struct graph_tensor *input(struct reader *r, const struct op *o, int i) {
  return &r->g->tensors[o->in[i]];
}
static struct graph_tensor *output(struct reader *r, const struct op *o) {
  return &r->g->tensors[o->out];
}

static bool set_activation(struct reader *r, struct op *o, int field) {
  static const char *const refused[] = {"TANH", "SIGN_BIT"};
  const int32_t act = flat_i8_field(&r->f, &o->options, field, 0);
  if (act < 0 || act > 5) return err_set(r->e, "unknown fused activation %d", act);
  if (act > GRAPH_ACT_RELU6)
    return err_set(r->e, "fused activation %s is not supported; RELU, RELU6 and RELU_N1_TO_1 are",
                   refused[act - 4]);
  o->node.attrs.activation = (enum graph_activation)act;
  return true;
}

/* Strides are fields 1 and 2 of all windows; the padding is field 0. */
static bool set_window(struct reader *r, struct op *o, int kernel_h, int kernel_w) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = input(r, o, 0);
  const int32_t padding = flat_i8_field(&r->f, &o->options, CONV_PADDING, 0);
  a->stride_w = flat_i32_field(&r->f, &o->options, CONV_STRIDE_W, 0);
  a->stride_h = flat_i32_field(&r->f, &o->options, CONV_STRIDE_H, 0);
  if (padding != 0 && padding != 1) return err_set(r->e, "unknown padding %d", padding);
  if (x->rank != 4 || x->dims[1] < 1 || x->dims[2] < 1)
    return err_set(
        r->e, "its input has %d axes or unknown sizes; batch, height, width, channels are needed",
        x->rank);
  if (a->stride_h < 1 || a->stride_w < 1 || a->dilation_h < 1 || a->dilation_w < 1 ||
      kernel_h < 1 || kernel_w < 1)
    return err_set(r->e, "kernel %dx%d, stride %dx%d, dilation %dx%d: all must be at least 1",
                   kernel_h, kernel_w, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w);
  const enum graph_padding p = padding == 0 ? GRAPH_PAD_SAME : GRAPH_PAD_VALID;
  graph_window_out(x->dims[1], kernel_h, a->stride_h, a->dilation_h, p, &a->pad_top,
                   &a->pad_bottom);
  graph_window_out(x->dims[2], kernel_w, a->stride_w, a->dilation_w, p, &a->pad_left,
                   &a->pad_right);
  return true;
}

static bool read_conv(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const bool depthwise = o->code == MOTE_OP_DEPTHWISE_CONV_2D;
  const struct graph_tensor *x = input(r, o, 0), *w = input(r, o, 1);
  if (w->rank != 4) return err_set(r->e, "its weights have %d axes instead of 4", w->rank);
  a->dilation_w =
      flat_i32_field(&r->f, &o->options, depthwise ? DEPTHWISE_DILATION_W : CONV_DILATION_W, 1);
  a->dilation_h =
      flat_i32_field(&r->f, &o->options, depthwise ? DEPTHWISE_DILATION_H : CONV_DILATION_H, 1);
  if (!set_window(r, o, w->dims[1], w->dims[2])) return false;
  /* Some converters leave the option at 0; the shapes decide. */
  if (depthwise) a->depth_multiplier = x->dims[3] > 0 ? w->dims[3] / x->dims[3] : 0;
  return set_activation(r, o, depthwise ? DEPTHWISE_ACTIVATION : CONV_ACTIVATION);
}

static bool read_pool(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  a->dilation_h = a->dilation_w = 1;
  a->kernel_w = flat_i32_field(&r->f, &o->options, POOL_KERNEL_W, 0);
  a->kernel_h = flat_i32_field(&r->f, &o->options, POOL_KERNEL_H, 0);
  return set_window(r, o, a->kernel_h, a->kernel_w) && set_activation(r, o, POOL_ACTIVATION);
}

static bool read_fully_connected(struct reader *r, struct op *o) {
  const int32_t format = flat_i8_field(&r->f, &o->options, DENSE_WEIGHTS_FORMAT, 0);
  if (format != 0) return err_set(r->e, "shuffled weights (format %d) are not supported", format);
  o->node.attrs.keep_dims = flat_i8_field(&r->f, &o->options, DENSE_KEEP_DIMS, 0) != 0;
  return set_activation(r, o, DENSE_ACTIVATION);
}

/* A new constant of y's shape in which z's elements are repeated along the axes where z has size 1 or none;
 * -1 where the shapes do not allow it. The copy costs flash, but every kernel then reads two equal shapes. */
static int repeat_constant(struct reader *r, const struct graph_tensor *z,
                           const struct graph_tensor *y) {
  int64_t step[GRAPH_MAX_RANK] = {0}, size = 1;
  const int more = y->rank - z->rank;
  for (int i = y->rank - 1; i >= 0; i--) {
    const int32_t dim = more >= 0 && i >= more ? z->dims[i - more] : 1;
    if (more < 0 || (dim != 1 && dim != y->dims[i])) {
      err_set(r->e, "its constant does not suit the shape of the output, even repeated");
      return -1;
    }
    step[i] = dim == 1 ? 0 : size;
    size *= dim;
  }
  const int64_t elements = graph_elements(y);
  if (elements < 1 || elements > GRAPH_MAX_ELEMENTS) {
    err_set(r->e, "its output has no known size");
    return -1;
  }
  int8_t *all = take(r, (size_t)elements, 1);
  const int8_t *once = z->data;
  for (int64_t e = 0; all && e < elements; e++) {
    int64_t rest = e, from = 0;
    for (int i = y->rank - 1; i >= 0; i--) {
      from += rest % y->dims[i] * step[i];
      rest /= y->dims[i];
    }
    all[e] = once[from];
  }
  struct graph_tensor wide = *y;
  wide.name = z->name;
  wide.quant = z->quant;
  wide.data = all;
  return all ? graph_add_tensor(r->g, &wide) : -1;
}

/* A constant may come first (the sum does not care) and may be smaller than the output. */
static bool read_add(struct reader *r, struct op *o) {
  int *in = o->node.in;
  if (input(r, o, 0)->data) {
    in[0] = o->in[1];
    in[1] = o->in[0];
  }
  const struct graph_tensor *x = &r->g->tensors[in[0]], *z = &r->g->tensors[in[1]],
                            *y = output(r, o);
  if (x->data) return err_set(r->e, "both of its inputs are constants");
  if (z->data && !graph_same_shape(z, y)) {
    if (z->type != MOTE_INT8 || y->type != MOTE_INT8)
      return err_set(r->e, "its tensors are not int8");
    in[1] = repeat_constant(r, z, y);
    if (in[1] < 0) return false;
  }
  return set_activation(r, o, 0);
}

/* Means over height and width. One axis will do where the other has size 1, and an input of three axes is
 * seen as one of width 1. */
static bool read_mean(struct reader *r, struct op *o) {
  int64_t axes[MOST_PARAMETERS];
  int count;
  const struct graph_tensor *x = input(r, o, 0);
  if (!read_parameters(r, o->in[1], "list of axes", axes, &count)) return false;
  bool over[GRAPH_MAX_RANK] = {false};
  for (int i = 0; i < count; i++) {
    const int64_t axis = axes[i] < 0 ? axes[i] + x->rank : axes[i];
    if (axis < 0 || axis >= x->rank)
      return err_set(r->e, "axis %lld of %d", (long long)axes[i], x->rank);
    over[axis] = true;
  }
  const bool rank3 = x->rank == 3 && !over[0] && over[1] && !over[2];
  const bool rank4 = x->rank == 4 && !over[0] && !over[3] && (over[1] || x->dims[1] == 1) &&
                     (over[2] || x->dims[2] == 1);
  if (!rank3 && !rank4)
    return err_set(r->e,
                   "a mean of %d axes over these axes is not supported; over height and width of "
                   "[batch, height, width, channels] it is",
                   x->rank);
  o->node.attrs.keep_dims = flat_i8_field(&r->f, &o->options, 0, 0) != 0;
  o->node.n_in = 1;
  if (rank4) return true;

  struct graph_tensor seen = *x;
  seen.rank = 4;
  seen.dims[3] = x->dims[2];
  seen.dims[2] = 1;
  seen.data = NULL;
  const int view = graph_add_tensor(r->g, &seen);
  const struct graph_node reshape = {.op = MOTE_OP_RESHAPE,
                                     .n_in = 1,
                                     .n_out = 1,
                                     .in = {o->in[0]},
                                     .out = {view},
                                     .source_op = -1};
  graph_add_node(r->g, &reshape);
  o->node.in[0] = view;
  return true;
}

static bool read_softmax(struct reader *r, struct op *o) {
  o->node.attrs.beta = flat_f32_field(&r->f, &o->options, 0);
  return true;
}

/* The output tensor has the shape. Where the converter left it open, the wanted shape decides, in which one
 * size may be -1: whatever is left. */
static bool read_reshape(struct reader *r, struct op *o) {
  struct graph_tensor *x = input(r, o, 0), *y = output(r, o);
  int64_t shape[MOST_PARAMETERS];
  int count = 0;
  o->node.n_in = 1;
  if (graph_elements(y) > 0) return true;
  if (o->n_in > 1 && o->in[1] >= 0) {
    if (!read_parameters(r, o->in[1], "shape", shape, &count)) return false;
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
  y->rank = count;
  for (int i = 0; i < count; i++) y->dims[i] = (int32_t)(i == open ? rest : shape[i]);
  return true;
}

static bool read_pad(struct reader *r, struct op *o) {
  int64_t p[MOST_PARAMETERS];
  int count;
  if (!read_parameters(r, o->in[1], "list of paddings", p, &count)) return false;
  if (count != 8 || p[0] || p[1] || p[6] || p[7])
    return err_set(
        r->e, "only padding of height and width of [batch, height, width, channels] is supported");
  for (int i = 2; i < 6; i++)
    if (p[i] < 0 || p[i] > 65535) return err_set(r->e, "padding by %lld", (long long)p[i]);
  struct graph_attrs *a = &o->node.attrs;
  a->pad_top = (int)p[2];
  a->pad_bottom = (int)p[3];
  a->pad_left = (int)p[4];
  a->pad_right = (int)p[5];
  o->node.n_in = 1;
  return true;
}

/* code: in the schema. least, most: inputs in the file. tensors: how many of them the graph keeps. */
static const struct operator_reader {
  int32_t code;
  int least, most, tensors;
  bool (*read)(struct reader *r, struct op *o);
} operators[MOTE_OP_COUNT] = {
    [MOTE_OP_CONV_2D] = {3, 2, 3, 3, read_conv},
    [MOTE_OP_DEPTHWISE_CONV_2D] = {4, 2, 3, 3, read_conv},
    [MOTE_OP_FULLY_CONNECTED] = {9, 2, 3, 3, read_fully_connected},
    [MOTE_OP_ADD] = {0, 2, 2, 2, read_add},
    [MOTE_OP_AVERAGE_POOL_2D] = {1, 1, 1, 1, read_pool},
    [MOTE_OP_MAX_POOL_2D] = {17, 1, 1, 1, read_pool},
    [MOTE_OP_MEAN] = {40, 2, 2, 1, read_mean},
    [MOTE_OP_SOFTMAX] = {25, 1, 1, 1, read_softmax},
    [MOTE_OP_RESHAPE] = {22, 1, 2, 1, read_reshape},
    [MOTE_OP_PAD] = {34, 2, 2, 1, read_pad},
};

static int operator_of(int32_t code) {
  for (int op = 0; op < MOTE_OP_COUNT; op++)
    if (operators[op].code == code) return op;
  return -1;
}

/* The schema's code of operator `number`; -1 when the file is damaged. */
static int32_t code_of(struct reader *r, size_t number, struct flat_table *op,
                       struct flat_table *code) {
  *op = flat_table_at(&r->f, &r->operators, number);
  const uint32_t index = (uint32_t)flat_i32_field(&r->f, op, OPERATOR_CODE, 0);
  if (r->f.bad) return -1;
  if (index >= r->codes.count) {
    err_set(r->e, "operator %zu has code number %u of %zu", number, index, r->codes.count);
    return -1;
  }
  *code = flat_table_at(&r->f, &r->codes, index);
  const int32_t old = flat_i8_field(&r->f, code, CODE_OLD, 0),
                new = flat_i32_field(&r->f, code, CODE_NEW, 0);
  if (r->f.bad) return -1;
  const int32_t value = old > new ? old : new;
  if (value < 0 || value == CODE_PLACEHOLDER) {
    err_set(r->e, "operator %zu has code %d, which no operator has", number, value);
    return -1;
  }
  return value;
}

/* "LSTM" or the name that a custom operator calls itself. */
static void add_operator_name(struct reader *r, const struct flat_table *code, int32_t value,
                              struct text *out) {
  if (value != CODE_IS_CUSTOM) {
    text_add(out, operator_name(value));
    return;
  }
  const struct flat_vector v = flat_vector_field(&r->f, code, CODE_CUSTOM, 1);
  text_add(out, "custom operator \"");
  for (size_t i = 0; i < v.count && i < 60; i++) {
    const uint8_t c = r->f.p[v.at + i];
    const char shown = c >= ' ' && c < 127 ? (char)c : '?';
    text_addn(out, &shown, 1);
  }
  text_add(out, "\"");
}

/* Which operators the model's outputs depend on. Numbers that only become an attribute (the shape that a
 * RESHAPE is given, which its output tensor states anyway) are no dependence: converters compute such
 * shapes with SHAPE, STRIDED_SLICE and PACK, and those operators fall away here. */
static bool find_needed(struct reader *r, const struct flat_table *subgraph) {
  const size_t tensors = r->tensors.count;
  bool *wanted = take(r, tensors, sizeof *wanted);
  r->needed = take(r, r->operators.count, sizeof *r->needed);
  if (!wanted || !r->needed) return false;
  const struct flat_vector ports = flat_vector_field(&r->f, subgraph, GRAPH_OUTPUTS, 4);
  for (size_t i = 0; i < ports.count; i++) {
    const uint32_t t = flat_u32(&r->f, ports.at + 4 * i);
    if (t < tensors) wanted[t] = true;
  }
  for (size_t i = r->operators.count; i-- > 0;) {
    struct flat_table op, code;
    const int32_t value = code_of(r, i, &op, &code);
    if (value < 0) return false;
    const struct flat_vector in = flat_vector_field(&r->f, &op, OPERATOR_INPUTS, 4);
    const struct flat_vector out = flat_vector_field(&r->f, &op, OPERATOR_OUTPUTS, 4);
    for (size_t k = 0; k < out.count && !r->needed[i]; k++) {
      const uint32_t t = flat_u32(&r->f, out.at + 4 * k);
      r->needed[i] = t < tensors && wanted[t];
    }
    const int known = operator_of(value);
    const size_t read = known < 0 ? in.count : (size_t)operators[known].tensors;
    for (size_t k = 0; k < in.count && k < read && r->needed[i]; k++) {
      const uint32_t t = flat_u32(&r->f, in.at + 4 * k);
      if (t < tensors) wanted[t] = true;
    }
  }
  return !r->f.bad;
}

/* First pass: every operator is supported, or one error names the first and lists the kinds of all others. */
static bool check_operators(struct reader *r) {
  struct text first, others;
  text_init(&first, r->a);
  text_init(&others, r->a);
  bool seen[256] = {false};
  size_t at = 0, count = 0;
  for (size_t i = 0; i < r->operators.count; i++) {
    struct flat_table op, code;
    const int32_t value = code_of(r, i, &op, &code);
    if (value < 0) return false;
    if (operator_of(value) >= 0 || !r->needed[i]) continue;
    if (count++ == 0) {
      at = i;
      add_operator_name(r, &code, value, &first);
    } else if (value < 256 && !seen[value] && others.size < 300) {
      text_add(&others, others.size ? ", " : "");
      text_add(&others, value == CODE_IS_CUSTOM ? "custom operators" : operator_name(value));
    }
    if (value < 256) seen[value] = true;
  }
  if (count == 0) return !r->f.bad;
  err_node(r->e, "operator %zu, %s", at, first.data);
  return err_set(
      r->e,
      "%s is not supported (%zu of %zu operators are not%s%s). Supported, in int8: CONV_2D, "
      "DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, AVERAGE_POOL_2D, MAX_POOL_2D, MEAN, SOFTMAX, "
      "RESHAPE, PAD%s%s",
      first.data, count, r->operators.count, others.size ? "; also " : "",
      others.size ? others.data : "", seen[6] || seen[114] ? ". For QUANTIZE and DEQUANTIZE: " : "",
      seen[6] || seen[114] ? how_to_quantise : "");
}

static bool read_edges(struct reader *r, struct op *o, const struct flat_table *t) {
  const struct operator_reader *known = &operators[o->code];
  const struct flat_vector in = flat_vector_field(&r->f, t, OPERATOR_INPUTS, 4);
  const struct flat_vector out = flat_vector_field(&r->f, t, OPERATOR_OUTPUTS, 4);
  if (r->f.bad) return false;
  if (in.count < (size_t)known->least || in.count > (size_t)known->most || out.count != 1)
    return err_set(r->e, "%zu inputs and %zu outputs", in.count, out.count);
  o->n_in = (int)in.count;
  for (int i = 0; i < GRAPH_MAX_IN; i++)
    o->in[i] = i < o->n_in ? (int)(int32_t)flat_u32(&r->f, in.at + 4 * (size_t)i) : -1;
  o->out = (int)(int32_t)flat_u32(&r->f, out.at);
  for (int i = 0; i < known->tensors; i++) {
    if (i == 2 && o->in[i] == -1) continue; /* the bias may be left out */
    if (!use_tensor(r, o->in[i])) return false;
  }
  return use_tensor(r, o->out);
}

static bool read_operator(struct reader *r, int number) {
  struct flat_table t, code;
  struct op o = {.number = number};
  const int32_t value = code_of(r, (size_t)number, &t, &code);
  if (value < 0) return false;
  o.code = (enum mote_op)operator_of(value);
  o.options = flat_table_field(&r->f, &t, OPERATOR_OPTIONS);
  err_node(r->e, "operator %d, %s", number, mote_op_name((int)o.code));
  if (!read_edges(r, &o, &t)) return false;
  o.node = (struct graph_node){
      .op = o.code, .n_in = operators[o.code].tensors, .n_out = 1, .source_op = number};
  memcpy(o.node.in, o.in, sizeof o.node.in);
  o.node.out[0] = o.out;
  if (!operators[o.code].read(r, &o) || r->f.bad) return false;
  graph_add_node(r->g, &o.node);
  r->e->node[0] = '\0';
  return true;
}

/* ---- the model ------------------------------------------------------------------- */
static bool read_ports(struct reader *r, const struct flat_table *subgraph, int field,
                       const char *what) {
  const struct flat_vector v = flat_vector_field(&r->f, subgraph, field, 4);
  if (r->f.bad) return false;
  if (v.count < 1 || v.count > 256) return err_set(r->e, "the model has %zu %s", v.count, what);
  int list[256];
  for (size_t i = 0; i < v.count; i++) {
    list[i] = (int)(int32_t)flat_u32(&r->f, v.at + 4 * i);
    err_node(r->e, "%s %zu of the model", what, i);
    if (!use_tensor(r, list[i])) return false;
    r->e->node[0] = '\0';
  }
  if (field == GRAPH_INPUTS)
    graph_set_inputs(r->g, list, (int)v.count);
  else
    graph_set_outputs(r->g, list, (int)v.count);
  return true;
}

/* Finds the model's vectors and checks how many of everything there are. */
static bool read_model(struct reader *r, struct flat_table *subgraph) {
  const struct flat_table model = flat_root(&r->f);
  const int32_t version = flat_i32_field(&r->f, &model, MODEL_VERSION, 0);
  const struct flat_vector subgraphs = flat_vector_field(&r->f, &model, MODEL_SUBGRAPHS, 4);
  r->codes = flat_vector_field(&r->f, &model, MODEL_CODES, 4);
  r->buffers = flat_vector_field(&r->f, &model, MODEL_BUFFERS, 4);
  if (r->f.bad) return false;
  if (version != 3) return err_set(r->e, "schema version %d; version 3 is supported", version);
  if (subgraphs.count != 1)
    return err_set(r->e,
                   "%zu subgraphs; models with control flow or several entry points are not "
                   "supported: convert "
                   "one function without them",
                   subgraphs.count);
  *subgraph = flat_table_at(&r->f, &subgraphs, 0);
  r->tensors = flat_vector_field(&r->f, subgraph, GRAPH_TENSORS, 4);
  r->operators = flat_vector_field(&r->f, subgraph, GRAPH_OPERATORS, 4);
  if (r->f.bad) return false;
  if (r->tensors.count > MOST_TENSORS || r->operators.count > MOST_TENSORS ||
      r->operators.count < 1)
    return err_set(r->e, "%zu tensors and %zu operators; 1 to %d are possible", r->tensors.count,
                   r->operators.count, MOST_TENSORS);
  return true;
}

/* Memory for what is counted; the tensors begin as placeholders. */
static bool prepare(struct reader *r, const char *name) {
  r->have = take(r, r->tensors.count, sizeof *r->have);
  r->bytes_of = take(r, r->buffers.count, sizeof *r->bytes_of);
  if (!r->have || !r->bytes_of) return false;
  /* An operator may add one tensor and one node. The room is taken now, while running out is an error. */
  const size_t room_tensors = r->tensors.count + r->operators.count,
               room_nodes = 2 * r->operators.count;
  struct graph_tensor *t = take(r, room_tensors, sizeof *t);
  struct graph_node *n = take(r, room_nodes, sizeof *n);
  if (!t || !n) return false;
  r->g = graph_new(r->a, name);
  r->g->tensors = t;
  r->g->nodes = n;
  r->g->room_tensors = (int)room_tensors;
  r->g->room_nodes = (int)room_nodes;
  const struct graph_tensor placeholder = {.name = "", .type = MOTE_INT8, .rank = 1, .dims = {1}};
  for (size_t i = 0; i < r->tensors.count; i++) graph_add_tensor(r->g, &placeholder);
  return true;
}

static struct graph *read_tflite(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                                 struct err *e) {
  struct reader r = {.f = {bytes, n, e, false}, .a = a, .e = e};
  struct flat_table subgraph;
  if (n < 8 || memcmp(bytes + 4, "TFL3", 4) != 0) {
    err_set(e, "not a TensorFlow Lite model: byte 4 does not begin TFL3");
    return NULL;
  }
  if (arena_left(a) < 65536) {
    err_set(e, "reading it needs more than the %zu bytes of memory left", arena_left(a));
    return NULL;
  }
  if (!read_model(&r, &subgraph) || !find_needed(&r, &subgraph) || !check_operators(&r) ||
      !prepare(&r, name))
    return NULL;
  if (!read_ports(&r, &subgraph, GRAPH_INPUTS, "input")) return NULL;
  for (size_t i = 0; i < r.operators.count; i++)
    if (r.needed[i] && !read_operator(&r, (int)i)) return NULL;
  if (!read_ports(&r, &subgraph, GRAPH_OUTPUTS, "output")) return NULL;
  return graph_check(r.g, e) ? r.g : NULL;
}

struct graph *import_tflite(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                            struct err *e) {
  struct err ignored = {0};
  struct graph *g = read_tflite(a, name, bytes, n, e ? e : &ignored);
  if (!g) err_file(e, name);
  return g;
}

struct graph *import_file(struct arena *a, const char *path, struct err *e) {
  uint8_t *bytes;
  size_t n;
  if (!file_read(a, path, IMPORT_MAX_BYTES, &bytes, &n, e)) return NULL;
  if (n >= 8 && memcmp(bytes + 4, "TFL3", 4) == 0) return import_tflite(a, path, bytes, n, e);
  err_file(e, path);
  if (n >= 4 && memcmp(bytes, "TFL3", 4) == 0)
    err_set(e, "damaged: a TensorFlow Lite model has TFL3 at byte 4, not at byte 0");
  else
    err_set(e, "%s; mote imports TensorFlow Lite models (.tflite, full-integer int8)",
            n == 0 ? "the file is empty" : "not a model of a known format");
  return NULL;
}
