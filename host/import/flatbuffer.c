/* import: the flatbuffer reader. See flatbuffer.h.
 *
 * source: the published binary format: a table begins with a signed distance back to its vtable; a vtable is its
 * size, the table's size, then an offset for each field (0: absent); vectors begin with a count. */
#include "host/import/flatbuffer.h"

#include <string.h>

static uint16_t flat_u16(const struct flat *f, size_t at) {
  return (uint16_t)(f->p[at] | f->p[at + 1] << 8);
}

uint32_t flat_u32(const struct flat *f, size_t at) {
  return (uint32_t)flat_u16(f, at) | (uint32_t)flat_u16(f, at + 2) << 16;
}

uint64_t flat_u64(const struct flat *f, size_t at) {
  return (uint64_t)flat_u32(f, at) | (uint64_t)flat_u32(f, at + 4) << 32;
}

float flat_f32(const struct flat *f, size_t at) {
  const uint32_t bits = flat_u32(f, at);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void violation(struct flat *f, size_t at, const char *what) {
  if (f->bad) return;
  f->bad = true;
  err_set(f->e, "the file is damaged: %s at byte %zu of %zu", what, at, f->n);
}

/* Whether [at, at + bytes) is inside. */
static bool inside(const struct flat *f, size_t at, size_t bytes) {
  return at <= f->n && bytes <= f->n - at;
}

static const struct flat_table no_table = {0};

static struct flat_table table(struct flat *f, size_t at) {
  if (f->bad || at == 0) return no_table;
  if (!inside(f, at, 4)) {
    violation(f, at, "a table begins outside");
    return no_table;
  }
  const int64_t vtable = (int64_t)at - (int32_t)flat_u32(f, at);
  if (vtable < 0 || !inside(f, (size_t)vtable, 4)) {
    violation(f, at, "a table's list of fields lies outside");
    return no_table;
  }
  struct flat_table t = {at, (size_t)vtable, 0, 0};
  t.vtable_bytes = flat_u16(f, t.vtable);
  t.bytes = flat_u16(f, t.vtable + 2);
  if (t.vtable_bytes < 4 || !inside(f, t.vtable, t.vtable_bytes) || t.bytes < 4 ||
      !inside(f, at, t.bytes)) {
    violation(f, at, "a table does not fit");
    return no_table;
  }
  return t;
}

/* The position of a field of `bytes` bytes; 0 when absent. */
static size_t field_at(struct flat *f, const struct flat_table *t, int field, size_t bytes) {
  const size_t slot = 4 + 2 * (size_t)field;
  if (f->bad || t->at == 0 || slot + 2 > t->vtable_bytes) return 0;
  const size_t offset = flat_u16(f, t->vtable + slot);
  if (offset == 0) return 0;
  if (offset < 4 || offset + bytes > t->bytes) {
    violation(f, t->at, "a field lies outside its table");
    return 0;
  }
  return t->at + offset;
}

/* Follows the forward distance at `at`; 0 when it leads outside. */
static size_t follow(struct flat *f, size_t at) {
  const uint64_t to = (uint64_t)at + flat_u32(f, at);
  if (to <= at || to > f->n - 4) {
    violation(f, at, "an offset leads outside");
    return 0;
  }
  return (size_t)to;
}

struct flat_table flat_root(struct flat *f) {
  if (f->n < 8) {
    violation(f, 0, "too short for a flatbuffer");
    return no_table;
  }
  return table(f, follow(f, 0));
}

int32_t flat_i8_field(struct flat *f, const struct flat_table *t, int field, int32_t otherwise) {
  const size_t at = field_at(f, t, field, 1);
  return at ? (int8_t)f->p[at] : otherwise;
}

int32_t flat_i32_field(struct flat *f, const struct flat_table *t, int field, int32_t otherwise) {
  const size_t at = field_at(f, t, field, 4);
  return at ? (int32_t)flat_u32(f, at) : otherwise;
}

uint64_t flat_u64_field(struct flat *f, const struct flat_table *t, int field) {
  const size_t at = field_at(f, t, field, 8);
  return at ? flat_u64(f, at) : 0;
}

float flat_f32_field(struct flat *f, const struct flat_table *t, int field) {
  const size_t at = field_at(f, t, field, 4);
  return at ? flat_f32(f, at) : 0.0f;
}

struct flat_table flat_table_field(struct flat *f, const struct flat_table *t, int field) {
  const size_t at = field_at(f, t, field, 4);
  return at ? table(f, follow(f, at)) : no_table;
}

struct flat_vector flat_vector_field(struct flat *f, const struct flat_table *t, int field,
                                     size_t item_bytes) {
  struct flat_vector v = {0, 0, false};
  const size_t at = field_at(f, t, field, 4);
  const size_t start = at ? follow(f, at) : 0;
  if (!start) return v;
  const size_t count = flat_u32(f, start);
  if (count > (f->n - start - 4) / item_bytes) {
    violation(f, start, "a vector is longer than the file");
    return v;
  }
  return (struct flat_vector){start + 4, count, true};
}

struct flat_table flat_table_at(struct flat *f, const struct flat_vector *v, size_t i) {
  if (f->bad) return no_table;
  return table(f, follow(f, v->at + 4 * i));
}
