/* page: the page under construction, shared by the files that draw its pieces. Inner header of report. */
#ifndef HOST_REPORT_PAGE_H
#define HOST_REPORT_PAGE_H

#include "host/report/draw.h"
#include "host/report/report.h"

/* Pieces of one kind that follow each other share a row; the row is open until a piece of another kind comes. */
enum page_group { PAGE_ALONE, PAGE_ROW, PAGE_CARDS };

struct report {
  struct arena *arena;
  struct text body, contents;
  const char *title, *lead;
  int sections;
  enum page_group group;
};

/* Closes the row that is open, unless it is `group`, and opens that. */
void page_group(struct report *r, enum page_group group);

/* Opens a figure with its caption (NULL: none); the caller adds </figure>. */
void page_figure(struct report *r, const char *caption);

/* Names beside their colours; squares for areas, strokes for lines. */
void page_legend(struct report *r, const char *const *names, int count, bool areas);

/* One of the six colours for any number. */
static inline int page_colour(int group) { return ((group % 6) + 6) % 6; }

#endif
