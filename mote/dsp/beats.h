/* Heart beats in an electrocardiogram (ECG) or in the light that blood lets through (PPG), one sample at a time.
 *
 * Sections of a band pass leave the slopes of a beat. Two moving averages of the squares, as long as the steepest part
 * of a beat and as long as a beat, have one centre; where the short one lies above the long one and a share of the level
 * so far, for at least its own length, there is a beat, in the middle of the squares' weight: steadier than the largest, which
 * noise moves from one slope to another.
 * source: M. Elgendi, Fast QRS detection with an optimized knowledge-based method, PLoS ONE 8(9), 2013, and the same
 * author's systolic peak detection, PLoS ONE 8(10), 2013. */
#ifndef MOTE_DSP_BEATS_H
#define MOTE_DSP_BEATS_H

#include "mote/dsp/sos.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_BEATS_SECTIONS 4

struct mote_beats {
  uint16_t fast, slow; /* numbers of the two averages, odd: 3..511, and 3 fast..4095 */
  uint16_t apart;      /* beats nearer than this are one, the larger; at least fast */
  uint16_t threshold;  /* share of the level so far, Q8: up to 256 */
  uint8_t memory;      /* the level goes back 2^memory samples, 4..20 */
  uint8_t upward;      /* 1: only the upper half of the signal counts (PPG) */
  uint16_t reserved;
  int32_t delay; /* of the filter at its middle: samples, Q8, 0..2^20 */
  struct mote_section section[MOTE_BEATS_SECTIONS];
};

struct mote_beats_state {
  uint64_t fast, slow, level;     /* sums of squares; the level in Q8 */
  uint64_t mass, moment, largest; /* of the rise: squares, and times their place; the largest */
  uint64_t pending;               /* the largest square of the beat that waits; 0: none */
  uint32_t pushed;                /* stays at 2^31 - 1 */
  uint32_t at;                    /* of the ring */
  uint32_t above;                 /* numbers of the rise */
  uint32_t since;                 /* numbers since the rise of the waiting beat ended */
  int32_t offset;                 /* from the beat to that end, Q8 */
  int32_t past[MOTE_BEATS_SECTIONS][4];
  /* Behind it: the ring, int32[slow]. */
};

size_t mote_beats_state_bytes(const struct mote_beats *p);
void mote_beats_begin(const struct mote_beats *p, struct mote_beats_state *s);
/* Takes a sample. 1: there was a beat *ago samples (Q8) before this one. A beat is told slow / 2 + apart samples late or
 * so. range: |x| <= 2^15. */
int mote_beats_push(const struct mote_beats *p, struct mote_beats_state *s, int32_t x,
                    int32_t *ago);
/* The same behind the last sample, of a signal that stays as it is: tells the beats that wait. */
int mote_beats_flush(const struct mote_beats *p, struct mote_beats_state *s, int32_t *ago);
int mote_beats_fit(const struct mote_beats *p);

#ifdef __cplusplus
}
#endif

#endif
