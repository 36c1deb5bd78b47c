/* channels: removes channels that need not be computed, exactly.
 *
 * A channel (an index of a tensor's last axis) may go where it is constant for any input (ranges.c) and every
 * reader can take the constant, or where no reader looks at it:
 *
 *   CONV_2D, FULLY_CONNECTED  take a constant k as w * (k - zp) in their bias; behind padding, where the weight does
 *                             not meet the input at every output, one bias for each set of taps that
 *                             lies inside, where that takes less room than it saves
 *   DEPTHWISE, ADD, pools, MEAN, PAD, RESHAPE   have no place for a constant: their channels stand and fall with
 *                             those of their inputs, so these form one class
 *   SOFTMAX, inputs, outputs and states of the model, and whatever is not of the int8 core    keep all
 *
 * Classes are found by union and find; then what is needed spreads from the outputs to the inputs until nothing
 * changes. What is left over goes: it is never read, but for constants that biases have taken. Every tensor
 * keeps one channel at least.
 *
 * exact: biases are int32 and stay within the bound that graph_is_core has proven for the source, for a channel
 * that became constant still counts with |w| * |k - zp| in it. */
#include "host/compile/private.h"

#include <string.h>

struct removal {
  struct pass *pass;
  struct arena *arena;
  const struct graph *g;
  struct channels known;
  int *parent;     /* [known.n] classes: union and find */
  bool *needed;    /* [known.n] of the class's root */
  bool *convolved; /* [n_tensors] whether a CONV_2D reads it */
};

/* ---- classes ---------------------------------------------------------------------- */

static int root_of(const struct removal *r, int channel) {
  while (r->parent[channel] != channel) {
    r->parent[channel] = r->parent[r->parent[channel]];
    channel = r->parent[channel];
  }
  return channel;
}

static bool computed(const struct removal *r, int tensor) {
  return !graph_is_constant(&r->g->tensors[tensor]);
}

static bool is_needed(const struct removal *r, int tensor, int channel) {
  return r->needed[root_of(r, r->known.first[tensor] + channel)];
}

/* Tells whether that is new. */
static bool need(struct removal *r, int tensor, int channel) {
  bool *needed = &r->needed[root_of(r, r->known.first[tensor] + channel)];
  const bool before = *needed;
  *needed = true;
  return !before;
}

static void need_all(struct removal *r, int tensor) {
  if (!computed(r, tensor)) return;
  for (int c = 0; c < channels_of(&r->g->tensors[tensor]); c++) need(r, tensor, c);
}

static void bind(struct removal *r, int tensor, int channel, int other, int other_channel) {
  const int a = root_of(r, r->known.first[tensor] + channel),
            b = root_of(r, r->known.first[other] + other_channel);
  r->parent[a] = b;
}

static void bind_each(struct removal *r, int tensor, int other) {
  for (int c = 0; c < channels_of(&r->g->tensors[tensor]); c++) bind(r, tensor, c, other, c);
}

/* Channels that a view with so many channels cannot tell apart. Returns the number of kinds. */
static int bind_view(struct removal *r, int tensor, int view) {
  const int channels = channels_of(&r->g->tensors[tensor]);
  const int g = greatest_common_divisor(channels, view);
  for (int c = g; c < channels; c++) bind(r, tensor, c, tensor, c % g);
  return g;
}

static void bind_depthwise(struct removal *r, const struct graph_node *n) {
  const int in_c = channels_of(&r->g->tensors[n->in[0]]),
            out_c = channels_of(&r->g->tensors[n->out[0]]);
  if (in_c == 1) return; /* any number of outputs may read the one input */
  for (int o = 0; o < out_c; o++) bind(r, n->out[0], o, n->in[0], o / (out_c / in_c));
}

/* Whether both operands of an ADD are made at run time: a constant one would have to be cut, too. */
static bool is_computed_sum(const struct removal *r, const struct graph_node *n) {
  return n->op == MOTE_OP_ADD && computed(r, n->in[0]) && computed(r, n->in[1]);
}

static void bind_node(struct removal *r, const struct graph_node *n) {
  const int x = n->in[0], y = n->out[0];
  switch (n->op) {
  case MOTE_OP_FULLY_CONNECTED: bind_view(r, x, r->g->tensors[n->in[1]].dims[1]); break;
  case MOTE_OP_DEPTHWISE_CONV_2D: bind_depthwise(r, n); break;
  case MOTE_OP_AVERAGE_POOL_2D:
  case MOTE_OP_MAX_POOL_2D:
  case MOTE_OP_MEAN:
  case MOTE_OP_PAD: bind_each(r, y, x); break;
  case MOTE_OP_RESHAPE: {
    const int g = bind_view(r, x, channels_of(&r->g->tensors[y]));
    for (int c = 0; c < channels_of(&r->g->tensors[y]); c++) bind(r, y, c, x, c % g);
    break;
  }
  case MOTE_OP_ADD:
    if (!is_computed_sum(r, n)) break;
    bind_each(r, y, x);
    bind_each(r, y, n->in[1]);
    break;
  default: break;
  }
}

/* What keeps all channels of what it reads and makes. */
static bool is_rigid(const struct removal *r, const struct graph_node *n) {
  return n->op == MOTE_OP_SOFTMAX || !graph_is_core(r->g, (int)(n - r->g->nodes)) ||
         (n->op == MOTE_OP_ADD && !is_computed_sum(r, n));
}

/* Needs that stand before any other. All is bound by now: needs are kept by class. */
static void need_ends(struct removal *r) {
  const struct graph *g = r->g;
  for (int i = 0; i < g->n_inputs; i++) need_all(r, g->inputs[i]);
  for (int i = 0; i < g->n_outputs; i++) need_all(r, g->outputs[i]);
  for (int t = 0; t < g->n_tensors; t++)
    if (g->tensors[t].type != MOTE_INT8 || g->tensors[t].quant.count != 1 || g->tensors[t].is_state)
      need_all(r, t);
  for (int n = 0; n < g->n_nodes; n++) {
    if (!is_rigid(r, &g->nodes[n])) continue;
    for (int i = 0; i < g->nodes[n].n_out; i++) need_all(r, g->nodes[n].out[i]);
    for (int i = 0; i < g->nodes[n].n_in; i++)
      if (g->nodes[n].in[i] >= 0) need_all(r, g->nodes[n].in[i]);
  }
}

/* ---- what is needed ------------------------------------------------------------------ */

static bool is_constant(struct range r) { return r.low == r.high; }

/* A constant output that stays is made of bias alone (cut_bias): it reads nothing. */
static bool constant_output(const struct removal *r, const struct graph_node *n, int o) {
  return is_constant(r->known.range[r->known.first[n->out[0]] + o]);
}

/* A layer that reads all channels into each output, and how it sees them. */
struct reader {
  const struct graph_node *n;
  struct weighted w;
  struct window window;
  bool borders;        /* may have a bias for each set of taps inside */
  int view;            /* input i is channel i % view, or one that has the same fate */
  struct range *range; /* [depth] */
};

/* Whether a bias for each set of taps inside is worth it: constant inputs that are not the zero point save their
 * weights, and the sets cost a convolution's parameters and biases of two bytes each. */
static bool borders_pay(const struct reader *d) {
  const struct weighted *w = &d->w;
  const int64_t sets = (int64_t)d->window.n_rows * d->window.n_columns;
  int64_t constants = 0;
  if (sets == 1 || w->kernel_h > MOTE_BORDERS_MOST_ROWS || d->n->op != MOTE_OP_CONV_2D)
    return false;
  for (int i = 0; i < w->depth; i++)
    constants += is_constant(d->range[i]) && d->range[i].low != w->zp;
  return constants * w->kernel_h * w->kernel_w * w->out_c >
         sets * (2 * w->out_c + (int64_t)sizeof(struct mote_conv2d_s8));
}

static bool reader_of(const struct removal *r, const struct graph_node *n, struct reader *out) {
  if (n->op != MOTE_OP_CONV_2D && n->op != MOTE_OP_FULLY_CONNECTED) return false;
  const int x = n->in[0], channels = channels_of(&r->g->tensors[x]);
  out->n = n;
  weighted_of(r->g, n, &out->w);
  window_of(r->g, n, &out->w, r->arena, &out->window);
  out->view = greatest_common_divisor(channels, out->w.depth);
  out->range = ARENA_ARRAY(r->arena, struct range, out->w.depth);
  ranges_view(&r->known.range[r->known.first[x]], channels, out->w.depth, out->range);
  out->borders = borders_pay(out);
  return true;
}

/* Whether the bias can take what output o reads from input i. */
static bool takes(const struct reader *d, int o, int i) {
  const struct weighted *w = &d->w;
  const struct range x = d->range[i];
  const bool nothing = is_constant(x) && x.low == w->zp;
  for (int ky = 0; ky < w->kernel_h && !nothing; ky++)
    for (int kx = 0; kx < w->kernel_w; kx++) {
      const struct graph_span rows = d->window.every_row, columns = d->window.every_column;
      const bool always =
          ky >= rows.first && ky < rows.end && kx >= columns.first && kx < columns.end;
      const int tap = ky * w->kernel_w + kx;
      if (w->weights[o * w->per_out + tap * w->per_tap + i] != 0 &&
          !(is_constant(x) && (always || d->borders)))
        return false;
    }
  return true;
}

/* Marks the inputs that a needed output must read; tells whether any is new. */
static bool need_inputs(struct removal *r, const struct reader *d) {
  bool changed = false;
  for (int i = 0; i < d->w.depth; i++) {
    bool wanted = is_needed(r, d->n->in[0], i % d->view);
    if (wanted) continue;
    for (int o = 0; o < d->w.out_c && !wanted; o++)
      wanted = is_needed(r, d->n->out[0], o) && !constant_output(r, d->n, o) && !takes(d, o, i);
    if (wanted) changed = need(r, d->n->in[0], i % d->view) || changed;
  }
  return changed;
}

static void spread(struct removal *r, const struct reader *readers, int n_readers) {
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = n_readers - 1; i >= 0; i--) changed = need_inputs(r, &readers[i]) || changed;
  }
}

/* A tensor keeps one channel at least. A dense layer with a scale for each output keeps two: one scale alone would be
 * taken for that of the whole tensor, which the reference rounds otherwise. */
static int least_channels(const struct graph *g, int tensor) {
  const struct graph_node *n = &g->nodes[g->tensors[tensor].producer];
  const bool scales = n->op == MOTE_OP_FULLY_CONNECTED && g->tensors[n->in[1]].quant.count > 1;
  return scales ? 2 : 1;
}

static int count_needed(const struct removal *r, int tensor) {
  int count = 0;
  for (int c = 0; c < channels_of(&r->g->tensors[tensor]); c++) count += is_needed(r, tensor, c);
  return count;
}

/* Removed channels of a tensor that are constants, or that are none. */
static int count_removed(const struct removal *r, int tensor, bool constants) {
  const struct range *range = &r->known.range[r->known.first[tensor]];
  int count = 0;
  for (int c = 0; c < channels_of(&r->g->tensors[tensor]); c++)
    count += !is_needed(r, tensor, c) && is_constant(range[c]) == constants;
  return count;
}

/* Keeps `missing` more channels of a tensor: those whose values nobody would know where that makes all known,
 * else constants, which cost least. Tells whether there were any. */
static bool keep_more(struct removal *r, int tensor, int missing) {
  const struct range *range = &r->known.range[r->known.first[tensor]];
  const bool first = count_removed(r, tensor, false) > missing;
  bool changed = false;
  for (int turn = 0; turn < 2; turn++)
    for (int c = 0; c < channels_of(&r->g->tensors[tensor]) && missing > 0; c++)
      if (is_constant(range[c]) == (first == (turn == 0)) && need(r, tensor, c))
        missing--, changed = true;
  return changed;
}

/* How many channels a tensor should keep. The convolution kernel takes pixels as they lie where they have a
 * multiple of 4 channels (mote/nn), else it copies them first: a few channels more are fewer instructions. */
static int wanted_channels(const struct removal *r, int tensor) {
  const int needed = count_needed(r, tensor), least = least_channels(r->g, tensor);
  const int kept = needed < least ? least : needed, up = (kept + 3) / 4 * 4;
  return r->convolved[tensor] && up <= channels_of(&r->g->tensors[tensor]) ? up : kept;
}

/* Tells whether a tensor had less than it should. */
static bool keep_wanted(struct removal *r) {
  bool changed = false;
  for (int t = 0; t < r->g->n_tensors; t++) {
    if (!computed(r, t) || r->g->tensors[t].producer < 0) continue;
    changed = keep_more(r, t, wanted_channels(r, t) - count_needed(r, t)) || changed;
  }
  return changed;
}

static void find_needed(struct removal *r) {
  const struct graph *g = r->g;
  struct reader *readers = ARENA_ARRAY(r->arena, struct reader, g->n_nodes + 1);
  int n_readers = 0;
  for (int i = 0; i < r->known.n; i++) r->parent[i] = i;
  for (int n = 0; n < g->n_nodes; n++) {
    if (!graph_is_core(g, n)) continue;
    if (g->nodes[n].op == MOTE_OP_CONV_2D) r->convolved[g->nodes[n].in[0]] = true;
    bind_node(r, &g->nodes[n]);
    n_readers += reader_of(r, &g->nodes[n], &readers[n_readers]);
  }
  need_ends(r);
  do spread(r, readers, n_readers);
  while (keep_wanted(r));
}

/* ---- cutting ---------------------------------------------------------------------------- */

/* Indices that stay. */
struct kept {
  int n, of; /* n of so many */
  int *at;
};

static struct kept kept_of(const struct removal *r, int tensor, int view) {
  const int channels = channels_of(&r->g->tensors[tensor]);
  const int g = greatest_common_divisor(channels, view);
  struct kept k = {0, view, ARENA_ARRAY(r->arena, int, view)};
  for (int i = 0; i < view; i++)
    if (is_needed(r, tensor, i % g)) k.at[k.n++] = i;
  return k;
}

static struct kept all_of(const struct removal *r, int n) {
  struct kept k = {n, n, ARENA_ARRAY(r->arena, int, n)};
  for (int i = 0; i < n; i++) k.at[i] = i;
  return k;
}

/* What stays of one layer with weights. */
struct cut {
  int node;
  const struct graph_node *n;
  struct weighted w;
  struct kept out, in;
  int *scale_of;  /* [out.n] the output of the source whose scale it has */
  bool *constant; /* [out.n] bias alone, no weights */
};

/* The sum nearest to 0 that becomes k. false: none does. */
static bool sum_for(const struct finish *f, int16_t k, int32_t *sum) {
  const int16_t zero = finish_sum(f, 0);
  const int32_t sign = k < zero ? -1 : 1;
  /* The reach that graph_is_core grants: the left shift and the zero point stay in int32. */
  int64_t low = 0, high = (INT32_MAX - 256) >> (f->shift > 0 ? f->shift : 0);
  while (low < high) { /* the least magnitude that reaches k */
    const int64_t middle = low + (high - low) / 2;
    const int16_t q = finish_sum(f, sign * middle);
    if (sign > 0 ? q >= k : q <= k)
      high = middle;
    else
      low = middle + 1;
  }
  *sum = (int32_t)(sign * low);
  return finish_sum(f, *sum) == k;
}

/* A constant output takes the scale of one that is none, where that can give it: scales of channels that
 * training has left behind are far from the others, and would make the whole layer wide (mote_pack_requant). */
static int32_t constant_bias(const struct removal *r, struct cut *t, int i) {
  const int o = t->out.at[i];
  const int16_t k = r->known.range[r->known.first[t->n->out[0]] + o].low;
  int32_t sum = 0;
  for (int j = 0; j < t->out.n; j++) {
    if (t->constant[j]) continue;
    const struct finish f = finish_of(r->g, t->node, t->out.at[j]);
    t->scale_of[i] = t->out.at[j];
    if (sum_for(&f, k, &sum)) return sum;
  }
  const struct finish own = finish_of(r->g, t->node, o);
  t->scale_of[i] = o;
  sum_for(&own, k, &sum); /* there is one: its own sums become k */
  return sum;
}

/* What the removed inputs add to the sum of output o through the taps of these rows and columns. */
static int64_t taken_sum(const struct removal *r, const struct reader *d, int o,
                         struct graph_span rows, struct graph_span columns) {
  const struct weighted *w = &d->w;
  int64_t sum = 0;
  for (int i = 0; i < w->depth; i++) {
    if (is_needed(r, d->n->in[0], i % d->view)) continue;
    for (int ky = rows.first; ky < rows.end; ky++)
      for (int kx = columns.first; kx < columns.end; kx++) {
        const int tap = ky * w->kernel_w + kx;
        sum += w->weights[o * w->per_out + tap * w->per_tap + i] * (d->range[i].low - w->zp);
      }
  }
  return sum;
}

/* Whether the sets of taps make a difference to what the removed inputs are worth. */
static bool borders_differ(const struct removal *r, const struct reader *d, const struct cut *t) {
  for (int i = 0; i < t->out.n; i++) {
    if (t->constant[i]) continue;
    const int64_t first = taken_sum(r, d, t->out.at[i], d->window.rows[0], d->window.columns[0]);
    for (int y = 0; y < d->window.n_rows; y++)
      for (int x = 0; x < d->window.n_columns; x++)
        if (taken_sum(r, d, t->out.at[i], d->window.rows[y], d->window.columns[x]) != first)
          return true;
  }
  return false;
}

static struct graph_quant cut_quant(const struct removal *r, const struct graph_quant *q,
                                    const struct cut *t) {
  if (q->count <= 1) return *q;
  float *scale = ARENA_ARRAY(r->arena, float, t->out.n);
  int32_t *zp = ARENA_ARRAY(r->arena, int32_t, t->out.n);
  for (int i = 0; i < t->out.n; i++) {
    scale[i] = q->scale[t->scale_of[i]];
    zp[i] = q->zp[t->scale_of[i]];
  }
  return (struct graph_quant){.count = t->out.n, .axis = q->axis, .scale = scale, .zp = zp};
}

/* Biases of the outputs that stay, with what their removed inputs were worth; -1: none, as before. One for each set of
 * taps inside where that differs: [rows][columns][outputs]. */
static int cut_bias(const struct removal *r, struct graph *c, struct cut *t) {
  struct graph_tensor bias = {.name = "bias", .type = MOTE_INT32};
  struct reader d;
  const bool dense = reader_of(r, t->n, &d), borders = dense && borders_differ(r, &d, t);
  const int rows = borders ? d.window.n_rows : 1, columns = borders ? d.window.n_columns : 1;
  const int32_t *before = t->w.bias;
  int32_t *data = ARENA_ARRAY(r->arena, int32_t, (int64_t)rows * columns * t->out.n);
  bool any = before != NULL;
  for (int i = 0; i < rows * columns * t->out.n; i++) {
    const int k = i % t->out.n, o = t->out.at[k];
    /* Within int32: graph_is_core has bounded |bias| + sum of |w| * |x - zp| for all x. */
    if (t->constant[k])
      data[i] = constant_bias(r, t, k);
    else
      data[i] = (int32_t)((before != NULL ? before[o] : 0) +
                          (dense ? taken_sum(r, &d, o, d.window.rows[i / t->out.n / columns],
                                             d.window.columns[i / t->out.n % columns])
                                 : 0));
    any = any || data[i] != 0;
  }
  if (!any) return -1;
  if (before != NULL) {
    bias = r->g->tensors[t->n->in[2]];
    bias.quant = cut_quant(r, &bias.quant, t);
  }
  bias.rank = borders ? 3 : 1;
  bias.dims[0] = borders ? rows : t->out.n;
  bias.dims[1] = columns;
  bias.dims[2] = t->out.n;
  if (borders && bias.quant.count > 1) bias.quant.axis = 2;
  bias.data = data;
  return graph_add_tensor(c, &bias);
}

/* Weights of the outputs and inputs that stay, in the same layout. Returns a tensor of c. */
static int cut_weights(const struct removal *r, struct graph *c, const struct cut *t) {
  struct graph_tensor weights = r->g->tensors[t->n->in[1]];
  const struct weighted *w = &t->w;
  const int taps = w->kernel_h * w->kernel_w, outs = t->out.n, ins = t->in.n;
  const bool depthwise = w->multiplier > 0;
  int8_t *data = ARENA_ARRAY(r->arena, int8_t, (int64_t)outs * taps * ins);
  for (int o = 0; o < outs; o++)
    for (int tap = 0; tap < taps && !t->constant[o]; tap++)
      for (int i = 0; i < ins; i++) {
        const int64_t to =
            depthwise ? (int64_t)tap * outs + o : ((int64_t)o * taps + tap) * ins + i;
        data[to] = w->weights[t->out.at[o] * w->per_out + tap * w->per_tap + t->in.at[i]];
      }
  weights.dims[depthwise ? 3 : 0] = outs;
  if (!depthwise) weights.dims[weights.rank - 1] = ins;
  weights.quant = cut_quant(r, &weights.quant, t);
  weights.data = data;
  return graph_add_tensor(c, &weights);
}

static void cut_node(const struct removal *r, struct graph *c, int index) {
  const struct graph_node *n = &r->g->nodes[index];
  struct graph_node *to = &c->nodes[index];
  struct cut t = {.node = index, .n = n};
  if (!graph_is_core(r->g, index) || !weighted_of(r->g, n, &t.w)) return;
  t.out = kept_of(r, n->out[0], t.w.out_c);
  t.in = t.w.multiplier > 0 ? all_of(r, 1) : kept_of(r, n->in[0], t.w.depth);
  if (t.out.n == t.out.of && t.in.n == t.in.of) return;
  t.scale_of = ARENA_ARRAY(r->arena, int, t.out.n);
  t.constant = ARENA_ARRAY(r->arena, bool, t.out.n);
  for (int i = 0; i < t.out.n; i++) {
    t.scale_of[i] = t.out.at[i];
    t.constant[i] = constant_output(r, n, t.out.at[i]);
  }
  if (channels_of(&r->g->tensors[n->in[0]]) == 1 && t.w.multiplier > 0)
    to->attrs.depth_multiplier = t.out.n;
  to->in[2] = cut_bias(r, c, &t); /* decides scales */
  to->in[1] = cut_weights(r, c, &t);
  to->n_in = 3;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell(const struct removal *r, const struct graph_node *n, int kept) {
  const int t = n->out[0], channels = channels_of(&r->g->tensors[t]);
  struct compile_layer *layer = pass_layer(r->pass, n);
  int16_t *fill = ARENA_ARRAY(r->arena, int16_t, channels);
  int constant = 0, unread = 0;
  for (int c = 0; c < channels; c++) {
    const struct range range = r->known.range[r->known.first[t] + c];
    fill[c] = COMPILE_KEPT;
    if (is_needed(r, t, c)) continue;
    fill[c] = is_constant(range) ? range.low : COMPILE_UNREAD;
    *(is_constant(range) ? &constant : &unread) += 1;
  }
  layer->channels = channels;
  layer->kept = kept;
  layer->unread = unread;
  layer->fill = fill;
  layer->why = arena_printf(r->arena, "makes %d of %d channels", kept, channels);
  if (constant > 0)
    layer->why = arena_printf(r->arena,
                              "%s; %d have one value for any input (the ranges of int8 prove it), "
                              "which is in the biases of what reads them",
                              layer->why, constant);
  if (unread > 0)
    layer->why = arena_printf(r->arena, "%s; nothing that matters reads %d", layer->why, unread);
}

const struct graph *pass_remove_channels(struct pass *p, const struct graph *g) {
  struct removal r = {.pass = p, .arena = p->arena, .g = g};
  struct graph *c = NULL;
  if (!channels_ranges(g, p->arena, &r.known)) return g; /* far above any chip: left as it is */
  r.parent = ARENA_ARRAY(p->arena, int, r.known.n + 1);
  r.needed = ARENA_ARRAY(p->arena, bool, r.known.n + 1);
  r.convolved = ARENA_ARRAY(p->arena, bool, g->n_tensors + 1);
  find_needed(&r);
  for (int t = 0; t < g->n_tensors; t++) {
    if (!computed(&r, t) || g->tensors[t].producer < 0) continue;
    const int kept = count_needed(&r, t);
    if (kept == channels_of(&g->tensors[t])) continue;
    if (c == NULL) c = pass_copy_graph(p->arena, g);
    c->tensors[t].dims[g->tensors[t].rank - 1] = kept;
    tell(&r, &g->nodes[g->tensors[t].producer], kept);
  }
  if (c == NULL) return g;
  for (int n = 0; n < g->n_nodes; n++) cut_node(&r, c, n);
  return c;
}
