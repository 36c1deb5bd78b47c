/* Numbers: what was estimated, against what it was. */
#include "host/evaluate/bootstrap.h"

#include <math.h>

enum { FIGURES = 4 };

/* Sums over estimates. Truth is measured from one of its values, so that large numbers that differ little keep their digits. */
struct sums {
  double n, error, absolute, square, truth, truth_square;
};

static void add(struct sums *to, double truth, double said, double zero) {
  const double off = said - truth, t = truth - zero;
  to->n++;
  to->error += off;
  to->absolute += fabs(off);
  to->square += off * off;
  to->truth += t;
  to->truth_square += t * t;
}

static void add_sums(struct sums *to, const struct sums *s) {
  to->n += s->n;
  to->error += s->error;
  to->absolute += s->absolute;
  to->square += s->square;
  to->truth += s->truth;
  to->truth_square += s->truth_square;
}

static void figures_of(const struct sums *s, double out[FIGURES]) {
  const double spread = s->truth_square - s->truth * s->truth / s->n;
  out[0] = s->absolute / s->n;
  out[1] = sqrt(s->square / s->n);
  out[2] = s->error / s->n;
  out[3] = spread > 1e-12 * s->truth_square ? 1 - s->square / spread : (double)NAN;
}

bool evaluate_numbers(const struct evaluate_pairs *s, uint64_t seed, struct arena *a,
                      struct evaluate_numbers *out, struct err *e) {
  struct evaluate_interval *const to[FIGURES] = {&out->mean_error, &out->rms_error, &out->bias,
                                                 &out->r2};
  double values[FIGURES], *const draws = ARENA_ARRAY(a, double, FIGURES *BOOTSTRAP_DRAWS);
  struct sums all = {0};
  struct rng r;
  if (s->n < 1) return err_set(e, "no estimates; at least one is needed");
  for (int i = 0; i < s->n; i++)
    if (!isfinite(s->truth[i]) || !isfinite(s->said[i]))
      return err_set(e, "estimate %d is %g where %g is right; finite numbers work", i, s->said[i],
                     s->truth[i]);
  const struct clusters k = clusters_of(s->clusters, s->n, a);
  struct sums *const of = ARENA_ARRAY(a, struct sums, k.count);
  for (int c = 0; c < k.count; c++) {
    for (int i = k.from[c]; i < k.from[c + 1]; i++)
      add(&of[c], s->truth[k.order[i]], s->said[k.order[i]], s->truth[0]);
    add_sums(&all, &of[c]);
  }
  rng_seed(&r, seed);
  for (int draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
    struct sums drawn = {0};
    for (int c = 0; c < k.count; c++) add_sums(&drawn, &of[rng_below(&r, (uint32_t)k.count)]);
    figures_of(&drawn, values);
    for (int f = 0; f < FIGURES; f++) draws[f * BOOTSTRAP_DRAWS + draw] = values[f];
  }
  figures_of(&all, values);
  for (int f = 0; f < FIGURES; f++)
    *to[f] = bootstrap_interval(values[f], draws + f * BOOTSTRAP_DRAWS);
  return true;
}
