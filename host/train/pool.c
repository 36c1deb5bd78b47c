/* train/pool: see pool.h. One generation counter announces work. Items are cut into as many runs as there are threads, each
 * taken with an atomic counter that carries the generation in its upper half, so that a late worker cannot take an
 * item of the next job. */
#include "host/train/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define POOL_MAX   64
#define POOL_SPINS 4000 /* about 20 microseconds: longer than the gaps between two layers */

struct pool {
  pthread_t threads[POOL_MAX];
  int n_threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  _Atomic uint32_t generation;
  _Atomic uint64_t next[POOL_MAX]; /* of each run: generation << 32 | items taken */
  _Atomic int done;
  _Atomic bool stop;
  int n;
  bool backwards;
  pool_work work;
  void *context;
  int starting;
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct job {
  uint32_t generation;
  int n;
  bool backwards;
  pool_work work;
  void *context;
};

/* A worker's own run first, then what others have left of theirs. */
static void take_items(struct pool *p, const struct job *j, int worker) {
  const int runs = p->n_threads + 1;
  for (int i = 0; i < runs; i++) {
    const int run = (worker + i) % runs;
    const int first = (int)((int64_t)j->n * run / runs), end = (int)((int64_t)j->n * (run + 1) / runs);
    for (;;) {
      uint64_t now = atomic_load(&p->next[run]);
      do {
        if (now >> 32 != j->generation) return;
        if ((uint32_t)now >= (uint32_t)(end - first)) break;
      } while (!atomic_compare_exchange_weak(&p->next[run], &now, now + 1));
      const int taken = (int)(uint32_t)now;
      if (taken >= end - first) break;
      j->work(j->context, j->backwards ? end - 1 - taken : first + taken, worker);
      atomic_fetch_add(&p->done, 1);
    }
  }
}

static void *worker_main(void *argument) {
  struct pool *p = argument;
  pthread_mutex_lock(&p->lock);
  const int worker = ++p->starting;
  uint32_t seen = 0;
  pthread_mutex_unlock(&p->lock);
  for (;;) {
    for (int i = 0; i < POOL_SPINS && atomic_load(&p->generation) == seen && !atomic_load(&p->stop);
         i++)
      relax();
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->generation) == seen && !atomic_load(&p->stop))
      pthread_cond_wait(&p->wake, &p->lock);
    seen = atomic_load(&p->generation);
    const struct job job = {seen, p->n, p->backwards, p->work, p->context};
    pthread_mutex_unlock(&p->lock);
    if (atomic_load(&p->stop)) return NULL;
    take_items(p, &job, worker);
  }
}

struct pool *pool_new(struct arena *a, int threads) {
  struct pool *p = ARENA_NEW(a, struct pool);
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  if (threads > POOL_MAX) threads = POOL_MAX;
  while (p->n_threads < threads - 1 &&
         pthread_create(&p->threads[p->n_threads], NULL, worker_main, p) == 0)
    p->n_threads++;
  return p;
}

void pool_free(struct pool *p) {
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  atomic_store(&p->stop, true);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < p->n_threads; i++) pthread_join(p->threads[i], NULL);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  p->n_threads = 0;
}

int pool_threads(const struct pool *p) { return p->n_threads + 1; }

void pool_run(struct pool *p, int n, bool backwards, pool_work work, void *context) {
  if (!p || p->n_threads == 0 || n <= 1) {
    for (int i = 0; i < n; i++) work(context, backwards ? n - 1 - i : i, 0);
    return;
  }
  pthread_mutex_lock(&p->lock);
  p->n = n;
  p->backwards = backwards;
  p->work = work;
  p->context = context;
  atomic_store(&p->done, 0);
  const uint32_t generation = atomic_load(&p->generation) + 1;
  for (int i = 0; i <= p->n_threads; i++) atomic_store(&p->next[i], (uint64_t)generation << 32);
  atomic_store(&p->generation, generation);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  const struct job job = {generation, n, backwards, work, context};
  take_items(p, &job, 0);
  for (int spins = 0; atomic_load(&p->done) < n; spins++) {
    relax();
    if (spins > POOL_SPINS) {
      struct timespec nap = {0, 20000};
      nanosleep(&nap, NULL);
    }
  }
}
