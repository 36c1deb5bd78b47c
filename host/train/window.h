/* train/window: maps with room around them; of window.c, for winograd.c. */
#ifndef HOST_TRAIN_WINDOW_H
#define HOST_TRAIN_WINDOW_H

#include "host/train/engine.h"

/* Rows and columns of zeros before and behind. */
struct room {
  int top, left, h, w; /* of the whole */
};

/* Where the pixels of a map come from: they lie there, or batch normalisation makes them. */
struct source {
  const float *x; /* pixels, or gradients of y */
  const float *z; /* NULL: x is what is wanted */
  bool back;
  struct lanes_normalised how;
};

struct room window_input_room(const struct unit *u);
struct room window_output_room(const struct unit *u);
/* Floats of a map [h][w][c] in its room. */
size_t window_room_floats(const struct room *r, int h, int w, int c);
/* The input of sample s, and the gradient of its sums. */
struct source window_input_of(const struct engine *g, const struct unit *u, int s);
struct source window_gradient_of(const struct engine *g, const struct unit *u, int s);
/* The map [h][w][c] in its room; where it lies if that will do. *row: from one row to the next. */
const float *window_with_room(const struct engine *g, const struct room *r, int h, int w, int c,
                              const struct source *from, float *scratch, ptrdiff_t *row);

#endif
