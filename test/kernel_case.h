/* One call of any kernel on blocks of exact size, for direct tests and for hostile params.
 *
 * The params with their constants, each input row and the output are blocks of their own: a sanitizer sees a byte
 * outside them, and guards around the output show it without one. */
#ifndef TEST_KERNEL_CASE_H
#define TEST_KERNEL_CASE_H

#include <stdlib.h>
#include <string.h>

#include "mote/nn/nn.h"

#define KC_GUARD 16
struct kernel_case {
  enum mote_kernel_number kernel;
  uint8_t *params;
  size_t params_bytes;
  uint8_t *in[MOTE_MAX_EDGES];
  const void *rows[MOTE_MAX_EDGES];
  uint8_t *out, *state;
  struct mote_bounds bounds;
  uint32_t seed;
};

static inline uint32_t kc_next(struct kernel_case *c) {
  c->seed = c->seed * 1664525u + 1013904223u;
  return c->seed >> 8;
}
/* low..high, both included. */
static inline int kc_range(struct kernel_case *c, int low, int high) {
  return low + (int)(kc_next(c) % (uint32_t)(high - low + 1));
}

static inline void kc_begin(struct kernel_case *c, enum mote_kernel_number kernel, uint32_t seed) {
  memset(c, 0, sizeof *c);
  c->kernel = kernel;
  c->seed = seed * 7919u + 1;
  c->bounds.n_out = 1;
}
/* The params' structure, or a constant behind it; returns its offset, a multiple of 4. */
static inline int32_t kc_params(struct kernel_case *c, const void *bytes, size_t n) {
  const size_t at = c->params_bytes;
  c->params_bytes += (n + 3) & ~(size_t)3;
  c->params = realloc(c->params, c->params_bytes);
  memset(c->params + at, 0, c->params_bytes - at);
  memcpy(c->params + at, bytes, n);
  c->bounds.params_bytes = c->params_bytes;
  return (int32_t)at;
}
/* An input row of n random bytes. */
static inline void *kc_in(struct kernel_case *c, size_t n) {
  const unsigned k = c->bounds.n_in++;
  c->in[k] = malloc(n ? n : 1);
  for (size_t i = 0; i < n; i++) c->in[k][i] = (uint8_t)kc_next(c);
  c->rows[k] = c->in[k];
  c->bounds.row_bytes[k] = n;
  c->bounds.rows[k] = 1;
  return c->in[k];
}
static inline uint8_t *kc_out(struct kernel_case *c, size_t n) {
  c->out = (uint8_t *)malloc(n + 2 * KC_GUARD) + KC_GUARD;
  memset(c->out - KC_GUARD, 0xA5, n + 2 * KC_GUARD);
  c->bounds.out_bytes = n;
  return c->out;
}
static inline enum mote_status kc_check(const struct kernel_case *c) {
  switch (c->kernel) {
#define KERNEL(stem, type)                                                                         \
  case MOTE_KERNEL_##stem: {                                                                       \
    if (c->params_bytes < sizeof(struct type)) return MOTE_ERR_BOUNDS;                             \
    return mote_##stem##_check((const struct type *)(const void *)c->params, &c->bounds);          \
  }
#include "mote/nn/kernels.def"
#undef KERNEL
  default: return MOTE_ERR_OPERATOR;
  }
}
static inline const struct mote_kernel *kc_kernel(enum mote_kernel_number number) {
  switch (number) {
#define KERNEL(stem, type)                                                                         \
  case MOTE_KERNEL_##stem:                                                                         \
    return &mote_kernel_##stem;
#include "mote/nn/kernels.def"
#undef KERNEL
  default: return NULL;
  }
}
static inline void kc_run(const struct kernel_case *c) {
  kc_kernel(c->kernel)->row(c->params, c->rows, c->state, c->out);
}
/* Nothing was written beside the output. */
static inline int kc_guarded(const struct kernel_case *c) {
  for (int i = 1; i <= KC_GUARD; i++)
    if (c->out[-i] != 0xA5 || c->out[c->bounds.out_bytes + (size_t)i - 1] != 0xA5) return 0;
  return 1;
}
/* Flips bits of the params; what the check lets pass runs within its bounds. Returns how many passed. */
static inline int kc_hostile(struct kernel_case *c, int times) {
  int passed = 0;
  uint8_t *good = malloc(c->params_bytes);
  memcpy(good, c->params, c->params_bytes);
  for (int t = 0; t < times; t++) {
    const int flips = kc_range(c, 1, 3);
    for (int i = 0; i < flips; i++)
      c->params[kc_next(c) % c->params_bytes] ^= (uint8_t)(1u << kc_range(c, 0, 7));
    if (kc_check(c) == MOTE_OK) {
      kc_run(c);
      if (!kc_guarded(c)) passed = -1000000;
      passed++;
    }
    memcpy(c->params, good, c->params_bytes);
  }
  free(good);
  return passed;
}
static inline void kc_end(struct kernel_case *c) {
  for (unsigned k = 0; k < c->bounds.n_in; k++) free(c->in[k]);
  free(c->params);
  if (c->out) free(c->out - KC_GUARD);
}

#endif
