/* thumb: the class and cost of a Thumb instruction.
 *
 * Costs are without wait states; docs/estimates.md tells which of them Arm publishes and which are assumptions.
 * source: Cortex-M0+ Technical Reference Manual (DDI 0484), table 3.1, with the single-cycle multiplier; Cortex-M3
 * (DDI 0337), 18.2; Cortex-M4 (DDI 0439), 3.3. Of the Cortex-M7, M33 and M55 no such table is published: their costs
 * are the M4's times a factor, those of vector instructions what the Cortex-M55 Technical Reference Manual (101051)
 * says of its two beats a cycle. */
#include <string.h>

#include "host/emulate/private.h"

static int bits_set(uint32_t x) {
  int n = 0;
  for (; x; x &= x - 1) n++;
  return n;
}

/* What an instruction does, before a core's costs: registers moved by a multiple transfer, and what a taken
 * branch is. */
struct shape {
  enum emulate_class class;
  bool transfers, divides_float, accumulates_float, calls, returns_by_pop, system;
  bool multiplies_long, accumulates; /* products of 64 bits; a sum behind the product */
  bool vector, loop_end;             /* of ARMv8.1-M: a whole vector; the end of a counted loop */
  int moved;                         /* registers of a multiple transfer; 0: not one */
};

/* What ARMv6-M has of the instructions of two and of four bytes.
 * source: ARMv6-M Architecture Reference Manual (DDI 0419), A5.2 and A5.3. */
static bool armv6m_16(uint32_t op) {
  if (op >= 0x4700 && op < 0x4800) return (op & 7) == 0;           /* BX, BLX; not BXNS, BLXNS */
  if ((op & 0xF500) == 0xB100) return false;                       /* CBZ, CBNZ */
  if (op >= 0xB600 && op < 0xB800) return (op & 0xFFEF) == 0xB662; /* CPSIE i, CPSID i */
  if (op >= 0xB800 && op < 0xB900) return false;
  if (op >= 0xBA80 && op < 0xBAC0) return false;           /* HLT */
  if (op >= 0xBF00 && op < 0xC000) return (op & 0xF) == 0; /* hints; not IT */
  return op < 0xE800;
}
static bool armv6m_32(uint32_t hi, uint32_t lo) {
  if ((hi & 0xF800) != 0xF000) return false;
  if ((lo & 0xD000) == 0xD000) return true;                              /* BL */
  if ((hi & 0xFFF0) == 0xF380) return (lo & 0xFF00) == 0x8800;           /* MSR */
  if (hi == 0xF3EF) return (lo & 0xF000) == 0x8000;                      /* MRS */
  if (hi == 0xF3BF) return lo == 0x8F4F || lo == 0x8F5F || lo == 0x8F6F; /* DSB DMB ISB */
  return (hi & 0xFFF0) == 0xF7F0 && (lo & 0xF000) == 0xA000;             /* UDF */
}

static struct shape shape_16(uint32_t op) {
  struct shape s = {.class = EMULATE_OTHER};
  if (op >= 0x4340 && op < 0x4380)
    s.class = EMULATE_MULTIPLY;
  else if (op >= 0x4400 && op < 0x4700) {
    const uint32_t rd = (op & 7) | (op >> 4 & 8);
    if (rd == 15 && (op & 0x0300) != 0x0100) s.class = EMULATE_BRANCH;
  } else if (op >= 0x4700 && op < 0x4800)
    s.class = EMULATE_BRANCH;
  else if (op >= 0x4800 && op < 0xA000) {
    const bool load = op < 0x5000 || (op < 0x6000 ? (op >> 9 & 7) >= 3 : (op & 0x0800) != 0);
    s.class = load ? EMULATE_LOAD : EMULATE_STORE;
    s.transfers = true;
  } else if (op >= 0xB000 && op < 0xC000) {
    if ((op & 0xF500) == 0xB100)
      s.class = EMULATE_BRANCH; /* CBZ, CBNZ */
    else if ((op & 0xFE00) == 0xB400) {
      s.class = EMULATE_STORE;
      s.moved = bits_set(op & 0x1FF);
    } else if ((op & 0xFE00) == 0xBC00) {
      s.returns_by_pop = (op & 0x100) != 0;
      s.class = s.returns_by_pop ? EMULATE_BRANCH : EMULATE_LOAD;
      s.moved = bits_set(op & 0x1FF);
    }
  } else if (op >= 0xC000 && op < 0xD000) {
    s.class = op & 0x0800 ? EMULATE_LOAD : EMULATE_STORE;
    s.moved = bits_set(op & 0xFF);
  } else if (op >= 0xD000 && op < 0xDE00)
    s.class = EMULATE_BRANCH;
  else if (op >= 0xE000 && op < 0xE800)
    s.class = EMULATE_BRANCH;
  return s;
}

/* hi: 0xEC00 .. 0xEFFF: VFP. */
static struct shape shape_float(uint32_t hi, uint32_t lo) {
  struct shape s = {.class = EMULATE_FLOAT};
  if (hi < 0xEE00) {
    s.class = hi & 0x10 ? EMULATE_LOAD : EMULATE_STORE;
    if ((hi & 0x0120) == 0x0100)
      s.transfers = true; /* VLDR, VSTR */
    else
      s.moved = (int)(lo & 0xFF);
  } else if ((hi & 0xFFB0) == 0xEE80)
    s.divides_float = true;
  else if ((hi & 0xFFBF) == 0xEEB1 && (lo & 0xC0) == 0xC0)
    s.divides_float = true; /* VSQRT */
  else if (hi < 0xEF00 && !(lo & 0x10) &&
           ((hi & 0xFFB0) == 0xEE00 || (hi & 0xFFA0) == 0xEEA0 || (hi & 0xFFB0) == 0xEE10))
    s.accumulates_float = true; /* VMLA, VMLS, VNMLA, VFMA ... */
  return s;
}

/* Whether a vector instruction of ARMv8.1-M that is no transfer multiplies integers.
 * source: Armv8-M Architecture Reference Manual (DDI 0553), C2.4. */
static bool vector_multiplies(uint32_t hi, uint32_t lo) {
  const uint32_t kind = lo >> 8 & 15;
  if ((hi & 0x0F00) == 0x0F00) /* VMUL; VQDMULH, VQRDMULH */
    return (kind == 9 && (lo & 0x10)) || (kind == 11 && !(lo & 0x10));
  if ((hi & 0x0F80) == 0x0E00)
    return kind == 14 && (hi & 0x30) != 0x30; /* VMLA, VMULL, VRMULH ... */
  /* VMLADAV, VMLALDAV, VRMLALDAVH; VADDV lies between them. */
  return (lo & 0x0EC0) == 0x0E00 && !(kind == 15 && (hi & 1));
}

/* Helium, which shares its codes with VFP: told apart by the coprocessor's number. false: not a vector. */
static bool shape_vector(uint32_t hi, uint32_t lo, struct shape *s) {
  const uint32_t kind = lo >> 8 & 15;
  const bool transfer = (hi & 0x0E00) == 0x0C00;
  if ((hi & 0xEC00) != 0xEC00) return false;
  if (transfer ? kind < 14 : (hi & 0x0F00) == 0x0E00 && kind >= 9 && kind <= 11) return false;
  s->vector = true;
  if (transfer) {
    s->class = !(hi & 0x01A0) ? EMULATE_OTHER : hi & 0x10 ? EMULATE_LOAD : EMULATE_STORE;
    return true;
  }
  if ((hi & 0x0F00) == 0x0F00 && (kind >= 12 || (hi & 0x00B0) == 0x00B0))
    s->class = EMULATE_FLOAT;
  else
    s->class = vector_multiplies(hi, lo) ? EMULATE_MULTIPLY : EMULATE_OTHER;
  return true;
}

static struct shape shape_32(uint32_t hi, uint32_t lo) {
  struct shape s = {.class = EMULATE_OTHER};
  if ((hi & 0xFFEF) == 0xF00F && (lo & 0xF001) == 0xC001) { /* LE, LETP */
    s.class = EMULATE_BRANCH;
    s.loop_end = true;
  } else if ((hi & 0xFE40) == 0xE800) {
    const bool load = (hi & 0x10) != 0;
    s.moved = bits_set(lo);
    s.returns_by_pop = load && (lo & 0x8000);
    s.class = s.returns_by_pop ? EMULATE_BRANCH : load ? EMULATE_LOAD : EMULATE_STORE;
  } else if ((hi & 0xFE40) == 0xE840) {
    if ((hi & 0xFFF0) == 0xE8D0 && (lo & 0xFFE0) == 0xF000)
      s.class = EMULATE_BRANCH; /* TBB, TBH */
    else {
      s.class = hi & 0x10 ? EMULATE_LOAD : EMULATE_STORE;
      s.moved = 2;
    }
  } else if ((hi & 0xFC00) == 0xEC00)
    return shape_float(hi, lo);
  else if ((hi & 0xF800) == 0xF000 && (lo & 0x8000)) {
    s.calls = (lo & 0xD000) == 0xD000;
    s.system = (lo & 0xD000) == 0x8000 && (hi & 0x0380) == 0x0380;
    s.class = s.system ? EMULATE_OTHER : EMULATE_BRANCH;
  } else if ((hi & 0xFE00) == 0xF800) {
    s.class = hi & 0x10 ? EMULATE_LOAD : EMULATE_STORE;
    s.transfers = true;
    if ((hi & 0x70) == 0x50 && lo >> 12 == 15) s.class = EMULATE_BRANCH;
  } else if ((hi & 0xFF80) == 0xFB00)
    s.class = EMULATE_MULTIPLY;
  else if ((hi & 0xFF80) == 0xFB80)
    s.class = ((hi & 0xFFD0) == 0xFB90 && (lo & 0xF0) == 0xF0) ? EMULATE_DIVIDE : EMULATE_MULTIPLY;
  return s;
}

static void cost(struct thumb *t, double low, double typical, double high) {
  t->low = low;
  t->typical = typical;
  t->high = high;
}
static void cost_taken(struct thumb *t, double low, double typical, double high) {
  t->taken_low = low;
  t->taken = typical;
  t->taken_high = high;
}

/* P, the refill of the pipeline, is 1 to 3. A load is 2, or 1 behind another transfer; a store is 1, or 2
 * where the write buffer is full. A table branch loads first. */
static void cost_m4(struct thumb *t, const struct shape *s) {
  cost(t, 1, 1, 1);
  cost_taken(t, 1, 2, 3);
  if (s->moved)
    cost(t, 1 + s->moved, 1 + s->moved, 1 + s->moved);
  else if (s->transfers && t->class == EMULATE_STORE)
    cost(t, 1, 1, 2);
  else if (s->transfers)
    cost(t, 1, 2, 2);
  else if (s->divides_float)
    cost(t, 14, 14, 14);
  else if (s->accumulates_float)
    cost(t, 3, 3, 3);
  else if (t->class == EMULATE_DIVIDE)
    cost(t, 2, 7, 12);
  else if (s->system)
    cost(t, 1, 2, 4);
}

/* The M4's but for products: there is no multiplier of one cycle for what is longer than 32 bits. */
static void cost_m3(struct thumb *t, const struct shape *s) {
  cost_m4(t, s);
  if (t->class != EMULATE_MULTIPLY) return;
  if (s->multiplies_long)
    cost(t, s->accumulates ? 4 : 3, s->accumulates ? 5 : 4, s->accumulates ? 7 : 5);
  else if (s->accumulates)
    cost(t, 2, 2, 2);
}

static void scale(struct thumb *t, double low, double typical, double high) {
  cost(t, t->low * low, t->typical * typical, t->high * high);
  cost_taken(t, t->taken_low * low, t->taken * typical, t->taken_high * high);
}
/* Factors: how many cycles the same library took on both cores in published runs (docs/estimates.md). */
static void cost_m7(struct thumb *t, const struct shape *s) {
  cost_m4(t, s);
  scale(t, 0.45, 0.58, 0.80);
}
static void cost_m33(struct thumb *t, const struct shape *s) {
  cost_m4(t, s);
  scale(t, 0.75, 0.84, 1.0);
}

/* A vector is two cycles of work, of which one is hidden where the next vector needs another unit. */
static void cost_m55(struct thumb *t, const struct shape *s) {
  if (s->vector) {
    cost(t, 1, 1, 2);
    cost_taken(t, 0, 0, 0);
  } else if (s->loop_end) {
    cost(t, 0, 0, 1); /* known to the loop cache from the second turn on */
    cost_taken(t, 0, 0, 1);
  } else {
    cost_m4(t, s);
    scale(t, 0.65, 0.80, 1.0);
  }
}

static void cost_m0plus(struct thumb *t, const struct shape *s) {
  cost(t, 1, 1, 1);
  cost_taken(t, 1, 1, 1);
  if (s->calls) cost_taken(t, 2, 2, 2);
  if (s->moved) cost(t, 1 + s->moved, 1 + s->moved, 1 + s->moved);
  /* POP {.., pc} is 3 + N with N the registers besides pc. */
  if (s->returns_by_pop)
    cost_taken(t, 1, 1, 1);
  else if (s->transfers)
    cost(t, 2, 2, 2);
  else if (s->system)
    cost(t, 3, 3, 3);
}

/* A load straight behind another transfer is pipelined on these: one cycle instead of two. A vector behind one that
 * used the same unit waits for it. */
void thumb_follow(const struct thumb *before, enum emulate_core core, struct thumb *t) {
  if (t->vector) {
    if (before->vector && before->class == t->class) t->typical = 2;
  } else if (core != EMULATE_CORE_M0PLUS && before->transfers && t->transfers && !before->vector &&
             t->class == EMULATE_LOAD)
    t->typical /= 2;
}

struct thumb thumb_decode(const uint8_t *at, size_t left, enum emulate_core core) {
  struct thumb t = {.size = 2};
  const uint32_t hi = (uint32_t)at[0] | (uint32_t)at[1] << 8;
  const bool wide = hi >= 0xE800 && left >= 4;
  const uint32_t lo = wide ? (uint32_t)at[2] | (uint32_t)at[3] << 8 : 0;
  struct shape s = wide ? shape_32(hi, lo) : shape_16(hi);
  if (wide && core == EMULATE_CORE_M55) shape_vector(hi, lo, &s);
  if (wide) t.size = 4;
  t.class = s.class;
  t.armv6m = wide ? armv6m_32(hi, lo) : armv6m_16(hi);
  t.transfers = s.transfers;
  t.vector = s.vector;
  switch (core) {
  case EMULATE_CORE_M0PLUS: cost_m0plus(&t, &s); break;
  case EMULATE_CORE_M3: cost_m3(&t, &s); break;
  case EMULATE_CORE_M4: cost_m4(&t, &s); break;
  case EMULATE_CORE_M7: cost_m7(&t, &s); break;
  case EMULATE_CORE_M33: cost_m33(&t, &s); break;
  case EMULATE_CORE_M55: cost_m55(&t, &s); break;
  default: break; /* counted, at no cost */
  }
  return t;
}

const char *emulate_class_name(int emulate_class) {
  static const char *const names[EMULATE_CLASS_COUNT] = {"load",   "store", "multiply", "divide",
                                                         "branch", "float", "other"};
  return emulate_class >= 0 && emulate_class < EMULATE_CLASS_COUNT ? names[emulate_class] : "?";
}
