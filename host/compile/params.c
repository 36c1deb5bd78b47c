/* params: the constants of a step, laid out for the kernels as mote/nn/nn.h says.
 *
 * One block a step: the parameters, then requantisation, biases, weights, each padded to 4 with zeros, so
 * that a C structure with the same members has no holes. A bias that is zero everywhere is left out: adding
 * zero is exact. */
#include "host/compile/private.h"

#include <string.h>

static size_t round4(size_t n) { return (n + 3) & ~(size_t)3; }

/* Room for a part behind what is there; returns its bytes. */
static uint8_t *add_part(struct packed *out, const char *name, enum mote_type type, size_t count) {
  struct part *part = &out->parts[out->n_parts++];
  const size_t bytes = mote_type_bytes((int)type);
  part->name = name;
  part->type = type;
  part->offset = out->size;
  part->count = round4(count * bytes) / bytes;
  out->size += part->count * bytes;
  return out->bytes + part->offset;
}

/* What an accumulating operator carries, whatever its weights' order. */
struct dense {
  const int8_t *weights;
  const int32_t *bias;          /* NULL: none, or all zero */
  size_t channels, per_channel; /* weights of a channel */
};

static struct dense dense_of(const struct graph *g, const struct graph_node *n) {
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

static void pack_requant(const struct graph *g, int node, const struct dense *d, struct arena *a,
                         struct packed *out, struct mote_output *o) {
  int32_t *multiplier = ARENA_ARRAY(a, int32_t, d->channels);
  int32_t *shift = ARENA_ARRAY(a, int32_t, d->channels);
  uint32_t *words = ARENA_ARRAY(a, uint32_t, d->channels);
  for (size_t c = 0; c < d->channels; c++) {
    int s;
    graph_output_multiplier(g, node, (int)c, &multiplier[c], &s);
    shift[c] = s;
  }
  if (mote_pack_requant(multiplier, shift, d->bias, d->channels, (uint32_t)d->per_channel, words,
                        &o->shift_base)) {
    memcpy(add_part(out, "requant", MOTE_UINT32, d->channels), words, 4 * d->channels);
  } else {
    uint8_t *wide = add_part(out, "requant", MOTE_INT32, 2 * d->channels);
    o->wide = 1;
    o->shift_base = 0;
    for (size_t c = 0; c < d->channels; c++) {
      memcpy(wide + 8 * c, &multiplier[c], 4);
      memcpy(wide + 8 * c + 4, &shift[c], 4);
    }
  }
  o->requant_at = (int32_t)out->parts[out->n_parts - 1].offset;
}

static void pack_bias(const struct dense *d, struct packed *out, struct mote_output *o) {
  bool narrow = true;
  o->bias_bytes = 4;
  if (d->bias == NULL) return;
  for (size_t c = 0; c < d->channels; c++)
    narrow = narrow && d->bias[c] >= INT16_MIN && d->bias[c] <= INT16_MAX;
  o->bias_bytes = narrow ? 2 : 4;
  uint8_t *to = add_part(out, "bias", narrow ? MOTE_INT16 : MOTE_INT32, d->channels);
  for (size_t c = 0; c < d->channels; c++) {
    const int16_t half = (int16_t)d->bias[c];
    if (narrow)
      memcpy(to + 2 * c, &half, 2);
    else
      memcpy(to + 4 * c, &d->bias[c], 4);
  }
  o->bias_at = (int32_t)out->parts[out->n_parts - 1].offset;
}

/* [out_c][kh][kw][c] becomes, for each channel, kw slowest, then kh, then c, padded to 4. */
static int32_t pack_conv(const struct graph_tensor *w, struct packed *out) {
  const size_t out_c = (size_t)w->dims[0], kh = (size_t)w->dims[1], kw = (size_t)w->dims[2],
               c = (size_t)w->dims[3], block = round4(kh * kw * c);
  const uint8_t *from = w->data;
  uint8_t *to = add_part(out, "weights", MOTE_INT8, out_c * block);
  for (size_t o = 0; o < out_c; o++)
    for (size_t y = 0; y < kh; y++)
      for (size_t x = 0; x < kw; x++)
        memcpy(to + o * block + (x * kh + y) * c, from + ((o * kh + y) * kw + x) * c, c);
  return (int32_t)out->parts[out->n_parts - 1].offset;
}

/* [1][kh][kw][out_c] becomes, for each channel, kw slowest, then kh. */
static int32_t pack_depthwise(const struct graph_tensor *w, struct packed *out) {
  const size_t kh = (size_t)w->dims[1], kw = (size_t)w->dims[2], out_c = (size_t)w->dims[3];
  const uint8_t *from = w->data;
  uint8_t *to = add_part(out, "weights", MOTE_INT8, out_c * kh * kw);
  for (size_t o = 0; o < out_c; o++)
    for (size_t y = 0; y < kh; y++)
      for (size_t x = 0; x < kw; x++) to[o * kh * kw + x * kh + y] = from[(y * kw + x) * out_c + o];
  return (int32_t)out->parts[out->n_parts - 1].offset;
}

/* [out][in], each row padded to 4. */
static int32_t pack_dense(const struct graph_tensor *w, struct packed *out) {
  const size_t out_c = (size_t)w->dims[0], in_c = (size_t)w->dims[1], block = round4(in_c);
  const uint8_t *from = w->data;
  uint8_t *to = add_part(out, "weights", MOTE_INT8, out_c * block);
  for (size_t o = 0; o < out_c; o++) memcpy(to + o * block, from + o * in_c, in_c);
  return (int32_t)out->parts[out->n_parts - 1].offset;
}

static bool has_weights(enum mote_kernel_number kernel) {
  return kernel == MOTE_KERNEL_conv2d_s8 || kernel == MOTE_KERNEL_depthwise_conv2d_s8 ||
         kernel == MOTE_KERNEL_fully_connected_s8;
}

bool params_pack(const struct program *p, const struct work *w, const struct form *f,
                 struct arena *a, struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  union kernel_params params = f->params;
  memset(out, 0, sizeof *out);
  out->size = f->params_bytes;
  if (!has_weights(w->kernel)) {
    out->bytes = ARENA_ARRAY(a, uint8_t, out->size);
    memcpy(out->bytes, &params, f->params_bytes);
    return true;
  }
  const struct graph_tensor *weights = &g->tensors[n->in[1]];
  if (weights->data == NULL || weights->type != MOTE_INT8)
    return err_set(e, "weights that are not constant int8");
  const struct dense d = dense_of(g, n);
  /* Wide requantisation, wide biases, and at most three values of padding a channel. */
  out->bytes =
      ARENA_ARRAY(a, uint8_t, f->params_bytes + d.channels * (8 + 4 + 3 + d.per_channel) + 16);
  struct mote_output *o = &params.conv2d_s8.output; /* the first member of all three */
  pack_requant(g, w->node, &d, a, out, o);
  pack_bias(&d, out, o);
  if (w->kernel == MOTE_KERNEL_conv2d_s8)
    params.conv2d_s8.weights_at = pack_conv(weights, out);
  else if (w->kernel == MOTE_KERNEL_depthwise_conv2d_s8)
    params.depthwise_conv2d_s8.weights_at = pack_depthwise(weights, out);
  else
    params.fully_connected_s8.weights_at = pack_dense(weights, out);
  memcpy(out->bytes, &params, f->params_bytes);
  return true;
}
