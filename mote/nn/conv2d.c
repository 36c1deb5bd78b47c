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
 * State: uint32 for each kernel column (where its run starts), the strip, the gathered bytes. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

typedef char mote_conv_block_is_the_loops[MOTE_CONV_BLOCK == MOTE_ISA_BLOCK ? 1 : -1];

struct layout {
  int shared, gathered;
  uint32_t columns; /* runs of a window: kernel_w, or 1 */
  uint32_t quads;   /* of a run */
  uint32_t pixels;  /* widened at a time */
  uint32_t phase;   /* shared: positions of one phase */
  uint64_t bytes;   /* gathered: room for the columns of a block */
};

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Whether windows share columns. */
static int is_shared(const struct mote_conv2d_s8 *p) { return p->kernel_w > 1 && p->in_c % 4 == 0; }

/* needs: window and products checked below 2^24 and 2^32 (mote_conv2d_s8_check). */
static struct layout layout_of(const struct mote_conv2d_s8 *p) {
  const uint32_t tall = (uint32_t)p->kernel_h * p->in_c;
  struct layout l;
  l.shared = is_shared(p);
  l.gathered = p->in_c % 4 != 0;
  l.bytes = 0;
  l.columns = l.shared ? p->kernel_w : 1;
  l.quads = l.shared ? tall / 4 : mote_up4(tall * p->kernel_w) / 4;
  if (l.shared) {
    l.pixels = least(p->strip_w, p->out_w);
    const uint32_t wide =
        (l.pixels - 1) * p->stride_w + (uint32_t)(p->kernel_w - 1) * p->dilation_w + 1;
    l.phase = (wide + p->stride_w - 1) / p->stride_w;
  } else {
    l.pixels = least(least(p->strip_w, MOTE_CONV_BLOCK), (uint32_t)p->rows_out * p->out_w);
    l.phase = 0;
    if (l.gathered) {
      const uint32_t more = p->dilation_w == 1 ? (l.pixels - 1) * p->stride_w : 0;
      l.bytes = ((uint64_t)more + p->kernel_w) * tall;
    }
  }
  return l;
}

/* Blocks of nearly equal size: 8 pixels are 4 + 4, not 5 + 3. */
static uint32_t block_of(uint32_t left) {
  const uint32_t blocks = (left + MOTE_CONV_BLOCK - 1) / MOTE_CONV_BLOCK;
  return blocks <= 1 ? left : (left + blocks - 1) / blocks;
}

/* Widens the window of pixel x: kernel_w is 1, rows lie as they are. */
static void widen_whole(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                        int16_t *position, uint32_t quad_step) {
  const int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  const int inside = column >= 0 && column < p->in_w;
  for (uint32_t i = 0; i < p->kernel_h; i++) {
    const int8_t *row = inside ? (const int8_t *)rows[i] : NULL;
    mote_isa_widen(position, quad_step, i * p->in_c, row ? row + (uint32_t)column * p->in_c : NULL,
                   p->in_c, p->in_zp);
  }
}

/* Brings `columns` columns into order at `to`: column after column, of each the rows, of each in_c bytes.
 * What lies outside is the zero point. */
static void gather(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                   uint32_t columns, uint32_t step, int8_t *to) {
  const uint32_t in_c = p->in_c, kernel_h = p->kernel_h;
  const int8_t zp = (int8_t)p->in_zp;
  for (; columns; columns--, column += (int32_t)step) {
    const int inside = column >= 0 && column < p->in_w;
    const uint32_t at = (uint32_t)column * in_c;
    for (uint32_t i = 0; i < kernel_h; i++) {
      const int8_t *from = inside && rows[i] ? (const int8_t *)rows[i] + at : NULL;
      for (uint32_t c = 0; c < in_c; c++) *to++ = from ? from[c] : zp;
    }
  }
}

/* Widens the windows of n pixels of one row from x on, gathered first. */
static void widen_gathered(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                           uint32_t n, int16_t *position, uint32_t position_step,
                           uint32_t quad_step, int8_t *bytes) {
  const uint32_t tall = (uint32_t)p->kernel_h * p->in_c, k = tall * p->kernel_w;
  const int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  if (p->dilation_w == 1) gather(p, rows, column, (n - 1) * p->stride_w + p->kernel_w, 1, bytes);
  for (uint32_t i = 0; i < n; i++, position += position_step) {
    if (p->dilation_w == 1) {
      mote_isa_widen(position, quad_step, 0, bytes + (size_t)i * p->stride_w * tall, k, p->in_zp);
    } else {
      gather(p, rows, column + (int32_t)(i * p->stride_w), p->kernel_w, p->dilation_w, bytes);
      mote_isa_widen(position, quad_step, 0, bytes, k, p->in_zp);
    }
  }
}

/* Widens the columns under pixels x .. x + n - 1 of one output row. */
static void widen_columns(const struct mote_conv2d_s8 *p, const struct layout *l,
                          const void *const *rows, uint32_t x, uint32_t n, int16_t *strip,
                          uint32_t position_step, uint32_t quad_step) {
  const uint32_t wide = (n - 1) * p->stride_w + (uint32_t)(p->kernel_w - 1) * p->dilation_w + 1;
  int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  uint32_t phase = 0, index = 0;
  for (uint32_t c = 0; c < wide; c++, column++) {
    int16_t *position = strip + (size_t)(phase * l->phase + index) * position_step;
    const int inside = column >= 0 && column < p->in_w;
    for (uint32_t i = 0; i < p->kernel_h; i++) {
      const int8_t *row = inside ? (const int8_t *)rows[i] : NULL;
      mote_isa_widen(position, quad_step, i * p->in_c,
                     row ? row + (uint32_t)column * p->in_c : NULL, p->in_c, p->in_zp);
    }
    if (++phase == p->stride_w) {
      phase = 0;
      index++;
    }
  }
}

/* A block that is ready but for its place. */
static struct mote_conv_job block_for(const struct mote_conv2d_s8 *p, const struct layout *l,
                                      const uint32_t *column_at) {
  struct mote_conv_job b;
  b.output = &p->output;
  b.params = p;
  b.weights = (const int8_t *)mote_at(p, p->weights_at);
  b.weights_step = mote_up4((uint32_t)p->kernel_w * p->kernel_h * p->in_c);
  b.channels = p->out_c;
  b.column_at = column_at;
  b.columns = l->columns;
  b.quads = l->quads;
  b.out_step = p->out_c;
  return b;
}

static void run_patches(const struct mote_conv2d_s8 *p, const struct layout *l,
                        const void *const *rows, uint32_t *column_at, int8_t *out) {
  struct mote_conv_job b = block_for(p, l, column_at);
  int16_t *strip = (int16_t *)(column_at + 1);
  int8_t *bytes = (int8_t *)(strip + (size_t)l->pixels * l->quads * 4);
  const uint32_t total = (uint32_t)p->rows_out * p->out_w;
  uint32_t x = 0;
  column_at[0] = 0;
  for (uint32_t done = 0; done < total; done += b.pixels) {
    b.pixels = least(block_of(total - done), l->pixels);
    b.position_step = MOTE_ISA_INTERLEAVED ? 4 : 4 * b.quads;
    b.quad_step = MOTE_ISA_INTERLEAVED ? 4 * b.pixels : 4;
    for (uint32_t i = 0, n; i < b.pixels; i += n) {
      int16_t *position = strip + (size_t)i * b.position_step;
      n = 1;
      if (l->gathered) {
        n = least(b.pixels - i, p->out_w - x);
        widen_gathered(p, rows, x, n, position, b.position_step, b.quad_step, bytes);
      } else {
        widen_whole(p, rows, x, position, b.quad_step);
      }
      x += n;
      if (x == p->out_w) {
        x = 0;
        rows += p->stride_h;
      }
    }
    b.values = strip;
    b.out = out + (size_t)done * p->out_c;
    mote_isa_conv_patch(&b);
  }
}

static void run_shared(const struct mote_conv2d_s8 *p, const struct layout *l,
                       const void *const *rows, uint32_t *column_at, int8_t *out) {
  struct mote_conv_job b = block_for(p, l, column_at);
  int16_t *strip = (int16_t *)(column_at + p->kernel_w);
  b.position_step = MOTE_ISA_INTERLEAVED ? 4 : 4 * b.quads;
  b.quad_step = MOTE_ISA_INTERLEAVED ? 4 * l->phase * p->stride_w : 4;
  for (uint32_t j = 0, c = 0; j < p->kernel_w; j++, c += p->dilation_w)
    column_at[j] = (c % p->stride_w * l->phase + c / p->stride_w) * b.position_step;
  for (uint32_t r = 0; r < p->rows_out; r++, rows += p->stride_h) {
    for (uint32_t x = 0; x < p->out_w; x += l->pixels) {
      const uint32_t n = least(l->pixels, p->out_w - x);
      widen_columns(p, l, rows, x, n, strip, b.position_step, b.quad_step);
      b.values = strip;
      for (uint32_t done = 0; done < n; done += b.pixels) {
        b.pixels = block_of(n - done);
        b.out = out;
        mote_isa_conv_column(&b);
        b.values += (size_t)b.pixels * b.position_step;
        out += (size_t)b.pixels * p->out_c;
      }
    }
  }
}

static void row_patch(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)params;
  const struct layout l = layout_of(p);
  run_patches(p, &l, rows, (uint32_t *)state, (int8_t *)out);
}
static void row_column(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)params;
  const struct layout l = layout_of(p);
  run_shared(p, &l, rows, (uint32_t *)state, (int8_t *)out);
}

unsigned mote_conv2d_s8_form(const struct mote_conv2d_s8 *p) { return is_shared(p) ? 1 : 0; }

static void row(const void *params, const void *const *rows, void *state, void *out) {
  (is_shared((const struct mote_conv2d_s8 *)params) ? row_column : row_patch)(params, rows, state,
                                                                              out);
}

const struct mote_kernel mote_kernel_conv2d_s8 = {NULL, row, NULL};
const struct mote_kernel mote_kernel_conv2d_s8__patch = {NULL, row_patch, NULL};
const struct mote_kernel mote_kernel_conv2d_s8__column = {NULL, row_column, NULL};

size_t mote_conv2d_s8_state_bytes(const struct mote_conv2d_s8 *p) {
  const struct layout l = layout_of(p);
  const uint64_t positions = l.shared ? (uint64_t)l.phase * p->stride_w : l.pixels;
  const uint64_t bytes = 4 * (uint64_t)l.columns + positions * l.quads * 8 + l.bytes;
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

enum mote_status mote_conv2d_s8_check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->out_c == 0 || p->strip_w == 0 || !mote_is_int8(p->in_zp))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  const uint64_t k = (uint64_t)p->kernel_w * p->kernel_h * p->in_c;
  if (k > UINT32_MAX - 3 ||
      !mote_bounds_constant(b, p->weights_at, mote_up4((uint32_t)k) * (uint64_t)p->out_c))
    return MOTE_ERR_BOUNDS;
  if ((uint64_t)p->in_w * p->in_c > b->row_bytes[0] ||
      (uint64_t)p->rows_out * p->out_w * p->out_c > b->out_bytes ||
      mote_conv2d_s8_state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return mote_output_check(&p->output, p, b, p->out_c, k);
}
