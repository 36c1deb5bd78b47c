/* window: the checks that the general windowed operators share. Every number is hostile. */
#include "mote/nn/window.h"

enum mote_status mote_one_row_check(const struct mote_bounds *b, uint64_t n_in, uint64_t n_out,
                                    uint32_t size, uint32_t out_size) {
  return mote_bounds_row(b, 0, n_in, size) && b->out_bytes % out_size == 0 &&
                 n_out <= b->out_bytes / out_size
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

enum mote_status mote_window_check(const struct mote_window *w, const struct mote_bounds *b,
                                   uint32_t size) {
  if (w->in_c == 0 || w->out_c == 0 || w->kernel_h == 0 || w->stride_h == 0 || w->dilation_h == 0 ||
      w->rows_out == 0 || w->in_rows == 0 || w->out_h == 0 || w->in_h == 0)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->dilation_w,
                          w->pad_left) ||
      !mote_bounds_window(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->dilation_h, w->pad_top) ||
      (uint64_t)w->rows_out * w->stride_h >= (uint32_t)1 << 24)
    return MOTE_ERR_PARAMS;
  if (b->n_in < 1 || b->rows[0] != w->in_rows || (w->images && w->in_rows != 1))
    return MOTE_ERR_BOUNDS;
  /* Four numbers of 16 bits: below 2^64. */
  const uint64_t in = (uint64_t)(w->images ? (uint32_t)w->images * w->in_h : 1) * w->in_w * w->in_c;
  const uint64_t out =
      (uint64_t)mote_window_images(w) * mote_window_rows(w) * ((uint64_t)w->out_w * w->out_c);
  if (b->row_bytes[0] % size || in > b->row_bytes[0] / size || b->out_bytes % size ||
      out > b->out_bytes / size)
    return MOTE_ERR_BOUNDS;
  /* Indices are worked out in 32 bits. */
  if (in * size > INT32_MAX || out > INT32_MAX) return MOTE_ERR_PARAMS;
  return w->images && (b->missing & 1) ? MOTE_ERR_BOUNDS : MOTE_OK;
}

static int scales_are_good(const struct mote_scaling *s, const void *params, uint32_t n) {
  const uint32_t *words = (const uint32_t *)mote_at(params, s->scale_at);
  const int32_t *pairs = (const int32_t *)words;
  for (uint32_t c = 0; c < n; c++) {
    if (s->sum_bytes == 8) {
      const uint32_t shift = words[c] & 0xFFFF;
      if (words[c] >> 31 || shift < 1 || shift > 46) return 0;
    } else if (pairs[2 * c] < 0 || pairs[2 * c + 1] < -31 || pairs[2 * c + 1] > 30) {
      return 0;
    }
  }
  return 1;
}

enum mote_status mote_scaling_check(const struct mote_scaling *s, const void *params,
                                    const struct mote_bounds *b, uint32_t n, unsigned edges,
                                    uint32_t size) {
  const int32_t most = size == 1 ? INT8_MAX : INT16_MAX;
  if (s->low > s->high || s->low < -most - 1 || s->high > most) return MOTE_ERR_PARAMS;
  if ((s->sum_bytes != 4 && s->sum_bytes != 8) || s->per_channel > 1) return MOTE_ERR_PARAMS;
  const uint32_t scales = s->per_channel ? n : 1;
  if (!mote_bounds_constant(b, s->scale_at, (uint64_t)scales * (s->sum_bytes == 8 ? 4 : 8)))
    return MOTE_ERR_BOUNDS;
  if (!scales_are_good(s, params, scales)) return MOTE_ERR_PARAMS;
  if (s->bias_bytes == 0) return MOTE_OK;
  if (s->bias_bytes != 4 && (s->sum_bytes == 4 || (s->bias_bytes != 2 && s->bias_bytes != 8)))
    return MOTE_ERR_PARAMS;
  /* int64 are read as two halves: aligned to 4. */
  const uint32_t align = s->bias_bytes == 2 ? 2 : 4;
  const uint64_t bytes = (uint64_t)n * s->bias_bytes;
  return mote_bounds_row(b, edges, bytes / align, align) ? MOTE_OK : MOTE_ERR_BOUNDS;
}
