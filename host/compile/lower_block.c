/* lower_block: recipes of weights in blocks of channels (mote/base/block.h), for the cores whose vectors take them: the
 * host's and WebAssembly's. They come before those of the int8 core.
 *
 * The layout fills quads up and keeps biases as int32, so it takes more flash. Convolutions are taken while that is at
 * most a twentieth, those of few weights always; depthwise weights are a small part of a network's. */
#include "host/compile/private.h"

#include <string.h>

#define CORES (1u << COMPILE_CORE_HOST | 1u << COMPILE_CORE_WASM)

/* STRIP: most pixels; a multiple of 6, 4, 3 and 2, so that tiles of any instruction set come out even. ROOM: bytes of
 * state above which strips are halved: a first-level cache holds weights beside them. LINE: bytes of a line of that cache, in
 * which a vector's weights lie. */
enum { STRIP = 48, TILE = 6, ROOM = 16384, FEW_WEIGHTS = 2048, LINE = 64 };

/* Of one row. source: counted in the loops of x86-64 with VNNI (mote/isa/x86_vnni.c). A tile takes an instruction for
 * each quad of weights and 30 to set out; a pixel of it 5/4 for each quad, and 20 for the outputs; a strip 60, and what
 * it brings in. */
static int64_t row_cost(int64_t out_c, int64_t pixels, int64_t strip, int64_t quads,
                        int64_t brought) {
  const int64_t groups = (out_c + MOTE_BLOCK - 1) / MOTE_BLOCK,
                strips = (pixels + strip - 1) / strip;
  const int64_t tiles = strips * ((strip + TILE - 1) / TILE);
  return groups * (tiles * (quads + 30) + pixels * (5 * quads / 4 + 20)) +
         strips * (60 + brought / 16);
}

/* Forms of narrower strips behind f, whose strip is the widest; set: makes a form of its strip. */
static void add_slimmer(const struct work *w, struct form *f, uint16_t strip, struct arena *a,
                        void (*set)(struct form *f, uint16_t strip)) {
  for (struct form *last = f; strip > 1; last = last->slimmer) {
    strip = (uint16_t)(strip / 2);
    last->slimmer = ARENA_NEW(a, struct form);
    *last->slimmer = *f;
    last->slimmer->slimmer = NULL;
    set(last->slimmer, strip);
    lower_count_calls(w, last->slimmer);
  }
}

/* ---- CONV_2D -------------------------------------------------------------------- */
static int64_t filled(int64_t n) { return (n + 3) / 4 * 4; }

/* Weights of a channel in this layout, from those of a window. */
static int64_t block_weights(int64_t kernel_h, int64_t kernel_w, int64_t in_c, int dilation_w) {
  return kernel_h * (dilation_w > 1 ? kernel_w * filled(in_c) : filled(kernel_w * in_c));
}

static bool is_worth(int64_t plain, int64_t block, int64_t channels) {
  if (block * channels > INT32_MAX / 2) return false;
  return block * 20 <= plain * 21 || block * channels <= FEW_WEIGHTS;
}

static bool takes_conv(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1), *y = output(g, n);
  if (n->n_in > 2 && n->in[2] >= 0 && graph_elements(input(g, n, 2)) != y->dims[3]) return false;
  const int64_t plain = (int64_t)w->dims[1] * w->dims[2] * w->dims[3];
  return is_worth(plain, block_weights(w->dims[1], w->dims[2], w->dims[3], n->attrs.dilation_w),
                  w->dims[0]);
}

static void set_strip(struct form *f, uint16_t strip) {
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  p->strip_w = strip;
  f->state_bytes = mote_conv2d_block_s8_state_bytes(p);
  f->reads_first = strip >= p->out_w;
  f->instructions =
      f->calls * row_cost(p->out_c, p->out_w, strip, (int64_t)mote_block_quads(p),
                          (int64_t)MOTE_BLOCK_COLUMNS(p, strip) * p->kernel_h * p->in_c);
}

/* The widest strip that is worth it, and narrower ones. */
static void set_strips(const struct graph *g, const struct work *w, struct form *f) {
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  uint16_t strip = p->out_w < STRIP ? p->out_w : STRIP;
  for (p->strip_w = strip; strip > TILE && mote_conv2d_block_s8_state_bytes(p) > ROOM;)
    p->strip_w = strip = (uint16_t)(strip / 2);
  set_strip(f, strip);
  add_slimmer(w, f, strip, g->arena, set_strip);
}

static bool build_conv(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  if (!lower_whole_conv(g, work, flat, f, e)) return false;
  set_strips(g, work, f);
  return true;
}

/* ---- FULLY_CONNECTED: a row of vectors ------------------------------------------- */
static bool takes_dense(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1);
  return is_worth(w->dims[1], filled(w->dims[1]), w->dims[0]);
}

static bool build_dense(const struct graph *g, const struct work *work, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const int64_t vectors = graph_elements(x) / w->dims[1];
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  if (flat) return false;
  if (!fits16(w->dims[0]) || !fits16(w->dims[1]) || !fits16(vectors))
    return err_set(e, "%lld vectors of %d to %d; the kernel takes at most %d of each",
                   (long long)vectors, w->dims[1], w->dims[0], UINT16_MAX);
  lower_set_output(g, n, &p->output);
  p->output.in_zp = (int8_t)x->quant.zp[0];
  p->in_w = p->out_w = (uint16_t)vectors;
  p->in_c = (uint16_t)w->dims[1];
  p->out_c = (uint16_t)w->dims[0];
  p->kernel_w = p->kernel_h = p->stride_w = p->stride_h = p->dilation_w = p->rows_out = 1;
  f->in[0] = one_row(x);
  f->out = one_row(y);
  f->calls = f->rows_out = 1;
  f->reach[0] = EACH_ROW;
  set_strips(g, work, f);
  return true;
}

/* ---- DEPTHWISE_CONV_2D ------------------------------------------------------------ */
static bool takes_depthwise(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && output(g, n)->dims[3] == input(g, n, 0)->dims[3];
}

static void set_columns(struct form *f, uint16_t strip) {
  struct mote_depthwise_conv2d_s8 *p = &f->params.depthwise_conv2d_s8;
  p->strip_w = strip;
  f->state_bytes = mote_depthwise_block_s8_state_bytes(p);
  /* A group of channels of the whole row is read before it is written. */
  f->alias[0] = p->stride_w == 1 && strip >= p->out_w;
  /* Windows of one column may be read pixel by pixel. */
  f->reads_first = strip >= p->out_w && p->in_c <= MOTE_BLOCK && p->kernel_w > 1;
  f->instructions =
      f->calls * row_cost(p->in_c, p->out_w, strip, (int64_t)p->kernel_w * mote_block_row_quads(p),
                          12 * (int64_t)MOTE_BLOCK_COLUMNS(p, strip) *
                              (4 * mote_block_row_quads(p)) * p->in_c / 4);
}

static bool build_depthwise(const struct graph *g, const struct work *work, bool flat,
                            struct form *f, struct err *e) {
  if (!lower_depthwise(g, work, flat, f, e)) return false;
  struct mote_depthwise_conv2d_s8 *p = &f->params.depthwise_conv2d_s8;
  uint16_t strip = p->out_w < 2 * STRIP ? p->out_w : STRIP;
  for (p->strip_w = strip; strip > TILE && mote_depthwise_block_s8_state_bytes(p) > ROOM;)
    p->strip_w = strip = (uint16_t)(strip / 2);
  set_columns(f, strip);
  add_slimmer(work, f, strip, g->arena, set_columns);
  return true;
}

/* One input channel whose outputs are many is a convolution of that channel. */
static bool takes_spread(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n) || input(g, n, 0)->dims[3] != 1) return false;
  const struct graph_tensor *w = input(g, n, 1);
  return is_worth((int64_t)w->dims[1] * w->dims[2],
                  block_weights(w->dims[1], w->dims[2], 1, n->attrs.dilation_w), w->dims[3]);
}

static bool build_spread(const struct graph *g, const struct work *work, bool flat, struct form *f,
                         struct err *e) {
  if (!lower_depthwise(g, work, flat, f, e)) return false;
  const struct mote_depthwise_conv2d_s8 d = f->params.depthwise_conv2d_s8;
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  memset(&f->params, 0, sizeof f->params);
  *p = (struct mote_conv2d_s8){.output = d.output,
                               .in_w = d.in_w,
                               .in_c = 1,
                               .out_w = d.out_w,
                               .out_c = d.multiplier,
                               .kernel_w = d.kernel_w,
                               .kernel_h = d.kernel_h,
                               .stride_w = d.stride_w,
                               .stride_h = d.stride_h,
                               .dilation_w = d.dilation_w,
                               .pad_left = d.pad_left,
                               .rows_out = 1};
  f->alias[0] = false;
  set_strips(g, work, f);
  return true;
}

/* ---- constants ---------------------------------------------------------------------- */
/* Biases for unsigned activations, modulo 2^32; then the requantisation, which depends on how large they are. */
static void pack_output(const struct graph *g, const struct work *w, const struct dense *d,
                        size_t per_out, size_t per_tap, struct packed *out, struct mote_output *o) {
  struct dense moved = *d;
  int32_t *bias = ARENA_ARRAY(out->arena, int32_t, d->channels);
  for (size_t c = 0; c < d->channels; c++) {
    int64_t sum = 0;
    for (size_t k = 0; k < d->per_channel; k++) sum += d->weights[c * per_out + k * per_tap];
    const int64_t b = (d->bias ? d->bias[c] : 0) - (int64_t)(128 + o->in_zp) * sum;
    bias[c] = (int32_t)(uint32_t)(uint64_t)b;
  }
  moved.bias = bias;
  params_pack_requant(g, w->node, &moved, out, o);
  o->bias_bytes = 4;
  memcpy(packed_add(out, "bias", MOTE_INT32, d->channels, &o->bias_at), bias, 4 * d->channels);
}

/* The weight of channel c, kernel row y, column x, input i lies at c * per_out + (y * kernel_w + x) * per_tap + i. */
static bool pack_conv(const struct program *program, const struct work *w,
                      union kernel_params *params, struct packed *out, struct err *e) {
  struct mote_conv2d_s8 *p = &params->conv2d_s8;
  const struct graph *g = program->graph;
  const struct dense d = params_dense_of(g, node_of(g, w));
  const bool spread = node_of(g, w)->op == MOTE_OP_DEPTHWISE_CONV_2D;
  const size_t per_out = spread ? 1 : d.per_channel, per_tap = spread ? d.channels : 1;
  (void)e;
  pack_output(g, w, &d, per_out, per_tap, out, &p->output);
  const size_t quads = (size_t)mote_block_quads(p), run = mote_block_run(p),
               runs = mote_block_runs(p), in_run = (size_t)p->kernel_w * p->in_c / runs;
  packed_align(out, LINE);
  int8_t *to = packed_add(out, "weights", MOTE_INT8, d.channels * 4 * quads + MOTE_BLOCK_SLACK,
                          &p->weights_at);
  for (size_t c = 0; c < d.channels; c++) {
    const size_t first = c - c % MOTE_BLOCK,
                 n = d.channels - first < MOTE_BLOCK ? d.channels - first : MOTE_BLOCK;
    for (size_t j = 0; j < p->kernel_h * runs; j++)
      for (size_t k = 0; k < in_run; k++)
        to[first * 4 * quads + ((j * run + k / 4) * n + c - first) * 4 + k % 4] =
            d.weights[c * per_out + (j * in_run + k) * per_tap];
  }
  return true;
}

static bool pack_depthwise(const struct program *program, const struct work *w,
                           union kernel_params *params, struct packed *out, struct err *e) {
  struct mote_depthwise_conv2d_s8 *p = &params->depthwise_conv2d_s8;
  const struct graph *g = program->graph;
  const struct dense d = params_dense_of(g, node_of(g, w));
  const size_t quads = mote_block_row_quads(p), c = d.channels;
  (void)e;
  pack_output(g, w, &d, 1, c, out, &p->output);
  packed_align(out, LINE);
  int8_t *to = packed_add(out, "weights", MOTE_INT8, p->kernel_w * quads * 4 * c + MOTE_BLOCK_SLACK,
                          &p->weights_at);
  for (size_t y = 0; y < p->kernel_h; y++)
    for (size_t x = 0; x < p->kernel_w; x++)
      for (size_t i = 0; i < c; i++)
        to[((x * quads + y / 4) * c + i) * 4 + y % 4] = d.weights[(y * p->kernel_w + x) * c + i];
  return true;
}

#define WEIGHTS (1u << 1 | 1u << 2)
static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_block_s8,
     .takes = takes_conv,
     .build = build_conv,
     .pack = pack_conv,
     .cores = CORES,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_conv2d_block_s8,
     .takes = takes_dense,
     .build = build_dense,
     .pack = pack_conv,
     .cores = CORES,
     .packed = WEIGHTS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_depthwise_block_s8,
     .takes = takes_depthwise,
     .build = build_depthwise,
     .pack = pack_depthwise,
     .cores = CORES,
     .packed = WEIGHTS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_block_s8,
     .takes = takes_spread,
     .build = build_spread,
     .pack = pack_conv,
     .cores = CORES,
     .packed = WEIGHTS},
};
const struct lower_family lower_block = {recipes, sizeof recipes / sizeof *recipes};
