/* mote run: runs a model on this machine, through its plan, as a chip would. */
#include <string.h>

#include "app/batch.h"
#include "app/decide.h"
#include "app/model.h"
#include "app/noise.h"
#include "host/export/export.h"

struct run {
  struct option_list in, out;
  const char *layers, *batch, *format, *stream;
  int64_t ram, stride, inferences;
  bool fast;
};

static const char ABOUT[] =
    "Inputs and outputs are raw little-endian tensors in the model's own types: one file for each "
    "tensor in\n"
    "the model's order, or one with all of them. MODEL is a .tflite or .mote file. Without MODEL "
    "it is the\n"
    "project's trained network with its features in front: -i is a recording, -o the int8 class "
    "scores of its\n"
    "windows, one after another; of a project that suppresses noise -o is a WAV file of what is "
    "left.\n"
    "--batch FOLDER runs a labelled set instead, as the MLPerf Tiny suite lays them out: files and "
    "y_labels.csv\n"
    "(file name, number of classes, label); it prints accuracy, or the AUC of an autoencoder. What "
    "the files\n"
    "hold is told from their size: raw is the input itself, uint8 is shifted by 128, float32 is "
    "quantised,\n"
    "windows are longer float32 files over which the input slides.";

/* The hash as docs/spec/cli.md has it, each layer's, and what the plan needs. */
static void print_json(struct command_line *c, const struct model *model, const uint8_t *outputs,
                       size_t output_bytes, int inferences, const struct bundle_layers *layers) {
  struct text t;
  struct json j;
  char hex[65];
  text_init(&t, c->arena);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "model", model->compiled.source->name);
  bundle_hash(outputs, output_bytes, layers, hex);
  json_put_string(&j, "hash", hex);
  bundle_output_hash(outputs, output_bytes * (size_t)inferences, hex);
  json_put_string(&j, "output_sha256", hex);
  json_put_int(&j, "inferences", inferences);
  const struct compile_measured m = {-1, -1, -1, 0, NULL, bundle_layer_hashes(c->arena, layers)};
  compile_report_json(&model->compiled, &m, &j);
  json_close_object(&j);
  fputs(t.data, stdout);
}

/* Scores in words, where they were not written to a file. */
static void print_outputs(const struct graph *g, const uint8_t *outputs, int inference) {
  if (inference >= 0) printf("inference %d\n", inference);
  for (int i = 0; i < g->n_outputs; i++) {
    const struct graph_tensor *t = &g->tensors[g->outputs[i]];
    const int64_t n = graph_elements(t), shown = n < 64 ? n : 64;
    printf("output %d:", i);
    for (int64_t k = 0; k < shown; k++) {
      char value[32];
      bundle_value(t->type, outputs, (size_t)k, value);
      printf(" %s", value);
    }
    printf(n > shown ? " ... (%lld values)\n" : "\n", (long long)n);
    outputs += graph_bytes(t);
  }
}

static bool run_model(struct command_line *c, const struct run *r, struct model *m) {
  uint8_t *inputs, *outputs;
  struct emulate_rows *rows;
  struct bundle_layers layers;
  int n_rows = 0;
  size_t output_bytes = 0;
  const struct graph *g = m->compiled.source;
  if (!bundle_read_inputs(c->arena, g, &r->in, (int)r->inferences, &inputs, &c->err)) return false;
  if (!bundle_run_here(c->arena, &m->compiled, inputs, (int)r->inferences, &outputs, &rows, &n_rows,
                       &c->err))
    return false;
  if (!bundle_layers(c->arena, &m->compiled, inputs, rows, n_rows, &layers, &c->err)) {
    c->err.internal = c->err.internal && !m->is_mote; /* a strange file, not a fault of ours */
    return false;
  }
  for (int i = 0; i < g->n_outputs; i++) output_bytes += graph_bytes(&g->tensors[g->outputs[i]]);
  if (!bundle_write_outputs(c->arena, g, &r->out, (int)r->inferences, outputs, &c->err))
    return false;
  if (r->layers != NULL && !bundle_write_layers(c->arena, &layers, r->layers, &c->err))
    return false;
  if (c->json)
    print_json(c, m, outputs, output_bytes, (int)r->inferences, &layers);
  else if (r->out.count == 0)
    for (int k = 0; k < r->inferences; k++)
      print_outputs(g, outputs + (size_t)k * output_bytes, r->inferences > 1 ? k : -1);
  return true;
}

/* outputs: of every window all outputs, shares of classes and then an anomaly score, each where the model has it. */
static void print_scores(struct command_line *c, const struct bundle_model *b,
                         const uint8_t *outputs, int windows) {
  const struct project_model *m = b->trained;
  const bool counts = m->objects.height != 0;
  const int classes = project_only_scores(m) || counts ? 0 : m->n_classes;
  struct text t;
  struct json j;
  text_init(&t, c->arena);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_open_array(&j, "classes");
  for (int k = 0; k < classes; k++) json_put_string(&j, NULL, m->classes[k]);
  json_close_array(&j);
  json_open_array(&j, "windows");
  for (int i = 0; i < windows; i++) {
    json_open_array(&j, NULL);
    for (int k = 0; k < classes; k++, outputs++) {
      if (!c->json) printf("%s%s %d", k > 0 ? "  " : "", m->classes[k], (int8_t)*outputs);
      json_put_int(&j, NULL, (int8_t)*outputs);
    }
    if (counts) { /* the map itself is for -o */
      const uint32_t n =
          mote_objects_find(&m->objects, (const int8_t *)(const void *)outputs, NULL, 0);
      outputs += (size_t)m->objects.height * m->objects.width * (m->objects.classes + 1u);
      if (!c->json) printf("%u object%s", n, n == 1 ? "" : "s");
      json_put_int(&j, NULL, n);
    }
    if (m->anomaly) {
      int32_t score;
      memcpy(&score, outputs, sizeof score);
      outputs += sizeof score;
      if (m->anomaly->kind == MOTE_ML_RECONSTRUCTION) outputs += m->features.out_bytes;
      if (!c->json) printf("%sscore %d", classes ? "  " : "", score);
      json_put_int(&j, NULL, score);
    }
    if (!c->json) printf("\n");
    json_close_array(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  if (c->json) fputs(t.data, stdout);
}

/* A recording with its noise turned down, as a WAV file. */
static bool run_noise(struct command_line *c, const struct run *r, const struct bundle_model *m) {
  struct dataset d;
  if (r->out.count != 1)
    return err_set(&c->err, "this project suppresses noise: -i RECORDING -o CLEANED.wav");
  if (!dataset_load_file(m->project, r->in.items[0], NULL, NULL, &d, &c->err)) return false;
  const struct dataset_sample *s = &d.samples[0];
  int16_t *out = ARENA_ARRAY(c->arena, int16_t, s->length + 1);
  const struct export_numbers sound = {.type = EXPORT_INT16,
                                       .data = out,
                                       .length = s->length,
                                       .channels = 1,
                                       .rate_hz = m->project->config.rate_hz};
  if (!noise_clean(c->arena, m->noise, s->data, s->length, out, &c->err) ||
      !export_wav(r->out.items[0], &sound, &c->err))
    return false;
  if (c->json) {
    struct text t;
    struct json j;
    text_init(&t, c->arena);
    json_start(&j, &t);
    json_open_object(&j, NULL);
    json_put_int(&j, "run", m->noise->run);
    json_put_int(&j, "samples", s->length);
    json_put_string(&j, "output", r->out.items[0]);
    json_close_object(&j);
    fputs(t.data, stdout);
  } else
    printf("%s: %.1f s\n", r->out.items[0], (double)s->length / m->project->config.rate_hz);
  return true;
}

/* The project's network over one recording: samples, features, network, as on the device. */
static bool run_project(struct command_line *c, const struct run *r) {
  struct bundle_model m;
  struct dataset d;
  uint8_t *outputs = NULL;
  bool ok = bundle_open_model(c->arena, NULL, &m, &c->err);
  if (ok && m.suppress) {
    ok = run_noise(c, r, &m);
    bundle_close_model(&m);
    return ok;
  }
  ok = ok && dataset_load_file(m.project, r->in.items[0], NULL, m.trained->range, &d, &c->err) &&
       decide_outputs(c->arena, m.title, m.graph, m.features, NULL, &d, &outputs, &c->err);
  if (ok && r->out.count == 1)
    ok = file_write(r->out.items[0], outputs, (size_t)d.n_windows * decide_bytes(m.graph), &c->err);
  if (ok && (c->json || r->out.count == 0)) print_scores(c, &m, outputs, d.n_windows);
  bundle_close_model(&m);
  return ok;
}

/* A labelled set of files. */
static bool run_batch(struct command_line *c, const struct run *r, const struct model *m,
                      enum batch_format format) {
  struct batch b = {.folder = r->batch, .format = format, .stride = (size_t)r->stride};
  struct text t;
  struct json j;
  if (!batch_open(c->arena, m->compiled.source, &b, &c->err) ||
      !batch_run(c->arena, &m->compiled, &b, c->progress, &c->err))
    return false;
  text_init(&t, c->arena);
  if (c->json) {
    json_start(&j, &t);
    json_open_object(&j, NULL);
    json_put_string(&j, "model", m->compiled.source->name);
    batch_json(&b, &j);
    json_close_object(&j);
  } else
    batch_print(&b, &t);
  fputs(t.data, stdout);
  return true;
}

static bool run_file(struct command_line *c, const struct run *r, enum batch_format format) {
  const struct compile_options options = {.ram_bytes = (size_t)r->ram, .fast = r->fast};
  struct model m;
  const bool ok = model_open(c->arena, c->words[0], r->stream, &options, &m, &c->err) &&
                  (r->batch ? run_batch(c, r, &m, format) : run_model(c, r, &m));
  model_close(&m);
  return ok;
}

/* false: no such name. */
static bool find_format(const char *name, enum batch_format *format) {
  if (!name) return true;
  for (int i = BATCH_RAW; batch_format_name(i); i++)
    if (!strcmp(batch_format_name(i), name)) {
      *format = (enum batch_format)i;
      return true;
    }
  return false;
}

/* What does not go together, in words; NULL: all is well. */
static const char *wrong_use(const struct command_line *c, const struct run *r) {
  if (r->batch && (r->in.count || r->out.count || r->layers))
    return "--batch takes its inputs from the folder: leave -i, -o and --layers out";
  if (r->batch && !c->n_words) return "--batch needs MODEL; a project's own is tested by mote test";
  if (!r->batch && (r->format || r->stride))
    return "--format and --stride tell what the files of --batch hold";
  if (r->stream && (r->batch || c->n_words == 0))
    return "--stream takes a model file, and its rows with -i";
  if (r->stride && r->format && strcmp(r->format, "windows") != 0)
    return "--stride is for --format windows";
  if (r->batch) return NULL;
  if (r->in.count == 0)
    return "no input: add -i FILE, a raw tensor in the model's own type and shape (see mote info)";
  if (c->n_words == 0 && (r->in.count > 1 || r->out.count > 1 || r->layers))
    return "a project's network takes one recording with -i and at most one -o, without --layers; "
           "for raw tensors name a model file";
  return NULL;
}

int cmd_run(int argc, char **argv) {
  struct run r = {.inferences = 1};
  const struct option_spec options[] = {
      {'i', "input", OPTION_LIST, "FILE", "input tensor; repeat for each, or one file with all",
       &r.in},
      {'o', "output", OPTION_LIST, "FILE", "output tensor; likewise (default: print)", &r.out},
      {0, "layers", OPTION_TEXT, "DIR", "write every operator's output there as opNN.bin",
       &r.layers},
      {0, "inferences", OPTION_COUNT, "N", "one after the other; -i and -o hold N of each tensor",
       &r.inferences},
      {0, "batch", OPTION_TEXT, "FOLDER", "a labelled set: y_labels.csv and the files it lists",
       &r.batch},
      {0, "format", OPTION_TEXT, "F", "what its files hold: raw, uint8, float32, windows",
       &r.format},
      {0, "stride", OPTION_COUNT, "N", "values from a window to the next (default: y_labels.csv)",
       &r.stride},
      {0, "ram", OPTION_COUNT, "BYTES", "the fastest plan whose arena is at most that", &r.ram},
      {0, "fast", OPTION_FLAG, NULL, "the fastest plan", &r.fast},
      {0, "stream", OPTION_TEXT, "ROWS",
       "give only the newest rows of the window; least: as few as strides allow", &r.stream},
      {0}};
  const struct command_spec spec = {
      .usage = "mote run [MODEL] -i in.bin [-o out.bin] [--layers DIR]\n"
               "       mote run MODEL --batch FOLDER [--format F]",
      .about = ABOUT,
      .options = options,
      .examples = "  mote run kws.tflite -i features.bin -o scores.bin\n"
                  "  mote run kws.tflite --batch kws01 --json",
      .least = 0,
      .most = 1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!bundle_stream_reads(r.stream))
    return command_usage(&c, "--stream takes a number of rows, or the word least");
  enum batch_format format = BATCH_GUESS;
  const char *wrong = wrong_use(&c, &r);
  if (wrong) return command_usage(&c, "%s", wrong);
  if (!find_format(r.format, &format))
    return command_usage(&c, "no format %s; there are raw, uint8, float32 and windows", r.format);
  return command_end(&c, c.n_words > 0 ? run_file(&c, &r, format) : run_project(&c, &r));
}
