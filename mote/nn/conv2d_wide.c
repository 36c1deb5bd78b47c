/* conv2d_wide: CONV_2D with weights of 16 bits (conv2d_wide_s8).
 *
 * The windows of up to three pixels of a row are widened to int16 in the state, each row of the window as it lies in the input;
 * then all channels are made of them. Neighbouring windows share nothing there: to lead from column to column of a shared strip
 * would take longer than to widen all of them, since each window serves all channels.
 *
 * A row of a window whose values are no fours is filled up with what lies behind it, which meets weights that are 0; where
 * nothing lies behind it in the input, or columns are outside, it is put together in the state first.
 *
 * State: the strip, the bytes of one row of a window. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static void clear(int16_t *to, uint32_t quad_step, uint32_t quads) {
  for (; quads; quads--, to += quad_step) to[0] = to[1] = to[2] = to[3] = 0;
}

/* One window that begins at `column` and is in part outside, or too near the row's end to be read in fours. */
static void bring_edge(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                       int16_t *to, uint32_t quad_step, int8_t *bytes) {
  const int32_t kernel_w = p->kernel_w, in_c = p->in_c;
  const uint32_t quads = mote_wide_row_quads(p);
  const int32_t before = column >= 0 ? 0 : -column < kernel_w ? -column : kernel_w;
  int32_t inside = p->in_w - (column + before);
  if (inside > kernel_w - before) inside = kernel_w - before;
  if (inside < 0) inside = 0;
  /* Fours of channels: quads outside, inside and outside again. Else the bytes: what is outside stays. */
  const int is_whole = in_c % 4 == 0;
  const uint32_t left = (uint32_t)(before * in_c) / 4, n = (uint32_t)(inside * in_c);
  for (uint32_t i = 4 * quads; !is_whole && i; i--) bytes[i - 1] = p->output.in_zp;
  for (uint32_t i = p->kernel_h; i; i--, to += quads * quad_step) {
    const int8_t *row = (const int8_t *)*rows++;
    if (row == NULL || n == 0) {
      clear(to, quad_step, quads);
      continue;
    }
    row += (column + before) * in_c;
    if (is_whole) {
      clear(to, quad_step, left);
      mote_isa_widen(to + left * quad_step, quad_step, 4, row, 0, n, 1, p->output.in_zp);
      clear(to + (left + n / 4) * quad_step, quad_step, quads - left - n / 4);
      continue;
    }
    for (uint32_t k = 0; k < n; k++) bytes[before * in_c + (int32_t)k] = row[k];
    mote_isa_widen(to, quad_step, 4, bytes, 0, 4 * quads, 1, p->output.in_zp);
  }
}

/* `count` windows that lie inside, `step` bytes apart, the first at byte `at` of its rows. */
static void bring_inside(const struct mote_conv2d_s8 *p, const void *const *rows, size_t at,
                         uint32_t step, uint32_t count, int16_t *to, uint32_t quad_step,
                         uint32_t position_step) {
  const uint32_t quads = mote_wide_row_quads(p), n = (uint32_t)p->kernel_w * p->in_c;
  for (uint32_t i = p->kernel_h; i; i--, to += quads * quad_step) {
    const int8_t *row = (const int8_t *)*rows++;
    if (row)
      mote_isa_widen(to, quad_step, position_step, row + at, step, n, count, p->output.in_zp);
    else
      for (uint32_t k = 0; k < count; k++) clear(to + k * position_step, quad_step, quads);
  }
}

/* Widens the windows of n pixels from x on. */
static void bring(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x, uint32_t n,
                  int16_t *to, int8_t *bytes) {
  const uint32_t quad_step = MOTE_ISA_INTERLEAVED ? 4 * mote_wide_positions(n) : 4,
                 position_step = MOTE_ISA_INTERLEAVED ? 4 : 4 * mote_wide_quads(p);
  const int32_t step = (int32_t)p->stride_w * p->in_c,
                room = (int32_t)p->in_w * p->in_c - 4 * (int32_t)mote_wide_row_quads(p);
  int32_t at = (int32_t)x * step - p->pad_left * (int32_t)p->in_c; /* a window's first byte */
  for (uint32_t some; n; n -= some, to += some * position_step) {
    some = 1;
    if (at >= 0 && at <= room) {
      while (some < n && at + (int32_t)some * step <= room) some++;
      bring_inside(p, rows, (size_t)at, (uint32_t)step, some, to, quad_step, position_step);
    } else {
      bring_edge(p, rows, at / p->in_c, to, quad_step, bytes);
    }
    at += (int32_t)some * step;
  }
}

/* Of `left` pixels of a row, those of the next block: threes, and at the end twos rather than one. */
static uint32_t block_of(uint32_t left) {
  return left < 3 ? left : left == 4 ? 2 : MOTE_WIDE_PIXELS;
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)params;
  int16_t *strip = (int16_t *)state;
  int8_t *bytes = (int8_t *)(strip + (size_t)4 * MOTE_WIDE_PIXELS * mote_wide_quads(p));
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0, n; x < p->out_w; x += n, to += (size_t)n * p->out_c) {
      n = block_of(p->out_w - x);
      bring(p, rows, x, n, strip, bytes);
      mote_isa_conv_wide(p, strip, n, to);
    }
}

const struct mote_kernel mote_kernel_conv2d_wide_s8 = {NULL, row, NULL};

size_t mote_conv2d_wide_s8_state_bytes(const struct mote_conv2d_s8 *p) {
  /* Below 2^16 * 2^30 * 24 + 2^32. */
  const uint64_t row = mote_wide_row_quads(p);
  const uint64_t bytes = 8 * MOTE_WIDE_PIXELS * row * p->kernel_h + (p->in_c % 4 ? 4 * row : 0);
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* Words and indices are worked out in 32 bits. */
enum mote_status mote_conv2d_wide_s8_check(const struct mote_conv2d_s8 *p,
                                           const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c < 2 || p->dilation_w != 1) return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, 1, p->pad_left))
    return MOTE_ERR_PARAMS;
  const uint64_t columns = (uint64_t)p->out_w * p->stride_w + p->kernel_w + p->pad_left + p->in_w;
  if (columns * p->in_c > INT32_MAX) return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  const uint64_t words = 4 * (uint64_t)mote_wide_row_quads(p) * p->kernel_h + 8;
  if (words > INT32_MAX ||
      !mote_bounds_constant(b, p->weights_at,
                            (p->out_c + 1u) / 2 * (uint64_t)mote_wide_words(p) * 4))
    return MOTE_ERR_BOUNDS;
  if ((uint64_t)p->in_w * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->rows_out * p->out_w * p->out_c > b->out_bytes ||
      mote_conv2d_wide_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

/* ---- what the compiler asks ------------------------------------------------------------ */

/* Whether sums keep to int32 when they are shifted to the left by `bits`. */
static int fits(int64_t least, int64_t most, int bits) {
  const int64_t limit = (int64_t)1 << (31 - bits);
  return least >= -limit && most < limit;
}

/* With s = -shift, rounding twice is floor((sum m + 2^30 + 2^(30 + s)) / 2^(31 + s)) where the result is not negative; else a
 * product that is half a unit more is taken off first. Above: both sides divided by 2^(19 + s), so that a fixed shift of 12
 * is left. */
int mote_pack_wide(const struct mote_output *o, int32_t multiplier, int shift, int64_t least,
                   int64_t most, struct mote_wide_finish *to) {
  const int s = -shift;
  if (o->low != -128 || o->high != 127 || multiplier < 0 || s < 1 || s > 22) return -1;
  to->multiplier = multiplier;
  to->shift = s;
  if (o->bounded) {
    const int bits = 13 - s;
    if (o->zp != -128 || bits < 2 || bits > 8 || !fits(least, most, bits)) return -1;
    to->round = -128 * 4096 + 2048 + ((int32_t)1 << (bits - 2));
    return bits;
  }
  if (!fits(least, most, 1)) return -1;
  to->round = (2 * o->zp + 1) * ((int32_t)1 << (s - 1));
  return 1;
}
