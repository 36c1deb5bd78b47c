/* import: sizes that the file leaves open. See tflite.h.
 *
 * A model of unknown batch states 1 for every open size. That holds for what the batch passes through, but not behind
 * SPACE_TO_BATCH_ND, which makes a batch of blocks: dilated convolutions over time, as every causal network has them, are
 * written so. There the shape is computed from the input's, and whatever follows gets its open size from the shape that it
 * reads, until BATCH_TO_SPACE_ND makes the file's shape again. graph_check proves the rest. */
#include "host/import/tflite.h"

#include <string.h>

void tflite_set_shape(struct reader *r, int t, const struct graph_tensor *shape) {
  struct graph_tensor *x = &r->g->tensors[t];
  if (graph_same_shape(x, shape)) return;
  x->rank = shape->rank;
  memcpy(x->dims, shape->dims, sizeof x->dims);
  r->reshaped[t] = true;
}

/* What the open axis of an output becomes beside its other axes, `others` elements in all; 0: unknown. */
static int64_t open_size(struct reader *r, const struct op *o, const struct graph_tensor *x,
                         const struct graph_tensor *y, int axis, int64_t others) {
  const int64_t elements = graph_elements(x);
  switch (o->code) {
  case MOTE_OP_RESHAPE:
  case MOTE_OP_EXPAND_DIMS:
  case MOTE_OP_SQUEEZE:
  case MOTE_OP_TRANSPOSE: return elements % others == 0 ? elements / others : 0;
  case MOTE_OP_FULLY_CONNECTED: {
    const int64_t depth = graph_last_dim(tflite_in(r, o, 1)), wide = graph_last_dim(y);
    if (depth < 1 || wide < 1 || others % wide != 0 || elements % depth != 0) return 0;
    return elements / depth % (others / wide) == 0 ? elements / depth / (others / wide) : 0;
  }
  default: return axis == 0 && x->rank > 0 ? x->dims[0] : 0;
  }
}

void tflite_follow_shapes(struct reader *r, struct op *o) {
  const struct graph_tensor *x = NULL;
  for (int i = 0; i < o->n_in && !x; i++)
    if (o->in[i] >= 0 && (size_t)o->in[i] < r->tensors.count && r->have[o->in[i]] &&
        r->reshaped[o->in[i]])
      x = tflite_in(r, o, i);
  for (int k = 0; x && k < o->node.n_out; k++) {
    struct graph_tensor y = *tflite_out(r, o, k);
    const int axis = tflite_open_axis(r, o->node.out[k]);
    if (axis < 0 || axis >= y.rank || y.data) continue;
    y.dims[axis] = 1;
    const int64_t others = graph_elements(&y);
    if (others < 1 || others > GRAPH_MAX_ELEMENTS) continue;
    const int64_t size = open_size(r, o, x, &y, axis, others);
    if (size < 1 || size > GRAPH_MAX_ELEMENTS / others) continue;
    y.dims[axis] = (int32_t)size;
    tflite_set_shape(r, o->node.out[k], &y);
  }
}
