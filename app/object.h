/* object: reads the JSON objects that Mote's own commands print. Every byte is hostile: the text may have come from
 * anywhere. Values live in the arena.
 *
 * source: RFC 8259, as jansson reads it; numbers become doubles. */
#ifndef APP_OBJECT_H
#define APP_OBJECT_H

#include "host/kit/kit.h"

enum object_kind {
  OBJECT_NULL,
  OBJECT_BOOL,
  OBJECT_NUMBER,
  OBJECT_TEXT,
  OBJECT_ARRAY,
  OBJECT_OBJECT
};

struct object {
  enum object_kind kind;
  const char *key;  /* of a member; else NULL */
  const char *text; /* OBJECT_TEXT */
  double number;    /* OBJECT_NUMBER; 0 or 1 for OBJECT_BOOL */
  int count;        /* members or elements */
  const struct object *first, *next;
};

/* Reads one value that is the whole text of n bytes. errors: the line, and what stood there. */
bool object_read(struct arena *a, const char *bytes, size_t n, const struct object **out,
                 struct err *e);

/* The member at a path such as "features.instructions"; NULL where it is absent (o may be NULL). */
const struct object *object_at(const struct object *o, const char *path);
/* Its number; NAN where it is absent or no number. */
double object_number(const struct object *o, const char *path);
/* Its text; "" where it is absent or no text. */
const char *object_text(const struct object *o, const char *path);

#endif
