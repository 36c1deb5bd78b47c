/* open: reads a .mote file back as a struct compiled, so that what runs, hashes and reports a compiled
 * graph does the same with a file. The source graph it gives holds the inputs and outputs only. */
#include "host/compile/private.h"

#include <string.h>

static int add_port(struct graph *g, const struct mote_port *port, const char *name) {
  struct graph_tensor t = {.name = name, .type = (enum mote_type)port->type, .rank = port->rank};
  for (int d = 0; d < port->rank; d++) t.dims[d] = port->dims[d];
  if (port->scale > 0) t.quant = graph_quant_one(g->arena, port->scale, port->zp);
  return graph_add_tensor(g, &t);
}

static struct graph *ports_graph(const struct mote_plan *plan, const char *name, struct arena *a) {
  const struct mote_port *in = (const void *)((const uint8_t *)plan + plan->inputs);
  const struct mote_port *out = (const void *)((const uint8_t *)plan + plan->outputs);
  struct graph *g = graph_new(a, name);
  int *inputs = ARENA_ARRAY(a, int, plan->n_inputs + 1),
      *outputs = ARENA_ARRAY(a, int, plan->n_outputs + 1);
  for (int i = 0; i < plan->n_inputs; i++)
    inputs[i] = add_port(g, &in[i], arena_printf(a, "input %d", i));
  for (int i = 0; i < plan->n_outputs; i++)
    outputs[i] = add_port(g, &out[i], arena_printf(a, "output %d", i));
  graph_set_inputs(g, inputs, plan->n_inputs);
  graph_set_outputs(g, outputs, plan->n_outputs);
  return g;
}

const char *kernel_stem(unsigned number) {
  static const char *const stems[MOTE_KERNEL_COUNT] = {
#define KERNEL(stem, params) #stem,
#include "mote/nn/kernels.def"
#undef KERNEL
  };
  return number < MOTE_KERNEL_COUNT ? stems[number] : "?";
}

size_t kernel_params_bytes(unsigned number) {
  static const size_t bytes[MOTE_KERNEL_COUNT] = {
#define KERNEL(stem, params) sizeof(struct params),
#include "mote/nn/kernels.def"
#undef KERNEL
  };
  return number < MOTE_KERNEL_COUNT ? bytes[number] : 0;
}

/* The operator that a kernel is named after; MOTE_OP_COUNT where it serves several: a file does not tell. */
static enum mote_op op_of(unsigned kernel) {
  switch (kernel) {
  case MOTE_KERNEL_conv2d_s4:
  case MOTE_KERNEL_conv2d_pairs_s4:
  case MOTE_KERNEL_conv2d_triples_s8:
  case MOTE_KERNEL_conv2d_tiles_s8:
  case MOTE_KERNEL_conv2d_stairs_words_s8:
  case MOTE_KERNEL_conv2d_stairs_high_s8:
  case MOTE_KERNEL_conv2d_stairs_s8:
  case MOTE_KERNEL_conv2d_wide_s8:
  case MOTE_KERNEL_conv2d_s8: return MOTE_OP_CONV_2D;
  case MOTE_KERNEL_depthwise_sums_s8:
  case MOTE_KERNEL_depthwise_stairs_s8:
  case MOTE_KERNEL_depthwise_stairs_tables_s8:
  case MOTE_KERNEL_depthwise_stairs_high_s8:
  case MOTE_KERNEL_depthwise_conv2d_s8: return MOTE_OP_DEPTHWISE_CONV_2D;
  case MOTE_KERNEL_fully_connected_s4:
  case MOTE_KERNEL_fully_connected_pairs_s8:
  case MOTE_KERNEL_fully_connected_wide_s8:
  case MOTE_KERNEL_fully_connected_lanes_s4:
  case MOTE_KERNEL_fully_connected_lanes_s8:
  case MOTE_KERNEL_fully_connected_s8: return MOTE_OP_FULLY_CONNECTED;
  case MOTE_KERNEL_add_s8:
  case MOTE_KERNEL_add_weighted_s8: return MOTE_OP_ADD;
  case MOTE_KERNEL_average_pool_s8: return MOTE_OP_AVERAGE_POOL_2D;
  case MOTE_KERNEL_max_pool_s8: return MOTE_OP_MAX_POOL_2D;
  case MOTE_KERNEL_mean_s8: return MOTE_OP_MEAN;
  case MOTE_KERNEL_softmax_s8: return MOTE_OP_SOFTMAX;
  case MOTE_KERNEL_pad_s8: return MOTE_OP_PAD;
  default: return MOTE_OP_COUNT;
  }
}

/* Steps and layers: all that the file still knows of the source model. */
static void describe(const struct mote_plan *plan, struct arena *a, struct compiled *c) {
  const struct mote_step *from = (const void *)((const uint8_t *)plan + plan->steps);
  const struct mote_tensor *tensors = (const void *)((const uint8_t *)plan + plan->tensors);
  const struct mote_edge *edges = (const void *)((const uint8_t *)plan + plan->edges);
  const struct mote_segment *segments = (const void *)((const uint8_t *)plan + plan->segments);
  struct compile_step *steps = ARENA_ARRAY(a, struct compile_step, plan->n_steps + 1);
  for (int i = 0; i < plan->n_steps; i++)
    if (from[i].source_op != MOTE_NO_OPERATOR && from[i].source_op >= c->n_layers)
      c->n_layers = from[i].source_op + 1;
  struct compile_layer *layers = ARENA_ARRAY(a, struct compile_layer, c->n_layers + 1);
  for (int i = 0; i < c->n_layers; i++)
    layers[i] = (struct compile_layer){.source_op = i,
                                       .op = MOTE_OP_COUNT,
                                       .fate = COMPILE_DEAD,
                                       .step = -1,
                                       .view_of_op = -1,
                                       .view_of_input = -1,
                                       .fused_into = -1,
                                       .why = "not in the file"};
  for (int i = 0, k = 0, left = plan->n_segments > 0 ? segments[0].steps : 0; i < plan->n_steps;
       i++, left--) {
    while (left == 0) left = segments[++k].steps;
    const struct mote_tensor *in = &tensors[edges[from[i].edges].tensor],
                             *out = &tensors[from[i].output];
    const bool listed = from[i].source_op != MOTE_NO_OPERATOR;
    steps[i] = (struct compile_step){.source_op = listed ? from[i].source_op : -1,
                                     .op = op_of(from[i].kernel),
                                     .name = arena_printf(a, "op%02u", from[i].source_op),
                                     .stem = kernel_stem(from[i].kernel),
                                     .rank_in = 2,
                                     .rank_out = 2,
                                     .dims_in = {in->rows, (int32_t)in->row_bytes},
                                     .dims_out = {out->rows, (int32_t)out->row_bytes},
                                     .segment = k,
                                     .weight_bytes =
                                         from[i].params_bytes - kernel_params_bytes(from[i].kernel),
                                     .state_bytes = from[i].state_bytes};
    c->flash_weight_bytes += steps[i].weight_bytes;
    if (!listed) continue;
    struct compile_layer *layer = &layers[from[i].source_op];
    layer->op = steps[i].op;
    layer->fate = COMPILE_STEP;
    layer->step = i;
    layer->why = NULL;
    layer->type = MOTE_INT8;
    layer->rank = 2;
    memcpy(layer->dims, steps[i].dims_out, sizeof layer->dims);
    layer->bytes = (size_t)out->rows * out->row_bytes;
  }
  c->steps = steps;
  c->layers = layers;
  c->n_steps = plan->n_steps;
  c->n_segments = plan->n_segments;
}

/* Constants that lie in the plan as tensors; several tensors may see one. */
static size_t constant_bytes(const struct mote_plan *plan) {
  const struct mote_tensor *t = (const void *)((const uint8_t *)plan + plan->tensors);
  size_t sum = 0;
  for (int i = 0; i < plan->n_tensors; i++) {
    bool seen = (t[i].offset & MOTE_CONSTANT) == 0;
    for (int k = 0; k < i && !seen; k++) seen = t[k].offset == t[i].offset;
    if (!seen) sum += (size_t)t[i].rows * t[i].row_bytes;
  }
  return sum;
}

/* A checked plan may still ask for more than this machine has: its arena, and all layers for a tap. */
static bool fits_memory(const struct mote_plan *plan, size_t left, struct err *e) {
  const struct mote_tensor *tensors = (const void *)((const uint8_t *)plan + plan->tensors);
  const struct mote_step *steps = (const void *)((const uint8_t *)plan + plan->steps);
  uint64_t need = mote_arena_bytes(plan); /* below 2^32; 2^16 tensors of at most 2^47 bytes each */
  for (int i = 0; i < plan->n_steps; i++)
    need += (uint64_t)tensors[steps[i].output].rows * tensors[steps[i].output].row_bytes;
  return need < left / 4 || err_set(e, "running it takes %llu bytes of memory; %zu can be had",
                                    (unsigned long long)need, left / 4);
}

bool compile_is_mote(const uint8_t *bytes, size_t n) {
  return n >= 4 && bytes[0] == 'M' && bytes[1] == 'O' && bytes[2] == 'T' && bytes[3] == 'E';
}

bool compile_open_mote(const char *name, const uint8_t *bytes, size_t n, struct arena *a,
                       struct compiled *out, struct err *e) {
  memset(out, 0, sizeof *out);
  uint8_t *copy = ARENA_ARRAY(a, uint8_t, n + 8); /* aligned as the plan must be */
  memcpy(copy, bytes, n);
  const enum mote_status status = mote_check(copy, n);
  if (status != MOTE_OK) {
    err_file(e, name);
    return err_set(e, "not a good .mote file: %s", mote_status_text(status));
  }
  const struct mote_plan *plan = (const struct mote_plan *)(const void *)copy;
  if (!fits_memory(plan, arena_left(a), e)) {
    err_file(e, name);
    return false;
  }
  out->plan = copy;
  out->plan_bytes = plan->bytes;
  out->options.pointer_bytes = plan->pointer_bytes;
  out->arena_bytes = plan->arena_bytes;
  out->least_arena_bytes = plan->arena_bytes;
  out->source = out->graph = ports_graph(plan, name, a);
  describe(plan, a, out);
  out->flash_weight_bytes += constant_bytes(plan);
  return true;
}
