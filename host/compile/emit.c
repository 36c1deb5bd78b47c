/* emit: the plan as a C99 program that a person can read.
 *
 * One constant object holds what the .mote image holds, member for member, so it has the same bytes: offsets
 * are written as offsetof and sizeof, and the program refuses to compile where a compiler lays the members out
 * otherwise. The kernel table names only the kernels that are used, so a linker drops all others. */
#include "host/compile/private.h"

#include <ctype.h>
#include <string.h>

struct emitter {
  const struct compiled *c;
  const char *name;
  char *upper; /* NAME, for macros */
  struct text *out;
  const struct mote_plan *plan;
  const struct mote_tensor *tensors;
  const struct mote_step *steps;
  const uint16_t *segments;
  const struct mote_port *inputs, *outputs;
};

static void open_plan(struct emitter *m) {
  m->plan = (const struct mote_plan *)(const void *)m->c->plan;
  m->tensors = (const void *)(m->c->plan + m->plan->tensors);
  m->steps = (const void *)(m->c->plan + m->plan->steps);
  m->segments = (const void *)(m->c->plan + m->plan->segments);
  m->inputs = (const void *)(m->c->plan + m->plan->inputs);
  m->outputs = (const void *)(m->c->plan + m->plan->outputs);
}

/* ---- comments -------------------------------------------------------------------- */

static void shape(struct text *t, const int32_t *dims, int rank) {
  text_add(t, "[");
  for (int d = 0; d < rank; d++) text_printf(t, "%s%d", d > 0 ? "," : "", dims[d]);
  text_add(t, "]");
}

/* What must not end a comment in a name that a stranger chose. */
static void plain(struct text *t, const char *s) {
  for (; s != NULL && *s != 0; s++) {
    const char c =
        *s >= ' ' && *s < 127 && *s != '*' && *s != '/' && *s != '\\' && *s != '?' ? *s : '.';
    text_addn(t, &c, 1);
  }
}

static void real(struct text *t, float scale, int32_t zp) {
  text_printf(t, ", real = %.6g * (q %c %lld)", (double)scale, zp < 0 ? '+' : '-',
              zp < 0 ? -(long long)zp : (long long)zp);
}

/* The last part of a path. */
static const char *file_of(const char *path) {
  const char *slash = path != NULL ? strrchr(path, '/') : NULL;
  return slash != NULL ? slash + 1 : path;
}

static const struct graph_tensor *output_of(const struct emitter *m, const struct compile_step *s) {
  const struct graph *g = m->c->graph;
  for (int n = 0; n < g->n_nodes; n++)
    if (g->nodes[n].source_op == s->source_op) return &g->tensors[g->nodes[n].out[0]];
  return NULL;
}

/* "operator 3 DEPTHWISE_CONV_2D [1,25,5,64] -> [1,25,5,64] x 0.0235 zp -128 (relu...)" */
static void step_comment(const struct emitter *m, int i, const char *indent) {
  const struct compile_step *s = &m->c->steps[i];
  const struct graph_tensor *y = output_of(m, s);
  text_printf(m->out, "%s/* operator %d %s ", indent, s->source_op, mote_op_name((int)s->op));
  shape(m->out, s->dims_in, s->rank_in);
  text_add(m->out, " -> ");
  shape(m->out, s->dims_out, s->rank_out);
  if (y != NULL && y->quant.count == 1) real(m->out, y->quant.scale[0], y->quant.zp[0]);
  if (s->macs > 0) text_printf(m->out, ", %s MAC", text_thousands(s->macs));
  text_add(m->out, " */\n");
}

/* ---- numbers ---------------------------------------------------------------------- */

static void numbers(struct text *t, const uint8_t *bytes, size_t count, size_t size,
                    const char *format) {
  const size_t columns = size == 1 ? 20 : size == 2 ? 14 : 9;
  for (size_t i = 0; i < count; i++) {
    int32_t v = 0;
    int16_t half = 0;
    if (size == 1)
      v = (int8_t)bytes[i];
    else if (size == 2)
      memcpy(&half, bytes + 2 * i, 2), v = half;
    else
      memcpy(&v, bytes + 4 * i, 4);
    if (i % columns == 0) text_add(t, "\n            ");
    if (v == INT32_MIN && format[0] == '%')
      text_add(t, "INT32_MIN"); /* no literal of it is an int */
    else
      text_printf(t, format, v);
    text_add(t, i + 1 < count ? "," : "");
  }
}

/* INT32_MIN has no literal in C99 that is an int. */
static const char *int_text(struct emitter *m, int32_t v) {
  return v == INT32_MIN ? "INT32_MIN" : arena_printf(m->out->arena, "%d", v);
}

static void field(struct emitter *m, const char *name, int64_t value) {
  if (value == 0) return; /* what is not named is zero */
  text_printf(m->out, "            .%s = %s,\n", name, int_text(m, (int32_t)value));
}

/* ---- the parameters of each kernel -------------------------------------------------- */

/* Where the parts of a block lie; 0: absent. */
struct layout {
  bool wide;
  size_t requant, bias, weights, end;
  size_t bias_bytes;
};

static bool has_constants(const struct mote_step *s) {
  return s->kernel == MOTE_OP_CONV_2D || s->kernel == MOTE_OP_DEPTHWISE_CONV_2D ||
         s->kernel == MOTE_OP_FULLY_CONNECTED;
}

static struct layout layout_of(const struct emitter *m, int i) {
  const struct mote_step *s = &m->steps[i];
  const uint8_t *block = m->c->plan + s->params;
  struct layout l = {.end = s->params_bytes};
  if (!has_constants(s)) return l;
  const struct mote_output *o = (const void *)block; /* the first member of all three */
  l.wide = o->wide != 0;
  l.requant = (size_t)o->requant_at;
  l.bias = (size_t)o->bias_at;
  l.bias_bytes = o->bias_bytes;
  const struct mote_conv2d_s8 *conv = (const void *)block;
  const struct mote_depthwise_conv2d_s8 *depthwise = (const void *)block;
  const struct mote_fully_connected_s8 *dense = (const void *)block;
  l.weights = (size_t)(s->kernel == MOTE_OP_CONV_2D             ? conv->weights_at
                       : s->kernel == MOTE_OP_DEPTHWISE_CONV_2D ? depthwise->weights_at
                                                                : dense->weights_at);
  return l;
}

static size_t requant_count(const struct layout *l) {
  return ((l->bias > 0 ? l->bias : l->weights) - l->requant) / 4;
}
static size_t bias_count(const struct layout *l) {
  return l->bias > 0 ? (l->weights - l->bias) / l->bias_bytes : 0;
}

static void emit_output(struct emitter *m, const struct compile_step *step,
                        const struct mote_output *o, const struct layout *l) {
  text_printf(m->out, "            .output = {.requant_at = offsetof(struct %s_%s, requant),\n",
              m->name, step->name);
  if (l->bias > 0)
    text_printf(m->out, "                       .bias_at = offsetof(struct %s_%s, bias),\n",
                m->name, step->name);
  text_printf(
      m->out,
      "                       .zp = %d, .low = %d, .high = %d, .shift_base = %d, .wide = %d, "
      ".bias_bytes = %d},\n",
      o->zp, o->low, o->high, o->shift_base, o->wide, o->bias_bytes);
  text_printf(m->out, "            .weights_at = offsetof(struct %s_%s, weights),\n", m->name,
              step->name);
}

#define FIELD(member) field(m, #member, (int64_t)p->member)

static void emit_conv2d_s8(struct emitter *m, const struct compile_step *step, const void *params,
                           const struct layout *l) {
  const struct mote_conv2d_s8 *p = params;
  emit_output(m, step, &p->output, l);
  FIELD(in_w), FIELD(in_c), FIELD(out_w), FIELD(out_c);
  FIELD(kernel_w), FIELD(kernel_h), FIELD(stride_w), FIELD(stride_h), FIELD(dilation_w);
  FIELD(pad_left), FIELD(rows_out), FIELD(strip_w), FIELD(in_zp);
}
static void emit_depthwise_conv2d_s8(struct emitter *m, const struct compile_step *step,
                                     const void *params, const struct layout *l) {
  const struct mote_depthwise_conv2d_s8 *p = params;
  emit_output(m, step, &p->output, l);
  FIELD(in_w), FIELD(in_c), FIELD(out_w), FIELD(multiplier);
  FIELD(kernel_w), FIELD(kernel_h), FIELD(stride_w), FIELD(stride_h), FIELD(dilation_w);
  FIELD(pad_left), FIELD(rows_out), FIELD(strip_w), FIELD(in_zp);
}
static void emit_fully_connected_s8(struct emitter *m, const struct compile_step *step,
                                    const void *params, const struct layout *l) {
  const struct mote_fully_connected_s8 *p = params;
  emit_output(m, step, &p->output, l);
  FIELD(in_c), FIELD(out_c), FIELD(vectors), FIELD(in_zp);
}
static void emit_add_s8(struct emitter *m, const void *params) {
  const struct mote_add_s8 *p = params;
  text_printf(m->out, "            .multiplier = {%d, %d}, .shift = {%d, %d}, .zp = {%d, %d},\n",
              p->multiplier[0], p->multiplier[1], p->shift[0], p->shift[1], p->zp[0], p->zp[1]);
  FIELD(out_multiplier), FIELD(out_shift), FIELD(left_shift), FIELD(out_zp), FIELD(low),
      FIELD(high);
  FIELD(n);
}
static void emit_pool_s8(struct emitter *m, const void *params) {
  const struct mote_pool_s8 *p = params;
  FIELD(in_w), FIELD(c), FIELD(out_w), FIELD(kernel_w), FIELD(kernel_h), FIELD(stride_w);
  FIELD(stride_h), FIELD(pad_left), FIELD(rows_out), FIELD(low), FIELD(high);
}
static void emit_mean_s8(struct emitter *m, const void *params) {
  const struct mote_mean_s8 *p = params;
  FIELD(multiplier), FIELD(count), FIELD(w), FIELD(c), FIELD(in_zp), FIELD(out_zp);
  FIELD(low), FIELD(high), FIELD(shift), FIELD(divide);
}
static void emit_softmax_s8(struct emitter *m, const void *params) {
  const struct mote_softmax_s8 *p = params;
  FIELD(multiplier), FIELD(diff_min), FIELD(left_shift), FIELD(rows), FIELD(c);
}
static void emit_copy(struct emitter *m, const void *params) {
  const struct mote_copy *p = params;
  FIELD(bytes);
}
static void emit_pad_s8(struct emitter *m, const void *params) {
  const struct mote_pad_s8 *p = params;
  FIELD(before_bytes), FIELD(row_bytes), FIELD(after_bytes), FIELD(value);
}

static void emit_params(struct emitter *m, int i, const struct layout *l) {
  const struct compile_step *step = &m->c->steps[i];
  const void *p = m->c->plan + m->steps[i].params;
  switch ((enum mote_op)m->steps[i].kernel) {
  case MOTE_OP_CONV_2D: emit_conv2d_s8(m, step, p, l); break;
  case MOTE_OP_DEPTHWISE_CONV_2D: emit_depthwise_conv2d_s8(m, step, p, l); break;
  case MOTE_OP_FULLY_CONNECTED: emit_fully_connected_s8(m, step, p, l); break;
  case MOTE_OP_ADD: emit_add_s8(m, p); break;
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D: emit_pool_s8(m, p); break;
  case MOTE_OP_MEAN: emit_mean_s8(m, p); break;
  case MOTE_OP_SOFTMAX: emit_softmax_s8(m, p); break;
  case MOTE_OP_RESHAPE: emit_copy(m, p); break;
  case MOTE_OP_PAD: emit_pad_s8(m, p); break;
  case MOTE_OP_COUNT: break;
  }
}

/* ---- the constants ------------------------------------------------------------------ */

/* The structure's name of a kernel's parameters. */
static const char *params_type(unsigned kernel) {
  switch (kernel) {
#define X(op, params, stem)                                                                        \
  case MOTE_OP_##op: return #params;
    MOTE_NN_KERNELS(X)
#undef X
  default: return "?";
  }
}

static void emit_types(struct emitter *m) {
  struct text *t = m->out;
  for (int i = 0; i < m->plan->n_steps; i++) {
    const struct layout l = layout_of(m, i);
    step_comment(m, i, "");
    text_printf(t, "struct %s_%s {\n  struct %s params;\n", m->name, m->c->steps[i].name,
                params_type(m->steps[i].kernel));
    if (l.weights > 0) {
      text_printf(t, "  %s requant[%zu];\n", l.wide ? "int32_t" : "uint32_t", requant_count(&l));
      if (l.bias > 0)
        text_printf(t, "  %s bias[%zu];\n", l.bias_bytes == 2 ? "int16_t" : "int32_t",
                    bias_count(&l));
      text_printf(t, "  int8_t weights[%zu];\n", l.end - l.weights);
    }
    text_add(t, "};\n\n");
  }
  text_printf(t,
              "struct %s_constants {\n"
              "  struct mote_plan plan;\n"
              "  struct mote_tensor tensors[%u];\n"
              "  struct mote_step steps[%u];\n"
              "  uint16_t segments[%u];\n"
              "  struct mote_port inputs[%u];\n"
              "  struct mote_port outputs[%u];\n",
              m->name, m->plan->n_tensors, m->plan->n_steps, (m->plan->n_segments + 1u) & ~1u,
              m->plan->n_inputs, m->plan->n_outputs);
  for (int i = 0; i < m->plan->n_steps; i++)
    text_printf(t, "  struct %s_%s %s;\n", m->name, m->c->steps[i].name, m->c->steps[i].name);
  text_add(t, "};\n\n");
}

static void emit_asserts(struct emitter *m) {
  struct text *t = m->out;
  text_printf(
      t,
      "/* The members lie as in the image that was proven: no compiler may pad them otherwise. */\n"
      "#define AT(member, offset) typedef char %s_##member##_at[offsetof(struct "
      "%s_constants, member) == (offset) ? 1 : -1]\n",
      m->name, m->name);
  text_printf(
      t, "AT(tensors, %u);\nAT(steps, %u);\nAT(segments, %u);\nAT(inputs, %u);\nAT(outputs, %u);\n",
      m->plan->tensors, m->plan->steps, m->plan->segments, m->plan->inputs, m->plan->outputs);
  for (int i = 0; i < m->plan->n_steps; i++)
    text_printf(t, "AT(%s, %u);\n", m->c->steps[i].name, m->steps[i].params);
  text_printf(
      t, "typedef char %s_version[MOTE_PLAN_VERSION == %u ? 1 : -1]; /* else: emit it again */\n",
      m->name, m->plan->version);
  text_printf(t, "#undef AT\ntypedef char %s_size[sizeof(struct %s_constants) == %u ? 1 : -1];\n\n",
              m->name, m->name, m->plan->bytes);
}

static void emit_plan(struct emitter *m) {
  struct text *t = m->out;
  const struct mote_plan *p = m->plan;
  text_printf(t,
              "    .plan = {.magic = MOTE_PLAN_MAGIC, .version = %u, .pack = %u,\n"
              "             .pointer_bytes = %u, .bytes = sizeof(struct %s_constants), .crc32 = "
              "0x%08Xu,\n"
              "             .arena_bytes = %u, .scratch = %u,\n",
              p->version, p->pack, p->pointer_bytes, m->name, p->crc32, p->arena_bytes, p->scratch);
  static const char *const tables[] = {"tensors", "steps", "segments", "inputs", "outputs"};
  for (int i = 0; i < 5; i++)
    text_printf(t, "             .%s = offsetof(struct %s_constants, %s),\n", tables[i], m->name,
                tables[i]);
  text_printf(t,
              "             .n_tensors = %u, .n_steps = %u, .n_segments = %u, .n_inputs = %u,\n"
              "             .n_outputs = %u, .max_rows = %u},\n",
              p->n_tensors, p->n_steps, p->n_segments, p->n_inputs, p->n_outputs, p->max_rows);
}

static void emit_tensors(struct emitter *m) {
  struct text *t = m->out;
  text_add(t, "    /* offset in the arena, bytes of a row, rows in all, rows held at a time */\n"
              "    .tensors = {\n");
  for (int i = 0; i < m->plan->n_tensors; i++)
    text_printf(t, "        {%u, %u, %u, %u},%s\n", m->tensors[i].offset, m->tensors[i].row_bytes,
                m->tensors[i].rows, m->tensors[i].ring_rows,
                m->tensors[i].ring_rows < m->tensors[i].rows ? " /* ring */" : "");
  text_add(t, "    },\n");
}

static void emit_steps(struct emitter *m) {
  struct text *t = m->out;
  text_add(t, "    .steps = {\n");
  for (int i = 0; i < m->plan->n_steps; i++) {
    const struct mote_step *s = &m->steps[i];
    const char *name = m->c->steps[i].name;
    text_printf(
        t,
        "        {.kernel = MOTE_OP_%s, .source_op = %u,\n"
        "         .params = offsetof(struct %s_constants, %s), .params_bytes = "
        "sizeof(struct %s_%s),\n"
        "         .state = %u, .state_bytes = %u, .calls = %u, .rows_out = %u, .output = %u, "
        ".n_in = %u,\n         .in = {",
        mote_op_name(s->kernel), s->source_op, m->name, name, m->name, name, s->state,
        s->state_bytes, s->calls, s->rows_out, s->output, s->n_in);
    for (unsigned k = 0; k < s->n_in; k++)
      text_printf(t, "%s{.tensor = %u, .first = %d, .rows = %u, .advance = %u, .dilation = %u}",
                  k > 0 ? ", " : "", s->in[k].tensor, s->in[k].first, s->in[k].rows,
                  s->in[k].advance, s->in[k].dilation);
    text_add(t, "}},\n");
  }
  text_add(t, "    },\n    .segments = {");
  for (int i = 0; i < m->plan->n_segments; i++)
    text_printf(t, "%s%u", i > 0 ? ", " : "", m->segments[i]);
  text_add(t, "},\n");
}

static void emit_ports(struct emitter *m, const char *member, const struct mote_port *ports,
                       unsigned n) {
  struct text *t = m->out;
  text_printf(t, "    .%s = {\n", member);
  for (unsigned i = 0; i < n; i++) {
    static const char *const types[] = {"MOTE_INT8", "MOTE_UINT8", "MOTE_INT16", "MOTE_INT32",
                                        "MOTE_FLOAT32"};
    text_printf(t, "        {.tensor = %u, .type = %s, .rank = %u, .dims = {", ports[i].tensor,
                types[ports[i].type], ports[i].rank);
    for (int d = 0; d < ports[i].rank; d++)
      text_printf(t, "%s%d", d > 0 ? ", " : "", ports[i].dims[d]);
    text_printf(t, "}, .scale = %af, .zp = %d},\n", (double)ports[i].scale, ports[i].zp);
  }
  text_add(t, "    },\n");
}

static void emit_block(struct emitter *m, int i) {
  struct text *t = m->out;
  const struct layout l = layout_of(m, i);
  const uint8_t *block = m->c->plan + m->steps[i].params;
  step_comment(m, i, "    ");
  text_printf(t, "    .%s = {\n        .params = {\n", m->c->steps[i].name);
  emit_params(m, i, &l);
  text_add(t, "        },\n");
  if (l.weights > 0) {
    text_add(t, "        .requant = {");
    numbers(t, block + l.requant, requant_count(&l), 4, l.wide ? "%d" : "0x%08Xu");
    text_add(t, "},\n");
    if (l.bias > 0) {
      text_add(t, "        .bias = {");
      numbers(t, block + l.bias, bias_count(&l), l.bias_bytes, "%d");
      text_add(t, "},\n");
    }
    text_add(t, "        .weights = {");
    numbers(t, block + l.weights, l.end - l.weights, 1, "%d");
    text_add(t, "},\n");
  }
  text_add(t, "    },\n");
}

static void emit_kernels(struct emitter *m) {
  struct text *t = m->out;
  text_printf(t, "/* Only what this model uses: the linker drops every other kernel. */\n"
                 "static const struct mote_kernel *const kernels[MOTE_OP_COUNT] = {\n");
#define X(op, params, stem)                                                                        \
  for (int i = 0; i < m->plan->n_steps; i++)                                                       \
    if (m->steps[i].kernel == MOTE_OP_##op) {                                                      \
      text_add(t, "    [MOTE_OP_" #op "] = &mote_kernel_" #stem ",\n");                            \
      break;                                                                                       \
    }
  MOTE_NN_KERNELS(X)
#undef X
  text_add(t, "};\n\n");
}

static void emit_head(struct emitter *m, const char *what) {
  text_printf(m->out, "/* %s: %s, compiled from ", m->name, what);
  plain(m->out, file_of(m->c->source->name));
  text_printf(m->out,
              ".\n * %s MAC, %s bytes of weights, %s bytes of arena. Generated: do not edit. */\n",
              text_thousands(m->c->macs), text_thousands((int64_t)m->c->flash_weight_bytes),
              text_thousands((int64_t)m->c->arena_bytes));
}

static void emit_source(struct emitter *m, const char *header_file) {
  struct text *t = m->out;
  emit_head(m, "the plan and constants of a neural network");
  text_printf(t, "#include \"%s\"\n\n#include <stddef.h>\n\n", header_file);
  emit_types(m);
  emit_asserts(m);
  text_printf(t, "static const struct %s_constants constants __attribute__((aligned(8))) = {\n",
              m->name);
  emit_plan(m);
  emit_tensors(m);
  emit_steps(m);
  emit_ports(m, "inputs", m->inputs, m->plan->n_inputs);
  emit_ports(m, "outputs", m->outputs, m->plan->n_outputs);
  for (int i = 0; i < m->plan->n_steps; i++) emit_block(m, i);
  text_add(t, "};\n\n");
  emit_kernels(m);
  text_printf(t,
              "const struct mote_plan *const %s_plan = &constants.plan;\n"
              "struct mote_model %s_model;\n\n"
              "int %s_init(void *arena, size_t n) {\n"
              "  return mote_init(&%s_model, &constants.plan, kernels, arena, n);\n}\n\n"
              "void *%s_input(unsigned i) { return mote_input(&%s_model, i); }\n\n"
              "const void *%s_output(unsigned i) { return mote_output(&%s_model, i); }\n\n"
              "void %s_run(void) { mote_run(&%s_model); }\n",
              m->name, m->name, m->name, m->name, m->name, m->name, m->name, m->name, m->name,
              m->name);
}

static void emit_port_macros(struct emitter *m, const char *kind, const struct mote_port *ports,
                             unsigned n) {
  text_printf(m->out, "#define %s_%sS %u\n", m->upper, kind, n);
  for (unsigned i = 0; i < n; i++) {
    const struct mote_tensor *t = &m->tensors[ports[i].tensor];
    text_printf(m->out, "#define %s_%s_%u_BYTES %u /* ", m->upper, kind, i,
                (unsigned)t->rows * t->row_bytes);
    shape(m->out, ports[i].dims, ports[i].rank);
    real(m->out, ports[i].scale, ports[i].zp);
    text_add(m->out, " */\n");
  }
}

static void emit_header(struct emitter *m) {
  struct text *t = m->out;
  emit_head(m, "a neural network");
  text_printf(t, "#ifndef %s_H\n#define %s_H\n\n#include \"mote/run/run.h\"\n\n", m->upper,
              m->upper);
  text_printf(t, "#define %s_ARENA_BYTES %zu\n", m->upper, m->c->arena_bytes);
  emit_port_macros(m, "INPUT", m->inputs, m->plan->n_inputs);
  emit_port_macros(m, "OUTPUT", m->outputs, m->plan->n_outputs);
  text_printf(
      t,
      "\n/* Takes %s_ARENA_BYTES of memory, aligned to 8. Returns 0, or a negative mote_status. "
      "*/\n"
      "int %s_init(void *arena, size_t n);\n\n"
      "/* Where input or output i lies. Inputs must be written before each run. */\n"
      "void *%s_input(unsigned i);\nconst void *%s_output(unsigned i);\n\n"
      "/* One inference. */\nvoid %s_run(void);\n\n"
      "/* For profilers: the plan, and the open model, whose hook may be set after %s_init. */\n"
      "extern const struct mote_plan *const %s_plan;\nextern struct mote_model %s_model;\n\n"
      "#endif\n",
      m->upper, m->name, m->name, m->name, m->name, m->name, m->name, m->name);
}

static bool is_identifier(const char *s) {
  if (!isalpha((unsigned char)*s) && *s != '_') return false;
  for (; *s != 0; s++)
    if (!isalnum((unsigned char)*s) && *s != '_') return false;
  return true;
}

bool compile_emit_c(const struct compiled *c, const char *name, const char *header_file,
                    struct text *header, struct text *source, struct err *e) {
  struct emitter m = {.c = c, .name = name};
  if (!is_identifier(name))
    return err_set(e, "'%s' is no name in C: letters, digits and _ are", name);
  open_plan(&m);
  if (m.plan->n_steps == 0)
    return err_set(e, "the model computes nothing: there is no program to make");
  m.upper = arena_strdup(header->arena, name);
  for (char *u = m.upper; *u != 0; u++) *u = (char)toupper((unsigned char)*u);
  m.out = header;
  emit_header(&m);
  m.out = source;
  emit_source(&m, header_file);
  return true;
}
