/* pca: what lies outside of the space that the training vectors span. */
#include "mote/ml/private.h"

/* y = axes * z; the check proved the sums. The axes are of length 1, so |y| <= |z| but for rounding. */
static void project(const struct mote_ml MOTE_ROM *m, const int16_t *z, int16_t *y) {
  const struct mote_ml_pca MOTE_ROM *p = (const struct mote_ml_pca MOTE_ROM *)m;
  const int16_t MOTE_ROM *axis = (const int16_t MOTE_ROM *)mote_ml_at(m, p->axis_at);
  for (unsigned i = 0; i < p->axes; i++) {
    int32_t sum = 0;
    for (unsigned j = 0; j < p->map.n; j++) sum += (int32_t)*axis++ * z[j];
    y[i] = (int16_t)mote_clamp(sum >> p->shift, -32767, 32767);
  }
}

/* axes <= n, n * (2 limit)^2 < 2^32: |z|^2 fits, and |y|^2 in 64 bits. */
void mote_ml_pca_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  const struct mote_ml_pca MOTE_ROM *p = (const struct mote_ml_pca MOTE_ROM *)m;
  const int16_t *z = (const int16_t *)scratch;
  int16_t *y = (int16_t *)(void *)mote_ml_behind_z(m, scratch);
  int64_t rest = 0;
  mote_ml_to_z(m, x, (int16_t *)scratch);
  project(m, z, y);
  for (unsigned j = 0; j < p->map.n; j++) rest += (int32_t)z[j] * z[j];
  for (unsigned i = 0; i < p->axes; i++) rest -= (int32_t)y[i] * y[i];
  *(int32_t *)out = (int32_t)mote_sqrt_u32(rest > 0 ? (uint32_t)rest : 0);
}

void mote_ml_pca_project(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,
                         int16_t *y) {
  mote_ml_to_z(m, x, (int16_t *)scratch);
  project(m, (const int16_t *)scratch, y);
}

/* Column j of z - axes^T y, squared. */
void mote_ml_pca_why(const struct mote_ml MOTE_ROM *m, const int16_t *z, int16_t *y, int32_t *why) {
  const struct mote_ml_pca MOTE_ROM *p = (const struct mote_ml_pca MOTE_ROM *)m;
  const int16_t MOTE_ROM *axis = (const int16_t MOTE_ROM *)mote_ml_at(m, p->axis_at);
  const unsigned n = p->map.n, fraction = m->fraction;
  project(m, z, y);
  for (unsigned j = 0; j < n; j++) {
    int64_t sum = 0;
    for (unsigned i = 0; i < p->axes; i++) sum += (int32_t)axis[(size_t)i * n + j] * y[i];
    int64_t r = z[j] - (sum >> p->shift); /* held, so that its square fits */
    r = r > INT32_MAX ? INT32_MAX : r < -INT32_MAX ? -INT32_MAX : r;
    const uint64_t square = (uint64_t)(r * r);
    const uint64_t q = square >> (2 * fraction - 8);
    why[j] = q > INT32_MAX ? INT32_MAX : (int32_t)q;
  }
}
