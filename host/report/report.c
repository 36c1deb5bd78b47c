/* report: the page itself, and its pieces in words: headings, paragraphs, tiles, tables, confusion matrices, bars.
 * Figures that are drawn stand in figures.c. */
#include "host/report/page.h"
#include "host/report/style.h"

#include <math.h>
#include <string.h>

struct report *report_new(struct arena *a, const char *title, const char *lead) {
  struct report *r = ARENA_NEW(a, struct report);
  r->arena = a;
  text_init(&r->body, a);
  text_init(&r->contents, a);
  r->title = arena_strdup(a, title ? title : "Report");
  r->lead = lead ? arena_strdup(a, lead) : NULL;
  return r;
}

void page_group(struct report *r, enum page_group group) {
  if (r->group == group) return;
  if (r->group != PAGE_ALONE) text_add(&r->body, "</div>\n");
  if (group == PAGE_ROW) text_add(&r->body, "<div class=\"row\">\n");
  if (group == PAGE_CARDS) text_add(&r->body, "<div class=\"cards\">\n");
  r->group = group;
}

void page_figure(struct report *r, const char *caption) {
  text_add(&r->body, "<figure>");
  if (caption) {
    text_add(&r->body, "<figcaption>");
    draw_text(&r->body, caption);
    text_add(&r->body, "</figcaption>");
  }
  text_add(&r->body, "\n");
}

void page_legend(struct report *r, const char *const *names, int count, bool areas) {
  struct text *t = &r->body;
  text_add(t, "<div class=\"legend\">");
  for (int i = 0; i < count; i++) {
    text_printf(t, "<span><i class=\"b%d%s\"></i>", page_colour(i), areas ? " q" : "");
    draw_text(t, names[i]);
    text_add(t, "</span>");
  }
  text_add(t, "</div>\n");
}

void report_heading(struct report *r, const char *text) {
  page_group(r, PAGE_ALONE);
  r->sections++;
  text_printf(&r->body, "<h2 id=\"s%d\">", r->sections);
  draw_text(&r->body, text);
  text_add(&r->body, "</h2>\n");
  text_printf(&r->contents, "<a href=\"#s%d\">", r->sections);
  draw_text(&r->contents, text);
  text_add(&r->contents, "</a>\n");
}

static void paragraphs(struct report *r, const char *open, const char *text) {
  page_group(r, PAGE_ALONE);
  for (const char *p = text ? text : ""; *p;) {
    const char *end = strstr(p, "\n\n");
    size_t n = end ? (size_t)(end - p) : strlen(p);
    char *part = arena_printf(r->arena, "%.*s", (int)n, p);
    text_add(&r->body, open);
    draw_text(&r->body, part);
    text_add(&r->body, "</p>\n");
    p += n;
    while (*p == '\n') p++;
  }
}

void report_paragraph(struct report *r, const char *text) { paragraphs(r, "<p>", text); }

void report_small(struct report *r, const char *text) {
  paragraphs(r, "<p class=\"small\">", text);
}

void report_tiles(struct report *r, const struct report_tile *tiles, int count) {
  page_group(r, PAGE_ALONE);
  struct text *t = &r->body;
  text_add(t, "<div class=\"tiles\">\n");
  for (int i = 0; i < count; i++) {
    text_add(t, "<div class=\"tile\"><b>");
    draw_text(t, tiles[i].value);
    text_add(t, "</b><span>");
    draw_text(t, tiles[i].label);
    text_add(t, "</span>");
    if (tiles[i].fraction >= 0) {
      double share = fmin(tiles[i].fraction, 1);
      text_printf(t,
                  "<div class=\"gauge\"><i%s style=\"width:", share > 0.9 ? " class=\"near\"" : "");
      draw_coordinate(t, 100 * share);
      text_add(t, "%\"></i></div>");
    }
    if (tiles[i].note) {
      text_add(t, "<small>");
      draw_text(t, tiles[i].note);
      text_add(t, "</small>");
    }
    text_add(t, "</div>\n");
  }
  text_add(t, "</div>\n");
}

void report_table(struct report *r, const struct report_table *table) {
  page_group(r, PAGE_ALONE);
  struct text *t = &r->body;
  page_figure(r, table->caption);
  text_add(t, "<div class=\"scroll\"><table><thead><tr>");
  for (int c = 0; c < table->columns; c++) {
    text_add(t, table->numeric && table->numeric[c] ? "<th class=\"n\">" : "<th>");
    draw_text(t, table->head[c]);
    text_add(t, "</th>");
  }
  text_add(t, "</tr></thead><tbody>\n");
  for (int row = 0; row < table->rows; row++) {
    text_add(t, "<tr>");
    for (int c = 0; c < table->columns; c++) {
      text_add(t, table->numeric && table->numeric[c] ? "<td class=\"n\">" : "<td>");
      draw_text(t, table->cells[row * table->columns + c]);
      text_add(t, "</td>");
    }
    text_add(t, "</tr>\n");
  }
  text_add(t, "</tbody></table></div></figure>\n");
}

/* ---- confusion matrix ------------------------------------------------------ */
static void margin_cell(struct report *r, int64_t right, int64_t of) {
  text_add(&r->body, "<td class=\"r\">");
  double share = of > 0 ? 100.0 * (double)right / (double)of : NAN;
  text_add(&r->body, draw_number(r->arena, share, 1));
  text_add(&r->body, of > 0 ? "\xE2\x80\xAF%</td>" : "</td>");
}

static void count_cell(struct report *r, int64_t count, double share, bool right, const char *truth,
                       const char *answer) {
  struct text *t = &r->body;
  if (count == 0) {
    text_add(t, "<td class=\"z\" title=\"");
  } else {
    /* Small errors must be seen: the shade of an error starts at a fifth. */
    double shade = right ? share * 0.95 : 0.2 + 0.75 * share;
    text_printf(t, "<td class=\"%s%s\" style=\"--p:", right ? "d" : "e", shade > 0.6 ? " hi" : "");
    draw_coordinate(t, shade);
    text_add(t, "\" title=\"");
  }
  draw_text(t, truth);
  text_add(t, ", answered ");
  draw_text(t, answer);
  text_printf(t, ": %s\">%s</td>", draw_number(r->arena, (double)count, 0),
              count ? draw_number(r->arena, (double)count, 0) : "\xC2\xB7");
}

void report_confusion(struct report *r, const struct report_confusion *m) {
  int n = m->classes;
  page_group(r, PAGE_ALONE);
  struct text *t = &r->body;
  page_figure(r, m->caption);
  text_add(t, "<div class=\"scroll\"><table class=\"cm\"><thead><tr><th></th>");
  for (int c = 0; c < n; c++) {
    text_add(t, "<th>");
    draw_text(t, m->names[c]);
    text_add(t, "</th>");
  }
  text_add(t, "<th class=\"r\">recall</th></tr></thead><tbody>\n");
  for (int i = 0; i < n; i++) {
    int64_t sum = 0;
    for (int c = 0; c < n; c++) sum += m->counts[i * n + c];
    text_add(t, "<tr><th>");
    draw_text(t, m->names[i]);
    text_add(t, "</th>");
    for (int c = 0; c < n; c++) {
      int64_t count = m->counts[i * n + c];
      count_cell(r, count, sum > 0 ? (double)count / (double)sum : 0, i == c, m->names[i],
                 m->names[c]);
    }
    margin_cell(r, m->counts[i * n + i], sum);
    text_add(t, "</tr>\n");
  }
  text_add(t, "<tr><th class=\"r\">precision</th>");
  int64_t right = 0, all = 0;
  for (int c = 0; c < n; c++) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += m->counts[i * n + c];
    margin_cell(r, m->counts[c * n + c], sum);
    right += m->counts[c * n + c];
    all += sum;
  }
  margin_cell(r, right, all);
  text_add(t, "</tr></tbody></table></div></figure>\n");
}

/* ---- bars ------------------------------------------------------------------ */
void report_bars(struct report *r, const struct report_bars *bars) {
  page_group(r, PAGE_ALONE);
  struct text *t = &r->body;
  double most = 0, sum = 0;
  for (int i = 0; i < bars->count; i++) {
    double v = bars->bars[i].value;
    if (isfinite(v) && v > 0) most = fmax(most, v), sum += v;
  }
  page_figure(r, bars->caption);
  if (bars->groups > 0) page_legend(r, bars->group_names, bars->groups, true);
  text_add(t, "<div class=\"bars\">\n");
  for (int i = 0; i < bars->count; i++) {
    const struct report_bar *b = &bars->bars[i];
    double v = isfinite(b->value) && b->value > 0 ? b->value : 0;
    text_add(t, "<div class=\"k\">");
    draw_text(t, b->name);
    if (b->note) {
      text_add(t, "<small>");
      draw_text(t, b->note);
      text_add(t, "</small>");
    }
    text_printf(t, "</div><div class=\"t\"><i class=\"b%d\" style=\"width:", page_colour(b->group));
    draw_coordinate(t, most > 0 ? 100 * v / most : 0);
    text_add(t, "%\"></i></div><div class=\"v\">");
    text_add(t, draw_number(r->arena, b->value, v < 10 && v != floor(v) ? 2 : 0));
    if (bars->unit && bars->unit[0]) {
      text_add(t, "\xE2\x80\xAF");
      draw_text(t, bars->unit);
    }
    text_add(t, "</div><div class=\"p\">");
    text_add(t, draw_number(r->arena, sum > 0 ? 100 * v / sum : NAN, 1));
    text_add(t, "\xE2\x80\xAF%</div>\n");
  }
  text_add(t, "</div></figure>\n");
}

/* ---- the whole page -------------------------------------------------------- */
const char *report_html(struct report *r, size_t *size) {
  page_group(r, PAGE_ALONE);
  struct text page;
  text_init(&page, r->arena);
  text_add(&page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
  draw_text(&page, r->title);
  text_add(&page, "</title>\n<style>\n");
  text_add(&page, style_colours);
  text_add(&page, style_page);
  text_add(&page, style_figures);
  text_add(&page, style_cloud);
  text_add(&page, "\n</style>\n</head>\n<body>\n<header><h1>");
  draw_text(&page, r->title);
  text_add(&page, "</h1>\n");
  if (r->lead) {
    text_add(&page, "<p class=\"lead\">");
    draw_text(&page, r->lead);
    text_add(&page, "</p>\n");
  }
  if (r->sections > 1) {
    text_add(&page, "<nav aria-label=\"Contents\">\n");
    text_addn(&page, r->contents.data, r->contents.size);
    text_add(&page, "</nav>\n");
  }
  text_add(&page, "</header>\n<main>\n");
  text_addn(&page, r->body.data, r->body.size);
  text_add(&page, "</main>\n<footer>Written by Mote. This page needs nothing but "
                  "itself.</footer>\n</body>\n</html>\n");
  if (size) *size = page.size;
  return page.data;
}

bool report_write(struct report *r, const char *path, struct err *e) {
  size_t size;
  const char *html = report_html(r, &size);
  return file_write(path, html, size, e);
}
