/* mote verify: proves that every witness computes the same bits, layer by layer.
 *
 * Witnesses: the reference evaluation of the graph (where that does not cover it, the plainest plan), the plan run in
 * this process, the emitted C compiled for this machine, and the emitted C on each emulated chip. One hash for all of
 * them, or the first place that differs.
 *
 * A project's windows of samples go through the features first; what the chips made of them is compared, too. */
#include <string.h>

#include "app/bundle.h"
#include "app/noise.h"

struct witness {
  const char *name;
  const uint8_t *outputs;      /* of all inferences */
  size_t output_bytes;         /* of one */
  const uint8_t *features;     /* of all windows; NULL: the model has none in front */
  struct bundle_layers layers; /* of the first */
  char hash[65];
};

struct verify {
  struct bundle_model model;
  struct option_list targets, in;
  int64_t inferences; /* one after the other: a variable shows from the second on */
  uint8_t *inputs;    /* of the network; behind features what this machine made of the windows */
  const int16_t *windows; /* NULL: no features in front */
  const char *stream;
  bool fast, small; /* plans of the targets, as in `mote build` */
  int64_t ram;
  const uint8_t *whole; /* outputs of the model of the whole window; NULL: not streamed */
  struct compiled here; /* compiled for this machine; decides which layers exist */
  struct witness witnesses[16];
  int n;
  const char *too_small[16]; /* chips that were not named and have too little memory */
  int n_too_small;
  /* Of a project that suppresses noise: hops of samples, the sound that this machine makes of them, and how many chips make the same. */
  const int16_t *hops;
  const uint8_t *sound;
  int n_sound;
};

static size_t sum_bytes(const struct graph *g, const int *tensors, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; i++) sum += graph_bytes(&g->tensors[tensors[i]]);
  return sum;
}

/* One inference by the slow and obvious evaluation; values: every tensor's bytes. */
static bool evaluate(struct command_line *c, const struct graph *g, const uint8_t *from,
                     uint8_t *out, const void **values) {
  const void **inputs = ARENA_ARRAY(c->arena, const void *, g->n_inputs + 1);
  for (int i = 0; i < g->n_inputs; i++) {
    inputs[i] = from;
    from += graph_bytes(&g->tensors[g->inputs[i]]);
  }
  if (!graph_evaluate(g, inputs, c->arena, values, &c->err)) return false;
  for (int i = 0; i < g->n_outputs; i++) {
    const size_t n = graph_bytes(&g->tensors[g->outputs[i]]);
    memcpy(out, values[g->outputs[i]], n);
    out += n;
  }
  bundle_canonical(g, out - sum_bytes(g, g->outputs, g->n_outputs), 1);
  return true;
}

/* Every operator's output by the evaluation. It covers no operator that reads a variable, so inferences stand alone. */
static bool add_reference(struct command_line *c, struct verify *v) {
  const struct graph *g = v->model.graph;
  struct witness *w = &v->witnesses[v->n++];
  const size_t out_bytes = sum_bytes(g, g->outputs, g->n_outputs),
               in_bytes = sum_bytes(g, g->inputs, g->n_inputs);
  const void **values = ARENA_ARRAY(c->arena, const void *, g->n_tensors + 1);
  uint8_t *out = ARENA_ARRAY(c->arena, uint8_t, out_bytes * (size_t)v->inferences + 1);
  *w = (struct witness){.name = "reference",
                        .outputs = out,
                        .output_bytes = out_bytes,
                        .features = v->windows ? v->inputs : NULL};
  for (int64_t k = v->inferences - 1; k >= 0; k--) /* the first last: its layers are told */
    if (!evaluate(c, g, v->inputs + (size_t)k * in_bytes, out + (size_t)k * out_bytes, values))
      return false;
  const int n = v->here.n_layers;
  const uint8_t **bytes = ARENA_ARRAY(c->arena, const uint8_t *, n + 1);
  size_t *size = ARENA_ARRAY(c->arena, size_t, n + 1);
  for (int i = 0; i < n; i++) {
    const struct compile_layer *l = &v->here.layers[i];
    size[i] = l->bytes;
    for (int k = 0; k < g->n_nodes; k++)
      if (g->nodes[k].source_op == l->source_op) bytes[i] = values[g->nodes[k].out[0]];
  }
  w->layers = (struct bundle_layers){.n = n, .bytes = bytes, .size = size};
  return true;
}

/* A plan in this process. */
static bool add_plan(struct command_line *c, struct verify *v, const char *name,
                     const struct compiled *plan) {
  struct witness *w = &v->witnesses[v->n++];
  struct emulate_rows *rows;
  uint8_t *outputs;
  int n_rows;
  if (!bundle_run_here(c->arena, plan, v->inputs, (int)v->inferences, &outputs, &rows, &n_rows,
                       &c->err))
    return false;
  *w = (struct witness){
      .name = name,
      .outputs = outputs,
      .output_bytes = sum_bytes(v->model.graph, v->model.graph->outputs, v->model.graph->n_outputs),
      .features = v->windows ? v->inputs : NULL};
  return bundle_layers(c->arena, plan, v->inputs, rows, n_rows, &w->layers, &c->err);
}

/* What the default plan is held against first: the evaluation; where that does not cover the model, a plan as plain as
 * there is: a layer at a time, every channel computed. */
static bool add_plain(struct command_line *c, struct verify *v) {
  const struct compile_options options = {
      .pointer_bytes = (int)sizeof(void *), .schedule = COMPILE_LAYERS, .all_channels = true};
  if (graph_can_evaluate(v->model.graph)) return add_reference(c, v);
  struct compiled *plain = ARENA_NEW(c->arena, struct compiled);
  return compile_graph(v->model.graph, &options, c->arena, plain, &c->err) &&
         add_plan(c, v, "layer by layer", plain);
}

/* From samples to sound on a target, bit for bit what this machine makes. */
static bool same_sound(struct command_line *c, struct verify *v, const struct emulate_target *t) {
  const struct bundle_model *m = &v->model;
  const struct bundle_request r = {.title = m->title,
                                   .graph = m->graph,
                                   .features = m->features,
                                   .target = t,
                                   .suppress = true,
                                   .least = m->least,
                                   .fast = v->fast,
                                   .small = v->small,
                                   .ram_bytes = (size_t)v->ram};
  struct emulate_result result;
  struct bundle b;
  if (!m->suppress) return true;
  if (!bundle_run_once(c->arena, &r, v->hops, (int)v->inferences, false, &b, &result, &c->err))
    return false;
  const size_t n = b.output_bytes;
  for (int64_t i = 0; i < v->inferences; i++)
    if (memcmp(result.outputs + (size_t)i * n, v->sound + (size_t)i * n, n) != 0)
      return err_set(&c->err, "%s: the sound differs in hop %lld", t->name, (long long)i);
  v->n_sound++;
  return true;
}

/* The emitted C, built for a target. A chip that nobody named and that is too small is told, and left out. */
static bool add_target(struct command_line *c, struct verify *v, const char *name) {
  struct witness *w = &v->witnesses[v->n];
  struct bundle_request r = {.title = v->model.title,
                             .graph = v->model.graph,
                             .features = v->windows ? v->model.features : NULL,
                             .objects = v->model.objects,
                             .fast = v->fast,
                             .small = v->small,
                             .ram_bytes = (size_t)v->ram,
                             .keep_features = v->windows != NULL};
  const void *inputs = v->windows ? (const void *)v->windows : v->inputs;
  struct emulate_result result;
  struct bundle b = {.dir = NULL};
  if (!emulate_find_target(c->arena, name, &r.target, &c->err)) return false;
  if (!bundle_run_once(c->arena, &r, inputs, (int)v->inferences, true, &b, &result, &c->err)) {
    const bool needs_more = v->ram > 0 && b.compiled.arena_bytes > (size_t)v->ram;
    if (!c->err.node[0]) err_node(&c->err, "%s", name);
    if (v->targets.count || (!b.program.too_large && !needs_more)) return false;
    c->err = (struct err){0};
    v->too_small[v->n_too_small++] = name;
    return true;
  }
  v->n++;
  *w = (struct witness){.name = r.target->name,
                        .outputs = result.outputs,
                        .output_bytes = result.output_bytes,
                        .features = v->windows ? b.features : NULL};
  return bundle_layers(c->arena, &b.compiled, v->inputs, result.rows, result.n_rows, &w->layers,
                       &c->err) &&
         same_sound(c, v, r.target);
}

static size_t feature_bytes(const struct verify *v) {
  return v->windows ? v->model.features->out_bytes : 0;
}

/* Over the outputs, then the features as were they the first layer, then the layers. */
static void hash(struct command_line *c, const struct verify *v, struct witness *w) {
  const int n = w->layers.n;
  const uint8_t **bytes = ARENA_ARRAY(c->arena, const uint8_t *, n + 1);
  size_t *size = ARENA_ARRAY(c->arena, size_t, n + 1);
  bytes[0] = w->features;
  size[0] = feature_bytes(v);
  for (int i = 0; i < n; i++) {
    bytes[i + 1] = w->layers.bytes[i];
    size[i + 1] = w->layers.size[i];
  }
  bundle_hash(w->outputs, w->output_bytes,
              &(struct bundle_layers){.n = n + 1, .bytes = bytes, .size = size}, w->hash);
}

/* Layers that some witness lacks are nobody's: the hash is over what all of them have. */
static void keep_common(struct command_line *c, struct verify *v) {
  const int n = v->here.n_layers;
  for (int k = 0; k < v->n; k++) {
    const uint8_t **bytes = ARENA_ARRAY(c->arena, const uint8_t *, n + 1);
    for (int i = 0; i < n; i++) {
      bool all = true;
      for (int m = 0; m < v->n; m++) all = all && v->witnesses[m].layers.bytes[i];
      bytes[i] = all ? v->witnesses[k].layers.bytes[i] : NULL;
    }
    v->witnesses[k].layers.bytes = bytes;
    /* Hashed below, once every witness was read with the layers of the others. */
  }
  for (int k = 0; k < v->n; k++) hash(c, v, &v->witnesses[k]);
}

/* The first byte at which two arrays differ; n: none. */
static size_t first_byte(const uint8_t *x, const uint8_t *y, size_t n) {
  size_t at = 0;
  while (at < n && x[at] == y[at]) at++;
  return at;
}

/* "value 7 of 12: 3 instead of 4", of n bytes of a type. */
static const char *values_at(struct arena *a, enum mote_type type, const uint8_t *got,
                             const uint8_t *wanted, size_t at, size_t n) {
  const size_t size = mote_type_bytes((int)type);
  char x[32], y[32];
  bundle_value(type, got, at / size, x);
  bundle_value(type, wanted, at / size, y);
  return arena_printf(a, "value %zu of %zu: %s instead of %s", at / size, n / size, x, y);
}

static const char *output_difference(struct arena *a, const struct graph *g, const uint8_t *wanted,
                                     const uint8_t *got) {
  for (int i = 0; i < g->n_outputs; i++) {
    const struct graph_tensor *t = &g->tensors[g->outputs[i]];
    const size_t n = graph_bytes(t), at = first_byte(wanted, got, n);
    if (at < n)
      return arena_printf(a, "output %d, %s", i, values_at(a, t->type, got, wanted, at, n));
    wanted += n;
    got += n;
  }
  return "the sizes of the outputs";
}

/* "features of window 3, value 7 of 33: 3 instead of 4"; NULL: all agree. */
static const char *features_difference(struct arena *a, const struct verify *v,
                                       const struct witness *w) {
  const size_t each = feature_bytes(v), n = each * (size_t)v->inferences;
  if (!each) return NULL;
  const size_t at = first_byte(v->witnesses[0].features, w->features, n);
  if (at == n) return NULL;
  const size_t from = at - at % each;
  return arena_printf(a, "features of window %zu, %s", at / each,
                      values_at(a, MOTE_INT8, w->features + from, v->witnesses[0].features + from,
                                at % each, each));
}

/* The features, then the first layer, then the output, where w differs from the first witness. */
static const char *difference(struct arena *a, const struct verify *v, const struct witness *w) {
  const struct witness *first = &v->witnesses[0];
  const char *before = features_difference(a, v, w);
  if (before) return before;
  for (int i = 0; i < v->here.n_layers; i++) {
    const struct compile_layer *l = &v->here.layers[i];
    const uint8_t *x = first->layers.bytes[i], *y = w->layers.bytes[i];
    if (!x || !y || first->layers.size[i] != w->layers.size[i]) continue;
    const size_t n = w->layers.size[i], at = first_byte(x, y, n);
    if (at == n) continue;
    /* Behind the first output lie those of other types: only bytes are known there. */
    return at < l->bytes ? arena_printf(a, "operator %d (%s), %s", i, mote_op_name((int)l->op),
                                        values_at(a, l->type, y, x, at, l->bytes))
                         : arena_printf(a, "operator %d (%s), byte %zu of its further outputs", i,
                                        mote_op_name((int)l->op), at - l->bytes);
  }
  if (first->output_bytes != w->output_bytes) return "the sizes of the outputs";
  size_t at = 0;
  while (at + 1 < (size_t)v->inferences &&
         !memcmp(first->outputs + at * w->output_bytes, w->outputs + at * w->output_bytes,
                 w->output_bytes))
    at++;
  const char *what = output_difference(a, v->model.graph, first->outputs + at * w->output_bytes,
                                       w->outputs + at * w->output_bytes);
  return at ? arena_printf(a, "inference %zu, %s", at, what) : what;
}

/* The hash is of the first inference; those that follow must agree, too. */
static bool agrees(const struct verify *v, const struct witness *w) {
  const struct witness *first = &v->witnesses[0];
  return !strcmp(w->hash, first->hash) &&
         !memcmp(w->outputs, first->outputs, w->output_bytes * (size_t)v->inferences) &&
         (!v->windows ||
          !memcmp(w->features, first->features, feature_bytes(v) * (size_t)v->inferences));
}

/* Whether the calls' outputs are those of the model of the whole window. */
static bool is_whole(const struct verify *v) {
  const struct witness *first = &v->witnesses[0];
  return !v->whole ||
         !memcmp(v->whole, first->outputs, first->output_bytes * (size_t)v->inferences);
}

static bool report(struct command_line *c, const struct verify *v) {
  struct text t;
  struct json j;
  bool equal = true;
  for (int i = 0; i < v->n; i++) equal = equal && agrees(v, &v->witnesses[i]);
  equal = equal && is_whole(v);
  text_init(&t, c->arena);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_bool(&j, "equal", equal);
  json_put_string(&j, "hash", v->witnesses[0].hash);
  json_put_int(&j, "inferences", v->inferences);
  json_put_int(&j, "features_bytes", (int64_t)feature_bytes(v));
  json_open_array(&j, "witnesses");
  for (int i = 0; i < v->n; i++) {
    const struct witness *w = &v->witnesses[i];
    const bool same = agrees(v, w);
    json_open_object(&j, NULL);
    json_put_string(&j, "target", w->name);
    json_put_string(&j, "hash", w->hash);
    json_put_bool(&j, "equal", same);
    if (!same) json_put_string(&j, "first_difference", difference(c->arena, v, w));
    json_close_object(&j);
    if (c->json) continue;
    printf("%-14s %s%s\n", w->name, w->hash, same ? "" : "  DIFFERS");
    if (!same) printf("               first at %s\n", difference(c->arena, v, w));
  }
  json_close_array(&j);
  json_open_array(&j, "too_small");
  for (int i = 0; i < v->n_too_small; i++) {
    json_put_string(&j, NULL, v->too_small[i]);
    if (!c->json) printf("%-14s too little memory for this model\n", v->too_small[i]);
  }
  json_close_array(&j);
  if (v->whole) {
    json_open_object(&j, "stream");
    bundle_stream_json(&v->model, &j);
    if (v->model.stream.carried)
      json_put_null(&j, "equal_to_whole_window");
    else
      json_put_bool(&j, "equal_to_whole_window", is_whole(v));
    json_close_object(&j);
    if (!c->json && !v->model.stream.carried)
      printf("%-14s %s\n", "whole window", is_whole(v) ? "the same outputs" : "DIFFERS");
  }
  if (v->model.suppress) json_put_int(&j, "sound_witnesses", v->n_sound);
  json_close_object(&j);
  if (c->json)
    fputs(t.data, stdout);
  else if (equal)
    printf("\n%d witnesses, one hash%s%s\n", v->n,
           v->inferences > 1 ? arena_printf(c->arena, ", %lld inferences", (long long)v->inferences)
                             : "",
           v->windows          ? ", from the samples on"
           : v->model.suppress ? ", and the same sound of all"
                               : "");
  return equal;
}

/* Windows of the recording that was named, else of samples that training never saw; what this machine's features make
 * of them is the network's input. */
#define WINDOWS_MOST 8
static bool read_windows(struct command_line *c, struct verify *v) {
  static const enum store_split splits[] = {STORE_TEST, STORE_VALIDATION, STORE_TRAIN};
  const struct bundle_model *m = &v->model;
  const struct features_block *f = m->features;
  const int most = v->inferences ? (int)v->inferences : WINDOWS_MOST;
  struct project_windows w = {.count = 0};
  if (v->in.count > 1)
    return err_set(&c->err, "a project takes one recording, not %d", v->in.count);
  if (v->in.count && !project_file_windows(m->project, m->trained, v->in.items[0], &w, &c->err))
    return false;
  for (int i = 0; i < 3 && !w.count && !v->in.count; i++)
    if (!project_split_windows(m->project, m->trained, splits[i], NULL, most, &w, &c->err))
      return false;
  if (!w.count)
    return err_set(&c->err, "the project has no windows to try: name a recording by -i");
  v->inferences = w.count < most ? w.count : most;
  v->windows = w.samples;
  v->inputs = ARENA_ARRAY(c->arena, uint8_t, f->out_bytes * (size_t)v->inferences);
  void *scratch = ARENA_ARRAY(c->arena, uint8_t, f->scratch_bytes + 4);
  for (int64_t i = 0; i < v->inferences; i++)
    features_run(f, w.samples + (size_t)i * (w.window_bytes / 2), scratch,
                 (int8_t *)v->inputs + (size_t)i * f->out_bytes);
  return true;
}

/* Hops of a mixture of test samples; the rows that they become are the network's input. */
#define HOPS_MOST 24
static bool read_hops(struct command_line *c, struct verify *v) {
  const struct bundle_model *m = &v->model;
  const struct mote_features *f = m->features->parts[0].params;
  int16_t *hops = NULL;
  if (v->in.count)
    return err_set(&c->err, "of a project that suppresses noise mixtures of its samples are taken: "
                            "leave -i out");
  if (!v->inferences) v->inferences = HOPS_MOST;
  if (!noise_hops(m->project, m->noise, (int)v->inferences, &hops, &c->err)) return false;
  v->hops = hops;
  v->inputs = ARENA_ARRAY(c->arena, uint8_t, f->columns * (size_t)v->inferences);
  void *memory = ARENA_ARRAY(c->arena, uint32_t, mote_suppress_bytes(f) / 4 + 1);
  mote_suppress_begin(f, memory);
  for (int64_t i = 0; i < v->inferences; i++)
    mote_suppress_take(f, memory, hops + i * f->hop, (int8_t *)v->inputs + i * f->columns);
  const struct bundle_request r = {
      .graph = m->graph, .features = m->features, .suppress = true, .least = m->least};
  uint8_t *sound = NULL;
  if (!bundle_run_host(c->arena, &r, hops, (int)v->inferences, &sound, &c->err)) return false;
  v->sound = sound;
  return true;
}

/* Where none were asked for: one inference, three of a model with variables, of a streamed one enough to fill its window. */
#define STREAM_CALLS_MOST 40
static bool read_inputs(struct command_line *c, struct verify *v) {
  const struct graph *g = v->model.graph;
  if (v->model.suppress) return read_hops(c, v);
  if (v->model.features) return read_windows(c, v);
  if (v->model.whole && !v->inferences && !v->in.count) {
    const int fill = bundle_stream_calls(&v->model);
    v->inferences = fill < STREAM_CALLS_MOST ? fill + 2 : STREAM_CALLS_MOST;
  }
  for (int i = 0; i < g->n_tensors && !v->inferences; i++)
    if (g->tensors[i].is_state) v->inferences = v->in.count ? 1 : 3;
  if (!v->inferences) v->inferences = 1;
  return bundle_read_inputs(c->arena, g, &v->in, (int)v->inferences, &v->inputs, &c->err);
}

/* The model of the whole window, over every window that the calls make. */
static bool run_whole(struct command_line *c, struct verify *v) {
  const struct compile_options options = {.pointer_bytes = (int)sizeof(void *)};
  struct compiled *whole = ARENA_NEW(c->arena, struct compiled);
  struct emulate_rows *rows;
  uint8_t *outputs;
  int n_rows;
  if (!compile_graph(v->model.whole, &options, c->arena, whole, &c->err) ||
      !bundle_run_here(c->arena, whole,
                       bundle_stream_windows(c->arena, &v->model, v->inputs, (int)v->inferences),
                       (int)v->inferences, &outputs, &rows, &n_rows, &c->err))
    return false;
  v->whole = outputs;
  return true;
}

/* Where none is named, witnesses are those that can be: a browser's compiler is not a chip's, and an AVR takes small models
 * only. */
static bool is_witness(struct command_line *c, const struct verify *v, const char *name) {
  const struct compile_options small = {.core = COMPILE_CORE_AVR, .pointer_bytes = 2};
  const struct emulate_target *target;
  struct err ignored = {0};
  struct compiled plan;
  if (!strcmp(name, "avr") && v->windows) return false; /* features are for cores of 32 bits */
  if (!strcmp(name, "wasm32"))
    return emulate_find_target(c->arena, name, &target, &ignored) && emulate_can_build(target) &&
           emulate_can_run(target);
  return strcmp(name, "avr") != 0 ||
         compile_graph(v->model.graph, &small, c->arena, &plan, &ignored);
}

enum { MOST_TARGETS = 12 };

static int name_targets(struct command_line *c, const struct verify *v, const char **names) {
  static const char *const all[] = {
      "host",       "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7",
      "cortex-m33", "cortex-m55",    "rv32imc",   "wasm32",    "avr"};
  int n = 0;
  for (; n < v->targets.count; n++) names[n] = v->targets.items[n];
  for (size_t i = 0; i < sizeof all / sizeof *all && !v->targets.count; i++)
    if (is_witness(c, v, all[i])) names[n++] = all[i];
  return n;
}

static bool gather(struct command_line *c, struct verify *v) {
  const struct compile_options options = {.pointer_bytes = (int)sizeof(void *)};
  const char *names[MOST_TARGETS];
  if (v->targets.count > MOST_TARGETS)
    return err_set(&c->err, "%d targets; at most %d", v->targets.count, MOST_TARGETS);
  if (!bundle_open_model(c->arena, c->n_words ? c->words[0] : NULL, &v->model, &c->err) ||
      !bundle_stream_model(c->arena, v->stream, &v->model, &c->err) || !read_inputs(c, v) ||
      !compile_graph(v->model.graph, &options, c->arena, &v->here, &c->err))
    return false;
  const int n = name_targets(c, v, names);
  progress_update(c->progress, "verify", 0, (uint64_t)n + 1, "this machine");
  if (v->model.whole && !v->model.stream.carried && !run_whole(c, v)) return false;
  if (!add_plain(c, v) || !add_plan(c, v, "plan", &v->here)) return false;
  for (int i = 0; i < n; i++) {
    progress_update(c->progress, "verify", (uint64_t)i + 1, (uint64_t)n + 1, "%s", names[i]);
    if (!add_target(c, v, names[i])) return false;
  }
  if (v->n_too_small == n)
    return err_set(&c->err, "no target has memory enough for this model%s",
                   v->ram ? ", or a plan within --ram" : "");
  progress_update(c->progress, "verify", (uint64_t)n + 1, (uint64_t)n + 1, "%d witnesses", v->n);
  keep_common(c, v);
  return true;
}

int cmd_verify(int argc, char **argv) {
  struct verify v = {.n = 0};
  const struct option_spec options[] = {
      {0, "target", OPTION_LIST, "T", "a chip; repeatable; default: host and every chip",
       &v.targets},
      {'i', "input", OPTION_LIST, "FILE",
       "raw input tensors, or a recording where no MODEL is; default: a pattern, or test windows",
       &v.in},
      {0, "ram", OPTION_COUNT, "N", "most bytes of arena on each target", &v.ram},
      {0, "fast", OPTION_FLAG, NULL, "the targets' fastest plans, RAM as needed", &v.fast},
      {0, "small", OPTION_FLAG, NULL, "the targets' plans of the least flash", &v.small},
      {0, "stream", OPTION_TEXT, "ROWS",
       "give only the newest rows of the window; least: as few as strides allow", &v.stream},
      {0, "inferences", OPTION_COUNT, "N",
       "one after the other; -i holds N of each tensor, or windows", &v.inferences},
      {0},
  };
  const struct command_spec spec = {
      .usage = "mote verify [MODEL] [--target T]... [-i in.bin]",
      .about = "Runs a model by the reference evaluation (or the plainest plan), as a plan, and as "
               "emitted C here and on "
               "emulated chips,\n"
               "and compares every layer. Prints one hash, or where the first difference is (exit "
               "code 1).\n"
               "Without MODEL: the project's trained model with its features in front, on windows "
               "of samples "
               "that training never saw.",
      .options = options,
      .examples = "  mote verify kws.tflite --target cortex-m0plus",
      .least = 0,
      .most = 1,
  };
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (v.fast && v.small)
    return command_usage(
        &c, "--fast and --small exclude each other: the fastest plan, or the least flash");
  if (!bundle_stream_reads(v.stream))
    return command_usage(&c, "--stream takes a number of rows, or the word least");
  bool equal = true;
  const bool ok = gather(&c, &v);
  if (ok) equal = report(&c, &v);
  bundle_close_model(&v.model);
  code = command_end(&c, ok);
  return ok && !equal ? EXIT_INPUT : code;
}
