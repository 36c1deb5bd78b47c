/* lower_tiles: recipes of 3x3 convolutions by Winograd's F(2x2, 3x3) over triples of tiles (conv2d_tiles_s8), for the cores whose
 * only multiplication is 32 x 32: where a plan may take more flash, since 9 weights of a byte become 16 of two. */
#include "host/compile/private.h"

#define CORES   (1u << COMPILE_CORE_V6M | 1u << COMPILE_CORE_RV32)
#define WEIGHTS (1u << 1 | 1u << 2)

enum {
  REACH = 1 << 19, /* what a run's sums stay below */
  LEAST_CHANNELS =
      8, /* of input, a run and output: below, what lies around the products is more than they save */
};

/* Whether all sums of n input channels at a time keep to what three tiles hold in two words. */
static bool runs_fit(const struct graph_tensor *w, int n) {
  const int8_t *weights = w->data;
  const int in_c = w->dims[3];
  for (int o = 0; o < w->dims[0]; o++, weights += 9 * in_c)
    for (int from = 0; from < in_c; from += n) {
      int64_t most = 0, least = 0;
      for (int c = from; c < in_c && c < from + n; c++)
        for (int k = 0; k < 9; k++) {
          const int64_t v = weights[k * in_c + c];
          most += v * (v > 0 ? INT8_MAX : INT8_MIN);
          least += v * (v > 0 ? INT8_MIN : INT8_MAX);
        }
      if (most >= REACH || least < -REACH) return false;
    }
  return true;
}

/* The longest runs, of nearly equal lengths; 0: they would be too short. */
static int run_of(const struct graph_tensor *w) {
  const int quads = w->dims[3] / 4;
  for (int runs = 1, n; (n = (quads + runs - 1) / runs * 4) >= LEAST_CHANNELS; runs++)
    if (runs_fit(w, n)) return n;
  return 0;
}

static int triples_of(int64_t pixels) { return (int)((pixels + 5) / 6); }

/* Triples in the strips of a row. */
static int most_triples(enum compile_core core, int64_t out_w) {
  const int most = core == COMPILE_CORE_RV32 ? 2 : MOTE_TILES_TRIPLES, all = triples_of(out_w);
  const int strips = (all + most - 1) / most;
  return (all + strips - 1) / strips;
}

static bool takes_tiles(const struct graph *g, const struct graph_node *n) {
  if (!lower_takes_core(g, n)) return false;
  const struct graph_tensor *x = input(g, n, 0), *w = input(g, n, 1), *y = output(g, n);
  const struct graph_attrs *a = &n->attrs;
  const bool borders = has_input(n, 2) && graph_elements(input(g, n, 2)) != y->dims[3];
  if (borders || w->dims[1] != 3 || w->dims[2] != 3 || a->stride_w != 1 || a->stride_h != 1 ||
      a->dilation_w > 1 || a->dilation_h > 1)
    return false;
  if (x->dims[3] % 4 != 0 || x->dims[3] < LEAST_CHANNELS || y->dims[3] < LEAST_CHANNELS ||
      y->dims[1] % 2 != 0 || !fits16(x->dims[3]) || !fits16(y->dims[3]))
    return false;
  /* Tiles come in threes: those that are computed for nothing may be a quarter. */
  if (4 * (int64_t)y->dims[2] < 3 * 6 * triples_of(y->dims[2])) return false;
  return run_of(w) > 0;
}

/* Of a strip; counted in v6m_tiles.c, rv32_tiles.c and tiles.c. */
static int64_t strip_cost(enum compile_core core, const struct mote_conv2d_triples_s8 *t,
                          int64_t pixels) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const int64_t m = triples_of(pixels), n = p->in_c, runs = (n + t->run_values - 1) / t->run_values;
  if (core == COMPILE_CORE_RV32)
    return (p->out_c + 3) / 4 *
               (m / 2 * 16 * (42 * n + 60 * runs) + m % 2 * 16 * (24 * n + 45 * runs)) +
           p->out_c * (runs * m * 150 + pixels * 2 * 18 + 40) + n * ((2 * m + 2) * 45 + m * 110) +
           600;
  return p->out_c * (16 * (n / 4 * (10 + 19 * m) + 24 * runs) + runs * (m * 250 + 60) + 150 +
                     pixels * 2 * 33) +
         n * ((2 * m + 2) * 80 + m * 180) + 900;
}

static void set_strip(const struct work *work, struct form *f, int triples) {
  struct mote_conv2d_triples_s8 *t = &f->params.conv2d_tiles_s8;
  const int64_t out_w = t->conv.out_w, strip = 6 * triples, rest = out_w % strip;
  const enum compile_core core = work->options->core;
  t->conv.strip_w = (uint16_t)strip;
  f->instructions = f->calls * (out_w / strip * strip_cost(core, t, strip) +
                                (rest > 0 ? strip_cost(core, t, rest) : 0));
  f->state_bytes = mote_conv2d_tiles_s8_state_bytes(t);
}

struct form *lower_slimmer_tiles(const struct work *work, const struct form *from,
                                 struct arena *a) {
  const int triples = from->params.conv2d_tiles_s8.conv.strip_w / 6;
  if (triples < 2) return NULL;
  struct form *f = ARENA_NEW(a, struct form);
  *f = *from;
  set_strip(work, f, triples - 1);
  lower_count_calls(work, f);
  return f;
}

static bool build_tiles(const struct graph *g, const struct work *work, bool flat, struct form *f,
                        struct err *e) {
  const struct graph_node *n = &g->nodes[work->node];
  struct mote_conv2d_triples_s8 *t = &f->params.conv2d_tiles_s8;
  if (flat || !lower_whole_conv(g, work, false, f, e)) return false;
  t->conv.rows_out = 2;
  t->run_values = (uint16_t)run_of(input(g, n, 1));
  f->calls /= 2;
  f->rows_out = 2;
  f->reach[0].rows = 4;
  f->reach[0].advance = 2;
  f->alias[0] = f->reads_first = false;
  set_strip(work, f, most_triples(work->options->core, t->conv.out_w));
  return true;
}

/* G g G' of 9 weights, `step` apart: |component| <= 9 * 2^7. */
static void components(const int8_t *w, size_t step, int16_t to[16]) {
  int32_t down[4][3];
  for (size_t x = 0; x < 3; x++) {
    const int32_t g0 = w[x * step], g1 = w[(3 + x) * step], g2 = w[(6 + x) * step];
    down[0][x] = 2 * g0;
    down[1][x] = g0 + g1 + g2;
    down[2][x] = g0 - g1 + g2;
    down[3][x] = 2 * g2;
  }
  for (size_t v = 0; v < 4; v++) {
    const int32_t *d = down[v];
    to[4 * v] = (int16_t)(2 * d[0]);
    to[4 * v + 1] = (int16_t)(d[0] + d[1] + d[2]);
    to[4 * v + 2] = (int16_t)(d[0] - d[1] + d[2]);
    to[4 * v + 3] = (int16_t)(2 * d[2]);
  }
}

static bool pack_tiles(const struct program *p, const struct work *w, union kernel_params *params,
                       struct packed *out, struct err *e) {
  const struct graph *g = p->graph;
  const struct graph_node *n = &g->nodes[w->node];
  const struct graph_tensor *t = input(g, n, 1);
  struct mote_conv2d_triples_s8 *conv = &params->conv2d_tiles_s8;
  struct dense d = params_dense_of(g, n);
  (void)e;
  params_fold_zero_point(out->arena, input(g, n, 0)->quant.zp[0], &d);
  params_pack_requant(g, w->node, &d, out, &conv->conv.output);
  params_pack_bias(&d, out, &conv->conv.output);
  const size_t in_c = (size_t)t->dims[3], channels = (size_t)t->dims[0];
  const int8_t *weights = t->data;
  int16_t *to =
      packed_add(out, "weights", MOTE_INT16, 16 * in_c * channels, &conv->conv.weights_at);
  for (size_t o = 0; o < channels; o++, weights += 9 * in_c)
    for (size_t from = 0, some; from < in_c; from += some, to += 16 * some) {
      some = in_c - from < conv->run_values ? in_c - from : conv->run_values;
      for (size_t c = 0; c < some; c++) {
        int16_t u[16];
        components(weights + from + c, in_c, u);
        for (size_t i = 0; i < 16; i++) to[i * some + c] = u[i];
      }
    }
  return true;
}

static const struct recipe recipes[] = {
    {.op = MOTE_OP_CONV_2D,
     .kernel = MOTE_KERNEL_conv2d_tiles_s8,
     .takes = takes_tiles,
     .cores = CORES,
     .fast = true,
     .widened = 3,
     .build = build_tiles,
     .pack = pack_tiles,
     .packed = WEIGHTS},
};
const struct lower_family lower_tiles = {recipes, sizeof recipes / sizeof *recipes};
