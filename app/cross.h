/* cross: which samples train a model and which test it, so that no sample, file or group is on both sides.
 *
 * How it works: a plan is a list of parts, each with what trains, what validates and what is tested. Three plans: each
 * group left out in turn; k folds, by groups or, where a sample has none, by files, so that each fold has
 * about the same share of every class; the project's own split, once. The samples of the split `validation` that a part
 * does not test validate, the others train.
 *
 * invariant: deterministic. Folds follow from the samples' labels, groups, files and numbers alone. */
#ifndef APP_CROSS_H
#define APP_CROSS_H

#include "app/dataset.h"

#define CROSS_MAX_FOLDS 100

struct cross_part {
  const char *name;    /* "george", "fold 2" */
  const char *purpose; /* of the stored runs */
  struct dataset_pick train, validation, test;
};
struct cross_plan {
  struct cross_part *parts;
  int n;
};

/* errors: fewer than two groups. */
bool cross_by_group(struct project *p, struct cross_plan *plan, struct err *e);
/* errors: fewer groups and files than folds, a class that lies in one fold alone. */
bool cross_by_fold(struct project *p, int folds, struct cross_plan *plan, struct err *e);
/* Tests `split`, of one group where it is not NULL. */
void cross_by_split(struct project *p, enum store_split split, const char *group,
                    struct cross_plan *plan);

/* Deals the samples of the split `train` into parts about as large as the split `validation`, groups and files kept whole, so that each
 * can take its place. folds: 0 of the samples that validate, 1 .. of those that train. n: parts to validate on by turns, the project's own
 * first; at most `most`, and 1 where there is too little to take turns, or a class would not be known without a part. */
bool cross_rotate(struct project *p, int most, struct dataset_folds *folds, int *n, struct err *e);

/* What repeating with other seeds does to a figure. deviation: of the sample; NAN of fewer than two. */
struct cross_spread {
  double mean, deviation, least, most;
};
struct cross_spread cross_spread_of(const double *values, int n);

#endif
