/* calibrate: samples measured from where their sensor stands: its own mean, in its own deviations.
 *
 * Two sensors of one kind, two rooms, two seasons differ by an offset and a gain, whatever they smell. A device that
 * listens for its first minutes (or to clean air) learns both:
 *
 *   mote_calibrate_begin -> mote_calibrate_add (frames as they come) -> mote_calibrate_end -> a map
 *   mote_calibrate_apply (map, every window that the model is given)
 *
 * Features are measured the same way, each column by itself, behind the map to int8 that training found:
 *
 *   mote_calibrate_begin -> mote_calibrate_add_values (of each window) -> mote_calibrate_end_values -> a map
 *   mote_calibrate_apply_values (map, the values of every window that the model is given)
 *
 * The host prepares training and test with the same functions (`calibrate` in mote.yaml), so a model sees what it will
 * be given. The map of a channel is what maps a column of features to int8, with int16 instead. */
#ifndef MOTE_DSP_CALIBRATE_H
#define MOTE_DSP_CALIBRATE_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One deviation in counts: 8 deviations either side fill int16. */
#define MOTE_CALIBRATE_DEVIATION 4096

struct mote_calibrate_sum {
  int64_t sum;      /* n < 2^30, |x| <= 2^15: below 2^45 */
  uint64_t squares; /* below 2^60 */
  uint32_t n;
};

/* sums: [channels]. */
void mote_calibrate_begin(struct mote_calibrate_sum *sums, uint32_t channels);
/* frames: [n][channels]. Behind 2^30 frames nothing is added. */
void mote_calibrate_add(struct mote_calibrate_sum *sums, uint32_t channels, const int16_t *frames,
                        uint32_t n);
/* map: [channels]. deviation 0: the mean alone is taken off, and a count stays a count. Without any frame, or of a channel that
 * never moves, as if the deviation were one count. */
void mote_calibrate_end(const struct mote_calibrate_sum *sums, uint32_t channels, int deviation,
                        struct mote_features_column *map);
/* y = clamp16((clamp16(x - offset) * multiplier + half) >> shift). alias: out may be in. */
void mote_calibrate_apply(const struct mote_features_column *map, uint32_t channels,
                          const int16_t *in, uint32_t n, int16_t *out);

/* One deviation of a column in steps of int8, and 0 its mean. */
#define MOTE_CALIBRATE_STEPS 32

/* values: [n][columns], of rows or of windows. Behind 2^30 nothing is added. sums: [columns]. */
void mote_calibrate_add_values(struct mote_calibrate_sum *sums, uint32_t columns,
                               const int8_t *values, uint32_t n);
/* map: [columns]. A deviation below one step counts as one: what is left is rounding. deviation 0: the mean alone is taken
 * off. */
void mote_calibrate_end_values(const struct mote_calibrate_sum *sums, uint32_t columns,
                               int deviation, struct mote_features_column *map);
/* In place. values: [n][columns]. */
void mote_calibrate_apply_values(const struct mote_features_column *map, uint32_t columns,
                                 int8_t *values, uint32_t n);

/* The logarithm that `sensor.scale: log` takes of a physical value before it becomes counts: ln(1 + |v|) with the sign of v.
 * cost: one logarithm in float32. */
float mote_calibrate_log(float v);

#ifdef __cplusplus
}
#endif

#endif
