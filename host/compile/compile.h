/* compile: a graph becomes a plan, and the plan a .mote file or a C program.
 *
 *   graph -> passes -> steps -> schedule (segments, rings) -> offsets -> plan bytes -> .mote or C
 *
 * Passes (pass_*.c) are small functions graph -> graph. The scheduler chooses, for each stretch of the graph,
 * between execution a layer at a time and row streaming, by replaying the executor's own rule
 * (docs/spec/row-machine.md, docs/design/planner.md). Offsets are searched exactly where the count allows it.
 *
 * invariant: mote_check accepts every plan that leaves this room, and running it gives the bits of the source
 * graph's kernels run a layer at a time, whatever the options; of the int8 core those of graph_evaluate.
 * Everything returned lives in the caller's arena. */
#ifndef HOST_COMPILE_H
#define HOST_COMPILE_H

#include "host/graph/graph.h"
#include "host/kit/kit.h"
#include "mote/isa/isa.h"
#include "mote/run/run.h"

/* How the graph is cut in segments. AUTO is what users get; the others exist so that tests can force every
 * kind of plan: LAYERS never streams, STREAM streams whatever can be streamed. */
enum compile_schedule { COMPILE_AUTO, COMPILE_LAYERS, COMPILE_STREAM };

/* Whose kernels are chosen, and by whose instructions plans are compared. Any chip runs any plan; a plan for its own
 * core is faster there. */
enum compile_core {
  COMPILE_CORE_HOST,
  COMPILE_CORE_DSP,  /* ARMv7E-M, and ARMv8-M mainline with the DSP extension */
  COMPILE_CORE_V6M,  /* ARMv6-M */
  COMPILE_CORE_MVE,  /* ARMv8.1-M with Helium */
  COMPILE_CORE_RV32, /* RV32IMC */
  COMPILE_CORE_AVR,
  COMPILE_CORE_WASM,
  COMPILE_CORES
};
/* "host", "dsp", "v6m", "mve", "rv32", "avr", "wasm". COMPILE_CORES: no core is called so. */
enum compile_core compile_core_named(const char *name);

/* All zero but pointer_bytes is the default plan: the least RAM among plans within 10 % of the fastest. */
struct compile_options {
  enum compile_core core; /* the target's */
  int pointer_bytes;      /* of the target: 2, 4 or 8; 0: of this machine */
  bool fast;  /* the fastest plan, whatever RAM it needs; weights may take twice their flash */
  bool small; /* the least flash: weights are packed alike in every plan, so the default plan */
  /* Most arena bytes; 0: no limit. The fastest plan that fits, or an error that says the least possible. */
  size_t ram_bytes;
  /* The first input's rows are fed one at a time (mote_feed_row): the arena holds a ring of them, not the
   * whole. The other inputs are whole. */
  bool input_rows;
  /* Constants that save time for more flash a channel are taken by layers of so many outputs a channel; 0: all. Where the
   * default plan would leave its share of flash, the compiler raises it by itself. */
  int64_t least_pixels;
  /* [nodes] Layers that keep to the flash of their weights where faster forms take several times it; NULL: none. Where the
   * fastest plan would take more than 2.1 times the source model's, the compiler chooses them by itself. */
  const bool *narrow;
  bool curve; /* tell what less RAM costs and more saves (struct compiled, curve) */
  enum compile_schedule schedule;
  bool all_channels;   /* channels that need not be computed stay: for tests and comparison */
  bool no_passes;      /* nothing is simplified: for tests and comparison */
  unsigned spare_rows; /* rows added to every ring beyond the proven need: for tests */
};

/* One piece of the arena, for the memory map over time. */
enum compile_piece_kind {
  COMPILE_INPUT,
  COMPILE_OUTPUT,
  COMPILE_ACTIVATION,
  COMPILE_RING,
  COMPILE_STATE,
  COMPILE_SCRATCH,
  COMPILE_VARIABLE /* keeps its value from one inference to the next */
};
struct compile_piece {
  enum compile_piece_kind kind;
  const char *name;
  size_t offset, bytes;
  int first_segment, last_segment; /* it lives through these, both included */
  int rows, ring_rows;             /* of tensors */
};

/* A constant as it lies in the plan: an array of one type. */
struct compile_part {
  const char *name; /* a C identifier */
  enum mote_type type;
  size_t offset,
      count; /* elements, with the zeros that pad it. offset: from the start of the step's parameters,
                         * or of the plan */
};

/* One step of the plan. */
struct compile_step {
  int source_op; /* operator of the source model whose output it makes */
  enum mote_op op;
  const char *name; /* "op03_conv_2d": unique, a C identifier */
  const char *stem; /* the kernel: mote_kernel_<stem> */
  int rank_in, rank_out;
  int32_t dims_in[GRAPH_MAX_RANK], dims_out[GRAPH_MAX_RANK]; /* of the first input and the output */
  int segment;
  int64_t macs;
  int64_t instructions; /* the scheduler's estimate, not a measurement */
  size_t weight_bytes;  /* flash: weights, biases, requantisation, as packed */
  size_t state_bytes;
  const struct compile_part *parts; /* what lies behind the parameters; 0: nothing, or not known */
  int n_parts;
};

/* What became of an operator of the source model. */
enum compile_fate {
  COMPILE_STEP,     /* step `step` makes its output */
  COMPILE_VIEW,     /* its output is the bytes of tensor `view_of`: another shape, no work */
  COMPILE_FUSED,    /* its output exists nowhere: part of operator `fused_into` */
  COMPILE_CONSTANT, /* its output never changes: `data` */
  COMPILE_DEAD      /* no output of the model depends on it */
};
/* What became of a channel, where it is not the constant that it always was. */
enum { COMPILE_KEPT = 1000, COMPILE_UNREAD = 1001 /* nothing reads it: nobody computes it */ };
struct compile_layer {
  int source_op; /* = its index in layers[] */
  enum mote_op op;
  enum compile_fate fate;
  int step;
  int view_of_op;    /* VIEW: the source operator whose bytes these are, or -1: */
  int view_of_input; /*       input of the model */
  int fused_into;    /* FUSED: source operator */
  const void *data;  /* CONSTANT */
  const char *why;   /* what was done to it and why that is exact; NULL where nothing was */
  enum mote_type type;
  int rank;
  int32_t dims[GRAPH_MAX_RANK];
  size_t bytes;        /* of the source model's output */
  int64_t macs;        /* of the plan */
  int64_t source_macs; /* of the source model */
  size_t weight_bytes; /* of the source model: int8 weights and biases */
  int channels, kept;  /* of the last axis: in the source, in the plan; 0, 0: as they were */
  /* Removed channels whose values nobody knows: then the output exists in no plan, and fused_into tells who does
   * not read them. */
  int unread;
  /* [channels] COMPILE_KEPT, COMPILE_UNREAD, or the constant; NULL: all are kept. */
  const int16_t *fill;
};

/* A plan that is possible: none with less of either is known. */
struct compile_point {
  size_t arena_bytes;
  int64_t instructions; /* estimate */
};

struct compiled {
  const struct graph *source; /* what was asked for */
  const struct graph *graph;  /* after the passes */
  struct compile_options options;

  const uint8_t *plan; /* the .mote image; aligned to 64 */
  size_t plan_bytes;

  size_t arena_bytes;         /* inputs, outputs, activations, rings, scratch, state */
  size_t least_arena_bytes;   /* a lower bound for any order of memory within the chosen segments */
  size_t flash_weight_bytes;  /* weights, biases, requantisation constants, as packed */
  size_t source_weight_bytes; /* int8 weights and int32 biases of the source model */
  int64_t macs;               /* of the plan */
  int64_t source_macs;        /* of the source model */
  int64_t instructions;       /* estimate */
  int64_t fastest_instructions; /* estimate of the fastest plan */

  int n_steps, n_layers, n_pieces, n_segments, n_constants;
  const struct compile_step *steps;
  const struct compile_layer *layers; /* every operator of the source model, in its order */
  const struct compile_piece *pieces;
  int n_curve;
  const struct compile_point *curve;    /* rising arena; where options.curve asked for it */
  const struct compile_part *constants; /* tensors that lie in the plan; offset: from its start */
};

/* What compile_stream did. */
struct compile_stream {
  int rows, window_rows; /* of the input: new ones a call; all that the source sees */
  int streamed;          /* operators that compute new rows only */
  int carried; /* memories (LSTM, GRU) whose past is all that came since the first call, not a window */
  int end_op; /* the source operator that looks at all rows; -1: rows became one before, or never end */
  size_t window_bytes; /* of the windows that are kept, new rows included */
};
/* The model as one that is given the newest `rows` rows of its input (0: the fewest that its strides allow) and keeps
 * what it needs of the earlier ones in variables. Rows lie along the first axis of the input that is longer than 1.
 * Every call's outputs are those of g over the last window_rows rows; before the first call all were zero points. Where memories
 * are carried, they are those of g over a window that began with the first call, however long; what is kept of rows behind
 * such a memory begins with those that it makes of silence, so there from the call on whose rows all came since the first.
 * Operators keep their source_op; those that keep windows come behind.
 * needs: graph_check. errors: NULL; an operator that pads along time (its name, its padding); strides that do not divide rows;
 * nothing that would be saved. exact: bit for bit. */
const struct graph *compile_stream(const struct graph *g, int rows, struct arena *a,
                                   struct compile_stream *what, struct err *e);
/* Fills a tensor's bytes with its zero point: what came before the first call. */
void compile_stream_silence(const struct graph_tensor *t, void *bytes);

/* Bytes that a step makes of this layer: less than layer->bytes where channels were removed. */
size_t compile_layer_made(const struct compile_layer *layer);
/* Puts removed channels back: n bytes as made, whole pixels, become n / kept * channels bytes of the source's
 * output. alias: none. Returns false where the layer has unread channels: there is no such output. */
bool compile_layer_expand(const struct compile_layer *layer, const void *made, size_t n, void *out);

/* Compiles g. errors: an operator, type or shape that no kernel covers (names the node and what would work);
 * a plan that cannot fit options->ram_bytes. */
bool compile_graph(const struct graph *g, const struct compile_options *options, struct arena *a,
                   struct compiled *out, struct err *e);

/* Writes the program in what C99 and C++11 have in common: `header` (NAME.h) and `source` (NAME.c). name: a C
 * identifier that does not begin as the runtime's do; every public name starts with it, so a program may hold several
 * models. header_file: how the source includes the header. The constants are one object, the same
 * bytes as the plan but for the steps' kernels, which are places in a table of those that are used, and the checksum, 0.
 *   NAME_ARENA_BYTES, NAME_INPUTS, NAME_INPUT_<i>_BYTES, NAME_OUTPUTS, NAME_OUTPUT_<i>_BYTES
 *   extern const struct mote_plan *const NAME_plan;      the plan inside the constants; on AVR not for C++
 *   extern struct mote_model NAME_model;                 its hook may be set after NAME_init
 *   int NAME_init(void *arena, size_t n);                0, or a negative mote_status
 *   void *NAME_input(unsigned i);  const void *NAME_output(unsigned i);  void NAME_run(void);
 * With input_rows, input 0 has no address and NAME_run is
 *   int NAME_feed_row(const void *row);                  1 with the last row of NAME_INPUT_0_ROWS */
bool compile_emit_c(const struct compiled *c, const char *name, const char *header_file,
                    struct text *header, struct text *source, struct err *e);
/* NAME_arena.c, for those who have no memory of their own to give: int NAME_init_static(void), and the arena, whose
 * place NAME_ARENA_ATTRIBUTE or MOTE_ARENA_ATTRIBUTE may tell. */
bool compile_emit_arena(const struct compiled *c, const char *name, const char *header_file,
                        struct text *source, struct err *e);

/* Writes the plan to a file. */
bool compile_write_mote(const struct compiled *c, const char *path, struct err *e);

/* Reads a .mote file back. source and graph hold the model's inputs and outputs only; layers[] knows the
 * operators that have a step. errors: what mote_check says; every byte is hostile. */
bool compile_open_mote(const char *name, const uint8_t *bytes, size_t n, struct arena *a,
                       struct compiled *out, struct err *e);
/* Whether bytes begin as a .mote file does. */
bool compile_is_mote(const uint8_t *bytes, size_t n);

/* What only building and running can tell. NULL pointers and -1: not known, null in the report. */
struct compile_measured {
  int64_t flash_code_bytes, ram_static_bytes, stack_bytes;
  int64_t flash_table_bytes;        /* tables in front of the network; part of flash_weight_bytes */
  const int64_t *step_instructions; /* [n_steps] */
  const char *const *layer_hash;    /* [n_layers], hex; NULL where the output exists nowhere */
};

/* Adds the keys of report.json to the open object of j; the caller writes target and its own keys.
 *   flash_code_bytes flash_weight_bytes ram_arena_bytes ram_static_bytes stack_bytes macs source_macs
 *   instructions_estimated
 *   layers[]: index operator output_shape macs source_macs instructions instructions_estimated hash fused_into (and
 *   fate, why, channels_removed)
 *   memory[]: the pieces of the arena over the segments.   m: may be NULL. */
void compile_report_json(const struct compiled *c, const struct compile_measured *m,
                         struct json *j);

/* "step", "view" ...; "ring", "state" ... */
const char *compile_fate_text(enum compile_fate fate);
const char *compile_piece_text(enum compile_piece_kind kind);

#endif
