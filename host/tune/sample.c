/* sample: new points from those seen, by a Parzen estimator over all parameters together.
 *
 * The better part of what was seen makes one density, the rest another: each a sum of kernels about the points, and one that is
 * even over the space. Candidates are drawn from the first; the one with the largest ratio of the two comes first.
 * Points that are not allowed belong to the rest. source: Bergstra et al. 2011; one kernel over all parameters as in Falkner
 * et al. 2018; fronts in place of a threshold on one figure as in Ozaki et al. 2020. */
#include "host/tune/private.h"

#include <math.h>
#include <string.h>

#define DRAWS      64 /* candidates for one that is wanted; more gain nothing (docs/design/tuning.md) */
#define GOOD       0.12 /* share that is good */
#define LEAST_GOOD 3
#define NARROWEST  0.06 /* deviation of a kernel, of the range: a grid of about 16 values */

struct model {
  const struct tune_space *space;
  const struct tune_point **points;
  int n;
  double width; /* deviation of the kernels */
};

/* Where a value lies in its range, 0 to 1. */
static double place_of(const struct tune_param *p, double x) {
  if (p->log) return p->high > p->low ? log(x / p->low) / log(p->high / p->low) : 0.5;
  return p->high > p->low ? (x - p->low) / (p->high - p->low) : 0.5;
}
static double value_at(const struct tune_param *p, double u) {
  u = u < 0 ? 0 : u > 1 ? 1 : u;
  return p->log ? p->low * exp(u * log(p->high / p->low)) : p->low + u * (p->high - p->low);
}

/* Share of a bell about u that lies within 0 to 1. */
static double inside(double u, double width) {
  return 0.5 * (erf((1 - u) / (width * M_SQRT2)) - erf(-u / (width * M_SQRT2)));
}

/* A choice is kept with this weight, and else drawn evenly. */
static double keep_choice(int n) { return 1.0 - 1.0 / (1.0 + 0.35 * n); }

/* Density of one parameter about a centre, over that of the even draw. A centre without it says nothing. */
static double kernel(const struct model *m, int i, double centre, double x) {
  const struct tune_param *p = &m->space->params[i];
  if (isnan(x) || isnan(centre)) return 1;
  if (p->kind == TUNE_CHOICE) {
    const double keep = keep_choice(m->n);
    return (1 - keep) + (x == centre ? keep * p->n_choices : 0);
  }
  if (!(p->high > p->low)) return 1;
  const double c = place_of(p, centre), u = place_of(p, x), z = (u - c) / m->width;
  return exp(-0.5 * z * z) / (m->width * 2.50662827463100050 * inside(c, m->width));
}

static double density(const struct model *m, const struct tune_point *p) {
  double sum = 1; /* the even one */
  for (int k = 0; k < m->n; k++) {
    double product = 1;
    for (int i = 0; i < m->space->n; i++) product *= kernel(m, i, m->points[k]->x[i], p->x[i]);
    sum += product;
  }
  return sum / (m->n + 1);
}

static void draw_near(const struct model *m, struct rng *r, struct tune_point *out) {
  tune_random(m->space, r, out); /* what the centre lacks, and the even kernel */
  struct tune_point even = *out;
  const int k = (int)rng_below(r, (uint32_t)m->n + 1);
  if (k == m->n) return;
  for (int i = 0; i < m->space->n; i++) {
    const struct tune_param *p = &m->space->params[i];
    const double centre = m->points[k]->x[i];
    const double u = (double)rng_unit(r);
    if (isnan(centre)) {
      out->x[i] = even.x[i];
    } else if (p->kind == TUNE_CHOICE) {
      const double other = floor((double)rng_unit(r) * p->n_choices);
      out->x[i] = u < keep_choice(m->n) ? centre : other;
    } else {
      double v = 2;
      const double c = place_of(p, centre);
      for (int tries = 0; tries < 40 && !(v >= 0 && v <= 1); tries++)
        v = c + m->width * (double)rng_normal(r);
      out->x[i] = value_at(p, v);
    }
  }
  tune_snap(m->space, out);
}

static double width_for(int n, int params) {
  const double w = 0.2 * pow(n > 0 ? n : 1, -1.0 / (4.0 + 0.5 * params));
  return w > NARROWEST ? w : NARROWEST;
}

/* Splits what was seen into good and rest. Points without a score yet belong to the rest: so those of a round spread. */
static void split(const struct tune_space *s, int n_costs, const struct tune_seen *seen, int n,
                  struct arena *a, struct model *good, struct model *rest) {
  int *known = ARENA_ARRAY(a, int, n + 1), *order = ARENA_ARRAY(a, int, n + 1), n_known = 0;
  double *score = ARENA_ARRAY(a, double, n + 1), *costs = ARENA_ARRAY(a, double, n *n_costs + 1);
  good->space = rest->space = s;
  good->points = ARENA_ARRAY(a, const struct tune_point *, n + 1);
  rest->points = ARENA_ARRAY(a, const struct tune_point *, n + 1);
  good->n = rest->n = 0;
  for (int i = 0; i < n; i++) {
    if (!seen[i].allowed || !isfinite(seen[i].score)) {
      rest->points[rest->n++] = seen[i].point;
      continue;
    }
    score[n_known] = seen[i].score;
    memcpy(costs + n_known * n_costs, seen[i].costs, (size_t)n_costs * sizeof *costs);
    known[n_known++] = i;
  }
  tune_choose(n_known, n_costs, score, costs, a, order);
  int wanted = (int)ceil(GOOD * n_known);
  if (wanted < LEAST_GOOD) wanted = LEAST_GOOD;
  if (wanted > n_known) wanted = n_known;
  for (int i = 0; i < n_known; i++) {
    struct model *to = i < wanted ? good : rest;
    to->points[to->n++] = seen[known[order[i]]].point;
  }
  good->width = width_for(good->n, s->n);
  rest->width = width_for(rest->n, s->n);
}

void tune_draw(const struct tune_space *s, int n_costs, const struct tune_seen *seen, int n_seen,
               struct rng *r, struct arena *a, struct tune_point *candidates, int n) {
  struct model good, rest;
  double *worth = ARENA_ARRAY(a, double, n + 1);
  split(s, n_costs, seen, n_seen, a, &good, &rest);
  int made = 0;
  for (int i = 0; i < DRAWS; i++) {
    struct tune_point p;
    draw_near(&good, r, &p);
    const double w = log(density(&good, &p)) - log(density(&rest, &p));
    int at = made < n ? made++ : n;
    if (at == n && w <= worth[n - 1]) continue;
    if (at == n) at = n - 1;
    for (; at > 0 && worth[at - 1] < w; at--) {
      worth[at] = worth[at - 1];
      candidates[at] = candidates[at - 1];
    }
    worth[at] = w;
    candidates[at] = p;
  }
}
