/* import: the constants of a TensorFlow Lite model, in the form that the graph has them: float16 as float32, int4 as int8,
 * sparse ones dense, and weights with a scale for each block as the real numbers that they stand for.
 *
 * Sparse tensors hold a tree (source: the published schema; Kjolstad et al. 2017, "The tensor algebra compiler"): one level for
 * each axis in the order of traversal_order, and behind them one for each axis that is cut into blocks. A dense level has all
 * children, a compressed one those that its indices name. invariant: every path ends at an element of its own, so that the
 * work is bounded by the size of the dense tensor, whatever the file says. */
#include "host/import/tflite.h"

#include <string.h>

enum { SPARSE_ORDER, SPARSE_BLOCKS, SPARSE_LEVELS };
enum {
  LEVEL_FORMAT,
  LEVEL_SIZE,
  LEVEL_SEGMENTS_TYPE,
  LEVEL_SEGMENTS,
  LEVEL_INDICES_TYPE,
  LEVEL_INDICES
};
enum { LEVEL_DENSE, LEVEL_COMPRESSED };
enum { INDICES_INT32 = 1, INDICES_UINT16, INDICES_UINT8 };
enum { BLOCK_SCALES, BLOCK_ZPS, BLOCK_SIZE };
#define DETAILS_BLOCKWISE 2
#define MOST_LEVELS       (2 * GRAPH_MAX_RANK)
#define MOST_EMPTY        4096 /* elements for each that is not zero: bounds memory by the file's size */

/* IEEE half precision as single precision: every value is exact. */
static uint32_t float_of_half(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, fraction = h & 0x3FF;
  const uint32_t exponent = h >> 10 & 31;
  if (exponent == 31) return sign | 0x7F800000u | fraction << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | fraction << 13;
  if (fraction == 0) return sign;
  /* Subnormal, fraction * 2^-24: the leading one moves to bit 10. */
  const uint32_t up = (uint32_t)__builtin_clz(fraction) - 21;
  return sign | (113 - up) << 23 | (fraction << up & 0x3FF) << 13;
}

/* Fills to[] from the file's own form of the constant. */
static void unpack_constant(const uint8_t *from, int32_t type, int64_t elements, void *to) {
  uint32_t *words = to;
  int8_t *bytes = to;
  for (int64_t i = 0; i < elements; i++) {
    if (type == TYPE_FLOAT16) {
      words[i] = float_of_half((uint16_t)(from[2 * i] | from[2 * i + 1] << 8));
    } else { /* two to a byte, the first in the low half */
      const int nibble = i % 2 ? from[i / 2] >> 4 : from[i / 2] & 15;
      bytes[i] = (int8_t)(nibble < 8 ? nibble : nibble - 16);
    }
  }
}

/* ---- sparse tensors ------------------------------------------------------------- */
/* Numbers of 1, 2 or 4 bytes. */
struct numbers {
  size_t at, count;
  int bytes;
};
struct level {
  bool compressed;
  int64_t size, step; /* children at most; elements of the dense tensor from one to the next */
  struct numbers segments, indices;
};
struct sparse {
  struct level levels[MOST_LEVELS];
  int n_levels;
  const uint8_t *values;
  size_t n_values, bytes; /* of a value */
  size_t used;            /* values that lie in the dense tensor so far */
  uint8_t *to;
};

static uint32_t number_at(const struct flat *f, const struct numbers *x, size_t i) {
  const uint8_t *p = f->p + x->at + i * (size_t)x->bytes;
  return x->bytes == 4   ? flat_u32(f, x->at + 4 * i)
         : x->bytes == 2 ? (uint32_t)(p[0] | p[1] << 8)
                         : p[0];
}

static bool read_indices(struct reader *r, const struct flat_table *level, int type_field,
                         int value_field, struct numbers *out) {
  const int32_t type = flat_i8_field(&r->f, level, type_field, 0);
  const struct flat_table t = flat_table_field(&r->f, level, value_field);
  if (r->f.bad) return false;
  if (type < INDICES_INT32 || type > INDICES_UINT8)
    return err_set(r->e, "a sparse axis with indices of unknown type %d", type);
  out->bytes = type == INDICES_INT32 ? 4 : type == INDICES_UINT16 ? 2 : 1;
  const struct flat_vector v = flat_vector_field(&r->f, &t, 0, (size_t)out->bytes);
  out->at = v.at;
  out->count = v.count;
  return !r->f.bad;
}

/* Which axis each level stands for, and how long its blocks are. */
struct axes {
  int of[MOST_LEVELS];           /* level -> axis */
  int64_t block[GRAPH_MAX_RANK]; /* 1: not cut */
};

static bool read_order(struct reader *r, const struct flat_table *t, const struct graph_tensor *x,
                       struct sparse *s, struct axes *axes) {
  const struct flat_vector order = flat_vector_field(&r->f, t, SPARSE_ORDER, 4),
                           blocks = flat_vector_field(&r->f, t, SPARSE_BLOCKS, 4),
                           levels = flat_vector_field(&r->f, t, SPARSE_LEVELS, 4);
  const size_t rank = (size_t)x->rank;
  bool seen[MOST_LEVELS] = {false};
  if (r->f.bad) return false;
  if (order.count != levels.count || order.count != rank + blocks.count || blocks.count > rank)
    return err_set(r->e, "%zu sparse axes in %zu levels with %zu of blocks; its shape has %d axes",
                   order.count, levels.count, blocks.count, x->rank);
  for (size_t i = 0; i < rank; i++) axes->block[i] = 1;
  for (size_t i = 0; i < order.count; i++) {
    const uint32_t d = flat_u32(&r->f, order.at + 4 * i);
    if (d >= order.count || seen[d] || (d < rank) != (i < rank))
      return err_set(r->e, "level %zu of its sparse axes is %u, which cannot be", i, d);
    seen[d] = true;
    const uint32_t axis = d < rank ? d : flat_u32(&r->f, blocks.at + 4 * (d - rank));
    if (axis >= rank) return err_set(r->e, "blocks along axis %u of %d", axis, x->rank);
    axes->of[i] = (int)axis;
    const struct flat_table level = flat_table_at(&r->f, &levels, i);
    const int32_t format = flat_i8_field(&r->f, &level, LEVEL_FORMAT, LEVEL_DENSE);
    if (format != LEVEL_DENSE && format != LEVEL_COMPRESSED)
      return err_set(r->e, "level %zu of its sparse axes has the unknown format %d", i, format);
    s->levels[i].compressed = format == LEVEL_COMPRESSED;
    s->levels[i].size = flat_i32_field(&r->f, &level, LEVEL_SIZE, 0);
    if (d < rank) continue;
    const int64_t block = s->levels[i].size;
    if (axes->block[axis] != 1 || block < 1 || x->dims[axis] % block || s->levels[i].compressed)
      return err_set(r->e, "blocks of %lld along axis %u, which has %d elements", (long long)block,
                     axis, x->dims[axis]);
    axes->block[axis] = block;
  }
  s->n_levels = (int)order.count;
  return !r->f.bad;
}

static bool read_level(struct reader *r, const struct flat_table *t, const struct graph_tensor *x,
                       const struct axes *axes, int number, struct level *l) {
  const int axis = axes->of[number];
  const bool is_block = number >= x->rank;
  const int64_t size = is_block ? axes->block[axis] : x->dims[axis] / axes->block[axis];
  l->step = is_block ? 1 : axes->block[axis];
  for (int i = axis + 1; i < x->rank; i++) l->step *= x->dims[i];
  if (!l->compressed)
    return l->size == size ||
           err_set(r->e, "level %d of its sparse axes has %lld places, axis %d needs %lld", number,
                   (long long)l->size, axis, (long long)size);
  l->size = size;
  const struct flat_vector levels = flat_vector_field(&r->f, t, SPARSE_LEVELS, 4);
  const struct flat_table level = flat_table_at(&r->f, &levels, (size_t)number);
  return read_indices(r, &level, LEVEL_SEGMENTS_TYPE, LEVEL_SEGMENTS, &l->segments) &&
         read_indices(r, &level, LEVEL_INDICES_TYPE, LEVEL_INDICES, &l->indices);
}

static bool scatter(struct reader *r, struct sparse *s, int number, size_t place, int64_t at);

/* The children of one place of a compressed level: their indices rise, so that none comes twice. */
static bool scatter_compressed(struct reader *r, struct sparse *s, int number, size_t place,
                               int64_t at) {
  const struct level *l = &s->levels[number];
  if (place + 1 >= l->segments.count)
    return err_set(r->e, "level %d of its sparse axes has %zu segments, and needs more", number,
                   l->segments.count);
  const uint32_t from = number_at(&r->f, &l->segments, place),
                 to = number_at(&r->f, &l->segments, place + 1);
  if (from > to || to > l->indices.count)
    return err_set(r->e, "a segment of level %d of its sparse axes is %u to %u of %zu", number,
                   from, to, l->indices.count);
  int64_t last = -1;
  for (uint32_t i = from; i < to; i++) {
    const int64_t index = number_at(&r->f, &l->indices, i);
    if (index <= last || index >= l->size)
      return err_set(r->e, "index %lld behind %lld in level %d of its sparse axes, of %lld places",
                     (long long)index, (long long)last, number, (long long)l->size);
    if (!scatter(r, s, number + 1, i, at + index * l->step)) return false;
    last = index;
  }
  return true;
}

/* All below one place: `place` counts the places of its level in the order of the file, at is where they begin in the dense
 * tensor. */
static bool scatter(struct reader *r, struct sparse *s, int number, size_t place, int64_t at) {
  if (number == s->n_levels) {
    if (place >= s->n_values)
      return err_set(r->e, "its sparse axes name value %zu of %zu", place, s->n_values);
    memcpy(s->to + (size_t)at * s->bytes, s->values + place * s->bytes, s->bytes);
    s->used++;
    return true;
  }
  const struct level *l = &s->levels[number];
  if (l->compressed) return scatter_compressed(r, s, number, place, at);
  for (int64_t i = 0; i < l->size; i++)
    if (!scatter(r, s, number + 1, place * (size_t)l->size + (size_t)i, at + i * l->step))
      return false;
  return true;
}

/* values: as the graph has them, in the order of the file. */
static bool make_dense(struct reader *r, const struct flat_table *t, const uint8_t *values,
                       size_t n_values, struct graph_tensor *x) {
  struct sparse s = {
      .values = values, .n_values = n_values, .bytes = mote_type_bytes((int)x->type)};
  struct axes axes;
  if (!read_order(r, t, x, &s, &axes)) return false;
  for (int i = 0; i < s.n_levels; i++)
    if (!read_level(r, t, x, &axes, i, &s.levels[i])) return false;
  s.to = tflite_take(r, (size_t)graph_elements(x), s.bytes);
  if (!s.to) return false;
  memset(s.to, 0, (size_t)graph_elements(x) * s.bytes);
  x->data = s.to;
  if (!scatter(r, &s, 0, 0, 0) || r->f.bad) return false;
  return s.used == n_values ||
         err_set(r->e, "its sparse axes name %zu of %zu values", s.used, n_values);
}

/* ---- weights with a scale for each block ---------------------------------------- */
bool tflite_is_blockwise(struct reader *r, const struct flat_table *tensor) {
  const struct flat_table q = flat_table_field(&r->f, tensor, TENSOR_QUANT);
  return flat_i8_field(&r->f, &q, QUANT_DETAILS_TYPE, 0) == DETAILS_BLOCKWISE;
}

/* The numbers of another tensor of the file, `count` of them: what the blocks of weights need. */
static const uint8_t *side_numbers(struct reader *r, int32_t index, const char *what, size_t count,
                                   int32_t *type) {
  size_t at, bytes;
  if (index < 0 || (size_t)index >= r->tensors.count) {
    err_set(r->e, "the %s of its blocks are tensor %d of %zu", what, index, r->tensors.count);
    return NULL;
  }
  const struct flat_table t = flat_table_at(&r->f, &r->tensors, (size_t)index);
  *type = flat_i8_field(&r->f, &t, TENSOR_TYPE, TYPE_FLOAT32);
  const uint32_t buffer = (uint32_t)flat_i32_field(&r->f, &t, TENSOR_BUFFER, 0);
  if (r->f.bad || !tflite_buffer(r, buffer, &at, &bytes)) return NULL;
  if (bytes == count * (*type == TYPE_FLOAT16 ? 2 : 4)) return r->f.p + at;
  err_set(r->e, "the %s of its blocks (tensor %d) have %zu bytes of %s for %zu blocks", what, index,
          bytes, tflite_type_name(*type), count);
  return NULL;
}

/* The int8 numbers of x, multiplied by the scales of their blocks, which lie along the last axis. */
static bool scale_blocks(struct reader *r, const struct flat_table *tensor,
                         struct graph_tensor *x) {
  const struct flat_table q = flat_table_field(&r->f, tensor, TENSOR_QUANT);
  const struct flat_table blocks = flat_table_field(&r->f, &q, QUANT_DETAILS);
  const int32_t size = flat_i32_field(&r->f, &blocks, BLOCK_SIZE, 0),
                zps = flat_i32_field(&r->f, &blocks, BLOCK_ZPS, 0);
  if (r->f.bad) return false;
  if (size < 1 || x->rank < 1 || x->dims[x->rank - 1] % size)
    return err_set(r->e, "blocks of %d weights along an axis of %d", size,
                   x->rank < 1 ? 0 : x->dims[x->rank - 1]);
  const size_t elements = (size_t)graph_elements(x), n = elements / (size_t)size;
  int32_t type, zp_type = TYPE_INT32;
  const uint8_t *scale =
      side_numbers(r, flat_i32_field(&r->f, &blocks, BLOCK_SCALES, 0), "scales", n, &type);
  const uint8_t *zp = scale && zps >= 0 ? side_numbers(r, zps, "zero points", n, &zp_type) : NULL;
  if (!scale || (zps >= 0 && !zp)) return false;
  if ((type != TYPE_FLOAT16 && type != TYPE_FLOAT32) || zp_type != TYPE_INT32)
    return err_set(r->e, "scales of type %s and zero points of type %s", tflite_type_name(type),
                   tflite_type_name(zp_type));
  float *real = tflite_take(r, elements, sizeof *real);
  if (!real) return false;
  const int8_t *from = x->data;
  for (size_t i = 0; i < elements; i++) {
    const size_t b = i / (size_t)size;
    uint32_t bits;
    int32_t z = 0;
    float by;
    if (type == TYPE_FLOAT16)
      bits = float_of_half((uint16_t)(scale[2 * b] | scale[2 * b + 1] << 8));
    else
      memcpy(&bits, scale + 4 * b, sizeof bits);
    memcpy(&by, &bits, sizeof by);
    if (zp) memcpy(&z, zp + 4 * b, sizeof z);
    real[i] = by * (float)((int64_t)from[i] - z);
  }
  x->type = MOTE_FLOAT32;
  x->data = real;
  return true;
}

/* ---- constants --------------------------------------------------------------- */
static size_t stored_bytes(const struct graph_tensor *x, int32_t type, int64_t elements) {
  return type == TYPE_FLOAT16 ? 2 * (size_t)elements
         : type == TYPE_INT4  ? ((size_t)elements + 1) / 2
                              : mote_type_bytes((int)x->type) * (size_t)elements;
}

static bool read_sparse(struct reader *r, const struct flat_table *sparsity, const uint8_t *from,
                        size_t bytes, int32_t type, struct graph_tensor *x) {
  if (type != TYPE_FLOAT32 && type != TYPE_FLOAT16 && type != TYPE_INT8)
    return err_set(r->e, "sparse constants of type %s; FLOAT32, FLOAT16 and INT8 are possible",
                   tflite_type_name(type));
  const size_t n = bytes / stored_bytes(x, type, 1), most = MOST_EMPTY * (n + 256);
  if ((size_t)graph_elements(x) > most)
    return err_set(r->e, "%lld elements of which %zu are not zero; at most %zu are possible",
                   (long long)graph_elements(x), n, most);
  uint8_t *values = tflite_take(r, n, mote_type_bytes((int)x->type));
  if (!values) return false;
  if (type == TYPE_FLOAT16)
    unpack_constant(from, type, (int64_t)n, values);
  else
    memcpy(values, from, n * mote_type_bytes((int)x->type));
  return make_dense(r, sparsity, values, n, x);
}

/* The bytes of a constant that is not sparse, copied once for each buffer. */
static bool read_dense(struct reader *r, uint32_t index, const uint8_t *from, int32_t type,
                       struct graph_tensor *x) {
  const bool packed = type == TYPE_FLOAT16 || type == TYPE_INT4;
  if (!r->bytes_of[index]) {
    void *copy = tflite_take(r, graph_bytes(x), 1);
    if (!copy) return false;
    if (packed)
      unpack_constant(from, type, graph_elements(x), copy);
    else
      memcpy(copy, from, graph_bytes(x));
    r->bytes_of[index] = copy;
    r->type_of[index] = type;
  }
  /* Tensors of other types may share a buffer; float16 and int4 have another form here than in the file. */
  if (r->type_of[index] != type &&
      (packed || r->type_of[index] == TYPE_FLOAT16 || r->type_of[index] == TYPE_INT4))
    return err_set(r->e, "its constant is shared with a tensor of type %s",
                   tflite_type_name(r->type_of[index]));
  x->data = r->bytes_of[index];
  return true;
}

bool tflite_constant(struct reader *r, const struct flat_table *t, struct graph_tensor *x) {
  const uint32_t index = (uint32_t)flat_i32_field(&r->f, t, TENSOR_BUFFER, 0);
  const int32_t type = flat_i8_field(&r->f, t, TENSOR_TYPE, TYPE_FLOAT32);
  const struct flat_table sparsity = flat_table_field(&r->f, t, TENSOR_SPARSITY);
  const bool blockwise = tflite_is_blockwise(r, t);
  size_t at, count;
  if (r->f.bad || !tflite_buffer(r, index, &at, &count)) return false;
  const bool empty = count == 0 && !sparsity.at; /* a sparse one may have no value but zero */
  if (empty && (type == TYPE_FLOAT16 || type == TYPE_INT4))
    return err_set(r->e, "type %s is supported for constants only", tflite_type_name(type));
  if (empty && blockwise) return err_set(r->e, "scales of blocks are supported for constants only");
  if (empty) return true;
  const int64_t elements = graph_elements(x);
  if (elements < 1 || elements > GRAPH_MAX_ELEMENTS ||
      (!sparsity.at && stored_bytes(x, type, elements) != count))
    return err_set(r->e, "a constant with %zu bytes where its shape needs %lld elements of %s",
                   count, (long long)elements, tflite_type_name(type));
  if (blockwise && (sparsity.at || (type != TYPE_INT4 && type != TYPE_INT8)))
    return err_set(r->e, "a scale for each block of %s; INT4 and INT8 are possible",
                   sparsity.at ? "sparse numbers" : tflite_type_name(type));
  if (sparsity.at) return read_sparse(r, &sparsity, r->f.p + at, count, type, x);
  return read_dense(r, index, r->f.p + at, type, x) && (!blockwise || scale_blocks(r, t, x));
}
