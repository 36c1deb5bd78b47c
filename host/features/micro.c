/* The kind "micro": the tables of TensorFlow's micro front end. source of the conventions: its published library
 * (microfrontend), whose defaults these are; tables equal those of its audio_preprocessor model (test_micro). */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

enum { SMOOTHING_BITS = 10, NOISE_BITS = 14, GAIN_BITS = 21, SNR_BITS = 12, LOG_SCALE = 64 };

static double mel(double hz) { return 1127 * log1p(hz / 700); }
static double mel_hz(double m) { return 700 * expm1(m / 1127); }

/* A root of a filter bank is that of a sum that has 12 bits of weights and the transform's own shrinking: so many bits less
 * than the logarithm wants. */
static int correction_bits(const struct features_config *c) {
  return (int)features_log2(c->fft_size) - 6;
}

void features_micro_defaults(struct features_config *c, struct text *why) {
  c->frame_ms = 30;
  c->hop_ms = 20;
  c->bands = 40;
  c->low_hz = fmin(125, c->rate_hz / 32);
  c->high_hz = fmin(7500, 0.46875 * c->rate_hz);
  c->noise_reduction = c->pcan = true;
  c->fft_size = 64;
  while (c->fft_size < c->rate_hz * c->frame_ms / 1000 && c->fft_size < FEATURES_MICRO_FFT)
    c->fft_size *= 2;
  if (c->rate_hz * c->frame_ms / 1000 > c->fft_size) c->frame_ms = c->fft_size * 1000 / c->rate_hz;
  if (why)
    text_printf(why,
                "The audio front end of TensorFlow Lite Micro, bit for bit: %d mel bands of frames "
                "of %g ms, each band's noise followed and taken off, and its amplitude normalised "
                "by it, so that a steady hum and the distance to the microphone count little.",
                c->bands, c->frame_ms);
}

double features_micro_edge(const struct features_config *c, int i) {
  const double low = mel(c->low_hz), step = (mel(features_high_hz(c)) - low) / (c->bands + 1);
  return mel_hz(low + step * i);
}

/* The first bin of segment i, of bands + 1, and behind the last: bins up to the middle of band i are in segment i. */
static int segment_start(const struct features_config *c, int i) {
  const double hz = c->rate_hz / c->fft_size, low = mel(c->low_hz);
  const double step = (mel(features_high_hz(c)) - low) / (c->bands + 1);
  int k = (int)(1.5 + c->low_hz / hz);
  while (i > 0 && k <= c->fft_size / 2 && mel(k * hz) <= low + step * i) k++;
  return k;
}

/* Share of bin k in segment i that goes to the band below, Q12. Both shares are cut, not rounded, so that together they are
 * 4096 only where they are whole. */
static uint16_t weight_of(const struct features_config *c, int i, int k) {
  const double low = mel(c->low_hz), step = (mel(features_high_hz(c)) - low) / (c->bands + 1);
  const double share = (low + step * (i + 1) - mel(k * c->rate_hz / c->fft_size)) / step;
  const double whole = floor(4096 * share + 0.5);
  if (fabs(4096 * share - whole) < 1e-6) return (uint16_t)whole | MOTE_MICRO_WHOLE;
  return (uint16_t)floor(4096 * share);
}

/* gain(x) = 2^21 (x / 2^input_bits + 80)^-0.95, at most 32767; a quadratic through three of each octave's points. */
static int16_t gain_at(double x, int input_bits) {
  return (int16_t)fmin(floor(ldexp(pow(ldexp(x, -input_bits) + 80, -0.95), GAIN_BITS) + 0.5),
                       INT16_MAX);
}
static void fill_gain(int input_bits, int16_t *table) {
  table[0] = gain_at(0, input_bits);
  table[1] = gain_at(1, input_bits);
  for (int bits = 2; bits <= 32; bits++) {
    const double x = ldexp(1, bits - 1);
    const int first = gain_at(x, input_bits), middle = gain_at(1.5 * x, input_bits) - first,
              last = gain_at(bits == 32 ? 2 * x - 1 : 2 * x, input_bits) - first;
    int16_t *const at = table + 4 * bits - 6;
    const int slope = 4 * middle - last;
    at[0] = (int16_t)first;
    at[1] = (int16_t)slope;
    at[2] = (int16_t)(last - slope);
  }
}

/* Radix 4 as often as it goes, then 2: the order decides the rounding. */
static void fill_fft(struct mote_fft *p, int frame, int fft, int16_t *twiddle, int16_t *split) {
  const int n = fft / 2;
  *p = (struct mote_fft){.length = (uint16_t)fft, .in_n = (uint16_t)frame, .vectors = 1};
  for (int rest = n; rest > 1; rest /= rest % 4 ? 2 : 4)
    p->factors[p->n_factors++] = rest % 4 ? 2 : 4;
  for (int k = 0; k < n; k++) {
    *twiddle++ = (int16_t)floor(0.5 + INT16_MAX * cos(-2 * PI * k / n));
    *twiddle++ = (int16_t)floor(0.5 + INT16_MAX * sin(-2 * PI * k / n));
  }
  for (int k = 1; k <= n / 2; k++) {
    const double phase = -PI * ((double)k / n + 0.5);
    *split++ = (int16_t)floor(0.5 + INT16_MAX * cos(phase));
    *split++ = (int16_t)floor(0.5 + INT16_MAX * sin(phase));
  }
}

static void fill_bands(const struct features_config *c, uint16_t *segment, uint16_t *weight) {
  for (int i = 0; i <= c->bands + 1; i++) segment[i] = (uint16_t)segment_start(c, i);
  for (int i = 0; i <= c->bands; i++)
    for (int k = segment[i]; k < segment[i + 1]; k++) *weight++ = weight_of(c, i, k);
}

static size_t place(size_t *end, size_t n) {
  const size_t at = *end;
  *end = (at + n + 3) & ~(size_t)3;
  return at;
}

size_t features_micro_params(const struct features_config *c, uint8_t *out) {
  struct mote_micro *const p = (struct mote_micro *)(void *)out;
  const size_t frame = (size_t)features_frame_samples(c), fft = (size_t)c->fft_size;
  const size_t bins = (size_t)(segment_start(c, c->bands + 1) - segment_start(c, 0));
  size_t end = sizeof *p;
  const size_t twiddle = place(&end, 2 * fft), split = place(&end, fft);
  const size_t window = place(&end, 2 * frame), segment = place(&end, 2 * (size_t)(c->bands + 2));
  const size_t weight = place(&end, 2 * bins);
  const size_t gain = c->pcan ? place(&end, 2 * MOTE_PCAN_TABLE) : 0;
  memset(out, 0, end);
  fill_fft(&p->fft, (int)frame, c->fft_size, (int16_t *)(void *)(out + twiddle),
           (int16_t *)(void *)(out + split));
  for (size_t t = 0; t < frame; t++)
    ((int16_t *)(void *)(out + window))[t] =
        (int16_t)floor(4096 * (0.5 - 0.5 * cos(2 * PI * ((double)t + 0.5) / (double)frame)) + 0.5);
  fill_bands(c, (uint16_t *)(void *)(out + segment), (uint16_t *)(void *)(out + weight));
  if (c->pcan) fill_gain(SMOOTHING_BITS - correction_bits(c), (int16_t *)(void *)(out + gain));
  p->fft.twiddle_at = (int32_t)twiddle;
  p->fft.split_at = (int32_t)split;
  p->window_at = (int32_t)window;
  p->segment_at = (int32_t)segment;
  p->weight_at = (int32_t)weight;
  p->gain_at = (int32_t)gain;
  /* 0.025 of even channels, 0.06 of odd ones, 0.05 that stays. */
  p->noise = (struct mote_signal_noise){.smoothing = {409, 983},
                                        .one_minus_smoothing = {16384 - 409, 16384 - 983},
                                        .min_signal_remaining = 819,
                                        .smoothing_bits = SMOOTHING_BITS,
                                        .bits = NOISE_BITS};
  p->bands = (uint16_t)c->bands;
  p->output_scale = LOG_SCALE;
  p->correction_bits = (uint8_t)correction_bits(c);
  p->snr_shift = (uint8_t)(GAIN_BITS - correction_bits(c) - SNR_BITS);
  p->flags =
      (uint8_t)((c->noise_reduction ? MOTE_MICRO_NOISE : 0) | (c->pcan ? MOTE_MICRO_GAIN : 0));
  return end;
}

bool features_check_micro(const struct features_config *c, struct err *e) {
  const int frame = features_frame_samples(c), fft = c->fft_size;
  const double high = features_high_hz(c);
  if (fft < 64 || fft > FEATURES_MICRO_FFT || (fft & (fft - 1)))
    return features_refuse(e, "fft_size", "%d; a power of two from 64 to %d works", fft,
                           FEATURES_MICRO_FFT);
  if (frame > fft || frame < 4)
    return features_refuse(e, "frame_ms", "a frame of %d samples; 4 to the %d of fft_size work",
                           frame, fft);
  if (c->bands < 1 || c->bands > 128)
    return features_refuse(e, "bands", "%d; 1 to 128 work", c->bands);
  if (c->low_hz < 0 || high > c->rate_hz / 2 || c->low_hz >= high)
    return features_refuse(
        e, "low_hz", "bands from %g to %g Hz; 0 to half of the rate (%g Hz), low below high, work",
        c->low_hz, high, c->rate_hz / 2);
  if (segment_start(c, c->bands + 1) > fft / 2 + 1)
    return features_refuse(e, "high_hz", "%g Hz is beyond the last of %d bins", high, fft / 2 + 1);
  if (c->pcan && !c->noise_reduction)
    return features_refuse(e, "pcan",
                           "amplitudes are normalised by the noise: noise_reduction is "
                           "needed, too");
  return true;
}
