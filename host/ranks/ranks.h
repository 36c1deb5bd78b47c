/* ranks: messages between the processes that an MPI launcher started, on one machine or many.
 *
 * How it works: a process that no launcher started is rank 0 of 1, and no library is touched. Else the transport is loaded, a
 * shared object beside the program that is linked with MPI (mpi.c); the program itself does not need MPI.
 *
 * invariants: all calls come from one thread. A launcher ends the other processes where one dies; a process that is silent for
 * longer than it should is for the caller to notice. */
#ifndef HOST_RANKS_H
#define HOST_RANKS_H

#include "host/kit/kit.h"

#define RANKS_MOST_BYTES 65536

struct ranks {
  int rank, size;
  const struct ranks_transport *transport; /* NULL: alone */
};
/* errors: a launcher's environment but no transport, with what to install; an MPI that does not begin. */
bool ranks_open(struct arena *a, struct ranks *r, struct err *e);
/* Whether a launcher started this process. */
bool ranks_launched(void);
/* n: at most RANKS_MOST_BYTES. Returns when the bytes may be changed. */
bool ranks_send(struct ranks *r, int to, const void *bytes, size_t n, struct err *e);
/* A message where one has come: its size; 0: none. bytes: RANKS_MOST_BYTES. */
size_t ranks_receive(struct ranks *r, int *from, void *bytes);
/* Every rank calls it. */
void ranks_close(struct ranks *r);
/* Ends all processes; does not return where there are others. */
void ranks_abort(struct ranks *r, int code);

/* What a transport gives; the object's symbol is mote_ranks_transport. */
struct ranks_transport {
  int version; /* RANKS_TRANSPORT */
  bool (*begin)(int *rank, int *size);
  bool (*send)(int to, const void *bytes, int n);
  int (*receive)(int *from, void *bytes, int most);
  void (*end)(void);
  void (*abort)(int code);
};
#define RANKS_TRANSPORT 1

#endif
