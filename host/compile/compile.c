/* compile: runs the passes, lowers, schedules, builds the plan; tells what became of each operator. */
#include "host/compile/private.h"

#include <stdlib.h>
#include <string.h>

enum compile_core compile_core_named(const char *name) {
  static const char *const names[COMPILE_CORES] = {"host", "dsp", "v6m", "mve",
                                                   "rv32", "avr", "wasm"};
  int core = 0;
  while (core < COMPILE_CORES && strcmp(names[core], name) != 0) core++;
  return (enum compile_core)core;
}

const char *compile_fate_text(enum compile_fate fate) {
  static const char *const text[] = {"step", "view", "fused", "constant", "dead"};
  return (unsigned)fate < sizeof text / sizeof *text ? text[fate] : "?";
}

const char *compile_piece_text(enum compile_piece_kind kind) {
  static const char *const text[] = {"input", "output",  "activation", "ring",
                                     "state", "scratch", "variable"};
  return (unsigned)kind < sizeof text / sizeof *text ? text[kind] : "?";
}

/* One layer for each operator of the source model; steps until a pass says otherwise. */
static bool make_layers(const struct graph *g, struct arena *a, struct pass *p, struct err *e) {
  for (int n = 0; n < g->n_nodes; n++) {
    const int op = g->nodes[n].source_op;
    if (op < -1 || op >= UINT16_MAX)
      return err_internal(e, "node %d belongs to operator %d of the source", n, op);
    if (op >= p->n_layers) p->n_layers = op + 1;
  }
  p->layers = ARENA_ARRAY(a, struct compile_layer, p->n_layers + 1);
  for (int i = 0; i < p->n_layers; i++) {
    p->layers[i].source_op = i;
    p->layers[i].op = MOTE_OP_COUNT; /* import has settled it */
    p->layers[i].step = p->layers[i].view_of_op = p->layers[i].view_of_input = -1;
    p->layers[i].fused_into = -1;
    p->layers[i].fate = COMPILE_DEAD; /* until a node stands for it */
  }
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    struct compile_layer *layer = pass_layer(p, node);
    layer->op = node->op;
    layer->fate = COMPILE_STEP;
    layer->source_macs += graph_macs(g, n);
    layer->weight_bytes += (size_t)graph_weight_bytes(g, n);
    /* An assignment's layer is the value that it assigns. */
    if (node->n_out < 1 && node->n_in < 1) continue;
    const struct graph_tensor *t =
        &g->tensors[node->n_out > 0 ? node->out[0] : node->in[node->n_in - 1]];
    layer->type = t->type;
    layer->rank = t->rank;
    memcpy(layer->dims, t->dims, sizeof layer->dims);
    layer->bytes = graph_bytes(t);
  }
  return true;
}

/* The operator that reads a tensor first. */
static int reader_of(const struct graph *g, int tensor) {
  for (int n = 0; n < g->n_nodes; n++)
    for (int i = 0; i < g->nodes[n].n_in; i++)
      if (g->nodes[n].in[i] == tensor) return g->nodes[n].source_op;
  return -1;
}

/* Adds to what was done to a layer. */
static void say(const struct pass *p, struct compile_layer *layer, const char *what) {
  layer->why = layer->why == NULL ? what : arena_printf(p->arena, "%s; %s", layer->why, what);
}

/* What has no step of its own though it is needed: a variable that is read where it lies, or written there by the
 * operator that computes its value; and subgraphs, whose operators are steps of their own. */
static void finish_control(const struct graph *g, const struct pass *pass) {
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    if (node->op != MOTE_OP_READ_VARIABLE && node->op != MOTE_OP_ASSIGN_VARIABLE) continue;
    if (node->source_op < 0 || pass->layers[node->source_op].step >= 0) continue;
    struct compile_layer *layer = &pass->layers[node->source_op];
    const bool read = node->op == MOTE_OP_READ_VARIABLE;
    const int maker = read ? -1 : g->tensors[node->in[1]].producer;
    layer->fate = COMPILE_FUSED;
    layer->fused_into = read         ? reader_of(g, node->out[0])
                        : maker >= 0 ? g->nodes[maker].source_op
                                     : -1;
    layer->why = read ? "its readers read the variable itself: nothing is copied"
                      : "its value is computed where the variable lies: nothing is copied";
  }
  for (int i = 0; i < pass->n_layers; i++) {
    struct compile_layer *layer = &pass->layers[i];
    if (layer->fate == COMPILE_STEP && layer->step < 0) {
      layer->fate = COMPILE_FUSED;
      layer->why = "its subgraphs are part of the plan, with jumps between their steps";
    }
    if (layer->fate == COMPILE_FUSED && layer->fused_into < 0) layer->fused_into = i;
  }
}

/* Ties layers to steps, and views to what they view. */
static void finish_layers(const struct program *p, struct pass *pass) {
  const struct graph *g = p->graph;
  for (int i = 0; i < p->n_work; i++) {
    const struct graph_node *node = &g->nodes[p->work[i].node];
    struct compile_layer *layer = pass_layer(pass, node);
    if (p->work[i].is_jump) continue;
    if (layer->step < 0) layer->step = p->work[i].step;
    layer->macs = graph_macs(g, p->work[i].node);
    if (layer->unread > 0) layer->fused_into = reader_of(g, node->out[0]);
    if (node->op == MOTE_OP_AVERAGE_POOL_2D && p->work[i].kernel == MOTE_KERNEL_mean_s8)
      say(pass, layer,
          "one window over the whole map: rows are added as they come, the same sum of integers");
  }
  for (int n = 0; n < g->n_nodes; n++) {
    const struct graph_node *node = &g->nodes[n];
    if (node->n_out < 1 || p->storage[node->out[0]] == node->out[0]) continue;
    struct compile_layer *layer = pass_layer(pass, node);
    const int producer = g->tensors[node->in[0]].producer;
    if (layer->step >= 0 || node->op == MOTE_OP_READ_VARIABLE) continue;
    layer->fate = COMPILE_VIEW;
    layer->why =
        "the same bytes in another shape: nothing is copied"; /* its channels are its input's */
    if (producer >= 0) layer->view_of_op = g->nodes[producer].source_op;
    for (int i = 0; i < g->n_inputs; i++)
      if (g->inputs[i] == node->in[0]) layer->view_of_input = i;
  }
  finish_control(g, pass);
}

static bool run_passes(struct pass *p, const struct graph *g, const struct compile_options *o,
                       const struct graph **out) {
  for (int i = 0; i < pass_list_n && !p->failed; i++) {
    const bool channels = pass_list[i].run == pass_remove_channels;
    /* An output that is a constant has no place in the arena: that pass is no matter of choice. */
    if (o->no_passes && pass_list[i].run != pass_copy_outputs) continue;
    if (channels && o->all_channels) continue;
    g = pass_list[i].run(p, g);
  }
  *out = g;
  return !p->failed;
}

/* Kernels for wide vectors keep more in their state than those that all cores share: under a limit of RAM that they do
 * not meet, the latter are taken. */
static bool has_wide_vectors(enum compile_core core) {
  return core == COMPILE_CORE_HOST || core == COMPILE_CORE_WASM;
}

/* One object of a machine with pointers of 2 bytes. */
static bool fits_pointers(const struct compiled *c, struct err *e) {
  if (c->options.pointer_bytes > 2) return true;
  if (c->plan_bytes > INT16_MAX)
    return err_set(e, "the plan takes %zu bytes of flash; with pointers of 2 bytes at most %d",
                   c->plan_bytes, INT16_MAX);
  if (c->arena_bytes > INT16_MAX)
    return err_set(e, "the arena takes %zu bytes; with pointers of 2 bytes at most %d",
                   c->arena_bytes, INT16_MAX);
  return true;
}

/* Weight flash of the default plan: a twentieth more than the source model's, and for a small model FLASH_SPARE bytes. */
enum { FLASH_SPARE = 512 };
static bool is_within_flash(const struct compiled *c) {
  const size_t source = c->source_weight_bytes, share = source / 20;
  return c->options.fast ||
         c->flash_weight_bytes <= source + (share > FLASH_SPARE ? share : FLASH_SPARE);
}

/* And of the fastest plan 2.1 times the source model's. */
static int64_t left_of_fast_flash(const struct compiled *c) {
  const int64_t source = (int64_t)c->source_weight_bytes;
  return source * 2 + source / 10 + FLASH_SPARE - (int64_t)c->flash_weight_bytes;
}

/* A layer with widened weights: what they take more than the model's, and what a byte of that saves. */
struct wide_layer {
  int node;
  int64_t bytes, worth;
};
static int by_worth(const void *a, const void *b) {
  const struct wide_layer *x = a, *y = b;
  if (x->worth != y->worth) return x->worth > y->worth ? -1 : 1;
  return (x->node > y->node) - (x->node < y->node);
}

/* The layers whose weights stay narrow, since those worth more leave no flash for them; NULL: there is none to leave out. One
 * at least is left out where all are too many, whatever the estimates are of what they would take. */
static const bool *narrow_layers(const struct program *p, const struct compiled *c,
                                 struct arena *a) {
  const struct graph *g = p->graph;
  struct wide_layer *wide = ARENA_ARRAY(a, struct wide_layer, p->n_work + 1);
  bool *narrow = ARENA_ARRAY(a, bool, g->n_nodes + 1);
  int64_t left = left_of_fast_flash(c);
  int n = 0;
  if (!c->options.fast || left >= 0) return NULL;
  for (int i = 0; i < p->n_work; i++) {
    const struct work *w = &p->work[i];
    if (w->recipe == NULL || !w->recipe->widened) continue;
    wide[n].node = w->node;
    wide[n].bytes = (int64_t)c->steps[w->step].weight_bytes - graph_weight_bytes(g, w->node);
    wide[n].worth = lower_pixels(out_of(g, w)) * w->recipe->widened;
    left += wide[n++].bytes;
  }
  if (n == 0) return NULL;
  qsort(wide, (size_t)n, sizeof *wide, by_worth);
  for (int i = 0; i < g->n_nodes && c->options.narrow != NULL; i++)
    narrow[i] = c->options.narrow[i];
  for (int i = 0; i < n; i++) {
    if (wide[i].bytes <= left)
      left -= wide[i].bytes;
    else
      narrow[wide[i].node] = true;
  }
  return narrow;
}

/* The fewest outputs of a channel of the layers that have constants for each; 0: none has. */
static int64_t least_pixels(const struct program *p) {
  int64_t least = 0;
  for (int i = 0; i < p->n_work; i++) {
    const struct recipe *r = p->work[i].recipe;
    if (r == NULL || !(r->each_channel || p->work[i].folds)) continue;
    const struct graph_tensor *y = out_of(p->graph, &p->work[i]);
    const int64_t pixels =
        p->work[i].folds ? lower_fold_pixels(y, p->work[i].kernel) : lower_pixels(y);
    if (least == 0 || pixels < least) least = pixels;
  }
  return least;
}

static bool compile(const struct graph *g, const struct compile_options *options, struct arena *a,
                    struct compiled *out, struct err *e) {
  struct pass pass = {.arena = a, .e = e};
  struct program program;
  struct schedule schedule;
  memset(out, 0, sizeof *out);
  out->source = g;
  out->options = *options;
  if (out->options.pointer_bytes == 0) out->options.pointer_bytes = (int)sizeof(void *);
  if (!make_layers(g, a, &pass, e)) return false;
  for (int n = 0; n < g->n_nodes; n++) {
    out->source_macs += graph_macs(g, n);
    out->source_weight_bytes += (size_t)graph_weight_bytes(g, n);
  }
  if (!run_passes(&pass, g, options, &out->graph)) return false;
  for (int n = 0; n < out->graph->n_nodes; n++) out->macs += graph_macs(out->graph, n);
  if (!program_lower(control_flatten(out->graph, a), &out->options, a, &program, e)) return false;
  if (options->input_rows && !program_feed(&program, e)) return false;
  if (!schedule_choose(&program, &out->options, a, &schedule, e)) return false;
  if (!plan_build(&program, &schedule, a, out, e)) return false;
  if (!fits_pointers(out, e)) return false;
  const int64_t least = is_within_flash(out) ? 0 : least_pixels(&program);
  const bool *const narrow = narrow_layers(&program, out, a);
  if (least > 0 || narrow != NULL) {
    struct compile_options fewer = *options;
    if (least > 0) fewer.least_pixels = least + 1;
    if (narrow != NULL) fewer.narrow = narrow;
    return compile(g, &fewer, a, out, e);
  }
  const bool too_large = options->ram_bytes > 0 && out->arena_bytes > options->ram_bytes;
  if (too_large && has_wide_vectors(options->core)) {
    struct compile_options slim = *options;
    slim.core = COMPILE_CORE_DSP;
    return compile(g, &slim, a, out, e);
  }
  if (too_large)
    return err_set(e, "does not fit %zu bytes of RAM: the least possible is %zu bytes",
                   options->ram_bytes, out->arena_bytes);
  finish_layers(&program, &pass);
  out->layers = pass.layers;
  out->n_layers = pass.n_layers;
  return true;
}

bool compile_graph(const struct graph *g, const struct compile_options *options, struct arena *a,
                   struct compiled *out, struct err *e) {
  if (compile(g, options, a, out, e)) return true;
  err_file(e, g->name);
  return false;
}

size_t compile_layer_made(const struct compile_layer *l) {
  return l->fill == NULL ? l->bytes : l->bytes / (size_t)l->channels * (size_t)l->kept;
}

bool compile_layer_expand(const struct compile_layer *l, const void *made, size_t n, void *out) {
  const uint8_t *from = made;
  int8_t *to = out;
  if (l->unread > 0) return false;
  if (l->fill == NULL) {
    memcpy(out, made, n);
    return true;
  }
  for (size_t pixel = 0; pixel < n / (size_t)l->kept; pixel++)
    for (int c = 0; c < l->channels; c++)
      *to++ = (int8_t)(l->fill[c] == COMPILE_KEPT ? (int8_t)*from++ : l->fill[c]);
  return true;
}

bool compile_write_mote(const struct compiled *c, const char *path, struct err *e) {
  return file_write(path, c->plan, c->plan_bytes, e);
}
