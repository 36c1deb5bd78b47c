/* v6m_tables: depthwise convolutions of 3x3 by stairs whose tables lie in flash (struct mote_nine_table), on ARMv6-M: all
 * channels of a row in one piece of assembly, from the rows where they lie.
 *
 * A table has what a channel needs in the order in which the loop meets it, so LDM brings three weights at a time and a product
 * may destroy its own. With windows one column apart sums live in r8..r10 and turn with the columns; three turns are one loop,
 * entered where their number leaves none over, and an output lies at a constant distance from its window's last column:
 *
 *     LDR; LDRB, SXTB, 2 LDRSB; 3 x (LDM, 3 MULS, 3 ADD); ADD     27
 *     LDM, 10 for the output, MOV, STRB                           13, 2 more where what is shifted leaves a byte
 *     CMP, BEQ, B                                                  3 for three outputs
 *
 * Windows further apart take 53. A row that is missing is a row of zero points in the state; a column outside of the row, at
 * most two on either side, is the zero point times three weights, which is in the table. */
#include "mote/isa/v6m.h"

#if MOTE_ISA_V6M

/* The assembly knows the offsets. */
struct row {
  const struct mote_nine_table *table; /*  0: moves on */
  const int8_t *at;  /*  4: the first column inside the row, in the first row; moves on */
  uint32_t channels; /*  8: counted down, at least 1 */
  uint32_t left;     /* 12: columns of the first window outside in front, at most 2 */
  uint32_t enter; /* 16: slide: which turn is first, 3: none; apart: 3: no window before the last */
  uint32_t right; /* 20: columns outside behind, at most 2 */
  uintptr_t second, third; /* 24: the other rows, from the first on */
  uint32_t step;           /* 32: bytes from column to column */
  uintptr_t out;           /* 36: slide: from behind a window's last column; apart: the first */
  const int8_t
      *end;      /* 40: slide: where the columns inside end; apart: where the last window begins */
  uint32_t next; /* 44: apart: from a window's last column to the next window's first */
  uint32_t out_step;   /* 48: and from output to output */
  uint32_t multiplier; /* 52 */
};
typedef char row_layout[sizeof(struct row) == 56 ? 1 : -1];
typedef char table_layout[sizeof(struct mote_nine_table) == 64 ? 1 : -1];

/* Stack: the row's first 24 bytes; apart: 24 out, 28 the multiplier, 32 channels of the same input left. r0 column, r5 table,
 * r6, r7 the other rows, r11 step. */
__asm__(
    ".syntax unified\n"
    ".thumb\n" MOTE_V6M_FRAME ".macro mote_tables_begin name, frame\n"
    "  mote_enter \\name\n"
    "  sub sp, sp, #\\frame\n"
    "  mov r1, sp\n"
    "  ldm r0!, {r2, r3, r4, r5, r6, r7}\n"
    "  stm r1!, {r2, r3, r4, r5, r6, r7}\n"
    "  ldm r0!, {r6, r7}\n"
    "  ldm r0!, {r2, r3, r4}\n"
    "  mov r11, r2\n"
    "  mov r12, r3\n"
    ".endm\n"
    ".macro mote_tables_end name, frame\n"
    "  add sp, sp, #\\frame\n"
    "  mote_leave \\name\n"
    ".endm\n"
    /* A value from r1 in the windows of which it is the last, middle, first column. */
    ".macro mote_tables_row a, b, c, op\n"
    "  ldm r5!, {r2, r3, r4}\n"
    "  .ifnc \\a, no\n"
    "    muls r2, r1, r2\n"
    "  .endif\n"
    "  .ifnc \\b, no\n"
    "    muls r3, r1, r3\n"
    "  .endif\n"
    "  muls r4, r1, r4\n"
    "  .ifnc \\a, no\n"
    "    add \\a, \\a, r2\n"
    "  .endif\n"
    "  .ifnc \\b, no\n"
    "    add \\b, \\b, r3\n"
    "  .endif\n"
    "  .if \\op\n"
    "    add \\c, \\c, r4\n"
    "  .else\n"
    "    mov \\c, r4\n"
    "  .endif\n"
    ".endm\n"
    ".macro mote_tables_column a, b, c\n"
    "  ldrb r1, [r0]\n"
    "  sxtb r1, r1\n"
    "  mote_tables_row \\a, \\b, \\c, 0\n"
    "  ldrsb r1, [r0, r6]\n"
    "  mote_tables_row \\a, \\b, \\c, 1\n"
    "  ldrsb r1, [r0, r7]\n"
    "  mote_tables_row \\a, \\b, \\c, 1\n"
    "  add r0, r0, r11\n"
    ".endm\n"
    /* The sum a becomes an output in r5, which is behind the weights of the table. */
    ".macro mote_tables_stair a\n"
    "  ldm r5!, {r1, r2, r3, r4}\n"
    "  mov r5, \\a\n"
    "  muls r1, r5, r1\n"
    "  asrs r1, r1, #12\n"
    "  muls r5, r2, r5\n"
    "  adds r5, r5, r1\n"
    "  adds r5, r5, r3\n"
    "  asrs r5, r5, r4\n"
    "  sxtb r1, r5\n"
    "  cmp r1, r5\n"
    "  beq 98f\n"
    "  lsrs r5, r5, #31\n" /* 127, or 128: the byte of -128 */
    "  adds r5, r5, #127\n"
    "98:\n"
    ".endm\n"
    ".macro mote_tables_out a\n"
    "  mote_tables_stair \\a\n"
    "  mov r1, r12\n"
    "  strb r5, [r0, r1]\n"
    ".endm\n"
    ".macro mote_tables_turn a, b, c\n"
    "  ldr r5, [sp, #0]\n"
    "  mote_tables_column \\a, \\b, \\c\n"
    "  mote_tables_out \\a\n"
    ".endm\n"
    /* Windows one column apart. r12 from a column's end to its window's output, lr end. */
    "mote_tables_begin mote_v6m_tables_slide, 24\n"
    "  mov lr, r4\n"
    "  ldr r5, [sp, #0]\n"
    "  ldr r0, [sp, #4]\n"
    "  b 1f\n"
    "3:\n" /* from below: r9 and r10 are the windows begun */
    "  cmp r1, #2\n"
    "  bne 4f\n"
    "  mov r8, r10\n"
    "  mov r10, r9\n"
    "  b 7f\n"
    "4:\n"
    "  mov r8, r9\n"
    "  mov r9, r10\n"
    "  b 8f\n"
    "1:\n" /* a channel */
    "  ldr r4, [sp, #12]\n"
    "  ldr r2, [r5, #52]\n"
    "  mov r9, r2\n"
    "  cmp r4, #1\n"
    "  beq 2f\n"
    "  blo 9f\n"
    "  mov r10, r9\n"
    "  ldr r3, [r5, #56]\n"
    "  add r9, r9, r3\n"
    "  b 5f\n"
    "9:\n"
    "  mote_tables_column no, no, r9\n"
    "  ldr r5, [sp, #0]\n"
    "2:\n"
    "  mote_tables_column no, r9, r10\n"
    "5:\n"
    "  ldr r1, [sp, #16]\n"
    "  cmp r1, #1\n"
    "  beq 6f\n"
    "  bhi 3b\n"
    "  mov r8, r9\n"
    "  mov r9, r10\n"
    "5:\n"
    "  mote_tables_turn r8, r9, r10\n"
    "6:\n"
    "  mote_tables_turn r9, r10, r8\n"
    "7:\n"
    "  mote_tables_turn r10, r8, r9\n"
    "  cmp r0, lr\n"
    "  beq 8f\n"
    "  b 5b\n"
    "8:\n" /* columns outside */
    "  ldr r4, [sp, #20]\n"
    "  cmp r4, #0\n"
    "  beq 4f\n"
    "3:\n"
    "  mov r10, r4\n"
    "  ldr r5, [sp, #0]\n"
    "  ldr r1, [r5, #60]\n"
    "  ldr r2, [r5, #56]\n"
    "  add r8, r8, r1\n"
    "  add r9, r9, r2\n"
    "  adds r5, r5, #36\n"
    "  add r0, r0, r11\n"
    "  mote_tables_out r8\n"
    "  mov r8, r9\n"
    "  mov r4, r10\n"
    "  subs r4, r4, #1\n"
    "  bne 3b\n"
    "4:\n"
    "  mov r4, sp\n"
    "  ldm r4!, {r0, r1, r2}\n"
    "  movs r5, r0\n"
    "  adds r5, r5, #64\n"
    "  adds r0, r1, #1\n"
    "  subs r2, r2, #1\n"
    "  beq 2f\n"
    "  str r5, [sp, #0]\n"
    "  str r0, [sp, #4]\n"
    "  str r2, [sp, #8]\n"
    "  movs r1, #1\n"
    "  add lr, lr, r1\n"
    "  b 1b\n"
    "2:\n"
    "mote_tables_end mote_v6m_tables_slide, 24\n"
    /* Windows further apart: r8 the sum, r9 end, r10 to the next window, r12 out, lr its step. */
    ".macro mote_tables_apart op, next\n"
    "  ldm r5!, {r2, r3, r4}\n"
    "  ldrb r1, [r0]\n"
    "  sxtb r1, r1\n"
    "  muls r2, r1, r2\n"
    "  ldrsb r1, [r0, r6]\n"
    "  muls r3, r1, r3\n"
    "  ldrsb r1, [r0, r7]\n"
    "  muls r4, r1, r4\n"
    "  adds r2, r2, r3\n"
    "  adds r2, r2, r4\n"
    "  .if \\op\n"
    "    add r8, r8, r2\n"
    "  .else\n"
    "    mov r8, r2\n"
    "  .endif\n"
    "  add r0, r0, \\next\n"
    ".endm\n"
    "mote_tables_begin mote_v6m_tables_apart, 36\n"
    "  mov r9, r4\n"
    "  str r3, [sp, #24]\n"
    "  ldm r0!, {r2, r3, r4}\n"
    "  mov r10, r2\n"
    "  mov lr, r3\n"
    "  str r4, [sp, #28]\n"
    "  str r4, [sp, #32]\n"
    "1:\n" /* a channel */
    "  ldr r5, [sp, #0]\n"
    "  ldr r0, [sp, #4]\n"
    "  ldr r4, [sp, #12]\n"
    "  cmp r4, #1\n"
    "  blo 5f\n"
    "  ldr r2, [r5, #52]\n"
    "  mov r8, r2\n"
    "  beq 2f\n"
    "  ldr r2, [r5, #56]\n"
    "  add r8, r8, r2\n"
    "  adds r5, r5, #24\n"
    "  b 3f\n"
    "2:\n"
    "  adds r5, r5, #12\n"
    "  b 2f\n"
    "5:\n"
    "  ldr r4, [sp, #16]\n"
    "  cmp r4, #3\n"
    "  beq 8f\n"
    "5:\n"
    "  mote_tables_apart 0, r11\n"
    "2:\n"
    "  mote_tables_apart 1, r11\n"
    "3:\n"
    "  mote_tables_apart 1, r10\n"
    "  mote_tables_stair r8\n"
    "  mov r1, r12\n"
    "  strb r5, [r1]\n"
    "  add r12, r12, lr\n"
    "  ldr r5, [sp, #0]\n"
    "  cmp r0, r9\n"
    "  bne 5b\n"
    "8:\n" /* a window of which columns lie outside */
    "  ldr r4, [sp, #20]\n"
    "  cmp r4, #0\n"
    "  beq 4f\n"
    "  mote_tables_apart 0, r11\n"
    "  ldr r4, [sp, #20]\n"
    "  cmp r4, #1\n"
    "  bne 2f\n"
    "  mote_tables_apart 1, r11\n"
    "  b 3f\n"
    "2:\n"
    "  adds r5, r5, #12\n"
    "  ldr r1, [r5, #32]\n"
    "  add r8, r8, r1\n"
    "3:\n" /* r5 at the third column's weights */
    "  ldr r1, [r5, #36]\n"
    "  add r8, r8, r1\n"
    "  adds r5, r5, #12\n"
    "  mote_tables_stair r8\n"
    "  mov r1, r12\n"
    "  strb r5, [r1]\n"
    "4:\n"
    "  ldr r0, [sp, #8]\n"
    "  subs r0, r0, #1\n"
    "  beq 9f\n"
    "  str r0, [sp, #8]\n"
    "  ldr r1, [sp, #24]\n"
    "  adds r1, r1, #1\n"
    "  str r1, [sp, #24]\n"
    "  mov r12, r1\n"
    "  ldr r1, [sp, #0]\n"
    "  adds r1, r1, #64\n"
    "  str r1, [sp, #0]\n"
    "  ldr r2, [sp, #32]\n"
    "  subs r2, r2, #1\n"
    "  bne 7f\n"
    "  ldr r1, [sp, #4]\n"
    "  adds r1, r1, #1\n"
    "  str r1, [sp, #4]\n"
    "  movs r1, #1\n"
    "  add r9, r9, r1\n"
    "  ldr r2, [sp, #28]\n"
    "7:\n"
    "  str r2, [sp, #32]\n"
    "  b 1b\n"
    "9:\n"
    "mote_tables_end mote_v6m_tables_apart, 36\n"
    ".text\n");

void mote_v6m_tables_slide(const struct row *r);
void mote_v6m_tables_apart(const struct row *r);

/* Windows one column apart; 0 where that is left to C. */
static int slide(const struct mote_depthwise_conv2d_s8 *p, struct row *r, int8_t *out) {
  const int32_t left = p->pad_left, columns = p->out_w + 2 - left; /* from the first inside on */
  const int32_t right = columns > p->in_w ? columns - p->in_w : 0, inside = columns - right;
  if (left > 2 || right > 2 || inside < 1 || left + inside < 2) return 0;
  const uint32_t turns = (uint32_t)(left + inside - 2); /* windows that end inside */
  r->right = (uint32_t)right;
  r->enter = turns == 0 ? 3 : (3 - turns % 3) % 3;
  r->end = r->at + (size_t)(uint32_t)inside * p->in_c;
  r->out = (uintptr_t)out - ((uintptr_t)r->at + (size_t)(uint32_t)(3 - left) * p->in_c);
  mote_v6m_tables_slide(r);
  return 1;
}

static int apart(const struct mote_depthwise_conv2d_s8 *p, struct row *r, int8_t *out) {
  const int32_t step = p->stride_w, left = p->pad_left;
  const int32_t last = (p->out_w - 1) * step - left; /* where the last window begins */
  const int32_t right = last + 3 > p->in_w ? last + 3 - p->in_w : 0;
  /* One window at most has columns outside in front, one behind, and no window both. */
  if (left > 2 || left > step || right > 2 || right > step || (right && last < 0)) return 0;
  if (left && 3 - left > p->in_w) return 0;
  r->right = (uint32_t)right;
  r->enter = right && p->out_w == 1 ? 3 : 0;
  r->end = r->at + (ptrdiff_t)((right ? last : last + step)) * p->in_c;
  r->out = (uintptr_t)out;
  r->next = ((uint32_t)step - 2u) * p->in_c;
  r->out_step = (uint32_t)p->in_c * p->multiplier;
  r->multiplier = p->multiplier;
  mote_v6m_tables_apart(r);
  return 1;
}

/* A row of zero points, for those that are missing: up to 3 bytes more. */
static const int8_t *fill(uint32_t *to, uint32_t bytes, int32_t zp) {
  const uint32_t word = (uint32_t)(zp & 255) * 0x01010101u;
  for (uint32_t *at = to, *const end = to + (bytes + 3) / 4; at != end;) *at++ = word;
  return (const int8_t *)to;
}

static int make(const struct mote_depthwise_conv2d_s8 *p, const void *const *rows, uint32_t *state,
                int8_t *out) {
  const int8_t *at[3], *none = NULL;
  struct row r;
  for (uint32_t i = 0; i < 3; i++) {
    if (!rows[i] && !none) none = fill(state, (uint32_t)p->in_w * p->in_c, p->output.in_zp);
    at[i] = rows[i] ? (const int8_t *)rows[i] : none;
  }
  r.table = (const struct mote_nine_table *)mote_at(p, p->weights_at);
  r.at = at[0];
  r.channels = (uint32_t)p->in_c * p->multiplier;
  r.left = p->pad_left;
  r.second = (uintptr_t)at[1] - (uintptr_t)at[0];
  r.third = (uintptr_t)at[2] - (uintptr_t)at[0];
  r.step = p->in_c;
  return (mote_nine_slides(p) ? slide : apart)(p, &r, out);
}

void mote_isa_depthwise_tables__v6m(const void *params, const void *const *rows, void *state,
                                    void *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)params;
  const uint32_t n = (uint32_t)p->out_w * p->in_c * p->multiplier;
  const int32_t low = p->output.low, high = p->output.high;
  int8_t *to = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h, to += n) {
    if (!make(p, rows, (uint32_t *)state, to)) {
      mote_depthwise_tables_strip(p, rows, 0, p->out_w, state, to);
      continue;
    }
    if (low > -128 || high < 127)
      for (uint32_t i = 0; i < n; i++) to[i] = (int8_t)mote_clamp(to[i], low, high);
  }
}

#else
typedef int mote_isa_v6m_tables_is_empty; /* C wants a declaration in every file */
#endif
