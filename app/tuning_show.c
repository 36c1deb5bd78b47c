/* tuning_show: see the header. */
#include "app/tuning_show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVE_ROWS 8
#define LIVE_S    0.5

void tuning_show_begin(struct tuning_show *s, struct command_line *c, struct tuning *t,
                       struct tune_search *search, int most) {
  *s = (struct tuning_show){.c = c, .t = t, .search = search};
  s->results = arena_alloc(c->arena, (size_t)most, sizeof *s->results);
  s->done = arena_alloc(c->arena, (size_t)most, sizeof *s->done);
  s->terminal = isatty(2) == 1 && !c->quiet;
}

void tuning_show_keep(struct tuning_show *s, struct tune_task task, const struct tuning_result *r) {
  s->results[task.trial][task.rung] = *r;
  s->done[task.trial][task.rung] = true;
  s->finished++;
  s->failed += !r->ok;
}

const struct tuning_result *tuning_show_last(const struct tuning_show *s, int trial) {
  const int last = s->t->rungs - 1;
  return s->done[trial][last] ? &s->results[trial][last] : NULL;
}

const char *tuning_cost_text(struct arena *a, int cost, double x) {
  if (isnan(x)) return "-";
  if (cost == TUNING_MS || cost == TUNING_UJ)
    return x < 100 ? arena_printf(a, "%.3g", x)
                   : arena_printf(a, "%s", text_thousands((int64_t)llround(x)));
  return arena_printf(a, "%s", text_thousands((int64_t)llround(x)));
}

static bool shown(const struct tuning_show *s, int cost) {
  return cost != TUNING_MS && cost != TUNING_UJ ? true : s->t->base.counted && s->t->board;
}

int tuning_show_front(const struct tuning_show *s, struct arena *a, int *numbers) {
  const int n = tune_n_trials(s->search), k = s->t->n_against;
  double *score = ARENA_ARRAY(a, double, n + 1), *costs = ARENA_ARRAY(a, double, n *k + 1), beyond;
  int *place = ARENA_ARRAY(a, int, n + 1), made = 0;
  for (int i = 0; i < n; i++) {
    const struct tuning_result *r = tuning_show_last(s, i);
    if (!r || !r->ok || !tuning_allowed(s->t, &r->figures, &beyond)) continue;
    score[made] = r->accuracy;
    tuning_costs(s->t, &r->figures, costs + made * k);
    place[made++] = i;
  }
  const int found = tune_front(made, k, score, costs, numbers);
  for (int i = 0; i < found; i++) numbers[i] = place[numbers[i]];
  return found;
}

/* ---- tables --------------------------------------------------------------------------------- */
static void head(const struct tuning_show *s, struct text *t) {
  text_printf(t, "%5s %9s", "trial", "accuracy");
  for (int k = 0; k < TUNING_COSTS; k++)
    if (shown(s, k)) text_printf(t, " %12s", tuning_cost_names[k]);
  text_add(t, "  settings\n");
}

static const char *words_of(const struct tuning_show *s, struct arena *a, int trial) {
  return trial == 0 ? "mote.yaml as it is"
                    : tuning_words(s->t, a, &tune_trial_of(s->search, trial)->point);
}

static void row(const struct tuning_show *s, struct arena *a, int trial,
                const struct tuning_result *r, struct text *t) {
  text_printf(t, "%5d %7.1f %%", trial, 100 * r->accuracy);
  for (int k = 0; k < TUNING_COSTS; k++)
    if (shown(s, k)) text_printf(t, " %12s", tuning_cost_text(a, k, r->figures.of[k]));
  text_printf(t, "  %s\n", words_of(s, a, trial));
}

void tuning_show_quiet(struct tuning_show *s) {
  if (s->terminal && s->drawn) fprintf(stderr, "\033[%dA\033[J", s->drawn);
  s->drawn = 0;
}

void tuning_show_time(struct tuning_show *s, double seconds, double most, int busy) {
  if (!s->terminal || seconds - s->drawn_at < LIVE_S) return;
  struct arena *a = arena_new(0);
  struct text t;
  if (!a) return;
  int *front = ARENA_ARRAY(a, int, tune_n_trials(s->search) + 1);
  const int n = tuning_show_front(s, a, front);
  text_init(&t, a);
  head(s, &t);
  for (int i = 0; i < n && i < LIVE_ROWS; i++)
    row(s, a, front[i], tuning_show_last(s, front[i]), &t);
  text_printf(&t, "%d trainings done, %d running, %d points, %d did not fit; %.0f s", s->finished,
              busy, tune_n_trials(s->search), tune_n_refused(s->search) - s->t->n_unmade, seconds);
  if (most > 0) text_printf(&t, " of %.0f", most);
  text_add(&t, "\n");
  tuning_show_quiet(s);
  /* No line may wrap: the table is drawn over by counting lines. */
  for (char *line = t.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    fprintf(stderr, "%.*s\n", (int)(end - line < 110 ? end - line : 110), line);
    s->drawn++;
  }
  s->drawn_at = seconds;
  arena_free(a);
}

void tuning_show_news(struct tuning_show *s, struct tune_task task, const struct tuning_result *r) {
  if (s->terminal || s->c->quiet) return;
  struct arena *a = arena_new(0);
  if (!a) return;
  fprintf(stderr, "trial %d, rung %d of %d: ", task.trial, task.rung + 1, s->t->rungs);
  if (r->ok)
    fprintf(stderr, "%.1f %%, flash %s, ram %s, %.1f s; %s\n", 100 * r->accuracy,
            tuning_cost_text(a, TUNING_FLASH, r->figures.of[TUNING_FLASH]),
            tuning_cost_text(a, TUNING_RAM, r->figures.of[TUNING_RAM]), r->seconds,
            words_of(s, a, task.trial));
  else
    fprintf(stderr, "failed: %s; %s\n", r->why, words_of(s, a, task.trial));
  arena_free(a);
}

/* ---- the end ------------------------------------------------------------------------------------ */
struct durations {
  const struct tuning_show *s;
};
static double duration(void *context, struct tune_task task) {
  return ((const struct durations *)context)->s->results[task.trial][task.rung].seconds;
}
static double simulated(const struct tuning_show *s, const struct tune_config *config,
                        int workers) {
  struct durations d = {s};
  struct arena *a = arena_new(0);
  if (!a) return NAN;
  const double seconds = tune_replay(a, &s->t->space, config, s->search, duration, &d, workers);
  arena_free(a);
  return seconds;
}

static void json_figures(struct json *j, const struct tuning_result *r) {
  static const char *const keys[] = {"flash_bytes", "ram_bytes", "instructions", "milliseconds",
                                     "energy_uj"};
  for (int k = 0; k < TUNING_COSTS; k++)
    if (k < TUNING_MS && isfinite(r->figures.of[k]))
      json_put_int(j, keys[k], llround(r->figures.of[k]));
    else
      json_put_real(j, keys[k], r->figures.of[k]);
  json_put_bool(j, "counted", r->figures.counted);
}

static void json_trial(const struct tuning_show *s, struct json *j, int i) {
  const struct tune_trial *trial = tune_trial_of(s->search, i);
  double beyond = 0;
  json_open_object(j, NULL);
  json_put_int(j, "trial", i);
  json_put_int(j, "round", trial->round);
  json_put_string(j, "settings", words_of(s, s->c->arena, i));
  json_open_object(j, "parameters");
  for (int k = 0; k < s->t->space.n; k++)
    json_put_real(j, s->t->space.params[k].name, trial->point.x[k]);
  json_close_object(j);
  json_open_array(j, "rungs");
  for (int k = 0; k < s->t->rungs; k++) {
    const struct tuning_result *r = &s->results[i][k];
    if (!s->done[i][k]) continue;
    json_open_object(j, NULL);
    json_put_int(j, "rung", k);
    json_put_real(j, "accuracy", r->accuracy);
    json_put_real(j, "accuracy_own", r->own);
    json_put_real(j, "seconds", r->seconds);
    json_figures(j, r);
    json_put_bool(j, "fits", r->ok && tuning_allowed(s->t, &r->figures, &beyond));
    json_put_string(j, "model", r->ok ? r->model : NULL);
    json_put_string(j, "error", r->ok ? NULL : r->why);
    json_close_object(j);
  }
  json_close_array(j);
  json_close_object(j);
}

static void print_json(const struct tuning_show *s, const struct tune_config *config,
                       const struct option_list *ranks, const char *journal, const int *front,
                       int n) {
  struct text t;
  struct json j;
  text_init(&t, s->c->arena);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "journal", journal);
  json_put_string(&j, "target", s->t->target->name);
  json_put_string(&j, "board", s->t->board ? s->t->board->name : NULL);
  json_put_int(&j, "seed", (int64_t)config->seed);
  json_put_int(&j, "folds", s->t->folds);
  json_put_int(&j, "trials", tune_n_trials(s->search));
  json_put_int(&j, "whole_rounds", tune_whole_rounds(s->search));
  json_put_int(&j, "trainings", s->finished);
  json_put_int(&j, "failed", s->failed);
  json_put_int(&j, "refused", tune_n_refused(s->search) - s->t->n_unmade);
  json_put_int(&j, "unmade", s->t->n_unmade);
  json_put_string(&j, "reason_unmade", s->t->n_unmade ? s->t->why : NULL);
  json_put_real(&j, "seconds", s->seconds);
  json_open_array(&j, "against");
  for (int i = 0; i < s->t->n_against; i++)
    json_put_string(&j, NULL, tuning_cost_names[s->t->against[i]]);
  json_close_array(&j);
  json_open_array(&j, "front");
  for (int i = 0; i < n; i++) json_put_int(&j, NULL, front[i]);
  json_close_array(&j);
  json_open_array(&j, "simulated");
  for (int i = 0; i < ranks->count; i++) {
    const int workers = (int)strtol(ranks->items[i], NULL, 10);
    json_open_object(&j, NULL);
    json_put_int(&j, "workers", workers);
    json_put_real(&j, "seconds", simulated(s, config, workers));
    json_close_object(&j);
  }
  json_close_array(&j);
  json_open_array(&j, "all");
  for (int i = 0; i < tune_n_trials(s->search); i++) json_trial(s, &j, i);
  json_close_array(&j);
  json_close_object(&j);
  fputs(t.data, stdout);
}

/* Whether a point beats trial 0 in accuracy and is no worse in any cost that it is weighed against. */
static bool better_than_base(const struct tuning_show *s, const struct tuning_result *r) {
  const struct tuning_result *base = tuning_show_last(s, 0);
  double x[TUNING_COSTS], y[TUNING_COSTS];
  if (!base || !base->ok || !(r->accuracy > base->accuracy)) return false;
  tuning_costs(s->t, &r->figures, x);
  tuning_costs(s->t, &base->figures, y);
  for (int i = 0; i < s->t->n_against; i++)
    if (x[i] > y[i]) return false;
  return true;
}

static void print_text(const struct tuning_show *s, const struct tune_config *config,
                       const struct option_list *ranks, const char *journal, const int *front,
                       int n) {
  struct arena *a = s->c->arena;
  const struct tuning_result *base = tuning_show_last(s, 0);
  struct text t;
  double beyond = 0;
  int better = -1;
  text_init(&t, a);
  text_printf(&t, "%d points, %d whole rounds, %d trainings%s; %s\n", tune_n_trials(s->search),
              tune_whole_rounds(s->search), s->finished,
              s->failed ? arena_printf(a, " (%d failed)", s->failed) : "", journal);
  if (s->t->folds > 1) text_printf(&t, "mean of %d divisions: ", s->t->folds);
  text_printf(&t, "validation accuracy in int8, %s on %s\n\n",
              s->t->base.counted ? "built and counted" : "the plan's figures and estimates",
              s->t->board ? s->t->board->title : s->t->target->name);
  if (n || base) head(s, &t);
  for (int i = 0; i < n; i++) {
    const struct tuning_result *r = tuning_show_last(s, front[i]);
    row(s, a, front[i], r, &t);
    if (better < 0 && front[i] != 0 && better_than_base(s, r)) better = front[i];
  }
  bool in_front = false;
  for (int i = 0; i < n; i++) in_front |= front[i] == 0;
  if (base && base->ok && !in_front) {
    const bool fits = tuning_allowed(s->t, &base->figures, &beyond);
    text_printf(&t, "%s\n", fits ? "beaten by these:" : "does not fit:");
    row(s, a, 0, base, &t);
  }
  if (!n)
    text_add(&t, "no point was tried on the last rung yet, or none fits: more --minutes or "
                 "--trials, or wider limits\n");
  if (s->t->n_unmade > tune_n_trials(s->search)) /* a few are usual */
    text_printf(&t, "%d points have features or a network that cannot be made; the first: %s\n",
                s->t->n_unmade, s->t->why);
  if (better >= 0)
    text_printf(&t, "\ntrial %d is more accurate than mote.yaml as it is, and costs no more\n",
                better);
  for (int i = 0; i < ranks->count; i++) {
    const int workers = (int)strtol(ranks->items[i], NULL, 10);
    text_printf(&t, "%s%d worker%s: %.0f s (simulated)\n", i ? "" : "\n", workers,
                workers == 1 ? "" : "s", simulated(s, config, workers));
  }
  const int next = better >= 0 ? better : n && front[0] ? front[0] : n > 1 ? front[1] : 0;
  if (next) /* else mote.yaml has the best already */
    text_printf(&t, "\nnext:  mote tune --write %d && mote train && mote test\n", next);
  fputs(t.data, stdout);
}

bool tuning_show_result(struct tuning_show *s, const struct tune_config *config,
                        const struct option_list *ranks, const char *journal, const char *html,
                        struct err *e) {
  int *front = ARENA_ARRAY(s->c->arena, int, tune_n_trials(s->search) + 1);
  const int n = tuning_show_front(s, s->c->arena, front);
  if (html && !tuning_page(s, front, n, html, e)) return false;
  if (s->c->json)
    print_json(s, config, ranks, journal, front, n);
  else
    print_text(s, config, ranks, journal, front, n);
  return true;
}

void tuning_show_applied(struct tuning_show *s, int number, const char *path) {
  struct arena *a = s->c->arena;
  const struct tuning_result *r = tuning_show_last(s, number);
  if (s->c->json) {
    struct text t;
    struct json j;
    text_init(&t, a);
    json_start(&j, &t);
    json_open_object(&j, NULL);
    json_put_int(&j, "written", number);
    json_put_string(&j, "file", path);
    json_put_real(&j, "accuracy", r && r->ok ? r->accuracy : (double)NAN);
    json_put_real(&j, "accuracy_own", r && r->ok ? r->own : (double)NAN);
    json_put_string(&j, "model", r && r->ok ? r->model : NULL);
    json_close_object(&j);
    fputs(t.data, stdout);
    return;
  }
  printf("trial %d is in %s: %s\n", number, path, words_of(s, a, number));
  if (r && r->ok && s->t->folds > 1)
    printf("accuracy %.1f %% on average of %d divisions, ", 100 * r->accuracy, s->t->folds);
  if (r && r->ok) printf("%.1f %% on the validation samples\n", 100 * r->own);
  printf("\nnext:  mote train\n");
}
