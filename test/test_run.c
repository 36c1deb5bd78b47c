/* run: plans against the reference evaluation, and hostile plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/compile/compile.h"
#include "mote/run/run.h"
#include "test/made_layers.h"
#include "test/random_graph.h"

/* A block that ends where its bytes end, so that a sanitizer sees the first byte beyond. aligned to 16. */
static void *exact_block(const void *bytes, size_t n) {
  void *p = malloc(n > 0 ? n : 1);
  assert_non_null(p);
  if (bytes != NULL)
    memcpy(p, bytes, n);
  else
    memset(p, 0x5A, n);
  return p;
}

static int8_t *random_input(struct arena *a, const struct graph *g, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed ^ 0x1234);
  const size_t n = graph_bytes(&g->tensors[g->inputs[0]]);
  int8_t *x = ARENA_ARRAY(a, int8_t, n);
  for (size_t i = 0; i < n; i++) x[i] = (int8_t)rng_u32(&r);
  return x;
}

static struct compiled compile_seed(struct arena *a, uint64_t seed,
                                    const struct compile_options *o) {
  struct err e = {0};
  struct compiled c;
  struct graph *g = random_graph(a, seed);
  if (!graph_check(g, &e)) fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.node, e.text);
  if (!compile_graph(g, o, a, &c, &e))
    fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.node, e.text);
  return c;
}

/* Compares every output after a run with the evaluation. */
static void check_outputs(const struct compiled *c, const struct mote_model *m, const void **values,
                          uint64_t seed) {
  const struct graph *g = c->source;
  for (int i = 0; i < g->n_outputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->outputs[i]]);
    if (memcmp(mote_output(m, (unsigned)i), values[g->outputs[i]], n) != 0)
      fail_msg("seed %llu schedule %d spare %u: output %d differs", (unsigned long long)seed,
               c->options.schedule, c->options.spare_rows, i);
  }
}

/* Rows as they are made are the rows of the source model's layers. */
static void check_made(struct arena *a, const struct made_layers *l, const void **values,
                       uint64_t seed) {
  const struct graph *g = l->c->source;
  for (int n = 0; n < g->n_nodes; n++) {
    const int op = g->nodes[n].source_op;
    if (l->made[op] != NULL && !made_layers_equal(l, op, values[g->nodes[n].out[0]], a))
      fail_msg("seed %llu schedule %d: operator %d differs", (unsigned long long)seed,
               l->c->options.schedule, op);
  }
}

/* One inference; its input whole, or row by row from blocks that hold a row and no more. */
static void run_model(struct mote_model *m, const uint8_t *input, size_t bytes) {
  const unsigned rows = m->plan->fed_rows;
  if (rows == 0) {
    memcpy(mote_input(m, 0), input, bytes);
    mote_run(m);
  }
  for (unsigned y = 0; y < rows; y++) {
    void *row = exact_block(input + bytes / rows * y, bytes / rows);
    assert_int_equal(mote_feed_row(m, row), y + 1 == rows);
    free(row);
  }
}

static void run_and_check(struct arena *a, const struct compiled *c, uint64_t seed) {
  const struct graph *g = c->source;
  struct err e = {0};
  struct mote_model m;
  const void **values = ARENA_ARRAY(a, const void *, g->n_tensors);
  const void *inputs[1] = {random_input(a, g, seed)};
  assert_true(graph_evaluate(g, inputs, a, values, &e));
  const size_t need = mote_arena_bytes((const void *)c->plan);
  void *plan = exact_block(c->plan, c->plan_bytes), *arena = exact_block(NULL, need);
  assert_int_equal(mote_open(&m, plan, c->plan_bytes, arena, need), MOTE_OK);
  assert_true((mote_input(&m, 0) == NULL) == c->options.input_rows);
  struct made_layers layers = made_layers_new(c, a);
  m.hook = made_layers_hook;
  m.hook_context = &layers;
  for (int again = 0; again < 2;
       again++) { /* a second run must not depend on what the first left */
    run_model(&m, inputs[0], graph_bytes(&g->tensors[g->inputs[0]]));
    check_outputs(c, &m, values, seed);
    check_made(a, &layers, values, seed);
  }
  assert_true(layers.rows > 0 || c->n_steps == 0);
  free(plan);
  free(arena);
}

/* Every kind of plan of a few hundred graphs: layers, default, as much streaming as possible with rings of the
 * least rows and with spare ones, for 4- and 8-byte pointers. */
/* Steps that make several rows a call beside others in their segment; those of them that make rows beyond the end. */
static void count_joined(const struct compiled *c, int *joined, int *beyond) {
  const struct mote_plan *plan = (const void *)c->plan;
  const struct mote_step *s = (const void *)(c->plan + plan->steps);
  const struct mote_tensor *t = (const void *)(c->plan + plan->tensors);
  for (int i = 0; i < plan->n_steps; i++) {
    *joined += s[i].rows_out > 1;
    *beyond += s[i].calls * s[i].rows_out > t[s[i].output].rows;
  }
}

/* Rings and states that reach into the room of a tensor that dies. */
static int count_grown(const struct compiled *c) {
  int grown = 0;
  for (int i = 0; i < c->n_pieces; i++)
    for (int j = 0; j < c->n_pieces; j++) {
      const struct compile_piece *p = &c->pieces[i], *q = &c->pieces[j];
      grown += (p->kind == COMPILE_RING || p->kind == COMPILE_STATE) && q->kind < COMPILE_RING &&
               q->last_segment == p->first_segment && q->first_segment <= p->first_segment &&
               p->offset < q->offset + q->bytes && q->offset < p->offset + p->bytes;
    }
  return grown;
}

static void test_plans_equal_evaluation(void **state) {
  (void)state;
  static const struct compile_options kinds[] = {
      {.schedule = COMPILE_LAYERS},
      {.schedule = COMPILE_STREAM, .core = COMPILE_CORE_DSP},
      {.schedule = COMPILE_AUTO},
      {.schedule = COMPILE_STREAM},
      {.schedule = COMPILE_STREAM, .spare_rows = 1},
      {.schedule = COMPILE_AUTO, .fast = true},
      {.schedule = COMPILE_STREAM, .pointer_bytes = 4},
      {.schedule = COMPILE_STREAM, .input_rows = true},
      {.schedule = COMPILE_AUTO, .input_rows = true},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_DSP},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_DSP, .fast = true},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_DSP, .input_rows = true},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_MVE},
      {.schedule = COMPILE_AUTO, .core = COMPILE_CORE_MVE, .fast = true}};
  int streamed = 0, follow = 0, joined = 0, beyond = 0, grown = 0;
  for (uint64_t seed = 1; seed <= 250; seed++) {
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
      struct arena *a = arena_new((size_t)256 << 20);
      const struct compiled c = compile_seed(a, seed, &kinds[k]);
      run_and_check(a, &c, seed);
      const struct mote_plan *plan = (const void *)c.plan;
      const struct mote_tensor *t = (const void *)(c.plan + plan->tensors);
      for (int i = 0; i < plan->n_tensors; i++) follow += t[i].shift > 0;
      for (int i = 0; i < c.n_pieces; i++) streamed += c.pieces[i].kind == COMPILE_RING;
      count_joined(&c, &joined, &beyond);
      grown += count_grown(&c);
      arena_free(a);
    }
  }
  assert_true(streamed > 100);            /* the seeds do reach streaming */
  assert_true(follow > 20);               /* and rings that follow each other */
  assert_true(joined > 15 && beyond > 5); /* several rows a call */
  assert_true(grown > 100);               /* and rings in the room of what dies */
}

static void test_arena_too_small(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)256 << 20);
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  const struct compiled c = compile_seed(a, 7, &o);
  struct mote_model m;
  const size_t need = mote_arena_bytes((const void *)c.plan);
  assert_int_equal(need, c.arena_bytes);
  uint8_t *arena = exact_block(NULL, need + 8);
  assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, arena, need), MOTE_OK);
  for (size_t less = 1; less <= need; less++)
    assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, arena, need - less), MOTE_ERR_ARENA);
  assert_int_equal(mote_open(&m, c.plan, c.plan_bytes, arena + 4, need + 4), MOTE_ERR_ARENA);
  assert_int_equal(mote_check(c.plan + 4, c.plan_bytes - 4), MOTE_ERR_ALIGN);
  free(arena);
  arena_free(a);
}

static void test_every_prefix_is_refused(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)256 << 20);
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  const struct compiled c = compile_seed(a, 11, &o);
  for (size_t n = 0; n < c.plan_bytes; n++) {
    void *prefix = exact_block(c.plan, n);
    const enum mote_status status = mote_check(prefix, n);
    assert_int_equal(status, MOTE_ERR_TRUNCATED);
    free(prefix);
  }
  arena_free(a);
}

static void test_header_is_checked(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)256 << 20);
  const struct compile_options o = {.schedule = COMPILE_AUTO};
  const struct compiled c = compile_seed(a, 3, &o);
  uint8_t *plan = exact_block(c.plan, c.plan_bytes);
  struct mote_plan *head = (void *)plan;
  head->version++;
  assert_int_equal(mote_check(plan, c.plan_bytes), MOTE_ERR_VERSION);
  head->version--;
  head->magic ^= 1;
  assert_int_equal(mote_check(plan, c.plan_bytes), MOTE_ERR_MAGIC);
  head->magic ^= 1;
  plan[c.plan_bytes - 1] ^= 1;
  assert_int_equal(mote_check(plan, c.plan_bytes), MOTE_ERR_CHECKSUM);
  plan[c.plan_bytes - 1] ^= 1;
  assert_int_equal(mote_check(plan, c.plan_bytes), MOTE_OK);
  free(plan);
  arena_free(a);
}

/* What the executor relies on and a kernel's check cannot see. */
struct tables {
  uint8_t *bytes;
  struct mote_plan *plan;
  struct mote_tensor *tensors;
  struct mote_edge *edges;
  struct mote_step *steps;
  struct mote_segment *segments;
};

static struct tables tables_of(const struct compiled *c) {
  struct tables t = {.bytes = exact_block(c->plan, c->plan_bytes)};
  t.plan = (void *)t.bytes;
  t.tensors = (void *)(t.bytes + t.plan->tensors);
  t.edges = (void *)(t.bytes + t.plan->edges);
  t.steps = (void *)(t.bytes + t.plan->steps);
  t.segments = (void *)(t.bytes + t.plan->segments);
  return t;
}

static void repair_checksum(uint8_t *plan, size_t n);

#define REFUSED(change)                                                                            \
  do {                                                                                             \
    struct tables t = tables_of(&c);                                                               \
    change;                                                                                        \
    repair_checksum(t.bytes, c.plan_bytes);                                                        \
    assert_int_not_equal(mote_check(t.bytes, c.plan_bytes), MOTE_OK);                              \
    free(t.bytes);                                                                                 \
  } while (0)

/* The first tensor whose rows have slots, or -1. */
static int with_slots(const struct compiled *c) {
  const struct mote_plan *plan = (const void *)c->plan;
  const struct mote_tensor *t = (const void *)(c->plan + plan->tensors);
  for (int i = 0; i < plan->n_tensors; i++)
    if (t[i].slots != 0) return i;
  return -1;
}

static int rows_of_tensor(const struct compiled *c, int tensor) {
  const struct mote_plan *plan = (const void *)c->plan;
  return ((const struct mote_tensor *)(const void *)(c->plan + plan->tensors))[tensor].rows;
}

static void test_slots_are_checked(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)256 << 20);
  const struct compile_options o = {.schedule = COMPILE_STREAM, .input_rows = true};
  uint64_t seed = 1;
  struct compiled c = compile_seed(a, seed, &o);
  while (with_slots(&c) < 0) c = compile_seed(a, ++seed, &o);
  const int at = with_slots(&c);
  /* Each is one of the pool's. */
  for (int row = 0; row < rows_of_tensor(&c, at); row++)
    REFUSED((t.bytes + 4 * t.tensors[at].slots)[row] = (uint8_t)t.tensors[at].ring_rows);
  REFUSED(t.tensors[at].slots = (uint16_t)(sizeof *t.plan / 4 - 1));
  REFUSED(t.tensors[at].slots = UINT16_MAX);
  /* What is read or written from outside has none. */
  REFUSED(t.tensors[((struct mote_port *)(void *)(t.bytes + t.plan->inputs))->tensor].slots =
              t.tensors[at].slots);
  REFUSED(t.tensors[((struct mote_port *)(void *)(t.bytes + t.plan->outputs))->tensor].slots =
              t.tensors[at].slots);
  arena_free(a);
}

static void test_tables_are_checked(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)256 << 20);
  const struct compile_options o = {.schedule = COMPILE_STREAM, .input_rows = true};
  uint64_t seed = 1;
  struct compiled c = compile_seed(a, seed, &o);
  /* A plan whose first segment has several steps. */
  while (
      ((const struct mote_segment
            *)(const void *)(c.plan + ((const struct mote_plan *)(const void *)c.plan)->segments))
          ->steps < 2)
    c = compile_seed(a, ++seed, &o);
  struct tables same = tables_of(&c);
  repair_checksum(same.bytes, c.plan_bytes);
  assert_int_equal(mote_check(same.bytes, c.plan_bytes), MOTE_OK);
  free(same.bytes);
  /* Nobody writes to the plan. */
  REFUSED(t.tensors[t.steps[0].output].offset = MOTE_CONSTANT);
  REFUSED(t.tensors[0].offset |= MOTE_CONSTANT | MOTE_VARIABLE);
  REFUSED(t.tensors[t.edges[0].tensor].offset =
              (uint32_t)(c.plan_bytes & ~(size_t)7) | MOTE_CONSTANT);
  /* The counters are the executor's alone, and lie in the arena. */
  REFUSED(t.segments[0].counters = t.tensors[t.steps[0].output].offset);
  REFUSED(t.segments[0].counters =
              t.tensors[((struct mote_port *)(void *)(t.bytes + t.plan->inputs))->tensor].offset);
  REFUSED(t.segments[0].counters = t.plan->scratch);
  REFUSED(t.segments[0].counters |= 1);
  REFUSED(t.segments[0].steps = (uint16_t)(t.plan->n_steps + 1));
  /* Makers and readers stay in the segment. */
  REFUSED(t.edges[t.steps[1].edges].maker = 2);
  REFUSED(t.steps[0].reader = t.segments[0].steps);
  REFUSED(t.plan->fed_rows = 0);
  REFUSED(t.plan->fed_rows++);
  /* Edges. */
  REFUSED(t.steps[0].n_in = 0);
  REFUSED(t.steps[0].n_out = 0);
  REFUSED(t.steps[0].n_in = MOTE_MAX_EDGES + 1);
  REFUSED(t.steps[0].edges = t.plan->n_edges);
  REFUSED(t.edges[0].tensor = t.plan->n_tensors);
  REFUSED(t.plan->max_rows = 0);
  REFUSED(t.steps[0].kernel = MOTE_KERNEL_COUNT);
  arena_free(a);
}

static void repair_checksum(uint8_t *plan, size_t n) {
  struct mote_plan *head = (void *)plan;
  if (head->bytes < sizeof *head || head->bytes > n) return;
  head->crc32 = 0;
  head->crc32 = mote_crc32(0, plan, head->bytes);
}

/* Changes one to four places: bytes anywhere, or 16- and 32-bit fields in front of the weights with values that
 * are near the edge. */
static void mutate(struct rng *r, uint8_t *plan, size_t n) {
  static const uint32_t edges[] = {0,      1,      2,      0x7F,       0x80,        0xFF,
                                   0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu};
  for (uint32_t i = 1 + rng_below(r, 4); i > 0; i--) {
    const size_t at = rng_below(r, (uint32_t)n) & ~(size_t)3;
    const uint32_t edge = edges[rng_below(r, sizeof edges / sizeof *edges)];
    const uint16_t half = (uint16_t)edge;
    switch (rng_below(r, 4)) {
    case 0: plan[at] = (uint8_t)rng_u32(r); break;
    case 1: plan[at + rng_below(r, 4) % (n - at)] ^= (uint8_t)(1u << rng_below(r, 8)); break;
    case 2:
      if (at + 4 <= n) memcpy(plan + at, &edge, 4);
      break;
    default:
      if (at + 4 <= n) memcpy(plan + at + 2 * rng_below(r, 2), &half, 2);
      break;
    }
  }
}

/* Runs what passed the check, in memory of exactly the size that it asks for. */
static bool run_mutant(const uint8_t *plan, size_t n) {
  struct mote_model m;
  if (mote_check(plan, n) != MOTE_OK) return false;
  const struct mote_plan *head = (const void *)plan;
  const size_t need = mote_arena_bytes(head);
  if (need > (size_t)16 << 20) return true; /* safe, but no place for it in a test */
  void *arena = exact_block(NULL, need);
  assert_int_equal(mote_open(&m, plan, n, arena, need), MOTE_OK);
  const struct mote_port *port = (const void *)(plan + head->inputs);
  const struct mote_tensor *t = (const void *)(plan + head->tensors);
  void *row = exact_block(NULL, head->fed_rows > 0 ? t[port->tensor].row_bytes : 1);
  for (unsigned y = 0; y < head->fed_rows; y++) mote_feed_row(&m, row);
  mote_run(&m); /* where rows are fed, no more than nothing */
  free(row);
  free(arena);
  return true;
}

/* 10,000 mutants, with the checksum broken and repaired: never a crash, and those that pass the check run. */
static void test_mutants(void **state) {
  (void)state;
  struct rng r;
  int passed = 0, refused = 0;
  rng_seed(&r, 2024);
  for (uint64_t seed = 1; seed <= 50; seed++) {
    struct arena *a = arena_new((size_t)256 << 20);
    const struct compile_options o = {.schedule = seed % 2 ? COMPILE_STREAM : COMPILE_LAYERS,
                                      .input_rows = seed % 3 == 0};
    const struct compiled c = compile_seed(a, seed, &o);
    /* Half of the mutations hit the tables and parameters, which are the front of a small plan. */
    for (int i = 0; i < 200; i++) {
      uint8_t *plan = exact_block(c.plan, c.plan_bytes);
      mutate(&r, plan, i % 2 && c.plan_bytes > 600 ? 600 : c.plan_bytes);
      if (i % 8 != 0) repair_checksum(plan, c.plan_bytes);
      if (run_mutant(plan, c.plan_bytes))
        passed++;
      else
        refused++;
      free(plan);
    }
    arena_free(a);
  }
  assert_true(passed > 500);  /* the mutants do reach the executor */
  assert_true(refused > 500); /* and the checks */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plans_equal_evaluation),
      cmocka_unit_test(test_arena_too_small),
      cmocka_unit_test(test_every_prefix_is_refused),
      cmocka_unit_test(test_header_is_checked),
      cmocka_unit_test(test_tables_are_checked),
      cmocka_unit_test(test_slots_are_checked),
      cmocka_unit_test(test_mutants),
  };
  return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
