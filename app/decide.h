/* decide: windows in, class scores out, on this machine with the runtime's own kernels or on an emulated chip. */
#ifndef APP_DECIDE_H
#define APP_DECIDE_H

#include "app/dataset.h"

/* int8 scores of every window: [n_windows][n_classes], scale 1/256 and zero point -128 of the SOFTMAX. The
 * features and the plan run as on the device. errors: what compile_graph says. */
bool decide_here(struct arena *a, const struct graph *g, const struct features_block *block,
                 const struct dataset *d, int8_t **scores, struct err *e);
/* The same by the whole program (samples -> features -> network) on the emulated chip. */
bool decide_on_chip(struct arena *a, const char *title, const struct graph *g,
                    const struct features_block *block, const char *target, const struct dataset *d,
                    int8_t **scores, struct err *e);

/* All outputs of every window, those of one window one behind another; by the emulated chip where a target is named. */
bool decide_outputs(struct arena *a, const char *title, const struct graph *g,
                    const struct features_block *block, const char *target, const struct dataset *d,
                    uint8_t **outputs, struct err *e);
/* Bytes of one window's outputs. */
size_t decide_bytes(const struct graph *g);
/* One output of every window. */
void decide_take(const struct graph *g, int output, const uint8_t *outputs, int windows, void *to);

/* The largest; the first of equals. */
int decide_best(const int8_t *scores, int n);

/* What a set of decisions is worth. */
struct decide_figures {
  int windows, windows_right;
  int recordings, recordings_right; /* the mean of a recording's windows decides */
  double balanced; /* the share of windows right, the mean of the classes that are there */
};
/* scores: int8 (or float where floats is not NULL). confusion: [classes * classes] counts that are added to, or
 * NULL; rows are truth. */
void decide_count(const struct dataset *d, int n_classes, const int8_t *scores, const float *floats,
                  int64_t *confusion, struct decide_figures *f);

#endif
