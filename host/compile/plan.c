/* plan: writes the image that mote/run executes, and describes it.
 *
 * Order of the image: header, tensors, edges, steps, segments, variables, inputs, outputs, then one block of
 * parameters and constants for each step, then the constant tensors, each padded to a multiple of 8; every table and
 * block a multiple of 4 bytes, so that a C structure with the same members has the same bytes (emit.c). A plan
 * tensor is a storage seen as rows of one size; equal records of tensors and edges are there once. */
#include "host/compile/private.h"

#include <string.h>

/* A constant that lies in the plan as it is: an input of some work, or what a state begins with. */
struct constant {
  int storage;   /* tensor of the graph */
  size_t offset; /* in the plan */
};

/* The slots of a storage's rows; at: bytes from the first of the table. */
struct slots {
  const uint8_t *of_rows;
  int rows;
  size_t at;
};
struct builder {
  const struct program *p;
  const struct schedule *s;
  struct arena *arena;
  struct mote_plan *head;
  struct mote_tensor *tensors;
  int *tensor_storage; /* [tensors] */
  struct mote_edge *edges;
  struct mote_step *steps;
  struct mote_segment *segments;
  struct mote_variable *variables;
  int *variable_storage; /* [variables] */
  struct mote_port *inputs, *outputs;
  struct packed *packed; /* [steps] */
  struct slots *slots;   /* of pools, one behind the other */
  int n_slots;
  size_t slots_bytes;
  struct constant *constants;
  int n_constants;
  size_t bytes;
};

static size_t round4(size_t n) { return (n + 3) & ~(size_t)3; }
static size_t round8(size_t n) { return (n + 7) & ~(size_t)7; }

static bool is_constant(const struct builder *b, int storage) {
  return graph_is_constant(&b->p->graph->tensors[storage]);
}

/* The place of a constant in constants[]; made where it is new. */
static int constant_for(struct builder *b, int storage) {
  for (int i = 0; i < b->n_constants; i++)
    if (b->constants[i].storage == storage) return i;
  b->constants[b->n_constants] = (struct constant){storage, 0};
  return b->n_constants++;
}

/* The place of a storage's slots in the table, in words, from the plan's start; 0 where it has none. Storages whose rows lie
 * alike share them. */
static size_t slots_for(struct builder *b, int storage, int rows) {
  const uint8_t *of_rows = b->s->ring_slots[storage];
  if (of_rows == NULL) return 0;
  int i = 0;
  while (i < b->n_slots &&
         (b->slots[i].rows != rows || memcmp(b->slots[i].of_rows, of_rows, (size_t)rows) != 0))
    i++;
  if (i == b->n_slots) {
    b->slots[b->n_slots++] = (struct slots){of_rows, rows, b->slots_bytes};
    b->slots_bytes += round4((size_t)rows);
  }
  return (sizeof *b->head + b->slots[i].at) / 4;
}

/* The plan's tensor for a storage seen as these rows; made where it is new. Storages that lie in the same place of the
 * arena one after the other share a record. The offset of a constant is known later (place_tables). */
static uint16_t tensor_for(struct builder *b, int storage, const struct rows_of *rows) {
  const int held = b->s->ring_rows[storage] > 0 ? b->s->ring_rows[storage] : rows->rows;
  const bool constant = is_constant(b, storage);
  uint32_t offset = MOTE_CONSTANT;
  if (!constant)
    offset = (uint32_t)b->s->items[b->s->item_of[storage]].offset |
             (b->p->is_state[storage] ? MOTE_VARIABLE : 0);
  const struct mote_tensor t = {offset,
                                (uint32_t)rows->row_bytes,
                                (uint16_t)rows->rows,
                                (uint16_t)held,
                                (uint16_t)b->s->ring_shift[storage],
                                (uint16_t)slots_for(b, storage, rows->rows)};
  for (int i = 0; i < b->head->n_tensors; i++)
    if (memcmp(&b->tensors[i], &t, sizeof t) == 0 && (!constant || b->tensor_storage[i] == storage))
      return (uint16_t)i;
  if (constant) constant_for(b, storage);
  const int i = b->head->n_tensors++;
  b->tensor_storage[i] = storage;
  b->tensors[i] = t;
  return (uint16_t)i;
}

/* How many steps ahead the storage is made in this very segment; 0: it exists. */
static uint16_t maker_of(const struct builder *b, int step, const struct segment *seg,
                         int storage) {
  const int born = b->p->born[storage];
  if (storage == b->p->fed && seg->first == 0) return MOTE_FED;
  return born >= seg->first && born < step ? (uint16_t)(step - born) : 0;
}

static void add_edge(struct builder *b, const struct mote_edge *edge, unsigned *rows) {
  b->edges[b->head->n_edges++] = *edge;
  *rows += edge->rows;
}

/* The n edges that were added last: where the table has the same before, they are taken back. Returns the first. */
static uint16_t share_edges(struct builder *b, int n) {
  const int last = b->head->n_edges - n;
  for (int i = 0; i < last; i++)
    if (memcmp(&b->edges[i], &b->edges[last], (size_t)n * sizeof *b->edges) == 0) {
      b->head->n_edges = (uint16_t)(last > i + n ? last : i + n);
      return (uint16_t)i;
    }
  return (uint16_t)last;
}

/* The last step of the segment that reads what step i makes, in steps behind it. */
static uint16_t reader_of(const struct builder *b, int i, const struct segment *seg) {
  const struct work *maker = &b->p->work[i];
  for (int later = seg->end - 1; later > i; later--) {
    const struct work *w = &b->p->work[later];
    for (int k = 0; k < w->n_in; k++)
      for (int j = 0; j < maker->n_out; j++)
        if (b->p->storage[w->in[k]] == b->p->storage[maker->out[j]]) return (uint16_t)(later - i);
  }
  return 0;
}

/* A jump is a segment without steps. */
static void fill_jump(struct builder *b, const struct work *w, struct mote_segment *segment) {
  static const struct rows_of truth = {1, 1};
  uint32_t test = 0, target = 0;
  while (target < (uint32_t)b->s->n_segments && b->s->segments[target].first < w->target) target++;
  if (w->n_in > 0) test = tensor_for(b, b->p->storage[w->in[0]], &truth);
  segment->steps = 0;
  segment->jump = w->n_in > 0 ? MOTE_JUMP_UNLESS : MOTE_JUMP;
  segment->counters = target | test << 16;
}

static void fill_step(struct builder *b, int i, const struct segment *seg) {
  const struct work *w = &b->p->work[i];
  const struct form *f = form_in(w, seg);
  struct mote_step *step = &b->steps[w->step];
  const int state = b->s->state_item[i];
  unsigned rows = 0;
  step->kernel = (uint16_t)w->kernel;
  step->source_op = (uint16_t)b->p->graph->nodes[w->node].source_op;
  step->state = state < 0 ? 0 : (uint32_t)b->s->items[state].offset;
  step->state_bytes = (uint32_t)f->state_bytes;
  step->calls = (uint16_t)f->calls;
  step->rows_out = (uint16_t)f->rows_out;
  step->reader = reader_of(b, i, seg);
  step->n_in = (uint8_t)w->n_in;
  step->n_out = (uint8_t)w->n_out;
  for (int k = 0; k < w->n_in; k++) {
    const int storage = b->p->storage[w->in[k]];
    const struct reach *r = &f->reach[k];
    const struct mote_edge edge = {tensor_for(b, storage, &f->in[k]),
                                   (int16_t)r->first,
                                   (uint16_t)r->rows,
                                   (uint16_t)r->advance,
                                   (uint16_t)r->dilation,
                                   maker_of(b, i, seg, storage)};
    add_edge(b, &edge, &rows);
  }
  for (int j = 1; j < w->n_out; j++) {
    const struct rows_of whole = rows_made(b->p, w, f, j);
    const struct mote_edge edge = {tensor_for(b, b->p->storage[w->out[j]], &whole), 0, 1, 0, 1, 0};
    add_edge(b, &edge, &rows);
  }
  step->edges = share_edges(b, w->n_in + w->n_out - 1);
  step->output = tensor_for(b, b->p->storage[w->out[0]], &f->out);
  if (rows > b->head->max_rows) b->head->max_rows = (uint16_t)rows;
}

/* Any view of a storage that the plan has, else one row: the bytes are contiguous. */
static uint16_t whole_tensor(struct builder *b, int tensor) {
  const int storage = b->p->storage[tensor];
  struct rows_of whole = {1, graph_bytes(&b->p->graph->tensors[tensor])};
  for (int i = 0; i < b->head->n_tensors; i++)
    if (b->tensor_storage[i] == storage)
      whole = (struct rows_of){b->tensors[i].rows, b->tensors[i].row_bytes};
  if (storage == b->p->fed) whole = b->p->fed_rows;
  return tensor_for(b, storage, &whole);
}

static void fill_port(struct builder *b, struct mote_port *port, int tensor) {
  const struct graph_tensor *t = &b->p->graph->tensors[tensor];
  port->tensor = whole_tensor(b, tensor);
  port->type = (uint8_t)t->type;
  port->rank = (uint8_t)t->rank;
  for (int d = 0; d < t->rank; d++) port->dims[d] = t->dims[d];
  port->scale = t->quant.count == 1 ? t->quant.scale[0] : 0.0f;
  port->zp = t->quant.count == 1 ? t->quant.zp[0] : 0;
}

/* How many times a state's first value is the same bytes, whole elements: what is kept of rows begins as one row. */
static uint8_t repeats_of(const struct graph_tensor *t) {
  const uint8_t *data = t->data;
  const size_t n = graph_bytes(t), element = mote_type_bytes((int)t->type);
  for (size_t k = UINT8_MAX; data != NULL && k > 1; k--)
    if (n % (k * element) == 0 && memcmp(data, data + n / k, n - n / k) == 0) return (uint8_t)k;
  return 1;
}

/* Bytes of a constant, or of a state's first value, as they lie in the plan. */
static size_t constant_bytes(const struct builder *b, int storage) {
  const struct graph_tensor *t = &b->p->graph->tensors[storage];
  return t->is_state ? graph_bytes(t) / repeats_of(t) : graph_bytes(t);
}

/* The states that the arena holds, and what they begin with: their data, a constant of the plan unless all its
 * bytes are alike, or zeros. */
static void fill_variables(struct builder *b) {
  const struct graph *g = b->p->graph;
  for (int t = 0; t < g->n_tensors; t++) {
    if (b->p->storage[t] != t || !b->p->is_state[t] || b->s->item_of[t] < 0) continue;
    struct mote_variable *v = &b->variables[b->head->n_variables];
    const uint8_t *data = g->tensors[t].data;
    bool alike = true;
    v->tensor = whole_tensor(b, t);
    if (data != NULL) v->fill = data[0];
    for (size_t i = 1; data != NULL && i < graph_bytes(&g->tensors[t]); i++)
      alike = alike && data[i] == data[0];
    if (!alike) {
      v->repeats = repeats_of(&g->tensors[t]);
      constant_for(b, t);
    }
    b->variable_storage[b->head->n_variables++] = alike ? -1 : t;
  }
}

static bool check_limits(const struct builder *b, struct err *e) {
  const struct graph *g = b->p->graph;
  int edges = 0;
  for (int i = 0; i < b->p->n_work; i++) edges += b->p->work[i].n_in + b->p->work[i].n_out;
  if (edges + g->n_tensors + g->n_inputs + g->n_outputs > UINT16_MAX)
    return err_set(e, "%d operators are too many for one plan", b->p->n_work);
  if (b->s->arena_bytes > INT32_MAX / 2)
    return err_set(e, "needs an arena of %zu bytes, above what a plan can address",
                   b->s->arena_bytes);
  for (int i = 0; i < g->n_nodes; i++)
    if (g->nodes[i].source_op < -1 || g->nodes[i].source_op >= MOTE_NO_OPERATOR)
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
  int edges = 0;
  for (int i = 0; i < p->n_work; i++) edges += p->work[i].n_in + p->work[i].n_out;
  const int tensors = edges + ports + p->graph->n_tensors + 1;
  b->head = ARENA_NEW(a, struct mote_plan);
  b->tensors = ARENA_ARRAY(a, struct mote_tensor, tensors);
  b->tensor_storage = ARENA_ARRAY(a, int, tensors);
  b->edges = ARENA_ARRAY(a, struct mote_edge, edges + 1);
  b->steps = ARENA_ARRAY(a, struct mote_step, p->n_work + 1);
  b->segments = ARENA_ARRAY(a, struct mote_segment, b->s->n_segments + 1);
  b->variables = ARENA_ARRAY(a, struct mote_variable, p->graph->n_tensors + 1);
  b->variable_storage = ARENA_ARRAY(a, int, p->graph->n_tensors + 1);
  b->constants = ARENA_ARRAY(a, struct constant, p->graph->n_tensors + 1);
  b->inputs = ARENA_ARRAY(a, struct mote_port, p->graph->n_inputs + 1);
  b->outputs = ARENA_ARRAY(a, struct mote_port, p->graph->n_outputs + 1);
  b->packed = ARENA_ARRAY(a, struct packed, p->n_work + 1);
  b->slots = ARENA_ARRAY(a, struct slots, p->graph->n_tensors + 1);
  b->head->max_rows = 1;
  for (int k = 0; k < b->s->n_segments; k++) {
    const struct segment *seg = &b->s->segments[k];
    const int counters = b->s->counters_item[k];
    b->segments[k].steps = (uint16_t)(seg->end - seg->first);
    b->segments[k].counters = counters < 0 ? 0 : (uint32_t)b->s->items[counters].offset;
    if (p->work[seg->first].is_jump) {
      fill_jump(b, &p->work[seg->first], &b->segments[k]);
      continue;
    }
    for (int i = seg->first; i < seg->end; i++) fill_step(b, i, seg);
  }
  for (int i = 0; i < p->graph->n_inputs; i++) fill_port(b, &b->inputs[i], p->graph->inputs[i]);
  for (int i = 0; i < p->graph->n_outputs; i++) fill_port(b, &b->outputs[i], p->graph->outputs[i]);
  fill_variables(b);
}

/* n records of `size` bytes at *at. */
static uint32_t take(size_t *at, size_t n, size_t size) {
  const size_t first = *at;
  *at += round4(n * size);
  return (uint32_t)first;
}

/* Gives every table, block and constant its place. */
static void place_tables(struct builder *b) {
  struct mote_plan *h = b->head;
  size_t at = sizeof *h;
  at += b->slots_bytes;
  h->tensors = take(&at, h->n_tensors, sizeof *b->tensors);
  h->edges = take(&at, h->n_edges, sizeof *b->edges);
  h->steps = take(&at, h->n_steps, sizeof *b->steps);
  h->segments = take(&at, h->n_segments, sizeof *b->segments);
  h->variables = take(&at, h->n_variables, sizeof *b->variables);
  h->inputs = take(&at, h->n_inputs, sizeof *b->inputs);
  h->outputs = take(&at, h->n_outputs, sizeof *b->outputs);
  for (int i = 0; i < h->n_steps; i++) {
    b->steps[i].params_bytes = (uint32_t)b->packed[i].size;
    at = (at + b->packed[i].align - 1) / b->packed[i].align * b->packed[i].align;
    b->steps[i].params = take(&at, b->packed[i].size, 1);
  }
  if (b->n_constants > 0) at = round8(at);
  for (int i = 0; i < b->n_constants; i++) {
    const int storage = b->constants[i].storage;
    b->constants[i].offset = at;
    for (int t = 0; t < h->n_tensors; t++)
      if (b->tensor_storage[t] == storage && is_constant(b, storage))
        b->tensors[t].offset = (uint32_t)at | MOTE_CONSTANT;
    for (int v = 0; v < h->n_variables; v++)
      if (b->variable_storage[v] == storage) b->variables[v].value = (uint32_t)at;
    at += round8(constant_bytes(b, storage));
  }
  b->bytes = at;
}

static uint8_t *write_image(struct builder *b) {
  struct mote_plan *h = b->head;
  uint8_t *image = ARENA_ARRAY(b->arena, uint8_t, b->bytes + 8);
  for (int i = 0; i < b->n_slots; i++)
    memcpy(image + sizeof *h + b->slots[i].at, b->slots[i].of_rows, (size_t)b->slots[i].rows);
  memcpy(image + h->tensors, b->tensors, h->n_tensors * sizeof *b->tensors);
  memcpy(image + h->edges, b->edges, h->n_edges * sizeof *b->edges);
  memcpy(image + h->steps, b->steps, h->n_steps * sizeof *b->steps);
  memcpy(image + h->segments, b->segments, h->n_segments * sizeof *b->segments);
  memcpy(image + h->variables, b->variables, h->n_variables * sizeof *b->variables);
  memcpy(image + h->inputs, b->inputs, h->n_inputs * sizeof *b->inputs);
  memcpy(image + h->outputs, b->outputs, h->n_outputs * sizeof *b->outputs);
  for (int i = 0; i < h->n_steps; i++)
    memcpy(image + b->steps[i].params, b->packed[i].bytes, b->packed[i].size);
  for (int i = 0; i < b->n_constants; i++) {
    const struct graph_tensor *t = &b->p->graph->tensors[b->constants[i].storage];
    memcpy(image + b->constants[i].offset, t->data, constant_bytes(b, b->constants[i].storage));
  }
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
  h->pointer_bytes = (uint8_t)o->pointer_bytes;
  h->n_steps = (uint16_t)b->p->n_steps;
  h->n_segments = (uint16_t)b->s->n_segments;
  h->n_inputs = (uint16_t)b->p->graph->n_inputs;
  h->n_outputs = (uint16_t)b->p->graph->n_outputs;
  h->fed_rows = (uint16_t)(b->p->fed >= 0 ? b->p->fed_rows.rows : 0);
  h->scratch = (uint32_t)b->s->used_bytes;
  h->arena_bytes = h->scratch;
  if (h->max_rows > MOTE_STACK_ROWS) h->arena_bytes += (uint32_t)(h->max_rows * o->pointer_bytes);
}

/* ---- describing it -------------------------------------------------------------- */

static int copy_dims(const struct graph_tensor *t, int32_t *dims) {
  for (int d = 0; d < t->rank; d++) dims[d] = t->dims[d];
  return t->rank;
}

/* "op03_conv_2d"; the number of the step behind it where the operator has several. */
static const char *step_name(const struct builder *b, int i, int source_op) {
  const struct graph_node *nodes = b->p->graph->nodes;
  const char *op = mote_op_name((int)nodes[b->p->work[i].node].op);
  char *name;
  if (source_op < 0)
    name = arena_printf(b->arena, "step%02d_%s", i, op);
  else if (i > 0 && nodes[b->p->work[i - 1].node].source_op == source_op)
    name = arena_printf(b->arena, "op%02d_%s_%d", source_op, op, i);
  else
    name = arena_printf(b->arena, "op%02d_%s", source_op, op);
  for (char *c = name; *c != 0; c++)
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  return name;
}

static void describe_steps(const struct builder *b, struct compiled *out) {
  const struct graph *g = b->p->graph;
  struct compile_step *steps = ARENA_ARRAY(b->arena, struct compile_step, b->p->n_work + 1);
  for (int i = 0; i < b->p->n_work; i++) {
    const struct work *w = &b->p->work[i];
    const struct packed *packed = &b->packed[w->is_jump ? 0 : w->step];
    struct compile_step *step = &steps[w->is_jump ? 0 : w->step];
    int k = 0;
    if (w->is_jump) continue;
    while (i >= b->s->segments[k].end) k++;
    const struct form *f = form_in(w, &b->s->segments[k]);
    step->source_op = g->nodes[w->node].source_op;
    step->name = step_name(b, i, step->source_op);
    step->op = g->nodes[w->node].op;
    step->stem = kernel_stem(w->kernel);
    step->rank_in = copy_dims(&g->tensors[w->in[0]], step->dims_in);
    step->rank_out = copy_dims(&g->tensors[w->out[0]], step->dims_out);
    step->segment = k;
    step->macs = graph_macs(g, w->node);
    step->instructions = f->instructions;
    step->weight_bytes = packed->size - f->params_bytes;
    step->state_bytes = f->state_bytes;
    out->flash_weight_bytes += step->weight_bytes;
    struct compile_part *parts = ARENA_ARRAY(b->arena, struct compile_part, MAX_PARTS);
    for (int k2 = 0; k2 < packed->n_parts; k2++) {
      const struct part *part = &packed->parts[k2];
      parts[k2] = (struct compile_part){part->name, part->type, part->offset, part->count};
    }
    step->parts = parts;
    step->n_parts = packed->n_parts;
  }
  out->steps = steps;
  out->n_steps = b->p->n_steps;
}

static void describe_constants(const struct builder *b, struct compiled *out) {
  struct compile_part *parts = ARENA_ARRAY(b->arena, struct compile_part, b->n_constants + 1);
  for (int i = 0; i < b->n_constants; i++) {
    const struct graph_tensor *t = &b->p->graph->tensors[b->constants[i].storage];
    const size_t made = constant_bytes(b, b->constants[i].storage), bytes = round8(made);
    parts[i] = (struct compile_part){arena_printf(b->arena, "constant%d", i), t->type,
                                     b->constants[i].offset, bytes / mote_type_bytes((int)t->type)};
    out->flash_weight_bytes += made;
  }
  out->constants = parts;
  out->n_constants = b->n_constants;
}

static const char *piece_name(const struct builder *b, const struct item *item) {
  const char *name = item->storage >= 0 ? b->p->graph->tensors[item->storage].name : NULL;
  if (item->storage < 0) return item->kind == COMPILE_SCRATCH ? "counters" : "kernel state";
  return name != NULL ? name : "";
}

static void describe_pieces(const struct builder *b, struct compiled *out) {
  int n = b->s->n_items;
  struct compile_piece *pieces = ARENA_ARRAY(b->arena, struct compile_piece, n + 1);
  for (int i = 0; i < n; i++) {
    const struct item *item = &b->s->items[i];
    pieces[i] = (struct compile_piece){item->kind,        piece_name(b, item), (size_t)item->offset,
                                       item->exact_bytes, item->first,         item->last,
                                       item->rows,        item->ring_rows};
  }
  const int last = b->s->n_segments > 0 ? b->s->n_segments - 1 : 0;
  const size_t pointers = b->head->arena_bytes - b->head->scratch;
  if (pointers > 0)
    pieces[n++] = (struct compile_piece){
        COMPILE_SCRATCH, "row pointers", b->head->scratch, pointers, 0, last, 0, 0};
  out->pieces = pieces;
  out->n_pieces = n;
}

bool plan_build(const struct program *p, const struct schedule *s, struct arena *a,
                struct compiled *out, struct err *e) {
  struct builder b = {.p = p, .s = s, .arena = a};
  if (!check_limits(&b, e)) return false;
  make_tables(&b);
  if ((sizeof *b.head + b.slots_bytes) / 4 > UINT16_MAX)
    return err_set(e, "%zu bytes of slots are too many for one plan", b.slots_bytes);
  fill_header(&b, &out->options);
  for (int k = 0, i = 0; k < s->n_segments; k++)
    for (; i < s->segments[k].end; i++)
      if (!p->work[i].is_jump && !params_pack(p, &p->work[i], form_in(&p->work[i], &s->segments[k]),
                                              a, &b.packed[p->work[i].step], e))
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
  out->curve = s->curve;
  out->n_curve = s->n_curve;
  out->instructions = s->instructions;
  out->fastest_instructions = s->fastest_instructions;
  describe_steps(&b, out);
  describe_constants(&b, out);
  describe_pieces(&b, out);
  const enum mote_status status = mote_check(out->plan, out->plan_bytes);
  if (status != MOTE_OK)
    return err_internal(e, "the plan was refused: %s", mote_status_text(status));
  return true;
}
