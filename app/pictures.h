/* pictures: stored pictures of any size as frames of the project's camera, and frames changed for a draw.
 *
 * A frame is a window of int16 whose bytes are the camera's own (enum mote_image_format). A picture comes to the frame's size
 * by the same arithmetic that shrinks a frame on the device, so one that has the size already stays as it is; one that is
 * larger than any camera's frame (1,024 pixels a side) becomes means of 2 x 2, 3 x 3 ... of its pixels first. */
#ifndef APP_PICTURES_H
#define APP_PICTURES_H

#include "app/project.h"

/* Frames are made from many pictures of few sizes: what is known of the last size. */
struct picture_maker {
  int width, height, channels;
  struct features_block block;
  void *scratch;
  int16_t *row;
};

/* Colours of the pictures that a project takes: 1 or 3. */
int pictures_colours(const struct project_config *c);
/* pixels: [height][width][channels]. frame: project's window, in a. errors: memory; channels that are neither 1 nor 3. */
bool pictures_frame(struct project *p, struct picture_maker *m, const uint8_t *pixels, int width,
                    int height, int channels, int16_t **frame, struct err *e);
/* Where the frame of such a picture lies in it. */
struct features_view pictures_view(const struct project_config *c, int width, int height,
                                   int channels);
/* The picture of a frame, [height][width][colours]. pixels: room for that. */
void pictures_pixels(const struct project_config *c, const int16_t *frame, uint8_t *pixels);
/* Whether the windows of a project are pictures, of bytes or of numbers, that can be shifted and turned. */
bool pictures_are_windows(const struct project_config *c);
/* Changes a window of such a project, in place, as the seed draws. */
void pictures_augment(const struct project_config *c, const struct train_augment *how,
                      uint64_t seed, int16_t *window);

/* Where that draw puts a point of the window, in its pixels. */
void pictures_place(const struct project_config *c, const struct train_augment *how, uint64_t seed,
                    float *x, float *y);

/* One thing that happens to a camera; the others 0 (contrast: 1). */
struct picture_change {
  double light;        /* added, of the whole range */
  double contrast;     /* times, about the picture's mean */
  double noise;        /* deviation of what is added, of the whole range */
  double across, down; /* moved, of the sides; beyond the edge the nearest pixel stands */
};
void pictures_change(const struct project_config *c, const struct picture_change *how,
                     uint64_t seed, int16_t *window);

#endif
