/* knn: the votes of the k nearest points, kept sorted by insertion: k is small. Of equal distances the earlier point
 * stands in front. */
#include "mote/ml/private.h"

struct near {
  uint32_t apart;
  uint32_t label;
};

void mote_ml_knn_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  const struct mote_ml_knn MOTE_ROM *p = (const struct mote_ml_knn MOTE_ROM *)m;
  const int8_t MOTE_ROM *point = (const int8_t MOTE_ROM *)mote_ml_at(m, p->point_at);
  const uint8_t MOTE_ROM *label = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->label_at);
  const unsigned n = p->map.n, k = p->k;
  int16_t *z = (int16_t *)scratch;
  struct near *near = (struct near *)(void *)mote_ml_behind_z(m, scratch);
  int8_t *share = (int8_t *)out;
  unsigned have = 0, best = 0;
  mote_ml_to_z(m, x, z);
  for (unsigned i = 0; i < p->points; i++, point += n) {
    const uint32_t most = have == k ? near[k - 1].apart : UINT32_MAX;
    const uint32_t s = mote_ml_apart(z, point, n, p->up, most);
    if (have == k && s >= most) continue;
    unsigned at = have < k ? have++ : k - 1;
    for (; at > 0 && near[at - 1].apart > s; at--) near[at] = near[at - 1];
    near[at] = (struct near){s, label[i]};
  }
  /* Votes in steps of 1/256: k <= 32 of them, so that 256 / k votes differ by 8 or more. */
  for (unsigned c = 0; c < m->classes; c++) {
    uint32_t votes = 0;
    for (unsigned i = 0; i < k; i++) votes += near[i].label == c;
    const uint32_t q = votes * 256 / k;
    share[c] = (int8_t)(q > 255 ? 127 : (int32_t)q - 128);
    if (share[c] > share[best]) best = c;
  }
  /* Of classes with equally many votes that of the nearest point. */
  for (unsigned i = 0; i < k; i++)
    if (share[near[i].label] == share[best]) {
      best = near[i].label;
      break;
    }
  mote_ml_answer(share, m->classes, best);
}
