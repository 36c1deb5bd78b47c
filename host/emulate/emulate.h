/* emulate: builds a C project for a chip, runs it on an emulated chip, counts, and estimates cycles, time
 * and energy. It knows nothing of models: a project is a folder with a Makefile and the firmware harness
 * (firmware/harness/), a program is the ELF file that comes out, a step is a number.
 *
 * How it works. The linker script of a chip keeps apart what belongs to the program, its tables and weights,
 * the harness and the start-up code, so sizes are read from the ELF file's sections. QEMU runs the program;
 * a small plugin counts how often each instruction was executed, in buckets that the harness switches by
 * writing to known addresses. Everything else (functions, classes, cycles) is derived here from the ELF file.
 *
 * invariant: the same program and inputs give the same counts and outputs, whatever else the machine does. */
#ifndef HOST_EMULATE_H
#define HOST_EMULATE_H

#include "host/kit/kit.h"

/* ---- targets: one for each instruction set that Mote builds for ------------- */

/* Whose timings the cycle estimate uses (docs/estimates.md). */
enum emulate_core {
  EMULATE_CORE_NONE,
  EMULATE_CORE_M0PLUS,
  EMULATE_CORE_M3,
  EMULATE_CORE_M4,
  EMULATE_CORE_M7,
  EMULATE_CORE_M33,
  EMULATE_CORE_M55,
  EMULATE_CORE_RV32,
  EMULATE_CORE_AVR,
  EMULATE_CORE_COUNT
};

/* source: firmware/boards/chips.mk, one line a fact. */
struct emulate_target {
  const char *name;            /* "cortex-m4", "cortex-m0plus", "host" */
  const char *compiler;        /* "arm-none-eabi-gcc" */
  const char *flags;           /* of every file */
  const char *hot, *hot_flags; /* Make's patterns of files, and flags that stand behind for them */
  const char *emulator;        /* QEMU's program: "qemu-system-arm" */
  const char *emulator_flags;  /* what it is told besides the board, words apart by spaces */
  const char *machine;         /* QEMU's name; "" = the program runs on this machine, uncounted */
  const char *
      small_machine; /* a second machine with the core itself, tried where the program fits; "" none */
  const char *start; /* folder of start-up code and sections in firmware/boards */
  const char *board; /* folder of the linker script, which has the memory map */
  const char *isa;   /* whose inner loops it has: "dsp", "v6m" ... */
  enum emulate_core core;
  int pointer_bytes;
};

/* Whether its programs are WebAssembly modules, which Node runs. */
bool emulate_is_wasm(const struct emulate_target *target);

/* Every target, in the file's order. errors: chips.mk not found or not understood. */
bool emulate_targets(struct arena *a, const struct emulate_target **targets, int *count,
                     struct err *e);
/* One by name; an unknown name's error lists the known ones. */
bool emulate_find_target(struct arena *a, const char *name, const struct emulate_target **target,
                         struct err *e);

/* ---- boards ----------------------------------------------------------------- */

/* A figure from a data sheet, or why there is none. low <= high where known. */
struct emulate_figure {
  bool known;
  double low, high;
  const char *source; /* where it is published, or the reason why it is not known */
};

/* source: firmware/boards/<name>/board.def */
struct emulate_board {
  const char *name, *title, *chip;
  const char *target;
  const char *stand_in; /* why `target` is not the chip's own; NULL: it is */
  double clock_hz;
  int64_t flash_bytes, ram_bytes;
  int64_t flash_reserved_bytes; /* by the boot loader */
  double volts;
  struct emulate_figure active_ma;   /* whole chip, running from flash at clock_hz */
  struct emulate_figure sleep_ma;    /* standby with RAM kept and a timer running */
  struct emulate_figure wait_factor; /* cycles with flash wait states / cycles without */
};
bool emulate_boards(struct arena *a, const struct emulate_board **boards, int *count,
                    struct err *e);
bool emulate_find_board(struct arena *a, const char *name, const struct emulate_board **board,
                        struct err *e);

/* ---- building ---------------------------------------------------------------- */

/* What the ELF file holds, in bytes; each as docs/spec/cli.md defines it. */
struct emulate_size {
  int64_t flash_code;   /* .text and .rodata of program and compiler helpers */
  int64_t flash_plan;   /* the object that the compiler emitted: weights, constants, plan */
  int64_t flash_tables; /* tables of the feature code */
  int64_t ram_static;   /* .data and .bss of the program, arena excluded */
  int64_t ram_arena;
};

struct emulate_program {
  const struct emulate_target *target;
  const char *elf;          /* path */
  struct emulate_size size; /* zero for the target "host", whose ELF file is not looked into */
  bool too_large;           /* it did not link: the emulated chip has less memory */
};

/* One file compiled with more flags than the target's, which stand behind them. */
struct emulate_flags {
  const char *file;  /* as in `sources` */
  const char *flags; /* "-O3" */
};

/* Lays out a C project in dir: copies `sources` (paths from Mote's home, headers too) and the harness,
 * start-up code and linker script of the target, and writes a Makefile that builds every .c file. The caller
 * adds MODEL.c, whose constants are `model.o`'s or called mote_constants and mote_kernels, and program.c (firmware/harness/program.h). stack_bytes 0: 4096. */
bool emulate_project(struct arena *a, const char *dir, const char *title, const char *model,
                     const struct emulate_target *target, const char *const *sources, int n_sources,
                     const struct emulate_flags *flags, int n_flags, int stack_bytes,
                     struct err *e);

/* Whether the target's compiler, and its emulator, are on this machine. */
bool emulate_can_build(const struct emulate_target *target);
bool emulate_can_run(const struct emulate_target *target);

/* Runs `make` in dir (the Makefile names the compiler and flags), which leaves build/program.elf, and
 * measures it. errors: no compiler (says which package), the compiler's own words, a program that holds
 * instructions which the chip does not have. */
bool emulate_build(struct arena *a, const char *dir, const struct emulate_target *target,
                   struct emulate_program *program, struct err *e);

/* Measures an ELF file made with the harness's linker script. errors: not ELF, no harness, truncated. */
bool emulate_measure(struct arena *a, const char *elf, const struct emulate_target *target,
                     struct emulate_program *program, struct err *e);

/* ---- running ----------------------------------------------------------------- */

enum emulate_class {
  EMULATE_LOAD,
  EMULATE_STORE,
  EMULATE_MULTIPLY,
  EMULATE_DIVIDE,
  EMULATE_BRANCH,
  EMULATE_FLOAT,
  EMULATE_OTHER,
  EMULATE_CLASS_COUNT
};
/* "load", "store", "multiply", "divide", "branch", "float", "other". */
const char *emulate_class_name(int emulate_class);

/* Executed instructions of something, and the cycles that the core's published timings give them without
 * wait states: low and high bracket what the manual leaves open, typical is the estimate. */
struct emulate_count {
  int64_t instructions;
  int64_t by_class[EMULATE_CLASS_COUNT];
  int64_t branches_taken;
  double cycles_low, cycles, cycles_high;
};

struct emulate_function {
  const char *name;
  struct emulate_count count; /* of all inferences together; sorted, most instructions first */
};

struct emulate_options {
  const void *inputs; /* count inputs, one behind another, each input_bytes */
  size_t input_bytes;
  int count;   /* >= 1 */
  int steps;   /* > 0: the first input runs once more with the tap, counted step by step */
  bool layers; /* with steps: also collect the rows that the tap sees */
  bool count_instructions; /* false: no plugin, faster; counts stay zero */
  int timeout_s;           /* 0: a time that fits the work */
};

/* Rows that a step has made, in the order of the tap. */
struct emulate_rows {
  int step;
  int output; /* 0: rows of the first; a further one comes whole, once the step is complete */
  uint32_t first, made; /* output rows; made 0: nothing yet (accumulating) */
  const uint8_t *bytes;
  size_t size;
};

struct emulate_result {
  bool counted;
  int count;        /* inferences */
  uint8_t *outputs; /* count outputs, each output_bytes */
  size_t output_bytes;
  /* Means over the inferences (rounded to whole instructions), from entry to return, without the tap. */
  struct emulate_count features, network;
  struct emulate_count *steps; /* [options.steps], from the run with the tap */
  int n_steps;
  struct emulate_function *functions;
  int n_functions;
  struct emulate_rows *rows;
  int n_rows;
  int64_t stack_bytes; /* high-water mark below the entry of features or network, the larger */
  const char *machine; /* where it ran */
  const char *small_machine; /* where it ran again with equal outputs; NULL: it does not fit */
};

/* Runs a program. errors: no emulator (says which package), a fault on the chip (which, and where), wrong
 * sizes, no end within the time. */
bool emulate_run(struct arena *a, const struct emulate_program *program,
                 const struct emulate_options *options, struct emulate_result *result,
                 struct err *e);

/* ---- estimates: docs/estimates.md -------------------------------------------- */

/* low .. high with the estimate between. known false: `reason` says why. */
struct emulate_range {
  bool known;
  double low, typical, high;
  const char *reason;
};
struct emulate_estimate {
  struct emulate_range cycles; /* wait states included */
  struct emulate_range milliseconds;
  struct emulate_range energy_uj;    /* the chip's, while it computes */
  struct emulate_range battery_days; /* 150 mAh, one inference a second, asleep between */
};
/* board NULL: no milliseconds and no energy, only cycles. */
void emulate_estimate(const struct emulate_count *count, const struct emulate_board *board,
                      struct emulate_estimate *estimate);

#endif
