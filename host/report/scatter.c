/* scatter: points over two axes, such as accuracy over flash. SVG in user units of about one pixel. */
#include <math.h>

#include "host/report/page.h"

enum { WIDTH = 720, HEIGHT = 340, LEFT = 58, TOP = 14, RIGHT = 700, BOTTOM = 290 };

struct plot {
  struct draw_axis x, y;
};

static double at_x(const struct plot *p, double v) {
  return LEFT + (v - p->x.low) / (p->x.high - p->x.low) * (RIGHT - LEFT);
}
static double at_y(const struct plot *p, double v) {
  return BOTTOM - (v - p->y.low) / (p->y.high - p->y.low) * (BOTTOM - TOP);
}

static bool drawn(const struct report_dot *d) { return isfinite(d->x) && isfinite(d->y); }

static struct draw_axis axis_of(const struct report_scatter *c, bool x) {
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < c->count; i++) {
    if (!drawn(&c->dots[i])) continue;
    low = fmin(low, x ? c->dots[i].x : c->dots[i].y);
    high = fmax(high, x ? c->dots[i].x : c->dots[i].y);
  }
  if (!(low <= high)) low = 0, high = 1;
  const double room = high > low ? (high - low) * 0.04 : fmax(1e-6, fabs(low) * 0.05);
  return draw_axis(low - room, high + room, 6);
}

static void text_at(struct report *r, double x, double y, const char *how, const char *s) {
  struct text *t = &r->body;
  text_add(t, "<text x=\"");
  draw_coordinate(t, x);
  text_add(t, "\" y=\"");
  draw_coordinate(t, y);
  text_printf(t, "\"%s>", how);
  draw_text(t, s);
  text_add(t, "</text>");
}

static void line_at(struct report *r, const char *class_name, double x1, double y1, double x2,
                    double y2) {
  struct text *t = &r->body;
  const double at[] = {x1, y1, x2, y2};
  static const char *const names[] = {"x1", "y1", "x2", "y2"};
  text_printf(t, "<line class=\"%s\"", class_name);
  for (int i = 0; i < 4; i++) {
    text_printf(t, " %s=\"", names[i]);
    draw_coordinate(t, at[i]);
    text_add(t, "\"");
  }
  text_add(t, "/>");
}

static void draw_axes(struct report *r, const struct plot *p, const struct report_scatter *c) {
  for (int i = 0; i <= 40; i++) {
    const double v = p->y.low + i * p->y.step;
    if (v > p->y.high + p->y.step * 0.01) break;
    line_at(r, i ? "grid" : "axis", LEFT, at_y(p, v), RIGHT, at_y(p, v));
    text_at(r, LEFT - 8, at_y(p, v) + 4, " text-anchor=\"end\"",
            draw_number(r->arena, v, p->y.decimals));
  }
  for (int i = 0; i <= 40; i++) {
    const double v = p->x.low + i * p->x.step;
    if (v > p->x.high + p->x.step * 0.01) break;
    if (v < 0 && p->x.low < 0 && p->x.high > 0)
      continue; /* room at the edge of what is never negative */
    text_at(r, at_x(p, v), BOTTOM + 18, " text-anchor=\"middle\"",
            draw_number(r->arena, v, p->x.decimals));
  }
  if (c->x_label)
    text_at(r, (LEFT + RIGHT) / 2.0, BOTTOM + 38, " text-anchor=\"middle\"", c->x_label);
  if (!isfinite(c->limit_x) || c->limit_x < p->x.low || c->limit_x > p->x.high) return;
  line_at(r, "mark", at_x(p, c->limit_x), TOP, at_x(p, c->limit_x), BOTTOM);
  if (c->limit_label)
    text_at(r, at_x(p, c->limit_x) - 6, TOP + 10, " text-anchor=\"end\"", c->limit_label);
}

/* The most y that is possible up to each x: steps to the right and up, through the best points. */
static void draw_stair(struct report *r, const struct plot *p, const struct report_scatter *c) {
  struct text *t = &r->body;
  double x = -INFINITY, y = -INFINITY;
  bool begun = false;
  for (;;) {
    int next = -1;
    for (int i = 0; i < c->count; i++) {
      const struct report_dot *d = &c->dots[i];
      if (!d->best || !drawn(d) || !(d->y > y)) continue;
      if (next < 0 || d->x < c->dots[next].x || (d->x == c->dots[next].x && d->y > c->dots[next].y))
        next = i;
    }
    if (next < 0) break;
    x = c->dots[next].x;
    y = c->dots[next].y;
    text_add(t, begun ? "H" : "<path class=\"l s0\" d=\"M");
    draw_coordinate(t, at_x(p, x));
    text_add(t, begun ? "V" : " ");
    draw_coordinate(t, at_y(p, y));
    begun = true;
  }
  if (!begun) return;
  text_printf(t, "H%d\"/>", RIGHT);
}

static void draw_dot(struct report *r, const struct plot *p, const struct report_dot *d) {
  struct text *t = &r->body;
  if (!drawn(d)) return;
  text_printf(t, "<circle class=\"f%d\" r=\"%s\" cx=\"", page_colour(d->group),
              d->label ? "5.5" : "3.5");
  draw_coordinate(t, at_x(p, d->x));
  text_add(t, "\" cy=\"");
  draw_coordinate(t, at_y(p, d->y));
  text_add(t, "\"><title>");
  draw_text(t, d->note);
  text_add(t, "</title></circle>");
  const bool flip = at_x(p, d->x) > RIGHT - 80;
  if (d->label)
    text_at(r, at_x(p, d->x) + (flip ? -9 : 9), at_y(p, d->y) - 7,
            flip ? " text-anchor=\"end\"" : "", d->label);
}

void report_scatter(struct report *r, const struct report_scatter *c) {
  struct text *t = &r->body;
  const int groups = c->groups < 0 ? 0 : c->groups > 6 ? 6 : c->groups;
  page_group(r, PAGE_ALONE);
  page_figure(r, c->caption);
  if (groups) page_legend(r, c->group_names, groups, true);
  if (c->y_label) {
    text_add(t, "<div class=\"legend\">");
    draw_text(t, c->y_label);
    text_add(t, "</div>");
  }
  const struct plot p = {axis_of(c, true), axis_of(c, false)};
  text_printf(t, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
  draw_text(t, c->caption ? c->caption : "points");
  text_add(t, "\">");
  draw_axes(r, &p, c);
  draw_stair(r, &p, c);
  for (int i = 0; i < c->count; i++) draw_dot(r, &p, &c->dots[i]);
  text_add(t, "</svg></figure>\n");
}
