/* draw: what the pieces of a page share: escaped text, numbers, axes, the colour ramp and images. Inner header of
 * report. */
#ifndef HOST_REPORT_DRAW_H
#define HOST_REPORT_DRAW_H

#include "host/kit/kit.h"

/* Adds text that means nothing to HTML: markup escaped, bytes that are not UTF-8 or not printable replaced. NULL
 * adds nothing. */
void draw_text(struct text *t, const char *s);

/* Adds a string of JavaScript, quotes included, that no text can end, nor the element around it. NULL is "". */
void draw_string(struct text *t, const char *s);

/* Adds a coordinate with at most two decimals, shortest form: "12", "12.5". */
void draw_coordinate(struct text *t, double value);

/* A number for a reader: thousands divided, `decimals` behind the point; a dash when it is not finite. The result
 * lives in the arena. */
const char *draw_number(struct arena *a, double value, int decimals);

/* Ticks at 1, 2 or 5 times a power of ten. Gives the step, and widens [low, high] to whole steps; decimals that the
 * step needs. range: low < high, both finite. */
struct draw_axis {
  double low, high, step;
  int decimals;
};
struct draw_axis draw_axis(double low, double high, int wanted);

/* Adds an image as a data URI: columns * rows of levels in [0, 255], row 0 at the top, coloured by the ramp.
 * range: columns and rows in [1, 2048]. */
void draw_image(struct text *t, int columns, int rows, const unsigned char *levels);

/* The same of a picture, [rows][columns][colours]: 1 grey, 3 red green blue. */
void draw_picture(struct text *t, int columns, int rows, int colours, const unsigned char *pixels);

/* Adds bytes in base64, padded. source: RFC 4648, section 4. */
void draw_base64(struct text *t, const unsigned char *p, size_t n);

#endif
