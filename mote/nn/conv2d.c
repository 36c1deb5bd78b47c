/* conv2d: CONV_2D. Windows are widened to int16 in the state, then every output channel goes over a block
 * of pixels, so that a weight is loaded and widened once for up to MOTE_CONV_BLOCK pixels.
 *
 * Three ways to fill the strip (mote/isa/isa.h describes positions and quads):
 *   whole     a position is a pixel's whole window, widened row by row from where it lies: kernel_w is 1,
 *             in_c a multiple of 4, and no column is outside. Pixels of several rows form one run.
 *   gathered  the same for any other window that is not shared: its bytes are first brought into
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

/* Whether the bytes of a window must be brought into order first. */
static int is_gathered(const struct mote_conv2d_s8 *p) {
  return p->in_c % 4 != 0 || p->pad_left > 0 ||
         (uint32_t)(p->out_w - 1) * p->stride_w + p->kernel_w > p->in_w;
}

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

/* Of `count` columns column, column + step, ... those before the row, those in it, and those behind. */
struct inside {
  uint32_t before, n, behind;
};
static struct inside inside_of(const struct mote_conv2d_s8 *p, int32_t column, uint32_t step,
                               uint32_t count) {
  struct inside s = {0, 0, 0};
  for (; count && column < 0; count--, column += (int32_t)step) s.before++;
  if (count && column + (int32_t)((count - 1) * step) < p->in_w) { /* below 2^24 */
    s.n = count;
    return s;
  }
  for (; count && column < p->in_w; count--, column += (int32_t)step) s.n++;
  s.behind = count;
  return s;
}

/* Where values go: distances in int16. */
struct steps {
  uint32_t position, quad;
};

static void clear(int16_t *to, const struct steps *s, uint32_t n, uint32_t positions) {
  for (; positions; positions--, to += s->position) {
    int16_t *quad = to;
    for (uint32_t k = 0; k < n; k += 4, quad += s->quad) quad[0] = quad[1] = quad[2] = quad[3] = 0;
  }
}

/* Widens `count` columns as the rows lie: column, column + step, ...; what is outside is 0. */
APART void widen_columns(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                         uint32_t step, uint32_t count, int16_t *to, const struct steps *s) {
  const struct inside in = inside_of(p, column, step, count);
  const int32_t at = (column + (int32_t)(in.before * step)) * p->in_c;
  for (uint32_t i = p->kernel_h; i; i--, to += p->in_c / 4u * s->quad) {
    const int8_t *row = (const int8_t *)*rows++;
    if (row == NULL) {
      clear(to, s, p->in_c, count);
      continue;
    }
    int16_t *next = to + in.before * s->position;
    if (in.before) clear(to, s, p->in_c, in.before);
    if (in.n)
      mote_isa_widen(next, s->quad, s->position, row + at, step * p->in_c, p->in_c, in.n,
                     p->output.in_zp);
    if (in.behind) clear(next + in.n * s->position, s, p->in_c, in.behind);
  }
}

/* Brings `count` columns into order at `to`: column after column, of each the rows, of each in_c bytes.
 * What lies outside is the zero point. */
APART void gather(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                  uint32_t count, uint32_t step, int8_t *to) {
  const uint32_t column_values = mote_conv_column(p);
  const struct inside in = inside_of(p, column, step, count);
  const int32_t at = (column + (int32_t)(in.before * step)) * p->in_c;
  uint32_t whole = in.n == count;
  for (uint32_t i = 0; i < p->kernel_h; i++)
    if (rows[i] == NULL) whole = 0;
  if (!whole)
    for (uint32_t i = count * column_values; i; i--) to[i - 1] = p->output.in_zp;
  to += in.before * column_values;
  for (uint32_t i = p->kernel_h; i; i--, to += p->in_c) {
    const int8_t *row = (const int8_t *)*rows++;
    if (row) mote_isa_gather(to, column_values, row + at, step * p->in_c, p->in_c, in.n);
  }
}

/* Where the next windows come from, and go to. */
struct patches {
  const struct mote_conv2d_s8 *p;
  const void *const *rows;
  int16_t *strip;
  int8_t *bytes; /* gathered */
  uint32_t x;    /* the next pixel of the row */
};

/* Fills the strip with the windows of the next `pixels` pixels, which may be of several rows. Gathered columns are
 * shared where the dilation is 1. */
APART void fill_patches(struct patches *f, uint32_t pixels) {
  const struct mote_conv2d_s8 *p = f->p;
  const uint32_t column_values = mote_conv_column(p);
  const struct steps s = {MOTE_ISA_INTERLEAVED ? 4 : mote_conv_window(p),
                          MOTE_ISA_INTERLEAVED ? 4 * pixels : 4};
  int16_t *strip = f->strip;
  while (pixels) {
    /* Windows of all pixels of a row at once, or where they share nothing one by one. */
    uint32_t n = least(pixels, p->out_w - f->x), pieces = p->kernel_h, values = p->in_c,
             step = p->stride_w * values, at = f->x * step;
    const void *const *rows = f->rows, *bytes = f->bytes;
    int16_t *to = strip;
    if (is_gathered(p)) {
      if (p->dilation_w != 1) n = 1;
      gather(p, rows, (int32_t)(f->x * p->stride_w) - p->pad_left,
             (n - 1) * p->stride_w + p->kernel_w, p->dilation_w, f->bytes);
      rows = &bytes;
      pieces = 1;
      values = column_values * p->kernel_w;
      step = p->stride_w * column_values;
      at = 0;
    }
    for (; pieces; pieces--, to += values / 4 * s.quad) {
      const int8_t *row = (const int8_t *)*rows++;
      if (row)
        mote_isa_widen(to, s.quad, s.position, row + at, step, values, n, p->output.in_zp);
      else
        clear(to, &s, values, n);
    }
    pixels -= n;
    strip += n * s.position;
    f->x += n;
    if (f->x == p->out_w) {
      f->x = 0;
      f->rows += p->stride_h;
    }
  }
}

typedef void conv_begin(struct mote_conv_job *job, const struct mote_conv2d_s8 *p);
typedef void conv_loop(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                       int8_t *out);
static inline __attribute__((always_inline)) void
row_of_patches(const struct mote_conv2d_s8 *p, const void *const *rows, void *state, void *out,
               conv_begin *begin, conv_loop *conv) {
  const uint32_t most = patch_pixels(p);
  struct patches f;
  struct mote_conv_job job;
  int8_t *to = (int8_t *)out;
  f.p = p;
  f.rows = rows;
  f.strip = (int16_t *)state;
  f.bytes = (int8_t *)(f.strip + (size_t)most * mote_conv_window(p));
  f.x = 0;
  begin(&job, p);
  for (uint32_t left = (uint32_t)p->rows_out * p->out_w, pixels; left; left -= pixels) {
    pixels = mote_block_of(left, most);
    fill_patches(&f, pixels);
    conv(&job, f.strip, pixels, to);
    to += (size_t)pixels * p->out_c;
  }
}
static void row_patch(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin,
                 mote_job_conv_patch);
}
static void row_whole(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin,
                 mote_job_conv_whole);
}

/* Where kernel column j of a strip's first pixel stands. */
APART void place_columns(const struct mote_conv2d_s8 *p, uint32_t phase, uint32_t *column_at) {
  const uint32_t position_step = MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p);
  for (uint32_t j = 0, c = 0; j < p->kernel_w; j++, c += p->dilation_w)
    column_at[j] = (c % p->stride_w * phase + c / p->stride_w) * position_step;
}

/* Widens the columns under n pixels from x on, phase by phase. */
APART void widen_phases(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                        uint32_t n, uint32_t phase_step, int16_t *strip) {
  const uint32_t position = MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p);
  const struct steps s = {position, MOTE_ISA_INTERLEAVED ? 4 * phase_step * p->stride_w : 4};
  const uint32_t columns = columns_under(p, n);
  int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
  uint32_t last = columns + p->stride_w - 1;
  for (uint32_t i = p->stride_w; i; i--, last--, column++, strip += phase_step * position)
    widen_columns(p, rows, column, p->stride_w, last / p->stride_w, strip, &s);
}

typedef void conv_columns(struct mote_conv_job *job, const int16_t *values, uint32_t pixels,
                          int8_t *out, const uint32_t *column_at, uint32_t positions);
static inline __attribute__((always_inline)) void
row_of_columns(const struct mote_conv2d_s8 *p, const void *const *rows, void *state, void *out,
               conv_begin *begin, conv_columns *conv) {
  const uint32_t most = least(p->strip_w, p->out_w), phase = phase_of(p, most);
  int16_t *strip = (int16_t *)((uint32_t *)state + p->kernel_w);
  int8_t *to = (int8_t *)out;
  struct mote_conv_job job;
  begin(&job, p);
  place_columns(p, phase, (uint32_t *)state);
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h) {
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, most);
      widen_phases(p, rows, x, n, phase, strip);
      for (uint32_t done = 0, pixels; done < n; done += pixels) {
        const size_t at = (size_t)done * (MOTE_ISA_INTERLEAVED ? 4 : mote_conv_column(p));
        pixels = mote_block_of(n - done, MOTE_CONV_BLOCK);
        conv(&job, strip + at, pixels, to, (const uint32_t *)state, phase * p->stride_w);
        to += (size_t)pixels * p->out_c;
      }
    }
  }
}

static void row_column(const void *params, const void *const *rows, void *state, void *out) {
  row_of_columns((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin,
                 mote_job_conv_column);
}

static void row_patch_above(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin_above,
                 mote_job_conv_patch);
}
static void row_whole_above(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin_above,
                 mote_job_conv_whole);
}
static void row_column_above(const void *params, const void *const *rows, void *state, void *out) {
  row_of_columns((const struct mote_conv2d_s8 *)params, rows, state, out, mote_isa_conv_begin_above,
                 mote_job_conv_column);
}

unsigned mote_conv2d_s8_form(const struct mote_conv2d_s8 *p) {
  const unsigned above = mote_output_is_above(&p->output) ? 3 : 0;
  if (is_shared(p)) return above + 1;
  return above + (p->kernel_w == 1 && p->in_c % 4 == 0 ? 2 : 0);
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
const struct mote_kernel mote_kernel_conv2d_s8__patch_above = KERNEL(row_patch_above);
const struct mote_kernel mote_kernel_conv2d_s8__whole_above = KERNEL(row_whole_above);
const struct mote_kernel mote_kernel_conv2d_s8__column_above = KERNEL(row_column_above);

static void row4_patch(const void *params, const void *const *rows, void *state, void *out) {
  row_of_patches((const struct mote_conv2d_s8 *)params, rows, state, out, mote_job_begin,
                 mote_job_conv4_patch);
}
static void row4_column(const void *params, const void *const *rows, void *state, void *out) {
  row_of_columns((const struct mote_conv2d_s8 *)params, rows, state, out, mote_job_begin,
                 mote_job_conv4_column);
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
    /* The last quad of a window is read whole. */
    if (is_gathered(p)) bytes += (more + p->kernel_w) * mote_conv_column(p) + 3;
  }
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* Elsewhere a strip of windows that share nothing is a block at most. Helium shares columns in other layers, and of those
 * that share none, fewer pixels may fit the state than strip_w says. */
int mote_conv2d_s8_reads_first(const struct mote_conv2d_s8 *p, int helium) {
  const uint64_t pixels = (uint64_t)p->rows_out * p->out_w;
  const int by_rows = is_shared(p) || (helium && mote_conv_overlap(p));
  if (p->strip_w < pixels || (by_rows && p->rows_out > 1)) return 0;
  if (!is_shared(p) && pixels > MOTE_CONV_BLOCK) return 0;
  return !helium || mote_conv_overlap_pixels(p, mote_conv2d_s8_state_bytes(p)) >= pixels;
}

size_t mote_conv2d_s4_state_bytes(const struct mote_conv2d_s8 *p) {
  return mote_conv2d_s8_state_bytes(p);
}

/* `blocks` of weights, each a window's bytes. */
static enum mote_status check_window(const struct mote_conv2d_s8 *p, const struct mote_bounds *b,
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
  return MOTE_OK;
}

static enum mote_status check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b,
                              uint32_t blocks) {
  const enum mote_status status = check_window(p, b, blocks);
  const uint64_t k = (uint64_t)p->kernel_w * p->kernel_h * p->in_c;
  return status != MOTE_OK ? status : mote_output_check(&p->output, p, b, p->out_c, k);
}

enum mote_status mote_conv2d_window_check(const struct mote_conv2d_s8 *p,
                                          const struct mote_bounds *b) {
  return check_window(p, b, p->out_c);
}
enum mote_status mote_conv2d_s8_check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b) {
  return check(p, b, p->out_c);
}
enum mote_status mote_conv2d_s4_check(const struct mote_conv2d_s8 *p, const struct mote_bounds *b) {
  return check(p, b, (p->out_c + 1u) / 2);
}
