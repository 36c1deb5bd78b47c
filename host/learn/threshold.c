/* threshold: from a rate of false alarms to a threshold, and what to expect of it. */
#include "host/learn/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_scores(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}

/* The continued fraction of the incomplete beta function, by Lentz's method. source: Abramowitz and Stegun 26.5.8. */
static double fraction(double x, double a, double b) {
  const double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < tiny ? tiny : d);
  double f = d;
  for (int m = 1; m < 500; m++) {
    for (int half = 0; half < 2; half++) {
      const double t = half == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                 : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 + t * d;
      c = 1 + t / c;
      d = 1 / (fabs(d) < tiny ? tiny : d);
      if (fabs(c) < tiny) c = tiny;
      f *= c * d;
      if (half && fabs(c * d - 1) < 1e-14) return f;
    }
  }
  return f;
}

/* The regularised incomplete beta function. */
static double beta_share(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * fraction(x, a, b) / a
                                   : 1 - front * fraction(1 - x, b, a) / b;
}

static double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  for (int i = 0; i < 200 && high - low > 1e-15; i++) {
    const double middle = (low + high) / 2;
    if (beta_share(middle, a, b) < p)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}

void learn_interval(uint32_t k, uint32_t n, double confidence, double *low, double *high) {
  const double tail = (1 - confidence) / 2;
  *low = k == 0 ? 0 : beta_quantile(tail, k, (double)n - k + 1);
  *high = k >= n ? 1 : beta_quantile(1 - tail, k + 1.0, (double)n - k);
}

void learn_threshold(const int32_t *scores, uint32_t n, double rate, double confidence,
                     struct learn_threshold *out) {
  *out = (struct learn_threshold){
      .threshold = INT32_MAX, .n = n, .wanted = rate, .confidence = confidence, .high = 1};
  int32_t *sorted = n ? malloc(n * sizeof *sorted) : NULL;
  if (!sorted) return;
  memcpy(sorted, scores, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, compare_scores);
  const double rank = ceil((n + 1.0) * (1 - rate) - 1e-9);
  out->reached = rank <= n;
  out->threshold = sorted[out->reached ? (rank < 1 ? 0 : (uint32_t)rank - 1) : n - 1];
  for (uint32_t i = n; i > 0 && sorted[i - 1] > out->threshold; i--) out->above++;
  out->rate = (double)out->above / n;
  learn_interval(out->above, n, confidence, &out->low, &out->high);
  free(sorted);
}

double learn_auc(const int32_t *normal, uint32_t n_normal, const int32_t *anomalous,
                 uint32_t n_anomalous) {
  if (!n_normal || !n_anomalous) return NAN;
  int32_t *sorted = malloc(n_normal * sizeof *sorted);
  if (!sorted) return NAN;
  memcpy(sorted, normal, n_normal * sizeof *sorted);
  qsort(sorted, n_normal, sizeof *sorted, compare_scores);
  double won = 0;
  for (uint32_t i = 0; i < n_anomalous; i++) {
    uint32_t bounds[2]; /* how many are below, how many not above */
    for (int side = 0; side < 2; side++) {
      uint32_t low = 0, high = n_normal;
      while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (side == 0 ? sorted[middle] < anomalous[i] : sorted[middle] <= anomalous[i])
          low = middle + 1;
        else
          high = middle;
      }
      bounds[side] = low;
    }
    won += bounds[0] + (bounds[1] - bounds[0]) / 2.0;
  }
  free(sorted);
  return won / n_normal / n_anomalous;
}
