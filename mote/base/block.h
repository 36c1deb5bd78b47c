/* block: the layouts of weights for machines with wide vectors (x86-64, WebAssembly). Part of base.h.
 *
 * Four products of neighbouring inputs make one 32-bit lane there, and lanes are output channels. So weights lie in
 * groups of MOTE_BLOCK channels; within a group, quad after quad of the window, of each the channels side by side with
 * four weights each. Activations are unsigned there, u = x + 128, and a channel's bias has what that changes:
 *   bias[c] - (128 + in_zp) * sum of the channel's weights,      padding being u = 128 + in_zp.
 * Such biases are int32, modulo 2^32, and always there.
 *
 * conv2d_block_s8 takes struct mote_conv2d_s8: CONV_2D, and FULLY_CONNECTED as a 1x1 convolution over a row of
 * vectors. The window is `runs` of neighbouring values, each filled up to a multiple of four with weights of 0: one for
 * each kernel row where the dilation is 1 (kernel_w * in_c values), else one for each kernel row and column (in_c).
 *   weights[first * 4 quads + (q * n + c - first) * 4 + k],  quads: of the window; q: quad; k: value in it;
 *   first = c - c % MOTE_BLOCK, n = min(MOTE_BLOCK, out_c - first)
 * depthwise_block_s8 takes struct mote_depthwise_conv2d_s8 with a multiplier of 1. Four rows of a kernel column are a
 * quad, rows beyond kernel_h have weights of 0, and all channels are one group:
 *   weights[((column * row_quads + row / 4) * in_c + c) * 4 + row % 4]
 * MOTE_BLOCK_SLACK further bytes behind the weights may be read.
 *
 * strip_w: output pixels whose inputs are brought into the state at a time. */
#ifndef MOTE_BASE_BLOCK_H
#define MOTE_BASE_BLOCK_H

#include "mote/base/window.h"

#define MOTE_BLOCK       16
#define MOTE_BLOCK_SLACK 12

/* Quads of one run, and of the whole window. */
static inline uint32_t mote_block_run(const struct mote_conv2d_s8 *p) {
  return ((p->dilation_w == 1 ? (uint32_t)p->kernel_w : 1u) * p->in_c + 3) / 4;
}
static inline uint32_t mote_block_runs(const struct mote_conv2d_s8 *p) {
  return p->dilation_w == 1 ? 1u : p->kernel_w;
}
static inline uint64_t mote_block_quads(const struct mote_conv2d_s8 *p) {
  return (uint64_t)p->kernel_h * mote_block_runs(p) * mote_block_run(p);
}
static inline uint32_t mote_block_row_quads(const struct mote_depthwise_conv2d_s8 *p) {
  return (p->kernel_h + 3u) / 4;
}

/* Columns of the input under n pixels. */
#define MOTE_BLOCK_COLUMNS(p, n)                                                                   \
  (((n)-1) * (uint32_t)(p)->stride_w + ((uint32_t)(p)->kernel_w - 1) * (p)->dilation_w + 1)

/* Values that the state holds of each kernel row: the columns of a strip, and three more that meet weights of 0. */
static inline uint64_t mote_block_row_values(const struct mote_conv2d_s8 *p) {
  const uint32_t n = p->strip_w < p->out_w ? p->strip_w : p->out_w;
  return ((uint64_t)MOTE_BLOCK_COLUMNS(p, n) * p->in_c + 3 + 15) & ~(uint64_t)15;
}

#endif
