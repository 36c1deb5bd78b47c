/* host/tune: the search against drawing evenly on functions whose best is known, the same list of trials whatever the order of
 * results, fronts, journals cut at every byte and processes killed while they write. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "host/tune/tune.h"

/* ---- a problem like the one that this is made for ----------------------------------------------------- */
/* A choice, of which one branch has a parameter more; real numbers on a line and on a logarithm; two that do not matter. */
static const struct tune_space space = {
    .n = 8,
    .params = {
        {.name = "kind", .kind = TUNE_CHOICE, .n_choices = 3, .parent = -1},
        {.name = "rate", .kind = TUNE_REAL, .low = 1e-3, .high = 1e-1, .log = true, .parent = -1},
        {.name = "width",
         .kind = TUNE_INT,
         .low = 4,
         .high = 96,
         .step = 4,
         .log = true,
         .parent = -1},
        {.name = "depth", .kind = TUNE_INT, .low = 1, .high = 6, .parent = 0, .when = 2},
        {.name = "strength", .kind = TUNE_REAL, .low = 0, .high = 2, .parent = -1},
        {.name = "share", .kind = TUNE_REAL, .low = 0.4, .high = 1, .parent = -1},
        {.name = "idle", .kind = TUNE_REAL, .low = 0, .high = 1, .parent = -1},
        {.name = "word", .kind = TUNE_CHOICE, .n_choices = 4, .parent = -1}}};

static double sq(double x) { return x * x; }

/* Best 1: kind 1, rate 0.01, width about 40, depth 4, strength 0.7. */
static double smooth(const struct tune_point *p) {
  double loss = p->x[0] == 1 ? 0 : p->x[0] == 0 ? 0.25 : 0.4;
  loss += 0.25 * sq(log10(p->x[1] / 0.01)) + 0.15 * sq(log2(p->x[2] / 40)) * 0.5;
  loss += 0.1 * sq(p->x[4] - 0.7) + 0.3 * sq(p->x[5] - 0.6);
  if (p->x[0] == 1) loss += 0.03 * sq(p->x[3] - 4);
  return 1 - loss;
}
/* Parameters that must agree with each other: a narrow valley. */
static double valley(const struct tune_point *p) {
  const double u = log10(p->x[1] / 1e-3) / 2, v = (p->x[4]) / 2;
  return 1 - 4 * sq(u - v) - 0.5 * sq(u - 0.8) - 0.2 * sq(log2(p->x[2] / 32)) * 0.3 -
         (p->x[7] == 2 ? 0 : 0.1);
}

static bool always(void *context, const struct tune_point *p, double *costs, double *beyond) {
  (void)context;
  *beyond = 0;
  costs[0] = p->x[2];
  return true;
}
/* Too wide does not fit; two kinds hardly ever. */
static bool narrow(void *context, const struct tune_point *p, double *costs, double *beyond) {
  always(context, p, costs, beyond);
  *beyond = p->x[2] * (p->x[0] == 1 ? 1 : 4) / 60 - 1;
  return *beyond <= 0;
}

/* A try with little effort sees less, and is wrong by a little: a hash of the point decides by how much. */
static double at_rung(double full, const struct tune_point *p, int rung) {
  uint64_t h = (uint64_t)rung + 1;
  for (int i = 0; i < space.n; i++) {
    uint64_t bits;
    memcpy(&bits, &p->x[i], sizeof bits);
    h = rng_mix(h ^ bits);
  }
  const double noise = (double)(h >> 11) / 9007199254740992.0 - 0.5;
  return full - 0.15 * (2 - rung) + 0.04 * (2 - rung) * noise;
}

static struct tune_search *new_search(struct arena *a, uint64_t seed, int rounds, bool random,
                                      tune_judge *judge) {
  struct tune_point start = {{0, 0.05, 16, NAN, 1.5, 0.9, 0.5, 0}};
  const struct tune_config c = {.seed = seed, .rounds = rounds, .n_costs = 1, .random = random};
  return tune_new(a, &space, &c, &start, judge, NULL);
}

static double best_full(const struct tune_search *s, double (*f)(const struct tune_point *)) {
  double best = -INFINITY;
  for (int i = 0; i < tune_n_trials(s); i++) {
    const struct tune_trial *t = tune_trial_of(s, i);
    if (t->done == 3) best = fmax(best, f(&t->point));
  }
  return best;
}

/* Mean of what is missing to the best after 5 rounds, over 40 seeds. */
static double regret(double (*f)(const struct tune_point *), tune_judge *judge, bool random) {
  double sum = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct arena *a = arena_new(0);
    struct tune_search *s = new_search(a, seed, 5, random, judge);
    struct tune_task task;
    while (tune_next(s, &task)) {
      const struct tune_point *p = &tune_trial_of(s, task.trial)->point;
      assert_true(tune_tell(s, task, at_rung(f(p), p, task.rung), NULL));
    }
    assert_true(tune_ended(s));
    sum += 1 - best_full(s, f);
    arena_free(a);
  }
  return sum / 40;
}

/* The margin is what it says: at most so much of the regret of drawing evenly, at the same trials and rungs. */
static void test_beats_random(void **state) {
  (void)state;
  const struct {
    const char *name;
    double (*f)(const struct tune_point *);
    tune_judge *judge;
    double margin;
  } cases[] = {{"smooth", smooth, always, 0.75},
               {"valley", valley, always, 0.75},
               {"limited", smooth, narrow, 0.75}};
  for (int i = 0; i < 3; i++) {
    const double even = regret(cases[i].f, cases[i].judge, true),
                 model = regret(cases[i].f, cases[i].judge, false);
    print_message("# %s: missing to the best %.4f, drawn evenly %.4f, share %.2f\n", cases[i].name,
                  model, even, model / even);
    assert_true(model < cases[i].margin * even);
  }
}

/* ---- order ----------------------------------------------------------------------------------------------- */
/* Runs with so many workers, whose tasks end in an order that `chance` decides; the lines of the journal. */
static const char *run_with(struct arena *a, int workers, uint64_t chance,
                            struct tune_search **out) {
  struct tune_search *s = new_search(a, 7, 4, false, narrow);
  struct tune_task running[16];
  struct rng r;
  int n = 0, rounds = 0;
  struct text t;
  rng_seed(&r, chance);
  text_init(&t, a);
  for (;;) {
    while (n < workers && tune_next(s, &running[n])) n++;
    for (; rounds < tune_n_rounds(s); rounds++)
      text_printf(&t, "%s\n", tune_round_line(a, s, rounds));
    if (!n) break;
    const int i = (int)rng_below(&r, (uint32_t)n);
    const struct tune_task task = running[i];
    running[i] = running[--n];
    const struct tune_point *p = &tune_trial_of(s, task.trial)->point;
    assert_true(tune_tell(s, task, at_rung(smooth(p), p, task.rung), NULL));
    text_printf(&t, "%s\n", tune_done_line(a, task, at_rung(smooth(p), p, task.rung), "facts"));
  }
  assert_true(tune_ended(s));
  assert_int_equal(tune_whole_rounds(s), 4);
  *out = s;
  return t.data;
}

static void same_trials(const struct tune_search *x, const struct tune_search *y) {
  assert_int_equal(tune_n_trials(x), tune_n_trials(y));
  for (int i = 0; i < tune_n_trials(x); i++) {
    const struct tune_trial *p = tune_trial_of(x, i), *q = tune_trial_of(y, i);
    assert_true(tune_same(&space, &p->point, &q->point));
    assert_int_equal(p->done, q->done);
    for (int k = 0; k < p->done; k++) assert_true(p->score[k] == q->score[k]);
  }
}

static void test_any_order(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct tune_search *one, *many;
  run_with(a, 1, 1, &one);
  assert_int_equal(tune_n_trials(one), 37);
  for (uint64_t i = 0; i < 60; i++) {
    run_with(a, 1 + (int)(i % 12), i * 977, &many);
    same_trials(one, many);
  }
  arena_free(a);
}

/* A search taken up from any prefix of a journal's lines ends as the whole. */
static void test_any_prefix(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct tune_search *whole;
  const char *lines = run_with(a, 3, 5, &whole);
  int n = 0;
  for (const char *p = lines; *p; p++) n += *p == '\n';
  for (int keep = 0; keep <= n; keep++) {
    struct tune_search *s = new_search(a, 7, 4, false, narrow);
    struct tune_task task;
    const char *p = lines, *facts;
    for (int i = 0; i < keep; i++) {
      struct err e = {0};
      const size_t length = strcspn(p, "\n");
      char *line = arena_printf(a, "%.*s", (int)length, p);
      assert_true(tune_take(s, line, &task, &facts, &e));
      if (task.trial >= 0) assert_string_equal(facts, "facts");
      p += length + 1;
    }
    while (tune_next(s, &task)) {
      const struct tune_point *q = &tune_trial_of(s, task.trial)->point;
      assert_true(tune_tell(s, task, at_rung(smooth(q), q, task.rung), NULL));
    }
    same_trials(whole, s);
  }
  /* Lines that do not fit are refused. */
  struct tune_search *s = new_search(a, 7, 4, false, narrow);
  struct tune_task task;
  const char *facts;
  static const char *const bad[] = {"",
                                    "done 0 2 0x1p-1 x",
                                    "round 1 1 8 1 0",
                                    "round 0 9999 8 1",
                                    "round 0 1 8 1 0x1p+0",
                                    "done",
                                    "round 0 1 8 1 9 9 9 9 9 9 9 9 9",
                                    "hello"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct err e = {0};
    assert_false(tune_take(s, bad[i], &task, &facts, &e));
    assert_true(e.text[0]);
  }
  arena_free(a);
}

/* One worker's time is the sum; more are never slower, and none is faster than the sum shared out. */
static double four(void *context, struct tune_task task) {
  (void)context;
  return task.rung == 2 ? 9 : task.rung == 1 ? 3 : 1;
}
static void test_replay(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct tune_config c = {.seed = 7, .rounds = 12, .n_costs = 1};
  struct tune_search *s = new_search(a, 7, 12, false, always);
  struct tune_task task;
  double sum = 0, before = INFINITY;
  while (tune_next(s, &task)) {
    const struct tune_point *p = &tune_trial_of(s, task.trial)->point;
    assert_true(tune_tell(s, task, at_rung(smooth(p), p, task.rung), NULL));
    sum += four(NULL, task);
  }
  for (int w = 1; w <= 16; w *= 2) {
    const double t = tune_replay(a, &space, &c, s, four, NULL, w);
    print_message("# %d workers: %.2f times as fast as one\n", w, sum / t);
    if (w == 1) assert_true(fabs(t - sum) < 1e-9);
    assert_true(t <= before && t >= sum / w - 1e-9);
    if (w == 8) assert_true(sum / t > 5);
    before = t;
  }
  arena_free(a);
}

/* ---- fronts -------------------------------------------------------------------------------------------------- */
static void test_front(void **state) {
  (void)state;
  const double score[] = {0.9, 0.8, 0.9, 0.7, -INFINITY, 0.95, 0.8};
  const double costs[] = {10, 5, 10, 6, 1, 30, 5};
  int front[7];
  assert_int_equal(tune_front(7, 1, score, costs, front), 3);
  assert_int_equal(front[0], 5); /* most accurate first */
  assert_int_equal(front[1], 0); /* 2 is its equal and came later */
  assert_int_equal(front[2], 1); /* so is 6 */
  /* By definition, on seeded points of three costs. */
  struct rng r;
  double x[60], y[180];
  int found[60];
  rng_seed(&r, 3);
  for (int i = 0; i < 60; i++) x[i] = rng_below(&r, 6);
  for (int i = 0; i < 180; i++) y[i] = rng_below(&r, 5);
  const int n = tune_front(60, 3, x, y, found);
  for (int i = 0; i < 60; i++) {
    bool beaten = false, in = false;
    for (int k = 0; k < 60; k++) {
      bool no_worse = x[k] >= x[i], better = x[k] > x[i];
      for (int c = 0; c < 3; c++)
        no_worse &= y[3 * k + c] <= y[3 * i + c], better |= y[3 * k + c] < y[3 * i + c];
      beaten |= no_worse && (better || k < i) && k != i;
    }
    for (int k = 0; k < n; k++) in |= found[k] == i;
    assert_int_equal(in, !beaten);
  }
}

static void test_points(void **state) {
  (void)state;
  struct rng r;
  struct tune_point p;
  rng_seed(&r, 9);
  for (int i = 0; i < 5000; i++) {
    tune_random(&space, &r, &p);
    struct tune_point again = p;
    tune_snap(&space, &again);
    assert_true(tune_same(&space, &p, &again)); /* a point lies on its own grid */
    assert_int_equal(isnan(p.x[3]), p.x[0] != 1);
    assert_true(p.x[2] >= 4 && p.x[2] <= 96 && fmod(p.x[2], 4) == 0);
  }
  struct tune_space bad = space;
  struct err e = {0};
  bad.params[3].parent = 5;
  assert_false(tune_check_space(&bad, &e));
  bad = space;
  bad.params[1].low = 0;
  assert_false(tune_check_space(&bad, &e));
  assert_true(tune_check_space(&space, &e));
}

/* ---- the journal ---------------------------------------------------------------------------------------------- */
static char dir[64], path[96];
static int set_up(void **state) {
  (void)state;
  snprintf(dir, sizeof dir, "/tmp/mote-tune-XXXXXX");
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/journal", dir);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  unlink(path);
  return rmdir(dir);
}

static struct tune_journal *open_it(struct arena *a, const char *settings, char ***lines, int *n,
                                    struct err *e) {
  struct tune_journal *j;
  size_t dropped;
  *e = (struct err){0};
  return tune_journal_open(a, path, settings, false, &j, lines, n, &dropped, e)
             ? j
             : (tune_journal_close(j), NULL);
}

static void test_every_cut(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e;
  char **lines;
  int n;
  uint8_t *whole;
  size_t size;
  struct tune_journal *j = open_it(a, "one 1\ntwo 2\n", &lines, &n, &e);
  assert_non_null(j);
  assert_int_equal(n, 0);
  for (int i = 0; i < 6; i++) assert_true(tune_journal_add(j, arena_printf(a, "line %d", i), &e));
  /* Nobody else while it is open. */
  struct tune_journal *other = open_it(a, "one 1\ntwo 2\n", &lines, &n, &e);
  assert_null(other);
  assert_non_null(strstr(e.text, "another search"));
  tune_journal_close(j);
  assert_true(file_read(a, path, 1 << 20, &whole, &size, &e));
  for (size_t cut = 0; cut <= size; cut++) {
    assert_true(file_write(path, whole, cut, &e));
    j = open_it(a, "one 1\ntwo 2\n", &lines, &n, &e);
    assert_non_null(j);
    int left = 0; /* whole lines behind the four of the settings */
    for (size_t i = 0; i < cut; i++) left += whole[i] == '\n';
    left = left > 4 ? left - 4 : 0;
    assert_int_equal(n, left);
    for (int i = 0; i < n; i++) assert_string_equal(lines[i], arena_printf(a, "line %d", i));
    assert_true(tune_journal_add(j, "more", &e));
    tune_journal_close(j);
    j = open_it(a, "one 1\ntwo 2\n", &lines, &n, &e);
    assert_int_equal(n, left + 1);
    assert_string_equal(lines[n - 1], "more");
    tune_journal_close(j);
  }
  /* A flipped bit anywhere: nothing behind it is believed, and what is before it stays. */
  for (size_t at = 0; at < size; at++) {
    int before = 0;
    for (size_t i = 0; i < at; i++) before += whole[i] == '\n';
    whole[at] ^= 1;
    assert_true(file_write(path, whole, size, &e));
    whole[at] ^= 1;
    j = open_it(a, "one 1\ntwo 2\n", &lines, &n, &e);
    if (before < 1)
      assert_null(j); /* no journal's first line: nothing is overwritten */
    else {
      assert_non_null(j);
      assert_int_equal(n, before > 4 ? before - 4 : 0);
    }
    tune_journal_close(j);
  }
  assert_true(file_write(path, whole, size, &e));
  assert_null(open_it(a, "one 1\ntwo 3\n", &lines, &n, &e));
  assert_non_null(strstr(e.text, "two 2"));
  assert_non_null(strstr(e.text, "--fresh"));
  assert_true(file_write(path, "a letter to a friend", 20, &e));
  assert_null(open_it(a, "one 1\n", &lines, &n, &e));
  assert_true(file_read(a, path, 100, &whole, &size, &e));
  assert_int_equal(size, 20); /* untouched */
  arena_free(a);
}

/* Beginning anew empties journals, whole, cut or of other settings, and empty files; any other file is left as it is. */
static void test_fresh(void **state) {
  (void)state;
  static const char letter[] = "a letter to a friend";
  struct arena *a = arena_new(0);
  struct err e;
  char **lines;
  int n;
  uint8_t *whole, *now;
  size_t size, stands, dropped;
  struct tune_journal *j = open_it(a, "one 1\n", &lines, &n, &e);
  assert_non_null(j);
  assert_true(tune_journal_add(j, "line", &e));
  tune_journal_close(j);
  assert_true(file_read(a, path, 1 << 20, &whole, &size, &e));
  for (size_t cut = 0; cut <= size; cut++) {
    assert_true(file_write(path, whole, cut, &e));
    assert_true(tune_journal_open(a, path, "one 2\n", true, &j, &lines, &n, &dropped, &e));
    assert_int_equal(n, 0);
    assert_true(tune_journal_add(j, "new", &e));
    tune_journal_close(j);
    j = open_it(a, "one 2\n", &lines, &n, &e);
    assert_non_null(j);
    assert_int_equal(n, 1);
    assert_string_equal(lines[0], "new");
    tune_journal_close(j);
  }
  for (size_t length = 1; length < sizeof letter; length++) {
    assert_true(file_write(path, letter, length, &e));
    e = (struct err){0};
    assert_false(tune_journal_open(a, path, "one 1\n", true, &j, &lines, &n, &dropped, &e));
    assert_non_null(strstr(e.text, "no journal"));
    tune_journal_close(j);
    assert_true(file_read(a, path, 100, &now, &stands, &e));
    assert_int_equal(stands, length);
    assert_memory_equal(now, letter, length);
  }
  arena_free(a);
}

/* A process is killed while it writes, again and again; what it said was written is there, and the search ends as it would have. */
static void test_kill(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e;
  struct tune_search *whole;
  run_with(a, 1, 1, &whole);
  int kills = 0;
  for (int again = 0; again < 400; again++) {
    int told[2];
    assert_int_equal(pipe(told), 0);
    const pid_t child = fork();
    if (child == 0) {
      char **lines;
      int n, rounds;
      struct tune_task task;
      const char *facts;
      struct tune_journal *j = open_it(a, "s\n", &lines, &n, &e);
      struct tune_search *s = new_search(a, 7, 4, false, narrow);
      if (!j) _exit(2);
      for (int i = 0; i < n; i++)
        if (!tune_take(s, lines[i], &task, &facts, &e)) _exit(3);
      rounds = tune_n_rounds(s);
      while (tune_next(s, &task)) {
        for (; rounds < tune_n_rounds(s); rounds++)
          if (!tune_journal_add(j, tune_round_line(a, s, rounds), &e)) _exit(4);
        const struct tune_point *p = &tune_trial_of(s, task.trial)->point;
        const double score = at_rung(smooth(p), p, task.rung);
        if (!tune_journal_add(j, tune_done_line(a, task, score, ""), &e) ||
            !tune_tell(s, task, score, &e))
          _exit(5);
        if (write(told[1], "x", 1) != 1) _exit(6);
      }
      _exit(0);
    }
    close(told[1]);
    char c;
    int seen = 0;
    const int most = 1 + again % 5;
    while (seen < most && read(told[0], &c, 1) == 1) seen++;
    if (seen == most) usleep((useconds_t)(rng_mix((uint64_t)again) % 300));
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    close(told[0]);
    if (WIFEXITED(status)) {
      assert_int_equal(WEXITSTATUS(status), 0);
      break;
    }
    kills++;
  }
  assert_true(kills > 3);
  char **lines;
  int n;
  struct tune_task task;
  const char *facts;
  struct tune_journal *j = open_it(a, "s\n", &lines, &n, &e);
  struct tune_search *s = new_search(a, 7, 4, false, narrow);
  for (int i = 0; i < n; i++) assert_true(tune_take(s, lines[i], &task, &facts, &e));
  assert_true(tune_ended(s));
  same_trials(whole, s);
  tune_journal_close(j);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_beats_random),
      cmocka_unit_test(test_any_order),
      cmocka_unit_test(test_any_prefix),
      cmocka_unit_test(test_replay),
      cmocka_unit_test(test_front),
      cmocka_unit_test(test_points),
      cmocka_unit_test_setup_teardown(test_every_cut, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_fresh, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
