/* lower_s4: recipes of weights that fit 4 bits, in half the flash. That they fit is a fact about the values, so that int4
 * weights of a model and int8 ones that happen to be small are the same to every pass before this.
 *
 * Cores whose only product is of 32 bits get layouts of their own, whose lanes stay within 16 bits over runs that are
 * proven here: so many weights that no activations of int8 can do harm. Where int8 is much faster, weights of 4 bits are
 * for the plan of least flash; the host has flash enough. */
#include "host/compile/private.h"

#include <string.h>

#define WEIGHTS        (1u << 1 | 1u << 2)
#define SHORT_PRODUCTS (1u << COMPILE_CORE_V6M)
#define BYTES          (1u << COMPILE_CORE_DSP | 1u << COMPILE_CORE_AVR)
/* int8 is much faster there. */
#define ONLY_SMALL (1u << COMPILE_CORE_MVE | 1u << COMPILE_CORE_RV32)

/* A lane of 16 bits holds sums of |weight| (or weight + 8) times |activation| up to 255 * 128. */
enum { LANE = 255, LONGEST_RUN = 1024 };

/* ... and no sum that is 16 times too large leaves 32 bits: |16 (bias + K products of at most 8 * 255)| < 2^31. */
static bool takes_four_bits(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *w = input(g, n, 1), *bias = has_input(n, 2) ? input(g, n, 2) : NULL;
  const int64_t elements = graph_elements(w), channels = w->dims[0];
  const int64_t largest_sum = elements / channels * (8 * 255);
  const int8_t *values = w->data;
  if (channels < 2 || (bias != NULL && graph_elements(bias) != channels)) return false;
  for (int64_t i = 0; i < elements; i++)
    if (values[i] < -8 || values[i] > 7) return false;
  for (int64_t c = 0; bias != NULL && c < channels; c++) {
    const int64_t b = ((const int32_t *)bias->data)[c];
    if ((b < 0 ? -b : b) + largest_sum >= (int64_t)1 << 27) return false;
  }
  return largest_sum < (int64_t)1 << 27;
}

/* ... and windows that pairs of pixels can share or take as the rows lie. Those of other first layers, which have few
 * weights, would be brought into order pixel by pixel: int8 by triples takes fewer instructions. */
static bool takes_pairs(const struct graph *g, const struct graph_node *n) {
  const struct graph_tensor *w = input(g, n, 1);
  return takes_four_bits(g, n) && (w->dims[3] % 4 == 0 || w->dims[1] * w->dims[2] == 1);
}

/* ---- two channels in a byte ------------------------------------------------------------- */

/* Weights in the order of the int8 layout: blocks of a channel each. */
struct blocks {
  const int8_t *weights;
  size_t channels, block;
};
static struct blocks blocks_of(const struct graph_tensor *w, struct arena *a) {
  struct packed wide = {.arena = a};
  const int32_t at = params_pack_weights(w, &wide);
  struct blocks b = {(const int8_t *)wide.bytes + at, (size_t)w->dims[0], 0};
  b.block = (wide.size - (size_t)at) / b.channels;
  return b;
}

static int32_t pack_nibbles(const struct blocks *b, struct packed *out) {
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_INT8, (b->channels + 1) / 2 * b->block, &at);
  for (size_t c = 0; c < b->channels; c += 2) {
    const uint8_t *first = (const uint8_t *)b->weights + c * b->block;
    for (size_t i = 0; i < b->block; i++) {
      const unsigned second = c + 1 < b->channels ? first[b->block + i] & 15u : 0;
      *to++ = (uint8_t)(first[i] << 4 | second);
    }
  }
  return at;
}

static bool pack_s4(const struct program *p, const struct work *w, union kernel_params *params,
                    struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const struct dense d = params_dense_of(g, n);
  const struct blocks b = blocks_of(&g->tensors[n->in[1]], out->arena);
  struct mote_output *o = &params->conv2d_s4.output; /* the first member of both */
  (void)e;
  params_pack_requant(g, w->node, &d, out, o);
  params_pack_bias(&d, out, o);
  const int32_t at = pack_nibbles(&b, out);
  if (w->kernel == MOTE_KERNEL_conv2d_s4)
    params->conv2d_s4.weights_at = at;
  else
    params->fully_connected_s4.weights_at = at;
  return true;
}

/* ---- pairs of pixels ----------------------------------------------------------------------- */

/* Whether no channel's |weights| sum up to more than LANE over any run of so many quads. */
static bool pairs_fit(const struct blocks *b, size_t run) {
  for (size_t c = 0; c < b->channels; c++) {
    int sum = 0;
    for (size_t i = 0; i < b->block; i++) {
      const int w = b->weights[c * b->block + i];
      if (i % (4 * run) == 0) sum = 0;
      sum += w < 0 ? -w : w;
      if (sum > LANE) return false;
    }
  }
  return true;
}

static bool pack_pairs(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const struct blocks b = blocks_of(&g->tensors[n->in[1]], out->arena);
  struct mote_conv2d_pairs_s4 *conv = &params->conv2d_pairs_s4;
  struct dense d = params_dense_of(g, n);
  (void)e;
  params_fold_zero_point(out->arena, g->tensors[n->in[0]].quant.zp[0], &d);
  params_pack_requant(g, w->node, &d, out, &conv->conv.output);
  params_pack_bias(&d, out, &conv->conv.output);
  size_t run = b.block / 4 < LONGEST_RUN ? b.block / 4 : LONGEST_RUN;
  while (run > MOTE_PAIRS_RUN_S4 && !pairs_fit(&b, run)) run--;
  conv->run = (uint16_t)run;
  conv->conv.weights_at = pack_nibbles(&b, out);
  return true;
}

/* ---- two channels in the lanes of a word ------------------------------------------------------ */

/* Weights of a channel with 8 added. */
static unsigned lane_of(const struct graph_tensor *w, size_t channel, size_t i) {
  const size_t channels = (size_t)w->dims[0], n = (size_t)w->dims[1];
  if (channel >= channels || i >= n) return 0;
  return (unsigned)(((const int8_t *)w->data)[channel * n + i] + 8);
}

/* Whether no channel's lanes sum up to more than LANE over any run of so many quads. */
static bool lanes_fit(const struct graph_tensor *w, size_t run) {
  const size_t n = (size_t)w->dims[1];
  for (size_t c = 0; c < (size_t)w->dims[0]; c++) {
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
      if (i % (4 * run) == 0) sum = 0;
      sum += lane_of(w, c, i);
      if (sum > LANE) return false;
    }
  }
  return true;
}

/* Two channels in a word, two such words side by side (mote/base/window.h). */
static int32_t pack_words(const struct graph_tensor *w, struct packed *out) {
  const size_t channels = (size_t)w->dims[0], quads = ((size_t)w->dims[1] + 3) / 4;
  int32_t at;
  uint8_t *to = packed_add(out, "weights", MOTE_UINT32, (channels + 1) / 2 * quads, &at);
  for (size_t c = 0; c < channels; c += 4)
    for (size_t q = 0; q < quads; q++)
      for (size_t k = c; k < c + 4 && k < channels; k += 2, to += 4) {
        uint32_t word = 0;
        for (size_t i = 0; i < 4; i++)
          word |= lane_of(w, k, 4 * q + i) << 4 * i | lane_of(w, k + 1, 4 * q + i) << (16 + 4 * i);
        memcpy(to, &word, 4);
      }
  return at;
}

static bool pack_lanes(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const struct graph_tensor *weights = &g->tensors[n->in[1]];
  struct mote_fully_connected_s8 *dense = &params->fully_connected_lanes_s4;
  struct dense d = params_dense_of(g, n);
  (void)e;
  params_fold_zero_point(out->arena, g->tensors[n->in[0]].quant.zp[0], &d);
  params_pack_requant(g, w->node, &d, out, &dense->output);
  params_pack_bias(&d, out, &dense->output);
  size_t run = ((size_t)weights->dims[1] + 3) / 4;
  if (run > LANE) run = LANE; /* beyond that there is nothing left to win */
  while (run > MOTE_LANES_RUN_S4 && !lanes_fit(weights, run)) run--;
  dense->output.in_zp = 0;
  dense->run = (uint16_t)run;
  dense->weights_at = pack_words(weights, out);
  return true;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_pairs_s4,
     .takes = takes_pairs,
     .cores = SHORT_PRODUCTS,
     .build = lower_whole_conv,
     .pack = pack_pairs,
     .packed = WEIGHTS},
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_s4,
     .takes = takes_four_bits,
     .cores = BYTES,
     .build = lower_whole_conv,
     .pack = pack_s4,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_lanes_s4,
     .takes = takes_four_bits,
     .cores = SHORT_PRODUCTS,
     .build = lower_dense,
     .pack = pack_lanes,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_s4,
     .takes = takes_four_bits,
     .cores = BYTES,
     .build = lower_dense,
     .pack = pack_s4,
     .packed = WEIGHTS},
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_s4,
     .takes = takes_four_bits,
     .cores = ONLY_SMALL,
     .small = true,
     .build = lower_whole_conv,
     .pack = pack_s4,
     .packed = WEIGHTS},
    {.op = MOTE_OP_FULLY_CONNECTED,
     .kernel = MOTE_KERNEL_fully_connected_s4,
     .takes = takes_four_bits,
     .cores = ONLY_SMALL,
     .small = true,
     .build = lower_dense,
     .pack = pack_s4,
     .packed = WEIGHTS},
};
const struct lower_family lower_s4 = {recipes, sizeof recipes / sizeof *recipes};
