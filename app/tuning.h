/* tuning: what `mote tune` tries. A point of host/tune's space becomes a mote.yaml, and that a plan or a trained network.
 *
 * How it works: the project's mote.yaml is the base; a point is keys that are set in it, so writing a point into the file is all
 * that `mote train` needs to make the same model. Before anything is trained, the network is laid out with chance for weights and
 * goes through the compiler for the board's chip: the plan's arena and constants are those of the trained network, the rest of
 * the program (code, stack) and time are taken from the project's own model, built and counted once. The best points are built
 * and counted themselves.
 *
 * Who is right on one speaker's voice may be wrong on the next: training samples take the place of the validation samples by turns
 * (cross_rotate). Each rung but the last looks at one division of them, the last at all; its accuracy is their mean, and its model
 * that of the project's own division.
 *
 * invariants: equal points give equal results, in any thread and process; training and validation samples decide, test samples are
 * never read. */
#ifndef APP_TUNING_H
#define APP_TUNING_H

#include <pthread.h>

#include "app/bundle.h"
#include "app/training.h"
#include "host/tune/tune.h"

/* What a point costs on the board. NAN: not known. */
enum tuning_cost {
  TUNING_FLASH,
  TUNING_RAM,
  TUNING_INSTRUCTIONS,
  TUNING_MS,
  TUNING_UJ,
  TUNING_COSTS
};
extern const char *const tuning_cost_names[TUNING_COSTS];
struct tuning_figures {
  double of[TUNING_COSTS];
  bool
      counted; /* built and run on the emulated chip; else the plan's, and estimates from the base's */
};

/* What is the same for all points, from the project's own model. */
struct tuning_base {
  double code, ram;             /* bytes: flash behind the plan, static RAM and stack */
  double features_instructions; /* ... */
  double features_work;         /* ... for this much work (tuning_work) */
  double ms, uj;                /* of one instruction; NAN: not known */
  bool counted;
};

#define TUNING_MOST_CACHED 64
#define TUNING_MOST_FOLDS  10

/* Features of one configuration: fitted to the training windows, and of the validation windows. */
struct tuning_features {
  struct arena *arena;
  char key[65];
  struct project_config config; /* whose features and windows these are */
  struct dataset train, validation;
  struct features_block block;
  int8_t *validation_features;
  size_t bytes;
  int users;
  bool ready, failed;
  uint64_t used; /* when last */
};

struct tuning {
  struct command_line *c;
  struct project *p;
  const char *yaml; /* the base; NULL before tuning_open: what stands in mote.yaml */
  struct tune_space space;
  struct tune_point start;
  /* The base's windows; all points and divisions share the samples. The first division is the project's own. */
  struct tuning_division {
    struct dataset train, validation;
  } divisions[TUNING_MOST_FOLDS];
  int folds; /* divisions: as asked for, then as there are */
  const char *const *classes;
  int n_classes;
  const double *range;
  const struct emulate_target *target;
  const struct emulate_board *board;    /* NULL: a chip alone */
  double most[TUNING_COSTS];            /* limits; INFINITY: none */
  int against[TUNING_COSTS], n_against; /* which costs are weighed against accuracy */
  struct tuning_base base;
  int rungs, factor;
  bool count;   /* build and count */
  int n_unmade; /* points whose features or network cannot be made, and why the first could not */
  char why[160];
  pthread_mutex_t lock;
  pthread_cond_t made;
  struct tuning_features cache[TUNING_MOST_CACHED];
  int n_cached;
  size_t cached_bytes, most_cached_bytes;
  uint64_t clock;
};

/* ---- the space (tuning_space.c) ------------------------------------------------ */
void tuning_space(struct tuning *t);
/* The base with a point's keys in it; base: the text to begin with. */
const char *tuning_yaml(const struct tuning *t, struct arena *a, const char *base,
                        const struct tune_point *p, struct err *e);
/* Whether the base is written so that points can be. errors: which section is not. */
bool tuning_can_write(const struct tuning *t, struct err *e);
/* A point in words: "logmel 32 ms, conv 64 x 4 ...". */
const char *tuning_words(const struct tuning *t, struct arena *a, const struct tune_point *p);

/* A text of mote.yaml as the trials see it: what features must know of the sensor's unit is the samples'. */
bool tuning_parse(const struct tuning *t, struct arena *a, const char *yaml,
                  struct project_config *c, struct err *e);

/* ---- trying (tuning.c) ---------------------------------------------------------- */
/* Loads the samples and makes the space. errors: those of the project. */
bool tuning_open(struct tuning *t, struct err *e);
/* Builds and counts the project's own model, for what all points share. */
bool tuning_find_base(struct tuning *t, struct err *e);
/* tune_judge: context is a struct tuning. By one thread at a time: points that cannot be made are counted. */
bool tuning_judge(void *context, const struct tune_point *p, double *costs, double *beyond);
void tuning_costs(const struct tuning *t, const struct tuning_figures *f, double *costs);
/* Whether the figures are within the limits; beyond: by how much, as a share. */
bool tuning_allowed(const struct tuning *t, const struct tuning_figures *f, double *beyond);

struct tuning_result {
  bool ok;
  double accuracy; /* int8, validation; on the last rung the mean of all divisions */
  double
      own; /* of the project's own division, which --write and mote train give; NAN on the first rungs */
  struct tuning_figures figures;
  double seconds;
  char settings[17]; /* the first digits of the hash of all that decided the outcome */
  char model[17];    /* and of the graph */
  char why[160];     /* not ok */
};
/* Tries a point on a rung. trial 0 is the base as it stands. Safe from several threads. */
void tuning_try(struct tuning *t, const struct tune_point *p, bool base, int rung,
                const volatile bool *cancel, struct tuning_result *out);
const char *tuning_facts(struct arena *a, const struct tuning_result *r);
bool tuning_read_facts(const char *facts, struct tuning_result *r);

#endif
