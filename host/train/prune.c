/* train/prune: channels leave a trained network until it keeps a budget.
 *
 * Every channel of every value is a node; layers tie nodes that can only leave together: a depthwise layer its output to its
 * input, a sum both inputs, a concatenation its pieces. What is tied is a class. The network's input, heads and
 * units with a memory stay. A class is worth the length of the weights that make it, relative to those of its layer's other channels;
 * it goes in the order of worth by what it costs of the resource that is short (multiply-accumulates, bytes of weights, bytes of
 * maps). A layer keeps at least an eighth of its channels, and two.
 *
 * The smaller network begins with the folded weights that are left. Batch normalisation begins with the moments of a batch, set so
 * that it changes nothing (fit.c): fine-tuning starts from what pruning left.
 * source: structured pruning by the length of filters, Li et al. 2017; dependencies as in Fang et al. 2023. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

struct pruning {
  struct arena *arena;
  const struct engine *g;
  const float *params;
  struct train_network net; /* with the present channels */
  int *base;                /* [values] the first node of a value */
  int n_nodes;
  int *parent; /* [nodes] union-find */
  bool *fixed, *gone;
  double *worth; /* [nodes] of classes, at the root */
  int *makers;   /* [nodes] layers that a class's worth is of */
  int *left;     /* [values] channels that are left */
  double *cost;  /* [nodes] of classes, worked out anew for each */
};

static int root(const struct pruning *p, int node) {
  while (p->parent[node] != node) node = p->parent[node] = p->parent[p->parent[node]];
  return node;
}

static int node_of(const struct pruning *p, int value, int channel) {
  return p->base[value] + channel;
}

static void tie(struct pruning *p, int a, int b) {
  const int x = root(p, a), y = root(p, b);
  if (x == y) return;
  const int low = x < y ? x : y, high = x < y ? y : x;
  p->parent[high] = low;
  p->fixed[low] |= p->fixed[high];
}

/* ---- what belongs together ------------------------------------------------------------------- */
static void fix(struct pruning *p, int value) {
  for (int c = 0; c < p->g->values[value].c; c++) p->fixed[root(p, node_of(p, value, c))] = true;
}

static void tie_values(struct pruning *p, int a, int b) {
  for (int c = 0; c < p->g->values[a].c; c++) tie(p, node_of(p, a, c), node_of(p, b, c));
}

static void tie_unit(struct pruning *p, const struct unit *u) {
  const struct value *in = &p->g->values[u->in];
  int at = 0;
  switch (u->d.kind) {
  case TRAIN_CONV:
  case TRAIN_DENSE: break;
  case TRAIN_LSTM:
  case TRAIN_GRU: fix(p, u->out); break;
  case TRAIN_ADD:
  case TRAIN_MULTIPLY:
    tie_values(p, u->in, u->out);
    tie_values(p, u->also, u->out);
    break;
  case TRAIN_CONCAT:
    for (int k = 0; k < unit_inputs(u); k++)
      for (int c = 0; c < p->g->values[unit_input(u, k)].c; c++)
        tie(p, node_of(p, unit_input(u, k), c), node_of(p, u->out, at++));
    break;
  case TRAIN_SEQUENCE:
    for (int x = 0; x < in->w; x++)
      for (int c = 0; c < in->c; c++)
        tie(p, node_of(p, u->in, c), node_of(p, u->out, x * in->c + c));
    break;
  case TRAIN_DEPTHWISE:
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
  case TRAIN_MEAN:
  case TRAIN_DROPOUT:
  case TRAIN_ACTIVATION:
  case TRAIN_LAST:
  case TRAIN_UPSAMPLE:
  case TRAIN_REQUANTISE: tie_values(p, u->in, u->out); break;
  }
}

/* Length of a channel's weights over the mean length in its layer. */
static void add_worth(struct pruning *p, const struct unit *u) {
  double *length = ARENA_ARRAY(p->arena, double, u->d.out_c), mean = 0;
  for (int c = 0; c < u->d.out_c; c++) {
    for (int k = 0; k < u->k; k++) {
      const double w = (double)p->params[u->w_at + (size_t)k * (size_t)u->np + (size_t)c];
      length[c] += w * w;
    }
    length[c] = sqrt(length[c]);
    mean += length[c] / u->d.out_c;
  }
  for (int c = 0; c < u->d.out_c && mean > 0; c++) {
    const int r = root(p, node_of(p, u->out, c));
    p->worth[r] += length[c] / mean;
    p->makers[r]++;
  }
}

static void set_up(struct pruning *p, struct arena *a, const struct engine *g,
                   const float *params) {
  p->arena = a;
  p->g = g;
  p->params = params;
  p->net = g->net;
  p->base = ARENA_ARRAY(a, int, g->n_values + 1);
  p->left = ARENA_ARRAY(a, int, g->n_values);
  for (int i = 0; i < g->n_values; i++) {
    p->base[i + 1] = p->base[i] + g->values[i].c;
    p->left[i] = g->values[i].c;
  }
  p->n_nodes = p->base[g->n_values];
  p->parent = ARENA_ARRAY(a, int, p->n_nodes);
  p->makers = ARENA_ARRAY(a, int, p->n_nodes);
  p->fixed = ARENA_ARRAY(a, bool, p->n_nodes);
  p->gone = ARENA_ARRAY(a, bool, p->n_nodes);
  p->worth = ARENA_ARRAY(a, double, p->n_nodes);
  p->cost = ARENA_ARRAY(a, double, p->n_nodes);
  for (int i = 0; i < p->n_nodes; i++) p->parent[i] = i;
  for (int i = 0; i < g->n_units; i++) tie_unit(p, &g->units[i]);
  fix(p, 0);
  for (int i = 0; i < g->net.n_heads; i++) fix(p, g->net.heads[i].layer + 1);
  for (int i = 0; i < g->n_units; i++)
    if (g->units[i].linear) add_worth(p, &g->units[i]);
  for (int i = 0; i < p->n_nodes; i++)
    if (p->makers[i] > 0) p->worth[i] /= p->makers[i];
}

/* ---- what a class costs ------------------------------------------------------------------------ */
enum resource { MACS, FLASH, RAM };

/* Present rows of a unit's weights. */
static double rows_of(const struct pruning *p, const struct unit *u) {
  const double taps = (double)u->d.kernel_h * u->d.kernel_w;
  return u->d.kind == TRAIN_DEPTHWISE ? taps : taps * p->left[u->in];
}

/* What one channel of value `v` costs: as an output, and as an input of its readers. */
static double channel_cost(const struct pruning *p, int v, enum resource resource) {
  const struct engine *g = p->g;
  const struct value *x = &g->values[v];
  if (resource == RAM) return (double)x->h * x->w;
  double cost = 0;
  if (v > 0 && g->units[v - 1].linear) {
    const struct unit *u = &g->units[v - 1];
    cost += resource == MACS ? rows_of(p, u) * u->pixels : rows_of(p, u) + 4;
  }
  for (int i = v; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (!u->linear || u->d.kind == TRAIN_DEPTHWISE || u->in != v) continue;
    const double rows = (double)u->d.kernel_h * u->d.kernel_w * p->left[u->out];
    cost += resource == MACS ? rows * u->pixels : rows;
  }
  return cost;
}

/* Whether a layer would be left with too few channels. */
static bool would_starve(const struct pruning *p, int class) {
  for (int v = 0; v < p->g->n_values; v++) {
    int goes = 0;
    const int c = p->g->values[v].c, least = c / 8 > 2 ? c / 8 : 2;
    for (int k = 0; k < c; k++) goes += root(p, node_of(p, v, k)) == class;
    if (goes > 0 && p->left[v] - goes < least) return true;
  }
  return false;
}

/* The class that is worth least by what it costs; -1: none may go. */
static int cheapest(struct pruning *p, enum resource resource) {
  double best = INFINITY;
  int chosen = -1;
  memset(p->cost, 0, (size_t)p->n_nodes * sizeof *p->cost);
  for (int v = 0; v < p->g->n_values; v++) {
    const double one = channel_cost(p, v, resource);
    for (int c = 0; c < p->g->values[v].c; c++) p->cost[root(p, node_of(p, v, c))] += one;
  }
  for (int i = 0; i < p->n_nodes; i++) {
    if (root(p, i) != i || p->fixed[i] || p->gone[i] || p->cost[i] <= 0) continue;
    const double price = p->worth[i] / p->cost[i];
    if (price < best && !would_starve(p, i)) {
      best = price;
      chosen = i;
    }
  }
  return chosen;
}

static void remove_class(struct pruning *p, int class) {
  p->gone[class] = true;
  for (int v = 0; v < p->g->n_values; v++)
    for (int c = 0; c < p->g->values[v].c; c++) p->left[v] -= root(p, node_of(p, v, c)) == class;
  for (int i = 0; i < p->net.n_layers; i++) {
    struct train_layer *l = &p->net.layers[i];
    l->out_c = p->left[i + 1];
    if (l->kind == TRAIN_CONV || l->kind == TRAIN_DENSE || l->kind == TRAIN_DEPTHWISE)
      l->channels = l->out_c;
  }
}

/* ---- the smaller network ------------------------------------------------------------------------- */
static bool is_kept(const struct pruning *p, int value, int channel) {
  return !p->gone[root(p, node_of(p, value, channel))];
}

/* Columns of row k of a unit's weights, and of the biases behind them, as they are kept: a memory's with padding. */
static int kept_columns(const struct unit *u, int k) {
  const struct recurrent *r = recurrent_of(u->d.kind);
  return !r ? u->d.out_c : (k < u->k ? r->gates : r->biases) * u->np;
}

size_t engine_kept_weights(const struct unit *u) {
  return (size_t)u->k * (size_t)kept_columns(u, 0) + (size_t)kept_columns(u, u->k);
}

/* Weights [rows][channels] of what is left, then biases. */
static float *weights_left(const struct pruning *p, const struct unit *u) {
  const struct value *in = &p->g->values[u->in];
  const struct recurrent *r = recurrent_of(u->d.kind);
  const bool depthwise = u->d.kind == TRAIN_DEPTHWISE;
  const size_t row = (size_t)(r ? r->gates : 1) * (size_t)u->np;
  float *to = ARENA_ARRAY(p->arena, float, engine_kept_weights(u)), *first = to;
  for (int k = 0; k <= u->k; k++) {
    if (k < u->k && !depthwise && (!r || k < in->c) && !is_kept(p, u->in, k % in->c)) continue;
    const float *from = p->params + (k < u->k ? u->w_at + (size_t)k * row : u->b_at);
    for (int c = 0; c < kept_columns(u, k); c++)
      if (r || is_kept(p, u->out, c)) *to++ = from[c];
  }
  return first;
}

bool engine_prune(const struct engine *g, const float *params, const struct train_budget *budget,
                  struct arena *a, struct train_start *start, struct err *e) {
  struct pruning *p = ARENA_NEW(a, struct pruning);
  set_up(p, a, g, params);
  for (;;) {
    const struct train_cost cost = train_network_cost(&p->net);
    const struct {
      enum resource resource;
      const char *name;
      int64_t have, most;
    } limits[] = {{MACS, "multiply-accumulates", cost.macs, budget->macs},
                  {FLASH, "bytes of weights", cost.weight_bytes, budget->flash_bytes},
                  {RAM, "bytes of activations", cost.activation_bytes, budget->ram_bytes}};
    int over = 0;
    while (over < 3 && (limits[over].most == 0 || limits[over].have <= limits[over].most)) over++;
    if (over == 3) break;
    const int class = cheapest(p, limits[over].resource);
    if (class < 0)
      return err_set(
          e,
          "with an eighth of the channels of each layer the network still has %lld %s, %lld are "
          "allowed",
          (long long)limits[over].have, limits[over].name, (long long)limits[over].most);
    remove_class(p, class);
    start->removed++;
  }
  start->net = p->net;
  for (int i = 0; i < g->n_units; i++)
    if (g->units[i].linear || recurrent_of(g->units[i].d.kind))
      start->weights[i] = weights_left(p, &g->units[i]);
  return train_network_check(&start->net, e);
}

/* ---- beginning with weights ---------------------------------------------------------------------- */
static void put_weights(const struct engine *g, const struct unit *u, const float *from,
                        float *params) {
  const struct recurrent *r = recurrent_of(u->d.kind);
  const size_t row = (size_t)(r ? r->gates : 1) * (size_t)u->np;
  (void)g;
  for (int k = 0; k <= u->k; k++)
    for (int c = 0; c < kept_columns(u, k); c++)
      params[(k < u->k ? u->w_at + (size_t)k * row : u->b_at) + (size_t)c] = *from++;
}

void engine_start(struct engine *g, int count, const struct train_start *start, float *params,
                  float *running) {
  for (int i = 0; i < g->n_units; i++)
    if (start->weights[i]) put_weights(g, &g->units[i], start->weights[i], params);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (!u->batch_norm) continue;
    engine_forward(g, count,
                   ENGINE_TRAIN); /* the moments of this layer, those before it being set */
    for (int c = 0; c < u->d.out_c; c++) {
      const float spread = 1.0f / u->inverse[c]; /* gamma / spread = 1, beta - mean = the bias */
      params[u->g_at + (size_t)c] = spread;
      params[u->b_at + (size_t)c] += u->mean[c];
    }
  }
  engine_forward(g, count, ENGINE_TRAIN);
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    for (int c = 0; u->batch_norm && c < u->np; c++) {
      running[u->run_at + (size_t)c] = u->mean[c];
      running[u->run_at + (size_t)(u->np + c)] = 1.0f / (u->inverse[c] * u->inverse[c]);
    }
  }
}
