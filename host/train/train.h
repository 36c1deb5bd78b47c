/* train: small networks from examples, and the int8 graph that a device runs.
 *
 * A network is a list of layers over a map [height, width, channels]. train_fit trains it in float32 with
 * Adam, folds batch normalisation, and goes on with quantisation-aware training: a forward pass of integers
 * that gives the runtime's own bits, gradients straight through. What comes out is a struct graph with
 * TensorFlow Lite's int8 semantics.
 *
 * Examples are drawn through a callback, so that the caller augments a recording and extracts its features
 * anew for each draw. Features are int8; the network sees (q - zp) * scale, where the trainer picks scale
 * and zp once so that this has mean 0 and variance 1.
 *
 * invariants: the same seed, examples and network give the same bits whatever the number of threads and
 * whatever the vector instructions of the machine (docs/design/trainer.md). Resuming from a checkpoint gives
 * the bits of the training that was never interrupted. */
#ifndef HOST_TRAIN_H
#define HOST_TRAIN_H

#include "host/graph/graph.h"
#include "host/kit/kit.h"

/* ---- networks ------------------------------------------------------------- */
enum train_kind {
  TRAIN_CONV,      /* CONV_2D */
  TRAIN_DEPTHWISE, /* DEPTHWISE_CONV_2D, depth multiplier 1 */
  TRAIN_DENSE,     /* FULLY_CONNECTED; a map is flattened first */
  TRAIN_ADD, /* sum of two layers; the second may be 1 high, 1 wide or a vector: it is repeated */
  TRAIN_AVERAGE_POOL, /* AVERAGE_POOL_2D */
  TRAIN_MAX_POOL,     /* MAX_POOL_2D */
  TRAIN_MEAN,         /* MEAN over height and width */
  TRAIN_DROPOUT,      /* while training only; absent from the graph */
  TRAIN_MULTIPLY,     /* MUL; the second as in TRAIN_ADD */
  TRAIN_CONCAT,       /* CONCATENATION of channels */
  TRAIN_ACTIVATION,   /* LOGISTIC, TANH, HARD_SWISH */
  TRAIN_SEQUENCE,     /* RESHAPE: each row of w x c becomes one pixel of w * c channels */
  TRAIN_LAST,         /* SLICE: the last row */
  TRAIN_UPSAMPLE,     /* RESIZE_NEAREST_NEIGHBOR by whole factors */
  TRAIN_REQUANTISE,   /* QUANTIZE to a scale of its own; put before concatenations by the parser */
  TRAIN_LSTM,         /* UNIDIRECTIONAL_SEQUENCE_LSTM over the rows, from a state of zero */
  TRAIN_GRU           /* GRU over the rows, from a state of zero */
};

enum train_activation {
  TRAIN_LINEAR,
  TRAIN_RELU,
  TRAIN_RELU6, /* these three are part of the layer itself, the others a TRAIN_ACTIVATION behind it */
  TRAIN_HARD_SWISH,
  TRAIN_SIGMOID,
  TRAIN_TANH
};

/* CAUSAL: rows are padded before the first only, so that none depends on a later one; columns as SAME. */
enum train_padding { TRAIN_PAD_SAME, TRAIN_PAD_VALID, TRAIN_PAD_CAUSAL };

#define TRAIN_MAX_LAYERS 192
#define TRAIN_MAX_MORE   6
#define TRAIN_NAME_BYTES 24

struct train_layer {
  enum train_kind kind;
  int from;                 /* the layer whose output is read; -1: the network's input */
  int also;                 /* the second input of TRAIN_ADD, TRAIN_MULTIPLY, TRAIN_CONCAT */
  int n_more;               /* further inputs of TRAIN_CONCAT */
  int more[TRAIN_MAX_MORE]; /* ... */
  int channels;             /* of conv, dense; else taken from the input */
  int kernel_h, kernel_w, stride_h, stride_w;
  int dilation_h, dilation_w;
  enum train_padding padding;
  bool batch_norm; /* after conv, depthwise, dense; folded into the weights at the end */
  enum train_activation activation;
  float rate; /* of dropout, [0, 0.9] */
  bool whole; /* TRAIN_DROPOUT: all of an example's values or none, as droppath says */
  char name[TRAIN_NAME_BYTES]; /* by which other lines read it; may be empty */
  bool joined;                 /* TRAIN_ADD: written as branch and join */
  int line;  /* of the text it came from, counted from 1; 0: added by the trainer */
  bool flat; /* filled by train_network_check, as the following: a vector */
  int out_h, out_w, out_c;
};

/* What a network is asked. The targets of an example are the floats of its heads, one head behind the other. */
enum train_head_kind {
  TRAIN_HEAD_CLASSES, /* softmax and cross entropy; targets: none (the label), or one class where `own` */
  TRAIN_HEAD_CELLS, /* the same for each pixel of a map; targets: a class for each pixel, -1: does not count */
  TRAIN_HEAD_NUMBERS, /* regression: squared or Huber error; targets: the numbers */
  TRAIN_HEAD_MASK,    /* sigmoid and binary cross entropy; targets: numbers from 0 to 1 */
  TRAIN_HEAD_INPUT    /* the network's own input again, squared error; no targets */
};
struct train_head {
  enum train_head_kind kind;
  int layer;    /* its last layer, which nothing else reads */
  int first;    /* its first layer */
  int outputs;  /* classes, numbers; channels of a mask */
  bool own;     /* classes apart from the labels' */
  float weight; /* its share of the loss */
  float huber;  /* of numbers: errors beyond count linearly; 0: never */
  float object; /* of cells: what a cell of another class than 0 counts */
  int line;
  int n_targets; /* filled by train_network_check */
};
#define TRAIN_MAX_HEADS 8

struct train_network {
  int in_h, in_w, in_c, classes;
  int n_layers, n_heads;
  struct train_layer layers[TRAIN_MAX_LAYERS];
  struct train_head heads[TRAIN_MAX_HEADS];
};

/* The text form: a line a layer. Height is time for audio and motion. docs/spec/network.md has it all.
 *
 *   conv 64 10x4 s2      convolution to 64 channels + batch normalisation + ReLU
 *   dwconv 3x3 s2        depthwise convolution + batch normalisation + ReLU
 *   dsconv 64 3x3 s2     depthwise separable: dwconv 3x3 s2, then conv 64 1x1
 *   conv1d 64 9 s2       along the height alone: conv 64 9x1 s2x1; dwconv1d, dsconv1d, avgpool1d, maxpool1d alike
 *   dense 32             fully connected + batch normalisation + ReLU
 *   avgpool 2x2          average pool, stride = window unless given      maxpool 2x2 alike
 *   mean                 average over height and width
 *   dropout 0.2
 *   droppath 0.2         an example's whole map, so that paths that are joined learn to answer alone
 *   act sigmoid          an activation by itself
 *   sequence             rows become pixels: [h,w,c] to [h,1,w*c]
 *   lstm 32              long short-term memory over the rows, which have one pixel; every step's output
 *   gru 32               gated recurrent units over the rows, likewise
 *   last                 the last row
 *   upsample 2x2         pixels repeated
 *   se 4                 squeeze and excitation, 4 times fewer channels between
 *   NAME: conv ...       a name for the line's output; "input" is the network's
 *   conv ... from NAME   reads that instead of the line above
 *   add A [B]  mul A [B]  concat A B ...    of named layers; with one name the line above is the first
 *   branch               remembers this place ...
 *   join                 ... and adds it here, then ReLU; "join project" puts a 1x1 convolution into the
 *                        remembered path so that its shape agrees (strides and channels are worked out)
 *   head classes|cells|numbers|mask|input [N] [weight 0.5] [huber 1.0] [object 20.0]
 *   flags: valid, causal, d2 or d2x1 (dilation), linear relu6 hswish sigmoid tanh (in place of ReLU), nobn (a bias in
 *          place of batch normalisation)
 *
 * Without a head line the dense layer for the classes is added by itself. Text after '#' is ignored.
 * errors: the line, what is wrong with it, and the form that is understood. */
bool train_network_parse(const char *const *lines, int n_lines, int in_h, int in_w, int in_c,
                         int classes, struct train_network *net, struct err *e);
/* The same text form back, a line a layer, without the class layer. */
void train_network_text(const struct train_network *net, struct text *out);
/* Fills the output shapes and proves the whole: inputs before outputs, shapes agree, sizes within reason.
 * errors: the line or layer and the numbers. */
bool train_network_check(struct train_network *net, struct err *e);
/* Output size and padding of one axis of a layer's window. height: rows, else columns. */
int train_window_out(const struct train_layer *l, bool height, int in, int *before, int *after);
/* Whether layer l reads output i (-1: the network's input). */
bool train_layer_reads(const struct train_layer *l, int i);
/* Floats of an example's targets. */
int train_network_targets(const struct train_network *net);

struct train_cost {
  int64_t macs, parameters;
  int64_t weight_bytes;     /* int8 weights and int32 biases */
  int64_t activation_bytes; /* most alive at once, a layer at a time; row streaming needs less */
};
struct train_cost train_network_cost(const struct train_network *net);
/* A table for people: layer, output, parameters, MAC. */
void train_network_print(const struct train_network *net, struct text *out);

enum train_input {
  TRAIN_INPUT_AUDIO,  /* [frames, bins, 1] */
  TRAIN_INPUT_MOTION, /* [time, axes or features, 1] */
  TRAIN_INPUT_IMAGE,  /* [height, width, channels] */
  TRAIN_INPUT_VECTOR  /* [1, 1, features] */
};
/* What the board leaves for the network; 0: no limit known. */
struct train_budget {
  int64_t ram_bytes, flash_bytes, macs;
};

/* A small network for the task that fits the budget, the largest of a graded family; `why` says in plain
 * sentences what was chosen, from which family, and which limit decided. examples: of training.
 * errors: nothing fits; says the least that would. */
bool train_network_default(enum train_input input, int in_h, int in_w, int in_c, int classes,
                           uint32_t examples, const struct train_budget *budget,
                           struct train_network *net, struct text *why, struct err *e);

/* The same for a map of cells with `classes` and a background: the preset fomo, as wide as `fits` allows, which asks the caller
 * whether a network does (with an error that says why not); NULL: there is no limit, and the widest is taken. */
bool train_network_cells(struct arena *a, int in_h, int in_w, int in_c, int classes,
                         bool (*fits)(void *context, const struct train_network *net,
                                      struct err *e),
                         void *context, struct train_network *net, struct text *why, struct err *e);

/* Networks that others published, fitted to the input (presets.c has the sources). text: a name, and perhaps by how
 * much its channels are multiplied: "mobilenet 0.25". says: one line about preset i; NULL behind the last. */
const char *train_preset_name(int i, const char **says);
bool train_is_preset(const char *text);
/* Whether a text, its lines or the name of a preset, asks for the input again: known before the input's size is. */
bool train_asks_input(const char *const *lines, int n);
/* errors: no such preset, a width outside 0.05 to 8, an input that it cannot take. */
bool train_network_preset(struct arena *a, const char *text, int in_h, int in_w, int in_c,
                          int classes, struct train_network *net, struct err *e);

/* ---- training -------------------------------------------------------------- */
struct train_config {
  int epochs;     /* of float training, at most */
  int qat_epochs; /* of quantisation-aware training after it; 0: only calibrated */
  int batch;
  float learning_rate; /* peak; warm-up over the first 5 % of steps, then a cosine to 1 % */
  float qat_learning_rate;
  float weight_decay;    /* decoupled (AdamW), on weights, not on biases or normalisation */
  float label_smoothing; /* [0, 0.5] */
  float mixup;           /* alpha of the Beta distribution; 0: off */
  bool class_weights;    /* each class counts alike: weight n / (classes * n_c), at most 10 */
  /* Each class is drawn equally often, the examples of a rare one several times in an epoch; instead of class_weights. */
  bool balance;
  /* Share of each class's draws that go to examples as often as they are hard: by the loss of a fresh draw before each
   * epoch; 0: none. */
  float hard;
  float focal; /* gamma of the focal loss; 0: plain cross entropy */
  float
      distil; /* share of the teacher's opinion in the loss of the labels' classes; needs a teacher */
  float temperature; /* at which both are compared; 0: 4 */
  /* Most bytes of weights and biases: layers take weights of 4 bits until they fit; 0: all have 8 bits. */
  int64_t flash_bytes;
  /* The weights that are judged and kept are a running mean of those that learn, over about so many epochs (Izmailov
   * et al. 2018, Tarvainen and Valpola 2017); 0: they are the latest. */
  float average;
  int patience; /* stop after so many epochs without a better validation; 0: never */
  /* Masks on the features of each draw: `time_masks` of up to time_mask_max frames ... 0: off. */
  int time_masks, time_mask_max, band_masks, band_mask_max;
  uint64_t seed;
  int threads; /* 0: as many as the machine has */
};
/* Defaults for the task: they reach the accuracies of docs/design/trainer.md. */
struct train_config train_config_default(enum train_input input, uint32_t examples);
bool train_config_check(const struct train_config *c, struct err *e);

/* Training examples. example() writes the in_h*in_w*in_c features of example `index`, augmented as
 * draw_seed says; the same arguments must give the same bytes. It is called from several threads at once.
 * draw_seed 0 means: without augmentation. */
struct train_examples {
  uint32_t n;
  const int32_t *labels; /* [n], in [0, classes) */
  void (*example)(void *context, uint32_t index, uint64_t draw_seed, int8_t *features);
  void *context;
  /* The targets of that draw (train_network_targets floats); NULL where no head has any. */
  void (*targets)(void *context, uint32_t index, uint64_t draw_seed, float *targets);
};
/* Fixed features, for validation and tests: n x in_h*in_w*in_c. */
struct train_set {
  uint32_t n;
  const int8_t *features;
  const int32_t *labels;
  const float *targets; /* n x train_network_targets; NULL where no head has any */
};

struct train_epoch {
  int epoch; /* from 1, float and quantisation-aware counted on */
  bool quantised;
  float learning_rate;                        /* at its end */
  float loss, accuracy;                       /* over the training draws */
  float validation_loss, validation_accuracy; /* NaN without a validation set */
};

/* A network and the weights to begin with, as train_prune makes them. */
struct train_start {
  struct train_network net;
  int removed;                            /* classes of channels */
  const float *weights[TRAIN_MAX_LAYERS]; /* [rows][channels], then biases; NULL: a layer without */
};

/* What comes in and out while training runs; every member may be NULL or 0. */
struct train_hooks {
  struct progress *progress;
  /* Read between steps; true: train_fit returns false, the last checkpoint holds. */
  const volatile bool *cancel;
  /* Called after each epoch with all that is needed to go on. The caller writes it (file_write is atomic);
   * false stops the training with its error. */
  bool (*checkpoint)(void *context, const void *bytes, size_t size, const struct train_epoch *epoch,
                     struct err *e);
  void *context;
  const void *resume; /* bytes of a checkpoint of the same network, config and examples; or NULL */
  size_t resume_bytes;
  /* Whose opinion is learnt too (config.distil): a float model of the same input and classes; or NULL. */
  const struct train_model *teacher;
  /* The weights to begin with, of the very network that is trained; NULL: chance. */
  const struct train_start *start;
};

struct train_model; /* trained parameters, float and quantised */

struct train_result {
  struct train_model *model;
  struct graph *graph;         /* int8, ends with SOFTMAX; its name is set by the caller */
  struct train_epoch *history; /* the learning curve */
  int n_history;
  int best_epoch;       /* whose float weights were kept */
  int best_qat_epoch;   /* whose quantised weights became the graph; 0: calibration alone */
  float float_accuracy; /* on the validation set (on the training set without one) */
  float int8_accuracy;
  float input_scale;
  int32_t input_zp;
  int64_t weight_bytes; /* of weights, as the bits of each layer have it, and biases */
  int four_bit_layers;  /* of those with weights */
};

/* errors: config or network out of range, labels out of range, a class without examples, a checkpoint of
 * something else or damaged, a loss that is not finite, cancelled. */
bool train_fit(struct arena *a, const struct train_network *net,
               const struct train_examples *examples, const struct train_set *validation,
               const struct train_config *config, const struct train_hooks *hooks,
               struct train_result *result, struct err *e);

/* Takes channels out of a trained network, those of the shortest weights first, until its multiply-accumulates, bytes of
 * weights (8 bits) and bytes of activations (train_network_cost) are within the budget (0: no limit). train_fit with start->net and
 * hooks.start goes on from there. errors: the least that is possible. */
bool train_prune(struct arena *a, const struct train_model *m, const struct train_budget *budget,
                 struct train_start *start, struct err *e);

/* Class probabilities of n examples by the float network: out[n * classes]. */
void train_predict_float(const struct train_model *m, const int8_t *features, uint32_t n,
                         float *out);
/* The int8 output of the SOFTMAX, the bits of the runtime: out[n * classes], scale 1/256, zero point -128. */
void train_predict_int8(const struct train_model *m, const int8_t *features, uint32_t n,
                        int8_t *out);
/* What head `head` answers, in order of its map: probabilities of classes and cells, numbers, masks; the input in the
 * trainer's own units. out[n * train_head_outputs]. */
int train_head_outputs(const struct train_network *net, int head);
void train_predict_head(const struct train_model *m, int head, bool int8, const int8_t *features,
                        uint32_t n, float *out);
/* Share of right answers, in [0, 1]. confusion: classes x classes counts, rows are truth, or NULL. */
float train_accuracy_float(const struct train_model *m, const struct train_set *set,
                           uint32_t *confusion);
float train_accuracy_int8(const struct train_model *m, const struct train_set *set,
                          uint32_t *confusion);

/* ---- augmentation ------------------------------------------------------------ */
/* Every amount is the most that is drawn, uniformly unless said; 0 leaves the step out. */
struct train_augment {
  float shift_ms; /* time shift to either side; what enters is silence */
  float gain_db;  /* gain to either side */
  float speed;    /* 0.15: tempo and pitch together times [0.85, 1.15], by resampling */
  float tone_db;  /* another microphone: a tilt over the spectrum and a peak or dip somewhere */
  float background_chance; /* share of draws mixed with background */
  float background_snr_db_min, background_snr_db_max;
  float noise_chance; /* share of draws with white noise of noise_snr_db_min .. 40 dB */
  float noise_snr_db_min;
  /* Of bands, see train_augment_bands. */
  float time_stretch; /* 0.25: slower or faster by up to e^0.25, pitch kept */
  float band_warp;    /* 0.07: a vocal tract up to e^0.07 shorter or longer */
  float slope_db;     /* another microphone: tilted by up to so much at either end of the bands */
  float floor_chance; /* share of draws over a floor of noise ... */
  float floor_db_min, floor_db_max; /* ... so far below the loudest band */
  /* Of pictures, see train_augment_image. */
  float shift;      /* 0.08: moved by up to so much of its sides */
  float rotate_deg; /* turned, to either side */
  float zoom;       /* 0.1: times [0.9, 1.1] */
  float shear;      /* 0.1: rows lean by up to so much of their distance */
  float brightness; /* 0.1: of the whole range, to either side */
  float contrast;   /* 0.2: about the picture's mean, times [0.8, 1.2] */
  float cutout;     /* a square of up to this share of the shorter side becomes the mean */
  bool flip_across,
      flip_down; /* half of the draws are mirrored: only where a mirrored thing keeps its label */
};
struct train_augment train_augment_default(enum train_input input);

/* Recordings of background to mix in; a random piece is taken, repeated where it is too short. */
struct train_background {
  int n;
  const int16_t *const *samples;
  const uint32_t *lengths;
};

/* out[n]: n samples at rate_hz around the middle of in[n_in], speed, shift, gain, tone, background and noise
 * drawn from seed, in this order, saturated to int16. Where in is shorter than n, silence surrounds it.
 * seed 0: no augmentation, only the middle. background: may be NULL. alias: out overlaps nothing.
 * Deterministic; safe from several threads. */
void train_augment_audio(const struct train_augment *how, const struct train_background *background,
                         int rate_hz, const int16_t *in, uint32_t n_in, uint64_t seed, int16_t *out,
                         uint32_t n);
/* In place, n values of a sensor of any channels: one gain for all, and noise, drawn from seed. */
void train_augment_sensor(const struct train_augment *how, int16_t *x, size_t n, uint64_t seed);
struct train_bands {
  int time, bands;
  bool flatness; /* behind a row's levels stands the flatness of each band: [time, 2, bands] */
  float per_db;  /* steps of a value in one dB */
};
/* The logarithms of band energies, [time, bands], before they are normalised: stretched along time, warped along the bands, sloped,
 * over a floor of noise, drawn from seed. Flatness is stretched and warped with them, and where the floor covers a band it
 * is noise's. alias: out overlaps nothing. Deterministic; safe from several threads. */
void train_augment_bands(const struct train_augment *how, const struct train_bands *b,
                         const int16_t *in, uint64_t seed, int16_t *out);
/* How the values of a picture lie: of pixel (x, y) in plane k at y * down + x * across + k * apart; low and high are the least and
 * largest value. */
struct train_picture {
  int width, height, planes;
  int across, down, apart;
  int low, high;
};
/* In place; beyond the edge the nearest pixel stands. Deterministic; safe from several threads. */
void train_augment_image(const struct train_augment *how, const struct train_picture *p,
                         int16_t *values, uint64_t seed);
/* Where that draw puts a point, in pixels from the picture's upper left corner: it may come to lie outside. */
void train_augment_place(const struct train_augment *how, const struct train_picture *p,
                         uint64_t seed, float *x, float *y);
/* Masks up to `time_masks` runs of rows and `band_masks` runs of columns of features [h, w, c] with
 * `fill`. source: Park et al. 2019, SpecAugment. */
void train_augment_mask(int8_t *features, int h, int w, int c, int time_masks, int time_mask_max,
                        int band_masks, int band_mask_max, int8_t fill, uint64_t seed);

/* ---- measuring ---------------------------------------------------------------- */
/* Median seconds of one float training step (forward, backward, Adam) of `batch` random examples. */
double train_measure_step(struct arena *a, const struct train_network *net, int batch, int threads,
                          int repeats);
/* The vector instructions in use: "avx512", "avx2" or "plain". */
const char *train_vector_name(void);

#endif
