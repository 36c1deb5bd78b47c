/* The kind "spectrogram": log2 of the power of every bin, fft / 2 + 1 of them. */
#include "mote/dsp/private.h"

static enum mote_status spectrogram_check(const struct mote_features *f) {
  const enum mote_status status = mote_features_check_fft(f);
  if (status != MOTE_OK) return status;
  if (f->bands || f->coefficients || f->columns != f->channels * ((1u << (f->fft_log2 - 1)) + 1))
    return MOTE_ERR_PARAMS;
  return mote_features_check_emphasis(f);
}

static size_t spectrogram_scratch_bytes(const struct mote_features *f) {
  return (size_t)4 << f->fft_log2;
}

/* Q8; re and im are cut to 15 bits together, so that their squares' sum is below 2^31. */
static int16_t bin_log2(int32_t re, int32_t im, int32_t unit, int32_t floor) {
  const int32_t bits = mote_bits_of((uint32_t)(re ^ (re >> 31)) | (uint32_t)(im ^ (im >> 31)));
  const int32_t shift = bits > 15 ? bits - 15 : 0;
  re >>= shift, im >>= shift;
  const uint32_t power = (uint32_t)(re * re) + (uint32_t)(im * im);
  if (!power) return (int16_t)floor;
  return (int16_t)mote_clamp(mote_log2_u32_q8(power) + 512 * shift - unit, floor, 16383);
}

static void spectrogram_row(const struct mote_features *f, const int16_t *samples, void *state,
                            void *scratch, void *row) {
  int32_t *const x = scratch;
  int16_t *out = row;
  const uint32_t half = 1u << (f->fft_log2 - 1);
  for (uint32_t c = 0; c < f->channels; c++) {
    const int32_t before = mote_features_emphasis_before(f, samples, c, state);
    const int32_t unit =
        mote_features_emphasised(f, mote_features_channel(f, samples, c), before, x);
    const int32_t last = x[1];
    x[1] = 0;
    for (uint32_t k = 0; k < half; k++) *out++ = bin_log2(x[2 * k], x[2 * k + 1], unit, f->floor);
    *out++ = bin_log2(last, 0, unit, f->floor);
  }
}

const struct mote_features_op mote_features_spectrogram = {
    .kind = MOTE_FEATURES_SPECTROGRAM,
    .check = spectrogram_check,
    .scratch_bytes = spectrogram_scratch_bytes,
    .state_bytes = mote_features_emphasis_state_bytes,
    .begin = mote_features_emphasis_begin,
    .prime = mote_features_emphasis_prime,
    .row = spectrogram_row,
    .finish = mote_features_finish_s16,
};
