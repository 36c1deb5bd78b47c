/* What the files of ml share: places in a model, the map to standard deviations, roots, exponentials. Internal to
 * mote/ml. */
#ifndef MOTE_ML_PRIVATE_H
#define MOTE_ML_PRIVATE_H

#include "mote/ml/ml.h"

static inline const void MOTE_ROM *mote_ml_at(const struct mote_ml MOTE_ROM *m, int32_t at) {
  return (const uint8_t MOTE_ROM *)m + at;
}
static inline const struct mote_ml_map MOTE_ROM *mote_ml_map_of(const struct mote_ml MOTE_ROM *m) {
  return (const struct mote_ml_map MOTE_ROM *)(m + 1);
}
static inline int32_t mote_ml_value(const struct mote_ml MOTE_ROM *m, const void *x, unsigned i) {
  return m->wide ? ((const int16_t *)x)[i] : ((const int8_t *)x)[i];
}

/* The chosen columns of x: z int16[n]. */
void mote_ml_to_z(const struct mote_ml MOTE_ROM *m, const void *x, int16_t *z);
/* Where scratch goes on behind z. */
static inline int32_t *mote_ml_behind_z(const struct mote_ml MOTE_ROM *m, void *scratch) {
  return (int32_t *)scratch + (mote_ml_map_of(m)->n + 1u) / 2;
}

/* Squared distance of z and a point; where it reaches `most` early, any number from there on. */
uint32_t mote_ml_apart(const int16_t *z, const int8_t MOTE_ROM *point, unsigned n, unsigned up,
                       uint32_t most);

/* ln(x / 2^24) in steps of 2^-12, x >= 1. errors: below 2^-12. */
int32_t mote_ml_log(uint32_t x);
/* e^(a * 2^-fraction) as Q0.31, a <= 0, given as its magnitude. */
int32_t mote_ml_exp(uint32_t magnitude, unsigned fraction);

/* Shares of n sums by softmax, in steps of 2^-fraction; sums is written over. range: n 1..256. */
void mote_ml_softmax(int32_t *sums, unsigned n, unsigned fraction, int8_t *out);
/* Takes from the others what makes `best` the only largest. needs: out[best] > -128. */
void mote_ml_answer(int8_t *out, unsigned n, unsigned best);

/* The cluster that decides a score. */
int32_t mote_ml_kmeans_score(const struct mote_ml MOTE_ROM *m, const int16_t *z, unsigned *cluster);
/* Of the component that explains z best. why: int32[n]. z is written over. */
void mote_ml_gaussian_why(const struct mote_ml MOTE_ROM *m, int16_t *z, int32_t *why);
/* Of what was read and answered, one behind the other. */
void mote_ml_reconstruction_why(const struct mote_ml MOTE_ROM *m, const int8_t *x, int32_t *why);
void mote_ml_pca_why(const struct mote_ml MOTE_ROM *m, const int16_t *z, int16_t *y, int32_t *why);

#endif
