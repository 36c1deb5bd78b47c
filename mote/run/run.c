/* The executor: replays a plan over one arena.
 *
 * How it works: for each segment, from its last step backwards, the first step that is not complete and whose
 * input rows all exist is called once; then again from the last. A step hands its kernel pointers to rows in
 * rings; rows outside the tensor are NULL (vertical padding).
 *
 * invariant: the counters count calls and rows made, nothing else; the compiler replays the same rule
 * (host/compile/replay.c), so what it proved about rings holds here and nothing is checked twice.
 * Termination: each turn makes a call, and the calls of a plan are finite. */
#include "mote/run/run.h"

/* What one inference needs at hand; lives on the stack. */
struct run {
  const struct mote_model *model;
  const struct mote_tensor *tensors;
  const struct mote_step *steps;
  const void **rows; /* max_rows pointers, in the arena's scratch */
  uint16_t *made;    /* rows made of each tensor */
  uint16_t *calls;   /* calls made of each step */
};

static const void *table(const struct mote_plan *plan, uint32_t offset) {
  return (const uint8_t *)plan + offset;
}

static const struct mote_port *port(const struct mote_plan *plan, uint32_t offset, unsigned i) {
  return (const struct mote_port *)table(plan, offset) + i;
}

static uint8_t *port_bytes(const struct mote_model *model, uint32_t offset, unsigned i) {
  const struct mote_tensor *t = table(model->plan, model->plan->tensors);
  return model->arena + t[port(model->plan, offset, i)->tensor].offset;
}

enum mote_status mote_init(struct mote_model *model, const struct mote_plan *plan,
                           const struct mote_kernel *const *kernels, void *arena, size_t n_arena) {
  if (((uintptr_t)arena & 7u) != 0 || n_arena < mote_arena_bytes(plan)) return MOTE_ERR_ARENA;
  model->plan = plan;
  model->kernels = kernels;
  model->arena = arena;
  model->hook = NULL;
  model->hook_context = NULL;
  return MOTE_OK;
}

void *mote_input(const struct mote_model *model, unsigned i) {
  MOTE_ASSERT(i < model->plan->n_inputs);
  return port_bytes(model, model->plan->inputs, i);
}

const void *mote_output(const struct mote_model *model, unsigned i) {
  MOTE_ASSERT(i < model->plan->n_outputs);
  return port_bytes(model, model->plan->outputs, i);
}

/* The first row that call `call` reads through an edge; negative in the padding above. */
static int32_t first_row(const struct mote_edge *edge, unsigned call) {
  return edge->first + (int32_t)(call * edge->advance); /* below 2^31: mote_check */
}

/* Whether every row that the step's next call reads exists. */
static int is_ready(const struct run *r, const struct mote_step *step, unsigned call) {
  for (unsigned i = 0; i < step->n_in; i++) {
    const struct mote_edge *edge = &step->in[i];
    const int32_t last = first_row(edge, call) + (edge->rows - 1) * (int32_t)edge->dilation;
    const int32_t end = r->tensors[edge->tensor].rows;
    if ((last < end ? last + 1 : end) > r->made[edge->tensor]) return 0;
  }
  return 1;
}

/* Writes the row pointers of one edge; returns where the next edge's begin. One remainder at most is taken:
 * the divider of a small core is slow or absent. */
static const void **point_at_rows(const struct run *r, const struct mote_edge *edge, unsigned call,
                                  const void **out) {
  const struct mote_tensor *t = &r->tensors[edge->tensor];
  const uint8_t *base = r->model->arena + t->offset;
  const unsigned ring = t->ring_rows, rows = t->rows;
  int32_t y = first_row(edge, call);
  unsigned n = edge->rows;
  for (; n != 0 && y < 0; n--, y += edge->dilation) *out++ = NULL;
  if (n != 0 && (uint32_t)y < rows) {
    unsigned slot = (unsigned)y;
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

/* One call of a step, with begin before its first and end after its last. */
static void call_step(struct run *r, unsigned s) {
  const struct mote_step *step = &r->steps[s];
  const struct mote_kernel *kernel = r->model->kernels[step->kernel];
  const struct mote_tensor *t = &r->tensors[step->output];
  const void *params = table(r->model->plan, step->params);
  uint8_t *arena = r->model->arena, *state = arena + step->state;
  const unsigned call = r->calls[s], first = call * step->rows_out;
  unsigned slot = first;
  if (slot >= t->ring_rows) slot %= t->ring_rows;
  uint8_t *out = arena + t->offset + slot * t->row_bytes;

  const void **rows = r->rows;
  for (unsigned i = 0; i < step->n_in; i++) rows = point_at_rows(r, &step->in[i], call, rows);
  if (call == 0 && kernel->begin != NULL) kernel->begin(params, state);
  kernel->row(params, r->rows, state, out);
  r->calls[s] = (uint16_t)(call + 1);
  r->made[step->output] = (uint16_t)(first + step->rows_out);
  tell(r, s, first, step->rows_out, out);
  if (call + 1 < step->calls) return;
  if (kernel->end != NULL) kernel->end(params, state, out);
  if (step->rows_out == 0) {
    r->made[step->output] = t->rows;
    tell(r, s, 0, t->rows, out);
  }
}

static int reads(const struct mote_step *step, unsigned tensor) {
  return step->in[0].tensor == tensor || (step->n_in > 1 && step->in[1].tensor == tensor);
}

/* Steps first .. last of one segment, the deepest that is ready first. After a call only the readers of what
 * it made can have become ready among the deeper steps, so the search goes on at the deepest of them. */
static void run_segment(struct run *r, unsigned first, unsigned last) {
  for (unsigned s = last;;) {
    const struct mote_step *step = &r->steps[s];
    if (r->calls[s] < step->calls && is_ready(r, step, r->calls[s])) {
      call_step(r, s);
      unsigned deepest = last;
      while (deepest > s && !reads(&r->steps[deepest], step->output)) deepest--;
      s = deepest;
    } else if (s == first) {
      return;
    } else {
      s--;
    }
  }
}

void mote_run(const struct mote_model *model) {
  const struct mote_plan *plan = model->plan;
  const uint16_t *segments = table(plan, plan->segments);
  struct run r;
  r.model = model;
  r.tensors = table(plan, plan->tensors);
  r.steps = table(plan, plan->steps);
  r.rows = (const void **)(void *)(model->arena + plan->scratch);
  r.made = (uint16_t *)(void *)(r.rows + plan->max_rows);
  r.calls = r.made + plan->n_tensors;
  /* What no step makes exists: the model's inputs, and other views of a tensor from an earlier segment. */
  for (unsigned t = 0; t < plan->n_tensors; t++) r.made[t] = r.tensors[t].rows;
  for (unsigned s = 0; s < plan->n_steps; s++) {
    r.calls[s] = 0;
    r.made[r.steps[s].output] = 0;
  }
  for (unsigned i = 0, first = 0; i < plan->n_segments; first += segments[i], i++)
    if (segments[i] != 0) run_segment(&r, first, first + segments[i] - 1u);
}
