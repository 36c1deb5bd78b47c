/* witness: every case of test/golden that this machine runs, on every emulated chip: the same bits, float32 too.
 * check: host only
 *
 *   build/host/test/test_witness [TARGET...]     only these chips
 *
 * One program for each chip (test/chip/golden.c) opens every plan as a .mote file would be, with all kernels linked, and writes
 * what they give. Needs the chip's compiler and qemu-system-arm; skips where they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "host/compile/compile.h"
#include "host/emulate/emulate.h"
#include "host/import/import.h"
#include "test/golden.h"

#define MOST_CASES 4096

/* What the chip gets, what it must give, and which case begins where in that. */
struct witness {
  struct arena *a;
  struct text in, out;
  const char *names[MOST_CASES];
  size_t begins[MOST_CASES];
  int n, left_out;
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
  static const struct compile_options options = {.pointer_bytes = 4};
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
  must_run(w->a, NULL,
           arena_printf(w->a,
                        "%s %s -std=c99 -Wall -Wextra -Werror -I. -ffp-contract=off -nostartfiles "
                        "-Wl,--gc-sections -Wl,--defsym=stack_bytes=16384 "
                        "-T firmware/boards/%s/link.ld firmware/boards/%s/start.c "
                        "firmware/harness/port_semihosting.c test/chip/golden.c "
                        "build/%s/libmote.a --specs=nosys.specs -o %s/golden.elf",
                        t->compiler, t->flags, t->board, t->start, t->name, dir),
           "the program");
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

static void test_chip_gives_the_same_bits(void **state) {
  const struct emulate_target *t = *state;
  struct err e = {0};
  char *dir;
  uint8_t *got;
  size_t n;
  if (!emulate_can_build(t) || !emulate_can_run(t)) {
    print_message("skipped: needs %s and qemu-system-arm\n", t->compiler);
    skip();
  }
  if (all.n == 0) add_all(&all);
  assert_true(dir_temporary(all.a, &dir, &e));
  assert_true(file_write(arena_printf(all.a, "%s/golden.in", dir), all.in.data, all.in.size, &e));
  build(&all, t, dir);
  must_run(
      all.a, dir,
      arena_printf(all.a,
                   "timeout 300 qemu-system-arm -M %s -display none -monitor none -serial none "
                   "-semihosting-config enable=on,target=native -kernel golden.elf",
                   t->machine),
      "the chip");
  assert_true(
      file_read(all.a, arena_printf(all.a, "%s/golden.out", dir), (size_t)1 << 28, &got, &n, &e));
  dir_remove(dir);
  compare(&all, got, n);
  print_message("%s: %d cases (%d do not run on this machine)\n", t->name, all.n, all.left_out);
}

int main(int argc, char **argv) {
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
  const int failed = _cmocka_run_group_tests("witness", tests, (size_t)n, NULL, NULL);
  arena_free(all.a);
  return failed;
}
