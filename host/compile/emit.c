/* emit: the plan as a program that a person can read, in what C99 and C++11 have in common.
 *
 * One constant object holds what the .mote image holds, member for member: offsets are written as offsetof and sizeof,
 * and the program refuses to compile where a compiler lays the members out otherwise. Its bytes are the image's but
 * for the steps' kernels, which are places in a table of the few that are used, so a linker drops all others, and for the
 * checksum, which would be that of other bytes: it is 0. C++11 has neither designated initialisers nor hexadecimal
 * floats: members stand in their order, with their names in comments.
 *
 * A plan whose steps stand in a line (struct mote_line) needs none of its tables: the object then holds the steps'
 * blocks alone, and the tables become an object of their own that a linker keeps for profilers only. */
#include "host/compile/private.h"

#include <ctype.h>
#include <string.h>

struct emitter {
  const struct compiled *c;
  const char *name;
  const char *upper; /* NAME, for macros */
  struct text *out;
  const struct mote_plan *plan;
  const struct mote_tensor *tensors;
  const struct mote_edge *edges;
  const struct mote_step *steps;
  const struct mote_segment *segments;
  const struct mote_variable *variables;
  const struct mote_port *inputs, *outputs;
  bool line;          /* the steps stand in a line */
  const char *tables; /* NAME of the structure that holds the plan's tables */
};

static void open_plan(struct emitter *m) {
  m->plan = (const struct mote_plan *)(const void *)m->c->plan;
  m->tensors = (const void *)(m->c->plan + m->plan->tensors);
  m->edges = (const void *)(m->c->plan + m->plan->edges);
  m->steps = (const void *)(m->c->plan + m->plan->steps);
  m->variables = (const void *)(m->c->plan + m->plan->variables);
  m->segments = (const void *)(m->c->plan + m->plan->segments);
  m->inputs = (const void *)(m->c->plan + m->plan->inputs);
  m->outputs = (const void *)(m->c->plan + m->plan->outputs);
}

/* Whether a tensor is in the arena, whole, where 16 bits of words reach. */
static bool is_near(uint32_t tensor, const struct emitter *m) {
  const struct mote_tensor *t = &m->tensors[tensor];
  return (t->offset & MOTE_CONSTANT) == 0 && t->shift == 0 && t->offset / 4 <= UINT16_MAX;
}

static bool step_in_line(const struct emitter *m, const struct mote_step *s) {
  const int n = s->n_in + s->n_out - 1;
  if (s->calls != 1 || n > MOTE_LINE_EDGES || !is_near(s->output, m) || s->state % 4 != 0 ||
      s->state / 4 > UINT16_MAX)
    return false;
  for (int k = 0; k < n; k++) {
    const struct mote_edge *e = &m->edges[s->edges + k];
    if (e->first != 0 || e->rows != 1 || !is_near(e->tensor, m)) return false;
  }
  return true;
}

static bool has_holes(const struct emitter *m);

/* Whether each step is a segment of its own and a call. Weights that lie in lines of a cache, constants behind the
 * blocks and variables keep the image. */
static bool is_line(const struct emitter *m) {
  const struct mote_plan *p = m->plan;
  bool line = p->n_steps > 0 && p->n_steps == p->n_segments && p->n_variables == 0 &&
              p->fed_rows == 0 && m->c->n_constants == 0 && !has_holes(m) &&
              m->steps[p->n_steps - 1].params + m->steps[p->n_steps - 1].params_bytes == p->bytes;
  for (int i = 0; line && i < p->n_steps; i++)
    line = m->segments[i].jump == MOTE_GO_ON && m->segments[i].steps == 1 &&
           step_in_line(m, &m->steps[i]);
  return line;
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

/* How the elements of a type are written. */
static const char *c_type(enum mote_type type) {
  static const char *const names[MOTE_TYPE_COUNT] = {"int8_t", "uint8_t", "int16_t", "int32_t",
                                                     "float",  "uint8_t", "int64_t", "uint32_t"};
  return names[type];
}

/* 9 digits give the float back. */
static void float_literal(struct text *t, float value) {
  const char *digits = arena_printf(t->arena, "%.9g", (double)value);
  text_printf(t, "%s%sf", digits, strpbrk(digits, ".e") != NULL ? "" : ".0");
}

static void number(struct text *t, const uint8_t *at, enum mote_type type) {
  int16_t half;
  int32_t word;
  int64_t twice;
  float real;
  switch (type) {
  case MOTE_INT16: memcpy(&half, at, 2), text_printf(t, "%d", half); break;
  case MOTE_INT32:
    memcpy(&word, at, 4);
    if (word == INT32_MIN)
      text_add(t, "INT32_MIN"); /* no literal of it is an int */
    else
      text_printf(t, "%d", word);
    break;
  case MOTE_UINT32: memcpy(&word, at, 4), text_printf(t, "0x%08Xu", (unsigned)word); break;
  case MOTE_FLOAT32: memcpy(&real, at, 4), float_literal(t, real); break;
  case MOTE_INT64:
    memcpy(&twice, at, 8);
    if (twice == INT64_MIN)
      text_add(t, "INT64_MIN");
    else
      text_printf(t, "%lldLL", (long long)twice);
    break;
  case MOTE_UINT64:
    memcpy(&twice, at, 8), text_printf(t, "%lluULL", (unsigned long long)twice);
    break;
  case MOTE_INT8: text_printf(t, "%d", (int8_t)*at); break;
  default: text_printf(t, "%u", *at); break;
  }
}

static void numbers(struct text *t, const uint8_t *bytes, size_t count, enum mote_type type) {
  const size_t size = mote_type_bytes((int)type);
  const size_t columns = size == 1 ? 20 : size == 2 ? 14 : size == 4 ? 9 : 5;
  for (size_t i = 0; i < count; i++) {
    if (i % columns == 0) text_add(t, "\n            ");
    number(t, bytes + size * i, type);
    text_add(t, i + 1 < count ? "," : "");
  }
}

/* Infinities and NaN have no literal: an array that holds one is written as the words of its bits. */
static enum mote_type written_type(const uint8_t *bytes, size_t count, enum mote_type type) {
  for (size_t i = 0; type == MOTE_FLOAT32 && i < count; i++) {
    uint32_t word;
    memcpy(&word, bytes + 4 * i, 4);
    if ((word >> 23 & 0xFF) == 0xFF) type = MOTE_UINT32;
  }
  return type;
}

static void line(struct emitter *m) { text_add(m->out, "           "); }

/* A value with the name of the member that it is for. */
static void named(struct emitter *m, const char *name, const char *value) {
  text_printf(m->out, " /* %s */ %s,", name, value);
}

static void field(struct emitter *m, const char *name, int64_t value) {
  if (value == INT32_MIN)
    named(m, name, "INT32_MIN"); /* no literal of it is an int */
  else
    named(m, name,
          arena_printf(m->out->arena, "%lld%s", (long long)value, value > INT32_MAX ? "u" : ""));
}

/* ---- the parameters of each kernel -------------------------------------------------- */

/* The arrays behind a step's parameters: as the compiler described them, or, where a file did not tell, words. */
struct parts {
  const struct compile_part *part;
  int n;
  struct compile_part words;
};

static struct parts parts_of(const struct emitter *m, int i) {
  const struct mote_step *s = &m->steps[i];
  const size_t head = kernel_params_bytes(s->kernel);
  struct parts p = {m->c->steps[i].parts, m->c->steps[i].n_parts, {0}};
  if (p.part != NULL || s->params_bytes <= head) return p;
  p.words = (struct compile_part){"data", MOTE_UINT32, head, (s->params_bytes - head) / 4};
  return p;
}

static const struct compile_part *part_at(const struct parts *p, int k) {
  return p->part != NULL ? &p->part[k] : k == 0 && p->words.count > 0 ? &p->words : NULL;
}
static int parts_count(const struct parts *p) {
  return p->part != NULL ? p->n : p->words.count > 0;
}

/* An offset inside a block: of a part, written so that a reader finds it, or a number. 0: absent. */
static void offset_field(struct emitter *m, const struct compile_step *step, const char *name,
                         int32_t at) {
  line(m);
  for (int k = 0; k < step->n_parts && at != 0; k++) {
    if ((int32_t)step->parts[k].offset != at) continue;
    named(m, name,
          arena_printf(m->out->arena, "offsetof(struct %s_%s, %s)", m->name, step->name,
                       step->parts[k].name));
    text_add(m->out, "\n");
    return;
  }
  field(m, name, at);
  text_add(m->out, "\n");
}

/* Members in the order of their structure, all of them. */
#define FIELD(member) field(m, #member, (int64_t)p->member)
#define LINE(...)                                                                                  \
  do {                                                                                             \
    line(m);                                                                                       \
    __VA_ARGS__;                                                                                   \
    text_add(m->out, "\n");                                                                        \
  } while (0)

static void emit_output(struct emitter *m, const struct compile_step *step,
                        const struct mote_output *p, int32_t weights_at) {
  text_add(m->out, "            { /* output */\n");
  offset_field(m, step, "requant_at", p->requant_at);
  offset_field(m, step, "bias_at", p->bias_at);
  LINE(FIELD(zp), FIELD(low), FIELD(high), FIELD(in_zp));
  LINE(FIELD(shift_base), FIELD(wide), FIELD(bounded), FIELD(bias_bytes), FIELD(folded));
  text_add(m->out, "            },\n");
  offset_field(m, step, "weights_at", weights_at);
}

static void emit_conv2d_s8(struct emitter *m, const struct compile_step *step, const void *params) {
  const struct mote_conv2d_s8 *p = params;
  emit_output(m, step, &p->output, p->weights_at);
  LINE(FIELD(in_w), FIELD(in_c), FIELD(out_w), FIELD(out_c));
  LINE(FIELD(kernel_w), FIELD(kernel_h), FIELD(stride_w), FIELD(stride_h), FIELD(dilation_w));
  LINE(FIELD(pad_left), FIELD(rows_out), FIELD(strip_w));
}
static void emit_conv2d_triples_s8(struct emitter *m, const struct compile_step *step,
                                   const void *params) {
  const struct mote_conv2d_triples_s8 *p = params;
  text_add(m->out, "            { /* conv */\n");
  emit_conv2d_s8(m, step, params);
  text_add(m->out, "            },\n");
  LINE(FIELD(run_columns), FIELD(run_values));
}
static void emit_depthwise_conv2d_s8(struct emitter *m, const struct compile_step *step,
                                     const void *params) {
  const struct mote_depthwise_conv2d_s8 *p = params;
  emit_output(m, step, &p->output, p->weights_at);
  LINE(FIELD(in_w), FIELD(in_c), FIELD(out_w), FIELD(multiplier));
  LINE(FIELD(kernel_w), FIELD(kernel_h), FIELD(stride_w), FIELD(stride_h), FIELD(dilation_w));
  LINE(FIELD(pad_left), FIELD(rows_out), FIELD(strip_w));
}
static void emit_fully_connected_s8(struct emitter *m, const struct compile_step *step,
                                    const void *params) {
  const struct mote_fully_connected_s8 *p = params;
  emit_output(m, step, &p->output, p->weights_at);
  LINE(FIELD(in_c), FIELD(out_c), FIELD(vectors), FIELD(run));
}
static void emit_add_s8(struct emitter *m, const void *params) {
  const struct mote_add_s8 *p = params;
  text_printf(m->out,
              "            /* multiplier */ {%d, %d}, /* out_multiplier */ %d,\n"
              "            /* shift */ {%d, %d}, /* out_shift */ %d, /* left_shift */ %d,\n"
              "            /* zp */ {%d, %d}, /* out_zp */ %d,\n",
              p->multiplier[0], p->multiplier[1], p->out_multiplier, p->shift[0], p->shift[1],
              p->out_shift, p->left_shift, p->zp[0], p->zp[1], p->out_zp);
  LINE(FIELD(low), FIELD(high), FIELD(reserved), FIELD(n));
}
static void emit_pool_s8(struct emitter *m, const void *params) {
  const struct mote_pool_s8 *p = params;
  LINE(FIELD(in_w), FIELD(c), FIELD(out_w), FIELD(kernel_w), FIELD(kernel_h));
  LINE(FIELD(stride_w), FIELD(stride_h), FIELD(pad_left), FIELD(rows_out));
  LINE(FIELD(low), FIELD(high), FIELD(reserved));
}
static void emit_mean_s8(struct emitter *m, const void *params) {
  const struct mote_mean_s8 *p = params;
  LINE(FIELD(multiplier), FIELD(count), FIELD(w), FIELD(c), FIELD(in_zp), FIELD(out_zp));
  LINE(FIELD(low), FIELD(high), FIELD(shift), FIELD(divide), FIELD(reserved));
}
static void emit_softmax_s8(struct emitter *m, const void *params) {
  const struct mote_softmax_s8 *p = params;
  LINE(FIELD(multiplier), FIELD(diff_min), FIELD(left_shift), FIELD(reserved));
  LINE(FIELD(rows), FIELD(c), FIELD(reserved2));
}
static void emit_copy(struct emitter *m, const void *params) {
  const struct mote_copy *p = params;
  LINE(FIELD(bytes));
}
static void emit_pad_s8(struct emitter *m, const void *params) {
  const struct mote_pad_s8 *p = params;
  LINE(FIELD(before_bytes), FIELD(row_bytes), FIELD(after_bytes), FIELD(value), FIELD(reserved));
}

/* Parameters of a kernel that has no writer of its own: their words. */
static void emit_words(struct emitter *m, int i) {
  const struct mote_step *s = &m->steps[i];
  text_add(m->out, "           ");
  for (size_t k = 0; k < kernel_params_bytes(s->kernel) / 4; k++) {
    text_add(m->out, k > 0 ? ", " : " ");
    number(m->out, m->c->plan + s->params + 4 * k, MOTE_UINT32);
  }
  text_add(m->out, "\n");
}

/* Whether the parameters are written member by member. */
static bool has_writer(unsigned kernel) {
  return kernel <= MOTE_KERNEL_pad_s8 || kernel == MOTE_KERNEL_conv2d_triples_s8 ||
         kernel - MOTE_KERNEL_conv2d_stairs_s8 < 6 || /* to depthwise_stairs_tables_s8 */
         kernel - MOTE_KERNEL_conv2d_stairs_high_s8 < 2 || kernel == MOTE_KERNEL_conv2d_s4 ||
         kernel == MOTE_KERNEL_fully_connected_s4 ||
         kernel == MOTE_KERNEL_fully_connected_pairs_s8 ||
         kernel == MOTE_KERNEL_fully_connected_wide_s8 ||
         kernel == MOTE_KERNEL_fully_connected_lanes_s8 ||
         kernel == MOTE_KERNEL_fully_connected_lanes_s4;
}

static void emit_params(struct emitter *m, int i) {
  const struct compile_step *step = &m->c->steps[i];
  const void *p = m->c->plan + m->steps[i].params;
  switch (m->steps[i].kernel) {
  case MOTE_KERNEL_conv2d_s4:
  case MOTE_KERNEL_conv2d_wide_s8:
  case MOTE_KERNEL_conv2d_s8: emit_conv2d_s8(m, step, p); break;
  case MOTE_KERNEL_conv2d_tiles_s8:
  case MOTE_KERNEL_conv2d_stairs_words_s8:
  case MOTE_KERNEL_conv2d_stairs_high_s8:
  case MOTE_KERNEL_conv2d_stairs_s8:
  case MOTE_KERNEL_conv2d_triples_s8: emit_conv2d_triples_s8(m, step, p); break;
  case MOTE_KERNEL_depthwise_stairs_s8:
  case MOTE_KERNEL_depthwise_stairs_tables_s8:
  case MOTE_KERNEL_depthwise_stairs_high_s8:
  case MOTE_KERNEL_depthwise_conv2d_s8: emit_depthwise_conv2d_s8(m, step, p); break;
  case MOTE_KERNEL_fully_connected_s4:
  case MOTE_KERNEL_fully_connected_lanes_s4:
  case MOTE_KERNEL_fully_connected_pairs_s8:
  case MOTE_KERNEL_fully_connected_wide_s8:
  case MOTE_KERNEL_fully_connected_lanes_s8:
  case MOTE_KERNEL_fully_connected_s8: emit_fully_connected_s8(m, step, p); break;
  case MOTE_KERNEL_add_s8: emit_add_s8(m, p); break;
  case MOTE_KERNEL_average_pool_s8:
  case MOTE_KERNEL_max_pool_s8: emit_pool_s8(m, p); break;
  case MOTE_KERNEL_mean_s8: emit_mean_s8(m, p); break;
  case MOTE_KERNEL_softmax_s8: emit_softmax_s8(m, p); break;
  case MOTE_KERNEL_copy: emit_copy(m, p); break;
  case MOTE_KERNEL_pad_s8: emit_pad_s8(m, p); break;
  default: emit_words(m, i); break;
  }
}

/* ---- the constants ------------------------------------------------------------------ */

/* The structure's name of a kernel's parameters. */
static const char *params_type(unsigned kernel) {
  switch (kernel) {
#define KERNEL(stem, params)                                                                       \
  case MOTE_KERNEL_##stem:                                                                         \
    return #params;
#include "mote/nn/kernels.def"
#undef KERNEL
  default: return "?";
  }
}

static void emit_block_type(struct emitter *m, int i) {
  struct text *t = m->out;
  const struct mote_step *s = &m->steps[i];
  const struct parts parts = parts_of(m, i);
  step_comment(m, i, "");
  text_printf(t, "struct %s_%s {\n", m->name, m->c->steps[i].name);
  if (has_writer(s->kernel))
    text_printf(t, "  struct %s params;\n", params_type(s->kernel));
  else
    text_printf(t, "  uint32_t params[%zu]; /* struct %s */\n", kernel_params_bytes(s->kernel) / 4,
                params_type(s->kernel));
  for (int k = 0; k < parts_count(&parts); k++) {
    const struct compile_part *part = part_at(&parts, k);
    const uint8_t *bytes = m->c->plan + s->params + part->offset;
    text_printf(t, "  %s %s[%zu];\n", c_type(written_type(bytes, part->count, part->type)),
                part->name, part->count);
  }
  text_add(t, "};\n\n");
}

static void member(struct text *t, const char *type, const char *name, unsigned n) {
  if (n > 0) text_printf(t, "  %s %s[%u];\n", type, name, n);
}

/* Where the blocks of the steps end; a plan of views alone has none, and they would stand behind the last table. */
static size_t blocks_end(const struct emitter *m) {
  const struct mote_step *last = &m->steps[m->plan->n_steps - 1];
  return m->plan->n_steps > 0 ? last->params + last->params_bytes
                              : m->plan->outputs + m->plan->n_outputs * sizeof *m->outputs;
}

/* Bytes between the last block and the first constant. */
static size_t gap_of(const struct emitter *m) {
  return m->c->n_constants > 0 ? m->c->constants[0].offset - blocks_end(m) : 0;
}

/* What lies in the plan behind its blocks: as described, or, where a file did not tell, words. */
static struct compile_part tail_of(const struct emitter *m) {
  const size_t end = blocks_end(m);
  return (struct compile_part){"data", MOTE_UINT32, end,
                               m->c->n_constants > 0 ? 0 : (m->plan->bytes - end) / 4};
}

/* Bytes left free before the block of a step, whose weights lie in whole lines of a cache (host/compile/plan.c). */
static size_t hole_before(const struct emitter *m, int i) {
  const size_t tables = m->plan->outputs + m->plan->n_outputs * sizeof *m->outputs;
  const size_t end = i > 0 ? m->steps[i - 1].params + m->steps[i - 1].params_bytes : tables;
  return m->steps[i].params - end;
}
static bool has_holes(const struct emitter *m) {
  int i = 0;
  while (i < m->plan->n_steps && hole_before(m, i) == 0) i++;
  return i < m->plan->n_steps;
}

/* Bytes of the slots of pools, which stand behind the header. */
static unsigned slots_of(const struct emitter *m) {
  return m->plan->tensors - (unsigned)sizeof *m->plan;
}

static void emit_types(struct emitter *m) {
  struct text *t = m->out;
  const struct mote_plan *p = m->plan;
  const struct compile_part tail = tail_of(m);
  for (int i = 0; i < p->n_steps; i++) emit_block_type(m, i);
  text_printf(t, "struct %s_%s {\n  struct mote_plan plan;\n", m->name, m->tables);
  member(t, "uint8_t", "slots", slots_of(m));
  member(t, "struct mote_tensor", "tensors", p->n_tensors);
  member(t, "struct mote_edge", "edges", p->n_edges);
  member(t, "struct mote_step", "steps", p->n_steps);
  member(t, "struct mote_segment", "segments", p->n_segments);
  member(t, "struct mote_variable", "variables", p->n_variables);
  member(t, "struct mote_port", "inputs", p->n_inputs);
  member(t, "struct mote_port", "outputs", p->n_outputs);
  if (m->line) text_printf(t, "};\n\nstruct %s_constants {\n", m->name);
  for (int i = 0; i < p->n_steps; i++) {
    member(t, "uint32_t", arena_printf(t->arena, "hole%d", i), (unsigned)(hole_before(m, i) / 4));
    text_printf(t, "  struct %s_%s %s;\n", m->name, m->c->steps[i].name, m->c->steps[i].name);
  }
  member(t, "uint32_t", "gap", (unsigned)(gap_of(m) / 4));
  for (int i = 0; i < m->c->n_constants; i++) {
    const struct compile_part *part = &m->c->constants[i];
    const enum mote_type type = written_type(m->c->plan + part->offset, part->count, part->type);
    member(t, c_type(type), part->name, (unsigned)part->count);
  }
  member(t, "uint32_t", tail.name, (unsigned)tail.count);
  text_add(t, "};\n\n");
}

static void emit_asserts(struct emitter *m) {
  struct text *t = m->out;
  const char *const version = "typedef char %s_version[MOTE_PLAN_VERSION == %u ? 1 : -1]; "
                              "/* else: emit it again */\n";
  if (m->line) {
    text_printf(t, version, m->name, m->plan->version);
    text_add(t, "\n");
    return;
  }
  text_printf(
      t,
      "/* The members lie as in the image that was proven: no compiler may pad them otherwise. */\n"
      "#define AT(member, offset) typedef char %s_##member##_at[offsetof(struct "
      "%s_constants, member) == (offset) ? 1 : -1]\n",
      m->name, m->name);
  text_printf(t, "AT(tensors, %u);\n", m->plan->tensors);
  if (m->plan->n_steps > 0)
    text_printf(t, "AT(edges, %u);\nAT(steps, %u);\nAT(segments, %u);\n", m->plan->edges,
                m->plan->steps, m->plan->segments);
  if (m->plan->n_variables > 0) text_printf(t, "AT(variables, %u);\n", m->plan->variables);
  text_printf(t, "AT(inputs, %u);\nAT(outputs, %u);\n", m->plan->inputs, m->plan->outputs);
  for (int i = 0; i < m->plan->n_steps; i++)
    text_printf(t, "AT(%s, %u);\n", m->c->steps[i].name, m->steps[i].params);
  for (int i = 0; i < m->c->n_constants; i++)
    text_printf(t, "AT(%s, %zu);\n", m->c->constants[i].name, m->c->constants[i].offset);
  text_printf(t, version, m->name, m->plan->version);
  text_printf(t, "#undef AT\ntypedef char %s_size[sizeof(struct %s_constants) == %u ? 1 : -1];\n\n",
              m->name, m->name, m->plan->bytes);
}

/* Where a table lies; one that is empty is no member. */
static void table_field(struct emitter *m, const char *name, unsigned n, uint32_t at) {
  line(m);
  if (n > 0)
    named(m, name,
          arena_printf(m->out->arena, "offsetof(struct %s_%s, %s)", m->name, m->tables, name));
  else
    field(m, name, m->line ? 0 : at);
  text_add(m->out, "\n");
}

static void emit_plan(struct emitter *m) {
  struct text *t = m->out;
  const struct mote_plan *p = m->plan;
  text_add(t, "    { /* plan */\n");
  LINE(named(m, "magic", "MOTE_PLAN_MAGIC"), FIELD(version), FIELD(zero), FIELD(pointer_bytes));
  LINE(named(m, "bytes", arena_printf(t->arena, "sizeof(struct %s_%s)", m->name, m->tables)));
  LINE(named(m, "crc32", "0"), FIELD(arena_bytes), FIELD(scratch));
  table_field(m, "tensors", p->n_tensors, p->tensors);
  table_field(m, "edges", p->n_edges, p->edges);
  table_field(m, "steps", p->n_steps, p->steps);
  table_field(m, "segments", p->n_segments, p->segments);
  table_field(m, "variables", p->n_variables, p->variables);
  table_field(m, "inputs", p->n_inputs, p->inputs);
  table_field(m, "outputs", p->n_outputs, p->outputs);
  LINE(FIELD(n_tensors), FIELD(n_edges), FIELD(n_steps), FIELD(n_segments), FIELD(n_variables));
  LINE(FIELD(n_inputs), FIELD(n_outputs), FIELD(max_rows), FIELD(fed_rows), FIELD(reserved));
  text_add(t, "    },\n");
}

static void emit_tensors(struct emitter *m) {
  struct text *t = m->out;
  text_add(
      t,
      "    /* offset in the arena, bytes of a row, rows in all, rows held at a time, where row 0 "
      "lies among them,\n     * where its slots stand in words of the plan */\n"
      "    { /* tensors */\n");
  for (int i = 0; i < m->plan->n_tensors; i++) {
    const struct mote_tensor *x = &m->tensors[i];
    const uint32_t offset = x->offset & ~3u;
    const bool constant = (x->offset & MOTE_CONSTANT) != 0;
    const char *name = NULL;
    for (int k = 0; k < m->c->n_constants && constant; k++)
      if (m->c->constants[k].offset == offset) name = m->c->constants[k].name;
    text_add(t, "        {");
    if (name != NULL)
      text_printf(t, "offsetof(struct %s_constants, %s) + MOTE_CONSTANT", m->name, name);
    else
      text_printf(t, "%u%s", offset,
                  constant                           ? " + MOTE_CONSTANT"
                  : (x->offset & MOTE_VARIABLE) != 0 ? " + MOTE_VARIABLE"
                                                     : "");
    text_printf(t, ", %u, %u, %u, %u, %u},%s\n", x->row_bytes, x->rows, x->ring_rows, x->shift,
                x->slots,
                x->slots != 0            ? " /* pool */"
                : x->ring_rows < x->rows ? " /* ring */"
                                         : "");
  }
  text_add(t, "    },\n");
}

static void emit_edges(struct emitter *m) {
  struct text *t = m->out;
  text_add(t, "    /* tensor, first row, rows of a call, rows from call to call, dilation, steps "
              "back to its "
              "maker */\n    { /* edges */\n");
  for (int i = 0; i < m->plan->n_edges; i++) {
    const struct mote_edge *e = &m->edges[i];
    text_printf(t, "        {%u, %d, %u, %u, %u, ", e->tensor, e->first, e->rows, e->advance,
                e->dilation);
    text_printf(t, e->maker == MOTE_FED ? "MOTE_FED},\n" : "%u},\n", e->maker);
  }
  text_add(t, "    },\n");
}

static bool uses(const struct emitter *m, unsigned kernel) {
  int i = 0;
  while (i < m->plan->n_steps && m->steps[i].kernel != kernel) i++;
  return i < m->plan->n_steps;
}

/* Its place in the table of the kernels that are used. */
static unsigned place_of_kernel(const struct emitter *m, unsigned kernel) {
  unsigned place = 0;
  for (unsigned k = 0; k < kernel; k++) place += uses(m, k);
  return place;
}

static void emit_steps(struct emitter *m) {
  struct text *t = m->out;
  text_add(t, "    { /* steps */\n");
  for (int i = 0; i < m->plan->n_steps; i++) {
    const struct mote_step *p = &m->steps[i];
    const char *name = m->c->steps[i].name;
    text_add(t, "        {\n");
    LINE(named(m, arena_printf(t->arena, "kernel %s", kernel_stem(p->kernel)),
               arena_printf(t->arena, "%u", place_of_kernel(m, p->kernel))),
         FIELD(source_op));
    LINE(named(m, "params",
               m->line
                   ? "0"
                   : arena_printf(t->arena, "offsetof(struct %s_constants, %s)", m->name, name)));
    LINE(named(m, "params_bytes",
               m->line ? "0" : arena_printf(t->arena, "sizeof(struct %s_%s)", m->name, name)));
    LINE(FIELD(state), FIELD(state_bytes), FIELD(calls), FIELD(rows_out));
    LINE(FIELD(output), FIELD(edges), FIELD(reader), FIELD(n_in), FIELD(n_out));
    text_add(t, "        },\n");
  }
  text_add(t, "    },\n");
}

static void emit_segments(struct emitter *m) {
  text_add(m->out, "    /* steps, jump, counters */\n    { /* segments */");
  for (int i = 0; i < m->plan->n_segments; i++) {
    const struct mote_segment *s = &m->segments[i];
    text_printf(m->out, "%s{%u, %u, %u},", i % 6 == 0 ? "\n        " : " ", s->steps, s->jump,
                s->counters);
  }
  text_add(m->out, "\n    },\n");
}

static void emit_variables(struct emitter *m) {
  text_add(m->out, "    /* tensor, fill, repeats, value */\n    { /* variables */\n");
  for (int i = 0; i < m->plan->n_variables; i++) {
    const struct mote_variable *v = &m->variables[i];
    text_printf(m->out, "        {%u, %u, %u, %u},\n", v->tensor, v->fill, v->repeats, v->value);
  }
  text_add(m->out, "    },\n");
}

static void emit_ports(struct emitter *m, const char *member, const struct mote_port *ports,
                       unsigned n) {
  struct text *t = m->out;
  text_printf(t, "    /* tensor, type, rank, dims, scale, zp */\n    { /* %s */\n", member);
  for (unsigned i = 0; i < n; i++) {
    static const char *const types[MOTE_TYPE_COUNT] = {"MOTE_INT8",  "MOTE_UINT8",   "MOTE_INT16",
                                                       "MOTE_INT32", "MOTE_FLOAT32", "MOTE_BOOL",
                                                       "MOTE_INT64", "MOTE_UINT32",  "MOTE_UINT64"};
    text_printf(t, "        {%u, %s, %u, {", ports[i].tensor, types[ports[i].type], ports[i].rank);
    for (int d = 0; d < MOTE_MAX_RANK; d++)
      text_printf(t, "%s%d", d > 0 ? ", " : "", ports[i].dims[d]);
    text_add(t, "}, ");
    float_literal(t, ports[i].scale);
    text_printf(t, ", %d},\n", ports[i].zp);
  }
  text_add(t, "    },\n");
}

static void emit_array(struct emitter *m, const char *indent, const struct compile_part *part,
                       const uint8_t *bytes) {
  text_printf(m->out, "%s{ /* %s */", indent, part->name);
  numbers(m->out, bytes, part->count, written_type(bytes, part->count, part->type));
  text_add(m->out, "},\n");
}

static void emit_block(struct emitter *m, int i) {
  struct text *t = m->out;
  const struct parts parts = parts_of(m, i);
  const uint8_t *block = m->c->plan + m->steps[i].params;
  step_comment(m, i, "    ");
  text_printf(t, "    { /* %s */\n        { /* params */\n", m->c->steps[i].name);
  emit_params(m, i);
  text_add(t, "        },\n");
  for (int k = 0; k < parts_count(&parts); k++) {
    const struct compile_part *part = part_at(&parts, k);
    emit_array(m, "        ", part, block + part->offset);
  }
  text_add(t, "    },\n");
}

static void emit_constants(struct emitter *m) {
  const struct compile_part tail = tail_of(m);
  if (gap_of(m) > 0) text_add(m->out, "    {0}, /* gap */\n");
  for (int i = 0; i < m->c->n_constants; i++)
    emit_array(m, "    ", &m->c->constants[i], m->c->plan + m->c->constants[i].offset);
  if (tail.count > 0) emit_array(m, "    ", &tail, m->c->plan + tail.offset);
}

/* "__<form>" where all steps of a kernel have the same form (mote/nn/nn.h), else "". */
static const char *form_of(const struct emitter *m, unsigned kernel) {
  unsigned forms = 0;
  const char *name = "";
  for (int i = 0; i < m->plan->n_steps; i++) {
    const void *params = m->c->plan + m->steps[i].params;
    if (m->steps[i].kernel != kernel) continue;
    if (kernel == MOTE_KERNEL_conv2d_s8) forms |= 1u << mote_conv2d_s8_form(params);
    if (kernel == MOTE_KERNEL_conv2d_s4) forms |= 1u << mote_conv2d_s4_form(params);
    if (kernel == MOTE_KERNEL_depthwise_conv2d_s8)
      forms |= 1u << mote_depthwise_conv2d_s8_form(params);
    if (kernel == MOTE_KERNEL_fully_connected_s8)
      forms |= 1u << mote_fully_connected_s8_form(params);
    if (kernel == MOTE_KERNEL_mean_s8) forms |= 1u << mote_mean_s8_form(params);
  }
  /* What is not __above takes what is; __patch takes whole windows as well. */
  if (kernel == MOTE_KERNEL_conv2d_s8) {
    if (forms & 7) forms = (forms | forms >> 3) & 7;
    if (forms == 5 || forms == 5 << 3) forms &= ~4u & ~(4u << 3);
  }
  if (kernel == MOTE_KERNEL_depthwise_conv2d_s8 && forms == (1u << 1 | 1u << 3)) forms = 1u << 1;
#define X(stem, params, number, form)                                                              \
  if (kernel == MOTE_KERNEL_##stem && forms == 1u << (number)) name = "__" #form;
  MOTE_NN_FORMS(X)
#undef X
  return name;
}

static void emit_kernels(struct emitter *m) {
  struct text *t = m->out;
  text_printf(t, "/* Only what this model uses: the linker drops all else. */\n"
                 "static const struct mote_kernel *const mote_kernels[] = {\n");
  for (unsigned kernel = 0; kernel < MOTE_KERNEL_COUNT; kernel++)
    if (uses(m, kernel))
      text_printf(t, "    &mote_kernel_%s%s,\n", kernel_stem(kernel), form_of(m, kernel));
  if (m->plan->n_steps == 0) text_add(t, "    0,\n");
  text_add(t, "};\n\n");
}

static void emit_line(struct emitter *m) {
  struct text *t = m->out;
  text_add(
      t,
      "/* kernel, parameters, their bytes, words of the arena: state, output, inputs or a further "
      "output */\nstatic const struct mote_line MOTE_ROM mote_line[] = {\n");
  for (int i = 0; i < m->plan->n_steps; i++) {
    const struct mote_step *s = &m->steps[i];
    const struct mote_edge *e = &m->edges[s->edges];
    const int n = s->n_in + s->n_out - 1;
    uint32_t edges[MOTE_LINE_EDGES] = {0};
    for (int k = 0; k < n; k++) edges[k] = m->tensors[e[k].tensor].offset / 4;
    text_printf(t,
                "    MOTE_LINE(&mote_kernel_%s%s, &mote_constants.%s,\n"
                "              sizeof(struct %s_%s), %u, %u, %u, %u),\n",
                kernel_stem(s->kernel), form_of(m, s->kernel), m->c->steps[i].name, m->name,
                m->c->steps[i].name, s->state / 4, m->tensors[s->output].offset / 4, edges[0],
                edges[1]);
  }
  text_add(t, "};\n\n");
}

/* Declares what runs the model, or defines it. */
static void emit_run(struct emitter *m, bool define) {
  struct text *t = m->out;
  if (m->plan->fed_rows == 0) {
    if (define && m->line)
      text_printf(t, "void %s_run(void) { mote_run_line(&%s_model, mote_line, %u); }\n", m->name,
                  m->name, m->plan->n_steps);
    else if (define)
      text_printf(t, "void %s_run(void) { mote_run(&%s_model); }\n", m->name, m->name);
    else
      text_printf(t, "/* One inference. */\nvoid %s_run(void);\n\n", m->name);
    return;
  }
  if (define)
    text_printf(t, "int %s_feed_row(const void *row) { return mote_feed_row(&%s_model, row); }\n",
                m->name, m->name);
  else
    text_printf(t,
                "/* Takes the next of the rows of input 0, and computes what has become possible. "
                "Returns 1 "
                "with the\n * last: the outputs stand then, until the next row is fed. */\n"
                "int %s_feed_row(const void *row);\n#define %s_INPUT_0_ROWS %u\n"
                "#define %s_INPUT_0_ROW_BYTES (%s_INPUT_0_BYTES / %s_INPUT_0_ROWS)\n\n",
                m->name, m->upper, m->plan->fed_rows, m->upper, m->upper, m->upper);
}

static void emit_head(struct emitter *m, const char *what) {
  text_printf(m->out, "/* %s: %s, compiled from ", m->name, what);
  plain(m->out, file_of(m->c->source->name));
  text_printf(m->out,
              ".\n * %s MAC, %s bytes of weights, %s bytes of arena. Generated: do not edit. */\n",
              text_thousands(m->c->macs), text_thousands((int64_t)m->c->flash_weight_bytes),
              text_thousands((int64_t)m->c->arena_bytes));
}

/* The plan's tables. */
static void emit_tables(struct emitter *m) {
  const struct compile_part slots = {"slots", MOTE_UINT8, sizeof *m->plan, slots_of(m)};
  emit_plan(m);
  if (slots.count > 0) emit_array(m, "    ", &slots, m->c->plan + slots.offset);
  emit_tensors(m);
  if (m->plan->n_edges > 0) emit_edges(m);
  if (m->plan->n_steps > 0) emit_steps(m);
  if (m->plan->n_segments > 0) emit_segments(m);
  if (m->plan->n_variables > 0) emit_variables(m);
  emit_ports(m, "inputs", m->inputs, m->plan->n_inputs);
  emit_ports(m, "outputs", m->outputs, m->plan->n_outputs);
}

static void emit_blocks(struct emitter *m) {
  for (int i = 0; i < m->plan->n_steps; i++) {
    if (hole_before(m, i) > 0) text_add(m->out, "    {0}, /* hole */\n");
    emit_block(m, i);
  }
}

static void emit_objects(struct emitter *m) {
  struct text *t = m->out;
  text_printf(t,
              "static const struct %s_constants MOTE_ROM mote_constants "
              "__attribute__((aligned(%d))) = {\n",
              m->name, has_holes(m) ? 64 : 8);
  if (!m->line) emit_tables(m);
  emit_blocks(m);
  if (!m->line) emit_constants(m);
  text_add(t, "};\n\n");
  if (!m->line) {
    emit_kernels(m);
    return;
  }
  emit_line(m);
  text_printf(t,
              "/* What a profiler may want to know; nothing else reads it, so the linker drops it "
              "elsewhere. Kernels are\n * numbered as this program has them, and blocks stand "
              "above. */\nstatic const struct %s_%s MOTE_ROM mote_profile = {\n",
              m->name, m->tables);
  emit_tables(m);
  text_add(t, "};\n\n");
}

/* Where the inputs or outputs lie, as a function of their number. */
static void emit_place(struct emitter *m, const char *what, const struct mote_port *ports,
                       unsigned n) {
  struct text *t = m->out;
  const char *const constant = what[0] == 'o' ? "const " : "";
  if (what[0] == 'i' && m->plan->fed_rows != 0) {
    text_printf(t, "void *%s_input(unsigned i) { return mote_input(&%s_model, i); }\n\n", m->name,
                m->name);
    return;
  }
  if (n == 1) {
    text_printf(t, "%svoid *%s_%s(unsigned i) {\n  (void)i;\n  return %s_model.arena + %u;\n}\n\n",
                constant, m->name, what, m->name, m->tensors[ports[0].tensor].offset & ~3u);
    return;
  }
  text_printf(t, "static const uint32_t MOTE_ROM mote_%ss[] = {", what);
  for (unsigned i = 0; i < n; i++)
    text_printf(t, "%s%u", i > 0 ? ", " : "", m->tensors[ports[i].tensor].offset & ~3u);
  if (n == 0) text_add(t, "0");
  text_printf(t, "};\n%svoid *%s_%s(unsigned i) { return %s_model.arena + mote_%ss[i]; }\n\n",
              constant, m->name, what, m->name, what);
}

static void emit_open(struct emitter *m) {
  struct text *t = m->out;
  text_printf(t, "int %s_init(void *arena, size_t n) {\n  return ", m->name);
  if (m->line)
    text_printf(t, "mote_bind(&%s_model, NULL, NULL, arena, n, %s_ARENA_BYTES);\n", m->name,
                m->upper);
  else if (m->plan->n_variables == 0)
    text_printf(t,
                "mote_bind(&%s_model, &mote_constants.plan, mote_kernels, arena, n,\n"
                "                   mote_arena_bytes(&mote_constants.plan));\n",
                m->name);
  else
    text_printf(t, "mote_init(&%s_model, &mote_constants.plan, mote_kernels, arena, n);\n",
                m->name);
  text_add(t, "}\n\n");
}

static void emit_source(struct emitter *m, const char *header_file) {
  struct text *t = m->out;
  emit_head(m, "the plan and constants of a neural network");
  text_printf(t, "#include \"%s\"\n\n#include <stddef.h>\n\n", header_file);
  emit_types(m);
  emit_asserts(m);
  emit_objects(m);
  text_printf(t,
              "const struct mote_plan MOTE_ROM *const MOTE_ROM %s_plan = &mote_%s.plan;\n"
              "struct mote_model %s_model;\n\n",
              m->name, m->line ? "profile" : "constants", m->name);
  emit_open(m);
  emit_place(m, "input", m->inputs, m->plan->n_inputs);
  emit_place(m, "output", m->outputs, m->plan->n_outputs);
  emit_run(m, true);
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
  text_add(t, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
  text_printf(
      t,
      "\n/* Takes %s_ARENA_BYTES of memory, aligned to 8. Returns 0, or a negative mote_status. "
      "*/\n"
      "int %s_init(void *arena, size_t n);\n\n"
      "/* The same with memory of its own, which %s_arena.c holds: leave that file out where the "
      "arena is yours. */\n"
      "int %s_init_static(void);\n\n"
      "/* Where input or output i lies. Inputs must be written before each run. */\n"
      "void *%s_input(unsigned i);\nconst void *%s_output(unsigned i);\n\n",
      m->upper, m->name, m->name, m->name, m->name, m->name);
  emit_run(m, false);
  text_printf(
      t,
      "/* For profilers: the plan, and the open model, whose hook may be set after %s_init. Where\n"
      " * loads do not reach the flash, C++ has no word for the memory of the plan and its "
      "pointer.\n"
      " * Kernels are numbered as this program has them, so the plan's checksum is left out: it is "
      "0. */\n"
      "#if !(MOTE_ROM_APART && defined __cplusplus)\n"
      "extern const struct mote_plan MOTE_ROM *const MOTE_ROM %s_plan;\n"
      "#endif\n"
      "extern struct mote_model %s_model;\n\n"
      "#ifdef __cplusplus\n}\n#endif\n#endif\n",
      m->name, m->name, m->name);
}

static bool is_identifier(const char *s) {
  if (!isalpha((unsigned char)*s) && *s != '_') return false;
  for (; *s != 0; s++)
    if (!isalnum((unsigned char)*s) && *s != '_') return false;
  return true;
}

/* Names of the runtime itself would meet it in the linker. */
static bool check_name(const char *name, struct err *e) {
  if (!is_identifier(name))
    return err_set(e, "'%s' is no name in C: letters, digits and _ are", name);
  if (strcmp(name, "mote") == 0 || text_starts(name, "mote_"))
    return err_set(e, "'%s' is a name of the runtime's own: take another", name);
  return true;
}

static const char *upper_of(struct arena *a, const char *name) {
  char *upper = arena_strdup(a, name);
  for (char *u = upper; *u != 0; u++) *u = (char)toupper((unsigned char)*u);
  return upper;
}

bool compile_emit_c(const struct compiled *c, const char *name, const char *header_file,
                    struct text *header, struct text *source, struct err *e) {
  struct emitter m = {.c = c, .name = name};
  if (!check_name(name, e)) return false;
  open_plan(&m);
  m.line = is_line(&m);
  m.tables = m.line ? "profile" : "constants";
  m.upper = upper_of(header->arena, name);
  m.out = header;
  emit_header(&m);
  m.out = source;
  emit_source(&m, header_file);
  return true;
}

bool compile_emit_arena(const struct compiled *c, const char *name, const char *header_file,
                        struct text *source, struct err *e) {
  struct emitter m = {.c = c, .name = name, .out = source};
  if (!check_name(name, e)) return false;
  const char *upper = upper_of(source->arena, name);
  emit_head(&m, "memory of its own for a neural network");
  text_printf(source,
              "#include \"%s\"\n\n"
              "/* Where the memory lies: an attribute, as -D%s_ARENA_ATTRIBUTE="
              "'__attribute__((section(\".ram2\")))'; MOTE_ARENA_ATTRIBUTE is for all models. */\n"
              "#ifndef %s_ARENA_ATTRIBUTE\n#ifdef MOTE_ARENA_ATTRIBUTE\n"
              "#define %s_ARENA_ATTRIBUTE MOTE_ARENA_ATTRIBUTE\n#else\n"
              "#define %s_ARENA_ATTRIBUTE\n#endif\n#endif\n\n"
              "static uint8_t arena[%s_ARENA_BYTES] __attribute__((aligned(8))) "
              "%s_ARENA_ATTRIBUTE;\n\n"
              "int %s_init_static(void) { return %s_init(arena, sizeof arena); }\n",
              header_file, upper, upper, upper, upper, upper, upper, name, name);
  return true;
}
