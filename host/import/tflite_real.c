/* import: float32 operators, and LOG_SOFTMAX. See tflite.h. */
#include "host/import/tflite.h"

static bool read_log_softmax(struct reader *r, struct op *o) {
  (void)r;
  o->node.attrs.beta = 1;
  return true;
}

const struct tflite_reader tflite_reader_L2_POOL_2D = {1, 1, 1, 1, tflite_read_pool, NULL};
const struct tflite_reader tflite_reader_LOG_SOFTMAX = {1, 1, 1, 1, read_log_softmax, NULL};

/* Older converters call the symmetric int8 weights of hybrid operators uint8; the bytes are int8. */
void tflite_hybrid_weights(struct reader *r, const struct op *o) {
  if (o->n_in < 2 || o->in[0] < 0 || o->in[1] < 0) return;
  struct graph_tensor *w = tflite_in(r, o, 1);
  if (tflite_in(r, o, 0)->type == MOTE_FLOAT32 && w->type == MOTE_UINT8 && w->data)
    w->type = MOTE_INT8;
}

bool tflite_real_constant(struct reader *r, int tensor) {
  struct graph_tensor *t = &r->g->tensors[tensor];
  if (t->type != MOTE_INT8 || !t->data) return true;
  const int64_t elements = graph_elements(t);
  if (t->quant.count != 1 || elements < 1 || elements > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "tensor %d \"%s\" has no single scale", tensor, t->name);
  float *real = tflite_take(r, (size_t)elements, sizeof *real);
  for (int64_t i = 0; real && i < elements; i++)
    real[i] = (float)((int64_t)((const int8_t *)t->data)[i] - t->quant.zp[0]) * t->quant.scale[0];
  if (!real) return false;
  t->type = MOTE_FLOAT32;
  t->quant = (struct graph_quant){0};
  t->data = real;
  return true;
}
