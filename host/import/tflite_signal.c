/* import: options of the custom operators of audio front ends and of detection. See tflite.h.
 *
 * Custom options are flexbuffers, maps by name. An operator that remembers gets a state of its own behind its
 * inputs, in the form that its kernel keeps it (mote/nn/signal.h). Which attribute holds what: check_signal.c. */
#include "host/import/flexbuffer.h"
#include "host/import/tflite.h"
#include "mote/mote.h"

#include <string.h>

/* An option that must be there, an integer in low..high. */
static bool integer(struct reader *r, const struct op *o, const char *name, int64_t low,
                    int64_t high, int32_t *out) {
  struct flex_map map;
  struct flex_number x;
  if (!flex_open(&map, r->f.p + o->custom.at, o->custom.count) || !flex_find(&map, name, &x))
    return err_set(r->e, "its custom options are damaged");
  if (x.kind == FLEX_ABSENT) return err_set(r->e, "its custom options lack '%s'", name);
  if (x.integer < low || x.integer > high)
    return err_set(r->e, "its option '%s' is %lld; %lld to %lld is possible", name,
                   (long long)x.integer, (long long)low, (long long)high);
  *out = (int32_t)(uint32_t)(uint64_t)x.integer;
  return true;
}

/* The same where the option may be left out. */
static bool integer_or(struct reader *r, const struct op *o, const char *name, int64_t low,
                       int64_t high, int32_t otherwise, int32_t *out) {
  struct flex_map map;
  struct flex_number x;
  *out = otherwise;
  if (!flex_open(&map, r->f.p + o->custom.at, o->custom.count) || !flex_find(&map, name, &x))
    return err_set(r->e, "its custom options are damaged");
  return x.kind == FLEX_ABSENT || integer(r, o, name, low, high, out);
}

static bool real(struct reader *r, const struct op *o, const char *name, float *out) {
  struct flex_map map;
  struct flex_number x;
  if (!flex_open(&map, r->f.p + o->custom.at, o->custom.count) || !flex_find(&map, name, &x))
    return err_set(r->e, "its custom options are damaged");
  if (x.kind == FLEX_ABSENT) return err_set(r->e, "its custom options lack '%s'", name);
  *out = (float)x.real;
  return true;
}

/* Adds a state of n elements as the last input. A state is never empty. */
static bool add_state(struct reader *r, struct op *o, const char *name, enum mote_type type,
                      int64_t n) {
  if (n > GRAPH_MAX_ELEMENTS)
    return err_set(r->e, "it remembers %lld numbers; at most %d are possible", (long long)n,
                   GRAPH_MAX_ELEMENTS);
  const int32_t dims[] = {n > 0 ? (int32_t)n : 1};
  const int state = tflite_new_state(r, name, type, 1, dims);
  if (state < 0) return false;
  o->node.in[o->node.n_in++] = state;
  return true;
}

static bool has_shape(struct reader *r, const struct graph_tensor *t, const char *what) {
  if (t->rank > 0 && graph_elements(t) > 0) return true;
  return err_set(r->e, "the shape of its %s is not known", what);
}

/* ---- spectrum ---------------------------------------------------------------------- */

static bool read_window(struct reader *r, struct op *o) {
  return integer(r, o, "shift", 0, 31, &o->node.attrs.option[0]);
}

static bool read_fft(struct reader *r, struct op *o) {
  return integer(r, o, "fft_length", 4, UINT16_MAX - 1, &o->node.attrs.option[0]);
}

static bool read_energy(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option;
  return integer(r, o, "start_index", 0, INT32_MAX, &option[0]) &&
         integer(r, o, "end_index", 0, INT32_MAX, &option[1]);
}

/* ---- filter bank -------------------------------------------------------------------- */

static bool read_filter_bank(struct reader *r, struct op *o) {
  return integer(r, o, "num_channels", 1, INT16_MAX, &o->node.attrs.option[0]);
}

static bool read_subtraction(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option, channels, smoothing_bits, bits, clamping;
  if (!integer(r, o, "smoothing", INT32_MIN, UINT32_MAX, &option[0]) ||
      !integer(r, o, "one_minus_smoothing", INT32_MIN, UINT32_MAX, &option[1]) ||
      !integer(r, o, "alternate_smoothing", INT32_MIN, UINT32_MAX, &option[2]) ||
      !integer(r, o, "alternate_one_minus_smoothing", INT32_MIN, UINT32_MAX, &option[3]) ||
      !integer(r, o, "min_signal_remaining", INT32_MIN, UINT32_MAX, &option[4]) ||
      !integer(r, o, "num_channels", 1, UINT16_MAX, &channels) ||
      !integer(r, o, "smoothing_bits", 0, 31, &smoothing_bits) ||
      !integer(r, o, "spectral_subtraction_bits", 0, 63, &bits) ||
      !integer(r, o, "clamping", 0, 1, &clamping))
    return false;
  option[5] = smoothing_bits | bits << 8 | clamping << 16;
  return add_state(r, o, "noise", MOTE_UINT32, channels);
}

static bool read_log(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option;
  return integer(r, o, "input_correction_bits", 0, 31, &option[0]) &&
         integer(r, o, "output_scale", INT32_MIN, UINT32_MAX, &option[1]);
}

static bool read_pcan(struct reader *r, struct op *o) {
  return integer(r, o, "snr_shift", 0, 63, &o->node.attrs.option[0]);
}

/* ---- what remembers ------------------------------------------------------------------ */

static bool read_framer(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  if (!integer(r, o, "frame_size", 1, UINT16_MAX, &option[0]) ||
      !integer(r, o, "frame_step", 1, UINT16_MAX, &option[1]) ||
      !integer(r, o, "prefill", 0, 1, &option[2]) || !has_shape(r, x, "input"))
    return false;
  const int64_t vectors = graph_elements(x) / graph_last_dim(x);
  if (vectors > UINT16_MAX)
    return err_set(r->e, "%lld streams; at most %d are possible", (long long)vectors, UINT16_MAX);
  const struct mote_framer p = {
      .frame = (uint16_t)option[0], .step = (uint16_t)option[1], .vectors = (uint16_t)vectors};
  return add_state(r, o, "samples", MOTE_INT16, mote_framer_state_values(&p));
}

static bool read_stacker(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option, channels;
  if (!integer(r, o, "stacker_left_context", 0, UINT16_MAX, &option[0]) ||
      !integer(r, o, "stacker_right_context", 0, UINT16_MAX, &option[1]) ||
      !integer(r, o, "stacker_step", 1, UINT16_MAX, &option[2]) ||
      !integer(r, o, "num_channels", 1, UINT16_MAX, &channels))
    return false;
  option[3] = channels;
  return add_state(r, o, "frames", MOTE_INT16, 2 + ((int64_t)option[0] + option[1]) * channels);
}

static bool read_overlap_add(struct reader *r, struct op *o) {
  int32_t *option = o->node.attrs.option;
  const struct graph_tensor *x = tflite_in(r, o, 0);
  if (!integer(r, o, "frame_step", 1, UINT16_MAX, &option[0]) || !has_shape(r, x, "input"))
    return false;
  if (x->rank < 2 || option[0] > graph_last_dim(x))
    return err_set(r->e, "its frames of %d cannot overlap in steps of %d", graph_last_dim(x),
                   option[0]);
  const int64_t vectors = graph_elements(x) / graph_last_dim(x) / x->dims[x->rank - 2];
  return add_state(r, o, "sums", x->type, vectors * (graph_last_dim(x) - option[0]));
}

static bool read_delay(struct reader *r, struct op *o) {
  int32_t *delay = &o->node.attrs.option[0];
  const struct graph_tensor *x = tflite_in(r, o, 0);
  if (!integer(r, o, "delay_length", 0, GRAPH_MAX_ELEMENTS, delay) || !has_shape(r, x, "input"))
    return false;
  return add_state(r, o, "delayed", x->type, graph_elements(x) / graph_last_dim(x) * *delay);
}

/* The file keeps the window in its output. Here it is a state that the operator changes, and the output reads it:
 * mostly without a copy. The window begins with real zeros. */
static bool split_circular_buffer(struct reader *r, struct op *o) {
  const int y = o->node.out[0];
  struct graph_tensor window = r->g->tensors[y];
  const size_t bytes = graph_bytes(&window);
  int8_t *first = tflite_take(r, bytes, 1);
  if (!first) return false;
  if (window.type == MOTE_INT8 && window.quant.count == 1) memset(first, window.quant.zp[0], bytes);
  window.name = "window";
  window.is_state = true;
  window.data = first;
  const int state = graph_add_tensor(r->g, &window);
  o->node.in[1] = state;
  o->node.n_in = 2;
  o->node.n_out = 0;
  graph_add_node(r->g, &o->node);
  o->node = (struct graph_node){.op = MOTE_OP_READ_VARIABLE,
                                .n_in = 1,
                                .n_out = 1,
                                .in = {state},
                                .out = {y},
                                .source_op = -1};
  return true;
}

/* Where the reference is not told how many inputs make one output (cycles_max), it knows by the shapes of two
 * models; only what is sure to be one at a time is taken. Otherwise it ends an inference early, before the
 * operators behind it, which no caller of a plan could tell. */
static bool read_circular_buffer(struct reader *r, struct op *o) {
  const struct graph_tensor *x = tflite_in(r, o, 0);
  struct graph_tensor *y = tflite_out(r, o, 0);
  int32_t cycles;
  if (!integer_or(r, o, "cycles_max", INT32_MIN, INT32_MAX, 0, &cycles) ||
      !has_shape(r, x, "input") || !has_shape(r, y, "output"))
    return false;
  const int32_t slots = y->rank > 1 ? y->dims[1] : 0;
  if (cycles <= 0) cycles = slots == 5 || slots == 13 || slots == 25 ? 1 : 2;
  if (cycles != 1 && (size_t)o->number + 1 < r->operators.count)
    return err_set(
        r->e,
        "it lets the rest of the model run only every %d inferences (cycles_max); Mote runs "
        "the whole model each time: only 1 is supported",
        cycles);
  if (o->node.n_out != 1) return err_set(r->e, "it has %d outputs instead of one", o->node.n_out);
  y->is_state = false;
  y->data = NULL;
  return split_circular_buffer(r, o);
}

/* ---- detection ------------------------------------------------------------------------ */

/* Old converters leave the outputs without a shape, or give all of them one: the options tell how many detections
 * there are, and interpreters go by them. */
static void shape_detections(struct reader *r, const struct op *o, int32_t detections) {
  const int32_t dims[3] = {1, detections, 4};
  for (int i = 0; i < o->node.n_out; i++) {
    struct graph_tensor *y = tflite_out(r, o, i);
    const int rank = i == 0 ? 3 : i < 3 ? 2 : 1;
    const int64_t elements = (i < 3 ? (int64_t)detections : 1) * (i == 0 ? 4 : 1);
    if (graph_elements(y) == elements) continue;
    y->rank = rank;
    memcpy(y->dims, dims, (size_t)rank * sizeof *dims);
  }
}

static bool read_detection(struct reader *r, struct op *o) {
  struct graph_attrs *a = &o->node.attrs;
  int32_t *option = a->option;
  if (!integer(r, o, "max_detections", 1, UINT16_MAX, &option[0])) return false;
  shape_detections(r, o, option[0]);
  return integer_or(r, o, "detections_per_class", 1, UINT16_MAX, 100, &option[1]) &&
         integer_or(r, o, "use_regular_nms", 0, 1, 0, &option[2]) &&
         integer(r, o, "num_classes", 1, UINT16_MAX, &option[3]) &&
         integer(r, o, "max_classes_per_detection", 1, INT32_MAX, &option[4]) &&
         real(r, o, "nms_score_threshold", &a->alpha) &&
         real(r, o, "nms_iou_threshold", &a->beta) && real(r, o, "y_scale", &a->real_0) &&
         real(r, o, "x_scale", &a->real_1) && real(r, o, "h_scale", &a->real_2) &&
         real(r, o, "w_scale", &a->real_3);
}

#define READER(op, n_in, n_out, read, name)                                                        \
  const struct tflite_reader tflite_reader_##op = {n_in, n_in, n_out, n_in, read, name};
READER(SIGNAL_WINDOW, 2, 1, read_window, "SignalWindow")
READER(SIGNAL_FFT_AUTO_SCALE, 1, 2, NULL, "SignalFftAutoScale")
READER(SIGNAL_RFFT, 1, 1, read_fft, "SignalRfft")
READER(SIGNAL_IRFFT, 1, 1, read_fft, "SignalIrfft")
READER(SIGNAL_ENERGY, 1, 1, read_energy, "SignalEnergy")
READER(SIGNAL_FILTER_BANK, 6, 1, read_filter_bank, "SignalFilterBank")
READER(SIGNAL_FILTER_BANK_SQUARE_ROOT, 2, 1, NULL, "SignalFilterBankSquareRoot")
READER(SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION, 1, 2, read_subtraction,
       "SignalFilterBankSpectralSubtraction")
READER(SIGNAL_FILTER_BANK_LOG, 1, 1, read_log, "SignalFilterBankLog")
READER(SIGNAL_PCAN, 3, 1, read_pcan, "SignalPCAN")
READER(SIGNAL_FRAMER, 1, 2, read_framer, "SignalFramer")
READER(SIGNAL_STACKER, 1, 2, read_stacker, "SignalStacker")
READER(SIGNAL_OVERLAP_ADD, 1, 1, read_overlap_add, "SignalOverlapAdd")
READER(SIGNAL_DELAY, 1, 1, read_delay, "SignalDelay")
READER(CIRCULAR_BUFFER, 1, 1, read_circular_buffer, "CIRCULAR_BUFFER")
READER(DETECTION_POST_PROCESS, 3, 4, read_detection, "TFLite_Detection_PostProcess")
