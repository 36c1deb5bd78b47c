/* fully_connected: FULLY_CONNECTED. One vector at a time; each weight is loaded once for each vector. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static inline void vectors(const void *params, const void *const *rows, void *out,
                           void (*dense)(const struct mote_fully_connected_s8 *, const int8_t *,
                                         int8_t *)) {
  const struct mote_fully_connected_s8 *p = (const struct mote_fully_connected_s8 *)params;
  const int8_t *in = (const int8_t *)rows[0];
  int8_t *to = (int8_t *)out;
  for (uint32_t v = p->vectors; v; v--, in += p->in_c, to += p->out_c) dense(p, in, to);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense);
}
static void row_few(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense_few);
}

/* Weights of 4 bits. */
static void row4(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense4);
}

static void row_lanes8(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense_lanes8);
}
static void row_lanes4(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense_lanes4);
}

static void row_pairs(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense_pairs);
}

static void row_wide(const void *params, const void *const *rows, void *state, void *out) {
  (void)state;
  vectors(params, rows, out, mote_isa_dense_wide);
}

/* 1: so few products that a short loop costs a network less than a thousandth. */
unsigned mote_fully_connected_s8_form(const struct mote_fully_connected_s8 *p) {
  return (uint64_t)p->in_c * p->out_c * p->vectors <= 1024;
}

const struct mote_kernel mote_kernel_fully_connected_s8 = {NULL, row, NULL};
const struct mote_kernel mote_kernel_fully_connected_s8__few = {NULL, row_few, NULL};
const struct mote_kernel mote_kernel_fully_connected_s4 = {NULL, row4, NULL};
const struct mote_kernel mote_kernel_fully_connected_lanes_s4 = {NULL, row_lanes4, NULL};
const struct mote_kernel mote_kernel_fully_connected_lanes_s8 = {NULL, row_lanes8, NULL};

const struct mote_kernel mote_kernel_fully_connected_pairs_s8 = {NULL, row_pairs, NULL};
const struct mote_kernel mote_kernel_fully_connected_wide_s8 = {NULL, row_wide, NULL};

size_t mote_fully_connected_pairs_s8_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}
size_t mote_fully_connected_wide_s8_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}
size_t mote_fully_connected_lanes_s8_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}
size_t mote_fully_connected_s8_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}

size_t mote_fully_connected_lanes_s4_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}
size_t mote_fully_connected_s4_state_bytes(const struct mote_fully_connected_s8 *p) {
  (void)p;
  return 0;
}

/* `blocks` of weights, each a vector's bytes. */
static enum mote_status check(const struct mote_fully_connected_s8 *p, const struct mote_bounds *b,
                              uint32_t blocks) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->vectors == 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_present(b, 0, 1) || (uint64_t)p->vectors * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->vectors * p->out_c > b->out_bytes ||
      !mote_bounds_constant(b, p->weights_at, (uint64_t)mote_up4(p->in_c) * blocks))
    return MOTE_ERR_BOUNDS;
  return mote_output_check(&p->output, p, b, p->out_c, p->in_c);
}

enum mote_status mote_fully_connected_s8_check(const struct mote_fully_connected_s8 *p,
                                               const struct mote_bounds *b) {
  return check(p, b, p->out_c);
}
enum mote_status mote_fully_connected_s4_check(const struct mote_fully_connected_s8 *p,
                                               const struct mote_bounds *b) {
  return check(p, b, (p->out_c + 1u) / 2);
}
enum mote_status mote_fully_connected_lanes_s4_check(const struct mote_fully_connected_s8 *p,
                                                     const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  return p->run == 0 || p->output.in_zp != 0 ? MOTE_ERR_PARAMS : check(p, b, (p->out_c + 1u) / 2);
}

enum mote_status mote_fully_connected_pairs_s8_check(const struct mote_fully_connected_s8 *p,
                                                     const struct mote_bounds *b) {
  const uint64_t groups = (p->out_c + (MOTE_PAIR_GROUP - 1u)) / MOTE_PAIR_GROUP,
                 words = groups + (p->out_c + 1u) / 2 * (uint64_t)p->in_c;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->output.in_zp != 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_constant(b, p->weights_at, 4 * words)) return MOTE_ERR_BOUNDS;
  return check(p, b, 0);
}

enum mote_status mote_fully_connected_wide_s8_check(const struct mote_fully_connected_s8 *p,
                                                    const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_bounds_constant(b, p->weights_at, (uint64_t)mote_up4(p->in_c) * p->out_c * 2))
    return MOTE_ERR_BOUNDS;
  return check(p, b, 0);
}

/* The words of a block of n channels. */
static uint64_t lanes_words(const struct mote_fully_connected_s8 *p, uint32_t n) {
  return 1 + (n + 1u) / 2 * (uint64_t)((p->in_c + 1u) / 2);
}

enum mote_status mote_fully_connected_lanes_s8_check(const struct mote_fully_connected_s8 *p,
                                                     const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->vectors == 0 || p->output.in_zp != 0)
    return MOTE_ERR_PARAMS;
  const uint32_t whole = p->out_c / MOTE_LANES_CHANNELS, rest = p->out_c % MOTE_LANES_CHANNELS;
  const uint64_t block = lanes_words(p, MOTE_LANES_CHANNELS);
  if (!mote_bounds_present(b, 0, 1) || (uint64_t)p->vectors * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->vectors * p->out_c > b->out_bytes ||
      !mote_bounds_constant(b, p->weights_at,
                            4 * (whole * block + (rest ? lanes_words(p, rest) : 0))))
    return MOTE_ERR_BOUNDS;
  const uint32_t *words = (const uint32_t *)mote_at(p, p->weights_at);
  for (uint32_t k = 0; k < whole + (rest != 0); k++, words += block)
    if (*words < 2 || *words % 2 != 0) return MOTE_ERR_PARAMS;
  return mote_output_check(&p->output, p, b, p->out_c, p->in_c);
}
