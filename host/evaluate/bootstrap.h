/* Inside the room: clusters drawn with repetition, and the interval of what comes of them. */
#ifndef HOST_EVALUATE_BOOTSTRAP_H
#define HOST_EVALUATE_BOOTSTRAP_H

#include "host/evaluate/evaluate.h"

enum { BOOTSTRAP_DRAWS = 1000 };

/* Answers sorted by cluster: those of cluster k are order[from[k]] .. order[from[k + 1] - 1]. */
struct clusters {
  int count;
  int *from, *order;
};
/* of: [n], from 0; NULL: every answer alone. */
struct clusters clusters_of(const int32_t *of, int n, struct arena *a);

/* draws: [BOOTSTRAP_DRAWS], sorted on return. Draws in which the figure is not known say nothing about it. */
struct evaluate_interval bootstrap_interval(double value, double *draws);

#endif
