/* Every kind by its number. Only programs that open blocks which they do not know link this file. */
#include "mote/dsp/dsp.h"

const struct mote_features_op *mote_features_op_of(unsigned kind) {
  static const struct mote_features_op *const ops[MOTE_FEATURES_KIND_COUNT] = {
      &mote_features_bands, &mote_features_statistics, &mote_features_raw,
      &mote_features_mfe,   &mote_features_mfcc,       &mote_features_spectrogram};
  return kind < MOTE_FEATURES_KIND_COUNT ? ops[kind] : 0;
}
