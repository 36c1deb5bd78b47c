/* lower: recipes of the operators of audio front ends and of detection. Each is one call over whole tensors; what
 * its rule proved (host/graph/check_signal.c) fits its parameters. See lower.c and private.h. */
#include "host/compile/private.h"

#include <math.h>
#include <string.h>

static const int32_t *options_of(const struct graph *g, const struct work *w) {
  return node_of(g, w)->attrs.option;
}

/* Whole tensors; an operator that costs so many instructions for each element of its first output. */
static void set_whole(const struct graph *g, const struct work *w, struct form *f, int64_t each) {
  whole_form(g, w, f);
  f->instructions = graph_elements(out_of(g, w)) * each;
}

/* ---- spectrum ------------------------------------------------------------------------ */

static bool build_window(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 9);
  f->params.signal_window = (struct mote_signal_window){(uint32_t)graph_elements(in_of(g, w, 0)),
                                                        (uint16_t)graph_elements(in_of(g, w, 1)),
                                                        (uint16_t)options_of(g, w)[0]};
  f->alias[0] = true;
  return true;
}

static bool build_scale(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 10);
  f->params.signal_scale.n = (uint32_t)graph_elements(in_of(g, w, 0));
  f->alias[0] = true;
  return true;
}

static bool build_energy(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 9);
  f->params.signal_energy =
      (struct mote_signal_energy){(uint32_t)graph_elements(out_of(g, w)),
                                  (uint32_t)options_of(g, w)[0], (uint32_t)options_of(g, w)[1]};
  return true;
}

/* Radix 4 as often as it divides, then 2, 3, 5: the order decides the rounding. source: kissfft. */
static void set_factors(struct mote_fft *p) {
  static const uint32_t radices[] = {4, 2, 3, 5};
  uint32_t rest = p->length / 2u;
  for (size_t r = 0; r < sizeof radices / sizeof *radices; r++)
    for (; rest % radices[r] == 0; rest /= radices[r])
      p->factors[p->n_factors++] = (uint8_t)radices[r];
}

static bool build_fft(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  struct mote_fft *p = &f->params.fft_s16;
  (void)e;
  if (flat) return false;
  p->inverse = node_of(g, w)->op == MOTE_OP_SIGNAL_IRFFT;
  p->length = (uint16_t)options_of(g, w)[0];
  p->in_n = p->inverse ? p->length : (uint16_t)graph_last_dim(in_of(g, w, 0));
  p->vectors = (uint16_t)(graph_elements(in_of(g, w, 0)) / graph_last_dim(in_of(g, w, 0)));
  set_factors(p);
  /* About 12 instructions a number and stage. */
  set_whole(g, w, f, 12 * ((int64_t)p->n_factors + 2));
  return true;
}

/* A number of a table, at place i: of integers rounded halves up. */
static void put(void *table, enum mote_type type, int i, double x) {
  if (type == MOTE_INT16) ((int16_t *)table)[i] = (int16_t)floor(.5 + INT16_MAX * x);
  if (type == MOTE_INT32) ((int32_t *)table)[i] = (int32_t)floor(.5 + INT32_MAX * x);
  if (type == MOTE_FLOAT32) ((float *)table)[i] = (float)x;
}

static bool pack_fft(const struct program *p, const struct work *w, union kernel_params *params,
                     struct packed *out, struct err *e) {
  struct mote_fft *fft = &params->fft_s16;
  const enum mote_type type = in_of(p->graph, w, 0)->type;
  const double pi = 3.14159265358979323846264338327, sign = fft->inverse ? 1 : -1;
  const int n = fft->length / 2;
  (void)e;
  void *table = packed_add(out, "twiddle", type, 2 * (size_t)n, &fft->twiddle_at);
  for (int i = 0; i < n; i++) {
    const double phase = sign * 2 * pi * i / n;
    put(table, type, 2 * i, cos(phase));
    put(table, type, 2 * i + 1, sin(phase));
  }
  table = packed_add(out, "split", type, 2 * (size_t)(n / 2), &fft->split_at);
  for (int i = 0; i < n / 2; i++) {
    const double phase = sign * pi * ((double)(i + 1) / n + .5);
    put(table, type, 2 * i, cos(phase));
    put(table, type, 2 * i + 1, sin(phase));
  }
  return true;
}

static bool is_s16(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_INT16;
}
static bool is_s32(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_INT32;
}
static bool is_f32(const struct graph *g, const struct graph_node *n) {
  return g->tensors[n->in[0]].type == MOTE_FLOAT32;
}

/* ---- filter bank ---------------------------------------------------------------------- */

static bool build_filter_bank(const struct graph *g, const struct work *w, bool flat,
                              struct form *f, struct err *e) {
  struct mote_filter_bank *p = &f->params.filter_bank;
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  p->channels = (uint16_t)options_of(g, w)[0];
  p->n_weights = (uint16_t)graph_elements(in_of(g, w, 1));
  p->in_n = (uint16_t)graph_elements(in_of(g, w, 0));
  f->instructions = p->n_weights * 16 + p->channels * 30;
  return true;
}

static bool pack_filter_bank(const struct program *p, const struct work *w,
                             union kernel_params *params, struct packed *out, struct err *e) {
  struct mote_filter_bank *bank = &params->filter_bank;
  static const char *const names[] = {"weights", "unweights", "frequency", "weight", "width"};
  int32_t *const at[] = {&bank->weights_at, &bank->unweights_at, &bank->frequency_at,
                         &bank->weight_at, &bank->width_at};
  (void)e;
  for (int i = 0; i < 5; i++) {
    const struct graph_tensor *t = in_of(p->graph, w, i + 1);
    void *to = packed_add(out, names[i], MOTE_INT16, (size_t)graph_elements(t), at[i]);
    memcpy(to, t->data, graph_bytes(t));
  }
  return true;
}

static bool build_root(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 500);
  f->params.filter_bank_root.n = (uint32_t)graph_elements(in_of(g, w, 0));
  return true;
}

static bool build_subtraction(const struct graph *g, const struct work *w, bool flat,
                              struct form *f, struct err *e) {
  const int32_t *o = options_of(g, w);
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 60);
  f->params.spectral_subtraction = (struct mote_spectral_subtraction){
      .noise = {.smoothing = {(uint32_t)o[0], (uint32_t)o[2]},
                .one_minus_smoothing = {(uint32_t)o[1], (uint32_t)o[3]},
                .min_signal_remaining = (uint32_t)o[4],
                .smoothing_bits = (uint8_t)(o[5] & 0xFF),
                .bits = (uint8_t)(o[5] >> 8 & 0xFF),
                .clamping = (uint8_t)(o[5] >> 16)},
      .n = (uint32_t)graph_elements(in_of(g, w, 0))};
  return true;
}

static bool build_log(const struct graph *g, const struct work *w, bool flat, struct form *f,
                      struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 60);
  f->params.filter_bank_log =
      (struct mote_filter_bank_log){(uint32_t)graph_elements(in_of(g, w, 0)),
                                    (uint32_t)options_of(g, w)[1], (uint32_t)options_of(g, w)[0]};
  return true;
}

static bool build_pcan(const struct graph *g, const struct work *w, bool flat, struct form *f,
                       struct err *e) {
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 70);
  f->params.pcan =
      (struct mote_pcan){(uint32_t)graph_elements(in_of(g, w, 0)), (uint32_t)options_of(g, w)[0]};
  f->alias[0] = true;
  return true;
}

/* ---- what remembers -------------------------------------------------------------------- */

static bool build_framer(const struct graph *g, const struct work *w, bool flat, struct form *f,
                         struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0);
  const int32_t *o = options_of(g, w);
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 2);
  f->params.framer =
      (struct mote_framer){(uint16_t)o[0], (uint16_t)o[1], (uint16_t)(graph_last_dim(x) / o[1]),
                           (uint16_t)(graph_elements(x) / graph_last_dim(x)), (uint32_t)o[2]};
  return true;
}

static bool build_stacker(const struct graph *g, const struct work *w, bool flat, struct form *f,
                          struct err *e) {
  const int32_t *o = options_of(g, w);
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 2);
  f->params.stacker =
      (struct mote_stacker){(uint16_t)o[3], (uint16_t)o[0], (uint16_t)o[1], (uint16_t)o[2]};
  return true;
}

static bool build_overlap_add(const struct graph *g, const struct work *w, bool flat,
                              struct form *f, struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0);
  const int32_t frame = graph_last_dim(x), frames = x->dims[x->rank - 2];
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->instructions = graph_elements(x) * 10;
  f->params.overlap_add_s16 =
      (struct mote_overlap_add){(uint16_t)frame, (uint16_t)options_of(g, w)[0], (uint16_t)frames,
                                (uint16_t)(graph_elements(x) / frame / frames)};
  return true;
}

static bool build_delay(const struct graph *g, const struct work *w, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_tensor *x = in_of(g, w, 0);
  (void)e;
  if (flat) return false;
  set_whole(g, w, f, 2);
  f->params.delay =
      (struct mote_delay){2 * (uint32_t)graph_last_dim(x), 2 * (uint32_t)options_of(g, w)[0],
                          (uint32_t)(graph_elements(x) / graph_last_dim(x))};
  return true;
}

static bool build_circular_buffer(const struct graph *g, const struct work *w, bool flat,
                                  struct form *f, struct err *e) {
  const size_t in = graph_bytes(in_of(g, w, 0)), all = graph_bytes(in_of(g, w, 1));
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  f->instructions = (int64_t)all;
  f->params.circular_buffer = (struct mote_circular_buffer){(uint32_t)in, (uint32_t)(all - in)};
  return true;
}

/* ---- detection -------------------------------------------------------------------------- */

static bool build_detection(const struct graph *g, const struct work *w, bool flat, struct form *f,
                            struct err *e) {
  const struct graph_attrs *a = &node_of(g, w)->attrs;
  const struct graph_tensor *box = in_of(g, w, 0), *score = in_of(g, w, 1);
  struct mote_detection *p = &f->params.detection;
  (void)e;
  if (flat) return false;
  whole_form(g, w, f);
  p->y_scale = a->real_0;
  p->x_scale = a->real_1;
  p->h_scale = a->real_2;
  p->w_scale = a->real_3;
  p->score_threshold = a->alpha;
  p->overlap_threshold = a->beta;
  for (int i = 0; i < 3; i++) {
    const struct graph_tensor *t = in_of(g, w, i);
    p->type[i] = (uint8_t)t->type;
    if (t->type == MOTE_FLOAT32) continue;
    p->scale[i] = t->quant.scale[0];
    p->zp[i] = (int16_t)t->quant.zp[0];
  }
  p->regular = (uint8_t)a->option[2];
  p->boxes = (uint16_t)box->dims[1];
  p->stride = (uint16_t)box->dims[2];
  p->classes = (uint16_t)a->option[3];
  p->offset = (uint16_t)(score->dims[2] - a->option[3]);
  p->max = (uint16_t)a->option[0];
  p->per_class = (uint16_t)a->option[1];
  f->state_bytes = mote_detection_state_bytes(p);
  f->instructions = graph_elements(score) * (p->regular ? 40 : 12) + p->max * 20 * p->boxes;
  return true;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_SIGNAL_WINDOW, .kernel = MOTE_KERNEL_signal_window, .build = build_window},
    {.op = MOTE_OP_SIGNAL_FFT_AUTO_SCALE, .kernel = MOTE_KERNEL_signal_scale, .build = build_scale},
#define FFT(operator, suffix)                                                                      \
  {                                                                                                \
    .op = operator, .kernel = MOTE_KERNEL_fft_##suffix, .takes = is_##suffix, .build = build_fft,  \
    .pack = pack_fft                                                                               \
  }
    FFT(MOTE_OP_SIGNAL_RFFT, s16),
    FFT(MOTE_OP_SIGNAL_RFFT, s32),
    FFT(MOTE_OP_SIGNAL_RFFT, f32),
    FFT(MOTE_OP_SIGNAL_IRFFT, s16),
    FFT(MOTE_OP_SIGNAL_IRFFT, s32),
    FFT(MOTE_OP_SIGNAL_IRFFT, f32),
#undef FFT
    {.op = MOTE_OP_SIGNAL_ENERGY, .kernel = MOTE_KERNEL_signal_energy, .build = build_energy},
    {.op = MOTE_OP_SIGNAL_FILTER_BANK,
     .kernel = MOTE_KERNEL_filter_bank,
     .build = build_filter_bank,
     .pack = pack_filter_bank,
     .packed = 0x3E},
    {.op = MOTE_OP_SIGNAL_FILTER_BANK_SQUARE_ROOT,
     .kernel = MOTE_KERNEL_filter_bank_root,
     .build = build_root},
    {.op = MOTE_OP_SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION,
     .kernel = MOTE_KERNEL_spectral_subtraction,
     .build = build_subtraction},
    {.op = MOTE_OP_SIGNAL_FILTER_BANK_LOG,
     .kernel = MOTE_KERNEL_filter_bank_log,
     .build = build_log},
    {.op = MOTE_OP_SIGNAL_PCAN, .kernel = MOTE_KERNEL_pcan, .build = build_pcan},
    {.op = MOTE_OP_SIGNAL_FRAMER, .kernel = MOTE_KERNEL_framer, .build = build_framer},
    {.op = MOTE_OP_SIGNAL_STACKER, .kernel = MOTE_KERNEL_stacker, .build = build_stacker},
    {.op = MOTE_OP_SIGNAL_OVERLAP_ADD,
     .kernel = MOTE_KERNEL_overlap_add_s16,
     .takes = is_s16,
     .build = build_overlap_add},
    {.op = MOTE_OP_SIGNAL_OVERLAP_ADD,
     .kernel = MOTE_KERNEL_overlap_add_f32,
     .takes = is_f32,
     .build = build_overlap_add},
    {.op = MOTE_OP_SIGNAL_DELAY, .kernel = MOTE_KERNEL_delay, .build = build_delay},
    {.op = MOTE_OP_CIRCULAR_BUFFER,
     .kernel = MOTE_KERNEL_circular_buffer,
     .build = build_circular_buffer,
     .assigned = 2},
    {.op = MOTE_OP_DETECTION_POST_PROCESS,
     .kernel = MOTE_KERNEL_detection,
     .build = build_detection},
};

const struct lower_family lower_signal = {recipes, sizeof recipes / sizeof *recipes};
