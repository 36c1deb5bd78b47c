/* config: what the files that read mote.yaml share: the file as libcyaml leaves it, and how errors name its keys.
 *
 * How it works: config_load.c has the schema and makes a struct project_yaml of the text; config.c, config_features.c and
 * config_training.c check its sections and make a struct project_config. A key that is there is a pointer, one that is not is NULL:
 * defaults depend on which ones are. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "app/project.h"

#include <string.h>

struct yaml_sensor {
  char *kind, *unit;
  double *rate_hz;
  int *channels, *width, *height; /* of a camera's frame */
  char *format;
  double *range;
  char **scale;
  unsigned range_count, scale_count;
};
struct yaml_window {
  double *length_ms, *stride_ms;
  char *place;
};
/* What stands in front of a kind. */
struct yaml_front {
  char **derive, *filter, *design, *detrend;
  double *cutoff_hz, *ripple_db, *gravity_hz, *scale, *middle_ms;
  int *order, *decimate;
  unsigned derive_count, cutoff_hz_count;
};
struct yaml_features {
  struct yaml_front *front;
  char *kind, *normalise, *resize;
  int *width, *height; /* image */
  bool *colour;
  double *frame_ms, *hop_ms, *low_hz, *high_hz, *range_db, *floor_db;
  int *fft_size, *bands, *coefficients;
  int *channels; /* those that are read, from 1; none: all */
  unsigned channels_count;
  /* spectral and flatten */
  char *compat, *filter, *hold, *wavelet, **values;
  double *cutoff_hz, *edges_hz, *threshold;
  int *order, *decimate, *peaks, *moving, *levels;
  double *pre_emphasis, *noise_floor_db; /* mfe, spectrogram, mfcc */
  int *sliding, *lifter;
  char *signal;    /* heart */
  double *voicing; /* pitch */
  int *irregular;
  bool *together;               /* heart */
  bool *noise_reduction, *pcan; /* micro */
  bool *overlap, *log, *extra_low;
  unsigned values_count, edges_hz_count;
};
struct yaml_training {
  int *epochs, *qat_epochs, *batch, *patience, *time_masks, *time_mask_max, *band_masks,
      *band_mask_max;
  double *learning_rate, *qat_learning_rate, *weight_decay, *label_smoothing, *mixup, *focal,
      *average, *hard;
  bool *class_weights, *balance;
  int *seed, *flash_bytes;
};
struct yaml_augmentation {
  double *shift_ms, *gain_db, *speed, *tone_db, *background_chance, *background_snr_db_min,
      *background_snr_db_max, *noise_chance, *noise_snr_db_min, *time_stretch, *band_warp,
      *slope_db, *floor_chance, *floor_db_min, *floor_db_max, *shift, *rotate_deg, *zoom, *shear,
      *brightness, *contrast, *cutout;
  int *variants;
  char *flip;
};
struct yaml_detect {
  char *class_name;
  int *average;
  double *threshold, *suppress_ms;
};
struct yaml_objects {
  double *weight, *threshold;
};
struct yaml_regression {
  char **of, *unit;
  unsigned of_count;
  double *huber;
};
struct yaml_calibrate {
  char *by, *of, **labels;
  int *channels;
  unsigned labels_count, channels_count;
  bool *deviation;
};
struct yaml_suppress {
  char **noise;
  unsigned noise_count;
  double *snr_db_min, *snr_db_max, *most_db;
};
struct yaml_data {
  char **background, **unknown, **ignore;
  unsigned background_count, unknown_count, ignore_count;
};
/* Of `learning` and of `anomaly`. */
struct yaml_learning {
  char *learner;
  int *clusters, *components, *trees, *depth, *min_leaf, *max_columns, *k, *points, *seed;
  bool *full, *bootstrap;
  double *variance, *rate, *l2, *c, *false_alarms, *threshold;
  int *columns;
  char **normal;
  unsigned columns_count, normal_count;
};
struct project_yaml {
  char *name, *network, *board, *learner;
  struct yaml_learning *learning, *anomaly;
  struct yaml_sensor *sensor;
  struct yaml_window *window;
  struct yaml_features *features, *more_features;
  unsigned more_features_count;
  struct yaml_training *training;
  struct yaml_augmentation *augmentation;
  struct yaml_data *data;
  struct yaml_calibrate *calibrate;
  struct yaml_suppress *suppress;
  struct yaml_objects *objects;
  struct yaml_regression *regression;
  struct yaml_detect *detect;
  unsigned detect_count;
};

/* ---- reading ---------------------------------------------------------------------- */
struct reader {
  struct arena *a;
  const char *path, *text;
  struct err *e;
};
/* errors: what libcyaml or the check of numbers says, with line, column, section and the keys that are known. */
bool config_load(const struct reader *r, size_t size, struct project_yaml **y);
/* Names file, line and key of an error that is set next. */
struct err *config_at_key(const struct reader *r, const char *section, const char *key);
/* The first key that is said in a section of pointers alone; NULL: none. */
const char *config_first_key(const char *section, const void *said);

static inline double real_or(const double *value, double otherwise) {
  return value ? *value : otherwise;
}
static inline int int_or(const int *value, int otherwise) { return value ? *value : otherwise; }
/* The place of a word among n; -1: it is none of them. */
static inline int word_at(const char *word, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (strcmp(word, words[i]) == 0) return i;
  return -1;
}

enum { CONFIG_KINDS = 5 };
extern const char *const config_kind_names[]; /* of enum project_kind */

/* ---- sections --------------------------------------------------------------------- */
bool config_read_features(const struct reader *r, const struct project_yaml *y,
                          struct project_config *c);
/* Augmentation, training and learners. */
bool config_read_training(const struct reader *r, struct project_config *c);
/* A key of `training` that is there and says something about classes; NULL: none. */
const char *config_about_classes(const struct yaml_training *t);

#endif
