/* calibration: see dataset.h, of which it is a part; nobody else needs this header. */
#ifndef APP_CALIBRATION_H
#define APP_CALIBRATION_H

#include "app/dataset.h"

/* The map of every group (or file) that was met. */
struct calibrations {
  int n;
  const char **keys;
  struct mote_features_column **maps;
};

/* Measures a sample's numbers from the zero of its group. list: all n samples of the store. Nothing where none is asked for, or of the features. */
bool calibration_of_sample(const struct project *p, const struct dataset *d,
                           struct calibrations *all, const struct store_sample *list, int n,
                           const struct store_sample *s, const double *range,
                           struct dataset_sample *out, struct err *e);
/* The same of a file, which is its own reference. */
bool calibration_of_file(const struct project *p, struct dataset *d, struct err *e);

/* ---- what dataset.c has for it ---- */
bool dataset_in_list(const char *word, const char *const *list, int n);
/* An empty one. */
void dataset_begin(struct dataset *d, const struct project_config *c);
/* A recording as int16 at the project's rate. */
bool dataset_adapt(const struct project *p, enum store_type type, double rate_hz, int channels,
                   const void *data, int64_t length, const double *range,
                   struct dataset_sample *out, struct err *e);
/* Lays the windows of all samples. */
bool dataset_lay(struct dataset *d, struct arena *a, struct err *e);

#endif
