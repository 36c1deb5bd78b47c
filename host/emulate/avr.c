/* avr: programs for an AVR on simavr's library. Its cycles are the chip's own, so nothing is estimated: the runner
 * (firmware/plugin/avr.c) counts them beside the instructions, and here are only the classes of instructions, the bytes of
 * the flash, and the runner's command line.
 * source: Microchip, AVR Instruction Set Manual DS40002198, opcodes. */
#include <string.h>

#include "host/emulate/private.h"

/* Where the linker puts memory, which has addresses of its own. */
#define AVR_MEMORY  0x800000u
#define AVR_FLASH   (256u << 10)
#define SMALL_FLASH (32u << 10)
#define SMALL_END   (AVR_MEMORY + 0x100 + (2u << 10)) /* registers stand below 0x100 */

/* ---- instructions --------------------------------------------------------------- */

static bool is_long(uint32_t op) {
  return (op & 0xFC0F) == 0x9000 /* LDS, STS */
         || (op & 0xFE0C) == 0x940C /* JMP, CALL */;
}

/* LD, LDD, LDS, LPM, ELPM, POP; and with bit 9 ST, STD, STS, PUSH. */
static bool is_transfer(uint32_t op) {
  if ((op & 0xD000) == 0x8000) return true; /* LDD, STD with Y and Z */
  return (op & 0xFC00) == 0x9000 || op == 0x95C8 /* LPM */ || op == 0x95D8;
}

static bool is_multiply(uint32_t op) {
  return (op & 0xFC00) == 0x9C00 /* MUL */
         || (op & 0xFF00) == 0x0200 /* MULS */ || (op & 0xFF00) == 0x0300 /* MULSU, FMUL ... */;
}

static bool is_conditional(uint32_t op) { return (op & 0xF800) == 0xF000; /* BRBS, BRBC */ }

static bool is_jump(uint32_t op) {
  return (op & 0xE000) == 0xC000 /* RJMP, RCALL */ || (op & 0xFE0C) == 0x940C ||
         (op & 0xFEEF) == 0x9409 /* IJMP, ICALL */ || (op & 0xFFEF) == 0x9508 /* RET, RETI */;
}

struct thumb avr_decode(const uint8_t *at, size_t left) {
  const uint32_t op = (uint32_t)at[0] | (uint32_t)at[1] << 8;
  struct thumb t = {.size = is_long(op) && left >= 4 ? 4 : 2, .class = EMULATE_OTHER};
  if (is_conditional(op) || is_jump(op))
    t.class = EMULATE_BRANCH;
  else if (is_transfer(op))
    t.class = (op & 0x0200) != 0 && op < 0x9400 ? EMULATE_STORE : EMULATE_LOAD;
  else if (is_multiply(op))
    t.class = EMULATE_MULTIPLY;
  t.taken = is_conditional(op) ? 1 : 0; /* cycles more where it is taken */
  return t;
}

/* ---- the flash and the chip ------------------------------------------------------- */

bool avr_fits_small(const struct elf *elf) {
  for (int i = 1; i < elf->n_sections; i++) {
    const struct elf_section *s = &elf->sections[i];
    const uint64_t end = (uint64_t)s->address + s->size;
    if (s->address == 0 && strcmp(s->name, ".start") != 0) continue; /* not loaded */
    if (end > (s->address < AVR_MEMORY ? SMALL_FLASH : SMALL_END)) return false;
  }
  return true;
}

/* The bytes of the flash from 0 on: sections where they stand, and behind them what start-up copies to memory. */
static bool write_flash(struct arena *a, const struct elf *elf, const char *path, struct err *e) {
  const struct elf_symbol *load = elf_find_symbol(elf, "data_load");
  const struct elf_section *data = elf_find_section(elf, ".data");
  uint8_t *flash = ARENA_ARRAY(a, uint8_t, AVR_FLASH);
  size_t n = 0;
  if (load == NULL || data == NULL) return err_set(e, "%s has no .data", elf->path);
  for (int i = 1; i < elf->n_sections; i++) {
    const struct elf_section *s = &elf->sections[i];
    const bool named = text_starts(s->name, ".debug") || s->name[0] != '.';
    if (s->bytes == NULL || named || (s->address == 0 && strcmp(s->name, ".start") != 0)) continue;
    const uint64_t at =
        s->address < AVR_MEMORY ? s->address : (uint64_t)load->address + s->address - data->address;
    if (at + s->size > AVR_FLASH)
      return err_set(e, "%s: section %s does not fit the flash", elf->path, s->name);
    memcpy(flash + at, s->bytes, s->size);
    if (at + s->size > n) n = (size_t)at + s->size;
  }
  return file_write(path, flash, n, e);
}

bool avr_command(struct arena *a, const struct elf *elf, const char *dir, const char *machine,
                 bool count, int buckets, const char **argv, struct err *e) {
  const struct elf_symbol *low = elf_find_symbol(elf, "text_low"),
                          *high = elf_find_symbol(elf, "text_high");
  const char *runner, *flash = arena_printf(a, "%s/mote.flash", dir);
  if (!low || !high) return err_set(e, "%s was not built with the harness", elf->path);
  if (!build_runner(a, &runner, e) || !write_flash(a, elf, flash, e)) return false;
  argv[0] = runner;
  argv[1] = machine;
  argv[2] = flash;
  argv[3] = arena_printf(a, "0x%x", (unsigned)low->address);
  argv[4] = arena_printf(a, "0x%x", (unsigned)high->address);
  argv[5] = arena_printf(a, "%d", buckets);
  argv[6] = count ? "mote.counts" : "";
  argv[7] = NULL;
  return true;
}
