/* mve_conv: convolutions with Helium (mve.h). The windows of a strip of pixels are brought into order in the state as
 * int8; then four channels at a time go over its pixels (mve_run.c).
 *
 * A strip holds columns of kernel_h x in_c bytes, kernel column after column, so that a window is one run. Where
 * neighbouring windows overlap (no dilation, stride < kernel_w) they share columns; elsewhere each has its own. The strip
 * takes as many pixels as the state has room for, which the plan laid out for int16. */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

/* What returns before the loops run is kept out of their frames. */
#define APART __attribute__((noinline)) static

/* ---- the strip ------------------------------------------------------------------- */

static inline void copy(int8_t *to, const int8_t *from, uint32_t n) {
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1:\n"
                   "  vldrb.8 q0, [%[from]], #16\n"
                   "  vstrb.8 q0, [%[to]], #16\n"
                   "  letp lr, 1b\n"
                   : [to] "+r"(to), [from] "+r"(from)
                   : [n] "r"(n)
                   : "q0", "lr", "memory");
}

/* Copies `pieces` runs of n bytes: from `from_step`, to `to_step` apart. */
static void copy_pieces(int8_t *to, uint32_t to_step, const int8_t *from, uint32_t from_step,
                        uint32_t n, uint32_t pieces) {
  for (; pieces; pieces--, to += to_step, from += from_step) copy(to, from, n);
}

/* Neighbouring pieces of a few bytes, as many at once as a vector holds. to_step <= 255 / 15 * n. */
static void spread_pieces(int8_t *to, uint32_t to_step, const int8_t *from, uint32_t n,
                          uint32_t pieces) {
  const uint32_t at_once = 16 / n;
  /* i / n = i * ceil(256 / n) / 256 for i < 16 */
  const uint8x16_t i = vidupq_n_u8(0, 1);
  const uint8x16_t piece = n == 1 ? i : vmulhq_u8(i, vdupq_n_u8((uint8_t)((255 + n) / n)));
  const uint8x16_t places = vmlaq_n_u8(i, piece, (uint8_t)(to_step - n));
  for (uint32_t some; pieces; pieces -= some) {
    some = pieces < at_once ? pieces : at_once;
    const mve_pred16_t here = vctp8q(some * n);
    vstrbq_scatter_offset_p_s8(to, places, vldrbq_z_s8(from, here), here);
    from += some * n;
    to += some * to_step;
  }
}

/* Brings `count` columns, `step` apart from `column` on, into order at `to`: of each the rows, of each in_c bytes. What
 * lies outside is the zero point. */
APART void gather(const struct mote_conv2d_s8 *p, const void *const *rows, int32_t column,
                  uint32_t step, uint32_t count, int8_t *to) {
  const uint32_t in_c = p->in_c, kernel_h = p->kernel_h, bytes = kernel_h * in_c;
  const int32_t room = (int32_t)p->in_w - column;
  uint32_t first = column < 0 ? ((uint32_t)-column + step - 1) / step : 0;
  uint32_t end = room <= 0 ? 0 : ((uint32_t)room + step - 1) / step;
  if (end > count) end = count;
  if (first > end) first = end;
  mve_fill(to, first * bytes, p->output.in_zp);
  mve_fill(to + (size_t)end * bytes, (count - end) * bytes, p->output.in_zp);
  if (first == end) return;
  const uint32_t pieces = end - first, from_step = step * in_c;
  const size_t at = (size_t)((uint32_t)column + first * step) * in_c;
  to += (size_t)first * bytes;
  for (uint32_t i = 0; i < kernel_h; i++, to += in_c) {
    if (rows[i] == NULL) {
      int8_t *piece = to;
      for (uint32_t k = pieces; k; k--, piece += bytes) mve_fill(piece, in_c, p->output.in_zp);
      continue;
    }
    const int8_t *from = (const int8_t *)rows[i] + at;
    if (step == 1 && kernel_h == 1)
      copy(to, from, pieces * in_c);
    else if (step == 1 && in_c <= 8 && kernel_h <= 17)
      spread_pieces(to, bytes, from, in_c, pieces);
    else
      copy_pieces(to, bytes, from, from_step, in_c, pieces);
  }
}

static void run(struct mve_run *r) {
  if (mve_goes_by_two(r))
    mote_mve_run_two(r);
  else
    mote_mve_run(r);
}

/* Layers that are wide or have fewer channels than four: group by group. */
APART void any_group(const struct mote_conv2d_s8 *p, struct mve_run *r, uint32_t c, uint32_t n) {
  const struct mve_windows w = {&p->output, c, n, r->length, 1, 0};
  r->x[1] = r->x[2] = r->x[3] = r->x[0];
  mote_mve_windows(r, &w);
}
APART void any_groups(const struct mote_conv2d_s8 *p, struct mve_run *r, int8_t *out) {
  const uint32_t out_c = p->out_c, n = out_c < 4 ? out_c : 4;
  for (uint32_t c = 0; c < out_c; c += 4) {
    if (c + n > out_c) c = out_c - n;
    r->out = out + c;
    if (mote_mve_prepare(r, &p->output, c, n, (const int8_t *)mote_at(p, p->weights_at),
                         mote_conv_window(p), mote_conv_column(p) * p->kernel_w) &&
        n == 4)
      run(r);
    else
      any_group(p, r, c, n);
  }
}

/* Groups from channel c on. */
static inline void groups(const struct mote_conv2d_s8 *p, struct mve_run *r, uint32_t c, uint32_t n,
                          int8_t *out) {
  mote_mve_from(r, &p->output, c, (const int8_t *)mote_at(p, p->weights_at), mote_conv_window(p),
                mote_conv_column(p) * p->kernel_w);
  mote_mve_fold(r, &p->output, p->out_c);
  if (mote_mve_sums_first(r)) {
    r->first_zp = r->minus_zp;
    r->minus_zp = 0;
  }
  r->out = out + c;
  r->groups = n;
  run(r);
}

/* Where the next pixels come from. */
struct place {
  const void *const *rows;
  uint32_t x;
};

/* The windows of `pixels` neighbours of a row, step apart at `to`. Those that overlap share columns. */
static void fill_row(const struct mote_conv2d_s8 *p, const struct place *at, int shared,
                     uint32_t pixels, uint32_t window_step, int8_t *to) {
  int32_t left = (int32_t)(at->x * p->stride_w) - p->pad_left;
  uint32_t step = shared ? 1 : p->dilation_w, count = p->kernel_w;
  if (shared) count += (pixels - 1) * p->stride_w;
  if (count == 1) {
    step = p->stride_w;
    count = pixels;
  }
  for (; pixels; pixels--, left += p->stride_w, to += window_step) {
    gather(p, at->rows, left, step, count, to);
    if (shared || p->kernel_w == 1) return;
  }
}

/* The windows of r->pixels pixels, which may be of several rows where they share nothing. */
APART void fill_strip(const struct mote_conv2d_s8 *p, struct place *at, int shared,
                      struct mve_run *r) {
  int8_t *to =
      (int8_t *)(uintptr_t)r->x[0]; /* the state, which is written here and read by the loop */
  for (uint32_t left = r->pixels, n; left; left -= n, to += n * r->step) {
    n = left < p->out_w - at->x ? left : p->out_w - at->x;
    fill_row(p, at, shared, n, r->step, to);
    at->x += n;
    if (at->x < p->out_w) continue;
    at->x = 0;
    at->rows += p->stride_h;
  }
}

/* Whether windows are read where they lie: pixels that are whole windows, of a layer whose outputs, being more, are
 * never written over its inputs, and whose plan does not count on a whole row's being read first. */
static int is_in_place(const struct mote_conv2d_s8 *p) {
  return p->kernel_w == 1 && p->kernel_h == 1 && p->pad_left == 0 && p->out_c > p->in_c &&
         p->out_w > MOTE_CONV_BLOCK && (uint32_t)(p->out_w - 1) * p->stride_w < p->in_w;
}

void mote_isa_conv_row__mve(const struct mote_conv2d_s8 *p, const void *const *rows, void *state,
                            size_t state_bytes, void *out) {
  const int shared = mote_conv_overlap(p);
  const uint32_t column = mote_conv_column(p), most = mote_conv_overlap_pixels(p, state_bytes);
  struct mve_run r;
  int8_t *to = (int8_t *)out;
  r.length = column * p->kernel_w;
  r.count = (r.length - 1) % 16 + 1;
  struct place at = {rows, 0};
  for (uint32_t left = (uint32_t)p->rows_out * p->out_w; left; left -= r.pixels) {
    const int in_place = is_in_place(p) && at.rows[0] != NULL && at.x == 0;
    r.pixels = in_place ? p->out_w : mote_block_of(shared ? p->out_w - at.x : left, most);
    /* One pixel is its own neighbour where a loop takes two. */
    r.step = r.pixels == 1 ? 0 : column * (shared || in_place ? p->stride_w : p->kernel_w);
    r.out_step = r.pixels == 1 ? 0 : p->out_c;
    mote_mve_set_body(&r);
    r.x[0] = (const int8_t *)(in_place ? at.rows[0] : state);
    if (in_place)
      at.rows += p->stride_h;
    else
      fill_strip(p, &at, shared, &r);
    if (p->output.wide || p->out_c < 4) {
      any_groups(p, &r, to);
    } else {
      groups(p, &r, 0, p->out_c / 4, to);
      /* What is left of four channels is made with the last four once more. */
      if (p->out_c % 4) groups(p, &r, p->out_c - 4u, 1, to);
    }
    to += r.pixels * p->out_c;
  }
  mote_mve_clamp(p->output.low, p->output.high, (int8_t *)out, (uint32_t)(to - (int8_t *)out));
}

#else
typedef int mote_isa_mve_conv_is_empty; /* C wants a declaration in every file */
#endif
