/* Counting: what was found in pictures, against what is there. */
#include "host/evaluate/bootstrap.h"

#include <math.h>

enum { FIGURES = 5 };

/* Sums over pictures, of one class or of all. */
struct sums {
  int64_t pictures, truth, found, right, error, exact;
};

static void add(struct sums *to, const struct evaluate_count *counts, int first, int last) {
  bool exact = true;
  to->pictures++;
  for (int c = first; c < last; c++) {
    const int64_t off = (int64_t)counts[c].found - counts[c].truth;
    to->truth += counts[c].truth;
    to->found += counts[c].found;
    to->right += counts[c].right;
    to->error += off < 0 ? -off : off;
    exact = exact && off == 0;
  }
  to->exact += exact;
}

static double share(int64_t part, int64_t all) {
  return all ? (double)part / (double)all : (double)NAN;
}

static void figures_of(const struct sums *s, double out[FIGURES]) {
  out[0] = share(s->right, s->found);
  out[1] = share(s->right, s->truth);
  out[2] = share(2 * s->right, s->truth + s->found);
  out[3] = share(s->error, s->pictures);
  out[4] = share(s->exact, s->pictures);
}

static void measure(const struct evaluate_counts *s, int first, int last, uint64_t seed,
                    struct arena *a, struct evaluate_counting *out) {
  double *const draws = ARENA_ARRAY(a, double, FIGURES *BOOTSTRAP_DRAWS), values[FIGURES];
  struct evaluate_interval *const to[FIGURES] = {&out->precision, &out->recall, &out->f1,
                                                 &out->error, &out->exact};
  struct sums all = {0};
  struct rng r;
  rng_seed(&r, seed);
  for (int i = 0; i < s->n; i++) add(&all, s->counts + (size_t)i * (size_t)s->classes, first, last);
  for (int draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
    struct sums sums = {0};
    for (int i = 0; i < s->n; i++)
      add(&sums, s->counts + (size_t)rng_below(&r, (uint32_t)s->n) * (size_t)s->classes, first,
          last);
    figures_of(&sums, values);
    for (int k = 0; k < FIGURES; k++) draws[k * BOOTSTRAP_DRAWS + draw] = values[k];
  }
  figures_of(&all, values);
  out->truth = all.truth, out->found = all.found, out->right = all.right;
  for (int k = 0; k < FIGURES; k++)
    *to[k] = bootstrap_interval(values[k], draws + k * BOOTSTRAP_DRAWS);
}

bool evaluate_counting(const struct evaluate_counts *s, uint64_t seed, struct arena *a,
                       struct evaluate_counting *out, struct err *e) {
  if (s->n < 1 || s->classes < 1)
    return err_set(e, "%d pictures with %d classes; at least one of each is needed", s->n,
                   s->classes);
  for (size_t i = 0; i < (size_t)s->n * (size_t)s->classes; i++) {
    const struct evaluate_count *c = &s->counts[i];
    if (c->truth < 0 || c->found < 0 || c->right < 0 || c->right > c->truth || c->right > c->found)
      return err_set(e, "%d of %d are right, and %d are there", c->right, c->found, c->truth);
  }
  for (int c = 0; c < s->classes; c++) measure(s, c, c + 1, seed, a, &out[c]);
  measure(s, 0, s->classes, seed, a, &out[s->classes]);
  return true;
}
