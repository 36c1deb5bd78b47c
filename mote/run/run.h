/* run: opens a .mote model in place and runs its plan.
 *
 * A plan is a list of steps; a step is a row machine (mote/nn/nn.h) between tensors that live in one arena.
 * A tensor holds `ring_rows` of its `rows`: all of them for layer-at-a-time execution, a few for streaming.
 * Steps are grouped in segments. Within a segment the executor always advances the deepest step that has
 * its input rows, so few rows wait anywhere; the compiler replays the same rule and proves ring sizes.
 * A segment of one step is layer-at-a-time execution: the special case.
 *
 * The same structures are a .mote file (opened in place, never copied) and a C object in an emitted program:
 * little-endian, no pointers, offsets from the start of struct mote_plan, everything aligned to 4.
 *
 * invariant: after mote_open returned MOTE_OK, mote_run reads only the plan and the arena and writes only
 * the arena, whatever the bytes are. Correct values need the compiler's plan; safety does not. */
#ifndef MOTE_RUN_H
#define MOTE_RUN_H

#include "mote/base/base.h"
#include "mote/nn/nn.h"

#define MOTE_PLAN_MAGIC   0x45544F4Du /* "MOTE", little-endian */
#define MOTE_PLAN_VERSION 1
#define MOTE_MAX_RANK     6

/* One tensor in the arena, seen as `rows` rows of `row_bytes`. */
struct mote_tensor {
  uint32_t offset; /* in the arena, aligned to 4 */
  uint32_t row_bytes;
  uint16_t rows;      /* in all; >= 1 */
  uint16_t ring_rows; /* held: row y lies at offset + (y mod ring_rows) * row_bytes */
};

/* What a step reads of one tensor at call i: rows first + i*advance + k*dilation, k < rows. */
struct mote_edge {
  uint16_t tensor;
  int16_t first; /* minus the padding above */
  uint16_t rows; /* pointers given to the kernel */
  uint16_t advance, dilation;
};

struct mote_step {
  uint16_t kernel;       /* index in the kernel table: enum mote_op in a .mote file */
  uint16_t source_op;    /* operator of the source model whose output this step makes */
  uint32_t params;       /* offset in the plan */
  uint32_t params_bytes; /* with the constants that follow them */
  uint32_t state;        /* offset in the arena */
  uint32_t state_bytes;
  uint16_t calls;    /* times that row() is called */
  uint16_t rows_out; /* output rows a call makes; 0: accumulates, end() makes the one row */
  uint16_t output;   /* tensor */
  uint16_t n_in;     /* 1 or 2 */
  struct mote_edge in[2];
};

/* Inputs and outputs of the model, in the model's order. */
struct mote_port {
  uint16_t tensor;
  uint8_t type; /* enum mote_type */
  uint8_t rank;
  int32_t dims[MOTE_MAX_RANK];
  float scale; /* real = scale * (q - zp) */
  int32_t zp;
};

struct mote_plan {
  uint32_t magic;
  uint16_t version;
  uint8_t pack;          /* enum mote_pack of the weights */
  uint8_t pointer_bytes; /* of the machine it was planned for; see mote_arena_bytes */
  uint32_t bytes;        /* of the whole plan */
  uint32_t crc32;        /* of the plan with this field as 0 */
  uint32_t arena_bytes;  /* on the machine it was planned for */
  uint32_t
      scratch; /* the executor's own end of the arena, aligned to 8: max_rows row pointers, then
                             * uint16 rows made of each tensor, then uint16 calls made of each step */
  uint32_t tensors, steps, segments, inputs, outputs; /* offsets of the tables */
  uint16_t n_tensors, n_steps, n_segments, n_inputs, n_outputs;
  uint16_t max_rows; /* most row pointers that one call needs */
};
/* segments: uint16_t[n_segments], how many steps each has; they sum to n_steps. */

/* A model that is open: the caller's, five words, no ownership. */
struct mote_model {
  const struct mote_plan *plan;
  const struct mote_kernel *const *kernels;
  uint8_t *arena;
  /* Called after each row() and end() when not NULL: the tap of layer hashes and the profiler's mark.
   * made: output rows now at `rows`, contiguous; first: index of the first; 0 made for accumulation. */
  void (*hook)(void *context, const struct mote_plan *plan, unsigned step, unsigned first,
               unsigned made, const void *rows);
  void *hook_context;
};

/* Need of the arena on this machine: that of the plan, or a little more where pointers are wider here than on
 * the machine it was planned for (the host proves a chip's plan). */
static inline size_t mote_arena_bytes(const struct mote_plan *plan) {
  /* max_rows < 2^16 and the counters < 2^18 bytes: fits beside any scratch that mote_check accepts. */
  return plan->scratch + plan->max_rows * sizeof(void *) +
         2 * ((size_t)plan->n_tensors + plan->n_steps);
}

/* Kernels of every operator, indexed by enum mote_op. Naming it (mote_open does) links them all. */
extern const struct mote_kernel *const mote_all_kernels[MOTE_OP_COUNT];

/* Proves that a plan is safe to run: structure, bounds, parameters and checksum. bytes: aligned to 8,
 * unchanged while the model lives. cost: one pass over the bytes. */
enum mote_status mote_check(const void *bytes, size_t n);

/* mote_check, then mote_init with every kernel. arena: aligned to 8, n_arena >= mote_arena_bytes(plan). */
enum mote_status mote_open(struct mote_model *model, const void *bytes, size_t n, void *arena,
                           size_t n_arena);

/* Takes a plan that is trusted (compiled into the program) with its own kernel table. */
enum mote_status mote_init(struct mote_model *model, const struct mote_plan *plan,
                           const struct mote_kernel *const *kernels, void *arena, size_t n_arena);

/* Where input or output i lies in the arena, contiguous, in the model's own type. An input must be written
 * again before each run: its room may be reused. */
void *mote_input(const struct mote_model *model, unsigned i);
const void *mote_output(const struct mote_model *model, unsigned i);

/* One inference. errors: none, see the invariant. */
void mote_run(const struct mote_model *model);

#endif
