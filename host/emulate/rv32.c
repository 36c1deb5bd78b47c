/* rv32: the class of an RV32IMC instruction.
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

struct thumb rv32_decode(const uint8_t *at, size_t left) {
  const uint32_t lo = (uint32_t)at[0] | (uint32_t)at[1] << 8;
  const bool wide = (lo & 3) == 3 && left >= 4;
  const uint32_t hi = wide ? (uint32_t)at[2] | (uint32_t)at[3] << 8 : 0;
  return (struct thumb){.size = wide ? 4 : 2, .class = wide ? class_32(lo, hi) : class_16(lo)};
}
