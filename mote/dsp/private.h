/* private: what the files of this room share; no other room includes it. */
#ifndef MOTE_DSP_PRIVATE_H
#define MOTE_DSP_PRIVATE_H

#include "mote/dsp/dsp.h"

/* Bits of x: floor(log2(x)) + 1, 0 for 0. */
static inline int32_t mote_bits_of(uint32_t x) { return x ? 32 - mote_zeros_of(x) : 0; }
static inline int16_t mote_clamp_s16(int32_t x) {
  return (int16_t)mote_clamp(x, INT16_MIN, INT16_MAX);
}

/* What one pass over a channel of a frame finds. */
struct mote_extent {
  int32_t mean; /* rounded towards zero */
  int32_t low, high;
};
/* range: n 1..32767, so |sum| < 2^30. */
struct mote_extent mote_features_extent(const int16_t *samples, uint32_t n, uint32_t stride);

/* The tables of a spectrum: fft_log2, bands, sine, segments, weights, cosines; and the window. */
enum mote_status mote_features_check_fft(const struct mote_features *f);
enum mote_status mote_features_check_bands(const struct mote_features *f);
enum mote_status mote_features_check_windowed(const struct mote_features *f);
/* log2 of the power in each band, Q8, minus `unit`, from the bins of a spectrum. Each segment is cut to its own size
 * first, so quiet bands keep their digits beside loud ones. range: |x| < 2^31; closed: x[1] = 0. */
void mote_features_log_bands(const struct mote_features *f, const int32_t *x, int32_t unit,
                             int16_t *out);
/* Orthonormal cosine transform: products of Q8 and Q14, times 2^-shift. */
void mote_features_cosines(const struct mote_features *f, const int16_t *v, int32_t shift,
                           int16_t *out);
/* The spectrum, in x, of a frame that is not constant, minus its mean and windowed, times 2^(15 - what is returned).
 * range: as mote_features_extent found it. */
int32_t mote_features_transform(const struct mote_features *f, const int16_t *samples,
                                const struct mote_extent *e, int32_t *x);
/* One channel's bands, or their cosine transform. scratch: int32[fft], then int16[bands] where a cosine
 * transform follows. */
size_t mote_features_spectrum_scratch(const struct mote_features *f);
void mote_features_spectrum(const struct mote_features *f, const int16_t *samples, void *scratch,
                            int16_t *out);

/* The last step for cells of 2 and of 4 bytes: what ops take for finish. */
void mote_features_finish_s16(const struct mote_features *f, const void *values, uint32_t n,
                              int8_t *out);
void mote_features_finish_s32(const struct mote_features *f, const void *values, uint32_t n,
                              int8_t *out);

/* What mfe, mfcc and spectrogram share (emphasis.c): the spectrum of one channel's frame with emphasis and no window, in x.
 * before: the sample in front of the frame. Returns what stands too high in Q8 logarithms of its
 * power. */
int32_t mote_features_emphasised(const struct mote_features *f, const int16_t *samples,
                                 int32_t before, int32_t *x);
enum mote_status mote_features_check_emphasis(const struct mote_features *f);
size_t mote_features_emphasis_state_bytes(const struct mote_features *f);
void mote_features_emphasis_begin(const struct mote_features *f, void *state);
void mote_features_emphasis_prime(const struct mote_features *f, const int16_t *window,
                                  void *state);
/* The sample in front of channel c's frame, from the state, which then has the one in front of the next frame. */
int32_t mote_features_emphasis_before(const struct mote_features *f, const int16_t *samples,
                                      uint32_t c, void *state);
void mote_features_finish_sliding(const struct mote_features *f, const void *values, int8_t *out);
/* Proofs of kinds whose ops hold none: what mote_features_check_of calls. */
enum mote_status mote_features_check_spectral(const struct mote_features *f);
enum mote_status mote_features_check_flatten(const struct mote_features *f);
enum mote_status mote_features_check_wavelet(const struct mote_features *f);
enum mote_status mote_features_check_heart(const struct mote_features *f);
enum mote_status mote_features_check_image(const struct mote_features *f);
enum mote_status mote_features_check_micro(const struct mote_features *f);
enum mote_status mote_features_check_pitch(const struct mote_features *f);

#endif
