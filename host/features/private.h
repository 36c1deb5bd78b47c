/* private: what the files of this room share; no other room includes it. */
#ifndef HOST_FEATURES_PRIVATE_H
#define HOST_FEATURES_PRIVATE_H

#include "host/features/features.h"

#define FEATURES_FFT_MIN 16
#define FEATURES_FFT_MAX 4096

/* round(ms * rate / 1000), -1 beyond 2^24. */
int features_samples_of(double ms, double rate_hz);
int features_frame_samples(const struct features_config *c);
int features_hop_samples(const struct features_config *c);
double features_high_hz(const struct features_config *c);
bool features_has_spectrum(const struct features_config *c);
/* The whole part of log2 of n > 0. */
unsigned features_log2(int n);
/* Columns that one channel makes. */
int features_columns_each(const struct features_config *c);
/* logmel, spectrum: which of the two values of a band there are; whether value k of a channel is a flatness. */
bool features_has_flatness(const struct features_config *c);
bool features_has_level(const struct features_config *c);
bool features_is_flatness(const struct features_config *c, int k);
/* Edge i of the triangles, of bands + 2, in bins; band b reaches from edge b over b + 1 to b + 2. */
double features_band_edge(const struct features_config *c, int i);
/* The first bin of segment i, of bands + 1: between the edges i and i + 1 of the triangles. */
int features_segment_start(const struct features_config *c, int i);
/* Share of bin k in segment i that goes to the band above, Q8. */
uint8_t features_bin_weight(const struct features_config *c, int i, int k);
/* Every band holds a bin, and no segment more than the device sums in 32 bits. */
bool features_check_bands(const struct features_config *c, struct err *e);

/* ---- filters (filter.c); edge: a part of the rate, below a half ------------------- */
struct features_section {
  double b0, b1, b2, a1, a2;
};
/* order 2, 4 .. 16; out: order / 2 sections, whose number they return. */
int features_butterworth(int order, double edge, bool high, struct features_section *out);
int features_chebyshev(int order, double ripple_db, double edge, bool high,
                       struct features_section *out);
/* Nothing is left between the edges' middle: one section. */
int features_notch(double low, double high, struct features_section *out);
struct mote_section features_section_fixed(const struct features_section *s);
/* The largest output of n sections, one behind the other, for inputs of at most 1; at least 1. */
double features_filter_growth(const struct features_section *s, int n);

/* ---- kinds with parameters of their own (spectral.c ...) --------------------------- */
#define FEATURES_MAX_PARAMS 16384
/* Writes a kind's structure and what stands behind it; returns the bytes, a multiple of 4. */
size_t features_spectral_params(const struct features_config *c, uint8_t *out);
size_t features_flatten_params(const struct features_config *c, uint8_t *out);
size_t features_wavelet_params(const struct features_config *c, uint8_t *out);
/* The bytes of a front, a multiple of 4; out NULL: their number alone. */
size_t features_front_bytes(const struct features_front *f, uint8_t *out);
bool features_check_front(const struct features_config *c, struct err *e);
/* Of each channel that comes out: its unit, from those of the samples. */
void features_front_units(const struct mote_front *f, const double *unit, double *out);
/* "magnitude", "channel 2" ... */
void features_front_name(const struct mote_front *f, int channel, struct text *out);
/* Bytes of what a front makes; 0 where there is none. */
size_t features_front_room(const struct mote_front *f);
/* Whether a stream can go through it: nothing waits for the whole window. */
bool features_front_streams(const struct mote_front *f);
void features_front_describe(const struct mote_front *f, struct text *out);
/* Says what does not fit, and what would. */
bool features_check_spectral(const struct features_config *c, struct err *e);
bool features_check_flatten(const struct features_config *c, struct err *e);
bool features_check_wavelet(const struct features_config *c, struct err *e);
size_t features_heart_params(const struct features_config *c, uint8_t *out);
size_t features_micro_params(const struct features_config *c, uint8_t *out);
bool features_check_heart(const struct features_config *c, struct err *e);
bool features_check_micro(const struct features_config *c, struct err *e);
size_t features_pitch_params(const struct features_config *c, uint8_t *out);
bool features_check_pitch(const struct features_config *c, struct err *e);
void features_pitch_defaults(struct features_config *c, struct text *why);
/* Those of one channel as real numbers: Hz (0: none), 0 to 1, dB of the mean square. */
size_t features_pitch_values(const struct mote_features *f, double unit, const int32_t *v,
                             double *out);
const char *features_pitch_name(const struct mote_pitch *p, int k);
void features_heart_defaults(struct features_config *c, struct text *why);
#define FEATURES_MICRO_FFT 2048
void features_micro_defaults(struct features_config *c, struct text *why);
/* Edge i of the triangles, of bands + 2, in Hz. */
double features_micro_edge(const struct features_config *c, int i);
/* What a word stands for; the last one's is NULL. */
struct features_word {
  const char *word;
  uint32_t bit;
};
extern const struct features_word features_heart_words[], features_pitch_words[];
/* A channel's values as real numbers; returns how many. */
size_t features_heart_values(const struct mote_heart *p, const int32_t *v, double *out);
/* The name of value k. */
const char *features_heart_name(const struct mote_heart *p, int k);
bool features_has_params(const struct features_config *c);
void features_wavelet_defaults(struct features_config *c, struct text *why);
/* Columns of all channels together. */
int features_columns(const struct features_config *c);
/* Sets e's node and text; false. */
bool features_refuse(struct err *e, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- mfe, spectrogram, mfcc (audio.c) ----------------------------------------------- */
/* Whether the frame is emphasised and has no window. */
bool features_is_emphasised(const struct features_config *c);
int features_samples_up(double ms, double rate_hz);
/* Frames in a window. */
int features_rows(const struct features_config *c);
/* Sets what their blocks set; true. */
bool features_defaults_audio(struct features_config *c);
void features_emphasis_params(const struct features_config *c, struct mote_features_emphasis *out);
int features_closed_edge(const struct features_config *c, int i);
bool features_check_audio(const struct features_config *c, struct err *e);
/* The floor, and the map to int8; alone: one that stands for the values themselves. */
void features_audio_columns(const struct features_config *c, struct mote_features *f, bool alone);
/* A window's rows: what NORMALISE_SLIDING makes of them; and as real numbers. */
void features_slide(const struct mote_features *f, double *rows);
void features_audio_values(const struct mote_features *f, double *rows);
/* The weight of a column of mfcc that is liftered. */
double features_lift(const struct mote_features *f, int column);

/* ---- image (image.c) ----------------------------------------------------------------- */
void features_image_defaults(struct features_config *c, struct text *why);
bool features_check_image(const struct features_config *c, struct err *e);
/* Of numbers, the frames of a window; else 1. */
int features_image_frames(const struct features_config *c);
int features_image_columns(const struct features_config *c);
size_t features_image_bytes(const struct features_config *c);
void features_image_params(const struct features_config *c, uint8_t *out);

/* The real number m of one column as multiplier / 2^shift. */
void features_column_set(struct mote_features_column *column, double offset, double m);
void features_wide_column_set(struct mote_features_wide_column *column, double offset, double m);
/* What stands before the parts in a block's bytes; each part is as long as its own `bytes` says, a multiple
 * of 4. */
#define FEATURES_MAGIC   0x53464F4Du /* "MOFS", little-endian */
#define FEATURES_VERSION 1
struct features_head {
  uint32_t magic;
  uint16_t version;
  uint8_t parts, calibrate; /* enum features_calibrate */
};

/* Proves n bytes, aligned to 4, and fills the block's plain values from them. errors: damaged, another version,
 * parts that do not see the same samples. */
bool features_block_of(const void *data, size_t n, struct features_block *out, struct err *e);

#endif
