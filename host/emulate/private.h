/* private: what the files of this room share. */
#ifndef HOST_EMULATE_PRIVATE_H
#define HOST_EMULATE_PRIVATE_H

#include "host/emulate/emulate.h"

/* ---- elf.c: a bounds-checked reader of 32-bit little-endian ELF files ------ */
struct elf_section {
  const char *name;
  uint32_t address, size;
  const uint8_t *bytes; /* NULL where the file holds none (NOBITS) */
};
struct elf_symbol {
  const char *name;
  uint32_t address, size; /* address without the Thumb bit */
  int section;            /* index, or -1 */
  bool function;
};
struct elf {
  const char *path;
  struct elf_section *sections;
  struct elf_symbol *symbols; /* sorted by address */
  int n_sections, n_symbols;
  bool riscv, avr; /* else Arm */
};
bool elf_read(struct arena *a, const char *path, struct elf *elf, struct err *e);
const struct elf_section *elf_find_section(const struct elf *elf, const char *name);
const struct elf_symbol *elf_find_symbol(const struct elf *elf, const char *name);
/* Whether an address of code is data: the "$d" and "$t" marks that the Arm ABI puts in. Fills code[i] for each
 * halfword of the section. */
void elf_code_map(const struct elf *elf, const struct elf_section *section, uint8_t *code);

/* ---- thumb.c: what an instruction is and what the manuals say it costs ------ */
struct thumb {
  int size; /* bytes: 2 or 4 */
  enum emulate_class class;
  bool armv6m; /* the instruction exists on a Cortex-M0+ */
  /* Cycles when it does not branch, and what a taken branch adds. low <= typical <= high. */
  double low, typical, high;
  double taken_low, taken, taken_high;
  bool transfers; /* single load or store: pipelined behind another where the core does so */
  bool vector;    /* a Helium instruction */
};
/* at: 4 readable bytes (2 where the last halfword is a 16-bit instruction and `left` is 2). */
struct thumb thumb_decode(const uint8_t *at, size_t left, enum emulate_core core);
/* What standing behind another instruction changes in the typical cost. */
void thumb_follow(const struct thumb *before, enum emulate_core core, struct thumb *t);

/* ---- rv32.c: the same of RV32IMC. No costs: no core's timings are published -------- */
struct thumb rv32_decode(const uint8_t *at, size_t left, enum emulate_core core);

/* ---- avr.c: AVR programs, on simavr ----------------------------------------- */
struct thumb avr_decode(const uint8_t *at, size_t left);
/* The chip with 32 KiB of flash and 2 KiB of memory takes the program. */
bool avr_fits_small(const struct elf *elf);
/* Writes the flash to the folder and fills argv[8]: the runner, told to count or not. */
bool avr_command(struct arena *a, const struct elf *elf, const char *dir, const char *machine,
                 bool count, int buckets, const char **argv, struct err *e);

/* ---- build.c ---------------------------------------------------------------- */
/* The same of what runs AVR programs. */
bool build_runner(struct arena *a, const char **path, struct err *e);
/* The counting plugin, compiled when it is not there yet or older than its source. */
bool build_plugin(struct arena *a, const char **path, struct err *e);

#endif
