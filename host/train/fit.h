/* train/fit: what a training has while it runs. Only for this room: fit.c is its course, fit_check.c what it refuses, fit_batch.c how
 * batches are made, checkpoint.c how it is kept and taken up again. */
#ifndef MOTE_TRAIN_FIT_H
#define MOTE_TRAIN_FIT_H

#include "host/train/engine.h"
#include "host/train/sampling.h"

enum phase { PHASE_FLOAT, PHASE_QAT, PHASE_DONE };

struct head {
  uint32_t magic, head_bytes;
  uint8_t fingerprint[32]; /* of network, config, labels; in a checkpoint see add_level */
  uint64_t n_floats;
  int32_t phase, epoch, qat_epoch, n_history, stale;
  int32_t best_epoch, best_qat_epoch;
  float best_accuracy, best_loss;
  float input_scale;
  int32_t input_zp;
  int64_t phase_step;      /* Adam steps of this phase */
  double power_1, power_2; /* beta^t */
};

struct fit {
  struct arena *arena;
  const struct train_examples *examples;
  const struct train_set *validation;
  const struct train_config *config;
  const struct train_hooks *hooks;
  struct err *e;
  struct engine *g;
  struct head head;
  struct train_epoch *history;
  float *floats, *params, *m, *v, *running, *best, *best_running, *folded, *ranges, *best_ranges,
      *bits, *mean, *mean_running; /* the last two with config->average alone */
  size_t features;
  int steps; /* of an epoch */
  struct sampling sampling;
  float class_weight[1000];
  int8_t *drawn; /* [capacity][features] */
  int32_t *labels, *second;
  float *weights, *mix;
  float *targets;       /* [capacity][n_targets] */
  float *drawn_targets; /* the same before mixing */
  float *opinions;      /* [capacity][classes] of the teacher */
  /* The batch being filled. */
  uint32_t first;
  int batch_epoch, count;
};

/* What the door hands out: the engine with folded parameters. */
struct train_model {
  struct engine *g;
  float *folded;
  int threads;
};

/* Refuses what cannot be trained: settings, heads without targets, labels outside the classes, a teacher of other classes. */
bool fit_check(const struct train_network *net, const struct train_examples *x,
               const struct train_set *validation, const struct train_config *c,
               const struct train_model *teacher, struct err *e);

/* The order of an epoch's draws. with_hardness: sampling.hardness is known. */
void fit_shuffle(struct fit *f, int epoch, bool with_hardness);
/* Draws example `index` as `seed` disturbs it, with masks: to[features]. */
void fit_draw(struct fit *f, uint32_t index, uint64_t seed, int8_t *to);
/* Draws the examples of a step and puts them into the network's input. Returns how many. */
int fit_fill_batch(struct fit *f, int epoch, int step, enum engine_mode mode);
/* Runs examples as they are: features[count][features]. */
void fit_run_block(struct engine *g, const int8_t *features, int count, enum engine_mode mode);

/* head.fingerprint: what a checkpoint must agree with. */
void fit_fingerprint(struct fit *f, const struct train_network *net);
bool fit_save(struct fit *f, const struct train_epoch *epoch);
bool fit_load(struct fit *f);

#endif
