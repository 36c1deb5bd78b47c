/* picture: a picture with boxes and marks, as a card of a page or as an SVG document. */
#include "host/report/page.h"
#include "host/report/report.h"

enum { LEAST_SIDE = 480, HEAD = 28 };
#define THERE "#22c55e"
#define WRONG "#ef4444"
#define FOUND "#facc15"

static void add_number(struct text *t, const char *key, double value) {
  text_printf(t, " %s=\"", key);
  draw_coordinate(t, value);
  text_add(t, "\"");
}

static void add_title(struct text *t, const char *label) {
  if (!label) return;
  text_add(t, "<title>");
  draw_text(t, label);
  text_add(t, "</title>");
}

/* unit: pixels of the picture that a line is wide. */
static void add_box(struct text *t, const struct report_box *b, double unit, bool written) {
  text_add(t, "<rect fill=\"none\" pointer-events=\"all\"");
  add_number(t, "x", b->x);
  add_number(t, "y", b->y);
  add_number(t, "width", b->width);
  add_number(t, "height", b->height);
  text_printf(t, " stroke=\"%s\"", b->met ? THERE : WRONG);
  add_number(t, "stroke-width", unit);
  if (!b->met) {
    text_add(t, " stroke-dasharray=\"");
    draw_coordinate(t, 3 * unit);
    text_add(t, "\"");
  }
  text_add(t, ">");
  add_title(t, b->label);
  text_add(t, "</rect>");
  if (!written || !b->label) return;
  text_add(t, "<text");
  add_number(t, "x", b->x);
  add_number(t, "y", b->y > 9 * unit ? b->y - 2 * unit : b->y + b->height + 9 * unit);
  add_number(t, "font-size", 9 * unit);
  text_printf(t, " fill=\"%s\">", THERE);
  draw_text(t, b->label);
  text_add(t, "</text>");
}

static void add_mark(struct text *t, const struct report_mark *m, double unit) {
  const double r = 3 * unit;
  if (m->right) {
    text_printf(t, "<circle fill=\"%s\"", FOUND);
    add_number(t, "cx", m->x);
    add_number(t, "cy", m->y);
    add_number(t, "r", 2 * unit);
  } else {
    text_printf(t, "<path fill=\"none\" stroke=\"%s\"", WRONG);
    add_number(t, "stroke-width", 2 * unit);
    text_add(t, " d=\"M");
    for (int k = 0; k < 4; k++) {
      draw_coordinate(t, m->x + (k & 1 ? r : -r));
      text_add(t, " ");
      draw_coordinate(t, m->y + ((k & 1) != (k >> 1) ? r : -r));
      text_add(t, k == 0 || k == 2 ? "L" : k == 1 ? "M" : "\"");
    }
  }
  text_add(t, ">");
  add_title(t, m->label);
  text_add(t, m->right ? "</circle>" : "</path>");
}

static void add_content(struct text *t, const struct report_picture *p, double unit, bool written) {
  text_add(t, "<image style=\"image-rendering:pixelated\"");
  add_number(t, "width", p->width);
  add_number(t, "height", p->height);
  text_add(t, " href=\"");
  draw_picture(t, p->width, p->height, p->colours, p->pixels);
  text_add(t, "\"/>");
  for (int i = 0; i < p->n_boxes; i++) add_box(t, &p->boxes[i], unit, written);
  for (int i = 0; i < p->n_marks; i++) add_mark(t, &p->marks[i], unit);
}

void report_picture(struct report *r, const struct report_picture *p) {
  struct text *t = &r->body;
  page_group(r, PAGE_CARDS);
  text_add(t, "<figure><figcaption>");
  draw_text(t, p->title);
  if (p->note) {
    text_add(t, "<small>");
    draw_text(t, p->note);
    text_add(t, "</small>");
  }
  text_printf(t, "</figcaption>\n<svg viewBox=\"0 0 %d %d\">", p->width, p->height);
  add_content(t, p, p->width / 200.0, false);
  text_add(t, "</svg></figure>\n");
}

void report_picture_svg(const struct report_picture *p, struct text *out) {
  const int larger = p->width > p->height ? p->width : p->height;
  const double zoom = larger < LEAST_SIDE ? (double)LEAST_SIDE / larger : 1;
  text_add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\"");
  add_number(out, "width", p->width * zoom);
  add_number(out, "height", p->height * zoom + HEAD);
  text_printf(out, "><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/><text x=\"4\" y=\"19\" "
                   "font-size=\"14\">");
  draw_text(out, p->title);
  text_printf(out, "</text><g transform=\"translate(0 %d) scale(", HEAD);
  draw_coordinate(out, zoom);
  text_add(out, ")\">");
  add_content(out, p, 1.5 / zoom, true);
  text_add(out, "</g></svg>\n");
}
