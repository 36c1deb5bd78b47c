/* The kind "statistics": eight numbers of each channel of a frame, and the bands of its spectrum. */
#include "mote/dsp/private.h"

/* Eight numbers of one channel, in the order of MOTE_FEATURES_STATS. */
static void frame_statistics(const int16_t *samples, uint32_t n, uint32_t stride, int16_t *out) {
  const struct mote_extent e = mote_features_extent(samples, n, stride);
  uint64_t squares = 0; /* each < 2^32, n < 2^15 */
  int32_t sum = 0;      /* of what the rounded mean left over: below n */
  uint64_t steps = 0;
  uint32_t crossings = 0;
  int32_t before = *samples;
  int side = 0;
  for (uint32_t i = 0; i < n; i++, samples += stride) {
    const int32_t d = *samples - e.mean;
    const uint32_t size = (uint32_t)(d < 0 ? -d : d);
    squares += size * size;
    sum += d;
    steps += (uint32_t)(*samples > before ? *samples - before : before - *samples);
    before = *samples;
    const int now = d > 0 ? 1 : d < 0 ? -1 : side; /* a sample on the mean stays on its side */
    crossings += side != 0 && now != side;
    side = now;
  }
  /* variance = E d^2 - (E d)^2; |E d| < 1, so its square over n^2 is below one: taken from the sum. */
  const uint64_t rest = (uint64_t)((int64_t)sum * sum) / n;
  const uint32_t variance = (uint32_t)((squares - (rest < squares ? rest : squares)) / n);
  const uint32_t level = (uint32_t)(e.mean * e.mean); /* <= 2^30 */
  out[0] = (int16_t)e.mean;
  out[1] = mote_clamp_s16((int32_t)mote_sqrt_u32(variance));
  out[2] = mote_clamp_s16(
      (int32_t)mote_sqrt_u32(variance > UINT32_MAX - level ? UINT32_MAX : variance + level));
  out[3] = (int16_t)e.low;
  out[4] = (int16_t)e.high;
  out[5] = (int16_t)((e.high - e.low) / 2);
  out[6] = (int16_t)crossings;
  out[7] = mote_clamp_s16((int32_t)(steps / n)); /* <= 65535 */
}

static enum mote_status statistics_check(const struct mote_features *f) {
  const uint32_t spectrum = !f->fft_log2 ? 0 : f->coefficients ? f->coefficients : f->bands;
  if (f->cell_bytes != 2 || f->columns != f->channels * (MOTE_FEATURES_STATS + spectrum))
    return MOTE_ERR_PARAMS;
  return f->fft_log2 ? mote_features_check_windowed(f) : MOTE_OK;
}

/* A channel's bands follow its eight numbers. */
static void statistics_row(const struct mote_features *f, const int16_t *samples, void *state,
                           void *scratch, void *row) {
  const uint32_t each = (uint32_t)f->columns / f->channels;
  int16_t *out = row;
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++, out += each) {
    const int16_t *const channel = mote_features_channel(f, samples, c);
    frame_statistics(channel, f->frame, f->stride, out);
    if (f->fft_log2) mote_features_spectrum(f, channel, scratch, out + MOTE_FEATURES_STATS);
  }
}

const struct mote_features_op mote_features_statistics = {
    .kind = MOTE_FEATURES_STATISTICS,
    .check = statistics_check,
    .scratch_bytes = mote_features_spectrum_scratch,
    .row = statistics_row,
    .finish = mote_features_finish_s16,
};
