/* private: what the files of this room share; no other room includes it. */
#ifndef MOTE_DSP_PRIVATE_H
#define MOTE_DSP_PRIVATE_H

#include "mote/dsp/dsp.h"

/* What one pass over a channel of a frame finds. */
struct mote_extent {
  int32_t mean; /* rounded towards zero */
  int32_t low, high;
};
/* range: n 1..32767, so |sum| < 2^30. */
struct mote_extent mote_features_extent(const int16_t *samples, uint32_t n, uint32_t stride);

/* The tables of a spectrum: fft_log2, bands, window, sine, segments, weights, cosines. */
enum mote_status mote_features_check_bands(const struct mote_features *f);
/* One channel's bands, or their cosine transform. scratch: int32[fft], then int16[bands] where a cosine
 * transform follows. */
size_t mote_features_spectrum_scratch(const struct mote_features *f);
void mote_features_spectrum(const struct mote_features *f, const int16_t *samples, void *scratch,
                            int16_t *out);

/* The last step for cells of 2 and of 4 bytes: what ops take for finish. */
void mote_features_finish_s16(const struct mote_features *f, const void *values, int8_t *out);
void mote_features_finish_s32(const struct mote_features *f, const void *values, int8_t *out);

#endif
