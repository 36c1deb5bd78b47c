/* output: how the output of accumulating operators is packed and checked. */
#include "mote/nn/bounds.h"

/* Packed layers keep every sum below 2^30, so that doubling it in a register loses nothing, and every shift
 * in 1..22 to the right, so that the zero point fits beside the rounding (mote/isa/isa.h). */
#define SUM_LIMIT   ((int64_t)1 << 30)
#define SHIFT_LEAST (-22)

/* Largest |sum| without bias: one product is at most 128 * 255. */
static int64_t largest_sum(uint64_t k) { return (int64_t)k * (128 * 255); }

int mote_pack_requant(const int32_t *multiplier, const int32_t *shift, const int32_t *bias,
                      size_t n, uint32_t k, uint32_t *words, int8_t *shift_base) {
  int32_t base = INT32_MIN;
  for (size_t c = 0; c < n; c++) base = shift[c] > base ? shift[c] : base;
  if (n == 0 || base > -1) return 0;
  for (size_t c = 0; c < n; c++) {
    const int64_t b = bias ? bias[c] : 0;
    if (multiplier[c] < (int32_t)1 << 30 || shift[c] < SHIFT_LEAST || base - shift[c] > 3) return 0;
    if ((b < 0 ? -b : b) + largest_sum(k) >= SUM_LIMIT) return 0;
    words[c] = (uint32_t)multiplier[c] << 2 | (uint32_t)(base - shift[c]);
  }
  *shift_base = (int8_t)base;
  return 1;
}

/* One channel of mote_is_bounded. largest_sum(k) < 2^63: k is a count of weights. */
static int is_bounded(int32_t shift, int64_t bias, uint64_t k, int wide) {
  const int is_short = shift >= -11 && shift <= -1;
  const int64_t most = (bias < 0 ? -bias : bias) + largest_sum(k);
  if (k > UINT32_MAX || (!wide && !is_short)) return 0;
  return most < (is_short ? (int64_t)1 << (18 - shift < 30 ? 18 - shift : 30) : SUM_LIMIT);
}

int mote_is_bounded(const int32_t *shift, const int32_t *bias, size_t n, uint32_t k, int wide) {
  for (size_t c = 0; c < n; c++)
    if (!is_bounded(shift[c], bias ? bias[c] : 0, k, wide)) return 0;
  return 1;
}

/* The bias and shift of channel c, where they lie. */
static int64_t bias_of(const struct mote_output *o, const void *params, uint32_t c) {
  if (o->bias_at == 0) return 0;
  return o->bias_bytes == 2 ? ((const int16_t MOTE_ROM *)mote_at(params, o->bias_at))[c]
                            : ((const int32_t MOTE_ROM *)mote_at(params, o->bias_at))[c];
}
static int32_t shift_of(const struct mote_output *o, const void *params, uint32_t c) {
  const uint32_t MOTE_ROM *words = (const uint32_t MOTE_ROM *)mote_at(params, o->requant_at);
  return o->wide ? (int32_t)words[2 * c + 1] : o->shift_base - (int32_t)(words[c] & 3);
}

static int check_bounded(const struct mote_output *o, const void *params, uint32_t n, uint64_t k) {
  for (uint32_t c = 0; c < n; c++)
    if (!is_bounded(shift_of(o, params, c), bias_of(o, params, c), k, o->wide)) return 0;
  return 1;
}

static int check_wide(const struct mote_output *o, const void *params, uint32_t n) {
  const int32_t MOTE_ROM *words = (const int32_t MOTE_ROM *)mote_at(params, o->requant_at);
  for (uint32_t c = 0; c < n; c++)
    if (words[2 * c] < 0 || words[2 * c + 1] < -31 || words[2 * c + 1] > 30) return 0;
  return 1;
}

static int check_packed(const struct mote_output *o, const void *params, uint32_t n, uint64_t k) {
  const uint32_t MOTE_ROM *words = (const uint32_t MOTE_ROM *)mote_at(params, o->requant_at);
  if (o->shift_base > -1) return 0;
  for (uint32_t c = 0; c < n; c++) {
    if (o->shift_base - (int)(words[c] & 3) < SHIFT_LEAST) return 0;
    const int64_t bias = bias_of(o, params, c);
    if ((bias < 0 ? -bias : bias) + largest_sum(k) >= SUM_LIMIT) return 0;
  }
  return 1;
}

enum mote_status mote_output_check(const struct mote_output *o, const void *params,
                                   const struct mote_bounds *b, uint32_t n, uint64_t k) {
  if (o->low > o->high || o->folded > 1 || (o->folded && o->wide) || n == 0 || k == 0 ||
      k > b->params_bytes)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_constant(b, o->requant_at, (uint64_t)n * (o->wide || o->folded ? 8 : 4)))
    return MOTE_ERR_BOUNDS;
  if (o->bias_at) {
    if (o->bias_bytes != 2 && o->bias_bytes != 4) return MOTE_ERR_PARAMS;
    if (!mote_bounds_constant(b, o->bias_at, (uint64_t)n * o->bias_bytes)) return MOTE_ERR_BOUNDS;
  }
  const int good = o->wide ? check_wide(o, params, n) : check_packed(o, params, n, k);
  if (!good || (o->bounded && !check_bounded(o, params, n, k))) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
