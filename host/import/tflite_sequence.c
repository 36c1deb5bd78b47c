/* import: options of the operators with a memory. See tflite.h. */
#include "host/import/tflite.h"

enum { SVDF_RANK, SVDF_ACTIVATION, SVDF_ASYMMETRIC };
enum { LSTM_ACTIVATION, LSTM_CELL_CLIP, LSTM_PROJ_CLIP, LSTM_TIME_MAJOR };

static bool read_svdf(struct reader *r, struct op *o) {
  const int32_t act = flat_i8_field(&r->f, &o->options, SVDF_ACTIVATION, 0);
  if (act < 0 || act > GRAPH_ACT_SIGN_BIT) return err_set(r->e, "unknown fused activation %d", act);
  o->node.attrs.activation = (enum graph_activation)act;
  o->node.attrs.svdf_rank = flat_i32_field(&r->f, &o->options, SVDF_RANK, 0);
  o->node.attrs.asymmetric_inputs = flat_i8_field(&r->f, &o->options, SVDF_ASYMMETRIC, 0) != 0;
  tflite_hybrid_weights(r, o);
  /* Hybrid: the weights of time multiply a float32 state. */
  return tflite_in(r, o, 0)->type != MOTE_FLOAT32 || o->in[2] < 0 ||
         tflite_real_constant(r, o->in[2]);
}

static bool read_lstm(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  const int32_t act = flat_i8_field(&r->f, &o->options, LSTM_ACTIVATION, 0);
  if (act < 0 || act > GRAPH_ACT_SIGN_BIT) return err_set(r->e, "unknown fused activation %d", act);
  a->activation = (enum graph_activation)act;
  a->cell_clip = flat_f32_field(&r->f, &o->options, LSTM_CELL_CLIP);
  a->proj_clip = flat_f32_field(&r->f, &o->options, LSTM_PROJ_CLIP);
  a->time_major = flat_i8_field(&r->f, &o->options, LSTM_TIME_MAJOR, 0) != 0;
  return true;
}

const struct tflite_reader tflite_reader_SVDF = {5, 5, 1, 5, read_svdf, NULL};
const struct tflite_reader tflite_reader_UNIDIRECTIONAL_SEQUENCE_LSTM = {20, 24,        1,
                                                                         24, read_lstm, NULL};
/* Mote's own: what its networks are made of, and vectors prove (test/golden/MoteGru). */
const struct tflite_reader tflite_reader_GRU = {9, 9, 1, 9, NULL, "MoteGru"};
