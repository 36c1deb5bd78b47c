/* compile: passes, plans of real models against other people's goldens, budgets, emitted C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/compile/private.h"
#include "host/import/import.h"
#include "test/made_layers.h"
#include "test/random_graph.h"
#include "test/shared.h"

static struct arena *new_arena(void) { return arena_new((size_t)1 << 30); }

/* ---- passes --------------------------------------------------------------------- */

static int image_tensor(struct graph *g, const char *name, int h, int w, int c, const void *data) {
  struct graph_tensor t = {
      .name = name, .type = MOTE_INT8, .rank = 4, .dims = {1, h, w, c}, .data = data};
  t.quant = graph_quant_one(g->arena, 0.5f, 3);
  return graph_add_tensor(g, &t);
}

static int add_node(struct graph *g, enum mote_op op, int source_op, int in0, int in1, int out) {
  struct graph_node n = {
      .op = op, .n_in = in1 >= 0 ? 2 : 1, .n_out = 1, .in = {in0, in1}, .out = {out}};
  n.attrs = (struct graph_attrs){
      .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .depth_multiplier = 1};
  n.source_op = source_op;
  return graph_add_node(g, &n);
}

static const char *printed(const struct graph *g) {
  struct text t;
  text_init(&t, g->arena);
  graph_print(g, &t);
  return t.data;
}

static bool has_word(const struct graph *g, const char *word) {
  return strstr(printed(g), word) != NULL;
}

/* Input -> PAD -> CONV_2D: the convolution takes the border. */
static struct graph *padded_conv(struct arena *a, bool pad_is_output) {
  struct graph *g = graph_new(a, "padded");
  int8_t *weights = ARENA_ARRAY(a, int8_t, 3 * 3 * 2 * 4);
  for (int i = 0; i < 72; i++) weights[i] = (int8_t)(i * 5 - 90);
  const int x = image_tensor(g, "x", 5, 5, 2, NULL), p = image_tensor(g, "p", 7, 8, 2, NULL);
  const int y = image_tensor(g, "y", 5, 6, 4, NULL);
  struct graph_tensor w = {
      .name = "w", .type = MOTE_INT8, .rank = 4, .dims = {4, 3, 3, 2}, .data = weights};
  w.quant = graph_quant_one(a, 0.01f, 0);
  const int wi = graph_add_tensor(g, &w);
  add_node(g, MOTE_OP_PAD, 0, x, -1, p);
  g->nodes[0].attrs.pad_top = g->nodes[0].attrs.pad_bottom = g->nodes[0].attrs.pad_left = 1;
  g->nodes[0].attrs.pad_right = 2;
  add_node(g, MOTE_OP_CONV_2D, 1, p, wi, y);
  g->nodes[1].n_in = 3;
  g->nodes[1].in[2] = -1;
  const int outputs[2] = {y, p};
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, outputs, pad_is_output ? 2 : 1);
  struct err e = {0};
  if (!graph_check(g, &e)) fail_msg("%s: %s", e.node, e.text);
  return g;
}

static void test_pads_are_fused(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = padded_conv(a, false);
  struct compile_layer layers[2] = {{.fused_into = -1}, {.fused_into = -1}};
  struct pass p = {.arena = a, .layers = layers, .n_layers = 2};
  const struct graph *after = pass_fuse_pads(&p, g);
  assert_true(has_word(g, "PAD"));
  assert_false(has_word(after, "PAD"));
  assert_int_equal(after->n_nodes, 1);
  assert_int_equal(after->nodes[0].attrs.pad_top, 1);
  assert_int_equal(after->nodes[0].attrs.pad_right, 2);
  assert_int_equal(layers[0].fate, COMPILE_FUSED);
  assert_int_equal(layers[0].fused_into, 1);
  assert_int_equal(g->n_nodes, 2); /* the argument is untouched */
  arena_free(a);
}

static void test_pads_that_are_seen_stay(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = padded_conv(a, true);
  struct pass p = {.arena = a};
  assert_ptr_equal(pass_fuse_pads(&p, g), g); /* an output of the model */
  g = padded_conv(a, false);
  g->tensors[1].quant = graph_quant_one(a, 0.5f, 4);
  assert_ptr_equal(pass_fuse_pads(&p, g), g); /* another zero */
  arena_free(a);
}

static void test_constants_fold_and_dead_nodes_go(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = graph_new(a, "constants");
  int8_t *data = ARENA_ARRAY(a, int8_t, 8);
  for (int i = 0; i < 8; i++) data[i] = (int8_t)(3 + 2 * i);
  const int x = image_tensor(g, "x", 2, 2, 2, NULL), k = image_tensor(g, "k", 2, 2, 2, data);
  const int kk = image_tensor(g, "kk", 2, 2, 2, NULL), y = image_tensor(g, "y", 2, 2, 2, NULL);
  const int z = image_tensor(g, "z", 2, 2, 2, NULL);
  add_node(g, MOTE_OP_ADD, 0, k, k, kk);
  add_node(g, MOTE_OP_ADD, 1, x, x, y);
  add_node(g, MOTE_OP_ADD, 2, y, kk, z); /* dead: no output needs it */
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &y, 1);
  struct err e = {0};
  struct compile_layer layers[3] = {{.fate = COMPILE_STEP}};
  struct pass p = {.arena = a, .e = &e, .layers = layers, .n_layers = 3};
  const struct graph *after = pass_fold_constants(&p, g);
  assert_false(p.failed);
  assert_int_equal(after->n_nodes, 2);
  assert_int_equal(layers[0].fate, COMPILE_CONSTANT);
  /* real value 0.5 (q - 3) twice: q - 3 doubles. */
  for (int i = 0; i < 8; i++)
    assert_int_equal(((const int8_t *)after->tensors[kk].data)[i], 3 + 4 * i);
  after = pass_drop_dead(&p, after);
  assert_int_equal(after->n_nodes, 1);
  assert_int_equal(after->nodes[0].source_op, 1);
  assert_int_equal(layers[2].fate, COMPILE_DEAD);
  assert_string_equal(printed(pass_drop_dead(&p, after)), printed(after)); /* nothing left to do */
  arena_free(a);
}

/* The first node is weighted, and all there is from x to y. */
static struct graph *without_bias(struct graph *g, int x, int y) {
  g->nodes[0].n_in = 3;
  g->nodes[0].in[2] = -1;
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &y, 1);
  struct err e = {0};
  if (!graph_check(g, &e)) fail_msg("%s: %s", e.node, e.text);
  return g;
}

/* A depthwise layer of 8 channels over 21 x 1 pixels: 5 taps down, some of them on a border. */
static struct graph *column(struct arena *a, int stride, int dilation) {
  enum { H = 21, TAPS = 5, C = 8 };
  struct graph *g = graph_new(a, "column");
  int8_t *weights = ARENA_ARRAY(a, int8_t, TAPS * C);
  for (int i = 0; i < TAPS * C; i++) weights[i] = (int8_t)(i * 37 - 128);
  const int out_h = (H + 3 - (TAPS - 1) * dilation - 1) / stride + 1;
  const int x = image_tensor(g, "x", H, 1, C, NULL), y = image_tensor(g, "y", out_h, 1, C, NULL);
  struct graph_tensor w = {
      .name = "w", .type = MOTE_INT8, .rank = 4, .dims = {1, TAPS, 1, C}, .data = weights};
  w.quant = graph_quant_one(a, 0.01f, 0);
  const int wi = graph_add_tensor(g, &w);
  add_node(g, MOTE_OP_DEPTHWISE_CONV_2D, 0, x, wi, y);
  struct graph_attrs *at = &g->nodes[0].attrs;
  at->stride_h = stride;
  at->dilation_h = dilation;
  at->pad_top = 2;
  at->pad_bottom = 1;
  return without_bias(g, x, y);
}

static void test_columns_are_one_call_on_helium(void **state) {
  (void)state;
  const struct compile_options o = {.core = COMPILE_CORE_MVE, .fast = true};
  for (int k = 0; k < 4; k++) {
    struct arena *a = new_arena();
    struct graph *g = column(a, 1 + k % 2, 1 + k / 2);
    const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
    int8_t x[21 * 8];
    const void *inputs[1] = {x};
    struct compiled c;
    struct mote_model m;
    struct err e = {0};
    for (size_t i = 0; i < sizeof x; i++) x[i] = (int8_t)(i * 91 % 256 - 128);
    assert_true(graph_evaluate(g, inputs, a, values, &e));
    if (!compile_graph(g, &o, a, &c, &e)) fail_msg("%s: %s", e.node, e.text);
    const struct mote_plan *plan = (const void *)c.plan;
    const struct mote_step *step = (const void *)(c.plan + plan->steps);
    assert_int_equal(plan->n_steps, 1);
    assert_int_equal(step->calls == 1, k < 2); /* a dilated kernel goes row by row */
    void *room = ARENA_ARRAY(a, uint8_t, c.arena_bytes);
    assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, room, c.arena_bytes), MOTE_OK);
    memcpy(mote_input(&m, 0), x, sizeof x);
    mote_run(&m);
    assert_memory_equal(mote_output(&m, 0), values[g->outputs[0]],
                        graph_bytes(&g->tensors[g->outputs[0]]));
    arena_free(a);
  }
}

static void test_what_no_kernel_covers_is_refused(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct graph *g = graph_new(a, "refused");
  int8_t *data = ARENA_ARRAY(a, int8_t, 8);
  const int x = image_tensor(g, "x", 2, 2, 2, NULL), k = image_tensor(g, "k", 2, 2, 2, data);
  const int y = image_tensor(g, "y", 2, 2, 2, NULL);
  g->tensors[y].type = MOTE_UINT32;
  add_node(g, MOTE_OP_ADD, 0, x, k, y);
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &y, 1);
  struct err e = {0};
  struct compiled c;
  const struct compile_options o = {.core = COMPILE_CORE_HOST};
  assert_false(compile_graph(g, &o, a, &c, &e));
  assert_non_null(strstr(e.node, "ADD"));
  assert_non_null(strstr(e.text, "int8, int8 -> uint32"));
  arena_free(a);
}

/* Numbers of a window that 16 bits do not hold are refused by name, never cut. */
static void test_windows_beyond_16_bits_are_refused(void **state) {
  (void)state;
  static const struct {
    int kernel_h, kernel_w, pad_h, pad_w, stride;
    const char *what;
  } all[] = {{70001, 1, 35000, 0, 1, "the kernel's height"},
             {1, 65537, 0, 32768, 1, "the kernel's width"},
             {1, 1, 0, 0, 65537, "the stride in height"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct arena *a = new_arena();
    struct graph *g = graph_new(a, "wide");
    const int out = all[i].stride > 1 ? 1 : 2;
    const int x = image_tensor(g, "x", 2, 2, 1, NULL), y = image_tensor(g, "y", out, out, 1, NULL);
    struct graph_tensor w = {.name = "w",
                             .type = MOTE_INT8,
                             .rank = 4,
                             .dims = {1, all[i].kernel_h, all[i].kernel_w, 1}};
    w.data = ARENA_ARRAY(a, int8_t, all[i].kernel_h * all[i].kernel_w);
    w.quant = graph_quant_one(a, 0.01f, 0);
    const int wi = graph_add_tensor(g, &w);
    add_node(g, MOTE_OP_CONV_2D, 0, x, wi, y);
    struct graph_node *n = &g->nodes[0];
    n->n_in = 3;
    n->in[2] = -1;
    n->attrs.stride_h = n->attrs.stride_w = all[i].stride;
    n->attrs.pad_top = n->attrs.pad_bottom = all[i].pad_h;
    n->attrs.pad_left = n->attrs.pad_right = all[i].pad_w;
    graph_set_inputs(g, &x, 1);
    graph_set_outputs(g, &y, 1);
    struct err e = {0};
    struct compiled c;
    const struct compile_options o = {.core = COMPILE_CORE_HOST};
    if (!graph_check(g, &e)) fail_msg("%s: %s", e.node, e.text);
    assert_false(compile_graph(g, &o, a, &c, &e));
    assert_false(e.internal);
    if (!strstr(e.text, all[i].what)) fail_msg("%s", e.text);
    arena_free(a);
  }
}

/* ---- memory ---------------------------------------------------------------------- */

/* A ring or a kept state that may reach into a tensor that dies in its segment. */
static bool may_grow(const struct compile_piece *p, const struct compile_piece *q) {
  return (p->kind == COMPILE_RING || p->kind == COMPILE_STATE) && q->kind < COMPILE_RING &&
         q->last_segment == p->first_segment;
}

/* No two pieces that live together share bytes, except where one dies as the other is made, and rings that never hold
 * rows at the same time: random graphs that run in them prove those. */
static void test_pieces_do_not_collide(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 150; seed++) {
    struct arena *a = new_arena();
    struct err e = {0};
    struct compiled c;
    const struct compile_options o = {.schedule = seed % 2 ? COMPILE_AUTO : COMPILE_LAYERS};
    assert_true(compile_graph(random_graph(a, seed), &o, a, &c, &e));
    for (int i = 0; i < c.n_pieces; i++) {
      const struct compile_piece *p = &c.pieces[i];
      assert_true(p->offset + p->bytes <= c.arena_bytes + 8);
      for (int j = 0; j < i; j++) {
        const struct compile_piece *q = &c.pieces[j];
        const bool together =
            p->first_segment <= q->last_segment && q->first_segment <= p->last_segment;
        const bool share = p->offset < q->offset + q->bytes && q->offset < p->offset + p->bytes;
        const bool relay =
            p->first_segment == q->last_segment || q->first_segment == p->last_segment;
        const bool rings = p->kind == COMPILE_RING && q->kind == COMPILE_RING;
        if (together && share && !rings && !may_grow(p, q) && !may_grow(q, p) &&
            (!relay || p->kind >= COMPILE_RING || q->kind >= COMPILE_RING))
          fail_msg("seed %llu: pieces %d and %d share bytes", (unsigned long long)seed, i, j);
      }
    }
    arena_free(a);
  }
}

/* A chain of n additions, all of which read the input, too: it lives from the first to the last. */
static size_t bytes_to_compile(int n) {
  struct arena *a = new_arena();
  struct graph *g = graph_new(a, "chain");
  const int x = image_tensor(g, "x", 8, 8, 8, NULL);
  int from = x;
  for (int i = 0; i < n; i++) {
    const int to = image_tensor(g, "t", 8, 8, 8, NULL);
    add_node(g, MOTE_OP_ADD, i, from, x, to);
    from = to;
  }
  graph_set_inputs(g, &x, 1);
  graph_set_outputs(g, &from, 1);
  struct err e = {0};
  struct compiled c;
  const struct compile_options o = {.core = COMPILE_CORE_HOST};
  const size_t before = arena_left(a);
  if (!graph_check(g, &e) || !compile_graph(g, &o, a, &c, &e)) fail_msg("%s: %s", e.node, e.text);
  const size_t bytes = before - arena_left(a);
  arena_free(a);
  return bytes;
}

/* 48 stretches begin at each step, and each is kept: some 100 KB a step, however long the model is. */
static void test_long_models_take_memory_by_their_length(void **state) {
  (void)state;
  const size_t bytes = bytes_to_compile(1200);
  if (bytes > (size_t)1200 * 160 * 1024) fail_msg("%zu bytes for 1,200 steps", bytes);
}

/* Four blocks that greedy orders place badly and an exact search places in their sum. */
static void test_offsets_meet_the_bound(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct rng r;
  rng_seed(&r, 5);
  for (int round = 0; round < 50; round++) {
    enum { N = 9 };
    struct item items[N] = {{0}};
    struct bounds bounds = {0};
    size_t least = 0, sum[8] = {0};
    for (int i = 0; i < N; i++) {
      items[i].bytes = 8 * (1 + rng_below(&r, 20));
      items[i].first = (int)rng_below(&r, 8);
      items[i].last = items[i].first + (int)rng_below(&r, 3);
      for (int t = items[i].first; t <= items[i].last && t < 8; t++) sum[t] += items[i].bytes;
    }
    for (int t = 0; t < 8; t++) least = sum[t] > least ? sum[t] : least;
    bounds_of(&bounds, items, N, 8, a);
    const size_t got = offsets_place(items, N, &bounds, least, a);
    assert_true(got >= least);
    assert_true(got <= least + least / 8);
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++)
        if (i != j && items[i].first <= items[j].last && items[j].first <= items[i].last)
          assert_true(items[i].offset + (int64_t)items[i].bytes <= items[j].offset ||
                      items[j].offset + (int64_t)items[j].bytes <= items[i].offset);
  }
  arena_free(a);
}

/* ---- models of other people ---------------------------------------------------------- */

struct reference {
  const char *folder, *name;
  size_t most_arena; /* bytes, 4-byte pointers; measured, must not grow */
  size_t most_fed;   /* the same where the input is fed row by row; 0: not looked at */
};
static const struct reference REFERENCES[] = {
    {"mlperf_tiny", "kws_ref_model", 4240, 3964},
    {"mlperf_tiny", "vww_96_int8", 28800, 13968},
    {"mlperf_tiny", "ad01_int8", 768, 768},
    {"mlperf_tiny", "pretrainedResnet_quant", 14760, 12298},
    {"mlperf_tiny", "str_ww_ref_model", 3440, 3131},
    {"mlperf_tiny", "pretrainedResnet_large_int8", 36684, 35642},
    {"tflm", "person_detect", 14632, 0},
    {"tflm", "micro_speech_quantized", 5304, 0},
    {"tflm", "hello_world_int8", 32, 0},
    {"tflm", "simple_add_model", 32768, 16386},
};
enum { N_REFERENCES = sizeof REFERENCES / sizeof *REFERENCES };

static bool have_shared(void) {
  static int have = -1;
  if (have < 0) have = shared_unpacked("models/reference golden/reference");
  return have == 1;
}

static const char *model_path(struct arena *a, const struct reference *r) {
  return arena_printf(a, "build/shared/models/reference/%s/%s.tflite", r->folder, r->name);
}

static struct compiled compile_reference(struct arena *a, const struct reference *r,
                                         const struct compile_options *o) {
  struct err e = {0};
  struct compiled c;
  struct graph *g = import_file(a, model_path(a, r), &e);
  if (g == NULL || !compile_graph(g, o, a, &c, &e)) fail_msg("%s: %s: %s", r->name, e.node, e.text);
  return c;
}

/* The pattern of the goldens, every input from its own first byte. */
static int8_t pattern_at(size_t k) { return (int8_t)((int)((k * 37 + 11) % 256) - 128); }

static void fill_inputs(const struct compiled *c, const struct mote_model *m) {
  for (int i = 0; i < c->source->n_inputs; i++) {
    int8_t *to = mote_input(m, (unsigned)i);
    const size_t n = graph_bytes(&c->source->tensors[c->source->inputs[i]]);
    for (size_t k = 0; k < n && to != NULL; k++) to[k] = pattern_at(k);
  }
}

/* The first input row by row, where the plan takes it so. */
static void feed_pattern(const struct compiled *c, struct mote_model *m, struct arena *a) {
  const size_t rows = m->plan->fed_rows;
  const size_t row_bytes = graph_bytes(&c->source->tensors[c->source->inputs[0]]) / rows;
  int8_t *row = ARENA_ARRAY(a, int8_t, row_bytes);
  for (size_t y = 0; y < rows; y++) {
    for (size_t k = 0; k < row_bytes; k++) row[k] = pattern_at(y * row_bytes + k);
    assert_int_equal(mote_feed_row(m, row), y + 1 == rows);
  }
}

/* Every layer that a file of goldens names; returns how many. */
static int check_layers(struct arena *a, const struct reference *r, const struct made_layers *l) {
  struct err e = {0};
  char **names;
  int count = 0, checked = 0;
  const char *dir = arena_printf(a, "build/shared/golden/reference/layers/%s", r->name);
  if (!file_is_dir(dir) || !dir_list(a, dir, &names, &count, &e)) return 0;
  for (int i = 0; i < count; i++) {
    uint8_t *want;
    size_t n;
    const int op = atoi(names[i] + 2);
    if (op >= l->c->n_layers || l->c->layers[op].fate != COMPILE_STEP) continue;
    assert_true(
        file_read(a, arena_printf(a, "%s/%s", dir, names[i]), (size_t)1 << 30, &want, &n, &e));
    assert_int_equal(n, l->c->layers[op].bytes);
    if (!made_layers_equal(l, op, want, a)) fail_msg("%s: layer %d differs", r->name, op);
    checked++;
  }
  return checked;
}

static void run_reference(struct arena *a, const struct reference *r,
                          const struct compile_options *o) {
  struct err e = {0};
  const struct compiled c = compile_reference(a, r, o);
  struct made_layers l = made_layers_new(&c, a);
  struct mote_model m;
  uint8_t *want;
  size_t n, at = 0;
  void *arena = ARENA_ARRAY(a, uint8_t, c.arena_bytes);
  assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, arena, c.arena_bytes), MOTE_OK);
  fill_inputs(&c, &m);
  m.hook = made_layers_hook;
  m.hook_context = &l;
  if (o->input_rows)
    feed_pattern(&c, &m, a);
  else
    mote_run(&m);
  const char *golden =
      arena_printf(a, "build/shared/golden/reference/%s/%s.out.bin", r->folder, r->name);
  assert_true(file_read(a, golden, (size_t)1 << 30, &want, &n, &e));
  for (int i = 0; i < c.source->n_outputs; i++) {
    const size_t bytes = graph_bytes(&c.source->tensors[c.source->outputs[i]]);
    assert_true(at + bytes <= n);
    if (memcmp(want + at, mote_output(&m, (unsigned)i), bytes) != 0)
      fail_msg("%s: output %d differs", r->name, i);
    at += bytes;
  }
  assert_int_equal(at, n);
  check_layers(a, r, &l);
}

static void test_goldens(void **state) {
  (void)state;
  if (!have_shared()) skip();
  static const struct compile_options kinds[] = {
      {.schedule = COMPILE_AUTO},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_DSP},
      {.schedule = COMPILE_STREAM},
      {.schedule = COMPILE_LAYERS, .fast = true},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_DSP, .fast = true},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_MVE},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_MVE, .fast = true},
      {.schedule = COMPILE_AUTO, .input_rows = true}};
  for (int i = 0; i < N_REFERENCES; i++)
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
      struct arena *a = new_arena();
      run_reference(a, &REFERENCES[i], &kinds[k]);
      arena_free(a);
    }
}

/* Layers of the keyword model, all thirteen but the reshape, are compared indeed. */
static void test_layers_are_compared(void **state) {
  (void)state;
  if (!have_shared()) skip();
  struct arena *a = new_arena();
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  const struct compiled c = compile_reference(a, &REFERENCES[0], &o);
  struct made_layers l = made_layers_new(&c, a);
  struct mote_model m;
  assert_int_equal(
      mote_open(&m, c.plan, c.plan_bytes, ARENA_ARRAY(a, uint8_t, c.arena_bytes), c.arena_bytes),
      0);
  fill_inputs(&c, &m);
  m.hook = made_layers_hook;
  m.hook_context = &l;
  mote_run(&m);
  assert_int_equal(check_layers(a, &REFERENCES[0], &l), 12);
  assert_int_equal(c.layers[10].fate, COMPILE_VIEW);
  assert_int_equal(c.layers[10].view_of_op, 9);
  arena_free(a);
}

static void test_budgets(void **state) {
  (void)state;
  if (!have_shared()) skip();
  for (int i = 0; i < N_REFERENCES; i++) {
    struct arena *a = new_arena();
    const struct compile_options o = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
    const struct compiled c = compile_reference(a, &REFERENCES[i], &o);
    if (c.arena_bytes > REFERENCES[i].most_arena)
      fail_msg("%s: %zu bytes of arena, were at most %zu", REFERENCES[i].name, c.arena_bytes,
               REFERENCES[i].most_arena);
    assert_true(c.instructions <= c.fastest_instructions + c.fastest_instructions / 10);
    assert_true(c.least_arena_bytes <= c.arena_bytes);
    const struct compile_options fed = {
        .core = COMPILE_CORE_DSP, .pointer_bytes = 4, .input_rows = true};
    const size_t bytes = compile_reference(a, &REFERENCES[i], &fed).arena_bytes;
    if (REFERENCES[i].most_fed > 0 && bytes > REFERENCES[i].most_fed)
      fail_msg("%s: %zu bytes of arena fed by rows, were at most %zu", REFERENCES[i].name, bytes,
               REFERENCES[i].most_fed);
    if (i == 0) assert_true(c.flash_weight_bytes * 100 <= c.source_weight_bytes * 105);
    arena_free(a);
  }
}

/* The fastest plan spends 2.1 times the model's flash where a byte saves most: in keyword spotting first on tables of the
 * four depthwise layers, and of the five convolutions, as many outputs each, on as many as there is room for. */
static void test_fast_flash_is_spent_well(void **state) {
  (void)state;
  if (!have_shared()) skip();
  static const enum compile_core cores[] = {COMPILE_CORE_V6M, COMPILE_CORE_DSP, COMPILE_CORE_RV32};
  for (int i = 0; i < N_REFERENCES; i++)
    for (size_t k = 0; k < sizeof cores / sizeof *cores; k++) {
      struct arena *a = new_arena();
      const struct compile_options o = {.core = cores[k], .pointer_bytes = 4, .fast = true};
      const struct compiled c = compile_reference(a, &REFERENCES[i], &o);
      int words = 0, bytes = 0, tables = 0, depthwise = 0;
      size_t least = SIZE_MAX;
      assert_true(c.flash_weight_bytes <= c.source_weight_bytes * 21 / 10 + 512);
      for (int s = 0; s < c.n_steps; s++) {
        const struct compile_step *step = &c.steps[s];
        words += strcmp(step->stem, "conv2d_stairs_words_s8") == 0;
        tables += strcmp(step->stem, "depthwise_stairs_tables_s8") == 0;
        depthwise += step->op == MOTE_OP_DEPTHWISE_CONV_2D;
        if (strcmp(step->stem, "conv2d_stairs_s8") != 0) continue;
        bytes++;
        if (step->weight_bytes < least) least = step->weight_bytes;
      }
      if (i == 0 && cores[k] == COMPILE_CORE_V6M) {
        assert_true(words > 0 && bytes > 0 && tables == 4 && depthwise == 4);
        /* None of what is left would fit: as words each weight takes three bytes more. */
        assert_true(c.flash_weight_bytes + least * 5 / 2 > c.source_weight_bytes * 21 / 10 + 512);
      }
      arena_free(a);
    }
}

/* One dense layer of 2400 inputs. */
static struct graph *dense(struct arena *a, int units) {
  enum { INPUTS = 2400 };
  struct graph *g = graph_new(a, "dense");
  int8_t *weights = ARENA_ARRAY(a, int8_t, INPUTS * units);
  for (int i = 0; i < INPUTS * units; i++) weights[i] = (int8_t)(i * 7919 % 61 - 30);
  const int x = image_tensor(g, "x", 1, 1, INPUTS, NULL),
            y = image_tensor(g, "y", 1, 1, units, NULL);
  struct graph_tensor w = {
      .name = "w", .type = MOTE_INT8, .rank = 2, .dims = {units, INPUTS}, .data = weights};
  w.quant = graph_quant_one(a, 0.01f, 0);
  const int wi = graph_add_tensor(g, &w);
  add_node(g, MOTE_OP_FULLY_CONNECTED, 0, x, wi, y);
  return without_bias(g, x, y);
}

/* What fills pairs and groups of channels up counts, too. */
static void test_dense_layers_keep_to_their_flash(void **state) {
  (void)state;
  static const enum compile_core cores[] = {COMPILE_CORE_V6M, COMPILE_CORE_DSP, COMPILE_CORE_MVE,
                                            COMPILE_CORE_RV32};
  static const int units[] = {1, 2, 3, 5, 8, 9};
  for (size_t k = 0; k < sizeof cores / sizeof *cores; k++)
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
      for (int fast = 0; fast < 2; fast++) {
        struct arena *a = new_arena();
        const struct compile_options o = {.core = cores[k], .pointer_bytes = 4, .fast = fast != 0};
        struct compiled c;
        struct err e = {0};
        if (!compile_graph(dense(a, units[u]), &o, a, &c, &e)) fail_msg("%s", e.text);
        const size_t most = c.source_weight_bytes * (fast ? 210 : 105) / 100 + 512;
        if (c.flash_weight_bytes > most)
          fail_msg("core %d, %d units, fast %d: %zu bytes of %zu", (int)cores[k], units[u], fast,
                   c.flash_weight_bytes, most);
        arena_free(a);
      }
}

/* Half of the visual-wake-words model is channels that are constant for any input. */
static void test_constant_channels_go(void **state) {
  (void)state;
  if (!have_shared()) skip();
  struct arena *a = new_arena();
  const struct compile_options o = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  const struct compiled c = compile_reference(a, &REFERENCES[1], &o);
  struct channels known;
  int constants = 0;
  int64_t weights = 0;
  assert_true(channels_ranges(c.source, a, &known));
  for (int n = 0; n < c.source->n_nodes; n++)
    for (int k = known.first[c.source->nodes[n].out[0]];
         graph_macs(c.source, n) > 0 && k < known.first[c.source->nodes[n].out[0] + 1]; k++)
      constants += known.range[k].low == known.range[k].high;
  for (int n = 0; n < c.graph->n_nodes; n++)
    if (graph_macs(c.graph, n) > 0)
      weights += graph_elements(&c.graph->tensors[c.graph->nodes[n].in[1]]);
  assert_true(constants >= 1715);
  assert_int_equal(c.source_macs, 7489664);
  assert_true(c.macs <= 3765896);
  assert_true(weights <= 30272);
  assert_true(c.flash_weight_bytes <= 38244);
  arena_free(a);
}

/* --ram: every limit is kept, or refused with the least that is possible. */
static void test_ram_limits(void **state) {
  (void)state;
  if (!have_shared()) skip();
  int64_t slowest = 0;
  int fitted = 0, refused = 0;
  for (size_t ram = 2000; ram <= 12000; ram += 500) {
    struct arena *a = new_arena();
    struct err e = {0};
    struct compiled c;
    const struct compile_options o = {
        .core = COMPILE_CORE_DSP, .pointer_bytes = 4, .ram_bytes = ram};
    struct graph *g = import_file(a, model_path(a, &REFERENCES[0]), &e);
    if (compile_graph(g, &o, a, &c, &e)) {
      assert_true(c.arena_bytes <= ram);
      /* More memory is never slower. */
      if (fitted++ > 0) assert_true(c.instructions <= slowest);
      slowest = c.instructions;
    } else {
      assert_int_equal(fitted, 0);
      assert_non_null(strstr(e.text, "least possible"));
      refused++;
    }
    arena_free(a);
  }
  assert_true(fitted > 5 && refused > 2);
}

/* Points rise in memory and fall in instructions; the chosen plan is one, and each can be had. */
static void test_curve(void **state) {
  (void)state;
  if (!have_shared()) skip();
  struct arena *a = new_arena();
  const struct compile_options o = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4, .curve = true};
  const struct compiled c = compile_reference(a, &REFERENCES[4], &o);
  bool chosen = false;
  assert_true(c.n_curve > 3);
  for (int i = 0; i < c.n_curve; i++) {
    const struct compile_point *p = &c.curve[i];
    if (i > 0) assert_true(p->arena_bytes > p[-1].arena_bytes);
    if (i > 0) assert_true(p->instructions < p[-1].instructions);
    chosen = chosen || (p->arena_bytes == c.arena_bytes && p->instructions == c.instructions);
    const struct compile_options within = {
        .core = COMPILE_CORE_DSP, .pointer_bytes = 4, .ram_bytes = p->arena_bytes};
    const struct compiled had = compile_reference(a, &REFERENCES[4], &within);
    assert_true(had.arena_bytes <= p->arena_bytes);
    assert_true(had.instructions <= p->instructions);
  }
  assert_true(chosen);
  arena_free(a);
}

/* The keyword network's four depthwise layers follow each other in one ring of nine rows. */
static void test_rings_follow_each_other(void **state) {
  (void)state;
  if (!have_shared()) skip();
  struct arena *a = new_arena();
  const struct compile_options o = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  const struct compiled c = compile_reference(a, &REFERENCES[0], &o);
  const struct mote_plan *plan = (const void *)c.plan;
  const struct mote_tensor *t = (const void *)(c.plan + plan->tensors);
  const struct mote_step *steps = (const void *)(c.plan + plan->steps);
  int shifts = 0;
  for (int i = 0; i < plan->n_steps; i++) {
    const struct mote_tensor *made = &t[steps[i].output];
    if (made->shift == 0) continue;
    assert_int_equal(made->ring_rows, 9);
    shifts += made->shift;
  }
  /* What lies in the same place has one record. */
  for (int i = 1; i < plan->n_tensors; i++)
    for (int k = 0; k < i; k++) assert_memory_not_equal(&t[i], &t[k], sizeof *t);
  assert_int_equal(shifts, 4 + 3 + 3 + 2 + 2 + 1 + 1);
  arena_free(a);
}

/* ---- files and C ------------------------------------------------------------------------ */

static void test_mote_file_comes_back(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct err e = {0};
  struct compiled c, back;
  char *dir;
  uint8_t *bytes;
  size_t n;
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  assert_true(compile_graph(random_graph(a, 21), &o, a, &c, &e));
  assert_true(dir_temporary(a, &dir, &e));
  const char *path = arena_printf(a, "%s/model.mote", dir);
  assert_true(compile_write_mote(&c, path, &e));
  assert_true(file_read(a, path, 1 << 24, &bytes, &n, &e));
  assert_true(compile_is_mote(bytes, n));
  assert_true(compile_open_mote(path, bytes, n, a, &back, &e));
  assert_int_equal(back.n_steps, c.n_steps);
  assert_int_equal(back.arena_bytes, c.arena_bytes);
  assert_int_equal(back.flash_weight_bytes, c.flash_weight_bytes);
  assert_true(graph_same_shape(&back.source->tensors[back.source->inputs[0]],
                               &c.source->tensors[c.source->inputs[0]]));
  bytes[n / 2] ^= 4;
  assert_false(compile_open_mote(path, bytes, n, a, &back, &e));
  assert_non_null(strstr(e.text, "checksum"));
  dir_remove(dir);
  arena_free(a);
}

static const char MAIN_C[] = "#include \"model.h\"\n#include <stdio.h>\n#include <string.h>\n"
                             "static _Alignas(8) unsigned char arena[MODEL_ARENA_BYTES];\n"
                             "int main(void) {\n"
                             "  if (model_init(arena, sizeof arena - 1) == 0) return 2;\n"
                             "  if (model_init(arena, sizeof arena) != 0) return 3;\n"
                             "  unsigned char *in = model_input(0);\n"
                             "  for (unsigned k = 0; k < MODEL_INPUT_0_BYTES; k++) in[k] = "
                             "(unsigned char)((k * 37 + 11) % 256 - 128);\n"
                             "  model_run();\n"
                             "  fwrite(model_plan, 1, model_plan->bytes, stdout);\n"
                             "  fwrite(model_output(0), 1, MODEL_OUTPUT_0_BYTES, stdout);\n"
                             "  return 0;\n}\n";

/* How many kernels of a plan have a lower number. */
static unsigned kernels_below(const struct compiled *c, unsigned kernel) {
  const struct mote_plan *plan = (const void *)c->plan;
  const struct mote_step *steps = (const void *)(c->plan + plan->steps);
  bool used[MOTE_KERNEL_COUNT] = {false};
  unsigned n = 0;
  for (unsigned i = 0; i < plan->n_steps; i++)
    if (steps[i].kernel < kernel) used[steps[i].kernel] = true;
  for (unsigned k = 0; k < MOTE_KERNEL_COUNT; k++) n += used[k];
  return n;
}

/* The plan of an emitted program is the image but for the steps' kernels, which are numbered as the program has them; where
 * its steps stand in a line it is the tables alone. Returns how many bytes it has. */
static size_t check_emitted_plan(const struct compiled *c, const uint8_t *bytes, size_t n) {
  const struct mote_plan *here = (const void *)c->plan;
  struct mote_plan there;
  assert_true(n >= sizeof there);
  memcpy(&there, bytes, sizeof there);
  assert_int_equal(there.crc32, 0);
  const bool line = there.bytes < here->bytes;
  assert_true(there.bytes <= n && there.n_steps == here->n_steps);
  for (unsigned i = 0; i < here->n_steps; i++) {
    struct mote_step a, b;
    memcpy(&a, c->plan + here->steps + i * sizeof a, sizeof a);
    memcpy(&b, bytes + there.steps + i * sizeof b, sizeof b);
    assert_int_equal(b.kernel, kernels_below(c, a.kernel));
    b.kernel = a.kernel;
    if (line) {
      assert_true(a.calls == 1 && b.params == 0 && b.params_bytes == 0);
      b.params = a.params, b.params_bytes = a.params_bytes;
    }
    assert_memory_equal(&a, &b, sizeof a);
  }
  assert_memory_equal(bytes + there.tensors, c->plan + here->tensors, here->steps - here->tensors);
  const size_t behind = here->segments, end = line ? there.bytes : here->bytes;
  assert_int_equal(there.segments, behind);
  assert_memory_equal(bytes + behind, c->plan + behind, end - behind);
  return there.bytes;
}

/* Compiles the emitted C with warnings as errors, and runs it: the same plan, the same output. Returns whether its steps stand
 * in a line. */
static bool check_emitted(const struct graph *g, const struct compile_options *o, struct arena *a) {
  struct err e = {0};
  struct compiled c;
  struct text header, source;
  struct process_result r;
  char *dir;
  if (!compile_graph(g, o, a, &c, &e)) fail_msg("%s", e.text);
  text_init(&header, a);
  text_init(&source, a);
  assert_true(compile_emit_c(&c, "model", "model.h", &header, &source, &e));
  assert_true(dir_temporary(a, &dir, &e));
  assert_true(file_write(arena_printf(a, "%s/model.h", dir), header.data, header.size, &e));
  assert_true(file_write(arena_printf(a, "%s/model.c", dir), source.data, source.size, &e));
  assert_true(file_write(arena_printf(a, "%s/main.c", dir), MAIN_C, sizeof MAIN_C - 1, &e));
  char here[1024];
  assert_non_null(getcwd(here, sizeof here));
  const char *build = arena_printf(a,
                                   "cd %s && gcc -std=c99 -Wall -Wextra -Werror -Wconversion "
                                   "-Wsign-conversion -Wshadow -Wundef -pedantic -I%s -I. "
                                   "-c model.c && gcc -std=c11 -O1 -ffp-contract=off "
                                   "-fno-strict-aliasing -I%s -I. main.c model.o %s/mote/base/*.c "
                                   "%s/mote/isa/*.c %s/mote/nn/*.c %s/mote/ml/*.c %s/mote/run/*.c "
                                   "-o model",
                                   dir, here, here, here, here, here, here, here);
  const char *const argv[] = {"sh", "-c", build, NULL};
  assert_true(process_run(a, NULL, argv, 120, &r, &e));
  if (r.exit_code != 0) fail_msg("the emitted C does not compile: %s", r.err);
  const char *const run[] = {arena_printf(a, "%s/model", dir), NULL};
  assert_true(process_run(a, NULL, run, 60, &r, &e));
  assert_int_equal(r.exit_code, 0);
  struct mote_model m;
  assert_int_equal(
      mote_open(&m, c.plan, c.plan_bytes, ARENA_ARRAY(a, uint8_t, c.arena_bytes), c.arena_bytes),
      MOTE_OK);
  fill_inputs(&c, &m);
  mote_run(&m);
  const size_t n = graph_bytes(&c.source->tensors[c.source->outputs[0]]);
  assert_true(r.out_size > n);
  const size_t plan = check_emitted_plan(&c, (const void *)r.out, r.out_size - n);
  assert_int_equal(r.out_size, plan + n);
  assert_memory_equal(r.out + plan, mote_output(&m, 0), n);
  dir_remove(dir);
  return plan < c.plan_bytes;
}

static void test_emitted_c_of_random_graphs(void **state) {
  (void)state;
  for (uint64_t seed = 2; seed <= 6; seed += 2) {
    struct arena *a = new_arena();
    const struct compile_options o = {.schedule = COMPILE_AUTO};
    check_emitted(random_graph(a, seed), &o, a);
    arena_free(a);
  }
}

static void test_emitted_c_of_a_model(void **state) {
  (void)state;
  if (!have_shared()) skip();
  struct arena *a = new_arena();
  struct err e = {0};
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  assert_false(check_emitted(import_file(a, model_path(a, &REFERENCES[0]), &e), &o, a));
  /* Weights of this machine lie in lines of its cache, which a line of steps has not. */
  const struct compile_options chip = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  assert_true(check_emitted(import_file(a, model_path(a, &REFERENCES[2]), &e), &chip, a));
  arena_free(a);
}

static void test_names_that_are_not_c(void **state) {
  (void)state;
  struct arena *a = new_arena();
  struct err e = {0};
  struct compiled c;
  struct text t;
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  assert_true(compile_graph(random_graph(a, 2), &o, a, &c, &e));
  text_init(&t, a);
  assert_false(compile_emit_c(&c, "2net", "x.h", &t, &t, &e));
  assert_false(compile_emit_c(&c, "", "x.h", &t, &t, &e));
  assert_false(compile_emit_c(&c, "a;b", "x.h", &t, &t, &e));
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pads_are_fused),
      cmocka_unit_test(test_pads_that_are_seen_stay),
      cmocka_unit_test(test_constants_fold_and_dead_nodes_go),
      cmocka_unit_test(test_columns_are_one_call_on_helium),
      cmocka_unit_test(test_what_no_kernel_covers_is_refused),
      cmocka_unit_test(test_windows_beyond_16_bits_are_refused),
      cmocka_unit_test(test_pieces_do_not_collide),
      cmocka_unit_test(test_offsets_meet_the_bound),
      cmocka_unit_test(test_long_models_take_memory_by_their_length),
      cmocka_unit_test(test_goldens),
      cmocka_unit_test(test_layers_are_compared),
      cmocka_unit_test(test_budgets),
      cmocka_unit_test(test_fast_flash_is_spent_well),
      cmocka_unit_test(test_dense_layers_keep_to_their_flash),
      cmocka_unit_test(test_constant_channels_go),
      cmocka_unit_test(test_ram_limits),
      cmocka_unit_test(test_curve),
      cmocka_unit_test(test_rings_follow_each_other),
      cmocka_unit_test(test_mote_file_comes_back),
      cmocka_unit_test(test_emitted_c_of_random_graphs),
      cmocka_unit_test(test_emitted_c_of_a_model),
      cmocka_unit_test(test_names_that_are_not_c),
  };
  return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
