/* A small writer of TensorFlow Lite files, for tests: a description, edited at will (also into nonsense),
 * becomes a flatbuffer. Written front to back: a table's own list of fields stands before it, what its fields
 * point to follows it.
 *
 * source: the published schema, version 3; the numbers of its fields stand beside each use. */
#ifndef TEST_FUZZ_TFLITE_WRITER_H
#define TEST_FUZZ_TFLITE_WRITER_H

#include <assert.h>
#include <string.h>

#include "host/graph/graph.h"

enum { TFLITE_FLOAT32 = 0, TFLITE_INT32 = 2, TFLITE_INT8 = 9 };

struct tflite_tensor {
  const char *name;
  int type;
  int rank;
  int32_t dims[GRAPH_MAX_RANK];
  struct graph_quant quant;
  const void *data;
  size_t bytes;
  bool variable;
};

struct tflite_option {
  int field;
  enum { TFLITE_END, TFLITE_BYTE, TFLITE_INT, TFLITE_REAL } kind;
  int32_t value;
  float real;
};

struct tflite_operator {
  int32_t code;
  const char *custom; /* name of a custom operator */
  int n_in, in[4], out;
  struct tflite_option options[8];
};

#define TFLITE_MOST 96
struct tflite_model {
  int version, subgraphs;
  bool old_codes;   /* the code in its old field of one byte only */
  bool data_behind; /* buffers behind the flatbuffer, by offset and size */
  int n_tensors, n_operators, n_inputs, n_outputs;
  struct tflite_tensor tensors[TFLITE_MOST];
  struct tflite_operator operators[TFLITE_MOST];
  int inputs[32], outputs[32];
};

/* ---- bytes ------------------------------------------------------------------- */
struct tflite_out {
  uint8_t *p;
  size_t n, room;
};

static void tflite_put(struct tflite_out *o, const void *bytes, size_t n) {
  assert(o->n + n <= o->room);
  memcpy(o->p + o->n, bytes, n);
  o->n += n;
}

static void tflite_put_int(struct tflite_out *o, int64_t value, size_t bytes) {
  tflite_put(o, &value, bytes); /* little-endian hosts only, as graph.c asserts */
}

static void tflite_align(struct tflite_out *o, size_t to) {
  while (o->n % to) tflite_put_int(o, 0, 1);
}

/* Sets the offset at `slot` to what is written next. */
static void tflite_here(struct tflite_out *o, size_t slot, size_t align) {
  tflite_align(o, align);
  const uint32_t distance = (uint32_t)(o->n - slot);
  memcpy(o->p + slot, &distance, 4);
}

/* A table with fields 0..n-1 of the given sizes (0: absent), all zero; at[i]: position of field i. */
static void tflite_table(struct tflite_out *o, size_t slot, int n, const size_t *sizes,
                         size_t *at) {
  tflite_align(o, 8);
  const size_t vtable = o->n;
  size_t offsets[16], size = 4;
  for (int i = 0; i < n; i++) {
    if (sizes[i] && size % sizes[i]) size += sizes[i] - size % sizes[i];
    offsets[i] = sizes[i] ? size : 0;
    size += sizes[i];
  }
  tflite_put_int(o, 4 + 2 * n, 2);
  tflite_put_int(o, (int64_t)size, 2);
  for (int i = 0; i < n; i++) tflite_put_int(o, (int64_t)offsets[i], 2);
  tflite_here(o, slot, 8);
  const size_t table = o->n;
  tflite_put_int(o, (int64_t)(table - vtable), 4);
  for (size_t i = 4; i < size; i++) tflite_put_int(o, 0, 1);
  for (int i = 0; i < n; i++) at[i] = table + offsets[i];
}

static void tflite_set(struct tflite_out *o, size_t at, const void *value, size_t n) {
  memcpy(o->p + at, value, n);
}
static void tflite_set_int(struct tflite_out *o, size_t at, int32_t value, size_t n) {
  tflite_set(o, at, &value, n);
}

/* Vectors; tables in a vector are pointed to from first + 4 * i. */
static void tflite_ints(struct tflite_out *o, size_t slot, const int32_t *v, int n) {
  tflite_here(o, slot, 4);
  tflite_put_int(o, n, 4);
  tflite_put(o, v, 4 * (size_t)n);
}
static void tflite_bytes(struct tflite_out *o, size_t slot, const void *v, size_t n, size_t align) {
  tflite_align(o, align);
  while ((o->n + 4) % align) tflite_put_int(o, 0, 1);
  tflite_here(o, slot, 1);
  tflite_put_int(o, (int64_t)n, 4);
  tflite_put(o, v, n);
}
static size_t tflite_slots(struct tflite_out *o, size_t slot, int n) {
  tflite_here(o, slot, 4);
  tflite_put_int(o, n, 4);
  const size_t first = o->n;
  for (int i = 0; i < n; i++) tflite_put_int(o, 0, 4);
  return first;
}

/* ---- the schema's tables -------------------------------------------------------- */
static void tflite_write_tensor(struct tflite_out *o, size_t slot, const struct tflite_tensor *t,
                                int buffer) {
  /* shape, type, buffer, name, quantization, is_variable */
  const size_t sizes[6] = {4, 1, 4, 4, t->quant.count ? 4 : 0, 1};
  size_t at[6], q[7];
  tflite_table(o, slot, 6, sizes, at);
  tflite_set_int(o, at[1], t->type, 1);
  tflite_set_int(o, at[2], buffer, 4);
  tflite_set_int(o, at[5], t->variable, 1);
  tflite_ints(o, at[0], t->dims, t->rank);
  tflite_bytes(o, at[3], t->name, strlen(t->name), 4);
  if (!t->quant.count) return;
  /* min, max, scale, zero_point, details_type, details, quantized_dimension */
  const size_t quant_sizes[7] = {0, 0, 4, 4, 0, 0, 4};
  tflite_table(o, at[4], 7, quant_sizes, q);
  tflite_set_int(o, q[6], t->quant.axis, 4);
  tflite_here(o, q[2], 4);
  tflite_put_int(o, t->quant.count, 4);
  tflite_put(o, t->quant.scale, 4 * (size_t)t->quant.count);
  tflite_align(o, 8);
  tflite_put_int(o, 0, 4);
  tflite_here(o, q[3], 4);
  tflite_put_int(o, t->quant.count, 4);
  for (int i = 0; i < t->quant.count; i++) tflite_put_int(o, t->quant.zp[i], 8);
}

static void tflite_write_operator(struct tflite_out *o, size_t slot,
                                  const struct tflite_operator *op, int code) {
  /* opcode_index, inputs, outputs, builtin_options_type, builtin_options */
  const size_t sizes[5] = {4, 4, 4, 1, 4};
  size_t at[5], fields[16], option_sizes[16] = {0};
  int n = 0;
  tflite_table(o, slot, 5, sizes, at);
  tflite_set_int(o, at[0], code, 4);
  tflite_set_int(o, at[3], 1, 1);
  tflite_ints(o, at[1], op->in, op->n_in);
  tflite_ints(o, at[2], &op->out, 1);
  for (const struct tflite_option *p = op->options; p->kind != TFLITE_END; p++) {
    option_sizes[p->field] = p->kind == TFLITE_BYTE ? 1 : 4;
    if (p->field >= n) n = p->field + 1;
  }
  tflite_table(o, at[4], n, option_sizes, fields);
  for (const struct tflite_option *p = op->options; p->kind != TFLITE_END; p++) {
    if (p->kind == TFLITE_REAL)
      tflite_set(o, fields[p->field], &p->real, 4);
    else
      tflite_set_int(o, fields[p->field], p->value, p->kind == TFLITE_BYTE ? 1 : 4);
  }
}

static void tflite_write_code(struct tflite_out *o, size_t slot, const struct tflite_operator *op,
                              bool old) {
  /* deprecated_builtin_code, custom_code, version, builtin_code */
  const size_t sizes[4] = {1, op->custom ? 4 : 0, 4, old ? 0 : 4};
  size_t at[4];
  tflite_table(o, slot, 4, sizes, at);
  tflite_set_int(o, at[0], op->code < 127 ? op->code : 127, 1);
  tflite_set_int(o, at[2], 1, 4);
  if (!old) tflite_set_int(o, at[3], op->code, 4);
  if (op->custom) tflite_bytes(o, at[1], op->custom, strlen(op->custom), 4);
}

static void tflite_write_subgraph(struct tflite_out *o, size_t slot, const struct tflite_model *m) {
  /* tensors, inputs, outputs, operators */
  const size_t sizes[4] = {4, 4, 4, 4};
  size_t at[4];
  tflite_table(o, slot, 4, sizes, at);
  tflite_ints(o, at[1], m->inputs, m->n_inputs);
  tflite_ints(o, at[2], m->outputs, m->n_outputs);
  const size_t tensors = tflite_slots(o, at[0], m->n_tensors);
  /* Buffer 0 is empty by custom; buffer t + 1 is that of tensor t. */
  for (int i = 0; i < m->n_tensors; i++)
    tflite_write_tensor(o, tensors + 4 * (size_t)i, &m->tensors[i], m->tensors[i].data ? i + 1 : 0);
  const size_t operators = tflite_slots(o, at[3], m->n_operators);
  for (int i = 0; i < m->n_operators; i++)
    tflite_write_operator(o, operators + 4 * (size_t)i, &m->operators[i], i);
}

/* Returns the size. */
static size_t tflite_write(const struct tflite_model *m, uint8_t *bytes, size_t room) {
  struct tflite_out o = {bytes, 0, room};
  size_t at[5], behind[TFLITE_MOST] = {0};
  tflite_put_int(&o, 0, 4);
  tflite_put(&o, "TFL3", 4);
  /* version, operator_codes, subgraphs, description, buffers */
  const size_t sizes[5] = {4, 4, 4, 0, 4};
  tflite_table(&o, 0, 5, sizes, at);
  tflite_set_int(&o, at[0], m->version, 4);
  const size_t codes = tflite_slots(&o, at[1], m->n_operators);
  for (int i = 0; i < m->n_operators; i++)
    tflite_write_code(&o, codes + 4 * (size_t)i, &m->operators[i], m->old_codes);
  const size_t subgraphs = tflite_slots(&o, at[2], m->subgraphs);
  for (int i = 0; i < m->subgraphs; i++) tflite_write_subgraph(&o, subgraphs + 4 * (size_t)i, m);
  const size_t buffers = tflite_slots(&o, at[4], m->n_tensors + 1);
  for (int i = 0; i <= m->n_tensors; i++) {
    const struct tflite_tensor *t = i ? &m->tensors[i - 1] : NULL;
    const bool filled = t && t->data;
    /* data, offset, size */
    const size_t inside[3] = {filled && !m->data_behind ? 4 : 0, filled && m->data_behind ? 8 : 0,
                              filled && m->data_behind ? 8 : 0};
    size_t b[3];
    tflite_table(&o, buffers + 4 * (size_t)i, 3, inside, b);
    if (!filled) continue;
    if (!m->data_behind) {
      tflite_bytes(&o, b[0], t->data, t->bytes, 16);
      continue;
    }
    behind[i] = b[1];
    const uint64_t size = t->bytes;
    tflite_set(&o, b[2], &size, 8);
  }
  for (int i = 1; i <= m->n_tensors; i++) {
    if (!behind[i]) continue;
    tflite_align(&o, 16);
    const uint64_t offset = o.n;
    tflite_set(&o, behind[i], &offset, 8);
    tflite_put(&o, m->tensors[i - 1].data, m->tensors[i - 1].bytes);
  }
  return o.n;
}

/* ---- from a graph ------------------------------------------------------------------ */
/* A constant int32 parameter tensor (axes, paddings, shape), appended. */
static int tflite_parameter(struct tflite_model *m, struct arena *a, int rank, const int32_t *dims,
                            const int32_t *v) {
  struct tflite_tensor t = {.name = "parameter", .type = TFLITE_INT32, .rank = rank};
  int n = 1;
  for (int i = 0; i < rank; i++) n *= t.dims[i] = dims[i];
  int32_t *copy = ARENA_ARRAY(a, int32_t, n);
  memcpy(copy, v, 4 * (size_t)n);
  t.data = copy;
  t.bytes = 4 * (size_t)n;
  m->tensors[m->n_tensors] = t;
  return m->n_tensors++;
}

static void tflite_add_option(struct tflite_operator *op, int field, int kind, int32_t value) {
  int i = 0;
  while (op->options[i].kind != TFLITE_END) i++;
  op->options[i] = (struct tflite_option){.field = field, .kind = kind, .value = value};
}

/* Operators whose windows pad nothing are written as VALID, all others as SAME. */
static void tflite_window(struct tflite_operator *op, const struct graph_attrs *a) {
  const bool pads = a->pad_top || a->pad_bottom || a->pad_left || a->pad_right;
  tflite_add_option(op, 0, TFLITE_BYTE, pads ? 0 : 1);
  tflite_add_option(op, 1, TFLITE_INT, a->stride_w);
  tflite_add_option(op, 2, TFLITE_INT, a->stride_h);
}

static void tflite_operator_of(struct tflite_model *m, struct arena *a, const struct graph *g,
                               int node) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_attrs *t = &n->attrs;
  struct tflite_operator *op = &m->operators[m->n_operators++];
  *op = (struct tflite_operator){
      .n_in = n->n_in, .in = {n->in[0], n->in[1], n->in[2]}, .out = n->out[0]};
  const struct graph_tensor *y = &g->tensors[n->out[0]];
  switch (n->op) {
  case MOTE_OP_CONV_2D:
    op->code = 3;
    tflite_window(op, t);
    tflite_add_option(op, 3, TFLITE_BYTE, (int32_t)t->activation);
    tflite_add_option(op, 4, TFLITE_INT, t->dilation_w);
    tflite_add_option(op, 5, TFLITE_INT, t->dilation_h);
    break;
  case MOTE_OP_DEPTHWISE_CONV_2D:
    op->code = 4;
    tflite_window(op, t);
    tflite_add_option(op, 3, TFLITE_INT, t->depth_multiplier);
    tflite_add_option(op, 4, TFLITE_BYTE, (int32_t)t->activation);
    tflite_add_option(op, 5, TFLITE_INT, t->dilation_w);
    tflite_add_option(op, 6, TFLITE_INT, t->dilation_h);
    break;
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D:
    op->code = n->op == MOTE_OP_MAX_POOL_2D ? 17 : 1;
    tflite_window(op, t);
    tflite_add_option(op, 3, TFLITE_INT, t->kernel_w);
    tflite_add_option(op, 4, TFLITE_INT, t->kernel_h);
    tflite_add_option(op, 5, TFLITE_BYTE, (int32_t)t->activation);
    break;
  case MOTE_OP_FULLY_CONNECTED:
  case MOTE_OP_ADD:
    op->code = n->op == MOTE_OP_ADD ? 0 : 9;
    tflite_add_option(op, 0, TFLITE_BYTE, (int32_t)t->activation);
    break;
  case MOTE_OP_SOFTMAX:
    op->code = 25;
    op->options[0] = (struct tflite_option){.field = 0, .kind = TFLITE_REAL, .real = t->beta};
    break;
  case MOTE_OP_MEAN:
    op->code = 40;
    op->n_in = 2;
    op->in[1] = tflite_parameter(m, a, 1, (const int32_t[]){2}, (const int32_t[]){1, 2});
    tflite_add_option(op, 0, TFLITE_BYTE, t->keep_dims);
    break;
  case MOTE_OP_RESHAPE:
    op->code = 22;
    op->n_in = 2;
    op->in[1] = tflite_parameter(m, a, 1, (const int32_t[]){y->rank}, y->dims);
    break;
  case MOTE_OP_PAD: {
    const int32_t p[8] = {0, 0, t->pad_top, t->pad_bottom, t->pad_left, t->pad_right, 0, 0};
    op->code = 34;
    op->n_in = 2;
    op->in[1] = tflite_parameter(m, a, 2, (const int32_t[]){4, 2}, p);
    break;
  }
  default: break; /* the random graphs have no others */
  }
}

static inline struct tflite_model *tflite_from_graph(struct arena *a, const struct graph *g) {
  struct tflite_model *m = ARENA_NEW(a, struct tflite_model);
  m->version = 3;
  m->subgraphs = 1;
  for (int i = 0; i < g->n_tensors; i++) {
    const struct graph_tensor *t = &g->tensors[i];
    struct tflite_tensor *x = &m->tensors[m->n_tensors++];
    *x = (struct tflite_tensor){.name = t->name,
                                .type = t->type == MOTE_INT8 ? TFLITE_INT8 : TFLITE_INT32,
                                .rank = t->rank,
                                .quant = t->quant,
                                .data = t->data,
                                .bytes = t->data ? graph_bytes(t) : 0};
    memcpy(x->dims, t->dims, sizeof x->dims);
  }
  for (int i = 0; i < g->n_nodes; i++) tflite_operator_of(m, a, g, i);
  m->n_inputs = g->n_inputs;
  m->n_outputs = g->n_outputs;
  memcpy(m->inputs, g->inputs, sizeof *g->inputs * (size_t)g->n_inputs);
  memcpy(m->outputs, g->outputs, sizeof *g->outputs * (size_t)g->n_outputs);
  return m;
}

#endif
