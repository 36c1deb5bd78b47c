/* reconstruction: an autoencoder in a project: a network that learns to give normal windows again, and how far it is off
 * is an anomaly score.
 *
 * How it works: the network's head for the input makes it one, whatever its layers. Its features and its answer go to one
 * more node of the graph, the error of mote/ml, so that what takes the score of a classical learner (test, predict, build, bench,
 * verify) takes this as well; the answer stays the output behind it, by which each value's share is known. The threshold comes from
 * normal windows that the training did not see: the validation samples, and where these are too few, training windows left out
 * of five further trainings by turns. */
#ifndef APP_RECONSTRUCTION_H
#define APP_RECONSTRUCTION_H

#include "app/learning.h"

/* Whether this training is one; else true is returned and nothing is said. errors: it is, and the project or the job asks
 * for what it cannot be. */
bool reconstruction_asked(struct project *p, const struct training_job *job,
                          struct project_learner *how, struct err *e);

/* The network that a text names. errors: another head beside that of the input. */
bool reconstruction_network(struct arena *a, const char *text, const int dims[3],
                            struct train_network *net, const char **why, struct err *e);

/* A trained network and what trained it. */
struct reconstruction {
  struct command_line *c;
  struct project *p;
  const struct project_learner *how;
  const struct dataset *train, *validation;
  const struct features_block *features;
  const struct train_network *network;
  const struct train_examples *examples; /* the windows of train */
  const struct train_set *validation_set;
  const struct train_config *config;
};
/* Puts the score with its threshold into the network's graph, as its first output. */
bool reconstruction_finish(const struct reconstruction *r, struct graph *g,
                           struct learn_threshold *calibration, struct err *e);
/* Mean squared error over the validation windows (the training ones without any), in float and in the integers of the
 * graph that reconstruction_finish made. */
bool reconstruction_errors(const struct reconstruction *r, const struct train_result *result,
                           const struct graph *g, float *real, float *int8, struct err *e);

/* What decides it, for a run's settings. */
void reconstruction_settings(const struct project_learner *how, struct text *t);

#endif
