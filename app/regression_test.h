/* regression_test: what the estimates of a project's models are worth, on samples that training never saw: the errors with
 * their intervals, by groups, the worst; as text, as keys of the object, as a page. */
#ifndef APP_REGRESSION_TEST_H
#define APP_REGRESSION_TEST_H

#include "app/cross.h"
#include "app/training.h"
#include "host/evaluate/evaluate.h"

/* One window's estimates. */
struct regression_answer {
  int64_t sample;
  double start_s;
  const char *group, *source;
  const float *truth, *said, *as_float; /* [n]; as_float NULL: not known */
};
/* Answers of a model, or of several that left out a part each. */
struct regression_seed {
  struct regression_answer *answers;
  int n, room;
  struct evaluate_numbers *figures, *floats; /* [numbers]; floats NULL: not known */
};
struct regression_test {
  const char *const *names; /* [n] */
  int n;
  const char *unit;
  const char *chip;
  struct regression_seed *seeds; /* [n_seeds]; all but the first tell figures alone */
  int n_seeds;
  int64_t first_seed;
  bool seeded;      /* several were asked for: tell their spread */
  const char *what; /* "groups", "folds"; NULL: one model */
};

void regression_test_begin(struct regression_test *t, struct project *p, int n_seeds);
/* Adds the windows that pick takes. keep: for what stays when p->arena goes. chip: its every answer must equal this machine's; NULL: none. */
bool regression_test_add(struct regression_test *t, int seed, struct arena *keep, struct project *p,
                         const struct training_outcome *o, const struct dataset_pick *pick,
                         const char *chip, struct err *e);
/* Works the figures out. a: for everything that stays. */
bool regression_test_finish(struct regression_test *t, struct arena *a, struct err *e);

void regression_test_print(const struct regression_test *t, struct arena *a);
void regression_test_json(const struct regression_test *t, struct arena *a, struct json *j);
bool regression_test_page(const struct regression_test *t, struct project *p, const char *path,
                          struct err *e);

#endif
