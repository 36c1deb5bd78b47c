/* plan: writes the image that mote/run executes, and describes it.
 *
 * Order of the image: header, tensors, steps, segments, inputs, outputs, then one block of parameters and
 * constants for each step; every table and block a multiple of 4 bytes, so that a C structure with the same
 * members has the same bytes (emit.c). A plan tensor is a storage seen as rows of one size. */
#include "host/compile/private.h"

#include <string.h>

struct builder {
  const struct program *p;
  const struct schedule *s;
  struct arena *arena;
  struct mote_plan *head;
  struct mote_tensor *tensors;
  int *tensor_storage; /* [tensors] */
  struct mote_step *steps;
  uint16_t *segments;
  struct mote_port *inputs, *outputs;
  struct packed *packed; /* [steps] */
  size_t bytes;
};

static size_t round4(size_t n) { return (n + 3) & ~(size_t)3; }
static size_t round8(size_t n) { return (n + 7) & ~(size_t)7; }

/* The plan's tensor for a storage seen as these rows; made where it is new. */
static uint16_t tensor_for(struct builder *b, int storage, const struct rows_of *rows) {
  const struct item *item = &b->s->items[b->s->item_of[storage]];
  const int held = b->s->ring_rows[storage] > 0 ? b->s->ring_rows[storage] : rows->rows;
  for (int i = 0; i < b->head->n_tensors; i++)
    if (b->tensor_storage[i] == storage && b->tensors[i].rows == rows->rows &&
        b->tensors[i].row_bytes == rows->row_bytes)
      return (uint16_t)i;
  const int i = b->head->n_tensors++;
  b->tensor_storage[i] = storage;
  b->tensors[i] = (struct mote_tensor){(uint32_t)item->offset, (uint32_t)rows->row_bytes,
                                       (uint16_t)rows->rows, (uint16_t)held};
  return (uint16_t)i;
}

static void fill_step(struct builder *b, int i, const struct segment *seg) {
  const struct work *w = &b->p->work[i];
  const struct form *f = form_in(w, seg);
  struct mote_step *step = &b->steps[i];
  const int state = b->s->state_item[i];
  unsigned rows = 0;
  step->kernel = (uint16_t)w->op;
  step->source_op = (uint16_t)b->p->graph->nodes[w->node].source_op;
  step->state = state < 0 ? 0 : (uint32_t)b->s->items[state].offset;
  step->state_bytes = (uint32_t)f->state_bytes;
  step->calls = (uint16_t)f->calls;
  step->rows_out = (uint16_t)f->rows_out;
  step->n_in = (uint16_t)w->n_in;
  for (int k = 0; k < w->n_in; k++) {
    const struct reach *r = &f->reach[k];
    step->in[k] =
        (struct mote_edge){tensor_for(b, b->p->storage[w->in[k]], &f->in[k]), (int16_t)r->first,
                           (uint16_t)r->rows, (uint16_t)r->advance, (uint16_t)r->dilation};
    rows += (unsigned)r->rows;
  }
  step->output = tensor_for(b, b->p->storage[w->out], &f->out);
  if (rows > b->head->max_rows) b->head->max_rows = (uint16_t)rows;
}

static void fill_port(struct builder *b, struct mote_port *port, int tensor) {
  const struct graph_tensor *t = &b->p->graph->tensors[tensor];
  const int storage = b->p->storage[tensor];
  struct rows_of whole = {1, graph_bytes(t)};
  /* Any view of it does: the bytes are contiguous. */
  for (int i = 0; i < b->head->n_tensors; i++)
    if (b->tensor_storage[i] == storage)
      whole = (struct rows_of){b->tensors[i].rows, b->tensors[i].row_bytes};
  port->tensor = tensor_for(b, storage, &whole);
  port->type = (uint8_t)t->type;
  port->rank = (uint8_t)t->rank;
  for (int d = 0; d < t->rank; d++) port->dims[d] = t->dims[d];
  port->scale = t->quant.count == 1 ? t->quant.scale[0] : 0.0f;
  port->zp = t->quant.count == 1 ? t->quant.zp[0] : 0;
}

static bool check_limits(const struct builder *b, struct err *e) {
  const struct graph *g = b->p->graph;
  if (b->p->n_work * 3 + g->n_inputs + g->n_outputs > UINT16_MAX)
    return err_set(e, "%d operators are too many for one plan", b->p->n_work);
  if (b->s->arena_bytes > INT32_MAX / 2)
    return err_set(e, "needs an arena of %zu bytes, above what a plan can address",
                   b->s->arena_bytes);
  for (int i = 0; i < g->n_nodes; i++)
    if (g->nodes[i].source_op < 0 || g->nodes[i].source_op > UINT16_MAX)
      return err_internal(e, "node %d belongs to operator %d", i, g->nodes[i].source_op);
  for (int t = 0; t < g->n_tensors; t++)
    if (g->tensors[t].data == NULL && g->tensors[t].rank > MOTE_MAX_RANK)
      return err_set(e, "a tensor of rank %d", g->tensors[t].rank);
  return true;
}

static void make_tables(struct builder *b) {
  const struct program *p = b->p;
  struct arena *a = b->arena;
  const int ports = p->graph->n_inputs + p->graph->n_outputs;
  b->head = ARENA_NEW(a, struct mote_plan);
  b->tensors = ARENA_ARRAY(a, struct mote_tensor, p->n_work * 3 + ports + 1);
  b->tensor_storage = ARENA_ARRAY(a, int, p->n_work * 3 + ports + 1);
  b->steps = ARENA_ARRAY(a, struct mote_step, p->n_work + 1);
  b->segments = ARENA_ARRAY(a, uint16_t, b->s->n_segments + 2);
  b->inputs = ARENA_ARRAY(a, struct mote_port, p->graph->n_inputs + 1);
  b->outputs = ARENA_ARRAY(a, struct mote_port, p->graph->n_outputs + 1);
  b->packed = ARENA_ARRAY(a, struct packed, p->n_work + 1);
  b->head->max_rows = 1;
  for (int k = 0; k < b->s->n_segments; k++) {
    const struct segment *seg = &b->s->segments[k];
    b->segments[k] = (uint16_t)(seg->end - seg->first);
    for (int i = seg->first; i < seg->end; i++) fill_step(b, i, seg);
  }
  for (int i = 0; i < p->graph->n_inputs; i++) fill_port(b, &b->inputs[i], p->graph->inputs[i]);
  for (int i = 0; i < p->graph->n_outputs; i++) fill_port(b, &b->outputs[i], p->graph->outputs[i]);
}

/* Gives every table and block its place. */
static void place_tables(struct builder *b) {
  struct mote_plan *h = b->head;
  size_t at = sizeof *h;
  h->tensors = (uint32_t)at;
  at += h->n_tensors * sizeof *b->tensors;
  h->steps = (uint32_t)at;
  at += h->n_steps * sizeof *b->steps;
  h->segments = (uint32_t)at;
  at += round4(h->n_segments * sizeof *b->segments);
  h->inputs = (uint32_t)at;
  at += h->n_inputs * sizeof *b->inputs;
  h->outputs = (uint32_t)at;
  at += h->n_outputs * sizeof *b->outputs;
  for (int i = 0; i < h->n_steps; i++) {
    b->steps[i].params = (uint32_t)at;
    b->steps[i].params_bytes = (uint32_t)b->packed[i].size;
    at += b->packed[i].size;
  }
  b->bytes = at;
}

static uint8_t *write_image(struct builder *b) {
  struct mote_plan *h = b->head;
  uint8_t *image = ARENA_ARRAY(b->arena, uint8_t, b->bytes + 8);
  memcpy(image + h->tensors, b->tensors, h->n_tensors * sizeof *b->tensors);
  memcpy(image + h->steps, b->steps, h->n_steps * sizeof *b->steps);
  memcpy(image + h->segments, b->segments, h->n_segments * sizeof *b->segments);
  memcpy(image + h->inputs, b->inputs, h->n_inputs * sizeof *b->inputs);
  memcpy(image + h->outputs, b->outputs, h->n_outputs * sizeof *b->outputs);
  for (int i = 0; i < h->n_steps; i++)
    memcpy(image + b->steps[i].params, b->packed[i].bytes, b->packed[i].size);
  h->bytes = (uint32_t)b->bytes;
  h->crc32 = 0;
  memcpy(image, h, sizeof *h);
  h->crc32 = mote_crc32(0, image, b->bytes);
  memcpy(image, h, sizeof *h);
  return image;
}

static void fill_header(struct builder *b, const struct compile_options *o) {
  struct mote_plan *h = b->head;
  h->magic = MOTE_PLAN_MAGIC;
  h->version = MOTE_PLAN_VERSION;
  h->pack = (uint8_t)o->pack;
  h->pointer_bytes = (uint8_t)o->pointer_bytes;
  h->n_steps = (uint16_t)b->p->n_work;
  h->n_segments = (uint16_t)b->s->n_segments;
  h->n_inputs = (uint16_t)b->p->graph->n_inputs;
  h->n_outputs = (uint16_t)b->p->graph->n_outputs;
  h->scratch = (uint32_t)round8(b->s->used_bytes);
  h->arena_bytes = (uint32_t)(h->scratch + (size_t)(h->max_rows * o->pointer_bytes) +
                              2 * ((size_t)h->n_tensors + h->n_steps));
}

/* ---- describing it -------------------------------------------------------------- */

static int copy_dims(const struct graph_tensor *t, int32_t *dims) {
  for (int d = 0; d < t->rank; d++) dims[d] = t->dims[d];
  return t->rank;
}

static void describe_steps(const struct builder *b, struct compiled *out) {
  const struct graph *g = b->p->graph;
  struct compile_step *steps = ARENA_ARRAY(b->arena, struct compile_step, b->p->n_work + 1);
  for (int i = 0; i < b->p->n_work; i++) {
    const struct work *w = &b->p->work[i];
    struct compile_step *step = &steps[i];
    int k = 0;
    while (i >= b->s->segments[k].end) k++;
    const struct form *f = form_in(w, &b->s->segments[k]);
    char *name = arena_printf(b->arena, "op%02d_%s", g->nodes[w->node].source_op,
                              mote_op_name((int)g->nodes[w->node].op));
    for (char *c = name; *c != 0; c++)
      if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    step->source_op = g->nodes[w->node].source_op;
    step->op = g->nodes[w->node].op;
    step->name = name;
    step->stem = w->stem;
    step->rank_in = copy_dims(&g->tensors[w->in[0]], step->dims_in);
    step->rank_out = copy_dims(&g->tensors[w->out], step->dims_out);
    step->segment = k;
    step->macs = graph_macs(g, w->node);
    step->instructions = f->instructions;
    step->weight_bytes = b->packed[i].size - f->params_bytes;
    step->state_bytes = f->state_bytes;
    out->flash_weight_bytes += step->weight_bytes;
  }
  out->steps = steps;
  out->n_steps = b->p->n_work;
}

static void describe_pieces(const struct builder *b, struct compiled *out) {
  const struct graph *g = b->p->graph;
  const int n = b->s->n_items;
  struct compile_piece *pieces = ARENA_ARRAY(b->arena, struct compile_piece, n + 1);
  for (int i = 0; i < n; i++) {
    const struct item *item = &b->s->items[i];
    const char *name = item->storage >= 0 ? g->tensors[item->storage].name : "kernel state";
    pieces[i] = (struct compile_piece){item->kind,           name != NULL ? name : "",
                                       (size_t)item->offset, item->bytes,
                                       item->first,          item->last,
                                       item->rows,           item->ring_rows};
  }
  const int last = b->s->n_segments > 0 ? b->s->n_segments - 1 : 0;
  pieces[n] = (struct compile_piece){COMPILE_SCRATCH,
                                     "row pointers and counters",
                                     b->head->scratch,
                                     b->head->arena_bytes - b->head->scratch,
                                     0,
                                     last,
                                     0,
                                     0};
  out->pieces = pieces;
  out->n_pieces = n + 1;
}

bool plan_build(const struct program *p, const struct schedule *s, struct arena *a,
                struct compiled *out, struct err *e) {
  struct builder b = {.p = p, .s = s, .arena = a};
  if (!check_limits(&b, e)) return false;
  make_tables(&b);
  fill_header(&b, &out->options);
  for (int k = 0, i = 0; k < s->n_segments; k++)
    for (; i < s->segments[k].end; i++)
      if (!params_pack(p, &p->work[i], form_in(&p->work[i], &s->segments[k]), a, &b.packed[i], e))
        return false;
  place_tables(&b);
  if (b.bytes > INT32_MAX)
    return err_set(e, "a plan of %zu bytes; at most 2 GiB are possible", b.bytes);
  if (b.head->arena_bytes != s->arena_bytes)
    return err_internal(e, "the arena has %u bytes, %zu were planned", b.head->arena_bytes,
                        s->arena_bytes);
  out->plan = write_image(&b);
  out->plan_bytes = b.bytes;
  out->arena_bytes = b.head->arena_bytes;
  out->least_arena_bytes = s->least_bytes + (b.head->arena_bytes - b.head->scratch);
  out->n_segments = s->n_segments;
  out->instructions = s->instructions;
  out->fastest_instructions = s->fastest_instructions;
  describe_steps(&b, out);
  describe_pieces(&b, out);
  const enum mote_status status = mote_check(out->plan, out->plan_bytes);
  if (status != MOTE_OK)
    return err_internal(e, "the plan was refused: %s", mote_status_text(status));
  return true;
}
