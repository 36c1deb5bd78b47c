/* mote run --batch: sets made here, of each kind that the suite has, whose right figures the reference evaluation
 * tells; wrong sets, refused with their line; and the suite's own keyword set, where it is at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/fuzz/models.h"
#include "test/shared.h"
#include "test/fuzz/tflite_writer.h"

enum { FILES = 24 };

struct fixture {
  struct arena *arena;
  char *dir;
  const char *model, *set;
  const struct graph *graph;
  struct text labels;
  struct rng random;
  struct process_result result;
  json_t *object;
  struct err err;
};

/* ---- models --------------------------------------------------------------------------- */

static int vector(struct model_builder *b, int n, float scale, int32_t zp) {
  const struct graph_tensor t = {.name = "vector",
                                 .type = MOTE_INT8,
                                 .rank = 2,
                                 .dims = {1, n},
                                 .quant = graph_quant_one(b->g->arena, scale, zp)};
  return graph_add_tensor(b->g, &t);
}

static void dense(struct model_builder *b, int in, int n, float scale, int32_t zp,
                  enum graph_activation act) {
  const int weights = model_weights(b, 2, (const int32_t[4]){n, in}, -1), bias = model_bias(b, n);
  model_node(b, MOTE_OP_FULLY_CONNECTED, 3, weights, bias, vector(b, n, scale, zp),
             (struct graph_attrs){.activation = act});
}

static struct model_builder start(struct arena *a, uint64_t seed) {
  struct model_builder b = {.g = graph_new(a, "made")};
  rng_seed(&b.r, seed);
  return b;
}

static const struct graph *end(struct model_builder *b, int input) {
  graph_set_inputs(b->g, &input, 1);
  graph_set_outputs(b->g, &b->last, 1);
  return b->g;
}

/* Ten numbers to five classes. */
static const struct graph *classifier(struct arena *a) {
  struct model_builder b = start(a, 11);
  const int input = b.last = vector(&b, 10, 0.05f, 3);
  dense(&b, 10, 5, 0.04f, -7, GRAPH_ACT_NONE);
  return end(&b, input);
}

/* A picture to four classes; its input has the zero point of one. */
static const struct graph *picture(struct arena *a) {
  struct model_builder b = start(a, 14);
  const int input = b.last = model_tensor(&b, 1, 6, 5, 3, 1.0f, -128);
  const int kernel = model_weights(&b, 4, (const int32_t[4]){4, 3, 3, 3}, 0),
            bias = model_bias(&b, 4);
  model_node(&b, MOTE_OP_CONV_2D, 3, kernel, bias, model_tensor(&b, 1, 4, 3, 4, 6.0f, -10),
             (struct graph_attrs){.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1});
  model_node(&b, MOTE_OP_MEAN, 1, 0, 0, model_tensor(&b, 1, 1, 1, 4, 6.0f, 4),
             (struct graph_attrs){.keep_dims = true});
  return end(&b, input);
}

/* Twenty numbers made again from six. */
static const struct graph *autoencoder(struct arena *a) {
  struct model_builder b = start(a, 13);
  const int input = b.last = vector(&b, 20, 0.02f, 5);
  dense(&b, 20, 6, 0.03f, -128, GRAPH_ACT_RELU);
  dense(&b, 6, 20, 0.025f, -3, GRAPH_ACT_NONE);
  return end(&b, input);
}

/* ---- a set in a folder ------------------------------------------------------------------ */

static struct fixture begin(const struct graph *(*make)(struct arena *)) {
  struct fixture f = {.arena = arena_new(0)};
  const size_t room = 1 << 16;
  assert_true(dir_temporary(f.arena, &f.dir, &f.err));
  f.set = arena_printf(f.arena, "%s/set", f.dir);
  f.model = arena_printf(f.arena, "%s/made.tflite", f.dir);
  f.graph = make(f.arena);
  assert_true(graph_check(f.graph, &f.err));
  uint8_t *bytes = ARENA_ARRAY(f.arena, uint8_t, room);
  const size_t n = tflite_write(tflite_from_graph(f.arena, f.graph), bytes, room);
  assert_true(file_write(f.model, bytes, n, &f.err));
  assert_true(dir_make(f.set, &f.err));
  text_init(&f.labels, f.arena);
  rng_seed(&f.random, 99);
  return f;
}

static void finish(struct fixture *f) {
  json_decref(f->object);
  dir_remove(f->dir);
  arena_free(f->arena);
}

static void put(struct fixture *f, const char *name, const void *bytes, size_t n) {
  assert_true(file_write(arena_printf(f->arena, "%s/%s", f->set, name), bytes, n, &f->err));
}

static void write_labels(struct fixture *f) {
  put(f, "y_labels.csv", f->labels.data, f->labels.size);
}

/* The program of this test's own profile: build/host/test/... goes with build/mote, another with its bin/. */
static const char *program(struct arena *a) {
  char self[PATH_MAX] = "";
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return "build/mote";
  char *profile = strstr(self, "/test/test_batch");
  if (!profile) return "build/mote";
  *profile = 0;
  const char *own = arena_printf(a, "%s/bin/mote", self);
  return file_exists(own) ? own : arena_printf(a, "%s/../mote", self);
}

/* Runs with the words (ends with NULL) behind the model and set; reads the object. */
static int run(struct fixture *f, ...) {
  const char *argv[16] = {program(f->arena), "run", f->model, "--batch", f->set, "--json", "-q"};
  int n = 7;
  va_list words;
  va_start(words, f);
  while ((argv[n] = va_arg(words, const char *))) n++;
  va_end(words);
  assert_true(process_run(f->arena, NULL, argv, 120, &f->result, &f->err));
  json_decref(f->object);
  f->object = json_loads(f->result.out, 0, NULL);
  if (!f->object) print_message("%s%s\n", f->result.out, f->result.err);
  assert_non_null(f->object);
  return f->result.exit_code;
}

static double number(const struct fixture *f, const char *key) {
  return json_number_value(json_object_get(f->object, key));
}
static const char *words(const struct fixture *f, const char *key) {
  const char *text = json_string_value(json_object_get(f->object, key));
  return text ? text : "";
}

/* What the reference evaluation says of one input. */
static const int8_t *evaluate(struct fixture *f, const int8_t *input) {
  const void **values = ARENA_ARRAY(f->arena, const void *, f->graph->n_tensors);
  const void *inputs[1] = {input};
  assert_true(graph_evaluate(f->graph, inputs, f->arena, values, &f->err));
  return values[f->graph->outputs[0]];
}

static int first_largest(const int8_t *q, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (q[i] > q[best]) best = i;
  return best;
}

/* ---- classified ------------------------------------------------------------------------- */

/* Files of n values; every third is labelled wrongly on purpose. shift: what is taken from a byte. */
static void classified(struct fixture *f, int n, int classes, int shift) {
  unsigned seen = 0;
  for (int i = 0; i < FILES; i++) {
    uint8_t *bytes = ARENA_ARRAY(f->arena, uint8_t, n);
    int8_t *input = ARENA_ARRAY(f->arena, int8_t, n);
    uint32_t bright[3]; /* apart for each colour, so that pictures differ in more than noise */
    for (int k = 0; k < 3; k++) bright[k] = 1 + rng_below(&f->random, 256);
    for (int k = 0; k < n; k++) {
      bytes[k] = (uint8_t)rng_below(&f->random, bright[k % 3]);
      input[k] = (int8_t)(bytes[k] - shift);
    }
    const int answer = first_largest(evaluate(f, input), classes);
    seen |= 1u << answer;
    const char *name = arena_printf(f->arena, "tst_%02d.bin", i);
    put(f, name, bytes, (size_t)n);
    text_printf(&f->labels, "%s, %d,%d\r\n", name, classes,
                i % 3 ? answer : (answer + 1) % classes);
  }
  assert_true((seen & (seen - 1)) != 0); /* more than one class, or a constant would do */
  write_labels(f);
}

/* Truth of the labels is 16 of 24 by construction; the matrix must say the same. */
static void expect_two_thirds(struct fixture *f, int classes) {
  int all = 0, diagonal = 0;
  const json_t *confusion = json_object_get(f->object, "confusion");
  assert_int_equal((int)number(f, "files"), FILES);
  assert_int_equal((int)number(f, "correct"), FILES - FILES / 3);
  assert_true(fabs(number(f, "accuracy") - 2.0 / 3) < 1e-8);
  assert_int_equal((int)json_array_size(json_object_get(f->object, "wrong")), FILES / 3);
  assert_int_equal((int)json_array_size(confusion), classes);
  for (int i = 0; i < classes; i++) {
    int row = 0;
    const json_t *class = json_array_get(json_object_get(f->object, "per_class"), (size_t)i);
    for (int k = 0; k < classes; k++) {
      const int count =
          (int)json_integer_value(json_array_get(json_array_get(confusion, (size_t)i), (size_t)k));
      row += count;
      if (i == k) diagonal += count;
      if (i == k)
        assert_int_equal((int)json_integer_value(json_object_get(class, "correct")), count);
    }
    assert_int_equal((int)json_integer_value(json_object_get(class, "files")), row);
    all += row;
  }
  assert_int_equal(all, FILES);
  assert_int_equal(diagonal, FILES - FILES / 3);
}

static void raw_files_are_classified(void **state) {
  (void)state;
  struct fixture f = begin(classifier);
  classified(&f, 10, 5, 0);
  assert_int_equal(run(&f, NULL), 0);
  assert_string_equal(words(&f, "format"), "raw");
  expect_two_thirds(&f, 5);
  assert_int_equal(run(&f, "--format", "raw", NULL), 0);
  expect_two_thirds(&f, 5);
  finish(&f);
}

static void pictures_are_shifted(void **state) {
  (void)state;
  struct fixture f = begin(picture);
  classified(&f, 90, 4, 128);
  assert_int_equal(run(&f, NULL), 0);
  assert_string_equal(words(&f, "format"), "uint8");
  assert_non_null(strstr(words(&f, "assumed"), "128"));
  expect_two_thirds(&f, 4);
  /* Unshifted they are other pictures. */
  assert_int_equal(run(&f, "--format", "raw", NULL), 0);
  assert_true((int)number(&f, "correct") != FILES - FILES / 3);
  finish(&f);
}

static int8_t quantised(float x, float scale, int zp) {
  const double q = round((double)(x / scale)) + zp;
  return (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
}

static void float_files_are_quantised(void **state) {
  (void)state;
  struct fixture f = begin(classifier);
  for (int i = 0; i < FILES; i++) {
    float x[10];
    int8_t q[10];
    for (int k = 0; k < 10; k++) {
      x[k] = 16 * rng_unit(&f.random) - 8; /* beyond the range on both sides */
      q[k] = quantised(x[k], 0.05f, 3);
    }
    x[0] = 0.025f; /* a half */
    q[0] = 4;
    const int answer = first_largest(evaluate(&f, q), 5);
    const char *name = arena_printf(f.arena, "%d.bin", i);
    put(&f, name, x, sizeof x);
    text_printf(&f.labels, "%s,5,%d\n", name, i % 3 ? answer : (answer + 1) % 5);
  }
  write_labels(&f);
  assert_int_equal(run(&f, NULL), 0);
  assert_string_equal(words(&f, "format"), "float32");
  expect_two_thirds(&f, 5);
  finish(&f);
}

/* ---- windows ------------------------------------------------------------------------------ */

/* The score of a file of n values by windows of 20, from the words of the door alone. */
static double error_of(struct fixture *f, const float *x, int n, int stride) {
  double sum = 0;
  int windows = 0;
  for (int from = 0; from + 20 <= n; from += stride, windows++) {
    int8_t q[20];
    double squares = 0;
    for (int k = 0; k < 20; k++) q[k] = quantised(x[from + k], 0.02f, 5);
    const int8_t *out = evaluate(f, q);
    for (int k = 0; k < 20; k++) {
      const double d = (out[k] + 3) * (double)0.025f - (double)x[from + k];
      squares += d * d;
    }
    sum += squares / 20;
  }
  return sum / windows;
}

/* Normal files are quiet, anomalous ones louder; both kinds overlap. stride in values. */
static double windows_set(struct fixture *f, int stride, bool labels) {
  double scores[FILES], above = 0;
  for (int i = 0; i < FILES; i++) {
    float x[72];
    const int n = 20 + stride * (4 + i % 3);
    const float loud = (i % 2 ? 1.2f : 0.8f) + 0.6f * rng_unit(&f->random);
    assert_true(n <= 72);
    for (int k = 0; k < n; k++) x[k] = loud * (2 * rng_unit(&f->random) - 1);
    scores[i] = error_of(f, x, n, stride);
    const char *name = arena_printf(f->arena, "%s_id_%02d.bin", i % 2 ? "anomaly" : "normal", i);
    put(f, name, x, (size_t)n * sizeof *x);
    text_printf(&f->labels, "%s,2,%d,80,%d\n", name, i % 2, 4 * stride);
  }
  if (labels) write_labels(f);
  for (int i = 1; i < FILES; i += 2)
    for (int k = 0; k < FILES; k += 2)
      above += scores[i] > scores[k] ? 1 : scores[i] == scores[k] ? 0.5 : 0;
  return above / (FILES / 2 * FILES / 2);
}

static void windows_are_scored(void **state) {
  (void)state;
  struct fixture f = begin(autoencoder);
  const double auc = windows_set(&f, 4, true);
  assert_true(auc > 0.55 && auc < 0.99); /* neither chance nor trivial, or nothing is shown */
  assert_int_equal(run(&f, NULL), 0);
  assert_string_equal(words(&f, "format"), "windows");
  assert_true(fabs(number(&f, "auc") - auc) < 1e-8);
  assert_true(json_is_null(json_object_get(f.object, "accuracy")));
  assert_int_equal((int)number(&f, "inferences"), FILES * 6);
  assert_int_equal((int)json_array_size(json_object_get(f.object, "scores")), FILES);
  finish(&f);
}

static void names_tell_labels_where_no_list_does(void **state) {
  (void)state;
  struct fixture f = begin(autoencoder);
  const double auc = windows_set(&f, 8, false);
  assert_int_equal(run(&f, "--format", "windows", "--stride", "8", NULL), 0);
  assert_true(fabs(number(&f, "auc") - auc) < 1e-8);
  /* The suite's stride, which these files do not have. */
  assert_int_equal(run(&f, NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "every 512"));
  finish(&f);
}

/* ---- wrong sets ------------------------------------------------------------------------------ */

static void wrong_lines_are_named(void **state) {
  (void)state;
  static const struct {
    const char *line, *said;
  } cases[] = {
      {"a.bin,5", "2 values"},
      {"a.bin,5,1,80", "4 values"},
      {",5,1", "no file name"},
      {"a.bin,five,1", "\"five\" is not a whole number"},
      {"a.bin,5,1x", "\"1x\" is not a whole number"},
      {"a.bin,5,-1", "\"-1\" is not a whole number"},
      {"a.bin,5,99999999999999999999", "is not a whole number"},
      {"a.bin,5,5", "label 5 of 5 classes; labels are 0 to 4"},
      {"a.bin,0,0", "0 classes"},
      {"a.bin,4,1", "4 classes; the model's output has 5"},
      {"b.bin,5,1", "b.bin is not in the folder"},
      {"sub,5,1", "sub is not a file"},
      {"empty.bin,5,1", "0 bytes"},
      {"short.bin,5,1", "9 bytes"},
  };
  struct fixture f = begin(classifier);
  const int8_t ten[10] = {1, 2, 3};
  put(&f, "a.bin", ten, 10);
  put(&f, "short.bin", ten, 9);
  put(&f, "empty.bin", ten, 0);
  assert_true(dir_make(arena_printf(f.arena, "%s/sub", f.set), &f.err));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *text = arena_printf(f.arena, "a.bin,5,1\n\n%s\na.bin,5,2\n", cases[i].line);
    put(&f, "y_labels.csv", text, strlen(text));
    assert_int_equal(run(&f, NULL), 1);
    if (!strstr(words(&f, "message"), cases[i].said))
      fail_msg("\"%s\" said: %s", cases[i].line, words(&f, "message"));
    assert_string_equal(words(&f, "node"), "line 3");
    assert_non_null(strstr(words(&f, "file"), "y_labels.csv"));
  }
  finish(&f);
}

static void wrong_sets_are_refused(void **state) {
  (void)state;
  struct fixture f = begin(classifier);
  const float reals[10] = {0, NAN};
  assert_int_equal(run(&f, NULL), 1); /* an empty folder */
  assert_non_null(strstr(words(&f, "message"), "no y_labels.csv"));
  put(&f, "y_labels.csv", "\n\n", 2);
  assert_int_equal(run(&f, NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "no file is listed"));
  put(&f, "y_labels.csv", "a\0b", 3);
  assert_int_equal(run(&f, NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "not text"));
  put(&f, "a.bin", reals, sizeof reals);
  put(&f, "y_labels.csv", "a.bin,5,1", 9);
  assert_int_equal(run(&f, NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "value 1 is not finite"));
  assert_non_null(strstr(words(&f, "file"), "a.bin"));
  assert_int_equal(run(&f, "--format", "windows", NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "the output 5"));
  assert_int_equal(run(&f, "--format", "raw", NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "40 bytes; the model's input takes 10 as raw"));
  assert_int_equal(run(&f, "--format", "jpeg", NULL), 2);
  assert_int_equal(run(&f, "--stride", "4", "--format", "raw", NULL), 2);
  assert_int_equal(run(&f, "-i", "a.bin", NULL), 2);
  f.set = "nowhere";
  assert_int_equal(run(&f, NULL), 1);
  assert_non_null(strstr(words(&f, "message"), "a folder is needed"));
  finish(&f);
}

/* ---- the suite's own set ------------------------------------------------------------------------ */

static void the_keyword_set_is_901_of_1000(void **state) {
  (void)state;
  if (!shared_unpacked("models/reference data/accuracy")) skip();
  struct fixture f = {.arena = arena_new(0)};
  f.model = "build/shared/models/reference/mlperf_tiny/kws_ref_model.tflite";
  f.set = "build/shared/data/accuracy/kws01";
  assert_int_equal(run(&f, NULL), 0);
  assert_string_equal(words(&f, "format"), "raw");
  assert_int_equal((int)number(&f, "files"), 1000);
  assert_int_equal((int)number(&f, "correct"), 901);
  json_decref(f.object);
  arena_free(f.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(raw_files_are_classified),
      cmocka_unit_test(pictures_are_shifted),
      cmocka_unit_test(float_files_are_quantised),
      cmocka_unit_test(windows_are_scored),
      cmocka_unit_test(names_tell_labels_where_no_list_does),
      cmocka_unit_test(wrong_lines_are_named),
      cmocka_unit_test(wrong_sets_are_refused),
      cmocka_unit_test(the_keyword_set_is_901_of_1000),
  };
  return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
