/* conv2d_tiles: CONV_2D of 3x3 windows by Winograd's F(2x2, 3x3), two rows a call (mote/isa/isa.h says what a tile is).
 *
 * A row is made in strips of up to MOTE_TILES_TRIPLES triples of tiles: tile i stands beside tiles i + m and i + 2 m. What a
 * strip lacks of three times m tiles is computed from what lies there and not used.
 *
 * State: the 16 components of a strip's values, four columns on their way there, what an instruction set works in, and a
 * pixel of the zero point for what lies outside. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Triples of a strip of n pixels. */
static uint32_t triples_of(uint32_t n) { return (n + 5) / 6; }

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_triples_s8 *t = (const struct mote_conv2d_triples_s8 *)params;
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t n = p->in_c, most = triples_of(least(p->strip_w, p->out_w));
  struct mote_tiles_job d;
  d.p = t;
  d.words = (uint32_t *)state;
  d.out = (int8_t *)out;
  uint32_t *const columns = d.words + 32 * (size_t)n * most;
  d.scratch = columns + 32 * (size_t)n;
  int8_t *const pad = (int8_t *)(d.scratch + MOTE_TILES_SCRATCH);
  for (uint32_t k = 0; k < n; k++) pad[k] = p->output.in_zp;
  for (uint32_t x = 0; x < p->out_w; x += d.pixels, d.out += (size_t)d.pixels * p->out_c) {
    d.pixels = least(p->out_w - x, p->strip_w);
    d.triples = triples_of(d.pixels);
    d.quad_step = MOTE_ISA_TRIPLES_APART ? 8 * d.triples : 8;
    d.component_step = n / 4 * d.quad_step;
    d.triple_step = MOTE_ISA_TRIPLES_APART ? 8 : 32 * n;
    mote_isa_tiles_fill(p, rows, x, &d, columns, pad);
    mote_isa_conv_tiles(&d);
  }
}

const struct mote_kernel mote_kernel_conv2d_tiles_s8 = {NULL, row, NULL};

/* in_c < 2^16 and at most 3 triples: far below 2^32. */
size_t mote_conv2d_tiles_s8_state_bytes(const struct mote_conv2d_triples_s8 *t) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint64_t n = p->in_c, words = 32 * n * triples_of(least(p->strip_w, p->out_w)) + 32 * n;
  const uint64_t bytes = 4 * (words + MOTE_TILES_SCRATCH) + n;
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

enum mote_status mote_conv2d_tiles_s8_check(const struct mote_conv2d_triples_s8 *t,
                                            const struct mote_bounds *b) {
  const struct mote_conv2d_s8 *p = &t->conv;
  if (b->params_bytes < sizeof *t) return MOTE_ERR_BOUNDS;
  if (p->in_c == 0 || p->in_c % 4 != 0 || p->out_c == 0 || p->kernel_w != 3 || p->kernel_h != 3 ||
      p->stride_w != 1 || p->stride_h != 1 || p->dilation_w != 1 || p->rows_out != 2 ||
      p->strip_w == 0 || p->strip_w > 6 * MOTE_TILES_TRIPLES || p->strip_w % 2 != 0 ||
      t->run_values == 0 || t->run_values % 4 != 0 || t->run_columns != 0)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, 3, 1, 1, p->pad_left)) return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, 2, 1, 3) ||
      !mote_bounds_constant(b, p->weights_at, 32 * (uint64_t)p->in_c * p->out_c) ||
      (uint64_t)p->in_w * p->in_c > b->row_bytes[0] ||
      2 * (uint64_t)p->out_w * p->out_c > b->out_bytes ||
      mote_conv2d_tiles_s8_state_bytes(t) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return mote_output_check(&p->output, t, b, p->out_c, 9 * (uint32_t)p->in_c);
}
