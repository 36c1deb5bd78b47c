/* lut: any function of 8-bit values, from a table that the host worked out; and the logical not. */
#include "mote/nn/walk.h"

static void lut_row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_lut_8 *p = (const struct mote_lut_8 *)params;
  const uint8_t MOTE_ROM *table = (const uint8_t MOTE_ROM *)mote_at(params, p->table_at);
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  uint32_t n = p->n;
  (void)state;
  for (; n >= 4; n -= 4, in += 4, to += 4) {
    const uint8_t a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
  }
  for (; n != 0; n--) *to++ = table[*in++];
}

const struct mote_kernel mote_kernel_lut_8 = {NULL, lut_row, NULL};

size_t mote_lut_8_state_bytes(const struct mote_lut_8 *p) {
  (void)p;
  return 0;
}

enum mote_status mote_lut_8_check(const struct mote_lut_8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_constant(b, p->table_at, 256) ||
      !mote_bounds_row(b, 0, p->n, 1) || !mote_bounds_out(b, p->n, 1))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

static void not_row(const void *params, const void *const *rows, void *state, void *out) {
  const uint32_t n = ((const struct mote_not *)params)->n;
  const uint8_t *in = (const uint8_t *)rows[0];
  uint8_t *to = (uint8_t *)out;
  (void)state;
  for (uint32_t i = 0; i < n; i++) to[i] = in[i] == 0;
}

const struct mote_kernel mote_kernel_logical_not = {NULL, not_row, NULL};

size_t mote_logical_not_state_bytes(const struct mote_not *p) {
  (void)p;
  return 0;
}

enum mote_status mote_logical_not_check(const struct mote_not *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p || !mote_bounds_row(b, 0, p->n, 1) ||
      !mote_bounds_out(b, p->n, 1))
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
