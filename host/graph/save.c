/* graph: as bytes and back (graph_save, graph_load). See graph.h.
 *
 *   "MOTG"  version u32  bytes u32 (of the whole)  crc32 u32 (of all that follows)
 *   tensors u32  nodes u32  inputs u32  outputs u32
 *   each tensor: name (u16 length, bytes), type u8, rank u8, dims i32[rank], scales u32, axis i32,
 *                scale f32[scales], zp i32[scales], state u8, variable u16, constant u8, bytes of the constant
 *   each node: op u8, inputs u8, in i32[inputs], outputs u8, out i32[outputs], activation i32, then the attributes
 *              in the order of GRAPH_ATTRS as i32 (real numbers as their bits, lists whole), source_op i32
 *   inputs i32[], outputs i32[]
 *
 * Nodes with bodies (IF, WHILE) are not saved: trained models have none. Little-endian, nothing aligned. The checksum is
 * against damage, not malice: the reader bounds every step. */
#include "host/graph/graph.h"

#include <string.h>

#define SAVE_FORM   3 /* of what stands at the head of this file */
#define SAVE_HEADER 16
#define SAVE_MOST   (1 << 16) /* tensors or nodes; a plan numbers them in 16 bits */

/* Form and attributes, so that who adds an attribute need not think of graphs that were saved without it. */
static uint32_t save_version(void) {
#define INT(name)  "i " #name
#define REAL(name) "r " #name
#define FLAG(name) "f " #name
#define LIST(name) "l " #name
  static const char attrs[] = GRAPH_ATTRS(INT, REAL, FLAG, LIST);
#undef INT
#undef REAL
#undef FLAG
#undef LIST
  return mote_crc32(SAVE_FORM, attrs, sizeof attrs);
}

/* ---- writing --------------------------------------------------------------- */
static void put(struct text *t, uint32_t value, size_t bytes) {
  char b[4];
  for (size_t i = 0; i < bytes; i++) b[i] = (char)(uint8_t)(value >> (8 * i));
  text_addn(t, b, bytes);
}

static void put_ints(struct text *t, const int32_t *v, int n) {
  for (int i = 0; i < n; i++) put(t, (uint32_t)v[i], 4);
}

static void put_tensor(struct text *t, const struct graph_tensor *x) {
  const size_t length = x->name ? strnlen(x->name, UINT16_MAX) : 0;
  put(t, (uint32_t)length, 2);
  text_addn(t, x->name ? x->name : "", length);
  put(t, (uint32_t)x->type, 1);
  put(t, (uint32_t)x->rank, 1);
  put_ints(t, x->dims, x->rank);
  put(t, (uint32_t)x->quant.count, 4);
  put(t, (uint32_t)x->quant.axis, 4);
  for (int i = 0; i < x->quant.count; i++) {
    uint32_t bits;
    memcpy(&bits, &x->quant.scale[i], sizeof bits);
    put(t, bits, 4);
  }
  put_ints(t, x->quant.zp, x->quant.count);
  put(t, x->is_state, 1);
  put(t, (uint32_t)x->variable, 2);
  put(t, x->data != NULL, 1);
  if (x->data) text_addn(t, x->data, graph_bytes(x));
}

static void put_attrs(struct text *t, const struct graph_attrs *a) {
  uint32_t bits;
  put(t, (uint32_t)a->activation, 4);
#define INT(name)  put(t, (uint32_t)a->name, 4);
#define FLAG(name) put(t, a->name, 4);
#define REAL(name)                                                                                 \
  memcpy(&bits, &a->name, sizeof bits);                                                            \
  put(t, bits, 4);
#define LIST(name) put_ints(t, a->name, GRAPH_MAX_RANK);
  GRAPH_ATTRS(INT, REAL, FLAG, LIST)
#undef INT
#undef REAL
#undef FLAG
#undef LIST
}

static void put_node(struct text *t, const struct graph_node *n) {
  put(t, (uint32_t)n->op, 1);
  put(t, (uint32_t)n->n_in, 1);
  put_ints(t, n->in, n->n_in);
  put(t, (uint32_t)n->n_out, 1);
  put_ints(t, n->out, n->n_out);
  put_attrs(t, &n->attrs);
  put(t, (uint32_t)n->source_op, 4);
}

void graph_save(const struct graph *g, struct arena *a, uint8_t **bytes, size_t *n) {
  struct text t;
  text_init(&t, a);
  text_addn(&t, "MOTG", 4);
  put(&t, save_version(), 4);
  put(&t, 0, 4);
  put(&t, 0, 4);
  const int32_t counts[4] = {g->n_tensors, g->n_nodes, g->n_inputs, g->n_outputs};
  put_ints(&t, counts, 4);
  for (int i = 0; i < g->n_tensors; i++) put_tensor(&t, &g->tensors[i]);
  for (int i = 0; i < g->n_nodes; i++) put_node(&t, &g->nodes[i]);
  put_ints(&t, g->inputs, g->n_inputs);
  put_ints(&t, g->outputs, g->n_outputs);

  uint8_t *out = (uint8_t *)t.data;
  const uint32_t crc = mote_crc32(0, out + SAVE_HEADER, t.size - SAVE_HEADER);
  for (size_t i = 0; i < 4; i++) {
    out[8 + i] = (uint8_t)(t.size >> (8 * i));
    out[12 + i] = (uint8_t)(crc >> (8 * i));
  }
  *bytes = out;
  *n = t.size;
}

/* ---- reading --------------------------------------------------------------- */
/* Once something is wrong, `e` says it, `bad` stays set and every further read gives 0. */
struct load {
  struct arena *a;
  const uint8_t *p;
  size_t n, at;
  bool bad;
  struct err *e;
};

static const uint8_t *take(struct load *l, size_t bytes) {
  if (l->bad) return NULL;
  if (bytes > l->n - l->at) {
    l->bad = true;
    err_set(l->e, "the graph ends inside byte %zu of %zu", l->at + bytes, l->n);
    return NULL;
  }
  const uint8_t *p = l->p + l->at;
  l->at += bytes;
  return p;
}

static uint32_t get(struct load *l, size_t bytes) {
  const uint8_t *p = take(l, bytes);
  uint32_t v = 0;
  if (p)
    for (size_t i = 0; i < bytes; i++) v |= (uint32_t)p[i] << (8 * i);
  return v;
}

static int32_t get_int(struct load *l) { return (int32_t)get(l, 4); }

/* A count in [0, most]; anything else is an error. */
static int get_count(struct load *l, size_t bytes, uint32_t most, const char *what) {
  const uint32_t v = get(l, bytes);
  if (!l->bad && v > most) {
    l->bad = true;
    err_set(l->e, "%u %s at byte %zu; at most %u are possible", v, what, l->at, most);
  }
  return l->bad ? 0 : (int)v;
}

/* A copy of the next bytes in the arena, with a NUL behind; NULL when they are not there. */
static void *get_copy(struct load *l, size_t bytes) {
  const uint8_t *p = take(l, bytes);
  if (!p) return NULL;
  if (bytes + 4096 > arena_left(l->a)) {
    l->bad = true;
    err_set(l->e, "reading the graph needs more than the %zu bytes of memory left",
            arena_left(l->a));
    return NULL;
  }
  uint8_t *copy = arena_alloc(l->a, bytes + 1, 1);
  memcpy(copy, p, bytes);
  return copy;
}

static void get_tensor(struct load *l, struct graph *g) {
  struct graph_tensor t = {0};
  t.name = get_copy(l, get(l, 2));
  t.type = (enum mote_type)get_count(l, 1, MOTE_TYPE_COUNT - 1, "as a type");
  t.rank = get_count(l, 1, GRAPH_MAX_RANK, "axes");
  for (int i = 0; i < t.rank; i++) t.dims[i] = get_int(l);
  t.quant.count = get_count(l, 4, INT32_MAX, "scales");
  t.quant.axis = get_int(l);
  if (t.quant.count) {
    t.quant.scale = get_copy(l, (size_t)t.quant.count * sizeof *t.quant.scale);
    t.quant.zp = get_copy(l, (size_t)t.quant.count * sizeof *t.quant.zp);
  }
  t.is_state = get_count(l, 1, 1, "as a flag") != 0;
  t.variable = get_count(l, 2, UINT16_MAX, "as a variable");
  if (get_count(l, 1, 1, "as a flag")) {
    const int64_t elements = graph_elements(&t);
    if (!l->bad && (elements < 1 || elements > GRAPH_MAX_ELEMENTS)) {
      l->bad = true;
      err_set(l->e, "constant %d has an impossible shape", g->n_tensors);
    }
    if (!l->bad) t.data = get_copy(l, graph_bytes(&t));
  }
  if (!l->bad) graph_add_tensor(g, &t);
}

static void get_attrs(struct load *l, struct graph_attrs *a) {
  uint32_t bits;
  a->activation = (enum graph_activation)get(l, 4);
#define INT(name)  a->name = get_int(l);
#define FLAG(name) a->name = get(l, 4) != 0;
#define REAL(name)                                                                                 \
  bits = get(l, 4);                                                                                \
  memcpy(&a->name, &bits, sizeof bits);
#define LIST(name)                                                                                 \
  for (int i = 0; i < GRAPH_MAX_RANK; i++) a->name[i] = get_int(l);
  GRAPH_ATTRS(INT, REAL, FLAG, LIST)
#undef INT
#undef REAL
#undef FLAG
#undef LIST
}

static void get_node(struct load *l, struct graph *g) {
  struct graph_node n = {0};
  n.op = (enum mote_op)get_count(l, 1, MOTE_OP_COUNT - 1, "as an operator");
  n.n_in = get_count(l, 1, GRAPH_MAX_IN, "inputs of an operator");
  for (int i = 0; i < n.n_in; i++) n.in[i] = get_int(l);
  n.n_out = get_count(l, 1, GRAPH_MAX_OUT, "outputs of an operator");
  for (int i = 0; i < n.n_out; i++) n.out[i] = get_int(l);
  get_attrs(l, &n.attrs);
  n.source_op = get_int(l);
  if (!l->bad) graph_add_node(g, &n);
}

static bool check_header(struct load *l) {
  const uint8_t *magic = take(l, 4);
  if (!magic || memcmp(magic, "MOTG", 4) != 0)
    return l->n < 4 ? err_set(l->e, "%zu bytes are too few for a saved graph", l->n)
                    : err_set(l->e, "not a saved graph: it does not begin with MOTG");
  const uint32_t version = get(l, 4), bytes = get(l, 4), crc = get(l, 4);
  if (l->bad) return false;
  if (version != save_version())
    return err_set(
        l->e,
        "saved in form %08x; this version of mote reads form %08x. Train anew: mote train --fresh",
        version, save_version());
  if (bytes != l->n)
    return err_set(l->e, "%zu bytes, but it says that it has %u: cut short?", l->n, bytes);
  if (crc != mote_crc32(0, l->p + l->at, l->n - l->at))
    return err_set(l->e, "the checksum does not match: the bytes are damaged");
  return true;
}

static struct graph *load(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                          struct err *e) {
  struct load l = {a, bytes, n, 0, false, e};
  if (!check_header(&l)) return NULL;
  const int tensors = get_count(&l, 4, SAVE_MOST, "tensors"),
            nodes = get_count(&l, 4, SAVE_MOST, "operators");
  const int inputs = get_count(&l, 4, SAVE_MOST, "inputs"),
            outputs = get_count(&l, 4, SAVE_MOST, "outputs");
  const size_t need = 65536 + (size_t)tensors * sizeof(struct graph_tensor) +
                      (size_t)nodes * sizeof(struct graph_node) +
                      ((size_t)inputs + (size_t)outputs) * sizeof(int);
  if (!l.bad && need > arena_left(a)) {
    err_set(e, "reading the graph needs %zu bytes of memory, %zu are left", need, arena_left(a));
    return NULL;
  }
  if (l.bad) return NULL;
  /* All room whose size is known now is taken now, while running out is an error. */
  struct graph *g = graph_new(a, name);
  g->tensors = ARENA_ARRAY(a, struct graph_tensor, tensors + 1);
  g->nodes = ARENA_ARRAY(a, struct graph_node, nodes + 1);
  g->inputs = ARENA_ARRAY(a, int, inputs + 1);
  g->outputs = ARENA_ARRAY(a, int, outputs + 1);
  g->room_tensors = tensors + 1;
  g->room_nodes = nodes + 1;
  g->n_inputs = inputs;
  g->n_outputs = outputs;
  for (int i = 0; i < tensors && !l.bad; i++) get_tensor(&l, g);
  for (int i = 0; i < nodes && !l.bad; i++) get_node(&l, g);
  for (int i = 0; i < inputs; i++) g->inputs[i] = get_int(&l);
  for (int i = 0; i < outputs; i++) g->outputs[i] = get_int(&l);
  if (l.bad) return NULL;
  if (l.at != n) {
    err_set(e, "%zu bytes follow the end of the graph", n - l.at);
    return NULL;
  }
  return graph_check(g, e) ? g : NULL;
}

struct graph *graph_load(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                         struct err *e) {
  struct graph *g = load(a, name, bytes, n, e);
  if (!g) err_file(e, name);
  return g;
}
