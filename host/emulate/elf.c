/* elf: reads the sections and symbols of a 32-bit little-endian ELF file for Arm, RISC-V or AVR. Every offset is checked: a
 * truncated or foreign file is an error, never a crash. source: the System V ABI's ELF chapters and Arm's ELF
 * supplement (mapping symbols). */
#include <stdlib.h>
#include <string.h>

#include "host/emulate/private.h"

enum { SHT_SYMTAB = 2, SHT_NOBITS = 8, STT_FUNC = 2, EM_ARM = 40, EM_AVR = 83, EM_RISCV = 243 };

struct raw {
  const uint8_t *bytes;
  size_t size;
};

static bool inside(const struct raw *f, uint64_t offset, uint64_t n) {
  return offset <= f->size && n <= f->size - offset;
}
static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A NUL-terminated name in a string table; NULL when it leaves the table. */
static const char *name_at(const struct raw *f, uint32_t table, uint32_t table_size,
                           uint32_t offset) {
  if (offset >= table_size) return NULL;
  const char *s = (const char *)f->bytes + table + offset;
  return memchr(s, 0, table_size - offset) ? s : NULL;
}

static int by_address(const void *x, const void *y) {
  const struct elf_symbol *a = x, *b = y;
  if (a->address != b->address) return a->address < b->address ? -1 : 1;
  if (a->function != b->function) return a->function ? -1 : 1;
  return strcmp(a->name, b->name);
}

static bool read_symbols(struct arena *a, const struct raw *f, const uint8_t *heads, uint32_t at,
                         struct elf *elf) {
  const uint8_t *h = heads + 40u * at;
  const uint32_t offset = u32(h + 16), size = u32(h + 20), link = u32(h + 24);
  if (link >= (uint32_t)elf->n_sections || !inside(f, offset, size)) return false;
  const uint32_t names = u32(heads + 40u * link + 16), names_size = u32(heads + 40u * link + 20);
  if (!inside(f, names, names_size)) return false;
  const uint32_t n = size / 16;
  elf->symbols = ARENA_ARRAY(a, struct elf_symbol, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *s = f->bytes + offset + 16u * i;
    const char *name = name_at(f, names, names_size, u32(s));
    const int section = u16(s + 14);
    if (!name) return false;
    if (!*name) continue;
    struct elf_symbol *to = &elf->symbols[elf->n_symbols++];
    to->name = name;
    to->function = (s[12] & 15) == STT_FUNC;
    to->address = to->function ? u32(s + 4) & ~1u : u32(s + 4); /* no function is odd */
    to->size = u32(s + 8);
    to->section = section > 0 && section < elf->n_sections ? section : -1;
  }
  qsort(elf->symbols, (size_t)elf->n_symbols, sizeof *elf->symbols, by_address);
  return true;
}

static bool read_sections(struct arena *a, const struct raw *f, struct elf *elf) {
  const uint8_t *head = f->bytes;
  const uint32_t table = u32(head + 32), entry = u16(head + 46), n = u16(head + 48),
                 names_at = u16(head + 50);
  if (entry != 40 || names_at >= n || !inside(f, table, 40ull * n)) return false;
  const uint8_t *heads = f->bytes + table, *names_head = heads + 40u * names_at;
  const uint32_t names = u32(names_head + 16), names_size = u32(names_head + 20);
  if (!inside(f, names, names_size)) return false;
  elf->sections = ARENA_ARRAY(a, struct elf_section, n + 1);
  elf->n_sections = (int)n;
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *h = heads + 40u * i;
    struct elf_section *s = &elf->sections[i];
    s->name = name_at(f, names, names_size, u32(h));
    s->address = u32(h + 12);
    s->size = u32(h + 20);
    if (!s->name) return false;
    if (u32(h + 4) == SHT_NOBITS || i == 0) continue;
    if (!inside(f, u32(h + 16), s->size)) return false;
    s->bytes = f->bytes + u32(h + 16);
  }
  for (uint32_t i = 0; i < n; i++)
    if (u32(heads + 40u * i + 4) == SHT_SYMTAB) return read_symbols(a, f, heads, i, elf);
  return true;
}

bool elf_read(struct arena *a, const char *path, struct elf *elf, struct err *e) {
  uint8_t *bytes;
  struct raw f;
  if (!file_read(a, path, (size_t)256 << 20, &bytes, &f.size, e)) return false;
  f.bytes = bytes;
  *elf = (struct elf){.path = path};
  const bool elf32 = f.size >= 52 && !memcmp(f.bytes, "\177ELF\1\1", 6);
  const int core = elf32 ? u16(f.bytes + 18) : 0;
  const bool known = core == EM_ARM || core == EM_RISCV || core == EM_AVR;
  elf->riscv = core == EM_RISCV;
  elf->avr = core == EM_AVR;
  if (known && read_sections(a, &f, elf)) return true;
  err_file(e, path);
  return err_set(e, known ? "the ELF file is damaged: an offset leaves the file"
                          : "not a 32-bit little-endian ELF file for Arm, RISC-V or AVR");
}

const struct elf_section *elf_find_section(const struct elf *elf, const char *name) {
  for (int i = 0; i < elf->n_sections; i++)
    if (!strcmp(elf->sections[i].name, name)) return &elf->sections[i];
  return NULL;
}

const struct elf_symbol *elf_find_symbol(const struct elf *elf, const char *name) {
  for (int i = 0; i < elf->n_symbols; i++)
    if (!strcmp(elf->symbols[i].name, name)) return &elf->symbols[i];
  return NULL;
}

static bool is_mark(const char *name, char kind) {
  return name[0] == '$' && name[1] == kind && (!name[2] || name[2] == '.');
}

void elf_code_map(const struct elf *elf, const struct elf_section *section, uint8_t *code) {
  const uint32_t slots = section->size / 2;
  uint32_t from = 0;
  uint8_t now = 0;
  for (int i = 0; i < elf->n_symbols; i++) {
    const struct elf_symbol *s = &elf->symbols[i];
    const bool thumb = is_mark(s->name, 't'), data = is_mark(s->name, 'd');
    if (s->section < 0 || &elf->sections[s->section] != section || (!thumb && !data)) continue;
    const uint32_t at = (s->address - section->address) / 2;
    if (at > slots) continue;
    memset(code + from, now, at - from);
    from = at;
    now = thumb;
  }
  memset(code + from, now, slots - from);
}
