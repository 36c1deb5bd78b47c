/* recurrent_f32: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM in float32. Their states are tensors that the arena keeps
 * between inferences: input rows that are written. */
#include "mote/nn/lanes.h"

#include <string.h>

/* What a state edge needs: the bytes, and the leave to write them. */
static int state_holds(const struct mote_bounds *b, uint32_t edge, uint64_t n) {
  return mote_bounds_row(b, edge, n, sizeof(float)) && (b->writable >> edge & 1);
}

static float activate(float x, uint32_t activation) {
  switch (activation) {
  case MOTE_ACTIVATION_RELU: return mote_real_max(x, 0.0f);
  case MOTE_ACTIVATION_RELU_N1_TO_1: return mote_real_clamp(x, -1.0f, 1.0f);
  case MOTE_ACTIVATION_RELU6: return mote_real_clamp(x, 0.0f, 6.0f);
  case MOTE_ACTIVATION_TANH: return mote_real_tanh(x);
  case MOTE_ACTIVATION_SIGN_BIT: return mote_real_bits(x) >> 31 ? 1.0f : 0.0f;
  default: return x;
  }
}

/* ---- SVDF ---------------------------------------------------------------------- */
/* One batch; the features of its filters already stand at the end of each filter's memory. */
void mote_svdf_units_f32(const struct mote_svdf_f32 *p, const float *state, const float *time,
                         const float *bias, float *out) {
  for (uint32_t u = 0, f = 0; f < p->filters; u++) {
    float sum = bias ? bias[u] : 0.0f;
    for (uint32_t i = 0; i < p->rank; i++, f++)
      sum += mote_dot_f32(state + (size_t)f * p->memory, 1, time + (size_t)f * p->memory, 1,
                          p->memory);
    out[u] = activate(sum, p->activation);
  }
}

static void svdf_row(const void *params, const void *const *rows, void *scratch, void *out) {
  const struct mote_svdf_f32 *p = (const struct mote_svdf_f32 *)params;
  const float *x = (const float *)rows[0], *feature = (const float *)rows[1];
  const float *time = (const float *)rows[2];
  const float *bias = p->bias ? (const float *)rows[3] : NULL;
  float *state = (float *)(uintptr_t)rows[3 + p->bias], *to = (float *)out;
  const uint32_t memory = p->memory;
  (void)scratch;
  for (uint32_t b = 0; b < p->batches; b++) {
    for (uint32_t f = 0; f < p->filters; f += 4) {
      const uint32_t some = p->filters - f < 4 ? p->filters - f : 4;
      struct mote_lanes_f32 lanes;
      lanes.begun = 0;
      const float *at[4];
      for (uint32_t i = 0; i < 4; i++) at[i] = feature + (size_t)(f + (i < some ? i : 0)) * p->in_c;
      mote_lanes_add_f32(&lanes, x, at, p->in_c);
      for (uint32_t i = 0; i < some; i++) {
        float *of = state + (size_t)(f + i) * memory;
        memmove(of, of + 1, (size_t)(memory - 1) * sizeof *of);
        of[memory - 1] = mote_lanes_total(&lanes, i);
      }
    }
    mote_svdf_units_f32(p, state, time, bias, to);
    x += p->in_c;
    to += p->filters / p->rank;
    state += (size_t)p->filters * memory;
  }
}

const struct mote_kernel mote_kernel_svdf_f32 = {NULL, svdf_row, NULL};

size_t mote_svdf_f32_state_bytes(const struct mote_svdf_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_svdf_f32_check(const struct mote_svdf_f32 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  return mote_svdf_real_check(p, b, sizeof(float));
}

enum mote_status mote_svdf_real_check(const struct mote_svdf_f32 *p, const struct mote_bounds *b,
                                      uint32_t feature_bytes) {
  if (p->batches == 0 || p->in_c == 0 || p->filters == 0 || p->memory == 0 || p->rank == 0 ||
      p->filters % p->rank || p->bias > 1 || p->activation > MOTE_ACTIVATION_SIGN_BIT)
    return MOTE_ERR_PARAMS;
  const uint64_t units = p->filters / p->rank, kept = (uint64_t)p->filters * p->memory;
  const uint32_t state = 3 + (uint32_t)p->bias;
  if (!mote_bounds_row(b, state, kept, sizeof(float))) return MOTE_ERR_BOUNDS; /* kept < 2^62 */
  return mote_bounds_row(b, 0, (uint64_t)p->batches * p->in_c, sizeof(float)) &&
                 mote_bounds_row(b, 1, (uint64_t)p->filters * p->in_c, feature_bytes) &&
                 mote_bounds_row(b, 2, kept, sizeof(float)) &&
                 (!p->bias || mote_bounds_row(b, 3, units, sizeof(float))) &&
                 p->batches <= b->row_bytes[state] / sizeof(float) / kept &&
                 state_holds(b, state, kept * p->batches) &&
                 p->batches * units <= b->out_bytes / sizeof(float)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- LSTM ------------------------------------------------------------------------ */
enum { GATES = 4, INPUT = 1, RECURRENT = 5, BIAS = 9, HIDDEN = 13, CELL = 14 };

/* The sums of one cell's gates, in the order input, forget, cell, output. */
static void gates_of(const struct mote_lstm_f32 *p, const void *const *rows, const float *x,
                     const float *hidden, uint32_t cell, float gate[GATES]) {
  struct mote_lanes_f32 in, back;
  in.begun = back.begun = 0;
  const float *from_x[GATES], *from_h[GATES];
  for (int g = 0; g < GATES; g++) {
    from_x[g] = (const float *)rows[INPUT + g] + (size_t)cell * p->in_c;
    from_h[g] = (const float *)rows[RECURRENT + g] + (size_t)cell * p->cells;
  }
  mote_lanes_add_f32(&in, x, from_x, p->in_c);
  mote_lanes_add_f32(&back, hidden, from_h, p->cells);
  for (uint32_t g = 0; g < GATES; g++)
    gate[g] = (mote_lanes_total(&in, g) + ((const float *)rows[BIAS + g])[cell]) +
              mote_lanes_total(&back, g);
}

/* One step of one batch: the new hidden state goes to out, since the old is read to the end. */
static void lstm_step(const struct mote_lstm_f32 *p, const void *const *rows, const float *x,
                      uint32_t batch, float *out) {
  float *hidden = (float *)(uintptr_t)rows[HIDDEN] + (size_t)batch * p->cells;
  float *state = (float *)(uintptr_t)rows[CELL] + (size_t)batch * p->cells;
  for (uint32_t i = 0; i < p->cells; i++) {
    float gate[GATES];
    gates_of(p, rows, x, hidden, i, gate);
    float c = mote_real_logistic(gate[1]) * state[i] +
              mote_real_logistic(gate[0]) * mote_real_tanh(gate[2]);
    if (p->cell_clip > 0) c = mote_real_clamp(c, -p->cell_clip, p->cell_clip);
    state[i] = c;
    out[i] = mote_real_tanh(c) * mote_real_logistic(gate[3]);
  }
  memmove(hidden, out, p->cells * sizeof *out);
}

static void lstm_row(const void *params, const void *const *rows, void *scratch, void *out) {
  const struct mote_lstm_f32 *p = (const struct mote_lstm_f32 *)params;
  const float *x = (const float *)rows[0];
  float *to = (float *)out;
  const uint32_t outer = p->time_major ? p->steps : p->batches;
  const uint32_t inner = p->time_major ? p->batches : p->steps;
  (void)scratch;
  for (uint32_t i = 0; i < outer; i++)
    for (uint32_t j = 0; j < inner; j++, x += p->in_c, to += p->cells)
      lstm_step(p, rows, x, p->time_major ? j : i, to);
}

const struct mote_kernel mote_kernel_lstm_f32 = {NULL, lstm_row, NULL};

size_t mote_lstm_f32_state_bytes(const struct mote_lstm_f32 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_lstm_f32_check(const struct mote_lstm_f32 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->batches == 0 || p->steps == 0 || p->in_c == 0 || p->cells == 0 || p->time_major > 1)
    return MOTE_ERR_PARAMS;
  const uint64_t kept = (uint64_t)p->batches * p->cells, vectors = (uint64_t)p->batches * p->steps;
  for (uint32_t g = 0; g < GATES; g++) {
    if (!mote_bounds_row(b, INPUT + g, (uint64_t)p->cells * p->in_c, sizeof(float)) ||
        !mote_bounds_row(b, RECURRENT + g, (uint64_t)p->cells * p->cells, sizeof(float)) ||
        !mote_bounds_row(b, BIAS + g, p->cells, sizeof(float)))
      return MOTE_ERR_BOUNDS;
  }
  if (!state_holds(b, HIDDEN, kept) || !state_holds(b, CELL, kept)) return MOTE_ERR_BOUNDS;
  /* Rows are shorter than memory, so the quotients below cannot lose anything that counts. */
  return b->n_in >= 1 && b->rows[0] == 1 && !(b->missing & 1) &&
                 vectors <= b->row_bytes[0] / sizeof(float) / p->in_c &&
                 vectors <= b->out_bytes / sizeof(float) / p->cells
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
