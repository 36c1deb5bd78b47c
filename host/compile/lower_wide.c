/* lower_wide: the recipe of convolutions whose weights take 16 bits in flash (conv2d_wide_s8 in mote/base/window.h), for cores
 * that multiply pairs of int16, under --fast.
 *
 * A channel's weights are scaled by the shift that its sum would need, so every sum that they can make of any activations is
 * looked at, and must keep to 32 bits. */
#include "host/compile/private.h"

#include <string.h>

#define WEIGHTS (1u << 1 | 1u << 2)

/* Weights are weights[c * per_out + k * per_tap]. */
struct layer {
  const struct graph *g;
  int node;
  struct dense d;
  size_t per_out, per_tap;
  struct mote_output o;
};

static struct layer layer_of(const struct graph *g, const struct graph_node *n) {
  const bool depthwise = n->op == MOTE_OP_DEPTHWISE_CONV_2D;
  struct layer l = {.g = g, .node = (int)(n - g->nodes), .d = params_dense_of(g, n)};
  l.per_out = depthwise ? 1 : l.d.per_channel;
  l.per_tap = depthwise ? l.d.channels : 1;
  lower_set_output(g, n, &l.o);
  l.o.in_zp = (int8_t)input(g, n, 0)->quant.zp[0];
  return l;
}

static int finish_channel(const struct layer *l, size_t c, struct mote_wide_finish *to) {
  const int64_t low = INT8_MIN - l->o.in_zp, high = INT8_MAX - l->o.in_zp;
  int64_t least = l->d.bias != NULL ? l->d.bias[c] : 0, most = least;
  int32_t multiplier;
  int shift;
  for (size_t k = 0; k < l->d.per_channel; k++) {
    const int64_t w = l->d.weights[c * l->per_out + k * l->per_tap];
    most += w > 0 ? w * high : w * low;
    least += w > 0 ? w * low : w * high;
  }
  /* Sums begin with the bias, and are in between while they are made. */
  graph_output_multiplier(l->g, l->node, (int)c, &multiplier, &shift);
  return mote_pack_wide(&l->o, multiplier, shift, least, most, to);
}

/* Whether all channels can be finished in one way: the short one where it may be. */
static bool finds_way(struct layer *l) {
  struct mote_wide_finish f;
  for (int bounded = 1; bounded >= 0; bounded--) {
    size_t c = 0;
    l->o.bounded = (uint8_t)(bounded & 1);
    while (c < l->d.channels && finish_channel(l, c, &f) >= 0) c++;
    if (c == l->d.channels) return true;
  }
  return false;
}

static bool takes_conv(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n) || n->attrs.dilation_w > 1) return false;
  const bool borders =
      n->n_in > 2 && n->in[2] >= 0 && graph_elements(input(g, n, 2)) != output(g, n)->dims[3];
  if (borders || output(g, n)->dims[3] < 2) return false;
  struct layer l = layer_of(g, n);
  return finds_way(&l);
}

/* All output channels see the one channel of the input, as a CONV_2D's do. */
static bool takes_spread(const struct graph *g, const struct graph_node *n) {
  return lower_takes_core(g, n) && input(g, n, 0)->dims[3] == 1 && takes_conv(g, n);
}

/* Two channels' bias, weights and finish (struct mote_wide_finish in mote/base/window.h). */
static void pack_two(const struct layer *l, const struct mote_conv2d_s8 *p, size_t first,
                     int32_t *words) {
  const size_t row = (size_t)p->kernel_w * p->in_c, quads = mote_wide_row_quads(p),
               each = l->o.bounded ? 2 : 3;
  int16_t *weights = (int16_t *)(void *)(words + 2);
  int32_t *finish = words + 2 + 4 * p->kernel_h * quads;
  for (size_t k = 0; k < 2; k++) {
    const size_t c = first + k;
    struct mote_wide_finish f;
    const int scale = 1 << finish_channel(l, c, &f);
    words[k] = l->d.bias != NULL ? l->d.bias[c] * scale : 0;
    memcpy(finish + k * each, &f, 4 * each);
    for (size_t y = 0, tap = 0; y < p->kernel_h; y++)
      for (size_t i = 0; i < row; i++, tap++)
        weights[(y * quads + i / 4) * 8 + 4 * k + i % 2 * 2 + i / 2 % 2] =
            (int16_t)(l->d.weights[c * l->per_out + tap * l->per_tap] * scale);
  }
}

static bool pack_conv(const struct program *p, const struct work *w, union kernel_params *params,
                      struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  struct layer l = layer_of(g, &g->nodes[w->node]);
  struct mote_conv2d_s8 *conv = &params->conv2d_wide_s8;
  if (!finds_way(&l)) return err_internal(e, "a convolution that could be widened cannot any more");
  conv->output.bounded = l.o.bounded;
  const size_t each = mote_wide_words(conv), twos = (l.d.channels + 1) / 2;
  int32_t *words = packed_add(out, "weights", MOTE_INT32, twos * each, &conv->weights_at);
  for (size_t c = 0; c < twos; c++, words += each)
    pack_two(&l, conv, 2 * c + 2 > l.d.channels ? l.d.channels - 2 : 2 * c, words);
  return true;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_wide_s8,
     .takes = takes_conv,
     .cores = 1u << COMPILE_CORE_DSP,
     .fast = true,
     .widened = 1,
     .build = lower_whole_conv,
     .pack = pack_conv,
     .packed = WEIGHTS},
    {.op = MOTE_OP_DEPTHWISE_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_wide_s8,
     .takes = takes_spread,
     .cores = 1u << COMPILE_CORE_DSP,
     .fast = true,
     .widened = 1,
     .build = lower_whole_conv,
     .pack = pack_conv,
     .packed = WEIGHTS},
};
const struct lower_family lower_wide = {recipes, sizeof recipes / sizeof *recipes};
