/* look: what `mote features` shows of many windows: drawn one by one, all in one picture, what each value is worth,
 * and which parameters suit the data. */
#ifndef APP_LOOK_H
#define APP_LOOK_H

#include "app/app.h"
#include "app/dataset.h"

struct look {
  struct command_line *line;
  struct project *project;
  const char *output;  /* NULL: a name of its own */
  const double *range; /* of sensors: what fills int16 */
  const char *map;     /* "umap", "pca"; NULL: umap */
  uint64_t seed;
  bool write; /* --auto: into mote.yaml */
};

/* A page of windows with their features: of a sample or file, else a few of each class. d: NULL for the latter. */
bool look_plot(const struct look *l, const struct features_block *block, const struct dataset *d,
               const char *title, struct err *e);
/* All windows of training and validation as points on a page. */
bool look_explore(const struct look *l, const struct features_block *block, struct err *e);
/* What each value tells about the class. */
bool look_rank(const struct look *l, const struct features_block *block, struct err *e);
/* Tries kinds and parameters on the training windows and says which to take, and why. */
bool look_auto(const struct look *l, struct err *e);

/* ---- shared by the above ------------------------------------------------------------- */
struct look_windows {
  struct dataset set;
  const char *const *classes;
  int n_classes;
  int *kept; /* [n]: windows of set, evenly taken where there are more than `most` */
  int n;
  int32_t *labels; /* [n] */
  int32_t *folds;  /* [n]: groups where there are three or more, else recordings, over 5 folds */
  int n_folds;
  bool by_group;
};
/* Windows of training and validation samples, with a class each. errors: fewer than two classes. */
bool look_load(const struct look *l, int most, struct look_windows *w, struct err *e);
/* Features of the kept windows: [n][block->out_bytes]. */
bool look_features(const struct look *l, const struct look_windows *w,
                   const struct features_block *block, int8_t **out, struct err *e);
/* The range that the training samples give, and the block fitted to them, for a project that was never trained. */
bool look_fit(const struct look_windows *w, struct arena *a, struct features_block *block,
              struct err *e);

#endif
