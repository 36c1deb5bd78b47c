/* mve_depthwise: depthwise convolutions with Helium (mve.h). Eight channels at a time are turned into runs of their own in
 * the state, column after column, of each kernel_h rows, so that a window is one run; VMLADAVA then multiplies a window of
 * up to 16 taps at once, one channel after the other, and four channels are requantised together. Larger windows, and
 * those of dilated kernels, whose columns lie apart, loop.
 *
 * The state was laid out for int16 of four channels, so int8 of eight fit.
 *
 * Channels are read before any of their outputs is written, and nothing else is read: rows may be written where they are
 * read, as the plain loop allows. */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

/* What returns before the loops run is kept out of their frames. */
#define APART __attribute__((noinline)) static

enum { TURNED = 8, TAPS_AT_ONCE = 16 };

struct strip {
  const struct mote_depthwise_conv2d_s8 *p;
  int8_t *at;            /* the state */
  uint32_t left, inside; /* columns outside the row, and in it */
  uint32_t run;          /* bytes of a channel: columns * kernel_h */
  size_t from;           /* of the first column inside, in a row */
};

/* n columns of eight channels, from_step apart, to `places`, step apart. */
static inline void turn_columns(int8_t *to, uint16x8_t places, uint32_t step, const int8_t *from,
                                uint32_t from_step, uint32_t n) {
  const uint16x8_t second = vaddq_n_u16(places, (uint16_t)step);
  if (n >= 2)
    __asm__ volatile("dls lr, %[n]\n"
                     "1:\n"
                     "  vldrb.u16 q0, [%[from]]\n"
                     "  add %[from], %[from], %[from_step]\n"
                     "  vldrb.u16 q1, [%[from]]\n"
                     "  add %[from], %[from], %[from_step]\n"
                     "  vstrb.16 q0, [%[to], %q[places]]\n"
                     "  vstrb.16 q1, [%[to], %q[second]]\n"
                     "  add %[to], %[to], %[step], lsl #1\n"
                     "  le lr, 1b\n"
                     : [to] "+r"(to), [from] "+l"(from)
                     : [n] "r"(n / 2), [step] "r"(step), [from_step] "r"(from_step),
                       [places] "w"(places), [second] "w"(second)
                     : "q0", "q1", "lr", "memory");
  if (n & 1) vstrbq_scatter_offset_s16(to, places, vldrbq_s16(from));
}

/* Turns channels c .. c + some - 1. padded: some of what a window reads is not there. */
APART void turn(const struct strip *s, const void *const *rows, uint32_t c, uint32_t some,
                int padded) {
  const uint32_t kernel_h = s->p->kernel_h, in_c = s->p->in_c, n = s->inside;
  const uint16x8_t places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)s->run);
  int8_t *to = s->at + s->left * kernel_h;
  const size_t at = s->from + c;
  if (padded) mve_fill(s->at, some * s->run, s->p->output.in_zp);
  if (n == 0) return;
  for (uint32_t i = kernel_h; i; i--, to++) {
    const int8_t *from = (const int8_t *)*rows++;
    if (from == NULL) continue;
    from += at;
    if (some == TURNED) {
      turn_columns(to, places, kernel_h, from, in_c, n);
      continue;
    }
    const mve_pred16_t here = vctp16q(some);
    int8_t *column = to;
    for (uint32_t k = n; k; k--, column += kernel_h, from += in_c)
      vstrbq_scatter_offset_p_s16(column, places, vldrbq_z_s16(from, here), here);
  }
}

/* The runs of four output channels from oc on, at most `last`; input channel c was turned first. */
static void runs_of(struct mve_run *r, const struct strip *s, uint32_t c, uint32_t oc,
                    uint32_t last) {
  if (s->p->multiplier == 1) {
    vstrwq_u32((uint32_t *)r->x, vaddq_n_u32(vmulq_n_u32(mve_lanes(last - oc + 1), s->run),
                                             (uint32_t)s->at + (oc - c) * s->run));
    return;
  }
  for (uint32_t i = 0; i < 4; i++) {
    const uint32_t channel = oc + i < last ? oc + i : last;
    r->x[i] = s->at + (channel / s->p->multiplier - c) * s->run;
  }
}

/* Any outputs of channels oc .. end - 1, whose inputs from channel c on are turned, four by four. */
APART void channels(const struct strip *s, struct mve_run *r, uint32_t c, uint32_t oc, uint32_t end,
                    int small, int8_t *out) {
  const struct mote_depthwise_conv2d_s8 *p = s->p;
  const uint32_t taps = (uint32_t)p->kernel_w * p->kernel_h;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  struct mve_windows w = {&p->output, oc, 0, taps, 1, 0};
  if (p->dilation_w > 1) {
    w.length = p->kernel_h;
    w.runs = p->kernel_w;
    w.run_step = p->dilation_w * w.length;
  }
  for (; w.c < end; w.c += w.n) {
    w.n = end - w.c < 4 ? end - w.c : 4;
    const int right = mote_mve_prepare(r, w.o, w.c, w.n, weights, taps, taps);
    r->out = out + w.c;
    r->count = w.n;
    runs_of(r, s, c, w.c, w.c + w.n - 1);
    if (small && right)
      mote_mve_run(r);
    else
      mote_mve_windows(r, &w);
  }
}

/* Places the strip under n pixels from x on. */
static void place(struct strip *s, uint32_t x, uint32_t n) {
  const struct mve_span span = mve_span_of(s->p, x, n);
  s->run = span.columns * s->p->kernel_h;
  s->left = span.left;
  s->inside = span.inside;
  s->from = span.from;
}

static int is_padded(const struct strip *s, const void *const *rows) {
  int padded = s->inside * s->p->kernel_h != s->run;
  for (uint32_t i = 0; i < s->p->kernel_h; i++) padded |= rows[i] == NULL;
  return padded;
}

/* All channels of the strip; `room`: bytes of the state. */
static inline void strip(const struct strip *s, struct mve_run *r, const void *const *rows,
                         uint32_t room, int8_t *out) {
  const struct mote_depthwise_conv2d_s8 *p = s->p;
  const uint32_t taps = (uint32_t)p->kernel_w * p->kernel_h, in_c = p->in_c;
  const uint32_t behind = taps < TAPS_AT_ONCE ? TAPS_AT_ONCE - taps : 0;
  const int padded = is_padded(s, rows);
  uint32_t turned = in_c < TURNED ? in_c : TURNED, c = 0;
  if (turned * s->run + behind > room && turned > 4) turned = 4;
  const int small = p->dilation_w == 1 && taps <= TAPS_AT_ONCE && turned * s->run + behind <= room;
  if (s->run > UINT16_MAX / TURNED) turned = 1; /* places have 16 bits */
  if (small && !p->output.wide && turned >= 4) {
    /* Whole groups: the assembly goes on where it ended. */
    mote_mve_from(r, &p->output, 0, (const int8_t *)mote_at(p, p->weights_at), taps, taps);
    mote_mve_fold(r, &p->output, in_c * p->multiplier);
    r->out = out;
    r->count = 4;
    r->x_step = 4 * s->run;
    for (uint32_t some; in_c - c >= 4; c += some) {
      some = in_c - c < turned ? 4 : turned & ~3u;
      turn(s, rows, c, some, padded);
      for (uint32_t oc = 0, n; oc < some * p->multiplier; oc += 4 * n) {
        runs_of(r, s, 0, oc, some * p->multiplier);
        r->groups = n = p->multiplier == 1 ? some / 4 : 1;
        mote_mve_run(r);
      }
    }
  }
  for (uint32_t some; c < in_c; c += some) {
    some = in_c - c < turned ? in_c - c : turned;
    turn(s, rows, c, some, padded);
    channels(s, r, c, c * p->multiplier, (c + some) * p->multiplier, small, out);
  }
}

APART void turned(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, void *state,
                  void *out) {
  struct strip s;
  struct mve_run r;
  int8_t *to = (int8_t *)out;
  s.p = p;
  s.at = (int8_t *)state;
  const uint32_t most = p->strip_w < p->out_w ? p->strip_w : p->out_w;
  const uint32_t room = (uint32_t)mote_isa_depthwise_bytes(
      (most - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1, p->kernel_h, p->in_c);
  r.body = mote_mve_apart;
  r.step = (uint32_t)p->stride_w * p->kernel_h;
  r.out_step = (uint32_t)p->in_c * p->multiplier;
  for (uint32_t i = p->rows_out; i; i--, rows += p->stride_h) {
    for (uint32_t x = 0; x < p->out_w; x += r.pixels) {
      r.pixels = p->out_w - x < most ? p->out_w - x : most;
      place(&s, x, r.pixels);
      strip(&s, &r, rows, room, to);
      to += r.pixels * r.out_step;
    }
  }
}

void mote_isa_depthwise__mve(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t row_bytes = (uint32_t)p->out_w * p->in_c * p->multiplier;
  if (mote_mve_is_tall(p, rows)) {
    mote_mve_tall_rows(p, rows, out);
  } else if (mote_mve_is_three(p)) {
    mote_mve_three_rows(p, rows, state, out);
  } else {
    turned(p, rows, state, out);
  }
  mote_mve_clamp(p->output.low, p->output.high, (int8_t *)out, p->rows_out * row_bytes);
}

#else
typedef int mote_isa_mve_depthwise_is_empty; /* C wants a declaration in every file */
#endif
