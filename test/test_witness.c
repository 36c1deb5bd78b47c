/* witness: every case of test/golden that this machine runs, on every emulated chip: the same bits, float32 too, and no
 * more instructions than test/operators.tsv has written down.
 * check: host only
 *
 *   build/host/test/test_witness [TARGET...]                     only these chips
 *   MOTE_WRITE_BUDGET=1 build/host/test/test_witness [TARGET...]     writes down what they took
 *
 * One program for each chip (test/chip/golden.c) opens every plan as a .mote file would be, with all kernels linked, and writes
 * what they give. Needs the chip's compiler and emulator; skips where they are not.
 *
 * Instructions are those of mote_run and all below it, for one inference (of several: their mean, rounded up), as the
 * counting plugin counts them: to the instruction, and the same on every run of the same compiler's program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/compile/compile.h"
#include "host/emulate/private.h"
#include "host/import/import.h"
#include "test/golden.h"

#define MOST_CASES 4096
#define BUDGET     "test/operators.tsv"

/* The chips whose instructions are budgeted, in the order of the table's columns. */
static const char *const COUNTED[] = {"cortex-m4", "cortex-m0plus"};
enum { N_COUNTED = sizeof COUNTED / sizeof *COUNTED };

/* What the chip gets, what it must give, and which case begins where in that. */
struct witness {
  struct arena *a;
  struct text in, out;
  const char *names[MOST_CASES];
  size_t begins[MOST_CASES];
  uint32_t inferences[MOST_CASES];
  uint64_t budget[MOST_CASES][N_COUNTED]; /* as written down; 0: no line */
  uint64_t taken[MOST_CASES][N_COUNTED];  /* as counted; 0: not counted */
  int n, left_out;
  bool counted[N_COUNTED];
};

static void add_word(struct text *t, uint32_t x) { text_addn(t, (const char *)&x, 4); }

/* The plan on this machine: nothing is added where a chip could not hold it. */
static bool add_plan(struct witness *w, const struct golden *c, const struct compiled *p) {
  static const char zeros[8];
  const struct graph *g = p->source;
  const size_t n_in = golden_bytes(g, g->inputs, g->n_inputs),
               n_out = golden_bytes(g, g->outputs, g->n_outputs);
  struct mote_model m;
  const size_t room = mote_arena_bytes((const struct mote_plan *)(const void *)p->plan);
  if (p->plan_bytes > 1u << 16 || room > 1u << 17 || n_out == 0 || w->n == MOST_CASES) return false;
  if (mote_open(&m, p->plan, p->plan_bytes, ARENA_ARRAY(c->arena, uint8_t, room), room) != MOTE_OK)
    return false;
  const uint32_t inferences = (uint32_t)(c->n_out / n_out);
  w->names[w->n] = arena_printf(w->a, "%s/%s", c->op, c->name);
  w->inferences[w->n] = inferences;
  w->begins[w->n++] = w->out.size;
  add_word(&w->in, (uint32_t)p->plan_bytes);
  add_word(&w->in, inferences);
  text_addn(&w->in, (const char *)p->plan, p->plan_bytes);
  text_addn(&w->in, zeros, (8 - p->plan_bytes % 8) % 8);
  text_addn(&w->in, (const char *)c->in, inferences * n_in);
  add_word(&w->out, MOTE_OK);
  const uint8_t *in = c->in;
  for (uint32_t k = 0; k < inferences; k++) {
    for (int i = 0; i < g->n_inputs; i++) {
      const size_t n = graph_bytes(&g->tensors[g->inputs[i]]);
      memcpy(mote_input(&m, (unsigned)i), in, n);
      in += n;
    }
    mote_run(&m);
    for (int i = 0; i < g->n_outputs; i++)
      text_addn(&w->out, mote_output(&m, (unsigned)i), graph_bytes(&g->tensors[g->outputs[i]]));
  }
  return true;
}

static void add_case(struct witness *w, const char *op, const char *name) {
  static const struct compile_options options = {.core = COMPILE_CORE_DSP, .pointer_bytes = 4};
  struct golden c = {.op = op, .name = name, .arena = arena_new((size_t)1 << 28)};
  struct compiled p;
  struct err e = {0};
  assert_true(golden_read(&c, &e));
  struct graph *g = import_tflite(c.arena, name, c.model, c.n_model, &e);
  if (!g || !compile_graph(g, &options, c.arena, &p, &e) || !add_plan(w, &c, &p)) w->left_out++;
  arena_free(c.arena);
}

static void add_all(struct witness *w) {
  struct err e = {0};
  char **ops, **names;
  int n_ops = 0, n_names = 0;
  assert_true(golden_list(w->a, NULL, &ops, &n_ops, &e));
  for (int i = 0; i < n_ops; i++) {
    assert_true(golden_list(w->a, ops[i], &names, &n_names, &e));
    for (int k = 0; k < n_names; k++) add_case(w, ops[i], names[k]);
  }
  add_word(&w->in, 0);
  add_word(&w->in, 0);
}

/* ---- on a chip -------------------------------------------------------------------- */
static void must_run(struct arena *a, const char *dir, const char *command, const char *what) {
  const char *const argv[] = {"sh", "-c", command, NULL};
  struct process_result r;
  struct err e = {0};
  if (!process_run(a, dir, argv, 600, &r, &e)) fail_msg("%s: %s", what, e.text);
  if (r.exit_code != 0) fail_msg("%s: exit code %d\n%s", what, r.exit_code, r.err);
}

static void build(const struct witness *w, const struct emulate_target *t, const char *dir) {
  must_run(w->a, NULL, arena_printf(w->a, "make -s bare CHIP=%s", t->name), "the library");
  /* The names of the objects are those that sections.ld keeps out of what is counted. */
  const char *const objects[][2] = {
      {arena_printf(w->a, "firmware/boards/%s/start.c", t->start), "start"},
      {"firmware/harness/port_semihosting.c", "port_semihosting"},
      {"test/chip/golden.c", "program"}};
  for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
    must_run(w->a, NULL,
             arena_printf(w->a, "%s %s -std=c99 -Wall -Wextra -Werror -I. -c %s -o %s/%s.o",
                          t->compiler, t->flags, objects[i][0], dir, objects[i][1]),
             objects[i][0]);
  must_run(w->a, NULL,
           arena_printf(w->a,
                        "%s %s -nostartfiles -Wl,--gc-sections -Wl,--defsym=stack_bytes=16384 "
                        "-T firmware/boards/%s/link.ld %s/start.o %s/port_semihosting.o "
                        "%s/program.o build/%s/libmote.a -o %s/golden.elf",
                        t->compiler, t->flags, t->board, dir, dir, dir, t->name, dir),
           "the program");
}

/* The column of the table, or -1. */
static int column_of(const struct emulate_target *t) {
  for (int i = 0; i < N_COUNTED; i++)
    if (strcmp(COUNTED[i], t->name) == 0) return i;
  return -1;
}

/* What makes QEMU count, one sum for each mark, and on RISC-V end at access that is not aligned. "" where nothing is asked. */
static const char *plugin_option(const struct witness *w, const struct emulate_target *t,
                                 const char *dir) {
  struct elf elf;
  struct err e = {0};
  const char *plugin;
  if (!build_plugin(w->a, &plugin, &e) ||
      !elf_read(w->a, arena_printf(w->a, "%s/golden.elf", dir), &elf, &e))
    fail_msg("%s", e.text);
  if (column_of(t) < 0 && !elf.riscv) return "";
  const struct elf_symbol *low = elf_find_symbol(&elf, "text_low"),
                          *high = elf_find_symbol(&elf, "text_high"),
                          *marks = elf_find_symbol(&elf, "golden_marks");
  assert_true(low && high && marks);
  return arena_printf(
      w->a,
      " -plugin "
      "%s,low=0x%x,high=0x%x,grain=0x%x,marks=0x%x,buckets=%d,aligned=%d,out=golden.counts",
      plugin, (unsigned)low->address, (unsigned)high->address,
      (unsigned)(high->address - low->address), (unsigned)marks->address, 1 + w->n, elf.riscv);
}

static void read_counts(struct witness *w, int column, const char *dir) {
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  if (!file_read(w->a, arena_printf(w->a, "%s/golden.counts", dir), (size_t)1 << 24, &bytes, &n,
                 &e))
    fail_msg("the counting plugin wrote nothing: %s", e.text);
  assert_int_equal(n, 16 + (1 + (size_t)w->n) * 16);
  for (int i = 0; i < w->n; i++) {
    uint64_t sum;
    memcpy(&sum, bytes + 16 + (1 + (size_t)i) * 16, sizeof sum);
    w->taken[i][column] = (sum + w->inferences[i] - 1) / w->inferences[i];
    assert_true(sum > 0);
  }
  w->counted[column] = true;
}

/* ---- the budget --------------------------------------------------------------------- */
static const char BUDGET_HEAD[] =
    "# Most instructions of one inference of each case of test/golden, as test/test_witness.c "
    "counts them. Never more;\n"
    "# write less down with: MOTE_WRITE_BUDGET=1 build/host/test/test_witness\n"
    "#case\tcortex-m4\tcortex-m0plus\n";

static int find_case(const struct witness *w, const char *name, int from) {
  for (int k = 0; k < w->n; k++) { /* lines stand in the order of the cases */
    const int i = (from + k) % w->n;
    if (strcmp(w->names[i], name) == 0) return i;
  }
  return -1;
}

/* Lines of cases that are gone stay away when the table is written; else they are an error. */
static bool read_budget(struct witness *w, struct text *stale) {
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  int next = 0;
  char *save = NULL;
  if (!file_read(w->a, BUDGET, (size_t)1 << 24, &bytes, &n, &e)) return false;
  char *all = arena_printf(w->a, "%.*s", (int)n, (const char *)bytes);
  for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    char name[128];
    unsigned long long at[N_COUNTED];
    if (*line == '#') continue;
    if (sscanf(line, "%127s %llu %llu", name, &at[0], &at[1]) != 1 + N_COUNTED) {
      text_printf(stale, "not understood: %s\n", line);
      continue;
    }
    const int i = find_case(w, name, next);
    if (i < 0) {
      text_printf(stale, "no such case: %s\n", name);
      continue;
    }
    for (int c = 0; c < N_COUNTED; c++) w->budget[i][c] = at[c];
    next = i + 1;
  }
  return true;
}

static bool write_budget(const struct witness *w) {
  struct err e = {0};
  struct text t;
  text_init(&t, w->a);
  text_add(&t, BUDGET_HEAD);
  for (int i = 0; i < w->n; i++) {
    text_add(&t, w->names[i]);
    for (int c = 0; c < N_COUNTED; c++)
      text_printf(&t, "\t%llu",
                  (unsigned long long)(w->counted[c] ? w->taken[i][c] : w->budget[i][c]));
    text_add(&t, "\n");
  }
  if (file_write(BUDGET, t.data, t.size, &e)) return true;
  print_error("%s\n", e.text);
  return false;
}

/* No case takes more than its line says. */
static void keeps_to_budget(const struct witness *w, int column) {
  int bad = 0, better = 0;
  for (int i = 0; i < w->n; i++) {
    const unsigned long long is = w->taken[i][column], most = w->budget[i][column];
    if (is > most && bad++ < 20)
      print_error(most == 0 ? "%s has no line in " BUDGET ": it takes %llu\n"
                            : "%s takes %llu instructions, %llu are written down\n",
                  w->names[i], is, most);
    if (is < most && better++ < 20)
      print_message("# %s takes %llu instructions instead of %llu\n", w->names[i], is, most);
  }
  if (better > 0)
    print_message("# %d cases take less, write it down: MOTE_WRITE_BUDGET=1 test_witness\n",
                  better);
  if (bad > 0)
    fail_msg("%d of %d cases take more instructions on %s than " BUDGET " allows", bad, w->n,
             COUNTED[column]);
}

static void compare(const struct witness *w, const uint8_t *got, size_t n) {
  int bad = 0;
  for (int i = 0; i < w->n; i++) {
    const size_t from = w->begins[i], to = i + 1 < w->n ? w->begins[i + 1] : w->out.size;
    if (to > n) {
      int32_t status = 0;
      if (from + 4 <= n) memcpy(&status, got + from, 4);
      fail_msg("the chip went no further than %s (%s)", w->names[i],
               from + 4 <= n && status ? mote_status_text((enum mote_status)status) : "it ended");
    }
    if (memcmp(got + from, w->out.data + from, to - from) == 0) continue;
    if (bad++ < 20) print_error("%s differs\n", w->names[i]);
  }
  if (bad > 0) fail_msg("%d of %d cases differ", bad, w->n);
  assert_int_equal(n, w->out.size);
}

static struct witness all;
static bool writes; /* the table is written instead of held against */

/* The cases and their lines, once. */
static void read_all(void) {
  struct text stale;
  if (all.n > 0) return;
  add_all(&all);
  text_init(&stale, all.a);
  if (!read_budget(&all, &stale) && !writes) print_error(BUDGET " is missing\n");
  if (stale.size > 0 && !writes) fail_msg(BUDGET ": %s", stale.data);
}

static void test_chip_gives_the_same_bits(void **state) {
  const struct emulate_target *t = *state;
  struct err e = {0};
  char *dir;
  uint8_t *got;
  size_t n;
  if (!strcmp(t->isa, "avr")) {
    print_message(
        "skipped: an AVR has the kernels of the int8 core only; test/chip.sh runs models there\n");
    skip();
  }
  if (!emulate_can_build(t) || !emulate_can_run(t)) {
    print_message("skipped: needs %s and %s\n", t->compiler, t->emulator);
    skip();
  }
  read_all();
  assert_true(dir_temporary(all.a, &dir, &e));
  assert_true(file_write(arena_printf(all.a, "%s/golden.in", dir), all.in.data, all.in.size, &e));
  build(&all, t, dir);
  must_run(all.a, dir,
           arena_printf(all.a,
                        "timeout 300 %s %s -M %s -display none -monitor none -serial none "
                        "-semihosting-config enable=on,target=native -kernel golden.elf%s",
                        t->emulator, t->emulator_flags, t->machine, plugin_option(&all, t, dir)),
           "the chip");
  assert_true(
      file_read(all.a, arena_printf(all.a, "%s/golden.out", dir), (size_t)1 << 28, &got, &n, &e));
  if (column_of(t) >= 0) read_counts(&all, column_of(t), dir);
  dir_remove(dir);
  compare(&all, got, n);
  print_message("%s: %d cases (%d do not run on this machine)\n", t->name, all.n, all.left_out);
  if (column_of(t) >= 0 && !writes) keeps_to_budget(&all, column_of(t));
}

int main(int argc, char **argv) {
  const char *asked = getenv("MOTE_WRITE_BUDGET");
  writes = asked && *asked && strcmp(asked, "0") != 0;
  all.a = arena_new((size_t)1 << 30);
  text_init(&all.in, all.a);
  text_init(&all.out, all.a);
  const struct emulate_target *targets;
  struct err e = {0};
  int count = 0, n = 0;
  if (!emulate_targets(all.a, &targets, &count, &e)) {
    print_error("%s\n", e.text);
    return 1;
  }
  struct CMUnitTest *tests = ARENA_ARRAY(all.a, struct CMUnitTest, count);
  for (int i = 0; i < count; i++) {
    bool wanted = argc < 2;
    for (int k = 1; k < argc; k++) wanted = wanted || strcmp(argv[k], targets[i].name) == 0;
    if (!wanted || !*targets[i].machine) continue;
    tests[n++] = (struct CMUnitTest){.name = targets[i].name,
                                     .test_func = test_chip_gives_the_same_bits,
                                     .initial_state = (void *)(uintptr_t)&targets[i]};
  }
  int failed = _cmocka_run_group_tests("witness", tests, (size_t)n, NULL, NULL);
  if (writes && failed == 0 && (all.counted[0] || all.counted[1])) failed = !write_budget(&all);
  arena_free(all.a);
  return failed;
}
