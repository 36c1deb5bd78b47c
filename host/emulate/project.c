/* project: lays out a C project that builds without Mote: sources, harness, linker script and a Makefile that
 * a person can read. */
#include <string.h>

#include "host/emulate/private.h"

static bool copy(struct arena *a, const char *home, const char *dir, const char *file,
                 struct err *e) {
  uint8_t *bytes;
  size_t size;
  const char *from = arena_printf(a, "%s/%s", home, file),
             *to = arena_printf(a, "%s/%s", dir, file);
  char *folder = arena_strdup(a, to);
  *strrchr(folder, '/') = 0;
  return file_read(a, from, 16 << 20, &bytes, &size, e) && dir_make(folder, e) &&
         file_write(to, bytes, size, e);
}

static bool is_avr(const struct emulate_target *target) { return !strcmp(target->isa, "avr"); }

/* What the harness needs of the machine. */
static const char *port_of(const struct emulate_target *target) {
  return is_avr(target)            ? "firmware/harness/port_simavr.c"
         : *target->machine        ? "firmware/harness/port_semihosting.c"
         : emulate_is_wasm(target) ? "firmware/wasm/port.c"
                                   : "firmware/harness/port_stdio.c";
}

static void add_sources(struct text *t, const char *model, const char *const *sources, int n) {
  text_printf(t, "SOURCES := %s.c program.c", model);
  for (int i = 0; i < n; i++)
    if (text_ends(sources[i], ".c")) text_printf(t, " \\\n           %s", sources[i]);
  text_add(t, "\n");
}

static const char *makefile(struct arena *a, const char *title, const char *model,
                            const struct emulate_target *target, const char *const *sources,
                            int n_sources, const struct emulate_flags *flags, int n_flags,
                            int stack_bytes) {
  struct text t;
  const bool chip = *target->machine != 0, wasm = emulate_is_wasm(target);
  text_init(&t, a);
  text_printf(&t, "# %s, for %s.\n#\n", title, target->name);
  text_add(&t, "#   make          build/program.elf: the model with a harness that reads mote.in, "
               "writes mote.out\n"
               "#   make size     flash and RAM, section by section\n#\n");
  text_printf(
      &t,
      "# In a firmware of your own: take %s.c, %s.h and mote/, leave program.c and firmware/. "
      "%s_arena.c\n# is for those who have no memory of their own to give. Two models, each "
      "with a --name: copy their mote/\n# folders over each other; a file that both have is "
      "the same.\n",
      model, model, model);
  text_printf(&t, "CC      := %s\n", target->compiler);
  text_printf(&t, "FLAGS   := %s\n", target->flags);
  if (chip)
    text_printf(&t, "MACHINE := %s\nEMULATOR := %s %s\n", target->machine, target->emulator,
                target->emulator_flags);
  /* One arithmetic on every machine: no contraction to fused multiply-add. */
  text_add(&t,
           "CFLAGS  := -std=c99 -I. -ffp-contract=off -fno-strict-aliasing -ffunction-sections \\\n"
           "           -fdata-sections -Wall -Wextra\n");
  if (chip)
    text_printf(&t,
                "LDFLAGS := -nostartfiles -Wl,--gc-sections -Wl,--defsym=stack_bytes=%d \\\n"
                "           -T firmware/boards/%s/link.ld\n",
                stack_bytes      ? stack_bytes
                : is_avr(target) ? 768
                                 : 4096,
                target->board);
  else if (wasm)
    text_add(&t, "LDFLAGS := -nostdlib -Wl,--no-entry -Wl,--gc-sections -Wl,--stack-first\n");
  else
    text_add(&t, "LDFLAGS := -Wl,--gc-sections\n");
  add_sources(&t, model, sources, n_sources);
  if (wasm)
    text_add(&t,
             "SOURCES += firmware/wasm/memory.c\nMODULE  := $(SOURCES) firmware/wasm/module.c\n");
  text_add(&t, "SOURCES += firmware/harness/harness.c");
  if (chip)
    text_printf(&t, " %s firmware/boards/%s/start.c\n", port_of(target), target->start);
  else
    text_printf(&t, " %s\n", port_of(target));
  text_add(&t, "OBJECTS := $(SOURCES:%.c=build/%.o)\n\n"
               "build/program.elf: $(OBJECTS)\n\t$(CC) $(FLAGS) $(LDFLAGS) -o $@ $(OBJECTS)\n\n"
               "");
  if (wasm)
    text_add(&t,
             "# The model alone, for a browser or Node: model.mjs beside it has its functions.\n"
             "build/model.wasm: $(MODULE:%.c=build/%.o)\n"
             "\t$(CC) $(FLAGS) $(LDFLAGS) -Wl,--strip-all -o $@ $^\n"
             "\tcp firmware/wasm/model.mjs build/\n"
             "build/program.elf: build/run.mjs\n"
             "build/run.mjs: firmware/wasm/run.mjs\n\t@mkdir -p $(@D)\n\tcp $< $@\n\n");
  text_add(&t, "build/%.o: %.c\n\t@mkdir -p $(@D)\n\t$(CC) $(CFLAGS) $(FLAGS) $(MORE) -MMD -MP -c "
               "$< -o $@\n\n");
  if (!wasm)
    text_add(&t, "# The harness must not pull in the C library, whose code would be counted as the "
                 "program's.\n"
                 "build/firmware/%.o: MORE := -fno-tree-loop-distribute-patterns\n");
  if (n_flags) text_add(&t, "# Files that are better off with other flags (docs/estimates.md).\n");
  for (int i = 0; i < n_flags; i++)
    text_printf(&t, "build/%.*s.o: MORE := %s\n", (int)strlen(flags[i].file) - 2, flags[i].file,
                flags[i].flags);
  /* The compiler's name ends in gcc; its tools stand beside it. */
  text_add(&t, "\n.PHONY: size clean\n");
  if (wasm)
    text_add(&t, "size: build/model.wasm\n\tllvm-size -A build/model.wasm\n");
  else
    text_printf(&t, "size: build/program.elf\n\t%.*ssize -A build/program.elf\n",
                (int)strlen(target->compiler) - 3, target->compiler);
  text_add(&t, "clean:\n\trm -rf build\n-include $(OBJECTS:.o=.d)\n");
  return t.data;
}

bool emulate_project(struct arena *a, const char *dir, const char *title, const char *model,
                     const struct emulate_target *target, const char *const *sources, int n_sources,
                     const struct emulate_flags *flags, int n_flags, int stack_bytes,
                     struct err *e) {
  char *home;
  const bool chip = *target->machine != 0, wasm = emulate_is_wasm(target);
  if (!mote_home(a, &home, e)) return false;
  for (int i = 0; i < n_sources; i++)
    if (!copy(a, home, dir, sources[i], e)) return false;
  const char *const harness[] = {
      "firmware/harness/harness.c",
      "firmware/harness/port.h",
      "firmware/harness/program.h",
      port_of(target),
      is_avr(target) ? "firmware/harness/port_simavr.h" : NULL,
      wasm ? "firmware/wasm/memory.c" : NULL,
      wasm ? "firmware/wasm/string.h" : NULL,
      wasm ? "firmware/wasm/module.c" : NULL,
      wasm ? "firmware/wasm/model.mjs" : NULL,
      wasm ? "firmware/wasm/run.mjs" : NULL,
      chip ? arena_printf(a, "firmware/boards/%s/start.c", target->start) : NULL,
      chip && !is_avr(target) ? "firmware/boards/sections.ld" : NULL,
      chip ? arena_printf(a, "firmware/boards/%s/link.ld", target->board) : NULL,
  };
  for (size_t i = 0; i < sizeof harness / sizeof *harness; i++)
    if (harness[i] && !copy(a, home, dir, harness[i], e)) return false;
  const char *text =
      makefile(a, title, model, target, sources, n_sources, flags, n_flags, stack_bytes);
  return file_write(arena_printf(a, "%s/Makefile", dir), text, strlen(text), e);
}
