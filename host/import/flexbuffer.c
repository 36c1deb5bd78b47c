/* import: flexbuffers. See flexbuffer.h. */
#include "host/import/flexbuffer.h"

#include <string.h>

/* Types, the upper six bits of a type's byte; the lower two are the logarithm of a width. */
enum {
  FLEX_NULL = 0,
  FLEX_INT = 1,
  FLEX_UINT = 2,
  FLEX_FLOAT = 3,
  FLEX_INDIRECT_INT = 6,
  FLEX_INDIRECT_UINT = 7,
  FLEX_INDIRECT_FLOAT = 8,
  FLEX_MAP = 9,
  FLEX_BOOL = 26
};

/* n items of `width` bytes from `at` on lie inside. */
static bool inside(const struct flex_map *m, size_t at, size_t n, unsigned width) {
  return at <= m->n && n <= (m->n - at) / width;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. needs: inside. */
static uint64_t number_at(const struct flex_map *m, size_t at, unsigned width) {
  uint64_t x = 0;
  for (unsigned i = 0; i < width; i++) x |= (uint64_t)m->p[at + i] << (8 * i);
  return x;
}

/* Follows the offset at a position: how far back something lies. false: in front of the first byte. */
static bool follow(const struct flex_map *m, size_t at, unsigned width, size_t *to) {
  if (!inside(m, at, 1, width)) return false;
  const uint64_t back = number_at(m, at, width);
  if (back > at) return false;
  *to = at - (size_t)back;
  return true;
}

bool flex_open(struct flex_map *m, const uint8_t *p, size_t n) {
  *m = (struct flex_map){.p = p, .n = n, .width = 1, .key_width = 1};
  if (n == 0) return true;
  if (n < 3) return false;
  const unsigned root_width = p[n - 1], type = p[n - 2];
  if (root_width != 1 && root_width != 2 && root_width != 4 && root_width != 8) return false;
  if (type >> 2 != FLEX_MAP || n - 2 < root_width) return false;
  m->width = 1u << (type & 3);
  if (!follow(m, n - 2 - root_width, root_width, &m->values)) return false;
  /* In front of the values: the offset of the names, the width of the names, the count. */
  const size_t head = 3 * (size_t)m->width;
  if (m->values < head || !inside(m, m->values - head, 3, m->width)) return false;
  const uint64_t key_width = number_at(m, m->values - 2 * m->width, m->width);
  const uint64_t count = number_at(m, m->values - m->width, m->width);
  if (key_width != 1 && key_width != 2 && key_width != 4 && key_width != 8) return false;
  m->key_width = (unsigned)key_width;
  if (count > n || !inside(m, m->values, (size_t)count, m->width)) return false;
  m->count = (size_t)count;
  m->types = m->values + m->count * m->width;
  if (!inside(m, m->types, m->count, 1)) return false;
  return follow(m, m->values - head, m->width, &m->keys) &&
         inside(m, m->keys, m->count, m->key_width);
}

static bool name_is(const struct flex_map *m, size_t at, const char *name) {
  const size_t length = strlen(name) + 1; /* the zero included */
  return inside(m, at, length, 1) && memcmp(m->p + at, name, length) == 0;
}

/* IEEE numbers of 4 or 8 bytes; of 2 no writer of options makes any. */
static bool read_real(const struct flex_map *m, size_t at, unsigned width, double *out) {
  const uint64_t bits = number_at(m, at, width);
  if (width == 8) {
    memcpy(out, &bits, 8);
    return true;
  }
  if (width != 4) return false;
  const uint32_t narrow = (uint32_t)bits;
  float x;
  memcpy(&x, &narrow, 4);
  *out = (double)x;
  return true;
}

static int64_t sign_extend(uint64_t x, unsigned width) {
  const unsigned up = 64 - 8 * width;
  return (int64_t)(x << up) >> up;
}

/* The number of a type whose bytes lie at a position. */
static bool read_number(const struct flex_map *m, unsigned type, size_t at, unsigned width,
                        struct flex_number *out) {
  if (!inside(m, at, 1, width)) return false;
  const uint64_t raw = number_at(m, at, width);
  switch (type) {
  case FLEX_NULL: out->kind = FLEX_ABSENT; return true;
  case FLEX_FLOAT:
    out->kind = FLEX_REAL;
    if (!read_real(m, at, width, &out->real)) return false;
    /* Towards zero; what no integer holds becomes 0. */
    out->integer = out->real > -9.0e18 && out->real < 9.0e18 ? (int64_t)out->real : 0;
    return true;
  case FLEX_INT: out->integer = sign_extend(raw, width); break;
  case FLEX_UINT: out->integer = raw > INT64_MAX ? INT64_MAX : (int64_t)raw; break;
  case FLEX_BOOL: out->integer = raw != 0; break;
  default: return false;
  }
  out->kind = FLEX_INTEGER;
  out->real = (double)out->integer;
  return true;
}

bool flex_find(const struct flex_map *m, const char *name, struct flex_number *out) {
  *out = (struct flex_number){.kind = FLEX_ABSENT};
  for (size_t i = 0; i < m->count; i++) {
    size_t key, at = m->values + i * m->width;
    if (!follow(m, m->keys + i * m->key_width, m->key_width, &key)) return false;
    if (!name_is(m, key, name)) continue;
    const unsigned packed = m->p[m->types + i], type = packed >> 2;
    if (type < FLEX_INDIRECT_INT || type > FLEX_INDIRECT_FLOAT)
      return read_number(m, type, at, m->width, out);
    if (!follow(m, at, m->width, &at)) return false;
    return read_number(m, type - FLEX_INDIRECT_INT + FLEX_INT, at, 1u << (packed & 3), out);
  }
  return true;
}
