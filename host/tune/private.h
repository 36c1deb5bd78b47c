/* private: what the files of tune share. */
#ifndef HOST_TUNE_PRIVATE_H
#define HOST_TUNE_PRIVATE_H

#include "host/tune/tune.h"

/* What the sampler learns from. score NAN: not known yet. allowed false: beyond its limits. */
struct tune_seen {
  const struct tune_point *point;
  double score;
  double costs[TUNE_MAX_COSTS];
  bool allowed;
};
/* Draws `n` candidates from around the good ones of those seen, the most promising first. */
void tune_draw(const struct tune_space *s, int n_costs, const struct tune_seen *seen, int n_seen,
               struct rng *r, struct arena *a, struct tune_point *candidates, int n);
/* How good each is among n: 0 the best. By fronts, within a front by falling score, then by place. order: [n] places. */
void tune_order(int n, int n_costs, const double *score, const double *costs, struct arena *a,
                int *order);

/* Who goes on, and who is good: chosen: [n] places, the first the best. */
void tune_choose(int n, int n_costs, const double *score, const double *costs, struct arena *a,
                 int *chosen);

#endif
