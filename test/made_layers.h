/* made_layers: what a plan makes of the source model's layers, collected by the hook, removed channels put back. */
#ifndef TEST_MADE_LAYERS_H
#define TEST_MADE_LAYERS_H

#include "host/compile/compile.h"
#include "mote/run/run.h"

#include <string.h>

struct made_layers {
  const struct compiled *c;
  uint8_t **made; /* [n_layers] as the steps make them; NULL: none does */
  unsigned rows;  /* seen in all */
};

static inline struct made_layers made_layers_new(const struct compiled *c, struct arena *a) {
  struct made_layers l = {c, ARENA_ARRAY(a, uint8_t *, c->n_layers + 1), 0};
  for (int i = 0; i < c->n_layers; i++)
    if (c->layers[i].fate == COMPILE_STEP)
      l.made[i] = ARENA_ARRAY(a, uint8_t, compile_layer_made(&c->layers[i]) + 1);
  return l;
}

/* The hook: context is a struct made_layers. */
static inline void made_layers_hook(void *context, const struct mote_plan *plan, unsigned step,
                                    unsigned first, unsigned made, const void *rows) {
  struct made_layers *l = context;
  const struct mote_step *steps = (const void *)((const uint8_t *)plan + plan->steps);
  const struct mote_tensor *t = (const void *)((const uint8_t *)plan + plan->tensors);
  const size_t row_bytes = t[steps[step].output].row_bytes;
  memcpy(l->made[steps[step].source_op] + first * row_bytes, rows, made * row_bytes);
  l->rows += made;
}

/* Whether layer i is `want`, the source's output. Channels that nothing reads are not compared: no plan has them. */
static inline bool made_layers_equal(const struct made_layers *l, int i, const void *want,
                                     struct arena *a) {
  struct compile_layer layer = l->c->layers[i];
  uint8_t *all = ARENA_ARRAY(a, uint8_t, layer.bytes + 1);
  layer.unread = 0; /* they come out as something, and are left out below */
  if (!compile_layer_expand(&layer, l->made[i], compile_layer_made(&layer), all)) return false;
  for (size_t k = 0; k < layer.bytes; k++) {
    if (layer.fill != NULL && layer.fill[k % (size_t)layer.channels] == COMPILE_UNREAD) continue;
    if (all[k] != ((const uint8_t *)want)[k]) return false;
  }
  return true;
}

#endif
