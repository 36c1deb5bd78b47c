/* graph: as text and back: what people read, and the form of the passes' tests. See graph.h.
 *
 *   inputs t0
 *   outputs t3
 *   t0 "x" int8 [1,3] scale=0.5 zp=-1
 *   t1 "w" int8 [2,3] scale=0.1,0.2 axis=0 values=1,2,3,-4,5,6
 *   t2 "b" int32 [2] values=7,-8
 *   t3 "y" int8 [1,2] scale=1 zp=0
 *   n0 FULLY_CONNECTED(t0, t1, t2) -> t3 activation=RELU source=7
 *
 * Tensors and nodes come in the order of their numbers. After "values=" a list that is too short repeats. A line that
 * begins with '#' and an empty one are comments. */
#include "host/graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- printing -------------------------------------------------------------- */
static const char *const activation_names[] = {"NONE",  "RELU", "RELU_N1_TO_1",
                                               "RELU6", "TANH", "SIGN_BIT"};

/* Scales and zero points; those of many channels that all have zero point 0 as a list of scales. */
static void print_quant(const struct graph_quant *q, struct text *out) {
  bool zero = true;
  if (q->count == 0) return;
  text_add(out, " scale=");
  for (int i = 0; i < q->count; i++) {
    text_printf(out, i ? ",%.9g" : "%.9g", (double)q->scale[i]);
    zero = zero && q->zp[i] == 0;
  }
  if (q->count == 1 || !zero) text_add(out, " zp=");
  for (int i = 0; i < q->count && (q->count == 1 || !zero); i++)
    text_printf(out, i ? ",%d" : "%d", q->zp[i]);
  if (q->count > 1) text_printf(out, " axis=%d", q->axis);
}

static void print_element(const struct graph_tensor *t, int64_t i, struct text *out) {
  const uint8_t *at = (const uint8_t *)t->data + (size_t)i * mote_type_bytes((int)t->type);
  float real;
  int64_t value = 0;
  memcpy(&value, at, mote_type_bytes((int)t->type));
  switch (t->type) {
  case MOTE_FLOAT32:
    memcpy(&real, at, sizeof real);
    text_printf(out, "%.9g", (double)real);
    return;
  case MOTE_INT8: value = (int8_t)value; break;
  case MOTE_INT16: value = (int16_t)value; break;
  case MOTE_INT32: value = (int32_t)value; break;
  default: break;
  }
  text_printf(out, "%" PRId64, value);
}

/* Small constants with their numbers, large ones by their checksum. */
#define PRINT_MOST 64
static void print_constant(const struct graph_tensor *t, struct text *out) {
  const int64_t n = graph_elements(t);
  if (n > PRINT_MOST) {
    text_printf(out, " constant=%zu crc32=%08" PRIx32, graph_bytes(t),
                mote_crc32(0, t->data, graph_bytes(t)));
    return;
  }
  text_add(out, " values=");
  for (int64_t i = 0; i < n; i++) {
    if (i) text_add(out, ",");
    print_element(t, i, out);
  }
}

static void print_tensor(const struct graph *g, int index, struct text *out) {
  const struct graph_tensor *t = &g->tensors[index];
  text_printf(out, "t%d \"%s\" %s [", index, t->name ? t->name : "", mote_type_name((int)t->type));
  for (int i = 0; i < t->rank && i < GRAPH_MAX_RANK; i++)
    text_printf(out, i ? ",%d" : "%d", t->dims[i]);
  text_add(out, "]");
  print_quant(&t->quant, out);
  if (t->is_state) text_add(out, " state");
  if (t->variable > 0) text_printf(out, " variable=%d", t->variable);
  if (t->data) print_constant(t, out);
  text_add(out, "\n");
}

static void print_attr_list(const char *name, const int32_t *list, struct text *out) {
  int n = GRAPH_MAX_RANK;
  while (n > 0 && list[n - 1] == 0) n--;
  if (n == 0) return;
  text_printf(out, " %s=", name);
  for (int i = 0; i < n; i++) text_printf(out, i ? ",%d" : "%d", list[i]);
}

/* Those that are not zero. */
static void print_attrs(const struct graph_attrs *a, struct text *out) {
#define INT(name)                                                                                  \
  if (a->name != 0) text_printf(out, " " #name "=%d", a->name);
#define REAL(name)                                                                                 \
  if (a->name < 0 || a->name > 0) text_printf(out, " " #name "=%.9g", (double)a->name);
#define FLAG(name)                                                                                 \
  if (a->name) text_add(out, " " #name);
#define LIST(name) print_attr_list(#name, a->name, out);
  GRAPH_ATTRS(INT, REAL, FLAG, LIST)
#undef INT
#undef REAL
#undef FLAG
#undef LIST
  if (a->activation > GRAPH_ACT_NONE && a->activation <= GRAPH_ACT_SIGN_BIT)
    text_printf(out, " activation=%s", activation_names[a->activation]);
}

static void print_node(const struct graph *g, int index, struct text *out) {
  const struct graph_node *n = &g->nodes[index];
  text_printf(out, "n%d %s(", index, mote_op_name((int)n->op));
  for (int i = 0; i < n->n_in && i < GRAPH_MAX_IN; i++) {
    if (i) text_add(out, ", ");
    if (n->in[i] < 0)
      text_add(out, "-");
    else
      text_printf(out, "t%d", n->in[i]);
  }
  text_add(out, ") ->");
  for (int i = 0; i < n->n_out && i < GRAPH_MAX_OUT; i++)
    text_printf(out, i ? ", t%d" : " t%d", n->out[i]);
  print_attrs(&n->attrs, out);
  if (n->source_op >= 0) text_printf(out, " source=%d", n->source_op);
  text_add(out, "\n");
}

static void print_list(const char *what, const int *list, int n, struct text *out) {
  text_add(out, what);
  for (int i = 0; i < n; i++) text_printf(out, " t%d", list[i]);
  text_add(out, "\n");
}

void graph_print(const struct graph *g, struct text *out) {
  print_list("inputs", g->inputs, g->n_inputs, out);
  print_list("outputs", g->outputs, g->n_outputs, out);
  for (int i = 0; i < g->n_tensors; i++) print_tensor(g, i, out);
  for (int i = 0; i < g->n_nodes; i++) {
    print_node(g, i, out);
    for (int k = 0; k < GRAPH_BODIES; k++) {
      if (g->nodes[i].body[k] == NULL) continue;
      text_printf(out, "body %d of n%d {\n", k, i);
      graph_print(g->nodes[i].body[k], out);
      text_add(out, "}\n");
    }
  }
}

/* ---- parsing --------------------------------------------------------------- */
struct parse {
  struct graph *g;
  struct err *e;
  const char *at; /* in the line */
  int line;
};

static bool parse_error(struct parse *p, const char *what) {
  err_node(p->e, "line %d", p->line);
  return err_set(p->e, "%s expected at \"%.40s\"", what, p->at);
}

static void skip_spaces(struct parse *p) {
  while (*p->at == ' ' || *p->at == ',') p->at++;
}

/* Steps over `word` where it stands here. */
static bool take_word(struct parse *p, const char *word) {
  if (!text_starts(p->at, word)) return false;
  p->at += strlen(word);
  return true;
}

static bool parse_int(struct parse *p, int64_t low, int64_t high, int64_t *out) {
  char *end;
  const long long v = strtoll(p->at, &end, 10);
  if (end == p->at || v < low || v > high) return parse_error(p, "a number in range");
  p->at = end;
  *out = v;
  return true;
}

static bool parse_real(struct parse *p, double *out) {
  char *end;
  *out = strtod(p->at, &end);
  if (end == p->at) return parse_error(p, "a number");
  p->at = end;
  return true;
}

/* "1,2,3" as doubles, which hold every int32 and float. */
static bool parse_list(struct parse *p, double *list, int most, int *n) {
  *n = 0;
  do {
    if (*n == most) return parse_error(p, "a shorter list");
    if (!parse_real(p, &list[(*n)++])) return false;
  } while (take_word(p, ","));
  return true;
}

static bool parse_tensor_number(struct parse *p, int *out) {
  int64_t v;
  if (!take_word(p, "t") || !parse_int(p, 0, INT32_MAX, &v)) return parse_error(p, "a tensor");
  *out = (int)v;
  return true;
}

static bool parse_tensor_list(struct parse *p, int *list, int most, int *n) {
  *n = 0;
  for (skip_spaces(p); *p->at == 't' || *p->at == '-'; skip_spaces(p)) {
    if (text_starts(p->at, "->")) break;
    if (*n == most) return parse_error(p, "fewer tensors");
    if (take_word(p, "-"))
      list[(*n)++] = -1;
    else if (!parse_tensor_number(p, &list[(*n)++]))
      return false;
  }
  return true;
}

#define PARSE_MOST 4096 /* numbers in a list */
static bool parse_quant(struct parse *p, const double *scale, int n, struct graph_quant *q) {
  float *scales = ARENA_ARRAY(p->g->arena, float, n);
  q->count = n;
  q->scale = scales;
  q->zp = ARENA_ARRAY(p->g->arena, int32_t, n);
  for (int i = 0; i < n; i++) scales[i] = (float)scale[i];
  return true;
}

static bool in_range(double v, double low, double high) { return v >= low && v <= high; }

static bool store_values(struct parse *p, struct graph_tensor *t, const double *list, int n) {
  const int64_t elements = graph_elements(t);
  if (elements < 1 || elements > 1 << 20) return parse_error(p, "a smaller constant");
  const size_t size = mote_type_bytes((int)t->type);
  uint8_t *data = ARENA_ARRAY(p->g->arena, uint8_t, (size_t)elements * size);
  for (int64_t i = 0; i < elements; i++) {
    const double v = list[i % n];
    const float real = (float)v;
    if (t->type != MOTE_FLOAT32 && !in_range(v, -9e15, 9e15))
      return parse_error(p, "numbers that the type holds");
    const int64_t whole = t->type == MOTE_FLOAT32 ? 0 : (int64_t)v;
    memcpy(data + (size_t)i * size, t->type == MOTE_FLOAT32 ? (const void *)&real : &whole, size);
  }
  t->data = data;
  return true;
}

static bool parse_tensor_field(struct parse *p, struct graph_tensor *t, double *list) {
  int n;
  if (take_word(p, "state")) {
    t->is_state = true;
    return true;
  }
  if (take_word(p, "variable=")) {
    if (!parse_list(p, list, PARSE_MOST, &n)) return false;
    if (n != 1 || !in_range(list[0], 1, UINT16_MAX))
      return parse_error(p, "the number of a variable");
    t->variable = (int)list[0];
    return true;
  }
  if (take_word(p, "scale="))
    return parse_list(p, list, PARSE_MOST, &n) && parse_quant(p, list, n, &t->quant);
  if (take_word(p, "zp=")) {
    int32_t *zp = ARENA_ARRAY(p->g->arena, int32_t, t->quant.count > 0 ? t->quant.count : 1);
    if (!parse_list(p, list, PARSE_MOST, &n)) return false;
    if (n != t->quant.count) return parse_error(p, "a zero point for each scale, behind them,");
    for (int i = 0; i < n; i++) {
      if (!in_range(list[i], INT32_MIN, INT32_MAX)) return parse_error(p, "a zero point");
      zp[i] = (int32_t)list[i];
    }
    t->quant.zp = zp;
    return true;
  }
  if (take_word(p, "axis=")) {
    int64_t axis;
    if (!parse_int(p, 0, GRAPH_MAX_RANK, &axis)) return false;
    t->quant.axis = (int)axis;
    return true;
  }
  if (take_word(p, "values="))
    return parse_list(p, list, PARSE_MOST, &n) && store_values(p, t, list, n);
  return parse_error(p, "scale=, zp=, axis=, state or values=");
}

static bool parse_tensor(struct parse *p, double *list) {
  struct graph_tensor t = {0};
  int number, n;
  if (!parse_tensor_number(p, &number)) return false;
  if (number != p->g->n_tensors) return parse_error(p, "the next tensor");
  if (!take_word(p, " \"")) return parse_error(p, "a name in quotes");
  const char *end = strchr(p->at, '"');
  if (end == NULL) return parse_error(p, "a closing quote");
  t.name = arena_printf(p->g->arena, "%.*s", (int)(end - p->at), p->at);
  p->at = end + 1;
  skip_spaces(p);
  for (n = 0; n < MOTE_TYPE_COUNT; n++)
    if (take_word(p, mote_type_name(n))) break;
  if (n == MOTE_TYPE_COUNT) return parse_error(p, "a type");
  t.type = (enum mote_type)n;
  if (!take_word(p, " [")) return parse_error(p, "a shape");
  if (*p->at != ']' && !parse_list(p, list, GRAPH_MAX_RANK, &t.rank)) return false;
  for (int i = 0; i < t.rank; i++) {
    if (!in_range(list[i], 1, INT32_MAX)) return parse_error(p, "sizes above 0");
    t.dims[i] = (int32_t)list[i];
  }
  if (!take_word(p, "]")) return parse_error(p, "]");
  for (skip_spaces(p); *p->at != 0; skip_spaces(p))
    if (!parse_tensor_field(p, &t, list)) return false;
  graph_add_tensor(p->g, &t);
  return true;
}

static bool parse_activation(struct parse *p, struct graph_attrs *a) {
  /* Longest first: RELU is the beginning of others. */
  for (int i = (int)(sizeof activation_names / sizeof *activation_names) - 1; i >= 0; i--) {
    const size_t n = strlen(activation_names[i]);
    if (strncmp(p->at, activation_names[i], n) != 0 || (p->at[n] != ' ' && p->at[n] != 0)) continue;
    p->at += n;
    a->activation = (enum graph_activation)i;
    return true;
  }
  return parse_error(p, "an activation");
}

/* needs: list has room for GRAPH_MAX_RANK. */
static bool parse_attr(struct parse *p, struct graph_node *node, double *list) {
  struct graph_attrs *a = &node->attrs;
  int64_t whole;
  double real;
  int n;
  if (take_word(p, "activation=")) return parse_activation(p, a);
  if (take_word(p, "source=")) {
    if (!parse_int(p, 0, INT32_MAX, &whole)) return false;
    node->source_op = (int)whole;
    return true;
  }
#define INT(name)                                                                                  \
  if (take_word(p, #name "=")) {                                                                   \
    if (!parse_int(p, INT32_MIN, INT32_MAX, &whole)) return false;                                 \
    a->name = (int)whole;                                                                          \
    return true;                                                                                   \
  }
#define REAL(name)                                                                                 \
  if (take_word(p, #name "=")) {                                                                   \
    if (!parse_real(p, &real)) return false;                                                       \
    a->name = (float)real;                                                                         \
    return true;                                                                                   \
  }
#define FLAG(name)                                                                                 \
  if (take_word(p, #name)) {                                                                       \
    a->name = true;                                                                                \
    return true;                                                                                   \
  }
#define LIST(name)                                                                                 \
  if (take_word(p, #name "=")) {                                                                   \
    if (!parse_list(p, list, GRAPH_MAX_RANK, &n)) return false;                                    \
    for (int i = 0; i < n; i++) {                                                                  \
      if (!in_range(list[i], INT32_MIN, INT32_MAX)) return parse_error(p, "whole numbers");        \
      a->name[i] = (int32_t)list[i];                                                               \
    }                                                                                              \
    return true;                                                                                   \
  }
  GRAPH_ATTRS(INT, REAL, FLAG, LIST)
#undef INT
#undef REAL
#undef FLAG
#undef LIST
  return parse_error(p, "an attribute");
}

static bool parse_node(struct parse *p, double *list) {
  struct graph_node n = {.source_op = -1};
  int64_t number;
  if (!take_word(p, "n") || !parse_int(p, 0, INT32_MAX, &number)) return parse_error(p, "a node");
  if (number != p->g->n_nodes) return parse_error(p, "the next node");
  skip_spaces(p);
  const size_t length = strcspn(p->at, "(");
  int op = 0;
  while (op < MOTE_OP_COUNT &&
         (strlen(mote_op_name(op)) != length || strncmp(p->at, mote_op_name(op), length) != 0))
    op++;
  if (op == MOTE_OP_COUNT) return parse_error(p, "an operator");
  n.op = (enum mote_op)op;
  p->at += length;
  if (!take_word(p, "(") || !parse_tensor_list(p, n.in, GRAPH_MAX_IN, &n.n_in) ||
      !take_word(p, ") ->"))
    return parse_error(p, "(inputs) ->");
  if (!parse_tensor_list(p, n.out, GRAPH_MAX_OUT, &n.n_out)) return false;
  for (skip_spaces(p); *p->at != 0; skip_spaces(p))
    if (!parse_attr(p, &n, list)) return false;
  graph_add_node(p->g, &n);
  return true;
}

static bool parse_ports(struct parse *p, bool inputs) {
  int list[GRAPH_MAX_IN], n;
  if (!parse_tensor_list(p, list, GRAPH_MAX_IN, &n) || *p->at != 0)
    return parse_error(p, "tensors");
  (inputs ? graph_set_inputs : graph_set_outputs)(p->g, list, n);
  return true;
}

struct graph *graph_parse(struct arena *a, const char *name, const char *text, struct err *e) {
  struct parse p = {.g = graph_new(a, name), .e = e};
  double *list = ARENA_ARRAY(a, double, PARSE_MOST);
  bool ok = true;
  for (const char *line = text; ok && *line != 0;) {
    const size_t n = strcspn(line, "\n");
    p.line++;
    p.at = arena_printf(a, "%.*s", (int)n, line);
    if (take_word(&p, "inputs"))
      ok = parse_ports(&p, true);
    else if (take_word(&p, "outputs"))
      ok = parse_ports(&p, false);
    else if (*p.at == 't')
      ok = parse_tensor(&p, list);
    else if (*p.at != '#' && *p.at != 0)
      ok = parse_node(&p, list);
    line += line[n] != 0 ? n + 1 : n;
  }
  if (ok && graph_check(p.g, e)) return p.g;
  err_file(e, name);
  return NULL;
}
