/* mve: what the loops for Helium (Cortex-M55) share. Internal to mote/isa.
 *
 * VMLADAVA.S8 multiplies 16 pairs of int8 and adds them all to one register: nothing is widened, weights and
 * activations are loaded as they lie. Products are those of the activations themselves, so a sum lacks zero point
 * times sum of weights. That is taken off beside the bias: the weights of four channels are summed (VADDVA) once for all
 * pixels of a strip. Padding holds the zero point.
 *
 * Channels go four at a time, since a vector has four sums; fewer than four are filled up with the last of them, which
 * is then made, and stored, more than once. Loops end by tail predication (LETP): any length, no byte read too many.
 *
 * Requantisation is that of the reference, four channels at a time: VQRDMULH is mote_mul_high; VRSHL rounds halves up,
 * so that -1 for a negative number makes it round halves away from zero; VQMOVN clamps to int8. Layers that clamp
 * inside int8 do so in a pass over their outputs; wide ones are finished in C.
 *
 * Sums wrap, as everywhere. Float stays scalar, since Helium's float flushes subnormal numbers. */
#ifndef MOTE_ISA_MVE_H
#define MOTE_ISA_MVE_H

#include "mote/isa/isa.h"

#if MOTE_ISA_MVE

#include <arm_mve.h>

/* What pieces of assembly share. mote_mve_sums: r0 r2 r4 r6 are the sums of channels 0 .. 3; q4 receives them.
 * mote_mve_finish requantises them by q5 multipliers, q6 shifts, q7 biases, r12 zero point; `one` holds 1: doubled, the high
 * half of its product with x is x >> 31, which VQDMLAH adds to x at once.
 * mote_mve_constants: q5 q6 q7 of the next group of the frame r0; what it takes for biases that are not int16 stands apart.
 * mote_mve_weight_sums: q0 receives the sums of n weights at four pointers. */
#define MVE_MACROS                                                                                 \
  ".macro mote_mve_function name\n"                                                                \
  "  .section .text.\\name, \"ax\", %progbits\n"                                                   \
  "  .balign 4\n"                                                                                  \
  "  .global \\name\n"                                                                             \
  "  .type \\name, %function\n"                                                                    \
  "  .thumb_func\n"                                                                                \
  "\\name:\n"                                                                                      \
  ".endm\n"                                                                                        \
  ".macro mote_mve_sums\n"                                                                         \
  "  vmov q4[2], q4[0], r0, r4\n"                                                                  \
  "  vmov q4[3], q4[1], r2, r6\n"                                                                  \
  ".endm\n"                                                                                        \
  ".macro mote_mve_finish one\n"                                                                   \
  "  vadd.i32 q4, q4, q7\n"                                                                        \
  "  vqrdmulh.s32 q4, q4, q5\n"                                                                    \
  "  vqdmlah.s32 q4, q4, \\one\n"                                                                  \
  "  vrshl.s32 q4, q4, q6\n"                                                                       \
  "  vqadd.s32 q4, q4, r12\n"                                                                      \
  "  vqmovnb.s32 q4, q4\n"                                                                         \
  "  vqmovnb.s16 q4, q4\n"                                                                         \
  ".endm\n"                                                                                        \
  ".macro mote_mve_constants\n"                                                                    \
  "  ldrd r1, r3, [r0, #64]\n"                                                                     \
  "  ldrd r2, r4, [r0, #72]\n"                                                                     \
  "  vldrw.32 q5, [r1], #16\n"                                                                     \
  "  vmvn.i32 q0, #3\n"                                                                            \
  "  vorn q6, q0, q5\n"                                                                            \
  "  vshr.u32 q5, q5, #2\n"                                                                        \
  "  vadd.i32 q6, q6, r2\n"                                                                        \
  "  vorr.i32 q5, #0x40000000\n"                                                                   \
  "  cmp r4, #2\n"                                                                                 \
  "  bne 21f\n"                                                                                    \
  "  vldrh.s32 q7, [r3], #8\n"                                                                     \
  "22:\n"                                                                                          \
  "  strd r1, r3, [r0, #64]\n"                                                                     \
  ".endm\n"                                                                                        \
  ".macro mote_mve_constants_apart\n"                                                              \
  "21:\n"                                                                                          \
  "  blo 23f\n"                                                                                    \
  "  vldrw.32 q7, [r3], #16\n"                                                                     \
  "  b 22b\n"                                                                                      \
  "23:\n"                                                                                          \
  "  vmov.i32 q7, #0\n"                                                                            \
  "  b 22b\n"                                                                                      \
  ".endm\n"                                                                                        \
  ".macro mote_mve_weight_sums a, b, c, d, n\n"                                                    \
  "  movs r2, #0\n"                                                                                \
  "  movs r4, #0\n"                                                                                \
  "  movs r6, #0\n"                                                                                \
  "  mov r10, #0\n"                                                                                \
  "  dlstp.8 lr, \\n\n"                                                                            \
  "24:\n"                                                                                          \
  "  vldrb.8 q0, [\\a], #16\n"                                                                     \
  "  vaddva.s8 r2, q0\n"                                                                           \
  "  vldrb.8 q1, [\\b], #16\n"                                                                     \
  "  vaddva.s8 r4, q1\n"                                                                           \
  "  vldrb.8 q2, [\\c], #16\n"                                                                     \
  "  vaddva.s8 r6, q2\n"                                                                           \
  "  vldrb.8 q3, [\\d], #16\n"                                                                     \
  "  vaddva.s8 r10, q3\n"                                                                          \
  "  letp lr, 24b\n"                                                                               \
  "  vmov q0[2], q0[0], r2, r6\n"                                                                  \
  "  vmov q0[3], q0[1], r4, r10\n"                                                                 \
  ".endm\n"

/* Groups of four channels of a strip of pixels, as the assembly reads and advances them. */
struct mve_run {
  const int8_t *weights[4]; /*   0: of the next group */
  const int8_t *x[4];       /*  16: the first pixel's windows; [0] for all where they share it */
  int32_t begin[4];         /*  32: bias - zero point * sum of weights */
  int32_t right[4];         /*  48: shifts, < 0 to the right */
  union {
    struct {
      const uint32_t *words; /*  64: packed requantisation */
      const void *bias;      /*  68 */
      int32_t shift;         /*  72: shift_base + 1 */
      uint32_t bias_bytes;   /*  76: 4, 2, or 0 where there is none */
    } packed;                /* of the next group */
    int32_t multiplier[4];
  } scale;
  int32_t minus_zp;   /*  80: of the input; 0 also where the sums of weights are in the bias */
  uint32_t length;    /*  84: bytes of a window, > 0 */
  uint32_t pixels;    /*  88 */
  uint32_t step;      /*  92: bytes from window to window */
  int8_t *out;        /*  96: channel 0 of the first pixel */
  uint32_t out_step;  /* 100 */
  int32_t zp;         /* 104 */
  uint32_t count;     /* 108: bytes of a window's last vector; depthwise: channels stored */
  void (*body)(void); /* 112 */
  uint32_t groups;    /* 116: > 0 */
  uint32_t
      weights_step; /* 120: bytes from group to group; 0: one, of which begin, multiplier and right are set */
  uint32_t x_step; /* 124: depthwise: bytes from group to group */
  int32_t
      first_zp; /* 128: minus_zp where a group's first pixel makes the sums of its weights on the way */
  uint32_t
      skip; /* 132: pixels by two: bytes before windows of five to eight vectors of those not there, else 0; */
  uintptr_t enter[2]; /* 136: and where the code of vectors begins */
};
typedef char mve_run_layout[offsetof(struct mve_run, enter) == 136 ? 1 : -1];

/* 0 1 2 3, at most n - 1. */
static inline uint32x4_t mve_lanes(uint32_t n) {
  return vminq_u32(vidupq_n_u32(0, 1), vdupq_n_u32(n - 1));
}

/* Fills n bytes. */
static inline void mve_fill(int8_t *to, uint32_t n, int8_t value) {
  const int8x16_t values = vdupq_n_s8(value);
  if (n == 0) return;
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1:\n"
                   "  vstrb.8 %q[values], [%[to]], #16\n"
                   "  letp lr, 1b\n"
                   : [to] "+r"(to)
                   : [n] "r"(n), [values] "w"(values)
                   : "lr", "memory");
}

/* Goes over the channels of `groups` groups and their pixels. The body makes one group: mote_mve_set_body's takes windows of
 * one length, and four channels; mote_mve_apart's one window for each channel, of up to 16 bytes and readable as 16, and also
 * fewer channels. */
void mote_mve_run(struct mve_run *r);
/* The same where mve_goes_by_two. */
void mote_mve_run_two(struct mve_run *r);
/* Chooses the body by the length of windows, the pixels and out_step, which are set. */
void mote_mve_set_body(struct mve_run *r);
/* Whether its body takes pixels two by two (the outputs of both are stored at once, at places of 16 bits), */
static inline int mve_goes_by_two(const struct mve_run *r) {
  return r->length > 16 && r->length <= 128 && r->pixels > 1 && r->out_step <= UINT16_MAX - 3;
}
/* and whether a group goes by first_zp: one pixel is left alone. */
static inline int mote_mve_sums_first(const struct mve_run *r) {
  return mve_goes_by_two(r) && r->pixels % 2;
}
void mote_mve_apart(void);
void mote_mve_dense_body(void);

/* Fills in what makes packed channels from c on, with weights `step` bytes apart. */
void mote_mve_from(struct mve_run *r, const struct mote_output *o, uint32_t c,
                   const int8_t *weights, uint32_t step, uint32_t length);
/* Sums of weights that the plan has taken off the biases need not be made. `channels`: of the layer. */
static inline void mote_mve_fold(struct mve_run *r, const struct mote_output *o,
                                 uint32_t channels) {
  if (o->folded == 0) return;
  r->scale.packed.bias = r->scale.packed.words + channels; /* c behind the first, too */
  r->scale.packed.bias_bytes = 4;
  r->minus_zp = 0;
}
/* The same for any layer and one group, channels c .. c + n - 1; where n < 4 the last of them is there more than once.
 * Returns 0 where a shift is not to the right: the outputs are made in C then. */
int mote_mve_prepare(struct mve_run *r, const struct mote_output *o, uint32_t c, uint32_t n,
                     const int8_t *weights, uint32_t step, uint32_t length);

/* Makes the group of mote_mve_prepare, whatever its layer and windows are: each channel's is `runs` runs of `length` bytes
 * of x, run_step apart. */
struct mve_windows {
  const struct mote_output *o;
  uint32_t c, n;
  uint32_t length, runs, run_step;
};
void mote_mve_windows(const struct mve_run *r, const struct mve_windows *w);

/* The columns under n pixels of a depthwise row from pixel x on: `left` outside the row, `inside` in it, the rest outside. */
struct mve_span {
  uint32_t columns, left, inside;
  size_t from; /* of the first column inside, in a row */
};
static inline struct mve_span mve_span_of(const struct mote_depthwise_conv2d_s8 *p, uint32_t x,
                                          uint32_t n) {
  const int32_t from = (int32_t)(x * p->stride_w) - p->pad_left;
  struct mve_span s;
  s.columns = (n - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1;
  s.left = from >= 0 ? 0 : (uint32_t)-from < s.columns ? (uint32_t)-from : s.columns;
  const int32_t first = from + (int32_t)s.left, room = (int32_t)p->in_w - first;
  s.inside = room <= 0 ? 0 : (uint32_t)room;
  if (s.inside > s.columns - s.left) s.inside = s.columns - s.left;
  s.from = (size_t)first * p->in_c;
  return s;
}

/* Depthwise windows of three rows (mve_three.c). */
int mote_mve_is_three(const struct mote_depthwise_conv2d_s8 *p);
void mote_mve_three_rows(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                         void *state, void *out);

/* Those of one column, where rows are few pixels and all of them are there (mve_tall.c). */
int mote_mve_is_tall(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows);
void mote_mve_tall_rows(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                        void *out);

/* Clamps n > 0 outputs; nothing to do from -128 to 127. */
void mote_mve_clamp(int32_t from, int32_t to, int8_t *out, uint32_t n);

#endif
#endif
