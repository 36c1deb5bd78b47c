/* depthwise_block: DEPTHWISE_CONV_2D of as many outputs as inputs whose weights lie in quads of rows
 * (mote/base/block.h). All its work is the instruction set's row loop (mote/isa/block.h).
 *
 * State: the columns under a strip of pixels of up to MOTE_BLOCK channels, rows of a channel side by side, at most two
 * bytes a value. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

const struct mote_kernel mote_kernel_depthwise_block_s8 = {NULL, mote_isa_depthwise_block, NULL};

/* Columns are below 2^24, quads of rows at most 2^14, channels at most 16. */
size_t mote_depthwise_block_s8_state_bytes(const struct mote_depthwise_conv2d_s8 *p) {
  const uint32_t n = p->strip_w < p->out_w ? p->strip_w : p->out_w;
  const uint64_t bytes = (uint64_t)MOTE_BLOCK_COLUMNS(p, n) * mote_block_row_quads(p) * 8 * p->in_c;
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

enum mote_status mote_depthwise_block_s8_check(const struct mote_depthwise_conv2d_s8 *p,
                                               const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->multiplier != 1 || p->strip_w == 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  const uint64_t weights =
      4 * ((uint64_t)p->kernel_w * mote_block_row_quads(p) * p->in_c) + MOTE_BLOCK_SLACK;
  if (weights > INT32_MAX || !mote_bounds_constant(b, p->weights_at, weights))
    return MOTE_ERR_BOUNDS;
  const uint64_t in_row = (uint64_t)p->in_w * p->in_c;
  if (in_row > b->row_bytes[0] || (uint64_t)p->rows_out * p->out_w * p->in_c > b->out_bytes ||
      mote_depthwise_block_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  if (p->output.bias_at == 0 || p->output.bias_bytes != 4) return MOTE_ERR_PARAMS;
  return mote_output_check(&p->output, p, b, p->in_c, (uint64_t)p->kernel_w * p->kernel_h);
}
