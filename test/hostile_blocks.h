/* Blocks of features whose bytes were changed: each is refused with a reason, or runs within memory of the sizes that it names
 * (which a sanitizer watches). */
#ifndef TEST_HOSTILE_BLOCKS_H
#define TEST_HOSTILE_BLOCKS_H

#include "host/features/features.h"
#include "host/kit/kit.h"

#include <stdlib.h>
#include <string.h>

/* Which bytes are changed: those of [from, from + room), as far as the block has them. */
struct hostile_place {
  size_t from, room;
};
/* The kind's own parameters for half of the trials, for the others the head that every kind has. */
static inline struct hostile_place hostile_params(const struct features_block *b, int trial) {
  const struct mote_features *const f = b->parts[trial / 3 % b->n_parts].params;
  const size_t head = (size_t)((const uint8_t *)f - (const uint8_t *)b->data);
  return (struct hostile_place){head + (trial & 8 ? (size_t)f->params_at : 0), 160};
}

static inline void hostile_run(const struct features_block *b, int trial) {
  const size_t n = (size_t)b->window_samples * (size_t)b->channels;
  if (n >= 1 << 16 || b->out_bytes >= 1 << 16) return; /* seconds, and nothing new */
  int16_t *const x = malloc(features_window_words(b) * sizeof *x);
  void *const scratch = malloc(b->scratch_bytes + 1);
  int8_t *const out = malloc(b->out_bytes);
  for (size_t i = 0; i < n; i++)
    x[i] = trial & 1 ? (int16_t)(i * 40503u) : i % 64 < 32 ? INT16_MAX : INT16_MIN;
  features_neutral_map(b, x + n);
  features_run(b, x, scratch, out);
  free(x);
  free(scratch);
  free(out);
}

/* make: the block of one of n settings. */
static inline void hostile_blocks(struct features_block (*make)(struct arena *a, int i), int n,
                                  struct hostile_place (*place)(const struct features_block *,
                                                                int trial),
                                  int trials) {
  struct rng r;
  int taken = 0, refused = 0;
  rng_seed(&r, 5);
  for (int trial = 0; trial < trials; trial++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct features_block opened;
    const struct features_block block = make(a, trial % n);
    const struct hostile_place at = place(&block, trial);
    uint8_t *const bytes = malloc(block.bytes);
    memcpy(bytes, block.data, block.bytes);
    const uint32_t hits = 1 + rng_below(&r, 3);
    for (uint32_t h = 0; h < hits; h++)
      bytes[at.from + rng_below(&r, (uint32_t)at.room) % (block.bytes - at.from)] =
          (uint8_t)rng_u32(&r);
    if (features_open(bytes, block.bytes, a, &opened, &e)) {
      taken++;
      hostile_run(&opened, trial);
    } else {
      refused++;
      assert_true(e.text[0]);
    }
    free(bytes);
    arena_free(a);
  }
  print_message("%d changed blocks were refused, %d ran within their memory\n", refused, taken);
  assert_true(refused > 500 && taken > 100);
}

#endif
