/* strip: how the loops over blocks of channels walk over a row (block.h). Internal to mote/isa.
 *
 * A row is made in strips. For each, the window's rows are brought into the state, borders filled in; then the loop of
 * the instruction set makes all channels of the strip's pixels. */
#ifndef MOTE_ISA_STRIP_H
#define MOTE_ISA_STRIP_H

#include "mote/isa/isa.h"

#define MOTE_STRIP_INLINE static inline __attribute__((always_inline))

/* The columns of a strip in its row: `left` and `right` of them lie outside. */
struct mote_strip_span {
  uint32_t left, inside, right;
  uint32_t first; /* column of the row that the inside begins with */
};
static inline struct mote_strip_span mote_strip_span(uint32_t columns, int32_t from, int32_t in_w) {
  const int32_t all = (int32_t)columns; /* columns and from are below 2^24 */
  int32_t left = from >= 0 ? 0 : -from < all ? -from : all;
  int32_t inside = in_w - (from + left);
  if (inside > all - left) inside = all - left;
  if (inside < 0) inside = 0;
  const struct mote_strip_span s = {(uint32_t)left, (uint32_t)inside,
                                    (uint32_t)(all - left - inside), (uint32_t)(from + left)};
  return s;
}

/* n values of a row, or of padding where from is NULL, at element `at` of a strip's row. */
typedef void mote_strip_bring(void *strip, size_t at, const int8_t *from, uint32_t n, uint8_t pad);
/* All channels of n pixels from the strip on. row_values: of each window's row. */
typedef void mote_strip_conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values,
                             uint32_t n, int8_t *out);

MOTE_STRIP_INLINE void mote_strip_convs(const void *params, const void *const *rows, void *state,
                                        void *out, mote_strip_bring *bring, mote_strip_conv *conv) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)params;
  const size_t row_values = (size_t)mote_block_row_values(p);
  const uint8_t pad = (uint8_t)(p->output.in_zp + 128);
  int8_t *to = (int8_t *)out;
  for (uint32_t r = 0; r < p->rows_out; r++, rows += p->stride_h) {
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, p->strip_w);
      const struct mote_strip_span s = mote_strip_span(
          MOTE_BLOCK_COLUMNS(p, n), (int32_t)(x * p->stride_w) - p->pad_left, p->in_w);
      const uint32_t c = p->in_c;
      for (uint32_t i = 0; i < p->kernel_h; i++) {
        const int8_t *row = (const int8_t *)rows[i];
        const size_t at = i * row_values;
        if (s.left) bring(state, at, NULL, s.left * c, pad);
        bring(state, at + s.left * c, row ? row + (size_t)s.first * c : NULL, s.inside * c, pad);
        if (s.right) bring(state, at + (s.left + s.inside) * c, NULL, s.right * c, pad);
      }
      conv(p, state, row_values, n, to);
      to += (size_t)n * p->out_c;
    }
  }
}

/* ---- depthwise: up to MOTE_BLOCK channels at a time; a column is its quads of rows, of each the channels with four
 * values each ---- */
/* Columns of one quad of rows: of column i, channel c, row k becomes element at + i * step + 4 * c + k of the strip.
 * `left` columns of padding, `inside` from the rows, `right` of padding. from[k]: the first inside column's first
 * channel, columns `distance` bytes apart; NULL: padding. */
struct mote_strip_columns {
  const int8_t *from[4];
  size_t at, step, distance;
  uint32_t left, inside, right, channels;
  uint8_t pad;
};
typedef void mote_strip_turn(void *strip, const struct mote_strip_columns *t);
/* `channels` channels from c on of n pixels. column_values: of one column. */
typedef void mote_strip_depthwise(const struct mote_depthwise_conv2d_s8 *p, const void *strip,
                                  size_t column_values, uint32_t n, uint32_t c, uint32_t channels,
                                  int8_t *out);

/* The columns of a strip of one group of channels. */
MOTE_STRIP_INLINE void mote_strip_group(const struct mote_depthwise_conv2d_s8 *p,
                                        const void *const *rows, void *state,
                                        const struct mote_strip_span *s, uint32_t c,
                                        uint32_t channels, mote_strip_turn *turn) {
  const uint32_t quads = mote_block_row_quads(p);
  struct mote_strip_columns t;
  t.distance = p->in_c;
  t.channels = channels;
  t.step = (size_t)quads * 4 * channels;
  t.pad = (uint8_t)(p->output.in_zp + 128);
  t.left = s->left;
  t.inside = s->inside;
  t.right = s->right;
  for (uint32_t q = 0; q < quads; q++) {
    t.at = (size_t)q * 4 * channels;
    for (uint32_t k = 0; k < 4; k++) {
      const int8_t *row = 4 * q + k < p->kernel_h ? (const int8_t *)rows[4 * q + k] : NULL;
      t.from[k] = row ? row + (size_t)s->first * p->in_c + c : NULL;
    }
    turn(state, &t);
  }
}

MOTE_STRIP_INLINE void mote_strip_depthwises(const void *params, const void *const *rows,
                                             void *state, void *out, mote_strip_turn *turn,
                                             mote_strip_depthwise *depthwise) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = 0; r < p->rows_out; r++, rows += p->stride_h) {
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = mote_block_of(p->out_w - x, p->strip_w);
      const struct mote_strip_span s = mote_strip_span(
          MOTE_BLOCK_COLUMNS(p, n), (int32_t)(x * p->stride_w) - p->pad_left, p->in_w);
      for (uint32_t c = 0, some; c < p->in_c; c += some) {
        some = p->in_c - c < MOTE_BLOCK ? (uint32_t)(p->in_c - c) : MOTE_BLOCK;
        mote_strip_group(p, rows, state, &s, c, some, turn);
        depthwise(p, state, (size_t)mote_block_row_quads(p) * 4 * some, n, c, some, to + c);
      }
      to += (size_t)n * p->in_c;
    }
  }
}

#endif
