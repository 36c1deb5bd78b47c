/* report: one self-contained HTML page from typed pieces: key figures, tables, line charts, heat maps, waveforms
 * with their features, memory over time, bars.
 *
 * How it works: a report is made in an arena; pieces are added in reading order; report_write writes the page.
 * Figures are inline SVG and one small PNG for each feature image, style sheet and colours stand in the page,
 * nothing is fetched. Light and dark follow the reader's system; it reads on a telephone and prints.
 *
 * It knows nothing of models: the caller turns its facts into these pieces.
 *
 * invariants: every text is escaped, so any bytes are safe as a name; the same pieces give the same bytes (no
 * dates, no addresses, no random numbers); values that are not finite are drawn as gaps and written as a dash. */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "host/kit/kit.h"

struct report;

/* An empty page. title: the headline and the window's title; lead: one sentence below it, or NULL.
 * alias: texts and arrays given to any function here are read during the call and not kept. */
struct report *report_new(struct arena *a, const char *title, const char *lead);

/* Starts a section; it also appears in the list of contents at the top of the page. */
void report_heading(struct report *r, const char *text);

/* Running text. Blank lines divide paragraphs. */
void report_paragraph(struct report *r, const char *text);
/* The same in small letters: sources and notes below a table. */
void report_small(struct report *r, const char *text);

/* One key figure: "94.2 %", "accuracy on the chip", "1,234 of 1,310 recordings". */
struct report_tile {
  const char *value, *label;
  const char *note; /* or NULL */
  double fraction;  /* of a limit, in [0, 1]: drawn as a thin gauge; negative: no gauge */
};
void report_tiles(struct report *r, const struct report_tile *tiles, int count);

/* A table. cells: rows * columns texts, row after row; NULL is an empty cell. numeric[c]: the column is set flush
 * right in figures of one width; numeric may be NULL. */
struct report_table {
  const char *caption; /* or NULL */
  int columns, rows;
  const char *const *head; /* [columns] */
  const char *const *cells;
  const bool *numeric;
};
void report_table(struct report *r, const struct report_table *table);

/* A line chart, such as a learning curve: up to 6 lines over one x axis. */
struct report_line {
  const char *name;
  const double *y; /* [points] */
};
struct report_lines {
  const char *caption, *x_label, *y_label;
  const double *x; /* [points], ascending; NULL: 1, 2, 3 ... */
  int points, count;
  const struct report_line *lines; /* [count] */
  double mark_x; /* a dashed upright here, such as the epoch that was kept; NAN: none */
  const char *mark_label;
  bool from_zero; /* the y axis starts at 0 */
};
void report_lines(struct report *r, const struct report_lines *chart);

/* Points over two axes, up to 6 groups of them; those that are `best` are joined by a stair: what is possible at each x. A text
 * at the pointer tells each. */
struct report_dot {
  double x, y;
  int group;
  bool best;
  const char *label; /* written beside the point; NULL: nothing */
  const char *note;  /* at the pointer; or NULL */
};
struct report_scatter {
  const char *caption, *x_label, *y_label;
  int count, groups;
  const char *const *group_names;
  const struct report_dot *dots; /* later ones lie above */
  double limit_x;                /* a dashed upright; NAN: none */
  const char *limit_label;
};
void report_scatter(struct report *r, const struct report_scatter *chart);

/* A confusion matrix: rows are truth, columns are answers. counts: [classes * classes]. A cell's shade is its share
 * of its row; share correct (recall, precision) stands at the margins. range: classes in [1, 64]. */
struct report_confusion {
  const char *caption;
  int classes;
  const char *const *names;
  const int64_t *counts;
};
void report_confusion(struct report *r, const struct report_confusion *matrix);

/* Any other field of numbers as an image, low dark and high light; [rows * columns], row 0 at the bottom. */
struct report_field {
  const char *caption, *x_label, *y_label;
  int columns, rows;
  const float *values;
};
void report_field(struct report *r, const struct report_field *field);

/* A recording and what the features make of it: waveform above, features below, on one time axis. Cards stand side
 * by side where there is room; consecutive calls form one row. */
struct report_wave {
  const char *title; /* "yes" */
  const char *note;  /* "voice en-gb+f3, answered yes, 98 %"; or NULL */
  double rate_hz;
  const int16_t *samples;
  int64_t n_samples;
  int frames, bins;       /* 0: no features */
  const int8_t *features; /* [frames * bins], frame after frame, bin 0 at the bottom */
  double features_from_s, features_to_s; /* the span that they cover; both 0: the whole recording */
};
void report_wave(struct report *r, const struct report_wave *wave);

/* A picture with boxes (what is there) and marks (what was found) in its pixels. A box that was not met is broken, a mark that is
 * nothing is a cross. Cards stand side by side, as waves do. range: sides 1..2048. */
struct report_box {
  double x, y, width, height;
  bool met;
  const char *label; /* at the pointer; or NULL */
};
struct report_mark {
  double x, y;
  bool right;
  const char *label; /* at the pointer; or NULL */
};
struct report_picture {
  const char *title, *note;    /* or NULL */
  int width, height, colours;  /* 1 or 3 */
  const unsigned char *pixels; /* [height][width][colours] */
  int n_boxes, n_marks;
  const struct report_box *boxes;
  const struct report_mark *marks;
};
void report_picture(struct report *r, const struct report_picture *picture);
/* The same as an SVG document of its own, with the title above and labels written. */
void report_picture_svg(const struct report_picture *picture, struct text *out);

/* Memory over time: each rectangle is a tensor (or ring, scratch, state) at `offset` for `bytes` from step `first` to
 * step `last`, both included. kind picks the colour: see enum. */
enum report_memory_kind {
  REPORT_INPUT,
  REPORT_OUTPUT,
  REPORT_ACTIVATION,
  REPORT_RING,
  REPORT_SCRATCH,
  REPORT_STATE,
  REPORT_MEMORY_KINDS
};
struct report_block {
  const char *name;
  int64_t offset, bytes;
  int first, last;
  enum report_memory_kind kind;
};
struct report_memory {
  const char *caption;
  int64_t arena_bytes;
  int64_t limit_bytes; /* drawn where it is near; 0: none */
  int steps;
  const char *const *step_names; /* [steps] or NULL */
  int count;
  const struct report_block *blocks;
};
void report_memory(struct report *r, const struct report_memory *map);

/* Horizontal bars, such as instructions for each layer. unit stands after each number ("" for none); share of the
 * sum is written beside it. */
struct report_bar {
  const char *name;
  const char *note; /* such as the shape; or NULL */
  double value;     /* >= 0 */
  int group;        /* colour: 0 .. 5 */
};
struct report_bars {
  const char *caption, *unit;
  int count;
  const struct report_bar *bars;
  int groups; /* names of the colours; 0: no legend */
  const char *const *group_names;
};
void report_bars(struct report *r, const struct report_bars *bars);

/* Points that show what they stand for. The one under the pointer, or the one that was clicked, shows its recording
 * and features beside the picture; names in the legend switch groups on and off; wheel and drag zoom and move. Needs
 * the page's script, which is part of it; without scripts a still picture is left. */
struct report_point {
  double x, y;
  int group;   /* colour and legend */
  bool marked; /* a ring around it */
  const char *title, *note;
  int channels; /* of samples, interleaved; the first three are drawn */
  int64_t n_samples;
  const int16_t *samples;
  int frames, bins;       /* 0: no features */
  const int8_t *features; /* [frames][bins], bin 0 at the bottom */
};
struct report_cloud {
  const char *caption;
  int count;  /* at most 65,535 */
  int groups; /* at most 255 */
  const char *const *group_names;
  /* Fills in point i; what it points to lives until the next call. */
  void (*point)(void *context, int i, struct report_point *out);
  void *context;
};
void report_cloud(struct report *r, const struct report_cloud *cloud);

/* Not a piece of a page but an SVG document of its own: a recording, one panel for each channel (at most 12), in each
 * of 960 columns the least and largest value that falls there. shape: values [length, channels], interleaved. */
struct report_plot {
  const char *title;
  int channels;
  int64_t length;
  const float *values;
};
void report_plot(const struct report_plot *plot, struct text *out);

/* The page as text in the arena; may be called once. */
const char *report_html(struct report *r, size_t *size);

/* Writes the page, atomically. errors: those of file_write. */
bool report_write(struct report *r, const char *path, struct err *e);

#endif
