/* What each column of the features tells about the class: mutual information and the share of variance between
 * classes; and an order in which columns add to each other. */
#include "host/features/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 16, MOST_CLASSES = 256 };

/* Cuts a column into BINS bins of about equal counts. bins: [n] */
static void cut(const struct features_table *t, int column, uint8_t *bins) {
  int counts[256] = {0};
  uint8_t bin_of[256];
  for (int i = 0; i < t->n; i++)
    counts[t->values[(size_t)i * (size_t)t->width + (size_t)column] + 128]++;
  int64_t below = 0;
  for (int v = 0; v < 256; v++) {
    /* Where the middle of this value's windows falls among all. */
    bin_of[v] = (uint8_t)((2 * below + counts[v]) * BINS / (2 * (int64_t)t->n + 1));
    below += counts[v];
  }
  for (int i = 0; i < t->n; i++)
    bins[i] = bin_of[t->values[(size_t)i * (size_t)t->width + (size_t)column] + 128];
}

static double entropy_term(double count, double n) {
  return count > 0 ? -count / n * log2(count / n) : 0;
}

/* Mutual information in bits of two binned variables, less the bias of small samples (Miller 1955); at least 0. */
static double information(const uint8_t *x, int nx, const uint8_t *y, int ny, int n) {
  static const int room = BINS * MOST_CLASSES;
  int *const joint = calloc((size_t)room, sizeof *joint);
  int in_x[BINS] = {0}, in_y[MOST_CLASSES] = {0}, cells = 0, rows = 0, columns = 0;
  double bits = 0;
  if (!joint) abort(); /* 16 kB: the machine has no memory left at all */
  for (int i = 0; i < n; i++) joint[x[i] * ny + y[i]]++, in_x[x[i]]++, in_y[y[i]]++;
  for (int i = 0; i < nx * ny; i++) bits -= entropy_term(joint[i], n), cells += joint[i] > 0;
  for (int i = 0; i < nx; i++) bits += entropy_term(in_x[i], n), rows += in_x[i] > 0;
  for (int i = 0; i < ny; i++) bits += entropy_term(in_y[i], n), columns += in_y[i] > 0;
  free(joint);
  bits -= (cells - rows - columns + 1) / (2 * n * log(2));
  return bits > 0 ? bits : 0;
}

/* Variance of the classes' means over the whole variance. */
static double between(const struct features_table *t, int column) {
  double sum[MOST_CLASSES] = {0}, all = 0, squares = 0, explained = 0;
  int count[MOST_CLASSES] = {0};
  for (int i = 0; i < t->n; i++) {
    const double v = t->values[(size_t)i * (size_t)t->width + (size_t)column];
    sum[t->labels[i]] += v;
    count[t->labels[i]]++;
    all += v;
    squares += v * v;
  }
  const double mean = all / t->n, whole = squares - all * mean;
  for (int c = 0; c < t->classes; c++)
    if (count[c]) explained += (sum[c] / count[c] - mean) * (sum[c] / count[c] - mean) * count[c];
  return whole > 0 ? explained / whole : 0;
}

bool features_rank(const struct features_table *t, struct arena *a, struct features_worth *worth,
                   struct err *e) {
  if (t->n < 2 * BINS)
    return err_set(e, "%d windows are too few to rank features; at least %d are needed", t->n,
                   2 * BINS);
  if (t->classes < 2 || t->classes > MOST_CLASSES)
    return err_set(e, "%d classes; ranking needs 2 to %d", t->classes, MOST_CLASSES);
  uint8_t *const bins = ARENA_ARRAY(a, uint8_t, (size_t)t->n * (size_t)t->width);
  uint8_t *const classes = ARENA_ARRAY(a, uint8_t, t->n);
  const size_t n = (size_t)t->n;
  for (int i = 0; i < t->n; i++) classes[i] = (uint8_t)t->labels[i];
#pragma omp parallel for schedule(static)
  for (int c = 0; c < t->width; c++) {
    cut(t, c, bins + (size_t)c * n);
    worth[c] = (struct features_worth){
        .bits = information(bins + (size_t)c * n, BINS, classes, t->classes, t->n),
        .between = between(t, c),
        .order = -1};
  }
  /* Greedy: most information, less the mean of what the chosen ones have in common with it (Peng 2005). */
  double *const shared = ARENA_ARRAY(a, double, t->width);
  const int most = t->width < FEATURES_RANK_MOST ? t->width : FEATURES_RANK_MOST;
  for (int k = 0; k < most; k++) {
    int best = -1;
    for (int c = 0; c < t->width; c++) {
      if (worth[c].order >= 0) continue;
      const double here = worth[c].bits - (k ? shared[c] / k : 0);
      if (best < 0 || here > worth[best].bits - (k ? shared[best] / k : 0)) best = c;
    }
    worth[best].order = k;
#pragma omp parallel for schedule(static)
    for (int c = 0; c < t->width; c++)
      if (worth[c].order < 0)
        shared[c] += information(bins + (size_t)c * n, BINS, bins + (size_t)best * n, BINS, t->n);
  }
  return true;
}
