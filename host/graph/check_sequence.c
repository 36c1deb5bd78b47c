/* graph: rules of the operators with a memory. Inputs as in the TensorFlow Lite schema:
 *
 *   SVDF   x [n,c]; weights of features [filters,c] and of time [filters,memory]; bias [units] or -1; state
 *          [n, memory * filters] (written). svdf_rank filters make a unit; output [n,units].
 *          float32, or int8 with int8 feature weights, int32 bias, and time weights and state both int8 or int16.
 *          The activation counts for float32 alone, as in the reference.
 *   UNIDIRECTIONAL_SEQUENCE_LSTM   24 inputs: 0 x [n,t,c], or [t,n,c] where time_major; 1-4 weights of the input,
 *          forget, cell and output gate [units,c]; 5-8 recurrent ones [units,units]; 12-15 biases [units]; 18
 *          hidden state, 19 cell state, n * units elements (written); the others are -1. Output like x with
 *          units. cell_clip > 0 bounds the cell.
 *          float32; or x, hidden state and output int8 with int32 biases, or int16 with int64 biases, weights
 *          int8 and the cell state int16 (its scale a power of 2).
 *   GRU    9 inputs: 0 x [n,t,c]; 1-3 weights of the update, reset and new gate [units,c]; 4-6 recurrent ones
 *          [units,units]; 7 biases [4,units], the last those of the new gate's recurrent sums; 8 hidden state, n * units
 *          elements (written). Output [n,t,units]. x, weights and output int8, the output's scale 2^-7 and zero point 0;
 *          biases int16 in steps of 2^-12; hidden state int16 in steps of 2^-15. */
#include "host/graph/private.h"
#include "mote/nn/nn.h"

#include <math.h>

static bool check_shape(const struct check *c, const struct graph_tensor *t, int rank,
                        int64_t first, int64_t second, const char *what) {
  if (t->rank == rank && t->dims[0] == first && (rank < 2 || t->dims[1] == second)) return true;
  if (rank == 1)
    return err_set(c->e, "its %s has shape %s; [%lld] is needed", what, check_shape_of(t).text,
                   (long long)first);
  return err_set(c->e, "its %s has shape %s; [%lld,%lld] is needed", what, check_shape_of(t).text,
                 (long long)first, (long long)second);
}

static bool check_real(const struct check *c, double real, double most, const char *what) {
  if (isfinite(real) && real >= 0 && real < most) return true;
  return err_set(c->e, "the scales of its %s give %g; below %g it can be computed with", what, real,
                 most);
}

static bool check_svdf_scales(const struct check *c) {
  static const char *const names[] = {"input", "feature weights", "time weights", "bias", "state"};
  for (int i = 0; i < 5; i++)
    if (i != 3 && !check_one_scale(c, check_in(c, i), names[i])) return false;
  if (!check_one_scale(c, check_out(c, 0), "output")) return false;
  double feature, out;
  graph_svdf_scales(c->g, c->n, &feature, &out);
  return check_real(c, feature, 1073741824.0, "state") &&
         check_real(c, out, 1073741824.0, "output");
}

static bool check_svdf(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *feature = check_in(c, 1), *time = check_in(c, 2),
                            *state = check_in(c, 4), *y = check_out(c, 0);
  const bool real = x->type == MOTE_FLOAT32;
  if (!check_type(c, x, S8 | F32, "input") || !check_same_type(c, x, y) ||
      !check_type(c, feature, real ? F32 | S8 : S8, "feature weights") ||
      (real && feature->type == MOTE_INT8 &&
       (!check_hybrid_weights(c, 0) || !check_one_scale(c, feature, "feature weights"))) ||
      !check_type(c, time, real ? F32 : S8 | S16, "time weights") ||
      !check_same_type(c, time, state) || !check_rank(c, x, 2, "input") ||
      !check_rank(c, feature, 2, "feature weights") || !check_rank(c, time, 2, "time weights"))
    return false;
  const int64_t n = x->dims[0], filters = feature->dims[0];
  const int rank = c->n->attrs.svdf_rank;
  if (rank < 1 || filters % rank != 0)
    return err_set(c->e, "rank %d does not divide its %lld filters", rank, (long long)filters);
  if (!check_shape(c, feature, 2, filters, x->dims[1], "feature weights") ||
      !check_shape(c, time, 2, filters, time->dims[1], "time weights") ||
      !check_shape(c, state, 2, n, filters * time->dims[1], "state") ||
      !check_shape(c, y, 2, n, filters / rank, "output"))
    return false;
  if (check_has(c, 3) && (!check_type(c, check_in(c, 3), real ? F32 : S32, "bias") ||
                          !check_shape(c, check_in(c, 3), 1, filters / rank, 0, "bias")))
    return false;
  return real || check_svdf_scales(c);
}

/* Inputs of an LSTM. */
enum {
  WEIGHTS = 1,
  RECURRENT = 5,
  PEEPHOLES = 9,
  BIASES = 12,
  PROJECTION = 16,
  HIDDEN = 18,
  CELL,
  NORMS
};

static bool check_lstm_types(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  const bool real = x->type == MOTE_FLOAT32;
  if (!check_type(c, x, S8 | S16 | F32, "input") || !check_same_type(c, x, check_out(c, 0)) ||
      !check_same_type(c, x, check_in(c, HIDDEN)) ||
      !check_type(c, check_in(c, CELL), real ? F32 : S16, "cell state"))
    return false;
  const uint32_t bias = real ? F32 : x->type == MOTE_INT8 ? S32 : S64;
  for (int i = 0; i < 4; i++)
    if (!check_type(c, check_in(c, WEIGHTS + i), real ? F32 : S8, "weights") ||
        !check_type(c, check_in(c, RECURRENT + i), real ? F32 : S8, "recurrent weights") ||
        !check_type(c, check_in(c, BIASES + i), bias, "bias"))
      return false;
  return true;
}

static bool check_lstm_scales(const struct check *c) {
  if (!check_one_scale(c, check_in(c, 0), "input") ||
      !check_one_scale(c, check_in(c, HIDDEN), "hidden state") ||
      !check_one_scale(c, check_in(c, CELL), "cell state"))
    return false;
  for (int i = 0; i < 4; i++)
    if (!check_one_scale(c, check_in(c, WEIGHTS + i), "weights") ||
        !check_one_scale(c, check_in(c, RECURRENT + i), "recurrent weights"))
      return false;
  struct graph_lstm_scales s;
  graph_lstm_scales_of(c->g, c->n, &s);
  const double most = check_in(c, 0)->type == MOTE_INT16 ? 16384.0 : 1073741824.0;
  for (int i = 0; i < 4; i++)
    if (!check_real(c, s.input[i], most, "gates") || !check_real(c, s.recurrent[i], most, "gates"))
      return false;
  if (s.cell_power < -31 || s.cell_power > 0)
    return err_set(c->e, "the scale of its cell state is %g; 2^-31 to 1 are possible",
                   (double)check_in(c, CELL)->quant.scale[0]);
  return check_real(c, s.input_product, 1073741824.0, "cell state") &&
         check_real(c, s.out_product, 1073741824.0, "hidden state");
}

static bool check_lstm(const struct check *c) {
  static const struct {
    int first, n;
    const char *what;
  } left_out[] = {{PEEPHOLES, 3, "peepholes"},
                  {PROJECTION, 2, "a projection"},
                  {NORMS, 4, "layer normalisation"}};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < left_out[k].n; i++)
      if (check_has(c, left_out[k].first + i))
        return err_set(c->e, "an LSTM with %s is not supported, nor by the reference",
                       left_out[k].what);
  if (c->n->attrs.activation != GRAPH_ACT_TANH) return err_set(c->e, "its activation must be tanh");
  if (!check_lstm_types(c)) return false;
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  if (!check_rank(c, x, 3, "input") || !check_rank(c, y, 3, "output")) return false;
  const int32_t units = y->dims[2], n = c->n->attrs.time_major ? x->dims[1] : x->dims[0];
  if (y->dims[0] != x->dims[0] || y->dims[1] != x->dims[1])
    return err_set(c->e, "input %s and output %s must have as many steps and sequences",
                   check_shape_of(x).text, check_shape_of(y).text);
  for (int i = 0; i < 4; i++)
    if (!check_shape(c, check_in(c, WEIGHTS + i), 2, units, x->dims[2], "weights") ||
        !check_shape(c, check_in(c, RECURRENT + i), 2, units, units, "recurrent weights") ||
        !check_shape(c, check_in(c, BIASES + i), 1, units, 0, "bias"))
      return false;
  if (graph_elements(check_in(c, HIDDEN)) != (int64_t)n * units ||
      graph_elements(check_in(c, CELL)) != (int64_t)n * units)
    return err_set(c->e, "its states %s and %s must have %d times %d elements",
                   check_shape_of(check_in(c, HIDDEN)).text, check_shape_of(check_in(c, CELL)).text,
                   n, units);
  return x->type == MOTE_FLOAT32 || check_lstm_scales(c);
}

/* Inputs of a GRU. */
enum { GRU_WEIGHTS = 1, GRU_RECURRENT = 4, GRU_BIASES = 7, GRU_HIDDEN };

static bool check_fixed_scale(const struct check *c, const struct graph_tensor *t, float scale,
                              const char *what) {
  if (!check_one_scale(c, t, what)) return false;
  if (t->quant.scale[0] == scale && t->quant.zp[0] == 0) return true;
  return err_set(c->e, "scale %g and zero point %d of its %s must be %g and 0",
                 (double)t->quant.scale[0], t->quant.zp[0], what, (double)scale);
}

static bool check_gru_weights(const struct check *c, int input, int32_t units, int32_t columns,
                              const char *what) {
  const struct graph_tensor *w = check_in(c, input);
  if (!check_type(c, w, S8, what) || !check_shape(c, w, 2, units, columns, what) ||
      !check_one_scale(c, w, what))
    return false;
  return w->quant.zp[0] == 0 ||
         err_set(c->e, "the zero point of its %s is %d and must be 0", what, w->quant.zp[0]);
}

static bool check_gru(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0),
                            *biases = check_in(c, GRU_BIASES), *hidden = check_in(c, GRU_HIDDEN);
  if (!check_type(c, x, S8, "input") || !check_type(c, y, S8, "output") ||
      !check_type(c, biases, S16, "biases") || !check_type(c, hidden, S16, "hidden state") ||
      !check_rank(c, x, 3, "input") || !check_rank(c, y, 3, "output"))
    return false;
  const int32_t units = y->dims[2];
  if (y->dims[0] != x->dims[0] || y->dims[1] != x->dims[1])
    return err_set(c->e, "input %s and output %s must have as many steps and sequences",
                   check_shape_of(x).text, check_shape_of(y).text);
  if (units > MOTE_GRU_MOST_UNITS)
    return err_set(c->e, "it has %d units; at most %d are possible", units, MOTE_GRU_MOST_UNITS);
  for (int i = 0; i < MOTE_GRU_GATES; i++)
    if (!check_gru_weights(c, GRU_WEIGHTS + i, units, x->dims[2], "weights") ||
        !check_gru_weights(c, GRU_RECURRENT + i, units, units, "recurrent weights"))
      return false;
  if (!check_shape(c, biases, 2, 4, units, "biases")) return false;
  if (graph_elements(hidden) != (int64_t)x->dims[0] * units)
    return err_set(c->e, "its hidden state %s must have %d times %d elements",
                   check_shape_of(hidden).text, x->dims[0], units);
  if (!check_one_scale(c, x, "input") || !check_fixed_scale(c, y, 0x1p-7f, "output") ||
      !check_fixed_scale(c, biases, 0x1p-12f, "biases") ||
      !check_fixed_scale(c, hidden, 0x1p-15f, "hidden state"))
    return false;
  struct graph_gru_scales s;
  graph_gru_scales_of(c->g, c->n, &s);
  for (int i = 0; i < MOTE_GRU_GATES; i++)
    if (!check_real(c, s.input[i], 1073741824.0, "gates") ||
        !check_real(c, s.recurrent[i], 1073741824.0, "gates"))
      return false;
  return true;
}

const struct graph_rule graph_rule_SVDF = {5, 5, 1, 1, 1u << 3, 1u << 4, check_svdf};
const struct graph_rule graph_rule_UNIDIRECTIONAL_SEQUENCE_LSTM = {
    24,
    24,
    1,
    1,
    7u << PEEPHOLES | 3u << PROJECTION | 15u << NORMS,
    1u << HIDDEN | 1u << CELL,
    check_lstm};
const struct graph_rule graph_rule_GRU = {9, 9, 1, 1, 0, 1u << GRU_HIDDEN, check_gru};
