/* What the files of learn share. Internal to host/learn. */
#ifndef HOST_LEARN_PRIVATE_H
#define HOST_LEARN_PRIVATE_H

#include "host/learn/learn.h"

/* One fit: what every kind is given. */
struct learn_job {
  const struct learn_config *c;
  const struct learn_set *set;
  struct arena *a;
  struct progress *progress;
  struct learn_model *out;
  struct err *e;
};

/* ---- bytes of a model ------------------------------------------------------------- */
struct blob {
  struct arena *a;
  uint8_t *bytes;
  size_t size, room;
};
/* n bytes behind what is there, aligned to 4; data NULL: zeros. Returns their place. */
int32_t blob_add(struct blob *b, const void *data, size_t n);
/* The model: its head filled in, proven. about: in a. */
bool blob_finish(struct learn_job *j, struct blob *b, enum mote_ml_kind kind, unsigned fraction,
                 const char *about);

/* ---- columns in standard deviations --------------------------------------------------- */
struct scaled {
  int n;                    /* columns */
  int *column;              /* [n] */
  double *mean, *deviation; /* of the columns, in counts */
  int limit, fraction;
  uint32_t rows;
  double *z; /* [rows * n] as the device sees them, in standard deviations */
  int16_t *offset, *multiplier;
  uint8_t *shift;
};
/* least: of the fraction. errors: a column that is not there. */
bool scaled_make(struct learn_job *j, int least, struct scaled *s);
/* The map in a model's bytes. */
struct mote_ml_map scaled_map(const struct scaled *s, const struct learn_set *set, struct blob *b);
/* z of the runtime, steps of 2^-fraction. */
int16_t scaled_value(const struct scaled *s, int j, int x);

/* Centres as int8 * 2^up, steps of z. */
struct points {
  int8_t *at; /* [count * n] */
  int up;
};
void points_make(const struct scaled *s, const double *centre, int count, struct arena *a,
                 struct points *out);

/* k centres of rows of n numbers: k-means++ and Lloyd's steps, the best of `tries`. Empty ones are dropped: returns how
 * many are left. owner: [rows], may be NULL. */
int cluster_rows(const double *rows, uint32_t count, int n, int k, int tries, struct rng *r,
                 struct arena *a, double *centre, int *owner);

/* ---- kinds -------------------------------------------------------------------------------- */
bool fit_kmeans(struct learn_job *j);
bool fit_knn(struct learn_job *j);
bool fit_gmm(struct learn_job *j);
bool fit_mahalanobis(struct learn_job *j);
bool fit_pca(struct learn_job *j);
bool fit_forest(struct learn_job *j); /* and one tree */
bool fit_boost(struct learn_job *j);
bool fit_logistic(struct learn_job *j);
bool fit_svm(struct learn_job *j);

#endif
