/* linear: multinomial logistic regression (L-BFGS) and linear support vectors (dual coordinate descent), as sums of weights.
 *
 * source: Liu and Nocedal 1989; Hsieh and others 2008, L2-regularised squared hinge, the bias one more column. */
#include "host/learn/private.h"

#include <math.h>
#include <string.h>

#define MEMORY     10
#define STEPS_MOST 500

/* Rows of n weights and a bias behind them. */
struct lines {
  int n, rows, classes;
  double *w; /* [rows][n + 1] */
};

static double sum_of(const double *w, const double *x, int n) {
  double sum = w[n];
  for (int j = 0; j < n; j++) sum += w[j] * x[j];
  return sum;
}

/* ---- logistic regression ------------------------------------------------------------------ */
struct logistic {
  const struct scaled *s;
  const int32_t *labels;
  struct lines *l;
  double c;
  double *share; /* [rows of the set][rows] derivative by each sum */
};

/* c * loss + |w|^2 / 2 without biases, as scikit-learn weighs it, and its gradient. */
static double loss_of(struct logistic *f, const double *w, double *gradient) {
  const int n = f->s->n, rows = f->l->rows;
  const size_t each = (size_t)n + 1;
  double loss = 0;
#pragma omp parallel for schedule(static) if ((size_t)f->s->rows * each * (size_t)rows > 200000)
  for (uint32_t i = 0; i < f->s->rows; i++) {
    const double *x = f->s->z + (size_t)i * (size_t)n;
    double *p = f->share + (size_t)i * ((size_t)rows + 1), most = rows == 1 ? 0 : -INFINITY;
    for (int r = 0; r < rows; r++) {
      p[r] = sum_of(w + (size_t)r * each, x, n);
      most = fmax(most, p[r]);
    }
    double total = rows == 1 ? exp(-most) : 0;
    const double own = rows == 1 ? (f->labels[i] ? p[0] : 0) : p[f->labels[i]];
    for (int r = 0; r < rows; r++) total += exp(p[r] - most);
    p[rows] = most + log(total) - own; /* its loss */
    for (int r = 0; r < rows; r++)
      p[r] = exp(p[r] - most) / total - (f->labels[i] == (rows == 1 ? 1 : r));
  }
  memset(gradient, 0, (size_t)rows * each * sizeof *gradient);
  for (uint32_t i = 0; i < f->s->rows; i++) {
    const double *x = f->s->z + (size_t)i * (size_t)n;
    const double *p = f->share + (size_t)i * ((size_t)rows + 1);
    loss += f->c * p[rows];
    for (int r = 0; r < rows; r++) {
      double *g = gradient + (size_t)r * each;
      const double d = f->c * p[r];
      for (int j = 0; j < n; j++) g[j] += d * x[j];
      g[n] += d;
    }
  }
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < n; j++) {
      const double v = w[(size_t)r * each + (size_t)j];
      loss += v * v / 2;
      gradient[(size_t)r * each + (size_t)j] += v;
    }
  return loss;
}

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* The direction by the last steps s and changes of the gradient y, two loops over them. */
static void direction(const double *gradient, double *const *s, double *const *y, int have,
                      int newest, size_t n, double *d) {
  double a[MEMORY];
  for (size_t i = 0; i < n; i++) d[i] = -gradient[i];
  for (int k = 0; k < have; k++) {
    const int at = (newest - k + MEMORY) % MEMORY;
    a[at] = dot(s[at], d, n) / dot(s[at], y[at], n);
    for (size_t i = 0; i < n; i++) d[i] -= a[at] * y[at][i];
  }
  if (have) {
    const double scale = dot(s[newest], y[newest], n) / dot(y[newest], y[newest], n);
    for (size_t i = 0; i < n; i++) d[i] *= scale;
  }
  for (int k = have - 1; k >= 0; k--) {
    const int at = (newest - k + MEMORY) % MEMORY;
    const double b = dot(y[at], d, n) / dot(s[at], y[at], n);
    for (size_t i = 0; i < n; i++) d[i] += (a[at] - b) * s[at][i];
  }
}

static void minimise(struct learn_job *j, struct logistic *f) {
  const size_t n = (size_t)f->l->rows * ((size_t)f->s->n + 1);
  double *s[MEMORY], *y[MEMORY];
  double *w = f->l->w, *g = ARENA_ARRAY(j->a, double, n), *d = ARENA_ARRAY(j->a, double, n),
         *next = ARENA_ARRAY(j->a, double, n), *g_next = ARENA_ARRAY(j->a, double, n);
  int have = 0, newest = -1;
  for (int k = 0; k < MEMORY; k++) {
    s[k] = ARENA_ARRAY(j->a, double, n);
    y[k] = ARENA_ARRAY(j->a, double, n);
  }
  double loss = loss_of(f, w, g);
  for (int step = 0; step < STEPS_MOST; step++) {
    if (sqrt(dot(g, g, n)) < 1e-5 * f->c * f->s->rows) break;
    direction(g, s, y, have, newest < 0 ? 0 : newest, n, d);
    const double slope = dot(g, d, n);
    double t = have ? 1 : 1 / fmax(1, sqrt(dot(d, d, n))), l = INFINITY;
    for (int back = 0; back < 40; back++, t /= 2) {
      for (size_t i = 0; i < n; i++) next[i] = w[i] + t * d[i];
      l = loss_of(f, next, g_next);
      if (l <= loss + 1e-4 * t * slope) break;
    }
    if (!(l < loss)) break;
    const int at = (newest + 1) % MEMORY;
    for (size_t i = 0; i < n; i++) {
      s[at][i] = next[i] - w[i];
      y[at][i] = g_next[i] - g[i];
    }
    if (dot(s[at], y[at], n) > 1e-12) {
      newest = at;
      if (have < MEMORY) have++;
    }
    const bool still = loss - l < 1e-9 * fabs(loss);
    loss = l;
    memcpy(w, next, n * sizeof *w);
    memcpy(g, g_next, n * sizeof *g);
    progress_update(j->progress, "logistic", (uint64_t)step + 1, STEPS_MOST, "loss %.5g",
                    loss / f->c / f->s->rows);
    if (still) break;
  }
  progress_update(j->progress, "logistic", STEPS_MOST, STEPS_MOST, "loss %.5g",
                  loss / f->c / f->s->rows);
}

/* ---- support vectors ------------------------------------------------------------------------ */
/* One class against the rest. */
static void separate(const struct scaled *s, const int32_t *labels, int positive, double c,
                     struct rng *r, struct arena *a, double *w) {
  const int n = s->n;
  double *alpha = ARENA_ARRAY(a, double, s->rows), *square = ARENA_ARRAY(a, double, s->rows);
  uint32_t *order = ARENA_ARRAY(a, uint32_t, s->rows);
  const double diagonal = 0.5 / c;
  for (uint32_t i = 0; i < s->rows; i++) {
    const double *x = s->z + (size_t)i * (size_t)n;
    order[i] = i;
    square[i] = 1 + dot(x, x, (size_t)n) + diagonal;
  }
  for (int pass = 0; pass < 1000; pass++) {
    double worst = 0;
    rng_shuffle(r, order, s->rows);
    for (uint32_t k = 0; k < s->rows; k++) {
      const uint32_t i = order[k];
      const double *x = s->z + (size_t)i * (size_t)n;
      const double side = labels[i] == positive ? 1 : -1;
      const double g = side * sum_of(w, x, n) - 1 + diagonal * alpha[i];
      const double projected = alpha[i] > 0 ? g : fmin(g, 0);
      worst = fmax(worst, fabs(projected));
      const double next = fmax(alpha[i] - g / square[i], 0), d = (next - alpha[i]) * side;
      alpha[i] = next;
      for (int j = 0; j < n; j++) w[j] += d * x[j];
      w[n] += d;
    }
    if (worst < 1e-3) break;
  }
}

/* The factor of the margins whose softmax has the least loss over the training vectors: golden section of its logarithm. */
static double loss_at(const struct scaled *s, const int32_t *labels, const struct lines *l,
                      double t) {
  double loss = 0;
  for (uint32_t i = 0; i < s->rows; i++) {
    const double *x = s->z + (size_t)i * (size_t)s->n;
    double most = -INFINITY, total = 0, own = 0;
    double v[256];
    for (int c = 0; c < l->classes; c++) {
      v[c] = l->rows == 1 && c == 0
                 ? 0
                 : t * sum_of(l->w + (size_t)(l->rows == 1 ? 0 : c) * ((size_t)s->n + 1), x, s->n);
      if (c == labels[i]) own = v[c];
      most = fmax(most, v[c]);
    }
    for (int c = 0; c < l->classes; c++) total += exp(v[c] - most);
    loss += most + log(total) - own;
  }
  return loss;
}

static double temperature(const struct scaled *s, const int32_t *labels, const struct lines *l) {
  double low = log(0.05), high = log(50);
  for (int i = 0; i < 30; i++) {
    const double a = low + (high - low) * 0.381966, b = high - (high - low) * 0.381966;
    if (loss_at(s, labels, l, exp(a)) < loss_at(s, labels, l, exp(b)))
      high = b;
    else
      low = a;
  }
  return exp((low + high) / 2);
}

/* ---- fixed point ----------------------------------------------------------------------------- */
/* As many fraction bits as keep weights in 16 bits and every possible sum in 32. */
static bool finish(struct learn_job *j, const struct scaled *s, const struct lines *l,
                   const char *what) {
  const size_t n = (size_t)s->n, rows = (size_t)l->rows;
  int fraction = 30;
  for (; fraction > 0; fraction--) { /* of the sums; a weight has `fraction` less those of z */
    bool fits = true;
    for (size_t r = 0; r < rows && fits; r++) {
      const double *w = l->w + r * (n + 1);
      double sum = fabs(ldexp(w[n], fraction)) + 1;
      for (size_t k = 0; k < n; k++) {
        const double q = fabs(ldexp(w[k], fraction - s->fraction)) + 0.5;
        fits = fits && q <= 32767;
        sum += q * s->limit;
      }
      fits = fits && sum <= 2147483647.0;
    }
    if (fits) break;
  }
  struct blob b = {.a = j->a};
  blob_add(&b, NULL, sizeof(struct mote_ml_linear));
  struct mote_ml_linear m = {
      .map = scaled_map(s, j->set, &b), .rows = (uint16_t)rows, .sum_fraction = (uint8_t)fraction};
  int16_t *weight = ARENA_ARRAY(j->a, int16_t, rows * n);
  int32_t *bias = ARENA_ARRAY(j->a, int32_t, rows);
  for (size_t r = 0; r < rows; r++) {
    const double *w = l->w + r * (n + 1);
    bias[r] = (int32_t)floor(ldexp(w[n], fraction) + 0.5);
    for (size_t k = 0; k < n; k++)
      weight[r * n + k] = (int16_t)floor(ldexp(w[k], fraction - s->fraction) + 0.5);
  }
  m.weight_at = blob_add(&b, weight, rows * n * 2);
  m.bias_at = blob_add(&b, bias, rows * 4);
  memcpy(b.bytes, &m, sizeof m);
  return blob_finish(j, &b, MOTE_ML_LINEAR, 0,
                     arena_printf(j->a, "%s, %d classes, %d columns", what, l->classes, s->n));
}

static struct lines lines_of(struct learn_job *j, const struct scaled *s) {
  const int classes = j->set->classes, rows = classes == 2 ? 1 : classes;
  return (struct lines){s->n, rows, classes,
                        ARENA_ARRAY(j->a, double, (size_t)rows *((size_t)s->n + 1))};
}

bool fit_logistic(struct learn_job *j) {
  struct scaled s;
  if (!scaled_make(j, 4, &s)) return false;
  struct lines l = lines_of(j, &s);
  struct logistic f = {.s = &s, .labels = j->set->labels, .l = &l, .c = j->c->c};
  f.share = ARENA_ARRAY(j->a, double, (size_t)s.rows *((size_t)l.rows + 1));
  minimise(j, &f);
  return finish(j, &s, &l, "logistic regression");
}

bool fit_svm(struct learn_job *j) {
  struct scaled s;
  struct rng r;
  if (!scaled_make(j, 4, &s)) return false;
  struct lines l = lines_of(j, &s);
  const size_t each = (size_t)s.n + 1;
  rng_seed(&r, rng_mix(j->c->seed ^ 0x5356));
  for (int k = 0; k < l.rows; k++) {
    separate(&s, j->set->labels, l.rows == 1 ? 1 : k, j->c->c, &r, j->a, l.w + (size_t)k * each);
    progress_update(j->progress, "svm", (uint64_t)k + 1, (uint64_t)l.rows, "%s", "");
  }
  const double t = temperature(&s, j->set->labels, &l);
  for (size_t i = 0; i < (size_t)l.rows * each; i++) l.w[i] *= t;
  return finish(j, &s, &l, "linear support vectors");
}
