/* import: writing to a list. See tflite.h.
 *
 * A recurrent layer that loops keeps its outputs in a list, a tensor whose first axis counts the steps. Converters write
 * item i of it as a concatenation of what lies in front of i, the item, and what lies behind:
 *
 *   CONCATENATION(SLICE(list, 0.., [i, -1..]), item, SLICE(list, [i + 1, 0..], -1..))   along axis 0
 *
 * Its pieces have no fixed shape, the whole has. It is read as DYNAMIC_UPDATE_SLICE(list, item, [i, 0..]): the same
 * elements for every i that the pieces exist for. */
#include "host/import/tflite.h"

#include <string.h>

enum { CODE_CONCATENATION = 2, CODE_RESHAPE = 22, CODE_SQUEEZE = 43, CODE_SLICE = 65 };
enum { CODE_ADD = 0, CODE_EXPAND_DIMS = 70 };

static int input_of(struct reader *r, const struct tflite_maker *m, size_t i) {
  return i < m->in.count ? (int)(int32_t)flat_u32(&r->f, m->in.at + 4 * i) : -1;
}

/* Every number of a constant, `count` of them, is `value`. */
static bool is_all(struct reader *r, int tensor, int64_t value, int count) {
  int64_t values[TFLITE_MOST_PARAMETERS];
  int n;
  if (!tflite_numbers(r, tensor, values, &n) || n != count) return false;
  for (int i = 0; i < n; i++)
    if (values[i] != value) return false;
  return true;
}

/* A vector of `rank` numbers, the first computed (its tensor), the others `rest`; -1: it is another. */
static int leading(struct reader *r, int tensor, int rank, int64_t rest) {
  struct tflite_maker m;
  int64_t values[TFLITE_MOST_PARAMETERS];
  int n, at = 1;
  if (!tflite_maker_of(r, tensor, &m) || m.code != CODE_CONCATENATION) return -1;
  const int first = input_of(r, &m, 0);
  int32_t dims[GRAPH_MAX_RANK];
  int axes;
  if (!tflite_shape(r, first, &axes, dims) || axes != 1 || dims[0] != 1) return -1;
  if (m.in.count > (size_t)rank) return -1; /* each has a number at least */
  for (size_t i = 1; i < m.in.count; i++) {
    if (!tflite_numbers(r, input_of(r, &m, i), values, &n)) return -1;
    for (int k = 0; k < n; k++, at++)
      if (values[k] != rest) return -1;
  }
  return at == rank ? first : -1;
}

/* The tensor behind views of one number. */
#define MOST_VIEWS 4
static int base_of(struct reader *r, int tensor) {
  struct tflite_maker m;
  for (int i = 0; i < MOST_VIEWS && tflite_maker_of(r, tensor, &m); i++) {
    if (m.code != CODE_RESHAPE && m.code != CODE_EXPAND_DIMS && m.code != CODE_SQUEEZE) break;
    tensor = input_of(r, &m, 0);
  }
  return tensor;
}

/* Whether `next` is `index` and 1. */
static bool follows(struct reader *r, int index, int next) {
  struct tflite_maker m;
  if (!tflite_maker_of(r, base_of(r, next), &m) || m.code != CODE_ADD) return false;
  const int a = base_of(r, input_of(r, &m, 0)), b = base_of(r, input_of(r, &m, 1));
  index = base_of(r, index);
  return index >= 0 && ((a == index && is_all(r, b, 1, 1)) || (b == index && is_all(r, a, 1, 1)));
}

bool tflite_is_list_write(struct reader *r, int number, struct tflite_list_write *out) {
  struct tflite_maker whole, front, back;
  int32_t dims[GRAPH_MAX_RANK], item[GRAPH_MAX_RANK];
  int rank, item_rank;
  if (!tflite_maker_at(r, number, &whole) || whole.code != CODE_CONCATENATION ||
      whole.in.count != 3 || whole.out.count != 1 ||
      flat_i32_field(&r->f, &whole.options, 0, 0) != 0 ||
      flat_i8_field(&r->f, &whole.options, 1, 0) != 0 ||
      !tflite_maker_of(r, input_of(r, &whole, 0), &front) || front.code != CODE_SLICE ||
      !tflite_maker_of(r, input_of(r, &whole, 2), &back) || back.code != CODE_SLICE)
    return false;
  out->list = input_of(r, &front, 0);
  out->item = input_of(r, &whole, 1);
  if (out->list != input_of(r, &back, 0) || !tflite_shape(r, out->list, &rank, dims) || rank < 1 ||
      out->item < 0 || (size_t)out->item >= r->tensors.count ||
      !is_all(r, input_of(r, &front, 1), 0, rank) || !is_all(r, input_of(r, &back, 2), -1, rank))
    return false;
  /* One element in the place of one: an item of several rows would make the list longer. */
  if (!tflite_shape(r, out->item, &item_rank, item) || item_rank != rank || item[0] != 1 ||
      memcmp(item + 1, dims + 1, (size_t)(rank - 1) * sizeof *dims) != 0)
    return false;
  out->index = leading(r, input_of(r, &front, 2), rank, -1);
  const int next = leading(r, input_of(r, &back, 1), rank, 0);
  return out->index >= 0 && next >= 0 && follows(r, out->index, next);
}

bool tflite_write_list(struct reader *r, const struct tflite_list_write *w, int out, int number) {
  if (!tflite_use_tensor(r, w->list) || !tflite_use_tensor(r, w->item) ||
      !tflite_use_tensor(r, w->index) || !tflite_use_tensor(r, out))
    return false;
  const int rank = r->g->tensors[w->list].rank;
  if (r->g->tensors[w->index].type != MOTE_INT32) return err_set(r->e, "its index is not int32");
  struct graph_tensor v = {.name = "index", .type = MOTE_INT32, .rank = 1, .dims = {rank}};
  int index = w->index;
  if (rank > 1) {
    index = graph_add_tensor(r->g, &v);
    v.dims[0] = rank - 1;
    if (!(v.data = tflite_take(r, (size_t)rank, sizeof(int32_t)))) return false;
    const int zeros = graph_add_tensor(r->g, &v);
    const struct graph_node join = {.op = MOTE_OP_CONCATENATION,
                                    .n_in = 2,
                                    .n_out = 1,
                                    .in = {w->index, zeros},
                                    .out = {index},
                                    .source_op = -1};
    graph_add_node(r->g, &join);
  }
  tflite_set_shape(r, out, &r->g->tensors[w->list]);
  const struct graph_node write = {.op = MOTE_OP_DYNAMIC_UPDATE_SLICE,
                                   .n_in = 3,
                                   .n_out = 1,
                                   .in = {w->list, w->item, index},
                                   .out = {out},
                                   .source_op = number};
  graph_add_node(r->g, &write);
  r->e->node[0] = '\0';
  return true;
}
