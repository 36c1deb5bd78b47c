/* Times training steps on request: reads lines "preset height width channels classes batch threads steps" and answers each
 * with the median seconds of a step. train_step.py asks in turn with PyTorch. A preset is written with _ for a space. */
#include <stdio.h>
#include <string.h>

#include "host/train/train.h"

int main(void) {
  int h, w, c, classes, batch, threads, steps;
  char preset[64];
  printf("%s\n", train_vector_name());
  fflush(stdout);
  while (scanf("%63s %d %d %d %d %d %d %d", preset, &h, &w, &c, &classes, &batch, &threads,
               &steps) == 8) {
    struct arena *a = arena_new(0);
    struct train_network net;
    struct err e = {0};
    for (char *at; (at = strchr(preset, '_')) != NULL;) *at = ' ';
    if (!train_network_preset(a, preset, h, w, c, classes, &net, &e)) {
      fprintf(stderr, "%s\n", e.text);
      return 3;
    }
    printf("%.9f\n", train_measure_step(a, &net, batch, threads, steps));
    fflush(stdout);
    arena_free(a);
  }
  return 0;
}
