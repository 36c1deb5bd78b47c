/* stairs: depthwise convolutions by stairs (isa.h) in C: the meaning of the faster loops. */
#include "mote/isa/isa.h"

/* The sum of one window: column is the input's for kernel column 0, maybe negative. */
static int32_t window(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                      const int8_t *w, int32_t column, uint32_t c) {
  const int32_t zp = p->output.in_zp;
  uint32_t sum = 0;
  for (uint32_t j = 0; j < p->kernel_w; j++, column += p->dilation_w)
    for (uint32_t i = 0; i < p->kernel_h; i++, w++) {
      const int inside = rows[i] && column >= 0 && column < p->in_w;
      const size_t at = inside ? (size_t)(uint32_t)column * p->in_c + c : 0;
      sum += (uint32_t)(*w * (inside ? ((const int8_t *)rows[i])[at] : zp));
    }
  return (int32_t)sum;
}

/* The output of a sum without bias. */
static int8_t table_output(const struct mote_depthwise_conv2d_s8 *p,
                           const struct mote_nine_table *t, int32_t sum) {
  const int32_t m = (int32_t)((uint32_t)t->h << 12) + t->l;
  const uint32_t v = (uint32_t)((int64_t)sum * m >> 12);
  return (int8_t)mote_clamp((int32_t)(v + (uint32_t)t->offset) >> (t->word & 31), p->output.low,
                            p->output.high);
}

static inline __attribute__((always_inline)) void strip(const struct mote_depthwise_conv2d_s8 *p,
                                                        const void *const *rows, uint32_t x,
                                                        uint32_t n, void *state, int8_t *to,
                                                        int tables, int high) {
  const uint32_t out_c = (uint32_t)p->in_c * p->multiplier,
                 area = (uint32_t)p->kernel_w * p->kernel_h;
  const int8_t *w = (const int8_t *)mote_at(p, p->weights_at);
  const struct mote_nine_table *t =
      (const struct mote_nine_table *)(const void *)mote_at(p, p->weights_at);
  int8_t *made = (int8_t *)state, nine[9];
  for (uint32_t c = 0; c < out_c; c++, t++) {
    int32_t column = (int32_t)(x * p->stride_w) - p->pad_left;
    for (uint32_t i = 0; tables && i < 9; i++)
      nine[i] = (int8_t)t->weights[mote_nine_at(mote_nine_slides(p), i)];
    for (uint32_t i = 0; i < n; i++, column += p->stride_w) {
      const int32_t sum = window(p, rows, tables ? nine : w, column, c / p->multiplier);
      made[i] = tables ? table_output(p, t, sum)
                : high ? mote_output_stair_high(&p->output, c, out_c, sum, 1)
                       : mote_output_stair(&p->output, c, out_c, sum);
    }
    if (!tables) w += area;
    for (uint32_t i = 0; i < n; i++) to[(size_t)i * out_c + c] = made[i];
  }
}
void mote_depthwise_stairs_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                                 uint32_t x, uint32_t n, void *state, int8_t *to) {
  strip(p, rows, x, n, state, to, 0, 0);
}
void mote_depthwise_tables_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                                 uint32_t x, uint32_t n, void *state, int8_t *to) {
  strip(p, rows, x, n, state, to, 1, 0);
}
void mote_depthwise_high_strip(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                               uint32_t x, uint32_t n, void *state, int8_t *to) {
  strip(p, rows, x, n, state, to, 0, 1);
}

static inline __attribute__((always_inline)) void
all(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, void *state, int8_t *to,
    void (*make)(const struct mote_depthwise_conv2d_s8 *, const void *const *, uint32_t, uint32_t,
                 void *, int8_t *)) {
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0, n; x < p->out_w; x += n) {
      n = p->out_w - x < p->strip_w ? p->out_w - x : p->strip_w;
      make(p, rows, x, n, state, to);
      to += (size_t)n * p->in_c * p->multiplier;
    }
}
void mote_isa_depthwise_stairs__plain(const void *params, const void *const *rows, void *state,
                                      void *out) {
  all((const struct mote_depthwise_conv2d_s8 *)params, rows, state, (int8_t *)out,
      mote_depthwise_stairs_strip);
}
void mote_isa_depthwise_tables__plain(const void *params, const void *const *rows, void *state,
                                      void *out) {
  all((const struct mote_depthwise_conv2d_s8 *)params, rows, state, (int8_t *)out,
      mote_depthwise_tables_strip);
}
void mote_isa_depthwise_stairs_high__plain(const void *params, const void *const *rows, void *state,
                                           void *out) {
  all((const struct mote_depthwise_conv2d_s8 *)params, rows, state, (int8_t *)out,
      mote_depthwise_high_strip);
}
