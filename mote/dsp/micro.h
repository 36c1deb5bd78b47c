/* The parameters of the kind "micro"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_MICRO_H
#define MOTE_DSP_MICRO_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_MICRO_NOISE 1 /* noise is followed and taken off */
#define MOTE_MICRO_GAIN                                                                            \
  2 /* each channel's amplitude is normalised by its noise (PCAN); with MOTE_MICRO_NOISE */

#define MOTE_MICRO_WHOLE 0x8000u

/* Places are distances from this structure. Windows and weights are Q12. */
struct mote_micro {
  struct mote_fft fft; /* forward, one vector of a frame */
  struct mote_signal_noise noise;
  int32_t window_at; /* int16[frame] */
  int32_t
      segment_at; /* uint16[bands + 2]: first bin of each segment between two bands' middles, and the end */
  /* uint16[bins of all segments]: share of the band below, 0..4096; the band above has the rest of 4096 with
   * MOTE_MICRO_WHOLE, else of 4095. */
  int32_t weight_at;
  int32_t gain_at; /* int16[MOTE_PCAN_TABLE]; 0: none */
  uint16_t bands;
  uint16_t output_scale; /* of the natural logarithm */
  uint8_t flags;         /* MOTE_MICRO_ */
  uint8_t snr_shift, correction_bits;
  uint8_t reserved;
};

extern const struct mote_features_op mote_features_micro;

#ifdef __cplusplus
}
#endif

#endif
