/* lower: recipes of the integer operators with a memory (mote/nn/sequence.h). See lower.c and private.h. */
#include "host/compile/private.h"

static struct mote_scale_pair pair_of(double real) {
  struct mote_scale_pair s;
  int shift;
  graph_multiplier(real, &s.multiplier, &shift);
  s.shift = shift;
  return s;
}

static bool build_svdf(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = &g->tensors[n->in[0]], *time = &g->tensors[n->in[2]],
                            *state = &g->tensors[n->in[4]], *y = &g->tensors[n->out[0]];
  struct mote_svdf *p = &f->params.svdf_s16;
  double feature, out;
  if (flat) return false;
  if (!sizes_fit(x, e) || !sizes_fit(time, e) || !fits16(n->attrs.svdf_rank)) return false;
  whole_form(g, work, f);
  graph_svdf_scales(g, n, &feature, &out);
  p->feature = pair_of(feature);
  p->out = pair_of(out);
  p->batch = (uint16_t)x->dims[0];
  p->in_c = (uint16_t)x->dims[1];
  p->filters = (uint16_t)time->dims[0];
  p->memory = (uint16_t)time->dims[1];
  p->rank = (uint16_t)n->attrs.svdf_rank;
  p->in_zp = (int16_t)x->quant.zp[0];
  p->state_zp = (int16_t)state->quant.zp[0];
  p->out_zp = (int16_t)y->quant.zp[0];
  p->has_bias = n->in[3] >= 0;
  f->instructions = (int64_t)p->batch * p->filters * (60 + 5 * p->in_c + 10 * (int64_t)p->memory);
  return true;
}

/* Cut into steps of time where there is one sequence in order. */
static void set_steps(const struct graph *g, const struct work *work, bool in_steps,
                      struct form *f) {
  whole_form(g, work, f);
  if (!in_steps) return;
  for (int k = 1; k < work->n_in; k++) f->reach[k] = FIRST_ROW;
  f->in[0] = rows_of_tensor(&g->tensors[work->in[0]]);
  f->out = rows_of_tensor(&g->tensors[work->out[0]]);
  f->calls = f->out.rows;
}

static bool build_lstm(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  const bool time_major = n->attrs.time_major, wide = x->type == MOTE_INT16;
  struct mote_lstm *p = &f->params.lstm_s16;
  struct graph_lstm_scales s;
  if (!sizes_fit(x, e) || !sizes_fit(y, e)) return false;
  const bool in_steps = !flat && !time_major && x->dims[0] == 1;
  if (flat && (time_major || x->dims[0] != 1 || x->dims[1] == 1)) return false;
  set_steps(g, work, in_steps, f);
  graph_lstm_scales_of(g, n, &s);
  for (int i = 0; i < MOTE_LSTM_GATES; i++) {
    struct mote_lstm_gate *gate = &p->gate[i];
    gate->input = pair_of(s.input[i]);
    gate->recurrent = pair_of(s.recurrent[i]);
    if (!wide) continue;
    const uint32_t input = graph_wide_scale(s.input[i]),
                   recurrent = graph_wide_scale(s.recurrent[i]);
    gate->input = (struct mote_scale_pair){(int32_t)(input >> 16), (int32_t)(input & 0xFFFF)};
    gate->recurrent =
        (struct mote_scale_pair){(int32_t)(recurrent >> 16), (int32_t)(recurrent & 0xFFFF)};
  }
  p->forget = pair_of(s.forget_product);
  p->input = pair_of(s.input_product);
  p->out = pair_of(s.out_product);
  /* The cell in units of 1 / 12288: three times 2^(12 + power). */
  const int up = 12 + s.cell_power;
  p->cell_tanh = (struct mote_scale_pair){up > 0 ? 3 << up : 3, up < 0 ? -up : 0};
  p->batch = (uint16_t)(time_major ? x->dims[1] : x->dims[0]);
  p->steps = (uint16_t)(in_steps ? 1 : time_major ? x->dims[0] : x->dims[1]);
  p->in_c = (uint16_t)x->dims[2];
  p->units = (uint16_t)y->dims[2];
  p->in_zp = (int16_t)x->quant.zp[0];
  p->hidden_zp = (int16_t)g->tensors[n->in[18]].quant.zp[0];
  p->clip = (int16_t)s.clip;
  p->time_major = time_major;
  f->instructions = graph_elements(y) * (600 + 16 * ((int64_t)p->in_c + p->units));
  return true;
}

static bool build_gru(const struct graph *g, const struct work *work, bool flat, struct form *f,
                      struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  struct mote_gru *p = &f->params.gru_s8;
  struct graph_gru_scales s;
  if (!sizes_fit(x, e) || !sizes_fit(y, e)) return false;
  if (flat && (x->dims[0] != 1 || x->dims[1] == 1)) return false;
  const bool in_steps = !flat && x->dims[0] == 1;
  set_steps(g, work, in_steps, f);
  graph_gru_scales_of(g, n, &s);
  for (int i = 0; i < MOTE_GRU_GATES; i++) {
    p->input[i] = pair_of(s.input[i]);
    p->recurrent[i] = pair_of(s.recurrent[i]);
  }
  p->batch = (uint16_t)x->dims[0];
  p->steps = (uint16_t)(in_steps ? 1 : x->dims[1]);
  p->in_c = (uint16_t)x->dims[2];
  p->units = (uint16_t)y->dims[2];
  p->in_zp = (int16_t)x->quant.zp[0];
  f->state_bytes = mote_gru_s8_state_bytes(p);
  f->instructions = graph_elements(y) * (600 + 5 * ((int64_t)p->in_c + p->units));
  return true;
}

static bool takes_svdf(const struct graph *g, const struct graph_node *n, enum mote_type state) {
  return g->tensors[n->in[0]].type == MOTE_INT8 && g->tensors[n->in[4]].type == state;
}
static bool takes_svdf_s8(const struct graph *g, const struct graph_node *n) {
  return takes_svdf(g, n, MOTE_INT8);
}
static bool takes_svdf_s16(const struct graph *g, const struct graph_node *n) {
  return takes_svdf(g, n, MOTE_INT16);
}
static bool takes_lstm_s8(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_INT8;
}
static bool takes_lstm_s16(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_INT16;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_SVDF,
     .kernel = MOTE_KERNEL_svdf_s8,
     .takes = takes_svdf_s8,
     .build = build_svdf},
    {.op = MOTE_OP_SVDF,
     .kernel = MOTE_KERNEL_svdf_s16,
     .takes = takes_svdf_s16,
     .build = build_svdf},
    {.op = MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM,
     .kernel = MOTE_KERNEL_lstm_s8,
     .takes = takes_lstm_s8,
     .build = build_lstm},
    {.op = MOTE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM,
     .kernel = MOTE_KERNEL_lstm_s16,
     .takes = takes_lstm_s16,
     .build = build_lstm},
    {.op = MOTE_OP_GRU, .kernel = MOTE_KERNEL_gru_s8, .build = build_gru},
};
const struct lower_family lower_sequence = {recipes, sizeof recipes / sizeof *recipes};
