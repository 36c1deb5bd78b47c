/* train/bits: which layers take weights of 4 bits so that all weights fit a budget of flash.
 *
 * Each layer that the runtime has a kernel for is tried alone; what it adds to the loss, by the byte that it saves, is its
 * price. Layers take 4 bits in the order of their prices until the budget is kept. Training then goes on with these weights. */
#include "host/train/engine.h"

/* CONV_2D and FULLY_CONNECTED; windows that pairs of pixels can share (the compiler's recipes, lower_s4.c). */
static bool can_take_four(const struct engine *g, const struct unit *u) {
  if (u->d.kind != TRAIN_CONV && u->d.kind != TRAIN_DENSE) return false;
  const bool dense = u->d.kind == TRAIN_DENSE;
  return u->d.out_c >= 2 &&
         (dense || u->d.kernel_h * u->d.kernel_w == 1 || g->values[u->in].c % 4 == 0);
}

static int64_t weights_of(const struct unit *u) { return (int64_t)u->k * u->d.out_c; }

int64_t engine_weight_bytes(const struct engine *g) {
  int64_t bytes = 0;
  for (int i = 0; i < g->n_units; i++) {
    const struct unit *u = &g->units[i];
    if (u->linear) bytes += (weights_of(u) * u->bits + 7) / 8 + 4 * u->d.out_c;
    const struct recurrent *r = recurrent_of(u->d.kind);
    if (r) bytes += r->gates * weights_of(u) + r->unit_bytes * u->d.out_c;
  }
  return bytes;
}

struct price {
  int unit;
  double by_byte;
};

static void sort_prices(struct price *prices, int n) {
  for (int i = 1; i < n; i++)
    for (int j = i; j > 0 && prices[j].by_byte < prices[j - 1].by_byte; j--) {
      const struct price swap = prices[j];
      prices[j] = prices[j - 1];
      prices[j - 1] = swap;
    }
}

bool engine_bits_fit(struct engine *g, int64_t budget, struct err *e) {
  for (int i = 0; i < g->n_units; i++)
    if (can_take_four(g, &g->units[i])) g->units[i].bits = 4;
  const int64_t least = engine_weight_bytes(g);
  for (int i = 0; i < g->n_units; i++) g->units[i].bits = 8;
  if (least <= budget) return true;
  return err_set(
      e,
      "weights and biases take %lld bytes with 4 bits wherever a kernel takes them, %lld "
      "are allowed; a smaller network or channels pruned would fit",
      (long long)least, (long long)budget);
}

void engine_choose_bits(struct engine *g, int64_t budget, double (*loss)(void *context),
                        void *context) {
  struct price prices[TRAIN_MAX_LAYERS];
  int n = 0;
  for (int i = 0; i < g->n_units; i++) g->units[i].bits = 8;
  const int64_t whole = engine_weight_bytes(g);
  if (whole <= budget) return;
  const double before = loss(context);
  for (int i = 0; i < g->n_units; i++) {
    struct unit *u = &g->units[i];
    if (!can_take_four(g, u)) continue;
    u->bits = 4;
    const double added = loss(context) - before, saved = (double)(whole - engine_weight_bytes(g));
    u->bits = 8;
    prices[n++] = (struct price){i, added / saved};
  }
  sort_prices(prices, n);
  for (int i = 0; i < n && engine_weight_bytes(g) > budget; i++) g->units[prices[i].unit].bits = 4;
}
