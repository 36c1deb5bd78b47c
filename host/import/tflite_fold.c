/* import: arithmetic on shapes. See tflite.h.
 *
 * Converters write shapes that were open when the model was traced as little programs: SHAPE, a slice of it, a
 * PACK with other sizes. With the shapes that the file states, they are numbers known before anything runs, and are
 * computed here, on vectors of up to TFLITE_MOST_PARAMETERS integers. Whatever else makes a tensor depends on data. */
#include "host/import/tflite.h"

#include <string.h>

enum {
  CODE_ADD = 0,
  CODE_CONCATENATION = 2,
  CODE_MUL = 18,
  CODE_RESHAPE = 22,
  CODE_GATHER = 36,
  CODE_SUB = 41,
  CODE_SQUEEZE = 43,
  CODE_DIV = 42,
  CODE_STRIDED_SLICE = 45,
  CODE_CAST = 53,
  CODE_MAXIMUM = 55,
  CODE_MINIMUM = 57,
  CODE_SLICE = 65,
  CODE_EXPAND_DIMS = 70,
  CODE_SHAPE = 77,
  CODE_REDUCE_PROD = 81,
  CODE_PACK = 83,
  CODE_FLOOR_DIV = 90,
  CODE_FLOOR_MOD = 95
};
#define MOST_DEPTH 16
#define MOST_FOLDS                                                                                 \
  10000 /* of one subgraph: a hostile file could ask for the same number again and again */

struct fold {
  struct reader *r;
  const struct tflite_maker *maker;
  int depth;
  int64_t *values;
  int *count;
};

/* Input i of the operator, as numbers. */
static bool number_input(const struct fold *f, size_t i, int64_t values[TFLITE_MOST_PARAMETERS],
                         int *count) {
  if (i >= f->maker->in.count) return false;
  const int tensor = (int)(int32_t)flat_u32(&f->r->f, f->maker->in.at + 4 * i);
  return tflite_numbers(f->r, tensor, values, count) ||
         tflite_fold(f->r, tensor, f->depth + 1, values, count);
}

/* Sizes of tensors are: with them no sum or product here can wrap. */
static bool is_small(int64_t x) { return x >= INT32_MIN && x <= INT32_MAX; }

static bool fold_shape(const struct fold *f) {
  int32_t dims[GRAPH_MAX_RANK];
  if (f->maker->in.count < 1) return false;
  const int tensor = (int)(int32_t)flat_u32(&f->r->f, f->maker->in.at);
  if (!tflite_shape(f->r, tensor, f->count, dims)) return false;
  for (int i = 0; i < *f->count; i++) {
    if (dims[i] < 1) return false;
    f->values[i] = dims[i];
  }
  return true;
}

/* Inputs one behind the other: CONCATENATION of vectors, PACK of single numbers. */
static bool fold_join(const struct fold *f) {
  int64_t part[TFLITE_MOST_PARAMETERS];
  *f->count = 0;
  for (size_t i = 0; i < f->maker->in.count; i++) {
    int n;
    if (!number_input(f, i, part, &n) || *f->count + n > TFLITE_MOST_PARAMETERS) return false;
    memcpy(f->values + *f->count, part, (size_t)n * sizeof *part);
    *f->count += n;
  }
  return true;
}

/* Elements from, from + step ... of an axis of `size`, `n` of them. */
struct cut {
  int64_t from, step, n, size;
};

/* begin, then end (STRIDED_SLICE) or size (SLICE), then stride, of axis i. */
static bool cut_of(const struct fold *f, bool strided, int i, int64_t begin, int64_t end,
                   struct cut *c) {
  enum { BEGIN_MASK, END_MASK };
  const struct flat_table *o = &f->maker->options;
  const int64_t step = c->step, n = c->size;
  if (!is_small(step) || !is_small(begin) || !is_small(end) || step == 0) return false;
  int64_t from = begin < 0 ? begin + n : begin, to = end < 0 ? end + n : end;
  if (!strided) to = end < 0 ? n : from + end;
  if (strided && (flat_i32_field(&f->r->f, o, BEGIN_MASK, 0) >> i & 1)) from = step > 0 ? 0 : n - 1;
  if (strided && (flat_i32_field(&f->r->f, o, END_MASK, 0) >> i & 1)) to = step > 0 ? n : -1;
  if (from < 0 || from > n || to < -1 || to > n) return false;
  const int64_t way = step > 0 ? to - from : from - to, each = step > 0 ? step : -step;
  c->from = from;
  c->n = way <= 0 ? 0 : (way + each - 1) / each;
  return c->n == 0 || (from < n && from + (c->n - 1) * step >= 0);
}

/* A piece of a vector or a matrix (pairs of paddings). */
static bool fold_slice(const struct fold *f, bool strided) {
  enum { ELLIPSIS_MASK = 2, NEW_AXIS_MASK, MOST_AXES = 2 };
  int64_t x[TFLITE_MOST_PARAMETERS], begin[TFLITE_MOST_PARAMETERS], end[TFLITE_MOST_PARAMETERS],
      stride[TFLITE_MOST_PARAMETERS];
  const struct flat_table *o = &f->maker->options;
  struct cut cut[MOST_AXES] = {{0, 1, 1, 1}, {0, 1, 1, 1}};
  int32_t dims[GRAPH_MAX_RANK];
  int n, axes, others, rank;
  for (int i = 0; i < TFLITE_MOST_PARAMETERS; i++) stride[i] = 1;
  if (!number_input(f, 0, x, &n) || !number_input(f, 1, begin, &axes) ||
      !number_input(f, 2, end, &others) || others != axes || axes < 1 || axes > MOST_AXES ||
      (strided && (!number_input(f, 3, stride, &others) || others != axes)))
    return false;
  if (strided && (flat_i32_field(&f->r->f, o, ELLIPSIS_MASK, 0) ||
                  flat_i32_field(&f->r->f, o, NEW_AXIS_MASK, 0)))
    return false;
  cut[MOST_AXES - 1].size = n;
  if (axes == 2) {
    if (!tflite_shape(f->r, (int)(int32_t)flat_u32(&f->r->f, f->maker->in.at), &rank, dims) ||
        rank != 2 || dims[0] < 1 || dims[1] < 1 || (int64_t)dims[0] * dims[1] != n)
      return false;
    cut[0].size = dims[0];
    cut[1].size = dims[1];
  }
  for (int i = 0; i < axes; i++) {
    struct cut *c = &cut[MOST_AXES - axes + i];
    c->step = stride[i];
    if (!cut_of(f, strided, i, begin[i], end[i], c)) return false;
  }
  *f->count = 0;
  for (int64_t i = 0; i < cut[0].n; i++)
    for (int64_t k = 0; k < cut[1].n; k++)
      f->values[(*f->count)++] =
          x[(cut[0].from + i * cut[0].step) * cut[1].size + cut[1].from + k * cut[1].step];
  return *f->count > 0;
}

static bool fold_gather(const struct fold *f) {
  int64_t x[TFLITE_MOST_PARAMETERS], at[TFLITE_MOST_PARAMETERS];
  int n;
  if (!number_input(f, 0, x, &n) || !number_input(f, 1, at, f->count)) return false;
  for (int i = 0; i < *f->count; i++) {
    if (at[i] < 0 || at[i] >= n) return false;
    f->values[i] = x[at[i]];
  }
  return true;
}

static bool fold_binary(const struct fold *f) {
  int64_t a[TFLITE_MOST_PARAMETERS], b[TFLITE_MOST_PARAMETERS];
  int n, m;
  if (!number_input(f, 0, a, &n) || !number_input(f, 1, b, &m)) return false;
  if (n != m && n != 1 && m != 1) return false;
  *f->count = n > m ? n : m;
  for (int i = 0; i < *f->count; i++) {
    const int64_t x = a[n == 1 ? 0 : i], y = b[m == 1 ? 0 : i];
    if (!is_small(x) || !is_small(y)) return false;
    const bool divides = f->maker->code == CODE_DIV || f->maker->code == CODE_FLOOR_DIV ||
                         f->maker->code == CODE_FLOOR_MOD;
    if (divides && y == 0) return false;
    switch (f->maker->code) {
    case CODE_ADD: f->values[i] = x + y; break;
    case CODE_SUB: f->values[i] = x - y; break;
    case CODE_MUL: f->values[i] = x * y; break;
    case CODE_DIV: f->values[i] = x / y; break;
    case CODE_FLOOR_DIV: f->values[i] = x / y - (x % y != 0 && (x < 0) != (y < 0)); break;
    case CODE_FLOOR_MOD: f->values[i] = x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0); break;
    case CODE_MAXIMUM: f->values[i] = x > y ? x : y; break;
    default: f->values[i] = x < y ? x : y; break;
    }
  }
  return true;
}

static bool fold_product(const struct fold *f) {
  int64_t x[TFLITE_MOST_PARAMETERS], product = 1;
  int n;
  if (!number_input(f, 0, x, &n)) return false;
  for (int i = 0; i < n; i++) {
    if (x[i] < 1 || product > INT32_MAX / x[i]) return false;
    product *= x[i];
  }
  f->values[0] = product;
  *f->count = 1;
  return true;
}

bool tflite_fold(struct reader *r, int index, int depth, int64_t values[TFLITE_MOST_PARAMETERS],
                 int *count) {
  struct tflite_maker maker;
  if (depth > MOST_DEPTH || ++r->n_folds > MOST_FOLDS || !tflite_maker_of(r, index, &maker))
    return false;
  const struct fold f = {r, &maker, depth, values, count};
  switch (maker.code) {
  case CODE_SHAPE: return fold_shape(&f);
  case CODE_CONCATENATION:
  case CODE_PACK: return fold_join(&f);
  case CODE_SLICE: return fold_slice(&f, false);
  case CODE_STRIDED_SLICE: return fold_slice(&f, true);
  case CODE_GATHER: return fold_gather(&f);
  case CODE_CAST:
  case CODE_RESHAPE:
  case CODE_SQUEEZE:
  case CODE_EXPAND_DIMS: return number_input(&f, 0, values, count);
  case CODE_REDUCE_PROD: return fold_product(&f);
  case CODE_ADD:
  case CODE_SUB:
  case CODE_MUL:
  case CODE_DIV:
  case CODE_FLOOR_DIV:
  case CODE_FLOOR_MOD:
  case CODE_MAXIMUM:
  case CODE_MINIMUM: return fold_binary(&f);
  default: return false;
  }
}
