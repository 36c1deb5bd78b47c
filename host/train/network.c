/* train/network: shapes and cost of networks. train_network_check is the one place where shapes are computed and
 * everything is proven; network_text.c reads and writes the text form. */
#include "host/train/network.h"

#include <string.h>

#define MAX_TAPS   512 /* of a depthwise kernel or pool: 512 * 255 * 127 < 2^24, exact in float32 */
#define MAX_INPUTS 32768 /* 32768 * 255 * 127 + 2^28 < 2^31 */

struct train_map train_map_of(const struct train_network *net, int layer) {
  if (layer < 0) return (struct train_map){net->in_h, net->in_w, net->in_c, false};
  const struct train_layer *l = &net->layers[layer];
  return (struct train_map){l->out_h, l->out_w, l->out_c, l->flat};
}

bool train_layer_reads(const struct train_layer *l, int i) {
  if (l->from == i) return true;
  const bool two = l->kind == TRAIN_ADD || l->kind == TRAIN_MULTIPLY || l->kind == TRAIN_CONCAT;
  if (two && l->also == i) return true;
  for (int k = 0; l->kind == TRAIN_CONCAT && k < l->n_more; k++)
    if (l->more[k] == i) return true;
  return false;
}

/* ---- windows --------------------------------------------------------------------------- */
int train_window_out(const struct train_layer *l, bool height, int in, int *before, int *after) {
  const int kernel = height ? l->kernel_h : l->kernel_w,
            stride = height ? l->stride_h : l->stride_w;
  const int dilation = height ? l->dilation_h : l->dilation_w;
  if (l->padding != TRAIN_PAD_CAUSAL || !height)
    return graph_window_out(in, kernel, stride, dilation,
                            l->padding == TRAIN_PAD_VALID ? GRAPH_PAD_VALID : GRAPH_PAD_SAME,
                            before, after);
  *before = (kernel - 1) * dilation; /* the last tap is the row itself */
  *after = 0;
  return (in - 1) / stride + 1;
}

static bool window_shape(struct train_layer *l, int h, int w, struct err *e) {
  int before, after;
  if (l->kernel_h < 1 || l->kernel_w < 1 || l->kernel_h > TRAIN_MAX_SIDE ||
      l->kernel_w > TRAIN_MAX_SIDE || l->kernel_h * l->kernel_w > MAX_TAPS)
    return err_set(e, "window %dx%d: at most %d taps", l->kernel_h, l->kernel_w, MAX_TAPS);
  if (l->stride_h < 1 || l->stride_w < 1 || l->stride_h > 255 || l->stride_w > 255)
    return err_set(e, "stride %dx%d is outside 1 to 255", l->stride_h, l->stride_w);
  if (l->dilation_h < 1 || l->dilation_w < 1 || l->dilation_h > 255 || l->dilation_w > 255)
    return err_set(e, "dilation %dx%d is outside 1 to 255", l->dilation_h, l->dilation_w);
  const bool pool = l->kind == TRAIN_AVERAGE_POOL || l->kind == TRAIN_MAX_POOL;
  if (pool && (l->dilation_h > 1 || l->dilation_w > 1 || l->padding == TRAIN_PAD_CAUSAL))
    return err_set(e, "pools have neither dilation nor causal padding");
  l->out_h = train_window_out(l, true, h, &before, &after);
  l->out_w = train_window_out(l, false, w, &before, &after);
  if (l->out_h < 1 || l->out_w < 1)
    return err_set(e, "a window of %dx%d does not fit into a map of %dx%d",
                   (l->kernel_h - 1) * l->dilation_h + 1, (l->kernel_w - 1) * l->dilation_w + 1, h,
                   w);
  return true;
}

/* ---- layers with several inputs ------------------------------------------------------------ */
static bool input_before(int input, int index, struct err *e) {
  if (input >= -1 && input < index) return true;
  return err_set(e, "reads layer %d, which is not before it", input);
}

/* The second is repeated along the axes where it has size 1. */
static bool pair_shape(const struct train_network *net, struct train_layer *l, struct err *e) {
  struct train_map a = train_map_of(net, l->from), b = train_map_of(net, l->also);
  const char *what = l->kind == TRAIN_ADD ? "adds" : "multiplies";
  if ((int64_t)a.h * a.w < (int64_t)b.h * b.w || (a.flat && !b.flat)) {
    const int swap = l->from;
    l->from = l->also;
    l->also = swap;
    const struct train_map m = a;
    a = b;
    b = m;
  }
  if (a.c != b.c || (b.h != a.h && b.h != 1) || (b.w != a.w && b.w != 1))
    return err_set(e,
                   "%s %dx%dx%d to %dx%dx%d: channels must agree, height and width agree or be 1",
                   what, b.h, b.w, b.c, a.h, a.w, a.c);
  if (l->kind == TRAIN_ADD && a.flat != b.flat && a.h * a.w == 1)
    return err_set(e, "adds a vector to a map of 1x1");
  l->flat = a.flat;
  l->out_h = a.h;
  l->out_w = a.w;
  return true;
}

/* A value whose scale is not free: the input's, a sigmoid's, and what only moves theirs. */
bool train_scale_fixed(const struct train_network *net, int i) {
  while (i >= 0) {
    const struct train_layer *l = &net->layers[i];
    switch (l->kind) {
    case TRAIN_AVERAGE_POOL:
    case TRAIN_MAX_POOL:
    case TRAIN_DROPOUT:
    case TRAIN_SEQUENCE:
    case TRAIN_LAST:
    case TRAIN_UPSAMPLE: i = l->from; break;
    case TRAIN_LSTM:
    case TRAIN_GRU: return true;
    case TRAIN_ACTIVATION: return l->activation == TRAIN_SIGMOID || l->activation == TRAIN_TANH;
    default: return false;
    }
  }
  return true;
}

static bool concat_shape(const struct train_network *net, struct train_layer *l, int index,
                         struct err *e) {
  if (l->n_more < 0 || l->n_more > TRAIN_MAX_MORE)
    return err_set(e, "concatenates %d layers; 2 to %d are possible", l->n_more + 2,
                   TRAIN_MAX_MORE + 2);
  const struct train_map a = train_map_of(net, l->from);
  int64_t c = 0;
  for (int k = -2; k < l->n_more; k++) {
    const int i = k == -2 ? l->from : k == -1 ? l->also : l->more[k];
    if (!input_before(i, index, e)) return false;
    const struct train_map b = train_map_of(net, i);
    if (a.h != b.h || a.w != b.w || a.flat != b.flat)
      return err_set(e, "concatenates channels of %dx%d%s and %dx%d%s", a.h, a.w,
                     a.flat ? " (a vector)" : "", b.h, b.w, b.flat ? " (a vector)" : "");
    if (train_scale_fixed(net, i))
      return err_set(
          e, "concatenates a value whose scale is fixed; a requantisation must stand before");
    c += b.c;
  }
  if (c > TRAIN_MAX_SIDE)
    return err_set(e, "%lld channels are outside 1 to %d", (long long)c, TRAIN_MAX_SIDE);
  l->out_c = (int)c;
  return true;
}

/* ---- shapes ---------------------------------------------------------------------------------- */
int64_t train_layer_inputs(const struct train_network *net, const struct train_layer *l) {
  const struct train_map m = train_map_of(net, l->from);
  if (l->kind == TRAIN_CONV) return (int64_t)l->kernel_h * l->kernel_w * m.c;
  if (l->kind == TRAIN_DEPTHWISE) return (int64_t)l->kernel_h * l->kernel_w;
  if (l->kind == TRAIN_DENSE) return (int64_t)m.h * m.w * m.c;
  if (l->kind == TRAIN_LSTM) return 4 * ((int64_t)m.c + l->channels);
  if (l->kind == TRAIN_GRU) return 3 * ((int64_t)m.c + l->channels);
  return 0;
}

static bool takes_vectors(enum train_kind kind) {
  return kind == TRAIN_DENSE || kind == TRAIN_DROPOUT || kind == TRAIN_ADD ||
         kind == TRAIN_MULTIPLY || kind == TRAIN_CONCAT || kind == TRAIN_ACTIVATION ||
         kind == TRAIN_REQUANTISE;
}

static bool activation_fits(const struct train_layer *l, struct err *e) {
  const bool own = l->kind == TRAIN_ACTIVATION;
  if ((unsigned)l->activation > TRAIN_TANH)
    return err_set(e, "unknown activation %d", (int)l->activation);
  if (own ? l->activation < TRAIN_HARD_SWISH : l->activation > TRAIN_RELU6)
    return err_set(e, own ? "an activation by itself is hswish, sigmoid or tanh"
                          : "hswish, sigmoid and tanh are layers of their own");
  return true;
}

static bool kind_shape(struct train_network *net, int index, struct train_map m, struct err *e) {
  struct train_layer *l = &net->layers[index];
  switch (l->kind) {
  case TRAIN_CONV: l->out_c = l->channels; return window_shape(l, m.h, m.w, e);
  case TRAIN_DEPTHWISE: l->channels = m.c; return window_shape(l, m.h, m.w, e);
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL: return window_shape(l, m.h, m.w, e);
  case TRAIN_DENSE:
    l->flat = true;
    l->out_h = l->out_w = 1;
    l->out_c = l->channels;
    return true;
  case TRAIN_MEAN:
    l->flat = true;
    l->out_h = l->out_w = 1;
    return true;
  case TRAIN_ADD:
  case TRAIN_MULTIPLY: return input_before(l->also, index, e) && pair_shape(net, l, e);
  case TRAIN_CONCAT: return concat_shape(net, l, index, e);
  case TRAIN_DROPOUT:
    if (!(l->rate >= 0.0f && l->rate <= 0.9f))
      return err_set(e, "dropout rate %g is outside 0.0 to 0.9", (double)l->rate);
    return true;
  case TRAIN_SEQUENCE:
    if ((int64_t)m.w * m.c > TRAIN_MAX_SIDE)
      return err_set(e, "a row of %dx%d has more than %d elements", m.w, m.c, TRAIN_MAX_SIDE);
    l->out_w = 1;
    l->out_c = m.w * m.c;
    return true;
  case TRAIN_LAST: l->out_h = 1; return true;
  case TRAIN_UPSAMPLE:
    if (l->kernel_h < 1 || l->kernel_w < 1 || l->kernel_h > 64 || l->kernel_w > 64 ||
        (int64_t)m.h * l->kernel_h > TRAIN_MAX_SIDE || (int64_t)m.w * l->kernel_w > TRAIN_MAX_SIDE)
      return err_set(e, "%dx%d repeated %dx%d times is outside 1 to %d", m.h, m.w, l->kernel_h,
                     l->kernel_w, TRAIN_MAX_SIDE);
    l->out_h = m.h * l->kernel_h;
    l->out_w = m.w * l->kernel_w;
    return true;
  case TRAIN_LSTM:
  case TRAIN_GRU:
    l->out_c = l->channels;
    if (m.w != 1)
      return err_set(e, "rows of %d pixels: \"sequence\" before %s makes them channels", m.w,
                     l->kind == TRAIN_GRU ? "gru" : "lstm");
    if (m.h > 65535) return err_set(e, "%d moments: at most 65535", m.h);
    if (l->channels > 512) return err_set(e, "%d units: at most 512", l->channels);
    return true;
  case TRAIN_ACTIVATION:
  case TRAIN_REQUANTISE: return true;
  default: return err_set(e, "unknown kind of layer %d", (int)l->kind);
  }
}

static bool layer_shape(struct train_network *net, int index, struct err *e) {
  struct train_layer *l = &net->layers[index];
  if (!input_before(l->from, index, e)) return false;
  const struct train_map m = train_map_of(net, l->from);
  if (m.flat && !takes_vectors(l->kind))
    return err_set(
        e, "after mean or dense there is no map any more: only dense, dropout, act, add, mul, "
           "concat and join follow");
  if (l->dilation_h == 0) l->dilation_h = 1;
  if (l->dilation_w == 0) l->dilation_w = 1;
  l->flat = m.flat;
  l->out_h = m.h;
  l->out_w = m.w;
  l->out_c = m.c;
  if (!kind_shape(net, index, m, e) || !activation_fits(l, e)) return false;
  if ((l->kind == TRAIN_CONV || l->kind == TRAIN_DENSE) && train_layer_inputs(net, l) > MAX_INPUTS)
    return err_set(
        e,
        "%lld inputs to each output: at most %d keep its integer sum within 32 bits; pool or "
        "stride before",
        (long long)train_layer_inputs(net, l), MAX_INPUTS);
  if (l->out_c < 1 || l->out_c > TRAIN_MAX_SIDE)
    return err_set(e, "%d channels are outside 1 to %d", l->out_c, TRAIN_MAX_SIDE);
  if ((int64_t)l->out_h * l->out_w * l->out_c > TRAIN_MAX_ELEMENTS)
    return err_set(e, "an output of %dx%dx%d is too large: at most %d elements", l->out_h, l->out_w,
                   l->out_c, TRAIN_MAX_ELEMENTS);
  return true;
}

/* ---- heads -------------------------------------------------------------------------------------- */
static bool head_fits(struct train_network *net, struct train_head *h, struct err *e) {
  if (h->layer < 0 || h->layer >= net->n_layers)
    return err_set(e, "a head on layer %d of %d", h->layer + 1, net->n_layers);
  const struct train_layer *l = &net->layers[h->layer];
  const int64_t elements = (int64_t)l->out_h * l->out_w * l->out_c;
  const bool sigmoid = l->kind == TRAIN_ACTIVATION && l->activation == TRAIN_SIGMOID;
  const int classes = h->kind == TRAIN_HEAD_CLASSES && !h->own ? net->classes : h->outputs;
  if (!(h->weight > 0.0f && h->weight <= 1000.0f) || !(h->huber >= 0.0f && h->huber <= 1e6f) ||
      !(h->object > 0.0f && h->object <= 1e6f))
    return err_set(e, "weight %g, huber %g, object %g: weight above 0 to 1000, the others to 1e6",
                   (double)h->weight, (double)h->huber, (double)h->object);
  for (int i = h->layer + 1; i < net->n_layers; i++)
    if (train_layer_reads(&net->layers[i], h->layer))
      return err_set(e, "layer %d reads a head", i + 1);
  switch (h->kind) {
  case TRAIN_HEAD_CLASSES:
    h->n_targets = h->own;
    if (l->flat && l->kind == TRAIN_DENSE && l->out_c == classes && classes >= 2 && classes <= 1000)
      return true;
    return err_set(e,
                   "a head for %d classes needs a dense layer with 2 to 1000 outputs, one for each",
                   classes);
  case TRAIN_HEAD_CELLS:
    h->n_targets = l->out_h * l->out_w;
    if (!l->flat && l->out_c == classes && classes >= 2 && classes <= 1000) return true;
    return err_set(e, "a head of cells needs a map with 2 to 1000 channels, one for each class");
  case TRAIN_HEAD_NUMBERS:
    h->n_targets = (int)elements;
    if (l->flat && l->out_c == h->outputs) return true;
    return err_set(e, "a head for %d numbers needs a vector of as many", h->outputs);
  case TRAIN_HEAD_MASK:
    h->n_targets = (int)elements;
    if (sigmoid && l->out_c == h->outputs) return true;
    return err_set(e, "a mask of %d needs a sigmoid with as many channels", h->outputs);
  case TRAIN_HEAD_INPUT:
    h->n_targets = 0;
    if (elements == (int64_t)net->in_h * net->in_w * net->in_c) return true;
    return err_set(e, "%dx%dx%d cannot be the input of %dx%dx%d again", l->out_h, l->out_w,
                   l->out_c, net->in_h, net->in_w, net->in_c);
  }
  return err_set(e, "unknown kind of head %d", (int)h->kind);
}

static bool is_head(const struct train_network *net, int layer) {
  for (int i = 0; i < net->n_heads; i++)
    if (net->heads[i].layer == layer) return true;
  return false;
}

/* Heads fit, and every layer leads to one. */
static bool check_heads(struct train_network *net, struct err *e) {
  if (net->n_heads < 1 || net->n_heads > TRAIN_MAX_HEADS)
    return err_set(e, "%d heads: 1 to %d are possible", net->n_heads, TRAIN_MAX_HEADS);
  for (int i = 0; i < net->n_heads; i++)
    if (!head_fits(net, &net->heads[i], e)) {
      err_node(e, "head %d", i + 1);
      return false;
    }
  for (int i = 0; i < net->n_layers; i++) {
    bool read = is_head(net, i);
    for (int j = i + 1; j < net->n_layers && !read; j++)
      read = train_layer_reads(&net->layers[j], i);
    if (!read) {
      if (net->layers[i].line > 0)
        err_node(e, "network line %d", net->layers[i].line);
      else
        err_node(e, "layer %d", i + 1);
      return err_set(e, "nothing reads %s%s",
                     net->layers[i].name[0] ? net->layers[i].name : "its output",
                     net->layers[i].name[0] ? "" : "; a name and \"from\" would");
    }
  }
  return true;
}

int train_network_targets(const struct train_network *net) {
  int n = 0;
  for (int i = 0; i < net->n_heads; i++) n += net->heads[i].n_targets;
  return n;
}

int train_head_outputs(const struct train_network *net, int head) {
  const struct train_layer *l = &net->layers[net->heads[head].layer];
  return l->out_h * l->out_w * l->out_c;
}

bool train_network_shapes(struct train_network *net, struct err *e) {
  if (net->in_h < 1 || net->in_w < 1 || net->in_c < 1 || net->in_h > TRAIN_MAX_SIDE ||
      net->in_w > TRAIN_MAX_SIDE || net->in_c > TRAIN_MAX_SIDE ||
      (int64_t)net->in_h * net->in_w * net->in_c > TRAIN_MAX_ELEMENTS)
    return err_set(e, "an input of %dx%dx%d: each side from 1 to %d, %d elements at most",
                   net->in_h, net->in_w, net->in_c, TRAIN_MAX_SIDE, TRAIN_MAX_ELEMENTS);
  if (net->n_layers < 0 || net->n_layers > TRAIN_MAX_LAYERS)
    return err_set(e, "%d layers: at most %d", net->n_layers, TRAIN_MAX_LAYERS);
  for (int i = 0; i < net->n_layers; i++)
    if (!layer_shape(net, i, e)) {
      err_node(e, "layer %d", i + 1);
      return false;
    }
  const struct train_cost cost = train_network_cost(net);
  if (cost.parameters > TRAIN_MAX_ELEMENTS)
    return err_set(e, "%lld parameters are more than a microcontroller's network has (%d at most)",
                   (long long)cost.parameters, TRAIN_MAX_ELEMENTS);
  return true;
}

bool train_network_check(struct train_network *net, struct err *e) {
  if (net->classes < 2 || net->classes > 1000) {
    bool needed = net->n_heads == 0;
    for (int i = 0; i < net->n_heads; i++)
      needed |= net->heads[i].kind == TRAIN_HEAD_CLASSES && !net->heads[i].own;
    if (needed || net->classes < 0 || net->classes > 1000)
      return err_set(e, "%d classes: a network needs 2 to 1000", net->classes);
  }
  return train_network_shapes(net, e) && check_heads(net, e);
}

/* ---- cost -------------------------------------------------------------------- */
static int64_t bytes_of(const struct train_network *net, int layer) {
  const struct train_map m = train_map_of(net, layer);
  return (int64_t)m.h * m.w * m.c;
}

/* A layer that makes nothing of its own: its output is its input's bytes. */
static bool is_view(const struct train_network *net, int i) {
  return i >= 0 && (net->layers[i].kind == TRAIN_DROPOUT || net->layers[i].kind == TRAIN_SEQUENCE);
}

/* The last layer that reads layer i; views pass their input on. */
static int last_reader(const struct train_network *net, int i) {
  int last = i;
  for (int j = i + 1; j < net->n_layers; j++)
    if (train_layer_reads(&net->layers[j], i)) {
      const int reader = is_view(net, j) ? last_reader(net, j) : j;
      last = reader > last ? reader : last;
    }
  return last;
}

struct train_cost train_network_cost(const struct train_network *net) {
  struct train_cost cost = {0};
  int last[TRAIN_MAX_LAYERS + 1];
  for (int i = -1; i < net->n_layers; i++) last[i + 1] = last_reader(net, i);
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    const int64_t inputs = train_layer_inputs(net, l);
    if (inputs > 0) {
      cost.macs += inputs * l->out_h * l->out_w * l->out_c;
      cost.parameters += (inputs + 1) * l->out_c;
      cost.weight_bytes += (inputs + 4) * l->out_c;
      /* Four biases, of 4 bytes or 2, and the zeros that its states begin with. */
      if (l->kind == TRAIN_LSTM)
        cost.parameters += 3 * l->out_c, cost.weight_bytes += 15 * l->out_c;
      if (l->kind == TRAIN_GRU) cost.parameters += 3 * l->out_c, cost.weight_bytes += 6 * l->out_c;
    }
    int64_t alive = is_view(net, i) ? 0 : bytes_of(net, i);
    for (int j = -1; j < i; j++)
      if (last[j + 1] >= i && !is_view(net, j)) alive += bytes_of(net, j);
    if (alive > cost.activation_bytes) cost.activation_bytes = alive;
  }
  return cost;
}
