/* private: a row of the kind "spectral". Both ops are made from this text, the plain one with `more` NULL, so that what it
 * cannot do is not in its code. */
#ifndef MOTE_DSP_SPECTRAL_ROW_H
#define MOTE_DSP_SPECTRAL_ROW_H

#include "mote/dsp/spectral_work.h"

/* The frame that begins at x, of n numbers, at the places that the transform reads. */
static inline void place_frame(const struct mote_spectral_work *w, const int32_t *x, uint32_t n) {
  const uint32_t fft = 1u << w->p->fft_log2;
  for (uint32_t t = 0, at = 0; t < fft; t++) {
    w->fft[at] = t < n ? x[t] : 0;
    if (!(t & 1)) { /* pairs stay together */
      at++;
      continue;
    }
    at--;
    uint32_t bit =
        fft /
        2; /* half of at is half of t with its digits reversed: count from the leading digit */
    while (at & bit) at ^= bit, bit /= 2;
    at |= bit;
  }
}

/* range: |re|, |im| < 2^30, so a power is below 2^61, and the sum of 2^down parts of 2^-down below 2^61. */
static inline void keep_power(struct mote_power *kept, int32_t re, int32_t im, int mean,
                              int32_t down) {
  uint64_t p = (uint64_t)((int64_t)re * re + (int64_t)im * im);
  const uint64_t old = ((uint64_t)kept->high << 32) | kept->low;
  if (mean)
    p = old + (p >> down);
  else if (p <= old)
    return;
  kept->high = (uint32_t)(p >> 32), kept->low = (uint32_t)p;
}

/* x[n] becomes powers. cost: a transform every hop. */
static inline void powers_of(struct mote_spectral_work *w, const struct mote_spectral_more *more,
                             uint32_t n) {
  const struct mote_spectral *const p = w->p;
  const uint32_t fft = 1u << p->fft_log2, half = fft / 2;
  const int mean = more && p->hold == MOTE_SPECTRAL_MEAN,
            first = more && p->hold == MOTE_SPECTRAL_FIRST;
  const int32_t left = mote_level(w->x, n, 29 - p->fft_log2);
  uint32_t frames = 0;
  int32_t down = 0;
  for (uint32_t k = 0; k <= half; k++) w->power[k].low = w->power[k].high = 0;
  while (mean && (uint32_t)p->hop << down < n) down++;
  for (uint32_t start = 0; !start || (!first && (p->fill ? start < n : start + fft <= n));
       start += p->hop) {
    place_frame(w, w->x + start, n - start);
    mote_fft_real32(w->fft, p->fft_log2, w->sine);
    const int32_t last = w->fft[1]; /* of bin fft / 2, which is real as bin 0 is */
    w->fft[1] = 0;
    for (uint32_t k = 0; k < half; k++)
      keep_power(&w->power[k], w->fft[2 * k], w->fft[2 * k + 1], mean, down);
    keep_power(&w->power[half], last, 0, mean, down);
    frames++;
  }
  w->exponent = -2 * (left + p->fraction) - p->fft_log2;
  if (mean) more->mean(w, frames, down);
}

static inline int32_t *put_values(struct mote_spectral_work *w,
                                  const struct mote_spectral_more *more, uint32_t n,
                                  uint32_t values, int32_t *out) {
  struct mote_moments m;
  mote_moments(w->x, n, &m);
  if (values & MOTE_SPECTRAL_RMS) *out++ = mote_scaled_fix(m.deviation, 12 - w->p->fraction);
  if (values & MOTE_SPECTRAL_SKEWNESS) *out++ = m.skewness;
  if (values & MOTE_SPECTRAL_KURTOSIS) *out++ = m.kurtosis;
  powers_of(w, more, n);
  if (more && values & MOTE_SPECTRAL_SHAPE) out = more->shape(w, out);
  if (values & MOTE_SPECTRAL_POWERS)
    for (uint32_t k = 0; k < w->p->bins; k++)
      *out++ = mote_spectral_level(w, mote_scaled_of(mote_power_at(w, w->p->first + k), 0));
  return more ? more->values(w, out) : out;
}

/* The low pass reads the channels again, since x then holds what the spectrum left of it. */
static inline __attribute__((always_inline)) void
spectral_row_of(const struct mote_features *f, const struct mote_spectral_more *more,
                const int16_t *samples, void *scratch, void *row) {
  const struct mote_spectral *const p = mote_at(f, f->params_at);
  const uint32_t fft = 1u << p->fft_log2;
  int32_t *const x = scratch, *out = row;
  struct mote_spectral_work w = {p,
                                 mote_at(p, p->sine_at),
                                 mote_at(p, p->band_at),
                                 x,
                                 x + f->frame,
                                 (struct mote_power *)(void *)(x + f->frame + fft),
                                 0,
                                 0};
  for (uint32_t low = 0; low <= (more ? p->low : 0u); low++)
    for (uint32_t c = 0; c < f->channels; c++) {
      const int16_t *const in = mote_features_channel(f, samples, c);
      uint32_t n = f->frame;
      for (uint32_t t = 0; t < n; t++) x[t] = (int32_t)in[t * f->stride] * (1 << p->fraction);
      if (more) n = more->filter(&w, n, p->filters + low), w.channel = c;
      out = put_values(&w, more, n, p->values | (low ? MOTE_SPECTRAL_SHAPE : 0), out);
    }
}

#endif
