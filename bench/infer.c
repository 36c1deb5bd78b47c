/* infer: times a model's inferences on this machine, in one thread, its loading apart.
 *
 *   infer MODEL REPEATS [INPUTS [OUTPUTS]]
 *
 * INPUTS: raw input tensors, one inference after another; without it one inference of the pattern of `mote bench`.
 * Prints a JSON object: the seconds to open the model (read, plan, check), inferences of a pass over all inputs, the
 * seconds of the fastest of REPEATS passes. OUTPUTS takes all outputs of a pass. */
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

/* One pass over all inputs; the outputs go to `out` where wanted. */
static void pass(const struct mote_model *m, const struct graph *g, const uint8_t *inputs, size_t n,
                 uint8_t *out) {
  for (size_t i = 0; i < n; i++) {
    for (int k = 0; k < g->n_inputs; k++) {
      const size_t bytes = graph_bytes(&g->tensors[g->inputs[k]]);
      memcpy(mote_input(m, (unsigned)k), inputs, bytes);
      inputs += bytes;
    }
    mote_run(m);
    for (int k = 0; out && k < g->n_outputs; k++) {
      const size_t bytes = graph_bytes(&g->tensors[g->outputs[k]]);
      memcpy(out, mote_output(m, (unsigned)k), bytes);
      out += bytes;
    }
  }
}

/* Bytes of the tensors of an inference. */
static size_t bytes_of(const struct graph *g, const int *tensors, int n) {
  size_t bytes = 0;
  for (int k = 0; k < n; k++) bytes += graph_bytes(&g->tensors[tensors[k]]);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc < 3) return fputs("usage: infer MODEL REPEATS [INPUTS [OUTPUTS]]\n", stderr), 2;
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
  const size_t bytes = bytes_of(g, g->inputs, g->n_inputs);
  size_t size = 0;
  uint8_t *inputs = ARENA_ARRAY(a, uint8_t, bytes);
  for (size_t i = 0; i < bytes; i++) inputs[i] = (uint8_t)(i * 37 + 11 - 128);
  if (argc > 3 && !file_read(a, argv[3], (size_t)1 << 30, &inputs, &size, &e)) return fail(&e);
  const size_t n = argc > 3 ? size / bytes : 1;
  const size_t out_bytes = n * bytes_of(g, g->outputs, g->n_outputs);
  uint8_t *outputs = ARENA_ARRAY(a, uint8_t, out_bytes + 1);
  pass(&m, g, inputs, n, outputs);
  if (argc > 4 && !file_write(argv[4], outputs, out_bytes, &e)) return fail(&e);
  double best = 1e30;
  for (int r = 0; r < repeats; r++) {
    const double from = now_s();
    pass(&m, g, inputs, n, NULL);
    const double took = now_s() - from;
    if (took < best) best = took;
  }
  printf("{\"open_s\": %.6f, \"inferences\": %zu, \"pass_s\": %.9f}\n", opened - begun, n, best);
  arena_free(a);
  return 0;
}
