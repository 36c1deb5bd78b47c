/* The kind "raw": the samples of a frame, or their mean. */
#include "mote/dsp/private.h"

static enum mote_status raw_check(const struct mote_features *f) {
  if (f->cell_bytes != 2 || f->columns != f->channels || f->fft_log2 || f->hop != f->frame)
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

static size_t raw_scratch_bytes(const struct mote_features *f) {
  (void)f;
  return 0;
}

/* The mean of each channel, rounded towards zero. */
static void raw_row(const struct mote_features *f, const int16_t *samples, void *state,
                    void *scratch, void *row) {
  (void)state, (void)scratch;
  for (uint32_t c = 0; c < f->channels; c++) {
    const int16_t *const channel = mote_features_channel(f, samples, c);
    int32_t sum = 0; /* frame <= 32767: |sum| < 2^30 */
    for (uint32_t i = 0; i < f->frame; i++) sum += channel[i * f->stride];
    ((int16_t *)row)[c] = (int16_t)(f->frame == 1 ? sum : sum / f->frame);
  }
}

const struct mote_features_op mote_features_raw = {
    .kind = MOTE_FEATURES_RAW,
    .check = raw_check,
    .scratch_bytes = raw_scratch_bytes,
    .row = raw_row,
    .finish = mote_features_finish_s16,
};
