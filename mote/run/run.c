/* The executor: replays a plan over one arena.
 *
 * It calls nothing of the C library: a few bytes moved would bring some hundred bytes of it into every program.
 *
 * How it works: for each segment, from its last step backwards, the first step that is not complete and whose
 * input rows all exist is called once; then again from the last. A segment of one step is a loop over its calls.
 * A step hands its kernel pointers to rows in rings; rows outside the tensor are NULL (vertical padding). Rows
 * made are the calls of the step that makes them, so the calls of the segment's steps are all that is kept.
 *
 * invariant: the counters count calls, nothing else; the compiler replays the same rule
 * (host/compile/replay.c), so what it proved about rings holds here and nothing is checked twice.
 * Termination: each turn makes a call, and the calls of a segment are finite; a loop of the model ends when its own
 * condition does. */
#include "mote/run/run.h"

/* Kernels run deep in the executor's frames, so what returns before they run is kept out of those. */
#define APART __attribute__((noinline)) static

/* What one inference needs at hand; lives on the stack. */
struct run {
  const struct mote_model *model;
  const struct mote_tensor MOTE_ROM *tensors;
  const struct mote_edge MOTE_ROM *edges;
  const struct mote_step MOTE_ROM *steps;
  uint16_t *calls;   /* made of each step of the segment, in the arena */
  const void **rows; /* of one call: on the stack where they are few, or in the arena */
};

static const void MOTE_ROM *table(const struct mote_plan MOTE_ROM *plan, uint32_t offset) {
  return (const uint8_t MOTE_ROM *)plan + offset;
}

static const struct mote_port MOTE_ROM *port(const struct mote_plan MOTE_ROM *plan, uint32_t offset,
                                             unsigned i) {
  return (const struct mote_port MOTE_ROM *)table(plan, offset) + i;
}

static const struct mote_tensor MOTE_ROM *tensor(const struct mote_plan MOTE_ROM *plan,
                                                 unsigned i) {
  return (const struct mote_tensor MOTE_ROM *)table(plan, plan->tensors) + i;
}

/* Where row 0 of a tensor of the arena lies. */
static uint8_t *bytes_of(const struct mote_model *model, const struct mote_tensor MOTE_ROM *t) {
  return model->arena + (t->offset & ~3u);
}

/* The slot of each row of a tensor that has them. */
static const uint8_t MOTE_ROM *slots_of(const struct mote_plan MOTE_ROM *plan,
                                        const struct mote_tensor MOTE_ROM *t) {
  return table(plan, 4 * (uint32_t)t->slots);
}

/* Where a row of it lies in its ring. One remainder at most is taken: the divider of a small core is slow or
 * absent. */
static uint8_t *row_at(const struct mote_model *model, const struct mote_tensor MOTE_ROM *t,
                       unsigned row) {
  unsigned slot = row + t->shift;
  if (t->slots != 0)
    slot = slots_of(model->plan, t)[row];
  else if (slot >= t->ring_rows)
    slot %= t->ring_rows;
  return bytes_of(model, t) + slot * t->row_bytes;
}

void mote_reset(struct mote_model *model) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  const struct mote_variable MOTE_ROM *v = table(plan, plan->variables);
  for (unsigned i = 0; i < plan->n_variables; i++, v++) {
    const struct mote_tensor MOTE_ROM *t = tensor(plan, v->tensor);
    const size_t n = (size_t)t->rows * t->row_bytes, once = v->repeats > 1 ? n / v->repeats : n;
    const uint8_t MOTE_ROM *from = v->value != 0 ? table(plan, v->value) : NULL;
    uint8_t *to = bytes_of(model, t);
    for (size_t k = 0, at = 0; k < n; k++) {
      to[k] = from ? from[at] : v->fill;
      if (++at == once) at = 0;
    }
  }
  model->fed = 0;
}

enum mote_status mote_init(struct mote_model *model, const struct mote_plan MOTE_ROM *plan,
                           const struct mote_kernel *const *kernels, void *arena, size_t n_arena) {
  const enum mote_status status =
      mote_bind(model, plan, kernels, arena, n_arena, mote_arena_bytes(plan));
  if (status == MOTE_OK) mote_reset(model);
  return status;
}

void *mote_input(const struct mote_model *model, unsigned i) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  MOTE_ASSERT(i < plan->n_inputs);
  if (i == 0 && plan->fed_rows != 0) return NULL;
  return bytes_of(model, tensor(plan, port(plan, plan->inputs, i)->tensor));
}

const void *mote_output(const struct mote_model *model, unsigned i) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  MOTE_ASSERT(i < plan->n_outputs);
  return bytes_of(model, tensor(plan, port(plan, plan->outputs, i)->tensor));
}

/* The first row that call `call` reads through an edge; negative in the padding above. */
static int32_t first_row(const struct mote_edge MOTE_ROM *edge, unsigned call) {
  return edge->first + (int32_t)((uint32_t)call * edge->advance); /* below 2^31: mote_check */
}

/* Whether row `last` of what step s reads through an edge, or the last one in front of it, has still to be made. calls: the
 * counter of step s. */
static int is_missing(const struct run *r, unsigned s, const uint16_t *calls,
                      const struct mote_edge MOTE_ROM *edge, int32_t last) {
  const unsigned ahead = edge->maker;
  if (ahead == 0) return 0;
  if (ahead == MOTE_FED)
    return r->model->fed <= last && r->model->fed < r->tensors[edge->tensor].rows;
  const struct mote_step MOTE_ROM *maker = &r->steps[s - ahead];
  const unsigned made = *(calls - ahead);
  if (made == maker->calls) return 0;
  return last >= (maker->output == edge->tensor ? (int32_t)((uint32_t)made * maker->rows_out) : 0);
}

/* Whether every row that the next call of step s reads exists. */
APART int is_ready(const struct run *r, unsigned s, const uint16_t *calls) {
  const struct mote_step MOTE_ROM *step = &r->steps[s];
  const struct mote_edge MOTE_ROM *edge = &r->edges[step->edges];
  const unsigned call = *calls;
  if (call >= step->calls) return 0;
  for (unsigned n = step->n_in; n != 0; n--, edge++)
    if (is_missing(r, s, calls, edge,
                   first_row(edge, call) + (edge->rows - 1) * (int32_t)edge->dilation))
      return 0;
  return 1;
}

/* Writes the row pointers of one edge; returns where the next edge's begin. One remainder at most is taken:
 * the divider of a small core is slow or absent. */
static const void **point_at_rows(const struct run *r, const struct mote_edge MOTE_ROM *edge,
                                  unsigned call, const void **out) {
  const struct mote_tensor MOTE_ROM *t = &r->tensors[edge->tensor];
  /* Where rows cannot lie in ROM the compiler makes none that do. */
  const uint8_t *home = (t->offset & MOTE_CONSTANT) != 0
                            ? (const uint8_t *)(uintptr_t)r->model->plan
                            : r->model->arena;
  const uint8_t *base = home + (t->offset & ~3u);
  const unsigned ring = t->ring_rows, rows = t->rows;
  int32_t y = first_row(edge, call);
  unsigned n = edge->rows;
  for (; n != 0 && y < 0; n--, y += edge->dilation) *out++ = NULL;
  if (t->slots != 0) {
    const uint8_t MOTE_ROM *slots = slots_of(r->model->plan, t);
    for (; n != 0 && (uint32_t)y < rows; n--, y += edge->dilation)
      *out++ = base + slots[y] * t->row_bytes;
  } else if (n != 0 && (uint32_t)y < rows) {
    unsigned slot = (unsigned)y + t->shift;
    if (slot >= ring) slot %= ring;
    for (; n != 0 && (uint32_t)y < rows; n--, y += edge->dilation) {
      *out++ = base + slot * t->row_bytes;
      slot += edge->dilation;
      while (slot >= ring) slot -= ring;
    }
  }
  for (; n != 0; n--) *out++ = NULL;
  return out;
}

static void tell(const struct run *r, unsigned step, unsigned first, unsigned made,
                 const void *rows) {
  const struct mote_model *m = r->model;
  if (m->hook != NULL) m->hook(m->hook_context, m->plan, step, first, made, rows);
}

/* The row pointers of one call of step s: its number, since gcc would pass what a pointer leads to on the stack. */
APART void point_at_all(const struct run *r, unsigned s, unsigned call) {
  const struct mote_step MOTE_ROM *step = &r->steps[s];
  const struct mote_edge MOTE_ROM *edge = &r->edges[step->edges];
  const void **rows = r->rows;
  for (unsigned i = step->n_in + step->n_out - 1u; i != 0; i--)
    rows = point_at_rows(r, edge++, call, rows);
}

/* Where the output rows of a call of step s lie. */
APART uint8_t *out_of(const struct run *r, unsigned s, unsigned call) {
  const struct mote_step MOTE_ROM *step = &r->steps[s];
  const struct mote_tensor MOTE_ROM *t = &r->tensors[step->output];
  return row_at(r->model, t, call * step->rows_out);
}

/* Parameters where kernels can read them (MOTE_ROM, mote/base/base.h). */
#if MOTE_ROM_APART
struct near {
  const uint8_t MOTE_ROM *home; /* right in front of the copy: mote_at */
  uint32_t words[MOTE_PARAMS_MOST / 4];
};
APART const void *copy_near(const void MOTE_ROM *params, unsigned bytes, struct near *near) {
  const uint32_t MOTE_ROM *from = params;
  const unsigned n = bytes < MOTE_PARAMS_MOST ? bytes : MOTE_PARAMS_MOST;
  near->home = (const uint8_t MOTE_ROM *)from;
  for (unsigned i = 0; i < n / 4; i++) near->words[i] = from[i];
  return near->words;
}
static inline const void *params_of(const struct run *r, const struct mote_step MOTE_ROM *step,
                                    struct near *near) {
  const uint32_t bytes = step->params_bytes;
  return copy_near(table(r->model->plan, step->params), bytes < 65535u ? (unsigned)bytes : 65535u,
                   near);
}
static inline const void *params_in_line(const struct mote_line MOTE_ROM *step, struct near *near) {
  return copy_near(step->params, step->params_bytes, near);
}
#else
struct near {
  char unused;
};
static inline const void *params_of(const struct run *r, const struct mote_step *step,
                                    struct near *near) {
  (void)near;
  return table(r->model->plan, step->params);
}
static inline const void *params_in_line(const struct mote_line *step, struct near *near) {
  (void)near;
  return step->params;
}
#endif

/* What follows row(): the hook, and end after the last call. Apart, and from the numbers again, so that call_step
 * keeps little while row() runs. */
APART void end_call(const struct run *r, unsigned s, unsigned call) {
  const struct mote_step MOTE_ROM *step = &r->steps[s];
  const struct mote_kernel *kernel = r->model->kernels[step->kernel];
  uint8_t *out = out_of(r, s, call);
  const unsigned first = call * step->rows_out, left = r->tensors[step->output].rows - first;
  tell(r, s, first, left < step->rows_out ? left : step->rows_out, out);
  if (call + 1 < step->calls) return;
  struct near near;
  if (kernel->end != NULL)
    kernel->end(params_of(r, step, &near), r->model->arena + step->state, out);
  if (step->rows_out == 0) tell(r, s, 0, r->tensors[step->output].rows, out);
}

/* One call of a step, with begin before its first and end after its last. */
APART void call_step(const struct run *r, unsigned s, unsigned call) {
  point_at_all(r, s, call);
  const struct mote_step MOTE_ROM *step = &r->steps[s];
  const struct mote_kernel *kernel = r->model->kernels[step->kernel];
  struct near near;
  const void *params = params_of(r, step, &near);
  uint8_t *state = r->model->arena + step->state;
  if (call == 0 && kernel->begin != NULL) kernel->begin(params, state);
  kernel->row(params, r->rows, state, out_of(r, s, call));
  if (kernel->end != NULL || r->model->hook != NULL) end_call(r, s, call);
}

/* Steps first .. end - 1 of one segment, the deepest that is ready first, as far as their input rows exist. After a
 * call only the readers of what it made can have become ready among the deeper steps, so the search goes on at
 * the deepest of them. */
static void run_segment(const struct run *r, unsigned first, unsigned end) {
  for (unsigned s = end; s > first;) {
    uint16_t *calls = &r->calls[s - 1 - first];
    if (is_ready(r, s - 1, calls)) {
      call_step(r, s - 1, (*calls)++);
      s += r->steps[s - 1].reader;
    } else {
      s--;
    }
  }
}

/* The segment behind a jump. */
APART unsigned after_jump(const struct run *r, const struct mote_segment MOTE_ROM *jump,
                          unsigned here) {
  if (jump->jump == MOTE_JUMP_UNLESS && *bytes_of(r->model, &r->tensors[jump->counters >> 16]) != 0)
    return here + 1;
  return jump->counters & 0xFFFFu;
}

/* The first step of a segment. */
APART unsigned first_step(const struct mote_segment MOTE_ROM *segments, unsigned segment) {
  unsigned first = 0;
  while (segment-- != 0) first += segments[segment].steps;
  return first;
}

APART int run_segments(const struct mote_model *model, const void **rows) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  const struct mote_segment MOTE_ROM *segments = table(plan, plan->segments);
  uint16_t only = 0; /* the counter of a segment of one step */
  unsigned fed = plan->fed_rows;
  struct run r;
  r.model = model;
  r.tensors = table(plan, plan->tensors);
  r.edges = table(plan, plan->edges);
  r.steps = table(plan, plan->steps);
  r.rows = rows;
  for (unsigned i = 0, first = 0; i < plan->n_segments;) {
    const struct mote_segment MOTE_ROM *segment = &segments[i];
    if (segment->jump != MOTE_GO_ON) {
      i = after_jump(&r, segment, i);
      first = first_step(segments, i);
      continue;
    }
    r.calls = segment->steps > 1 || fed > 1 ? (uint16_t *)(void *)(model->arena + segment->counters)
                                            : &only;
    /* With the second fed row and later the first segment goes on where it stood. */
    if (fed == 0 || model->fed <= 1)
      for (unsigned s = 0; s < segment->steps; s++) r.calls[s] = 0;
    run_segment(&r, first, first + segment->steps);
    if (model->fed < fed) return 0;
    fed = 0;
    first += segment->steps;
    i++;
  }
  return 1;
}

/* Row pointers on the stack stand below all else, so they are no more than are needed: 4 serve most models. */
#define FEW_ROWS  4
#define SOME_ROWS 12
APART int run_with_few(const struct mote_model *model) {
  const void *rows[FEW_ROWS];
  return run_segments(model, rows);
}
APART int run_with_some(const struct mote_model *model) {
  const void *rows[SOME_ROWS];
  return run_segments(model, rows);
}
APART int run_with_most(const struct mote_model *model) {
  const void *rows[MOTE_STACK_ROWS];
  return run_segments(model, rows);
}

/* As far as rows have been fed; 1: to the end. Everything here is a call in the place of its caller. */
static int run(const struct mote_model *model) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  if (plan->max_rows <= FEW_ROWS) return run_with_few(model);
  if (plan->max_rows <= SOME_ROWS) return run_with_some(model);
  if (plan->max_rows <= MOTE_STACK_ROWS) return run_with_most(model);
  return run_segments(model, (const void **)(void *)(model->arena + plan->scratch));
}

void mote_run(const struct mote_model *model) { run(model); }

void mote_run_line(const struct mote_model *model, const struct mote_line MOTE_ROM *line,
                   unsigned n) {
  for (unsigned s = 0; s < n; s++, line++) {
    const struct mote_kernel *const kernel = line->kernel;
    struct near near;
    const void *const params = params_in_line(line, &near);
    uint8_t *const arena = model->arena, *const state = arena + 4 * (size_t)line->state;
    uint8_t *const out = arena + 4 * (size_t)line->out;
    const void *rows[MOTE_LINE_EDGES];
    for (unsigned k = 0; k < MOTE_LINE_EDGES; k++) rows[k] = arena + 4 * (size_t)line->edges[k];
    if (kernel->begin != NULL) kernel->begin(params, state);
    kernel->row(params, rows, state, out);
    if (kernel->end != NULL) kernel->end(params, state, out);
    if (model->hook != NULL)
      model->hook(model->hook_context, model->plan, s, 0, MOTE_ALL_ROWS, out);
  }
}

/* Copies a row to its place and counts it; after the last row of an inference the next is the first. */
APART void take_row(struct mote_model *model, const uint8_t *from) {
  const struct mote_plan MOTE_ROM *plan = model->plan;
  const struct mote_tensor MOTE_ROM *t = tensor(plan, port(plan, plan->inputs, 0)->tensor);
  if (model->fed >= plan->fed_rows) model->fed = 0;
  uint8_t *to = row_at(model, t, model->fed);
  for (size_t n = t->row_bytes; n != 0; n--) *to++ = *from++;
  model->fed++;
}

int mote_feed_row(struct mote_model *model, const void *row) {
  MOTE_ASSERT(model->plan->fed_rows != 0);
  take_row(model, row);
  return run(model);
}
