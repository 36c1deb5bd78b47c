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
SIZE_OF(mote_plan, 56);
SIZE_OF(mote_tensor, 12);
SIZE_OF(mote_step, 48);
SIZE_OF(mote_port, 36);
SIZE_OF(mote_output, 20);
SIZE_OF(mote_conv2d_s8, 52);
SIZE_OF(mote_depthwise_conv2d_s8, 52);
SIZE_OF(mote_fully_connected_s8, 32);
SIZE_OF(mote_add_s8, 32);
SIZE_OF(mote_pool_s8, 24);
SIZE_OF(mote_mean_s8, 24);
SIZE_OF(mote_softmax_s8, 16);
SIZE_OF(mote_copy, 4);
SIZE_OF(mote_pad_s8, 16);

const struct mote_kernel *const mote_all_kernels[MOTE_OP_COUNT] = {
#define X(op, params, stem) [MOTE_OP_##op] = &mote_kernel_##stem,
    MOTE_NN_KERNELS(X)
#undef X
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
  if (p->pack != MOTE_PACK_NATIVE) return MOTE_ERR_ISA;
  if ((p->scratch & 7u) != 0 || p->scratch > INT32_MAX) return MOTE_ERR_BOUNDS;
  if (p->max_rows == 0 || p->n_inputs == 0 || p->n_outputs == 0) return MOTE_ERR_PARAMS;
  if (!table_fits(p, p->tensors, p->n_tensors, sizeof(struct mote_tensor)) ||
      !table_fits(p, p->steps, p->n_steps, sizeof(struct mote_step)) ||
      !table_fits(p, p->segments, p->n_segments, sizeof(uint16_t)) ||
      !table_fits(p, p->inputs, p->n_inputs, sizeof(struct mote_port)) ||
      !table_fits(p, p->outputs, p->n_outputs, sizeof(struct mote_port)))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static const void *table(const struct mote_plan *p, uint32_t offset) {
  return (const uint8_t *)p + offset;
}

static enum mote_status check_tensors(const struct mote_plan *p) {
  const struct mote_tensor *t = table(p, p->tensors);
  for (unsigned i = 0; i < p->n_tensors; i++, t++) {
    if ((t->offset & 3u) != 0 || t->rows == 0 || t->row_bytes == 0) return MOTE_ERR_PARAMS;
    if (t->ring_rows == 0 || t->ring_rows > t->rows) return MOTE_ERR_PARAMS;
    if ((uint64_t)t->offset + (uint64_t)t->ring_rows * t->row_bytes > p->scratch)
      return MOTE_ERR_BOUNDS;
  }
  return MOTE_OK;
}

/* Ports are whole tensors whose bytes are those of their shape. */
static enum mote_status check_ports(const struct mote_plan *p, uint32_t offset, unsigned n) {
  const struct mote_tensor *tensors = table(p, p->tensors);
  const struct mote_port *port = table(p, offset);
  for (unsigned i = 0; i < n; i++, port++) {
    if (port->tensor >= p->n_tensors) return MOTE_ERR_BOUNDS;
    if (port->type >= MOTE_TYPE_COUNT || port->rank > MOTE_MAX_RANK) return MOTE_ERR_PARAMS;
    const struct mote_tensor *t = &tensors[port->tensor];
    if (t->ring_rows != t->rows) return MOTE_ERR_PARAMS;
    const uint64_t bytes = (uint64_t)t->rows * t->row_bytes; /* <= scratch < 2^31 */
    uint64_t product = mote_type_bytes(port->type);
    for (unsigned d = 0; d < port->rank; d++) {
      if (port->dims[d] < 1) return MOTE_ERR_PARAMS;
      product *= (uint32_t)port->dims[d]; /* below 2^31 * 2^31 */
      if (product > bytes) return MOTE_ERR_PARAMS;
    }
    if (product != bytes) return MOTE_ERR_PARAMS;
  }
  return MOTE_OK;
}

/* An edge reads a tensor at rows that fit int32. *missing: some of them may lie outside the tensor, where
 * the kernel gets NULL; its check refuses that where it cannot take it. */
static enum mote_status check_edge(const struct mote_plan *p, const struct mote_step *s,
                                   const struct mote_edge *e, unsigned *missing) {
  if (e->tensor >= p->n_tensors) return MOTE_ERR_BOUNDS;
  if (e->rows == 0 || e->dilation == 0) return MOTE_ERR_PARAMS;
  const struct mote_tensor *t = (const struct mote_tensor *)table(p, p->tensors) + e->tensor;
  const int64_t last =
      e->first + (int64_t)(s->calls - 1) * e->advance + (int64_t)(e->rows - 1) * e->dilation;
  if (last > INT32_MAX - UINT16_MAX) return MOTE_ERR_PARAMS;
  *missing = e->first < 0 || last >= t->rows;
  return MOTE_OK;
}

static enum mote_status check_kernel(unsigned op, const void *params, const struct mote_bounds *b) {
  switch (op) {
#define X(op_name, type, stem)                                                                     \
  case MOTE_OP_##op_name:                                                                          \
    if (b->params_bytes < sizeof(struct type)) return MOTE_ERR_BOUNDS;                             \
    return mote_##stem##_check(params, b);
    MOTE_NN_KERNELS(X)
#undef X
  default: return MOTE_ERR_OPERATOR;
  }
}

/* A kernel may keep indices in its state during a call: what it writes to the output must not change them. */
static int state_is_apart(const struct mote_step *s, const struct mote_tensor *out) {
  const uint64_t out_end = (uint64_t)out->offset + (uint64_t)out->ring_rows * out->row_bytes;
  return s->state_bytes == 0 || s->state >= out_end ||
         (uint64_t)s->state + s->state_bytes <= out->offset;
}

static enum mote_status check_step(const struct mote_plan *p, const struct mote_step *s) {
  const struct mote_tensor *tensors = table(p, p->tensors);
  struct mote_bounds b = {0};
  unsigned rows = 0;
  if (s->kernel >= MOTE_OP_COUNT || mote_all_kernels[s->kernel] == NULL) return MOTE_ERR_OPERATOR;
  if ((s->params & 3u) != 0 || s->params > p->bytes || s->params_bytes > p->bytes - s->params)
    return MOTE_ERR_BOUNDS;
  if ((s->state & 7u) != 0 || (uint64_t)s->state + s->state_bytes > p->scratch)
    return MOTE_ERR_BOUNDS;
  if (s->output >= p->n_tensors) return MOTE_ERR_BOUNDS;
  if (s->n_in < 1 || s->n_in > 2 || s->calls == 0) return MOTE_ERR_PARAMS;
  for (unsigned i = 0; i < s->n_in; i++) {
    const enum mote_status status = check_edge(p, s, &s->in[i], &b.missing[i]);
    if (status != MOTE_OK) return status;
    b.row_bytes[i] = tensors[s->in[i].tensor].row_bytes;
    b.rows[i] = s->in[i].rows;
    rows += s->in[i].rows;
  }
  const struct mote_tensor *out = &tensors[s->output];
  if (rows > p->max_rows || !state_is_apart(s, out)) return MOTE_ERR_PARAMS;
  if (s->rows_out == 0
          ? out->rows != 1
          : (uint32_t)s->calls * s->rows_out != out->rows || out->ring_rows % s->rows_out != 0)
    return MOTE_ERR_PARAMS;
  b.params_bytes = s->params_bytes;
  b.state_bytes = s->state_bytes;
  b.out_bytes = (size_t)out->row_bytes * (s->rows_out == 0 ? 1u : s->rows_out);
  return check_kernel(s->kernel, table(p, s->params), &b);
}

enum mote_status mote_check(const void *bytes, size_t n) {
  const struct mote_plan *p = bytes;
  enum mote_status status = check_header(bytes, n);
  if (status == MOTE_OK) status = check_tensors(p);
  if (status == MOTE_OK) status = check_ports(p, p->inputs, p->n_inputs);
  if (status == MOTE_OK) status = check_ports(p, p->outputs, p->n_outputs);
  if (status != MOTE_OK) return status;
  const uint16_t *segments = table(p, p->segments);
  uint32_t steps = 0;
  for (unsigned i = 0; i < p->n_segments; i++) steps += segments[i]; /* < 2^32 */
  if (steps != p->n_steps) return MOTE_ERR_BOUNDS;
  const struct mote_step *s = table(p, p->steps);
  for (unsigned i = 0; i < p->n_steps && status == MOTE_OK; i++) status = check_step(p, &s[i]);
  return status;
}

enum mote_status mote_open(struct mote_model *model, const void *bytes, size_t n, void *arena,
                           size_t n_arena) {
  const enum mote_status status = mote_check(bytes, n);
  return status != MOTE_OK ? status : mote_init(model, bytes, mote_all_kernels, arena, n_arena);
}
