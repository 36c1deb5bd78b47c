/* evaluate: what a set of answers says about a classifier, and how sure that is.
 *
 * From true classes and scores to figures: accuracy and F1 with intervals, precision and recall, the area under the
 * ROC and precision-recall curves, calibration, and what a threshold and a smoothing of successive answers do to
 * false alarms and misses. It knows neither models nor recordings.
 *
 * Intervals are percentiles of a bootstrap over clusters: windows of one recording, or of one person, stand or fall
 * together, so they are drawn together (Field and Welsh 2007). All chance comes from the seed. */
#ifndef HOST_EVALUATE_H
#define HOST_EVALUATE_H

#include "host/kit/kit.h"

struct evaluate_set {
  int n, classes;
  const int32_t *truth;    /* [n], in [0, classes) */
  const float *scores;     /* [n][classes], each in [0, 1]: probabilities */
  const int32_t *clusters; /* [n], from 0: what was recorded together; NULL: every answer alone */
};

/* 95 of 100 such sets would have the figure between low and high. */
struct evaluate_interval {
  double value, low, high;
};

struct evaluate_class {
  int64_t count;                /* of truth */
  double precision, recall, f1; /* NAN where nothing was answered, or is true */
  double roc_auc;               /* of its score against all other classes */
  double average_precision;
};

struct evaluate_figures {
  struct evaluate_interval accuracy, balanced_accuracy, macro_f1;
  double log_loss; /* natural logarithm; scores below 1e-6 count as that */
  double
      calibration_error; /* expected: mean |confidence - accuracy| over 15 equal steps of confidence */
  double temperature;    /* that scores^(1/t), normalised, need to have the least log loss */
  double calibration_error_tempered;
  struct evaluate_class *per_class; /* [classes] */
  int64_t *confusion;               /* [classes][classes], rows are truth */
};

/* errors: no answers, a class out of range, a score that is no number. cost: 1,000 passes over the answers. */
bool evaluate_measure(const struct evaluate_set *s, uint64_t seed, struct arena *a,
                      struct evaluate_figures *out, struct err *e);

/* A curve of one class against all others as its threshold falls; at most `most` points, ends included.
 * Returns how many. roc: x false positive rate, y true positive rate; else x recall, y precision. */
int evaluate_curve(const struct evaluate_set *s, int class_index, bool roc, int most,
                   struct arena *a, double *x, double *y);

/* For `steps` equal steps of confidence: how many answers, their mean confidence, the share that is right. */
struct evaluate_step {
  int64_t count;
  double confidence, right;
};
void evaluate_reliability(const struct evaluate_set *s, int steps, struct evaluate_step *out);

/* ---- counting in pictures ------------------------------------------------------------ */
/* Of one class in one picture. */
struct evaluate_count {
  int32_t truth, found, right; /* right: found where one is */
};
struct evaluate_counts {
  int n, classes;
  const struct evaluate_count *counts; /* [n][classes] */
};
/* Of one class, or of all. Intervals draw pictures. NAN where nothing was found, or is there. */
struct evaluate_counting {
  int64_t truth, found, right;
  struct evaluate_interval precision, recall, f1;
  struct evaluate_interval
      error; /* mean of |found - truth| of a picture; of all classes their sum */
  struct evaluate_interval exact; /* share of pictures where found = truth, for every class */
};
/* out: [classes + 1], the last of all classes together. errors: no pictures; counts that cannot be. */
bool evaluate_counting(const struct evaluate_counts *s, uint64_t seed, struct arena *a,
                       struct evaluate_counting *out, struct err *e);

/* ---- numbers ------------------------------------------------------------------------- */
/* Estimates of one quantity. */
struct evaluate_pairs {
  int n;
  const double *truth, *said; /* [n] */
  const int32_t *clusters;    /* as in struct evaluate_set */
};
struct evaluate_numbers {
  struct evaluate_interval mean_error; /* mean of |said - truth| */
  struct evaluate_interval rms_error;  /* root of the mean of its square */
  struct evaluate_interval bias;       /* mean of said - truth */
  /* Coefficient of determination: 1 - sum of squared errors / sum of squares of truth about its mean. 1 is right, 0 no better than
   * always to say the mean. NAN where the truth is one number. */
  struct evaluate_interval r2;
};
/* errors: no estimates, one that is not finite. */
bool evaluate_numbers(const struct evaluate_pairs *s, uint64_t seed, struct arena *a,
                      struct evaluate_numbers *out, struct err *e);

/* ---- continuous listening ------------------------------------------------------------ */
/* How a stream of answers becomes detections: the mean of the last `average` scores of a class passes the threshold;
 * then that class is silent for `suppress_s`. */
struct evaluate_detector {
  int average;
  double threshold, suppress_s;
};
/* One recording: a row of scores every hop_s, and the spans in which a class is to be detected. A detection is right
 * from a span's start to slack_s behind its end; the first in a span counts, further ones in it do not matter. */
struct evaluate_span {
  double from_s, to_s;
  int class_index;
};
struct evaluate_stream {
  const float *scores; /* [rows][classes]; row r is known at first_s + r * hop_s */
  int rows;
  double first_s, hop_s;
  const struct evaluate_span *spans;
  int n_spans;
};
struct evaluate_alarms {
  int64_t spans, missed, false_alarms;
  double hours;
};
/* One class over all streams. */
struct evaluate_alarms evaluate_detect(const struct evaluate_stream *streams, int n, int classes,
                                       int class_index, const struct evaluate_detector *d,
                                       double slack_s);
/* For each threshold in [0, 1] in steps of 1/256 and the `averages`, the misses that go with at most
 * `false_alarms_per_hour`: the best detector; of averages that do as well the one that does so with the greatest number
 * of thresholds (neighbours or not), since what comes later is not quite like these streams, and of these thresholds the
 * highest. curve: [257] of that average, or NULL. Returns false where none keeps the limit
 * (the one with the fewest false alarms is then in *best). */
bool evaluate_tune(const struct evaluate_stream *streams, int n, int classes, int class_index,
                   const int *averages, int n_averages, double suppress_s, double slack_s,
                   double false_alarms_per_hour, struct evaluate_detector *best,
                   struct evaluate_alarms *curve);

#endif
