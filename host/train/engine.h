/* train/engine: forward, backward and Adam over a network, in float32 and in the runtime's integers.
 *
 * A batch is cut into at most ENGINE_CHUNKS runs of samples, by its size alone. Each chunk goes through the
 * layers by itself; batch normalisation is where chunks meet. Gradients are kept for each chunk and added in
 * order: threads cannot change a bit.
 *
 * Values: number 0 is the network's input, i + 1 the output of layer i; NHWC with channels padded to LANES.
 * In integer mode a value holds q - zp as a float, exactly. Gradients are of real values in every mode.
 *
 * A kind of layer belongs to a family, a file each: linear.c (with weights), layer_pool.c, layer_merge.c (several
 * inputs), layer_move.c (elements elsewhere), layer_activation.c, layer_lstm.c and layer_gru.c
 * (layer_recurrent.c). loss.c asks the heads. */
#ifndef HOST_TRAIN_ENGINE_H
#define HOST_TRAIN_ENGINE_H

#include "host/train/lanes.h"
#include "host/train/pool.h"
#include "host/train/train.h"
#include "mote/nn/nn.h"

#define ENGINE_CHUNKS  16
#define ENGINE_WORKERS 64

enum engine_mode {
  ENGINE_TRAIN, /* batch statistics, dropout */
  ENGINE_EVAL,  /* running statistics */
  ENGINE_INT8   /* needs engine_fold and engine_quantise */
};

struct value {
  int h, w, c, cs; /* cs: distance between pixels, c padded; the input may be unpadded */
  float *y, *dy;   /* [capacity][h][w][cs]; no dy for the input */
  bool
      passing; /* only layers with weights read it: in training they make it from z, and no y is written */
  /* Quantisation; range_of: the value whose range this one shares (pools, dropout). */
  int range_of;
  bool moved;      /* makes no values of its own: no part in the range */
  bool fixed;      /* the scale is given */
  float low, high; /* of its group */
  float scale;
  int32_t zp;
};

/* What one layer owns besides the layer's own description. */
struct unit {
  struct train_layer d;
  int in, also, out;           /* values */
  bool linear;                 /* conv, depthwise, dense: has weights */
  bool batch_norm;             /* until folded */
  bool windowed;               /* window.c goes over the map itself */
  bool winograd;               /* and, in float, winograd.c */
  float *places, *places_back; /* its weights */
  bool direct;           /* rows of the input are the rows of the product: no window to gather */
  int k, kk, np, pixels; /* rows of the weights, padded; padded channels; output pixels */
  int tile;              /* output pixels gathered at a time */
  size_t a_row;          /* of the input, where direct */
  struct lanes_window window;
  size_t w_at, b_at, g_at; /* in the parameters: weights [k][np], bias or beta, gamma */
  size_t run_at;           /* in the running statistics: mean, variance */
  bool add_in, add_also;   /* gradients add to what a later reader wrote */
  bool add_more[TRAIN_MAX_MORE];
  float *z; /* before normalisation */
  float *
      wt; /* weights transposed for the gradient of the input: [n][kk]; windowed: [tap][n][cs of the input] */
  float *scale, *shift, *mean, *inverse, *back_a, *back_b; /* [np] */
  float *part_mean, *part_m2;                              /* [chunks][np] */
  /* Integer mode: weights as integers, the same times their scale, biases, requantisation. */
  float *wq, *wr;
  int32_t *bias, *multiplier, *left, *right;
  float *real;    /* what a unit of the sum is worth */
  float *w_scale; /* [np]; dense: one value repeated */
  float *bias_scale;
  int32_t *zeros;
  int32_t low, high; /* of the output */
  int bits;          /* of the weights: 4 or 8 */
  int node;          /* in the graph */
  struct graph_add_scaling add;
  struct graph_mean_scaling mean_scaling;
  int32_t product_multiplier;
  int product_shift;
  float table
      [256]; /* of a function of one value: steps of the output for each step of the input from -128 */
  struct lstm *lstm; /* of layer_lstm.c; NULL: another kind */
  struct gru *gru;   /* of layer_gru.c, likewise */
  float (*seen)[2];  /* [chunks] least and greatest real output before clamping */
};

struct engine {
  struct arena *arena;
  const struct lanes *lanes;
  struct pool *pool; /* NULL: the caller's thread alone */
  struct train_network net;
  int n_units, n_values, classes;
  int labels_at; /* the value that answers the labels; -1: none */
  int capacity;  /* samples */
  struct unit *units;
  struct value *values;
  size_t n_params, n_running;
  float *params; /* in use; not owned */
  float *running;
  float *gradients; /* [chunks][n_params] */
  uint8_t *decays;  /* [n_params / LANES] weights decay */
  float *scratch[ENGINE_WORKERS];
  size_t scratch_floats;
  bool folded;
  struct graph *graph; /* with this engine's scales, for the rules of quantisation */
  float *ranges;       /* [values][2]; not owned */
  /* The batch in work. */
  enum engine_mode mode;
  int most_chunks, count, chunks;
  bool turned; /* chunks went backwards through the last segment */
  const int32_t *labels;
  const float *sample_weights;  /* [count]; NULL: 1 */
  const int32_t *second_labels; /* [count]; NULL: none mixed in */
  const float *mix;             /* [count] share of `labels` */
  const float *targets;         /* [count][n_targets] */
  int n_targets;
  const float *teacher; /* [count][classes] logits; NULL: none */
  float label_smoothing, focal, distil, temperature, loss_scale;
  uint64_t dropout_seed;
  double chunk_loss[ENGINE_CHUNKS];
  int chunk_right[ENGINE_CHUNKS];
};

/* errors: more memory than the arena has left. threads: 1 makes no pool. */
struct engine *engine_new(struct arena *a, const struct train_network *net, int capacity,
                          bool backward, struct err *e);
void engine_init_params(struct engine *g, float *params, float *running, uint64_t seed);

/* Runs the batch that lies in values[0].y; count <= capacity. */
void engine_forward(struct engine *g, int count, enum engine_mode mode);
/* Loss of the last value against labels, gradients of all parameters; after engine_forward. Returns the
 * mean loss; right: answers that were right. needs: labels, sample_weights, label_smoothing set. */
double engine_backward(struct engine *g, int *right);
/* Loss without gradients. */
double engine_loss(struct engine *g, int *right);

struct adam {
  float rate, weight_decay;
  float correct_1, correct_2; /* 1 / (1 - beta^t) */
};
void engine_adam(struct engine *g, const struct adam *how, float *m, float *v);

/* Moves batch normalisation into weights and biases, from the running statistics; in place. */
void engine_fold(struct engine *g, float *params, const float *running);
/* From now on parameters are folded ones. */
void engine_set_folded(struct engine *g);

/* quantised.c, export.c */
/* Builds the graph whose scales follow this engine's values. Once, after engine_fold. */
void engine_quant_init(struct engine *g);
/* After it: the scale of a value that covers low to high, whatever is seen. */
void engine_cover(struct engine *g, int value, float low, float high);
/* Scales from ranges, integer weights and biases from params, requantisation from both. */
void engine_quantise(struct engine *g);
/* Least and greatest of each value in a float pass; ranges[v] moves by `share` towards them (1: becomes them). */
void engine_observe(struct engine *g, float share);
void engine_observe_int8(struct engine *g, float share);
/* bits.c: bytes of all weights and biases; whether they can keep a budget (errors: the least that is possible); sets units' bits so
 * that they do. loss: of some batches with the present bits. */
int64_t engine_weight_bytes(const struct engine *g);
bool engine_bits_fit(struct engine *g, int64_t budget, struct err *e);
void engine_choose_bits(struct engine *g, int64_t budget, double (*loss)(void *context),
                        void *context);
/* prune.c: the network without the channels that are worth least, and its folded weights. */
bool engine_prune(const struct engine *g, const float *params, const struct train_budget *budget,
                  struct arena *a, struct train_start *start, struct err *e);
/* Floats that a unit of it keeps. */
size_t engine_kept_weights(const struct unit *u);
/* Begins with these weights; normalisation begins with the moments of the `count` examples in the input, and changes
 * nothing. needs: params and running are the engine's, from engine_init_params. */
void engine_start(struct engine *g, int count, const struct train_start *start, float *params,
                  float *running);
/* A graph of its own with the present integers. */
struct graph *engine_export(const struct engine *g, struct arena *a);

/* ---- families ---------------------------------------------------------------- */
/* Each over samples [s0, s1) of one chunk. back: gradients of the inputs from that of the output. */
struct family {
  void (*forward)(struct engine *g, struct unit *u, int s0, int s1);
  void (*forward_int8)(struct engine *g, struct unit *u, int s0, int s1, int chunk);
  void (*back)(struct engine *g, struct unit *u, int s0, int s1, int chunk);
};
extern const struct family family_pool, family_merge, family_move, family_activation, family_lstm,
    family_gru;
/* NULL: of linear.c. */
const struct family *family_of(enum train_kind kind);

/* linear.c */
void linear_sizes(struct engine *g, struct unit *u);
void linear_memory(struct engine *g, struct unit *u, bool backward);
void linear_prepare_scales(struct engine *g);
struct lanes_normalised linear_normalised(const struct unit *u);
/* Samples that a layer without windows takes at once. */
int linear_at_once(const struct unit *u);
/* window.c: of one sample; scratch holds window_scratch floats. */
bool window_takes(const struct unit *u);
size_t window_scratch(const struct engine *g, const struct unit *u);
void window_forward(struct engine *g, const struct unit *u, int s, const float *w, float *scratch,
                    float *y);
/* Of integers: sums of at most `most` products in y, those before them in what it returns; NULL: all are in y. */
int32_t *window_forward_slices(struct engine *g, const struct unit *u, int s, int most,
                               float *scratch, float *y);
void window_back(struct engine *g, const struct unit *u, int s, const float *w, float *scratch,
                 float *dw, bool accumulate);
/* winograd.c: weights are prepared once for each pass; back after linear_transpose. */
bool winograd_takes(const struct engine *g, const struct unit *u);
size_t winograd_scratch(const struct engine *g, const struct unit *u);
void winograd_memory(struct engine *g, struct unit *u, bool backward);
void winograd_prepare(struct engine *g, struct unit *u);
void winograd_prepare_back(struct engine *g, struct unit *u);
void winograd_forward(struct engine *g, const struct unit *u, int s, float *scratch, float *y);
void winograd_back(struct engine *g, const struct unit *u, int s0, int s1, float *scratch,
                   float *dw);
/* The input of n samples from s on, and the gradient of a unit's sums; made in scratch where they do not lie anywhere. */
const float *window_input(const struct engine *g, const struct unit *u, int s, int n,
                          float *scratch);
const float *window_gradient(const struct engine *g, const struct unit *u, int s, int n,
                             float *scratch);
void linear_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker);
void linear_combine(struct engine *g, struct unit *u); /* of the chunks' moments */
void linear_finish(struct engine *g, struct unit *u, int s0, int s1);
bool linear_normalises(const struct engine *g, const struct unit *u);
void linear_transpose(struct engine *g, struct unit *u);
void linear_back_begin(struct engine *g, struct unit *u, int s0, int s1, int chunk);
void linear_back_combine(struct engine *g, struct unit *u);
void linear_back_finish(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker);
void linear_int8(struct engine *g, struct unit *u, int s0, int s1, int chunk, int worker);

/* layer_activation.c: steps through the unit's table. */
void engine_table_int8(struct engine *g, struct unit *u, int s0, int s1, float seen[2]);

/* Layers with a memory: layer_lstm.c, layer_gru.c. */
struct recurrent {
  int gates, biases; /* W is [c + units][gates np], behind it stand [biases np] */
  int unit_bytes;    /* of a unit's biases, and of the zeros that its states begin with */
  double (*floats)(const struct engine *g, const struct unit *u);
  void (*memory)(struct engine *g, struct unit *u, bool backward);
  void (*init)(const struct unit *u, float *params); /* behind recurrent_init: biases */
  void (*transpose)(struct engine *g, struct unit *u);
  void (*quant_init)(struct engine *g, struct unit *u);
  void (*quantise)(struct engine *g, struct unit *u);
  /* Adds the nodes that read `input`; returns the tensor they make. */
  int (*graph)(const struct engine *g, struct graph *gr, struct unit *u, int index, int input);
};
extern const struct recurrent recurrent_lstm, recurrent_gru;
/* layer_recurrent.c. NULL: another kind. */
const struct recurrent *recurrent_of(enum train_kind kind);
void recurrent_sizes(struct engine *g, struct unit *u);
void recurrent_init(const struct unit *u, struct rng *r, float *params);
void recurrent_tanh(const struct lanes *lanes, size_t n, const float *x, float *y);
/* Rows [from, to) of one gate become int8 [unit][row], and in `made`, laid out as W, what they are worth for a step of what
 * they multiply; returns the scale. */
float recurrent_weights(const struct engine *g, const struct unit *u, int gate, int from, int to,
                        float step, float *made, int8_t *q);
struct mote_scale_pair recurrent_pair(double real);
/* The input of sample s as the kernel takes it: [steps][c]. */
void recurrent_steps(const struct engine *g, const struct unit *u, int s, int8_t *x);
int recurrent_constant(struct graph *gr, const char *name, enum mote_type type, int rows,
                       int columns, const float *scale, const int32_t *zero, const void *data);
/* A state, set to zero before each window: the first node of an inference. */
int recurrent_state(struct graph *gr, const char *name, enum mote_type type, int units,
                    const float *scale, const int32_t *zero);
int recurrent_reshape(struct graph *gr, int tensor, const char *name, int rank, const int *dims);
/* Adds node n with its output; returns that as a map. */
int recurrent_add(const struct engine *g, struct graph *gr, struct unit *u, struct graph_node *n,
                  const char *name);
/* Copies of weights and biases for a graph that is given away. */
void recurrent_export(struct graph *gr, const struct unit *u, struct arena *a);

/* loss.c */
void loss_of_chunk(struct engine *g, int chunk, bool gradient);
/* What the label's class of the last forward pass is short of: -log of its share, without smoothing, weights and a teacher. */
double loss_of_label(const struct engine *g, int sample, int label);

/* Input `k` of a unit: in, also, more. */
static inline int unit_inputs(const struct unit *u) {
  return u->d.kind == TRAIN_CONCAT                               ? 2 + u->d.n_more
         : u->d.kind == TRAIN_ADD || u->d.kind == TRAIN_MULTIPLY ? 2
                                                                 : 1;
}
static inline int unit_input(const struct unit *u, int k) {
  return k == 0 ? u->in : k == 1 ? u->also : u->d.more[k - 2] + 1;
}
static inline bool *unit_adds(struct unit *u, int k) {
  return k == 0 ? &u->add_in : k == 1 ? &u->add_also : &u->add_more[k - 2];
}
/* The first and the one behind the last sample of a chunk. */
static inline int chunk_start(const struct engine *g, int chunk) {
  return (int)((int64_t)g->count * chunk / g->chunks);
}
/* The step of q within what the output can hold. */
static inline float step_of(const struct unit *u, int32_t zp, int32_t q) {
  return (float)(mote_clamp(q + zp, u->low, u->high) - zp);
}
/* The real least and greatest outputs of a chunk before clamping. */
static inline void see(float seen[2], float real) {
  seen[0] = real < seen[0] ? real : seen[0];
  seen[1] = real > seen[1] ? real : seen[1];
}

static inline float *value_at(const struct value *v, float *base, int sample) {
  return base + (size_t)sample * (size_t)v->h * (size_t)v->w * (size_t)v->cs;
}
/* Rows [m0, m0 + rows) of the windows of sample s0 on, as a matrix. Returns it and its row length. */
const float *engine_gather(struct engine *g, const struct unit *u, int s0, int m0, int rows,
                           float *tile, size_t *row);

/* exp and log in double, own so that no library's choice of instructions changes a bit. */
double train_exp(double x);
double train_log(double x);
double train_cos_half_turn(double t); /* cos(pi * t), t in [0, 1] */
/* A well mixed 64-bit number of three. */
uint64_t train_mix(uint64_t a, uint64_t b, uint64_t c);

#endif
