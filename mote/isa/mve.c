/* mve: what the loops for Helium share (mve.h), and those of dense layers, additions and dot products. */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

void mote_mve_clamp(int32_t from, int32_t to, int8_t *out, uint32_t n) {
  if (from == -128 && to == 127) return;
  const int8x16_t low = vdupq_n_s8((int8_t)from), high = vdupq_n_s8((int8_t)to);
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1:\n"
                   "  vldrb.8 q0, [%[out]]\n"
                   "  vmax.s8 q0, q0, %q[low]\n"
                   "  vmin.s8 q0, q0, %q[high]\n"
                   "  vstrb.8 q0, [%[out]], #16\n"
                   "  letp lr, 1b\n"
                   : [out] "+r"(out)
                   : [n] "r"(n), [low] "w"(low), [high] "w"(high)
                   : "q0", "lr", "memory");
}

/* Sums of n > 0 weights of each of the four channels. */
static int32x4_t weight_sums(const struct mve_run *r) {
  int32x4_t sums;
  __asm__ volatile("ldrd r1, r3, [%[r], #0]\n"
                   "ldrd r5, r12, [%[r], #8]\n"
                   "movs r0, #0\n"
                   "movs r2, #0\n"
                   "movs r4, #0\n"
                   "movs r6, #0\n"
                   "dlstp.8 lr, %[n]\n"
                   "1:\n"
                   "  vldrb.8 q0, [r1], #16\n"
                   "  vaddva.s8 r0, q0\n"
                   "  vldrb.8 q1, [r3], #16\n"
                   "  vaddva.s8 r2, q1\n"
                   "  vldrb.8 q0, [r5], #16\n"
                   "  vaddva.s8 r4, q0\n"
                   "  vldrb.8 q1, [r12], #16\n"
                   "  vaddva.s8 r6, q1\n"
                   "  letp lr, 1b\n"
                   "vmov %q[sums][2], %q[sums][0], r0, r4\n"
                   "vmov %q[sums][3], %q[sums][1], r2, r6\n"
                   : [sums] "=&w"(sums)
                   : [r] "r"(r), [n] "r"(r->length)
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r12", "lr", "q0", "q1", "cc",
                     "memory");
  return sums;
}

static void weights_of(struct mve_run *r, const int8_t *weights, uint32_t step, uint32x4_t lanes) {
  vstrwq_u32((uint32_t *)r->weights, vaddq_n_u32(vmulq_n_u32(lanes, step), (uint32_t)weights));
}

void mote_mve_from(struct mve_run *r, const struct mote_output *o, uint32_t c,
                   const int8_t *weights, uint32_t step, uint32_t length) {
  weights_of(r, weights + c * step, step, vidupq_n_u32(0, 1));
  r->weights_step = 4 * step;
  r->scale.packed.words = (const uint32_t *)mote_at(o, o->requant_at) + c;
  r->scale.packed.shift = o->shift_base + 1;
  r->scale.packed.bias_bytes = o->bias_at ? o->bias_bytes : 0;
  r->scale.packed.bias = (const uint8_t *)mote_at(o, o->bias_at) + c * r->scale.packed.bias_bytes;
  r->minus_zp = -o->in_zp;
  r->first_zp = 0;
  r->length = length;
  r->zp = o->zp;
}

int mote_mve_prepare(struct mve_run *r, const struct mote_output *o, uint32_t c, uint32_t n,
                     const int8_t *weights, uint32_t step, uint32_t length) {
  const uint32x4_t lanes = mve_lanes(n);
  weights_of(r, weights + c * step, step, lanes);
  r->weights_step = 0;
  r->length = length;
  r->zp = o->zp;
  r->groups = 1;
  r->first_zp = 0;
  int32x4_t begin = vdupq_n_s32(0);
  if (o->bias_at) {
    const void *bias = mote_at(o, o->bias_at);
    begin = o->bias_bytes == 2 ? vldrhq_gather_shifted_offset_s32((const int16_t *)bias + c, lanes)
                               : vldrwq_gather_shifted_offset_s32((const int32_t *)bias + c, lanes);
  }
  if (o->in_zp) begin = vmlaq_n_s32(begin, weight_sums(r), -o->in_zp);
  vstrwq_s32(r->begin, begin);

  const uint32_t *words = (const uint32_t *)mote_at(o, o->requant_at) + (o->wide ? 2 * c : c);
  int32x4_t multiplier, right;
  if (o->wide) {
    const uint32x4_t pairs = vshlq_n_u32(lanes, 1);
    multiplier = vldrwq_gather_shifted_offset_s32((const int32_t *)words, pairs);
    right = vldrwq_gather_shifted_offset_s32((const int32_t *)words + 1, pairs);
  } else {
    const uint32x4_t word = vldrwq_gather_shifted_offset_u32(words, lanes);
    multiplier = vreinterpretq_s32_u32(vorrq_n_u32(vshrq_n_u32(word, 2), 0x40000000));
    right = vsubq_s32(vdupq_n_s32(o->shift_base),
                      vreinterpretq_s32_u32(vandq_u32(word, vdupq_n_u32(3))));
  }
  vstrwq_s32(r->scale.multiplier, multiplier);
  vstrwq_s32(r->right, right);
  return !o->wide || vmaxvq_s32(-1, right) < 0;
}

/* ---- any windows -------------------------------------------------------------------- */

/* The sum of n > 0 products. */
static inline int32_t dot(const int8_t *w, const int8_t *x, uint32_t n, int32_t sum) {
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1:\n"
                   "  vldrb.8 q0, [%[w]], #16\n"
                   "  vldrb.8 q1, [%[x]], #16\n"
                   "  vmladava.s8 %[sum], q0, q1\n"
                   "  letp lr, 1b\n"
                   : [sum] "+Te"(sum), [w] "+r"(w), [x] "+r"(x)
                   : [n] "r"(n)
                   : "q0", "q1", "lr", "memory");
  return sum;
}

void mote_mve_windows(const struct mve_run *r, const struct mve_windows *w) {
  for (uint32_t k = 0; k < w->n; k++) {
    const struct mote_channel ch = mote_channel_at(w->o, w->c + k);
    const struct mote_output *o = w->o;
    int8_t *out = r->out + k;
    for (uint32_t i = 0, at = 0; i < r->pixels; i++, out += r->out_step, at += r->step) {
      const int8_t *x = r->x[k] + at, *weights = r->weights[k];
      int32_t sum = r->begin[k];
      for (uint32_t run = w->runs; run; run--, x += w->run_step, weights += w->length)
        sum = dot(weights, x, w->length, sum);
      *out = o->wide ? mote_output_wide(o, &ch, sum)
                     : mote_output_packed(o, &ch, mote_channel_round(o, &ch), sum);
    }
  }
}

/* ---- dense layers ------------------------------------------------------------------ */

void mote_isa_dense__mve(const struct mote_fully_connected_s8 *p, const int8_t *in, int8_t *out) {
  const struct mote_output *o = &p->output;
  const int8_t *weights = (const int8_t *)mote_at(p, p->weights_at);
  const uint32_t length = p->in_c, step = (length + 3u) & ~3u, out_c = p->out_c;
  struct mve_run r;
  r.x[0] = r.x[1] = r.x[2] = r.x[3] = in;
  r.pixels = 1;
  r.count = (length - 1) % 16 + 1;
  r.body = mote_mve_dense_body;
  for (uint32_t c = 0, left; c < out_c; c += left) {
    left = (out_c - c) & ~3u;
    if (left == 0 && c) c = out_c - 4;
    r.out = out + c;
    if (left == 0) left = 4;
    if (out_c >= 4 && !o->wide) {
      mote_mve_from(&r, o, c, weights, step, length);
      mote_mve_fold(&r, o, out_c);
      r.groups = left / 4;
      r.step = (uint32_t)r.minus_zp;
      r.minus_zp = 0;
      mote_mve_run(&r);
      continue;
    }
    left = 4;
    const struct mve_windows w = {o, c, out_c < 4 ? out_c : 4, length, 1, 0};
    r.step = 0;
    if (mote_mve_prepare(&r, o, c, w.n, weights, step, length) && w.n == 4)
      mote_mve_run(&r);
    else
      mote_mve_windows(&r, &w);
  }
  mote_mve_clamp(o->low, o->high, out, out_c);
}

/* ---- elementwise ----------------------------------------------------------------------- */

/* What the assembly of an addition reads. */
struct add_frame {
  int32_t sign
      [3]
      [4]; /*  0: shifts that leave -1 of negatives (-31), or nothing where none is rounded (32) */
  int32_t unit[4];                 /* 48 */
  int32_t minus[2];                /* 64: zero points times unit, negative */
  int32_t multiplier[3], shift[3]; /* 72, 84: negative is to the right */
  int32_t zp;                      /* 96 */
  uint32_t n;                      /* 100: > 0 */
};

/* Three scalings: VQRDMLAH multiplies and adds the -1 of negatives at once. The sign is that of what is scaled: it
 * differs from that of the product's high half where that is 0, and there -1 changes nothing. */
void mote_isa_add__mve(const struct mote_add_job *d) {
  const struct mote_scale *const scales[3] = {&d->s, &d->t, &d->u};
  struct add_frame f;
  for (uint32_t k = 0; k < 3; k++) {
    vstrwq_s32(f.sign[k], vdupq_n_s32(scales[k]->shift ? -31 : 32));
    f.multiplier[k] = scales[k]->multiplier;
    f.shift[k] = -scales[k]->shift;
  }
  vstrwq_s32(f.unit, vdupq_n_s32(d->unit));
  f.minus[0] = -d->zp_a;
  f.minus[1] = -d->zp_b;
  f.zp = d->zp;
  f.n = d->n;
  if (d->n == 0) return;
  const int8_t *a = d->a, *b = d->b;
  int8_t *out = d->out;
  __asm__ volatile("vldrw.32 q4, [%[f]]\n"
                   "vldrw.32 q5, [%[f], #16]\n"
                   "vldrw.32 q6, [%[f], #32]\n"
                   "vldrw.32 q7, [%[f], #48]\n"
                   "ldrd r3, r4, [%[f], #64]\n"
                   "ldrd r5, r6, [%[f], #72]\n"
                   "ldrd r8, r9, [%[f], #80]\n"
                   "ldrd r10, r11, [%[f], #88]\n"
                   "ldrd r12, lr, [%[f], #96]\n"
                   "dlstp.32 lr, lr\n"
                   "1:\n"
                   "  vldrb.s32 q0, [%[a]], #4\n"
                   "  vldrb.s32 q1, [%[b]], #4\n"
                   "  vmlas.s32 q0, q7, r3\n"
                   "  vmlas.s32 q1, q7, r4\n"
                   "  vshl.s32 q2, q0, q4\n"
                   "  vshl.s32 q3, q1, q5\n"
                   "  vqrdmlah.s32 q2, q0, r5\n"
                   "  vqrdmlah.s32 q3, q1, r6\n"
                   "  vrshl.s32 q2, r9\n"
                   "  vrshl.s32 q3, r10\n"
                   "  vadd.i32 q2, q2, q3\n"
                   "  vshl.s32 q3, q2, q6\n"
                   "  vqrdmlah.s32 q3, q2, r8\n"
                   "  vrshl.s32 q3, r11\n"
                   "  vqadd.s32 q3, q3, r12\n"
                   "  vqmovnb.s32 q3, q3\n"
                   "  vqmovnb.s16 q3, q3\n"
                   "  vstrb.32 q3, [%[out]], #4\n"
                   "  letp lr, 1b\n"
                   : [a] "+l"(a), [b] "+l"(b), [out] "+l"(out)
                   : [f] "r"(&f)
                   : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1",
                     "q2", "q3", "q4", "q5", "q6", "q7", "memory");
  mote_mve_clamp(d->low, d->high, d->out, d->n);
}

void mote_isa_add_row__mve(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c) {
  for (uint32_t i = 0; i < c; i += 4) {
    const mve_pred16_t here = vctp32q(c - i);
    const int8_t *from = row + i;
    int32x4_t sum = vldrwq_z_s32((const int32_t *)sums + i, here);
    for (uint32_t x = w; x; x--, from += c) sum = vaddq_s32(sum, vldrbq_z_s32(from, here));
    vstrwq_p_s32((int32_t *)sums + i, sum, here);
  }
}

/* ---- dot products ------------------------------------------------------------------------ */

/* Sum of (w - w_zp)(x - x_zp) = sum of w x - w_zp * sum of x - x_zp * sum of w + n w_zp x_zp. */
int32_t mote_isa_dot_s8__mve(const int8_t *x, const int8_t *w, uint32_t n, int32_t x_zp,
                             int32_t w_zp) {
  int32_t sum = 0, of_x = 0, of_w = 0;
  const uint32_t square = n * (uint32_t)(x_zp * w_zp);
  if (n == 0) return 0;
  __asm__ volatile(
      "dlstp.8 lr, %[n]\n"
      "1:\n"
      "  vldrb.8 q0, [%[w]], #16\n"
      "  vldrb.8 q1, [%[x]], #16\n"
      "  vmladava.s8 %[sum], q0, q1\n"
      "  vaddva.s8 %[of_w], q0\n"
      "  vaddva.s8 %[of_x], q1\n"
      "  letp lr, 1b\n"
      : [sum] "+Te"(sum), [of_w] "+Te"(of_w), [of_x] "+Te"(of_x), [w] "+r"(w), [x] "+r"(x)
      : [n] "r"(n)
      : "q0", "q1", "lr", "memory");
  return (int32_t)((uint32_t)sum - (uint32_t)w_zp * (uint32_t)of_x -
                   (uint32_t)x_zp * (uint32_t)of_w + square);
}

int64_t mote_isa_dot_s16__mve(const int16_t *x, const int8_t *w, uint32_t n) {
  uint32_t low = 0, high = 0;
  if (n == 0) return 0;
  __asm__ volatile("mov r2, #0\n"
                   "mov r3, #0\n"
                   "dlstp.16 lr, %[n]\n"
                   "1:\n"
                   "  vldrb.s16 q0, [%[w]], #8\n"
                   "  vldrh.16 q1, [%[x]], #16\n"
                   "  vmlaldava.s16 r2, r3, q0, q1\n"
                   "  letp lr, 1b\n"
                   "mov %[low], r2\n"
                   "mov %[high], r3\n"
                   : [low] "=r"(low), [high] "=r"(high), [w] "+l"(w), [x] "+r"(x)
                   : [n] "r"(n)
                   : "r2", "r3", "q0", "q1", "lr", "memory");
  return (int64_t)((uint64_t)high << 32 | low);
}

/* What is loaded twice more is a quarter of each. */
void mote_isa_dots3_s8__mve(const int8_t *x, const int8_t *const w[3], uint32_t n, int32_t x_zp,
                            int32_t sums[3]) {
  for (int k = 0; k < 3; k++) sums[k] = mote_isa_dot_s8__mve(x, w[k], n, x_zp, 0);
}

void mote_isa_dots3_s16__mve(const int16_t *x, const int8_t *const w[3], uint32_t n,
                             int32_t sums[3]) {
  for (int k = 0; k < 3; k++) sums[k] = (int32_t)(uint32_t)mote_isa_dot_s16__mve(x, w[k], n);
}

#else
typedef int mote_isa_mve_is_empty; /* C wants a declaration in every file */
#endif
