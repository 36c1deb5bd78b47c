/* Gains for bands of a spectrum, and the sound again. See suppress.h. */
#include "mote/dsp/private.h"

#include <string.h>

/* In front of what lies in memory: the spectrum int32[fft], the second half of the frame before int32[hop] in Q10, samples
 * int16[frame], the row int16[bands]. */
struct suppress {
  int32_t mean;  /* of the frame: taken off before, given back behind */
  int32_t shift; /* of mote_features_transform; -1: a constant frame, whose spectrum is 0 */
};

static int32_t *bins_of(void *memory) { return (int32_t *)((struct suppress *)memory + 1); }
static int32_t *tail_of(const struct mote_features *f, void *memory) {
  return bins_of(memory) + ((size_t)1 << f->fft_log2);
}
static int16_t *steps_of(const struct mote_features *f, void *memory) {
  return (int16_t *)(tail_of(f, memory) + f->hop);
}

enum mote_status mote_suppress_check(const struct mote_features *f) {
  return f->kind == MOTE_FEATURES_BANDS && f->rows == 1 && f->window == f->frame &&
                 f->channels == 1 && f->stride == 1 && !f->coefficients &&
                 f->frame == 2 * (uint32_t)f->hop && f->normalise == MOTE_FEATURES_NORMALISE_NONE &&
                 !f->range
             ? MOTE_OK
             : MOTE_ERR_PARAMS;
}

size_t mote_suppress_bytes(const struct mote_features *f) {
  return sizeof(struct suppress) + ((size_t)4 << f->fft_log2) + 4 * (size_t)f->hop +
         2 * (size_t)f->frame + 2 * ((size_t)f->bands + (f->bands & 1));
}

void mote_suppress_begin(const struct mote_features *f, void *memory) {
  memset(memory, 0, mote_suppress_bytes(f));
}

void mote_suppress_take(const struct mote_features *f, void *memory, const int16_t *samples,
                        int8_t *row) {
  struct suppress *const s = memory;
  int32_t *const x = bins_of(memory);
  int16_t *const steps = steps_of(f, memory), *const bands = steps + f->frame;
  memcpy(steps, steps + f->hop, 2 * (size_t)f->hop);
  memcpy(steps + f->hop, samples, 2 * (size_t)f->hop);
  const struct mote_extent e = mote_features_extent(steps, f->frame, 1);
  s->mean = e.mean;
  s->shift = -1;
  if (e.high == e.low) {
    for (uint32_t b = 0; b < f->bands; b++) bands[b] = f->floor;
  } else {
    s->shift = mote_features_transform(f, steps, &e, x);
    mote_features_log_bands(f, x, 512 * (15 - s->shift), bands);
  }
  mote_features_finish_s16(f, bands, f->rows, row);
}

/* A band's gain, 0 to 256. */
static int32_t gain_of(const int8_t *mask, uint32_t least, uint32_t band) {
  const uint32_t q = (uint32_t)(mask[band] + 128), gain = q + (q >> 7);
  return (int32_t)(gain > least ? gain : least);
}

/* x times gain / 256, cut; in halves, so that products fit 32 bits. */
static inline int32_t times(int32_t x, int32_t gain) {
  return (x >> 8) * gain + (((x & 255) * gain) >> 8);
}

/* Bins from `from` to before `to`, by one gain. */
static void scale_bins(int32_t *x, uint32_t from, uint32_t to, int32_t gain) {
  for (int32_t *p = x + 2 * from; p < x + 2 * to; p++) *p = times(*p, gain);
}

static void scale_spectrum(const struct mote_features *f, int32_t *x, const int8_t *mask,
                           uint32_t least) {
  const uint16_t *const segment = mote_at(f, f->segment_at);
  const uint8_t *weight = mote_at(f, f->weight_at);
  const uint32_t half = (uint32_t)1 << (f->fft_log2 - 1);
  const int32_t lowest = gain_of(mask, least, 0), highest = gain_of(mask, least, f->bands - 1u);
  x[0] = times(x[0], lowest);
  x[1] = times(x[1], highest); /* bin n/2 */
  scale_bins(x, 1, segment[0], lowest);
  for (uint32_t s = 0; s <= f->bands; s++) {
    const int32_t below = s > 0 ? gain_of(mask, least, s - 1) : lowest;
    const int32_t above = s < f->bands ? gain_of(mask, least, s) : highest;
    for (uint32_t k = segment[s]; k < segment[s + 1]; k++, weight++) {
      const int32_t gain = (*weight * above + (256 - *weight) * below + 128) >> 8;
      x[2 * k] = times(x[2 * k], gain);
      x[2 * k + 1] = times(x[2 * k + 1], gain);
    }
  }
  scale_bins(x, segment[f->bands + 1], half, highest);
}

/* x times 2^-r, held to 24 bits and a sign; r from -30 to 31. */
static inline int32_t moved(int32_t x, int32_t r) {
  const int32_t most = ((int32_t)1 << 24) - 1;
  if (r > 0) return mote_clamp((x + ((int32_t)1 << (r - 1))) >> r, -most, most);
  return mote_clamp(x, -(most >> -r), most >> -r) * ((int32_t)1 << -r);
}

void mote_suppress_give(const struct mote_features *f, void *memory, const int8_t *mask,
                        uint32_t least, int16_t *out) {
  struct suppress *const s = memory;
  int32_t *const x = bins_of(memory), *const tail = tail_of(f, memory);
  const int16_t *const w = mote_at(f, f->window_at);
  const int32_t lowest = gain_of(mask, least, 0);
  int32_t r = 0;
  if (s->shift < 0) {
    memset(x, 0, (size_t)4 << f->fft_log2);
  } else {
    scale_spectrum(f, x, mask, least);
    /* x is samples times the window (Q15), 2^-shift and n / 2, and cut; down to Q7. */
    r = f->fft_log2 - 1 + 15 - s->shift - 7 -
        mote_fft_real_inverse(x, f->fft_log2, mote_at(f, f->sine_at));
  }
  for (uint32_t t = 0; t < f->frame; t++) {
    /* The mean comes back as windowed, by the lowest band's gain: |mean w| <= 2^30, Q7 below 2^22, times 2^8. */
    const int32_t sample = moved(x[t], r) + ((((s->mean * w[t]) >> 8) * lowest) >> 8);
    /* |sample| < 2^25: its upper part below 2^13, times 2^15. Q7 + 15 - 12 = Q10. */
    const int32_t part = (sample >> 12) * w[t] + (((sample & 4095) * w[t]) >> 12);
    if (t < f->hop)
      out[t] = mote_clamp_s16((tail[t] + part + 512) >> 10);
    else
      tail[t - f->hop] = part;
  }
}
