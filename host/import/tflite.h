/* tflite: what the readers of operators share; private to this room.
 *
 * Every row of ops.def has a reader, tflite_reader_<NAME>, in tflite_<family>.c; without it the program does not
 * link. It turns an operator's options, and those of its inputs that are parameters, into attributes. */
#ifndef HOST_IMPORT_TFLITE_H
#define HOST_IMPORT_TFLITE_H

#include "host/graph/graph.h"
#include "host/import/flatbuffer.h"

/* Fields of the schema's tables that more than one file reads, and the types of its tensors. */
enum {
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TENSOR_BUFFER,
  TENSOR_NAME,
  TENSOR_QUANT,
  TENSOR_VARIABLE,
  TENSOR_SPARSITY,
  TENSOR_SIGNATURE
};
enum { QUANT_MIN, QUANT_MAX, QUANT_SCALE, QUANT_ZP, QUANT_DETAILS_TYPE, QUANT_DETAILS, QUANT_AXIS };
enum {
  TYPE_FLOAT32 = 0,
  TYPE_FLOAT16 = 1,
  TYPE_INT32 = 2,
  TYPE_UINT8 = 3,
  TYPE_INT64 = 4,
  TYPE_BOOL = 6,
  TYPE_INT16 = 7,
  TYPE_INT8 = 9,
  TYPE_UINT64 = 12,
  TYPE_RESOURCE = 13,
  TYPE_UINT32 = 15,
  TYPE_INT4 = 17
};

/* A variable of the model: what its handles call it and what it begins with. */
struct variable {
  const uint8_t *name; /* container and shared name, a zero between */
  size_t n;
  const struct graph_tensor *first; /* given by CALL_ONCE; NULL: every byte is `fill` */
  bool is_assigned;
  int8_t fill; /* the zero point of what is assigned first. source: the reference's */
};
#define TFLITE_MOST_VARIABLES 1024
struct variables {
  int count;
  struct variable at[TFLITE_MOST_VARIABLES];
};

/* The reader of one subgraph of a model. bytes_of: the arena's copy of a buffer once it is used. */
struct reader {
  struct graph_tensor absent;
  struct flat f;
  struct arena *a;
  struct err *e;
  struct graph *g;
  struct flat_vector codes, buffers, subgraphs;
  const void **bytes_of; /* [buffers] */
  int32_t *type_of;      /* [buffers] type in the file of bytes_of */
  struct flat_vector tensors, operators;
  bool *have;           /* tensor was read */
  bool *reshaped;       /* [tensors] its shape in the graph is not the file's (tflite_shapes.c) */
  bool *needed;         /* operator: the outputs depend on it */
  int32_t *producer_of; /* [tensors] operator that makes it, or -1 */
  int subgraph, depth;  /* index in the file; how many subgraphs called this one */
  int n_folds;          /* calls of tflite_fold */
  int *n_bodies;        /* subgraphs read for IF, WHILE and CALL_ONCE, in all */
  int *variable_of; /* [tensors] number of the variable that a handle names; 0: it is no handle */
  struct variables *variables; /* of the model */
};

/* One operator while it is translated. node: with its inputs (the first `tensors` of the reader's row), outputs and
 * source_op set. */
struct op {
  int number;
  enum mote_op code;
  struct flat_table options; /* the builtin options' table, of either field; absent: all defaults */
  struct flat_vector custom; /* custom options' bytes */
  int in[GRAPH_MAX_IN];      /* tensors in the file; -1: left out */
  int n_in, out;             /* out: the first output */
  struct graph_node node;
  bool no_node; /* set by the reader of an operator that leaves nothing to run */
};

/* least, most: inputs in the file. outputs: most that it has. tensors: how many of its inputs the graph
 * keeps (GRAPH_MAX_IN: all that there are; else inputs that the file lacks are -1); those behind are parameters, which become attributes (tflite_parameters). custom: the name of a custom
 * operator, else NULL. read: NULL where nothing is to be read. */
struct tflite_reader {
  int least, most, outputs, tensors;
  bool (*read)(struct reader *r, struct op *o);
  const char *custom;
};
#define OP(name, tflite_code, text) extern const struct tflite_reader tflite_reader_##name;
#include "mote/base/ops.def"
#undef OP

/* Fields of option tables that many operators have. */
enum { TFLITE_PADDING = 0, TFLITE_STRIDE_W = 1, TFLITE_STRIDE_H = 2 };

/* Of an input that is left out (-1): a tensor without shape, which no check takes. */
static inline struct graph_tensor *tflite_in(struct reader *r, const struct op *o, int i) {
  return o->in[i] < 0 ? &r->absent : &r->g->tensors[o->in[i]];
}
static inline struct graph_tensor *tflite_out(struct reader *r, const struct op *o, int i) {
  return &r->g->tensors[o->node.out[i]];
}

/* Reads tensor `index` of the file into the graph, the first time that it is used. */
bool tflite_use_tensor(struct reader *r, int index);
const char *tflite_type_name(int32_t type);
/* The bytes of buffer `index` in the file: *count of them from *at; count 0 where it has none. */
bool tflite_buffer(struct reader *r, uint32_t index, size_t *at, size_t *count);
/* Gives x the data of the file's tensor t, if it has any, in the graph's form (tflite_constants.c): type and shape of x are set;
 * scales of blocks make it float32. */
bool tflite_constant(struct reader *r, const struct flat_table *t, struct graph_tensor *x);
/* A tensor whose scales stand for blocks of weights. */
bool tflite_is_blockwise(struct reader *r, const struct flat_table *tensor);
/* TFLM_DECODE: its outputs become constants (tflite_decode.c). */
bool tflite_decode(struct reader *r, const struct flat_vector *in, const struct flat_vector *out);
/* Memory for hostile sizes: NULL with an error instead of an exhausted arena. */
void *tflite_take(struct reader *r, size_t count, size_t size);
/* Room in the graph for operators that one operator stands for. alias: pointers to tensors are stale after it. */
bool tflite_make_room(struct reader *r, int tensors, int nodes);
/* Fused activation in field `field`: NONE, RELU, RELU6, RELU_N1_TO_1; others are an error. */
bool tflite_activation(struct reader *r, struct op *o, int field);
/* Strides, padding (fields 0 to 2) and dilations (set before) of a window over input 0. */
bool tflite_window(struct reader *r, struct op *o, int kernel_h, int kernel_w);
/* The reader of pools (tflite_int8.c). */
bool tflite_read_pool(struct reader *r, struct op *o);
/* Gives weights beside float32 activations the type of their bytes (tflite_real.c). */
void tflite_hybrid_weights(struct reader *r, const struct op *o);
/* Makes an int8 constant the float32 numbers that it stands for. errors: no single scale, memory. */
bool tflite_real_constant(struct reader *r, int tensor);
/* The numbers of a constant int32 or int64 tensor: shapes, axes, paddings. A tensor that the model computes from
 * shapes is computed here. `what` names it in messages. errors: a text. */
#define TFLITE_MOST_PARAMETERS 64
bool tflite_parameters(struct reader *r, int tensor, const char *what,
                       int64_t values[TFLITE_MOST_PARAMETERS], int *count);
/* The numbers that the file has of tensor `index`: false, no text, where it has none. */
bool tflite_numbers(struct reader *r, int index, int64_t values[TFLITE_MOST_PARAMETERS],
                    int *count);
/* The operator that makes a tensor: its code in the schema, inputs and options. false: none does. */
struct tflite_maker {
  int32_t code;
  struct flat_vector in, out;
  struct flat_table options;
};
bool tflite_maker_of(struct reader *r, int tensor, struct tflite_maker *out);
bool tflite_maker_at(struct reader *r, int number, struct tflite_maker *out);
/* Shape of tensor `index` of the file, whether it was used or not; false where it has none or too many axes. */
bool tflite_shape(struct reader *r, int index, int *rank, int32_t dims[GRAPH_MAX_RANK]);
/* The only axis of tensor `index` whose size the file leaves open; -1: none, or several. */
int tflite_open_axis(struct reader *r, int index);
/* Gives tensor `t` of the graph a shape that is not the file's, and remembers that. */
void tflite_set_shape(struct reader *r, int t, const struct graph_tensor *shape);
/* Outputs of an operator whose inputs got other shapes get theirs, as far as the file leaves them open. */
void tflite_follow_shapes(struct reader *r, struct op *o);
/* Element `index` of a list, its first axis, replaced: an operator of the file that does nothing else (tflite_lists.c). */
struct tflite_list_write {
  int list, index, item;
};
bool tflite_is_list_write(struct reader *r, int number, struct tflite_list_write *out);
bool tflite_write_list(struct reader *r, const struct tflite_list_write *w, int out, int number);
/* The numbers of a tensor that the model computes from shapes and constants (tflite_fold.c). depth: 0.
 * errors: false, no text: it depends on data, or is too large. */
bool tflite_fold(struct reader *r, int index, int depth, int64_t values[TFLITE_MOST_PARAMETERS],
                 int *count);
/* An axis counted from the front; negative ones count from the end. */
bool tflite_axis(struct reader *r, int64_t axis, int rank, int *out);
/* A state tensor that an operator keeps for itself, zero at first; -1 with an error. */
int tflite_new_state(struct reader *r, const char *name, enum mote_type type, int rank,
                     const int32_t *dims);
/* Tensor `to` becomes the bytes of `from`, in a shape of its own: a RESHAPE. source_op: -1 where it is part of another. */
void tflite_view(struct reader *r, int from, int to, int source_op);
/* The same for input 0 of an operator, which then reads the view: x is what it is to see. */
void tflite_see(struct reader *r, struct op *o, const struct graph_tensor *x);
/* Gives the states of variables what they begin with, as far as it is known. */
bool tflite_finish_variables(struct reader *r);
/* Reads subgraph `index` of the file as a graph of its own. */
struct graph *tflite_subgraph(struct reader *r, int index);

/* Makes what unsigned operators compute with signed (tflite_uint8.c). */
bool tflite_sign(struct reader *r);

#endif
