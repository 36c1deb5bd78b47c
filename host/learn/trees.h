/* trees: growing one tree, and many trees as a model. Internal to host/learn. */
#ifndef HOST_LEARN_TREES_H
#define HOST_LEARN_TREES_H

#include "host/learn/private.h"

/* Columns as ranks among their own values: a split lies between two neighbours. */
struct ranked {
  uint32_t n, features;
  uint16_t *rank;   /* [features][n] */
  int16_t **value;  /* [features]: of each rank */
  uint32_t *values; /* [features] */
};
bool ranked_make(const struct learn_set *set, struct arena *a, struct ranked *r, struct err *e);

/* Child: a node, or ~leaf. */
struct grown_node {
  int32_t feature, threshold, yes, no;
};
/* A tree in memory of its own (grown_free). Parents stand before their children. */
struct grown {
  struct grown_node *nodes;
  double *leaves; /* [n_leaves][values] */
  int n_nodes, n_leaves, room_nodes, room_leaves, values;
};
void grown_free(struct grown *g);

/* What a tree is grown for: classes (labels, classes), or derivatives (gradient, hessian). */
struct grow {
  const struct ranked *r;
  const struct learn_config *c;
  const int32_t *labels;
  int classes; /* 0: derivatives */
  const double *gradient, *hessian;
  const uint16_t *weight; /* how often each vector counts; NULL: once */
  int columns;            /* tried at a split; 0: all */
  struct rng rng;
};
/* false: no memory left. leaf: index of each vector's leaf, or NULL. */
bool grow_tree(struct grow *g, struct grown *out, int32_t *leaf);

/* The trees as a model; leaves [values]: shares of classes, or one sum. rows: sums that trees add to by turns; base: of
 * sums. */
bool trees_pack(struct learn_job *j, const struct grown *trees, int count, bool boost, int rows,
                const double *base, const char *about);

#endif
