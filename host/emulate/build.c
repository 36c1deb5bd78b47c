/* build: runs a project's Makefile, measures the ELF file, and compiles the counting plugin. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/emulate/private.h"

/* Programs for an AVR run in one of our own on its library. */
#define SIMAVR_HEADER "/usr/include/simavr/sim_avr.h"

static const char *package_of(const char *program) {
  return text_starts(program, "arm-none-eabi") ? "gcc-arm-none-eabi libnewlib-arm-none-eabi"
         : text_starts(program, "avr")         ? "gcc-avr avr-libc"
         : text_starts(program, "riscv64") ? "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
         : text_starts(program, "clang")   ? "clang lld llvm nodejs"
                                           : "build-essential";
}

bool emulate_can_build(const struct emulate_target *target) {
  return process_exists("make") && process_exists(target->compiler) &&
         (!emulate_is_wasm(target) || process_exists("wasm-ld"));
}
bool emulate_can_run(const struct emulate_target *target) {
  if (emulate_is_wasm(target)) return process_exists("node");
  if (!*target->machine) return true;
  const bool there = strcmp(target->emulator, "simavr") != 0 ? process_exists(target->emulator)
                                                             : file_exists(SIMAVR_HEADER);
  return there && process_exists("cc");
}

/* The last lines of a compiler's words. */
static const char *tail(const char *text, size_t most) {
  const size_t n = strlen(text);
  if (n <= most) return text;
  const char *line = strchr(text + n - most, '\n');
  return line ? line + 1 : text + n - most;
}

bool emulate_build(struct arena *a, const char *dir, const struct emulate_target *target,
                   struct emulate_program *program, struct err *e) {
  if (!emulate_can_build(target))
    return err_set(e, "no %s on this machine, which builds for %s; install it with: apt install %s",
                   process_exists("make") ? target->compiler : "make", target->name,
                   package_of(process_exists("make") ? target->compiler : "make"));
  const char *const argv[] = {"make",
                              "-s",
                              "-j2",
                              "-C",
                              dir,
                              "build/program.elf",
                              emulate_is_wasm(target) ? "build/model.wasm" : NULL,
                              NULL};
  struct process_result r;
  if (!process_run(a, NULL, argv, 600, &r, e)) return false;
  if (r.exit_code) {
    /* GNU ld's words. */
    *program = (struct emulate_program){.target = target,
                                        .too_large = strstr(r.err, "will not fit in region") ||
                                                     strstr(r.err, "overflowed by")};
    err_file(e, dir);
    return err_set(e, "the C project does not %s %s:\n%s",
                   program->too_large ? "fit into the memory of the emulated" : "build for",
                   target->name, tail(r.err, 900));
  }
  return emulate_measure(a, arena_printf(a, "%s/build/program.elf", dir), target, program, e);
}

static int64_t size_of(const struct elf *elf, const char *name) {
  const struct elf_section *s = elf_find_section(elf, name);
  return s ? s->size : 0;
}

/* Every instruction of a Cortex-M0+ build must be one that the core has. */
static bool check_armv6m(struct arena *a, const struct elf *elf, struct err *e) {
  static const char *const sections[] = {".start", ".harness", ".text"};
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    const struct elf_section *s = elf_find_section(elf, sections[i]);
    if (!s || !s->bytes) continue;
    uint8_t *code = ARENA_ARRAY(a, uint8_t, s->size / 2 + 1);
    elf_code_map(elf, s, code);
    for (uint32_t at = 0; at + 2 <= s->size;) {
      if (!code[at / 2]) {
        at += 2;
        continue;
      }
      const struct thumb t = thumb_decode(s->bytes + at, s->size - at, EMULATE_CORE_M0PLUS);
      if (!t.armv6m)
        return err_internal(
            e, "the program holds an instruction at 0x%x (%02x%02x) that ARMv6-M lacks",
            (unsigned)(s->address + at), s->bytes[at + 1], s->bytes[at]);
      at += (uint32_t)t.size;
    }
  }
  return true;
}

bool emulate_measure(struct arena *a, const char *path, const struct emulate_target *target,
                     struct emulate_program *program, struct err *e) {
  struct elf elf;
  *program = (struct emulate_program){.target = target, .elf = path};
  if (!*target->machine) return true;
  if (!elf_read(a, path, &elf, e)) return false;
  if ((!elf.avr && !elf_find_symbol(&elf, "port_marks")) || !elf_find_symbol(&elf, "text_low"))
    return err_set(e,
                   "the program was not built with firmware/harness and a linker script of Mote");
  if (target->core == EMULATE_CORE_M0PLUS && !check_armv6m(a, &elf, e)) return false;
  program->size = (struct emulate_size){
      .flash_code = size_of(&elf, ".text") + size_of(&elf, ".data"),
      .flash_plan = size_of(&elf, ".plan"),
      .flash_tables = size_of(&elf, ".tables"),
      .ram_static = size_of(&elf, ".data") + size_of(&elf, ".bss"),
      .ram_arena = size_of(&elf, ".arena"),
  };
  return true;
}

/* Compiles firmware/plugin/<source> to <made> in the build folder, where that is not there yet or older. before, behind:
 * words of the command around the files, both end with NULL. */
static bool compile_here(struct arena *a, const char *name, const char *made_name,
                         const char *const *before, const char *const *behind, const char **path,
                         struct err *e) {
  char *home;
  struct stat from, to;
  struct process_result r;
  if (!mote_home(a, &home, e)) return false;
  const char *source = arena_printf(a, "%s/firmware/plugin/%s", home, name);
  const char *folder = arena_printf(a, "%s/build", home);
  if (stat(source, &from)) return err_set(e, "a part of the emulator is missing: %s", source);
  if (!dir_make(folder, NULL) || access(folder, W_OK)) {
    /* An installation that cannot be written to: the user's own cache. */
    const char *cache = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
    if (cache && *cache)
      folder = arena_printf(a, "%s/mote", cache);
    else if (user && *user)
      folder = arena_printf(a, "%s/.cache/mote", user);
    else /* never a place where others may write: QEMU loads what lies there */
      return err_set(e, "%s cannot be written, and neither HOME nor XDG_CACHE_HOME is set", folder);
    if (!dir_make(folder, e)) return false;
  }
  *path = arena_printf(a, "%s/%s", folder, made_name);
  if (!stat(*path, &to) && to.st_mtime >= from.st_mtime) return true;
  /* Beside, then renamed: another run may be doing the same. */
  const char *made = arena_printf(a, "%s.%ld", *path, (long)getpid());
  const char *argv[24] = {"cc", "-std=c11", "-D_GNU_SOURCE", "-O2"};
  int n = 4;
  for (; *before; before++) argv[n++] = *before;
  argv[n++] = "-o";
  argv[n++] = made;
  argv[n++] = source;
  for (; *behind; behind++) argv[n++] = *behind;
  if (!process_run(a, home, argv, 120, &r, e)) return false;
  if (r.exit_code) return err_set(e, "%s does not build:\n%s", name, tail(r.err, 900));
  if (rename(made, *path)) return err_set(e, "cannot write %s", *path);
  return true;
}

bool build_plugin(struct arena *a, const char **path, struct err *e) {
  static const char *const shared[] = {"-shared", "-fPIC", "-fvisibility=hidden", NULL};
  return compile_here(a, "count.c", "count-plugin.so", shared, shared + 3, path, e);
}

bool build_runner(struct arena *a, const char **path, struct err *e) {
  static const char *const from_home[] = {"-I.", NULL}, *const library[] = {"-lsimavr", NULL};
  return compile_here(a, "avr.c", "avr-runner", from_home, library, path, e);
}
