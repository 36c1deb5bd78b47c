/* tuning_show: what `mote tune` says while it searches and when it is done: a live table or a line for each trial, the
 * best points as a table, an object, a page. */
#ifndef APP_TUNING_SHOW_H
#define APP_TUNING_SHOW_H

#include "app/tuning.h"

struct tuning_show {
  struct command_line *c;
  struct tuning *t;
  struct tune_search *search;
  struct tuning_result (*results)[TUNE_MAX_RUNGS]; /* [most trials][rungs] */
  bool (*done)[TUNE_MAX_RUNGS];
  int finished, failed, resumed; /* trainings; resumed: of those, from the journal */
  double seconds;                /* of this run */
  bool stopped, in_time;         /* by a signal; all rounds done */
  bool terminal;
  int drawn; /* lines of the live table */
  double drawn_at;
};

void tuning_show_begin(struct tuning_show *s, struct command_line *c, struct tuning *t,
                       struct tune_search *search, int most);
void tuning_show_keep(struct tuning_show *s, struct tune_task task, const struct tuning_result *r);
void tuning_show_news(struct tuning_show *s, struct tune_task task, const struct tuning_result *r);
/* seconds: since the start; most: the limit, 0 none. */
void tuning_show_time(struct tuning_show *s, double seconds, double most, int busy);
/* Takes the live table off the terminal. */
void tuning_show_quiet(struct tuning_show *s);
/* The best points: trials that no other beats. Returns how many; numbers: [tune_n_trials]. */
int tuning_show_front(const struct tuning_show *s, struct arena *a, int *numbers);
bool tuning_show_result(struct tuning_show *s, const struct tune_config *config,
                        const struct option_list *ranks, const char *journal, const char *html,
                        struct err *e);
void tuning_show_applied(struct tuning_show *s, int number, const char *path);

/* The page (tuning_page.c). */
bool tuning_page(const struct tuning_show *s, const int *front, int n, const char *path,
                 struct err *e);
/* A cost in a table: "63,808", "12.3", or a dash. */
const char *tuning_cost_text(struct arena *a, int cost, double x);
/* The result of a trial on the last rung, or NULL. */
const struct tuning_result *tuning_show_last(const struct tuning_show *s, int trial);

#endif
