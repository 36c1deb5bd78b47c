/* import: constants that a model keeps compressed. The custom operator TFLM_DECODE has, for each output, the encoded
 * bytes and the ancillary bytes that say how they were encoded; all are constants, so that its outputs become
 * constants here and no plan knows of it.
 *
 * Ancillary bytes: kind, version 1, two reserved, version 1 of the kind, what the kind needs up to byte 16, then its
 * tables. Encoded bits run from the highest of a byte to the lowest, without a gap between elements.
 *   0 table:   byte 5 (low three bits) the bits of an index, byte 6 the entries of a table; a table for each channel
 *   1 Huffman: byte 5 has bit 0 (entries of 32 bits instead of 16) and bits 4 to 7 (bits of the first table, less 1)
 *   2 pruned:  a bit for each element: the next of the values that follow, or the zero point
 *
 * source: tensorflow/tflite-micro's DECODE operator, version 1 of its metadata. */
#include "host/import/tflite.h"

#include <string.h>

enum { KIND_TABLE, KIND_HUFFMAN, KIND_PRUNED };
enum { AT_KIND, AT_VERSION, AT_KIND_VERSION = 4, AT_WIDTH = 5, AT_STRIDE = 6, AT_TABLES = 16 };

/* Bits from the highest of each byte; `short_of` once there are too few. */
struct bits {
  const uint8_t *p;
  size_t n, at; /* in bits */
  bool short_of;
};

/* range: count <= 16 */
static uint32_t take_bits(struct bits *b, unsigned count) {
  uint32_t value = 0;
  if (count > b->n - b->at) {
    b->short_of = true;
    return 0;
  }
  for (unsigned i = 0; i < count; i++, b->at++)
    value = value << 1 | (uint32_t)(b->p[b->at / 8] >> (7 - b->at % 8) & 1);
  return value;
}

/* One constant while it is decoded. */
struct coded {
  struct bits bits;
  const uint8_t *tables; /* behind the 16 bytes */
  size_t n_tables;
  const uint8_t *head;
  const struct graph_tensor *x;
  uint8_t *to;
  size_t elements, size; /* of how many bytes each */
  size_t channels;
};

/* Channels are the first axis or the last; the elements of one are together or alternate. */
static bool find_channels(struct reader *r, struct coded *c) {
  const struct graph_quant *q = &c->x->quant;
  c->channels = q->count > 1 ? (size_t)q->count : 1;
  if (c->channels > 1 && q->axis != 0 && q->axis != c->x->rank - 1)
    return err_set(r->e, "decoding along axis %d of %d; the first and the last are possible",
                   q->axis, c->x->rank);
  if (c->elements % c->channels != 0)
    return err_set(r->e, "%zu elements in %zu channels", c->elements, c->channels);
  return true;
}

static size_t channel_of(const struct coded *c, size_t element) {
  const bool alternate = c->channels > 1 && c->x->quant.axis == c->x->rank - 1;
  return alternate ? element % c->channels : element / (c->elements / c->channels);
}

/* Element `element` becomes entry `from` of the tables. */
static bool copy_value(struct reader *r, const struct coded *c, size_t element, size_t from) {
  if (from >= c->n_tables / c->size)
    return err_set(r->e, "element %zu is value %zu of %zu", element, from, c->n_tables / c->size);
  memcpy(c->to + element * c->size, c->tables + from * c->size, c->size);
  return true;
}

static bool decode_table(struct reader *r, struct coded *c) {
  const unsigned width = c->head[AT_WIDTH] & 7;
  const size_t stride = c->head[AT_STRIDE];
  if (!find_channels(r, c)) return false;
  if (width == 0) return err_set(r->e, "indices of no bits");
  for (size_t i = 0; i < c->elements; i++) {
    const size_t index = take_bits(&c->bits, width);
    if (c->bits.short_of) return true;
    if (!copy_value(r, c, i, channel_of(c, i) * stride + index)) return false;
  }
  return true;
}

static bool decode_pruned(struct reader *r, struct coded *c) {
  const struct graph_quant *q = &c->x->quant;
  size_t used = 0;
  if (!find_channels(r, c)) return false;
  for (int i = 0; i < q->count; i++)
    if (q->zp[i] != 0 && (c->x->type != MOTE_INT8 || q->zp[i] < INT8_MIN || q->zp[i] > INT8_MAX))
      return err_set(r->e, "pruned elements of %s are its zero point %d; only int8 may have one",
                     mote_type_name((int)c->x->type), q->zp[i]);
  for (size_t i = 0; i < c->elements; i++) {
    const bool kept = take_bits(&c->bits, 1) != 0;
    if (c->bits.short_of) return true;
    if (kept) {
      if (!copy_value(r, c, i, used++)) return false;
    } else if (q->count > 0) { /* other types' zero points are 0, and so is the memory */
      const int8_t zp = (int8_t)q->zp[channel_of(c, i)];
      memcpy(c->to + i * c->size, &zp, 1);
    }
  }
  return true;
}

/* Entry `at` of the Huffman tables: a symbol, or where the next table begins. false: outside. */
static bool huffman_entry(const struct coded *c, bool wide, size_t at, bool *found, unsigned *count,
                          uint32_t *value) {
  const size_t size = wide ? 4 : 2;
  if (at >= c->n_tables / size) return false;
  uint32_t entry = 0;
  for (size_t k = size; k-- > 0;) entry = entry << 8 | c->tables[at * size + k];
  const unsigned shift = wide ? 27 : 11;
  *found = (entry >> (shift + 4) & 1) != 0;
  *count = entry >> shift & 15;
  *value = entry & ((UINT32_C(1) << shift) - 1);
  return true;
}

/* A symbol's entry tells how many of the last bits it used; the others are put back. The offset of a further table
 * counts from the entry that has it. */
static bool decode_huffman(struct reader *r, struct coded *c) {
  const bool wide = (c->head[AT_WIDTH] & 1) != 0;
  const unsigned first = (unsigned)(c->head[AT_WIDTH] >> 4) + 1;
  if (c->x->type != MOTE_INT8 && !(wide && c->x->type == MOTE_INT16))
    return err_set(r->e, "%s in tables of %d bits; int8, and int16 in 32 bits, are possible",
                   mote_type_name((int)c->x->type), wide ? 32 : 16);
  for (size_t i = 0; i < c->elements; i++) {
    unsigned taken = first, count = 0;
    size_t at = take_bits(&c->bits, taken);
    uint32_t value = 0;
    for (bool found = false; !found;) {
      if (!huffman_entry(c, wide, at, &found, &count, &value))
        return err_set(r->e, "element %zu leads to entry %zu, outside its tables", i, at);
      if (c->bits.short_of) return true;
      if (found) break;
      taken = count + 1;
      at += value + take_bits(&c->bits, taken);
    }
    if (count < taken) c->bits.at -= taken - count;
    memcpy(c->to + i * c->size, &value, c->size); /* little-endian */
  }
  return true;
}

/* The constant bytes of an input. */
static const struct graph_tensor *encoded_bytes(struct reader *r, int index, const char *what) {
  if (!tflite_use_tensor(r, index)) return NULL;
  const struct graph_tensor *t = &r->g->tensors[index];
  if (t->data != NULL && (t->type == MOTE_UINT8 || t->type == MOTE_UINT32)) return t;
  err_set(r->e, "its %s (tensor %d) are %s; constant uint8 is possible", what, index,
          t->data ? mote_type_name((int)t->type) : "made at run time");
  return NULL;
}

static bool decode_one(struct reader *r, int encoded, int ancillary, int out) {
  static bool (*const kinds[])(struct reader *, struct coded *) = {
      [KIND_TABLE] = decode_table, [KIND_HUFFMAN] = decode_huffman, [KIND_PRUNED] = decode_pruned};
  const struct graph_tensor *from = encoded_bytes(r, encoded, "encoded bytes");
  const struct graph_tensor *how = from ? encoded_bytes(r, ancillary, "ancillary bytes") : NULL;
  if (!how || !tflite_use_tensor(r, out)) return false;
  struct graph_tensor *x = &r->g->tensors[out];
  const int64_t elements = graph_elements(x);
  if (x->data != NULL || x->is_state || elements < 1 || elements > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "it decodes tensor %d, which is a constant, a variable, or of no size",
                   out);
  const size_t n_how = graph_bytes(how);
  const uint8_t *head = how->data;
  if (n_how < AT_TABLES || head[AT_VERSION] != 1 || head[AT_KIND_VERSION] != 1 ||
      head[AT_KIND] >= sizeof kinds / sizeof *kinds)
    return err_set(r->e,
                   "its ancillary data has %zu bytes, kind %d, versions %d and %d; kinds 0 to 2 of "
                   "version 1 are possible",
                   n_how, n_how > AT_KIND ? head[AT_KIND] : -1,
                   n_how > AT_VERSION ? head[AT_VERSION] : -1,
                   n_how > AT_KIND_VERSION ? head[AT_KIND_VERSION] : -1);
  struct coded c = {.bits = {.p = from->data, .n = graph_bytes(from) * 8},
                    .tables = head + AT_TABLES,
                    .n_tables = n_how - AT_TABLES,
                    .head = head,
                    .x = x,
                    .elements = (size_t)elements,
                    .size = mote_type_bytes((int)x->type)};
  c.to = tflite_take(r, c.elements, c.size);
  if (!c.to || !kinds[head[AT_KIND]](r, &c)) return false;
  if (c.bits.short_of)
    return err_set(r->e, "%zu encoded bytes are too few for %zu elements", c.bits.n / 8,
                   c.elements);
  x->data = c.to;
  return true;
}

bool tflite_decode(struct reader *r, const struct flat_vector *in, const struct flat_vector *out) {
  if (out->count < 1 || in->count != 2 * out->count)
    return err_set(r->e, "%zu inputs for %zu outputs; two for each are needed", in->count,
                   out->count);
  for (size_t i = 0; i < out->count; i++)
    if (!decode_one(r, (int)(int32_t)flat_u32(&r->f, in->at + 8 * i),
                    (int)(int32_t)flat_u32(&r->f, in->at + 8 * i + 4),
                    (int)(int32_t)flat_u32(&r->f, out->at + 4 * i)))
      return false;
  return true;
}
