/* The parameters of the kind "heart"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_HEART_H
#define MOTE_DSP_HEART_H

#include "mote/dsp/beats.h"
#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a channel gives, in this order. Intervals lie between neighbouring beats. Unit of the int32 values: */
#define MOTE_HEART_RATE      1u    /* beats a minute, Q8: of the mean interval */
#define MOTE_HEART_SDNN      2u    /* deviation of the intervals: ms, Q10 */
#define MOTE_HEART_RMSSD     4u    /* root of the mean squared difference of neighbours: ms, Q10 */
#define MOTE_HEART_PNN50     8u    /* neighbours that differ by more than 50 ms: a share, Q16 */
#define MOTE_HEART_SHORTEST  16u   /* interval: ms, Q10 */
#define MOTE_HEART_LONGEST   32u   /* interval: ms, Q10 */
#define MOTE_HEART_LF        64u   /* power from 0.04 Hz on: ms^2, Q4 */
#define MOTE_HEART_HF        128u  /* power from 0.15 to 0.4 Hz: ms^2, Q4 */
#define MOTE_HEART_LF_HF     256u  /* log2 of the ratio, Q20; 0 where one of them is 0 */
#define MOTE_HEART_BEATS     512u  /* how many there are */
#define MOTE_HEART_IRREGULAR 1024u /* share of the intervals that were left out, Q16 */
/* The beat nearest to the middle of the frame: the interval before it and behind it, over the mean of all; 1 where there is
 * none, Q16; the mean itself: ms, Q10; and how far the beat is from the middle: ms, Q10. */
#define MOTE_HEART_BEFORE   2048u
#define MOTE_HEART_BEHIND   4096u
#define MOTE_HEART_INTERVAL 8192u
#define MOTE_HEART_OFFSET   16384u
/* What that beat looks like beside the mean of the frame's other beats: the largest correlation about their places, Q16; log2 of
 * the ratio of energies, Q20: of the beat, of what lies ahead of it (the wave of the atria in an ECG); area over height: ms,
 * Q10; and log2 of its ratio, Q20. Of a beat alone 1, 0, 0, 0 and 0. */
#define MOTE_HEART_LIKENESS 32768u
#define MOTE_HEART_ENERGY   65536u
#define MOTE_HEART_AHEAD    131072u
#define MOTE_HEART_WIDTH    262144u
#define MOTE_HEART_WIDENING 524288u
#define MOTE_HEART_SHAPE    1015808u /* these five */
#define MOTE_HEART_ALL      1048575u

/* Numbers of a beat, from `from` to before `to`. */
struct mote_heart_stretch {
  uint16_t from, to;
};

/* Where in a beat is what: numbers of the frame, from `lead` ahead of its place on. */
struct mote_heart_shape {
  uint16_t lead, length; /* at most 4096 */
  uint16_t shift;        /* the likeness is looked for so far to both sides */
  uint16_t reserved;
  struct mote_heart_stretch likeness, energy, ahead, width;
};

/* LF and HF are sums of Lomb's periodogram (by least squares, so intervals that are left out leave no hole) at multiples
 * of one over the frame's length: power of multiple k is what its sine and cosine take of the variance. */
struct mote_heart {
  uint32_t values;   /* a set of MOTE_HEART_ */
  uint16_t most;     /* beats that are kept, 2..8192; later ones do not count */
  uint32_t tick;     /* ms of a sample, Q20; <= 2^28 */
  uint16_t shortest; /* ms; intervals outside of these are none */
  uint16_t longest;  /* ms */
  uint16_t
      irregular; /* percent from the median of five beyond which an interval is left out; 0: none */
  uint16_t low, middle,
      end;             /* multiples: LF low .. middle - 1, HF middle .. end - 1; end <= 8192 */
  uint16_t together;   /* 1: the beats of the first channel are those of all */
  uint32_t turn;       /* turns of the first multiple in a ms / 2^10, Q(32 + turn_shift) */
  uint32_t turn_shift; /* 0..31 */
  struct mote_heart_shape shape;
  struct mote_beats beats;
};

uint32_t mote_heart_values(const struct mote_heart *p);

/* The plain op runs what mote_heart_is_plain; of another block it stays within its memory, but columns lack. */
extern const struct mote_features_op mote_features_heart, mote_features_heart_full;
int mote_heart_is_plain(const struct mote_heart *p);

#ifdef __cplusplus
}
#endif

#endif
