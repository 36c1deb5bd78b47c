/* import: a bounds-checked reader of flatbuffers, written for hostile bytes.
 *
 * A position is an offset from the start of the bytes; 0 means absent, since nothing but the root lies there.
 * The first violation is kept (with its position) and every later read gives 0 or an empty vector, so callers
 * read what they need and look at `bad` where it matters. Nothing is recursive, nothing assumes alignment.
 *
 * invariant: no byte outside [p, p + n) is read, whatever the bytes are. */
#ifndef HOST_IMPORT_FLATBUFFER_H
#define HOST_IMPORT_FLATBUFFER_H

#include "host/kit/kit.h"

struct flat {
  const uint8_t *p;
  size_t n;
  struct err *e;
  bool bad;
};

/* A table: its own position, and its list of field offsets. at == 0: absent. */
struct flat_table {
  size_t at, vtable;
  size_t bytes, vtable_bytes;
};

/* count items from position at. */
struct flat_vector {
  size_t at;
  size_t count;
  bool present;
};

/* Little-endian numbers; needs: the bytes are inside. */
uint32_t flat_u32(const struct flat *f, size_t at);
uint64_t flat_u64(const struct flat *f, size_t at);
float flat_f32(const struct flat *f, size_t at);

/* The root table. */
struct flat_table flat_root(struct flat *f);
/* Fields by their number in the schema; absent fields give the default. */
int32_t flat_i8_field(struct flat *f, const struct flat_table *t, int field, int32_t otherwise);
int32_t flat_i32_field(struct flat *f, const struct flat_table *t, int field, int32_t otherwise);
uint64_t flat_u64_field(struct flat *f, const struct flat_table *t, int field);
float flat_f32_field(struct flat *f, const struct flat_table *t, int field);
struct flat_table flat_table_field(struct flat *f, const struct flat_table *t, int field);
/* A vector whose items take item_bytes each, all inside. */
struct flat_vector flat_vector_field(struct flat *f, const struct flat_table *t, int field,
                                     size_t item_bytes);
/* Table number i of a vector of tables. needs: i < count. */
struct flat_table flat_table_at(struct flat *f, const struct flat_vector *v, size_t i);

#endif
