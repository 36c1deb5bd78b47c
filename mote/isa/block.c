/* block: the loops over blocks of channels in plain C, the meaning of the others; and x86-64's choice between them.
 *
 * Sums wrap (unsigned), as everywhere. |w u| <= 128 * 255. */
#include "mote/isa/strip.h"

static void bring(void *strip, size_t at, const int8_t *from, uint32_t n, uint8_t pad) {
  uint8_t *to = (uint8_t *)strip + at;
  for (; n; n--) *to++ = from ? (uint8_t)(*from++ + 128) : pad;
}

static int8_t finish(const struct mote_output *o, size_t c, uint32_t sum) {
  const struct mote_channel ch = mote_channel_at(o, c);
  const int32_t total = (int32_t)(sum + (uint32_t)ch.bias);
  return o->wide ? mote_output_wide(o, &ch, total)
                 : mote_output_packed(o, &ch, mote_channel_round(o, &ch), total);
}

static uint32_t dot4(const int8_t *w, const uint8_t *u) {
  return (uint32_t)(w[0] * u[0] + w[1] * u[1] + w[2] * u[2] + w[3] * u[3]);
}

/* The sum of one channel's window. w: its first quad; quads lie `step` apart. */
static uint32_t window(const struct mote_conv2d_s8 *p, const int8_t *w, size_t step,
                       const uint8_t *u, size_t row_values) {
  const uint32_t run = mote_block_run(p), runs = mote_block_runs(p);
  uint32_t sum = 0;
  for (uint32_t i = 0; i < p->kernel_h; i++, u += row_values)
    for (uint32_t j = 0; j < runs; j++) {
      const uint8_t *at = u + (size_t)j * p->dilation_w * p->in_c;
      for (uint32_t q = 0; q < run; q++, w += step, at += 4) sum += dot4(w, at);
    }
  return sum;
}

static void conv(const struct mote_conv2d_s8 *p, const void *strip, size_t row_values, uint32_t n,
                 int8_t *out) {
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const size_t quads = (size_t)mote_block_quads(p), pixel = (size_t)p->stride_w * p->in_c;
  for (uint32_t c = 0; c < p->out_c; c++) {
    const uint32_t first = c - c % MOTE_BLOCK, left = p->out_c - first,
                   step = left < MOTE_BLOCK ? left : MOTE_BLOCK;
    const int8_t *w = weights + first * 4 * quads + (c - first) * 4;
    const uint8_t *u = (const uint8_t *)strip;
    for (uint32_t i = 0; i < n; i++, u += pixel)
      out[(size_t)i * p->out_c + c] =
          finish(&p->output, c, window(p, w, 4 * (size_t)step, u, row_values));
  }
}

void mote_isa_conv_block__plain(const void *params, const void *const *rows, void *state,
                                void *out) {
  mote_strip_convs(params, rows, state, out, bring, conv);
}

static void turn(void *strip, const struct mote_strip_columns *t) {
  uint8_t *to = (uint8_t *)strip + t->at;
  const uint32_t columns = t->left + t->inside + t->right;
  for (uint32_t i = 0; i < columns; i++, to += t->step) {
    const int inside = i >= t->left && i - t->left < t->inside;
    for (uint32_t k = 0; k < 4; k++) {
      const int8_t *from = inside && t->from[k] ? t->from[k] + (i - t->left) * t->distance : NULL;
      for (uint32_t c = 0; c < t->channels; c++)
        to[4 * c + k] = from ? (uint8_t)(from[c] + 128) : t->pad;
    }
  }
}

static void depthwise(const struct mote_depthwise_conv2d_s8 *p, const void *strip,
                      size_t column_values, uint32_t n, uint32_t first, uint32_t channels,
                      int8_t *out) {
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at) + 4 * (size_t)first;
  const uint32_t quads = mote_block_row_quads(p);
  const uint8_t *pixel = (const uint8_t *)strip;
  for (; n; n--, pixel += p->stride_w * column_values, out += p->in_c)
    for (uint32_t c = 0; c < channels; c++) {
      const int8_t *w = weights + 4 * c;
      uint32_t sum = 0;
      for (uint32_t j = 0; j < p->kernel_w; j++) {
        const uint8_t *u = pixel + (size_t)j * p->dilation_w * column_values + 4 * c;
        for (uint32_t q = 0; q < quads; q++, w += 4 * (size_t)p->in_c, u += 4 * (size_t)channels)
          sum += dot4(w, u);
      }
      out[c] = finish(&p->output, first + c, sum);
    }
}

void mote_isa_depthwise_block__plain(const void *params, const void *const *rows, void *state,
                                     void *out) {
  mote_strip_depthwises(params, rows, state, out, turn, depthwise);
}

#if MOTE_ISA_X86
void mote_isa_conv_block(const void *params, const void *const *rows, void *state, void *out) {
  mote_isa_row *const row = mote_isa_has_vnni()   ? mote_isa_conv_block__vnni
                            : mote_isa_has_avx2() ? mote_isa_conv_block__avx2
                                                  : mote_isa_conv_block__plain;
  row(params, rows, state, out);
}
void mote_isa_depthwise_block(const void *params, const void *const *rows, void *state, void *out) {
  mote_isa_row *const row = mote_isa_has_vnni()   ? mote_isa_depthwise_block__vnni
                            : mote_isa_has_avx2() ? mote_isa_depthwise_block__avx2
                                                  : mote_isa_depthwise_block__plain;
  row(params, rows, state, out);
}
#endif

/* ---- ADD, and the sums of a mean ----------------------------------------------------- */
#if MOTE_ISA_X86
static uint32_t add_some(const struct mote_add_job *d) {
  return mote_isa_has_vnni()   ? mote_isa_add_some__avx512(d)
         : mote_isa_has_avx2() ? mote_isa_add_some__avx2(d)
                               : 0;
}
static uint32_t add_row_some(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  return mote_isa_has_vnni()   ? mote_isa_add_row_some__avx512(sums, row, w, c)
         : mote_isa_has_avx2() ? mote_isa_add_row_some__avx2(sums, row, w, c)
                               : 0;
}
#elif MOTE_ISA_WASM
#define add_some     mote_isa_add_some__wasm
#define add_row_some mote_isa_add_row_some__wasm
#endif

#if MOTE_ISA_X86 || MOTE_ISA_WASM
void mote_isa_add__vector(const struct mote_add_job *d) {
  const uint32_t done = add_some(d);
  struct mote_add_job rest = *d;
  rest.a += done;
  rest.b += done;
  rest.out += done;
  rest.n -= done;
  mote_isa_add__plain(&rest);
}

void mote_isa_add_row__vector(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  for (uint32_t i = add_row_some(sums, row, w, c); i < c; i++) {
    const int8_t *from = row + i;
    int32_t sum = 0; /* w < 2^16 values of at most 2^7: below 2^23 */
    for (uint32_t x = 0; x < w; x++, from += c) sum += *from;
    sums[i] += (uint32_t)sum;
  }
}
#endif
