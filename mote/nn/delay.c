/* delay: operators that remember: SignalFramer, SignalStacker, SignalOverlapAdd, SignalDelay, CIRCULAR_BUFFER.
 *
 * A memory is a plain row of the samples that later calls still need, oldest first, moved along at each call: it
 * takes less room than a ring that must also be read as one piece. A count in it is bounded before use, since the
 * memory is a variable that other steps may write. */
#include <string.h>

#include "mote/nn/whole.h"

/* The count at the head of a memory, at most `most`. */
static uint32_t count_of(const int16_t *memory, uint32_t most) {
  uint32_t n;
  memcpy(&n, memory, 4);
  return n < most ? n : most;
}

static void set_count(int16_t *memory, uint32_t n) { memcpy(memory, &n, 4); }

/* ---- SignalFramer ----------------------------------------------------------------- */

/* Samples that a stream keeps from call to call: whole steps, so that with the next one a frame is complete. */
static uint32_t framer_kept(const struct mote_framer *p) {
  return ((uint32_t)p->frame + p->step - 1u) / p->step * p->step - p->step;
}

uint32_t mote_framer_state_values(const struct mote_framer *p) {
  return 2 + framer_kept(p) * p->vectors;
}

/* Takes one step of samples behind the `have` in memory; returns how many are in it then. *complete: a frame was
 * made, else zeros. */
static uint32_t take_step(const struct mote_framer *p, const int16_t *x, int16_t *memory,
                          uint32_t have, int16_t *y, int *complete) {
  const uint32_t all = have + p->step, frame = p->frame;
  *complete = all >= frame;
  if (!*complete) {
    memset(y, 0, 2 * (size_t)frame);
    memmove(memory + have, x, 2 * (size_t)p->step);
    return all;
  }
  const uint32_t old = have < frame ? have : frame;
  memmove(y, memory, 2 * (size_t)old);
  memmove(y + old, x, 2 * (size_t)(frame - old));
  /* all - step = have stay: the memory's from step on, then the last of x. */
  const uint32_t stay = have > p->step ? have - p->step : 0;
  memmove(memory, memory + (have - stay), 2 * (size_t)stay);
  memmove(memory + stay, x + p->step - (have - stay), 2 * (size_t)(have - stay));
  return have;
}

/* The count is that of samples seen, up to the memory's size; a stream that is prefilled has seen some before. */
static void framer_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_framer *p = (const struct mote_framer *)params;
  const uint32_t kept = framer_kept(p), before = p->prefill ? (uint32_t)p->frame - p->step : 0;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *memory = (int16_t *)mote_written(rows[1]), *y = (int16_t *)out;
  const uint32_t have = before + count_of(memory, kept - before) / p->step * p->step;
  uint32_t now = have;
  uint8_t valid = 1;
  (void)state;
  for (unsigned v = 0; v < p->vectors; v++) {
    now = have;
    for (unsigned f = 0; f < p->frames; f++, x += p->step, y += p->frame) {
      int complete;
      now = take_step(p, x, memory + 2 + v * kept, now, y, &complete);
      if (!complete) valid = 0;
    }
  }
  set_count(memory, now - before);
  *(uint8_t *)mote_written(rows[2]) = valid;
}

MOTE_WHOLE_KERNEL(framer, mote_framer)

enum mote_status mote_framer_check(const struct mote_framer *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->frame == 0 || p->step == 0 || p->prefill > 1 || (p->prefill && p->step > p->frame))
    return MOTE_ERR_PARAMS;
  const uint64_t frames = (uint64_t)p->frames * p->vectors;
  const uint64_t memory = 2 * (2 + (uint64_t)framer_kept(p) * p->vectors);
  return b->n_in == 2 && mote_bounds_whole(b, 0, 2 * frames * p->step) &&
                 mote_bounds_written(b, 1, memory) && mote_bounds_written(b, 2, 1) &&
                 2 * frames * p->frame <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalStacker ----------------------------------------------------------------- */

static uint32_t stacker_depth(const struct mote_stacker *p) { return (uint32_t)p->left + p->right; }

uint32_t mote_stacker_state_values(const struct mote_stacker *p) {
  return 2 + stacker_depth(p) * p->channels;
}

/* The count: 0 before the first vector, else 1 + the vectors in memory, at most left + right. */
static void stacker_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_stacker *p = (const struct mote_stacker *)params;
  const uint32_t depth = stacker_depth(p), c = p->channels;
  const int16_t *x = (const int16_t *)rows[0];
  int16_t *memory = (int16_t *)mote_written(rows[1]), *samples = memory + 2, *y = (int16_t *)out;
  const uint32_t count = count_of(memory, depth + 1);
  uint32_t have = count > 0 ? count - 1 : 0;
  (void)state;
  if (count == 0) /* left more of the first */
    for (; have < p->left; have++) memmove(samples + have * c, x, 2 * (size_t)c);
  const uint8_t valid = have == depth;
  if (valid) {
    memmove(y, samples, 2 * (size_t)(depth * c));
    memmove(y + depth * c, x, 2 * (size_t)c);
    have = depth + 1u - p->step; /* the last of y stay */
    memmove(samples, y + (size_t)p->step * c, 2 * (size_t)(have * c));
  } else {
    memset(y, 0, 2 * (size_t)((depth + 1) * c));
    memmove(samples + have * c, x, 2 * (size_t)c);
    have++;
  }
  set_count(memory, have + 1);
  *(uint8_t *)mote_written(rows[2]) = valid;
}

MOTE_WHOLE_KERNEL(stacker, mote_stacker)

enum mote_status mote_stacker_check(const struct mote_stacker *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const uint64_t depth = stacker_depth(p), vector = 2 * (uint64_t)p->channels;
  if (p->channels == 0 || p->step == 0 || p->step > depth + 1) return MOTE_ERR_PARAMS;
  return b->n_in == 2 && mote_bounds_whole(b, 0, vector) &&
                 mote_bounds_written(b, 1, 4 + depth * vector) && mote_bounds_written(b, 2, 1) &&
                 (depth + 1) * vector <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- SignalOverlapAdd --------------------------------------------------------------- */
/* The memory holds the sums of what comes after the last step; frame - step values, since a frame's own last step
 * has nothing to be added to. */

static int16_t sum_s16(int16_t a, int16_t b) {
  return (int16_t)mote_clamp((int32_t)a + b, INT16_MIN, INT16_MAX);
}
static float sum_f32(float a, float b) { return a + b; }

static enum mote_status overlap_add_check(const struct mote_overlap_add *p,
                                          const struct mote_bounds *b, size_t bytes) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->frame == 0 || p->step == 0 || p->step > p->frame) return MOTE_ERR_PARAMS;
  const uint64_t frames = (uint64_t)p->frames * p->vectors;
  const uint64_t kept = (uint64_t)(p->frame - p->step) * p->vectors;
  return mote_bounds_whole(b, 0, frames * p->frame * bytes) &&
                 mote_bounds_written(b, 1, kept * bytes) && frames * p->step * bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

#define OVERLAP_ADD(type, suffix)                                                                  \
  static void overlap_add_##suffix##_row(const void *params, const void *const *rows, void *state, \
                                         void *out) {                                              \
    const struct mote_overlap_add *p = (const struct mote_overlap_add *)params;                    \
    const uint32_t kept = (uint32_t)p->frame - p->step;                                            \
    const type *x = (const type *)rows[0];                                                         \
    type *memory = (type *)mote_written(rows[1]), *y = (type *)out;                                \
    (void)state;                                                                                   \
    for (unsigned v = 0; v < p->vectors; v++, memory += kept)                                      \
      for (unsigned f = 0; f < p->frames; f++, x += p->frame, y += p->step) {                      \
        const type *old = memory, *later = x + p->step, none = 0;                                  \
        for (uint32_t i = 0; i < p->step; i++)                                                     \
          y[i] = sum_##suffix(x[i], i < kept ? old[i] : none);                                     \
        for (uint32_t i = 0, j = p->step; i < kept; i++, j++)                                      \
          memory[i] = sum_##suffix(later[i], j < kept ? old[j] : none);                            \
      }                                                                                            \
  }                                                                                                \
  enum mote_status mote_overlap_add_##suffix##_check(const struct mote_overlap_add *p,             \
                                                     const struct mote_bounds *b) {                \
    return overlap_add_check(p, b, sizeof(type));                                                  \
  }                                                                                                \
  MOTE_WHOLE_KERNEL(overlap_add_##suffix, mote_overlap_add)

OVERLAP_ADD(int16_t, s16)
OVERLAP_ADD(float, f32)

/* ---- SignalDelay, CIRCULAR_BUFFER ----------------------------------------------------- */

static void delay_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_delay *p = (const struct mote_delay *)params;
  const uint8_t *x = (const uint8_t *)rows[0];
  uint8_t *memory = (uint8_t *)mote_written(rows[1]), *y = (uint8_t *)out;
  const size_t n = p->n, delay = p->delay, old = n < delay ? n : delay;
  (void)state;
  for (uint32_t v = 0; v < p->vectors; v++, x += n, y += n, memory += delay) {
    memmove(y, memory, old);
    memmove(y + old, x, n - old);
    memmove(memory, memory + old, delay - old);
    memmove(memory + (delay - old), x + (n - old), old);
  }
}

MOTE_WHOLE_KERNEL(delay, mote_delay)

enum mote_status mote_delay_check(const struct mote_delay *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->n > INT32_MAX || p->delay > INT32_MAX || p->vectors > INT32_MAX) return MOTE_ERR_PARAMS;
  const uint64_t bytes = (uint64_t)p->n * p->vectors; /* below 2^62 */
  return mote_bounds_whole(b, 0, bytes) &&
                 mote_bounds_written(b, 1, (uint64_t)p->delay * p->vectors) && bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

static void circular_buffer_row(const void *params, const void *const *rows, void *state,
                                void *out) {
  const struct mote_circular_buffer *p = (const struct mote_circular_buffer *)params;
  uint8_t *window = (uint8_t *)out;
  (void)state;
  memmove(window, window + p->in_bytes, p->kept_bytes);
  memmove(window + p->kept_bytes, rows[0], p->in_bytes);
}

MOTE_WHOLE_KERNEL(circular_buffer, mote_circular_buffer)

enum mote_status mote_circular_buffer_check(const struct mote_circular_buffer *p,
                                            const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  return mote_bounds_whole(b, 0, p->in_bytes) &&
                 (uint64_t)p->in_bytes + p->kept_bytes <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
