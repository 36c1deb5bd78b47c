/* The parameters of the kind "pitch"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_PITCH_H
#define MOTE_DSP_PITCH_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a channel gives, in this order; all in Q20: */
#define MOTE_PITCH_PITCH   1u /* octaves above low_hz; MOTE_PITCH_NONE where a frame has none */
#define MOTE_PITCH_VOICING 2u /* normalised autocorrelation at that lag, 0..1 */
#define MOTE_PITCH_LEVEL   4u /* log2 of the mean square, counts^2 */
#define MOTE_PITCH_ALL     7u
/* Half an octave below the lowest: apart from every pitch, and not far from all. */
#define MOTE_PITCH_NONE (-((int32_t)1 << 19))

struct mote_pitch {
  uint16_t values; /* a set of MOTE_PITCH_ */
  uint16_t first,
      last; /* lags in samples, of the highest and of the lowest pitch; 2 ratio <= first <= last */
  uint8_t ratio;  /* of the first look: every so many samples, 1..32 */
  uint8_t bits;   /* 2^bits >= 4 ratio^2 */
  float low_hz;   /* of a pitch of 0; the device does not use it */
  int32_t origin; /* log2(rate / low_hz), Q20 */
  int32_t voiced; /* a frame of less voicing has no pitch, Q20 */
  int32_t floor;  /* least level; quieter frames have neither pitch nor voicing */
};
/* Values of a channel. */
uint32_t mote_pitch_values(const struct mote_pitch *p);

extern const struct mote_features_op mote_features_pitch;

#ifdef __cplusplus
}
#endif

#endif
