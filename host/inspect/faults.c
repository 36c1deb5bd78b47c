/* What is wrong with one recording, channel by channel: values that stand still, lie against an end, or are none. */
#include "host/inspect/private.h"

#include <math.h>
#include <string.h>

#define CLIPPED_RUN 3 /* so many times the extreme value in a row is no chance */

float inspect_value(const struct inspect_signal *s, int64_t i, int k) {
  const float v = s->values[i * s->channels + k];
  return isfinite(v) ? v : 0;
}

/* A sensor that seldom changes, or knows two values alone, stands still by nature. */
static double moving_share(const struct inspect_signal *s, int k, const struct inspect_channel *c) {
  int64_t between = 0, moved = 0;
  for (int64_t i = 1; i < s->length; i++) {
    const double v = (double)s->values[i * s->channels + k];
    if (!(v > c->least && v < c->most)) continue;
    between++;
    moved += s->values[i * s->channels + k] != s->values[(i - 1) * s->channels + k];
  }
  return between ? (double)moved / (double)between : 0;
}

static void sum_up(const struct inspect_signal *s, int k, struct inspect_channel *c) {
  double sum = 0, square = 0;
  int64_t n = 0, hold = 1;
  for (int64_t i = 0; i < s->length; i++) {
    const double v = (double)s->values[i * s->channels + k];
    if (!isfinite(v)) {
      c->not_finite++;
      hold = 1;
      continue;
    }
    if (n == 0 || v < c->least) c->least = v;
    if (n == 0 || v > c->most) c->most = v;
    sum += v;
    n++;
    const bool same =
        i > 0 && s->values[i * s->channels + k] == s->values[(i - 1) * s->channels + k];
    hold = same ? hold + 1 : 1;
    if (hold > c->longest_hold) c->longest_hold = hold;
  }
  if (n == 0) return;
  c->mean = sum / (double)n;
  for (int64_t i = 0; i < s->length; i++) {
    const double v = (double)s->values[i * s->channels + k] - c->mean;
    if (isfinite(v)) square += v * v;
  }
  c->rms = sqrt(square / (double)n);
  c->constant = c->least == c->most;
}

/* Numbers in runs at an end. A run at any value but the extremes is a hold, not clipping. */
static void count_clipped(const struct inspect_signal *s, int k, struct inspect_channel *c) {
  int64_t run = 0;
  double at = 0;
  for (int64_t i = 0; i <= s->length; i++) {
    const double v = i < s->length ? (double)s->values[i * s->channels + k] : (double)NAN;
    const bool end = v == c->least || v == c->most;
    if (end && run > 0 && v == at) {
      run++;
      continue;
    }
    if (run >= CLIPPED_RUN) c->clipped += run, c->clipped_runs++;
    run = end;
    at = v;
  }
}

void inspect_measure(const struct inspect_signal *s, struct inspect_channel *channels) {
  memset(channels, 0, (size_t)s->channels * sizeof *channels);
  for (int k = 0; k < s->channels; k++) {
    struct inspect_channel *c = &channels[k];
    sum_up(s, k, c);
    c->moving = moving_share(s, k, c);
    if (!c->constant) count_clipped(s, k, c);
  }
}
