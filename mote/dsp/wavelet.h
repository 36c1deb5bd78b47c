/* The parameters of the kind "wavelet"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_WAVELET_H
#define MOTE_DSP_WAVELET_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What each of a channel's levels + 1 sets of coefficients gives, in this order. Unit of the int32 values:
 *   0      entropy of a histogram of 100 bins from least to largest: bits, Q20
 *   1, 2   crossings of zero and of the mean: a share of the coefficients, Q16
 *   3..7   percentiles 5, 25, 75, 95, 50: counts, Q10, as 8 mean, 9 deviation and 11 RMS
 *   10     variance of a sample: counts^2
 *   12, 13 skewness and kurtosis less 3: Q16 */
#define MOTE_WAVELET_VALUES   14
#define MOTE_WAVELET_LEVELS   8
#define MOTE_WAVELET_FRACTION 10

/* The coefficients of the last level's approximation, then the details from the last level to the first. A frame
 * continues beyond its ends as a mirror image of itself. */
struct mote_wavelet {
  uint16_t taps;   /* 2..12, even */
  uint16_t levels; /* 1..8 */
  int32_t
      low[12]; /* Q30, in the order of convolution; the high pass is the low one's mirror image */
};

extern const struct mote_features_op mote_features_wavelet;

#ifdef __cplusplus
}
#endif

#endif
