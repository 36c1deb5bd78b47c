/* linear: one sum of weights for each class, and softmax. */
#include "mote/ml/private.h"

void mote_ml_linear_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  const struct mote_ml_linear MOTE_ROM *p = (const struct mote_ml_linear MOTE_ROM *)m;
  const int16_t MOTE_ROM *w = (const int16_t MOTE_ROM *)mote_ml_at(m, p->weight_at);
  const int32_t MOTE_ROM *bias = (const int32_t MOTE_ROM *)mote_ml_at(m, p->bias_at);
  const int16_t *z = (const int16_t *)scratch;
  int32_t *sums = mote_ml_behind_z(m, scratch);
  mote_ml_to_z(m, x, (int16_t *)scratch);
  int32_t *to = sums;
  if (p->rows < m->classes) *to++ = 0;
  for (unsigned r = 0; r < p->rows; r++) {
    int32_t sum = bias[r]; /* the check proved every sum */
    for (unsigned j = 0; j < p->map.n; j++) sum += (int32_t)*w++ * z[j];
    *to++ = sum;
  }
  mote_ml_softmax(sums, m->classes, p->sum_fraction, (int8_t *)out);
}
