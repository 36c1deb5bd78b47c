/* graph: rules of the operators of audio front ends and of detection (mote/nn/signal.h says what they compute).
 *
 *   SIGNAL_WINDOW                x int16 [...,n], w int16 [n]; option 0: shift
 *   SIGNAL_FFT_AUTO_SCALE        x int16 [n]; outputs: int16 [n], int32 []
 *   SIGNAL_RFFT                  x [...,m] int16, int32, float32; output [...,2*(n/2+1)]; option 0: n >= m
 *   SIGNAL_IRFFT                 x [...,2*(n/2+1)]; output [...,n]; option 0: n
 *   SIGNAL_ENERGY                x int16 [2*m]; output uint32 [k]; options 0, 1: first, end <= k, m
 *   SIGNAL_FILTER_BANK           x uint32 [m], then constants int16: weights, unweights, frequency starts, weight starts,
 *                                widths; output uint64 [channels]; option 0: channels
 *   ..._SQUARE_ROOT              x uint64 [n], shift int32 []; output uint32 [n]
 *   ..._SPECTRAL_SUBTRACTION     x uint32 [n], state uint32 [n]; outputs: uint32 [n], noise uint32 [n];
 *                                options 0..4: smoothing, one minus it, those of odd channels, least signal;
 *                                option 5: smoothing bits + 2^8 bits + 2^16 clamping
 *   SIGNAL_FILTER_BANK_LOG       x uint32 [n]; output int16 [n]; options: correction bits, output scale
 *   SIGNAL_PCAN                  x, noise uint32 [n], table int16 [125 or more]; output uint32 [n]; option 0: shift
 *   SIGNAL_FRAMER                x int16 [...,k*step], state; outputs: int16 [...,k,frame], bool [];
 *                                options: frame, step, prefill
 *   SIGNAL_STACKER               x int16 [c], state; outputs: int16 [c*(left+1+right)], bool []; options: left,
 *                                right, step, c
 *   SIGNAL_OVERLAP_ADD           x [...,k,frame] int16 or float32, state; output [...,k*step]; option 0: step
 *   SIGNAL_DELAY                 x int16 [...,n], state; output alike; option 0: delay
 *   CIRCULAR_BUFFER              x int8 [1,1,w,c], state [1,slots,w,c]; no output: READ_VARIABLE tells the state
 *   DETECTION_POST_PROCESS       encodings [1,boxes,4..], scores [1,boxes,classes(+1)], anchors [boxes,4], each
 *                                float32, int8 or uint8; outputs float32 [1,max,4], [1,max], [1,max], [1];
 *                                options: max, per class, regular, classes, classes of a detection; alpha: least
 *                                score; beta: most overlap; real_0..3: scales of y, x, h, w */
#include "host/graph/private.h"
#include "mote/mote.h"

#include <math.h>

static const char INPUT[] = "input", OUTPUT[] = "output";

static bool has_elements(const struct check *c, const struct graph_tensor *t, int64_t n,
                         const char *what) {
  if (graph_elements(t) == n) return true;
  return err_set(c->e, "its %s has shape %s; %lld elements are needed", what,
                 check_shape_of(t).text, (long long)n);
}

/* Type and number of elements. */
static bool is_row(const struct check *c, const struct graph_tensor *t, uint32_t types, int64_t n,
                   const char *what) {
  return check_type(c, t, types, what) && has_elements(c, t, n, what);
}

static int64_t elements_in(const struct check *c, int i) { return graph_elements(check_in(c, i)); }

static bool is_within(const struct check *c, const char *what, int64_t x, int64_t low,
                      int64_t high) {
  if (x >= low && x <= high) return true;
  return err_set(c->e, "its %s is %lld; %lld to %lld is possible", what, (long long)x,
                 (long long)low, (long long)high);
}

/* ---- spectrum ------------------------------------------------------------------------ */

static bool check_signal_window(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *w = check_in(c, 1);
  const int64_t n = graph_elements(x), period = graph_elements(w);
  if (!check_type(c, x, S16, INPUT) || !check_type(c, w, S16, "window") ||
      !is_row(c, check_out(c, 0), S16, n, OUTPUT) ||
      !is_within(c, "shift", c->n->attrs.option[0], 0, 31) ||
      !is_within(c, "window's length", period, 1, UINT16_MAX))
    return false;
  if (n % period == 0) return true;
  return err_set(c->e, "its input of %lld values is no multiple of its window's %lld", (long long)n,
                 (long long)period);
}

static bool check_auto_scale(const struct check *c) {
  return check_type(c, check_in(c, 0), S16, INPUT) &&
         is_row(c, check_out(c, 0), S16, elements_in(c, 0), OUTPUT) &&
         is_row(c, check_out(c, 1), S32, 1, "second output");
}

/* source: the reference's transform has no radix above 5, and none of 1. */
static bool check_length(const struct check *c, int32_t length) {
  int32_t rest = length / 2;
  for (int radix = 2; radix <= 5; radix++)
    while (rest > 1 && rest % radix == 0) rest /= radix;
  if (length >= 4 && length < UINT16_MAX && length % 2 == 0 && rest == 1) return true;
  return err_set(c->e, "a transform of %d values: half of it must be a product of 2, 3 and 5",
                 length);
}

static bool check_fft(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const bool inverse = c->n->op == MOTE_OP_SIGNAL_IRFFT;
  const struct graph_tensor *real = inverse ? y : x, *spectrum = inverse ? x : y;
  const int32_t length = c->n->attrs.option[0], most = graph_last_dim(real);
  if (!check_type(c, x, S16 | S32 | F32, INPUT) || !check_same_type(c, x, y) ||
      !check_length(c, length))
    return false;
  if (inverse ? most != length : most > length)
    return err_set(c->e, "vectors of %d for a transform of %d", most, length);
  if (graph_last_dim(spectrum) != length + 2)
    return err_set(c->e, "spectra of %d numbers where a transform of %d has %d",
                   graph_last_dim(spectrum), length, length + 2);
  const int64_t vectors = graph_elements(x) / graph_last_dim(x);
  return has_elements(c, y, vectors * graph_last_dim(y), OUTPUT) &&
         is_within(c, "number of vectors", vectors, 1, UINT16_MAX);
}

static bool check_energy(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const int64_t bins = graph_elements(x) / 2, n = graph_elements(y);
  const int32_t *option = c->n->attrs.option;
  return check_type(c, x, S16, INPUT) && check_type(c, y, U32, OUTPUT) &&
         is_within(c, "end", option[1], 0, bins < n ? bins : n) &&
         is_within(c, "start", option[0], 0, option[1]);
}

/* ---- filter bank ---------------------------------------------------------------------- */

static bool is_constant_s16(const struct check *c, int i) {
  const struct graph_tensor *t = check_in(c, i);
  if (!check_type(c, t, S16, "table")) return false;
  return graph_is_constant(t) || err_set(c->e, "its input %d is not constant", i);
}

static bool check_filter_bank(const struct check *c) {
  const int64_t channels = c->n->attrs.option[0], n = elements_in(c, 0),
                weights = elements_in(c, 1);
  if (!check_type(c, check_in(c, 0), U32, INPUT) ||
      !is_row(c, check_out(c, 0), U64, channels, OUTPUT) ||
      !is_within(c, "number of channels", channels, 1, INT16_MAX) ||
      !is_within(c, "number of bins", n, 1, UINT16_MAX) ||
      !is_within(c, "number of weights", weights, 1, UINT16_MAX))
    return false;
  for (int i = 1; i < 6; i++)
    if (!is_constant_s16(c, i) ||
        !has_elements(c, check_in(c, i), i < 3 ? weights : channels + 1, "table"))
      return false;
  const int16_t *frequency = check_in(c, 3)->data, *weight = check_in(c, 4)->data,
                *width = check_in(c, 5)->data;
  for (int64_t k = 0; k <= channels; k++)
    if (width[k] < 0 || frequency[k] < 0 || weight[k] < 0 || frequency[k] + width[k] > n ||
        weight[k] + width[k] > weights)
      return err_set(c->e, "band %lld, bins %d and %d weights from %d on, leaves its tables",
                     (long long)k, frequency[k], width[k], weight[k]);
  return true;
}

static bool check_root(const struct check *c) {
  return check_type(c, check_in(c, 0), U64, INPUT) && is_row(c, check_in(c, 1), S32, 1, "shift") &&
         is_row(c, check_out(c, 0), U32, elements_in(c, 0), OUTPUT);
}

static bool check_subtraction(const struct check *c) {
  const int64_t n = elements_in(c, 0);
  const int32_t bits = c->n->attrs.option[5];
  return check_type(c, check_in(c, 0), U32, INPUT) && is_row(c, check_in(c, 1), U32, n, "state") &&
         is_row(c, check_out(c, 0), U32, n, OUTPUT) &&
         is_row(c, check_out(c, 1), U32, n, "second output") &&
         is_within(c, "number of channels", n, 1, UINT16_MAX) &&
         is_within(c, "smoothing bits", bits & 0xFF, 0, 31) &&
         is_within(c, "bits", bits >> 8 & 0xFF, 0, 63) &&
         is_within(c, "clamping", bits >> 16, 0, 1);
}

static bool check_log(const struct check *c) {
  return check_type(c, check_in(c, 0), U32, INPUT) &&
         is_row(c, check_out(c, 0), S16, elements_in(c, 0), OUTPUT) &&
         is_within(c, "correction", c->n->attrs.option[0], 0, 31);
}

static bool check_pcan(const struct check *c) {
  const int64_t n = elements_in(c, 0);
  return check_type(c, check_in(c, 0), U32, INPUT) && is_row(c, check_in(c, 1), U32, n, "noise") &&
         check_type(c, check_in(c, 2), S16, "table") &&
         is_within(c, "table's length", elements_in(c, 2), MOTE_PCAN_TABLE, INT32_MAX) &&
         is_row(c, check_out(c, 0), U32, n, OUTPUT) &&
         is_within(c, "shift", c->n->attrs.option[0], 0, 63);
}

/* ---- what remembers -------------------------------------------------------------------- */

static bool check_framer(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  const int32_t frame = c->n->attrs.option[0], step = c->n->attrs.option[1];
  if (!check_type(c, x, S16, INPUT) || !is_within(c, "frame", frame, 1, UINT16_MAX) ||
      !is_within(c, "step", step, 1, UINT16_MAX) ||
      !is_within(c, "prefill", c->n->attrs.option[2], 0, step <= frame))
    return false;
  const int64_t n = graph_last_dim(x), vectors = graph_elements(x) / n;
  if (n % step != 0)
    return err_set(c->e, "its input of %lld samples is no multiple of its step of %d", (long long)n,
                   step);
  if (!is_within(c, "number of frames", n / step, 1, UINT16_MAX) ||
      !is_within(c, "number of streams", vectors, 1, UINT16_MAX))
    return false;
  const struct mote_framer p = {
      .frame = (uint16_t)frame, .step = (uint16_t)step, .vectors = (uint16_t)vectors};
  return is_row(c, check_in(c, 1), S16, mote_framer_state_values(&p), "state") &&
         is_row(c, check_out(c, 0), S16, vectors * (n / step) * frame, OUTPUT) &&
         is_row(c, check_out(c, 1), BOOL, 1, "second output");
}

static bool check_stacker(const struct check *c) {
  const int32_t *option = c->n->attrs.option;
  for (int i = 0; i < 4; i++)
    if (!is_within(c, "context, step or channels", option[i], i < 2 ? 0 : 1, UINT16_MAX))
      return false;
  const int64_t depth = (int64_t)option[0] + option[1], n = option[3];
  return is_row(c, check_in(c, 0), S16, n, INPUT) &&
         is_within(c, "step", option[2], 1, depth + 1) &&
         is_row(c, check_in(c, 1), S16, 2 + depth * n, "state") &&
         is_row(c, check_out(c, 0), S16, (depth + 1) * n, OUTPUT) &&
         is_row(c, check_out(c, 1), BOOL, 1, "second output");
}

static bool check_overlap_add(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *y = check_out(c, 0);
  const int64_t step = c->n->attrs.option[0];
  if (!check_type(c, x, S16 | F32, INPUT) || !check_same_type(c, x, y)) return false;
  if (x->rank < 2) return err_set(c->e, "its input has %d axes; frames need 2", x->rank);
  const int64_t frame = graph_last_dim(x), frames = x->dims[x->rank - 2];
  const int64_t vectors = graph_elements(x) / frame / frames, kept = vectors * (frame - step);
  return is_within(c, "frame", frame, 1, UINT16_MAX) && is_within(c, "step", step, 1, frame) &&
         is_within(c, "number of frames", frames, 1, UINT16_MAX) &&
         is_within(c, "number of streams", vectors, 1, UINT16_MAX) &&
         is_row(c, check_in(c, 1), 1u << x->type, kept > 0 ? kept : 1, "state") &&
         has_elements(c, y, vectors * frames * step, OUTPUT);
}

static bool check_delay(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0);
  const int64_t delay = c->n->attrs.option[0], kept = graph_elements(x) / graph_last_dim(x) * delay;
  return check_type(c, x, S16, INPUT) && check_same_type(c, x, check_out(c, 0)) &&
         is_within(c, "delay", delay, 0, GRAPH_MAX_ELEMENTS) &&
         is_row(c, check_in(c, 1), S16, kept > 0 ? kept : 1, "state") &&
         has_elements(c, check_out(c, 0), graph_elements(x), OUTPUT);
}

static bool check_circular_buffer(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *window = check_in(c, 1);
  if (!check_type(c, x, S8, INPUT) || !check_same_type(c, x, window) ||
      !check_rank(c, x, 4, INPUT) || !check_rank(c, window, 4, "window"))
    return false;
  if (x->dims[0] == 1 && window->dims[0] == 1 && x->dims[1] == 1 && x->dims[2] == window->dims[2] &&
      x->dims[3] == window->dims[3])
    return true;
  return err_set(c->e, "input %s is no slice of window %s", check_shape_of(x).text,
                 check_shape_of(window).text);
}

/* ---- detection -------------------------------------------------------------------------- */

static bool is_box_input(const struct check *c, int i, const char *what) {
  const struct graph_tensor *t = check_in(c, i);
  if (!check_type(c, t, F32 | S8 | U8, what)) return false;
  return t->type == MOTE_FLOAT32 || check_one_scale(c, t, what);
}

static bool check_detection(const struct check *c) {
  const struct graph_tensor *box = check_in(c, 0), *score = check_in(c, 1),
                            *anchor = check_in(c, 2);
  const struct graph_attrs *a = &c->n->attrs;
  const int32_t max = a->option[0], classes = a->option[3];
  if (!is_box_input(c, 0, "box encodings") || !is_box_input(c, 1, "scores") ||
      !is_box_input(c, 2, "anchors") || !check_rank(c, box, 3, "box encodings") ||
      !check_rank(c, score, 3, "scores") || !check_rank(c, anchor, 2, "anchors"))
    return false;
  const int32_t boxes = box->dims[1];
  if (box->dims[0] != 1 || score->dims[0] != 1 || score->dims[1] != boxes ||
      anchor->dims[0] != boxes || anchor->dims[1] != 4)
    return err_set(c->e, "encodings %s, scores %s and anchors %s do not suit each other",
                   check_shape_of(box).text, check_shape_of(score).text,
                   check_shape_of(anchor).text);
  if (!is_within(c, "number of boxes", boxes, 1, UINT16_MAX) ||
      !is_within(c, "encodings' last axis", box->dims[2], 4, UINT16_MAX) ||
      !is_within(c, "number of classes", classes, 1, UINT16_MAX) ||
      !is_within(c, "scores' last axis", score->dims[2], classes, (int64_t)classes + 1) ||
      !is_within(c, "number of detections", max, 1, UINT16_MAX) ||
      !is_within(c, "detections of a class", a->option[1], 1, UINT16_MAX) ||
      !is_within(c, "use_regular_nms", a->option[2], 0, 1))
    return false;
  if (!(a->beta > 0 && a->beta <= 1) || !isfinite(a->alpha))
    return err_set(c->e,
                   "its thresholds are %g for scores and %g for overlap; the latter lies above 0 "
                   "and at most at 1",
                   (double)a->alpha, (double)a->beta);
  /* source: there the reference leaves holes in its outputs, and writes behind their end. */
  if (!a->option[2] && a->option[4] > 1 && classes > 1)
    return err_set(c->e, "%d classes of one detection are supported with use_regular_nms only",
                   a->option[4]);
  return is_row(c, check_out(c, 0), F32, 4 * (int64_t)max, "boxes") &&
         is_row(c, check_out(c, 1), F32, max, "classes") &&
         is_row(c, check_out(c, 2), F32, max, "scores") &&
         is_row(c, check_out(c, 3), F32, 1, "count");
}

/* The state, where there is one, is the last input. */
#define RULE(op, n_in, n_out, writes, check)                                                       \
  const struct graph_rule graph_rule_##op = {n_in, n_in, n_out, n_out, 0, writes, check};
RULE(SIGNAL_WINDOW, 2, 1, 0, check_signal_window)
RULE(SIGNAL_FFT_AUTO_SCALE, 1, 2, 0, check_auto_scale)
RULE(SIGNAL_RFFT, 1, 1, 0, check_fft)
RULE(SIGNAL_IRFFT, 1, 1, 0, check_fft)
RULE(SIGNAL_ENERGY, 1, 1, 0, check_energy)
RULE(SIGNAL_FILTER_BANK, 6, 1, 0, check_filter_bank)
RULE(SIGNAL_FILTER_BANK_SQUARE_ROOT, 2, 1, 0, check_root)
RULE(SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION, 2, 2, 1u << 1, check_subtraction)
RULE(SIGNAL_FILTER_BANK_LOG, 1, 1, 0, check_log)
RULE(SIGNAL_PCAN, 3, 1, 0, check_pcan)
RULE(SIGNAL_FRAMER, 2, 2, 1u << 1, check_framer)
RULE(SIGNAL_STACKER, 2, 2, 1u << 1, check_stacker)
RULE(SIGNAL_OVERLAP_ADD, 2, 1, 1u << 1, check_overlap_add)
RULE(SIGNAL_DELAY, 2, 1, 1u << 1, check_delay)
RULE(CIRCULAR_BUFFER, 2, 0, 1u << 1, check_circular_buffer)
RULE(DETECTION_POST_PROCESS, 3, 4, 0, check_detection)
