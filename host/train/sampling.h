/* train/sampling: which examples an epoch draws, and in which order. Only for this room. */
#ifndef MOTE_TRAIN_SAMPLING_H
#define MOTE_TRAIN_SAMPLING_H

#include "host/kit/kit.h"

struct sampling {
  uint32_t n;         /* examples, and draws of an epoch */
  uint32_t *order;    /* [n]: the example of each draw */
  bool balance;       /* all classes equally often */
  float hard;         /* that share of a class's draws goes by hardness */
  float *hardness;    /* [n]: none is negative; NULL where hard is 0 */
  uint32_t *by_class; /* [n]: the examples of one class behind those of another ... */
  uint32_t *first;    /* [classes + 1]: ... from here */
  uint32_t *turns;    /* [n]: room */
  double *sums;       /* [n]: room */
  int classes;
};

/* labels: [n]; NULL or 0 classes: all examples are of one class. */
struct sampling sampling_new(struct arena *a, uint32_t n, const int32_t *labels, int classes,
                             bool balance, float hard);
/* Fills order from seed. Without balance and hardness each example comes once. with_hardness: hardness is known. */
void sampling_draw(struct sampling *s, uint64_t seed, bool with_hardness);
/* Whether an example may come several times. */
bool sampling_repeats(const struct sampling *s);

#endif
