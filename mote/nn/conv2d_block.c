/* conv2d_block: CONV_2D and FULLY_CONNECTED whose weights lie in blocks of channels (mote/base/block.h). All its work is
 * the instruction set's row loop (mote/isa/block.h).
 *
 * State: what the windows of a strip of pixels read, at most two bytes a value, row after row. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

const struct mote_kernel mote_kernel_conv2d_block_s8 = {NULL, mote_isa_conv_block, NULL};

/* Columns are below 2^24 and channels below 2^16; three numbers of 16 bits and a factor fit 64. */
size_t mote_conv2d_block_s8_state_bytes(const struct mote_conv2d_s8 *p) {
  const uint64_t values = mote_block_row_values(p);
  if (values > SIZE_MAX / 4 / p->kernel_h) return SIZE_MAX;
  return (size_t)(2 * p->kernel_h * values);
}

enum mote_status mote_conv2d_block_s8_check(const struct mote_conv2d_s8 *p,
                                            const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->strip_w == 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  /* A run's values are counted in 32 bits: below 2^32. Weights are below 2^31, so offsets of them are. */
  const uint64_t weights = 4 * mote_block_quads(p) * p->out_c + MOTE_BLOCK_SLACK;
  if (weights > INT32_MAX || !mote_bounds_constant(b, p->weights_at, weights))
    return MOTE_ERR_BOUNDS;
  if ((uint64_t)p->in_w * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->rows_out * p->out_w * p->out_c > b->out_bytes ||
      mote_conv2d_block_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  if (p->output.bias_at == 0 || p->output.bias_bytes != 4) return MOTE_ERR_PARAMS;
  return mote_output_check(&p->output, p, b, p->out_c,
                           (uint64_t)p->kernel_w * p->kernel_h * p->in_c);
}
