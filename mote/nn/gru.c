/* gru: GRU with int16 states. A unit's gates are worked out together, from the states before the step; the new ones gather
 * in scratch, since every unit reads all of the old. */
#include "mote/nn/tables16.h"
#include "mote/nn/window.h"

#include <string.h>

/* The operands' places among rows[]. */
enum { X, WEIGHTS, RECURRENT = WEIGHTS + 3, BIAS = RECURRENT + 3, HIDDEN };
/* Rows of the biases: one for each gate, then that of the new gate's recurrent sum. */
enum { AGAIN = MOTE_GRU_GATES, BIASES };

/* One step of one batch. */
struct step {
  const struct mote_gru *p;
  const void *const *rows;
  const int8_t *x;
  const int16_t *hidden; /* of the step before */
};

static inline int32_t saturate(int32_t x) { return mote_clamp(x, INT16_MIN, INT16_MAX); }

static inline int32_t scaled(int32_t sum, const struct mote_scale_pair *s) {
  return saturate(mote_requantise(sum, s->multiplier, (int)s->shift));
}

static inline int32_t of_x(const struct step *s, uint32_t gate, uint32_t unit) {
  const struct mote_gru *p = s->p;
  const int8_t *w = (const int8_t *)s->rows[WEIGHTS + gate] + (size_t)unit * p->in_c;
  return scaled((int32_t)mote_dot_s8(s->x, w, p->in_c, p->in_zp, 0), &p->input[gate]);
}

static inline int32_t of_hidden(const struct step *s, uint32_t gate, uint32_t unit) {
  const struct mote_gru *p = s->p;
  const int8_t *w = (const int8_t *)s->rows[RECURRENT + gate] + (size_t)unit * p->units;
  /* 512 products of at most 2^7 * 32767 stay below 2^31. */
  const uint64_t sum = (uint64_t)mote_dot_s16(s->hidden, w, p->units, 0, 0);
  return scaled((int32_t)(uint32_t)sum, &p->recurrent[gate]);
}

static inline int32_t bias_of(const struct step *s, uint32_t row, uint32_t unit) {
  return ((const int16_t *)s->rows[BIAS])[row * s->p->units + unit];
}

/* The tables take 1 / 12288; gates are in 1 / 4096. */
static inline int32_t sigmoid_of(const struct step *s, uint32_t gate, uint32_t unit) {
  return mote_sigmoid_s16_of(
      3 * saturate(of_x(s, gate, unit) + of_hidden(s, gate, unit) + bias_of(s, gate, unit)));
}

/* The state of a unit after the step. */
static inline int32_t unit_of(const struct step *s, uint32_t unit) {
  const int32_t half = 1 << 14;
  const int32_t z = sigmoid_of(s, MOTE_GRU_UPDATE, unit);
  const int32_t r = sigmoid_of(s, MOTE_GRU_RESET, unit);
  const int32_t again = saturate(of_hidden(s, MOTE_GRU_NEW, unit) + bias_of(s, AGAIN, unit));
  const int32_t passed = (r * again + half) >> 15; /* r >= 0: below 2^30 */
  const int32_t n = mote_tanh_s16_of(
      3 * saturate(of_x(s, MOTE_GRU_NEW, unit) + bias_of(s, MOTE_GRU_NEW, unit) + passed));
  /* Shares of 2^15 in all: at most 2^30, and not above the larger of both. */
  return (z * s->hidden[unit] + (((int32_t)1 << 15) - z) * n + half) >> 15;
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_gru *p = (const struct mote_gru *)params;
  int16_t *fresh = (int16_t *)state;
  int8_t *to = (int8_t *)out;
  struct step s = {.p = p, .rows = rows, .x = (const int8_t *)rows[X]};
  for (uint32_t b = 0; b < p->batch; b++) {
    int16_t *hidden = (int16_t *)(uintptr_t)rows[HIDDEN] + (size_t)b * p->units;
    s.hidden = hidden;
    for (uint32_t t = 0; t < p->steps; t++, s.x += p->in_c, to += p->units) {
      for (uint32_t u = 0; u < p->units; u++) {
        const int32_t h = unit_of(&s, u), q = (h + 128) >> 8;
        fresh[u] = (int16_t)h;
        to[u] = (int8_t)(q > INT8_MAX ? INT8_MAX : q);
      }
      memmove(hidden, fresh, p->units * sizeof *hidden);
    }
  }
}

const struct mote_kernel mote_kernel_gru_s8 = {NULL, row, NULL};

size_t mote_gru_s8_state_bytes(const struct mote_gru *p) { return p->units * sizeof(int16_t); }

enum mote_status mote_gru_s8_check(const struct mote_gru *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->batch == 0 || p->steps == 0 || p->in_c == 0 || p->units == 0 ||
      p->units > MOTE_GRU_MOST_UNITS || !mote_is_int8(p->in_zp))
    return MOTE_ERR_PARAMS;
  for (int g = 0; g < MOTE_GRU_GATES; g++)
    if (!mote_pair_is_good(&p->input[g]) || !mote_pair_is_good(&p->recurrent[g]))
      return MOTE_ERR_PARAMS;
  const uint64_t vectors = (uint64_t)p->batch * p->steps; /* times 2^16: below 2^48 */
  if (b->state_bytes < mote_gru_s8_state_bytes(p) || !mote_bounds_row(b, X, vectors * p->in_c, 1) ||
      vectors * p->units > b->out_bytes ||
      !mote_bounds_row(b, BIAS, (uint64_t)BIASES * p->units, sizeof(int16_t)) ||
      !mote_bounds_row(b, HIDDEN, (uint64_t)p->batch * p->units, sizeof(int16_t)) ||
      !(b->writable >> HIDDEN & 1))
    return MOTE_ERR_BOUNDS;
  for (unsigned g = 0; g < MOTE_GRU_GATES; g++)
    if (!mote_bounds_row(b, WEIGHTS + g, (uint64_t)p->units * p->in_c, 1) ||
        !mote_bounds_row(b, RECURRENT + g, (uint64_t)p->units * p->units, 1))
      return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
