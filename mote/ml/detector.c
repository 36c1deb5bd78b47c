/* Detections in a stream of scores: the mean of a class's last scores, a threshold, and silence. */
#include "mote/ml/ml.h"

#include <string.h>

/* What stands before the ring of scores in the state. */
struct memory {
  uint8_t at, filled; /* the oldest row of the ring; rows that hold scores */
  uint16_t reserved;
};

enum mote_status mote_detector_check(const struct mote_detector *d, const void *state,
                                     size_t bytes) {
  if (!d->classes || !d->rows || d->rows > MOTE_DETECTOR_MOST_ROWS) return MOTE_ERR_PARAMS;
  for (uint32_t c = 0; c < d->classes; c++)
    if (d->rules[c].average > d->rows) return MOTE_ERR_PARAMS;
  if ((uintptr_t)state & 1) return MOTE_ERR_ALIGN;
  return bytes < MOTE_DETECTOR_BYTES(d->classes, d->rows) ? MOTE_ERR_ARENA : MOTE_OK;
}

void mote_detector_begin(const struct mote_detector *d, void *state) {
  memset(state, 0, MOTE_DETECTOR_BYTES(d->classes, d->rows));
}

/* The sum of the newest `average` scores of a class, each from 0 to 255. range: at most 64 * 255. */
static uint32_t sum_of(const struct mote_detector *d, const struct memory *m, const int8_t *ring,
                       uint32_t class_index, uint32_t average) {
  uint32_t sum = 0, row = m->at;
  for (uint32_t k = 0; k < average; k++) {
    row = row ? row - 1 : d->rows - 1u;
    sum += (uint32_t)(ring[row * d->classes + class_index] + 128);
  }
  return sum;
}

int32_t mote_detector_next(const struct mote_detector *d, void *state, const int8_t *scores) {
  struct memory *const m = state;
  uint16_t *const silent = (uint16_t *)(m + 1);
  int8_t *const ring = (int8_t *)(silent + d->classes);
  int32_t best = -1;
  uint32_t most = 0, of = 1; /* the best mean is most / of */
  memcpy(ring + (size_t)m->at * d->classes, scores, d->classes);
  m->at = (uint8_t)(m->at + 1 == d->rows ? 0 : m->at + 1);
  if (m->filled < d->rows) m->filled++;
  for (uint32_t c = 0; c < d->classes; c++) {
    const struct mote_detector_rule *const rule = &d->rules[c];
    if (silent[c]) {
      silent[c]--;
      continue;
    }
    if (!rule->average || m->filled < rule->average) continue;
    const uint32_t sum = sum_of(d, m, ring, c, rule->average);
    if (sum < (uint32_t)rule->threshold * rule->average) continue;
    silent[c] = rule->silence;
    /* sum / average > most / of, without a division: at most 64 * 255 * 64 */
    if (best < 0 || sum * of > most * rule->average)
      best = (int32_t)c, most = sum, of = rule->average;
  }
  return best;
}
