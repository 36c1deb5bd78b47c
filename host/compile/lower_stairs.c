/* lower_stairs: recipes of convolutions whose requantisation is a stair (struct mote_stair in mote/base/window.h), for the
 * cores where it takes as long as the products: those without a product of 64 bits, and RV32.
 *
 * A stair is proven for every sum that the channel's weights can make of any activations. Where outputs lie on both sides of
 * the zero point the operator rounds them away from it, which no stair of one offset does: those layers keep the constants
 * of the model. */
#include "host/compile/private.h"

#include <string.h>

#define WEIGHTS (1u << 1 | 1u << 2)

/* One channel in so many may do without. */
enum { NONE_SHARE = 16 };

/* A layer's weights: channel c's are weights[c * per_out + k * per_tap]. */
struct layer {
  const struct graph *g;
  int node;
  struct dense d;
  size_t per_out, per_tap;
  struct mote_output o;
  int32_t zp;
  enum mote_stair_kind kind;
};

static struct layer layer_of(const struct graph *g, const struct graph_node *n,
                             enum mote_stair_kind kind) {
  const bool depthwise = n->op == MOTE_OP_DEPTHWISE_CONV_2D;
  struct layer l = {.g = g, .node = (int)(n - g->nodes), .d = params_dense_of(g, n), .kind = kind};
  l.per_out = depthwise ? 1 : l.d.per_channel;
  l.per_tap = depthwise ? l.d.channels : 1;
  l.zp = input(g, n, 0)->quant.zp[0];
  lower_set_output(g, n, &l.o);
  return l;
}

/* What the sums of channel c can be, in which the zero point stays, and its bias, which has it. */
struct reached {
  int64_t least, most, bias;
};
static struct reached reached_by(const struct layer *l, size_t c) {
  const int64_t low = INT8_MIN, high = INT8_MAX;
  struct reached r = {0, 0, l->d.bias != NULL ? l->d.bias[c] : 0};
  for (size_t k = 0; k < l->d.per_channel; k++) {
    const int64_t w = l->d.weights[c * l->per_out + k * l->per_tap];
    r.most += w > 0 ? w * high : w * low;
    r.least += w > 0 ? w * low : w * high;
    r.bias -= w * l->zp;
  }
  return r;
}

static bool stair_of(const struct layer *l, size_t c, struct mote_stair *to) {
  const struct reached r = reached_by(l, c);
  int32_t multiplier;
  int shift;
  graph_output_multiplier(l->g, l->node, (int)c, &multiplier, &shift);
  return mote_find_stair(&l->o, l->kind, multiplier, shift, r.bias, r.least, r.most, to) != 0;
}

/* Whether all sums keep to what triples of pixels hold, and most channels have a stair. */
static bool is_worth(const struct layer *l, size_t most_without) {
  size_t without = 0;
  if (l->o.low < l->o.zp) return false;
  for (size_t c = 0; c < l->d.channels; c++) {
    const struct reached r = reached_by(l, c);
    struct mote_stair stair;
    if (r.least < -(1 << 20) || r.most >= 1 << 20) return false;
    if (r.bias < -(1 << 29) || r.bias > 1 << 29) return false;
    if (!stair_of(l, c, &stair) && ++without > most_without) return false;
  }
  return true;
}

static bool conv_has(const struct graph *g, const struct graph_node *n, enum mote_stair_kind kind) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1);
  const bool borders =
      n->n_in > 2 && n->in[2] >= 0 && graph_elements(input(g, n, 2)) != output(g, n)->dims[3];
  if (borders || !fits16(w->dims[2])) return false;
  const struct layer l = layer_of(g, n, kind);
  return is_worth(&l, l.d.channels / NONE_SHARE);
}
static bool takes_conv(const struct graph *g, const struct graph_node *n) {
  return conv_has(g, n, MOTE_STAIR_DIGITS);
}
static bool takes_conv_high(const struct graph *g, const struct graph_node *n) {
  return conv_has(g, n, MOTE_STAIR_SUM);
}

/* All output channels see the one channel of the input, as a CONV_2D's do. */
static bool takes_spread(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && input(g, n, 0)->dims[3] == 1 && takes_conv(g, n);
}
static bool takes_spread_high(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && input(g, n, 0)->dims[3] == 1 && takes_conv_high(g, n);
}

static bool depthwise_has(const struct graph *g, const struct graph_node *n,
                          enum mote_stair_kind kind) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1);
  if (w->dims[1] != 3 || w->dims[2] != 3 || n->attrs.dilation_w > 1) return false;
  const struct layer l = layer_of(g, n, kind);
  return is_worth(&l, 0);
}
static bool takes_depthwise(const struct graph *g, const struct graph_node *n) {
  return depthwise_has(g, n, MOTE_STAIR_DIGITS);
}
static bool takes_depthwise_high(const struct graph *g, const struct graph_node *n) {
  return depthwise_has(g, n, MOTE_STAIR_NINE);
}

static bool build_conv(const struct graph *g, const struct work *work, bool flat, struct form *f,
                       struct err *e) {
  if (!lower_whole_conv(g, work, flat, f, e)) return false;
  f->params.conv2d_stairs_s8.run_columns = f->params.conv2d_s8.kernel_w;
  return true;
}

/* The stairs, and behind them the constants of channels that have none. Returns how many those are. */
static size_t pack_stairs(const struct layer *l, struct packed *out, struct mote_output *o) {
  const size_t n = l->d.channels;
  struct mote_stair *stairs = ARENA_ARRAY(out->arena, struct mote_stair, 2 * n);
  size_t without = 0;
  for (size_t c = 0; c < n; c++) {
    if (stair_of(l, c, &stairs[c])) continue;
    int32_t multiplier;
    int shift;
    graph_output_multiplier(l->g, l->node, (int)c, &multiplier, &shift);
    stairs[c].offset = (int32_t)reached_by(l, c).bias;
    stairs[c].word =
        l->kind == MOTE_STAIR_DIGITS ? (uint32_t)without << 8 | MOTE_STAIR_NONE : (uint32_t)without;
    stairs[n + without].offset = multiplier;
    stairs[n + without++].word = (uint32_t)shift;
  }
  memcpy(packed_add(out, "stairs", MOTE_UINT32, 2 * (n + without), &o->requant_at), stairs,
         (n + without) * sizeof *stairs);
  return without;
}

static bool pack_conv(const struct program *p, const struct work *w, union kernel_params *params,
                      struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const bool high = w->kernel == MOTE_KERNEL_conv2d_stairs_high_s8;
  const struct layer l = layer_of(g, n, high ? MOTE_STAIR_SUM : MOTE_STAIR_DIGITS);
  struct mote_conv2d_triples_s8 *t = &params->conv2d_stairs_s8;
  (void)e;
  t->run_values = (uint16_t)pack_stairs(&l, out, &t->conv.output);
  t->conv.weights_at =
      n->op == MOTE_OP_DEPTHWISE_CONV_2D
          ? params_pack_columns(&g->tensors[n->in[1]], (l.d.per_channel + 3) & ~(size_t)3, out)
          : params_pack_weights(&g->tensors[n->in[1]], out);
  return true;
}

/* The same with weights as words. */
static bool pack_words(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  struct packed bytes = {.arena = out->arena, .align = 4};
  struct mote_conv2d_triples_s8 *t = &params->conv2d_stairs_words_s8;
  const struct layer l = layer_of(g, n, MOTE_STAIR_DIGITS);
  const size_t window = (l.d.per_channel + 3) & ~(size_t)3, count = window * l.d.channels;
  int32_t at;
  (void)e;
  t->run_values = (uint16_t)pack_stairs(&l, out, &t->conv.output);
  at = n->op == MOTE_OP_DEPTHWISE_CONV_2D
           ? params_pack_columns(&g->tensors[n->in[1]], window, &bytes)
           : params_pack_weights(&g->tensors[n->in[1]], &bytes);
  const int8_t *from = (const int8_t *)bytes.bytes + at;
  int32_t *to = packed_add(out, "weights", MOTE_INT32, count, &t->conv.weights_at);
  for (size_t i = 0; i < count; i++) to[i] = from[i];
  return true;
}

static bool pack_depthwise(const struct program *p, const struct work *w,
                           union kernel_params *params, struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const bool high = w->kernel == MOTE_KERNEL_depthwise_stairs_high_s8;
  const struct layer l = layer_of(g, n, high ? MOTE_STAIR_NINE : MOTE_STAIR_DIGITS);
  struct mote_depthwise_conv2d_s8 *d = &params->depthwise_stairs_s8;
  if (pack_stairs(&l, out, &d->output) > 0) return err_internal(e, "a stair that was is no more");
  d->weights_at = params_pack_columns(&g->tensors[n->in[1]], l.d.per_channel, out);
  return true;
}

/* The same as one table a channel. */
static bool pack_tables(const struct program *p, const struct work *w, union kernel_params *params,
                        struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct layer l = layer_of(g, &g->nodes[w->node], MOTE_STAIR_DIGITS);
  struct mote_depthwise_conv2d_s8 *d = &params->depthwise_stairs_tables_s8;
  const size_t words = sizeof(struct mote_nine_table) / 4;
  struct mote_nine_table *t =
      packed_add(out, "tables", MOTE_INT32, words * l.d.channels, &d->weights_at);
  for (size_t c = 0; c < l.d.channels; c++, t++) {
    struct mote_stair stair;
    if (!stair_of(&l, c, &stair)) return err_internal(e, "a stair that was is no more");
    for (uint32_t i = 0; i < 9; i++) { /* the model's go row by row */
      const int32_t v = l.d.weights[c * l.per_out + (i % 3 * 3 + i / 3) * l.per_tap];
      t->weights[mote_nine_at(mote_nine_slides(d), i)] = v;
      t->outside[i / 3] += (uint32_t)(v * l.zp);
    }
    t->offset = stair.offset;
    t->word = stair.word;
    t->h = (int32_t)(stair.word >> 20);
    t->l = (int32_t)(stair.word << 12) >> 20;
  }
  return true;
}

#define WORDS                                                                                      \
  .kernel = MOTE_KERNEL_conv2d_stairs_words_s8, .cores = 1u << COMPILE_CORE_V6M, .fast = true,     \
  .widened = 1, .each_channel = true, .build = build_conv, .pack = pack_words, .packed = WEIGHTS
#define STAIRS(core, stem, make, put)                                                              \
  .kernel = MOTE_KERNEL_##stem, .cores = 1u << COMPILE_CORE_##core, .each_channel = true,          \
  .build = make, .pack = put, .packed = WEIGHTS
static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D, .takes = takes_conv, WORDS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D, .takes = takes_spread, WORDS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_depthwise_stairs_tables_s8,
     .takes = takes_depthwise,
     .cores = 1u << COMPILE_CORE_V6M,
     .fast = true,
     .widened = 8,
     .each_channel = true,
     .build = lower_depthwise,
     .pack = pack_tables,
     .packed = WEIGHTS},
    {.op = MOTE_OP_CONV_2D,
     .takes = takes_conv,
     STAIRS(V6M, conv2d_stairs_s8, build_conv, pack_conv)},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .takes = takes_spread,
     STAIRS(V6M, conv2d_stairs_s8, build_conv, pack_conv)},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .takes = takes_depthwise,
     STAIRS(V6M, depthwise_stairs_s8, lower_depthwise, pack_depthwise)},
    {.op = MOTE_OP_CONV_2D,
     .takes = takes_conv_high,
     STAIRS(RV32, conv2d_stairs_high_s8, build_conv, pack_conv)},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .takes = takes_spread_high,
     STAIRS(RV32, conv2d_stairs_high_s8, build_conv, pack_conv)},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .takes = takes_depthwise_high,
     STAIRS(RV32, depthwise_stairs_high_s8, lower_depthwise, pack_depthwise)},
};
const struct lower_family lower_stairs = {recipes, sizeof recipes / sizeof *recipes};
