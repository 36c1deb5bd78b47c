/* The kind "bands": a frame's spectrum in bands, or its cosine transform; statistics use the bands, too. */
#include "mote/dsp/private.h"

#include <string.h>

/* A twiddle longer than 1 could overflow the FFT: 2^30 is 1, and rounding adds less than 46343. */
static int sine_fits(const int16_t *sine, uint32_t quarter) {
  for (uint32_t k = 0; k <= quarter; k++) {
    const int32_t s = sine[k], c = sine[quarter - k];
    if (s < 0 || s * s + c * c > ((int32_t)1 << 30) + 46343)
      return 0; /* s, c <= 32767: below 2^31 */
  }
  return 1;
}

/* Segments grow, hold 256 bins at most, and leave out bin 0 and bin fft/2, which are packed together. */
static enum mote_status check_segments(const struct mote_features *f) {
  const uint16_t *const segment = mote_at(f, f->segment_at);
  if (segment[0] < 1) return MOTE_ERR_PARAMS;
  for (uint32_t i = 0; i <= f->bands; i++)
    if (segment[i + 1] < segment[i] || segment[i + 1] - segment[i] > 256) return MOTE_ERR_PARAMS;
  const uint32_t end = segment[f->bands + 1];
  if (end > 1u << (f->fft_log2 - 1)) return MOTE_ERR_PARAMS;
  return mote_features_table_fits(f, f->weight_at, end - segment[0]) ? MOTE_OK : MOTE_ERR_BOUNDS;
}

static enum mote_status check_cosines(const struct mote_features *f) {
  if (!mote_features_table_fits(f, f->cosine_at, 2 * (size_t)f->coefficients * f->bands))
    return MOTE_ERR_BOUNDS;
  const int16_t *cosine = mote_at(f, f->cosine_at);
  for (uint32_t k = 0; k < f->coefficients; k++) {
    int32_t sum = 0; /* bands <= 1024: below 2^26 */
    for (uint32_t b = 0; b < f->bands; b++, cosine++) sum += *cosine < 0 ? -*cosine : *cosine;
    if (sum > 131071) return MOTE_ERR_PARAMS; /* times 2^14: the sum of a transform fits 32 bits */
  }
  return MOTE_OK;
}

enum mote_status mote_features_check_bands(const struct mote_features *f) {
  if (f->fft_log2 < 4 || f->fft_log2 > 11) return MOTE_ERR_PARAMS;
  const uint32_t fft = 1u << f->fft_log2;
  if (f->frame > fft || f->bands < 1 || f->bands > fft / 2 || f->coefficients > f->bands ||
      f->floor < -16384 || f->floor > 16383)
    return MOTE_ERR_PARAMS;
  if (!mote_features_table_fits(f, f->window_at, (size_t)f->frame * 2) ||
      !mote_features_table_fits(f, f->sine_at, ((size_t)fft / 4 + 1) * 2) ||
      !mote_features_table_fits(f, f->segment_at, ((size_t)f->bands + 2) * 2))
    return MOTE_ERR_BOUNDS;
  if (!sine_fits(mote_at(f, f->sine_at), fft / 4)) return MOTE_ERR_PARAMS;
  const enum mote_status status = check_segments(f);
  return status == MOTE_OK && f->coefficients ? check_cosines(f) : status;
}

size_t mote_features_spectrum_scratch(const struct mote_features *f) {
  if (!f->fft_log2) return 0;
  return ((size_t)4 << f->fft_log2) +
         (f->coefficients ? (2 * (size_t)f->bands + 3) & ~(size_t)3 : 0);
}

struct mote_extent mote_features_extent(const int16_t *samples, uint32_t n, uint32_t stride) {
  const int16_t *const end = samples + n * stride;
  int32_t sum = 0, low = *samples, high = *samples; /* n <= 32767: |sum| < 2^30 */
  for (; samples != end; samples += stride) {
    const int32_t v = *samples;
    sum += v;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const struct mote_extent e = {sum / (int32_t)n, low, high};
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
  const uint32_t stride = f->stride, top = 1u << (f->fft_log2 - 2); /* points / 2 */
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
void mote_features_spectrum(const struct mote_features *f, const int16_t *samples, void *scratch,
                            int16_t *out) {
  int32_t *const x = scratch;
  int16_t *const bands = f->coefficients ? (int16_t *)(x + (1u << f->fft_log2)) : out;
  const struct mote_extent e = mote_features_extent(samples, f->frame, f->stride);
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

static enum mote_status bands_check(const struct mote_features *f) {
  if (f->cell_bytes != 2 || !f->fft_log2) return MOTE_ERR_PARAMS;
  if (f->columns != f->channels * (f->coefficients ? f->coefficients : f->bands))
    return MOTE_ERR_PARAMS;
  return mote_features_check_bands(f);
}

static void bands_row(const struct mote_features *f, const int16_t *samples, void *state,
                      void *scratch, void *row) {
  const uint32_t each = (uint32_t)f->columns / f->channels;
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++)
    mote_features_spectrum(f, mote_features_channel(f, samples, c), scratch,
                           (int16_t *)row + c * each);
}

const struct mote_features_op mote_features_bands = {
    .kind = MOTE_FEATURES_BANDS,
    .check = bands_check,
    .scratch_bytes = mote_features_spectrum_scratch,
    .row = bands_row,
    .finish = mote_features_finish_s16,
};
