/* tuning_crew: see the header. */
#include "app/tuning_crew.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64
#define MOST_RANKS   4096
#define PAUSE_US     3000
#define ALIVE_S      2.0
#define SILENT_S     60.0 /* a rank that says nothing for so long is gone */

enum kind { HELLO, BEGIN, TASK, DONE, ALIVE, END };
struct message {
  int kind, threads;
  struct tune_task task;
  struct tune_point point;
  struct tuning_base base;
  struct tuning_result result;
};

struct job {
  struct tune_task task;
  struct tune_point point;
};

struct tuning_crew {
  struct tuning *t;
  struct ranks *ranks;
  int threads, started;
  pthread_t thread[MOST_THREADS];
  pthread_mutex_t lock;
  pthread_cond_t work;
  struct job jobs[MOST_THREADS]; /* not begun; at most one for each thread */
  int n_jobs, busy;              /* busy: those waiting, too */
  struct tuning_done done[MOST_THREADS];
  int n_done;
  bool over;
  volatile bool cancel;
  /* Of rank 0: the others. */
  int *room;     /* [size] threads; 0: has not said hello */
  int *given;    /* [size] */
  double *heard; /* [size] when last; 0: never */
  double told_alive;
  uint8_t *message; /* [RANKS_MOST_BYTES] */
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- threads ------------------------------------------------------------------------------- */
static void *work(void *context) {
  struct tuning_crew *c = context;
  pthread_mutex_lock(&c->lock);
  for (;;) {
    while (!c->over && c->n_jobs == 0) pthread_cond_wait(&c->work, &c->lock);
    if (c->over) break;
    const struct job job = c->jobs[0];
    memmove(c->jobs, c->jobs + 1, (size_t)--c->n_jobs * sizeof *c->jobs);
    pthread_mutex_unlock(&c->lock);
    struct tuning_done done = {.task = job.task};
    tuning_try(c->t, &job.point, job.task.trial == 0, job.task.rung, &c->cancel, &done.result);
    pthread_mutex_lock(&c->lock);
    if (!c->cancel)
      c->done[c->n_done++] = done; /* busy counts it until it is taken: there is room */
  }
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

struct tuning_crew *tuning_crew_new(struct arena *a, struct tuning *t, struct ranks *ranks,
                                    int threads, struct err *e) {
  struct tuning_crew *c = ARENA_NEW(a, struct tuning_crew);
  c->t = t;
  c->ranks = ranks;
  c->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  c->room = ARENA_ARRAY(a, int, ranks->size);
  c->given = ARENA_ARRAY(a, int, ranks->size);
  c->heard = ARENA_ARRAY(a, double, ranks->size);
  c->message = arena_alloc(a, RANKS_MOST_BYTES, 1);
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->work, NULL);
  pthread_attr_t how;
  pthread_attr_init(&how);
  pthread_attr_setstacksize(&how, (size_t)8 << 20);
  while (c->started < c->threads && pthread_create(&c->thread[c->started], &how, work, c) == 0)
    c->started++;
  pthread_attr_destroy(&how);
  c->threads = c->started;
  if (c->started > 0) return c;
  err_set(e, "no thread could be started");
  return NULL;
}

static void give_here(struct tuning_crew *c, const struct job *job) {
  pthread_mutex_lock(&c->lock);
  c->jobs[c->n_jobs++] = *job;
  c->busy++;
  pthread_cond_signal(&c->work);
  pthread_mutex_unlock(&c->lock);
}

static bool take_here(struct tuning_crew *c, struct tuning_done *done) {
  pthread_mutex_lock(&c->lock);
  const bool there = c->n_done > 0;
  if (there) {
    *done = c->done[0];
    memmove(c->done, c->done + 1, (size_t)--c->n_done * sizeof *c->done);
    c->busy--;
  }
  pthread_mutex_unlock(&c->lock);
  return there;
}

/* ---- messages --------------------------------------------------------------------------------- */
static bool tell(struct tuning_crew *c, int to, const struct message *m, struct err *e) {
  return ranks_send(c->ranks, to, m, sizeof *m, e);
}

static bool hear(struct tuning_crew *c, int *from, struct message *m) {
  const size_t n = ranks_receive(c->ranks, from, c->message);
  if (n != sizeof *m) return false;
  memcpy(m, c->message, sizeof *m);
  return true;
}

bool tuning_crew_begin(struct tuning_crew *c, struct err *e) {
  struct message m = {.kind = BEGIN, .base = c->t->base};
  for (int i = 1; i < c->ranks->size; i++) {
    if (!tell(c, i, &m, e)) return false;
    c->heard[i] = now();
  }
  return true;
}

/* What others say, until one has a result. */
static bool listen(struct tuning_crew *c, struct tuning_done *done) {
  struct message m;
  int from;
  while (hear(c, &from, &m)) {
    if (from < 1 || from >= c->ranks->size) continue;
    c->heard[from] = now();
    if (m.kind == HELLO) c->room[from] = m.threads;
    if (m.kind != DONE) continue;
    c->given[from]--;
    *done = (struct tuning_done){m.task, m.result};
    return true;
  }
  return false;
}

static bool all_alive(struct tuning_crew *c, struct err *e) {
  for (int i = 1; i < c->ranks->size; i++)
    if (now() - c->heard[i] > SILENT_S)
      return err_set(e,
                     "rank %d of %d has said nothing for %.0f s: it is gone. What was finished is "
                     "in the journal; the same command "
                     "goes on from there",
                     i, c->ranks->size, SILENT_S);
  return true;
}

bool tuning_crew_serve(struct tuning_crew *c, struct err *e) {
  struct message m, hello = {.kind = HELLO, .threads = c->threads}, alive = {.kind = ALIVE};
  struct tuning_done done;
  int from;
  if (!tell(c, 0, &hello, e)) return false;
  for (double last = now();;) {
    while (hear(c, &from, &m)) {
      if (m.kind == BEGIN) c->t->base = m.base;
      if (m.kind == END) return true;
      if (m.kind == TASK) give_here(c, &(struct job){m.task, m.point});
    }
    while (take_here(c, &done)) {
      m = (struct message){.kind = DONE, .task = done.task, .result = done.result};
      if (!tell(c, 0, &m, e)) return false;
    }
    if (now() - last > ALIVE_S) {
      last = now();
      if (!tell(c, 0, &alive, e)) return false;
    }
    usleep(PAUSE_US);
  }
}

/* ---- rank 0 ------------------------------------------------------------------------------------- */
/* Who is free: another rank first, since rank 0 has more to do. -1: nobody. */
static int who_is_free(const struct tuning_crew *c) {
  for (int i = 1; i < c->ranks->size; i++)
    if (c->given[i] < c->room[i]) return i;
  return c->busy < c->threads ? 0 : -1;
}

bool tuning_crew_free(const struct tuning_crew *c) { return who_is_free(c) >= 0; }

int tuning_crew_busy(const struct tuning_crew *c) {
  int n = c->busy;
  for (int i = 1; i < c->ranks->size; i++) n += c->given[i];
  return n;
}

bool tuning_crew_give(struct tuning_crew *c, struct tune_task task, const struct tune_point *p,
                      struct err *e) {
  const int to = who_is_free(c);
  if (to < 0) return err_internal(e, "nobody is free");
  if (to == 0) {
    give_here(c, &(struct job){task, *p});
    return true;
  }
  const struct message m = {.kind = TASK, .task = task, .point = *p};
  c->given[to]++;
  return tell(c, to, &m, e);
}

bool tuning_crew_take(struct tuning_crew *c, struct tuning_done *done, struct err *e) {
  if (take_here(c, done) || listen(c, done)) return true;
  if (!all_alive(c, e)) return false;
  usleep(PAUSE_US);
  return false;
}

void tuning_crew_end(struct tuning_crew *c) {
  const struct message m = {.kind = END};
  for (int i = 1; c->ranks->rank == 0 && i < c->ranks->size; i++) tell(c, i, &m, NULL);
  pthread_mutex_lock(&c->lock);
  c->cancel = c->over = true;
  pthread_cond_broadcast(&c->work);
  pthread_mutex_unlock(&c->lock);
  for (int i = 0; i < c->started; i++) pthread_join(c->thread[i], NULL);
  c->started = 0;
}
