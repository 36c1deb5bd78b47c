/* lower: every node becomes work: a kernel, its parameters, and the rows that each call reads and makes.
 *
 * How an operator of some types becomes work is a recipe; recipes stand in lower_<family>.c, and the first that
 * takes a node wins. A tensor [1, h, ...] of three or four axes is h rows; any other is one row. A node may have a
 * second, flat form, for when all its input exists: a 1x1 convolution sees one row of h * w pixels, elementwise
 * operators one row. RESHAPE makes no work: its output is the same bytes (storage). The estimates of instructions
 * order plans, no more; `mote bench` measures. */
#include "host/compile/private.h"

#include <float.h>
#include <string.h>

static const struct lower_family *const families[] = {
    &lower_block,   &lower_s4,          &lower_tiles, &lower_stairs,   &lower_wide,
    &lower_int8,    &lower_fixed,       &lower_real,  &lower_sequence, &lower_signal,
    &lower_control, &lower_elementwise, &lower_move,  &lower_learner,
};

/* Per call: the executor's turn, row pointers, and the kernel's set-up. source: counted in the generated code
 * of run.c for Cortex-M4, rounded. */
enum { CALL_COST = 160, POINTER_COST = 8 };

/* ---- what recipes share ------------------------------------------------------- */
struct rows_of rows_of_tensor(const struct graph_tensor *t) {
  const bool image = (t->rank == 4 || t->rank == 3) && t->dims[0] == 1;
  const int rows = image ? t->dims[1] : 1;
  return (struct rows_of){rows, graph_bytes(t) / (size_t)rows};
}

struct rows_of one_row(const struct graph_tensor *t) {
  return (struct rows_of){1, graph_bytes(t)};
}

const struct reach EACH_ROW = {0, 1, 1, 1}, FIRST_ROW = {0, 1, 0, 1};

bool fits16(int64_t v) { return v >= 0 && v <= UINT16_MAX; }

bool sizes_fit(const struct graph_tensor *t, struct err *e) {
  for (int i = 0; i < t->rank; i++)
    if (!fits16(t->dims[i])) return lower_too_large(e, "a size", t->dims[i], UINT16_MAX);
  return true;
}

bool lower_too_large(struct err *e, const char *what, int64_t value, int64_t most) {
  return err_set(e, "%s is %lld; the kernel takes at most %lld", what, (long long)value,
                 (long long)most);
}

/* Steps and parameters hold a window's numbers in 16 bits. */
bool window_fits(const struct graph_attrs *a, int kernel_h, int kernel_w, struct err *e) {
  const struct {
    const char *what;
    int value;
  } all[] = {{"the kernel's height", kernel_h},         {"the kernel's width", kernel_w},
             {"the stride in height", a->stride_h},     {"the stride in width", a->stride_w},
             {"the dilation in height", a->dilation_h}, {"the dilation in width", a->dilation_w},
             {"the padding above", a->pad_top},         {"the padding on the left", a->pad_left}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i].value > INT16_MAX) return lower_too_large(e, all[i].what, all[i].value, INT16_MAX);
  return true;
}

/* Vertical window over rows: pads above are negative rows. */
void set_window(const struct graph_node *n, int kernel_h, struct form *f) {
  const struct graph_attrs *a = &n->attrs;
  f->reach[0] =
      (struct reach){-a->pad_top, kernel_h, a->stride_h, a->dilation_h > 0 ? a->dilation_h : 1};
}

static int floor_divide(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/* Input row v adds to output rows v * stride_h + k - pad_top, 0 <= k < kernel_h. */
struct reach transposed_reach(const struct graph_node *n, int kernel_h) {
  const int stride = n->attrs.stride_h, pad = n->attrs.pad_top;
  const int first = -floor_divide(kernel_h - 1 - pad, stride),
            last = floor_divide(stride - 1 + pad, stride);
  return (struct reach){first, last - first + 1, 1, 1};
}

void float_range(enum graph_activation act, float *low, float *high) {
  *low = act == GRAPH_ACT_RELU_N1_TO_1 ? -1 : act == GRAPH_ACT_NONE ? -FLT_MAX : 0;
  *high = act == GRAPH_ACT_RELU_N1_TO_1 ? 1 : act == GRAPH_ACT_RELU6 ? 6 : FLT_MAX;
}

void whole_form(const struct graph *g, const struct work *w, struct form *f) {
  for (int k = 0; k < w->n_in; k++) {
    f->in[k] = one_row(&g->tensors[w->in[k]]);
    f->reach[k] = EACH_ROW;
  }
  f->out = one_row(&g->tensors[w->out[0]]);
  f->calls = f->rows_out = 1;
}

bool row_form(const struct graph *g, const struct work *w, bool flat, struct form *f) {
  const struct graph_tensor *y = &g->tensors[w->out[0]];
  const struct rows_of rows = flat ? one_row(y) : rows_of_tensor(y);
  if (flat && rows_of_tensor(y).rows == 1) return false;
  for (int k = 0; k < w->n_in; k++) {
    f->in[k].rows = rows.rows;
    f->in[k].row_bytes = graph_bytes(&g->tensors[w->in[k]]) / (size_t)rows.rows;
    f->reach[k] = EACH_ROW;
  }
  f->out = rows;
  f->calls = rows.rows;
  f->rows_out = 1;
  return true;
}

/* ---- nodes ------------------------------------------------------------------- */
static bool is_for(const struct recipe *r, const struct compile_options *o) {
  return (r->cores == 0 || (r->cores >> o->core & 1) != 0) && (!r->fast || o->fast) &&
         (!r->small || o->small);
}

/* What costs flash for each channel must make so many outputs of it; what does for each weight must not be left out. */
static bool pays(const struct recipe *r, const struct graph *g, const struct graph_node *n,
                 const struct compile_options *o) {
  return (!r->each_channel || lower_pixels(output(g, n)) >= o->least_pixels) &&
         (!r->widened || o->narrow == NULL || !o->narrow[n - g->nodes]);
}

static const struct recipe *recipe_of(const struct graph *g, const struct graph_node *n,
                                      const struct compile_options *o) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    for (size_t k = 0; k < families[i]->n; k++) {
      const struct recipe *r = &families[i]->recipes[k];
      if (r->op == n->op && is_for(r, o) && pays(r, g, n, o) &&
          (r->takes == NULL || r->takes(g, n)))
        return r;
    }
  return NULL;
}

/* "int8, int8, int32 -> int8" */
static void add_types(const struct graph *g, const struct graph_node *n, struct text *t) {
  for (int i = 0; i < n->n_in; i++)
    text_printf(t, "%s%s", i > 0 ? ", " : "",
                n->in[i] < 0 ? "none" : mote_type_name((int)g->tensors[n->in[i]].type));
  for (int i = 0; i < n->n_out; i++)
    text_printf(t, "%s%s", i > 0 ? ", " : " -> ", mote_type_name((int)g->tensors[n->out[i]].type));
}

static bool no_recipe(const struct graph *g, const struct graph_node *n, struct arena *a,
                      struct err *e) {
  struct text types;
  text_init(&types, a);
  add_types(g, n, &types);
  return err_set(
      e,
      "no kernel runs it with these types and attributes (%s); docs/operators.md lists what runs",
      types.data);
}

int64_t lower_call_cost(const struct work *w, const struct form *f) {
  int64_t pointers = 0;
  for (int k = 0; k < w->n_in; k++) pointers += f->reach[k].rows;
  return CALL_COST + POINTER_COST * pointers;
}

void lower_count_calls(const struct work *w, struct form *f) {
  f->instructions += f->calls * lower_call_cost(w, f);
}

/* The edges of a work: the inputs that are there and not packed with the parameters, and the outputs. */
static bool set_edges(const struct graph_node *n, const struct recipe *r, struct work *w,
                      struct err *e) {
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] < 0 || (r->packed >> i & 1) != 0) continue;
    if (i + 1 == r->assigned) continue;
    if (w->n_in == MOTE_MAX_EDGES)
      return err_set(e, "it has more than %d inputs that are computed", MOTE_MAX_EDGES);
    w->input[w->n_in] = i;
    w->in[w->n_in++] = n->in[i];
  }
  if (r->assigned > 0) w->out[w->n_out++] = n->in[r->assigned - 1];
  for (int i = 0; i < n->n_out; i++) {
    if (r->each_output && i != w->part) continue;
    if (w->n_in + w->n_out == MOTE_MAX_EDGES + 1)
      return err_set(e, "it has more than %d inputs and outputs", MOTE_MAX_EDGES);
    w->out[w->n_out++] = n->out[i];
  }
  return true;
}

/* Chips whose loads do not reach the flash have kernels that know it, and no constant may be an operand. */
static bool fits_core(const struct program *p, const struct work *w, struct err *e) {
  static const enum mote_kernel_number apart[] = {MOTE_KERNEL_conv2d_s8,
                                                  MOTE_KERNEL_depthwise_conv2d_s8,
                                                  MOTE_KERNEL_fully_connected_s8,
                                                  MOTE_KERNEL_add_s8,
                                                  MOTE_KERNEL_average_pool_s8,
                                                  MOTE_KERNEL_max_pool_s8,
                                                  MOTE_KERNEL_mean_s8,
                                                  MOTE_KERNEL_softmax_s8,
                                                  MOTE_KERNEL_copy,
                                                  MOTE_KERNEL_pad_s8,
                                                  MOTE_KERNEL_lut_8};
  bool known = false;
  if (p->options->core != COMPILE_CORE_AVR) return true;
  for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) known = known || apart[i] == w->kernel;
  if (!known)
    return err_set(
        e,
        "the kernel %s reads its constants where an AVR has none; int8 convolutions, dense "
        "layers, pooling, additions, softmax and tables run there",
        kernel_stem(w->kernel));
  for (int k = 0; k < w->n_in; k++)
    if (graph_is_constant(&p->graph->tensors[w->in[k]]))
      return err_set(
          e, "its constant operand \"%s\" lies in flash, which loads of an AVR do not reach",
          p->graph->tensors[w->in[k]].name);
  return true;
}

/* Sums of weights cost four bytes of flash for each channel. Kernels for Helium make them anew in every call where they are
 * not known. */
static bool folds(const struct graph *g, const struct graph_node *n, const struct work *w) {
  const bool sums = w->kernel == MOTE_KERNEL_conv2d_s8 ||
                    w->kernel == MOTE_KERNEL_depthwise_conv2d_s8 ||
                    w->kernel == MOTE_KERNEL_fully_connected_s8;
  return sums && w->options->core == COMPILE_CORE_MVE && !w->options->small &&
         g->tensors[n->in[0]].quant.zp[0] != 0 &&
         lower_fold_pixels(&g->tensors[n->out[0]], w->kernel) >= w->options->least_pixels;
}

static bool lower_part(struct program *p, int index, int part, const struct recipe *r,
                       struct work *w, struct err *e) {
  const struct graph *g = p->graph;
  const struct mote_kernel *kernel = mote_all_kernels[r->kernel];
  w->node = index;
  w->part = part;
  w->recipe = r;
  w->options = p->options;
  w->kernel = r->kernel;
  w->whole_windows = p->whole_windows;
  w->folds = folds(g, &g->nodes[index], w);
  w->keeps_state = kernel->begin != NULL || kernel->end != NULL;
  if (!set_edges(&g->nodes[index], r, w, e) || !fits_core(p, w, e)) return false;
  w->row.params_bytes = kernel_params_bytes(r->kernel);
  if (!r->build(g, w, false, &w->row, e)) return false;
  lower_count_calls(w, &w->row);
  w->flat.params_bytes = w->row.params_bytes;
  w->has_flat = r->build(g, w, true, &w->flat, NULL);
  if (w->has_flat) lower_count_calls(w, &w->flat);
  strips_vary(w, p->arena);
  if (!fits16(w->row.calls))
    return lower_too_large(e, "the number of rows", w->row.calls, UINT16_MAX);
  return true;
}

/* target: a node, until all work is known. */
static void lower_jump(struct program *p, int index) {
  const struct graph_node *n = &p->graph->nodes[index];
  struct work *w = &p->work[p->n_work++];
  w->node = index;
  w->is_jump = true;
  p->n_jumps++;
  w->target = n->attrs.option[0];
  w->n_in = n->n_in;
  if (n->n_in > 0) w->in[0] = n->in[0];
  w->row.in[0] = (struct rows_of){1, 1};
  w->row.reach[0] = EACH_ROW;
  w->row.instructions = CALL_COST / 4;
}

static bool lower_node(struct program *p, int index, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[index];
  if (control_is_jump(n)) {
    lower_jump(p, index);
    return true;
  }
  const struct recipe *r = recipe_of(g, n, p->options);
  if (r == NULL) return no_recipe(g, n, p->arena, e);
  if (r->view) {
    p->storage[n->out[0]] = p->storage[n->in[0]];
    return true;
  }
  const int parts = r->each_output ? n->n_out : 1;
  for (int part = 0; part < parts; part++)
    if (!lower_part(p, index, part, r, &p->work[p->n_work++], e)) return false;
  return true;
}

/* Nodes become work that jumps go to: the first of that node or behind it. */
static void set_targets(struct program *p) {
  for (int i = 0; i < p->n_work; i++) {
    if (!p->work[i].is_jump) continue;
    int to = 0;
    while (to < p->n_work && p->work[to].node < p->work[i].target) to++;
    p->work[i].target = to;
  }
}

int program_end_of_loops(const struct program *p, int i, int from) {
  for (int k = 0; k < p->n_work && p->n_jumps > 0; k++) {
    const struct work *w = &p->work[k];
    if (!w->is_jump || w->target > k) continue;
    if (from < w->target && i >= w->target && i < k) i = k, k = -1; /* it may lie in another loop */
  }
  return i;
}

/* Which work makes and reads each storage. What is made in front of a loop and used in it lives until the loop
 * ends; a result that several works write is born with the first. */
static void find_lives(struct program *p) {
  const struct graph *g = p->graph;
  for (int t = 0; t < g->n_tensors; t++) p->born[t] = p->last[t] = -2;
  for (int i = 0; i < g->n_inputs; i++) p->born[p->storage[g->inputs[i]]] = -1;
  for (int i = 0; i < p->n_work; i++) {
    const struct work *w = &p->work[i];
    for (int k = 0; k < w->n_out; k++) {
      const int t = p->storage[w->out[k]];
      if (p->born[t] == -2) p->born[t] = i;
      const int end = program_end_of_loops(p, i, p->born[t]);
      if (p->born[t] != i && end > p->last[t]) p->last[t] = end;
    }
    for (int k = 0; k < w->n_in; k++) {
      const int t = p->storage[w->in[k]], end = program_end_of_loops(p, i, p->born[t]);
      if (end > p->last[t]) p->last[t] = end;
      p->readers[t]++;
    }
  }
  for (int i = 0; i < g->n_outputs; i++) p->last[p->storage[g->outputs[i]]] = p->n_work;
  /* A state is there before everything, and stays. */
  for (int t = 0; t < g->n_tensors; t++) {
    if (!p->is_state[p->storage[t]]) continue;
    p->born[p->storage[t]] = -1;
    p->last[p->storage[t]] = p->n_work;
  }
}

/* Who reads each storage, in order. */
static void list_reads(struct program *p) {
  const int tensors = p->graph->n_tensors;
  p->read_at = ARENA_ARRAY(p->arena, int, tensors + 2);
  for (int t = 0; t < tensors; t++) p->read_at[t + 1] = p->read_at[t] + p->readers[t];
  p->reads = ARENA_ARRAY(p->arena, struct read, p->read_at[tensors] + 1);
  int *next = ARENA_ARRAY(p->arena, int, tensors + 1);
  memcpy(next, p->read_at, (size_t)tensors * sizeof *next);
  for (int i = 0; i < p->n_work; i++)
    for (int k = 0; k < p->work[i].n_in; k++)
      p->reads[next[p->storage[p->work[i].in[k]]]++] = (struct read){i, k};
}

/* Bytes of whole tensors that live across the front of each work, and where jumps go. */
static void sum_lives(struct program *p) {
  const struct graph *g = p->graph;
  p->live_bytes = ARENA_ARRAY(p->arena, size_t, p->n_work + 2);
  p->is_target = ARENA_ARRAY(p->arena, bool, p->n_work + 1);
  for (int t = 0; t < g->n_tensors; t++) {
    if (p->storage[t] != t || p->born[t] < -1 || p->last[t] <= p->born[t]) continue;
    const size_t bytes = (graph_bytes(&g->tensors[t]) + 7) & ~(size_t)7;
    p->live_bytes[p->born[t] + 1] += bytes;
    if (p->last[t] < p->n_work) p->live_bytes[p->last[t] + 1] -= bytes;
  }
  for (int i = 0; i < p->n_work; i++) p->live_bytes[i + 1] += p->live_bytes[i];
  for (int i = 0; i < p->n_work; i++)
    if (p->work[i].is_jump) p->is_target[p->work[i].target] = true;
}

static bool has_whole_windows(const struct graph *g) {
  for (int i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const bool conv = n->op == MOTE_OP_CONV_2D;
    if (!conv && n->op != MOTE_OP_DEPTHWISE_CONV_2D) continue;
    const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1);
    if (conv ? w->dims[2] != 1 || x->dims[3] % 4 != 0 : x->dims[3] == 1) return false;
  }
  return true;
}

bool program_lower(const struct graph *g, const struct compile_options *o, struct arena *a,
                   struct program *p, struct err *e) {
  memset(p, 0, sizeof *p);
  p->arena = a;
  p->fed = -1;
  p->graph = g;
  p->options = o;
  p->whole_windows = has_whole_windows(g);
  int most = 1;
  for (int n = 0; n < g->n_nodes; n++) most += g->nodes[n].n_out > 1 ? g->nodes[n].n_out : 1;
  p->work = ARENA_ARRAY(a, struct work, most);
  p->storage = ARENA_ARRAY(a, int, g->n_tensors + 1);
  p->born = ARENA_ARRAY(a, int, g->n_tensors + 1);
  p->last = ARENA_ARRAY(a, int, g->n_tensors + 1);
  p->readers = ARENA_ARRAY(a, int, g->n_tensors + 1);
  p->is_state = ARENA_ARRAY(a, bool, g->n_tensors + 1);
  for (int t = 0; t < g->n_tensors; t++) {
    p->storage[t] = t;
    p->is_state[t] = g->tensors[t].is_state;
  }
  for (int n = 0; n < g->n_nodes; n++) {
    if (lower_node(p, n, e)) continue;
    err_node(e, "operator %d %s", g->nodes[n].source_op, mote_op_name((int)g->nodes[n].op));
    return false;
  }
  set_targets(p);
  program_leave_out_copies(p);
  for (int i = 0; i < p->n_work; i++) p->work[i].step = p->work[i].is_jump ? -1 : p->n_steps++;
  find_lives(p);
  list_reads(p);
  sum_lives(p);
  p->room = replay_room_new(p);
  return true;
}
