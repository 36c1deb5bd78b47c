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
/* Edge i of the triangles, of bands + 2, in bins; band b reaches from edge b over b + 1 to b + 2. */
double features_band_edge(const struct features_config *c, int i);
/* The first bin of segment i, of bands + 1: between the edges i and i + 1 of the triangles. */
int features_segment_start(const struct features_config *c, int i);
/* Share of bin k in segment i that goes to the band above, Q8. */
uint8_t features_bin_weight(const struct features_config *c, int i, int k);
/* Every band holds a bin, and no segment more than the device sums in 32 bits. */
bool features_check_bands(const struct features_config *c, struct err *e);

/* The real number m of one column as multiplier / 2^shift. */
void features_column_set(struct mote_features_column *column, double offset, double m);
void features_wide_column_set(struct mote_features_wide_column *column, double offset, double m);
/* What stands before the parts in a block's bytes; each part is as long as its own `bytes` says, a multiple
 * of 4. */
#define FEATURES_MAGIC   0x53464F4Du /* "MOFS", little-endian */
#define FEATURES_VERSION 1
struct features_head {
  uint32_t magic;
  uint16_t version, parts;
};

/* Proves n bytes, aligned to 4, and fills the block's plain values from them. errors: damaged, another version,
 * parts that do not see the same samples. */
bool features_block_of(const void *data, size_t n, struct features_block *out, struct err *e);

#endif
