/* ranks: finds out who started this process, and loads the transport where it must. See the door. */
#include "host/ranks/ranks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What Open MPI's, MPICH's and Slurm's launchers tell a process that they start. */
static const char *const marks[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"};

bool ranks_launched(void) {
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (getenv(marks[i])) return true;
  return false;
}

/* srun without MPI starts the same program many times, and none knows of the others. */
static bool many_alone(void) {
  const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
  return tasks && strtol(tasks, NULL, 10) > 1;
}

static const char *transport_path(struct arena *a) {
  char self[4096];
  const char *named = getenv("MOTE_MPI");
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (named && *named) return named;
  self[n > 0 ? n : 0] = 0;
  char *slash = strrchr(self, '/');
  if (slash) *slash = 0;
  return arena_printf(a, "%s/mote-mpi.so", self);
}

bool ranks_open(struct arena *a, struct ranks *r, struct err *e) {
  *r = (struct ranks){.rank = 0, .size = 1};
  if (!ranks_launched()) {
    if (!many_alone()) return true;
    return err_set(
        e, "srun started %s processes that do not know of each other: srun --mpi=pmix does it",
        getenv("SLURM_STEP_NUM_TASKS"));
  }
  const char *path = transport_path(a);
  void *object = file_exists(path) ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
  if (!object) {
    const char *why = file_exists(path) ? dlerror() : "it was not built";
    err_file(e, path);
    return err_set(e,
                   "an MPI launcher started this process, and the part that speaks MPI cannot be "
                   "loaded (%.300s); `tools/packages "
                   "mpi` and `make` build it",
                   why);
  }
  const struct ranks_transport *t = dlsym(object, "mote_ranks_transport");
  if (!t || t->version != RANKS_TRANSPORT) {
    err_file(e, path);
    return err_set(e, "this part is of another version of Mote; `make` builds it anew");
  }
  if (!t->begin(&r->rank, &r->size)) return err_set(e, "MPI could not begin");
  r->transport = t;
  return true;
}

bool ranks_send(struct ranks *r, int to, const void *bytes, size_t n, struct err *e) {
  if (r->transport && n <= RANKS_MOST_BYTES && r->transport->send(to, bytes, (int)n)) return true;
  return err_set(e, "rank %d cannot be reached", to);
}

size_t ranks_receive(struct ranks *r, int *from, void *bytes) {
  const int n = r->transport ? r->transport->receive(from, bytes, RANKS_MOST_BYTES) : 0;
  return n > 0 ? (size_t)n : 0;
}

void ranks_close(struct ranks *r) {
  if (r->transport) r->transport->end();
  r->transport = NULL;
}

void ranks_abort(struct ranks *r, int code) {
  if (r->transport && r->size > 1) r->transport->abort(code);
}
