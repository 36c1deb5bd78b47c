/* plot: a recording alone, as an SVG document. */
#include "host/report/draw.h"
#include "host/report/report.h"

#include <math.h>

enum { WIDTH = 960, PANEL = 160, MARGIN = 40, MOST_PANELS = 12 };

/* Least and largest finite value of a channel between two frames; low > high where there is none. */
static void extent(const struct report_plot *p, int channel, int64_t from, int64_t to, double *low,
                   double *high) {
  *low = INFINITY;
  *high = -INFINITY;
  for (int64_t t = from; t < to; t++) {
    const double v = (double)p->values[t * p->channels + channel];
    if (!isfinite(v)) continue;
    *low = fmin(*low, v);
    *high = fmax(*high, v);
  }
}

static void panel(const struct report_plot *p, int channel, struct text *out) {
  double low, high;
  extent(p, channel, 0, p->length, &low, &high);
  if (low > high) return;
  const double middle = MARGIN + channel * PANEL + PANEL / 2.0, span = high > low ? high - low : 1;
  text_printf(out,
              "<text x=\"4\" y=\"%.1f\" fill=\"#555\">%.3g</text><text x=\"4\" y=\"%.1f\" "
              "fill=\"#555\">%.3g</text><path fill=\"none\" stroke=\"#2563eb\" d=\"",
              middle - PANEL * 0.45 + 10, high, middle + PANEL * 0.45, low);
  bool open = false;
  for (int x = 0; x < WIDTH; x++) {
    const int64_t from = p->length * x / WIDTH, to = p->length * (x + 1) / WIDTH;
    double least, most;
    extent(p, channel, from, to > from ? to : from + 1, &least, &most);
    if (least > most) continue;
    text_printf(out, "%c%d %.1fV%.1f", open ? 'L' : 'M', MARGIN + x,
                middle - ((most - low) / span - 0.5) * PANEL * 0.9,
                middle - ((least - low) / span - 0.5) * PANEL * 0.9 + 0.5);
    open = true;
  }
  text_add(out, "\"/>\n");
}

void report_plot(const struct report_plot *p, struct text *out) {
  const int panels = p->channels < MOST_PANELS ? p->channels : MOST_PANELS;
  text_printf(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
              "font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%%\" height=\"100%%\" "
              "fill=\"#fff\"/><text x=\"%d\" y=\"20\">",
              WIDTH + 2 * MARGIN, panels * PANEL + 2 * MARGIN, MARGIN);
  draw_text(out, p->title);
  text_add(out, "</text>\n");
  for (int k = 0; k < panels && p->length > 0; k++) panel(p, k, out);
  text_add(out, "</svg>\n");
}
