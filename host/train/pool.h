/* train/pool: a few threads that share out numbered pieces of work.
 *
 * Who does which piece is left to chance; so results are kept apart by piece and combined in order. A worker
 * waits awake for some microseconds and then sleeps, so a busy machine loses little. */
#ifndef HOST_TRAIN_POOL_H
#define HOST_TRAIN_POOL_H

#include "host/kit/kit.h"

struct pool;
typedef void (*pool_work)(void *context, int item, int worker);
/* threads >= 1, the caller's included. Fewer are made where the machine refuses. */
struct pool *pool_new(struct arena *a, int threads);
void pool_free(struct pool *p);
int pool_threads(const struct pool *p);
/* Calls work for items 0 .. n-1 and returns when all are done. Each thread begins with a run of items of its own, the same in
 * every call, so that it finds in its cache what it made before; backwards: the last of its run first. p NULL: on
 * the caller's thread. */
void pool_run(struct pool *p, int n, bool backwards, pool_work work, void *context);

#endif
