/* learning: classical learners in a project: behind its features in place of a network, or an anomaly score beside one.
 *
 * How it works: features of all training windows go to host/learn, and the model that comes back is one node of the graph,
 * so that everything that takes a trained model (test, predict, build, bench, verify) takes it as well. The threshold of
 * an anomaly score comes from normal windows that the fit did not see: the validation samples, and where they are too few
 * for the wanted rate, training windows left out of five fits by turns.
 *
 * invariant: equal settings give equal bits, whatever the number of threads. */
#ifndef APP_LEARNING_H
#define APP_LEARNING_H

#include "app/training.h"

/* Trains the project's model by a learner; the run is stored as training_run does. */
bool learning_run(struct command_line *c, struct project *p, const struct training_job *job,
                  const struct project_learner *how, struct training_outcome *out, struct err *e);

/* Adds the anomaly score that the project asks for to the graph of a network, as its second output. classes: as the labels of both sets
 * are numbered. */
bool learning_beside(struct command_line *c, struct project *p, const struct dataset *train,
                     const struct dataset *validation, const struct features_block *block,
                     const char *const *classes, int n, struct graph *g,
                     struct learn_threshold *calibration, struct err *e);
/* What decides it, for a run's settings; nothing where there is none. */
void learning_settings(const struct project_learner *how, struct text *t);
/* Lines for a run's card, and back. */
void learning_card(const struct learn_threshold *t, struct text *out);
void learning_read_card(const char *line, struct learn_threshold *t);

/* Sets the model's threshold from n scores of normal windows that the fit did not see, or the one that the project names.
 * errors: neither is there. */
bool learning_threshold(const struct project_learner *how, const int32_t *scores, uint32_t n,
                        struct arena *a, struct learn_model *m, struct learn_threshold *t,
                        struct err *e);

/* A node of the model that reads tensor x, and of an autoencoder's error its answer y (else -1); returns its output. */
int learning_add_node(struct graph *g, const struct learn_model *m, int x, int y);
/* The learners in a graph. */
void learning_find(const struct graph *g, struct project_model *m);

/* The labels that an anomaly learner takes for normal: its own list, else every class of the training samples. */
bool learning_normal(struct project *p, const struct project_learner *how,
                     const struct dataset_pick *train, const char *const **labels, int *n,
                     struct err *e);

/* What makes a window anomalous, the heaviest first: share of the squared distance. Returns how many, at most `most`. features: of
 * the window; answer: of an autoencoder to it, else NULL. An autoencoder is told by the columns of its map, each over all rows:
 * one value of hundreds has a small share of a mean, a band over time has not. */
struct learning_why {
  unsigned column;   /* of the features, or of a row with its channels */
  unsigned channels; /* of a row; 0: it is one of the features */
  double share;
};
int learning_why(const struct mote_ml *m, const struct features_block *block,
                 const int8_t *features, const int8_t *answer, struct arena *a,
                 struct learning_why *why, int most);
/* "feature 18 (34 %), column 6 of channel 2 (12 %)"; and the members of an object. */
void learning_why_print(const struct learning_why *w, int n);
void learning_why_json(const struct learning_why *w, struct json *j);

#endif
