/* conv2d_pairs: CONV_2D by pairs of pixels, weights of 4 bits (mote/isa/isa.h, "pairs of pixels").
 *
 * A strip of n pixels is m = (n + 1) / 2 pairs: pixel i beside pixel i + m. Their windows lie in scratch as words that
 * hold both; an odd strip's last pixel stands beside itself and is made once. As in conv2d.c, windows of kernels
 * wider than one column share their columns, those of other pixels and of first layers are apart.
 *
 * State: where kernel columns begin, then the strip; first layers bring one window after the other into order behind it. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static int is_shared(const struct mote_conv2d_s8 *p) { return p->kernel_w > 1 && p->in_c % 4 == 0; }

/* Most pixels of a strip, and the pairs that they are. */
static uint32_t strip_pixels(const struct mote_conv2d_s8 *p) {
  const uint32_t run = is_shared(p) ? p->out_w : (uint32_t)p->rows_out * p->out_w;
  return least(p->strip_w, run);
}
static uint32_t pairs_of(uint32_t pixels) { return (pixels + 1) / 2; }

/* Shared columns of one phase under m pairs. */
static uint32_t phase_of(const struct mote_conv2d_s8 *p, uint32_t m) {
  const uint32_t columns = (m - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1;
  return (columns + p->stride_w - 1) / p->stride_w;
}

static const int8_t *column_of(const struct mote_conv2d_s8 *p, const void *row, int32_t column) {
  if (row == NULL || column < 0 || column >= p->in_w) return NULL;
  return (const int8_t *)row + (uint32_t)column * p->in_c;
}

/* ---- windows apart ------------------------------------------------------------------------ */

/* A pixel of a call: the rows of its window and where the window begins. */
struct pixel {
  const void *const *rows;
  uint32_t x;
};

static void pixel_next(const struct mote_conv2d_s8 *p, struct pixel *at) {
  if (++at->x < p->out_w) return;
  at->x = 0;
  at->rows += p->stride_h;
}

/* Brings a pixel's window into the order of the weights. */
static void gather(const struct mote_conv2d_s8 *p, const struct pixel *at, int8_t *to) {
  int32_t column = (int32_t)(at->x * p->stride_w) - p->pad_left;
  for (uint32_t j = p->kernel_w; j; j--, column += p->dilation_w)
    for (uint32_t i = 0; i < p->kernel_h; i++) {
      const int8_t *from = column_of(p, at->rows[i], column);
      int8_t *const end = to + p->in_c;
      if (from) {
        do *to++ = *from++;
        while (to != end);
      } else {
        do *to++ = p->output.in_zp;
        while (to != end);
      }
    }
}

/* Windows of one column over quads of channels: as the rows lie. */
static void widen_whole(const struct mote_conv2d_s8 *p, const struct pixel *a,
                        const struct pixel *b, uint32_t quad_step, uint32_t *to) {
  const int32_t at_a = (int32_t)(a->x * p->stride_w) - p->pad_left,
                at_b = (int32_t)(b->x * p->stride_w) - p->pad_left;
  for (uint32_t i = 0; i < p->kernel_h; i++)
    mote_isa_widen_pair(to, quad_step, i * p->in_c, column_of(p, a->rows[i], at_a),
                        column_of(p, b->rows[i], at_b), p->in_c, p->output.in_zp);
}

static void fill_windows(const struct mote_conv2d_s8 *p, struct pixel at, uint32_t pixels,
                         uint32_t *strip) {
  const uint32_t m = pairs_of(pixels), window = mote_conv_window(p);
  const uint32_t k = (uint32_t)p->kernel_w * mote_conv_column(p);
  int8_t *bytes = (int8_t *)(strip + (size_t)m * window);
  struct pixel a = at, b = at;
  for (uint32_t i = 0; i < m; i++) pixel_next(p, &b);
  for (uint32_t i = 0; i < m; i++, strip += 4) {
    const struct pixel *const second = i + m < pixels ? &b : &a;
    if (p->in_c % 4 == 0) {
      widen_whole(p, &a, second, 4 * m, strip);
    } else {
      gather(p, &a, bytes);
      gather(p, second, bytes + k);
      mote_isa_widen_pair(strip, 4 * m, 0, bytes, bytes + k, k, p->output.in_zp);
    }
    pixel_next(p, &a);
    if (i + m < pixels) pixel_next(p, &b);
  }
}

static void row_of_windows(const struct mote_conv2d_pairs_s4 *t, const void *const *rows,
                           void *state, int8_t *to) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t most = strip_pixels(p);
  uint32_t *column_at = (uint32_t *)state, *strip = column_at + 1;
  struct pixel at = {rows, 0};
  *column_at = 0;
  for (uint32_t left = (uint32_t)p->rows_out * p->out_w, n; left; left -= n) {
    struct mote_pairs_job d;
    n = mote_block_of(left, most);
    fill_windows(p, at, n, strip);
    for (uint32_t i = 0; i < n; i++) pixel_next(p, &at);
    d.words = strip;
    d.pixels = n;
    d.column_at = column_at;
    d.columns = 1;
    d.n = mote_conv_window(p);
    d.quad_step = 4 * pairs_of(n);
    d.out = to;
    mote_isa_conv4_pairs(t, &d);
    to += (size_t)n * p->out_c;
  }
}

/* ---- shared columns -------------------------------------------------------------------------- */

/* Widens what pixels x .. x + n - 1 see: pair column c is columns c and c + m * stride from the window's begin on.
 * An odd strip's last pair looks beyond it, at what lies outside or is not used. */
static void fill_columns(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                         uint32_t m, uint32_t phase_step, uint32_t *strip) {
  const uint32_t columns = (m - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1;
  const uint32_t quad_step = 4 * phase_step * p->stride_w;
  const int32_t apart = (int32_t)(m * p->stride_w);
  int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  uint32_t phase = 0, index = 0;
  for (uint32_t c = columns; c; c--, column++) {
    uint32_t *to = strip + 4 * (size_t)(phase * phase_step + index);
    for (uint32_t i = 0; i < p->kernel_h; i++)
      mote_isa_widen_pair(to, quad_step, i * p->in_c, column_of(p, rows[i], column),
                          column_of(p, rows[i], column + apart), p->in_c, p->output.in_zp);
    if (++phase == p->stride_w) {
      phase = 0;
      index++;
    }
  }
}

static void row_of_columns(const struct mote_conv2d_pairs_s4 *t, const void *const *rows,
                           void *state, int8_t *to) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t most = strip_pixels(p), phase = phase_of(p, pairs_of(most));
  uint32_t *column_at = (uint32_t *)state, *strip = column_at + p->kernel_w;
  struct mote_pairs_job d;
  for (uint32_t j = 0, c = 0; j < p->kernel_w; j++, c += p->dilation_w)
    column_at[j] = 4 * (c % p->stride_w * phase + c / p->stride_w);
  d.words = strip;
  d.column_at = column_at;
  d.columns = p->kernel_w;
  d.n = mote_conv_column(p);
  d.quad_step = 4 * phase * p->stride_w;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, most);
      fill_columns(p, rows, x, pairs_of(n), phase, strip);
      d.pixels = n;
      d.out = to;
      mote_isa_conv4_pairs(t, &d);
      to += (size_t)n * p->out_c;
    }
  }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_pairs_s4 *t = (const struct mote_conv2d_pairs_s4 *)params;
  (is_shared(&t->conv) ? row_of_columns : row_of_windows)(t, rows, state, (int8_t *)out);
}

const struct mote_kernel mote_kernel_conv2d_pairs_s4 = {NULL, row, NULL};

/* Columns are below 2^24 and windows below 2^32 (mote_conv2d_s4_check), so 64 bits hold every product. */
size_t mote_conv2d_pairs_s4_state_bytes(const struct mote_conv2d_pairs_s4 *t) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint64_t m = pairs_of(strip_pixels(p));
  uint64_t bytes;
  if (is_shared(p)) {
    const uint64_t positions = (uint64_t)phase_of(p, (uint32_t)m) * p->stride_w;
    bytes = 4 * (uint64_t)p->kernel_w + positions * mote_conv_column(p) * 4;
  } else {
    bytes = 4 + m * mote_conv_window(p) * 4;
    if (p->in_c % 4 != 0) bytes += 2 * (uint64_t)p->kernel_w * mote_conv_column(p);
  }
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

enum mote_status mote_conv2d_pairs_s4_check(const struct mote_conv2d_pairs_s4 *t,
                                            const struct mote_bounds *b) {
  struct mote_bounds any_state = *b;
  if (b->params_bytes < sizeof *t) return MOTE_ERR_BOUNDS;
  any_state.state_bytes = SIZE_MAX;
  const enum mote_status status = mote_conv2d_s4_check(&t->conv, &any_state);
  if (status != MOTE_OK) return status;
  if (t->run == 0) return MOTE_ERR_PARAMS;
  return mote_conv2d_pairs_s4_state_bytes(t) > b->state_bytes ? MOTE_ERR_BOUNDS : MOTE_OK;
}
