/* lstm: UNIDIRECTIONAL_SEQUENCE_LSTM with int16 cells. A unit's four gates are worked out together, from the hidden
 * state of the step before, which stays readable in that step's output: no scratch. */
#include "mote/nn/tables16.h"
#include "mote/nn/window.h"

#include <string.h>

/* The operands' places among rows[]. */
enum { X, WEIGHTS, RECURRENT = WEIGHTS + 4, BIAS = RECURRENT + 4, HIDDEN = BIAS + 4, CELL };

/* One step of one batch. */
struct step {
  const struct mote_lstm *p;
  const void *const *rows;
  const void *x, *hidden; /* of the step before */
  int16_t *cell;
  uint32_t size; /* bytes of an activation */
};

static inline int32_t saturate(int32_t x) { return mote_clamp(x, INT16_MIN, INT16_MAX); }

/* R(x): int32 sums with the full multiplier, int64 sums with 15 bits of it. */
static inline int32_t scaled(int64_t sum, const struct mote_scale_pair *s, uint32_t size) {
  if (size == 1)
    return saturate(
        mote_requantise((int32_t)(uint32_t)(uint64_t)sum, s->multiplier, (int)s->shift));
  const uint64_t product =
      (uint64_t)sum * (uint32_t)s->multiplier + ((uint64_t)1 << (s->shift - 1));
  return saturate((int32_t)(uint32_t)((int64_t)product >> s->shift));
}

static inline int32_t gate_of(const struct step *s, uint32_t gate, uint32_t unit, mote_dot *dot) {
  const struct mote_lstm *p = s->p;
  const int8_t *w = (const int8_t *)s->rows[WEIGHTS + gate] + (size_t)unit * p->in_c;
  const int8_t *r = (const int8_t *)s->rows[RECURRENT + gate] + (size_t)unit * p->units;
  const void *bias = s->rows[BIAS + gate];
  const int64_t from = s->size == 1 ? ((const int32_t *)bias)[unit]
                                    : mote_load_64((const uint8_t *)bias + 8 * (size_t)unit);
  const uint64_t sum = (uint64_t)from + (uint64_t)dot(s->x, w, p->in_c, p->in_zp, 0);
  const int64_t again = dot(s->hidden, r, p->units, p->hidden_zp, 0);
  return saturate(scaled((int64_t)sum, &p->gate[gate].input, s->size) +
                  scaled(again, &p->gate[gate].recurrent, s->size));
}

/* A product of two int16 in the units of its result. */
static inline int32_t product(int32_t a, int32_t b, const struct mote_scale_pair *s) {
  return mote_requantise(a * b, s->multiplier, (int)s->shift);
}

/* The hidden value of a unit after the step; its cell is updated. */
static inline int32_t unit_of(const struct step *s, uint32_t unit, mote_dot *dot) {
  const struct mote_lstm *p = s->p;
  /* The tables take 1 / 12288; gates are in 1 / 4096. */
  const int32_t f = mote_sigmoid_s16_of(3 * gate_of(s, MOTE_LSTM_FORGET, unit, dot));
  const int32_t i = mote_sigmoid_s16_of(3 * gate_of(s, MOTE_LSTM_INPUT, unit, dot));
  const int32_t g = mote_tanh_s16_of(3 * gate_of(s, MOTE_LSTM_CELL, unit, dot));
  const int32_t o = mote_sigmoid_s16_of(3 * gate_of(s, MOTE_LSTM_OUTPUT, unit, dot));

  int32_t cell = saturate(saturate(product(f, s->cell[unit], &p->forget)) +
                          saturate(product(i, g, &p->input)));
  if (p->clip >= 0) cell = mote_clamp(cell, -p->clip, p->clip);
  s->cell[unit] = (int16_t)cell;

  const uint32_t half = p->cell_tanh.shift > 0 ? (uint32_t)1 << (p->cell_tanh.shift - 1) : 0;
  const uint32_t x = (uint32_t)cell * (uint32_t)p->cell_tanh.multiplier + half;
  const int32_t t = mote_tanh_s16_of((int32_t)x >> p->cell_tanh.shift);
  const int32_t q = mote_wrap_add(product(t, o, &p->out), p->hidden_zp);
  const int32_t most = s->size == 1 ? INT8_MAX : INT16_MAX;
  return mote_clamp(q, -most - 1, most);
}

static inline void lstm(const void *params, const void *const *rows, void *out, uint32_t size,
                        mote_dot *dot) {
  const struct mote_lstm *p = (const struct mote_lstm *)params;
  const uint32_t x_bytes = p->in_c * size, h_bytes = p->units * size;
  uint8_t *hidden = (uint8_t *)(uintptr_t)rows[HIDDEN], *to = (uint8_t *)out;
  struct step s = {.p = p, .rows = rows, .size = size};
  for (uint32_t b = 0; b < p->batch; b++) {
    s.cell = (int16_t *)(uintptr_t)rows[CELL] + (size_t)b * p->units;
    s.hidden = hidden + (size_t)b * h_bytes;
    for (uint32_t t = 0; t < p->steps; t++) {
      const size_t vector = p->time_major ? (size_t)t * p->batch + b : (size_t)b * p->steps + t;
      void *made = to + vector * h_bytes;
      s.x = (const uint8_t *)rows[X] + vector * x_bytes;
      for (uint32_t u = 0; u < p->units; u++) mote_put(made, u, unit_of(&s, u, dot), size);
      s.hidden = made;
    }
    memmove(hidden + (size_t)b * h_bytes, s.hidden, h_bytes);
  }
}

static void row_s8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  lstm(params, rows, out, 1, mote_dot_s8);
}
static void row_s16(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  lstm(params, rows, out, 2, mote_dot_s16);
}

const struct mote_kernel mote_kernel_lstm_s8 = {NULL, row_s8, NULL};
const struct mote_kernel mote_kernel_lstm_s16 = {NULL, row_s16, NULL};

static int gates_are_good(const struct mote_lstm *p, uint32_t size) {
  for (int g = 0; g < MOTE_LSTM_GATES; g++) {
    const struct mote_scale_pair *pairs[2] = {&p->gate[g].input, &p->gate[g].recurrent};
    for (int i = 0; i < 2; i++) {
      if (size == 1 && !mote_pair_is_good(pairs[i])) return 0;
      if (size == 2 && (pairs[i]->multiplier < 0 || pairs[i]->multiplier > 0x7FFF ||
                        pairs[i]->shift < 1 || pairs[i]->shift > 46))
        return 0;
    }
  }
  return 1;
}

static enum mote_status check(const struct mote_lstm *p, const struct mote_bounds *b,
                              uint32_t size) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->batch == 0 || p->steps == 0 || p->in_c == 0 || p->units == 0 || p->time_major > 1 ||
      p->clip < -1 || !mote_zps_are_good(p->in_zp, 0, size) ||
      !mote_zps_are_good(p->hidden_zp, 0, size) || !gates_are_good(p, size) ||
      !mote_pair_is_good(&p->forget) || !mote_pair_is_good(&p->input) ||
      !mote_pair_is_good(&p->out) || p->cell_tanh.multiplier < 0 || p->cell_tanh.shift < 0 ||
      p->cell_tanh.shift > 31)
    return MOTE_ERR_PARAMS;
  const uint64_t vectors = (uint64_t)p->batch * p->steps; /* times 2^16 bytes: below 2^49 */
  const uint64_t states = (uint64_t)p->batch * p->units;
  if (!mote_bounds_row(b, X, vectors * p->in_c, size) || b->out_bytes % size ||
      vectors * p->units > b->out_bytes / size || !mote_bounds_row(b, HIDDEN, states, size) ||
      !mote_bounds_row(b, CELL, states, 2) || !(b->writable >> HIDDEN & 1) ||
      !(b->writable >> CELL & 1))
    return MOTE_ERR_BOUNDS;
  for (unsigned g = 0; g < MOTE_LSTM_GATES; g++)
    if (!mote_bounds_row(b, WEIGHTS + g, (uint64_t)p->units * p->in_c, 1) ||
        !mote_bounds_row(b, RECURRENT + g, (uint64_t)p->units * p->units, 1) ||
        !mote_bounds_row(b, BIAS + g, (uint64_t)p->units * (size == 1 ? 1 : 2), 4))
      return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

enum mote_status mote_lstm_s8_check(const struct mote_lstm *p, const struct mote_bounds *b) {
  return check(p, b, 1);
}
enum mote_status mote_lstm_s16_check(const struct mote_lstm *p, const struct mote_bounds *b) {
  return check(p, b, 2);
}
size_t mote_lstm_s8_state_bytes(const struct mote_lstm *p) {
  (void)p;
  return 0;
}
size_t mote_lstm_s16_state_bytes(const struct mote_lstm *p) {
  (void)p;
  return 0;
}
