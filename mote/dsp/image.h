/* The parameters of the kind "image", and its rows one at a time; for the host, which makes them, the op, and a firmware
 * that has a camera. */
#ifndef MOTE_DSP_IMAGE_H
#define MOTE_DSP_IMAGE_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a frame lies in the window, from its upper left corner, row after row. Of bytes two share a sample of the window, the
 * first one lower; behind an odd number of them stands one byte that nobody reads. */
enum mote_image_format {
  MOTE_IMAGE_GREY, /* a byte a pixel */
  MOTE_IMAGE_RGB,  /* three bytes: red, green, blue */
  MOTE_IMAGE_RGB565, /* a sample: red in the upper five bits; as the chip's own order of bytes has it */
  MOTE_IMAGE_RGB565_SWAPPED, /* the same with its two bytes exchanged: most significant first, as cameras send it */
  MOTE_IMAGE_NUMBERS, /* a sample a pixel, such as a temperature; `frames` of them, each a plane of its own */
  MOTE_IMAGE_FORMAT_COUNT
};

/* One axis of the result: place i is the weighted sum of the source's places first .. first + (at of i + 1) - at - 1, its
 * weights from `at` on; no places at all: beyond the edge, 0. */
struct mote_image_span {
  uint16_t first, at;
};
#define MOTE_IMAGE_ONE 4096 /* what the weights of a span sum to */

struct mote_image {
  uint16_t width, height; /* of a frame */
  uint8_t format;         /* enum mote_image_format */
  uint8_t colours;        /* of the result: 1 grey, 3 red green blue */
  uint16_t frames;        /* of MOTE_IMAGE_NUMBERS; else 1 */
  /* From this structure: struct mote_image_span[width or height of the result + 1], then its weights, int16. 0: place i is the
   * source's place i + `left` or `top`. */
  int32_t across_at, down_at;
  uint16_t left, top;
};

/* The result's row y, int16: pixels times 128 (0 to 32640), numbers as they are; [width][depth]. scratch:
 * mote_image_row_bytes. exact: a whole window's rows are these. */
size_t mote_image_row_bytes(const struct mote_features *f);
void mote_image_row(const struct mote_features *f, const void *frame, uint32_t y, void *scratch,
                    int16_t *row);

/* Whether the result is the frame itself, with the upper bit of each byte turned: grey, of the same size, 0 to 255 as -128 to
 * 127. Then nothing of this room is needed. */
static inline int mote_image_is_plain(const struct mote_features *f) {
  const struct mote_image *const p = (const struct mote_image *)mote_at(f, f->params_at);
  const struct mote_features_column *const c =
      (const struct mote_features_column *)mote_at(f, f->column_at);
  return f->kind == MOTE_FEATURES_IMAGE && p->format == MOTE_IMAGE_GREY && !p->across_at &&
         !p->down_at && p->width == f->columns && p->height == f->rows && !f->normalise &&
         f->zp == -128 && !c->offset && c->multiplier == 16384 && c->shift == 21;
}

/* The int8 row y of a block whose values are taken as they are (NORMALISE_NONE): with it a network that is fed by rows never
 * holds its input. scratch: mote_image_row_bytes, then a row of int16, aligned to 4. */
void mote_image_line(const struct mote_features *f, const void *frame, uint32_t y, void *scratch,
                     int8_t *out);

/* Rows as a camera sends them: no frame is ever held. The result may not be larger than the source in height.
 * memory: aligned to 4, mote_image_feed_bytes. push takes the next row of the source, [width] in its format, aligned to
 * 2, and calls `line` with each row of the result that it completes. A frame begins with begin. */
typedef void mote_image_line_fn(void *context, const int8_t *line);
int mote_image_can_feed(const struct mote_features *f);
size_t mote_image_feed_bytes(const struct mote_features *f);
void mote_image_feed_begin(const struct mote_features *f, void *memory);
void mote_image_feed_push(const struct mote_features *f, void *memory, const void *source_row,
                          mote_image_line_fn *line, void *context);

extern const struct mote_features_op mote_features_image;

#ifdef __cplusplus
}
#endif

#endif
