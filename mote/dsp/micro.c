/* The kind "micro": the audio front end of TensorFlow Lite Micro: window, Fourier transform of int16, mel bands, square
 * root, noise followed and taken off, amplitude normalised channel by channel (PCAN), logarithm.
 *
 * exact: the bits of the reference's signal operators, one behind the other (mote/base/signal.h).
 * A stream carries the noise on from window to window; mote_features_run begins each window without any. */
#include "mote/dsp/micro.h"
#include "mote/dsp/private.h"

#define LONGEST 4096 /* of a transform: an energy's sums stay below 2^64 by far */

static const struct mote_micro *micro_of(const struct mote_features *f) {
  return (const struct mote_micro *)mote_at(f, f->params_at);
}

static size_t micro_state_bytes(const struct mote_features *f) {
  return micro_of(f)->flags & MOTE_MICRO_NOISE ? sizeof(uint32_t) * f->columns : 0;
}

static void micro_begin(const struct mote_features *f, void *state) {
  uint32_t *const noise = state;
  for (size_t i = 0; i < micro_state_bytes(f) / sizeof *noise; i++) noise[i] = 0;
}

static size_t spectrum_bytes(const struct mote_features *f) {
  return sizeof(int16_t) * (micro_of(f)->fft.length + 2u);
}

/* Spectrum, then windowed samples. */
static size_t micro_scratch_bytes(const struct mote_features *f) {
  return (spectrum_bytes(f) + sizeof(int16_t) * f->frame + 3) & ~(size_t)3;
}

static void window(const struct mote_features *f, const int16_t *in, int16_t *x) {
  const int16_t *const w = (const int16_t *)mote_at(micro_of(f), micro_of(f)->window_at);
  for (uint32_t t = 0; t < f->frame; t++, in += f->stride)
    x[t] = mote_clamp_s16((int32_t)*in * w[t] >> 12);
}

static int32_t level_of(const struct mote_micro *p, uint64_t sum, unsigned bits, unsigned odd,
                        uint32_t *noise) {
  uint32_t x = mote_signal_root(sum) >> bits;
  if (p->flags & MOTE_MICRO_NOISE) x = mote_signal_subtract(&p->noise, odd, x, noise);
  if (p->flags & MOTE_MICRO_GAIN)
    x = mote_signal_pcan(x, *noise, (const int16_t *)mote_at(p, p->gain_at), p->snr_shift);
  return mote_signal_log(x << p->correction_bits, p->output_scale);
}

/* Each bin is shared between two bands: a band is the upper share of one segment and the lower share of the next.
 * A sum is below 2^31 * 2^12 * 2^11 bins. */
static void levels_of(const struct mote_micro *p, const int16_t *spectrum, unsigned bits,
                      uint32_t *noise, int32_t *out) {
  const uint16_t *const segment = (const uint16_t *)mote_at(p, p->segment_at);
  const uint16_t *weight = (const uint16_t *)mote_at(p, p->weight_at);
  const unsigned step = p->flags & MOTE_MICRO_NOISE;
  uint64_t sum = 0;
  for (uint32_t b = 0; b <= p->bands; b++) {
    uint64_t below = 0, above = 0;
    for (uint32_t k = segment[b]; k < segment[b + 1]; k++, weight++) {
      const int32_t re = spectrum[2 * k], im = spectrum[2 * k + 1];
      const uint32_t energy = (uint32_t)(re * re) + (uint32_t)(im * im);
      const uint32_t share = *weight & ~MOTE_MICRO_WHOLE;
      below += (uint64_t)energy * share;
      above += (uint64_t)energy * (4095u + (*weight >> 15) - share);
    }
    if (b > 0) {
      *out++ = level_of(p, sum + below, bits, (b - 1) & 1, noise);
      noise += step;
    }
    sum = above;
  }
}

static void micro_row(const struct mote_features *f, const int16_t *samples, void *state,
                      void *scratch, void *row) {
  const struct mote_micro *const p = micro_of(f);
  int16_t *const spectrum = scratch, *const x = spectrum + p->fft.length + 2;
  for (uint32_t c = 0; c < f->channels; c++) {
    window(f, mote_features_channel(f, samples, c), x);
    const unsigned bits = mote_signal_spare_bits(x, f->frame);
    for (uint32_t t = 0; t < f->frame; t++)
      x[t] = (int16_t)(uint16_t)((uint32_t)(int32_t)x[t] << bits);
    mote_fft_s16(&p->fft, x, spectrum);
    levels_of(p, spectrum, bits, (uint32_t *)state + c * p->bands, (int32_t *)row + c * p->bands);
  }
}

/* A table of n bytes at `at` behind the parameters. */
static int fits(const struct mote_features *f, int32_t at, size_t n) {
  return at >= (int32_t)sizeof(struct mote_micro) && at < ((int32_t)1 << 24) &&
         mote_features_table_fits(f, f->params_at + at, n);
}

static int fft_fits(const struct mote_features *f, const struct mote_micro *p) {
  const struct mote_fft *const t = &p->fft;
  return mote_fft_is_good(t) && !t->inverse && t->vectors == 1 && t->length <= LONGEST &&
         t->in_n == f->frame && f->frame <= t->length &&
         fits(f, t->twiddle_at, sizeof(int16_t) * t->length) &&
         fits(f, t->split_at, sizeof(int16_t) * 2 * (t->length / 4u));
}

static int bands_fit(const struct mote_features *f, const struct mote_micro *p) {
  if (!fits(f, p->segment_at, sizeof(uint16_t) * (p->bands + 2u))) return 0;
  const uint16_t *const segment = mote_at(p, p->segment_at);
  for (uint32_t b = 0; b <= p->bands; b++)
    if (segment[b] > segment[b + 1]) return 0;
  const uint32_t bins = (uint32_t)segment[p->bands + 1] - segment[0];
  if (segment[p->bands + 1] > p->fft.length / 2u + 1 ||
      !fits(f, p->weight_at, sizeof(uint16_t) * bins))
    return 0;
  const uint16_t *const weight = mote_at(p, p->weight_at);
  for (uint32_t k = 0; k < bins; k++)
    if ((weight[k] & ~MOTE_MICRO_WHOLE) > 4095u + (weight[k] >> 15)) return 0;
  return 1;
}

enum mote_status mote_features_check_micro(const struct mote_features *f) {
  const struct mote_micro *const p = micro_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p) || f->params_at >= ((int32_t)1 << 24))
    return MOTE_ERR_BOUNDS;
  if (f->cell_bytes != 4 || f->fft_log2 || !p->bands || f->columns != f->channels * p->bands)
    return MOTE_ERR_PARAMS;
  if (!fft_fits(f, p) || !bands_fit(f, p) || !fits(f, p->window_at, sizeof(int16_t) * f->frame))
    return MOTE_ERR_BOUNDS;
  if (!mote_signal_noise_is_good(&p->noise) || p->snr_shift > 63 || p->correction_bits > 31 ||
      p->flags > (MOTE_MICRO_NOISE | MOTE_MICRO_GAIN) || p->flags == MOTE_MICRO_GAIN)
    return MOTE_ERR_PARAMS;
  return !(p->flags & MOTE_MICRO_GAIN) || fits(f, p->gain_at, sizeof(int16_t) * MOTE_PCAN_TABLE)
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

const struct mote_features_op mote_features_micro = {
    .kind = MOTE_FEATURES_MICRO,
    .scratch_bytes = micro_scratch_bytes,
    .state_bytes = micro_state_bytes,
    .begin = micro_begin,
    .row = micro_row,
    .finish = mote_features_finish_s32,
};
