/* The kind "flatten": what the numbers of a frame are, whatever their order.
 *
 * The state holds the averages of the last rows, for their moving mean: a count, then int32[moving][channels].
 * The scratch holds a channel as int32[frame]. */
#include "mote/dsp/flatten.h"
#include "mote/dsp/moments.h"
#include "mote/dsp/private.h"

#define FRACTION 12 /* |count| <= 2^15: numbers below 2^27 */

static const struct mote_flatten *flatten_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

uint32_t mote_flatten_values(const struct mote_flatten *p) {
  return (uint32_t)__builtin_popcount(p->values);
}

static uint32_t crossings_of(const int16_t *in, uint32_t n, uint32_t stride, int32_t level) {
  uint32_t crossings = 0;
  int before = (int32_t)*in * (1 << FRACTION) > level;
  for (uint32_t i = 1; i < n; i++) {
    const int now = (int32_t)in[i * stride] * (1 << FRACTION) > level;
    crossings += now != before;
    before = now;
  }
  return crossings;
}

/* The mean of a channel's last averages, this one among them. */
static int32_t moving_mean(const struct mote_features *f, uint32_t channel, int32_t average,
                           uint32_t *state) {
  const uint32_t most = flatten_of(f)->moving, seen = *state;
  int32_t *const ring = (int32_t *)(void *)(state + 1);
  ring[seen % most * f->channels + channel] = average;
  const uint32_t n = seen + 1 < most ? seen + 1 : most;
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += ring[i * f->channels + channel];
  return mote_mean_of(sum, n);
}

static int32_t *put_channel(const struct mote_features *f, const int16_t *in, uint32_t channel,
                            uint32_t *state, int32_t *x, int32_t *out) {
  const uint32_t values = flatten_of(f)->values, n = f->frame;
  struct mote_moments m;
  uint64_t squares = 0; /* n < 2^15, each at most 2^30 */
  int32_t low = INT16_MAX, high = INT16_MIN;
  for (uint32_t t = 0; t < n; t++) {
    const int32_t v = in[t * f->stride];
    x[t] = v * (1 << FRACTION);
    squares += (uint32_t)(v * v);
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  mote_moments(x, n, &m);
  if (values & MOTE_FLATTEN_AVERAGE) *out++ = m.mean;
  if (values & MOTE_FLATTEN_MINIMUM) *out++ = low * (1 << FRACTION);
  if (values & MOTE_FLATTEN_MAXIMUM) *out++ = high * (1 << FRACTION);
  if (values & MOTE_FLATTEN_RMS)
    *out++ = mote_scaled_fix(
        mote_scaled_sqrt(mote_scaled_div(mote_scaled_of(squares, 0), mote_scaled_of(n, 0))),
        FRACTION);
  if (values & MOTE_FLATTEN_DEVIATION) *out++ = mote_scaled_fix(m.deviation, 0);
  if (values & MOTE_FLATTEN_SKEWNESS) *out++ = m.skewness;
  if (values & MOTE_FLATTEN_KURTOSIS) *out++ = m.kurtosis;
  if (values & MOTE_FLATTEN_CROSSINGS) *out++ = (int32_t)crossings_of(in, n, f->stride, m.mean);
  if (values & MOTE_FLATTEN_ZEROS) *out++ = (int32_t)crossings_of(in, n, f->stride, 0);
  if (values & MOTE_FLATTEN_MOVING) *out++ = moving_mean(f, channel, m.mean, state);
  return out;
}

/* ---- the op ------------------------------------------------------------------------ */

static size_t flatten_scratch_bytes(const struct mote_features *f) {
  return sizeof(int32_t) * f->frame;
}

static size_t flatten_state_bytes(const struct mote_features *f) {
  const struct mote_flatten *const p = flatten_of(f);
  return p->values & MOTE_FLATTEN_MOVING ? 4 + sizeof(int32_t) * p->moving * f->channels : 4;
}

static void flatten_begin(const struct mote_features *f, void *state) {
  (void)f;
  *(uint32_t *)state = 0;
}

static void flatten_row(const struct mote_features *f, const int16_t *samples, void *state,
                        void *scratch, void *row) {
  uint32_t *const rows = state;
  int32_t *out = row;
  for (uint32_t c = 0; c < f->channels; c++)
    out = put_channel(f, mote_features_channel(f, samples, c), c, rows, scratch, out);
  /* A stream of any length: the count goes round at a multiple of `moving`, after the first lap. */
  if (++*rows == 2u * flatten_of(f)->moving) *rows = flatten_of(f)->moving;
}

enum mote_status mote_features_check_flatten(const struct mote_features *f) {
  const struct mote_flatten *const p = flatten_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p)) return MOTE_ERR_BOUNDS;
  if (f->cell_bytes != 4 || f->fft_log2 || !p->values || p->values > MOTE_FLATTEN_ALL ||
      !p->moving || p->moving > 256 || f->columns != f->channels * mote_flatten_values(p))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}

const struct mote_features_op mote_features_flatten = {
    .kind = MOTE_FEATURES_FLATTEN,
    .scratch_bytes = flatten_scratch_bytes,
    .state_bytes = flatten_state_bytes,
    .begin = flatten_begin,
    .row = flatten_row,
    .finish = mote_features_finish_s32,
};
