/* import: variables and control flow. See tflite.h.
 *
 * A handle is not a tensor of the graph: READ_VARIABLE and ASSIGN_VARIABLE get the state behind it as input 0.
 * Handles of the same container and name are the same variable, in every subgraph; its number tells
 * (graph_tensor.variable). What CALL_ONCE assigns is what the variable begins with. The subgraphs of IF and WHILE
 * become the bodies of their node. The subgraph of a composite operator, which says what the operator means, takes
 * its place. */
#include "host/import/tflite.h"

#include <string.h>

/* Field numbers of the schema's option tables. */
enum { HANDLE_CONTAINER, HANDLE_NAME };
enum { IF_THEN, IF_ELSE };
enum { WHILE_CONDITION, WHILE_BODY };
enum { COMPOSITE_NAME, COMPOSITE_SUBGRAPH };

/* ---- variables ---------------------------------------------------------------------- */

/* Its number, from 1 on; 0 with an error. */
static int number_of(struct reader *r, const uint8_t *name, size_t n) {
  struct variables *v = r->variables;
  for (int i = 0; i < v->count; i++)
    if (v->at[i].n == n && memcmp(v->at[i].name, name, n) == 0) return i + 1;
  if (v->count == TFLITE_MOST_VARIABLES) {
    err_set(r->e, "the model has more than %d variables", TFLITE_MOST_VARIABLES);
    return 0;
  }
  v->at[v->count] = (struct variable){.name = name, .n = n};
  return ++v->count;
}

static bool read_handle(struct reader *r, struct op *o) {
  const struct flat_vector container = flat_vector_field(&r->f, &o->options, HANDLE_CONTAINER, 1);
  const struct flat_vector name = flat_vector_field(&r->f, &o->options, HANDLE_NAME, 1);
  if (r->f.bad) return false;
  uint8_t *key = tflite_take(r, container.count + name.count + 1, 1);
  if (!key) return false;
  /* A zero parts them: neither has one, since both are strings. */
  if (container.count > 0) memcpy(key, r->f.p + container.at, container.count);
  if (name.count > 0) memcpy(key + container.count + 1, r->f.p + name.at, name.count);
  const int number = number_of(r, key, container.count + name.count + 1);
  if (number == 0 || o->node.n_out != 1)
    return number != 0 ? err_set(r->e, "it has %d outputs instead of one", o->node.n_out) : false;
  r->variable_of[o->node.out[0]] = number;
  o->no_node = true;
  return true;
}

/* Whether a value suits what the variable is elsewhere. */
static bool suits(struct reader *r, const struct graph_tensor *state,
                  const struct graph_tensor *value) {
  if (state->type == value->type && graph_elements(state) == graph_elements(value)) return true;
  return err_set(r->e, "a variable of %lld %s is used as %lld %s", (long long)graph_elements(state),
                 mote_type_name((int)state->type), (long long)graph_elements(value),
                 mote_type_name((int)value->type));
}

/* The state of this graph behind a handle; made like `value` where it is new. -1 with an error. */
static int state_of(struct reader *r, int handle, int value) {
  if (handle < 0 || (size_t)handle >= r->tensors.count || r->variable_of[handle] == 0) {
    err_set(r->e, "its handle is not made by VAR_HANDLE in the same subgraph");
    return -1;
  }
  const int number = r->variable_of[handle];
  for (int t = 0; t < r->g->n_tensors; t++)
    if (r->g->tensors[t].variable == number)
      return suits(r, &r->g->tensors[t], &r->g->tensors[value]) ? t : -1;
  struct graph_tensor state = r->g->tensors[value];
  state.name = "variable";
  state.is_state = true;
  state.variable = number;
  state.data = NULL;
  return graph_add_tensor(r->g, &state);
}

bool tflite_finish_variables(struct reader *r) {
  for (int t = 0; t < r->g->n_tensors; t++) {
    struct graph_tensor *state = &r->g->tensors[t];
    if (state->variable == 0) continue;
    const struct variable *v = &r->variables->at[state->variable - 1];
    if (v->first) {
      if (!suits(r, state, v->first)) return false;
      state->data = v->first->data;
    } else if (v->fill != 0) {
      const size_t bytes = graph_bytes(state);
      int8_t *fill = tflite_take(r, bytes, 1);
      if (!fill) return false;
      memset(fill, v->fill, bytes);
      state->data = fill;
    }
  }
  return true;
}

static bool read_read(struct reader *r, struct op *o) {
  if (o->node.n_out != 1) return err_set(r->e, "it has %d outputs instead of one", o->node.n_out);
  o->node.in[0] = state_of(r, o->in[0], o->node.out[0]);
  return o->node.in[0] >= 0;
}

static bool read_assign(struct reader *r, struct op *o) {
  if (o->in[1] < 0) return err_set(r->e, "it lacks the value");
  o->node.in[0] = state_of(r, o->in[0], o->in[1]);
  if (o->node.in[0] < 0) return false;
  struct variable *v = &r->variables->at[r->variable_of[o->in[0]] - 1];
  const struct graph_tensor *x = tflite_in(r, o, 1);
  if (!v->is_assigned && x->quant.count > 0) v->fill = (int8_t)x->quant.zp[0];
  v->is_assigned = true;
  return true;
}

static bool read_call_once(struct reader *r, struct op *o) {
  const struct graph *init = tflite_subgraph(r, flat_i32_field(&r->f, &o->options, 0, 0));
  if (!init) return false;
  for (int n = 0; n < init->n_nodes; n++) {
    const struct graph_node *node = &init->nodes[n];
    if (node->op != MOTE_OP_ASSIGN_VARIABLE)
      return err_set(r->e, "its subgraph computes with %s; only constants may be assigned there",
                     mote_op_name((int)node->op));
    const struct graph_tensor *value = &init->tensors[node->in[1]];
    if (!graph_is_constant(value))
      return err_set(r->e, "its subgraph assigns what is not constant");
    r->variables->at[init->tensors[node->in[0]].variable - 1].first = value;
  }
  o->no_node = true;
  return true;
}

/* ---- control flow --------------------------------------------------------------------- */

/* Reads two subgraphs as bodies. A handle cannot be handed to them. */
static bool read_bodies(struct reader *r, struct op *o, const int fields[2]) {
  for (int i = 0; i < o->n_in; i++)
    if (o->in[i] >= 0 && r->variable_of[o->in[i]] != 0)
      return err_set(r->e,
                     "it hands the handle of a variable to its subgraphs; VAR_HANDLE inside them "
                     "is supported");
  for (int k = 0; k < 2; k++) {
    o->node.body[k] = tflite_subgraph(r, flat_i32_field(&r->f, &o->options, fields[k], 0));
    if (!o->node.body[k]) return false;
  }
  return true;
}

static bool read_if(struct reader *r, struct op *o) {
  return read_bodies(r, o, (const int[]){IF_THEN, IF_ELSE});
}

static bool read_while(struct reader *r, struct op *o) {
  return read_bodies(r, o, (const int[]){WHILE_CONDITION, WHILE_BODY});
}

static bool read_composite(struct reader *r, struct op *o) {
  const struct graph *body =
      tflite_subgraph(r, flat_i32_field(&r->f, &o->options, COMPOSITE_SUBGRAPH, 0));
  if (!body) return false;
  if (body->n_inputs != o->n_in || body->n_outputs != o->node.n_out)
    return err_set(r->e, "its subgraph has %d inputs and %d outputs; it has %d and %d",
                   body->n_inputs, body->n_outputs, o->n_in, o->node.n_out);
  if (!tflite_make_room(r, body->n_tensors, body->n_nodes + o->n_in + o->node.n_out)) return false;
  const int first = r->g->n_tensors;
  for (int t = 0; t < body->n_tensors; t++) {
    if (body->tensors[t].is_state)
      return err_set(
          r->e, "its subgraph remembers something from one inference to the next, which is not "
                "supported in a composite operator");
    graph_add_tensor(r->g, &body->tensors[t]);
  }
  for (int i = 0; i < o->n_in; i++) {
    const struct graph_tensor *x = &r->g->tensors[first + body->inputs[i]];
    if (o->in[i] < 0) return err_set(r->e, "it lacks input %d", i);
    if (x->data || tflite_in(r, o, i)->type != x->type)
      return err_set(r->e, "input %d is not what its subgraph takes", i);
    tflite_view(r, o->in[i], first + body->inputs[i], o->number);
  }
  for (int n = 0; n < body->n_nodes; n++) {
    struct graph_node node = body->nodes[n];
    for (int i = 0; i < node.n_in; i++) node.in[i] += node.in[i] >= 0 ? first : 0;
    for (int i = 0; i < node.n_out; i++) node.out[i] += first;
    node.source_op = o->number;
    graph_add_node(r->g, &node);
  }
  for (int i = 0; i < o->node.n_out; i++) {
    if (body->tensors[body->outputs[i]].type != tflite_out(r, o, i)->type)
      return err_set(r->e, "output %d is not what its subgraph makes", i);
    tflite_view(r, first + body->outputs[i], o->node.out[i], o->number);
  }
  o->no_node = true;
  return true;
}

const struct tflite_reader tflite_reader_STABLEHLO_COMPOSITE = {
    0, GRAPH_MAX_IN, GRAPH_MAX_OUT, GRAPH_MAX_IN, read_composite, NULL};
const struct tflite_reader tflite_reader_CALL_ONCE = {0, 0, 0, 0, read_call_once, NULL};
const struct tflite_reader tflite_reader_VAR_HANDLE = {0, 0, 1, 0, read_handle, NULL};
const struct tflite_reader tflite_reader_READ_VARIABLE = {1, 1, 1, 1, read_read, NULL};
const struct tflite_reader tflite_reader_ASSIGN_VARIABLE = {2, 2, 0, 2, read_assign, NULL};
const struct tflite_reader tflite_reader_IF = {1,       GRAPH_MAX_IN, GRAPH_MAX_OUT, GRAPH_MAX_IN,
                                               read_if, NULL};
const struct tflite_reader tflite_reader_WHILE = {
    1, GRAPH_MAX_IN, GRAPH_MAX_OUT, GRAPH_MAX_IN, read_while, NULL};
