/* cloud: points that show what they stand for. All of a point is one record of bytes in base64 (layout below and in
 * script.h), so that ten thousand windows make a page of a few megabytes; titles and notes are a list of strings. */
#include "host/report/page.h"
#include "host/report/script.h"

#include <math.h>
#include <string.h>

enum {
  COLUMNS = 48, /* of the waveform */
  CHANNELS = 3,
  FRAMES = 20, /* of the features' picture, at most */
  BINS = 16
};

/* The record: x and y as 16 bits, little-endian; group; marked; for each channel COLUMNS pairs of least and largest
 * value; FRAMES x BINS levels. Channels, frames and bins are the same for all points of a cloud. */
struct shape {
  int channels, frames, bins;
  size_t bytes;
};

static struct shape shape_of(const struct report_point *p) {
  struct shape s = {p->channels < CHANNELS ? p->channels : CHANNELS,
                    p->frames < FRAMES ? p->frames : FRAMES, p->bins < BINS ? p->bins : BINS, 0};
  if (p->n_samples < 1) s.channels = 0;
  s.bytes = 6 + (size_t)s.channels * COLUMNS * 2 + (size_t)s.frames * (size_t)s.bins;
  return s;
}

struct bounds {
  double left, right, bottom, top;
};

static void put_place(unsigned char *at, double v, double low, double high) {
  const unsigned q = (unsigned)(65535 * (high > low ? (v - low) / (high - low) : 0.5) + 0.5);
  at[0] = (unsigned char)(q & 0xFF);
  at[1] = (unsigned char)(q >> 8);
}

/* Each channel about its middle, all in the scale of the one that moves most. */
static unsigned char *put_wave(unsigned char *at, const struct report_point *p, int channels) {
  int low[CHANNELS], high[CHANNELS], span = 1;
  for (int c = 0; c < channels; c++) {
    low[c] = high[c] = p->samples[c];
    for (int64_t i = 0; i < p->n_samples; i++) {
      const int v = p->samples[i * p->channels + c];
      low[c] = v < low[c] ? v : low[c];
      high[c] = v > high[c] ? v : high[c];
    }
    if (high[c] - low[c] > span) span = high[c] - low[c];
  }
  for (int c = 0; c < channels; c++)
    for (int x = 0; x < COLUMNS; x++) {
      const int64_t from = p->n_samples * x / COLUMNS, to = p->n_samples * (x + 1) / COLUMNS;
      int least = p->samples[from * p->channels + c], most = least;
      for (int64_t i = from; i < to; i++) {
        const int v = p->samples[i * p->channels + c];
        least = v < least ? v : least;
        most = v > most ? v : most;
      }
      const int middle = (low[c] + high[c]) / 2;
      *at++ = (unsigned char)(128 + 126 * (least - middle) / span);
      *at++ = (unsigned char)(128 + 126 * (most - middle) / span);
    }
  return at;
}

/* The mean of what falls into each cell of the picture. */
static void put_features(unsigned char *at, const struct report_point *p, const struct shape *s) {
  for (int f = 0; f < s->frames; f++)
    for (int b = 0; b < s->bins; b++) {
      const int f0 = p->frames * f / s->frames, f1 = p->frames * (f + 1) / s->frames;
      const int b0 = p->bins * b / s->bins, b1 = p->bins * (b + 1) / s->bins;
      int sum = 0;
      for (int i = f0; i < f1; i++)
        for (int k = b0; k < b1; k++) sum += p->features[i * p->bins + k];
      *at++ = (unsigned char)(128 + sum / ((f1 - f0) * (b1 - b0)));
    }
}

static struct bounds bounds_of(const struct report_cloud *c) {
  struct bounds b = {INFINITY, -INFINITY, INFINITY, -INFINITY};
  for (int i = 0; i < c->count; i++) {
    struct report_point p = {0};
    c->point(c->context, i, &p);
    b.left = fmin(b.left, p.x), b.right = fmax(b.right, p.x);
    b.bottom = fmin(b.bottom, p.y), b.top = fmax(b.top, p.y);
  }
  return b;
}

/* Without scripts: the points alone. */
static void still_picture(struct report *r, const struct report_cloud *c, const struct bounds *b) {
  text_add(&r->body, "<noscript><svg viewBox=\"0 0 600 400\">");
  for (int i = 0; i < c->count; i++) {
    struct report_point p = {0};
    c->point(c->context, i, &p);
    text_printf(&r->body, "<circle class=\"f%d\" r=\"2\" cx=\"%.1f\" cy=\"%.1f\"/>",
                page_colour(p.group),
                b->right > b->left ? 595 * (p.x - b->left) / (b->right - b->left) + 2 : 300,
                b->top > b->bottom ? 395 * (b->top - p.y) / (b->top - b->bottom) + 2 : 200);
  }
  text_add(&r->body, "</svg></noscript>");
}

void report_cloud(struct report *r, const struct report_cloud *c) {
  struct text *const t = &r->body;
  struct report_point p = {0};
  if (c->count < 1 || c->count > 65535) return;
  page_group(r, PAGE_ALONE);
  page_figure(r, c->caption);
  const struct bounds b = bounds_of(c);
  c->point(c->context, 0, &p);
  const struct shape s = shape_of(&p);
  unsigned char *const records = arena_alloc(r->arena, (size_t)c->count, s.bytes);
  struct text titles, notes;
  text_init(&titles, r->arena);
  text_init(&notes, r->arena);
  for (int i = 0; i < c->count; i++) {
    unsigned char *at = records + (size_t)i * s.bytes;
    p = (struct report_point){0};
    c->point(c->context, i, &p);
    put_place(at, p.x, b.left, b.right);
    put_place(at + 2, p.y, b.bottom, b.top);
    at[4] = (unsigned char)p.group;
    at[5] = p.marked;
    at += 6;
    if (p.n_samples > 0) at = put_wave(at, &p, s.channels < p.channels ? s.channels : p.channels);
    if (p.frames >= s.frames && p.bins >= s.bins) put_features(at, &p, &s);
    if (i) text_add(&titles, ","), text_add(&notes, ",");
    draw_string(&titles, p.title);
    draw_string(&notes, p.note);
  }
  text_add(t, "<div class=\"cloud\"><div class=\"names\"></div><canvas tabindex=\"0\"></canvas>"
              "<aside><b></b><small></small><canvas width=\"288\" height=\"96\"></canvas><canvas "
              "width=\"288\" height=\"160\"></canvas></aside></div>");
  still_picture(r, c, &b);
  text_add(t, "</figure>\n<script>\n");
  text_add(t, script_cloud_view);
  text_add(t, script_cloud_card);
  text_printf(t,
              "cloud(document.currentScript.previousElementSibling,{n:%d,bytes:%zu,columns:%d,"
              "channels:%d,frames:%d,bins:%d,names:[",
              c->count, s.bytes, COLUMNS, s.channels, s.frames, s.bins);
  for (int g = 0; g < c->groups; g++) {
    if (g) text_add(t, ",");
    draw_string(t, c->group_names[g]);
  }
  text_add(t, "],titles:[");
  text_addn(t, titles.data, titles.size);
  text_add(t, "],notes:[");
  text_addn(t, notes.data, notes.size);
  text_add(t, "],data:\"");
  draw_base64(t, records, (size_t)c->count * s.bytes);
  text_add(t, "\"});\n</script>\n");
}
