/* shape: RESHAPE that needs a copy, and PAD. */
#include <string.h>

#include "mote/nn/bounds.h"

static void copy_row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  memmove(out, rows[0], ((const struct mote_copy *)params)->bytes);
}

const struct mote_kernel mote_kernel_copy = {NULL, copy_row, NULL};

size_t mote_copy_state_bytes(const struct mote_copy *p) {
  (void)p;
  return 0;
}

enum mote_status mote_copy_check(const struct mote_copy *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_present(b, 0, 1) || p->bytes > b->row_bytes[0] ||
      p->bytes > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static void pad_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_pad_s8 *p = (const struct mote_pad_s8 *)params;
  int8_t *to = (int8_t *)out;
  (void)state;
  memset(to, p->value, p->before_bytes);
  to += p->before_bytes;
  if (rows[0])
    memmove(to, rows[0], p->row_bytes);
  else
    memset(to, p->value, p->row_bytes);
  memset(to + p->row_bytes, p->value, p->after_bytes);
}

const struct mote_kernel mote_kernel_pad_s8 = {NULL, pad_row, NULL};

size_t mote_pad_s8_state_bytes(const struct mote_pad_s8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_pad_s8_check(const struct mote_pad_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || b->rows[0] < 1 || p->row_bytes > b->row_bytes[0] ||
      (uint64_t)p->before_bytes + p->row_bytes + p->after_bytes > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  return mote_is_int8(p->value) ? MOTE_OK : MOTE_ERR_PARAMS;
}
