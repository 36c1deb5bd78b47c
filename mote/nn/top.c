/* top: the largest of each run and their places, by insertion into the list of places, which lies in the second output
 * from the start: no state. */
#include <string.h>

#include "mote/nn/walk.h"
#include "mote/nn/whole.h"

/* a > b; a NaN is the smallest. */
static int above(const uint8_t *a, const uint8_t *b, unsigned type) {
  if (type == MOTE_FLOAT32) {
    const float x = *(const float *)(const void *)a, y = *(const float *)(const void *)b;
    return x == x && (y != y || x > y);
  }
  return mote_load_int(a, type) > mote_load_int(b, type);
}

static void top_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_top *p = (const struct mote_top *)params;
  const size_t bytes = mote_type_bytes((int)p->type);
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  int32_t *place = (int32_t *)mote_written(rows[1]);
  (void)state;
  for (uint32_t o = 0; o < p->outer; o++, in += p->size * bytes, place += p->k) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->size; i++) {
      /* Behind all that are not smaller; what falls off the end is dropped. */
      uint32_t at = n;
      while (at > 0 && above(in + i * bytes, in + (size_t)place[at - 1] * bytes, p->type)) at--;
      if (at == p->k) continue;
      if (n < p->k) n++;
      for (uint32_t k = n - 1; k > at; k--) place[k] = place[k - 1];
      place[at] = (int32_t)i;
    }
    for (uint32_t k = 0; k < p->k; k++, to += bytes)
      memmove(to, in + (size_t)place[k] * bytes, bytes);
  }
}

MOTE_WHOLE_KERNEL(top, mote_top)

enum mote_status mote_top_check(const struct mote_top *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->type > MOTE_BOOL || mote_type_bytes((int)p->type) > 4 || p->k == 0 || p->k > p->size ||
      p->outer == 0)
    return MOTE_ERR_PARAMS;
  const uint32_t bytes = (uint32_t)mote_type_bytes((int)p->type);
  const uint64_t n = (uint64_t)p->outer * p->size, made = (uint64_t)p->outer * p->k;
  if (n > INT32_MAX || !mote_bounds_edges(b, 1, 2) || b->row_bytes[0] % bytes != 0 ||
      b->out_bytes % bytes != 0 || b->row_bytes[1] % 4 != 0 ||
      !mote_bounds_whole(b, 0, n * bytes) || made * bytes > b->out_bytes ||
      !mote_bounds_written(b, 1, made * 4))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
