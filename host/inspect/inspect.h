/* inspect: looks at recordings as numbers, without knowing where they come from: faults of one, likeness of many, labels
 * that their neighbours contradict, events within one, and the division of many into training and tests.
 *
 * How it works: a recording is summed up once, as a measure (faults.c) and as a vector of generic features
 * (describe.c); what compares recordings works on these vectors alone, so that a hundred thousand recordings fit.
 *
 * invariant: deterministic. The same numbers, labels and seed give the same answers on every run. */
#ifndef HOST_INSPECT_H
#define HOST_INSPECT_H

#include "host/kit/kit.h"

/* ---- division ------------------------------------------------------------------ */
#define INSPECT_SPLITS 3
/* Items (samples) with a group and a class each; a group goes into one split as a whole. */
struct inspect_division {
  int n_items, n_groups, n_classes;
  const int32_t *group_of, *class_of; /* [n_items] */
  double share[INSPECT_SPLITS];       /* wanted; they sum to 1, and 0 means none */
  uint64_t seed;
};
/* split: [n_groups], 0 to 2. Every class comes as near to the shares as whole groups allow (least squares, by
 * largest group first, then moves and exchanges while they improve); every wanted split gets a group.
 * errors: fewer groups than wanted splits. */
bool inspect_divide(struct arena *a, const struct inspect_division *d, uint8_t *split,
                    struct err *e);

#endif
