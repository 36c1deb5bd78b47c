/* mpi: the transport of ranks over MPI, an object of its own (build/mote-mpi.so), so that only processes that a launcher
 * started load MPI. Point to point and never waiting: the receiver asks whether a message has come, since a wait of Open MPI takes a
 * whole core. */
#include <mpi.h>

#include "host/ranks/ranks.h"

#define TAG 7

static bool mpi_begin(int *rank, int *size) {
  int provided;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return false;
  return MPI_Comm_rank(MPI_COMM_WORLD, rank) == MPI_SUCCESS &&
         MPI_Comm_size(MPI_COMM_WORLD, size) == MPI_SUCCESS;
}

static bool mpi_send(int to, const void *bytes, int n) {
  return MPI_Send(bytes, n, MPI_BYTE, to, TAG, MPI_COMM_WORLD) == MPI_SUCCESS;
}

static int mpi_receive(int *from, void *bytes, int most) {
  MPI_Status status;
  int there = 0, n = 0;
  if (MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &there, &status) != MPI_SUCCESS || !there)
    return 0;
  *from = status.MPI_SOURCE;
  MPI_Get_count(&status, MPI_BYTE, &n);
  if (n > most) return 0;
  MPI_Recv(bytes, n, MPI_BYTE, *from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return n;
}

static void mpi_end(void) { MPI_Finalize(); }
static void mpi_abort(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

extern const struct ranks_transport mote_ranks_transport;
const struct ranks_transport mote_ranks_transport = {RANKS_TRANSPORT, mpi_begin, mpi_send,
                                                     mpi_receive,     mpi_end,   mpi_abort};
