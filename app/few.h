/* few: a head that goes on learning on the device, from a few examples of each class of a new place.
 *
 * How it works: a head of mote/ml (mote_ml_online_*) reads the features of a window in place of the model. The factory teaches it
 * with the training samples; every group of the test is a place: N windows of each class are drawn and taught, the
 * rest of the group is the test, but for windows that overlap a taught one. All by the functions that the device runs, so what
 * is measured here is what it does.
 *
 * invariant: no moment that was taught, by the factory or here, is tested; equal seeds give equal figures. */
#ifndef APP_FEW_H
#define APP_FEW_H

#include "app/dataset.h"

struct few_request {
  int examples;  /* of each class, from every group */
  unsigned kind; /* enum mote_ml_online_kind */
  int seeds;
  int64_t seed;
};

struct few_group {
  const char *name;
  int taught, tested;   /* windows; of the first seed */
  double before, after; /* share right: as it left the factory, and taught; mean over the seeds */
};

struct few_figures {
  const char *head;
  int examples, seeds, n_groups;
  struct few_group *groups;
  size_t head_bytes, example_bytes; /* RAM: the head, and the examples while they are taught */
  double before, after, deviation;  /* means over groups; the deviation over seeds */
};

/* "means" ...; false: unknown. */
bool few_head_from(const char *word, unsigned *kind);

/* The head as it leaves the factory: taught with the samples of training and validation, but not of these splits (bits). */
struct few_head {
  struct mote_ml_online *state;
  size_t bytes;
};
bool few_factory(struct project *p, const struct project_model *m, unsigned kind, int room,
                 unsigned but_splits, struct few_head *out, struct err *e);

/* errors: more than 256 features; a group without a class that has more than N windows, or with none that shares no moment
 * with the taught ones. test: not the training split, by which the factory teaches. */
bool few_measure(struct project *p, const struct project_model *m, const struct few_request *r,
                 const struct dataset_pick *test, struct few_figures *out, struct err *e);

/* Text of online.h, for firmware. */
void few_emit(const struct project_model *m, const struct few_head *head, struct text *out);

void few_print(const struct few_figures *f);
void few_json(const struct few_figures *f, struct json *j);

#endif
