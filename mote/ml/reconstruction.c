/* reconstruction: how far an autoencoder's answer lies from what it read: the mean of squared differences. */
#include "mote/ml/private.h"

/* The check proved that the sum fits int32, and int16 behind the shift. */
static inline int32_t apart(const struct mote_ml_reconstruction MOTE_ROM *p, int32_t x, int32_t y) {
  return (x * p->input - y * p->answer + p->offset) >> p->shift;
}

int32_t mote_ml_reconstruction_score(const struct mote_ml MOTE_ROM *m, const int8_t *x,
                                     const int8_t *y) {
  const struct mote_ml_reconstruction MOTE_ROM *p =
      (const struct mote_ml_reconstruction MOTE_ROM *)m;
  uint64_t sum = 0;
  for (unsigned n = m->features / 2u; n; n--) {
    const int32_t d = apart(p, *x++, *y++);
    sum += (uint32_t)(d * d); /* at most 2^30 */
  }
  /* Below 2^45 * 2^15 + 2^61. */
  const uint64_t mean = (sum * p->inverse + ((uint64_t)1 << (p->mean_shift - 1))) >> p->mean_shift;
  return mean > INT32_MAX ? INT32_MAX : (int32_t)mean;
}

void mote_ml_reconstruction_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,
                                void *out) {
  const int8_t *read = (const int8_t *)x;
  (void)scratch;
  *(int32_t *)out = mote_ml_reconstruction_score(m, read, read + m->features / 2u);
}

void mote_ml_reconstruction_why(const struct mote_ml MOTE_ROM *m, const int8_t *x, int32_t *why) {
  const struct mote_ml_reconstruction MOTE_ROM *p =
      (const struct mote_ml_reconstruction MOTE_ROM *)m;
  const unsigned n = m->features / 2u;
  for (unsigned j = 0; j < n; j++) {
    const int32_t d = apart(p, x[j], x[j + n]);
    why[j] = d * d;
  }
}
