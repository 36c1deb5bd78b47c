/* rv32: the class of an RV32IMC instruction, and what it costs a core with a short pipeline in order.
 *
 * No table is published for the ESP32-C3. Costs are those of lowRISC's Ibex ("Pipeline Details" of its reference guide:
 * what stalls, and for how long), with a span for what differs between such cores (docs/estimates.md).
 * source: The RISC-V Instruction Set Manual, volume I, chapters 2, 7 (M) and 16 (C), and its tables of encodings. */
#include "host/emulate/private.h"

/* Bits 6..2 of an instruction of four bytes. */
enum {
  OP_LOAD = 0,
  OP_LOAD_FP = 1,
  OP_STORE = 8,
  OP_STORE_FP = 9,
  OP_OP = 12,
  OP_BRANCH = 24,
  OP_JALR = 25,
  OP_JAL = 27
};

static enum emulate_class class_32(uint32_t lo, uint32_t hi) {
  const uint32_t funct3 = lo >> 12 & 7, funct7 = hi >> 9;
  switch (lo >> 2 & 31) {
  case OP_LOAD:
  case OP_LOAD_FP: return EMULATE_LOAD;
  case OP_STORE:
  case OP_STORE_FP: return EMULATE_STORE;
  case OP_OP: return funct7 != 1 ? EMULATE_OTHER : funct3 < 4 ? EMULATE_MULTIPLY : EMULATE_DIVIDE;
  case OP_BRANCH:
  case OP_JALR:
  case OP_JAL: return EMULATE_BRANCH;
  default: return EMULATE_OTHER;
  }
}

/* Quadrant (the lowest two bits) and funct3 tell all but the jumps to a register from their neighbours. */
static enum emulate_class class_16(uint32_t op) {
  const uint32_t rd = op >> 7 & 31, rs2 = op >> 2 & 31;
  switch ((op & 3) << 3 | op >> 13) {
  case 002:
  case 022: return EMULATE_LOAD; /* C.LW, C.LWSP */
  case 006:
  case 026: return EMULATE_STORE;                                        /* C.SW, C.SWSP */
  case 011:                                                              /* C.JAL */
  case 015:                                                              /* C.J */
  case 016:                                                              /* C.BEQZ */
  case 017: return EMULATE_BRANCH;                                       /* C.BNEZ */
  case 024: return rs2 == 0 && rd != 0 ? EMULATE_BRANCH : EMULATE_OTHER; /* C.JR, C.JALR */
  default: return EMULATE_OTHER;
  }
}

static void cost(struct thumb *t, double low, double typical, double high) {
  t->low = low;
  t->typical = typical;
  t->high = high;
}

/* What needs a loaded value at once waits for it, which every second load's is taken to be; a product is ready at once or two cycles later; a taken branch fetches anew. */
static void cost_short_pipeline(struct thumb *t) {
  cost(t, 1, 1, 1);
  switch (t->class) {
  case EMULATE_LOAD: cost(t, 1, 1.5, 2); break;
  case EMULATE_STORE: cost(t, 1, 1, 2); break;
  case EMULATE_MULTIPLY: cost(t, 1, 1, 3); break;
  case EMULATE_DIVIDE: cost(t, 8, 32, 38); break;
  case EMULATE_BRANCH:
    t->taken_low = 1;
    t->taken = 2;
    t->taken_high = 3;
    break;
  default: break;
  }
}

struct thumb rv32_decode(const uint8_t *at, size_t left, enum emulate_core core) {
  const uint32_t lo = (uint32_t)at[0] | (uint32_t)at[1] << 8;
  const bool wide = (lo & 3) == 3 && left >= 4;
  const uint32_t hi = wide ? (uint32_t)at[2] | (uint32_t)at[3] << 8 : 0;
  struct thumb t = {.size = wide ? 4 : 2, .class = wide ? class_32(lo, hi) : class_16(lo)};
  if (core == EMULATE_CORE_RV32) cost_short_pipeline(&t);
  return t;
}
