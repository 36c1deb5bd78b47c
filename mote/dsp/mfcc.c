/* The kind "mfcc": the cosine transform of the log mel bands of the emphasised samples, Q8; in place of the first
 * coefficient log2 of the whole frame's power. */
#include "mote/dsp/private.h"

static enum mote_status mfcc_check(const struct mote_features *f) {
  if (!f->coefficients || f->columns != f->channels * f->coefficients) return MOTE_ERR_PARAMS;
  const enum mote_status status = mote_features_check_bands(f);
  return status == MOTE_OK ? mote_features_check_emphasis(f) : status;
}

static size_t mfcc_scratch_bytes(const struct mote_features *f) {
  return mote_features_spectrum_scratch(f);
}

/* log2 of the sum of all bins' power, Q8. Magnitudes are cut to as many bits as let the sum fit: with at most 2^11
 * bins, 10 bits give at most 2^11 * 2 * 2^20 = 2^32, so one less; few bins keep more. */
static int32_t energy_log2(const int32_t *x, unsigned log2n) {
  const uint32_t n = 1u << log2n;
  uint32_t magnitude = 0, sum = 0;
  for (uint32_t i = 0; i < n; i++) magnitude |= (uint32_t)(x[i] ^ (x[i] >> 31));
  const int32_t keep = (31 - (int32_t)log2n) >> 1, bits = mote_bits_of(magnitude);
  const int32_t shift = bits > keep ? bits - keep : 0;
  for (uint32_t i = 0; i < n; i++) { /* n 2^(2 keep) <= 2^31 */
    const int32_t v = x[i] >> shift;
    sum += (uint32_t)(v * v);
  }
  return sum ? mote_log2_u32_q8(sum) + 512 * shift : -16384;
}

static void mfcc_row(const struct mote_features *f, const int16_t *samples, void *state,
                     void *scratch, void *row) {
  int32_t *const x = scratch;
  int16_t *const bands = (int16_t *)(x + (1u << f->fft_log2)), *out = row;
  for (uint32_t c = 0; c < f->channels; c++, out += f->coefficients) {
    const int32_t before = mote_features_emphasis_before(f, samples, c, state);
    const int32_t unit =
        mote_features_emphasised(f, mote_features_channel(f, samples, c), before, x);
    const int32_t energy = energy_log2(x, f->fft_log2) - unit;
    x[1] = 0;
    mote_features_log_bands(f, x, unit, bands);
    mote_features_cosines(f, bands, 14, out);
    out[0] = (int16_t)mote_clamp(energy, f->floor, 16383);
  }
}

static void mfcc_finish(const struct mote_features *f, const void *rows, uint32_t n, int8_t *out) {
  if (f->normalise == MOTE_FEATURES_NORMALISE_SLIDING)
    mote_features_finish_sliding(f, rows, out);
  else
    mote_features_finish_s16(f, rows, n, out);
}

const struct mote_features_op mote_features_mfcc = {
    .kind = MOTE_FEATURES_MFCC,
    .check = mfcc_check,
    .scratch_bytes = mfcc_scratch_bytes,
    .state_bytes = mote_features_emphasis_state_bytes,
    .begin = mote_features_emphasis_begin,
    .prime = mote_features_emphasis_prime,
    .row = mfcc_row,
    .finish = mfcc_finish,
};
