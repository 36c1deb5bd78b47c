/* dsp: widening, dense layers and outputs for Cortex-M with the DSP extension; see dsp.h. */
#include "mote/isa/dsp.h"

#if MOTE_ISA_DSP

/* Loops over the channels of a block: their sums live in registers only when unrolled. */
#define UNROLL _Pragma("GCC unroll 4")

/* ---- outputs ------------------------------------------------------------------------------ */

int8_t mote_dsp_output(const struct mote_output *o, const void *params, uint32_t c, int32_t sum) {
  const struct mote_channel ch = mote_channel_at(o, params, c);
  return o->wide ? mote_output_wide(o, &ch, sum)
                 : mote_output_packed(o, &ch, mote_channel_round(o, &ch), sum);
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
  const uint32_t c = (uint32_t)(f->out - f->first_out);
  for (uint32_t i = 0; i < f->pixels; i++)
    f->out[i * f->out_step] = mote_dsp_output(f->output, f->params, c, f->sums[i]);
  f->out++;
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

/* N channels at once, so that a widened activation serves N weights. Weights padded with zeros make the
 * padding of the last quad nothing. */
static inline __attribute__((always_inline)) void dense(const struct mote_dense_job *d, uint32_t c,
                                                        int N) {
  const uint32_t step = (d->n + 3) & ~(uint32_t)3;
  const int8_t *w = d->weights + (size_t)c * step, *in = d->in;
  const int8_t *const end = in + (d->n & ~(uint32_t)3);
  const uint32_t minus = both(-d->in_zp);
  int32_t s[4];
  UNROLL for (int i = 0; i < N; i++) s[i] =
      mote_channel_bias(d->output, d->params, c + (uint32_t)i);
  for (; in != end; in += 4, w += 4) {
    const uint32_t x = load(in), e = even_add(minus, x), o = odd_add(minus, x);
    UNROLL for (int i = 0; i < N; i++) {
      const uint32_t y = load(w + (uint32_t)i * step);
      s[i] = smlad(odd(y), o, smlad(even(y), e, s[i]));
    }
  }
  if (d->n & 3) {
    const uint32_t x = load_part(in, d->n & 3), e = even_add(minus, x), o = odd_add(minus, x);
    UNROLL for (int i = 0; i < N; i++) {
      const uint32_t y = load(w + (uint32_t)i * step);
      s[i] = smlad(odd(y), o, smlad(even(y), e, s[i]));
    }
  }
  UNROLL for (int i = 0; i < N; i++) d->out[c + (uint32_t)i] =
      mote_dsp_output(d->output, d->params, c + (uint32_t)i, s[i]);
}

void mote_isa_dense__dsp(const struct mote_dense_job *d) {
  uint32_t c = 0;
  for (; c + 4 <= d->channels; c += 4) dense(d, c, 4);
  for (; c < d->channels; c++) dense(d, c, 1);
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
