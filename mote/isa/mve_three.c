/* mve_three: depthwise windows of three rows and up to four columns with Helium (mve.h).
 *
 * Eight channels at a time are turned into words in the state: column after column, of each channel a word with its three
 * rows and a zero. VLD and VST of pairs do it (VST2): 11 instructions for a column of eight. A window is then up to four
 * words, which one gather brings into a vector, and one VMLADAV multiplies. Four channels are requantised together: 22
 * instructions for a pixel of four channels, 23 where the stride is not 1.
 *
 * What a strip needs stands in one frame; a missing row is a few zero points that are read with a step of 0. All channels of a
 * strip are one call, since most of the time of short rows went into what lies around their pixels.
 *
 * Channels are read before any of their outputs is written: rows may be written where they are read. What is left of four
 * channels is made with the last four once more, and such rows are never written over
 * (mote_depthwise_conv2d_s8_in_row in mote/nn). */
#include "mote/isa/mve.h"

#if MOTE_ISA_MVE

enum { TOGETHER = 8, COLUMN = 4 * TOGETHER, MOST_COLUMNS = 4 };

/* What the assembly reads and advances. */
struct frame {
  const int8_t
      *row[4]; /*   0: the next group's first column inside; the fourth counts for nothing */
  uint32_t row_step[4];   /*  16: bytes from column to column; 0: a missing row */
  uint32_t group_step[4]; /*  32: bytes from group to group; 0 */
  int8_t *state;          /*  48 */
  uint32_t left;          /*  52: columns of padding */
  uint32_t inside, right; /*  56 */
  const int8_t *weights;  /*  64: of the next four channels */
  uint32_t taps;          /*  68 */
  const uint32_t *words;  /*  72: packed requantisation */
  int32_t shift;          /*  76: shift_base + 1 */
  const void *bias;       /*  80 */
  uint32_t bias_bytes;    /*  84: 4, 2, or 0 where there is none */
  int32_t minus_zp;       /*  88: of the input; 0 also where the sums of weights are in the bias */
  int32_t zp;             /*  92 */
  int8_t *out;            /*  96: of the next four channels */
  uint32_t out_step;      /* 100 */
  uint32_t pixels;        /* 104 */
  uint32_t step;          /* 108: bytes from window to window */
  uint32_t present;       /* 112: of 16 bytes those that a window has */
  uint32_t channels;      /* 116: of a group, 4 or 8 */
  uint32_t groups;        /* 120 */
  uint32_t at;            /* 124: of the next four channels in a column */
  uint8_t tap[16];        /* 128: where a byte's weight stands */
  uint32_t column[4];     /* 144: where the columns of the first window stand */
  int32_t begin[4];       /* 160: of the four channels at hand */
  int32_t right_shift[4]; /* 176 */
  int8_t pad[16];         /* 192: zero points */
};
typedef char frame_layout[offsetof(struct frame, pad) == 192 ? 1 : -1];

void mote_mve_three(struct frame *f);

__asm__(".macro mote_mve_three_pad count\n"
        "  cbz \\count, 2f\n"
        "1:\n"
        "  vstrw.32 q2, [r8], #16\n"
        "  vstrw.32 q2, [r8], #16\n"
        "  subs \\count, #1\n"
        "  bne 1b\n"
        "2:\n"
        ".endm\n"
        /* ahead: how far q7 stands before the window */
        ".macro mote_mve_three_pixels ahead\n"
        "1:\n"
        "  .if \\ahead\n"
        "    vldrw.u32 q4, [q7, #\\ahead]!\n"
        "  .else\n"
        "    vldrw.u32 q4, [q7]\n"
        "  .endif\n"
        "  vmladav.s8 r0, q4, q0\n"
        "  vldrw.u32 q4, [q7, #4]\n"
        "  vmladav.s8 r2, q4, q1\n"
        "  vldrw.u32 q4, [q7, #8]\n"
        "  vmladav.s8 r4, q4, q2\n"
        "  vldrw.u32 q4, [q7, #12]\n"
        "  vmladav.s8 r6, q4, q3\n"
        "  .if \\ahead == 0\n"
        "    vadd.i32 q7, q7, r8\n"
        "  .endif\n"
        "  vmov q4[2], q4[0], r0, r4\n"
        "  vmov q4[3], q4[1], r2, r6\n"
        "  vldrw.32 q6, [r11]\n"
        "  vadd.i32 q4, q4, q6\n"
        "  vqrdmulh.s32 q4, q4, q5\n"
        "  vqdmlah.s32 q4, q4, r1\n"
        "  vldrw.32 q6, [r11, #16]\n"
        "  vrshl.s32 q4, q4, q6\n"
        "  vqadd.s32 q4, q4, r12\n"
        "  vqmovnb.s32 q4, q4\n"
        "  vqmovnb.s16 q4, q4\n"
        "  vstrb.32 q4, [r7]\n"
        "  add r7, r7, r10\n"
        "  le lr, 1b\n"
        ".endm\n"
        "  .section .text.mote_mve_three, \"ax\", %progbits\n"
        "  .balign 4\n"
        "  .global mote_mve_three\n"
        "  .type mote_mve_three, %function\n"
        "  .thumb_func\n"
        "mote_mve_three:\n"
        "  push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "  vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        /* A group is turned. */
        "3:\n"
        "  vldrw.32 q0, [r0]\n"
        "  ldrd r1, r2, [r0]\n"
        "  ldr r3, [r0, #8]\n"
        "  vldrw.32 q1, [r0, #32]\n"
        "  vadd.i32 q0, q0, q1\n"
        "  vstrw.32 q0, [r0]\n"
        "  ldrd r4, r5, [r0, #16]\n"
        "  ldr r6, [r0, #24]\n"
        "  ldr r7, [r0, #116]\n"
        "  vctp.16 r7\n"
        "  ldrd r8, r7, [r0, #48]\n"
        "  vldrw.32 q2, [r0, #192]\n"
        "  mote_mve_three_pad r7\n"
        "  ldrd r9, r7, [r0, #56]\n"
        "  wls lr, r9, 4f\n"
        "1:\n"
        "  vpsttt\n"
        "  vldrbt.u16 q0, [r1]\n"
        "  vldrbt.u16 q3, [r2]\n"
        "  vldrbt.u16 q1, [r3]\n"
        "  vsli.16 q0, q3, #8\n"
        "  adds r1, r1, r4\n"
        "  vst20.16 {q0, q1}, [r8]\n"
        "  adds r2, r2, r5\n"
        "  vst21.16 {q0, q1}, [r8]!\n"
        "  adds r3, r3, r6\n"
        "  le lr, 1b\n"
        "4:\n"
        "  mote_mve_three_pad r7\n"
        "  movs r4, #0\n"
        "  str r4, [r0, #124]\n"
        /* Four channels: q0 .. q3 weights, q5 multipliers, q7 columns. */
        "5:\n"
        "  ldrd r1, r2, [r0, #64]\n"
        "  add r3, r1, r2\n"
        "  add r5, r3, r2\n"
        "  add r6, r5, r2\n"
        "  add r7, r6, r2\n"
        "  str r7, [r0, #64]\n"
        "  ldr r4, [r0, #112]\n"
        "  vldrw.32 q4, [r0, #128]\n"
        "  vmsr p0, r4\n"
        "  vpstttt\n"
        "  vldrbt.u8 q0, [r1, q4]\n"
        "  vldrbt.u8 q1, [r3, q4]\n"
        "  vldrbt.u8 q2, [r5, q4]\n"
        "  vldrbt.u8 q3, [r6, q4]\n"
        "  ldrd r7, r8, [r0, #72]\n"
        "  vldrw.32 q4, [r7], #16\n"
        "  vmvn.i32 q6, #3\n"
        "  str r7, [r0, #72]\n"
        "  vorn q6, q6, q4\n" /* -1 - the lower two bits */
        "  vshr.u32 q5, q4, #2\n"
        "  vadd.i32 q6, q6, r8\n"
        "  vorr.i32 q5, #0x40000000\n"
        "  vstrw.32 q6, [r0, #176]\n"
        "  ldrd r7, r4, [r0, #80]\n"
        "  vmov.i32 q6, #0\n"
        "  cbz r4, 7f\n"
        "  cmp r4, #2\n"
        "  bne 6f\n"
        "  vldrh.s32 q6, [r7], #8\n"
        "  b 7f\n"
        "6:\n"
        "  vldrw.32 q6, [r7], #16\n"
        "7:\n"
        "  str r7, [r0, #80]\n"
        "  ldr r4, [r0, #88]\n"
        "  cbz r4, 8f\n"
        "  vaddv.s8 r2, q0\n"
        "  vaddv.s8 r8, q1\n"
        "  vaddv.s8 r10, q2\n"
        "  vaddv.s8 r12, q3\n"
        "  vmov q4[2], q4[0], r2, r10\n"
        "  vmov q4[3], q4[1], r8, r12\n"
        "  vmla.s32 q6, q4, r4\n"
        "8:\n"
        "  vstrw.32 q6, [r0, #160]\n"
        "  vldrw.32 q7, [r0, #144]\n"
        "  ldr r4, [r0, #124]\n"
        "  ldrd r7, r10, [r0, #96]\n"
        "  vadd.i32 q7, q7, r4\n"
        "  adds r4, r4, #16\n"
        "  str r4, [r0, #124]\n"
        "  adds r4, r7, #4\n"
        "  str r4, [r0, #96]\n"
        "  ldrd r2, r8, [r0, #104]\n"
        "  ldr r12, [r0, #92]\n"
        "  add r11, r0, #160\n"
        "  movs r1, #1\n"
        "  dls lr, r2\n"
        "  cmp r8, #32\n"
        "  bne 9f\n"
        "  vsub.i32 q7, q7, r8\n"
        "  mote_mve_three_pixels 32\n"
        "  b 10f\n"
        "9:\n"
        "  mote_mve_three_pixels 0\n"
        "10:\n"
        "  ldr r0, [sp, #64]\n"
        "  ldr r4, [r0, #124]\n"
        "  ldr r5, [r0, #116]\n"
        "  cmp r4, r5, lsl #2\n"
        "  blo 5b\n"
        "  ldr r4, [r0, #120]\n"
        "  subs r4, #1\n"
        "  str r4, [r0, #120]\n"
        "  bne 3b\n"
        "  vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "  pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "  .size mote_mve_three, . - mote_mve_three\n"
        ".text\n");

/* n groups of `channels` channels from c on. */
static void groups(struct frame *f, const struct mote_depthwise_conv2d_s8 *p,
                   const void *const *rows, size_t from, uint32_t c, uint32_t channels, uint32_t n,
                   int8_t *out) {
  const struct mote_output *o = &p->output;
  for (uint32_t i = 0; i < 3; i++)
    f->row[i] = rows[i] == NULL ? f->pad : (const int8_t *)rows[i] + from + c;
  f->weights = (const int8_t *)mote_at(p, p->weights_at) + (size_t)c * f->taps;
  f->words = (const uint32_t *)mote_at(o, o->requant_at) + c;
  f->bias_bytes = o->bias_at ? o->bias_bytes : 0;
  f->bias = (const uint8_t *)mote_at(o, o->bias_at) + c * f->bias_bytes;
  f->minus_zp = -o->in_zp;
  if (o->folded) {
    f->bias = f->words + p->in_c;
    f->bias_bytes = 4;
    f->minus_zp = 0;
  }
  f->out = out + c;
  f->channels = channels;
  f->groups = n;
  mote_mve_three(f);
}

static void strip(struct frame *f, const struct mote_depthwise_conv2d_s8 *p,
                  const void *const *rows, const struct mve_span *s, int8_t *out) {
  const uint32_t in_c = p->in_c, left = in_c % TOGETHER;
  f->left = s->left;
  f->inside = s->inside;
  f->right = s->columns - s->left - s->inside;
  for (uint32_t i = 0; i < 3; i++) {
    f->row_step[i] = rows[i] == NULL ? 0 : in_c;
    f->group_step[i] = rows[i] == NULL ? 0 : TOGETHER;
  }
  if (in_c >= TOGETHER) groups(f, p, rows, s->from, 0, TOGETHER, in_c / TOGETHER, out);
  if (left == 0) return;
  if (left > 4 && in_c > TOGETHER) {
    groups(f, p, rows, s->from, in_c - TOGETHER, TOGETHER, 1, out);
    return;
  }
  if (left > 4) groups(f, p, rows, s->from, 0, 4, 1, out);
  groups(f, p, rows, s->from, in_c - 4, 4, 1, out);
}

int mote_mve_is_three(const struct mote_depthwise_conv2d_s8 *p) {
  return p->kernel_h == 3 && p->kernel_w <= MOST_COLUMNS && p->multiplier == 1 && p->in_c >= 4 &&
         !p->output.wide;
}

void mote_mve_three_rows(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows,
                         void *state, void *out) {
  const uint32_t most = p->strip_w < p->out_w ? p->strip_w : p->out_w;
  struct frame f;
  int8_t *to = (int8_t *)out;
  f.row[3] = f.pad;
  f.row_step[3] = f.group_step[3] = 0;
  f.state = (int8_t *)state;
  f.taps = 3u * p->kernel_w;
  f.shift = p->output.shift_base + 1;
  f.zp = p->output.zp;
  f.out_step = p->in_c;
  f.step = (uint32_t)p->stride_w * COLUMN;
  f.present = 0x7777u & ((1u << 4 * p->kernel_w) - 1);
  vstrbq_s8(f.pad, vdupq_n_s8(p->output.in_zp));
  /* Byte 4 j + i: row i of column j. */
  const uint8x16_t bytes = vidupq_n_u8(0, 1);
  vstrbq_u8(f.tap, vsubq_u8(bytes, vshrq_n_u8(bytes, 2)));
  vstrwq_u32(f.column, vaddq_n_u32(vmulq_n_u32(mve_lanes(p->kernel_w), p->dilation_w * COLUMN),
                                   (uint32_t)state));
  for (uint32_t i = p->rows_out; i; i--, rows += p->stride_h) {
    for (uint32_t x = 0; x < p->out_w; x += f.pixels) {
      f.pixels = p->out_w - x < most ? p->out_w - x : most;
      const struct mve_span s = mve_span_of(p, x, f.pixels);
      strip(&f, p, rows, &s, to);
      to += f.pixels * p->in_c;
    }
  }
}

#else
typedef int mote_isa_mve_three_is_empty; /* C wants a declaration in every file */
#endif
