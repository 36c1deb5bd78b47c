/* import: models written here come back as the graph they were written from; what is not supported is
 * refused with the reason; models of other people give the reference's outputs, layer by layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/import/import.h"
#include "test/fuzz/models.h"
#include "test/shared.h"
#include "test/fuzz/tflite_writer.h"

struct fixture {
  struct arena *a;
  struct graph *g;        /* every operator */
  struct tflite_model *m; /* the same as a description, to be changed */
  uint8_t *bytes;
  struct err e;
};
#define ROOM ((size_t)1 << 18)

static int setup(void **state) {
  static struct fixture f;
  f = (struct fixture){.a = arena_new(0)};
  f.g = model_with_all_operators(f.a);
  f.m = tflite_from_graph(f.a, f.g);
  f.bytes = ARENA_ARRAY(f.a, uint8_t, ROOM);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((struct fixture *)*state)->a);
  return 0;
}

static struct graph *import(struct fixture *f) {
  f->e = (struct err){0};
  const size_t n = tflite_write(f->m, f->bytes, ROOM);
  return import_tflite(f->a, "model.tflite", f->bytes, n, &f->e);
}

static struct graph *must_import(struct fixture *f) {
  struct graph *g = import(f);
  if (!g) fail_msg("%s: %s", f->e.node, f->e.text);
  return g;
}

static void refuse(struct fixture *f, const char *node, const char *text) {
  assert_null(import(f));
  assert_string_equal(f->e.file, "model.tflite");
  if (!strstr(f->e.node, node)) fail_msg("\"%s\" does not say \"%s\"", f->e.node, node);
  if (!strstr(f->e.text, text)) fail_msg("\"%s\" does not say \"%s\"", f->e.text, text);
}

/* The outputs for the input p(i) = ((i*37+11) mod 256) - 128. */
static const void **evaluate(struct arena *a, const struct graph *g) {
  const void **inputs = ARENA_ARRAY(a, const void *, g->n_inputs);
  const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
  struct err e = {0};
  for (int k = 0; k < g->n_inputs; k++) {
    const size_t n = graph_bytes(&g->tensors[g->inputs[k]]);
    int8_t *x = ARENA_ARRAY(a, int8_t, n);
    for (size_t i = 0; i < n; i++) x[i] = (int8_t)((int)((i * 37 + 11) % 256) - 128);
    inputs[k] = x;
  }
  if (!graph_evaluate(g, inputs, a, values, &e)) fail_msg("%s", e.text);
  return values;
}

static void same_outputs(struct fixture *f, const struct graph *a, const struct graph *b) {
  const void *const *x = evaluate(f->a, a), *const *y = evaluate(f->a, b);
  assert_int_equal(a->n_outputs, b->n_outputs);
  for (int i = 0; i < a->n_outputs; i++)
    assert_memory_equal(x[a->outputs[i]], y[b->outputs[i]],
                        graph_bytes(&a->tensors[a->outputs[i]]));
}

/* ---- what is read ------------------------------------------------------------------- */
/* Everything but tensors that hold parameters, which stay behind as placeholders. */
static void a_written_model_comes_back(void **state) {
  struct fixture *f = *state;
  for (int variant = 0; variant < 4; variant++) {
    f->m->old_codes = variant & 1;
    f->m->data_behind = variant & 2;
    struct graph *g = must_import(f);
    assert_int_equal(g->n_nodes, f->g->n_nodes);
    g->n_tensors = f->g->n_tensors;
    struct text expected, got;
    text_init(&expected, f->a);
    text_init(&got, f->a);
    graph_print(f->g, &expected);
    graph_print(g, &got);
    assert_string_equal(got.data, expected.data);
    same_outputs(f, f->g, g);
  }
}

static struct tflite_operator *operator_with(struct fixture *f, int32_t code) {
  for (int i = 0; i < f->m->n_operators; i++)
    if (f->m->operators[i].code == code) return &f->m->operators[i];
  fail_msg("no operator with code %d", code);
  return NULL;
}

/* An open output shape and one open size in the wanted shape. */
static void reshape_finds_its_open_size(void **state) {
  struct fixture *f = *state;
  struct tflite_operator *op = operator_with(f, 22);
  static const int32_t wanted[2] = {1, -1};
  f->m->tensors[op->in[1]].data = wanted;
  f->m->tensors[op->out].dims[1] = -1;
  const struct graph *g = must_import(f);
  assert_int_equal(g->tensors[op->out].dims[1], 6);
  same_outputs(f, f->g, g);
  static const int32_t uneven[2] = {4, -1};
  f->m->tensors[op->in[1]].data = uneven;
  refuse(f, "RESHAPE", "does not divide");
}

/* SHAPE -> STRIDED_SLICE -> PACK before a RESHAPE whose output states its shape. */
static void operators_for_a_known_shape_fall_away(void **state) {
  struct fixture *f = *state;
  struct tflite_model *m = f->m;
  struct tflite_operator *reshape = operator_with(f, 22);
  m->tensors[reshape->in[1]].data = NULL;
  m->operators[m->n_operators++] = (struct tflite_operator){
      .code = 77, .n_in = 1, .in = {reshape->in[0]}, .out = reshape->in[1]};
  same_outputs(f, f->g, must_import(f));
  m->outputs[0] = reshape->in[1];
  refuse(f, "SHAPE", "does not hold the 4 sizes");
}

static void constants_of_a_sum_may_be_smaller(void **state) {
  struct fixture *f = *state;
  static const int8_t channels[6] = {1, 2, 3, 4, 5, 6};
  struct tflite_operator *add = operator_with(f, 0);
  struct tflite_tensor *second = &f->m->tensors[f->m->n_tensors];
  *second = f->m->tensors[add->in[1]];
  second->rank = 1;
  second->dims[0] = 6;
  second->data = channels;
  second->bytes = 6;
  add->in[1] = add->in[0];
  add->in[0] = f->m->n_tensors++; /* a constant may stand first */
  const struct graph *g = must_import(f);
  const struct graph_node *n = &g->nodes[3];
  assert_int_equal(n->op, MOTE_OP_ADD);
  const struct graph_tensor *z = &g->tensors[n->in[0]];
  assert_int_equal(graph_elements(z), 6);
  assert_memory_equal(z->data, channels, 6);
  second->dims[0] = 3;
  second->bytes = 3;
  refuse(f, "ADD", "do not broadcast");
}

/* The mean over one axis of [1, n, c]: the input is seen as one of width 1. */
static void means_of_sequences_are_means_of_pictures(void **state) {
  struct fixture *f = *state;
  struct tflite_model *m = f->m;
  static const int32_t axis = -2;
  static const struct tflite_model empty;
  struct graph_quant q = graph_quant_one(f->a, 0.5f, 3);
  *m = empty;
  m->version = 3;
  m->subgraphs = m->n_inputs = m->n_outputs = m->n_operators = 1;
  m->n_tensors = 3;
  m->outputs[0] = 1;
  m->tensors[0] = (struct tflite_tensor){
      .name = "x", .type = TFLITE_INT8, .rank = 3, .dims = {1, 4, 2}, .quant = q};
  m->tensors[1] = (struct tflite_tensor){
      .name = "y", .type = TFLITE_INT8, .rank = 2, .dims = {1, 2}, .quant = q};
  m->tensors[2] = (struct tflite_tensor){
      .name = "axis", .type = TFLITE_INT32, .rank = 1, .dims = {1}, .data = &axis, .bytes = 4};
  m->operators[0] = (struct tflite_operator){.code = 40, .n_in = 2, .in = {0, 2}, .out = 1};
  const struct graph *g = must_import(f);
  assert_int_equal(g->n_nodes, 2);
  static const int8_t x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const void *inputs[] = {x};
  const void **values = ARENA_ARRAY(f->a, const void *, g->n_tensors);
  assert_true(graph_evaluate(g, inputs, f->a, values, &f->e));
  assert_int_equal(((const int8_t *)values[1])[0], 4);
  assert_int_equal(((const int8_t *)values[1])[1], 5);
}

/* ---- Mote's own operators -------------------------------------------------------------- */
static struct graph *gru_of(struct arena *a) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  struct err e = {0};
  struct graph *g = NULL;
  if (file_read(a, "test/golden/MoteGru/int8.tflite", (size_t)1 << 20, &bytes, &n, &e))
    g = import_tflite(a, "gru", bytes, n, &e);
  if (!g) fail_msg("%s: %s", e.node, e.text);
  assert_int_equal(g->n_nodes, 1);
  assert_int_equal(g->nodes[0].op, MOTE_OP_GRU);
  return g;
}

/* Every scale, type and shape that the operator's definition fixes. */
static void a_gru_is_held_to_its_definition(void **state) {
  static const float other = 0x1p-6f;
  static const int32_t one = 1;
  (void)state;
#define GRU(change, says)                                                                          \
  do {                                                                                             \
    struct arena *a = arena_new(0);                                                                \
    struct err e = {0};                                                                            \
    struct graph *g = gru_of(a);                                                                   \
    struct graph_node *n = &g->nodes[0];                                                           \
    struct graph_tensor *t = g->tensors;                                                           \
    assert_true(graph_check(g, &e));                                                               \
    change;                                                                                        \
    assert_false(graph_check(g, &e));                                                              \
    if (!strstr(e.text, says)) fail_msg("\"%s\" does not say \"%s\"", e.text, says);               \
    arena_free(a);                                                                                 \
  } while (0)
  GRU(t[n->out[0]].quant.scale = &other, "output must be 0.0078125 and 0");
  GRU(t[n->out[0]].quant.zp = &one, "output must be");
  GRU(t[n->in[7]].quant.scale = &other, "biases must be 0.000244141 and 0");
  GRU(t[n->in[8]].quant.scale = &other, "hidden state must be");
  GRU(t[n->in[2]].quant.zp = &one, "zero point of its weights is 1");
  GRU(t[n->in[6]].quant.zp = &one, "zero point of its recurrent weights");
  GRU(t[n->in[5]].dims[1]++, "recurrent weights");
  GRU(t[n->in[1]].dims[0]++, "weights");
  GRU(t[n->in[7]].dims[0] = 3, "biases has shape [3,4]; [4,4]");
  GRU(t[n->in[8]].dims[1] = 3, "must have 1 times 4 elements");
  GRU(t[n->in[8]].is_state = false, "");
  GRU(t[n->out[0]].dims[1]--, "as many steps");
  GRU(t[n->out[0]].dims[2] = 513, "at most 512");
  GRU(t[n->in[7]].type = MOTE_INT32, "biases");
  GRU(t[n->in[0]].type = MOTE_INT16, "input");
  GRU(((void)t, n->n_in = 8), "inputs");
#undef GRU
}

/* ---- what is refused ------------------------------------------------------------------ */
static void unsupported_models_are_refused_with_the_reason(void **state) {
  struct fixture *f = *state;
  struct tflite_model *m = f->m;
  const struct tflite_model good = *m;
#define REFUSE(change, node, text)                                                                 \
  do {                                                                                             \
    change;                                                                                        \
    refuse(f, node, text);                                                                         \
    *m = good;                                                                                     \
  } while (0)
  REFUSE(m->version = 2, "", "schema version 2");
  REFUSE(m->subgraphs = 0, "", "no subgraph");
  REFUSE(m->operators[2].code = 52, "operator 2, BIDIRECTIONAL_SEQUENCE_LSTM", "is not supported");
  REFUSE(m->operators[3].code = 32;
         m->operators[3].custom = "Mel\n", "operator 3", "custom operator \"Mel?\"");
  REFUSE(m->operators[0].code = 103;
         m->operators[1].code = 109, "operator 0, UNIQUE", "also WHERE");
  REFUSE(m->operators[4].code = 500, "operator 4", "unknown operator");
  REFUSE(m->tensors[m->inputs[0]].type = 10, "input 0", "FLOAT64 is not supported");
  REFUSE(m->tensors[m->operators[1].out].type = 5, "CONV_2D", "STRING");
  REFUSE(m->tensors[m->operators[1].in[1]].data = NULL, "CONV_2D", "before any operator");
  REFUSE(m->tensors[m->operators[1].in[1]].bytes--, "CONV_2D", "where its shape needs");
  REFUSE(m->tensors[m->operators[1].in[0]].variable = true, "PAD", "a state");
  REFUSE(m->tensors[m->operators[1].out].dims[0] = -1, "", "must be known");
  REFUSE(m->operators[1].in[1] = 999, "CONV_2D", "tensor 999");
  REFUSE(m->operators[1].n_in = 1, "CONV_2D", "1 inputs");
  REFUSE(m->operators[1].options[3].value = 4, "CONV_2D", "TANH");
  REFUSE(m->operators[1].options[1].value = 0, "CONV_2D", "stride");
  REFUSE(m->operators[1].options[0].value = 3, "CONV_2D", "padding 3");
  REFUSE(m->operators[1].out = m->operators[2].out, "", "");
  REFUSE(m->n_operators = 0, "", "not made by any operator");
  REFUSE(m->n_outputs = 0, "", "0 output");
#undef REFUSE
  must_import(f);
}

static void paddings_and_axes_must_give_the_output(void **state) {
  struct fixture *f = *state;
  static const int32_t channels[8] = {0, 0, 1, 1, 1, 1, 0, 3}, rows[2] = {0, 1};
  struct tflite_operator *pad = operator_with(f, 34), *mean = operator_with(f, 40);
  const struct tflite_model good = *f->m;
  f->m->tensors[pad->in[1]].data = channels;
  refuse(f, "PAD", "the padded form of [1,9,8,2] does not have shape");
  *f->m = good;
  f->m->tensors[mean->in[1]].data = rows;
  refuse(f, "MEAN", "the reduced form");
}

static void other_files_are_named(void **state) {
  struct fixture *f = *state;
  char *dir;
  assert_true(dir_temporary(f->a, &dir, &f->e));
  static const struct {
    const char *content, *text;
  } cases[] = {{"", "empty"},
               {"#!/bin/sh\n", "not a model of a known format"},
               {"TFL3 at the wrong place", "damaged"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *path = arena_printf(f->a, "%s/model", dir);
    assert_true(file_write(path, cases[i].content, strlen(cases[i].content), &f->e));
    f->e = (struct err){0};
    assert_null(import_file(f->a, path, &f->e));
    assert_string_equal(f->e.file, path);
    assert_non_null(strstr(f->e.text, cases[i].text));
  }
  f->e = (struct err){0};
  assert_null(import_file(f->a, arena_printf(f->a, "%s/absent", dir), &f->e));
  assert_true(f->e.text[0] != '\0');
  const char *path = arena_printf(f->a, "%s/good", dir);
  assert_true(file_write(path, f->bytes, tflite_write(f->m, f->bytes, ROOM), &f->e));
  assert_non_null(import_file(f->a, path, &f->e));
  dir_remove(dir);
}

/* Many tensors that share one buffer and hostile counts must not exhaust the arena. */
static void little_memory_is_an_error(void **state) {
  struct fixture *f = *state;
  const size_t n = tflite_write(f->m, f->bytes, ROOM);
  int taken = 0, refused = 0;
  for (size_t cap = 1 << 10; cap < (size_t)1 << 20; cap += cap / 4) {
    struct arena *small = arena_new(cap);
    struct err e = {0};
    if (import_tflite(small, "model.tflite", f->bytes, n, &e)) {
      taken++;
    } else {
      refused++;
      assert_non_null(strstr(e.text, "memory"));
    }
    arena_free(small);
  }
  assert_true(taken > 0 && refused > 0);
}

/* ---- models of other people -------------------------------------------------------------- */
static void same_bytes(struct arena *a, const char *path, const void *bytes, size_t n) {
  struct err e = {0};
  uint8_t *golden;
  size_t size;
  if (!file_read(a, path, (size_t)1 << 28, &golden, &size, &e)) fail_msg("%s: %s", path, e.text);
  if (size != n || memcmp(golden, bytes, n) != 0) fail_msg("%s differs", path);
}

/* All outputs, concatenated in the file. */
static void same_outputs_as_file(struct arena *a, const char *path, const struct graph *g,
                                 const void *const *values) {
  struct text all;
  text_init(&all, a);
  for (int i = 0; i < g->n_outputs; i++)
    text_addn(&all, values[g->outputs[i]], graph_bytes(&g->tensors[g->outputs[i]]));
  same_bytes(a, path, all.data, all.size);
}

static void reference_models_are_exact_in_every_layer(void **state) {
  (void)state;
  /* layers: how many golden layers there are; 0 where only the outputs are known. */
  static const struct {
    const char *name;
    int layers;
  } models[] = {{"mlperf_tiny/kws_ref_model", 13},
                {"mlperf_tiny/vww_96_int8", 31},
                {"mlperf_tiny/ad01_int8", 10},
                {"mlperf_tiny/pretrainedResnet_quant", 16},
                {"mlperf_tiny/pretrainedResnet_large_int8", 0},
                {"mlperf_tiny/str_ww_ref_model", 11},
                {"tflm/person_detect", 31},
                {"tflm/micro_speech_quantized", 4},
                {"tflm/hello_world_int8", 3},
                {"tflm/simple_add_model", 0}};
  struct arena *a = arena_new(0);
  if (!shared_unpacked("models/reference golden/reference")) {
    arena_free(a);
    skip();
  }
  for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
    struct err e = {0};
    struct graph *g = import_file(
        a, arena_printf(a, "build/shared/models/reference/%s.tflite", models[k].name), &e);
    if (!g) fail_msg("%s: %s: %s", models[k].name, e.node, e.text);
    const void *const *values = evaluate(a, g);
    same_outputs_as_file(
        a, arena_printf(a, "build/shared/golden/reference/%s.out.bin", models[k].name), g, values);
    int layers = 0;
    for (int i = 0; i < g->n_nodes && models[k].layers; i++, layers++) {
      const int out = g->nodes[i].out[0];
      const char *path = arena_printf(a, "build/shared/golden/reference/layers/%s/op%02d_t%d.bin",
                                      strchr(models[k].name, '/') + 1, g->nodes[i].source_op, out);
      same_bytes(a, path, values[out], graph_bytes(&g->tensors[out]));
    }
    assert_int_equal(layers, models[k].layers);
  }
  arena_free(a);
}

/* Every .tflite below `path`: taken ones must have the reference's outputs, the rest a reason. */
static void walk(const char *models, const char *golden, const char *below, int *exact,
                 int *refused) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  char **names;
  int count;
  const char *here = arena_printf(a, "%s%s", models, below);
  if (!dir_list(a, here, &names, &count, &e)) fail_msg("%s", e.text);
  for (int i = 0; i < count; i++) {
    const char *path = arena_printf(a, "%s/%s", here, names[i]);
    if (file_is_dir(path)) {
      walk(models, golden, arena_printf(a, "%s/%s", below, names[i]), exact, refused);
      continue;
    }
    if (!text_ends(path, ".tflite")) continue;
    struct arena *own = arena_new(0);
    struct err why = {0};
    const struct graph *g = import_file(own, path, &why);
    const char *stem = arena_printf(own, "%.*s", (int)strlen(names[i]) - 7, names[i]);
    const char *expected = arena_printf(own, "%s%s/%s.out.bin", golden, below, stem);
    if (!g) {
      assert_true(why.text[0] != '\0' && why.file[0] != '\0');
      ++*refused;
    } else if (graph_can_evaluate(g) && file_exists(expected)) {
      same_outputs_as_file(own, expected, g, evaluate(own, g));
      ++*exact;
    }
    arena_free(own);
  }
  arena_free(a);
}

static void models_of_many_producers_are_exact_or_refused(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  int exact = 0, refused = 0;
  if (!shared_unpacked("models/producers golden/producers")) {
    arena_free(a);
    skip();
  }
  walk("build/shared/models/producers", "build/shared/golden/producers", "", &exact, &refused);
  print_message("models of other producers: %d exact, %d refused\n", exact, refused);
  assert_true(exact >= 64); /* as many as were when this was written; supporting more raises it */
  arena_free(a);
}

/* Sparse tensors that say less, or more, than what they hold. */
static void damaged_sparse_tensors_are_refused(void **state) {
  static const char *const files[][2] = {{"sparse_of_nothing", "elements of which 0 are not zero"},
                                         {"sparse_unknown_level", "unknown format 7"},
                                         {"sparse_values_left", "name 2 of 6 values"},
                                         {"sparse_first_segment", "name 1 of 2 values"}};
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct arena *a = arena_new((size_t)1 << 30);
    struct err e = {0};
    uint8_t *bytes;
    size_t n;
    const char *path = arena_printf(a, "test/fuzz/corpus/%s.tflite", files[i][0]);
    if (!file_read(a, path, 1 << 20, &bytes, &n, &e)) fail_msg("%s: %s", path, e.text);
    assert_null(import_tflite(a, path, bytes, n, &e));
    if (!strstr(e.text, files[i][1])) fail_msg("\"%s\" does not say \"%s\"", e.text, files[i][1]);
    arena_free(a);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_written_model_comes_back),
      TEST(reshape_finds_its_open_size),
      TEST(operators_for_a_known_shape_fall_away),
      TEST(constants_of_a_sum_may_be_smaller),
      TEST(means_of_sequences_are_means_of_pictures),
      cmocka_unit_test(a_gru_is_held_to_its_definition),
      TEST(unsupported_models_are_refused_with_the_reason),
      TEST(paddings_and_axes_must_give_the_output),
      TEST(other_files_are_named),
      cmocka_unit_test(damaged_sparse_tensors_are_refused),
      TEST(little_memory_is_an_error),
      cmocka_unit_test(reference_models_are_exact_in_every_layer),
      cmocka_unit_test(models_of_many_producers_are_exact_or_refused),
  };
#undef TEST
  return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
