/* wasm_block: blocks of channels, ADD and the sums of a mean with WebAssembly's 128-bit vectors.
 *
 * The widest product is i32x4.dot_i16x8: both sides are widened to int16, activations when they are brought into the
 * state, weights when they are loaded. A register has 2 channels of two sums each, which meet in the end. A tile is 4
 * pixels by 4 channels: for each quad 2 widening loads and 4 broadcasts for 8 products and 8 additions.
 *
 * There is no shift by lanes: x >> s is the high half of x * 2^(31 - s), for 1 <= s <= 31.
 * What is left of 4 channels reads into the next quad, or the slack behind the weights; those sums go nowhere. */
#include "mote/isa/strip.h"

#if MOTE_ISA_WASM
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/* (a * b + add) >> 31 of each lane, in 64 bits. */
INLINE v128_t scaled(v128_t a, v128_t b, v128_t add) {
  const v128_t low = wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(a, b), add),
               high = wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(a, b), add);
  return wasm_i32x4_shuffle(wasm_u64x2_shr(low, 31), wasm_u64x2_shr(high, 31), 0, 2, 4, 6);
}
/* mote_mul_high of each lane; multipliers are not negative. */
INLINE v128_t mul_high(v128_t x, v128_t multiplier) {
  return scaled(x, multiplier, wasm_i64x2_const_splat(1 << 30));
}

/* ---- requantisation of 4 channels ------------------------------------------------------ */
struct finish {
  v128_t bias, multiplier, round, power; /* power: 2^(31 - shift) */
  const struct mote_output *output;
  uint32_t c, n; /* the first channel, and how many of 4 there are */
};

INLINE struct finish prepare(const struct mote_output *o, uint32_t c, uint32_t n) {
  int32_t bias[4] = {0}, multipliers[4] = {0}, round[4] = {0}, power[4] = {0};
  for (uint32_t i = 0; i < n; i++) {
    const struct mote_channel ch = mote_channel_at(o, c + i);
    bias[i] = ch.bias;
    if (o->wide) continue;
    multipliers[i] = ch.multiplier;
    round[i] = mote_channel_round(o, &ch);
    power[i] = (int32_t)1 << (31 + ch.shift); /* shifts -22..-1 */
  }
  const struct finish f = {wasm_v128_load(bias),
                           wasm_v128_load(multipliers),
                           wasm_v128_load(round),
                           wasm_v128_load(power),
                           o,
                           c,
                           n};
  return f;
}

static void put_wide(const struct finish *f, v128_t sum, int8_t *out) {
  int32_t sums[4];
  wasm_v128_store(sums, sum);
  for (uint32_t i = 0; i < f->n; i++) {
    const struct mote_channel ch = mote_channel_at(f->output, f->c + i);
    out[i] = mote_output_wide(f->output, &ch, sums[i]);
  }
}

/* The outputs of 4 channels, of which a and b hold 2 each as pairs of sums. */
INLINE void put(const struct finish *f, v128_t a, v128_t b, int8_t *out) {
  const struct mote_output *o = f->output;
  const v128_t sum = wasm_i32x4_add(
      wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7)),
      f->bias);
  if (o->wide) {
    put_wide(f, sum, out);
    return;
  }
  const v128_t h = mul_high(sum, f->multiplier);
  const v128_t t = wasm_i32x4_add(wasm_i32x4_add(h, f->round), wasm_i32x4_shr(h, 31));
  v128_t q = scaled(t, f->power, wasm_i64x2_const_splat(0));
  q = wasm_i16x8_narrow_i32x4(q, q);
  q = wasm_i8x16_narrow_i16x8(q, q);
  q = wasm_i8x16_min(wasm_i8x16_max(q, wasm_i8x16_splat(o->low)), wasm_i8x16_splat(o->high));
  uint32_t four = (uint32_t)wasm_i32x4_extract_lane(q, 0);
  if (f->n == 4)
    __builtin_memcpy(out, &four, 4);
  else
    for (uint32_t i = 0; i < f->n; i++, four >>= 8) out[i] = (int8_t)(uint8_t)four;
}

/* ---- convolution ----------------------------------------------------------------------- */
static void bring(void *strip, size_t at, const int8_t *from, uint32_t n, uint8_t pad) {
  int16_t *to = (int16_t *)strip + at;
  uint32_t i = 0;
  if (from == NULL) {
    for (; i < n; i++) to[i] = pad;
    return;
  }
  for (; i + 8 <= n; i += 8)
    wasm_v128_store(to + i,
                    wasm_i16x8_add(wasm_i16x8_load8x8(from + i), wasm_i16x8_const_splat(128)));
  for (; i < n; i++) to[i] = (int16_t)(from[i] + 128);
}

INLINE v128_t more(v128_t sum, v128_t x, v128_t w) {
  return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x, w));
}

/* `pixels` pixels of up to 4 channels. weights: their first quad; quads lie `step` apart. */
INLINE void tile(const struct mote_conv2d_s8 *p, const struct finish *f, const int8_t *weights,
                 size_t step, const int16_t *strip, size_t row_values, int8_t *out,
                 const int pixels) {
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  const size_t pixel = (size_t)p->stride_w * p->in_c, column = (size_t)p->dilation_w * p->in_c;
  const size_t second = f->n > 2 ? 8 : 0; /* nothing is read where there are no more than 2 */
  v128_t a[4], b[4];
  UNROLL for (int i = 0; i < pixels; i++) a[i] = b[i] = wasm_i64x2_const_splat(0);
  for (uint32_t ky = 0; ky < p->kernel_h; ky++, strip += row_values)
    for (uint32_t j = 0; j < runs; j++) {
      const int16_t *at = strip + j * column;
      for (uint32_t q = 0; q < run; q++, weights += step, at += 4) {
        const v128_t wa = wasm_i16x8_load8x8(weights), wb = wasm_i16x8_load8x8(weights + second);
        UNROLL for (int i = 0; i < pixels; i++) {
          const v128_t x = wasm_v128_load64_splat(at + (size_t)i * pixel);
          a[i] = more(a[i], x, wa);
          b[i] = more(b[i], x, wb);
        }
      }
    }
  UNROLL for (int i = 0; i < pixels; i++) put(f, a[i], b[i], out + (size_t)i * p->out_c);
}

static void tiles(const struct mote_conv2d_s8 *p, const struct finish *f, const int8_t *w,
                  size_t step, const int16_t *u, size_t row_values, int8_t *out, uint32_t n) {
  switch (n) {
  case 1: tile(p, f, w, step, u, row_values, out, 1); break;
  case 2: tile(p, f, w, step, u, row_values, out, 2); break;
  case 3: tile(p, f, w, step, u, row_values, out, 3); break;
  default: tile(p, f, w, step, u, row_values, out, 4); break;
  }
}

static void conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values, uint32_t n,
                 int8_t *out) {
  const size_t quads = (size_t)mote_block_quads(p), pixel = (size_t)p->stride_w * p->in_c;
  for (uint32_t c = 0; c < p->out_c; c += 4) {
    const uint32_t first = c - c % MOTE_BLOCK, of_block = p->out_c - first, left = p->out_c - c;
    const int8_t *w =
        (const int8_t *)mote_at(p, p->weights_at) + first * 4 * quads + 4 * (size_t)(c - first);
    const size_t step = 4 * (size_t)(of_block < MOTE_BLOCK ? of_block : MOTE_BLOCK);
    const int16_t *u = (const int16_t *)strip;
    const struct finish f = prepare(&p->output, c, left < 4 ? left : 4);
    int8_t *to = out + c;
    for (uint32_t done = 0, pixels; done < n; done += pixels) {
      pixels = mote_block_of(n - done, 4);
      tiles(p, &f, w, step, u, row_values, to, pixels);
      u += pixels * pixel;
      to += (size_t)pixels * p->out_c;
    }
  }
}

void mote_isa_conv_block__wasm(const void *params, const void *const *rows, void *state,
                               void *out) {
  mote_strip_convs(params, rows, state, out, bring, conv);
}

/* ---- depthwise ----------------------------------------------------------------------------- */
/* 4 bytes of a row, of which only n are there. */
INLINE uint32_t four_of(const int8_t *from, uint32_t n) {
  uint32_t four = 0;
  if (n >= 4)
    __builtin_memcpy(&four, from, 4);
  else
    for (uint32_t i = 0; i < n; i++) four |= (uint32_t)(uint8_t)from[i] << 8 * i;
  return four;
}

/* 4 channels of four rows: bytes of two rows side by side, then pairs. */
static void turn(void *strip, const struct mote_strip_columns *t) {
  const uint32_t outside = (uint32_t)(t->pad ^ 0x80) * 0x01010101u;
  const uint32_t columns = t->left + t->inside + t->right;
  for (uint32_t i = 0; i < columns; i++) {
    int16_t *to = (int16_t *)strip + t->at + i * t->step;
    const int inside = i >= t->left && i - t->left < t->inside;
    const size_t at = inside ? (i - t->left) * t->distance : 0;
    for (uint32_t c = 0; c < t->channels; c += 4, to += 16) {
      const uint32_t n = t->channels - c;
      uint32_t row[4];
      for (int k = 0; k < 4; k++)
        row[k] = inside && t->from[k] ? four_of(t->from[k] + at + c, n) : outside;
      v128_t x = wasm_u32x4_make(row[0], row[1], row[2], row[3]);
      x = wasm_i8x16_shuffle(x, x, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      x = wasm_v128_xor(x, wasm_i8x16_const_splat(-128));
      int16_t values[16];
      wasm_v128_store(values, wasm_u16x8_extend_low_u8x16(x));
      wasm_v128_store(values + 8, wasm_u16x8_extend_high_u8x16(x));
      __builtin_memcpy(to, values, 8 * (size_t)(n < 4 ? n : 4));
    }
  }
}

/* 2 channels of 4 values each, of which only n are there. */
INLINE v128_t values_of(const int16_t *at, uint32_t n) {
  return n >= 2 ? wasm_v128_load(at) : wasm_v128_load64_zero(at);
}

/* n pixels of up to 4 channels from c on, whose quads lie `quad` values apart. */
INLINE void group(const struct mote_depthwise_conv2d_s8 *p, const int16_t *u, size_t column_values,
                  size_t quad, uint32_t n, uint32_t c, const uint32_t channels, int8_t *out) {
  const uint32_t quads = mote_block_row_quads(p);
  const size_t step = 4 * (size_t)p->in_c, pixel = p->stride_w * column_values,
               column = p->dilation_w * column_values;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at) + 4 * (size_t)c;
  const struct finish f = prepare(&p->output, c, channels);
  for (; n; n--, u += pixel, out += p->in_c) {
    v128_t a = wasm_i64x2_const_splat(0), b = a;
    const int8_t *w = weights;
    for (uint32_t j = 0; j < p->kernel_w; j++)
      for (uint32_t q = 0; q < quads; q++, w += step) {
        const int16_t *at = u + j * column + q * quad;
        a = more(a, values_of(at, channels), wasm_i16x8_load8x8(w));
        if (channels > 2) b = more(b, values_of(at + 8, channels - 2), wasm_i16x8_load8x8(w + 8));
      }
    put(&f, a, b, out);
  }
}

static void depthwise(const struct mote_depthwise_conv2d_s8 *p, const void *strip,
                      size_t column_values, uint32_t n, uint32_t c, uint32_t channels,
                      int8_t *out) {
  const int16_t *u = (const int16_t *)strip;
  const size_t quad = 4 * (size_t)channels;
  for (; channels >= 4; channels -= 4, c += 4, u += 16, out += 4)
    group(p, u, column_values, quad, n, c, 4, out);
  if (channels) group(p, u, column_values, quad, n, c, channels, out);
}

void mote_isa_depthwise_block__wasm(const void *params, const void *const *rows, void *state,
                                    void *out) {
  mote_strip_depthwises(params, rows, state, out, turn, depthwise);
}

/* ---- rows -------------------------------------------------------------------------------- */
INLINE v128_t four_at(const int8_t *from) {
  return wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(from)));
}

/* mote_isa_scale of each lane. */
INLINE v128_t scale(v128_t x, const struct mote_scale *s) {
  const v128_t h = mul_high(x, wasm_i32x4_splat(s->multiplier));
  const v128_t down = wasm_v128_and(wasm_i32x4_shr(h, 31), wasm_i32x4_splat(s->negative));
  return wasm_i32x4_shr(wasm_i32x4_add(wasm_i32x4_add(h, down), wasm_i32x4_splat(s->half)),
                        (uint32_t)s->shift);
}

uint32_t mote_isa_add_some__wasm(const struct mote_add_job *d) {
  const v128_t unit = wasm_i32x4_splat(d->unit), zp_a = wasm_i32x4_splat(d->zp_a),
               zp_b = wasm_i32x4_splat(d->zp_b);
  uint32_t i = 0;
  for (; i + 4 <= d->n; i += 4) {
    const v128_t a = scale(wasm_i32x4_sub(wasm_i32x4_mul(four_at(d->a + i), unit), zp_a), &d->s);
    const v128_t b = scale(wasm_i32x4_sub(wasm_i32x4_mul(four_at(d->b + i), unit), zp_b), &d->t);
    v128_t q = wasm_i32x4_add(scale(wasm_i32x4_add(a, b), &d->u), wasm_i32x4_splat(d->zp));
    q = wasm_i32x4_min(wasm_i32x4_max(q, wasm_i32x4_splat(d->low)), wasm_i32x4_splat(d->high));
    q = wasm_i16x8_narrow_i32x4(q, q);
    const int32_t four = wasm_i32x4_extract_lane(wasm_i8x16_narrow_i16x8(q, q), 0);
    __builtin_memcpy(d->out + i, &four, 4);
  }
  return i;
}

uint32_t mote_isa_add_row_some__wasm(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  uint32_t i = 0;
  for (; i + 4 <= c; i += 4) {
    const int8_t *from = row + i;
    v128_t sum = wasm_v128_load(sums + i);
    for (uint32_t x = 0; x < w; x++, from += c) sum = wasm_i32x4_add(sum, four_at(from));
    wasm_v128_store(sums + i, sum);
  }
  return i;
}

#else
typedef int mote_isa_wasm_block_is_empty;
#endif
