/* gaussian: Gaussian mixtures by expectation and maximisation, the Mahalanobis distance, principal components.
 *
 * A covariance S = L L^T gives the factors W = L^-1: |W d|^2 = d^T S^-1 d. Rows of W keep as many bits as their largest
 * sum leaves in 32. */
#include "host/learn/private.h"

#include <math.h>
#include <string.h>

#define EM_STEPS 200
#define RIDGE    1e-3 /* added to variances, in squared standard deviations: 1/30 of one */

/* ---- matrices, n x n, row after row ------------------------------------------------------- */
/* The lower triangle L in place of S; false: S is not positive. */
static bool cholesky(double *s, int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) {
      double sum = s[i * n + j];
      for (int k = 0; k < j; k++) sum -= s[i * n + k] * s[j * n + k];
      if (i == j && !(sum > 0)) return false;
      s[i * n + j] = i == j ? sqrt(sum) : sum / s[j * n + j];
    }
  return true;
}

/* W = L^-1, the lower triangle. */
static void invert_lower(const double *l, int n, double *w) {
  memset(w, 0, (size_t)n * (size_t)n * sizeof *w);
  for (int c = 0; c < n; c++) {
    w[c * n + c] = 1 / l[c * n + c];
    for (int i = c + 1; i < n; i++) {
      double sum = 0;
      for (int k = c; k < i; k++) sum += l[i * n + k] * w[k * n + c];
      w[i * n + c] = -sum / l[i * n + i];
    }
  }
}

/* ---- a mixture ---------------------------------------------------------------------------- */
struct mixture {
  int n, k;
  bool full;
  double *weight;  /* [k] */
  double *mean;    /* [k][n] */
  double *factor;  /* [k][n]: 1 / deviation; full: [k][n][n], W */
  double *log_det; /* [k]: ln of the product of deviations */
};

static size_t factors(const struct mixture *m) {
  return m->full ? (size_t)m->n * (size_t)m->n : (size_t)m->n;
}

static struct mixture mixture_new(struct arena *a, int n, int k, bool full) {
  struct mixture m = {.n = n, .k = k, .full = full};
  m.weight = ARENA_ARRAY(a, double, k);
  m.mean = ARENA_ARRAY(a, double, (size_t)k *(size_t)n);
  m.factor = ARENA_ARRAY(a, double, (size_t)k *factors(&m));
  m.log_det = ARENA_ARRAY(a, double, k);
  return m;
}

/* ln of weight times density, without the constant n ln(2 pi) / 2. */
static double log_density(const struct mixture *m, int c, const double *x) {
  const double *mean = m->mean + (size_t)c * (size_t)m->n, *f = m->factor + (size_t)c * factors(m);
  double s = 0;
  for (int i = 0; i < m->n; i++) {
    double v = 0;
    if (m->full)
      for (int j = 0; j <= i; j++) v += f[i * m->n + j] * (x[j] - mean[j]);
    else
      v = f[i] * (x[i] - mean[i]);
    s += v * v;
  }
  return log(m->weight[c]) - m->log_det[c] - s / 2;
}

/* Factors from the scatter of the weighted rows about the mean. */
static void set_factors(struct mixture *m, int c, double *cov, double *work) {
  const int n = m->n;
  double *f = m->factor + (size_t)c * factors(m);
  m->log_det[c] = 0;
  if (!m->full) {
    for (int i = 0; i < n; i++) {
      f[i] = 1 / sqrt(cov[i] + RIDGE);
      m->log_det[c] -= log(f[i]);
    }
    return;
  }
  for (double ridge = RIDGE;; ridge *= 10) {
    memcpy(work, cov, (size_t)n * (size_t)n * sizeof *work);
    for (int i = 0; i < n; i++) work[i * n + i] += ridge;
    if (cholesky(work, n)) break;
  }
  for (int i = 0; i < n; i++) m->log_det[c] += log(work[i * n + i]);
  invert_lower(work, n, f);
}

struct em {
  const struct scaled *s;
  struct mixture *m;
  double *share; /* [rows][k] */
  double *cov, *work;
};

static double expect(struct em *e) {
  const int k = e->m->k;
  double total = 0;
#pragma omp parallel for schedule(static) if ((size_t)e->s->rows * factors(e->m) * (size_t)k >     \
                                              200000)
  for (uint32_t i = 0; i < e->s->rows; i++) {
    double *p = e->share + (size_t)i * ((size_t)k + 1), most = -INFINITY, sum = 0;
    for (int c = 0; c < k; c++) {
      p[c] = log_density(e->m, c, e->s->z + (size_t)i * (size_t)e->s->n);
      most = fmax(most, p[c]);
    }
    for (int c = 0; c < k; c++) sum += p[c] = exp(p[c] - most);
    for (int c = 0; c < k; c++) p[c] /= sum;
    p[k] = most + log(sum);
  }
  for (uint32_t i = 0; i < e->s->rows; i++)
    total += e->share[(size_t)i * ((size_t)k + 1) + (size_t)k];
  return total / e->s->rows;
}

static void maximise_one(struct em *e, int c) {
  const struct scaled *s = e->s;
  const int n = s->n, k = e->m->k;
  double *mean = e->m->mean + (size_t)c * (size_t)n, total = 1e-10;
  memset(mean, 0, (size_t)n * sizeof *mean);
  for (uint32_t i = 0; i < s->rows; i++) {
    const double p = e->share[(size_t)i * ((size_t)k + 1) + (size_t)c];
    total += p;
    for (int j = 0; j < n; j++) mean[j] += p * s->z[(size_t)i * (size_t)n + (size_t)j];
  }
  for (int j = 0; j < n; j++) mean[j] /= total;
  memset(e->cov, 0, (e->m->full ? (size_t)n * (size_t)n : (size_t)n) * sizeof *e->cov);
  for (uint32_t i = 0; i < s->rows; i++) {
    const double p = e->share[(size_t)i * ((size_t)k + 1) + (size_t)c];
    const double *x = s->z + (size_t)i * (size_t)n;
    if (p < 1e-12) continue;
    for (int a = 0; a < n; a++) {
      const double d = p * (x[a] - mean[a]) / total;
      if (!e->m->full) e->cov[a] += d * (x[a] - mean[a]);
      for (int b = 0; b <= a && e->m->full; b++) e->cov[a * n + b] += d * (x[b] - mean[b]);
    }
  }
  for (int a = 0; a < n && e->m->full; a++)
    for (int b = a + 1; b < n; b++) e->cov[a * n + b] = e->cov[b * n + a];
  e->m->weight[c] = total / s->rows;
  set_factors(e->m, c, e->cov, e->work);
}

/* Returns the mean log-likelihood. */
static double fit_mixture(struct learn_job *j, const struct scaled *s, int k, struct mixture *m) {
  const int n = s->n;
  struct rng r;
  struct em e = {.s = s, .m = m};
  double *centre = ARENA_ARRAY(j->a, double, (size_t)k *(size_t)n);
  int *owner = ARENA_ARRAY(j->a, int, s->rows);
  rng_seed(&r, rng_mix(j->c->seed ^ 0x474D4D));
  k = cluster_rows(s->z, s->rows, n, k, 2, &r, j->a, centre, owner);
  *m = mixture_new(j->a, n, k, j->c->full);
  e.share = ARENA_ARRAY(j->a, double, (size_t)s->rows *((size_t)k + 1));
  e.cov = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n);
  e.work = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n);
  for (uint32_t i = 0; i < s->rows; i++)
    e.share[(size_t)i * ((size_t)k + 1) + (size_t)owner[i]] = 1;
  double last = -INFINITY, now = -INFINITY;
  for (int step = 0; step < EM_STEPS; step++) {
    for (int c = 0; c < k; c++) maximise_one(&e, c);
    last = now;
    now = expect(&e);
    if (now - last < 1e-4) break;
  }
  return now;
}

/* ---- fixed point ---------------------------------------------------------------------------- */
static int most_of(const struct scaled *s) {
  const int most = (int)floor(sqrt(4294967295.0 / s->n));
  return most > 32767 ? 32767 : most;
}

/* A row of factors: bits from its largest sum over |d| <= 2 limit. */
static uint8_t pack_row(const struct scaled *s, const double *w, int n, int16_t *out) {
  int shift = 30;
  for (; shift > 0; shift--) {
    double sum = 0, most = 0;
    for (int j = 0; j < n; j++) {
      const double q = fabs(ldexp(w[j], shift)) + 0.5;
      sum += q * 2 * s->limit;
      most = fmax(most, q);
    }
    if (most <= 32767 && sum <= 2147483647.0) break;
  }
  for (int j = 0; j < n; j++)
    out[j] = (int16_t)fmax(fmin(floor(ldexp(w[j], shift) + 0.5), 32767), -32767);
  return (uint8_t)shift;
}

static int16_t *pack_means(struct learn_job *j, const struct scaled *s, const struct mixture *m) {
  const size_t total = (size_t)m->k * (size_t)m->n;
  int16_t *mean = ARENA_ARRAY(j->a, int16_t, total);
  for (size_t i = 0; i < total; i++)
    mean[i] = (int16_t)fmax(fmin(floor(ldexp(m->mean[i], s->fraction) + 0.5), s->limit), -s->limit);
  return mean;
}

/* Diagonal: one shift for the component; the largest factor keeps 15 bits. Full: each row its own. */
static void pack_factors(struct learn_job *j, const struct scaled *s, const struct mixture *m,
                         struct blob *b, struct mote_ml_gaussian *p) {
  const size_t n = (size_t)m->n, each = m->full ? n * (n + 1) / 2 : n, shifts = m->full ? n : 1;
  int16_t *factor = ARENA_ARRAY(j->a, int16_t, (size_t)m->k * each);
  uint8_t *shift = ARENA_ARRAY(j->a, uint8_t, (size_t)m->k * shifts);
  for (size_t c = 0; c < (size_t)m->k; c++) {
    const double *f = m->factor + c * factors(m);
    int16_t *to = factor + c * each;
    if (m->full) {
      for (size_t i = 0; i < n; to += ++i)
        shift[c * n + i] = pack_row(s, f + i * n, (int)i + 1, to);
      continue;
    }
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, f[i]);
    int up = 15;
    while (up > 0 && ldexp(most, up) > 32766) up--;
    for (size_t i = 0; i < n; i++) to[i] = (int16_t)fmin(floor(ldexp(f[i], up) + 0.5), 32767);
    shift[c] = (uint8_t)up;
  }
  p->factor_at = blob_add(b, factor, (size_t)m->k * each * 2);
  p->shift_at = blob_add(b, shift, (size_t)m->k * shifts);
}

static bool finish(struct learn_job *j, const struct scaled *s, const struct mixture *m,
                   enum mote_ml_kind kind, const char *about) {
  struct blob b = {.a = j->a};
  blob_add(&b, NULL, sizeof(struct mote_ml_gaussian));
  struct mote_ml_gaussian p = {.map = scaled_map(s, j->set, &b),
                               .components = (uint16_t)m->k,
                               .most = (int16_t)most_of(s),
                               .z_fraction = (uint8_t)s->fraction};
  p.mean_at = blob_add(&b, pack_means(j, s, m), (size_t)m->k * (size_t)m->n * 2);
  pack_factors(j, s, m, &b, &p);
  int32_t *constant = ARENA_ARRAY(j->a, int32_t, m->k);
  for (int c = 0; c < m->k; c++) {
    const double v =
        log(m->weight[c]) - m->log_det[c] - m->n * 0.91893853320467274; /* ln(2 pi) / 2 */
    constant[c] = (int32_t)fmax(fmin(floor(ldexp(v, 12) + 0.5), 1 << 24), -(1 << 24));
  }
  p.constant_at = blob_add(&b, constant, (size_t)m->k * 4);
  memcpy(b.bytes, &p, sizeof p);
  return blob_finish(j, &b, kind, kind == MOTE_ML_MAHALANOBIS ? (unsigned)s->fraction : 12, about);
}

bool fit_gmm(struct learn_job *j) {
  struct scaled s;
  struct mixture best = {0};
  double least = INFINITY;
  if (!scaled_make(j, 6, &s)) return false;
  const int first = j->c->components ? j->c->components : 1,
            last = j->c->components ? j->c->components : 8;
  const double each = j->c->full ? s.n * (s.n + 3) / 2.0 + 1 : 2.0 * s.n + 1;
  for (int k = first; k <= last && (uint32_t)k <= s.rows / 2; k++) {
    struct mixture m;
    const double likelihood = fit_mixture(j, &s, k, &m);
    const double bic = -2 * likelihood * s.rows + (each * m.k - 1) * log(s.rows);
    progress_update(j->progress, "mixture", (uint64_t)(k - first) + 1, (uint64_t)(last - first) + 1,
                    "%d components, BIC %.5g", m.k, bic);
    if (bic >= least) continue;
    least = bic;
    best = m;
  }
  if (!best.k) return err_set(j->e, "%u windows are too few for %d components", s.rows, first);
  return finish(j, &s, &best, j->c->full ? MOTE_ML_GMM_FULL : MOTE_ML_GMM,
                arena_printf(j->a, "%d Gaussian%s of %d column%s, %s", best.k,
                             best.k == 1 ? "" : "s", s.n, s.n == 1 ? "" : "s",
                             j->c->full ? "whole covariances" : "diagonal"));
}

/* Mean and covariance of all rows; cov: n x n. */
static void scatter(const struct scaled *s, double *mean, double *cov) {
  const int n = s->n;
  for (uint32_t i = 0; i < s->rows; i++)
    for (int j = 0; j < n; j++) mean[j] += s->z[(size_t)i * (size_t)n + (size_t)j] / s->rows;
#pragma omp parallel for schedule(static)
  for (int a = 0; a < n; a++)
    for (int b = 0; b <= a; b++) {
      double sum = 0;
      for (uint32_t i = 0; i < s->rows; i++) {
        const double *x = s->z + (size_t)i * (size_t)n;
        sum += (x[a] - mean[a]) * (x[b] - mean[b]);
      }
      cov[a * n + b] = cov[b * n + a] = sum / s->rows;
    }
}

/* How much of the identity is mixed in, so that few rows do not give a covariance that fits only them. source: Ledoit and
 * Wolf 2004. */
static double shrinkage(const struct scaled *s, const double *mean, const double *cov, double mu) {
  const int n = s->n;
  double away = 0, spread = 0;
  for (int a = 0; a < n; a++)
    for (int b = 0; b < n; b++) {
      const double d = cov[a * n + b] - (a == b ? mu : 0);
      away += d * d;
    }
  for (uint32_t i = 0; i < s->rows; i++) {
    const double *x = s->z + (size_t)i * (size_t)n;
    double square = 0, product = 0;
    for (int a = 0; a < n; a++) {
      double row = 0;
      square += (x[a] - mean[a]) * (x[a] - mean[a]);
      for (int b = 0; b < n; b++) row += cov[a * n + b] * (x[b] - mean[b]);
      product += row * (x[a] - mean[a]);
    }
    spread += square * square - 2 * product;
  }
  double norm = 0;
  for (int i = 0; i < n * n; i++) norm += cov[i] * cov[i];
  spread = (spread / s->rows + norm) / s->rows;
  return away > 0 ? fmax(0, fmin(1, spread / away)) : 1;
}

bool fit_mahalanobis(struct learn_job *j) {
  struct scaled s;
  if (!scaled_make(j, 6, &s)) return false;
  const int n = s.n;
  struct mixture m = mixture_new(j->a, n, 1, true);
  double *cov = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n),
         *work = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n);
  double mu = 0;
  progress_update(j->progress, "covariance", 0, 1, "%d columns", n);
  scatter(&s, m.mean, cov);
  for (int i = 0; i < n; i++) mu += cov[i * n + i] / n;
  const double take = shrinkage(&s, m.mean, cov, mu);
  for (int a = 0; a < n; a++)
    for (int b = 0; b < n; b++)
      cov[a * n + b] = (1 - take) * cov[a * n + b] + (a == b ? take * mu : 0);
  m.weight[0] = 1;
  set_factors(&m, 0, cov, work);
  progress_update(j->progress, "covariance", 1, 1, "%d columns", n);
  return finish(
      j, &s, &m, MOTE_ML_MAHALANOBIS,
      arena_printf(j->a, "covariance of %d column%s, shrunk by %.3f", n, n == 1 ? "" : "s", take));
}

/* ---- principal components -------------------------------------------------------------------- */
/* Eigenvalues on the diagonal of s, vectors as rows of v, by cyclic Jacobi rotations. */
static void jacobi(double *s, double *v, int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) v[i * n + j] = i == j;
  for (int sweep = 0; sweep < 60; sweep++) {
    double off = 0, all = 0;
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        all += s[i * n + j] * s[i * n + j];
        off += i == j ? 0 : s[i * n + j] * s[i * n + j];
      }
    if (off <= 1e-22 * all) return;
    for (int p = 0; p < n; p++)
      for (int q = p + 1; q < n; q++) {
        if (fabs(s[p * n + q]) < 1e-300) continue;
        const double theta = (s[q * n + q] - s[p * n + p]) / (2 * s[p * n + q]);
        const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
        const double c = 1 / sqrt(t * t + 1), d = t * c;
        for (int k = 0; k < n; k++) {
          const double x = s[k * n + p], y = s[k * n + q];
          s[k * n + p] = c * x - d * y;
          s[k * n + q] = d * x + c * y;
        }
        for (int k = 0; k < n; k++) {
          const double x = s[p * n + k], y = s[q * n + k];
          s[p * n + k] = c * x - d * y;
          s[q * n + k] = d * x + c * y;
          const double a = v[p * n + k], b = v[q * n + k];
          v[p * n + k] = c * a - d * b;
          v[q * n + k] = d * a + c * b;
        }
      }
  }
}

/* The vectors with the largest values until their sum reaches a share of all; one at least, never all. */
static int choose_axes(const double *s, int n, double share, int *order) {
  double all = 0, sum = 0;
  for (int i = 0; i < n; i++) {
    order[i] = i;
    all += s[i * n + i];
  }
  for (int i = 1; i < n; i++)
    for (int k = i; k > 0 && s[order[k] * n + order[k]] > s[order[k - 1] * n + order[k - 1]]; k--) {
      const int other = order[k];
      order[k] = order[k - 1];
      order[k - 1] = other;
    }
  int axes = 0;
  while (axes < n - 1 && (axes == 0 || sum < share * all)) {
    sum += s[order[axes] * n + order[axes]];
    axes++;
  }
  return axes ? axes : 1;
}

bool fit_pca(struct learn_job *j) {
  struct scaled s;
  if (!scaled_make(j, 4, &s)) return false;
  const int n = s.n;
  if (n > 512) return err_set(j->e, "principal components of %d columns; at most 512 (columns)", n);
  double *mean = ARENA_ARRAY(j->a, double, n),
         *cov = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n),
         *v = ARENA_ARRAY(j->a, double, (size_t)n *(size_t)n);
  int *order = ARENA_ARRAY(j->a, int, n);
  progress_update(j->progress, "components", 0, 1, "%d columns", n);
  scatter(&s, mean, cov);
  jacobi(cov, v, n);
  const int axes = choose_axes(cov, n, j->c->variance, order);
  /* One shift for all: |row| = 1, so the sum over |z| <= limit is at most root(n) limit 2^shift. */
  int shift = 14;
  while (shift > 0 && sqrt(n) * s.limit * ldexp(1, shift) + 0.5 * n * s.limit > 2147483647.0)
    shift--;
  int16_t *axis = ARENA_ARRAY(j->a, int16_t, (size_t)axes * (size_t)n);
  for (int i = 0; i < axes; i++)
    for (int k = 0; k < n; k++)
      axis[i * n + k] = (int16_t)floor(ldexp(v[order[i] * n + k], shift) + 0.5);
  struct blob b = {.a = j->a};
  blob_add(&b, NULL, sizeof(struct mote_ml_pca));
  struct mote_ml_pca p = {
      .map = scaled_map(&s, j->set, &b), .axes = (uint16_t)axes, .shift = (uint8_t)shift};
  p.axis_at = blob_add(&b, axis, (size_t)axes * (size_t)n * 2);
  memcpy(b.bytes, &p, sizeof p);
  progress_update(j->progress, "components", 1, 1, "%d axes", axes);
  return blob_finish(
      j, &b, MOTE_ML_PCA, (unsigned)s.fraction,
      arena_printf(j->a, "%d principal component%s of %d columns", axes, axes == 1 ? "" : "s", n));
}
