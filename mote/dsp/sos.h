/* private: filters as biquads in a row, and decimation. The host designs them (host/features/filter.c). */
#ifndef MOTE_DSP_SOS_H
#define MOTE_DSP_SOS_H

#include "mote/base/base.h"

/* y(t) = b0 x(t) + b1 x(t-1) + b2 x(t-2) - a1 y(t-1) - a2 y(t-2), in Q29. */
struct mote_section {
  int32_t b0, b1, b2, a1, a2; /* |b|, |a| <= 2^30 */
  int32_t rest;               /* y for x = 1 at all times, Q29 */
};

#define MOTE_FILTER_RESTING                                                                        \
  1 /* begins as if the first number had been there always; else: as if 0 had */

/* Sections, then every ratio-th number. */
struct mote_filter {
  uint16_t sections; /* at most 8; 0: only the ratio */
  uint8_t ratio;     /* 1..255 */
  uint8_t flags;
};

/* One number through a section. past: x(t-1), x(t-2), y(t-1), y(t-2). range: as mote_filter_run's. */
int32_t mote_section_step(const struct mote_section *s, int32_t *past, int32_t x);
/* As if the number x had been there always. */
void mote_section_rest(const struct mote_section *s, int32_t *past, int32_t x);
/* In place. Returns how many numbers are left: ceil(n / ratio). range: |x| <= 2^30; so is what comes out. */
uint32_t mote_filter_run(const struct mote_filter *filter, const struct mote_section *section,
                         int32_t *x, uint32_t n);
/* Proof of filters and of the sections that they use together, which follow each other. */
int mote_filters_fit(const struct mote_filter *filter, uint32_t filters,
                     const struct mote_section *section, uint32_t sections);
static inline uint32_t mote_filter_left(const struct mote_filter *filter, uint32_t n) {
  return (n + filter->ratio - 1) / filter->ratio;
}

#endif
