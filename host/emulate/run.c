/* run: one program on QEMU, and what the plugin counted made into figures.
 *
 * The plugin gives, for each bucket of time and each halfword of the program's code, how often the instruction
 * there was executed and how often it branched. Classes and cycles follow from the bytes of the instruction,
 * functions from the symbols around it. The harness and start-up code lie outside of the counted range. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/emulate/private.h"

#define JOB_MAGIC 0x314A4F4Du /* "MOJ1": firmware/harness/harness.c */
enum { MARK_FEATURES = 1, MARK_NETWORK = 2, MARK_TAP = 3, MARK_STEP = 4, MAX_STEPS = 1000 };
enum {
  EXIT_NO_INPUT = 65,
  EXIT_OPEN = 66,
  EXIT_WRITE = 67,
  EXIT_SHORT = 68,
  EXIT_FAULT = 70,
  EXIT_STACK = 71,
  EXIT_ARENA = 72,
  EXIT_UNALIGNED = 73 /* firmware/plugin/count.c */
};

static uint32_t u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static void put32(uint8_t *p, uint32_t x) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(x >> 8 * i);
}

/* One run in a folder of its own. */
struct job {
  const struct emulate_program *program;
  const struct emulate_options *options;
  const struct elf *elf; /* NULL on this machine */
  char *dir;
  const char *machine;
  int steps;
  bool count;
};

static bool write_job(struct arena *a, const struct job *j, struct err *e) {
  const struct emulate_options *o = j->options;
  const size_t body = o->input_bytes * (size_t)o->count;
  uint8_t *bytes = ARENA_ARRAY(a, uint8_t, 16 + body);
  put32(bytes, JOB_MAGIC);
  put32(bytes + 4, (uint32_t)o->count);
  put32(bytes + 8, (uint32_t)j->steps);
  put32(bytes + 12, o->layers && j->steps);
  memcpy(bytes + 16, o->inputs, body);
  return file_write(arena_printf(a, "%s/mote.in", j->dir), bytes, 16 + body, e);
}

/* The fault's status: CFSR of a Cortex-M. */
static const char *cortex_m_cause(uint32_t status) {
  return status & 1u << 24   ? ": unaligned access"
         : status & 1u << 16 ? ": an instruction that the core does not have"
         : status & 0xFF00u  ? ": no memory at the address"
                             : "";
}
/* mcause of a RISC-V core. */
static const char *riscv_cause(uint32_t status) {
  switch (status) {
  case 2: return ": an instruction that the core does not have";
  case 4:
  case 6: return ": unaligned access";
  case 1:
  case 5: return ": no memory at the address";
  case 7: return ": no memory to write to at the address";
  default: return "";
  }
}

/* said: by the emulator. */
static bool describe_fault(struct arena *a, const struct job *j, const char *said, struct err *e) {
  uint8_t *f;
  size_t n;
  const char *where = "?", *why = "";
  if (!file_read(a, arena_printf(a, "%s/mote.fault", j->dir), 4096, &f, &n, NULL) || n < 44)
    return err_internal(e, "the program ended with a fault on %s%s%s", j->machine,
                        *said ? ": " : "", said);
  const uint32_t pc = u32(f + 24), status = u32(f + 32), address = u32(f + 36);
  const uint32_t frame = u32(f + 40);
  const struct elf_symbol *stack = elf_find_symbol(j->elf, "stack_low");
  for (int i = 0; i < j->elf->n_symbols; i++) {
    const struct elf_symbol *s = &j->elf->symbols[i];
    if (s->function && pc >= s->address && pc < s->address + s->size) where = s->name;
  }
  if (stack && frame < stack->address + 32)
    why = ": stack overflow";
  else
    why = j->elf->riscv ? riscv_cause(status) : cortex_m_cause(status);
  return err_internal(
      e, "the program ended with a fault on %s, in %s (pc 0x%x, status 0x%x, address 0x%x)%s",
      j->machine, where, (unsigned)pc, (unsigned)status, (unsigned)address, why);
}

static bool check_end(struct arena *a, const struct job *j, const struct process_result *r,
                      struct err *e) {
  if (r->timed_out)
    return err_set(e, "no end within %d s on %s", j->options->timeout_s, j->machine);
  switch (r->exit_code) {
  case 0: return true;
  case EXIT_FAULT: return describe_fault(a, j, r->err, e);
  case EXIT_UNALIGNED: return err_internal(e, "on %s: %.200s", j->machine, r->err);
  case EXIT_ARENA: return err_internal(e, "the program wrote beside its arena on %s", j->machine);
  case EXIT_OPEN: return err_internal(e, "the program refuses its own plan on %s", j->machine);
  case EXIT_SHORT:
    return err_set(e, "the program wants more input than %zu bytes an inference",
                   j->options->input_bytes);
  case EXIT_NO_INPUT:
  case EXIT_WRITE: return err_set(e, "the program cannot read or write its files in %s", j->dir);
  default:
    return err_internal(e, "%s ended with exit code %d: %.600s", j->machine, r->exit_code, r->err);
  }
}

enum { MOST_WORDS = 32 };

/* The folder that a file lies in. */
static const char *folder_of(struct arena *a, const char *path) {
  char *folder = arena_strdup(a, path);
  *strrchr(folder, '/') = 0;
  return folder;
}

static bool start(struct arena *a, const struct job *j, struct err *e) {
  struct process_result r;
  const int timeout_s = j->options->timeout_s ? j->options->timeout_s : 900;
  if (!write_job(a, j, e)) return false;
  if (emulate_is_wasm(j->program->target)) {
    const char *runner = arena_printf(a, "%s/run.mjs", folder_of(a, j->program->elf));
    const char *const argv[] = {"node", runner, j->program->elf, NULL};
    return process_run(a, j->dir, argv, timeout_s, &r, e) && check_end(a, j, &r, e);
  }
  if (!*j->machine || !strcmp(j->machine, "host")) {
    const char *const argv[] = {j->program->elf, NULL};
    return process_run(a, j->dir, argv, timeout_s, &r, e) && check_end(a, j, &r, e);
  }
  if (j->elf->avr) {
    const char *words[8];
    return avr_command(a, j->elf, j->dir, j->machine, j->count, MARK_STEP + j->steps, words, e) &&
           process_run(a, j->dir, words, timeout_s, &r, e) && check_end(a, j, &r, e);
  }
  const char *argv[MOST_WORDS] = {j->program->target->emulator,
                                  "-M",
                                  j->machine,
                                  "-display",
                                  "none",
                                  "-monitor",
                                  "none",
                                  "-serial",
                                  "none",
                                  "-semihosting-config",
                                  "enable=on,target=native",
                                  "-kernel",
                                  j->program->elf};
  int n = 13;
  char *save, *flags = arena_strdup(a, j->program->target->emulator_flags);
  for (char *word = strtok_r(flags, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
    if (n == MOST_WORDS - 3)
      return err_internal(e, "too many flags of the emulator: %s",
                          j->program->target->emulator_flags);
    argv[n++] = word;
  }
  if (j->count) {
    const char *plugin;
    if (!build_plugin(a, &plugin, e)) return false;
    const struct elf_symbol *low = elf_find_symbol(j->elf, "text_low");
    const struct elf_symbol *high = elf_find_symbol(j->elf, "text_high");
    const struct elf_symbol *marks = elf_find_symbol(j->elf, "port_marks");
    if (!low || !high || !marks)
      return err_set(e, "%s was not built with the harness", j->program->elf);
    argv[n++] = "-plugin";
    argv[n++] =
        arena_printf(a, "%s,low=0x%x,high=0x%x,marks=0x%x,buckets=%d,aligned=%d,out=mote.counts",
                     plugin, (unsigned)low->address, (unsigned)high->address,
                     (unsigned)marks->address, MARK_STEP + j->steps, j->elf->riscv);
  }
  argv[n] = NULL;
  return process_run(a, j->dir, argv, timeout_s, &r, e) && check_end(a, j, &r, e);
}

/* ---- outputs ------------------------------------------------------------------ */

static bool read_outputs(struct arena *a, const struct job *j, struct emulate_result *r,
                         struct err *e) {
  uint8_t *bytes;
  size_t n;
  if (!file_read(a, arena_printf(a, "%s/mote.out", j->dir), (size_t)1 << 30, &bytes, &n, e))
    return false;
  const size_t count = (size_t)j->options->count;
  if (n < 8 || (n - 8) % count)
    return err_internal(e, "the program wrote %zu bytes of output for %zu inferences", n, count);
  r->outputs = bytes;
  r->output_bytes = (n - 8) / count;
  const int64_t features = u32(bytes + n - 8), network = u32(bytes + n - 4);
  r->stack_bytes = features > network ? features : network;
  return true;
}

static bool read_rows(struct arena *a, const struct job *j, struct emulate_result *r,
                      struct err *e) {
  uint8_t *bytes;
  size_t n, at = 0;
  int count = 0;
  if (!file_read(a, arena_printf(a, "%s/mote.rows", j->dir), (size_t)1 << 30, &bytes, &n, e))
    return false;
  for (size_t p = 0; p + 20 <= n; p += 20 + u32(bytes + p + 16)) count++;
  r->rows = ARENA_ARRAY(a, struct emulate_rows, count + 1);
  while (at + 20 <= n) {
    struct emulate_rows *row = &r->rows[r->n_rows++];
    row->step = (int)u32(bytes + at);
    row->output = (int)u32(bytes + at + 4);
    row->first = u32(bytes + at + 8);
    row->made = u32(bytes + at + 12);
    row->size = u32(bytes + at + 16);
    row->bytes = bytes + at + 20;
    if (row->size > n - at - 20) return err_internal(e, "the rows of the tap end early");
    at += 20 + row->size;
  }
  return true;
}

/* ---- counts -------------------------------------------------------------------- */

struct counts {
  const uint64_t *executed, *taken; /* [slots] of one bucket */
};

struct counted {
  uint32_t low, slots;
  int buckets;
  const uint8_t *bytes;     /* the file */
  bool cycles;              /* it holds cycles where others have branches taken */
  const struct thumb *code; /* [slots] */
};

static struct counts bucket(const struct counted *c, int b) {
  const uint64_t *words = (const uint64_t *)(const void *)(c->bytes + 16);
  words += (size_t)b * 2 * c->slots;
  return (struct counts){words, words + c->slots};
}

static void add_slot(struct emulate_count *to, const struct thumb *t, double executed,
                     double taken) {
  to->instructions += (int64_t)executed;
  to->by_class[t->class] += (int64_t)executed;
  if (t->class == EMULATE_BRANCH)
    to->branches_taken += (int64_t)taken;
  else
    taken = 0;
  to->cycles_low += executed * t->low + taken * t->taken_low;
  to->cycles += executed * t->typical + taken * t->taken;
  to->cycles_high += executed * t->high + taken * t->taken_high;
}

/* As add_slot, of an AVR: its cycles are counted. A branch that is taken is one that took longer. */
static void add_slot_of_cycles(struct emulate_count *to, const struct thumb *t, double executed,
                               double cycles) {
  to->instructions += (int64_t)executed;
  to->by_class[t->class] += (int64_t)executed;
  if (t->class == EMULATE_BRANCH)
    to->branches_taken += (int64_t)(t->taken > 0 ? cycles - executed : executed);
  to->cycles_low += cycles;
  to->cycles += cycles;
  to->cycles_high += cycles;
}

static void add_bucket(struct emulate_count *to, const struct counted *c, int b, uint32_t from,
                       uint32_t end) {
  const struct counts n = bucket(c, b);
  for (uint32_t i = from; i < end && i < c->slots; i++)
    if (n.executed[i])
      (c->cycles ? add_slot_of_cycles : add_slot)(to, &c->code[i], (double)n.executed[i],
                                                  (double)n.taken[i]);
}

static int64_t per(int64_t sum, int count) { return (sum + count / 2) / count; }
static void divide(struct emulate_count *c, int count) {
  c->instructions = per(c->instructions, count);
  c->branches_taken = per(c->branches_taken, count);
  for (int i = 0; i < EMULATE_CLASS_COUNT; i++) c->by_class[i] = per(c->by_class[i], count);
  c->cycles_low /= count;
  c->cycles /= count;
  c->cycles_high /= count;
}

/* Decodes the counted range, in the order of the program's text. */
static const struct thumb *decode(struct arena *a, const struct elf *elf,
                                  const struct elf_section *s, uint32_t slots,
                                  enum emulate_core core) {
  struct thumb *code = ARENA_ARRAY(a, struct thumb, slots + 1);
  static const struct thumb none;
  const struct thumb *before = &none;
  for (uint32_t i = 0; i < slots;) {
    const uint8_t *at = s->bytes + 2 * i;
    const size_t left = s->size - 2 * i;
    code[i] = elf->avr     ? avr_decode(at, left)
              : elf->riscv ? rv32_decode(at, left, core)
                           : thumb_decode(at, left, core);
    if (!elf->riscv && !elf->avr) thumb_follow(before, core, &code[i]);
    before = &code[i];
    i += (uint32_t)code[i].size / 2;
  }
  return code;
}

static int by_instructions(const void *x, const void *y) {
  const struct emulate_function *a = x, *b = y;
  if (a->count.instructions != b->count.instructions)
    return a->count.instructions > b->count.instructions ? -1 : 1;
  return strcmp(a->name, b->name);
}

static void add_functions(struct arena *a, const struct job *j, const struct counted *c,
                          struct emulate_result *r) {
  r->functions = ARENA_ARRAY(a, struct emulate_function, j->elf->n_symbols + 1);
  uint32_t last = UINT32_MAX;
  for (int i = 0; i < j->elf->n_symbols; i++) {
    const struct elf_symbol *s = &j->elf->symbols[i];
    if (!s->function || s->address < c->low || s->address >= c->low + 2 * c->slots ||
        s->address == last)
      continue;
    last = s->address;
    struct emulate_function *f = &r->functions[r->n_functions];
    *f = (struct emulate_function){.name = s->name};
    const uint32_t from = (s->address - c->low) / 2, end = from + (s->size + 1) / 2;
    add_bucket(&f->count, c, MARK_FEATURES, from, end);
    add_bucket(&f->count, c, MARK_NETWORK, from, end);
    if (f->count.instructions) r->n_functions++;
  }
  qsort(r->functions, (size_t)r->n_functions, sizeof *r->functions, by_instructions);
}

static bool read_counts(struct arena *a, const struct job *j, struct emulate_result *r,
                        struct err *e) {
  struct counted c = {0};
  uint8_t *bytes;
  size_t n;
  const struct elf_section *text = elf_find_section(j->elf, ".text");
  if (!file_read(a, arena_printf(a, "%s/mote.counts", j->dir), (size_t)2 << 30, &bytes, &n, e))
    return false;
  if (n < 16 || !text || !text->bytes) return err_internal(e, "the counting plugin wrote nothing");
  c.bytes = bytes;
  c.low = u32(bytes);
  c.slots = (u32(bytes + 4) - c.low) / 2;
  c.buckets = (int)u32(bytes + 8);
  if (c.low != text->address || 2 * c.slots > text->size || c.buckets != MARK_STEP + j->steps ||
      n != 16 + (size_t)c.buckets * c.slots * 16)
    return err_internal(e, "the counting plugin wrote %zu bytes that do not fit the program", n);
  c.cycles = j->elf->avr;
  c.code = decode(a, j->elf, text, c.slots, j->program->target->core);
  add_bucket(&r->features, &c, MARK_FEATURES, 0, c.slots);
  add_bucket(&r->network, &c, MARK_NETWORK, 0, c.slots);
  divide(&r->features, j->options->count);
  divide(&r->network, j->options->count);
  r->n_steps = j->steps;
  r->steps = ARENA_ARRAY(a, struct emulate_count, j->steps + 1);
  for (int i = 0; i < j->steps; i++) add_bucket(&r->steps[i], &c, MARK_STEP + i, 0, c.slots);
  add_functions(a, j, &c, r);
  r->counted = true;
  return true;
}

/* ---- the whole ------------------------------------------------------------------ */

/* QEMU's microbit: 256 KiB of flash at 0, 16 KiB of RAM at 0x20000000. */
static bool fits_small(const struct elf *elf) {
  if (elf->avr) return avr_fits_small(elf);
  for (int i = 1; i < elf->n_sections; i++) {
    const struct elf_section *s = &elf->sections[i];
    const uint64_t end = (uint64_t)s->address + s->size;
    if (!s->address && strcmp(s->name, ".start")) continue; /* not loaded */
    if (s->address < 0x20000000u ? end > (256u << 10) : end > 0x20000000u + (16u << 10))
      return false;
  }
  return true;
}

/* The same program on the core itself: the outputs must be the same. */
static bool run_small(struct arena *a, struct job *j, struct emulate_result *r, struct err *e) {
  struct emulate_result again = {0};
  const char *machine = j->machine;
  j->machine = j->program->target->small_machine;
  j->count = false;
  j->steps = 0;
  if (!start(a, j, e) || !read_outputs(a, j, &again, e)) return false;
  if (again.output_bytes != r->output_bytes ||
      memcmp(again.outputs, r->outputs, r->output_bytes * (size_t)r->count))
    return err_internal(e, "the outputs on %s differ from those on %s", j->machine, machine);
  r->small_machine = j->machine;
  return true;
}

static bool run_in(struct arena *a, struct job *j, struct emulate_result *r, struct err *e) {
  if (!start(a, j, e) || !read_outputs(a, j, r, e)) return false;
  if (j->options->layers && j->steps && !read_rows(a, j, r, e)) return false;
  if (j->count && !read_counts(a, j, r, e)) return false;
  if (j->elf && *j->program->target->small_machine && fits_small(j->elf))
    return run_small(a, j, r, e);
  return true;
}

bool emulate_run(struct arena *a, const struct emulate_program *program,
                 const struct emulate_options *options, struct emulate_result *result,
                 struct err *e) {
  const struct emulate_target *target = program->target;
  struct elf elf;
  struct job j = {.program = program,
                  .options = options,
                  .machine = *target->machine          ? target->machine
                             : emulate_is_wasm(target) ? "node"
                                                       : "host",
                  .steps = options->steps,
                  .count = options->count_instructions && *target->machine};
  *result = (struct emulate_result){.count = options->count, .machine = j.machine};
  if (options->count < 1 || options->steps < 0 || options->steps > MAX_STEPS)
    return err_set(e, "cannot run %d inferences with %d steps (at most %d steps)", options->count,
                   options->steps, MAX_STEPS);
  if (!emulate_can_run(target))
    return err_set(
        e,
        "no %s or no C compiler on this machine, which run programs for %s; install them with: apt "
        "install %s build-essential",
        target->emulator, target->name,
        text_ends(target->emulator, "arm")   ? "qemu-system-arm"
        : text_ends(target->emulator, "avr") ? "libsimavr-dev"
                                             : "qemu-system-misc");
  char *elf_path = realpath(program->elf, NULL);
  if (!elf_path) return err_set(e, "no program at %s", program->elf);
  struct emulate_program absolute = *program;
  absolute.elf = arena_strdup(a, elf_path);
  free(elf_path);
  j.program = &absolute;
  if (*target->machine) {
    if (!elf_read(a, absolute.elf, &elf, e)) return false;
    j.elf = &elf;
  }
  if (!dir_temporary(a, &j.dir, e)) return false;
  const bool ok = run_in(a, &j, result, e);
  dir_remove(j.dir);
  return ok;
}
