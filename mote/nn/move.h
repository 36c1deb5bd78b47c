/* move: operators that put elements elsewhere, pick them by an index, blend neighbours, or reduce many to one.
 *
 * One kernel copies rectangular pieces of its inputs to rectangular places of its output, each with any steps, over
 * an optional background: it is SLICE, STRIDED_SLICE, TRANSPOSE, REVERSE_V2, SPLIT, UNPACK, CONCATENATION, PACK,
 * PAD, MIRROR_PAD, SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND, BROADCAST_TO, FILL and the
 * RESIZE_NEAREST_NEIGHBOR by whole factors.
 *
 * exact: the bits of TensorFlow Lite's reference kernels; float sums add in the order of the input. An index out of
 * range, which the reference does not define, picks zeros. */
#ifndef MOTE_NN_MOVE_H
#define MOTE_NN_MOVE_H

#include "mote/nn/elementwise.h"

/* ---- pieces ------------------------------------------------------------------ */
/* loops.step[0] goes through the source, step[1] through the output. Pieces are copied in their order, so one that
 * reads the output sees what those before it wrote. A piece whose row is NULL (vertical padding) is left out. */
#define MOTE_MOVE_OUTPUT 0xFFFFu
struct mote_piece {
  struct mote_loops loops;
  uint32_t from, to; /* bytes from the start of the source's row and of the output */
  uint16_t row;      /* of rows[]; MOTE_MOVE_OUTPUT: the output itself */
  uint16_t reserved;
};
/* Fills `fill` elements from the start of the output with `value`, then copies. */
struct mote_move {
  uint32_t fill;
  uint32_t value[2]; /* one element, in its own bytes */
  int32_t pieces_at; /* struct mote_piece[pieces] */
  uint16_t pieces;
  uint16_t bytes; /* of an element: 1, 2, 4, 8 */
};

/* ---- by index ------------------------------------------------------------------ */
/* The table is rows[table], the indices are rows[!table], int32 or int64. For each batch, each outer, each of
 * `count` index tuples of `depth`: slice_bytes from
 *   batch * batch_step + outer * outer_step + sum over d of index[d] * step[d]
 * are the next of the output; all of a batch's outers take the same tuples. A tuple with an index outside
 * 0 .. size[d]-1 gives zeros. GATHER and EMBEDDING_LOOKUP have depth 1. */
#define MOTE_GATHER_DEPTH 6
struct mote_gather {
  uint32_t batches, outers, count, slice_bytes;
  uint32_t batch_step, outer_step; /* bytes */
  uint32_t size[MOTE_GATHER_DEPTH], step[MOTE_GATHER_DEPTH];
  uint8_t depth;
  uint8_t table; /* 0 or 1 */
  uint16_t index_type;
};

/* SCATTER_ND: the output's n_bytes are zero, then slice k of rows[1], of `slice` elements, is added at
 *   sum over d of index[d] * step[d]   bytes, index = the depth numbers of int32 tuple k in rows[0].
 * Integers wrap, BOOLs are or-ed. A tuple with an index outside 0 .. size[d]-1 is left out.
 * type: FLOAT32 INT8 UINT8 INT32 INT64 BOOL. */
struct mote_scatter {
  uint32_t n_bytes, count, slice;
  uint32_t size[MOTE_GATHER_DEPTH], step[MOTE_GATHER_DEPTH];
  uint16_t depth, type;
};

/* ONE_HOT: out[o][d][i] = rows[0][o][i] == d ? rows[1][0] : rows[2][0], elements of `bytes` 1, 2, 4 or 8. */
struct mote_one_hot {
  uint32_t outer, depth, inner;
  uint16_t index_type, bytes; /* INT32 or INT64 */
};

/* DYNAMIC_UPDATE_SLICE: rows[0] (n_bytes), where rows[1] lies at the place that the `depth` indices of rows[2] tell,
 * each moved into 0 .. most[d]. loops as a piece's, from the place on. alias: out may be rows[0]. */
struct mote_update_slice {
  struct mote_loops loops;
  uint32_t n_bytes;
  uint32_t most[MOTE_GATHER_DEPTH], step[MOTE_GATHER_DEPTH]; /* step: bytes in the output */
  uint16_t bytes;                                            /* of an element */
  uint8_t depth;
  uint8_t index_type;
};

/* ---- neighbours ------------------------------------------------------------------ */
/* RESIZE_NEAREST_NEIGHBOR: output pixel (y, x) is input pixel (row[y], column[x]), pixels of pixel_bytes. */
struct mote_resize_nearest {
  uint32_t pixel_bytes;
  int32_t rows_at, columns_at; /* uint16[out_h], uint16[out_w] */
  uint16_t batches, in_h, in_w, out_h, out_w;
  uint16_t reserved;
};

/* RESIZE_BILINEAR. int8: positions in 1/1024: y * scale (+ scale / 2 - 512 where half_pixel), weights of 20 bits,
 * rounded halves away from zero. float: position y * scale, or (y + 0.5) scale - 0.5. */
struct mote_resize_bilinear_s8 {
  int32_t scale_h, scale_w;
  uint16_t batches, in_h, in_w, out_h, out_w, c;
  uint32_t half_pixel;
};
struct mote_resize_bilinear_f32 {
  float scale_h, scale_w;
  uint16_t batches, in_h, in_w, out_h, out_w, c;
  uint32_t half_pixel;
};

/* ---- many to one ------------------------------------------------------------------ */
/* For each turn of `kept`, in the output's order, the elements of all turns of `reduced` from there on; step[0] alone.
 *   reduce_q        sum: q = clamp(out_zp + mote_requantise(sum - zero, multiplier, shift), low, high), int8 or int16;
 *                   zero is in_zp times the number of elements. MEAN has its count folded in (mote_fold_count).
 *   reduce_f32      sum times 1 / count by division; or the largest, the smallest, the product
 *   reduce_extreme  the largest or the smallest of INT8 UINT8 INT16 INT32 INT64; of BOOL, where they are the logic or (MAX) and the logic
 *                   and (MIN) */
struct mote_reduce_q {
  struct mote_loops kept, reduced;
  int32_t multiplier, zero;
  int16_t out_zp, low, high;
  int8_t shift;
  uint8_t bytes; /* 1 or 2 */
};
enum mote_reduction {
  MOTE_REDUCE_SUM, /* float: divided by count; integers wrap */
  MOTE_REDUCE_MAX,
  MOTE_REDUCE_MIN,
  MOTE_REDUCE_PRODUCT
};
struct mote_reduce_f32 {
  struct mote_loops kept, reduced;
  float count; /* 1: a sum */
  uint32_t reduction;
};
struct mote_reduce {
  struct mote_loops kept, reduced;
  uint16_t type, reduction;
};

/* ARG_MAX, ARG_MIN: for each outer and inner, the first index along `size` of the largest or smallest; a NaN only
 * where all before are. type: FLOAT32 INT8 UINT8 INT16 INT32; out_type: INT32 or INT64. */
struct mote_arg {
  uint32_t outer, size, inner;
  uint8_t type, out_type, smallest;
  uint8_t reserved;
};

/* TOPK_V2: of each of `outer` runs of `size` elements the k largest, falling, to the output, and their indices (int32) to
 * the second output. Of equal ones the first comes first; a NaN is the smallest.
 * type: FLOAT32 INT8 UINT8 INT16 INT32. cost: up to size * k moves of an index for each run. */
struct mote_top {
  uint32_t outer, size, k, type;
};

/* CUMSUM along `size`, backwards where `reverse`; an exclusive sum leaves the element itself out. int8 rescales each
 * element and the sum as ADD does: the sum begins with e(-zp), e as in struct mote_binary_q. */
struct mote_cumsum_f32 {
  uint32_t outer, size, inner;
  uint8_t exclusive, reverse;
  uint16_t type; /* FLOAT32 or INT32 */
};
struct mote_cumsum_s8 {
  uint32_t outer, size, inner;
  int32_t multiplier, out_multiplier;
  int16_t zp, out_zp;
  int8_t shift, out_shift;
  uint8_t left_shift;
  uint8_t exclusive, reverse;
  uint8_t reserved[3];
};

#endif
