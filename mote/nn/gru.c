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

/* The sums of a unit's three gates over x and over the states, in steps of 2^-12. */
struct sums {
  int32_t of_x[MOTE_GRU_GATES], of_hidden[MOTE_GRU_GATES];
};

static inline void sums_of(const struct step *s, uint32_t unit, struct sums *to) {
  const struct mote_gru *p = s->p;
  const int8_t *w[MOTE_GRU_GATES];
  for (uint32_t g = 0; g < MOTE_GRU_GATES; g++)
    w[g] = (const int8_t *)s->rows[WEIGHTS + g] + (size_t)unit * p->in_c;
  mote_isa_dots3_s8(s->x, w, p->in_c, p->in_zp, to->of_x);
  for (uint32_t g = 0; g < MOTE_GRU_GATES; g++)
    w[g] = (const int8_t *)s->rows[RECURRENT + g] + (size_t)unit * p->units;
  mote_isa_dots3_s16(s->hidden, w, p->units, to->of_hidden); /* 512 * 2^7 * 32767 < 2^31 */
  for (uint32_t g = 0; g < MOTE_GRU_GATES; g++) {
    to->of_x[g] = scaled(to->of_x[g], &p->input[g]);
    to->of_hidden[g] = scaled(to->of_hidden[g], &p->recurrent[g]);
  }
}

static inline int32_t bias_of(const struct step *s, uint32_t row, uint32_t unit) {
  return ((const int16_t *)s->rows[BIAS])[row * s->p->units + unit];
}

/* The state of a unit after the step. The tables take 1 / 12288; gates are in 1 / 4096. */
static inline int32_t unit_of(const struct step *s, uint32_t unit) {
  enum { Z = MOTE_GRU_UPDATE, R = MOTE_GRU_RESET, N = MOTE_GRU_NEW };
  const int32_t half = 1 << 14, one = (int32_t)1 << 15;
  struct sums d;
  sums_of(s, unit, &d);
  int32_t gate[2];
  for (uint32_t g = 0; g < 2; g++)
    gate[g] = mote_sigmoid_s16_of(3 * saturate(d.of_x[g] + d.of_hidden[g] + bias_of(s, g, unit)));
  const int32_t again = saturate(d.of_hidden[N] + bias_of(s, AGAIN, unit));
  const int32_t passed = (gate[R] * again + half) >> 15; /* the gate >= 0: below 2^30 */
  const int32_t n = mote_tanh_s16_of(3 * saturate(d.of_x[N] + bias_of(s, N, unit) + passed));
  /* Shares of 2^15 in all: at most 2^30, and not above the larger of both. */
  return (gate[Z] * s->hidden[unit] + (one - gate[Z]) * n + half) >> 15;
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
