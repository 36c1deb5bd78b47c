/* kmeans: how far a vector lies outside of the nearest cluster.
 *
 * A root costs more than the distance of a few columns, so clusters that cannot win are left before it: with the best
 * score so far b, cluster k wins only where root(s) - error < b, that is where s < (b + error)^2. The root is rounded
 * down, and root(s) < w exactly where s < w^2 for whole w: the answer is that of taking every root. */
#include "mote/ml/private.h"

int32_t mote_ml_kmeans_score(const struct mote_ml MOTE_ROM *m, const int16_t *z,
                             unsigned *cluster) {
  const struct mote_ml_kmeans MOTE_ROM *p = (const struct mote_ml_kmeans MOTE_ROM *)m;
  const int8_t MOTE_ROM *point = (const int8_t MOTE_ROM *)mote_ml_at(m, p->point_at);
  const uint16_t MOTE_ROM *error = (const uint16_t MOTE_ROM *)mote_ml_at(m, p->error_at);
  const unsigned n = p->map.n, up = p->up;
  int32_t best = 65536; /* more than any root */
  for (unsigned k = 0; k < p->clusters; k++, point += n) {
    const int32_t win = best + error[k];
    if (win <= 0) continue;
    const uint32_t most = win > 65535 ? UINT32_MAX : (uint32_t)win * (uint32_t)win;
    const uint32_t s = mote_ml_apart(z, point, n, up, most);
    if (s >= most) continue;
    best = (int32_t)mote_sqrt_u32(s) - error[k];
    *cluster = k;
  }
  return best;
}

void mote_ml_kmeans_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  unsigned cluster = 0;
  mote_ml_to_z(m, x, (int16_t *)scratch);
  *(int32_t *)out = mote_ml_kmeans_score(m, (const int16_t *)scratch, &cluster);
}
