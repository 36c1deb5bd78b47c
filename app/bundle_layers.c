/* bundle_layers: rows that a tap saw become the source model's layers, and layers become hashes; inputs and
 * outputs as files. See bundle.h. */
#include <stdlib.h>
#include <string.h>

#include "app/bundle.h"

/* ---- numbers of any type --------------------------------------------------------------- */

/* All NaNs are one: which bits a NaN has is left open by the operations that make it. */
static void canonical(enum mote_type type, uint8_t *bytes, size_t n) {
  static const uint32_t one = 0x7FC00000u;
  if (type != MOTE_FLOAT32) return;
  for (size_t i = 0; i + 4 <= n; i += 4) {
    uint32_t bits;
    memcpy(&bits, bytes + i, 4);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) memcpy(bytes + i, &one, 4);
  }
}

void bundle_canonical(const struct graph *g, uint8_t *outputs, int count) {
  for (int k = 0; k < count; k++)
    for (int i = 0; i < g->n_outputs; i++) {
      const struct graph_tensor *t = &g->tensors[g->outputs[i]];
      canonical(t->type, outputs, graph_bytes(t));
      outputs += graph_bytes(t);
    }
}

void bundle_value(enum mote_type type, const void *values, size_t i, char text[32]) {
  const uint8_t *at = (const uint8_t *)values + i * mote_type_bytes((int)type);
  uint64_t u = 0;
  float real = 0;
  memcpy(&u, at, mote_type_bytes((int)type));
  memcpy(&real, at, type == MOTE_FLOAT32 ? sizeof real : 0);
  switch (type) {
  case MOTE_INT8: snprintf(text, 32, "%d", (int8_t)u); break;
  case MOTE_INT16: snprintf(text, 32, "%d", (int16_t)u); break;
  case MOTE_INT32: snprintf(text, 32, "%ld", (long)(int32_t)u); break;
  case MOTE_INT64: snprintf(text, 32, "%lld", (long long)u); break;
  case MOTE_FLOAT32: snprintf(text, 32, "%.9g", (double)real); break;
  default: snprintf(text, 32, "%llu", (unsigned long long)u); break;
  }
}

/* ---- layers --------------------------------------------------------------------------- */

/* The node that made an operator's outputs in the source; where an operator became several, the last. */
static const struct graph_node *source_node(const struct compiled *c, int source_op) {
  for (int i = c->source->n_nodes - 1; i >= 0; i--)
    if (c->source->nodes[i].source_op == source_op) return &c->source->nodes[i];
  return NULL;
}

size_t bundle_layer_bytes(const struct compiled *c, int layer) {
  const struct graph_node *node = source_node(c, c->layers[layer].source_op);
  size_t bytes = c->layers[layer].bytes;
  for (int i = 1; node && i < node->n_out; i++)
    bytes += graph_bytes(&c->source->tensors[node->out[i]]);
  return bytes;
}

/* One output of one step, whole: as the plan makes it. */
static bool gather(const struct compiled *c, int step, int output, const struct emulate_rows *rows,
                   int n_rows, uint8_t *whole, size_t bytes, struct err *e) {
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)c->plan;
  const struct mote_step *s =
      (const struct mote_step *)(const void *)(c->plan + plan->steps) + step;
  const struct mote_tensor *t =
      (const struct mote_tensor *)(const void *)(c->plan + plan->tensors) + s->output;
  size_t seen = 0;
  for (int i = 0; i < n_rows; i++) {
    if (rows[i].step != step || rows[i].output != output) continue;
    const size_t at = output ? 0 : (size_t)rows[i].first * t->row_bytes;
    if (at > bytes || rows[i].size > bytes - at)
      return err_internal(e, "step %d made rows beyond its tensor of %zu bytes", step, bytes);
    memcpy(whole + at, rows[i].bytes, rows[i].size);
    seen += rows[i].size;
  }
  return seen == bytes || err_internal(e, "step %d made %zu of %zu bytes", step, seen, bytes);
}

/* A layer of the source, with the channels that the compiler removed and all outputs of an operator that has several, one
 * behind another; *out NULL: it exists nowhere. */
static bool gather_layer(struct arena *a, const struct compiled *c, const struct compile_layer *l,
                         const struct emulate_rows *rows, int n_rows, const uint8_t **out,
                         struct err *e) {
  const struct graph_node *node = source_node(c, l->source_op);
  const size_t made = compile_layer_made(l);
  uint8_t *bytes = ARENA_ARRAY(a, uint8_t, bundle_layer_bytes(c, (int)(l - c->layers)) + 1);
  uint8_t *whole, *to = bytes + made;
  *out = NULL;
  if (!gather(c, l->step, 0, rows, n_rows, bytes, made, e)) return false;
  canonical(l->type, bytes, made);
  if (l->fill) {
    whole = ARENA_ARRAY(a, uint8_t, l->bytes);
    if (compile_layer_expand(l, bytes, made, whole)) *out = whole;
    return true;
  }
  /* Either the step makes them all, or each has a step of its own, one behind the other. */
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)c->plan;
  const struct mote_step *steps = (const struct mote_step *)(const void *)(c->plan + plan->steps);
  const bool apart = steps[l->step].n_out == 1;
  for (int i = 1; node && i < node->n_out; i++) {
    const struct graph_tensor *t = &c->source->tensors[node->out[i]];
    if (!gather(c, apart ? l->step + i : l->step, apart ? 0 : i, rows, n_rows, to, graph_bytes(t),
                e))
      return false;
    canonical(t->type, to, graph_bytes(t));
    to += graph_bytes(t);
  }
  *out = bytes;
  return true;
}

/* Bytes that are not the plan's to change. */
static const uint8_t *canonical_copy(struct arena *a, enum mote_type type, const void *from,
                                     size_t n) {
  if (type != MOTE_FLOAT32) return from;
  uint8_t *copy = ARENA_ARRAY(a, uint8_t, n + 1);
  memcpy(copy, from, n);
  canonical(type, copy, n);
  return copy;
}

static const uint8_t *input_at(const struct graph *g, const uint8_t *inputs, int index) {
  for (int i = 0; i < index; i++) inputs += graph_bytes(&g->tensors[g->inputs[i]]);
  return inputs;
}

bool bundle_layers(struct arena *a, const struct compiled *c, const void *inputs,
                   const struct emulate_rows *rows, int n_rows, struct bundle_layers *layers,
                   struct err *e) {
  const uint8_t **bytes = ARENA_ARRAY(a, const uint8_t *, c->n_layers + 1);
  size_t *size = ARENA_ARRAY(a, size_t, c->n_layers + 1);
  for (int i = 0; i < c->n_layers; i++) {
    const struct compile_layer *l = &c->layers[i];
    size[i] = bundle_layer_bytes(c, i);
    if (l->fate == COMPILE_STEP && !gather_layer(a, c, l, rows, n_rows, &bytes[i], e)) return false;
    if (l->fate == COMPILE_CONSTANT && l->data && size[i] == l->bytes)
      bytes[i] = canonical_copy(a, l->type, l->data, l->bytes);
    /* A view of an earlier operator, or of an input; inputs NULL: features made it, and nobody saw it. */
    if (l->fate == COMPILE_VIEW && l->view_of_op >= 0 && l->view_of_op < i)
      bytes[i] = bytes[l->view_of_op];
    if (l->fate == COMPILE_VIEW && l->view_of_op < 0 && inputs)
      bytes[i] =
          canonical_copy(a, l->type, input_at(c->source, inputs, l->view_of_input), l->bytes);
  }
  *layers = (struct bundle_layers){.n = c->n_layers, .bytes = bytes, .size = size};
  return true;
}

/* ---- a plan in this process -------------------------------------------------------------- */

struct tap {
  struct arena *arena;
  const struct mote_model *model;
  struct emulate_rows *rows;
  int n, room;
};

static void add_rows(struct tap *t, struct emulate_rows piece) {
  if (t->n == t->room) {
    struct emulate_rows *more = ARENA_ARRAY(t->arena, struct emulate_rows, 2 * t->room + 64);
    if (t->n) memcpy(more, t->rows, (size_t)t->n * sizeof *more);
    t->rows = more;
    t->room = 2 * t->room + 64;
  }
  uint8_t *copy = ARENA_ARRAY(t->arena, uint8_t, piece.size);
  memcpy(copy, piece.bytes, piece.size);
  piece.bytes = copy;
  t->rows[t->n++] = piece;
}

static void on_rows(void *context, const struct mote_plan *plan, unsigned step, unsigned first,
                    unsigned made, const void *rows) {
  struct tap *t = context;
  const uint8_t *base = (const uint8_t *)plan;
  const struct mote_step *s = (const struct mote_step *)(const void *)(base + plan->steps) + step;
  const struct mote_tensor *tensors =
      (const struct mote_tensor *)(const void *)(base + plan->tensors);
  const struct mote_edge *more =
      (const struct mote_edge *)(const void *)(base + plan->edges) + s->edges + s->n_in;
  if (!made) return;
  add_rows(t, (struct emulate_rows){(int)step, 0, first, made, rows,
                                    (size_t)made * tensors[s->output].row_bytes});
  if (first + made < tensors[s->output].rows) return;
  /* The step is complete, and with it its further outputs. */
  for (int i = 1; i < s->n_out; i++) {
    const struct mote_tensor *o = &tensors[more[i - 1].tensor];
    add_rows(t, (struct emulate_rows){(int)step, i, 0, o->rows,
                                      t->model->arena + (o->offset & ~(uint32_t)3),
                                      (size_t)o->rows * o->row_bytes});
  }
}

void bundle_infer(struct mote_model *model, const void *input) {
  const struct mote_plan *plan = model->plan;
  const uint8_t *base = (const uint8_t *)plan;
  const struct mote_port *port = (const struct mote_port *)(const void *)(base + plan->inputs);
  const struct mote_tensor *t =
      (const struct mote_tensor *)(const void *)(base + plan->tensors) + port->tensor;
  if (plan->fed_rows == 0) mote_run(model);
  for (unsigned y = 0; y < plan->fed_rows; y++)
    mote_feed_row(model, (const uint8_t *)input + (size_t)y * t->row_bytes);
}

static void infer(const struct mote_model *model, const struct graph *g, const uint8_t *from,
                  uint8_t *to) {
  for (int i = 0; i < g->n_inputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->inputs[i]]);
    memcpy(mote_input(model, (unsigned)i), from, n);
    from += n;
  }
  mote_run(model);
  for (int i = 0; i < g->n_outputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->outputs[i]]);
    memcpy(to, mote_output(model, (unsigned)i), n);
    to += n;
  }
}

bool bundle_run_here(struct arena *a, const struct compiled *c, const void *inputs, int count,
                     uint8_t **outputs, struct emulate_rows **rows, int *n_rows, struct err *e) {
  const struct graph *g = c->source;
  struct mote_model model;
  struct tap tap = {.arena = a, .model = &model};
  size_t in_bytes = 0, out_bytes = 0;
  for (int i = 0; i < g->n_inputs; i++) in_bytes += graph_bytes(&g->tensors[g->inputs[i]]);
  for (int i = 0; i < g->n_outputs; i++) out_bytes += graph_bytes(&g->tensors[g->outputs[i]]);
  /* A plan for a chip needs a little more here, where pointers are wider. */
  const size_t need = mote_arena_bytes((const struct mote_plan *)(const void *)c->plan);
  uint8_t *arena = ARENA_ARRAY(a, uint8_t, need + 1);
  const enum mote_status status = mote_open(&model, c->plan, c->plan_bytes, arena, need);
  if (status != MOTE_OK)
    return err_internal(e, "the plan is refused: %s", mote_status_text(status));
  *outputs = ARENA_ARRAY(a, uint8_t, out_bytes * (size_t)count + 1);
  model.hook = on_rows;
  model.hook_context = &tap;
  for (int k = 0; k < count; k++) {
    infer(&model, g, (const uint8_t *)inputs + (size_t)k * in_bytes,
          *outputs + (size_t)k * out_bytes);
    model.hook = NULL;
  }
  bundle_canonical(g, *outputs, count);
  *rows = tap.rows;
  *n_rows = tap.n;
  return true;
}

/* ---- hashes -------------------------------------------------------------------------------- */

static void digest(const void *bytes, size_t n, uint8_t out[32]) {
  struct sha256 s;
  sha256_init(&s);
  sha256_add(&s, bytes, n);
  sha256_end(&s, out);
}

void bundle_output_hash(const void *outputs, size_t output_bytes, char hex[65]) {
  uint8_t d[32];
  digest(outputs, output_bytes, d);
  sha256_hex(d, hex);
}

const char *const *bundle_layer_hashes(struct arena *a, const struct bundle_layers *layers) {
  const char **hashes = ARENA_ARRAY(a, const char *, layers->n + 1);
  for (int i = 0; i < layers->n; i++) {
    if (!layers->bytes[i]) continue;
    char *hex = arena_alloc(a, 65, 1);
    bundle_output_hash(layers->bytes[i], layers->size[i], hex);
    hashes[i] = hex;
  }
  return hashes;
}

void bundle_hash(const void *outputs, size_t output_bytes, const struct bundle_layers *layers,
                 char hex[65]) {
  struct sha256 s;
  uint8_t d[32];
  sha256_init(&s);
  sha256_add(&s, outputs, output_bytes);
  for (int i = 0; i < layers->n; i++) {
    if (!layers->bytes[i]) continue;
    digest(layers->bytes[i], layers->size[i], d);
    sha256_add(&s, d, sizeof d);
  }
  sha256_end(&s, d);
  sha256_hex(d, hex);
}

bool bundle_write_layers(struct arena *a, const struct bundle_layers *layers, const char *dir,
                         struct err *e) {
  if (!dir_make(dir, e)) return false;
  for (int i = 0; i < layers->n; i++)
    if (layers->bytes[i] &&
        !file_write(arena_printf(a, "%s/op%02d.bin", dir, i), layers->bytes[i], layers->size[i], e))
      return false;
  return true;
}

/* ---- inputs and outputs ---------------------------------------------------------------------- */

static void put(uint8_t *to, uint64_t x, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(x >> 8 * i);
}

static void fill(const struct graph_tensor *t, uint8_t *to) {
  const int64_t n = graph_elements(t);
  for (int64_t i = 0; i < n; i++) {
    const int32_t p = (int32_t)((i * 37 + 11) % 256) - 128;
    const float real = (float)p / 128.0f;
    uint64_t bits = (uint64_t)(int64_t)p;
    if (t->type == MOTE_UINT8 || t->type == MOTE_BOOL) bits = (uint64_t)(p + 128);
    if (t->type == MOTE_INT16) bits = (uint64_t)(int64_t)(p * 256);
    if (t->type == MOTE_FLOAT32) memcpy(&bits, &real, sizeof real);
    put(to + (size_t)i * mote_type_bytes((int)t->type), bits, mote_type_bytes((int)t->type));
  }
}

/* The default input of bench and verify (docs/spec/cli.md), every input tensor from 0. */
static void pattern(const struct graph *g, uint8_t *to) {
  for (int i = 0; i < g->n_inputs; i++) {
    fill(&g->tensors[g->inputs[i]], to);
    to += graph_bytes(&g->tensors[g->inputs[i]]);
  }
}

static size_t sum_bytes(const struct graph *g, const int *tensors, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; i++) sum += graph_bytes(&g->tensors[tensors[i]]);
  return sum;
}

/* count times n bytes, each `apart` from the one before. */
static bool read_exact(struct arena *a, const char *path, uint8_t *to, size_t n, int count,
                       size_t apart, struct err *e) {
  uint8_t *data;
  size_t size;
  if (!file_read(a, path, (size_t)1 << 30, &data, &size, e)) return false;
  if (size != n * (size_t)count) {
    err_file(e, path);
    if (count == 1) return err_set(e, "the file has %zu bytes, the model wants %zu", size, n);
    return err_set(e, "the file has %zu bytes, %d inferences want %zu: %zu each", size, count,
                   n * (size_t)count, n);
  }
  for (int k = 0; k < count; k++) memcpy(to + (size_t)k * apart, data + (size_t)k * n, n);
  return true;
}

bool bundle_read_inputs(struct arena *a, const struct graph *g, const struct option_list *files,
                        int count, uint8_t **inputs, struct err *e) {
  const size_t bytes = sum_bytes(g, g->inputs, g->n_inputs);
  uint8_t *to = *inputs = ARENA_ARRAY(a, uint8_t, bytes * (size_t)count + 1);
  for (int k = 0; k < count && files->count == 0; k++) pattern(g, to + (size_t)k * bytes);
  if (files->count == 0) return true;
  if (files->count == 1) return read_exact(a, files->items[0], to, bytes, count, bytes, e);
  if (files->count != g->n_inputs)
    return err_set(
        e, "%d input files for a model with %d inputs: give one for each, or one with all of them",
        files->count, g->n_inputs);
  for (int i = 0; i < g->n_inputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->inputs[i]]);
    if (!read_exact(a, files->items[i], to, n, count, bytes, e)) return false;
    to += n;
  }
  return true;
}

bool bundle_write_outputs(struct arena *a, const struct graph *g, const struct option_list *files,
                          int count, const uint8_t *outputs, struct err *e) {
  const size_t bytes = sum_bytes(g, g->outputs, g->n_outputs);
  if (files->count == 0) return true;
  if (files->count == 1) return file_write(files->items[0], outputs, bytes * (size_t)count, e);
  if (files->count != g->n_outputs)
    return err_set(
        e, "%d output files for a model with %d outputs: give one for each, or one for all of them",
        files->count, g->n_outputs);
  for (int i = 0; i < g->n_outputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->outputs[i]]);
    uint8_t *one = ARENA_ARRAY(a, uint8_t, n * (size_t)count + 1);
    for (int k = 0; k < count; k++) memcpy(one + (size_t)k * n, outputs + (size_t)k * bytes, n);
    if (!file_write(files->items[i], one, n * (size_t)count, e)) return false;
    outputs += n;
  }
  return true;
}
