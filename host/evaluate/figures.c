/* Figures of a set of answers, and their intervals. */
#include "host/evaluate/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 15 };

static int answer(const struct evaluate_set *s, int i) {
  const float *const row = s->scores + (size_t)i * (size_t)s->classes;
  int best = 0;
  for (int c = 1; c < s->classes; c++)
    if (row[c] > row[best]) best = c;
  return best;
}

/* ---- from counts ---------------------------------------------------------------------- */

struct totals {
  double accuracy, balanced, macro_f1;
};

/* confusion: [classes][classes]. Classes that neither occur nor are answered do not count in the means. */
static struct totals totals_of(const int64_t *confusion, int classes) {
  struct totals t = {0};
  int64_t all = 0, right = 0;
  int present = 0, named = 0;
  for (int c = 0; c < classes; c++) {
    int64_t truth = 0, said = 0;
    const int64_t hit = confusion[c * classes + c];
    for (int k = 0; k < classes; k++)
      truth += confusion[c * classes + k], said += confusion[k * classes + c];
    all += truth;
    right += hit;
    if (truth) present++, t.balanced += (double)hit / (double)truth;
    if (truth + said) named++, t.macro_f1 += 2 * (double)hit / (double)(truth + said);
  }
  t.accuracy = all ? (double)right / (double)all : 0;
  if (present) t.balanced /= present;
  if (named) t.macro_f1 /= named;
  return t;
}

/* ---- bootstrap ------------------------------------------------------------------------- */

static void bootstrap(const struct evaluate_set *s, const int *answers, uint64_t seed,
                      struct arena *a, struct evaluate_figures *out) {
  const struct clusters k = clusters_of(s->clusters, s->n, a);
  const size_t cells = (size_t)s->classes * (size_t)s->classes;
  int64_t *const counts = ARENA_ARRAY(a, int64_t, cells);
  double *const draws = ARENA_ARRAY(a, double, 3 * BOOTSTRAP_DRAWS);
  struct rng r;
  rng_seed(&r, seed);
  for (int draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
    memset(counts, 0, cells * sizeof *counts);
    for (int c = 0; c < k.count; c++) {
      const uint32_t which = rng_below(&r, (uint32_t)k.count);
      for (int i = k.from[which]; i < k.from[which + 1]; i++)
        counts[s->truth[k.order[i]] * s->classes + answers[k.order[i]]]++;
    }
    const struct totals t = totals_of(counts, s->classes);
    draws[draw] = t.accuracy, draws[BOOTSTRAP_DRAWS + draw] = t.balanced,
    draws[2 * BOOTSTRAP_DRAWS + draw] = t.macro_f1;
  }
  const struct totals t = totals_of(out->confusion, s->classes);
  out->accuracy = bootstrap_interval(t.accuracy, draws);
  out->balanced_accuracy = bootstrap_interval(t.balanced, draws + BOOTSTRAP_DRAWS);
  out->macro_f1 = bootstrap_interval(t.macro_f1, draws + 2 * BOOTSTRAP_DRAWS);
}

/* ---- calibration ------------------------------------------------------------------------ */

/* The scores of answer i with temperature t: p^(1/t), normalised. */
static void temper(const struct evaluate_set *s, int i, double t, double *p) {
  const float *const row = s->scores + (size_t)i * (size_t)s->classes;
  double sum = 0;
  for (int c = 0; c < s->classes; c++) sum += p[c] = pow(fmax((double)row[c], 1e-6), 1 / t);
  for (int c = 0; c < s->classes; c++) p[c] /= sum;
}

static double log_loss(const struct evaluate_set *s, double t, double *p) {
  double loss = 0;
  for (int i = 0; i < s->n; i++) {
    temper(s, i, t, p);
    loss -= log(p[s->truth[i]]);
  }
  return loss / s->n;
}

static double calibration_error(const struct evaluate_set *s, double t, double *p) {
  double confidence[STEPS] = {0}, right[STEPS] = {0}, error = 0;
  for (int i = 0; i < s->n; i++) {
    temper(s, i, t, p);
    int best = 0;
    for (int c = 1; c < s->classes; c++)
      if (p[c] > p[best]) best = c;
    const int step = p[best] >= 1 ? STEPS - 1 : (int)(p[best] * STEPS);
    confidence[step] += p[best];
    right[step] += best == s->truth[i];
  }
  for (int k = 0; k < STEPS; k++) error += fabs(confidence[k] - right[k]);
  return error / s->n;
}

/* Golden section over log t in [1/8, 8]: the loss has one minimum in it. source: Guo et al. 2017. */
static double best_temperature(const struct evaluate_set *s, double *p) {
  const double golden = 0.6180339887498949;
  double low = -log(8), high = log(8);
  double x = high - golden * (high - low), y = low + golden * (high - low);
  double fx = log_loss(s, exp(x), p), fy = log_loss(s, exp(y), p);
  for (int step = 0; step < 24; step++) {
    if (fx < fy) {
      high = y, y = x, fy = fx, x = high - golden * (high - low), fx = log_loss(s, exp(x), p);
    } else {
      low = x, x = y, fx = fy, y = low + golden * (high - low), fy = log_loss(s, exp(y), p);
    }
  }
  return exp((low + high) / 2);
}

void evaluate_reliability(const struct evaluate_set *s, int steps, struct evaluate_step *out) {
  memset(out, 0, (size_t)steps * sizeof *out);
  for (int i = 0; i < s->n; i++) {
    const int best = answer(s, i);
    const double p = (double)s->scores[(size_t)i * (size_t)s->classes + (size_t)best];
    struct evaluate_step *const x = &out[p >= 1 ? steps - 1 : (int)(p * steps)];
    x->count++;
    x->confidence += p;
    x->right += best == s->truth[i];
  }
  for (int k = 0; k < steps; k++)
    if (out[k].count)
      out[k].confidence /= (double)out[k].count, out[k].right /= (double)out[k].count;
}

/* ---- curves -------------------------------------------------------------------------------- */

struct scored {
  float score;
  bool positive;
};

static int by_score(const void *x, const void *y) {
  const float a = ((const struct scored *)x)->score, b = ((const struct scored *)y)->score;
  return (a < b) - (a > b);
}

static struct scored *sorted_scores(const struct evaluate_set *s, int class_index, struct arena *a,
                                    int64_t *positives) {
  struct scored *const x = ARENA_ARRAY(a, struct scored, s->n);
  *positives = 0;
  for (int i = 0; i < s->n; i++) {
    x[i].score = s->scores[(size_t)i * (size_t)s->classes + (size_t)class_index];
    x[i].positive = s->truth[i] == class_index;
    *positives += x[i].positive;
  }
  qsort(x, (size_t)s->n, sizeof *x, by_score);
  return x;
}

int evaluate_curve(const struct evaluate_set *s, int class_index, bool roc, int most,
                   struct arena *a, double *x, double *y) {
  int64_t positives, hits = 0;
  const struct scored *const sorted = sorted_scores(s, class_index, a, &positives);
  const int64_t negatives = s->n - positives;
  if (!positives || !negatives || most < 2) return 0;
  int points = 0;
  x[points] = 0, y[points++] = roc ? 0 : 1;
  for (int i = 0; i < s->n; i++) {
    hits += sorted[i].positive;
    if (i + 1 < s->n && sorted[i + 1].score >= sorted[i].score) continue; /* equals fall together */
    const double recall = (double)hits / (double)positives, alarms = (double)(i + 1 - hits);
    const double px = roc ? alarms / (double)negatives : recall;
    const double py = roc ? recall : (double)hits / (i + 1);
    /* Points closer than the picture can show are left out, the last never. */
    if (i + 1 < s->n && points > 1 &&
        fabs(px - x[points - 1]) + fabs(py - y[points - 1]) < 2.0 / (most - 2))
      continue;
    if (points == most) points--;
    x[points] = px, y[points++] = py;
  }
  return points;
}

/* Areas under both curves, over every threshold. */
static void areas(const struct evaluate_set *s, int class_index, struct arena *a,
                  struct evaluate_class *out) {
  int64_t positives, hits = 0, alarms = 0, hits_before = 0, alarms_before = 0;
  const struct scored *const x = sorted_scores(s, class_index, a, &positives);
  const int64_t negatives = s->n - positives;
  double roc = 0, precision = 0;
  out->roc_auc = out->average_precision = (double)NAN;
  for (int i = 0; i < s->n; i++) {
    hits += x[i].positive, alarms += !x[i].positive;
    if (i + 1 < s->n && x[i + 1].score >= x[i].score) continue;
    roc += (double)(alarms - alarms_before) * (double)(hits + hits_before) / 2;
    precision += (double)(hits - hits_before) * (double)hits / (double)(hits + alarms);
    hits_before = hits, alarms_before = alarms;
  }
  if (positives && negatives) out->roc_auc = roc / ((double)positives * (double)negatives);
  if (positives) out->average_precision = precision / (double)positives;
}

static void class_figures(const struct evaluate_set *s, const int64_t *confusion, int c,
                          struct arena *a, struct evaluate_class *out) {
  int64_t truth = 0, said = 0;
  const int64_t hit = confusion[c * s->classes + c];
  for (int k = 0; k < s->classes; k++)
    truth += confusion[c * s->classes + k], said += confusion[k * s->classes + c];
  out->count = truth;
  out->precision = said ? (double)hit / (double)said : (double)NAN;
  out->recall = truth ? (double)hit / (double)truth : (double)NAN;
  out->f1 = truth + said ? 2 * (double)hit / (double)(truth + said) : (double)NAN;
  areas(s, c, a, out);
}

bool evaluate_measure(const struct evaluate_set *s, uint64_t seed, struct arena *a,
                      struct evaluate_figures *out, struct err *e) {
  if (s->n < 1) return err_set(e, "no answers to evaluate");
  if (s->classes < 1 || s->classes > 1000)
    return err_set(e, "%d classes; 1 to 1,000 can be evaluated", s->classes);
  for (int i = 0; i < s->n; i++) {
    if (s->truth[i] < 0 || s->truth[i] >= s->classes)
      return err_set(e, "answer %d has the class %d of %d", i, s->truth[i], s->classes);
    for (int c = 0; c < s->classes; c++)
      if (!(s->scores[(size_t)i * (size_t)s->classes + (size_t)c] >= 0 &&
            s->scores[(size_t)i * (size_t)s->classes + (size_t)c] <= 1))
        return err_set(e, "answer %d has a score that is not in [0, 1]", i);
  }
  *out = (struct evaluate_figures){0};
  out->confusion = ARENA_ARRAY(a, int64_t, (size_t)s->classes * (size_t)s->classes);
  out->per_class = ARENA_ARRAY(a, struct evaluate_class, s->classes);
  int *const answers = ARENA_ARRAY(a, int, s->n);
  double *const p = ARENA_ARRAY(a, double, s->classes);
  for (int i = 0; i < s->n; i++)
    out->confusion[s->truth[i] * s->classes + (answers[i] = answer(s, i))]++;
  for (int c = 0; c < s->classes; c++) class_figures(s, out->confusion, c, a, &out->per_class[c]);
  bootstrap(s, answers, seed, a, out);
  out->log_loss = log_loss(s, 1, p);
  out->temperature = best_temperature(s, p);
  out->calibration_error = calibration_error(s, 1, p);
  out->calibration_error_tempered = calibration_error(s, out->temperature, p);
  return true;
}
