/* learn: classical learners: from vectors of features to models of mote/ml.
 *
 *   vectors -> a fit in double precision -> fixed point -> mote_ml_check -> scores by the runtime itself
 *
 * Everything that a model's numbers promise is measured with the model as the device runs it: cluster errors, thresholds,
 * temperatures. Seeded, and the same bits with any number of threads: sums are made in the order of the vectors.
 *
 * invariant: what learn_fit returns passed mote_ml_check. */
#ifndef HOST_LEARN_H
#define HOST_LEARN_H

#include "host/kit/kit.h"
#include "mote/ml/ml.h"

enum learn_kind {
  LEARN_KMEANS,
  LEARN_GMM,
  LEARN_MAHALANOBIS,
  LEARN_PCA,
  LEARN_TREE,
  LEARN_FOREST,
  LEARN_BOOST,
  LEARN_LOGISTIC,
  LEARN_SVM,
  LEARN_KNN,
  LEARN_KIND_COUNT
};
/* "kmeans" ...; learn_kind_from: false for an unknown word. */
const char *learn_kind_name(enum learn_kind kind);
bool learn_kind_from(const char *word, enum learn_kind *kind);
/* Every name, with commas, for messages. */
const char *learn_kind_list(void);
/* Whether it learns what is normal, without classes. */
bool learn_is_anomaly(enum learn_kind kind);

/* Vectors: x[i * features + j]; of int8 values where not wide. */
struct learn_set {
  uint32_t n, features;
  const int16_t *x;
  const int32_t *labels; /* [n]: 0 .. classes - 1; NULL: none */
  int classes;
  bool wide;
};

struct learn_config {
  enum learn_kind kind;
  uint64_t seed;
  const int
      *columns; /* which of the vector's; n_columns 0: all. Not of trees, which choose themselves */
  int n_columns;
  int clusters;    /* kmeans */
  int components;  /* gmm; 0: the best by the Bayesian information criterion, up to 8 */
  bool full;       /* gmm: whole covariances */
  double variance; /* pca: share of the variance that its axes hold */
  int trees;       /* forest, boost: rounds */
  int depth;       /* of trees; 0: until the leaves are pure */
  int min_leaf;    /* vectors in a leaf */
  int max_columns; /* tried at a split; 0: all, of a forest the root of their number; -1: all */
  bool bootstrap;  /* forest: draws for each tree as many vectors as there are, with repeats */
  double rate;     /* boost: share of each tree that is taken */
  double l2;       /* boost: added to the weight of a leaf */
  double c;        /* logistic, svm: cost of errors beside the weights */
  int k;           /* knn */
  int points;      /* knn: at most; more vectors become that many centres, class by class */
};
/* Settings of the field: those of scikit-learn where it has them. */
struct learn_config learn_defaults(enum learn_kind kind);
/* errors: e->node is the field's name. */
bool learn_check(const struct learn_config *c, struct err *e);

struct learn_model {
  const struct mote_ml *model; /* aligned to 8 */
  size_t bytes;
  const char *about; /* "32 clusters of 33 columns" */
};
/* needs: n >= 1; labels and 2 classes or more where the kind is a classifier.
 * errors: of learn_check; too few vectors; what does not fit a model's 16 bits. */
bool learn_fit(const struct learn_config *c, const struct learn_set *set, struct arena *a,
               struct progress *p, struct learn_model *out, struct err *e);

/* The error of an autoencoder that reads and answers n values: the mean of their squared differences. scale, zp: of its input's
 * and its answer's int8; the score has their unit, squared. errors: more values than 32767, scales out of reach. */
bool learn_reconstruction(uint32_t n, const float scale[2], const int32_t zp[2], struct arena *a,
                          struct learn_model *out, struct err *e);

/* Copies bytes that came from a file and proves them. */
bool learn_open(const void *bytes, size_t n, struct arena *a, struct learn_model *out,
                struct err *e);

/* ---- scores ------------------------------------------------------------------------ */
/* As the device computes them. out: [n * mote_ml_out_bytes]. */
void learn_run(const struct mote_ml *m, const struct learn_set *set, void *out);
/* Share of vectors whose class is right. */
double learn_accuracy(const struct mote_ml *m, const struct learn_set *set);
/* Real value of an anomaly score. */
double learn_score(const struct mote_ml *m, int32_t score);

/* ---- thresholds: threshold.c --------------------------------------------------------- */
/* A threshold for a rate of false alarms from scores of normal vectors that the fit did not see: the order statistic
 * with rank ceil((n + 1) (1 - rate)); in expectation at most `rate` of further ones lie above (conformal prediction).
 * With fewer than 1 / rate - 1 of them no such rank exists: then it is the largest, and reached is false. */
struct learn_threshold {
  int32_t threshold;
  uint32_t n, above; /* scores, and those above the threshold */
  double wanted;
  double rate, low,
      high; /* above / n, and the bounds of the true rate (Clopper and Pearson) at `confidence` */
  double confidence;
  bool reached;
};
void learn_threshold(const int32_t *scores, uint32_t n, double rate, double confidence,
                     struct learn_threshold *out);
/* Bounds of a probability of which k of n were seen. exact: Clopper and Pearson 1934. */
void learn_interval(uint32_t k, uint32_t n, double confidence, double *low, double *high);
/* The model with its threshold set, in a. */
bool learn_set_threshold(struct learn_model *m, int32_t threshold, struct arena *a, struct err *e);

/* Area under the ROC curve of scores of normal and anomalous vectors; halves for ties. */
double learn_auc(const int32_t *normal, uint32_t n_normal, const int32_t *anomalous,
                 uint32_t n_anomalous);

#endif
