/* nn_cases: seeded cases for every kernel, the same on the host and on a chip.
 *
 * A case is made from its number alone: shapes, params with packed constants, input rows, some of them
 * missing. The host compares what the kernel gives with an obvious reference (test_nn.c); the chip prints
 * the CRC of what it gives (test/chip/nn.c), which must equal the host's (test_isa.c).
 * Everything fits in CASE_BYTES, since the smallest chip has 16 KiB of RAM. */
#ifndef NN_CASES_H
#define NN_CASES_H

#include <string.h>

#include "mote/isa/isa.h"
#include "mote/nn/nn.h"

#define CASE_BYTES    11264
#define CASE_ROWS     24
#define CASE_CHANNELS 24
#define CASE_COUNT    1400
#define CASE_KINDS    16          /* case n is of kind n mod CASE_KINDS */
#define CASE_IN_ROW   0x80000000u /* in a number: a convolution that may be written over rows[0] */
#define CASE_NINE     0x40000000u /* in a number: depthwise windows of 3x3 by stairs */
#define CASE_ROW_MOST (CASE_COUNT + 400)
#define CASE_ALL      (CASE_ROW_MOST + 240) /* what chips run: case_number(0 .. CASE_ALL - 1) */
#define CASE_GUARD                                                                                 \
  16 /* bytes on either side of the state and the output that must stay as they are */

struct nn_case {
  enum mote_op op;
  const struct mote_kernel *kernel;
  void *params;
  const void *rows[CASE_ROWS];
  uint8_t *state;
  int8_t *out;
  struct mote_bounds bounds;
  uint32_t seed;            /* of weights and inputs */
  unsigned calls, pointers; /* calls, and row pointers from one to the next */
  int32_t multiplier[CASE_CHANNELS], shift[CASE_CHANNELS], bias[CASE_CHANNELS];
  int has_bias, channels;
  int nibbles; /* weights of 4 bits: 1 two channels in a byte, 2 two channels in the lanes of a word */
  int least;  /* weights are no less */
  int shrink; /* and lose so many bits */
  int in_row;
};

struct case_memory {
  _Alignas(8) uint8_t bytes[CASE_BYTES];
  size_t used;
};

static uint32_t case_hash(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ x >> 16;
}
static uint32_t case_next(uint32_t *r) { return case_hash(*r += 0x9E3779B9u); }
static int case_range(uint32_t *r, int low, int high) {
  return low + (int)(case_next(r) % (uint32_t)(high - low + 1));
}

/* Values of the model: functions of where they stand, so that nothing need be kept. */
static int8_t case_weight(const struct nn_case *t, int oc, int y, int x, int c) {
  const uint32_t h = case_hash(t->seed + (uint32_t)(((oc * 31 + y) * 31 + x) * 257 + c));
  const int8_t w = h % 16 == 0 ? (h & 256 ? 127 : -128) : (int8_t)(h >> 8);
  if (t->nibbles) return (int8_t)(w >> 4);
  return (int8_t)(w < t->least ? t->least : w >> t->shrink);
}
static int8_t case_input(const struct nn_case *t, int row, int i) {
  const uint32_t h = case_hash(t->seed * 3 + (uint32_t)(row * 4099 + i));
  return h % 16 == 0 ? (h & 256 ? 127 : -128) : (int8_t)(h >> 8);
}

/* n bytes aligned to 8, or NULL where the memory is full. */
static void *case_take(struct case_memory *m, size_t n) {
  m->used = (m->used + 7) & ~(size_t)7;
  if (n > CASE_BYTES - m->used) return NULL;
  void *p = m->bytes + m->used;
  m->used += n;
  return p;
}

/* State and output between guards, and the input rows. Which rows are missing is drawn. */
static int case_finish(struct nn_case *t, struct case_memory *m, uint32_t *r, unsigned rows,
                       unsigned inputs, size_t row_bytes, size_t state_bytes, size_t out_bytes,
                       int missing) {
  uint8_t *state = (uint8_t *)case_take(m, state_bytes + 2 * CASE_GUARD);
  uint8_t *out = (uint8_t *)case_take(m, out_bytes + 2 * CASE_GUARD);
  if (!state || !out || rows * inputs > CASE_ROWS) return 0;
  memset(state, 0xA5, state_bytes + 2 * CASE_GUARD);
  memset(out, 0xA5, out_bytes + 2 * CASE_GUARD);
  t->state = state + CASE_GUARD;
  t->out = (int8_t *)out + CASE_GUARD;
  for (unsigned k = 0; k < rows * inputs; k++) {
    t->rows[k] = NULL;
    if (missing && rows > 1 && (k == 0 || k == rows - 1) && case_range(r, 0, 2) == 0) continue;
    int8_t *row = (int8_t *)case_take(m, row_bytes);
    if (!row) return 0;
    for (size_t i = 0; i < row_bytes; i++) row[i] = case_input(t, (int)k, (int)i);
    t->rows[k] = row;
  }
  t->bounds.n_in = inputs;
  t->bounds.n_out = 1;
  for (unsigned i = 0; i < inputs; i++) {
    t->bounds.row_bytes[i] = row_bytes;
    t->bounds.rows[i] = (uint16_t)rows;
    if (missing) t->bounds.missing = (uint16_t)(t->bounds.missing | 1u << i);
  }
  t->bounds.state_bytes = state_bytes;
  t->bounds.out_bytes = out_bytes;
  return 1;
}

/* Draws the output of n channels of k weights and writes its constants after the params. */
static int case_output(struct nn_case *t, struct case_memory *m, uint32_t *r, struct mote_output *o,
                       int n, uint32_t k) {
  const int way = case_range(r, 0, 3); /* 0: any shifts, 1: large biases, else the usual */
  const int base = way == 0 ? case_range(r, -12, 3) : -case_range(r, 5, 12);
  t->channels = n;
  t->has_bias = case_range(r, 0, 5) != 0;
  for (int c = 0; c < n; c++) {
    t->multiplier[c] = (int32_t)(1u << 30 | case_next(r) >> 2);
    t->shift[c] = base - case_range(r, 0, way == 0 ? 6 : 3);
    const int less = way == 1 ? case_range(r, 0, 12) : 0; /* drawn apart: C fixes no order */
    t->bias[c] = way == 1 ? (int32_t)case_next(r) >> less : case_range(r, -9000, 9000);
    if (t->nibbles) t->bias[c] >>= 5; /* 16 times a sum fits 32 bits */
    if (way == 0 && case_range(r, 0, 9) == 0) t->multiplier[c] = t->shift[c] = 0;
  }
  o->zp = (int8_t)(case_range(r, 0, 2) ? case_range(r, -128, 127) : -128);
  o->low = -128;
  o->high = 127;
  if (case_range(r, 0, 2) == 0) o->low = o->zp;
  if (case_range(r, 0, 3) == 0) o->high = (int8_t)case_range(r, o->low, 127);

  uint32_t words[CASE_CHANNELS];
  o->wide = !mote_pack_requant(t->multiplier, t->shift, t->has_bias ? t->bias : NULL, (size_t)n, k,
                               words, &o->shift_base);
  o->bounded = case_range(r, 0, 4) != 0 &&
               mote_is_bounded(t->shift, t->has_bias ? t->bias : NULL, (size_t)n, k, o->wide);
  uint32_t *requant = (uint32_t *)case_take(m, (size_t)n * 8); /* the second half: case_fold's */
  if (!requant) return 0;
  o->requant_at = (int32_t)((uint8_t *)requant - (uint8_t *)t->params);
  for (int c = 0; c < n; c++) {
    if (o->wide) {
      requant[2 * c] = (uint32_t)t->multiplier[c];
      requant[2 * c + 1] = (uint32_t)t->shift[c];
    } else {
      requant[c] = words[c];
    }
  }
  if (!t->has_bias) return 1;
  o->bias_bytes = way == 1 || case_range(r, 0, 3) == 0 ? 4 : 2;
  void *bias = case_take(m, (size_t)n * o->bias_bytes);
  if (!bias) return 0;
  o->bias_at = (int32_t)((uint8_t *)bias - (uint8_t *)t->params);
  for (int c = 0; c < n; c++) {
    if (o->bias_bytes == 2)
      ((int16_t *)bias)[c] = (int16_t)t->bias[c];
    else
      ((int32_t *)bias)[c] = t->bias[c];
  }
  return 1;
}

/* Tells the sums of n channels' weights, `step` apart and padded with zeros, in every other case. */
static void case_fold(const struct nn_case *t, struct mote_output *o, const int8_t *weights, int n,
                      int step) {
  int32_t *to = (int32_t *)((uint8_t *)t->params + o->requant_at) + n;
  if (o->wide || t->seed % 2) return;
  o->folded = 1;
  for (int c = 0; c < n; c++) {
    uint32_t sum = t->has_bias ? (uint32_t)t->bias[c] : 0;
    for (int k = 0; k < step; k++) sum -= (uint32_t)(o->in_zp * *weights++);
    to[c] = (int32_t)sum;
  }
}

static int8_t *case_weights(struct nn_case *t, struct case_memory *m, int32_t *at, size_t n) {
  int8_t *w = (int8_t *)case_take(m, n);
  if (!w) return NULL;
  memset(w, 0, n);
  *at = (int32_t)((uint8_t *)w - (uint8_t *)t->params);
  return w;
}

/* Bytes of the blocks of n channels, and where the weight at `at` of a channel's block of `block` goes. */
static size_t case_blocks(const struct nn_case *t, int n, int block) {
  return (size_t)(t->nibbles ? (n + 1) / 2 : n) * (size_t)block;
}
static void case_put_weight(const struct nn_case *t, int8_t *weights, int block, int channel,
                            int at, int8_t w) {
  if (t->nibbles == 2) {
    const int pairs = (channel & ~3) + 2 < t->channels ? 2 : 1;
    uint32_t *words = (uint32_t *)(void *)(weights + channel / 4 * 2 * block);
    words[at / 4 * pairs + channel % 4 / 2] |= (uint32_t)(w + 8) << (channel % 2 * 16 + at % 4 * 4);
  } else if (!t->nibbles)
    weights[channel * block + at] = w;
  else if (channel % 2 == 0)
    weights[channel / 2 * block + at] = (int8_t)((uint8_t)w << 4);
  else
    weights[channel / 2 * block + at] |= (int8_t)(w & 15);
}

/* A window over a row: kernel, stride, dilation, padding and the output's width, drawn to fit. */
struct case_window {
  int in_w, out_w, kernel_w, kernel_h, stride_w, stride_h, dilation_w, pad_left, rows_out;
};
static struct case_window case_window(uint32_t *r, int dilate) {
  struct case_window w;
  w.kernel_w = case_range(r, 0, 3) ? case_range(r, 1, 5) : 3;
  w.kernel_h = case_range(r, 0, 3) ? case_range(r, 1, 5) : 3;
  if (case_range(r, 0, 3) == 0) w.kernel_w = w.kernel_h = 1;
  if (case_range(r, 0, 2) == 0) w.kernel_w = w.kernel_h = 3;
  w.stride_w = case_range(r, 0, 1) ? 1 : case_range(r, 1, 3);
  w.stride_h = case_range(r, 0, 1) ? 1 : case_range(r, 1, 3);
  w.dilation_w = dilate && case_range(r, 0, 4) == 0 ? case_range(r, 2, 3) : 1;
  w.in_w = case_range(r, 1, 14);
  w.rows_out = case_range(r, 0, 2) ? 1 : case_range(r, 2, 4);
  const int reach = (w.kernel_w - 1) * w.dilation_w;
  w.pad_left = case_range(r, 0, 2) ? reach / 2 : case_range(r, 0, reach);
  const int pad_right = case_range(r, 0, reach - w.pad_left);
  const int span = w.in_w + w.pad_left + pad_right - reach;
  w.out_w = span <= 0 ? 1 : (span - 1) / w.stride_w + 1;
  return w;
}

/* The fields that both convolutions have under the same names; draws the strip, then the zero point. */
#define CASE_SET_WINDOW(p, w, c, r)                                                                \
  do {                                                                                             \
    (p)->in_w = (uint16_t)(w).in_w, (p)->out_w = (uint16_t)(w).out_w, (p)->in_c = (uint16_t)(c);   \
    (p)->kernel_w = (uint16_t)(w).kernel_w, (p)->kernel_h = (uint16_t)(w).kernel_h;                \
    (p)->stride_w = (uint16_t)(w).stride_w, (p)->stride_h = (uint16_t)(w).stride_h;                \
    (p)->dilation_w = (uint16_t)(w).dilation_w, (p)->pad_left = (uint16_t)(w).pad_left;            \
    (p)->rows_out = (uint16_t)(w).rows_out;                                                        \
    (p)->strip_w = (uint16_t)case_range(r, 1, 16);                                                 \
    (p)->output.in_zp = (int8_t)case_range(r, -128, 127);                                          \
  } while (0)

/* The packed biases have -zp * (sum of weights): the model's are what is left. */
static void case_fold_zero_point(struct nn_case *t, const struct case_window *w, int in_c,
                                 int out_c, int zp) {
  for (int oc = 0; oc < out_c; oc++) {
    int32_t sum = 0;
    for (int y = 0; y < w->kernel_h; y++)
      for (int x = 0; x < w->kernel_w; x++)
        for (int c = 0; c < in_c; c++) sum += case_weight(t, oc, y, x, c);
    t->bias[oc] = (t->has_bias ? t->bias[oc] : 0) + zp * sum;
  }
  t->has_bias = 1;
}

/* Puts stairs in the place of the requantisation of n channels of in_c weights a tap, of the kernel's kind. all: every channel must
 * have a stair. Returns how many have none, or -1: it cannot be. */
static int case_stairs(struct nn_case *t, struct case_memory *m, struct mote_output *o,
                       const struct case_window *w, int in_c, int n, int all) {
  struct mote_stair *stairs = (struct mote_stair *)(void *)case_take(m, 16 * (size_t)n);
  const enum mote_stair_kind kind = t->kernel == &mote_kernel_conv2d_stairs_high_s8 ? MOTE_STAIR_SUM
                                    : t->kernel == &mote_kernel_depthwise_stairs_high_s8
                                        ? MOTE_STAIR_NINE
                                        : MOTE_STAIR_DIGITS;
  int without = 0;
  if (!stairs) return -1;
  /* Both sides of the zero point have no stair in common, and looking for one takes a chip long. */
  o->low = o->zp;
  if (o->high < o->low) o->high = 127;
  o->requant_at = (int32_t)((uint8_t *)stairs - (uint8_t *)t->params);
  o->bias_at = 0;
  for (int c = 0; c < n; c++) {
    const int low = -128, high = 127;
    int32_t least = 0, most = 0, bias = t->has_bias ? t->bias[c] : 0;
    for (int x = 0; x < w->kernel_w; x++)
      for (int y = 0; y < w->kernel_h; y++)
        for (int i = 0; i < in_c; i++) {
          const int v = case_weight(t, c, y, x, i);
          most += v * (v > 0 ? high : low);
          least += v * (v > 0 ? low : high);
          bias -= v * o->in_zp;
        }
    if (c % 7 != 6 || all) {
      if (mote_find_stair(o, kind, t->multiplier[c], t->shift[c], bias, least, most, &stairs[c]))
        continue;
      if (all) return -1;
    }
    stairs[c].offset = bias;
    stairs[c].word =
        kind == MOTE_STAIR_DIGITS ? (uint32_t)without << 8 | MOTE_STAIR_NONE : (uint32_t)without;
    stairs[n + without].offset = t->multiplier[c];
    stairs[n + without++].word = (uint32_t)t->shift[c];
  }
  return without;
}

/* Draws shifts that conv2d_wide_s8 takes, and writes its words: of two channels the biases, the weights, what finishes sums.
 * 0: it cannot be. */
static int case_wide(struct nn_case *t, struct case_memory *m, uint32_t *r,
                     struct mote_conv2d_s8 *p) {
  struct mote_output *o = &p->output;
  const int row = p->kernel_w * p->in_c, quads = (int)mote_wide_row_quads(p);
  o->low = -128;
  o->high = 127;
  o->bounded = t->seed % 2;
  if (o->bounded) o->zp = -128;
  if (p->dilation_w != 1 || p->out_c < 2) return 0;
  const size_t words = mote_wide_words(p);
  int32_t *to = (int32_t *)(void *)case_weights(t, m, &p->weights_at,
                                                (p->out_c + 1u) / 2 * words * sizeof *to);
  if (!to) return 0;
  for (int c = 0; c < p->out_c; c++) t->shift[c] = -case_range(r, o->bounded ? 5 : 1, 11);
  for (int two = 0; two < p->out_c; two += 2, to += words)
    for (int k = 0; k < 2; k++) {
      const int c = (two + 2 > p->out_c ? two - 1 : two) + k;
      int32_t least = t->has_bias ? t->bias[c] : 0, most = least;
      struct mote_wide_finish f;
      for (int y = 0; y < p->kernel_h; y++)
        for (int i = 0; i < row; i++) {
          const int v = case_weight(t, c, y, i / p->in_c, i % p->in_c);
          most += v * ((v > 0 ? 127 : -128) - o->in_zp);
          least += v * ((v > 0 ? -128 : 127) - o->in_zp);
        }
      const int bits = mote_pack_wide(o, t->multiplier[c], t->shift[c], least, most, &f);
      if (bits < 0) return 0;
      const int32_t scale = (int32_t)1 << bits, each = o->bounded ? 2 : 3;
      int16_t *weights = (int16_t *)(void *)(to + 2);
      to[k] = t->has_bias ? t->bias[c] * scale : 0;
      memcpy(to + 2 + 4 * p->kernel_h * quads + k * each, &f, 4 * (size_t)each);
      for (int y = 0; y < p->kernel_h; y++)
        for (int i = 0; i < row; i++)
          weights[(y * quads + i / 4) * 8 + 4 * k + i % 2 * 2 + i / 2 % 2] =
              (int16_t)(case_weight(t, c, y, i / p->in_c, i % p->in_c) * scale);
    }
  return 1;
}

static int case_conv(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_conv2d_s8 *p = (struct mote_conv2d_s8 *)t->params;
  struct case_window w = case_window(r, 1);
  if (t->in_row) w.rows_out = 1;
  const int in_c = case_range(r, 0, 1) ? 4 * case_range(r, 1, 4) : case_range(r, 1, 9);
  const int out_c = case_range(r, 1, 20);
  const int k = w.kernel_w * w.kernel_h * in_c, k4 = (k + 3) & ~3;
  if (!case_output(t, m, r, &p->output, out_c, (uint32_t)k)) return 0;
  int8_t *weights = case_weights(t, m, &p->weights_at, case_blocks(t, out_c, k4));
  if (!weights) return 0;
  for (int oc = 0; oc < out_c; oc++)
    for (int x = 0; x < w.kernel_w; x++)
      for (int y = 0; y < w.kernel_h; y++)
        for (int c = 0; c < in_c; c++)
          case_put_weight(t, weights, k4, oc, (x * w.kernel_h + y) * in_c + c,
                          case_weight(t, oc, y, x, c));
  CASE_SET_WINDOW(p, w, in_c, r);
  if (t->in_row) p->strip_w = p->out_w;
  if (t->kernel == &mote_kernel_conv2d_s8) case_fold(t, &p->output, weights, out_c, k4);
  p->out_c = (uint16_t)out_c;
  size_t state = mote_conv2d_s8_state_bytes(p);
  if (t->kernel == &mote_kernel_conv2d_triples_s8) {
    /* Runs of up to 32 products are exact whatever the weights are. */
    struct mote_conv2d_triples_s8 *triples = (struct mote_conv2d_triples_s8 *)t->params;
    const int column = w.kernel_h * in_c;
    triples->run_columns = (uint16_t)(column <= 32 ? case_range(r, 0, 32 / column) : 0);
    triples->run_values = (uint16_t)case_range(r, 1, 32);
    state = mote_conv2d_triples_s8_state_bytes(triples);
  }
  if (t->kernel == &mote_kernel_conv2d_stairs_words_s8) {
    int32_t *words =
        (int32_t *)(void *)case_weights(t, m, &p->weights_at, 4 * (size_t)(out_c * k4));
    if (!words) return 0;
    for (int i = 0; i < out_c * k4; i++) words[i] = weights[i];
  }
  if (t->kernel == &mote_kernel_conv2d_stairs_s8 ||
      t->kernel == &mote_kernel_conv2d_stairs_high_s8 ||
      t->kernel == &mote_kernel_conv2d_stairs_words_s8) {
    struct mote_conv2d_triples_s8 *triples = (struct mote_conv2d_triples_s8 *)t->params;
    const int without = k > 32 ? -1 : case_stairs(t, m, &p->output, &w, in_c, out_c, 0);
    if (without < 0) return 0;
    triples->run_columns = p->kernel_w;
    triples->run_values = (uint16_t)without;
    state = mote_conv2d_stairs_s8_state_bytes(triples);
  }
  if (t->kernel == &mote_kernel_conv2d_wide_s8) {
    if (!case_wide(t, m, r, p)) return 0;
    state = mote_conv2d_wide_s8_state_bytes(p);
  }
  if (t->kernel == &mote_kernel_conv2d_pairs_s4) {
    struct mote_conv2d_pairs_s4 *pairs = (struct mote_conv2d_pairs_s4 *)t->params;
    pairs->run = (uint16_t)case_range(r, 1, MOTE_PAIRS_RUN_S4);
    case_fold_zero_point(t, &w, in_c, out_c, p->output.in_zp);
    state = mote_conv2d_pairs_s4_state_bytes(pairs);
  }
  return case_finish(t, m, r, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), 1,
                     (size_t)(w.in_w * in_c), state, (size_t)(w.rows_out * w.out_w * out_c), 1);
}

/* Weights in the components of tiles: G g G' of isa.h, written from its definition. */
static int case_tiles(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  static const int8_t g[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
  struct mote_conv2d_triples_s8 *tiles = (struct mote_conv2d_triples_s8 *)t->params;
  struct mote_conv2d_s8 *p = &tiles->conv;
  const int out_w = case_range(r, 1, 24), left = case_range(r, 0, 1);
  const struct case_window w = {
      out_w + 2 - left - case_range(r, 0, 1), out_w, 3, 3, 1, 1, 1, left, 2};
  const int in_c = 4 * case_range(r, 1, 4), out_c = case_range(r, 1, 9),
            run = 4 * case_range(r, 1, 2);
  if (w.in_w < 1 || !case_output(t, m, r, &p->output, out_c, (uint32_t)(9 * in_c))) return 0;
  t->shrink = run == 4 ? 1 : 2; /* of 72 products the sum stays below 2^19 */
  int16_t *to = (int16_t *)(void *)case_weights(t, m, &p->weights_at, 32 * (size_t)(in_c * out_c));
  if (!to) return 0;
  for (int oc = 0; oc < out_c; oc++)
    for (int from = 0, some; from < in_c; from += some) {
      some = in_c - from < run ? in_c - from : run;
      for (int i = 0; i < 16; i++)
        for (int c = 0; c < some; c++, to++) {
          int sum = 0;
          for (int k = 0; k < 9; k++)
            sum += g[i / 4][k / 3] * g[i % 4][k % 3] * case_weight(t, oc, k / 3, k % 3, from + c);
          *to = (int16_t)sum;
        }
    }
  CASE_SET_WINDOW(p, w, in_c, r);
  p->out_c = (uint16_t)out_c;
  p->strip_w = (uint16_t)(2 * case_range(r, 1, 9));
  tiles->run_values = (uint16_t)run;
  case_fold_zero_point(t, &w, in_c, out_c, p->output.in_zp);
  return case_finish(t, m, r, 4, 1, (size_t)(w.in_w * in_c),
                     mote_conv2d_tiles_s8_state_bytes(tiles), (size_t)(2 * out_w * out_c), 1);
}

/* Tables of a depthwise convolution by stairs. */
static int case_tables(struct nn_case *t, struct case_memory *m, struct mote_depthwise_conv2d_s8 *p,
                       const struct case_window *w) {
  const int out_c = p->in_c * p->multiplier;
  struct mote_nine_table *tables =
      (struct mote_nine_table *)(void *)case_take(m, sizeof *tables * (size_t)out_c);
  if (!tables || case_stairs(t, m, &p->output, w, 1, out_c, 1) < 0) return 0;
  const struct mote_stair *stairs =
      (const struct mote_stair *)(const void *)((uint8_t *)t->params + p->output.requant_at);
  p->output.requant_at = 0;
  p->weights_at = (int32_t)((uint8_t *)tables - (uint8_t *)t->params);
  memset(tables, 0, sizeof *tables * (size_t)out_c);
  for (int c = 0; c < out_c; c++, tables++, stairs++) {
    for (int x = 0; x < 3; x++)
      for (int y = 0; y < 3; y++) {
        const int32_t v = case_weight(t, c, y, x, 0);
        tables->weights[mote_nine_at(mote_nine_slides(p), (uint32_t)(3 * x + y))] = v;
        tables->outside[x] += (uint32_t)(v * p->output.in_zp);
      }
    tables->offset = stairs->offset;
    tables->word = stairs->word;
    tables->h = (int32_t)(stairs->word >> 20);
    tables->l = (int32_t)(stairs->word << 12) >> 20;
  }
  return 1;
}

static int case_depthwise(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_depthwise_conv2d_s8 *p = (struct mote_depthwise_conv2d_s8 *)t->params;
  const int stairs = t->kernel == &mote_kernel_depthwise_stairs_s8 ||
                     t->kernel == &mote_kernel_depthwise_stairs_high_s8 ||
                     t->kernel == &mote_kernel_depthwise_stairs_tables_s8;
  struct case_window w = case_window(r, !stairs);
  while (stairs && (w.kernel_w != 3 || w.kernel_h != 3)) w = case_window(r, 0);
  if (case_range(r, 0, 3) == 0) w.kernel_w = w.kernel_h = 3;
  if (!stairs && case_range(r, 0, 2) == 0) w.kernel_w = 1, w.kernel_h = case_range(r, 2, 9);
  const int reach = (w.kernel_w - 1) * w.dilation_w;
  if (w.pad_left > reach) w.pad_left = reach;
  if (t->in_row) w.rows_out = w.stride_w = 1;
  const int multiplier = t->in_row || case_range(r, 0, 2) ? 1 : case_range(r, 1, 3);
  const int in_c = case_range(r, 1, CASE_CHANNELS / multiplier), out_c = in_c * multiplier;
  const int area = w.kernel_w * w.kernel_h;
  if (!case_output(t, m, r, &p->output, out_c, (uint32_t)area)) return 0;
  /* Kernels of one column have outputs of their own where nothing is clamped but what is below the zero point. */
  if (w.kernel_w == 1 && t->seed % 4) {
    p->output.zp = p->output.low = -128;
    p->output.high = 127;
    p->output.bounded = mote_is_bounded(t->shift, t->has_bias ? t->bias : NULL, (size_t)out_c,
                                        (uint32_t)area, p->output.wide) != 0;
  }
  int8_t *weights = case_weights(t, m, &p->weights_at, (size_t)(out_c * area));
  if (!weights) return 0;
  for (int oc = 0; oc < out_c; oc++)
    for (int x = 0; x < w.kernel_w; x++)
      for (int y = 0; y < w.kernel_h; y++)
        weights[oc * area + x * w.kernel_h + y] = case_weight(t, oc, y, x, 0);
  CASE_SET_WINDOW(p, w, in_c, r);
  if (t->in_row) p->strip_w = p->out_w;
  if (t->kernel == &mote_kernel_depthwise_conv2d_s8) case_fold(t, &p->output, weights, out_c, area);
  p->multiplier = (uint16_t)multiplier;
  if ((t->kernel == &mote_kernel_depthwise_stairs_s8 ||
       t->kernel == &mote_kernel_depthwise_stairs_high_s8) &&
      case_stairs(t, m, &p->output, &w, 1, out_c, 1) < 0)
    return 0;
  if (t->kernel == &mote_kernel_depthwise_stairs_tables_s8 && !case_tables(t, m, p, &w)) return 0;
  return case_finish(t, m, r, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), 1,
                     (size_t)(w.in_w * in_c),
                     t->kernel == &mote_kernel_depthwise_stairs_tables_s8
                         ? mote_depthwise_stairs_tables_s8_state_bytes(p)
                         : mote_depthwise_conv2d_s8_state_bytes(p),
                     (size_t)(w.rows_out * w.out_w * out_c), 1);
}

/* Biases of weights in blocks (mote/base/block.h): `per` weights of each of n channels are in `sums`. */
static int case_block_bias(struct nn_case *t, struct case_memory *m, struct mote_output *o, int n,
                           int per, const int32_t *sums) {
  int32_t *bias = (int32_t *)case_take(m, 4 * (size_t)n);
  if (!bias) return 0;
  for (int c = 0; c < n; c++) {
    const int64_t b = (t->has_bias ? t->bias[c] : 0) - (int64_t)(128 + o->in_zp) * sums[c];
    if (!o->wide && (b < 0 ? -b : b) + per * 128 * 255 >= 1 << 30) return 0; /* would be wide */
    bias[c] = (int32_t)(uint32_t)(uint64_t)b;
  }
  o->bias_bytes = 4;
  o->bounded = 0; /* was said of the other biases */
  o->bias_at = (int32_t)((uint8_t *)bias - (uint8_t *)t->params);
  return 1;
}

static int case_conv_block(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_conv2d_s8 *p = (struct mote_conv2d_s8 *)t->params;
  const struct case_window w = case_window(r, 1);
  const int in_c = case_range(r, 1, 12), out_c = case_range(r, 1, CASE_CHANNELS);
  const int k = w.kernel_w * w.kernel_h * in_c;
  int32_t sums[CASE_CHANNELS] = {0};
  if (!case_output(t, m, r, &p->output, out_c, (uint32_t)k)) return 0;
  CASE_SET_WINDOW(p, w, in_c, r);
  p->out_c = (uint16_t)out_c;
  const int run = (int)mote_block_run(p), runs = (int)mote_block_runs(p);
  const int quads = (int)mote_block_quads(p);
  int8_t *weights =
      case_weights(t, m, &p->weights_at, (size_t)(out_c * quads * 4 + MOTE_BLOCK_SLACK));
  if (!weights) return 0;
  for (int oc = 0; oc < out_c; oc++) {
    const int first = oc - oc % MOTE_BLOCK;
    const int n = out_c - first < MOTE_BLOCK ? out_c - first : MOTE_BLOCK;
    for (int y = 0; y < w.kernel_h; y++)
      for (int x = 0; x < w.kernel_w; x++)
        for (int c = 0; c < in_c; c++) {
          const int in_run = runs == 1 ? x * in_c + c : c, j = runs == 1 ? 0 : x;
          const int q = (y * runs + j) * run + in_run / 4;
          const int8_t value = case_weight(t, oc, y, x, c);
          weights[first * 4 * quads + (q * n + oc - first) * 4 + in_run % 4] = value;
          sums[oc] += value;
        }
  }
  return case_block_bias(t, m, &p->output, out_c, k, sums) &&
         case_finish(t, m, r, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), 1,
                     (size_t)(w.in_w * in_c), mote_conv2d_block_s8_state_bytes(p),
                     (size_t)(w.rows_out * w.out_w * out_c), 1);
}

static int case_depthwise_block(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_depthwise_conv2d_s8 *p = (struct mote_depthwise_conv2d_s8 *)t->params;
  const struct case_window w = case_window(r, 1);
  const int c = case_range(r, 1, CASE_CHANNELS), area = w.kernel_w * w.kernel_h;
  int32_t sums[CASE_CHANNELS] = {0};
  if (!case_output(t, m, r, &p->output, c, (uint32_t)area)) return 0;
  CASE_SET_WINDOW(p, w, c, r);
  p->multiplier = 1;
  const int quads = (int)mote_block_row_quads(p);
  int8_t *weights =
      case_weights(t, m, &p->weights_at, (size_t)(c * w.kernel_w * quads * 4 + MOTE_BLOCK_SLACK));
  if (!weights) return 0;
  for (int oc = 0; oc < c; oc++)
    for (int x = 0; x < w.kernel_w; x++)
      for (int y = 0; y < w.kernel_h; y++) {
        const int8_t value = case_weight(t, oc, y, x, 0);
        weights[((x * quads + y / 4) * c + oc) * 4 + y % 4] = value;
        sums[oc] += value;
      }
  return case_block_bias(t, m, &p->output, c, area, sums) &&
         case_finish(t, m, r, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), 1,
                     (size_t)(w.in_w * c), mote_depthwise_block_s8_state_bytes(p),
                     (size_t)(w.rows_out * w.out_w * c), 1);
}

/* One window, a row a call; rows of the weights are inputs. */
static int case_sums(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_depthwise_sums_s8 *p = (struct mote_depthwise_sums_s8 *)t->params;
  p->w = (uint16_t)case_range(r, 1, 5);
  p->c = (uint16_t)case_range(r, 1, CASE_CHANNELS);
  t->calls = (unsigned)case_range(r, 1, CASE_ROWS / 2);
  t->pointers = 2;
  if (!case_output(t, m, r, &p->output, p->c, p->w * t->calls)) return 0;
  p->output.in_zp = (int8_t)case_range(r, -128, 127);
  if (!case_finish(t, m, r, t->calls, 2, (size_t)(p->w * p->c),
                   mote_depthwise_sums_s8_state_bytes(p), p->c, 0))
    return 0;
  t->bounds.rows[0] = t->bounds.rows[1] = 1;
  return 1;
}

/* The words of pairs of channels, each group with the longest run that its weights allow: whatever the inputs are, sums
 * stay within 2^15. */
static void case_put_pairs(const struct nn_case *t, uint32_t *words, int in_c, int out_c) {
  for (int c = 0; c < out_c; c += MOTE_PAIR_GROUP) {
    const int n = out_c - c < MOTE_PAIR_GROUP ? out_c - c : MOTE_PAIR_GROUP;
    int run = in_c;
    for (int fits = 0; !fits && run > 1; run -= !fits) {
      fits = 1;
      for (int k = c; k < c + n; k++)
        for (int i = 0, sum = 0; i < in_c; i++) {
          const int w = case_weight(t, k, 0, 0, i);
          sum = (i % run ? sum : 0) + (w < 0 ? -w : w);
          fits = fits && sum < 256;
        }
    }
    *words++ = (uint32_t)run;
    for (int i = 0; i < in_c; i++)
      for (int k = c; k < c + n; k += 2) {
        *words = (uint32_t)case_weight(t, k, 0, 0, i);
        if (k + 1 < c + n) *words += (uint32_t)case_weight(t, k + 1, 0, 0, i) << 16;
        words++;
      }
  }
}

/* Weights of 16 bits, group by group; the words of a group of n channels: for inputs (0, 2) of a quad, then (1, 3). */
static void case_put_wide(const struct nn_case *t, int16_t *weights, int in_c, int out_c) {
  for (int c = 0; c < out_c; c += 4) {
    const int n = out_c - c < 4 ? out_c - c : 4;
    for (int i = 0; i < in_c; i += 4)
      for (int half = 0; half < 2; half++)
        for (int k = c; k < c + n; k++)
          for (int x = i + half; x < i + 4; x += 2)
            *weights++ = x < in_c ? case_weight(t, k, 0, 0, x) : 0;
  }
}

static int case_dense(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_fully_connected_s8 *p = (struct mote_fully_connected_s8 *)t->params;
  const int pairs = t->kernel == &mote_kernel_fully_connected_pairs_s8,
            wide = t->kernel == &mote_kernel_fully_connected_wide_s8;
  const int both =
      wide && t->seed % 4 == 0; /* a value behind whole quads and a channel behind whole groups */
  const int in_c = both ? 13 : case_range(r, 1, 70),
            out_c = both ? 5 : case_range(r, 1, CASE_CHANNELS), k4 = (in_c + 3) & ~3;
  if (!case_output(t, m, r, &p->output, out_c, (uint32_t)in_c)) return 0;
  const int groups = (out_c + MOTE_PAIR_GROUP - 1) / MOTE_PAIR_GROUP;
  int8_t *weights = case_weights(t, m, &p->weights_at,
                                 pairs ? 4 * (size_t)(groups + (out_c + 1) / 2 * in_c)
                                       : case_blocks(t, out_c, k4) << wide);
  if (!weights) return 0;
  if (pairs) case_put_pairs(t, (uint32_t *)(void *)weights, in_c, out_c);
  if (wide) case_put_wide(t, (int16_t *)(void *)weights, in_c, out_c);
  for (int oc = 0; oc < out_c && !pairs && !wide; oc++)
    for (int c = 0; c < in_c; c++)
      case_put_weight(t, weights, k4, oc, c, case_weight(t, oc, 0, 0, c));
  p->in_c = (uint16_t)in_c;
  p->out_c = (uint16_t)out_c;
  p->vectors = (uint16_t)case_range(r, 1, 3);
  p->output.in_zp = (int8_t)case_range(r, -128, 127);
  if (pairs) p->output.in_zp = 0;
  if (t->nibbles == 2) {
    p->output.in_zp = 0;
    p->run = (uint16_t)case_range(r, 1, 4);
  }
  if (t->kernel == &mote_kernel_fully_connected_s8) case_fold(t, &p->output, weights, out_c, k4);
  return case_finish(t, m, r, 1, 1, (size_t)(p->vectors * in_c), 0, (size_t)(p->vectors * out_c),
                     0);
}

/* Two channels in the lanes of a word; runs of two inputs are exact for weights of -127 and more. */
static int case_dense_lanes8(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_fully_connected_s8 *p = (struct mote_fully_connected_s8 *)t->params;
  const int in_c = case_range(r, 1, 50), out_c = case_range(r, 1, CASE_CHANNELS);
  const int twos = (in_c + 1) / 2, blocks = (out_c + 7) / 8;
  t->least = -127;
  if (!case_output(t, m, r, &p->output, out_c, (uint32_t)in_c)) return 0;
  int8_t *weights =
      case_weights(t, m, &p->weights_at, (size_t)(4 * (blocks + (out_c + 1) / 2 * twos)));
  if (!weights) return 0;
  for (int first = 0; first < out_c; first += 8) {
    const int n = out_c - first < 8 ? out_c - first : 8;
    *weights = 2;
    weights += 4;
    for (int i = 0; i < 2 * twos; i += 2)
      for (int c = 0; c < n; c += 2)
        for (int k = 0; k < 4; k++)
          *weights++ = (int8_t)(uint8_t)(128 + (i + k % 2 < in_c ? case_weight(t, first + c + k / 2,
                                                                               0, 0, i + k % 2)
                                                                 : 0));
  }
  p->in_c = (uint16_t)in_c;
  p->out_c = (uint16_t)out_c;
  p->vectors = (uint16_t)case_range(r, 1, 3);
  return case_finish(t, m, r, 1, 1, (size_t)(p->vectors * in_c), 0, (size_t)(p->vectors * out_c),
                     0);
}

static int case_add(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_add_s8 *p = (struct mote_add_s8 *)t->params;
  for (int i = 0; i < 2; i++) {
    p->multiplier[i] = (int32_t)(1u << 30 | case_next(r) >> 2);
    p->shift[i] = (int8_t)-case_range(r, 0, 6);
    p->zp[i] = (int16_t)case_range(r, -128, 127);
  }
  p->out_multiplier = (int32_t)(1u << 30 | case_next(r) >> 2);
  p->out_shift = (int8_t)-case_range(r, 16, 20);
  p->left_shift = 20;
  p->out_zp = (int16_t)case_range(r, -128, 127);
  p->low = case_range(r, 0, 1) ? p->out_zp : -128;
  p->high = 127;
  p->n = (uint32_t)case_range(r, 0, 300);
  return case_finish(t, m, r, 1, 2, p->n, 0, p->n, 0);
}

static int case_pool(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_pool_s8 *p = (struct mote_pool_s8 *)t->params;
  const struct case_window w = case_window(r, 0);
  const int c = case_range(r, 1, 20);
  p->in_w = (uint16_t)w.in_w;
  p->c = (uint16_t)c;
  p->out_w = (uint16_t)w.out_w;
  p->kernel_w = (uint16_t)w.kernel_w;
  p->kernel_h = (uint16_t)w.kernel_h;
  p->stride_w = (uint16_t)w.stride_w;
  p->stride_h = (uint16_t)w.stride_h;
  p->pad_left = (uint16_t)w.pad_left;
  p->rows_out = (uint16_t)w.rows_out;
  p->low = (int16_t)(case_range(r, 0, 1) ? -128 : case_range(r, -100, 0));
  p->high = (int16_t)(case_range(r, 0, 1) ? 127 : case_range(r, 0, 100));
  return case_finish(t, m, r, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), 1,
                     (size_t)(w.in_w * c), 0, (size_t)(w.rows_out * w.out_w * c), w.kernel_h > 2);
}

static int case_mean(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_mean_s8 *p = (struct mote_mean_s8 *)t->params;
  int shift = case_range(r, -3, 1);
  p->multiplier = (int32_t)(1u << 30 | case_next(r) >> 2);
  p->w = (uint16_t)case_range(r, 1, 12);
  p->c = (uint16_t)case_range(r, 1, 20);
  if (case_range(r, 0, 7) == 0) { /* sums beyond int16 */
    p->w = 400;
    p->c = (uint16_t)case_range(r, 1, 5);
  }
  t->calls = (unsigned)case_range(r, 1, 8);
  p->count = p->w * t->calls;
  p->divide = (uint8_t)case_range(r, 0, 1);
  mote_fold_count(p->count, &p->multiplier, &shift);
  p->shift = (int8_t)shift;
  p->in_zp = (int16_t)case_range(r, -128, 127);
  p->out_zp = (int16_t)case_range(r, -128, 127);
  p->low = -128;
  p->high = (int16_t)(case_range(r, 0, 1) ? 127 : case_range(r, 0, 100));
  if (!case_finish(t, m, r, t->calls, 1, (size_t)(p->w * p->c), mote_mean_s8_state_bytes(p), p->c,
                   0))
    return 0;
  t->bounds.rows[0] = 1;
  return 1;
}

static int case_softmax(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  struct mote_softmax_s8 *p = (struct mote_softmax_s8 *)t->params;
  p->multiplier = (int32_t)(1u << 30 | case_next(r) >> 2);
  p->left_shift = (int8_t)case_range(r, 15, 26);
  p->diff_min = -(int32_t)(((int64_t)31 << 26) >> p->left_shift);
  p->rows = (uint16_t)case_range(r, 1, 4);
  p->c = (uint16_t)case_range(r, 1, 40);
  return case_finish(t, m, r, 1, 1, (size_t)(p->rows * p->c), 0, (size_t)(p->rows * p->c), 0);
}

static int case_shape(struct nn_case *t, struct case_memory *m, uint32_t *r) {
  if (t->op == MOTE_OP_RESHAPE) {
    struct mote_copy *p = (struct mote_copy *)t->params;
    p->bytes = (uint32_t)case_range(r, 0, 100);
    return case_finish(t, m, r, 1, 1, p->bytes, 0, p->bytes, 0);
  }
  struct mote_pad_s8 *p = (struct mote_pad_s8 *)t->params;
  p->before_bytes = (uint32_t)case_range(r, 0, 20);
  p->row_bytes = (uint32_t)case_range(r, 0, 50);
  p->after_bytes = (uint32_t)case_range(r, 0, 20);
  p->value = (int16_t)case_range(r, -128, 127);
  if (!case_finish(t, m, r, 1, 1, p->row_bytes, 0, p->before_bytes + p->row_bytes + p->after_bytes,
                   1))
    return 0;
  if (case_range(r, 0, 2) == 0) t->rows[0] = NULL;
  return 1;
}

static inline uint32_t case_number(uint32_t n) {
  return n < CASE_COUNT      ? n
         : n < CASE_ROW_MOST ? (n - CASE_COUNT) | CASE_IN_ROW
                             : (n - CASE_ROW_MOST) | CASE_NINE;
}

/* Makes case `number`. Returns 0 where what was drawn does not fit. */
static inline int case_make(struct nn_case *t, struct case_memory *m, uint32_t number) {
  static const struct {
    enum mote_op op;
    const struct mote_kernel *kernel;
    int (*make)(struct nn_case *, struct case_memory *, uint32_t *);
    size_t params_bytes;
  } kinds[] = {
      {MOTE_OP_CONV_2D, &mote_kernel_conv2d_s8, case_conv, sizeof(struct mote_conv2d_s8)},
      {MOTE_OP_DEPTHWISE_CONV_2D, &mote_kernel_depthwise_conv2d_s8, case_depthwise,
       sizeof(struct mote_depthwise_conv2d_s8)},
      {MOTE_OP_CONV_2D, &mote_kernel_conv2d_s8, case_conv, sizeof(struct mote_conv2d_s8)},
      {MOTE_OP_FULLY_CONNECTED, &mote_kernel_fully_connected_s8, case_dense,
       sizeof(struct mote_fully_connected_s8)},
      {MOTE_OP_DEPTHWISE_CONV_2D, &mote_kernel_depthwise_conv2d_s8, case_depthwise,
       sizeof(struct mote_depthwise_conv2d_s8)},
      {MOTE_OP_ADD, &mote_kernel_add_s8, case_add, sizeof(struct mote_add_s8)},
      {MOTE_OP_CONV_2D, &mote_kernel_conv2d_triples_s8, case_conv,
       sizeof(struct mote_conv2d_triples_s8)},
      {MOTE_OP_AVERAGE_POOL_2D, &mote_kernel_average_pool_s8, case_pool,
       sizeof(struct mote_pool_s8)},
      {MOTE_OP_MAX_POOL_2D, &mote_kernel_max_pool_s8, case_pool, sizeof(struct mote_pool_s8)},
      {MOTE_OP_MEAN, &mote_kernel_mean_s8, case_mean, sizeof(struct mote_mean_s8)},
      {MOTE_OP_SOFTMAX, &mote_kernel_softmax_s8, case_softmax, sizeof(struct mote_softmax_s8)},
      {MOTE_OP_RESHAPE, &mote_kernel_copy, case_shape, sizeof(struct mote_copy)},
      {MOTE_OP_PAD, &mote_kernel_pad_s8, case_shape, sizeof(struct mote_pad_s8)},
      {MOTE_OP_CONV_2D, &mote_kernel_conv2d_block_s8, case_conv_block,
       sizeof(struct mote_conv2d_s8)},
      {MOTE_OP_DEPTHWISE_CONV_2D, &mote_kernel_depthwise_block_s8, case_depthwise_block,
       sizeof(struct mote_depthwise_conv2d_s8)},
      {MOTE_OP_FULLY_CONNECTED, &mote_kernel_fully_connected_lanes_s8, case_dense_lanes8,
       sizeof(struct mote_fully_connected_s8)},
  };
  _Static_assert(sizeof kinds / sizeof *kinds == CASE_KINDS, "the number of kinds");
  uint32_t r = number * 7919u + 1;
  memset(t, 0, sizeof *t);
  t->in_row = (number & CASE_IN_ROW) != 0;
  number &= ~CASE_IN_ROW;
  if (number & CASE_NINE) number = 4 + CASE_KINDS * (1 + 3 * (number & ~CASE_NINE));
  const size_t kind = number % (t->in_row ? 2 : CASE_KINDS);
  m->used = 0;
  t->op = kinds[kind].op;
  t->kernel = kinds[kind].kernel;
  t->least = -128;
  /* Some cases of these kinds have weights of 4 bits. */
  size_t params_bytes = kinds[kind].params_bytes;
  const unsigned way = t->in_row ? 0 : number / CASE_KINDS % 3;
  if (kind == 2 && way == 1) {
    t->kernel = &mote_kernel_conv2d_s4;
  } else if (kind == 2 && way == 2) {
    t->kernel = &mote_kernel_conv2d_pairs_s4;
    params_bytes = sizeof(struct mote_conv2d_pairs_s4);
  } else if (kind == 3 && way > 0) {
    t->kernel = way == 1 ? &mote_kernel_fully_connected_s4 : &mote_kernel_fully_connected_lanes_s4;
  }
  const int tiles = kind == 0 && way == 1;
  if (tiles) {
    t->kernel = &mote_kernel_conv2d_tiles_s8;
    params_bytes = sizeof(struct mote_conv2d_triples_s8);
  }
  const int sums = kind == 4 && way == 2, wide = kind == 15 && number / CASE_KINDS % 2;
  t->nibbles = t->kernel == &mote_kernel_fully_connected_lanes_s4
                   ? 2
                   : !tiles && t->kernel != kinds[kind].kernel;
  if (sums) t->kernel = &mote_kernel_depthwise_sums_s8;
  const unsigned turn = number / CASE_KINDS / 3; /* counts the cases of a kind and way */
  if (kind == 6 && way > 0)
    t->kernel = turn % 2   ? &mote_kernel_conv2d_stairs_high_s8
                : way == 1 ? &mote_kernel_conv2d_stairs_s8
                           : &mote_kernel_conv2d_stairs_words_s8;
  if (kind == 4 && way == 1)
    t->kernel = turn % 3 == 0   ? &mote_kernel_depthwise_stairs_tables_s8
                : turn % 3 == 1 ? &mote_kernel_depthwise_stairs_s8
                                : &mote_kernel_depthwise_stairs_high_s8;
  if (wide) t->kernel = &mote_kernel_fully_connected_wide_s8;
  if (kind == 0 && way > 0 && !tiles) t->kernel = &mote_kernel_conv2d_wide_s8;
  if (kind == 3 && way == 0 && number / CASE_KINDS % 2) {
    t->kernel = &mote_kernel_fully_connected_pairs_s8;
  }
  t->seed = case_next(&r);
  t->calls = t->pointers = 1;
  t->params = case_take(m, params_bytes);
  memset(t->params, 0, params_bytes);
  if (!(tiles ? case_tiles : sums ? case_sums : wide ? case_dense : kinds[kind].make)(t, m, &r))
    return 0;
  t->bounds.params_bytes =
      m->used; /* constants lie behind the params; the rest of the memory is ours too */
  return 1;
}

static inline enum mote_status case_check(const struct nn_case *t) {
#define KERNEL(stem, type)                                                                         \
  if (t->kernel == &mote_kernel_##stem)                                                            \
    return mote_##stem##_check((const struct type *)t->params, &t->bounds);
#include "mote/nn/kernels.def"
#undef KERNEL
  return MOTE_ERR_OPERATOR;
}

/* The kernel of a case, or the form that has a loop of its own. */
static const struct mote_kernel *case_kernel(const struct nn_case *t) {
  if (t->kernel == &mote_kernel_conv2d_s8) {
    switch (mote_conv2d_s8_form((const struct mote_conv2d_s8 *)t->params)) {
    case 2: return &mote_kernel_conv2d_s8__whole;
    case 3: return &mote_kernel_conv2d_s8__patch_above;
    case 4: return &mote_kernel_conv2d_s8__column_above;
    case 5: return &mote_kernel_conv2d_s8__whole_above;
    }
  }
  if (t->kernel == &mote_kernel_depthwise_conv2d_s8 &&
      mote_depthwise_conv2d_s8_form((const struct mote_depthwise_conv2d_s8 *)t->params) == 3)
    return &mote_kernel_depthwise_conv2d_s8__3x3_above;
  return t->kernel;
}

/* Runs the case: every call a kernel of its kind gets. */
static inline void case_run(const struct nn_case *t) {
  const struct mote_kernel *kernel = case_kernel(t);
  if (kernel->begin) kernel->begin(t->params, t->state);
  for (unsigned i = 0; i < t->calls; i++)
    kernel->row(t->params, t->rows + i * t->pointers, t->state, t->out);
  if (kernel->end) kernel->end(t->params, t->state, t->out);
}

/* What a case that ran gave; those for it give it once more over their first row, where this instruction set's plans do. */
static inline const int8_t *case_result(const struct nn_case *t) {
  if (!t->in_row || !t->rows[0] || t->bounds.out_bytes > t->bounds.row_bytes[0]) return t->out;
  if (!(t->op == MOTE_OP_CONV_2D
            ? mote_conv2d_s8_reads_first((const struct mote_conv2d_s8 *)t->params, MOTE_ISA_MVE)
            : mote_depthwise_conv2d_s8_in_row((const struct mote_depthwise_conv2d_s8 *)t->params,
                                              MOTE_ISA_MVE)))
    return t->out;
  int8_t *row = (int8_t *)(uintptr_t)t->rows[0];
  case_kernel(t)->row(t->params, t->rows, t->state, row);
  return row;
}

/* 1 when nothing was written beside the state and the output. */
static inline int case_guards(const struct nn_case *t) {
  for (int i = 1; i <= CASE_GUARD; i++) {
    if (t->state[-i] != 0xA5 || t->state[t->bounds.state_bytes + (size_t)i - 1] != 0xA5) return 0;
    if ((uint8_t)t->out[-i] != 0xA5 || (uint8_t)t->out[t->bounds.out_bytes + (size_t)i - 1] != 0xA5)
      return 0;
  }
  return 1;
}

#endif
