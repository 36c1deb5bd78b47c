/* tuning_crew: who tries the points: threads of this process, and those of the other ranks.
 *
 * How it works: every rank has a crew of threads, each of which trains one point at a time. Rank 0 has the search and the
 * journal; it hands tasks to whoever is free and takes results as they come. A task's result depends on the task alone, so who
 * did it and when changes nothing. Every rank says every few seconds that it lives; where one falls silent rank 0 ends the run,
 * and the journal has all that was told.
 *
 * All messages come from one thread of a rank, the one that opened it. */
#ifndef APP_TUNING_CREW_H
#define APP_TUNING_CREW_H

#include "app/tuning.h"
#include "host/ranks/ranks.h"

struct tuning_crew;
struct tuning_done {
  struct tune_task task;
  struct tuning_result result;
};

/* Starts the threads of this rank. */
struct tuning_crew *tuning_crew_new(struct arena *a, struct tuning *t, struct ranks *ranks,
                                    int threads, struct err *e);
/* Rank 0: tells the others what all points share. */
bool tuning_crew_begin(struct tuning_crew *c, struct err *e);
/* The others: work until rank 0 says that it is over. errors: rank 0 is gone. */
bool tuning_crew_serve(struct tuning_crew *c, struct err *e);
/* Whether somebody is free; gives the task away. */
bool tuning_crew_free(const struct tuning_crew *c);
bool tuning_crew_give(struct tuning_crew *c, struct tune_task task, const struct tune_point *p,
                      struct err *e);
int tuning_crew_busy(const struct tuning_crew *c);
/* A result where one has come within a few milliseconds. false with e->text: a rank is gone. */
bool tuning_crew_take(struct tuning_crew *c, struct tuning_done *done, struct err *e);
/* What is being tried is given up. */
void tuning_crew_end(struct tuning_crew *c);

#endif
