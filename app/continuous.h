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

/* Answers of one model or of several over recordings that none of them was trained with. */
struct continuous_heard {
  struct evaluate_stream *streams;
  int n, room;
  const char *const *classes;
  int n_classes;
};
/* Runs a model with a window every hop over each recording that `pick` names, and adds the answers to `heard`, in `keep`.
 * A recording shorter than two windows is laid between silence, so that it passes through as in the field. Events are the
 * label spans of a sample, else the whole recording; samples of background and of labels that are no class are without
 * events. errors: no such samples. */
bool continuous_listen(struct project *p, const struct graph *g, const struct features_block *block,
                       const double *range, const char *const *classes, int n_classes,
                       const struct dataset_pick *pick, double hop_ms, struct arena *keep,
                       struct continuous_heard *heard, struct progress *progress, struct err *e);
/* The detectors that do best on what was heard. */
void continuous_find(struct project *p, const struct continuous_request *r,
                     const struct continuous_heard *heard, struct progress *progress,
                     struct continuous *out);
/* Both, of the latest model and the samples of r->pick. */
bool continuous_run(struct project *p, const struct continuous_request *r,
                    struct progress *progress, struct continuous *out, struct err *e);
void continuous_print(const struct continuous *c, const struct continuous_request *r);
/* As the member `key`. */
void continuous_json(const struct continuous *c, const char *key, struct json *j);
/* The section `detect` of mote.yaml that has these detectors. */
bool continuous_write(const struct continuous *c, struct project *p, struct err *e);
/* detector.h of a built project: the rules of mote.yaml for the model's classes (mote/ml/ml.h). Silences count
 * answers, one every window.stride_ms. Rules of classes that the model lacks are an error. */
bool continuous_emit(const struct project_config *c, const char *const *classes, int n,
                     struct text *out, struct err *e);
bool continuous_page(const struct continuous *c, struct project *p,
                     const struct continuous_request *r, struct err *e);

#endif
