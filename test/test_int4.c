/* int4: what weights of 4 bits are worth. The same layers, once with int8 weights and once with weights that fit 4 bits,
 * run on emulated chips: half the flash of weights, and no more instructions than the limits below.
 * check: host only
 *
 * `mote bench` counts, layer by layer. Needs build/mote, the chips' compilers and qemu-system-arm; skips where they
 * are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "test/fuzz/tflite_writer.h"

/* Codes of the schema. */
enum { CONV = 3, DENSE = 9 };

struct shape {
  const char *name;
  int code, size, in, out, kernel, stride;
};
static const struct shape shapes[] = {
    {"convolution 3x3, 16 to 16", CONV, 12, 16, 16, 3, 1},
    {"convolution 3x3, stride 2, 8 to 24", CONV, 13, 8, 24, 3, 2},
    {"convolution 1x1, 64 to 64", CONV, 9, 64, 64, 1, 1},
    {"convolution 5x5, 4 to 8", CONV, 16, 4, 8, 5, 1},
    {"convolution 1x1, 33 to 7", CONV, 10, 33, 7, 1, 1},
    {"dense 640 to 128", DENSE, 1, 640, 128, 1, 1},
    {"dense 64 to 10", DENSE, 1, 64, 10, 1, 1},
    {"dense 75 to 37", DENSE, 1, 75, 37, 1, 1},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* ---- the models --------------------------------------------------------------------------- */
static struct graph_quant quant_of(struct arena *a, int count, float scale, int32_t zp) {
  float *scales = ARENA_ARRAY(a, float, count);
  int32_t *zps = ARENA_ARRAY(a, int32_t, count);
  for (int i = 0; i < count; i++) {
    scales[i] = scale * (1 + (float)(i % 5) / 8);
    zps[i] = zp;
  }
  return (struct graph_quant){.count = count, .scale = scales, .zp = zps};
}

static int add_tensor(struct tflite_model *m, const struct tflite_tensor *t) {
  m->tensors[m->n_tensors] = *t;
  return m->n_tensors++;
}

static int add_values(struct tflite_model *m, struct arena *a, const struct shape *s, int size,
                      int channels) {
  struct tflite_tensor t = {
      .name = "values", .type = TFLITE_INT8, .rank = s->code == DENSE ? 2 : 4};
  const int32_t image[4] = {1, size, size, channels}, vector[4] = {1, channels, 0, 0};
  memcpy(t.dims, t.rank == 2 ? vector : image, sizeof image);
  t.quant = quant_of(a, 1, 0.05f, -3);
  return add_tensor(m, &t);
}

/* Weights fill their bits as trained ones do: the products of two uniform numbers, so that half are small. */
static int8_t weight_of(struct rng *r, int most) {
  return (int8_t)(((int)rng_below(r, 2 * (uint32_t)most + 1) - most) *
                  (int)rng_below(r, (uint32_t)most + 1) / most);
}

static void add_layer(struct tflite_model *m, struct arena *a, const struct shape *s, int most,
                      struct rng *r) {
  struct tflite_operator *op = &m->operators[m->n_operators++];
  struct tflite_tensor w = {.name = "weights", .type = TFLITE_INT8}, b = {.name = "bias"};
  const int32_t dims[4] = {s->out, s->code == DENSE ? s->in : s->kernel, s->kernel, s->in};
  int8_t *weights;
  int32_t *bias = ARENA_ARRAY(a, int32_t, s->out);
  *op = (struct tflite_operator){.code = s->code, .n_in = 3};
  w.rank = s->code == DENSE ? 2 : 4;
  memcpy(w.dims, dims, sizeof dims);
  w.bytes = (size_t)(s->out * s->in * s->kernel * s->kernel);
  w.data = weights = ARENA_ARRAY(a, int8_t, w.bytes);
  for (size_t i = 0; i < w.bytes; i++) weights[i] = weight_of(r, most);
  for (int i = 0; i < s->out; i++) bias[i] = (int32_t)rng_below(r, 4001) - 2000;
  w.quant = quant_of(a, s->code == DENSE ? 1 : s->out, 0.01f * 127 / (float)most, 0);
  b.quant = quant_of(a, s->code == DENSE ? 1 : s->out, 0.0005f * 127 / (float)most, 0);
  b.type = TFLITE_INT32, b.rank = 1, b.dims[0] = s->out;
  b.data = bias, b.bytes = 4 * (size_t)s->out;
  op->in[0] = m->inputs[m->n_inputs++] = add_values(m, a, s, s->size, s->in);
  op->in[1] = add_tensor(m, &w);
  op->in[2] = add_tensor(m, &b);
  op->out = m->outputs[m->n_outputs++] =
      add_values(m, a, s, (s->size + s->stride - 1) / s->stride, s->out);
  if (s->code == DENSE) return;
  tflite_add_option(op, 0, TFLITE_BYTE, 0); /* as large as the input over the stride */
  tflite_add_option(op, 1, TFLITE_INT, s->stride);
  tflite_add_option(op, 2, TFLITE_INT, s->stride);
}

/* All shapes as one model, each with an input and an output of its own. Returns its file. */
static const char *write_model(struct arena *a, const char *dir, int most) {
  static uint8_t bytes[1 << 20];
  const char *path = arena_printf(a, "%s/weights_%d.tflite", dir, most);
  struct tflite_model *m = ARENA_NEW(a, struct tflite_model);
  struct err e = {0};
  struct rng r;
  rng_seed(&r, 4);
  m->version = 3;
  m->subgraphs = 1;
  for (int i = 0; i < N_SHAPES; i++) add_layer(m, a, &shapes[i], most, &r);
  const size_t n = tflite_write(m, bytes, sizeof bytes);
  if (!file_write(path, bytes, n, &e)) fail_msg("%s", e.text);
  return path;
}

/* ---- what they take ----------------------------------------------------------------------- */
struct figures {
  long long layers[N_SHAPES], flash;
};
static void bench(struct arena *a, const char *model, const char *target, struct figures *f) {
  const char *const argv[] = {"build/mote", "bench",  model, "--target",
                              target,       "--json", "-q",  NULL};
  struct process_result r;
  struct err e = {0};
  if (!process_run(a, NULL, argv, 600, &r, &e)) fail_msg("%s", e.text);
  if (r.exit_code != 0) fail_msg("bench on %s: %s %s", target, r.out, r.err);
  json_t *root = json_loads(r.out, 0, NULL);
  const json_t *layers = json_object_get(root, "layers");
  assert_int_equal(json_array_size(layers), N_SHAPES);
  for (size_t i = 0; i < N_SHAPES; i++)
    f->layers[i] = json_integer_value(json_object_get(json_array_get(layers, i), "instructions"));
  f->flash = json_integer_value(json_object_get(root, "flash_weight_bytes"));
  assert_true(f->flash > 0);
  json_decref(root);
}

/* The chip gives the bits that this machine's evaluation gives. */
static void verify(struct arena *a, const char *model, const char *target) {
  const char *const argv[] = {"build/mote", "verify", model, "--target", target, "-q", NULL};
  struct process_result r;
  struct err e = {0};
  if (!process_run(a, NULL, argv, 600, &r, &e)) fail_msg("%s", e.text);
  if (r.exit_code != 0) fail_msg("verify of %s on %s: %s %s", model, target, r.out, r.err);
}

/* A plan gives up to a tenth of its instructions for RAM, and may take them of one layer: on the Cortex-M0+, where all
 * layers are well below, one alone may be above. */
struct limit {
  const char *target;
  double each, all; /* of the same layer, and of all, with int8 weights */
};

static void test_layers(void **state) {
  const struct limit *limit = *state;
  struct arena *a = arena_new((size_t)1 << 28);
  struct figures wide, narrow;
  struct err e = {0};
  char *dir;
  if (access("build/mote", X_OK) != 0 || !process_exists("arm-none-eabi-gcc") ||
      !process_exists("qemu-system-arm")) {
    print_message("skipped: needs build/mote, arm-none-eabi-gcc and qemu-system-arm\n");
    arena_free(a);
    skip();
  }
  assert_true(dir_temporary(a, &dir, &e));
  bench(a, write_model(a, dir, 127), limit->target, &wide);
  bench(a, write_model(a, dir, 7), limit->target, &narrow);
  verify(a, arena_printf(a, "%s/weights_7.tflite", dir), limit->target);
  dir_remove(dir);
  static const char *const golden[] = {"CONV_2D/int8_int4_weights", "CONV_2D/int8_int4_weights_odd",
                                       "FULLY_CONNECTED/int8_int4_weights",
                                       "FULLY_CONNECTED/int8_int4_weights_odd"};
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
    verify(a, arena_printf(a, "test/golden/%s.tflite", golden[i]), limit->target);
  int bad = 0;
  double sum_wide = 0, sum_narrow = 0;
  for (int i = 0; i < N_SHAPES; i++) {
    const double ratio = (double)narrow.layers[i] / (double)wide.layers[i];
    print_message("%s, %s: int8 %lld, 4 bits %lld: %.3f\n", limit->target, shapes[i].name,
                  wide.layers[i], narrow.layers[i], ratio);
    bad += ratio > limit->each;
    sum_wide += (double)wide.layers[i];
    sum_narrow += (double)narrow.layers[i];
  }
  print_message("%s, flash of weights: int8 %lld, 4 bits %lld\n", limit->target, wide.flash,
                narrow.flash);
  arena_free(a);
  if (bad > 0) fail_msg("%d layers take more than %.2f times what int8 takes", bad, limit->each);
  assert_true(sum_narrow < limit->all * sum_wide);
  /* Scales and biases are the same in both. */
  assert_true(narrow.flash < wide.flash * 56 / 100);
}

int main(void) {
  static const struct limit limits[] = {{"cortex-m4", 1.15, 1.1}, {"cortex-m0plus", 1.1, 0.98}};
  const struct CMUnitTest tests[] = {
      {.name = limits[0].target,
       .test_func = test_layers,
       .initial_state = (void *)(uintptr_t)&limits[0]},
      {.name = limits[1].target,
       .test_func = test_layers,
       .initial_state = (void *)(uintptr_t)&limits[1]},
  };
  return cmocka_run_group_tests_name("int4", tests, NULL, NULL);
}
