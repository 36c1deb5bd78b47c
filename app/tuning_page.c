/* tuning_page: the page of a search: the best points, and for each cost a plot with the project's own settings beside what was
 * found. */
#include <math.h>

#include "app/tuning_show.h"
#include "host/report/report.h"

enum { BEST, OWN, OTHER };

static const char *axis_name(int cost) {
  static const char *const names[TUNING_COSTS] = {
      "flash, bytes", "RAM, bytes", "instructions, thousands", "milliseconds", "microjoules"};
  return names[cost];
}

static bool has(const int *list, int n, int x) {
  for (int i = 0; i < n; i++)
    if (list[i] == x) return true;
  return false;
}

static const char *words_of(const struct tuning_show *s, int trial) {
  return trial ? tuning_words(s->t, s->c->arena, &tune_trial_of(s->search, trial)->point)
               : "mote.yaml as it is";
}

static void add_plot(const struct tuning_show *s, struct report *r, const int *front, int n,
                     int cost) {
  static const char *const groups[] = {"best: no other is as accurate for as little",
                                       "mote.yaml as it is", "trained to the end, and beaten"};
  struct arena *a = s->c->arena;
  const int trials = tune_n_trials(s->search);
  struct report_dot *dots = ARENA_ARRAY(a, struct report_dot, trials + 1);
  const double unit = cost == TUNING_INSTRUCTIONS ? 1e3 : 1;
  int made = 0;
  for (int pass = 0; pass < 3; pass++)
    for (int i = 0; i < trials; i++) {
      const struct tuning_result *x = tuning_show_last(s, i);
      const int group = i == 0 ? OWN : has(front, n, i) ? BEST : OTHER;
      /* The beaten below, mote.yaml's above all. */
      if (!x || !x->ok || !isfinite(x->figures.of[cost]) ||
          group != (pass == 0   ? OTHER
                    : pass == 1 ? BEST
                                : OWN))
        continue;
      dots[made++] = (struct report_dot){
          .x = x->figures.of[cost] / unit,
          .y = 100 * x->accuracy,
          .group = group,
          .best = has(front, n, i),
          .label = group == OTHER ? NULL
                   : i            ? arena_printf(a, "%d", i)
                                  : "mote.yaml",
          .note = arena_printf(a, "trial %d: %.1f %%, %s %s; %s", i, 100 * x->accuracy,
                               tuning_cost_names[cost],
                               tuning_cost_text(a, cost, x->figures.of[cost]), words_of(s, i))};
    }
  if (!made) return;
  report_scatter(
      r, &(struct report_scatter){.caption = arena_printf(a, "Accuracy over %s", axis_name(cost)),
                                  .x_label = axis_name(cost),
                                  .y_label = "validation accuracy in int8, per cent",
                                  .count = made,
                                  .groups = 3,
                                  .group_names = groups,
                                  .dots = dots,
                                  .limit_x = s->t->most[cost] / unit,
                                  .limit_label = "limit"});
}

static void add_table(const struct tuning_show *s, struct report *r, const int *front, int n) {
  enum { COLUMNS = TUNING_COSTS + 3 };
  static const char *const head[COLUMNS] = {"trial",        "accuracy", "flash", "RAM",
                                            "instructions", "ms",       "uJ",    "settings"};
  static const bool numeric[COLUMNS] = {true, true, true, true, true, true, true, false};
  struct arena *a = s->c->arena;
  const char **cells = ARENA_ARRAY(a, const char *, (n + 1) * COLUMNS);
  int rows = 0;
  for (int i = 0; i <= n; i++) {
    const int trial = i < n ? front[i] : 0;
    const struct tuning_result *x = tuning_show_last(s, trial);
    if (!x || !x->ok || (i == n && has(front, n, 0))) continue;
    const char **row = cells + rows++ * COLUMNS;
    row[0] = arena_printf(a, "%d", trial);
    row[1] = arena_printf(a, "%.1f %%", 100 * x->accuracy);
    for (int k = 0; k < TUNING_COSTS; k++) row[2 + k] = tuning_cost_text(a, k, x->figures.of[k]);
    row[COLUMNS - 1] = words_of(s, trial);
  }
  report_table(r, &(struct report_table){.caption = "Best points, and mote.yaml as it is",
                                         .columns = COLUMNS,
                                         .rows = rows,
                                         .head = head,
                                         .cells = cells,
                                         .numeric = numeric});
}

bool tuning_page(const struct tuning_show *s, const int *front, int n, const char *path,
                 struct err *e) {
  struct arena *a = s->c->arena;
  struct report *r =
      report_new(a, arena_printf(a, "%s: what fits", s->t->p->config.name),
                 arena_printf(a,
                              "%d points in %d whole rounds, %d trainings, for %s. Accuracy is "
                              "that of int8 on the validation samples, of which "
                              "the best is a little favourable: `mote test` tells what to expect.",
                              tune_n_trials(s->search), tune_whole_rounds(s->search), s->finished,
                              s->t->board ? s->t->board->title : s->t->target->name));
  report_heading(r, "Accuracy and what it costs");
  for (int i = 0; i < s->t->n_against; i++) add_plot(s, r, front, n, s->t->against[i]);
  for (int k = 0; k < TUNING_COSTS; k++) {
    bool there = k == TUNING_INSTRUCTIONS && s->t->base.counted && s->t->board;
    for (int i = 0; i < s->t->n_against; i++) there |= s->t->against[i] == k;
    if (!there) add_plot(s, r, front, n, k);
  }
  report_heading(r, "Points");
  add_table(s, r, front, n);
  report_small(r, s->t->base.counted ? "Flash, RAM and instructions are those of programs that "
                                       "were built and run on the emulated chip; milliseconds "
                                       "and microjoules are estimates from them."
                                     : "Flash and RAM are those of the compiler's plan and an "
                                       "allowance for code and stack; nothing was built.");
  return report_write(r, path, e);
}
