/* private: what the files of this room share; nobody else includes it.
 *
 * A rule states what an operator's inputs, outputs and attributes must be. It stands in check_<family>.c as
 * graph_rule_<NAME>, one for each row of ops.def; without it the program does not link. */
#ifndef HOST_GRAPH_PRIVATE_H
#define HOST_GRAPH_PRIVATE_H

#include "host/graph/graph.h"

struct check {
  const struct graph *g;
  const struct graph_node *n;
  int node;
  struct err *e;
};

struct graph_rule {
  int least_in, most_in, least_out, most_out;
  uint32_t optional; /* bit i: input i may be left out (-1) */
  uint32_t writes;   /* bit i: input i is a state that the node writes to */
  /* After edges are proven: types, shapes, scales, attributes. */
  bool (*check)(const struct check *c);
};
#define OP(name, tflite_code, text) extern const struct graph_rule graph_rule_##name;
#include "mote/base/ops.def"
#undef OP

/* Whether input i is there. */
static inline bool check_has(const struct check *c, int i) {
  return i < c->n->n_in && c->n->in[i] >= 0;
}
/* needs: check_has(c, i). */
static inline const struct graph_tensor *check_in(const struct check *c, int i) {
  return &c->g->tensors[c->n->in[i]];
}
static inline const struct graph_tensor *check_out(const struct check *c, int i) {
  return &c->g->tensors[c->n->out[i]];
}

/* "[1,49,10,1]" for messages. */
struct check_shape {
  char text[96];
};
struct check_shape check_shape_of(const struct graph_tensor *t);

/* Each sets the error and returns false where it does not hold; `what` names the tensor in the message. */
/* One of the types in mask: S8 | F32 ... */
#define S8   (1u << MOTE_INT8)
#define U8   (1u << MOTE_UINT8)
#define S16  (1u << MOTE_INT16)
#define S32  (1u << MOTE_INT32)
#define U32  (1u << MOTE_UINT32)
#define S64  (1u << MOTE_INT64)
#define U64  (1u << MOTE_UINT64)
#define F32  (1u << MOTE_FLOAT32)
#define BOOL (1u << MOTE_BOOL)
bool check_type(const struct check *c, const struct graph_tensor *t, uint32_t mask,
                const char *what);
/* Quantised with one scale and zero point. */
bool check_one_scale(const struct check *c, const struct graph_tensor *t, const char *what);
bool check_rank(const struct check *c, const struct graph_tensor *t, int rank, const char *what);
bool check_same_type(const struct check *c, const struct graph_tensor *a,
                     const struct graph_tensor *b);
bool check_same_shapes(const struct check *c, const struct graph_tensor *a,
                       const struct graph_tensor *b);
/* Scales that differ by at most 1e-6 and equal zero points. */
bool check_same_scale(const struct check *c, const struct graph_tensor *x,
                      const struct graph_tensor *y);
/* A fused activation of NONE, RELU, RELU_N1_TO_1, RELU6 that leaves a value of the output's type. */
bool check_fused_activation(const struct check *c);
/* Height and width of a window with this kernel, strides, dilations and paddings in attrs give the output's. */
bool check_window(const struct check *c, int kernel_h, int kernel_w);
/* The largest magnitude that enters a requantisation by `real`, divided by `count` with it, stays in int32. */
bool graph_sum_fits(int64_t most, double real, int64_t count);
/* Every sum that the weights of a convolution or dense layer can make with any int8 input fits so: kernels of the core need not
 * look for overflow. needs: constant symmetric int8 weights, an int32 bias or none, one scale of input and output. */
bool graph_sums_fit(const struct graph *g, int node);
/* The proof of a subgraph: as graph_check, but it may have no outputs. */
bool check_graph_body(const struct graph *g, struct err *e);
/* The shape that numpy's broadcasting gives a and b; false where they do not suit each other (no error is set). */
bool check_broadcast(const struct graph_tensor *a, const struct graph_tensor *b, int *rank,
                     int32_t dims[GRAPH_MAX_RANK]);

/* int8 weights beside float32 activations, whose channels run along `axis` (check_real.c). */
bool check_hybrid_weights(const struct check *c, int axis);

/* Rules of the operators that have an int8 core, for all their other forms (check_fixed.c). */
bool check_general_conv(const struct check *c);
bool check_general_depthwise(const struct check *c);
bool check_general_dense(const struct check *c);
bool check_general_pool(const struct check *c);
bool check_general_softmax(const struct check *c);

#endif
