/* mote bench: builds a model, runs it on the emulated chip, and says what it costs. */
#include <string.h>

#include "app/bundle.h"
#include "app/noise.h"

struct arguments {
  const char *target, *board, *layers, *stream;
  struct option_list in, out;
  int64_t ram, inferences;
  bool fast, small, input_rows, functions;
};

struct bench {
  struct bundle_model model;
  struct bundle bundle;
  struct emulate_result result;
  struct emulate_count total;       /* features and network */
  struct emulate_estimate estimate; /* of the total */
  struct emulate_estimate features, network;
  struct bundle_layers layers;
  int64_t
      whole_instructions; /* of the model that is given the whole window, where this one is streamed */
  size_t whole_arena_bytes;
  const uint8_t *inputs; /* of the network; NULL behind features */
};

static void add(struct emulate_count *to, const struct emulate_count *c) {
  to->instructions += c->instructions;
  to->branches_taken += c->branches_taken;
  for (int i = 0; i < EMULATE_CLASS_COUNT; i++) to->by_class[i] += c->by_class[i];
  to->cycles_low += c->cycles_low;
  to->cycles += c->cycles;
  to->cycles_high += c->cycles_high;
}

/* ---- JSON ------------------------------------------------------------------------- */

static void json_range(struct json *j, const char *key, const struct emulate_range *r) {
  if (r->known) {
    json_put_real(j, key, r->typical);
    return;
  }
  json_put_null(j, key);
}

/* n: inferences that the count is of. */
static void json_classes(struct json *j, const struct emulate_count *c, int n) {
  json_open_object(j, "classes");
  for (int i = 0; i < EMULATE_CLASS_COUNT; i++)
    json_put_int(j, emulate_class_name(i), c->by_class[i] / n);
  json_put_int(j, "branches_taken", c->branches_taken / n);
  json_close_object(j);
}

/* counted: false on a machine whose instructions nobody counts. */
static void json_count(struct json *j, const char *key, bool counted, const struct emulate_count *c,
                       const struct emulate_estimate *t) {
  if (!counted) {
    json_put_null(j, key);
    return;
  }
  json_open_object(j, key);
  json_put_int(j, "instructions", c->instructions);
  json_range(j, "cycles_estimated", &t->cycles);
  json_range(j, "milliseconds", &t->milliseconds);
  json_range(j, "energy_uj", &t->energy_uj);
  json_classes(j, c, 1);
  json_close_object(j);
}

static void json_bounds(struct json *j, const char *key, const struct emulate_range *r) {
  json_open_object(j, key);
  if (r->known) {
    json_put_real(j, "low", r->low);
    json_put_real(j, "typical", r->typical);
    json_put_real(j, "high", r->high);
  } else
    json_put_string(j, "unknown", r->reason);
  json_close_object(j);
}

static void json_estimate(struct json *j, const struct emulate_estimate *t) {
  json_range(j, "cycles_estimated", &t->cycles);
  json_range(j, "milliseconds", &t->milliseconds);
  json_range(j, "energy_uj", &t->energy_uj);
  json_range(j, "battery_days", &t->battery_days);
  json_open_object(j, "ranges");
  json_bounds(j, "cycles_estimated", &t->cycles);
  json_bounds(j, "milliseconds", &t->milliseconds);
  json_bounds(j, "energy_uj", &t->energy_uj);
  json_bounds(j, "battery_days", &t->battery_days);
  json_close_object(j);
}

static void json_board(struct json *j, const struct bundle *k, int64_t stack_bytes) {
  const struct emulate_board *b = k->request.board;
  if (!b) {
    json_put_null(j, "board");
    return;
  }
  json_open_object(j, "board");
  json_put_string(j, "name", b->name);
  json_put_string(j, "title", b->title);
  json_put_string(j, "chip", b->chip);
  json_put_real(j, "clock_hz", b->clock_hz);
  json_put_int(j, "flash_bytes", b->flash_bytes - b->flash_reserved_bytes);
  json_put_int(j, "ram_bytes", b->ram_bytes);
  json_put_int(j, "flash_used_bytes", bundle_flash_code(k) + bundle_flash_weight(k));
  json_put_int(j, "ram_used_bytes", bundle_ram(k, stack_bytes));
  json_put_int(j, "ram_used_by_rows_bytes", bundle_ram_by_rows(k, stack_bytes));
  json_put_bool(j, "fits", bundle_fits(k, stack_bytes));
  json_put_string(j, "active_source", b->active_ma.source);
  json_put_string(j, "sleep_source", b->sleep_ma.source);
  json_put_string(j, "wait_source", b->wait_factor.source);
  json_put_string(j, "stand_in", b->stand_in);
  json_close_object(j);
}

static void json_functions(struct json *j, const struct emulate_result *r) {
  json_open_array(j, "functions");
  for (int i = 0; i < r->n_functions; i++) {
    json_open_object(j, NULL);
    json_put_string(j, "name", r->functions[i].name);
    json_put_int(j, "instructions", r->functions[i].count.instructions / r->count);
    if (r->functions[i].count.cycles > 0)
      json_put_real(j, "cycles_estimated", r->functions[i].count.cycles / r->count);
    else
      json_put_null(j, "cycles_estimated");
    json_classes(j, &r->functions[i].count, r->count);
    json_close_object(j);
  }
  json_close_array(j);
}

/* What each layer that is a step of its own costs; the layers' other facts stand in `layers`. */
static void json_layer_costs(struct json *j, const struct bench *b) {
  const struct compiled *c = &b->bundle.compiled;
  json_open_array(j, "layer_costs");
  for (int i = 0; i < c->n_layers && b->result.counted; i++) {
    const struct compile_layer *l = &c->layers[i];
    if (l->fate != COMPILE_STEP || l->step >= b->result.n_steps) continue;
    const struct emulate_count *count = &b->result.steps[l->step];
    struct emulate_estimate t;
    emulate_estimate(count, b->bundle.request.board, &t);
    json_open_object(j, NULL);
    json_put_int(j, "index", i);
    json_put_int(j, "instructions", count->instructions);
    json_range(j, "cycles_estimated", &t.cycles);
    json_range(j, "milliseconds", &t.milliseconds);
    json_classes(j, count, 1);
    json_close_object(j);
  }
  json_close_array(j);
}

static const char *to_json(struct arena *a, const struct bench *b) {
  const struct bundle *k = &b->bundle;
  const struct emulate_result *r = &b->result;
  const int n = k->compiled.n_steps;
  int64_t *steps = ARENA_ARRAY(a, int64_t, n + 1);
  char hex[65];
  struct text t;
  struct json j;
  for (int i = 0; i < n && i < r->n_steps; i++) steps[i] = r->steps[i].instructions;
  struct compile_measured m = bundle_measured(k, r->stack_bytes);
  m.step_instructions = r->counted ? steps : NULL;
  m.layer_hash = bundle_layer_hashes(a, &b->layers);
  bundle_output_hash(r->outputs, r->output_bytes * (size_t)r->count, hex);
  text_init(&t, a);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "model", k->request.title);
  json_put_string(&j, "target", k->request.target->name);
  json_put_string(&j, "machine", r->machine);
  json_put_string(&j, "machine_again", r->small_machine);
  json_put_string(&j, "compiler_flags", k->request.target->flags);
  json_put_string(&j, "hot_files", k->request.target->hot);
  json_put_string(&j, "hot_flags", k->request.target->hot_flags);
  json_board(&j, k, r->stack_bytes);
  json_put_int(&j, "inferences", r->count);
  if (r->counted)
    json_put_int(&j, "instructions", b->total.instructions);
  else
    json_put_null(&j, "instructions");
  json_estimate(&j, &b->estimate);
  json_count(&j, "features", r->counted && k->request.features, &r->features, &b->features);
  json_count(&j, "network", r->counted, &r->network, &b->network);
  json_put_string(&j, "output_sha256", hex);
  if (b->model.whole) {
    json_open_object(&j, "stream");
    bundle_stream_json(&b->model, &j);
    if (r->counted && !b->model.stream.carried)
      json_put_int(&j, "whole_instructions", b->whole_instructions);
    else
      json_put_null(&j, "whole_instructions");
    if (b->model.stream.carried)
      json_put_null(&j, "whole_ram_arena_bytes");
    else
      json_put_int(&j, "whole_ram_arena_bytes", (int64_t)b->whole_arena_bytes);
    json_close_object(&j);
  }
  compile_report_json(&k->compiled, &m, &j);
  json_put_int(&j, "ram_window_bytes", (int64_t)k->window_bytes);
  json_put_int(&j, "ram_map_bytes", bundle_map_bytes(k));
  json_put_int(&j, "ram_arena_with_features_bytes", (int64_t)k->arena_bytes);
  json_put_int(&j, "flash_table_bytes", m.flash_table_bytes);
  json_layer_costs(&j, b);
  json_functions(&j, r);
  json_close_object(&j);
  return t.data;
}

/* ---- the table ----------------------------------------------------------------------- */

/* The four classes that a loop is made of, under the head that print_class_head writes. */
static void print_class_head(const char *what) {
  printf("\n  %-38s %13s %7s %12s %12s %12s %12s %12s\n", what, "instructions", "", "cycles*",
         "loads", "stores", "multiplies", "taken");
}
static void print_classes(const char *what, const struct emulate_count *c, int n, int64_t all) {
  printf("  %-38.38s %13s %5.1f %% %12s", what, text_thousands(c->instructions / n),
         100.0 * (double)(c->instructions / n) / (double)(all > 0 ? all : 1),
         text_thousands((int64_t)(c->cycles / n)));
  printf(" %12s %12s", text_thousands(c->by_class[EMULATE_LOAD] / n),
         text_thousands(c->by_class[EMULATE_STORE] / n));
  printf(" %12s %12s\n", text_thousands(c->by_class[EMULATE_MULTIPLY] / n),
         text_thousands(c->branches_taken / n));
}

/* The instructions of the layer's own step, or NULL: another layer's step does its work. */
static const struct emulate_count *layer_count(const struct bench *b, int i) {
  const struct compile_layer *l = &b->bundle.compiled.layers[i];
  if (l->fate != COMPILE_STEP || l->step >= b->result.n_steps) return NULL;
  return &b->result.steps[l->step];
}

/* Shapes are the model's, MAC those that run. The longest bar is the layer with the most instructions. */
static void print_layers(const struct bench *b) {
  enum { BAR = 24 };
  static const char bar[] = "########################";
  const struct compiled *c = &b->bundle.compiled;
  int64_t most = 1;
  for (int i = 0; i < c->n_layers; i++)
    if (layer_count(b, i) && layer_count(b, i)->instructions > most)
      most = layer_count(b, i)->instructions;
  printf("\n  layer                      output            MAC  instructions  per MAC\n");
  for (int i = 0; i < c->n_layers; i++) {
    const struct compile_layer *l = &c->layers[i];
    const struct emulate_count *count = layer_count(b, i);
    char shape[64] = "";
    int n = 0;
    for (int d = 0; d < l->rank && n < 50; d++)
      n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%d", d ? "x" : "", (int)l->dims[d]);
    printf("  %2d %-22s %-12s %10s", i, mote_op_name((int)l->op), shape, text_thousands(l->macs));
    if (!count) {
      printf("  %12s\n", compile_fate_text(l->fate));
      continue;
    }
    printf("  %12s", text_thousands(count->instructions));
    if (l->macs)
      printf("  %7.2f", (double)count->instructions / (double)l->macs);
    else
      printf("  %7s", "");
    printf("  %.*s\n", (int)((count->instructions * BAR + most - 1) / most), bar);
  }
}

static void print_layer_classes(const struct bench *b) {
  const struct compiled *c = &b->bundle.compiled;
  int64_t all = 0;
  for (int i = 0; i < c->n_layers; i++)
    if (layer_count(b, i)) all += layer_count(b, i)->instructions;
  print_class_head("layer");
  for (int i = 0; i < c->n_layers; i++) {
    char name[64];
    if (!layer_count(b, i)) continue;
    snprintf(name, sizeof name, "%2d %s", i, mote_op_name((int)c->layers[i].op));
    print_classes(name, layer_count(b, i), 1, all);
  }
}

/* all: every function, with its classes; else the dozen with the most instructions. */
static void print_functions(const struct bench *b, bool all) {
  const struct emulate_result *r = &b->result;
  if (all)
    print_class_head("function");
  else
    printf("\n  function                                instructions\n");
  for (int i = 0; i < r->n_functions && (all || i < 12); i++) {
    const struct emulate_function *f = &r->functions[i];
    if (all)
      print_classes(f->name, &f->count, r->count, b->total.instructions);
    else
      printf("  %-38s %13s\n", f->name, text_thousands(f->count.instructions / r->count));
  }
  if (all) printf("\n  * estimated, without wait states\n");
}

static void print_range(const char *name, const struct emulate_range *r, const char *unit) {
  if (r->known)
    printf("%-14s %12.4g %s (%.4g to %.4g)\n", name, r->typical, unit, r->low, r->high);
  else
    printf("%-14s %12s %s\n", name, "-", r->reason);
}

static void print_limits(const struct bench *b) {
  const struct bundle *k = &b->bundle;
  const struct emulate_board *board = k->request.board;
  const int64_t flash = bundle_flash_code(k) + bundle_flash_weight(k),
                flash_most = board->flash_bytes - board->flash_reserved_bytes;
  const int64_t ram = bundle_ram(k, b->result.stack_bytes);
  printf("of the board   %11.1f %% flash, %.1f %% RAM%s\n",
         100.0 * (double)flash / (double)flash_most, 100.0 * (double)ram / (double)board->ram_bytes,
         bundle_fits(k, b->result.stack_bytes) ? "" : ": DOES NOT FIT");
  if (k->request.features)
    printf("  by rows      %11.1f %% RAM, where features are made as samples arrive\n",
           100.0 * (double)bundle_ram_by_rows(k, b->result.stack_bytes) / (double)board->ram_bytes);
}

static const char *why_uncounted(const struct bench *b) {
  return emulate_is_wasm(b->bundle.request.target) ? "an engine compiles WebAssembly once more, so "
                                                     "its instructions are not the processor's"
                                                   : "this machine is no emulated chip";
}

static void print_counts(const struct bench *b) {
  const struct emulate_result *r = &b->result;
  if (!r->counted) {
    printf("not counted: %s\n", why_uncounted(b));
    return;
  }
  printf("instructions   %12s\n", text_thousands(b->total.instructions));
  if (b->bundle.request.features) {
    printf("  features     %12s\n", text_thousands(r->features.instructions));
    printf("  network      %12s\n", text_thousands(r->network.instructions));
  }
  for (int i = 0; i < EMULATE_CLASS_COUNT; i++)
    if (b->total.by_class[i])
      printf("    %-12s %10s  %4.1f %%\n", emulate_class_name(i),
             text_thousands(b->total.by_class[i]),
             100.0 * (double)b->total.by_class[i] / (double)b->total.instructions);
  printf("    %-12s %10s  of the branches\n", "taken", text_thousands(b->total.branches_taken));
  if (b->estimate.cycles.known && b->estimate.cycles.low == b->estimate.cycles.high)
    printf("cycles         %12s  counted\n", text_thousands((int64_t)b->estimate.cycles.typical));
  else
    print_range("cycles", &b->estimate.cycles, "estimated");
  if (!b->bundle.request.board) return;
  print_limits(b);
  print_range("time", &b->estimate.milliseconds, "ms");
  if (b->bundle.request.features) {
    print_range("  features", &b->features.milliseconds, "ms");
    print_range("  network", &b->network.milliseconds, "ms");
  }
  print_range("energy", &b->estimate.energy_uj, "uJ, the chip alone");
  print_range("150 mAh last", &b->estimate.battery_days, "days at one inference a second");
  printf("  currents: %s\n", b->bundle.request.board->active_ma.source);
  printf("  asleep:   %s\n", b->bundle.request.board->sleep_ma.source);
  printf("  flash:    %s\n", b->bundle.request.board->wait_factor.source);
}

/* functions: every function, and classes of layers and functions. */
static void print_table(const struct bench *b, bool functions) {
  const struct bundle *k = &b->bundle;
  const struct emulate_result *r = &b->result;
  printf("%s on %s (%s%s%s)\n\n", k->request.title,
         k->request.board ? k->request.board->title : k->request.target->name, r->machine,
         r->small_machine ? ", the same on " : "", r->small_machine ? r->small_machine : "");
  if (k->request.board && k->request.board->stand_in)
    printf("An estimate only: %s.\n\n", k->request.board->stand_in);
  if (*k->request.target->machine)
    printf("flash code     %12s B\n", text_thousands(bundle_flash_code(k)));
  printf("flash weights  %12s B\n", text_thousands(bundle_flash_weight(k)));
  printf("RAM arena      %12s B\n", text_thousands((int64_t)k->arena_bytes));
  if (k->window_bytes) printf("RAM samples    %12s B\n", text_thousands((int64_t)k->window_bytes));
  if (bundle_map_bytes(k)) printf("RAM map        %12s B\n", text_thousands(bundle_map_bytes(k)));
  if (*k->request.target->machine) {
    printf("RAM static     %12s B\n", text_thousands(k->program.size.ram_static));
    printf("stack          %12s B\n", text_thousands(r->stack_bytes));
  }
  printf("MAC            %12s", text_thousands(k->compiled.macs));
  if (k->compiled.source_macs > k->compiled.macs)
    printf(" (%s in the model)", text_thousands(k->compiled.source_macs));
  printf("\n");
  print_counts(b);
  if (!r->counted) return;
  if (b->model.whole && b->model.stream.carried)
    printf("\nstreamed       %12d of %d rows a call\n", b->model.stream.rows,
           b->model.stream.window_rows);
  else if (b->model.whole)
    printf("\nstreamed       %12d of %d rows a call\n"
           "  whole window %12s instructions, %.2f times as many\n"
           "  whole window %12s B of arena\n",
           b->model.stream.rows, b->model.stream.window_rows, text_thousands(b->whole_instructions),
           (double)b->whole_instructions / (double)r->network.instructions,
           text_thousands((int64_t)b->whole_arena_bytes));
  print_layers(b);
  if (functions) print_layer_classes(b);
  print_functions(b, functions);
}

/* ---- running --------------------------------------------------------------------------- */

enum { SOUND_HOPS = 24 };

/* Raw tensors for a file; for a project a recording, or silence with a step in it. */
static bool take_inputs(struct command_line *c, const struct arguments *o, struct bench *b,
                        const void **inputs, int *count) {
  struct bundle_model *m = &b->model;
  *count = 1;
  if (!m->features) {
    uint8_t *raw;
    *count = (int)o->inferences;
    if (!bundle_read_inputs(c->arena, m->graph, &o->in, *count, &raw, &c->err)) return false;
    *inputs = b->inputs = raw;
    return true;
  }
  if (m->suppress && !o->in.count) {
    int16_t *hops = NULL;
    *count = SOUND_HOPS;
    if (!noise_hops(m->project, m->noise, *count, &hops, &c->err)) return false;
    *inputs = hops;
    return true;
  }
  if (m->suppress) {
    struct dataset d;
    if (!dataset_load_file(m->project, o->in.items[0], NULL, NULL, &d, &c->err)) return false;
    *inputs = d.samples[0].data;
    *count = (int)(d.samples[0].length * 2 / (int64_t)b->bundle.window_bytes);
    return *count > 0 || err_set(&c->err, "%s is shorter than a hop", o->in.items[0]);
  }
  if (!o->in.count) {
    /* The pattern again, as samples. */
    int16_t *samples = ARENA_ARRAY(c->arena, int16_t, b->bundle.input_bytes / 2);
    for (size_t i = 0; i < b->bundle.window_bytes / 2; i++)
      samples[i] = (int16_t)(((int)(i * 37 + 11) % 256 - 128) * 256);
    features_neutral_map(m->features, samples + b->bundle.window_bytes / 2);
    *inputs = samples;
    return true;
  }
  struct project_windows w;
  if (!project_file_windows(m->project, m->trained, o->in.items[0], &w, &c->err)) return false;
  *inputs = w.samples;
  *count = w.count;
  return true;
}

/* A bench that measures wrong results would be worthless: what ran must be what this machine computes. */
static bool same_as_host(struct command_line *c, const struct bench *b, const void *inputs,
                         int count) {
  uint8_t *host;
  const size_t n = b->bundle.output_bytes;
  if (!bundle_run_host(c->arena, &b->bundle.request, inputs, count, &host, &c->err)) return false;
  for (int i = 0; i < count; i++)
    if (memcmp(host + n * (size_t)i, b->result.outputs + n * (size_t)i, n) != 0)
      return err_internal(
          &c->err,
          "the output of inference %d on %s differs from this machine's; `mote verify` "
          "says where",
          i, b->result.machine);
  return true;
}

/* The model of the whole window on the last one: what streaming saves, and that the outputs are the same. */
static bool measure_whole(struct command_line *c, struct bench *b, const void *rows, int count) {
  struct bundle_request request = b->bundle.request;
  struct bundle whole;
  struct emulate_result r;
  const size_t n = b->bundle.output_bytes;
  const uint8_t *windows = bundle_stream_windows(c->arena, &b->model, rows, count);
  request.graph = b->model.whole;
  request.input_rows = false;
  const size_t all = graph_bytes(&request.graph->tensors[request.graph->inputs[0]]);
  if (!bundle_run_once(c->arena, &request, windows + (size_t)(count - 1) * all, 1, false, &whole,
                       &r, &c->err))
    return false;
  if (memcmp(r.outputs, b->result.outputs + (size_t)(count - 1) * n, n) != 0)
    return err_internal(&c->err, "the output of call %d is not that of the whole window", count);
  b->whole_instructions = r.network.instructions;
  b->whole_arena_bytes = whole.arena_bytes;
  return true;
}

static bool measure(struct command_line *c, const struct arguments *o, struct bench *b,
                    const char *dir) {
  const struct bundle_request *r = &b->bundle.request;
  const void *inputs = NULL;
  int count = 1;
  struct bundle_request request = *r;
  progress_update(c->progress, "bench", 0, 3, "compiling %s", request.title);
  if (!bundle_write(c->arena, &request, dir, &b->bundle, &c->err)) return false;
  progress_update(c->progress, "bench", 1, 3, "building for %s", request.target->name);
  if (!bundle_build(c->arena, &b->bundle, &c->err)) return false;
  if (!take_inputs(c, o, b, &inputs, &count)) return false;
  progress_update(c->progress, "bench", 2, 3, "running %d on %s", count,
                  *request.target->machine ? request.target->machine : "this machine");
  if (!bundle_run(c->arena, &b->bundle, inputs, count, true, true, &b->result, &c->err))
    return false;
  if (!same_as_host(c, b, inputs, count)) return false;
  if (b->model.whole && !b->model.stream.carried && !measure_whole(c, b, inputs, count))
    return false;
  progress_update(c->progress, "bench", 3, 3, "%d inference%s", count, count == 1 ? "" : "s");
  return bundle_layers(c->arena, &b->bundle.compiled, b->inputs, b->result.rows, b->result.n_rows,
                       &b->layers, &c->err);
}

/* Of a model file the raw tensors; of a project the scores of every window, as `mote run` writes them. */
static bool write_outputs(struct command_line *c, const struct arguments *o,
                          const struct bench *b) {
  const struct emulate_result *r = &b->result;
  if (!b->model.features)
    return bundle_write_outputs(c->arena, b->model.graph, &o->out, r->count, r->outputs, &c->err);
  return !o->out.count ||
         file_write(o->out.items[0], r->outputs, r->output_bytes * (size_t)r->count, &c->err);
}

static void estimate(struct bench *b) {
  const struct emulate_board *board = b->bundle.request.board;
  add(&b->total, &b->result.features);
  add(&b->total, &b->result.network);
  emulate_estimate(&b->total, board, &b->estimate);
  emulate_estimate(&b->result.features, board, &b->features);
  emulate_estimate(&b->result.network, board, &b->network);
  if (!b->result.counted)
    b->estimate.cycles = b->features.cycles = b->network.cycles =
        (struct emulate_range){.reason = why_uncounted(b)};
}

static bool run(struct command_line *c, const struct arguments *o, struct bench *b) {
  struct bundle_request *r = &b->bundle.request;
  char *dir;
  if (!bundle_open_model(c->arena, c->n_words ? c->words[0] : NULL, &b->model, &c->err) ||
      !bundle_stream_model(c->arena, o->stream, &b->model, &c->err) ||
      !bundle_find_target(c->arena, &b->model, o->target, o->board, &r->target, &r->board,
                          &c->err) ||
      !dir_temporary(c->arena, &dir, &c->err))
    return false;
  r->title = b->model.title;
  r->graph = b->model.graph;
  r->features = b->model.features;
  r->suppress = b->model.suppress;
  r->least = b->model.least;
  r->objects = b->model.objects;
  r->fast = o->fast;
  r->small = o->small;
  r->ram_bytes = (size_t)o->ram;
  r->input_rows = o->input_rows;
  const bool ok = measure(c, o, b, dir);
  dir_remove(dir);
  if (!ok) return false;
  estimate(b);
  if (o->layers && !bundle_write_layers(c->arena, &b->layers, o->layers, &c->err)) return false;
  if (!write_outputs(c, o, b)) return false;
  if (c->json)
    fputs(to_json(c->arena, b), stdout);
  else
    print_table(b, o->functions);
  return true;
}

int cmd_bench(int argc, char **argv) {
  struct arguments o = {.inferences = 1};
  const struct option_spec options[] = {
      {0, "target", OPTION_TEXT, "T",
       "chip: cortex-m0plus, -m3, -m4, -m7, -m33, -m55, rv32imc, wasm32, host", &o.target},
      {0, "board", OPTION_TEXT, "NAME", "board: its chip, clock and power", &o.board},
      {'i', "input", OPTION_LIST, "FILE",
       "raw input tensors, or a recording; default: a pattern. The word rows: the first input is "
       "fed row by row",
       &o.in},
      {'o', "output", OPTION_LIST, "FILE", "write the raw outputs", &o.out},
      {0, "inferences", OPTION_COUNT, "N", "one after the other; -i and -o hold N of each tensor",
       &o.inferences},
      {0, "layers", OPTION_TEXT, "DIR", "write every layer's output", &o.layers},
      {0, "functions", OPTION_FLAG, NULL,
       "every function, and loads, stores, multiplies and taken branches of layers and functions",
       &o.functions},
      {0, "ram", OPTION_COUNT, "N", "most bytes of arena", &o.ram},
      {0, "fast", OPTION_FLAG, NULL, "the fastest plan, RAM as needed", &o.fast},
      {0, "small", OPTION_FLAG, NULL, "the least flash", &o.small},
      {0, "stream", OPTION_TEXT, "ROWS",
       "give only the newest rows of the window; least: as few as strides allow", &o.stream},
      {0},
  };
  const struct command_spec spec = {
      .usage = "mote bench [MODEL] --target T [-i in.bin] [-o out.bin]",
      .about = "Builds a model for a chip, runs it on the emulated chip and counts: instructions "
               "(all of them,\n"
               "not sampled), estimated cycles, and with --board time and energy, layer by layer.\n"
               "Without MODEL: the project's trained model with its features in front; -i is a "
               "recording.",
      .options = options,
      .examples = "  mote bench kws.tflite --target cortex-m0plus\n"
                  "  mote bench --board wio-terminal --json",
      .least = 0,
      .most = 1,
  };
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (c.n_words && !o.target && !o.board)
    return command_usage(&c, "no chip was named: add --target cortex-m4, or --board wio-terminal");
  if (o.fast && o.small)
    return command_usage(
        &c, "--fast and --small exclude each other: the fastest plan, or the least flash");
  if (!bundle_stream_reads(o.stream))
    return command_usage(&c, "--stream takes a number of rows, or the word least");
  if (!c.n_words && (o.in.count > 1 || o.out.count > 1))
    return command_usage(&c, "a project's network takes one recording with -i and at most one -o");
  o.input_rows = bundle_take_rows(&o.in);
  struct bench *b = ARENA_NEW(c.arena, struct bench);
  const bool ok = run(&c, &o, b);
  bundle_close_model(&b->model);
  return command_end(&c, ok);
}
