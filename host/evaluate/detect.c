/* Detections in long recordings: what a threshold, an average and a silence after each detection come to. */
#include "host/evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scores are multiples of 1/256; a mean of `average` of them is compared without rounding. */
static void detect_one(const struct evaluate_stream *s, int classes, int class_index,
                       const struct evaluate_detector *d, double slack_s, bool *found,
                       struct evaluate_alarms *out) {
  double sum = 0;
  /* Answers in the silence: those less than suppress_s behind the detection. */
  const int silence = (int)fmax(ceil(d->suppress_s / s->hop_s - 1e-9) - 1, 0);
  int silent = 0;
  memset(found, 0, (size_t)s->n_spans * sizeof *found);
  for (int r = 0; r < s->rows; r++) {
    const double now = s->first_s + r * s->hop_s;
    sum += (double)s->scores[(size_t)r * (size_t)classes + (size_t)class_index];
    if (r >= d->average)
      sum -= (double)s->scores[(size_t)(r - d->average) * (size_t)classes + (size_t)class_index];
    if (silent > 0) {
      silent--;
      continue;
    }
    if (r + 1 < d->average || sum < d->threshold * d->average - 1e-9) continue;
    silent = silence;
    bool right = false;
    for (int k = 0; k < s->n_spans; k++) {
      if (s->spans[k].class_index != class_index || now < s->spans[k].from_s ||
          now > s->spans[k].to_s + slack_s)
        continue;
      found[k] = right = true;
    }
    out->false_alarms += !right;
  }
  for (int k = 0; k < s->n_spans; k++) {
    if (s->spans[k].class_index != class_index) continue;
    out->spans++;
    out->missed += !found[k];
  }
  out->hours += s->rows * s->hop_s / 3600;
}

struct evaluate_alarms evaluate_detect(const struct evaluate_stream *streams, int n, int classes,
                                       int class_index, const struct evaluate_detector *d,
                                       double slack_s) {
  struct evaluate_alarms out = {0};
  int most = 1;
  for (int i = 0; i < n; i++) most = streams[i].n_spans > most ? streams[i].n_spans : most;
  bool *const found = malloc((size_t)most * sizeof *found);
  if (!found) abort(); /* a few bytes for each event: the machine has no memory left at all */
  for (int i = 0; i < n; i++)
    detect_one(&streams[i], classes, class_index, d, slack_s, found, &out);
  free(found);
  return out;
}

/* Below 0 where x is better than y: fewer misses within the limit, then fewer false alarms. */
static int compare(const struct evaluate_alarms *x, const struct evaluate_alarms *y, double most) {
  const bool in = (double)x->false_alarms <= most, was = (double)y->false_alarms <= most;
  if (in != was) return in ? -1 : 1;
  if (in && x->missed != y->missed) return x->missed < y->missed ? -1 : 1;
  return x->false_alarms < y->false_alarms ? -1 : x->false_alarms > y->false_alarms;
}

/* The highest threshold that does best, which is the safer one, and how many do as well. */
static int best_step(const struct evaluate_alarms alarms[257], double most, int *width) {
  int best = 256;
  *width = 0;
  for (int step = 256; step >= 0; step--)
    if (compare(&alarms[step], &alarms[best], most) < 0) best = step;
  for (int step = 0; step <= 256; step++)
    *width += compare(&alarms[step], &alarms[best], most) == 0;
  return best;
}

bool evaluate_tune(const struct evaluate_stream *streams, int n, int classes, int class_index,
                   const int *averages, int n_averages, double suppress_s, double slack_s,
                   double false_alarms_per_hour, struct evaluate_detector *best,
                   struct evaluate_alarms *curve) {
  struct evaluate_alarms most = {0};
  struct evaluate_alarms here[257];
  int widest = 0;
  for (int k = 0; k < n_averages; k++) {
    for (int step = 0; step <= 256; step++) {
      const struct evaluate_detector d = {averages[k], step / 256.0, suppress_s};
      here[step] = evaluate_detect(streams, n, classes, class_index, &d, slack_s);
    }
    const double limit = false_alarms_per_hour * here[0].hours;
    int width;
    const int step = best_step(here, limit, &width), order = compare(&here[step], &most, limit);
    if (widest > 0 && (order > 0 || (order == 0 && width <= widest))) continue;
    widest = width;
    most = here[step];
    *best = (struct evaluate_detector){averages[k], step / 256.0, suppress_s};
    if (curve) memcpy(curve, here, sizeof here);
  }
  return (double)most.false_alarms <= false_alarms_per_hour * most.hours;
}
