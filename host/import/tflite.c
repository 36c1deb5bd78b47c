/* import: TensorFlow Lite models: the file, its subgraphs, tensors and edges. See import.h.
 *
 * Two passes: the first looks at every operator and refuses the model with the whole list of what is not
 * supported, so that a user learns it at once; the second translates. Tensors are read when an operator or the model's
 * ports first use them: parameters of operators (shapes, axes, paddings) become attributes, and their
 * tensors stay in the graph as empty placeholders, so that numbers agree with the source.
 *
 * source: the published TensorFlow Lite schema, version 3 (field numbers below). */
#include "host/import/import.h"

#include "host/import/tflite.h"

#include <string.h>

/* Field numbers of the schema's tables. */
enum { MODEL_VERSION, MODEL_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS };
enum { CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_NEW };
enum {
  OPERATOR_CODE,
  OPERATOR_INPUTS,
  OPERATOR_OUTPUTS,
  OPERATOR_OPTIONS_TYPE,
  OPERATOR_OPTIONS,
  OPERATOR_CUSTOM,
  OPERATOR_OPTIONS_2 = 12
};
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
#define CODE_PLACEHOLDER 127 /* old field of models whose code needs the new one */
#define CODE_IS_CUSTOM   32
#define CODE_DENSIFY     124
#define DECODE           "TFLM_DECODE"
#define MOST_TENSORS     65535 /* a plan numbers tensors and operators in 16 bits */
#define MOST_CHANNELS    65536

static const char *const type_names[] = {"FLOAT32", "FLOAT16",    "INT32",  "UINT8",     "INT64",
                                         "STRING",  "BOOL",       "INT16",  "COMPLEX64", "INT8",
                                         "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE",  "VARIANT",
                                         "UINT32",  "UINT16",     "INT4"};
const char *tflite_type_name(int32_t type) {
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

static const struct {
  int32_t code;
  const struct tflite_reader *reader;
} readers[MOTE_OP_COUNT] = {
#define OP(name, tflite_code, text) {tflite_code, &tflite_reader_##name},
#include "mote/base/ops.def"
#undef OP
};

/* Memory for hostile sizes: NULL with an error instead of an exhausted arena. */
void *tflite_take(struct reader *r, size_t count, size_t size) {
  const size_t left = arena_left(r->a);
  if (left < 16384 || count > (left - 16384) / size) {
    err_set(r->e, "reading it needs more than the %zu bytes of memory left", left);
    return NULL;
  }
  return arena_alloc(r->a, count ? count : 1, size);
}

bool tflite_make_room(struct reader *r, int tensors, int nodes) {
  struct graph *g = r->g;
  const int64_t n = (int64_t)g->room_tensors + tensors, m = (int64_t)g->room_nodes + nodes;
  if (n > MOST_TENSORS || m > MOST_TENSORS)
    return err_set(
        r->e,
        "what it stands for makes %lld tensors and %lld operators of the model; at most %d are "
        "possible",
        (long long)n, (long long)m, MOST_TENSORS);
  struct graph_tensor *t = tflite_take(r, (size_t)n, sizeof *t);
  struct graph_node *list = tflite_take(r, (size_t)m, sizeof *list);
  if (!t || !list) return false;
  memcpy(t, g->tensors, (size_t)g->n_tensors * sizeof *t);
  memcpy(list, g->nodes, (size_t)g->n_nodes * sizeof *list);
  g->tensors = t;
  g->nodes = list;
  g->room_tensors = (int)n;
  g->room_nodes = (int)m;
  return true;
}

/* ---- tensors ------------------------------------------------------------------ */
/* Names are only shown: unprintable bytes become '?', long ones are cut. */
static char *read_name(struct reader *r, const struct flat_table *t) {
  const struct flat_vector v = flat_vector_field(&r->f, t, TENSOR_NAME, 1);
  const size_t n = v.count < 120 ? v.count : 120;
  char *name = tflite_take(r, n + 1, 1);
  for (size_t i = 0; name && i < n; i++) {
    const uint8_t c = r->f.p[v.at + i];
    name[i] = c >= ' ' && c < 127 && c != '"' ? (char)c : '?';
  }
  return name;
}

/* The bytes of buffer `index` in the file; count 0 where it has none. Large models keep data behind the flatbuffer:
 * then offset and size count from the start of the file. */
bool tflite_buffer(struct reader *r, uint32_t index, size_t *at, size_t *count) {
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
  if (tflite_is_blockwise(r, tensor)) return true; /* its constant becomes real numbers */
  if (scale.count == 0) return true;
  if (scale.count > MOST_CHANNELS) return err_set(r->e, "%zu scales", scale.count);
  if (zp.count > 1 && zp.count != scale.count)
    return err_set(r->e, "%zu scales, but %zu zero points", scale.count, zp.count);
  float *scales = tflite_take(r, scale.count, sizeof *scales);
  int32_t *zps = tflite_take(r, scale.count, sizeof *zps);
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

static bool read_type(struct reader *r, const struct flat_table *t, struct graph_tensor *x) {
  const int32_t type = flat_i8_field(&r->f, t, TENSOR_TYPE, TYPE_FLOAT32);
  if (r->f.bad) return false;
  switch (type) {
  case TYPE_INT4:
  case TYPE_INT8: x->type = MOTE_INT8; return true;
  case TYPE_UINT8: x->type = MOTE_UINT8; return true;
  case TYPE_INT16: x->type = MOTE_INT16; return true;
  case TYPE_RESOURCE: /* a handle: its operators see the variable behind it */
  case TYPE_INT32: x->type = MOTE_INT32; return true;
  case TYPE_UINT32: x->type = MOTE_UINT32; return true;
  case TYPE_INT64: x->type = MOTE_INT64; return true;
  case TYPE_UINT64: x->type = MOTE_UINT64; return true;
  case TYPE_BOOL: x->type = MOTE_BOOL; return true;
  case TYPE_FLOAT16:
  case TYPE_FLOAT32: x->type = MOTE_FLOAT32; return true;
  default: return err_set(r->e, "type %s is not supported", tflite_type_name(type));
  }
}

/* What a state begins with: int8 ones with their zero point, others with zero. */
static bool first_value(struct reader *r, struct graph_tensor *t) {
  t->data = NULL;
  if (t->type != MOTE_INT8 || t->quant.count < 1 || t->quant.zp[0] == 0) return true;
  const int64_t elements = graph_elements(t);
  if (elements < 1 || elements > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "a state of unknown size");
  void *data = tflite_take(r, (size_t)elements, 1);
  if (data) memset(data, (int)t->quant.zp[0], (size_t)elements);
  t->data = data;
  return data != NULL;
}

/* Its constant, or that of the sparse tensor which DENSIFY would make dense when the model begins: that is dense already. */
static bool read_constant(struct reader *r, int index, const struct flat_table *t,
                          struct graph_tensor *x) {
  struct tflite_maker m;
  if (!tflite_maker_of(r, index, &m) || m.code != CODE_DENSIFY) return tflite_constant(r, t, x);
  const uint32_t from = m.in.count > 0 ? flat_u32(&r->f, m.in.at) : UINT32_MAX;
  if (from >= r->tensors.count) return err_set(r->e, "DENSIFY makes it of no tensor");
  const struct flat_table sparse = flat_table_at(&r->f, &r->tensors, from);
  struct graph_tensor shape = *x;
  if (!read_type(r, &sparse, &shape) || !read_shape(r, &sparse, &shape)) return false;
  if (shape.type != x->type || shape.rank != x->rank ||
      memcmp(shape.dims, x->dims, sizeof x->dims) != 0)
    return err_set(r->e, "DENSIFY makes it of tensor %u, which has another type or shape", from);
  if (!tflite_constant(r, &sparse, x)) return false;
  return x->data || err_set(r->e, "DENSIFY makes it of tensor %u, which is no constant", from);
}

bool tflite_use_tensor(struct reader *r, int index) {
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
            read_quant(r, &t, &fresh.quant) && read_constant(r, index, &t, &fresh);
  if (ok) fresh.is_state = flat_i8_field(&r->f, &t, TENSOR_VARIABLE, 0) != 0;
  ok = ok && (!fresh.is_state || first_value(r, &fresh));
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
bool tflite_shape(struct reader *r, int index, int *rank, int32_t dims[GRAPH_MAX_RANK]) {
  if (index < 0 || (size_t)index >= r->tensors.count) return false;
  if (r->reshaped[index]) {
    *rank = r->g->tensors[index].rank;
    memcpy(dims, r->g->tensors[index].dims, sizeof r->g->tensors[index].dims);
    return true;
  }
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  const struct flat_vector v = flat_vector_field(&r->f, &t, TENSOR_SHAPE, 4);
  if (r->f.bad || v.count > GRAPH_MAX_RANK) return false;
  *rank = (int)v.count;
  for (size_t i = 0; i < v.count; i++) dims[i] = (int32_t)flat_u32(&r->f, v.at + 4 * i);
  return true;
}

int tflite_open_axis(struct reader *r, int index) {
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  const struct flat_vector v = flat_vector_field(&r->f, &t, TENSOR_SIGNATURE, 4);
  int open = -1;
  if (r->f.bad || v.count > GRAPH_MAX_RANK) return -1;
  for (size_t i = 0; i < v.count; i++) {
    if (flat_u32(&r->f, v.at + 4 * i) != UINT32_MAX) continue;
    if (open >= 0) return -1;
    open = (int)i;
  }
  return open;
}

/* The numbers of tensor `index` where the file has them. *constant: whether it has. */
static bool read_numbers(struct reader *r, int index, const char *what, bool *constant,
                         int64_t values[TFLITE_MOST_PARAMETERS], int *count) {
  *constant = false;
  if (index < 0 || (size_t)index >= r->tensors.count)
    return err_set(r->e, "its %s is tensor %d of %zu", what, index, r->tensors.count);
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  const int32_t type = flat_i8_field(&r->f, &t, TENSOR_TYPE, TYPE_FLOAT32);
  const uint32_t buffer = (uint32_t)flat_i32_field(&r->f, &t, TENSOR_BUFFER, 0);
  size_t at, bytes;
  if (r->f.bad || !tflite_buffer(r, buffer, &at, &bytes)) return false;
  if (type != TYPE_INT32 && type != TYPE_INT64)
    return err_set(r->e, "its %s is %s instead of int32", what, tflite_type_name(type));
  if (bytes == 0) return true;
  const size_t size = type == TYPE_INT32 ? 4 : 8;
  if (bytes % size || bytes / size > TFLITE_MOST_PARAMETERS)
    return err_set(r->e, "its %s has %zu bytes", what, bytes);
  *constant = true;
  *count = (int)(bytes / size);
  for (int i = 0; i < *count; i++) {
    const size_t from = at + size * (size_t)i;
    values[i] = size == 4 ? (int32_t)flat_u32(&r->f, from) : (int64_t)flat_u64(&r->f, from);
  }
  return true;
}

bool tflite_parameters(struct reader *r, int index, const char *what,
                       int64_t values[TFLITE_MOST_PARAMETERS], int *count) {
  bool constant;
  if (!read_numbers(r, index, what, &constant, values, count)) return false;
  if (constant || tflite_fold(r, index, 0, values, count)) return !r->f.bad;
  return err_set(
      r->e,
      "its %s (tensor %d) depends on the data of the model's input, so that no memory can be "
      "planned; convert the model with fixed shapes",
      what, index);
}

bool tflite_numbers(struct reader *r, int index, int64_t values[TFLITE_MOST_PARAMETERS],
                    int *count) {
  struct err ignored = {0};
  struct err *outer = r->e;
  bool constant;
  r->e = &ignored;
  const bool ok = read_numbers(r, index, "value", &constant, values, count);
  r->e = outer;
  return ok && constant;
}

bool tflite_axis(struct reader *r, int64_t axis, int rank, int *out) {
  const int64_t front = axis < 0 ? axis + rank : axis;
  if (front < 0 || front >= rank)
    return err_set(r->e, "axis %lld of a tensor of %d axes", (long long)axis, rank);
  *out = (int)front;
  return true;
}

int tflite_new_state(struct reader *r, const char *name, enum mote_type type, int rank,
                     const int32_t *dims) {
  struct graph_tensor t = {.name = name, .type = type, .rank = rank, .is_state = true};
  memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
  return graph_add_tensor(r->g, &t);
}

/* ---- what readers share ---- */
void tflite_view(struct reader *r, int from, int to, int source_op) {
  const struct graph_node view = {.op = MOTE_OP_RESHAPE,
                                  .n_in = 1,
                                  .n_out = 1,
                                  .in = {from},
                                  .out = {to},
                                  .source_op = source_op};
  graph_add_node(r->g, &view);
}

void tflite_see(struct reader *r, struct op *o, const struct graph_tensor *x) {
  struct graph_tensor seen = *x;
  seen.data = NULL;
  const int view = graph_add_tensor(r->g, &seen);
  tflite_view(r, o->in[0], view, -1);
  o->node.in[0] = view;
}

bool tflite_activation(struct reader *r, struct op *o, int field) {
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
bool tflite_window(struct reader *r, struct op *o, int kernel_h, int kernel_w) {
  struct graph_attrs *a = &o->node.attrs;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  const int32_t padding = flat_i8_field(&r->f, &o->options, TFLITE_PADDING, 0);
  a->stride_w = flat_i32_field(&r->f, &o->options, TFLITE_STRIDE_W, 0);
  a->stride_h = flat_i32_field(&r->f, &o->options, TFLITE_STRIDE_H, 0);
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

/* The row of ops.def for an operator of the file; -1 where mote has none. */
static int operator_of(const struct reader *r, int32_t value, const struct flat_vector *custom) {
  for (int op = 0; op < MOTE_OP_COUNT; op++) {
    if (readers[op].code != value) continue;
    const char *name = readers[op].reader->custom;
    if (value != CODE_IS_CUSTOM) return op;
    if (name && strlen(name) == custom->count && !memcmp(name, r->f.p + custom->at, custom->count))
      return op;
  }
  return -1;
}

/* An operator as the file has it. */
struct entry {
  struct flat_table op;
  struct flat_vector custom; /* the name of a custom operator */
  int32_t code;              /* in the schema */
  int known;                 /* row of ops.def; -1 where mote has none */
  bool decodes;              /* compressed constants: gone once they are read */
  bool densifies;            /* sparse constants: its output is read dense (read_constant) */
};

/* false when the file is damaged. */
static bool read_entry(struct reader *r, size_t number, struct entry *out) {
  out->op = flat_table_at(&r->f, &r->operators, number);
  const uint32_t index = (uint32_t)flat_i32_field(&r->f, &out->op, OPERATOR_CODE, 0);
  if (r->f.bad) return false;
  if (index >= r->codes.count)
    return err_set(r->e, "operator %zu has code number %u of %zu", number, index, r->codes.count);
  const struct flat_table code = flat_table_at(&r->f, &r->codes, index);
  const int32_t old = flat_i8_field(&r->f, &code, CODE_OLD, 0),
                new = flat_i32_field(&r->f, &code, CODE_NEW, 0);
  out->custom = flat_vector_field(&r->f, &code, CODE_CUSTOM, 1);
  out->code = old > new ? old : new;
  if (r->f.bad) return false;
  if (out->code < 0 || out->code == CODE_PLACEHOLDER)
    return err_set(r->e, "operator %zu has code %d, which no operator has", number, out->code);
  out->known = operator_of(r, out->code, &out->custom);
  out->decodes = out->code == CODE_IS_CUSTOM && out->custom.count == strlen(DECODE) &&
                 !memcmp(r->f.p + out->custom.at, DECODE, strlen(DECODE));
  out->densifies = out->code == CODE_DENSIFY;
  return true;
}

bool tflite_maker_at(struct reader *r, int number, struct tflite_maker *out) {
  struct entry entry;
  if (!read_entry(r, (size_t)number, &entry)) return false;
  out->code = entry.code;
  out->in = flat_vector_field(&r->f, &entry.op, OPERATOR_INPUTS, 4);
  out->out = flat_vector_field(&r->f, &entry.op, OPERATOR_OUTPUTS, 4);
  out->options = flat_table_field(&r->f, &entry.op, OPERATOR_OPTIONS);
  return !r->f.bad;
}

bool tflite_maker_of(struct reader *r, int tensor, struct tflite_maker *out) {
  return tensor >= 0 && (size_t)tensor < r->tensors.count && r->producer_of[tensor] >= 0 &&
         tflite_maker_at(r, r->producer_of[tensor], out);
}

/* "LSTM" or the name that a custom operator calls itself. */
static void add_operator_name(struct reader *r, const struct entry *entry, struct text *out) {
  if (entry->code != CODE_IS_CUSTOM) {
    text_add(out, operator_name(entry->code));
    return;
  }
  text_add(out, "custom operator \"");
  for (size_t i = 0; i < entry->custom.count && i < 60; i++) {
    const uint8_t c = r->f.p[entry->custom.at + i];
    const char shown = c >= ' ' && c < 127 ? (char)c : '?';
    text_addn(out, &shown, 1);
  }
  text_add(out, "\"");
}

/* Whether an operator runs although no output depends on it: it writes to a state, or is unknown and may. */
static bool has_effect(const struct entry *entry) {
  if (entry->known == MOTE_OP_CALL_ONCE || entry->known == MOTE_OP_IF ||
      entry->known == MOTE_OP_WHILE) /* what their subgraphs do is not known yet */
    return true;
  const struct graph_node n = {.op = (enum mote_op)entry->known};
  for (int i = 0; i < GRAPH_MAX_IN && entry->known >= 0; i++)
    if (graph_writes(&n, i)) return true;
  return false;
}

/* Who makes each tensor. */
static bool find_producers(struct reader *r) {
  r->producer_of = tflite_take(r, r->tensors.count, sizeof *r->producer_of);
  if (!r->producer_of) return false;
  for (size_t t = 0; t < r->tensors.count; t++) r->producer_of[t] = -1;
  for (size_t i = r->operators.count; i-- > 0;) {
    struct tflite_maker m;
    if (!tflite_maker_at(r, (int)i, &m)) return false;
    for (size_t k = 0; k < m.out.count; k++) {
      const uint32_t t = flat_u32(&r->f, m.out.at + 4 * k);
      if (t < r->tensors.count) r->producer_of[t] = (int32_t)i;
    }
  }
  return !r->f.bad;
}

/* Marks what needed operator `number` reads. */
static void want_inputs(struct reader *r, int number, const struct entry *entry, bool *wanted) {
  const struct flat_vector in = flat_vector_field(&r->f, &entry->op, OPERATOR_INPUTS, 4);
  struct tflite_list_write write;
  if (tflite_is_list_write(r, number, &write)) {
    wanted[write.list] = wanted[write.index] = wanted[write.item] = true;
    return;
  }
  const size_t read = entry->decodes || entry->densifies ? 0
                      : entry->known < 0                 ? in.count
                                         : (size_t)readers[entry->known].reader->tensors;
  for (size_t k = 0; k < in.count && k < read; k++) {
    const uint32_t t = flat_u32(&r->f, in.at + 4 * k);
    if (t < r->tensors.count) wanted[t] = true;
  }
}

/* Which operators the model's outputs depend on. Numbers that only become an
 * attribute (the shape that a RESHAPE is given, which its output tensor states anyway) are no dependence: converters
 * compute such shapes with SHAPE, STRIDED_SLICE and PACK, and those operators fall away here. */
static bool find_needed(struct reader *r, const struct flat_table *subgraph) {
  const size_t tensors = r->tensors.count;
  bool *wanted = tflite_take(r, tensors, sizeof *wanted);
  r->needed = tflite_take(r, r->operators.count, sizeof *r->needed);
  r->reshaped = tflite_take(r, tensors, sizeof *r->reshaped);
  if (!wanted || !r->needed || !r->reshaped || !find_producers(r)) return false;
  const struct flat_vector ports = flat_vector_field(&r->f, subgraph, GRAPH_OUTPUTS, 4);
  for (size_t i = 0; i < ports.count; i++) {
    const uint32_t t = flat_u32(&r->f, ports.at + 4 * i);
    if (t < tensors) wanted[t] = true;
  }
  for (size_t i = r->operators.count; i-- > 0;) {
    struct entry entry;
    if (!read_entry(r, i, &entry)) return false;
    const struct flat_vector out = flat_vector_field(&r->f, &entry.op, OPERATOR_OUTPUTS, 4);
    r->needed[i] = has_effect(&entry);
    for (size_t k = 0; k < out.count; k++) {
      const uint32_t t = flat_u32(&r->f, out.at + 4 * k);
      if (t < tensors) r->needed[i] = r->needed[i] || wanted[t];
    }
    if (r->needed[i]) want_inputs(r, (int)i, &entry, wanted);
  }
  return !r->f.bad;
}

/* The accelerator whose commands a custom operator holds: what a vendor's compiler made of a model; NULL: none. */
static const char *accelerator_of(const struct reader *r, const struct entry *entry) {
  static const struct {
    const char *name, *accelerator;
  } known[] = {{"ethos-u", "Arm's Ethos-U"}, {"edgetpu-custom-op", "Google's Edge TPU"}};
  for (size_t i = 0; i < sizeof known / sizeof *known && entry->code == CODE_IS_CUSTOM; i++)
    if (strlen(known[i].name) == entry->custom.count &&
        !memcmp(known[i].name, r->f.p + entry->custom.at, entry->custom.count))
      return known[i].accelerator;
  return NULL;
}

/* First pass: every operator is supported, or one error names the first and lists the kinds of all others. */
static bool check_operators(struct reader *r) {
  struct text first, others;
  text_init(&first, r->a);
  text_init(&others, r->a);
  bool seen[256] = {false};
  const char *accelerator = NULL;
  size_t at = 0, count = 0;
  for (size_t i = 0; i < r->operators.count; i++) {
    struct entry entry;
    if (!read_entry(r, i, &entry)) return false;
    if (entry.known >= 0 || entry.decodes || entry.densifies || !r->needed[i]) continue;
    if (count++ == 0) {
      at = i;
      accelerator = accelerator_of(r, &entry);
      add_operator_name(r, &entry, &first);
    } else if (entry.code < 256 && !seen[entry.code] && others.size < 300) {
      text_add(&others, others.size ? ", " : "");
      text_add(&others,
               entry.code == CODE_IS_CUSTOM ? "custom operators" : operator_name(entry.code));
    }
    if (entry.code < 256) seen[entry.code] = true;
  }
  if (count == 0) return !r->f.bad;
  err_node(r->e, "operator %zu, %s", at, first.data);
  if (accelerator)
    return err_set(r->e,
                   "it holds commands for %s, not operators: the model was compiled for that "
                   "accelerator. Import the model that it was compiled from",
                   accelerator);
  return err_set(r->e,
                 "%s is not supported (%zu of %zu operators are not%s%s). docs/operators.md lists "
                 "what is",
                 first.data, count, r->operators.count, others.size ? "; also " : "",
                 others.size ? others.data : "");
}

/* Tensors that the operator reads and makes. Those behind `tensors` are parameters and are not read here. */
static bool read_edges(struct reader *r, struct op *o, const struct flat_table *t) {
  const struct tflite_reader *known = readers[o->code].reader;
  const struct flat_vector in = flat_vector_field(&r->f, t, OPERATOR_INPUTS, 4);
  const struct flat_vector out = flat_vector_field(&r->f, t, OPERATOR_OUTPUTS, 4);
  if (r->f.bad) return false;
  if (in.count < (size_t)known->least || in.count > (size_t)known->most ||
      out.count > (size_t)known->outputs || in.count > GRAPH_MAX_IN || out.count > GRAPH_MAX_OUT)
    return err_set(r->e,
                   "%zu inputs and %zu outputs; %d to %d inputs and up to %d outputs are "
                   "possible",
                   in.count, out.count, known->least,
                   known->most < GRAPH_MAX_IN ? known->most : GRAPH_MAX_IN,
                   known->outputs < GRAPH_MAX_OUT ? known->outputs : GRAPH_MAX_OUT);
  o->n_in = (int)in.count;
  for (int i = 0; i < GRAPH_MAX_IN; i++)
    o->in[i] = i < o->n_in ? (int)(int32_t)flat_u32(&r->f, in.at + 4 * (size_t)i) : -1;
  for (int i = 0; i < known->tensors && i < o->n_in; i++)
    if (o->in[i] != -1 && !tflite_use_tensor(r, o->in[i])) return false;
  o->node.n_out = (int)out.count;
  for (int i = 0; i < o->node.n_out; i++) {
    o->node.out[i] = (int)(int32_t)flat_u32(&r->f, out.at + 4 * (size_t)i);
    if (!tflite_use_tensor(r, o->node.out[i])) return false;
  }
  o->out = o->node.n_out > 0 ? o->node.out[0] : -1;
  return true;
}

static bool read_decode(struct reader *r, int number, const struct flat_table *op) {
  const struct flat_vector in = flat_vector_field(&r->f, op, OPERATOR_INPUTS, 4);
  const struct flat_vector out = flat_vector_field(&r->f, op, OPERATOR_OUTPUTS, 4);
  err_node(r->e, "operator %d, " DECODE, number);
  if (r->f.bad || !tflite_decode(r, &in, &out)) return false;
  r->e->node[0] = '\0';
  return true;
}

static bool read_operator(struct reader *r, int number) {
  struct entry entry;
  struct op o = {.number = number};
  if (!read_entry(r, (size_t)number, &entry)) return false;
  if (entry.densifies) return true;
  if (entry.decodes) return read_decode(r, number, &entry.op);
  const struct tflite_reader *reader = readers[entry.known].reader;
  o.code = (enum mote_op)entry.known;
  o.options = flat_table_field(&r->f, &entry.op, OPERATOR_OPTIONS);
  if (o.options.at == 0) o.options = flat_table_field(&r->f, &entry.op, OPERATOR_OPTIONS_2);
  o.custom = flat_vector_field(&r->f, &entry.op, OPERATOR_CUSTOM, 1);
  err_node(r->e, "operator %d, %s", number, mote_op_name((int)o.code));
  o.node.op = o.code;
  o.node.source_op = number;
  struct tflite_list_write write;
  if (tflite_is_list_write(r, number, &write)) {
    const struct flat_vector out = flat_vector_field(&r->f, &entry.op, OPERATOR_OUTPUTS, 4);
    return tflite_write_list(r, &write, (int)(int32_t)flat_u32(&r->f, out.at), number);
  }
  if (!read_edges(r, &o, &entry.op)) return false;
  tflite_follow_shapes(r, &o);
  /* Optional inputs that the file does not mention are left out. */
  o.node.n_in = reader->tensors == GRAPH_MAX_IN ? o.n_in : reader->tensors;
  memcpy(o.node.in, o.in, sizeof o.node.in);
  if ((reader->read != NULL && !reader->read(r, &o)) || r->f.bad) return false;
  if (!o.no_node) graph_add_node(r->g, &o.node);
  r->e->node[0] = '\0';
  return true;
}

/* ---- the model ------------------------------------------------------------------- */
static bool read_ports(struct reader *r, const struct flat_table *subgraph, int field,
                       const char *what) {
  const struct flat_vector v = flat_vector_field(&r->f, subgraph, field, 4);
  if (r->f.bad) return false;
  /* A subgraph may take nothing, or only write to variables. */
  if ((v.count < 1 && r->depth == 0) || v.count > 256)
    return err_set(r->e, "the %s has %zu %ss", r->depth > 0 ? "subgraph" : "model", v.count, what);
  int list[256];
  for (size_t i = 0; i < v.count; i++) {
    list[i] = (int)(int32_t)flat_u32(&r->f, v.at + 4 * i);
    err_node(r->e, "%s %zu of the model", what, i);
    if (!tflite_use_tensor(r, list[i])) return false;
    r->e->node[0] = '\0';
  }
  if (field == GRAPH_INPUTS)
    graph_set_inputs(r->g, list, (int)v.count);
  else
    graph_set_outputs(r->g, list, (int)v.count);
  return true;
}

/* Finds the vectors of the subgraph and checks how many of everything there are. */
static bool open_subgraph(struct reader *r, struct flat_table *subgraph) {
  if (r->subgraph < 0 || (size_t)r->subgraph >= r->subgraphs.count)
    return err_set(r->e, "subgraph %d of %zu", r->subgraph, r->subgraphs.count);
  *subgraph = flat_table_at(&r->f, &r->subgraphs, (size_t)r->subgraph);
  r->tensors = flat_vector_field(&r->f, subgraph, GRAPH_TENSORS, 4);
  r->operators = flat_vector_field(&r->f, subgraph, GRAPH_OPERATORS, 4);
  if (r->f.bad) return false;
  if (r->tensors.count > MOST_TENSORS || r->operators.count > MOST_TENSORS)
    return err_set(r->e, "%zu tensors and %zu operators; at most %d are possible", r->tensors.count,
                   r->operators.count, MOST_TENSORS);
  return true;
}

/* Memory for what is counted; the tensors begin as placeholders. */
static bool prepare(struct reader *r, const char *name) {
  r->have = tflite_take(r, r->tensors.count, sizeof *r->have);
  r->variable_of = tflite_take(r, r->tensors.count, sizeof *r->variable_of);
  if (!r->have || !r->variable_of) return false;
  /* An operator may add a few tensors and a node. The room is taken now, while running out is an error. */
  const size_t room_tensors = r->tensors.count + 4 * r->operators.count,
               room_nodes = 2 * r->operators.count;
  struct graph_tensor *t = tflite_take(r, room_tensors, sizeof *t);
  struct graph_node *n = tflite_take(r, room_nodes, sizeof *n);
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

static struct graph *read_subgraph(struct reader *r, const char *name) {
  struct flat_table subgraph;
  if (!open_subgraph(r, &subgraph) || !find_needed(r, &subgraph) || !check_operators(r) ||
      !prepare(r, name) || !read_ports(r, &subgraph, GRAPH_INPUTS, "input"))
    return NULL;
  for (size_t i = 0; i < r->operators.count; i++)
    if (r->needed[i] && !read_operator(r, (int)i)) return NULL;
  if (!read_ports(r, &subgraph, GRAPH_OUTPUTS, "output") || !tflite_finish_variables(r))
    return NULL;
  return tflite_sign(r) ? r->g : NULL;
}

#define MOST_DEPTH  8
#define MOST_BODIES 256
struct graph *tflite_subgraph(struct reader *r, int index) {
  struct reader inner = *r;
  inner.subgraph = index;
  inner.depth = r->depth + 1;
  inner.n_folds = 0;
  if (inner.depth > MOST_DEPTH || ++*r->n_bodies > MOST_BODIES) {
    err_set(r->e, "subgraphs call each other more than %d deep, more than %d times, or in a circle",
            MOST_DEPTH, MOST_BODIES);
    return NULL;
  }
  struct graph *g = read_subgraph(&inner, r->g->name);
  r->f.bad = inner.f.bad;
  return g;
}

static bool open_model(struct reader *r) {
  const struct flat_table model = flat_root(&r->f);
  const int32_t version = flat_i32_field(&r->f, &model, MODEL_VERSION, 0);
  r->subgraphs = flat_vector_field(&r->f, &model, MODEL_SUBGRAPHS, 4);
  r->codes = flat_vector_field(&r->f, &model, MODEL_CODES, 4);
  r->buffers = flat_vector_field(&r->f, &model, MODEL_BUFFERS, 4);
  if (r->f.bad) return false;
  if (version != 3) return err_set(r->e, "schema version %d; version 3 is supported", version);
  if (r->subgraphs.count < 1) return err_set(r->e, "it has no subgraph");
  r->bytes_of = tflite_take(r, r->buffers.count, sizeof *r->bytes_of);
  r->type_of = tflite_take(r, r->buffers.count, sizeof *r->type_of);
  return r->bytes_of && r->type_of;
}

static struct graph *read_tflite(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                                 struct err *e) {
  int n_bodies = 0;
  struct variables variables = {.count = 0};
  struct reader r = {
      .f = {bytes, n, e, false}, .a = a, .e = e, .n_bodies = &n_bodies, .variables = &variables};
  if (n < 8 || memcmp(bytes + 4, "TFL3", 4) != 0) {
    err_set(e, "not a TensorFlow Lite model: byte 4 does not begin TFL3");
    return NULL;
  }
  if (arena_left(a) < 65536) {
    err_set(e, "reading it needs more than the %zu bytes of memory left", arena_left(a));
    return NULL;
  }
  struct graph *g = open_model(&r) ? read_subgraph(&r, name) : NULL;
  return g && graph_check(g, e) ? g : NULL;
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
    err_set(e, "%s; mote imports TensorFlow Lite models (.tflite)",
            n == 0 ? "the file is empty" : "not a model of a known format");
  return NULL;
}
