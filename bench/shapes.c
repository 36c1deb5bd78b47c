/* shapes: writes one model with two and more shapes of each operator that are unlike those of known models: odd
 * channel counts, windows of 5x5 and 3x7, dilation, stride 2 whose padding is on one side only, 7 outputs of a 1x1,
 * 13 inputs of a dense layer. A loop that only suits round numbers shows here.
 *
 *   shapes OUT.tflite     writes the model; prints the name of each operator, in the model's order
 *
 * Every operator stands alone, with inputs and outputs of its own, so that the layers of `mote bench` are the
 * figures of one shape each. Weights come from a generator with a fixed seed; they fill int8 as trained weights do
 * (most are small), since kernels that prove something about weights depend on that. */
#include <stdio.h>
#include <stdlib.h>

#include "test/fuzz/tflite_writer.h"

/* Codes of the schema. */
enum { ADD = 0, AVERAGE_POOL = 1, CONV = 3, DEPTHWISE = 4, DENSE = 9 };

struct shape {
  const char *name;
  int code;
  int height, width, in, out; /* dense: in, out; add and pooling: in = out */
  int kernel_h, kernel_w, stride, dilation;
  bool same; /* padding: as large as the input over the stride */
};

static const struct shape shapes[] = {
    {"convolution 5x5, 7 to 11 channels", CONV, 12, 12, 7, 11, 5, 5, 1, 1, true},
    {"convolution 3x3, dilation 2, 9 to 13", CONV, 14, 14, 9, 13, 3, 3, 1, 2, true},
    {"convolution 3x3, stride 2, 5 to 10", CONV, 16, 16, 5, 10, 3, 3, 2, 1, true},
    {"first layer 5x5, stride 2, 3 to 9", CONV, 24, 24, 3, 9, 5, 5, 2, 1, true},
    {"first layer 3x7, 1 to 6", CONV, 20, 15, 1, 6, 3, 7, 1, 1, false},
    {"depthwise 5x5, stride 2, 13", DEPTHWISE, 16, 16, 13, 13, 5, 5, 2, 1, true},
    {"depthwise 3x3, dilation 2, 19", DEPTHWISE, 12, 12, 19, 19, 3, 3, 1, 2, true},
    {"depthwise 3x3, multiplier 3, 5 to 15", DEPTHWISE, 10, 10, 5, 15, 3, 3, 1, 1, true},
    {"1x1, 33 to 7", CONV, 10, 10, 33, 7, 1, 1, 1, 1, false},
    {"1x1, 15 to 29", CONV, 9, 9, 15, 29, 1, 1, 1, 1, false},
    {"dense 13 to 5", DENSE, 1, 1, 13, 5, 1, 1, 1, 1, false},
    {"dense 75 to 37", DENSE, 1, 1, 75, 37, 1, 1, 1, 1, false},
    {"average pool 3x3, stride 2, 13", AVERAGE_POOL, 14, 14, 13, 13, 3, 3, 2, 1, true},
    {"average pool 5x7, 10", AVERAGE_POOL, 5, 7, 10, 10, 5, 7, 1, 1, false},
    {"sum of two, 9x9x11", ADD, 9, 9, 11, 11, 1, 1, 1, 1, false},
    {"sum of two, 7x5x3", ADD, 7, 5, 3, 3, 1, 1, 1, 1, false},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* Knuth's generator of 64 bits, upper half. */
static uint32_t random_next(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 32);
}
/* -127 .. 127, the product of two uniform numbers: half of them within +-24. */
static int8_t random_weight(uint64_t *state) {
  const int32_t a = (int32_t)(random_next(state) % 255) - 127,
                b = (int32_t)(random_next(state) % 128);
  return (int8_t)(a * b / 127);
}

static struct graph_quant quant_of(struct arena *a, int count, float scale, int32_t zp, int axis) {
  struct graph_quant q = {.count = count, .axis = axis};
  float *scales = ARENA_ARRAY(a, float, count);
  int32_t *zps = ARENA_ARRAY(a, int32_t, count);
  for (int i = 0; i < count; i++) {
    /* Scales of channels differ, as trained ones do. */
    scales[i] = scale * (1.0f + (float)(i % 5) / 8.0f);
    zps[i] = zp;
  }
  q.scale = scales;
  q.zp = zps;
  return q;
}

static int add_tensor(struct tflite_model *m, struct tflite_tensor t) {
  m->tensors[m->n_tensors] = t;
  return m->n_tensors++;
}

static int add_values(struct tflite_model *m, struct arena *a, bool is_input, int h, int w, int c,
                      int rank, float scale, int32_t zp) {
  struct tflite_tensor t = {.name = is_input ? "x" : "y", .type = TFLITE_INT8, .rank = rank};
  const int32_t dims[4] = {1, rank == 2 ? c : h, w, c};
  memcpy(t.dims, dims, sizeof dims);
  t.quant = quant_of(a, 1, scale, zp, 0);
  const int i = add_tensor(m, t);
  if (is_input)
    m->inputs[m->n_inputs++] = i;
  else
    m->outputs[m->n_outputs++] = i;
  return i;
}

/* Weights and biases of a shape, appended to op's inputs. */
static void add_weights(struct tflite_model *m, struct arena *a, const struct shape *s,
                        struct tflite_operator *op, uint64_t *seed) {
  const bool dense = s->code == DENSE, depthwise = s->code == DEPTHWISE;
  const int32_t dims[4] = {depthwise ? 1 : s->out, dense ? s->in : s->kernel_h, s->kernel_w,
                           depthwise ? s->out : s->in};
  struct tflite_tensor w = {.name = "weights", .type = TFLITE_INT8, .rank = dense ? 2 : 4};
  struct tflite_tensor b = {.name = "bias", .type = TFLITE_INT32, .rank = 1, .dims = {s->out}};
  memcpy(w.dims, dims, sizeof dims);
  w.bytes = 1;
  for (int i = 0; i < w.rank; i++) w.bytes *= (size_t)dims[i];
  int8_t *weights = ARENA_ARRAY(a, int8_t, w.bytes);
  int32_t *biases = ARENA_ARRAY(a, int32_t, s->out);
  for (size_t i = 0; i < w.bytes; i++) weights[i] = random_weight(seed);
  for (int i = 0; i < s->out; i++) biases[i] = (int32_t)(random_next(seed) % 4001) - 2000;
  w.data = weights;
  b.data = biases;
  b.bytes = 4 * (size_t)s->out;
  w.quant = quant_of(a, dense ? 1 : s->out, 0.01f, 0, depthwise ? 3 : 0);
  b.quant = quant_of(a, dense ? 1 : s->out, 0.0005f, 0, 0); /* x's scale times the weights' */
  op->in[op->n_in++] = add_tensor(m, w);
  op->in[op->n_in++] = add_tensor(m, b);
}

/* Padding, strides, activation none, dilation: the fields of each operator's options in the schema. */
static void add_options(const struct shape *s, struct tflite_operator *op) {
  const int pad = s->same ? 0 : 1;
  const bool depthwise = s->code == DEPTHWISE, pool = s->code == AVERAGE_POOL;
  if (s->code == ADD || s->code == DENSE) return;
  tflite_add_option(op, 0, TFLITE_BYTE, pad);
  tflite_add_option(op, 1, TFLITE_INT, s->stride);
  tflite_add_option(op, 2, TFLITE_INT, s->stride);
  if (depthwise || pool) tflite_add_option(op, 3, TFLITE_INT, pool ? s->kernel_w : s->out / s->in);
  if (pool) tflite_add_option(op, 4, TFLITE_INT, s->kernel_h);
  if (pool) return;
  tflite_add_option(op, depthwise ? 5 : 4, TFLITE_INT, s->dilation);
  tflite_add_option(op, depthwise ? 6 : 5, TFLITE_INT, s->dilation);
}

static int out_of(const struct shape *s, int size, int kernel) {
  if (s->same) return (size + s->stride - 1) / s->stride;
  return (size - (kernel - 1) * s->dilation - 1) / s->stride + 1;
}

static void add_shape(struct tflite_model *m, struct arena *a, const struct shape *s,
                      uint64_t *seed) {
  struct tflite_operator *op = &m->operators[m->n_operators++];
  const int rank = s->code == DENSE ? 2 : 4;
  *op = (struct tflite_operator){.code = s->code};
  op->in[op->n_in++] = add_values(m, a, true, s->height, s->width, s->in, rank, 0.05f, -3);
  if (s->code == ADD)
    op->in[op->n_in++] = add_values(m, a, true, s->height, s->width, s->in, rank, 0.04f, 5);
  else if (s->code != AVERAGE_POOL)
    add_weights(m, a, s, op, seed);
  add_options(s, op);
  /* Pooling keeps the scale of its input. */
  const bool keeps = s->code == AVERAGE_POOL;
  op->out =
      add_values(m, a, false, out_of(s, s->height, s->kernel_h), out_of(s, s->width, s->kernel_w),
                 s->out, rank, keeps ? 0.05f : 0.2f, keeps ? -3 : 4);
}

int main(int argc, char **argv) {
  static uint8_t bytes[1 << 20];
  struct arena *a = arena_new(0);
  struct tflite_model *m = ARENA_NEW(a, struct tflite_model);
  struct err e = {0};
  uint64_t seed = 1;
  if (argc != 2) return fputs("usage: shapes OUT.tflite\n", stderr), 2;
  m->version = 3;
  m->subgraphs = 1;
  for (int i = 0; i < N_SHAPES; i++) {
    add_shape(m, a, &shapes[i], &seed);
    puts(shapes[i].name);
  }
  const size_t n = tflite_write(m, bytes, sizeof bytes);
  if (!file_write(argv[1], bytes, n, &e)) return fprintf(stderr, "%s\n", e.text), 1;
  arena_free(a);
  return 0;
}
