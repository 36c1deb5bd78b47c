/* infer: times a model's inferences on this machine, in one thread, its loading apart.
 *
 *   infer MODEL REPEATS [INPUTS]
 *
 * INPUTS: raw input tensors, one inference after another; without it one inference of the pattern of `mote bench`.
 * Prints a JSON object: the seconds to open the model (read, plan, check), inferences of a pass over all inputs, the
 * seconds of the fastest of REPEATS passes, and the CRC-32 of all outputs of a pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/compile/compile.h"
#include "host/import/import.h"
#include "mote/run/run.h"

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const struct err *e) {
  fprintf(stderr, "infer: %s: %s\n", e->file, e->text);
  return 1;
}

/* One pass over all inputs; the CRC of the outputs where wanted. */
static void pass(const struct mote_model *m, const struct graph *g, const uint8_t *inputs, size_t n,
                 uint32_t *crc) {
  for (size_t i = 0; i < n; i++) {
    for (int k = 0; k < g->n_inputs; k++) {
      const size_t bytes = graph_bytes(&g->tensors[g->inputs[k]]);
      memcpy(mote_input(m, (unsigned)k), inputs, bytes);
      inputs += bytes;
    }
    mote_run(m);
    for (int k = 0; crc && k < g->n_outputs; k++)
      *crc = mote_crc32(*crc, mote_output(m, (unsigned)k),
                        graph_bytes(&g->tensors[g->outputs[k]]));
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return fputs("usage: infer MODEL REPEATS [INPUTS]\n", stderr), 2;
  const int repeats = atoi(argv[2]);
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct compiled c;
  struct mote_model m;
  const double begun = now_s();
  struct graph *g = import_file(a, argv[1], &e);
  const struct compile_options options = {.fast = true};
  if (!g || !compile_graph(g, &options, a, &c, &e)) return fail(&e);
  const size_t arena_bytes = mote_arena_bytes((const struct mote_plan *)(const void *)c.plan);
  if (mote_open(&m, c.plan, c.plan_bytes, ARENA_ARRAY(a, uint8_t, arena_bytes), arena_bytes))
    return fputs("infer: the plan is refused\n", stderr), 1;
  const double opened = now_s();
  size_t bytes = 0, size = 0;
  for (int k = 0; k < g->n_inputs; k++) bytes += graph_bytes(&g->tensors[g->inputs[k]]);
  uint8_t *inputs = ARENA_ARRAY(a, uint8_t, bytes);
  for (size_t i = 0; i < bytes; i++) inputs[i] = (uint8_t)(i * 37 + 11 - 128);
  if (argc > 3 && !file_read(a, argv[3], (size_t)1 << 30, &inputs, &size, &e)) return fail(&e);
  const size_t n = argc > 3 ? size / bytes : 1;
  uint32_t crc = 0;
  pass(&m, g, inputs, n, &crc);
  double best = 1e30;
  for (int r = 0; r < repeats; r++) {
    const double from = now_s();
    pass(&m, g, inputs, n, NULL);
    const double took = now_s() - from;
    if (took < best) best = took;
  }
  printf("{\"open_s\": %.6f, \"inferences\": %zu, \"pass_s\": %.9f, \"crc32\": \"%08x\"}\n",
         opened - begun, n, best, (unsigned)crc);
  arena_free(a);
  return 0;
}
