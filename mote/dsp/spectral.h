/* The parameters of the kind "spectral"; for the host, which makes them, and the op. */
#ifndef MOTE_DSP_SPECTRAL_H
#define MOTE_DSP_SPECTRAL_H

#include "mote/dsp/dsp.h"
#include "mote/dsp/sos.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a channel gives, in this order. Unit of the int32 values: */
#define MOTE_SPECTRAL_RMS      1u  /* of what filters and mean left: counts, Q12 */
#define MOTE_SPECTRAL_SKEWNESS 2u  /* Q16 */
#define MOTE_SPECTRAL_KURTOSIS 4u  /* less 3, Q16 */
#define MOTE_SPECTRAL_SHAPE    8u  /* skewness and kurtosis of the powers of all bins, Q16 */
#define MOTE_SPECTRAL_POWERS   16u /* each bin of first .. first + bins - 1: log2 of counts^2, Q20 */
#define MOTE_SPECTRAL_BANDS    32u  /* mean power between edges, like POWERS */
#define MOTE_SPECTRAL_CENTROID 64u  /* mean place of the power, in bins, Q16 */
#define MOTE_SPECTRAL_ROLLOFF  128u /* 85 % of the power lie below: bins, Q16 */
#define MOTE_SPECTRAL_FLATNESS 256u /* log2 of geometric over arithmetic mean, Q20 */
#define MOTE_SPECTRAL_PEAKS                                                                        \
  512u /* of the `peaks` largest maxima: bin (Q16) and log2 of power (Q20) */
/* of the `peaks` largest maxima whose amplitude reaches the channel's least: bin (Q16) and amplitude (counts, Q12) */
#define MOTE_SPECTRAL_HEIGHTS 1024u
/* mean power between edges without bin 0 and half of bin fft / 2, as densities of one side have it: counts^2 times
 * 2^(2 - fft_log2); 0 where no bin lies */
#define MOTE_SPECTRAL_DENSITIES 2048u
#define MOTE_SPECTRAL_ALL       4095u

#define MOTE_SPECTRAL_MEAN  1
#define MOTE_SPECTRAL_FIRST 2

/* Power of a bin: |X|^2 / fft, its maximum or mean over frames of fft numbers every hop. Where linear is set,
 * POWERS and BANDS are the powers themselves, in counts^2 times 2^-fft_log2. */
struct mote_spectral {
  uint16_t values;       /* a set of MOTE_SPECTRAL_ */
  uint16_t fft_log2;     /* 4..12 */
  uint16_t hop;          /* 1..fft */
  uint16_t first, bins;  /* first 0..fft / 2; bins at least 1 */
  uint16_t bands, peaks; /* up to 64 and 16 */
  uint8_t hold;   /* over frames: 0 the largest, MOTE_SPECTRAL_MEAN, or the first frame alone */
  uint8_t linear; /* no logarithms */
  uint8_t
      fill; /* frames that end behind the window are filled with zeros; else only where none fits */
  uint8_t fraction; /* digits below a count that filters work with, 4..14 */
  uint8_t filters;  /* of each channel, up to 4 */
  uint8_t low; /* 1: the last filter's output gives the values once more, RMS to PEAKS and SHAPE */
  int32_t floor;                                   /* least logarithm */
  int32_t filter_at, section_at, sine_at, band_at; /* from this structure's start */
  uint32_t sections;
};
/* Behind it: struct mote_filter[filters + low], struct mote_section[sections], int32_t sine[fft / 4 + 1] (Q30),
 * uint16_t[bands + 1]: the first bin of each band, and the end; where HEIGHTS or DENSITIES are among the values, at the next
 * multiple of 4, this and uint32_t least[channels]: the least height of a peak, in counts, Q12 */
struct mote_spectral_units {
  float bin_hz;  /* of a bin of HEIGHTS; the device does not use it */
  float density; /* real DENSITIES are times this; nor this */
};
static inline int32_t mote_spectral_units_at(const struct mote_spectral *p) {
  return (int32_t)((uint32_t)p->band_at + ((2u * (p->bands + 1u) + 3u) & ~3u));
}

/* Values of one channel: of the main pass, and of the low one. */
uint32_t mote_spectral_values(const struct mote_spectral *p, int low);

/* In place: as mote_fft_real, with sine in Q30. range: |x| < 2^(29 - log2n); log2n 4..12. */
void mote_fft_real32(int32_t *x, unsigned log2n, const int32_t *sine);

/* The plain op knows RMS, SKEWNESS, KURTOSIS and POWERS, the largest over frames, of numbers that no filter has seen.
 * mote_features_check does not tell the two apart (the plain op carries no proof to a chip): a block that is not plain stays
 * within its memory with it, but lacks columns. Who chooses the op asks mote_spectral_is_plain. */
extern const struct mote_features_op mote_features_spectral, mote_features_spectral_full;
int mote_spectral_is_plain(const struct mote_spectral *p);

#ifdef __cplusplus
}
#endif

#endif
