/* objects: projects that count things in pictures: between boxes, cells of a network's map, and what is found in them.
 *
 * How it works: a box becomes the cell of the map that its middle lies in; a network gives each cell the shares of nothing
 * and of each class; mote_objects_find (mote/ml) makes a list of objects of that, here as on the chip. A found object is
 * right where it lies in a box of its class that no nearer one has taken, or within a cell of its middle.
 *
 * invariant: lists are made by the device's own function, so what is measured here is what a chip counts. */
#ifndef APP_OBJECTS_H
#define APP_OBJECTS_H

#include "app/bundle.h"
#include "app/dataset.h"
#include "host/evaluate/evaluate.h"

/* The map over a camera's frame. */
struct objects_grid {
  int height, width, classes; /* cells; classes without the background */
  int in_height, in_width;    /* what the network sees */
  struct features_view view;  /* ... of the frame */
};
struct objects_grid objects_grid_of(const struct project_config *c,
                                    const struct features_block *block, int height, int width,
                                    int classes);
/* Bytes of one answer. */
static inline size_t objects_bytes(const struct objects_grid *g) {
  return (size_t)g->height * (size_t)g->width * ((size_t)g->classes + 1);
}
/* A class for each cell: 0 nothing, 1 the first class ...; -1 beside the border that a middle lies at: it does not count.
 * seed 0: the frame as it is, else as this draw of the augmentation changes it. */
void objects_targets(const struct objects_grid *g, const struct project_config *c,
                     const struct dataset_sample *s, uint64_t seed, float *targets);
/* threshold: 1 to 255 of 256. */
struct mote_objects objects_device(const struct objects_grid *g, unsigned threshold);

/* The network of the project, or of the command line: with a head of cells and the project's weight. errors: the line. */
bool objects_network(struct project *p, const char *network, const struct features_block *block,
                     int n_classes, const struct train_budget *budget, struct train_network *net,
                     const char **why, struct err *e);

/* What is found and what is right in n pictures, [n][classes]. scores: [n][objects_bytes]. d: its samples, one window each. */
void objects_count(const struct mote_objects *m, const struct dataset *d, const int8_t *scores,
                   struct evaluate_count *counts);
/* The same of one picture, and which of what: pair[i] is the truth that found i is, or -1. Returns how many were found (at
 * most OBJECTS_SEEN are told). */
#define OBJECTS_SEEN 512
int objects_match(const struct mote_objects *m, const struct dataset_sample *s,
                  const int8_t *scores, struct mote_object *found, int *pair,
                  struct evaluate_count *counts);
/* The threshold with the largest F1 over all classes; of a range of equal ones the middle. */
unsigned objects_threshold(const struct objects_grid *g, const struct dataset *d,
                           const int8_t *scores, struct arena *a);
/* F1 over all classes. */
double objects_f1(const struct mote_objects *m, const struct dataset *d, const int8_t *scores,
                  struct arena *a);
/* Shares of a float network as int8. scores: [n] of d's windows. */
bool objects_float_scores(const struct train_model *model, const struct features_block *block,
                          const struct objects_grid *g, const struct dataset *d, struct arena *a,
                          int8_t **scores, struct err *e);
/* The device's answers; target NULL: this machine's. On a chip its list of objects must be this machine's, too. */
bool objects_scores(const struct project *p, const struct graph *graph,
                    const struct features_block *block, const struct bundle_objects *objects,
                    const char *target, const struct dataset *d, struct arena *a, int8_t **scores,
                    struct err *e);

#endif
