/* dsp: widening, dense layers and outputs for Cortex-M with the DSP extension; see dsp.h. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* ---- outputs ------------------------------------------------------------------------------ */

void mote_dsp_outputs(const struct mote_output *o, const void *params, uint32_t c,
                      const int32_t *sums, uint32_t n, int8_t *out, uint32_t step) {
  const struct mote_channel ch = mote_channel_at(o, params, c);
  const int short_shift = ch.shift <= -1 && ch.shift >= -22;
  const int32_t round = short_shift ? mote_channel_round(o, &ch) : 0, low = o->low, high = o->high;
  for (; n; n--, sums++, out += step) {
    const int32_t sum = *sums;
    /* The short way where |sum| < 2^30 (see dsp.h); a wide layer's sum may be anything. */
    if (short_shift && ((uint32_t)sum + ((uint32_t)1 << 30)) >> 31 == 0) {
      const int32_t q = smmlar(sum * 2, ch.multiplier, round + (sum >> 31)) >> -ch.shift;
      *out = (int8_t)mote_clamp(q, low, high);
    } else {
      *out = mote_output_wide(o, &ch, sum);
    }
  }
}

void mote_dsp_frame_output(struct dsp_frame *f, const struct mote_output *o, const void *params,
                           uint32_t c) {
  static const int32_t nothing = 0;
  f->bias_step = o->bias_at ? o->bias_bytes : 0;
  f->bias = o->bias_at ? (const int8_t *)mote_at(params, o->bias_at) + c * f->bias_step
                       : (const int8_t *)&nothing;
  f->words = (const uint32_t *)mote_at(params, o->requant_at) + c;
  f->zp_word = 2 * o->zp + 1;
  f->less_shift = -o->shift_base - 1;
  f->general = o->wide || o->low > -128 || o->high < 127;
  f->output = o;
  f->params = params;
}

void mote_dsp_general(struct dsp_frame *f) {
  mote_dsp_outputs(f->output, f->params, (uint32_t)(f->out - f->first_out), f->sums, f->pixels,
                   f->out, f->out_step);
  f->out++;
}

/* Small dense layers cannot afford a call. */
static inline __attribute__((always_inline)) void channels_outputs(const struct mote_output *o,
                                                                   const void *params, uint32_t c,
                                                                   const int32_t *sums, uint32_t n,
                                                                   int8_t *out) {
  if (o->wide) {
    for (uint32_t i = 0; i < n; i++) mote_dsp_outputs(o, params, c + i, &sums[i], 1, out + i, 1);
    return;
  }
  const uint32_t *words = (const uint32_t *)mote_at(params, o->requant_at) + c;
  const int32_t zp_word = 2 * o->zp + 1, less_shift = -o->shift_base - 1, low = o->low,
                high = o->high;
  for (; n; n--, sums++) {
    const uint32_t word = *words++;
    const int32_t less = (int32_t)(word & 3) + less_shift;
    const int32_t multiplier = (int32_t)(word >> 2 | (uint32_t)1 << 30);
    const int32_t nudge = (int32_t)((uint32_t)zp_word << less) + (*sums >> 31);
    const int32_t doubled = (int32_t)((uint32_t)*sums << 1);
    *out++ = (int8_t)mote_clamp(smmlar(doubled, multiplier, nudge) >> (less + 1), low, high);
  }
}

void mote_dsp_channels(const struct mote_output *o, const void *params, uint32_t c,
                       const int32_t *sums, uint32_t n, int8_t *out) {
  channels_outputs(o, params, c, sums, n, out);
}

/* ---- widening ---------------------------------------------------------------------------- */

void mote_isa_widen__dsp(int16_t *position, uint32_t quad_step, uint32_t k, const int8_t *src,
                         uint32_t n, int32_t zp) {
  const uint32_t minus = both(-zp);
  uint32_t *to = (uint32_t *)(position + (size_t)(k / 4) * quad_step);
  quad_step /= 2; /* of words */
  if (src == NULL) {
    for (uint32_t i = 0; i < n; i += 4, to += quad_step) to[0] = to[1] = 0;
    return;
  }
  for (const int8_t *end = src + (n & ~3u); src != end; src += 4, to += quad_step) {
    const uint32_t x = load(src);
    to[0] = even_add(minus, x);
    to[1] = odd_add(minus, x);
  }
  n &= 3;
  if (n == 0) return;
  const uint32_t x = load_part(src, n);
  to[0] = even_add(n >= 3 ? minus : minus & 0xFFFF, x);
  to[1] = odd_add(n >= 2 ? minus & 0xFFFF : 0, x);
}

/* ---- dense ----------------------------------------------------------------------------------- */

/* Four channels at once, so that a widened activation serves four weights: 24 instructions for 16 MAC.
 * r4..r7 sums, r8 in, r9 its end, r10 weights, r11 and lr one and three channels on, ip minus the zero point
 * twice, r1 and r2 activations, r0 and r3 weights. */
struct dense_frame {
  int32_t sums[4];
  const int8_t *in, *end, *weights;
  uint32_t step, minus;
};
typedef char dense_frame_layout[sizeof(struct dense_frame) == 36 ? 1 : -1];
void mote_dsp_dense_quads(struct dense_frame *f);

__asm__(MOTE_DSP_MACROS ".macro mote_dense_channel s, from:vararg\n"
                        "  ldr r0, \\from\n"
                        "  sxtb16 r3, r0\n"
                        "  sxtb16 r0, r0, ror #8\n"
                        "  smlad \\s, r3, r1, \\s\n"
                        "  smlad \\s, r0, r2, \\s\n"
                        ".endm\n"
                        "mote_function mote_dsp_dense_quads\n"
                        "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                        "  ldm r0, {r4, r5, r6, r7, r8, r9, r10, r11, ip}\n"
                        "  add lr, r11, r11, lsl #1\n"
                        "1:\n"
                        "  ldr r0, [r8], #4\n"
                        "  sxtab16 r1, ip, r0\n"
                        "  sxtab16 r2, ip, r0, ror #8\n"
                        "  mote_dense_channel r5, [r10, r11]\n"
                        "  mote_dense_channel r6, [r10, r11, lsl #1]\n"
                        "  mote_dense_channel r7, [r10, lr]\n"
                        "  mote_dense_channel r4, [r10], #4\n"
                        "  cmp r8, r9\n"
                        "  bne 1b\n"
                        "  pop {r0}\n"
                        "  stm r0, {r4, r5, r6, r7}\n"
                        "  pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                        "  .size mote_dsp_dense_quads, . - mote_dsp_dense_quads\n"
                        ".text\n");

/* One channel's sum over quads from quad `i` of the vector on; the last may be partial: weights are padded
 * with zeros. */
static int32_t dense_sum(const struct mote_dense_job *d, const int8_t *w, uint32_t i, int32_t sum) {
  const uint32_t minus = both(-d->in_zp);
  for (; i < d->n; i += 4) {
    const uint32_t x = d->n - i >= 4 ? load(d->in + i) : load_part(d->in + i, d->n - i),
                   y = load(w + i);
    sum = smlad(even(y), even_add(minus, x), smlad(odd(y), odd_add(minus, x), sum));
  }
  return sum;
}

void mote_isa_dense__dsp(const struct mote_dense_job *d) {
  const uint32_t step = (d->n + 3) & ~(uint32_t)3, whole = d->n & ~(uint32_t)3;
  for (uint32_t c = 0, some; c < d->channels; c += some) {
    struct dense_frame f;
    uint32_t done = 0;
    some = d->channels - c < 4 ? 1 : 4;
    f.weights = d->weights + (size_t)c * step;
    for (uint32_t i = 0; i < some; i++) f.sums[i] = mote_channel_bias(d->output, d->params, c + i);
    if (some == 4 && whole) {
      f.in = d->in;
      f.end = d->in + whole;
      f.step = step;
      f.minus = both(-d->in_zp);
      mote_dsp_dense_quads(&f);
      done = whole;
    }
    for (uint32_t i = 0; i < some; i++) {
      if (done < d->n) f.sums[i] = dense_sum(d, f.weights + (size_t)i * step, done, f.sums[i]);
    }
    channels_outputs(d->output, d->params, c, f.sums, some, d->out + c);
  }
}

/* ---- sums over a row -------------------------------------------------------------------- */

/* Four channels at a time, in pairs of int16: w <= 255 columns of at most 2^7 stay within them. */
static void add_columns(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  uint32_t i = 0;
  for (; i + 4 <= c; i += 4) {
    const int8_t *from = row + i;
    uint32_t e = 0, o = 0;
    for (uint32_t x = w; x; x--, from += c) {
      const uint32_t v = load(from);
      e = even_add(e, v);
      o = odd_add(o, v);
    }
    sums[i] += (uint32_t)(int32_t)(int16_t)e;
    sums[i + 1] += (uint32_t)(int32_t)(int16_t)o;
    sums[i + 2] += (uint32_t)((int32_t)e >> 16);
    sums[i + 3] += (uint32_t)((int32_t)o >> 16);
  }
  for (; i < c; i++)
    for (uint32_t x = 0; x < w; x++) sums[i] += (uint32_t)(int32_t)row[x * c + i];
}

void mote_isa_add_row__dsp(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  for (; w > 255; w -= 255, row += 255 * c) add_columns(sums, row, 255, c);
  add_columns(sums, row, w, c);
}

#else
typedef int mote_isa_dsp_is_empty; /* C wants a declaration in every file */
#endif
