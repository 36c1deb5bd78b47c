/* dataset: stored samples as windows of int16, and windows as features.
 *
 * How it works: the samples that a pick names are read once and kept in memory at the project's rate; a window
 * is a sample and a place in it, cut out when it is asked for, so that overlapping windows cost nothing.
 *
 * invariant: samples are in the order of their ids, windows in the order of samples and time: the same
 * project gives the same numbering everywhere. */
#ifndef APP_DATASET_H
#define APP_DATASET_H

#include "app/project.h"

/* Each sample's fold, for tests on samples that training did not see. */
struct dataset_folds {
  const int64_t *ids; /* [n], ascending */
  const int32_t *fold;
  int n;
};

/* Which samples: splits is a set of bits 1 << enum store_split; group and without NULL: any. */
struct dataset_pick {
  unsigned splits;
  const char *group;                 /* only this one */
  const char *without;               /* all but this one */
  int64_t id;                        /* only this sample; 0: any */
  bool others;                       /* samples whose label is no class stay, with label -1 */
  const struct dataset_folds *folds; /* NULL: any; else those of this fold, or all but those */
  int fold;
  bool outside;
};

/* Where a thing is in a picture's frame, in pixels of it. */
struct dataset_object {
  float x, y, width, height; /* its box; the middle lies within the frame */
  int32_t label;
};

struct dataset_sample {
  int64_t id;
  const char *source, *group, *sha256;
  const char *name; /* of its class, were it one */
  enum store_split split;
  int32_t label; /* class, or -1: not one of the classes */
  bool background;
  const int16_t *data; /* [length][channels] */
  int64_t length;
  const struct dataset_object *objects; /* of projects that count */
  int n_objects;
  const float *numbers; /* of projects that estimate, in their order */
  /* Where calibrate is of features: its group's, made by dataset_calibrate for the block with these bytes. */
  const struct mote_features_column *map;
  int map_columns;
  const void *map_of;
};

struct dataset_window {
  uint32_t sample;
  int64_t start; /* -1: placed by features_place ... */
  int64_t event; /* ... and this is where, in a recording that is longer */
};

struct dataset {
  const struct project_config *config;
  const struct project *project; /* whose samples they are: what a group's map is measured from */
  const double *range;           /* of the channels; NULL: sound */
  bool is_file;                  /* or a file, which is its own reference */
  int window_samples;            /* time steps */
  int channels;
  struct dataset_sample *samples;
  int n_samples;
  struct dataset_window *windows;
  int32_t *labels; /* [n_windows] */
  int n_windows;
  int n_unknown_label; /* samples (of projects that count boxes) left out since their label is no class */
};

/* The class that a label means, which is one for all in projects that estimate numbers; NULL where data.ignore leaves it out. */
const char *dataset_class_of_label(const struct project_config *c, const char *label);
/* The classes of the samples that pick names; in projects that count, of their boxes; the numbers' names in projects that
 * estimate. */
bool dataset_classes(struct project *p, const struct dataset_pick *pick,
                     const char *const **classes, int *n_classes, struct err *e);
/* The physical value that fills int16, for each channel: from the config, else the largest of these samples.
 * NULL for audio. */
bool dataset_range(struct project *p, const struct dataset_pick *pick, const double **range,
                   struct err *e);

/* Whether sensor.range cuts off so many of these numbers, [length][channels] of the project's, that it must be too small. */
bool dataset_is_beyond(const struct project_config *c, const float *values, int64_t length);

/* Reads samples and lays windows. errors: a sample of another kind or number of channels, memory. */
bool dataset_load(struct project *p, const struct dataset_pick *pick, const char *const *classes,
                  int n_classes, const double *range, struct dataset *d, struct err *e);
/* The same samples laid in the windows of another configuration of the same sensor; they are shared. */
bool dataset_again(const struct dataset *d, const struct project_config *c, struct arena *a,
                   struct dataset *out, struct err *e);
/* Of a table: as `mote add` takes --columns (NULL: all that are numbers) and --each-row. */
struct dataset_table {
  const char *columns;
  bool each_row;
};
/* The same of recordings that ingest read. how: NULL takes the defaults. */
bool dataset_load_file(struct project *p, const char *path, const struct dataset_table *how,
                       const double *range, struct dataset *d, struct err *e);

/* Windows that a recording of this many frames at the project's rate gives. */
int64_t dataset_windows_in(const struct project_config *c, int64_t length, bool background);

/* Time steps of a window. */
int dataset_window_samples(const struct project_config *c);
/* One window: window_samples * channels numbers. */
void dataset_window(const struct dataset *d, int window, int16_t *out);
/* Where calibrate is of features: measures the columns of these features over all windows of each group that d has samples of, and
 * keeps the maps with the samples. Nothing where it is not, or is done. needs: the block's map to int8 is fitted. errors: a
 * group or file of one window, whose values would all be their own mean; no recording of the labels that are the reference. */
bool dataset_calibrate(const struct dataset *d, const struct features_block *block, struct err *e);
/* What features_run takes, features_window_words: a window, and behind it the map. needs: dataset_calibrate. */
void dataset_input(const struct dataset *d, const struct features_block *block, int window,
                   int16_t *out);
/* The map alone behind samples that lie in `out`. */
void dataset_put_map(const struct dataset *d, const struct features_block *block, int window,
                     int16_t *out);
/* Features of every window: [n_windows][block->out_bytes], in a. */
bool dataset_features(const struct dataset *d, const struct features_block *block, struct arena *a,
                      int8_t **features, struct err *e);
/* What decides how samples are read and drawn besides windows and features, for the text by which a training is known again:
 * background, ranges and scales, a line for each that is set. */
void dataset_settings(const struct project_config *c, struct text *out);
/* Changes when any sample, label or split of it does, or where it is measured from. hex: 65 characters. */
void dataset_digest(const struct dataset *d, char hex[65]);

#endif
