/* Variables, IF and WHILE: what plans compute, in every kind of schedule, against what the graphs mean; which
 * copies are left out; and jumps of hostile plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/compile/compile.h"
#include "mote/run/run.h"

#define N 6 /* elements of every value */

/* ---- making graphs ------------------------------------------------------------- */

static int value(struct graph *g) {
  const struct graph_tensor t = {.name = "value",
                                 .type = MOTE_INT8,
                                 .rank = 2,
                                 .dims = {1, N},
                                 .quant = graph_quant_one(g->arena, 1.0f, 0)};
  return graph_add_tensor(g, &t);
}

static int constant(struct graph *g, int8_t x) {
  const int t = value(g);
  int8_t *data = ARENA_ARRAY(g->arena, int8_t, N);
  memset(data, x, N);
  g->tensors[t].data = data;
  return t;
}

static int truth(struct graph *g) {
  const struct graph_tensor t = {.name = "truth", .type = MOTE_BOOL, .rank = 1, .dims = {1}};
  return graph_add_tensor(g, &t);
}

static int no(struct graph *g) {
  const int t = truth(g);
  g->tensors[t].data = ARENA_ARRAY(g->arena, uint8_t, 1);
  return t;
}

static int variable(struct graph *g, int number, int8_t first) {
  const int t = constant(g, first);
  g->tensors[t].is_state = true;
  g->tensors[t].variable = number;
  return t;
}

static struct graph_node *add_node(struct graph *g, enum mote_op op, const int *in, int n_in,
                                   const int *out, int n_out) {
  struct graph_node n = {.op = op, .n_in = n_in, .n_out = n_out, .source_op = g->n_nodes};
  for (int i = 0; i < n_in; i++) n.in[i] = in[i];
  for (int i = 0; i < n_out; i++) n.out[i] = out[i];
  const int index = graph_add_node(g, &n); /* may move the nodes */
  return &g->nodes[index];
}

static int sum(struct graph *g, int a, int b) {
  const int y = value(g);
  add_node(g, MOTE_OP_ADD, (const int[]){a, b}, 2, &y, 1);
  return y;
}

static int read_of(struct graph *g, int state) {
  const int y = value(g);
  add_node(g, MOTE_OP_READ_VARIABLE, &state, 1, &y, 1);
  return y;
}

static void assign(struct graph *g, int state, int x) {
  add_node(g, MOTE_OP_ASSIGN_VARIABLE, (const int[]){state, x}, 2, NULL, 0);
}

#define INPUTS(g, ...)                                                                             \
  graph_set_inputs(g, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))
#define OUTPUTS(g, ...)                                                                            \
  graph_set_outputs(g, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* ---- running them ---------------------------------------------------------------- */

static const struct compile_options schedules[] = {
    {.schedule = COMPILE_AUTO}, {.schedule = COMPILE_LAYERS}, {.schedule = COMPILE_STREAM}};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

struct machine {
  struct arena *arena;
  struct compiled compiled;
  struct mote_model model;
  void *memory;
};

static void start(struct machine *m, struct graph *g, int schedule) {
  struct err e = {0};
  if (!graph_check(g, &e) || !compile_graph(g, &schedules[schedule], g->arena, &m->compiled, &e))
    fail_msg("%s: %s", e.node, e.text);
  const size_t need = mote_arena_bytes((const void *)m->compiled.plan);
  m->memory = malloc(need);
  memset(m->memory, 0xA5, need);
  assert_int_equal(mote_open(&m->model, m->compiled.plan, m->compiled.plan_bytes, m->memory, need),
                   MOTE_OK);
}

static void set_values(const struct machine *m, unsigned input, int8_t x) {
  memset(mote_input(&m->model, input), x, N);
}
static void set_truth(const struct machine *m, unsigned input, int x) {
  *(uint8_t *)mote_input(&m->model, input) = (uint8_t)x;
}
static void expect(const struct machine *m, unsigned output, int x) {
  const int8_t *y = mote_output(&m->model, output);
  for (int i = 0; i < N; i++) assert_int_equal(y[i], x);
}

/* ---- variables --------------------------------------------------------------------- */

/* y = state + x; state = y. */
static struct graph *make_sum(struct arena *a, bool is_output) {
  struct graph *g = graph_new(a, "sum");
  const int x = value(g), state = variable(g, 1, 10);
  const int y = sum(g, read_of(g, state), x);
  INPUTS(g, x);
  if (is_output) {
    assign(g, state, y);
    OUTPUTS(g, y);
  } else {
    assign(g, state, y);
    OUTPUTS(g, sum(g, read_of(g, state), constant(g, 1)));
  }
  return g;
}

static void test_sum_of_inputs(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++)
    for (int is_output = 0; is_output < 2; is_output++) {
      struct arena *a = arena_new(1 << 24);
      struct machine m;
      start(&m, make_sum(a, is_output != 0), s);
      for (int round = 0; round < 2; round++) {
        for (int k = 1; k <= 4; k++) {
          set_values(&m, 0, 3);
          mote_run(&m.model);
          expect(&m, 0, 10 + 3 * k + !is_output);
        }
        mote_reset(&m.model); /* begins anew */
      }
      free(m.memory);
      arena_free(a);
    }
}

/* The variable is read where it lies, and the sum made there: two sums are all that runs, and beside them the arena
 * holds the input, the output and the variable. */
static void test_variables_are_not_copied(void **state) {
  (void)state;
  struct arena *a = arena_new(1 << 24);
  struct machine m;
  start(&m, make_sum(a, false), 1);
  assert_int_equal(m.compiled.n_steps, 2);
  assert_true(m.compiled.arena_bytes <= 3 * 8);
  free(m.memory);
  arena_free(a);
}

/* Two variables change places: what is read must outlive the first assignment. */
static void test_swap(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++) {
    struct arena *a = arena_new(1 << 24);
    struct machine m;
    struct graph *g = graph_new(a, "swap");
    const int x = value(g), p = variable(g, 1, 7), q = variable(g, 2, 20);
    const int old_p = read_of(g, p), old_q = read_of(g, q);
    assign(g, p, old_q);
    assign(g, q, old_p);
    INPUTS(g, x);
    OUTPUTS(g, sum(g, x, read_of(g, p)));
    start(&m, g, s);
    for (int k = 0; k < 4; k++) {
      set_values(&m, 0, 1);
      mote_run(&m.model);
      expect(&m, 0, k % 2 == 0 ? 21 : 8);
    }
    free(m.memory);
    arena_free(a);
  }
}

/* ---- sliding windows ------------------------------------------------------------------- */

static int rows_of(struct graph *g, int rows) {
  const int t = value(g);
  g->tensors[t].rank = 3;
  g->tensors[t].dims[1] = rows;
  g->tensors[t].dims[2] = N;
  return t;
}

/* The last `rows` of a tensor. */
static int tail(struct graph *g, int x, int rows) {
  const int y = rows_of(g, rows);
  struct graph_node *n = add_node(g, MOTE_OP_STRIDED_SLICE, &x, 1, &y, 1);
  for (int i = 0; i < 3; i++) {
    n->attrs.step[i] = 1;
    n->attrs.option[i] = g->tensors[y].dims[i];
    n->attrs.begin[i] = i == 1 ? g->tensors[x].dims[1] - rows : 0;
  }
  return y;
}

/* A window of four rows that two new ones enter each time. part: the variable holds the two that stay; else all four.
 * other_reader: the old value is an output, too, so the window cannot slide in place. */
static struct graph *make_window(struct arena *a, bool part, bool other_reader) {
  struct graph *g = graph_new(a, "window");
  const int x = rows_of(g, 2), state = rows_of(g, part ? 2 : 4), old = rows_of(g, part ? 2 : 4);
  const int window = rows_of(g, 4), y = rows_of(g, 4);
  const size_t bytes = graph_bytes(&g->tensors[state]);
  int8_t *first = ARENA_ARRAY(a, int8_t, bytes);
  for (size_t i = 0; i < bytes; i++) first[i] = (int8_t)(i + 1);
  g->tensors[state].is_state = true;
  g->tensors[state].variable = 1;
  g->tensors[state].data = first;
  add_node(g, MOTE_OP_READ_VARIABLE, &state, 1, &old, 1);
  const int stays = part ? old : tail(g, old, 2);
  add_node(g, MOTE_OP_CONCATENATION, (const int[]){stays, x}, 2, &window, 1)->attrs.axis = 1;
  assign(g, state, part ? tail(g, window, 2) : window);
  add_node(g, MOTE_OP_ADD, (const int[]){window, window}, 2, &y, 1);
  INPUTS(g, x);
  if (other_reader)
    OUTPUTS(g, y, old);
  else
    OUTPUTS(g, y);
  return g;
}

static void test_windows_slide(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++)
    for (int kind = 0; kind < 4; kind++) {
      struct arena *a = arena_new(1 << 24);
      struct machine m;
      const bool part = kind % 2 != 0, other_reader = kind > 1;
      int8_t window[4 * N];
      start(&m, make_window(a, part, other_reader), s);
      if (!other_reader) assert_int_equal(m.compiled.n_steps, 2); /* push, add */
      for (int i = 0; i < 4 * N; i++) window[i] = (int8_t)(part ? i - 2 * N + 1 : i + 1);
      for (int round = 0; round < 5; round++) {
        int8_t *x = mote_input(&m.model, 0);
        memmove(window, window + 2 * N, 2 * N);
        for (int i = 0; i < 2 * N; i++) x[i] = window[2 * N + i] = (int8_t)(i - 3 * round);
        mote_run(&m.model);
        const int8_t *y = mote_output(&m.model, 0);
        for (int i = 0; i < 4 * N; i++) assert_int_equal(y[i], 2 * window[i]);
      }
      free(m.memory);
      arena_free(a);
    }
}

/* ---- IF ------------------------------------------------------------------------------ */

/* then: a + b, a; else: b + 5, b. After it: the sum of both. */
static struct graph *make_if(struct arena *a) {
  struct graph *g = graph_new(a, "if"), *body[2];
  for (int k = 0; k < 2; k++) {
    struct graph *b = body[k] = graph_new(a, "body");
    const int x = value(b), y = value(b);
    INPUTS(b, x, y);
    OUTPUTS(b, k == 0 ? sum(b, x, y) : sum(b, y, constant(b, 5)), k == 0 ? x : y);
  }
  const int test = truth(g), p = value(g), q = value(g), out[] = {value(g), value(g)};
  struct graph_node *n = add_node(g, MOTE_OP_IF, (const int[]){test, p, q}, 3, out, 2);
  memcpy(n->body, body, sizeof body);
  INPUTS(g, test, p, q);
  OUTPUTS(g, sum(g, out[0], out[1]), out[1]);
  return g;
}

static void test_if(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++) {
    struct arena *a = arena_new(1 << 24);
    struct machine m;
    start(&m, make_if(a), s);
    for (int k = 0; k < 6; k++) {
      set_truth(&m, 0, k % 3 == 0);
      set_values(&m, 1, (int8_t)(10 + k));
      set_values(&m, 2, (int8_t)(20 + k));
      mote_run(&m.model);
      expect(&m, 0, k % 3 == 0 ? 2 * (10 + k) + 20 + k : 2 * (20 + k) + 5);
      expect(&m, 1, k % 3 == 0 ? 10 + k : 20 + k);
    }
    free(m.memory);
    arena_free(a);
  }
}

/* A variable that only one branch assigns. */
static void test_if_assigns(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++) {
    struct arena *a = arena_new(1 << 24);
    struct machine m;
    struct graph *g = graph_new(a, "if"), *body[2];
    for (int k = 0; k < 2; k++) {
      struct graph *b = body[k] = graph_new(a, "body");
      const int x = value(b), var = variable(b, 1, 2);
      const int y = sum(b, read_of(b, var), x);
      INPUTS(b, x);
      if (k == 0) assign(b, var, y);
      OUTPUTS(b, y);
    }
    const int test = truth(g), x = value(g), y = value(g), var = variable(g, 1, 2);
    memcpy(add_node(g, MOTE_OP_IF, (const int[]){test, x}, 2, &y, 1)->body, body, sizeof body);
    INPUTS(g, test, x);
    OUTPUTS(g, y, sum(g, read_of(g, var), constant(g, 0)));
    start(&m, g, s);
    for (int k = 0, now = 2; k < 6; k++) {
      set_truth(&m, 0, k % 2);
      set_values(&m, 1, 4);
      mote_run(&m.model);
      expect(&m, 0, now + 4);
      if (k % 2 != 0) now += 4;
      expect(&m, 1, now);
    }
    free(m.memory);
    arena_free(a);
  }
}

/* ---- WHILE --------------------------------------------------------------------------- */

/* While the first flag holds: flags move up by one, x doubles (by an IF of the second flag, when nested; else always),
 * and p and q change places. */
static struct graph *make_while(struct arena *a, bool nested) {
  struct graph *g = graph_new(a, "while"), *c = graph_new(a, "condition"),
               *b = graph_new(a, "body");
  struct graph *both[] = {c, b};
  for (int k = 0; k < 2; k++) {
    const int f0 = truth(both[k]), f1 = truth(both[k]), f2 = truth(both[k]);
    const int x = value(both[k]), p = value(both[k]), q = value(both[k]);
    INPUTS(both[k], f0, f1, f2, x, p, q);
  }
  OUTPUTS(c, c->inputs[0]);
  const int *in = b->inputs;
  int doubled = sum(b, in[3], in[3]);
  if (nested) {
    struct graph *body[2];
    for (int k = 0; k < 2; k++) {
      struct graph *inner = body[k] = graph_new(a, "inner");
      const int x = value(inner);
      INPUTS(inner, x);
      OUTPUTS(inner, k == 0 ? sum(inner, x, constant(inner, 1)) : x);
    }
    const int y = value(b);
    memcpy(add_node(b, MOTE_OP_IF, (const int[]){in[1], doubled}, 2, &y, 1)->body, body,
           sizeof body);
    doubled = y;
  }
  OUTPUTS(b, in[1], in[2], no(b), doubled, in[5], in[4]);
  int list[6], out[6];
  for (int i = 0; i < 6; i++) list[i] = i < 3 ? truth(g) : value(g);
  for (int i = 0; i < 6; i++) out[i] = i < 3 ? truth(g) : value(g);
  memcpy(add_node(g, MOTE_OP_WHILE, list, 6, out, 6)->body, both, sizeof both);
  graph_set_inputs(g, list, 6);
  OUTPUTS(g, out[3], sum(g, out[4], list[3]), out[5]);
  return g;
}

static void test_while(void **state) {
  (void)state;
  for (int s = 0; s < SCHEDULES; s++)
    for (int nested = 0; nested < 2; nested++) {
      struct arena *a = arena_new(1 << 24);
      struct machine m;
      start(&m, make_while(a, nested != 0), s);
      for (int rounds = 0; rounds < 4; rounds++) {
        int x = 3;
        for (unsigned i = 0; i < 3; i++) set_truth(&m, i, (int)i < rounds);
        set_values(&m, 3, 3);
        set_values(&m, 4, 40);
        set_values(&m, 5, 50);
        mote_run(&m.model);
        for (int k = 0; k < rounds; k++) x = 2 * x + (nested && k + 1 < rounds);
        expect(&m, 0, x);
        expect(&m, 1, 3 + (rounds % 2 ? 50 : 40));
        expect(&m, 2, rounds % 2 ? 40 : 50);
      }
      free(m.memory);
      arena_free(a);
    }
}

/* ---- what is refused ----------------------------------------------------------------- */

static void refuse(struct graph *g, const char *text) {
  struct err e = {0};
  assert_false(graph_check(g, &e));
  if (strstr(e.text, text) == NULL) fail_msg("'%s' lacks '%s'", e.text, text);
}

static void test_rules(void **state) {
  (void)state;
  struct arena *a = arena_new(1 << 24);
  struct graph *g = make_if(a);
  g->nodes[0].body[1] = NULL;
  refuse(g, "lacks subgraph 1");
  g = make_if(a);
  g->nodes[0].body[0]->n_outputs = 1;
  refuse(g, "gives 1;");
  g = make_if(a);
  g->tensors[g->inputs[0]].type = MOTE_INT8;
  refuse(g, "condition");
  g = make_if(a);
  g->nodes[0].body[1]->outputs[0] = 999;
  refuse(g, "999");
  g = make_while(a, false);
  g->nodes[0].body[0]->outputs[0] = g->nodes[0].body[0]->inputs[3];
  refuse(g, "condition");
  g = make_while(a, false);
  g->nodes[0].n_out = 5;
  refuse(g, "the same tensors");
  g = make_sum(a, true);
  g->tensors[g->nodes[0].in[0]].is_state = false;
  refuse(g, "variable");
  arena_free(a);
}

static void seal(uint8_t *bytes, size_t n) {
  struct mote_plan *p = (void *)bytes;
  p->crc32 = 0;
  p->crc32 = mote_crc32(0, bytes, n);
}

/* Every jump that leaves the plan, or tests what is not there. */
static void test_hostile_jumps(void **state) {
  (void)state;
  struct arena *a = arena_new(1 << 24);
  struct machine m;
  start(&m, make_while(a, true), 0);
  const size_t n = m.compiled.plan_bytes;
  uint8_t *bytes = aligned_alloc(64, (n + 63) & ~(size_t)63);
  struct mote_plan *p = (void *)bytes;
  int jumps = 0;
  memcpy(bytes, m.compiled.plan, n);
  struct mote_segment *segments = (void *)(bytes + p->segments);
  for (int i = 0; i < p->n_segments; i++) {
    const struct mote_segment was = segments[i];
    if (was.jump == MOTE_GO_ON) continue;
    jumps++;
    const struct mote_segment bad[] = {
        {0, was.jump, (was.counters & 0xFFFF0000u) | (p->n_segments + 1u)},
        {0, MOTE_JUMP_UNLESS, (was.counters & 0xFFFFu) | (uint32_t)p->n_tensors << 16},
        {0, 3, was.counters},
        {1, was.jump, was.counters}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      segments[i] = bad[k];
      seal(bytes, n);
      assert_int_not_equal(mote_check(bytes, n), MOTE_OK);
    }
    segments[i] = was;
  }
  seal(bytes, n);
  assert_int_equal(mote_check(bytes, n), MOTE_OK);
  assert_true(jumps >= 4);
  free(bytes);
  free(m.memory);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sum_of_inputs),
      cmocka_unit_test(test_variables_are_not_copied),
      cmocka_unit_test(test_swap),
      cmocka_unit_test(test_windows_slide),
      cmocka_unit_test(test_if),
      cmocka_unit_test(test_if_assigns),
      cmocka_unit_test(test_while),
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_hostile_jumps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
