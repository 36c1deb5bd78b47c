/* private: streams of bytes, and numbers in them. */
#ifndef HOST_INGEST_BYTES_H
#define HOST_INGEST_BYTES_H

#include "host/ingest/private.h"

#include <stdio.h>
#include <zlib.h>

/* A stretch of a file, inflated on the way where it is compressed. */
struct bytes {
  FILE *file;    /* plain, or an entry of an archive */
  gzFile gz;     /* a gzip file, or a plain one read through it */
  int64_t left;  /* in the file; of an entry its stored size */
  bool inflated; /* raw deflate in `file` */
  z_stream z;
  uint8_t *in; /* [65536] of deflate */
};
/* Reads exactly n bytes. false: there are fewer (*got says how many), or they are damaged. */
bool bytes_read(struct bytes *b, void *to, size_t n, size_t *got);
bool bytes_open_gz(struct bytes *b, const char *path, struct err *e);
bool bytes_open(struct bytes *b, const char *path, int64_t at, int64_t size, bool deflated,
                struct err *e);
void bytes_close(struct bytes *b);

enum number_kind { NUMBER_SIGNED, NUMBER_UNSIGNED, NUMBER_FLOAT };
struct number_type {
  enum number_kind kind;
  int bytes; /* 1 2 3 4 8 */
  bool big;
};
/* One number; not finite where the file holds such. */
double number_at(const uint8_t *p, struct number_type t);

#endif
