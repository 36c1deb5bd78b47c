/* run: opens a .mote model in place and runs its plan.
 *
 * A plan is a list of steps; a step is a row machine (mote/nn/nn.h) between tensors that live in one arena, or,
 * where they are constant, in the plan itself. A tensor of the arena holds `ring_rows` of its `rows`: all of them
 * for layer-at-a-time execution, a few for streaming. Steps are grouped in segments. Within a segment the
 * executor always advances the deepest step that has its input rows, so few rows wait anywhere; the compiler
 * replays the same rule and proves ring sizes. A segment of one step is layer-at-a-time execution: the special
 * case. Variables of the model are tensors of the arena that no other shares: they live from one inference to
 * the next.
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

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_PLAN_MAGIC   0x45544F4Du /* "MOTE", little-endian */
#define MOTE_PLAN_VERSION 4
#define MOTE_MAX_RANK     6

/* Row pointers of a call that lie on the stack; a plan with a call that takes more has room for them in its arena. */
#define MOTE_STACK_ROWS 16

/* One tensor, seen as `rows` rows of `row_bytes`. Bits 0 and 1 of `offset` tell where:
 *   arena:    offset, aligned to 4; with MOTE_VARIABLE it keeps its value between inferences
 *   constant: MOTE_CONSTANT set, offset of the plan, aligned to 8; all rows are there, and nobody writes them */
#define MOTE_CONSTANT 1u
#define MOTE_VARIABLE 2u
struct mote_tensor {
  uint32_t offset;
  uint32_t row_bytes;
  uint16_t rows;      /* in all; >= 1 */
  uint16_t ring_rows; /* held: row y lies at offset + ((y + shift) mod ring_rows) * row_bytes */
  uint16_t shift;     /* tensors that share a ring follow each other; 0 where all rows are held */
  /* 0, or where in the plan, in words, stands a byte for each row: its slot. The rows of many tensors then lie between each
   * other in one pool of ring_rows slots, each as long as it is read. */
  uint16_t slots;
};

/* What a step reads of one tensor at call i: rows first + i*advance + k*dilation, k < rows. */
struct mote_edge {
  uint16_t tensor;
  int16_t first; /* minus the padding above */
  uint16_t rows; /* pointers given to the kernel */
  uint16_t advance, dilation;
  /* The step that makes the tensor in this very segment stands so many steps ahead; 0: all rows exist;
   * MOTE_FED: they come from mote_feed_row. */
  uint16_t maker;
};
#define MOTE_FED UINT16_MAX

struct mote_step {
  uint16_t kernel;    /* enum mote_kernel_number */
  uint16_t source_op; /* operator of the source model whose output this step makes, or: */
#define MOTE_NO_OPERATOR UINT16_MAX
  uint32_t params;       /* offset in the plan */
  uint32_t params_bytes; /* with the constants that follow them */
  uint32_t state;        /* offset in the arena */
  uint32_t state_bytes;
  uint16_t calls; /* times that row() is called */
  /* Output rows a call makes, the last call perhaps some beyond the end; 0: accumulates, end() makes the one row. */
  uint16_t rows_out;
  uint16_t output; /* tensor: the first output */
  /* Its first in the table of edges: n_in inputs, then n_out - 1 further outputs, which are tensors of one
   * row, complete when the step is. */
  uint16_t edges;
  /* The last step of this segment that reads what this one makes stands so many steps behind; 0: none does. */
  uint16_t reader;
  uint8_t n_in, n_out; /* >= 1; n_in + n_out - 1 <= MOTE_MAX_EDGES */
};

/* Steps that run together, or a jump: which segment comes next. */
#define MOTE_GO_ON       0u
#define MOTE_JUMP        1u
#define MOTE_JUMP_UNLESS 2u /* where the tensor that is tested, one byte, is zero */
struct mote_segment {
  uint16_t steps; /* how many; 0 for a jump */
  uint16_t jump;  /* MOTE_GO_ON, MOTE_JUMP, MOTE_JUMP_UNLESS */
  /* Offset in the arena of uint16 calls made of each step; unused where there is one step and no more than one
   * row is fed to it. Of a jump: the segment that it goes to, n_segments for the end, and above 16 bits the
   * tensor that it tests. */
  uint32_t counters;
};

/* A variable of the model and what it begins with. */
struct mote_variable {
  uint16_t tensor;
  uint8_t fill;    /* of every byte, where `value` is 0 */
  uint8_t repeats; /* it begins with the bytes at `value` this many times; 0 is once */
  uint32_t value;  /* offset in the plan of its bytes, aligned to 8 */
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
  uint8_t zero;          /* for later versions */
  uint8_t pointer_bytes; /* of the machine it was planned for; see mote_arena_bytes */
  uint32_t bytes;        /* of the whole plan */
  uint32_t crc32;        /* of the plan with this field as 0 */
  uint32_t arena_bytes;  /* on the machine it was planned for */
  /* End of tensors, states and counters in the arena; where max_rows is above MOTE_STACK_ROWS, a multiple of 8
   * behind which max_rows row pointers lie. */
  uint32_t scratch;
  uint32_t tensors, edges, steps, segments, variables, inputs, outputs; /* offsets of the tables */
  uint16_t n_tensors, n_edges, n_steps, n_segments, n_variables, n_inputs, n_outputs;
  uint16_t max_rows; /* most row pointers that one call needs */
  uint16_t fed_rows; /* of input 0, from mote_feed_row; 0: mote_input has room for all inputs */
  uint16_t reserved;
};

/* A model that is open: the caller's, a few words, no ownership. */
#define MOTE_ALL_ROWS UINT16_MAX
struct mote_model {
  const struct mote_plan MOTE_ROM *plan; /* NULL: steps in a line */
  const struct mote_kernel *const *kernels;
  uint8_t *arena;
  /* Called after each row() and end() when not NULL: the tap of layer hashes and the profiler's mark.
   * made: output rows now at `rows`, contiguous; first: index of the first; 0 made for accumulation. Steps in a line
   * tell once, with MOTE_ALL_ROWS made and no plan. */
  void (*hook)(void *context, const struct mote_plan MOTE_ROM *plan, unsigned step, unsigned first,
               unsigned made, const void *rows);
  void *hook_context;
  uint16_t
      fed; /* rows of this inference that mote_feed_row has taken; after the last, all of them */
};

/* A plan in which each step is a segment and makes all of its output in one call, from whole tensors of one row to the
 * call, needs no executor: its steps stand in a line. An emitted program then has these in the place of the plan's
 * tables. Offsets in the arena, divided by 4. */
#define MOTE_LINE_EDGES 2
#define MOTE_LINE_STEP                                                                             \
  const struct mote_kernel *kernel;                                                                \
  const void MOTE_ROM *params;                                                                     \
  uint16_t state, out;                                                                             \
  uint16_t edges[MOTE_LINE_EDGES] /* inputs, then a further output */
#if MOTE_ROM_APART
struct mote_line {
  MOTE_LINE_STEP;
  uint16_t params_bytes;
};
#define MOTE_LINE(kernel, params, bytes, state, out, a, b)                                         \
  { kernel, params, state, out, {a, b}, (uint16_t)((bytes) < 65535u ? (bytes) : 65535u) }
#else
struct mote_line {
  MOTE_LINE_STEP;
};
#define MOTE_LINE(kernel, params, bytes, state, out, a, b)                                         \
  {                                                                                                \
    kernel, params, state, out, { a, b }                                                           \
  }
#endif

/* Need of the arena on this machine: that of the plan, or a little more where pointers are wider here than on
 * the machine it was planned for (the host proves a chip's plan). */
static inline size_t mote_arena_bytes(const struct mote_plan MOTE_ROM *plan) {
  /* scratch < 2^31 and max_rows < 2^16: a size_t of 32 bits holds it. */
  return plan->scratch +
         (plan->max_rows > MOTE_STACK_ROWS ? plan->max_rows * sizeof(void *) : (size_t)0);
}

/* Every kernel, indexed by enum mote_kernel_number. Naming it (mote_open does) links them all. */
extern const struct mote_kernel *const mote_all_kernels[MOTE_KERNEL_COUNT];

/* Proves that a plan is safe to run: structure, bounds, parameters and checksum. bytes: aligned to 8,
 * unchanged while the model lives. cost: one pass over the bytes. */
enum mote_status mote_check(const void *bytes, size_t n);

/* mote_check, then mote_init with every kernel. arena: aligned to 8, n_arena >= mote_arena_bytes(plan). */
enum mote_status mote_open(struct mote_model *model, const void *bytes, size_t n, void *arena,
                           size_t n_arena);

/* Takes a plan that is trusted (compiled into the program) with its own kernel table, and resets it. */
enum mote_status mote_init(struct mote_model *model, const struct mote_plan MOTE_ROM *plan,
                           const struct mote_kernel *const *kernels, void *arena, size_t n_arena);

/* The same without mote_reset: for a plan without variables, in a program that would link that for nothing. n: no less
 * than need. */
static inline enum mote_status mote_bind(struct mote_model *model,
                                         const struct mote_plan MOTE_ROM *plan,
                                         const struct mote_kernel *const *kernels, void *arena,
                                         size_t n_arena, size_t need) {
  if (((uintptr_t)arena & 7u) != 0 || n_arena < need) return MOTE_ERR_ARENA;
  model->plan = plan;
  model->kernels = kernels;
  model->arena = (uint8_t *)arena;
  model->hook = NULL;
  model->hook_context = NULL;
  model->fed = 0;
  return MOTE_OK;
}

/* Gives the model's variables the values that they begin with, and forgets rows that were fed. */
void mote_reset(struct mote_model *model);

/* Where input or output i lies in the arena, contiguous, in the model's own type. An input must be written
 * again before each run: its room may be reused. NULL: an input whose rows are fed. */
void *mote_input(const struct mote_model *model, unsigned i);
const void *mote_output(const struct mote_model *model, unsigned i);

/* One inference. needs: no input is fed. errors: none, see the invariant. */
void mote_run(const struct mote_model *model);

/* One inference of n steps in a line. */
void mote_run_line(const struct mote_model *model, const struct mote_line MOTE_ROM *line,
                   unsigned n);

/* Takes the next row of input 0 and computes what has become possible. Returns 1 with the last row of an
 * inference: the outputs stand then, until the next row is fed. needs: a plan whose input is fed
 * (plan->fed_rows); other inputs are written before the first row. row: row_bytes of the input's tensor. */
int mote_feed_row(struct mote_model *model, const void *row);

#ifdef __cplusplus
}
#endif

#endif
