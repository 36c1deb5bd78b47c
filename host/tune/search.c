/* search: which task is next. Rounds of points, rungs of effort; see the door. */
#include "host/tune/private.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRIES       48 /* points that may be refused for one that is allowed, while a round is proposed */
#define FIRST_SEEN  8    /* before so many scores are known, points are drawn without a model */
#define MUTATED     0.35 /* share of the start's values that a near point draws anew */
#define MODEL_DRAWS 24

enum state { WAITING, GIVEN, DONE };

struct trial {
  struct tune_trial t;
  enum state state[TUNE_MAX_RUNGS];
  int rungs_from, rungs_to; /* rungs that it is tried on so far: from .. to - 1 */
};

struct round {
  int first, n; /* trials */
  int rung;     /* the highest that was opened */
  bool ended;
};

struct tune_search {
  struct arena *arena;
  const struct tune_space *space;
  struct tune_config c;
  struct tune_point start;
  tune_judge *judge;
  void *context;
  struct trial *trials; /* [most] */
  int most;
  struct round *rounds;
  int n_trials, n_rounds, n_refused;
  bool exhausted;                 /* no further point is allowed */
  const struct tune_search *from; /* whose rounds are taken over in place of new ones; NULL: none */
};

struct tune_search *tune_new(struct arena *a, const struct tune_space *space,
                             const struct tune_config *config, const struct tune_point *start,
                             tune_judge *judge, void *context) {
  struct tune_search *s = ARENA_NEW(a, struct tune_search);
  s->arena = a;
  s->space = space;
  s->c = *config;
  if (s->c.round < 1) s->c.round = 9;
  if (s->c.rungs < 1) s->c.rungs = 3;
  if (s->c.rungs > TUNE_MAX_RUNGS) s->c.rungs = TUNE_MAX_RUNGS;
  if (s->c.factor < 2) s->c.factor = 3;
  if (s->c.rounds < 1) s->c.rounds = 1;
  s->most = s->c.rounds * s->c.round + 1;
  s->start = *start;
  tune_snap(space, &s->start);
  s->judge = judge;
  s->context = context;
  s->trials = ARENA_ARRAY(a, struct trial, s->most);
  s->rounds = ARENA_ARRAY(a, struct round, s->c.rounds + 1);
  return s;
}

/* ---- what is known -------------------------------------------------------------------- */
/* Rungs of round `q` whose results a round `r` is made from, fixed beforehand: the last of them may still be running then, and
 * eight workers find enough to do. */
static int rungs_used(const struct tune_search *s, int r, int q) {
  const int used = r - q >= 4 ? s->c.rungs : r - q >= 2 ? 2 : 1;
  return used < s->c.rungs ? used : s->c.rungs;
}

/* Mean gain from rung k to rung k + 1 of the trials that were on both, as far as round r may know. */
static void find_gains(const struct tune_search *s, int r, double *gain) {
  for (int k = 0; k + 1 < s->c.rungs; k++) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->n_trials; i++) {
      const struct trial *t = &s->trials[i];
      if (rungs_used(s, r, t->t.round) <= k + 1 || t->rungs_from > k || t->t.done <= k + 1)
        continue;
      if (!isfinite(t->t.score[k]) || !isfinite(t->t.score[k + 1])) continue;
      sum += t->t.score[k + 1] - t->t.score[k];
      n++;
    }
    gain[k] = n ? sum / n : 0;
  }
}

/* The score that a trial would have on the last rung, as far as the last of its first `most` rungs and the mean gains tell. */
static double full_score(const struct tune_search *s, const struct trial *t, int most,
                         const double *gain) {
  const int done = t->t.done < most ? t->t.done : most;
  if (done <= t->rungs_from) return NAN;
  double score = t->t.score[done - 1];
  for (int k = done - 1; k + 1 < s->c.rungs; k++) score += gain[k];
  return score;
}

/* ---- proposing ------------------------------------------------------------------------------ */
static bool is_new(const struct tune_search *s, const struct tune_point *p) {
  for (int i = 0; i < s->n_trials; i++)
    if (tune_same(s->space, &s->trials[i].t.point, p)) return false;
  return true;
}

static void near_start(const struct tune_search *s, struct rng *r, struct tune_point *p) {
  tune_random(s->space, r, p);
  for (int i = 0; i < s->space->n; i++)
    if ((double)rng_unit(r) >= MUTATED && !isnan(s->start.x[i])) p->x[i] = s->start.x[i];
  tune_snap(s->space, p);
}

struct proposal {
  struct tune_seen *seen; /* of trials, then of points refused while this round is made */
  struct tune_point *refused;
  int n_seen, n_refused, n_known;
};

static bool try_point(struct tune_search *s, struct proposal *w, const struct tune_point *p,
                      double *costs) {
  double beyond = 0;
  if (!is_new(s, p)) return false;
  if (!s->judge || s->judge(s->context, p, costs, &beyond)) return true;
  s->n_refused++;
  w->refused[w->n_refused] = *p;
  w->seen[w->n_seen++] = (struct tune_seen){.point = &w->refused[w->n_refused], .score = NAN};
  w->n_refused++;
  return false;
}

/* How the i-th point of a round is drawn: one in nine evenly, so that nothing is overlooked for good. */
static bool propose_one(struct tune_search *s, struct proposal *w, int round, int i,
                        struct arena *a, struct trial *out) {
  struct rng r;
  struct tune_point p, drawn[MODEL_DRAWS];
  const bool model = !s->c.random && w->n_known >= FIRST_SEEN && i % 9 != 8;
  const bool near = !s->c.random && w->n_known < FIRST_SEEN && i % 2 == 1;
  int left = 0;
  rng_seed(&r, rng_mix(s->c.seed ^ rng_mix(((uint64_t)round << 20) + (uint64_t)i + 1)));
  for (int tries = 0; tries < TRIES; tries++) {
    if (model && left == 0) {
      tune_draw(s->space, s->c.n_costs, w->seen, w->n_seen, &r, a, drawn, MODEL_DRAWS);
      left = MODEL_DRAWS;
    }
    if (model)
      p = drawn[MODEL_DRAWS - left--];
    else if (near)
      near_start(s, &r, &p);
    else
      tune_random(s->space, &r, &p);
    memset(out, 0, sizeof *out);
    if (!try_point(s, w, &p, out->t.costs)) continue;
    out->t.point = p;
    return true;
  }
  return false;
}

static void add_trial(struct tune_search *s, struct proposal *w, const struct trial *t, int round) {
  struct trial *made = &s->trials[s->n_trials];
  *made = *t;
  made->t.number = s->n_trials++;
  made->t.round = round;
  made->rungs_to = 1;
  if (made->t.number == 0) { /* the start: the last rung alone */
    made->rungs_from = s->c.rungs - 1;
    made->rungs_to = s->c.rungs;
  }
  if (w)
    w->seen[w->n_seen++] =
        (struct tune_seen){.point = &made->t.point, .score = NAN, .allowed = true};
}

/* The next round of the search that is replayed. */
static void repeat(struct tune_search *s) {
  struct round *r = &s->rounds[s->n_rounds];
  *r = (struct round){.first = s->n_trials};
  s->exhausted = s->n_rounds == s->from->n_rounds;
  if (s->exhausted) return;
  for (; r->n < s->from->rounds[s->n_rounds].n; r->n++) {
    struct trial t = {.t = s->from->trials[s->n_trials].t};
    t.t.done = 0;
    add_trial(s, NULL, &t, s->n_rounds);
  }
  s->n_rounds++;
}

static void propose(struct tune_search *s) {
  struct arena *a = arena_new(0);
  const int round = s->n_rounds;
  struct round *r = &s->rounds[round];
  double gain[TUNE_MAX_RUNGS] = {0};
  struct trial t;
  if (!a) return;
  const int wanted = s->c.round + (round == 0);
  struct proposal w = {.seen =
                           ARENA_ARRAY(a, struct tune_seen, s->most + TRIES * (s->c.round + 1) + 1),
                       .refused = ARENA_ARRAY(a, struct tune_point, TRIES * (s->c.round + 1) + 1)};
  find_gains(s, round, gain);
  for (int i = 0; i < s->n_trials; i++) {
    const struct trial *o = &s->trials[i];
    struct tune_seen *n = &w.seen[w.n_seen++];
    *n = (struct tune_seen){.point = &o->t.point, .score = NAN, .allowed = true};
    memcpy(n->costs, o->t.costs, sizeof n->costs);
    n->score = full_score(s, o, rungs_used(s, round, o->t.round), gain);
    w.n_known += isfinite(n->score);
  }
  *r = (struct round){.first = s->n_trials};
  for (int i = 0; i < wanted; i++) {
    memset(&t, 0, sizeof t);
    double beyond;
    if (round == 0 && i == 0) {
      t.t.point = s->start;
      if (s->judge) s->judge(s->context, &s->start, t.t.costs, &beyond);
    } else if (!propose_one(s, &w, round, i, a, &t)) {
      continue;
    }
    add_trial(s, &w, &t, round);
    r->n++;
  }
  s->exhausted = r->n == 0;
  r->ended = r->n == 0;
  s->n_rounds += r->n > 0;
  arena_free(a);
}

/* ---- rungs ----------------------------------------------------------------------------------- */
/* Whether every trial of a round that is tried on rung k is done with it. */
static bool rung_done(const struct tune_search *s, const struct round *r, int k) {
  for (int i = r->first; i < r->first + r->n; i++) {
    const struct trial *t = &s->trials[i];
    if (t->rungs_from <= k && k < t->rungs_to && t->state[k] != DONE) return false;
  }
  return true;
}

/* The better part of a rung goes on to the next. */
static void promote(struct tune_search *s, const struct round *r, struct arena *a) {
  int *place = ARENA_ARRAY(a, int, r->n), *order = ARENA_ARRAY(a, int, r->n), n = 0, keep = r->n;
  double *score = ARENA_ARRAY(a, double, r->n);
  double *costs = ARENA_ARRAY(a, double, r->n * s->c.n_costs + 1);
  for (int i = r->first; i < r->first + r->n; i++) {
    const struct trial *t = &s->trials[i];
    if (t->rungs_from > r->rung || t->rungs_to <= r->rung || !isfinite(t->t.score[r->rung]))
      continue;
    place[n] = i;
    score[n] = t->t.score[r->rung];
    memcpy(costs + n * s->c.n_costs, t->t.costs, (size_t)s->c.n_costs * sizeof *costs);
    n++;
  }
  tune_choose(n, s->c.n_costs, score, costs, a, order);
  for (int k = 0; k <= r->rung; k++) keep = (keep + s->c.factor - 1) / s->c.factor;
  for (int i = 0; i < n && i < keep; i++) s->trials[place[order[i]]].rungs_to = r->rung + 2;
}

/* Opens the next rung of a round whose last is finished, or ends the round. */
static void advance(struct tune_search *s, struct round *r) {
  while (!r->ended && rung_done(s, r, r->rung)) {
    if (r->rung + 1 == s->c.rungs) {
      r->ended = true;
      return;
    }
    struct arena *a = arena_new(0);
    if (!a) return;
    promote(s, r, a);
    arena_free(a);
    r->rung++;
  }
}

static void move_on(struct tune_search *s) {
  bool free_to = true;
  for (int q = 0; q < s->n_rounds; q++) {
    const int used = rungs_used(s, s->n_rounds, q);
    free_to &= s->rounds[q].ended || (used < s->c.rungs && s->rounds[q].rung >= used);
  }
  if (free_to && !s->exhausted && s->n_rounds < s->c.rounds) {
    bool waits = false;
    for (int i = 0; i < s->n_trials; i++)
      for (int k = s->trials[i].rungs_from; k < s->trials[i].rungs_to; k++)
        waits |= s->trials[i].state[k] == WAITING;
    if (!waits && s->from)
      repeat(s);
    else if (!waits)
      propose(s);
  }
}

bool tune_next(struct tune_search *s, struct tune_task *task) {
  move_on(s);
  for (int i = 0; i < s->n_trials; i++)
    for (int k = s->trials[i].rungs_from; k < s->trials[i].rungs_to; k++)
      if (s->trials[i].state[k] == WAITING) {
        s->trials[i].state[k] = GIVEN;
        *task = (struct tune_task){i, k};
        return true;
      }
  return false;
}

static bool is_task(const struct tune_search *s, struct tune_task t) {
  return t.trial >= 0 && t.trial < s->n_trials && t.rung >= s->trials[t.trial].rungs_from &&
         t.rung < s->trials[t.trial].rungs_to;
}

bool tune_tell(struct tune_search *s, struct tune_task task, double score, struct err *e) {
  if (!is_task(s, task) || s->trials[task.trial].state[task.rung] == DONE)
    return err_set(e, "trial %d has no task on rung %d", task.trial, task.rung);
  struct trial *t = &s->trials[task.trial];
  t->state[task.rung] = DONE;
  t->t.score[task.rung] = isnan(score) ? (double)-INFINITY : score;
  t->t.done = task.rung + 1;
  advance(s, &s->rounds[t->t.round]);
  return true;
}

void tune_return(struct tune_search *s, struct tune_task task) {
  if (is_task(s, task) && s->trials[task.trial].state[task.rung] == GIVEN)
    s->trials[task.trial].state[task.rung] = WAITING;
}

bool tune_ended(const struct tune_search *s) {
  for (int i = 0; i < s->n_rounds; i++)
    if (!s->rounds[i].ended) return false;
  return s->exhausted || s->n_rounds >= s->c.rounds;
}

int tune_n_trials(const struct tune_search *s) { return s->n_trials; }
int tune_n_rounds(const struct tune_search *s) { return s->n_rounds; }
int tune_n_refused(const struct tune_search *s) { return s->n_refused; }
const struct tune_trial *tune_trial_of(const struct tune_search *s, int number) {
  return &s->trials[number].t;
}
int tune_whole_rounds(const struct tune_search *s) {
  int n = 0;
  while (n < s->n_rounds && s->rounds[n].ended) n++;
  return n;
}

/* ---- lines ------------------------------------------------------------------------------------ */
const char *tune_round_line(struct arena *a, const struct tune_search *s, int round) {
  const struct round *r = &s->rounds[round];
  struct text t;
  text_init(&t, a);
  text_printf(&t, "round %d %d %d %d", round, r->n, s->space->n, s->c.n_costs);
  for (int i = r->first; i < r->first + r->n; i++) {
    for (int k = 0; k < s->space->n; k++) text_printf(&t, " %a", s->trials[i].t.point.x[k]);
    for (int k = 0; k < s->c.n_costs; k++) text_printf(&t, " %a", s->trials[i].t.costs[k]);
  }
  return t.data;
}

const char *tune_done_line(struct arena *a, struct tune_task task, double score,
                           const char *facts) {
  return arena_printf(a, "done %d %d %a %s", task.trial, task.rung, score, facts ? facts : "");
}

static bool take_round(struct tune_search *s, const char *line, struct err *e) {
  int round, n, params, costs, used = 0;
  if (sscanf(line, "round %d %d %d %d%n", &round, &n, &params, &costs, &used) != 4 ||
      round != s->n_rounds || n < 1 || n > s->most - s->n_trials || s->n_rounds >= s->c.rounds ||
      params != s->space->n || costs != s->c.n_costs)
    return err_set(e, "a round that does not follow: %.60s", line);
  const char *p = line + used;
  struct round *r = &s->rounds[round];
  *r = (struct round){.first = s->n_trials};
  for (int i = 0; i < n; i++) {
    struct trial t = {0};
    for (int k = 0; k < params + costs; k++) {
      char *end;
      const double x = strtod(p, &end);
      if (end == p) return err_set(e, "a round that ends early: %.60s", line);
      p = end;
      if (k < params)
        t.t.point.x[k] = x;
      else
        t.t.costs[k - params] = x;
    }
    struct tune_point snapped = t.t.point;
    tune_snap(s->space, &snapped);
    if (!tune_same(s->space, &snapped, &t.t.point))
      return err_set(e, "a point that is not of this space: %.60s", line);
    t.t.point = snapped;
    add_trial(s, NULL, &t, round);
    r->n++;
  }
  s->n_rounds++;
  return true;
}

bool tune_take(struct tune_search *s, const char *line, struct tune_task *task, const char **facts,
               struct err *e) {
  int used = 0;
  double score;
  *task = (struct tune_task){-1, -1};
  *facts = "";
  if (text_starts(line, "round ")) return take_round(s, line, e);
  struct tune_task t;
  if (sscanf(line, "done %d %d %la %n", &t.trial, &t.rung, &score, &used) != 3 || !used)
    return err_set(e, "neither a round nor a result: %.60s", line);
  if (!tune_tell(s, t, score, e)) return false;
  *task = t;
  *facts = line + used;
  return true;
}

/* ---- what it would have taken -------------------------------------------------------------------- */
double tune_replay(struct arena *a, const struct tune_space *space,
                   const struct tune_config *config, const struct tune_search *replayed,
                   double (*seconds)(void *context, struct tune_task task), void *context,
                   int workers) {
  struct worker {
    bool busy;
    struct tune_task task;
    double until;
  } *w = ARENA_ARRAY(a, struct worker, workers);
  struct tune_search *s = tune_new(a, space, config, &replayed->start, NULL, NULL);
  s->from = replayed;
  for (double now = 0;;) {
    int next = -1;
    for (int i = 0; i < workers; i++) {
      if (!w[i].busy && (w[i].busy = tune_next(s, &w[i].task)))
        w[i].until = now + seconds(context, w[i].task);
      if (w[i].busy && (next < 0 || w[i].until < w[next].until)) next = i;
    }
    if (next < 0) return now;
    const struct tune_task done = w[next].task;
    now = w[next].until;
    w[next].busy = false;
    const struct trial *t = &replayed->trials[done.trial];
    if (t->state[done.rung] != DONE || !tune_tell(s, done, t->t.score[done.rung], NULL)) return now;
  }
}
