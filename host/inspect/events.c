/* Events within a recording: where its level rises over the quiet, or where it swings most; and silence off the ends. */
#include "host/inspect/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_S     0.02
#define LEAST_FRAME 4   /* numbers: fewer say nothing of a level */
#define QUIET_SHARE 0.2 /* the level that a fifth of all frames stay below is quiet */
#define FLOOR       1e-10

/* Level of each frame in dB: the power of all channels, without each channel's mean over the frame. */
struct levels {
  float *db;
  int64_t n, size; /* frames, numbers of each */
};

static bool measure_levels(struct arena *a, const struct inspect_signal *s, struct levels *l,
                           struct err *e) {
  l->size = llround(FRAME_S * s->rate_hz);
  if (l->size < LEAST_FRAME) l->size = LEAST_FRAME;
  l->n = (s->length + l->size - 1) / l->size;
  if ((size_t)l->n * 2 * sizeof(float) + 256 > arena_left(a))
    return err_set(e, "%lld frames do not fit into memory", (long long)l->n);
  l->db = ARENA_ARRAY(a, float, l->n);
  for (int64_t f = 0; f < l->n; f++) {
    const int64_t from = f * l->size, to = from + l->size < s->length ? from + l->size : s->length;
    double power = 0;
    for (int k = 0; k < s->channels; k++) {
      double sum = 0, square = 0;
      for (int64_t i = from; i < to; i++) {
        const double v = (double)inspect_value(s, i, k);
        sum += v, square += v * v;
      }
      const double n = (double)(to - from);
      power += square / n - sum / n * (sum / n);
    }
    l->db[f] = (float)(10 * log10((power > 0 ? power : 0) + FLOOR));
  }
  return true;
}

static int compare_level(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static float quantile(struct arena *a, const struct levels *l, double share) {
  float *sorted = ARENA_ARRAY(a, float, l->n);
  memcpy(sorted, l->db, (size_t)l->n * sizeof *sorted);
  qsort(sorted, (size_t)l->n, sizeof *sorted, compare_level);
  return sorted[(int64_t)(share * (double)(l->n - 1))];
}

static int64_t frames_of(const struct levels *l, const struct inspect_signal *s, double seconds) {
  return llround(seconds * s->rate_hz / (double)l->size);
}

/* Stretches of loud frames: short pauses join them, short ones are none. In frames; returns how many. */
static int find_loud(const struct levels *l, float threshold, int64_t pause, int64_t least,
                     struct inspect_stretch *out) {
  int n = 0;
  for (int64_t f = 0; f < l->n; f++) {
    if (l->db[f] < threshold) continue;
    if (n && f - out[n - 1].last <= pause + 1)
      out[n - 1].last = f;
    else
      out[n++] = (struct inspect_stretch){f, f};
  }
  int kept = 0;
  for (int i = 0; i < n; i++)
    if (out[i].last - out[i].first + 1 >= least) out[kept++] = out[i];
  return kept;
}

/* Frames to numbers, with padding; a length that was asked for lies around the middle. Never beyond the one before. */
static int settle(const struct inspect_signal *s, const struct levels *l,
                  const struct inspect_event_rule *rule, struct inspect_stretch *events, int n) {
  const int64_t pad = llround(rule->padding_s * s->rate_hz);
  const int64_t length = llround(rule->length_s * s->rate_hz);
  int kept = 0;
  for (int i = 0; i < n; i++) {
    int64_t first = events[i].first * l->size - pad,
            last = (events[i].last + 1) * l->size - 1 + pad;
    if (length > 0) {
      first = (first + last + 1) / 2 - length / 2;
      if (first > s->length - length) first = s->length - length;
    }
    if (first < 0) first = 0;
    if (length > 0) last = first + length - 1;
    if (last >= s->length) last = s->length - 1;
    if (kept && first <= events[kept - 1].last) {
      if (length > 0) continue; /* a piece of fixed length cannot begin inside another */
      first = events[kept - 1].last + 1;
    }
    if (first <= last) events[kept++] = (struct inspect_stretch){first, last};
  }
  return kept;
}

static bool energy_events(struct arena *a, const struct inspect_signal *s,
                          const struct inspect_event_rule *rule, struct inspect_stretch **events,
                          int *count, struct err *e) {
  struct levels l = {0};
  if (!measure_levels(a, s, &l, e)) return false;
  if ((size_t)l.n * (sizeof(struct inspect_stretch) + 8) + 256 > arena_left(a))
    return err_set(e, "%lld frames do not fit into memory", (long long)l.n);
  const double rise = rule->threshold_db > 0 ? rule->threshold_db : 12;
  const float quiet = quantile(a, &l, QUIET_SHARE);
  int64_t least = frames_of(&l, s, rule->least_s > 0 ? rule->least_s : 0.05);
  if (least < 1) least = 1;
  *events = ARENA_ARRAY(a, struct inspect_stretch, l.n);
  const int n =
      find_loud(&l, quiet + (float)rise, frames_of(&l, s, rule->apart_s > 0 ? rule->apart_s : 0.2),
                least, *events);
  *count = settle(s, &l, rule, *events, n);
  return true;
}

/* How far the numbers of a frame are from usual: the farthest channel, in its standard deviations. */
static float *swings(struct arena *a, const struct inspect_signal *s) {
  float *swing = ARENA_ARRAY(a, float, s->length);
  for (int k = 0; k < s->channels; k++) {
    double sum = 0, square = 0;
    const double n = (double)s->length;
    for (int64_t i = 0; i < s->length; i++) sum += (double)inspect_value(s, i, k);
    for (int64_t i = 0; i < s->length; i++) {
      const double v = (double)inspect_value(s, i, k) - sum / n;
      square += v * v;
    }
    const double spread = sqrt(square / n);
    for (int64_t i = 0; i < s->length && spread > 0; i++) {
      const double v = ((double)inspect_value(s, i, k) - sum / n) / spread;
      if (fabs(v) > (double)swing[i]) swing[i] = (float)fabs(v);
    }
  }
  return swing;
}

struct swing {
  float size;
  int64_t at;
};
static int by_swing(const void *a, const void *b) {
  const struct swing *x = a, *y = b;
  if (x->size != y->size) return (x->size < y->size) - (x->size > y->size);
  return (x->at > y->at) - (x->at < y->at);
}
static int by_time(const void *a, const void *b) {
  const struct inspect_stretch *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

/* The largest swings first; each takes its stretch, and what would overlap one that is taken is part of it. */
static bool peak_events(struct arena *a, const struct inspect_signal *s,
                        const struct inspect_event_rule *rule, struct inspect_stretch **events,
                        int *count, struct err *e) {
  if ((size_t)s->length * (sizeof(float) + sizeof(struct swing)) + 256 > arena_left(a))
    return err_set(e, "%lld frames do not fit into memory", (long long)s->length);
  const float *size = swings(a, s);
  const float threshold = rule->threshold > 0 ? (float)rule->threshold : 3;
  struct swing *peaks = ARENA_ARRAY(a, struct swing, s->length);
  int64_t n = 0;
  for (int64_t i = 0; i < s->length; i++)
    if (size[i] >= threshold && (i == 0 || size[i] >= size[i - 1]) &&
        (i + 1 == s->length || size[i] > size[i + 1]))
      peaks[n++] = (struct swing){size[i], i};
  qsort(peaks, (size_t)n, sizeof *peaks, by_swing);
  int64_t length = llround((rule->length_s > 0 ? rule->length_s : 1) * s->rate_hz);
  if (length < 1) length = 1;
  if (length > s->length) length = s->length;
  int64_t apart = llround((rule->apart_s > 0 ? rule->apart_s : 0.2) * s->rate_hz);
  if (apart < length) apart = length;
  const int64_t most = s->length / length + 1;
  if ((size_t)most * (sizeof(struct inspect_stretch) + 8) + 256 > arena_left(a))
    return err_set(e, "%lld events do not fit into memory", (long long)most);
  struct inspect_stretch *out = ARENA_ARRAY(a, struct inspect_stretch, most);
  int64_t *centres = ARENA_ARRAY(a, int64_t, most);
  int kept = 0;
  for (int64_t i = 0; i < n && kept < most; i++) {
    int64_t first = peaks[i].at - length / 2;
    if (first > s->length - length) first = s->length - length;
    if (first < 0) first = 0;
    bool free_here = true;
    for (int k = 0; k < kept && free_here; k++)
      free_here = llabs(centres[k] - peaks[i].at) >= apart && llabs(out[k].first - first) >= length;
    if (!free_here) continue;
    centres[kept] = peaks[i].at;
    out[kept++] = (struct inspect_stretch){first, first + length - 1};
  }
  qsort(out, (size_t)kept, sizeof *out, by_time);
  *events = out;
  *count = kept;
  return true;
}

bool inspect_events(struct arena *a, const struct inspect_signal *s,
                    const struct inspect_event_rule *rule, struct inspect_stretch **events,
                    int *count, struct err *e) {
  *events = NULL;
  *count = 0;
  if (s->length < 1 || !(s->rate_hz > 0)) return true;
  return rule->kind == INSPECT_PEAK ? peak_events(a, s, rule, events, count, e)
                                    : energy_events(a, s, rule, events, count, e);
}

bool inspect_trim(struct arena *a, const struct inspect_signal *s,
                  const struct inspect_event_rule *rule, struct inspect_stretch *kept, bool *found,
                  struct err *e) {
  struct inspect_stretch *events = NULL;
  struct inspect_event_rule energy = *rule;
  int n = 0;
  energy.kind = INSPECT_ENERGY;
  energy.length_s = 0;
  if (!inspect_events(a, s, &energy, &events, &n, e)) return false;
  *found = n > 0;
  if (n) *kept = (struct inspect_stretch){events[0].first, events[n - 1].last};
  return true;
}
