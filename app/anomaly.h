/* anomaly: what an anomaly score is worth, on test samples, and what it says of a recording. */
#ifndef APP_ANOMALY_H
#define APP_ANOMALY_H

#include "app/decide.h"
#include "app/learning.h"

/* The score's model in a graph; NULL: there is none. */
const struct mote_ml *anomaly_of(struct arena *a, const struct graph *g);

/* What an autoencoder answered to each window: [windows][features]; NULL: the score is of another kind. */
const int8_t *anomaly_answers(struct arena *a, const struct graph *g, const struct mote_ml *m,
                              const uint8_t *outputs, int windows);

/* How the threshold was found; nothing where m is NULL or nothing is known. */
void anomaly_calibration_print(const struct mote_ml *m, const struct learn_threshold *t);
void anomaly_calibration_json(const struct mote_ml *m, const struct learn_threshold *t,
                              struct json *j);

/* Windows of one label. */
struct anomaly_label {
  const char *name;
  bool normal;
  int windows, flagged, recordings, recordings_flagged; /* a recording: the mean of its scores */
  double mean;                                          /* score */
};
struct anomaly_figures {
  const struct mote_ml *m;
  struct learn_threshold calibration;
  int n_labels;
  struct anomaly_label *labels;
  int normal, normal_flagged, anomalous, anomalous_flagged;
  double auc, auc_recordings;
  double false_alarms_low, false_alarms_high; /* 95 % */
  struct learning_why why[8];                 /* mean over the flagged windows */
  int n_why;
};
/* Runs the windows of every sample that pick takes, also those of other labels, which are the anomalies; normal: the
 * labels that are not. chip: NULL, or a target whose every score must equal this machine's. */
bool anomaly_measure(struct project *p, const struct graph *g, const struct features_block *block,
                     const struct mote_ml *m, int score_output, const double *range,
                     const char *const *normal, int n_normal, const struct dataset_pick *pick,
                     const char *chip, struct anomaly_figures *f, struct err *e);
void anomaly_print(const struct anomaly_figures *f);
void anomaly_json(const struct anomaly_figures *f, struct json *j);

#endif
