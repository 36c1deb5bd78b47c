/* inspect: looks at recordings as numbers, without knowing where they come from: faults of one, likeness of many, labels
 * that their neighbours contradict, events within one, and the division of many into training and tests.
 *
 * How it works: a recording is summed up once, as a measure (faults.c) and as a vector of generic features
 * (describe.c); what compares recordings works on these vectors alone, so that a hundred thousand recordings fit.
 *
 * invariant: deterministic. The same numbers, labels and seed give the same answers on every run. */
#ifndef HOST_INSPECT_H
#define HOST_INSPECT_H

#include "host/kit/kit.h"

/* ---- one recording ------------------------------------------------------------- */
#define INSPECT_MAX_CHANNELS 64

struct inspect_signal {
  const float *values; /* [length][channels] */
  int64_t length;
  int channels;
  double rate_hz; /* 0: a picture */
  double
      full; /* the largest magnitude that the sensor could give, where it is known (1 for sound); else 0 */
  int height, width; /* of a picture, else 0 */
};

/* What is wrong with one channel. */
struct inspect_channel {
  double least, most, mean, rms; /* of the finite numbers; rms without the mean */
  int64_t not_finite;
  int64_t clipped;      /* numbers in runs of at least 3 at the least or most value */
  int64_t clipped_runs; /* so many of those runs */
  int64_t longest_hold; /* frames that the longest run of one repeated value lasts */
  double moving;        /* share of numbers between the two ends that differ from the one before */
  bool constant;
};
/* channels: [s->channels]. */
void inspect_measure(const struct inspect_signal *s, struct inspect_channel *channels);

/* A vector that sounds and movements of the same kind have alike: level, spread, crossings, and the energy in bands of
 * the spectrum, in log scale, over the whole and its changes; of a picture: brightness, colours and a small copy of it. */
#define INSPECT_FEATURES 48
void inspect_describe(const struct inspect_signal *s, float features[INSPECT_FEATURES]);

/* A fingerprint for finding the same recording again although it is louder, shifted by a little, filtered, or noisy:
 * how each of a row of time slices compares with its neighbours in a row of bands. */
#define INSPECT_WORDS 32 /* of 32 bits */
struct inspect_print {
  uint32_t words[INSPECT_WORDS];
  bool empty; /* silence has no fingerprint */
};
void inspect_fingerprint(const struct inspect_signal *s, struct inspect_print *print);
/* Share of equal bits, 0.5 for strangers, 1 for the same. */
double inspect_likeness(const struct inspect_print *a, const struct inspect_print *b);

/* ---- many recordings ------------------------------------------------------------- */
struct inspect_pair {
  int32_t first, second; /* first < second */
  double likeness;
};
/* Pairs with a likeness of at least `least`, best first, at most `most` of them. Looks only at recordings that have one of
 * 32 words nearly alike (locality-sensitive hashing), so cost grows with the number, not its square. */
bool inspect_near_duplicates(struct arena *a, const struct inspect_print *prints, int n,
                             double least, int most, struct inspect_pair **pairs, int *count,
                             struct err *e);

struct inspect_doubt {
  int32_t item;
  int32_t label, instead; /* as it is labelled; what its neighbours say */
  double confidence;      /* of `instead`, 0 to 1 */
  double given;           /* of the label that it has */
};
/* Labels that are confidently contradicted: each item is judged by its nearest neighbours among the items of other
 * folds (folds keep groups together), and doubted where another class reaches the confidence that items of that class
 * usually have, 0.8 at most (the rule of confident learning: Northcutt, Jiang and Chuang 2021) and its own does not. Most
 * confident first. accuracy: how often neighbours agree with labels, to know what the doubts are worth.
 * needs: features [n][INSPECT_FEATURES], labels 0 to n_classes - 1, group_of (NULL: each its own). */
bool inspect_doubts(struct arena *a, const float *features, const int32_t *labels,
                    const int32_t *group_of, int n, int n_classes, uint64_t seed,
                    struct inspect_doubt **doubts, int *count, double *accuracy, struct err *e);

/* ---- events -------------------------------------------------------------------------- */
enum inspect_event_kind { INSPECT_ENERGY, INSPECT_PEAK };
struct inspect_event_rule {
  enum inspect_event_kind
      kind; /* energy: where the level rises over the quiet; peak: around the largest swings */
  double threshold_db; /* energy: above the quiet level; 0: 12 dB. */
  double threshold;    /* peak: in standard deviations of the whole; 0: 3 */
  double length_s;     /* of each event; 0: energy: as long as it is */
  double padding_s;    /* energy: kept on both sides */
  double least_s;      /* energy: shorter ones are none; 0: 0.05 */
  double
      apart_s; /* energy: a pause shorter than this joins; peak: peaks nearer than this are one; 0: 0.2 */
};
struct inspect_stretch {
  int64_t first, last; /* frames, both included */
};
/* Events in the order of time, not overlapping. */
bool inspect_events(struct arena *a, const struct inspect_signal *s,
                    const struct inspect_event_rule *rule, struct inspect_stretch **events,
                    int *count, struct err *e);
/* What remains when both ends are silent: from the first event to the last, with padding. false: all is silent. */
bool inspect_trim(struct arena *a, const struct inspect_signal *s,
                  const struct inspect_event_rule *rule, struct inspect_stretch *kept, bool *found,
                  struct err *e);

/* ---- division ------------------------------------------------------------------ */
#define INSPECT_SPLITS 3
/* Items (samples) with a group and a class each; a group goes into one split as a whole. */
struct inspect_division {
  int n_items, n_groups, n_classes;
  const int32_t *group_of, *class_of; /* [n_items] */
  double share[INSPECT_SPLITS];       /* wanted; they sum to 1, and 0 means none */
  uint64_t seed;
};
/* split: [n_groups], 0 to 2. Every class comes as near to the shares as whole groups allow (least squares, by
 * largest group first, then moves and exchanges while they improve); every wanted split gets a group.
 * errors: fewer groups than wanted splits. */
bool inspect_divide(struct arena *a, const struct inspect_division *d, uint8_t *split,
                    struct err *e);

#endif
