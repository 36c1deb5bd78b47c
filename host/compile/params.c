/* params: the constants of a step, and those of the int8 core as mote/nn/nn.h says: requantisation, biases, weights.
 *
 * A bias that is zero everywhere is left out: adding
 * zero is exact. */
#include "host/compile/private.h"

#include <string.h>

static size_t round4(size_t n) { return (n + 3) & ~(size_t)3; }

/* Room for more bytes, zeroed. */
static void reserve(struct packed *out, size_t bytes) {
  if (bytes <= out->room - out->size) return;
  const size_t room = 2 * (out->size + bytes);
  uint8_t *more = ARENA_ARRAY(out->arena, uint8_t, room);
  if (out->size > 0) memcpy(more, out->bytes, out->size);
  out->bytes = more;
  out->room = room;
}

void *packed_add(struct packed *out, const char *name, enum mote_type type, size_t count,
                 int32_t *at) {
  struct part *part = &out->parts[out->n_parts++];
  const size_t bytes = mote_type_bytes((int)type), padded = round4(count * bytes);
  reserve(out, padded);
  *part = (struct part){name, type, out->size, padded / bytes};
  *at = (int32_t)out->size;
  out->size += padded;
  return out->bytes + part->offset;
}

void packed_align(struct packed *out, size_t align) {
  const size_t fill = (align - out->size % align) % align;
  int32_t at;
  if (fill > 0) packed_add(out, "fill", MOTE_INT8, fill, &at);
  if (out->align < align) out->align = align;
}

struct dense params_dense_of(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *w = &g->tensors[n->in[1]];
  struct dense d = {.weights = w->data};
  d.channels = (size_t)(n->op == MOTE_OP_DEPTHWISE_CONV_2D ? w->dims[3] : w->dims[0]);
  d.per_channel = (size_t)graph_elements(w) / d.channels;
  if (n->n_in > 2 && n->in[2] >= 0) d.bias = g->tensors[n->in[2]].data;
  bool any = false;
  for (size_t c = 0; d.bias != NULL && c < d.channels; c++) any = any || d.bias[c] != 0;
  if (!any) d.bias = NULL;
  return d;
}

void params_pack_requant(const struct graph *g, int node, const struct dense *d, struct packed *out,
                         struct mote_output *o) {
  int32_t *multiplier = ARENA_ARRAY(out->arena, int32_t, d->channels);
  int32_t *shift = ARENA_ARRAY(out->arena, int32_t, d->channels);
  uint32_t *words = ARENA_ARRAY(out->arena, uint32_t, d->channels);
  for (size_t c = 0; c < d->channels; c++) {
    int s;
    graph_output_multiplier(g, node, (int)c, &multiplier[c], &s);
    shift[c] = s;
  }
  if (mote_pack_requant(multiplier, shift, d->bias, d->channels, (uint32_t)d->per_channel, words,
                        &o->shift_base)) {
    memcpy(packed_add(out, "requant", MOTE_UINT32, d->channels, &o->requant_at), words,
           4 * d->channels);
  } else {
    uint8_t *wide = packed_add(out, "requant", MOTE_INT32, 2 * d->channels, &o->requant_at);
    o->wide = 1;
    o->shift_base = 0;
    for (size_t c = 0; c < d->channels; c++) {
      memcpy(wide + 8 * c, &multiplier[c], 4);
      memcpy(wide + 8 * c + 4, &shift[c], 4);
    }
  }
  o->bounded = mote_is_bounded(shift, d->bias, d->channels, (uint32_t)d->per_channel, o->wide) != 0;
}

void params_pack_bias(const struct dense *d, struct packed *out, struct mote_output *o) {
  bool narrow = true;
  o->bias_bytes = 4;
  if (d->bias == NULL) return;
  for (size_t c = 0; c < d->channels; c++)
    narrow = narrow && d->bias[c] >= INT16_MIN && d->bias[c] <= INT16_MAX;
  o->bias_bytes = narrow ? 2 : 4;
  uint8_t *to = packed_add(out, "bias", narrow ? MOTE_INT16 : MOTE_INT32, d->channels, &o->bias_at);
  for (size_t c = 0; c < d->channels; c++) {
    const int16_t half = (int16_t)d->bias[c];
    if (narrow)
      memcpy(to + 2 * c, &half, 2);
    else
      memcpy(to + 4 * c, &d->bias[c], 4);
  }
}

/* [out_c][kh][kw][c] becomes, for each channel, kw slowest, then kh, then c, padded to 4. */
static int32_t pack_conv(const struct graph_tensor *w, struct packed *out) {
  const size_t out_c = (size_t)w->dims[0], kh = (size_t)w->dims[1], kw = (size_t)w->dims[2],
               c = (size_t)w->dims[3], block = round4(kh * kw * c);
  const uint8_t *from = w->data;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_INT8, out_c * block, &at);
  for (size_t o = 0; o < out_c; o++)
    for (size_t y = 0; y < kh; y++)
      for (size_t x = 0; x < kw; x++)
        memcpy(to + o * block + (x * kh + y) * c, from + ((o * kh + y) * kw + x) * c, c);
  return at;
}

/* [1][kh][kw][out_c] becomes, for each channel, kw slowest, then kh; a channel takes `block` bytes. */
int32_t params_pack_columns(const struct graph_tensor *w, size_t block, struct packed *out) {
  const size_t kh = (size_t)w->dims[1], kw = (size_t)w->dims[2], out_c = (size_t)w->dims[3];
  const uint8_t *from = w->data;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_INT8, out_c * block, &at);
  for (size_t o = 0; o < out_c; o++)
    for (size_t y = 0; y < kh; y++)
      for (size_t x = 0; x < kw; x++) to[o * block + x * kh + y] = from[(y * kw + x) * out_c + o];
  return at;
}

/* [out][in], each row padded to 4. */
static int32_t pack_dense(const struct graph_tensor *w, struct packed *out) {
  const size_t out_c = (size_t)w->dims[0], in_c = (size_t)w->dims[1], block = round4(in_c);
  const uint8_t *from = w->data;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_INT8, out_c * block, &at);
  for (size_t o = 0; o < out_c; o++) memcpy(to + o * block, from + o * in_c, in_c);
  return at;
}

/* Biases that hold what the zero point of the input adds, modulo 2^32 as the sums are. */
void params_fold_zero_point(struct arena *a, int32_t zp, struct dense *d) {
  int32_t *bias = ARENA_ARRAY(a, int32_t, d->channels);
  for (size_t c = 0; c < d->channels; c++) {
    int64_t sum = d->bias != NULL ? d->bias[c] : 0;
    for (size_t i = 0; i < d->per_channel; i++)
      sum -= (int64_t)zp * d->weights[c * d->per_channel + i];
    bias[c] = (int32_t)(uint32_t)sum;
  }
  d->bias = bias;
}

/* Whether every sum over a run of n inputs keeps to 16 bits, for channels c .. c + count - 1. */
static bool pairs_fit(const struct graph_tensor *w, size_t c, size_t count, size_t run) {
  const size_t n = (size_t)w->dims[1];
  const int8_t *weights = (const int8_t *)w->data + c * n;
  for (size_t k = 0; k < count; k++, weights += n) {
    int32_t most = 0, least = 0;
    for (size_t i = 0; i < n; i++) {
      if (i % run == 0) most = least = 0;
      most += weights[i] > 0 ? weights[i] * INT8_MAX : weights[i] * INT8_MIN;
      least += weights[i] > 0 ? weights[i] * INT8_MIN : weights[i] * INT8_MAX;
      if (most > INT16_MAX || least < INT16_MIN) return false;
    }
  }
  return true;
}

/* The run of channels c .. c + count - 1 that takes least time on RV32IM (mote/isa/rv32_dense.c): 26 to begin and to end
 * it, 54 for four inputs, 16 for one. Beyond 256 inputs a longer one is worth nothing. */
static uint32_t pairs_run(const struct graph_tensor *w, size_t c, size_t count) {
  const size_t n = (size_t)w->dims[1], most = n < 256 ? n : 256;
  size_t best = 1, best_cost = 26 + 16;
  for (size_t run = 2; run <= most; run++) {
    const size_t cost = 26 + run / 4 * 54 + run % 4 * 16;
    if (cost * best >= best_cost * run || !pairs_fit(w, c, count, run)) continue;
    best = run;
    best_cost = cost;
  }
  return (uint32_t)best;
}

/* Groups of channels: the run, then for each input a word of two channels' weights. */
static int32_t pack_pairs(const struct graph_tensor *w, struct packed *out) {
  const size_t channels = (size_t)w->dims[0], n = (size_t)w->dims[1];
  const size_t groups = (channels + MOTE_PAIR_GROUP - 1) / MOTE_PAIR_GROUP;
  const int8_t *weights = w->data;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_UINT32, groups + (channels + 1) / 2 * n, &at);
  for (size_t c = 0; c < channels; c += MOTE_PAIR_GROUP) {
    const size_t count = channels - c < MOTE_PAIR_GROUP ? channels - c : MOTE_PAIR_GROUP;
    const uint32_t run = pairs_run(w, c, count);
    memcpy(to, &run, 4);
    to += 4;
    for (size_t i = 0; i < n; i++)
      for (size_t k = c; k < c + count; k += 2, to += 4) {
        uint32_t word = (uint32_t)weights[k * n + i];
        if (k + 1 < c + count) word += (uint32_t)weights[(k + 1) * n + i] << 16;
        memcpy(to, &word, 4);
      }
  }
  return at;
}

/* ---- any int8 in lanes: blocks of channels, two inputs of two channels in a word ---- */

/* The most inputs of a run for channels first .. end - 1: |weights| of each sum up to 255 at most. 0: not even two do. */
static uint32_t lanes8_run(const struct graph_tensor *w, int first, int end) {
  const int n = w->dims[1], even = (n + 1) & ~1;
  for (int run = even; run > 0; run -= 2) {
    bool fits = true;
    for (int c = first; c < end && fits; c++) {
      const int8_t *v = (const int8_t *)w->data + (size_t)c * (size_t)n;
      int sum = 0;
      for (int i = 0; i < n && fits; i++) {
        if (i % run == 0) sum = 0;
        sum += v[i] < 0 ? -v[i] : v[i];
        fits = sum <= 255;
      }
    }
    if (fits) return (uint32_t)run;
  }
  return 0;
}

bool params_lanes8_fit(const struct graph_tensor *w) { return lanes8_run(w, 0, w->dims[0]) > 0; }

static int32_t pack_lanes8(const struct graph_tensor *w, struct packed *out) {
  const int channels = w->dims[0], n = w->dims[1], twos = (n + 1) / 2;
  const int8_t *v = w->data;
  const size_t blocks = ((size_t)channels + MOTE_LANES_CHANNELS - 1) / MOTE_LANES_CHANNELS;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_UINT32,
                           blocks + (size_t)(channels + 1) / 2 * (size_t)twos, &at);
  for (int first = 0; first < channels; first += MOTE_LANES_CHANNELS) {
    const int end = channels - first < MOTE_LANES_CHANNELS ? channels : first + MOTE_LANES_CHANNELS;
    const uint32_t run = lanes8_run(w, first, end);
    memcpy(to, &run, 4);
    to += 4;
    for (int i = 0; i < 2 * twos; i += 2)
      for (int c = first; c < end; c += 2)
        for (int k = 0; k < 4; k++) {
          const int channel = c + k / 2, input = i + k % 2;
          const bool is = channel < end && input < n;
          *to++ = (uint8_t)((is ? v[(size_t)channel * (size_t)n + (size_t)input] : 0) + 128);
        }
  }
  return at;
}

/* ---- weights of 16 bits, in the order in which groups of channels meet them ---- */

static int32_t pack_wide(const struct graph_tensor *w, struct packed *out) {
  const uint32_t channels = (uint32_t)w->dims[0], n = (uint32_t)w->dims[1];
  const int8_t *v = w->data;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_INT16, channels * round4(n), &at);
  for (uint32_t c = 0; c < channels; c += MOTE_WIDE_CHANNELS) {
    const uint32_t left = channels - c,
                   count = left < MOTE_WIDE_CHANNELS ? left : MOTE_WIDE_CHANNELS;
    for (uint32_t k = 0; k < count; k++)
      for (uint32_t i = 0; i < n; i++) {
        const int16_t weight = *v++;
        memcpy(to + 2 * mote_wide_at(count, k, i), &weight, 2);
      }
    to += 2 * count * round4(n);
  }
  return at;
}

bool params_pack_pairs(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  struct mote_fully_connected_s8 *dense = &params->fully_connected_pairs_s8;
  struct dense d = params_dense_of(g, n);
  (void)e;
  params_fold_zero_point(out->arena, g->tensors[n->in[0]].quant.zp[0], &d);
  params_pack_requant(g, w->node, &d, out, &dense->output);
  params_pack_bias(&d, out, &dense->output);
  dense->output.in_zp = 0;
  dense->weights_at = pack_pairs(&g->tensors[n->in[1]], out);
  return true;
}

bool params_pack_wide(const struct program *p, const struct work *w, union kernel_params *params,
                      struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_tensor *t = &g->tensors[g->nodes[w->node].in[1]];
  struct mote_fully_connected_s8 *dense = &params->fully_connected_wide_s8;
  const struct dense d = params_dense_of(g, &g->nodes[w->node]);
  (void)e;
  params_pack_requant(g, w->node, &d, out, &dense->output);
  params_pack_bias(&d, out, &dense->output);
  dense->weights_at = pack_wide(t, out);
  return true;
}

int32_t params_pack_weights(const struct graph_tensor *w, struct packed *out) {
  return w->rank == 4 ? pack_conv(w, out) : pack_dense(w, out);
}

bool params_pack_lanes(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  struct mote_fully_connected_s8 *dense = &params->fully_connected_lanes_s8;
  struct dense d = params_dense_of(g, n);
  (void)e;
  params_fold_zero_point(out->arena, g->tensors[n->in[0]].quant.zp[0], &d);
  params_pack_requant(g, w->node, &d, out, &dense->output);
  params_pack_bias(&d, out, &dense->output);
  dense->output.in_zp = 0;
  dense->weights_at = pack_lanes8(&g->tensors[n->in[1]], out);
  return true;
}

/* What sums of products begin with where the zero point of the input is not taken from it: directly behind the words. */
static void pack_folded(const struct dense *d, int32_t zp, bool depthwise, struct packed *out,
                        struct mote_output *o) {
  const size_t per_out = depthwise ? 1 : d->per_channel, per_tap = depthwise ? d->channels : 1;
  int32_t at;
  if (o->wide) return;
  int32_t *to = packed_add(out, "folded", MOTE_INT32, d->channels, &at);
  o->folded = 1;
  for (size_t c = 0; c < d->channels; c++) {
    int64_t sum = 0; /* fewer than 2^31 weights of 2^7 */
    for (size_t k = 0; k < d->per_channel; k++) sum += d->weights[c * per_out + k * per_tap];
    to[c] = (int32_t)(uint32_t)((d->bias ? d->bias[c] : 0) - zp * sum);
  }
}

bool params_pack_int8(const struct program *p, const struct work *w, union kernel_params *params,
                      struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const struct graph_tensor *weights = &g->tensors[n->in[1]];
  const struct dense d = params_dense_of(g, n);
  struct mote_output *o = &params->conv2d_s8.output; /* the first member of them all */
  (void)e;
  params_pack_requant(g, w->node, &d, out, o);
  if (w->folds) pack_folded(&d, o->in_zp, n->op == MOTE_OP_DEPTHWISE_CONV_2D, out, o);
  params_pack_bias(&d, out, o);
  /* A depthwise convolution of one channel may be a CONV_2D. */
  if (w->kernel == MOTE_KERNEL_conv2d_s8 && n->op == MOTE_OP_DEPTHWISE_CONV_2D)
    params->conv2d_s8.weights_at = params_pack_columns(weights, round4(d.per_channel), out);
  else if (w->kernel == MOTE_KERNEL_conv2d_s8 || w->kernel == MOTE_KERNEL_conv2d_triples_s8)
    params->conv2d_s8.weights_at = pack_conv(weights, out);
  else if (w->kernel == MOTE_KERNEL_depthwise_conv2d_s8)
    params->depthwise_conv2d_s8.weights_at = params_pack_columns(weights, d.per_channel, out);
  else if (w->kernel == MOTE_KERNEL_fully_connected_s8)
    params->fully_connected_s8.weights_at = pack_dense(weights, out);
  return true;
}

/* The largest bias of each channel, which decides whether the short requantisation is exact for all sets. */
static void largest_biases(const struct graph_tensor *bias, int32_t *largest, size_t channels) {
  const int32_t *b = bias->data;
  for (int64_t i = 0; i < graph_elements(bias); i++) {
    int32_t *most = &largest[(size_t)i % channels];
    if (b[i] == INT32_MIN || (b[i] < 0 ? -b[i] : b[i]) > (*most < 0 ? -*most : *most)) *most = b[i];
  }
}

/* Biases of all sets, each set padded to 4 bytes. Returns the bytes of one. */
static size_t pack_border_biases(const struct graph_tensor *bias, size_t channels,
                                 struct packed *out, struct mote_output *o) {
  const int32_t *b = bias->data;
  const size_t sets = (size_t)graph_elements(bias) / channels;
  bool narrow = true;
  for (size_t i = 0; i < sets * channels; i++)
    narrow = narrow && b[i] >= INT16_MIN && b[i] <= INT16_MAX;
  o->bias_bytes = narrow ? 2 : 4;
  const size_t step = round4(channels * o->bias_bytes);
  uint8_t *to = packed_add(out, "bias", narrow ? MOTE_INT16 : MOTE_INT32,
                           sets * step / o->bias_bytes, &o->bias_at);
  for (size_t i = 0; i < sets * channels; i++) {
    const int16_t half = (int16_t)b[i];
    memcpy(to + i / channels * step + i % channels * o->bias_bytes,
           narrow ? (const void *)&half : &b[i], o->bias_bytes);
  }
  return step;
}

/* The sets of rows and the columns that the runs leave out. */
static void pack_border_axes(const struct graph *g, const struct graph_node *n,
                             const struct lower_run *runs, int n_runs,
                             struct mote_conv2d_borders_s8 *p, struct packed *out) {
  const struct graph_tensor *x = &g->tensors[n->in[0]], *w = &g->tensors[n->in[1]],
                            *y = &g->tensors[n->out[0]];
  struct graph_span *spans = ARENA_ARRAY(out->arena, struct graph_span, 2 * w->dims[1] + 2);
  const int n_rows = graph_window_spans(x->dims[1], y->dims[1], w->dims[1], n->attrs.stride_h,
                                        n->attrs.dilation_h, n->attrs.pad_top, spans);
  uint16_t *rows = packed_add(out, "rows", MOTE_INT16, 2 * (size_t)n_rows, &p->rows_at);
  for (int i = 0; i < n_rows; i++) {
    rows[2 * i] = (uint16_t)spans[i].first;
    rows[2 * i + 1] = (uint16_t)spans[i].end;
  }
  uint16_t *columns = packed_add(out, "columns", MOTE_INT16, (size_t)n_runs, &p->columns_at);
  for (int i = 0; i < n_runs; i++) columns[i] = (uint16_t)runs[i].skip;
}

bool params_pack_borders(const struct program *p, const struct work *w, union kernel_params *params,
                         struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  struct mote_conv2d_borders_s8 *b = &params->conv2d_borders_s8;
  const struct graph_tensor *bias = &g->tensors[n->in[2]];
  struct form *whole = ARENA_NEW(out->arena, struct form);
  struct lower_run *runs;
  if (!lower_whole_conv(g, w, false, whole, e)) return false;
  struct mote_conv2d_s8 conv = whole->params.conv2d_s8;
  const int n_runs = lower_runs(g, n, out->arena, &runs);
  const size_t convs = (size_t)b->n_rows * b->n_columns;
  /* Offsets only point ahead: the convolutions come first, and are filled in when all else has its place. */
  packed_add(out, "convs", MOTE_UINT32, convs * sizeof conv / 4, &b->convs_at);
  pack_border_axes(g, n, runs, n_runs, b, out);
  struct dense d = params_dense_of(g, n);
  int32_t *largest = ARENA_ARRAY(out->arena, int32_t, d.channels);
  largest_biases(bias, largest, d.channels);
  d.bias = largest;
  params_pack_requant(g, w->node, &d, out, &conv.output);
  const size_t step = pack_border_biases(bias, d.channels, out, &conv.output);
  conv.weights_at = pack_conv(&g->tensors[n->in[1]], out);
  for (size_t i = 0; i < convs; i++) {
    struct mote_conv2d_s8 one = lower_run_conv(&conv, &runs[i % b->n_columns]);
    const int32_t here = b->convs_at + (int32_t)(i * sizeof one);
    one.weights_at -= here;
    one.output.requant_at -= here;
    one.output.bias_at += (int32_t)(i * step) - here;
    memcpy(out->bytes + here, &one, sizeof one);
  }
  return true;
}

bool params_pack(const struct program *p, const struct work *w, const struct form *f,
                 struct arena *a, struct packed *out, struct err *e) {
  union kernel_params params = f->params;
  *out = (struct packed){.arena = a, .align = 4};
  reserve(out, f->params_bytes);
  out->size = f->params_bytes;
  if (w->recipe->pack != NULL && !w->recipe->pack(p, w, &params, out, e)) return false;
  memcpy(out->bytes, &params, f->params_bytes);
  return true;
}
