/* The kind "mfe": log2 of the power in mel bands of the emphasised samples. */
#include "mote/dsp/private.h"

static enum mote_status mfe_check(const struct mote_features *f) {
  if (f->coefficients || f->columns != f->channels * f->bands) return MOTE_ERR_PARAMS;
  const enum mote_status status = mote_features_check_bands(f);
  return status == MOTE_OK ? mote_features_check_emphasis(f) : status;
}

static size_t mfe_scratch_bytes(const struct mote_features *f) { return (size_t)4 << f->fft_log2; }

static void mfe_row(const struct mote_features *f, const int16_t *samples, void *state,
                    void *scratch, void *row) {
  int32_t *const x = scratch;
  for (uint32_t c = 0; c < f->channels; c++) {
    const int32_t before = mote_features_emphasis_before(f, samples, c, state);
    const int32_t unit =
        mote_features_emphasised(f, mote_features_channel(f, samples, c), before, x);
    x[1] = 0; /* the bin at half of the rate is in no band */
    mote_features_log_bands(f, x, unit, (int16_t *)row + c * f->bands);
  }
}

const struct mote_features_op mote_features_mfe = {
    .kind = MOTE_FEATURES_MFE,
    .check = mfe_check,
    .scratch_bytes = mfe_scratch_bytes,
    .state_bytes = mote_features_emphasis_state_bytes,
    .begin = mote_features_emphasis_begin,
    .prime = mote_features_emphasis_prime,
    .row = mfe_row,
    .finish = mote_features_finish_s16,
};
