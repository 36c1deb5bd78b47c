/* window: the parameters of the operators whose sums of products are an instruction set's work (mote/isa): the
 * waist and mote/nn, above it, read the same structures. Part of base.h; see mote/nn/nn.h for row machines.
 *
 * Each begins with its struct mote_output, so that a pointer to the one is a pointer to the other. */
#ifndef MOTE_BASE_WINDOW_H
#define MOTE_BASE_WINDOW_H

/* CONV_2D. needs: rows[0] of in_w x in_c; (rows_out - 1) * stride_h + kernel_h pointers, of which output
 * row r of a call takes kernel_h from r * stride_h on (so rows_out > 1 needs a dilation in height of 1).
 *
 * Weights: int8, one block for each output channel in turn; within it kernel column, then kernel row, then
 * input channel (kx slowest, c fastest); each block padded with zeros to a multiple of 4.
 *   weights[oc * round_up_4(kernel_w * kernel_h * in_c) + (kx * kernel_h + ky) * in_c + c]
 *
 * strip_w: output pixels whose windows are widened to int16 in the state at a time; it decides the state.
 * Pixels go through the inner loop in blocks of up to MOTE_CONV_BLOCK, so a multiple of that, or all pixels
 * of a call, is good. Where kernel_w is 1, or in_c is no multiple of 4, the pixels of all rows_out
 * rows count as one run (strip_w up to rows_out * out_w); else a strip lies within one row and neighbouring
 * windows share their columns.
 * alias: with a 1x1 kernel, stride 1, no padding and out_c <= in_c, out may be rows[0] when rows_out is 1.
 * exact: the layout of the weights and the size of the state are the same for every instruction set.
 *
 * conv2d_s4, weights -8..7: channels 2 j and 2 j + 1 share the block that channel j would have; in each byte the weight
 * of the first is the high nibble, that of the second the low one (zero where there is none), in two's complement.
 * needs: |16 * sum| < 2^31 with its bias, which the compiler proves; else sums wrap. */
#define MOTE_CONV_BLOCK 5
struct mote_conv2d_s8 {
  struct mote_output output;
  int32_t weights_at;
  uint16_t in_w, in_c, out_w, out_c;
  uint16_t kernel_w, kernel_h, stride_w, stride_h, dilation_w;
  uint16_t pad_left; /* columns of padding left of the row */
  uint16_t rows_out; /* output rows made by one call */
  uint16_t strip_w;
};

/* CONV_2D by triples of pixels, for cores whose only multiplication is 32 x 32 (mote/isa/isa.h says how). conv is as
 * above but for the state and strip_w, which is best as a multiple of 6; there is no alias.
 *
 * A sum over a run of products must be in -2^20 .. 2^20 - 1, which the compiler proves from the weights: a run is
 * run_columns whole kernel columns, or where that is 0, run_values of one column's kernel_h * in_c. */
struct mote_conv2d_triples_s8 {
  struct mote_conv2d_s8 conv;
  uint16_t run_columns, run_values;
};

/* CONV_2D of 3x3 windows without strides or dilation by Winograd's F(2x2, 3x3) (mote/isa/isa.h says how, and what the order of
 * the weights is), in 32 / 9 of the flash. conv is as above with rows_out 2 and in_c a multiple of 4, but for the weights and the
 * state; strip_w is even and at most 18. The bias has what the input's zero point adds; in_zp stands for padding. run_columns
 * is 0. There is no alias.
 * needs: over each run of run_values input channels (a multiple of 4), counted from the first, the sum of a channel stays
 * in -2^19 .. 2^19 - 1 whatever the activations are. */

/* Requantisation as a stair: of a channel's sum s, without its bias, the output is
 *   clamp((floor(s m / 2^12) + offset) >> shift, low, high)
 * with m = 2^12 h + l, h the upper 12 bits of `word`, l the 12 below as two's complement, and shift the lowest 8, at most 31:
 * a multiplier and an offset for which the compiler has proven that all sums the channel can have give what the operator
 * says (mote_find_stair in mote/nn). |s| <= 2^20; m < 2^24, and below 2^MOTE_STAIR_BITS where such a one serves; what is
 * shifted fits 32 bits. The stairs of the channels lie at requant_at; of struct mote_output only that, zp, low, high and in_zp
 * count. A channel for which there is none has MOTE_STAIR_NONE in the place of the shift, its bias as offset, and in
 * word >> 8 which of the pairs of multiplier and shift behind the last stair is its own.
 *
 * conv2d_stairs_s8: as conv2d_triples_s8; the run is the whole window, run_values the number of channels without a stair; the sums
 * are those of the input as it is, as depthwise_stairs_s8's.
 * conv2d_stairs_words_s8: the same with weights that are int32, each in -128..127.
 * depthwise_stairs_s8: as depthwise_conv2d_s8, all channels with stairs, and the sum is that of the products with the input
 * as it is, in_zp at every tap outside.
 *
 * For cores that give the upper half of a product, `word` is a multiplier of 32 bits as it is, and its lowest five bits are
 * the shift as well, so that nothing is taken apart. With all numbers modulo 2^32,
 *   v = (s + 2^20) word / 2^21 without its fraction, first = low 2^shift - offset,
 * the output is low where v < first, else min((v + offset) >> shift, high), where the shifted is an int32.
 * conv2d_stairs_high_s8: as conv2d_stairs_s8 with these. A channel that has none has in `word`, below MOTE_STAIR_HIGH, which of the
 * pairs is its own.
 * depthwise_stairs_high_s8: as depthwise_stairs_s8 with v = s word / 2^19 rounded down; v and first are int32. |s| < 2^18. */
#define MOTE_STAIR_BITS    23
#define MOTE_STAIR_NONE    255
#define MOTE_STAIR_HIGH    ((uint32_t)1 << 16)
#define MOTE_STAIR_UP      11 /* 32 - 21: what a sum goes up by before its product */
#define MOTE_STAIR_NINE_UP 13
struct mote_stair {
  int32_t offset;
  uint32_t word;
};
/* depthwise_stairs_tables_s8: as depthwise_stairs_s8, with all that a channel needs in one table at weights_at, in the order in which
 * a loop over the columns of a row meets it: kernel row after row of the last, middle and first column where windows slide (mote_nine_slides), which
 * has a value in three windows; else column after column. requant_at is 0, strip_w does not matter. */
struct mote_nine_table {
  int32_t weights[9];
  int32_t l, h, offset; /* the stair's multiplier in two parts */
  uint32_t word;        /* the stair's */
  uint32_t outside[3];  /* in_zp times the weights of the first, second, third column */
};
/* Where the weight of column i / 3, row i % 3 stands. */
static inline uint32_t mote_nine_at(int slides, uint32_t i) {
  return slides ? 3 * (i % 3) + 2 - i / 3 : i;
}

/* CONV_2D by pairs of pixels (mote/isa/isa.h) with weights -8..7 in nibbles as conv2d_s4's. The bias has what the input's zero
 * point adds: it is the model's less in_zp times the sum of the channel's weights; in_zp is what stands for padding.
 * needs: over each `run` of quads of a channel's weights, counted from the first, their absolute values sum up to 255 at
 * most, so that a lane stays within 128 * 255 < 2^15: any MOTE_PAIRS_RUN_S4 quads do. */
#define MOTE_PAIRS_RUN_S4 7
struct mote_conv2d_pairs_s4 {
  struct mote_conv2d_s8 conv;
  uint16_t run; /* >= 1 */
  uint16_t reserved;
};

/* conv2d_wide_s8: CONV_2D for cores that multiply pairs of int16, in twice the flash: weights are int16, in the order in which
 * two channels of three pixels meet them, with all else that the two need before and behind. Of struct mote_output only in_zp
 * and bounded count; dilation_w is 1, out_c at least 2, strip_w does not matter; rows_out rows are made one by one.
 *
 * At weights_at, for each two channels a and b (of an odd number the last two are made with the one before):
 *   int32 bias[2]
 *   for each four values of each row of the window, its columns' channels in the order of the row, zeros behind the last:
 *     int16 a0 a2 a1 a3 b0 b2 b1 b3
 *   int32 of a, then of b: multiplier and round, and where not bounded, shift.
 * Biases and weights are scaled so that a sum needs no shift; with h = sum * multiplier the output is, clamped to int8,
 *   bounded:  ((h >> 32) + round) >> 12                        weights times 2^2 .. 2^8
 *   else:     ((h + 2^31 >> 32) + (sum >> 31) + round) >> shift      weights times 2
 * (mote_pack_wide says when these are the operator's bits). Sums wrap.
 * alias: as above; a block's pixels are read before any is written. */
struct mote_wide_finish {
  int32_t multiplier, round, shift;
};
/* Quads of a window's row, of the window; words of two channels. */
static inline uint32_t mote_wide_row_quads(const struct mote_conv2d_s8 *p) {
  return ((uint32_t)p->kernel_w * p->in_c + 3) / 4;
}
static inline uint32_t mote_wide_quads(const struct mote_conv2d_s8 *p) {
  return p->kernel_h * mote_wide_row_quads(p);
}
static inline uint32_t mote_wide_words(const struct mote_conv2d_s8 *p) {
  return 4 * mote_wide_quads(p) + (p->output.bounded ? 6 : 8);
}

/* CONV_2D whose bias depends on which taps of the window lie inside the input: constant inputs behind padding are
 * in it, so they are worth nothing at taps outside. There is a whole convolution for each set of taps, all with the
 * same weights; a row is made in runs of pixels that have the same set. source: docs/design/planner.md.
 * needs: rows_out 1 in all convs, and their in_w, pad_left and out_w are those of their run. */
#define MOTE_BORDERS_MOST_ROWS 16
struct mote_conv2d_borders_s8 {
  int32_t convs_at;   /* struct mote_conv2d_s8[n_rows][n_columns], with offsets from themselves */
  int32_t rows_at;    /* uint16[n_rows][2]: taps first .. end - 1 of the window's height */
  int32_t columns_at; /* uint16[n_columns]: columns of the input left of what the run sees */
  uint16_t n_rows, n_columns; /* sets of taps in height and width */
  uint16_t kernel_h, in_c;    /* of all convs; kernel_h <= MOTE_BORDERS_MOST_ROWS */
};

/* DEPTHWISE_CONV_2D, any depth multiplier: out_c = in_c * multiplier, channel c * multiplier + m reads c.
 * rows as CONV_2D's.
 *
 * Weights: int8, kernel_w * kernel_h for each output channel in turn, kernel column, then kernel row:
 *   weights[oc * kernel_w * kernel_h + kx * kernel_h + ky]
 * without padding between channels.
 *
 * strip_w: output columns of a row transposed at a time; it decides the state. out_w is best, down to 8 or
 * so costs little.
 * alias: with multiplier 1, stride 1, out_w <= in_w and one row a call, out may be rows[0] where one strip takes the
 * whole row or kernel_w is 1, and where each channel is read once, before it is written: always where the channels are
 * a multiple of four, else by form and instruction set, some of which make some of the last five to seven channels
 * twice (mote_depthwise_conv2d_s8_in_row in mote/nn). */
struct mote_depthwise_conv2d_s8 {
  struct mote_output output;
  int32_t weights_at;
  uint16_t in_w, in_c, out_w, multiplier;
  uint16_t kernel_w, kernel_h, stride_w, stride_h, dilation_w;
  uint16_t pad_left, rows_out, strip_w;
};
/* Whether the windows of a row share columns channel by channel (struct mote_nine_table). */
static inline int mote_nine_slides(const struct mote_depthwise_conv2d_s8 *p) {
  return p->stride_w == 1 && p->multiplier == 1;
}

/* FULLY_CONNECTED: rows[0] holds `vectors` vectors of in_c, out receives `vectors` vectors of out_c.
 * Weights: int8[out_c][round_up_4(in_c)], padded with zeros. No state.
 * fully_connected_s4, weights -8..7: int8[round_up(out_c / 2)][round_up_4(in_c)], nibbles as conv2d_s4's.
 *
 * fully_connected_lanes_s4 is for cores without SIMD: a multiplication makes the products of two channels with one input.
 * Weights -8..7 have 8 added, so 0..15. A word has those of channels 2 j (bits 0..15) and 2 j + 1 (16..31) for inputs
 * 4 q .. 4 q + 3, from the lowest nibble on; nibbles beyond the channels or inputs are 0. Words of two such pairs of
 * channels alternate: q = 0 of the first pair, q = 0 of the second, q = 1 of the first ...; a last pair without a second
 * stands alone. The inputs' zero point is not taken away, it is in the bias: in_zp is 0.
 * needs: over each `run` of quads of inputs, counted from the first, the added weights of a channel sum up to 255 at most,
 * so that a lane stays within 128 * 255 < 2^15: any MOTE_LANES_RUN_S4 quads do.
 *
 * fully_connected_pairs_s8, the same for weights of 8 bits in twice the flash: groups of up to 8 channels, each its run
 * in inputs (uint32, >= 1), then for each input the words w[2 j] + 2^16 w[2 j + 1] of its pairs of channels, the second 0
 * where there is none. in_zp is 0. needs: over each run, counted from the first input, the sum of a channel stays in
 * -2^15 .. 2^15 - 1 whatever the inputs are: any run of 1 does.
 *
 * fully_connected_lanes_s8 is the same for any int8: 128 is added. Channels come in blocks of MOTE_LANES_CHANNELS, the last
 * may be smaller. A block begins with a word, the inputs of its runs, an even number of at least 2. Then, for each two inputs
 * i and i + 1, comes a word for each two channels: channel c, i in its lowest byte, then c, i + 1; c + 1, i; c + 1, i + 1.
 * The inputs' zero point is in the bias here too, and `run` is 0.
 * needs: over each run, counted from the first input, |weights| of a channel sum up to 255 at most.
 *
 * fully_connected_wide_s8, for cores that multiply pairs of int16, in twice the flash: weights are int16. Channels come in groups of
 * MOTE_WIDE_CHANNELS, the last may be smaller. For each four inputs i .. i + 3 comes a word for each channel of the group, i in
 * its lower half and i + 2 in the upper, then one for each with i + 1 and i + 3; inputs from in_c on have weights of 0. `run` is 0.
 * needs: weights in -128..127. */
#define MOTE_LANES_CHANNELS 8
#define MOTE_PAIR_GROUP     8
#define MOTE_WIDE_CHANNELS  4
#define MOTE_LANES_RUN_S4   4
struct mote_fully_connected_s8 {
  struct mote_output output;
  int32_t weights_at;
  uint16_t in_c, out_c, vectors;
  uint16_t run; /* of fully_connected_lanes_s4: quads, >= 1; else 0 */
};
/* Where the weight of input i for channel k of a group of n stands among the group's, in int16. */
static inline size_t mote_wide_at(uint32_t n, uint32_t k, uint32_t i) {
  return (size_t)(i / 4 * 4 + i % 2 * 2) * n + 2 * k + i / 2 % 2;
}

/* ADD in fewer steps, where the compiler has tried all pairs of bytes and found the bits of ADD:
 *   q = clamp((floor(weight[0] a / 2^8) + floor(weight[1] b / 2^8) + offset) / 2^21, rounded down), modulo 2^32,
 * clamped to int8. alias: as ADD. */
struct mote_add_weighted_s8 {
  int32_t weight[2], offset;
  uint32_t n;
};

#endif
