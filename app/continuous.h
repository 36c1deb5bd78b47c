/* continuous: a model that listens without end, over recordings of the test samples: false alarms an hour, misses, and
 * the smoothing, threshold and silence that keep a limit. */
#ifndef APP_CONTINUOUS_H
#define APP_CONTINUOUS_H

#include "app/app.h"
#include "app/dataset.h"
#include "host/evaluate/evaluate.h"

struct continuous_request {
  struct dataset_pick pick;
  double hop_ms;                /* between two answers; 0: window.stride_ms */
  double false_alarms_per_hour; /* at most, of each class */
  const char *html;             /* NULL: no page */
};

struct continuous_class {
  const char *name;
  struct evaluate_detector best;
  bool kept; /* the limit */
  struct evaluate_alarms alarms;
  double per_hour_low, per_hour_high; /* 95 %, exact for a Poisson count */
  struct evaluate_alarms *curve;      /* [257], of the best average */
};
struct continuous {
  struct continuous_class *classes; /* those that are no background */
  int n_classes, streams;
  double hours, hop_s;
};

/* Runs the latest model with a window every hop over each recording. A recording shorter than two windows is laid
 * between silence, so that it passes through as in the field. Events are the label spans of a sample, else the whole
 * recording; samples of background and of labels that are no class are without events. */
bool continuous_run(struct project *p, const struct continuous_request *r,
                    struct progress *progress, struct continuous *out, struct err *e);
void continuous_print(const struct continuous *c, const struct continuous_request *r);
void continuous_json(const struct continuous *c, struct json *j);
/* The section `detect` of mote.yaml that has these detectors. */
bool continuous_write(const struct continuous *c, struct project *p, struct err *e);
/* detector.h of a built project: the rules of mote.yaml for the model's classes (mote/ml/ml.h). Silences count
 * answers, one every window.stride_ms. Rules of classes that the model lacks are an error. */
bool continuous_emit(const struct project_config *c, const char *const *classes, int n,
                     struct text *out, struct err *e);
bool continuous_page(const struct continuous *c, struct project *p,
                     const struct continuous_request *r, struct err *e);

#endif
