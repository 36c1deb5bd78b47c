/* graph: rules of variables and control flow.
 *
 *   READ_VARIABLE     state; output: its value now, the same type and number of elements
 *   ASSIGN_VARIABLE   state, x; no output: the state is x from now on
 *   IF                condition bool [1], x...; bodies: then, else, each with inputs x... and the node's outputs
 *   WHILE             x...; outputs alike; bodies: a condition (inputs x..., output bool [1]) and a body (inputs and
 *                     outputs x...), which runs as long as the condition holds
 *
 * VAR_HANDLE and CALL_ONCE are settled on import and never stand in a graph. */
#include "host/graph/private.h"

/* Equal type and number of elements: the same bytes. */
static bool is_like(const struct check *c, const struct graph_tensor *a,
                    const struct graph_tensor *b, const char *what) {
  if (a->type == b->type && graph_elements(a) == graph_elements(b)) return true;
  return err_set(c->e, "%s: %s of shape %s and %s of shape %s differ", what,
                 mote_type_name((int)a->type), check_shape_of(a).text, mote_type_name((int)b->type),
                 check_shape_of(b).text);
}

static bool check_read(const struct check *c) {
  const struct graph_tensor *state = check_in(c, 0);
  if (!state->is_state) return err_set(c->e, "its input is no variable");
  return is_like(c, state, check_out(c, 0), "variable and output");
}

static bool check_assign(const struct check *c) {
  return is_like(c, check_in(c, 0), check_in(c, 1), "variable and value");
}

static bool check_never(const struct check *c) {
  return err_set(c->e, "it stands in a graph, where no such operator is");
}

/* Inputs of a body from input `from` of the node on. */
static bool check_body(const struct check *c, int k, int from, int n_out) {
  const struct graph *body = c->n->body[k];
  if (body == NULL) return err_set(c->e, "it lacks subgraph %d", k);
  if (!check_graph_body(body, c->e)) return false;
  if (body->n_inputs != c->n->n_in - from || body->n_outputs != n_out)
    return err_set(c->e, "its subgraph %d takes %d tensors and gives %d; %d and %d are needed", k,
                   body->n_inputs, body->n_outputs, c->n->n_in - from, n_out);
  for (int i = 0; i < body->n_inputs; i++)
    if (!is_like(c, check_in(c, from + i), &body->tensors[body->inputs[i]], "input of a subgraph"))
      return false;
  return true;
}

static bool is_truth(const struct check *c, const struct graph_tensor *t) {
  if (!check_type(c, t, BOOL, "condition")) return false;
  return graph_elements(t) == 1 ||
         err_set(c->e, "its condition has shape %s; one element is needed", check_shape_of(t).text);
}

static bool outputs_agree(const struct check *c, int k) {
  const struct graph *body = c->n->body[k];
  for (int i = 0; i < c->n->n_out; i++)
    if (!is_like(c, check_out(c, i), &body->tensors[body->outputs[i]], "output of a subgraph"))
      return false;
  return true;
}

static bool check_if(const struct check *c) {
  if (!is_truth(c, check_in(c, 0))) return false;
  for (int k = 0; k < 2; k++)
    if (!check_body(c, k, 1, c->n->n_out) || !outputs_agree(c, k)) return false;
  return true;
}

static bool check_while(const struct check *c) {
  const struct graph_node *n = c->n;
  if (n->n_in != n->n_out)
    return err_set(c->e, "%d inputs and %d outputs; they must be the same tensors", n->n_in,
                   n->n_out);
  for (int k = 0; k < 2; k++)
    if (!check_body(c, k, 0, k == 0 ? 1 : n->n_out)) return false;
  for (int i = 0; i < n->n_in; i++)
    if (!is_like(c, check_in(c, i), check_out(c, i), "input and output")) return false;
  const struct graph *condition = n->body[0];
  return is_truth(c, &condition->tensors[condition->outputs[0]]) && outputs_agree(c, 1);
}

const struct graph_rule graph_rule_CALL_ONCE = {0, 0, 0, 0, 0, 0, check_never};
const struct graph_rule graph_rule_VAR_HANDLE = {0, 0, 1, 1, 0, 0, check_never};
const struct graph_rule graph_rule_READ_VARIABLE = {1, 1, 1, 1, 0, 0, check_read};
const struct graph_rule graph_rule_ASSIGN_VARIABLE = {2, 2, 0, 0, 0, 1u << 0, check_assign};
const struct graph_rule graph_rule_IF = {1, GRAPH_MAX_IN, 0, GRAPH_MAX_OUT, 0, 0, check_if};
const struct graph_rule graph_rule_WHILE = {1, GRAPH_MAX_IN, 1, GRAPH_MAX_OUT, 0, 0, check_while};
