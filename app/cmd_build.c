/* mote build: a model becomes a C project for a chip, with report.json. */
#include <string.h>

#include "app/bundle.h"
#include "app/continuous.h"
#include "app/few.h"
#include "app/regression.h"
#include "app/sensor.h"

struct arguments {
  const char *learn, *target, *board, *out, *name;
  int64_t ram;
  const char *input; /* "rows" */
  const char *stream;
  bool fast, small, no_compile;
};

/* How much of a board a program takes. */
static void print_limits(const struct bundle *b) {
  const struct emulate_board *board = b->request.board;
  if (!board || !b->built) return;
  const int64_t flash = bundle_flash_code(b) + bundle_flash_weight(b);
  const int64_t ram = bundle_ram(b, 0);
  printf("%s: %.1f %% of %s B flash, %.1f %% of %s B RAM (stack not counted)\n", board->title,
         100.0 * (double)flash / (double)(board->flash_bytes - board->flash_reserved_bytes),
         text_thousands(board->flash_bytes - board->flash_reserved_bytes),
         100.0 * (double)ram / (double)board->ram_bytes, text_thousands(board->ram_bytes));
}

static void print_summary(const struct bundle *b, const char *out) {
  printf("%s for %s in %s\n", b->request.title, b->request.target->name, out);
  const bool linked = b->built && *b->request.target->machine;
  if (linked) printf("flash   %9s B code\n", text_thousands(bundle_flash_code(b)));
  printf("flash   %9s B weights and tables\n", text_thousands(bundle_flash_weight(b)));
  printf("arena   %9s B\n", text_thousands((int64_t)b->arena_bytes));
  if (b->window_bytes) printf("samples %9s B\n", text_thousands((int64_t)b->window_bytes));
  if (bundle_map_bytes(b)) printf("map     %9s B\n", text_thousands(bundle_map_bytes(b)));
  if (linked)
    printf("static  %9s B\n", text_thousands(b->program.size.ram_static));
  else if (!b->built)
    printf("code and static memory are known once it is compiled%s%s\n",
           emulate_can_build(b->request.target) ? "" : ": there is no ",
           emulate_can_build(b->request.target) ? "" : b->request.target->compiler);
  printf("MAC     %9s", text_thousands(b->compiled.macs));
  if (b->compiled.source_macs > b->compiled.macs)
    printf(" (%s in the model)", text_thousands(b->compiled.source_macs));
  printf("\n");
  print_limits(b);
}

/* report.json: also what --json prints. stack: -1 where it was not measured. */
static const char *report(struct arena *a, const struct bundle_model *model, const struct bundle *b,
                          int64_t stack) {
  const struct compile_measured m = bundle_measured(b, stack);
  struct text t;
  struct json j;
  text_init(&t, a);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "model", b->request.title);
  json_put_string(&j, "target", b->request.target->name);
  if (b->request.board)
    json_put_string(&j, "board", b->request.board->name);
  else
    json_put_null(&j, "board");
  json_put_string(&j, "compiler", b->request.target->compiler);
  json_put_string(&j, "compiler_flags", b->request.target->flags);
  json_put_string(&j, "hot_files", b->request.target->hot);
  json_put_string(&j, "hot_flags", b->request.target->hot_flags);
  if (model->whole) {
    json_open_object(&j, "stream");
    bundle_stream_json(model, &j);
    json_close_object(&j);
  }
  compile_report_json(&b->compiled, &m, &j);
  if (b->request.features) {
    json_open_object(&j, "features");
    json_put_int(&j, "scratch_bytes", (int64_t)b->request.features->scratch_bytes);
    json_put_int(&j, "flash_table_bytes", m.flash_table_bytes);
    json_close_object(&j);
    json_put_int(&j, "ram_window_bytes", (int64_t)b->window_bytes);
    json_put_int(&j, "ram_map_bytes", bundle_map_bytes(b));
    json_put_int(&j, "ram_arena_with_features_bytes", (int64_t)b->arena_bytes);
  }
  json_close_object(&j);
  return t.data;
}

/* Stack is known only after a run; where the chip can be emulated, the program runs once. */
static int64_t measure_stack(struct arena *a, struct bundle *b) {
  struct emulate_result r;
  struct err ignored = {0};
  if (!b->built || !*b->request.target->machine || !emulate_can_run(b->request.target)) return -1;
  const void *zeros = ARENA_ARRAY(a, uint8_t, b->input_bytes + 1);
  return bundle_run(a, b, zeros, 1, false, false, &r, &ignored) ? r.stack_bytes : -1;
}

/* The project's rules for detections, where it has some and the model has classes. */
static bool detectors(struct arena *a, const struct bundle_model *m, struct bundle_request *r,
                      struct err *e) {
  struct text t;
  text_init(&t, a);
  if (project_only_scores(m->trained)) return true;
  if (!continuous_emit(&m->project->config, m->trained->classes, m->trained->n_classes, &t, e)) {
    err_file(e, m->project->yaml_path);
    return false;
  }
  r->detector = t.data;
  return true;
}

/* online.h: a head that goes on learning on the device. */
static bool online_head(struct command_line *c, const struct bundle_model *m, const char *word,
                        struct bundle_request *r) {
  struct text t;
  struct few_head head;
  unsigned kind = 0;
  if (!few_head_from(word, &kind))
    return err_set(&c->err, "no head '%s'; softmax, means and nearest are", word);
  if (!m->project)
    return err_set(&c->err,
                   "a head that learns on the device reads a project's features: leave MODEL "
                   "out, in the project's folder");
  if (project_only_scores(m->trained))
    return err_set(&c->err, "the model tells anomalies: there are no classes to learn");
  if (m->trained->scales)
    return err_set(&c->err, "this project estimates numbers: there are no classes to learn");
  if (m->objects)
    return err_set(&c->err, "this project counts objects: --learn tells classes of whole windows");
  /* Eight examples of each class, as long as its count (a byte) holds them. */
  const int classes = m->trained->n_classes, room = kind != MOTE_ML_ONLINE_NEAREST ? classes
                                                    : classes < 255 / 8            ? 8 * classes
                                                                                   : 255;
  if (!few_factory(m->project, m->trained, kind, room, 0, &head, &c->err)) return false;
  text_init(&t, c->arena);
  few_emit(m->trained, &head, &t);
  r->online = t.data;
  return true;
}

/* How the sensor's values become samples; sound is samples already. */
static const char *sensor_text(struct arena *a, const struct bundle_model *m) {
  struct text t;
  if (!m->project || !m->trained->range) return NULL;
  text_init(&t, a);
  sensor_emit(&m->project->config, m->trained->range, &t);
  return t.data;
}

/* What the outputs of a project mean that estimates numbers. */
static const char *numbers_text(struct arena *a, const struct bundle_model *m, const char *name) {
  struct text t;
  if (!m->project || !m->trained->scales) return NULL;
  text_init(&t, a);
  regression_emit(&m->project->config, m->graph, m->trained->scales, name, &t);
  return t.data;
}

static bool run(struct command_line *c, const struct arguments *o, struct bundle_model *m) {
  struct bundle_request r = {.fast = o->fast,
                             .small = o->small,
                             .ram_bytes = (size_t)o->ram,
                             .input_rows = o->input != NULL,
                             .curve = true};
  struct bundle b;
  if (!bundle_open_model(c->arena, c->n_words ? c->words[0] : NULL, m, &c->err) ||
      !bundle_stream_model(c->arena, o->stream, m, &c->err) ||
      !bundle_find_target(c->arena, m, o->target, o->board, &r.target, &r.board, &c->err))
    return false;
  if (r.board && r.board->stand_in)
    return err_set(&c->err, "nothing can be built for %s: %s; `mote bench` estimates",
                   r.board->title, r.board->stand_in);
  r.title = m->title;
  r.name = o->name;
  r.graph = m->graph;
  r.features = m->features;
  r.suppress = m->suppress;
  r.least = m->least;
  r.objects = m->objects;
  r.sensor = sensor_text(c->arena, m);
  r.numbers = numbers_text(c->arena, m, o->name ? o->name : "model");
  if (o->learn && m->suppress)
    return err_set(&c->err, "this project suppresses noise: there are no classes to learn");
  if (o->learn && !online_head(c, m, o->learn, &r)) return false;
  if (m->project && m->project->config.n_detect && !detectors(c->arena, m, &r, &c->err))
    return false;
  progress_update(c->progress, "build", 0, 3, "compiling %s", m->title);
  if (!bundle_write(c->arena, &r, o->out, &b, &c->err)) return false;
  progress_update(c->progress, "build", 1, 3, "building for %s", r.target->name);
  if (!o->no_compile && emulate_can_build(r.target) && !bundle_build(c->arena, &b, &c->err))
    return false;
  progress_update(c->progress, "build", 2, 3, "measuring");
  const char *text = report(c->arena, m, &b, measure_stack(c->arena, &b));
  progress_update(c->progress, "build", 3, 3, "%s", o->out);
  if (!file_write(arena_printf(c->arena, "%s/report.json", o->out), text, strlen(text), &c->err))
    return false;
  if (c->json)
    fputs(text, stdout);
  else
    print_summary(&b, o->out);
  return true;
}

int cmd_build(int argc, char **argv) {
  struct arguments o = {0};
  const struct option_spec options[] = {
      {0, "target", OPTION_TEXT, "T",
       "chip: cortex-m0plus, -m3, -m4, -m7, -m33, -m55, rv32imc, wasm32, host", &o.target},
      {0, "board", OPTION_TEXT, "NAME",
       "board instead of a chip: wio-terminal, xiao, pico ... (firmware/boards)", &o.board},
      {'o', "out", OPTION_TEXT, "DIR", "folder of the C project", &o.out},
      {0, "name", OPTION_TEXT, "NAME",
       "what the model's files and C names begin with (model); two models need two", &o.name},
      {0, "input", OPTION_TEXT, "rows",
       "the first input is fed row by row: a ring instead of the whole", &o.input},
      {0, "ram", OPTION_COUNT, "N", "most bytes of arena", &o.ram},
      {0, "fast", OPTION_FLAG, NULL, "the fastest plan, RAM as needed", &o.fast},
      {0, "small", OPTION_FLAG, NULL, "the least flash", &o.small},
      {0, "stream", OPTION_TEXT, "ROWS",
       "give only the newest rows of the window; least: as few as strides allow", &o.stream},
      {0, "learn", OPTION_TEXT, "HEAD",
       "online.h: a head that goes on learning on the device; softmax, means or nearest", &o.learn},
      {0, "no-compile", OPTION_FLAG, NULL, "write the C only", &o.no_compile},
      {0},
  };
  const struct command_spec spec = {
      .usage = "mote build [MODEL] --target T [--name NAME] [--ram N] -o DIR",
      .about =
          "Makes a C project from a model: C99 without an allocator, a Makefile, and report.json.\n"
          "Without MODEL: the project's trained model with its features in front.\n"
          "Where the chip's compiler is installed the project is compiled and measured, too.",
      .options = options,
      .examples = "  mote build kws.tflite --target cortex-m4 -o kws\n"
                  "  mote build kws.tflite --board xiao --ram 9000 -o kws",
      .least = 0,
      .most = 1,
  };
  struct command_line c;
  struct bundle_model m = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!o.out) return command_usage(&c, "no folder was named: add -o DIR");
  if (c.n_words && !o.target && !o.board)
    return command_usage(&c, "no chip was named: add --target cortex-m4, or --board wio-terminal");
  if (o.fast && o.small)
    return command_usage(
        &c, "--fast and --small exclude each other: the fastest plan, or the least flash");
  if (!bundle_stream_reads(o.stream))
    return command_usage(&c, "--stream takes a number of rows, or the word least");
  if (o.input && strcmp(o.input, "rows") != 0)
    return command_usage(&c, "--input takes the word rows: the first input is fed row by row");
  if (o.name && (strcmp(o.name, "program") == 0 || strcmp(o.name, "features") == 0))
    return command_usage(&c,
                         "program.c and features.c are files of the project: take another --name");
  const bool ok = run(&c, &o, &m);
  bundle_close_model(&m);
  return command_end(&c, ok);
}
