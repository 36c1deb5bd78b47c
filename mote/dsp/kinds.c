/* Every kind by its number. Only programs that open blocks which they do not know link this file. */
#include "mote/dsp/private.h"

const struct mote_features_op *mote_features_op_of(unsigned kind) {
  static const struct mote_features_op *const ops[MOTE_FEATURES_KIND_COUNT] = {
      &mote_features_bands,         &mote_features_statistics, &mote_features_raw,
      &mote_features_mfe,           &mote_features_mfcc,       &mote_features_spectrogram,
      &mote_features_spectral_full, &mote_features_flatten,    &mote_features_wavelet,
      &mote_features_heart_full,    &mote_features_image,      &mote_features_micro,
      &mote_features_pitch,         &mote_features_flatness};
  return kind < MOTE_FEATURES_KIND_COUNT ? ops[kind] : 0;
}

enum mote_status mote_features_check_of(const struct mote_features *f) {
  switch (f->kind) {
  case MOTE_FEATURES_SPECTRAL: return mote_features_check_spectral(f);
  case MOTE_FEATURES_FLATTEN: return mote_features_check_flatten(f);
  case MOTE_FEATURES_WAVELET: return mote_features_check_wavelet(f);
  case MOTE_FEATURES_HEART: return mote_features_check_heart(f);
  case MOTE_FEATURES_IMAGE: return mote_features_check_image(f);
  case MOTE_FEATURES_MICRO: return mote_features_check_micro(f);
  case MOTE_FEATURES_PITCH: return mote_features_check_pitch(f);
  default: return MOTE_ERR_PARAMS;
  }
}
