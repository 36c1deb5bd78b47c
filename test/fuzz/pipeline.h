/* The way of a model through the house: import, compile, check, run, and what must hold on it whatever the bytes are.
 *
 *   taken or refused     a refusal has a text and is nobody's own fault
 *   the plan is proven   mote_check accepts what the compiler made
 *   one result           plans of different schedules give the same bits, and so does the slow evaluation where it
 *                        covers the model
 *   what fits is found   under the RAM that a plan needs, a plan is found again
 *   what is planned is made: emitted as C, and opened again as a file
 *   loops of the model   run too, until they have computed enough: then what they gave is not compared
 *   bounded              in an arena of PIPELINE_MEMORY; exhausting it ends the process, which is a finding */
#ifndef TEST_FUZZ_PIPELINE_H
#define TEST_FUZZ_PIPELINE_H

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "host/compile/compile.h"
#include "host/import/import.h"

#define PIPELINE_MEMORY ((size_t)128 << 20)
#define PIPELINE_WORK   3000000  /* most steps, roughly, of a model that is run */
#define PIPELINE_LOOPS  20000000 /* the same of its loops, as the compiler estimates their steps */

enum pipeline_phase { PHASE_IMPORT, PHASE_COMPILE, PHASE_RUN, PHASE_EMIT, PHASE_DONE };

struct pipeline {
  volatile enum pipeline_phase phase; /* where it is, for the one that looks at the clock */
  bool taken;                         /* compiled */
  bool ran;
  bool stopped;       /* a loop that went on and on was left */
  bool broken;        /* what must hold does not; e says what */
  uint64_t signature; /* of the way: steps of a plan, or words of a refusal without numbers */
};

/* FNV-1a; digits do not count, so that the same words with other numbers are the same. */
static uint64_t pipeline_hash(uint64_t h, const char *text) {
  for (; *text; text++)
    if (*text < '0' || *text > '9') h = (h ^ (uint8_t)*text) * 0x100000001B3u;
  return h;
}

/* How much a run computes, roughly; of IF and WHILE both bodies, once. */
static int64_t pipeline_work(const struct graph *g) {
  int64_t work = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    int64_t out = 0;
    for (int k = 0; k < n->n_out; k++) out += graph_elements(&g->tensors[n->out[k]]);
    for (int k = 0; k < n->n_in; k++)
      if (n->in[k] >= 0) work += graph_elements(&g->tensors[n->in[k]]);
    work += graph_macs(g, i) + out;
    if (n->attrs.kernel_h > 0 && n->attrs.kernel_w > 0)
      work += out * n->attrs.kernel_h * n->attrs.kernel_w;
    for (int k = 0; k < GRAPH_BODIES && n->body[k] != NULL && work <= PIPELINE_WORK; k++)
      work += pipeline_work(n->body[k]);
    if (work > PIPELINE_WORK) return PIPELINE_WORK + 1;
  }
  return work;
}

static void pipeline_canonical(const struct graph_tensor *t, uint8_t *bytes) {
  static const uint32_t one = 0x7FC00000u;
  for (size_t i = 0; t->type == MOTE_FLOAT32 && i + 4 <= graph_bytes(t); i += 4) {
    uint32_t bits;
    memcpy(&bits, bytes + i, 4);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) memcpy(bytes + i, &one, 4);
  }
}

/* Input k of a model; the same numbers in every plan. */
static void pipeline_input(const struct graph_tensor *t, int k, uint8_t *to) {
  struct rng r;
  rng_seed(&r, (uint64_t)k + 1);
  const size_t n = graph_bytes(t);
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)rng_u32(&r);
  for (size_t i = 0; t->type == MOTE_FLOAT32 && i + 4 <= n; i += 4) {
    const float x = 4 * rng_unit(&r) - 2;
    memcpy(to + i, &x, 4);
  }
  for (size_t i = 0; t->type == MOTE_BOOL && i < n; i++) to[i] &= 1;
}

static size_t pipeline_outputs(const struct graph *g) {
  size_t n = 0;
  for (int i = 0; i < g->n_outputs; i++) n += graph_bytes(&g->tensors[g->outputs[i]]);
  return n;
}

/* Whether every loop of a plan calls a step, so that it can be left from the model's hook. */
static bool pipeline_loops_step(const struct compiled *c) {
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)c->plan;
  const struct mote_segment *s =
      (const struct mote_segment *)(const void *)(c->plan + plan->segments);
  for (unsigned i = 0; i < plan->n_segments; i++) {
    unsigned steps = 0;
    if (s[i].jump == MOTE_GO_ON || (s[i].counters & 0xFFFFu) > i) continue;
    for (unsigned k = s[i].counters & 0xFFFFu; k < i; k++) steps += s[k].steps;
    if (steps == 0) return false;
  }
  return true;
}

struct pipeline_limit {
  const struct compiled *c;
  int64_t left;
  jmp_buf stop;
};
static void pipeline_count(void *context, const struct mote_plan *plan, unsigned step,
                           unsigned first, unsigned made, const void *rows) {
  struct pipeline_limit *l = context;
  const struct mote_step *steps =
      (const struct mote_step *)(const void *)(l->c->plan + plan->steps);
  (void)first, (void)made, (void)rows;
  l->left -= 100 + l->c->steps[step].instructions / (steps[step].calls ? steps[step].calls : 1);
  if (l->left < 0) longjmp(l->stop, 1);
}
/* mote_run; false: it was left, since it computes for long. Nothing of it is lost by that: a run has no memory but its
 * stack and the arena. */
static bool pipeline_run_once(struct mote_model *m, const struct compiled *c) {
  struct pipeline_limit limit = {.c = c, .left = PIPELINE_LOOPS};
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)c->plan;
  const struct mote_segment *s =
      (const struct mote_segment *)(const void *)(c->plan + plan->segments);
  bool jumps = false;
  for (unsigned i = 0; i < plan->n_segments; i++) jumps = jumps || s[i].jump != MOTE_GO_ON;
  m->hook = jumps ? pipeline_count : NULL;
  m->hook_context = &limit;
  if (setjmp(limit.stop)) return false;
  mote_run(m);
  return true;
}

/* Two inferences, one behind the other, in an arena that ends where its block ends. stopped: set where one was left. */
static bool pipeline_run(const struct compiled *c, uint8_t *out, bool *stopped, struct err *e) {
  const struct graph *g = c->source;
  const size_t need = mote_arena_bytes((const struct mote_plan *)(const void *)c->plan);
  struct mote_model m;
  void *plan = NULL, *arena = NULL;
  if (posix_memalign(&plan, 64, c->plan_bytes) || posix_memalign(&arena, 64, need ? need : 1))
    abort();
  memcpy(plan, c->plan, c->plan_bytes);
  memset(arena, 0xA5, need);
  const enum mote_status status = mote_open(&m, plan, c->plan_bytes, arena, need);
  const bool ok =
      status == MOTE_OK || err_internal(e, "the plan is refused: %s", mote_status_text(status));
  if (!pipeline_loops_step(c)) *stopped = true;
  for (int k = 0; ok && k < 2 && !*stopped; k++) {
    for (int i = 0; i < g->n_inputs; i++)
      pipeline_input(&g->tensors[g->inputs[i]], 100 * k + i, mote_input(&m, (unsigned)i));
    *stopped = !pipeline_run_once(&m, c);
    for (int i = 0; i < g->n_outputs; i++) {
      const struct graph_tensor *t = &g->tensors[g->outputs[i]];
      memcpy(out, mote_output(&m, (unsigned)i), graph_bytes(t));
      pipeline_canonical(t, out);
      out += graph_bytes(t);
    }
  }
  free(plan);
  free(arena);
  return ok;
}

/* The evaluation of the first inference's inputs against what a plan gave. */
static bool pipeline_evaluates_to(struct arena *a, const struct graph *g, const uint8_t *out,
                                  struct err *e) {
  const void **inputs = ARENA_ARRAY(a, const void *, g->n_inputs + 1);
  const void **values = ARENA_ARRAY(a, const void *, g->n_tensors + 1);
  for (int i = 0; i < g->n_inputs; i++) {
    uint8_t *bytes = ARENA_ARRAY(a, uint8_t, graph_bytes(&g->tensors[g->inputs[i]]) + 1);
    pipeline_input(&g->tensors[g->inputs[i]], i, bytes);
    inputs[i] = bytes;
  }
  if (!graph_evaluate(g, inputs, a, values, e)) return true; /* too large for it */
  for (int i = 0; i < g->n_outputs; i++) {
    const struct graph_tensor *t = &g->tensors[g->outputs[i]];
    const size_t n = graph_bytes(t);
    uint8_t *value = ARENA_ARRAY(a, uint8_t, n + 1);
    memcpy(value, values[g->outputs[i]], n);
    pipeline_canonical(t, value);
    if (memcmp(value, out, n) != 0)
      return err_internal(e, "output %d of the plan is not what the graph evaluates to", i);
    out += n;
  }
  return true;
}

static bool pipeline_compile(struct pipeline *p, const struct graph *g, struct arena *a,
                             const struct compile_options *options, struct compiled *c,
                             struct err *e) {
  if (!compile_graph(g, options, a, c, e)) {
    p->signature = pipeline_hash(p->signature, e->text);
    p->broken = e->internal || !e->text[0];
    return false;
  }
  const enum mote_status status = mote_check(c->plan, c->plan_bytes);
  p->broken = status != MOTE_OK;
  if (p->broken) err_internal(e, "mote_check refuses the plan: %s", mote_status_text(status));
  return !p->broken;
}

/* Runs the plan, and another of the same model; both must agree. */
static void pipeline_compare(struct pipeline *p, const struct graph *g, struct arena *a,
                             const struct compiled *c, struct err *e) {
  const size_t n = pipeline_outputs(g);
  const struct compile_options plain = {
      .schedule = c->options.schedule == COMPILE_LAYERS ? COMPILE_STREAM : COMPILE_LAYERS,
      .all_channels = true};
  uint8_t *x = ARENA_ARRAY(a, uint8_t, 2 * n + 1), *y = ARENA_ARRAY(a, uint8_t, 2 * n + 1);
  struct compiled other;
  p->phase = PHASE_COMPILE;
  if (!pipeline_compile(p, g, a, &plain, &other, e)) {
    p->broken = true; /* one schedule fits, so does the other */
    return;
  }
  p->phase = PHASE_RUN;
  p->broken = !pipeline_run(c, x, &p->stopped, e) ||
              (!p->stopped && !pipeline_run(&other, y, &p->stopped, e));
  if (p->stopped) return;
  if (!p->broken && memcmp(x, y, 2 * n) != 0) {
    err_internal(e, "two plans of one model differ");
    p->broken = true;
  }
  if (!p->broken && graph_can_evaluate(g)) p->broken = !pipeline_evaluates_to(a, g, x, e);
  p->ran = true;
}

static bool pipeline_emit(const struct compiled *c, struct arena *a, struct err *e) {
  struct text header, source;
  if (c->plan_bytes > 65536 || c->arena_bytes > (8u << 20)) return true;
  text_init(&header, a);
  text_init(&source, a);
  struct compiled again;
  return compile_emit_c(c, "model", "model.h", &header, &source, e) &&
         compile_open_mote("fuzz", c->plan, c->plan_bytes, a, &again, e);
}

/* A plan exists that needs so much RAM; asked for one that needs no more, the compiler must find one. */
static void pipeline_fit(struct pipeline *p, const struct graph *g, struct arena *a,
                         const struct compiled *c, struct err *e) {
  struct compile_options options = c->options;
  struct compiled fits;
  options.ram_bytes = c->arena_bytes;
  options.fast = options.small = false;
  p->phase = PHASE_COMPILE;
  p->broken = !pipeline_compile(p, g, a, &options, &fits, e);
  if (!p->broken && fits.arena_bytes > c->arena_bytes) {
    err_internal(e, "a plan of %zu bytes where %zu were allowed", fits.arena_bytes, c->arena_bytes);
    p->broken = true;
  }
}

/* The whole way. e has a text where the model was refused or something broke. */
static struct pipeline pipeline_of(const uint8_t *bytes, size_t n, struct pipeline *live,
                                   struct err *e) {
  struct arena *a = arena_new(PIPELINE_MEMORY);
  struct pipeline *p = live;
  *p = (struct pipeline){.phase = PHASE_IMPORT, .signature = 0xCBF29CE484222325u};
  const struct graph *g = import_tflite(a, "fuzz", bytes, n, e);
  if (!g) {
    p->signature = pipeline_hash(p->signature, e->text);
    p->broken = e->internal || !e->text[0];
    arena_free(a);
    return *p;
  }
  /* Which kind of plan: told by the bytes, so that the same file goes the same way. */
  const uint32_t kind = mote_crc32(0, bytes, n);
  const struct compile_options options = {.schedule = (enum compile_schedule)(kind % 3),
                                          .fast = kind >> 8 & 1,
                                          .small = kind >> 9 & 1,
                                          .spare_rows = kind >> 10 & 1};
  struct compiled c;
  struct arena *again = arena_new(2 * PIPELINE_MEMORY); /* what was compiled once may be again */
  p->phase = PHASE_COMPILE;
  p->taken = pipeline_compile(p, g, a, &options, &c, e);
  if (p->taken) {
    for (int i = 0; i < c.n_steps; i++) p->signature = pipeline_hash(p->signature, c.steps[i].stem);
    if (c.arena_bytes < (8u << 20) && pipeline_work(g) <= PIPELINE_WORK)
      pipeline_compare(p, g, again, &c, e);
    if (!p->broken && options.schedule == COMPILE_AUTO && c.arena_bytes)
      pipeline_fit(p, g, again, &c, e);
    p->phase = PHASE_EMIT;
    if (!p->broken && !pipeline_emit(&c, a, e)) p->broken = true; /* what is planned is made */
  }
  p->phase = PHASE_DONE;
  arena_free(again);
  arena_free(a);
  return *p;
}

#endif
