/* evaluation: what `mote test` says beyond accuracy: intervals, each class, slices, calibration, robustness, the worst
 * windows; as text, as keys of the object, as a page. */
#ifndef APP_EVALUATION_H
#define APP_EVALUATION_H

#include "app/app.h"
#include "app/dataset.h"
#include "host/evaluate/evaluate.h"

/* Answers of a model over windows, gathered over one data set or several (one for each group left out). */
struct evaluation_window {
  int64_t sample; /* its id */
  int64_t start;  /* -1: placed */
  const char *group, *source;
};
/* Accuracy over the windows that a word picks: a group. */
struct evaluation_slice {
  const char *name;
  int windows;
  double accuracy;
};
/* Accuracy over the same windows, disturbed. */
struct evaluation_trial {
  const char *name;   /* "noise", "gain", "shift", "rotation", "rate" */
  const char *amount; /* "20 dB" */
  double accuracy;
};

struct evaluation {
  struct evaluate_set set;
  struct evaluation_window *windows; /* [set.n] */
  int room;
  const char *const *classes;
  struct evaluate_figures figures;
  struct evaluation_slice *slices;
  int n_slices;
  struct evaluation_trial *trials;
  int n_trials;
  int *worst; /* windows that are wrong, surest first */
  int n_worst;
};

/* Adds a data set's windows with their int8 scores ([n_windows][n_classes], scale 1/256, zero point -128).
 * Strings are copied into a. */
void evaluation_add(struct evaluation *v, struct arena *a, const struct dataset *d,
                    const char *const *classes, int n_classes, const int8_t *scores);
/* Works the figures out. The bootstrap draws recordings. */
bool evaluation_finish(struct evaluation *v, uint64_t seed, struct arena *a, struct err *e);
/* Runs the model over d with noise, gain, shift, rotation and another rate, as suit the sensor. */
bool evaluation_disturb(struct evaluation *v, struct arena *a, const struct graph *g,
                        const struct features_block *block, const struct dataset *d,
                        struct progress *progress, struct err *e);

/* An interval as an object: value low high; null where it is not known. */
void evaluation_json_interval(struct json *j, const char *key, const struct evaluate_interval *x);
void evaluation_print(const struct evaluation *v);
void evaluation_json(const struct evaluation *v, struct json *j);
/* The page. features: to draw the worst windows with; NULL: they are listed only. */
bool evaluation_page(const struct evaluation *v, struct project *p, const double *range,
                     const struct features_block *features, const char *path, struct err *e);

#endif
