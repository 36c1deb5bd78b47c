/* Proves a plan safe to run, once, on opening; mote_open.
 *
 * How it works: the header, then every table, port, tensor and step is checked against the block that holds
 * it: offsets inside the plan, rows inside the arena in front of the executor's scratch, and the parameters of
 * each kernel by the kernel's own check. All sums are made in 64 bits.
 *
 * invariant: whatever the bytes are, only plan->bytes of them are read, and none before it was proven there. */
#include "mote/run/run.h"

#include "mote/isa/isa.h"

/* The structures are the file's: who changes one raises MOTE_PLAN_VERSION and docs/spec/mote-file.md with it, and
 * then the sizes here. A reader of the old version would take the new bytes for something else. */
#define SIZE_OF(type, bytes) typedef char type##_size[sizeof(struct type) == (bytes) ? 1 : -1]
SIZE_OF(mote_plan, 72);
SIZE_OF(mote_tensor, 16);
SIZE_OF(mote_edge, 12);
SIZE_OF(mote_step, 32);
SIZE_OF(mote_segment, 8);
SIZE_OF(mote_variable, 8);
SIZE_OF(mote_port, 36);
SIZE_OF(mote_output, 16);
SIZE_OF(mote_conv2d_s8, 44);
SIZE_OF(mote_conv2d_pairs_s4, 48);
SIZE_OF(mote_depthwise_conv2d_s8, 44);
SIZE_OF(mote_fully_connected_s8, 28);
SIZE_OF(mote_add_s8, 32);
SIZE_OF(mote_add_weighted_s8, 16);
SIZE_OF(mote_pool_s8, 24);
SIZE_OF(mote_mean_s8, 24);
SIZE_OF(mote_depthwise_sums_s8, 20);
SIZE_OF(mote_softmax_s8, 16);
SIZE_OF(mote_copy, 4);
SIZE_OF(mote_pad_s8, 16);
SIZE_OF(mote_signal_window, 8);
SIZE_OF(mote_signal_scale, 4);
SIZE_OF(mote_fft, 28);
SIZE_OF(mote_signal_energy, 12);
SIZE_OF(mote_filter_bank, 28);
SIZE_OF(mote_filter_bank_root, 4);
SIZE_OF(mote_spectral_subtraction, 28);
SIZE_OF(mote_filter_bank_log, 12);
SIZE_OF(mote_pcan, 8);
SIZE_OF(mote_framer, 12);
SIZE_OF(mote_stacker, 8);
SIZE_OF(mote_overlap_add, 8);
SIZE_OF(mote_delay, 12);
SIZE_OF(mote_circular_buffer, 8);
SIZE_OF(mote_detection, 60);
SIZE_OF(mote_binary_q, 56);
SIZE_OF(mote_lut_8, 8);
SIZE_OF(mote_rescale, 28);
SIZE_OF(mote_quantise_f32, 24);
SIZE_OF(mote_dequantise_f32, 16);
SIZE_OF(mote_cast, 8);
SIZE_OF(mote_binary_f32, 36);
SIZE_OF(mote_binary_s32, 36);
SIZE_OF(mote_binary, 28);
SIZE_OF(mote_select, 28);
SIZE_OF(mote_add_n_s8, 24);
SIZE_OF(mote_simple_f32, 16);
SIZE_OF(mote_axis, 16);
SIZE_OF(mote_loops, 24);
SIZE_OF(mote_piece, 36);
SIZE_OF(mote_move, 20);
SIZE_OF(mote_gather, 76);
SIZE_OF(mote_update_slice, 80);
SIZE_OF(mote_resize_nearest, 24);
SIZE_OF(mote_resize_bilinear_s8, 24);
SIZE_OF(mote_resize_bilinear_f32, 24);
SIZE_OF(mote_reduce_q, 64);
SIZE_OF(mote_reduce_f32, 56);
SIZE_OF(mote_reduce, 52);
SIZE_OF(mote_arg, 16);
SIZE_OF(mote_cumsum_f32, 16);
SIZE_OF(mote_cumsum_s8, 32);
SIZE_OF(mote_rsqrt_s16, 12);

const struct mote_kernel *const mote_all_kernels[MOTE_KERNEL_COUNT] = {
#define KERNEL(stem, params) [MOTE_KERNEL_##stem] = &mote_kernel_##stem,
#include "mote/nn/kernels.def"
#undef KERNEL
};

/* A table of n records of `size` bytes at `offset` lies inside the plan. */
static int table_fits(const struct mote_plan *p, uint32_t offset, uint32_t n, size_t size) {
  return (offset & 3u) == 0 && offset <= p->bytes &&
         (uint64_t)n * size <= (uint64_t)(p->bytes - offset);
}

/* The CRC of the plan with its own field as 0. */
static uint32_t checksum(const struct mote_plan *p) {
  static const uint32_t zero = 0;
  const uint8_t *bytes = (const uint8_t *)p;
  const size_t at = offsetof(struct mote_plan, crc32);
  uint32_t crc = mote_crc32(0, bytes, at);
  crc = mote_crc32(crc, &zero, sizeof zero);
  return mote_crc32(crc, bytes + at + 4, p->bytes - at - 4);
}

static enum mote_status check_header(const void *bytes, size_t n) {
  const struct mote_plan *p = bytes;
  if (((uintptr_t)bytes & 7u) != 0) return MOTE_ERR_ALIGN;
  if (n < sizeof *p) return MOTE_ERR_TRUNCATED;
  if (p->magic != MOTE_PLAN_MAGIC) return MOTE_ERR_MAGIC;
  if (p->version != MOTE_PLAN_VERSION) return MOTE_ERR_VERSION;
  if (p->bytes > n) return MOTE_ERR_TRUNCATED;
  if (p->bytes < sizeof *p || p->bytes > INT32_MAX) return MOTE_ERR_BOUNDS;
  if (checksum(p) != p->crc32) return MOTE_ERR_CHECKSUM;
  if (p->zero != 0) return MOTE_ERR_VERSION;
  if (p->scratch > INT32_MAX || (p->max_rows > MOTE_STACK_ROWS && (p->scratch & 7u) != 0))
    return MOTE_ERR_BOUNDS;
  if (p->max_rows == 0 || p->n_inputs == 0 || p->n_outputs == 0) return MOTE_ERR_PARAMS;
  if (!table_fits(p, p->tensors, p->n_tensors, sizeof(struct mote_tensor)) ||
      !table_fits(p, p->edges, p->n_edges, sizeof(struct mote_edge)) ||
      !table_fits(p, p->steps, p->n_steps, sizeof(struct mote_step)) ||
      !table_fits(p, p->segments, p->n_segments, sizeof(struct mote_segment)) ||
      !table_fits(p, p->variables, p->n_variables, sizeof(struct mote_variable)) ||
      !table_fits(p, p->inputs, p->n_inputs, sizeof(struct mote_port)) ||
      !table_fits(p, p->outputs, p->n_outputs, sizeof(struct mote_port)))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static const void *table(const struct mote_plan *p, uint32_t offset) {
  return (const uint8_t *)p + offset;
}

static const struct mote_tensor *tensor(const struct mote_plan *p, unsigned i) {
  return (const struct mote_tensor *)table(p, p->tensors) + i;
}

static int is_constant(const struct mote_tensor *t) { return (t->offset & MOTE_CONSTANT) != 0; }
static int is_variable(const struct mote_tensor *t) { return (t->offset & MOTE_VARIABLE) != 0; }

static int is_whole(const struct mote_tensor *t) {
  return t->ring_rows == t->rows && t->shift == 0 && t->slots == 0;
}

/* A stretch of the arena, or of the plan. */
struct range {
  uint64_t first, end;
};
static struct range range_of(const struct mote_tensor *t) {
  const struct range r = {t->offset & ~3u,
                          (t->offset & ~3u) + (uint64_t)t->ring_rows * t->row_bytes};
  return r;
}
static int apart(struct range a, struct range b) {
  return a.first == a.end || b.first == b.end || a.end <= b.first || b.end <= a.first;
}

/* The slots of a tensor that has them are its ring's. */
static enum mote_status check_slots(const struct mote_plan *p, const struct mote_tensor *t) {
  const uint32_t at = 4 * (uint32_t)t->slots;
  if (at < sizeof *p || !table_fits(p, at, t->rows, 1)) return MOTE_ERR_BOUNDS;
  const uint8_t *slots = table(p, at);
  for (unsigned row = 0; row < t->rows; row++)
    if (slots[row] >= t->ring_rows) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

/* Tensors of the arena lie in front of its scratch, constants in the plan. */
static enum mote_status check_tensors(const struct mote_plan *p) {
  for (unsigned i = 0; i < p->n_tensors; i++) {
    const struct mote_tensor *t = tensor(p, i);
    if (t->rows == 0 || t->row_bytes == 0 || t->ring_rows == 0) return MOTE_ERR_PARAMS;
    if ((uint32_t)t->rows + t->shift > UINT16_MAX) return MOTE_ERR_PARAMS; /* slots fit 16 bits */
    if ((is_constant(t) || is_variable(t)) && !is_whole(t)) return MOTE_ERR_PARAMS;
    if (is_constant(t) && (is_variable(t) || (t->offset & 4u) != 0)) return MOTE_ERR_PARAMS;
    if (range_of(t).end > (is_constant(t) ? p->bytes : p->scratch)) return MOTE_ERR_BOUNDS;
    const enum mote_status status = t->slots != 0 ? check_slots(p, t) : MOTE_OK;
    if (status != MOTE_OK) return status;
  }
  return MOTE_OK;
}

static enum mote_status check_variables(const struct mote_plan *p) {
  const struct mote_variable *v = table(p, p->variables);
  for (unsigned i = 0; i < p->n_variables; i++, v++) {
    if (v->tensor >= p->n_tensors) return MOTE_ERR_BOUNDS;
    const struct mote_tensor *t = tensor(p, v->tensor);
    if (!is_variable(t) || (v->value & 7u) != 0) return MOTE_ERR_PARAMS;
    uint32_t bytes = (uint32_t)t->rows * t->row_bytes; /* it lies in the arena: no wrap */
    if (v->repeats > 1 && bytes % v->repeats != 0) return MOTE_ERR_PARAMS;
    if (v->repeats > 1) bytes /= v->repeats;
    if (v->value != 0 && v->value + (uint64_t)bytes > p->bytes) return MOTE_ERR_BOUNDS;
  }
  return MOTE_OK;
}

/* Ports are tensors whose bytes are those of their shape; whole, but for the input that is fed. */
static enum mote_status check_port(const struct mote_plan *p, const struct mote_port *port,
                                   int is_fed) {
  if (port->tensor >= p->n_tensors) return MOTE_ERR_BOUNDS;
  if (port->type >= MOTE_TYPE_COUNT || port->rank > MOTE_MAX_RANK) return MOTE_ERR_PARAMS;
  const struct mote_tensor *t = tensor(p, port->tensor);
  if (is_constant(t)) return MOTE_ERR_PARAMS;
  if (is_fed ? t->rows != p->fed_rows || t->slots != 0 : !is_whole(t)) return MOTE_ERR_PARAMS;
  const uint64_t bytes = (uint64_t)t->rows * t->row_bytes; /* below 2^48 */
  uint64_t product = mote_type_bytes(port->type);
  for (unsigned d = 0; d < port->rank; d++) {
    if (port->dims[d] < 1) return MOTE_ERR_PARAMS;
    product *= (uint32_t)port->dims[d];
    if (product > bytes || product > INT32_MAX) return MOTE_ERR_PARAMS; /* the next is below 2^62 */
  }
  return product == bytes ? MOTE_OK : MOTE_ERR_PARAMS;
}

static enum mote_status check_ports(const struct mote_plan *p) {
  const struct mote_port *inputs = table(p, p->inputs), *outputs = table(p, p->outputs);
  enum mote_status status = MOTE_OK;
  for (unsigned i = 0; i < p->n_inputs && status == MOTE_OK; i++)
    status = check_port(p, &inputs[i], i == 0 && p->fed_rows != 0);
  for (unsigned i = 0; i < p->n_outputs && status == MOTE_OK; i++)
    status = check_port(p, &outputs[i], 0);
  return status;
}

/* A segment with the place of its first step and of its counters. */
struct group {
  unsigned first, steps;
  struct range counters; /* empty: it has none */
};

/* An edge reads a tensor at rows that fit int32. *missing: some of them may lie outside the tensor, where
 * the kernel gets NULL; its check refuses that where it cannot take it. */
static enum mote_status check_edge(const struct mote_plan *p, const struct mote_step *s,
                                   const struct mote_edge *e, unsigned *missing) {
  if (e->tensor >= p->n_tensors) return MOTE_ERR_BOUNDS;
  if (e->rows == 0 || e->dilation == 0) return MOTE_ERR_PARAMS;
  const int64_t last =
      e->first + (int64_t)(s->calls - 1) * e->advance + (int64_t)(e->rows - 1) * e->dilation;
  if (last > INT32_MAX - UINT16_MAX) return MOTE_ERR_PARAMS;
  *missing = e->first < 0 || last >= tensor(p, e->tensor)->rows;
  return MOTE_OK;
}

/* Inputs, and further outputs, which are whole and may be written. */
static enum mote_status check_edges(const struct mote_plan *p, const struct mote_step *s,
                                    unsigned place, struct mote_bounds *b) {
  const struct mote_edge *e = (const struct mote_edge *)table(p, p->edges) + s->edges;
  const unsigned n = s->n_in + s->n_out - 1u;
  uint32_t rows = 0;
  for (unsigned i = 0; i < n; i++, e++) {
    unsigned missing;
    const enum mote_status status = check_edge(p, s, e, &missing);
    if (status != MOTE_OK) return status;
    const struct mote_tensor *t = tensor(p, e->tensor);
    const int is_output = i >= s->n_in;
    if (e->maker != MOTE_FED ? e->maker > place : p->fed_rows == 0) return MOTE_ERR_PARAMS;
    if (is_output && (is_constant(t) || t->rows != 1 || e->rows != 1 || missing))
      return MOTE_ERR_PARAMS;
    b->row_bytes[i] = t->row_bytes;
    b->rows[i] = e->rows;
    if (missing) b->missing |= (uint16_t)(1u << i);
    if (is_output || is_variable(t)) b->writable |= (uint16_t)(1u << i);
    rows += e->rows;
  }
  b->n_in = s->n_in;
  b->n_out = s->n_out;
  return rows <= p->max_rows ? MOTE_OK : MOTE_ERR_PARAMS;
}

static enum mote_status check_kernel(unsigned number, const void *params,
                                     const struct mote_bounds *b) {
  switch (number) {
#define KERNEL(stem, type)                                                                         \
  case MOTE_KERNEL_##stem:                                                                         \
    if (b->params_bytes < sizeof(struct type)) return MOTE_ERR_BOUNDS;                             \
    return mote_##stem##_check(params, b);
#include "mote/nn/kernels.def"
#undef KERNEL
  default: return MOTE_ERR_OPERATOR;
  }
}

/* A kernel may keep indices in its state during a call, and the executor counts calls: what the step writes to
 * its outputs and variables must change neither. */
static int writes_are_apart(const struct mote_plan *p, const struct mote_step *s,
                            const struct mote_bounds *b, struct range counters) {
  const struct mote_edge *e = (const struct mote_edge *)table(p, p->edges) + s->edges;
  const struct range state = {s->state, (uint64_t)s->state + s->state_bytes};
  struct range to = range_of(tensor(p, s->output));
  if (!apart(state, counters) || !apart(to, state) || !apart(to, counters)) return 0;
  for (unsigned i = 0; i < b->n_in + b->n_out - 1; i++) {
    if ((b->writable >> i & 1u) == 0) continue;
    to = range_of(tensor(p, e[i].tensor));
    if (!apart(to, state) || !apart(to, counters)) return 0;
  }
  return 1;
}

/* Whether the step's calls make the rows of its output, contiguous in its ring; slots are of single rows. The last may make rows beyond the end,
 * where the ring has slots for them. */
static int makes_its_rows(const struct mote_step *s, const struct mote_tensor *out) {
  if (s->rows_out == 0) return out->rows == 1;
  if (out->slots != 0 && s->rows_out != 1) return 0;
  const uint32_t made = (uint32_t)s->calls * s->rows_out;
  return made >= out->rows && made - out->rows < s->rows_out && out->ring_rows % s->rows_out == 0 &&
         out->shift % s->rows_out == 0;
}

static enum mote_status check_step(const struct mote_plan *p, const struct mote_step *s,
                                   const struct group *group, unsigned place) {
  struct mote_bounds b = {0};
  if (s->kernel >= MOTE_KERNEL_COUNT) return MOTE_ERR_OPERATOR;
  if ((s->params & 3u) != 0 || s->params > p->bytes || s->params_bytes > p->bytes - s->params)
    return MOTE_ERR_BOUNDS;
  if ((s->state & 7u) != 0 || (uint64_t)s->state + s->state_bytes > p->scratch)
    return MOTE_ERR_BOUNDS;
  if (s->n_in == 0 || s->n_out == 0 || s->n_in + s->n_out - 1 > MOTE_MAX_EDGES || s->calls == 0)
    return MOTE_ERR_PARAMS;
  if (s->output >= p->n_tensors || (uint32_t)s->edges + s->n_in + s->n_out - 1u > p->n_edges)
    return MOTE_ERR_BOUNDS;
  if (s->reader >= group->steps - place) return MOTE_ERR_PARAMS;
  const enum mote_status status = check_edges(p, s, place, &b);
  if (status != MOTE_OK) return status;
  const struct mote_tensor *out = tensor(p, s->output);
  if (is_constant(out) || !makes_its_rows(s, out)) return MOTE_ERR_PARAMS;
  if (!writes_are_apart(p, s, &b, group->counters)) return MOTE_ERR_PARAMS;
  b.params_bytes = s->params_bytes;
  b.state_bytes = s->state_bytes;
  b.out_bytes = (size_t)out->row_bytes * (s->rows_out == 0 ? 1u : s->rows_out);
  return check_kernel(s->kernel, table(p, s->params), &b);
}

/* The steps of one segment. fed: rows of input 0 that are written while it runs. */
static enum mote_status check_segment(const struct mote_plan *p, const struct mote_segment *segment,
                                      unsigned first, unsigned fed) {
  const struct mote_port *input = table(p, p->inputs);
  struct group group = {first, segment->steps, {0, 0}};
  enum mote_status status = MOTE_OK;
  if (group.steps > 1 || fed > 1) {
    group.counters.first = segment->counters;
    group.counters.end = segment->counters + (uint64_t)sizeof(uint16_t) * group.steps;
    if ((segment->counters & 1u) != 0) return MOTE_ERR_PARAMS;
    if (group.counters.end > p->scratch) return MOTE_ERR_BOUNDS;
    if (fed != 0 && !apart(range_of(tensor(p, input->tensor)), group.counters))
      return MOTE_ERR_PARAMS;
  }
  for (unsigned i = 0; i < group.steps && status == MOTE_OK; i++)
    status = check_step(p, (const struct mote_step *)table(p, p->steps) + first + i, &group, i);
  return status;
}

/* A jump goes to a segment of the plan, or to its end; what it tests is a byte of the arena. Rows are not fed to
 * what is run again. */
static enum mote_status check_jump(const struct mote_plan *p, const struct mote_segment *segment,
                                   unsigned place) {
  const unsigned target = (unsigned)(segment->counters & 0xFFFFu);
  const unsigned test = (unsigned)(segment->counters >> 16);
  if (segment->jump > MOTE_JUMP_UNLESS || segment->steps != 0) return MOTE_ERR_PARAMS;
  if (target > p->n_segments || test >= p->n_tensors) return MOTE_ERR_BOUNDS;
  if (p->fed_rows != 0 && (place == 0 || target == 0)) return MOTE_ERR_PARAMS;
  return segment->jump == MOTE_JUMP_UNLESS && is_constant(tensor(p, test)) ? MOTE_ERR_PARAMS
                                                                           : MOTE_OK;
}

enum mote_status mote_check(const void *bytes, size_t n) {
  const struct mote_plan *p = bytes;
  enum mote_status status = check_header(bytes, n);
  if (status == MOTE_OK) status = check_tensors(p);
  if (status == MOTE_OK) status = check_variables(p);
  if (status == MOTE_OK) status = check_ports(p);
  const struct mote_segment *segment = table(p, p->segments);
  uint32_t first = 0;
  for (unsigned i = 0; i < p->n_segments && status == MOTE_OK; i++, segment++) {
    if (segment->steps > p->n_steps - first) return MOTE_ERR_BOUNDS;
    status = segment->jump != MOTE_GO_ON
                 ? check_jump(p, segment, i)
                 : check_segment(p, segment, first, i == 0 ? p->fed_rows : 0);
    first += segment->steps;
  }
  if (status != MOTE_OK) return status;
  return first == p->n_steps ? MOTE_OK : MOTE_ERR_BOUNDS;
}

enum mote_status mote_open(struct mote_model *model, const void *bytes, size_t n, void *arena,
                           size_t n_arena) {
  const enum mote_status status = mote_check(bytes, n);
  return status != MOTE_OK ? status : mote_init(model, bytes, mote_all_kernels, arena, n_arena);
}
