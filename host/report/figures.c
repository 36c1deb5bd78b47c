/* figures: the drawn pieces: line charts, fields, waveforms with features, memory over time. SVG in user units of
 * about one pixel; text stays text, so it can be searched and scales. */
#include "host/report/page.h"

#include <math.h>
#include <string.h>

/* <text> at (x, y) with classes or anchors in `how`. */
static void label(struct report *r, double x, double y, const char *how, const char *s) {
  text_add(&r->body, "<text x=\"");
  draw_coordinate(&r->body, x);
  text_add(&r->body, "\" y=\"");
  draw_coordinate(&r->body, y);
  text_printf(&r->body, "\" %s>", how);
  draw_text(&r->body, s);
  text_add(&r->body, "</text>");
}

static void stroke(struct report *r, const char *class_name, double x1, double y1, double x2,
                   double y2) {
  struct text *t = &r->body;
  text_printf(t, "<line class=\"%s\" x1=\"", class_name);
  draw_coordinate(t, x1);
  text_add(t, "\" y1=\"");
  draw_coordinate(t, y1);
  text_add(t, "\" x2=\"");
  draw_coordinate(t, x2);
  text_add(t, "\" y2=\"");
  draw_coordinate(t, y2);
  text_add(t, "\"/>");
}

/* ---- line chart ------------------------------------------------------------ */
/* The plot's rectangle in the drawing, and the values at its edges. */
struct plot {
  double left, top, right, bottom;
  struct draw_axis x, y;
};

static double plot_x(const struct plot *p, double v) {
  return p->left + (v - p->x.low) / (p->x.high - p->x.low) * (p->right - p->left);
}
static double plot_y(const struct plot *p, double v) {
  return p->bottom - (v - p->y.low) / (p->y.high - p->y.low) * (p->bottom - p->top);
}

static double x_of(const struct report_lines *c, int i) { return c->x ? c->x[i] : i + 1.0; }

static struct plot plan_plot(const struct report_lines *c) {
  double low = INFINITY, high = -INFINITY;
  for (int k = 0; k < c->count; k++)
    for (int i = 0; i < c->points; i++) {
      double v = c->lines[k].y[i];
      if (isfinite(v)) low = fmin(low, v), high = fmax(high, v);
    }
  if (!(low <= high)) low = 0, high = 1;
  if (c->from_zero) low = fmin(low, 0), high = fmax(high, 0);
  if (high - low < 1e-9 * fmax(1, fabs(high))) high = low + fmax(1e-6, fabs(low) * 0.1);
  struct plot p = {.left = 52, .top = 10, .right = 470, .bottom = 206};
  p.y = draw_axis(low, high, 5);
  double first = c->points ? x_of(c, 0) : 0, last = c->points ? x_of(c, c->points - 1) : 1;
  if (!isfinite(first) || !isfinite(last) || !(last > first))
    last = (isfinite(first) ? first : (first = 0)) + 1;
  p.x = draw_axis(first, last, 6);
  p.x.low = first, p.x.high = last; /* time needs no round ends */
  return p;
}

static void draw_axes(struct report *r, const struct plot *p, const struct report_lines *c) {
  for (int i = 0; i <= 20; i++) {
    double v = p->y.low + i * p->y.step;
    if (v > p->y.high + p->y.step * 0.01) break;
    double y = plot_y(p, v);
    stroke(r, i ? "grid" : "axis", p->left, y, p->right, y);
    label(r, p->left - 8, y + 4, "text-anchor=\"end\"", draw_number(r->arena, v, p->y.decimals));
  }
  double start = ceil(p->x.low / p->x.step - 1e-9) * p->x.step;
  for (int i = 0; i <= 20; i++) {
    double v = start + i * p->x.step;
    if (v > p->x.high + p->x.step * 0.01) break;
    label(r, plot_x(p, v), p->bottom + 18, "text-anchor=\"middle\"",
          draw_number(r->arena, v, p->x.decimals));
  }
  if (c->x_label)
    label(r, (p->left + p->right) / 2, p->bottom + 36, "text-anchor=\"middle\"", c->x_label);
}

/* Gaps where a value is not finite; a point between two gaps is drawn as a dot by the round cap. */
static void draw_line(struct report *r, const struct plot *p, const struct report_lines *c, int k) {
  struct text *t = &r->body;
  text_printf(t, "<path class=\"l s%d\" d=\"", page_colour(k));
  bool down = false;
  for (int i = 0; i < c->points; i++) {
    double v = c->lines[k].y[i], x = x_of(c, i);
    if (!isfinite(v) || !isfinite(x)) {
      down = false;
      continue;
    }
    text_add(t, down ? "L" : "M");
    draw_coordinate(t, plot_x(p, x));
    text_add(t, " ");
    draw_coordinate(t, plot_y(p, v));
    bool lonely = !down && (i + 1 == c->points || !isfinite(c->lines[k].y[i + 1]));
    if (lonely) text_add(t, "h0");
    down = true;
  }
  text_add(t, "\"><title>");
  draw_text(t, c->lines[k].name);
  text_add(t, "</title></path>");
}

void report_lines(struct report *r, const struct report_lines *c) {
  page_group(r, PAGE_ROW);
  struct text *t = &r->body;
  int count = c->count < 0 ? 0 : c->count > 6 ? 6 : c->count;
  const char *names[6];
  for (int k = 0; k < count; k++) names[k] = c->lines[k].name;
  page_figure(r, c->caption);
  if (count > 1 || c->y_label) {
    if (count > 1)
      page_legend(r, names, count, false);
    else {
      text_add(t, "<div class=\"legend\">");
      draw_text(t, c->y_label);
      text_add(t, "</div>");
    }
  }
  struct plot p = plan_plot(c);
  text_add(t, "<svg viewBox=\"0 0 480 248\" role=\"img\" aria-label=\"");
  draw_text(t, c->caption ? c->caption : "chart");
  text_add(t, "\">");
  draw_axes(r, &p, c);
  if (isfinite(c->mark_x) && c->mark_x >= p.x.low && c->mark_x <= p.x.high) {
    double x = plot_x(&p, c->mark_x);
    stroke(r, "mark", x, p.top, x, p.bottom);
    if (c->mark_label) {
      bool flip = x > (p.left + p.right) / 2;
      label(r, x + (flip ? -6 : 6), p.top + 10, flip ? "text-anchor=\"end\"" : "", c->mark_label);
    }
  }
  for (int k = 0; k < count; k++) draw_line(r, &p, c, k);
  text_add(t, "</svg></figure>\n");
}

/* ---- fields and waves ------------------------------------------------------- */
/* Levels of a field of numbers, rows turned so that row 0 is at the bottom; at most 2048 on a side. */
static void field_image(struct report *r, int columns, int rows, const float *values,
                        const int8_t *features) {
  int w = columns > 2048 ? 2048 : columns, h = rows > 2048 ? 2048 : rows;
  unsigned char *level = arena_alloc(r->arena, (size_t)w * (size_t)h, 1);
  double low = INFINITY, high = -INFINITY;
  for (int pass = 0; pass < 2; pass++)
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        int64_t sx = (int64_t)x * columns / w, sy = (int64_t)(h - 1 - y) * rows / h;
        /* values: row after row; features: frame after frame. */
        double v = values ? (double)values[sy * columns + sx] : (double)features[sx * rows + sy];
        if (!isfinite(v)) continue;
        if (pass == 0)
          low = fmin(low, v), high = fmax(high, v);
        else
          level[y * w + x] = (unsigned char)(high > low ? (v - low) / (high - low) * 255 : 0);
      }
  draw_image(&r->body, w, h, level);
}

void report_field(struct report *r, const struct report_field *f) {
  if (f->columns < 1 || f->rows < 1) return;
  page_group(r, PAGE_ROW);
  page_figure(r, f->caption);
  struct text *t = &r->body;
  if (f->y_label) {
    text_add(t, "<div class=\"legend\">");
    draw_text(t, f->y_label);
    text_add(t, "</div>");
  }
  text_add(t, "<img class=\"feat\" style=\"width:100%;height:14rem\" alt=\"\" src=\"");
  field_image(r, f->columns, f->rows, f->values, NULL);
  text_add(t, "\"><div class=\"ticks\"><span></span><span>");
  draw_text(t, f->x_label);
  text_add(t, "</span><span></span></div></figure>\n");
}

/* The envelope: for each of 240 columns the lowest and highest sample, drawn as one closed path. */
static void draw_envelope(struct report *r, const struct report_wave *w) {
  enum { COLUMNS = 240, HALF = 50 };
  struct text *t = &r->body;
  int peak = 1;
  for (int64_t i = 0; i < w->n_samples; i++) {
    int v = w->samples[i] < 0 ? -w->samples[i] : w->samples[i];
    if (v > peak) peak = v;
  }
  double low[COLUMNS], high[COLUMNS];
  for (int c = 0; c < COLUMNS; c++) {
    int64_t from = w->n_samples * c / COLUMNS, to = w->n_samples * (c + 1) / COLUMNS;
    if (to <= from) to = from + 1;
    if (to > w->n_samples) to = w->n_samples;
    int lowest = 0, highest = 0;
    for (int64_t i = from; i < to; i++) {
      if (w->samples[i] < lowest) lowest = w->samples[i];
      if (w->samples[i] > highest) highest = w->samples[i];
    }
    low[c] = HALF - 48.0 * lowest / peak + 0.6;
    high[c] = HALF - 48.0 * highest / peak - 0.6;
  }
  text_add(t, "<svg class=\"wave\" viewBox=\"0 0 240 100\" preserveAspectRatio=\"none\" "
              "aria-hidden=\"true\">"
              "<line x1=\"0\" y1=\"50\" x2=\"240\" y2=\"50\"/><path d=\"M");
  for (int c = 0; c < COLUMNS; c++) {
    text_printf(t, "%s%d ", c ? "L" : "", c);
    draw_coordinate(t, round(high[c] * 10) / 10);
  }
  for (int c = COLUMNS - 1; c >= 0; c--) {
    text_printf(t, "L%d ", c);
    draw_coordinate(t, round(low[c] * 10) / 10);
  }
  text_add(t, "Z\"/></svg>\n");
}

void report_wave(struct report *r, const struct report_wave *w) {
  page_group(r, PAGE_CARDS);
  struct text *t = &r->body;
  double seconds = w->rate_hz > 0 ? (double)w->n_samples / w->rate_hz : 0;
  text_add(t, "<figure><figcaption>");
  draw_text(t, w->title);
  if (w->note) {
    text_add(t, "<small>");
    draw_text(t, w->note);
    text_add(t, "</small>");
  }
  text_add(t, "</figcaption>\n");
  if (w->n_samples > 0) draw_envelope(r, w);
  if (w->frames > 0 && w->bins > 0) {
    double from = w->features_from_s, to = w->features_to_s;
    if (!(to > from) || !(seconds > 0)) from = 0, to = seconds > 0 ? seconds : 1;
    double whole = seconds > 0 ? seconds : 1;
    from = fmax(0, fmin(from, whole)), to = fmax(from, fmin(to, whole));
    text_add(t, "<img class=\"feat\" style=\"margin-left:");
    draw_coordinate(t, 100 * from / whole);
    text_add(t, "%;width:");
    draw_coordinate(t, 100 * (to - from) / whole);
    text_printf(t, "%%\" alt=\"%d frames of %d features\" src=\"", w->frames, w->bins);
    field_image(r, w->frames, w->bins, NULL, w->features);
    text_add(t, "\">\n");
  }
  text_add(t, "<div class=\"ticks\"><span>0</span><span>");
  text_add(t, draw_number(r->arena, seconds / 2, seconds < 10 ? 2 : 1));
  text_add(t, "</span><span>");
  text_add(t, draw_number(r->arena, seconds, seconds < 10 ? 2 : 1));
  text_add(t, " s</span></div></figure>\n");
}

/* ---- memory over time -------------------------------------------------------- */
static const char *const kind_names[REPORT_MEMORY_KINDS] = {"input", "output",  "activation",
                                                            "ring",  "scratch", "state"};
/* Colours of the six kinds, so that the common ones differ most. */
static const int kind_colour[REPORT_MEMORY_KINDS] = {2, 3, 0, 1, 4, 5};

static void memory_legend(struct report *r, const struct report_memory *m) {
  struct text *t = &r->body;
  text_add(t, "<div class=\"legend\">");
  for (int k = 0; k < REPORT_MEMORY_KINDS; k++) {
    bool used = false;
    for (int i = 0; i < m->count; i++) used |= (int)m->blocks[i].kind == k;
    if (used)
      text_printf(t, "<span><i class=\"b%d q\"></i>%s</span>", kind_colour[k], kind_names[k]);
  }
  text_add(t, "</div>\n");
}

static void draw_block(struct report *r, const struct plot *p, const struct report_block *b,
                       int steps) {
  struct text *t = &r->body;
  int first = b->first < 0 ? 0 : b->first, last = b->last >= steps ? steps - 1 : b->last;
  if (last < first || b->bytes <= 0) return;
  int kind = (unsigned)b->kind < REPORT_MEMORY_KINDS ? (int)b->kind : REPORT_ACTIVATION;
  double x = plot_x(p, first), width = plot_x(p, last + 1) - x;
  double top = plot_y(p, (double)(b->offset + b->bytes)),
         height = plot_y(p, (double)b->offset) - top;
  text_printf(t, "<rect class=\"m f%d\" rx=\"3\" x=\"", kind_colour[kind]);
  draw_coordinate(t, x);
  text_add(t, "\" y=\"");
  draw_coordinate(t, top);
  text_add(t, "\" width=\"");
  draw_coordinate(t, width);
  text_add(t, "\" height=\"");
  draw_coordinate(t, fmax(height, 1));
  text_add(t, "\"><title>");
  draw_text(t, b->name);
  text_printf(t, ": %s bytes at %s, %s, steps %d to %d</title></rect>",
              draw_number(r->arena, (double)b->bytes, 0),
              draw_number(r->arena, (double)b->offset, 0), kind_names[kind], first + 1, last + 1);
  /* 6.2 units a letter at 11 px. */
  double room = width - 8, need = 6.2 * (double)(b->name ? strlen(b->name) : 0);
  if (height >= 13 && b->name && room >= need) {
    label(r, x + 5, top + height / 2 + 4, "class=\"in\" pointer-events=\"none\"", b->name);
  }
}

static void draw_steps(struct report *r, const struct plot *p, const struct report_memory *m) {
  double slot = (p->right - p->left) / m->steps;
  int every = (int)ceil(14 / slot);
  for (int i = 0; i < m->steps; i++) {
    if (every > 1 && i % every) continue;
    double x = plot_x(p, i + 0.5);
    if (!m->step_names) {
      char n[16];
      snprintf(n, sizeof n, "%d", i + 1);
      label(r, x, p->bottom + 16, "text-anchor=\"middle\"", n);
      continue;
    }
    text_add(&r->body, "<text text-anchor=\"end\" transform=\"translate(");
    draw_coordinate(&r->body, x + 4);
    text_add(&r->body, " ");
    draw_coordinate(&r->body, p->bottom + 12);
    text_add(&r->body, ") rotate(-38)\" style=\"font-size:11px\">");
    draw_text(&r->body, m->step_names[i]);
    text_add(&r->body, "</text>");
  }
}

void report_memory(struct report *r, const struct report_memory *m) {
  if (m->steps < 1) return;
  page_group(r, PAGE_ALONE);
  struct text *t = &r->body;
  page_figure(r, m->caption);
  memory_legend(r, m);
  double top = (double)(m->arena_bytes > 0 ? m->arena_bytes : 1);
  if (m->limit_bytes > 0 && (double)m->limit_bytes < 1.5 * top)
    top = fmax(top, (double)m->limit_bytes);
  struct plot p = {.left = 62, .top = 22, .right = 940, .bottom = 300};
  p.y = draw_axis(0, top * 1.02, 5);
  p.y.high = top * 1.02;
  p.x = (struct draw_axis){.low = 0, .high = m->steps, .step = 1};
  size_t longest = 1;
  for (int i = 0; m->step_names && i < m->steps; i++)
    if (m->step_names[i] && strlen(m->step_names[i]) > longest) longest = strlen(m->step_names[i]);
  double below = m->step_names ? 22 + fmin(4.0 * (double)longest, 110) : 24;
  text_printf(t,
              "<div class=\"scroll\"><svg class=\"map\" viewBox=\"0 0 950 %d\" role=\"img\" "
              "aria-label=\"memory over "
              "time\">",
              (int)(p.bottom + below));
  for (int i = 0; i <= 20; i++) {
    double v = p.y.low + i * p.y.step;
    if (v > p.y.high) break;
    stroke(r, i ? "grid" : "axis", p.left, plot_y(&p, v), p.right, plot_y(&p, v));
    label(r, p.left - 8, plot_y(&p, v) + 4, "text-anchor=\"end\"", draw_number(r->arena, v, 0));
  }
  for (int i = 0; i < m->count; i++) draw_block(r, &p, &m->blocks[i], m->steps);
  double y = plot_y(&p, (double)m->arena_bytes);
  stroke(r, "mark", p.left, y, p.right, y);
  label(r, p.right, y - 6, "text-anchor=\"end\"",
        arena_printf(r->arena, "arena %s bytes", draw_number(r->arena, (double)m->arena_bytes, 0)));
  if (m->limit_bytes > 0 && (double)m->limit_bytes <= top) {
    y = plot_y(&p, (double)m->limit_bytes);
    stroke(r, "mark", p.left, y, p.right, y);
    label(
        r, p.left + 4, y - 6, "",
        arena_printf(r->arena, "limit %s bytes", draw_number(r->arena, (double)m->limit_bytes, 0)));
  }
  draw_steps(r, &p, m);
  text_add(t, "</svg></div></figure>\n");
}
