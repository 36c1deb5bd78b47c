/* The kind "flatness": log2 of the power in each band, and how even the power is over the band's points.
 *
 * Flatness is the geometric mean of the powers over their arithmetic mean, here as its log2: 0 where all are equal, -0.83 for
 * noise on average, and the lower the more a few lines stand out. It does not know how loud the sound is. A band's points are
 * those of the two segments on which its triangle stands, each counted once.
 * source: ISO/IEC 15938-4 (MPEG-7 Audio), AudioSpectrumFlatness, there with bands of a quarter octave. */
#include "mote/dsp/private.h"

/* Points of a segment: their number, the sum of their powers times 2^(-2 shift), and log2 of the powers' product, Q8. */
struct points {
  uint32_t n, power;
  int32_t shift, logs;
};

static inline uint32_t magnitude_of(int32_t re, int32_t im) {
  return (uint32_t)(re ^ (re >> 31)) | (uint32_t)(im ^ (im >> 31));
}

/* A product of powers as mantissa * 2^exponent, so that many have one logarithm. */
struct product {
  uint32_t mantissa; /* 2^15 to 2^16 - 1 */
  int32_t exponent;
};

/* Times a point's power. re and im are cut to 15 bits together, so that their squares' sum is below 2^31. A point without power counts
 * as 1, which is the least that there is. */
static inline void multiply(struct product *p, int32_t re, int32_t im, uint32_t magnitude) {
  int32_t shift = 17 - mote_zeros_of(magnitude | 1);
  shift &= ~(shift >> 31);
  re >>= shift, im >>= shift;
  uint32_t power = (uint32_t)(re * re) + (uint32_t)(im * im);
  power += !power;
  const int32_t zeros = mote_zeros_of(power);
  const uint32_t both = p->mantissa * (power << zeros >> 16), over = both >> 31;
  p->mantissa = both >> (15 + over);
  p->exponent += 31 - zeros + 2 * shift + (int32_t)over;
}

/* range: n <= 256; components of 11 bits have powers below 2^23, so their sum is below 2^31. */
static inline void points_of(const int32_t *x, uint32_t n, struct points *out) {
  const int32_t *const end = x + 2 * n;
  uint32_t all = 0, power = 0;
  struct product product = {1u << 15, -15};
  for (const int32_t *p = x; p != end; p += 2) {
    const uint32_t magnitude = magnitude_of(p[0], p[1]);
    all |= magnitude;
    multiply(&product, p[0], p[1], magnitude);
  }
  int32_t shift = mote_bits_of(all) - 11;
  shift &= ~(shift >> 31);
  for (const int32_t *p = x; p != end; p += 2) {
    const int32_t re = p[0] >> shift, im = p[1] >> shift;
    power += (uint32_t)(re * re) + (uint32_t)(im * im);
  }
  const int32_t logs = mote_log2_u32_q8(product.mantissa) + 256 * product.exponent;
  *out = (struct points){n, power, shift, logs};
}

/* Of the points of two segments, Q8, at most 0. What stands lower is cut to the digits of what stands higher. */
static inline int32_t flatness_of(const struct points *a, const struct points *b) {
  const uint32_t n = a->n + b->n;
  const struct points *const high = a->shift < b->shift ? b : a, *const low = high == a ? b : a;
  const int32_t down = 2 * (high->shift - low->shift) + 1;
  const uint32_t power = (high->power >> 1) + (down < 32 ? low->power >> down : 0);
  if (n < 2 || !power) return 0;
  const int32_t mean = mote_log2_u32_q8(power) + 256 + 512 * high->shift - mote_log2_u32_q8(n);
  const int32_t flatness = (a->logs + b->logs) / (int32_t)n - mean;
  return flatness < 0 ? flatness : 0;
}

/* range: |x| < 2^31, so a log2 is at most 63 * 2^8, and that of a mean no less than a point's over n: nothing comes below -2^14. */
static void flatnesses(const struct mote_features *f, const int32_t *x, int16_t *out) {
  const uint16_t *segment = mote_at(f, f->segment_at);
  struct points two[2];
  points_of(x + 2 * segment[0], (uint32_t)(segment[1] - segment[0]), &two[1]);
  for (uint32_t b = 0; b < f->bands; b++) {
    segment++;
    points_of(x + 2 * segment[0], (uint32_t)(segment[1] - segment[0]), &two[b & 1]);
    out[b] = (int16_t)mote_clamp(flatness_of(&two[0], &two[1]), -16384, 0);
  }
}

/* Whether the bands' levels stand in front of their flatness. */
static int has_levels(const struct mote_features *f) {
  return f->columns == 2 * f->channels * f->bands;
}

static enum mote_status flatness_check(const struct mote_features *f) {
  if (f->cell_bytes != 2 || !f->fft_log2 || f->coefficients || f->range ||
      (f->normalise != MOTE_FEATURES_NORMALISE_NONE &&
       f->normalise != MOTE_FEATURES_NORMALISE_MEAN))
    return MOTE_ERR_PARAMS;
  if (f->columns != f->channels * f->bands && !has_levels(f)) return MOTE_ERR_PARAMS;
  return mote_features_check_windowed(f);
}

static void flatness_row(const struct mote_features *f, const int16_t *samples, void *state,
                         void *scratch, void *row) {
  int16_t *out = row;
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++) {
    const int16_t *const one = mote_features_channel(f, samples, c);
    const struct mote_extent e = mote_features_extent(one, f->frame, f->stride);
    const int silent = e.high == e.low;
    const int32_t unit = silent ? 0 : 512 * (15 - mote_features_transform(f, one, &e, scratch));
    if (has_levels(f)) {
      if (silent)
        for (uint32_t b = 0; b < f->bands; b++) out[b] = f->floor;
      else
        mote_features_log_bands(f, scratch, unit, out);
      out += f->bands;
    }
    if (silent)
      for (uint32_t b = 0; b < f->bands; b++) out[b] = 0;
    else
      flatnesses(f, scratch, out);
    out += f->bands;
  }
}

const struct mote_features_op mote_features_flatness = {
    .kind = MOTE_FEATURES_FLATNESS,
    .check = flatness_check,
    .scratch_bytes = mote_features_spectrum_scratch,
    .row = flatness_row,
    .finish = mote_features_finish_s16,
};
