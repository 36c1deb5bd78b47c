/* graph: the intermediate representation between importers, the trainer and the compiler.
 *
 * A graph is tensors and nodes in topological order. Tensors know shape, type, quantisation and, when they
 * are constants, their data. Everything lives in the graph's arena. Layout NHWC.
 *
 * Operators and their inputs (constants are tensors with data; whatever an operator knows before it runs
 * that is not an array of numbers is an attribute, never an input):
 *
 *   CONV_2D            x[n,h,w,c]  weights int8 [out_c,kh,kw,c]    bias int32 [out_c] or -1
 *   DEPTHWISE_CONV_2D  x[n,h,w,c]  weights int8 [1,kh,kw,out_c]    bias int32 [out_c] or -1
 *   FULLY_CONNECTED    x[...]      weights int8 [out_c,c]          bias int32 [out_c] or -1
 *                      n vectors of c, whatever the shape of x; the output has n * out_c elements
 *   ADD                x, y of one shape; y may be a constant
 *   AVERAGE_POOL_2D, MAX_POOL_2D   x[n,h,w,c]; kernel_h, kernel_w
 *   MEAN               x[n,h,w,c] over h and w; output [n,c] or [n,1,1,c]
 *   SOFTMAX            x[...,c] over the last axis
 *   RESHAPE            x; the shape is the output tensor's
 *   PAD                x[n,h,w,c] by pad_* rows and columns of the output's zero point
 *
 * invariant (graph_check): every index is in range, every shape agrees with its operator, every
 * quantisation is finite and has one scale or one for each channel, constants have all their bytes, and no
 * sum that an operator makes can leave int32 for any input. */
#ifndef HOST_GRAPH_H
#define HOST_GRAPH_H

#include "host/kit/kit.h"
#include "mote/base/base.h"

#define GRAPH_MAX_RANK 6
#define GRAPH_MAX_ELEMENTS                                                                         \
  (1 << 28) /* of one tensor; 256 MiB of int8, far above any microcontroller */

struct graph_quant {
  int count;          /* 0: none; 1: per tensor; n: per channel */
  int axis;           /* of per-channel */
  const float *scale; /* [count], > 0 */
  const int32_t *zp;  /* [count] */
};

struct graph_tensor {
  const char *name;
  enum mote_type type;
  int rank;
  int32_t dims[GRAPH_MAX_RANK];
  struct graph_quant quant;
  const void *data; /* NULL: made at run time. little-endian */
  int producer;     /* node, or -1 for inputs and constants; kept by graph_add_node */
};

enum graph_activation { GRAPH_ACT_NONE, GRAPH_ACT_RELU, GRAPH_ACT_RELU_N1_TO_1, GRAPH_ACT_RELU6 };
enum graph_padding { GRAPH_PAD_SAME, GRAPH_PAD_VALID };

/* Attributes of all operators; each reads its own. SAME padding is resolved into pad_* before adding
 * (graph_window_out). Strides and dilations are >= 1. */
struct graph_attrs {
  enum graph_activation activation;
  int stride_h, stride_w, dilation_h, dilation_w;
  int kernel_h, kernel_w; /* pools */
  int pad_top, pad_left, pad_bottom, pad_right;
  int depth_multiplier; /* depthwise: out_c / c */
  float beta;           /* softmax */
  bool keep_dims;       /* mean, fully connected (keep_num_dims) */
};

#define GRAPH_MAX_IN 4
struct graph_node {
  enum mote_op op;
  int n_in, n_out;
  int in[GRAPH_MAX_IN]; /* tensors; -1: optional input left out */
  int out[1];
  struct graph_attrs attrs;
  int source_op; /* index in the source model; -1: made by a pass */
};

struct graph {
  struct arena *arena;
  const char *name; /* file or project, for messages */
  struct graph_tensor *tensors;
  struct graph_node *nodes;
  int *inputs, *outputs;
  int n_tensors, n_nodes, n_inputs, n_outputs;
  int room_tensors, room_nodes;
};

/* ---- building -------------------------------------------------------------- */
/* An empty graph in a. name is copied. */
struct graph *graph_new(struct arena *a, const char *name);
/* Returns the index. The structure is copied; pointers in it must live in the arena; producer becomes -1. */
int graph_add_tensor(struct graph *g, const struct graph_tensor *t);
/* Returns the index and makes it the producer of its output, where that is in range. */
int graph_add_node(struct graph *g, const struct graph_node *n);
/* Copies the lists of the model's inputs and outputs. */
void graph_set_inputs(struct graph *g, const int *tensors, int n);
void graph_set_outputs(struct graph *g, const int *tensors, int n);
/* One scale and zero point, in the arena. */
struct graph_quant graph_quant_one(struct arena *a, float scale, int32_t zp);

/* ---- sizes ----------------------------------------------------------------- */
/* Product of the dims. range: saturates at INT64_MAX / 16 so that hostile shapes cannot wrap. */
int64_t graph_elements(const struct graph_tensor *t);
size_t graph_bytes(const struct graph_tensor *t);
bool graph_same_shape(const struct graph_tensor *a, const struct graph_tensor *b);
/* Multiply-accumulates and weight bytes (weights and biases) of a node; 0 where it has none. */
int64_t graph_macs(const struct graph *g, int node);
int64_t graph_weight_bytes(const struct graph *g, int node);
/* Output size of a window and the padding it takes: VALID out = floor((in - e) / stride) + 1, SAME out =
 * ceil(in / stride), with e = (kernel - 1) * dilation + 1; before = total / 2, after = the rest.
 * range: all arguments >= 1. Returns 0 where the window does not fit. source: TensorFlow's SAME and VALID. */
int graph_window_out(int in, int kernel, int stride, int dilation, enum graph_padding p,
                     int *before, int *after);

/* ---- scales to integers ----------------------------------------------------
 * The rules by which the reference turns scales into multipliers differ from operator to operator in ways that
 * change bits. They stand here once; the evaluation, the compiler and the trainer call them.
 * needs: a graph that passed graph_check, except while training, where the caller keeps scales positive. */

/* multiplier and shift of a positive real number (see mote_quantise_multiplier). */
void graph_multiplier(double real, int32_t *multiplier, int *shift);
/* real number of output channel c of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: in * weight / out, in double.
 * exact: a FULLY_CONNECTED with one weight scale rounds in * weight to float first, as the reference does. */
double graph_output_scale(const struct graph *g, int node, int channel);
/* The same as multiplier and shift. */
void graph_output_multiplier(const struct graph *g, int node, int channel, int32_t *multiplier,
                             int *shift);

/* ADD: both inputs are shifted left by left_shift, scaled to twice the larger scale, added, scaled to the
 * output. All shifts are <= 0. */
struct graph_add_scaling {
  int32_t multiplier[2], out_multiplier;
  int shift[2], out_shift;
  int left_shift;
};
void graph_add_scaling_of(const struct graph *g, int node, struct graph_add_scaling *s);

/* MEAN: q = clamp(out_zp + mote_requantise(sum - in_zp * count, multiplier, shift)); 1/count is in it. */
struct graph_mean_scaling {
  int32_t multiplier;
  int shift;
  int32_t count;
};
void graph_mean_scaling_of(const struct graph *g, int node, struct graph_mean_scaling *s);

/* SOFTMAX: multiplier * 2^(left_shift - 31) = min(beta * scale * 2^26, 2^31 - 1), and the difference from
 * the maximum below which exp counts as zero. */
struct graph_softmax_scaling {
  int32_t multiplier;
  int left_shift;
  int32_t diff_min;
};
void graph_softmax_scaling_of(const struct graph *g, int node, struct graph_softmax_scaling *s);

/* The real range that a fused activation allows, in quantised steps of the output. */
void graph_activation_range(const struct graph_tensor *out, enum graph_activation act, int32_t *low,
                            int32_t *high);

/* ---- proving, printing, evaluating ------------------------------------------ */
/* The invariant above. Every importer ends with it. cost: one pass over all weights. */
bool graph_check(const struct graph *g, struct err *e);
/* One line a node and tensor; also the format of the passes' tests. */
void graph_print(const struct graph *g, struct text *out);

/* Evaluates a graph slowly and obviously, a layer at a time: the oracle of the other witnesses.
 * inputs[i]: the bytes of input i. values[t] (n_tensors pointers): every tensor's bytes afterwards: the
 * caller's for inputs, the graph's for constants, in the arena a for what nodes made, NULL for unused.
 * needs: graph_check. errors: the arena has too little left. exact: the bits of TensorFlow Lite Micro's
 * reference kernels. */
bool graph_evaluate(const struct graph *g, const void *const *inputs, struct arena *a,
                    const void **values, struct err *e);

/* ---- as bytes --------------------------------------------------------------
 * A compact form in which trained models are kept: "MOTG", version, length, CRC-32, then tensors, nodes,
 * inputs, outputs, little-endian. The same graph gives the same bytes on every machine. */
void graph_save(const struct graph *g, struct arena *a, uint8_t **bytes, size_t *n);
/* Copies everything into the arena. Every byte is hostile; ends with graph_check.
 * errors: NULL and a text: not this format, another version, cut short, wrong checksum, or what graph_check
 * says. */
struct graph *graph_load(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                         struct err *e);

#endif
