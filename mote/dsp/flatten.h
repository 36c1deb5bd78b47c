/* The parameters of the kind "flatten"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_FLATTEN_H
#define MOTE_DSP_FLATTEN_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a channel gives, in this order. Unit of the int32 values: */
#define MOTE_FLATTEN_AVERAGE   1u /* counts, Q12, as all but the following */
#define MOTE_FLATTEN_MINIMUM   2u
#define MOTE_FLATTEN_MAXIMUM   4u
#define MOTE_FLATTEN_RMS       8u /* with the mean */
#define MOTE_FLATTEN_DEVIATION 16u
#define MOTE_FLATTEN_SKEWNESS  32u  /* Q16 */
#define MOTE_FLATTEN_KURTOSIS  64u  /* less 3, Q16 */
#define MOTE_FLATTEN_CROSSINGS 128u /* of the mean: a number */
#define MOTE_FLATTEN_ZEROS     256u /* crossings of zero: a number */
#define MOTE_FLATTEN_MOVING                                                                        \
  512u /* the mean of the averages of the last `moving` rows, or of those there are */
#define MOTE_FLATTEN_ALL 1023u

struct mote_flatten {
  uint16_t values; /* a set of MOTE_FLATTEN_ */
  uint16_t moving; /* rows, 1..256 */
};

uint32_t mote_flatten_values(const struct mote_flatten *p);

extern const struct mote_features_op mote_features_flatten;

#ifdef __cplusplus
}
#endif

#endif
