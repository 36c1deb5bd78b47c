/* graph: the intermediate representation between importers, the trainer and the compiler.
 *
 * A graph is tensors and nodes in topological order. Tensors know shape, type, quantisation and, when they
 * are constants, their data. Everything lives in the graph's arena. Layout NHWC.
 *
 * Operators are TensorFlow Lite's (mote/base/ops.def) with its inputs in its order, except that whatever an
 * operator knows before it runs and that is not an array of numbers to compute with (shapes, axes, paddings,
 * permutations) is an attribute, never an input. The file that has an operator's rule (check_<family>.c) states
 * its inputs, types and attributes. Those of the int8 core:
 *
 *   CONV_2D            x[n,h,w,c]  weights int8 [out_c,kh,kw,c]    bias int32 [out_c] or -1, or
 *                      [rows,columns,out_c]: one for each set of taps that lies inside (graph_window_spans), as
 *                      the compiler makes it where it has taken a constant input behind padding into the bias
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
 * State: a tensor with is_state keeps its value from one inference to the next and begins as its data says (zero
 * where it has none). It is an input of the nodes that read or write it, and nobody's output; order of
 * nodes is order of time.
 *
 * invariant (graph_check): every index is in range, every shape agrees with its operator, every
 * quantisation is finite and has one scale or one for each channel, constants have all their bytes, and no
 * sum that a node of the int8 core (graph_is_core) makes can leave int32 for any input; other sums wrap as the reference's. */
#ifndef HOST_GRAPH_H
#define HOST_GRAPH_H

#include "host/kit/kit.h"
#include "mote/base/base.h"

#define GRAPH_MAX_RANK 6
/* Of one tensor: 256 MiB of int8, far above any microcontroller. */
#define GRAPH_MAX_ELEMENTS (1 << 28)

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
  /* Little-endian; NULL: made at run time. Of a state: its first value, NULL for zero. */
  const void *data;
  bool is_state; /* keeps its value between inferences */
  /* Of a state: its number among the variables of the model, which a body's state of the same number is too;
   * 0: it belongs to one operator. */
  int variable;
  int producer; /* node, or -1 for inputs, constants and states; kept by graph_add_node */
};
/* Known before the device runs. */
static inline bool graph_is_constant(const struct graph_tensor *t) {
  return t->data != NULL && !t->is_state;
}

enum graph_activation {
  GRAPH_ACT_NONE,
  GRAPH_ACT_RELU,
  GRAPH_ACT_RELU_N1_TO_1,
  GRAPH_ACT_RELU6,
  GRAPH_ACT_TANH, /* this and the next: LSTM, SVDF and what else takes them */
  GRAPH_ACT_SIGN_BIT
};
enum graph_padding { GRAPH_PAD_SAME, GRAPH_PAD_VALID };

/* Attributes of all operators; each reads its own, the others stay zero. SAME padding is resolved into pad_*
 * before adding (graph_window_out). Strides and dilations are >= 1. INT, REAL, FLAG: one number; LIST: one for each
 * axis, in the tensor's own order of axes. */
/* clang-format off */
#define GRAPH_ATTRS(INT, REAL, FLAG, LIST)                                                                       \
  INT(stride_h) INT(stride_w) INT(dilation_h) INT(dilation_w)                                                    \
  INT(kernel_h) INT(kernel_w)                /* pools */                                                         \
  INT(pad_top) INT(pad_left) INT(pad_bottom) INT(pad_right)                                                      \
  INT(depth_multiplier)                      /* depthwise: out_c / c */                                          \
  REAL(beta)                                 /* softmax */                                                       \
  FLAG(keep_dims)                            /* reductions, fully connected (keep_num_dims) */                   \
  INT(axis)                                  /* 0 <= axis < rank: concatenation, gather, split, pack, argmax, ... */ \
  INT(batch_dims)                            /* gather */                                                        \
  INT(n_axes) LIST(axes)                     /* reductions, reverse: the axes, rising */                         \
  LIST(begin) LIST(step)                     /* slices: element i along an input axis is begin + i * step */     \
  LIST(perm)                                 /* transpose: output axis i is input axis perm[i] */                \
  LIST(before) LIST(after)                   /* pads of any rank, batch/space: elements in front and behind */   \
  INT(block_h) INT(block_w)                  /* depth/space, batch/space */                                      \
  REAL(alpha)                                /* leaky_relu */                                                    \
  FLAG(approximate)                          /* gelu: by the hyperbolic tangent */                               \
  FLAG(symmetric)                            /* mirror_pad: the edge itself is repeated */                       \
  FLAG(exclusive) FLAG(reverse)              /* cumsum */                                                        \
  FLAG(align_corners) FLAG(half_pixel_centers) /* resize */                                                      \
  FLAG(adj_x) FLAG(adj_y)                    /* batch_matmul */                                                  \
  INT(svdf_rank) FLAG(time_major) REAL(cell_clip) REAL(proj_clip) /* svdf, lstm */                               \
  FLAG(asymmetric_weights)                   /* convolutions: the weights' zero point counts (uint8 models) */   \
  FLAG(narrow_sums)                          /* int16 without a bias: sums are int32 */                          \
  FLAG(half_up)                              /* average pools: halves are rounded up (uint8 models) */           \
  FLAG(asymmetric_inputs)                    /* hybrid operators: inputs are quantised with a zero point */      \
  LIST(option) REAL(real_0) REAL(real_1) REAL(real_2) REAL(real_3) /* operators with a rule of their own */
/* clang-format on */

struct graph_attrs {
  enum graph_activation activation;
#define INT(name)  int name;
#define REAL(name) float name;
#define FLAG(name) bool name;
#define LIST(name) int32_t name[GRAPH_MAX_RANK];
  GRAPH_ATTRS(INT, REAL, FLAG, LIST)
#undef INT
#undef REAL
#undef FLAG
#undef LIST
};

/* A concatenation or split of more than these is cut in several on import. */
#define GRAPH_MAX_IN  64
#define GRAPH_MAX_OUT 64
#define GRAPH_BODIES  2
struct graph_node {
  enum mote_op op;
  int n_in, n_out;
  int in[GRAPH_MAX_IN];   /* tensors; -1: optional input left out */
  int out[GRAPH_MAX_OUT]; /* tensors, all made by this node */
  struct graph_attrs attrs;
  struct graph *body[GRAPH_BODIES]; /* IF: then, else; WHILE: condition, body; else NULL */
  int source_op;                    /* index in the source model; -1: made by a pass */
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
/* Of the last axis; 1 of a single number. */
static inline int32_t graph_last_dim(const struct graph_tensor *t) {
  return t->rank > 0 ? t->dims[t->rank - 1] : 1;
}
/* Whether a node writes to its input i, a state. */
bool graph_writes(const struct graph_node *n, int i);
/* Whether a node must run although nobody reads its outputs: it writes to a state. */
bool graph_has_effect(const struct graph_node *n);
bool graph_same_shape(const struct graph_tensor *a, const struct graph_tensor *b);
/* Multiply-accumulates and weight bytes (weights and biases) of a node; 0 where it has none. */
int64_t graph_macs(const struct graph *g, int node);
int64_t graph_weight_bytes(const struct graph *g, int node);
/* Output size of a window and the padding it takes: VALID out = floor((in - e) / stride) + 1, SAME out =
 * ceil(in / stride), with e = (kernel - 1) * dilation + 1; before = total / 2, after = the rest.
 * range: all arguments >= 1. Returns 0 where the window does not fit. source: TensorFlow's SAME and VALID. */
int graph_window_out(int in, int kernel, int stride, int dilation, enum graph_padding p,
                     int *before, int *after);

/* Behind padding a window has fewer taps. The sets of taps [first, end) along one axis that lie inside at some
 * output, in the order of the outputs, each once: both ends never grow, so equal sets are neighbours and there are at
 * most 2 * kernel + 1, which is what spans has room for. Returns how many. */
struct graph_span {
  int first, end;
};
int graph_window_spans(int in, int out, int kernel, int stride, int dilation, int before,
                       struct graph_span *spans);
/* The taps of output `o`, one of those sets. */
struct graph_span graph_window_span(int in, int o, int kernel, int stride, int dilation,
                                    int before);

/* ---- scales to integers ----------------------------------------------------
 * The rules by which the reference turns scales into multipliers differ from operator to operator in ways that
 * change bits. They stand here once; the evaluation, the compiler and the trainer call them.
 * needs: a graph that passed graph_check, except while training, where the caller keeps scales positive. */

/* multiplier and shift of a positive real number (see mote_quantise_multiplier). */
void graph_multiplier(double real, int32_t *multiplier, int *shift);
/* real number of output channel c of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: in * weight / out, in double.
 * BATCH_MATMUL and TRANSPOSE_CONV as well.
 * exact: FULLY_CONNECTED and BATCH_MATMUL with one weight scale, and convolutions with asymmetric_weights, round
 * in * weight to float first, as the reference does. */
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

/* An int16 operator sums in 64 bits: its bias is not int32. */
bool graph_sums_are_wide(const struct graph *g, const struct graph_node *n);
/* How a 64-bit sum is scaled: m << 16 | s, m of 15 bits, for (sum * m + 2^(s - 1)) >> s. range: real < 2^14. */
uint32_t graph_wide_scale(double real);

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

/* SVDF: of a feature in steps of the state, and of a weighted memory in steps of the output. */
void graph_svdf_scales(const struct graph *g, const struct graph_node *n, double *feature,
                       double *out);

/* UNIDIRECTIONAL_SEQUENCE_LSTM with int16 cells. Gates are sums in steps of 2^-12, activations of 2^-15. */
struct graph_lstm_scales {
  double input[4], recurrent[4]; /* of products of weights, in steps of a gate */
  double forget_product, input_product, out_product; /* of two activations; of one and the cell */
  int cell_power;                                    /* the cell's scale is 2^cell_power, rounded */
  int clip;                                          /* the bound in steps of the cell; -1: none */
};
void graph_lstm_scales_of(const struct graph *g, const struct graph_node *n,
                          struct graph_lstm_scales *s);

/* GRU: products of weights in steps of a gate, 2^-12. */
struct graph_gru_scales {
  double input[3], recurrent[3];
};
void graph_gru_scales_of(const struct graph *g, const struct graph_node *n,
                         struct graph_gru_scales *s);

/* A function of 8-bit values (LOGISTIC, TANH, ELU, HARD_SWISH, LEAKY_RELU, RELU, RELU6, ABS, RSQRT, GELU, EXP, LOG, QUANTIZE) as its
 * value for each byte of the input. needs: graph_check; both ends have 8 bits. exact: the reference's bits. */
void graph_table(const struct graph *g, int node, uint8_t table[256]);

/* The real range that a fused activation allows, in quantised steps of the output. */
void graph_activation_range(const struct graph_tensor *out, enum graph_activation act, int32_t *low,
                            int32_t *high);

/* ---- proving, printing, evaluating ------------------------------------------ */
/* The invariant above. Every importer ends with it. cost: one pass over all weights. */
bool graph_check(const struct graph *g, struct err *e);
/* One line a node and tensor; the form is described in text.c. */
void graph_print(const struct graph *g, struct text *out);
/* Reads what graph_print wrote of a graph without bodies whose constants are small; for tests and hand-made
 * models. Ends with graph_check. errors: NULL; e names the line. */
struct graph *graph_parse(struct arena *a, const char *name, const char *text, struct err *e);

/* Whether a node is of the int8 core: one of the operators listed above in exactly that form. Passes that look into
 * channels reason about these and leave all others alone: their sums fit int32, shifted as requantisation shifts them.
 * needs: tensors that graph_check has proven. cost: biases, and weights where their number alone proves nothing. */
bool graph_is_core(const struct graph *g, int node);
/* Whether graph_evaluate covers every node: the int8 core above. (Other operators are proven against the
 * reference's own outputs, test/golden.) */
bool graph_can_evaluate(const struct graph *g);
/* Evaluates a graph slowly and obviously, a layer at a time: the oracle of the other witnesses.
 * inputs[i]: the bytes of input i. values[t] (n_tensors pointers): every tensor's bytes afterwards: the
 * caller's for inputs, the graph's for constants, in the arena a for what nodes made, NULL for unused.
 * needs: graph_check, graph_can_evaluate. errors: the arena has too little left. exact: the bits of TensorFlow Lite Micro's
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
