/* import: a bounds-checked reader of flexbuffers, the form of custom operators' options, written for hostile bytes.
 *
 * Options are a map from names to numbers. The last byte is the width of the root, the one before it its type; a
 * map is a vector of values with its names, sorted, in another vector in front of it, and a byte of type for each
 * value behind it. Only numbers are read: signed, unsigned, real and truth values, in place or behind an
 * offset.
 *
 * invariant: no byte outside [p, p + n) is read, whatever the bytes are; nothing is recursive.
 * source: the published description of FlexBuffers. */
#ifndef HOST_IMPORT_FLEXBUFFER_H
#define HOST_IMPORT_FLEXBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A map that is open: positions from the start of the bytes. */
struct flex_map {
  const uint8_t *p;
  size_t n;
  size_t values, keys, types; /* first value, first name's offset, first type */
  size_t count;
  unsigned width, key_width; /* bytes of a value, of a name's offset: 1, 2, 4 or 8 */
};

struct flex_number {
  enum { FLEX_ABSENT, FLEX_INTEGER, FLEX_REAL } kind;
  int64_t integer; /* truth values are 0 or 1; unsigned ones above 2^63 - 1 are that */
  double real;     /* of both kinds */
};

/* Opens bytes whose root is a map. No bytes at all are an empty map. false: they are something else, or damaged. */
bool flex_open(struct flex_map *m, const uint8_t *p, size_t n);
/* The number that a name stands for; FLEX_ABSENT where there is none. false: damaged, or not a number. */
bool flex_find(const struct flex_map *m, const char *name, struct flex_number *out);

#endif
