/* private: what the files of this room share; no other room includes it. */
#ifndef HOST_FEATURES_PRIVATE_H
#define HOST_FEATURES_PRIVATE_H

#include "host/features/features.h"

#define FEATURES_FFT_MIN 16
#define FEATURES_FFT_MAX 2048

/* round(ms * rate / 1000), -1 beyond 2^24. */
int features_samples_of(double ms, double rate_hz);
int features_frame_samples(const struct features_config *c);
int features_hop_samples(const struct features_config *c);
double features_high_hz(const struct features_config *c);
bool features_has_spectrum(const struct features_config *c);
/* Columns that one channel makes. */
int features_columns_each(const struct features_config *c);
/* The first bin of segment i, of bands + 1: between the edges i and i + 1 of the triangles. */
int features_segment_start(const struct features_config *c, int i);
/* Share of bin k in segment i that goes to the band above, Q8. */
uint8_t features_bin_weight(const struct features_config *c, int i, int k);
/* Every band holds a bin, and no segment more than the device sums in 32 bits. */
bool features_check_bands(const struct features_config *c, struct err *e);

/* The real number m of one column as multiplier / 2^shift. */
void features_column_set(struct mote_features_column *column, double offset, double m);
/* Fills the block's plain values from its bytes. */
void features_block_of(const struct mote_features *f, struct features_block *out);

#endif
