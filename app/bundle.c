/* bundle: writes the C project of a model, builds it and runs it. See bundle.h.
 *
 * A project holds the emitted model (NAME.c, NAME.h, NAME_arena.c, and the same plan as NAME.mote), the features' constants
 * (features.c), the glue that the harness asks for (program.c), the pieces of mote/ that the model needs, and the
 * harness with start-up code.
 *
 * The features' scratch lies in the arena where the network's input is not: the network runs after them. */
#include "app/bundle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOURCES 256

/* ---- which files of mote/ a model needs ------------------------------------------ */

struct sources {
  const char *files[MAX_SOURCES];
  int n;
};

static bool add_source(struct sources *s, const char *file, struct err *e) {
  if (s->n == MAX_SOURCES) return err_internal(e, "more than %d sources", MAX_SOURCES);
  s->files[s->n++] = file;
  return true;
}

static bool is_used(struct arena *a, const struct compiled *c, const char *stem, const char *end) {
  for (int i = 0; i < c->n_steps; i++)
    if (text_starts(stem, arena_printf(a, "%s%s", c->steps[i].stem, end))) return true;
  return false;
}

/* Whether a file defines kernels, and one that the plan uses: "mote_kernel_<stem> =", or, where a macro of the
 * file defines several alike, a line "KERNEL_...(<stem>,". */
static bool wanted(struct arena *a, const struct compiled *c, const char *text) {
  bool defines = false;
  for (const char *p = text; (p = strstr(p, "const struct mote_kernel mote_kernel_")); p++) {
    defines = true;
    if (is_used(a, c, p + strlen("const struct mote_kernel mote_kernel_"), " =")) return true;
  }
  for (const char *p = text; (p = strstr(p, "\nKERNEL_")); p++) {
    const char *open = strchr(p, '(');
    if (open && is_used(a, c, open + 1, ",")) return true;
  }
  return !defines;
}

/* c NULL: its headers alone, which the room's door may include. */
static bool add_room(struct arena *a, const char *home, const char *room, const struct compiled *c,
                     struct sources *s, struct err *e) {
  char **names;
  int n;
  if (!dir_list(a, arena_printf(a, "%s/%s", home, room), &names, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    const char *file = arena_printf(a, "%s/%s", room, names[i]);
    uint8_t *text;
    size_t size;
    const bool header = text_ends(file, ".h") || text_ends(file, ".def") || text_ends(file, ".inc");
    if (!header && (!c || !text_ends(file, ".c"))) continue;
    if (!header) {
      if (!file_read(a, arena_printf(a, "%s/%s", home, file), 8 << 20, &text, &size, e))
        return false;
      if (!wanted(a, c, (const char *)text)) continue;
    }
    if (!add_source(s, file, e)) return false;
  }
  return true;
}

static bool has_learner(const struct compiled *c) {
  for (int i = 0; i < c->n_steps; i++)
    if (text_starts(c->steps[i].stem, "learner_")) return true;
  return false;
}

static bool find_sources(struct arena *a, const struct bundle *b, struct sources *s,
                         struct err *e) {
  static const char *const rooms[] = {"mote/base", "mote/isa", "mote/nn", "mote/run"};
  char *home;
  if (!mote_home(a, &home, e)) return false;
  /* mote/mote.h, the one header of a firmware, names the doors of all rooms. */
  if (!add_source(s, "mote/mote.h", e)) return false;
  for (int i = 0; i < 4; i++)
    if (!add_room(a, home, rooms[i], &b->compiled, s, e)) return false;
  const bool learner = has_learner(&b->compiled);
  const bool dsp = b->request.features && !features_are_bytes(b->request.features);
  return add_room(a, home, "mote/dsp", dsp ? &b->compiled : NULL, s, e) &&
         add_room(a, home, "mote/ml", learner ? &b->compiled : NULL, s, e) &&
         (learner || !b->request.detector || add_source(s, "mote/ml/detector.c", e)) &&
         (learner || !b->request.objects || add_source(s, "mote/ml/objects.c", e)) &&
         (learner || !b->request.online ||
          (add_source(s, "mote/ml/online.c", e) && add_source(s, "mote/ml/score.c", e)));
}

/* ---- program.c --------------------------------------------------------------------- */

static size_t tensor_bytes(const struct graph *g, int t) { return graph_bytes(&g->tensors[t]); }

static size_t sum_bytes(const struct graph *g, const int *tensors, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; i++) sum += tensor_bytes(g, tensors[i]);
  return sum;
}

static void add_sizes(struct text *t, const char *name, const struct graph *g, const int *tensors,
                      int n) {
  text_printf(t, "static const uint32_t %s[] = {", name);
  for (int i = 0; i < n; i++) text_printf(t, "%s%zu", i ? ", " : "", tensor_bytes(g, tensors[i]));
  text_add(t, "};\n");
}

static const struct mote_plan *plan_of(const struct compiled *c) {
  return (const struct mote_plan *)(const void *)c->plan;
}

/* Where input 0 of the plan lies in the arena. */
static size_t input_offset(const struct compiled *c) {
  const struct mote_plan *plan = plan_of(c);
  const struct mote_port *ports = (const struct mote_port *)(const void *)(c->plan + plan->inputs);
  const struct mote_tensor *tensors =
      (const struct mote_tensor *)(const void *)(c->plan + plan->tensors);
  return tensors[ports[0].tensor].offset;
}

/* The features' scratch in front of the network's input where it fits, else behind it. */
static size_t place_scratch(const struct bundle *b, size_t *arena_bytes) {
  const size_t need = b->request.features->scratch_bytes, at = input_offset(&b->compiled);
  const size_t behind =
      (at + tensor_bytes(b->request.graph, b->request.graph->inputs[0]) + 7) & ~(size_t)7;
  *arena_bytes = b->compiled.arena_bytes;
  if (need <= at) return 0;
  if (behind + need > *arena_bytes) *arena_bytes = behind + need;
  return behind;
}

bool bundle_take_rows(struct option_list *inputs) {
  const int before = inputs->count;
  int kept = 0;
  for (int i = 0; i < before; i++)
    if (strcmp(inputs->items[i], "rows") != 0) inputs->items[kept++] = inputs->items[i];
  inputs->count = kept;
  return kept < before;
}

/* Where the harness leaves a whole input whose rows are fed: memory of the test, not of the model. */
static void add_frame(struct text *t, const struct bundle *b) {
  const struct graph *g = b->request.graph;
  text_printf(t,
              "/* The first input whole, as a camera or a file would have it. The model gets it "
              "row by row and "
              "keeps a ring. */\nstatic uint8_t frame[%zu] __attribute__((aligned(8)));\n\n",
              tensor_bytes(g, g->inputs[0]));
}

/* Rows of a picture, each made when the model takes it. */
static void add_lines(struct text *t, const struct bundle *b) {
  const struct features_block *const f = b->request.features;
  const unsigned columns = f->parts[0].params->columns;
  text_printf(t,
              "void program_network(void) {\n"
              "  static int8_t line[%u] __attribute__((aligned(8)));\n"
              "  static uint8_t scratch[%zu] __attribute__((aligned(4)));\n"
              "  for (unsigned y = 0; y < %u; y++) {\n"
              "    features_line(samples, y, scratch, line);\n    %s_feed_row(line);\n  }\n",
              columns, features_are_bytes(f) ? (size_t)1 : f->scratch_bytes,
              f->parts[0].params->rows, b->request.name);
  if (b->request.objects)
    text_printf(t,
                "  found.count = mote_objects_find(&objects, %s_output(0), found.list, "
                "OBJECTS_MOST);\n",
                b->request.name);
  text_add(t, "}\n\n");
}

static void add_network(struct text *t, const struct bundle *b) {
  if (b->request.input_rows && b->request.features)
    add_lines(t, b);
  else if (b->request.input_rows)
    text_printf(t,
                "void program_network(void) {\n"
                "  const uint32_t row_bytes = sizeof frame / %u;\n"
                "  for (const uint8_t *row = frame; row < frame + sizeof frame; row += row_bytes) "
                "%s_feed_row(row);\n}\n\n",
                plan_of(&b->compiled)->fed_rows, b->request.name);
  else if (b->request.objects)
    text_printf(t,
                "void program_network(void) {\n  %s_run();\n"
                "  found.count = mote_objects_find(&objects, %s_output(0), found.list, "
                "OBJECTS_MOST);\n}\n\n",
                b->request.name, b->request.name);
  else
    text_printf(t, "void program_network(void) { %s_run(); }\n\n", b->request.name);
}

/* Bytes of one inference's features that the program tells before its outputs; 0: none. */
static size_t kept_bytes(const struct bundle *b) {
  return b->request.keep_features ? b->request.features->out_bytes : 0;
}

/* The network may write over its input, so what the features were is kept beside: memory of the test, not of the
 * model. */
static void add_kept(struct text *t, const struct bundle *b) {
  text_printf(t,
              "/* What the features were: the first piece of the output. */\n"
              "static int8_t made[%zu];\n\n",
              kept_bytes(b));
}

static void add_features(struct text *t, const struct bundle *b, size_t scratch) {
  const char *name = b->request.name;
  const bool calibrated = b->request.features->map_columns > 0;
  text_printf(t,
              "void *program_input(unsigned i, uint32_t *bytes) {\n%s"
              "  *bytes = sizeof samples;\n"
              "  return i ? 0 : samples;\n}\n\n"
              "void program_features(void) {\n"
              "  /* The scratch lies where the network's input does not; the network runs "
              "afterwards. */\n"
              "  features_run(samples, arena + %zu, (int8_t *)%s_input(0));\n",
              calibrated ? "  if (i == 1) {\n    *bytes = sizeof map;\n    return map;\n  }\n" : "",
              scratch, name);
  if (calibrated) text_printf(t, "  features_calibrate(map, (int8_t *)%s_input(0));\n", name);
  if (kept_bytes(b))
    text_printf(t,
                "  const int8_t *input = %s_input(0);\n"
                "  for (unsigned i = 0; i < sizeof made; i++) made[i] = input[i];\n",
                name);
  text_add(t, "}\n\n");
}

static void add_outputs(struct text *t, const struct bundle *b) {
  text_add(t, "const void *program_output(unsigned i, uint32_t *bytes) {\n");
  if (kept_bytes(b))
    text_add(t, "  if (i == 0) {\n    *bytes = sizeof made;\n    return made;\n  }\n  i--;\n");
  if (b->request.objects)
    text_printf(t, "  if (i == %d) {\n    *bytes = sizeof found;\n    return &found;\n  }\n",
                b->request.graph->n_outputs);
  text_printf(t,
              "  if (i >= %d) return 0;\n  *bytes = output_bytes[i];\n"
              "  return %s_output(i);\n}\n\n",
              b->request.graph->n_outputs, b->request.name);
}

static const char *program_text(struct arena *a, struct bundle *b) {
  const struct graph *g = b->request.graph;
  const bool features = b->request.features != NULL;
  const char *name = b->request.name;
  size_t scratch = 0;
  struct text t;
  text_init(&t, a);
  b->arena_bytes = b->compiled.arena_bytes;
  const bool lines = features && b->request.input_rows;
  if (features && !lines) scratch = place_scratch(b, &b->arena_bytes);
  text_printf(&t, "/* program: what the harness runs: %s. */\n", b->request.title);
  text_printf(&t, "#include \"firmware/harness/program.h\"\n#include \"%s.h\"\n", name);
  if (features) text_printf(&t, "#include \"%s_features.h\"\n", name);
  if (b->request.objects) text_add(&t, "#include \"objects.h\"\n");
  text_printf(
      &t,
      "\n/* Inputs, activations, rings, scratch: all the memory that the model works in. */\n"
      "__attribute__((section(\".arena\"), aligned(16))) static uint8_t arena[%zu];\n\n",
      b->arena_bytes ? b->arena_bytes : 1);
  if (features)
    text_printf(&t,
                "/* One window of samples, as a microphone, sensor or camera leaves it. */\n"
                "static int16_t samples[%zu];\n\n",
                b->window_bytes / 2);
  else
    add_sizes(&t, "input_bytes", g, g->inputs, g->n_inputs);
  if (features && b->request.features->map_columns)
    text_add(&t, "/* Where the columns of the features lie here, learned once. */\n"
                 "static struct mote_features_column map[FEATURES_COLUMNS];\n\n");
  if (b->request.input_rows && !features) add_frame(&t, b);
  if (kept_bytes(b)) add_kept(&t, b);
  if (b->request.objects)
    text_add(&t, "/* What is seen in the frame: the last piece of the output. */\n"
                 "static struct {\n  uint32_t count;\n  struct mote_object list[OBJECTS_MOST];\n"
                 "} found;\n\n");
  add_sizes(&t, "output_bytes", g, g->outputs, g->n_outputs);
  text_printf(&t, "\nint program_open(void) { return %s_init(arena, sizeof arena); }\n\n", name);
  if (lines)
    text_add(&t, "void *program_input(unsigned i, uint32_t *bytes) {\n  *bytes = sizeof samples;\n"
                 "  return i ? 0 : samples;\n}\n\n"
                 "/* A row of features is made when the network takes it. */\n"
                 "void program_features(void) {}\n\n");
  else if (features)
    add_features(&t, b, scratch);
  else
    text_printf(&t,
                "void *program_input(unsigned i, uint32_t *bytes) {\n  if (i >= %d) return 0;\n"
                "  *bytes = input_bytes[i];\n  return %s%s_input(i);\n}\n\n"
                "void program_features(void) {}\n\n",
                g->n_inputs, b->request.input_rows ? "i == 0 ? frame : " : "", name);
  add_network(&t, b);
  add_outputs(&t, b);
  text_printf(&t,
              "struct mote_model *program_model(void) { return &%s_model; }\n\n"
              "const struct mote_plan MOTE_ROM *program_plan(void) { return %s_plan; }\n",
              name, name);
  return t.data;
}

/* Where what sound keeps between hops lies: behind the network's memory. */
static size_t sound_offset(const struct bundle *b) {
  return (b->compiled.arena_bytes + 7) & ~(size_t)7;
}

/* A program that is given a hop of samples and answers a hop of sound. It is also the example of how a firmware does it. */
static const char *sound_text(struct arena *a, const struct bundle *b) {
  const char *name = b->request.name;
  struct text t;
  text_init(&t, a);
  text_printf(
      &t,
      "/* program: what the harness runs: %s. A firmware does the same with each hop of samples "
      "that its microphone\n"
      " * has: suppress_take, %s_run, suppress_give, and the sound of a hop ago comes out. */\n"
      "#include \"firmware/harness/program.h\"\n#include \"%s.h\"\n#include \"%s_suppress.h\"\n\n"
      "/* The network's memory, and behind it what the sound keeps. */\n"
      "__attribute__((section(\".arena\"), aligned(16))) static uint8_t arena[%zu];\n"
      "static uint8_t *const sound = arena + %zu;\n\n"
      "static int16_t samples[SUPPRESS_HOP], cleaned[SUPPRESS_HOP];\n\n"
      "int program_open(void) {\n  suppress_begin(sound);\n"
      "  return %s_init(arena, %zu);\n}\n\n"
      "void *program_input(unsigned i, uint32_t *bytes) {\n  *bytes = sizeof samples;\n"
      "  return i ? 0 : samples;\n}\n\n"
      "void program_features(void) { suppress_take(sound, samples, (int8_t *)%s_input(0)); }\n\n"
      "void program_network(void) {\n  %s_run();\n"
      "  suppress_give(sound, (const int8_t *)%s_output(0), cleaned);\n}\n\n"
      "const void *program_output(unsigned i, uint32_t *bytes) {\n  *bytes = sizeof cleaned;\n"
      "  return i ? 0 : cleaned;\n}\n\n"
      "struct mote_model *program_model(void) { return &%s_model; }\n\n"
      "const struct mote_plan MOTE_ROM *program_plan(void) { return %s_plan; }\n",
      b->request.title, name, name, name, b->arena_bytes, sound_offset(b), name, sound_offset(b),
      name, name, name, name, name);
  return t.data;
}

static bool write_text(struct arena *a, const char *dir, const char *name, const char *text,
                       struct err *e) {
  return file_write(arena_printf(a, "%s/%s", dir, name), text, strlen(text), e);
}

/* Constants and a function. Not features.h: a C library has one of its own, which that would hide. */
static bool write_features(struct arena *a, const struct bundle *b, struct err *e) {
  struct text source;
  text_init(&source, a);
  if (b->request.suppress) {
    features_emit_suppress_c(b->request.features, "suppress", b->request.least, &source);
    return write_text(a, b->dir, arena_printf(a, "%s_suppress.h", b->request.name), source.data, e);
  }
  features_emit_c(b->request.features, "features", &source);
  return write_text(a, b->dir, arena_printf(a, "%s_features.h", b->request.name), source.data, e);
}

static bool write_objects(struct arena *a, const struct bundle *b, struct err *e) {
  struct text source;
  text_init(&source, a);
  bundle_objects_emit(b->request.objects, b->request.name, &source);
  return write_text(a, b->dir, "objects.h", source.data, e);
}

/* Whether a file matches one of Make's patterns: "mote/isa/%" or a whole name. */
static bool matches(const char *patterns, const char *file) {
  for (const char *p = patterns; *p;) {
    const size_t n = strcspn(p, " ");
    const bool open = n && p[n - 1] == '%';
    if (n && (open ? !strncmp(p, file, n - 1) : strlen(file) == n && !strncmp(p, file, n)))
      return true;
    p += n + strspn(p + n, " ");
  }
  return false;
}

/* The files of the project that chips.mk gives flags of their own. */
static int hot_files(const struct emulate_target *target, const struct sources *s,
                     struct emulate_flags *flags) {
  int n = 0;
  for (int i = 0; i < s->n; i++)
    if (text_ends(s->files[i], ".c") && matches(target->hot, s->files[i]))
      flags[n++] = (struct emulate_flags){s->files[i], target->hot_flags};
  return n;
}

/* ---- doors -------------------------------------------------------------------------- */

static bool core_of(const struct emulate_target *target, enum compile_core *core, struct err *e) {
  *core = compile_core_named(target->isa);
  if (*core == COMPILE_CORES)
    return err_internal(e, "chips.mk names an instruction set that is not known: %s", target->isa);
  return true;
}

bool bundle_plan(struct arena *a, const struct bundle_request *request, struct bundle *b,
                 struct err *e) {
  const struct graph *g = request->graph;
  struct compile_options options = {.pointer_bytes = request->target->pointer_bytes,
                                    .fast = request->fast,
                                    .small = request->small,
                                    .ram_bytes = request->ram_bytes,
                                    .input_rows = request->input_rows,
                                    .curve = request->curve};
  *b = (struct bundle){.request = *request};
  if (request->name == NULL) b->request.name = "model";
  if (request->input_rows && request->features && !features_are_lines(request->features))
    return err_set(
        e, "these features make the network's whole input: --input rows is for a model alone, "
           "and for pictures without normalisation");
  if (!core_of(request->target, &options.core, e)) return false;
  if (request->features && options.core == COMPILE_CORE_AVR &&
      !features_are_bytes(request->features))
    return err_set(
        e, "an AVR takes a model alone, or grey pictures of the network's own size: other features "
           "are for cores of 32 bits");
  if (!compile_graph(g, &options, a, &b->compiled, e)) return false;
  b->output_bytes = sum_bytes(g, g->outputs, g->n_outputs);
  b->input_bytes = sum_bytes(g, g->inputs, g->n_inputs);
  b->arena_bytes = b->compiled.arena_bytes;
  if (!request->features) return true;
  if (request->suppress) {
    const struct mote_features *const f = request->features->parts[0].params;
    b->arena_bytes = sound_offset(b) + ((mote_suppress_bytes(f) + 7) & ~(size_t)7);
    b->window_bytes = b->input_bytes = b->output_bytes = 2 * (size_t)f->hop;
    return true;
  }
  if (g->n_inputs != 1 || b->input_bytes != request->features->out_bytes)
    return err_internal(e, "features of %zu bytes do not fit an input of %zu",
                        request->features->out_bytes, b->input_bytes);
  if (!request->input_rows) place_scratch(b, &b->arena_bytes);
  b->window_bytes =
      (size_t)request->features->window_samples * (size_t)request->features->channels * 2;
  b->input_bytes = features_window_words(request->features) * 2;
  return true;
}

bool bundle_write(struct arena *a, const struct bundle_request *request, const char *dir,
                  struct bundle *b, struct err *e) {
  struct sources sources = {.n = 0};
  struct text header, source, own;
  if (!bundle_plan(a, request, b, e)) return false;
  b->dir = arena_strdup(a, dir);
  const char *name = b->request.name, *header_file = arena_printf(a, "%s.h", name);
  text_init(&header, a);
  text_init(&source, a);
  text_init(&own, a);
  if (!compile_emit_c(&b->compiled, name, header_file, &header, &source, e) ||
      !compile_emit_arena(&b->compiled, name, header_file, &own, e) || !dir_make(dir, e) ||
      !find_sources(a, b, &sources, e))
    return false;
  struct emulate_flags *flags = ARENA_ARRAY(a, struct emulate_flags, sources.n + 1);
  const int n_flags = hot_files(request->target, &sources, flags);
  return emulate_project(a, dir, request->title, name, request->target, sources.files, sources.n,
                         flags, n_flags, 0, e) &&
         write_text(a, dir, header_file, header.data, e) &&
         write_text(a, dir, arena_printf(a, "%s.c", name), source.data, e) &&
         write_text(a, dir, arena_printf(a, "%s_arena.c", name), own.data, e) &&
         compile_write_mote(&b->compiled, arena_printf(a, "%s/%s.mote", dir, name), e) &&
         (!request->features || write_features(a, b, e)) &&
         (!request->online || write_text(a, dir, "online.h", request->online, e)) &&
         (!request->objects || write_objects(a, b, e)) &&
         (!request->sensor || write_text(a, dir, "sensor.h", request->sensor, e)) &&
         (!request->numbers || write_text(a, dir, "numbers.h", request->numbers, e)) &&
         (!request->detector || write_text(a, dir, "detector.h", request->detector, e)) &&
         write_text(a, dir, "program.c", request->suppress ? sound_text(a, b) : program_text(a, b),
                    e);
}

bool bundle_build(struct arena *a, struct bundle *b, struct err *e) {
  b->built = emulate_build(a, b->dir, b->request.target, &b->program, e);
  return b->built;
}

/* What the program tells of objects, as it lies in memory. */
struct found {
  uint32_t count;
  struct mote_object list[BUNDLE_OBJECTS_MOST];
};

static size_t found_bytes(const struct bundle *b) {
  return b->request.objects ? sizeof(struct found) : 0;
}

/* The program's pieces are features, outputs, then a list of objects, of each inference: features and lists apart, outputs one behind
 * another. */
static struct found *part_pieces(struct arena *a, struct bundle *b, struct emulate_result *r) {
  const size_t kept = kept_bytes(b), out = b->output_bytes, list = found_bytes(b);
  const size_t each = kept + out + list;
  uint8_t *features = ARENA_ARRAY(a, uint8_t, kept * (size_t)r->count + 1);
  struct found *found = ARENA_ARRAY(a, struct found, list ? r->count + 1 : 1);
  for (size_t i = 0; i < (size_t)r->count; i++) {
    const uint8_t *const from = r->outputs + i * each;
    if (kept) memcpy(features + i * kept, from, kept);
    if (list) memcpy(&found[i], from + kept + out, list);
    memmove(r->outputs + i * out, from + kept, out);
  }
  if (kept) b->features = features;
  r->output_bytes = out;
  return found;
}

/* The chip's lists are what this machine makes of the chip's own scores. */
static bool same_objects(const struct bundle *b, const struct emulate_result *r,
                         const struct found *found, struct err *e) {
  for (int i = 0; i < r->count; i++) {
    struct found here;
    memset(&here, 0, sizeof here);
    here.count =
        mote_objects_find(&b->request.objects->find,
                          (const int8_t *)(const void *)(r->outputs + (size_t)i * b->output_bytes),
                          here.list, BUNDLE_OBJECTS_MOST);
    const size_t n = here.count < BUNDLE_OBJECTS_MOST ? here.count : BUNDLE_OBJECTS_MOST;
    if (here.count != found[i].count ||
        memcmp(here.list, found[i].list, n * sizeof *here.list) != 0)
      return err_internal(e, "inference %d: %u objects on %s, whose scores are %u here", i,
                          found[i].count, b->request.target->name, here.count);
  }
  return true;
}

bool bundle_run(struct arena *a, struct bundle *b, const void *inputs, int count, bool tap,
                bool layers, struct emulate_result *result, struct err *e) {
  const struct emulate_options options = {.inputs = inputs,
                                          .input_bytes = b->input_bytes,
                                          .count = count,
                                          .steps = tap ? b->compiled.n_steps : 0,
                                          .layers = layers,
                                          .count_instructions = true};
  if (!emulate_run(a, &b->program, &options, result, e)) return false;
  const size_t each = kept_bytes(b) + b->output_bytes + found_bytes(b);
  if (result->output_bytes != each)
    return err_internal(e, "the program writes %zu bytes an inference, not %zu",
                        result->output_bytes, each);
  if (each != b->output_bytes) {
    const struct found *found = part_pieces(a, b, result);
    if (b->request.objects && !same_objects(b, result, found, e)) return false;
  }
  if (!b->request.suppress) bundle_canonical(b->request.graph, result->outputs, count);
  return true;
}

bool bundle_run_once(struct arena *a, const struct bundle_request *request, const void *inputs,
                     int count, bool tap, struct bundle *b, struct emulate_result *result,
                     struct err *e) {
  char *dir;
  if (!dir_temporary(a, &dir, e)) return false;
  const bool ok = bundle_write(a, request, dir, b, e) && bundle_build(a, b, e) &&
                  bundle_run(a, b, inputs, count, tap, tap, result, e);
  dir_remove(dir);
  return ok;
}

int64_t bundle_flash_code(const struct bundle *b) {
  const struct emulate_size *s = &b->program.size;
  return s->flash_code + s->flash_plan - (int64_t)b->compiled.flash_weight_bytes;
}
/* As linked; before that, as the features' bytes say. */
static int64_t table_bytes(const struct bundle *b) {
  if (!b->request.features) return 0;
  return b->program.size.flash_tables ? b->program.size.flash_tables
                                      : (int64_t)b->request.features->bytes;
}
int64_t bundle_flash_weight(const struct bundle *b) {
  return (int64_t)b->compiled.flash_weight_bytes + table_bytes(b);
}

struct compile_measured bundle_measured(const struct bundle *b, int64_t stack_bytes) {
  const bool linked = b->built && *b->request.target->machine;
  return (struct compile_measured){
      .flash_code_bytes = linked ? bundle_flash_code(b) : -1,
      .ram_static_bytes = linked ? b->program.size.ram_static : -1,
      .stack_bytes = linked ? stack_bytes : -1,
      .flash_table_bytes = table_bytes(b),
  };
}

int64_t bundle_map_bytes(const struct bundle *b) {
  const struct features_block *f = b->request.features;
  return f ? (int64_t)f->map_columns * (int64_t)sizeof(struct mote_features_column) : 0;
}
int64_t bundle_ram(const struct bundle *b, int64_t stack_bytes) {
  return (int64_t)(b->arena_bytes + b->window_bytes) + bundle_map_bytes(b) +
         b->program.size.ram_static + stack_bytes;
}
static int longest_frame(const struct features_block *b) {
  int most = 0;
  for (int i = 0; i < b->n_parts; i++)
    if (b->parts[i].params->frame > most) most = b->parts[i].params->frame;
  return most;
}

/* What a stream saves of a window's rows: those that are alone are kept as int8. Several parts' scratch is one. */
static int64_t saved_of_rows(const struct features_block *f) {
  if (f->n_parts > 1) return 0;
  const int64_t rows = (int64_t)mote_features_rows_bytes(f->parts[0].params);
  const int64_t kept = (int64_t)mote_features_stream_rows_bytes(f->parts[0].params);
  return kept < rows ? rows - kept : 0;
}
int64_t bundle_ram_by_rows(const struct bundle *b, int64_t stack_bytes) {
  const struct features_block *f = b->request.features;
  const int64_t ram = bundle_ram(b, stack_bytes);
  return f ? ram - (int64_t)b->window_bytes + 2 * (int64_t)longest_frame(f) * f->channels -
                 saved_of_rows(f)
           : ram;
}
bool bundle_fits(const struct bundle *b, int64_t stack_bytes) {
  const struct emulate_board *board = b->request.board;
  return bundle_flash_code(b) + bundle_flash_weight(b) <=
             board->flash_bytes - board->flash_reserved_bytes &&
         bundle_ram(b, stack_bytes) <= board->ram_bytes;
}

/* One inference of an open model. in: all inputs, or a window of samples. */
static void infer_host(const struct bundle_request *r, const struct mote_model *model,
                       void *scratch, const uint8_t *in, uint8_t *out) {
  const struct graph *g = r->graph;
  if (r->features)
    features_run(r->features, (const int16_t *)(const void *)in, scratch, mote_input(model, 0));
  for (int i = 0; i < g->n_inputs && !r->features; i++) {
    memcpy(mote_input(model, (unsigned)i), in, tensor_bytes(g, g->inputs[i]));
    in += tensor_bytes(g, g->inputs[i]);
  }
  mote_run(model);
  for (int i = 0; i < g->n_outputs; i++) {
    memcpy(out, mote_output(model, (unsigned)i), tensor_bytes(g, g->outputs[i]));
    out += tensor_bytes(g, g->outputs[i]);
  }
}

/* Hops of samples through an open model: hops of sound. */
static void pass_sound(const struct bundle_request *r, const struct mote_model *model, void *memory,
                       const int16_t *in, int count, int16_t *out) {
  const struct mote_features *const f = r->features->parts[0].params;
  mote_suppress_begin(f, memory);
  for (int i = 0; i < count; i++, in += f->hop, out += f->hop) {
    mote_suppress_take(f, memory, in, mote_input(model, 0));
    mote_run(model);
    mote_suppress_give(f, memory, mote_output(model, 0), r->least, out);
  }
}

bool bundle_run_host(struct arena *a, const struct bundle_request *request, const void *inputs,
                     int count, uint8_t **outputs, struct err *e) {
  const struct graph *g = request->graph;
  const struct features_block *f = request->features;
  const struct compile_options options = {.pointer_bytes = (int)sizeof(void *)};
  const size_t in_bytes = f ? features_window_words(f) * 2 : sum_bytes(g, g->inputs, g->n_inputs);
  const size_t out_bytes = sum_bytes(g, g->outputs, g->n_outputs);
  struct compiled c;
  struct mote_model model;
  if (!compile_graph(g, &options, a, &c, e)) return false;
  void *arena = ARENA_ARRAY(a, uint8_t, c.arena_bytes + 1);
  void *scratch = ARENA_ARRAY(a, uint8_t, (f ? f->scratch_bytes : 0) + 1);
  const enum mote_status status = mote_open(&model, c.plan, c.plan_bytes, arena, c.arena_bytes);
  if (status != MOTE_OK)
    return err_internal(e, "the plan is refused: %s", mote_status_text(status));
  if (request->suppress) {
    const struct mote_features *const one = f->parts[0].params;
    int16_t *const sound = ARENA_ARRAY(a, int16_t, (size_t)one->hop * (size_t)count + 1);
    pass_sound(request, &model, ARENA_ARRAY(a, uint32_t, mote_suppress_bytes(one) / 4 + 1), inputs,
               count, sound);
    *outputs = (uint8_t *)sound;
    return true;
  }
  *outputs = ARENA_ARRAY(a, uint8_t, out_bytes * (size_t)count + 1);
  for (int i = 0; i < count; i++)
    infer_host(request, &model, scratch, (const uint8_t *)inputs + in_bytes * (size_t)i,
               *outputs + out_bytes * (size_t)i);
  bundle_canonical(g, *outputs, count);
  return true;
}
