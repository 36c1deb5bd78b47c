/* graph: the intermediate representation between importers, the trainer and the compiler.
 *
 * A graph is tensors and nodes in topological order. Tensors know shape, type, quantisation and, when they
 * are constants, their data. Everything lives in the graph's arena. Layout NHWC; weights in TensorFlow
 * Lite's layouts: CONV_2D [out_c, h, w, in_c], DEPTHWISE_CONV_2D [1, h, w, out_c],
 * FULLY_CONNECTED [out, in]; biases int32.
 *
 * invariant (graph_check): every index is in range, every shape agrees with its operator, every
 * quantisation is finite and has one scale or one for each channel, constants have all their bytes. */
#ifndef HOST_GRAPH_H
#define HOST_GRAPH_H

#include "host/kit/kit.h"
#include "mote/base/base.h"

#define GRAPH_MAX_RANK 6

struct graph_quant {
  int count;            /* 0: none; 1: per tensor; n: per channel */
  int axis;             /* of per-channel */
  const float *scale;   /* [count], > 0 */
  const int32_t *zp;    /* [count] */
};

struct graph_tensor {
  const char *name;
  enum mote_type type;
  int rank;
  int32_t dims[GRAPH_MAX_RANK];
  struct graph_quant quant;
  const void *data;     /* NULL: made at run time */
  int producer;         /* node, or -1 for inputs and constants; kept by graph_add_node */
};

enum graph_activation { GRAPH_ACT_NONE, GRAPH_ACT_RELU, GRAPH_ACT_RELU_N1_TO_1, GRAPH_ACT_RELU6 };
enum graph_padding { GRAPH_PAD_SAME, GRAPH_PAD_VALID };

/* Attributes of all operators; each reads its own. SAME padding is resolved into pad_* on adding. */
struct graph_attrs {
  enum graph_activation activation;
  int stride_h, stride_w, dilation_h, dilation_w;
  int kernel_h, kernel_w;                     /* pools */
  int pad_top, pad_left, pad_bottom, pad_right;
  int depth_multiplier;
  float beta;                                 /* softmax */
  bool keep_dims;                             /* mean, fully connected (keep_num_dims) */
};

#define GRAPH_MAX_IN 4
struct graph_node {
  enum mote_op op;
  int n_in, n_out;
  int in[GRAPH_MAX_IN]; /* tensors; -1: optional input left out */
  int out[1];
  struct graph_attrs attrs;
  int source_op;        /* index in the source model; -1: made by a pass */
};

struct graph {
  struct arena *arena;
  const char *name;     /* file or project, for messages */
  struct graph_tensor *tensors;
  struct graph_node *nodes;
  int *inputs, *outputs;
  int n_tensors, n_nodes, n_inputs, n_outputs;
  int room_tensors, room_nodes;
};

/* An empty graph in a. */
struct graph *graph_new(struct arena *a, const char *name);
/* Returns the index. The structure is copied; pointers in it must live in the arena. */
int graph_add_tensor(struct graph *g, const struct graph_tensor *t);
int graph_add_node(struct graph *g, const struct graph_node *n);

int64_t graph_elements(const struct graph_tensor *t);
size_t graph_bytes(const struct graph_tensor *t);
bool graph_same_shape(const struct graph_tensor *a, const struct graph_tensor *b);
/* Multiply-accumulates and weight bytes (weights and biases) of a node; 0 where it has none. */
int64_t graph_macs(const struct graph *g, int node);
int64_t graph_weight_bytes(const struct graph *g, int node);
/* Total padding and output size of a window: source: TensorFlow's SAME and VALID. */
int graph_window_out(int in, int kernel, int stride, int dilation, enum graph_padding p, int *before,
                     int *after);

/* The invariant above. Every importer ends with it. */
bool graph_check(const struct graph *g, struct err *e);
/* One line a node and tensor; also the format of the passes' tests. */
void graph_print(const struct graph *g, struct text *out);

/* Evaluates a graph slowly and obviously, a layer at a time: the oracle of the other witnesses.
 * inputs[i]: the bytes of input i. values[t] (n_tensors pointers, in the arena a): every tensor's bytes.
 * exact: the bits of TensorFlow Lite Micro's reference kernels. */
bool graph_evaluate(const struct graph *g, const void *const *inputs, struct arena *a, void **values,
                    struct err *e);

/* The real range that a fused activation allows, in quantised steps of the output. */
void graph_activation_range(const struct graph_tensor *out, enum graph_activation act, int32_t *low,
                            int32_t *high);
/* multiplier and shift of a positive real number (see mote_quantise_multiplier). */
void graph_multiplier(double real, int32_t *multiplier, int *shift);

#endif
