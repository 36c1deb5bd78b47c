/* The kind "bands": a frame's spectrum in bands, or its cosine transform; statistics use the bands, too. */
#include "mote/dsp/private.h"

#include <string.h>

/* A twiddle longer than 1 could overflow the FFT: 2^30 is 1, and rounding adds less than 46343. */
static int turn_fits(int32_t c, int32_t s) { /* c, s within +-32768: at most 2^31 */
  return (uint32_t)(c * c) + (uint32_t)(s * s) <= ((uint32_t)1 << 30) + 46343;
}

static int turns_fit(const int16_t *table, unsigned log2n) {
  const uint32_t quarter = (uint32_t)1 << (log2n - 2), n = mote_fft_table_values(log2n);
  for (uint32_t k = 0; k <= quarter; k++)
    if (table[k] < 0 || !turn_fits(table[k], table[quarter - k])) return 0;
  for (uint32_t k = quarter + 2; k < n; k += 2)
    if (!turn_fits(table[k], table[k + 1])) return 0;
  return 1;
}

/* Segments grow, hold 256 bins at most, and leave out bin 0, unless they are closed, and bin fft/2, which are packed
 * together. The bin that an empty closed segment names must be one, too. */
static enum mote_status check_segments(const struct mote_features *f) {
  const uint16_t *const segment = mote_at(f, f->segment_at);
  const int closed = f->flags & MOTE_FEATURES_CLOSED;
  if (segment[0] < !closed) return MOTE_ERR_PARAMS;
  for (uint32_t i = 0; i <= f->bands; i++)
    if (segment[i + 1] < segment[i] || segment[i + 1] - segment[i] > 256) return MOTE_ERR_PARAMS;
  const uint32_t end = segment[f->bands + 1];
  if (end > 1u << (f->fft_log2 - 1)) return MOTE_ERR_PARAMS;
  if (closed && segment[f->bands] >= 1u << (f->fft_log2 - 1)) return MOTE_ERR_PARAMS;
  return mote_features_table_fits(f, f->weight_at, end - segment[0]) ? MOTE_OK : MOTE_ERR_BOUNDS;
}

static enum mote_status check_cosines(const struct mote_features *f) {
  if (!mote_features_table_fits(f, f->cosine_at, 2 * (size_t)f->coefficients * f->bands))
    return MOTE_ERR_BOUNDS;
  const int16_t *cosine = mote_at(f, f->cosine_at);
  for (uint32_t k = 0; k < f->coefficients; k++) {
    int32_t sum = 0; /* bands <= 2048: at most 2^26 */
    for (uint32_t b = 0; b < f->bands; b++, cosine++) sum += *cosine < 0 ? -*cosine : *cosine;
    if (sum > 131069) return MOTE_ERR_PARAMS; /* times 2^14, and 2^15 to round: fits 32 bits */
  }
  return MOTE_OK;
}

enum mote_status mote_features_check_fft(const struct mote_features *f) {
  if (f->fft_log2 < 4 || f->fft_log2 > 12 || f->floor < -16384 || f->floor > 16383)
    return MOTE_ERR_PARAMS;
  if (!mote_features_table_fits(f, f->sine_at, (size_t)mote_fft_table_values(f->fft_log2) * 2))
    return MOTE_ERR_BOUNDS;
  return turns_fit(mote_at(f, f->sine_at), f->fft_log2) ? MOTE_OK : MOTE_ERR_PARAMS;
}

enum mote_status mote_features_check_bands(const struct mote_features *f) {
  enum mote_status status = mote_features_check_fft(f);
  if (status != MOTE_OK) return status;
  if (f->bands < 1 || f->bands > 1u << (f->fft_log2 - 1) || f->coefficients > f->bands)
    return MOTE_ERR_PARAMS;
  if (!mote_features_table_fits(f, f->segment_at, ((size_t)f->bands + 2) * 2))
    return MOTE_ERR_BOUNDS;
  status = check_segments(f);
  return status == MOTE_OK && f->coefficients ? check_cosines(f) : status;
}

enum mote_status mote_features_check_windowed(const struct mote_features *f) {
  if ((f->flags & MOTE_FEATURES_CLOSED) || f->fft_log2 > 12 || f->frame > 1u << f->fft_log2 ||
      !mote_features_table_fits(f, f->window_at, (size_t)f->frame * 2))
    return MOTE_ERR_PARAMS;
  return mote_features_check_bands(f);
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

/* Writes (sample - mean) * window, times 2^-shift, at its bit-reversed place.
 * range: |sample - mean| <= 65535 and |window| <= 2^15, so a product is at most 2^31 - 2^15; shift <= 14, so
 * rounding adds at most 2^13. */
static void frame_window(const struct mote_features *f, const int16_t *samples, int32_t mean,
                         int32_t shift, int32_t *x) {
  const int16_t *w = mote_at(f, f->window_at);
  const uint32_t stride = f->stride, top = 1u << (f->fft_log2 - 2); /* points / 2 */
  const int32_t half = shift ? 1 << (shift - 1) : 0;
  uint32_t place = 0; /* of t / 2: its bits reversed */
  if (f->frame < 1u << f->fft_log2) memset(x, 0, (size_t)4 << f->fft_log2);
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

/* What a segment gives to the band above it and to the one below, each times 2^(2 shift). */
struct share {
  uint32_t above, below;
  int32_t shift;
};

/* Magnitudes keep so many bits that 2^8 times the segment's power stays below 2^31: with b bits of bins - 1,
 * bins <= 2^b and a power is at most 2 * 2^(22 - b), so the sum is below 2^23, times 2^8. */
static inline struct share segment_share(const int32_t *x, const uint8_t *weight, uint32_t bins) {
  uint32_t magnitude = 0, all = 0, above = 0;
  const int32_t *const end = x + 2 * bins, *p = x;
  do {
    const int32_t re = p[0], im = p[1];
    magnitude |= (uint32_t)(re ^ (re >> 31)) | (uint32_t)(im ^ (im >> 31));
    p += 2;
  } while (p != end);
  /* Bits of bins - 1 and of the magnitude: of twice as much and one, less one, so that 0 is no case of its own. */
  const int32_t keep = (mote_zeros_of(2 * bins - 1) - 9) >> 1;
  int32_t shift = 31 - mote_zeros_of(2 * magnitude | 1) - keep;
  shift &= ~(shift >> 31);
  do {
    const int32_t re = x[0] >> shift, im = x[1] >> shift;
    const uint32_t power = (uint32_t)(re * re) + (uint32_t)(im * im);
    all += power;
    above += power * *weight++;
    x += 2;
  } while (x != end);
  const struct share s = {above, (all << 8) - above, shift};
  return s;
}

/* log2 of rising 2^(2 r) + falling 2^(2 f), both below 2^31, not both 0. What stands lower is cut to the digits of what
 * stands higher: to 1 / 256 of its least power. */
static inline int32_t sum_log2(uint32_t rising, int32_t r, uint32_t falling, int32_t f) {
  if (!rising) r = f;
  if (!falling) f = r;
  const int32_t down = 2 * (r - f);
  if (down >= 0) {
    falling = down < 32 ? falling >> down : 0;
  } else {
    rising = down > -32 ? rising >> -down : 0;
    r = f;
  }
  return mote_log2_u32_q8(rising + falling) + 512 * r;
}

/* Weights make a band's sum 2^8 of what it stands for.
 * A bin gives `weight / 256` of its power to the band above it and the rest to the band below, so two products
 * serve both. */
void mote_features_log_bands(const struct mote_features *f, const int32_t *x, int32_t unit,
                             int16_t *out) {
  static const uint8_t none = 0;
  const uint16_t *segment = mote_at(f, f->segment_at);
  const uint16_t *const last = segment + f->bands + 1;
  const uint8_t *weight = mote_at(f, f->weight_at);
  struct share before = {0, 0, 0};
  uint32_t from = *segment++;
  int16_t *to = out - 1; /* the first segment only begins a band */
  unit += 8 * 256;
  for (; segment <= last; to++) {
    const uint32_t end = *segment++, bins = end - from;
    struct share s = {0, 0, 0};
    if (bins)
      s = segment_share(x + 2 * from, weight, bins);
    else if (f->flags & MOTE_FEATURES_CLOSED)
      s = segment_share(x + 2 * from, &none, 1);
    weight += bins;
    from = end;
    if (to >= out) {
      int32_t level = f->floor;
      if (before.above | s.below)
        level = sum_log2(before.above, before.shift, s.below, s.shift) - unit;
      *to = (int16_t)mote_clamp(level, f->floor, 16383);
    }
    before = s;
  }
}

/* range: |v| <= 2^14 and a row's |cosines| sum to 131069 at most. */
void mote_features_cosines(const struct mote_features *f, const int16_t *v, int32_t shift,
                           int16_t *out) {
  const int16_t *cosine = mote_at(f, f->cosine_at);
  const int16_t *const end = v + f->bands;
  for (uint32_t k = 0; k < f->coefficients; k++) {
    int32_t sum = 1 << (shift - 1);
    for (const int16_t *b = v; b != end; b++) sum += *b * *cosine++;
    out[k] = mote_clamp_s16(sum >> shift);
  }
}

int32_t mote_features_transform(const struct mote_features *f, const int16_t *samples,
                                const struct mote_extent *e, int32_t *x) {
  const int32_t above = e->high - e->mean, below = e->mean - e->low;
  const int32_t peak = above > below ? above : below;
  /* A product with the window has 15 bits more than the peak; the FFT takes 29 - log2n. */
  const int32_t over = mote_bits_of((uint32_t)peak) + 15 - (29 - f->fft_log2);
  const int32_t shift = over > 0 ? over : 0;
  frame_window(f, samples, e->mean, shift, x);
  mote_fft_real(x, f->fft_log2, mote_at(f, f->sine_at));
  return shift;
}

/* scratch: int32[fft], then int16[bands] where a cosine transform follows. */
void mote_features_spectrum(const struct mote_features *f, const int16_t *samples, void *scratch,
                            int16_t *out) {
  int32_t *const x = scratch;
  int16_t *const bands = f->coefficients ? (int16_t *)(x + (1u << f->fft_log2)) : out;
  const struct mote_extent e = mote_features_extent(samples, f->frame, f->stride);
  if (e.high == e.low)
    for (uint32_t b = 0; b < f->bands; b++) bands[b] = f->floor;
  else
    mote_features_log_bands(f, x, 512 * (15 - mote_features_transform(f, samples, &e, x)), bands);
  if (f->coefficients) mote_features_cosines(f, bands, 16, out); /* Q6 */
}

static enum mote_status bands_check(const struct mote_features *f) {
  if (f->cell_bytes != 2 || !f->fft_log2) return MOTE_ERR_PARAMS;
  if (f->columns != f->channels * (f->coefficients ? f->coefficients : f->bands))
    return MOTE_ERR_PARAMS;
  return mote_features_check_windowed(f);
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
