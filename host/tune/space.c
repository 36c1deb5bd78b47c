/* space: values on their grids, points drawn evenly, and what no other point beats. */
#include "host/tune/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool tune_check_space(const struct tune_space *s, struct err *e) {
  if (s->n < 1 || s->n > TUNE_MAX_PARAMS)
    return err_set(e, "%d parameters; 1 to %d work", s->n, TUNE_MAX_PARAMS);
  for (int i = 0; i < s->n; i++) {
    const struct tune_param *p = &s->params[i];
    const bool parent = p->parent >= 0;
    err_node(e, "%s", p->name);
    if (p->kind == TUNE_CHOICE && (p->n_choices < 1 || p->n_choices > 32))
      return err_set(e, "%d choices; 1 to 32 work", p->n_choices);
    if (p->kind != TUNE_CHOICE && !(p->low <= p->high && isfinite(p->low) && isfinite(p->high)))
      return err_set(e, "no values from %g to %g", p->low, p->high);
    if (p->kind != TUNE_CHOICE && p->log && !(p->low > 0))
      return err_set(e, "%g has no logarithm", p->low);
    if (parent && (p->parent >= i || s->params[p->parent].kind != TUNE_CHOICE))
      return err_set(e, "its parent must be an earlier choice");
    e->node[0] = 0;
  }
  return true;
}

static double nearest_step(const struct tune_param *p, double x) {
  const double step = p->step > 0 ? p->step : 1;
  const double most = floor((p->high - p->low) / step + 1e-9);
  double k = nearbyint((x - p->low) / step);
  k = k < 0 ? 0 : k > most ? most : k;
  return p->low + k * step;
}

/* Three significant digits: as many as a person would write into a file. */
static double short_number(double x) {
  char text[32];
  snprintf(text, sizeof text, "%.3g", x);
  return strtod(text, NULL);
}

static double snap_one(const struct tune_param *p, double x) {
  if (isnan(x))
    x = p->kind == TUNE_CHOICE ? 0 : p->log ? sqrt(p->low * p->high) : (p->low + p->high) / 2;
  if (p->kind == TUNE_CHOICE) {
    const double most = p->n_choices - 1;
    return x < 0 ? 0 : x > most ? most : floor(x);
  }
  if (p->kind == TUNE_INT) return nearest_step(p, x);
  x = short_number(x);
  return x < p->low ? p->low : x > p->high ? p->high : x;
}

static bool counts(const struct tune_space *s, const struct tune_point *p, int i) {
  const int parent = s->params[i].parent;
  if (parent < 0) return true;
  return !isnan(p->x[parent]) && (s->params[i].when >> (int)p->x[parent] & 1);
}

void tune_snap(const struct tune_space *s, struct tune_point *p) {
  for (int i = 0; i < TUNE_MAX_PARAMS; i++)
    p->x[i] = i < s->n && counts(s, p, i) ? snap_one(&s->params[i], p->x[i]) : (double)NAN;
}

bool tune_same(const struct tune_space *s, const struct tune_point *a, const struct tune_point *b) {
  for (int i = 0; i < s->n; i++)
    if (!(a->x[i] == b->x[i] || (isnan(a->x[i]) && isnan(b->x[i])))) return false;
  return true;
}

void tune_random(const struct tune_space *s, struct rng *r, struct tune_point *p) {
  for (int i = 0; i < s->n; i++) {
    const struct tune_param *q = &s->params[i];
    const double u = (double)rng_unit(r),
                 half = q->kind == TUNE_INT ? (q->step > 0 ? q->step : 1) / 2 : 0;
    if (q->kind == TUNE_CHOICE)
      p->x[i] = floor(u * q->n_choices);
    else if (q->log)
      p->x[i] = exp(log(q->low) + u * (log(q->high) - log(q->low)));
    else
      p->x[i] = q->low - half + u * (q->high - q->low + 2 * half);
  }
  tune_snap(s, p);
}

/* ---- what no other beats ------------------------------------------------------------------ */
static bool beats(int n_costs, const double *score, const double *costs, int a, int b) {
  bool better = score[a] > score[b];
  if (score[a] < score[b]) return false;
  for (int k = 0; k < n_costs; k++) {
    const double x = costs[a * n_costs + k], y = costs[b * n_costs + k];
    if (x > y) return false;
    better |= x < y;
  }
  return better || a < b; /* equal in all: the first */
}

/* Fronts one behind another: those that nobody beats, then those that only the former beat ... */
void tune_order(int n, int n_costs, const double *score, const double *costs, struct arena *a,
                int *order) {
  bool *placed = ARENA_ARRAY(a, bool, n + 1);
  int made = 0;
  while (made < n) {
    const int first = made;
    for (int i = 0; i < n; i++) {
      bool beaten = placed[i];
      for (int k = 0; k < n && !beaten; k++)
        beaten = k != i && !placed[k] && beats(n_costs, score, costs, k, i);
      if (beaten) continue;
      int at = made++;
      for (; at > first && score[order[at - 1]] < score[i]; at--) order[at] = order[at - 1];
      order[at] = i;
    }
    for (int i = first; i < made; i++) placed[order[i]] = true;
  }
}

/* By turns the highest score and the next of the fronts: who asks for accuracy gets it first, and small ones stay in sight. */
void tune_choose(int n, int n_costs, const double *score, const double *costs, struct arena *a,
                 int *chosen) {
  int *fronts = ARENA_ARRAY(a, int, n + 1), *best = ARENA_ARRAY(a, int, n + 1), at[2] = {0, 0};
  bool *taken = ARENA_ARRAY(a, bool, n + 1);
  tune_order(n, n_costs, score, costs, a, fronts);
  tune_order(n, 0, score, costs, a, best);
  for (int i = 0; i < n; i++) {
    const int *list = i % 2 ? fronts : best;
    while (taken[list[at[i % 2]]]) at[i % 2]++;
    chosen[i] = list[at[i % 2]];
    taken[chosen[i]] = true;
  }
}

int tune_front(int n, int n_costs, const double *score, const double *costs, int *front) {
  int made = 0;
  for (int i = 0; i < n; i++) {
    bool beaten = isnan(score[i]) || isinf(score[i]);
    for (int k = 0; k < n && !beaten; k++)
      beaten = k != i && isfinite(score[k]) && beats(n_costs, score, costs, k, i);
    if (beaten) continue;
    int at = made++;
    for (; at > 0 && score[front[at - 1]] < score[i]; at--) front[at] = front[at - 1];
    front[at] = i;
  }
  return made;
}
