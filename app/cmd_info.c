/* mote info: what a model is made of, what the compiler can settle before it runs, and what it needs. */
#include <string.h>

#include "app/model.h"

static const char ABOUT[] = "Operators with shapes, multiply-accumulates and weights; what is "
                            "folded and why that is exact; the memory\n"
                            "of the default plan: the least RAM among plans within 10 % of the "
                            "fastest. MODEL is a .tflite or .mote\n"
                            "file; without it, the project's trained network.";

static void shape(struct text *t, const int32_t *dims, int rank) {
  for (int d = 0; d < rank; d++) text_printf(t, "%s%d", d > 0 ? "x" : "", dims[d]);
}

/* "input 0  int8 1x49x10x1  real = 0.5847 * (q - 83)" */
static void print_tensor(struct text *t, const char *what, int i, const struct graph_tensor *p) {
  text_printf(t, "%s %d  %s ", what, i, mote_type_name(p->type));
  shape(t, p->dims, p->rank);
  if (p->rank == 0) text_add(t, "scalar");
  if (p->quant.count == 1 && p->quant.scale[0] > 0)
    text_printf(t, "  real = %.6g * (q %c %d)", (double)p->quant.scale[0],
                p->quant.zp[0] < 0 ? '+' : '-',
                p->quant.zp[0] < 0 ? -p->quant.zp[0] : p->quant.zp[0]);
  else if (p->quant.count > 1)
    text_printf(t, "  %d scales along axis %d", p->quant.count, p->quant.axis);
}

static void print_ports(struct text *t, const char *what, const struct graph *g, const int *ports,
                        int n) {
  for (int i = 0; i < n; i++) {
    print_tensor(t, what, i, &g->tensors[ports[i]]);
    text_add(t, "\n");
  }
}

/* What keeps its value from one inference to the next. */
static void print_states(struct text *t, const struct graph *g) {
  int n = 0;
  for (int i = 0; i < g->n_tensors; i++) {
    const struct graph_tensor *p = &g->tensors[i];
    if (!p->is_state) continue;
    print_tensor(t, "state", n++, p);
    text_printf(t, "  %zu bytes, begins %s\n", graph_bytes(p),
                p->data ? "with values of the model" : "at zero");
  }
}

static void print_layers(struct text *t, const struct compiled *c) {
  text_printf(t, "\n %3s  %-20s %-16s %12s %9s  %s\n", "op", "operator", "output", "MAC", "weights",
              "becomes (outputs, MAC, weights: the model's)");
  for (int i = 0; i < c->n_layers; i++) {
    const struct compile_layer *l = &c->layers[i];
    struct text s;
    text_init(&s, t->arena);
    shape(&s, l->dims, l->rank);
    text_printf(t, " %3d  %-20s %-16s %12s %9s  ", i,
                l->op < MOTE_OP_COUNT ? mote_op_name((int)l->op) : "-", s.data,
                text_thousands(l->source_macs), text_thousands((int64_t)l->weight_bytes));
    if (l->fate == COMPILE_STEP) text_printf(t, "%s", c->steps[l->step].stem);
    if (l->fate == COMPILE_STEP && l->fill != NULL)
      text_printf(t, ", %d of %d channels", l->kept, l->channels);
    if (l->fate == COMPILE_FUSED)
      text_printf(t, "part of operator %d", l->fused_into);
    else if (l->fate == COMPILE_VIEW)
      text_add(t, "a view, no work");
    else if (l->fate == COMPILE_CONSTANT)
      text_add(t, "a constant");
    else if (l->fate == COMPILE_DEAD)
      text_add(t, "nothing");
    text_add(t, "\n");
  }
  bool any = false;
  for (int i = 0; i < c->n_layers; i++) {
    if (c->layers[i].why == NULL || c->layers[i].op >= MOTE_OP_COUNT) continue;
    text_printf(t, "%s  op %d: %s\n", any ? "" : "\nsettled before it runs:\n", i,
                c->layers[i].why);
    any = true;
  }
}

/* Channels that the plan leaves out, over all layers. */
static void print_channels(struct text *t, const struct compiled *c) {
  int channels = 0, removed = 0, unread = 0;
  for (int i = 0; i < c->n_layers; i++) {
    const struct compile_layer *l = &c->layers[i];
    if (l->fate != COMPILE_STEP) continue;
    channels += l->rank > 0 ? l->dims[l->rank - 1] : 1;
    removed += l->channels - l->kept;
    unread += l->unread;
  }
  if (removed > 0)
    text_printf(t,
                "  channels %12s of %s left out: %s have one value for any input, %s are read by "
                "nothing\n",
                text_thousands(removed), text_thousands(channels), text_thousands(removed - unread),
                text_thousands(unread));
}

static void print_plan(struct text *t, const struct compiled *c) {
  text_printf(t, "\nplan: %d steps in %d segment%s\n", c->n_steps, c->n_segments,
              c->n_segments == 1 ? "" : "s");
  text_printf(t, "  arena    %12s bytes\n", text_thousands((int64_t)c->arena_bytes));
  text_printf(t, "  weights  %12s bytes of flash", text_thousands((int64_t)c->flash_weight_bytes));
  if (c->source_weight_bytes > 0)
    text_printf(t, " (%s in the model)", text_thousands((int64_t)c->source_weight_bytes));
  text_add(t, "\n");
  if (c->macs > 0) text_printf(t, "  MAC      %12s", text_thousands(c->macs));
  if (c->macs > 0 && c->source_macs > c->macs)
    text_printf(t, " (%s in the model)", text_thousands(c->source_macs));
  if (c->macs > 0) text_add(t, "\n");
  print_channels(t, c);
  if (c->n_pieces > 0)
    text_printf(t, "\n  %-10s %8s %8s  %-8s %s\n", "memory", "offset", "bytes", "segments", "of");
  for (int i = 0; i < c->n_pieces; i++) {
    const struct compile_piece *p = &c->pieces[i];
    text_printf(t, "  %-10s %8zu %8zu  %3d-%-4d %.40s", compile_piece_text(p->kind), p->offset,
                p->bytes, p->first_segment, p->last_segment, p->name);
    if (p->kind == COMPILE_RING) text_printf(t, " (%d of %d rows)", p->ring_rows, p->rows);
    text_add(t, "\n");
  }
}

static void json_tensor(struct json *j, const struct graph_tensor *p) {
  const bool scaled = p->quant.count == 1;
  json_open_object(j, NULL);
  json_put_string(j, "type", mote_type_name(p->type));
  json_open_array(j, "shape");
  for (int d = 0; d < p->rank; d++) json_put_int(j, NULL, p->dims[d]);
  json_close_array(j);
  json_put_int(j, "bytes", (int64_t)graph_bytes(p));
  json_put_real(j, "scale", scaled ? (double)p->quant.scale[0] : 0.0);
  json_put_int(j, "zero_point", scaled ? p->quant.zp[0] : 0);
  json_close_object(j);
}

static void print_json(struct text *t, const struct bundle_model *m, const struct compiled *c) {
  const struct graph *g = c->source;
  int64_t state_bytes = 0;
  struct json j;
  json_start(&j, t);
  json_open_object(&j, NULL);
  json_put_string(&j, "model", g->name);
  json_open_array(&j, "inputs");
  for (int i = 0; i < g->n_inputs; i++) json_tensor(&j, &g->tensors[g->inputs[i]]);
  json_close_array(&j);
  json_open_array(&j, "outputs");
  for (int i = 0; i < g->n_outputs; i++) json_tensor(&j, &g->tensors[g->outputs[i]]);
  json_close_array(&j);
  json_open_array(&j, "states");
  for (int i = 0; i < g->n_tensors; i++)
    if (g->tensors[i].is_state) {
      json_tensor(&j, &g->tensors[i]);
      state_bytes += (int64_t)graph_bytes(&g->tensors[i]);
    }
  json_close_array(&j);
  json_put_int(&j, "state_bytes", state_bytes);
  if (m->whole != NULL) {
    json_open_object(&j, "stream");
    bundle_stream_json(m, &j);
    json_close_object(&j);
  }
  compile_report_json(c, NULL, &j);
  json_close_object(&j);
}

int cmd_info(int argc, char **argv) {
  bool fast = false;
  const char *stream = NULL;
  int64_t ram = 0;
  const struct option_spec options[] = {
      {0, "ram", OPTION_COUNT, "BYTES", "plan within that much RAM", &ram},
      {0, "fast", OPTION_FLAG, NULL, "plan for speed", &fast},
      {0, "stream", OPTION_TEXT, "ROWS",
       "give only the newest rows of the window; least: as few as strides allow", &stream},
      {0}};
  const struct command_spec spec = {.usage = "mote info [MODEL]",
                                    .about = ABOUT,
                                    .options = options,
                                    .examples = "mote info kws.tflite",
                                    .least = 0,
                                    .most = 1};
  struct command_line c;
  struct model m;
  struct text t;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!bundle_stream_reads(stream))
    return command_usage(&c, "--stream takes a number of rows, or the word least");
  /* Figures are those of a Cortex-M4. */
  const struct compile_options compile = {
      .ram_bytes = (size_t)ram, .fast = fast, .core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  const bool ok =
      model_open(c.arena, c.n_words > 0 ? c.words[0] : NULL, stream, &compile, &m, &c.err);
  if (ok) {
    text_init(&t, c.arena);
    if (c.json)
      print_json(&t, &m.origin, &m.compiled);
    else {
      text_printf(&t, "%s\n", m.compiled.source->name);
      print_ports(&t, "input ", m.compiled.source, m.compiled.source->inputs,
                  m.compiled.source->n_inputs);
      print_ports(&t, "output", m.compiled.source, m.compiled.source->outputs,
                  m.compiled.source->n_outputs);
      print_states(&t, m.compiled.source);
      bundle_stream_print(&m.origin, &t);
      print_layers(&t, &m.compiled);
      print_plan(&t, &m.compiled);
    }
    fputs(t.data, stdout);
  }
  model_close(&m);
  return command_end(&c, ok);
}
