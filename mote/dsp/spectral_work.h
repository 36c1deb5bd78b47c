/* private: what the plain and the full op of the kind "spectral" share. */
#ifndef MOTE_DSP_SPECTRAL_WORK_H
#define MOTE_DSP_SPECTRAL_WORK_H

#include "mote/dsp/moments.h"
#include "mote/dsp/private.h"

/* Halves of 64 bits, since scratch is aligned to 4. */
struct mote_power {
  uint32_t low, high;
};

/* One channel of a window on its way. */
struct mote_spectral_work {
  const struct mote_spectral *p;
  const int32_t *sine;
  const uint16_t *band;
  int32_t *x, *fft;
  struct mote_power *power; /* times 2^exponent: counts^2 */
  int32_t exponent;
  uint32_t channel; /* of those that are read; set for the full op */
};

/* What only the full op can do; the plain one has none of it. */
struct mote_spectral_more {
  /* Through the first `filters` of the block, in x; returns how many numbers are left. */
  uint32_t (*filter)(struct mote_spectral_work *w, uint32_t n, uint32_t filters);
  /* Powers that are sums of 2^-down of each frame's become means. */
  void (*mean)(struct mote_spectral_work *w, uint32_t frames, int32_t down);
  int32_t *(*shape)(const struct mote_spectral_work *w, int32_t *out);
  /* BANDS to PEAKS. */
  int32_t *(*values)(const struct mote_spectral_work *w, int32_t *out);
};

static inline uint64_t mote_power_at(const struct mote_spectral_work *w, uint32_t k) {
  return ((uint64_t)w->power[k].high << 32) | w->power[k].low;
}
/* A power in the block's unit. */
int32_t mote_spectral_level(const struct mote_spectral_work *w, struct mote_scaled power);

size_t mote_spectral_scratch_bytes(const struct mote_features *f);

#endif
