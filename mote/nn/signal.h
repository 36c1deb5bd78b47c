/* signal: operators of audio front ends, windows and spectra, filter banks, delays with memory, and the choice of
 * detected boxes, as tflite-micro's custom operators have them. Part of the door nn.h.
 *
 * None has row structure: each operand is one row, the whole tensor, and a step makes one call. What an operator
 * remembers from one inference to the next is a state tensor, an input that the kernel writes; all zeros is its
 * initial value. Outputs that the reference leaves unwritten (a frame that is not complete, bins outside the
 * range) are zero here.
 *
 * exact: the bits of the reference's kernels, arithmetic that wraps included; detection and float spectra
 * as floats are. */
#ifndef MOTE_NN_SIGNAL_H
#define MOTE_NN_SIGNAL_H

#include "mote/base/base.h"

/* SignalWindow: y[i] = saturate((x[i] * w[i mod period]) >> shift), int16. rows: x, w.
 * range: shift 0..31. alias: out may be rows[0]. */
struct mote_signal_window {
  uint32_t n;
  uint16_t period; /* of the window; divides n */
  uint16_t shift;
};

/* SignalFftAutoScale: int16 x shifted left as far as its largest magnitude allows. out: y[n]; rows: x, then
 * the second output, the bits shifted, one int32. alias: out may be rows[0]. */
struct mote_signal_scale {
  uint32_t n;
};

/* SignalRfft and SignalIrfft over the last axis: struct mote_fft (mote/base/signal.h), int16, int32 (Q15, Q31: each stage
 * divides by its radix) or float. The inverse of a float is divided by length, those of integers are not.
 * needs: rows[0] and out apart. No state: the transform runs in the output. */

/* SignalEnergy: y[i] = re[i]^2 + im[i]^2 of int16 pairs, uint32, for first <= i < end; else 0. */
struct mote_signal_energy {
  uint32_t n; /* of y */
  uint32_t first, end;
};

/* SignalFilterBank: channel c sums weight * x over its band and (unweight) * x over the band before:
 *   y[c] = sum(w[c+1] x) + sum(u[c] x), uint64, x uint32.
 * Constants, int16: frequency, weight and width of bands 0 .. channels (their first bin, first weight, count),
 * then weights and unweights. */
struct mote_filter_bank {
  int32_t frequency_at, weight_at, width_at; /* int16[channels + 1] each */
  int32_t weights_at, unweights_at;          /* int16[n_weights] */
  uint16_t channels, n_weights, in_n, reserved;
};

/* SignalFilterBankSquareRoot: y = round(sqrt(x)) >> shift, uint64 to uint32. rows: x, the shift (int32).
 * exact: below 2^32 a root is rounded in 16 bits. A shift outside 0..31 is taken modulo 32. */
struct mote_filter_bank_root {
  uint32_t n;
};

/* SignalFilterBankSpectralSubtraction: mote_signal_subtract of each channel. rows: x uint32[n], state: noise uint32[n];
 * outputs: y uint32[n], a copy of the noise uint32[n]. */
struct mote_spectral_subtraction {
  struct mote_signal_noise noise;
  uint32_t n;
};

/* SignalFilterBankLog: y = min(ln(x << correction_bits) * output_scale, 32767), int16; 0 where that is below 2. */
struct mote_filter_bank_log {
  uint32_t n;
  uint32_t output_scale;
  uint32_t correction_bits; /* 0..31 */
};

/* SignalPCAN: mote_signal_pcan of each channel. rows: x uint32[n], noise uint32[n], table int16[MOTE_PCAN_TABLE].
 * alias: out may be rows[0]. */
struct mote_pcan {
  uint32_t n;
  uint32_t snr_shift; /* 0..63 */
};

/* SignalFramer: cuts a stream of int16 into frames that overlap. rows: x[vectors][frames * step], state (see
 * mote_framer_state_values); outputs: y[vectors][frames][frame], and one bool: every frame was complete.
 * prefill: the stream begins with frame - step zeros. */
struct mote_framer {
  uint16_t frame, step, frames, vectors;
  uint32_t prefill;
};

/* SignalStacker: the last left + 1 + right vectors of `channels` int16, every `step` vectors; the first vector
 * counts left + 1 times. rows: x[channels], state; outputs: y, and one bool: y is new. */
struct mote_stacker {
  uint16_t channels, left, right, step;
};

/* SignalOverlapAdd: y = the sum of overlapping frames, `step` values for each. rows: x[vectors][frames][frame],
 * state[vectors][frame - step]; output y[vectors][frames * step]. int16 saturates. */
struct mote_overlap_add {
  uint16_t frame, step, frames, vectors;
};

/* SignalDelay: y = x as it was `delay` bytes ago, state[vectors][delay]. */
struct mote_delay {
  uint32_t n, delay; /* bytes of a vector */
  uint32_t vectors;
};

/* CIRCULAR_BUFFER: pushes x in at the end of a window, from which the oldest falls. out is a variable: the window
 * as it was, then as it is. alias: none. */
struct mote_circular_buffer {
  uint32_t in_bytes, kept_bytes; /* of x; of the window without it */
};

/* TFLite_Detection_PostProcess: boxes from encodings and anchors, then the best by class score without those that
 * overlap a better one. rows: encodings[boxes][stride], scores[boxes][offset + classes], anchors[boxes][4], each
 * float32, int8 or uint8 as real = (q - zp) * scale; outputs float32: boxes[max][4] (ymin xmin ymax xmax),
 * classes[max], scores[max], count[1].
 * Regular: every class apart, at most per_class of each. Else each box counts with its best class alone.
 * Not in the reference: boxes of no area count as overlapping nothing, where it refuses to go on. */
struct mote_detection {
  float y_scale, x_scale, h_scale, w_scale;
  float score_threshold, overlap_threshold;
  float scale[3];
  int16_t zp[3];
  uint8_t type[3]; /* enum mote_type */
  uint8_t regular;
  uint16_t boxes, stride, classes, offset;
  uint16_t max, per_class;
  uint16_t reserved;
};

/* Values of int16 that the states of a framer and a stacker take: two for the count, then the samples. */
uint32_t mote_framer_state_values(const struct mote_framer *p);
uint32_t mote_stacker_state_values(const struct mote_stacker *p);

#endif
