/* private: JSON and CBOR as one stream of events, so that a document of any size is read in little memory. */
#ifndef HOST_INGEST_DOCUMENT_H
#define HOST_INGEST_DOCUMENT_H

#include "host/ingest/private.h"

#include <stdio.h>

#define DOCUMENT_DEPTH      32
#define DOCUMENT_TEXT_BYTES ((size_t)4 << 20) /* of one text */

enum event { EVENT_MAP, EVENT_ARRAY, EVENT_END, EVENT_TEXT, EVENT_NUMBER, EVENT_OTHER, EVENT_DONE };

/* A map gives its keys (texts) and values in turn. */
struct document {
  bool cbor;
  FILE *file;
  uint8_t *buffer;
  size_t room, used, at;
  int64_t offset; /* of buffer[0] in the file */
  bool file_end;
  /* What the last event was */
  char *text; /* [text_bytes], NUL behind it */
  size_t text_bytes, text_room;
  double number;
  int64_t begin; /* offset of the item (JSON text: of its first character, behind the quote) */
  /* Open containers */
  int depth;
  struct {
    bool map, indefinite;
    uint64_t left; /* CBOR: items; JSON: 0 nothing yet, 1 a value was, 2 a key was */
  } open[DOCUMENT_DEPTH];
};
bool document_open(struct document *d, const char *path, bool cbor, struct err *e);
bool document_rewind(struct document *d, struct err *e);
/* errors: no JSON or CBOR (with the byte). */
bool document_next(struct document *d, enum event *event, struct err *e);
/* Reads over the value whose first event was `event`. */
bool document_skip(struct document *d, enum event event, struct err *e);
void document_close(struct document *d);
/* Where the next byte to be read lies. */
int64_t document_offset(const struct document *d);

/* For json.c and cbor.c: at least `need` bytes from d->at on, or what the file has left. */
bool document_fill(struct document *d, size_t need, struct err *e);
bool document_text(struct document *d, const void *bytes, size_t n,
                   struct err *e); /* appends to d->text */
bool json_next(struct document *d, enum event *event, struct err *e);
bool cbor_next(struct document *d, enum event *event, struct err *e);

#endif
