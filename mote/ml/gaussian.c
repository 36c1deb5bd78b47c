/* gaussian: squared distances in the standard deviations of a component: each column's own, or, with a triangle of
 * factors W, those of the whole covariance: W^T W is its inverse. */
#include "mote/ml/private.h"

static const int16_t MOTE_ROM *mean_of(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k) {
  return (const int16_t MOTE_ROM *)mote_ml_at(&p->head, p->mean_at) + (size_t)k * p->map.n;
}

/* d = z - mean, in place of z; |d| <= 2 limit <= 32766. */
static void from_mean(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k, const int16_t *z,
                      int16_t *d) {
  const int16_t MOTE_ROM *mean = mean_of(p, k);
  for (unsigned j = 0; j < p->map.n; j++) d[j] = (int16_t)(z[j] - mean[j]);
}

/* In units of its own deviation: |d| < 2^15, factor < 2^15. */
static int32_t column(const struct mote_ml_gaussian MOTE_ROM *p, int32_t d, int32_t factor,
                      unsigned shift) {
  return mote_clamp((d * factor) >> shift, -p->most, p->most);
}

static uint32_t diagonal(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k, const int16_t *z) {
  const unsigned n = p->map.n;
  const int16_t MOTE_ROM *mean = mean_of(p, k);
  const int16_t MOTE_ROM *factor =
      (const int16_t MOTE_ROM *)mote_ml_at(&p->head, p->factor_at) + (size_t)k * n;
  const unsigned shift = ((const uint8_t MOTE_ROM *)mote_ml_at(&p->head, p->shift_at))[k];
  uint32_t sum = 0; /* n * most^2 < 2^32 */
  for (unsigned j = 0; j < n; j++) {
    const int32_t v = column(p, z[j] - mean[j], factor[j], shift);
    sum += (uint32_t)(v * v);
  }
  return sum;
}

static const int16_t MOTE_ROM *triangle_of(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k) {
  const size_t n = p->map.n;
  return (const int16_t MOTE_ROM *)mote_ml_at(&p->head, p->factor_at) + k * (n * (n + 1) / 2);
}

/* The check proved that no row's sum leaves 32 bits. y NULL: only the sum of squares. */
static uint32_t triangle(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k, const int16_t *d,
                         int16_t *y) {
  const unsigned n = p->map.n;
  const int16_t MOTE_ROM *factor = triangle_of(p, k);
  const uint8_t MOTE_ROM *shift =
      (const uint8_t MOTE_ROM *)mote_ml_at(&p->head, p->shift_at) + (size_t)k * n;
  uint32_t sum = 0;
  for (unsigned i = 0; i < n; i++) {
    int32_t v = 0;
    for (unsigned j = 0; j <= i; j++) v += (int32_t)*factor++ * d[j];
    v = mote_clamp(v >> shift[i], -p->most, p->most);
    if (y) y[i] = (int16_t)v;
    sum += (uint32_t)(v * v);
  }
  return sum;
}

void mote_ml_mahalanobis_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,
                             void *out) {
  const struct mote_ml_gaussian MOTE_ROM *p = (const struct mote_ml_gaussian MOTE_ROM *)m;
  int16_t *z = (int16_t *)scratch;
  mote_ml_to_z(m, x, z);
  from_mean(p, 0, z, z);
  *(int32_t *)out = (int32_t)mote_sqrt_u32(triangle(p, 0, z, 0));
}

/* ---- mixtures ------------------------------------------------------------------- */

/* constant - s / 2 in steps of 2^-12: s has steps of 2^-(2 z_fraction), z_fraction >= 6, so the shift is 1 or more. */
static int32_t log_of(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k, uint32_t s) {
  const int32_t constant = ((const int32_t MOTE_ROM *)mote_ml_at(&p->head, p->constant_at))[k];
  const uint32_t half = s >> (2u * p->z_fraction + 1 - 12);
  return constant - (int32_t)(half > (uint32_t)1 << 30 ? (uint32_t)1 << 30 : half);
}

/* -ln of the sum of exponentials: the largest, and what the others add to it. At most 64 terms of 24 bits. */
static int32_t mixed(const int32_t *logs, unsigned n) {
  int32_t most = logs[0];
  uint32_t total = 0;
  for (unsigned k = 1; k < n; k++)
    if (logs[k] > most) most = logs[k];
  for (unsigned k = 0; k < n; k++)
    total += (uint32_t)mote_ml_exp((uint32_t)most - (uint32_t)logs[k], 12) >> 7;
  return -(most + mote_ml_log(total));
}

void mote_ml_gmm_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out) {
  const struct mote_ml_gaussian MOTE_ROM *p = (const struct mote_ml_gaussian MOTE_ROM *)m;
  const int16_t *z = (const int16_t *)scratch;
  int32_t *logs = mote_ml_behind_z(m, scratch);
  mote_ml_to_z(m, x, (int16_t *)scratch);
  for (unsigned k = 0; k < p->components; k++) logs[k] = log_of(p, k, diagonal(p, k, z));
  *(int32_t *)out = mixed(logs, p->components);
}

void mote_ml_gmm_full_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,
                          void *out) {
  const struct mote_ml_gaussian MOTE_ROM *p = (const struct mote_ml_gaussian MOTE_ROM *)m;
  int16_t *z = (int16_t *)scratch;
  int32_t *logs = mote_ml_behind_z(m, scratch);
  int16_t *d = (int16_t *)(void *)(logs + p->components);
  mote_ml_to_z(m, x, z);
  for (unsigned k = 0; k < p->components; k++) {
    from_mean(p, k, z, d);
    logs[k] = log_of(p, k, triangle(p, k, d, 0));
  }
  *(int32_t *)out = mixed(logs, p->components);
}

/* ---- why --------------------------------------------------------------------------- */

static unsigned likeliest(const struct mote_ml_gaussian MOTE_ROM *p, const int16_t *z, int16_t *d) {
  const int full = p->head.kind != MOTE_ML_GMM;
  int32_t most = INT32_MIN;
  unsigned best = 0;
  for (unsigned k = 0; k < p->components && p->components > 1; k++) {
    if (full) from_mean(p, k, z, d);
    const int32_t l = log_of(p, k, full ? triangle(p, k, d, 0) : diagonal(p, k, z));
    if (l > most) {
      most = l;
      best = k;
    }
  }
  return best;
}

/* Squares of steps of 2^-fraction as steps of 2^-8. */
static int32_t square_q8(int64_t v, unsigned fraction) {
  const uint64_t s = (uint64_t)(v * v) >> (2 * fraction - 8);
  return s > INT32_MAX ? INT32_MAX : (int32_t)s;
}

/* Column j given the others has the deviation 1 / sqrt(P[j][j]), P = W^T W, and lies (P d)[j] / P[j][j] from where they
 * let expect it: s falls by (P d)[j]^2 / P[j][j]. Sums in 64 bits: 2^15 * 2^15 * 2^16 * 2^12 rows. */
static int32_t drop(const struct mote_ml_gaussian MOTE_ROM *p, unsigned k, unsigned j,
                    const int16_t *y) {
  const unsigned n = p->map.n;
  const int16_t MOTE_ROM *factor = triangle_of(p, k);
  const uint8_t MOTE_ROM *shift =
      (const uint8_t MOTE_ROM *)mote_ml_at(&p->head, p->shift_at) + (size_t)k * n;
  int64_t pd = 0, pjj = 0; /* steps of 2^-(z_fraction + 16), 2^-16 */
  for (unsigned i = j; i < n; i++) {
    const int64_t w = ((int64_t)factor[(size_t)i * (i + 1) / 2 + j] * 65536) >> shift[i];
    pd += w * y[i];
    pjj += (w * w) >> 16; /* w < 2^31: 2^46 a row */
  }
  if (pjj <= 0) return 0;
  /* root of P[j][j] with 8 fraction bits divides: (P d) / root is the drop's root in steps of 2^-z_fraction. */
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
    if ((root + bit) * (root + bit) <= (uint64_t)pjj) root += bit;
  int64_t v = (pd >> 8) / (int64_t)(root ? root : 1);
  v = v > (int64_t)1 << 30 ? (int64_t)1 << 30 : v < -((int64_t)1 << 30) ? -((int64_t)1 << 30) : v;
  return square_q8(v, p->z_fraction);
}

void mote_ml_gaussian_why(const struct mote_ml MOTE_ROM *m, int16_t *z, int32_t *why) {
  const struct mote_ml_gaussian MOTE_ROM *p = (const struct mote_ml_gaussian MOTE_ROM *)m;
  const unsigned n = p->map.n;
  int16_t *d =
      (int16_t *)(void *)why; /* until the end; a later column's d is not yet written over */
  const unsigned k = likeliest(p, z, d);
  if (m->kind == MOTE_ML_GMM) {
    const int16_t MOTE_ROM *mean = mean_of(p, k);
    const int16_t MOTE_ROM *factor =
        (const int16_t MOTE_ROM *)mote_ml_at(m, p->factor_at) + (size_t)k * n;
    const unsigned shift = ((const uint8_t MOTE_ROM *)mote_ml_at(m, p->shift_at))[k];
    for (unsigned j = 0; j < n; j++)
      why[j] = square_q8(column(p, z[j] - mean[j], factor[j], shift), p->z_fraction);
    return;
  }
  from_mean(p, k, z, d);
  (void)triangle(p, k, d, z);
  for (unsigned j = 0; j < n; j++) why[j] = drop(p, k, j, z);
}
