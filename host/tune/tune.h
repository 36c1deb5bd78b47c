/* tune: a search for good settings, and nothing about what they are settings of.
 *
 * A space has named parameters: choices, whole numbers, real numbers, some of which count only where another has a certain
 * choice. A point is a value for each. The caller knows costs of a point (smaller is better) and whether it is allowed at
 * all before anything is tried, and finds its score (larger is better) by trying it, at first with little effort.
 *
 * How it works: points come in rounds. All of a round are tried on rung 0; the better part of them again on rung 1 with more
 * effort, and so on (successive halving). New points are drawn from a density around the good ones seen so far, and of
 * these draws the ones are taken that are likelier among the good than among the others (a tree-structured Parzen
 * estimator over all parameters together). Good is what no other point beats in score and all costs.
 *
 * A round is proposed from the first rung of the round before, two of the two before that, and all of earlier ones, whose last
 * rungs may still be running when it begins: so workers are rarely idle, and yet the list of tasks depends on results alone, never on
 * when or in which order they came.
 *
 * invariants: the same space, settings, costs and scores give the same points, tasks and front, whatever the order of the
 * results and however often the search was taken up again from its journal. */
#ifndef HOST_TUNE_H
#define HOST_TUNE_H

#include "host/kit/kit.h"

/* ---- the space -------------------------------------------------------------- */
enum tune_kind { TUNE_CHOICE, TUNE_INT, TUNE_REAL };
#define TUNE_MAX_PARAMS 32
#define TUNE_MAX_COSTS  6
#define TUNE_MAX_RUNGS  6

struct tune_param {
  const char *name;
  enum tune_kind kind;
  int n_choices; /* of a choice: its value is 0 .. n_choices - 1; at most 32 */
  double low, high;
  double
      step; /* of a whole number: low, low + step ...; 0: 1. Reals have three significant digits */
  bool log; /* drawn evenly in the logarithm; low > 0 */
  int parent;    /* a choice earlier in the list; -1: always counts */
  uint32_t when; /* the parent's choices, a bit each, with which it counts */
};
struct tune_space {
  int n;
  struct tune_param params[TUNE_MAX_PARAMS];
};
/* x[i] is NAN where parameter i does not count. */
struct tune_point {
  double x[TUNE_MAX_PARAMS];
};
/* Puts each value on its grid and into its range, and NAN where it does not count. Values that are missing where they count
 * become the middle. */
void tune_snap(const struct tune_space *s, struct tune_point *p);
bool tune_same(const struct tune_space *s, const struct tune_point *a, const struct tune_point *b);
/* Evenly over the space. */
void tune_random(const struct tune_space *s, struct rng *r, struct tune_point *p);
/* errors: a range without values, a parent that is no earlier choice. */
bool tune_check_space(const struct tune_space *s, struct err *e);

/* ---- the search ------------------------------------------------------------------ */
struct tune_config {
  uint64_t seed;
  int rounds; /* at most */
  int round;  /* points of a round; 0: 9 */
  int rungs;  /* 0: 3 */
  int factor; /* of a rung's points one in so many goes on; 0: 3 */
  int n_costs;
  bool random; /* points evenly over the space, for comparison */
};
struct tune_trial {
  int number, round; /* from 0; trial 0 is the start and belongs to round 0 */
  struct tune_point point;
  double costs[TUNE_MAX_COSTS];
  int done;                     /* rungs that are finished */
  double score[TUNE_MAX_RUNGS]; /* [done]; -INFINITY: the try failed */
};
struct tune_task {
  int trial, rung;
};
/* Whether a point is allowed, and its costs, which must not depend on anything but the point. Where it is not, by how much (above
 * 0), for the search to learn from. */
typedef bool tune_judge(void *context, const struct tune_point *p, double *costs, double *beyond);

struct tune_search;
/* start: the point to compare with; it is tried on the last rung alone. Nobody asks whether it is allowed. */
struct tune_search *tune_new(struct arena *a, const struct tune_space *space,
                             const struct tune_config *config, const struct tune_point *start,
                             tune_judge *judge, void *context);
/* A task that can be begun now; each is given out once. false: none until results come, or never. */
bool tune_next(struct tune_search *s, struct tune_task *task);
/* A task's score. errors: a task that was not given out, or is done. */
bool tune_tell(struct tune_search *s, struct tune_task task, double score, struct err *e);
/* A task is given back, to be given out again: its worker is gone. */
void tune_return(struct tune_search *s, struct tune_task task);
/* Whether every task is done. */
bool tune_ended(const struct tune_search *s);
int tune_n_trials(const struct tune_search *s);
const struct tune_trial *tune_trial_of(const struct tune_search *s, int number);
/* Rounds all of whose tasks are done, counted from the first. */
int tune_whole_rounds(const struct tune_search *s);
/* Points that were proposed and not allowed. */
int tune_n_refused(const struct tune_search *s);

/* Points of n that no other beats: another beats one where it is as good in score and all costs, and better in one. Of equal ones
 * the first stays. score: [n], cost: [n][n_costs]. front: their places, by falling score, [n]. Returns how many. */
int tune_front(int n, int n_costs, const double *score, const double *costs, int *front);

/* ---- what it would have taken ------------------------------------------------------- */
/* Seconds until a search whose tasks take `seconds` is ended by so many workers, each taking the next task when it is free.
 * replayed: a search of the same configuration from whose trials the scores come. */
double tune_replay(struct arena *a, const struct tune_space *space,
                   const struct tune_config *config, const struct tune_search *replayed,
                   double (*seconds)(void *context, struct tune_task task), void *context,
                   int workers);

/* ---- the journal -------------------------------------------------------------------- */
/* A file to which lines are only added. Each line has a checksum over itself and all lines before it, and is on the disk when
 * tune_journal_add returns. A line that was cut off by a kill is taken off when the file is opened; what follows a damaged line
 * is, too.
 *
 * The first lines are settings; a journal of other settings is not continued. */
struct tune_journal;
/* lines: those behind the settings, without checksums. fresh: begins anew, the file emptied. dropped: bytes that were taken off. errors:
 * another process has it open; other settings, and which; not a journal, which is left as it is, fresh or not. */
bool tune_journal_open(struct arena *a, const char *path, const char *settings, bool fresh,
                       struct tune_journal **j, char ***lines, int *n, size_t *dropped,
                       struct err *e);
/* The same without changing it: settings and lines as they stand. */
bool tune_journal_read(struct arena *a, const char *path, char ***settings, int *n_settings,
                       char ***lines, int *n, struct err *e);
/* line: no line break in it. */
bool tune_journal_add(struct tune_journal *j, const char *line, struct err *e);
void tune_journal_close(struct tune_journal *j);

/* Rounds and results as lines, and back: a search that takes the lines of another is in the same state. `facts` is the caller's
 * text behind a result. */
int tune_n_rounds(const struct tune_search *s); /* proposed so far */
const char *tune_round_line(struct arena *a, const struct tune_search *s, int round);
const char *tune_done_line(struct arena *a, struct tune_task task, double score, const char *facts);
/* task->trial -1: the line was a round. errors: a line that does not fit the search. */
bool tune_take(struct tune_search *s, const char *line, struct tune_task *task, const char **facts,
               struct err *e);

#endif
