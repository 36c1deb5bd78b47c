/* conv2d: CONV_2D. Windows are widened to int16 in the state, then every output channel goes over a block
 * of pixels, so that a weight is loaded and widened once for up to MOTE_CONV_BLOCK pixels.
 *
 * Three ways to fill the strip (mote/isa/isa.h describes positions and quads):
 *   whole     a position is a pixel's whole window, widened row by row from where it lies: kernel_w is 1 and
 *             in_c a multiple of 4. Pixels of several rows form one run.
 *   gathered  the same for any other window whose in_c is no multiple of 4: its bytes are first brought into
 *             order, column after column, which windows of neighbouring pixels share.
 *   shared    a position is one input column of kernel_h * in_c values, which windows share. Columns lie by
 *             phase, column c at (c % stride) * phase + c / stride, so that the same kernel column of
 *             neighbouring pixels is contiguous whatever the stride.
 *
 * State: the columns' places (`shared`: uint32 for each kernel column), the strip, the gathered bytes.
 *
 * conv2d_s4 is the same with weights of 4 bits: only the inner loops, which read weights, are others. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

/* The loops run deep in a kernel's frames: what returns before they run is kept out of those. */
#define APART __attribute__((noinline)) static

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Whether windows share columns. */
static int is_shared(const struct mote_conv2d_s8 *p) { return p->kernel_w > 1 && p->in_c % 4 == 0; }

/* Pixels widened at a time where each has its whole window. */
static uint32_t patch_pixels(const struct mote_conv2d_s8 *p) {
  return least(least(p->strip_w, MOTE_CONV_BLOCK), (uint32_t)p->rows_out * p->out_w);
}

/* Shared columns under n pixels, and of one phase of theirs. */
static uint32_t columns_under(const struct mote_conv2d_s8 *p, uint32_t n) {
  return (n - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1;
}
static uint32_t phase_of(const struct mote_conv2d_s8 *p, uint32_t n) {
  return (columns_under(p, n) + p->stride_w - 1) / p->stride_w;
}

/* Widens one column as the rows lie; what is outside is 0. */
static void widen_column(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                         int16_t *position, uint32_t quad_step) {
  const int inside = column >= 0 && column < p->in_w;
  for (uint32_t i = 0; i < p->kernel_h; i++) {
    const int8_t *row = inside ? (const int8_t *)rows[i] : NULL;
    mote_isa_widen(position, quad_step, i * p->in_c, row ? row + (uint32_t)column * p->in_c : NULL,
                   p->in_c, p->output.in_zp);
  }
}

/* Brings `columns` columns into order at `to`: column after column, of each the rows, of each in_c bytes.
 * What lies outside is the zero point. */
static void gather(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                   uint32_t columns, uint32_t step, int8_t *to) {
  const uint32_t in_c = p->in_c, kernel_h = p->kernel_h;
  const int8_t zp = (int8_t)p->output.in_zp;
  for (; columns; columns--, column += (int32_t)step) {
    const int inside = column >= 0 && column < p->in_w;
    const uint32_t at = (uint32_t)column * in_c;
    for (uint32_t i = 0; i < kernel_h; i++) {
      const int8_t *const end = to + in_c;
      if (inside && rows[i]) {
        const int8_t *from = (const int8_t *)rows[i] + at;
        do *to++ = *from++;
        while (to != end);
      } else {
        do *to++ = zp;
        while (to != end);
      }
    }
  }
}

/* Fills the strip with the windows of `pixels` pixels from pixel x on, those of one row, the first `done` being filled
 * already. Gathered columns are shared where the dilation is 1. Returns how many pixels it has filled. */
APART uint32_t fill_patches(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                            uint32_t done, uint32_t pixels, int16_t *strip) {
  const uint32_t window = mote_conv_window(p), column_values = mote_conv_column(p);
  const uint32_t position_step = MOTE_ISA_INTERLEAVED ? 4 : window,
                 quad_step = MOTE_ISA_INTERLEAVED ? 4 * pixels : 4;
  const int gathered = p->in_c % 4 != 0, shared = gathered && p->dilation_w == 1;
  const uint32_t n = least(pixels - done, p->out_w - x);
  int8_t *bytes = (int8_t *)(strip + (size_t)patch_pixels(p) * window);
  int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  strip += (size_t)done * position_step;
  if (shared) gather(p, rows, column, (n - 1) * p->stride_w + p->kernel_w, 1, bytes);
  for (uint32_t i = n; i; i--, strip += position_step, column += p->stride_w) {
    if (gathered) {
      if (!shared) gather(p, rows, column, p->kernel_w, p->dilation_w, bytes);
      mote_isa_widen(strip, quad_step, 0, bytes, column_values * p->kernel_w, p->output.in_zp);
      if (shared) bytes += p->stride_w * column_values;
    } else {
      widen_column(p, rows, column, strip, quad_step);
    }
  }
  return n;
}

typedef void conv_loop(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                       int8_t *out);
static inline __attribute__((always_inline)) void row_of_patches(const struct mote_conv2d_s8 *p,
                                                                 const void *const *rows,
                                                                 void *state, void *out,
                                                                 conv_loop *conv) {
  int8_t *to = (int8_t *)out;
  uint32_t x = 0, pixels;
  for (uint32_t left = (uint32_t)p->rows_out * p->out_w; left; left -= pixels) {
    pixels = mote_block_of(left, patch_pixels(p));
    for (uint32_t done = 0; done < pixels;) {
      const uint32_t n = fill_patches(p, rows, x, done, pixels, (int16_t *)state);
      done += n;
      x += n;
      if (x == p->out_w) {
        x = 0;
        rows += p->stride_h;
      }
    }
    conv(p, (const int16_t *)state, pixels, to);
    to += (size_t)pixels * p->out_c;
  }
}
static void row_patch(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_patch);
}
static void row_whole(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_whole);
}

/* Where kernel column j of a strip's first pixel stands. */
APART void place_columns(const struct mote_conv2d_s8 *p, uint32_t phase, uint32_t *column_at) {
  const uint32_t position_step = MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p);
  for (uint32_t j = 0, c = 0; j < p->kernel_w; j++, c += p->dilation_w)
    column_at[j] = (c % p->stride_w * phase + c / p->stride_w) * position_step;
}

/* Widens the columns under n pixels from x on. */
APART void widen_columns(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                         uint32_t n, uint32_t phase_step, int16_t *strip) {
  const uint32_t position_step = MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p),
                 quad_step = MOTE_ISA_INTERLEAVED ? 4 * phase_step * p->stride_w : 4;
  int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  uint32_t phase = 0, index = 0;
  for (uint32_t c = columns_under(p, n); c; c--, column++) {
    widen_column(p, rows, column, strip + (size_t)(phase * phase_step + index) * position_step,
                 quad_step);
    if (++phase == p->stride_w) {
      phase = 0;
      index++;
    }
  }
}

typedef void conv_columns(const struct mote_conv2d_s8 *p, const int16_t *values, uint32_t pixels,
                          int8_t *out, const uint32_t *column_at, uint32_t positions);
static inline __attribute__((always_inline)) void row_of_columns(const struct mote_conv2d_s8 *p,
                                                                 const void *const *rows,
                                                                 void *state, void *out,
                                                                 conv_columns *conv) {
  const uint32_t most = least(p->strip_w, p->out_w), phase = phase_of(p, most);
  int16_t *strip = (int16_t *)((uint32_t *)state + p->kernel_w);
  int8_t *to = (int8_t *)out;
  place_columns(p, phase, (uint32_t *)state);
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, most);
      widen_columns(p, rows, x, n, phase, strip);
      for (uint32_t done = 0, pixels; done < n; done += pixels) {
        const size_t at = (size_t)done * (MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p));
        pixels = mote_block_of(n - done, MOTE_CONV_BLOCK);
        conv(p, strip + at, pixels, to, (const uint32_t *)state, phase * p->stride_w);
        to += (size_t)pixels * p->out_c;
      }
    }
  }
}

static void row_column(const void *params, const void *const *rows, void *state, void *out) {
  row_of_columns((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_column);
}

unsigned mote_conv2d_s8_form(const struct mote_conv2d_s8 *p) {
  if (is_shared(p)) return 1;
  return p->kernel_w == 1 && p->in_c % 4 == 0 ? 2 : 0;
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  (is_shared((const struct mote_conv2d_s8 *)params) ? row_column : row_patch)(params, rows, state,
                                                                              out);
}

/* Helium widens nothing: one way for all of them. */
static void row_mve(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)params;
  mote_isa_conv_row__mve(p, rows, state, mote_conv2d_s8_state_bytes(p), out);
}

#define KERNEL(row)                                                                                \
  { NULL, MOTE_ISA_MVE ? row_mve : row, NULL }
const struct mote_kernel mote_kernel_conv2d_s8 = KERNEL(row);
const struct mote_kernel mote_kernel_conv2d_s8__patch = KERNEL(row_patch);
const struct mote_kernel mote_kernel_conv2d_s8__whole = KERNEL(row_whole);
const struct mote_kernel mote_kernel_conv2d_s8__column = KERNEL(row_column);

static void row4_patch(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv4_patch);
}
static void row4_column(const void *params, const void *const *rows, void *state, void *out) {
  row_of_columns((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv4_column);
}

unsigned mote_conv2d_s4_form(const struct mote_conv2d_s8 *p) { return is_shared(p) ? 1 : 0; }

static void row4(const void *params, const void *const *rows, void *state, void *out) {
  (is_shared((const struct mote_conv2d_s8 *)params) ? row4_column : row4_patch)(params, rows, state,
                                                                                out);
}

const struct mote_kernel mote_kernel_conv2d_s4 = {NULL, row4, NULL};
const struct mote_kernel mote_kernel_conv2d_s4__patch = {NULL, row4_patch, NULL};
const struct mote_kernel mote_kernel_conv2d_s4__column = {NULL, row4_column, NULL};

/* Columns are below 2^24 and windows below 2^32 (mote_conv2d_s8_check), so 64 bits hold every product. */
size_t mote_conv2d_s8_state_bytes(const struct mote_conv2d_s8 *p) {
  uint64_t bytes;
  if (is_shared(p)) {
    const uint64_t positions = (uint64_t)phase_of(p, least(p->strip_w, p->out_w)) * p->stride_w;
    bytes = 4 * (uint64_t)p->kernel_w + positions * mote_conv_column(p) * 2;
  } else {
    const uint64_t pixels = patch_pixels(p);
    const uint64_t more = p->dilation_w == 1 ? (pixels - 1) * p->stride_w : 0;
    bytes = pixels * mote_conv_window(p) * 2;
    if (p->in_c % 4 != 0) bytes += (more + p->kernel_w) * mote_conv_column(p);
  }
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

size_t mote_conv2d_s4_state_bytes(const struct mote_conv2d_s8 *p) {
  return mote_conv2d_s8_state_bytes(p);
}

/* `blocks` of weights, each a window's bytes. */
static enum mote_status check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b,
                              uint32_t blocks) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->strip_w == 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  const uint64_t k = (uint64_t)p->kernel_w * p->kernel_h * p->in_c;
  if (k > UINT32_MAX - 3 ||
      !mote_bounds_constant(b, p->weights_at, mote_up4((uint32_t)k) * (uint64_t)blocks))
    return MOTE_ERR_BOUNDS;
  if ((uint64_t)p->in_w * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->rows_out * p->out_w * p->out_c > b->out_bytes ||
      mote_conv2d_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return mote_output_check(&p->output, p, b, p->out_c, k);
}

enum mote_status mote_conv2d_s8_check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b) {
  return check(p, b, p->out_c);
}
enum mote_status mote_conv2d_s4_check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b) {
  return check(p, b, (p->out_c + 1u) / 2);
}
