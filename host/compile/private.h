/* private: what the files of this room share; nobody else includes it. */
#ifndef HOST_COMPILE_PRIVATE_H
#define HOST_COMPILE_PRIVATE_H

#include "host/compile/compile.h"

/* ---- passes: graph -> graph -------------------------------------------------
 * A pass never changes its argument: it returns the same graph where it finds nothing to do, else a copy in
 * the arena with the same tensor indices. It tells what became of source operators in layers[] (fate, why,
 * fused_into, data); layers may be NULL. Each is tested on graphs that people can read: test/passes. */
struct pass {
  struct arena *arena;
  struct err *e; /* filled where a pass fails: then `failed` is set and its argument is returned */
  bool failed;
  struct compile_layer *layers;
  int n_layers;
  struct compile_layer ignored; /* takes what is said of nodes that no source operator stands for */
};
typedef const struct graph *pass_function(struct pass *p, const struct graph *g);
pass_function pass_slide_windows, pass_drop_dead, pass_fold_constants, pass_simplify, pass_share,
    pass_fuse_pads, pass_fuse_activations, pass_copy_outputs;
/* Removes channels that are constant for any input, and those that nothing reads. New constants get new tensor
 * indices behind the old ones. needs: graph_check (of the source). */
pass_function pass_remove_channels;
/* All of them, in the order in which they run. */
struct pass_row {
  const char *name;
  pass_function *run;
};
extern const struct pass_row pass_list[];
extern const int pass_list_n;
/* Drops the nodes marked in gone[] and sets the producers anew. */
void pass_remove_nodes(struct graph *g, const bool *gone);
/* A copy whose nodes and tensors may be changed. */
struct graph *pass_copy_graph(struct arena *a, const struct graph *g);
/* Where to tell what becomes of the operator that a node stands for. */
struct compile_layer *pass_layer(struct pass *p, const struct graph_node *n);

/* ---- channels: what is known of them ------------------------------------------ */
/* A channel is an index of a tensor's last axis; a tensor of rank 0 has one. */
int channels_of(const struct graph_tensor *t);
struct range {
  int16_t low, high; /* int8 values, both included */
};
struct channels {
  const struct graph *g;
  int n;
  int *first; /* [n_tensors + 1] a tensor's first channel in range[]; constants have none */
  struct range *range; /* [n] */
};
#define CHANNELS_MOST (1 << 20)
/* The ranges of all computed tensors. false: more than CHANNELS_MOST channels. cost: one pass over all weights. */
bool channels_ranges(const struct graph *g, struct arena *a, struct channels *out);
/* The same bytes seen with `view` channels: element i of a vector is one of those channels that have the same
 * rest by the greatest common divisor; its range is their hull. */
void ranges_view(const struct range *from, int channels, int view, struct range *to);
int greatest_common_divisor(int a, int b);

/* CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED alike: the weight of output channel o, tap t (ky * kernel_w +
 * kx) and input i is weights[o * per_out + t * per_tap + i], i < depth. Depthwise: the input is o / multiplier. */
struct weighted {
  const int8_t *weights;
  const int32_t *bias; /* NULL: none */
  int32_t zp;          /* of the input */
  int out_c, kernel_h, kernel_w, depth, multiplier /* 0: not depthwise */;
  int64_t per_out, per_tap;
};
bool weighted_of(const struct graph *g, const struct graph_node *n, struct weighted *w);
/* How a sum, bias included, becomes an output: never less as it grows. */
struct finish {
  int32_t multiplier, zp, low, high;
  int shift;
};
struct finish finish_of(const struct graph *g, int node, int channel);
int16_t finish_sum(const struct finish *f, int64_t sum);
/* The sets of taps that lie inside the input at some output, rows and columns apart; `every`: at all outputs. */
struct window {
  int n_rows, n_columns;
  struct graph_span *rows, *columns, every_row, every_column;
};
void window_of(const struct graph *g, const struct graph_node *n, const struct weighted *w,
               struct arena *a, struct window *out);

/* ---- work: a node as a row machine ------------------------------------------ */
/* How a step sees a tensor. */
struct rows_of {
  int rows;
  size_t row_bytes;
};

/* Rows that call i reads: first + i * advance + k * dilation, k < rows. */
struct reach {
  int first, rows, advance, dilation;
};

union kernel_params {
#define KERNEL(stem, params) struct params stem;
#include "mote/nn/kernels.def"
#undef KERNEL
};
/* "conv2d_s8" and the bytes of its parameters; "?" and 0 when out of range. */
const char *kernel_stem(unsigned number);
size_t kernel_params_bytes(unsigned number);

/* One way to run a node: row by row; flat, one call over the whole tensor; or grouped, a few rows a call, where the
 * tensor is seen as fewer and longer rows. */
struct form {
  int calls, rows_out;                    /* rows_out 0: accumulates, end() makes the one row */
  struct rows_of in[MOTE_MAX_EDGES], out; /* further outputs are one row each */
  struct reach reach[MOTE_MAX_EDGES];
  bool alias[MOTE_MAX_EDGES]; /* output row y may lie where row y of this input lies */
  bool reads_first;           /* a call reads all that it reads before it writes */
  int64_t instructions;       /* estimate, executor included */
  union kernel_params params; /* without constants */
  size_t params_bytes;        /* of the structure */
  size_t state_bytes;
  struct form *slimmer; /* the same in less state and more time; NULL: there is none */
};

struct work {
  int node;
  int step;     /* its number among the plan's steps; a jump has none */
  bool is_jump; /* no step: goes to work `target`, unless input 0 holds; without inputs, always */
  int target;
  int part; /* the output that it makes, where each has a work of its own */
  const struct compile_options *options;
  const struct recipe *recipe;
  enum mote_kernel_number kernel;
  /* Tensors of the graph: computed, constant (they lie in the plan), or states; and which inputs of the node
   * they are. */
  int n_in, in[MOTE_MAX_EDGES], input[MOTE_MAX_EDGES];
  /* n_in + n_out - 1 <= MOTE_MAX_EDGES; the first may be made row by row. */
  int n_out, out[MOTE_MAX_EDGES];
  bool keeps_state; /* the kernel's state lives from call to call */
  /* Every CONV_2D of the graph has windows of one column, of multiples of four channels: mote_conv2d_s8_form 2 or 5. */
  bool whole_windows;
  bool
      folds; /* its plan has biases with the sums of weights in them (struct mote_output, folded) */
  struct form row, flat, grouped;
  /* Row by row with several rows a call, from many to few; without calls: there is none. */
#define JOINS     2
#define JOINED(i) (4 >> (i))
  struct form joined[JOINS];
  bool has_flat, has_grouped;
};

struct segment;
struct replay_room;
/* Where a work reads a storage. */
struct read {
  int work, edge;
};
/* The graph as a list of work, with what the scheduler needs to know of its storage. */
struct program {
  struct arena *arena;
  const struct graph *graph;
  const struct compile_options *options;
  struct work *work;
  int n_work, n_steps, n_jumps;
  bool whole_windows; /* struct work */
  int *storage;       /* [n_tensors] the tensor whose bytes these are: views share */
  /* [n_tensors] of a storage: the work that makes it; -1: input or state; -2: unused or constant. */
  int *born;
  int *last;    /* last work that reads it; n_work: output of the model; -2: never read */
  int *readers; /* how many edges read it */
  int *read_at; /* [n_tensors + 1] of a storage: its first entry in reads[] */
  struct read *reads;
  size_t *
      live_bytes; /* [n_work + 1] whole tensors that are born before work i and read by it or later */
  bool *is_target;          /* [n_work + 1] a jump goes there */
  struct replay_room *room; /* what replays write to, one after the other */
  bool *is_state;           /* [n_tensors] of a storage: it keeps its value between inferences */
  int fed; /* the storage whose rows are fed while the first segment runs; -1: none */
  struct rows_of fed_rows; /* as what rows */
};
/* Feeds input 0, as the rows that its first reader sees. errors: nothing reads it. */
bool program_feed(struct program *p, struct err *e);
/* How a storage that is made in a segment, or fed to it, is made. */
struct rows_of rows_of_made(const struct program *p, const struct segment *s, int storage);
/* The rows that work w makes of its output j in this form. */
struct rows_of rows_made(const struct program *p, const struct work *w, const struct form *f,
                         int j);

/* ---- control flow (control.c, lower_control.c) -------------------------------- */
/* IF and WHILE with their subgraphs become nodes with jumps between; g itself where there are none. */
const struct graph *control_flatten(const struct graph *g, struct arena *a);
bool control_is_jump(const struct graph_node *n);
/* Work i, or where it runs over and over in loops that `from` stands before, their last work. */
int program_end_of_loops(const struct program *p, int i, int from);
/* Drops the copies from and to variables and results of subgraphs that need not be made. */
void program_leave_out_copies(struct program *p);

/* Makes work of every node. errors: what no recipe covers. */
bool program_lower(const struct graph *g, const struct compile_options *o, struct arena *a,
                   struct program *out, struct err *e);

/* ---- constants behind the parameters -------------------------------------------
 * One block a step: the parameters, then parts, each padded to 4 with zeros, so that a C structure with the same
 * members has no holes. */
struct part {
  const char *name;    /* a C identifier, unique within the block */
  enum mote_type type; /* of its elements */
  size_t offset;       /* from the start of the parameters */
  size_t count;        /* elements, padding to 4 bytes included */
};
#define MAX_PARTS 8
struct packed {
  struct arena *arena;
  uint8_t *bytes; /* the parameters' structure, then the parts */
  size_t size, room;
  size_t align; /* of the block in a plan; only speed depends on it */
  struct part parts[MAX_PARTS];
  int n_parts;
};
/* Room for a part of `count` zeros behind what is there. Its bytes may be written until the next part is
 * added; *at receives their offset, as params want it. */
void *packed_add(struct packed *out, const char *name, enum mote_type type, size_t count,
                 int32_t *at);
/* The next part begins at a multiple of align, a power of 2 of at least 4, if the plan does. */
void packed_align(struct packed *out, size_t align);
/* The packed parameters of a work's form with its constants. */
bool params_pack(const struct program *p, const struct work *w, const struct form *f,
                 struct arena *a, struct packed *out, struct err *e);

/* What an accumulating operator carries, whatever its weights' order. */
struct dense {
  const int8_t *weights;
  const int32_t *bias;          /* NULL: none, or all zero */
  size_t channels, per_channel; /* weights of a channel */
};
struct dense params_dense_of(const struct graph *g, const struct graph_node *n);
/* The requantisation of its channels, packed where the short way is exact with these biases. */
void params_pack_requant(const struct graph *g, int node, const struct dense *d, struct packed *out,
                         struct mote_output *o);
/* Gives d biases that hold what the zero point of the input adds, modulo 2^32 as the sums are. */
void params_fold_zero_point(struct arena *a, int32_t zp, struct dense *d);
void params_pack_bias(const struct dense *d, struct packed *out, struct mote_output *o);
/* Weights of a CONV_2D (rank 4) or FULLY_CONNECTED (rank 2) in the order of the int8 core, as the part "weights"; returns
 * its offset. */
int32_t params_pack_weights(const struct graph_tensor *w, struct packed *out);
/* The same of a DEPTHWISE_CONV_2D, each channel's in a block of so many bytes. */
int32_t params_pack_columns(const struct graph_tensor *w, size_t block, struct packed *out);

/* ---- recipes: how an operator becomes work --------------------------------------- */
/* Fills in a form (zeroed but for params_bytes): rows, reach, calls, alias, instructions, params, state_bytes. w: its
 * node, part, inputs and outputs are set. flat: the flat form; false without an error where there is none. */
typedef bool build_form(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e);
/* Adds constants (packed_add) and sets their offsets and whatever else depends on them in params. */
typedef bool pack_form(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e);
struct recipe {
  enum mote_op op;
  enum mote_kernel_number kernel;
  /* Types and attributes; NULL: all. */
  bool (*takes)(const struct graph *g, const struct graph_node *n);
  build_form *build;
  pack_form *pack; /* NULL: no constants behind the parameters */
  uint64_t packed; /* bit i: input i is among those constants, and so no edge of the work */
  unsigned cores;  /* bit c: for enum compile_core c; 0: for all */
  bool fast;       /* only where options->fast: it takes more flash */
  bool
      each_channel; /* takes flash for each channel: only where its outputs reach options->least_pixels */
  /* Takes several times its weights' flash: not where options->narrow says. What a byte more saves for each output of a
   * channel, in parts of what it does where weights alone are wider; 0: it is none of these. */
  int widened;
  bool small;   /* only where options->small: it takes less flash and more time */
  int assigned; /* 1 + the input that is the work's output, where the node has none; 0: none is */
  bool each_output; /* every output is made by a work of its own (work.part) */
  bool view;        /* no work: output 0 is the bytes of input 0 */
};
/* Operators whose output is the bytes of its input: a view of what is computed, a copy of a constant. */
bool takes_view(const struct graph *g, const struct graph_node *n);
build_form build_view_copy;
/* Loops over axes of which some are 1 or run on in all operands as if they were one: drops and joins them. axes: the
 * outermost first, at least one is left. */
int loops_join(struct mote_axis *axes, int n);
/* Adds the table of the outer loops; the innermost is in *l. */
void loops_pack(struct packed *out, const struct mote_axis *axes, int n, struct mote_loops *l);
struct lower_family {
  const struct recipe *recipes;
  size_t n;
};
extern const struct lower_family lower_block;
extern const struct lower_family lower_s4;
extern const struct lower_family lower_tiles;
extern const struct lower_family lower_stairs;
extern const struct lower_family lower_wide;
extern const struct lower_family lower_int8;
extern const struct lower_family lower_fixed;
extern const struct lower_family lower_real;
extern const struct lower_family lower_sequence;
extern const struct lower_family lower_signal;
extern const struct lower_family lower_control;
extern const struct lower_family lower_learner;
extern const struct lower_family lower_elementwise;
extern const struct lower_family lower_move;
/* Whether two neighbouring weights of each channel fit a lane (fully_connected_lanes_s8). */
bool params_lanes8_fit(const struct graph_tensor *w);
pack_form params_pack_pairs, params_pack_int8, params_pack_borders, params_pack_lanes,
    params_pack_wide;
/* Runs of pixels along a row whose windows have the same taps inside (conv2d_borders_s8). */
struct lower_run {
  int out, n; /* output columns out .. out + n - 1 */
  int skip;   /* columns of the input left of what the run sees */
};
/* The runs of a CONV_2D, in an array of the arena. */
int lower_runs(const struct graph *g, const struct graph_node *n, struct arena *a,
               struct lower_run **runs);
/* The form of a CONV_2D as if its bias were one for each channel; of a DEPTHWISE_CONV_2D. */
build_form lower_whole_conv, lower_depthwise, lower_dense;
/* Zero point and range of the output; what the core's kernels take (graph_is_core). */
void lower_set_output(const struct graph *g, const struct graph_node *n, struct mote_output *o);
bool lower_takes_core(const struct graph *g, const struct graph_node *n);
/* The convolution of one run, from that of the whole row. */
struct mote_conv2d_s8 lower_run_conv(const struct mote_conv2d_s8 *whole,
                                     const struct lower_run *run);

/* Adds to the instructions of a form what the executor takes for its calls. */
void lower_count_calls(const struct work *w, struct form *f);
/* Of one call. */
int64_t lower_call_cost(const struct work *w, const struct form *f);
/* Chooses the strip of a CONV_2D form, of which all else is set; state and instructions with it. */
void strips_of_conv(const struct work *w, struct form *f);
/* State of a convolution by a work's kernel. */
size_t strips_state_bytes(const struct work *w, const struct mote_conv2d_s8 *p);
/* The form of conv2d_tiles_s8 with a triple less in a strip; NULL: it has one. */
struct form *lower_slimmer_tiles(const struct work *w, const struct form *from, struct arena *a);
/* Adds a grouped form and slimmer ones to a work that can have them. */
void strips_vary(struct work *w, struct arena *a);

/* ---- what recipes share (lower.c) ------------------------------------------------ */
/* A node's inputs and first output; the node that a work runs, its inputs, and the output that the work makes. */
static inline const struct graph_tensor *input(const struct graph *g, const struct graph_node *n,
                                               int i) {
  return &g->tensors[n->in[i]];
}
static inline const struct graph_tensor *output(const struct graph *g, const struct graph_node *n) {
  return &g->tensors[n->out[0]];
}
static inline const struct graph_node *node_of(const struct graph *g, const struct work *w) {
  return &g->nodes[w->node];
}
static inline const struct graph_tensor *in_of(const struct graph *g, const struct work *w, int i) {
  return input(g, node_of(g, w), i);
}
static inline const struct graph_tensor *out_of(const struct graph *g, const struct work *w) {
  return &g->tensors[w->out[0]];
}
/* Outputs of a channel. */
static inline int64_t lower_pixels(const struct graph_tensor *y) {
  return graph_elements(y) / y->dims[y->rank - 1];
}
/* As many outputs of another layer's channel are worth what known sums of weights are: those of a depthwise channel are few. */
static inline int64_t lower_fold_pixels(const struct graph_tensor *y,
                                        enum mote_kernel_number kernel) {
  return kernel == MOTE_KERNEL_depthwise_conv2d_s8 ? (lower_pixels(y) + 3) / 4 : lower_pixels(y);
}
/* Whether optional input i is there. */
static inline bool has_input(const struct graph_node *n, int i) {
  return i < n->n_in && n->in[i] >= 0;
}
/* Bytes of an element. */
static inline int size_of(const struct graph_tensor *t) {
  return (int)mote_type_bytes((int)t->type);
}

/* Rows of a tensor: those of an image or sequence, else one. */
struct rows_of rows_of_tensor(const struct graph_tensor *t);
struct rows_of one_row(const struct graph_tensor *t);
/* Call i reads row i; every call reads the one row (weights and states of a step of several calls). */
extern const struct reach EACH_ROW, FIRST_ROW;
bool fits16(int64_t v);
/* Parameters hold sizes in 16 bits. */
bool sizes_fit(const struct graph_tensor *t, struct err *e);
bool lower_too_large(struct err *e, const char *what, int64_t value, int64_t most);
/* The range of a float32 activation. source: without one the reference still clamps to the finite numbers. */
void float_range(enum graph_activation act, float *low, float *high);
/* Steps and parameters hold a window's numbers in 16 bits. */
bool window_fits(const struct graph_attrs *a, int kernel_h, int kernel_w, struct err *e);
/* Vertical window over the rows of input 0: padding above is negative rows. */
void set_window(const struct graph_node *n, int kernel_h, struct form *f);
/* Rows of input 0 that call i of a transposed convolution takes for output rows i * stride_h + r, 0 <= r < stride_h. */
struct reach transposed_reach(const struct graph_node *n, int kernel_h);
/* Every input and output is one row, one call makes it all. */
void whole_form(const struct graph *g, const struct work *w, struct form *f);
/* Elementwise over equal shapes: row y of every input makes row y of the output. false: no flat form. */
bool row_form(const struct graph *g, const struct work *w, bool flat, struct form *f);

/* ---- replay: the executor's rule --------------------------------------------
 * What one segment needs, found by running its control flow. */
struct overlap {
  /* Storages: read for the last time here; and made here for later, or one that stands for a ring of the segment. -1:
   * the state that step `keeper` keeps. */
  int dying, made;
  int keeper;
  int64_t distance; /* made may lie at or below dying's offset minus this, though both live */
  bool equal;       /* or exactly at dying's offset: in place */
};
struct segment {
  int first, end; /* work first .. end-1 */
  /* Of all steps. FLAT and GROUPED: there is one. JOINED_ROWS: by row, but those that can make JOINED(joined) rows a
   * call, or else the next fewer. */
  enum shape_of_form { BY_ROW, FLAT, GROUPED, JOINED_ROWS, SHAPES } shape;
  int joined;
  size_t most_state; /* each step's form is the fastest with at most this, or else its slimmest */
  bool possible;
  size_t bytes; /* that live during it: a lower bound of the arena, scratch excluded */
  int64_t instructions;
  size_t state_bytes;        /* kept states in sum */
  size_t shared_state_bytes; /* the largest of those that need not live on */
  int n_rings;
  int *ring_storage, *ring_rows; /* inner storages */
  int *ring_class;               /* storages that share one ring */
  int *ring_shift;               /* row y of it lies in slot (y + shift) mod ring_rows */
  uint8_t **ring_slots;          /* the slot of each row of it; NULL: that rule */
  /* [steps] bit j of [i]: the rings that outputs 0 of steps i and j stand for hold rows at the same time. NULL: all. */
  uint64_t *together;
  int n_overlaps;
  struct overlap *overlaps;
  size_t least; /* `bytes` with all that overlaps may save at its best: what no layout goes below */
};
/* Room for the replays of one program, which follow each other. */
struct replay_room *replay_room_new(const struct program *p);
/* The form that a work has in a segment. */
const struct form *form_in(const struct work *w, const struct segment *s);
/* The same segment with fewer rows a call, which may be possible where more are not, or with less state; false: no step
 * has a slimmer form. */
bool segment_slim(const struct program *p, const struct segment *from, unsigned spare_rows,
                  struct arena *a, struct segment *s);
/* Whether the arena holds counts of its calls: where several steps take turns, or rows arrive in between. */
bool segment_counts(const struct program *p, const struct segment *s);
/* Whether segment.together knows of a ring: made by a step of it as its first output and read up in it. */
bool segment_ring_bit(const struct program *p, const struct segment *s, int storage);
/* errors: none; possible is false where the steps cannot share a segment. */
void segment_replay(const struct program *p, int first, int end, enum shape_of_form shape,
                    unsigned spare_rows, struct arena *a, struct segment *s);

/* ---- schedule ---------------------------------------------------------------- */
struct item { /* one piece of the arena */
  enum compile_piece_kind kind;
  int storage;     /* tensor of the graph, or -1 */
  int first, last; /* segments that it lives through */
  size_t bytes;    /* a multiple of 8, of which all but the last few are used: */
  size_t exact_bytes;
  int rows, ring_rows; /* ring_rows 0: whole */
  int64_t offset;
};
/* How item i may lie to item `other`: not at all bound; or below it by at least `distance` (offset of other - offset
 * of i), or above its end; or, where `equal`, at its very offset. */
struct apart {
  int other;
  bool bound, equal;
  int64_t distance;
};
/* Of each item those that live when it does, by rising number; all others do not bind it. */
struct bounds {
  int *at; /* [n_items + 1] */
  struct apart *list;
  int items_room;
  int64_t list_room;
};
/* Items that live in a common segment lie apart by the size of the lower. Room is taken from earlier calls. */
void bounds_of(struct bounds *b, const struct item *items, int n, int n_segments, struct arena *a);
/* needs: both live in a common segment. */
struct apart *bounds_between(const struct bounds *b, int item, int other);
struct schedule {
  int n_segments;
  struct segment *segments;
  int n_items;
  struct item *items;
  int *segment_of;      /* [n_work + 1] */
  int *item_of;         /* [n_tensors] of a storage; -1: none */
  int *ring_rows;       /* [n_tensors] of an inner storage; 0: whole */
  int *ring_shift;      /* [n_tensors] of an inner storage */
  uint8_t **ring_slots; /* [n_tensors] of an inner storage in a pool, else NULL */
  int *state_item;      /* [n_work] item of a kept state; -1: shared or none */
  int *shared_item;     /* [n_segments]; -1: none */
  int *counters_item;   /* [n_segments] calls made of each step; -1: none */
  size_t used_bytes;    /* of the items */
  size_t arena_bytes;   /* with the executor's own */
  size_t least_bytes;   /* lower bound for these items */
  int64_t instructions, fastest_instructions;
  int n_curve;
  struct compile_point *curve;
};
/* Item bytes are known, offsets too: see offsets.c. Under a limit that nothing fits, the least
 * there is: the caller compares arena_bytes. */
bool schedule_choose(const struct program *p, const struct compile_options *o, struct arena *a,
                     struct schedule *out, struct err *e);
/* Places items at offsets; returns the bytes. exact where the search ends within its budget or the lower
 * bound is met. */
size_t offsets_place(struct item *items, int n, const struct bounds *bounds, size_t least,
                     struct arena *a);
/* ---- plan -------------------------------------------------------------------- */
/* Fills in the plan, its arena figures, steps and pieces; the C emitter reads the plan back. */
bool plan_build(const struct program *p, const struct schedule *s, struct arena *a,
                struct compiled *out, struct err *e);

#endif
