/* bundle: a model, with or without features in front, becomes a C project; the project becomes a program that
 * runs on an emulated chip or on this machine. `build`, `bench`, `verify` and `test` stand on it.
 *
 *   graph (+ features) -> bundle_write -> a folder anybody can build -> bundle_build -> bundle_run
 *
 * It adapts between compile, features and emulate, which do not know each other. */
#ifndef APP_BUNDLE_H
#define APP_BUNDLE_H

#include "app/app.h"
#include "app/project.h"
#include "host/compile/compile.h"
#include "host/emulate/emulate.h"
#include "host/features/features.h"

/* What a program finds in the map of cells that its network makes. */
struct bundle_objects {
  struct mote_objects find;
  const char *const *names; /* [find.classes] */
};
#define BUNDLE_OBJECTS_MOST 32 /* that a program's list holds; what is above is counted only */
/* objects.h of it. */
void bundle_objects_emit(const struct bundle_objects *o, const char *name, struct text *out);

/* ---- the model that a command was given ----------------------------------------- */

struct noise_model;
/* A file, or where none was named the project's trained model with its features in front. */
struct bundle_model {
  const char *title;
  const struct graph *graph;
  const struct features_block *features; /* NULL: a file */
  struct project *project;               /* NULL: a file */
  struct project_model *trained;
  bool suppress; /* a project that suppresses noise: see bundle_request */
  unsigned least;
  struct noise_model *noise;            /* NULL: another project, or a file */
  const struct bundle_objects *objects; /* NULL: the model tells whole windows */
  const struct graph *whole; /* where graph is streamed: the model of the whole window; else NULL */
  struct compile_stream stream;
};
/* path NULL: the project in the current folder. bundle_close_model afterwards, whatever was returned. */
bool bundle_open_model(struct arena *a, const char *path, struct bundle_model *m, struct err *e);
void bundle_close_model(struct bundle_model *m);

/* ---- --stream ROWS|least ------------------------------------------------------------ */
/* Whether an option's value is one; NULL is. */
bool bundle_stream_reads(const char *text);
/* m->graph becomes the model that is given new rows only; text NULL: nothing. errors: what compile_stream says; a
 * project's network, whose features are made for whole windows. */
bool bundle_stream_model(struct arena *a, const char *text, struct bundle_model *m, struct err *e);
/* Calls that fill the window. */
int bundle_stream_calls(const struct bundle_model *m);
/* The windows that the model of the whole sees, one for each of count calls, when streamed inputs come. */
uint8_t *bundle_stream_windows(struct arena *a, const struct bundle_model *m, const uint8_t *rows,
                               int count);
/* What was streamed, for an open object; in words, where anything was. */
void bundle_stream_json(const struct bundle_model *m, struct json *j);
void bundle_stream_print(const struct bundle_model *m, struct text *t);

/* The target that --target and --board name together; neither: the project's board. errors: they disagree. */
bool bundle_find_target(struct arena *a, const struct bundle_model *m, const char *target,
                        const char *board, const struct emulate_target **t,
                        const struct emulate_board **b, struct err *e);

struct bundle_request {
  const char *title; /* for comments: the file's or project's name */
  const char *name;  /* a C identifier: of files, and what public names begin with; NULL: "model" */
  const struct graph *graph;
  const struct features_block *features; /* NULL: the network alone, its inputs raw tensors */
  const struct emulate_target *target;
  const struct emulate_board *board; /* NULL: none */
  bool fast, small;
  size_t ram_bytes;     /* most arena bytes; 0: no limit */
  bool curve;           /* tell what less memory costs */
  const char *detector; /* text of detector.h; NULL: none */
  const char *online;   /* text of online.h; NULL: none */
  const char *sensor;   /* text of sensor.h; NULL: none */
  const char *numbers;  /* text of numbers.h; NULL: none */
  /* Sound passes (mote/dsp/suppress.h): features is of one frame, graph takes its row and answers its mask. An inference takes a hop
   * of samples and its output is a hop of sound; least: the least gain of 256. */
  bool suppress;
  unsigned least;
  /* The program also makes a list of objects, and bundle_run compares it with this machine's; NULL: none. */
  const struct bundle_objects *objects;
  bool input_rows; /* the first input is fed row by row, and the arena holds a ring of its rows */
  bool keep_features; /* the program also tells what the features were: bundle.features */
};
/* Takes the word "rows" out of the list of --input: whether it was there. */
bool bundle_take_rows(struct option_list *inputs);

struct bundle {
  struct bundle_request request;
  struct compiled compiled;
  const char *dir;
  size_t input_bytes, output_bytes; /* of one inference, all tensors concatenated */
  size_t
      arena_bytes; /* features' scratch included, which shares the network's room; what sound keeps, too */
  size_t window_bytes; /* samples of one window, 0 without features */
  bool built;
  struct emulate_program program;
  const uint8_t
      *features; /* with keep_features, after a run: the network's input, an inference each */
};

/* Compiles the graph for the target: b->compiled, arena_bytes, window_bytes and the sizes of inputs and outputs, no files. */
bool bundle_plan(struct arena *a, const struct bundle_request *request, struct bundle *b,
                 struct err *e);
/* Compiles the graph for the target and writes the C project to dir, which is made: NAME.c, NAME.h, NAME_arena.c,
 * NAME.mote, features.c, program.c, mote/, firmware/, Makefile. errors: what compile_graph says; a name that will not
 * do; a full disk. */
bool bundle_write(struct arena *a, const struct bundle_request *request, const char *dir,
                  struct bundle *b, struct err *e);
/* Builds the project with the target's compiler, and measures it. */
bool bundle_build(struct arena *a, struct bundle *b, struct err *e);
/* Runs count inputs, one behind another, each b->input_bytes. NaNs of the outputs are made canonical. tap: run the first once more and tell layers
 * apart; layers: also collect their rows. */
bool bundle_run(struct arena *a, struct bundle *b, const void *inputs, int count, bool tap,
                bool layers, struct emulate_result *result, struct err *e);

/* bytes of flash: code with the plan's own tables; weights, constants and feature tables. */
int64_t bundle_flash_code(const struct bundle *b);
int64_t bundle_flash_weight(const struct bundle *b);
/* The same for compile_report_json, with what is not known left unknown: a program of this machine is not looked
 * into. The caller adds instructions and hashes. */
struct compile_measured bundle_measured(const struct bundle *b, int64_t stack_bytes);

/* Everything about one program in one call, for tests and reports: writes to a folder of its own, builds, runs,
 * removes the folder. b->dir is gone afterwards. */
bool bundle_run_once(struct arena *a, const struct bundle_request *request, const void *inputs,
                     int count, bool tap, struct bundle *b, struct emulate_result *result,
                     struct err *e);

/* One inference of an open model, whose first input is at hand whole: input, or, where that is NULL, already in place. */
void bundle_infer(struct mote_model *model, const void *input);

/* The same inputs through the same bits in this process: features, then the plan compiled for this machine.
 * outputs: count outputs, one behind another. What the chip says must equal it. */
bool bundle_run_host(struct arena *a, const struct bundle_request *request, const void *inputs,
                     int count, uint8_t **outputs, struct err *e);

/* Of the map by which columns of features are measured, which a device keeps; 0: none. */
int64_t bundle_map_bytes(const struct bundle *b);
/* RAM and flash that a program takes on its board: stack_bytes as measured. */
int64_t bundle_ram(const struct bundle *b, int64_t stack_bytes);
bool bundle_fits(const struct bundle *b, int64_t stack_bytes);
/* The same where feature rows are made as samples arrive (mote_features_row): one frame of samples instead of
 * a whole window. Equal to bundle_ram without features. */
int64_t bundle_ram_by_rows(const struct bundle *b, int64_t stack_bytes);

/* ---- layers and hashes (docs/spec/cli.md) -------------------------------------- */

/* The outputs of the source model's operators as one witness computed them: [n], NULL where an output exists
 * nowhere (see the fate in compiled.layers). Of an operator with several outputs all of them, one behind another.
 * Every NaN of a float output is 0x7FC00000. */
struct bundle_layers {
  int n;
  const uint8_t *const *bytes;
  const size_t *size;
};
/* Bytes of a layer's outputs. */
size_t bundle_layer_bytes(const struct compiled *c, int layer);
/* Makes every NaN of `count` inferences' float outputs the same one. */
void bundle_canonical(const struct graph *g, uint8_t *outputs, int count);
/* Element i of values in words. */
void bundle_value(enum mote_type type, const void *values, size_t i, char text[32]);
/* From the rows that a tap saw, and the inputs that ran. errors: rows that do not make a whole tensor. */
bool bundle_layers(struct arena *a, const struct compiled *c, const void *inputs,
                   const struct emulate_rows *rows, int n_rows, struct bundle_layers *layers,
                   struct err *e);
/* Runs a plan in this process, count inferences one after the other, the first with the tap set: outputs (concatenated)
 * and rows. needs: packed for this machine (compile options PLAIN or readable here, pointer bytes of this machine). */
bool bundle_run_here(struct arena *a, const struct compiled *c, const void *inputs, int count,
                     uint8_t **outputs, struct emulate_rows **rows, int *n_rows, struct err *e);
/* SHA-256 of all outputs, then of the layers' hashes, in the source's order; layers that do not exist are left
 * out. */
void bundle_hash(const void *outputs, size_t output_bytes, const struct bundle_layers *layers,
                 char hex[65]);
/* Of the outputs alone. */
void bundle_output_hash(const void *outputs, size_t output_bytes, char hex[65]);
/* Each layer's, in hex: [n], NULL where the layer does not exist. */
const char *const *bundle_layer_hashes(struct arena *a, const struct bundle_layers *layers);
/* Writes opNN.bin of every layer that exists into dir, which is made. */
bool bundle_write_layers(struct arena *a, const struct bundle_layers *layers, const char *dir,
                         struct err *e);

/* -i FILE...: one for each input tensor, or one with all concatenated; none: the pattern. Of count inferences, one
 * behind another. errors: a wrong size says which is right. */
bool bundle_read_inputs(struct arena *a, const struct graph *g, const struct option_list *files,
                        int count, uint8_t **inputs, struct err *e);
/* -o FILE...: likewise. */
bool bundle_write_outputs(struct arena *a, const struct graph *g, const struct option_list *files,
                          int count, const uint8_t *outputs, struct err *e);

#endif
