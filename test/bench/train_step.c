/* Times training steps of the keyword network on request: reads lines "batch threads steps" and answers each
 * with the median seconds of a step. train_step.py asks in turn with PyTorch. */
#include <stdio.h>

#include "host/train/train.h"

int main(void) {
  static const char *const lines[] = {"conv 64 10x4 s2", "dsconv 64 3x3", "dsconv 64 3x3",
                                      "dsconv 64 3x3",   "dsconv 64 3x3", "mean"};
  struct train_network net;
  struct err e = {0};
  if (!train_network_parse(lines, 6, 49, 10, 1, 12, &net, &e)) {
    fprintf(stderr, "%s\n", e.text);
    return 3;
  }
  int batch, threads, steps;
  printf("%s\n", train_vector_name());
  fflush(stdout);
  while (scanf("%d %d %d", &batch, &threads, &steps) == 3) {
    struct arena *a = arena_new(0);
    printf("%.9f\n", train_measure_step(a, &net, batch, threads, steps));
    fflush(stdout);
    arena_free(a);
  }
  return 0;
}
