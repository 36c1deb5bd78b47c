/* training: from a project's samples to a stored run. `mote train` makes the project's model with it, and
 * `mote test --leave-one-group-out` one model for each group.
 *
 * How it works: samples become windows (dataset.h), the features are fitted to the training windows, and the
 * trainer draws augmented windows through a callback. After each epoch history and checkpoint are committed
 * together; a run whose settings are equal and that was not finished is continued. Settings are a text of all
 * that decides the outcome: samples, windows, features, network, hyperparameters, seed.
 *
 * invariant: equal settings give equal bits, whatever the number of threads and however often it was killed. */
#ifndef APP_TRAINING_H
#define APP_TRAINING_H

#include "app/dataset.h"

struct training_job {
  struct dataset_pick train, validation;
  const char *purpose;      /* of the stored run: "" the project's model */
  const char *network;      /* NULL: the project's */
  const char *network_from; /* where it stands, for messages; NULL: --network */
  const char *learner;      /* NULL: the project's; "network": none */
  const char
      *teacher;      /* a network that is trained before, whose opinion is learnt too; NULL: none */
  const char *prune; /* a budget to which channels are pruned; NULL: none (app/stages.h) */
  int64_t flash_bytes; /* most bytes of weights, some of 4 bits then; 0: the project's */
  bool float_only;     /* no quantisation-aware epochs */
  int epochs;          /* 0: the project's */
  int64_t seed;        /* -1: the project's */
  int threads;         /* 0: all */
  bool fresh;          /* do not continue an unfinished run */
  bool only_known;     /* no training: where no finished run has these settings, model stays NULL */
  bool say;            /* tell the choices on standard error */
};

struct training_outcome {
  int64_t run;
  bool resumed, known; /* continued an unfinished run; known: was there already */
  struct graph *graph;
  const uint8_t *graph_bytes;
  size_t graph_size;
  struct features_block features;
  const char *const *classes;
  int n_classes;
  const double *range;
  struct train_network network;
  struct train_cost cost;       /* once trained, weight_bytes is what the layers' bits make it */
  int four_bit_layers, removed; /* layers; groups of channels that were pruned */
  const char *why;
  int n_train, n_validation; /* windows */
  float validation_float,
      validation_int8; /* accuracy; of projects that count F1; of autoencoders the mean squared error */
  unsigned threshold; /* of projects that count: of a cell's score, of 256 */
  int epochs;
  struct train_model *model; /* NULL where known, and of learners */
  const double *middles;     /* of the numbers: half of the training windows lie within so much */
  const struct project_scale
      *scales;         /* of projects that estimate numbers; validation figures are R2 */
  const char *learner; /* NULL: a network */
  bool scores_only;    /* an anomaly score instead of classes */
  struct learn_threshold calibration; /* of an anomaly score; n 0: there is none */
};

/* The job that made a stored run of the project's model, from what the run keeps. */
void training_job_of(struct arena *a, const struct store_run *run, struct training_job *job);

bool training_run(struct command_line *c, struct project *p, const struct training_job *job,
                  struct training_outcome *out, struct err *e);

/* A training of the network that a configuration names, of samples at hand; nothing is stored. The same as `mote train` would
 * make of that configuration where share is 1. Safe from several threads, each with an arena of its own. */
struct training_trial {
  const struct project_config *config;
  const struct dataset *train, *validation; /* in this configuration's windows */
  const struct features_block *features;    /* fitted to the training windows */
  const int8_t *validation_features;
  const char *const *classes;
  int n_classes;
  double share; /* of the epochs; at most 1 */
  int threads;
  const volatile bool *cancel;
};
struct training_tried {
  struct train_network network;
  struct train_result result;
  const char *settings; /* of all that decides the outcome */
};
bool training_try(const struct training_trial *trial, struct arena *a, struct training_tried *out,
                  struct err *e);
/* The network that a configuration names or is given by itself, for features of this shape; why: of the choice, may be NULL. */
bool training_network(const struct project_config *c, struct arena *a, const int dims[3],
                      int n_classes, uint32_t examples, struct train_network *net, const char **why,
                      struct err *e);

/* The features that the project asks for, their map to int8 fitted to windows of d. */
bool training_features(struct project *p, const struct dataset *d, struct features_block *block,
                       struct err *e);

/* Class of each window of d by the float network, and scores: [n_windows * n_classes] in a. */
bool training_float_scores(const struct training_outcome *t, const struct dataset *d,
                           struct arena *a, float **scores, struct err *e);

#endif
