/* golden_run: runs a model with inputs and outputs of the reference: integers must be equal bit for bit, float32 to
 * 1e-5 of the output's largest magnitude. For tests: it prints what is wrong. */
#ifndef TEST_GOLDEN_RUN_H
#define TEST_GOLDEN_RUN_H

#include <math.h>
#include <string.h>

#include "host/compile/compile.h"
#include "host/import/import.h"
#include "test/golden.h"

#define GOLDEN_TOLERANCE 1e-5 /* of the largest magnitude of a float32 output */
#define GOLDEN_PLANS     3    /* kinds of plan that golden_run knows */

/* The largest difference, in units of the largest magnitude; bits where either is not finite. */
static bool golden_floats_agree(const uint8_t *want, const uint8_t *made, size_t n, double *worst) {
  double most = 0, apart = 0;
  for (size_t i = 0; i + 4 <= n; i += 4) {
    float w, m;
    memcpy(&w, want + i, 4);
    memcpy(&m, made + i, 4);
    if (!isfinite(w) || !isfinite(m)) {
      if (!(isnan(w) && isnan(m)) && memcmp(want + i, made + i, 4) != 0) return false;
      continue;
    }
    most = fmax(most, fabs((double)w));
    apart = fmax(apart, fabs((double)w - (double)m));
  }
  *worst = apart == 0 ? 0 : apart / most;
  return apart <= GOLDEN_TOLERANCE * most;
}

static bool golden_output_agrees(const struct golden *c, const char *plan, size_t k, int o,
                                 const struct graph_tensor *t, const uint8_t *want,
                                 const uint8_t *made) {
  const size_t n = graph_bytes(t), size = mote_type_bytes((int)t->type);
  double worst = NAN;
  if (t->type == MOTE_FLOAT32 ? golden_floats_agree(want, made, n, &worst) : !memcmp(want, made, n))
    return true;
  size_t at = 0, wrong = 0;
  for (size_t i = n; i >= size; i -= size)
    if (memcmp(want + i - size, made + i - size, size) != 0) at = i / size - 1, wrong++;
  print_error("%s, %s, invocation %zu, output %d: %zu of %zu %s differ, the first is number %zu",
              c->label, plan, k, o, wrong, n / size, mote_type_name((int)t->type), at);
  if (t->type == MOTE_FLOAT32) {
    print_error(" (worst %g of the largest)\n", worst);
    return false;
  }
  int64_t values[2] = {0, 0}; /* little-endian, as everything here */
  memcpy(&values[0], want + at * size, size);
  memcpy(&values[1], made + at * size, size);
  const int unused = 64 - 8 * (int)size;
  for (int i = 0; i < 2; i++) values[i] = (int64_t)((uint64_t)values[i] << unused) >> unused;
  print_error(": %lld instead of %lld\n", (long long)values[1], (long long)values[0]);
  return false;
}

/* All invocations of a plan, its variables living from one to the next. */
static bool golden_plan_agrees(const struct golden *c, const struct compiled *p, const char *plan) {
  const struct graph *g = p->source;
  const size_t n_in = golden_bytes(g, g->inputs, g->n_inputs),
               n_out = golden_bytes(g, g->outputs, g->n_outputs);
  struct mote_model m;
  uint8_t *arena = ARENA_ARRAY(c->arena, uint8_t, p->arena_bytes + 1);
  memset(arena, 0xA5, p->arena_bytes); /* what was there before is nobody's to read */
  if (n_out == 0 || c->n_out % n_out != 0 || c->n_in != c->n_out / n_out * n_in) {
    print_error("%s: the importer's inputs take %zu bytes and its outputs %zu\n", c->label, n_in,
                n_out);
    return false;
  }
  const enum mote_status s = mote_open(&m, p->plan, p->plan_bytes, arena, p->arena_bytes);
  if (s != MOTE_OK) {
    print_error("%s, %s: the plan does not open (%d)\n", c->label, plan, (int)s);
    return false;
  }
  const uint8_t *in = c->in, *want = c->out;
  for (size_t k = 0; k < c->n_out / n_out; k++) {
    for (int i = 0; i < g->n_inputs; i++) {
      const size_t n = graph_bytes(&g->tensors[g->inputs[i]]);
      memcpy(mote_input(&m, (unsigned)i), in, n);
      in += n;
    }
    mote_run(&m);
    for (int i = 0; i < g->n_outputs; i++) {
      const struct graph_tensor *t = &g->tensors[g->outputs[i]];
      if (!golden_output_agrees(c, plan, k, i, t, want, mote_output(&m, (unsigned)i))) return false;
      want += graph_bytes(t);
    }
  }
  return true;
}

/* Runs a case in the first `plans` kinds of plan. */
static bool golden_run(const struct golden *c, size_t plans) {
  static const struct {
    const char *name;
    struct compile_options options;
  } PLANS[] = {{"default plan", {.schedule = COMPILE_AUTO}},
               {"layer by layer", {.schedule = COMPILE_LAYERS}},
               {"streamed", {.schedule = COMPILE_STREAM}}};
  struct err e = {0};
  struct graph *g = import_tflite(c->arena, c->label, c->model, c->n_model, &e);
  if (g == NULL) {
    print_error("%s is refused: %s: %s\n", c->label, e.node, e.text);
    return false;
  }
  for (size_t k = 0; k < plans; k++) {
    struct compiled p;
    e = (struct err){0};
    if (!compile_graph(g, &PLANS[k].options, c->arena, &p, &e)) {
      print_error("%s, %s: not compiled: %s: %s\n", c->label, PLANS[k].name, e.node, e.text);
      return false;
    }
    if (!golden_plan_agrees(c, &p, PLANS[k].name)) return false;
  }
  return true;
}

#endif
