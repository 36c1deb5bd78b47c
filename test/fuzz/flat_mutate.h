/* A mutator that knows what a .tflite file is made of.
 *
 * It walks the flatbuffer of a valid (or half valid) model by the schema and notes every place where a number means
 * something: tensor indices, dimensions, types, buffer indices, operator codes, scales, zero points, lengths of vectors,
 * offsets, entries of vtables, options, constants. A mutation changes a few of them in place into what is wrong, extreme,
 * or right elsewhere: an index of another tensor (so cycles and orders that cannot be), another table's offset (so
 * tables that are two things at once), a dimension that no longer fits its buffer. Readers that survive random bytes
 * mostly refuse them early; these get further.
 *
 * The walk trusts nothing: mutants are walked again. source: the published schema, version 3. */
#ifndef TEST_FUZZ_FLAT_MUTATE_H
#define TEST_FUZZ_FLAT_MUTATE_H

#include <string.h>

#include "host/kit/kit.h"

/* What a place holds. */
enum flat_role {
  ROLE_TENSOR, /* index of a tensor, -1: none */
  ROLE_DIM,
  ROLE_TYPE,
  ROLE_BUFFER,
  ROLE_CODE_INDEX,
  ROLE_CODE,
  ROLE_SCALE,
  ROLE_ZERO_POINT,
  ROLE_AXIS,
  ROLE_LENGTH,
  ROLE_OFFSET,
  ROLE_VTABLE,
  ROLE_OPTION_BYTE,
  ROLE_OPTION_WORD,
  ROLE_OPTIONS_TYPE,
  ROLE_FLAG,
  ROLE_DATA,   /* bytes of a constant */
  ROLE_CUSTOM, /* bytes of a custom operator's options */
  ROLE_COUNT
};

struct flat_site {
  uint32_t at;
  uint8_t role, bytes;
};

#define FLAT_MOST_SITES 8192
struct flat_sites {
  struct flat_site sites[FLAT_MOST_SITES];
  int n, of_role[ROLE_COUNT];
  int tensors, buffers, codes; /* as many as the vectors say, capped */
};

/* ---- the schema -------------------------------------------------------------------- */

enum flat_kind { KIND_NUMBER, KIND_VECTOR, KIND_TABLE, KIND_TABLES, KIND_STRING };
enum flat_table_kind {
  T_MODEL,
  T_CODE,
  T_SUBGRAPH,
  T_TENSOR,
  T_QUANT,
  T_OPERATOR,
  T_BUFFER,
  T_OPTIONS,
  T_COUNT
};

struct flat_field {
  uint8_t table, field, kind;
  uint8_t bytes; /* of a number or of a vector's element */
  uint8_t role;  /* of it, or the kind of table */
};

static const struct flat_field flat_schema[] = {
    {T_MODEL, 0, KIND_NUMBER, 4, ROLE_OPTION_WORD},
    {T_MODEL, 1, KIND_TABLES, 4, T_CODE},
    {T_MODEL, 2, KIND_TABLES, 4, T_SUBGRAPH},
    {T_MODEL, 3, KIND_STRING, 1, ROLE_CUSTOM},
    {T_MODEL, 4, KIND_TABLES, 4, T_BUFFER},
    {T_CODE, 0, KIND_NUMBER, 1, ROLE_CODE},
    {T_CODE, 1, KIND_STRING, 1, ROLE_CUSTOM},
    {T_CODE, 2, KIND_NUMBER, 4, ROLE_OPTION_WORD},
    {T_CODE, 3, KIND_NUMBER, 4, ROLE_CODE},
    {T_SUBGRAPH, 0, KIND_TABLES, 4, T_TENSOR},
    {T_SUBGRAPH, 1, KIND_VECTOR, 4, ROLE_TENSOR},
    {T_SUBGRAPH, 2, KIND_VECTOR, 4, ROLE_TENSOR},
    {T_SUBGRAPH, 3, KIND_TABLES, 4, T_OPERATOR},
    {T_TENSOR, 0, KIND_VECTOR, 4, ROLE_DIM},
    {T_TENSOR, 1, KIND_NUMBER, 1, ROLE_TYPE},
    {T_TENSOR, 2, KIND_NUMBER, 4, ROLE_BUFFER},
    {T_TENSOR, 3, KIND_STRING, 1, ROLE_CUSTOM},
    {T_TENSOR, 4, KIND_TABLE, 4, T_QUANT},
    {T_TENSOR, 5, KIND_NUMBER, 1, ROLE_FLAG},
    {T_TENSOR, 7, KIND_VECTOR, 4, ROLE_DIM},
    {T_QUANT, 2, KIND_VECTOR, 4, ROLE_SCALE},
    {T_QUANT, 3, KIND_VECTOR, 8, ROLE_ZERO_POINT},
    {T_QUANT, 6, KIND_NUMBER, 4, ROLE_AXIS},
    {T_OPERATOR, 0, KIND_NUMBER, 4, ROLE_CODE_INDEX},
    {T_OPERATOR, 1, KIND_VECTOR, 4, ROLE_TENSOR},
    {T_OPERATOR, 2, KIND_VECTOR, 4, ROLE_TENSOR},
    {T_OPERATOR, 3, KIND_NUMBER, 1, ROLE_OPTIONS_TYPE},
    {T_OPERATOR, 4, KIND_TABLE, 4, T_OPTIONS},
    {T_OPERATOR, 5, KIND_VECTOR, 1, ROLE_CUSTOM},
    {T_OPERATOR, 8, KIND_VECTOR, 4, ROLE_TENSOR},
    {T_BUFFER, 0, KIND_VECTOR, 1, ROLE_DATA},
    {T_BUFFER, 1, KIND_NUMBER, 8, ROLE_OPTION_WORD},
    {T_BUFFER, 2, KIND_NUMBER, 8, ROLE_OPTION_WORD},
};

/* ---- the walk ------------------------------------------------------------------------ */

struct flat_walk {
  const uint8_t *p;
  uint32_t n;
  struct flat_sites *s;
};

static uint32_t flat_get(const struct flat_walk *w, uint32_t at, int bytes) {
  uint32_t x = 0;
  if (at <= w->n && w->n - at >= (uint32_t)bytes) memcpy(&x, w->p + at, (size_t)bytes);
  return x;
}

static void flat_note(struct flat_walk *w, uint32_t at, enum flat_role role, int bytes) {
  if (w->s->n == FLAT_MOST_SITES || at > w->n || w->n - at < (uint32_t)bytes) return;
  w->s->sites[w->s->n++] = (struct flat_site){at, (uint8_t)role, (uint8_t)bytes};
  w->s->of_role[role]++;
}

/* Where the offset at `at` leads; 0: outside. */
static uint32_t flat_follow(struct flat_walk *w, uint32_t at) {
  const uint64_t to = (uint64_t)at + flat_get(w, at, 4);
  flat_note(w, at, ROLE_OFFSET, 4);
  return to + 4 <= w->n ? (uint32_t)to : 0;
}

/* Large vectors: their first elements and a few others. */
static void flat_vector(struct flat_walk *w, uint32_t at, enum flat_role role, int bytes) {
  const uint32_t to = flat_follow(w, at), count = flat_get(w, to, 4);
  if (!to) return;
  flat_note(w, to, ROLE_LENGTH, 4);
  for (uint32_t i = 0; i < count && i < 64; i++)
    flat_note(w, to + 4 + i * (uint32_t)bytes, role, bytes);
}

static void flat_options(struct flat_walk *w, uint32_t table, uint32_t vtable, uint32_t slots) {
  for (uint32_t i = 0; i < slots; i++) {
    const uint32_t offset = flat_get(w, vtable + 4 + 2 * i, 2);
    if (!offset) continue;
    flat_note(w, table + offset, ROLE_OPTION_BYTE, 1);
    if (offset % 4 == 0) flat_note(w, table + offset, ROLE_OPTION_WORD, 4);
  }
}

/* depth bounds the recursion, whatever leads where. */
static void flat_table_walk(struct flat_walk *w, uint32_t table, int kind, int depth) {
  const int64_t vtable = (int64_t)table - (int32_t)flat_get(w, table, 4);
  if (!table || vtable < 0 || vtable + 4 > w->n || depth > 6) return;
  uint32_t slots = (flat_get(w, (uint32_t)vtable, 2) - 4) / 2;
  if (slots > 32) slots = 32;
  flat_note(w, (uint32_t)vtable, ROLE_VTABLE, 2);
  for (uint32_t i = 0; i < slots; i++) flat_note(w, (uint32_t)vtable + 4 + 2 * i, ROLE_VTABLE, 2);
  if (kind == T_OPTIONS) {
    flat_options(w, table, (uint32_t)vtable, slots);
    return;
  }
  for (size_t k = 0; k < sizeof flat_schema / sizeof *flat_schema; k++) {
    const struct flat_field *f = &flat_schema[k];
    if (f->table != kind || f->field >= slots) continue;
    const uint32_t offset = flat_get(w, (uint32_t)vtable + 4 + 2 * (uint32_t)f->field, 2);
    if (!offset) continue;
    const uint32_t at = table + offset;
    if (f->kind == KIND_NUMBER) flat_note(w, at, (enum flat_role)f->role, f->bytes);
    if (f->kind == KIND_VECTOR || f->kind == KIND_STRING)
      flat_vector(w, at, (enum flat_role)f->role, f->bytes);
    if (f->kind == KIND_TABLE) flat_table_walk(w, flat_follow(w, at), f->role, depth + 1);
    if (f->kind != KIND_TABLES) continue;
    const uint32_t to = flat_follow(w, at), count = flat_get(w, to, 4);
    if (!to) continue;
    flat_note(w, to, ROLE_LENGTH, 4);
    if (f->role == T_TENSOR) w->s->tensors = (int)(count & 0xFFFF);
    if (f->role == T_BUFFER) w->s->buffers = (int)(count & 0xFFFF);
    if (f->role == T_CODE) w->s->codes = (int)(count & 0xFFFF);
    for (uint32_t i = 0; i < count && i < 256; i++)
      flat_table_walk(w, flat_follow(w, to + 4 + 4 * i), f->role, depth + 1);
  }
}

static void flat_find(const uint8_t *bytes, size_t n, struct flat_sites *s) {
  struct flat_walk w = {bytes, (uint32_t)n, s};
  memset(s, 0, sizeof *s);
  if (n >= 8) flat_table_walk(&w, flat_follow(&w, 0), T_MODEL, 0);
}

/* ---- changes ---------------------------------------------------------------------------- */

static const int64_t flat_extremes[] = {
    0,         1,         2,          3,         -1,       -2,      4,       5,
    7,         8,         16,         127,       128,      255,     256,     -128,
    32767,     -32768,    65535,      65536,     1 << 20,  1 << 24, 1 << 28, (1 << 28) + 1,
    INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN};

static int64_t flat_extreme(struct rng *r) {
  return flat_extremes[rng_below(r, sizeof flat_extremes / sizeof *flat_extremes)];
}

static const struct flat_site *flat_pick(const struct flat_sites *s, struct rng *r,
                                         enum flat_role role) {
  uint32_t left = rng_below(r, (uint32_t)s->of_role[role]);
  for (int i = 0; i < s->n; i++)
    if (s->sites[i].role == role && !left--) return &s->sites[i];
  return &s->sites[0];
}

static void flat_set(uint8_t *bytes, const struct flat_site *to, int64_t value) {
  memcpy(bytes + to->at, &value, to->bytes);
}

static float flat_scale(struct rng *r, float now) {
  static const float odd[] = {0.0f, -1.0f, 1e-38f, 1e-45f, 1e38f, 3e-10f, 1e10f, 1.0f, 0.5f};
  static const uint32_t bits[] = {0x7F800000u, 0x7FC00000u, 0xFF800000u};
  float x;
  switch (rng_below(r, 4)) {
  case 0: memcpy(&x, &bits[rng_below(r, 3)], 4); return x;
  case 1: return odd[rng_below(r, sizeof odd / sizeof *odd)];
  case 2: return now * (float)(1u << rng_below(r, 20));
  default: return now / (float)(1u << rng_below(r, 20));
  }
}

/* Another value for a place, as its role has it. */
static int64_t flat_value(const struct flat_sites *s, struct rng *r, const struct flat_site *to,
                          const uint8_t *bytes, size_t n) {
  int64_t now = 0;
  float real;
  memcpy(&now, bytes + to->at, to->bytes);
  switch (to->role) {
  case ROLE_TENSOR:
    return rng_below(r, 8) ? (int64_t)rng_below(r, (uint32_t)s->tensors + 2) - 1 : flat_extreme(r);
  case ROLE_BUFFER:
    return rng_below(r, 8) ? rng_below(r, (uint32_t)s->buffers + 1) : flat_extreme(r);
  case ROLE_CODE_INDEX:
    return rng_below(r, 8) ? rng_below(r, (uint32_t)s->codes + 1) : flat_extreme(r);
  case ROLE_TYPE: return rng_below(r, 20);
  case ROLE_CODE: return rng_below(r, 8) ? rng_below(r, 163) : flat_extreme(r);
  case ROLE_OPTIONS_TYPE: return rng_below(r, 130);
  case ROLE_FLAG: return rng_below(r, 3);
  case ROLE_SCALE:
    memcpy(&real, bytes + to->at, 4);
    real = flat_scale(r, real);
    memcpy(&now, &real, 4);
    return now;
  case ROLE_OFFSET:
    if (rng_below(r, 3)) { /* where another offset leads */
      const struct flat_site *other = flat_pick(s, r, ROLE_OFFSET);
      uint32_t distance;
      memcpy(&distance, bytes + other->at, 4);
      return (int64_t)other->at + distance - to->at;
    }
    return rng_below(r, 2) ? (int64_t)rng_below(r, (uint32_t)n) - to->at : flat_extreme(r);
  case ROLE_LENGTH: return rng_below(r, 3) ? (int64_t)((uint64_t)now + rng_below(r, 5) - 2) : flat_extreme(r);
  case ROLE_VTABLE: return rng_below(r, 3) ? 4 * (int64_t)rng_below(r, 16) : flat_extreme(r);
  case ROLE_DATA:
  case ROLE_CUSTOM: return rng_u32(r);
  default: /* dimensions, axes, zero points, options */
    switch (rng_below(r, 4)) {
    case 0: return (int64_t)((uint64_t)now + rng_below(r, 5) - 2);
    case 1: return rng_below(r, 12);
    case 2: return (int64_t)((uint64_t)now * (1 + rng_below(r, 64)));
    default: return flat_extreme(r);
    }
  }
}

/* Changes one to four places of bytes[0 .. n) in place. A few in a hundred are bytes without meaning. */
static void flat_mutate(struct rng *r, uint8_t *bytes, size_t n, struct flat_sites *s) {
  flat_find(bytes, n, s);
  const uint32_t count = 1 + rng_below(r, 1 + rng_below(r, 4));
  for (uint32_t i = 0; i < count; i++) {
    if (!s->n || rng_below(r, 50) == 0) {
      if (n) bytes[rng_below(r, (uint32_t)n)] = (uint8_t)rng_u32(r);
      continue;
    }
    enum flat_role role;
    do role = (enum flat_role)rng_below(r, ROLE_COUNT);
    while (!s->of_role[role]);
    const struct flat_site *to = flat_pick(s, r, role);
    if (rng_below(r, 6) == 0) { /* swap with another of its kind */
      const struct flat_site *other = flat_pick(s, r, role);
      uint8_t x[8], y[8];
      const size_t size = to->bytes < other->bytes ? to->bytes : other->bytes;
      memcpy(x, bytes + to->at, size);
      memcpy(y, bytes + other->at, size);
      memcpy(bytes + to->at, y, size);
      memcpy(bytes + other->at, x, size);
      continue;
    }
    flat_set(bytes, to, flat_value(s, r, to, bytes, n));
    /* Constants that an operator reads as int32: whole numbers of a few bits. */
    if (role == ROLE_DATA && rng_below(r, 2) && to->at % 4 == 0 && to->at + 4 <= n) {
      const int32_t small = (int32_t)rng_below(r, 10) - 3;
      memcpy(bytes + to->at, &small, 4);
    }
  }
}

#endif
