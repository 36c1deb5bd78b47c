/* mote tune: searches features, window, network, training and quantisation together for what a board can hold. */
#include "app/tuning_crew.h"
#include "app/tuning_show.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUND       9
#define RUNGS       3
#define FACTOR      3
#define MINUTES     15
#define MOST_TRIALS 100000 /* a journal of so many stays below its most bytes */

struct arguments {
  const char *board, *target, *dir, *journal, *html, *against;
  int64_t trials, seed, threads, ram, flash, apply, folds;
  double minutes, ms, uj;
  bool fresh, show, no_count;
  struct option_list ranks;
};

struct tuner {
  struct command_line *c;
  const struct arguments *o;
  struct project project;
  struct tuning tuning;
  struct ranks ranks;
  struct tuning_crew *crew;
  struct tune_config config;
  struct tune_search *search;
  struct tune_journal *journal;
  struct tuning_show show;
  int rounds_written;
};

/* A search as its journal tells it. */
struct past {
  char **set, **lines;
  int n_set, n, folds;
  const char *board, *chip, *against; /* NULL: none */
  bool counted;
  struct text yaml;
  bool same; /* mote.yaml is as the search began with it, or as --write left it */
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- settings -------------------------------------------------------------------------------- */
static bool take_against(struct tuner *u, struct err *e) {
  struct tuning *t = &u->tuning;
  const char *words = u->o->against          ? u->o->against
                      : t->board && t->count ? "flash,ms"
                                             : "flash,instructions";
  char *rest = NULL;
  for (char *w = strtok_r(arena_strdup(u->c->arena, words), ", ", &rest); w;
       w = strtok_r(NULL, ", ", &rest)) {
    int k = 0;
    while (k < TUNING_COSTS && strcmp(w, tuning_cost_names[k]) != 0) k++;
    err_file(e, "--against");
    if (k == TUNING_COSTS)
      return err_set(e, "no cost \"%s\"; flash, ram, instructions, ms and uj are", w);
    for (int i = 0; i < t->n_against; i++)
      if (t->against[i] == k) return err_set(e, "\"%s\" is there twice", w);
    t->against[t->n_against++] = k;
    e->file[0] = 0;
  }
  return t->n_against > 0 ||
         err_set(e, "--against names no cost; flash, ram, instructions, ms and uj are");
}

static double smaller(double limit, double option) {
  return option > 0 && option < limit ? option : limit;
}

/* Whether programs can be built and counted here, and an error where they cannot and must. */
static bool take_count(struct tuner *u, struct err *e) {
  const struct arguments *o = u->o;
  struct tuning *t = &u->tuning;
  t->count = !o->no_count && *t->target->machine && emulate_can_build(t->target) &&
             emulate_can_run(t->target) && !(t->board && t->board->stand_in);
  const bool time = o->ms > 0 || o->uj > 0 ||
                    (o->against && (strstr(o->against, "ms") || strstr(o->against, "uj")));
  if (time && !t->board)
    return err_set(e, "milliseconds and energy are a board's: --board NAME works");
  if (time && !t->count)
    return err_set(e,
                   "milliseconds and energy need programs that are built and counted for %s, which "
                   "is not possible here%s",
                   t->target->name,
                   o->no_count ? ": --no-count says so"
                               : " (`tools/packages chips` installs what it takes)");
  return true;
}

/* past: a search whose results are looked at alone, whatever this machine can build; else NULL. */
static bool take_target(struct tuner *u, const struct past *past, struct err *e) {
  const struct arguments *o = u->o;
  struct tuning *t = &u->tuning;
  struct bundle_model m = {.project = &u->project};
  const char *target = o->target;
  if (!target && !o->board && !u->project.config.board[0]) target = "cortex-m4";
  if (!bundle_find_target(u->c->arena, &m, target, o->board, &t->target, &t->board, e))
    return false;
  for (int i = 0; i < TUNING_COSTS; i++) t->most[i] = INFINITY;
  if (t->board) {
    t->most[TUNING_FLASH] = (double)(t->board->flash_bytes - t->board->flash_reserved_bytes);
    t->most[TUNING_RAM] = (double)t->board->ram_bytes;
  }
  t->most[TUNING_FLASH] = smaller(t->most[TUNING_FLASH], (double)o->flash);
  t->most[TUNING_RAM] = smaller(t->most[TUNING_RAM], (double)o->ram);
  t->most[TUNING_MS] = smaller(INFINITY, o->ms);
  t->most[TUNING_UJ] = smaller(INFINITY, o->uj);
  if (past) t->count = past->counted;
  return (past || take_count(u, e)) && take_against(u, e);
}

/* All that decides the outcome, a line each: a journal of other settings is not continued. */
static const char *settings(const struct tuner *u) {
  const struct tuning *t = &u->tuning;
  char train[65], validation[65];
  struct text s;
  dataset_digest(&t->divisions[0].train, train);
  dataset_digest(&t->divisions[0].validation, validation);
  text_init(&s, u->c->arena);
  text_printf(&s, "training samples %.16s\nvalidation samples %.16s\n", train, validation);
  text_printf(&s, "chip %s\nboard %s\n", t->target->name, t->board ? t->board->name : "none");
  for (int i = 0; i < TUNING_COSTS; i++)
    if (isfinite(t->most[i]))
      text_printf(&s, "at most %s %.17g\n", tuning_cost_names[i], t->most[i]);
  text_add(&s, "against");
  for (int i = 0; i < t->n_against; i++) text_printf(&s, " %s", tuning_cost_names[t->against[i]]);
  text_printf(&s,
              "\ncounted %s\nseed %lld\nfolds %d\nrounds of %d, rungs %d, one in %d goes on\nspace",
              t->count ? "yes" : "no", (long long)u->config.seed, t->folds, ROUND, RUNGS, FACTOR);
  for (int i = 0; i < t->space.n; i++)
    text_printf(&s, " %s %g %g %d;", t->space.params[i].name, t->space.params[i].low,
                t->space.params[i].high, t->space.params[i].n_choices);
  text_add(&s, "\n");
  for (const char *line = t->yaml; *line;) {
    const size_t n = strcspn(line, "\n");
    text_printf(&s, "| %.*s\n", (int)n, line);
    line += n + (line[n] == '\n');
  }
  return s.data;
}

/* ---- the journal ------------------------------------------------------------------------------- */
static bool keep_base(struct tuner *u, struct err *e) {
  const struct tuning_base *b = &u->tuning.base;
  return tune_journal_add(u->journal,
                          arena_printf(u->c->arena, "base %a %a %a %a %a %a %d", b->code, b->ram,
                                       b->features_instructions, b->features_work, b->ms, b->uj,
                                       b->counted),
                          e);
}
static bool read_base(struct tuner *u, const char *line) {
  struct tuning_base *b = &u->tuning.base;
  int counted = 0;
  const bool ok =
      sscanf(line, "base %la %la %la %la %la %la %d", &b->code, &b->ram, &b->features_instructions,
             &b->features_work, &b->ms, &b->uj, &counted) == 7;
  b->counted = counted != 0;
  return ok;
}

static bool take_lines(struct tuner *u, char **lines, int n, struct err *e) {
  for (int i = 0; i < n; i++) {
    struct tune_task task;
    const char *facts;
    struct tuning_result r;
    if (text_starts(lines[i], "base ")) {
      if (!read_base(u, lines[i])) return err_set(e, "a base that cannot be read: %.60s", lines[i]);
      continue;
    }
    if (text_starts(lines[i], "wrote ")) continue;
    if (!tune_take(u->search, lines[i], &task, &facts, e)) return false;
    if (task.trial < 0) continue;
    if (!tuning_read_facts(facts, &r))
      return err_set(e, "a result that cannot be read: %.60s", lines[i]);
    tuning_show_keep(&u->show, task, &r);
    u->show.resumed++;
  }
  u->rounds_written = tune_n_rounds(u->search);
  return true;
}

static int rounds_in(char **lines, int n) {
  int rounds = 0;
  for (int i = 0; i < n; i++) rounds += text_starts(lines[i], "round ");
  return rounds;
}

static void make_search(struct tuner *u, int least_rounds) {
  if (u->config.rounds < least_rounds) u->config.rounds = least_rounds;
  u->search = tune_new(u->c->arena, &u->tuning.space, &u->config, &u->tuning.start, tuning_judge,
                       &u->tuning);
  tuning_show_begin(&u->show, u->c, &u->tuning, u->search, u->config.rounds * ROUND + 1);
}

static bool open_journal(struct tuner *u, const char *path, struct err *e) {
  char **lines = NULL;
  int n = 0;
  size_t dropped = 0;
  if (!tune_journal_open(u->c->arena, path, settings(u), u->o->fresh, &u->journal, &lines, &n,
                         &dropped, e))
    return false;
  if (dropped && !u->c->quiet)
    fprintf(stderr, "%s: %zu bytes behind the last whole line were taken off\n", path, dropped);
  make_search(u, rounds_in(lines, n));
  if (!take_lines(u, lines, n, e)) {
    err_file(e, path);
    return false;
  }
  if (n > 0) return true;
  progress_update(u->c->progress, "tune", 0, 1, "building and counting the project's own model");
  return tuning_find_base(&u->tuning, e) && keep_base(u, e);
}

/* ---- what was searched before, and writing a point ------------------------------------------------------- */
/* A text with the break behind its last line that an editor may have left out: a journal's lines have one each. */
static const char *ended(struct arena *a, const char *text) {
  const size_t n = strlen(text);
  return n && text[n - 1] != '\n' ? arena_printf(a, "%s\n", text) : text;
}

static const char *checksum(struct arena *a, const char *text) {
  struct sha256 h;
  uint8_t digest[32];
  char hex[65];
  sha256_init(&h);
  text = ended(a, text);
  sha256_add(&h, text, strlen(text));
  sha256_end(&h, digest);
  sha256_hex(digest, hex);
  return arena_printf(a, "%.16s", hex);
}

static bool read_past(struct tuner *u, const char *path, struct past *p, struct err *e) {
  struct arena *a = u->c->arena;
  uint8_t *stands;
  size_t size;
  memset(p, 0, sizeof *p);
  text_init(&p->yaml, a);
  if (!tune_journal_read(a, path, &p->set, &p->n_set, &p->lines, &p->n, e) ||
      !file_read(a, u->project.yaml_path, 1 << 20, &stands, &size, e))
    return false;
  for (int i = 0; i < p->n_set; i++) {
    const char *s = p->set[i];
    if (text_starts(s, "board ") && strcmp(s, "board none") != 0) p->board = s + 6;
    if (text_starts(s, "chip ")) p->chip = s + 5;
    if (text_starts(s, "against ")) p->against = s + 8;
    if (strcmp(s, "counted yes") == 0) p->counted = true;
    if (text_starts(s, "folds ")) p->folds = atoi(s + 6);
    if (text_starts(s, "| ")) text_printf(&p->yaml, "%s\n", s + 2);
  }
  if (!p->yaml.size) {
    err_file(e, path);
    return err_set(e, "this journal does not say what was searched; --fresh begins anew");
  }
  if (p->folds < 1 || p->folds > TUNING_MOST_FOLDS) {
    err_file(e, path);
    return err_set(e, "this journal is of another version of Mote; --fresh begins anew");
  }
  p->same = strcmp(p->yaml.data, ended(a, (const char *)stands)) == 0;
  const char *sum = checksum(a, (const char *)stands);
  for (int i = 0; i < p->n; i++)
    if (text_starts(p->lines[i], "wrote ")) p->same |= strcmp(p->lines[i] + 6, sum) == 0;
  return true;
}

/* The search goes on from the mote.yaml that it began with, also where --write has changed the file since. */
static bool use_past(struct tuner *u, const struct past *p, const char *path, struct err *e) {
  u->tuning.yaml = p->yaml.data;
  return project_parse_config(u->c->arena, path, p->yaml.data, p->yaml.size, &u->project.config, e);
}

static bool begin_from_past(struct tuner *u, const char *path, struct err *e) {
  struct past p;
  struct err ignored = {0};
  if (u->o->fresh || !file_exists(path) || !read_past(u, path, &p, &ignored) || !p.same)
    return true;
  return use_past(u, &p, path, e);
}

/* --show and --write take board and costs from the journal, too. */
static bool open_past(struct tuner *u, const char *path, struct past *p, struct arguments *o,
                      struct err *e) {
  if (!read_past(u, path, p, e) || !use_past(u, p, path, e)) return false;
  o->board = p->board;
  o->target = p->board ? NULL : p->chip;
  o->against = p->against;
  u->tuning.folds = p->folds;
  u->o = o;
  if (!take_target(u, p, e) || !tuning_open(&u->tuning, e)) return false;
  for (int i = 0; i < p->n_set; i++)
    for (int k = 0; k < TUNING_COSTS; k++) { /* limits, as they were */
      char name[32];
      double most;
      if (sscanf(p->set[i], "at most %31s %lf", name, &most) == 2 &&
          strcmp(name, tuning_cost_names[k]) == 0)
        u->tuning.most[k] = most;
    }
  u->config.n_costs = u->tuning.n_against;
  make_search(u, rounds_in(p->lines, p->n));
  err_file(e, path);
  if (!take_lines(u, p->lines, p->n, e)) return false;
  e->file[0] = 0;
  return true;
}

static bool keep_written(struct tuner *u, const char *path, const struct past *p, const char *yaml,
                         struct err *e) {
  struct text set;
  char **lines;
  int n;
  size_t dropped;
  text_init(&set, u->c->arena);
  for (int i = 0; i < p->n_set; i++) text_printf(&set, "%s\n", p->set[i]);
  return tune_journal_open(u->c->arena, path, set.data, false, &u->journal, &lines, &n, &dropped,
                           e) &&
         tune_journal_add(u->journal,
                          arena_printf(u->c->arena, "wrote %s", checksum(u->c->arena, yaml)), e);
}

static bool apply(struct tuner *u, const char *path, struct arguments *o, struct err *e) {
  struct past p;
  if (!open_past(u, path, &p, o, e)) return false;
  const struct tuning *t = &u->tuning;
  if (o->apply >= tune_n_trials(u->search)) {
    err_file(e, path);
    return err_set(e, "there is no trial %lld; 1 to %d are", (long long)o->apply,
                   tune_n_trials(u->search) - 1);
  }
  const int number = (int)o->apply;
  if (!p.same) {
    err_file(e, u->project.yaml_path);
    return err_set(e, "it was changed since the search began, and would not give the model that "
                      "was tried: take the change back, or "
                      "search again (`mote tune --fresh`)");
  }
  const char *yaml =
      tuning_yaml(t, u->c->arena, t->yaml, &tune_trial_of(u->search, number)->point, e);
  if (yaml && t->board && strcmp(t->board->name, u->project.config.board) != 0)
    yaml = project_set_key(u->c->arena, yaml, "", "board", t->board->name, e);
  /* In the journal first: a kill between the two leaves the file as it was. */
  if (!yaml || !keep_written(u, path, &p, yaml, e) ||
      !file_write(u->project.yaml_path, yaml, strlen(yaml), e))
    return false;
  tuning_show_applied(&u->show, number, u->project.yaml_path);
  return true;
}

/* ---- the search ----------------------------------------------------------------------------------- */
/* Rounds are written before the first of their tasks is given away. */
static bool give_tasks(struct tuner *u, struct err *e) {
  struct tune_task task;
  while (tuning_crew_free(u->crew) && tune_next(u->search, &task)) {
    for (; u->rounds_written < tune_n_rounds(u->search); u->rounds_written++)
      if (!tune_journal_add(u->journal, tune_round_line(u->c->arena, u->search, u->rounds_written),
                            e))
        return false;
    if (!tuning_crew_give(u->crew, task, &tune_trial_of(u->search, task.trial)->point, e))
      return false;
  }
  return true;
}

static bool take_result(struct tuner *u, const struct tuning_done *d, struct err *e) {
  const struct tuning_result *r = &d->result;
  double beyond;
  /* What turns out to need more than there is, is no good point, whatever it scores. */
  const bool good = r->ok && tuning_allowed(&u->tuning, &r->figures, &beyond);
  const double score = good || (r->ok && d->task.trial == 0) ? r->accuracy : (double)-INFINITY;
  if (!tune_journal_add(u->journal,
                        tune_done_line(u->c->arena, d->task, score, tuning_facts(u->c->arena, r)),
                        e) ||
      !tune_tell(u->search, d->task, score, e))
    return false;
  tuning_show_keep(&u->show, d->task, r);
  tuning_show_news(&u->show, d->task, r);
  return true;
}

static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

static bool search(struct tuner *u, struct err *e) {
  const double start = now(), until = u->o->minutes > 0 ? start + 60 * u->o->minutes : INFINITY;
  struct tuning_done d;
  struct sigaction on = {.sa_handler = stop};
  sigaction(SIGINT, &on, NULL);
  sigaction(SIGTERM, &on, NULL);
  if (!tuning_crew_begin(u->crew, e)) return false;
  while (!stopped && now() < until && !tune_ended(u->search)) {
    if (!give_tasks(u, e)) return false;
    if (tune_ended(u->search)) break;
    if (tuning_crew_take(u->crew, &d, e)) {
      if (!take_result(u, &d, e)) return false;
    } else if (e->text[0]) {
      return false;
    }
    tuning_show_time(&u->show, now() - start, u->o->minutes * 60, tuning_crew_busy(u->crew));
  }
  tuning_show_quiet(&u->show);
  u->show.seconds = now() - start;
  u->show.stopped = stopped != 0;
  u->show.in_time = tune_ended(u->search);
  if (stopped == SIGTERM && u->ranks.size > 1)
    return err_set(e, "the launcher ended the run: a rank is gone. What was finished is in the "
                      "journal; the same command goes on from "
                      "there");
  return true;
}

/* ---- the command ------------------------------------------------------------------------------------------ */
static int threads_of(const struct tuner *u) {
  if (u->o->threads > 0) return (int)u->o->threads;
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return u->ranks.size > 1 || n < 1 ? 1 : n > 64 ? 64 : (int)n;
}

static bool lead(struct tuner *u, const char *path, struct err *e) {
  const bool ok = open_journal(u, path, e) && search(u, e);
  tuning_crew_end(u->crew); /* before the memory that its threads work in */
  return ok && tuning_show_result(&u->show, &u->config, &u->o->ranks, path, u->o->html, e);
}

static bool show(struct tuner *u, const char *path, struct arguments *o, struct err *e) {
  struct past p;
  return open_past(u, path, &p, o, e) &&
         tuning_show_result(&u->show, &u->config, &o->ranks, path, o->html, e);
}

static bool run(struct tuner *u, struct err *e) {
  const struct arguments *o = u->o;
  struct tuning *t = &u->tuning;
  t->c = u->c;
  t->p = &u->project;
  t->rungs = RUNGS;
  t->factor = FACTOR;
  t->folds = (int)o->folds;
  u->config = (struct tune_config){
      .seed = (uint64_t)o->seed, .round = ROUND, .rungs = RUNGS, .factor = FACTOR};
  u->config.rounds = o->trials > ROUND          ? (int)((o->trials + ROUND - 2) / ROUND)
                     : o->trials > 0 || o->show ? 1
                                                : 1000;
  if (!project_open(u->c->arena, o->dir, STORE_READ, &u->project, e)) return false;
  if (u->project.config.suppress.on) {
    err_file(e, u->project.yaml_path);
    return err_set(e, "this project suppresses noise: mote tune searches models that tell classes");
  }
  if (u->project.config.objects.on) {
    err_file(e, u->project.yaml_path);
    return err_set(e, "this project counts objects: mote tune searches models that tell classes");
  }
  if (u->project.config.regression.on) {
    err_file(e, u->project.yaml_path);
    return err_set(e,
                   "this project estimates numbers: mote tune searches models that tell classes");
  }
  const char *path =
      o->journal ? o->journal : arena_printf(u->c->arena, "%s/tune.journal", u->project.dir);
  struct arguments past = *o;
  if ((o->apply >= 0 || o->show) && u->ranks.rank > 0) return true; /* one is enough */
  if (o->apply >= 0) return apply(u, path, &past, e);
  if (o->show) return show(u, path, &past, e);
  if (!begin_from_past(u, path, e) || !take_target(u, NULL, e) || !tuning_open(t, e)) return false;
  u->config.n_costs = t->n_against;
  u->crew = tuning_crew_new(u->c->arena, t, &u->ranks, threads_of(u), e);
  if (!u->crew) return false;
  if (u->ranks.rank == 0) return lead(u, path, e);
  const bool ok = tuning_crew_serve(u->crew, e);
  tuning_crew_end(u->crew);
  return ok;
}

int cmd_tune(int argc, char **argv) {
  struct arguments o = {.seed = 1, .apply = -1, .folds = 3};
  const struct option_spec options[] = {
      {0, "board", OPTION_TEXT, "NAME", "whose flash and RAM are the limits (default: mote.yaml's)",
       &o.board},
      {0, "target", OPTION_TEXT, "T", "a chip instead of a board: no limits, no milliseconds",
       &o.target},
      {0, "ram", OPTION_COUNT, "BYTES", "most RAM: arena, samples, static and stack", &o.ram},
      {0, "flash", OPTION_COUNT, "BYTES", "most flash: code, weights and tables", &o.flash},
      {0, "ms", OPTION_REAL, "X", "most milliseconds of one inference, features included", &o.ms},
      {0, "uj", OPTION_REAL, "X", "most microjoules of one inference", &o.uj},
      {0, "against", OPTION_TEXT, "COSTS",
       "what accuracy is weighed against: flash ram instructions ms uj, with commas between "
       "(flash,ms)",
       &o.against},
      {'m', "minutes", OPTION_REAL, "M", "stop after so long (15 where --trials is not given)",
       &o.minutes},
      {'n', "trials", OPTION_COUNT, "N", "try about so many points: 1, and whole rounds of 9",
       &o.trials},
      {0, "folds", OPTION_COUNT, "N",
       "divisions into training and validation that decide by turns, and all in the end (3)",
       &o.folds},
      {0, "seed", OPTION_INT, "S", "another course of chance", &o.seed},
      {0, "threads", OPTION_COUNT, "N",
       "trainings side by side (all cores; under MPI 1 in each rank)", &o.threads},
      {0, "fresh", OPTION_FLAG, NULL, "begin anew; else the journal is continued", &o.fresh},
      {0, "journal", OPTION_TEXT, "FILE",
       "where finished trials are kept (tune.journal in the project)", &o.journal},
      {0, "show", OPTION_FLAG, NULL, "show what the journal has, and try nothing", &o.show},
      {0, "html", OPTION_TEXT, "FILE", "write a page with the plot of the best points", &o.html},
      {0, "write", OPTION_INT, "N",
       "write the settings of trial N into mote.yaml; `mote train` makes that model", &o.apply},
      {0, "ranks", OPTION_LIST, "N",
       "also say how long N workers would have taken: simulated from the times measured", &o.ranks},
      {0, "no-count", OPTION_FLAG, NULL, "build nothing: the plan's figures and estimates alone",
       &o.no_count},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.dir},
      {0}};
  const struct command_spec spec = {.usage = "mote tune [--board NAME] [--minutes M | --trials N] "
                                             "[--ram BYTES] [--flash BYTES] [--ms X] [--write N]",
                                    .about = "Searches features, window, network, augmentation, "
                                             "learning rate and quantisation together for the\n"
                                             "most accurate models that fit the board. Flash and "
                                             "RAM are those of the compiler's plan, known\n"
                                             "before anything is trained; the best points are "
                                             "built and counted on the emulated chip. Validation\n"
                                             "samples decide; test samples are not read. What is "
                                             "finished is kept: the same command goes on.",
                                    .options = options,
                                    .examples =
                                        "  mote tune --board xiao --minutes 15 --html tune.html\n  "
                                        "mote tune --write 31 && mote train && mote test\n"
                                        "  mpirun -n 8 mote tune --trials 100",
                                    .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!(o.minutes >= 0) || !(o.ms >= 0) || !(o.uj >= 0))
    return command_usage(&c, "--minutes, --ms and --uj want numbers above 0");
  if (o.board && o.target) return command_usage(&c, "--board and --target exclude each other");
  if (o.apply == 0)
    return command_usage(&c, "trial 0 is mote.yaml as it stood: there is nothing to write");
  if (o.folds > TUNING_MOST_FOLDS)
    return command_usage(&c, "--folds %lld: 1 to %d work", (long long)o.folds, TUNING_MOST_FOLDS);
  if (o.trials > MOST_TRIALS)
    return command_usage(&c, "--trials %lld: 1 to 100,000 work", (long long)o.trials);
  if (o.show && o.fresh) return command_usage(&c, "--show and --fresh exclude each other");
  for (int i = 0; i < o.ranks.count; i++) {
    char *end;
    const long workers = strtol(o.ranks.items[i], &end, 10);
    if (*end || workers < 1 || workers > 10000)
      return command_usage(&c, "--ranks '%s': it wants a whole number, 1 to 10,000",
                           o.ranks.items[i]);
  }
  if (!(o.minutes > 0) && o.trials == 0) o.minutes = MINUTES;
  struct tuner *u = ARENA_NEW(c.arena, struct tuner);
  u->c = &c;
  u->o = &o;
  bool ok = ranks_open(c.arena, &u->ranks, &c.err);
  if (u->ranks.rank > 0) c.json = false, c.quiet = true;
  ok = ok && run(u, &c.err);
  tune_journal_close(u->journal);
  project_close(&u->project);
  struct ranks ranks = u->ranks;
  code = command_end(&c, ok);
  fflush(stdout);
  if (!ok) ranks_abort(&ranks, code);
  ranks_close(&ranks);
  return code;
}
