/* emulate: a small program with known counts goes all the way: project, build, run, counts, layers, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/emulate/private.h"
#include "test/chip_headers.h"

/* "model.c" of the tests: on a chip every instruction is written down, so the counts are known. */
static const char model[] =
    "#include \"work.h\"\n"
    "const int32_t work_table[64] = {1, 2, 3};\n"
    "#if defined(__arm__)\n"
    "__attribute__((naked)) int32_t work_sum(const uint8_t *x, uint32_t n) {\n"
    "  __asm__(\".syntax unified\\n push {r4, r5, lr}\\n ldr r5, =work_table\\n movs r2, #0\\n\"\n"
    "          \"1: ldrb r3, [r0]\\n ldr r4, [r5]\\n muls r3, r4, r3\\n adds r2, r2, r3\\n\"\n"
    "          \"adds r0, #1\\n adds r5, #4\\n subs r1, #1\\n bne 1b\\n\"\n"
    "          \"movs r0, r2\\n pop {r4, r5, pc}\\n .ltorg\");\n"
    "}\n"
    "#elif defined(__riscv)\n"
    "int32_t work_word(const uint8_t *at) { return *(const volatile int32_t *)(uintptr_t)at; }\n"
    "__attribute__((naked)) int32_t work_sum(const uint8_t *x, uint32_t n) {\n"
    "  __asm__(\"lui a4, %hi(work_table)\\n addi a4, a4, %lo(work_table)\\n li a2, 0\\n\"\n"
    "          \"1: lbu a3, 0(a0)\\n lw a5, 0(a4)\\n mul a3, a3, a5\\n add a2, a2, a3\\n\"\n"
    "          \"addi a0, a0, 1\\n addi a4, a4, 4\\n addi a1, a1, -1\\n bnez a1, 1b\\n\"\n"
    "          \"mv a0, a2\\n ret\");\n"
    "}\n"
    "#else\n"
    "int32_t work_sum(const uint8_t *x, uint32_t n) {\n"
    "  int32_t s = 0;\n"
    "  for (uint32_t i = 0; i < n; i++) s += x[i] * work_table[i & 63];\n"
    "  return s;\n"
    "}\n"
    "#endif\n";
static const char work_h[] =
    "#include <stdint.h>\nint32_t work_sum(const uint8_t *x, uint32_t n);\n"
    "int32_t work_word(const uint8_t *at);\n";

/* %s: statements in front of the sum. The "plan" that the tap sees has one step with one tensor. */
static const char program[] =
    "#include \"firmware/harness/program.h\"\n#include \"work.h\"\n"
    "static uint8_t in[64] __attribute__((aligned(4)));\nstatic int32_t out;\n"
    "static struct { struct mote_plan plan; struct mote_step step; struct mote_tensor tensor; } "
    "p;\n"
    "static struct mote_model m;\n"
    "int program_open(void) { p.plan.steps = sizeof p.plan; p.plan.tensors = sizeof p.plan + "
    "sizeof p.step;\n"
    "  p.tensor.row_bytes = 4; m.plan = &p.plan; return 0; }\n"
    "void *program_input(unsigned i, uint32_t *n) { *n = sizeof in; return i ? 0 : in; }\n"
    "const void *program_output(unsigned i, uint32_t *n) { *n = 4; return i ? 0 : &out; }\n"
    "void program_features(void) {}\n"
    "void program_network(void) { %s out = work_sum(in, sizeof in);\n"
    "  if (m.hook) m.hook(m.hook_context, m.plan, 0, 0, 1, &out); }\n"
    "struct mote_model *program_model(void) { return &m; }\n"
    "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n";

struct fixture {
  struct arena *arena;
  char *dir;
  const struct emulate_target *target;
  struct emulate_program program;
  struct err err;
};

static bool tools(const char *target) {
  struct arena *a = arena_new(0);
  const struct emulate_target *t;
  struct err e = {0};
  const bool ok =
      emulate_find_target(a, target, &t, &e) && emulate_can_build(t) && emulate_can_run(t);
  arena_free(a);
  return ok;
}

static bool build(struct fixture *f, const char *target, const char *work) {
  char text[4096];
  *f = (struct fixture){.arena = arena_new(0)};
  assert_true(emulate_find_target(f->arena, target, &f->target, &f->err));
  assert_true(dir_temporary(f->arena, &f->dir, &f->err));
  const char *files[64];
  const int n_files = chip_headers(f->arena, files, 0, 64);
  assert_true(n_files > 0);
  assert_true(emulate_project(f->arena, f->dir, "test", "model", f->target, files, n_files, NULL, 0,
                              0, &f->err));
  const int n = snprintf(text, sizeof text, program, work);
  assert_true(file_write(arena_printf(f->arena, "%s/program.c", f->dir), text, (size_t)n, &f->err));
  assert_true(
      file_write(arena_printf(f->arena, "%s/model.c", f->dir), model, strlen(model), &f->err));
  assert_true(
      file_write(arena_printf(f->arena, "%s/work.h", f->dir), work_h, strlen(work_h), &f->err));
  return emulate_build(f->arena, f->dir, f->target, &f->program, &f->err);
}

static void end(struct fixture *f) {
  dir_remove(f->dir);
  arena_free(f->arena);
}

static bool run(struct fixture *f, int count, struct emulate_result *r) {
  uint8_t *in = ARENA_ARRAY(f->arena, uint8_t, 64 * count);
  for (int i = 0; i < 64 * count; i++) in[i] = (uint8_t)(i / 64 + 1);
  const struct emulate_options o = {.inputs = in,
                                    .input_bytes = 64,
                                    .count = count,
                                    .steps = 1,
                                    .layers = true,
                                    .count_instructions = true,
                                    .timeout_s = 60};
  return emulate_run(f->arena, &f->program, &o, r, &f->err);
}

static int32_t word(const uint8_t *p) {
  int32_t x;
  memcpy(&x, p, 4);
  return x;
}

/* What the sum takes, by the tables of docs/estimates.md. */
static double cycles_of(enum emulate_core core) {
  /* Cortex-M4: push 4, load 2, 1; a turn 2 + 1 + 6, 63 of them 2 more; 1, pop 4 + 2. */
  const double m4 = 4 + 2 + 1 + 64 * 9 + 63 * 2 + 1 + 6;
  switch (core) {
  /* push 4, load 2, 1; a turn 2 + 2 + 6, 63 of them 1 more; 1, pop 5 */
  case EMULATE_CORE_M0PLUS: return 4 + 2 + 1 + 64 * 10 + 63 + 1 + 5;
  case EMULATE_CORE_M3:
  case EMULATE_CORE_M4: return m4;
  case EMULATE_CORE_M7: return 0.58 * m4;
  case EMULATE_CORE_M33: return 0.84 * m4;
  case EMULATE_CORE_M55: return 0.80 * m4;
  /* 3; a turn 1.5 + 1.5 + 6, 63 of them 2 more; 1, return 1 + 2 */
  case EMULATE_CORE_RV32: return 3 + 64 * 9 + 63 * 2 + 1 + 3;
  default: return 0;
  }
}

/* An AVR's cycles are counted: the data sheet gives 1 to each of these, 2 to LD, BRNE that is taken, and 4 to RET. */
static void avr_runs_and_counts(void **state) {
  static const char kernel[] =
      "#include <stdint.h>\nuint16_t work_sum(const uint8_t *x, uint8_t n);\n"
      "__attribute__((naked)) uint16_t work_sum(const uint8_t *x, uint8_t n) {\n"
      "  __asm__(\"movw r30, r24\\n clr r24\\n clr r25\\n\"\n"
      "          \"1: ld r0, Z+\\n add r24, r0\\n adc r25, r1\\n dec r22\\n brne 1b\\n ret\");\n"
      "}\n";
  static const char around[] =
      "#include \"firmware/harness/program.h\"\n"
      "static uint8_t in[64]; static uint16_t out; static struct mote_model m;\n"
      "uint16_t work_sum(const uint8_t *x, uint8_t n);\n"
      "int program_open(void) { return 0; }\n"
      "void *program_input(unsigned i, uint32_t *n) { *n = sizeof in; return i ? 0 : in; }\n"
      "const void *program_output(unsigned i, uint32_t *n) { *n = 2; return i ? 0 : &out; }\n"
      "void program_features(void) {}\n"
      "void program_network(void) { out = work_sum(in, sizeof in); }\n"
      "struct mote_model *program_model(void) { return &m; }\n"
      "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n";
  struct fixture f;
  struct emulate_result r;
  const struct emulate_function *sum = NULL;
  uint8_t in[64];
  (void)state;
  if (!tools("avr")) skip();
  f = (struct fixture){.arena = arena_new(0)};
  const char *files[64];
  const int n_files = chip_headers(f.arena, files, 0, 64);
  assert_true(emulate_find_target(f.arena, "avr", &f.target, &f.err));
  assert_true(dir_temporary(f.arena, &f.dir, &f.err));
  assert_true(emulate_project(f.arena, f.dir, "test", "model", f.target, files, n_files, NULL, 0, 0,
                              &f.err));
  assert_true(
      file_write(arena_printf(f.arena, "%s/program.c", f.dir), around, strlen(around), &f.err));
  assert_true(
      file_write(arena_printf(f.arena, "%s/model.c", f.dir), kernel, strlen(kernel), &f.err));
  if (!emulate_build(f.arena, f.dir, f.target, &f.program, &f.err)) fail_msg("%s", f.err.text);
  for (int i = 0; i < 64; i++) in[i] = (uint8_t)i;
  const struct emulate_options o = {
      .inputs = in, .input_bytes = 64, .count = 1, .count_instructions = true, .timeout_s = 60};
  if (!emulate_run(f.arena, &f.program, &o, &r, &f.err)) fail_msg("%s", f.err.text);
  assert_int_equal(r.outputs[0] | r.outputs[1] << 8, 63 * 64 / 2);
  assert_string_equal(r.small_machine, "atmega328p");
  for (int i = 0; i < r.n_functions; i++)
    if (!strcmp(r.functions[i].name, "work_sum")) sum = &r.functions[i];
  assert_non_null(sum);
  assert_int_equal(sum->count.instructions, 3 + 5 * 64 + 1);
  assert_int_equal(sum->count.by_class[EMULATE_LOAD], 64);
  assert_int_equal(sum->count.branches_taken, 63 + 1);
  assert_true(sum->count.cycles == 3 + 64 * 7 - 1 + 4);
  end(&f);
}

/* Outputs, counts and the tap's rows on one target. */
static void runs_and_counts(const char *target, bool counted) {
  struct fixture f;
  struct emulate_result r, again;
  if (!tools(target)) skip();
  if (!build(&f, target, "")) fail_msg("%s", f.err.text);
  if (!run(&f, 3, &r)) fail_msg("%s", f.err.text);
  assert_int_equal(r.output_bytes, 4);
  for (int i = 0; i < 3; i++) assert_int_equal(word(r.outputs + 4 * i), 6 * (i + 1));
  assert_int_equal(r.n_rows, 1);
  assert_int_equal(r.rows[0].step, 0);
  assert_int_equal(r.rows[0].size, 4);
  assert_int_equal(word(r.rows[0].bytes), 6);
  assert_int_equal(r.counted, counted);
  if (counted) {
    /* 64 turns of 8 instructions, 3 before, 2 behind; on Arm a push and a constant among them. */
    const int arm = !text_starts(target, "rv32");
    assert_int_equal(r.network.instructions, 64 * 8 + 5);
    assert_int_equal(r.network.by_class[EMULATE_LOAD], 64 * 2 + arm);
    assert_int_equal(r.network.by_class[EMULATE_STORE], arm);
    assert_int_equal(r.network.by_class[EMULATE_MULTIPLY], 64);
    assert_int_equal(r.network.by_class[EMULATE_BRANCH], 65);
    assert_int_equal(r.network.branches_taken, 64);
    const double cycles = cycles_of(f.target->core);
    assert_true(r.network.cycles > cycles - 0.01 && r.network.cycles < cycles + 0.01);
    assert_int_equal(r.features.instructions, 0);
    assert_int_equal(r.steps[0].instructions, r.network.instructions);
    assert_string_equal(r.functions[0].name, "work_sum");
    assert_int_equal(r.functions[0].count.instructions, 3 * r.network.instructions);
    assert_true(r.network.cycles_low <= r.network.cycles &&
                r.network.cycles <= r.network.cycles_high);
    assert_true(r.network.cycles_low > 0.4 * (double)r.network.instructions);
    assert_in_range(f.program.size.flash_plan, 256, 260);
    /* RISC-V: lui, addi, lbu and mul are of four bytes. */
    assert_int_equal(f.program.size.flash_code, arm ? 2 * 13 + 2 + 4 : 2 * 13 + 2 * 4 + 2);
    assert_true(r.stack_bytes < 200);
    if (!run(&f, 3, &again)) fail_msg("%s", f.err.text);
    assert_int_equal(again.network.instructions, r.network.instructions);
    assert_memory_equal(&again.network, &r.network, sizeof r.network);
    if (*f.target->small_machine) assert_string_equal(r.small_machine, f.target->small_machine);
  }
  end(&f);
}
static void m4_runs_and_counts(void **state) {
  (void)state;
  runs_and_counts("cortex-m4", true);
}
static void m0plus_runs_and_counts_on_two_machines(void **state) {
  (void)state;
  runs_and_counts("cortex-m0plus", true);
}
static void m55_runs_and_counts(void **state) {
  (void)state;
  runs_and_counts("cortex-m55", true);
}
static void rv32imc_runs_and_counts(void **state) {
  (void)state;
  runs_and_counts("rv32imc", true);
}
static void further_cores_run_and_count(void **state) {
  (void)state;
  runs_and_counts("cortex-m3", true);
  runs_and_counts("cortex-m7", true);
  runs_and_counts("cortex-m33", true);
}
static void host_runs(void **state) {
  (void)state;
  runs_and_counts("host", false);
}

static void stack_is_measured(void **state) {
  struct fixture f;
  struct emulate_result r;
  (void)state;
  if (!tools("cortex-m4")) skip();
  if (!build(&f, "cortex-m4", "volatile uint8_t deep[1000]; deep[0] = 1;"))
    fail_msg("%s", f.err.text);
  if (!run(&f, 1, &r)) fail_msg("%s", f.err.text);
  /* An array's untouched end is not seen; what is touched lies deepest. */
  assert_in_range(r.stack_bytes, 1000, 1064);
  end(&f);
}

/* The work must fail with `words` in the error. */
static void faults(const char *target, const char *work, const char *words) {
  struct fixture f;
  struct emulate_result r;
  if (!tools(target)) skip();
  if (!build(&f, target, work)) fail_msg("%s", f.err.text);
  assert_false(run(&f, 1, &r));
  if (!strstr(f.err.text, words)) fail_msg("got: %s", f.err.text);
  end(&f);
}
static void unaligned_access_traps(void **state) {
  (void)state;
  const char *work = "volatile uintptr_t at = (uintptr_t)in + 1; *(volatile uint32_t *)at = 5;";
  faults("cortex-m0plus", work, "fault");
}
static void stack_overflow_is_named(void **state) {
  (void)state;
  faults("cortex-m4", "volatile uint8_t deep[6000]; deep[0] = 1;", "stack overflow");
}
static void absent_memory_is_named(void **state) {
  (void)state;
  faults("cortex-m4", "out = *(volatile int32_t *)0xA0000000u;", "fault");
}
/* One byte in front of the arena, or behind it, is noticed. */
static void writes_beside_the_arena_are_named(void **state) {
  (void)state;
  faults("cortex-m4", "extern uint8_t arena_low[]; *(volatile uint8_t *)(arena_low - 1) = 0;",
         "beside its arena");
  faults("cortex-m0plus", "extern uint8_t arena_high[]; *(volatile uint8_t *)arena_high = 0;",
         "beside its arena");
}
static void m55_faults_are_named(void **state) {
  (void)state;
  faults("cortex-m55", "volatile uint8_t deep[6000]; deep[0] = 1;", "stack overflow");
  faults("cortex-m55", "out = *(volatile int32_t *)0x05000000u;", "fault");
}

/* Absent memory and flash, the stack, the chip's instructions, alignment: each ends the program. */
static void rv32imc_faults_are_named(void **state) {
  (void)state;
  faults("rv32imc", "volatile uint8_t deep[6000]; deep[0] = 1;", "stack overflow");
  faults("rv32imc", "out = *(volatile int32_t *)0x05000000u;", "no memory at the address");
  faults("rv32imc", "extern uint8_t text_low[]; *(volatile uint8_t *)text_low = 0;",
         "no memory to write to");
  faults("rv32imc", "__asm__ volatile(\".option arch, +f\\n\\tfmv.w.x fa0, zero\");",
         "an instruction that the core does not have");
  faults("rv32imc", "out = work_word(in + 1);", "unaligned access: 4 bytes");
  faults("rv32imc", "extern uint8_t arena_low[]; *(volatile uint8_t *)(arena_low - 1) = 0;",
         "beside its arena");
}

/* The smallest normal number halved is a subnormal, doubled again it is whole; a unit that flushes gives 0. */
static void floats_keep_subnormal_numbers(void **state) {
  (void)state;
  static const char *const targets[] = {"cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"};
  static const char work[] =
      "volatile float x = 0x1p-126f; x = x / 2; x = x * 2; if (x != 0x1p-126f) in[0] = 200;";
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
    struct fixture f;
    struct emulate_result r;
    if (!tools(targets[i])) skip();
    if (!build(&f, targets[i], work)) fail_msg("%s", f.err.text);
    if (!run(&f, 1, &r)) fail_msg("%s", f.err.text);
    assert_int_equal(word(r.outputs), 6);
    end(&f);
  }
}

static void armv7_instructions_are_refused_for_m0plus(void **state) {
  struct fixture f;
  (void)state;
  if (!tools("cortex-m0plus")) skip();
  assert_false(build(
      &f, "cortex-m0plus",
      "__asm__ volatile(\".arch armv7-m\\n\\tsdiv r0, r0, r0\\n\\t.arch armv6s-m\" ::: \"r0\");"));
  if (!strstr(f.err.text, "ARMv6-M lacks")) fail_msg("got: %s", f.err.text);
  end(&f);
}

/* The assembler's words become bytes. */
static const uint8_t *assembled(struct arena *a, const char *arch, const char *const *lines, int n,
                                size_t *size) {
  struct process_result r;
  struct err e = {0};
  struct text source;
  char *dir;
  uint8_t *bytes;
  assert_true(dir_temporary(a, &dir, &e));
  const char *in = arena_printf(a, "%s/a.s", dir), *object = arena_printf(a, "%s/a.o", dir),
             *out = arena_printf(a, "%s/a.bin", dir);
  text_init(&source, a);
  text_printf(&source, ".syntax unified\n.arch %s\n.thumb\n", arch);
  for (int i = 0; i < n; i++) text_printf(&source, "%s\n", lines[i]);
  assert_true(file_write(in, source.data, source.size, &e));
  const char *const as[] = {"arm-none-eabi-as", in, "-o", object, NULL};
  const char *const copy[] = {
      "arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", object, out, NULL};
  assert_true(process_run(a, NULL, as, 60, &r, &e));
  if (r.exit_code) fail_msg("%s", r.err);
  assert_true(process_run(a, NULL, copy, 60, &r, &e));
  assert_true(file_read(a, out, 1 << 20, &bytes, size, &e));
  dir_remove(dir);
  return bytes;
}

/* Each instruction must be, or not be, one of ARMv6-M's. */
static void decoded(const char *arch, const char *const *lines, int n, bool armv6m) {
  struct arena *a = arena_new(0);
  size_t size, at = 0;
  const uint8_t *bytes = assembled(a, arch, lines, n, &size);
  for (int i = 0; i < n; i++) {
    assert_true(at + 2 <= size);
    const struct thumb t = thumb_decode(bytes + at, size - at, EMULATE_CORE_M0PLUS);
    if (t.armv6m != armv6m)
      fail_msg("%s: taken as %s", lines[i], t.armv6m ? "ARMv6-M" : "beyond it");
    at += (size_t)t.size;
  }
  assert_true(size - at <
              4); /* padding: every instruction had the length that the assembler gave it */
  arena_free(a);
}

static void armv6m_is_told_from_what_lies_beyond(void **state) {
  (void)state;
  static const char *const has[] = {"lsls r0, r1, #3",
                                    "lsrs r0, r1, #3",
                                    "asrs r0, r1, #3",
                                    "adds r0, r1, r2",
                                    "subs r0, r1, #7",
                                    "movs r0, #255",
                                    "cmp r0, #1",
                                    "adds r0, #255",
                                    "subs r0, #1",
                                    "ands r0, r1",
                                    "eors r0, r1",
                                    "lsls r0, r1",
                                    "lsrs r0, r1",
                                    "asrs r0, r1",
                                    "adcs r0, r1",
                                    "sbcs r0, r1",
                                    "rors r0, r1",
                                    "tst r0, r1",
                                    "rsbs r0, r1, #0",
                                    "cmp r0, r1",
                                    "cmn r0, r1",
                                    "orrs r0, r1",
                                    "muls r0, r1, r0",
                                    "bics r0, r1",
                                    "mvns r0, r1",
                                    "add r8, r1",
                                    "cmp r8, r1",
                                    "mov r8, r1",
                                    "bx lr",
                                    "blx r3",
                                    "ldr r0, [pc, #4]",
                                    "str r0, [r1, r2]",
                                    "strh r0, [r1, r2]",
                                    "strb r0, [r1, r2]",
                                    "ldrsb r0, [r1, r2]",
                                    "ldr r0, [r1, r2]",
                                    "ldrh r0, [r1, r2]",
                                    "ldrb r0, [r1, r2]",
                                    "ldrsh r0, [r1, r2]",
                                    "str r0, [r1, #4]",
                                    "ldr r0, [r1, #4]",
                                    "strb r0, [r1, #4]",
                                    "ldrb r0, [r1, #4]",
                                    "strh r0, [r1, #4]",
                                    "ldrh r0, [r1, #4]",
                                    "str r0, [sp, #4]",
                                    "ldr r0, [sp, #4]",
                                    "add r0, sp, #4",
                                    "add sp, #8",
                                    "sub sp, #8",
                                    "sxth r0, r1",
                                    "sxtb r0, r1",
                                    "uxth r0, r1",
                                    "uxtb r0, r1",
                                    "push {r0, lr}",
                                    "pop {r0, pc}",
                                    "cpsid i",
                                    "cpsie i",
                                    "rev r0, r1",
                                    "rev16 r0, r1",
                                    "revsh r0, r1",
                                    "bkpt #0xab",
                                    "nop",
                                    "yield",
                                    "wfe",
                                    "wfi",
                                    "sev",
                                    "stmia r0!, {r1, r2}",
                                    "ldmia r0!, {r1, r2}",
                                    "1: beq 1b",
                                    "udf #1",
                                    "svc #1",
                                    "2: b 2b",
                                    "bl 2b",
                                    "msr primask, r0",
                                    "mrs r0, primask",
                                    "dsb",
                                    "dmb",
                                    "isb"};
  static const char *const lacks[] = {"cbz r0, 1f",
                                      "cbnz r0, 1f",
                                      "cpsie f",
                                      "cpsid f",
                                      "adds.w r8, r1, r2",
                                      "add.w r0, r1, #5",
                                      "addw r0, r1, #5",
                                      "1: movw r0, #5",
                                      "movt r0, #5",
                                      "mov.w r0, #5",
                                      "and.w r0, r1, r2",
                                      "sdiv r0, r1, r2",
                                      "udiv r0, r1, r2",
                                      "mul r8, r1, r2",
                                      "mla r0, r1, r2, r3",
                                      "mls r0, r1, r2, r3",
                                      "smull r0, r1, r2, r3",
                                      "umull r0, r1, r2, r3",
                                      "smlal r0, r1, r2, r3",
                                      "ldr.w r0, [r1, #4]",
                                      "ldr r0, [r1], #4",
                                      "ldrd r0, r1, [r2]",
                                      "strd r0, r1, [r2]",
                                      "ldrsb.w r0, [r1, #4]",
                                      "str.w r8, [r1]",
                                      "ldm.w r0, {r1, r8}",
                                      "stmdb r0!, {r1, r2}",
                                      "clz r0, r1",
                                      "rbit r0, r1",
                                      "bfi r0, r1, #1, #2",
                                      "ubfx r0, r1, #1, #2",
                                      "sbfx r0, r1, #1, #2",
                                      "ssat r0, #8, r1",
                                      "usat r0, #8, r1",
                                      "sxtb.w r8, r1",
                                      "rev.w r8, r1",
                                      "lsl.w r0, r1, r2",
                                      "tbb [r0, r1]",
                                      "b.w 1b",
                                      "beq.w 1b",
                                      "ldrex r0, [r1]",
                                      "clrex",
                                      "nop.w",
                                      "pld [r0]",
                                      "ssat16 r0, #8, r1",
                                      "smlad r0, r1, r2, r3",
                                      "sxtb16 r0, r1",
                                      "smmul r0, r1, r2",
                                      "pkhbt r0, r1, r2",
                                      "qadd r0, r1, r2",
                                      "tst.w r0, r1",
                                      "teq r0, r1",
                                      "orn r0, r1, r2",
                                      "adr.w r0, 1b"};
  if (!tools("cortex-m0plus")) skip();
  decoded("armv6s-m", has, sizeof has / sizeof *has, true);
  decoded("armv7e-m", lacks, sizeof lacks / sizeof *lacks, false);
  const uint8_t it[2] = {0x08, 0xBF}, bxns[2] = {0x74, 0x47};
  assert_false(thumb_decode(it, 2, EMULATE_CORE_M0PLUS).armv6m);
  assert_false(thumb_decode(bxns, 2, EMULATE_CORE_M0PLUS).armv6m);
}

/* Class and whether it is a vector of every kind of Helium instruction that a network's loops use. */
static void vectors_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *line;
    enum emulate_class class;
    bool vector;
  } cases[] = {{"vldrb.s8 q0, [r0]", EMULATE_LOAD, true},
               {"vldrb.s16 q0, [r0, #8]", EMULATE_LOAD, true},
               {"vldrb.s32 q0, [r0], #4", EMULATE_LOAD, true},
               {"vldrw.u32 q0, [r0]", EMULATE_LOAD, true},
               {"vldrb.u8 q0, [r0, q1]", EMULATE_LOAD, true},
               {"vstrb.8 q0, [r0]", EMULATE_STORE, true},
               {"vstrb.32 q0, [r0], #4", EMULATE_STORE, true},
               {"vstrw.32 q0, [r0, q2, uxtw #2]", EMULATE_STORE, true},
               {"vmladava.s8 r0, q0, q1", EMULATE_MULTIPLY, true},
               {"vmladavax.s8 r0, q0, q1", EMULATE_MULTIPLY, true},
               {"vmladava.s16 r0, q0, q1", EMULATE_MULTIPLY, true},
               {"vmladav.u8 r0, q0, q1", EMULATE_MULTIPLY, true},
               {"vmladav.s32 r0, q2, q3", EMULATE_MULTIPLY, true},
               {"vmlaldava.s16 r0, r1, q0, q1", EMULATE_MULTIPLY, true},
               {"vrmlaldavha.s32 r0, r1, q0, q1", EMULATE_MULTIPLY, true},
               {"vmla.s8 q0, q1, r0", EMULATE_MULTIPLY, true},
               {"vmul.i32 q0, q1, q2", EMULATE_MULTIPLY, true},
               {"vqrdmulh.s32 q0, q1, q2", EMULATE_MULTIPLY, true},
               {"vqrdmulh.s32 q0, q1, r2", EMULATE_MULTIPLY, true},
               {"vqdmulh.s32 q0, q1, q2", EMULATE_MULTIPLY, true},
               {"vrmulh.s32 q0, q1, q2", EMULATE_MULTIPLY, true},
               {"vmullb.s8 q0, q1, q2", EMULATE_MULTIPLY, true},
               {"vaddv.s32 r0, q0", EMULATE_OTHER, true},
               {"vaddva.s8 r0, q1", EMULATE_OTHER, true},
               {"vadd.i32 q0, q1, q2", EMULATE_OTHER, true},
               {"vadd.i32 q0, q1, r0", EMULATE_OTHER, true},
               {"vmax.s8 q0, q1, q2", EMULATE_OTHER, true},
               {"vrshl.s32 q0, q1, q2", EMULATE_OTHER, true},
               {"vqmovnb.s16 q0, q1", EMULATE_OTHER, true},
               {"vmovlb.s8 q0, q1", EMULATE_OTHER, true},
               {"vmov q0[2], q0[0], r0, r1", EMULATE_OTHER, true},
               {"vorr q0, q1, q2", EMULATE_OTHER, true},
               {"vadd.f32 s0, s1, s2", EMULATE_FLOAT, false},
               {"vldr s0, [r0]", EMULATE_LOAD, false},
               {"dlstp.8 lr, r0", EMULATE_BRANCH, false},
               {"1: letp lr, 1b", EMULATE_BRANCH, false},
               {"2: le lr, 2b", EMULATE_BRANCH, false},
               {"ldrd r0, r1, [r2]", EMULATE_LOAD, false},
               {"smlad r0, r1, r2, r3", EMULATE_MULTIPLY, false},
               {"3: bl 3b", EMULATE_BRANCH, false}};
  enum { N = sizeof cases / sizeof *cases };
  const char *lines[N];
  struct arena *a = arena_new(0);
  size_t size, at = 0;
  if (!process_exists("arm-none-eabi-as")) skip();
  for (int i = 0; i < N; i++) lines[i] = cases[i].line;
  const uint8_t *bytes =
      assembled(a, "armv8.1-m.main\n.arch_extension mve.fp\n.arch_extension fp", lines, N, &size);
  for (int i = 0; i < N; i++) {
    assert_true(at + 2 <= size);
    const struct thumb t = thumb_decode(bytes + at, size - at, EMULATE_CORE_M55);
    if (t.class != cases[i].class || t.vector != cases[i].vector)
      fail_msg("%s: taken as %s%s", cases[i].line, t.vector ? "vector " : "",
               emulate_class_name((int)t.class));
    at += (size_t)t.size;
  }
  arena_free(a);
}

static void compile_errors_are_shown(void **state) {
  struct fixture f;
  (void)state;
  if (!tools("cortex-m4")) skip();
  assert_false(build(&f, "cortex-m4", "this is not C;"));
  assert_non_null(strstr(f.err.text, "program.c"));
  end(&f);
}

/* What does not link since the chip has less memory is told apart from what does not compile. */
static void too_little_memory_is_told(void **state) {
  struct fixture f;
  (void)state;
  if (!tools("cortex-m4")) skip();
  assert_false(build(&f, "cortex-m4", "static volatile uint8_t huge[100 << 20]; huge[in[0]] = 1;"));
  assert_non_null(strstr(f.err.text, "does not fit into the memory of the emulated cortex-m4"));
  assert_true(f.program.too_large);
  end(&f);
  assert_false(build(&f, "cortex-m4", "this is not C;"));
  assert_false(f.program.too_large);
  end(&f);
}

static void every_prefix_of_an_elf_is_refused(void **state) {
  struct fixture f;
  struct emulate_program p;
  uint8_t *bytes;
  size_t n;
  (void)state;
  if (!tools("cortex-m4")) skip();
  if (!build(&f, "cortex-m4", "")) fail_msg("%s", f.err.text);
  assert_true(file_read(f.arena, f.program.elf, 1 << 24, &bytes, &n, &f.err));
  const char *path = arena_printf(f.arena, "%s/part.elf", f.dir);
  for (size_t k = 0; k < n; k += k < 64 ? 1 : 997) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, k, file), k);
    fclose(file);
    struct arena *a = arena_new(0);
    assert_false(emulate_measure(a, path, f.target, &p, &f.err));
    arena_free(a);
  }
  end(&f);
}

static void names_are_known(void **state) {
  struct arena *a = arena_new(0);
  const struct emulate_target *t;
  const struct emulate_board *b;
  struct err e = {0};
  int n;
  (void)state;
  assert_true(emulate_targets(a, &t, &n, &e));
  assert_true(n >= 3);
  assert_false(emulate_find_target(a, "cortex-m99", &t, &e));
  assert_non_null(strstr(e.text, "cortex-m4"));
  if (!emulate_find_board(a, "wio-terminal", &b, &e)) fail_msg("%s: %s", e.file, e.text);
  assert_string_equal(b->target, "cortex-m4");
  assert_true(b->clock_hz == 120e6);
  if (!emulate_find_board(a, "xiao", &b, &e)) fail_msg("%s: %s", e.file, e.text);
  assert_int_equal(b->ram_bytes, 32768);
  assert_false(emulate_find_board(a, "breadboard", &b, &e));
  arena_free(a);
}

/* Every board is read, has a chip that can be counted (an AVR's may be missing), and says where its figures are from. */
static void boards_are_whole(void **state) {
  struct arena *a = arena_new(0);
  const struct emulate_board *b;
  struct err e = {0};
  int n;
  (void)state;
  if (!emulate_boards(a, &b, &n, &e)) fail_msg("%s %s: %s", e.file, e.node, e.text);
  assert_true(n >= 12);
  for (int i = 0; i < n; i++) {
    const struct emulate_target *t;
    if (strcmp(b[i].target, "avr") != 0 && !emulate_find_target(a, b[i].target, &t, &e))
      fail_msg("%s: %s", b[i].name, e.text);
    assert_true(b[i].clock_hz >= 1e6 && b[i].clock_hz <= 1e9);
    assert_true(b[i].flash_bytes > b[i].flash_reserved_bytes && b[i].ram_bytes >= 2048);
    assert_true(b[i].volts >= 1 && b[i].volts <= 5.5);
    const struct emulate_figure figures[] = {b[i].active_ma, b[i].sleep_ma, b[i].wait_factor};
    for (int k = 0; k < 3; k++) {
      assert_true(strlen(figures[k].source) > 20);
      assert_true(!figures[k].known || figures[k].low > 0);
    }
    assert_true(b[i].wait_factor.known);
    assert_true(b[i].wait_factor.low >= 1 || b[i].stand_in);
  }
  arena_free(a);
}

static void estimates_keep_their_order(void **state) {
  struct arena *a = arena_new(0);
  const struct emulate_board *b;
  struct emulate_estimate t;
  struct err e = {0};
  const struct emulate_count c = {
      .instructions = 1000000, .cycles_low = 1.0e6, .cycles = 1.2e6, .cycles_high = 1.5e6};
  (void)state;
  assert_true(emulate_find_board(a, "wio-terminal", &b, &e));
  emulate_estimate(&c, NULL, &t);
  assert_true(t.cycles.known && t.cycles.typical == 1.2e6 && !t.milliseconds.known &&
              t.milliseconds.reason);
  emulate_estimate(&c, b, &t);
  assert_true(t.milliseconds.known && t.milliseconds.low <= t.milliseconds.typical);
  assert_true(t.milliseconds.typical <= t.milliseconds.high);
  assert_true(t.milliseconds.low > 1.0e6 / 120e6 * 999 && t.milliseconds.high < 40);
  assert_true(t.energy_uj.known && t.energy_uj.low < t.energy_uj.high);
  assert_true(t.battery_days.known && t.battery_days.low < t.battery_days.high);
  const struct emulate_count untimed = {.instructions = 1000};
  emulate_estimate(&untimed, b, &t);
  assert_true(!t.cycles.known && !t.milliseconds.known && !t.energy_uj.known && t.cycles.reason);
  const struct emulate_count slow = {
      .instructions = 1, .cycles_low = 1e9, .cycles = 1e9, .cycles_high = 1e9};
  emulate_estimate(&slow, b, &t);
  assert_true(!t.battery_days.known && t.battery_days.reason);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_known),
      cmocka_unit_test(boards_are_whole),
      cmocka_unit_test(estimates_keep_their_order),
      cmocka_unit_test(host_runs),
      cmocka_unit_test(m4_runs_and_counts),
      cmocka_unit_test(m0plus_runs_and_counts_on_two_machines),
      cmocka_unit_test(m55_runs_and_counts),
      cmocka_unit_test(rv32imc_runs_and_counts),
      cmocka_unit_test(avr_runs_and_counts),
      cmocka_unit_test(further_cores_run_and_count),
      cmocka_unit_test(vectors_are_told_apart),
      cmocka_unit_test(stack_is_measured),
      cmocka_unit_test(floats_keep_subnormal_numbers),
      cmocka_unit_test(unaligned_access_traps),
      cmocka_unit_test(stack_overflow_is_named),
      cmocka_unit_test(absent_memory_is_named),
      cmocka_unit_test(writes_beside_the_arena_are_named),
      cmocka_unit_test(m55_faults_are_named),
      cmocka_unit_test(rv32imc_faults_are_named),
      cmocka_unit_test(armv7_instructions_are_refused_for_m0plus),
      cmocka_unit_test(armv6m_is_told_from_what_lies_beyond),
      cmocka_unit_test(compile_errors_are_shown),
      cmocka_unit_test(too_little_memory_is_told),
      cmocka_unit_test(every_prefix_of_an_elf_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
