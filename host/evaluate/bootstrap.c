/* bootstrap: see the header. */
#include "host/evaluate/bootstrap.h"

#include <math.h>
#include <stdlib.h>

struct clusters clusters_of(const int32_t *of, int n, struct arena *a) {
  struct clusters k = {0};
  for (int i = 0; i < n; i++) {
    const int c = of ? of[i] : i;
    if (c >= k.count) k.count = c + 1;
  }
  k.from = ARENA_ARRAY(a, int, k.count + 2);
  k.order = ARENA_ARRAY(a, int, n);
  for (int i = 0; i < n; i++) k.from[(of ? of[i] : i) + 2]++;
  for (int c = 0; c <= k.count; c++) k.from[c + 1] += k.from[c];
  for (int i = 0; i < n; i++) k.order[k.from[(of ? of[i] : i) + 1]++] = i;
  return k;
}

static int by_value(const void *x, const void *y) {
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

struct evaluate_interval bootstrap_interval(double value, double *draws) {
  int n = 0;
  for (int i = 0; i < BOOTSTRAP_DRAWS; i++)
    if (isfinite(draws[i])) draws[n++] = draws[i];
  if (!n || !isfinite(value)) return (struct evaluate_interval){value, NAN, NAN};
  qsort(draws, (size_t)n, sizeof *draws, by_value);
  const int high = n * 975 / 1000 - 1;
  return (struct evaluate_interval){value, draws[n * 25 / 1000], draws[high < 0 ? 0 : high]};
}
