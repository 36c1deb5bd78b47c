/* counting: what `mote test` says of a model that counts: precision, recall and F1 of what it finds, how far its counts are
 * off, the worst pictures; as text, as keys of the object, as a page with the pictures. `mote predict` and `mote data` draw by it. */
#ifndef APP_COUNTING_H
#define APP_COUNTING_H

#include "app/objects.h"
#include "app/training.h"
#include "host/report/report.h"

struct counting_wrong {
  int window;
  int misses, extra; /* things that were not found; finds that are nothing */
};

struct counting {
  const char *const *classes;
  int n_classes;
  struct mote_objects objects;
  struct dataset dataset;
  size_t answer_bytes;
  const int8_t *scores;               /* [windows][answer_bytes] */
  struct evaluate_counting *figures;  /* [n_classes + 1], the last of all */
  struct evaluate_counting *as_float; /* the same of the float network; NULL: not known */
  const char *chip;             /* that ran every picture too, and said the same; NULL: none */
  struct counting_wrong *worst; /* most errors first */
  int n_worst;
};

/* o->model NULL: no float figures. errors: a chip that answers otherwise; no pictures. */
bool counting_measure(struct project *p, const struct training_outcome *o,
                      const struct mote_objects *objects, const struct dataset_pick *pick,
                      const char *chip, struct counting *c, struct err *e);
void counting_print(const struct counting *c);
void counting_json(const struct counting *c, struct json *j);
bool counting_page(const struct counting *c, struct project *p, const char *path, struct err *e);

/* The boxes of a stored picture, drawn. */
void counting_boxes(struct arena *a, const struct store_sample *s, struct report_picture *out);

#endif
