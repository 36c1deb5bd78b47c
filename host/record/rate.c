/* The rate of lines, from when they were read.
 *
 * A line is never read before it was sent, only later: by the length of a burst, by a busy machine, by a buffer. So the
 * reads that were late lie below the line through (time, count), and the earliest of each stretch of time lie on
 * it. First the median of many slopes, which late reads and a missing piece do not move; then a least-squares
 * line through the highest point of each stretch, unless a piece is missing: then the median stands. */
#include "host/record/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRETCHES     64
#define LEAST_POINTS  8
#define LEAST_SECONDS 0.5
#define GAP_SECONDS   0.2

void record_rate_begin(struct record_rate *r) {
  r->n = r->skip = 0;
  r->every = 1;
}

void record_rate_add(struct record_rate *r, double t_s, int64_t count) {
  if (r->n && count <= r->points[r->n - 1].count) return;
  if (++r->skip < r->every) return;
  r->skip = 0;
  if (r->n == RECORD_RATE_POINTS) { /* half of them stay; the next ones are twice as far apart */
    for (int i = 0; i < RECORD_RATE_POINTS / 2; i++) r->points[i] = r->points[2 * i];
    r->n = RECORD_RATE_POINTS / 2;
    r->every *= 2;
  }
  r->points[r->n].t_s = t_s;
  r->points[r->n++].count = count;
}

static int compare_real(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median of the slopes between points a quarter of the recording apart; 0: none. */
static double median_slope(const struct record_rate *r) {
  static _Thread_local double slopes[RECORD_RATE_POINTS];
  const int last = r->n - 1;
  const double apart = (r->points[last].t_s - r->points[0].t_s) / 4;
  int n = 0;
  for (int i = 0, k = 1; i < r->n; i++) {
    while (k < r->n && r->points[k].t_s - r->points[i].t_s < apart) k++;
    if (k == r->n) break;
    slopes[n++] =
        (double)(r->points[k].count - r->points[i].count) / (r->points[k].t_s - r->points[i].t_s);
  }
  if (n == 0) return 0;
  qsort(slopes, (size_t)n, sizeof *slopes, compare_real);
  return n & 1 ? slopes[n / 2] : (slopes[n / 2 - 1] + slopes[n / 2]) / 2;
}

/* Lines ahead of a steady rate from the first point on. */
static double ahead(const struct record_rate *r, int i, double hz) {
  return (double)(r->points[i].count - r->points[0].count) -
         hz * (r->points[i].t_s - r->points[0].t_s);
}

/* Time that passed without lines that never came: the level behind it stays lower, where a late burst catches up. */
static void find_gaps(const struct record_rate *r, double hz, struct record_rate_result *out) {
  for (int i = 1; i < r->n; i++) {
    if (r->points[i].t_s - r->points[i - 1].t_s < GAP_SECONDS) continue;
    double before = -1e300, behind = -1e300;
    for (int k = i - 1; k >= 0 && k > i - 17; k--) before = fmax(before, ahead(r, k, hz));
    for (int k = i; k < r->n && k < i + 16; k++) behind = fmax(behind, ahead(r, k, hz));
    const double missing_s = (before - behind) / hz;
    if (missing_s < GAP_SECONDS) continue;
    out->gaps++;
    out->missing_s += missing_s;
  }
}

/* The line through the highest point of each stretch. */
static void regress(const struct record_rate *r, double hz, struct record_rate_result *out) {
  int best[STRETCHES];
  const double begin = r->points[0].t_s, span = r->points[r->n - 1].t_s - begin;
  for (int s = 0; s < STRETCHES; s++) best[s] = -1;
  for (int i = 0; i < r->n; i++) {
    int s = (int)((r->points[i].t_s - begin) / span * STRETCHES);
    if (s >= STRETCHES) s = STRETCHES - 1;
    if (best[s] < 0 || ahead(r, i, hz) > ahead(r, best[s], hz)) best[s] = i;
  }
  double n = 0, st = 0, sy = 0, stt = 0, sty = 0;
  for (int s = 0; s < STRETCHES; s++) {
    if (best[s] < 0) continue;
    const double t = r->points[best[s]].t_s - begin, y = ahead(r, best[s], hz);
    n++, st += t, sy += y, stt += t * t, sty += t * y;
  }
  const double spread = stt - st * st / n;
  out->hz = hz;
  out->error_hz = hz / sqrt((double)r->n);
  if (n < LEAST_POINTS || !(spread > 0)) return;
  const double slope = (sty - st * sy / n) / spread, level = (sy - slope * st) / n;
  double square = 0;
  for (int s = 0; s < STRETCHES; s++) {
    if (best[s] < 0) continue;
    const double off = ahead(r, best[s], hz) - level - slope * (r->points[best[s]].t_s - begin);
    square += off * off;
  }
  /* No better than one line over the whole length: counts are whole numbers. */
  out->error_hz = fmax(sqrt(square / (n - 2) / spread), 0.3 / (span * sqrt(n)));
  out->hz = hz + slope;
}

bool record_rate_measure(const struct record_rate *r, struct record_rate_result *out) {
  memset(out, 0, sizeof *out);
  if (r->n < LEAST_POINTS) return false;
  out->seconds = r->points[r->n - 1].t_s - r->points[0].t_s;
  if (out->seconds < LEAST_SECONDS) return false;
  const double hz = median_slope(r);
  if (!(hz > 0)) return false;
  find_gaps(r, hz, out);
  if (out->gaps) {
    out->hz = hz;
    out->error_hz = 2 / out->seconds;
  } else {
    regress(r, hz, out);
  }
  return out->hz > 0;
}
