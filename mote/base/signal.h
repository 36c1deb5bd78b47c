/* signal: arithmetic of audio front ends, for the operators of models (mote/nn) and the feature kind "micro" (mote/dsp): the
 * Fourier transform, roots and logarithms of filter banks, noise that is followed and taken off, and the gain of
 * each channel (PCAN).
 *
 * exact: the bits of the reference's signal library. */
#ifndef MOTE_BASE_SIGNAL_H
#define MOTE_BASE_SIGNAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The real transform of `length` values: a complex one of length / 2 in radices 4, 2, 3, 5, and a last (inverse: first)
 * stage that parts even from odd. Spectra are length / 2 + 1 pairs, real part first.
 * in_n: values of a real input vector; zeros are appended up to length. Tables, of the element type, in pairs, lie behind
 * this structure: twiddle k = exp(-+2 pi i k / (length/2)), length/2 of them; split k-1 = exp(-+pi i (2k / length + 1/2)),
 * k = 1 .. length/4. Integers: each stage divides by its radix; the inverse of a float is divided by length. */
#define MOTE_FFT_FACTORS 12
struct mote_fft {
  int32_t twiddle_at, split_at;
  uint16_t length, in_n, vectors;
  uint8_t n_factors;
  uint8_t inverse;
  uint8_t factors[MOTE_FFT_FACTORS]; /* outermost first; their product is length / 2 */
};
/* Whether the factors are radices, and are those of the length. */
int mote_fft_is_good(const struct mote_fft *p);
/* One vector. shape: from [in_n], to [length + 2]; inverse: from [length + 2], to [length]. alias: none. */
void mote_fft_s16(const struct mote_fft *p, const int16_t *from, int16_t *to);
void mote_fft_s32(const struct mote_fft *p, const int32_t *from, int32_t *to);
void mote_fft_f32(const struct mote_fft *p, const float *from, float *to);

/* Bits by which n numbers can be shifted left, 0..14; 0 where all are 0. */
unsigned mote_signal_spare_bits(const int16_t *x, uint32_t n);

/* round(sqrt(x)), below 2^32 at most 65535. */
uint32_t mote_signal_root(uint64_t x);

/* The noise of channels, followed by a low pass of the first order with coefficients scaled by 2^bits; even and odd channels
 * have their own. */
struct mote_signal_noise {
  uint32_t smoothing[2], one_minus_smoothing[2]; /* of even channels, of odd ones */
  uint32_t min_signal_remaining;                 /* share of x that stays at least */
  uint8_t smoothing_bits, bits;                  /* 0..31, 0..63; *noise is x << smoothing_bits */
  uint8_t clamping;                              /* 0 or 1: the noise stays below the signal */
  uint8_t reserved;
};
int mote_signal_noise_is_good(const struct mote_signal_noise *p);
/* max(x - noise, x * min_signal_remaining), behind *noise's next value. */
uint32_t mote_signal_subtract(const struct mote_signal_noise *p, unsigned odd, uint32_t x,
                              uint32_t *noise);

/* Per-channel amplitude normalisation: shrink((x * gain(noise)) >> snr_shift). table: int16[MOTE_PCAN_TABLE]: the gains of
 * 0, 1 and 2, then a quadratic in each octave, three coefficients every four places for numbers of 2, 3 .. 32 bits.
 * range: snr_shift 0..63. */
#define MOTE_PCAN_TABLE 125
uint32_t mote_signal_pcan(uint32_t x, uint32_t noise, const int16_t *table, unsigned snr_shift);

/* min(ln(x) * scale, 32767); 0 where x is below 2. source: the reference's table of 128 segments of log2(1 + f) - f. */
int16_t mote_signal_log(uint32_t x, uint32_t scale);

#ifdef __cplusplus
}
#endif

#endif
