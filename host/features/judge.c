/* How well features tell classes apart, quickly: kernel ridge regression on one-of-n targets (a Gaussian kernel as
 * wide as the median distance), tested on groups that it has not seen. It says what the features are worth, not
 * what a trained network will reach. source: Rifkin, Yeo and Poggio 2003 (regularised least squares for classes). */
#include "host/features/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RIDGE 0.05

/* Squared distances of all pairs, [n][n]; integers, so exact. */
static void distances(const struct features_table *t, float *d2) {
#pragma omp parallel for schedule(dynamic, 8)
  for (int i = 0; i < t->n; i++) {
    const int8_t *const x = t->values + (size_t)i * (size_t)t->width;
    for (int j = 0; j <= i; j++) {
      const int8_t *const y = t->values + (size_t)j * (size_t)t->width;
      int32_t sum = 0; /* width <= 2^15: at most 2^15 * 255^2 < 2^31 */
      for (int c = 0; c < t->width; c++) sum += (x[c] - y[c]) * (x[c] - y[c]);
      d2[(size_t)i * (size_t)t->n + (size_t)j] = d2[(size_t)j * (size_t)t->n + (size_t)i] =
          (float)sum;
    }
  }
}

static int by_size(const void *x, const void *y) {
  const float a = *(const float *)x, b = *(const float *)y;
  return (a > b) - (a < b);
}

/* The median over at most 4,000 pairs, taken evenly. */
static double median_of(const float *d2, int n, struct arena *a) {
  const int64_t pairs = (int64_t)n * n;
  const int most = pairs < 4000 ? (int)pairs : 4000;
  float *const some = ARENA_ARRAY(a, float, most + 1);
  int count = 0;
  for (int k = 0; k < most; k++) {
    const float v = d2[pairs * k / most + (pairs * k / most) % 7 % n];
    if (v > 0) some[count++] = v;
  }
  qsort(some, (size_t)count, sizeof *some, by_size);
  return count ? (double)some[count / 2] : 1;
}

/* Of n products; four sums in one fixed order, so that they need not wait for each other. */
static double dot(const double *x, const double *y, int n) {
  double sum[4] = {0};
  int i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
  for (; i < n; i++) sum[0] += x[i] * y[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* m [n][n] = L L^T, L below; then solves for the rows of y [classes][n], in place. */
static bool solve(double *m, int n, double *y, int classes) {
  for (int i = 0; i < n; i++) {
    double *const row = m + (size_t)i * (size_t)n;
    for (int j = 0; j < i; j++) {
      const double *const above = m + (size_t)j * (size_t)n;
      row[j] = (row[j] - dot(row, above, j)) / above[j];
    }
    row[i] -= dot(row, row, i);
    if (!(row[i] > 0)) return false;
    row[i] = sqrt(row[i]);
  }
  for (int c = 0; c < classes; c++, y += n) {
    for (int i = 0; i < n; i++) {
      const double *const row = m + (size_t)i * (size_t)n;
      y[i] = (y[i] - dot(row, y, i)) / row[i];
    }
    for (int i = n - 1; i >= 0; i--) {
      const double *const row = m + (size_t)i * (size_t)n;
      y[i] /= row[i];
      for (int k = 0; k < i; k++) y[k] -= row[k] * y[i];
    }
  }
  return true;
}

/* One fold told by the others. kernel: [n][n] of all windows. Returns how many are right; -1: no memory. */
static int judge_fold(const struct features_table *t, const float *kernel, int fold) {
  int n = 0, right = 0;
  for (int i = 0; i < t->n; i++) n += t->folds[i] != fold;
  const size_t each = (size_t)n + 1, classes = (size_t)t->classes;
  int *const train = malloc(each * sizeof *train);
  double *const m = malloc(each * each * sizeof *m), *const y = malloc(each * classes * sizeof *y);
  double *const near = malloc(each * sizeof *near);
  n = 0;
  for (int i = 0; train && i < t->n; i++)
    if (t->folds[i] != fold) train[n++] = i;
  if (train && m && y && near) {
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++)
        m[(size_t)i * (size_t)n + (size_t)j] =
            (double)kernel[(size_t)train[i] * (size_t)t->n + (size_t)train[j]] +
            (i == j ? RIDGE : 0);
    for (int c = 0; c < t->classes; c++)
      for (int i = 0; i < n; i++) y[c * n + i] = t->labels[train[i]] == c ? 1 : -1.0 / t->classes;
    const bool solved = n > 0 && solve(m, n, y, t->classes);
    for (int i = 0; solved && i < t->n; i++) {
      if (t->folds[i] != fold) continue;
      int best = 0;
      double most = -HUGE_VAL;
      for (int j = 0; j < n; j++)
        near[j] = (double)kernel[(size_t)i * (size_t)t->n + (size_t)train[j]];
      for (int c = 0; c < t->classes; c++) {
        const double score = dot(near, y + c * n, n);
        if (score > most) most = score, best = c;
      }
      right += best == t->labels[i];
    }
  } else {
    right = -1;
  }
  free(train);
  free(m);
  free(y);
  free(near);
  return right;
}

bool features_judge(const struct features_table *t, struct arena *a, double *accuracy,
                    double *deviation, struct err *e) {
  if (t->n < 8 || t->n > FEATURES_JUDGE_MOST)
    return err_set(e, "%d windows; %d to %d can be judged", t->n, 8, FEATURES_JUDGE_MOST);
  if (t->classes < 2) return err_set(e, "%d class; at least 2 are needed", t->classes);
  if (t->width > 1 << 15)
    return err_set(e, "%d values in a window; at most %d can be judged", t->width, 1 << 15);
  int folds = 0, right = 0;
  for (int i = 0; i < t->n; i++)
    if (t->folds[i] >= folds) folds = t->folds[i] + 1;
  if (folds < 2) return err_set(e, "all windows are in one group; two groups are needed");
  float *const d2 = ARENA_ARRAY(a, float, (size_t)t->n *(size_t)t->n);
  distances(t, d2);
  const double gamma = 1 / median_of(d2, t->n, a);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < (int64_t)t->n * t->n; i++) d2[i] = (float)exp(-gamma * (double)d2[i]);
  bool failed = false;
#pragma omp parallel for schedule(dynamic) reduction(+ : right)
  for (int f = 0; f < folds; f++) {
    const int here = judge_fold(t, d2, f);
    if (here < 0) {
#pragma omp atomic write
      failed = true;
    } else {
      right += here;
    }
  }
  if (failed) return err_set(e, "no memory left");
  *accuracy = (double)right / t->n;
  *deviation = sqrt(fmax(*accuracy * (1 - *accuracy), 1.0 / t->n) / t->n);
  return true;
}
