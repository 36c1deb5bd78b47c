/* One row of values from one frame of samples. */
#include "mote/dsp/dsp.h"

#include <string.h>

/* What one pass over a channel of a frame finds. */
struct extent {
  int32_t mean; /* rounded towards zero */
  int32_t low, high;
};

static struct extent extent_of(const int16_t *samples, uint32_t n, uint32_t stride) {
  const int16_t *const end = samples + n * stride;
  int32_t sum = 0, low = *samples, high = *samples; /* n <= 32767: |sum| < 2^30 */
  for (; samples != end; samples += stride) {
    const int32_t v = *samples;
    sum += v;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const struct extent e = {sum / (int32_t)n, low, high};
  return e;
}

static int32_t bits_of(uint32_t x) { return x ? 32 - __builtin_clz(x) : 0; }

static int16_t clamp_s16(int32_t x) { return (int16_t)mote_clamp(x, INT16_MIN, INT16_MAX); }

/* Writes (sample - mean) * window, times 2^-shift, at its bit-reversed place.
 * range: |sample - mean| <= 65535 and |window| <= 2^15, so a product is at most 2^31 - 2^15; shift <= 14, so
 * rounding adds at most 2^13. */
static void frame_window(const struct mote_features *f, const int16_t *samples, int32_t mean,
                         int32_t shift, int32_t *x) {
  const int16_t *w = mote_at(f, f->window_at);
  const uint32_t stride = f->channels, top = 1u << (f->fft_log2 - 2); /* points / 2 */
  const int32_t half = shift ? 1 << (shift - 1) : 0;
  uint32_t place = 0; /* of t / 2: its bits reversed */
  memset(x, 0, (size_t)4 << f->fft_log2);
  uint32_t left = f->frame;
  for (; left >= 4; left -= 4) {
    int32_t *const even = x + 2 * place, *const odd = even + 2 * top;
    even[0] = ((*samples - mean) * w[0] + half) >> shift, samples += stride;
    even[1] = ((*samples - mean) * w[1] + half) >> shift, samples += stride;
    odd[0] = ((*samples - mean) * w[2] + half) >> shift, samples += stride;
    odd[1] = ((*samples - mean) * w[3] + half) >> shift, samples += stride;
    w += 4;
    uint32_t bit = top / 2; /* adds one at the top but one, carries downwards */
    for (; place & bit; bit >>= 1) place ^= bit;
    place |= bit;
  }
  for (uint32_t t = 0; t < left; t++, samples += stride)
    x[2 * place + (t & 1) + (t & 2) * top] = ((*samples - mean) * w[t] + half) >> shift;
}

/* Sums of one segment: of the power, and of the power times its weight; each as high * 2^16 + low.
 * range: power <= 2^31, weight <= 255, at most 256 bins: high < 2^15 * 2^8 * 2^8 = 2^31. */
struct share {
  uint64_t all, above;
};

static struct share segment_share(const int32_t *x, const uint8_t *weight, uint32_t bins,
                                  int32_t shift) {
  const int32_t half = shift ? 1 << (shift - 1) : 0;
  uint32_t all_high = 0, all_low = 0, above_high = 0, above_low = 0;
  for (uint32_t k = 0; k < bins; k++) {
    const int32_t re = (x[2 * k] + half) >> shift, im = (x[2 * k + 1] + half) >> shift;
    /* |re|, |im| <= 2^15 */
    const uint32_t power = (uint32_t)re * (uint32_t)re + (uint32_t)im * (uint32_t)im;
    const uint32_t high = power >> 16, low = power & 0xFFFF, w = weight[k];
    all_high += high, all_low += low;
    above_high += high * w, above_low += low * w;
  }
  const struct share s = {((uint64_t)all_high << 16) + all_low,
                          ((uint64_t)above_high << 16) + above_low};
  return s;
}

/* log2 of the power in each band from the bins of a spectrum that stands 2^scale above the samples.
 * A bin gives `weight / 256` of its power to the band above it and the rest to the band below, so two products
 * serve both. */
static void frame_bands(const struct mote_features *f, const int32_t *x, int32_t scale,
                        int16_t *out) {
  const uint16_t *const segment = mote_at(f, f->segment_at);
  const uint8_t *weight = mote_at(f, f->weight_at);
  const uint32_t first = segment[0], end = segment[f->bands + 1];
  uint32_t magnitude = 0;
  for (uint32_t i = 2 * first; i < 2 * end; i++) magnitude |= (uint32_t)(x[i] ^ (x[i] >> 31));
  const int32_t bits = bits_of(magnitude), shift = bits > 15 ? bits - 15 : 0;
  /* A weighted sum is 2^8 * 2^(2 scale - 2 shift) of what it stands for. */
  const int32_t unit = 256 * (8 + 2 * scale - 2 * shift);
  uint64_t rising = 0;
  for (uint32_t i = 0; i <= f->bands; i++) {
    const uint32_t bins = (uint32_t)(segment[i + 1] - segment[i]);
    const struct share s = segment_share(x + 2 * segment[i], weight, bins, shift);
    weight += bins;
    if (i) {
      const int32_t level = mote_log2_q8(rising + ((s.all << 8) - s.above)) - unit;
      out[i - 1] = (int16_t)mote_clamp(level, f->floor, 16383);
    }
    rising = s.above;
  }
}

/* Orthonormal cosine transform, Q8 to Q6. range: |v| <= 2^14 and a row's |cosines| sum to 131071 at most. */
static void frame_cosines(const struct mote_features *f, const int16_t *v, int16_t *out) {
  const int16_t *cosine = mote_at(f, f->cosine_at);
  for (uint32_t k = 0; k < f->coefficients; k++) {
    int32_t sum = 0;
    for (uint32_t b = 0; b < f->bands; b++) sum += v[b] * *cosine++;
    out[k] = clamp_s16((sum + (1 << 15)) >> 16);
  }
}

/* scratch: int32[fft], then int16[bands] where a cosine transform follows. */
static void frame_spectrum(const struct mote_features *f, const int16_t *samples, void *scratch,
                           int16_t *out) {
  int32_t *const x = scratch;
  int16_t *const bands = f->coefficients ? (int16_t *)(x + (1u << f->fft_log2)) : out;
  const struct extent e = extent_of(samples, f->frame, f->channels);
  const int32_t peak = e.high - e.mean > e.mean - e.low ? e.high - e.mean : e.mean - e.low;
  if (peak == 0) {
    for (uint32_t b = 0; b < f->bands; b++) bands[b] = f->floor;
  } else {
    /* A product with the window has 15 bits more than the peak; the FFT takes 29 - log2n. */
    const int32_t over = bits_of((uint32_t)peak) + 15 - (29 - f->fft_log2),
                  shift = over > 0 ? over : 0;
    frame_window(f, samples, e.mean, shift, x);
    mote_fft_real(x, f->fft_log2, mote_at(f, f->sine_at));
    frame_bands(f, x, 15 - shift, bands);
  }
  if (f->coefficients) frame_cosines(f, bands, out);
}

/* Eight numbers of one channel, in the order of MOTE_FEATURES_STATS. */
static void frame_statistics(const int16_t *samples, uint32_t n, uint32_t stride, int16_t *out) {
  const struct extent e = extent_of(samples, n, stride);
  uint64_t squares = 0; /* each < 2^32, n < 2^15 */
  int32_t sum = 0;      /* of what the rounded mean left over: below n */
  uint64_t steps = 0;
  uint32_t crossings = 0;
  int32_t before = *samples;
  int side = 0;
  for (uint32_t i = 0; i < n; i++, samples += stride) {
    const int32_t d = *samples - e.mean;
    const uint32_t size = (uint32_t)(d < 0 ? -d : d);
    squares += size * size;
    sum += d;
    steps += (uint32_t)(*samples > before ? *samples - before : before - *samples);
    before = *samples;
    const int now = d > 0 ? 1 : d < 0 ? -1 : side; /* a sample on the mean stays on its side */
    crossings += side != 0 && now != side;
    side = now;
  }
  /* variance = E d^2 - (E d)^2; |E d| < 1, so its square over n^2 is below one: taken from the sum. */
  const uint64_t rest = (uint64_t)((int64_t)sum * sum) / n;
  const uint32_t variance = (uint32_t)((squares - (rest < squares ? rest : squares)) / n);
  const uint32_t level = (uint32_t)(e.mean * e.mean); /* <= 2^30 */
  out[0] = (int16_t)e.mean;
  out[1] = clamp_s16((int32_t)mote_sqrt_u32(variance));
  out[2] = clamp_s16(
      (int32_t)mote_sqrt_u32(variance > UINT32_MAX - level ? UINT32_MAX : variance + level));
  out[3] = (int16_t)e.low;
  out[4] = (int16_t)e.high;
  out[5] = (int16_t)((e.high - e.low) / 2);
  out[6] = (int16_t)crossings;
  out[7] = clamp_s16((int32_t)(steps / n)); /* <= 65535 */
}

/* The mean of each channel, rounded towards zero. */
static void frame_raw(const struct mote_features *f, const int16_t *samples, int16_t *row) {
  for (uint32_t c = 0; c < f->channels; c++) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < f->frame; i++) sum += samples[i * f->channels + c];
    row[c] = (int16_t)(f->frame == 1 ? sum : sum / f->frame);
  }
}

/* The channels follow each other; in statistics a channel's bands follow its eight numbers. */
void mote_features_row(const struct mote_features *f, const int16_t *samples, void *scratch,
                       int16_t *row) {
  if (f->kind == MOTE_FEATURES_RAW) {
    frame_raw(f, samples, row);
    return;
  }
  const uint32_t each = (uint32_t)f->columns / f->channels;
  for (uint32_t c = 0; c < f->channels; c++) {
    int16_t *const out = row + c * each;
    if (f->kind == MOTE_FEATURES_STATISTICS) {
      frame_statistics(samples + c, f->frame, f->channels, out);
      if (f->fft_log2) frame_spectrum(f, samples + c, scratch, out + MOTE_FEATURES_STATS);
    } else {
      frame_spectrum(f, samples + c, scratch, out);
    }
  }
}
