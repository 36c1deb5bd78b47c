/* What JSON and CBOR share: the bytes, the texts and skipping. */
#include "host/ingest/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool document_open(struct document *d, const char *path, bool cbor, struct err *e) {
  d->cbor = cbor;
  d->room = 65536;
  d->text_room = 256;
  d->buffer = malloc(d->room);
  d->text = malloc(d->text_room);
  d->file = fopen(path, "rb");
  if (!d->file) return err_set(e, "cannot be opened: %s", strerror(errno));
  if (!d->buffer || !d->text) return err_set(e, "no memory left");
  return true;
}

bool document_rewind(struct document *d, struct err *e) {
  d->used = d->at = 0;
  d->offset = 0;
  d->file_end = false;
  d->depth = 0;
  return fseek(d->file, 0, SEEK_SET) == 0 || err_set(e, "cannot be read a second time");
}

void document_close(struct document *d) {
  if (d->file) fclose(d->file);
  free(d->buffer);
  free(d->text);
  memset(d, 0, sizeof *d);
}

int64_t document_offset(const struct document *d) { return d->offset + (int64_t)d->at; }

bool document_fill(struct document *d, size_t need, struct err *e) {
  if (d->used - d->at >= need || d->file_end) return true;
  memmove(d->buffer, d->buffer + d->at, d->used - d->at);
  d->offset += (int64_t)d->at;
  d->used -= d->at;
  d->at = 0;
  if (need > d->room) {
    size_t room = d->room;
    while (room < need) room *= 2;
    uint8_t *more = need <= DOCUMENT_TEXT_BYTES ? realloc(d->buffer, room) : NULL;
    if (!more) return err_set(e, "byte %lld: an item of %zu bytes", (long long)d->offset, need);
    d->buffer = more;
    d->room = room;
  }
  while (d->used < need && !d->file_end) {
    const size_t got = fread(d->buffer + d->used, 1, d->room - d->used, d->file);
    d->used += got;
    d->file_end = got == 0;
  }
  return true;
}

bool document_text(struct document *d, const void *bytes, size_t n, struct err *e) {
  if (d->text_bytes + n + 1 > DOCUMENT_TEXT_BYTES)
    return err_set(e, "byte %lld: a text of more than %zu bytes", (long long)d->begin,
                   DOCUMENT_TEXT_BYTES);
  if (d->text_bytes + n + 1 > d->text_room) {
    size_t room = d->text_room;
    while (room < d->text_bytes + n + 1) room *= 2;
    char *more = realloc(d->text, room);
    if (!more) return err_set(e, "no memory left");
    d->text = more;
    d->text_room = room;
  }
  if (n) memcpy(d->text + d->text_bytes, bytes, n);
  d->text_bytes += n;
  d->text[d->text_bytes] = 0;
  return true;
}

bool document_next(struct document *d, enum event *event, struct err *e) {
  return d->cbor ? cbor_next(d, event, e) : json_next(d, event, e);
}

bool document_skip(struct document *d, enum event event, struct err *e) {
  if (event != EVENT_MAP && event != EVENT_ARRAY) return true;
  const int depth = d->depth;
  while (d->depth >= depth)
    if (!document_next(d, &event, e)) return false;
  return true;
}
