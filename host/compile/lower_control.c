/* lower: variables: the recipes that read and assign them, and which of those copies need not be made.
 *
 * READ_VARIABLE and ASSIGN_VARIABLE are copies between a state and a tensor. Where nobody writes the state while the
 * value that was read is still needed, the readers read the state itself; where nobody needs the old value from
 * when the new one is computed on, it is computed where the state lies. The same holds of the tensors in which the
 * branches of an IF and the rounds of a WHILE hand over their results (control.c), which are assigned, too.
 *
 * invariant: a copy is left out only where every reader sees the same bytes as with it. */
#include "host/compile/private.h"

#include <string.h>

static bool build_copy(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->params.copy.bytes = (uint32_t)graph_bytes(&g->tensors[w->in[0]]);
  f->instructions = f->params.copy.bytes / 4 + 20;
  return true;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_READ_VARIABLE, .kernel = MOTE_KERNEL_copy, .build = build_copy},
    {.op = MOTE_OP_ASSIGN_VARIABLE, .kernel = MOTE_KERNEL_copy, .build = build_copy, .assigned = 1},
};
const struct lower_family lower_control = {recipes, sizeof recipes / sizeof *recipes};

/* ---- who touches what ------------------------------------------------------------- */

/* Whether a work may write to a storage: an output, or a state among its inputs. */
static bool writes(const struct program *p, const struct work *w, int storage) {
  for (int k = 0; k < w->n_out; k++)
    if (p->storage[w->out[k]] == storage) return true;
  for (int k = 0; k < w->n_in; k++)
    if (p->storage[w->in[k]] == storage && graph_writes(&p->graph->nodes[w->node], w->input[k]))
      return true;
  return false;
}

static bool reads(const struct program *p, const struct work *w, int storage) {
  for (int k = 0; k < w->n_in; k++)
    if (p->storage[w->in[k]] == storage) return true;
  return false;
}

static bool is_output(const struct program *p, int storage) {
  const struct graph *g = p->graph;
  for (int i = 0; i < g->n_outputs; i++)
    if (p->storage[g->outputs[i]] == storage) return true;
  return false;
}

static bool is_input(const struct program *p, int storage) {
  const struct graph *g = p->graph;
  for (int i = 0; i < g->n_inputs; i++)
    if (p->storage[g->inputs[i]] == storage) return true;
  return false;
}

/* The last work that reads a storage which is there from work `from` on; a reader in a loop that `from` stands
 * before reads it until the loop ends. */
static int last_reader(const struct program *p, int storage, int from) {
  int last = from;
  for (int i = from + 1; i < p->n_work; i++)
    if (reads(p, &p->work[i], storage)) last = program_end_of_loops(p, i, from);
  return last;
}

/* Whether the works between two run whenever the first does, once each, in their order. */
static bool is_straight(const struct program *p, int first, int last) {
  for (int i = 0; i < p->n_work; i++) {
    const struct work *w = &p->work[i];
    if (!w->is_jump) continue;
    if (i >= first && i <= last) return false;
    if (w->target > first && w->target <= last) return false;
  }
  return true;
}

static void share(struct program *p, int storage, int with) {
  for (int t = 0; t < p->graph->n_tensors; t++)
    if (p->storage[t] == storage) p->storage[t] = with;
}

/* ---- copies that are left out ------------------------------------------------------- */

/* A READ whose value nobody changes while it is needed. */
static bool read_is_free(const struct program *p, int i) {
  const struct work *w = &p->work[i];
  const int state = p->storage[w->in[0]], value = p->storage[w->out[0]];
  if (is_output(p, value) || p->is_state[value]) return false;
  const int last = last_reader(p, value, i);
  for (int k = i + 1; k <= last; k++)
    if (writes(p, &p->work[k], state) || writes(p, &p->work[k], value)) return false;
  return true;
}

/* Work m may write its output where its input k lies. */
static bool may_overwrite(const struct work *w, int k) {
  return w->row.alias[k] && (!w->has_flat || w->flat.alias[k]);
}

/* An assignment whose value can be computed in its place. Returns the work that computes it, or -1. */
static int maker_in_place(const struct program *p, int i) {
  const struct work *w = &p->work[i];
  const int place = p->storage[w->out[0]], value = p->storage[w->in[0]];
  int maker = -1;
  if (value == place || p->is_state[value] || is_output(p, value) || is_input(p, value) ||
      graph_is_constant(&p->graph->tensors[value]) || is_input(p, place))
    return -1;
  for (int k = 0; k < p->n_work; k++) {
    if (!writes(p, &p->work[k], value)) continue;
    if (maker >= 0 || k > i) return -1;
    maker = k;
  }
  if (maker < 0 || !is_straight(p, maker, i)) return -1;
  const struct work *m = &p->work[maker];
  for (int k = 0; k < m->n_out; k++)
    if (p->storage[m->out[k]] == place || (k > 0 && p->storage[m->out[k]] == value)) return -1;
  for (int k = 0; k < m->n_in; k++) {
    if (p->storage[m->in[k]] != place) continue;
    if (!may_overwrite(m, k) || graph_writes(&p->graph->nodes[m->node], m->input[k])) return -1;
  }
  for (int k = maker + 1; k < i; k++)
    if (reads(p, &p->work[k], place) || writes(p, &p->work[k], place)) return -1;
  /* Who reads the value later must not find the next one. */
  const int last = last_reader(p, value, i);
  for (int k = i + 1; k <= last; k++)
    if (writes(p, &p->work[k], place)) return -1;
  return maker;
}

static void remove_work(struct program *p, int i) {
  memmove(&p->work[i], &p->work[i + 1], (size_t)(p->n_work - i - 1) * sizeof *p->work);
  p->n_work--;
  for (int k = 0; k < p->n_work; k++)
    if (p->work[k].is_jump && p->work[k].target > i) p->work[k].target--;
}

void program_leave_out_copies(struct program *p) {
  for (int i = 0; i < p->n_work;) {
    const struct work *w = &p->work[i];
    const enum mote_op op = w->is_jump ? MOTE_OP_COUNT : p->graph->nodes[w->node].op;
    if (op == MOTE_OP_READ_VARIABLE && read_is_free(p, i)) {
      share(p, p->storage[w->out[0]], p->storage[w->in[0]]);
    } else if (op == MOTE_OP_ASSIGN_VARIABLE && p->storage[w->in[0]] == p->storage[w->out[0]]) {
      /* a variable that is assigned its own value */
    } else if (op == MOTE_OP_ASSIGN_VARIABLE && maker_in_place(p, i) >= 0) {
      share(p, p->storage[w->in[0]], p->storage[w->out[0]]);
    } else {
      i++;
      continue;
    }
    remove_work(p, i);
  }
}
