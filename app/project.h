/* project: what the commands share about a project, a folder with mote.yaml and project.db.
 *
 * It reads the YAML file with a schema, opens the store, turns samples into windows of int16 and features,
 * and hands out the trained model with the features that stand in front of it. It adapts between store,
 * ingest, features, train and graph, which do not know each other.
 *
 * From a sample to a decision:
 *   recording  [length, channels], int16 or float32 at the project's rate
 *   int16      sensors only: round(value / range * 32767) with the range of its channel
 *   windows    `place: event` one window around the loudest piece; `place: slide` one every stride_ms
 *   features   host/features, the device's own bits
 *   network    int8
 *
 * invariant: classes are the labels in strcmp order (after `data.ignore` and `data.unknown`), so the same
 * samples give the same class numbers everywhere. */
#ifndef APP_PROJECT_H
#define APP_PROJECT_H

#include "app/app.h"
#include "host/features/features.h"
#include "host/learn/learn.h"
#include "host/graph/graph.h"
#include "host/store/store.h"
#include "host/train/train.h"
#include "mote/ml/ml.h"

#define PROJECT_FILE     "mote.yaml"
#define PROJECT_DATABASE "project.db"

enum project_kind {
  PROJECT_AUDIO,
  PROJECT_MOTION,
  PROJECT_VIBRATION,
  PROJECT_SENSOR,
  PROJECT_IMAGE
};
/* Whose mean and deviation the samples of a channel are measured in. */
enum project_calibration {
  PROJECT_CALIBRATE_NONE,
  PROJECT_CALIBRATE_GROUP,
  PROJECT_CALIBRATE_FILE
};
struct project_calibrate {
  enum project_calibration by;
  const char *const *labels; /* of the recordings that are the reference; n_labels 0: all */
  int n_labels;
  bool deviation;      /* false: only the mean is taken off */
  bool moments;        /* each moment of a window by itself, not each channel */
  bool features;       /* each column of the features, behind them */
  const int *channels; /* from 1; n_channels 0: all */
  int n_channels;
};
enum project_place { PROJECT_EVENT, PROJECT_SLIDE, PROJECT_STREAM };

/* A classical learner: of the model itself, or of the anomaly score beside it. */
struct project_learner {
  bool on;
  struct learn_config config;
  double false_alarms; /* wanted share of normal windows above the threshold */
  bool has_threshold;  /* said, not learned */
  double threshold;
  const char *const *normal; /* labels that are normal; n_normal 0: all of the training samples' */
  int n_normal;
};

/* When a class counts as detected in a stream of answers, one every window.stride_ms. */
struct project_detect {
  const char *label;
  int average;        /* of so many scores */
  double threshold;   /* of their mean, 0 to 1 */
  double suppress_ms; /* then silent for this long */
};

/* Noise suppression: the network answers gains of bands in place of classes (app/noise.h). */
struct project_suppress {
  bool on;
  const char *const *noise; /* labels of recordings of noise; all others are what stays */
  int n_noise;
  double snr_db_min, snr_db_max; /* at which training mixes them */
  double most_db;                /* a band is turned down by so much at most */
};

/* Pictures with boxes, in which things are counted. */
struct project_objects {
  bool on;
  double weight;    /* what a cell with a thing counts while learning, against one without */
  double threshold; /* of a cell's score, 0 to 1; 0: what training finds */
};

/* Numbers in place of classes (app/regression.h). */
struct project_regression {
  bool on;
  const char *const *of; /* "label", where labels are numbers, or keys of metadata */
  int n_of;
  const char *unit; /* for people; "" unknown */
  double huber;     /* errors beyond so many standard deviations count linearly; 0: none does */
};

struct project_config {
  const char *name;
  enum project_kind kind;
  double rate_hz;
  int channels;
  /* Of PROJECT_IMAGE: what the camera hands over, an enum mote_image_format and its size; a window is one frame, rate_hz its
   * samples in a second of which a window is one. */
  int frame_format, frame_width, frame_height;
  const char *unit;
  const double *range; /* [n_range]: physical value that fills int16; 0: largest seen in training */
  int n_range;         /* 0, 1 (of every channel) or channels */
  const bool *log;     /* [channels]: which are logarithms (`sensor.scale`); NULL: none */
  struct project_calibrate calibrate;
  double length_ms, stride_ms;
  enum project_place place;
  struct features_config features[FEATURES_MAX_PARTS];
  int n_features;      /* parts whose values follow each other; one unless `blocks` names more */
  const char *network; /* "auto", or a layer a line */
  bool reconstructs;   /* it gives the input again: an autoencoder, which learns what is normal */
  /* As written: project_training lays it over the trainer's defaults. */
  const struct project_yaml *yaml;
  struct train_augment augmentation;
  int variants; /* of a window's sound, whose bands are drawn anew each time; 0: the sound is, too */
  struct project_learner learner, anomaly; /* off: the network alone */
  const char *board;                       /* "" none */
  const char *const *background; /* labels mixed under others while training; classes, too */
  const char *const *unknown;    /* labels that together are the class "unknown" */
  const char *const *ignore;     /* labels left out */
  int n_background, n_unknown, n_ignore;
  const struct project_detect *detect; /* [n_detect] */
  int n_detect;
  struct project_suppress suppress;
  struct project_objects objects;
  struct project_regression regression;
};

/* Whether its samples are numbers of a sensor, with a range for each channel. */
static inline bool project_has_range(const struct project_config *c) {
  return c->kind != PROJECT_AUDIO && c->kind != PROJECT_IMAGE;
}
/* The trainer's defaults for the task and number of examples, and what mote.yaml says over them. */
void project_training(const struct project_config *c, uint32_t examples, struct train_config *out);
/* The learner that a word names (NULL: what mote.yaml says) with the settings of `learning`. errors: no such learner. */
bool project_learner(const struct project_config *c, const char *word, struct project_learner *out,
                     struct err *e);
/* What an autoencoder reads of `learning`: the rate of false alarms, the threshold, the normal labels. errors: what only learners
 * have. */
bool project_reconstruction(const struct project_config *c, struct project_learner *out,
                            struct err *e);
/* Another network in place of that of mote.yaml: whether it is an autoencoder decides what augmentation and training are by
 * themselves. */
void project_take_network(struct project_config *c, struct arena *a, const char *network);
/* The features that `kind: auto` means for a kind of sensor ("audio" ...). */
enum features_kind project_automatic_features(const char *kind);
/* "logmel", "spectrum + statistics". */
const char *project_features_name(struct arena *a, const struct project_config *c);
enum train_input project_input(const struct project_config *c);
/* Whether a class is all that is not to be found: `unknown`, or of data.background. */
bool project_is_other(const struct project_config *c, const char *name);
/* The layers of `network`, one a line, in a; 0 where it is "auto". */
int project_layers(struct arena *a, const char *network, const char ***lines);

struct project {
  struct arena *arena;
  const char *dir, *yaml_path, *db_path;
  struct project_config config;
  struct store *store;
};

/* Reads dir/mote.yaml and opens the database. dir NULL: the current folder, or the nearest above it that
 * holds a mote.yaml. errors: no project, YAML with line, column and key, what store_open says. */
bool project_open(struct arena *a, const char *dir, enum store_mode mode, struct project *p,
                  struct err *e);
/* The YAML file alone. */
bool project_read_config(struct arena *a, const char *path, struct project_config *c,
                         struct err *e);
/* errors: a frame that fills more than the 1,000,000 words that a window of pictures can have. */
bool project_check_frame(int format, int width, int height, struct err *e);
/* The same of a text that is no file yet; path: for messages. */
bool project_parse_config(struct arena *a, const char *path, const char *bytes, size_t size,
                          struct project_config *c, struct err *e);
void project_close(struct project *p);
/* Replaces a section of mote.yaml, or adds it at the end. text: the section, its key at the left margin first. What
 * stands around it stays, comments before the next key too. */
bool project_replace_section(struct project *p, const char *key, const char *text, struct err *e);
/* A text of mote.yaml with `section.key: value` in place of what stood there, or added; section "": at the top, and value
 * is the rest of the section, further lines indented. value NULL takes the key of a section out. Comments stay. errors: a section in a form that has no lines. */
const char *project_set_key(struct arena *a, const char *yaml, const char *section, const char *key,
                            const char *value, struct err *e);
/* The folder that project_open(NULL) would take; NULL when there is none. */
const char *project_find(struct arena *a);

/* A network is trained on (number - mean) / deviation. */
struct project_scale {
  double mean, deviation; /* > 0 */
};

/* A trained network with the features in front of it: what `info run build bench verify` take where MODEL
 * is left out. */
struct project_model {
  int64_t run;
  struct graph *graph; /* int8 [1, h, w, c] -> SOFTMAX [1, classes] */
  struct features_block features;
  const char *const *classes; /* [n_classes] */
  int n_classes;
  const double *range;               /* [channels]; of sensors; NULL for audio */
  const struct train_epoch *history; /* learning curve */
  int n_history;
  /* Classical learners in the graph; NULL: none. The score is output `score_output`, int32. */
  const struct mote_ml *learner, *anomaly;
  int score_output; /* -1: no anomaly score */
  /* Of projects that count: the output is [1, height, width, n_classes + 1]. height 0: no such project. */
  struct mote_objects objects;
  /* Of projects that estimate numbers, whose names `classes` are; NULL: no such project. */
  const struct project_scale *scales;
  /* How the threshold was found: false alarms that were wanted and seen, their bounds, windows. */
  struct learn_threshold calibration;
};
/* Whether it tells anomalies only: no classes. */
static inline bool project_only_scores(const struct project_model *m) {
  return m->score_output == 0;
}
/* The latest finished run, or the run named. errors: nothing trained yet. */
bool project_load_model(struct project *p, int64_t run, struct project_model *m, struct err *e);

/* Windows of recordings as the device receives them, int16 as features_run takes them: [count][window_samples * channels], behind
 * each the map where columns are calibrated. */
struct project_windows {
  int16_t *samples;
  int32_t *labels; /* class of each window; -1 where not known */
  int64_t *ids;    /* sample, or 0 for a file */
  int count;
  size_t window_bytes; /* of one: features_window_words * 2 */
};
/* Of the stored samples of a split (group NULL: any), in the order of ids, at most `most` (0: all, spread
 * evenly over the samples otherwise). */
bool project_split_windows(struct project *p, const struct project_model *m, enum store_split split,
                           const char *group, int most, struct project_windows *w, struct err *e);
/* Of a file that `mote add` would take. */
bool project_file_windows(struct project *p, const struct project_model *m, const char *path,
                          struct project_windows *w, struct err *e);

#endif
